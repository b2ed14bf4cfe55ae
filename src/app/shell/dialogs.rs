//! The dialogs: typed path, command palette, keyboard page, self-check, log, about.

use super::guide::{self, GuideMemory};
use super::state::{Dialog, State};
use super::update::Input;
use crate::app::command::Command;
use crate::app::in_use::ModelInUse;
use crate::app::language::tr;
use crate::app::widgets::{Asked, Cx, modal};
use egui::{Event, Grid, Key, KeyboardShortcut, Modifiers, RichText, ScrollArea, TextEdit, Ui};
use std::path::PathBuf;

/// Draws the dialog that is open.
pub(crate) fn dialog(ui: &Ui, cx: &Cx<'_>, state: &State, memory: &mut GuideMemory, asked: &mut Asked<Input>) {
    let mut close = false;
    match &state.dialog {
        Dialog::None => {}
        Dialog::Path { text, why, watch } => path(ui, text, why, *watch, asked),
        Dialog::Palette { query, chosen } => palette(ui, cx, query, *chosen, asked),
        Dialog::Keyboard(waiting) => close = modal(ui, &tr!("Keyboard"), |ui| keyboard(ui, cx, *waiting, asked)),
        Dialog::SelfCheck(text) => close = modal(ui, &tr!("Self-check"), |ui| self_check(ui, text.as_deref())),
        Dialog::Guide(at) => guide::guide(ui, *at, memory, asked),
        Dialog::Log => close = modal(ui, &tr!("Log"), |ui| log(ui, &state.log)),
        Dialog::About => close = modal(ui, &tr!("About Leukoscope"), |ui| about(ui, cx.model)),
    }
    if close {
        asked.input(Input::Dialog(Dialog::None));
    }
}

fn self_check(ui: &mut Ui, text: Option<&str>) {
    let Some(text) = text else {
        ui.horizontal(|ui| {
            ui.spinner();
            ui.label(tr!("Looking at this machine…"));
        });
        return;
    };
    for line in text.lines() {
        ui.add(egui::Label::new(RichText::new(line).monospace()).wrap());
    }
}

fn log(ui: &mut Ui, lines: &[String]) {
    if lines.is_empty() {
        ui.label(tr!("Nothing happened yet."));
    }
    let area = ScrollArea::vertical().max_height(420.0).auto_shrink([false, true]);
    area.show_rows(ui, 18.0, lines.len(), |ui, rows| {
        for line in &lines[rows] {
            ui.label(line);
        }
    });
}

fn about(ui: &mut Ui, model: &ModelInUse) {
    ui.label(format!("Leukoscope {}", env!("CARGO_PKG_VERSION")));
    ui.label(tr!("Finds, classifies and counts the white blood cells of stained smears, offline."));
    ui.add_space(6.0);
    ui.label(tr!("Research use only"));
    if let Some(lacking) = model.lacking() {
        ui.label(lacking);
    }
    ui.add_space(6.0);
    ui.label(tr!("Licence: MIT or Apache-2.0. ONNX Runtime: MIT."));
    ui.label(tr!("Model: %{name} (%{digest})", name = model.card.name, digest = model.card.digest.short()));
}

fn close_on_escape(ui: &Ui, asked: &mut Asked<Input>) {
    if ui.input_mut(|i| i.consume_key(Modifiers::NONE, Key::Escape)) {
        asked.input(Input::Dialog(Dialog::None));
    }
}

fn path(ui: &Ui, text: &str, why: &str, watch: bool, asked: &mut Asked<Input>) {
    close_on_escape(ui, asked);
    let mut text = text.to_owned();
    let answer = egui::Modal::new(egui::Id::unique("path")).show(ui.ctx(), |ui| {
        ui.set_width(560.0);
        ui.heading(tr!("Open a path"));
        if !why.is_empty() {
            ui.label(why);
        }
        let label = ui.label(tr!("Path of an image or folder"));
        let edit = ui.add(TextEdit::singleline(&mut text).desired_width(f32::INFINITY)).labelled_by(label.id);
        edit.request_focus();
        let enter = ui.input(|i| i.key_pressed(Key::Enter));
        let open = ui.horizontal(|ui| {
            let open = ui.add_enabled(!text.trim().is_empty(), egui::Button::new(tr!("Open"))).clicked();
            if ui.button(tr!("Close")).clicked() {
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
        let path = PathBuf::from(plain);
        asked.input(if watch { Input::Watch(path) } else { Input::Open(vec![path]) });
    } else if changed {
        asked.input(Input::Dialog(Dialog::Path { text, why: why.into(), watch }));
    }
}

fn palette(ui: &Ui, cx: &Cx<'_>, query: &str, chosen: usize, asked: &mut Asked<Input>) {
    close_on_escape(ui, asked);
    let by_any_word = |c: &Command| fits(&format!("{} {}", c.text(), c.synonyms()), query);
    let mut fitting: Vec<Command> =
        Command::all().iter().copied().filter(|c| *c != Command::Palette && by_any_word(c)).collect();
    // The very words first, then what begins with them, then what has them, then what is also called so; the sort is stable.
    let typed = query.trim().to_lowercase();
    fitting.sort_by_key(|c| {
        let text = c.text().to_lowercase();
        (text != typed, !text.starts_with(&typed), !fits(&text, query))
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
        let label = ui.label(tr!("Command"));
        let edit = ui
            .add(
                TextEdit::singleline(&mut text).hint_text(tr!("Type what you want to do")).desired_width(f32::INFINITY),
            )
            .labelled_by(label.id);
        edit.request_focus();
        let mut clicked = None;
        ScrollArea::vertical().max_height(360.0).show(ui, |ui| {
            for (i, command) in fitting.iter().enumerate() {
                let mut button = egui::Button::new(command.text())
                    .selected(i == chosen)
                    .min_size(egui::vec2(ui.available_width(), 26.0))
                    .frame_when_inactive(false);
                if let Some(keys) = cx.keys.get(*command) {
                    button = button.shortcut_text(ui.ctx().format_shortcut(&keys));
                }
                let response = ui.add_enabled(cx.enabled(*command), button).on_hover_text(command.tooltip());
                if i == chosen && chosen != before {
                    response.scroll_to_me(None);
                }
                if response.clicked() {
                    clicked = Some(*command);
                }
            }
            if fitting.is_empty() {
                ui.label(tr!("No command fits."));
            }
        });
        (edit.changed(), clicked)
    });
    let close = answer.should_close();
    let (changed, clicked) = answer.inner;
    let run = clicked.or_else(|| fitting.get(chosen).copied().filter(|c| enter && cx.enabled(*c)));
    if let Some(command) = run {
        // The palette is closed before the command is done, which may open a dialog of its own.
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

fn keyboard(ui: &mut Ui, cx: &Cx<'_>, waiting: Option<Command>, asked: &mut Asked<Input>) {
    if let Some(command) = waiting {
        ui.label(RichText::new(tr!("Press the new keys for \"%{name}\", or Escape", name = command.text())).strong());
        let pressed = ui.input(|i| {
            i.events.iter().find_map(|e| match e {
                Event::Key { key, pressed: true, modifiers, .. } if *key != Key::Escape => {
                    let plain = Modifiers {
                        command: modifiers.command || modifiers.ctrl,
                        ctrl: false,
                        mac_cmd: false,
                        ..*modifiers
                    };
                    Some(KeyboardShortcut::new(plain, *key))
                }
                _ => None,
            })
        });
        if let Some(keys) = pressed {
            asked.input(Input::Bind(command, keys));
        }
    }
    ScrollArea::vertical().max_height(440.0).auto_shrink([false, true]).show(ui, |ui| {
        Grid::new("keys").num_columns(3).striped(true).show(ui, |ui| {
            for (keys, what) in [
                (tr!("Arrows, Page, Home, End"), tr!("Move through the gallery; in the matrix, from number to number")),
                (tr!("Click, Ctrl, Shift"), tr!("Choose one; add or take out one; choose a range")),
                (tr!("Drag between tiles, Shift+drag"), tr!("Choose what the band touches")),
                (tr!("Drag a tile to a class"), tr!("Label it, and what is chosen with it")),
                (tr!("Mouse wheel, drag"), tr!("Zoom and move the image; double click fits it")),
                ("Escape".into(), tr!("Close a dialog; give the keyboard back to the gallery")),
                ("F6, Tab".into(), tr!("Go to the controls; go to the next control")),
                (tr!("1 to 9 in Evaluate"), tr!("Correct the reference of the chosen image")),
            ] {
                ui.label(RichText::new(keys).strong());
                ui.label(what);
                ui.label("");
                ui.end_row();
            }
            for command in Command::all().iter().copied() {
                let keys = cx.keys.get(command);
                let text = keys.map_or_else(|| "–".into(), |k| ui.ctx().format_shortcut(&k));
                ui.label(RichText::new(text).strong());
                ui.label(command.text()).on_hover_text(command.tooltip());
                let button = egui::Button::new(tr!("Change")).small();
                let response = ui.add(button);
                let name = tr!("Change the keys of %{name}", name = command.text());
                response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &name));
                if response.clicked() {
                    asked.input(Input::Dialog(Dialog::Keyboard(Some(command))));
                }
                ui.end_row();
            }
        });
    });
    if ui.add_enabled(cx.keys.changed(), egui::Button::new(tr!("The Program's Own Keys Again"))).clicked() {
        asked.input(Input::ResetKeys);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_fit_in_any_order() {
        assert!(super::fits("Open Folder…", "fold op"));
        assert!(!super::fits("Open Folder…", "image"));
    }
}
