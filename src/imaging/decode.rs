//! Bytes to an upright RGB image, strictly and within bounds.
//!
//! Bounds are checked on the header, before a decoder allocates. An image that is cut off is an error, never half a
//! cell on grey. One policy for the whole program: EXIF orientation applied, alpha laid over white, CMYK converted,
//! 16 bit scaled by the declared depth, or by the 8, 10, 12 or 14 bits that the camera used of them. Colours are never changed
//! otherwise.

use super::sniff::{Sniffed, sniff};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, RgbImage};
use std::error::Error as _;
use std::io::Cursor;
use tiff::tags::Tag;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Counts up where the same bytes become other pixels, or where what failed can be read now: what was kept of an image (cut cells,
/// results, thumbnails) is then made anew.
pub const DECODER_VERSION: u32 = 2;

/// How large an image may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest side, pixels.
    pub side: u32,
    /// Pixels in all.
    pub pixels: u64,
    /// Bytes that a decoder may hold at once.
    pub memory: u64,
}

impl Default for Limits {
    /// 100 megapixels: more than any microscope camera's frame, less than 1 GiB while decoding 16-bit RGBA.
    fn default() -> Self {
        Self { side: 32_768, pixels: 100_000_000, memory: 1 << 30 }
    }
}

/// Why bytes are not an image that can be used. The text tells the user what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No known signature.
    #[error("not an image this program reads (its contents are not JPEG, PNG, BMP, TIFF or WebP)")]
    NotAnImage,
    /// A microscope's native file.
    #[error("a {0} file; open it in the microscope's software and export as TIFF")]
    Microscope(&'static str),
    /// An image format that is not read.
    #[error("a {0} image, which is not read here; save it as PNG or TIFF")]
    OtherImage(&'static str),
    /// Too large to decode safely.
    #[error("{width} × {height} pixels are more than the limit ({limit}); crop it or export it smaller")]
    TooLarge {
        width: u64,
        height: u64,
        /// The bound in words.
        limit: String,
    },
    /// The data stops before the image does.
    #[error("the file is cut off: the {0} ends before the image is complete; copy it again")]
    Truncated(&'static str),
    /// The decoder gives up.
    #[error("the {format} is damaged or of a kind that is not supported ({reason})")]
    Damaged {
        /// Which format it claims to be.
        format: &'static str,
        /// The decoder's words.
        reason: String,
    },
}

/// An upright image and what was noticed while decoding.
#[derive(Debug)]
pub struct Decoded {
    /// RGB, 8 bit, upright.
    pub image: RgbImage,
    /// Things the user should know.
    pub warnings: Vec<String>,
}

/// Decodes an image.
///
/// # Errors
/// [`DecodeError`], each with a remedy.
pub fn decode(bytes: &[u8], limits: Limits) -> Result<Decoded, DecodeError> {
    let mut warnings = Vec::new();
    let (mut image, orientation) = match sniff(bytes) {
        Sniffed::Jpeg => jpeg(bytes, limits)?,
        Sniffed::Png => {
            let decoder = image::codecs::png::PngDecoder::new(Cursor::new(bytes)).map_err(|e| failed("PNG", &e))?;
            with_image("PNG", decoder, limits, None, &mut warnings)?
        }
        Sniffed::Bmp => {
            let decoder = image::codecs::bmp::BmpDecoder::new(Cursor::new(bytes)).map_err(|e| failed("BMP", &e))?;
            with_image("BMP", decoder, limits, None, &mut warnings)?
        }
        Sniffed::WebP => {
            let decoder = image::codecs::webp::WebPDecoder::new(Cursor::new(bytes)).map_err(|e| failed("WebP", &e))?;
            with_image("WebP", decoder, limits, None, &mut warnings)?
        }
        Sniffed::Tiff => tiff_image(bytes, limits, &mut warnings)?,
        Sniffed::Microscope(name) => return Err(DecodeError::Microscope(name)),
        Sniffed::OtherImage(name) => return Err(DecodeError::OtherImage(name)),
        Sniffed::Unknown => return Err(DecodeError::NotAnImage),
    };
    if orientation != Orientation::NoTransforms {
        let mut turned = DynamicImage::ImageRgb8(image);
        turned.apply_orientation(orientation);
        image = turned.into_rgb8();
    }
    if let Some(first) = image.pixels().next()
        && image.pixels().all(|p| p == first)
    {
        let [r, g, b] = first.0;
        warnings.push(format!("nothing can be seen in it: it is one colour all over (red {r}, green {g}, blue {b})"));
    }
    Ok(Decoded { image, warnings })
}

fn check(width: u64, height: u64, bytes_per_pixel: u64, limits: Limits) -> Result<(), DecodeError> {
    let too_large = |limit: String| DecodeError::TooLarge { width, height, limit };
    if width > u64::from(limits.side) || height > u64::from(limits.side) {
        return Err(too_large(format!("{} a side", limits.side)));
    }
    if width * height > limits.pixels {
        return Err(too_large(format!("{} megapixels", limits.pixels / 1_000_000)));
    }
    if width * height * bytes_per_pixel > limits.memory {
        return Err(too_large(format!("{} MiB", limits.memory >> 20)));
    }
    Ok(())
}

fn damaged(format: &'static str, reason: impl ToString) -> DecodeError {
    DecodeError::Damaged { format, reason: reason.to_string() }
}

fn failed(format: &'static str, error: &image::ImageError) -> DecodeError {
    let ends = |e: &std::io::Error| e.kind() == std::io::ErrorKind::UnexpectedEof;
    // A format's own error may carry the reader's.
    let cut = matches!(error, image::ImageError::IoError(e) if ends(e))
        || std::iter::successors(error.source(), |&e| e.source()).any(|e| e.downcast_ref().is_some_and(ends));
    if cut { DecodeError::Truncated(format) } else { damaged(format, error) }
}

/// `image` accepts JPEGs that are cut off and fills up with grey; the strict decoder and a look for the end marker do not.
fn jpeg(bytes: &[u8], limits: Limits) -> Result<(RgbImage, Orientation), DecodeError> {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    // What follows the first image (a film, a second image, a preview) is not this image's matter.
    let (kind, end) = first_jpeg(bytes);
    if let Some(kind) = kind {
        return Err(DecodeError::OtherImage(kind));
    }
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&bytes[..end.unwrap_or(bytes.len())]), options);
    decoder
        .decode_headers()
        .map_err(|e| if end.is_none() { DecodeError::Truncated("JPEG") } else { damaged("JPEG", e) })?;
    let (width, height) = decoder.dimensions().ok_or_else(|| damaged("JPEG", "no dimensions"))?;
    check(width as u64, height as u64, 8, limits)?;
    if end.is_none() {
        return Err(DecodeError::Truncated("JPEG"));
    }
    let orientation =
        decoder.exif().and_then(|chunk| Orientation::from_exif_chunk(chunk)).unwrap_or(Orientation::NoTransforms);
    let pixels = decoder.decode().map_err(|e| damaged("JPEG", e))?;
    let (w, h) = (to_u32(width)?, to_u32(height)?);
    let image = match pixels.len() / (width * height).max(1) {
        3 => RgbImage::from_raw(w, h, pixels),
        1 => image::GrayImage::from_raw(w, h, pixels).map(|g| DynamicImage::ImageLuma8(g).into_rgb8()),
        _ => None,
    };
    Ok((image.ok_or_else(|| damaged("JPEG", "unexpected pixel layout"))?, orientation))
}

/// The first image of a JPEG file, by the lengths of its segments (ITU T.81, annex B): its kind where that is not read, and where it
/// ends, past its end marker. No end where the bytes end before it does, or before it has a scan.
fn first_jpeg(bytes: &[u8]) -> (Option<&'static str>, Option<usize>) {
    let mut kind = None;
    let end = walk_jpeg(bytes, &mut kind);
    (kind, end)
}

fn walk_jpeg(bytes: &[u8], kind: &mut Option<&'static str>) -> Option<usize> {
    const START: u8 = 0xd8;
    const END: u8 = 0xd9;
    const SCAN: u8 = 0xda;
    // Stand alone: restarts, and the marker for temporary use.
    let alone = |m: u8| (0xd0..=0xd7).contains(&m) || m == 0x01;
    let mut at = if bytes.starts_with(&[0xff, START]) { 2 } else { return None };
    let mut scanned = false;
    loop {
        // To the next marker: 0xff and a byte that is neither a stuffed 0 nor a fill byte. Outside of a scan it is the next byte.
        at += bytes.get(at..)?.windows(2).position(|w| w[0] == 0xff && w[1] != 0 && w[1] != 0xff)?;
        let marker = bytes[at + 1];
        at += 2;
        match marker {
            END => return scanned.then_some(at),
            m if alone(m) => {}
            m => {
                scanned |= m == SCAN;
                // Of the frames (ITU T.81, table B.1; T.87), baseline, extended and progressive ones are read.
                *kind = kind.or(match m {
                    0xc3 => Some("lossless JPEG"),
                    0xc5..=0xc7 | 0xde => Some("hierarchical JPEG"),
                    0xc9..=0xcb | 0xcd..=0xcf => Some("JPEG with arithmetic coding"),
                    0xf7 => Some("JPEG-LS"),
                    _ => None,
                });
                let length: [u8; 2] = bytes.get(at..at + 2)?.try_into().ok()?;
                at += usize::from(u16::from_be_bytes(length)).max(2);
            }
        }
    }
}

fn to_u32(n: usize) -> Result<u32, DecodeError> {
    u32::try_from(n).map_err(|_| damaged("JPEG", "dimensions"))
}

fn with_image(
    format: &'static str,
    mut decoder: impl ImageDecoder,
    limits: Limits,
    declared: Option<u16>,
    warnings: &mut Vec<String>,
) -> Result<(RgbImage, Orientation), DecodeError> {
    let (w, h) = decoder.dimensions();
    let per_pixel = u64::from(decoder.color_type().bytes_per_pixel()) + 3;
    check(u64::from(w), u64::from(h), per_pixel, limits)?;
    let mut bounds = image::Limits::no_limits();
    bounds.max_image_width = Some(limits.side);
    bounds.max_image_height = Some(limits.side);
    bounds.max_alloc = Some(limits.memory);
    decoder.set_limits(bounds).map_err(|e| failed(format, &e))?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut decoded = DynamicImage::from_decoder(decoder).map_err(|e| failed(format, &e))?;
    warnings.extend(fill_range(&mut decoded, declared));
    Ok((over_white(decoded), orientation))
}

/// Cameras write 10, 12 or 14 bits into the low end of 16, and an image scaled by all 16 is then nearly black. The samples are
/// scaled by what the file declares as the largest value, or else by the fewest of those bits that hold the brightest sample;
/// what was done is said. A brightfield image has a bright background: one that uses a quarter of 16 bits at most is not one
/// of 16 bits.
fn fill_range(image: &mut DynamicImage, declared: Option<u16>) -> Option<String> {
    let most = match image {
        DynamicImage::ImageLuma16(p) => p.iter().copied().max(),
        DynamicImage::ImageRgb16(p) => p.iter().copied().max(),
        DynamicImage::ImageLumaA16(p) => p.pixels().map(|p| p[0]).max(),
        DynamicImage::ImageRgba16(p) => p.pixels().map(|p| p[0].max(p[1]).max(p[2])).max(),
        _ => None,
    }
    .filter(|m| *m > 0)?;
    // What is declared and exceeded is not a maximum.
    let declared = declared.filter(|d| *d >= most && *d < u16::MAX);
    let full = declared.or_else(|| [8, 10, 12, 14].into_iter().map(|bits| (1u16 << bits) - 1).find(|f| *f >= most))?;
    let scaled = |v: &mut u16| {
        let v16 = (u32::from(*v) * u32::from(u16::MAX) + u32::from(full) / 2) / u32::from(full);
        *v = u16::try_from(v16).unwrap_or(u16::MAX);
    };
    match image {
        DynamicImage::ImageLuma16(p) => p.iter_mut().for_each(scaled),
        DynamicImage::ImageRgb16(p) => p.iter_mut().for_each(scaled),
        DynamicImage::ImageLumaA16(p) => p.pixels_mut().for_each(|p| scaled(&mut p[0])),
        DynamicImage::ImageRgba16(p) => p.pixels_mut().for_each(|p| p.0[..3].iter_mut().for_each(scaled)),
        _ => {}
    }
    Some(format!(
        "the brightest of its 16-bit values is {most}: they were scaled by {full}{}",
        if declared.is_some() { ", which the file declares as the largest" } else { "" }
    ))
}

/// Alpha over white: a transparent border becomes background, as a slide's background is.
fn over_white(image: DynamicImage) -> RgbImage {
    if !image.color().has_alpha() {
        return image.into_rgb8();
    }
    let rgba = image.into_rgba8();
    let mut out = RgbImage::new(rgba.width(), rgba.height());
    for (to, from) in out.pixels_mut().zip(rgba.pixels()) {
        let a = u32::from(from[3]);
        for c in 0..3 {
            let v = (u32::from(from[c]) * a + 255 * (255 - a) + 127) / 255;
            to[c] = u8::try_from(v).unwrap_or(255);
        }
    }
    out
}

fn tiff_image(
    bytes: &[u8],
    limits: Limits,
    warnings: &mut Vec<String>,
) -> Result<(RgbImage, Orientation), DecodeError> {
    let bad = |e: tiff::TiffError| {
        let text = e.to_string();
        let cut = matches!(&e, tiff::TiffError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof);
        if cut { DecodeError::Truncated("TIFF") } else { damaged("TIFF", text) }
    };
    let mut bounds = tiff::decoder::Limits::default();
    bounds.decoding_buffer_size = usize::try_from(limits.memory).unwrap_or(usize::MAX);
    bounds.intermediate_buffer_size = bounds.decoding_buffer_size;
    let mut reader = tiff::decoder::Decoder::new(Cursor::new(bytes)).map_err(bad)?.with_limits(bounds.clone());
    let (w, h) = reader.dimensions().map_err(bad)?;
    check(u64::from(w), u64::from(h), 8, limits)?;
    if reader.more_images() {
        warnings.push("the TIFF has several pages; the first one was used".into());
    }
    let orientation = reader
        .find_tag_unsigned::<u16>(Tag::Orientation)
        .ok()
        .flatten()
        .and_then(|v| u8::try_from(v).ok())
        .and_then(Orientation::from_exif)
        .unwrap_or(Orientation::NoTransforms);
    const PALETTE: u16 = 3;
    if reader.find_tag_unsigned::<u16>(Tag::PhotometricInterpretation).map_err(bad)? == Some(PALETTE) {
        if reader.find_tag_unsigned::<u16>(Tag::BitsPerSample).map_err(bad)? != Some(8) {
            return Err(damaged("TIFF", "a palette of other than 8 bit; save it as RGB"));
        }
        let map = reader.get_tag_u16_vec(Tag::ColorMap).map_err(bad)?;
        return Ok((palette(bytes, bounds, &map, w, h)?, orientation));
    }
    // The largest value that a sample can have, where the file says so; one for all channels, or the largest of theirs.
    let most =
        reader.find_tag_unsigned_vec::<u16>(Tag::MaxSampleValue).ok().flatten().and_then(|v| v.into_iter().max());
    let decoder = image::codecs::tiff::TiffDecoder::new(Cursor::new(bytes)).map_err(|e| failed("TIFF", &e))?;
    let (image, _) = with_image("TIFF", decoder, limits, most, warnings)?;
    Ok((image, orientation))
}

/// No decoder at hand expands palettes: the indices are read as grey values, from a copy that says so, and looked up in
/// the colour map, which holds 256 reds, greens and blues of 16 bit.
fn palette(bytes: &[u8], limits: tiff::decoder::Limits, map: &[u16], w: u32, h: u32) -> Result<RgbImage, DecodeError> {
    let as_grey = grey_instead_of_palette(bytes).ok_or_else(|| damaged("TIFF", "a palette in a BigTIFF"))?;
    let bad = |e: tiff::TiffError| damaged("TIFF", e);
    let mut reader = tiff::decoder::Decoder::new(Cursor::new(&as_grey[..])).map_err(bad)?.with_limits(limits);
    let tiff::decoder::DecodingResult::U8(indices) = reader.read_image().map_err(bad)? else {
        return Err(damaged("TIFF", "a palette of more than 8 bit"));
    };
    let n = map.len() / 3;
    let value = |channel: usize, i: u8| map.get(channel * n + usize::from(i)).map_or(0, |v| v.to_be_bytes()[0]);
    let pixels = indices.iter().flat_map(|&i| [value(0, i), value(1, i), value(2, i)]).collect();
    RgbImage::from_raw(w, h, pixels).ok_or(DecodeError::Truncated("TIFF"))
}

/// A copy of a classic TIFF whose first directory says "black is zero" (1) where it said "palette" (3).
fn grey_instead_of_palette(bytes: &[u8]) -> Option<Vec<u8>> {
    const PHOTOMETRIC: u16 = 262;
    let little = bytes.starts_with(b"II*\0");
    if !little && !bytes.starts_with(b"MM\0*") {
        return None;
    }
    let short = |at: usize| {
        let b: [u8; 2] = bytes.get(at..at + 2)?.try_into().ok()?;
        Some(if little { u16::from_le_bytes(b) } else { u16::from_be_bytes(b) })
    };
    let first: [u8; 4] = bytes.get(4..8)?.try_into().ok()?;
    let directory = usize::try_from(if little { u32::from_le_bytes(first) } else { u32::from_be_bytes(first) }).ok()?;
    let entries = usize::from(short(directory)?);
    // An entry has 12 bytes: tag, type, count, value; a short value lies at its start.
    let entry = (0..entries).map(|i| directory + 2 + 12 * i).find(|&at| short(at) == Some(PHOTOMETRIC))?;
    let mut copy = bytes.to_vec();
    let value = if little { 1u16.to_le_bytes() } else { 1u16.to_be_bytes() };
    copy.get_mut(entry + 8..entry + 10)?.copy_from_slice(&value);
    Some(copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alpha_lies_over_white() {
        let rgba = image::RgbaImage::from_raw(2, 1, vec![10, 20, 30, 0, 100, 100, 100, 128]).expect("raw");
        let rgb = over_white(DynamicImage::ImageRgba8(rgba));
        assert_eq!(rgb.get_pixel(0, 0).0, [255, 255, 255]);
        assert_eq!(rgb.get_pixel(1, 0).0, [177, 177, 177]);
    }

    #[test]
    fn a_jpeg_ends_where_its_first_image_does() {
        let mut bytes = Vec::new();
        let image = RgbImage::from_fn(40, 30, |x, y| image::Rgb([x.to_le_bytes()[0] * 6, y.to_le_bytes()[0] * 8, 90]));
        image.write_to(&mut Cursor::new(&mut bytes), image::ImageFormat::Jpeg).expect("encoded");
        let n = bytes.len();
        assert_eq!(first_jpeg(&bytes).1, Some(n));
        let whole = decode(&bytes, Limits::default()).expect("whole").image;
        // A film behind it that holds markers of its own; a second image that is cut off.
        let mut film = bytes.clone();
        film.extend((0..20_000u32).map(|i| if i % 7 == 0 { 0xff } else { (i * 37).to_le_bytes()[0] }));
        film.extend([0xff, 0xda, 0, 1]);
        let mut second = bytes.clone();
        second.extend_from_slice(&bytes[..n / 2]);
        for more in [film, second] {
            assert_eq!(first_jpeg(&more).1, Some(n));
            assert_eq!(decode(&more, Limits::default()).expect("with a trailer").image, whole);
        }
        // A preview with an end of its own inside a segment is not the image's end.
        let mut preview = vec![0xff, 0xd8, 0xff, 0xe1, 0, 12];
        preview.extend([0xff, 0xd8, 0xff, 0xda, 0, 2, 1, 2, 0xff, 0xd9]);
        preview.extend_from_slice(&bytes[2..]);
        assert_eq!(first_jpeg(&preview).1, Some(preview.len()));
        assert_eq!(first_jpeg(&preview[..preview.len() - 2]).1, None);
        // Kinds that are not read say so.
        for (marker, word) in [(0xc3, "lossless"), (0xc9, "arithmetic"), (0xf7, "JPEG-LS")] {
            let mut other = bytes.clone();
            let frame = other.windows(2).position(|w| w == [0xff, 0xc0]).expect("a frame");
            other[frame + 1] = marker;
            let why = decode(&other, Limits::default()).expect_err("not read").to_string();
            assert!(why.contains(word) && why.contains("save it as PNG"), "{why}");
        }
    }

    #[test]
    fn twelve_bits_in_sixteen_are_scaled_and_it_is_said() {
        let of = |full: u32, declared: Option<u16>| {
            let v = |x: u32| u16::try_from(x * full / 100).expect("fits");
            let deep = image::ImageBuffer::from_fn(101, 1, |x, _| image::Rgb([v(x), v(100 - x), v(x / 2)]));
            let mut image = DynamicImage::ImageRgb16(deep);
            let said = fill_range(&mut image, declared);
            (image.into_rgb8(), said)
        };
        let right = of(65_535, None);
        assert_eq!(right.1, None);
        for bits in [8, 10, 12, 14] {
            let (image, said) = of((1 << bits) - 1, None);
            let far = image.iter().zip(right.0.iter()).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(far <= Some(1), "{bits}: {far:?}");
            assert!(said.expect("said").contains(&((1u32 << bits) - 1).to_string()));
        }
        // Declared, and dimmer than it could be: the file's own word.
        let (image, said) = of(2000, Some(4095));
        assert!(image.iter().max() == Some(&125) && said.expect("said").contains("declares"));
    }

    #[test]
    fn bounds_hold_before_anything_is_allocated() {
        let limits = Limits::default();
        assert!(matches!(check(100_000, 100_000, 3, limits), Err(DecodeError::TooLarge { .. })));
        assert!(matches!(check(20_000, 20_000, 3, limits), Err(DecodeError::TooLarge { .. })));
        assert!(check(4000, 3000, 8, limits).is_ok());
    }
}
