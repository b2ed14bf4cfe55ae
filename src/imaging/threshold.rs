//! How much a pixel looks like a nucleus, and Otsu's method for three classes.
//!
//! The score is integer arithmetic, so a threshold falls at the same place on every machine.

use super::light::Light;
use super::plane::Plane;
use image::RgbImage;

/// Where the bright background goes after balancing.
pub(super) const WHITE: f32 = 235.0;

/// Gaussian of sigma 1.2, nine taps of 1/256 (OpenCV's own size for 8-bit pictures and that sigma).
const KERNEL: [u16; 9] = [0, 4, 21, 61, 84, 61, 21, 4, 0];

/// Smooths each channel; the border is mirrored without repeating the edge, as OpenCV does.
pub(super) fn soften(picture: &RgbImage) -> RgbImage {
    let (w, h) = (picture.width() as usize, picture.height() as usize);
    if w < 2 || h < 2 {
        return picture.clone();
    }
    let raw = picture.as_raw();
    let stride = w * 3;
    let mirror = |i: isize, n: usize| -> usize {
        let n = n.cast_signed();
        let i = if i < 0 { -i } else { i };
        (if i >= n { 2 * (n - 1) - i } else { i }).clamp(0, n - 1).cast_unsigned()
    };
    // Seven taps matter: the outer two of nine round to nothing.
    let (mut down, mut across) = (vec![0u16; stride], vec![0u16; stride]);
    let mut padded = vec![0u8; stride + 18];
    let mut out = vec![0u8; raw.len()];
    for y in 0..h {
        down.fill(128);
        for (k, &weight) in KERNEL.iter().enumerate().take(8).skip(1) {
            let from = mirror(y.cast_signed() + k.cast_signed() - 4, h) * stride;
            for (d, &v) in down.iter_mut().zip(&raw[from..from + stride]) {
                *d += weight * u16::from(v);
            }
        }
        for (p, d) in padded[9..].iter_mut().zip(&down) {
            *p = d.to_be_bytes()[0];
        }
        for i in 1..=3 {
            let (left, right) = (mirror(-i, w), mirror(w.cast_signed() - 1 + i, w));
            for c in 0..3 {
                padded[9 + c - i.cast_unsigned() * 3] = down[left * 3 + c].to_be_bytes()[0];
                padded[9 + c + (w - 1 + i.cast_unsigned()) * 3] = down[right * 3 + c].to_be_bytes()[0];
            }
        }
        let row = &mut out[y * stride..(y + 1) * stride];
        across.fill(128);
        for (k, &weight) in KERNEL.iter().enumerate().take(8).skip(1) {
            for (a, &v) in across.iter_mut().zip(&padded[(k - 1) * 3..]) {
                *a += weight * u16::from(v);
            }
        }
        for (o, a) in row.iter_mut().zip(&across) {
            *o = a.to_be_bytes()[0];
        }
    }
    RgbImage::from_raw(picture.width(), picture.height(), out).unwrap_or_default()
}

/// The nuclear score of each pixel of a softened picture, 0..=255: magenta, absorbing green, bluer than red.
pub(super) fn nuclear_score(soft: &RgbImage, light: &Light) -> Plane<u8> {
    let (w, h) = (soft.width() as usize, soft.height() as usize);
    let mut out = Plane::filled(w, h, 0u8);
    let even = matches!(light, Light::Even(_));
    let mut gains: [Vec<u16>; 3] = std::array::from_fn(|_| vec![0; w]);
    let raw = soft.as_raw();
    light.rows(w, h, |y, whites| {
        if y == 0 || !even {
            for (gain, white) in gains.iter_mut().zip(whites) {
                for (g, &v) in gain.iter_mut().zip(white) {
                    // 8.8 fixed point; white is at least 60, so the gain is below 4.
                    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 1024")]
                    let fixed = (256.0 * WHITE / v + 0.5) as i32;
                    *g = u16::try_from(fixed).unwrap_or(1023);
                }
            }
        }
        let pixels = &raw[y * w * 3..(y + 1) * w * 3];
        let scores = &mut out.data[y * w..(y + 1) * w];
        let gains = gains[0].iter().zip(&gains[1]).zip(&gains[2]);
        for ((p, score), ((&gr, &gg), &gb)) in pixels.chunks_exact(3).zip(scores.iter_mut()).zip(gains) {
            let level = |v: u8, g: u16| ((u32::from(v) * u32::from(g)) >> 8).min(255).cast_signed();
            let (r, g, b) = (level(p[0], gr), level(p[1], gg), level(p[2], gb));
            // 1.6·clip((r+b)/2−g, 0, 120) + 0.6·(255−g) + 0.4·clip(b−r, −60, 60), times ten; 4000 → 255.
            let tenfold = 8 * (r + b - 2 * g).clamp(0, 240) + 6 * (255 - g) + 4 * (b - r).clamp(-60, 60);
            // ·255/4000 as a product and a shift: exact to the integer over the whole range.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0..=255 after the clamp")]
            let byte = ((tenfold.clamp(0, 4000) as u32 * 66_847) >> 20) as u8;
            *score = byte;
        }
    });
    out
}

/// Otsu's method for three classes (Otsu 1979, the multi-threshold form): both cuts; a value above a cut is in the
/// higher class.
#[expect(clippy::cast_precision_loss, reason = "pixel counts")]
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
    fn a_flat_picture_stays_flat_when_softened() {
        let picture = RgbImage::from_pixel(17, 9, image::Rgb([200, 3, 77]));
        assert_eq!(soften(&picture), picture);
    }

    #[test]
    fn purple_scores_and_pink_does_not() {
        let picture =
            RgbImage::from_fn(
                2,
                2,
                |x, _| if x == 0 { image::Rgb([90, 40, 140]) } else { image::Rgb([230, 180, 190]) },
            );
        let score = nuclear_score(&picture, &Light::Even([WHITE; 3]));
        assert!(score.data[0] > 130 && score.data[1] < 70, "{:?}", score.data);
    }
}
