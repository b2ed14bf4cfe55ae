//! What pages are made of: buttons of commands, images, plots. A widget knows no page.

pub mod images;
mod keyboard;
mod plots;

pub(crate) use images::{paint_fitted, thumbnail};
pub(crate) use keyboard::{Pressed, focus_keys, pressed, shortcuts, take_keys};
pub(crate) use plots::{line, still_plot};

use super::command::Command;
use super::in_use::ModelInUse;
use super::keys::Keymap;
use super::language::{decimal, tr};
use crate::domain::{CellClass, NOT_A_WHITE_CELL, UNIDENTIFIED};
use egui::{Button, Key, KeyboardShortcut, Ui};

/// How a command stands now.
#[derive(Debug, Clone, Default)]
pub struct Availability {
    /// Whether it makes sense now.
    pub enabled: bool,
    /// Whether it is the present choice of several, where it is one.
    pub checked: Option<bool>,
    /// Why its key does nothing now, where the user has to know.
    pub refusal: Option<String>,
}

/// What every page is drawn with: it knows of the rest of the window only this.
pub(crate) struct Cx<'a> {
    /// How a command stands now.
    pub(crate) look: &'a dyn Fn(Command) -> Availability,
    pub(crate) keys: &'a Keymap,
    pub(crate) model: &'a ModelInUse,
    /// Initials of who sits here.
    pub(crate) operator: &'a str,
    /// What was opened before, newest first.
    pub(crate) recent: &'a [std::path::PathBuf],
    /// Whether a dialog is over the page.
    pub(crate) dialog: bool,
    /// Seconds.
    pub(crate) now: f64,
}

impl Cx<'_> {
    /// Whether a command makes sense now.
    pub(crate) fn enabled(&self, command: Command) -> bool {
        (self.look)(command).enabled
    }
}

/// What a page asks for while it is drawn.
#[derive(Debug)]
pub(crate) struct Asked<I> {
    pub(crate) commands: Vec<Command>,
    pub(crate) inputs: Vec<I>,
}

impl<I> Default for Asked<I> {
    fn default() -> Self {
        Self { commands: Vec::new(), inputs: Vec::new() }
    }
}

impl<I> Asked<I> {
    pub(crate) fn command(&mut self, command: Command) {
        self.commands.push(command);
    }

    pub(crate) fn input(&mut self, input: I) {
        self.inputs.push(input);
    }
}

pub(crate) fn command_button<I>(ui: &mut Ui, cx: &Cx<'_>, asked: &mut Asked<I>, command: Command) -> egui::Response {
    let response = ui.add_enabled(cx.enabled(command), Button::new(command.text())).on_hover_text(command.tooltip());
    if response.clicked() {
        asked.command(command);
    }
    response
}

pub(crate) fn label_key(keys: &Keymap, label: &str) -> Option<KeyboardShortcut> {
    if label == NOT_A_WHITE_CELL {
        return keys.get(Command::NoWhiteCell);
    }
    let number = match CellClass::find(label) {
        Some(class) if class.label == UNIDENTIFIED => 0,
        class => class?.key()?,
    };
    keys.get(Command::Label(u8::try_from(number).ok()?))
}

/// Seconds or minutes, for the user.
pub(crate) fn duration(seconds: f64) -> String {
    if seconds < 90.0 {
        tr!("%{n} s", n = decimal(seconds, 0))
    } else {
        tr!("%{n} min", n = decimal(seconds / 60.0, 0))
    }
}

/// A page that lies over everything, with a title and a way to close it; whether it was closed.
pub(crate) fn modal(ui: &Ui, title: &str, content: impl FnOnce(&mut Ui)) -> bool {
    modal_of(ui, title, 620.0, content)
}

/// The same of another width, points.
pub(crate) fn modal_of(ui: &Ui, title: &str, width: f32, content: impl FnOnce(&mut Ui)) -> bool {
    let escaped = ui.input_mut(|i| i.consume_key(egui::Modifiers::NONE, Key::Escape));
    let answer = egui::Modal::new(egui::Id::unique("page")).show(ui.ctx(), |ui| {
        ui.set_width(width);
        ui.heading(title);
        ui.separator();
        content(ui);
        ui.separator();
        ui.button(tr!("Close")).clicked()
    });
    escaped || answer.inner || answer.should_close()
}
