//! The form of the Evaluate page: data, unknown labels, and what can be done with a result.

use super::state::{EvaluateForm, EvaluateInput, State, Which};
use crate::app::command::Command;
use crate::app::language::{look_up, tr};
use crate::app::theme;
use crate::app::widgets::{Asked, Cx, command_button, duration};
use crate::evaluation::Evaluated;
use crate::report::facts;
use egui::{Button, CollapsingHeader, ComboBox, Grid, RichText, TextEdit, Ui, vec2};

pub(super) fn data(ui: &mut Ui, cx: &Cx<'_>, state: &State, asked: &mut Asked<EvaluateInput>) {
    ui.add_space(6.0);
    ui.heading(tr!("Data"));
    let mut form = state.form.clone();
    ui.add_enabled_ui(!state.busy, |ui| {
        let label = ui.label(tr!("Labelled images: a folder per class, or a CSV"));
        let edit = TextEdit::singleline(&mut form.dataset)
            .hint_text(tr!("path of the labelled images"))
            .desired_width(f32::INFINITY);
        ui.add(edit).labelled_by(label.id);
    });
    if form.dataset != state.form.dataset {
        // Answers about another dataset's labels say nothing about this one's.
        let form = EvaluateForm { map: Vec::new(), ..form };
        asked.input(EvaluateInput::Form(Box::new(form)));
    }
    ui.horizontal_wrapped(|ui| {
        command_button(ui, cx, asked, Command::ChooseEvaluation);
        command_button(ui, cx, asked, Command::EvaluateOnReviewed);
        let command = if state.busy { Command::StopEvaluation } else { Command::Evaluate };
        let button = Button::new(RichText::new(command.text()).strong()).min_size(vec2(120.0, 28.0));
        if ui.add_enabled(cx.enabled(command), button).on_hover_text(command.tooltip()).clicked() {
            asked.command(command);
        }
    });
    if state.busy {
        let mut doing = state.doing.chars();
        let first = doing.next().map(char::to_uppercase).into_iter().flatten();
        ui.label(format!("{}…", first.chain(doing).collect::<String>()));
        let (done, total) = state.progress;
        if total > 0 {
            let share = done as f32 / total as f32;
            ui.add(egui::ProgressBar::new(share).text(tr!("%{n} of %{all}", n = done, all = total)));
            if let Some(left) = crate::task::seconds_left(done, total, cx.now - state.since) {
                ui.weak(tr!("%{time} left", time = duration(left)));
            }
        }
    }
    if let Some(error) = &state.error {
        ui.add(egui::Label::new(RichText::new(error).color(theme::error_colour(ui))).wrap());
    }
    unknown(ui, state, asked);
}

/// A small form for labels that the model does not know: nothing is guessed.
fn unknown(ui: &mut Ui, state: &State, asked: &mut Asked<EvaluateInput>) {
    let Some(unknown) = &state.unknown else { return };
    ui.add_space(6.0);
    egui::Frame::group(ui.style()).show(ui, |ui| {
        let (title, then) = match unknown.which {
            Which::InUse => {
                (tr!("The model does not know these labels"), tr!("Say what each is, then evaluate again."))
            }
            Which::Other => {
                (tr!("The other model does not know these labels"), tr!("Say what each is, then compare again."))
            }
        };
        ui.label(RichText::new(title).strong());
        ui.label(then);
        Grid::new("unknown-labels").num_columns(2).spacing([10.0, 6.0]).show(ui, |ui| {
            for (at, ((label, n), answer)) in unknown.labels.iter().zip(&unknown.answers).enumerate() {
                let name = ui.label(format!("{label} ({n})"));
                let text = match answer {
                    None => tr!("choose…"),
                    Some(None) => tr!("leave out"),
                    Some(Some(c)) => look_up(&unknown.classes[*c]),
                };
                ComboBox::from_id_salt(("unknown", at))
                    .selected_text(text)
                    .show_ui(ui, |ui| {
                        if ui.selectable_label(*answer == Some(None), tr!("leave out")).clicked() {
                            asked.input(EvaluateInput::Answer(at, None));
                        }
                        for (c, class) in unknown.classes.iter().enumerate() {
                            if ui.selectable_label(*answer == Some(Some(c)), class).clicked() {
                                asked.input(EvaluateInput::Answer(at, Some(c)));
                            }
                        }
                    })
                    .response
                    .labelled_by(name.id);
                ui.end_row();
            }
        });
    });
}

pub(super) fn about(ui: &mut Ui, cx: &Cx<'_>, state: &State, found: &Evaluated, asked: &mut Asked<EvaluateInput>) {
    ui.horizontal_wrapped(|ui| {
        command_button(ui, cx, asked, Command::ExportEvaluation);
        if ui
            .button(tr!("Copy"))
            .on_hover_text(tr!("Matrix and report as a table for a spreadsheet (Ctrl+C)"))
            .clicked()
            && let Some(text) = state.copied()
        {
            ui.ctx().copy_text(text);
        }
        command_button(ui, cx, asked, Command::Undo);
        command_button(ui, cx, asked, Command::Redo);
    });
    let corrected = found.corrected();
    if corrected > 0 {
        let what = if corrected == 1 { tr!("1 reference is") } else { tr!("%{n} references are", n = corrected) };
        ui.label(tr!(
            "%{what} corrected, and kept for these images; the dataset's files stay as they are",
            what = what
        ));
    }
    ui.add_space(8.0);
    ui.heading(tr!("Calibration"));
    ui.add(
        egui::Label::new(
            RichText::new(
                tr!("Fits confidences and a threshold on these images, and writes a new model. Use images that the model never learnt from, and not those that it shall be judged by."),
            )
            .small(),
        )
        .wrap(),
    );
    ui.horizontal_wrapped(|ui| {
        command_button(ui, cx, asked, Command::Calibrate);
        if state.calibrated.is_some() {
            command_button(ui, cx, asked, Command::UseCalibratedModel);
        }
    });
    if let Some((text, _)) = &state.calibrated {
        ui.add(egui::Label::new(RichText::new(text.trim_end()).small()).wrap());
    }
    ui.add_space(8.0);
    ui.heading(tr!("Another model"));
    let mut form = state.form.clone();
    let label = ui.label(tr!("Path of a model to hold against this one"));
    ui.add(TextEdit::singleline(&mut form.other).hint_text(tr!("model.onnx")).desired_width(f32::INFINITY))
        .labelled_by(label.id);
    if form.other != state.form.other {
        asked.input(EvaluateInput::Form(Box::new(form)));
    }
    ui.horizontal_wrapped(|ui| {
        command_button(ui, cx, asked, Command::ChooseOther);
        command_button(ui, cx, asked, Command::CompareModels);
    });
    ui.add_space(8.0);
    CollapsingHeader::new(tr!("What was evaluated")).default_open(true).show(ui, |ui| {
        for line in facts(found) {
            ui.add(egui::Label::new(RichText::new(line).small()).wrap());
        }
    });
    if !found.unscored.is_empty() {
        CollapsingHeader::new(tr!("Images not scored: %{n}", n = found.unscored.len())).show(ui, |ui| {
            for u in found.unscored.iter().take(200) {
                let why = u.error.as_deref().unwrap_or("no white cell was found");
                ui.add(egui::Label::new(RichText::new(format!("{}: {why}", u.path)).small()).wrap());
            }
        });
    }
}
