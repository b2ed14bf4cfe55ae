//! What an evaluation is asked for, and how the dataset's labels are the model's classes. Nothing is guessed: a label that the model does
//! not know stops it.

use crate::dataset::{Grouping, Scanned};
use crate::domain::same_label;
use crate::inference::{Provider, VIEWS};
use crate::workflow::{UserError, defaults};
use std::path::PathBuf;

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
    pub provider: Provider,
    /// Views of a cell that the model is unsure of, as in classifying.
    pub views: usize,
    /// Whether references are taken as this user corrected them, in the window or before; else as the dataset has them.
    pub corrected: bool,
    /// Of the intervals.
    pub seed: u64,
    /// Where cut cells are cached; the user's cache folder without.
    pub cache: Option<PathBuf>,
}

impl EvaluateRequest {
    /// The usual request for a dataset.
    pub fn new(dataset: PathBuf) -> Self {
        Self {
            dataset,
            map: Vec::new(),
            leave_out: Vec::new(),
            grouping: Grouping::Auto,
            provider: Provider::Auto,
            views: VIEWS,
            corrected: false,
            seed: defaults::SEED,
            cache: None,
        }
    }
}

/// Why there is no evaluation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluateError {
    /// Labels that the model does not know, and how many images each has: the user must say what they are.
    #[error("{}", unknown_text(.labels, .classes))]
    Unknown { labels: Vec<(String, usize)>, classes: Vec<String> },
    /// Everything else.
    #[error("{0}")]
    Other(UserError),
}

impl From<EvaluateError> for UserError {
    fn from(error: EvaluateError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<UserError> for EvaluateError {
    fn from(error: UserError) -> Self {
        Self::Other(error)
    }
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

/// The model's class of each of the dataset's labels; `None` where it is left out.
pub(super) fn match_labels(
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

pub(super) fn mapped(request: &EvaluateRequest, classes: &[String]) -> Vec<(String, Option<String>)> {
    let own = |to: &str| classes.iter().find(|c| same_label(c, to)).cloned();
    let renamed = request.map.iter().map(|(from, to)| (from.clone(), own(to)));
    renamed.chain(request.leave_out.iter().map(|l| (l.clone(), None))).collect()
}
