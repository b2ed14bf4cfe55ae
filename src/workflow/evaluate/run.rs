//! An evaluation step by step: scan, match labels, classify, mark what was learnt, score.

use super::overlap::{copies_together, mark_overlap};
use super::request::{EvaluateError, EvaluateRequest, mapped, match_labels};
use crate::dataset::{Item, Similarity, cell_digest, group, scan};
use crate::domain::{
    CellResult, Failure, ImageResult, NOT_A_WHITE_CELL, Outcome, Probabilities, canonical_label, same_label,
};
use crate::evaluation::{Compared, Evaluated, EvaluatedCell, TrainOverlap, Unscored};
use crate::files::{Entry, display_path};
use crate::imaging::Cells;
use crate::inference::{self, CellFeatures, EngineReport, Options, PipelineError, PipelineEvent, PipelineMonitor};
use crate::metrics::{Evaluation, Sample};
use crate::model::{ModelCard, VettedModel};
use crate::task::Monitor;
use crate::workflow::corrections::Corrections;
use crate::workflow::train::digest_of_lines;
use crate::workflow::{Phase, UserError};
use std::collections::HashMap;
use std::ops::ControlFlow;

/// What is told while it runs.
#[derive(Debug, Clone)]
pub enum EvaluateProgress {
    Phase(Phase),
    /// What ran the network.
    Started(EngineReport),
}

/// How an evaluation is watched.
pub type EvaluateMonitor<'a> = Monitor<'a, EvaluateProgress>;

/// Evaluates; `None` when cancelled.
///
/// # Errors
/// [`EvaluateError`], in words for the user.
pub fn evaluate(
    request: &EvaluateRequest,
    model: &VettedModel,
    monitor: &mut EvaluateMonitor<'_>,
) -> Result<Option<Evaluated>, EvaluateError> {
    Ok(answer(request, model, CellFeatures::None, monitor)?.map(|(e, _)| e))
}

/// Evaluates several models on the same images, the first one the one that others are held against; `None` when cancelled.
///
/// # Errors
/// As [`evaluate`], with the model's name in front.
pub fn compare(
    request: &EvaluateRequest,
    models: &[VettedModel],
    monitor: &mut EvaluateMonitor<'_>,
) -> Result<Option<Compared>, EvaluateError> {
    let mut all = Vec::with_capacity(models.len());
    for model in models {
        let Some(found) = evaluate_named(request, model, monitor)? else { return Ok(None) };
        all.push(found);
    }
    Ok(Some(Compared::new(all, request.seed)))
}

/// Holds another model against `found`, both by the references as they were corrected there; `None` when cancelled.
///
/// # Errors
/// As [`compare`].
pub fn compare_with(
    found: Evaluated,
    request: &EvaluateRequest,
    model: &VettedModel,
    monitor: &mut EvaluateMonitor<'_>,
) -> Result<Option<Compared>, EvaluateError> {
    let Some(mut other) = evaluate_named(request, model, monitor)? else { return Ok(None) };
    let references = found.cells.iter().zip(found.sample.references());
    let labels: HashMap<_, _> = references.map(|(c, t)| (c.digest, found.labels[*t].clone())).collect();
    other.apply(|digest| labels.get(digest).cloned());
    Ok(Some(Compared::new(vec![found, other], request.seed)))
}

/// Evaluates; what went wrong is said with the model's name in front.
fn evaluate_named(
    request: &EvaluateRequest,
    model: &VettedModel,
    monitor: &mut EvaluateMonitor<'_>,
) -> Result<Option<Evaluated>, EvaluateError> {
    evaluate(request, model, monitor).map_err(|e| match e {
        EvaluateError::Other(e) => UserError::new(format!("{}: {e}", model.card().name)).into(),
        unknown => unknown,
    })
}

/// A labelled image that was answered.
struct Answered {
    /// Its position among the labelled images.
    row: usize,
    cell: EvaluatedCell,
    probabilities: Probabilities,
    features: Vec<f32>,
}

/// What the model says of labelled images.
#[derive(Default)]
struct Answers {
    answered: Vec<Answered>,
    unscored: Vec<Unscored>,
    engine: Option<EngineReport>,
    /// The image whose answer is not what the model promises, and the reason: no other answer is worth more.
    refused: Option<String>,
}

impl Answers {
    /// Takes the answer to a labelled image of class `reference`. `judged` is the model where "not a white cell" is a label among the
    /// others: an image in which it finds no cell is an answer then.
    fn take(&mut self, row: ImageResult, item: &Item, reference: usize, judged: Option<&ModelCard>) -> ControlFlow<()> {
        let path = display_path(&row.path);
        let given = item.square;
        let row = match judged {
            Some(card) => over_outputs(row, card),
            None => row,
        };
        let mut unscored = |file_digest, path, error| {
            self.unscored.push(Unscored { path, file_digest, given, reference, error });
        };
        match (row.outcome, row.digest) {
            (Outcome::Cells(found), Some(digest)) if !found.is_empty() => {
                self.answered.extend(found.into_iter().take(1).map(|cell| Answered {
                    row: row.index,
                    probabilities: cell.probabilities,
                    features: cell.features,
                    cell: EvaluatedCell {
                        file: row.path.clone(),
                        path: path.clone(),
                        file_digest: digest,
                        digest: cell_digest(digest, given),
                        given,
                        square: cell.square,
                        original: reference,
                        overlap: TrainOverlap::No,
                        ood_score: cell.ood_score,
                    },
                }));
            }
            (Outcome::Failed(Failure::Model(why)), _) => {
                self.refused = Some(format!("{path}: {why}"));
                return ControlFlow::Break(());
            }
            (Outcome::Failed(Failure::Image(why)), digest) => unscored(digest, path, Some(why)),
            (Outcome::Cells(_), digest) => unscored(digest, path, None),
        }
        ControlFlow::Continue(())
    }
}

/// An answer with "not a white cell" among the classes. Where no place passed, the least doubted one is the answer: which class it would
/// be was not asked, so its classes share what is left.
fn over_outputs(mut row: ImageResult, card: &ModelCard) -> ImageResult {
    let Outcome::Cells(cells) = &mut row.outcome else { return row };
    if let (true, Some(place)) = (cells.is_empty(), row.rejected.first()) {
        let n = card.classes.len();
        let even = Probabilities::from_logits(&vec![0.0; n]);
        cells.extend(even.map(|probabilities| CellResult {
            number: place.number,
            square: place.square,
            probabilities,
            accepted: true,
            ood_score: None,
            features: Vec::new(),
            doubt: Some(place.doubt),
            flags: Vec::new(),
            views: None,
        }));
    }
    for cell in cells {
        if let Some(all) = card.over_outputs(&cell.probabilities, cell.doubt) {
            cell.probabilities = all;
        }
    }
    row
}

/// Classifies labelled images; `classes` are their references. `None` when cancelled.
fn classify_labelled(
    items: &[Item],
    classes: &[usize],
    model: &VettedModel,
    options: &Options,
    judged: bool,
    monitor: &mut EvaluateMonitor<'_>,
) -> Result<Option<Answers>, UserError> {
    // A listed file that turns out to be no image failed: somebody labelled it.
    let entries: Vec<Entry> = items
        .iter()
        .map(|i| Entry { path: i.path.clone(), named: true, error: i.error.clone(), square: i.square })
        .collect();
    let mut answers = Answers::default();
    let mut on_event = |event| match event {
        PipelineEvent::Started(report) | PipelineEvent::Switched(report) => {
            answers.engine = Some(report);
            ControlFlow::Continue(())
        }
        PipelineEvent::Row(row) => {
            let at = row.index;
            answers.take(row, &items[at], classes[at], judged.then(|| model.card().as_ref()))
        }
    };
    let mut own = PipelineMonitor::new(monitor.cancel, monitor.progress, &mut on_event);
    let ended = inference::run(&entries, model, options, &mut own);
    let name = &model.card().name;
    if let Some(why) = answers.refused {
        return Err(UserError::new(format!("the model {name} is refused: its answers are no probabilities ({why})")));
    }
    let summary = ended.map_err(|e| match e {
        // A model that answers nonsense is refused by its name.
        PipelineError::Engine(e) if e.is_models_own() => UserError::new(format!("the model {name} is refused: {e}")),
        e => UserError::new(e.to_string()),
    })?;
    if let Some(report) = &answers.engine {
        monitor.event(EvaluateProgress::Started(report.clone()));
    }
    if summary.cancelled {
        return Ok(None);
    }
    if answers.answered.is_empty() {
        let why = answers.unscored.first().map_or(String::new(), |u| {
            format!(" The first one, {}: {}", u.path, u.error.as_deref().unwrap_or("no white cell was found"))
        });
        let n = answers.unscored.len();
        return Err(UserError::new(format!("none of the {n} images can be scored.{why}")));
    }
    answers.engine = Some(summary.engine);
    Ok(Some(answers))
}

/// Evaluates; the second value is the cells' pooled features `[n, features]`, where they are asked for and the model has
/// them.
pub(in crate::workflow) fn answer(
    request: &EvaluateRequest,
    model: &VettedModel,
    features: CellFeatures,
    monitor: &mut EvaluateMonitor<'_>,
) -> Result<Option<(Evaluated, Vec<f32>)>, EvaluateError> {
    monitor.event(EvaluateProgress::Phase(Phase::ReadingData));
    let scanned = scan(&request.dataset, &|| monitor.is_cancelled()).map_err(UserError::from)?;
    if monitor.is_cancelled() {
        return Ok(None);
    }
    // "Not a white cell" is a class where the dataset has it and the model says it; else a model is judged by its classes alone.
    let judged = model.card().says_not_a_cell() && scanned.labels.iter().any(|l| is_no_cell(l, request));
    let labels = if judged { model.card().output_labels() } else { model.card().classes.labels() }.to_vec();
    let matched = match_labels(request, &scanned, &labels)?;
    let mut notes = scanned.notes;
    let (items, classes): (Vec<Item>, Vec<usize>) =
        scanned.items.into_iter().filter_map(|i| matched[i.class].map(|c| (i, c))).unzip();
    if items.is_empty() {
        return Err(UserError::new("every label is left out: there is nothing to evaluate on").into());
    }
    let groups = group(&items, request.grouping, Similarity::default());
    monitor.event(EvaluateProgress::Phase(Phase::Classifying));
    let options =
        Options { provider: request.provider, cells: Cells::One, features, views: request.views, ..Options::default() };
    let Some(answers) = classify_labelled(&items, &classes, model, &options, judged, monitor)? else { return Ok(None) };
    let rows: Vec<usize> = answers.answered.iter().map(|a| a.row).collect();
    let references: Vec<usize> = rows.iter().map(|&r| classes[r]).collect();
    let unlabelled = labels.iter().enumerate().filter(|(c, _)| !references.contains(c));
    notes.extend(
        unlabelled.map(|(_, label)| format!("no image is labelled {label}: its recall and curves are not defined")),
    );
    let p: Vec<f64> =
        answers.answered.iter().flat_map(|a| a.probabilities.values().iter().map(|v| f64::from(*v))).collect();
    let (mut cells, kept_features): (Vec<EvaluatedCell>, Vec<Vec<f32>>) =
        answers.answered.into_iter().map(|a| (a.cell, a.features)).unzip();
    let record = model.card().trained_on.as_ref();
    if let Some(record) = record {
        monitor.event(EvaluateProgress::Phase(Phase::FindingOverlap));
        let own: Vec<&Item> = rows.iter().map(|&r| &items[r]).collect();
        if !mark_overlap(record, &own, &mut cells, request, monitor.cancel, monitor.progress)? {
            return Ok(None);
        }
    }
    let data_sha256 = data_digest(&cells, &references, &labels);
    let own_groups: Vec<usize> = rows.iter().map(|&r| groups.of[r]).collect();
    let (own_groups, said) = copies_together(&cells, &references, own_groups, &labels);
    notes.extend(said);
    monitor.event(EvaluateProgress::Phase(Phase::ComputingIntervals));
    let sample = Sample::new(labels.len(), references, &p, own_groups)
        .ok_or_else(|| UserError::new("the model's answers do not fit its classes; please report it"))?;
    let scores = Evaluation::new(&sample, request.seed).ok_or_else(|| UserError::new("nothing was answered"))?;
    let mut evaluated = Evaluated {
        mapped: mapped(request, &labels),
        labels,
        model: model.card().name.clone(),
        model_sha256: model.card().digest.to_string(),
        data: display_path(&request.dataset),
        data_sha256,
        provider: answers.engine.map_or_else(String::new, |e| e.to_line()),
        grouping: groups.lines(),
        notes,
        cells,
        sample,
        scores,
        unseen: None,
        recorded: record.is_some(),
        partial_record: record.is_some_and(|r| r.partial),
        unscored: answers.unscored,
        threshold: f64::from(model.card().calibration.as_ref().and_then(|c| c.abstain_threshold).unwrap_or(0.0)),
        seed: request.seed,
    };
    evaluated.unseen = evaluated.without_overlap().and_then(|s| Evaluation::new(&s, request.seed));
    if request.corrected {
        take_corrections(&mut evaluated);
    }
    Ok(Some((evaluated, kept_features.concat())))
}

/// Whether a label of the dataset, or what it is said to be, is "not a white cell".
fn is_no_cell(label: &str, request: &EvaluateRequest) -> bool {
    let said = request.map.iter().find(|(from, _)| same_label(from, label)).map_or(label, |(_, to)| to);
    canonical_label(said) == NOT_A_WHITE_CELL && !request.leave_out.iter().any(|l| same_label(l, label))
}

/// Takes references as this user corrected them; that some were, or that it is not known, is a note.
fn take_corrections(evaluated: &mut Evaluated) {
    match Corrections::open(None) {
        Ok((corrections, said)) => {
            evaluated.notes.extend(said);
            evaluated.apply(|digest| corrections.get(digest).map(|c| c.label.clone()));
            let n = evaluated.corrected();
            if n > 0 {
                evaluated.notes.push(format!(
                    "references taken as you corrected them: {n}; predictions.csv has the dataset's own beside them"
                ));
            }
        }
        Err(e) => evaluated.notes.push(e.to_string()),
    }
}

/// Digest over sorted lines "image digest, label".
fn data_digest(cells: &[EvaluatedCell], references: &[usize], labels: &[String]) -> String {
    digest_of_lines(cells.iter().zip(references).map(|(c, t)| format!("{} {}", c.digest, labels[*t])).collect())
        .to_string()
}
