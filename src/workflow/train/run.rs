//! A training run from Start to the finished model file: activations, loop, checkpoints; what came out is verified and written by
//! [`super::verify`].

use super::outcome::{TrainMonitor, TrainOutcome, TrainProgress, checkpoint_of_run, side_file};
use super::plan::PreparedDataset;
use super::request::TrainOptions;
use super::setup::{Run, weights_digest};
use super::unchanged::with_other_flags;
use super::verify::verify_and_write;
use crate::dataset::SplitPart;
use crate::domain::EpochRow;
use crate::files::{
    Content, create_folder, display_path, may_replace, not_an_input, probe_output, read_bounded, remove_file,
    write_atomic,
};
use crate::task::{Cancel, Pause};
use crate::training::{
    Checkpoint, Control, CpuEngine, Observer, Recipe, StepMetrics, Stop, TensorSource, TrainState, Trainer,
};
use crate::workflow::output::unwritten;
use crate::workflow::{Phase, UserError};
use std::path::Path;
use std::time::Instant;

/// Seconds between two checkpoints within an epoch.
const SAVE_EVERY: f64 = 30.0;
/// An epoch that ends sooner than this after the last checkpoint is not saved by itself: small ones take milliseconds.
const SAVE_AT_MOST: f64 = 1.0;
/// A checkpoint of this size at most is read.
const MAX_CHECKPOINT: u64 = 2 << 30;
/// Trains what was prepared; `hold` pauses it.
///
/// # Errors
/// What is wrong and what to do about it, in words. What was reached before is in the checkpoint.
pub fn train(
    prepared: &PreparedDataset,
    options: &TrainOptions,
    pause: &Pause,
    monitor: &mut TrainMonitor<'_>,
) -> Result<TrainOutcome, UserError> {
    prepared.ready()?;
    check_outputs(&options.out)?;
    let run = Run::new(prepared, options)?;
    if options.runs > 1 && prepared.start.labels.as_ref() != Some(&prepared.labels) {
        return Err(UserError::new(
            "the mean of several runs needs a starting model of the same classes in the same order: train one first, and go on from it with --init",
        ));
    }
    if options.recipe.epochs == 0 {
        return with_other_flags(&run, monitor);
    }
    let cells = run.cells();
    let activations;
    let inputs: &dyn TensorSource = if run.first == 0 {
        &cells
    } else {
        match run.activations(&cells, monitor)? {
            Some(computed) => activations = computed,
            None => return Ok(run.outcome(Stop::Cancelled, &TrainState::default(), &run.values)),
        }
        &activations
    };
    let mut runs = Runs {
        run: &run,
        inputs,
        pause,
        trained_on: None,
        engine: None,
        weights: Vec::new(),
        history: Vec::new(),
        kept: 0,
    };
    let mut outcome = loop {
        let outcome = runs.next(monitor)?;
        if runs.weights.len() == options.runs.max(1) || outcome.stop == Stop::Cancelled {
            break outcome;
        }
    };
    if outcome.best_epoch == 0 {
        return match &outcome.stop {
            Stop::Diverged(why) => Err(UserError::new(why.clone())),
            _ => Ok(outcome),
        };
    }
    let Runs { engine: Some(engine), weights, trained_on, .. } = runs else { return Ok(outcome) };
    let weights = mean(&weights);
    outcome.weights = weights_digest(&weights);
    verify_and_write(&run, &engine, inputs, &weights, trained_on.as_deref(), &mut outcome, monitor)?;
    if outcome.stop != Stop::Cancelled {
        for number in 1..=options.runs.max(1) {
            // Best effort: a checkpoint that stays is only a file too many.
            let _ = remove_file(&checkpoint_of_run(&options.out, number));
        }
    }
    Ok(outcome)
}

/// Runs of one recipe from the same starting model, each drawn by a seed of its own: the mean of their weights holds better elsewhere than
/// each of them (Wortsman et al. 2022, "Model soups").
struct Runs<'a> {
    run: &'a Run<'a>,
    inputs: &'a dyn TensorSource,
    pause: &'a Pause,
    trained_on: Option<String>,
    engine: Option<CpuEngine>,
    /// What each run came to.
    weights: Vec<Vec<f32>>,
    /// Epochs of all of them, one run after the other.
    history: Vec<EpochRow>,
    /// The last epoch among them that was kept; 0 before the first.
    kept: usize,
}

impl Runs<'_> {
    /// The next run, to its end or until it is stopped; what all of them came to so far.
    fn next(&mut self, monitor: &mut TrainMonitor<'_>) -> Result<TrainOutcome, UserError> {
        let (run, options) = (self.run, self.run.options);
        let number = self.weights.len() + 1;
        let seed = options.recipe.seed.wrapping_add(self.weights.len() as u64);
        let recipe = Recipe { seed, ..options.recipe.clone() };
        let device = run.device()?;
        self.trained_on = device.as_ref().map(|d| d.name().to_owned());
        let engine = CpuEngine::new(run.net.clone(), run.first, options.threads)?;
        let (examples, validation) = (run.examples(SplitPart::Train), run.examples(SplitPart::Validation));
        let identity = run.identity(&recipe);
        let mut trainer =
            Trainer::new(engine, run.first, run.values.clone(), recipe, self.inputs, examples, validation)
                .from_sources(run.sources())
                .on(device);
        let place = checkpoint_of_run(&options.out, number);
        if options.fresh {
            forget_checkpoint(&place)?;
        } else {
            resume(&mut trainer, &place, &identity, monitor)?;
        }
        if options.runs > 1 {
            monitor.event(TrainProgress::Note(format!("run {number} of {}, seed {seed}", options.runs)));
        }
        monitor.event(TrainProgress::Phase(match &self.trained_on {
            None => Phase::TrainingOnProcessor { threads: run.threads },
            Some(gpu) => Phase::TrainingOn(gpu.clone()),
        }));
        let mut watch = RunObserver {
            place: &place,
            identity: &identity,
            cancel: monitor.cancel,
            pause: self.pause,
            on_event: &mut *monitor.on_event,
            saved: Instant::now(),
            begun: false,
            told_full: false,
            before: (self.weights.len(), self.history.len()),
            runs: options.runs.max(1),
        };
        let stop = trainer.run(&mut watch)?;
        let before = self.history.len();
        let rows = trainer.state().history.iter().map(|row| EpochRow { epoch: row.epoch + before, ..*row });
        self.history.extend(rows);
        let mut outcome = run.outcome(stop, trainer.state(), &trainer.kept());
        // A run that was stopped before its first epoch ended adds nothing to those before it.
        if outcome.best_epoch > 0 || self.weights.is_empty() {
            self.weights.push(trainer.kept());
        }
        self.kept = if outcome.best_epoch > 0 { outcome.best_epoch + before } else { self.kept };
        outcome.best_epoch = self.kept;
        outcome.history = self.history.clone();
        self.engine = Some(trainer.into_engine());
        Ok(outcome)
    }
}

/// The mean of the runs' weights.
fn mean(runs: &[Vec<f32>]) -> Vec<f32> {
    let mut mean = runs.first().cloned().unwrap_or_default();
    for (done, weights) in (1u16..).zip(&runs[1.min(runs.len())..]) {
        // A running mean: sums of many weights would lose digits.
        let share = 1.0 / (f32::from(done) + 1.0);
        mean.iter_mut().zip(weights).for_each(|(m, w)| *m += (w - *m) * share);
    }
    mean
}

/// Before hours of work: can the result be written at all?
pub(super) fn check_outputs(out: &Path) -> Result<(), UserError> {
    let folder = out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    create_folder(folder)
        .and_then(|()| may_replace(&side_file(out, "history.csv"), Content::sniff(b"epoch,train_loss,")))
        .and_then(|()| may_replace(&side_file(out, "report.json"), Content::Json))
        .and_then(|()| probe_output(out, Content::Model))
        .map_err(|e| unwritten(out, &e))
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
    trainer.resume(read.state)?;
    let state = trainer.state();
    let (epoch, step) = (state.epoch + 1, state.step + 1);
    monitor.event(TrainProgress::Note(format!("going on where the checkpoint stands: epoch {epoch}, step {step}")));
    monitor.event(TrainProgress::Resumed(state.history.clone()));
    Ok(())
}

struct RunObserver<'a> {
    place: &'a Path,
    identity: &'a str,
    cancel: &'a Cancel,
    pause: &'a Pause,
    on_event: &'a mut dyn FnMut(TrainProgress),
    saved: Instant,
    /// Whether there is a checkpoint of this run.
    begun: bool,
    told_full: bool,
    /// Runs before this one, and their epochs.
    before: (usize, usize),
    runs: usize,
}

impl Observer for RunObserver<'_> {
    fn step(&mut self, news: &StepMetrics) -> Control {
        let (runs, epochs) = self.before;
        (self.on_event)(TrainProgress::Step(StepMetrics {
            epoch: news.epoch + epochs,
            step: news.step + runs * news.steps,
            steps: news.steps * self.runs,
            ..*news
        }));
        self.pause.wait(self.cancel);
        if self.cancel.is_cancelled() {
            Control::Stop
        } else if self.saved.elapsed().as_secs_f64() > SAVE_EVERY {
            Control::Checkpoint
        } else {
            Control::Continue
        }
    }

    fn epoch(&mut self, row: &EpochRow, best: bool) {
        let row = EpochRow { epoch: row.epoch + self.before.1, ..*row };
        (self.on_event)(TrainProgress::Epoch(row, best));
    }

    /// A disk that is full costs the checkpoint, not the training.
    fn save(&mut self, state: &TrainState) {
        let soon = self.begun && self.saved.elapsed().as_secs_f64() < SAVE_AT_MOST;
        if soon && !self.cancel.is_cancelled() {
            return;
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
    }
}
