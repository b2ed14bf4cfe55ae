//! The Models place: what is installed with its cards, and the execution providers.

use super::state::State;
use super::state::{ModelsInput, ModelsTab};
use super::{import, providers};
use crate::app::command::Command;
use crate::app::language::tr;
use crate::app::theme;
use crate::app::widgets::{Asked, Cx, command_button};
use crate::files::display_path;
use crate::model::ModelCard;
use crate::workflow::{InstalledModel, SelfTested};
use egui::{CentralPanel, Frame, Grid, Panel, RichText, ScrollArea, Sense, TextEdit, Ui};

/// What only drawing needs to remember.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// What a model that is being asked about sees, as a texture, and of which preview.
    preview: import::PreviewTexture,
}

pub(crate) fn page(ui: &mut Ui, cx: &Cx<'_>, state: &State, memory: &mut Memory, asked: &mut Asked<ModelsInput>) {
    Panel::top("models-top").show(ui, |ui| {
        ui.add_space(4.0);
        ui.horizontal(|ui| {
            for (tab, text) in
                [(ModelsTab::Installed, tr!("Installed models")), (ModelsTab::Providers, tr!("Execution providers"))]
            {
                if ui.selectable_label(state.tab == tab, RichText::new(text).size(15.0)).clicked() {
                    asked.input(ModelsInput::Go(tab));
                }
            }
            ui.separator();
            command_button(ui, cx, asked, Command::OpenModel);
            command_button(ui, cx, asked, Command::PreviousModel);
            command_button(ui, cx, asked, Command::SelfCheck);
            if let Some(busy) = &state.busy {
                ui.separator();
                ui.spinner();
                ui.label(busy.text());
                if ui.button(tr!("Stop")).clicked() {
                    asked.input(ModelsInput::Stop);
                }
            }
        });
        ui.add_space(4.0);
    });
    match state.tab {
        ModelsTab::Installed => installed(ui, cx, state, asked),
        ModelsTab::Providers => providers::page(ui, cx, state, asked),
    }
    if let Some(w) = &state.wizard {
        import::dialog(ui, w, &mut memory.preview, asked);
    }
}

fn installed(ui: &mut Ui, cx: &Cx<'_>, state: &State, asked: &mut Asked<ModelsInput>) {
    Panel::left("models-list").resizable(true).default_size(330.0).min_size(240.0).show(ui, |ui| {
        ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
            if state.list.is_empty() {
                ui.spinner();
            }
            for model in &state.list {
                row(ui, cx, state, model, asked);
            }
            // A model that was opened from elsewhere is not an installed one.
            if let Some(path) =
                cx.model.path.as_ref().filter(|p| !state.list.iter().any(|m| m.path.as_ref() == Some(p)))
            {
                ui.add_space(8.0);
                ui.separator();
                ui.label(tr!("In use from elsewhere: %{name}", name = cx.model.card.name));
                ui.add(egui::Label::new(RichText::new(display_path(path)).weak()).wrap());
                if ui.button(tr!("Install")).on_hover_text(tr!("Copy it into the installed models")).clicked() {
                    asked.input(ModelsInput::Install);
                }
            }
        });
    });
    CentralPanel::default().show(ui, |ui| {
        ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| match state.chosen() {
            Some(model) => card(ui, cx, state, model, asked),
            None => {
                ui.weak(tr!("Choose a model"));
            }
        });
    });
}

fn in_use(cx: &Cx<'_>, model: &InstalledModel) -> bool {
    model.card.as_ref().is_ok_and(|c| c.digest == cx.model.card.digest)
}

fn row(ui: &mut Ui, cx: &Cx<'_>, state: &State, model: &InstalledModel, asked: &mut Asked<ModelsInput>) {
    let chosen = state.chosen == model.path;
    let fill = if chosen { ui.visuals().selection.bg_fill.gamma_multiply(0.35) } else { egui::Color32::TRANSPARENT };
    let answer = Frame::new().fill(fill).corner_radius(6.0).inner_margin(8.0).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.horizontal_wrapped(|ui| {
            ui.label(RichText::new(&model.name).strong());
        });
        ui.horizontal_wrapped(|ui| {
            let mut tag = |text: String| {
                ui.label(RichText::new(text).small());
            };
            match &model.card {
                Ok(card) => {
                    tag(tr!("%{n} classes", n = card.classes.len()));
                    let size = card.bytes as f64 / 1e6;
                    tag(format!("{size:.1} MB · {}", card.digest.short()));
                }
                Err(_) => tag(tr!("cannot be opened")),
            }
        });
        ui.horizontal_wrapped(|ui| {
            if in_use(cx, model) {
                ui.label(RichText::new(tr!("in use")).color(theme::accent(ui.visuals().dark_mode)).strong());
            }
            if state.default == model.path {
                ui.label(tr!("default"));
            }
            test_words(ui, &model.test);
        });
    });
    let answer = ui.interact(answer.response.rect, ui.scope_id().with(("model", &model.path)), Sense::click());
    answer.widget_info(|| egui::WidgetInfo::selected(egui::Role::Button, true, chosen, &model.name));
    if answer.clicked() {
        asked.input(ModelsInput::Choose(model.path.clone()));
    }
    if answer.double_clicked() {
        asked.input(ModelsInput::Use);
    }
}

fn test_words(ui: &mut Ui, test: &SelfTested) {
    match test {
        SelfTested::NotYet => ui.weak(tr!("being tested…")),
        SelfTested::Carries(true) => ui.label(tr!("self-test passed")),
        SelfTested::Carries(false) => ui.weak(tr!("runs; carries no self-test")),
        SelfTested::Failed(why) => {
            ui.colored_label(theme::error_colour(ui), tr!("self-test failed")).on_hover_text(why)
        }
    };
}

fn card(ui: &mut Ui, cx: &Cx<'_>, state: &State, model: &InstalledModel, asked: &mut Asked<ModelsInput>) {
    match &state.renaming {
        Some(text) => {
            ui.horizontal(|ui| {
                let mut text = text.clone();
                let label = ui.label(tr!("Name here"));
                let edit = ui.add(TextEdit::singleline(&mut text).desired_width(320.0)).labelled_by(label.id);
                if edit.changed() {
                    asked.input(ModelsInput::Rename(Some(text)));
                }
                let enter = edit.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter));
                if ui.button(tr!("Keep")).clicked() || enter {
                    asked.input(ModelsInput::Renamed);
                }
                if ui.button(tr!("Cancel")).clicked() {
                    asked.input(ModelsInput::Rename(None));
                }
            });
            ui.weak(tr!("Only what it is called here: the file stays as it is, and with it its digest. Nothing is its own name again."));
        }
        None => {
            ui.heading(&model.name);
        }
    }
    ui.add_space(4.0);
    actions(ui, cx, state, model, asked);
    ui.separator();
    match &model.card {
        Err(why) => {
            ui.colored_label(theme::error_colour(ui), why.to_string());
        }
        Ok(card) => {
            facts(ui, card);
            ui.add_space(12.0);
            fast(ui, cx, state, card, asked);
        }
    }
}

fn actions(ui: &mut Ui, cx: &Cx<'_>, state: &State, model: &InstalledModel, asked: &mut Asked<ModelsInput>) {
    let opens = model.card.is_ok();
    ui.horizontal_wrapped(|ui| {
        let mut button = |enabled: bool, text: String, tip: String, input: ModelsInput| {
            if ui.add_enabled(enabled, egui::Button::new(text)).on_hover_text(tip).clicked() {
                asked.input(input);
            }
        };
        let used = in_use(cx, model);
        button(opens && !used, tr!("Use"), tr!("Classify with this model"), ModelsInput::Use);
        button(
            opens && state.default != model.path,
            tr!("Make default"),
            tr!("Begin with this model from now on"),
            ModelsInput::MakeDefault,
        );
        button(
            opens && !used && model.path.is_some(),
            tr!("Compare with the one in use"),
            tr!("Both on the same labelled images, in Evaluate"),
            ModelsInput::Compare,
        );
        button(opens, tr!("Rename…"), tr!("Another name here"), ModelsInput::Rename(Some(model.name.clone())));
        button(true, tr!("Export…"), tr!("Write a copy of the file"), ModelsInput::Export);
        button(
            model.path.is_some() && !used,
            tr!("Remove…"),
            tr!("Into the system's trash; the bundled model and the one in use stay"),
            ModelsInput::Removing(true),
        );
    });
    if state.removing {
        ui.horizontal(|ui| {
            ui.label(tr!("Put \"%{name}\" into the trash?", name = model.name));
            if ui.button(tr!("Put into the trash")).clicked() {
                asked.input(ModelsInput::Remove);
            }
            if ui.button(tr!("Cancel")).clicked() {
                asked.input(ModelsInput::Removing(false));
            }
        });
    }
}

fn facts(ui: &mut Ui, card: &ModelCard) {
    Grid::new("card").num_columns(2).spacing([18.0, 7.0]).striped(true).show(ui, |ui| {
        for (key, value) in card.facts() {
            ui.label(RichText::new(key).strong());
            ui.add(egui::Label::new(value).wrap());
            ui.end_row();
        }
    });
}

/// The 8-bit copy: from which images, and what it came to.
fn fast(ui: &mut Ui, _cx: &Cx<'_>, state: &State, card: &ModelCard, asked: &mut Asked<ModelsInput>) {
    if card.is_quantized() {
        return;
    }
    ui.label(RichText::new(tr!("A fast copy")).strong().size(15.0));
    ui.add(egui::Label::new(tr!("In 8 bits: a third of the size, and faster on processors with 8-bit dot products. It is scaled on some labelled images, held against the original on others, and refused where it loses more than 0.3 points.")).wrap());
    ui.horizontal(|ui| {
        import::labelled_images(ui, &state.fast_data, 360.0, asked, ModelsInput::FastData);
        let ready = !state.fast_data.trim().is_empty() && state.busy.is_none();
        if ui.add_enabled(ready, egui::Button::new(tr!("Make a fast copy"))).clicked() {
            asked.input(ModelsInput::MakeFast);
        }
    });
    match &state.fast {
        Some(Ok(text)) => {
            ui.label(RichText::new(text).monospace());
        }
        Some(Err(why)) => {
            ui.colored_label(theme::error_colour(ui), RichText::new(why.to_string()).monospace());
        }
        None => {}
    }
}
