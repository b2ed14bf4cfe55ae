//! The confusion matrix and what is read from it, as scikit-learn's `classification_report` has it.

/// Counts: rows are reference labels, columns predictions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    counts: Vec<usize>,
}

/// One class' scores, each 0..=1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ClassScores {
    /// Of those called so, the share that is so; 0 where none is called so (scikit-learn's `zero_division=0`).
    pub precision: f64,
    /// Of those that are so, the share that is called so.
    pub recall: f64,
    /// Harmonic mean of both.
    pub f1: f64,
    pub support: usize,
}

impl Confusion {
    /// Counts pairs of reference and prediction; pairs beyond the classes are a programming error.
    ///
    /// # Panics
    /// When a class is not below `classes`.
    pub fn new(classes: usize, pairs: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let mut counts = vec![0; classes * classes];
        for (references, predicted) in pairs {
            assert!(references < classes && predicted < classes, "a class beyond the set");
            counts[references * classes + predicted] += 1;
        }
        Self { classes, counts }
    }

    /// From counts, row by row.
    pub(super) fn from_counts(classes: usize, counts: Vec<usize>) -> Self {
        Self { classes, counts }
    }

    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Cells that are `truth` and were called `called`.
    pub fn count(&self, references: usize, predicted: usize) -> usize {
        self.counts[references * self.classes + predicted]
    }

    pub fn rows(&self) -> impl Iterator<Item = &[usize]> {
        self.counts.chunks_exact(self.classes)
    }

    pub fn total(&self) -> usize {
        self.counts.iter().sum()
    }

    pub fn right(&self) -> usize {
        (0..self.classes).map(|c| self.count(c, c)).sum()
    }

    pub fn predicted(&self, class: usize) -> usize {
        (0..self.classes).map(|t| self.count(t, class)).sum()
    }

    /// Cells that are `class`.
    pub fn support(&self, class: usize) -> usize {
        (0..self.classes).map(|c| self.count(class, c)).sum()
    }

    pub fn class(&self, class: usize) -> ClassScores {
        let (hit, predicted, support) = (self.count(class, class), self.predicted(class), self.support(class));
        let (precision, recall) = (share(hit, predicted), share(hit, support));
        ClassScores { precision, recall, f1: share(2 * hit, predicted + support), support }
    }

    /// Mean of the recalls of classes that occur in the reference (scikit-learn's `balanced_accuracy_score`); 0 without.
    pub fn balanced_accuracy(&self) -> f64 {
        let recalls: Vec<f64> = (0..self.classes)
            .filter(|&c| self.support(c) > 0)
            .map(|c| share(self.count(c, c), self.support(c)))
            .collect();
        recalls.iter().sum::<f64>() / recalls.len().max(1) as f64
    }

    /// Cohen's kappa (Educational and Psychological Measurement 20 (1960) 37); `None` where chance alone agrees always.
    pub fn kappa(&self) -> Option<f64> {
        let n = self.total() as f64;
        let chance: f64 = (0..self.classes).map(|c| self.support(c) as f64 * self.predicted(c) as f64).sum::<f64>() / n;
        let wrong_by_chance = n - chance;
        (wrong_by_chance > 0.0).then(|| 1.0 - (n - self.right() as f64) / wrong_by_chance)
    }

    /// Matthews' correlation coefficient for several classes (Gorodkin, Computational Biology and Chemistry 28 (2004)
    /// 367); 0 where all cells are one class or called one class, as in scikit-learn.
    pub fn matthews(&self) -> f64 {
        let n = self.total() as f64;
        let sum = |f: &dyn Fn(usize) -> f64| (0..self.classes).map(f).sum::<f64>();
        let (support, predicted) = (|c: usize| self.support(c) as f64, |c: usize| self.predicted(c) as f64);
        let both = self.right() as f64 * n - sum(&|c| support(c) * predicted(c));
        let references = n * n - sum(&|c| support(c) * support(c));
        let calls = n * n - sum(&|c| predicted(c) * predicted(c));
        if references * calls > 0.0 { both / (references.sqrt() * calls.sqrt()) } else { 0.0 }
    }

    /// Averages over classes that occur in the reference or among the predictions, plain and weighted by support, as
    /// scikit-learn takes them over the union of labels.
    pub fn averages(&self) -> (ClassScores, ClassScores) {
        self.averages_of(|_| true)
    }

    /// The same without classes that are not wanted.
    pub(super) fn averages_of(&self, wanted: impl Fn(usize) -> bool) -> (ClassScores, ClassScores) {
        let there = |&c: &usize| self.support(c) + self.predicted(c) > 0 && wanted(c);
        let present: Vec<ClassScores> = (0..self.classes).filter(there).map(|c| self.class(c)).collect();
        let total = self.total();
        let mean = |weight: &dyn Fn(&ClassScores) -> f64| {
            let sum = |f: fn(&ClassScores) -> f64| present.iter().map(|s| weight(s) * f(s)).sum::<f64>();
            ClassScores {
                precision: sum(|s| s.precision),
                recall: sum(|s| s.recall),
                f1: sum(|s| s.f1),
                support: total,
            }
        };
        (mean(&|_| 1.0 / present.len().max(1) as f64), mean(&|s| s.support as f64 / total.max(1) as f64))
    }
}

/// `part` of `whole`; 0 of nothing.
pub fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn counts_add_up(pairs in proptest::collection::vec((0usize..4, 0usize..4), 1..60)) {
            let m = Confusion::new(4, pairs.iter().copied());
            proptest::prop_assert_eq!(m.total(), pairs.len());
            proptest::prop_assert_eq!((0..4).map(|c| m.support(c)).sum::<usize>(), pairs.len());
            proptest::prop_assert_eq!((0..4).map(|c| m.predicted(c)).sum::<usize>(), pairs.len());
            let (plain, weighted) = m.averages();
            proptest::prop_assert!((0.0..=1.0 + 1e-9).contains(&plain.f1) && (0.0..=1.0 + 1e-9).contains(&weighted.f1));
        }
    }
}
