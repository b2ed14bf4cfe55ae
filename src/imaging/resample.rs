//! Shrinking by exact area averages, bilinear reading with a constant outside, thumbnails.
//!
//! Fixed order of operations throughout, so that the same image gives the same numbers on every machine.
//! Area averaging is OpenCV's `INTER_AREA`: each output pixel is the mean over the source rectangle it covers,
//! border pixels by their covered part. The bundled model was trained through it, so it is part of its contract.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "pixel positions, weights and sizes, all far below where a cast loses"
)]

use crate::domain::Square;
use image::RgbImage;

/// The source span of one output pixel: first index and the weights from there (they sum to one).
struct Span {
    first: usize,
    weights: Vec<f32>,
}

fn spans(out: usize, scale: f64, offset: f64, source: usize) -> Vec<Span> {
    (0..out)
        .map(|i| {
            let (a, b) = ((i as f64 * scale + offset).max(0.0), ((i as f64 + 1.0) * scale + offset).min(source as f64));
            let (first, last) = ((a + 1e-9).floor() as usize, ((b - 1e-9).ceil() as usize).min(source));
            let first = first.min(source - 1);
            let weights: Vec<f64> = (first..last.max(first + 1))
                .map(|j| {
                    let j = j as f64;
                    ((j + 1.0).min(b) - j.max(a)).max(0.0)
                })
                .collect();
            let sum: f64 = weights.iter().sum();
            let weights = if sum > 0.0 { weights.iter().map(|w| (w / sum) as f32).collect() } else { vec![1.0] };
            Span { first, weights }
        })
        .collect()
}

/// Area-averages the part of `image` that output pixels `x0..x0+width`, `y0..y0+height` cover at `scale` source
/// pixels per output pixel.
pub(super) fn area_part(
    image: &RgbImage,
    scale: (f64, f64),
    (x0, y0): (usize, usize),
    (width, height): (usize, usize),
) -> RgbImage {
    let columns = spans(width, scale.0, x0 as f64 * scale.0, image.width() as usize);
    let rows = spans(height, scale.1, y0 as f64 * scale.1, image.height() as usize);
    let stride = image.width() as usize * 3;
    let raw = image.as_raw();
    // Rows first: adding whole rows is what a processor does fastest.
    let (Some(first), Some(last)) = (columns.first(), columns.last()) else { return RgbImage::new(0, 0) };
    let (from, to) = (first.first * 3, (last.first + last.weights.len()) * 3);
    // Where each column starts in a row's sums, how many weights it has, and where those lie.
    let mut all_weights: Vec<f32> = Vec::new();
    let mut flat = Vec::with_capacity(columns.len());
    for column in &columns {
        flat.push((column.first * 3 - from, column.weights.len(), all_weights.len()));
        all_weights.extend(&column.weights);
    }
    let mut sum = vec![0f32; to - from];
    let mut out = Vec::with_capacity(width * height * 3);
    for row in &rows {
        sum.fill(0.0);
        for (k, &weight) in row.weights.iter().enumerate() {
            let start = (row.first + k) * stride;
            for (s, &v) in sum.iter_mut().zip(&raw[start + from..start + to]) {
                *s += weight * f32::from(v);
            }
        }
        for &(at, n, weights) in &flat {
            let mut rgb = [0f32; 3];
            for (&weight, p) in all_weights[weights..weights + n].iter().zip(sum[at..].chunks_exact(3)) {
                rgb[0] += weight * p[0];
                rgb[1] += weight * p[1];
                rgb[2] += weight * p[2];
            }
            out.extend_from_slice(&rgb.map(round_u8));
        }
    }
    RgbImage::from_raw(width as u32, height as u32, out).unwrap_or_default()
}

fn round_u8(v: f32) -> u8 {
    (v + 0.5).clamp(0.0, 255.0) as u8
}

/// A copy whose longer side is at most `side` (never enlarged), and the scale copy/original.
pub fn fit_within(image: &RgbImage, side: u32) -> (RgbImage, f64) {
    let (w, h) = image.dimensions();
    let longer = w.max(h);
    if longer <= side || longer == 0 {
        return (image.clone(), 1.0);
    }
    let scale = f64::from(side) / f64::from(longer);
    let to = |n: u32| ((f64::from(n) * scale).round() as usize).max(1);
    (resize_area(image, to(w), to(h)), scale)
}

/// Area-averages the whole image to `width` × `height` (both at most the original's).
pub(super) fn resize_area(image: &RgbImage, width: usize, height: usize) -> RgbImage {
    let scale = (f64::from(image.width()) / width as f64, f64::from(image.height()) / height as f64);
    area_part(image, scale, (0, 0), (width, height))
}

/// Reads `size`×`size` values of the square, bilinearly, after shrinking by area where the square is much larger
/// than `size`; outside the image it is `outside`. Values 0..=255 as f32, pixel by pixel, RGB.
///
/// The mapping is OpenCV's `warpAffine` with `m = [s 0 size/2 - s·x; 0 s size/2 - s·y]`: output pixel (i, j) reads
/// the source at `((i - size/2)/s + x, (j - size/2)/s + y)`.
pub(super) fn read_square(image: &RgbImage, square: Square, size: usize, outside: [f32; 3]) -> Vec<f32> {
    let (cx, cy) = square.centre();
    let (mut cx, mut cy) = (f64::from(cx), f64::from(cy));
    let n = size as f64;
    let mut s = n / f64::from(square.side.max(1e-3));
    let shrunk;
    let mut view = image;
    if s < 0.6 {
        let f = s / 0.8;
        let (w, h) = (f64::from(image.width()), f64::from(image.height()));
        let half = f64::from(square.side) / 2.0;
        // Only the square's surroundings are shrunk; positions are those of the whole image shrunk by f.
        let bound = |v: f64, max: f64| v.clamp(0.0, max);
        let (full_w, full_h) = ((w * f).round().max(1.0), (h * f).round().max(1.0));
        let (x0, x1) = (bound(((cx - half) * f - 2.0).floor(), full_w), bound(((cx + half) * f + 3.0).ceil(), full_w));
        let (y0, y1) = (bound(((cy - half) * f - 2.0).floor(), full_h), bound(((cy + half) * f + 3.0).ceil(), full_h));
        if x1 <= x0 || y1 <= y0 {
            return outside.repeat(size * size);
        }
        let at = |v: f64| v as usize;
        shrunk = area_part(image, (1.0 / f, 1.0 / f), (at(x0), at(y0)), (at(x1 - x0), at(y1 - y0)));
        view = &shrunk;
        (cx, cy, s) = (cx * f - x0, cy * f - y0, s / f);
    }
    let (w, h) = (i64::from(view.width()), i64::from(view.height()));
    let raw = view.as_raw();
    let pixel = |x: i64, y: i64| -> [f32; 3] {
        if x < 0 || y < 0 || x >= w || y >= h {
            return outside;
        }
        let p = &raw[(y * w + x) as usize * 3..][..3];
        [f32::from(p[0]), f32::from(p[1]), f32::from(p[2])]
    };
    let positions = |c: f64| -> Vec<(i64, f32)> {
        (0..size)
            .map(|i| {
                let v = (i as f64 - n / 2.0) / s + c;
                (v.floor() as i64, (v - v.floor()) as f32)
            })
            .collect()
    };
    let (columns, rows) = (positions(cx), positions(cy));
    let mut out = Vec::with_capacity(size * size * 3);
    for &(y, fy) in &rows {
        for &(x, fx) in &columns {
            let (a, b, c, d) = (pixel(x, y), pixel(x + 1, y), pixel(x, y + 1), pixel(x + 1, y + 1));
            for k in 0..3 {
                let top = a[k] + (b[k] - a[k]) * fx;
                let bottom = c[k] + (d[k] - c[k]) * fx;
                out.push(top + (bottom - top) * fy);
            }
        }
    }
    out
}

/// A square of more pixels a side is not mirrored: nobody looks at its edge.
const LARGEST_MIRRORED: f32 = 8192.0;

/// A small image of a square, colours untouched; what lies outside the image is its mirror image, so that neither white nor
/// black blocks stand beside a cell at the edge.
pub fn thumbnail_of_square(image: &RgbImage, square: Square, size: u32) -> RgbImage {
    let (w, h) = (i64::from(image.width()), i64::from(image.height()));
    let inside =
        square.x >= 0.0 && square.y >= 0.0 && square.x + square.side <= w as f32 && square.y + square.side <= h as f32;
    let values = if inside || w == 0 || h == 0 || square.side > LARGEST_MIRRORED {
        read_square(image, square, size as usize, [255.0; 3])
    } else {
        let (left, top) = (square.x.floor() as i64, square.y.floor() as i64);
        let side = square.side.ceil() as u32 + 2;
        let mirrored = |v: i64, n: i64| {
            let v = v.rem_euclid(2 * n);
            (if v < n { v } else { 2 * n - 1 - v }) as u32
        };
        let whole = RgbImage::from_fn(side, side, |x, y| {
            *image.get_pixel(mirrored(left + i64::from(x), w), mirrored(top + i64::from(y), h))
        });
        let square = Square { x: square.x - left as f32, y: square.y - top as f32, side: square.side };
        read_square(&whole, square, size as usize, [255.0; 3])
    };
    RgbImage::from_raw(size, size, values.into_iter().map(round_u8).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn area_averages_are_exact() {
        // 3 → 2 columns: the middle one is shared. By hand: (0 + 30·½)/1.5 = 10, (30·½ + 90)/1.5 = 70.
        let image = RgbImage::from_raw(3, 1, vec![0, 0, 0, 30, 30, 30, 90, 90, 90]).expect("raw");
        assert_eq!(resize_area(&image, 2, 1).as_raw(), &[10, 10, 10, 70, 70, 70]);
    }

    #[test]
    fn a_square_on_the_pixels_reads_them_back() {
        let image = RgbImage::from_fn(8, 8, |x, y| image::Rgb([x as u8, y as u8, 7]));
        let square = Square { x: 2.0, y: 3.0, side: 4.0 };
        let values = read_square(&image, square, 4, [255.0; 3]);
        assert_eq!(&values[..3], &[2.0, 3.0, 7.0]);
        assert_eq!(&values[values.len() - 3..], &[5.0, 6.0, 7.0]);
        let outside = read_square(&image, Square { x: -50.0, y: -50.0, side: 4.0 }, 2, [9.0; 3]);
        assert!(outside.iter().all(|v| (v - 9.0).abs() < 1e-6));
    }

    #[test]
    fn beyond_the_edge_a_small_image_is_mirrored() {
        let image = RgbImage::from_fn(8, 8, |x, y| image::Rgb([10 * x as u8, 10 * y as u8, 7]));
        let small = thumbnail_of_square(&image, Square { x: -2.0, y: 6.0, side: 4.0 }, 4);
        let reds: Vec<u8> = (0..4).map(|x| small.get_pixel(x, 0).0[0]).collect();
        let greens: Vec<u8> = (0..4).map(|y| small.get_pixel(0, y).0[1]).collect();
        assert_eq!((reds, greens), (vec![10, 0, 0, 10], vec![60, 70, 70, 60]));
    }

    #[test]
    fn nothing_is_enlarged() {
        let image = RgbImage::new(10, 20);
        assert_eq!(fit_within(&image, 100).0.dimensions(), (10, 20));
        assert_eq!(fit_within(&image, 10).0.dimensions(), (5, 10));
    }
}
