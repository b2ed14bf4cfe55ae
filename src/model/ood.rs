//! What a model remembers of its training images: what their features are like, and which images they were.
//!
//! The first tells what is unlike anything in training, the second whether an image that is evaluated was learnt from.
//! Fitting is `training`'s; here are only the numbers in the file and what is asked of them.

use super::manifest_error::ManifestError;
use crate::domain::Digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Bytes kept of an image's digest: two of a million images share them with a chance of 3 · 10⁻⁸.
const DIGEST: usize = 8;
/// Bytes of an image's likeness hash.
pub const HASH_BYTES: usize = 72;

/// Numbers as they stand in the manifest: base64 of little-endian 32-bit floats.
pub(super) mod numbers {
    use super::{Deserialize, STANDARD};
    use base64::Engine as _;

    pub(in super::super) fn serialize<S: serde::Serializer>(values: &[f32], s: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        s.serialize_str(&STANDARD.encode(bytes))
    }

    pub(in super::super) fn deserialize<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Vec<f32>, D::Error> {
        let bytes = STANDARD.decode(String::deserialize(d)?).map_err(serde::de::Error::custom)?;
        let (numbers, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(serde::de::Error::custom("numbers that are cut off"));
        }
        Ok(numbers.iter().map(|b| f32::from_le_bytes(*b)).collect())
    }
}

/// What the training images' pooled features are like: Mahalanobis' distance to the nearest class with a covariance that
/// the classes share (Lee et al., NeurIPS 2018), which is full in the leading principal components and the same in all
/// other directions (Tipping & Bishop, JRSS B 61 (1999) 611). On real data it told cells of unknown kinds from known ones
/// as well as the nearest neighbours among the training images did, and keeps none of these.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OodDetector {
    /// Principal components.
    pub dims: usize,
    /// Subtracted from the features, `[features]`.
    #[serde(with = "numbers")]
    pub mean: Vec<f32>,
    /// The components, `[dims, features]`, orthonormal.
    #[serde(with = "numbers")]
    pub components: Vec<f32>,
    /// What makes the spread within the classes one in every component, `[dims, dims]`.
    #[serde(with = "numbers")]
    pub whitening: Vec<f32>,
    /// Where the classes lie in the components, `[classes with images, dims]`.
    #[serde(with = "numbers")]
    pub centres: Vec<f32>,
    /// Variance in each of the other directions.
    pub noise: f32,
    /// Distances above it are unlike the training images: 5 % of the validation cells lie above it.
    pub threshold: f32,
    /// Cells that it was fitted on.
    pub n: usize,
}

impl OodDetector {
    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), ManifestError> {
        let fits = self.dims > 0
            && self.components.len() == self.dims.saturating_mul(self.mean.len())
            && self.whitening.len() == self.dims.saturating_mul(self.dims)
            && !self.centres.is_empty()
            && self.centres.len().is_multiple_of(self.dims)
            && [self.noise, self.threshold].into_iter().all(|v| v.is_finite() && v > 0.0);
        let all = [&self.mean, &self.components, &self.whitening, &self.centres];
        if fits && all.into_iter().flatten().all(|v| v.is_finite()) {
            Ok(())
        } else {
            Err(ManifestError::Part("a familiarity whose numbers do not fit each other"))
        }
    }

    /// Distance to the nearest class; `None` for another number of features than it was fitted on.
    pub fn distance(&self, features: &[f32]) -> Option<f32> {
        if features.len() != self.mean.len() {
            return None;
        }
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let centred: Vec<f32> = features.iter().zip(&self.mean).map(|(f, m)| f - m).collect();
        let within: Vec<f32> = self.components.chunks_exact(self.mean.len()).map(|c| dot(c, &centred)).collect();
        let nearest = self
            .centres
            .chunks_exact(self.dims)
            .map(|centre| {
                let away: Vec<f32> = within.iter().zip(centre).map(|(z, c)| z - c).collect();
                self.whitening.chunks_exact(self.dims).map(|row| dot(row, &away).powi(2)).sum::<f32>()
            })
            .fold(f32::INFINITY, f32::min);
        let beside = (dot(&centred, &centred) - dot(&within, &within)).max(0.0) / self.noise;
        Some((nearest + beside).sqrt())
    }

    /// The distance as a share of the threshold: above 1 is unlike the training images.
    pub fn score(&self, features: &[f32]) -> Option<f32> {
        Some(self.distance(features)? / self.threshold)
    }

    /// In words, for the card.
    pub fn to_line(&self) -> String {
        format!("{} components of {} features, fitted on {} cells", self.dims, self.mean.len(), self.n)
    }
}

/// The images that a model learnt from: the beginnings of their digests, and their likeness hashes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainingRecord {
    digests: String,
    #[serde(rename = "likeness")]
    similarity: String,
    /// Whether it began from a model that carries no record of its own: then there are more images than these.
    #[serde(default)]
    pub partial: bool,
}

impl TrainingRecord {
    /// From digests and, for each, the likeness hash of its cell.
    pub fn new<'a>(images: impl IntoIterator<Item = (&'a Digest, [u8; HASH_BYTES])>) -> Self {
        let (mut digests, mut similarity) = (Vec::new(), Vec::new());
        for (digest, hash) in images {
            digests.extend_from_slice(&digest.0[..DIGEST]);
            similarity.extend_from_slice(&hash);
        }
        Self { digests: STANDARD.encode(digests), similarity: STANDARD.encode(similarity), partial: false }
    }

    /// This record with those of the model that it began from, each image once; `None` is a model without a record.
    pub fn and(self, before: Option<&Self>) -> Self {
        let Some(before) = before else { return Self { partial: true, ..self } };
        let (mut digests, mut similarity) = (Vec::new(), Vec::new());
        let mut seen = HashSet::new();
        for record in [before, &self] {
            let decode = |t: &str| STANDARD.decode(t).unwrap_or_default();
            let (own, hashes) = (decode(&record.digests), decode(&record.similarity));
            let images = own.as_chunks::<DIGEST>().0.iter().zip(hashes.as_chunks::<HASH_BYTES>().0);
            for (digest, hash) in images.filter(|(digest, hash)| seen.insert((**digest, **hash))) {
                digests.extend_from_slice(digest);
                similarity.extend_from_slice(hash);
            }
        }
        Self { digests: STANDARD.encode(digests), similarity: STANDARD.encode(similarity), partial: before.partial }
    }

    pub fn len(&self) -> usize {
        // Four letters hold three bytes.
        self.digests.trim_end_matches('=').len() * 3 / 4 / DIGEST
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The beginnings of the digests.
    pub fn digests(&self) -> HashSet<[u8; DIGEST]> {
        let bytes = STANDARD.decode(&self.digests).unwrap_or_default();
        bytes.as_chunks::<DIGEST>().0.iter().copied().collect()
    }

    /// The part of a digest that is kept.
    pub fn beginning(digest: &Digest) -> [u8; DIGEST] {
        let mut out = [0; DIGEST];
        out.copy_from_slice(&digest.0[..DIGEST]);
        out
    }

    pub fn similarity(&self) -> Vec<[u8; HASH_BYTES]> {
        STANDARD.decode(&self.similarity).unwrap_or_default().as_chunks::<HASH_BYTES>().0.to_vec()
    }

    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), ManifestError> {
        let (digests, similarity) = (STANDARD.decode(&self.digests), STANDARD.decode(&self.similarity));
        match (digests, similarity) {
            (Ok(d), Ok(l)) if d.len().is_multiple_of(DIGEST) && l.len() == d.len() / DIGEST * HASH_BYTES => Ok(()),
            _ => Err(ManifestError::Part("a training record that is damaged")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_and_knows_its_images() {
        let (a, b) = (Digest([7; 32]), Digest([9; 32]));
        let record = TrainingRecord::new([(&a, [1; HASH_BYTES]), (&b, [2; HASH_BYTES])]);
        let read: TrainingRecord = serde_json::from_str(&serde_json::to_string(&record).expect("text")).expect("reads");
        assert_eq!((read.len(), read.check()), (2, Ok(())));
        assert!(read.digests().contains(&TrainingRecord::beginning(&a)));
        assert!(!read.digests().contains(&TrainingRecord::beginning(&Digest([8; 32]))));
        assert_eq!(read.similarity()[1], [2; HASH_BYTES]);
        let both = TrainingRecord::new([(&Digest([8; 32]), [3; HASH_BYTES])]).and(Some(&read));
        assert_eq!((both.len(), both.partial, both.similarity()[2], both.check()), (3, false, [3; HASH_BYTES], Ok(())));
        assert_eq!(record.clone().and(Some(&both)).len(), 3, "each image once");
        assert!(record.clone().and(None).partial);
        let torn = TrainingRecord { digests: record.digests.clone(), similarity: String::new(), partial: false };
        assert!(torn.check().is_err() && TrainingRecord::default().is_empty());
    }

    #[test]
    fn the_nearest_class_counts_and_what_lies_beside_the_components() {
        let f = OodDetector {
            dims: 1,
            mean: vec![1.0, 1.0],
            components: vec![1.0, 0.0],
            whitening: vec![0.5],
            centres: vec![0.0, 4.0],
            noise: 4.0,
            threshold: 2.0,
            n: 10,
        };
        let read: OodDetector = serde_json::from_str(&serde_json::to_string(&f).expect("text")).expect("reads");
        assert_eq!((&read, read.check()), (&f, Ok(())));
        // Twelve along the component, eight from the nearer centre, halved; six beside it, over a deviation of two.
        assert_eq!(read.distance(&[13.0, 7.0]), Some(5.0));
        assert_eq!(read.score(&[13.0, 7.0]), Some(2.5));
        assert_eq!(read.score(&[1.0]), None);
        assert!(OodDetector { dims: 2, ..f.clone() }.check().is_err());
        assert!(OodDetector { noise: 0.0, ..f }.check().is_err());
    }
}
