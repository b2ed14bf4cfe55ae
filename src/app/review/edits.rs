//! Labels and squares as edits: made on the screen at once, on the disk as soon as the session has them. No egui, no disk, no
//! clock.

use super::message::Effect;
use super::state::State;
use crate::domain::{ADDED, CellId, ImageId, Square};
use crate::session::{CellKey, Change, Edit, EditAction, Verdict};
use std::collections::BTreeSet;

/// Gives cells a label: on the screen at once, on the disk as soon as the session has it, as one edit.
pub(in crate::app) fn label_tiles(state: &mut State, tiles: &[CellId], label: &str) -> Vec<Effect> {
    let label = state.spelling(label);
    change(state, tiles, EditAction::Label, |_, _| Some(label.clone()))
}

pub(in crate::app) fn confirm(state: &mut State, tiles: &[CellId]) -> Vec<Effect> {
    change(state, tiles, EditAction::Accept, |state, tile| Some(state.verdict(tile).label.to_owned()))
}

fn change(
    state: &mut State,
    tiles: &[CellId],
    action: EditAction,
    label: impl Fn(&State, CellId) -> Option<String>,
) -> Vec<Effect> {
    if state.label_obstacle().is_some() {
        return Vec::new();
    }
    let mut changes = Vec::new();
    let mut seen = BTreeSet::new();
    for tile in tiles.iter().copied() {
        let (Some(key), Some(suggested)) = (state.key_of(tile), state.suggestion(tile)) else { continue };
        let Some(label) = label(state, tile).filter(|l| !l.is_empty()) else { continue };
        let before = state.labels.verdicts.get(&key).cloned();
        let square = before.as_ref().and_then(|b| b.square);
        let after = Verdict { label, suggested: suggested.to_owned(), square };
        // The same image may be open twice: it is one cell.
        // A cell that was one of many is confirmed by itself, although its label stays.
        let looked_at = tiles.len() == 1 && state.case.in_bulk(key);
        if (before.as_ref() != Some(&after) || looked_at) && seen.insert(key) {
            changes.push(Change { key, before, after: Some(after) });
        }
    }
    if changes.is_empty() {
        return Vec::new();
    }
    // Many at once are in bulk, even where most of them had their label already.
    commit(state, action.to_cells(tiles.len()), changes)
}

/// A new edit: it can be undone, and what was undone before cannot be done again.
fn commit(state: &mut State, action: EditAction, changes: Vec<Change>) -> Vec<Effect> {
    let edit = Edit { action, changes, reason: String::new() };
    state.labels.history.made(edit.clone());
    apply_edit(state, edit)
}

/// Makes an edit on the screen, and has it made durable.
pub(in crate::app) fn apply_edit(state: &mut State, edit: Edit) -> Vec<Effect> {
    let again = state.edit(&edit);
    let mut effects = vec![Effect::KeepLabels(edit)];
    effects.extend(again.into_iter().filter_map(|image| classify_again(state, image)));
    effects
}

/// Has an image classified again with the squares that it has now; what was asked before is out of date.
pub(in crate::app) fn classify_again(state: &mut State, image: ImageId) -> Option<Effect> {
    let path = state.images.get(image)?.path.clone();
    let asked = state.moved.entry(image).or_insert(0);
    *asked += 1;
    Some(Effect::Again(state.generation, *asked, path))
}

pub(in crate::app) fn move_square(state: &mut State, tile: CellId, square: Square) -> Vec<Effect> {
    let (Some(key), Some(suggested)) = (state.key_of(tile), state.suggestion(tile)) else { return Vec::new() };
    let before = state.labels.verdicts.get(&key).cloned();
    let mut after = before.clone().unwrap_or_else(|| Verdict { suggested: suggested.to_owned(), ..Verdict::default() });
    after.square = Some(square);
    square_edit(state, key, before, after, EditAction::MoveSquare)
}

pub(in crate::app) fn add_square(state: &mut State, image: ImageId, square: Square) -> Vec<Effect> {
    let Some(digest) = state.images.get(image).and_then(|i| i.digest) else { return Vec::new() };
    let taken = state.labels.verdicts.keys().filter(|k| k.image == digest && k.cell >= ADDED).map(|k| k.cell + 1);
    let key = CellKey { image: digest, cell: taken.max().unwrap_or(ADDED) };
    let after = Verdict { square: Some(square), ..Verdict::default() };
    square_edit(state, key, None, after, EditAction::AddSquare)
}

/// Makes a place that was rejected a cell of its image, which nobody judges any more.
pub(in crate::app) fn take_back(state: &mut State, place: CellId, square: Square) -> Vec<Effect> {
    let Some(digest) = state.images.get(place.image).and_then(|i| i.digest) else { return Vec::new() };
    let key = CellKey { image: digest, cell: place.number };
    let before = state.labels.verdicts.get(&key).cloned();
    let after = Verdict { square: Some(square), ..before.clone().unwrap_or_default() };
    square_edit(state, key, before, after, EditAction::AddSquare)
}

fn square_edit(
    state: &mut State,
    key: CellKey,
    before: Option<Verdict>,
    after: Verdict,
    action: EditAction,
) -> Vec<Effect> {
    if state.label_obstacle().is_some() || before.as_ref() == Some(&after) {
        return Vec::new();
    }
    commit(state, action, vec![Change { key, before, after: Some(after) }])
}
