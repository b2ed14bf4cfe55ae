//! The brightness of the empty background: one value for an image of one cell, a surface for a field.
//!
//! The surface is a grey-scale closing over dark things, smoothed. The closing's disc is approximated by an octagon
//! (two axis-parallel and two diagonal lines), whose minima and maxima cost the same whatever its size. Integers only.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "pixel positions, ranks and brightness, in bounds"
)]

use super::plane::Plane;
use super::resample::resize_area;
use image::RgbImage;

/// The least brightness that is believed to be background, so that a black frame does not blow the colours up.
const DARKEST_WHITE: f32 = 60.0;
/// Longer side of the copy on which the surface is computed.
const SURFACE_SIDE: usize = 48;

/// Per-channel percentile of the image's values, at least [`DARKEST_WHITE`]. Linear interpolation, as NumPy's default.
pub(super) fn white_level(image: &RgbImage, percentile: f64) -> [f32; 3] {
    let mut histograms = [[0u32; 256]; 3];
    // Whole rows are left out of large images: a hundred thousand pixels know the percentile to a fraction of a level.
    let every = (image.width() as usize * image.height() as usize / 100_000).max(1);
    for row in image.rows().step_by(every) {
        for p in row {
            for c in 0..3 {
                histograms[c][usize::from(p[c])] += 1;
            }
        }
    }
    histograms.map(|h| self::percentile(&h, percentile).max(DARKEST_WHITE))
}

/// The value below which `percent` of the counted values lie (linear interpolation between ranks).
pub(super) fn percentile(histogram: &[u32; 256], percent: f64) -> f32 {
    let n: u64 = histogram.iter().map(|&c| u64::from(c)).sum();
    if n == 0 {
        return 0.0;
    }
    let rank = (n - 1) as f64 * percent / 100.0;
    let value_at = |k: u64| {
        let mut seen = 0;
        histogram
            .iter()
            .position(|&c| {
                seen += u64::from(c);
                seen > k
            })
            .unwrap_or(255) as f64
    };
    let (a, b) = (value_at(rank.floor() as u64), value_at(rank.ceil() as u64));
    (a + (b - a) * rank.fract()) as f32
}

/// The background's brightness over an image.
#[derive(Debug, Clone)]
pub(super) enum Light {
    /// The same everywhere.
    Even([f32; 3]),
    /// A smooth surface, three channels on a coarse grid, and the image's size that it covers.
    Surface { grid: [Plane<u8>; 3], width: f32, height: f32 },
}

impl Light {
    /// The brightness at a point of the image (pixels), bilinear between the grid's cell centres.
    pub(super) fn at(&self, x: f32, y: f32) -> [f32; 3] {
        match self {
            Self::Even(white) => *white,
            Self::Surface { grid, width, height } => std::array::from_fn(|c| {
                let g = &grid[c];
                let (x0, x1, fx) = between(x, *width, g.width);
                let (y0, y1, fy) = between(y, *height, g.height);
                let v = |x: usize, y: usize| f32::from(g.data[y * g.width + x]);
                let top = v(x0, y0) + (v(x1, y0) - v(x0, y0)) * fx;
                let bottom = v(x0, y1) + (v(x1, y1) - v(x0, y1)) * fx;
                (top + (bottom - top) * fy).max(DARKEST_WHITE)
            }),
        }
    }

    /// What brings the background to `target`, over a copy of the image with `width` × `height` pixels, row after row:
    /// `each` is given the row number and three rows of factors. Between the grid's cells it is the factors that are
    /// interpolated, which needs no division a pixel.
    pub(super) fn gains(&self, target: f32, width: usize, height: usize, mut each: impl FnMut(usize, &[Vec<f32>; 3])) {
        match self {
            Self::Even(white) => {
                let row = white.map(|w| vec![target / w; width]);
                (0..height).for_each(|y| each(y, &row));
            }
            Self::Surface { grid, .. } => {
                let places = |n: usize, cells: usize| -> Vec<(usize, usize, f32)> {
                    (0..n).map(|i| between((i as f32 + 0.5) / n as f32, 1.0, cells)).collect()
                };
                let (columns, rows) = (places(width, grid[0].width), places(height, grid[0].height));
                let mut row: [Vec<f32>; 3] = std::array::from_fn(|_| vec![0.0; width]);
                let mut line = vec![0f32; grid[0].width];
                for (y, &(y0, y1, fy)) in rows.iter().enumerate() {
                    for (g, row) in grid.iter().zip(&mut row) {
                        for ((l, &a), &b) in line.iter_mut().zip(g.row(y0)).zip(g.row(y1)) {
                            let white = f32::from(a) + (f32::from(b) - f32::from(a)) * fy;
                            *l = target / white.max(DARKEST_WHITE);
                        }
                        for (v, &(x0, x1, fx)) in row.iter_mut().zip(&columns) {
                            *v = line[x0] + (line[x1] - line[x0]) * fx;
                        }
                    }
                    each(y, &row);
                }
            }
        }
    }
}

/// Neighbours on a grid of `n` cells for position `at` of `extent`, and the share of the second.
fn between(at: f32, extent: f32, n: usize) -> (usize, usize, f32) {
    let p = (at / extent * n as f32 - 0.5).clamp(0.0, (n - 1) as f32);
    let i = p.floor() as usize;
    (i, (i + 1).min(n - 1), p.fract())
}

/// The illumination surface of a field.
/// `work` is a copy of it, `width` × `height` the size of the image itself, in whose pixels [`Light::at`] is asked.
pub(super) fn illumination(work: &RgbImage, (width, height): (f64, f64), floor: [f32; 3]) -> Light {
    let (w, h) = (work.width() as usize, work.height() as usize);
    let longer = w.max(h);
    let side = SURFACE_SIDE.min(longer);
    let (gw, gh) = ((w * side / longer).max(1), (h * side / longer).max(1));
    let small = resize_area(work, gw, gh);
    let k = 2 * (gw.min(gh) / 4) + 1;
    let grid = std::array::from_fn(|c| {
        let plane = Plane { width: gw, height: gh, data: small.pixels().map(|p| p[c]).collect() };
        let padded = pad(&plane, k);
        let closed = octagon(&octagon(&padded, k, u8::max), k, u8::min);
        // A Gaussian of k/3, as three box means of the same variance.
        let mut out = (0..3).fold(crop(&closed, k, gw, gh), |p, _| box_mean(&p, k / 3));
        let least = (0.55 * floor[c]) as u8;
        for v in &mut out.data {
            *v = (*v).max(least);
        }
        out
    });
    Light::Surface { grid, width: width as f32, height: height as f32 }
}

fn pad(plane: &Plane<u8>, by: usize) -> Plane<u8> {
    let mut out = Plane::filled(plane.width + 2 * by, plane.height + 2 * by, 0);
    let (ow, oh) = (out.width, out.height);
    for y in 0..oh {
        let row = plane.row(y.saturating_sub(by).min(plane.height - 1));
        for x in 0..ow {
            out.data[y * ow + x] = row[x.saturating_sub(by).min(plane.width - 1)];
        }
    }
    out
}

fn crop(plane: &Plane<u8>, by: usize, width: usize, height: usize) -> Plane<u8> {
    let data = (by..by + height).flat_map(|y| plane.row(y)[by..by + width].iter().copied()).collect();
    Plane { width, height, data }
}

/// Extremum over an octagon about `k` wide.
fn octagon(plane: &Plane<u8>, k: usize, pick: impl Fn(u8, u8) -> u8 + Copy) -> Plane<u8> {
    // A regular octagon of width k has sides k/(1+√2): the straight lines take that much, the diagonals the rest.
    let straight = ((k as f64 / (1.0 + std::f64::consts::SQRT_2)) as usize) | 1;
    let diagonal = ((k - straight) / 2) | 1;
    let mut out = plane.clone();
    let (w, h) = (plane.width, plane.height);
    let (mut line, mut scratch) = (Vec::new(), [Vec::new(), Vec::new()]);
    for (dx, dy, length) in [(1isize, 0isize, straight), (0, 1, straight), (1, 1, diagonal), (1, -1, diagonal)] {
        let step = dy * w.cast_signed() + dx;
        for (x, y) in line_starts(w, h, dx, dy) {
            let across = if dx == 0 { usize::MAX } else { w - x };
            let down = match dy {
                0 => usize::MAX,
                1 => h - y,
                _ => y + 1,
            };
            let n = across.min(down);
            let start = (y * w + x).cast_signed();
            let place = |i: usize| (start + i.cast_signed() * step).cast_unsigned();
            line.clear();
            line.extend((0..n).map(|i| out.data[place(i)]));
            running(&line, length, pick, &mut scratch, |i, v| out.data[place(i)] = v);
        }
    }
    out
}

fn line_starts(w: usize, h: usize, dx: isize, dy: isize) -> Vec<(usize, usize)> {
    match (dx, dy) {
        (1, 0) => (0..h).map(|y| (0, y)).collect(),
        (0, 1) => (0..w).map(|x| (x, 0)).collect(),
        (1, 1) => (0..w).map(|x| (x, 0)).chain((1..h).map(|y| (0, y))).collect(),
        _ => (0..w).map(|x| (x, h - 1)).chain((0..h - 1).map(|y| (0, y))).collect(),
    }
}

/// Extremum over a window of odd `length` around each position (shorter at the ends): van Herk's two passes.
fn running(
    line: &[u8],
    length: usize,
    pick: impl Fn(u8, u8) -> u8 + Copy,
    [forward, backward]: &mut [Vec<u8>; 2],
    mut put: impl FnMut(usize, u8),
) {
    let n = line.len();
    let r = length / 2;
    forward.clear();
    forward.extend_from_slice(line);
    backward.clear();
    backward.extend_from_slice(line);
    for block in forward.chunks_mut(length) {
        for i in 1..block.len() {
            block[i] = pick(block[i - 1], block[i]);
        }
    }
    for block in backward.chunks_mut(length) {
        for i in (1..block.len()).rev() {
            block[i - 1] = pick(block[i - 1], block[i]);
        }
    }
    for i in 0..n {
        let (a, b) = (i.saturating_sub(r), (i + r).min(n - 1));
        // A full window spans at most two blocks; a window shortened by an end starts or ends with a block.
        let v = if a == 0 {
            // The first block's running value may stop short of b, the second's starts where it stops.
            if b < length { forward[b] } else { pick(backward[a], forward[b]) }
        } else if b == n - 1 && a / length == b / length {
            backward[a]
        } else {
            pick(backward[a], forward[b])
        };
        put(i, v);
    }
}

/// Mean over a square of 2r+1, the border repeated; rows, then columns.
fn box_mean(plane: &Plane<u8>, r: usize) -> Plane<u8> {
    let (w, h) = (plane.width, plane.height);
    let mut out = plane.clone();
    // The line with its ends repeated; the quotient as a product, which rounds the same on every machine.
    let mut line: Vec<u32> = Vec::new();
    let size = 2 * r + 1;
    let inverse = (1u32 << 16) / u32::try_from(size).unwrap_or(1) + 1;
    let mut mean = |data: &mut [u8], start: usize, step: usize, n: usize| {
        line.clear();
        let at = |i: usize| u32::from(data[start + i.clamp(r, n - 1 + r).saturating_sub(r) * step]);
        line.extend((0..n + 2 * r).map(at));
        let mut sum: u32 = line[..size - 1].iter().sum();
        for i in 0..n {
            sum += line[i + size - 1];
            data[start + i * step] = u8::try_from((sum * inverse) >> 16).unwrap_or(255);
            sum -= line[i];
        }
    };
    (0..h).for_each(|y| mean(&mut out.data, y * w, 1, w));
    (0..w).for_each(|x| mean(&mut out.data, x, w, h));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_numpys() {
        let mut h = [0u32; 256];
        for v in [10usize, 20, 30, 40] {
            h[v] += 1;
        }
        // numpy.percentile([10, 20, 30, 40], 95) = 38.5; , 50) = 25.0 (NumPy 2.3)
        assert!((percentile(&h, 95.0) - 38.5).abs() < 1e-5);
        assert!((percentile(&h, 50.0) - 25.0).abs() < 1e-5);
    }

    proptest::proptest! {
        #[test]
        fn a_running_extremum_is_the_plain_one(line in proptest::collection::vec(0u8.., 1..60), half in 0usize..9) {
            let mut fast = vec![0; line.len()];
            running(&line, 2 * half + 1, u8::max, &mut [Vec::new(), Vec::new()], |i, v| fast[i] = v);
            for (i, v) in fast.into_iter().enumerate() {
                let window = &line[i.saturating_sub(half)..(i + half + 1).min(line.len())];
                proptest::prop_assert_eq!(Some(v), window.iter().copied().max());
            }
        }
    }

    #[test]
    fn a_dark_blob_is_closed_over_and_vignetting_stays() {
        let image = RgbImage::from_fn(200, 150, |x, y| {
            let bright = 220 - (x / 4).to_le_bytes()[0];
            let blob = x.abs_diff(100).pow(2) + y.abs_diff(75).pow(2) < 400;
            image::Rgb([if blob { 60 } else { bright }; 3])
        });
        let light = illumination(&image, (200.0, 150.0), [200.0; 3]);
        assert!((light.at(100.0, 75.0)[0] - 195.0).abs() < 12.0, "{:?}", light.at(100.0, 75.0));
        assert!(light.at(5.0, 75.0)[0] > light.at(195.0, 75.0)[0] + 20.0);
    }
}
