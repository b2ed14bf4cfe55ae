//! How the Review page answers the user: inputs in, effects out. No egui, no disk, no thread, no clock.

use super::case::{Draft, RangeDraft, Signing, is_reason};
use super::edits::{add_square, confirm, label_tiles, move_square, take_back};
use super::labels::LabelView;
use super::map_state::MapView;
use super::message::{Effect, Input};
use super::state::{Dialog, Filter, GalleryState, Job, JobStep, Kind, State};
use crate::app::choice::{GallerySort, Page};
use crate::app::language::{look_up, tr, whole};
use crate::app::shell;
use crate::domain::CellId;
use crate::files::display_name;
use crate::laboratory::Ranges;
use crate::model::ModelCard;
use crate::session::CaseChange;
use std::path::PathBuf;
use std::sync::Arc;

/// The user's other input.
pub fn input(state: &mut State, shell: &mut shell::State, input: Input, now: f64) -> Vec<Effect> {
    match input {
        Input::Select(_)
        | Input::Toggle(_)
        | Input::Range(_)
        | Input::Extend(_)
        | Input::Choose(_)
        | Input::Move(_) => {
            select(state, input);
        }
        Input::Drop(..) | Input::SetLabel(..) | Input::AcceptAll => return label_input(state, shell, input, now),
        Input::MoveSquare(tile, square) => return move_square(state, tile, square),
        Input::AddSquare(image, square) => return add_square(state, image, square),
        Input::TakeBack(place, square) => return take_back(state, place, square),
        Input::PutUnusualAway => state.unusual = None,
        Input::Leave => return keep_drafts(state, shell, now),
        Input::MakeMap => return state.ask_map(),
        Input::StopMap => return vec![Effect::StopMap],
        Input::ShowChosen => {
            state.map.shown = false;
            state.filter = Filter { only: Some(Arc::new(state.chosen.clone())), ..Filter::default() };
            state.gallery = GalleryState::Stale;
        }
        Input::HeatOpacity(share) => state.heat.opacity = share,
        Input::PutHintAway => state.hint_seen = state.labels.corrections,
        Input::Filter(filter) => (state.filter, state.gallery) = (filter, GalleryState::Stale),
        Input::LookAt(filter) => {
            (state.filter, state.gallery) = (filter, GalleryState::Stale);
            state.show_rejected = true;
        }
        Input::Watch(path) => return vec![Effect::OpenIfThere(vec![path], true)],
        Input::Open(paths) if paths.is_empty() => {}
        Input::Open(paths) => return vec![Effect::OpenIfThere(paths, false)],
        Input::Dialog(dialog) => state.dialog = dialog,
        // A command may be another page's: whoever dispatches takes it.
        Input::Command(_) => {}
        Input::Refused(why) => shell.refuse(why, now),
        other => return case_input(state, shell, other, now),
    }
    Vec::new()
}

/// Chooses tiles.
fn select(state: &mut State, input: Input) {
    match input {
        Input::Select(tile) => {
            state.fit |= state.selected.map(|t| t.image) != Some(tile.image);
            (state.selected, state.anchor) = (Some(tile), Some(tile));
            state.chosen.clear();
        }
        Input::Toggle(tile) => state.toggle_chosen(tile),
        Input::Range(tile) => state.choose_range(tile),
        Input::Extend(by) => {
            let at = state.selected.and_then(|s| state.visible.iter().position(|&v| v == s));
            if let (Some(at), Some(last)) = (at, state.visible.len().checked_sub(1)) {
                state.reveal = true;
                state.choose_range(state.visible[at.saturating_add_signed(by).min(last)]);
            }
        }
        Input::Choose(tiles) => state.choose(tiles),
        Input::Move(by) => {
            let Some(last) = state.visible.len().checked_sub(1) else { return };
            let at = state.selected.and_then(|s| state.visible.iter().position(|&v| v == s));
            let to = at.map_or(0, |a| a.saturating_add_signed(by).min(last));
            state.reveal = true;
            select(state, Input::Select(state.visible[to]));
        }
        _ => {}
    }
}

fn label_input(state: &mut State, shell: &mut shell::State, input: Input, now: f64) -> Vec<Effect> {
    match input {
        Input::Drop(tile, label) => {
            let together = state.chosen.len() > 1 && state.chosen.contains(&tile);
            let targets = if together { state.targets(None) } else { vec![tile] };
            label_cells(state, shell, &targets, &label, now)
        }
        Input::SetLabel(cell, label) => {
            if matches!(state.dialog, Dialog::Label(_)) {
                state.dialog = Dialog::None;
            }
            set_label(state, shell, cell, &label, now)
        }
        Input::AcceptAll => {
            state.dialog = Dialog::None;
            let targets = state.targets(None);
            let effects = confirm(state, &targets);
            let changed = effects.iter().map(|e| if let Effect::KeepLabels(e) = e { e.changes.len() } else { 0 }).sum();
            shell.feedback(tr!("%{n} labels confirmed in bulk", n = whole(changed)), now);
            effects
        }
        _ => Vec::new(),
    }
}

fn case_input(state: &mut State, shell: &mut shell::State, input: Input, now: f64) -> Vec<Effect> {
    match input {
        Input::CaseDraft(name, text) => match text {
            Some(text) => drop(state.case.drafts.insert(name, text)),
            None => drop(state.case.drafts.remove(&name)),
        },
        Input::Case(field, value) => {
            state.case.drafts.remove(&Draft::Case(field));
            let mut value = value.trim().to_owned();
            if field.is_number() && !value.is_empty() {
                // A comma is how half of the world writes a decimal point.
                value = value.replace(',', ".");
                if value.parse().ok().is_none_or(|v: f64| !v.is_finite() || v < 0.0) {
                    shell.say(tr!("\"%{text}\" is no number", text = value), true, now);
                    return Vec::new();
                }
            }
            if state.label_obstacle().is_none()
                && state.case.record.entries.get(field.as_str()).map_or("", String::as_str) != value
            {
                return vec![Effect::ChangeCase(CaseChange::Set(field.as_str().into(), value))];
            }
        }
        Input::Sign(reason, time) => return ask_signature(state, shell, &reason, time, now),
        Input::Fields(group, same) if state.label_obstacle().is_none() => {
            return state.case.decide_fields(&group, same).into_iter().map(Effect::ChangeCase).collect();
        }
        Input::Amend(reason) => {
            state.dialog = Dialog::None;
            if state.case.record.locked() && is_reason(&reason) {
                return vec![Effect::ChangeCase(CaseChange::Amend(reason.trim().to_owned()))];
            }
        }
        Input::Ranges(drafts) => match drafts.iter().map(RangeDraft::range).collect::<Result<Vec<_>, _>>() {
            Ok(ranges) => {
                state.dialog = Dialog::None;
                // Who saves while the file cannot be read was told so, and asked for it to be set aside.
                let set_aside = matches!(state.case.ranges, Ranges::Unreadable(_));
                return vec![Effect::KeepRanges(ranges, set_aside)];
            }
            Err(why) => shell.say(why.to_string(), true, now),
        },
        Input::Operator(initials) => {
            shell.operator = initials.trim().chars().take(12).collect();
        }
        _ => {}
    }
    Vec::new()
}

/// Somebody signs: the files are looked at first.
fn ask_signature(state: &mut State, shell: &mut shell::State, reason: &str, time: String, now: f64) -> Vec<Effect> {
    state.dialog = Dialog::None;
    let reason = reason.trim().to_owned();
    let open = !state.table(None).obstacles().is_empty();
    if state.labels.waiting > 0 {
        shell.say(tr!("Labels are still on their way to the disk; sign again"), true, now);
        return Vec::new();
    }
    if state.label_obstacle().is_some() || shell.operator.trim().is_empty() || (open && !is_reason(&reason)) {
        return Vec::new();
    }
    // The files as they are now are what is signed.
    let open = state.table(None).obstacles();
    state.case.signing = Some(Signing { reason, time, open });
    vec![Effect::LookAtFiles(state.generation)]
}

/// Opens paths: another case begins.
pub(super) fn open(state: &mut State, shell: &mut shell::State, paths: Vec<PathBuf>, now: f64) -> Vec<Effect> {
    if paths.is_empty() {
        return Vec::new();
    }
    // What was typed belongs to the case that is left, and is kept there before another one is opened.
    let mut effects = keep_drafts(state, shell, now);
    for path in paths.iter().rev() {
        crate::workflow::remember_recent(&mut shell.recent, path);
    }
    state.opened = paths;
    state.filter = Filter::default();
    state.map = MapView { shown: state.map.shown, ..Default::default() };
    state.sort = GallerySort::Name;
    shell.page = Page::Review;
    (state.dialog, shell.dialog) = (Dialog::None, shell::Dialog::None);
    state.watching = false;
    effects.extend(reopen(state, shell, false, now));
    effects
}

/// Opens the session of what is open, and classifies: what its session does not know, or everything (`fresh`).
pub fn reopen(state: &mut State, shell: &mut shell::State, fresh: bool, now: f64) -> Vec<Effect> {
    if state.opened.is_empty() {
        return Vec::new();
    }
    let mut effects = keep_drafts(state, shell, now);
    state.generation = state.generation.next();
    state.images.clear();
    state.visible.clear();
    (state.selected, state.cursor) = (None, None);
    state.moved.clear();
    (state.unfinished, state.nothing_in, state.unkept) = (None, None, false);
    state.rebuild();
    state.gallery = GalleryState::Current;
    state.known = Arc::default();
    state.drawing = false;
    state.similar_to = None;
    (state.heat.map, state.heat.asked, state.heat.failed) = (None, None, None);
    state.skipped = 0;
    state.unusual = None;
    state.engine = None;
    state.job = Some(Job {
        generation: state.generation,
        title: tr!("Classifying"),
        done: 0,
        total: 0,
        since: now,
        stopping: false,
        step: JobStep::Opening { fresh },
    });
    state.labels = LabelView::default();
    state.case.clear();
    effects.extend([Effect::Cancel, Effect::OpenSession(state.generation, state.opened.clone())]);
    effects
}

/// Keeps what is typed into the fields of the case and was not left yet: by whatever way they leave the screen.
pub(super) fn keep_drafts(state: &mut State, shell: &mut shell::State, now: f64) -> Vec<Effect> {
    let drafts = std::mem::take(&mut state.case.drafts);
    let mut effects = Vec::new();
    for (name, text) in drafts {
        effects.extend(input(state, shell, name.kept(text), now));
    }
    effects
}

/// Gives a label to the cells chosen together, else to `cell`, else to the chosen one.
pub(super) fn set_label(
    state: &mut State,
    shell: &mut shell::State,
    cell: Option<CellId>,
    label: &str,
    now: f64,
) -> Vec<Effect> {
    let targets = state.targets(cell);
    // What a label was given to is what is looked at from now on.
    if let (Some(cell), true) = (cell, targets.len() == 1) {
        state.fit |= state.selected.map(|t| t.image) != Some(cell.image);
        (state.selected, state.anchor) = (Some(cell), Some(cell));
    }
    label_cells(state, shell, &targets, label, now)
}

/// Gives cells a label, and says which cell got which.
fn label_cells(state: &mut State, shell: &mut shell::State, targets: &[CellId], label: &str, now: f64) -> Vec<Effect> {
    let effects = label_tiles(state, targets, label);
    if !effects.is_empty() {
        let label = look_up(&state.spelling(label));
        let what = match targets {
            [one] => state.image_of(*one).map_or_else(String::new, |i| display_name(&i.path)),
            many => tr!("%{n} cells", n = whole(many.len())),
        };
        shell.feedback(format!("{what}: {label}"), now);
    }
    effects
}

/// Another model is in use: what is open is classified with it.
pub fn use_model(state: &mut State, shell: &mut shell::State, card: Arc<ModelCard>, now: f64) -> Vec<Effect> {
    state.model = card;
    state.filter.kind = Kind::All;
    state.filter.only = None;
    // Another model sees other things alike.
    state.map = MapView { shown: state.map.shown, ..Default::default() };
    reopen(state, shell, false, now)
}

/// Lets time pass: the gallery catches up.
pub fn tick(state: &mut State, now: f64) {
    // While results pour in, a large gallery is put in order four times a second, not at every frame.
    let due = state.tiles.len() < 4000 || now - state.refreshed > 0.25;
    if state.replaced && due {
        state.rebuild();
    }
    if state.gallery == GalleryState::Stale || (state.gallery == GalleryState::Grown && due) {
        state.refresh();
        state.refreshed = now;
    }
}
