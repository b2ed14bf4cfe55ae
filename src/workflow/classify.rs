//! Classify whatever was named: walk, run the pipeline, tell about it as it goes.

use super::UserError;
use crate::domain::{Differential, ImageResult, Status};
use crate::files::{self, AtomicFile, Entry, FileFacts, Listing, walk, write_atomic};
use crate::inference::{self, CellFeatures, Cells, EngineReport, Options, OwnSquares, PipelineError, Provider};
use crate::model::VettedModel;
use crate::report::{RowFormat, RowWriter, Stamp};
use crate::task::{Cancel, Progress};
use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What to classify and how.
#[derive(Debug, Clone, Default)]
pub struct Request {
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
pub enum Told {
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
pub struct Totals {
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

/// Classifies, telling `hear` as it goes; `hear` may stop the run with a reason.
///
/// # Errors
/// When nothing can be done at all: no runtime, no provider, no file. A file that fails is a row.
pub fn classify(
    request: &Request,
    model: &VettedModel,
    cancel: &Cancel,
    progress: &Progress,
    hear: &mut dyn FnMut(Told) -> Result<(), String>,
) -> Result<Totals, UserError> {
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
            hear(Told::Gone(gone)).map_err(UserError::new)?;
        }
        if !waited.is_empty() {
            hear(Told::Reachable(false)).map_err(UserError::new)?;
            listing.entries.retain(|e| !waited.contains(&e.path));
        }
    }
    listing
        .entries
        .retain(|e| e.error.is_some() || request.known.get(&e.path).is_none_or(|k| files::facts(&e.path) != Some(*k)));
    if listing.twice > 0 {
        hear(Told::Twice(listing.twice)).map_err(UserError::new)?;
    }
    hear(Told::Listed(listing.entries.len(), total)).map_err(UserError::new)?;
    let mut totals = None;
    let run = Run { request, model, cancel, progress };
    round(&listing.entries, run, &mut |_| true, hear, &mut totals)?;
    totals.ok_or_else(|| UserError::new("nothing ran"))
}

/// What is classified how.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) request: &'a Request,
    pub(super) model: &'a VettedModel,
    pub(super) cancel: &'a Cancel,
    pub(super) progress: &'a Progress,
}

/// Classifies some files, and adds to what was found before. `keep` says of each result whether it is taken.
pub(super) fn round(
    entries: &[Entry],
    Run { request, model, cancel, progress }: Run<'_>,
    keep: &mut dyn FnMut(&ImageResult) -> bool,
    hear: &mut dyn FnMut(Told) -> Result<(), String>,
    totals: &mut Option<Totals>,
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
    let hear = std::cell::RefCell::new(hear);
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
            let told = if again { Told::Switched(report.clone()) } else { Told::Started(report.clone()) };
            if let Err(e) = (hear.borrow_mut())(told) {
                stopped = Some(e);
            }
        },
        &mut |row| {
            if !keep(&row) {
                return Ok(());
            }
            differential.add(&row, &model.card().classes);
            (hear.borrow_mut())(Told::Row(row))
        },
    )
    .map_err(|e: PipelineError| UserError::new(e.to_string()))?;
    if let Some(reason) = stopped {
        return Err(UserError::new(reason));
    }
    let mut skipped = summary.skipped;
    if let Some(before) = totals.take() {
        differential.merge(&before.differential);
        skipped += before.skipped;
    }
    *totals =
        Some(Totals { differential, skipped, cancelled: summary.cancelled, engine: summary.engine, partial: None });
    Ok(())
}

/// Where a table goes.
#[derive(Debug)]
enum Sink {
    File(Box<AtomicFile>),
    /// A table that grows as long as a folder is watched: written whole, again and again, so that it is never half a row.
    Growing(PathBuf, Vec<u8>),
    Stdout,
}

/// Classifies into a table: a file, which appears whole when the run ends or is stopped, or the standard output.
///
/// A closed pipe at the standard output ends the run quietly: who reads had enough.
///
/// # Errors
/// As [`classify`]; also when the file cannot be written.
pub fn classify_to(
    request: &Request,
    model: &VettedModel,
    format: RowFormat,
    out: Option<&Path>,
    cancel: &Cancel,
    progress: &Progress,
    hear: &mut dyn FnMut(&Told),
) -> Result<Totals, UserError> {
    let named = |e: std::io::Error| match out {
        Some(path) => format!("{} cannot be written: {e}", files::display_path(path)),
        None => format!("the standard output cannot be written: {e}"),
    };
    if let Some(path) = out {
        // Before anything is read: no table takes the place of an image or of anything else that was named.
        let kind =
            if format == RowFormat::Json { files::Content::Json } else { files::Content::of(b"path,cell,status,") };
        if request.paths.iter().any(|p| files::same_identity(p, path)) {
            let why = "it is one of the files to be classified; choose another name";
            return Err(UserError::new(format!("{} cannot be written: {why}", files::display_path(path))));
        }
        files::may_replace(path, kind).map_err(|e| UserError::new(named(e)))?;
        // Where the rows go if it is interrupted.
        let partial = files::partial_of(path);
        files::may_replace(&partial, kind)
            .map_err(|e| UserError::new(format!("{} cannot be written: {e}", files::display_path(&partial))))?;
    }
    let mut sink = match out {
        Some(path) if request.watch => Sink::Growing(path.to_owned(), Vec::new()),
        Some(path) => Sink::File(Box::new(AtomicFile::create(path).map_err(|e| UserError::new(named(e)))?)),
        None => Sink::Stdout,
    };
    let mut stdout = std::io::BufWriter::new(std::io::stdout().lock());
    let mut closed = false;
    let mut rows =
        RowWriter::new(format, Stamp { classes: model.card().classes.clone(), model: model.card().digest.to_string() });
    let tail = rows.tail();
    let mut put = |bytes: &[u8], flush: bool| -> Result<(), String> {
        let written = match &mut sink {
            Sink::File(file) => file.write_all(bytes),
            Sink::Growing(path, all) => {
                all.extend_from_slice(bytes);
                if flush { write_atomic(path, &[&all[..], &tail].concat()) } else { Ok(()) }
            }
            Sink::Stdout if closed => Ok(()),
            Sink::Stdout => stdout.write_all(bytes).and_then(|()| if flush { stdout.flush() } else { Ok(()) }),
        };
        match written {
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe && out.is_none() => {
                closed = true;
                cancel.cancel();
                Ok(())
            }
            other => other.map_err(named),
        }
    };
    put(&rows.head(), false).map_err(UserError::new)?;
    let mut written = false;
    let mut listen = |told: Told| {
        hear(&told);
        match told {
            Told::Row(row) => {
                written = true;
                put(&rows.image(&row), out.is_none())
            }
            Told::Looked(_) if std::mem::take(&mut written) => put(&[], true),
            _ => Ok(()),
        }
    };
    let totals = if request.watch {
        super::watch::watch(request, model, false, cancel, progress, &mut listen)
    } else {
        classify(request, model, cancel, progress, &mut listen)
    };
    let mut partial = None;
    // Complete rows are worth keeping whatever ended the run, unless nothing ran at all.
    if totals.is_ok() {
        let end = if request.watch && out.is_some() { Vec::new() } else { rows.tail() };
        put(&end, true).map_err(UserError::new)?;
        if let Sink::File(file) = sink {
            if totals.as_ref().is_ok_and(|t| t.cancelled) && !closed {
                // What was at the place stays whole; the rows of this run lie beside it, and say by their name what they are.
                partial = file.commit_partial().map_err(|e| UserError::new(named(e)))?;
            } else {
                file.commit().map_err(|e| UserError::new(named(e)))?;
            }
        }
    }
    let mut totals = totals?;
    totals.partial = partial;
    if closed {
        totals.cancelled = false;
    }
    Ok(totals)
}

impl Totals {
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
