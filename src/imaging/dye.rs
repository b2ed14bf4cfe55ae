//! Two more ways to see nuclei, for slides on which they are not the most magenta things: the dye that is left once the image's own red
//! cells are unmixed from it, and everything that absorbs light. Colours are absorbances (Beer–Lambert), in thousandths.
//!
//! The logarithm is a table of whole numbers, and what follows is integers, or sums, products, quotients and roots of doubles, which IEEE
//! 754 rounds alike everywhere: the same image gives the same plane on every machine.

#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "absorbances, ranks and bytes, in bounds")]

use super::light::Light;
use super::plane::Plane;
use super::threshold::{BLACK, Channels, WHITE, each_level};

/// Absorbances of the three channels of one pixel, thousandths.
type Absorbance = [i32; 3];

/// Directions of length 1 in the space of absorbances.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Dyes {
    /// Of what stains nuclei.
    pub(super) nucleus: [f64; 3],
    /// Of red cells.
    pub(super) red_cell: [f64; 3],
}

/// What is brighter than the background by more than this does not absorb less.
const BRIGHTEST: f64 = 1.15;
/// Pixels that absorb less than this are background, whatever the image.
const LEAST_ABSORBANCE: i32 = 120;
/// Pixels that absorb less than this share of the darkest ones are background.
const BACKGROUND_SHARE: f64 = 0.18;
/// Fewer pixels than this do not tell two dyes apart.
const LEAST_PIXELS: usize = 200;
/// Directions of two dyes whose cosine is above this are one dye.
const ONE_DYE: f64 = 0.985;

/// The absorbances of an image under a light; what was never lit absorbs nothing.
pub(super) struct Absorbances {
    width: usize,
    height: usize,
    pixels: Vec<Absorbance>,
}

impl Absorbances {
    pub(super) fn new(soft: &Channels, light: &Light) -> Self {
        let white = f64::from(WHITE);
        let table: Vec<i32> = (0..256u16)
            .map(|level| (-1000.0 * libm::log((f64::from(level) / white).clamp(2.0 / 255.0, BRIGHTEST))).round() as i32)
            .collect();
        let mut pixels = Vec::with_capacity(soft.width * soft.height);
        each_level(soft, light, |rgb: [i16; 3]| {
            let unlit = rgb.iter().all(|&v| v < BLACK);
            let absorbed = |v: i16| if unlit { 0 } else { table[usize::try_from(v).unwrap_or(0).min(255)] };
            pixels.push(rgb.map(absorbed));
        });
        Self { width: soft.width, height: soft.height, pixels }
    }

    /// How much light each pixel absorbs, brought to 0..=255.
    pub(super) fn total(&self) -> Plane<u8> {
        let sums: Vec<i32> = self.pixels.iter().map(|p| sum(*p).max(0)).collect();
        self.plane(&sums, 300)
    }

    /// How much of the dye that red cells lack each pixel holds, brought to 0..=255. Where the image's own dyes cannot be told apart, those
    /// of `others` serve; `None` where there are none either.
    pub(super) fn nuclear_dye(&self, others: impl FnOnce() -> Option<Dyes>) -> Option<Plane<u8>> {
        let Dyes { nucleus, red_cell } = self.dyes().or_else(others)?;
        let alike: f64 = nucleus.iter().zip(red_cell).map(|(n, r)| n * r).sum();
        // The first row of the pseudo-inverse of the two directions: what is nucleus once red cells are taken out.
        let row: [i64; 3] = std::array::from_fn(|c| {
            ((nucleus[c] - alike * red_cell[c]) / (1.0 - alike * alike) * 65_536.0).round() as i64
        });
        let amount = |p: &Absorbance| p.iter().zip(row).map(|(v, w)| i64::from(*v) * w).sum::<i64>() >> 16;
        let amounts: Vec<i32> = self.pixels.iter().map(|p| amount(p).clamp(0, 60_000) as i32).collect();
        Some(self.plane(&amounts, 150))
    }

    /// The image's own dyes; `None` where no two can be told apart. Haemoglobin and eosin absorb blue and green; the nuclear dyes (azure B,
    /// methylene blue) absorb red as well.
    pub(super) fn dyes(&self) -> Option<Dyes> {
        let mut totals: Vec<i32> = self.pixels.iter().map(|p| sum(*p)).collect();
        let darkest = f64::from(quantile(&mut totals, 0.995)?);
        let least = LEAST_ABSORBANCE.max((BACKGROUND_SHARE * darkest) as i32);
        let things: Vec<(i32, Absorbance)> = self
            .pixels
            .iter()
            .filter(|p| sum(**p) > least)
            .map(|p| {
                let p = p.map(|v| v.max(0));
                let squares: i64 = p.iter().map(|v| i64::from(*v).pow(2)).sum();
                let axis = f64::from(p[0] - p[2]) / (squares as f64).sqrt().max(1.0);
                ((axis * 65_536.0).round() as i32, p)
            })
            .collect();
        if things.len() < LEAST_PIXELS {
            return None;
        }
        let mut axes: Vec<i32> = things.iter().map(|t| t.0).collect();
        let (low, high) = (quantile(&mut axes, 0.60)?, quantile(&mut axes, 0.98)?);
        let red_cell = middle(things.iter().filter(|t| t.0 <= low).map(|t| t.1))?;
        let blue = || things.iter().filter(|t| t.0 >= high).map(|t| t.1);
        let mut sums: Vec<i32> = blue().map(sum).collect();
        let strong = quantile(&mut sums, 0.40)?;
        let nucleus = middle(blue().filter(|p| sum(*p) >= strong))?;
        let alike: f64 = nucleus.iter().zip(red_cell).map(|(n, r)| n * r).sum();
        (alike <= ONE_DYE).then_some(Dyes { nucleus, red_cell })
    }

    /// Values brought to 0..=255: 230 is where 997 of 1000 lie below, or `least` where that is more.
    fn plane(&self, values: &[i32], least: i32) -> Plane<u8> {
        let high = quantile(&mut values.to_vec(), 0.997).unwrap_or(0).max(least);
        let data = values.iter().map(|v| (i64::from(*v) * 230 / i64::from(high)).clamp(0, 255) as u8).collect();
        Plane { width: self.width, height: self.height, data }
    }
}

fn sum(p: Absorbance) -> i32 {
    p[0] + p[1] + p[2]
}

/// The value at a share of the sorted ones; `None` of nothing. Changes their order.
fn quantile(values: &mut [i32], share: f64) -> Option<i32> {
    let at = (values.len().checked_sub(1)? as f64 * share) as usize;
    Some(*values.select_nth_unstable(at).1)
}

/// The direction of the channels' medians, of length 1.
fn middle(pixels: impl Iterator<Item = Absorbance>) -> Option<[f64; 3]> {
    let mut channels: [Vec<i32>; 3] = std::array::from_fn(|_| Vec::new());
    pixels.for_each(|p| channels.iter_mut().zip(p).for_each(|(c, v)| c.push(v)));
    let mut medians = [0.0; 3];
    for (median, channel) in medians.iter_mut().zip(&mut channels) {
        *median = f64::from(quantile(channel, 0.5)?);
    }
    direction(medians)
}

/// A vector brought to length 1; `None` of nothing.
pub(super) fn direction(vector: [f64; 3]) -> Option<[f64; 3]> {
    let length = vector.iter().map(|v| v * v).sum::<f64>().sqrt();
    (length > 0.0).then(|| vector.map(|v| v / length))
}

#[cfg(test)]
mod tests {
    use super::super::threshold::soften;
    use super::*;
    use image::RgbImage;

    /// A field as a camera with a green filter sees it: its red cells are the most magenta things.
    fn green_field() -> RgbImage {
        RgbImage::from_fn(120, 90, |x, y| {
            let far = |cx: u32, cy: u32| x.abs_diff(cx).pow(2) + y.abs_diff(cy).pow(2);
            image::Rgb(match (far(60, 45) < 144, x % 30 < 14 && y % 30 < 14) {
                (true, _) => [95, 95, 157],
                (_, true) => [128, 94, 110],
                _ => [138, 154, 127],
            })
        })
    }

    #[test]
    fn the_dye_of_nuclei_is_told_from_red_cells_that_are_more_magenta() {
        let all = Absorbances::new(&soften(&green_field()), &Light::Even([138.0, 154.0, 127.0]));
        let dye = all.nuclear_dye(|| None).expect("two dyes");
        let at = |x: usize, y: usize| dye.data[y * dye.width + x];
        assert!(at(60, 45) > 200, "{}", at(60, 45));
        assert!(at(6, 6) < 40 && at(22, 22) < 40, "{} {}", at(6, 6), at(22, 22));
        let total = all.total();
        assert!(total.data[6 * 120 + 6] > 60 && total.data[22 * 120 + 22] < 10);
    }

    #[test]
    fn one_colour_has_no_second_dye() {
        let flat = Absorbances::new(
            &soften(&RgbImage::from_pixel(64, 64, image::Rgb([150, 90, 120]))),
            &Light::Even([235.0; 3]),
        );
        assert!(flat.nuclear_dye(|| None).is_none());
        let other = Absorbances::new(&soften(&green_field()), &Light::Even([138.0, 154.0, 127.0])).dyes();
        assert!(other.is_some() && flat.nuclear_dye(|| other).is_some(), "those of other images serve");
        let empty =
            Absorbances::new(&soften(&RgbImage::from_pixel(64, 64, image::Rgb([235; 3]))), &Light::Even([235.0; 3]));
        assert!(empty.nuclear_dye(|| None).is_none() && empty.total().data.iter().all(|v| *v == 0));
    }
}
