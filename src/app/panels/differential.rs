//! Below the gallery: the differential of the slide or the case, what was entered, and the way to a signature.

use super::ViewMemory;
use super::case::{entry, target};
use super::frame::command_button;
use crate::app::Asked;
use crate::app::command::Command;
use crate::app::language::{as_written, date, decimal, look_up, percent, tr, whole};
use crate::app::state::State;
use crate::app::theme;
use crate::app::update::Input;
use crate::files::display_name;
use crate::laboratory::{DifferentialTable, Flag, Row, Sex};
use crate::workflow::{case_facts, case_status};
use egui::{Grid, Rect, RichText, Role, ScrollArea, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

pub(super) fn panel(ui: &mut Ui, state: &State, memory: &mut ViewMemory, asked: &mut Asked) {
    // Exact intervals take a while over many cells: they are computed when something changed, not at every frame.
    let facts_now = case_facts(&state.case.record);
    let now = (
        state.slides.counts(state.filter.slide).clone(),
        facts_now,
        state.case.ranges.clone(),
        state.model.sha256.clone(),
    );
    if memory.table.as_ref().is_none_or(|(of, _)| *of != now) {
        memory.table = Some((now, state.table(state.filter.slide)));
    }
    let Some((_, table)) = memory.table.clone() else { return };
    ui.add_space(3.0);
    ui.horizontal(|ui| {
        ui.label(RichText::new(tr!("Differential")).strong());
        scope(ui, state, asked);
        progress(ui, &table);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            sign(ui, state, asked);
        });
    });
    ui.add_space(2.0);
    ui.horizontal_top(|ui| {
        let wide = (ui.available_width() - 262.0).max(300.0);
        ui.allocate_ui(vec2(wide, ui.available_height()), |ui| {
            ScrollArea::both()
                .id_salt("differential")
                .auto_shrink([false, false])
                .show(ui, |ui| ui.vertical(|ui| rows(ui, &table)));
        });
        ui.separator();
        ScrollArea::vertical()
            .id_salt("case")
            .auto_shrink([false, false])
            .show(ui, |ui| ui.vertical(|ui| facts(ui, state, asked)));
    });
}

/// One slide, or all together.
fn scope(ui: &mut Ui, state: &State, asked: &mut Asked) {
    let slides = state.slides.list();
    if slides.len() < 2 {
        return;
    }
    let all = tr!("all %{n} slides together", n = slides.len());
    let name = |id| slides.iter().find(|s| s.id == id).map_or_else(String::new, |s| display_name(&s.path));
    let chosen = state.filter.slide.map_or_else(|| all.clone(), name);
    let set = |asked: &mut Asked, slide| {
        asked.input(Input::Filter(crate::app::state::Filter { slide, ..state.filter.clone() }));
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

#[expect(clippy::cast_precision_loss, reason = "counts")]
fn progress(ui: &mut Ui, table: &DifferentialTable) {
    let text = tr!("%{n} of %{target} counted", n = whole(table.white.all), target = whole(table.target));
    let share = (table.white.all as f32 / table.target.max(1) as f32).min(1.0);
    ui.add(egui::ProgressBar::new(share).desired_width(110.0).desired_height(12.0));
    ui.label(text);
    let reviewed = table.squares - table.unreviewed;
    ui.weak(tr!("%{n} of %{all} reviewed", n = whole(reviewed), all = whole(table.squares)));
}

fn sign(ui: &mut Ui, state: &State, asked: &mut Asked) {
    let (status, version, signed) = case_status(&state.case.record);
    match signed {
        Some((operator, time, _)) => {
            command_button(ui, state, asked, Command::Amend);
            ui.label(RichText::new(tr!("Signed by %{who}, %{when}", who = operator, when = date(&time))).strong())
                .on_hover_text(tr!("Version %{n}, %{status}", n = version, status = look_up(status.code())));
        }
        None => {
            command_button(ui, state, asked, Command::SignOff);
            if version > 0 {
                ui.label(tr!("being amended, version %{n} is signed", n = version));
            } else {
                ui.weak(tr!("not signed"));
            }
        }
    }
    if state.job.is_some() {
        ui.weak(tr!("still classifying"));
    }
}

fn rows(ui: &mut Ui, table: &DifferentialTable) {
    let absolute = table.rows.iter().any(|r| r.absolute.is_some());
    let ranged = table.rows.iter().any(|r| r.range.is_some());
    Grid::new("differential-rows").num_columns(8).spacing([16.0, 3.0]).striped(true).show(ui, |ui| {
        let mut heads = vec![tr!("class"), tr!("count"), "%".into(), tr!("95 % interval"), tr!("distribution")];
        if absolute {
            heads.push("×10⁹/L".into());
        }
        if ranged {
            heads.extend([tr!("range"), tr!("flag")]);
        }
        for head in heads {
            ui.weak(head);
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
            tr!("%{label} %{n} (%{per} per 100 white cells)", label = look_up(label), n = n, per = decimal(*per, 1))
        })
        .collect();
    rest.extend(table.excluded.iter().map(|(label, n)| tr!("excluded: %{label} %{n}", label = look_up(label), n = n)));
    if table.unidentified > 0 {
        rest.push(tr!("unidentified %{n}", n = table.unidentified));
    }
    if let Some(wbc) = table.wbc {
        rest.push(tr!("white cell count used: %{n} ×10⁹/L", n = decimal(wbc, 2)));
    }
    if !rest.is_empty() {
        ui.weak(rest.join(" · "));
    }
}

fn line(ui: &mut Ui, table: &DifferentialTable, row: &Row, absolute: bool, ranged: bool) {
    let colour = theme::label_colour(&row.label, ui.visuals().dark_mode);
    ui.horizontal(|ui| {
        let (rect, _) = ui.allocate_exact_size(vec2(10.0, 14.0), Sense::hover());
        ui.painter().rect_filled(Rect::from_center_size(rect.center(), vec2(10.0, 10.0)), 3.0, colour);
        ui.label(look_up(&row.label));
    });
    ui.label(whole(row.count.all)).on_hover_text(tr!("%{n} of them reviewed", n = row.count.reviewed));
    match row.share {
        Some((share, low, high)) => {
            let decimals = usize::from(table.white.all >= 200);
            ui.label(RichText::new(decimal(share * 100.0, decimals)).strong());
            ui.label(format!("{}–{}", decimal(low * 100.0, 1), decimal(high * 100.0, 1)))
                .on_hover_text(tr!("Exact (Clopper–Pearson), n = %{n}", n = table.white.all));
        }
        None => {
            ui.weak("–");
            ui.weak("–");
        }
    }
    bar(ui, row, colour);
    if absolute {
        match row.absolute {
            Some((value, low, high)) => {
                ui.label(decimal(value, 2)).on_hover_text(format!("{}–{}", decimal(low, 2), decimal(high, 2)))
            }
            None => ui.weak("–"),
        };
    }
    if ranged {
        match &row.range {
            Some(range) => ui.label(as_written(&range.text())).on_hover_text(range.unit.text()),
            None => ui.weak("–"),
        };
        match row.flag {
            Some(Flag::Normal) => ui.weak(tr!("normal")),
            Some(Flag::Indeterminate) => ui
                .label(RichText::new(tr!("indeterminate")).italics())
                .on_hover_text(tr!("The interval crosses a limit of the range: so few cells cannot tell")),
            Some(flag) => ui.label(RichText::new(look_up(flag.as_str())).strong().color(theme::error_colour(ui))),
            None => ui.weak("–").on_hover_text(tr!("Enter the white cell count to judge absolute counts")),
        };
    }
}

/// The share as a bar with its interval.
#[expect(clippy::cast_possible_truncation, reason = "shares")]
fn bar(ui: &mut Ui, row: &Row, colour: egui::Color32) {
    let (rect, response) = ui.allocate_exact_size(vec2(110.0, 16.0), Sense::hover());
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
fn facts(ui: &mut Ui, state: &State, asked: &mut Asked) {
    let facts = case_facts(&state.case.record);
    let free = state.label_obstacle().is_none();
    Grid::new("case-facts").num_columns(2).spacing([8.0, 4.0]).show(ui, |ui| {
        let row = |ui: &mut Ui, asked: &mut Asked, name: &'static str, label: String, hint: &str, about: String| {
            let kept = state.case.record.entries.get(name).map_or("", String::as_str);
            let label = ui.label(label).on_hover_text(about);
            let keep = &mut |value| Input::Case(name.into(), value);
            entry(ui, &state.case.drafts, asked, name, kept, hint, free, label.id, keep);
            ui.end_row();
        };
        row(
            ui,
            asked,
            "sample",
            tr!("Sample"),
            "",
            tr!("The laboratory's id of the sample; no patient's name or number"),
        );
        row(ui, asked, "wbc", tr!("WBC ×10⁹/L"), "", tr!("Total white cell count; with it there are absolute counts"));
        row(ui, asked, "age", tr!("Age, years"), "", tr!("For the choice of reference ranges"));
        ui.label(tr!("Sex")).on_hover_text(tr!("For the choice of reference ranges"));
        let response = ui.add_enabled_ui(free, |ui| {
            egui::ComboBox::from_id_salt("sex").selected_text(look_up(facts.sex.as_str())).width(90.0).show_ui(
                ui,
                |ui| {
                    for sex in Sex::ALL {
                        if ui.selectable_label(facts.sex == sex, look_up(sex.as_str())).clicked() {
                            let value = if sex == Sex::Any { "" } else { sex.as_str() };
                            asked.input(Input::Case("sex".into(), value.into()));
                        }
                    }
                },
            )
        });
        let name = tr!("Sex: %{name}", name = look_up(facts.sex.as_str()));
        response.inner.response.widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, &name));
        ui.end_row();
        ui.label(tr!("To count"));
        target(ui, facts.target, free, asked);
        ui.end_row();
        let label = ui.label(tr!("Operator")).on_hover_text(tr!("Initials of who sits here, for the audit trail"));
        let operator = &state.operator;
        let keep = &mut Input::Operator;
        entry(ui, &state.case.drafts, asked, "operator", operator, "", true, label.id, keep);
        ui.end_row();
    });
    command_button(ui, state, asked, Command::EditRanges);
}
