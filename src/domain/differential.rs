//! Counts of labels over a set of images, as they stand: the model's where nobody looked, the user's where somebody did.
//!
//! Counting only: reference ranges, intervals and sign-off belong to the laboratory's report.

use super::catalogue::{Role, UNIDENTIFIED, canonical_label, label_key, role};
use super::{ClassSet, ImageResult, Outcome};
use std::collections::BTreeMap;

/// How many cells of one label.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Count {
    /// Cells.
    pub all: usize,
    /// Of these, cells that the user has looked at.
    pub reviewed: usize,
}

/// How many cells of each label, and what could not be counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Differential {
    cells: BTreeMap<String, Count>,
    /// Images without a white cell.
    pub no_cell: usize,
    pub failed: usize,
    pub images: usize,
}

impl Differential {
    /// Adds one image's result as the model has it.
    pub fn add(&mut self, result: &ImageResult, classes: &ClassSet) {
        self.add_image(result);
        if let Outcome::Cells(cells) = &result.outcome {
            for cell in cells {
                let class = cell.accepted.then(|| classes.name(cell.probabilities.top().0)).flatten();
                self.count(class.unwrap_or(UNIDENTIFIED), false, true);
            }
        }
    }

    /// Counts an image, and not its cells.
    pub fn add_image(&mut self, result: &ImageResult) {
        self.images += 1;
        match &result.outcome {
            Outcome::Failed(_) => self.failed += 1,
            Outcome::Cells(cells) if cells.is_empty() => self.no_cell += 1,
            Outcome::Cells(_) => {}
        }
    }

    /// Counts a cell (`up`), or takes it back. Spellings of one label are one label.
    pub fn count(&mut self, label: &str, reviewed: bool, up: bool) {
        let count = self.entry(label);
        let by = |n: usize| if up { n + 1 } else { n.saturating_sub(1) };
        count.all = by(count.all);
        if reviewed {
            count.reviewed = by(count.reviewed);
        }
    }

    /// The counter of a label: under the catalogue's spelling, or under the one in which it was counted first.
    fn entry(&mut self, label: &str) -> &mut Count {
        let known = if self.cells.contains_key(label) {
            label.to_owned()
        } else {
            let own = canonical_label(label);
            let key = label_key(label);
            // A spelling that nothing is counted under any more binds nobody.
            self.cells.retain(|k, c| c.all > 0 || label_key(k) != key);
            self.cells.keys().find(|k| **k == own || label_key(k) == key).cloned().unwrap_or(own)
        };
        self.cells.entry(known).or_default()
    }

    /// Adds another set of images.
    pub fn merge(&mut self, other: &Self) {
        for (label, count) in &other.cells {
            let own = self.entry(label);
            own.all += count.all;
            own.reviewed += count.reviewed;
        }
        self.no_cell += other.no_cell;
        self.failed += other.failed;
        self.images += other.images;
    }

    pub fn count_of(&self, label: &str) -> Count {
        self.cells.get(label).copied().unwrap_or_default()
    }

    /// Labels that were counted at least once, alphabetically.
    pub fn labels(&self) -> impl Iterator<Item = (&str, Count)> {
        self.cells.iter().filter(|(_, c)| c.all > 0).map(|(l, c)| (l.as_str(), *c))
    }

    fn sum(&self, wanted: impl Fn(Role) -> bool) -> Count {
        let mut sum = Count::default();
        for (_, count) in self.labels().filter(|(l, _)| wanted(role(l))) {
            sum.all += count.all;
            sum.reviewed += count.reviewed;
        }
        sum
    }

    /// Cells of the differential's 100 %.
    pub fn white(&self) -> Count {
        self.sum(|r| r == Role::Counted)
    }

    /// All cells and squares that were looked at, whatever they are.
    pub fn squares(&self) -> Count {
        self.sum(|_| true)
    }

    /// Cells that nobody could name.
    pub fn unidentified(&self) -> Count {
        self.count_of(UNIDENTIFIED)
    }

    /// Share of a label among the white cells, 0..=1; `None` while nothing is counted.
    pub fn share(&self, label: &str) -> Option<f64> {
        let total = self.white().all;
        (total > 0).then(|| self.count_of(label).all as f64 / total as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_white_cell_is_outside_the_hundred_percent() {
        let mut d = Differential::default();
        for (label, n) in [("neutrophil", 3), ("blast", 1), ("NRBC", 2), ("smudge cell", 1), ("unidentified", 1)] {
            (0..n).for_each(|i| d.count(label, i == 0, true));
        }
        d.count("not a white cell", true, true);
        assert_eq!(d.white(), Count { all: 4, reviewed: 2 });
        assert_eq!((d.share("neutrophil"), d.squares().all, d.unidentified().all), (Some(0.75), 9, 1));
        d.count("neutrophil", true, false);
        assert_eq!(d.count_of("neutrophil"), Count { all: 2, reviewed: 0 });
        let mut both = d.clone();
        both.merge(&d);
        assert_eq!(both.white().all, 6);
    }
}
