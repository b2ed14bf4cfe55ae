//! Why a dataset cannot be split as it is, and what helps: only what was tried and works is named. Words for the command
//! line are here; the window has its own for the same facts.

use super::request::{ClassCount, TrainRequest};
use crate::dataset::{Grouping, Groups, Item, LEAST, Ratio, Similarity, SplitError, SplitPart, group, split};
use crate::laboratory::number_of;

/// What helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    LeaveOut(Vec<String>),
    /// To split into training and validation alone.
    TwoParts,
    /// To take each image by itself: copies of one cell may then be on both sides.
    RandomSplit,
    /// To add images, from other patients, slides or days.
    MoreImages,
}

/// A class that cannot be split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Short {
    pub label: String,
    pub images: usize,
    pub groups: usize,
}

/// Why it cannot be split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Classes with too few images or groups for this many parts.
    TooSmall(Vec<Short>, usize),
    /// The dataset's own parts tear a group: one of its images, and two of the parts.
    Torn(String, &'static str, &'static str),
    /// A part gets nothing.
    Empty(&'static str),
}

/// Why a dataset cannot be split as it is, and what helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    pub why: Why,
    /// What helps, the best first; each was tried.
    pub remedies: Vec<Remedy>,
}

/// Finds out what helps by trying it.
pub(super) fn obstacle(
    e: &SplitError,
    request: &TrainRequest,
    counts: &[ClassCount],
    items: &[Item],
    classes: &[usize],
    groups: &Groups,
) -> Obstacle {
    let fixed: Vec<Option<SplitPart>> = items.iter().map(|i| i.part).collect();
    let small: Vec<usize> = (0..counts.len()).filter(|c| counts[*c].too_small).collect();
    let named = |c: &usize| counts[*c].label.clone();
    let two = Ratio([request.ratio.0[0], request.ratio.0[1], 0.0]);
    let parts = request.ratio.0.iter().filter(|s| **s > 0.0).count();
    let without = |ratio: Ratio| {
        let rows: Vec<usize> = (0..classes.len()).filter(|r| !small.contains(&classes[*r])).collect();
        let pick = |of: &[usize]| rows.iter().map(|r| of[*r]).collect::<Vec<_>>();
        let fixed: Vec<Option<SplitPart>> = rows.iter().map(|r| fixed[*r]).collect();
        let left = counts.iter().filter(|c| !c.left_out).count() - small.len();
        left >= 2 && split(&pick(classes), &pick(&groups.of), &fixed, ratio, request.seed).is_ok()
    };
    let random = || {
        let alone = group(items, Grouping::None, Similarity::default());
        request.grouping != Grouping::None && split(classes, &alone.of, &fixed, request.ratio, request.seed).is_ok()
    };
    let mut remedies = Vec::new();
    if !small.is_empty() && without(request.ratio) {
        remedies.push(Remedy::LeaveOut(small.iter().map(named).collect()));
    }
    if parts > 2 && split(classes, &groups.of, &fixed, two, request.seed).is_ok() {
        remedies.push(Remedy::TwoParts);
    }
    if random() {
        remedies.push(Remedy::RandomSplit);
    }
    if !matches!(e, SplitError::Torn(..)) {
        remedies.push(Remedy::MoreImages);
    }
    let why = match e {
        SplitError::TooSmall { class, images, groups, parts } => {
            let short = |c: &usize| Short {
                label: named(c),
                images: classes.iter().filter(|k| *k == c).count(),
                groups: counts[*c].groups,
            };
            let mut all: Vec<Short> = small.iter().map(short).collect();
            if all.is_empty() {
                all.push(Short { label: named(class), images: *images, groups: *groups });
            }
            Why::TooSmall(all, *parts)
        }
        SplitError::Torn(g, a, b) => {
            let example = groups.of.iter().position(|k| k == g).map_or_else(String::new, |i| items[i].name.clone());
            Why::Torn(example, a, b)
        }
        SplitError::Empty(part) => Why::Empty(part),
    };
    Obstacle { why, remedies }
}

impl Obstacle {
    /// Why, without what to do.
    pub fn why(&self) -> String {
        match &self.why {
            Why::TooSmall(short, parts) => {
                let all: Vec<String> = short
                    .iter()
                    .map(|s| {
                        format!(
                            "class \"{}\" has {} in {}",
                            s.label,
                            number_of(s.images, "image", "images"),
                            number_of(s.groups, "group", "groups")
                        )
                    })
                    .collect();
                format!(
                    "{}; at least {LEAST} images and a group for each of the {parts} parts are needed",
                    all.join(", ")
                )
            }
            Why::Torn(example, a, b) => format!(
                "the dataset's own parts tear a group (that of {example}): some of its images are in {a}, others in {b}"
            ),
            Why::Empty(part) => format!("no group is left for the {part} part"),
        }
    }

    /// Why, and what to do, in the command line's words.
    pub fn for_the_command_line(&self) -> String {
        let what = |r: &Remedy| {
            match r {
            Remedy::LeaveOut(labels) => {
                let options: Vec<String> = labels.iter().map(|l| format!("--leave-out \"{l}\"")).collect();
                format!("leave {} out ({})", if labels.len() == 1 { "it" } else { "them" }, options.join(" "))
            }
            Remedy::TwoParts => "do without a test part (--split 80/20)".to_owned(),
            Remedy::RandomSplit => {
                "take each image by itself (--group-by none; copies of one cell may then be on both sides, and the figures too good)"
                    .to_owned()
            }
            Remedy::MoreImages => "add images of other patients, slides or days".to_owned(),
        }
        };
        let mut ways: Vec<String> = self.remedies.iter().map(what).collect();
        if matches!(self.why, Why::Torn(..)) {
            ways.insert(0, "correct the split column".into());
        }
        format!("{}. What helps: {}", self.why(), ways.join("; or "))
    }
}
