//! How much a pixel looks like a nucleus, and Otsu's method for three classes.
//!
//! The score is integer arithmetic, so a threshold falls at the same place on every machine.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "bytes, fixed point and pixel counts, in bounds"
)]

use super::light::Light;
use super::plane::Plane;
use image::RgbImage;

/// Where the bright background goes after balancing.
pub(super) const WHITE: f32 = 235.0;

/// A pixel whose brightest channel is below this, balanced, was never lit.
pub(super) const BLACK: i16 = 28;

/// Gaussian of sigma 1.2, nine taps of 1/256 (OpenCV's own size for 8-bit images and that sigma).
const KERNEL: [u16; 9] = [0, 4, 21, 61, 84, 61, 21, 4, 0];

/// The three channels of an image apart: what a processor's vector units want.
pub(super) struct Channels {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Red, green, blue; row by row.
    pub(super) planes: [Vec<u8>; 3],
}

/// Smooths each channel; the border is mirrored without repeating the edge, as OpenCV does.
pub(super) fn soften(image: &RgbImage) -> Channels {
    let (w, h) = (image.width() as usize, image.height() as usize);
    let raw = image.as_raw();
    let stride = w * 3;
    let mirror = |i: isize, n: usize| -> usize {
        let n = n.cast_signed();
        let i = if i < 0 { -i } else { i };
        (if i >= n { 2 * (n - 1) - i } else { i }).clamp(0, n - 1).cast_unsigned()
    };
    let mut planes: [Vec<u8>; 3] = std::array::from_fn(|_| vec![0; w * h]);
    let mut down = vec![0u16; stride];
    let (mut line, mut across) = (vec![0u16; w + 6], vec![0u16; w]);
    for y in 0..h {
        down.fill(128);
        // Seven taps matter: the outer two of nine round to nothing.
        for (k, &weight) in KERNEL.iter().enumerate().take(8).skip(1) {
            let from = mirror(y.cast_signed() + k.cast_signed() - 4, h) * stride;
            for (d, &v) in down.iter_mut().zip(&raw[from..from + stride]) {
                *d += weight * u16::from(v);
            }
        }
        for (c, plane) in planes.iter_mut().enumerate() {
            for (l, pixel) in line[3..].iter_mut().zip(down.chunks_exact(3)) {
                *l = pixel[c] >> 8;
            }
            for i in 1..=3usize {
                line[3 - i] = line[3 + mirror(-i.cast_signed(), w)];
                line[w + 2 + i] = line[3 + mirror(w.cast_signed() - 1 + i.cast_signed(), w)];
            }
            across.fill(128);
            for (k, &weight) in KERNEL.iter().enumerate().take(8).skip(1) {
                for (a, &v) in across.iter_mut().zip(&line[k - 1..]) {
                    *a += weight * v;
                }
            }
            for (o, a) in plane[y * w..(y + 1) * w].iter_mut().zip(&across) {
                *o = a.to_be_bytes()[0];
            }
        }
    }
    Channels { width: w, height: h, planes }
}

/// The nuclear score of each pixel of a softened image, 0..=255: magenta, absorbing green, bluer than red.
pub(super) fn nuclear_score(soft: &Channels, light: &Light) -> Plane<u8> {
    let (w, h) = (soft.width, soft.height);
    let mut out = Plane::filled(w, h, 0u8);
    each_row(soft, light, |y, [r, g, b], [gr, gg, gb]| {
        let scores = &mut out.data[y * w..(y + 1) * w];
        for i in 0..w {
            scores[i] = score_of([r[i], g[i], b[i]], [gr[i], gg[i], gb[i]]);
        }
    });
    out
}

/// The balanced values of each pixel, 0..=255, row by row.
pub(super) fn each_level(soft: &Channels, light: &Light, mut each: impl FnMut([i16; 3])) {
    each_row(soft, light, |_, rows, gains| {
        for i in 0..soft.width {
            each(std::array::from_fn(|c| level(rows[c][i], gains[c][i])));
        }
    });
}

/// Hands out each row's three channels with their gains, 4.12 fixed point.
fn each_row(soft: &Channels, light: &Light, mut each: impl FnMut(usize, [&[u8]; 3], [&[u16]; 3])) {
    let (w, h) = (soft.width, soft.height);
    let even = matches!(light, Light::Even(_));
    let mut gains: [Vec<u16>; 3] = std::array::from_fn(|_| vec![0; w]);
    light.gains(WHITE, w, h, |y, factors| {
        if y == 0 || !even {
            for (gain, factors) in gains.iter_mut().zip(factors) {
                for (g, &factor) in gain.iter_mut().zip(factors) {
                    // White is at least 60, so the factor is below 4: 4.12 fixed point, in steps of 1/256.
                    let fixed = ((256.0 * factor + 0.5) as i32 * 16) as u16;
                    *g = fixed;
                }
            }
        }
        let row = y * w..(y + 1) * w;
        each(y, std::array::from_fn(|c| &soft.planes[c][row.clone()]), std::array::from_fn(|c| &gains[c][..w]));
    });
}

/// A channel's value, balanced.
#[inline]
fn level(v: u8, gain: u16) -> i16 {
    ((((u32::from(v) << 4) * u32::from(gain)) >> 16) as u16).min(255) as i16
}

/// `1.6·clip((r+b)/2−g, 0, 120) + 0.6·(255−g) + 0.4·clip(b−r, −60, 60)` of the balanced values, 400 → 255, in 16-bit
/// integers so that eight or sixteen pixels fit a vector.
#[inline]
fn score_of(rgb: [u8; 3], gains: [u16; 3]) -> u8 {
    let (r, g, b) = (level(rgb[0], gains[0]), level(rgb[1], gains[1]), level(rgb[2], gains[2]));
    // Black is not a stain but no light: a turned image's corners, the edge of the field of view.
    if r.max(g).max(b) < BLACK {
        return 0;
    }
    let tenfold = 8 * (r + b - 2 * g).clamp(0, 240) + 6 * (255 - g) + 4 * (b - r).clamp(-60, 60);
    // ·255/4000 as a product and a shift: never more than one off (a test).
    ((u32::from(tenfold.max(0).cast_unsigned()) * 16_712) >> 18) as u8
}

/// Otsu's method for three classes (Otsu 1979, the multi-threshold form): both cuts; a value above a cut is in the
/// higher class.
pub(super) fn two_thresholds(histogram: &[u32; 256]) -> (usize, usize) {
    let total: f64 = histogram.iter().map(|&c| f64::from(c)).sum::<f64>().max(1.0);
    let (mut w, mut s) = ([0f64; 257], [0f64; 257]);
    for i in 0..256 {
        let p = f64::from(histogram[i]) / total;
        w[i + 1] = w[i] + p;
        s[i + 1] = s[i] + p * i as f64;
    }
    let part = |weight: f64, sum: f64, least: f64| if weight > least { sum * sum / weight } else { 0.0 };
    let (mut best, mut cuts) = (-1.0, (0, 0));
    for a in 1..255 {
        let low = part(w[a], s[a], 0.0);
        for b in a + 1..256 {
            let between = low + part(w[b] - w[a], s[b] - s[a], 1e-9) + part(w[256] - w[b], s[256] - s[b], 1e-9);
            if between > best {
                (best, cuts) = (between, (a - 1, b - 1));
            }
        }
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_heaps_are_cut_between() {
        let mut h = [0u32; 256];
        for (centre, n) in [(20usize, 900), (100, 300), (200, 60)] {
            for d in 0..9 {
                h[centre + d] = n;
            }
        }
        let (a, b) = two_thresholds(&h);
        assert!((28..100).contains(&a) && (108..200).contains(&b), "{a} {b}");
    }

    #[test]
    fn a_flat_image_stays_flat_when_softened() {
        let soft = soften(&RgbImage::from_pixel(17, 9, image::Rgb([200, 3, 77])));
        for (plane, v) in soft.planes.iter().zip([200, 3, 77]) {
            assert!(plane.iter().all(|p| *p == v));
        }
    }

    #[test]
    fn the_score_is_the_formula() {
        for t in 0i64..=3690 {
            assert!(((t * 16_712) >> 18) - t * 255 / 4000 <= 1);
        }
        // By hand for a nucleus under a white of 235 (gain 1): 8·(90+140−80) + 6·215 + 4·50 = 2690 → 171.
        assert_eq!(score_of([90, 40, 140], [4096; 3]), 171);
        assert_eq!(score_of([255, 255, 255], [4096; 3]), 0);
        assert_eq!(score_of([9, 9, 9], [4096; 3]), 0);
    }

    #[test]
    fn purple_scores_and_pink_does_not() {
        let colours = [image::Rgb([90, 40, 140]), image::Rgb([230, 180, 190])];
        let scores =
            colours.map(|c| nuclear_score(&soften(&RgbImage::from_pixel(8, 8, c)), &Light::Even([WHITE; 3])).data[0]);
        assert!(scores[0] > 130 && scores[1] < 70, "{scores:?}");
    }
}
