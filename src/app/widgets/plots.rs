//! Plots as this window has them.

/// A plot that shows its data and is hovered over, and nothing else: no accidental zoom or pan.
pub(crate) fn still_plot(name: &str, size: egui::Vec2) -> egui_plot::Plot<'_> {
    egui_plot::Plot::new(name)
        .width(size.x)
        .height(size.y)
        .allow_scroll(false)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_boxed_zoom(false)
}

/// A line through points, as they are. The library draws a line that is denser than the pixels as a filled band, which is wrong for
/// steps and for curves that go up and down at one place; no line here is drawn otherwise.
pub(crate) fn line<'a>(name: impl Into<String>, points: Vec<[f64; 2]>) -> egui_plot::Line<'a> {
    egui_plot::Line::new(name, egui_plot::PlotPoints::from(points)).allow_band(false)
}
