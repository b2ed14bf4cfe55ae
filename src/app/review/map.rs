//! The map of cells in the gallery's place: a lasso chooses, a click shows one.

use super::map_state::DRAWN;
use super::memory::Memory;
use super::message::Input;
use super::state::State;
use crate::app::command::Command;
use crate::app::language::{look_up, percent, tr, whole};
use crate::app::theme;
use crate::app::widgets::{Asked, Cx, line};
use crate::domain::{CellClass, Shape};
use crate::files::display_name;
use crate::workflow::CellPlaces;
use egui::{Ui, Vec2b};
use egui_plot::{MarkerShape, Plot, PlotPoint, PlotPoints, Points};

/// How near the pointer has to be to a point, points of the screen.
const NEAR: f32 = 9.0;

pub(super) fn map(ui: &mut Ui, state: &State, memory: &mut Memory, asked: &mut Asked<Input>) {
    let view = &state.map;
    controls(ui, state, asked);
    if let Some(why) = &view.failed {
        ui.colored_label(theme::error_colour(ui), why);
    }
    let Some(points) = view.points.clone().filter(|_| !state.map_outdated()) else {
        ui.weak(tr!("Cells that the model sees alike lie together. Draw around a group to choose it."));
        return;
    };
    ui.weak(tr!(
        "Map of %{n} cells: drag around a group to choose it, click to see one, scroll to zoom, double-click for all.",
        n = whole(points.len())
    ));
    let labels = state.offered();
    let step = points.len().div_ceil(DRAWN);
    if step > 1 {
        let n = points.len().div_ceil(step);
        ui.weak(tr!("%{n} of %{all} cells are drawn", n = whole(n), all = whole(points.len())));
    }
    let radius = if points.len() > 3000 { 2.0 } else { 3.5 };
    let Series { by_label, ringed } = series(state, &points, &labels, step);
    let dark = ui.visuals().dark_mode;
    let accent = theme::accent(dark);
    let plot = Plot::new("map")
        .data_aspect(1.0)
        .show_axes(false)
        .show_grid(false)
        .show_x(false)
        .show_y(false)
        .allow_drag(false)
        .allow_boxed_zoom(false)
        .allow_double_click_reset(true)
        .auto_bounds(Vec2b::TRUE)
        .legend(egui_plot::Legend::default());
    let answer = plot.show(ui, |plot| {
        for (class, points) in by_label.into_iter().enumerate() {
            if points.is_empty() {
                continue;
            }
            let known = labels.get(class);
            let name = known.map_or_else(|| tr!("others"), |l| look_up(l));
            let shape = known.and_then(|l| CellClass::find(l)).map_or(MarkerShape::Left, |c| marker(c.shape));
            let colour = theme::label_colour(known.copied().unwrap_or(""), dark);
            plot.points(Points::new(name, PlotPoints::from(points)).shape(shape).radius(radius).color(colour));
        }
        if !ringed.is_empty() {
            let rings = Points::new(tr!("chosen"), PlotPoints::from(ringed)).shape(MarkerShape::Circle);
            plot.points(rings.filled(false).radius(radius + 3.0).color(accent));
        }
        if memory.lasso.len() > 1 {
            plot.line(line("", memory.lasso.clone()).color(accent).width(1.5));
        }
        plot.pointer_coordinate()
    });
    let (response, pointer) = (answer.response, answer.inner);
    lasso(state, memory, asked, &response, pointer);
    // The point under the pointer.
    let screen =
        |at: [f32; 2]| answer.transform.position_from_point(&PlotPoint::new(f64::from(at[0]), f64::from(at[1])));
    let Some(hover) = response.hover_pos().filter(|_| memory.lasso.is_empty()) else { return };
    let far = |at: [f32; 2]| screen(at).distance(hover);
    let nearest = points.iter().step_by(step).min_by(|a, b| far(a.1).total_cmp(&far(b.1)));
    let Some((tile, _)) = nearest.filter(|(_, at)| far(*at) <= NEAR) else { return };
    if response.clicked() {
        asked.input(Input::Select(*tile));
    }
    let verdict = state.verdict(*tile);
    let name = state.image_of(*tile).map_or_else(String::new, |i| display_name(&i.path));
    let sure = verdict.confidence.map_or_else(String::new, |c| format!(" {}", percent(f64::from(c), 0)));
    response.on_hover_text_at_pointer(format!("{}{sure}\n{name}", look_up(verdict.label)));
}

/// Makes the map, stops that, or shows in the gallery what was chosen on it.
fn controls(ui: &mut Ui, state: &State, asked: &mut Asked<Input>) {
    let view = &state.map;
    ui.horizontal_wrapped(|ui| {
        if let Some((done, total)) = view.busy {
            ui.spinner();
            ui.label(if total > 0 {
                tr!("making the map, %{share}", share = percent(done as f64 / total as f64, 0))
            } else {
                tr!("making the map")
            });
            if ui.button(tr!("Stop")).clicked() {
                asked.input(Input::StopMap);
            }
        } else if ui.button(if view.points.is_some() { tr!("Make it again") } else { tr!("Make the map") }).clicked() {
            asked.input(Input::MakeMap);
        }
        if state.map_outdated() && view.busy.is_none() {
            ui.colored_label(theme::error_colour(ui), tr!("The map is of other cells than those that are open now."));
        }
        if state.chosen.len() > 1 && ui.button(tr!("Show the chosen ones in the gallery")).clicked() {
            asked.input(Input::ShowChosen);
        }
    });
}

/// Points of the map.
struct Series {
    /// Of each label that is offered, and of all others.
    by_label: Vec<Vec<[f64; 2]>>,
    /// Of the cells that are chosen.
    ringed: Vec<[f64; 2]>,
}

fn series(state: &State, points: &CellPlaces, labels: &[&str], step: usize) -> Series {
    let mut by_label: Vec<Vec<[f64; 2]>> = vec![Vec::new(); labels.len() + 1];
    let mut ringed = Vec::new();
    for (tile, at) in points.iter().step_by(step) {
        let at = at.map(f64::from);
        let label = state.verdict(*tile).label;
        by_label[labels.iter().position(|l| *l == label).unwrap_or(labels.len())].push(at);
        if state.chosen.contains(tile) || state.selected == Some(*tile) {
            ringed.push(at);
        }
    }
    Series { by_label, ringed }
}

/// The plot's own mark for a class' shape.
fn marker(shape: Shape) -> MarkerShape {
    match shape {
        Shape::Circle | Shape::Ring => MarkerShape::Circle,
        Shape::Square | Shape::Hexagon => MarkerShape::Square,
        Shape::Triangle => MarkerShape::Up,
        Shape::Down => MarkerShape::Down,
        Shape::Diamond => MarkerShape::Diamond,
        Shape::Star => MarkerShape::Asterisk,
        Shape::Plus => MarkerShape::Plus,
        Shape::Cross => MarkerShape::Cross,
    }
}

fn lasso(
    state: &State,
    memory: &mut Memory,
    asked: &mut Asked<Input>,
    response: &egui::Response,
    pointer: Option<PlotPoint>,
) {
    if response.drag_started() {
        memory.lasso.clear();
    }
    if response.dragged()
        && let Some(p) = pointer
        && memory.lasso.last() != Some(&[p.x, p.y])
    {
        memory.lasso.push([p.x, p.y]);
    }
    if response.drag_stopped() {
        let line = std::mem::take(&mut memory.lasso);
        if line.len() > 2 {
            asked.input(Input::Choose(state.within(&line)));
        }
    }
}

/// The switch between gallery and map.
pub(super) fn switch(ui: &mut Ui, _cx: &Cx<'_>, state: &State, asked: &mut Asked<Input>) {
    let text = Command::ToggleMap.text();
    if ui.selectable_label(state.map.shown, text).on_hover_text(Command::ToggleMap.tooltip()).clicked() {
        asked.command(Command::ToggleMap);
    }
}
