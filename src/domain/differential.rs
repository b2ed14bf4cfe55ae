//! Counts of the classes over a set of images, as they stand.
//!
//! Counting only: reference ranges, intervals and sign-off belong to the laboratory's report.

use super::{ImageResult, Outcome};

/// How many cells of each class, and what could not be counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Differential {
    /// Cells per class, in the model's class order.
    pub counts: Vec<usize>,
    /// Cells below the abstain threshold.
    pub unidentified: usize,
    /// Images without a white cell.
    pub no_cell: usize,
    /// Images that failed.
    pub failed: usize,
    /// Images seen.
    pub images: usize,
}

impl Differential {
    /// Nothing counted yet, for a model with `classes` classes.
    #[must_use]
    pub fn new(classes: usize) -> Self {
        Self { counts: vec![0; classes], ..Self::default() }
    }

    /// Adds one image's result.
    pub fn add(&mut self, result: &ImageResult) {
        self.images += 1;
        match &result.outcome {
            Outcome::Failed(_) => self.failed += 1,
            Outcome::Cells(cells) if cells.is_empty() => self.no_cell += 1,
            Outcome::Cells(cells) => {
                for cell in cells {
                    match self.counts.get_mut(cell.probabilities.top().0) {
                        Some(n) if cell.accepted => *n += 1,
                        _ => self.unidentified += 1,
                    }
                }
            }
        }
    }

    /// Counts a cell that was counted as `from` as `to` instead; no class is unidentified.
    pub fn shift(&mut self, from: Option<usize>, to: Option<usize>) {
        for (class, up) in [(from, false), (to, true)] {
            let count = match class {
                Some(c) if c < self.counts.len() => &mut self.counts[c],
                _ => &mut self.unidentified,
            };
            *count = if up { *count + 1 } else { count.saturating_sub(1) };
        }
    }

    /// Cells that have a class.
    #[must_use]
    pub fn total(&self) -> usize {
        self.counts.iter().sum()
    }

    /// Share of a class among the cells that have one, 0..=1; `None` while nothing is counted.
    #[must_use]
    pub fn share(&self, class: usize) -> Option<f64> {
        let total = self.total();
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        (total > 0).then(|| self.counts.get(class).copied().unwrap_or(0) as f64 / total as f64)
    }
}
