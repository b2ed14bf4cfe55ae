//! The flags of a new model: kinds of which the dataset has images, but which are no classes. They are fitted on the features that the
//! trained network gives, and so change nothing that it answers.

use super::answers::runtime_answers;
use super::outcome::{TrainMonitor, TrainProgress};
use super::setup::Run;
use crate::dataset::{CutCell, Item, SplitPart};
use crate::domain::{NOT_A_WHITE_CELL, canonical_label, label_key};
use crate::model::{Flag, VettedModel};
use crate::training::{FlagExample, LEAST_FLAGGED, RecipeKind, fit_flag};
use crate::workflow::UserError;
use std::collections::BTreeMap;

/// Cells of a flag and laboratory that it is fitted on at most.
const OF_A_FLAG: usize = 500;
/// Cells of a class and laboratory at most.
const OF_A_CLASS: usize = 200;

/// A cell that flags are fitted on.
struct Chosen<'a> {
    item: &'a Item,
    cut: CutCell,
    /// The flag whose kind it is; none for a cell of the classes.
    flag: Option<usize>,
}

/// Fits the flags that are asked for; without any, those of the starting model where its features stay as they were.
pub(super) fn fit_flags(
    run: &Run<'_>,
    model: &VettedModel,
    monitor: &mut TrainMonitor<'_>,
) -> Result<Vec<Flag>, UserError> {
    let prepared = run.prepared;
    let request = &prepared.request;
    if request.flags.is_empty() {
        let same = run.options.recipe.kind == RecipeKind::Head && request.side.is_none() && request.input.is_none();
        let before = prepared.start.model.as_ref().map_or_else(Vec::new, |model| model.card().flags.clone());
        if same || before.is_empty() {
            return Ok(before);
        }
        let names: Vec<&str> = before.iter().map(|f| f.label.as_str()).collect();
        monitor.event(TrainProgress::Note(format!(
            "the starting model's flags ({}) are not the new model's: its features are others now. Give --flag with images of them",
            names.join(", ")
        )));
        return Ok(Vec::new());
    }
    let chosen = choose(run);
    let cuts: Vec<CutCell> = chosen.iter().map(|c| c.cut).collect();
    let answers = runtime_answers(model, &prepared.cache, &cuts, monitor)?;
    let (places, names) = places(&chosen);
    let mut flags = Vec::new();
    for (number, label) in request.flags.iter().enumerate() {
        let of = (0..chosen.len()).filter(|i| chosen[*i].flag.is_none_or(|f| f == number));
        let example = |i: usize| FlagExample {
            features: &answers[i].features,
            flagged: chosen[i].flag.is_some(),
            source: places[i].0,
            group: places[i].1,
        };
        let examples: Vec<FlagExample<'_>> = of.map(example).collect();
        let cells = examples.iter().filter(|e| e.flagged).count();
        let Some(fitted) = fit_flag(&examples) else {
            monitor.event(TrainProgress::Note(format!(
                "no flag for \"{label}\": {cells} cells of it and {} of the classes; each needs {LEAST_FLAGGED}",
                examples.len() - cells
            )));
            continue;
        };
        let flag = Flag {
            label: canonical_label(label),
            weights: fitted.weights,
            bias: fitted.bias,
            threshold: fitted.threshold,
            cells,
            others: examples.len() - cells,
            found: fitted.found,
            unseen: fitted.unseen.into_iter().map(|s| names[s].clone()).collect(),
        };
        monitor.event(TrainProgress::Note(format!("flag {}", flag.to_line())));
        flags.push(flag);
    }
    Ok(flags)
}

/// Numbers for the laboratory and the group of each cell, and the laboratories' names; a cell of which no group is known is one of its own.
fn places(chosen: &[Chosen<'_>]) -> (Vec<(usize, usize)>, Vec<String>) {
    let (mut sources, mut groups, mut names) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    let mut place = |(at, c): (usize, &Chosen<'_>)| {
        let source = c.item.source.clone().unwrap_or_default();
        let next = sources.len();
        let number = *sources.entry(label_key(&source)).or_insert(next);
        if number == names.len() {
            names.push(source);
        }
        // No group of a table has a line break before it.
        let group = c.item.group.clone().unwrap_or_else(|| format!("\n{at}"));
        let next = groups.len();
        (number, *groups.entry((number, group)).or_insert(next))
    };
    let places = chosen.iter().enumerate().map(&mut place).collect();
    (places, names)
}

/// As many cells of each class and of each flag from every laboratory, drawn by the seed. "Not a white cell" is none of them: platelets
/// and rests may be among it.
fn choose<'a>(run: &'a Run<'_>) -> Vec<Chosen<'a>> {
    let prepared = run.prepared;
    let is_cell = |class: usize| prepared.labels.label(class).is_some_and(|l| canonical_label(l) != NOT_A_WHITE_CELL);
    let classes = prepared.cells.iter().filter(|c| c.part == Some(SplitPart::Train) && is_cell(c.class));
    let classes = classes.map(|c| (Chosen { item: &c.item, cut: c.cut, flag: None }, c.class));
    let flagged = prepared.flagged.iter();
    let flagged = flagged.map(|c| (Chosen { item: &c.item, cut: c.cut, flag: Some(c.flag) }, c.flag));
    let mut all: Vec<_> = classes.chain(flagged).collect();
    fastrand::Rng::with_seed(prepared.request.seed).shuffle(&mut all);
    let mut taken: BTreeMap<(bool, usize, String), usize> = BTreeMap::new();
    all.retain(|(chosen, kind)| {
        let source = chosen.item.source.as_deref().map(label_key).unwrap_or_default();
        let count = taken.entry((chosen.flag.is_some(), *kind, source)).or_default();
        *count += 1;
        *count <= if chosen.flag.is_some() { OF_A_FLAG } else { OF_A_CLASS }
    });
    all.into_iter().map(|(chosen, _)| chosen).collect()
}
