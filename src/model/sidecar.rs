//! What the files beside somebody else's model say of it: labels, size, mean and deviation, how images are cut.
//!
//! A pure reading of bytes that were bounded by whoever read the file. A file that is not understood says nothing.

#![expect(clippy::cast_possible_truncation, reason = "small numbers of a file, checked")]

use super::evidence::Source;
use super::input_view::{Crop, Normalization};
use crate::domain::{ResizeFilter, WholePreprocessing};
use serde_json::Value;

/// Files that are looked for beside a model.
pub const SIDECARS: [&str; 8] = [
    "labels.txt",
    "classes.txt",
    "config.json",
    "preprocessor_config.json",
    "signature.json",
    "class_indices.json",
    "metadata.json",
    "cvexport.manifest",
];

/// What one file beside the model says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sidecar {
    pub file: String,
    /// Labels in output order.
    pub labels: Option<Vec<String>>,
    /// Pixels a side.
    pub size: Option<usize>,
    /// What the values are.
    pub scaling: Option<Normalization>,
    /// How images are cut.
    pub crop: Option<Crop>,
    /// What follows from the tool that writes such a file, where the file itself does not say it.
    pub usual: Option<(&'static str, Normalization, Crop)>,
}

impl Sidecar {
    /// Where what it says comes from.
    pub(super) fn beside(&self) -> Source {
        Source::Sidecar(self.file.clone())
    }

    /// Reads a file by its name; `None` where it says nothing of a model.
    pub fn read(file: &str, bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?.trim_start_matches('\u{feff}');
        let mut found = Self { file: file.to_owned(), ..Self::default() };
        match file {
            "labels.txt" | "classes.txt" => found.labels = lines(text),
            _ => {
                let value: Value = serde_json::from_str(text).ok()?;
                match file {
                    "config.json" => found.config(&value),
                    "preprocessor_config.json" => found.preprocessor(&value),
                    "signature.json" => found.lobe(&value),
                    "class_indices.json" => found.labels = by_number(&value),
                    "metadata.json" => found.teachable(&value),
                    "cvexport.manifest" => {
                        let onnx = value
                            .get("Platform")
                            .and_then(Value::as_str)
                            .is_some_and(|p| p.eq_ignore_ascii_case("onnx"));
                        if onnx {
                            let stretch =
                                Crop::Whole(WholePreprocessing { crop: None, filter: ResizeFilter::Bilinear });
                            found.usual = Some(("Custom Vision", Normalization::BYTES_BGR, stretch));
                        }
                    }
                    _ => return None,
                }
            }
        }
        let silent = Self { file: found.file.clone(), ..Self::default() };
        (found != silent).then_some(found)
    }

    /// Hugging Face's and timm's `config.json`.
    fn config(&mut self, value: &Value) {
        self.labels = value.get("id2label").and_then(by_number).or_else(|| names(value.get("label_names")?));
        self.size = side(value.get("image_size"));
        let Some(own) = value.get("pretrained_cfg") else { return };
        if self.labels.is_none() {
            self.labels = own.get("label_names").and_then(names);
        }
        // [3, H, W]
        self.size = own.get("input_size").and_then(Value::as_array).and_then(|a| side(a.last())).or(self.size);
        if let (Some(mean), Some(std)) = (three(own.get("mean")), three(own.get("std"))) {
            self.scaling = Some(Normalization::of_unit(mean, std));
        }
        if let Some(share) = own.get("crop_pct").and_then(Value::as_f64) {
            let stretched = own.get("crop_mode").and_then(Value::as_str) == Some("squash");
            let filter = filter(own.get("interpolation").and_then(Value::as_str));
            self.crop = whole((!stretched).then_some(share), filter);
        }
    }

    /// Hugging Face's `preprocessor_config.json`.
    fn preprocessor(&mut self, value: &Value) {
        let size = value.get("size");
        let crop = value.get("crop_size").filter(|_| value.get("do_center_crop") != Some(&Value::Bool(false)));
        let short = size.and_then(|s| s.get("shortest_edge")).or(size.filter(|s| s.is_number()));
        let wanted = side(crop).or_else(|| side(size)).or_else(|| side(short));
        self.size = wanted;
        let filter = match value.get("resample").and_then(Value::as_u64) {
            Some(3) => ResizeFilter::Bicubic,
            _ => ResizeFilter::Bilinear,
        };
        if let Some(wanted) = wanted {
            let share = match (crop, side(short), value.get("crop_pct").and_then(Value::as_f64)) {
                (_, _, Some(share)) => Some(share),
                (Some(_), Some(short), _) if short >= wanted => Some(wanted as f64 / short as f64),
                (None, Some(_), _) => Some(1.0),
                _ => None,
            };
            self.crop = whole(share, filter);
        }
        let on = |key: &str| value.get(key).and_then(Value::as_bool).unwrap_or(true);
        let factor = value.get("rescale_factor").and_then(Value::as_f64).unwrap_or(1.0 / 255.0);
        let known = three(value.get("image_mean")).zip(three(value.get("image_std")));
        let unit = if on("do_rescale") { (1.0 / factor) as f32 } else { 1.0 };
        if unit.is_finite() && unit > 0.0 {
            self.scaling = match known.filter(|_| on("do_normalize")) {
                Some((mean, std)) => {
                    Some(Normalization { bgr: false, mean: mean.map(|m| m * unit), std: std.map(|s| s * unit) })
                }
                None if value.get("do_rescale").is_some() => {
                    Some(Normalization { bgr: false, mean: [0.0; 3], std: [unit; 3] })
                }
                None => None,
            };
        }
    }

    /// Lobe's `signature.json`: its images are 0…1.
    fn lobe(&mut self, value: &Value) {
        self.labels = value.get("classes").and_then(|c| c.get("Label")).and_then(names);
        let shape = value.get("inputs").and_then(|i| i.get("Image")).and_then(|i| i.get("shape"));
        self.size = shape.and_then(Value::as_array).filter(|a| a.len() == 4).and_then(|a| side(a.get(1)));
        if self.labels.is_some() {
            let centre = Crop::Whole(WholePreprocessing { crop: Some(1.0), filter: ResizeFilter::Bilinear });
            self.usual = Some(("Lobe", Normalization::UNIT, centre));
        }
    }

    /// Teachable Machine's `metadata.json`: its images are −1…1.
    fn teachable(&mut self, value: &Value) {
        if value.get("tmVersion").is_none() && value.get("tfjsVersion").is_none() {
            return;
        }
        self.labels = value.get("labels").and_then(names);
        self.size = side(value.get("imageSize"));
        let centre = Crop::Whole(WholePreprocessing { crop: Some(1.0), filter: ResizeFilter::Bilinear });
        self.usual = Some(("Teachable Machine", Normalization::SYMMETRIC, centre));
    }
}

fn whole(crop: Option<f64>, filter: ResizeFilter) -> Option<Crop> {
    let fine = crop.is_none_or(|c| (0.1..=1.0).contains(&c));
    fine.then_some(Crop::Whole(WholePreprocessing { crop, filter }))
}

fn filter(word: Option<&str>) -> ResizeFilter {
    match word {
        Some("bicubic") => ResizeFilter::Bicubic,
        _ => ResizeFilter::Bilinear,
    }
}

/// Labels a line; numbers in front, as Teachable Machine writes them ("0 Basophil"), are taken off where every line has its own.
fn lines(text: &str) -> Option<Vec<String>> {
    let all: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    let numbered = |(i, line): (usize, &&str)| {
        let (number, rest) = line.split_once([' ', '\t', ':'])?;
        (number.parse() == Ok(i) && !rest.trim().is_empty()).then(|| rest.trim().to_owned())
    };
    let without: Option<Vec<String>> = all.iter().enumerate().map(numbered).collect();
    let labels = without.unwrap_or_else(|| all.iter().map(ToString::to_string).collect());
    (labels.len() >= 2).then_some(labels)
}

fn names(value: &Value) -> Option<Vec<String>> {
    let all: Option<Vec<String>> = value.as_array()?.iter().map(|v| v.as_str().map(|s| s.trim().to_owned())).collect();
    all.filter(|a| a.len() >= 2)
}

/// `{"0": "basophil"}`, `{"basophil": 0}` or a list.
fn by_number(value: &Value) -> Option<Vec<String>> {
    if value.is_array() {
        return names(value);
    }
    let map = value.as_object()?;
    let mut labels = vec![None; map.len()];
    for (key, value) in map {
        let (at, label) = match (key.parse::<usize>(), value) {
            (Ok(at), Value::String(label)) => (at, label.as_str()),
            (_, Value::Number(at)) => (usize::try_from(at.as_u64()?).ok()?, key.as_str()),
            _ => return None,
        };
        *labels.get_mut(at)? = Some(label.trim().to_owned());
    }
    labels.into_iter().collect::<Option<Vec<String>>>().filter(|l| l.len() >= 2)
}

/// The dictionary that Ultralytics writes into a model's metadata: JSON, or Python's `{0: 'basophil', 1: 'eosinophil'}`.
pub(super) fn names_property(text: &str) -> Option<Vec<String>> {
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        return by_number(&value);
    }
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let mut labels = Vec::new();
    let mut rest = inner;
    while !rest.trim().is_empty() {
        let (number, after) = rest.split_once(':')?;
        if number.trim().parse() != Ok(labels.len()) {
            return None;
        }
        let after = after.trim_start();
        let quote = after.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        let (label, after) = after[1..].split_once(quote)?;
        labels.push(label.to_owned());
        rest = after.trim_start().strip_prefix(',').unwrap_or(after.trim_start());
        if labels.len() > 100_000 {
            return None;
        }
    }
    (labels.len() >= 2).then_some(labels)
}

/// A number, `[224, 224]`, or `{"height": 224, "width": 224}`.
fn side(value: Option<&Value>) -> Option<usize> {
    let value = value?;
    let number = |v: &Value| v.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|n| (16..=1024).contains(n));
    match value {
        Value::Array(both) => {
            let first = number(both.first()?)?;
            both.iter().all(|v| number(v) == Some(first)).then_some(first)
        }
        Value::Object(_) => {
            let (h, w) = (number(value.get("height")?)?, number(value.get("width")?)?);
            (h == w).then_some(h)
        }
        other => number(other),
    }
}

/// The side in the `imgsz` of Ultralytics: `[224, 224]`.
pub(super) fn size_property(text: &str) -> Option<usize> {
    side(serde_json::from_str(text).ok().as_ref())
}

fn three(value: Option<&Value>) -> Option<[f32; 3]> {
    let all: Option<Vec<f32>> = value?.as_array()?.iter().map(|v| v.as_f64().map(|f| f as f32)).collect();
    <[f32; 3]>::try_from(all?).ok().filter(|a| a.iter().all(|v| v.is_finite() && *v >= 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_exporters_files_are_read() {
        let read = |file: &str, text: &str| Sidecar::read(file, text.as_bytes());
        let abc = Some(vec!["a b".to_owned(), "c".to_owned()]);
        assert_eq!(read("labels.txt", "0 a b\n1 c\n").expect("numbered").labels, abc);
        assert_eq!(read("classes.txt", "\u{feff}a b\r\nc\r\n\r\n").expect("lines").labels, abc);
        assert_eq!(
            read("labels.txt", "7\n9\n").expect("numbers are labels").labels,
            Some(vec!["7".into(), "9".into()])
        );
        assert_eq!(read("class_indices.json", r#"{"c": 1, "a b": 0}"#).expect("keras").labels, abc);
        assert_eq!(read("class_indices.json", r#"{"c": 3, "a b": 0}"#), None, "a hole");
        let hf = read("config.json", r#"{"id2label": {"1": "c", "0": "a b"}, "image_size": 224}"#).expect("config");
        assert_eq!((hf.labels, hf.size), (abc.clone(), Some(224)));
        let timm = r#"{"label_names": ["a b", "c"], "pretrained_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5],
            "input_size": [3, 288, 288], "crop_pct": 0.95, "interpolation": "bicubic"}}"#;
        let timm = read("config.json", timm).expect("timm");
        assert_eq!((timm.labels, timm.size, timm.scaling), (abc.clone(), Some(288), Some(Normalization::SYMMETRIC)));
        assert_eq!(
            timm.crop,
            Some(Crop::Whole(WholePreprocessing { crop: Some(0.95), filter: ResizeFilter::Bicubic }))
        );
        let processor = r#"{"do_center_crop": true, "crop_size": {"height": 224, "width": 224}, "size": {"shortest_edge": 256},
            "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "rescale_factor": 0.00392156862745098}"#;
        let processor = read("preprocessor_config.json", processor).expect("processor");
        assert_eq!(processor.crop.map(|f| f.word()), Some("centre-0.875".into()));
        assert!(processor.scaling.expect("scaling").near(&Normalization::IMAGENET));
        let machine = read("metadata.json", r#"{"tmVersion": "2", "labels": ["a b", "c"], "imageSize": 224}"#);
        assert_eq!(machine.expect("Teachable Machine").usual.map(|u| u.0), Some("Teachable Machine"));
        assert_eq!(read("metadata.json", r#"{"labels": ["a", "b"]}"#), None);
        assert_eq!(names_property("{0: 'a b', 1: \"c\"}"), abc);
        assert_eq!(names_property(r#"{"0": "a b", "1": "c"}"#), abc);
        assert_eq!(names_property("{1: 'a'}"), None);
    }

    proptest::proptest! {
        #[test]
        fn any_text_ends_in_an_answer(text in ".{0,200}", at in 0usize..SIDECARS.len()) {
            let _ = Sidecar::read(SIDECARS[at], text.as_bytes());
            let _ = names_property(&text);
        }
    }
}
