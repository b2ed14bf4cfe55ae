//! The main loop: files in, rows out, in the order of the files, in bounded memory, stoppable between any two.
//!
//! Two shapes. On a processor every worker has its own single-threaded session and does everything for its image:
//! nothing is handed over, and two cores are twice as fast as one. On a GPU the workers only prepare, and one thread
//! feeds one session with batches.
//!
//! Memory is bounded by tickets: a file is only begun when it is at most [`WINDOW`] files ahead of the last row given
//! out, so that one slow file cannot make finished rows pile up without end.

use super::engine::{Engine, EngineError, EngineReport, Prediction};
use super::prepare::{OwnSquares, PreparedImage, Skip, prepare};
use super::provider::Provider;
use super::sketch::sketch;
use crate::domain::{CellResult, Failure, ImageResult, Outcome};
use crate::files::Entry;
use crate::imaging::Cells;
use crate::model::VettedModel;
use crate::task::{Cancel, Monitor, cores};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

/// How many files may be begun before the first of them has its row.
const WINDOW: usize = 1024;

/// Who does what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// A session a worker: processors.
    PerCore,
    /// One session fed with batches: GPUs.
    Batched,
}

/// What a cell's row carries of its pooled features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CellFeatures {
    #[default]
    None,
    /// A [`sketch`] of them, for finding cells that look alike.
    Sketch,
    All,
}

/// How to run.
#[derive(Debug, Clone)]
pub struct Options {
    pub provider: Provider,
    /// Which cells of an image.
    pub cells: Cells,
    /// Cells per run at most; `None` is 4 on a processor and 32 on a GPU.
    pub batch: Option<usize>,
    /// Worker threads; `None` is one per core.
    pub workers: Option<usize>,
    /// What each cell's row carries of its pooled features.
    pub features: CellFeatures,
    /// Squares that the user drew or moved.
    pub own: Arc<OwnSquares>,
    /// Only for tests and measurements: a shape other than the provider's own.
    pub schedule: Option<Schedule>,
    /// Only for tests: the provider passes for this one, and fails after this many runs.
    pub fails_after: Option<(usize, Provider)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            provider: Provider::Auto,
            cells: Cells::One,
            batch: None,
            workers: None,
            features: CellFeatures::None,
            own: Arc::default(),
            schedule: None,
            fails_after: None,
        }
    }
}

/// What the run as a whole did.
#[derive(Debug, Clone)]
pub struct Summary {
    pub engine: EngineReport,
    /// Files found in folders that are no images.
    pub skipped: usize,
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
enum Done {
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
        cancel: monitor.cancel,
        broken_off: Cancel::new(),
        actual: report.actual,
        batch,
        features: options.features,
        own: &options.own,
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
        cancelled: monitor.is_cancelled(),
    })
}

struct Context<'a> {
    entries: &'a [Entry],
    model: &'a VettedModel,
    fails_after: Option<usize>,
    cells: Cells,
    cancel: &'a Cancel,
    /// Set where the listener broke off: workers end, and their rows are dropped.
    broken_off: Cancel,
    actual: Provider,
    batch: usize,
    features: CellFeatures,
    own: &'a OwnSquares,
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
                let (hand, receive) = bounded::<(usize, PreparedImage)>(2 * self.batch);
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

    fn stopped(&self) -> bool {
        self.cancel.is_cancelled() || self.broken_off.is_cancelled()
    }

    fn per_core(&self, own: Option<Engine>, take: &Receiver<usize>, give: &Sender<Done>) {
        // The first worker has the engine that was probed; the others load their own, on the same provider.
        let mut engine = own.map_or_else(|| Engine::load(self.model, self.actual, 1), Ok);
        for index in take {
            if self.stopped() {
                break;
            }
            let row = self.isolated(index, |prepared| match &mut engine {
                Ok(engine) => self.classify(engine, &std::mem::take(&mut prepared.tensors)),
                Err(e) => Err(failure(e)),
            });
            if give.send(Done::Row(index, row)).is_err() {
                break;
            }
        }
    }

    /// Runs any number of cells, at most a batch at a time.
    fn classify(&self, engine: &mut Engine, tensors: &[f32]) -> Result<Vec<Prediction>, Failure> {
        let per_cell = 3 * self.model.card().tensor.size * self.model.card().tensor.size;
        let mut out = Vec::with_capacity(tensors.len() / per_cell);
        for chunk in tensors.chunks(per_cell * self.batch) {
            out.extend(engine.predict(chunk.to_vec(), chunk.len() / per_cell).map_err(|e| failure(&e))?);
        }
        Ok(out)
    }

    /// Prepares and finishes one file; a panic in a decoder costs this file alone.
    fn isolated(
        &self,
        index: usize,
        finish: impl FnOnce(&mut PreparedImage) -> Result<Vec<Prediction>, Failure>,
    ) -> Result<ImageResult, Skip> {
        let entry = &self.entries[index];
        let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| {
            let mut prepared = prepare(entry, self.model.card(), self.cells, self.own)?;
            let answers = if prepared.squares.is_empty() { Ok(Vec::new()) } else { finish(&mut prepared) };
            Ok(self.row(index, prepared, answers, self.actual))
        }));
        outcome.unwrap_or_else(|_| Ok(self.internal_error(index)))
    }

    /// The row of a file over which a decoder panicked.
    fn internal_error(&self, index: usize) -> ImageResult {
        let reason = "internal error on this file; the others are not affected. Please report it";
        self.row(index, PreparedImage::failed(None, reason.into()), Ok(Vec::new()), self.actual)
    }

    /// `by` is the provider that really ran.
    fn row(
        &self,
        index: usize,
        prepared: PreparedImage,
        answers: Result<Vec<Prediction>, Failure>,
        by: Provider,
    ) -> ImageResult {
        let ran = !prepared.squares.is_empty();
        let threshold = self.model.card().calibration.as_ref().and_then(|c| c.abstain_threshold).unwrap_or(0.0);
        let outcome = match (prepared.error, answers) {
            (Some(error), _) => Outcome::Failed(Failure::Image(error)),
            (None, Err(failure)) => Outcome::Failed(failure),
            (None, Ok(all)) => Outcome::Cells(
                prepared
                    .squares
                    .into_iter()
                    .zip(all)
                    .map(|((number, square), answer)| CellResult {
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
                    })
                    .collect(),
            ),
        };
        ImageResult {
            index,
            path: self.entries[index].path.clone(),
            digest: prepared.digest,
            size: prepared.size,
            outcome,
            warnings: prepared.warnings,
            provider: ran.then(|| by.as_str().into()),
        }
    }

    fn prepare_only(&self, take: &Receiver<usize>, give: &Sender<Done>, hand: &Sender<(usize, PreparedImage)>) {
        for index in take {
            if self.stopped() {
                break;
            }
            let ready = std::panic::catch_unwind(AssertUnwindSafe(|| {
                prepare(&self.entries[index], self.model.card(), self.cells, self.own)
            }));
            let sent = match ready {
                Ok(Err(Skip)) => give.send(Done::Row(index, Err(Skip))).is_ok(),
                Ok(Ok(prepared)) if prepared.squares.is_empty() => {
                    give.send(Done::Row(index, Ok(self.row(index, prepared, Ok(Vec::new()), self.actual)))).is_ok()
                }
                Ok(Ok(prepared)) => hand.send((index, prepared)).is_ok(),
                Err(_) => give.send(Done::Row(index, Ok(self.internal_error(index)))).is_ok(),
            };
            if !sent {
                break;
            }
        }
    }

    /// Takes what is ready, up to a batch, and runs it in one go.
    fn batched(&self, mut engine: Engine, receive: &Receiver<(usize, PreparedImage)>, give: &Sender<Done>) {
        let mut by = self.actual;
        let (mut runs, mut done, mut switched) = (0, 0, false);
        while let Ok(first) = receive.recv() {
            let mut group = vec![first];
            let mut cells = group[0].1.squares.len();
            while cells < self.batch {
                let Ok(more) = receive.try_recv() else { break };
                cells += more.1.squares.len();
                group.push(more);
            }
            let all: Vec<f32> = group.iter_mut().flat_map(|(_, p)| std::mem::take(&mut p.tensors)).collect();
            let injected = !switched && self.fails_after.is_some_and(|n| runs >= n);
            runs += 1;
            let mut results = if injected {
                Err(Failure::Image("injected failure".into()))
            } else {
                self.classify(&mut engine, &all)
            };
            // A driver that is reset, a card without memory: the rest goes on on the processor, and it is said.
            if let (Err(why), false) = (&results, switched)
                && (by != Provider::Cpu || injected)
                && let Ok(mut cpu) = Engine::load(self.model, Provider::Cpu, 1)
            {
                cpu.took_over(by, done, why.reason());
                switched = true;
                by = cpu.report().actual;
                if give.send(Done::Switched(Box::new(cpu.report().clone()))).is_err() {
                    return;
                }
                results = self.classify(&mut cpu, &all);
                engine = cpu;
            }
            done += group.len();
            let mut results = results.map(Vec::into_iter);
            for (index, prepared) in group {
                let n = prepared.squares.len();
                let own = match &mut results {
                    Ok(all) => Ok(all.by_ref().take(n).collect()),
                    Err(e) => Err(e.clone()),
                };
                if give.send(Done::Row(index, Ok(self.row(index, prepared, own, by)))).is_err() {
                    return;
                }
            }
        }
    }
}

fn failure(error: &EngineError) -> Failure {
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
        let image = crate::imaging::draw_slide(240, 200, 1, 1).image;
        std::fs::write(&path, crate::imaging::encode_png(&image).expect("PNG")).expect("write");
        let model = crate::workflow::default_model().expect("model");
        let entries = [Entry { path, named: true, error: None, square: None }];
        let cancel = Cancel::new();
        let context = Context {
            entries: &entries,
            model: &model,
            fails_after: None,
            cells: Cells::One,
            cancel: &cancel,
            broken_off: Cancel::new(),
            actual: Provider::Cpu,
            batch: 1,
            features: CellFeatures::None,
            own: &OwnSquares::new(),
        };
        let row = context.isolated(0, |_| panic!("a decoder stumbles")).expect("a row");
        assert!(matches!(row.outcome, Outcome::Failed(why) if why.reason().contains("others are not affected")));
    }
}
