//! What lies over the window while files hang over it.

use crate::app::language::tr;
use crate::app::theme;
use egui::Ui;

/// While files hang over the window it says what dropping them does.
pub(crate) fn drop_overlay(ui: &Ui) {
    if ui.input(|i| i.raw.hovered_files.is_empty()) {
        return;
    }
    let painter = ui.ctx().layer_painter(egui::LayerId::new(egui::Order::Foreground, egui::Id::unique("drop")));
    let rect = ui.ctx().content_rect();
    painter.rect_filled(rect, 0.0, theme::overlay());
    painter.text(
        rect.center(),
        egui::Align2::CENTER_CENTER,
        tr!("Drop images or folders to classify them, a model to open it"),
        egui::FontId::proportional(26.0),
        theme::on_overlay(),
    );
}
