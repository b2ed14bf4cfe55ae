//! What the program says of an image: its cells, their squares and probabilities, or why there are none.
//!
//! These are the rows of every table and the tiles of the gallery. No pixel is kept in them.

use super::Digest;
use std::path::PathBuf;
use std::sync::Arc;

/// A square in pixels of the upright image. `x` and `y` are its top left corner and may be negative.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Square {
    /// Left edge, pixels.
    pub x: f32,
    /// Top edge, pixels.
    pub y: f32,
    /// Length of a side, pixels.
    pub side: f32,
}

impl Square {
    /// The middle of the square, pixels.
    pub fn centre(&self) -> (f32, f32) {
        (self.x + self.side / 2.0, self.y + self.side / 2.0)
    }
}

/// Probabilities of the classes, in the order of the model's [`super::ClassSet`]. They sum to one.
#[derive(Debug, Clone, PartialEq)]
pub struct Probabilities(Vec<f32>);

impl Probabilities {
    /// The softmax of logits, computed with the largest one subtracted so that nothing overflows.
    ///
    /// `None` when a value is not finite: such an output means nothing and must not become a label.
    pub fn from_logits(logits: &[f32]) -> Option<Self> {
        if logits.is_empty() || logits.iter().any(|v| !v.is_finite()) {
            return None;
        }
        let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let exp: Vec<f64> = logits.iter().map(|v| f64::from(v - top).exp()).collect();
        let sum: f64 = exp.iter().sum();
        #[expect(clippy::cast_possible_truncation, reason = "a probability needs no double")]
        Some(Self(exp.iter().map(|v| (v / sum) as f32).collect()))
    }

    /// Takes values that are probabilities already; `None` unless each is in 0..=1 and they sum to one within 1e-3.
    pub fn new(values: Vec<f32>) -> Option<Self> {
        let sum: f32 = values.iter().sum();
        let fine = values.iter().all(|v| (0.0..=1.0001).contains(v)) && (sum - 1.0).abs() < 1e-3;
        fine.then_some(Self(values))
    }

    /// What calibration is fitted on and what it is applied to, for models that give logits and for those that give
    /// probabilities: the logarithms of the probabilities without calibration, their sum brought to one. Logits themselves
    /// have a free constant, which a factor for each class does not leave alone.
    pub fn logarithms(&self) -> Vec<f64> {
        let values: Vec<f64> = self.0.iter().map(|p| f64::from(*p)).collect();
        logarithms(&values)
    }

    /// The values, in the model's order.
    pub fn values(&self) -> &[f32] {
        &self.0
    }

    /// Position and value of the largest; the first one on a tie.
    pub fn top(&self) -> (usize, f32) {
        let mut best = (0, f32::NEG_INFINITY);
        for (i, &v) in self.0.iter().enumerate() {
            if v > best.1 {
                best = (i, v);
            }
        }
        best
    }
}

/// [`Probabilities::logarithms`] of doubles.
pub fn logarithms(probabilities: &[f64]) -> Vec<f64> {
    /// A probability of nothing has no logarithm; the smallest single is far below anything that a network means.
    const LEAST: f64 = 1e-30;
    let sum: f64 = probabilities.iter().sum();
    probabilities.iter().map(|p| (p / sum).max(LEAST).ln()).collect()
}

/// The word in the `status` column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// A cell with a label.
    Ok,
    /// A cell whose confidence is below the model's abstain threshold.
    Unidentified,
    /// An image in which nothing looks like a white cell.
    NoCell,
    /// An image that could not be read or classified.
    Failed,
}

impl Status {
    /// The word of the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unidentified => "unidentified",
            Self::NoCell => "no-cell",
            Self::Failed => "failed",
        }
    }
}

/// The number of the first cell that the user adds to an image; no finder finds so many.
pub const ADDED: u32 = 100_001;

/// One cell and what the model makes of it.
#[derive(Debug, Clone, PartialEq)]
pub struct CellResult {
    /// Its number among the places of the image that were looked at: from 1 in the order of the finder, most evident first, the same
    /// whatever judged them; from [`ADDED`] for squares that a person has drawn.
    pub number: u32,
    /// The square that the model saw.
    pub square: Square,
    /// Probabilities in the model's class order.
    pub probabilities: Probabilities,
    /// Whether the confidence reaches the model's abstain threshold (always true where it has none).
    pub accepted: bool,
    /// How unlike the model's training images it is, as a share of the model's threshold: above 1 is unlike them. `None`
    /// where the model cannot tell.
    pub ood_score: Option<f32>,
    /// The pooled features, where they were asked for; else empty.
    pub features: Vec<f32>,
    /// How probable it is that the square shows no white cell; `None` where nothing judged it.
    pub doubt: Option<f32>,
    /// Kinds that the model suspects beside the class, as its flags name them.
    pub flags: Vec<Arc<str>>,
    /// Of how many views of the square its probabilities are the mean; `None` where that is not known any more.
    pub views: Option<u8>,
}

/// A place that was looked at and judged to show no white cell.
#[derive(Debug, Clone, PartialEq)]
pub struct RejectedPlace {
    /// Its number among the places of the image; a cell of the same image never has it.
    pub number: u32,
    /// The square that was looked at.
    pub square: Square,
    /// How probable it is that it shows no white cell.
    pub doubt: f32,
}

impl CellResult {
    /// `ok` or `unidentified`.
    pub fn status(&self) -> Status {
        if self.accepted { Status::Ok } else { Status::Unidentified }
    }
}

/// Why an image has no result, in words for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The image could not be read, decoded or classified; the others may well be.
    Image(String),
    /// The model's answer is not what its card promises: it would be no better for the next image.
    Model(String),
}

impl Failure {
    pub fn reason(&self) -> &str {
        match self {
            Self::Image(reason) | Self::Model(reason) => reason,
        }
    }
}

/// How a flag is shown: it is a suspicion, and the question mark says so.
pub fn name_of_flag(label: &str) -> String {
    format!("{label}?")
}

/// Whether a cell is unlike the training images: its score is in multiples of the calibrated threshold.
pub fn is_unfamiliar(ood_score: &f32) -> bool {
    *ood_score > 1.0
}

/// What became of one image.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Its cells, in the order of their numbers; empty means that nothing looked like a white cell.
    Cells(Vec<CellResult>),
    /// Why it could not be read or classified.
    Failed(Failure),
}

/// One image's result: never missing, whatever happened to the file.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageResult {
    /// Place in the input order, from 0.
    pub index: usize,
    /// The file as it was named.
    pub path: PathBuf,
    /// Digest of the file's bytes; absent when they could not be read.
    pub digest: Option<Digest>,
    /// Width and height of the upright image, pixels; absent when it could not be decoded.
    pub size: Option<(u32, u32)>,
    /// Cells or the reason why there are none.
    pub outcome: Outcome,
    /// Places that show no white cell, least doubtful first.
    pub rejected: Vec<RejectedPlace>,
    /// What the user should know although the image was read ("first of 3 pages").
    pub warnings: Vec<String>,
    /// The execution provider that ran, where one did.
    pub provider: Option<Arc<str>>,
}

impl ImageResult {
    /// The status of the image as a whole.
    pub fn status(&self) -> Status {
        match &self.outcome {
            Outcome::Failed(_) => Status::Failed,
            Outcome::Cells(cells) => cells.first().map_or(Status::NoCell, CellResult::status),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softmax_stands_large_logits_and_refuses_nan() {
        let p = Probabilities::from_logits(&[1000.0, 999.0]).expect("finite");
        // scipy.special.softmax([1000, 999]) = 0.73105858, 0.26894142 (SciPy 1.14)
        assert!((p.values()[0] - 0.731_058_6).abs() < 1e-6);
        assert_eq!(p.top().0, 0);
        assert!(Probabilities::from_logits(&[f32::NAN, 0.0]).is_none());
        assert!(Probabilities::from_logits(&[]).is_none());
    }

    #[test]
    fn what_does_not_sum_to_one_is_no_probability() {
        assert!(Probabilities::new(vec![0.5, 0.4]).is_none());
        assert!(Probabilities::new(vec![-0.5, 1.5]).is_none());
        assert!(Probabilities::new(vec![0.25, 0.75]).is_some());
    }
}
