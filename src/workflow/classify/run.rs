//! Classify whatever was named: walk, run the pipeline, tell about it as it goes.

use crate::domain::{Differential, ImageResult, Outcome, Status, name_of_flag};
use crate::files::{self, Entry, FileFacts, Listing, walk};
use crate::imaging::Cells;
use crate::inference::{
    self, CellFeatures, EngineReport, Finder, Options, OwnSquares, PipelineEvent, PipelineMonitor, Provider, VIEWS,
};
use crate::laboratory::{FolderLook, Unusual, number_of};
use crate::model::VettedModel;
use crate::task::Monitor;
use crate::workflow::UserError;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug, Clone, Default)]
pub struct ClassifyRequest {
    /// Files and folders, in the order in which their rows should come.
    pub paths: Vec<PathBuf>,
    pub provider: Provider,
    /// Which cells of an image.
    pub cells: Cells,
    /// How they are found.
    pub finder: Finder,
    /// Views of a cell that the model is unsure of; all of them without.
    pub views: Option<usize>,
    /// Cells per run at most.
    pub batch: Option<usize>,
    /// Part `.0` (from 1) of `.1`.
    pub shard: Option<(usize, usize)>,
    /// What each cell's row carries of its features.
    pub features: CellFeatures,
    /// Squares that the user drew or moved.
    pub own: Arc<OwnSquares>,
    /// Files whose results are known already, and what they were like then: passed over unless they changed.
    pub known: Arc<HashMap<PathBuf, FileFacts>>,
    /// Go on looking for new images until it is stopped.
    pub watch: bool,
}

/// What is told while it runs.
#[derive(Debug)]
pub enum ClassifyEvent {
    /// This many files will be looked at, of this many in the list.
    Listed(usize, usize),
    /// This many files were named by several of the paths; each is looked at once.
    Duplicates(usize),
    /// Files that were known and are not there any more.
    FilesRemoved(Vec<PathBuf>),
    /// A watched folder was looked at: how many images are still being written.
    FolderScanned(usize),
    /// A watched folder cannot be read now, or can be read again.
    Reachable(bool),
    /// The model is loaded; this is what runs.
    Started(EngineReport),
    /// The provider failed on the way; this runs the rest.
    Switched(EngineReport),
    /// One image's result, in input order.
    Row(Arc<ImageResult>),
}

/// What a run came to.
#[derive(Debug, Clone)]
pub struct ClassifySummary {
    /// Counts by class and of what could not be counted.
    pub differential: Differential,
    /// What is known of the images together.
    pub look: FolderLook,
    /// Files found in folders that are no images.
    pub skipped: usize,
    /// Images looked at by the colours and sizes of the others of their folder.
    pub by_folder: usize,
    /// How many cells are suspected to be of each kind that is no class of the model.
    pub suspected: BTreeMap<Arc<str>, usize>,
    /// Whether it was stopped early.
    pub cancelled: bool,
    /// What ran.
    pub engine: EngineReport,
    /// Where the rows of a run are that was stopped; its table is not the whole one.
    pub partial: Option<PathBuf>,
}

/// How classifying is watched; who cannot take more says why, and the run ends.
pub type ClassifyMonitor<'a> = Monitor<'a, ClassifyEvent, Result<(), UserError>>;

/// Classifies, telling `monitor` as it goes.
///
/// # Errors
/// When nothing can be done at all: no runtime, no provider, no file. A file that fails is a row.
pub fn classify(
    request: &ClassifyRequest,
    model: &VettedModel,
    monitor: &mut ClassifyMonitor<'_>,
) -> Result<ClassifySummary, UserError> {
    let mut listing = walk(&request.paths, &|| monitor.is_cancelled());
    if let Some((index, count)) = request.shard {
        listing = files::shard(listing, &request.paths, index, count);
    }
    let total = listing.entries.len();
    if !request.known.is_empty() && !monitor.is_cancelled() {
        tell_lost(request, &mut listing, monitor)?;
    }
    listing
        .entries
        .retain(|e| e.error.is_some() || request.known.get(&e.path).is_none_or(|k| files::facts(&e.path) != Some(*k)));
    if listing.twice > 0 {
        monitor.event(ClassifyEvent::Duplicates(listing.twice))?;
    }
    monitor.event(ClassifyEvent::Listed(listing.entries.len(), total))?;
    round(&listing.entries, request, model, monitor, &mut |event| Some(event))
}

/// Tells which of the known files have gone, and which places cannot be reached: these have lost nothing, what is known of them stays.
fn tell_lost(
    request: &ClassifyRequest,
    listing: &mut Listing,
    monitor: &mut ClassifyMonitor<'_>,
) -> Result<(), UserError> {
    let lost = |root: &PathBuf| listing.entries.iter().any(|e| e.path == *root && e.error.is_some());
    let (away, there): (Vec<&PathBuf>, Vec<&PathBuf>) = request.paths.iter().partition(|p| lost(p));
    let listed: HashSet<&Path> = listing.entries.iter().map(|e| e.path.as_path()).collect();
    let gone: Vec<PathBuf> = request
        .known
        .keys()
        .filter(|p| !listed.contains(p.as_path()) && there.iter().any(|root| p.starts_with(root)))
        .cloned()
        .collect();
    let known_below = |root: &Path| request.known.keys().any(|p| p.starts_with(root));
    let waited: Vec<PathBuf> = away.into_iter().filter(|root| known_below(root)).cloned().collect();
    if !gone.is_empty() {
        monitor.event(ClassifyEvent::FilesRemoved(gone))?;
    }
    if !waited.is_empty() {
        monitor.event(ClassifyEvent::Reachable(false))?;
        listing.entries.retain(|e| !waited.contains(&e.path));
    }
    Ok(())
}

/// Classifies some files. `keep` takes each event of the run, or drops it: what is dropped is neither told nor counted.
pub(super) fn round(
    entries: &[Entry],
    request: &ClassifyRequest,
    model: &VettedModel,
    monitor: &mut ClassifyMonitor<'_>,
    keep: &mut dyn FnMut(PipelineEvent) -> Option<PipelineEvent>,
) -> Result<ClassifySummary, UserError> {
    let options = Options {
        provider: request.provider,
        cells: request.cells,
        finder: request.finder,
        // While a folder grows, what its images say changes: rows must not depend on when they came.
        by_folder: !request.watch,
        views: request.views.unwrap_or(VIEWS),
        batch: request.batch,
        features: request.features,
        own: request.own.clone(),
        ..Options::default()
    };
    let (mut differential, mut look) = (Differential::default(), FolderLook::default());
    let (mut refused, mut suspected) = (None, BTreeMap::new());
    let mut on_event = |event| {
        let told = match keep(event) {
            None => return ControlFlow::Continue(()),
            Some(PipelineEvent::Started(report)) => ClassifyEvent::Started(report),
            Some(PipelineEvent::Switched(report)) => ClassifyEvent::Switched(report),
            Some(PipelineEvent::Row(row)) => {
                differential.add(&row, &model.card().classes);
                look.add(&row);
                if let Outcome::Cells(cells) = &row.outcome {
                    let flags = cells.iter().flat_map(|c| &c.flags);
                    flags.for_each(|flag| *suspected.entry(flag.clone()).or_default() += 1);
                }
                ClassifyEvent::Row(Arc::new(row))
            }
        };
        match (monitor.on_event)(told) {
            Ok(()) => ControlFlow::Continue(()),
            Err(why) => {
                refused = Some(why);
                ControlFlow::Break(())
            }
        }
    };
    let ended = inference::run(
        entries,
        model,
        &options,
        &mut PipelineMonitor::new(monitor.cancel, monitor.progress, &mut on_event),
    );
    if let Some(why) = refused {
        return Err(why);
    }
    let summary = ended?;
    Ok(ClassifySummary {
        differential,
        look,
        skipped: summary.skipped,
        by_folder: summary.by_folder,
        suspected,
        cancelled: summary.cancelled,
        engine: summary.engine,
        partial: None,
    })
}

impl ClassifySummary {
    /// Together with what came after it.
    pub(super) fn and(mut self, after: Self) -> Self {
        self.differential.merge(&after.differential);
        self.look.merge(&after.look);
        for (flag, n) in &after.suspected {
            *self.suspected.entry(flag.clone()).or_default() += n;
        }
        Self {
            differential: self.differential,
            look: self.look,
            skipped: self.skipped + after.skipped,
            by_folder: self.by_folder + after.by_folder,
            suspected: self.suspected,
            ..after
        }
    }

    /// Whether nothing at all could be classified or looked at.
    pub fn nothing_done(&self) -> bool {
        self.differential.images == self.differential.failed && !self.cancelled
    }

    /// A word for each image's fate, for the user: "300 cells: …; 2 failed, 1 without a white cell, 4 files skipped".
    pub fn to_line(&self, model: &VettedModel) -> String {
        let classes = &model.card().classes;
        let d = &self.differential;
        let counts: Vec<String> = classes
            .clinical_order()
            .into_iter()
            .filter_map(|i| classes.label(i))
            .map(|label| format!("{label} {}", d.count_of(label).all))
            .collect();
        let (cells, images) = (number_of(d.squares().all, "cell", "cells"), number_of(d.images, "image", "images"));
        let mut line = format!("{cells} in {images}: {}", counts.join(", "));
        let mut add = |n: usize, what: &str| {
            if n > 0 {
                line.push_str(&format!("; {n} {what}"));
            }
        };
        add(d.unidentified().all, Status::Unidentified.as_str());
        add(d.no_cell, "without a white cell");
        add(d.failed, "failed");
        add(self.skipped, "other files skipped");
        for (flag, n) in &self.suspected {
            add(*n, &format!("suspected: {}", name_of_flag(flag)));
        }
        add(self.by_folder, "looked at by the colours and cell sizes of their folder, having too little of their own");
        match self.look.unusual() {
            None => line,
            Some(Unusual::NoCells { n, of }) => format!(
                "{line}\nin {n} of {of} images no white cell was found: the colours or the magnification may be new to the program; look at them"
            ),
            Some(Unusual::Sizes { from, to }) => format!(
                "{line}\ncells were found of very different sizes ({from:.0} to {to:.0} pixels): the colours or the magnification may be new to the program; look at them"
            ),
        }
    }
}
