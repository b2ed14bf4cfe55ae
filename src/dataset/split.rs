//! Training, validation and test parts: a group lies wholly in one of them, the classes as evenly as groups allow.
//!
//! Same input and seed, same split. Nothing here knows where the groups come from.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A part of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SplitPart {
    /// Learnt from.
    Train,
    /// Watched while learning; chooses the epoch.
    Validation,
    /// Looked at once, at the end.
    Test,
}

impl SplitPart {
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// The word in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }

    /// From a CSV's word.
    pub fn from_word(word: &str) -> Option<Self> {
        match word.trim().to_lowercase().as_str() {
            "train" | "training" => Some(Self::Train),
            "validation" | "valid" | "val" | "dev" => Some(Self::Validation),
            "test" | "testing" | "held-out" => Some(Self::Test),
            _ => None,
        }
    }
}

/// Shares of training, validation and test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ratio(pub [f64; 3]);

impl Default for Ratio {
    fn default() -> Self {
        Self([0.8, 0.2, 0.0])
    }
}

/// Why a text is no [`Ratio`].
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RatioError {
    /// Not two or three numbers, the first two above zero.
    #[error(
        "\"{0}\" is no split; write training/validation or training/validation/test, for example 80/20 or 70/15/15"
    )]
    Form(String),
    /// Neither percent nor shares of one, and what they add up to.
    #[error("\"{0}\" adds up to {1}; the parts of a split add up to 100")]
    Sum(String, f64),
}

impl std::str::FromStr for Ratio {
    type Err = RatioError;

    fn from_str(s: &str) -> Result<Self, RatioError> {
        let parts: Option<Vec<f64>> = s.split('/').map(|p| p.trim().parse().ok()).collect();
        let fine = |p: &[f64]| p.iter().all(|v| v.is_finite() && *v >= 0.0) && p[0] > 0.0 && p[1] > 0.0;
        match parts.as_deref() {
            Some(p @ ([_, _] | [_, _, _])) if fine(p) => {
                let sum: f64 = p.iter().sum();
                // Percent or shares; the user may round thirds.
                if (sum - 100.0).abs() > 1.0 && (sum - 1.0).abs() > 0.01 {
                    return Err(RatioError::Sum(s.to_owned(), sum));
                }
                Ok(Self([p[0] / sum, p[1] / sum, p.get(2).copied().unwrap_or(0.0) / sum]))
            }
            _ => Err(RatioError::Form(s.to_owned())),
        }
    }
}

/// A part for each item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// In the order of the items.
    pub parts: Vec<SplitPart>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// A class is too small.
    #[error(
        "class {class} (from 0) has {images} images in {groups} groups; {LEAST} images and a group for each of the {parts} parts are needed"
    )]
    TooSmall {
        /// Its position.
        class: usize,
        images: usize,
        groups: usize,
        /// Parts that there should be.
        parts: usize,
    },
    /// The dataset's own parts tear a group.
    #[error("the dataset's own parts tear group {0}: some of its images are in {1}, others in {2}")]
    Torn(usize, &'static str, &'static str),
    /// A part that is needed has nothing.
    #[error("the {0} part is empty")]
    Empty(&'static str),
}

/// Images that a class must have; of groups it must have one for each part.
pub const LEAST: usize = 3;

/// Splits items; `classes` and `groups` are theirs. `fixed` are parts that the dataset itself gives.
///
/// # Errors
/// [`SplitError`].
pub fn split(
    classes: &[usize],
    groups: &[usize],
    fixed: &[Option<SplitPart>],
    ratio: Ratio,
    seed: u64,
) -> Result<Split, SplitError> {
    let n_classes = classes.iter().max().map_or(0, |c| c + 1);
    let n_groups = groups.iter().max().map_or(0, |g| g + 1);
    let mut counts = vec![vec![0usize; n_classes]; n_groups];
    for (&c, &g) in classes.iter().zip(groups) {
        counts[g][c] += 1;
    }
    for class in 0..n_classes {
        let images: usize = counts.iter().map(|g| g[class]).sum();
        let of = counts.iter().filter(|g| g[class] > 0).count();
        let parts = ratio.0.iter().filter(|s| **s > 0.0).count();
        if images > 0 && (images < LEAST || of < parts) && fixed.iter().all(Option::is_none) {
            return Err(SplitError::TooSmall { class, images, groups: of, parts });
        }
    }
    let mut part: Vec<Option<SplitPart>> = vec![None; n_groups];
    for (&g, p) in groups.iter().zip(fixed) {
        match (part[g], p) {
            (Some(a), Some(b)) if a != *b => return Err(SplitError::Torn(g, a.as_str(), b.as_str())),
            (None, Some(b)) => part[g] = Some(*b),
            _ => {}
        }
    }
    let given: BTreeSet<SplitPart> = part.iter().flatten().copied().collect();
    // A dataset that names its own test part has none of its training images moved there; one that names no
    // validation part gets one from its training images.
    let carve = !given.is_empty() && !given.contains(&SplitPart::Validation);
    let mut shares = ratio.0;
    if !given.is_empty() {
        shares[2] = 0.0;
        let sum = shares[0] + shares[1];
        shares.iter_mut().for_each(|s| *s /= sum);
    }
    let open = |p: Option<SplitPart>| p.is_none() || (carve && p == Some(SplitPart::Train));
    let free: Vec<usize> = (0..n_groups).filter(|&g| counts[g].iter().sum::<usize>() > 0 && open(part[g])).collect();
    assign(&free, &counts, shares, seed, &mut part);
    let parts: Vec<SplitPart> = groups.iter().map(|&g| part[g].unwrap_or(SplitPart::Train)).collect();
    for needed in [SplitPart::Train, SplitPart::Validation] {
        if !parts.contains(&needed) {
            return Err(SplitError::Empty(needed.as_str()));
        }
    }
    Ok(Split { parts })
}

/// Gives each group to the part that needs its classes most, large groups first.
fn assign(free: &[usize], counts: &[Vec<usize>], shares: [f64; 3], seed: u64, part: &mut [Option<SplitPart>]) {
    let n_classes = counts.first().map_or(0, Vec::len);
    let mut order = free.to_vec();
    fastrand::Rng::with_seed(seed).shuffle(&mut order);
    order.sort_by_key(|&g| std::cmp::Reverse(counts[g].iter().sum::<usize>()));
    let totals: Vec<f64> = (0..n_classes).map(|c| free.iter().map(|&g| counts[g][c] as f64).sum()).collect();
    let mut have = [vec![0f64; n_classes], vec![0f64; n_classes], vec![0f64; n_classes]];
    let parts = SplitPart::ALL;
    for &g in &order {
        let need = |p: usize| {
            (0..n_classes)
                .filter(|&c| counts[g][c] > 0)
                .map(|c| counts[g][c] as f64 * (shares[p] * totals[c] - have[p][c]) / (shares[p] * totals[c]).max(1e-9))
                .sum::<f64>()
        };
        let mut best = 0;
        for (p, share) in shares.into_iter().enumerate().skip(1) {
            if share > 0.0 && need(p) > need(best) + 1e-12 {
                best = p;
            }
        }
        part[g] = Some(parts[best]);
        (0..n_classes).for_each(|c| have[best][c] += counts[g][c] as f64);
    }
    // A class that a part went without gets its smallest group from training, as long as training keeps one.
    for (p, &to) in parts.iter().enumerate().skip(1).filter(|(p, _)| shares[*p] > 0.0) {
        for c in 0..n_classes {
            if totals[c] == 0.0 || have[p][c] > 0.0 {
                continue;
            }
            let in_training: Vec<usize> =
                order.iter().copied().filter(|&g| part[g] == Some(SplitPart::Train) && counts[g][c] > 0).collect();
            if let (2.., Some(&g)) = (in_training.len(), in_training.last()) {
                part[g] = Some(to);
                for k in 0..n_classes {
                    have[0][k] -= counts[g][k] as f64;
                    have[p][k] += counts[g][k] as f64;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn singletons_are_stratified_to_the_image() {
        let classes: Vec<usize> = (0..100).map(|i| usize::from(i >= 80)).collect();
        let groups: Vec<usize> = (0..100).collect();
        let s = split(&classes, &groups, &[None; 100], Ratio::default(), 1).expect("splits");
        let of = |p, c| s.parts.iter().zip(&classes).filter(|(q, k)| **q == p && **k == c).count();
        assert_eq!((of(SplitPart::Validation, 0), of(SplitPart::Validation, 1)), (16, 4));
        assert_ne!(s, split(&classes, &groups, &[None; 100], Ratio::default(), 2).expect("splits"), "the seed matters");
    }

    #[test]
    fn a_small_class_and_a_torn_group_are_refused_by_name() {
        let e = split(&[0, 0, 0, 1, 1], &[0, 1, 2, 3, 4], &[None; 5], Ratio::default(), 1);
        assert_eq!(e, Err(SplitError::TooSmall { class: 1, images: 2, groups: 2, parts: 2 }));
        let fixed = [Some(SplitPart::Train), Some(SplitPart::Test), Some(SplitPart::Validation)];
        assert!(matches!(split(&[0, 0, 0], &[0, 0, 1], &fixed, Ratio::default(), 1), Err(SplitError::Torn(0, ..))));
    }

    #[test]
    fn a_datasets_own_test_part_stays_and_validation_is_carved_from_training() {
        let fixed: Vec<_> = (0..40).map(|i| Some(if i < 30 { SplitPart::Train } else { SplitPart::Test })).collect();
        let classes: Vec<usize> = (0..40).map(|i| i % 2).collect();
        let s = split(&classes, &(0..40).collect::<Vec<_>>(), &fixed, Ratio::default(), 1).expect("splits");
        assert!(s.parts[30..].iter().all(|p| *p == SplitPart::Test));
        assert_eq!(s.parts[..30].iter().filter(|p| **p == SplitPart::Validation).count(), 6);
    }

    #[test]
    fn shares_are_read() {
        assert_eq!("80/20".parse(), Ok(Ratio([0.8, 0.2, 0.0])));
        assert_eq!("70/15/15".parse(), Ok(Ratio([0.7, 0.15, 0.15])));
        for bad in ["", "80", "80/0", "a/b", "80/20/0/1", "-1/2"] {
            assert!(bad.parse::<Ratio>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_group_is_never_in_two_parts_and_every_class_is_where_it_can_be(
            rows in proptest::collection::vec((0usize..4, 0usize..40), 60..300),
            seed in 0u64..50,
            three in proptest::bool::ANY,
        ) {
            let (classes, groups): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
            let ratio = if three { Ratio([0.7, 0.15, 0.15]) } else { Ratio::default() };
            let Ok(s) = split(&classes, &groups, &vec![None; classes.len()], ratio, seed) else { return Ok(()) };
            for (i, a) in groups.iter().enumerate() {
                for (j, b) in groups.iter().enumerate() {
                    prop_assert!(a != b || s.parts[i] == s.parts[j]);
                }
            }
            let has = |p: SplitPart, c| s.parts.iter().zip(&classes).any(|(q, k)| *q == p && *k == c);
            for c in 0..4 {
                prop_assert!(!classes.contains(&c) || has(SplitPart::Train, c), "training lacks class {}", c);
            }
            prop_assert!(three || s.parts.iter().all(|p| *p != SplitPart::Test));
            let validation = s.parts.iter().filter(|p| **p == SplitPart::Validation).count();
            prop_assert!(validation * 20 >= s.parts.len() && validation * 2 <= s.parts.len(), "{validation}");
        }
    }
}
