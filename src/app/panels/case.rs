//! What the case's forms are made of: an entry that is kept when it is left, the target, the dialogs of signing, amending and
//! of the reference ranges.

use crate::app::Asked;
use crate::app::case::RangeDraft;
use crate::app::language::{look_up, tr};
use crate::app::state::{Dialog, State};
use crate::app::theme;
use crate::app::update::Input;
use crate::laboratory::{Obstacle, Sex, TARGETS, Unit};
use egui::{Grid, Id, Key, Role, ScrollArea, TextEdit, Ui, WidgetInfo};
use std::collections::BTreeMap;

/// A text that is kept when it is left or Enter is pressed; Escape takes it back.
#[expect(clippy::too_many_arguments, reason = "a widget of its callers' choosing")]
pub(super) fn entry(
    ui: &mut Ui,
    drafts: &BTreeMap<&'static str, String>,
    asked: &mut Asked,
    name: &'static str,
    kept: &str,
    hint: &str,
    free: bool,
    label: Id,
    keep: &mut dyn FnMut(String) -> Input,
) {
    let mut text = drafts.get(name).cloned().unwrap_or_else(|| kept.to_owned());
    let edit = TextEdit::singleline(&mut text).hint_text(hint).desired_width(96.0);
    let response = ui.add_enabled(free, edit).labelled_by(label);
    if response.changed() {
        // In the state, so that it is kept by whatever way the field leaves the screen.
        asked.input(Input::CaseDraft(name, Some(text.clone())));
    }
    if response.lost_focus() {
        let escaped = ui.input(|i| i.key_pressed(Key::Escape));
        asked.input(Input::CaseDraft(name, None));
        if !escaped && text != kept {
            asked.input(keep(text));
        }
    }
}

/// How many cells to count.
pub(super) fn target(ui: &mut Ui, present: usize, free: bool, asked: &mut Asked) {
    ui.horizontal(|ui| {
        for n in TARGETS {
            let button = egui::Button::new(n.to_string()).selected(present == n);
            if ui.add_enabled(free, button).clicked() {
                asked.input(Input::Case("target".into(), n.to_string()));
            }
        }
    });
}

pub(super) fn label(ui: &mut Ui, text: &str, asked: &mut Asked) {
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

pub(super) fn sign(ui: &mut Ui, state: &State, reason: &str, asked: &mut Asked) {
    let obstacles = state.table(None).obstacles();
    ui.label(tr!("What is signed is locked. An amendment makes a new version; every version is kept."));
    if state.operator.is_empty() {
        ui.colored_label(theme::error_colour(ui), tr!("Enter your initials under Operator first."));
    } else {
        ui.label(tr!("Operator: %{who}", who = state.operator));
    }
    let mut reason = reason.to_owned();
    if !obstacles.is_empty() {
        ui.add_space(6.0);
        ui.colored_label(theme::error_colour(ui), tr!("Something is open:"));
        for obstacle in &obstacles {
            let text = match *obstacle {
                Obstacle::NothingCounted => tr!("nothing is counted"),
                Obstacle::Unreviewed(n, all) => tr!("%{n} of %{all} cells are not reviewed", n = n, all = all),
                Obstacle::Unidentified(n) => tr!("%{n} cells are unidentified", n = n),
            };
            ui.label(format!("· {text}"));
        }
        let label = ui.label(tr!("It can be signed all the same, for a reason that the report will state:"));
        let edit = ui.add(TextEdit::singleline(&mut reason).desired_width(f32::INFINITY)).labelled_by(label.id);
        if edit.changed() {
            asked.input(Input::Dialog(Dialog::Sign { reason: reason.clone() }));
        }
    }
    let fine = !state.operator.is_empty() && (obstacles.is_empty() || !reason.trim().is_empty());
    let enter = ui.input(|i| i.key_pressed(Key::Enter) && i.modifiers.is_none());
    if ui.add_enabled(fine, egui::Button::new(tr!("Sign"))).clicked() || (fine && enter) {
        asked.input(Input::Sign(reason, crate::workflow::now()));
    }
}

pub(super) fn amend(ui: &mut Ui, reason: &str, asked: &mut Asked) {
    let mut reason = reason.to_owned();
    let label = ui.label(tr!("Why is it amended? The next version will state it."));
    let edit = ui.add(TextEdit::singleline(&mut reason).desired_width(f32::INFINITY)).labelled_by(label.id);
    edit.request_focus();
    if edit.changed() {
        asked.input(Input::Dialog(Dialog::Amend { reason: reason.clone() }));
    }
    let fine = !reason.trim().is_empty();
    let enter = ui.input(|i| i.key_pressed(Key::Enter));
    if ui.add_enabled(fine, egui::Button::new(tr!("Amend"))).clicked() || (fine && enter) {
        asked.input(Input::Amend(reason));
    }
}

pub(super) fn ranges(ui: &mut Ui, drafts: &[RangeDraft], asked: &mut Asked) {
    ui.label(tr!("The ranges that come with the program are examples. Enter your laboratory's own; the narrowest one for age and sex holds."));
    let mut all = drafts.to_vec();
    let mut gone = None;
    ScrollArea::vertical().max_height(380.0).show(ui, |ui| {
        Grid::new("ranges").num_columns(8).spacing([6.0, 4.0]).show(ui, |ui| {
            for head in
                [tr!("label"), tr!("unit"), tr!("sex"), tr!("from age"), tr!("below age"), tr!("low"), tr!("high")]
            {
                ui.weak(head);
            }
            ui.end_row();
            for (i, draft) in all.iter_mut().enumerate() {
                let number = (i + 1).to_string();
                let field = |ui: &mut Ui, text: &mut String, width: f32, name: String| {
                    let name = format!("{name} {number}");
                    let response = ui.add_sized([width, 22.0], TextEdit::singleline(text));
                    let value = text.clone();
                    response.widget_info(|| {
                        let mut info = WidgetInfo::text_edit(true, "", &value, "");
                        info.label = Some(name.clone());
                        info
                    });
                };
                field(ui, &mut draft.label, 130.0, tr!("label"));
                let unit = egui::ComboBox::from_id_salt(("unit", i)).selected_text(draft.unit.text()).width(70.0);
                let response = unit.show_ui(ui, |ui| {
                    for unit in [Unit::Absolute, Unit::Percent] {
                        ui.selectable_value(&mut draft.unit, unit, unit.text());
                    }
                });
                let name = format!("{} {number}", tr!("unit"));
                response.response.widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, &name));
                let chosen = look_up(draft.sex.as_str());
                let sex = egui::ComboBox::from_id_salt(("sex", i)).selected_text(chosen).width(80.0);
                let response = sex.show_ui(ui, |ui| {
                    for sex in Sex::ALL {
                        ui.selectable_value(&mut draft.sex, sex, look_up(sex.as_str()));
                    }
                });
                let name = format!("{} {number}", tr!("sex"));
                response.response.widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, &name));
                let names = [tr!("from age"), tr!("below age"), tr!("low"), tr!("high")];
                for (text, name) in draft.numbers.iter_mut().zip(names) {
                    field(ui, text, 48.0, name);
                }
                if ui.button(tr!("Remove")).clicked() {
                    gone = Some(i);
                }
                ui.end_row();
            }
        });
    });
    if let Some(i) = gone {
        all.remove(i);
    }
    ui.horizontal(|ui| {
        if ui.button(tr!("Add a Range")).clicked() {
            all.push(RangeDraft::default());
        }
        if ui.button(tr!("Examples Again")).clicked() {
            all = crate::laboratory::example_ranges().iter().map(RangeDraft::of).collect();
        }
        if ui.button(tr!("Keep These Ranges")).clicked() {
            asked.input(Input::Ranges(all.clone()));
        }
    });
    if all != drafts {
        asked.input(Input::Dialog(Dialog::Ranges(all)));
    }
}
