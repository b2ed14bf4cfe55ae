//! The folder of trained models: where a new one goes, which runs were left unfinished, how earlier ones learnt.

use super::super::{UserError, open_model, write_output};
use super::outcome::{TrainMonitor, TrainOutcome, checkpoint_of};
use super::plan::PreparedDataset;
use super::request::{TrainOptions, TrainRequest};
use super::run::train;
use crate::domain::EpochRow;
use crate::files::{create_folder, display_path, is_file, read_bounded, remove_file, walk};
use crate::task::Pause;
use crate::training::{Recipe, Stop};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The ending of the note that says what an unfinished run is made of.
const NOTE: &str = "run.json";
const MAX_NOTE: u64 = 1 << 20;
/// Earlier runs whose curves are read.
const EARLIER: usize = 4;

/// A run that was begun and has no model yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnfinishedRun {
    /// The data and the start.
    pub request: TrainRequest,
    pub recipe: Recipe,
    /// Where the model should go.
    pub out: PathBuf,
}

#[derive(Debug, Clone, PartialEq)]
pub struct EarlierRun {
    pub name: String,
    pub path: PathBuf,
    /// How it learnt.
    pub history: Vec<EpochRow>,
}

/// As [`train`], and until it has ended by itself the run is among [`unfinished_runs`].
///
/// # Errors
/// As [`train`]; that the note of the run cannot be written.
pub fn train_remembered(
    prepared: &PreparedDataset,
    options: &TrainOptions,
    pause: &Pause,
    monitor: &mut TrainMonitor<'_>,
) -> Result<TrainOutcome, UserError> {
    let (request, out) = (prepared.request().clone(), options.out.clone());
    remember_run(&UnfinishedRun { request, recipe: options.recipe.clone(), out })?;
    let outcome = train(prepared, options, pause, monitor)?;
    // One that was stopped or failed can be taken up again.
    if outcome.stop != Stop::Cancelled {
        forget_run(&options.out);
    }
    Ok(outcome)
}

fn folder() -> Option<PathBuf> {
    crate::files::data_file("models")
}

/// A new name in the folder of trained models, by recipe and time.
///
/// # Errors
/// When there is no such folder and none can be made, in words.
pub fn new_model_path(recipe: &Recipe) -> Result<PathBuf, UserError> {
    new_model_file(&recipe.kind.text().replace(' ', ""))
}

/// A new name in the folder of models, by what made it and the time.
///
/// # Errors
/// As [`new_model_path`].
pub fn new_model_file(kind: &str) -> Result<PathBuf, UserError> {
    let folder = folder().ok_or_else(|| UserError::new("this system has no place for models; name a file to write"))?;
    create_folder(&folder)
        .map_err(|e| UserError::new(format!("the folder {} cannot be made: {e}", display_path(&folder))))?;
    let time = super::super::now();
    let time = time.replace(['-', ':', 'Z'], "").replace('T', "-");
    Ok(folder.join(format!("leukoscope-{kind}-{time}.onnx")))
}

/// What a model is called whom nobody named: as its file.
pub fn model_name(out: &Path) -> String {
    out.file_stem().map_or_else(|| "model".into(), |s| s.to_string_lossy().into_owned())
}

fn note_of(out: &Path) -> PathBuf {
    out.with_extension(NOTE)
}

/// Remembers what a run is made of, so that it can be taken up after a crash.
///
/// # Errors
/// When it cannot be written, in words.
fn remember_run(run: &UnfinishedRun) -> Result<(), UserError> {
    let bytes = serde_json::to_vec_pretty(run)?;
    write_output(&note_of(&run.out), &bytes)
}

/// Forgets a run: its note and its checkpoint. The model, where there is one, stays.
pub fn forget_run(out: &Path) {
    // Best effort: what stays is offered once more.
    let _ = remove_file(&note_of(out));
    let _ = remove_file(&checkpoint_of(out));
}

/// Runs of the models' folder that were begun and not finished.
pub fn unfinished_runs() -> Vec<UnfinishedRun> {
    let Some(folder) = folder() else { return Vec::new() };
    let notes = walk(&[folder], &|| false).entries.into_iter().filter(|e| e.error.is_none());
    notes
        .filter(|e| e.path.to_string_lossy().ends_with(NOTE))
        .filter_map(|e| serde_json::from_slice::<UnfinishedRun>(&read_bounded(&e.path, MAX_NOTE).ok()?.bytes).ok())
        .filter(|r| is_file(&checkpoint_of(&r.out)))
        .collect()
}

/// The newest models of the folder with their curves.
pub fn earlier_runs() -> Vec<EarlierRun> {
    let Some(folder) = folder() else { return Vec::new() };
    let listing = walk(&[folder], &|| false);
    // Names end with the time, so that the last ones in order of time are the newest.
    let mut paths: Vec<PathBuf> = listing
        .entries
        .into_iter()
        .filter(|e| e.error.is_none() && e.path.extension().is_some_and(|x| x == "onnx"))
        .map(|e| e.path)
        .collect();
    let time = |p: &Path| {
        let stem = p.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        let mut parts = stem.rsplit('-').take(2).map(ToOwned::to_owned).collect::<Vec<_>>();
        parts.reverse();
        parts
    };
    paths.sort_by_key(|p| time(p));
    paths
        .into_iter()
        .rev()
        .filter_map(|path| {
            let model = open_model(Some(&path)).ok()?;
            let history = model.card().history.clone();
            (!history.is_empty()).then(|| EarlierRun { name: model.card().name.clone(), path, history })
        })
        .take(EARLIER)
        .collect()
}
