//! Folders, counts and filters on the left of the Review page, and the bar over its gallery.

use super::case_form::written;
use super::memory::DraggedTile;
use super::message::Input;
use super::state::{Filter, Kind, State};
use super::{differential, map};
use crate::app::choice::GallerySort;
use crate::app::command::Command;
use crate::app::language::{look_up, tr, whole};
use crate::app::theme;
use crate::app::widgets::{Asked, Cx, command_button, label_key};
use crate::domain::{UNIDENTIFIED, name_of_flag};
use crate::files::{display_name, display_path};
use crate::laboratory::{DifferentialRow, Unusual};
use egui::{RichText, Role, Sense, Ui, WidgetInfo};
use egui_plot::{Bar, BarChart, Plot};
use strum::IntoEnumIterator as _;

/// Corrections after which adapting the model is offered.
const ADAPT_AFTER: [usize; 3] = [20, 50, 100];

pub(super) fn folders(ui: &mut Ui, cx: &Cx<'_>, state: &State, asked: &mut Asked<Input>) {
    ui.add_space(4.0);
    ui.label(RichText::new(tr!("Opened")).strong());
    for path in &state.opened {
        let (images, failed) = state.slides.below(path);
        ui.horizontal_wrapped(|ui| {
            ui.label(display_name(path)).on_hover_text(display_path(path));
            ui.weak(if images == 1 { tr!("1 image") } else { tr!("%{n} images", n = whole(images)) });
            if failed > 0 {
                ui.colored_label(theme::error_colour(ui), tr!("%{n} failed", n = whole(failed)));
            }
        });
    }
    if let Some((done, all)) = state.unfinished {
        let text = tr!("%{n} of %{all} classified", n = whole(done), all = whole(all));
        ui.colored_label(theme::error_colour(ui), text)
            .on_hover_text(tr!("The run was stopped: what was not looked at is not in the count"));
        if ui.add_enabled(cx.enabled(Command::Resume), egui::Button::new(Command::Resume.text())).clicked() {
            asked.command(Command::Resume);
        }
    }
    if state.skipped > 0 {
        ui.weak(tr!("%{n} other files skipped", n = whole(state.skipped)))
            .on_hover_text(tr!("Found in the folder, and not images"));
    }
}

struct CountRow<'a> {
    /// What a click shows.
    kind: Kind,
    text: &'a str,
    /// Cells that are here now.
    n: usize,
    counted: Option<&'a DifferentialRow>,
    /// What tiles that are dropped here are labelled.
    label: Option<&'a str>,
}

fn count_row(
    ui: &mut Ui,
    state: &State,
    shown: &differential::Shown,
    CountRow { kind, text, n, counted, label }: CountRow<'_>,
    asked: &mut Asked<Input>,
) {
    let (class, given) = (label.filter(|l| *l != UNIDENTIFIED), label);
    let chosen = state.filter.kind == kind;
    let (rect, response) = ui.allocate_exact_size(egui::vec2(ui.available_width(), 24.0), Sense::click());
    let words = format!("{text}, {n}");
    response.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, chosen, &words));
    // Tiles that are dragged here get the label of the row.
    let label = given.filter(|_| state.label_obstacle().is_none());
    let over = label.is_some() && response.dnd_hover_payload::<DraggedTile>().is_some();
    if let Some(label) = label
        && let Some(dragged) = response.dnd_release_payload::<DraggedTile>()
    {
        asked.input(Input::Drop(dragged.0, label.to_owned()));
    }
    let visuals = ui.style().interact_selectable(&response, chosen);
    if chosen || response.hovered() || response.has_focus() {
        ui.painter().rect_filled(rect, visuals.corner_radius, visuals.bg_fill);
    }
    if over {
        let stroke = egui::Stroke::new(2.0, theme::accent(ui.visuals().dark_mode));
        ui.painter().rect_stroke(rect, visuals.corner_radius, stroke, egui::StrokeKind::Inside);
    }
    // The differential's own share; where it counts otherwise than the cells that are here now (as it was signed, or each field once),
    // no share stands beside another number.
    let same = counted.filter(|r| r.count.all == n).and_then(|r| r.percent(&shown.table));
    let percent = same.map_or(String::new(), |p| format!("{} %", written(p)));
    paint_row(ui, rect, visuals.text_color(), class, [text, &whole(n), &percent]);
    let clicked = response.clicked();
    if let Some(other) = counted.filter(|r| r.count.all != n) {
        response.on_hover_text(tr!(
            "%{n} cells here now; the differential counts %{counted}",
            n = n,
            counted = other.count.all
        ));
    }
    if clicked {
        let kind = if chosen { Kind::All } else { kind.clone() };
        asked.input(Input::Filter(Filter { kind, ..state.filter.clone() }));
    }
}

/// The colour of a class, its text, its number and its share.
fn paint_row(ui: &Ui, rect: egui::Rect, colour: egui::Color32, class: Option<&str>, [text, n, percent]: [&str; 3]) {
    let painter = ui.painter();
    let middle = rect.center().y;
    if let Some(class) = class {
        let chip = egui::Rect::from_center_size(egui::pos2(rect.left() + 11.0, middle), egui::vec2(11.0, 11.0));
        painter.rect_filled(chip, 3.0, theme::label_colour(class, ui.visuals().dark_mode));
    }
    let font = egui::TextStyle::Body.resolve(ui.style());
    let mut job = egui::text::LayoutJob::simple_singleline(text.to_owned(), font.clone(), colour);
    job.wrap = egui::text::TextWrapping::truncate_at_width(rect.width() - 24.0 - 78.0);
    let galley = ui.ctx().fonts_mut(|f| f.layout_job(job));
    let at = egui::pos2(rect.left() + 24.0, middle - galley.size().y / 2.0);
    painter.galley(at, galley, colour);
    painter.text(egui::pos2(rect.right() - 46.0, middle), egui::Align2::RIGHT_CENTER, n, font.clone(), colour);
    painter.text(egui::pos2(rect.right() - 6.0, middle), egui::Align2::RIGHT_CENTER, percent, font, colour);
}

/// Counts per class, live; a click filters.
pub(super) fn counts(ui: &mut Ui, cx: &Cx<'_>, state: &State, asked: &mut Asked<Input>) {
    let d = state.slides.counts(state.filter.slide);
    let shown = differential::shown(ui, state);
    ui.horizontal(|ui| {
        ui.label(RichText::new(tr!("Cells")).strong());
        ui.weak(whole(d.squares().all));
    });
    let mut row =
        |ui: &mut Ui, kind: Kind, text: &str, n: usize, counted: Option<&DifferentialRow>, label: Option<&str>| {
            count_row(ui, state, &shown, CountRow { kind, text, n, counted, label }, asked);
        };
    let keyed = |ui: &Ui, label: &str| match label_key(cx.keys, label) {
        Some(keys) => format!("{}  {}", ui.ctx().format_shortcut(&keys), look_up(label)),
        None => look_up(label),
    };
    row(ui, Kind::All, &tr!("all"), state.tiles.len(), None, None);
    // In the laboratory's order, each with its key, whatever the model.
    for label in state.listed() {
        let counted = shown.table.rows.iter().find(|r| r.label == *label);
        let text = keyed(ui, label);
        row(ui, Kind::Label(label.to_owned()), &text, d.count_of(label).all, counted, Some(label));
    }
    let text = keyed(ui, UNIDENTIFIED);
    row(ui, Kind::Unidentified, &text, d.unidentified().all, None, Some(UNIDENTIFIED));
    ui.add_space(4.0);
    if state.labels.open {
        let squares = d.squares();
        row(ui, Kind::Unreviewed, &tr!("to review"), squares.all - squares.reviewed, None, None);
    }
    for (flag, n) in &state.suspected {
        row(ui, Kind::Suspected(flag.clone()), &name_of_flag(&look_up(flag)), *n, None, None);
    }
    row(ui, Kind::NoCell, &tr!("no white cell"), d.no_cell, None, None);
    row(ui, Kind::Failed, &tr!("failed"), d.failed, None, None);
}

/// After some corrections, a quiet word about adapting the model.
pub(super) fn hint(ui: &mut Ui, cx: &Cx<'_>, state: &State, asked: &mut Asked<Input>) {
    let n = state.labels.corrections;
    let Some(step) = ADAPT_AFTER.into_iter().rev().find(|s| n >= *s) else { return };
    if state.hint_seen >= step || state.case.record.locked() {
        return;
    }
    ui.horizontal_wrapped(|ui| {
        ui.weak(tr!("%{n} labels differ from the model's: it can be adapted to this laboratory.", n = n));
        command_button(ui, cx, asked, Command::TrainOnReviewed);
        if ui.button(tr!("Not Now")).clicked() {
            asked.input(Input::PutHintAway);
        }
    });
}

/// What is unusual about the folder, and a way to look at it.
pub(super) fn unusual(ui: &mut Ui, state: &State, asked: &mut Asked<Input>) {
    let Some(unusual) = state.unusual else { return };
    let (text, filter) = match unusual {
        Unusual::NoCells { n, of } => (
            tr!(
                "In %{n} of %{of} images no white cell was found. The colours or the magnification may be new to the program.",
                n = whole(n),
                of = whole(of)
            ),
            Filter { kind: Kind::NoCell, ..Filter::default() },
        ),
        Unusual::Sizes { from, to } => (
            tr!(
                "Cells were found of very different sizes (%{from} to %{to} pixels). The colours or the magnification may be new to the program.",
                from = format!("{from:.0}"),
                to = format!("{to:.0}")
            ),
            Filter::default(),
        ),
    };
    ui.horizontal_wrapped(|ui| {
        ui.label(text);
        if ui.button(tr!("Look at Them")).clicked() {
            asked.input(Input::LookAt(filter));
        }
        if ui.button(tr!("Not Now")).clicked() {
            asked.input(Input::PutUnusualAway);
        }
    });
}

/// How sure the model is: a histogram, and the range that is shown.
pub(super) fn confidence(ui: &mut Ui, state: &State, asked: &mut Asked<Input>) {
    ui.label(RichText::new(tr!("Confidence")).strong())
        .on_hover_text(tr!("As the model's card says under calibration; without one it is the network's own"));
    let (from, to) = (f64::from(state.filter.from), f64::from(state.filter.to));
    let (inside, outside) = (theme::accent(ui.visuals().dark_mode), ui.visuals().weak_text_color());
    let bars: Vec<Bar> = state
        .bins
        .iter()
        .enumerate()
        .map(|(i, &n)| {
            let (x, n) = (i as f64 * 5.0 + 2.5, n as f64);
            Bar::new(x, n).width(4.4).fill(if x >= from && x <= to { inside } else { outside })
        })
        .collect();
    Plot::new("confidence")
        .height(74.0)
        .show_axes([true, false])
        .show_grid([false, false])
        .show_background(false)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .allow_double_click_reset(false)
        .include_x(0.0)
        .include_x(100.0)
        .include_y(1.0)
        .show_x(false)
        .show_y(false)
        .show(ui, |plot| plot.bar_chart(BarChart::new("cells", bars).allow_hover(false)));
    let mut filter = state.filter.clone();
    let slider = |ui: &mut Ui, name: &str, value: &mut u8| {
        let label = ui.label(name);
        ui.add(egui::Slider::new(value, 0..=100).suffix(" %")).labelled_by(label.id).changed()
    };
    let lower = slider(ui, &tr!("at least"), &mut filter.from);
    let upper = slider(ui, &tr!("at most"), &mut filter.to);
    if lower {
        filter.to = filter.to.max(filter.from);
    }
    if upper {
        filter.from = filter.from.min(filter.to);
    }
    if lower || upper {
        asked.input(Input::Filter(filter));
    }
}

/// Above the gallery: name filter, order, how many are shown.
pub(super) fn bar(ui: &mut Ui, cx: &Cx<'_>, state: &State, asked: &mut Asked<Input>) {
    if let Some(why) = &state.labels.read_only {
        ui.colored_label(theme::error_colour(ui), tr!("Read only: %{why}", why = why));
    }
    ui.horizontal_wrapped(|ui| {
        let mut name = state.filter.name.clone();
        let edit = ui.add(egui::TextEdit::singleline(&mut name).hint_text(tr!("Filter by name")).desired_width(130.0));
        edit.widget_info(|| WidgetInfo::labeled(Role::TextInput, true, tr!("Filter by name")));
        if state.focus_filter {
            edit.request_focus();
        }
        if edit.changed() {
            asked.input(Input::Filter(Filter { name, ..state.filter.clone() }));
        }
        let order =
            egui::ComboBox::from_id_salt("sort").selected_text(tr!(state.sort.text())).width(150.0).show_ui(ui, |ui| {
                for sort in GallerySort::iter() {
                    if ui.selectable_label(state.sort == sort, tr!(sort.text())).clicked() {
                        asked.command(Command::Sort(sort));
                    }
                }
            });
        order.response.widget_info(|| {
            WidgetInfo::labeled(Role::ComboBox, true, tr!("Sort by %{name}", name = tr!(state.sort.text())))
        });
        if state.filter != Filter::default() && ui.button(tr!("Clear Filter")).clicked() {
            asked.command(Command::ClearFilter);
        }
        map::switch(ui, cx, state, asked);
        ui.weak(tr!("%{n} of %{all}", n = whole(state.visible.len()), all = whole(state.tiles.len())));
        if state.chosen.len() > 1 {
            ui.label(RichText::new(tr!("%{n} chosen", n = whole(state.chosen.len()))).strong());
        }
    });
}
