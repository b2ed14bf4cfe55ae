//! How the Models page answers: inputs and events in, effects out. No egui, no disk, no thread, no clock.

pub use super::state::ModelsInput as Input;
use super::state::{ModelsEffect, ModelsEvent, ModelsTab, Reply, State};
use crate::app::shell;
use crate::inference::Measurements;
use crate::model::VettedModel;
use std::path::PathBuf;

/// Something that happened outside.
#[derive(Debug)]
pub enum Event {
    /// Progress or result of a job of this page.
    Job(Box<ModelsEvent>),
    /// A model was opened, from this file or the bundled one. The model travels with its event: two that are opened at once cannot be
    /// mistaken.
    OpenedModel(Box<VettedModel>, Option<PathBuf>),
    /// The installed models changed.
    Changed,
}

/// What should be done outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    Job(ModelsEffect),
    /// Ask for a model file, then open it.
    Ask,
    /// Open a model file, or the bundled one.
    Open(Option<PathBuf>),
}

/// What the page wants looked at whenever it is opened: whatever came into the folder meanwhile.
pub fn opened() -> Vec<Effect> {
    vec![Effect::Job(ModelsEffect::List), Effect::Job(ModelsEffect::ListProviders)]
}

/// Another model is in use: what was measured is of the one before.
pub fn model_changed(state: &mut State) -> Vec<Effect> {
    state.record = Measurements::default();
    vec![Effect::Job(ModelsEffect::ListProviders)]
}

/// A model asks about itself: it is looked at in its own place.
pub fn asks(state: &mut State) -> Vec<Effect> {
    state.tab = ModelsTab::Installed;
    vec![Effect::Job(ModelsEffect::List)]
}

/// Something that happened outside, but for an opened model. `image` is what a model that asks is tried on.
pub fn event(
    state: &mut State,
    shell: &mut shell::State,
    event: Event,
    image: impl FnOnce() -> Option<PathBuf>,
    now: f64,
) -> Reply {
    match event {
        Event::Job(event) => {
            let (answer, said) = state.event(*event, image);
            if let Some(said) = said {
                shell.say(said, true, now);
            }
            return answer;
        }
        Event::Changed => return Reply::new(ModelsEffect::List),
        // What it leads to concerns every page.
        Event::OpenedModel(..) => {}
    }
    Reply::default()
}
