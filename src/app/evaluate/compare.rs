//! Another model beside the one in use.

use super::matrix::in_order;
use super::scores::score;
use super::state::{EvaluateInput, Showing, State};
use crate::app::language::{look_up, tr};
use crate::app::widgets::Asked;
use crate::report::percent;
use egui::{Grid, RichText, Ui};

/// The other model's scores and matrix, and the images on which exactly one is right.
pub(super) fn compared(ui: &mut Ui, state: &State, asked: &mut Asked<EvaluateInput>) {
    let Some((c, pair)) = state.compared.as_ref().and_then(|c| Some((c, c.pairs.first()?))) else {
        ui.weak(tr!("Name another model on the left and compare: both are judged on the same images."));
        return;
    };
    ui.add(egui::Label::new(c.pair_line(pair)).wrap());
    ui.horizontal_wrapped(|ui| {
        for (what, name, n) in [
            (Showing::OnlyThis, &c.models[0].model, pair.only_first.len()),
            (Showing::OnlyOther, &c.models[1].model, pair.only_other.len()),
        ] {
            let text = tr!("Only %{name} is right: %{n}", name = name, n = n);
            if ui.selectable_label(state.showing == Some(what), text).clicked() {
                asked.input(EvaluateInput::Show(what));
            }
        }
    });
    Grid::new("compared").num_columns(5).spacing([18.0, 4.0]).striped(true).show(ui, |ui| {
        for head in ["model", "n", "accuracy", "macro F1", "ECE"] {
            ui.label(RichText::new(head).strong());
        }
        ui.end_row();
        for (i, e) in c.models.iter().enumerate() {
            let s = c.shown(i);
            ui.label(format!("{} ({})", e.model, &e.model_sha256[..e.model_sha256.len().min(8)]));
            ui.label(s.n.to_string());
            ui.label(percent(&s.accuracy));
            match &c.macro_f1[i] {
                Some(f1) => score(ui, f1),
                None => drop(ui.weak("–")),
            }
            score(ui, &s.calibration_error);
            ui.end_row();
        }
    });
    ui.add(egui::Label::new(RichText::new(c.of_what()).small()).wrap());
    ui.add_space(4.0);
    let other = &c.models[1];
    ui.label(tr!("Confusion matrix of %{model}: reference down, predicted across", model = other.model));
    Grid::new("other-matrix").num_columns(other.labels.len() + 1).spacing([14.0, 3.0]).striped(true).show(ui, |ui| {
        ui.label("");
        let order = in_order(&other.labels);
        order.iter().for_each(|&c| drop(ui.label(RichText::new(look_up(&other.labels[c])).strong())));
        ui.end_row();
        for &class in &order {
            ui.label(RichText::new(look_up(&other.labels[class])).strong());
            for &predicted in &order {
                ui.label(c.shown(1).confusion.count(class, predicted).to_string());
            }
            ui.end_row();
        }
    });
}
