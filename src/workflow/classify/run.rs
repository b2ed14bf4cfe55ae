//! Classify whatever was named: walk, run the pipeline, tell about it as it goes.

use crate::domain::{Differential, ImageResult, Status};
use crate::files::{self, Entry, FileFacts, Listing, walk};
use crate::inference::{self, CellFeatures, Cells, EngineReport, Options, OwnSquares, PipelineError, Provider};
use crate::model::VettedModel;
use crate::task::{Cancel, Progress};
use crate::workflow::UserError;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What to classify and how.
#[derive(Debug, Clone, Default)]
pub struct ClassifyRequest {
    /// Files and folders, in the order in which their rows shall come.
    pub paths: Vec<PathBuf>,
    /// The provider asked for.
    pub provider: Provider,
    /// Which cells of a picture.
    pub cells: Cells,
    /// Cells per run at most.
    pub batch: Option<usize>,
    /// Part `.0` (from 1) of `.1`.
    pub shard: Option<(usize, usize)>,
    /// What each cell's row carries of its features.
    pub features: CellFeatures,
    /// Squares that a person drew or moved.
    pub own: Arc<OwnSquares>,
    /// Files whose results are known already, and what they were like then: passed over unless they changed.
    pub known: Arc<HashMap<PathBuf, FileFacts>>,
    /// Go on looking for new pictures until it is stopped.
    pub watch: bool,
}

/// What is told while it runs.
#[derive(Debug)]
pub enum ClassifyEvent {
    /// So many files will be looked at, of so many in the list.
    Listed(usize, usize),
    /// So many files were named by several of the paths; each is looked at once.
    Twice(usize),
    /// Files that were known and are not there any more.
    Gone(Vec<PathBuf>),
    /// A watched folder was looked at: how many pictures are still being written.
    Looked(usize),
    /// A watched folder cannot be read now, or can be read again.
    Reachable(bool),
    /// The model is loaded; this is what runs.
    Started(EngineReport),
    /// The provider failed on the way; this runs the rest.
    Switched(EngineReport),
    /// One image's result, in input order.
    Row(ImageResult),
}

/// What a run came to.
#[derive(Debug, Clone)]
pub struct ClassifySummary {
    /// Counts by class and of what could not be counted.
    pub differential: Differential,
    /// Files found in folders that are no pictures.
    pub skipped: usize,
    /// Whether it was stopped early.
    pub cancelled: bool,
    /// What ran.
    pub engine: EngineReport,
    /// Where the rows of a run are that was stopped; its table is not the whole one.
    pub partial: Option<PathBuf>,
}

/// Classifies, telling `on_event` as it goes; `on_event` may stop the run with a reason.
///
/// # Errors
/// When nothing can be done at all: no runtime, no provider, no file. A file that fails is a row.
pub fn classify(
    request: &ClassifyRequest,
    model: &VettedModel,
    cancel: &Cancel,
    progress: &Progress,
    on_event: &mut dyn FnMut(ClassifyEvent) -> Result<(), String>,
) -> Result<ClassifySummary, UserError> {
    let mut listing: Listing = walk(&request.paths, &|| cancel.is_cancelled());
    if let Some((index, count)) = request.shard {
        listing = files::shard(listing, &request.paths, index, count);
    }
    let total = listing.entries.len();
    if !request.known.is_empty() && !cancel.is_cancelled() {
        // A place that cannot be reached at all has lost nothing: what is known of it stays.
        let lost = |root: &PathBuf| listing.entries.iter().any(|e| e.path == *root && e.error.is_some());
        let (away, there): (Vec<&PathBuf>, Vec<&PathBuf>) = request.paths.iter().partition(|p| lost(p));
        let listed: std::collections::HashSet<&Path> = listing.entries.iter().map(|e| e.path.as_path()).collect();
        let gone: Vec<PathBuf> = request
            .known
            .keys()
            .filter(|p| !listed.contains(p.as_path()) && there.iter().any(|root| p.starts_with(root)))
            .cloned()
            .collect();
        let known_below = |root: &Path| request.known.keys().any(|p| p.starts_with(root));
        let waited: Vec<PathBuf> = away.into_iter().filter(|root| known_below(root)).cloned().collect();
        if !gone.is_empty() {
            on_event(ClassifyEvent::Gone(gone)).map_err(UserError::new)?;
        }
        if !waited.is_empty() {
            on_event(ClassifyEvent::Reachable(false)).map_err(UserError::new)?;
            listing.entries.retain(|e| !waited.contains(&e.path));
        }
    }
    listing
        .entries
        .retain(|e| e.error.is_some() || request.known.get(&e.path).is_none_or(|k| files::facts(&e.path) != Some(*k)));
    if listing.twice > 0 {
        on_event(ClassifyEvent::Twice(listing.twice)).map_err(UserError::new)?;
    }
    on_event(ClassifyEvent::Listed(listing.entries.len(), total)).map_err(UserError::new)?;
    let mut totals = None;
    let run = Run { request, model, cancel, progress };
    round(&listing.entries, run, &mut |_| true, on_event, &mut totals)?;
    totals.ok_or_else(|| UserError::new("nothing ran"))
}

/// What is classified how.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) request: &'a ClassifyRequest,
    pub(super) model: &'a VettedModel,
    pub(super) cancel: &'a Cancel,
    pub(super) progress: &'a Progress,
}

/// Classifies some files, and adds to what was found before. `keep` says of each result whether it is taken.
pub(super) fn round(
    entries: &[Entry],
    Run { request, model, cancel, progress }: Run<'_>,
    keep: &mut dyn FnMut(&ImageResult) -> bool,
    on_event: &mut dyn FnMut(ClassifyEvent) -> Result<(), String>,
    totals: &mut Option<ClassifySummary>,
) -> Result<(), UserError> {
    let options = Options {
        provider: request.provider,
        cells: request.cells,
        batch: request.batch,
        features: request.features,
        own: request.own.clone(),
        ..Options::default()
    };
    let mut differential = Differential::default();
    let on_event = std::cell::RefCell::new(on_event);
    let mut stopped = None;
    let mut begun = false;
    let summary = inference::run(
        entries,
        model,
        &options,
        cancel,
        progress,
        &mut |report| {
            let again = std::mem::replace(&mut begun, true);
            let told =
                if again { ClassifyEvent::Switched(report.clone()) } else { ClassifyEvent::Started(report.clone()) };
            if let Err(e) = (on_event.borrow_mut())(told) {
                stopped = Some(e);
            }
        },
        &mut |row| {
            if !keep(&row) {
                return Ok(());
            }
            differential.add(&row, &model.card().classes);
            (on_event.borrow_mut())(ClassifyEvent::Row(row))
        },
    )
    .map_err(|e: PipelineError<String>| UserError::new(e.to_string()))?;
    if let Some(reason) = stopped {
        return Err(UserError::new(reason));
    }
    let mut skipped = summary.skipped;
    if let Some(before) = totals.take() {
        differential.merge(&before.differential);
        skipped += before.skipped;
    }
    *totals = Some(ClassifySummary {
        differential,
        skipped,
        cancelled: summary.cancelled,
        engine: summary.engine,
        partial: None,
    });
    Ok(())
}

impl ClassifySummary {
    /// Whether nothing at all could be classified or looked at.
    #[must_use]
    pub fn nothing_done(&self) -> bool {
        self.differential.images == self.differential.failed && !self.cancelled
    }

    /// A word for each image's fate, for a person: "300 cells: …; 2 failed, 1 without a white cell, 4 files skipped".
    #[must_use]
    pub fn to_line(&self, model: &VettedModel) -> String {
        let classes = &model.card().classes;
        let d = &self.differential;
        let counts: Vec<String> = classes
            .clinical_order()
            .into_iter()
            .filter_map(|i| classes.label(i))
            .map(|label| format!("{label} {}", d.of(label).all))
            .collect();
        let mut line = format!("{} cells in {} images: {}", d.squares().all, d.images, counts.join(", "));
        let mut add = |n: usize, what: &str| {
            if n > 0 {
                line.push_str(&format!("; {n} {what}"));
            }
        };
        add(d.unidentified().all, Status::Unidentified.as_str());
        add(d.no_cell, "without a white cell");
        add(d.failed, "failed");
        add(self.skipped, "other files skipped");
        line
    }
}
