//! The dispatcher: a command, input or event goes to its page, and what concerns several pages is done here. No egui, no disk, no thread,
//! no clock.

use super::choice::Page;
use super::command::{Command, CommandOwner};
pub use super::event::{Effect, Event, Input};
use super::language::tr;
use super::models::state::{ModelsEvent, Reply};
use super::state::State;
use super::widgets::Availability;
use super::{evaluate, keys, models, review, shell, train};
use crate::model::VettedModel;
use std::path::{Path, PathBuf};

fn effects<E: Into<Effect>>(all: Vec<E>) -> Vec<Effect> {
    all.into_iter().map(Into::into).collect()
}

/// Who answers a command while a page is open.
fn owner(open: Page, command: Command) -> CommandOwner {
    match command.owner() {
        CommandOwner::OpenPage => CommandOwner::Page(open),
        owner => owner,
    }
}

/// How a command stands now.
pub fn availability(state: &State, command: Command) -> Availability {
    let review_open = state.shell.page == Page::Review;
    let enabled = match (owner(state.shell.page, command), command) {
        (_, Command::UseBundledModel) => state.model.path.is_some(),
        (_, Command::PreviousModel) => state.model.before.is_some(),
        (_, Command::UseTrainedModel) => train::enabled(&state.train, command),
        (_, Command::UseCalibratedModel) => evaluate::enabled(&state.evaluate, command),
        (CommandOwner::Page(Page::Review), _) => review::enabled(&state.review, command, review_open),
        (CommandOwner::Page(Page::Evaluate), _) => evaluate::enabled(&state.evaluate, command),
        (CommandOwner::Page(Page::Train), _) => train::enabled(&state.train, command),
        (CommandOwner::Page(Page::Models), _) => false,
        _ => true,
    };
    let checked = match command {
        Command::UseProvider(provider) => Some(state.model.provider == provider),
        Command::PauseTraining => Some(state.train.run == train::state::RunState::Paused),
        _ => shell::checked(&state.shell, command).or_else(|| review::checked(&state.review, command)),
    };
    let amend = || state.shell.keys.get(Command::Amend).map_or_else(|| Command::Amend.text(), keys::words);
    let refusal = if review_open && !enabled { review::refusal(&state.review, command, amend) } else { None };
    Availability { enabled, checked, refusal }
}

/// Only one dialog is open: where a second one came, the first one goes.
fn with_one_dialog(state: &mut State, work: impl FnOnce(&mut State) -> Vec<Effect>) -> Vec<Effect> {
    let first = state.review.dialog != review::Dialog::None;
    let effects = work(state);
    match (&state.shell.dialog, &state.review.dialog) {
        (shell::Dialog::None, _) | (_, review::Dialog::None) => {}
        _ if first => state.review.dialog = review::Dialog::None,
        _ => state.shell.dialog = shell::Dialog::None,
    }
    effects
}

/// The user's command.
pub fn command(state: &mut State, command: Command, now: f64) -> Vec<Effect> {
    if !availability(state, command).enabled {
        return Vec::new();
    }
    with_one_dialog(state, |state| dispatch_command(state, command, now))
}

fn dispatch_command(state: &mut State, command: Command, now: f64) -> Vec<Effect> {
    let State { shell, model, review, evaluate, train, .. } = state;
    match owner(shell.page, command) {
        CommandOwner::Shell => effects(shell::command(shell, command)),
        CommandOwner::Page(Page::Review) => {
            if command == Command::TrainOnReviewed {
                // What is adapted is the model in use.
                train.form.init = model.path.as_ref().map_or_else(String::new, |p| p.to_string_lossy().into_owned());
            }
            effects(review::command(review, shell, command, now))
        }
        CommandOwner::Page(Page::Evaluate) => effects(evaluate::command(evaluate, command, model.provider, now)),
        CommandOwner::Page(Page::Train) => effects(train::command(train, command)),
        CommandOwner::Page(Page::Models) | CommandOwner::Window | CommandOwner::OpenPage => {
            window_command(state, command, now)
        }
    }
}

/// A command that concerns several pages at once.
fn window_command(state: &mut State, command: Command, now: f64) -> Vec<Effect> {
    match command {
        Command::OpenModel => vec![models::Effect::Ask.into()],
        Command::UseBundledModel => vec![models::Effect::Open(None).into()],
        Command::UseTrainedModel => {
            let model = state.train.outcome.as_ref().and_then(|o| o.model.clone());
            model.map(|(path, _)| use_instead(state, path)).unwrap_or_default()
        }
        Command::UseCalibratedModel => {
            let model = state.evaluate.calibrated.clone();
            model.map(|(_, path)| use_instead(state, path)).unwrap_or_default()
        }
        Command::PreviousModel => {
            state.model.before.take().map(|before| models::Effect::Open(before).into()).into_iter().collect()
        }
        Command::UseProvider(provider) if state.model.provider == provider => Vec::new(),
        Command::UseProvider(provider) => {
            state.model.provider = provider;
            effects(review::reopen(&mut state.review, &mut state.shell, true, now))
        }
        Command::Go(page) => {
            let mut done = leave(state, now);
            state.shell.page = page;
            if page == Page::Models {
                done.extend(effects(models::opened()));
            }
            done
        }
        Command::Quit => {
            state.shell.quit = true;
            let mut done = leave(state, now);
            done.push(review::Effect::Cancel.into());
            done
        }
        other => {
            debug_assert_ne!(other.owner(), CommandOwner::Window, "{other:?} is answered by nobody");
            Vec::new()
        }
    }
}

/// Opens a model; the one in use can be had back.
fn use_instead(state: &mut State, path: PathBuf) -> Vec<Effect> {
    state.model.before = Some(state.model.path.clone());
    vec![models::Effect::Open(Some(path)).into()]
}

/// The page is left: what was typed is kept.
fn leave(state: &mut State, now: f64) -> Vec<Effect> {
    effects(review::input(&mut state.review, &mut state.shell, review::Input::Leave, now))
}

/// The user's input.
pub fn input(state: &mut State, input: Input, now: f64) -> Vec<Effect> {
    with_one_dialog(state, |state| dispatch_input(state, input, now))
}

fn dispatch_input(state: &mut State, input: Input, now: f64) -> Vec<Effect> {
    let State { shell, review, evaluate, train, .. } = state;
    match input {
        Input::Command(c) | Input::Review(review::Input::Command(c)) => command(state, c, now),
        // A model that is dropped or typed is opened as one.
        Input::Shell(shell::Input::Open(paths)) | Input::Review(review::Input::Open(paths)) => {
            if let [path] = &paths[..]
                && is_model(path)
            {
                (shell.dialog, review.dialog) = (shell::Dialog::None, review::Dialog::None);
                return vec![models::Effect::Open(Some(path.clone())).into()];
            }
            effects(review::input(review, shell, review::Input::Open(paths), now))
        }
        Input::Shell(shell::Input::Watch(path)) => {
            effects(review::input(review, shell, review::Input::Watch(path), now))
        }
        Input::Shell(shell::Input::ShowNoCell) => {
            shell.page = Page::Review;
            let filter = review::Filter { kind: review::Kind::NoCell, ..review::Filter::default() };
            effects(review::input(review, shell, review::Input::LookAt(filter), now))
        }
        Input::Shell(shell::Input::SetLabel(label)) => {
            effects(review::input(review, shell, review::Input::SetLabel(None, label), now))
        }
        Input::Shell(input) => {
            shell::input(shell, input, now);
            Vec::new()
        }
        Input::Review(input) => effects(review::input(review, shell, input, now)),
        Input::Evaluate(input) => effects(evaluate::input(evaluate, shell, input, now)),
        Input::Train(input) => effects(train::input(train, input)),
        Input::Models(input) => {
            let answer = state.models.input(input, state.model.path.as_ref());
            models_answer(state, answer, now)
        }
    }
}

fn is_model(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("onnx"))
}

/// Something that happened outside.
pub fn event(state: &mut State, event: Event, now: f64) -> Vec<Effect> {
    with_one_dialog(state, |state| on_event(state, event, now))
}

fn on_event(state: &mut State, event: Event, now: f64) -> Vec<Effect> {
    let State { shell, model, review, evaluate, train, models } = state;
    match event {
        Event::Shell(event) => {
            shell::event(shell, event, now);
            Vec::new()
        }
        Event::Review(review::Event::ReviewedCells(table, review::ReviewedFor::Training)) => dataset(state, table, now),
        Event::Review(review::Event::ReviewedCells(table, review::ReviewedFor::Evaluation)) => {
            evaluation(state, table, now)
        }
        Event::Train(train::Event::Dataset(path)) => dataset(state, path, now),
        Event::Evaluate(evaluate::Event::Dataset(path)) => evaluation(state, path, now),
        Event::Review(event) => effects(review::event(review, shell, event, now)),
        Event::Evaluate(event) => effects(evaluate::event(evaluate, shell, event, model.provider, now)),
        Event::Train(event) => effects(train::event(train, shell, event, now)),
        Event::Models(models::Event::OpenedModel(opened, path)) => use_model(state, &opened, path, now),
        Event::Models(event) => {
            // A model that asks is looked at in its own place, with the person's own image.
            let mut done = Vec::new();
            if matches!(&event, models::Event::Job(job) if matches!(**job, ModelsEvent::NeedsInput(_))) {
                shell.page = Page::Models;
                done.extend(effects(models::asks(models)));
            }
            let tile = review.selected.or_else(|| review.tiles.first().copied());
            let image = tile.and_then(|t| review.images.get(t.image)).map(|i| i.path.clone());
            let answer = models::event(models, shell, event, || image, now);
            done.extend(models_answer(state, answer, now));
            done
        }
    }
}

/// Labelled images were chosen to train on.
fn dataset(state: &mut State, path: PathBuf, now: f64) -> Vec<Effect> {
    state.shell.page = Page::Train;
    effects(train::event(&mut state.train, &mut state.shell, train::Event::Dataset(path), now))
}

/// Labelled images were chosen to evaluate on.
fn evaluation(state: &mut State, path: PathBuf, now: f64) -> Vec<Effect> {
    state.shell.page = Page::Evaluate;
    let chosen = evaluate::Event::Dataset(path);
    effects(evaluate::event(&mut state.evaluate, &mut state.shell, chosen, state.model.provider, now))
}

/// A model was opened, from this file or the bundled one.
fn use_model(state: &mut State, opened: &VettedModel, path: Option<PathBuf>, now: f64) -> Vec<Effect> {
    state.model.card = opened.card().clone();
    state.model.path = path;
    state.shell.say(tr!("Model: %{name}", name = opened.card().name), false, now);
    let mut done = effects(models::model_changed(&mut state.models));
    done.extend(effects(review::use_model(&mut state.review, &mut state.shell, opened.card().clone(), now)));
    done
}

/// What the Models page leads to.
fn models_answer(state: &mut State, answer: Reply, now: f64) -> Vec<Effect> {
    let mut done: Vec<Effect> = answer.effects.into_iter().map(|e| models::Effect::Job(e).into()).collect();
    if let Some(path) = answer.open {
        state.model.before = Some(state.model.path.clone());
        done.push(models::Effect::Open(path).into());
    }
    if let Some(path) = answer.compare {
        state.evaluate.form.other = path.to_string_lossy().into_owned();
        state.shell.page = Page::Evaluate;
        let hint = tr!("Evaluate the model in use first, then compare it with the other one on the same images");
        state.shell.say(hint, false, now);
    }
    done
}

/// Lets time pass: toasts go, the gallery catches up.
pub fn tick(state: &mut State, now: f64) {
    state.shell.tick(now);
    review::tick(&mut state.review, now);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_answered_on_every_page() {
        let card = crate::workflow::default_model().expect("the bundled model").card().clone();
        let mut state = State::new(card, None, crate::workflow::Settings::default());
        for page in <Page as strum::IntoEnumIterator>::iter() {
            for c in Command::all() {
                state.shell.page = page;
                // Enabled or not: what nobody answers stops here.
                dispatch_command(&mut state, *c, 0.0);
            }
        }
    }
}
