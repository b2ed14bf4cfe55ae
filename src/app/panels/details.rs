//! The image pane: the picture with zoom and pan, its squares, the probability of every class, facts of the file.

use super::ViewMemory;
use crate::app::Asked;
use crate::app::pictures::{Key, Look, Pictures};
use crate::app::state::{State, Tile};
use crate::app::theme;
use crate::app::update::Input;
use crate::domain::{CellResult, ImageResult, Outcome, Square};
use crate::files::{display_name, display_path};
use egui::{
    Align2, FontId, Rect, RichText, Role, ScrollArea, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, pos2, vec2,
};

/// Zoom and pan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    /// 1 fits the picture into the pane.
    zoom: f32,
    /// Middle of the pane from the middle of the picture, in shares of the fitted picture.
    centre: Vec2,
}

impl Default for View {
    fn default() -> Self {
        Self { zoom: 1.0, centre: Vec2::ZERO }
    }
}

pub(super) fn pane(ui: &mut Ui, state: &State, memory: &mut ViewMemory, pictures: &mut Pictures, asked: &mut Asked) {
    let Some(tile) = state.selected.and_then(|s| state.tiles.get(s)).copied() else {
        ui.centered_and_justified(|ui| ui.weak("Choose a tile to see its image"));
        return;
    };
    let image = state.images[tile.image].clone();
    ui.add_space(4.0);
    ui.horizontal(|ui| {
        let v = state.verdict(tile);
        ui.label(RichText::new(v.label).size(19.0).strong());
        if let Some(p) = v.confidence {
            ui.label(RichText::new(format!("{:.1} %", p * 100.0)).size(19.0));
        }
        if let (Outcome::Cells(cells), Some(i)) = (&image.outcome, tile.cell)
            && cells.len() > 1
        {
            ui.weak(format!("cell {} of {}", i + 1, cells.len()));
        }
    });
    let height = (ui.available_height() - 238.0).max(150.0);
    picture(ui, state, &mut memory.view, pictures, asked, tile, &image, vec2(ui.available_width(), height));
    ScrollArea::vertical().id_salt("facts").auto_shrink([false, false]).show(ui, |ui| {
        match (&image.outcome, tile.cell) {
            (Outcome::Failed(reason), _) => {
                ui.colored_label(theme::error_colour(ui), reason);
            }
            (Outcome::Cells(cells), Some(i)) if i < cells.len() => bars(ui, state, &cells[i]),
            _ => {
                ui.label("Nothing in this picture looks like the nucleus of a white cell.");
            }
        }
        for w in &image.warnings {
            ui.label(RichText::new(format!("Note: {w}")).italics());
        }
        facts(ui, &image, tile);
    });
}

#[expect(
    clippy::too_many_arguments,
    reason = "a drawing function of one caller; a struct would be named once and taken apart once"
)]
fn picture(
    ui: &mut Ui,
    state: &State,
    view: &mut View,
    pictures: &mut Pictures,
    asked: &mut Asked,
    tile: Tile,
    image: &ImageResult,
    size: Vec2,
) {
    let (rect, response) = ui.allocate_exact_size(size, Sense::click_and_drag());
    let words = format!("Image {}", display_name(&image.path));
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &words));
    let dark = ui.visuals().dark_mode;
    ui.painter().rect_filled(rect, 4.0, theme::picture_back(dark));
    let Some((w, h)) = image.size else { return };
    if state.fit || response.double_clicked() {
        *view = View::default();
    }
    #[expect(clippy::cast_precision_loss, reason = "picture sizes")]
    let natural = vec2(w as f32, h as f32);
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
    if response.dragged() {
        view.centre -= response.drag_delta() / fit / view.zoom;
    }
    let limit = (natural * 0.5 * (1.0 - 1.0 / view.zoom)).max(Vec2::ZERO);
    view.centre = view.centre.clamp(-limit, limit);
    let scale = fit * view.zoom;
    let origin = rect.center() - (natural * 0.5 + view.centre) * scale;
    let place = Rect::from_min_size(origin, natural * scale);
    let painter = ui.painter().with_clip_rect(rect);
    match pictures.get(Key::Full(tile.image), &image.path, None) {
        Look::Ready(texture) => {
            painter.image(texture.id(), place, Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0)), theme::untinted());
        }
        Look::Coming => {
            ui.put(Rect::from_center_size(rect.center(), vec2(24.0, 24.0)), egui::Spinner::new());
        }
        Look::Broken => {
            painter.text(
                rect.center(),
                Align2::CENTER_CENTER,
                "The picture cannot be shown now; was it moved?",
                FontId::proportional(13.0),
                theme::error_colour(ui),
            );
        }
    }
    let Outcome::Cells(cells) = &image.outcome else { return };
    let on_screen = |s: Square| Rect::from_min_size(origin + vec2(s.x, s.y) * scale, Vec2::splat(s.side * scale));
    for (i, cell) in cells.iter().enumerate() {
        let chosen = tile.cell == Some(i);
        let square = on_screen(cell.square);
        let colour = theme::class_colour(cell.accepted.then_some(cell.probabilities.top().0));
        let width = if chosen { 3.0 } else { 1.6 };
        painter.rect_stroke(square, 3.0, Stroke::new(width + 2.0, theme::veil()), StrokeKind::Outside);
        painter.rect_stroke(square, 3.0, Stroke::new(width, colour), StrokeKind::Outside);
        // The name beside the colour, where there is room for it.
        if (chosen || square.width() > 64.0)
            && let Some(label) = state.model.classes.label(cell.probabilities.top().0)
        {
            let galley = painter.layout_no_wrap(label.to_owned(), FontId::proportional(11.5), theme::on_veil());
            // Above the square, or inside it where the pane ends.
            let above = square.left_top() - vec2(0.0, galley.size().y + 5.0);
            let at = pos2(
                above.x.clamp(rect.left() + 2.0, (rect.right() - galley.size().x - 8.0).max(rect.left() + 2.0)),
                above.y.max(rect.top() + 2.0),
            );
            painter.rect_filled(Rect::from_min_size(at, galley.size() + vec2(8.0, 3.0)), 3.0, theme::veil());
            painter.galley(at + vec2(4.0, 1.0), galley, theme::on_veil());
        }
    }
    if response.clicked()
        && let Some(pointer) = response.interact_pointer_pos()
    {
        let hit = cells.iter().position(|c| on_screen(c.square).contains(pointer));
        let index = hit.and_then(|i| state.tiles.iter().position(|t| t.image == tile.image && t.cell == Some(i)));
        if let Some(index) = index {
            asked.input(Input::Select(index));
        }
    }
}

/// The probability of every class, in clinical order.
fn bars(ui: &mut Ui, state: &State, cell: &CellResult) {
    ui.add_space(4.0);
    if let Some(unlike) = cell.unlike.filter(|u| *u > 1.0) {
        ui.colored_label(theme::error_colour(ui), "Unlike the training images: its label may mean nothing")
            .on_hover_text(format!(
                "{unlike:.2} times as far from them as 95 % of the images that the model was checked with"
            ));
    }
    let top = cell.probabilities.top().0;
    for class in state.model.classes.clinical_order() {
        let label = state.model.classes.label(class).unwrap_or("");
        let p = cell.probabilities.values().get(class).copied().unwrap_or(0.0);
        let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 19.0), Sense::hover());
        let words = format!("{label} {:.1} %", p * 100.0);
        response.widget_info(|| WidgetInfo::labeled(Role::ProgressIndicator, true, &words));
        let painter = ui.painter();
        let font = FontId::proportional(13.0);
        let colour = if class == top { ui.visuals().strong_text_color() } else { ui.visuals().text_color() };
        let middle = rect.center().y;
        painter.text(pos2(rect.left(), middle), Align2::LEFT_CENTER, label, font.clone(), colour);
        let track = Rect::from_min_max(pos2(rect.left() + 96.0, middle - 5.0), pos2(rect.right() - 58.0, middle + 5.0));
        painter.rect_filled(track, 3.0, ui.visuals().extreme_bg_color);
        let filled = Rect::from_min_max(track.min, pos2(track.left() + track.width() * p, track.bottom()));
        painter.rect_filled(filled, 3.0, theme::class_colour(Some(class)));
        painter.text(
            pos2(rect.right() - 4.0, middle),
            Align2::RIGHT_CENTER,
            format!("{:.1} %", p * 100.0),
            font,
            colour,
        );
    }
}

fn facts(ui: &mut Ui, image: &ImageResult, tile: Tile) {
    ui.add_space(6.0);
    egui::Grid::new("file").num_columns(2).spacing([14.0, 3.0]).show(ui, |ui| {
        let mut row = |key: &str, value: String| {
            ui.weak(key);
            ui.add(egui::Label::new(value).truncate());
            ui.end_row();
        };
        row("file", display_path(&image.path));
        if let Some((w, h)) = image.size {
            row("size", format!("{w} × {h} pixels"));
        }
        if let (Outcome::Cells(cells), Some(i)) = (&image.outcome, tile.cell)
            && let Some(c) = cells.get(i)
        {
            let s = c.square;
            row("square", format!("{:.0} pixels at {:.0}, {:.0}", s.side, s.x, s.y));
        }
        if let Some(d) = image.digest {
            row("sha256", d.to_string());
        }
        if let Some(p) = &image.provider {
            row("provider", p.to_string());
        }
    });
}
