//! The Evaluate place: data on the left, the confusion matrix and what is read from it in the middle, the images behind a
//! number on the right, where a wrong reference can be corrected.
//!
//! It draws what the state says and asks for commands and inputs; nothing is computed here but positions on the screen.

use super::compare::compared;
use super::curves::{curves, risk};
use super::matrix::matrix;
use super::references::{Memory, images};
use super::scores::{report, scores};
use super::setup::{about, data};
use super::state::{EvaluateInput, EvaluateTab, PickMode, State};
use crate::app::language::tr;
use crate::app::textures::Textures;
use crate::app::theme;
use crate::app::widgets::{Asked, Cx, label_key, take_keys};
use crate::evaluation::Evaluated;
use crate::files::display_path;
use egui::{CentralPanel, Panel, RichText, ScrollArea, Ui};

pub(crate) fn page(
    ui: &mut Ui,
    cx: &Cx<'_>,
    state: &State,
    memory: &mut Memory,
    textures: &mut Textures,
    asked: &mut Asked<EvaluateInput>,
) {
    Panel::left("evaluate-form").default_size(292.0).size_range(240.0..=460.0).show(ui, |ui| {
        ScrollArea::vertical().show(ui, |ui| {
            data(ui, cx, state, asked);
            if let Some(found) = &state.found {
                ui.add_space(10.0);
                about(ui, cx, state, found, asked);
            }
            ui.add_space(12.0);
        });
    });
    let Some(found) = &state.found else {
        CentralPanel::default().show(ui, |ui| empty(ui, state));
        return;
    };
    let side = (ui.available_width() * 0.36).clamp(260.0, 560.0);
    Panel::right("evaluate-images")
        .default_size(side)
        .size_range(230.0..=900.0)
        .show(ui, |ui| images(ui, cx, state, found, memory, textures, asked));
    CentralPanel::default().show(ui, |ui| {
        headline(ui, cx, state, found, asked);
        let space = ui.available_height();
        matrix(ui, state, found, (space * 0.54).clamp(190.0, 560.0), asked);
        ui.separator();
        tabs(ui, state, found, asked);
    });
    keys(ui, cx, state, found, memory.columns, asked);
}

fn empty(ui: &mut Ui, state: &State) {
    ui.vertical_centered(|ui| {
        ui.add_space((ui.available_height() * 0.24).max(16.0));
        ui.heading(tr!("How good is the model on these slides?"));
        ui.add_space(8.0);
        for line in [
            "Choose a folder with a folder per class, or a CSV with path,label[,group].",
            "Every image is classified as in Review; then the confusion matrix shows what was predicted as what,",
            "each of its numbers the images behind it, and every score its 95 % interval.",
        ] {
            ui.label(line);
        }
        if state.busy {
            ui.add_space(12.0);
            ui.spinner();
        }
    });
}

/// Which model, on which data, how good on how many unseen cells; and what is not to be judged by, small.
fn headline(ui: &mut Ui, cx: &Cx<'_>, state: &State, found: &Evaluated, asked: &mut Asked<EvaluateInput>) {
    ui.horizontal_wrapped(|ui| {
        let title = ui.label(RichText::new(found.title()).size(18.0).strong());
        if let Some(s) = found.judged() {
            title.on_hover_text(tr!("95 % interval: %{how}", how = s.accuracy.how.text()));
        }
        if state.pending {
            ui.weak(tr!("intervals…"));
        }
    });
    if let Some(what) = outdated(cx, state, found) {
        ui.colored_label(theme::error_colour(ui), RichText::new(what).small());
    }
    ui.horizontal_wrapped(|ui| {
        let (same, alike) = found.overlap();
        let text = RichText::new(found.learnt_line()).small();
        if same + alike > 0 {
            ui.colored_label(theme::error_colour(ui), text);
        } else {
            ui.label(text.weak());
        }
        if let Some(line) = found.contaminated_line() {
            ui.label(RichText::new(line).small().weak());
        }
    });
    if State::sets_apart(found) {
        let (same, alike) = found.overlap();
        let unseen = found.cells.len() - same - alike;
        ui.horizontal_wrapped(|ui| {
            for (all, text) in [
                (false, tr!("Unseen cells alone (%{n})", n = unseen)),
                (true, tr!("All cells, also those of its training (%{n})", n = found.cells.len())),
            ] {
                if ui.selectable_label(state.all == all, text).clicked() {
                    asked.input(EvaluateInput::All(all));
                }
            }
        });
    }
}

/// Why the figures are not of what is chosen now.
fn outdated(cx: &Cx<'_>, state: &State, found: &Evaluated) -> Option<String> {
    if found.model_sha256 != cx.model.card.digest.to_string() {
        return Some(tr!("These figures are of another model than the one in use. Evaluate again"));
    }
    let typed = state.form.dataset.trim();
    let same = typed.is_empty() || display_path(std::path::Path::new(typed)) == found.data;
    (!same).then(|| tr!("These figures are of other data than those that are chosen. Evaluate again"))
}

fn tabs(ui: &mut Ui, state: &State, found: &Evaluated, asked: &mut Asked<EvaluateInput>) {
    ui.horizontal_wrapped(|ui| {
        for tab in EvaluateTab::ALL {
            if ui.selectable_label(state.tab == tab, tr!(tab.text())).clicked() {
                asked.input(EvaluateInput::Tab(tab));
            }
        }
    });
    match state.tab {
        EvaluateTab::Report => {
            ScrollArea::both().id_salt("report").auto_shrink([false, false]).show(ui, |ui| report(ui, state, found));
        }
        EvaluateTab::Scores => {
            ScrollArea::both().id_salt("scores").auto_shrink([false, false]).show(ui, |ui| scores(ui, state, found));
        }
        EvaluateTab::Reliability => curves(
            ui,
            &tr!("Reliability"),
            (&tr!("confidence"), &tr!("share right")),
            &state.curves.reliability,
            true,
            true,
        ),
        EvaluateTab::Roc => {
            curves(
                ui,
                "ROC",
                (&tr!("false positive rate"), &tr!("true positive rate")),
                &state.curves.roc,
                true,
                false,
            );
        }
        EvaluateTab::PrecisionRecall => {
            curves(
                ui,
                &tr!("Precision and recall"),
                (&tr!("recall"), &tr!("precision")),
                &state.curves.precision_recall,
                false,
                false,
            );
        }
        EvaluateTab::Risk => risk(ui, state, found, asked),
        EvaluateTab::Compared => {
            ScrollArea::both()
                .id_salt("compared")
                .auto_shrink([false, false])
                .show(ui, |ui| compared(ui, state, asked));
        }
    }
}

/// Digits correct, arrows move among the images, the system's copy copies.
fn keys(ui: &Ui, cx: &Cx<'_>, state: &State, found: &Evaluated, columns: usize, asked: &mut Asked<EvaluateInput>) {
    let typing = ui.ctx().egui_wants_keyboard_input();
    if cx.dialog {
        return;
    }
    let in_text =
        ui.memory(|m| m.focused()).is_some_and(|id| egui::text_edit::TextEditState::load(ui.ctx(), id).is_some());
    if in_text {
        return;
    }
    if ui.input(|i| i.events.iter().any(|e| matches!(e, egui::Event::Copy)))
        && let Some(text) = state.copied()
    {
        ui.ctx().copy_text(text);
    }
    if ui.input_mut(|i| i.consume_key(egui::Modifiers::COMMAND, egui::Key::A)) {
        asked.input(EvaluateInput::Pick(0, PickMode::All));
    }
    // A class has the keys that it has in Review, whatever its place in the model.
    let own: Vec<(egui::KeyboardShortcut, usize)> = (found.labels.iter().enumerate())
        .filter_map(|(class, label)| Some((label_key(cx.keys, label)?, class)))
        .collect();
    for (shortcut, class) in own.iter().filter(|(s, _)| !s.modifiers.is_none()) {
        if ui.input_mut(|i| i.consume_shortcut(shortcut)) {
            asked.input(EvaluateInput::Correct(*class));
        }
    }
    let columns = columns.max(1).cast_signed();
    take_keys(ui, |key, _| {
        let plain = |(s, _): &&(egui::KeyboardShortcut, usize)| s.modifiers.is_none() && s.logical_key == key;
        let input = match (own.iter().find(plain).map(|(_, class)| *class), key) {
            (Some(class), _) => EvaluateInput::Correct(class),
            // The arrows belong to what has the focus, such as the matrix.
            _ if typing => return None,
            (None, egui::Key::ArrowRight) => EvaluateInput::Move(1),
            (None, egui::Key::ArrowLeft) => EvaluateInput::Move(-1),
            (None, egui::Key::ArrowDown) => EvaluateInput::Move(columns),
            (None, egui::Key::ArrowUp) => EvaluateInput::Move(-columns),
            (None, egui::Key::Home) => EvaluateInput::Move(isize::MIN / 2),
            (None, egui::Key::End) => EvaluateInput::Move(isize::MAX / 2),
            _ => return None,
        };
        Some(input)
    })
    .into_iter()
    .for_each(|input| asked.input(input));
}
