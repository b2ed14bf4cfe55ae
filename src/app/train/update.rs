//! How the Train page answers: commands, inputs and events in, effects out. No egui, no disk, no thread, no clock.

use super::state::{RunState, State, TrainEvent, TrainForm};
use crate::app::command::Command;
use crate::app::shell;
use crate::task::Generation;
use crate::workflow::{EarlierRun, TrainRequest, UnfinishedRun};
use std::path::PathBuf;

/// What the user did that is not a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    Form(Box<TrainForm>),
    /// Took what helps against an obstacle: the form with it, and the data are looked at again.
    TakeRemedy(Box<TrainForm>),
    /// Takes up a run that was left unfinished.
    TakeUp(Box<UnfinishedRun>),
    /// Forgets a run that was left unfinished.
    Forget(PathBuf),
}

/// Something that happened outside.
#[derive(Debug)]
pub enum Event {
    /// Progress or result of a training job; of another generation it is dropped.
    Job(Generation, TrainEvent),
    /// Labelled images were chosen to train on.
    Dataset(PathBuf),
    /// Runs that were left unfinished, and earlier ones.
    Runs(Vec<UnfinishedRun>, Vec<EarlierRun>),
}

/// What should be done outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Ask for labelled images to train on.
    AskDataset,
    /// Look at labelled images.
    LookAtData(Generation, Box<TrainRequest>),
    Train(Generation, Box<TrainForm>),
    /// Hold training, or let it go on.
    Pause(bool),
    /// Stop training, or looking at the data.
    Stop,
    ForgetRun(PathBuf),
    /// Look for unfinished and earlier runs.
    Runs,
}

pub fn command(state: &mut State, command: Command) -> Vec<Effect> {
    match command {
        Command::ChooseDataset => vec![Effect::AskDataset],
        Command::LookAtData => look(state),
        Command::StartTraining => start(state),
        Command::PauseTraining => {
            let paused = state.run == RunState::Paused;
            // Time that is held does not count for the time left.
            (state.run, state.since) = (if paused { RunState::Training } else { RunState::Paused }, None);
            vec![Effect::Pause(!paused)]
        }
        Command::StopTraining => {
            state.run = match state.run {
                RunState::Looking { .. } => RunState::Looking { stopping: true },
                _ => RunState::Stopping,
            };
            vec![Effect::Stop]
        }
        _ => Vec::new(),
    }
}

/// Whether a command of this page makes sense now.
pub fn enabled(state: &State, command: Command) -> bool {
    match command {
        Command::ChooseDataset | Command::LookAtData => !state.busy(),
        Command::StartTraining => state.obstacle().is_none(),
        Command::PauseTraining => matches!(state.run, RunState::Training | RunState::Paused),
        Command::StopTraining => state.busy() && !state.stopping(),
        Command::Undo | Command::Redo => false,
        Command::UseTrainedModel => state.outcome.as_ref().is_some_and(|o| o.model.is_some()),
        _ => true,
    }
}

/// The user's other input.
pub fn input(state: &mut State, input: Input) -> Vec<Effect> {
    match input {
        Input::Form(form) => state.form = *form,
        Input::TakeRemedy(form) => {
            state.form = *form;
            return look(state);
        }
        Input::TakeUp(run) => {
            state.take_up(&run);
            state.unfinished.retain(|r| r.out != run.out);
            return start(state);
        }
        Input::Forget(out) => {
            state.unfinished.retain(|r| r.out != out);
            return vec![Effect::ForgetRun(out)];
        }
    }
    Vec::new()
}

/// Something that happened outside.
pub fn event(state: &mut State, shell: &mut shell::State, event: Event, now: f64) -> Vec<Effect> {
    match event {
        Event::Job(g, event) if g == state.generation => {
            if let Some((text, bad)) = state.on_event(event, now) {
                shell.say(text, bad, now);
            }
        }
        // An answer of a job that is no longer wanted.
        Event::Job(..) => {}
        Event::Dataset(path) => {
            state.form.dataset = path.to_string_lossy().into_owned();
            state.form.leave_out.clear();
            state.form.flags.clear();
            return look(state);
        }
        Event::Runs(unfinished, earlier) => (state.unfinished, state.earlier) = (unfinished, earlier),
    }
    Vec::new()
}

fn look(state: &mut State) -> Vec<Effect> {
    match state.form.request() {
        Err(why) => {
            state.error = Some(why.to_string());
            Vec::new()
        }
        Ok(request) => {
            state.begin(RunState::Looking { stopping: false });
            vec![Effect::LookAtData(state.generation, Box::new(request))]
        }
    }
}

fn start(state: &mut State) -> Vec<Effect> {
    if let Err(why) = state.form.request() {
        state.error = Some(why.to_string());
        return Vec::new();
    }
    state.begin(RunState::Training);
    vec![Effect::Train(state.generation, Box::new(state.form.clone()))]
}
