//! The square that the model sees: where it lies, how it is cut and balanced, and the tensor made of it.
//!
//! Every number comes from the model's own description ([`CellPreprocessing`], [`TensorSpec`]); nothing about a
//! particular model is written here.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "pixel positions, a model's input size and bytes, in bounds"
)]

use super::find::FoundCell;
use super::resample::{read_square, resize_area};
use crate::domain::{CellPreprocessing, ResizeFilter, Square, TensorSpec, WholePreprocessing};
use image::RgbImage;

/// The square around a nucleus.
pub fn square_of(cell: &FoundCell, how: &CellPreprocessing) -> Square {
    let side = how.side_factor * cell.measure();
    Square { x: (cell.x - side / 2.0) as f32, y: (cell.y - side / 2.0) as f32, side: side as f32 }
}

/// The balanced square as an image, `size` pixels a side. Outside the image it is background.
pub fn cut_square(image: &RgbImage, square: Square, white: [f32; 3], how: &CellPreprocessing, size: usize) -> RgbImage {
    let mut values = read_square(image, square, size, white);
    let gain = if how.balanced { white.map(|w| how.white / w) } else { [1.0; 3] };
    for pixel in values.chunks_exact_mut(3) {
        for c in 0..3 {
            pixel[c] = (pixel[c].round_ties_even() * gain[c] + 0.5).clamp(0.0, 255.0).floor();
        }
    }
    let bytes = values.into_iter().map(|v| v as u8).collect();
    RgbImage::from_raw(size as u32, size as u32, bytes).unwrap_or_default()
}

/// The part of an image around a square, `around` times as wide, as far as the image goes; and its left and top edge.
pub fn cut_around(image: &RgbImage, square: Square, around: f32) -> (RgbImage, u32, u32) {
    let (x, y) = square.centre();
    let half = square.side * around / 2.0;
    let (w, h) = image.dimensions();
    let within = |v: f32, end: u32| v.clamp(0.0, end as f32) as u32;
    let (left, top) = (within((x - half).floor(), w), within((y - half).floor(), h));
    let (right, bottom) = (within((x + half).ceil(), w), within((y + half).ceil(), h));
    let size = (right.saturating_sub(left).max(1), bottom.saturating_sub(top).max(1));
    let (left, top) = (left.min(w.saturating_sub(1)), top.min(h.saturating_sub(1)));
    (image::imageops::crop_imm(image, left, top, size.0, size.1).to_image(), left, top)
}

/// The part of an image that a model of whole images sees.
pub(super) fn whole_part(image: &RgbImage, how: WholePreprocessing) -> Square {
    let (w, h) = (image.width() as f32, image.height() as f32);
    match how.crop {
        None => Square { x: 0.0, y: 0.0, side: w.max(h) },
        Some(share) => {
            let side = (w.min(h) * share as f32).round().max(1.0);
            Square { x: ((w - side) / 2.0).round(), y: ((h - side) / 2.0).round(), side }
        }
    }
}

/// The whole image as a model wants it, `size` pixels a side.
pub(super) fn whole(image: &RgbImage, how: WholePreprocessing, size: usize) -> RgbImage {
    let cut = how.crop.map(|_| {
        let part = whole_part(image, how);
        let side = part.side as u32;
        image::imageops::crop_imm(image, part.x as u32, part.y as u32, side, side).to_image()
    });
    let image = cut.as_ref().unwrap_or(image);
    let filter = match how.filter {
        ResizeFilter::Area => return stretch(image, size),
        ResizeFilter::Bilinear => image::imageops::FilterType::Triangle,
        ResizeFilter::Bicubic => image::imageops::FilterType::CatmullRom,
    };
    image::imageops::resize(image, size as u32, size as u32, filter)
}

/// The whole image stretched to a square of `size` pixels: by area averages where it shrinks, else bilinear.
pub fn stretch(image: &RgbImage, size: usize) -> RgbImage {
    let (w, h) = image.dimensions();
    if (w as usize) >= size && (h as usize) >= size {
        return resize_area(image, size, size);
    }
    image::imageops::resize(image, size as u32, size as u32, image::imageops::FilterType::Triangle)
}

/// Appends the tensor of an image that has the model's size already.
pub fn tensor(image: &RgbImage, spec: &TensorSpec, out: &mut Vec<f32>) {
    // 256 values a channel are computed once instead of one division a pixel.
    let tables: [[f32; 256]; 3] = std::array::from_fn(|c| {
        std::array::from_fn(|v| {
            let v = v as f32;
            (v - spec.mean[c]) / spec.std[c]
        })
    });
    let source = |c: usize| if spec.bgr { 2 - c } else { c };
    if spec.channels_first {
        for (c, table) in tables.iter().enumerate() {
            out.extend(image.as_raw().iter().skip(source(c)).step_by(3).map(|&v| table[usize::from(v)]));
        }
    } else {
        for p in image.as_raw().chunks_exact(3) {
            out.extend((0..3).map(|c| tables[c][usize::from(p[source(c)])]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_hold_the_same_numbers() {
        let image = RgbImage::from_fn(2, 2, |x, y| image::Rgb([10 + x as u8, 20 + y as u8, 30]));
        let mut spec = TensorSpec { size: 2, channels_first: true, bgr: false, mean: [0.0; 3], std: [1.0; 3] };
        let (mut chw, mut hwc) = (Vec::new(), Vec::new());
        tensor(&image, &spec, &mut chw);
        assert_eq!(chw, [10., 11., 10., 11., 20., 20., 21., 21., 30., 30., 30., 30.]);
        spec.channels_first = false;
        spec.bgr = true;
        tensor(&image, &spec, &mut hwc);
        assert_eq!(&hwc[..6], &[30., 20., 10., 30., 20., 11.]);
    }

    #[test]
    fn whole_images_are_stretched_or_cut_at_their_middle() {
        let image = RgbImage::from_fn(80, 40, |x, _| image::Rgb(if (20..60).contains(&x) { [200; 3] } else { [0; 3] }));
        let how = |crop| WholePreprocessing { crop, filter: ResizeFilter::Bilinear };
        assert_eq!(whole_part(&image, how(Some(0.5))), Square { x: 30.0, y: 10.0, side: 20.0 });
        assert!(whole(&image, how(Some(1.0)), 16).pixels().all(|p| p.0 == [200; 3]));
        let stretched = whole(&image, how(None), 16);
        assert_eq!((stretched.get_pixel(0, 8).0, stretched.get_pixel(8, 8).0), ([0; 3], [200; 3]));
    }

    #[test]
    fn outside_is_balanced_background() {
        let how = CellPreprocessing::OURS;
        let image = RgbImage::from_pixel(10, 10, image::Rgb([100, 110, 120]));
        let square = Square { x: -20.0, y: -20.0, side: 10.0 };
        let cut = cut_square(&image, square, [200.0, 210.0, 190.0], &how, 4);
        assert!(cut.pixels().all(|p| p.0 == [235, 235, 235]));
    }
}
