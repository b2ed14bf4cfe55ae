//! What is around every place: menu bar, rail, status bar, toasts.

use crate::app::Asked;
use crate::app::command::Command;
use crate::app::language::{Language, decimal, look_up, tr, whole};
use crate::app::state::{GallerySort, Place, State, ThemeChoice};
use crate::app::theme;
use crate::app::update::Input;
use crate::domain::{CellClass, NOT_A_WHITE_CELL, UNIDENTIFIED};
use crate::files::display_path;
use crate::inference::Provider;
use egui::{Align, Button, Layout, Panel, RichText, Ui};

/// A menu's entry.
fn entry(ui: &mut Ui, state: &State, asked: &mut Asked, command: Command) {
    entry_as(ui, state, asked, command, &command.text());
}

fn entry_as(ui: &mut Ui, state: &State, asked: &mut Asked, command: Command, text: &str) {
    let mut button = Button::new(text);
    if let Some(keys) = state.keys.of(command) {
        button = button.shortcut_text(ui.ctx().format_shortcut(&keys));
    }
    if let Some(checked) = command.checked(state) {
        button = button.selected(checked);
    }
    if ui.add_enabled(command.enabled(state), button).on_hover_text(command.tooltip()).clicked() {
        asked.command(command);
        ui.close();
    }
}

/// A button for a command anywhere else.
pub(super) fn command_button(ui: &mut Ui, state: &State, asked: &mut Asked, command: Command) -> egui::Response {
    let response = ui.add_enabled(command.enabled(state), Button::new(command.text())).on_hover_text(command.tooltip());
    if response.clicked() {
        asked.command(command);
    }
    response
}

/// The keys that give a label.
pub(super) fn label_key(state: &State, label: &str) -> Option<egui::KeyboardShortcut> {
    if label == NOT_A_WHITE_CELL {
        return state.keys.of(Command::NoWhiteCell);
    }
    let number = match CellClass::find(label) {
        Some(class) if class.label == UNIDENTIFIED => 0,
        class => class?.key()?,
    };
    state.keys.of(Command::Label(u8::try_from(number).ok()?))
}

fn later(ui: &mut Ui, text: &str, why: &str) {
    ui.add_enabled(false, Button::new(text)).on_disabled_hover_text(why);
}

pub(super) fn menu_bar(ui: &mut Ui, state: &State, asked: &mut Asked) {
    Panel::top("menu").show(ui, |ui| {
        egui::MenuBar::new().ui(ui, |ui| {
            ui.menu_button(tr!("File"), |ui| {
                entry(ui, state, asked, Command::OpenFolder);
                entry(ui, state, asked, Command::OpenImage);
                entry(ui, state, asked, Command::OpenPath);
                entry(ui, state, asked, Command::WatchFolder);
                ui.menu_button(tr!("Open Recent"), |ui| {
                    if state.recent.is_empty() {
                        later(ui, &tr!("Nothing yet"), &tr!("What you open is listed here"));
                    }
                    for path in &state.recent {
                        if ui.button(display_path(path)).clicked() {
                            asked.input(Input::Open(vec![path.clone()]));
                            ui.close();
                        }
                    }
                });
                ui.separator();
                entry(ui, state, asked, Command::DemoSlide);
                ui.menu_button(tr!("Export"), |ui| {
                    for command in [
                        Command::ExportCsv,
                        Command::ExportReport,
                        Command::ExportFhir,
                        Command::ExportImages,
                        Command::ExportTable,
                    ] {
                        entry(ui, state, asked, command);
                    }
                    entry_as(ui, state, asked, Command::ExportEvaluation, &tr!("Evaluation Report…"));
                });
                ui.separator();
                entry(ui, state, asked, Command::Quit);
            });
            ui.menu_button(tr!("Edit"), |ui| {
                entry(ui, state, asked, Command::Undo);
                entry(ui, state, asked, Command::Redo);
                ui.add_enabled_ui(Command::Label(0).enabled(state), |ui| {
                    ui.menu_button(tr!("Set Label"), |ui| {
                        let offered = state.offered();
                        for label in offered.into_iter().chain([UNIDENTIFIED]) {
                            let mut button = Button::new(look_up(label));
                            if let Some(keys) = label_key(state, label) {
                                button = button.shortcut_text(ui.ctx().format_shortcut(&keys));
                            }
                            if ui.add(button).clicked() {
                                asked.input(Input::SetLabel(None, label.to_owned()));
                                ui.close();
                            }
                        }
                        entry(ui, state, asked, Command::OtherLabel);
                    });
                });
                for command in [Command::Accept, Command::NoWhiteCell, Command::DrawSquares] {
                    entry(ui, state, asked, command);
                }
                ui.separator();
                for command in [Command::SelectAll, Command::NextUnreviewed, Command::NextFlagged] {
                    entry(ui, state, asked, command);
                }
                ui.separator();
                for command in [Command::SignOff, Command::Amend, Command::EditRanges] {
                    entry(ui, state, asked, command);
                }
                ui.separator();
                entry(ui, state, asked, Command::FocusFilter);
                entry(ui, state, asked, Command::ClearFilter);
            });
            ui.menu_button(tr!("Model"), |ui| {
                entry(ui, state, asked, Command::OpenModel);
                entry(ui, state, asked, Command::UseBundledModel);
                ui.separator();
                entry(ui, state, asked, Command::Classify);
                entry(ui, state, asked, Command::CancelJob);
                entry(ui, state, asked, Command::Resume);
                entry(ui, state, asked, Command::ToggleCells);
                ui.separator();
                entry_as(ui, state, asked, Command::Go(Place::Train), &tr!("Retrain…"));
                entry(ui, state, asked, Command::TrainOnReviewed);
                entry(ui, state, asked, Command::PreviousModel);
                entry_as(ui, state, asked, Command::Go(Place::Evaluate), &tr!("Evaluate…"));
                entry(ui, state, asked, Command::EvaluateOnReviewed);
                ui.separator();
                ui.menu_button(tr!("Execution Provider"), |ui| {
                    for p in Provider::ALL {
                        entry_as(ui, state, asked, Command::UseProvider(p), p.as_str());
                    }
                });
            });
            ui.menu_button(tr!("View"), |ui| {
                for place in Place::ALL {
                    entry(ui, state, asked, Command::Go(place));
                }
                ui.separator();
                ui.menu_button(tr!("Gallery size"), |ui| {
                    entry_as(ui, state, asked, Command::LargerTiles, &tr!("Larger"));
                    entry_as(ui, state, asked, Command::SmallerTiles, &tr!("Smaller"));
                });
                ui.menu_button(tr!("Sort"), |ui| {
                    for sort in GallerySort::ALL {
                        entry_as(ui, state, asked, Command::Sort(sort), &tr!(sort.text()));
                    }
                });
                entry(ui, state, asked, Command::FitImage);
                ui.menu_button(tr!("Theme"), |ui| {
                    for t in ThemeChoice::ALL {
                        entry_as(ui, state, asked, Command::Theme(t), &tr!(t.text()));
                    }
                });
                ui.menu_button(tr!("Language"), |ui| {
                    for l in Language::ALL {
                        entry_as(ui, state, asked, Command::Speak(l), l.name());
                    }
                });
                entry(ui, state, asked, Command::ToggleDifferential);
                ui.separator();
                entry(ui, state, asked, Command::Palette);
            });
            ui.menu_button(tr!("Help"), |ui| {
                for command in [Command::Keyboard, Command::SelfCheck, Command::Log, Command::About] {
                    entry(ui, state, asked, command);
                }
            });
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                ui.label(RichText::new(tr!("Research use only")).weak().small());
            });
        });
    });
}

pub(super) fn rail(ui: &mut Ui, state: &State, asked: &mut Asked) {
    Panel::left("rail").resizable(false).exact_size(92.0).show(ui, |ui| {
        ui.add_space(8.0);
        for place in Place::ALL {
            let command = Command::Go(place);
            let chosen = state.place == place;
            let text = RichText::new(tr!(place.text())).size(14.0);
            let mut button = Button::new(text)
                .selected(chosen)
                .min_size(egui::vec2(ui.available_width(), 40.0))
                .frame_when_inactive(chosen);
            if chosen {
                button = button.fill(ui.visuals().selection.bg_fill);
            }
            let hint = match state.keys.of(command) {
                Some(k) => format!("{} ({})", tr!(place.tooltip()), ui.ctx().format_shortcut(&k)),
                None => tr!(place.tooltip()),
            };
            if ui.add(button).on_hover_text(hint).clicked() {
                asked.command(command);
            }
        }
    });
}

pub(super) fn status_bar(ui: &mut Ui, state: &State, asked: &mut Asked, now: f64) {
    Panel::bottom("status").show(ui, |ui| {
        ui.horizontal(|ui| {
            ui.label(format!("{} ({})", state.model.name, state.model.digest))
                .on_hover_text(tr!("The model in use; its card is in Models"));
            ui.separator();
            match (&state.trouble, &state.engine) {
                (Some(trouble), _) => {
                    let short: String = trouble.chars().take(70).collect();
                    ui.colored_label(theme::error_colour(ui), short).on_hover_text(trouble);
                }
                (None, Some(engine)) => {
                    let short = engine.split(';').next().unwrap_or(engine);
                    let more = if engine.contains(';') { tr!(", others not available") } else { String::new() };
                    ui.label(format!("{}: {short}{more}", state.provider)).on_hover_text(engine);
                }
                (None, None) => {
                    ui.weak(tr!("provider: %{name}", name = state.provider))
                        .on_hover_text(tr!("What really runs is shown here once something ran"));
                }
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let (saved, about) = state.labels.saved();
                ui.weak(saved).on_hover_text(about);
                ui.separator();
                if state.train.busy() {
                    training(ui, state, asked, now);
                    ui.separator();
                }
                match &state.job {
                    None if state.train.busy() => {}
                    None => {
                        ui.weak(tr!("Ready"));
                    }
                    Some(job) => {
                        if ui
                            .add_enabled(!job.stopping, Button::new(tr!("Cancel")))
                            .on_hover_text(tr!("Stop after the present image (Ctrl+.)"))
                            .clicked()
                        {
                            asked.command(Command::CancelJob);
                        }
                        let (speed, left) = job.pace(now);
                        #[expect(clippy::cast_precision_loss, reason = "counts")]
                        let share = if job.total > 0 { job.done as f32 / job.total as f32 } else { 0.0 };
                        let text = match (job.total, left) {
                            (0, _) if state.watching => job.title.clone(),
                            (0, _) => tr!("Listing files…"),
                            (total, None) => tr!("%{n} of %{all}", n = 0, all = whole(total)),
                            (total, Some(s)) => tr!(
                                "%{n} of %{all}, %{speed} images/s, %{time} left",
                                n = whole(job.done),
                                all = whole(total),
                                speed = decimal(speed, 0),
                                time = duration(s)
                            ),
                        };
                        ui.label(&text);
                        ui.add(egui::ProgressBar::new(share).desired_width(140.0));
                    }
                }
            });
        });
    });
}

/// Training goes on whatever place is shown: a word about it, and a way to it.
fn training(ui: &mut Ui, state: &State, asked: &mut Asked, now: f64) {
    let view = &state.train;
    let (done, total) = view.progress;
    let left = view.left(now).map_or(String::new(), |s| tr!(", %{time} left", time = duration(s)));
    let text = if total > 0 {
        tr!("%{what} %{n} of %{all}%{left}", what = view.title(), n = done, all = total, left = left)
    } else {
        view.title()
    };
    if ui.link(text).on_hover_text(tr!("Go to Train")).clicked() {
        asked.command(Command::Go(Place::Train));
    }
}

pub(super) fn duration(seconds: f64) -> String {
    if seconds < 90.0 {
        tr!("%{n} s", n = decimal(seconds, 0))
    } else {
        tr!("%{n} min", n = decimal(seconds / 60.0, 0))
    }
}

pub(super) fn toasts(ui: &Ui, state: &State) {
    if state.toasts.is_empty() {
        return;
    }
    egui::Area::new(egui::Id::unique("toasts"))
        .anchor(egui::Align2::RIGHT_BOTTOM, [-16.0, -44.0])
        .interactable(false)
        .show(ui.ctx(), |ui| {
            for toast in state.toasts.iter().rev().take(4).rev() {
                egui::Frame::popup(ui.style()).show(ui, |ui| {
                    ui.set_max_width(420.0);
                    if toast.error {
                        ui.colored_label(theme::error_colour(ui), &toast.text);
                    } else {
                        ui.label(&toast.text);
                    }
                });
            }
        });
}
