//! The execution providers of this machine: what there is, what is missing and the one step to get it, what was measured.

use super::state::{Busy, ModelsInput, State};
use crate::app::command::Command;
use crate::app::language::{decimal, tr, whole};
use crate::app::theme;
use crate::app::widgets::{Asked, Cx};
use crate::inference::{FAITHFUL, Measured, Plugin, Provider, ProviderStatus};
use egui::{CentralPanel, Grid, RichText, ScrollArea, Ui};

pub(super) fn page(ui: &mut Ui, cx: &Cx<'_>, state: &State, asked: &mut Asked<ModelsInput>) {
    CentralPanel::default().show(ui, |ui| {
        ScrollArea::both().auto_shrink([false, false]).show(ui, |ui| {
            ui.horizontal(|ui| {
                let ready = state.busy.is_none() && !state.here.is_empty();
                let tip = tr!("Runs each provider on the model in use, in a process of its own; a few seconds each");
                if ui.add_enabled(ready, egui::Button::new(tr!("Measure"))).on_hover_text(tip).clicked() {
                    asked.input(ModelsInput::Measure);
                }
                ui.label(tr!("Model in use: %{name}", name = cx.model.card.name));
            });
            let time = &state.record.time;
            if state.busy == Some(Busy::Measuring) {
                ui.weak(tr!("Measuring each provider that is ready…"));
            } else if state.record.all.is_empty() {
                ui.weak(tr!("Not measured with this model yet: \"auto\" takes what is usual for this system."));
            } else {
                ui.weak(tr!("Measured %{time}; \"auto\" takes the fastest whose answers are the processor's.", time = time));
            }
            ui.add_space(8.0);
            if state.here.is_empty() {
                ui.spinner();
            }
            table(ui, cx, state, asked);
            ui.add_space(12.0);
            ui.weak(tr!("What really ran is read from ONNX Runtime's own record of each node. A provider that fails in the middle of a batch is replaced by the processor, and every row says which one made it."));
        });
    });
}

fn table(ui: &mut Ui, cx: &Cx<'_>, state: &State, asked: &mut Asked<ModelsInput>) {
    let cpu = state.record.cpu_rate();
    Grid::new("providers").num_columns(9).spacing([16.0, 10.0]).striped(true).show(ui, |ui| {
        for head in [
            tr!("Provider"),
            tr!("On this machine"),
            tr!("Cells a second"),
            tr!("× processor"),
            tr!("Start"),
            tr!("Memory"),
            tr!("Largest difference"),
            tr!("What ran"),
        ] {
            ui.label(RichText::new(head).strong());
        }
        ui.end_row();
        for here in &state.here {
            let name = RichText::new(here.provider.as_str());
            let in_use = cx.model.provider == here.provider;
            let button = ui.add_enabled(here.missing.is_none(), egui::Button::selectable(in_use, name.strong()));
            if button.on_hover_text(tr!("Ask for this one")).clicked() {
                asked.command(Command::UseProvider(here.provider));
            }
            what(ui, cx, state, here, asked);
            match state.record.get(here.provider) {
                Some(m) => figures(ui, m, cpu, m.identity == here.identity),
                None => {
                    for _ in 0..6 {
                        ui.weak("–");
                    }
                }
            }
            ui.end_row();
        }
    });
    ui.add_space(8.0);
    ui.horizontal(|ui| {
        let auto = cx.model.provider == Provider::Auto;
        if ui.selectable_label(auto, tr!("auto: the fastest that was measured")).clicked() {
            asked.command(Command::UseProvider(Provider::Auto));
        }
    });
}

fn what(ui: &mut Ui, _cx: &Cx<'_>, state: &State, here: &ProviderStatus, asked: &mut Asked<ModelsInput>) {
    ui.vertical(|ui| {
        ui.set_max_width(360.0);
        let Some(missing) = &here.missing else {
            ui.label(tr!("ready: %{what}", what = here.what));
            return;
        };
        ui.add(egui::Label::new(&missing.why).wrap());
        if let Some(step) = &missing.step {
            ui.add(egui::Label::new(RichText::new(step).weak()).wrap());
        }
        let own = Plugin::for_provider(here.provider).is_some() && missing.step.is_some();
        if !own && missing.fetch.is_none() {
            return;
        }
        ui.horizontal(|ui| {
            let free = state.busy.is_none();
            if missing.fetch.is_some() && ui.add_enabled(free, egui::Button::new(tr!("Fetch"))).clicked() {
                asked.input(ModelsInput::Fetch(here.provider));
            }
            if own && ui.button(tr!("Point at a file…")).clicked() {
                asked.input(ModelsInput::Point(here.provider));
            }
        });
    });
}

fn figures(ui: &mut Ui, m: &Measured, cpu: f64, same: bool) {
    if let Some(why) = &m.error {
        for _ in 0..5 {
            ui.weak("–");
        }
        let text = RichText::new(why).color(theme::error_colour(ui));
        ui.scope(|ui| {
            ui.set_max_width(320.0);
            ui.add(egui::Label::new(text).wrap());
        });
        return;
    }
    ui.label(decimal(m.rate, 1)).on_hover_text(tr!("in batches of %{n}", n = m.batch));
    ui.label(if cpu > 0.0 { format!("{} ×", decimal(m.rate / cpu, 2)) } else { "–".into() });
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "milliseconds and megabytes")]
    let round = |v: f64| whole(v.max(0.0).round() as usize);
    ui.label(format!("{} ms", round(m.start)));
    ui.label(format!("{} MB", round(m.memory)));
    let far = format!("{:.1e}", m.difference);
    if m.difference > FAITHFUL {
        ui.colored_label(theme::error_colour(ui), far)
            .on_hover_text(tr!("Too far from the processor's answers: \"auto\" never takes it"));
    } else {
        ui.label(far);
    }
    let ran = if same {
        m.nodes.clone()
    } else {
        tr!("%{nodes}, with another driver or library: measure again", nodes = m.nodes)
    };
    ui.add(egui::Label::new(ran).wrap());
}
