//! The Evaluate place: data on the left, the confusion matrix and what is read from it in the middle, the images behind a
//! number on the right, where a wrong reference can be corrected.
//!
//! It draws what the state says and asks for commands and inputs; nothing is computed here but positions on the screen.

use super::frame::{command_button, duration};
use super::{ViewMemory, paint_fitted};
use crate::app::Asked;
use crate::app::command::Command;
use crate::app::evaluation::{Curve, EvaluateForm, EvaluateInput, EvaluateView, Pick, Shares, Showing, Tab, Which};
use crate::app::language::{decimal, look_up, tr};
use crate::app::pictures::{Key, Look, Pictures};
use crate::app::state::State;
use crate::app::theme;
use crate::app::update::Input;
use crate::domain::clinical_rank;
use crate::files::display_path;
use crate::metrics::Estimate;
use crate::report::{Evaluated, facts, kept_line, other_scores, percent};
use egui::{
    Align2, Button, CentralPanel, CollapsingHeader, ComboBox, FontId, Grid, Panel, Rect, RichText, Role, ScrollArea,
    Sense, Slider, Stroke, StrokeKind, TextEdit, Ui, WidgetInfo, pos2, vec2,
};
use egui_plot::{Corner, HoverPosition, Legend, LineStyle, MarkerShape, Plot, PlotPoints, Points, VLine};

/// Height of the words under an image.
const CAPTION: f32 = 34.0;
const GAP: f32 = 6.0;
/// Side of an image, points, nearly.
const TILE: f32 = 104.0;
/// Side of the picture of the cell that is judged.
const LARGE: f32 = 150.0;

pub(super) fn place(
    ui: &mut Ui,
    state: &State,
    memory: &mut ViewMemory,
    pictures: &mut Pictures,
    asked: &mut Asked,
    now: f64,
) {
    let view = &state.evaluate;
    Panel::left("evaluate-form").default_size(292.0).size_range(240.0..=460.0).show(ui, |ui| {
        ScrollArea::vertical().show(ui, |ui| {
            data(ui, state, asked, now);
            if let Some(found) = &view.found {
                ui.add_space(10.0);
                about(ui, state, found, asked);
            }
            ui.add_space(12.0);
        });
    });
    let Some(found) = &view.found else {
        CentralPanel::default().show(ui, |ui| empty(ui, view));
        return;
    };
    let side = (ui.available_width() * 0.36).clamp(260.0, 560.0);
    Panel::right("evaluate-images")
        .default_size(side)
        .size_range(230.0..=900.0)
        .show(ui, |ui| images(ui, state, found, memory, pictures, asked));
    CentralPanel::default().show(ui, |ui| {
        headline(ui, state, found, asked);
        let space = ui.available_height();
        matrix(ui, view, found, (space * 0.54).clamp(190.0, 560.0), asked);
        ui.separator();
        tabs(ui, view, found, asked);
    });
    keys(ui, state, found, memory.evaluate_columns, asked);
}

fn ask(asked: &mut Asked, input: EvaluateInput) {
    asked.input(Input::Evaluate(input));
}

fn empty(ui: &mut Ui, view: &EvaluateView) {
    ui.vertical_centered(|ui| {
        ui.add_space((ui.available_height() * 0.24).max(16.0));
        ui.heading(tr!("How good is the model on these slides?"));
        ui.add_space(8.0);
        for line in [
            "Choose a folder with a folder per class, or a CSV with path,label[,group].",
            "Every picture is classified as in Review; then the confusion matrix shows what was taken for what,",
            "each of its numbers the images behind it, and every score its 95 % interval.",
        ] {
            ui.label(line);
        }
        if view.busy {
            ui.add_space(12.0);
            ui.spinner();
        }
    });
}

fn data(ui: &mut Ui, state: &State, asked: &mut Asked, now: f64) {
    let view = &state.evaluate;
    ui.add_space(6.0);
    ui.heading(tr!("Data"));
    let mut form = view.form.clone();
    ui.add_enabled_ui(!view.busy, |ui| {
        let label = ui.label(tr!("Labelled pictures: a folder per class, or a CSV"));
        let edit = TextEdit::singleline(&mut form.dataset)
            .hint_text(tr!("path of the labelled pictures"))
            .desired_width(f32::INFINITY);
        ui.add(edit).labelled_by(label.id);
    });
    if form.dataset != view.form.dataset {
        // Answers about another dataset's labels say nothing about this one's.
        let form = EvaluateForm { map: Vec::new(), ..form };
        ask(asked, EvaluateInput::Form(Box::new(form)));
    }
    ui.horizontal_wrapped(|ui| {
        command_button(ui, state, asked, Command::ChooseEvaluation);
        command_button(ui, state, asked, Command::EvaluateOnReviewed);
        let command = if view.busy { Command::StopEvaluation } else { Command::Evaluate };
        let button = Button::new(RichText::new(command.text()).strong()).min_size(vec2(120.0, 28.0));
        if ui.add_enabled(command.enabled(state), button).on_hover_text(command.tooltip()).clicked() {
            asked.command(command);
        }
    });
    if view.busy {
        let mut doing = view.doing.chars();
        let first = doing.next().map(char::to_uppercase).into_iter().flatten();
        ui.label(format!("{}…", first.chain(doing).collect::<String>()));
        let (done, total) = view.progress;
        if total > 0 {
            #[expect(clippy::cast_precision_loss, reason = "counts")]
            let share = done as f32 / total as f32;
            ui.add(egui::ProgressBar::new(share).text(tr!("%{n} of %{all}", n = done, all = total)));
            if let Some(left) = crate::task::seconds_left(done, total, now - view.since) {
                ui.weak(tr!("%{time} left", time = duration(left)));
            }
        }
    }
    if let Some(error) = &view.error {
        ui.add(egui::Label::new(RichText::new(error).color(theme::error_colour(ui))).wrap());
    }
    unknown(ui, view, asked);
}

/// A small form for labels that the model does not know: nothing is guessed.
fn unknown(ui: &mut Ui, view: &EvaluateView, asked: &mut Asked) {
    let Some(unknown) = &view.unknown else { return };
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
                            ask(asked, EvaluateInput::Answer(at, None));
                        }
                        for (c, class) in unknown.classes.iter().enumerate() {
                            if ui.selectable_label(*answer == Some(Some(c)), class).clicked() {
                                ask(asked, EvaluateInput::Answer(at, Some(c)));
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

fn about(ui: &mut Ui, state: &State, found: &Evaluated, asked: &mut Asked) {
    let view = &state.evaluate;
    ui.horizontal_wrapped(|ui| {
        command_button(ui, state, asked, Command::ExportEvaluation);
        if ui
            .button(tr!("Copy"))
            .on_hover_text(tr!("Matrix and report as a table for a spreadsheet (Ctrl+C)"))
            .clicked()
            && let Some(text) = view.copied()
        {
            ui.ctx().copy_text(text);
        }
        command_button(ui, state, asked, Command::Undo);
        command_button(ui, state, asked, Command::Redo);
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
                tr!("Fits confidences and a threshold on these pictures, and writes a new model. Use pictures that the model never learnt from, and not those that it shall be judged by."),
            )
            .small(),
        )
        .wrap(),
    );
    ui.horizontal_wrapped(|ui| {
        command_button(ui, state, asked, Command::Calibrate);
        if view.calibrated.is_some() {
            command_button(ui, state, asked, Command::UseCalibratedModel);
        }
    });
    if let Some((text, _)) = &view.calibrated {
        ui.add(egui::Label::new(RichText::new(text.trim_end()).small()).wrap());
    }
    ui.add_space(8.0);
    ui.heading(tr!("Another model"));
    let mut form = view.form.clone();
    let label = ui.label(tr!("Path of a model to hold against this one"));
    ui.add(TextEdit::singleline(&mut form.other).hint_text(tr!("model.onnx")).desired_width(f32::INFINITY))
        .labelled_by(label.id);
    if form.other != view.form.other {
        ask(asked, EvaluateInput::Form(Box::new(form)));
    }
    ui.horizontal_wrapped(|ui| {
        command_button(ui, state, asked, Command::ChooseOther);
        command_button(ui, state, asked, Command::CompareModels);
    });
    ui.add_space(8.0);
    CollapsingHeader::new(tr!("What was evaluated")).default_open(true).show(ui, |ui| {
        for line in facts(found) {
            ui.add(egui::Label::new(RichText::new(line).small()).wrap());
        }
    });
    if !found.unanswered.is_empty() {
        CollapsingHeader::new(tr!("Images not scored: %{n}", n = found.unanswered.len())).show(ui, |ui| {
            for u in found.unanswered.iter().take(200) {
                let why = u.error.as_deref().unwrap_or("no white cell was found");
                ui.add(egui::Label::new(RichText::new(format!("{}: {why}", u.path)).small()).wrap());
            }
        });
    }
}

/// Which model, on which data, how good on how many unseen cells; and what is not to be judged by, small.
fn headline(ui: &mut Ui, state: &State, found: &Evaluated, asked: &mut Asked) {
    let view = &state.evaluate;
    ui.horizontal_wrapped(|ui| {
        let title = ui.label(RichText::new(found.title()).size(18.0).strong());
        if let Some(s) = found.judged() {
            title.on_hover_text(tr!("95 % interval: %{how}", how = s.accuracy.how.text()));
        }
        if view.pending {
            ui.weak(tr!("intervals…"));
        }
    });
    if let Some(what) = outdated(state, found) {
        ui.colored_label(theme::error_colour(ui), RichText::new(what).small());
    }
    ui.horizontal_wrapped(|ui| {
        let (same, alike) = found.learnt();
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
    if EvaluateView::sets_apart(found) {
        let (same, alike) = found.learnt();
        let unseen = found.cells.len() - same - alike;
        ui.horizontal_wrapped(|ui| {
            for (all, text) in [
                (false, tr!("Unseen cells alone (%{n})", n = unseen)),
                (true, tr!("All cells, also those of its training (%{n})", n = found.cells.len())),
            ] {
                if ui.selectable_label(view.all == all, text).clicked() {
                    ask(asked, EvaluateInput::All(all));
                }
            }
        });
    }
}

/// Why the figures are not of what is chosen now.
fn outdated(state: &State, found: &Evaluated) -> Option<String> {
    if found.model_sha256 != state.model.sha256 {
        return Some(tr!("These figures are of another model than the one in use. Evaluate again"));
    }
    let typed = state.evaluate.form.dataset.trim();
    let same = typed.is_empty() || display_path(std::path::Path::new(typed)) == found.data;
    (!same).then(|| tr!("These figures are of other data than those that are chosen. Evaluate again"))
}

/// The places of classes in the order in which a laboratory reads them, whatever the model's is.
fn in_order(labels: &[String]) -> Vec<usize> {
    let mut all: Vec<usize> = (0..labels.len()).collect();
    all.sort_by_key(|c| clinical_rank(&labels[*c]));
    all
}

fn matrix(ui: &mut Ui, view: &EvaluateView, found: &Evaluated, height: f32, asked: &mut Asked) {
    ui.horizontal(|ui| {
        ui.label(RichText::new(tr!("Confusion matrix")).strong());
        for shares in Shares::ALL {
            if ui.selectable_label(view.shares == shares, tr!(shares.text())).clicked() {
                ask(asked, EvaluateInput::Shares(shares));
            }
        }
    });
    let (k, confusion) = (found.labels.len(), &view.scores(found).confusion);
    let font = FontId::proportional(13.0);
    let widest = ui.fonts_mut(|f| {
        let width = |l: &String| f.layout_no_wrap(l.clone(), font.clone(), egui::Color32::WHITE).size().x;
        found.labels.iter().map(width).fold(0.0, f32::max)
    });
    let left = widest + 34.0;
    let head = 40.0;
    #[expect(clippy::cast_precision_loss, reason = "a count of classes")]
    let n = k as f32;
    let (wide, high) = (((ui.available_width() - left - 8.0) / n).min(118.0), ((height - head) / n).min(78.0));
    let cell = vec2(wide.max(34.0), high.max(26.0));
    let (all, _) = ui.allocate_exact_size(vec2(left + cell.x * n, head + cell.y * n), Sense::hover());
    let origin = all.min + vec2(left, head);
    let (ink, weak, dark) = (ui.visuals().text_color(), ui.visuals().weak_text_color(), ui.visuals().dark_mode);
    let painter = ui.painter().clone();
    painter.text(
        pos2(origin.x + cell.x * n / 2.0, all.top() + 8.0),
        Align2::CENTER_CENTER,
        tr!("called"),
        FontId::proportional(12.0),
        weak,
    );
    painter.text(
        pos2(all.left(), all.top() + 27.0),
        Align2::LEFT_CENTER,
        tr!("reference"),
        FontId::proportional(12.0),
        weak,
    );
    let mut grid = Vec::with_capacity(k * k);
    let order = in_order(&found.labels);
    for (place, &i) in order.iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "a count of classes")]
        let at = place as f32;
        let y = origin.y + cell.y * (at + 0.5);
        painter.text(pos2(origin.x - 8.0, y), Align2::RIGHT_CENTER, look_up(&found.labels[i]), font.clone(), ink);
        let heading =
            Rect::from_center_size(pos2(origin.x + cell.x * (at + 0.5), all.top() + 27.0), vec2(cell.x - 2.0, 18.0));
        painter.with_clip_rect(heading).text(
            heading.center(),
            Align2::CENTER_CENTER,
            look_up(&found.labels[i]),
            font.clone(),
            ink,
        );
        for (column, &j) in order.iter().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "a count of classes")]
            let rect = Rect::from_min_size(origin + vec2(cell.x * column as f32, cell.y * at), cell).shrink(1.0);
            let id = ui.scope_id().with(("confusion", i, j));
            grid.push((i, j, rect, id));
        }
    }
    for &(i, j, rect, id) in &grid {
        let count = confusion.count(i, j);
        // None of none is no share.
        let of = |whole: usize| {
            #[expect(clippy::cast_precision_loss, reason = "counts")]
            let share = (whole > 0).then(|| count as f32 / whole as f32);
            share
        };
        let words = |share: Option<f32>| share.map_or_else(|| "–".into(), |s| decimal(f64::from(100.0 * s), 1));
        let percent = |share: Option<f32>| share.map_or_else(|| "–".into(), |_| format!("{} %", words(share)));
        let (row, column) = (of(confusion.support(i)), of(confusion.called(j)));
        let (share, text) = match view.shares {
            Shares::Counts => (row, count.to_string()),
            Shares::ByRow => (row, percent(row)),
            Shares::ByColumn => (column, percent(column)),
        };
        let share = share.unwrap_or(0.0);
        let response = ui.interact(rect, id, Sense::click());
        let named = tr!(
            "reference %{label}, called %{called}: %{count}",
            label = look_up(&found.labels[i]),
            called = look_up(&found.labels[j]),
            count = count
        );
        let chosen = view.showing == Some(Showing::Cell(i, j));
        response.widget_info(|| WidgetInfo::selected(Role::Button, true, chosen, &named));
        painter.rect_filled(rect, 3.0, theme::matrix_back(dark, i == j, share));
        painter.text(
            rect.center(),
            Align2::CENTER_CENTER,
            text,
            FontId::proportional((cell.y * 0.3).clamp(12.0, 19.0)),
            theme::matrix_ink(dark, share),
        );
        if chosen || response.has_focus() || response.hovered() {
            let width = if chosen { 2.5 } else { 1.5 };
            let colour = if chosen || response.has_focus() { theme::accent(dark) } else { weak };
            painter.rect_stroke(rect, 3.0, Stroke::new(width, colour), StrokeKind::Inside);
        }
        if response.clicked() {
            ask(asked, EvaluateInput::Show(Showing::Cell(i, j)));
            response.request_focus();
        }
        if response.has_focus() {
            // The arrows move within the matrix, and nowhere else.
            let filter = egui::EventFilter { horizontal_arrows: true, vertical_arrows: true, ..Default::default() };
            ui.memory_mut(|m| m.set_focus_lock_filter(id, filter));
            for (key, di, dj) in [
                (egui::Key::ArrowLeft, 0, -1),
                (egui::Key::ArrowRight, 0, 1),
                (egui::Key::ArrowUp, -1, 0),
                (egui::Key::ArrowDown, 1, 0),
            ] {
                if ui.input_mut(|input| input.consume_key(egui::Modifiers::NONE, key)) {
                    // To the neighbour as it is drawn.
                    let place = |class: usize| order.iter().position(|c| *c == class).unwrap_or(class);
                    let moved = |class: usize, by: isize| order[place(class).saturating_add_signed(by).min(k - 1)];
                    let to = (moved(i, di), moved(j, dj));
                    if let Some(next) = grid.iter().find(|g| (g.0, g.1) == to) {
                        ui.memory_mut(|m| m.request_focus(next.3));
                    }
                }
            }
        }
        response.on_hover_text(tr!(
            "%{n} cells: reference %{label}, called %{called}\n%{row} % of %{support} %{label}\n%{column} % of %{calls} called %{called}",
            n = count,
            row = words(row),
            support = confusion.support(i),
            column = words(column),
            calls = confusion.called(j),
            label = look_up(&found.labels[i]),
            called = look_up(&found.labels[j])
        ));
    }
}

fn tabs(ui: &mut Ui, view: &EvaluateView, found: &Evaluated, asked: &mut Asked) {
    ui.horizontal_wrapped(|ui| {
        for tab in Tab::ALL {
            if ui.selectable_label(view.tab == tab, tr!(tab.text())).clicked() {
                ask(asked, EvaluateInput::Tab(tab));
            }
        }
    });
    match view.tab {
        Tab::Report => {
            ScrollArea::both().id_salt("report").auto_shrink([false, false]).show(ui, |ui| report(ui, view, found));
        }
        Tab::Scores => {
            ScrollArea::both().id_salt("scores").auto_shrink([false, false]).show(ui, |ui| scores(ui, view, found));
        }
        Tab::Reliability => curves(
            ui,
            &tr!("Reliability"),
            (&tr!("confidence"), &tr!("share right")),
            &view.curves.reliability,
            true,
            true,
        ),
        Tab::Roc => {
            curves(ui, "ROC", (&tr!("false positive rate"), &tr!("true positive rate")), &view.curves.roc, true, false);
        }
        Tab::PrecisionRecall => {
            curves(
                ui,
                &tr!("Precision and recall"),
                (&tr!("recall"), &tr!("precision")),
                &view.curves.precision_recall,
                false,
                false,
            );
        }
        Tab::Risk => risk(ui, view, found, asked),
        Tab::Compared => {
            ScrollArea::both().id_salt("compared").auto_shrink([false, false]).show(ui, |ui| compared(ui, view, asked));
        }
    }
}

/// "0.62" with its interval beside it, small.
fn score(ui: &mut Ui, e: &Estimate) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        ui.label(format!("{:.2}", e.value)).on_hover_text(e.how.text());
        if let Some(i) = e.interval {
            ui.label(RichText::new(format!("{:.2}–{:.2}", i.low, i.high)).small().weak());
        }
    });
}

fn report(ui: &mut Ui, view: &EvaluateView, found: &Evaluated) {
    let s = view.scores(found);
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

fn scores(ui: &mut Ui, view: &EvaluateView, found: &Evaluated) {
    Grid::new("scores").num_columns(3).spacing([18.0, 4.0]).striped(true).show(ui, |ui| {
        for (name, value, about) in other_scores(view.scores(found)) {
            ui.label(name);
            ui.label(value);
            ui.weak(about);
            ui.end_row();
        }
    });
}

/// The other model's scores and matrix, and the images on which exactly one is right.
fn compared(ui: &mut Ui, view: &EvaluateView, asked: &mut Asked) {
    let Some((c, pair)) = view.compared.as_ref().and_then(|c| Some((c, c.pairs.first()?))) else {
        ui.weak(tr!("Name another model on the left and compare: both are judged on the same pictures."));
        return;
    };
    ui.add(egui::Label::new(c.pair_line(pair)).wrap());
    ui.horizontal_wrapped(|ui| {
        for (what, name, n) in [
            (Showing::OnlyThis, &c.models[0].model, pair.only_first.len()),
            (Showing::OnlyOther, &c.models[1].model, pair.only_other.len()),
        ] {
            let text = tr!("Only %{name} is right: %{n}", name = name, n = n);
            if ui.selectable_label(view.showing == Some(what), text).clicked() {
                ask(asked, EvaluateInput::Show(what));
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
    ui.label(tr!("Confusion matrix of %{model}: reference down, called across", model = other.model));
    Grid::new("other-matrix").num_columns(other.labels.len() + 1).spacing([14.0, 3.0]).striped(true).show(ui, |ui| {
        ui.label("");
        let order = in_order(&other.labels);
        order.iter().for_each(|&c| drop(ui.label(RichText::new(look_up(&other.labels[c])).strong())));
        ui.end_row();
        for &class in &order {
            ui.label(RichText::new(look_up(&other.labels[class])).strong());
            for &called in &order {
                ui.label(c.shown(1).confusion.count(class, called).to_string());
            }
            ui.end_row();
        }
    });
}

fn unit_plot<'a>(name: &'a str, axes: (&'a str, &'a str), size: egui::Vec2) -> Plot<'a> {
    super::still_plot(name, size)
        .include_x(0.0)
        .include_x(1.0)
        .include_y(0.0)
        .x_axis_label(axes.0)
        .y_axis_label(axes.1)
        .label_formatter(|at| match at {
            HoverPosition::NearDataPoint { plot_name, position, .. } => {
                Some(format!("{plot_name}\n{:.3}, {:.3}", position.x, position.y))
            }
            HoverPosition::Elsewhere { .. } => None,
        })
}

fn curves(ui: &mut Ui, name: &str, axes: (&str, &str), curves: &[Curve], diagonal: bool, dots: bool) {
    let size = vec2(ui.available_width(), (ui.available_height() - 4.0).max(120.0));
    let (weak, dark) = (ui.visuals().weak_text_color(), ui.visuals().dark_mode);
    let shown = unit_plot(name, axes, size)
        .include_y(1.0)
        .legend(Legend::default().position(if diagonal && !dots { Corner::RightBottom } else { Corner::LeftTop }))
        .show(ui, |p| {
            if diagonal {
                let line = super::line("", vec![[0.0, 0.0], [1.0, 1.0]]);
                p.line(line.color(weak).style(LineStyle::dashed_loose()));
            }
            for curve in curves {
                let colour = match &curve.label {
                    Some(label) => theme::label_colour(label, dark),
                    None => theme::series_colour(curve.class, dark),
                };
                if !dots || curve.class == 0 {
                    p.line(super::line(&curve.name, curve.points.clone()).color(colour).width(2.0));
                }
                if dots {
                    let shape = if curve.class == 0 { MarkerShape::Circle } else { MarkerShape::Diamond };
                    let points = Points::new(&curve.name, PlotPoints::from(curve.points.clone()));
                    p.points(points.color(colour).shape(shape).radius(4.0));
                }
            }
        });
    let words = format!("{name}: {}", curves.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", "));
    shown.response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &words));
}

/// Share wrong against share kept; the threshold can be dragged in the plot or by the slider.
fn risk(ui: &mut Ui, view: &EvaluateView, found: &Evaluated, asked: &mut Asked) {
    let mut threshold = view.threshold;
    ui.horizontal_wrapped(|ui| {
        let label = ui.label(tr!("Abstain below"));
        ui.add(Slider::new(&mut threshold, 0.0..=1.0).fixed_decimals(3)).labelled_by(label.id);
        ui.label(kept_line(found, view.threshold));
    });
    let size = vec2(ui.available_width(), (ui.available_height() - 4.0).max(110.0));
    let points: Vec<[f64; 2]> = view.curves.risk.iter().map(|p| [p.x, p.y]).collect();
    let top = points.iter().map(|p| p[1]).fold(0.02, f64::max);
    let sample = view.sample(found);
    let (kept, _) = crate::metrics::kept(&sample, view.threshold);
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    let coverage = kept as f64 / sample.len().max(1) as f64;
    let dark = ui.visuals().dark_mode;
    let shown = unit_plot(
        &tr!("Risk and coverage"),
        (&tr!("share of cells that get a label"), &tr!("share wrong among them")),
        size,
    )
    .include_y(top)
    .show(ui, |p| {
        p.line(super::line("share wrong", points).color(theme::series_colour(0, dark)).width(2.0));
        p.vline(VLine::new("threshold", coverage).color(theme::accent(dark)).width(2.0));
        p.pointer_coordinate().map(|c| c.x)
    });
    let held = shown.response.is_pointer_button_down_on() || shown.response.dragged();
    if let Some(x) = shown.inner.filter(|_| held) {
        let at = view.curves.risk.iter().min_by(|a, b| (a.x - x).abs().total_cmp(&(b.x - x).abs()));
        if let Some(at) = at {
            threshold = if at.x >= 1.0 { 0.0 } else { at.threshold };
        }
    }
    shown.response.widget_info(|| WidgetInfo::labeled(Role::Image, true, tr!("Risk and coverage")));
    if (threshold - view.threshold).abs() > 1e-9 {
        ask(asked, EvaluateInput::Threshold(threshold));
    }
}

fn images(
    ui: &mut Ui,
    state: &State,
    found: &Evaluated,
    memory: &mut ViewMemory,
    pictures: &mut Pictures,
    asked: &mut Asked,
) {
    let view = &state.evaluate;
    ui.add_space(4.0);
    ui.horizontal_wrapped(|ui| {
        let title = match view.showing {
            Some(Showing::Cell(i, j)) if i == j => tr!("%{label}, rightly called", label = look_up(&found.labels[i])),
            Some(Showing::Cell(i, j)) => {
                tr!("%{label}, called %{called}", label = look_up(&found.labels[i]), called = look_up(&found.labels[j]))
            }
            Some(Showing::LikelyWrong) => tr!("References most likely wrong"),
            Some(Showing::OnlyThis) => tr!("Only the model in use is right"),
            Some(Showing::OnlyOther) => tr!("Only the other model is right"),
            None => tr!("Choose a number of the matrix"),
        };
        ui.label(RichText::new(title).strong().size(15.0));
        ui.label(view.rows.len().to_string());
    });
    ui.horizontal_wrapped(|ui| {
        let chosen = view.showing == Some(Showing::LikelyWrong);
        let response = ui.selectable_label(chosen, tr!("Most likely wrong labels")).on_hover_text(tr!(
            "Cells that the model calls another class with confidence, by how little it believes the reference"
        ));
        if response.clicked() {
            ask(asked, EvaluateInput::Show(Showing::LikelyWrong));
        }
    });
    ui.horizontal_wrapped(|ui| {
        ui.label(match view.chosen.len() {
            0 => tr!("Reference:"),
            1 => tr!("The reference is"),
            n => tr!("The %{n} references are", n = n),
        });
        let only = (view.chosen.len() == 1).then(|| view.chosen.first()).flatten();
        for class in in_order(&found.labels) {
            let label = &found.labels[class];
            let present = only.is_some_and(|r| found.sample.truth()[*r] == class);
            let text = match super::frame::label_key(state, label) {
                Some(key) => format!("{} {}", ui.ctx().format_shortcut(&key), look_up(label)),
                None => look_up(label),
            };
            let button = Button::new(text).selected(present).small();
            let hint =
                tr!("Correct the reference of the chosen images to %{label}; it can be undone", label = look_up(label));
            if ui.add_enabled(!view.chosen.is_empty(), button).on_hover_text(hint).clicked() {
                ask(asked, EvaluateInput::Correct(class));
            }
        }
    });
    ui.separator();
    #[expect(clippy::cast_precision_loss, reason = "a handful of classes")]
    let below = 44.0 + (17.0 * found.labels.len().min(6) as f32).max(LARGE + 6.0);
    let height = (ui.available_height() - below).max(120.0);
    ui.allocate_ui(vec2(ui.available_width(), height), |ui| tiles(ui, view, found, memory, pictures, asked));
    ui.separator();
    details(ui, view, found, pictures);
}

fn tiles(
    ui: &mut Ui,
    view: &EvaluateView,
    found: &Evaluated,
    memory: &mut ViewMemory,
    pictures: &mut Pictures,
    asked: &mut Asked,
) {
    if view.rows.is_empty() {
        ui.weak(tr!("No image stands here."));
        return;
    }
    let width = ui.available_width() - 14.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a handful of columns")]
    let columns = ((width / (TILE + GAP)).floor() as usize).max(1);
    memory.evaluate_columns = columns;
    #[expect(clippy::cast_precision_loss, reason = "a handful of columns")]
    let size = (width / columns as f32 - GAP).floor();
    ui.spacing_mut().item_spacing = vec2(GAP, GAP);
    let rows = view.rows.len().div_ceil(columns);
    ScrollArea::vertical().id_salt("evaluate-tiles").auto_shrink([false, false]).show_rows(
        ui,
        size + CAPTION,
        rows,
        |ui, range| {
            for line in range {
                ui.horizontal(|ui| {
                    for at in line * columns..((line + 1) * columns).min(view.rows.len()) {
                        tile(ui, view, found, pictures, asked, at, size);
                    }
                });
            }
        },
    );
}

fn tile(
    ui: &mut Ui,
    view: &EvaluateView,
    found: &Evaluated,
    pictures: &mut Pictures,
    asked: &mut Asked,
    at: usize,
    size: f32,
) {
    let row = view.rows[at];
    let (cell, s) = (&found.cells[row], &found.sample);
    let (reference, called) = (look_up(&found.labels[s.truth()[row]]), look_up(&found.labels[s.called()[row]]));
    let chosen = view.chosen.contains(&row);
    let (rect, response) = ui.allocate_exact_size(vec2(size, size + CAPTION), Sense::click());
    let name = cell.path.rsplit(['/', '\\']).next().unwrap_or(&cell.path);
    let words = tr!(
        "%{name}, reference %{reference}, called %{called}, %{p} %",
        name = name,
        reference = reference,
        called = called,
        p = decimal(100.0 * s.confidence(row), 0)
    );
    response.widget_info(|| WidgetInfo::selected(Role::ListBoxOption, true, chosen, &words));
    if response.clicked() {
        let how = ui.input(|i| match (i.modifiers.command, i.modifiers.shift) {
            (true, _) => Pick::Toggle,
            (_, true) => Pick::Through,
            _ => Pick::Alone,
        });
        ask(asked, EvaluateInput::Pick(at, how));
        // From now on the arrows move among the images.
        ui.memory_mut(|m| {
            if let Some(id) = m.focused() {
                m.surrender_focus(id);
            }
        });
    }
    let dark = ui.visuals().dark_mode;
    let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
    painter.rect_filled(rect, 5.0, theme::tile_back(dark));
    let inner = Rect::from_min_size(rect.min, vec2(size, size)).shrink(3.0);
    painter.rect_filled(inner, 4.0, theme::picture_back(dark));
    match pictures.get(Key::small(cell.file_digest, Some(cell.square)), &cell.file, Some(cell.square)) {
        Look::Ready(texture) => {
            paint_fitted(&painter, texture, inner);
        }
        Look::Coming => {
            painter.text(inner.center(), Align2::CENTER_CENTER, "…", FontId::proportional(14.0), theme::accent(dark));
        }
        Look::Broken => {
            let weak = ui.visuals().weak_text_color();
            painter.text(
                inner.center(),
                Align2::CENTER_CENTER,
                tr!("cannot be shown"),
                FontId::proportional(11.0),
                weak,
            );
        }
    }
    let (ink, weak) = (ui.visuals().text_color(), ui.visuals().weak_text_color());
    let small = FontId::proportional(11.5);
    let line = rect.top() + size + 8.0;
    painter.rect_filled(
        Rect::from_center_size(pos2(rect.left() + 10.0, line), vec2(8.0, 8.0)),
        2.0,
        theme::label_colour(&found.labels[s.called()[row]], dark),
    );
    painter.text(pos2(rect.left() + 18.0, line), Align2::LEFT_CENTER, &called, small.clone(), ink);
    let percent = format!("{:.0} %", 100.0 * s.confidence(row));
    painter.text(pos2(rect.right() - 5.0, line), Align2::RIGHT_CENTER, percent, small.clone(), ink);
    let changed = s.truth()[row] != cell.original;
    let below = if changed {
        tr!("now %{reference}", reference = reference)
    } else {
        tr!("labelled %{reference}", reference = reference)
    };
    painter.text(
        pos2(rect.left() + 6.0, line + 15.0),
        Align2::LEFT_CENTER,
        below,
        small,
        if changed { ink } else { weak },
    );
    if chosen || response.hovered() || response.has_focus() {
        let stroke = if chosen { Stroke::new(2.5, theme::accent(dark)) } else { Stroke::new(1.0, weak) };
        painter.rect_stroke(rect, 5.0, stroke, StrokeKind::Inside);
    }
    response.on_hover_text(format!("{}\nreference {reference}, called {called}", cell.path));
}

/// The image that the keys stand on: its name, itself as large as a person needs to judge it, and the probability of each class.
fn details(ui: &mut Ui, view: &EvaluateView, found: &Evaluated, pictures: &mut Pictures) {
    let Some(&row) = view.rows.get(view.cursor) else { return };
    let cell = &found.cells[row];
    ui.add(egui::Label::new(RichText::new(&cell.path).small()).truncate()).on_hover_text(&cell.path);
    let p = found.sample.row(row);
    let dark = ui.visuals().dark_mode;
    ui.horizontal(|ui| {
        let (place, _) = ui.allocate_exact_size(vec2(LARGE, LARGE), Sense::hover());
        ui.painter().rect_filled(place, 4.0, theme::picture_back(dark));
        let key = Key::large(cell.file_digest, cell.square);
        if let Look::Ready(texture) = pictures.get(key, &cell.file, Some(cell.square)) {
            paint_fitted(ui.painter(), texture, place);
        }
        ui.vertical(|ui| {
            ui.spacing_mut().interact_size.y = 14.0;
            let wide = (ui.available_width() - 150.0).clamp(60.0, 200.0);
            Grid::new("evaluate-probabilities").num_columns(2).min_row_height(14.0).spacing([8.0, 2.0]).show(
                ui,
                |ui| {
                    for c in in_order(&found.labels).into_iter().take(6) {
                        let label = &found.labels[c];
                        ui.label(RichText::new(look_up(label)).small());
                        #[expect(clippy::cast_possible_truncation, reason = "a width")]
                        let bar = egui::ProgressBar::new(p[c] as f32).desired_height(9.0).desired_width(wide);
                        ui.horizontal(|ui| {
                            ui.add(bar.fill(theme::label_colour(label, dark)));
                            ui.label(RichText::new(format!("{} %", decimal(100.0 * p[c], 1))).small());
                        });
                        ui.end_row();
                    }
                },
            );
        });
    });
    if let Some(unlike) = cell.unlike.filter(|u| *u > 1.0) {
        ui.colored_label(
            theme::error_colour(ui),
            tr!("unlike the training images (%{unlike} times the threshold)", unlike = decimal(f64::from(unlike), 1)),
        );
    }
}

/// Digits correct, arrows move among the images, the system's copy copies.
fn keys(ui: &Ui, state: &State, found: &Evaluated, columns: usize, asked: &mut Asked) {
    let typing = ui.ctx().egui_wants_keyboard_input();
    if state.dialog != crate::app::state::Dialog::None {
        return;
    }
    let in_text =
        ui.memory(|m| m.focused()).is_some_and(|id| egui::text_edit::TextEditState::load(ui.ctx(), id).is_some());
    if in_text {
        return;
    }
    if ui.input(|i| i.events.iter().any(|e| matches!(e, egui::Event::Copy)))
        && let Some(text) = state.evaluate.copied()
    {
        ui.ctx().copy_text(text);
    }
    if ui.input_mut(|i| i.consume_key(egui::Modifiers::COMMAND, egui::Key::A)) {
        ask(asked, EvaluateInput::Pick(0, Pick::All));
    }
    // A class has the keys that it has in Review, whatever its place in the model.
    let own: Vec<(egui::KeyboardShortcut, usize)> = (found.labels.iter().enumerate())
        .filter_map(|(class, label)| Some((super::frame::label_key(state, label)?, class)))
        .collect();
    for (shortcut, class) in own.iter().filter(|(s, _)| !s.modifiers.is_none()) {
        if ui.input_mut(|i| i.consume_shortcut(shortcut)) {
            ask(asked, EvaluateInput::Correct(*class));
        }
    }
    let columns = columns.max(1).cast_signed();
    super::take_keys(ui, |key, _| {
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
        Some(Input::Evaluate(input))
    })
    .into_iter()
    .for_each(|input| asked.input(input));
}
