//! What a training run ends with: the new model answers in ONNX Runtime as it did in training, it is scored on the parts, learns what is
//! unlike its images, and is written with everything that is known of it. Trains nothing.

use super::answers::runtime_answers;
use super::description::RunDescription;
use super::flags::fit_flags;
use super::outcome::{TrainMonitor, TrainOutcome, TrainProgress, checkpoint_of, side_file};
use super::plan::{PreparedDataset, perceptual_hashes};
use super::request::{CurrentModelResult, HeldOutResult};
use super::setup::Run;
use super::source_table::SourceTable;
use crate::dataset::{CellCache, CellState, CutCell, InputView, Item, PerceptualHash, SplitPart};
use crate::domain::{Probabilities, TensorSpec, same_label};
use crate::files::{digest_of, display_path, write_atomic};
use crate::inference::{Prediction, self_test_tensor};
use crate::metrics::{Scores, wilson};
use crate::model::{
    HASH_BYTES, OodDetector, SELF_TEST_TOLERANCE, SelfTest, TrainingRecord, VettedModel, vet, write_network,
};
use crate::report::history_csv;
use crate::task::Cancel;
use crate::training::{CpuEngine, Net, TensorSource, fit_ood_detector, logits_of, with_calibrated_threshold};
use crate::workflow::{Phase, UserError, now};
use std::path::Path;

/// Largest difference between the trainer's and ONNX Runtime's probabilities.
const AGREEMENT: f32 = 1e-4;
/// Training cells at most that it is learnt from what training images look like. Of 1,000, 1,500, 4,000 and 8,700 the last
/// told cells of unknown kinds by 0.01 of AUROC better than the first.
const FAMILIAR: usize = 1500;

/// Verifies the trained `weights` in ONNX Runtime, scores them, and writes the model, its history and its report.
pub(super) fn verify_and_write(
    run: &Run<'_>,
    engine: &CpuEngine,
    inputs: &dyn TensorSource,
    weights: &[f32],
    trained_on: Option<&str>,
    outcome: &mut TrainOutcome,
    monitor: &mut TrainMonitor<'_>,
) -> Result<(), UserError> {
    let (prepared, options) = (run.prepared, run.options);
    monitor.event(TrainProgress::Phase(Phase::Verifying));
    let side = prepared.start.spec.size;
    let mut description = RunDescription {
        prepared,
        options,
        outcome: outcome.clone(),
        time: now(),
        trained_on: trained_on.unwrap_or("cpu").to_owned(),
        self_test: self_test(run, weights)?,
        ood: None,
        flags: Vec::new(),
        record: None,
        calibration: None,
    };
    // A first file for ONNX Runtime to answer with; the final one differs in its metadata alone.
    let file = |description: &RunDescription<'_>| -> Result<Vec<u8>, UserError> {
        Ok(write_network(&run.network, weights, side, &description.metadata()?))
    };
    let bytes = file(&description)?;
    let draft = vet(&bytes, digest_of(&bytes))
        .map_err(|e| UserError::new(format!("the new model does not pass its own vetting: {e}")))?;
    let cuts_of = |items: &[(usize, usize)]| items.iter().map(|(i, _)| prepared.cells[*i].cut).collect::<Vec<_>>();
    let validation = run.examples(SplitPart::Validation);
    let answers = runtime_answers(&draft, &prepared.cache, &cuts_of(&validation), monitor)?;
    let logits = logits_of(engine, run.first, weights, inputs, validation.iter().map(|(i, _)| *i))?;
    outcome.difference = check_agreement(&logits, &answers, prepared.labels.len())?;
    outcome.validation = Some(scores(prepared, &validation, &answers));
    let test = run.examples(SplitPart::Test);
    if !test.is_empty() {
        monitor.event(TrainProgress::Phase(Phase::TestSet));
        let answers = runtime_answers(&draft, &prepared.cache, &cuts_of(&test), monitor)?;
        let current = options.current.as_ref();
        let current = current.map(|model| current_model(prepared, model, &test, monitor)).transpose()?;
        // Of a source that is held out, others may share a group and so be in the test part.
        let source = prepared.request.held_out_source.as_deref();
        let own = |at: usize| source.is_none_or(|source| prepared.cells[at].item.is_of(source));
        let of_cells = test.iter().zip(&answers).filter(|((at, _), _)| own(*at));
        let of_cells = of_cells.map(|((_, class), a)| (*class, a.probabilities.clone()));
        outcome.held_out =
            Some(HeldOutResult { scores: scores(prepared, &test, &answers), current, answers: of_cells.collect() });
    }
    monitor.event(TrainProgress::Phase(Phase::TrainingRecord));
    description.ood = fit_ood(prepared, &draft, &run.examples(SplitPart::Train), &answers, monitor)?;
    if description.ood.is_none() {
        monitor.event(TrainProgress::Note("too few cells to learn what is unlike the training images".into()));
    }
    description.flags = fit_flags(run, &draft, monitor)?;
    description.record = Some(record(prepared, monitor)?);
    description.calibration =
        options.sources.as_ref().and_then(SourceTable::calibration).or_else(|| options.calibration.clone());
    description.outcome = outcome.clone();
    let mut bytes = file(&description)?;
    if vet(&bytes, digest_of(&bytes)).is_err() {
        // The draft passed: it is the record of very many images that makes the file one that nobody would open.
        monitor.event(TrainProgress::Note("too many images to record which ones it learnt from".into()));
        description.record = None;
        bytes = file(&description)?;
    }
    let digest = digest_of(&bytes);
    let report = description.report(&digest.to_string());
    write(&options.out, &options.out, &bytes)?;
    write(&options.out, &side_file(&options.out, "history.csv"), &history_csv(&outcome.history))?;
    write(&options.out, &side_file(&options.out, "report.json"), format!("{report:#}\n").as_bytes())?;
    outcome.model = Some((options.out.clone(), digest));
    Ok(())
}

/// Writes a file of the run whose model is `out`.
pub(super) fn write(out: &Path, path: &Path, bytes: &[u8]) -> Result<(), UserError> {
    write_atomic(path, bytes).map_err(|e| {
        UserError::new(format!(
            "{} cannot be written: {e}. The training is kept in {}; make room and start again, it goes on from there",
            display_path(path),
            display_path(&checkpoint_of(out))
        ))
    })
}

/// What the new network answers to the self-test's image.
fn self_test(run: &Run<'_>, weights: &[f32]) -> Result<SelfTest, UserError> {
    let spec = TensorSpec { channels_first: false, ..run.prepared.start.spec.clone() };
    let whole = CpuEngine::new(Net::new(&run.network, spec.size), 0, run.options.threads)?;
    let logits = whole.logits(weights, &self_test_tensor(&spec));
    Ok(SelfTest { image: 1, logits, tolerance: SELF_TEST_TOLERANCE })
}

/// The largest difference between the trainer's probabilities (`logits`, a row a cell) and ONNX Runtime's.
fn check_agreement(logits: &[f32], answers: &[Prediction], classes: usize) -> Result<f32, UserError> {
    let mut difference = 0f32;
    for (ours, Prediction { probabilities: theirs, .. }) in logits.chunks_exact(classes).zip(answers) {
        let ours = Probabilities::from_logits(ours).ok_or_else(|| {
            UserError::new("the trained network's answers are not finite; start again with a smaller learning rate")
        })?;
        let far = ours.values().iter().zip(theirs.values()).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
        difference = difference.max(far);
    }
    if difference.is_nan() || difference > AGREEMENT {
        return Err(UserError::new(format!(
            "ONNX Runtime's probabilities differ by {difference:e} from the trainer's, more than {AGREEMENT:e}; the model is not offered. Please report it"
        )));
    }
    Ok(difference)
}

/// What training images look like to the new network: fitted on training cells, its threshold set on the validation part.
fn fit_ood(
    prepared: &PreparedDataset,
    model: &VettedModel,
    train: &[(usize, usize)],
    validation: &[Prediction],
    monitor: &TrainMonitor<'_>,
) -> Result<Option<OodDetector>, UserError> {
    let mut chosen = train.to_vec();
    if chosen.len() > FAMILIAR {
        fastrand::Rng::with_seed(prepared.request.seed).shuffle(&mut chosen);
        chosen.truncate(FAMILIAR);
    }
    let cells: Vec<CutCell> = chosen.iter().map(|(i, _)| prepared.cells[*i].cut).collect();
    let flat = |answers: &[Prediction]| answers.iter().flat_map(|a| a.features.iter().copied()).collect::<Vec<f32>>();
    let features = flat(&runtime_answers(model, &prepared.cache, &cells, monitor)?);
    let classes: Vec<usize> = chosen.iter().map(|(_, c)| *c).collect();
    Ok(fit_ood_detector(&features, &classes).and_then(|f| with_calibrated_threshold(f, &flat(validation))))
}

/// The images of training, validation and flags, and those of the model that it began from.
fn record(prepared: &PreparedDataset, monitor: &TrainMonitor<'_>) -> Result<TrainingRecord, UserError> {
    let overlap = prepared.cells.iter().filter(|c| c.part != Some(SplitPart::Test));
    record_of(prepared, overlap.map(|c| (c.item.clone(), c.cut)).collect(), monitor)
}

/// Some images, those of flags, and those of the model that it began from.
pub(super) fn record_of(
    prepared: &PreparedDataset,
    mut cells: Vec<(Item, CutCell)>,
    monitor: &TrainMonitor<'_>,
) -> Result<TrainingRecord, UserError> {
    cells.extend(prepared.flagged.iter().map(|c| (c.item.clone(), c.cut)));
    let (items, cells): (Vec<Item>, Vec<CutCell>) = cells.into_iter().unzip();
    // A model that is stopped by hand is still written whole.
    let (request, never) = (&prepared.request, Cancel::new());
    let hashes = perceptual_hashes(request, &prepared.cache, &items, &cells, &never, monitor.progress)?;
    let hashes = hashes.iter().map(|r| r.as_ref().map_or([0; HASH_BYTES], PerceptualHash::quantized));
    Ok(TrainingRecord::new(cells.iter().map(|c| &c.file).zip(hashes)).and(prepared.start.record.as_ref()))
}

fn scores(prepared: &PreparedDataset, items: &[(usize, usize)], answers: &[Prediction]) -> Scores {
    let pairs: Vec<(usize, usize)> =
        items.iter().zip(answers).map(|((_, c), a)| (*c, a.probabilities.top().0)).collect();
    let groups: Vec<usize> = items.iter().map(|(i, _)| prepared.cells[*i].group).collect();
    Scores::new(prepared.labels.len(), &pairs, &groups, prepared.request.seed)
}

/// The current model on the same images, cut as it wants them.
fn current_model(
    prepared: &PreparedDataset,
    model: &VettedModel,
    items: &[(usize, usize)],
    monitor: &TrainMonitor<'_>,
) -> Result<CurrentModelResult, UserError> {
    let card = model.card();
    let view = InputView { preprocessing: card.preprocessing.clone(), size: card.tensor.size };
    let own;
    let (cache, cells): (&CellCache, Vec<Option<CutCell>>) = if view == *prepared.cache.view() {
        (&prepared.cache, items.iter().map(|(i, _)| Some(prepared.cells[*i].cut)).collect())
    } else {
        own = CellCache::open(view, prepared.request.cache.as_deref())?;
        let wanted: Vec<_> = items.iter().map(|(i, _)| prepared.cells[*i].item.clone()).collect();
        let states = own.cut(&wanted, monitor.cancel, monitor.progress)?;
        (&own, states.iter().map(CellState::cell).collect())
    };
    // An image in which this model's preprocessing finds no cell is one that it gets wrong.
    let (classes, found): (Vec<usize>, Vec<CutCell>) =
        items.iter().zip(cells).filter_map(|((_, class), cell)| Some((*class, cell?))).unzip();
    let answers = runtime_answers(model, cache, &found, monitor)?;
    let right = classes
        .iter()
        .zip(&answers)
        .filter(|(class, answer)| {
            let labels = if card.says_not_a_cell() { card.output_labels() } else { card.classes.labels() };
            let predicted = labels.get(answer.probabilities.top().0);
            predicted.zip(prepared.labels.label(**class)).is_some_and(|(a, b)| same_label(a, b))
        })
        .count();
    let n = items.len();
    let accuracy = right as f64 / n.max(1) as f64;
    Ok(CurrentModelResult {
        name: card.name.clone(),
        digest: card.digest.to_string(),
        n,
        accuracy,
        interval: wilson(right, n),
    })
}
