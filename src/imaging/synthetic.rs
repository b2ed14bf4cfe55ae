//! Draws a smear: red cells, platelets and white cells of the five classes, from a seed.
//!
//! For the demo and for tests that need images without a laboratory's. It looks like a Wright-Giemsa smear to a
//! person and to the finder; it is not data, and no model may be trained or judged on it.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "pixel positions and colours of a drawing"
)]

use image::{Rgb, RgbImage};

/// A white cell as it was drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct DrawnCell {
    /// Centre, pixels.
    pub x: f64,
    /// Centre, pixels.
    pub y: f64,
    /// Radius of the cell, pixels.
    pub radius: f64,
    /// Its class, in the words of the five-class model.
    pub class: &'static str,
}

/// A drawn field.
#[derive(Debug, Clone)]
pub struct Slide {
    pub image: RgbImage,
    pub cells: Vec<DrawnCell>,
}

/// Parts of a hundred of a healthy differential, a little enriched in the rare classes so that a demo shows them.
const MIX: [(&str, usize); 5] =
    [("neutrophil", 52), ("lymphocyte", 26), ("monocyte", 9), ("eosinophil", 8), ("basophil", 5)];

/// Radius of a red cell, pixels: 7.5 µm across at the drawn magnification.
const RED: f64 = 27.0;

/// Draws a field of `width` × `height` pixels with `count` white cells. At least one of each class from five cells on.
pub fn draw_slide(width: u32, height: u32, count: usize, seed: u64) -> Slide {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut canvas = Canvas::new(width, height, &mut rng);
    let (w, h) = (f64::from(width), f64::from(height));
    let mut cells = Vec::new();
    for i in 0..count {
        let class = MIX.get(i).map_or_else(|| pick(&mut rng), |m| m.0);
        let radius = RED
            * match class {
                "lymphocyte" => 1.12 + 0.2 * rng.f64(),
                "monocyte" => 1.85 + 0.25 * rng.f64(),
                "basophil" => 1.5 + 0.15 * rng.f64(),
                _ => 1.6 + 0.2 * rng.f64(),
            };
        // A free place; when the field is full the cell is left out.
        let place = (0..400)
            .map(|_| (radius * 1.3 + rng.f64() * (w - 2.6 * radius), radius * 1.3 + rng.f64() * (h - 2.6 * radius)))
            .find(|&(x, y)| cells.iter().all(|c: &DrawnCell| (c.x - x).hypot(c.y - y) > 1.6 * (c.radius + radius)));
        if let Some((x, y)) = place {
            cells.push(DrawnCell { x, y, radius, class });
        }
    }
    let mut reds: Vec<(f64, f64, f64)> = Vec::new();
    let wanted = (w * h / (RED * RED) / 7.0) as usize;
    for _ in 0..wanted * 6 {
        let (x, y, r) = (rng.f64() * w, rng.f64() * h, RED * (0.9 + 0.2 * rng.f64()));
        let free = reds.iter().all(|o| (o.0 - x).hypot(o.1 - y) > 0.93 * (o.2 + r))
            && cells.iter().all(|c| (c.x - x).hypot(c.y - y) > c.radius + 0.98 * r);
        if free && reds.len() < wanted {
            reds.push((x, y, r));
        }
    }
    for &(x, y, r) in &reds {
        canvas.red_cell(x, y, r, &mut rng);
    }
    for _ in 0..wanted / 9 {
        let (x, y, r) = (rng.f64() * w, rng.f64() * h, RED * (0.12 + 0.16 * rng.f64()));
        if cells.iter().all(|c| (c.x - x).hypot(c.y - y) > c.radius + 2.0 * r) {
            canvas.blob(x, y, r, r * 0.3, [150.0, 110.0, 175.0], 0.75);
        }
    }
    for cell in &cells {
        canvas.white_cell(cell, &mut rng);
    }
    Slide { image: canvas.finish(&mut rng), cells }
}

fn pick(rng: &mut fastrand::Rng) -> &'static str {
    let mut n = rng.usize(0..MIX.iter().map(|m| m.1).sum());
    for (class, share) in MIX {
        if n < share {
            return class;
        }
        n -= share;
    }
    MIX[0].0
}

struct Canvas {
    width: usize,
    height: usize,
    /// RGB, 0..=255.
    data: Vec<[f32; 3]>,
}

impl Canvas {
    fn new(width: u32, height: u32, rng: &mut fastrand::Rng) -> Self {
        let (w, h) = (width as usize, height as usize);
        let (px, py) = (rng.f32() * 6.0, rng.f32() * 6.0);
        let data = (0..w * h)
            .map(|i| {
                let (x, y) = ((i % w) as f32 / w as f32, (i / w) as f32 / h as f32);
                let shade = 3.0 * ((x * 3.0 + px).sin() + (y * 2.5 + py).cos());
                [236.0 + shade, 230.0 + shade, 233.0 + shade]
            })
            .collect();
        Self { width: w, height: h, data }
    }

    /// Paints where `cover(dx, dy)` (0..=1) is positive within `reach` of a point; the colour may depend on the place.
    fn paint(&mut self, x: f64, y: f64, reach: f64, mut ink: impl FnMut(f64, f64) -> ([f32; 3], f32)) {
        let range = |c: f64, n: usize| {
            let clamp = |v: f64| v.clamp(0.0, n as f64) as usize;
            clamp((c - reach).floor())..clamp((c + reach).ceil())
        };
        for py in range(y, self.height) {
            for px in range(x, self.width) {
                let (dx, dy) = (px as f64 - x, py as f64 - y);
                let (colour, cover) = ink(dx, dy);
                let pixel = &mut self.data[py * self.width + px];
                for c in 0..3 {
                    pixel[c] += (colour[c] - pixel[c]) * cover.clamp(0.0, 1.0);
                }
            }
        }
    }

    fn blob(&mut self, x: f64, y: f64, r: f64, soft: f64, colour: [f32; 3], strength: f32) {
        self.paint(x, y, r + soft, |dx, dy| (colour, strength * edge(dx.hypot(dy), r, soft)));
    }

    fn red_cell(&mut self, x: f64, y: f64, r: f64, rng: &mut fastrand::Rng) {
        let wobble = Wobble::new(0.05, rng);
        let (shade, pallor) = (rng.f32() * 8.0, 0.45 + 0.25 * rng.f32());
        self.paint(x, y, r * 1.15, |dx, dy| {
            let d = dx.hypot(dy) / (r * wobble.at(dx, dy));
            let pale = (1.0 - (d / 0.55).powi(2)).max(0.0) as f32 * pallor;
            let rim = [213.0 - shade, 158.0 - shade, 163.0 - shade];
            let colour = std::array::from_fn(|c| rim[c] + ([236.0, 224.0, 226.0][c] - rim[c]) * pale);
            (colour, 0.92 * edge(d * r, r, 2.2))
        });
    }

    fn white_cell(&mut self, cell: &DrawnCell, rng: &mut fastrand::Rng) {
        let r = cell.radius;
        let (x, y) = (cell.x, cell.y);
        let (cytoplasm, nucleus): ([f32; 3], [f32; 3]) = match cell.class {
            "lymphocyte" => ([176.0, 190.0, 228.0], [92.0, 58.0, 138.0]),
            "monocyte" => ([186.0, 186.0, 208.0], [128.0, 96.0, 164.0]),
            "eosinophil" => ([232.0, 190.0, 178.0], [104.0, 66.0, 146.0]),
            "basophil" => ([196.0, 170.0, 208.0], [112.0, 78.0, 152.0]),
            _ => ([234.0, 208.0, 216.0], [96.0, 60.0, 142.0]),
        };
        let outline = Wobble::new(if cell.class == "monocyte" { 0.07 } else { 0.035 }, rng);
        let grain = Grain::new(rng);
        self.paint(x, y, r * 1.2, |dx, dy| {
            let d = dx.hypot(dy) / outline.at(dx, dy);
            let n = grain.at(dx / 5.0, dy / 5.0) * 9.0;
            (cytoplasm.map(|c| c + n), 0.95 * edge(d, r, 3.0))
        });
        let turn = rng.f64() * std::f64::consts::TAU;
        let at = |angle: f64, d: f64| (x + d * (turn + angle).cos(), y + d * (turn + angle).sin());
        // Lobes as discs: centre and radius; together they are the nucleus.
        let lobes: Vec<(f64, f64, f64)> = match cell.class {
            "lymphocyte" => vec![(x + r * 0.06 * turn.cos(), y + r * 0.06 * turn.sin(), r * 0.84)],
            "monocyte" => (0i32..7)
                .map(|i| {
                    let (px, py) = at(f64::from(i - 3) * 0.42, r * 0.36);
                    (
                        px - r * 0.12 * turn.cos(),
                        py - r * 0.12 * turn.sin(),
                        r * (0.36 + 0.03 * f64::from(3 - (i - 3).abs())),
                    )
                })
                .collect(),
            "eosinophil" => vec![
                lobe(at(-0.85, r * 0.4), r * 0.36),
                lobe(at(0.85, r * 0.4), r * 0.36),
                lobe(at(0.0, r * 0.34), r * 0.12),
            ],
            "basophil" => vec![lobe(at(0.5, r * 0.2), r * 0.44), lobe(at(-0.9, r * 0.26), r * 0.4)],
            _ => {
                let n = 3 + rng.i32(0..2);
                let mut all = Vec::new();
                for i in 0..n {
                    let a = (f64::from(i) - f64::from(n - 1) / 2.0) * (3.9 / f64::from(n));
                    all.push(lobe(at(a, r * (0.42 + 0.05 * rng.f64())), r * (0.25 + 0.05 * rng.f64())));
                    if i > 0 {
                        // The thread between two lobes.
                        all.push(lobe(at(a - 1.95 / f64::from(n), r * 0.44), r * 0.11));
                    }
                }
                all
            }
        };
        self.granules(cell, rng, &cytoplasm);
        let chromatin = Grain::new(rng);
        let contrast = if cell.class == "monocyte" { 15.0 } else { 11.0 };
        let wobble = Wobble::new(0.04, rng);
        self.paint(x, y, r * 1.1, |dx, dy| {
            let inside =
                lobes.iter().map(|&(lx, ly, lr)| (x + dx - lx).hypot(y + dy - ly) - lr).fold(f64::MAX, f64::min);
            let n = chromatin.at(dx / 4.0, dy / 4.0) * contrast;
            let d = inside + (wobble.at(dx, dy) - 1.0) * r * 0.6;
            (nucleus.map(|c| c + n), 0.97 * edge(d + 10.0, 10.0, 2.0))
        });
        if cell.class == "basophil" {
            // Coarse granules lie over the nucleus and hide it.
            for _ in 0..85 {
                let (a, d) = (rng.f64() * std::f64::consts::TAU, r * 0.86 * rng.f64().sqrt());
                let g = r * (0.055 + 0.035 * rng.f64());
                self.blob(x + d * a.cos(), y + d * a.sin(), g, 1.6, [62.0, 38.0, 104.0], 0.85);
            }
        }
    }

    fn granules(&mut self, cell: &DrawnCell, rng: &mut fastrand::Rng, cytoplasm: &[f32; 3]) {
        let (n, size, colour, strength): (usize, f64, [f32; 3], f32) = match cell.class {
            "eosinophil" => (150, 0.062, [222.0, 122.0, 98.0], 0.8),
            "neutrophil" => (170, 0.022, cytoplasm.map(|c| c - 34.0), 0.5),
            "monocyte" => (60, 0.02, cytoplasm.map(|c| c - 26.0), 0.45),
            _ => return,
        };
        for _ in 0..n {
            let (a, d) = (rng.f64() * std::f64::consts::TAU, cell.radius * 0.9 * rng.f64().sqrt());
            let g = cell.radius * size * (0.8 + 0.4 * rng.f64());
            self.blob(cell.x + d * a.cos(), cell.y + d * a.sin(), g, 1.2, colour, strength);
        }
    }

    /// A lens' softness and a camera's noise.
    fn finish(&self, rng: &mut fastrand::Rng) -> RgbImage {
        let sharp = RgbImage::from_fn(self.width as u32, self.height as u32, |x, y| {
            let p = self.data[y as usize * self.width + x as usize];
            Rgb(p.map(|v| (v + 0.5).clamp(0.0, 255.0) as u8))
        });
        let soft = super::threshold::soften(&sharp);
        let [r, g, b] = &soft.planes;
        let mixed = r.iter().zip(g).zip(b).flat_map(|((&r, &g), &b)| [r, g, b]).collect();
        let mut soft = RgbImage::from_raw(sharp.width(), sharp.height(), mixed).unwrap_or(sharp);
        for p in soft.pixels_mut() {
            for c in 0..3 {
                let noise = i16::from(rng.u8(0..5)) + i16::from(rng.u8(0..5)) - 4;
                p[c] = u8::try_from((i16::from(p[c]) + noise).clamp(0, 255)).unwrap_or(255);
            }
        }
        soft
    }
}

fn lobe((x, y): (f64, f64), r: f64) -> (f64, f64, f64) {
    (x, y, r)
}

/// 1 inside `r`, 0 outside `r + soft`, a smooth step between.
fn edge(d: f64, r: f64, soft: f64) -> f32 {
    let t = ((r + soft - d) / (2.0 * soft).max(1e-6)).clamp(0.0, 1.0);
    (t * t * (3.0 - 2.0 * t)) as f32
}

/// An outline that is not quite round.
struct Wobble {
    waves: [(f64, f64, f64); 3],
}

impl Wobble {
    fn new(amount: f64, rng: &mut fastrand::Rng) -> Self {
        let mut wave = |k: f64| (k, amount * (0.5 + 0.5 * rng.f64()) / k.sqrt(), rng.f64() * std::f64::consts::TAU);
        Self { waves: [wave(2.0), wave(3.0), wave(5.0)] }
    }

    fn at(&self, dx: f64, dy: f64) -> f64 {
        let a = dy.atan2(dx);
        1.0 + self.waves.iter().map(|(k, amount, phase)| amount * (k * a + phase).sin()).sum::<f64>()
    }
}

/// Smooth noise, about -1..1.
struct Grain {
    lattice: [f32; 256],
}

impl Grain {
    fn new(rng: &mut fastrand::Rng) -> Self {
        Self { lattice: std::array::from_fn(|_| rng.f32() * 2.0 - 1.0) }
    }

    fn at(&self, x: f64, y: f64) -> f32 {
        let (x0, y0) = (x.floor(), y.floor());
        let (fx, fy) = ((x - x0) as f32, (y - y0) as f32);
        let v = |i: f64, j: f64| {
            let k = (i as i64).wrapping_mul(73).wrapping_add((j as i64).wrapping_mul(151)) & 255;
            self.lattice[k as usize]
        };
        let s = |t: f32| t * t * (3.0 - 2.0 * t);
        let (sx, sy) = (s(fx), s(fy));
        let top = v(x0, y0) + (v(x0 + 1.0, y0) - v(x0, y0)) * sx;
        let bottom = v(x0, y0 + 1.0) + (v(x0 + 1.0, y0 + 1.0) - v(x0, y0 + 1.0)) * sx;
        top + (bottom - top) * sy
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::find_cells;

    #[test]
    fn a_seed_always_draws_the_same_slide_with_all_classes() {
        let (a, b) = (draw_slide(700, 500, 8, 3), draw_slide(700, 500, 8, 3));
        assert_eq!(a.image, b.image);
        assert!(MIX.iter().all(|(class, _)| a.cells.iter().any(|c| c.class == *class)));
        assert_ne!(a.image, draw_slide(700, 500, 8, 4).image);
    }

    #[test]
    fn the_finder_finds_the_drawn_cells_and_little_else() {
        let slide = draw_slide(1600, 1100, 30, 7);
        let finding = find_cells(&slide.image, 95.0);
        let found: Vec<_> = finding.field_cells().collect();
        let hit = slide.cells.iter().filter(|c| found.iter().any(|f| (f.x - c.x).hypot(f.y - c.y) < c.radius)).count();
        assert!(hit * 100 >= slide.cells.len() * 90, "{hit} of {}", slide.cells.len());
        assert!(found.len() <= slide.cells.len() + 1, "{} found, {} drawn", found.len(), slide.cells.len());
    }
}
