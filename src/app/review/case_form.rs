//! What the case's forms are made of: an entry that is kept when it is left, the target, numbers, and what is not complete in the words of
//! the window.

use super::case::Draft;
use super::message::Input;
use super::state::Dialog;
use crate::app::language::{decimal, tr, whole};
use crate::app::widgets::Asked;
use crate::files::display_name;
use crate::laboratory::{
    CaseField, Obstacle, RangeSource, Rounded, RunRecord, SlideReport, TARGETS, listed, plain_text,
};
use egui::{Id, Key, RichText, TextEdit, Ui, vec2};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A text that is kept when it is left or Enter is pressed; Escape takes it back.
pub(super) fn entry(
    ui: &mut Ui,
    drafts: &BTreeMap<Draft, String>,
    asked: &mut Asked<Input>,
    name: Draft,
    kept: &str,
    free: bool,
    label: Id,
) {
    let mut text = drafts.get(&name).cloned().unwrap_or_else(|| kept.to_owned());
    let edit = TextEdit::singleline(&mut text).desired_width(96.0);
    let response = ui.add_enabled(free, edit).labelled_by(label);
    if response.changed() {
        // In the state, so that it is kept by whatever way the field leaves the screen.
        asked.input(Input::CaseDraft(name, Some(text.clone())));
    }
    if response.lost_focus() {
        let escaped = ui.input(|i| i.key_pressed(Key::Escape));
        asked.input(Input::CaseDraft(name, None));
        if !escaped && text != kept {
            asked.input(name.kept(text));
        }
    }
}

/// How many cells to count.
pub(super) fn target(ui: &mut Ui, present: usize, free: bool, asked: &mut Asked<Input>) {
    ui.horizontal(|ui| {
        for n in TARGETS {
            let button = egui::Button::new(n.to_string()).selected(present == n);
            if ui.add_enabled(free, button).clicked() {
                asked.input(Input::Case(CaseField::Target, n.to_string()));
            }
        }
    });
}

pub(super) fn label(ui: &mut Ui, text: &str, asked: &mut Asked<Input>) {
    let mut text = text.to_owned();
    let label = ui.label(tr!("A label for the chosen cells, as your laboratory calls them"));
    let edit = ui.add(TextEdit::singleline(&mut text).desired_width(f32::INFINITY)).labelled_by(label.id);
    edit.request_focus();
    if edit.changed() {
        asked.input(Input::Dialog(Dialog::Label(text.clone())));
    }
    let fine = !text.trim().is_empty();
    let enter = ui.input(|i| i.key_pressed(Key::Enter));
    if ui.add_enabled(fine, egui::Button::new(tr!("Give Label"))).clicked() || (fine && enter) {
        asked.input(Input::SetLabel(None, text));
    }
}

/// What is not complete, in the language of the window.
pub(super) fn obstacle(o: &Obstacle) -> String {
    match o {
        Obstacle::NothingCounted => tr!("nothing is counted"),
        Obstacle::TargetNotReached(n, target) => {
            tr!("%{n} counted (target %{target} not reached)", n = whole(*n), target = whole(*target))
        }
        Obstacle::Unreviewed(n, all) => tr!("%{n} of %{all} cells are not reviewed", n = whole(*n), all = whole(*all)),
        Obstacle::Unidentified(1) => tr!("1 cell is unidentified"),
        Obstacle::Unidentified(n) => tr!("%{n} cells are unidentified", n = whole(*n)),
        Obstacle::NotLookedAt(n, all) => {
            tr!("%{n} of %{all} images were not looked at", n = whole(*n), all = whole(*all))
        }
        Obstacle::RunNotEnded => tr!("the run ended before all images were listed"),
        Obstacle::Failed(1) => tr!("1 image failed"),
        Obstacle::Failed(n) => tr!("%{n} images failed", n = whole(*n)),
        Obstacle::Changed(1) => tr!("1 image changed since it was looked at (F5 classifies it again)"),
        Obstacle::Changed(n) => {
            tr!("%{n} images changed since they were looked at (F5 classifies them again)", n = whole(*n))
        }
        Obstacle::Gone(1) => tr!("1 image is gone since the last look"),
        Obstacle::Gone(n) => tr!("%{n} images are gone since the last look", n = whole(*n)),
        Obstacle::LookAlike(1) => tr!("1 group of images looks like the same field"),
        Obstacle::LookAlike(n) => tr!("%{n} groups of images look like the same field", n = whole(*n)),
        Obstacle::NotInCatalogue(names) => {
            tr!("counted as white cells, not in the catalogue: %{names}", names = listed(names, NAMED))
        }
        Obstacle::RangesUnreadable => tr!("the laboratory's reference ranges cannot be read"),
    }
}

/// How many names a line holds.
pub(super) const NAMED: usize = 5;

pub(super) fn names(paths: &[PathBuf]) -> String {
    listed(&paths.iter().map(|p| plain_text(&display_name(p))).collect::<Vec<_>>(), NAMED)
}

/// What was left out of the count, in the language of the window.
pub(super) fn left_out(r: &SlideReport) -> Vec<String> {
    let left = &r.table.left;
    let mut out = Vec::new();
    match left.copies.len() {
        0 => {}
        1 => out.push(tr!("1 copy left out: %{names}", names = names(&left.copies))),
        n => out.push(tr!("%{n} copies left out: %{names}", n = whole(n), names = names(&left.copies))),
    }
    match left.same_fields.len() {
        0 => {}
        1 => out.push(tr!("1 image of the same field left out: %{names}", names = names(&left.same_fields))),
        n => {
            let names = names(&left.same_fields);
            out.push(tr!("%{n} images of the same field left out: %{names}", n = whole(n), names = names));
        }
    }
    for (n, text) in [
        (left.changed, "%{n} changed since they were looked at"),
        (left.gone, "%{n} gone since the last look"),
        (left.labels_gone, "labels of images that are gone or changed: %{n}"),
        (left.labels_unmatched, "labels of cells that are not found now: %{n}"),
        (r.table.run.map_or(0, RunRecord::left), "images not looked at: %{n}"),
    ] {
        if n > 0 {
            out.push(tr!(text, n = whole(n)));
        }
    }
    if !r.table.off_catalogue.is_empty() {
        let names = listed(&r.table.off_catalogue, NAMED);
        out.push(tr!("counted as white cells, not in the catalogue: %{names}", names = names));
    }
    out
}

/// What the reference ranges are worth, in the language of the window; nothing where they are the laboratory's own.
pub(super) fn ranges_said(r: &SlideReport) -> Option<String> {
    match r.table.ranges {
        RangeSource::Unreadable => Some(tr!("The laboratory's reference ranges cannot be read: nothing is flagged")),
        RangeSource::Examples if r.table.rows.iter().any(|row| row.range.is_some()) => {
            Some(tr!("Example ranges, not validated"))
        }
        _ => None,
    }
}

/// A line of text with an edge that is seen on every ground.
pub(super) fn edged(ui: &mut Ui, text: &mut String, width: f32, label: Id) -> egui::Response {
    ui.scope(|ui| {
        let edge = egui::Stroke::new(1.0, ui.visuals().weak_text_color());
        ui.visuals_mut().widgets.inactive.bg_stroke = edge;
        ui.visuals_mut().widgets.hovered.bg_stroke = edge;
        ui.add(TextEdit::singleline(text).desired_width(width)).labelled_by(label)
    })
    .inner
}

/// A number at the right of its column.
pub(super) fn number(ui: &mut Ui, width: f32, text: RichText) -> egui::Response {
    let layout = egui::Layout::right_to_left(egui::Align::Center);
    ui.allocate_ui_with_layout(vec2(width, ui.spacing().interact_size.y), layout, |ui| {
        ui.set_min_width(width);
        ui.label(text)
    })
    .inner
}

/// A rounded number as the language writes it.
pub(super) fn written(n: Rounded) -> String {
    decimal(n.value(), n.decimals())
}
