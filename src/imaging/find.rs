//! Finds the white cells of a stained smear, most evident first.
//!
//! The search runs on a copy of at most 512 pixels a side: background balance → nuclear score → three-class Otsu,
//! the cut raised while what passes is many, sprawling or weak things → parts → lobes joined → ranked. An image in
//! which one nucleus fills a good share is an image of one cell and has one white; every other is a field and is
//! balanced by its illumination surface. No labels are used here: a nucleus is a nucleus in every laboratory.

#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "pixel positions and counts of one image")]

use super::dye::{Absorbances, Dyes};
use super::light::{Light, illumination, percentile, white_level};
use super::mask::{Part, parts_above};
use super::plane::Plane;
use super::resample::fit_within;
use super::threshold::{Channels, nuclear_score, soften, two_thresholds};
use super::touching::pieces;
use crate::domain::Square;
use image::RgbImage;
use std::cell::OnceCell;

/// Counted up whenever the same image may give another square than before: cut cells are cached under it.
pub const FINDER_VERSION: u32 = 2;

/// The search runs on a copy whose longer side is at most this.
const WORK_SIDE: u32 = 512;
/// Lobes nearer than this times the square root of the larger one's area are one nucleus.
const LOBE_GAP: f64 = 0.55;
/// Parts smaller than this share of the largest are dust.
const DUST: f64 = 0.06;
/// A nucleus whose disc is smaller than this share of the image's shorter side makes it a field.
const FIELD_BELOW: f64 = 0.33;
/// In a field, nuclei smaller than this share of the largest are platelets or debris.
const FIELD_PART: f64 = 0.20;
/// In a field, things stained less than this share of the most evident nucleus are red cells in a dark corner.
const FIELD_STRENGTH: f64 = 0.75;
/// In a field, things whose disc is smaller than this share of their extent sprawl over several cells.
const FIELD_COMPACT: f64 = 0.40;
/// More than six things of a size are white cells only where they cover less than this share of the image.
const WHITE_CELL_COVER: f64 = 0.05;
/// What is stained less than this is not a nucleus at all, and neither is what stands out less than [`LEAST_CONTRAST`]
/// from the middle of the image's scores. The palest nucleus of 705 in four collections of fields has 38.
const LEAST_STRENGTH: f64 = 34.0;
/// See [`LEAST_STRENGTH`].
const LEAST_CONTRAST: f64 = 12.0;

/// A nucleus, in pixels of the image.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundCell {
    /// Centre of the nucleus' bounding box.
    pub x: f64,
    /// Centre of the nucleus' bounding box.
    pub y: f64,
    /// Diameter of the disc with the nucleus' area.
    pub diameter: f64,
    /// Longer side of the nucleus' bounding box.
    pub extent: f64,
    pub area: f64,
    /// Mean nuclear score, 0..=255.
    pub strength: f64,
    /// Brightness of the background there, RGB.
    pub white: [f32; 3],
}

/// A sprawling nucleus (band, lobes) is measured by its extent; this much of it equals a disc's diameter.
const EXTENT_SHARE: f64 = 0.72;

impl FoundCell {
    /// The nucleus' measure, pixels: its disc's diameter, or what equals it where it sprawls.
    pub fn measure(&self) -> f64 {
        self.diameter.max(EXTENT_SHARE * self.extent)
    }
}

/// What kind of image it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scene {
    /// One cell fills a good share of the image.
    SingleCell,
    /// A field with any number of cells.
    Field,
}

/// The cells of an image, most evident first. Empty where nothing looks like a nucleus.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// One cell or a field.
    pub scene: Scene,
    /// Nuclei, most evident first.
    pub cells: Vec<FoundCell>,
    /// Pieces of nuclei that may be several which touch, largest first.
    pub pieces: Vec<FoundCell>,
}

impl Finding {
    pub(super) fn nothing() -> Self {
        Self { scene: Scene::SingleCell, cells: Vec::new(), pieces: Vec::new() }
    }

    /// All that count as white cells in a field: compact, stained nearly as much as the most evident one, and at least
    /// a fifth of the largest one's area. The most evident one is always among them.
    pub fn field_cells(&self) -> impl Iterator<Item = &FoundCell> {
        let strongest = self.cells.first().map_or(0.0, |c| c.strength);
        let like =
            move |c: &FoundCell| c.diameter > FIELD_COMPACT * c.extent && c.strength >= FIELD_STRENGTH * strongest;
        let largest = self.cells.iter().filter(|c| like(c)).map(|c| c.area).fold(0.0, f64::max);
        let all = self.cells.iter().enumerate();
        all.filter(move |(i, c)| *i == 0 || (like(c) && c.area >= FIELD_PART * largest)).map(|(_, c)| c)
    }
}

/// Finds the cells of an upright image by the colour that nuclei usually have. `white_percentile` is the share of the image, in percent,
/// that is darker than its background (95 where no model says otherwise).
pub fn find_cells(image: &RgbImage, white_percentile: f64) -> Finding {
    Search::new(image, white_percentile).map_or_else(Finding::nothing, |search| search.find(Criterion::Nuclear))
}

/// What makes a pixel look like a nucleus.
#[derive(Clone, Copy)]
pub(super) enum Criterion<'a> {
    /// Magenta, absorbing green, bluer than red: what the usual stains make of nuclei under the usual light.
    Nuclear,
    /// The dye that is left once the image's own red cells are unmixed, or with the dyes of other images where its own cannot be told.
    Dye(&'a dyn Fn() -> Option<Dyes>),
    /// Whatever absorbs light.
    Absorbance,
}

/// An image made ready to be searched.
pub(super) struct Search {
    work: RgbImage,
    soft: Channels,
    /// Pixels of the working copy a pixel of the image.
    scale: f64,
    /// Width and height of the image.
    pub(super) size: (f64, f64),
    white: [f32; 3],
    /// The illumination surface, made where it is asked for.
    surface: OnceCell<Light>,
    /// How much of the dye that red cells lack each pixel holds under it.
    dye: OnceCell<Option<Plane<u8>>>,
}

impl Search {
    /// `None` where an image is too small to hold anything.
    pub(super) fn new(image: &RgbImage, white_percentile: f64) -> Option<Self> {
        if image.width() < 8 || image.height() < 8 {
            return None;
        }
        let (work, scale) = fit_within(image, WORK_SIDE);
        let soft = soften(&work);
        let white = white_level(image, white_percentile);
        let size = (f64::from(image.width()), f64::from(image.height()));
        Some(Self { work, soft, scale, size, white, surface: OnceCell::new(), dye: OnceCell::new() })
    }

    /// On a copy of half the size, made of this one: enough to see where the most evident thing is, at a quarter of the cost.
    pub(super) fn coarse(&self) -> Self {
        let (work, scale) = fit_within(&self.work, WORK_SIDE / 2);
        let soft = soften(&work);
        let surface = OnceCell::from(self.surface().clone());
        Self {
            work,
            soft,
            scale: self.scale * scale,
            size: self.size,
            white: self.white,
            surface,
            dye: OnceCell::new(),
        }
    }

    /// The cells by one criterion: under one white, and where that shows no single large nucleus, under the illumination surface.
    pub(super) fn find(&self, by: Criterion<'_>) -> Finding {
        let even = Light::Even(self.white);
        let found = self.nuclei(by, &even, Scene::SingleCell);
        if let Some(first) = found.cells.first()
            && first.diameter > (FIELD_BELOW * self.size.0.min(self.size.1)).max(0.6 * first.extent)
        {
            return found;
        }
        self.nuclei(by, self.surface(), Scene::Field)
    }

    fn surface(&self) -> &Light {
        self.surface.get_or_init(|| illumination(&self.work, self.size, self.white))
    }

    /// How much of the dye that red cells lack each pixel of the working copy of a field holds, and its pixels a pixel of the image; `None`
    /// where no two dyes can be told apart.
    pub(super) fn dye(&self, others: &dyn Fn() -> Option<Dyes>) -> Option<(Plane<u8>, f64)> {
        Some((self.plane(Criterion::Dye(others), self.surface())?, self.scale))
    }

    /// The dyes of a field; `None` where no two can be told apart.
    pub(super) fn dyes(&self) -> Option<Dyes> {
        Absorbances::new(&self.soft, self.surface()).dyes()
    }

    fn plane(&self, by: Criterion<'_>, light: &Light) -> Option<Plane<u8>> {
        match by {
            Criterion::Nuclear => Some(nuclear_score(&self.soft, light)),
            Criterion::Dye(others) => {
                let dye = || Absorbances::new(&self.soft, light).nuclear_dye(others);
                match light {
                    Light::Even(_) => dye(),
                    Light::Surface { .. } => self.dye.get_or_init(dye).clone(),
                }
            }
            Criterion::Absorbance => Some(Absorbances::new(&self.soft, light).total()),
        }
    }

    fn nuclei(&self, by: Criterion<'_>, light: &Light, scene: Scene) -> Finding {
        let parts = self.plane(by, light).map_or_else(Vec::new, |score| plausible_parts(&score));
        let (mut cells, mut pieces) = (Vec::new(), Vec::new());
        for ids in nuclei(&parts) {
            let whole = cell(&parts, &ids, self.scale, light);
            if scene == Scene::Field {
                let own: Vec<&Part> = ids.iter().map(|&i| &parts[i]).collect();
                pieces.extend(self.taken_apart(&own, &whole, light));
            }
            cells.push(whole);
        }
        let rank = |c: &FoundCell| evidence(c, self.size);
        cells.sort_by(|a, b| rank(b).total_cmp(&rank(a)));
        pieces.sort_by(|a, b| b.area.total_cmp(&a.area));
        Finding { scene, cells, pieces }
    }

    /// The pieces of a nucleus that may be several which touch.
    fn taken_apart<'s>(
        &'s self,
        parts: &[&Part],
        whole: &'s FoundCell,
        light: &'s Light,
    ) -> impl Iterator<Item = FoundCell> + 's {
        let found = pieces(parts, whole.extent * self.scale, whole.diameter * self.scale);
        found.into_iter().map(|p| {
            let (x, y, diameter) = (p.x / self.scale, p.y / self.scale, p.diameter / self.scale);
            let area = std::f64::consts::PI * diameter * diameter / 4.0;
            let white = light.at(x as f32, y as f32);
            FoundCell { x, y, diameter, extent: diameter, area, strength: whole.strength, white }
        })
    }
}

/// The connected parts that may be nuclei, by their score.
fn plausible_parts(score: &Plane<u8>) -> Vec<Part> {
    let mut histogram = [0u32; 256];
    for &v in &score.data {
        histogram[usize::from(v)] += 1;
    }
    let least = LEAST_STRENGTH.max(f64::from(percentile(&histogram, 50.0)) + LEAST_CONTRAST);
    let parts = nucleus_parts(score, &histogram);
    // A nucleus that fills nearly the whole image leaves no background: it is not one.
    let whole = 0.9 * score.data.len() as f64;
    let plausible = |p: &Part| p.strength() >= least && f64::from(p.area) < whole;
    let largest = parts.iter().filter(|p| plausible(p)).map(|p| p.area).max().unwrap_or(0);
    let large = |p: &Part| p.area >= 12 && f64::from(p.area) >= DUST * f64::from(largest);
    parts.into_iter().filter(plausible).filter(large).collect()
}

/// Starts at the upper cut; where red cells pass it, raises it until a few compact, strong things remain.
fn nucleus_parts(score: &Plane<u8>, histogram: &[u32; 256]) -> Vec<Part> {
    let mut cut = two_thresholds(histogram).1;
    let high = percentile(histogram, 99.7) as usize;
    loop {
        let parts = parts_above(score, u8::try_from(cut).unwrap_or(255));
        let Some(main) = parts.iter().rev().max_by_key(|p| p.area) else { return parts };
        if cut + 5 >= high {
            return parts;
        }
        // Red cells cover a good part of a field; white cells do not, however many they are.
        let alike: Vec<f64> =
            parts.iter().map(|p| f64::from(p.area)).filter(|a| *a > 0.25 * f64::from(main.area)).collect();
        let few = alike.len() <= 6 || alike.iter().sum::<f64>() < WHITE_CELL_COVER * score.data.len() as f64;
        let (w, h) = (f64::from(main.width()), f64::from(main.height()));
        let spread = (w / score.width as f64).max(h / score.height as f64);
        let compact = f64::from(main.area) > 0.33 * w * h && spread < 0.9;
        let strong = main.strength() >= cut as f64 + 0.4 * (high - cut) as f64;
        if few && compact && strong {
            return parts;
        }
        cut += 5;
    }
}

/// Joins lobes of one nucleus; lobes strung out too far are separate things.
fn nuclei(parts: &[Part]) -> Vec<Vec<usize>> {
    let mut owner: Vec<usize> = (0..parts.len()).collect();
    fn root(owner: &[usize], mut i: usize) -> usize {
        while owner[i] != i {
            i = owner[i];
        }
        i
    }
    for i in 0..parts.len() {
        for j in i + 1..parts.len() {
            let gap = LOBE_GAP * f64::from(parts[i].area.max(parts[j].area)).sqrt();
            let (a, b) = (parts[i].centre(), parts[j].centre());
            if (a.0 - b.0).hypot(a.1 - b.1) <= 6.0 * gap && parts[i].gap(&parts[j]) < gap {
                let (ri, rj) = (root(&owner, i), root(&owner, j));
                owner[ri] = rj;
            }
        }
    }
    let mut groups: std::collections::BTreeMap<usize, Vec<usize>> = std::collections::BTreeMap::new();
    for i in 0..parts.len() {
        groups.entry(root(&owner, i)).or_default().push(i);
    }
    let mut out = Vec::new();
    for ids in groups.into_values() {
        let (bounds, area) = joined(parts, &ids);
        let extent = f64::from((bounds[2] - bounds[0]).max(bounds[3] - bounds[1]));
        if ids.len() > 1 && extent > 2.4 * disc(area) {
            out.extend(ids.into_iter().map(|i| vec![i]));
        } else {
            out.push(ids);
        }
    }
    out
}

fn joined(parts: &[Part], ids: &[usize]) -> ([i32; 4], f64) {
    let mut bounds = [i32::MAX, i32::MAX, i32::MIN, i32::MIN];
    let mut area = 0.0;
    for &i in ids {
        let b = parts[i].bounds;
        bounds = [bounds[0].min(b[0]), bounds[1].min(b[1]), bounds[2].max(b[2]), bounds[3].max(b[3])];
        area += f64::from(parts[i].area);
    }
    (bounds, area)
}

fn disc(area: f64) -> f64 {
    (4.0 * area / std::f64::consts::PI).sqrt()
}

fn cell(parts: &[Part], ids: &[usize], scale: f64, light: &Light) -> FoundCell {
    let (b, area) = joined(parts, ids);
    let x = f64::from(b[0] + b[2]) / 2.0 / scale;
    let y = f64::from(b[1] + b[3]) / 2.0 / scale;
    let strength = ids.iter().map(|&i| parts[i].strength()).sum::<f64>() / ids.len() as f64;
    let white = light.at(x as f32, y as f32);
    FoundCell {
        x,
        y,
        diameter: disc(area) / scale,
        extent: f64::from((b[2] - b[0]).max(b[3] - b[1])) / scale,
        area: area / (scale * scale),
        strength,
        white,
    }
}

/// Brightness of the background at a square that nobody searched for, RGB: that of the found cell nearest to it, else of the
/// image as a whole.
pub(super) fn white_near(image: &RgbImage, finding: &Finding, square: Square, white_percentile: f64) -> [f32; 3] {
    let (x, y) = square.centre();
    let far = |c: &FoundCell| (c.x - f64::from(x)).hypot(c.y - f64::from(y));
    let nearest = finding.cells.iter().min_by(|a, b| far(a).total_cmp(&far(b)));
    nearest.map_or_else(|| white_level(image, white_percentile), |c| c.white)
}

/// How sure we are that this is the white cell the image is of.
fn evidence(c: &FoundCell, (width, height): (f64, f64)) -> f64 {
    let mut e = c.area.sqrt() * (c.strength / 255.0).powi(4);
    if c.extent > 2.6 * c.diameter {
        e *= 0.3;
    }
    if c.diameter > 0.1 * width.min(height) {
        // An image of one cell: the middle counts.
        let away = (c.x - width / 2.0).hypot(c.y - height / 2.0) / width.max(height);
        e *= (-(away / 0.35).powi(2)).exp();
    }
    e
}

#[cfg(test)]
mod tests {
    use super::*;

    fn smear(cells: &[(f64, f64, f64)], w: u32, h: u32) -> RgbImage {
        RgbImage::from_fn(w, h, |x, y| {
            let inside = cells.iter().any(|c| (f64::from(x) - c.0).hypot(f64::from(y) - c.1) < c.2);
            image::Rgb(if inside { [95, 50, 140] } else { [235, 225, 230] })
        })
    }

    #[test]
    fn a_blank_field_has_no_cell() {
        assert!(find_cells(&smear(&[], 320, 240), 95.0).cells.is_empty());
        assert!(find_cells(&RgbImage::new(3, 3), 95.0).cells.is_empty());
    }

    #[test]
    fn one_large_nucleus_is_a_image_of_one_cell() {
        let found = find_cells(&smear(&[(60.0, 55.0, 30.0)], 120, 120), 95.0);
        assert_eq!(found.scene, Scene::SingleCell);
        let c = &found.cells[0];
        assert!((c.x - 60.0).abs() < 2.0 && (c.y - 55.0).abs() < 2.0 && (c.diameter - 60.0).abs() < 4.0, "{c:?}");
    }

    #[test]
    fn a_field_gives_each_cell_and_no_dust() {
        let cells = [(100.0, 100.0, 30.0), (400.0, 300.0, 28.0), (600.0, 90.0, 33.0), (300.0, 200.0, 6.0)];
        let found = find_cells(&smear(&cells, 700, 400), 95.0);
        assert_eq!(found.scene, Scene::Field);
        assert_eq!(found.field_cells().count(), 3, "{:?}", found.cells);
    }

    #[test]
    fn near_lobes_are_one_nucleus() {
        let found =
            find_cells(&smear(&[(90.0, 100.0, 14.0), (122.0, 100.0, 14.0), (106.0, 128.0, 14.0)], 240, 200), 95.0);
        assert_eq!(found.cells.len(), 1, "{:?}", found.cells);
    }
}
