//! What goes in and out of the Review page: what the user did, what happened outside, and what should be done there. Plain values.

use super::case::{Draft, FilesLook, RangeDraft};
use super::heat_map::HeatKey;
use super::state::{Dialog, Filter};
use crate::app::command::Command;
use crate::domain::{CellId, Digest, ImageId, ImageResult, Square};
use crate::inference::HeatMap;
use crate::laboratory::{CaseField, Ranges, ReferenceRange, RunRecord};
use crate::session::{CaseChange, Edit};
use crate::task::Generation;
use crate::workflow::{CellPlaces, ClassifyEvent, Export, SessionEvent, UserError};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

/// What a dataset of the reviewed cells is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReviewedFor {
    Training,
    Evaluation,
}

/// What the user did that is not a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    Select(CellId),
    /// Added a tile to what is chosen together, or took it out.
    Toggle(CellId),
    /// Chose all tiles from where a range began to this one.
    Range(CellId),
    /// Moved the end of the range within what is shown.
    Extend(isize),
    Choose(BTreeSet<CellId>),
    /// Gave a label to a tile, or to those chosen together where it is one of them.
    Drop(CellId, String),
    /// Moved or sized the square of a cell.
    MoveSquare(CellId, Square),
    AddSquare(ImageId, Square),
    /// Took a rejected place back: it is a cell.
    TakeBack(CellId, Square),
    /// Looks at what is shown by this filter, with the places that were rejected.
    LookAt(Filter),
    /// Does not want to hear any more what is unusual about the folder.
    PutUnusualAway,
    /// Said what the cells chosen together, else this one, else the chosen one are, in any spelling.
    SetLabel(Option<CellId>, String),
    /// Confirmed all cells that are chosen together, having been asked.
    AcceptAll,
    /// Typed into a field of the case that is not left yet; nothing takes it back.
    CaseDraft(Draft, Option<String>),
    /// Leaves the page, or the window: what was typed is kept.
    Leave,
    /// Entered something about the case.
    Case(CaseField, String),
    /// Signs, for this reason where something is open; the time is UTC, RFC 3339.
    Sign(String, String),
    /// Says whether images that look alike are of the same field, which counts once.
    Fields(Vec<Digest>, bool),
    /// Opens what was signed for an amendment, for this reason.
    Amend(String),
    Ranges(Vec<RangeDraft>),
    Operator(String),
    /// How much of the heat map's colour is seen, 0..=1.
    HeatOpacity(f32),
    PutHintAway,
    /// Moved the selection within what is shown.
    Move(isize),
    Filter(Filter),
    Watch(PathBuf),
    /// Opened paths (dropped, typed, recent).
    Open(Vec<PathBuf>),
    /// Changed or closed a dialog.
    Dialog(Dialog),
    MakeMap,
    /// Does not want it any more.
    StopMap,
    /// Wants the tiles that are chosen together in the gallery, and no others.
    ShowChosen,
    /// Pressed the key of a command.
    Command(Command),
    /// Wanted something that cannot be done now, for this reason.
    Refused(String),
}

impl Draft {
    /// What keeps a text in the field.
    pub fn kept(self, text: String) -> Input {
        match self {
            Self::Operator => Input::Operator(text),
            Self::Case(field) => Input::Case(field, text),
        }
    }
}

/// Something that happened outside.
#[derive(Debug)]
pub enum Event {
    /// How classifying goes; of another job it is dropped.
    Classify(Generation, ClassifyEvent),
    /// An image was classified again after its squares changed, as it was asked for the n-th time.
    Again(Generation, u64, Arc<ImageResult>),
    /// Where the model looked in a cell, or why there is no telling.
    Heat(Generation, HeatKey, Result<Option<Arc<HeatMap>>, UserError>),
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
    /// The session of what is open.
    Session(Generation, SessionEvent),
    /// The map is being made: rounds done, and all.
    Mapping(Generation, usize, usize),
    /// The map, or why there is none; neither where it was stopped.
    Mapped(Generation, Result<Option<CellPlaces>, UserError>),
    /// Paths to open were chosen, and are there.
    Chosen(Vec<PathBuf>),
    /// A folder was chosen to watch.
    Watch(PathBuf),
    /// A dataset of the reviewed cells was made.
    ReviewedCells(PathBuf, ReviewedFor),
}

/// What should be done outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Classify these, passing over what is known.
    Classify(Generation, Vec<PathBuf>),
    OpenSession(Generation, Vec<PathBuf>),
    KeepLabels(Edit),
    ChangeCase(CaseChange),
    /// Classify an image again: its squares changed, for the n-th time.
    Again(Generation, u64, PathBuf),
    /// Find out where the model looked in a cell of a file.
    Explain(Generation, HeatKey, PathBuf),
    /// Open these, if they are there; the folder is to be watched.
    OpenIfThere(Vec<PathBuf>, bool),
    /// Ask where to, then write.
    Export(Export),
    /// Make a dataset of the reviewed cells, and go to Train (`true`) or Evaluate with it.
    ReviewedCells(ReviewedFor),
    LoadRanges,
    /// Keep the laboratory's ranges; a file that cannot be read is set aside first (`true`), or nothing is written.
    KeepRanges(Vec<ReferenceRange>, bool),
    /// Look whether the files are what they were, and which images look like the same field.
    LookAtFiles(Generation),
    AskWatch,
    AskFolder,
    AskImages,
    Cancel,
    /// Draw the demo slide and open it.
    Demo,
    /// Make the map of these tiles by their features.
    Map(Generation, Vec<(CellId, Vec<f32>)>),
    StopMap,
}
