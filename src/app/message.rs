//! What goes in and out of the window's state: what happened outside, what a person did, and what shall be done outside.
//! Plain values.

use super::case::{FilesLook, RangeDraft};
use super::command::Command;
use super::evaluation::{EvaluateEvent, EvaluateForm, EvaluateInput};
use super::heat::HeatKey;
use super::labels::SessionEvent;
use super::map::Places;
use super::models::{ModelsEffect, ModelsEvent, ModelsInput};
use super::state::{Dialog, Filter};
use super::training::{TrainEvent, TrainForm};
use crate::domain::{CellId, Digest, ImageId, ImageResult, Square};
use crate::inference::HeatMap;
use crate::laboratory::{Ranges, ReferenceRange, RunRecord, SlideReport};
use crate::model::VettedModel;
use crate::report::Evaluated;
use crate::session::{CaseChange, Edit};
use crate::task::Generation;
use crate::workflow::{EarlierRun, Pick, TrainRequest, UnfinishedRun};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

/// Something that happened outside.
#[derive(Debug)]
pub enum Event {
    /// So many files will be looked at.
    Listed(Generation, usize),
    /// This provider runs.
    Started(Generation, String),
    /// The provider failed on the way; this runs the rest.
    Switched(Generation, String),
    /// One image's result.
    Row(Generation, Arc<ImageResult>),
    /// Files that are not there any more.
    Gone(Generation, Vec<PathBuf>),
    /// What was opened cannot be read now, or can be read again.
    Reachable(Generation, bool),
    /// A watched folder was looked at; so many pictures are still being written.
    Looked(Generation, usize),
    /// An image was classified again after its squares changed, as it was asked for the so-manieth time.
    Again(Generation, u64, Arc<ImageResult>),
    /// Where the model looked in a cell, or why there is no telling.
    Heat(Generation, HeatKey, Result<Arc<HeatMap>, String>),
    /// A folder was chosen to watch.
    Watch(PathBuf),
    /// The laboratory's ranges, as they are kept now.
    Ranges(Ranges),
    /// How far the run came; the session keeps the same.
    Run(Generation, RunRecord),
    /// What the look at the files before a signature found: which changed, and which images look like the same field.
    Files(Generation, FilesLook, Vec<Vec<Digest>>),
    /// The job ended: files skipped, whether it was stopped.
    Finished(Generation, usize, bool),
    /// The job could not be done.
    Failed(Generation, String),
    /// A dialog was answered with paths to open.
    Chosen(Vec<PathBuf>),
    /// What was to be opened is not there.
    NotThere(String),
    /// No file dialog answered; whether a folder was to be watched.
    NoDialog(bool),
    /// A model was opened, from this file or the bundled one.
    Model(Box<VettedModel>, Option<PathBuf>),
    /// A word about training.
    Train(Generation, TrainEvent),
    /// A word about the session of what is open.
    Session(Generation, SessionEvent),
    /// A word about an evaluation.
    Evaluate(Generation, EvaluateEvent),
    /// Labelled pictures were chosen to train on.
    Dataset(PathBuf),
    /// Labelled pictures were chosen to evaluate on.
    Evaluation(PathBuf),
    /// Another model was chosen to compare with.
    Other(PathBuf),
    /// Runs that were left unfinished, and earlier ones.
    Runs(Vec<UnfinishedRun>, Vec<EarlierRun>),
    /// A file was written.
    Written(PathBuf),
    /// The map is being made: rounds done, and all.
    Mapping(Generation, usize, usize),
    /// The map, or why there is none; neither where it was stopped.
    Mapped(Generation, Result<Option<Places>, String>),
    /// A word about the Models place.
    Models(Box<ModelsEvent>),
    /// The installed models changed.
    ListModels,
    /// Something went wrong outside a job.
    Trouble(String),
    /// The self-check's text.
    Checked(String),
}

/// What a person did that is no command.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Chose a tile.
    Select(CellId),
    /// Added a tile to what is chosen together, or took it out.
    Toggle(CellId),
    /// Chose all tiles from where a range began to this one.
    Range(CellId),
    /// Moved the end of the range within what is shown.
    Extend(isize),
    /// Chose these tiles together.
    Choose(BTreeSet<CellId>),
    /// Gave a label to a tile, or to those chosen together where it is one of them.
    Drop(CellId, String),
    /// Moved or sized the square of a cell.
    MoveSquare(CellId, Square),
    /// Drew a square on an image.
    AddSquare(ImageId, Square),
    /// Said what the cells chosen together, else this one, else the chosen one are, in any spelling.
    SetLabel(Option<CellId>, String),
    /// Confirmed all cells that are chosen together, having been asked.
    AcceptAll,
    /// Wanted something that cannot be done now, for this reason.
    Refused(String),
    /// Typed into a field of the case that is not left yet; nothing takes it back.
    CaseDraft(&'static str, Option<String>),
    /// The window closes, whoever asked for it.
    Leave,
    /// Entered something about the case.
    Case(String, String),
    /// Signs, for this reason where something is open; the time is UTC, RFC 3339.
    Sign(String, String),
    /// Says whether images that look alike are of the same field, which counts once.
    Fields(Vec<Digest>, bool),
    /// Opens what was signed for an amendment, for this reason.
    Amend(String),
    /// Keeps reference ranges.
    Ranges(Vec<RangeDraft>),
    /// Entered initials.
    Operator(String),
    /// Gave a command other keys.
    Bind(Command, egui::KeyboardShortcut),
    /// Gave all commands the program's own keys again.
    ResetKeys,
    /// How much of the heat map's colour is seen, 0..=1.
    HeatOpacity(f32),
    /// Put the hint away.
    PutHintAway,
    /// Moved the selection within what is shown.
    Move(isize),
    /// Pressed a command's key.
    Command(Command),
    /// Changed the filter.
    Filter(Filter),
    /// Watches a folder.
    Watch(PathBuf),
    /// Opened paths (dropped, typed, recent).
    Open(Vec<PathBuf>),
    /// Changed or closed a dialog.
    Dialog(Dialog),
    /// Wants the map made.
    MakeMap,
    /// Does not want it any more.
    StopMap,
    /// Wants the tiles that are chosen together in the gallery, and no others.
    ShowChosen,
    /// Did something in the Models place.
    Models(ModelsInput),
    /// Did something in the Evaluate place.
    Evaluate(EvaluateInput),
    /// Changed the form of the Train place.
    TrainForm(Box<TrainForm>),
    /// Took what helps against an obstacle: the form with it, and the data are looked at again.
    TakeRemedy(Box<TrainForm>),
    /// Takes up a run that was left unfinished.
    TakeUp(Box<UnfinishedRun>),
    /// Forgets a run that was left unfinished.
    Forget(PathBuf),
}

/// What shall be done outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Classify these, passing over what is known.
    Classify(Generation, Vec<PathBuf>),
    /// Open the session of these paths.
    OpenSession(Generation, Vec<PathBuf>),
    /// Make an edit durable.
    KeepLabels(Edit),
    /// Change the case, durably.
    ChangeCase(CaseChange),
    /// Classify an image again: its squares changed, for the so-manieth time.
    Again(Generation, u64, PathBuf),
    /// Find out where the model looked in a cell of a file.
    Explain(Generation, HeatKey, PathBuf),
    /// Open these, if they are there; the folder is to be watched.
    OpenIfThere(Vec<PathBuf>, bool),
    /// Ask where to, then write the labels that people gave.
    ExportLabels,
    /// Ask where to, then write the report as a page, with heat maps of these cells.
    ExportReport(Box<SlideReport>, Vec<Pick>),
    /// Ask where to, then write the report for another system.
    ExportFhir(Box<SlideReport>),
    /// Ask where to, then copy the reviewed images.
    ExportImages,
    /// Make a dataset of the reviewed cells, and go to Train (`true`) or Evaluate with it.
    ReviewedCells(bool),
    /// Keep the laboratory's ranges; a file that cannot be read is set aside first (`true`), or nothing is written.
    KeepRanges(Vec<ReferenceRange>, bool),
    /// Look whether the files are what they were, and which images look like the same field.
    LookAtFiles(Generation),
    /// Ask for a folder to watch.
    AskWatch,
    /// Stop the running job.
    Cancel,
    /// Ask for a folder.
    AskFolder,
    /// Ask for pictures.
    AskImages,
    /// Ask for a model.
    AskModel,
    /// Ask for labelled pictures to train on.
    AskDataset,
    /// Ask for labelled pictures to evaluate on.
    AskEvaluation,
    /// Evaluate.
    Evaluate(Generation, Box<EvaluateForm>),
    /// Stop evaluating.
    StopEvaluation,
    /// Compute the intervals of a corrected evaluation again.
    Intervals(Generation, u64, Box<Evaluated>),
    /// Ask where to, then write an evaluation's files.
    ExportEvaluation(Box<Evaluated>),
    /// Calibrate the model on the evaluation's pictures.
    Calibrate(Generation, Box<EvaluateForm>),
    /// Ask for another model to compare with.
    AskOther,
    /// Evaluate another model on the same pictures.
    Compare(Generation, Box<EvaluateForm>, Box<Evaluated>),
    /// Keep corrected references: image, label in the dataset, and what it is (nothing takes it back).
    KeepCorrections(Vec<(Digest, String, Option<String>)>),
    /// Look at labelled pictures.
    LookAtData(Generation, Box<TrainRequest>),
    /// Train.
    Train(Generation, Box<TrainForm>),
    /// Hold training, or let it go on.
    HoldTraining(bool),
    /// Stop training, or looking at the data.
    StopTraining,
    /// Forget an unfinished run.
    ForgetRun(PathBuf),
    /// Look for unfinished and earlier runs.
    Runs,
    /// Open a model file, or the bundled one.
    OpenModel(Option<PathBuf>),
    /// Go back to the bundled model.
    BundledModel,
    /// Ask where, then write the table.
    AskExport,
    /// Draw the demo slide and open it.
    Demo,
    /// Remember recent places and theme.
    Remember,
    /// Look at the machine.
    SelfCheck,
    /// Make the map of these tiles by their features.
    Map(Generation, Vec<(CellId, Vec<f32>)>),
    /// Stop making it.
    StopMap,
    /// Something for the Models place.
    Models(ModelsEffect),
}
