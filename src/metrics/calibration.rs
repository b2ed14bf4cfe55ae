//! Calibration: what makes confidences mean what they say, and from which confidence on a label is given at all.
//!
//! Fitted on labelled cells that the model did not learn from. Nothing here reads a model.

use super::interval::exact_upper;
use super::sample::Sample;

/// What is done to logits before the softmax: each class' logit times its scale plus its shift.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibrator {
    /// A factor for each class; all equal to 1/T with temperature scaling.
    pub scale: Vec<f64>,
    /// A shift for each class; zeros with temperature scaling.
    pub shift: Vec<f64>,
}

/// Logits (or ln of probabilities) with their references.
#[derive(Debug, Clone, Copy)]
pub struct Scored<'a> {
    /// `[n, classes]`.
    pub logits: &'a [f64],
    /// `[n]`.
    pub references: &'a [usize],
    pub classes: usize,
}

/// Cells of each class that vector scaling needs: it fits two numbers a class.
pub const LEAST_FOR_VECTOR: usize = 50;
/// The temperature lies between 1/20 and 20.
const LIMIT: f64 = 20.0;

impl Calibrator {
    /// Changes nothing.
    pub fn identity(classes: usize) -> Self {
        Self { scale: vec![1.0; classes], shift: vec![0.0; classes] }
    }

    /// Probabilities of one row of logits.
    pub fn apply(&self, logits: &[f64]) -> Vec<f64> {
        let scaled: Vec<f64> =
            logits.iter().zip(self.scale.iter().zip(&self.shift)).map(|(z, (s, b))| z * s + b).collect();
        let top = scaled.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let exp: Vec<f64> = scaled.iter().map(|v| (v - top).exp()).collect();
        let sum: f64 = exp.iter().sum();
        exp.into_iter().map(|e| e / sum).collect()
    }

    /// Mean negative log-likelihood.
    pub fn log_loss(&self, data: Scored<'_>) -> f64 {
        let rows = data.logits.chunks_exact(data.classes).zip(data.references);
        let sum: f64 = rows.map(|(z, t)| -self.apply(z)[*t].max(f64::MIN_POSITIVE).ln()).sum();
        sum / data.references.len().max(1) as f64
    }

    /// The temperature, where one number says all.
    pub fn temperature(&self) -> Option<f64> {
        let first = *self.scale.first()?;
        let one = self.scale.iter().all(|s| *s == first) && self.shift.iter().all(|b| *b == 0.0);
        one.then(|| 1.0 / first)
    }
}

/// Temperature scaling (Guo et al., ICML 2017): the T that gives logits / T the smallest negative log-likelihood. The
/// likelihood is concave in 1/T, so its slope has one root, which is halved down to.
pub fn fit_temperature(data: Scored<'_>) -> Calibrator {
    let slope = |a: f64| -> f64 {
        let c = Calibrator { scale: vec![a; data.classes], shift: vec![0.0; data.classes] };
        let rows = data.logits.chunks_exact(data.classes).zip(data.references);
        rows.map(|(z, t)| c.apply(z).iter().zip(z).map(|(p, z)| p * z).sum::<f64>() - z[*t]).sum()
    };
    let (mut low, mut high) = (1.0 / LIMIT, LIMIT);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if slope(middle) < 0.0 { low = middle } else { high = middle }
    }
    Calibrator { scale: vec![f64::midpoint(low, high); data.classes], shift: vec![0.0; data.classes] }
}

/// Vector scaling (Guo et al., ICML 2017): a factor and a shift for each class, by Newton's method from the temperature,
/// held a little to it so that a class with few errors does not run away.
pub fn fit_vector(data: Scored<'_>) -> Calibrator {
    let k = data.classes;
    let start = fit_temperature(data);
    let hold = 1e-3 * data.references.len().max(1) as f64;
    let cost = |c: &Calibrator| {
        let away: f64 = c.scale.iter().zip(&start.scale).map(|(a, b)| (a - b).powi(2)).sum::<f64>()
            + c.shift.iter().map(|b| b * b).sum::<f64>();
        c.log_loss(data) * data.references.len() as f64 + hold / 2.0 * away
    };
    let mut best = start.clone();
    for _ in 0..50 {
        let (mut gradient, mut hessian) = (vec![0.0; 2 * k], vec![0.0; 4 * k * k]);
        for (z, references) in data.logits.chunks_exact(k).zip(data.references) {
            let p = best.apply(z);
            for i in 0..k {
                let error = p[i] - f64::from(u8::from(i == *references));
                gradient[i] += error * z[i];
                gradient[k + i] += error;
                for j in 0..k {
                    let h = if i == j { p[i] * (1.0 - p[i]) } else { -p[i] * p[j] };
                    hessian[i * 2 * k + j] += h * z[i] * z[j];
                    hessian[i * 2 * k + k + j] += h * z[i];
                    hessian[(k + i) * 2 * k + j] += h * z[j];
                    hessian[(k + i) * 2 * k + k + j] += h;
                }
            }
        }
        for i in 0..k {
            gradient[i] += hold * (best.scale[i] - start.scale[i]);
            gradient[k + i] += hold * best.shift[i];
            hessian[i * 2 * k + i] += hold;
            hessian[(k + i) * 2 * k + k + i] += hold;
        }
        let Some(step) = solve(hessian, gradient) else { break };
        let before = cost(&best);
        let mut length = 1.0;
        let moved = loop {
            let next = Calibrator {
                scale: best.scale.iter().zip(&step[..k]).map(|(v, s)| (v - length * s).max(1.0 / LIMIT)).collect(),
                shift: best.shift.iter().zip(&step[k..]).map(|(v, s)| v - length * s).collect(),
            };
            if cost(&next) < before {
                break Some(next);
            }
            length /= 2.0;
            if length < 1e-6 {
                break None;
            }
        };
        match moved {
            Some(next) => {
                let gain = before - cost(&next);
                best = next;
                if gain < 1e-9 * before.abs() {
                    break;
                }
            }
            None => break,
        }
    }
    best
}

/// Solves a small symmetric positive definite system by elimination.
fn solve(mut a: Vec<f64>, mut b: Vec<f64>) -> Option<Vec<f64>> {
    let n = b.len();
    for i in 0..n {
        let pivot = a[i * n + i];
        if !pivot.is_finite() || pivot <= 1e-300 {
            return None;
        }
        for r in i + 1..n {
            let factor = a[r * n + i] / pivot;
            for c in i..n {
                a[r * n + c] -= factor * a[i * n + c];
            }
            b[r] -= factor * b[i];
        }
    }
    for i in (0..n).rev() {
        let sum: f64 = (i + 1..n).map(|c| a[i * n + c] * b[c]).sum();
        b[i] = (b[i] - sum) / a[i * n + i];
    }
    Some(b)
}

/// From which confidence on labels are given, and what was promised for it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Abstention {
    /// Cells below it stay unidentified.
    pub threshold: f64,
    /// Cells kept, of those it was chosen on.
    pub kept: usize,
    /// Of the kept ones, how many are wrong.
    pub wrong: usize,
    pub n: usize,
    /// With 95 % confidence the share wrong among kept cells like these is at most this.
    pub risk_bound: f64,
}

const COVERAGES: usize = 20;

/// The lowest threshold whose share wrong among the kept cells is at most `risk` with 95 % confidence: the exact binomial
/// bound at each of 20 coverages, the level shared out among them (Bonferroni), as in "selection with guaranteed risk"
/// (Geifman & El-Yaniv, NeurIPS 2017). It holds for cells drawn as these were, not for another laboratory's. `None`
/// where no coverage has it.
pub fn abstention(sample: &Sample, risk: f64) -> Option<Abstention> {
    let (order, n) = (sample.by_confidence(), sample.len());
    for part in (1..=COVERAGES).rev() {
        let wanted = n * part / COVERAGES;
        let Some(last) = wanted.checked_sub(1) else { continue };
        let threshold = sample.confidence(order[last] as usize);
        let (kept, right) = super::curves::kept(sample, threshold);
        let bound = exact_upper(kept - right, kept, 0.05 / COVERAGES as f64);
        if bound <= risk {
            // Everything may be kept: then nothing needs a threshold.
            let threshold = if part == COVERAGES { 0.0 } else { threshold };
            return Some(Abstention { threshold, kept, wrong: kept - right, n, risk_bound: bound });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Logits drawn so that softmax(z / 2) is exactly right, then given as z.
    fn overconfident(n: usize) -> (Vec<f64>, Vec<usize>) {
        let mut random = fastrand::Rng::with_seed(4);
        let (mut logits, mut references) = (Vec::new(), Vec::new());
        let half = Calibrator { scale: vec![0.5; 3], shift: vec![0.0; 3] };
        for _ in 0..n {
            let z: Vec<f64> = (0..3).map(|_| random.f64() * 8.0 - 4.0).collect();
            let p = half.apply(&z);
            let mut at = random.f64();
            let class = p.iter().position(|v| {
                at -= v;
                at < 0.0
            });
            references.push(class.unwrap_or(2));
            logits.extend(z);
        }
        (logits, references)
    }

    #[test]
    fn a_known_temperature_is_found() {
        let (logits, references) = overconfident(20_000);
        let data = Scored { logits: &logits, references: &references, classes: 3 };
        let t = fit_temperature(data).temperature().expect("one number");
        assert!((t - 2.0).abs() < 0.06, "{t}");
        let v = fit_vector(data);
        assert!(v.temperature().is_none() && v.scale.iter().all(|s| (s - 0.5).abs() < 0.03), "{v:?}");
        assert!(v.log_loss(data) <= fit_temperature(data).log_loss(data));
    }

    #[test]
    fn it_is_scipys() {
        // scipy.optimize.minimize_scalar(nll, bounds=(.05, 20), method="bounded", options={"xatol": 1e-12}) over 1/T of
        // z = [[2, 0, 0], [1, 2, 0], [0, 1, 3], [2, 1, 0], [0, 3, 0]], y = [0, 0, 2, 0, 1]; SciPy 1.17.1
        let logits = [2., 0., 0., 1., 2., 0., 0., 1., 3., 2., 1., 0., 0., 3., 0.];
        let c = fit_temperature(Scored { logits: &logits, references: &[0, 0, 2, 0, 1], classes: 3 });
        assert!((c.scale[0] - 1.414_514_24).abs() < 1e-6, "{}", c.scale[0]);
    }

    #[test]
    fn the_promise_holds_on_cells_that_it_was_not_made_on() {
        let (mut broken, rounds) = (0, 60);
        for seed in 0..rounds {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut draw = |n: usize| {
                let (mut references, mut p) = (Vec::new(), Vec::new());
                for _ in 0..n {
                    let confidence = 0.5 + 0.5 * random.f64().sqrt();
                    references.push(usize::from(random.f64() > confidence));
                    p.extend([confidence, 1.0 - confidence]);
                }
                Sample::new(2, references, &p, (0..n).collect()).expect("fits")
            };
            let Some(a) = abstention(&draw(1500), 0.05) else { continue };
            let (kept, right) = super::super::curves::kept(&draw(20_000), a.threshold);
            broken += usize::from((kept - right) as f64 / kept as f64 > 0.05);
            assert!(a.risk_bound <= 0.05 && a.kept >= 75);
        }
        assert!(broken <= 3, "{broken} of {rounds}");
    }

    #[test]
    fn too_few_cells_promise_nothing() {
        let s = Sample::new(2, vec![0; 30], &[0.9, 0.1].repeat(30), (0..30).collect()).expect("fits");
        assert_eq!(abstention(&s, 0.01), None);
        assert!(abstention(&s, 0.3).is_some_and(|a| a.threshold == 0.0 && a.kept == 30));
    }
}
