//! A training run from Start to the finished model file: activations, loop, checkpoints, verification, held-out result.

use super::super::UserError;
use super::manifest::Facts;
use super::plan::{Prepared, likeness};
use super::request::{Current, Held, TrainOptions};
use crate::dataset::{CellCache, CellState, CutCell, Part, PerceptualHash, View};
use crate::domain::{Digest, EpochRow, Probabilities, TensorSpec, same_label};
use crate::files::{
    Content, create_folder, digest_of, display_path, may_replace, memory_available, not_an_input, probe_output,
    read_bounded, remove_file, write_atomic,
};
use crate::imaging;
use crate::inference::{Answer, Engine, Provider, self_test_tensor};
use crate::metrics::{Scores, wilson};
use crate::model::{HASH_BYTES, OodDetector, SelfTest, TrainingRecord, VettedModel, vet, write_network};
use crate::report::history_csv;
use crate::task::{Cancel, Hold, Progress};
use crate::training::{
    Activations, CellSource, Checkpoint, Control, CpuEngine, Net, Observer, RecipeKind, Scaling, Source, StepMetrics,
    Stop, TrainState, Trainer, TrainingDevice, fit_ood_detector, fitting_batch, gpu_engine, logits_of,
    with_calibrated_threshold,
};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Seconds between two checkpoints within an epoch.
const SAVE_EVERY: f64 = 30.0;
/// An epoch that ends sooner than this after the last checkpoint is not saved by itself: small ones take milliseconds.
const SAVE_AT_MOST: f64 = 1.0;
/// A checkpoint of this size at most is read.
const MAX_CHECKPOINT: u64 = 2 << 30;
/// Largest difference between the trainer's and ONNX Runtime's probabilities.
const AGREEMENT: f32 = 1e-4;
/// Training cells at most that it is learnt from what training images look like. Of 1,000, 1,500, 4,000 and 8,700 the last
/// told cells of unknown kinds by 0.01 of AUROC better than the first.
const FAMILIAR: usize = 1500;
/// Tolerance of the self-test's probabilities: other providers compute a little differently.
const SELF_TEST_TOLERANCE: f32 = 2e-3;

/// How a run is stopped and held.
#[derive(Debug, Clone, Default)]
pub struct TrainControl {
    /// Stops; the best so far is kept.
    pub cancel: Cancel,
    /// Holds.
    pub hold: Hold,
    /// How far the steps before and after the loop are.
    pub progress: Progress,
}

/// What is told while it runs.
#[derive(Debug, Clone, PartialEq)]
pub enum TrainProgress {
    /// What happens now, in words.
    Phase(String),
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
    pub held: Option<Held>,
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

/// Trains what was prepared.
///
/// # Errors
/// What is wrong and what to do about it, in words. What was reached before is in the checkpoint.
pub fn train(
    prepared: &Prepared,
    options: &TrainOptions,
    control: &TrainControl,
    on_event: &mut dyn FnMut(TrainProgress),
) -> Result<TrainOutcome, UserError> {
    prepared.ready()?;
    let recipe = &options.recipe;
    // Before hours of work: can the result be written at all?
    let folder = options.out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    create_folder(folder)
        .and_then(|()| may_replace(&side_file(&options.out, "history.csv"), Content::of(b"epoch,train_loss,")))
        .and_then(|()| may_replace(&side_file(&options.out, "report.json"), Content::Json))
        .and_then(|()| probe_output(&options.out, Content::Model))
        .map_err(|e| UserError::new(format!("{} cannot be written: {e}", display_path(&options.out))))?;
    let (network, values) = prepared.start.with_head(&prepared.labels, recipe.kind == RecipeKind::Head, recipe.seed);
    let side = prepared.start.spec.size;
    let first = match recipe.kind {
        RecipeKind::Head => network.layers.len(),
        RecipeKind::Full => 0,
        RecipeKind::Blocks(k) => {
            let starts = network.block_starts();
            starts[starts.len().saturating_sub(k.max(1))]
        }
    };
    let net = Net::new(&network, side);
    let threads = if options.threads == 0 { cores() } else { options.threads };
    fitting_batch(&net, first, recipe.batch, threads, memory_available()).map_err(|fits| {
        UserError::new(format!(
            "a batch of {} images needs more memory than this machine has free; {fits} images fit (--batch {fits})",
            recipe.batch
        ))
    })?;
    let source = CellSource {
        cache: &prepared.cache,
        cells: &prepared.cells,
        scaling: Scaling::of(&prepared.start.spec),
        augmentation: recipe.augmentation,
    };
    let of = |part: Part| -> Vec<(usize, usize)> {
        (0..prepared.cells.len()).filter(|&i| prepared.parts[i] == part).map(|i| (i, prepared.classes[i])).collect()
    };
    let (train, validation, test) = (of(Part::Train), of(Part::Validation), of(Part::Test));
    let activations;
    let inputs: &dyn Source = if first == 0 {
        &source
    } else {
        on_event(TrainProgress::Phase("computing the frozen layers once".into()));
        let engine = CpuEngine::new(net.clone(), 0, options.threads).map_err(|e| UserError::new(e.to_string()))?;
        // Only training sees changed copies; the test part is not touched before the end, and then as pictures.
        let views: Vec<usize> = prepared
            .parts
            .iter()
            .map(|p| match p {
                Part::Train => recipe.views.max(1),
                Part::Validation => 1,
                Part::Test => 0,
            })
            .collect();
        let computed = Activations::compute(
            &engine,
            &values,
            first,
            &source,
            (&views, recipe.seed),
            prepared.request.cache.as_deref(),
            &control.cancel,
            &control.progress,
        )
        .map_err(|e| UserError::new(e.to_string()))?;
        match computed {
            Some(a) => activations = a,
            None => return Ok(outcome_of(prepared, Stop::Cancelled, &TrainState::default(), &values)),
        }
        &activations
    };
    let identity = identity(prepared, options, first);
    let device = match options.device {
        TrainingDevice::Cpu => None,
        TrainingDevice::Gpu => Some(gpu_engine(&net, first, true).map_err(|e| UserError::new(e.to_string()))?),
        TrainingDevice::Auto => gpu_engine(&net, first, false).ok(),
    };
    let trained_on = device.as_ref().map_or_else(|| "cpu".to_owned(), |d| d.name().to_owned());
    let engine = CpuEngine::new(net, first, options.threads).map_err(|e| UserError::new(e.to_string()))?;
    let mut trainer =
        Trainer::new(engine, first, values, recipe.clone(), inputs, train.clone(), validation.clone()).on(device);
    let place = checkpoint_of(&options.out);
    if options.fresh {
        // Whatever else lies under that name is not ours to remove.
        let head = crate::files::head(&place, 64).unwrap_or_default();
        if !head.is_empty() && !Checkpoint::begins(&head) {
            return Err(UserError::new(format!(
                "{} is no checkpoint of this program and stays as it is; give the model another name",
                display_path(&place)
            )));
        }
        remove_file(&place).map_err(|e| UserError::new(format!("{} cannot be removed: {e}", display_path(&place))))?;
    } else if let Ok(snapshot) = read_bounded(&place, MAX_CHECKPOINT) {
        // Its own file, which goes on being written.
        not_an_input(&place);
        let read = Checkpoint::from_bytes(&snapshot.bytes, &identity).map_err(|e| {
            UserError::new(format!(
                "{}: {e} (on the command line: --fresh), or give the model another name",
                display_path(&place)
            ))
        })?;
        trainer.resume(read.state).map_err(|e| UserError::new(e.to_string()))?;
        let s = trainer.state();
        on_event(TrainProgress::Note(format!(
            "going on where the checkpoint stands: epoch {}, step {}",
            s.epoch + 1,
            s.step + 1
        )));
        on_event(TrainProgress::Resumed(s.history.clone()));
    }
    on_event(TrainProgress::Phase(match trained_on.as_str() {
        "cpu" => format!("training on the processor, {threads} thread{}", if threads == 1 { "" } else { "s" }),
        gpu => format!("training on {gpu}"),
    }));
    let mut watch = Watch {
        place: &place,
        identity: &identity,
        control,
        on_event,
        saved: Instant::now(),
        begun: false,
        told_full: false,
    };
    let stop = trainer.run(&mut watch).map_err(|e| UserError::new(e.to_string()))?;
    let all = trainer.kept();
    let mut outcome = outcome_of(prepared, stop, trainer.state(), &all);
    if outcome.best_epoch == 0 {
        return match &outcome.stop {
            Stop::Diverged(why) => Err(UserError::new(why.clone())),
            _ => Ok(outcome),
        };
    }
    on_event(TrainProgress::Phase("verifying in ONNX Runtime".into()));
    let spec = TensorSpec { channels_first: false, ..prepared.start.spec.clone() };
    let whole =
        CpuEngine::new(Net::new(&network, side), 0, options.threads).map_err(|e| UserError::new(e.to_string()))?;
    let test_logits = whole.logits(&all, &self_test_tensor(&spec));
    let self_test = SelfTest { picture: 1, logits: test_logits, tolerance: SELF_TEST_TOLERANCE };
    let time = super::super::now();
    let (history, best_epoch, stop) = (outcome.history.clone(), outcome.best_epoch, outcome.stop.clone());
    let facts = |validation, held, familiarity, record| Facts {
        prepared,
        options,
        recipe,
        history: &history,
        best_epoch,
        stop: &stop,
        validation,
        held,
        time: time.clone(),
        trained_on: &trained_on,
        familiarity,
        record,
    };
    let cells_of = |items: &[(usize, usize)]| items.iter().map(|(i, _)| prepared.cells[*i]).collect::<Vec<_>>();
    // A first file for ONNX Runtime to answer with; the final one differs in its metadata alone.
    let bytes = write_network(&network, &all, side, &facts(None, None, None, None).metadata(self_test.clone()));
    let draft = vet(&bytes, digest_of(&bytes))
        .map_err(|e| UserError::new(format!("the new model does not pass its own vetting: {e}")))?;
    let answers = runtime_answers(&draft, &prepared.cache, &cells_of(&validation), control)?;
    let logits = logits_of(trainer.engine(), first, &all, inputs, validation.iter().map(|(i, _)| *i))
        .map_err(|e| UserError::new(e.to_string()))?;
    for (ours, Answer { probabilities: theirs, .. }) in logits.chunks_exact(prepared.labels.len()).zip(&answers) {
        let ours = Probabilities::from_logits(ours).ok_or_else(|| {
            UserError::new("the trained network's answers are not finite; start again with a smaller learning rate")
        })?;
        let far = ours.values().iter().zip(theirs.values()).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
        outcome.difference = outcome.difference.max(far);
    }
    if outcome.difference.is_nan() || outcome.difference > AGREEMENT {
        return Err(UserError::new(format!(
            "ONNX Runtime's probabilities differ by {:e} from the trainer's, more than {AGREEMENT:e}; the model is not offered. Please report it",
            outcome.difference
        )));
    }
    outcome.validation = Some(scores(prepared, &validation, &answers));
    if !test.is_empty() {
        on_event(TrainProgress::Phase("the test part, looked at once".into()));
        let held = runtime_answers(&draft, &prepared.cache, &cells_of(&test), control)?;
        let current = options.current.as_ref().map(|model| current(prepared, model, &test, control)).transpose()?;
        outcome.held = Some(Held { scores: scores(prepared, &test, &held), current });
    }
    on_event(TrainProgress::Phase("recording what it learnt from".into()));
    let familiarity = familiarity(prepared, &draft, &train, &answers, control)?;
    if familiarity.is_none() {
        on_event(TrainProgress::Note("too few cells to learn what is unlike the training images".into()));
    }
    let record = record(prepared, control)?;
    let facts = facts(outcome.validation.as_ref(), outcome.held.as_ref(), familiarity.as_ref(), Some(&record));
    let bytes = write_network(&network, &all, side, &facts.metadata(self_test));
    let digest = digest_of(&bytes);
    let report = facts.report(&digest.to_string(), outcome.difference);
    let put = |path: &Path, bytes: &[u8]| {
        write_atomic(path, bytes).map_err(|e| {
            UserError::new(format!(
                "{} cannot be written: {e}. The training is kept in {}; make room and start again, it goes on from there",
                display_path(path),
                display_path(&place)
            ))
        })
    };
    put(&options.out, &bytes)?;
    put(&side_file(&options.out, "history.csv"), &history_csv(&outcome.history))?;
    put(&side_file(&options.out, "report.json"), format!("{report:#}\n").as_bytes())?;
    outcome.model = Some((options.out.clone(), digest));
    if outcome.stop != Stop::Cancelled {
        // Best effort: a checkpoint that stays is only a file too many.
        let _ = remove_file(&place);
    }
    Ok(outcome)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// What a run came to before its model is verified and written.
fn outcome_of(prepared: &Prepared, stop: Stop, state: &TrainState, all: &[f32]) -> TrainOutcome {
    TrainOutcome {
        stop,
        history: state.history.clone(),
        best_epoch: state.best_epoch,
        model: None,
        weights: digest_of(&all.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>()),
        validation: None,
        held: None,
        difference: 0.0,
        labels: prepared.labels.labels().to_vec(),
    }
}

/// What a checkpoint belongs to, line by line.
fn identity(p: &Prepared, options: &TrainOptions, first: usize) -> String {
    format!(
        "data {}\nsplit {}\nlabels {}\nstart {}\npicture {:?}\nfirst layer {first}\nrecipe {:?}",
        p.data_digest,
        p.split_digest,
        p.labels.labels().join(","),
        p.start.digest,
        p.cache.view(),
        options.recipe
    )
}

struct Watch<'a> {
    place: &'a Path,
    identity: &'a str,
    control: &'a TrainControl,
    on_event: &'a mut dyn FnMut(TrainProgress),
    saved: Instant,
    /// Whether there is a checkpoint of this run.
    begun: bool,
    told_full: bool,
}

impl Observer for Watch<'_> {
    fn step(&mut self, news: &StepMetrics) -> Control {
        (self.on_event)(TrainProgress::Step(*news));
        self.control.hold.wait(&self.control.cancel);
        if self.control.cancel.is_cancelled() {
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
    fn save(&mut self, state: &TrainState) {
        let soon = self.begun && self.saved.elapsed().as_secs_f64() < SAVE_AT_MOST;
        if soon && !self.control.cancel.is_cancelled() {
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

/// What a model answers to some cells, through ONNX Runtime.
fn runtime_answers(
    model: &VettedModel,
    cache: &CellCache,
    cells: &[CutCell],
    control: &TrainControl,
) -> Result<Vec<Answer>, UserError> {
    let mut engine = Engine::load(model, Provider::Cpu, cores()).map_err(|e| UserError::new(e.to_string()))?;
    let mut out = Vec::with_capacity(cells.len());
    control.progress.set_total(control.progress.total() + cells.len());
    for part in cells.chunks(16) {
        let mut tensors = Vec::new();
        for cell in part {
            let picture = cache.picture(*cell).map_err(|e| UserError::new(e.to_string()))?;
            imaging::tensor(&picture, &model.card().tensor, &mut tensors);
            control.progress.step();
        }
        out.extend(engine.answers(tensors, part.len()).map_err(|e| UserError::new(e.to_string()))?);
    }
    Ok(out)
}

/// What training images look like to the new network: fitted on training cells, its threshold set on the validation part.
fn familiarity(
    prepared: &Prepared,
    model: &VettedModel,
    train: &[(usize, usize)],
    validation: &[Answer],
    control: &TrainControl,
) -> Result<Option<OodDetector>, UserError> {
    let mut chosen = train.to_vec();
    if chosen.len() > FAMILIAR {
        fastrand::Rng::with_seed(prepared.request.seed).shuffle(&mut chosen);
        chosen.truncate(FAMILIAR);
    }
    let cells: Vec<CutCell> = chosen.iter().map(|(i, _)| prepared.cells[*i]).collect();
    let flat = |answers: &[Answer]| answers.iter().flat_map(|a| a.features.iter().copied()).collect::<Vec<f32>>();
    let features = flat(&runtime_answers(model, &prepared.cache, &cells, control)?);
    let classes: Vec<usize> = chosen.iter().map(|(_, c)| *c).collect();
    Ok(fit_ood_detector(&features, &classes).and_then(|f| with_calibrated_threshold(f, &flat(validation))))
}

/// The images of training and validation, and those of the model that it began from.
fn record(prepared: &Prepared, control: &TrainControl) -> Result<TrainingRecord, UserError> {
    let rows: Vec<usize> = (0..prepared.cells.len()).filter(|&i| prepared.parts[i] != Part::Test).collect();
    let cells: Vec<CutCell> = rows.iter().map(|&i| prepared.cells[i]).collect();
    let items: Vec<_> = rows.iter().map(|&i| prepared.items[i].clone()).collect();
    // A model that is stopped by hand is still written whole.
    let (request, never) = (&prepared.request, Cancel::new());
    let rings = likeness(request, &prepared.cache, &cells, &items, &never, &control.progress)?;
    let hashes = rings.iter().map(|r| r.as_ref().map_or([0; HASH_BYTES], PerceptualHash::kept));
    Ok(TrainingRecord::new(cells.iter().map(|c| &c.file).zip(hashes)).and(prepared.start.record.as_ref()))
}

fn scores(prepared: &Prepared, items: &[(usize, usize)], answers: &[Answer]) -> Scores {
    let pairs: Vec<(usize, usize)> =
        items.iter().zip(answers).map(|((_, c), a)| (*c, a.probabilities.top().0)).collect();
    let groups: Vec<usize> = items.iter().map(|(i, _)| prepared.groups[*i]).collect();
    Scores::of(prepared.labels.len(), &pairs, &groups, prepared.request.seed)
}

/// The current model on the same images, cut as it wants them.
fn current(
    prepared: &Prepared,
    model: &VettedModel,
    items: &[(usize, usize)],
    control: &TrainControl,
) -> Result<Current, UserError> {
    let card = model.card();
    let view = View { preprocessing: card.preprocessing.clone(), size: card.tensor.size };
    let own;
    let (cache, cells): (&CellCache, Vec<Option<CutCell>>) = if view == *prepared.cache.view() {
        (&prepared.cache, items.iter().map(|(i, _)| Some(prepared.cells[*i])).collect())
    } else {
        own = CellCache::open(view, prepared.request.cache.as_deref()).map_err(|e| UserError::new(e.to_string()))?;
        let wanted: Vec<_> = items.iter().map(|(i, _)| prepared.items[*i].clone()).collect();
        let states = own.cut(&wanted, &control.cancel, &control.progress).map_err(|e| UserError::new(e.to_string()))?;
        (&own, states.iter().map(CellState::cell).collect())
    };
    // An image in which this model's preprocessing finds no cell is one that it gets wrong.
    let (classes, found): (Vec<usize>, Vec<CutCell>) =
        items.iter().zip(cells).filter_map(|((_, class), cell)| Some((*class, cell?))).unzip();
    let answers = runtime_answers(model, cache, &found, control)?;
    let right = classes
        .iter()
        .zip(&answers)
        .filter(|(class, answer)| {
            let called = card.classes.label(answer.probabilities.top().0);
            called.zip(prepared.labels.label(**class)).is_some_and(|(a, b)| same_label(a, b))
        })
        .count();
    let n = items.len();
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    let accuracy = right as f64 / n.max(1) as f64;
    Ok(Current { name: card.name.clone(), digest: card.digest.to_string(), n, accuracy, interval: wilson(right, n) })
}
