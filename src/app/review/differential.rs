//! Below the gallery: the differential of the slide or the case, what was entered, and the way to a signature. While it is signed,
//! what was signed is shown, whatever the model or the files are now.

use super::case::Draft;
use super::case_form::{entry, left_out, number, ranges_said, target, written};
use super::message::Input;
use super::state::State;
use crate::app::command::Command;
use crate::app::language::{as_written, date, look_up, percent, tr, whole};
use crate::app::theme;
use crate::app::widgets::{Asked, Cx, command_button};
use crate::domain::{Differential, Digest, SlideId};
use crate::files::display_name;
use crate::laboratory::{
    CaseField, DifferentialRow, DifferentialTable, Flag, Ranges, ReportStatus, RunRecord, Sex, SlideReport, Snapshot,
    Unit,
};
use crate::workflow::{BY_EYE, case_facts, case_status, to_local};
use egui::{Color32, Grid, Rect, RichText, Role, ScrollArea, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Widths of the columns of numbers, points.
const NUMBER: f32 = 46.0;
const INTERVAL: f32 = 86.0;
const RANGE: f32 = 84.0;

/// What a differential is laid out from: it is laid out again when something of it changed, not at every frame.
#[derive(Clone, PartialEq)]
struct Of {
    generation: crate::task::Generation,
    counts: Differential,
    slide: Option<SlideId>,
    entries: BTreeMap<String, String>,
    signed: (usize, bool),
    ranges: Ranges,
    model: Digest,
    run: Option<RunRecord>,
    files: Option<super::case::FilesLook>,
    alike: Vec<Vec<Digest>>,
    edits: (usize, usize, (usize, usize)),
    images: usize,
}

impl Of {
    fn new(state: &State) -> Self {
        Self {
            generation: state.generation,
            counts: state.slides.counts(None).clone(),
            slide: state.filter.slide,
            entries: state.case.record.entries.clone(),
            signed: (state.case.record.signatures.len(), state.case.record.locked()),
            ranges: state.case.ranges.clone(),
            model: state.model.digest,
            run: state.case.run,
            files: state.case.files.clone(),
            alike: state.case.alike.clone(),
            edits: (state.labels.verdicts.len(), state.case.heard.len(), state.labels.history.depth()),
            images: state.images.len(),
        }
    }
}

/// The differential as it is shown.
pub(super) struct Shown {
    /// The report of all slides, signed or as it stands.
    pub(super) report: SlideReport,
    /// The numbers of the slide that is chosen, or of all together.
    pub(super) table: DifferentialTable,
    /// While it is signed: whether what stands now would count differently.
    pub(super) differs: bool,
    /// Why what was signed cannot be shown.
    pub(super) trouble: Option<String>,
}

impl Shown {
    fn new(state: &State) -> Self {
        let now = state.snapshot("");
        let (snapshot, signed, trouble) = match state.differential("") {
            Ok((snapshot, signed)) => (snapshot, signed, None),
            Err(why) => (now.clone(), false, Some(why.to_string())),
        };
        let (status, version, who) = case_status(&state.case.record);
        let table = state.table_in(&snapshot, state.filter.slide);
        let differs = signed && differs(state, &snapshot, &now);
        Self { report: SlideReport::new(snapshot, status, version, who), table, differs, trouble }
    }
}

/// Whether what stands would count otherwise than what was signed; nothing is said while it is still being looked at.
fn differs(state: &State, signed: &Snapshot, now: &Snapshot) -> bool {
    state.job.is_none() && !signed.counts_like(now)
}

/// The differential, laid out anew where something changed.
pub(super) fn shown(ui: &Ui, state: &State) -> Arc<Shown> {
    type Kept = (Of, bool, Arc<Shown>);
    let (id, of, busy) = (egui::Id::unique("the differential"), Of::new(state), state.job.is_some());
    let kept: Option<Kept> = ui.data(|d| d.get_temp(id));
    if let Some((before, was, shown)) = kept
        && before == of
        && was == busy
    {
        return shown;
    }
    let shown = Arc::new(Shown::new(state));
    ui.data_mut(|d| d.insert_temp::<Kept>(id, (of, busy, shown.clone())));
    shown
}

pub(super) fn panel(ui: &mut Ui, cx: &Cx<'_>, state: &State, asked: &mut Asked<Input>) {
    let shown = shown(ui, state);
    let table = &shown.table;
    ui.add_space(3.0);
    ui.horizontal(|ui| {
        ui.label(RichText::new(tr!("Differential")).strong());
        scope(ui, state, asked);
        progress(ui, table);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            sign(ui, cx, state, &shown, asked);
        });
    });
    if let Some(why) = &shown.trouble {
        ui.colored_label(theme::error_colour(ui), why);
    }
    signed(ui, &shown);
    ui.add_space(2.0);
    ui.horizontal_top(|ui| {
        let wide = (ui.available_width() - 262.0).max(300.0);
        ui.allocate_ui(vec2(wide, ui.available_height()), |ui| {
            ScrollArea::both()
                .id_salt("differential")
                .auto_shrink([false, false])
                .show(ui, |ui| ui.vertical(|ui| rows(ui, &shown)));
        });
        ui.separator();
        ScrollArea::vertical()
            .id_salt("case")
            .auto_shrink([false, false])
            .show(ui, |ui| ui.vertical(|ui| facts(ui, cx, state, asked)));
    });
}

/// One slide, or all together.
fn scope(ui: &mut Ui, state: &State, asked: &mut Asked<Input>) {
    let slides = state.slides.list();
    if slides.len() < 2 {
        return;
    }
    let all = tr!("all %{n} slides together", n = slides.len());
    let name = |id| slides.iter().find(|s| s.id == id).map_or_else(String::new, |s| display_name(&s.path));
    let chosen = state.filter.slide.map_or_else(|| all.clone(), name);
    let set = |asked: &mut Asked<Input>, slide| {
        asked.input(Input::Filter(super::state::Filter { slide, ..state.filter.clone() }));
    };
    let response = egui::ComboBox::from_id_salt("slide").selected_text(&chosen).width(170.0).show_ui(ui, |ui| {
        if ui.selectable_label(state.filter.slide.is_none(), &all).clicked() {
            set(asked, None);
        }
        for s in slides.iter().take(500) {
            if ui.selectable_label(state.filter.slide == Some(s.id), display_name(&s.path)).clicked() {
                set(asked, Some(s.id));
            }
        }
    });
    response.response.widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, tr!("Slide: %{name}", name = chosen)));
}

/// "302 counted (target 100 reached)".
pub(super) fn counted(table: &DifferentialTable) -> String {
    let (n, target) = (whole(table.white.all), whole(table.target));
    if table.white.all >= table.target {
        tr!("%{n} counted (target %{target} reached)", n = n, target = target)
    } else {
        tr!("%{n} counted (target %{target} not reached)", n = n, target = target)
    }
}

fn progress(ui: &mut Ui, table: &DifferentialTable) {
    let share = (table.white.all as f32 / table.target.max(1) as f32).min(1.0);
    ui.add(egui::ProgressBar::new(share).desired_width(110.0).desired_height(12.0));
    ui.label(counted(table));
    let reviewed = table.squares - table.unreviewed;
    ui.weak(tr!("%{n} of %{all} reviewed", n = whole(reviewed), all = whole(table.squares)));
}

fn sign(ui: &mut Ui, cx: &Cx<'_>, state: &State, shown: &Shown, asked: &mut Asked<Input>) {
    let r = &shown.report;
    if r.signed.is_some() {
        command_button(ui, cx, asked, Command::Amend);
    } else {
        command_button(ui, cx, asked, Command::SignOff);
        if r.version > 0 {
            ui.label(tr!("being amended, version %{n} is signed", n = r.version));
        } else {
            ui.weak(tr!("not signed"));
        }
    }
    if state.job.is_some() {
        ui.weak(tr!("still classifying"));
    }
}

/// Who signed, and what is to be known about it: a line of its own.
fn signed(ui: &mut Ui, shown: &Shown) {
    let r = &shown.report;
    let Some((operator, time, reason)) = &r.signed else { return };
    ui.horizontal_wrapped(|ui| {
        lock(ui);
        let who = tr!("Signed by %{who}, %{when}", who = operator, when = date(&to_local(time)));
        let version = tr!("Version %{n}, %{status}", n = r.version, status = look_up(r.status.code()));
        ui.label(RichText::new(who).strong()).on_hover_text(version);
        if r.status == ReportStatus::Preliminary {
            ui.label(tr!("preliminary")).on_hover_text(tr!("Cells of it were named by the model alone"));
        }
        // The reason for an amendment stands before the one for what was open.
        match (r.version > 1, r.table.obstacles().is_empty()) {
            (true, true) => drop(ui.label(tr!("version %{n}, amended: %{reason}", n = r.version, reason = reason))),
            (true, false) => {
                let text =
                    tr!("version %{n}, amended and signed incomplete: %{reason}", n = r.version, reason = reason);
                ui.colored_label(theme::error_colour(ui), text);
            }
            (false, false) => {
                ui.colored_label(theme::error_colour(ui), tr!("signed incomplete: %{reason}", reason = reason));
            }
            (false, true) => {}
        }
        if shown.differs {
            ui.weak(tr!("Model or files now count differently; what is shown here was signed"));
        }
    });
}

/// A closed lock: what stands here is not what is being counted, it is what was signed.
fn lock(ui: &mut Ui) {
    let (rect, response) = ui.allocate_exact_size(vec2(12.0, 14.0), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, tr!("Signed and locked")));
    let ink = ui.visuals().strong_text_color();
    let corner = pos2(rect.left() + 1.0, rect.center().y - 1.0);
    let body = Rect::from_min_max(corner, pos2(rect.right() - 1.0, rect.bottom()));
    let (left, right, top) = (body.left() + 2.0, body.right() - 2.0, rect.top() + 1.5);
    let bow = vec![
        pos2(left, body.top()),
        pos2(left, top + 2.0),
        pos2(left + 1.5, top),
        pos2(right - 1.5, top),
        pos2(right, top + 2.0),
        pos2(right, body.top()),
    ];
    ui.painter().line(bow, Stroke::new(1.5, ink));
    ui.painter().rect_filled(body, 2.0, ink);
}

/// The unit that all ranges of a table have; none where they differ or there are none.
fn one_unit(table: &DifferentialTable) -> Option<Unit> {
    let mut units = table.rows.iter().filter_map(|r| r.range.as_ref()).map(|r| r.unit);
    let first = units.next()?;
    units.all(|u| u == first).then_some(first)
}

fn rows(ui: &mut Ui, shown: &Shown) {
    let table = &shown.table;
    let absolute = table.rows.iter().any(|r| r.absolute.is_some());
    let ranged = table.rows.iter().any(|r| r.range.is_some());
    Grid::new("differential-rows").num_columns(8).spacing([10.0, 3.0]).striped(true).show(ui, |ui| {
        ui.weak(tr!("class"));
        number(ui, NUMBER, RichText::new(tr!("count")).weak());
        number(ui, NUMBER, RichText::new("%").weak());
        number(ui, INTERVAL, RichText::new(tr!("95 % interval, %")).weak());
        ui.weak(tr!("distribution"));
        if absolute {
            number(ui, NUMBER, RichText::new("×10⁹/L").weak());
        }
        if ranged {
            let unit = one_unit(table).map_or("", Unit::text);
            number(ui, RANGE, RichText::new(tr!("ref. %{unit}", unit = unit).trim().to_owned()).weak());
            ui.weak(tr!("flag"));
        }
        ui.end_row();
        for row in &table.rows {
            line(ui, table, row, absolute, ranged);
            ui.end_row();
        }
    });
    let mut rest: Vec<String> = table
        .outside
        .iter()
        .map(|(label, n, per)| {
            let per = table.per_hundred(*per).map_or_else(|| "–".into(), written);
            tr!("%{label} %{n} (%{per} per 100 white cells)", label = look_up(label), n = n, per = per)
        })
        .collect();
    rest.extend(table.excluded.iter().map(|(label, n)| tr!("excluded: %{label} %{n}", label = look_up(label), n = n)));
    if table.unidentified > 0 {
        rest.push(tr!("unidentified %{n}", n = table.unidentified));
    }
    if let Some(wbc) = table.wbc_written() {
        rest.push(tr!("white cell count used: %{n} ×10⁹/L", n = written(wbc)));
    }
    // A nought of a class that the model has no word for is not a finding.
    let lacking = shown.report.lacking();
    let silent =
        table.rows.iter().filter(|r| r.count.all == 0 && lacking.contains(&r.label)).map(|r| look_up(&r.label));
    let silent: Vec<String> = silent.collect();
    if !silent.is_empty() {
        rest.push(tr!("the model in use cannot name: %{classes}", classes = silent.join(", ")));
    }
    if !rest.is_empty() {
        ui.weak(rest.join(" · "));
    }
    let left = left_out(&shown.report);
    if !left.is_empty() {
        ui.weak(left.join(" · "));
    }
    if let Some(said) = ranges_said(&shown.report) {
        ui.weak(said);
    }
}

fn line(ui: &mut Ui, table: &DifferentialTable, row: &DifferentialRow, absolute: bool, ranged: bool) {
    let colour = theme::label_colour(&row.label, ui.visuals().dark_mode);
    ui.horizontal(|ui| {
        let (rect, _) = ui.allocate_exact_size(vec2(10.0, 14.0), Sense::hover());
        ui.painter().rect_filled(Rect::from_center_size(rect.center(), vec2(10.0, 10.0)), 3.0, colour);
        ui.label(look_up(&row.label));
    });
    number(ui, NUMBER, RichText::new(whole(row.count.all)))
        .on_hover_text(tr!("%{n} of them reviewed", n = row.count.reviewed));
    let dash = || RichText::new("–").weak();
    match (row.percent(table), row.limits()) {
        (Some(share), Some((low, high))) => {
            number(ui, NUMBER, RichText::new(written(share)).strong());
            number(ui, INTERVAL, RichText::new(format!("{}–{}", written(low), written(high))))
                .on_hover_text(tr!("Exact (Clopper–Pearson), n = %{n}", n = table.white.all));
        }
        _ => {
            number(ui, NUMBER, dash());
            number(ui, INTERVAL, dash());
        }
    }
    bar(ui, row, colour);
    if absolute {
        match row.absolute() {
            Some((value, low, high)) => number(ui, NUMBER, RichText::new(written(value))).on_hover_text(format!(
                "{}–{} ×10⁹/L",
                written(low),
                written(high)
            )),
            None => number(ui, NUMBER, dash()),
        };
    }
    if ranged {
        match &row.range {
            Some(range) => {
                let unit = if one_unit(table).is_some() { "" } else { range.unit.text() };
                let text = format!("{} {unit}", as_written(&range.text()));
                number(ui, RANGE, RichText::new(text.trim())).on_hover_text(range.unit.text())
            }
            None => number(ui, RANGE, dash()),
        };
        match row.flag {
            Some(Flag::Normal) => ui.weak(tr!("normal")),
            Some(Flag::Indeterminate) => ui
                .label(RichText::new(tr!("indeterminate")).italics())
                .on_hover_text(tr!("The interval crosses a limit of the range: so few cells cannot tell")),
            Some(flag) => ui.label(RichText::new(look_up(flag.as_str())).strong().color(theme::error_colour(ui))),
            None => ui.weak("–"),
        };
    }
}

/// The share as a bar with its interval.
#[expect(clippy::cast_possible_truncation, reason = "shares")]
fn bar(ui: &mut Ui, row: &DifferentialRow, colour: Color32) {
    let (rect, response) = ui.allocate_exact_size(vec2(86.0, 16.0), Sense::hover());
    let (share, low, high) = row.share.map_or((0.0, 0.0, 0.0), |(s, l, h)| (s as f32, l as f32, h as f32));
    let words = format!("{} {}", look_up(&row.label), percent(f64::from(share), 1));
    response.widget_info(|| WidgetInfo::labeled(Role::ProgressIndicator, true, &words));
    let at = |v: f32| rect.left() + rect.width() * v;
    let middle = rect.center().y;
    let painter = ui.painter();
    painter.rect_filled(
        Rect::from_min_max(pos2(rect.left(), middle - 4.0), pos2(rect.right(), middle + 4.0)),
        2.0,
        ui.visuals().extreme_bg_color,
    );
    painter.rect_filled(
        Rect::from_min_max(pos2(rect.left(), middle - 4.0), pos2(at(share), middle + 4.0)),
        2.0,
        colour,
    );
    if row.share.is_some() {
        let stroke = Stroke::new(1.3, ui.visuals().strong_text_color());
        painter.hline(at(low)..=at(high), middle, stroke);
        for v in [low, high] {
            painter.vline(at(v), middle - 4.0..=middle + 4.0, stroke);
        }
    }
}

/// What is entered about the case.
fn facts(ui: &mut Ui, cx: &Cx<'_>, state: &State, asked: &mut Asked<Input>) {
    let facts = case_facts(&state.case.record);
    let free = state.label_obstacle().is_none();
    Grid::new("case-facts").num_columns(2).spacing([8.0, 4.0]).show(ui, |ui| {
        let row = |ui: &mut Ui, asked: &mut Asked<Input>, field: CaseField, label: String, about: String| {
            let kept = state.case.record.entries.get(field.as_str()).map_or("", String::as_str);
            let label = ui.label(label).on_hover_text(about);
            entry(ui, &state.case.drafts, asked, Draft::Case(field), kept, free, label.id);
            ui.end_row();
        };
        let about = tr!("The laboratory's id of the sample; no patient's name or number");
        row(ui, asked, CaseField::Sample, tr!("Sample"), about);
        let about = tr!("Total white cell count; with it there are absolute counts");
        row(ui, asked, CaseField::Wbc, tr!("WBC ×10⁹/L"), about);
        row(ui, asked, CaseField::Age, tr!("Age, years"), tr!("For the choice of reference ranges"));
        ui.label(tr!("Sex")).on_hover_text(tr!("For the choice of reference ranges"));
        let response = ui.add_enabled_ui(free, |ui| {
            egui::ComboBox::from_id_salt("sex").selected_text(look_up(facts.sex.as_str())).width(90.0).show_ui(
                ui,
                |ui| {
                    for sex in Sex::ALL {
                        if ui.selectable_label(facts.sex == sex, look_up(sex.as_str())).clicked() {
                            let value = if sex == Sex::Any { "" } else { sex.as_str() };
                            asked.input(Input::Case(CaseField::Sex, value.into()));
                        }
                    }
                },
            )
        });
        let name = tr!("Sex: %{name}", name = look_up(facts.sex.as_str()));
        response.inner.response.widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, &name));
        ui.end_row();
        ui.label(tr!("Method")).on_hover_text(tr!("How the cells were counted; it chooses the panel's code in FHIR"));
        let names = [tr!("with the model"), tr!("by eye alone")];
        let chosen = names[usize::from(facts.manual)].clone();
        let response = ui.add_enabled_ui(free, |ui| {
            egui::ComboBox::from_id_salt("method").selected_text(&chosen).width(110.0).show_ui(ui, |ui| {
                for (manual, name) in [false, true].into_iter().zip(&names) {
                    if ui.selectable_label(facts.manual == manual, name).clicked() {
                        let value = if manual { BY_EYE } else { "" };
                        asked.input(Input::Case(CaseField::Method, value.into()));
                    }
                }
            })
        });
        let name = tr!("Method: %{name}", name = chosen);
        response.inner.response.widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, &name));
        ui.end_row();
        ui.label(tr!("To count"));
        target(ui, facts.target, free, asked);
        ui.end_row();
        let label = ui.label(tr!("Operator")).on_hover_text(tr!("Initials of who sits here, for the audit trail"));
        entry(ui, &state.case.drafts, asked, Draft::Operator, cx.operator, true, label.id);
        ui.end_row();
    });
    command_button(ui, cx, asked, Command::EditRanges);
}
