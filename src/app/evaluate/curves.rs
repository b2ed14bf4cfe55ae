//! Curves, and the share that is wrong against the share that is kept.

use super::state::{Curve, EvaluateInput, State};
use crate::app::language::tr;
use crate::app::theme;
use crate::app::widgets::{Asked, line, still_plot};
use crate::evaluation::Evaluated;
use crate::report::kept_line;
use egui::{Role, Slider, Ui, WidgetInfo, vec2};
use egui_plot::{Corner, HoverPosition, Legend, LineStyle, MarkerShape, Plot, PlotPoints, Points, VLine};

pub(super) fn unit_plot<'a>(name: &'a str, axes: (&'a str, &'a str), size: egui::Vec2) -> Plot<'a> {
    still_plot(name, size)
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

pub(super) fn curves(ui: &mut Ui, name: &str, axes: (&str, &str), curves: &[Curve], diagonal: bool, dots: bool) {
    let size = vec2(ui.available_width(), (ui.available_height() - 4.0).max(120.0));
    let (weak, dark) = (ui.visuals().weak_text_color(), ui.visuals().dark_mode);
    let shown = unit_plot(name, axes, size)
        .include_y(1.0)
        .legend(Legend::default().position(if diagonal && !dots { Corner::RightBottom } else { Corner::LeftTop }))
        .show(ui, |p| {
            if diagonal {
                let line = line("", vec![[0.0, 0.0], [1.0, 1.0]]);
                p.line(line.color(weak).style(LineStyle::dashed_loose()));
            }
            for curve in curves {
                let colour = match &curve.label {
                    Some(label) => theme::label_colour(label, dark),
                    None => theme::series_colour(curve.class, dark),
                };
                if !dots || curve.class == 0 {
                    p.line(line(&curve.name, curve.points.clone()).color(colour).width(2.0));
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
pub(super) fn risk(ui: &mut Ui, state: &State, found: &Evaluated, asked: &mut Asked<EvaluateInput>) {
    let mut threshold = state.threshold;
    ui.horizontal_wrapped(|ui| {
        let label = ui.label(tr!("Abstain below"));
        ui.add(Slider::new(&mut threshold, 0.0..=1.0).fixed_decimals(3)).labelled_by(label.id);
        ui.label(kept_line(found, state.threshold));
    });
    let size = vec2(ui.available_width(), (ui.available_height() - 4.0).max(110.0));
    let points: Vec<[f64; 2]> = state.curves.risk.iter().map(|p| [p.x, p.y]).collect();
    let top = points.iter().map(|p| p[1]).fold(0.02, f64::max);
    let sample = state.sample(found);
    let (kept, _) = crate::metrics::kept(&sample, state.threshold);
    let coverage = kept as f64 / sample.len().max(1) as f64;
    let dark = ui.visuals().dark_mode;
    let shown = unit_plot(
        &tr!("Risk and coverage"),
        (&tr!("share of cells that get a label"), &tr!("share wrong among them")),
        size,
    )
    .include_y(top)
    .show(ui, |p| {
        p.line(line("share wrong", points).color(theme::series_colour(0, dark)).width(2.0));
        p.vline(VLine::new("threshold", coverage).color(theme::accent(dark)).width(2.0));
        p.pointer_coordinate().map(|c| c.x)
    });
    let held = shown.response.is_pointer_button_down_on() || shown.response.dragged();
    if let Some(x) = shown.inner.filter(|_| held) {
        let at = state.curves.risk.iter().min_by(|a, b| (a.x - x).abs().total_cmp(&(b.x - x).abs()));
        if let Some(at) = at {
            threshold = if at.x >= 1.0 { 0.0 } else { at.threshold };
        }
    }
    shown.response.widget_info(|| WidgetInfo::labeled(Role::Image, true, tr!("Risk and coverage")));
    if (threshold - state.threshold).abs() > 1e-9 {
        asked.input(EvaluateInput::Threshold(threshold));
    }
}
