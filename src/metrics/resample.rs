//! 95 % intervals of everything that is read from a [`Sample`], by resampling whole groups with replacement.
//!
//! Every score here is a function of sums over cells: counts of the confusion matrix, sums of losses, histograms of the
//! ranks of scores. So a resample is a weighted sum of the units' sums, not a pass over all cells. Units are the groups;
//! where there are more than [`UNITS`], groups are put together by chance, which leaves units independent and of nearly
//! equal size. Curves' areas use at most some hundreds of bins of rank and are moved to the exact estimate. The draws
//! depend on the seed alone, never on the number of threads.

#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of cells and groups")]

use super::confusion::Confusion;
use super::curves::{BINS, Binning, bins};
use super::interval::{Interval, ROUNDS};
use super::probability::{brier, in_top_two, log_loss};
use super::sample::Sample;
use rayon::prelude::*;

/// Units that are drawn, at most.
const UNITS: usize = 400;
/// Numbers kept for all units together, nearly.
const BUDGET: usize = 1 << 20;

/// Scores of one (re)sample. Each is `None` where the sample does not define it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Values {
    pub(super) accuracy: f64,
    pub(super) balanced: f64,
    /// Plain and weighted means of precision, recall, F1.
    pub(super) averages: [[f64; 3]; 2],
    pub(super) kappa: Option<f64>,
    pub(super) matthews: f64,
    pub(super) log_loss: f64,
    pub(super) brier: f64,
    pub(super) top_two: f64,
    /// By width, by mass.
    pub(super) calibration_error: [f64; 2],
    pub(super) risk_coverage: f64,
    /// Precision, recall, F1 of each class.
    pub(super) classes: Vec<[Option<f64>; 3]>,
    /// Area under the ROC curve and average precision of each class.
    pub(super) areas: Vec<(Option<f64>, Option<f64>)>,
}

/// Where each sum stands in a unit's row.
struct Layout {
    classes: usize,
    ranks: usize,
    len: usize,
    /// Which classes the reference has, in the whole sample.
    occurs: Vec<bool>,
}

impl Layout {
    fn new(sample: &Sample, units: usize) -> Self {
        let (classes, n) = (sample.classes(), sample.len());
        let fixed = classes * classes + 3 + 6 * BINS;
        let ranks = (BUDGET / units.max(1)).saturating_sub(fixed) / (2 * (classes + 1));
        let ranks = ranks.clamp(64, 2048).min(n.max(1));
        let occurs = (0..classes).map(|c| sample.references().contains(&c)).collect();
        Self { classes, ranks, len: fixed + 2 * ranks * (classes + 1), occurs }
    }
    fn losses(&self) -> usize {
        self.classes * self.classes
    }
    fn bins(&self, how: usize) -> usize {
        self.losses() + 3 + how * 3 * BINS
    }
    /// Histograms of ranks: the classes' scores, then the confidence.
    fn ranks(&self, which: usize) -> usize {
        self.losses() + 3 + 6 * BINS + which * 2 * self.ranks
    }
}

/// The bin of each row's rank in `order`; rows of equal key share a bin.
fn rank_bins(order: &[u32], bins: usize, key: impl Fn(usize) -> f64) -> Vec<usize> {
    let n = order.len();
    let mut of = vec![0; n];
    let mut begun = 0;
    for place in 0..n {
        if place > 0 && key(order[place] as usize) < key(order[place - 1] as usize) {
            begun = place;
        }
        of[order[place] as usize] = begun * bins / n;
    }
    of
}

/// The sums of every unit: `[units, layout.len]`.
fn unit_sums(sample: &Sample, layout: &Layout, unit: &[usize], units: usize) -> Vec<f32> {
    let k = layout.classes;
    let of_bins = [bins(sample, Binning::Width), bins(sample, Binning::Mass)];
    let ranks: Vec<Vec<usize>> = (0..=k)
        .into_par_iter()
        .map(|c| {
            if c < k {
                rank_bins(sample.order(c), layout.ranks, |row| sample.row(row)[c])
            } else {
                rank_bins(sample.by_confidence(), layout.ranks, |row| sample.confidence(row))
            }
        })
        .collect();
    let mut sums = vec![0f32; units * layout.len];
    for row in 0..sample.len() {
        let own = &mut sums[unit[row] * layout.len..][..layout.len];
        let (references, predicted) = (sample.references()[row], sample.predicted()[row]);
        let confidence = sample.confidence(row) as f32;
        own[references * k + predicted] += 1.0;
        let l = layout.losses();
        own[l] += log_loss(sample, row) as f32;
        own[l + 1] += brier(sample, row) as f32;
        own[l + 2] += f32::from(u8::from(in_top_two(sample, row)));
        for (how, bins) in of_bins.iter().enumerate() {
            let at = layout.bins(how) + 3 * bins[row];
            own[at] += 1.0;
            own[at + 1] += confidence;
            own[at + 2] += f32::from(u8::from(references == predicted));
        }
        for (which, bins) in ranks.iter().enumerate() {
            let positive = if which < k { references == which } else { references == predicted };
            own[layout.ranks(which) + 2 * bins[row] + usize::from(!positive)] += 1.0;
        }
    }
    sums
}

/// Everything from one row of sums.
fn values(layout: &Layout, sums: &[f32]) -> Values {
    let k = layout.classes;
    let counts = sums[..k * k].iter().map(|v| *v as usize).collect();
    let confusion = Confusion::from_counts(k, counts);
    let n = (confusion.total() as f64).max(1.0);
    let of = |s: &super::confusion::ClassScores| [s.precision, s.recall, s.f1];
    // A class of the reference that this draw happens to lack has no recall here: it is left out, as in balanced accuracy.
    let (plain, weighted) = confusion.averages_of(|c| confusion.support(c) > 0 || !layout.occurs[c]);
    let l = layout.losses();
    let error = |how: usize| {
        let bins = &sums[layout.bins(how)..][..3 * BINS];
        bins.chunks_exact(3).map(|b| f64::from((b[2] - b[1]).abs())).sum::<f64>() / n
    };
    let histogram = |which: usize| sums[layout.ranks(which)..][..2 * layout.ranks].chunks_exact(2);
    let areas = (0..k).map(|c| areas(histogram(c))).collect();
    let (mut seen, mut wrong, mut risk) = (0.0, 0.0, 0.0);
    for bin in histogram(k) {
        let (hits, misses) = (f64::from(bin[0]), f64::from(bin[1]));
        if hits + misses > 0.0 {
            // The middle of the bin stands for its cells.
            let middle = seen + (hits + misses) / 2.0;
            risk += (hits + misses) * (wrong + misses / 2.0) / middle;
            seen += hits + misses;
            wrong += misses;
        }
    }
    let right = confusion.right() as f64;
    Values {
        accuracy: right / n,
        balanced: confusion.balanced_accuracy(),
        averages: [of(&plain), of(&weighted)],
        kappa: confusion.kappa(),
        matthews: confusion.matthews(),
        log_loss: f64::from(sums[l]) / n,
        brier: f64::from(sums[l + 1]) / n,
        top_two: f64::from(sums[l + 2]) / n,
        calibration_error: [error(0), error(1)],
        risk_coverage: risk / n,
        classes: (0..k)
            .map(|c| {
                let (own, predicted) = (confusion.class(c), confusion.predicted(c));
                let known = |n: usize, v: f64| (n > 0).then_some(v);
                [
                    known(predicted, own.precision),
                    known(own.support, own.recall),
                    known(predicted + own.support, own.f1),
                ]
            })
            .collect(),
        areas,
    }
}

/// Area under the ROC curve and average precision from a histogram of (positives, negatives) by falling score.
fn areas<'a>(histogram: impl Iterator<Item = &'a [f32]>) -> (Option<f64>, Option<f64>) {
    let (mut hits, mut misses, mut area, mut precision) = (0.0, 0.0, 0.0, 0.0);
    for bin in histogram {
        let (p, n) = (f64::from(bin[0]), f64::from(bin[1]));
        area += n * (hits + p / 2.0);
        hits += p;
        misses += n;
        if p > 0.0 {
            precision += p * hits / (hits + misses);
        }
    }
    ((hits > 0.0 && misses > 0.0).then(|| area / (hits * misses)), (hits > 0.0).then(|| precision / hits))
}

/// Resamples and reads intervals.
pub(super) struct Resampled {
    /// Groups that were drawn from.
    pub(super) groups: usize,
    draws: Vec<Values>,
    /// The same functions of the sample itself: what an interval is moved by where they are not exact.
    own: Values,
}

impl Resampled {
    /// `None` with fewer than two groups: there is nothing to draw from.
    pub(super) fn new(sample: &Sample, seed: u64) -> Option<Self> {
        let mut numbers = std::collections::HashMap::new();
        let mut unit: Vec<usize> = sample
            .groups()
            .iter()
            .map(|g| {
                let next = numbers.len();
                *numbers.entry(*g).or_insert(next)
            })
            .collect();
        let groups = numbers.len();
        if groups < 2 {
            return None;
        }
        if groups > UNITS {
            let mut places: Vec<usize> = (0..groups).collect();
            fastrand::Rng::with_seed(seed).shuffle(&mut places);
            unit.iter_mut().for_each(|u| *u = places[*u] % UNITS);
        }
        let units = groups.min(UNITS);
        let layout = Layout::new(sample, units);
        let sums = unit_sums(sample, &layout, &unit, units);
        let total = |weights: &[f32], into: &mut Vec<f32>| {
            into.clear();
            into.resize(layout.len, 0.0);
            for (weight, row) in weights.iter().zip(sums.chunks_exact(layout.len)) {
                if *weight > 0.0 {
                    into.iter_mut().zip(row).for_each(|(t, v)| *t += weight * v);
                }
            }
            values(&layout, into)
        };
        let own = total(&vec![1.0; units], &mut Vec::new());
        let draws = (0..ROUNDS)
            .into_par_iter()
            .map_init(Vec::new, |room, round| {
                let mut random = fastrand::Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ round as u64);
                let mut weights = vec![0f32; units];
                (0..units).for_each(|_| weights[random.usize(..units)] += 1.0);
                total(&weights, room)
            })
            .collect();
        Some(Self { groups, draws, own })
    }

    /// The percentile interval of one score, moved to where its exact estimate lies: by nothing for what is exact here.
    pub(super) fn interval(&self, exact: f64, score: impl Fn(&Values) -> Option<f64>) -> Option<Interval> {
        let by = exact - score(&self.own)?;
        let i = self.percentiles(&score)?;
        Some(Interval { low: i.low + by, high: i.high + by })
    }

    /// The interval of a score that resampling itself raises (a calibration error is never negative, and chance adds to
    /// it): moved so that the middle of the draws lies at the estimate, and not below zero.
    pub(super) fn centred(&self, exact: f64, score: impl Fn(&Values) -> Option<f64>) -> Option<Interval> {
        let mut draws: Vec<f64> = self.draws.iter().filter_map(&score).filter(|v| v.is_finite()).collect();
        draws.sort_by(f64::total_cmp);
        let by = exact - draws.get(draws.len() / 2)?;
        let i = self.percentiles(&score)?;
        Some(Interval { low: (i.low + by).max(0.0), high: i.high + by })
    }

    fn percentiles(&self, score: &dyn Fn(&Values) -> Option<f64>) -> Option<Interval> {
        super::interval::percentiles(self.draws.iter().filter_map(score).filter(|v| v.is_finite()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::curves::{calibration_error, precision_recall, reliability, risk_coverage, roc};

    fn sample(n: usize, classes: usize, seed: u64) -> Sample {
        let mut random = fastrand::Rng::with_seed(seed);
        let references: Vec<usize> = (0..n).map(|_| random.usize(..classes)).collect();
        let mut p = Vec::new();
        for t in &references {
            let row: Vec<f64> =
                (0..classes).map(|c| (random.f64() * 3.0 + if c == *t { 1.5 } else { 0.0 }).exp()).collect();
            let sum: f64 = row.iter().sum();
            p.extend(row.iter().map(|v| v / sum));
        }
        Sample::new(classes, references, &p, (0..n).collect()).expect("fits")
    }

    #[test]
    fn the_sums_give_the_exact_scores_where_ranks_have_bins_enough() {
        let s = sample(300, 4, 3);
        let own = Resampled::new(&s, 1).expect("groups").own;
        for c in 0..4 {
            assert!((own.areas[c].0.expect("area") - roc(&s, c).expect("roc").1).abs() < 1e-6);
            assert!((own.areas[c].1.expect("ap") - precision_recall(&s, c).expect("pr").1).abs() < 1e-6);
        }
        for (how, error) in [Binning::Width, Binning::Mass].into_iter().zip(own.calibration_error) {
            assert!((error - calibration_error(&reliability(&s, how))).abs() < 1e-5);
        }
        assert!((own.risk_coverage - risk_coverage(&s).1).abs() < 0.01, "{}", own.risk_coverage);
        assert!((own.matthews - s.confusion().matthews()).abs() < 1e-12);
    }

    #[test]
    fn an_interval_is_as_wide_as_it_should_be() {
        // 3,000 cells: more groups than units, and fewer bins of rank than cells.
        let s = sample(3000, 4, 3);
        let r = Resampled::new(&s, 1).expect("groups");
        let right = s.confusion().right();
        let exact = right as f64 / 3000.0;
        let ours = r.interval(exact, |v| Some(v.accuracy)).expect("interval");
        let wilson = crate::metrics::wilson(right, 3000);
        assert!(
            (ours.low - wilson.low).abs() < 0.003 && (ours.high - wilson.high).abs() < 0.003,
            "{ours:?} {wilson:?}"
        );
        // DeLong's standard error of an area (DeLong et al., Biometrics 44 (1988) 837), pair by pair.
        let area = roc(&s, 0).expect("roc").1;
        let (hits, misses): (Vec<usize>, Vec<usize>) = (0..3000).partition(|r| s.references()[*r] == 0);
        let wins = |a: usize, b: usize| f64::from(u8::from(s.row(a)[0] > s.row(b)[0]));
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        let spread =
            |v: &[f64]| v.iter().map(|x| (x - mean(v)).powi(2)).sum::<f64>() / (v.len() as f64 - 1.0) / v.len() as f64;
        let of_hits: Vec<f64> =
            hits.iter().map(|&a| mean(&misses.iter().map(|&b| wins(a, b)).collect::<Vec<_>>())).collect();
        let of_misses: Vec<f64> =
            misses.iter().map(|&b| mean(&hits.iter().map(|&a| wins(a, b)).collect::<Vec<_>>())).collect();
        let se = (spread(&of_hits) + spread(&of_misses)).sqrt();
        let i = r.interval(area, |v| v.areas[0].0).expect("interval");
        let ratio = (i.high - i.low) / (2.0 * 1.96 * se);
        assert!((0.88..1.12).contains(&ratio) && i.low < area && area < i.high, "{i:?} {ratio}");
    }

    #[test]
    fn the_seed_alone_decides() {
        let s = sample(200, 3, 1);
        let get = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            pool.install(|| Resampled::new(&s, 7).expect("groups").interval(0.5, |v| Some(v.brier)))
        };
        assert_eq!(get(1), get(3));
        assert!(Resampled::new(&sample(1, 3, 1), 1).is_none());
    }
}
