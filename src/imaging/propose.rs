//! Further places where a white cell may be, for images in which the first look found none that is one: by two more criteria, with
//! touching nuclei taken apart, each of a plausible size. Whether a place is a cell is not decided here.

use super::find::{Criterion, Finding, FoundCell, Search};
use super::measure::{OthersMeasure, SlideMeasure};
use super::plane::Plane;
use crate::domain::Square;
use image::RgbImage;

/// Further places in one image at most.
const MOST: usize = 64;
/// Things stained less than this share of the most evident nucleus are not looked at without need.
const NEAR_STRENGTH: f64 = 0.5;
/// Things smaller than this share of the largest nucleus are not looked at without need.
const NEAR_AREA: f64 = 0.12;
/// Places whose centres are nearer than this share of a nucleus' measure, and whose sizes are nearer than [`SAME_SIZE`], are one.
const SAME_PLACE: f64 = 0.39;
/// See [`SAME_PLACE`].
const SAME_SIZE: f64 = 1.25;
/// Two nuclei whose centres are nearer than this many diameters of the smaller one are one.
const ONE_NUCLEUS: f64 = 0.5;
/// Diameters of a nucleus in diameters of a red cell of the same image.
const NUCLEUS: (f64, f64) = (0.5, 3.2);
/// What holds less of the dye than this share of the most evident nucleus holds none.
const DYED: f64 = 0.4;
/// Fewer red cells than this are no yardstick.
const LEAST_RED_CELLS: usize = 5;

/// Places by the criterion of the first look that it left out: weaker and smaller things, and the pieces of what may be several nuclei
/// that touch. Cheap: nothing is computed again.
pub(super) fn near(first: &Finding) -> Vec<FoundCell> {
    let strongest = first.cells.first().map_or(0.0, |c| c.strength);
    let largest = first.field_cells().map(|c| c.area).fold(0.0, f64::max);
    let like = |c: &&FoundCell| c.strength >= NEAR_STRENGTH * strongest && c.area >= NEAR_AREA * largest;
    let mut out: Vec<FoundCell> = Vec::new();
    for cell in first.cells.iter().chain(&first.pieces).filter(like).take(MOST) {
        if !first.field_cells().chain(&out).any(|c| same(c, cell)) {
            out.push(cell.clone());
        }
    }
    out
}

/// What of an image holds the dye that red cells lack, most evident first: nuclei do, whatever their colour is there.
#[derive(Debug)]
pub struct DyeLook {
    /// The most evident thing, and how much of the dye it holds.
    most: (FoundCell, f64),
    plane: Plane<u8>,
    /// Pixels of the plane a pixel of the image.
    scale: f64,
    /// Nuclei in the side of a square.
    side_factor: f64,
}

impl DyeLook {
    /// `None` where no two dyes can be told apart.
    pub(super) fn new(search: &Search, side_factor: f64, others: &OthersMeasure<'_>) -> Option<Self> {
        let dyes = || others().dyes;
        let most = search.find(Criterion::Dye(&dyes)).cells.into_iter().next()?;
        let (plane, scale) = search.dye(&dyes)?;
        let amount = amount(&plane, [most.x, most.y, most.measure() / 2.0].map(|v| v * scale));
        Some(Self { most: (most, amount), plane, scale, side_factor })
    }

    /// Whether the most evident of it lies in the middle of a place.
    pub fn most_evident_in(&self, place: Square) -> bool {
        let (x, y) = place.centre();
        let nucleus = f64::from(place.side) / self.side_factor;
        let most = &self.most.0;
        (f64::from(x) - most.x).hypot(f64::from(y) - most.y) < ONE_NUCLEUS * nucleus.min(most.measure())
    }

    /// Whether a place holds about as much of it as the most evident one of the image.
    pub fn shows(&self, place: Square) -> bool {
        let (x, y) = place.centre();
        let radius = f64::from(place.side) / self.side_factor / 2.0;
        amount(&self.plane, [f64::from(x), f64::from(y), radius].map(|v| v * self.scale)) >= DYED * self.most.1
    }
}

/// Mean amount in the half of a disc that holds most (centre and radius, pixels of the plane), as far as it lies in the image: between the
/// lobes of a nucleus there is little of it.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "pixel positions, clamped to the plane")]
fn amount(plane: &Plane<u8>, [x, y, radius]: [f64; 3]) -> f64 {
    let span = |middle: f64, length: usize| {
        (middle - radius - 1.0).max(0.0) as usize..((middle + radius + 1.0).max(0.0) as usize).min(length)
    };
    let mut values = Vec::new();
    for row in span(y, plane.height) {
        for column in span(x, plane.width) {
            if (column as f64 + 0.5 - x).powi(2) + (row as f64 + 0.5 - y).powi(2) <= radius * radius {
                values.push(plane.data[row * plane.width + column]);
            }
        }
    }
    values.sort_unstable();
    let most = &values[values.len() / 2..];
    most.iter().map(|v| f64::from(*v)).sum::<f64>() / most.len().max(1) as f64
}

/// Places that the looks before did not propose, by two more criteria in turn, most evident first. `near` are those of [`near`]; `others`
/// serves where the image itself says nothing of its dyes or red cells.
pub(super) fn further(
    search: &Search,
    first: &Finding,
    near: &[FoundCell],
    others: &OthersMeasure<'_>,
) -> Vec<FoundCell> {
    let by_dye = search.find(Criterion::Dye(&|| others().dyes));
    let absorbance = search.find(Criterion::Absorbance);
    let yardstick = red_cell_diameter(&absorbance).or_else(|| others().red_cell);
    let lists: [&[FoundCell]; 4] = [&by_dye.cells, &first.cells, &absorbance.cells, &by_dye.pieces];
    let longest = lists.iter().map(|l| l.len()).max().unwrap_or(0);
    let mut out: Vec<FoundCell> = Vec::new();
    for cell in (0..longest).flat_map(|rank| lists.iter().filter_map(move |list| list.get(rank))) {
        if out.len() == MOST {
            break;
        }
        let there = first.field_cells().chain(near).chain(&out).any(|c| same(c, cell));
        if !there && plausible(cell, yardstick, search.size) {
            out.push(cell.clone());
        }
    }
    out
}

/// Whether two places are one.
fn same(a: &FoundCell, b: &FoundCell) -> bool {
    let (m, n) = (a.measure(), b.measure());
    let near = SAME_PLACE * m.max(n);
    (a.x - b.x).abs() < near && (a.y - b.y).abs() < near && m.max(n) < SAME_SIZE * m.min(n)
}

/// Whether a place has the size of a nucleus: as the red cells have it, and no larger than a field. A crop of one cell has no red cells
/// to say, and its square may be larger than it.
fn plausible(cell: &FoundCell, red_cell: Option<f64>, (width, height): (f64, f64)) -> bool {
    let size = cell.measure();
    match red_cell {
        Some(red) => size > NUCLEUS.0 * red && size < NUCLEUS.1 * red,
        None => size < 0.9 * width.max(height),
    }
}

/// What an upright image says of its slide. `white_percentile` is the share of the image, in percent, that is darker than its background.
pub fn measure_slide(image: &RgbImage, white_percentile: f64) -> SlideMeasure {
    let Some(search) = Search::new(image, white_percentile) else { return SlideMeasure::default() };
    SlideMeasure { red_cell: red_cell_diameter(&search.find(Criterion::Absorbance)), dyes: search.dyes() }
}

/// Diameter of the image's red cells, pixels: the middle one of the round things of a size that absorb light; `None` where there are too
/// few.
fn red_cell_diameter(absorbance: &Finding) -> Option<f64> {
    let mut round: Vec<f64> =
        absorbance.cells.iter().filter(|c| c.extent < 1.25 * c.diameter).map(|c| c.diameter).collect();
    if round.len() < LEAST_RED_CELLS {
        return None;
    }
    round.sort_by(f64::total_cmp);
    let middle = round[round.len() / 2];
    let alike = round.iter().filter(|d| **d > 0.75 * middle && **d < 1.33 * middle).count();
    (2 * alike > round.len() && alike >= LEAST_RED_CELLS).then_some(middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Red cells in a grid under a green filter, and nuclei of `radius` pixels.
    fn field(nuclei: &[(f64, f64)], radius: f64) -> RgbImage {
        RgbImage::from_fn(400, 300, |x, y| {
            let (fx, fy) = (f64::from(x), f64::from(y));
            let red = (fx % 48.0 - 24.0).hypot(fy % 48.0 - 24.0) < 13.0;
            let nucleus = nuclei.iter().any(|c| (fx - c.0).hypot(fy - c.1) < radius);
            image::Rgb(match (nucleus, red) {
                (true, _) => [95, 95, 157],
                (_, true) => [128, 94, 110],
                _ => [138, 154, 127],
            })
        })
    }

    #[test]
    fn a_nucleus_that_is_not_the_most_magenta_thing_is_among_the_places() {
        let search = Search::new(&field(&[(210.0, 140.0)], 24.0), 95.0).expect("large enough");
        let first = search.find(Criterion::Nuclear);
        let on = |c: &FoundCell| (c.x - 210.0).hypot(c.y - 140.0) < 6.0 && (c.diameter - 48.0).abs() < 8.0;
        let by_dye = search.find(Criterion::Dye(&|| None));
        let found = further(&search, &first, &near(&first), &SlideMeasure::default);
        let at = |c: &FoundCell| (c.x - 210.0).hypot(c.y - 140.0) < 14.0;
        assert!(at(&by_dye.cells[0]), "{:?}", by_dye.cells[0]);
        let place = |x: f32| Square { x: x - 62.0, y: 78.0, side: 124.0 };
        let dye = DyeLook::new(&search, 2.6, &SlideMeasure::default).expect("two dyes");
        assert!(dye.most_evident_in(place(210.0)) && dye.shows(place(210.0)));
        assert!(!dye.shows(place(120.0)) && !dye.most_evident_in(place(120.0)), "red cells hold none of it");
        assert!(first.field_cells().chain(&found).any(on), "{first:?} {found:?}");
    }

    #[test]
    fn places_are_not_proposed_twice() {
        let search = Search::new(&field(&[(120.0, 140.0), (300.0, 90.0)], 24.0), 95.0).expect("large enough");
        let first = search.find(Criterion::Nuclear);
        let known = first.field_cells().count();
        let beside = near(&first);
        let more = further(&search, &first, &beside, &SlideMeasure::default);
        let all: Vec<FoundCell> = first.field_cells().cloned().chain(beside).chain(more).collect();
        for (i, a) in all.iter().enumerate().skip(known) {
            assert!(all[..i].iter().all(|b| !same(a, b)), "{a:?}");
        }
    }
}
