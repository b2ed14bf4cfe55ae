//! What another microscope, stain and camera would have made of the same cell: seeded changes of a cut image.
//!
//! One reading of the image (turn, mirror, scale, shift, blur, all in one), then colours in optical density, then the
//! camera. The ranges are those of the issue of stain between laboratories, not of one dataset; no label is used.

#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "pixel positions")]

use crate::imaging::{Limits, RgbImage, decode, encode_jpeg};
use fastrand::Rng;
use serde::{Deserialize, Serialize};

/// How much is changed. 1 is the full range of each change, 0 none.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Augmentation {
    /// Turn by any angle, mirror, scale, shift.
    pub geometry: f32,
    /// Stain and camera.
    pub colour: f32,
    /// Edges through the image, and compression.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub file: f32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(v: &f32) -> bool {
    *v == 0.0
}

/// Scale of the image, smallest and largest.
const SCALE: (f32, f32) = (0.72, 1.3);
/// Shift, share of the side.
const SHIFT: f32 = 0.08;
/// Factor of the optical density, smallest and largest (Beer–Lambert: thickness and strength of the stain).
const DENSITY: (f32, f32) = (0.5, 1.7);
/// Standard deviation of the off-identity part of the 3 × 3 mixing of the density's channels.
const MIXING: f32 = 0.15;
/// Standard deviation of the turn of the density's colour circle, radians.
const HUE: f32 = 0.35;
/// Share of images made grey.
const GREY: f32 = 0.1;
/// Saturation, smallest and largest.
const SATURATION: (f32, f32) = (0.45, 1.5);
/// Gamma is e to the power of ± this.
const GAMMA: f32 = 0.35;
/// Down- and up-sampling: smallest share of the resolution that is left.
const RESOLUTION: f32 = 0.35;
/// Standard deviation of the noise at most, of 255.
const NOISE: f32 = 9.0;
/// Share of images with an edge through them, beyond which all is black or white: of a scan, of a turned or stitched image.
const EDGE: f32 = 0.1;
/// How far from the centre the edge is, share of the side.
const EDGE_AT: (f32, f32) = (0.22, 0.5);
/// Share of images that were compressed.
const COMPRESSED: f32 = 0.3;
/// Quality of the compression.
const QUALITY: (f32, f32) = (25.0, 90.0);

fn between(random: &mut Rng, (low, high): (f32, f32), strength: f32) -> f32 {
    // Factors are drawn evenly on a logarithmic scale, so that halving is as likely as doubling.
    let (l, h) = (low.ln() * strength, high.ln() * strength);
    (l + (h - l) * random.f32()).exp()
}

/// A normal deviate, by summing uniform ones (Irwin–Hall): bounded at ± 6, which is welcome here.
fn normal(random: &mut Rng) -> f32 {
    (0..12).map(|_| random.f32()).sum::<f32>() - 6.0
}

/// Changes a cut image (RGB bytes, `side` × `side`) into `out`, values 0..=255, NHWC. `white` is what lies outside.
pub fn augment(image: &[u8], side: usize, white: f32, how: Augmentation, random: &mut Rng, out: &mut [f32]) {
    read(image, side, white, how.geometry, random, out);
    if how.colour > 0.0 {
        colours(out, white, how.colour, random);
    }
    if how.file > 0.0 {
        if random.f32() < EDGE * how.file {
            edge(out, side, random);
        }
        if random.f32() < COMPRESSED * how.file {
            compressed(out, side, random);
        }
    }
}

/// Black (more seldom white) beyond a line at any angle.
fn edge(out: &mut [f32], side: usize, random: &mut Rng) {
    let (s, c) = (random.f32() * std::f32::consts::TAU).sin_cos();
    let middle = (side as f32 - 1.0) / 2.0;
    let at = (EDGE_AT.0 + (EDGE_AT.1 - EDGE_AT.0) * random.f32()) * side as f32;
    let beyond = if random.f32() < 0.7 { random.f32() * 12.0 } else { 255.0 };
    for (i, p) in out.chunks_exact_mut(3).enumerate() {
        let (x, y) = ((i % side) as f32 - middle, (i / side) as f32 - middle);
        if x * c + y * s > at {
            p.fill(beyond.round());
        }
    }
}

/// As JPEG writes and reads it.
fn compressed(out: &mut [f32], side: usize, random: &mut Rng) {
    let quality = (QUALITY.0 + (QUALITY.1 - QUALITY.0) * random.f32()) as u8;
    let bytes: Vec<u8> = out.iter().map(|v| v.clamp(0.0, 255.0).round() as u8).collect();
    let length = u32::try_from(side).unwrap_or(0);
    // Sizes that JPEG cannot hold stay as they are: no network sees a square of 65,536 pixels.
    let Some(image) = RgbImage::from_raw(length, length, bytes) else { return };
    if let Ok(Ok(read)) = encode_jpeg(&image, quality).map(|file| decode(&file, Limits::default())) {
        out.iter_mut().zip(read.image.as_raw()).for_each(|(o, v)| *o = f32::from(*v));
    }
}

/// Turn, mirror, scale and shift: bilinear, or averaged over the footprint where it shrinks.
fn read(image: &[u8], side: usize, white: f32, strength: f32, random: &mut Rng, out: &mut [f32]) {
    if strength <= 0.0 {
        out.iter_mut().zip(image).for_each(|(o, p)| *o = f32::from(*p));
        return;
    }
    let angle = random.f32() * std::f32::consts::TAU;
    let mirror = if random.bool() { -1.0 } else { 1.0 };
    let scale = between(random, SCALE, strength);
    let n = side as f32;
    let shift = |random: &mut Rng| (random.f32() * 2.0 - 1.0) * SHIFT * strength * n;
    let (dx, dy) = (shift(random), shift(random));
    let (s, c) = angle.sin_cos();
    let (middle, inverse) = ((n - 1.0) / 2.0, 1.0 / scale);
    let last = i32::try_from(side).unwrap_or(i32::MAX) - 1;
    let pixel = |x: i32, y: i32| -> [f32; 3] {
        if x < 0 || y < 0 || x > last || y > last {
            return [white; 3];
        }
        let p = &image[(y as usize * side + x as usize) * 3..][..3];
        [f32::from(p[0]), f32::from(p[1]), f32::from(p[2])]
    };
    for y in 0..side {
        for x in 0..side {
            let (u, v) = ((x as f32 - middle - dx) * inverse * mirror, (y as f32 - middle - dy) * inverse);
            let (sx, sy) = (c * u - s * v + middle, s * u + c * v + middle);
            let (fx, fy) = (sx.floor(), sy.floor());
            let (ix, iy) = (fx as i32, fy as i32);
            let (ax, ay) = (sx - fx, sy - fy);
            let (p, q, r, t) = (pixel(ix, iy), pixel(ix + 1, iy), pixel(ix, iy + 1), pixel(ix + 1, iy + 1));
            let o = &mut out[(y * side + x) * 3..][..3];
            for k in 0..3 {
                let top = p[k] + (q[k] - p[k]) * ax;
                let bottom = r[k] + (t[k] - r[k]) * ax;
                o[k] = top + (bottom - top) * ay;
            }
        }
    }
    // A coarser camera: shrink and enlarge again, for every second image.
    if random.bool() {
        let keep = between(random, (RESOLUTION, 1.0), strength);
        let small = ((n * keep).round() as usize).clamp(8, side);
        if small < side {
            let middle = resample(out, side, small);
            let large = resample(&middle, small, side);
            out.copy_from_slice(&large);
        }
    }
}

/// Resizes a square NHWC image: averages where it shrinks, bilinear where it grows; separable.
fn resample(image: &[f32], from: usize, to: usize) -> Vec<f32> {
    let ratio = from as f32 / to as f32;
    let weights: Vec<(usize, Vec<f32>)> = (0..to)
        .map(|i| {
            let centre = (i as f32 + 0.5) * ratio - 0.5;
            let half = ratio.max(1.0);
            let first = (centre - half).ceil().max(0.0) as usize;
            let last = ((centre + half).floor() as usize).min(from - 1);
            let w: Vec<f32> = (first..=last).map(|j| (1.0 - (j as f32 - centre).abs() / half).max(0.0)).collect();
            let sum: f32 = w.iter().sum::<f32>().max(1e-6);
            (first, w.into_iter().map(|v| v / sum).collect())
        })
        .collect();
    let mut rows = vec![0.0; to * from * 3];
    for ((first, w), row) in weights.iter().zip(rows.chunks_exact_mut(from * 3)) {
        for (k, w) in w.iter().enumerate() {
            let source = &image[(first + k) * from * 3..][..from * 3];
            row.iter_mut().zip(source).for_each(|(o, v)| *o += w * v);
        }
    }
    let mut out = vec![0.0; to * to * 3];
    for (row, out) in rows.chunks_exact(from * 3).zip(out.chunks_exact_mut(to * 3)) {
        for ((first, w), o) in weights.iter().zip(out.chunks_exact_mut(3)) {
            for (k, w) in w.iter().enumerate() {
                let p = &row[(first + k) * 3..][..3];
                o[0] += w * p[0];
                o[1] += w * p[1];
                o[2] += w * p[2];
            }
        }
    }
    out
}

/// Stain: the optical density against white is scaled, its channels mixed, its hue turned; camera: saturation, gamma,
/// brightness, noise.
fn colours(out: &mut [f32], white: f32, strength: f32, random: &mut Rng) {
    let density = between(random, DENSITY, strength);
    let mut matrix = turn_of_hue(normal(random) * HUE * strength);
    for row in &mut matrix {
        for v in row.iter_mut() {
            *v += normal(random) * MIXING * strength;
        }
    }
    let grey = random.f32() < GREY * strength;
    let saturation = if grey { 0.0 } else { between(random, SATURATION, strength) };
    let gamma = ((random.f32() * 2.0 - 1.0) * GAMMA * strength).exp();
    let brightness = 1.0 + (random.f32() * 2.0 - 1.0) * 0.06 * strength;
    let noise = if random.bool() { random.f32() * NOISE * strength } else { 0.0 };
    // Density and its inverse by table: the only transcendental functions a pixel would need.
    let white = white.max(1.0);
    let log: Vec<f32> = (0..=256).map(|v| -((v as f32).max(1.0) / white).ln()).collect();
    for p in out.chunks_exact_mut(3) {
        let d = [look(&log, p[0]), look(&log, p[1]), look(&log, p[2])];
        let mut mixed = [0f32; 3];
        for (m, row) in mixed.iter_mut().zip(&matrix) {
            *m = density * (row[0] * d[0] + row[1] * d[1] + row[2] * d[2]);
        }
        let mean = (mixed[0] + mixed[1] + mixed[2]) / 3.0;
        for (v, m) in p.iter_mut().zip(mixed) {
            let d = mean + (m - mean) * saturation;
            // Gamma on the share of light is a factor on its density.
            *v = white * brightness * fast_exp(-d * gamma);
        }
    }
    if noise > 0.0 {
        for v in out.iter_mut() {
            // Two uniform numbers are normal enough for a camera's noise.
            *v += (random.f32() + random.f32() - 1.0) * noise * 2.45;
        }
    }
    // Bytes, as every other image: what training sees is what a file could hold.
    out.iter_mut().for_each(|v| *v = v.clamp(0.0, 255.0).round());
}

fn look(table: &[f32], v: f32) -> f32 {
    let v = v.clamp(0.0, 255.0);
    let i = v as usize;
    table[i] + (table[i + 1] - table[i]) * (v - i as f32)
}

/// eˣ for −20..=5 as (1 + x/1024)^1024, by ten squarings; off by about x²/2048, which no augmentation notices.
fn fast_exp(x: f32) -> f32 {
    let mut v = 1.0 + x.clamp(-20.0, 5.0) / 1024.0;
    for _ in 0..10 {
        v *= v;
    }
    v
}

/// Rotation about the grey axis of a colour space.
fn turn_of_hue(angle: f32) -> [[f32; 3]; 3] {
    let (s, c) = angle.sin_cos();
    let (t, r) = ((1.0 - c) / 3.0, s / 3f32.sqrt());
    [[c + t, t - r, t + r], [t + r, c + t, t - r], [t - r, t + r, c + t]]
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: usize = 32;

    fn image() -> Vec<u8> {
        (0..SIDE * SIDE)
            .flat_map(|i| {
                let (x, y) = ((i % SIDE) as f32 - 15.5, (i / SIDE) as f32 - 15.5);
                if x * x + y * y < 60.0 { [90, 50, 140] } else { [235, 235, 235] }
            })
            .collect()
    }

    fn of(geometry: f32, colour: f32, seed: u64) -> Vec<f32> {
        let mut out = vec![0.0; SIDE * SIDE * 3];
        augment(
            &image(),
            SIDE,
            235.0,
            Augmentation { geometry, colour, file: 0.0 },
            &mut Rng::with_seed(seed),
            &mut out,
        );
        out
    }

    #[test]
    fn nothing_asked_nothing_changed_and_the_same_seed_gives_the_same_image() {
        assert!(of(0.0, 0.0, 1).iter().zip(image()).all(|(a, b)| *a == f32::from(b)));
        assert_eq!(of(1.0, 1.0, 7), of(1.0, 1.0, 7));
        assert_ne!(of(1.0, 1.0, 7), of(1.0, 1.0, 8));
    }

    #[test]
    fn the_cell_stays_dark_and_the_background_stays_light() {
        for seed in 0..200 {
            let out = of(1.0, 1.0, seed);
            assert!(out.iter().all(|v| (0.0..=255.0).contains(v)));
            let at = |x: usize, y: usize| out[(y * SIDE + x) * 3..][..3].iter().sum::<f32>() / 3.0;
            assert!(at(16, 16) + 10.0 < at(0, 0), "seed {seed}: {} {}", at(16, 16), at(0, 0));
        }
    }

    #[test]
    fn some_images_get_an_edge_and_some_are_compressed() {
        let plain = Augmentation { geometry: 0.0, colour: 0.0, file: 1.0 };
        let (mut edges, mut changed) = (0, 0);
        for seed in 0..400 {
            let mut out = vec![0.0; SIDE * SIDE * 3];
            augment(&image(), SIDE, 235.0, plain, &mut Rng::with_seed(seed), &mut out);
            assert!(out.iter().all(|v| (0.0..=255.0).contains(v)));
            let corners = [0, SIDE - 1, SIDE * (SIDE - 1), SIDE * SIDE - 1].map(|i| out[i * 3]);
            edges += usize::from(corners.iter().any(|v| *v < 60.0 || *v > 250.0));
            changed += usize::from(out.iter().zip(image()).any(|(a, b)| *a != f32::from(b)));
            // The nucleus is still there.
            assert!((out[(16 * SIDE + 16) * 3] - 90.0).abs() < 40.0, "seed {seed}");
        }
        assert!((20..=60).contains(&edges), "{edges} of 400 edges");
        assert!((110..=190).contains(&changed), "{changed} of 400 changed");
    }

    #[test]
    fn resampling_keeps_a_flat_image_flat() {
        let flat = vec![77.0; 20 * 20 * 3];
        for to in [7, 20, 33] {
            assert!(resample(&flat, 20, to).iter().all(|v| (v - 77.0).abs() < 1e-3));
        }
    }

    #[test]
    fn the_quick_exponential_is_close() {
        for i in -30..=10 {
            let x = i as f32 / 10.0;
            assert!((fast_exp(x) / x.exp() - 1.0).abs() < 6e-3, "{x}");
        }
    }
}
