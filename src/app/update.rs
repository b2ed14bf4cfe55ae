//! How the window's state answers: commands and events in, effects out. No egui, no disk, no thread, no clock.

use super::case::{RangeDraft, is_reason};
use super::command::Command;
use super::edits::{accept, add_square, classify_again, give, made, move_square};
use super::evaluation::{EvaluateEvent, Which};
use super::labels::SessionEvent;
use super::language::{tr, whole};
use super::state::{Dialog, Filter, GallerySort, Job, Kind, State, Toast};
use super::training::Phase;
use crate::domain::{ADDED, CellClass, CellId, Digest, ImageResult, NOT_A_WHITE_CELL, UNIDENTIFIED};
use crate::laboratory::{Ranges, Snapshot};
use crate::session::CaseChange;
use crate::task::Generation;
use crate::workflow::pick_cells;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

/// How long a toast stays, seconds.
const TOAST_SECONDS: f64 = 6.0;
/// How many lines the log keeps; the failed tiles have their reasons anyway.
const LOG_LINES: usize = 5000;

pub use super::message::{Effect, Event, Input};
use super::models::{Answer, ModelsEffect, ModelsEvent};

/// A person's command.
pub fn command(state: &mut State, command: Command, now: f64) -> Vec<Effect> {
    if !command.enabled(state) {
        return Vec::new();
    }
    match command {
        Command::OpenFolder => return vec![Effect::AskFolder],
        Command::OpenImage => return vec![Effect::AskImages],
        Command::OpenModel => return vec![Effect::AskModel],
        Command::UseBundledModel => return vec![Effect::BundledModel],
        Command::ExportCsv => return vec![Effect::ExportLabels],
        Command::ExportReport | Command::ExportFhir => match state.report(&crate::workflow::now()) {
            Ok(report) if command == Command::ExportReport => {
                // Heat maps go into the page while they are shown in Review.
                let images = state.images.values().map(|i| &**i);
                let picks = if state.heat.shown { pick_cells(images, &state.model.classes) } else { Vec::new() };
                return vec![Effect::ExportReport(Box::new(report), picks)];
            }
            Ok(report) => return vec![Effect::ExportFhir(Box::new(report))],
            Err(e) => say(state, e, true, now),
        },
        Command::ExportTable => return vec![Effect::AskExport],
        Command::ExportImages => return vec![Effect::ExportImages],
        Command::WatchFolder => {
            if state.watching {
                state.watching = false;
                return vec![Effect::Cancel];
            }
            return vec![Effect::AskWatch];
        }
        Command::TrainOnReviewed => {
            // What is adapted is the model in use.
            let path = state.model_path.as_ref().map(|p| p.to_string_lossy().into_owned());
            state.train.form.init = path.unwrap_or_default();
            return vec![Effect::ReviewedCells(true)];
        }
        Command::EvaluateOnReviewed => return vec![Effect::ReviewedCells(false)],
        Command::Label(n) => {
            let label = CellClass::of_key(usize::from(n)).map_or(UNIDENTIFIED, |c| c.label);
            return set_label(state, None, label, now);
        }
        Command::OtherLabel => state.dialog = Dialog::Label(String::new()),
        Command::NoWhiteCell => {
            return set_label(state, None, NOT_A_WHITE_CELL, now);
        }
        Command::NextUnreviewed | Command::NextFlagged => {
            let next = match command {
                Command::NextFlagged => state.next_where(|t| state.flagged(t)),
                _ => state.next_where(|t| t.is_cell() && state.verdict(t).reviewed.is_none()),
            };
            match next {
                Some(tile) => {
                    state.reveal = true;
                    return input(state, Input::Select(tile), now);
                }
                None if command == Command::NextFlagged => say(state, tr!("Nothing is flagged any more"), false, now),
                None => say(state, tr!("Every cell shown is reviewed"), false, now),
            }
        }
        Command::SelectAll => {
            let all: BTreeSet<CellId> = state.visible.iter().copied().collect();
            let (cursor, anchor) = (state.selected, state.visible.first().copied());
            state.choose(all);
            (state.selected, state.anchor) = (cursor.or(anchor), anchor);
        }
        Command::ToggleMap => {
            state.map.shown = !state.map.shown;
            if state.map.shown && (state.map.points.is_none() || state.map_outdated()) && state.map.busy.is_none() {
                return state.ask_map();
            }
        }
        Command::ToggleHeat => state.heat.shown = !state.heat.shown,
        Command::DrawSquares => state.drawing = !state.drawing,
        Command::ToggleDifferential => {
            state.case.shown = !state.case.shown;
            return keep_drafts(state, now);
        }
        Command::SignOff => {
            state.dialog = Dialog::Sign { reason: String::new() };
            state.case.files = None;
            let mut effects = keep_drafts(state, now);
            effects.push(Effect::LookAtFiles(state.generation));
            return effects;
        }
        Command::Amend => state.dialog = Dialog::Amend { reason: String::new() },
        Command::EditRanges => {
            state.dialog = Dialog::Ranges(state.case.ranges.list().iter().map(RangeDraft::of).collect());
        }
        Command::Speak(language) => {
            state.language = language;
            return vec![Effect::Remember];
        }
        Command::ChooseDataset => return vec![Effect::AskDataset],
        Command::LookAtData => return look(state),
        Command::StartTraining => return start(state),
        Command::PauseTraining => {
            state.train.held = !state.train.held;
            // Time that is held does not count for the time left.
            state.train.since = None;
            return vec![Effect::HoldTraining(state.train.held)];
        }
        Command::StopTraining => {
            state.train.stopping = true;
            return vec![Effect::StopTraining];
        }
        Command::UseTrainedModel => {
            let model = state.train.outcome.as_ref().and_then(|o| o.model.clone());
            if let Some((path, _)) = model {
                state.model_before = Some(state.model_path.clone());
                return vec![Effect::OpenModel(Some(path))];
            }
        }
        Command::PreviousModel => {
            if let Some(before) = state.model_before.take() {
                return vec![Effect::OpenModel(before)];
            }
        }
        Command::ChooseEvaluation => return vec![Effect::AskEvaluation],
        Command::Evaluate => return evaluate(state, now),
        Command::StopEvaluation => return vec![Effect::StopEvaluation],
        Command::ExportEvaluation => {
            return state.evaluate.found.clone().map(Effect::ExportEvaluation).into_iter().collect();
        }
        Command::Calibrate => {
            state.evaluate.begin("calibrating", now);
            return vec![Effect::Calibrate(state.evaluate.generation, Box::new(state.evaluate.form.clone()))];
        }
        Command::UseCalibratedModel => {
            if let Some((_, path)) = state.evaluate.calibrated.clone() {
                state.model_before = Some(state.model_path.clone());
                return vec![Effect::OpenModel(Some(path))];
            }
        }
        Command::ChooseOther => return vec![Effect::AskOther],
        Command::CompareModels => {
            if let Some(answers) = state.evaluate.answers(Which::Other) {
                state.evaluate.form.other_map.extend(answers);
            }
            state.evaluate.begin("evaluating the other model", now);
            let (g, form) = (state.evaluate.generation, Box::new(state.evaluate.form.clone()));
            return state.evaluate.found.clone().map(|f| Effect::Compare(g, form, f)).into_iter().collect();
        }
        Command::Accept => {
            let targets = state.targets(None);
            if targets.len() > 1 {
                // Many cells that nobody may have looked at one by one: asked once, and written down as what it is.
                state.dialog = Dialog::ConfirmAll(targets.len());
                return Vec::new();
            }
            let mut effects = accept(state, &targets);
            effects.extend(input(state, Input::Move(1), now));
            return effects;
        }
        Command::Undo | Command::Redo if state.place == super::state::Place::Review => {
            let history = &mut state.labels.history;
            let edit = if command == Command::Undo { history.undo() } else { history.redo() };
            let Some(edit) = edit else { return Vec::new() };
            return made(state, edit);
        }
        Command::Undo => {
            let kept = state.evaluate.undo();
            return corrected(state, kept);
        }
        Command::Redo => {
            let kept = state.evaluate.redo();
            return corrected(state, kept);
        }
        Command::DemoSlide => return vec![Effect::Demo],
        Command::OpenPath => state.dialog = Dialog::Path { text: String::new(), why: String::new(), watch: false },
        Command::Quit => {
            state.quit = true;
            let mut effects = keep_drafts(state, now);
            effects.push(Effect::Cancel);
            return effects;
        }
        Command::Classify => return reopen(state, true, now),
        // What is known already is passed over.
        Command::Resume => return reopen(state, false, now),
        Command::CancelJob => {
            state.watching = false;
            if let Some(job) = &mut state.job {
                job.stopping = true;
            }
            return vec![Effect::Cancel];
        }
        Command::ToggleCells => {
            state.all_cells = !state.all_cells;
            return reopen(state, false, now);
        }
        Command::UseProvider(p) => {
            if state.provider != p {
                state.provider = p;
                return reopen(state, true, now);
            }
        }
        Command::Go(place) => {
            let mut effects = keep_drafts(state, now);
            state.place = place;
            if place == super::state::Place::Models {
                // Whatever came into the folder meanwhile.
                effects.extend([Effect::Models(ModelsEffect::List), Effect::Models(ModelsEffect::Look)]);
            }
            return effects;
        }
        Command::LargerTiles => state.tile_size = (state.tile_size * 1.25).min(320.0),
        Command::SmallerTiles => state.tile_size = (state.tile_size / 1.25).max(64.0),
        Command::Theme(t) => {
            state.theme = t;
            return vec![Effect::Remember];
        }
        Command::Sort(s) => {
            state.sort = s;
            if s == GallerySort::Similar {
                let cell = state.selected.and_then(|t| state.cell_of(t));
                state.similar_to = cell.map(|c| c.features.clone());
            }
            state.stale = true;
            state.reveal = true;
        }
        Command::ClearFilter => {
            state.filter = Filter::default();
            state.stale = true;
        }
        Command::FocusFilter => state.focus_filter = true,
        Command::FitImage => state.fit = true,
        Command::Palette => state.dialog = Dialog::Palette { query: String::new(), chosen: 0 },
        Command::Keyboard => state.dialog = Dialog::Keyboard(None),
        Command::Log => state.dialog = Dialog::Log,
        Command::About => state.dialog = Dialog::About,
        Command::SelfCheck => {
            state.dialog = Dialog::SelfCheck(None);
            return vec![Effect::SelfCheck];
        }
    }
    Vec::new()
}

/// A person's other input.
pub fn input(state: &mut State, input: Input, now: f64) -> Vec<Effect> {
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
        Input::Drop(tile, label) => {
            let together = state.chosen.len() > 1 && state.chosen.contains(&tile);
            let targets = if together { state.targets(None) } else { vec![tile] };
            return label_cells(state, &targets, &label, now);
        }
        Input::SetLabel(cell, label) => {
            if matches!(state.dialog, Dialog::Label(_)) {
                state.dialog = Dialog::None;
            }
            return set_label(state, cell, &label, now);
        }
        Input::AcceptAll => {
            state.dialog = Dialog::None;
            let targets = state.targets(None);
            let effects = accept(state, &targets);
            let changed = effects.iter().map(|e| if let Effect::KeepLabels(e) = e { e.changes.len() } else { 0 }).sum();
            feedback(state, tr!("%{n} labels confirmed in bulk", n = whole(changed)), now);
            return effects;
        }
        Input::Refused(why) => {
            // The same key again does not fill the screen.
            if state.toasts.iter().all(|t| t.text != why) {
                say(state, why, true, now);
            }
        }
        Input::CaseDraft(name, text) => match text {
            Some(text) => drop(state.case.drafts.insert(name, text)),
            None => drop(state.case.drafts.remove(name)),
        },
        Input::Leave => return keep_drafts(state, now),
        Input::MoveSquare(tile, square) => return move_square(state, tile, square),
        Input::AddSquare(image, square) => return add_square(state, image, square),
        Input::Case(name, value) => {
            state.case.drafts.remove(name.as_str());
            let mut value = value.trim().to_owned();
            if matches!(name.as_str(), "wbc" | "age") && !value.is_empty() {
                // A comma is how half of the world writes a decimal point.
                value = value.replace(',', ".");
                if value.parse().ok().is_none_or(|v: f64| !v.is_finite() || v < 0.0) {
                    say(state, tr!("\"%{text}\" is no number", text = value), true, now);
                    return Vec::new();
                }
            }
            if state.label_obstacle().is_none()
                && state.case.record.entries.get(&name).map_or("", String::as_str) != value
            {
                return vec![Effect::ChangeCase(CaseChange::Set(name, value))];
            }
        }
        Input::Sign(reason, time) => {
            state.dialog = Dialog::None;
            let reason = reason.trim().to_owned();
            let open = !state.table(None).obstacles().is_empty();
            if state.labels.waiting > 0 {
                say(state, tr!("Labels are still on their way to the disk; sign again"), true, now);
                return Vec::new();
            }
            if state.label_obstacle().is_some() || state.operator.trim().is_empty() || (open && !is_reason(&reason)) {
                return Vec::new();
            }
            // The files as they are now are what is signed.
            let open = state.table(None).obstacles();
            state.case.signing = Some(super::case::Signing { reason, time, open });
            return vec![Effect::LookAtFiles(state.generation)];
        }
        Input::Fields(group, same) => {
            if state.label_obstacle().is_none() {
                return state.case.decide_fields(&group, same).into_iter().map(Effect::ChangeCase).collect();
            }
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
            Err(why) => say(state, why, true, now),
        },
        Input::Operator(initials) => {
            state.operator = initials.trim().chars().take(12).collect();
            return vec![Effect::Remember];
        }
        Input::Bind(command, keys) => {
            state.dialog = Dialog::Keyboard(None);
            if let Some(other) = state.keys.bind(command, keys) {
                say(state, tr!("%{name} has no keys any more", name = other.text()), false, now);
            }
            return vec![Effect::Remember];
        }
        Input::ResetKeys => {
            state.keys = super::keys::Keymap::default();
            return vec![Effect::Remember];
        }
        Input::MakeMap => return state.ask_map(),
        Input::StopMap => return vec![Effect::StopMap],
        Input::ShowChosen => {
            state.map.shown = false;
            state.filter = Filter { only: Some(Arc::new(state.chosen.clone())), ..Filter::default() };
            state.stale = true;
        }
        Input::Models(input) => {
            let in_use = state.model_path.clone();
            let answer = state.models.input(input, in_use.as_ref());
            return models_answer(state, answer, now);
        }
        Input::HeatOpacity(share) => state.heat.opacity = share,
        Input::PutHintAway => state.hint_seen = state.labels.corrections,
        Input::Move(by) => {
            if state.visible.is_empty() {
                return Vec::new();
            }
            let at = state.selected.and_then(|s| state.visible.iter().position(|&v| v == s));
            let last = state.visible.len() - 1;
            let to = at.map_or(0, |a| a.saturating_add_signed(by).min(last));
            state.reveal = true;
            return self::input(state, Input::Select(state.visible[to]), now);
        }
        Input::Command(c) => return command(state, c, now),
        Input::Filter(filter) => {
            state.filter = filter;
            state.stale = true;
        }
        Input::Watch(path) => return vec![Effect::OpenIfThere(vec![path], true)],
        // A model that is dropped or typed is opened as one.
        Input::Open(paths) if paths.len() == 1 && is_model(&paths[0]) => {
            state.dialog = Dialog::None;
            return vec![Effect::OpenModel(paths.into_iter().next())];
        }
        Input::Open(paths) if paths.is_empty() => {}
        Input::Open(paths) => return vec![Effect::OpenIfThere(paths, false)],
        Input::Dialog(dialog) => state.dialog = dialog,
        Input::Evaluate(input) => {
            let kept = state.evaluate.input(input);
            if let Some(text) = named(state, &kept) {
                say(state, text, false, now);
            }
            return corrected(state, kept);
        }
        Input::TrainForm(form) => state.train.form = *form,
        Input::TakeRemedy(form) => {
            state.train.form = *form;
            return look(state);
        }
        Input::TakeUp(run) => {
            state.train.take_up(&run);
            state.train.unfinished.retain(|r| r.out != run.out);
            return start(state);
        }
        Input::Forget(out) => {
            state.train.unfinished.retain(|r| r.out != out);
            return vec![Effect::ForgetRun(out)];
        }
    }
    Vec::new()
}

/// Something that happened outside.
pub fn event(state: &mut State, event: Event, now: f64) -> Vec<Effect> {
    let mut effects = Vec::new();
    let current = |state: &State, g: Generation| state.job.as_ref().is_some_and(|j| j.generation == g);
    match event {
        Event::Listed(g, n) if current(state, g) => {
            if let Some(job) = &mut state.job {
                (job.total, job.done) = (n, 0);
            }
        }
        Event::Started(g, engine) if current(state, g) => {
            state.log.push(tr!("Execution provider: %{engine}", engine = engine));
            state.trouble = None;
            state.engine = Some(engine);
        }
        Event::Switched(g, engine) if current(state, g) => {
            let said = tr!("Execution provider: %{engine}", engine = engine);
            say(state, said, true, now);
            state.engine = Some(engine);
        }
        Event::Row(g, result) if current(state, g) => {
            if let Some(job) = &mut state.job {
                job.done += 1;
            }
            let failed = match &result.outcome {
                crate::domain::Outcome::Failed(reason) => Some(reason),
                crate::domain::Outcome::Cells(_) => None,
            };
            for text in result.warnings.iter().chain(failed).take(LOG_LINES.saturating_sub(state.log.len())) {
                state.log.push(format!("{}: {text}", crate::files::display_name(&result.path)));
            }
            let first = state.tiles.is_empty();
            state.unkept |= state.case.record.locked() || state.began_signed;
            let image = state.add(result);
            if first {
                state.selected = state.tiles.first().copied();
                state.fit = true;
            }
            // Its squares were changed while it was being classified: what came was asked with the old ones.
            if state.moved.contains_key(&image) {
                effects.extend(classify_again(state, image));
            }
        }
        Event::Gone(g, paths) if current(state, g) => {
            say(
                state,
                tr!("%{n} files are not there any more; their labels are kept", n = whole(paths.len())),
                false,
                now,
            );
            state.drop_images(&paths.into_iter().collect());
        }
        Event::Reachable(g, there) if g == state.generation => {
            let text = if there {
                tr!("The folder can be read again")
            } else {
                tr!("What was opened cannot be read now; what was known of it is shown, and labels are kept")
            };
            say(state, text, !there, now);
        }
        Event::Looked(g, waiting) if current(state, g) => {
            if let Some(job) = &mut state.job {
                (job.done, job.total) = (0, 0);
                job.title =
                    if waiting > 0 { tr!("Watching, %{n} being written", n = waiting) } else { tr!("Watching") };
            }
        }
        Event::Again(g, asked, result) if g == state.generation => {
            let path = result.path.clone();
            let known = state.images.id_of(&path);
            if known.and_then(|id| state.moved.get(&id)).is_some_and(|last| *last != asked) {
                // The squares were changed again since: this is the answer to an older question.
                return effects;
            }
            let numbers = |r: &ImageResult| -> Vec<u32> {
                match &r.outcome {
                    crate::domain::Outcome::Cells(c) => c.iter().map(|c| c.number).collect(),
                    crate::domain::Outcome::Failed(_) => Vec::new(),
                }
            };
            let before = known.and_then(|id| state.images.get(id)).map(|r| numbers(r)).unwrap_or_default();
            let now = numbers(&result);
            state.unkept |= state.case.record.locked();
            let image = state.add(result);
            state.rebuild();
            // A cell that was drawn just now is the one that is looked at.
            if let Some(new) = now.into_iter().find(|n| *n >= ADDED && !before.contains(n)) {
                state.selected = Some(CellId { image, number: new });
            }
        }
        Event::Heat(g, key, found) if g == state.generation => {
            state.heat.asked = None;
            match found {
                Ok(map) => state.heat.map = Some((key, map)),
                Err(why) => state.heat.failed = Some((key, why)),
            }
        }
        Event::Watch(path) => {
            let effects = open(state, vec![path], now);
            state.watching = true;
            return effects;
        }
        Event::Ranges(ranges) => state.case.ranges = ranges,
        Event::Run(g, run) if g == state.generation => {
            // A signed session does not keep how far the run came, nor what it found.
            state.unkept |= state.case.record.locked() && (run.done > 0 || !state.known.is_empty() || run.to_do > 0);
            state.case.run = Some(run);
        }
        Event::Files(g, found, alike) if g == state.generation => {
            (state.case.files, state.case.alike) = (Some(found), alike);
            effects.extend(sign(state, now));
        }
        Event::Finished(g, skipped, stopped) if current(state, g) => {
            if state.unkept && !state.case.record.locked() && !stopped {
                // It was amended on the way: the session takes what it would not take before.
                return reopen(state, false, now);
            }
            let left = state.job.as_ref().map_or(0, |j| j.total.saturating_sub(j.done));
            state.unfinished = (stopped && left > 0).then(|| (state.images.len(), state.images.len() + left));
            state.job = None;
            state.watching = false;
            state.skipped = skipped;
            let d = state.slides.counts(None);
            let images = if d.images == 1 { tr!("1 image") } else { tr!("%{n} images", n = whole(d.images)) };
            let mut text = tr!("%{n} cells in %{images}", n = whole(d.squares().all), images = images);
            for (n, what) in [
                (d.failed, "%{n} failed"),
                (d.no_cell, "%{n} without a white cell"),
                (skipped, "%{n} other files skipped"),
            ] {
                if n > 0 {
                    text = format!("{text}, {}", tr!(what, n = whole(n)));
                }
            }
            let bad = d.images == 0 && !stopped;
            if bad {
                let names: Vec<String> = state.opened.iter().map(|p| crate::files::display_path(p)).collect();
                text = tr!("No images in %{path}", path = names.join(", "));
                // The first page again, with its buttons.
                state.nothing_in = Some(text.clone());
            }
            say(state, if stopped { tr!("Stopped: %{text}", text = text) } else { text }, bad, now);
        }
        Event::Failed(g, reason) if current(state, g) => {
            state.job = None;
            state.trouble = Some(reason.clone());
            say(state, reason, true, now);
        }
        Event::Chosen(paths) => return open(state, paths, now),
        Event::NotThere(why) => say(state, why, true, now),
        Event::NoDialog(watch) => {
            let why =
                tr!("No file dialog answered on this system. Type or paste a path, or drop files onto the window.");
            state.dialog = Dialog::Path { text: String::new(), why, watch };
        }
        Event::Train(g, event) if g == state.train.generation => {
            if let Some((text, bad)) = state.train.hear(event, now) {
                say(state, text, bad, now);
            }
        }
        Event::Session(g, event) if g == state.generation => match event {
            SessionEvent::Opened(session) => {
                let session = *session;
                (state.labels.open, state.labels.read_only) = (true, session.read_only);
                state.case.open(session.case, session.confirmed, session.run);
                state.case.alike = session.alike;
                state.labels.verdicts = session.verdicts.into_iter().collect();
                state.labels.count_corrections();
                state.hint_seen = 0;
                state.take_results(if state.fresh { Vec::new() } else { session.results });
                session.said.into_iter().for_each(|s| say(state, s, true, now));
                return begin(state);
            }
            SessionEvent::None => return begin(state),
            SessionEvent::Case(record) => {
                let (was, is) = (state.case.record.locked(), record.locked());
                state.case.record = *record;
                if was && !is && state.unkept {
                    // What was looked at meanwhile goes into the session now, or window and script would count differently.
                    return reopen(state, false, now);
                }
                if is && !was {
                    let version = state.case.record.signatures.last().map_or(0, |s| s.version);
                    say(state, tr!("Signed as version %{n}", n = version), false, now);
                }
            }
            SessionEvent::Saved(n) => {
                state.labels.waiting = state.labels.waiting.saturating_sub(n);
                state.case.saved(n);
            }
            SessionEvent::Failed(why, verdicts) => {
                // What is on the screen is again what is on the disk.
                (state.labels.waiting, state.labels.history) = (0, crate::session::History::default());
                state.case.heard.clear();
                state.take_labels(verdicts);
                say(state, tr!("The label was not kept: %{why}", why = why), true, now);
            }
        },
        Event::Evaluate(g, event) if g == state.evaluate.generation => {
            let again = matches!(event, EvaluateEvent::Intervals(..));
            if let Some((text, bad)) = state.evaluate.hear(event) {
                say(state, text, bad, now);
            }
            // Corrections that came while intervals were computed want them anew.
            if again && state.evaluate.pending {
                return intervals(state);
            }
        }
        Event::Evaluation(path) => {
            state.place = super::state::Place::Evaluate;
            state.evaluate.form.dataset = path.to_string_lossy().into_owned();
            state.evaluate.form.map.clear();
            return evaluate(state, now);
        }
        Event::Other(path) => state.evaluate.form.other = path.to_string_lossy().into_owned(),
        Event::Dataset(path) => {
            state.place = super::state::Place::Train;
            state.train.form.dataset = path.to_string_lossy().into_owned();
            state.train.form.leave_out.clear();
            return look(state);
        }
        Event::Runs(unfinished, earlier) => (state.train.unfinished, state.train.earlier) = (unfinished, earlier),
        Event::Model(model, path) => {
            state.model = super::state::ModelFacts::of(&model);
            say(state, tr!("Model: %{name}", name = state.model.name), false, now);
            state.custom_model = path.is_some();
            state.model_path = path;
            // What was measured is of another model.
            state.models.record = crate::inference::Record::default();
            effects.push(Effect::Models(ModelsEffect::Look));
            state.filter.kind = Kind::All;
            state.filter.only = None;
            // Another model sees other things alike.
            state.map = super::map::MapView { shown: state.map.shown, ..Default::default() };
            effects.extend(reopen(state, false, now));
        }
        Event::Written(path) => {
            say(state, tr!("Written: %{path}", path = crate::files::display_path(&path)), false, now)
        }
        Event::Trouble(text) => say(state, text, true, now),
        Event::Models(event) => {
            // A model that asks is looked at in its own place, with the person's own picture.
            if matches!(*event, ModelsEvent::Asks(_)) {
                state.place = super::state::Place::Models;
                state.models.tab = super::models::Tab::Installed;
                effects.push(Effect::Models(ModelsEffect::List));
            }
            let tile = state.selected.or_else(|| state.tiles.first().copied());
            let image = tile.and_then(|t| state.images.get(t.image)).map(|i| i.path.clone());
            let (answer, said) = state.models.event(*event, || image);
            if let Some(said) = said {
                say(state, said, true, now);
            }
            effects.extend(models_answer(state, answer, now));
        }
        Event::Mapping(g, done, total) if g == state.generation => state.map.busy = Some((done, total)),
        Event::Mapped(g, found) => {
            state.map.busy = None;
            match found {
                Ok(Some(points)) if g == state.generation => state.map.points = Some(Arc::new(points)),
                Ok(_) => {}
                Err(why) => state.map.failed = Some(why),
            }
        }
        Event::ListModels => return vec![Effect::Models(ModelsEffect::List)],
        Event::Checked(text) => {
            if matches!(state.dialog, Dialog::SelfCheck(_)) {
                state.dialog = Dialog::SelfCheck(Some(text));
            }
        }
        // An answer of a job that is no longer wanted.
        _ => {}
    }
    effects
}

/// Lets time pass: toasts go, the gallery catches up.
pub fn tick(state: &mut State, now: f64) {
    state.toasts.retain(|t| t.until > now);
    // While results pour in, a large gallery is put in order four times a second, not at every frame.
    let due = state.tiles.len() < 4000 || now - state.refreshed > 0.25;
    if state.replaced && due {
        state.rebuild();
    }
    if state.stale || (state.grown && due) {
        state.refresh();
        state.refreshed = now;
    }
}

/// Signs, where somebody waits to, now that the files were looked at: what was open then is all that is open.
fn sign(state: &mut State, now: f64) -> Vec<Effect> {
    let Some(waits) = state.case.signing.take() else { return Vec::new() };
    if state.label_obstacle().is_some() || state.labels.waiting > 0 {
        return Vec::new();
    }
    if state.table(None).obstacles().iter().any(|o| !waits.open.contains(o)) {
        say(state, tr!("Something changed meanwhile: look at the sheet again"), true, now);
        state.dialog = Dialog::Sign { reason: waits.reason };
        return Vec::new();
    }
    let snapshot: Snapshot = state.snapshot(&waits.time);
    match serde_json::to_string(&snapshot) {
        Ok(text) => vec![Effect::ChangeCase(CaseChange::Sign(text, waits.reason))],
        Err(e) => {
            say(state, e.to_string(), true, now);
            Vec::new()
        }
    }
}

/// Looks at the data of the Train place.
fn look(state: &mut State) -> Vec<Effect> {
    match state.train.form.request() {
        Err(why) => {
            state.train.error = Some(why);
            Vec::new()
        }
        Ok(request) => {
            state.train.begin(Phase::Looking);
            vec![Effect::LookAtData(state.train.generation, Box::new(request))]
        }
    }
}

/// Evaluates what the form says; a person's answers about unknown labels go into it.
fn evaluate(state: &mut State, now: f64) -> Vec<Effect> {
    if let Some(answers) = state.evaluate.answers(Which::InUse) {
        state.evaluate.form.map.extend(answers);
    }
    if let Err(why) = state.evaluate.form.request(state.provider) {
        state.evaluate.error = Some(why);
        return Vec::new();
    }
    state.evaluate.begin("looking at the data", now);
    vec![Effect::Evaluate(state.evaluate.generation, Box::new(state.evaluate.form.clone()))]
}

/// Keeps corrections, and has the intervals computed again.
fn corrected(state: &mut State, kept: Vec<(Digest, String, Option<String>)>) -> Vec<Effect> {
    if kept.is_empty() {
        return Vec::new();
    }
    let mut effects = vec![Effect::KeepCorrections(kept)];
    effects.extend(intervals(state));
    effects
}

/// Which reference was corrected to what: "083.png: lymphocyte".
fn named(state: &State, kept: &[(Digest, String, Option<String>)]) -> Option<String> {
    let (digest, was, label) = kept.first()?;
    let label = super::language::look_up(label.as_deref().unwrap_or(was));
    if kept.len() > 1 {
        return Some(tr!("%{n} references: %{label}", n = kept.len(), label = label));
    }
    let cell = state.evaluate.found.as_ref()?.cells.iter().find(|c| c.digest == *digest)?;
    Some(format!("{}: {label}", crate::files::display_name(&cell.file)))
}

fn intervals(state: &State) -> Vec<Effect> {
    let (e, g) = (&state.evaluate, state.evaluate.generation);
    e.found.clone().map(|found| Effect::Intervals(g, e.revision, found)).into_iter().collect()
}

fn start(state: &mut State) -> Vec<Effect> {
    if let Err(why) = state.train.form.request() {
        state.train.error = Some(why);
        return Vec::new();
    }
    state.train.begin(Phase::Training);
    vec![Effect::Train(state.train.generation, Box::new(state.train.form.clone()))]
}

fn open(state: &mut State, paths: Vec<PathBuf>, now: f64) -> Vec<Effect> {
    if paths.is_empty() {
        return Vec::new();
    }
    // What was typed belongs to the case that is left, and is kept there before another one is opened.
    let mut effects = keep_drafts(state, now);
    for path in paths.iter().rev() {
        crate::workflow::remember_recent(&mut state.recent, path);
    }
    state.opened = paths;
    state.filter = Filter::default();
    state.map = super::map::MapView { shown: state.map.shown, ..Default::default() };
    state.sort = GallerySort::Name;
    state.place = super::state::Place::Review;
    state.dialog = Dialog::None;
    state.watching = false;
    effects.push(Effect::Remember);
    effects.extend(reopen(state, false, now));
    effects
}

/// Opens the session of what is open, and classifies: what its session does not know, or everything (`fresh`).
fn reopen(state: &mut State, fresh: bool, now: f64) -> Vec<Effect> {
    if state.opened.is_empty() {
        return Vec::new();
    }
    let mut effects = keep_drafts(state, now);
    state.generation = state.generation.next();
    state.images.clear();
    state.visible.clear();
    (state.selected, state.cursor) = (None, None);
    state.moved.clear();
    (state.unfinished, state.nothing_in, state.unkept) = (None, None, false);
    state.rebuild();
    (state.stale, state.grown) = (false, false);
    state.known = Arc::default();
    (state.fresh, state.opening, state.drawing) = (fresh, true, false);
    state.similar_to = None;
    (state.heat.map, state.heat.asked, state.heat.failed) = (None, None, None);
    state.skipped = 0;
    state.engine = None;
    state.job = Some(Job {
        generation: state.generation,
        title: tr!("Classifying"),
        done: 0,
        total: 0,
        since: now,
        stopping: false,
    });
    state.labels = super::labels::LabelView::default();
    state.case.clear();
    effects.extend([Effect::Cancel, Effect::OpenSession(state.generation, state.opened.clone())]);
    effects
}

/// Keeps what is typed into the fields of the case and was not left yet: by whatever way they leave the screen.
fn keep_drafts(state: &mut State, now: f64) -> Vec<Effect> {
    let drafts = std::mem::take(&mut state.case.drafts);
    let mut effects = Vec::new();
    for (name, text) in drafts {
        let kept = match name {
            "operator" => Input::Operator(text),
            name => Input::Case(name.to_owned(), text),
        };
        effects.extend(input(state, kept, now));
    }
    effects
}

/// Gives a label to the cells chosen together, else to `cell`, else to the chosen one.
fn set_label(state: &mut State, cell: Option<CellId>, label: &str, now: f64) -> Vec<Effect> {
    let targets = state.targets(cell);
    // What a label was given to is what is looked at from now on.
    if let (Some(cell), true) = (cell, targets.len() == 1) {
        state.fit |= state.selected.map(|t| t.image) != Some(cell.image);
        (state.selected, state.anchor) = (Some(cell), Some(cell));
    }
    label_cells(state, &targets, label, now)
}

/// Gives cells a label, and says which cell got which.
fn label_cells(state: &mut State, targets: &[CellId], label: &str, now: f64) -> Vec<Effect> {
    let effects = give(state, targets, label);
    if !effects.is_empty() {
        let label = super::language::look_up(&state.spelling(label));
        let what = match targets {
            [one] => state.image_of(*one).map_or_else(String::new, |i| crate::files::display_name(&i.path)),
            many => tr!("%{n} cells", n = whole(many.len())),
        };
        feedback(state, format!("{what}: {label}"), now);
    }
    effects
}

/// Says what a key did to which cell; the next key's takes its place.
fn feedback(state: &mut State, text: String, now: f64) {
    state.toasts.retain(|t| !t.feedback);
    state.toasts.push(Toast { text, error: false, feedback: true, until: now + TOAST_SECONDS });
}

fn is_model(path: &std::path::Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("onnx"))
}

/// What the Models place leads to.
fn models_answer(state: &mut State, answer: Answer, now: f64) -> Vec<Effect> {
    let mut effects: Vec<Effect> = answer.effects.into_iter().map(Effect::Models).collect();
    if let Some(path) = answer.open {
        state.model_before = Some(state.model_path.clone());
        effects.push(match path {
            Some(path) => Effect::OpenModel(Some(path)),
            None => Effect::BundledModel,
        });
    }
    if let Some(path) = answer.compare {
        state.evaluate.form.other = path.to_string_lossy().into_owned();
        state.place = super::state::Place::Evaluate;
        let hint = tr!("Evaluate the model in use first, then compare it with the other one on the same pictures");
        say(state, hint, false, now);
    }
    if answer.remember {
        effects.push(Effect::Remember);
    }
    effects
}

/// The session is open: now what it does not know is classified.
fn begin(state: &mut State) -> Vec<Effect> {
    if !std::mem::take(&mut state.opening) {
        return Vec::new();
    }
    state.began_signed = state.case.record.locked();
    vec![Effect::Classify(state.generation, state.opened.clone())]
}

/// Says it on the screen for a while, and in the log for good.
fn say(state: &mut State, text: String, error: bool, now: f64) {
    state.log.push(text.clone());
    state.toasts.push(Toast {
        text,
        error,
        feedback: false,
        until: now + if error { 2.0 * TOAST_SECONDS } else { TOAST_SECONDS },
    });
}

/// Which cells the pipeline shall take.
#[must_use]
pub fn cells(state: &State) -> crate::inference::Cells {
    if state.all_cells { crate::inference::Cells::ByScene } else { crate::inference::Cells::One }
}

#[cfg(test)]
mod tests {
    use super::super::state::ModelFacts;
    use super::*;
    use crate::domain::{CellResult, ClassSet, Outcome, Probabilities, Square};

    fn state() -> State {
        let classes = ClassSet::new(vec!["lymphocyte".into(), "neutrophil".into()]).expect("classes");
        State::new(
            ModelFacts {
                name: "m".into(),
                digest: "d".into(),
                classes,
                card: String::new(),
                sha256: "d".into(),
                squares: true,
            },
            vec![],
            Default::default(),
        )
    }

    fn row(index: usize, outcome: Outcome) -> Arc<ImageResult> {
        Arc::new(ImageResult {
            index,
            path: format!("/slides/{index}.png").into(),
            digest: None,
            size: None,
            outcome,
            warnings: vec![],
            provider: None,
        })
    }

    fn cells_of(ps: &[f32]) -> Outcome {
        Outcome::Cells(
            (1..)
                .zip(ps)
                .map(|(number, &p)| CellResult {
                    number,
                    square: Square { x: 0.0, y: 0.0, side: 9.0 },
                    probabilities: Probabilities::new(vec![p, 1.0 - p]).expect("sums to one"),
                    accepted: true,
                    unlike: None,
                    features: Vec::new(),
                })
                .collect(),
        )
    }

    fn opened() -> State {
        let mut s = state();
        let effects = input(&mut s, Input::Open(vec!["/slides".into()]), 1.0);
        assert_eq!(
            effects,
            [Effect::OpenIfThere(vec!["/slides".into()], false)],
            "looked for before anything is closed"
        );
        let effects = event(&mut s, Event::Chosen(vec!["/slides".into()]), 1.0);
        assert!(effects.contains(&Effect::OpenSession(Generation(1), vec!["/slides".into()])));
        let effects = event(&mut s, Event::Session(Generation(1), SessionEvent::None), 1.0);
        assert_eq!(effects, [Effect::Classify(Generation(1), vec!["/slides".into()])]);
        for (i, outcome) in [cells_of(&[0.9]), cells_of(&[0.2, 0.6]), Outcome::Failed("broken".into()), cells_of(&[])]
            .into_iter()
            .enumerate()
        {
            event(&mut s, Event::Row(Generation(1), row(i, outcome)), 2.0);
        }
        tick(&mut s, 2.0);
        s
    }

    #[test]
    fn rows_become_tiles_and_counts_while_the_job_runs() {
        let mut s = opened();
        assert_eq!((s.tiles.len(), s.visible.len(), s.selected), (5, 5, Some(s.tiles[0])));
        let d = s.slides.counts(None);
        assert_eq!((d.of("lymphocyte").all, d.of("neutrophil").all, d.failed, d.no_cell), (2, 1, 1, 1));
        event(&mut s, Event::Finished(Generation(1), 2, false), 3.0);
        assert!(
            s.job.is_none()
                && s.toasts[0].text.contains("3 cells in 4 images")
                && s.toasts[0].text.contains("2 other files")
        );
        tick(&mut s, 60.0);
        assert!(s.toasts.is_empty());
    }

    #[test]
    fn a_file_that_changed_is_replaced_and_counted_once() {
        let mut s = opened();
        event(&mut s, Event::Row(Generation(1), row(1, cells_of(&[0.9, 0.8, 0.7]))), 3.0);
        tick(&mut s, 3.0);
        let d = s.slides.counts(None);
        assert_eq!((s.images.len(), s.tiles.len(), d.images, d.squares().all), (4, 6, 4, 4));
        event(&mut s, Event::Row(Generation(1), row(1, Outcome::Failed("cut off".into()))), 3.0);
        tick(&mut s, 3.0);
        assert_eq!((s.tiles.len(), s.slides.counts(None).failed), (4, 2));
    }

    #[test]
    fn answers_of_an_older_job_are_dropped() {
        let mut s = opened();
        event(&mut s, Event::Chosen(vec!["/other".into()]), 5.0);
        event(&mut s, Event::Row(Generation(1), row(0, cells_of(&[0.9]))), 6.0);
        event(&mut s, Event::Finished(Generation(1), 0, true), 6.0);
        assert!(s.images.is_empty() && s.job.is_some());
    }

    /// Places of the tiles that are shown among all of them.
    fn places(s: &State) -> Vec<usize> {
        s.visible.iter().map(|v| s.tiles.iter().position(|t| t == v).expect("a tile")).collect()
    }

    fn place(s: &State) -> Option<usize> {
        s.tiles.iter().position(|t| Some(*t) == s.selected)
    }

    #[test]
    fn filters_and_orders_work_together() {
        let mut s = opened();
        input(&mut s, Input::Filter(Filter { kind: Kind::Label("Lymphocytes".into()), ..Filter::default() }), 3.0);
        tick(&mut s, 3.0);
        assert_eq!(places(&s), [0, 2]);
        command(&mut s, Command::Sort(GallerySort::LeastConfident), 3.0);
        tick(&mut s, 3.0);
        assert_eq!(places(&s), [2, 0]);
        command(&mut s, Command::ClearFilter, 3.0);
        tick(&mut s, 3.0);
        assert_eq!(places(&s), [3, 4, 2, 1, 0]);
        input(&mut s, Input::Filter(Filter { from: 85, ..Filter::default() }), 3.0);
        tick(&mut s, 3.0);
        assert_eq!(places(&s), [0]);
        input(&mut s, Input::Filter(Filter { name: "2.PNG".into(), ..Filter::default() }), 3.0);
        tick(&mut s, 3.0);
        assert_eq!((places(&s), place(&s)), (vec![3], Some(3)));
    }

    #[test]
    fn arrows_stay_within_what_is_shown() {
        let mut s = opened();
        input(&mut s, Input::Move(1), 3.0);
        assert_eq!(place(&s), Some(1));
        input(&mut s, Input::Move(100), 3.0);
        assert_eq!(place(&s), Some(4));
        input(&mut s, Input::Move(-100), 3.0);
        assert_eq!(place(&s), Some(0));
    }

    #[test]
    fn a_job_that_cannot_be_done_says_why_and_stays_said() {
        let mut s = opened();
        event(&mut s, Event::Failed(Generation(1), "no ONNX Runtime".into()), 4.0);
        assert_eq!(s.trouble.as_deref(), Some("no ONNX Runtime"));
        assert!(s.job.is_none() && s.toasts.iter().any(|t| t.error));
    }

    #[test]
    fn cancel_and_disabled_commands() {
        let mut s = state();
        assert!(command(&mut s, Command::CancelJob, 0.0).is_empty());
        let mut s = opened();
        assert_eq!(command(&mut s, Command::CancelJob, 3.0), [Effect::Cancel]);
        assert!(s.job.as_ref().is_some_and(|j| j.stopping));
        assert!(command(&mut s, Command::ExportTable, 3.0).is_empty());
    }
}
