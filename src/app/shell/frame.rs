//! What is around every place: menu bar, rail, status bar, toasts.

use super::state::State;
use super::update::Input;
use crate::app::choice::{GallerySort, Page, ThemeChoice};
use crate::app::command::Command;
use crate::app::language::{Language, look_up, tr, whole};
use crate::app::theme;
use crate::app::widgets::{Asked, Cx, label_key};
use crate::domain::UNIDENTIFIED;
use crate::files::display_path;
use crate::inference::{EngineReport, Provider};
use crate::workflow::Export;
use egui::{Align, Button, Layout, Panel, RichText, Ui};
use strum::IntoEnumIterator as _;

/// A menu's entry.
fn entry(ui: &mut Ui, cx: &Cx<'_>, asked: &mut Asked<Input>, command: Command) {
    entry_as(ui, cx, asked, command, &command.text());
}

fn entry_as(ui: &mut Ui, cx: &Cx<'_>, asked: &mut Asked<Input>, command: Command, text: &str) {
    let mut button = Button::new(text);
    if let Some(keys) = cx.keys.get(command) {
        button = button.shortcut_text(ui.ctx().format_shortcut(&keys));
    }
    let now = (cx.look)(command);
    if let Some(checked) = now.checked {
        button = button.selected(checked);
    }
    if ui.add_enabled(now.enabled, button).on_hover_text(command.tooltip()).clicked() {
        asked.command(command);
        ui.close();
    }
}

fn later(ui: &mut Ui, text: &str, why: &str) {
    ui.add_enabled(false, Button::new(text)).on_disabled_hover_text(why);
}

pub(crate) fn menu_bar(ui: &mut Ui, cx: &Cx<'_>, offered: &[&str], asked: &mut Asked<Input>) {
    Panel::top("menu").show(ui, |ui| {
        egui::MenuBar::new().ui(ui, |ui| {
            ui.menu_button(tr!("File"), |ui| file_menu(ui, cx, asked));
            ui.menu_button(tr!("Edit"), |ui| edit_menu(ui, cx, offered, asked));
            ui.menu_button(tr!("Model"), |ui| model_menu(ui, cx, asked));
            ui.menu_button(tr!("View"), |ui| view_menu(ui, cx, asked));
            ui.menu_button(tr!("Help"), |ui| help_menu(ui, cx, asked));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                ui.label(RichText::new(tr!("Research use only")).weak().small());
            });
        });
    });
}

fn file_menu(ui: &mut Ui, cx: &Cx<'_>, asked: &mut Asked<Input>) {
    entry(ui, cx, asked, Command::OpenFolder);
    entry(ui, cx, asked, Command::OpenImage);
    entry(ui, cx, asked, Command::OpenPath);
    entry(ui, cx, asked, Command::WatchFolder);
    ui.menu_button(tr!("Open Recent"), |ui| {
        if cx.recent.is_empty() {
            later(ui, &tr!("Nothing yet"), &tr!("What you open is listed here"));
        }
        for path in cx.recent {
            if ui.button(display_path(path)).clicked() {
                asked.input(Input::Open(vec![path.clone()]));
                ui.close();
            }
        }
    });
    ui.separator();
    entry(ui, cx, asked, Command::DemoSlide);
    ui.menu_button(tr!("Export"), |ui| {
        for export in Export::all() {
            entry(ui, cx, asked, Command::Export(export));
        }
        entry_as(ui, cx, asked, Command::ExportEvaluation, &tr!("Evaluation Report…"));
    });
    ui.separator();
    entry(ui, cx, asked, Command::Quit);
}

fn edit_menu(ui: &mut Ui, cx: &Cx<'_>, offered: &[&str], asked: &mut Asked<Input>) {
    entry(ui, cx, asked, Command::Undo);
    entry(ui, cx, asked, Command::Redo);
    ui.add_enabled_ui(cx.enabled(Command::Label(0)), |ui| {
        ui.menu_button(tr!("Set Label"), |ui| {
            for &label in offered.iter().chain(&[UNIDENTIFIED]) {
                let mut button = Button::new(look_up(label));
                if let Some(keys) = label_key(cx.keys, label) {
                    button = button.shortcut_text(ui.ctx().format_shortcut(&keys));
                }
                if ui.add(button).clicked() {
                    asked.input(Input::SetLabel(label.to_owned()));
                    ui.close();
                }
            }
            entry(ui, cx, asked, Command::OtherLabel);
        });
    });
    for command in [Command::Accept, Command::NoWhiteCell, Command::TakeBack, Command::DrawSquares] {
        entry(ui, cx, asked, command);
    }
    ui.separator();
    for command in [Command::SelectAll, Command::NextUnreviewed, Command::NextFlagged] {
        entry(ui, cx, asked, command);
    }
    ui.separator();
    for command in [Command::SignOff, Command::Amend, Command::EditRanges] {
        entry(ui, cx, asked, command);
    }
    ui.separator();
    entry(ui, cx, asked, Command::FocusFilter);
    entry(ui, cx, asked, Command::ClearFilter);
}

fn model_menu(ui: &mut Ui, cx: &Cx<'_>, asked: &mut Asked<Input>) {
    entry(ui, cx, asked, Command::OpenModel);
    entry(ui, cx, asked, Command::UseBundledModel);
    ui.separator();
    entry(ui, cx, asked, Command::Classify);
    entry(ui, cx, asked, Command::CancelJob);
    entry(ui, cx, asked, Command::Resume);
    entry(ui, cx, asked, Command::ToggleCells);
    ui.separator();
    entry_as(ui, cx, asked, Command::Go(Page::Train), &tr!("Retrain…"));
    entry(ui, cx, asked, Command::TrainOnReviewed);
    entry(ui, cx, asked, Command::PreviousModel);
    entry_as(ui, cx, asked, Command::Go(Page::Evaluate), &tr!("Evaluate…"));
    entry(ui, cx, asked, Command::EvaluateOnReviewed);
    ui.separator();
    ui.menu_button(tr!("Execution Provider"), |ui| {
        for p in Provider::ALL {
            entry_as(ui, cx, asked, Command::UseProvider(p), p.as_str());
        }
    });
}

fn view_menu(ui: &mut Ui, cx: &Cx<'_>, asked: &mut Asked<Input>) {
    for page in Page::iter() {
        entry(ui, cx, asked, Command::Go(page));
    }
    ui.separator();
    ui.menu_button(tr!("Gallery size"), |ui| {
        entry_as(ui, cx, asked, Command::LargerTiles, &tr!("Larger"));
        entry_as(ui, cx, asked, Command::SmallerTiles, &tr!("Smaller"));
    });
    ui.menu_button(tr!("Sort"), |ui| {
        for sort in GallerySort::iter() {
            entry_as(ui, cx, asked, Command::Sort(sort), &tr!(sort.text()));
        }
    });
    entry(ui, cx, asked, Command::FitImage);
    entry(ui, cx, asked, Command::ToggleRejected);
    ui.menu_button(tr!("Theme"), |ui| {
        for t in ThemeChoice::iter() {
            entry_as(ui, cx, asked, Command::Theme(t), &tr!(t.text()));
        }
    });
    ui.menu_button(tr!("Language"), |ui| {
        for l in Language::iter() {
            entry_as(ui, cx, asked, Command::SetLanguage(l), l.name());
        }
    });
    entry(ui, cx, asked, Command::ToggleDifferential);
    ui.separator();
    entry(ui, cx, asked, Command::Palette);
}

fn help_menu(ui: &mut Ui, cx: &Cx<'_>, asked: &mut Asked<Input>) {
    for command in [Command::Guide, Command::Keyboard, Command::SelfCheck, Command::Log, Command::About] {
        entry(ui, cx, asked, command);
    }
}

pub(crate) fn rail(ui: &mut Ui, cx: &Cx<'_>, state: &State, asked: &mut Asked<Input>) {
    Panel::left("rail").resizable(false).exact_size(92.0).show(ui, |ui| {
        ui.add_space(8.0);
        for page in Page::iter() {
            let command = Command::Go(page);
            let chosen = state.page == page;
            let text = RichText::new(tr!(page.text())).size(14.0);
            let mut button = Button::new(text)
                .selected(chosen)
                .min_size(egui::vec2(ui.available_width(), 40.0))
                .frame_when_inactive(chosen);
            if chosen {
                button = button.fill(ui.visuals().selection.bg_fill);
            }
            let hint = match cx.keys.get(command) {
                Some(k) => format!("{} ({})", tr!(page.tooltip()), ui.ctx().format_shortcut(&k)),
                None => tr!(page.tooltip()),
            };
            if ui.add(button).on_hover_text(hint).clicked() {
                asked.command(command);
            }
        }
    });
}

/// How far a running classification is.
pub(crate) struct JobStatus {
    pub(crate) text: String,
    /// 0..=1.
    pub(crate) share: f32,
    /// It was asked to stop.
    pub(crate) stopping: bool,
}

/// What the status bar says of the pages.
pub(crate) struct Status<'a> {
    /// Why nothing can be classified, where that is so.
    pub(crate) trouble: Option<&'a str>,
    /// What really runs, once something ran.
    pub(crate) engine: Option<&'a EngineReport>,
    /// Whether labels are on the disk, and a sentence about it.
    pub(crate) saved: (String, String),
    /// Images in which no white cell was found.
    pub(crate) no_cell: usize,
    pub(crate) job: Option<JobStatus>,
    /// Training goes on whatever page is shown: a word about it.
    pub(crate) training: Option<String>,
}

pub(crate) fn status_bar(ui: &mut Ui, cx: &Cx<'_>, status: &Status<'_>, asked: &mut Asked<Input>) {
    Panel::bottom("status").show(ui, |ui| {
        ui.horizontal(|ui| {
            let card = &cx.model.card;
            ui.label(format!("{} ({})", card.name, card.digest.short()))
                .on_hover_text(tr!("The model in use; its card is in Models"));
            ui.separator();
            provider(ui, cx, status);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                ui.weak(&status.saved.0).on_hover_text(&status.saved.1);
                ui.separator();
                if status.no_cell > 0 {
                    let text = match status.no_cell {
                        1 => tr!("1 image without a cell"),
                        n => tr!("%{n} images without a cell", n = whole(n)),
                    };
                    if ui.link(text).on_hover_text(tr!("Show the images in which no white cell was found")).clicked() {
                        asked.input(Input::ShowNoCell);
                    }
                    ui.separator();
                }
                if let Some(training) = &status.training {
                    if ui.link(training).on_hover_text(tr!("Go to Train")).clicked() {
                        asked.command(Command::Go(Page::Train));
                    }
                    ui.separator();
                }
                match &status.job {
                    None if status.training.is_some() => {}
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
                        ui.label(&job.text);
                        ui.add(egui::ProgressBar::new(job.share).desired_width(140.0));
                    }
                }
            });
        });
    });
}

/// What runs the model, or why nothing does.
fn provider(ui: &mut Ui, cx: &Cx<'_>, status: &Status<'_>) {
    match (status.trouble, status.engine) {
        (Some(trouble), _) => {
            let short: String = trouble.chars().take(70).collect();
            ui.colored_label(theme::error_colour(ui), short).on_hover_text(trouble);
        }
        (None, Some(engine)) => {
            let more = if engine.others_failed() { tr!(", others not available") } else { String::new() };
            ui.label(format!("{}: {}{more}", cx.model.provider, engine.running())).on_hover_text(engine.to_line());
        }
        (None, None) => {
            ui.weak(tr!("provider: %{name}", name = cx.model.provider))
                .on_hover_text(tr!("What really runs is shown here once something ran"));
        }
    }
}

pub(crate) fn toasts(ui: &Ui, state: &State) {
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
