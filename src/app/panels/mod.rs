//! What is drawn. Panels read the state and ask for commands and inputs; they change nothing themselves.

mod case;
mod details;
mod dialogs;
mod differential;
mod evaluate;
mod frame;
mod gallery;
mod map;
mod models;
mod places;
mod providers;
mod review;
mod train;
mod wizard;

use super::command::Command;
use super::language::tr;
use super::pictures::{self, Look, Pictures};
use super::state::{Dialog, Place, State};
use super::update::Input;
use super::{Asked, theme};
use crate::domain::{CellClass, CellId, NOT_A_WHITE_CELL, UNIDENTIFIED};
use egui::{Key, Rect, Ui, WidgetInfo, pos2};
use std::path::Path;

/// What only drawing needs to remember: zoom, columns, text being typed.
#[derive(Debug, Default)]
pub(crate) struct ViewMemory {
    /// Zoom and pan of the image pane.
    pub(super) view: details::View,
    /// Columns of the gallery in the last frame, for the arrow keys.
    pub(super) columns: usize,
    /// The tile under the pointer in the last frame.
    pub(super) hovered: Option<CellId>,
    /// Whether the pointer was moved since the last key: only then what is under it is meant.
    pub(super) pointing: Pointing,
    /// Columns of an evaluation's images in the last frame.
    pub(super) evaluate_columns: usize,
    /// Where the gallery was scrolled to in the last frame, points.
    pub(super) offset: f32,
    /// Where a rubber band began, points of the gallery's content.
    pub(super) band: Option<egui::Pos2>,
    /// A square that is being drawn, moved or sized.
    pub(super) drag: Option<details::SquareDrag>,
    /// The heat map as a texture, of which map and with which opacity.
    pub(super) heat: details::HeatTexture,
    /// What a model that is being asked about sees, as a texture, and of which preview.
    pub(super) preview: wizard::PreviewTexture,
    /// A line that is being drawn around cells of the map.
    pub(super) lasso: Vec<[f64; 2]>,
    /// Nothing had the keyboard when the frame began.
    pub(super) keys_free: bool,
}

/// A tile that is being dragged to a class.
pub(crate) struct DraggedTile(pub(super) CellId);

/// Which hand spoke last: a pointer that lies still labels nothing.
#[derive(Debug, Default)]
pub(crate) struct Pointing {
    /// Where the pointer was at the last key or scroll, points of the screen.
    rest: Option<egui::Pos2>,
    /// It was moved away from there.
    moved: bool,
}

/// A hand on a table trembles: less than this many points is no movement.
const TREMBLE: f32 = 4.0;

impl Pointing {
    /// Looks at what came in this frame.
    fn look(&mut self, ui: &Ui) {
        let (events, now) = ui.input(|i| (i.events.clone(), i.pointer.latest_pos()));
        for event in &events {
            match event {
                egui::Event::Key { pressed: true, .. } | egui::Event::MouseWheel { .. } => {
                    (self.rest, self.moved) = (now, false);
                }
                egui::Event::PointerMoved(at) => match self.rest {
                    Some(rest) if rest.distance(*at) < TREMBLE => {}
                    _ => self.moved = true,
                },
                _ => {}
            }
        }
    }
}

/// Paints a picture into a place, as large as it fits, not distorted.
fn paint_fitted(painter: &egui::Painter, texture: &egui::TextureHandle, place: Rect) {
    let size = texture.size_vec2();
    let scale = (place.width() / size.x).min(place.height() / size.y);
    let all = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
    painter.image(texture.id(), Rect::from_center_size(place.center(), size * scale), all, theme::untinted());
}

/// A picture in a place of its own of so many points a side; its name is what is read aloud, and shown under the pointer.
fn pictured(ui: &mut Ui, pictures: &mut Pictures, key: pictures::Key, path: &Path, side: f32, name: &str) {
    let (place, response) = ui.allocate_exact_size(egui::Vec2::splat(side), egui::Sense::hover());
    ui.painter().rect_filled(place, 3.0, theme::picture_back(ui.visuals().dark_mode));
    if let Look::Ready(texture) = pictures.get(key, path, key.square()) {
        paint_fitted(ui.painter(), texture, place);
    }
    response.widget_info(|| WidgetInfo::labeled(egui::Role::Image, true, name));
    response.on_hover_text(name);
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
    // Keys of this frame are meant for what the pointer said before them.
    let pointed = memory.pointing.moved;
    memory.pointing.look(ui);
    memory.keys_free = ui.ctx().memory(|m| m.focused().is_none());
    frame::menu_bar(ui, state, asked);
    frame::status_bar(ui, state, asked, now);
    frame::rail(ui, state, asked);
    match state.place {
        Place::Review if (state.opened.is_empty() || state.nothing_in.is_some()) && state.job.is_none() => {
            places::first_run(ui, state, asked);
        }
        Place::Review => review::place(ui, state, memory, pictures, asked),
        Place::Evaluate => evaluate::place(ui, state, memory, pictures, asked, now),
        Place::Train => train::place(ui, state, pictures, asked, now),
        Place::Models => models::place(ui, state, memory, asked),
    }
    dialogs::dialog(ui, state, pictures, asked);
    frame::toasts(ui, state);
    drop_veil(ui);
    if memory.columns == 0 {
        memory.columns = 1;
    }
    keys(ui, state, memory, asked, pointed);
}

/// The commands' own keys; those without modifiers wait until it is known whether something is being typed.
pub(crate) fn shortcuts(ui: &Ui, state: &State, asked: &mut Asked) {
    if matches!(state.dialog, Dialog::Keyboard(Some(_))) {
        return;
    }
    // The most specific keys first: Ctrl+Shift+O is not Ctrl+O.
    let mut all: Vec<(Command, egui::KeyboardShortcut)> =
        Command::all().into_iter().flat_map(|c| state.keys.all_of(c).into_iter().map(move |k| (c, k))).collect();
    all.sort_by_key(|(_, k)| std::cmp::Reverse(u8::from(k.modifiers.shift) + u8::from(k.modifiers.alt)));
    for (command, keys) in all {
        if (keys.modifiers.any() || is_function_key(keys.logical_key))
            && !(typing(ui) && for_text(keys))
            && consume(ui, keys)
        {
            ask(state, command, asked);
        }
    }
}

/// Takes a key press that is exactly this: Shift and Alt count too, but for signs, which need Shift on some keyboards.
fn consume(ui: &Ui, keys: egui::KeyboardShortcut) -> bool {
    let sign =
        matches!(keys.logical_key, Key::Plus | Key::Minus | Key::Slash | Key::Period | Key::Equals | Key::Questionmark);
    ui.input_mut(|i| {
        let before = i.events.len();
        i.events.retain(|event| match event {
            egui::Event::Key { key, pressed: true, modifiers, .. } if *key == keys.logical_key => {
                let wanted = keys.modifiers;
                let same = modifiers.cmd_ctrl_matches(wanted)
                    && modifiers.alt == wanted.alt
                    && (sign || modifiers.shift == wanted.shift);
                !same
            }
            _ => true,
        });
        i.events.len() < before
    })
}

/// Asks for a command, or says why it cannot be done now.
fn ask(state: &State, command: Command, asked: &mut Asked) {
    if command.enabled(state) {
        asked.command(command);
    } else if let Some(why) = command.refusal(state) {
        asked.input(Input::Refused(why));
    }
}

fn is_function_key(key: Key) -> bool {
    key.name().strip_prefix('F').is_some_and(|n| n.parse::<u8>().is_ok())
}

fn typing(ui: &Ui) -> bool {
    ui.ctx().text_edit_focused()
}

/// What belongs to whoever types: take back, choose all, copy and paste.
fn for_text(keys: egui::KeyboardShortcut) -> bool {
    matches!(keys.logical_key, Key::A | Key::C | Key::V | Key::X | Key::Z | Key::Y)
}

/// Arrows and the plain keys of commands, unless something else has the keyboard.
fn keys(ui: &Ui, state: &State, memory: &ViewMemory, asked: &mut Asked, pointed: bool) {
    if state.dialog != Dialog::None || !memory.keys_free {
        return;
    }
    // Labels go to what is chosen together, else to the tile under the pointer if it was moved last, else to the chosen one.
    let hovered = memory.hovered.filter(|_| state.place == Place::Review && pointed);
    let columns = memory.columns.cast_signed();
    let review = state.place == Place::Review;
    if review {
        for (key, by) in
            [(Key::ArrowRight, 1), (Key::ArrowLeft, -1), (Key::ArrowDown, columns), (Key::ArrowUp, -columns)]
        {
            if ui.input_mut(|i| i.consume_key(egui::Modifiers::SHIFT, key)) {
                asked.input(Input::Extend(by));
            }
        }
    }
    let mut tabbed = false;
    let taken = take_keys(ui, |key, repeated| {
        if review {
            let by = match key {
                Key::ArrowRight => Some(1),
                Key::ArrowLeft => Some(-1),
                Key::ArrowDown => Some(columns),
                Key::ArrowUp => Some(-columns),
                Key::PageDown => Some(4 * columns),
                Key::PageUp => Some(-4 * columns),
                Key::Home => Some(isize::MIN / 2),
                Key::End => Some(isize::MAX / 2),
                _ => None,
            };
            if let Some(by) = by {
                return Some(Pressed::Input(Input::Move(by)));
            }
        }
        if state.place == Place::Evaluate {
            // The matrix has its own keys.
            return None;
        }
        let command = state.keys.command(egui::KeyboardShortcut::new(egui::Modifiers::NONE, key))?;
        if !command.enabled(state) {
            return command.refusal(state).map(|why| Pressed::Input(Input::Refused(why)));
        }
        tabbed |= key == Key::Tab;
        if repeated && command.labels() {
            // A key that is held labels one cell, and not all that come after it.
            return Some(Pressed::Nothing);
        }
        Some(match (command, hovered) {
            (Command::Label(n), Some(cell)) => {
                let label = CellClass::of_key(usize::from(n)).map_or(UNIDENTIFIED, |c| c.label);
                Pressed::Input(Input::SetLabel(Some(cell), label.to_owned()))
            }
            (Command::NoWhiteCell, Some(cell)) => {
                Pressed::Input(Input::SetLabel(Some(cell), NOT_A_WHITE_CELL.to_owned()))
            }
            (command, _) => Pressed::Command(command),
        })
    });
    for pressed in taken {
        match pressed {
            Pressed::Nothing => {}
            Pressed::Input(input) => asked.input(input),
            // As inputs, so that what was pressed first is done first.
            Pressed::Command(command) => asked.input(Input::Command(command)),
        }
    }
    let free = |m: &mut egui::Memory| {
        if let Some(focused) = m.focused() {
            m.surrender_focus(focused);
        }
    };
    if tabbed {
        // The key went to the gallery, and not to the controls: F6 goes there.
        ui.ctx().memory_mut(free);
    } else if ui.input_mut(|i| i.consume_key(egui::Modifiers::NONE, Key::F6)) {
        ui.ctx().memory_mut(|m| m.move_focus(egui::FocusDirection::Next));
    }
}

enum Pressed {
    Nothing,
    Input(Input),
    Command(Command),
}

/// Takes the keys pressed without modifiers that `handle` knows, in the order in which they were pressed: fast fingers press
/// several within one frame, and what they meant must not depend on which key is looked for first.
fn take_keys<T>(ui: &Ui, mut handle: impl FnMut(Key, bool) -> Option<T>) -> Vec<T> {
    ui.input_mut(|i| {
        let mut taken = Vec::new();
        i.events.retain(|event| match event {
            egui::Event::Key { key, pressed: true, modifiers, repeat, .. } if modifiers.is_none() => {
                match handle(*key, *repeat) {
                    Some(input) => {
                        taken.push(input);
                        false
                    }
                    None => true,
                }
            }
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

/// A line through points, as they are. The library draws a line that is denser than the pixels as a filled band, which is wrong for
/// steps and for curves that go up and down at one place; no line here is drawn otherwise.
fn line<'a>(name: impl Into<String>, points: Vec<[f64; 2]>) -> egui_plot::Line<'a> {
    egui_plot::Line::new(name, egui_plot::PlotPoints::from(points)).allow_band(false)
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
        tr!("Drop pictures or folders to classify them, a model to open it"),
        egui::FontId::proportional(26.0),
        theme::on_veil(),
    );
}
