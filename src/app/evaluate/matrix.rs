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

pub(super) fn matrix(ui: &mut Ui, state: &State, found: &Evaluated, height: f32, asked: &mut Asked<EvaluateInput>) {
    ui.horizontal(|ui| {
        ui.label(RichText::new(tr!("Confusion matrix")).strong());
        for shares in Shares::ALL {
            if ui.selectable_label(state.shares == shares, tr!(shares.text())).clicked() {
                asked.input(EvaluateInput::Shares(shares));
            }
        }
    });
    let (k, confusion) = (found.labels.len(), &state.scores(found).confusion);
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
        let (share, text) = match state.shares {
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
        let chosen = state.showing == Some(Showing::Cell(i, j));
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
            asked.input(EvaluateInput::Show(Showing::Cell(i, j)));
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
