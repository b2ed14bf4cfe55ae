//! What the values of a model's input are and what of an image it sees, by words that people and scripts use. Values alone.

use crate::domain::{CellPreprocessing, Preprocessing, ResizeFilter, TensorSpec, WholePreprocessing};
use std::str::FromStr;

/// A word that says nothing of a model's input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownView {
    /// No [`Normalization`].
    #[error("\"{0}\" is no scaling; known are {words}", words = Normalization::KNOWN.map(|(w, ..)| w).join(", "))]
    Normalization(String),
    /// No [`Crop`].
    #[error(
        "\"{0}\" is no way of cutting; known are stretch, centre, centre-SHARE, cell, cell-plain (and -area, -bicubic)"
    )]
    Crop(String),
}

/// What the values of the input are: (value of 0…255 − mean) / std, in the tensor's order of colours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalization {
    /// Blue first.
    pub bgr: bool,
    /// In the tensor's order, of 0…255.
    pub mean: [f32; 3],
    /// In the tensor's order, of 0…255.
    pub std: [f32; 3],
}

impl Normalization {
    /// 0…255 as they are, or scaled by the graph itself.
    pub const BYTES: Self = Self { bgr: false, mean: [0.0; 3], std: [1.0; 3] };
    /// 0…255, blue first.
    pub const BYTES_BGR: Self = Self { bgr: true, ..Self::BYTES };
    /// 0…1.
    pub const UNIT: Self = Self { bgr: false, mean: [0.0; 3], std: [255.0; 3] };
    /// 0…1, blue first.
    pub const UNIT_BGR: Self = Self { bgr: true, ..Self::UNIT };
    /// −1…1.
    pub const SYMMETRIC: Self = Self { bgr: false, mean: [127.5; 3], std: [127.5; 3] };
    /// torchvision's: ImageNet's means and deviations.
    pub const IMAGENET: Self = Self { bgr: false, mean: [123.675, 116.28, 103.53], std: [58.395, 57.12, 57.375] };
    /// Caffe's and Keras' ResNet50 and VGG: blue first, ImageNet's means taken off.
    pub const CAFFE: Self = Self { bgr: true, mean: [103.939, 116.779, 123.68], std: [1.0; 3] };

    /// The value of ONNX's standard metadata key `Image.NominalPixelRange`; none where no value of it says this.
    pub fn nominal_range(&self) -> Option<&'static str> {
        let plain = Self { bgr: false, ..*self };
        [(Self::BYTES, "NominalRange_0_255"), (Self::UNIT, "Normalized_0_1"), (Self::SYMMETRIC, "Normalized_1_1")]
            .into_iter()
            .find_map(|(known, word)| (known == plain).then_some(word))
    }

    /// Those that have a word, with the word and what it means.
    pub const KNOWN: [(&'static str, Self, &'static str); 7] = [
        ("imagenet", Self::IMAGENET, "ImageNet's mean and deviation (torchvision, timm)"),
        ("symmetric", Self::SYMMETRIC, "−1…1 (Keras MobileNet, Teachable Machine)"),
        ("unit", Self::UNIT, "0…1 (Ultralytics, Lobe)"),
        ("bytes", Self::BYTES, "0…255 (scaled inside the graph, Keras EfficientNet)"),
        ("caffe", Self::CAFFE, "0…255, blue first, ImageNet's mean taken off (Keras ResNet50, VGG)"),
        ("bytes-bgr", Self::BYTES_BGR, "0…255, blue first (Custom Vision)"),
        ("unit-bgr", Self::UNIT_BGR, "0…1, blue first"),
    ];

    /// From mean and deviation of 0…1, red first.
    pub fn of_unit(mean: [f32; 3], std: [f32; 3]) -> Self {
        Self { bgr: false, mean: mean.map(|m| m * 255.0), std: std.map(|s| s * 255.0) }
    }

    /// As a model's tensor has it, `size` pixels a side.
    pub fn tensor(self, size: usize, channels_first: bool) -> TensorSpec {
        TensorSpec { size, channels_first, bgr: self.bgr, mean: self.mean, std: self.std }
    }

    /// Whether two give the same values but for rounding.
    pub fn near(&self, other: &Self) -> bool {
        let close = |a: &[f32; 3], b: &[f32; 3]| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-3 * b.abs().max(1.0));
        self.bgr == other.bgr && close(&self.mean, &other.mean) && close(&self.std, &other.std)
    }

    /// Its word, or its numbers.
    pub fn word(&self) -> String {
        match Self::KNOWN.iter().find(|(_, s, _)| s.near(self)) {
            Some((word, ..)) => (*word).to_owned(),
            None => format!("{}mean {:?}, std {:?}", if self.bgr { "BGR, " } else { "" }, self.mean, self.std),
        }
    }
}

impl FromStr for Normalization {
    type Err = UnknownView;

    fn from_str(s: &str) -> Result<Self, UnknownView> {
        let word = s.trim().to_lowercase();
        let known = Self::KNOWN.iter().find(|(w, ..)| *w == word);
        known.map(|(_, scaling, _)| *scaling).ok_or_else(|| UnknownView::Normalization(s.to_owned()))
    }
}

/// What of an image the model sees.
#[derive(Debug, Clone, PartialEq)]
pub enum Crop {
    Whole(WholePreprocessing),
    /// The square of each cell.
    Cell(CellPreprocessing),
}

impl Crop {
    /// What a check with labelled images tries, the usual ones first.
    pub fn candidates() -> Vec<Self> {
        let whole = |crop| Self::Whole(WholePreprocessing { crop, filter: ResizeFilter::Bilinear });
        let plain = CellPreprocessing { balanced: false, ..CellPreprocessing::OURS };
        vec![whole(None), whole(Some(1.0)), whole(Some(0.875)), Self::Cell(plain), Self::Cell(CellPreprocessing::OURS)]
    }

    /// Its word: `stretch`, `centre`, `centre-0.875`, `cell`, `cell-plain`; another filter than bilinear at the end.
    pub fn word(&self) -> String {
        match self {
            Self::Cell(p) => if p.balanced { "cell" } else { "cell-plain" }.to_owned(),
            Self::Whole(w) => {
                let base = match w.crop {
                    None => "stretch".to_owned(),
                    Some(1.0) => "centre".to_owned(),
                    Some(share) => format!("centre-{share:.3}").trim_end_matches('0').to_owned(),
                };
                if w.filter == ResizeFilter::Bilinear { base } else { format!("{base}-{}", w.filter.as_str()) }
            }
        }
    }

    /// As a card has it.
    pub fn preprocessing(&self) -> Preprocessing {
        match self {
            Self::Whole(w) => Preprocessing::WholeImage(*w),
            Self::Cell(c) => Preprocessing::CellSquare(c.clone()),
        }
    }
}

impl FromStr for Crop {
    type Err = UnknownView;

    fn from_str(s: &str) -> Result<Self, UnknownView> {
        let word = s.trim().to_lowercase();
        let unknown = || UnknownView::Crop(s.to_owned());
        match word.as_str() {
            "cell" => return Ok(Self::Cell(CellPreprocessing::OURS)),
            "cell-plain" => return Ok(Self::Cell(CellPreprocessing { balanced: false, ..CellPreprocessing::OURS })),
            _ => {}
        }
        let named =
            ResizeFilter::ALL.into_iter().find_map(|f| Some((word.strip_suffix(f.as_str())?.strip_suffix('-')?, f)));
        let (base, filter) = named.unwrap_or((word.as_str(), ResizeFilter::Bilinear));
        let crop = match base {
            "stretch" => None,
            "centre" | "center" => Some(1.0),
            other => {
                let share =
                    other.strip_prefix("centre-").or_else(|| other.strip_prefix("center-")).ok_or_else(unknown)?;
                Some(share.parse::<f64>().ok().filter(|v| (0.1..=1.0).contains(v)).ok_or_else(unknown)?)
            }
        };
        Ok(Self::Whole(WholePreprocessing { crop, filter }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_range_is_said_only_where_it_is_so() {
        let said = [
            Normalization::BYTES_BGR,
            Normalization::UNIT,
            Normalization::SYMMETRIC,
            Normalization::IMAGENET,
            Normalization::CAFFE,
        ];
        assert_eq!(
            said.map(|s| s.nominal_range()),
            [Some("NominalRange_0_255"), Some("Normalized_0_1"), Some("Normalized_1_1"), None, None]
        );
    }

    #[test]
    fn words_round_trip() {
        for (word, scaling, _) in Normalization::KNOWN {
            assert_eq!((word.parse(), scaling.word().as_str()), (Ok(scaling), word));
        }
        for crop in Crop::candidates() {
            assert_eq!(crop.word().parse(), Ok(crop));
        }
        assert_eq!("centre-0.95-bicubic".parse::<Crop>().expect("known").word(), "centre-0.95-bicubic");
        assert!("crop".parse::<Crop>().is_err() && "centre-7".parse::<Crop>().is_err());
    }
}
