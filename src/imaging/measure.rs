//! What an image says of the slide that it shows: how large its red cells are, and how its two dyes look. Images of one folder mostly come
//! from one slide, so what several of them say serves one that says nothing by itself: a field with two red cells, or with none.

use super::dye::{Dyes, direction};

/// So many images must say something before it serves another one.
const LEAST_IMAGES: usize = 3;

/// What is measured of the slide; of an image, or the middle of several.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SlideMeasure {
    /// Diameter of red cells, pixels.
    pub red_cell: Option<f64>,
    /// The dyes of nuclei and of red cells.
    pub(super) dyes: Option<Dyes>,
}

/// Where an image's own measures are not enough: what the others of its folder say.
pub type OthersMeasure<'a> = dyn Fn() -> SlideMeasure + 'a;

impl SlideMeasure {
    /// The middle of several images of one size in pixels; each part only where at least three say it.
    pub fn middle(of: &[Self]) -> Self {
        let sizes: Vec<f64> = of.iter().filter_map(|m| m.red_cell).collect();
        let dyes: Vec<Dyes> = of.iter().filter_map(|m| m.dyes).collect();
        let part = |which: fn(&Dyes) -> [f64; 3]| -> Option<[f64; 3]> {
            let mut middles = [0.0; 3];
            for (k, middle) in middles.iter_mut().enumerate() {
                *middle = median(dyes.iter().map(|d| which(d)[k]).collect())?;
            }
            direction(middles)
        };
        Self {
            red_cell: median(sizes),
            dyes: part(|d| d.nucleus).zip(part(|d| d.red_cell)).map(|(nucleus, red_cell)| Dyes { nucleus, red_cell }),
        }
    }

    /// Whether anything was measured.
    pub fn says_something(&self) -> bool {
        self.red_cell.is_some() || self.dyes.is_some()
    }
}

/// The middle one; of two the lower. `None` of fewer than [`LEAST_IMAGES`].
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len().checked_sub(1)? / 2;
    (values.len() >= LEAST_IMAGES).then(|| values[middle])
}

#[cfg(test)]
mod tests {
    use super::super::propose::measure_slide;
    use super::*;
    use image::RgbImage;

    fn field(red_cells: u32) -> RgbImage {
        RgbImage::from_fn(400, 300, |x, y| {
            let (fx, fy) = (f64::from(x), f64::from(y));
            let red = (fx % 48.0 - 24.0).hypot(fy % 48.0 - 24.0) < 13.0 && y / 48 * 8 + x / 48 < red_cells;
            let nucleus = red_cells > 0 && (fx - 200.0).hypot(fy - 150.0) < 24.0;
            image::Rgb(match (nucleus, red) {
                (true, _) => [95, 95, 157],
                (_, true) => [128, 94, 110],
                _ => [138, 154, 127],
            })
        })
    }

    #[test]
    fn several_fields_say_what_an_empty_one_cannot() {
        let full = measure_slide(&field(48), 95.0);
        assert!(full.red_cell.is_some_and(|d| (d - 26.0).abs() < 4.0) && full.dyes.is_some(), "{full:?}");
        assert!(!measure_slide(&field(0), 95.0).says_something());
        let empty = SlideMeasure::default();
        let middle = SlideMeasure::middle(&[empty, full, full, full]);
        assert_eq!(middle.red_cell, full.red_cell);
        assert!(!SlideMeasure::middle(&[full, full, empty]).says_something(), "two are too few");
        let dyes = middle.dyes.zip(full.dyes).expect("three say it");
        assert!(dyes.0.nucleus.iter().zip(dyes.1.nucleus).all(|(a, b)| (a - b).abs() < 1e-9));
    }
}
