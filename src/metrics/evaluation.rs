//! Everything that is said of a model on labelled cells: scores, each with its interval and where that comes from.
//!
//! Proportions of independent cells have Wilson's interval; where cells belong together, and for every other score, whole
//! groups are resampled.

use super::confusion::{ClassScores, Confusion, share};
use super::curves::{Binning, calibration_error, precision_recall, reliability, risk_coverage, roc};
use super::interval::{Estimate, How, Interval, LEAST_POSITIVES, wilson};
use super::probability::{brier, in_top_two, log_loss, mean};
use super::resample::{Resampled, Values};
use super::sample::Sample;

#[derive(Debug, Clone, PartialEq)]
pub struct ClassEvaluation {
    /// Cells that are so.
    pub support: usize,
    /// Of those called so, the share that is so; none where none is called so.
    pub precision: Option<Estimate>,
    /// Of those that are so, the share called so; none where none is so.
    pub recall: Option<Estimate>,
    /// Harmonic mean of both; none where none is so and none is called so.
    pub f1: Option<Estimate>,
    /// Area under the ROC curve against all other classes; none where one side is empty.
    pub roc_auc: Option<Estimate>,
    /// Average precision against all other classes; none where no cell is so.
    pub average_precision: Option<Estimate>,
}

/// Everything that is said of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Cells.
    pub n: usize,
    pub groups: usize,
    pub confusion: Confusion,
    /// Share right.
    pub accuracy: Estimate,
    /// Mean of the recalls of classes that occur.
    pub balanced_accuracy: Estimate,
    /// Plain means over the classes of precision, recall and F1.
    pub macro_average: [Estimate; 3],
    /// The same weighted by support.
    pub weighted_average: [Estimate; 3],
    /// Cohen's kappa; none where chance alone agrees always.
    pub kappa: Option<Estimate>,
    pub matthews: Estimate,
    /// Mean negative log-likelihood, natural logarithm.
    pub log_loss: Estimate,
    /// Brier score, 0 to 2.
    pub brier: Estimate,
    /// Share whose reference is one of the two most probable classes.
    pub top_two: Estimate,
    /// Expected calibration error over bins of equal width.
    pub calibration_error: Estimate,
    /// Expected calibration error over bins of equally many cells.
    pub calibration_error_mass: Estimate,
    /// Area under the risk–coverage curve.
    pub risk_coverage: Estimate,
    /// Mean of the classes' areas under the ROC curve, where each has one.
    pub roc_auc: Option<Estimate>,
    /// Mean of the classes' average precisions, where each has one.
    pub average_precision: Option<Estimate>,
    pub per_class: Vec<ClassEvaluation>,
}

type Score<'a> = &'a dyn Fn(&Values) -> Option<f64>;

/// Makes estimates from exact scores and, where there are any, resamples.
struct Maker<'a> {
    resampled: Option<&'a Resampled>,
    /// Whether each cell is a group by itself.
    alone: bool,
    intervals: bool,
}

impl Maker<'_> {
    fn bounded(&self, value: f64, low: f64, high: f64, score: Score<'_>) -> Estimate {
        let interval = self
            .resampled
            .and_then(|r| r.interval(value, score))
            .map(|i| Interval { low: i.low.clamp(low, high), high: i.high.clamp(low, high) });
        self.estimate(value, interval)
    }

    fn centred(&self, value: f64, score: Score<'_>) -> Estimate {
        self.estimate(value, self.resampled.and_then(|r| r.centred(value, score)))
    }

    fn estimate(&self, value: f64, interval: Option<Interval>) -> Estimate {
        let how = match (&interval, self.resampled) {
            (Some(_), Some(r)) => How::Bootstrap(r.groups),
            _ => How::None,
        };
        Estimate { value, interval, how }
    }

    /// A class' score that `behind` cells stand behind: none without any, no interval with too few.
    fn of_class(behind: usize, make: impl FnOnce() -> Estimate) -> Option<Estimate> {
        match behind {
            0 => None,
            1..LEAST_POSITIVES => Some(Estimate { interval: None, how: How::Few, ..make() }),
            _ => Some(make()),
        }
    }

    fn share(&self, hits: usize, n: usize, score: Score<'_>) -> Estimate {
        let value = share(hits, n);
        if self.alone && self.intervals {
            return Estimate { value, interval: Some(wilson(hits, n)), how: How::Wilson };
        }
        self.bounded(value, 0.0, 1.0, score)
    }
}

impl Evaluation {
    /// All scores with intervals; the same seed gives the same ones. `None` without cells.
    pub fn new(sample: &Sample, seed: u64) -> Option<Self> {
        Self::make(sample, Resampled::new(sample, seed).as_ref(), true)
    }

    /// All scores without intervals: what can be had within a frame.
    pub fn points(sample: &Sample) -> Option<Self> {
        Self::make(sample, None, false)
    }

    fn make(sample: &Sample, resampled: Option<&Resampled>, intervals: bool) -> Option<Self> {
        let n = sample.len();
        let (k, confusion) = (sample.classes(), sample.confusion());
        let mut seen = sample.groups().to_vec();
        seen.sort_unstable();
        seen.dedup();
        let groups = seen.len();
        let m = Maker { resampled, alone: groups == n, intervals };
        let per_class: Vec<ClassEvaluation> = (0..k)
            .map(|c| {
                let own = confusion.class(c);
                let (hits, predicted) = (confusion.count(c, c), confusion.predicted(c));
                let rest = own.support.min(n - own.support);
                let area = |a| Maker::of_class(rest, || m.bounded(a, 0.0, 1.0, &|v| v.areas[c].0));
                let average = |a| Maker::of_class(own.support, || m.bounded(a, 0.0, 1.0, &|v| v.areas[c].1));
                let either = own.support + predicted - hits;
                let f1 = || m.bounded(own.f1, 0.0, 1.0, &|v| v.classes[c][2]);
                ClassEvaluation {
                    support: own.support,
                    precision: Maker::of_class(predicted, || m.share(hits, predicted, &|v| v.classes[c][0])),
                    recall: Maker::of_class(own.support, || m.share(hits, own.support, &|v| v.classes[c][1])),
                    // Many false calls do not make a class of three cells a class to judge by.
                    f1: Maker::of_class(if own.support == 0 { either.min(1) } else { own.support }, f1),
                    roc_auc: roc(sample, c).and_then(|(_, a)| area(a)),
                    average_precision: precision_recall(sample, c).and_then(|(_, a)| average(a)),
                }
            })
            .collect();
        let mean_of = |values: Vec<f64>| (values.len() == k).then(|| values.iter().sum::<f64>() / k as f64);
        let roc_auc = mean_of(per_class.iter().filter_map(|c| c.roc_auc.map(|e| e.value)).collect());
        let average = mean_of(per_class.iter().filter_map(|c| c.average_precision.map(|e| e.value)).collect());
        let (plain, weighted) = confusion.averages();
        let averages = |s: &ClassScores, which: usize| {
            let one = |value: f64, i: usize| m.bounded(value, 0.0, 1.0, &move |v| Some(v.averages[which][i]));
            [one(s.precision, 0), one(s.recall, 1), one(s.f1, 2)]
        };
        let top = (0..n).filter(|&r| in_top_two(sample, r)).count();
        let error = |how: Binning, i: usize| {
            m.centred(calibration_error(&reliability(sample, how)), &move |v| Some(v.calibration_error[i]))
        };
        Some(Self {
            n,
            groups,
            accuracy: m.share(confusion.right(), n, &|v| Some(v.accuracy)),
            balanced_accuracy: m.bounded(confusion.balanced_accuracy(), 0.0, 1.0, &|v| Some(v.balanced)),
            macro_average: averages(&plain, 0),
            weighted_average: averages(&weighted, 1),
            kappa: confusion.kappa().map(|value| m.bounded(value, -1.0, 1.0, &|v| v.kappa)),
            matthews: m.bounded(confusion.matthews(), -1.0, 1.0, &|v| Some(v.matthews)),
            log_loss: m.bounded(mean(sample, log_loss)?, 0.0, f64::INFINITY, &|v| Some(v.log_loss)),
            brier: m.bounded(mean(sample, brier)?, 0.0, 2.0, &|v| Some(v.brier)),
            top_two: m.share(top, n, &|v| Some(v.top_two)),
            calibration_error: error(Binning::Width, 0),
            calibration_error_mass: error(Binning::Mass, 1),
            risk_coverage: m.bounded(risk_coverage(sample).1, 0.0, 1.0, &|v| Some(v.risk_coverage)),
            roc_auc: roc_auc.map(|value| m.bounded(value, 0.0, 1.0, &|v| all_mean(v, |a| a.0))),
            average_precision: average.map(|value| m.bounded(value, 0.0, 1.0, &|v| all_mean(v, |a| a.1))),
            per_class,
            confusion,
        })
    }
}

fn all_mean(v: &Values, which: impl Fn(&(Option<f64>, Option<f64>)) -> Option<f64>) -> Option<f64> {
    let sum: Option<f64> = v.areas.iter().map(which).sum();
    sum.map(|s| s / v.areas.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> impl proptest::strategy::Strategy<Value = (usize, Vec<(usize, Vec<f64>)>)> {
        use proptest::prelude::*;
        (2usize..5).prop_flat_map(|k| {
            let row = (0..k, proptest::collection::vec(0.001f64..1.0, k));
            (Just(k), proptest::collection::vec(row, 1..50))
        })
    }

    fn evaluate(k: usize, rows: &[(usize, Vec<f64>)]) -> Evaluation {
        let flat: Vec<f64> = rows.iter().flat_map(|(_, p)| p.clone()).collect();
        let sample =
            Sample::new(k, rows.iter().map(|r| r.0).collect(), &flat, (0..rows.len()).collect()).expect("fits");
        Evaluation::new(&sample, 1).expect("cells")
    }

    /// Against scikit-learn and NumPy on real answers: tests/fixtures/evaluation/make.py.
    #[test]
    fn real_answers_have_scikit_learns_scores() {
        let table = include_str!("../../tests/fixtures/evaluation/predictions.csv");
        let mut lines = table.lines();
        let labels: Vec<&str> = lines.next().expect("a head").split(',').skip(1).map(|l| &l[2..]).collect();
        let rows: Vec<(usize, Vec<f64>)> = lines
            .map(|line| {
                let (reference, p) = line.split_once(',').expect("columns");
                let references = labels.iter().position(|l| *l == reference).expect("a label");
                (references, p.split(',').map(|v| v.parse().expect("a number")).collect())
            })
            .collect();
        let golden: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/fixtures/evaluation/golden.json")).expect("JSON");
        let e = evaluate(labels.len(), &rows);
        let same = |ours: f64, theirs: &serde_json::Value, what: &str| {
            let theirs = theirs.as_f64().expect(what);
            assert!((ours - theirs).abs() < 1e-12, "{what}: {ours} {theirs}");
        };
        for (ours, key) in [
            (e.accuracy, "accuracy"),
            (e.balanced_accuracy, "balanced_accuracy"),
            (e.kappa.expect("kappa"), "kappa"),
            (e.matthews, "matthews"),
            (e.log_loss, "log_loss"),
            (e.brier, "brier"),
            (e.top_two, "top_two"),
            (e.calibration_error, "calibration_error_width"),
            (e.calibration_error_mass, "calibration_error_mass"),
            (e.risk_coverage, "risk_coverage"),
        ] {
            same(ours.value, &golden[key], key);
            assert!(ours.interval.is_some_and(|i| i.low <= ours.value && ours.value <= i.high), "{key}: {ours:?}");
        }
        for i in 0..3 {
            same(e.macro_average[i].value, &golden["macro"][i], "macro");
            same(e.weighted_average[i].value, &golden["weighted"][i], "weighted");
        }
        for (c, own) in e.per_class.iter().enumerate() {
            same(own.precision.expect("precision").value, &golden["precision"][c], "precision");
            same(own.recall.expect("recall").value, &golden["recall"][c], "recall");
            same(own.f1.expect("F1").value, &golden["f1"][c], "f1");
            same(own.roc_auc.expect("area").value, &golden["roc_auc"][c], "roc_auc");
            same(own.average_precision.expect("average").value, &golden["average_precision"][c], "average_precision");
            assert_eq!(own.support as u64, golden["support"][c]);
            for d in 0..labels.len() {
                assert_eq!(e.confusion.count(c, d) as u64, golden["confusion"][c][d]);
            }
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]
        #[test]
        fn other_names_for_the_classes_change_no_score((k, rows) in rows()) {
            let swapped: Vec<_> = rows.iter().map(|(t, p)| {
                let mut p = p.clone();
                p.reverse();
                (k - 1 - t, p)
            }).collect();
            let (a, b) = (evaluate(k, &rows), evaluate(k, &swapped));
            for (x, y) in [(a.accuracy, b.accuracy), (a.balanced_accuracy, b.balanced_accuracy), (a.log_loss, b.log_loss),
                (a.brier, b.brier), (a.matthews, b.matthews), (a.macro_average[2], b.macro_average[2]),
                (a.calibration_error, b.calibration_error), (a.risk_coverage, b.risk_coverage)] {
                proptest::prop_assert!((x.value - y.value).abs() < 1e-9, "{:?} {:?}", x, y);
            }
            for (x, y) in a.per_class.iter().zip(b.per_class.iter().rev()) {
                proptest::prop_assert_eq!(x.support, y.support);
                proptest::prop_assert_eq!(x.roc_auc.map(|e| (e.value * 1e9).round()), y.roc_auc.map(|e| (e.value * 1e9).round()));
            }
        }

        #[test]
        fn everything_stays_within_its_bounds((k, rows) in rows()) {
            let e = evaluate(k, &rows);
            let shares = [e.accuracy, e.balanced_accuracy, e.top_two, e.calibration_error, e.risk_coverage];
            for s in shares.into_iter().chain(e.macro_average).chain(e.weighted_average) {
                proptest::prop_assert!((-1e-12..=1.0 + 1e-12).contains(&s.value), "{:?}", s);
                if let Some(i) = s.interval {
                    proptest::prop_assert!(i.low <= i.high, "{:?}", s);
                }
            }
            proptest::prop_assert!(e.top_two.value >= e.accuracy.value - 1e-12);
            proptest::prop_assert_eq!(e.per_class.iter().map(|c| c.support).sum::<usize>(), e.n);
        }
    }

    #[test]
    fn one_class_and_all_wrong_are_said_as_scikit_learn_says_them() {
        // All cells one class, all right: kappa is not defined (NaN there), Matthews 0, no ROC.
        let one = evaluate(2, &[(0, vec![0.9, 0.1]), (0, vec![0.8, 0.2])]);
        assert_eq!((one.kappa, one.matthews.value, one.per_class[0].roc_auc), (None, 0.0, None));
        let absent = &one.per_class[1];
        assert_eq!((absent.support, absent.precision, absent.recall, absent.f1), (0, None, None, None));
        let wrong = evaluate(2, &[(0, vec![0.1, 0.9]), (1, vec![0.8, 0.2])]);
        assert!(wrong.accuracy.value == 0.0 && (wrong.matthews.value + 1.0).abs() < 1e-12);
        assert_eq!(wrong.per_class[0].roc_auc.map(|e| e.value), Some(0.0));
    }

    #[test]
    fn fewer_than_five_cells_of_a_class_have_no_interval() {
        let rows: Vec<(usize, Vec<f64>)> =
            (0..20).map(|i| (usize::from(i < 4), if i % 3 == 0 { vec![0.2, 0.8] } else { vec![0.9, 0.1] })).collect();
        let e = evaluate(2, &rows);
        let few = &e.per_class[1];
        assert_eq!((few.support, few.recall.map(|r| (r.interval, r.how))), (4, Some((None, How::Few))));
        assert!(few.precision.is_some_and(|p| p.interval.is_some()), "seven were called so");
        assert!(few.f1.is_some_and(|f| f.interval.is_none()) && few.roc_auc.is_some_and(|a| a.interval.is_none()));
        assert!(e.per_class[0].recall.is_some_and(|r| r.interval.is_some()));
    }

    #[test]
    fn cells_that_belong_together_have_no_wilson_interval() {
        let p = [0.9, 0.1, 0.9, 0.1, 0.2, 0.8, 0.3, 0.7];
        let s = Sample::new(2, vec![0, 0, 1, 1], &p, vec![0, 0, 1, 1]).expect("fits");
        let e = Evaluation::new(&s, 1).expect("cells");
        assert_eq!((e.accuracy.how, e.groups), (How::Bootstrap(2), 2));
        let one = Sample::new(2, vec![0, 1], &[0.9, 0.1, 0.4, 0.6], vec![3, 3]).expect("fits");
        assert_eq!(Evaluation::new(&one, 1).expect("cells").accuracy.interval, None);
        assert!(Evaluation::new(&Sample::new(2, vec![], &[], vec![]).expect("fits"), 1).is_none());
    }
}
