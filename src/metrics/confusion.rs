//! The confusion matrix and what is read from it, as scikit-learn's `classification_report` has it.

use super::evaluation::{ClassEvaluation, Estimate, Evaluation};
use super::interval::Interval;
use super::sample::Sample;

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
    /// How many are so.
    pub support: usize,
}

/// Everything read from a confusion matrix, with 95 % intervals.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// Cells.
    pub n: usize,
    /// Share that is right, and its interval (Wilson's; by bootstrap over groups where cells belong together).
    pub accuracy: (f64, Option<Interval>),
    /// Means over the classes of precision, recall and F1; F1's interval (bootstrap over groups).
    pub macro_average: (ClassScores, Option<Interval>),
    /// Means weighted by support; F1's interval (bootstrap over groups).
    pub weighted_average: (ClassScores, Option<Interval>),
    /// Each class; what is not defined is none.
    pub per_class: Vec<ClassEvaluation>,
    /// The counts.
    pub confusion: Confusion,
}

impl Confusion {
    /// Counts pairs of reference and prediction; pairs beyond the classes are a programming error.
    ///
    /// # Panics
    /// When a class is not below `classes`.
    #[must_use]
    pub fn of(classes: usize, pairs: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let mut counts = vec![0; classes * classes];
        for (truth, called) in pairs {
            assert!(truth < classes && called < classes, "a class beyond the set");
            counts[truth * classes + called] += 1;
        }
        Self { classes, counts }
    }

    /// From counts, row by row.
    pub(super) fn from_counts(classes: usize, counts: Vec<usize>) -> Self {
        Self { classes, counts }
    }

    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Cells that are `truth` and were called `called`.
    #[must_use]
    pub fn count(&self, truth: usize, called: usize) -> usize {
        self.counts[truth * self.classes + called]
    }

    /// Rows of counts.
    pub fn rows(&self) -> impl Iterator<Item = &[usize]> {
        self.counts.chunks_exact(self.classes)
    }

    /// All cells.
    #[must_use]
    pub fn total(&self) -> usize {
        self.counts.iter().sum()
    }

    /// Cells that are right.
    #[must_use]
    pub fn right(&self) -> usize {
        (0..self.classes).map(|c| self.count(c, c)).sum()
    }

    /// Cells called `class`.
    #[must_use]
    pub fn called(&self, class: usize) -> usize {
        (0..self.classes).map(|t| self.count(t, class)).sum()
    }

    /// Cells that are `class`.
    #[must_use]
    pub fn support(&self, class: usize) -> usize {
        (0..self.classes).map(|c| self.count(class, c)).sum()
    }

    /// Scores of one class.
    #[must_use]
    pub fn class(&self, class: usize) -> ClassScores {
        let (hit, called, support) = (self.count(class, class), self.called(class), self.support(class));
        let (precision, recall) = (share(hit, called), share(hit, support));
        ClassScores { precision, recall, f1: share(2 * hit, called + support), support }
    }

    /// Mean of the recalls of classes that occur in the reference (scikit-learn's `balanced_accuracy_score`); 0 without.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a count of classes")]
    pub fn balanced_accuracy(&self) -> f64 {
        let recalls: Vec<f64> = (0..self.classes)
            .filter(|&c| self.support(c) > 0)
            .map(|c| share(self.count(c, c), self.support(c)))
            .collect();
        recalls.iter().sum::<f64>() / recalls.len().max(1) as f64
    }

    /// Cohen's kappa (Educational and Psychological Measurement 20 (1960) 37); `None` where chance alone agrees always.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    pub fn kappa(&self) -> Option<f64> {
        let n = self.total() as f64;
        let chance: f64 = (0..self.classes).map(|c| self.support(c) as f64 * self.called(c) as f64).sum::<f64>() / n;
        let wrong_by_chance = n - chance;
        (wrong_by_chance > 0.0).then(|| 1.0 - (n - self.right() as f64) / wrong_by_chance)
    }

    /// Matthews' correlation coefficient for several classes (Gorodkin, Computational Biology and Chemistry 28 (2004)
    /// 367); 0 where all cells are one class or called one class, as in scikit-learn.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    pub fn matthews(&self) -> f64 {
        let n = self.total() as f64;
        let sum = |f: &dyn Fn(usize) -> f64| (0..self.classes).map(f).sum::<f64>();
        let (support, called) = (|c: usize| self.support(c) as f64, |c: usize| self.called(c) as f64);
        let both = self.right() as f64 * n - sum(&|c| support(c) * called(c));
        let truth = n * n - sum(&|c| support(c) * support(c));
        let calls = n * n - sum(&|c| called(c) * called(c));
        if truth * calls > 0.0 { both / (truth.sqrt() * calls.sqrt()) } else { 0.0 }
    }

    /// Averages over classes that occur in the reference or among the predictions, plain and weighted by support, as
    /// scikit-learn takes them over the union of labels.
    #[must_use]
    pub fn averages(&self) -> (ClassScores, ClassScores) {
        self.averages_of(|_| true)
    }

    /// The same without classes that are not wanted.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    pub(super) fn averages_of(&self, wanted: impl Fn(usize) -> bool) -> (ClassScores, ClassScores) {
        let there = |&c: &usize| self.support(c) + self.called(c) > 0 && wanted(c);
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
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts")]
pub fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

impl Scores {
    /// Scores of pairs of reference and prediction; `groups` says which rows belong together (one slide, copies of
    /// one cell), for the intervals.
    ///
    /// # Panics
    /// When a class is not below `classes`, or there are fewer groups than pairs.
    #[must_use]
    pub fn of(classes: usize, pairs: &[(usize, usize)], groups: &[usize], seed: u64) -> Self {
        let confusion = Confusion::of(classes, pairs.iter().copied());
        // Whoever has only labels is sure of each: then every score of labels is that of these probabilities.
        let sure: Vec<f64> = pairs.iter().flat_map(|p| (0..classes).map(|c| f64::from(u8::from(c == p.1)))).collect();
        let truth = pairs.iter().map(|p| p.0).collect();
        let sample = Sample::new(classes, truth, &sure, groups[..pairs.len()].to_vec());
        let all = sample.and_then(|s| Evaluation::of(&s, seed));
        let interval = |e: Option<&Estimate>| e.and_then(|e| e.interval);
        let (macro_average, weighted_average) = confusion.averages();
        let n = confusion.total();
        let own = all.as_ref();
        Self {
            n,
            accuracy: (share(confusion.right(), n), interval(own.map(|e| &e.accuracy))),
            macro_average: (macro_average, interval(own.map(|e| &e.macro_average[2]))),
            weighted_average: (weighted_average, interval(own.map(|e| &e.weighted_average[2]))),
            per_class: all.map_or_else(Vec::new, |e| e.per_class),
            confusion,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_scikit_learns() {
        // y = [0,0,0,0,1,1,1,2,2,2], p = [0,0,1,0,1,2,1,2,2,0]; classification_report(y, p, output_dict=True),
        // scikit-learn 1.9.1: precision .75 .6667 .6667, recall .75 .6667 .6667; macro f1 .694444, weighted f1 .7
        let truth = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2];
        let called = [0, 0, 1, 0, 1, 2, 1, 2, 2, 0];
        let pairs: Vec<_> = truth.into_iter().zip(called).collect();
        let s = Scores::of(3, &pairs, &(0..10).collect::<Vec<_>>(), 1);
        assert!((s.accuracy.0 - 0.7).abs() < 1e-12);
        assert!((s.macro_average.0.f1 - 0.694_444_4).abs() < 1e-6, "{:?}", s.macro_average);
        assert!((s.weighted_average.0.f1 - 0.7).abs() < 1e-6);
        let first = &s.per_class[0];
        for e in [first.precision, first.recall, first.f1] {
            assert!(e.is_some_and(|e| (e.value - 0.75).abs() < 1e-12), "{first:?}");
        }
        assert_eq!(first.support, 4);
    }

    #[test]
    fn a_class_that_never_occurs_has_no_scores_and_counts_in_no_average() {
        let s = Scores::of(3, &[(0, 0), (1, 1)], &[0, 1], 1);
        assert_eq!((s.per_class[2].support, s.per_class[2].precision, s.per_class[2].f1), (0, None, None));
        assert!((s.macro_average.0.f1 - 1.0).abs() < 1e-12);
    }

    proptest::proptest! {
        #[test]
        fn counts_add_up(pairs in proptest::collection::vec((0usize..4, 0usize..4), 1..60)) {
            let m = Confusion::of(4, pairs.iter().copied());
            proptest::prop_assert_eq!(m.total(), pairs.len());
            proptest::prop_assert_eq!((0..4).map(|c| m.support(c)).sum::<usize>(), pairs.len());
            proptest::prop_assert_eq!((0..4).map(|c| m.called(c)).sum::<usize>(), pairs.len());
            let (plain, weighted) = m.averages();
            proptest::prop_assert!((0.0..=1.0 + 1e-9).contains(&plain.f1) && (0.0..=1.0 + 1e-9).contains(&weighted.f1));
        }
    }
}
