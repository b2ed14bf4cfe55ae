//! The main loop: files in, rows out, in the order of the files, in bounded memory, stoppable between any two.
//!
//! Two shapes. On a processor every worker has its own single-threaded session and does everything for its image:
//! nothing is handed over, and two cores are twice as fast as one. On a GPU the workers only prepare, and one thread
//! feeds one session with batches.
//!
//! Memory is bounded by tickets: a file is only begun when it is at most [`WINDOW`] files ahead of the last row given
//! out, so that one slow file cannot make finished rows pile up without end.

use super::engine::{Engine, EngineError, EngineReport, Prediction};
use super::folder::Folders;
use super::handed::{Classified, Facts, Handed, ImageAnswers};
use super::judge::{Finder, Judge};
use super::look::{Found, Wanted, find_for_another, find_judged, unjudged};
use super::options::{CellFeatures, Options, Schedule};
use super::prepare::{OwnSquares, ReadImage, Skip, own_of, read_entry, warn_of_background};
use super::provider::Provider;
use super::sketch::sketch;
use super::views::{UNSURE, VIEWS, other_views};
use crate::domain::{CellResult, Digest, Failure, ImageResult, Outcome, Square};
use crate::files::Entry;
use crate::imaging::{self, CellSource, Cells, SlideMeasure};
use crate::model::{ModelCard, VettedModel};
use crate::task::{Cancel, Monitor, cores};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

/// How many files may be begun before the first of them has its row.
const WINDOW: usize = 1024;

/// What the run as a whole did.
#[derive(Debug, Clone)]
pub struct Summary {
    pub engine: EngineReport,
    /// Files found in folders that are no images.
    pub skipped: usize,
    /// Images looked at by the colours and sizes of the others of their folder.
    pub by_folder: usize,
    /// Whether it was stopped early.
    pub cancelled: bool,
}

/// Why a run could not begin, or had to end; `E` is what the taker of the rows says.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PipelineError {
    /// The model could not be loaded.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// No thread could be started.
    #[error("no worker thread could be started: {0}")]
    Threads(String),
    /// The listener broke off, for a reason of its own.
    #[error("the run was broken off")]
    BrokenOff,
}

/// What is told while a run goes on.
#[derive(Debug)]
pub enum PipelineEvent {
    /// The model is loaded; this is what runs. Comes first.
    Started(EngineReport),
    /// The provider failed on the way; this runs the rest.
    Switched(EngineReport),
    /// One file's result, in the order of the entries.
    Row(ImageResult),
}

/// How a run is watched: who breaks off gets no more rows.
pub type PipelineMonitor<'a> = Monitor<'a, PipelineEvent, ControlFlow<()>>;

/// What workers send.
pub(super) enum Done {
    Row(usize, Result<ImageResult, Skip>),
    /// The provider failed; this runs the rest.
    Switched(Box<EngineReport>),
}

/// What came of the rows.
struct Collected {
    skipped: usize,
    /// What ran the rest, where the provider failed.
    switched: Option<EngineReport>,
    /// The listener broke off.
    broken_off: bool,
}

/// Classifies `entries` with `model`, telling each row in the order of the entries.
///
/// # Errors
/// [`PipelineError`]; a file that fails is a row instead.
pub fn run(
    entries: &[Entry],
    model: &VettedModel,
    options: &Options,
    monitor: &mut PipelineMonitor<'_>,
) -> Result<Summary, PipelineError> {
    monitor.progress.set_total(entries.len());
    let workers = options.workers.unwrap_or_else(cores).clamp(1, entries.len().max(1));
    let engine = Engine::load(model, options.provider, 1)?;
    let mut report = engine.report().clone();
    if let Some((_, provider)) = options.fails_after {
        report.actual = provider;
    }
    if monitor.event(PipelineEvent::Started(report.clone())).is_break() {
        return Err(PipelineError::BrokenOff);
    }
    let schedule =
        options.schedule.unwrap_or(if report.actual == Provider::Cpu { Schedule::PerCore } else { Schedule::Batched });
    let batch = options.batch.unwrap_or(if schedule == Schedule::PerCore { 4 } else { 32 }).max(1);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(workers + usize::from(schedule == Schedule::Batched))
        .thread_name(|i| format!("classify-{i}"))
        .build()
        .map_err(|e| PipelineError::Threads(e.to_string()))?;
    let context = Context {
        entries,
        model,
        fails_after: options.fails_after.map(|(runs, _)| runs),
        cells: options.cells,
        finder: options.finder,
        cancel: monitor.cancel,
        broken_off: Cancel::new(),
        actual: report.actual,
        batch,
        features: options.features,
        own: &options.own,
        views: if model.card().looks_at_squares() { options.views } else { 1 },
        folders: Folders::new(model.card(), options.by_folder),
    };
    let collected = pool.in_place_scope(|scope| {
        let (tickets, take) = bounded::<usize>(WINDOW);
        let (give, done) = bounded::<Done>(WINDOW);
        context.start_workers(scope, schedule, workers, engine, take, give);
        context.collect(tickets, &done, monitor)
    });
    if collected.broken_off {
        return Err(PipelineError::BrokenOff);
    }
    Ok(Summary {
        engine: collected.switched.unwrap_or(report),
        skipped: collected.skipped,
        by_folder: context.folders.helped(),
        cancelled: monitor.is_cancelled(),
    })
}

pub(super) struct Context<'a> {
    pub(super) entries: &'a [Entry],
    pub(super) model: &'a VettedModel,
    pub(super) fails_after: Option<usize>,
    pub(super) cells: Cells,
    finder: Finder,
    cancel: &'a Cancel,
    /// Set where the listener broke off: workers end, and their rows are dropped.
    broken_off: Cancel,
    pub(super) actual: Provider,
    pub(super) batch: usize,
    features: CellFeatures,
    pub(super) own: &'a OwnSquares,
    views: usize,
    folders: Folders,
}

impl Context<'_> {
    fn start_workers<'s>(
        &'s self,
        scope: &rayon::Scope<'s>,
        schedule: Schedule,
        workers: usize,
        engine: Engine,
        take: Receiver<usize>,
        give: Sender<Done>,
    ) {
        match schedule {
            Schedule::PerCore => {
                let mut first = Some(engine);
                for _ in 0..workers {
                    let (take, give, own) = (take.clone(), give.clone(), first.take());
                    scope.spawn(move |_| self.per_core(own, &take, &give));
                }
            }
            Schedule::Batched => {
                let (hand, receive) = bounded::<(usize, Handed)>(2 * self.batch);
                for _ in 0..workers {
                    let (take, give, hand) = (take.clone(), give.clone(), hand.clone());
                    scope.spawn(move |_| self.prepare_only(&take, &give, &hand));
                }
                scope.spawn(move |_| self.batched(engine, &receive, &give));
            }
        }
    }

    /// Hands out tickets and tells the rows in order, until all are told, the job is cancelled or the listener breaks off.
    fn collect(&self, tickets: Sender<usize>, done: &Receiver<Done>, monitor: &mut PipelineMonitor<'_>) -> Collected {
        let mut collected = Collected { skipped: 0, switched: None, broken_off: false };
        let mut waiting = BTreeMap::new();
        let (mut issued, mut next) = (0, 0);
        while next < self.entries.len() && !collected.broken_off {
            while issued < self.entries.len()
                && issued < next + WINDOW
                && !self.cancel.is_cancelled()
                && tickets.try_send(issued).is_ok()
            {
                issued += 1;
            }
            if next >= issued {
                break;
            }
            match done.recv() {
                Ok(Done::Row(index, row)) => drop(waiting.insert(index, row)),
                Ok(Done::Switched(other)) => {
                    collected.broken_off = monitor.event(PipelineEvent::Switched((*other).clone())).is_break();
                    collected.switched = Some(*other);
                }
                Err(_) => break,
            }
            while let Some(row) = waiting.remove(&next).filter(|_| !collected.broken_off) {
                next += 1;
                monitor.progress.step();
                match row {
                    Err(Skip) => collected.skipped += 1,
                    Ok(row) => collected.broken_off = monitor.event(PipelineEvent::Row(row)).is_break(),
                }
            }
        }
        if collected.broken_off {
            self.broken_off.cancel();
        }
        collected
    }

    pub(super) fn stopped(&self) -> bool {
        self.cancel.is_cancelled() || self.broken_off.is_cancelled()
    }

    fn per_core(&self, own: Option<Engine>, take: &Receiver<usize>, give: &Sender<Done>) {
        // The first worker has the engine that was probed; the others load their own, on the same provider.
        let mut engine = own.map_or_else(|| Engine::load(self.model, self.actual, 1), Ok);
        let mut judge = self.judge();
        for index in take {
            if self.stopped() {
                break;
            }
            let row = self.isolated(index, |read, image| {
                let engine = engine.as_mut().map_err(|e| failure(e))?;
                let judge = judge.as_mut().map(|j| j.as_mut().map_err(|e| failure(e))).transpose()?;
                self.find_and_classify(index, read, image, engine, judge)
            });
            if give.send(Done::Row(index, row)).is_err() {
                break;
            }
        }
    }

    /// The bundled model, where cells are judged and the model itself does not say what is none.
    pub(super) fn judge(&self) -> Option<Result<Judge, EngineError>> {
        let wanted = self.finder == Finder::Judged && self.model.card().looks_at_squares();
        (wanted && !self.model.card().judges()).then(Judge::load)
    }

    /// What the other images of a file's folder say.
    pub(super) fn others(&self, index: usize, image: &imaging::RgbImage) -> SlideMeasure {
        self.folders.others(&self.entries[index].path, image.dimensions())
    }

    pub(super) fn wanted(&self, index: usize, digest: Option<Digest>) -> Wanted<'_> {
        Wanted {
            cells: self.cells,
            finder: self.finder,
            given: self.entries[index].square,
            own: own_of(self.own, digest),
        }
    }

    /// Finds the cells of an image and classifies them.
    fn find_and_classify(
        &self,
        index: usize,
        read: &mut ReadImage,
        image: &imaging::RgbImage,
        engine: &mut Engine,
        judge: Option<&mut Judge>,
    ) -> ImageAnswers {
        let others = || self.others(index, image);
        let source = CellSource::new(image, &self.model.card().preprocessing).among(&others);
        warn_of_background(&source, &mut read.warnings);
        let found = self.find(&self.wanted(index, read.digest), &source, engine, judge).map_err(|e| failure(&e))?;
        let unknown: Vec<Square> = found.cells.iter().filter(|c| c.2.is_none()).map(|c| c.1).collect();
        let mut answers = self.classify(engine, &self.tensors(&source, &unknown))?.into_iter();
        let cells = found.cells.into_iter();
        let cells =
            cells.filter_map(|(number, square, known)| Some((number, square, known.or_else(|| answers.next())?)));
        let mut cells: Vec<Classified> = cells.collect();
        let unsure = cells.iter_mut().map(|(_, square, answer)| (*square, answer));
        self.look_again(engine, unsure.collect(), |square| self.tensors(&source, &[square]))?;
        Ok((cells, found.rejected))
    }

    /// Answers that the model is unsure of become the mean over all views of their cells.
    pub(super) fn look_again(
        &self,
        engine: &mut Engine,
        answers: Vec<(Square, &mut Prediction)>,
        tensor_of: impl Fn(Square) -> Vec<f32>,
    ) -> Result<(), Failure> {
        let unsure: Vec<_> =
            answers.into_iter().filter(|(_, a)| self.views > 1 && engine.sureness(a) < UNSURE).collect();
        if unsure.is_empty() {
            return Ok(());
        }
        let spec = &self.model.card().tensor;
        let tensors: Vec<f32> = unsure
            .iter()
            .flat_map(|(square, _)| other_views(&tensor_of(*square), spec.size, spec.channels_first))
            .collect();
        let others = self.classify(engine, &tensors)?;
        for ((_, answer), others) in unsure.into_iter().zip(others.chunks_exact(VIEWS - 1)) {
            let all: Vec<Prediction> = std::iter::once(&*answer).chain(others).cloned().collect();
            if let Some(mean) = engine.together(&all) {
                *answer = mean;
            }
        }
        Ok(())
    }

    fn find(
        &self,
        wanted: &Wanted<'_>,
        source: &CellSource<'_>,
        engine: &mut Engine,
        judge: Option<&mut Judge>,
    ) -> Result<Found, EngineError> {
        if let Some(squares) = unjudged(source, wanted) {
            return Ok(Found { cells: squares.into_iter().map(|(n, s)| (n, s, None)).collect(), rejected: Vec::new() });
        }
        match judge {
            Some(judge) => find_for_another(source, wanted, judge),
            None => find_judged(source, wanted, |squares| self.predict(engine, &self.tensors(source, squares))),
        }
    }

    pub(super) fn tensors(&self, source: &CellSource<'_>, squares: &[Square]) -> Vec<f32> {
        let spec = &self.model.card().tensor;
        let mut tensors = Vec::new();
        squares.iter().for_each(|s| imaging::tensor(&source.cut(*s, spec.size), spec, &mut tensors));
        tensors
    }

    /// Runs any number of cells, at most a batch at a time.
    fn predict(&self, engine: &mut Engine, tensors: &[f32]) -> Result<Vec<Prediction>, EngineError> {
        let per_cell = 3 * self.model.card().tensor.size * self.model.card().tensor.size;
        let mut out = Vec::with_capacity(tensors.len() / per_cell);
        for chunk in tensors.chunks(per_cell * self.batch) {
            out.extend(engine.predict(chunk.to_vec(), chunk.len() / per_cell)?);
        }
        Ok(out)
    }

    pub(super) fn classify(&self, engine: &mut Engine, tensors: &[f32]) -> Result<Vec<Prediction>, Failure> {
        self.predict(engine, tensors).map_err(|e| failure(&e))
    }

    /// Reads and finishes one file; a panic in a decoder costs this file alone.
    fn isolated(
        &self,
        index: usize,
        finish: impl FnOnce(&mut ReadImage, &imaging::RgbImage) -> ImageAnswers,
    ) -> Result<ImageResult, Skip> {
        let entry = &self.entries[index];
        let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| {
            let mut read = read_entry(entry)?;
            let size = read.size();
            let answers = match std::mem::replace(&mut read.image, Err(String::new())) {
                Ok(image) => finish(&mut read, &image),
                Err(why) => Err(Failure::Image(why)),
            };
            Ok(self.row(index, Facts { digest: read.digest, size, warnings: read.warnings }, answers, self.actual))
        }));
        outcome.unwrap_or_else(|_| Ok(self.internal_error(index)))
    }

    /// The row of a file over which a decoder panicked.
    pub(super) fn internal_error(&self, index: usize) -> ImageResult {
        let reason = "internal error on this file; the others are not affected. Please report it";
        self.row(index, Facts::default(), Err(Failure::Image(reason.into())), self.actual)
    }

    /// `by` is the provider that really ran.
    pub(super) fn row(&self, index: usize, facts: Facts, answers: ImageAnswers, by: Provider) -> ImageResult {
        let threshold = self.model.card().calibration.as_ref().and_then(|c| c.abstain_threshold).unwrap_or(0.0);
        let (outcome, rejected) = match answers {
            Err(failure) => (Outcome::Failed(failure), Vec::new()),
            Ok((all, rejected)) => {
                let cells = all.into_iter().map(|(number, square, answer)| CellResult {
                    number,
                    square,
                    accepted: answer.probabilities.top().1 >= threshold,
                    probabilities: answer.probabilities,
                    ood_score: answer.ood_score,
                    features: match self.features {
                        CellFeatures::None => Vec::new(),
                        CellFeatures::Sketch => sketch(&answer.features),
                        CellFeatures::All => answer.features,
                    },
                    doubt: answer.doubt,
                    flags: raised(self.model.card(), &answer.flags),
                    views: Some(answer.views),
                });
                (Outcome::Cells(cells.collect()), rejected)
            }
        };
        let ran = match &outcome {
            Outcome::Cells(cells) => !cells.is_empty() || !rejected.is_empty(),
            Outcome::Failed(failure) => matches!(failure, Failure::Model(_)),
        };
        ImageResult {
            index,
            path: self.entries[index].path.clone(),
            digest: facts.digest,
            size: facts.size,
            outcome,
            rejected,
            warnings: facts.warnings,
            provider: ran.then(|| by.as_str().into()),
        }
    }
}

/// The names of the flags that lie above their thresholds.
fn raised(card: &ModelCard, excess: &[f32]) -> Vec<Arc<str>> {
    card.flags
        .iter()
        .zip(excess)
        .filter(|(_, excess)| **excess > 0.0)
        .map(|(flag, _)| flag.label.as_str().into())
        .collect()
}

pub(super) fn failure(error: &EngineError) -> Failure {
    let reason = error.to_string();
    if error.is_models_own() { Failure::Model(reason) } else { Failure::Image(reason) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_over_one_file_is_that_files_row() {
        let dir = tempfile::tempdir().expect("temp");
        let path = dir.path().join("a.png");
        let image = imaging::draw_slide(240, 200, 1, 1).image;
        std::fs::write(&path, imaging::encode_png(&image).expect("PNG")).expect("write");
        let model = crate::workflow::default_model().expect("model");
        let entries = [Entry { path, named: true, error: None, square: None }];
        let cancel = Cancel::new();
        let context = Context {
            entries: &entries,
            model: &model,
            fails_after: None,
            cells: Cells::One,
            finder: Finder::Judged,
            cancel: &cancel,
            broken_off: Cancel::new(),
            actual: Provider::Cpu,
            batch: 1,
            features: CellFeatures::None,
            own: &OwnSquares::new(),
            views: 1,
            folders: Folders::new(model.card(), true),
        };
        let row = context.isolated(0, |_, _| panic!("a decoder stumbles")).expect("a row");
        assert!(matches!(row.outcome, Outcome::Failed(why) if why.reason().contains("others are not affected")));
    }
}
