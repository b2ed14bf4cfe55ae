//! What is around every place: menu bar, rail, status bar, toasts.

use crate::app::Asked;
use crate::app::command::Command;
use crate::app::state::{GallerySort, Place, State, ThemeChoice};
use crate::app::theme;
use crate::app::update::Input;
use crate::files::display_path;
use crate::inference::Provider;
use egui::{Align, Button, Layout, Panel, RichText, Ui};

/// A menu's entry.
fn entry(ui: &mut Ui, state: &State, asked: &mut Asked, command: Command) {
    entry_as(ui, state, asked, command, &command.text());
}

fn entry_as(ui: &mut Ui, state: &State, asked: &mut Asked, command: Command, text: &str) {
    let mut button = Button::new(text);
    if let Some(keys) = command.shortcut() {
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

fn later(ui: &mut Ui, text: &str, why: &str) {
    ui.add_enabled(false, Button::new(text)).on_disabled_hover_text(why);
}

pub(super) fn menu_bar(ui: &mut Ui, state: &State, asked: &mut Asked) {
    Panel::top("menu").show(ui, |ui| {
        egui::MenuBar::new().ui(ui, |ui| {
            ui.menu_button("File", |ui| {
                entry(ui, state, asked, Command::OpenFolder);
                entry(ui, state, asked, Command::OpenImage);
                entry(ui, state, asked, Command::OpenPath);
                ui.menu_button("Open Recent", |ui| {
                    if state.recent.is_empty() {
                        later(ui, "Nothing yet", "What you open is listed here");
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
                ui.menu_button("Export", |ui| {
                    entry(ui, state, asked, Command::ExportCsv);
                    entry_as(ui, state, asked, Command::ExportEvaluation, "Evaluation Report…");
                    later(ui, "Report HTML…", "The slide's report comes in a later version");
                    later(ui, "FHIR JSON…", "FHIR comes in a later version");
                });
                ui.separator();
                entry(ui, state, asked, Command::Quit);
            });
            ui.menu_button("Edit", |ui| {
                entry(ui, state, asked, Command::Undo);
                entry(ui, state, asked, Command::Redo);
                let chosen = state.selected.filter(|_| Command::Accept.enabled(state));
                ui.add_enabled_ui(chosen.is_some(), |ui| {
                    ui.menu_button("Set Label", |ui| {
                        for (class, label) in state.model.classes.labels().iter().enumerate() {
                            let button = Button::new(label).shortcut_text((class + 1).to_string());
                            if ui.add(button).clicked()
                                && let Some(tile) = chosen
                            {
                                asked.input(Input::Label(Some(tile), Some(class)));
                            }
                        }
                        if ui.add(Button::new("unidentified").shortcut_text("0")).clicked()
                            && let Some(tile) = chosen
                        {
                            asked.input(Input::Label(Some(tile), None));
                        }
                    });
                });
                entry(ui, state, asked, Command::Accept);
                ui.separator();
                entry(ui, state, asked, Command::FocusFilter);
                entry(ui, state, asked, Command::ClearFilter);
            });
            ui.menu_button("Model", |ui| {
                entry(ui, state, asked, Command::OpenModel);
                entry(ui, state, asked, Command::UseBundledModel);
                ui.separator();
                entry(ui, state, asked, Command::Classify);
                entry(ui, state, asked, Command::CancelJob);
                entry(ui, state, asked, Command::ToggleCells);
                ui.separator();
                entry_as(ui, state, asked, Command::Go(Place::Train), "Retrain…");
                entry(ui, state, asked, Command::PreviousModel);
                entry_as(ui, state, asked, Command::Go(Place::Evaluate), "Evaluate…");
                ui.separator();
                ui.menu_button("Execution Provider", |ui| {
                    for p in Provider::ALL {
                        entry_as(ui, state, asked, Command::UseProvider(p), p.as_str());
                    }
                });
            });
            ui.menu_button("View", |ui| {
                for place in Place::ALL {
                    entry(ui, state, asked, Command::Go(place));
                }
                ui.separator();
                ui.menu_button("Gallery size", |ui| {
                    entry_as(ui, state, asked, Command::LargerTiles, "Larger");
                    entry_as(ui, state, asked, Command::SmallerTiles, "Smaller");
                });
                ui.menu_button("Sort", |ui| {
                    for sort in GallerySort::ALL {
                        entry_as(ui, state, asked, Command::Sort(sort), sort.text());
                    }
                });
                entry(ui, state, asked, Command::FitImage);
                ui.menu_button("Theme", |ui| {
                    for t in ThemeChoice::ALL {
                        entry_as(ui, state, asked, Command::Theme(t), t.text());
                    }
                });
                ui.separator();
                entry(ui, state, asked, Command::Palette);
            });
            ui.menu_button("Help", |ui| {
                for command in [Command::Keyboard, Command::SelfCheck, Command::Log, Command::About] {
                    entry(ui, state, asked, command);
                }
            });
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                ui.label(RichText::new("Research use only").weak().small());
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
            let text = RichText::new(place.text()).size(14.0);
            let mut button = Button::new(text)
                .selected(chosen)
                .min_size(egui::vec2(ui.available_width(), 40.0))
                .frame_when_inactive(chosen);
            if chosen {
                button = button.fill(ui.visuals().selection.bg_fill);
            }
            let hint = match command.shortcut() {
                Some(k) => format!("{} ({})", place.tooltip(), ui.ctx().format_shortcut(&k)),
                None => place.tooltip().into(),
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
                .on_hover_text("The model in use; its card is in Models");
            ui.separator();
            match (&state.trouble, &state.engine) {
                (Some(trouble), _) => {
                    let short: String = trouble.chars().take(70).collect();
                    ui.colored_label(theme::error_colour(ui), short).on_hover_text(trouble);
                }
                (None, Some(engine)) => {
                    let short = engine.split(';').next().unwrap_or(engine);
                    let more = if engine.contains(';') { ", others not available" } else { "" };
                    ui.label(format!("{}: {short}{more}", state.provider)).on_hover_text(engine);
                }
                (None, None) => {
                    ui.weak(format!("provider: {}", state.provider))
                        .on_hover_text("What really runs is shown here once something ran");
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
                        ui.weak("Ready");
                    }
                    Some(job) => {
                        if ui
                            .add_enabled(!job.stopping, Button::new("Cancel"))
                            .on_hover_text("Stop after the present image (Ctrl+.)")
                            .clicked()
                        {
                            asked.command(Command::CancelJob);
                        }
                        let (speed, left) = job.pace(now);
                        #[expect(clippy::cast_precision_loss, reason = "counts")]
                        let share = if job.total > 0 { job.done as f32 / job.total as f32 } else { 0.0 };
                        let text = match (job.total, left) {
                            (0, _) => "Listing files…".to_owned(),
                            (total, None) => format!("0 of {total}"),
                            (total, Some(s)) => {
                                format!("{} of {total}, {speed:.0} images/s, {} left", job.done, duration(s))
                            }
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
    let left = view.left(now).map_or(String::new(), |s| format!(", {} left", duration(s)));
    let text = if total > 0 { format!("{} {done} of {total}{left}", view.title()) } else { view.title() };
    if ui.link(text).on_hover_text("Go to Train").clicked() {
        asked.command(Command::Go(Place::Train));
    }
}

pub(super) fn duration(seconds: f64) -> String {
    if seconds < 90.0 { format!("{seconds:.0} s") } else { format!("{:.0} min", seconds / 60.0) }
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
