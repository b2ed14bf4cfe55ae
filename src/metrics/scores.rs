//! Scores of labels alone, without probabilities, as scikit-learn's `classification_report` has them.

use super::confusion::{ClassScores, Confusion, share};
use super::evaluation::{ClassEvaluation, Evaluation};
use super::interval::{Estimate, Interval};
use super::sample::Sample;

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
    pub confusion: Confusion,
}

impl Scores {
    /// Scores of pairs of reference and prediction; `groups` says which rows belong together (one slide, copies of
    /// one cell), for the intervals.
    ///
    /// # Panics
    /// When a class is not below `classes`, or there are fewer groups than pairs.
    pub fn new(classes: usize, pairs: &[(usize, usize)], groups: &[usize], seed: u64) -> Self {
        let confusion = Confusion::new(classes, pairs.iter().copied());
        // Whoever has only labels is sure of each: then every score of labels is that of these probabilities.
        let sure: Vec<f64> = pairs.iter().flat_map(|p| (0..classes).map(|c| f64::from(u8::from(c == p.1)))).collect();
        let references = pairs.iter().map(|p| p.0).collect();
        let sample = Sample::new(classes, references, &sure, groups[..pairs.len()].to_vec());
        let all = sample.and_then(|s| Evaluation::new(&s, seed));
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
        let references = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2];
        let predicted = [0, 0, 1, 0, 1, 2, 1, 2, 2, 0];
        let pairs: Vec<_> = references.into_iter().zip(predicted).collect();
        let s = Scores::new(3, &pairs, &(0..10).collect::<Vec<_>>(), 1);
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
        let s = Scores::new(3, &[(0, 0), (1, 1)], &[0, 1], 1);
        assert_eq!((s.per_class[2].support, s.per_class[2].precision, s.per_class[2].f1), (0, None, None));
        assert!((s.macro_average.0.f1 - 1.0).abs() < 1e-12);
    }
}
