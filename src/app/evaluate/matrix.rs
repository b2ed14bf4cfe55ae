//! The confusion matrix: every number of it can be chosen, and its images are shown.

use super::state::{EvaluateInput, Shares, Showing, State};
use crate::app::language::{decimal, look_up, tr};
use crate::app::theme;
use crate::app::widgets::Asked;
use crate::domain::clinical_rank;
use crate::evaluation::Evaluated;
use egui::{Align2, FontId, Rect, RichText, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2};

/// The places of classes in the order in which a laboratory reads them, whatever the model's is.
pub(super) fn in_order(labels: &[String]) -> Vec<usize> {
    let mut all: Vec<usize> = (0..labels.len()).collect();
    all.sort_by_key(|c| clinical_rank(&labels[*c]));
    all
}

/// Where the numbers stand.
struct Layout {
    /// The whole, with its headings.
    all: Rect,
    /// Upper left corner of the first number.
    origin: egui::Pos2,
    cell: egui::Vec2,
    /// Classes as they are read.
    order: Vec<usize>,
}

/// A number's classes (reference, predicted), where it stands, and what it is called by egui.
#[derive(Clone, Copy)]
struct Entry {
    reference: usize,
    predicted: usize,
    rect: Rect,
    id: egui::Id,
}

impl Layout {
    fn new(ui: &mut Ui, labels: &[String], height: f32) -> Self {
        let font = FontId::proportional(13.0);
        let widest = ui.fonts_mut(|f| {
            let width = |l: &String| f.layout_no_wrap(l.clone(), font.clone(), egui::Color32::WHITE).size().x;
            labels.iter().map(width).fold(0.0, f32::max)
        });
        let (left, head) = (widest + 34.0, 40.0);
        let n = labels.len() as f32;
        let (wide, high) = (((ui.available_width() - left - 8.0) / n).min(118.0), ((height - head) / n).min(78.0));
        let cell = vec2(wide.max(34.0), high.max(26.0));
        let (all, _) = ui.allocate_exact_size(vec2(left + cell.x * n, head + cell.y * n), Sense::hover());
        Self { all, origin: all.min + vec2(left, head), cell, order: in_order(labels) }
    }

    fn rect(&self, row: usize, column: usize) -> Rect {
        let corner = self.origin + vec2(self.cell.x * column as f32, self.cell.y * row as f32);
        Rect::from_min_size(corner, self.cell)
    }

    fn entries(&self, ui: &Ui) -> Vec<Entry> {
        let rows = self.order.iter().enumerate();
        rows.flat_map(|(row, &reference)| {
            self.order.iter().enumerate().map(move |(column, &predicted)| Entry {
                reference,
                predicted,
                rect: self.rect(row, column).shrink(1.0),
                id: ui.scope_id().with(("confusion", reference, predicted)),
            })
        })
        .collect()
    }

    /// The neighbour of a number as it is drawn.
    fn neighbour(&self, entry: Entry, down: isize, right: isize) -> (usize, usize) {
        let last = self.order.len() - 1;
        let moved = |class: usize, by: isize| {
            let at = self.order.iter().position(|c| *c == class).unwrap_or(class);
            self.order[at.saturating_add_signed(by).min(last)]
        };
        (moved(entry.reference, down), moved(entry.predicted, right))
    }
}

pub(super) fn matrix(ui: &mut Ui, state: &State, found: &Evaluated, height: f32, asked: &mut Asked<EvaluateInput>) {
    ui.horizontal(|ui| {
        ui.label(RichText::new(tr!("Confusion matrix")).strong());
        for shares in Shares::ALL {
            if ui.selectable_label(state.shares == shares, tr!(shares.text())).clicked() {
                asked.input(EvaluateInput::Shares(shares));
            }
        }
    });
    let layout = Layout::new(ui, &found.labels, height);
    paint_headings(ui, &layout, &found.labels);
    let entries = layout.entries(ui);
    for entry in &entries {
        number(ui, state, found, &layout, &entries, *entry, asked);
    }
}

fn paint_headings(ui: &Ui, layout: &Layout, labels: &[String]) {
    let Layout { all, origin, cell, order } = layout;
    let (ink, weak, painter) = (ui.visuals().text_color(), ui.visuals().weak_text_color(), ui.painter());
    let (font, small) = (FontId::proportional(13.0), FontId::proportional(12.0));
    let middle = origin.x + cell.x * order.len() as f32 / 2.0;
    painter.text(pos2(middle, all.top() + 8.0), Align2::CENTER_CENTER, tr!("predicted"), small.clone(), weak);
    painter.text(pos2(all.left(), all.top() + 27.0), Align2::LEFT_CENTER, tr!("reference"), small, weak);
    for (at, class) in order.iter().enumerate() {
        let (label, rect) = (look_up(&labels[*class]), layout.rect(at, at));
        let row = pos2(origin.x - 8.0, rect.center().y);
        painter.text(row, Align2::RIGHT_CENTER, label.clone(), font.clone(), ink);
        let heading = Rect::from_center_size(pos2(rect.center().x, all.top() + 27.0), vec2(cell.x - 2.0, 18.0));
        painter.with_clip_rect(heading).text(heading.center(), Align2::CENTER_CENTER, label, font.clone(), ink);
    }
}

/// One number: drawn, clicked, and walked from with the arrows.
fn number(
    ui: &mut Ui,
    state: &State,
    found: &Evaluated,
    layout: &Layout,
    entries: &[Entry],
    entry: Entry,
    asked: &mut Asked<EvaluateInput>,
) {
    let Entry { reference, predicted, rect, id } = entry;
    let confusion = &state.scores(found).confusion;
    let count = confusion.count(reference, predicted);
    // None of none is not a share.
    let of = |whole: usize| (whole > 0).then(|| count as f32 / whole as f32);
    let words = |share: Option<f32>| share.map_or_else(|| "–".into(), |s| decimal(f64::from(100.0 * s), 1));
    let percent = |share: Option<f32>| share.map_or_else(|| "–".into(), |_| format!("{} %", words(share)));
    let (row, column) = (of(confusion.support(reference)), of(confusion.predicted(predicted)));
    let (share, text) = match state.shares {
        Shares::Counts => (row, count.to_string()),
        Shares::ByRow => (row, percent(row)),
        Shares::ByColumn => (column, percent(column)),
    };
    let response = ui.interact(rect, id, Sense::click());
    let (label, answer) = (look_up(&found.labels[reference]), look_up(&found.labels[predicted]));
    let named =
        tr!("reference %{label}, predicted %{predicted}: %{count}", label = label, predicted = answer, count = count);
    let chosen = state.showing == Some(Showing::Cell(reference, predicted));
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, chosen, &named));
    paint_number(ui, layout, entry, share.unwrap_or(0.0), text, (chosen, &response));
    if response.clicked() {
        asked.input(EvaluateInput::Show(Showing::Cell(reference, predicted)));
        response.request_focus();
    }
    if response.has_focus() {
        walk(ui, layout, entries, entry);
    }
    response.on_hover_text(tr!(
        "%{n} cells: reference %{label}, predicted %{predicted}\n%{row} % of %{support} %{label}\n%{column} % of %{calls} predicted %{predicted}",
        n = count,
        row = words(row),
        support = confusion.support(reference),
        column = words(column),
        calls = confusion.predicted(predicted),
        label = label,
        predicted = answer
    ));
}

fn paint_number(
    ui: &Ui,
    layout: &Layout,
    entry: Entry,
    share: f32,
    text: String,
    (chosen, response): (bool, &egui::Response),
) {
    let (dark, painter, rect) = (ui.visuals().dark_mode, ui.painter(), entry.rect);
    painter.rect_filled(rect, 3.0, theme::matrix_back(dark, entry.reference == entry.predicted, share));
    let font = FontId::proportional((layout.cell.y * 0.3).clamp(12.0, 19.0));
    painter.text(rect.center(), Align2::CENTER_CENTER, text, font, theme::matrix_ink(dark, share));
    if chosen || response.has_focus() || response.hovered() {
        let width = if chosen { 2.5 } else { 1.5 };
        let strong = chosen || response.has_focus();
        let colour = if strong { theme::accent(dark) } else { ui.visuals().weak_text_color() };
        painter.rect_stroke(rect, 3.0, Stroke::new(width, colour), StrokeKind::Inside);
    }
}

/// The arrows move within the matrix, and nowhere else.
fn walk(ui: &Ui, layout: &Layout, entries: &[Entry], entry: Entry) {
    let filter = egui::EventFilter { horizontal_arrows: true, vertical_arrows: true, ..Default::default() };
    ui.memory_mut(|m| m.set_focus_lock_filter(entry.id, filter));
    for (key, down, right) in [
        (egui::Key::ArrowLeft, 0, -1),
        (egui::Key::ArrowRight, 0, 1),
        (egui::Key::ArrowUp, -1, 0),
        (egui::Key::ArrowDown, 1, 0),
    ] {
        if ui.input_mut(|input| input.consume_key(egui::Modifiers::NONE, key)) {
            let to = layout.neighbour(entry, down, right);
            if let Some(next) = entries.iter().find(|e| (e.reference, e.predicted) == to) {
                ui.memory_mut(|m| m.request_focus(next.id));
            }
        }
    }
}
