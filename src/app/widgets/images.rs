//! Images in a place of their own.

use crate::app::textures::{ImageKey, Look, Textures};
use crate::app::theme;
use egui::{Rect, Ui, WidgetInfo, pos2};
use std::path::Path;

/// Paints an image into a place, as large as it fits, not distorted.
pub(crate) fn paint_fitted(painter: &egui::Painter, texture: &egui::TextureHandle, place: Rect) {
    let size = texture.size_vec2();
    let scale = (place.width() / size.x).min(place.height() / size.y);
    let all = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
    painter.image(texture.id(), Rect::from_center_size(place.center(), size * scale), all, theme::untinted());
}

/// An image in a place of its own of this many points a side; its name is what is read aloud, and shown under the pointer.
pub(crate) fn thumbnail(ui: &mut Ui, textures: &mut Textures, key: ImageKey, path: &Path, side: f32, name: &str) {
    let (place, response) = ui.allocate_exact_size(egui::Vec2::splat(side), egui::Sense::hover());
    ui.painter().rect_filled(place, 3.0, theme::image_back(ui.visuals().dark_mode));
    if let Look::Ready(texture) = textures.get(key, path, key.square()) {
        paint_fitted(ui.painter(), texture, place);
    }
    response.widget_info(|| WidgetInfo::labeled(egui::Role::Image, true, name));
    response.on_hover_text(name);
}
