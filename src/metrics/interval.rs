//! 95 % intervals: Wilson's for a share, the percentile bootstrap over groups for everything else.

/// The 97.5 % point of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// Lower and upper bound.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

/// Resamples behind an interval.
pub const ROUNDS: usize = 2000;

/// Where an interval comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Wilson's score interval: a proportion of independent cells.
    Wilson,
    /// Bootstrap over this many groups.
    Bootstrap(usize),
    /// There is none: fewer than [`LEAST_POSITIVES`] cells stand behind the score.
    Few,
    /// There is none: it has not been computed yet, or there is but one group.
    None,
}

/// Cells of a class that its scores need for an interval: a share of fewer says next to nothing, and an interval that is
/// nearly everything reads as if it did.
pub const LEAST_POSITIVES: usize = 5;

impl How {
    /// In words, beside the number.
    pub fn text(self) -> String {
        match self {
            Self::Wilson => "Wilson".into(),
            Self::Bootstrap(groups) => format!("bootstrap over {groups} groups, {ROUNDS} draws"),
            Self::Few => format!("no interval: fewer than {LEAST_POSITIVES} cells"),
            Self::None => "no interval: one group".into(),
        }
    }
}

/// A score, its 95 % interval, and where that comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    pub value: f64,
    pub interval: Option<Interval>,
    /// Where the interval comes from.
    pub how: How,
}

/// Wilson's score interval for `hits` of `n` (Wilson, JASA 22 (1927) 209); 0 to 1 where `n` is 0.
pub fn wilson(hits: usize, n: usize) -> Interval {
    if n == 0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let (n, p) = (n as f64, hits as f64 / n as f64);
    let centre = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    Interval { low: ((centre - half) / scale).max(0.0), high: ((centre + half) / scale).min(1.0) }
}

/// Percentile interval of a statistic over `rounds` resamples of whole groups with replacement: images of one slide or
/// copies of one cell are not independent, so they are drawn together (Field & Welsh, JRSS B 69 (2007) 369).
///
/// `groups[i]` is the group of row `i`; `statistic` is given row numbers, with repeats. `None` where it is never finite.
pub fn bootstrap(groups: &[usize], rounds: usize, seed: u64, statistic: impl Fn(&[usize]) -> f64) -> Option<Interval> {
    let count = groups.iter().max().map_or(0, |g| g + 1);
    let mut members = vec![Vec::new(); count];
    groups.iter().enumerate().for_each(|(row, &g)| members[g].push(row));
    members.retain(|m| !m.is_empty());
    if members.is_empty() {
        return None;
    }
    let mut random = fastrand::Rng::with_seed(seed);
    let mut rows = Vec::new();
    let values: Vec<f64> = (0..rounds)
        .map(|_| {
            rows.clear();
            (0..members.len()).for_each(|_| rows.extend_from_slice(&members[random.usize(..members.len())]));
            statistic(&rows)
        })
        .filter(|v| v.is_finite())
        .collect();
    percentiles(values)
}

/// The 2.5 % and 97.5 % points of some values; `None` without any.
pub(super) fn percentiles(mut values: Vec<f64>) -> Option<Interval> {
    values.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a position among a few thousand")]
    let at = |q: f64| values.get(((values.len() as f64 - 1.0) * q).round() as usize).copied();
    Some(Interval { low: at(0.025)?, high: at(0.975)? })
}

/// The logarithm of the binomial distribution function: ln P(X ≤ `k`) of `n` trials with probability `p`. Summed from its
/// largest term outwards in shares of that term, until terms no longer count: nothing underflows, and a hundred thousand
/// trials cost some thousand terms.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts")]
fn ln_binomial_cdf(k: usize, n: usize, p: f64) -> f64 {
    /// Terms smaller than this share of the sum change nothing.
    const NEGLIGIBLE: f64 = 1e-19;
    if k >= n || p <= 0.0 {
        return 0.0;
    }
    if p >= 1.0 {
        return f64::NEG_INFINITY;
    }
    let odds = p / (1.0 - p);
    let top = (((n + 1) as f64 * p) as usize).min(k);
    let (x, rest) = (top as f64, (n - top) as f64);
    let choose = libm::lgamma(n as f64 + 1.0) - libm::lgamma(x + 1.0) - libm::lgamma(rest + 1.0);
    let ln_top = choose + x * p.ln() + rest * (-p).ln_1p();
    let mut sum = 1.0;
    let mut term = 1.0;
    for i in (0..top).rev() {
        term *= (i + 1) as f64 / (n - i) as f64 / odds;
        sum += term;
        if term < NEGLIGIBLE * sum {
            break;
        }
    }
    term = 1.0;
    for i in top..k {
        term *= (n - i) as f64 / (i + 1) as f64 * odds;
        sum += term;
        if term < NEGLIGIBLE * sum {
            break;
        }
    }
    (ln_top + sum.ln()).min(0.0)
}

/// The largest share that `hits` of `n` are still compatible with at level `alpha` (one-sided Clopper–Pearson bound,
/// Biometrika 26 (1934) 404); 1 where all are hits or there is none.
pub fn exact_upper(hits: usize, n: usize, alpha: f64) -> f64 {
    if n == 0 || hits >= n {
        return 1.0;
    }
    let (mut low, mut high) = (0.0f64, 1.0f64);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if ln_binomial_cdf(hits, n, middle) > alpha.ln() { low = middle } else { high = middle }
    }
    high
}

/// The exact (Clopper–Pearson) 95 % interval of `hits` of `n`; 0 to 1 where `n` is 0.
pub fn exact(hits: usize, n: usize) -> Interval {
    let low = if hits == 0 { 0.0 } else { 1.0 - exact_upper(n - hits, n, 0.025) };
    Interval { low, high: exact_upper(hits, n, 0.025) }
}

/// McNemar's exact test (two-sided binomial): how likely so uneven a count of cells that only one of two models has
/// right is, if both are equally good (McNemar, Psychometrika 12 (1947) 153). 1 where there is no such cell.
pub fn mcnemar(only_first: usize, only_second: usize) -> f64 {
    let (n, k) = (only_first + only_second, only_first.min(only_second));
    if n == 0 { 1.0 } else { (2.0 * ln_binomial_cdf(k, n, 0.5).exp()).min(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_is_statsmodels() {
        // statsmodels.stats.proportion.proportion_confint(k, n, method="wilson"), statsmodels 0.15.0
        for (k, n, low, high) in
            [(241, 300, 0.754_641_2, 0.844_355_4), (0, 20, 0.0, 0.161_125_2), (5, 5, 0.565_517_5, 1.0)]
        {
            let i = wilson(k, n);
            assert!((i.low - low).abs() < 1e-6 && (i.high - high).abs() < 1e-6, "{i:?} for {k} of {n}");
        }
        assert_eq!(wilson(0, 0), Interval { low: 0.0, high: 1.0 });
    }

    #[test]
    fn exact_intervals_and_mcnemar_are_scipys() {
        // scipy.stats.binomtest(k, n).proportion_ci(method="exact") and binomtest(b, b + c).pvalue, SciPy 1.17.1
        for (k, n, low, high) in [
            (241, 300, 0.753_777_190_771_153, 0.846_784_997_195_878),
            (0, 20, 0.0, 0.168_433_470_983_085),
            (5, 5, 0.478_176_249_950_015, 1.0),
            (3, 5000, 0.000_123_751_520_456, 0.001_752_443_603_503_8),
            (87, 100, 0.787_959_322_912_55, 0.928_926_953_814_54),
            (20_000, 100_000, 0.197_524_546_981_146_5, 0.202_492_865_038_403_47),
            (1, 100_000, 0.000_000_253_178_427_439_328_26, 0.000_055_715_160_344_325_56),
        ] {
            let i = exact(k, n);
            assert!((i.low - low).abs() < 1e-10 && (i.high - high).abs() < 1e-10, "{i:?} for {k} of {n}");
        }
        for (b, c, p) in [(10, 3, 0.092_285_156_25), (0, 5, 0.0625), (40, 41, 1.0), (300, 220, 0.000_519_415_849_665_3)]
        {
            assert!((mcnemar(b, c) - p).abs() < 1e-10, "{} {b} {c}", mcnemar(b, c));
        }
        assert_eq!((exact(0, 0).high, mcnemar(0, 0)), (1.0, 1.0));
    }

    #[test]
    fn whole_groups_widen_an_interval() {
        // 200 rows, half of them right; in groups of 20 that are wholly right or wholly wrong.
        let right: Vec<f64> = (0..200).map(|i| f64::from(u8::from((i / 20) % 2 == 0))).collect();
        let mean = |rows: &[usize]| rows.iter().map(|&r| right[r]).sum::<f64>() / rows.len() as f64;
        let alone = bootstrap(&(0..200).collect::<Vec<_>>(), 2000, 1, mean).expect("values");
        let together = bootstrap(&(0..200).map(|i| i / 20).collect::<Vec<_>>(), 2000, 1, mean).expect("values");
        assert!((alone.low - 0.43).abs() < 0.02 && (alone.high - 0.57).abs() < 0.02, "{alone:?}");
        assert!(together.low < 0.3 && together.high > 0.7, "{together:?}");
    }
}
