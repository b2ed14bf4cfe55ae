//! What a trained model says of itself: the manifest inside the file and `report.json` beside it.

use super::plan::Prepared;
use super::request::{Held, TrainOptions};
use crate::domain::EpochRow;
use crate::metrics::Scores;
use crate::model::{self, ManifestPreprocessing, OodDetector, SelfTest, TrainingRecord};
use crate::report::scores_json;
use crate::training::{Recipe, Stop};
use serde_json::{Value, json};

/// Everything that is said.
pub(super) struct Facts<'a> {
    pub(super) prepared: &'a Prepared,
    pub(super) options: &'a TrainOptions,
    pub(super) recipe: &'a Recipe,
    pub(super) history: &'a [EpochRow],
    pub(super) best_epoch: usize,
    pub(super) stop: &'a Stop,
    pub(super) validation: Option<&'a Scores>,
    pub(super) held: Option<&'a Held>,
    pub(super) time: String,
    pub(super) trained_on: &'a str,
    pub(super) familiarity: Option<&'a OodDetector>,
    pub(super) record: Option<&'a TrainingRecord>,
}

impl Facts<'_> {
    /// How the split came about, in one sentence for people who read the figures.
    fn split_words(&self) -> String {
        let p = self.prepared;
        if p.plan.random_split {
            "random split: copies of one cell may be on both sides".into()
        } else {
            format!("split by {} groups; no group is in two parts", p.plan.groups)
        }
    }

    fn history(&self) -> Value {
        let r = |v: f64| (v * 1e6).round() / 1e6;
        self.history
            .iter()
            .map(|h| {
                json!([h.epoch, r(h.train_loss), r(h.train_accuracy), r(h.val_loss), r(h.val_accuracy), r(h.seconds)])
            })
            .collect()
    }

    fn recipe(&self) -> Value {
        let (r, o) = (self.recipe, &self.recipe.optimizer);
        json!({
            "kind": r.kind.text(), "epochs": r.epochs, "batch": r.batch, "seed": r.seed,
            "optimizer": if o.weight_decay > 0.0 { "AdamW" } else { "Adam" },
            "learning_rate": o.rate, "weight_decay": o.weight_decay, "clip": o.clip, "warm_up_steps": o.warm_up,
            "schedule": if o.cosine { "cosine" } else { "constant" },
            "label_smoothing": r.label_smoothing, "mixup": r.mixup, "dropout": r.dropout, "class_balance": r.balance,
            "average": r.average, "augmentation": {"geometry": r.augmentation.geometry, "colour": r.augmentation.colour},
            "views": r.views, "kept": if r.keep_best { "best validation loss" } else { "last" },
        })
    }

    fn provenance(&self) -> Value {
        let p = self.prepared;
        json!({
            "program": format!("Leukoscope {}", env!("CARGO_PKG_VERSION")),
            "time": self.time,
            "start": {"name": p.start.name, "sha256": p.start.digest.to_string()},
            "data_sha256": p.data_digest.to_string(),
            "split_sha256": p.split_digest.to_string(),
            "split": self.split_words(),
            "parts": {"train": p.count(crate::dataset::Part::Train), "validation": p.count(crate::dataset::Part::Validation), "test": p.count(crate::dataset::Part::Test)},
            "recipe": self.recipe(),
            "engine": self.trained_on,
            "ended": match self.stop {
                Stop::Finished => "all epochs".to_owned(),
                Stop::Early => "early: no better validation loss".to_owned(),
                Stop::Cancelled => "stopped by hand".to_owned(),
                Stop::Diverged(why) => why.clone(),
            },
            "kept_epoch": self.best_epoch,
        })
    }

    /// The metadata of the model file.
    pub(super) fn metadata(&self, self_test: SelfTest) -> Vec<(&'static str, String)> {
        let p = self.prepared;
        let labels = p.labels.labels();
        let spec = &p.start.spec;
        let preprocessing = ManifestPreprocessing::from(&p.start.preprocessing);
        let licence = if p.start.licence.is_empty() {
            "research use only; derived from the starting model and the training images named in the provenance"
                .to_owned()
        } else {
            p.start.licence.clone()
        };
        let manifest = json!({
            "schema": 1,
            "name": self.options.name,
            "labels": labels,
            "input": {"name": model::INPUT, "layout": "NCHW", "channels": if spec.bgr { "BGR" } else { "RGB" },
                "size": [spec.size, spec.size], "dtype": "float32", "mean": spec.mean, "std": spec.std},
            "preprocessing": preprocessing,
            "outputs": {"logits": model::LOGITS, "features": model::FEATURES, "feature_map": model::FEATURE_MAP},
            "calibration": null,
            "provenance": self.provenance(),
            "history": {"columns": ["epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "seconds"], "rows": self.history()},
            "metrics": {
                "validation": self.validation.map(|s| scores_json(s, labels)),
                "test": self.held.map(|h| scores_json(&h.scores, labels)),
            },
            "self_test": self_test,
            "familiarity": self.familiarity,
            "training_record": self.record,
            "licence": licence,
            "intended_use": "research use only",
        });
        let names: serde_json::Map<String, Value> =
            labels.iter().enumerate().map(|(i, l)| (i.to_string(), l.clone().into())).collect();
        let mut all = vec![
            ("Image.BitmapPixelFormat", if spec.bgr { "Bgr8" } else { "Rgb8" }.into()),
            ("Image.ColorSpaceGamma", "SRGB".into()),
            ("names", Value::Object(names).to_string()),
            ("model_author", "Leukoscope".into()),
            ("model_license", licence),
            (model::MANIFEST_KEY, manifest.to_string()),
        ];
        // Other programs scale by it: it stands there only where it says what this network wants.
        let scaling = model::Scaling { bgr: spec.bgr, mean: spec.mean, std: spec.std };
        all.extend(scaling.nominal_range().map(|range| ("Image.NominalPixelRange", range.into())));
        all
    }

    /// `report.json`: the scores of the test part where there is one, of the validation part otherwise, and everything
    /// about where they come from.
    pub(super) fn report(&self, model_digest: &str, difference: f32) -> Value {
        let labels = self.prepared.labels.labels();
        let (part, scores) = match (self.held, self.validation) {
            (Some(h), _) => ("test", Some(&h.scores)),
            (None, v) => ("validation", v),
        };
        let mut report = scores.map_or_else(|| json!({}), |s| scores_json(s, labels));
        report["schema"] = 1.into();
        report["part"] = part.into();
        report["note"] = match part {
            "test" => "the test part was looked at once, after training".into(),
            _ => "no test part: the validation part chose the epoch, so its figures are a little too good".into(),
        };
        report["split"] = self.split_words().into();
        report["validation"] = self.validation.map_or(Value::Null, |s| scores_json(s, labels));
        report["current_model"] = self.held.and_then(|h| h.current.as_ref()).map_or(Value::Null, |c| {
            json!({"name": c.name, "sha256": c.digest, "n": c.n, "accuracy": c.accuracy, "accuracy_interval": [c.interval.low, c.interval.high],
                "note": "on the same images; whether it was trained on some of them is not known here"})
        });
        report["model"] = json!({"name": self.options.name, "sha256": model_digest});
        report["onnx_runtime_difference"] = difference.into();
        report["provenance"] = self.provenance();
        report["excluded"] = self.prepared.plan.excluded.iter().map(|(p, w)| json!({"path": p, "reason": w})).collect();
        report
    }
}
