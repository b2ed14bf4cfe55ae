//! Adam and AdamW, the schedule of the learning rate, clipping of gradients, moving average of weights.
//!
//! Kingma & Ba 2015 (Adam); Loshchilov & Hutter 2019 (AdamW: decay apart from the gradient), 2017 (cosine).

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.999;
const EPSILON: f32 = 1e-8;
/// Numbers that one task updates.
const PART: usize = 1 << 15;

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OptimizerSettings {
    /// Learning rate at its highest.
    pub rate: f64,
    /// Share of a weight that decays a step, times the rate; 0 is plain Adam.
    pub weight_decay: f64,
    /// Gradients longer than this are shortened to it; 0 leaves them.
    pub clip: f64,
    /// Steps over which the rate rises from 0.
    pub warm_up: usize,
    /// Whether the rate falls to 0 along a cosine at the last step.
    pub cosine: bool,
}

/// The state between steps; part of a checkpoint.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Optimizer {
    /// First moment.
    pub first: Vec<f32>,
    pub second: Vec<f32>,
    pub steps: usize,
}

impl OptimizerSettings {
    /// The learning rate of step `step` (from 0) of `total`.
    pub fn rate_at(&self, step: usize, total: usize) -> f64 {
        if step < self.warm_up {
            return self.rate * (step + 1) as f64 / (self.warm_up + 1) as f64;
        }
        if !self.cosine {
            return self.rate;
        }
        let done = (step - self.warm_up) as f64 / total.saturating_sub(self.warm_up).max(1) as f64;
        self.rate * 0.5 * (1.0 + (std::f64::consts::PI * done.min(1.0)).cos())
    }
}

impl Optimizer {
    /// For `n` numbers.
    pub fn new(n: usize) -> Self {
        Self { first: vec![0.0; n], second: vec![0.0; n], steps: 0 }
    }

    /// One step of `total`; returns the gradient's length before clipping. Where `decays` is false a number is spared
    /// the weight decay (biases).
    pub fn step(
        &mut self,
        values: &mut [f32],
        gradient: &[f32],
        decays: &[bool],
        settings: &OptimizerSettings,
        total: usize,
    ) -> f64 {
        // Summed in fixed parts, so that the number of threads changes nothing.
        let squares: Vec<f64> =
            gradient.par_chunks(PART).map(|g| g.iter().map(|v| f64::from(*v).powi(2)).sum()).collect();
        let length = squares.iter().sum::<f64>().sqrt();
        let factor = if settings.clip > 0.0 && length > settings.clip { settings.clip / length } else { 1.0 };
        let rate = settings.rate_at(self.steps, total);
        self.steps += 1;
        let t = i32::try_from(self.steps).unwrap_or(i32::MAX);
        let (c1, c2) = (1.0 - f64::from(BETA1).powi(t), 1.0 - f64::from(BETA2).powi(t));
        #[expect(clippy::cast_possible_truncation, reason = "factors near 1 and small rates")]
        let (factor, step, root, decay) =
            (factor as f32, (rate / c1) as f32, (1.0 / c2).sqrt() as f32, (rate * settings.weight_decay) as f32);
        values
            .par_chunks_mut(PART)
            .zip(gradient.par_chunks(PART))
            .zip(decays.par_chunks(PART))
            .zip(self.first.par_chunks_mut(PART).zip(self.second.par_chunks_mut(PART)))
            .for_each(|(((v, g), d), (m, s))| {
                for ((((v, g), d), m), s) in v.iter_mut().zip(g).zip(d).zip(m.iter_mut()).zip(s.iter_mut()) {
                    let g = g * factor;
                    *m = BETA1 * *m + (1.0 - BETA1) * g;
                    *s = BETA2 * *s + (1.0 - BETA2) * g * g;
                    if *d {
                        *v -= decay * *v;
                    }
                    *v -= step * *m / (s.sqrt() * root + EPSILON);
                }
            });
        length
    }
}

/// Moves the average of the weights towards the present ones: `average = keep·average + (1 − keep)·values`.
pub fn average(average: &mut [f32], values: &[f32], keep: f32) {
    average.par_chunks_mut(PART).zip(values.par_chunks(PART)).for_each(|(a, v)| {
        a.iter_mut().zip(v).for_each(|(a, v)| *a = keep * *a + (1.0 - keep) * v);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(weight_decay: f64) -> OptimizerSettings {
        OptimizerSettings { rate: 0.1, weight_decay, clip: 0.0, warm_up: 0, cosine: false }
    }

    #[test]
    fn three_steps_are_pytorchs() {
        // torch.optim.AdamW([p], lr=.1, weight_decay=.05) over p.grad = [1, -2], [0.5, 0.1], [-3, 0] from p = [1, 2],
        // PyTorch 2.15.0
        let mut o = Optimizer::new(2);
        let mut v = [1.0, 2.0];
        for g in [[1.0, -2.0], [0.5, 0.1], [-3.0, 0.0]] {
            o.step(&mut v, &g, &[true, true], &settings(0.05), 3);
        }
        assert!((v[0] - GOLDEN[0]).abs() < 2e-6 && (v[1] - GOLDEN[1]).abs() < 2e-6, "{v:?}");
    }

    const GOLDEN: [f32; 2] = [0.828_042_86, 2.180_897_5];

    #[test]
    fn the_rate_rises_then_falls_along_a_cosine() {
        let s = OptimizerSettings { warm_up: 10, cosine: true, ..settings(0.0) };
        assert!(s.rate_at(0, 110) < 0.01 + 1e-9 && (s.rate_at(10, 110) - 0.1).abs() < 1e-9);
        assert!((s.rate_at(60, 110) - 0.05).abs() < 1e-9 && s.rate_at(109, 110) < 1e-4);
    }

    #[test]
    fn long_gradients_are_shortened() {
        let (mut a, mut b) = ([0.0], [0.0]);
        let clip = OptimizerSettings { clip: 1.0, ..settings(0.0) };
        let (mut o, mut p) = (Optimizer::new(1), Optimizer::new(1));
        assert!((o.step(&mut a, &[50.0], &[true], &clip, 1) - 50.0).abs() < 1e-9);
        p.step(&mut b, &[1.0], &[true], &clip, 1);
        assert_eq!((a, o.first), (b, p.first));
    }
}
