//! How the Evaluate page answers: commands, inputs and events in, effects out. No egui, no disk, no thread, no clock.

pub use super::state::EvaluateInput as Input;
use super::state::{EvaluateEvent, EvaluateForm, State, Which};
use crate::app::command::Command;
use crate::app::language::{look_up, tr};
use crate::app::shell;
use crate::evaluation::Evaluated;
use crate::files::display_name;
use crate::inference::Provider;
use crate::task::Generation;
use crate::workflow::ChangedReference;
use std::path::PathBuf;

/// Something that happened outside.
#[derive(Debug)]
pub enum Event {
    /// Progress or result of an evaluation; of another generation it is dropped.
    Job(Generation, EvaluateEvent),
    /// Labelled images were chosen to evaluate on.
    Dataset(PathBuf),
    /// Another model was chosen to compare with.
    Other(PathBuf),
}

/// What should be done outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Ask for labelled images to evaluate on.
    AskDataset,
    Evaluate(Generation, Box<EvaluateForm>),
    Stop,
    /// Compute the intervals of a corrected evaluation again.
    Intervals(Generation, u64, Box<Evaluated>),
    /// Ask where to, then write an evaluation's files.
    Export(Box<Evaluated>),
    /// Calibrate the model on the evaluation's images.
    Calibrate(Generation, Box<EvaluateForm>),
    /// Ask for another model to compare with.
    AskOther,
    /// Evaluate another model on the same images.
    Compare(Generation, Box<EvaluateForm>, Box<Evaluated>),
    KeepCorrections(Vec<ChangedReference>),
}

/// A command of this page. `provider` is the one asked for.
pub fn command(state: &mut State, command: Command, provider: Provider, now: f64) -> Vec<Effect> {
    match command {
        Command::ChooseEvaluation => vec![Effect::AskDataset],
        Command::Evaluate => evaluate(state, provider, now),
        Command::StopEvaluation => vec![Effect::Stop],
        Command::ExportEvaluation => state.found.clone().map(Effect::Export).into_iter().collect(),
        Command::Calibrate => {
            state.begin(&tr!("calibrating"), now);
            vec![Effect::Calibrate(state.generation, Box::new(state.form.clone()))]
        }
        Command::ChooseOther => vec![Effect::AskOther],
        Command::CompareModels => {
            if let Some(answers) = state.answers(Which::Other) {
                state.form.other_map.extend(answers);
            }
            state.begin(&tr!("evaluating the other model"), now);
            let (g, form) = (state.generation, Box::new(state.form.clone()));
            state.found.clone().map(|f| Effect::Compare(g, form, f)).into_iter().collect()
        }
        Command::Undo => {
            let kept = state.undo();
            corrected(state, kept)
        }
        Command::Redo => {
            let kept = state.redo();
            corrected(state, kept)
        }
        _ => Vec::new(),
    }
}

/// Whether a command of this page makes sense now.
pub fn enabled(state: &State, command: Command) -> bool {
    match command {
        Command::Undo => state.history.depth().0 > 0,
        Command::Redo => state.history.depth().1 > 0,
        Command::ChooseEvaluation | Command::ChooseOther => !state.busy,
        Command::Evaluate => !state.busy && !state.form.dataset.trim().is_empty() && state.answered(Which::InUse),
        Command::StopEvaluation => state.busy,
        Command::ExportEvaluation => state.found.is_some() && !state.pending,
        Command::Calibrate => state.found.is_some() && !state.busy,
        Command::UseCalibratedModel => state.calibrated.is_some(),
        Command::CompareModels => {
            let named = !state.form.other.trim().is_empty();
            state.found.is_some() && !state.busy && !state.pending && named && state.answered(Which::Other)
        }
        _ => true,
    }
}

/// The user's other input.
pub fn input(state: &mut State, shell: &mut shell::State, input: Input, now: f64) -> Vec<Effect> {
    let kept = state.input(input);
    if let Some(text) = named(state, &kept) {
        shell.say(text, false, now);
    }
    corrected(state, kept)
}

/// Something that happened outside. `provider` is the one asked for.
pub fn event(state: &mut State, shell: &mut shell::State, event: Event, provider: Provider, now: f64) -> Vec<Effect> {
    match event {
        Event::Job(g, event) if g == state.generation => {
            let again = matches!(event, EvaluateEvent::Intervals(..));
            if let Some((text, bad)) = state.on_event(event) {
                shell.say(text, bad, now);
            }
            // Corrections that came while intervals were computed want them anew.
            if again && state.pending {
                return intervals(state);
            }
        }
        // An answer of a job that is no longer wanted.
        Event::Job(..) => {}
        Event::Dataset(path) => {
            state.form.dataset = path.to_string_lossy().into_owned();
            state.form.map.clear();
            return evaluate(state, provider, now);
        }
        Event::Other(path) => state.form.other = path.to_string_lossy().into_owned(),
    }
    Vec::new()
}

/// Evaluates what the form says; the user's answers about unknown labels go into it.
fn evaluate(state: &mut State, provider: Provider, now: f64) -> Vec<Effect> {
    if let Some(answers) = state.answers(Which::InUse) {
        state.form.map.extend(answers);
    }
    if let Err(why) = state.form.request(provider) {
        state.error = Some(why.to_string());
        return Vec::new();
    }
    state.begin(&tr!("looking at the data"), now);
    vec![Effect::Evaluate(state.generation, Box::new(state.form.clone()))]
}

/// Keeps corrections, and has the intervals computed again.
fn corrected(state: &State, kept: Vec<ChangedReference>) -> Vec<Effect> {
    if kept.is_empty() {
        return Vec::new();
    }
    let mut effects = vec![Effect::KeepCorrections(kept)];
    effects.extend(intervals(state));
    effects
}

/// Which reference was corrected to what: "083.png: lymphocyte".
fn named(state: &State, kept: &[ChangedReference]) -> Option<String> {
    let (digest, was, label) = kept.first()?;
    let label = look_up(label.as_deref().unwrap_or(was));
    if kept.len() > 1 {
        return Some(tr!("%{n} references: %{label}", n = kept.len(), label = label));
    }
    let cell = state.found.as_ref()?.cells.iter().find(|c| c.digest == *digest)?;
    Some(format!("{}: {label}", display_name(&cell.file)))
}

fn intervals(state: &State) -> Vec<Effect> {
    state.found.clone().map(|found| Effect::Intervals(state.generation, state.revision, found)).into_iter().collect()
}
