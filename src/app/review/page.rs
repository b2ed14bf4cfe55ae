//! The Review page: folders, counts and filters on the left, the gallery in the middle, the image on the right.

use super::memory::Memory;
use super::message::Input;
use super::state::{Dialog, State};
use super::{case_form, differential, filter, first_run, gallery, inspector, map, sign_off};
use crate::app::command::Command;
use crate::app::language::tr;
use crate::app::textures::Textures;
use crate::app::widgets::{Asked, Cx, Pressed, focus_keys, modal, pressed, take_keys};
use crate::domain::{CellClass, NOT_A_WHITE_CELL, UNIDENTIFIED};
use egui::{CentralPanel, Key, Panel, ScrollArea, Ui};

pub(crate) fn page(
    ui: &mut Ui,
    cx: &Cx<'_>,
    state: &State,
    memory: &mut Memory,
    textures: &mut Textures,
    asked: &mut Asked<Input>,
) {
    if (state.opened.is_empty() || state.nothing_in.is_some()) && state.job.is_none() {
        return first_run::first_run(ui, cx, state, asked);
    }
    Panel::left("folders").default_size(252.0).size_range(190.0..=360.0).show(ui, |ui| {
        ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
            filter::folders(ui, cx, state, asked);
            ui.separator();
            filter::counts(ui, cx, state, asked);
            ui.separator();
            filter::confidence(ui, state, asked);
        });
    });
    if state.case.shown {
        Panel::bottom("differential")
            .resizable(true)
            .default_size(230.0)
            .size_range(120.0..=420.0)
            .show(ui, |ui| differential::panel(ui, cx, state, asked));
    }
    let half = (ui.available_width() * 0.46).clamp(300.0, 900.0);
    Panel::right("image")
        .default_size(half)
        .size_range(280.0..=1400.0)
        .show(ui, |ui| inspector::pane(ui, cx, state, memory, textures, asked));
    CentralPanel::default().show(ui, |ui| {
        filter::bar(ui, cx, state, asked);
        filter::unusual(ui, state, asked);
        filter::hint(ui, cx, state, asked);
        ui.separator();
        if state.map.shown {
            map::map(ui, state, memory, asked);
        } else {
            gallery::gallery(ui, state, memory, textures, asked);
        }
    });
}

/// Arrows and the plain keys of commands. Labels go to what is chosen together, else to the tile under the pointer if it was moved last,
/// else to the chosen one.
pub(crate) fn keys(ui: &Ui, cx: &Cx<'_>, memory: &Memory, asked: &mut Asked<Input>) {
    let hovered = memory.hovered.filter(|_| memory.pointed);
    let columns = memory.columns.max(1).cast_signed();
    for (key, by) in [(Key::ArrowRight, 1), (Key::ArrowLeft, -1), (Key::ArrowDown, columns), (Key::ArrowUp, -columns)] {
        if ui.input_mut(|i| i.consume_key(egui::Modifiers::SHIFT, key)) {
            asked.input(Input::Extend(by));
        }
    }
    let mut tabbed = false;
    let taken = take_keys(ui, |key, repeated| {
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
        Some(match (pressed(cx, key, repeated, &mut tabbed)?, hovered) {
            (Pressed::Command(Command::Label(n)), Some(cell)) => {
                let label = CellClass::of_key(usize::from(n)).map_or(UNIDENTIFIED, |c| c.label);
                Pressed::Input(Input::SetLabel(Some(cell), label.to_owned()))
            }
            (Pressed::Command(Command::NoWhiteCell), Some(cell)) => {
                Pressed::Input(Input::SetLabel(Some(cell), NOT_A_WHITE_CELL.to_owned()))
            }
            (other, _) => other,
        })
    });
    for pressed in taken {
        match pressed {
            Pressed::Nothing => {}
            Pressed::Input(input) => asked.input(input),
            // As inputs, so that what was pressed first is done first.
            Pressed::Command(command) => asked.input(Input::Command(command)),
            Pressed::Refused(why) => asked.input(Input::Refused(why)),
        }
    }
    focus_keys(ui, tabbed);
}

pub(crate) fn dialog(ui: &Ui, cx: &Cx<'_>, state: &State, textures: &mut Textures, asked: &mut Asked<Input>) {
    let mut close = false;
    match &state.dialog {
        Dialog::None => {}
        Dialog::Label(text) => close = modal(ui, &tr!("Other label"), |ui| case_form::label(ui, text, asked)),
        Dialog::ConfirmAll(n) => close = modal(ui, &tr!("Confirm in bulk"), |ui| confirm_all(ui, *n, asked)),
        Dialog::Sign { reason } => {
            close = ui.input_mut(|i| i.consume_key(egui::Modifiers::NONE, Key::Escape));
            sign_off::sign(ui, cx, state, textures, reason, asked);
        }
        Dialog::Amend { reason } => close = modal(ui, &tr!("Amend"), |ui| sign_off::amend(ui, reason, asked)),
        Dialog::Ranges(drafts) => {
            close = modal(ui, &tr!("Reference ranges"), |ui| sign_off::ranges(ui, state, drafts, asked));
        }
    }
    if close {
        asked.input(Input::Dialog(Dialog::None));
    }
}

/// Asked once before many cells are confirmed that may never have been on the screen.
fn confirm_all(ui: &mut Ui, n: usize, asked: &mut Asked<Input>) {
    ui.label(tr!("%{n} cells are chosen. Their labels will be confirmed as they stand.", n = n));
    ui.label(tr!("The audit trail and the report will say that they were confirmed in bulk."));
    ui.add_space(6.0);
    let enter = ui.input(|i| i.key_pressed(Key::Enter));
    if ui.button(tr!("Confirm %{n} cells", n = n)).clicked() || enter {
        asked.input(Input::AcceptAll);
    }
}
