//! Cells of different groups that look like the same one, as they are shown before a training. Finding them is `dataset`'s.

use crate::dataset::{CutCell, Item, NearDuplicatePair, SplitPart};
use crate::domain::{ClassSet, Digest, Square};
use crate::laboratory::number_of;
use std::path::PathBuf;

/// Pairs of lookalikes that are kept for the user to look at, those on different sides first.
const SHOWN_PAIRS: usize = 400;

/// One of two cells that look alike.
#[derive(Debug, Clone, PartialEq)]
pub struct LookalikeCell {
    pub path: PathBuf,
    /// Digest of the file's bytes.
    pub digest: Digest,
    /// The same below the dataset.
    pub name: String,
    /// Its square, where the dataset says one.
    pub square: Option<Square>,
    pub label: String,
    pub part: Option<SplitPart>,
}

/// Two cells of different groups that look like the same one.
#[derive(Debug, Clone, PartialEq)]
pub struct Lookalike {
    /// The two.
    pub cells: [LookalikeCell; 2],
    /// How alike they are, at most 1.
    pub correlation: f32,
    /// Whether they lie in different parts.
    pub apart: bool,
}

/// What is alike across groups.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Lookalikes {
    pub pairs: usize,
    /// How many images are in a pair.
    pub images: usize,
    /// Pairs on different sides of the split.
    pub apart: usize,
    pub apart_images: usize,
    /// The pairs to look at: those on different sides first, then the most alike.
    pub shown: Vec<Lookalike>,
}

impl Lookalikes {
    /// In a sentence; nothing where nothing is alike.
    pub fn line(&self) -> Option<String> {
        let told = format!(
            "lookalikes in different groups: {} of {} images",
            number_of(self.pairs, "pair", "pairs"),
            self.images
        );
        match (self.pairs, self.apart) {
            (0, _) => None,
            (_, 0) => Some(format!("{told}, each pair on one side of the split")),
            (_, n) => Some(format!(
                "{told}; {n} of the pairs ({} images) are on different sides of the split, else a class would be missing from a part: the figures may be a little too good",
                self.apart_images
            )),
        }
    }
}

/// What is alike across groups, with the pairs that the user may look at.
pub(super) fn lookalikes(
    across: &[NearDuplicatePair],
    apart: &[NearDuplicatePair],
    (items, cuts): (&[Item], &[CutCell]),
    classes: &ClassSet,
    parts: Option<&[SplitPart]>,
) -> Lookalikes {
    let images = |pairs: &[NearDuplicatePair]| {
        let mut all: Vec<usize> = pairs.iter().flat_map(|p| [p.pair.0, p.pair.1]).collect();
        all.sort_unstable();
        all.dedup();
        all.len()
    };
    let cell = |i: usize| LookalikeCell {
        path: items[i].path.clone(),
        digest: cuts[i].file,
        name: items[i].name.clone(),
        square: items[i].square,
        label: classes.label(items[i].class).unwrap_or_default().to_owned(),
        part: parts.map(|p| p[i]),
    };
    let away = |p: &NearDuplicatePair| parts.is_some_and(|parts| parts[p.pair.0] != parts[p.pair.1]);
    let together = across.iter().filter(|p| !away(p));
    let shown = apart.iter().chain(together).take(SHOWN_PAIRS).map(|p| Lookalike {
        cells: [cell(p.pair.0), cell(p.pair.1)],
        correlation: p.correlation,
        apart: away(p),
    });
    Lookalikes {
        pairs: across.len(),
        images: images(across),
        apart: apart.len(),
        apart_images: images(apart),
        shown: shown.collect(),
    }
}
