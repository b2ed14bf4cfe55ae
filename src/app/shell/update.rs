//! How the shell answers: dialogs that belong to no page, keys, settings. No egui but for the names of keys, no disk, no thread, no clock.

use super::state::{Dialog, State};
use crate::app::command::Command;
use crate::app::jobs::Notice;
use crate::app::keys::Keymap;
use crate::app::language::tr;
use egui::KeyboardShortcut;
use std::path::PathBuf;

/// What the user did that is not a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Changed or closed a dialog.
    Dialog(Dialog),
    /// Wanted something that cannot be done now, for this reason.
    Refused(String),
    /// Gave a command other keys.
    Bind(Command, KeyboardShortcut),
    /// Gave all commands the program's own keys again.
    ResetKeys,
    /// Opened paths (dropped, typed, recent): for the Review page, or a model.
    Open(Vec<PathBuf>),
    /// Watches a folder: for the Review page.
    Watch(PathBuf),
    /// Chose a label in the menu: for the Review page.
    SetLabel(String),
    /// Shows the images in which no white cell was found.
    ShowNoCell,
}

/// Something that happened outside.
#[derive(Debug)]
pub enum Event {
    /// The self-check's text.
    Checked(String),
    /// What a job of any page says.
    Notice(Notice),
}

/// What should be done outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Look at the machine.
    SelfCheck,
}

/// A command of the shell.
pub fn command(state: &mut State, command: Command) -> Vec<Effect> {
    match command {
        Command::OpenPath => {
            state.dialog = Dialog::Path { text: String::new(), why: String::new(), watch: false };
        }
        Command::Palette => state.dialog = Dialog::Palette { query: String::new(), chosen: 0 },
        Command::Keyboard => state.dialog = Dialog::Keyboard(None),
        Command::Guide => state.dialog = Dialog::Guide(0),
        Command::Log => state.dialog = Dialog::Log,
        Command::About => state.dialog = Dialog::About,
        Command::SetLanguage(language) => state.language = language,
        Command::Theme(theme) => state.theme = theme,
        Command::SelfCheck => {
            state.dialog = Dialog::SelfCheck(None);
            return vec![Effect::SelfCheck];
        }
        other => debug_assert!(false, "{other:?} is answered by nobody"),
    }
    Vec::new()
}

/// Whether a command of the shell is the present choice of several.
pub fn checked(state: &State, command: Command) -> Option<bool> {
    match command {
        Command::Go(page) => Some(state.page == page),
        Command::Theme(theme) => Some(state.theme == theme),
        Command::SetLanguage(language) => Some(state.language == language),
        _ => None,
    }
}

/// The user's other input, but for what concerns a page.
pub fn input(state: &mut State, input: Input, now: f64) {
    match input {
        Input::Dialog(dialog) => state.dialog = dialog,
        Input::Refused(why) => state.refuse(why, now),
        Input::Bind(command, keys) => {
            state.dialog = Dialog::Keyboard(None);
            if let Some(other) = state.keys.bind(command, keys) {
                state.say(tr!("%{name} has no keys any more", name = other.text()), false, now);
            }
        }
        Input::ResetKeys => state.keys = Keymap::default(),
        Input::Open(_) | Input::Watch(_) | Input::SetLabel(_) | Input::ShowNoCell => {}
    }
}

/// Something that happened outside.
pub fn event(state: &mut State, event: Event, now: f64) {
    match event {
        Event::Checked(text) => {
            if matches!(state.dialog, Dialog::SelfCheck(_)) {
                state.dialog = Dialog::SelfCheck(Some(text));
            }
        }
        Event::Notice(notice) => match notice {
            Notice::Error(text) => state.say(text, true, now),
            Notice::Written(path) => state.written(&path, now),
            Notice::NoDialog { watch } => state.ask_path(watch),
        },
    }
}
