//! Scores of the probabilities themselves: negative log-likelihood, Brier score, top-2 accuracy. Means over the cells.

use super::sample::Sample;

/// −ln of the probability of the reference class, which is at least the smallest difference of doubles, as in
/// scikit-learn's `log_loss`.
pub fn log_loss(sample: &Sample, row: usize) -> f64 {
    -sample.row(row)[sample.references()[row]].clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()
}

/// Squared distance to the reference: Σ (p − y)², between 0 and 2 (Brier, Monthly Weather Review 78 (1950) 1), as
/// scikit-learn's `brier_score_loss` has it for several classes.
pub fn brier(sample: &Sample, row: usize) -> f64 {
    let references = sample.references()[row];
    sample.row(row).iter().enumerate().map(|(c, p)| (p - f64::from(u8::from(c == references))).powi(2)).sum()
}

/// Whether the reference class is one of the two most probable; on a tie the later class counts as the more probable, as
/// in scikit-learn's `top_k_accuracy_score`.
pub fn in_top_two(sample: &Sample, row: usize) -> bool {
    let (p, references) = (sample.row(row), sample.references()[row]);
    let above =
        p.iter().enumerate().filter(|(c, v)| **v > p[references] || (**v == p[references] && *c > references)).count();
    above < 2
}

/// Mean of a score over all cells; `None` without cells.
pub fn mean(sample: &Sample, score: impl Fn(&Sample, usize) -> f64) -> Option<f64> {
    let n = sample.len();
    (n > 0).then(|| (0..n).map(|r| score(sample, r)).sum::<f64>() / n as f64)
}
