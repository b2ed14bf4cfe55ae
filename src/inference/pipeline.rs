//! The main loop: files in, rows out, in the order of the files, in bounded memory, stoppable between any two.
//!
//! Two shapes. On a processor every worker has its own single-threaded session and does everything for its image:
//! nothing is handed over, and two cores are twice as fast as one. On a GPU the workers only prepare, and one thread
//! feeds one session with batches.
//!
//! Memory is bounded by tickets: a file is only begun when it is at most [`WINDOW`] files ahead of the last row given
//! out, so that one slow file cannot make finished rows pile up without end.

use super::engine::{Answer, Engine, EngineError, EngineReport};
use super::prepare::{Cells, OwnSquares, Prepared, Skip, prepare};
use super::provider::Provider;
use super::sketch::sketch;
use crate::domain::{CellResult, ImageResult, Outcome};
use crate::files::Entry;
use crate::model::{ModelCard, VettedModel};
use crate::task::{Cancel, Progress};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::collections::BTreeMap;
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
    /// Nothing.
    #[default]
    None,
    /// A [`sketch`] of them, for finding cells that look alike.
    Sketch,
    /// All.
    All,
}

/// How to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The provider asked for.
    pub provider: Provider,
    /// Which cells of a picture.
    pub cells: Cells,
    /// Cells per run at most; `None` is 4 on a processor and 32 on a GPU.
    pub batch: Option<usize>,
    /// Worker threads; `None` is one per core.
    pub workers: Option<usize>,
    /// What each cell's row carries of its pooled features.
    pub features: CellFeatures,
    /// Squares that a person drew or moved.
    pub own: Arc<OwnSquares>,
    /// Only for tests and measurements: a shape other than the provider's own.
    pub schedule: Option<Schedule>,
    /// Only for tests: the provider calls itself by this name, and fails after so many runs.
    pub fails_after: Option<(usize, &'static str)>,
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
    /// The engine's report.
    pub engine: EngineReport,
    /// Files found in folders that are no pictures.
    pub skipped: usize,
    /// Whether it was stopped early.
    pub cancelled: bool,
}

/// Why a run could not begin, or had to end; `E` is what the taker of the rows says.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PipelineError<E> {
    /// The model could not be loaded.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// No thread could be started.
    #[error("no worker thread could be started: {0}")]
    Threads(String),
    /// The one who takes the rows cannot take more.
    #[error("{0}")]
    Sink(E),
}

/// What workers send.
enum Done {
    Row(usize, Result<ImageResult, Skip>),
    /// The provider failed; this runs the rest.
    Switched(Box<EngineReport>),
}

/// Classifies `entries` with `model`, giving each row to `sink` in the order of the entries. `started` hears what runs,
/// before the first row, and again where a provider failed and the processor does the rest.
///
/// # Errors
/// [`PipelineError`]; a file that fails is a row instead.
pub fn run<E>(
    entries: &[Entry],
    model: &VettedModel,
    options: &Options,
    cancel: &Cancel,
    progress: &Progress,
    started: &mut dyn FnMut(&EngineReport),
    sink: &mut dyn FnMut(ImageResult) -> Result<(), E>,
) -> Result<Summary, PipelineError<E>> {
    progress.set_total(entries.len());
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let workers = options.workers.unwrap_or(cores).clamp(1, entries.len().max(1));
    let engine = Engine::load(model, options.provider, 1)?;
    let mut report = engine.report().clone();
    if let Some((_, name)) = options.fails_after {
        report.actual = name.into();
    }
    started(&report);
    let schedule =
        options.schedule.unwrap_or(if &*report.actual == "cpu" { Schedule::PerCore } else { Schedule::Batched });
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
        card: model.card(),
        cells: options.cells,
        cancel,
        actual: report.actual.clone(),
        batch,
        features: options.features,
        own: &options.own,
    };
    let (tickets, take) = bounded::<usize>(WINDOW);
    let (give, done) = bounded::<Done>(WINDOW);
    let stopped = Cancel::new();
    let mut skipped = 0;
    let mut failure = None;
    pool.in_place_scope(|scope| {
        match schedule {
            Schedule::PerCore => {
                let mut first = Some(engine);
                for _ in 0..workers {
                    let (take, give, context, stopped) = (take.clone(), give.clone(), &context, &stopped);
                    let own = first.take();
                    scope.spawn(move |_| context.per_core(own, model, &take, &give, stopped));
                }
            }
            Schedule::Batched => {
                let (hand, receive) = bounded::<(usize, Prepared)>(2 * batch);
                for _ in 0..workers {
                    let (take, give, hand, context, stopped) =
                        (take.clone(), give.clone(), hand.clone(), &context, &stopped);
                    scope.spawn(move |_| context.prepare_only(&take, &give, &hand, stopped));
                }
                let (give, context) = (give.clone(), &context);
                scope.spawn(move |_| context.batched(engine, &receive, &give));
            }
        }
        drop((take, give));
        // This thread hands out tickets and puts the rows in order.
        let mut waiting = BTreeMap::new();
        let (mut issued, mut next) = (0, 0);
        while next < entries.len() {
            while issued < entries.len()
                && issued < next + WINDOW
                && !cancel.is_cancelled()
                && tickets.try_send(issued).is_ok()
            {
                issued += 1;
            }
            if next >= issued {
                break;
            }
            let (index, row) = match done.recv() {
                Ok(Done::Row(index, row)) => (index, row),
                Ok(Done::Switched(other)) => {
                    started(&other);
                    report = *other;
                    continue;
                }
                Err(_) => break,
            };
            waiting.insert(index, row);
            while let Some(row) = waiting.remove(&next) {
                next += 1;
                progress.step();
                match row {
                    Err(Skip) => skipped += 1,
                    Ok(row) if failure.is_none() => {
                        if let Err(e) = sink(row) {
                            failure = Some(PipelineError::Sink(e));
                            stopped.cancel();
                        }
                    }
                    Ok(_) => {}
                }
            }
            if failure.is_some() {
                break;
            }
        }
        drop(tickets);
        drop(done);
    });
    match failure {
        Some(error) => Err(error),
        None => Ok(Summary { engine: report, skipped, cancelled: cancel.is_cancelled() }),
    }
}

struct Context<'a> {
    entries: &'a [Entry],
    model: &'a VettedModel,
    fails_after: Option<usize>,
    card: &'a ModelCard,
    cells: Cells,
    cancel: &'a Cancel,
    actual: Arc<str>,
    batch: usize,
    features: CellFeatures,
    own: &'a OwnSquares,
}

impl Context<'_> {
    fn per_core(
        &self,
        own: Option<Engine>,
        model: &VettedModel,
        take: &Receiver<usize>,
        give: &Sender<Done>,
        stopped: &Cancel,
    ) {
        // The first worker has the engine that was probed; the others load their own, on the same provider.
        let mut engine = own.map_or_else(|| Engine::load(model, provider_of(&self.actual), 1), Ok);
        for index in take {
            if self.cancel.is_cancelled() || stopped.is_cancelled() {
                break;
            }
            let row = self.isolated(index, |prepared| match &mut engine {
                Ok(engine) => self.classify(engine, &std::mem::take(&mut prepared.tensors)),
                Err(e) => Err(e.clone()),
            });
            if give.send(Done::Row(index, row)).is_err() {
                break;
            }
        }
    }

    /// Runs any number of cells, at most a batch at a time.
    fn classify(&self, engine: &mut Engine, tensors: &[f32]) -> Result<Vec<Answer>, EngineError> {
        let per_cell = 3 * self.card.tensor.size * self.card.tensor.size;
        let mut out = Vec::with_capacity(tensors.len() / per_cell);
        for chunk in tensors.chunks(per_cell * self.batch) {
            out.extend(engine.answers(chunk.to_vec(), chunk.len() / per_cell)?);
        }
        Ok(out)
    }

    /// Prepares and finishes one file; a panic in a decoder costs this file alone.
    fn isolated(
        &self,
        index: usize,
        finish: impl FnOnce(&mut Prepared) -> Result<Vec<Answer>, EngineError>,
    ) -> Result<ImageResult, Skip> {
        let entry = &self.entries[index];
        let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| {
            let mut prepared = prepare(entry, self.card, self.cells, self.own)?;
            let answers = if prepared.squares.is_empty() { Ok(Vec::new()) } else { finish(&mut prepared) };
            Ok(self.row(index, prepared, answers, &self.actual))
        }));
        outcome.unwrap_or_else(|_| Ok(self.internal_error(index)))
    }

    /// The row of a file over which a decoder panicked.
    fn internal_error(&self, index: usize) -> ImageResult {
        let reason = "internal error on this file; the others are not affected. Please report it";
        self.row(index, Prepared::failed(None, reason.into()), Ok(Vec::new()), &self.actual)
    }

    /// `by` is the provider that really ran.
    fn row(
        &self,
        index: usize,
        prepared: Prepared,
        answers: Result<Vec<Answer>, EngineError>,
        by: &Arc<str>,
    ) -> ImageResult {
        let ran = !prepared.squares.is_empty();
        let threshold = self.card.calibration.as_ref().and_then(|c| c.abstain_threshold).unwrap_or(0.0);
        let outcome = match (prepared.error, answers) {
            (Some(error), _) => Outcome::Failed(error),
            (None, Err(error)) => Outcome::Failed(error.to_string()),
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
                        unlike: answer.unlike,
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
            provider: ran.then(|| by.clone()),
        }
    }

    fn prepare_only(
        &self,
        take: &Receiver<usize>,
        give: &Sender<Done>,
        hand: &Sender<(usize, Prepared)>,
        stopped: &Cancel,
    ) {
        for index in take {
            if self.cancel.is_cancelled() || stopped.is_cancelled() {
                break;
            }
            let ready = std::panic::catch_unwind(AssertUnwindSafe(|| {
                prepare(&self.entries[index], self.card, self.cells, self.own)
            }));
            let sent = match ready {
                Ok(Err(Skip)) => give.send(Done::Row(index, Err(Skip))).is_ok(),
                Ok(Ok(prepared)) if prepared.squares.is_empty() => {
                    give.send(Done::Row(index, Ok(self.row(index, prepared, Ok(Vec::new()), &self.actual)))).is_ok()
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
    fn batched(&self, mut engine: Engine, receive: &Receiver<(usize, Prepared)>, give: &Sender<Done>) {
        let mut by = self.actual.clone();
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
                Err(EngineError::Run("injected failure".into()))
            } else {
                self.classify(&mut engine, &all)
            };
            // A driver that is reset, a card without memory: the rest goes on on the processor, and it is said.
            if let (Err(why), false) = (&results, switched)
                && (&*by != "cpu" || injected)
                && let Ok(mut cpu) = Engine::load(self.model, Provider::Cpu, 1)
            {
                cpu.took_over(&by, done, &why.to_string());
                switched = true;
                by = cpu.report().actual.clone();
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
                if give.send(Done::Row(index, Ok(self.row(index, prepared, own, &by)))).is_err() {
                    return;
                }
            }
        }
    }
}

fn provider_of(actual: &str) -> Provider {
    actual.parse().unwrap_or(Provider::Cpu)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_over_one_file_is_that_files_row() {
        let dir = tempfile::tempdir().expect("temp");
        let path = dir.path().join("a.png");
        let picture = crate::imaging::draw_slide(240, 200, 1, 1).picture;
        std::fs::write(&path, crate::imaging::encode_png(&picture).expect("PNG")).expect("write");
        let model = crate::workflow::default_model().expect("model");
        let entries = [Entry { path, named: true, error: None, square: None }];
        let cancel = Cancel::new();
        let context = Context {
            entries: &entries,
            model: &model,
            fails_after: None,
            card: model.card(),
            cells: Cells::One,
            cancel: &cancel,
            actual: "cpu".into(),
            batch: 1,
            features: CellFeatures::None,
            own: &OwnSquares::new(),
        };
        let row = context.isolated(0, |_| panic!("a decoder stumbles")).expect("a row");
        assert!(matches!(row.outcome, Outcome::Failed(reason) if reason.contains("others are not affected")));
    }
}
