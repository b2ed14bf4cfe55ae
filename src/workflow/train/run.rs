//! A training run from Start to the finished model file: activations, loop, checkpoints; what came out is verified and written by
//! [`super::verify`].

use super::plan::PreparedDataset;
use super::request::{HeldOutResult, TrainOptions};
use super::verify::verify_and_write;
use crate::dataset::{CutCell, Part};
use crate::domain::{Digest, EpochRow};
use crate::files::{
    Content, create_folder, digest_of, display_path, may_replace, memory_available, not_an_input, probe_output,
    read_bounded, remove_file, write_atomic,
};
use crate::metrics::Scores;
use crate::model::Network;
use crate::task::{Cancel, Hold, Monitor, cores};
use crate::training::{
    Activations, CellSource, Checkpoint, Control, CpuEngine, GradientEngine, Net, Observer, RecipeKind, Scaling,
    Source, StepMetrics, Stop, TrainState, Trainer, TrainingDevice, fitting_batch, gpu_engine,
};
use crate::workflow::{Phase, UserError};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Seconds between two checkpoints within an epoch.
const SAVE_EVERY: f64 = 30.0;
/// An epoch that ends sooner than this after the last checkpoint is not saved by itself: small ones take milliseconds.
const SAVE_AT_MOST: f64 = 1.0;
/// A checkpoint of this size at most is read.
const MAX_CHECKPOINT: u64 = 2 << 30;
/// What is told while it runs.
#[derive(Debug, Clone, PartialEq)]
pub enum TrainProgress {
    /// What happens now.
    Phase(Phase),
    /// Training goes on where a checkpoint left it: rows so far.
    Resumed(Vec<EpochRow>),
    /// A step.
    Step(StepMetrics),
    /// An epoch; whether it is the best so far.
    Epoch(EpochRow, bool),
    /// Something to know.
    Note(String),
}

/// What came out.
#[derive(Debug, Clone)]
pub struct TrainOutcome {
    /// Why it ended.
    pub stop: Stop,
    /// Rows of the history.
    pub history: Vec<EpochRow>,
    /// The kept epoch.
    pub best_epoch: usize,
    /// The model's file and digest; none where it was stopped before the first epoch ended.
    pub model: Option<(PathBuf, Digest)>,
    /// Digest of the trained numbers: the same run gives the same one.
    pub weights: Digest,
    /// Scores on the validation part.
    pub validation: Option<Scores>,
    /// Scores on the test part, where there is one.
    pub held_out: Option<HeldOutResult>,
    /// Largest difference between the trainer's and ONNX Runtime's probabilities on the validation part.
    pub difference: f32,
    /// Labels of the model.
    pub labels: Vec<String>,
}

/// A file beside the model, named after it: `NAME.history.csv`, `NAME.report.json`. A second model in the same folder has its own.
pub(super) fn side_file(out: &Path, ending: &str) -> PathBuf {
    let mut name = out.file_stem().map(ToOwned::to_owned).unwrap_or_default();
    name.push(".");
    name.push(ending);
    out.with_file_name(name)
}

pub(super) fn checkpoint_of(out: &Path) -> PathBuf {
    let mut name = out.file_name().map(ToOwned::to_owned).unwrap_or_default();
    name.push(".checkpoint");
    out.with_file_name(name)
}

/// How a run is watched.
pub type TrainMonitor<'a> = Monitor<'a, TrainProgress>;

/// Trains what was prepared; `hold` pauses it.
///
/// # Errors
/// What is wrong and what to do about it, in words. What was reached before is in the checkpoint.
pub fn train(
    prepared: &PreparedDataset,
    options: &TrainOptions,
    hold: &Hold,
    monitor: &mut TrainMonitor<'_>,
) -> Result<TrainOutcome, UserError> {
    prepared.ready()?;
    check_outputs(&options.out)?;
    let run = Run::new(prepared, options)?;
    let cells = run.cells();
    let activations;
    let inputs: &dyn Source = if run.first == 0 {
        &cells
    } else {
        match run.activations(&cells, monitor)? {
            Some(computed) => activations = computed,
            None => return Ok(run.outcome(Stop::Cancelled, &TrainState::default(), &run.values)),
        }
        &activations
    };
    let device = run.device()?;
    let trained_on = device.as_ref().map(|d| d.name().to_owned());
    let engine = CpuEngine::new(run.net.clone(), run.first, options.threads).map_err(UserError::new)?;
    let (examples, validation) = (run.examples(Part::Train), run.examples(Part::Validation));
    let recipe = options.recipe.clone();
    let mut trainer =
        Trainer::new(engine, run.first, run.values.clone(), recipe, inputs, examples, validation).on(device);
    let place = checkpoint_of(&options.out);
    let identity = run.identity();
    if options.fresh {
        forget_checkpoint(&place)?;
    } else {
        resume(&mut trainer, &place, &identity, monitor)?;
    }
    monitor.event(TrainProgress::Phase(match &trained_on {
        None => Phase::TrainingOnProcessor { threads: run.threads },
        Some(gpu) => Phase::TrainingOn(gpu.clone()),
    }));
    let mut watch = Watch {
        place: &place,
        identity: &identity,
        cancel: monitor.cancel,
        hold,
        on_event: &mut *monitor.on_event,
        saved: Instant::now(),
        begun: false,
        told_full: false,
    };
    let stop = trainer.run(&mut watch).map_err(UserError::new)?;
    let weights = trainer.kept();
    let mut outcome = run.outcome(stop, trainer.state(), &weights);
    if outcome.best_epoch == 0 {
        return match &outcome.stop {
            Stop::Diverged(why) => Err(UserError::new(why.clone())),
            _ => Ok(outcome),
        };
    }
    verify_and_write(&run, &trainer, inputs, &weights, trained_on.as_deref(), &mut outcome, monitor)?;
    if outcome.stop != Stop::Cancelled {
        // Best effort: a checkpoint that stays is only a file too many.
        let _ = remove_file(&place);
    }
    Ok(outcome)
}

/// Before hours of work: can the result be written at all?
fn check_outputs(out: &Path) -> Result<(), UserError> {
    let folder = out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    create_folder(folder)
        .and_then(|()| may_replace(&side_file(out, "history.csv"), Content::of(b"epoch,train_loss,")))
        .and_then(|()| may_replace(&side_file(out, "report.json"), Content::Json))
        .and_then(|()| probe_output(out, Content::Model))
        .map_err(|e| UserError::new(format!("{} cannot be written: {e}", display_path(out))))
}

/// What is trained from where.
pub(super) struct Run<'a> {
    pub(super) prepared: &'a PreparedDataset,
    pub(super) options: &'a TrainOptions,
    pub(super) network: Network,
    /// Weights before training.
    values: Vec<f32>,
    /// Layers before this one are frozen.
    pub(super) first: usize,
    pub(super) net: Net,
    threads: usize,
    cuts: Vec<CutCell>,
}

impl<'a> Run<'a> {
    fn new(prepared: &'a PreparedDataset, options: &'a TrainOptions) -> Result<Self, UserError> {
        let recipe = &options.recipe;
        let new_head = recipe.kind == RecipeKind::Head;
        let (network, values) = prepared.start.with_head(&prepared.labels, new_head, recipe.seed);
        let first = match recipe.kind {
            RecipeKind::Head => network.layers.len(),
            RecipeKind::Full => 0,
            RecipeKind::Blocks(k) => {
                let starts = network.block_starts();
                starts[starts.len().saturating_sub(k.max(1))]
            }
        };
        let net = Net::new(&network, prepared.start.spec.size);
        let threads = if options.threads == 0 { cores() } else { options.threads };
        fitting_batch(&net, first, recipe.batch, threads, memory_available()).map_err(|fits| {
            UserError::new(format!(
                "a batch of {} images needs more memory than this machine has free; {fits} images fit (--batch {fits})",
                recipe.batch
            ))
        })?;
        let cuts = prepared.cells.iter().map(|c| c.cut).collect();
        Ok(Self { prepared, options, network, values, first, net, threads, cuts })
    }

    /// Cells of a part and their classes.
    pub(super) fn examples(&self, part: Part) -> Vec<(usize, usize)> {
        let cells = self.prepared.cells.iter().enumerate();
        cells.filter(|(_, c)| c.part == Some(part)).map(|(i, c)| (i, c.class)).collect()
    }

    fn cells(&self) -> CellSource<'_> {
        CellSource {
            cache: &self.prepared.cache,
            cells: &self.cuts,
            scaling: Scaling::of(&self.prepared.start.spec),
            augmentation: self.options.recipe.augmentation,
        }
    }

    /// What the frozen layers make of the cells. `None` when cancelled.
    fn activations(
        &self,
        cells: &CellSource<'_>,
        monitor: &mut TrainMonitor<'_>,
    ) -> Result<Option<Activations>, UserError> {
        monitor.event(TrainProgress::Phase(Phase::FrozenLayers));
        let engine = CpuEngine::new(self.net.clone(), 0, self.options.threads).map_err(UserError::new)?;
        let recipe = &self.options.recipe;
        // Only training sees changed copies; the test part is not touched before the end, and then as images.
        let views = |part| match part {
            Some(Part::Train) => recipe.views.max(1),
            Some(Part::Validation) => 1,
            Some(Part::Test) | None => 0,
        };
        let views: Vec<usize> = self.prepared.cells.iter().map(|c| views(c.part)).collect();
        Activations::compute(
            &engine,
            &self.values,
            self.first,
            cells,
            (&views, recipe.seed),
            self.prepared.request.cache.as_deref(),
            monitor.cancel,
            monitor.progress,
        )
        .map_err(UserError::new)
    }

    /// The graphics card that computes the gradients; none on the processor.
    fn device(&self) -> Result<Option<Box<dyn GradientEngine>>, UserError> {
        match self.options.device {
            TrainingDevice::Cpu => Ok(None),
            TrainingDevice::Gpu => gpu_engine(&self.net, self.first, true).map(Some).map_err(UserError::new),
            TrainingDevice::Auto => Ok(gpu_engine(&self.net, self.first, false).ok()),
        }
    }

    /// What a run came to before its model is verified and written.
    fn outcome(&self, stop: Stop, state: &TrainState, weights: &[f32]) -> TrainOutcome {
        TrainOutcome {
            stop,
            history: state.history.clone(),
            best_epoch: state.best_epoch,
            model: None,
            weights: digest_of(&weights.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>()),
            validation: None,
            held_out: None,
            difference: 0.0,
            labels: self.prepared.labels.labels().to_vec(),
        }
    }

    /// What a checkpoint belongs to, line by line.
    fn identity(&self) -> String {
        let p = self.prepared;
        format!(
            "data {}\nsplit {}\nlabels {}\nstart {}\nimage {}\nfirst layer {}\nrecipe {}",
            p.data_digest,
            p.split_digest,
            p.labels.labels().join(","),
            p.start.digest,
            p.cache.view().name(),
            self.first,
            self.options.recipe.identity()
        )
    }
}

/// Takes away a checkpoint; whatever else lies under that name is not ours to remove.
fn forget_checkpoint(place: &Path) -> Result<(), UserError> {
    let head = crate::files::head(place, 64).unwrap_or_default();
    if !head.is_empty() && !Checkpoint::begins(&head) {
        return Err(UserError::new(format!(
            "{} is no checkpoint of this program and stays as it is; give the model another name",
            display_path(place)
        )));
    }
    remove_file(place).map_err(|e| UserError::new(format!("{} cannot be removed: {e}", display_path(place))))
}

/// Goes on where a checkpoint of the same run stands, if there is one.
fn resume(
    trainer: &mut Trainer<'_>,
    place: &Path,
    identity: &str,
    monitor: &mut TrainMonitor<'_>,
) -> Result<(), UserError> {
    let Ok(snapshot) = read_bounded(place, MAX_CHECKPOINT) else { return Ok(()) };
    // Its own file, which goes on being written.
    not_an_input(place);
    let read = Checkpoint::from_bytes(&snapshot.bytes, identity).map_err(|e| {
        let other = "(on the command line: --fresh), or give the model another name";
        UserError::new(format!("{}: {e} {other}", display_path(place)))
    })?;
    trainer.resume(read.state).map_err(UserError::new)?;
    let state = trainer.state();
    let (epoch, step) = (state.epoch + 1, state.step + 1);
    monitor.event(TrainProgress::Note(format!("going on where the checkpoint stands: epoch {epoch}, step {step}")));
    monitor.event(TrainProgress::Resumed(state.history.clone()));
    Ok(())
}

struct Watch<'a> {
    place: &'a Path,
    identity: &'a str,
    cancel: &'a Cancel,
    hold: &'a Hold,
    on_event: &'a mut dyn FnMut(TrainProgress),
    saved: Instant,
    /// Whether there is a checkpoint of this run.
    begun: bool,
    told_full: bool,
}

impl Observer for Watch<'_> {
    fn step(&mut self, news: &StepMetrics) -> Control {
        (self.on_event)(TrainProgress::Step(*news));
        self.hold.wait(self.cancel);
        if self.cancel.is_cancelled() {
            Control::Stop
        } else if self.saved.elapsed().as_secs_f64() > SAVE_EVERY {
            Control::Checkpoint
        } else {
            Control::Continue
        }
    }

    fn epoch(&mut self, row: &EpochRow, best: bool) {
        (self.on_event)(TrainProgress::Epoch(*row, best));
    }

    /// A disk that is full costs the checkpoint, not the training.
    fn save(&mut self, state: &TrainState) -> Result<(), String> {
        let soon = self.begun && self.saved.elapsed().as_secs_f64() < SAVE_AT_MOST;
        if soon && !self.cancel.is_cancelled() {
            return Ok(());
        }
        self.begun = true;
        let bytes = Checkpoint { identity: self.identity.to_owned(), state: state.clone() }.to_bytes();
        self.saved = Instant::now();
        match write_atomic(self.place, &bytes) {
            Ok(()) => self.told_full = false,
            Err(e) if !self.told_full => {
                self.told_full = true;
                (self.on_event)(TrainProgress::Note(format!(
                    "the checkpoint {} cannot be written: {e}. Training goes on, but could not be resumed; make room",
                    display_path(self.place)
                )));
            }
            Err(_) => {}
        }
        Ok(())
    }
}
