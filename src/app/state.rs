//! What the window knows. Plain values: no disk, no thread, no drawing.

use super::choice::ThemeChoice;
use super::in_use::ModelInUse;
use super::keys::Keymap;
use super::language::Language;
use super::{evaluate, models, review, shell, train};
use crate::model::ModelCard;
use crate::workflow::Settings;
use std::path::PathBuf;
use std::sync::Arc;

/// Everything the window knows: what is around the pages, the model in use, and the four pages.
#[derive(Debug, Clone)]
pub struct State {
    /// Which page is open, what was said, settings.
    pub shell: shell::State,
    pub model: ModelInUse,
    /// Cells and their labels.
    pub review: review::State,
    /// How good a model is.
    pub evaluate: evaluate::State,
    /// Make a model.
    pub train: train::State,
    pub models: models::State,
}

impl State {
    /// The window at its start, with the settings of the last one. `path` is the model's file; none is the bundled one.
    pub fn new(card: Arc<ModelCard>, path: Option<PathBuf>, settings: Settings) -> Self {
        Self {
            shell: shell::State {
                theme: ThemeChoice::from_word(&settings.theme),
                language: Language::from_code(&settings.language),
                keys: Keymap::from_words(&settings.keys),
                operator: settings.operator,
                recent: settings.recent,
                ..shell::State::default()
            },
            review: review::State::new(card.clone()),
            model: ModelInUse::new(card, path),
            evaluate: evaluate::State::default(),
            train: train::State::default(),
            models: models::State { default: settings.model, ..models::State::default() },
        }
    }

    /// What is remembered for the next start.
    pub fn settings(&self) -> Settings {
        let shell = &self.shell;
        Settings {
            recent: shell.recent.clone(),
            theme: shell.theme.text().to_lowercase(),
            language: shell.language.code().to_owned(),
            operator: shell.operator.clone(),
            keys: shell.keys.to_config(),
            model: self.models.default.clone(),
        }
    }
}
