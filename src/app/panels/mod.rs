//! What is drawn. Panels read the state and ask for commands and inputs; they change nothing themselves.

mod details;
mod dialogs;
mod evaluate;
mod frame;
mod gallery;
mod places;
mod review;
mod train;

use super::command::Command;
use super::pictures::Pictures;
use super::state::{Dialog, Place, State};
use super::update::Input;
use super::{Asked, theme};
use egui::{Key, Ui};

/// What only drawing needs to remember: zoom, columns, text being typed.
#[derive(Debug, Default)]
pub(crate) struct ViewMemory {
    /// Zoom and pan of the image pane.
    pub(super) view: details::View,
    /// Columns of the gallery in the last frame, for the arrow keys.
    pub(super) columns: usize,
    /// The tile under the pointer in the last frame.
    pub(super) hovered: Option<usize>,
    /// Columns of an evaluation's images in the last frame.
    pub(super) evaluate_columns: usize,
    /// Where the gallery was scrolled to in the last frame, points.
    pub(super) offset: f32,
}

/// The whole window.
pub(crate) fn window(
    ui: &mut Ui,
    state: &State,
    memory: &mut ViewMemory,
    pictures: &mut Pictures,
    asked: &mut Asked,
    now: f64,
) {
    memory.hovered = None;
    frame::menu_bar(ui, state, asked);
    frame::status_bar(ui, state, asked, now);
    frame::rail(ui, state, asked);
    match state.place {
        Place::Review if state.opened.is_empty() && state.job.is_none() => places::first_run(ui, state, asked),
        Place::Review => review::place(ui, state, memory, pictures, asked),
        Place::Evaluate => evaluate::place(ui, state, memory, pictures, asked, now),
        Place::Train => train::place(ui, state, asked, now),
        Place::Models => places::models(ui, state, asked),
    }
    dialogs::dialog(ui, state, asked);
    frame::toasts(ui, state);
    drop_veil(ui);
    if memory.columns == 0 {
        memory.columns = 1;
    }
    keys(ui, state, memory, asked);
}

/// The commands' own keys.
pub(crate) fn shortcuts(ui: &Ui, state: &State, asked: &mut Asked) {
    for command in Command::all() {
        if let Some(keys) = command.shortcut()
            && command.enabled(state)
            && ui.input_mut(|i| i.consume_shortcut(&keys))
        {
            asked.command(command);
        }
    }
}

/// Arrows and the like, unless something is being typed.
fn keys(ui: &Ui, state: &State, memory: &ViewMemory, asked: &mut Asked) {
    if state.dialog != Dialog::None || ui.ctx().egui_wants_keyboard_input() || state.place != Place::Review {
        return;
    }
    // Digits label the tile under the pointer, else the chosen one; Space accepts the chosen one.
    let hovered = memory.hovered;
    let classes = state.model.classes.len();
    let columns = memory.columns.cast_signed();
    take_keys(ui, |key| {
        let by = match key {
            Key::ArrowRight => 1,
            Key::ArrowLeft => -1,
            Key::ArrowDown => columns,
            Key::ArrowUp => -columns,
            Key::PageDown => 4 * columns,
            Key::PageUp => -4 * columns,
            Key::Home => isize::MIN / 2,
            Key::End => isize::MAX / 2,
            Key::Space => return Some(Input::Accept),
            Key::Num0 => return Some(Input::Label(hovered, None)),
            key => {
                let class = evaluate::DIGITS.iter().position(|d| *d == key).filter(|c| *c < classes)?;
                return Some(Input::Label(hovered, Some(class)));
            }
        };
        Some(Input::Move(by))
    })
    .into_iter()
    .for_each(|input| asked.input(input));
}

/// Takes the keys pressed without modifiers that `handle` knows, in the order in which they were pressed: fast fingers press
/// several within one frame, and what they meant must not depend on which key is looked for first.
fn take_keys(ui: &Ui, handle: impl Fn(Key) -> Option<Input>) -> Vec<Input> {
    ui.input_mut(|i| {
        let mut taken = Vec::new();
        i.events.retain(|event| match event {
            egui::Event::Key { key, pressed: true, modifiers, .. } if modifiers.is_none() => match handle(*key) {
                Some(input) => {
                    taken.push(input);
                    false
                }
                None => true,
            },
            _ => true,
        });
        taken
    })
}

/// A plot that shows its data and is hovered over, and nothing else: no accidental zoom or pan.
fn still_plot(name: &str, size: egui::Vec2) -> egui_plot::Plot<'_> {
    egui_plot::Plot::new(name)
        .width(size.x)
        .height(size.y)
        .allow_scroll(false)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_boxed_zoom(false)
}

/// While files hang over the window it says what dropping them does.
fn drop_veil(ui: &Ui) {
    if ui.input(|i| i.raw.hovered_files.is_empty()) {
        return;
    }
    let painter = ui.ctx().layer_painter(egui::LayerId::new(egui::Order::Foreground, egui::Id::unique("drop")));
    let rect = ui.ctx().content_rect();
    painter.rect_filled(rect, 0.0, theme::veil());
    painter.text(
        rect.center(),
        egui::Align2::CENTER_CENTER,
        "Drop pictures or folders to classify them",
        egui::FontId::proportional(26.0),
        theme::on_veil(),
    );
}
