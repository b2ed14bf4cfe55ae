//! What a model's manifest says of its calibration: how logits become confidences, and from which one on a label is given.

use super::manifest_error::ManifestError;
use crate::domain::Probabilities;
use serde::{Deserialize, Serialize};

/// The logarithms of the probabilities that the model gives without calibration.
pub const LOGARITHMS: &str = "log-softmax";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Divides the logits; 1 where `scale` and `shift` stand instead.
    #[serde(default = "one")]
    pub temperature: f32,
    /// Vector scaling: a factor for each class; empty with temperature scaling.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scale: Vec<f32>,
    /// Vector scaling: a shift for each class.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shift: Vec<f32>,
    /// Cells with less confidence are `unidentified`.
    pub abstain_threshold: Option<f32>,
    /// Cells that it was fitted on.
    #[serde(default)]
    pub n: usize,
    /// Expected calibration error before, with its interval.
    #[serde(default)]
    pub error_before: Option<[f64; 3]>,
    /// The same afterwards, each half of the groups by what was fitted on the other half.
    #[serde(default)]
    pub error_after: Option<[f64; 3]>,
    /// The share wrong that the threshold was chosen for.
    #[serde(default)]
    pub target_risk: Option<f64>,
    /// Share of cells that the threshold keeps.
    #[serde(default)]
    pub coverage: Option<f64>,
    /// Share wrong among the kept ones, and its 95 % upper bound.
    #[serde(default)]
    pub risk: Option<[f64; 2]>,
    /// What it is applied to: [`LOGARITHMS`], which is what every calibration was fitted on. Models of the first version
    /// do not say it, and their 8-bit copies carry a self-test of raw logits.
    #[serde(default)]
    pub input: String,
    /// How it was done, in words.
    #[serde(default)]
    pub method: String,
    /// Digest of the labelled images.
    #[serde(default)]
    pub data_sha256: String,
}

fn one() -> f32 {
    1.0
}

impl Calibration {
    /// What is wrong with it for a model of this many classes.
    pub(super) fn check(&self, classes: usize) -> Result<(), ManifestError> {
        let vector = self.scale.len() == classes && self.shift.len() == classes;
        let plain = self.scale.is_empty() && self.shift.is_empty();
        let finite = self.scale.iter().chain(&self.shift).all(|v| v.is_finite());
        if !(self.temperature.is_finite() && self.temperature > 0.0) {
            return Err(ManifestError::Temperature(self.temperature));
        }
        if !(plain || vector) || !finite {
            return Err(ManifestError::Part("a calibration that does not fit its classes"));
        }
        match self.abstain_threshold {
            Some(t) if !(0.0..=1.0).contains(&t) => Err(ManifestError::AbstainThreshold(t)),
            _ => Ok(()),
        }
    }

    /// Calibrated probabilities of a model's own ones. This is the one way in which a calibration is used, and what it was
    /// fitted for ([`Probabilities::logarithms`]).
    pub fn apply(&self, own: &Probabilities) -> Option<Probabilities> {
        #[expect(clippy::cast_possible_truncation, reason = "a logarithm needs no double")]
        let logarithms: Vec<f32> = own.logarithms().into_iter().map(|v| v as f32).collect();
        Probabilities::from_logits(&self.scaled(&logarithms))
    }

    /// The logits to take the softmax of.
    pub fn scaled(&self, logits: &[f32]) -> Vec<f32> {
        if self.scale.len() == logits.len() {
            return logits.iter().zip(self.scale.iter().zip(&self.shift)).map(|(z, (s, b))| z * s + b).collect();
        }
        logits.iter().map(|z| z / self.temperature).collect()
    }

    /// Whether it says that it is applied to [`LOGARITHMS`].
    pub fn says_its_input(&self) -> bool {
        self.input == LOGARITHMS
    }

    /// In words, for the card.
    pub fn to_line(&self) -> String {
        let how = if self.scale.is_empty() {
            format!("temperature {:.4}", self.temperature)
        } else {
            "vector scaling".to_owned()
        };
        let abstains = match (self.abstain_threshold, self.coverage) {
            (None, _) => "gives every cell a label".to_owned(),
            (Some(t), None) => format!("abstains below {t:.4}"),
            (Some(t), Some(c)) => format!("abstains below {t:.4}, which kept {:.1} %", 100.0 * c),
        };
        let fitted = if self.n > 0 { format!(" (fitted on {} cells)", self.n) } else { String::new() };
        format!("{how}, {abstains}{fitted}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_and_old_manifests_are_read() {
        let read = |text: &str| serde_json::from_str::<Calibration>(text).expect("reads");
        let old = read(r#"{"temperature": 2.0, "abstain_threshold": 0.5}"#);
        assert_eq!((old.check(5), old.scaled(&[4.0, 2.0])), (Ok(()), vec![2.0, 1.0]));
        let vector = read(r#"{"scale": [1.0, 2.0], "shift": [0.0, -1.0], "abstain_threshold": null}"#);
        assert_eq!((vector.check(2), vector.scaled(&[4.0, 2.0])), (Ok(()), vec![4.0, 3.0]));
        // Whatever constant the network adds to its logits, the calibrated answer is the same.
        let own = |c: f32| Probabilities::from_logits(&[1.0 + c, c]).expect("finite");
        let (a, b) = (vector.apply(&own(0.0)).expect("finite"), vector.apply(&own(9.0)).expect("finite"));
        let ln = own(0.0).logarithms();
        let expected = 1.0 / (1.0 + (2.0 * ln[1] - 1.0 - ln[0]).exp());
        assert!((a.values()[0] - b.values()[0]).abs() < 1e-6);
        assert!((f64::from(a.values()[0]) - expected).abs() < 1e-6);
        assert!(vector.check(3).is_err());
        assert!(read(r#"{"temperature": 0.0, "abstain_threshold": null}"#).check(2).is_err());
        assert!(read(r#"{"temperature": 1.0, "abstain_threshold": 1.5}"#).check(2).is_err());
    }
}
