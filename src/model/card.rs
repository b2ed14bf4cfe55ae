//! The card of a model: what its own metadata says of its labels, its input and how it was made.
//!
//! Our manifest is one JSON text under `leukoscope.manifest`. Nothing about a particular model is written in code:
//! what the manifest does not say is not assumed.

use super::calibration::Calibration;
use super::evidence::EvidenceLine;
use super::flags::Flag;
use super::manifest_error::ManifestError;
use super::ood::{OodDetector, TrainingRecord};
use super::selftest::SelfTest;
use crate::domain::{
    CellPreprocessing, ClassSet, Digest, EpochRow, NOT_A_WHITE_CELL, Preprocessing, Probabilities, ResizeFilter,
    TensorSpec, WholePreprocessing,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The key of the manifest in `metadata_props`.
pub const MANIFEST_KEY: &str = "leukoscope.manifest";
/// The newest manifest schema that this version reads.
pub(super) const NEWEST_SCHEMA: u32 = 1;

fn unknown(what: &'static str, word: &str, known: &'static str) -> ManifestError {
    ManifestError::Word(what, word.to_owned(), known)
}

/// The manifest as it is written.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this layout.
    pub schema: u32,
    /// What the model is called.
    #[serde(default)]
    pub name: String,
    /// Labels in the order of the outputs.
    pub labels: Vec<String>,
    /// What each label counts as in this laboratory, where that is not its own name; probabilities of labels that count as the
    /// same are added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counts_as: Vec<String>,
    /// Where this manifest was put together for somebody else's model: what each part of it rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<EvidenceLine>,
    /// The input's contract.
    pub input: ManifestInput,
    /// What happens to an image before the input.
    pub preprocessing: ManifestPreprocessing,
    pub outputs: ManifestOutputs,
    /// Temperature and abstain threshold, where the model was calibrated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// What the training images' features are like.
    #[serde(rename = "familiarity", default, skip_serializing_if = "Option::is_none")]
    pub ood: Option<OodDetector>,
    /// Kinds that it suspects beside its classes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<Flag>,
    /// The images that it learnt from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training_record: Option<TrainingRecord>,
    /// An image and what it must give.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_test: Option<SelfTest>,
    /// How it learnt, epoch by epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<ManifestHistory>,
    /// Where it comes from: program, start, data, split, recipe.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub provenance: Value,
    /// Scores of its validation and test parts.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub metrics: Value,
    /// What an 8-bit copy is a copy of, and what it costs.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub quantization: Value,
    #[serde(default)]
    pub licence: String,
    #[serde(default)]
    pub intended_use: String,
    /// What a newer or another program wrote beside: it stays.
    #[serde(flatten)]
    pub rest: serde_json::Map<String, Value>,
}

/// The input's contract.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    #[serde(flatten)]
    pub rest: serde_json::Map<String, Value>,
}

/// What happens to an image before the input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ManifestPreprocessing {
    /// `cell-square` or `whole-image`.
    pub kind: String,
    #[serde(default)]
    pub version: u32,
    /// Side of the square in nucleus diameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side_factor: Option<f64>,
    /// Percentile of the image that is taken for background.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub white_level_percentile: Option<f64>,
    /// Where the background goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub white: Option<f32>,
    /// Whether the background is brought to `white`; it is where this is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balanced: Option<bool>,
    /// What is outside the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outside: Option<String>,
    /// The centred square, as a share of the shorter side; whole images are stretched where this is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crop: Option<f64>,
    /// `area`, `bilinear` or `bicubic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    #[serde(flatten)]
    pub rest: serde_json::Map<String, Value>,
}

impl ManifestInput {
    /// The input `name` with the scaling of `spec`; `layout` is that of the graph, `NCHW` or `NHWC`.
    pub fn new(name: &str, spec: &TensorSpec, layout: &str) -> Self {
        Self {
            name: name.into(),
            layout: layout.into(),
            channels: if spec.bgr { "BGR" } else { "RGB" }.into(),
            size: [spec.size, spec.size],
            dtype: "float32".into(),
            mean: spec.mean,
            std: spec.std,
            rest: serde_json::Map::new(),
        }
    }
}

impl From<&Preprocessing> for ManifestPreprocessing {
    fn from(p: &Preprocessing) -> Self {
        let nothing = Self {
            kind: String::new(),
            version: 1,
            side_factor: None,
            white_level_percentile: None,
            white: None,
            balanced: None,
            outside: None,
            crop: None,
            filter: None,
            rest: serde_json::Map::new(),
        };
        match p {
            Preprocessing::CellSquare(c) => Self {
                kind: "cell-square".into(),
                // Version 1 readers know balanced squares alone.
                version: if c.balanced { 1 } else { 2 },
                side_factor: Some(c.side_factor),
                white_level_percentile: Some(c.white_percentile),
                white: Some(c.white),
                balanced: (!c.balanced).then_some(false),
                outside: Some("white".into()),
                ..nothing
            },
            Preprocessing::WholeImage(w) if *w == WholePreprocessing::default() => {
                Self { kind: "whole-image".into(), ..nothing }
            }
            Preprocessing::WholeImage(w) => Self {
                kind: "whole-image".into(),
                version: 2,
                crop: w.crop,
                filter: Some(w.filter.as_str().into()),
                ..nothing
            },
        }
    }
}

/// Names of the graph's outputs by meaning.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ManifestOutputs {
    /// Scores before softmax.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logits: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probabilities: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<String>,
    /// The last feature map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature_map: Option<String>,
    #[serde(flatten)]
    pub rest: serde_json::Map<String, Value>,
}

/// How a model learnt.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ManifestHistory {
    pub columns: Vec<String>,
    /// A row an epoch: numbers, or null for what is none (an infinite loss).
    pub rows: Vec<Vec<Value>>,
    #[serde(flatten)]
    pub rest: serde_json::Map<String, Value>,
}

/// Everything the program needs to know of a model, checked.
#[derive(Debug, Clone)]
pub struct ModelCard {
    pub name: String,
    /// SHA-256 of the file.
    pub digest: Digest,
    pub bytes: usize,
    /// Labels in output order.
    pub classes: ClassSet,
    /// The class of each output, where outputs are not simply the classes: several may count as one, and `None` is one that says "not a
    /// white cell", which is no class. Empty where outputs are classes.
    pub output_classes: Vec<Option<usize>>,
    /// The model's own labels, where they are others than its classes.
    pub own_labels: Vec<String>,
    /// What the manifest rests on, where it was put together for somebody else's model.
    pub evidence: Vec<EvidenceLine>,
    /// The input's name in the graph.
    pub input_name: String,
    /// Shape and scaling of the input.
    pub tensor: TensorSpec,
    /// Images that the graph takes at a time, where it takes no other number.
    pub fixed_batch: Option<usize>,
    /// What happens before.
    pub preprocessing: Preprocessing,
    /// Temperature and abstain threshold.
    pub calibration: Option<Calibration>,
    /// An image and what it must give, where the model carries one.
    pub self_test: Option<SelfTest>,
    /// How it learnt, epoch by epoch; empty where it does not say.
    pub history: Vec<EpochRow>,
    /// The output that holds the pooled features.
    pub features: Option<String>,
    /// What the training images' features are like, where the model carries it.
    pub ood: Option<OodDetector>,
    /// Kinds that it suspects beside its classes.
    pub flags: Vec<Flag>,
    /// The images that it learnt from, where the model carries them.
    pub trained_on: Option<TrainingRecord>,
    /// Other outputs by meaning, for the card.
    pub outputs: Vec<(&'static str, String)>,
    /// How it was made and scored, line by line: what, and what of it.
    pub made: Vec<(&'static str, String)>,
    pub licence: String,
    pub intended_use: String,
    pub author: String,
    /// Operators of the graph and how often each occurs.
    pub operators: Vec<(String, usize)>,
    /// ONNX operator set and intermediate representation versions.
    pub versions: (i64, i64),
    /// Numbers among the weights.
    pub parameters: u64,
}

impl ManifestHistory {
    /// The columns that this version writes.
    pub const COLUMNS: [&str; 6] = ["epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "seconds"];

    /// The rows, where the columns are those that this version writes.
    fn rows(&self) -> Vec<EpochRow> {
        if self.columns != Self::COLUMNS {
            return Vec::new();
        }
        let row = |r: &Vec<Value>| match r.iter().filter_map(Value::as_f64).collect::<Vec<_>>()[..] {
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
    /// A manifest of this version that says no more than what a model needs to be used.
    pub fn new(name: &str, labels: Vec<String>, input: ManifestInput, preprocessing: ManifestPreprocessing) -> Self {
        Self {
            schema: NEWEST_SCHEMA,
            name: name.to_owned(),
            labels,
            counts_as: Vec::new(),
            evidence: Vec::new(),
            input,
            preprocessing,
            outputs: ManifestOutputs::default(),
            calibration: None,
            ood: None,
            flags: Vec::new(),
            training_record: None,
            self_test: None,
            history: None,
            provenance: Value::Null,
            metrics: Value::Null,
            quantization: Value::Null,
            licence: String::new(),
            intended_use: "research use only".into(),
            rest: serde_json::Map::new(),
        }
    }

    /// How it was made and scored, as far as it says.
    pub(super) fn made(&self) -> Vec<(&'static str, String)> {
        let mut lines = Vec::new();
        let p = &self.provenance;
        let text = |v: &Value| v.as_str().filter(|s| !s.is_empty()).map(str::to_owned);
        if let Some(program) = text(&p["program"]) {
            let time = text(&p["time"]).map_or(String::new(), |t| format!(", {t}"));
            lines.push(("made by", format!("{program}{time}")));
        }
        if let Some(start) = text(&p["start"]["name"]) {
            lines.push(("started from", start));
        }
        let parts: Vec<String> = ["train", "validation", "test"]
            .iter()
            .filter_map(|part| Some(format!("{} {part}", p["parts"][part].as_u64()?)))
            .collect();
        if !parts.is_empty() {
            lines.push(("trained on", format!("{} cells", parts.join(", "))));
        }
        if let Some(split) = text(&p["split"]) {
            lines.push(("split", split));
        }
        for (part, name) in [("test", "held-out test"), ("validation", "validation")] {
            let scores = &self.metrics[part];
            let number = |v: &Value| v.as_f64().filter(|v| v.is_finite());
            if let Some(accuracy) = number(&scores["accuracy"]) {
                let i = &scores["accuracy_interval"];
                let interval = number(&i[0]).zip(number(&i[1]));
                let interval = interval
                    .map_or(String::new(), |(a, b)| format!(" (95 % interval {:.1}–{:.1})", 100.0 * a, 100.0 * b));
                let f1 =
                    number(&scores["macro"]["f1"]).map_or(String::new(), |f| format!(", macro F1 {:.1} %", 100.0 * f));
                let n = scores["n"].as_u64().unwrap_or(0);
                lines.push((name, format!("{:.1} % right{interval}{f1}, n = {n}", 100.0 * accuracy)));
            }
        }
        let q = &self.quantization;
        if let Some(form) = text(&q["form"]) {
            let change = q["change_points"].as_f64().unwrap_or(f64::NAN);
            let n = q["held_cells"].as_u64().unwrap_or(0);
            lines.push(("8 bit", format!("{form}; {change:+.2} points of accuracy on {n} held-out cells")));
        }
        lines
    }

    /// How it learnt.
    pub(super) fn epochs(&self) -> Vec<EpochRow> {
        self.history.as_ref().map_or_else(Vec::new, ManifestHistory::rows)
    }

    /// The tensor's contract, or what about it is not understood.
    pub(super) fn tensor(&self) -> Result<TensorSpec, ManifestError> {
        let i = &self.input;
        let channels_first = match i.layout.as_str() {
            "NCHW" => true,
            "NHWC" => false,
            other => return Err(unknown("input layout", other, "NCHW and NHWC are")),
        };
        let bgr = match i.channels.as_str() {
            "RGB" => false,
            "BGR" => true,
            other => return Err(unknown("channel order", other, "RGB and BGR are")),
        };
        if i.dtype != "float32" {
            return Err(unknown("input type", &i.dtype, "float32 is"));
        }
        let [h, w] = i.size;
        if h != w || !(16..=1024).contains(&h) {
            return Err(ManifestError::Size(h, w));
        }
        if i.std.iter().any(|s| !s.is_finite() || *s == 0.0) || i.mean.iter().any(|m| !m.is_finite()) {
            return Err(ManifestError::Part("mean or std is zero or not finite"));
        }
        Ok(TensorSpec { size: h, channels_first, bgr, mean: i.mean, std: i.std })
    }

    /// The preprocessing, or what about it is not understood.
    pub(super) fn preprocessing(&self) -> Result<Preprocessing, ManifestError> {
        let p = &self.preprocessing;
        let part = ManifestError::Part;
        match (p.kind.as_str(), p.version) {
            ("cell-square", 1 | 2) => {
                let how = CellPreprocessing {
                    side_factor: p.side_factor.ok_or(part("cell-square without side_factor"))?,
                    white: p.white.ok_or(part("cell-square without white"))?,
                    white_percentile: p
                        .white_level_percentile
                        .ok_or(part("cell-square without white_level_percentile"))?,
                    balanced: p.balanced.unwrap_or(true),
                };
                let fine = (1.0..=8.0).contains(&how.side_factor)
                    && (64.0..=255.0).contains(&how.white)
                    && (50.0..=100.0).contains(&how.white_percentile);
                if fine {
                    Ok(Preprocessing::CellSquare(how))
                } else {
                    Err(part("cell-square with numbers out of range"))
                }
            }
            ("whole-image", 0..=2) => {
                let word = p.filter.as_deref().unwrap_or(ResizeFilter::Area.as_str());
                let filter = ResizeFilter::ALL
                    .into_iter()
                    .find(|f| f.as_str() == word)
                    .ok_or_else(|| unknown("the filter", word, "area, bilinear and bicubic are"))?;
                match p.crop {
                    Some(c) if !(0.1..=1.0).contains(&c) => Err(ManifestError::Crop(c)),
                    crop => Ok(Preprocessing::WholeImage(WholePreprocessing { crop, filter })),
                }
            }
            (kind, version) => Err(ManifestError::Preprocessing(kind.to_owned(), version)),
        }
    }
}

/// Whether an operator of ONNX works in 8 bits or goes to and from them.
pub(super) fn is_quantizing(operator: &str) -> bool {
    operator.contains("QuantizeLinear") || operator.starts_with("QLinear")
}

impl ModelCard {
    /// Whether the model looks at the squares of cells (and not at whole images).
    pub fn looks_at_squares(&self) -> bool {
        matches!(self.preprocessing, Preprocessing::CellSquare(_))
    }

    /// Whether it computes in 8 bits already.
    pub fn is_quantized(&self) -> bool {
        self.operators.iter().any(|(op, _)| is_quantizing(op))
    }

    /// How many outputs the network has.
    pub fn outputs_wide(&self) -> usize {
        if self.output_classes.is_empty() { self.classes.len() } else { self.output_classes.len() }
    }

    /// Whether several outputs count as one class, so that a class is not one output.
    pub fn merges(&self) -> bool {
        self.output_classes.iter().flatten().count() > self.classes.len()
    }

    /// Whether the model also says of a square that it is not a white cell.
    pub fn judges(&self) -> bool {
        self.output_classes.contains(&None)
    }

    /// Whether "not a white cell" is one output and every class another, so that all of them can be told together.
    pub fn says_not_a_cell(&self) -> bool {
        !self.merges() && self.output_classes.iter().filter(|c| c.is_none()).count() == 1
    }

    /// Probabilities in the order of the outputs, "not a white cell" among them, from those of the classes and the doubt (its
    /// probability). `None` where the outputs cannot be told apart ([`Self::says_not_a_cell`]).
    pub fn over_outputs(&self, classes: &Probabilities, doubt: Option<f32>) -> Option<Probabilities> {
        let doubt = doubt.filter(|_| self.says_not_a_cell())?;
        let p = classes.values();
        let of = |class: &Option<usize>| match class {
            Some(class) => p.get(*class).map(|p| p * (1.0 - doubt)),
            None => Some(doubt),
        };
        Probabilities::new(self.output_classes.iter().map(of).collect::<Option<Vec<f32>>>()?)
    }

    /// Labels in the order of the outputs, in the model's own spelling.
    pub fn output_labels(&self) -> &[String] {
        if self.own_labels.is_empty() { self.classes.labels() } else { &self.own_labels }
    }

    /// The output of a class; `None` where several outputs count as it.
    pub fn output_of(&self, class: usize) -> Option<usize> {
        if self.output_classes.is_empty() {
            return Some(class);
        }
        let mut own = self.output_classes.iter().enumerate().filter(|(_, c)| **c == Some(class)).map(|(at, _)| at);
        own.next().filter(|_| own.next().is_none())
    }

    /// The card as text, for `inspect`.
    pub fn to_text(&self) -> String {
        self.facts().iter().map(|(key, value)| format!("{key:<15}{value}\n")).collect()
    }

    /// What the card says, line by line; a line that goes on with the one before has no name.
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = Vec::new();
        let mut line = |key: &'static str, value: &str| facts.push((key, value.to_owned()));
        line("name", &self.name);
        line("sha256", &self.digest.to_string());
        line("size", &format!("{:.1} MB, {} weights", self.bytes as f64 / 1e6, self.parameters));
        line("classes", &self.classes.labels().join(", "));
        if self.merges() {
            let outputs = self.own_labels.iter().zip(&self.output_classes);
            let class_of = |class: Option<usize>| class.and_then(|c| self.classes.label(c)).unwrap_or(NOT_A_WHITE_CELL);
            let line_of = |(own, class): (&String, &Option<usize>)| format!("{own} as {}", class_of(*class));
            line("counts as", &outputs.map(line_of).collect::<Vec<_>>().join(", "));
        }
        line(
            "finds cells",
            if self.judges() { "yes: it also says \"not a white cell\"" } else { "no: the bundled model does" },
        );
        for (i, e) in self.evidence.iter().enumerate() {
            line(if i == 0 { "evidence" } else { "" }, &e.text);
        }
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
        line("preprocessing", &self.preprocessing.to_line());
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
                .ood
                .as_ref()
                .map_or_else(|| "none: it cannot tell what is unlike its training images".into(), OodDetector::to_line),
        );
        for (i, flag) in self.flags.iter().enumerate() {
            line(if i == 0 { "flags" } else { "" }, &flag.to_line());
        }
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
        for (key, text) in &self.made {
            line(key, text);
        }
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
        facts
    }
}
