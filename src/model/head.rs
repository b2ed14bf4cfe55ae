//! The dense layers behind the pooled features, as numbers: what a change of a feature does to a class. Nothing here runs a
//! network.

use super::network::{Network, read_network};
use super::vet::VettedModel;

/// Two dense layers with a ReLU between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    features: usize,
    hidden: usize,
    classes: usize,
    /// Hidden weights `[hidden, features]`, hidden bias, output weights `[classes, hidden]`, output bias.
    values: Vec<f32>,
}

impl Head {
    /// The head of a model of our own family; `None` for others, and where several outputs count as one class. Its classes are the
    /// network's outputs ([`super::ModelCard::output_of`]).
    pub fn find(model: &VettedModel) -> Option<Self> {
        if model.card().merges() {
            return None;
        }
        let read = read_network(&model.graph()).ok()?;
        let Network { hidden, classes, .. } = read.network;
        let values = read.values.get(read.network.backbone_len()..)?.to_vec();
        let wanted: usize = read.network.head_lens().iter().sum();
        let own = Self { features: read.network.features(), hidden, classes, values };
        (hidden > 0 && own.values.len() == wanted).then_some(own)
    }

    /// Width of the pooled features.
    pub fn features(&self) -> usize {
        self.features
    }

    fn parts(&self) -> [&[f32]; 4] {
        let (w1, rest) = self.values.split_at(self.hidden * self.features);
        let (b1, rest) = rest.split_at(self.hidden);
        let (w2, b2) = rest.split_at(self.classes * self.hidden);
        [w1, b1, w2, b2]
    }

    /// The logits of pooled features `[features]`.
    pub fn logits(&self, features: &[f32]) -> Vec<f32> {
        let [w1, b1, w2, b2] = self.parts();
        let dot = |w: &[f32], x: &[f32]| w.iter().zip(x).map(|(a, b)| a * b).sum::<f32>();
        let hidden: Vec<f32> = w1.chunks(self.features).zip(b1).map(|(w, b)| (dot(w, features) + b).max(0.0)).collect();
        w2.chunks(self.hidden).zip(b2).map(|(w, b)| dot(w, &hidden) + b).collect()
    }

    /// The derivative of a class' logit by each pooled feature, `[features]`: the head's Jacobian at these features. Empty
    /// where the class or the width does not fit.
    pub fn slope(&self, features: &[f32], class: usize) -> Vec<f32> {
        if features.len() != self.features || class >= self.classes {
            return Vec::new();
        }
        let [w1, b1, w2, _] = self.parts();
        let mut slope = vec![0.0; self.features];
        for (j, (w, b)) in w1.chunks(self.features).zip(b1).enumerate() {
            let before = w.iter().zip(features).map(|(a, x)| a * x).sum::<f32>() + b;
            if before > 0.0 {
                let out = w2[class * self.hidden + j];
                slope.iter_mut().zip(w).for_each(|(s, w)| *s += out * w);
            }
        }
        slope
    }

    /// The same head with its numbers drawn by chance, of the size that they had: what a sanity check compares with (Adebayo et
    /// al., "Sanity checks for saliency maps", NeurIPS 2018).
    pub fn shuffled(&self, seed: u64) -> Self {
        let mut chance = fastrand::Rng::with_seed(seed);
        let mut other = self.clone();
        chance.shuffle(&mut other.values);
        other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_what_a_small_step_does() {
        let mut chance = fastrand::Rng::with_seed(2);
        let mut draw = |n: usize| (0..n).map(|_| chance.f32() - 0.5).collect::<Vec<f32>>();
        let (features, hidden, classes) = (12, 7, 3);
        let values = draw(hidden * features + hidden + classes * hidden + classes);
        let head = Head { features, hidden, classes, values };
        let at = draw(features);
        for class in 0..classes {
            let slope = head.slope(&at, class);
            for i in 0..features {
                let step = |d: f32| {
                    let mut x = at.clone();
                    x[i] += d;
                    head.logits(&x)[class]
                };
                // Central differences; the head is straight between its kinks.
                let measured = (step(1e-3) - step(-1e-3)) / 2e-3;
                assert!((slope[i] - measured).abs() < 2e-3, "{class} {i}: {} {measured}", slope[i]);
            }
        }
        assert!(head.slope(&at, classes).is_empty() && head.slope(&at[1..], 0).is_empty());
    }

    #[test]
    fn the_bundled_models_head_is_read() {
        let bytes = super::super::embedded_bytes();
        let model = super::super::vet(bytes, crate::files::digest_of(bytes)).expect("vetted");
        let head = Head::find(&model).expect("our own family");
        assert_eq!((head.features(), head.logits(&vec![0.0; head.features()]).len()), (1280, 6));
        assert_ne!(head.shuffled(1), head);
    }
}
