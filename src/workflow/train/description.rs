//! What a trained model says of itself: the manifest inside the file and `report.json` beside it.

use super::outcome::TrainOutcome;
use super::plan::PreparedDataset;
use super::request::TrainOptions;
use super::source_table::SourceTable;
use crate::dataset::SplitPart;
use crate::domain::EpochRow;
use crate::metrics::Scores;
use crate::model::{
    self, Calibration, Flag, Manifest, ManifestHistory, ManifestInput, ManifestOutputs, ManifestPreprocessing,
    OodDetector, SelfTest, TrainingRecord,
};
use crate::report::scores_json;
use crate::training::Stop;
use crate::workflow::UserError;
use serde_json::{Value, json};

/// Everything that is said of a run.
pub(super) struct RunDescription<'a> {
    pub(super) prepared: &'a PreparedDataset,
    pub(super) options: &'a TrainOptions,
    pub(super) outcome: TrainOutcome,
    pub(super) time: String,
    /// `cpu`, or the graphics card's name.
    pub(super) trained_on: String,
    pub(super) self_test: SelfTest,
    pub(super) ood: Option<OodDetector>,
    pub(super) flags: Vec<Flag>,
    pub(super) record: Option<TrainingRecord>,
    /// Fitted to laboratories that were left out.
    pub(super) calibration: Option<Calibration>,
}

impl RunDescription<'_> {
    /// How the split came about, in one sentence for people who read the figures.
    fn split_words(&self) -> String {
        let p = self.prepared;
        if p.plan.random_split {
            "random split: copies of one cell may be on both sides".into()
        } else {
            format!("split by {} groups; no group is in two parts", p.plan.groups)
        }
    }

    fn history(&self) -> ManifestHistory {
        let round = |v: f64| Value::from((v * 1e6).round() / 1e6);
        let row = |h: &EpochRow| {
            let figures = [h.train_loss, h.train_accuracy, h.val_loss, h.val_accuracy, h.seconds];
            std::iter::once(Value::from(h.epoch)).chain(figures.into_iter().map(round)).collect()
        };
        ManifestHistory {
            columns: ManifestHistory::COLUMNS.map(str::to_owned).to_vec(),
            rows: self.outcome.history.iter().map(row).collect(),
            ..ManifestHistory::default()
        }
    }

    fn recipe(&self) -> Value {
        let r = &self.options.recipe;
        let o = &r.optimizer;
        json!({
            "kind": r.kind.text(), "epochs": r.epochs, "batch": r.batch, "seed": r.seed,
            "optimizer": if o.weight_decay > 0.0 { "AdamW" } else { "Adam" },
            "learning_rate": o.rate, "weight_decay": o.weight_decay, "clip": o.clip, "warm_up_steps": o.warm_up,
            "schedule": if o.cosine { "cosine" } else { "constant" },
            "label_smoothing": r.label_smoothing, "mixup": r.mixup, "dropout": r.dropout, "class_balance": r.balance,
            "average": r.average, "augmentation": {"geometry": r.augmentation.geometry, "colour": r.augmentation.colour, "file": r.augmentation.file},
            "runs": self.options.runs.max(1), "views": r.views, "kept": if r.keep_best { "best validation loss" } else { "last" },
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
            "parts": {"train": p.count(SplitPart::Train), "validation": p.count(SplitPart::Validation), "test": p.count(SplitPart::Test)},
            "recipe": self.recipe(),
            "engine": self.trained_on,
            "ended": match &self.outcome.stop {
                Stop::Finished => "all epochs".to_owned(),
                Stop::Early => "early: no better validation loss".to_owned(),
                Stop::Cancelled => "stopped by hand".to_owned(),
                Stop::Diverged(why) => why.clone(),
            },
            "kept_epoch": self.outcome.best_epoch,
        })
    }

    fn licence(&self) -> String {
        match self.prepared.start.licence.as_str() {
            "" => "research use only; derived from the starting model and the training images named in the provenance",
            licence => licence,
        }
        .to_owned()
    }

    fn manifest(&self) -> Manifest {
        let start = &self.prepared.start;
        let labels = self.prepared.labels.labels();
        let scores = |scores: Option<&Scores>| scores.map(|s| scores_json(s, labels));
        let input = ManifestInput::new(model::INPUT, &start.spec, "NCHW");
        let preprocessing = ManifestPreprocessing::from(&start.preprocessing);
        Manifest {
            outputs: ManifestOutputs {
                logits: Some(model::LOGITS.into()),
                features: Some(model::FEATURES.into()),
                feature_map: Some(model::FEATURE_MAP.into()),
                ..ManifestOutputs::default()
            },
            calibration: self.calibration.clone(),
            ood: self.ood.clone(),
            flags: self.flags.clone(),
            training_record: self.record.clone(),
            self_test: Some(self.self_test.clone()),
            history: Some(self.history()),
            provenance: self.provenance(),
            metrics: json!({
                "validation": scores(self.outcome.validation.as_ref()),
                "test": scores(self.outcome.held_out.as_ref().map(|h| &h.scores)),
                "left_out_sources": self.options.sources.as_ref().map(SourceTable::to_json),
            }),
            licence: self.licence(),
            ..Manifest::new(&self.options.name, labels.to_vec(), input, preprocessing)
        }
    }

    /// The metadata of the model file.
    pub(super) fn metadata(&self) -> Result<Vec<(&'static str, String)>, UserError> {
        let spec = &self.prepared.start.spec;
        let labels = self.prepared.labels.labels();
        let names: serde_json::Map<String, Value> =
            labels.iter().enumerate().map(|(i, l)| (i.to_string(), l.clone().into())).collect();
        let manifest = serde_json::to_string(&self.manifest())?;
        let mut all = vec![
            ("Image.BitmapPixelFormat", if spec.bgr { "Bgr8" } else { "Rgb8" }.into()),
            ("Image.ColorSpaceGamma", "SRGB".into()),
            ("names", Value::Object(names).to_string()),
            ("model_author", "Leukoscope".into()),
            ("model_license", self.licence()),
            (model::MANIFEST_KEY, manifest),
        ];
        // Other programs scale by it: it stands there only where it says what this network wants.
        let scaling = model::Normalization { bgr: spec.bgr, mean: spec.mean, std: spec.std };
        all.extend(scaling.nominal_range().map(|range| ("Image.NominalPixelRange", range.into())));
        Ok(all)
    }

    /// `report.json`: the scores of the test part where there is one, of the validation part otherwise, and everything
    /// about where they come from.
    pub(super) fn report(&self, model_digest: &str) -> Value {
        let labels = self.prepared.labels.labels();
        let TrainOutcome { held_out, validation, difference, .. } = &self.outcome;
        let (part, scores) = match (held_out, validation) {
            (Some(h), _) => ("test", Some(&h.scores)),
            (None, v) => ("validation", v.as_ref()),
        };
        let mut report = scores.map_or_else(|| json!({}), |s| scores_json(s, labels));
        report["schema"] = 1.into();
        report["part"] = part.into();
        report["note"] = match part {
            "test" => "the test part was looked at once, after training".into(),
            _ => "no test part: the validation part chose the epoch, so its figures are a little too good".into(),
        };
        report["split"] = self.split_words().into();
        report["validation"] = validation.as_ref().map_or(Value::Null, |s| scores_json(s, labels));
        report["current_model"] = held_out.as_ref().and_then(|h| h.current.as_ref()).map_or(Value::Null, |c| {
            json!({"name": c.name, "sha256": c.digest, "n": c.n, "accuracy": c.accuracy, "accuracy_interval": [c.interval.low, c.interval.high],
                "note": "on the same images; whether it was trained on some of them is not known here"})
        });
        report["left_out_sources"] = self.options.sources.as_ref().map_or(Value::Null, SourceTable::to_json);
        report["flags"] = self.flags.iter().map(Flag::to_json).collect();
        report["calibration"] = json!(self.calibration);
        report["model"] = json!({"name": self.options.name, "sha256": model_digest});
        report["onnx_runtime_difference"] = (*difference).into();
        report["provenance"] = self.provenance();
        report["excluded"] = self.prepared.plan.excluded.iter().map(|(p, w)| json!({"path": p, "reason": w})).collect();
        report
    }
}
