//! The gallery: only the rows on the screen are laid out, images come when they are ready.

#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "points and counts of tiles")]

use super::memory::{DraggedTile, Memory};
use super::message::Input;
use super::state::{State, TileStatus};
use crate::app::language::{look_up, percent, tr};
use crate::app::textures::{ImageKey, Look, Textures};
use crate::app::theme;
use crate::app::widgets::{Asked, paint_fitted};
use crate::domain::{CellId, ImageResult, Square, Status, name_of_flag};
use crate::files::display_name;
use egui::{Align2, FontId, Rect, Role, ScrollArea, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2};

/// Height of the words under a tile's image.
const CAPTION: f32 = 40.0;
const GAP: f32 = 8.0;
const SCROLL_BAR: f32 = 12.0;

pub(super) fn gallery(
    ui: &mut Ui,
    state: &State,
    memory: &mut Memory,
    textures: &mut Textures,
    asked: &mut Asked<Input>,
) {
    if state.visible.is_empty() {
        ui.vertical_centered(|ui| {
            ui.add_space(ui.available_height() * 0.3);
            ui.label(match (&state.trouble, state.job.is_some(), state.tiles.is_empty()) {
                (Some(trouble), false, true) => trouble.clone(),
                (_, true, true) if state.watching => tr!("Waiting for the first images…"),
                (_, true, true) => tr!("Looking at the first images…"),
                (_, false, true) => tr!("There is no image in what was opened."),
                _ => tr!("Nothing fits the filter."),
            });
        });
        return;
    }
    let columns = (((ui.available_width() - SCROLL_BAR + GAP) / (state.tile_size + GAP)).floor() as usize).max(1);
    memory.columns = columns;
    // The tiles share the width that is left over.
    let size = ((ui.available_width() - SCROLL_BAR + GAP) / columns as f32 - GAP).floor();
    let row_height = size + CAPTION;
    let rows = state.visible.len().div_ceil(columns);
    let mut area = ScrollArea::vertical().id_salt("gallery").auto_shrink([false, false]);
    if state.reveal
        && let Some(at) = state.selected.and_then(|s| state.visible.iter().position(|&v| v == s))
    {
        let top = (at / columns) as f32 * (row_height + GAP);
        let (height, offset) = (ui.available_height(), memory.offset);
        if top < offset {
            area = area.vertical_scroll_offset(top);
        } else if top + row_height > offset + height {
            area = area.vertical_scroll_offset(top + row_height - height);
        }
    }
    ui.spacing_mut().item_spacing = vec2(GAP, GAP);
    let columns_width = (columns, size);
    let shown = area.show_rows(ui, row_height, rows, |ui, range| {
        band(ui, state, memory, asked, range.start, columns_width);
        for row in range {
            ui.horizontal(|ui| {
                for &tile in state.visible.iter().skip(row * columns).take(columns) {
                    draw(ui, state, memory, textures, asked, tile, size);
                }
            });
        }
    });
    memory.offset = shown.state.unclamped_offset().y;
}

/// A rubber band, drawn over the gaps between tiles, or anywhere with Shift held: chooses the tiles that it touches.
fn band(
    ui: &mut Ui,
    state: &State,
    memory: &mut Memory,
    asked: &mut Asked<Input>,
    first: usize,
    (columns, size): (usize, f32),
) {
    let response = ui.interact(ui.clip_rect(), ui.scope_id().with("band"), Sense::drag());
    let top = ui.cursor().top() - first as f32 * (size + CAPTION + GAP);
    let content = |p: egui::Pos2| pos2(p.x - ui.cursor().left(), p.y - top);
    let pointer = ui.input(|i| i.pointer.interact_pos());
    if response.drag_started() {
        memory.band = ui.input(|i| i.pointer.press_origin()).map(content);
    }
    let Some((from, at)) = memory.band.zip(pointer) else { return };
    if !ui.input(|i| i.pointer.primary_down()) {
        memory.band = None;
        return;
    }
    let to = content(at);
    let rect = Rect::from_two_pos(from, to);
    let (step_x, step_y) = (size + GAP, size + CAPTION + GAP);
    let touched = |index: usize| {
        let (row, column) = ((index / columns) as f32, (index % columns) as f32);
        Rect::from_min_size(pos2(column * step_x, row * step_y), vec2(size, size + CAPTION)).intersects(rect)
    };
    // Only rows that the band spans are asked.
    let (begin, end) = (
        (rect.top().max(0.0) / step_y) as usize * columns,
        (rect.bottom().max(0.0) / step_y) as usize * columns + columns,
    );
    let end = end.min(state.visible.len());
    let tiles: std::collections::BTreeSet<CellId> =
        (begin.min(end)..end).filter(|i| touched(*i)).filter_map(|i| state.visible.get(i).copied()).collect();
    if tiles != state.chosen {
        asked.input(Input::Choose(tiles));
    }
    let screen = rect.translate(vec2(ui.cursor().left(), top));
    let dark = ui.visuals().dark_mode;
    let painter = ui.ctx().layer_painter(egui::LayerId::new(egui::Order::Foreground, ui.scope_id().with("band")));
    painter.with_clip_rect(ui.clip_rect()).rect_stroke(
        screen,
        2.0,
        Stroke::new(1.5, theme::accent(dark)),
        StrokeKind::Inside,
    );
}

/// Draws a tile, and takes what is done to it.
fn draw(
    ui: &mut Ui,
    state: &State,
    memory: &mut Memory,
    textures: &mut Textures,
    asked: &mut Asked<Input>,
    tile: CellId,
    size: f32,
) {
    let Some(image) = state.image_of(tile) else { return };
    let verdict = state.verdict(tile);
    let cursor = state.selected == Some(tile);
    let chosen = cursor || state.chosen.contains(&tile);
    let shift = ui.input(|i| i.modifiers.shift);
    // With Shift held a drag is a rubber band, and belongs to what is below.
    let sense = if shift { Sense::click() } else { Sense::click_and_drag() };
    let (rect, response) = ui.allocate_exact_size(vec2(size, size + CAPTION), sense);
    let name = display_name(&image.path);
    let suspected = suspected(state, tile, &verdict);
    let words = spoken(&name, &verdict, suspected.as_deref());
    response.widget_info(|| WidgetInfo::selected(Role::ListBoxOption, true, chosen, &words));
    take(ui, state, asked, tile, chosen, &response);
    let dark = ui.visuals().dark_mode;
    let frame = Rect::from_min_size(rect.min, vec2(size, size));
    ui.painter().rect_filled(rect, 6.0, theme::tile_back(dark));
    let inner = frame.shrink(3.0);
    ui.painter().rect_filled(inner, 4.0, theme::image_back(dark));
    paint_image(ui, textures, image, state.cell_of(tile).map(|c| c.square), &verdict, inner);
    let name = suspected.map_or(name.clone(), |s| format!("{s} · {name}"));
    paint_caption(ui, state, tile, &verdict, name, rect, size);
    if response.hovered() {
        memory.hovered = Some(tile);
    }
    paint_badges(ui, &verdict, state.flagged(tile), frame);
    if chosen || response.hovered() || response.has_focus() {
        let stroke = if chosen {
            Stroke::new(if cursor { 3.0 } else { 2.0 }, theme::accent(dark))
        } else {
            Stroke::new(1.0, ui.visuals().weak_text_color())
        };
        ui.painter().rect_stroke(rect, 6.0, stroke, StrokeKind::Inside);
    }
}

/// What a click or a drag does.
fn take(ui: &Ui, state: &State, asked: &mut Asked<Input>, tile: CellId, chosen: bool, response: &egui::Response) {
    if response.clicked() {
        let modifiers = ui.input(|i| i.modifiers);
        asked.input(if modifiers.command {
            Input::Toggle(tile)
        } else if modifiers.shift {
            Input::Range(tile)
        } else {
            Input::Select(tile)
        });
    }
    if tile.is_cell() {
        response.dnd_set_drag_payload(DraggedTile(tile));
    }
    if response.dragged() {
        let together = if chosen && state.chosen.len() > 1 { state.chosen.len() } else { 1 };
        let id = ui.scope_id().with("drag");
        egui::Tooltip::always_open(ui.ctx().clone(), ui.layer_id(), id, egui::PopupAnchor::Pointer)
            .show(|ui| ui.label(tr!("Drop %{n} on a class", n = together)));
    }
}

/// The cell's square, or why there is none to be seen.
fn paint_image(
    ui: &Ui,
    textures: &mut Textures,
    image: &ImageResult,
    square: Option<Square>,
    verdict: &TileStatus<'_>,
    inner: Rect,
) {
    let middle = |text: &str| {
        let (font, weak) = (FontId::proportional(12.0), ui.visuals().weak_text_color());
        ui.painter().text(inner.center(), Align2::CENTER_CENTER, text, font, weak);
    };
    if verdict.status == Status::Failed {
        let (colour, font) = (theme::error_colour(ui), FontId::proportional(11.5));
        let galley = ui.painter().layout(verdict.reason.to_owned(), font, colour, inner.width() - 8.0);
        ui.painter().with_clip_rect(inner).galley(inner.min + vec2(4.0, 4.0), galley, colour);
    } else if let Some(digest) = image.digest {
        match textures.get(ImageKey::small(digest, square), &image.path, square) {
            Look::Ready(texture) => paint_fitted(ui.painter(), texture, inner),
            Look::Coming => middle("…"),
            Look::Broken => middle(&tr!("cannot be shown now")),
        }
    }
}

/// The label with its colour and confidence, and below it where the cell is.
fn paint_caption(ui: &Ui, state: &State, tile: CellId, verdict: &TileStatus<'_>, name: String, rect: Rect, size: f32) {
    let font = FontId::proportional(13.0);
    let text = ui.visuals().text_color();
    let painter = ui.painter().with_clip_rect(rect);
    let line = rect.top() + size + 11.0;
    let mut left = rect.left() + 7.0;
    if tile.is_cell() {
        let colour = theme::label_colour(verdict.label, ui.visuals().dark_mode);
        painter.rect_filled(Rect::from_center_size(pos2(left + 5.0, line), vec2(10.0, 10.0)), 3.0, colour);
        left += 15.0;
    }
    painter.text(pos2(left, line), Align2::LEFT_CENTER, look_up(verdict.label), font.clone(), text);
    if let Some(p) = verdict.confidence {
        painter.text(pos2(rect.right() - 6.0, line), Align2::RIGHT_CENTER, percent(f64::from(p), 0), font, text);
    }
    let below = match state.place_of(tile) {
        Some((at, all)) if all > 1 => format!("{name} · {at}"),
        _ => name,
    };
    let below = match (verdict.reviewed, verdict.model) {
        (Some(false), Some((said, p))) => {
            let said = tr!("model: %{label} %{p}", label = look_up(said), p = percent(f64::from(p), 0));
            format!("{said} · {below}")
        }
        _ => below,
    };
    let below = match state.images.original(tile.image).and_then(|o| state.images.get(o)) {
        Some(first) => format!("{} · {below}", tr!("copy of %{name}", name = display_name(&first.path))),
        None => below,
    };
    let weak = ui.visuals().weak_text_color();
    let mut job = egui::text::LayoutJob::simple_singleline(below, FontId::proportional(11.0), weak);
    job.wrap = egui::text::TextWrapping::truncate_at_width(size - 14.0);
    let galley = ui.ctx().fonts_mut(|f| f.layout_job(job));
    painter.galley(pos2(rect.left() + 7.0, line + 9.0), galley, weak);
}

/// In the corners: whether the user saw it, and whether it wants eyes.
fn paint_badges(ui: &Ui, verdict: &TileStatus<'_>, flagged: bool, frame: Rect) {
    let dark = ui.visuals().dark_mode;
    if let Some(confirmed) = verdict.reviewed {
        let corner = frame.right_top() + vec2(-15.0, 15.0);
        // A tick for what the user has seen; what was changed also says what it was, below.
        let colour = if confirmed { theme::accent(dark) } else { theme::curves(dark).validation };
        ui.painter().circle_filled(corner, 9.5, colour);
        let tick = vec![corner + vec2(-4.5, 0.0), corner + vec2(-1.2, 3.6), corner + vec2(4.8, -3.8)];
        ui.painter().line(tick, Stroke::new(2.0, theme::on_overlay()));
    }
    if flagged {
        // In a corner that nothing else uses.
        let pole = frame.left_top() + vec2(9.0, 8.0);
        let colour = theme::error_colour(ui);
        ui.painter().circle_filled(pole + vec2(4.0, 6.0), 10.0, theme::overlay());
        ui.painter().line_segment([pole, pole + vec2(0.0, 13.0)], Stroke::new(1.6, theme::on_overlay()));
        let flag = vec![pole, pole + vec2(9.0, 3.5), pole + vec2(0.0, 7.0)];
        ui.painter().add(egui::Shape::convex_polygon(flag, colour, Stroke::NONE));
    }
}

/// What the model suspects of a cell beside its class, as long as nobody has looked at it.
fn suspected(state: &State, tile: CellId, v: &TileStatus<'_>) -> Option<String> {
    let flags = &state.cell_of(tile).filter(|_| v.reviewed.is_none())?.flags;
    let names: Vec<String> = flags.iter().map(|f| name_of_flag(&look_up(f))).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// What a screen reader says of a tile.
fn spoken(name: &str, v: &TileStatus<'_>, suspected: Option<&str>) -> String {
    let suspected = suspected.map_or_else(String::new, |s| format!(", {s}"));
    match v.confidence {
        Some(p) => {
            let reviewed = match v.reviewed {
                Some(true) => format!(", {}", tr!("confirmed")),
                Some(false) => format!(", {}", tr!("changed")),
                None => String::new(),
            };
            format!("{name}, {}, {}{suspected}{reviewed}", look_up(v.label), percent(f64::from(p), 0))
        }
        None if v.reason.is_empty() => format!("{name}, {}", look_up(v.label)),
        None => format!("{name}, {}: {}", look_up(v.label), v.reason),
    }
}
