//! The commands of the Review page: what each does, whether it makes sense now, and why not. No egui, no disk, no thread, no clock.

use super::case::RangeDraft;
use super::edits::{apply_edit, confirm, take_back};
use super::message::{Effect, Input, ReviewedFor};
use super::state::{Dialog, Filter, GalleryState, State};
use super::update::{input, keep_drafts, reopen, set_label};
use crate::app::choice::GallerySort;
use crate::app::command::Command;
use crate::app::language::tr;
use crate::app::shell;
use crate::domain::{CellClass, CellId, NOT_A_WHITE_CELL, UNIDENTIFIED};
use crate::workflow::Export;
use std::collections::BTreeSet;

pub fn command(state: &mut State, shell: &mut shell::State, command: Command, now: f64) -> Vec<Effect> {
    match command {
        Command::OpenFolder => vec![Effect::AskFolder],
        Command::OpenImage => vec![Effect::AskImages],
        Command::DemoSlide => vec![Effect::Demo],
        Command::Export(export) => vec![Effect::Export(export)],
        Command::WatchFolder if state.watching => {
            state.watching = false;
            vec![Effect::Cancel]
        }
        Command::WatchFolder => vec![Effect::AskWatch],
        Command::TrainOnReviewed => vec![Effect::ReviewedCells(ReviewedFor::Training)],
        Command::EvaluateOnReviewed => vec![Effect::ReviewedCells(ReviewedFor::Evaluation)],
        Command::Classify => reopen(state, shell, true, now),
        // What is known already is passed over.
        Command::Resume => reopen(state, shell, false, now),
        Command::CancelJob => {
            state.watching = false;
            if let Some(job) = &mut state.job {
                job.stopping = true;
            }
            vec![Effect::Cancel]
        }
        Command::ToggleCells => {
            state.all_cells = !state.all_cells;
            reopen(state, shell, false, now)
        }
        Command::Undo | Command::Redo => {
            let history = &mut state.labels.history;
            let edit = if command == Command::Undo { history.undo() } else { history.redo() };
            edit.map_or_else(Vec::new, |edit| apply_edit(state, edit))
        }
        Command::Label(_)
        | Command::NoWhiteCell
        | Command::OtherLabel
        | Command::Accept
        | Command::NextUnreviewed
        | Command::NextFlagged
        | Command::SelectAll => label_command(state, shell, command, now),
        Command::SignOff | Command::Amend | Command::EditRanges | Command::ToggleDifferential => {
            case_command(state, shell, command, now)
        }
        _ => view_command(state, command),
    }
}

/// A command that labels, or goes to what wants a label.
fn label_command(state: &mut State, shell: &mut shell::State, command: Command, now: f64) -> Vec<Effect> {
    match command {
        Command::Label(n) => {
            let label = CellClass::of_key(usize::from(n)).map_or(UNIDENTIFIED, |c| c.label);
            set_label(state, shell, None, label, now)
        }
        Command::NoWhiteCell => set_label(state, shell, None, NOT_A_WHITE_CELL, now),
        Command::OtherLabel => {
            state.dialog = Dialog::Label(String::new());
            Vec::new()
        }
        Command::Accept => {
            let targets = state.targets(None);
            if targets.len() > 1 {
                // Many cells that nobody may have looked at one by one: asked once, and written down as what it is.
                state.dialog = Dialog::ConfirmAll(targets.len());
                return Vec::new();
            }
            let mut effects = confirm(state, &targets);
            effects.extend(input(state, shell, Input::Move(1), now));
            effects
        }
        Command::SelectAll => {
            let all: BTreeSet<CellId> = state.visible.iter().copied().collect();
            let (cursor, anchor) = (state.selected, state.visible.first().copied());
            state.choose(all);
            (state.selected, state.anchor) = (cursor.or(anchor), anchor);
            Vec::new()
        }
        _ => {
            let next = match command {
                Command::NextFlagged => state.next_where(|t| state.flagged(t)),
                _ => state.next_where(|t| t.is_cell() && state.verdict(t).reviewed.is_none()),
            };
            match next {
                Some(tile) => {
                    state.reveal = true;
                    return input(state, shell, Input::Select(tile), now);
                }
                None if command == Command::NextFlagged => shell.say(tr!("Nothing is flagged any more"), false, now),
                None => shell.say(tr!("Every cell shown is reviewed"), false, now),
            }
            Vec::new()
        }
    }
}

fn case_command(state: &mut State, shell: &mut shell::State, command: Command, now: f64) -> Vec<Effect> {
    match command {
        Command::ToggleDifferential => {
            state.case.shown = !state.case.shown;
            return keep_drafts(state, shell, now);
        }
        Command::SignOff => {
            state.dialog = Dialog::Sign { reason: String::new() };
            state.case.files = None;
            let mut effects = keep_drafts(state, shell, now);
            effects.push(Effect::LookAtFiles(state.generation));
            return effects;
        }
        Command::Amend => state.dialog = Dialog::Amend { reason: String::new() },
        _ => state.dialog = Dialog::Ranges(state.case.ranges.list().iter().map(RangeDraft::new).collect()),
    }
    Vec::new()
}

/// A command that changes what is shown, and how.
fn view_command(state: &mut State, command: Command) -> Vec<Effect> {
    match command {
        Command::ToggleMap => {
            state.map.shown = !state.map.shown;
            if state.map.shown && (state.map.points.is_none() || state.map_outdated()) && state.map.busy.is_none() {
                return state.ask_map();
            }
        }
        Command::ToggleHeat => state.heat.shown = !state.heat.shown,
        Command::DrawSquares => state.drawing = !state.drawing,
        Command::ToggleRejected => state.show_rejected = !state.show_rejected,
        Command::TakeBack => {
            if let Some((tile, place)) =
                state.rejected_here().and_then(|(image, all)| Some((image, all.first()?.clone())))
            {
                return take_back(state, CellId { image: tile, number: place.number }, place.square);
            }
        }
        Command::LargerTiles => state.tile_size = (state.tile_size * 1.25).min(320.0),
        Command::SmallerTiles => state.tile_size = (state.tile_size / 1.25).max(64.0),
        Command::Sort(s) => {
            state.sort = s;
            if s == GallerySort::Similar {
                let cell = state.selected.and_then(|t| state.cell_of(t));
                state.similar_to = cell.map(|c| c.features.clone());
            }
            (state.gallery, state.reveal) = (GalleryState::Stale, true);
        }
        Command::ClearFilter => (state.filter, state.gallery) = (Filter::default(), GalleryState::Stale),
        Command::FocusFilter => state.focus_filter = true,
        Command::FitImage => state.fit = true,
        _ => {}
    }
    Vec::new()
}

/// Why a key of a command does nothing now, where the user has to know. `amend` is how the keys for an amendment are called.
pub fn refusal(state: &State, command: Command, amend: impl FnOnce() -> String) -> Option<String> {
    let changes = command.labels() || matches!(command, Command::Undo | Command::Redo | Command::SignOff);
    if !changes || state.tiles.is_empty() {
        return None;
    }
    // Who only reads can amend nothing.
    if let Some(why) = state.labels.obstacle() {
        return Some(tr!("Labels cannot be given: %{why}", why = why));
    }
    let signed = state.case.record.signatures.last().filter(|_| state.case.record.locked())?;
    Some(tr!("Signed by %{who}: nothing can be changed. Press %{keys} to amend", who = signed.operator, keys = amend()))
}

/// Whether a command of this page makes sense now; `open`: the page is on the screen.
pub fn enabled(state: &State, command: Command, open: bool) -> bool {
    let labels = state.labels.open && !state.labels.verdicts.is_empty();
    match command {
        Command::Export(export) => match export {
            Export::Table => !state.images.is_empty() && state.job.is_none(),
            Export::ReportHtml | Export::ReportFhir => !state.images.is_empty(),
            Export::Labels | Export::Images => labels,
        },
        Command::TrainOnReviewed | Command::EvaluateOnReviewed => labels,
        Command::Label(_) => open && state.label_obstacle().is_none() && !state.tiles.is_empty(),
        Command::NextUnreviewed | Command::NextFlagged | Command::SelectAll => open && !state.visible.is_empty(),
        Command::ToggleMap => open && !state.tiles.is_empty(),
        Command::ToggleHeat => open && state.selected.is_some(),
        Command::DrawSquares => state.model.looks_at_squares() && open && state.selected.is_some(),
        Command::ToggleRejected => open && !state.tiles.is_empty(),
        Command::TakeBack => {
            let any = state.rejected_here().is_some_and(|(_, places)| !places.is_empty());
            open && any && state.label_obstacle().is_none()
        }
        Command::SignOff => open && state.label_obstacle().is_none() && !state.images.is_empty() && state.job.is_none(),
        Command::Amend => state.case.record.locked() && state.labels.open && state.labels.read_only.is_none(),
        Command::Classify => !state.opened.is_empty() && state.job.is_none(),
        Command::CancelJob => state.job.is_some(),
        Command::Resume => state.unfinished.is_some() && state.job.is_none(),
        Command::ClearFilter => state.filter != Filter::default(),
        Command::Accept | Command::NoWhiteCell | Command::OtherLabel => {
            let chosen = state.selected.is_some_and(|t| state.key_of(t).is_some());
            open && chosen && state.label_obstacle().is_none()
        }
        Command::Undo => state.labels.history.depth().0 > 0 && state.label_obstacle().is_none(),
        Command::Redo => state.labels.history.depth().1 > 0 && state.label_obstacle().is_none(),
        Command::FitImage => state.selected.is_some(),
        _ => true,
    }
}

/// Whether a command of this page is on.
pub fn checked(state: &State, command: Command) -> Option<bool> {
    match command {
        Command::Sort(s) => Some(state.sort == s),
        Command::ToggleCells => Some(state.all_cells),
        Command::ToggleDifferential => Some(state.case.shown),
        Command::DrawSquares => Some(state.drawing),
        Command::ToggleRejected => Some(state.show_rejected),
        Command::ToggleMap => Some(state.map.shown),
        Command::ToggleHeat => Some(state.heat.shown),
        Command::WatchFolder => Some(state.watching),
        _ => None,
    }
}
