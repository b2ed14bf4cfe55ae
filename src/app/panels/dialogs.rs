//! The dialogs: typed path, command palette, keyboard page, self-check, log, about.

use crate::app::Asked;
use crate::app::command::Command;
use crate::app::state::{Dialog, State};
use crate::app::update::Input;
use egui::{Key, Modifiers, RichText, ScrollArea, TextEdit, Ui};
use std::path::PathBuf;

pub(super) fn dialog(ui: &Ui, state: &State, asked: &mut Asked) {
    match &state.dialog {
        Dialog::None => {}
        Dialog::Path { text, why } => path(ui, text, why, asked),
        Dialog::Palette { query, chosen } => palette(ui, state, query, *chosen, asked),
        Dialog::Keyboard => page(ui, "Keyboard", asked, keyboard),
        Dialog::SelfCheck(text) => page(ui, "Self-check", asked, |ui| match text {
            None => {
                ui.horizontal(|ui| {
                    ui.spinner();
                    ui.label("Looking at this machine…");
                });
            }
            Some(text) => {
                for line in text.lines() {
                    ui.add(egui::Label::new(RichText::new(line).monospace()).wrap());
                }
            }
        }),
        Dialog::Log => page(ui, "Log", asked, |ui| {
            if state.log.is_empty() {
                ui.label("Nothing happened yet.");
            }
            ScrollArea::vertical().max_height(420.0).auto_shrink([false, true]).show_rows(
                ui,
                18.0,
                state.log.len(),
                |ui, rows| {
                    for line in &state.log[rows] {
                        ui.label(line);
                    }
                },
            );
        }),
        Dialog::About => page(ui, "About Leukoscope", asked, |ui| {
            ui.label(format!("Leukoscope {}", env!("CARGO_PKG_VERSION")));
            ui.label("Finds, classifies and counts the white blood cells of stained smears, offline.");
            ui.add_space(6.0);
            ui.label("Research use only. It knows five mature classes and cannot name blasts, immature granulocytes or atypical cells.");
            ui.add_space(6.0);
            ui.label("Licence: MIT or Apache-2.0. ONNX Runtime: MIT.");
            ui.label(format!("Model: {} ({})", state.model.name, state.model.digest));
        }),
    }
}

fn close_on_escape(ui: &Ui, asked: &mut Asked) {
    if ui.input_mut(|i| i.consume_key(Modifiers::NONE, Key::Escape)) {
        asked.input(Input::Dialog(Dialog::None));
    }
}

fn page(ui: &Ui, title: &str, asked: &mut Asked, content: impl FnOnce(&mut Ui)) {
    close_on_escape(ui, asked);
    let answer = egui::Modal::new(egui::Id::unique("page")).show(ui.ctx(), |ui| {
        ui.set_width(620.0);
        ui.heading(title);
        ui.separator();
        content(ui);
        ui.separator();
        ui.button("Close").clicked()
    });
    if answer.inner || answer.should_close() {
        asked.input(Input::Dialog(Dialog::None));
    }
}

fn path(ui: &Ui, text: &str, why: &str, asked: &mut Asked) {
    close_on_escape(ui, asked);
    let mut text = text.to_owned();
    let answer = egui::Modal::new(egui::Id::unique("path")).show(ui.ctx(), |ui| {
        ui.set_width(560.0);
        ui.heading("Open a path");
        if !why.is_empty() {
            ui.label(why);
        }
        let label = ui.label("Path of a picture or folder");
        let edit = ui.add(TextEdit::singleline(&mut text).desired_width(f32::INFINITY)).labelled_by(label.id);
        edit.request_focus();
        let enter = ui.input(|i| i.key_pressed(Key::Enter));
        let open = ui.horizontal(|ui| {
            let open = ui.add_enabled(!text.trim().is_empty(), egui::Button::new("Open")).clicked();
            if ui.button("Close").clicked() {
                asked.input(Input::Dialog(Dialog::None));
            }
            open
        });
        (edit.changed(), open.inner || enter)
    });
    let (changed, open) = answer.inner;
    if open && !text.trim().is_empty() {
        // Pasted from a file manager a path may be a URI in quotes.
        let plain = text.trim().trim_matches(['"', '\'']).trim_start_matches("file://");
        asked.input(Input::Open(vec![PathBuf::from(plain)]));
    } else if changed {
        asked.input(Input::Dialog(Dialog::Path { text, why: why.into() }));
    }
}

fn palette(ui: &Ui, state: &State, query: &str, chosen: usize, asked: &mut Asked) {
    close_on_escape(ui, asked);
    let mut fitting: Vec<Command> =
        Command::all().into_iter().filter(|c| *c != Command::Palette && fits(&c.text(), query)).collect();
    // The very words first, then what begins with them; the sort is stable.
    let typed = query.trim().to_lowercase();
    fitting.sort_by_key(|c| {
        let text = c.text().to_lowercase();
        (text != typed, !text.starts_with(&typed))
    });
    let mut chosen = chosen.min(fitting.len().saturating_sub(1));
    let before = chosen;
    if ui.input_mut(|i| i.consume_key(Modifiers::NONE, Key::ArrowDown)) {
        chosen = (chosen + 1).min(fitting.len().saturating_sub(1));
    }
    if ui.input_mut(|i| i.consume_key(Modifiers::NONE, Key::ArrowUp)) {
        chosen = chosen.saturating_sub(1);
    }
    let enter = ui.input(|i| i.key_pressed(Key::Enter));
    let mut text = query.to_owned();
    let answer = egui::Modal::new(egui::Id::unique("palette")).show(ui.ctx(), |ui| {
        ui.set_width(480.0);
        let label = ui.label("Command");
        let edit = ui
            .add(TextEdit::singleline(&mut text).hint_text("Type what you want to do").desired_width(f32::INFINITY))
            .labelled_by(label.id);
        edit.request_focus();
        let mut clicked = None;
        ScrollArea::vertical().max_height(360.0).show(ui, |ui| {
            for (i, command) in fitting.iter().enumerate() {
                let mut button = egui::Button::new(command.text())
                    .selected(i == chosen)
                    .min_size(egui::vec2(ui.available_width(), 26.0))
                    .frame_when_inactive(false);
                if let Some(keys) = command.shortcut() {
                    button = button.shortcut_text(ui.ctx().format_shortcut(&keys));
                }
                let response = ui.add_enabled(command.enabled(state), button).on_hover_text(command.tooltip());
                if i == chosen && chosen != before {
                    response.scroll_to_me(None);
                }
                if response.clicked() {
                    clicked = Some(*command);
                }
            }
            if fitting.is_empty() {
                ui.label("No command fits.");
            }
        });
        (edit.changed(), clicked)
    });
    let close = answer.should_close();
    let (changed, clicked) = answer.inner;
    let run = clicked.or_else(|| fitting.get(chosen).copied().filter(|c| enter && c.enabled(state)));
    if let Some(command) = run {
        asked.input(Input::Dialog(Dialog::None));
        asked.command(command);
    } else if close {
        asked.input(Input::Dialog(Dialog::None));
    } else if changed {
        asked.input(Input::Dialog(Dialog::Palette { query: text, chosen: 0 }));
    } else if chosen != before {
        asked.input(Input::Dialog(Dialog::Palette { query: query.into(), chosen }));
    }
}

/// Every word typed occurs in the command's text.
fn fits(text: &str, query: &str) -> bool {
    let text = text.to_lowercase();
    query.to_lowercase().split_whitespace().all(|word| text.contains(word))
}

fn keyboard(ui: &mut Ui) {
    egui::Grid::new("keys").num_columns(2).striped(true).show(ui, |ui| {
        for (keys, what) in [
            ("1 to 9", "Label the cell under the pointer, or the chosen one; in Evaluate, correct its reference"),
            ("0", "Unidentified"),
            ("Space", "Accept the label and go on to the next"),
            ("Arrows, Page, Home, End", "Move through the gallery; in the matrix, from number to number"),
            ("Mouse wheel, drag", "Zoom and move the picture; double click fits it"),
            ("Escape", "Close a dialog"),
            ("Tab", "Go to the next control"),
        ] {
            ui.label(RichText::new(keys).strong());
            ui.label(what);
            ui.end_row();
        }
        for command in Command::all() {
            if let Some(keys) = command.shortcut() {
                ui.label(RichText::new(ui.ctx().format_shortcut(&keys)).strong());
                ui.label(command.text());
                ui.end_row();
            }
        }
    });
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_fit_in_any_order() {
        assert!(super::fits("Open Folder…", "fold op"));
        assert!(!super::fits("Open Folder…", "image"));
    }
}
