//! What a training run tells and what it comes to, and where its files lie.

use super::request::HeldOutResult;
use crate::domain::{Digest, EpochRow};
use crate::metrics::Scores;
use crate::task::Monitor;
use crate::training::{StepMetrics, Stop};
use crate::workflow::Phase;
use std::path::{Path, PathBuf};

/// What is told while it runs.
#[derive(Debug, Clone, PartialEq)]
pub enum TrainProgress {
    Phase(Phase),
    /// Training goes on where a checkpoint left it: rows so far.
    Resumed(Vec<EpochRow>),
    Step(StepMetrics),
    /// An epoch; whether it is the best so far.
    Epoch(EpochRow, bool),
    /// Something to know.
    Note(String),
}

#[derive(Debug, Clone)]
pub struct TrainOutcome {
    /// Why it ended.
    pub stop: Stop,
    pub history: Vec<EpochRow>,
    pub best_epoch: usize,
    /// The model's file and digest; none where it was stopped before the first epoch ended.
    pub model: Option<(PathBuf, Digest)>,
    /// Digest of the trained numbers: the same run gives the same one.
    pub weights: Digest,
    pub validation: Option<Scores>,
    /// Scores on the test part, where there is one.
    pub held_out: Option<HeldOutResult>,
    /// Largest difference between the trainer's and ONNX Runtime's probabilities on the validation part.
    pub difference: f32,
    pub labels: Vec<String>,
}

/// How a run is watched.
pub type TrainMonitor<'a> = Monitor<'a, TrainProgress>;

/// A file beside the model, named after it: `NAME.history.csv`, `NAME.report.json`. A second model in the same folder has its own.
pub(super) fn side_file(out: &Path, ending: &str) -> PathBuf {
    let mut name = out.file_stem().map(ToOwned::to_owned).unwrap_or_default();
    name.push(".");
    name.push(ending);
    out.with_file_name(name)
}

/// The checkpoint of a run, from 1: the first one's is that of the model.
pub(super) fn checkpoint_of_run(out: &Path, number: usize) -> PathBuf {
    if number == 1 { checkpoint_of(out) } else { checkpoint_of(&side_file(out, &format!("run-{number}"))) }
}

pub(super) fn checkpoint_of(out: &Path) -> PathBuf {
    let mut name = out.file_name().map(ToOwned::to_owned).unwrap_or_default();
    name.push(".checkpoint");
    out.with_file_name(name)
}
