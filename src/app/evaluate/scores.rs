//! Scores with their intervals, and the classification report.

use super::matrix::in_order;
use super::state::State;
use crate::app::language::{look_up, tr};
use crate::evaluation::Evaluated;
use crate::metrics::Estimate;
use crate::report::summary_scores;
use egui::{Grid, RichText, Ui};

/// "0.62" with its interval beside it, small.
pub(super) fn score(ui: &mut Ui, e: &Estimate) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        ui.label(format!("{:.2}", e.value)).on_hover_text(e.how.text());
        if let Some(i) = e.interval {
            ui.label(RichText::new(format!("{:.2}–{:.2}", i.low, i.high)).small().weak());
        }
    });
}

pub(super) fn report(ui: &mut Ui, state: &State, found: &Evaluated) {
    let s = state.scores(found);
    Grid::new("report").num_columns(5).spacing([18.0, 4.0]).striped(true).show(ui, |ui| {
        for head in ["", "precision", "recall", "F1", "support"] {
            ui.label(RichText::new(head).strong());
        }
        ui.end_row();
        for class in in_order(&found.labels) {
            let (label, c) = (&found.labels[class], &s.per_class[class]);
            ui.label(look_up(label));
            for e in [c.precision, c.recall, c.f1] {
                match e {
                    Some(e) => score(ui, &e),
                    None => drop(ui.weak("–")),
                }
            }
            ui.label(c.support.to_string());
            ui.end_row();
        }
        for (name, average) in
            [(tr!("macro average"), &s.macro_average), (tr!("weighted average"), &s.weighted_average)]
        {
            ui.label(RichText::new(name).italics());
            average.iter().for_each(|e| score(ui, e));
            ui.label(s.n.to_string());
            ui.end_row();
        }
    });
    ui.add_space(4.0);
    ui.weak(tr!(
        "95 % intervals. Precision, recall: %{how}. Others: %{others}.",
        how = s.accuracy.how.text(),
        others = s.matthews.how.text()
    ));
}

pub(super) fn scores(ui: &mut Ui, state: &State, found: &Evaluated) {
    Grid::new("scores").num_columns(3).spacing([18.0, 4.0]).striped(true).show(ui, |ui| {
        for (name, value, about) in summary_scores(state.scores(found)) {
            ui.label(name);
            ui.label(value);
            ui.weak(about);
            ui.end_row();
        }
    });
}
