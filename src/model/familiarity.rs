//! What a model remembers of its training images: what their features are like, and which images they were.
//!
//! The first tells what is unlike anything in training, the second whether an image that is evaluated was learnt from.
//! Fitting is `training`'s; here are only the numbers in the file and what is asked of them.

use crate::domain::Digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// Bytes kept of an image's digest: two of a million images share them with a chance of 3 · 10⁻⁸.
const DIGEST: usize = 8;
/// Bytes of an image's likeness hash.
pub const LIKENESS: usize = 72;

/// Numbers as they stand in the manifest: base64 of little-endian 32-bit floats.
mod numbers {
    use super::{Deserialize, STANDARD};
    use base64::Engine as _;

    pub(super) fn serialize<S: serde::Serializer>(values: &[f32], s: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        s.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Vec<f32>, D::Error> {
        let bytes = STANDARD.decode(String::deserialize(d)?).map_err(serde::de::Error::custom)?;
        let (numbers, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(serde::de::Error::custom("numbers that are cut off"));
        }
        Ok(numbers.iter().map(|b| f32::from_le_bytes(*b)).collect())
    }
}

/// The training images' pooled features: a projection in which their spread within the classes is one in every direction,
/// and where each class lies in it. The distance to the nearest class is Mahalanobis' with a covariance shared by the
/// classes (Lee et al., NeurIPS 2018), on the leading principal components.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Familiarity {
    /// Numbers of the projection's result.
    pub dims: usize,
    /// Subtracted from the features before projecting, `[features]`.
    #[serde(with = "numbers")]
    pub mean: Vec<f32>,
    /// `[dims, features]`.
    #[serde(with = "numbers")]
    pub projection: Vec<f32>,
    /// `[classes, dims]`; classes without images have none.
    #[serde(with = "numbers")]
    pub centres: Vec<f32>,
    /// Distances above it are unlike the training images: 5 % of the validation cells lie above it.
    pub threshold: f32,
    /// Cells that it was fitted on.
    pub n: usize,
}

impl Familiarity {
    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), String> {
        let fits = self.dims > 0
            && self.projection.len() == self.dims.saturating_mul(self.mean.len())
            && !self.centres.is_empty()
            && self.centres.len().is_multiple_of(self.dims)
            && self.threshold.is_finite()
            && self.threshold > 0.0;
        let finite = self.mean.iter().chain(&self.projection).chain(&self.centres).all(|v| v.is_finite());
        if fits && finite { Ok(()) } else { Err("a familiarity whose numbers do not fit each other".into()) }
    }

    /// Where features lie in the projection, `[dims]`; `None` for another number of features.
    #[must_use]
    pub fn project(&self, features: &[f32]) -> Option<Vec<f32>> {
        if features.len() != self.mean.len() {
            return None;
        }
        let centred: Vec<f32> = features.iter().zip(&self.mean).map(|(f, m)| f - m).collect();
        Some(
            self.projection
                .chunks_exact(self.mean.len())
                .map(|row| row.iter().zip(&centred).map(|(a, b)| a * b).sum())
                .collect(),
        )
    }

    /// Distance to the nearest class as a share of the threshold: above 1 is unlike the training images.
    #[must_use]
    pub fn score(&self, features: &[f32]) -> Option<f32> {
        let z = self.project(features)?;
        let squared = |centre: &[f32]| centre.iter().zip(&z).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
        let nearest = self.centres.chunks_exact(self.dims).map(squared).fold(f32::INFINITY, f32::min);
        Some(nearest.sqrt() / self.threshold)
    }

    /// In words, for the card.
    #[must_use]
    pub fn to_line(&self) -> String {
        format!("{} directions of {} features, fitted on {} cells", self.dims, self.mean.len(), self.n)
    }
}

/// The images that a model learnt from: the beginnings of their digests, and their likeness hashes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainingRecord {
    digests: String,
    likeness: String,
}

impl TrainingRecord {
    /// From digests and, for each, the likeness hash of its cell.
    #[must_use]
    pub fn new<'a>(images: impl IntoIterator<Item = (&'a Digest, [u8; LIKENESS])>) -> Self {
        let (mut digests, mut likeness) = (Vec::new(), Vec::new());
        for (digest, hash) in images {
            digests.extend_from_slice(&digest.0[..DIGEST]);
            likeness.extend_from_slice(&hash);
        }
        Self { digests: STANDARD.encode(digests), likeness: STANDARD.encode(likeness) }
    }

    /// How many images.
    #[must_use]
    pub fn len(&self) -> usize {
        // Four letters hold three bytes.
        self.digests.trim_end_matches('=').len() * 3 / 4 / DIGEST
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The beginnings of the digests.
    #[must_use]
    pub fn digests(&self) -> std::collections::HashSet<[u8; DIGEST]> {
        let bytes = STANDARD.decode(&self.digests).unwrap_or_default();
        bytes.as_chunks::<DIGEST>().0.iter().copied().collect()
    }

    /// The part of a digest that is kept.
    #[must_use]
    pub fn beginning(digest: &Digest) -> [u8; DIGEST] {
        let mut out = [0; DIGEST];
        out.copy_from_slice(&digest.0[..DIGEST]);
        out
    }

    /// The likeness hashes.
    #[must_use]
    pub fn likeness(&self) -> Vec<[u8; LIKENESS]> {
        STANDARD.decode(&self.likeness).unwrap_or_default().as_chunks::<LIKENESS>().0.to_vec()
    }

    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), String> {
        let (digests, likeness) = (STANDARD.decode(&self.digests), STANDARD.decode(&self.likeness));
        match (digests, likeness) {
            (Ok(d), Ok(l)) if d.len().is_multiple_of(DIGEST) && l.len() == d.len() / DIGEST * LIKENESS => Ok(()),
            _ => Err("a training record that is damaged".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_and_knows_its_images() {
        let (a, b) = (Digest([7; 32]), Digest([9; 32]));
        let record = TrainingRecord::new([(&a, [1; LIKENESS]), (&b, [2; LIKENESS])]);
        let read: TrainingRecord = serde_json::from_str(&serde_json::to_string(&record).expect("text")).expect("reads");
        assert_eq!((read.len(), read.check()), (2, Ok(())));
        assert!(read.digests().contains(&TrainingRecord::beginning(&a)));
        assert!(!read.digests().contains(&TrainingRecord::beginning(&Digest([8; 32]))));
        assert_eq!(read.likeness()[1], [2; LIKENESS]);
        let torn = TrainingRecord { digests: record.digests.clone(), likeness: String::new() };
        assert!(torn.check().is_err() && TrainingRecord::default().is_empty());
    }

    #[test]
    fn the_nearest_class_counts() {
        let f = Familiarity {
            dims: 1,
            mean: vec![1.0, 1.0],
            projection: vec![0.5, 0.0],
            centres: vec![0.0, 4.0],
            threshold: 2.0,
            n: 10,
        };
        let read: Familiarity = serde_json::from_str(&serde_json::to_string(&f).expect("text")).expect("reads");
        assert_eq!((&read, read.check()), (&f, Ok(())));
        assert_eq!(read.score(&[13.0, 5.0]), Some(1.0));
        assert_eq!(read.score(&[1.0]), None);
        assert!(Familiarity { dims: 2, ..f }.check().is_err());
    }
}
