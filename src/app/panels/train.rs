//! The Train place: data and recipe on the left, live curves in the middle, the result below them.
//!
//! It draws what the state says and asks for commands; nothing is computed here but positions on the screen.

use super::frame::{command_button, duration};
use crate::app::Asked;
use crate::app::command::Command;
use crate::app::state::State;
use crate::app::theme;
use crate::app::training::{Phase, TrainForm, TrainView};
use crate::app::update::Input;
use crate::dataset::Grouping;
use crate::domain::EpochRow;
use crate::files::{display_name, display_path};
use crate::training::{Recipe, RecipeKind, TrainingDevice};
use crate::workflow::TrainOutcome;
use egui::{
    Button, CentralPanel, CollapsingHeader, ComboBox, DragValue, Grid, Panel, RichText, ScrollArea, TextEdit, Ui,
};
use egui_plot::{Corner, HoverPosition, Legend, Line, LineStyle, MarkerShape, PlotPoints, Points, VLine};

pub(super) fn place(ui: &mut Ui, state: &State, asked: &mut Asked, now: f64) {
    Panel::left("train-form").default_size(410.0).size_range(330.0..=560.0).show(ui, |ui| {
        ScrollArea::vertical().show(ui, |ui| {
            let mut form = state.train.form.clone();
            unfinished(ui, &state.train, asked);
            data(ui, state, &mut form, asked);
            ui.add_space(10.0);
            recipe(ui, state, &mut form);
            ui.add_space(10.0);
            controls(ui, state, asked);
            if form != state.train.form {
                asked.input(Input::TrainForm(Box::new(form)));
            }
            ui.add_space(12.0);
        });
    });
    CentralPanel::default().show(ui, |ui| {
        headline(ui, &state.train, now);
        let result = state.train.outcome.as_ref();
        let below = if result.is_some() { (ui.available_height() * 0.42).clamp(180.0, 330.0) } else { 0.0 };
        let height = (ui.available_height() - below - 18.0).max(160.0);
        curves(ui, &state.train, height);
        if let Some(outcome) = result {
            ui.separator();
            ScrollArea::vertical().id_salt("train-result").show(ui, |ui| self::outcome(ui, state, outcome, asked));
        }
    });
}

fn unfinished(ui: &mut Ui, view: &TrainView, asked: &mut Asked) {
    for run in view.unfinished.iter().filter(|_| !view.busy()) {
        egui::Frame::group(ui.style()).show(ui, |ui| {
            ui.label(RichText::new("A run was left unfinished").strong());
            ui.label(format!("{}, {}", run.recipe.kind.text(), display_path(&run.request.dataset)));
            ui.horizontal(|ui| {
                if ui.button("Resume").on_hover_text("Goes on from its checkpoint, with the same numbers").clicked() {
                    asked.input(Input::TakeUp(Box::new(run.clone())));
                }
                if ui.button("Discard").on_hover_text("Deletes its checkpoint; the pictures stay").clicked() {
                    asked.input(Input::Forget(run.out.clone()));
                }
            });
        });
        ui.add_space(6.0);
    }
}

fn data(ui: &mut Ui, state: &State, form: &mut TrainForm, asked: &mut Asked) {
    let view = &state.train;
    ui.add_space(6.0);
    ui.heading("Data");
    ui.add_enabled_ui(!view.busy(), |ui| {
        let label = ui.label("A folder with a folder per class, or a CSV with path,label[,group][,split]");
        let edit = TextEdit::singleline(&mut form.dataset)
            .hint_text("path of the labelled pictures")
            .desired_width(f32::INFINITY);
        ui.add(edit).labelled_by(label.id);
    });
    ui.horizontal(|ui| {
        command_button(ui, state, asked, Command::ChooseDataset);
        command_button(ui, state, asked, Command::LookAtData);
    });
    let Some((request, plan)) = &view.plan else {
        ui.weak("Counts, failures and groups are shown here before anything is trained.");
        return;
    };
    ui.add_space(6.0);
    ui.label(RichText::new(display_path(&request.dataset)).small());
    Grid::new("train-classes").num_columns(6).spacing([12.0, 4.0]).striped(true).show(ui, |ui| {
        for head in ["class", "images", "train", "valid.", "test", "not used"] {
            ui.label(RichText::new(head).strong());
        }
        ui.end_row();
        let most = plan.classes.iter().map(|c| c.images).max().unwrap_or(1).max(1);
        for class in &plan.classes {
            let mut used = !form.leave_out.contains(&class.label);
            let hint = format!("{} groups. Untick to leave \"{}\" out", class.groups, class.label);
            if ui.add_enabled(!view.busy(), egui::Checkbox::new(&mut used, &class.label)).on_hover_text(hint).changed()
            {
                if used {
                    form.leave_out.retain(|l| *l != class.label);
                } else {
                    form.leave_out.push(class.label.clone());
                }
            }
            // The bar shows the imbalance at a glance; the number beside it says it.
            #[expect(clippy::cast_precision_loss, reason = "counts")]
            let share = class.images as f32 / most as f32;
            ui.add(egui::ProgressBar::new(share).desired_width(64.0).text(class.images.to_string()));
            for n in class.parts {
                ui.label(n.to_string());
            }
            let out = class.no_cell + class.failed;
            if out > 0 {
                ui.colored_label(theme::error_colour(ui), out.to_string())
                    .on_hover_text(format!("{} without a white cell, {} failed", class.no_cell, class.failed));
            } else {
                ui.weak("0");
            }
            ui.end_row();
        }
    });
    for line in &plan.grouping {
        ui.add(egui::Label::new(RichText::new(line).small()).wrap());
    }
    for note in &plan.notes {
        ui.add(egui::Label::new(RichText::new(format!("Note: {note}")).small()).wrap());
    }
    if !plan.excluded.is_empty() {
        CollapsingHeader::new(format!("Images not used: {}", plan.excluded.len())).show(ui, |ui| {
            for (path, why) in plan.excluded.iter().take(200) {
                ui.add(egui::Label::new(RichText::new(format!("{path}: {why}")).small()).wrap());
            }
        });
    }
}

fn recipe(ui: &mut Ui, state: &State, form: &mut TrainForm) {
    ui.heading("Recipe");
    ui.add_enabled_ui(!state.train.busy(), |ui| {
        let blocks = if let RecipeKind::Blocks(k) = form.kind { k } else { 3 };
        ui.radio_value(&mut form.kind, RecipeKind::Head, "Head only: a new last layer, seconds, for a first look");
        ui.radio_value(&mut form.kind, RecipeKind::Blocks(blocks), "Last blocks: adapt to your slides, about a minute");
        ui.radio_value(&mut form.kind, RecipeKind::Full, "Everything: thousands of images, up to hours");
        let open = CollapsingHeader::new("Numbers").default_open(form.opened_up).show(ui, |ui| numbers(ui, form));
        form.opened_up = open.fully_open();
    });
}

fn numbers(ui: &mut Ui, form: &mut TrainForm) {
    let usual = Recipe::of(form.kind, 1000);
    Grid::new("train-numbers").num_columns(2).spacing([12.0, 6.0]).show(ui, |ui| {
        if let RecipeKind::Blocks(k) = &mut form.kind {
            let l = ui.label("Last blocks");
            ui.add(DragValue::new(k).range(1..=17)).labelled_by(l.id);
            ui.end_row();
        }
        let l = ui.label("Epochs");
        ui.add(DragValue::new(&mut form.epochs).range(1..=1000)).labelled_by(l.id);
        ui.end_row();
        let l = ui.label("Batch");
        ui.add(DragValue::new(&mut form.batch).range(1..=1024)).labelled_by(l.id);
        ui.end_row();
        let l = ui.label("Learning rate");
        let hint = format!("{}", usual.optimizer.rate);
        ui.add(TextEdit::singleline(&mut form.rate).hint_text(hint).desired_width(90.0)).labelled_by(l.id);
        ui.end_row();
        let l = ui.label("Split");
        ui.add(TextEdit::singleline(&mut form.split).desired_width(90.0))
            .labelled_by(l.id)
            .on_hover_text("training/validation/test; the test part is looked at once, at the end");
        ui.end_row();
        ui.label("Images that belong together");
        let text = |g: Grouping| match g {
            Grouping::Auto => "names and likeness",
            Grouping::Column => "the CSV's column",
            Grouping::None => "random split (leaks)",
        };
        ComboBox::from_id_salt("train-grouping").selected_text(text(form.grouping)).show_ui(ui, |ui| {
            for g in [Grouping::Auto, Grouping::Column, Grouping::None] {
                ui.selectable_value(&mut form.grouping, g, text(g));
            }
        });
        ui.end_row();
        let l = ui.label("Stop after epochs without progress");
        ui.add(DragValue::new(&mut form.patience).range(0..=1000))
            .labelled_by(l.id)
            .on_hover_text("0 goes through all epochs");
        ui.end_row();
        ui.label("Keep");
        ui.checkbox(&mut form.keep_best, "the epoch with the best validation loss");
        ui.end_row();
        ui.label("Compute on");
        let text = |d: TrainingDevice| match d {
            TrainingDevice::Auto => "graphics card if there is one",
            TrainingDevice::Cpu => "processor (same bytes again)",
            TrainingDevice::Gpu => "graphics card only",
        };
        ComboBox::from_id_salt("train-device").selected_text(text(form.device)).show_ui(ui, |ui| {
            for d in [TrainingDevice::Auto, TrainingDevice::Cpu, TrainingDevice::Gpu] {
                ui.selectable_value(&mut form.device, d, text(d));
            }
        });
        ui.end_row();
        let l = ui.label("Seed");
        ui.add(DragValue::new(&mut form.seed)).labelled_by(l.id);
        ui.end_row();
        let l = ui.label("Start from");
        ui.add(TextEdit::singleline(&mut form.init).hint_text("the bundled model").desired_width(180.0))
            .labelled_by(l.id);
        ui.end_row();
        let l = ui.label("Write to");
        ui.add(TextEdit::singleline(&mut form.out).hint_text("the folder of models").desired_width(180.0))
            .labelled_by(l.id);
        ui.end_row();
    });
}

fn controls(ui: &mut Ui, state: &State, asked: &mut Asked) {
    let view = &state.train;
    ui.horizontal(|ui| {
        let start = Button::new(RichText::new("Start").size(16.0)).min_size(egui::vec2(120.0, 36.0));
        let obstacle = view.obstacle();
        let response = ui.add_enabled(Command::StartTraining.enabled(state), start);
        let response = match &obstacle {
            Some(why) => response.on_disabled_hover_text(why),
            None => response.on_hover_text(Command::StartTraining.tooltip()),
        };
        if response.clicked() {
            asked.command(Command::StartTraining);
        }
        let pause = Button::new(if view.held { "Continue" } else { "Pause" }).min_size(egui::vec2(80.0, 36.0));
        if ui
            .add_enabled(Command::PauseTraining.enabled(state), pause)
            .on_hover_text(Command::PauseTraining.tooltip())
            .clicked()
        {
            asked.command(Command::PauseTraining);
        }
        let stop = Button::new("Stop").min_size(egui::vec2(80.0, 36.0));
        if ui
            .add_enabled(Command::StopTraining.enabled(state), stop)
            .on_hover_text(Command::StopTraining.tooltip())
            .clicked()
        {
            asked.command(Command::StopTraining);
        }
    });
    if let Some(error) = &view.error {
        ui.add_space(4.0);
        ui.add(egui::Label::new(RichText::new(error).color(theme::error_colour(ui))).wrap());
    }
    for note in view.notes.iter().rev().take(3).rev() {
        ui.add(egui::Label::new(RichText::new(note).small()).wrap());
    }
    ui.weak("Trains on the processor, all cores. Classifying and looking around go on meanwhile.");
}

fn headline(ui: &mut Ui, view: &TrainView, now: f64) {
    ui.horizontal(|ui| {
        match view.phase {
            Phase::Idle if view.history.is_empty() => ui.heading("Curves"),
            Phase::Idle => ui.heading("The last run"),
            _ => ui.heading(view.title()),
        };
        let (done, total) = view.progress;
        if view.busy() && total > 0 {
            #[expect(clippy::cast_precision_loss, reason = "counts")]
            let share = done as f32 / total as f32;
            ui.add(egui::ProgressBar::new(share).desired_width(160.0));
            ui.label(format!("{done} of {total}"));
            if let Some(left) = view.left(now) {
                ui.label(format!("{} left", duration(left)));
            }
        }
        if view.stopping && view.busy() {
            ui.label("stopping…");
        }
    });
    if let (Some(last), Some(best)) = (view.history.last(), view.best()) {
        ui.label(format!(
            "Epoch {}: loss {:.3}, accuracy {:.1} %; validation {:.3}, {:.1} %. Best epoch {}: {:.3}, {:.1} %",
            last.epoch,
            last.train_loss,
            last.train_accuracy * 100.0,
            last.val_loss,
            last.val_accuracy * 100.0,
            best.epoch,
            best.val_loss,
            best.val_accuracy * 100.0
        ));
    } else if !view.busy() {
        ui.weak("Loss and accuracy of training and validation are drawn here while it trains.");
    } else {
        ui.weak("The first epoch's figures come at its end; the thin line is the batches, smoothed.");
    }
}

/// One of the two plots.
struct Curve {
    name: &'static str,
    batch: usize,
    train: fn(&EpochRow) -> f64,
    validation: fn(&EpochRow) -> f64,
    /// The upper end where it is known.
    top: Option<f64>,
    percent: bool,
}

fn curves(ui: &mut Ui, view: &TrainView, height: f32) {
    let curves = [
        Curve {
            name: "Loss",
            batch: 1,
            train: |r| r.train_loss,
            validation: |r| r.val_loss,
            top: None,
            percent: false,
        },
        Curve {
            name: "Accuracy",
            batch: 2,
            train: |r| r.train_accuracy,
            validation: |r| r.val_accuracy,
            top: Some(1.0),
            percent: true,
        },
    ];
    // Beside each other where there is room, else one above the other.
    let wide = ui.available_width() > 820.0;
    let gap = 26.0;
    let (w, h) = if wide {
        ((ui.available_width() - 14.0) / 2.0, height - gap)
    } else {
        (ui.available_width(), height / 2.0 - gap)
    };
    let draw = |ui: &mut Ui| {
        for curve in &curves {
            ui.vertical(|ui| {
                ui.label(RichText::new(curve.name).strong());
                plot(ui, view, curve, egui::vec2(w, h));
            });
        }
    };
    if wide {
        ui.horizontal_top(draw);
    } else {
        draw(ui);
    }
}

fn plot(ui: &mut Ui, view: &TrainView, curve: &Curve, size: egui::Vec2) {
    let colours = theme::curves(ui.visuals().dark_mode);
    let number = if curve.percent { |v: f64| format!("{:.1} %", v * 100.0) } else { |v: f64| format!("{v:.3}") };
    #[expect(clippy::cast_precision_loss, reason = "a number of epochs")]
    let epochs = view.form.epochs.max(view.history.len()).max(1) as f64;
    let mut p = super::still_plot(curve.name, size)
        .legend(Legend::default().position(if curve.percent { Corner::RightBottom } else { Corner::RightTop }))
        .include_x(0.0)
        .include_x(epochs)
        .include_y(0.0)
        .x_axis_label("epoch")
        .label_formatter(move |at| match at {
            HoverPosition::NearDataPoint { plot_name, position, .. } => {
                Some(format!("{plot_name}\nepoch {:.1}: {}", position.x, number(position.y)))
            }
            HoverPosition::Elsewhere { .. } => None,
        });
    if let Some(top) = curve.top.or(view.history.is_empty().then_some(1.0)) {
        p = p.include_y(top);
    }
    let points = |f: fn(&EpochRow) -> f64, rows: &[EpochRow]| -> Vec<[f64; 2]> {
        #[expect(clippy::cast_precision_loss, reason = "a number of epochs")]
        rows.iter().map(|r| [r.epoch as f64, f(r)]).collect()
    };
    let response = p.show(ui, |p| {
        for run in &view.earlier {
            let line = Line::new(
                format!("{}, validation", run.name),
                PlotPoints::from(points(curve.validation, &run.history)),
            );
            p.line(line.color(colours.earlier).width(1.0).style(LineStyle::dashed_loose()));
        }
        if !view.batches.is_empty() {
            let batches: Vec<[f64; 2]> = view.batches.iter().map(|b| [b[0], b[curve.batch]]).collect();
            p.line(Line::new("batches, smoothed", PlotPoints::from(batches)).color(colours.batches).width(1.2));
        }
        if view.history.is_empty() {
            return;
        }
        for (name, f, colour, shape) in [
            ("training", curve.train, colours.training, MarkerShape::Circle),
            ("validation", curve.validation, colours.validation, MarkerShape::Diamond),
        ] {
            let xy = points(f, &view.history);
            p.line(Line::new(name, PlotPoints::from(xy.clone())).color(colour).width(2.0));
            p.points(Points::new(name, PlotPoints::from(xy)).color(colour).shape(shape).radius(3.5));
        }
        if let Some(best) = view.best() {
            #[expect(clippy::cast_precision_loss, reason = "a number of epochs")]
            p.vline(VLine::new("best epoch", best.epoch as f64).color(colours.best).style(LineStyle::dotted_dense()));
        }
    });
    let name = match view.history.last() {
        Some(r) => format!(
            "{}: training {}, validation {}",
            curve.name,
            number((curve.train)(r)),
            number((curve.validation)(r))
        ),
        None => format!("{}: nothing yet", curve.name),
    };
    response.response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, &name));
}

fn outcome(ui: &mut Ui, state: &State, outcome: &TrainOutcome, asked: &mut Asked) {
    ui.horizontal(|ui| match &outcome.model {
        Some((path, digest)) => {
            ui.heading("The new model");
            ui.label(format!("{} ({})", display_name(path), digest.short())).on_hover_text(display_path(path));
        }
        None => {
            ui.heading("No model");
        }
    });
    let percent = |v: f64| format!("{:.1} %", v * 100.0);
    let range = |i: crate::metrics::Interval| format!("{:.1}–{:.1}", i.low * 100.0, i.high * 100.0);
    Grid::new("train-outcome").num_columns(4).spacing([18.0, 5.0]).striped(true).show(ui, |ui| {
        for head in ["", "accuracy", "95 % interval", "n"] {
            ui.label(RichText::new(head).strong());
        }
        ui.end_row();
        if let Some(v) = &outcome.validation {
            ui.label(format!("Validation, epoch {}", outcome.best_epoch))
                .on_hover_text("It chose the epoch: a little too good");
            ui.label(percent(v.accuracy.0));
            ui.label(range(v.accuracy.1));
            ui.label(v.n.to_string());
            ui.end_row();
        }
        if let Some(h) = &outcome.held {
            ui.label("Test part, looked at once");
            ui.label(RichText::new(percent(h.scores.accuracy.0)).strong());
            ui.label(range(h.scores.accuracy.1));
            ui.label(h.scores.n.to_string());
            ui.end_row();
            if let Some(c) = &h.current {
                ui.label(format!("The present model, same images: {}", c.name));
                ui.label(percent(c.accuracy));
                ui.label(range(c.interval));
                ui.label(c.n.to_string());
                ui.end_row();
            }
        }
    });
    if outcome.held.is_none() && outcome.model.is_some() {
        ui.weak("No test part: add a third share to the split (70/15/15) for a held-out result.");
    }
    if state.train.plan.as_ref().is_some_and(|(_, p)| p.random_split) {
        ui.colored_label(theme::error_colour(ui), "Random split: copies of one cell may be on both sides.");
    }
    ui.horizontal(|ui| {
        command_button(ui, state, asked, Command::UseTrainedModel);
        command_button(ui, state, asked, Command::PreviousModel);
        ui.weak(format!("Verified in ONNX Runtime: probabilities agree to {:.0e}", outcome.difference.max(1e-9)));
    });
    let scores = outcome.held.as_ref().map(|h| &h.scores).or(outcome.validation.as_ref());
    if let Some(scores) = scores {
        Grid::new("train-report").num_columns(5).spacing([18.0, 3.0]).show(ui, |ui| {
            for head in ["class", "precision", "recall", "F1", "support"] {
                ui.label(RichText::new(head).strong());
            }
            ui.end_row();
            for (label, (c, [p, r, f])) in outcome.labels.iter().zip(&scores.per_class) {
                ui.label(label);
                for (v, i) in [(c.precision, p), (c.recall, r), (c.f1, f)] {
                    ui.label(format!("{v:.2}")).on_hover_text(format!("95 % interval {:.2}–{:.2}", i.low, i.high));
                }
                ui.label(c.support.to_string());
                ui.end_row();
            }
        });
    }
}
