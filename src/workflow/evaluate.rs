//! Evaluate a model on labelled images: labels are matched, every image is answered as `classify` would, what was in the
//! model's training is marked, and scores are computed. Nothing is guessed: a label that the model does not know stops it.

use super::corrections::Corrections;
use super::train::{digest_of_lines, likeness_square};
use super::{UserError, defaults};
use crate::dataset::{
    CellCache, CellState, Grouping, Item, Likenesses, PerceptualHash, Scanned, cell_digest, group, quantized_distance,
    scan,
};
use crate::domain::{Digest, Outcome, same_label};
use crate::evaluation::{Compared, Evaluated, EvaluatedCell, TrainOverlap, Unscored};
use crate::files::{AtomicFile, Content, Entry, create_folder, display_path, may_replace, write_atomic};
use crate::inference::{self, CellFeatures, Cells, EngineReport, Options, Provider, UNUSABLE};
use crate::metrics::{Evaluation, Sample};
use crate::model::{TrainingRecord, VettedModel};
use crate::report::{comparison_files, evaluation_files};
use crate::task::{Cancel, Progress};
use rayon::prelude::*;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Hashes of near-duplicates are at most this far apart. Chosen on 3,100 turned and mirrored copies of blood smears and
/// on 400 cells of two laboratories whose nearest among 4,003 others was 0.096 away: see `kept_hashes_…` in the tests.
pub const KEPT_NEAR: f32 = 0.08;

/// Images under two labels that are named one by one.
const CONTRADICTIONS: usize = 5;

/// What to evaluate on.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluateRequest {
    /// A folder per class, or a CSV.
    pub dataset: PathBuf,
    /// The dataset's label, and the model's class that it stands for.
    pub map: Vec<(String, String)>,
    /// The dataset's labels that are left out.
    pub leave_out: Vec<String>,
    /// How images are grouped for the intervals.
    pub grouping: Grouping,
    /// The provider asked for.
    pub provider: Provider,
    /// Whether references are taken as this user corrected them, in the window or before; else as the dataset has them.
    pub corrected: bool,
    /// Of the intervals.
    pub seed: u64,
    /// Where cut cells are cached; the user's cache folder without.
    pub cache: Option<PathBuf>,
}

impl EvaluateRequest {
    /// The usual request for a dataset.
    #[must_use]
    pub fn new(dataset: PathBuf) -> Self {
        Self {
            dataset,
            map: Vec::new(),
            leave_out: Vec::new(),
            grouping: Grouping::Auto,
            provider: Provider::Auto,
            corrected: false,
            seed: defaults::SEED,
            cache: None,
        }
    }
}

/// Why there is no evaluation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluateError {
    /// Labels that the model does not know, and how many images each has: a person must say what they are.
    #[error("{}", unknown_text(.labels, .classes))]
    Unknown {
        /// The labels.
        labels: Vec<(String, usize)>,
        /// The model's classes.
        classes: Vec<String>,
    },
    /// Everything else.
    #[error(transparent)]
    Other(#[from] UserError),
}

fn unknown_text(labels: &[(String, usize)], classes: &[String]) -> String {
    let named: Vec<String> = labels.iter().map(|(l, n)| format!("\"{l}\" ({n} images)")).collect();
    let first = labels.first().map_or("", |(l, _)| l.as_str());
    format!(
        "the model does not know these labels: {}. Its classes are {}. Say what they are (--map \"{first}\"=CLASS) or leave them out (--leave-out \"{first}\")",
        named.join(", "),
        classes.join(", ")
    )
}

/// What is told while it runs.
#[derive(Debug, Clone)]
pub enum EvaluateProgress {
    /// What happens now, in words.
    Phase(&'static str),
    /// What runs the network.
    Started(EngineReport),
}

/// Evaluates; `None` when cancelled.
///
/// # Errors
/// [`EvaluateError`], in words for a person.
pub fn evaluate(
    request: &EvaluateRequest,
    model: &VettedModel,
    cancel: &Cancel,
    progress: &Progress,
    on_event: &mut dyn FnMut(EvaluateProgress),
) -> Result<Option<Evaluated>, EvaluateError> {
    Ok(answer(request, model, false, cancel, progress, on_event)?.map(|(e, _)| e))
}

/// Evaluates; the second value is the cells' pooled features `[n, features]`, where they are asked for and the model has
/// them.
pub(super) fn answer(
    request: &EvaluateRequest,
    model: &VettedModel,
    features: bool,
    cancel: &Cancel,
    progress: &Progress,
    on_event: &mut dyn FnMut(EvaluateProgress),
) -> Result<Option<(Evaluated, Vec<f32>)>, EvaluateError> {
    on_event(EvaluateProgress::Phase("looking at the data"));
    let scanned = scan(&request.dataset, &|| cancel.is_cancelled()).map_err(|e| UserError::new(e.to_string()))?;
    if cancel.is_cancelled() {
        return Ok(None);
    }
    let labels = model.card().classes.labels().to_vec();
    let matched = match_labels(request, &scanned, &labels)?;
    let mut notes = scanned.notes;
    let (items, classes): (Vec<Item>, Vec<usize>) =
        scanned.items.into_iter().filter_map(|i| matched[i.class].map(|c| (i, c))).unzip();
    if items.is_empty() {
        return Err(UserError::new("every label is left out: there is nothing to evaluate on").into());
    }
    let groups = group(&items, request.grouping, Likenesses::default());
    let grouping = groups.lines();
    on_event(EvaluateProgress::Phase("classifying"));
    // A listed file that turns out to be no picture failed: somebody labelled it.
    let entries: Vec<Entry> = items
        .iter()
        .map(|i| Entry { path: i.path.clone(), named: true, error: i.error.clone(), square: i.square })
        .collect();
    let options = Options {
        provider: request.provider,
        cells: Cells::One,
        features: if features { CellFeatures::All } else { CellFeatures::None },
        ..Options::default()
    };
    let k = labels.len();
    let (mut cells, mut rows, mut unanswered) = (Vec::new(), Vec::new(), Vec::new());
    let (mut truth, mut p, mut kept_features) = (Vec::new(), Vec::new(), Vec::new());
    let mut refused = None;
    let mut told = None;
    let summary = inference::run(
        &entries,
        model,
        &options,
        cancel,
        progress,
        &mut |report| told = Some(report.clone()),
        &mut |row| {
            let path = display_path(&row.path);
            let (reference, given) = (classes[row.index], items[row.index].square);
            match (row.outcome, row.digest) {
                (Outcome::Cells(found), Some(digest)) if !found.is_empty() => {
                    let cell = &found[0];
                    rows.push(row.index);
                    truth.push(reference);
                    p.extend(cell.probabilities.values().iter().map(|v| f64::from(*v)));
                    kept_features.extend_from_slice(&cell.features);
                    cells.push(EvaluatedCell {
                        file: row.path,
                        path,
                        file_digest: digest,
                        digest: cell_digest(digest, items[row.index].square),
                        given,
                        square: cell.square,
                        original: reference,
                        learnt: TrainOverlap::No,
                        unlike: cell.unlike,
                    });
                }
                (Outcome::Failed(why), file_digest) => {
                    if why.contains(UNUSABLE) && refused.is_none() {
                        refused = Some(format!("{path}: {why}"));
                        return Err(String::new());
                    }
                    unanswered.push(Unscored { path, file_digest, given, reference, error: Some(why) });
                }
                (Outcome::Cells(_), file_digest) => {
                    unanswered.push(Unscored { path, file_digest, given, reference, error: None });
                }
            }
            Ok(())
        },
    );
    if let Some(why) = refused {
        return Err(UserError::new(format!(
            "the model {} is refused: its answers are no probabilities ({why})",
            model.card().name
        ))
        .into());
    }
    let summary = summary.map_err(|e| {
        let text = e.to_string();
        // A model that answers nonsense is refused by its name.
        if text.contains(UNUSABLE) {
            UserError::new(format!("the model {} is refused: {text}", model.card().name))
        } else {
            UserError::new(text)
        }
    })?;
    if let Some(report) = told {
        on_event(EvaluateProgress::Started(report));
    }
    if summary.cancelled {
        return Ok(None);
    }
    if cells.is_empty() {
        let why = unanswered.first().map_or(String::new(), |u: &Unscored| {
            format!(" The first one, {}: {}", u.path, u.error.as_deref().unwrap_or("no white cell was found"))
        });
        return Err(UserError::new(format!("none of the {} images can be scored.{why}", unanswered.len())).into());
    }
    for (c, label) in labels.iter().enumerate() {
        if !truth.contains(&c) {
            notes.push(format!("no image is labelled {label}: its recall and curves are not defined"));
        }
    }
    let record = model.card().trained_on.as_ref();
    if let Some(record) = record {
        on_event(EvaluateProgress::Phase("looking for images of the model's training"));
        let own: Vec<&Item> = rows.iter().map(|&r| &items[r]).collect();
        if !mark_overlap(record, &own, &mut cells, request, cancel, progress)? {
            return Ok(None);
        }
    }
    let data_sha256 = data_digest(&cells, &truth, &labels);
    let own_groups: Vec<usize> = rows.iter().map(|&r| groups.of[r]).collect();
    let (own_groups, said) = copies_together(&cells, &truth, own_groups, &labels);
    notes.extend(said);
    let sample = Sample::new(k, truth, &p, own_groups)
        .ok_or_else(|| UserError::new("the model's answers do not fit its classes; please report it"))?;
    on_event(EvaluateProgress::Phase("computing intervals"));
    let scores = Evaluation::of(&sample, request.seed).ok_or_else(|| UserError::new("nothing was answered"))?;
    let mapped = mapped(request, &labels);
    let mut evaluated = Evaluated {
        labels,
        model: model.card().name.clone(),
        model_sha256: model.card().digest.to_string(),
        data: display_path(&request.dataset),
        data_sha256,
        provider: summary.engine.to_line(),
        mapped,
        grouping,
        notes,
        cells,
        sample,
        scores,
        unseen: None,
        recorded: record.is_some(),
        partial_record: record.is_some_and(|r| r.partial),
        unanswered,
        threshold: f64::from(model.card().calibration.as_ref().and_then(|c| c.abstain_threshold).unwrap_or(0.0)),
        seed: request.seed,
    };
    evaluated.unseen = evaluated.without_learnt().and_then(|s| Evaluation::of(&s, request.seed));
    if request.corrected {
        take_corrections(&mut evaluated);
    }
    Ok(Some((evaluated, kept_features)))
}

/// Puts the very same cell under several names into one group: copies tell no more than one of them. What was found is said.
fn copies_together(
    cells: &[EvaluatedCell],
    truth: &[usize],
    mut groups: Vec<usize>,
    labels: &[String],
) -> (Vec<usize>, Vec<String>) {
    let mut first: HashMap<Digest, usize> = HashMap::new();
    let (mut copies, mut notes, mut contradictions) = (0, Vec::new(), 0);
    for row in 0..cells.len() {
        let Some(&before) = first.get(&cells[row].digest) else {
            first.insert(cells[row].digest, row);
            continue;
        };
        copies += 1;
        let (from, to) = (groups[row], groups[before]);
        if from != to {
            groups.iter_mut().filter(|g| **g == from).for_each(|g| *g = to);
        }
        if truth[row] != truth[before] {
            contradictions += 1;
            if contradictions <= CONTRADICTIONS {
                notes.push(format!(
                    "the same image stands under two labels: {} is \"{}\", {} is \"{}\"",
                    cells[before].path, labels[truth[before]], cells[row].path, labels[truth[row]]
                ));
            }
        }
    }
    if copies > 0 {
        notes.push(format!(
            "{copies} of {} cells are copies of others, to the byte: each is in one group with them, so that intervals count it once",
            cells.len()
        ));
    }
    (groups, notes)
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

/// The model's class of each of the dataset's labels; `None` where it is left out.
fn match_labels(
    request: &EvaluateRequest,
    scanned: &Scanned,
    classes: &[String],
) -> Result<Vec<Option<usize>>, EvaluateError> {
    for label in request.map.iter().map(|(l, _)| l).chain(&request.leave_out) {
        if !scanned.labels.iter().any(|l| same_label(l, label)) {
            return Err(UserError::new(format!(
                "the dataset has no label \"{label}\"; it has {}",
                scanned.labels.join(", ")
            ))
            .into());
        }
    }
    // Two spellings of one label are one label: it is one thing.
    let said = |label: &String| -> Vec<Option<&str>> {
        let to = request.map.iter().filter(|(l, _)| same_label(l, label)).map(|(_, to)| Some(to.as_str()));
        to.chain(request.leave_out.iter().filter(|l| same_label(l, label)).map(|_| None)).collect()
    };
    for label in &scanned.labels {
        let all = said(label);
        let agrees = |a: &Option<&str>, b: &Option<&str>| match (a, b) {
            (Some(a), Some(b)) => same_label(a, b),
            (None, None) => true,
            _ => false,
        };
        if all.iter().any(|a| !agrees(a, &all[0])) {
            return Err(UserError::new(format!(
                "\"{label}\" is said to be several things ({}); say one",
                all.iter().map(|a| a.unwrap_or("left out")).collect::<Vec<_>>().join(", ")
            ))
            .into());
        }
    }
    let mut unknown = Vec::new();
    let mut matched = Vec::new();
    for (at, label) in scanned.labels.iter().enumerate() {
        if request.leave_out.iter().any(|l| same_label(l, label)) {
            matched.push(None);
            continue;
        }
        let target = request.map.iter().find(|(l, _)| same_label(l, label)).map_or(label, |(_, to)| to);
        let exact = classes.iter().position(|c| c == target);
        let class = exact.or_else(|| classes.iter().position(|c| same_label(c, target)));
        if class.is_none() {
            if target != label {
                return Err(UserError::new(format!(
                    "the model has no class \"{target}\"; its classes are {}",
                    classes.join(", ")
                ))
                .into());
            }
            unknown.push((label.clone(), scanned.items.iter().filter(|i| i.class == at).count()));
        }
        matched.push(class);
    }
    if unknown.is_empty() {
        Ok(matched)
    } else {
        Err(EvaluateError::Unknown { labels: unknown, classes: classes.to_vec() })
    }
}

fn mapped(request: &EvaluateRequest, classes: &[String]) -> Vec<(String, Option<String>)> {
    let own = |to: &str| classes.iter().find(|c| same_label(c, to)).cloned();
    let renamed = request.map.iter().map(|(from, to)| (from.clone(), own(to)));
    renamed.chain(request.leave_out.iter().map(|l| (l.clone(), None))).collect()
}

/// Digest over sorted lines "image digest, label".
fn data_digest(cells: &[EvaluatedCell], truth: &[usize], labels: &[String]) -> String {
    digest_of_lines(cells.iter().zip(truth).map(|(c, t)| format!("{} {}", c.digest, labels[*t])).collect()).to_string()
}

/// Marks cells whose image, or a near-duplicate of it, the model learnt from. `false` when cancelled.
fn mark_overlap(
    record: &TrainingRecord,
    items: &[&Item],
    cells: &mut [EvaluatedCell],
    request: &EvaluateRequest,
    cancel: &Cancel,
    progress: &Progress,
) -> Result<bool, UserError> {
    let (known, hashes) = (record.digests(), record.likeness());
    // As in training, likeness is read from the cell's own square at one size, whatever the network sees.
    let cache =
        CellCache::open(likeness_square(), request.cache.as_deref()).map_err(|e| UserError::new(e.to_string()))?;
    for (cells, items) in cells.chunks_mut(1024).zip(items.chunks(1024)) {
        let own: Vec<Item> = items.iter().map(|i| (*i).clone()).collect();
        let states = cache.cut(&own, cancel, progress).map_err(|e| UserError::new(e.to_string()))?;
        if cancel.is_cancelled() {
            return Ok(false);
        }
        cells.par_iter_mut().zip(&states).for_each(|(cell, state)| {
            // Records of earlier versions hold image and square where the dataset said one.
            let there = |digest| known.contains(&TrainingRecord::beginning(digest));
            if there(&cell.file_digest) || there(&cell.digest) {
                cell.learnt = TrainOverlap::Exact;
            } else if let Some(hash) = kept_hash(&cache, state)
                && hashes.iter().any(|h| quantized_distance(h, &hash) <= KEPT_NEAR)
            {
                cell.learnt = TrainOverlap::NearDuplicate;
            }
        });
    }
    Ok(true)
}

fn kept_hash(cache: &CellCache, state: &CellState) -> Option<[u8; crate::model::HASH_BYTES]> {
    Some(PerceptualHash::of(&cache.picture(state.cell()?).ok()?).kept())
}

/// Writes an evaluation's files into a folder; each appears whole.
///
/// # Errors
/// What cannot be written, and what to do.
pub fn write_evaluation(evaluated: &Evaluated, folder: &Path) -> Result<Vec<PathBuf>, UserError> {
    write_all(evaluation_files(evaluated), folder)
}

/// Evaluates several models on the same images, the first one the one that others are held against; `None` when cancelled.
///
/// # Errors
/// As [`evaluate`], with the model's name in front.
pub fn compare(
    request: &EvaluateRequest,
    models: &[VettedModel],
    cancel: &Cancel,
    progress: &Progress,
    on_event: &mut dyn FnMut(EvaluateProgress),
) -> Result<Option<Compared>, EvaluateError> {
    let mut all = Vec::with_capacity(models.len());
    for model in models {
        let found = evaluate(request, model, cancel, progress, on_event).map_err(|e| match e {
            EvaluateError::Other(e) => UserError::new(format!("{}: {e}", model.card().name)).into(),
            unknown => unknown,
        })?;
        let Some(found) = found else { return Ok(None) };
        all.push(found);
    }
    Ok(Some(Compared::new(all, request.seed)))
}

/// Writes a comparison's files into a folder; each appears whole.
///
/// # Errors
/// What cannot be written, and what to do.
pub fn write_comparison(compared: &Compared, folder: &Path) -> Result<Vec<PathBuf>, UserError> {
    write_all(comparison_files(compared), folder)
}

fn write_all(files: Vec<(&'static str, Vec<u8>)>, folder: &Path) -> Result<Vec<PathBuf>, UserError> {
    let no = |path: &Path, e: &std::io::Error| {
        UserError::new(format!("{} cannot be written: {e}. Choose another folder", display_path(path)))
    };
    create_folder(folder).map_err(|e| no(folder, &e))?;
    // All or none: what may not be replaced is found before anything is.
    for (name, bytes) in &files {
        let path = folder.join(name);
        may_replace(&path, Content::of(&bytes[..bytes.len().min(512)])).map_err(|e| no(&path, &e))?;
    }
    let mut written = Vec::new();
    for (name, bytes) in files {
        let path = folder.join(name);
        write_atomic(&path, &bytes).map_err(|e| no(&path, &e))?;
        written.push(path);
    }
    Ok(written)
}

/// Whether files can be written into a folder, before hours of work.
///
/// # Errors
/// Why not.
pub fn can_write_into(folder: &Path) -> Result<(), UserError> {
    create_folder(folder)
        .and_then(|()| AtomicFile::create(&folder.join("report.json")).map(drop))
        .map_err(|e| UserError::new(format!("{} cannot be written into: {e}", display_path(folder))))
}
