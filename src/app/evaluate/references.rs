//! The images behind a number, and the correction of their references.

#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "points and counts of tiles")]

use super::matrix::in_order;
use super::state::{EvaluateInput, PickMode, Showing, State};
use crate::app::language::{decimal, look_up, percent, tr};
use crate::app::textures::{ImageKey, Look, Textures};
use crate::app::theme;
use crate::app::widgets::{Asked, Cx, label_key, paint_fitted};
use crate::domain::is_unfamiliar;
use crate::evaluation::{Evaluated, EvaluatedCell};
use egui::{
    Align2, Button, FontId, Grid, Rect, RichText, Role, ScrollArea, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2,
    vec2,
};

/// What only drawing needs to remember.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Columns of the images in the last frame, for the arrow keys.
    pub(super) columns: usize,
}

/// Height of the words under an image.
const CAPTION: f32 = 34.0;
const GAP: f32 = 6.0;
/// Side of an image, points, nearly.
const TILE: f32 = 104.0;
/// Side of the image of the cell that is judged.
const LARGE: f32 = 150.0;

pub(super) fn images(
    ui: &mut Ui,
    cx: &Cx<'_>,
    state: &State,
    found: &Evaluated,
    memory: &mut Memory,
    textures: &mut Textures,
    asked: &mut Asked<EvaluateInput>,
) {
    ui.add_space(4.0);
    ui.horizontal_wrapped(|ui| {
        let title = match state.showing {
            Some(Showing::Cell(i, j)) if i == j => {
                tr!("%{label}, rightly predicted", label = look_up(&found.labels[i]))
            }
            Some(Showing::Cell(i, j)) => {
                tr!(
                    "%{label}, predicted %{predicted}",
                    label = look_up(&found.labels[i]),
                    predicted = look_up(&found.labels[j])
                )
            }
            Some(Showing::LikelyWrong) => tr!("References most likely wrong"),
            Some(Showing::OnlyThis) => tr!("Only the model in use is right"),
            Some(Showing::OnlyOther) => tr!("Only the other model is right"),
            None => tr!("Choose a number of the matrix"),
        };
        ui.label(RichText::new(title).strong().size(15.0));
        ui.label(state.rows.len().to_string());
    });
    ui.horizontal_wrapped(|ui| {
        let chosen = state.showing == Some(Showing::LikelyWrong);
        let response = ui.selectable_label(chosen, tr!("Most likely wrong labels")).on_hover_text(tr!(
            "Cells that the model calls another class with confidence, by how little it believes the reference"
        ));
        if response.clicked() {
            asked.input(EvaluateInput::Show(Showing::LikelyWrong));
        }
    });
    ui.horizontal_wrapped(|ui| {
        ui.label(match state.chosen.len() {
            0 => tr!("Reference:"),
            1 => tr!("The reference is"),
            n => tr!("The %{n} references are", n = n),
        });
        let only = (state.chosen.len() == 1).then(|| state.chosen.first()).flatten();
        for class in in_order(&found.labels) {
            let label = &found.labels[class];
            let present = only.is_some_and(|r| found.sample.references()[*r] == class);
            let text = match label_key(cx.keys, label) {
                Some(key) => format!("{} {}", ui.ctx().format_shortcut(&key), look_up(label)),
                None => look_up(label),
            };
            let button = Button::new(text).selected(present).small();
            let hint =
                tr!("Correct the reference of the chosen images to %{label}; it can be undone", label = look_up(label));
            if ui.add_enabled(!state.chosen.is_empty(), button).on_hover_text(hint).clicked() {
                asked.input(EvaluateInput::Correct(class));
            }
        }
    });
    ui.separator();
    let below = 44.0 + (17.0 * found.labels.len().min(6) as f32).max(LARGE + 6.0);
    let height = (ui.available_height() - below).max(120.0);
    ui.allocate_ui(vec2(ui.available_width(), height), |ui| tiles(ui, state, found, memory, textures, asked));
    ui.separator();
    details(ui, state, found, textures);
}

fn tiles(
    ui: &mut Ui,
    state: &State,
    found: &Evaluated,
    memory: &mut Memory,
    textures: &mut Textures,
    asked: &mut Asked<EvaluateInput>,
) {
    if state.rows.is_empty() {
        ui.weak(tr!("No image stands here."));
        return;
    }
    let width = ui.available_width() - 14.0;
    let columns = ((width / (TILE + GAP)).floor() as usize).max(1);
    memory.columns = columns;
    let size = (width / columns as f32 - GAP).floor();
    ui.spacing_mut().item_spacing = vec2(GAP, GAP);
    let rows = state.rows.len().div_ceil(columns);
    ScrollArea::vertical().id_salt("evaluate-tiles").auto_shrink([false, false]).show_rows(
        ui,
        size + CAPTION,
        rows,
        |ui, range| {
            for line in range {
                ui.horizontal(|ui| {
                    for at in line * columns..((line + 1) * columns).min(state.rows.len()) {
                        tile(ui, state, found, textures, asked, at, size);
                    }
                });
            }
        },
    );
}

fn tile(
    ui: &mut Ui,
    state: &State,
    found: &Evaluated,
    textures: &mut Textures,
    asked: &mut Asked<EvaluateInput>,
    at: usize,
    size: f32,
) {
    let row = state.rows[at];
    let (cell, s) = (&found.cells[row], &found.sample);
    let (reference, predicted) =
        (look_up(&found.labels[s.references()[row]]), look_up(&found.labels[s.predicted()[row]]));
    let chosen = state.chosen.contains(&row);
    let (rect, response) = ui.allocate_exact_size(vec2(size, size + CAPTION), Sense::click());
    let name = cell.path.rsplit(['/', '\\']).next().unwrap_or(&cell.path);
    let words = tr!(
        "%{name}, reference %{reference}, predicted %{predicted}, %{p} %",
        name = name,
        reference = reference,
        predicted = predicted,
        p = decimal(100.0 * s.confidence(row), 0)
    );
    response.widget_info(|| WidgetInfo::selected(Role::ListBoxOption, true, chosen, &words));
    if response.clicked() {
        let how = ui.input(|i| match (i.modifiers.command, i.modifiers.shift) {
            (true, _) => PickMode::Toggle,
            (_, true) => PickMode::Through,
            _ => PickMode::Alone,
        });
        asked.input(EvaluateInput::Pick(at, how));
        // From now on the arrows move among the images.
        ui.memory_mut(|m| {
            if let Some(id) = m.focused() {
                m.surrender_focus(id);
            }
        });
    }
    let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
    paint_image(ui, &painter, textures, cell, Rect::from_min_size(rect.min, vec2(size, size)), rect);
    paint_caption(ui, &painter, found, row, rect, size);
    let (dark, weak) = (ui.visuals().dark_mode, ui.visuals().weak_text_color());
    if chosen || response.hovered() || response.has_focus() {
        let stroke = if chosen { Stroke::new(2.5, theme::accent(dark)) } else { Stroke::new(1.0, weak) };
        painter.rect_stroke(rect, 5.0, stroke, StrokeKind::Inside);
    }
    response.on_hover_text(format!("{}\nreference {reference}, predicted {predicted}", cell.path));
}

fn paint_image(
    ui: &Ui,
    painter: &egui::Painter,
    textures: &mut Textures,
    cell: &EvaluatedCell,
    image: Rect,
    rect: Rect,
) {
    let dark = ui.visuals().dark_mode;
    painter.rect_filled(rect, 5.0, theme::tile_back(dark));
    let inner = image.shrink(3.0);
    painter.rect_filled(inner, 4.0, theme::image_back(dark));
    match textures.get(ImageKey::small(cell.file_digest, Some(cell.square)), &cell.file, Some(cell.square)) {
        Look::Ready(texture) => {
            paint_fitted(painter, texture, inner);
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
}

/// The predicted class with its confidence, and below it the reference.
fn paint_caption(ui: &Ui, painter: &egui::Painter, found: &Evaluated, row: usize, rect: Rect, size: f32) {
    let s = &found.sample;
    let (reference, predicted) = (s.references()[row], s.predicted()[row]);
    let (ink, weak) = (ui.visuals().text_color(), ui.visuals().weak_text_color());
    let small = FontId::proportional(11.5);
    let line = rect.top() + size + 8.0;
    painter.rect_filled(
        Rect::from_center_size(pos2(rect.left() + 10.0, line), vec2(8.0, 8.0)),
        2.0,
        theme::label_colour(&found.labels[predicted], ui.visuals().dark_mode),
    );
    painter.text(
        pos2(rect.left() + 18.0, line),
        Align2::LEFT_CENTER,
        look_up(&found.labels[predicted]),
        small.clone(),
        ink,
    );
    let percent = percent(s.confidence(row), 0);
    painter.text(pos2(rect.right() - 5.0, line), Align2::RIGHT_CENTER, percent, small.clone(), ink);
    let changed = reference != found.cells[row].original;
    let reference = look_up(&found.labels[reference]);
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
}

/// The image that the keys stand on: its name, itself as large as the user needs to judge it, and the probability of each class.
fn details(ui: &mut Ui, state: &State, found: &Evaluated, textures: &mut Textures) {
    let Some(&row) = state.rows.get(state.cursor) else { return };
    let cell = &found.cells[row];
    ui.add(egui::Label::new(RichText::new(&cell.path).small()).truncate()).on_hover_text(&cell.path);
    let p = found.sample.row(row);
    let dark = ui.visuals().dark_mode;
    ui.horizontal(|ui| {
        let (place, _) = ui.allocate_exact_size(vec2(LARGE, LARGE), Sense::hover());
        ui.painter().rect_filled(place, 4.0, theme::image_back(dark));
        let key = ImageKey::large(cell.file_digest, cell.square);
        if let Look::Ready(texture) = textures.get(key, &cell.file, Some(cell.square)) {
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
    if let Some(ood_score) = cell.ood_score.filter(is_unfamiliar) {
        ui.colored_label(
            theme::error_colour(ui),
            tr!(
                "unlike the training images (%{unlike} times the threshold)",
                unlike = decimal(f64::from(ood_score), 1)
            ),
        );
    }
}
