//! From bytes to pixels to the square a model sees: sniff, strict bounded decode, orientation, finding the cells,
//! cutting their squares, thumbnails.
//!
//! The only place that names an image codec. It reads no file: bytes come in, images go out.

mod decode;
mod dye;
mod find;
mod light;
mod mask;
mod measure;
mod overlap;
mod overlay;
mod plane;
mod propose;
mod resample;
mod sniff;
mod source;
mod square;
mod synthetic;
mod threshold;
mod touching;

pub use decode::{DECODER_VERSION, DecodeError, Decoded, Limits, decode};
pub use find::{FINDER_VERSION, Finding, FoundCell, Scene, find_cells};
pub use image::RgbImage;
pub use measure::{OthersMeasure, SlideMeasure};
pub use overlap::FieldCopy;
pub use overlay::{HEAT_OPACITY, heat_at, heat_colour, heat_overlay};
pub use propose::{DyeLook, measure_slide};
pub use resample::{fit_within, thumbnail_of_square};
pub use sniff::{Sniffed, sniff};
pub use source::{CellSource, Cells};
pub use square::{cut_around, cut_square, square_of, stretch, tensor};
pub use synthetic::{DrawnCell, Slide, draw_slide};

/// Why an image cannot be written as bytes, in the encoder's words.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct EncodeError(#[from] image::ImageError);

/// Writes an image as PNG bytes.
///
/// # Errors
/// Only when the image has no pixel.
pub fn encode_png(image: &RgbImage) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, image::ImageFormat::Png)?;
    Ok(bytes.into_inner())
}

/// An image as JPEG of this quality, 1..=100: for caches of small images, never for data.
///
/// # Errors
/// Sizes that JPEG cannot hold.
pub fn encode_jpeg(image: &RgbImage, quality: u8) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = Vec::new();
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, quality);
    image.write_with_encoder(encoder)?;
    Ok(bytes)
}

/// Two images of one height beside each other.
pub fn beside(left: &RgbImage, right: &RgbImage) -> RgbImage {
    let mut both =
        RgbImage::from_pixel(left.width() + right.width(), left.height().max(right.height()), image::Rgb([255; 3]));
    image::imageops::replace(&mut both, left, 0, 0);
    image::imageops::replace(&mut both, right, i64::from(left.width()), 0);
    both
}
