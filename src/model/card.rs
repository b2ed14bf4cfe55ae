//! The card of a model: what its own metadata says of its labels, its input and how it was made.
//!
//! Our manifest is one JSON text under `leukoscope.manifest`. Nothing about a particular model is written in code:
//! what the manifest does not say is not assumed.

use super::calibration::Calibration;
use super::familiarity::{Familiarity, TrainingRecord};
use super::selftest::SelfTest;
use crate::domain::{CellPreprocessing, ClassSet, Digest, EpochRow, TensorSpec};
use serde::Deserialize;
use std::fmt::Write as _;

/// The key of the manifest in `metadata_props`.
pub const MANIFEST_KEY: &str = "leukoscope.manifest";
/// The newest manifest schema that this version reads.
pub(super) const NEWEST_SCHEMA: u32 = 1;

/// The manifest as it is written.
#[derive(Debug, Clone, Deserialize)]
pub struct Manifest {
    /// Version of this layout.
    pub schema: u32,
    /// What the model is called.
    #[serde(default)]
    pub name: String,
    /// Labels in the order of the outputs.
    pub labels: Vec<String>,
    /// The input's contract.
    pub input: ManifestInput,
    /// What happens to a picture before the input.
    pub preprocessing: ManifestPreprocessing,
    /// Outputs by meaning.
    pub outputs: ManifestOutputs,
    /// Temperature and abstain threshold, where the model was calibrated.
    #[serde(default)]
    pub calibration: Option<Calibration>,
    /// What the training images' features are like.
    #[serde(default)]
    pub familiarity: Option<Familiarity>,
    /// The images that it learnt from.
    #[serde(default)]
    pub training_record: Option<TrainingRecord>,
    /// A picture and what it must give.
    #[serde(default)]
    pub self_test: Option<SelfTest>,
    /// How it learnt, epoch by epoch.
    #[serde(default)]
    pub history: Option<ManifestHistory>,
    /// Licence in words.
    #[serde(default)]
    pub licence: String,
    /// What it is for.
    #[serde(default)]
    pub intended_use: String,
}

/// The input's contract.
#[derive(Debug, Clone, Deserialize)]
pub struct ManifestInput {
    /// The graph input's name.
    pub name: String,
    /// `NCHW` or `NHWC`.
    pub layout: String,
    /// `RGB` or `BGR`.
    pub channels: String,
    /// Height and width, pixels.
    pub size: [usize; 2],
    /// Only `float32` is known.
    pub dtype: String,
    /// Subtracted from each 0..=255 value, a number per channel.
    pub mean: [f32; 3],
    /// Divides what is left.
    pub std: [f32; 3],
}

/// What happens to a picture before the input.
#[derive(Debug, Clone, Deserialize)]
pub struct ManifestPreprocessing {
    /// `cell-square` or `whole-image`.
    pub kind: String,
    /// Version of that kind.
    #[serde(default)]
    pub version: u32,
    /// Side of the square in nucleus diameters.
    pub side_factor: Option<f64>,
    /// Percentile of the picture that is taken for background.
    pub white_level_percentile: Option<f64>,
    /// Where the background goes.
    pub white: Option<f32>,
}

/// Names of the graph's outputs by meaning.
#[derive(Debug, Clone, Deserialize)]
pub struct ManifestOutputs {
    /// Scores before softmax.
    pub logits: Option<String>,
    /// Probabilities.
    pub probabilities: Option<String>,
    /// The pooled features.
    pub features: Option<String>,
    /// The last feature map.
    pub feature_map: Option<String>,
}

/// How a model learnt.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct ManifestHistory {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// A row an epoch.
    pub rows: Vec<Vec<f64>>,
}

/// What a model wants to see.
#[derive(Debug, Clone, PartialEq)]
pub enum Preprocessing {
    /// The balanced square around each cell.
    CellSquare(CellPreprocessing),
    /// The whole picture, stretched.
    WholeImage,
}

/// Everything the program needs to know of a model, checked.
#[derive(Debug, Clone)]
pub struct ModelCard {
    /// What it is called.
    pub name: String,
    /// SHA-256 of the file.
    pub digest: Digest,
    /// Bytes of the file.
    pub bytes: usize,
    /// Labels in output order.
    pub classes: ClassSet,
    /// The input's name in the graph.
    pub input_name: String,
    /// Shape and scaling of the input.
    pub tensor: TensorSpec,
    /// What happens before.
    pub preprocessing: Preprocessing,
    /// Temperature and abstain threshold.
    pub calibration: Option<Calibration>,
    /// A picture and what it must give, where the model carries one.
    pub self_test: Option<SelfTest>,
    /// How it learnt, epoch by epoch; empty where it does not say.
    pub history: Vec<EpochRow>,
    /// The output that holds the pooled features.
    pub features: Option<String>,
    /// What the training images' features are like, where the model carries it.
    pub familiarity: Option<Familiarity>,
    /// The images that it learnt from, where the model carries them.
    pub trained_on: Option<TrainingRecord>,
    /// Other outputs by meaning, for the card.
    pub outputs: Vec<(&'static str, String)>,
    /// Licence in words.
    pub licence: String,
    /// What it is for.
    pub intended_use: String,
    /// Author, where named.
    pub author: String,
    /// Operators of the graph and how often each occurs.
    pub operators: Vec<(String, usize)>,
    /// ONNX operator set and intermediate representation versions.
    pub versions: (i64, i64),
    /// Numbers among the weights.
    pub parameters: u64,
}

impl ManifestHistory {
    /// The rows, where the columns are those that this version writes.
    fn rows(&self) -> Vec<EpochRow> {
        let known = ["epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "seconds"];
        if self.columns != known {
            return Vec::new();
        }
        let row = |r: &Vec<f64>| match r[..] {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of epochs")]
            [epoch, train_loss, train_accuracy, val_loss, val_accuracy, seconds] if epoch >= 1.0 => {
                Some(EpochRow { epoch: epoch as usize, train_loss, train_accuracy, val_loss, val_accuracy, seconds })
            }
            _ => None,
        };
        self.rows.iter().filter_map(row).collect()
    }
}

impl Manifest {
    /// How it learnt.
    pub(super) fn epochs(&self) -> Vec<EpochRow> {
        self.history.as_ref().map_or_else(Vec::new, ManifestHistory::rows)
    }

    /// The tensor's contract, or what about it is not understood.
    pub(super) fn tensor(&self) -> Result<TensorSpec, String> {
        let i = &self.input;
        let channels_first = match i.layout.as_str() {
            "NCHW" => true,
            "NHWC" => false,
            other => return Err(format!("input layout \"{other}\" (NCHW and NHWC are known)")),
        };
        let bgr = match i.channels.as_str() {
            "RGB" => false,
            "BGR" => true,
            other => return Err(format!("channel order \"{other}\" (RGB and BGR are known)")),
        };
        if i.dtype != "float32" {
            return Err(format!("input type \"{}\" (float32 is known)", i.dtype));
        }
        let [h, w] = i.size;
        if h != w || !(16..=1024).contains(&h) {
            return Err(format!("input size {h} × {w} (squares of 16 to 1024 pixels are known)"));
        }
        if i.std.iter().any(|s| !s.is_finite() || *s == 0.0) || i.mean.iter().any(|m| !m.is_finite()) {
            return Err("mean or std is zero or not finite".into());
        }
        Ok(TensorSpec { size: h, channels_first, bgr, mean: i.mean, std: i.std })
    }

    /// The preprocessing, or what about it is not understood.
    pub(super) fn preprocessing(&self) -> Result<Preprocessing, String> {
        let p = &self.preprocessing;
        match (p.kind.as_str(), p.version) {
            ("cell-square", 1) => {
                let how = CellPreprocessing {
                    side_factor: p.side_factor.ok_or("cell-square without side_factor")?,
                    white: p.white.ok_or("cell-square without white")?,
                    white_percentile: p.white_level_percentile.ok_or("cell-square without white_level_percentile")?,
                };
                let fine = (1.0..=8.0).contains(&how.side_factor)
                    && (64.0..=255.0).contains(&how.white)
                    && (50.0..=100.0).contains(&how.white_percentile);
                if fine {
                    Ok(Preprocessing::CellSquare(how))
                } else {
                    Err("cell-square with numbers out of range".into())
                }
            }
            ("whole-image", 0 | 1) => Ok(Preprocessing::WholeImage),
            (kind, version) => {
                Err(format!("preprocessing \"{kind}\" version {version}; a newer Leukoscope may know it"))
            }
        }
    }
}

impl ModelCard {
    /// The card as text, for `inspect` and the window.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut t = String::new();
        let mut line = |key: &str, value: &str| {
            let _ = writeln!(t, "{key:<15}{value}");
        };
        line("name", &self.name);
        line("sha256", &self.digest.to_string());
        #[expect(clippy::cast_precision_loss, reason = "megabytes with one decimal")]
        line("size", &format!("{:.1} MB, {} weights", self.bytes as f64 / 1e6, self.parameters));
        line("classes", &self.classes.labels().join(", "));
        let t3 = &self.tensor;
        let layout = if t3.channels_first { "NCHW" } else { "NHWC" };
        let order = if t3.bgr { "BGR" } else { "RGB" };
        line(
            "input",
            &format!(
                "{} {layout} {order} {1} × {1}, (value − {2:?}) / {3:?}",
                self.input_name, t3.size, t3.mean, t3.std
            ),
        );
        line(
            "preprocessing",
            &match &self.preprocessing {
                Preprocessing::CellSquare(p) => format!(
                    "cell square of {} nucleus diameters, background (percentile {}) to {}",
                    p.side_factor, p.white_percentile, p.white
                ),
                Preprocessing::WholeImage => "whole image, stretched".into(),
            },
        );
        line("outputs", &self.outputs.iter().map(|(m, n)| format!("{m} = {n}")).collect::<Vec<_>>().join(", "));
        line(
            "calibration",
            &match &self.calibration {
                None => "none: the confidence is the network's own and usually too high".into(),
                Some(c) => c.to_line(),
            },
        );
        line(
            "familiarity",
            &self
                .familiarity
                .as_ref()
                .map_or_else(|| "none: it cannot tell what is unlike its training images".into(), Familiarity::to_line),
        );
        line(
            "learnt from",
            &self.trained_on.as_ref().map_or_else(
                || "not recorded: whether an image was in its training cannot be checked".into(),
                |r| {
                    let more = if r.partial { ", and others that its starting model did not record" } else { "" };
                    format!("{} recorded images{more}", r.len())
                },
            ),
        );
        line(
            "graph",
            &format!(
                "opset {}, IR {}; {}",
                self.versions.0,
                self.versions.1,
                self.operators.iter().map(|(o, n)| format!("{o} ×{n}")).collect::<Vec<_>>().join(", ")
            ),
        );
        if !self.author.is_empty() {
            line("author", &self.author);
        }
        line("licence", if self.licence.is_empty() { "not stated" } else { &self.licence });
        line("intended use", if self.intended_use.is_empty() { "not stated" } else { &self.intended_use });
        t
    }
}
