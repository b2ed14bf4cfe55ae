//! Images that look like the same field: taken twice, saved again, a little shifted. Told by what a comparison of their
//! pixels said, and by their cells: where there are many, by how they lie to each other and look alike. The user decides. Pure.

use super::input::slide_of;
use crate::domain::{CellResult, Digest, ImageResult, Outcome};
use crate::session::CellKey;
use std::collections::{BTreeMap, HashSet};

/// Cells that look at least so much alike (cosine of their sketches) may be the same one, where their places agree. Turned once more
/// or saved again, a cell keeps 0.94 to 1.00; different cells of one slide reach 0.98, so that likeness alone says nothing.
const ALIKE: f32 = 0.94;
/// This many cells that lie to each other alike are no chance.
const MANY: usize = 3;
/// Places agree within this share of a square's side.
const NEAR: f32 = 0.25;
/// Sides agree within this share.
const SIDE: f32 = 0.15;
/// So much of the image with fewer cells has to be found in the other one.
const SHARE: f64 = 0.6;

/// What a comparison of pixels said, each pair in both orders.
#[derive(Debug, Clone, Default)]
pub struct SameImages {
    /// Cells that are the same one.
    pub cells: HashSet<(CellKey, CellKey)>,
    /// Images that show the same field.
    pub fields: HashSet<(Digest, Digest)>,
}

fn similarity(a: &CellResult, b: &CellResult) -> f32 {
    if a.features.is_empty() || a.features.len() != b.features.len() {
        return -1.0;
    }
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f32>();
    let norm = (dot(&a.features, &a.features) * dot(&b.features, &b.features)).sqrt();
    if norm > 0.0 { dot(&a.features, &b.features) / norm } else { -1.0 }
}

fn cells(image: &ImageResult) -> &[CellResult] {
    match &image.outcome {
        Outcome::Cells(cells) => cells,
        Outcome::Failed(_) => &[],
    }
}

/// Whether two images look like the same field. `same` says what a comparison of pixels found.
pub fn same_field(a: &ImageResult, b: &ImageResult, same: &SameImages) -> bool {
    let (few, many) = if cells(a).len() <= cells(b).len() { (a, b) } else { (b, a) };
    let (own, other) = (cells(few), cells(many));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count")]
    let needed = ((own.len() as f64 * SHARE).ceil() as usize).max(1);
    if let (Some(one), Some(another)) = (few.digest, many.digest) {
        if same.fields.contains(&(one, another)) {
            return true;
        }
        let key = |image, c: &CellResult| CellKey { image, cell: c.number };
        let found =
            own.iter().filter(|c| other.iter().any(|o| same.cells.contains(&(key(one, c), key(another, o))))).count();
        if found >= needed {
            return true;
        }
    }
    let (Some(size), Some(wide)) = (few.size, many.size) else { return false };
    // A copy of another size has its cells in the same places of its own scale.
    let scale = wide.0 as f32 / size.0.max(1) as f32;
    let moved = |i: usize, j: usize| {
        let ((x, y), (u, v)) = (own[i].square.centre(), other[j].square.centre());
        (u - x * scale, v - y * scale)
    };
    let like = |i: usize, j: usize| {
        let side = (own[i].square.side * scale / other[j].square.side.max(1.0) - 1.0).abs();
        side < SIDE && similarity(&own[i], &other[j]) >= ALIKE
    };
    if own.len() < MANY {
        return false;
    }
    let pairs: Vec<(usize, usize)> =
        (0..own.len()).flat_map(|i| (0..other.len()).map(move |j| (i, j))).filter(|(i, j)| like(*i, *j)).collect();
    pairs.iter().any(|&(i, j)| {
        let shift = moved(i, j);
        let agrees = |&&(k, l): &&(usize, usize)| {
            let (dx, dy) = moved(k, l);
            let near = NEAR * other[l].square.side;
            (dx - shift.0).abs() < near && (dy - shift.1).abs() < near
        };
        let found: HashSet<usize> = pairs.iter().filter(agrees).map(|p| p.0).collect();
        found.len() >= needed.max(MANY)
    })
}

/// Groups of different images of a slide that look like the same field, in the order of their paths. In a group each looks like every
/// other: likeness does not chain.
pub fn look_alike<'a>(images: impl IntoIterator<Item = &'a ImageResult>, same: &SameImages) -> Vec<Vec<Digest>> {
    let mut slides: BTreeMap<_, Vec<&ImageResult>> = BTreeMap::new();
    for image in images.into_iter().filter(|i| i.digest.is_some() && !cells(i).is_empty()) {
        slides.entry(slide_of(&image.path)).or_default().push(image);
    }
    let mut out = Vec::new();
    for mut all in slides.into_values() {
        all.sort_by(|a, b| a.path.cmp(&b.path));
        let mut seen = HashSet::new();
        all.retain(|i| seen.insert(i.digest));
        let mut grouped = vec![false; all.len()];
        for i in 0..all.len() {
            if grouped[i] {
                continue;
            }
            let mut group = vec![i];
            for j in i + 1..all.len() {
                if !grouped[j] && group.iter().all(|&g| same_field(all[g], all[j], same)) {
                    group.push(j);
                    grouped[j] = true;
                }
            }
            if group.len() > 1 {
                out.push(group.into_iter().filter_map(|g| all[g].digest).collect());
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Probabilities, Square};

    fn image(name: &str, cells: &[(f32, f32, u64)]) -> ImageResult {
        let sketch = |seed: u64| {
            let mut chance = fastrand::Rng::with_seed(seed);
            (0..64).map(|_| chance.f32() - 0.5).collect::<Vec<f32>>()
        };
        let cell = |number: u32, (x, y, seed): (f32, f32, u64)| CellResult {
            number,
            square: Square { x, y, side: 40.0 },
            probabilities: Probabilities::new(vec![1.0]).expect("one"),
            accepted: true,
            ood_score: None,
            features: sketch(seed),
            doubt: None,
            flags: Vec::new(),
            views: None,
        };
        ImageResult {
            index: 0,
            path: format!("/slide/{name}").into(),
            digest: Some(crate::files::digest_of(name.as_bytes())),
            size: Some((640, 480)),
            outcome: Outcome::Cells((1..).zip(cells).map(|(n, c)| cell(n, *c)).collect()),
            rejected: Vec::new(),
            warnings: Vec::new(),
            provider: None,
        }
    }

    #[test]
    fn a_field_taken_twice_is_found_shifted_too_and_other_fields_are_not() {
        let field = [(10.0, 20.0, 1), (200.0, 50.0, 2), (400.0, 300.0, 3), (90.0, 400.0, 4)];
        let shifted: Vec<_> = field[..3].iter().map(|(x, y, s)| (x + 31.0, y - 8.0, *s)).collect();
        let elsewhere: Vec<_> = field.iter().rev().map(|(x, y, s)| (y * 1.2, x * 0.7, *s)).collect();
        let other = [(10.0, 20.0, 5), (200.0, 50.0, 6), (400.0, 300.0, 7)];
        let all = [
            image("a", &field),
            image("b", &shifted),
            image("c", &elsewhere),
            image("d", &other),
            image("e", &[(5.0, 5.0, 9)]),
            image("f", &[(99.0, 7.0, 9)]),
            image("g", &[]),
        ];
        let digest = |i: usize| all[i].digest.expect("set");
        let none = SameImages::default();
        assert_eq!(look_alike(&all, &none), [vec![digest(0), digest(1)]], "one cell that looks alike is no evidence");
        let (e, f) = (CellKey { image: digest(4), cell: 1 }, CellKey { image: digest(5), cell: 1 });
        let same = SameImages { cells: HashSet::from([(e, f), (f, e)]), ..SameImages::default() };
        assert_eq!(look_alike(&all, &same), [vec![digest(0), digest(1)], vec![digest(4), digest(5)]]);
        let pair = [(digest(2), digest(3)), (digest(3), digest(2))];
        let same = SameImages { fields: HashSet::from(pair), ..SameImages::default() };
        assert_eq!(look_alike(&all, &same), [vec![digest(0), digest(1)], vec![digest(2), digest(3)]]);
        let mut twice = image("a again", &field);
        twice.digest = all[0].digest;
        assert!(look_alike([&all[0], &twice], &none).is_empty(), "the same file is a copy, not a likeness");
    }
}
