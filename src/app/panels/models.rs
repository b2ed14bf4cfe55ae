//! The Models place: what is installed with its cards, and the execution providers.

use super::ViewMemory;
use super::frame::command_button;
use super::{providers, wizard};
use crate::app::Asked;
use crate::app::command::Command;
use crate::app::language::tr;
use crate::app::models::{ModelsInput, Tab};
use crate::app::state::State;
use crate::app::theme;
use crate::app::update::Input;
use crate::files::display_path;
use crate::model::ModelCard;
use crate::workflow::{InstalledModel, SelfTested};
use egui::{CentralPanel, Frame, Grid, Panel, RichText, ScrollArea, Sense, TextEdit, Ui};

fn ask(asked: &mut Asked, input: ModelsInput) {
    asked.input(Input::Models(input));
}

pub(super) fn place(ui: &mut Ui, state: &State, memory: &mut ViewMemory, asked: &mut Asked) {
    let view = &state.models;
    Panel::top("models-top").show(ui, |ui| {
        ui.add_space(4.0);
        ui.horizontal(|ui| {
            for (tab, text) in [(Tab::Installed, tr!("Installed models")), (Tab::Providers, tr!("Execution providers"))]
            {
                if ui.selectable_label(view.tab == tab, RichText::new(text).size(15.0)).clicked() {
                    ask(asked, ModelsInput::Go(tab));
                }
            }
            ui.separator();
            command_button(ui, state, asked, Command::OpenModel);
            command_button(ui, state, asked, Command::PreviousModel);
            command_button(ui, state, asked, Command::SelfCheck);
            if let Some(busy) = &view.busy {
                ui.separator();
                ui.spinner();
                ui.label(busy);
                if ui.button(tr!("Stop")).clicked() {
                    ask(asked, ModelsInput::Stop);
                }
            }
        });
        ui.add_space(4.0);
    });
    match view.tab {
        Tab::Installed => installed(ui, state, asked),
        Tab::Providers => providers::page(ui, state, asked),
    }
    if let Some(w) = &view.wizard {
        wizard::dialog(ui, w, &mut memory.preview, asked);
    }
}

fn installed(ui: &mut Ui, state: &State, asked: &mut Asked) {
    let view = &state.models;
    Panel::left("models-list").resizable(true).default_size(330.0).min_size(240.0).show(ui, |ui| {
        ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
            if view.list.is_empty() {
                ui.spinner();
            }
            for (at, model) in view.list.iter().enumerate() {
                row(ui, state, at, model, asked);
            }
            // A model that was opened from elsewhere is no installed one.
            if let Some(path) =
                state.model_path.as_ref().filter(|p| !view.list.iter().any(|m| m.path.as_ref() == Some(p)))
            {
                ui.add_space(8.0);
                ui.separator();
                ui.label(tr!("In use from elsewhere: %{name}", name = state.model.name));
                ui.add(egui::Label::new(RichText::new(display_path(path)).weak()).wrap());
                if ui.button(tr!("Install")).on_hover_text(tr!("Copy it into the installed models")).clicked() {
                    ask(asked, ModelsInput::Install);
                }
            }
        });
    });
    CentralPanel::default().show(ui, |ui| {
        ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| match view.chosen() {
            Some(model) => card(ui, state, model, asked),
            None => {
                ui.weak(tr!("Choose a model"));
            }
        });
    });
}

fn in_use(state: &State, model: &InstalledModel) -> bool {
    model.card.as_ref().is_ok_and(|c| c.digest.to_string() == state.model.sha256)
}

fn row(ui: &mut Ui, state: &State, at: usize, model: &InstalledModel, asked: &mut Asked) {
    let view = &state.models;
    let chosen = view.chosen == at;
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
                    #[expect(clippy::cast_precision_loss, reason = "megabytes with one decimal")]
                    let size = card.bytes as f64 / 1e6;
                    tag(format!("{size:.1} MB · {}", card.digest.short()));
                }
                Err(_) => tag(tr!("cannot be opened")),
            }
        });
        ui.horizontal_wrapped(|ui| {
            if in_use(state, model) {
                ui.label(RichText::new(tr!("in use")).color(theme::accent(ui.visuals().dark_mode)).strong());
            }
            if view.default == model.path {
                ui.label(tr!("default"));
            }
            test_words(ui, &model.test);
        });
    });
    let answer = ui.interact(answer.response.rect, ui.scope_id().with(("model", at)), Sense::click());
    answer.widget_info(|| egui::WidgetInfo::selected(egui::Role::Button, true, chosen, &model.name));
    if answer.clicked() {
        ask(asked, ModelsInput::Choose(at));
    }
    if answer.double_clicked() {
        ask(asked, ModelsInput::Use);
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

fn card(ui: &mut Ui, state: &State, model: &InstalledModel, asked: &mut Asked) {
    let view = &state.models;
    match &view.renaming {
        Some(text) => {
            ui.horizontal(|ui| {
                let mut text = text.clone();
                let label = ui.label(tr!("Name here"));
                let edit = ui.add(TextEdit::singleline(&mut text).desired_width(320.0)).labelled_by(label.id);
                if edit.changed() {
                    ask(asked, ModelsInput::Rename(Some(text)));
                }
                let enter = edit.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter));
                if ui.button(tr!("Keep")).clicked() || enter {
                    ask(asked, ModelsInput::Renamed);
                }
                if ui.button(tr!("Cancel")).clicked() {
                    ask(asked, ModelsInput::Rename(None));
                }
            });
            ui.weak(tr!("Only what it is called here: the file stays as it is, and with it its digest. Nothing is its own name again."));
        }
        None => {
            ui.heading(&model.name);
        }
    }
    ui.add_space(4.0);
    actions(ui, state, model, asked);
    ui.separator();
    match &model.card {
        Err(why) => {
            ui.colored_label(theme::error_colour(ui), why);
        }
        Ok(card) => {
            facts(ui, card);
            ui.add_space(12.0);
            fast(ui, state, card, asked);
        }
    }
}

fn actions(ui: &mut Ui, state: &State, model: &InstalledModel, asked: &mut Asked) {
    let view = &state.models;
    let opens = model.card.is_ok();
    ui.horizontal_wrapped(|ui| {
        let mut button = |enabled: bool, text: String, tip: String, input: ModelsInput| {
            if ui.add_enabled(enabled, egui::Button::new(text)).on_hover_text(tip).clicked() {
                ask(asked, input);
            }
        };
        let used = in_use(state, model);
        button(opens && !used, tr!("Use"), tr!("Classify with this model"), ModelsInput::Use);
        button(
            opens && view.default != model.path,
            tr!("Make default"),
            tr!("Begin with this model from now on"),
            ModelsInput::MakeDefault,
        );
        button(
            opens && !used && model.path.is_some(),
            tr!("Compare with the one in use"),
            tr!("Both on the same labelled pictures, in Evaluate"),
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
    if view.removing {
        ui.horizontal(|ui| {
            ui.label(tr!("Put \"%{name}\" into the trash?", name = model.name));
            if ui.button(tr!("Put into the trash")).clicked() {
                ask(asked, ModelsInput::Remove);
            }
            if ui.button(tr!("Cancel")).clicked() {
                ask(asked, ModelsInput::Removing(false));
            }
        });
    }
}

fn facts(ui: &mut Ui, card: &ModelCard) {
    Grid::new("card").num_columns(2).spacing([18.0, 7.0]).striped(true).show(ui, |ui| {
        for line in card.to_text().lines() {
            let (key, value) = line.split_at_checked(15).unwrap_or((line, ""));
            ui.label(RichText::new(key.trim()).strong());
            ui.add(egui::Label::new(value).wrap());
            ui.end_row();
        }
    });
}

/// The 8-bit copy: from which pictures, and what it came to.
fn fast(ui: &mut Ui, state: &State, card: &ModelCard, asked: &mut Asked) {
    let view = &state.models;
    if card.operators.iter().any(|(op, _)| op == "QuantizeLinear") {
        return;
    }
    ui.label(RichText::new(tr!("A fast copy")).strong().size(15.0));
    ui.add(egui::Label::new(tr!("In 8 bits: a third of the size, and faster on processors with 8-bit dot products. It is scaled on some labelled pictures, held against the original on others, and refused where it loses more than 0.3 points.")).wrap());
    ui.horizontal(|ui| {
        wizard::labelled_pictures(ui, &view.fast_data, 360.0, asked, ModelsInput::FastData);
        let ready = !view.fast_data.trim().is_empty() && view.busy.is_none();
        if ui.add_enabled(ready, egui::Button::new(tr!("Make a fast copy"))).clicked() {
            ask(asked, ModelsInput::MakeFast);
        }
    });
    match &view.fast {
        Some(Ok(text)) => {
            ui.label(RichText::new(text).monospace());
        }
        Some(Err(why)) => {
            ui.colored_label(theme::error_colour(ui), RichText::new(why).monospace());
        }
        None => {}
    }
}
