//! The image pane: the image with zoom and pan, its squares, the probability of every class, facts of the file.

use super::memory::{HeatTexture, Memory, SquareDrag, Viewport};
use super::message::Input;
use super::state::State;
use crate::app::command::Command;
use crate::app::language::{decimal, look_up, percent, tr};
use crate::app::textures::{ImageKey, Look, Textures};
use crate::app::theme;
use crate::app::widgets::{Asked, Cx, command_button};
use crate::domain::{CellId, CellResult, Digest, ImageResult, Outcome, Square, is_unfamiliar};
use crate::files::{display_name, display_path};
use crate::inference::HeatMap;
use egui::{
    Align2, FontId, Rect, RichText, Role, ScrollArea, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, pos2, vec2,
};
use std::sync::Arc;

pub(super) fn pane(
    ui: &mut Ui,
    cx: &Cx<'_>,
    state: &State,
    memory: &mut Memory,
    textures: &mut Textures,
    asked: &mut Asked<Input>,
) {
    let Some((tile, image)) = state.selected.and_then(|t| Some((t, state.image_of(t)?.clone()))) else {
        ui.centered_and_justified(|ui| ui.weak(tr!("Choose a tile to see its image")));
        return;
    };
    ui.add_space(4.0);
    ui.horizontal(|ui| {
        let v = state.verdict(tile);
        ui.label(RichText::new(look_up(v.label)).size(19.0).strong());
        if let Some(p) = v.confidence {
            ui.label(RichText::new(percent(f64::from(p), 1)).size(19.0));
        }
        if let Some((at, all)) = state.place_of(tile).filter(|(_, all)| *all > 1) {
            ui.weak(tr!("cell %{n} of %{all}", n = at, all = all));
        }
        // The user's label has no probability; what the model says stands beside it.
        if let (Some(_), Some((said, p))) = (v.reviewed, v.model) {
            ui.weak(tr!("model: %{label} %{p}", label = look_up(said), p = percent(f64::from(p), 1)));
        }
    });
    let height = (ui.available_height() - 238.0).max(ui.available_height() * 0.45).max(120.0);
    image_pane(ui, state, memory, textures, asked, tile, &image, vec2(ui.available_width(), height));
    if state.model.looks_at_squares() {
        ui.horizontal_wrapped(|ui| {
            if ui
                .add_enabled(
                    cx.enabled(Command::DrawSquares),
                    egui::Button::new(Command::DrawSquares.text()).selected(state.drawing),
                )
                .on_hover_text(Command::DrawSquares.tooltip())
                .clicked()
            {
                asked.command(Command::DrawSquares);
            }
            command_button(ui, cx, asked, Command::NoWhiteCell);
            heat_controls(ui, cx, state, asked, tile);
        });
    } else {
        ui.horizontal_wrapped(|ui| heat_controls(ui, cx, state, asked, tile));
    }
    ScrollArea::vertical().id_salt("facts").auto_shrink([false, false]).show(ui, |ui| {
        match (&image.outcome, state.cell_of(tile)) {
            (Outcome::Failed(failure), _) => {
                ui.colored_label(theme::error_colour(ui), failure.reason());
            }
            (Outcome::Cells(_), Some(cell)) => bars(ui, state, cell),
            _ => {
                ui.label(match image.rejected.len() {
                    0 => tr!("Nothing in this image looks like the nucleus of a white cell."),
                    1 => tr!("1 place was looked at: it is no white cell."),
                    n => tr!("%{n} places were looked at: none is a white cell.", n = n),
                });
                if !image.rejected.is_empty() {
                    command_button(ui, cx, asked, Command::TakeBack);
                }
            }
        }
        for w in &image.warnings {
            ui.label(RichText::new(tr!("Note: %{text}", text = w)).italics());
        }
        facts(ui, &image, state.cell_of(tile));
    });
}

/// Where an image's pixels are on the screen.
#[derive(Clone, Copy)]
struct Placed {
    /// Of its upper left corner.
    origin: egui::Pos2,
    /// Points a pixel.
    scale: f32,
}

impl Placed {
    fn rect(self, s: Square) -> Rect {
        Rect::from_min_size(self.origin + vec2(s.x, s.y) * self.scale, Vec2::splat(s.side * self.scale))
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "a drawing function of one caller; a struct would be named once and taken apart once"
)]
fn image_pane(
    ui: &mut Ui,
    state: &State,
    memory: &mut Memory,
    textures: &mut Textures,
    asked: &mut Asked<Input>,
    tile: CellId,
    image: &ImageResult,
    size: Vec2,
) {
    let (rect, response) = ui.allocate_exact_size(size, Sense::click_and_drag());
    let words = tr!("Image %{name}", name = display_name(&image.path));
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &words));
    let dark = ui.visuals().dark_mode;
    ui.painter().rect_filled(rect, 4.0, theme::image_back(dark));
    let Some((w, h)) = image.size else { return };
    let natural = vec2(w as f32, h as f32);
    let placed = move_view(ui, state, &mut memory.view, &response, natural);
    let Some(digest) = image.digest else { return };
    paint_pixels(ui, textures, image, digest, state.cell_of(tile).map(|c| c.square), (rect, placed, natural));
    let Outcome::Cells(cells) = &image.outcome else { return };
    if state.drawing {
        draw_squares(ui, state, &mut memory.drag, asked, tile, cells, &response, (placed.origin, placed.scale));
    } else {
        memory.drag = None;
    }
    let painter = ui.painter().with_clip_rect(rect);
    if state.heat.shown
        && let Some(map) = state.heat_of(tile)
        && let Some(cell) = state.cell_of(tile)
    {
        let texture = heat_texture(ui, &mut memory.heat, map, state.heat.opacity);
        let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
        painter.image(texture, placed.rect(cell.square), whole, theme::untinted());
    }
    if state.show_rejected || cells.is_empty() {
        for place in &image.rejected {
            paint_rejected(&painter, placed.rect(place.square));
        }
    }
    for cell in cells {
        let dragged = memory.drag.filter(|d| d.cell == Some(cell.number)).map(|d| d.square);
        let square = placed.rect(dragged.unwrap_or(cell.square));
        let own = CellId { image: tile.image, number: cell.number };
        paint_square(&painter, rect, square, state.verdict(own).label, tile == own);
    }
    if let Some(new) = memory.drag.filter(|d| d.cell.is_none()) {
        let stroke = Stroke::new(2.0, theme::on_overlay());
        let square = placed.rect(new.square);
        painter.rect_stroke(square, 3.0, Stroke::new(4.0, theme::overlay()), StrokeKind::Outside);
        painter.rect_stroke(square, 3.0, stroke, StrokeKind::Outside);
    }
    if response.clicked()
        && let Some(pointer) = response.interact_pointer_pos()
        && let Some(cell) = cells.iter().find(|c| placed.rect(c.square).contains(pointer))
    {
        asked.input(Input::Select(CellId { image: tile.image, number: cell.number }));
    } else if response.clicked()
        && (state.show_rejected || cells.is_empty())
        && state.label_obstacle().is_none()
        && let Some(pointer) = response.interact_pointer_pos()
        && let Some(place) = image.rejected.iter().find(|p| placed.rect(p.square).contains(pointer))
    {
        asked.input(Input::TakeBack(CellId { image: tile.image, number: place.number }, place.square));
    }
}

/// Zooms and pans as the person does; where an image of `natural` size (pixels) then is.
fn move_view(ui: &Ui, state: &State, view: &mut Viewport, response: &egui::Response, natural: Vec2) -> Placed {
    let rect = response.rect;
    if state.fit || (response.double_clicked() && !state.drawing) {
        *view = Viewport::default();
    }
    let fit = (rect.width() / natural.x).min(rect.height() / natural.y);
    if response.hovered() {
        let (wheel, pinch, pointer) = ui.input(|i| (i.smooth_scroll_delta().y, i.zoom_delta(), i.pointer.hover_pos()));
        let factor = (wheel * 0.004).exp() * pinch;
        if (factor - 1.0).abs() > 1e-4
            && let Some(pointer) = pointer
        {
            let zoom = (view.zoom * factor).clamp(1.0, 40.0);
            // What is under the pointer stays under it.
            let from_middle = pointer - rect.center();
            view.centre += from_middle / fit / view.zoom - from_middle / fit / zoom;
            view.zoom = zoom;
        }
    }
    if response.dragged() && !state.drawing {
        view.centre -= response.drag_delta() / fit / view.zoom;
    }
    let limit = (natural * 0.5 * (1.0 - 1.0 / view.zoom)).max(Vec2::ZERO);
    view.centre = view.centre.clamp(-limit, limit);
    let scale = fit * view.zoom;
    Placed { origin: rect.center() - (natural * 0.5 + view.centre) * scale, scale }
}

/// The image itself; until it is decoded the cell's small one stands in.
fn paint_pixels(
    ui: &Ui,
    textures: &mut Textures,
    image: &ImageResult,
    digest: Digest,
    square: Option<Square>,
    (rect, placed, natural): (Rect, Placed, Vec2),
) {
    let painter = ui.painter().with_clip_rect(rect);
    let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
    match textures.get(ImageKey::Full(digest), &image.path, None) {
        Look::Ready(texture) => {
            let place = Rect::from_min_size(placed.origin, natural * placed.scale);
            painter.image(texture.id(), place, whole, theme::untinted());
        }
        Look::Coming => {
            // Painted, not laid out: what stands below must not jump.
            let small = match textures.get(ImageKey::small(digest, square), &image.path, square) {
                Look::Ready(texture) => Some(texture.id()),
                _ => None,
            };
            if let (Some(texture), Some(square)) = (small, square) {
                painter.image(texture, placed.rect(square), whole, theme::untinted());
            }
            ui.ctx().request_repaint_after(std::time::Duration::from_millis(100));
        }
        Look::Broken => {
            painter.text(
                rect.center(),
                Align2::CENTER_CENTER,
                tr!("The file was moved or changed since it was classified: classify it again (F5)"),
                FontId::proportional(13.0),
                theme::error_colour(ui),
            );
        }
    }
}

/// A place that shows no white cell: dashed, and without a word.
fn paint_rejected(painter: &egui::Painter, square: Rect) {
    let corners =
        [square.left_top(), square.right_top(), square.right_bottom(), square.left_bottom(), square.left_top()];
    for stroke in [Stroke::new(3.0, theme::overlay()), Stroke::new(1.4, theme::on_overlay())] {
        painter.extend(egui::Shape::dashed_line(&corners, stroke, 6.0, 4.0));
    }
}

/// A cell's square, with its label where there is room for it.
fn paint_square(painter: &egui::Painter, pane: Rect, square: Rect, label: &str, chosen: bool) {
    // On an image, whose ground is bright.
    let colour = theme::label_colour(label, true);
    let width = if chosen { 3.0 } else { 1.6 };
    painter.rect_stroke(square, 3.0, Stroke::new(width + 2.0, theme::overlay()), StrokeKind::Outside);
    painter.rect_stroke(square, 3.0, Stroke::new(width, colour), StrokeKind::Outside);
    if chosen || square.width() > 64.0 {
        let galley = painter.layout_no_wrap(look_up(label), FontId::proportional(11.5), theme::on_overlay());
        // Above the square, or inside it where the pane ends.
        let above = square.left_top() - vec2(0.0, galley.size().y + 5.0);
        let right = (pane.right() - galley.size().x - 8.0).max(pane.left() + 2.0);
        let at = pos2(above.x.clamp(pane.left() + 2.0, right), above.y.max(pane.top() + 2.0));
        painter.rect_filled(Rect::from_min_size(at, galley.size() + vec2(8.0, 3.0)), 3.0, theme::overlay());
        painter.galley(at + vec2(4.0, 1.0), galley, theme::on_overlay());
    }
}

/// Pixels a side of the heat map's texture.
const HEAT: usize = 64;

/// The switch, and how much of the colour is seen.
fn heat_controls(ui: &mut Ui, cx: &Cx<'_>, state: &State, asked: &mut Asked<Input>, tile: CellId) {
    let button = egui::Button::new(Command::ToggleHeat.text()).selected(state.heat.shown);
    if ui.add_enabled(cx.enabled(Command::ToggleHeat), button).on_hover_text(Command::ToggleHeat.tooltip()).clicked() {
        asked.command(Command::ToggleHeat);
    }
    if !state.heat.shown {
        return;
    }
    let mut opacity = state.heat.opacity;
    let slider = egui::Slider::new(&mut opacity, 0.0..=1.0).show_value(false);
    let response = ui.add(slider).on_hover_text(tr!("Opacity of the heat map"));
    response.widget_info(|| WidgetInfo::slider(true, f64::from(opacity), tr!("Opacity of the heat map")));
    if response.changed() {
        asked.input(Input::HeatOpacity(opacity));
    }
    let failed = state.heat.failed.as_ref().filter(|(of, _)| Some(of) == state.heat_key(tile).as_ref());
    match (state.heat_of(tile), failed) {
        (Some(map), _) => ui.weak(look_up(map.how)),
        (None, Some((_, why))) => ui.colored_label(theme::error_colour(ui), why),
        (None, None) => ui.weak(tr!("looking…")),
    };
}

/// The map as a texture, made anew when map or opacity changed.
fn heat_texture(ui: &Ui, HeatTexture(kept): &mut HeatTexture, map: &Arc<HeatMap>, opacity: f32) -> egui::TextureId {
    if kept.as_ref().is_none_or(|k| !Arc::ptr_eq(&k.0, map) || k.1 != opacity.to_bits()) {
        let pixels = (0..HEAT * HEAT)
            .map(|i| {
                let share = |v: usize| (v as f32 + 0.5) / HEAT as f32;
                let heat = crate::imaging::heat_at(&map.values, map.side, share(i % HEAT), share(i / HEAT));
                theme::heat(crate::imaging::heat_colour(heat), opacity * heat)
            })
            .collect();
        let image = egui::ColorImage::new([HEAT, HEAT], pixels);
        *kept =
            Some((map.clone(), opacity.to_bits(), ui.ctx().load_texture("heat", image, egui::TextureOptions::LINEAR)));
    }
    kept.as_ref().map_or_else(Default::default, |k| k.2.id())
}

/// Squares smaller than this many pixels are a slip of the hand.
const SMALLEST: f32 = 8.0;
/// So near to a corner, points, a drag sizes the square.
const CORNER: f32 = 12.0;

/// In drawing mode: a drag inside the chosen square moves it, at its lower right corner sizes it, elsewhere draws a new one.
#[expect(clippy::too_many_arguments, reason = "a part of `image_pane`")]
fn draw_squares(
    ui: &Ui,
    state: &State,
    drag: &mut Option<SquareDrag>,
    asked: &mut Asked<Input>,
    tile: CellId,
    cells: &[CellResult],
    response: &egui::Response,
    (origin, scale): (egui::Pos2, f32),
) {
    let pixel = |p: egui::Pos2| ((p - origin) / scale).to_pos2();
    let pointer = ui.input(|i| i.pointer.interact_pos()).map(pixel);
    let words =
        tr!("Drag inside the chosen square to move it, its lower right corner to size it, elsewhere to add a cell");
    let at = response.rect.center_bottom() - vec2(0.0, 6.0);
    let galley =
        ui.painter().layout(words, FontId::proportional(12.0), theme::on_overlay(), response.rect.width() - 16.0);
    let place = Rect::from_center_size(at - vec2(0.0, galley.size().y / 2.0), galley.size() + vec2(10.0, 4.0));
    let painter =
        ui.ctx().layer_painter(egui::LayerId::new(egui::Order::Middle, response.id)).with_clip_rect(response.rect);
    painter.rect_filled(place, 3.0, theme::overlay());
    painter.galley(place.min + vec2(5.0, 2.0), galley, theme::on_overlay());
    if state.label_obstacle().is_some() {
        return;
    }
    if response.drag_started()
        && let Some(from) = ui.input(|i| i.pointer.press_origin()).map(pixel)
    {
        let chosen = cells.iter().find(|c| c.number == tile.number).map(|c| (c.number, c.square));
        let near = |s: Square| (from - pos2(s.x + s.side, s.y + s.side)).length() * scale < CORNER;
        let inside = |s: Square| from.x >= s.x && from.y >= s.y && from.x <= s.x + s.side && from.y <= s.y + s.side;
        let begin = |cell, sizing, square| SquareDrag { cell, sizing, square, from, was: square };
        *drag = Some(match chosen {
            Some((i, s)) if near(s) => begin(Some(i), true, s),
            Some((i, s)) if inside(s) => begin(Some(i), false, s),
            _ => begin(None, true, Square { x: from.x, y: from.y, side: 0.0 }),
        });
    }
    let (Some(d), Some(now)) = (drag.as_mut(), pointer) else { return };
    let by = now - d.from;
    d.square = if d.sizing {
        Square { side: (d.was.side + by.x.max(by.y)).max(1.0), ..d.was }
    } else {
        Square { x: d.was.x + by.x, y: d.was.y + by.y, ..d.was }
    };
    if ui.input(|i| i.pointer.any_released()) {
        let d = *d;
        *drag = None;
        if d.square.side < SMALLEST || d.square == d.was {
            return;
        }
        match d.cell {
            Some(number) => asked.input(Input::MoveSquare(CellId { image: tile.image, number }, d.square)),
            None => asked.input(Input::AddSquare(tile.image, d.square)),
        }
    }
}

/// The probability of every class, in clinical order.
fn bars(ui: &mut Ui, state: &State, cell: &CellResult) {
    ui.add_space(4.0);
    if let Some(ood_score) = cell.ood_score.filter(is_unfamiliar) {
        ui.colored_label(theme::error_colour(ui), tr!("Unlike the training images: its label may mean nothing"))
            .on_hover_text(tr!(
                "%{n} times as far from them as 95 % of the images that the model was checked with",
                n = decimal(f64::from(ood_score), 2)
            ));
    }
    for flag in &cell.flags {
        let name = look_up(flag);
        ui.colored_label(theme::error_colour(ui), tr!("Perhaps %{kind}?", kind = name)).on_hover_text(tr!(
            "It looks like a kind that is none of the model's classes. Look at it, and set the label yourself"
        ));
    }
    let top = cell.probabilities.top().0;
    for class in state.model.classes.clinical_order() {
        let name = state.model.classes.name(class).unwrap_or("");
        let label = look_up(name);
        let p = cell.probabilities.values().get(class).copied().unwrap_or(0.0);
        let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 19.0), Sense::hover());
        let words = format!("{label} {}", percent(f64::from(p), 1));
        response.widget_info(|| WidgetInfo::labeled(Role::ProgressIndicator, true, &words));
        let painter = ui.painter();
        let font = FontId::proportional(13.0);
        let colour = if class == top { ui.visuals().strong_text_color() } else { ui.visuals().text_color() };
        let middle = rect.center().y;
        painter.text(pos2(rect.left(), middle), Align2::LEFT_CENTER, &label, font.clone(), colour);
        let track = Rect::from_min_max(pos2(rect.left() + 96.0, middle - 5.0), pos2(rect.right() - 58.0, middle + 5.0));
        painter.rect_filled(track, 3.0, ui.visuals().extreme_bg_color);
        let filled = Rect::from_min_max(track.min, pos2(track.left() + track.width() * p, track.bottom()));
        painter.rect_filled(filled, 3.0, theme::label_colour(name, ui.visuals().dark_mode));
        painter.text(pos2(rect.right() - 4.0, middle), Align2::RIGHT_CENTER, percent(f64::from(p), 1), font, colour);
    }
}

fn facts(ui: &mut Ui, image: &ImageResult, cell: Option<&CellResult>) {
    ui.add_space(6.0);
    egui::Grid::new("file").num_columns(2).spacing([14.0, 3.0]).show(ui, |ui| {
        let mut row = |key: String, value: String| {
            ui.weak(key);
            ui.add(egui::Label::new(value).truncate());
            ui.end_row();
        };
        row(tr!("file"), display_path(&image.path));
        if let Some((w, h)) = image.size {
            row(tr!("size"), tr!("%{w} × %{h} pixels", w = w, h = h));
        }
        if let Some(c) = cell {
            let s = c.square;
            row(
                tr!("square"),
                tr!("%{side} pixels at %{x}, %{y}", side = s.side.round(), x = s.x.round(), y = s.y.round()),
            );
        }
        if let Some(d) = image.digest {
            row("sha256".into(), d.to_string());
        }
        if let Some(p) = &image.provider {
            row(tr!("provider"), p.to_string());
        }
    });
}
