//! A heat map over an image: colours that everybody can tell apart, mixed in where the heat is.

#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small map and a handful of colours")]

use super::resample::read_square;
use crate::domain::Square;
use image::RgbImage;

/// How much of the heat's colour is seen unless the user says otherwise.
pub const HEAT_OPACITY: f32 = 0.6;

/// Stops of "viridis" (matplotlib, CC0), dark to light: as a scale of one quantity it reads right for colour-blind eyes too.
const SCALE: [[f32; 3]; 6] = [
    [68.0, 1.0, 84.0],
    [65.0, 68.0, 135.0],
    [42.0, 120.0, 142.0],
    [34.0, 168.0, 132.0],
    [122.0, 209.0, 81.0],
    [253.0, 231.0, 37.0],
];

/// The colour of a value, 0..=1.
pub fn heat_colour(value: f32) -> [f32; 3] {
    let at = value.clamp(0.0, 1.0) * (SCALE.len() - 1) as f32;
    let i = (at as usize).min(SCALE.len() - 2);
    let share = at - i as f32;
    std::array::from_fn(|c| SCALE[i][c] * (1.0 - share) + SCALE[i + 1][c] * share)
}

/// A value of a map `side` × `side` between its places, bilinear; `x` and `y` are shares of the square, 0..=1.
pub fn heat_at(values: &[f32], side: usize, x: f32, y: f32) -> f32 {
    if side == 0 || values.len() != side * side {
        return 0.0;
    }
    let place = |v: f32| (v.clamp(0.0, 1.0) * side as f32 - 0.5).clamp(0.0, (side - 1) as f32);
    let (px, py) = (place(x), place(y));
    let (x0, y0) = (px as usize, py as usize);
    let (x1, y1) = ((x0 + 1).min(side - 1), (y0 + 1).min(side - 1));
    let (fx, fy) = (px - x0 as f32, py - y0 as f32);
    let row = |y: usize| values[y * side + x0] * (1.0 - fx) + values[y * side + x1] * fx;
    row(y0) * (1.0 - fy) + row(y1) * fy
}

/// The square of a cell, `size` pixels a side, with its heat over it. Opacity 0..=1 is how much of the colour is seen where
/// the heat is highest; where there is none the image stays as it is.
pub fn heat_overlay(
    image: &RgbImage,
    square: Square,
    values: &[f32],
    side: usize,
    size: u32,
    opacity: f32,
) -> RgbImage {
    let base = read_square(image, square, size as usize, [255.0; 3]);
    let mut bytes = Vec::with_capacity(base.len());
    for (i, pixel) in base.chunks_exact(3).enumerate() {
        let (x, y) = (i as u32 % size, i as u32 / size);
        let heat = heat_at(values, side, (x as f32 + 0.5) / size as f32, (y as f32 + 0.5) / size as f32);
        let share = opacity.clamp(0.0, 1.0) * heat;
        let colour = heat_colour(heat);
        bytes.extend((0..3).map(|c| (pixel[c] * (1.0 - share) + colour[c] * share).round().clamp(0.0, 255.0) as u8));
    }
    RgbImage::from_raw(size, size, bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heat_is_seen_where_it_is_and_nothing_elsewhere() {
        let image = RgbImage::from_pixel(40, 40, image::Rgb([200, 200, 200]));
        let square = Square { x: 0.0, y: 0.0, side: 40.0 };
        let out = heat_overlay(&image, square, &[1.0, 0.0, 0.0, 0.0], 2, 40, 1.0);
        assert_eq!(out.get_pixel(2, 2).0, [253, 231, 37]);
        assert_eq!(out.get_pixel(38, 38).0, [200, 200, 200]);
        assert_eq!(heat_overlay(&image, square, &[1.0; 4], 2, 40, 0.0).get_pixel(9, 9).0, [200, 200, 200]);
        assert!((heat_at(&[0.0, 1.0, 0.0, 1.0], 2, 0.5, 0.3) - 0.5).abs() < 1e-6);
        assert!((heat_at(&[], 0, 0.5, 0.5)).abs() < 1e-6);
    }
}
