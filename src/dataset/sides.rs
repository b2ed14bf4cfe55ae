//! Lookalikes of different groups on one side of a split, as far as every class still has its share of every part.
//!
//! Groups are never merged by it: they stay what they are in tables and intervals. Where lookalikes cannot be kept
//! together they are named, and nothing is refused for it.

use super::duplicates::NearDuplicatePair;
use super::groups::{Groups, Heaps};
use super::split::{Ratio, Split, SplitError, SplitPart, split};

/// How often the size that lookalikes may grow to together is halved before the groups are taken as they are.
const HALVINGS: i32 = 5;
/// Lookalikes may grow together to what training takes of a class, and a little more.
const ROOM: f64 = 1.05;

/// A split, and the lookalikes that it could not keep on one side, the most alike first.
#[derive(Debug, Clone, PartialEq)]
pub struct Parted {
    /// The part of each item.
    pub split: Split,
    /// Pairs on different sides.
    pub apart: Vec<NearDuplicatePair>,
}

/// Splits as [`split`] does, with lookalikes of different groups on one side where that leaves each class at least half of
/// what each part would have without.
///
/// # Errors
/// [`SplitError`] of the groups as they are: likeness never refuses a dataset.
pub fn split_together(
    classes: &[usize],
    groups: &Groups,
    fixed: &[Option<SplitPart>],
    ratio: Ratio,
    seed: u64,
) -> Result<Parted, SplitError> {
    let parted = |split: Split| {
        let away = |p: &&NearDuplicatePair| split.parts[p.pair.0] != split.parts[p.pair.1];
        Parted { apart: groups.across.iter().filter(away).copied().collect(), split }
    };
    let mut best = parted(split(classes, &groups.of, fixed, ratio, seed)?);
    let usual = counts(classes, &best.split.parts);
    for halved in 0..HALVINGS {
        if best.apart.is_empty() {
            break;
        }
        let room = ratio.0[0] * ROOM / f64::from(2i32.pow(halved.unsigned_abs()));
        let together = together(classes, groups, fixed, ratio, room);
        let Ok(tried) = split(classes, &together, fixed, ratio, seed).map(parted) else { continue };
        let balanced = usual.iter().zip(counts(classes, &tried.split.parts)).all(|(before, n)| 2 * n >= *before);
        if balanced && tried.apart.len() < best.apart.len() {
            best = tried;
        }
    }
    Ok(best)
}

/// Cells of each class in each part.
fn counts(classes: &[usize], parts: &[SplitPart]) -> Vec<usize> {
    let n = classes.iter().max().map_or(0, |c| c + 1);
    let mut counts = vec![0; n * SplitPart::ALL.len()];
    for (class, part) in classes.iter().zip(parts) {
        counts[class * SplitPart::ALL.len() + *part as usize] += 1;
    }
    counts
}

/// What should lie in one part: groups with lookalikes in each other, the most alike first, none of them with more than
/// `room` of a class, and as many of each class as there are parts.
fn together(classes: &[usize], groups: &Groups, fixed: &[Option<SplitPart>], ratio: Ratio, room: f64) -> Vec<usize> {
    let n_classes = classes.iter().max().map_or(0, |c| c + 1);
    let parts = ratio.0.iter().filter(|s| **s > 0.0).count();
    let mut held = vec![vec![0usize; n_classes]; groups.count];
    let mut part: Vec<Option<SplitPart>> = vec![None; groups.count];
    for ((&class, &group), fixed) in classes.iter().zip(&groups.of).zip(fixed) {
        held[group][class] += 1;
        part[group] = part[group].or(*fixed);
    }
    let totals: Vec<usize> = (0..n_classes).map(|c| held.iter().map(|h| h[c]).sum()).collect();
    let mut heaps: Vec<usize> = (0..n_classes).map(|c| held.iter().filter(|h| h[c] > 0).count()).collect();
    let mut joined = Heaps::new(groups.count);
    for pair in &groups.across {
        let (a, b) = (groups.of[pair.pair.0], groups.of[pair.pair.1]);
        if joined.same(a, b) {
            continue;
        }
        let (x, y) = (joined.members(a)[0], joined.members(b)[0]);
        let other_parts = matches!((part[x], part[y]), (Some(p), Some(q)) if p != q);
        let fits = (0..n_classes).all(|c| {
            let (m, n) = (held[x][c], held[y][c]);
            m == 0 || n == 0 || ((m + n) as f64 <= room * totals[c] as f64 && heaps[c] > parts)
        });
        if other_parts || !fits {
            continue;
        }
        for c in 0..n_classes {
            heaps[c] -= usize::from(held[x][c] > 0 && held[y][c] > 0);
        }
        let (sum, own) = (held[x].iter().zip(&held[y]).map(|(m, n)| m + n).collect(), part[x].or(part[y]));
        joined.join(a, b);
        let first = joined.members(a)[0];
        (held[first], part[first]) = (sum, own);
    }
    let of = joined.numbered();
    groups.of.iter().map(|g| of[*g]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(i: usize, j: usize, correlation: f32) -> NearDuplicatePair {
        NearDuplicatePair { pair: (i, j), correlation }
    }

    /// Two classes of 100 in groups of 4; `across` as given.
    fn data(across: Vec<NearDuplicatePair>) -> (Vec<usize>, Groups) {
        let classes = (0..200).map(|i| i / 100).collect();
        (classes, Groups { of: (0..200).map(|i| i / 4).collect(), count: 50, across, ..Groups::default() })
    }

    #[test]
    fn two_heaps_of_a_chain_go_to_two_sides() {
        // The first 80 of each class are chained, and so are the last 20: that is the split.
        let chain = |from: usize, to: usize| (from..to).step_by(4).skip(1).map(|i| pair(i - 1, i, 0.9));
        let across = chain(0, 80).chain(chain(80, 100)).chain(chain(100, 180)).chain(chain(180, 200)).collect();
        let (classes, groups) = data(across);
        let parted = split_together(&classes, &groups, &[None; 200], Ratio::default(), 1).expect("splits");
        assert!(parted.apart.is_empty());
        let validation: Vec<usize> = (0..200).filter(|i| parted.split.parts[*i] == SplitPart::Validation).collect();
        assert_eq!(validation, (80..100).chain(180..200).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_all_alike_is_split_all_the_same_and_said() {
        // Everything of the first class is one chain; no part goes empty and the declared groups stay whole.
        let (classes, groups) = data((4..100).step_by(4).map(|i| pair(i - 1, i, 0.9)).collect());
        for ratio in [Ratio::default(), Ratio([0.7, 0.15, 0.15])] {
            let parted = split_together(&classes, &groups, &[None; 200], ratio, 1).expect("splits");
            assert!(!parted.apart.is_empty() && parted.apart.len() < 8, "{}", parted.apart.len());
            let alone = split(&classes, &groups.of, &[None; 200], ratio, 1).expect("splits");
            let (usual, now) = (counts(&classes, &alone.parts), counts(&classes, &parted.split.parts));
            assert!(usual.iter().zip(&now).all(|(a, b)| 2 * b >= *a), "{usual:?} {now:?}");
            for i in (0..200).step_by(4) {
                assert!((i..i + 4).all(|j| parted.split.parts[j] == parted.split.parts[i]));
            }
        }
    }

    #[test]
    fn the_datasets_own_parts_stand_against_likeness() {
        let (classes, groups) = data(vec![pair(3, 4, 0.99)]);
        let mut fixed = vec![Some(SplitPart::Train); 200];
        (fixed[4..8]).fill(Some(SplitPart::Test));
        (fixed[104..108]).fill(Some(SplitPart::Test));
        let parted = split_together(&classes, &groups, &fixed, Ratio::default(), 1).expect("splits");
        assert_eq!((parted.split.parts[4], parted.apart.len()), (SplitPart::Test, 1));
    }
}
