//! 95 % intervals: Wilson's for a share, the percentile bootstrap over groups for everything else.

/// The 97.5 % point of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// Lower and upper bound.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Interval {
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

/// Wilson's score interval for `hits` of `n` (Wilson, JASA 22 (1927) 209); 0 to 1 where `n` is 0.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts")]
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
    let mut values: Vec<f64> = (0..rounds)
        .map(|_| {
            rows.clear();
            (0..members.len()).for_each(|_| rows.extend_from_slice(&members[random.usize(..members.len())]));
            statistic(&rows)
        })
        .filter(|v| v.is_finite())
        .collect();
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a position among a few thousand"
    )]
    let at = |q: f64| values.get(((values.len() as f64 - 1.0) * q).round() as usize).copied();
    Some(Interval { low: at(0.025)?, high: at(0.975)? })
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
