//! The sheet of a signature, and the dialogs of an amendment and of the reference ranges.

use super::case::{RangeDraft, is_reason};
use super::case_form::{edged, left_out, names, number, obstacle, ranges_said, written};
use super::message::Input;
use super::state::{Dialog, State};
use crate::app::language::{look_up, tr, whole};
use crate::app::textures::{self, Textures};
use crate::app::theme;
use crate::app::widgets::{Asked, Cx, thumbnail};
use crate::domain::ImageResult;
use crate::files::display_name;
use crate::laboratory::{Ranges, Sex, SlideReport, Unit, plain_text};
use crate::workflow::{OTHER_FIELDS, SAME_FIELDS, field_groups};
use egui::{Grid, Id, Key, Role, ScrollArea, TextEdit, Ui, WidgetInfo};
use std::path::PathBuf;
use std::sync::Arc;

/// Side of the small image of a field that is asked about, points.
const FIELD: f32 = 150.0;
/// This many of the images of a group are shown at most.
const SHOWN_IMAGES: usize = 6;

/// Reasons that come up often; any other can be typed.
const REASONS: [&str; 4] = [
    "Too few cells on the slide",
    "Cells damaged or badly stained",
    "Urgent result, review to follow",
    "Images could not be taken again",
];

/// The sheet of a signature: what is signed, what is not complete, who signs.
pub(super) fn sign(
    ui: &Ui,
    cx: &Cx<'_>,
    state: &State,
    textures: &mut Textures,
    reason: &str,
    asked: &mut Asked<Input>,
) {
    let answer = egui::Modal::new(Id::unique("sign")).show(ui.ctx(), |ui| {
        ui.set_width(560.0);
        ui.heading(tr!("Sign"));
        ui.separator();
        sheet(ui, cx, state, textures, reason, asked);
    });
    if answer.should_close() {
        asked.input(Input::Dialog(Dialog::None));
    }
}

fn sheet(ui: &mut Ui, cx: &Cx<'_>, state: &State, textures: &mut Textures, reason: &str, asked: &mut Asked<Input>) {
    let shown = super::differential::shown(ui, state);
    let r = &shown.report;
    let obstacles = r.table.obstacles();
    // What is long scrolls; reason, initials and buttons are always on the screen.
    let room = (ui.ctx().content_rect().height() - 290.0).max(160.0);
    ScrollArea::vertical().id_salt("what is signed").max_height(room).show(ui, |ui| {
        summary(ui, r);
        questions(ui, state, textures, r, asked);
        if !obstacles.is_empty() {
            ui.add_space(6.0);
            ui.colored_label(theme::error_colour(ui), tr!("Not complete yet:"));
            obstacles.iter().for_each(|o| drop(ui.label(format!("· {}", obstacle(o)))));
        }
    });
    let mut reason = reason.to_owned();
    if state.case.files.is_none() {
        ui.horizontal(|ui| {
            ui.spinner();
            ui.label(tr!("Checking the files…"));
        });
    }
    if !obstacles.is_empty() {
        reason_field(ui, &mut reason, asked);
    }
    let id = Id::unique("initials of who signs");
    let mut initials = ui.data(|d| d.get_temp::<String>(id)).unwrap_or_else(|| cx.operator.to_owned());
    ui.add_space(6.0);
    ui.horizontal(|ui| {
        let label = ui.label(tr!("Initials"));
        if edged(ui, &mut initials, 80.0, label.id).changed() {
            ui.data_mut(|d| d.insert_temp(id, initials.clone()));
        }
    });
    ui.weak(tr!("What is signed is locked. An amendment makes a new version; every version is kept."));
    let why = if initials.trim().is_empty() {
        Some(tr!("Enter your initials"))
    } else if !obstacles.is_empty() && !is_reason(&reason) {
        Some(tr!("Give a reason of a few words"))
    } else if state.case.files.is_none() {
        Some(tr!("Checking the files…"))
    } else {
        None
    };
    ui.separator();
    ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
        let text = match r.table.white.all {
            1 => tr!("Sign 1 cell"),
            n => tr!("Sign %{n} cells", n = whole(n)),
        };
        let primary = egui::Button::new(egui::RichText::new(text).strong()).selected(why.is_none());
        let mut button = ui.add_enabled(why.is_none(), primary);
        if let Some(why) = why {
            button = button.on_disabled_hover_text(&why);
            ui.weak(why);
        }
        if ui.button(tr!("Cancel")).clicked() {
            ui.data_mut(|d| d.remove::<String>(id));
            asked.input(Input::Dialog(Dialog::None));
        }
        if button.clicked() {
            ui.data_mut(|d| d.remove::<String>(id));
            asked.input(Input::Operator(initials));
            asked.input(Input::Sign(reason, crate::workflow::now()));
        }
    });
}

/// Why it is signed although something is open: chosen from a list, or typed.
fn reason_field(ui: &mut Ui, reason: &mut String, asked: &mut Asked<Input>) {
    ui.add_space(4.0);
    let label = ui.label(tr!("Sign anyway – give a reason (printed on the report)"));
    ui.horizontal(|ui| {
        let chosen = egui::ComboBox::from_id_salt("reasons").selected_text(tr!("Reasons")).width(100.0);
        let response = chosen.show_ui(ui, |ui| {
            for text in REASONS {
                if ui.selectable_label(false, look_up(text)).clicked() {
                    asked.input(Input::Dialog(Dialog::Sign { reason: look_up(text) }));
                }
            }
        });
        response.response.widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, tr!("Reasons")));
        if edged(ui, reason, 420.0, label.id).changed() {
            asked.input(Input::Dialog(Dialog::Sign { reason: reason.clone() }));
        }
    });
}

/// Sample, slides, count, how it was confirmed, and the numbers.
fn summary(ui: &mut Ui, r: &SlideReport) {
    let table = &r.table;
    Grid::new("sign-summary").num_columns(2).spacing([12.0, 3.0]).show(ui, |ui| {
        let mut line = |name: String, value: String| {
            ui.weak(name);
            ui.label(value);
            ui.end_row();
        };
        let dash = |text: String| if text.is_empty() { "–".to_owned() } else { text };
        line(tr!("Sample"), dash(r.snapshot.case.sample.clone()));
        let slides: Vec<PathBuf> = r.snapshot.slides.iter().map(|(path, _)| path.clone()).collect();
        line(tr!("Slides"), dash(names(&slides)));
        line(tr!("Cells"), super::differential::counted(table));
        if let Some(c) = r.snapshot.confirmed {
            let mut text = tr!("%{n} confirmed one by one", n = whole(c.one_by_one));
            for (n, what) in [
                (c.bulk, "%{n} in bulk"),
                (c.imported, "%{n} taken over from a table"),
                (c.model, "%{n} by the model alone"),
            ] {
                if n > 0 {
                    text = format!("{text}, {}", tr!(what, n = whole(n)));
                }
            }
            line(tr!("Confirmed"), text);
        }
        left_out(r).into_iter().for_each(|text| line(String::new(), text));
        ranges_said(r).into_iter().for_each(|text| line(tr!("Reference ranges"), text));
    });
    ui.add_space(4.0);
    Grid::new("sign-numbers").num_columns(4).spacing([18.0, 2.0]).striped(true).show(ui, |ui| {
        let routine =
            |label: &str| crate::domain::CellClass::find(label).is_some_and(crate::domain::CellClass::routine);
        for row in table.rows.iter().filter(|row| routine(&row.label) || row.count.all > 0) {
            ui.label(look_up(&row.label));
            number(ui, 48.0, whole(row.count.all).into());
            let percent = row.percent(table).map_or_else(|| "–".to_owned(), written);
            number(ui, 56.0, format!("{percent} %").into());
            let absolute = row.absolute().map(|(a, ..)| format!("{} ×10⁹/L", written(a)));
            number(ui, 96.0, absolute.unwrap_or_default().into());
            ui.end_row();
        }
    });
}

/// What is known of images that look like the same field.
#[derive(Clone, Copy)]
enum Fields {
    Undecided,
    Same,
    Different,
}

/// Asks about images that look like the same field, shown side by side, and lets the user take back what was said of them.
fn questions(ui: &mut Ui, state: &State, textures: &mut Textures, r: &SlideReport, asked: &mut Asked<Input>) {
    let undecided = r.table.left.alike.iter().map(|paths| (Fields::Undecided, state.group_of(paths)));
    let said = [(Fields::Same, SAME_FIELDS), (Fields::Different, OTHER_FIELDS)]
        .into_iter()
        .flat_map(|(what, entry)| field_groups(&state.case.record, entry).into_iter().map(move |group| (what, group)));
    for (what, group) in undecided.chain(said) {
        let images: Vec<&Arc<ImageResult>> =
            group.iter().filter_map(|digest| state.images.get(*state.images.with_digest(digest).first()?)).collect();
        let names = names(&images.iter().map(|i| i.path.clone()).collect::<Vec<_>>());
        let n = group.len();
        ui.add_space(4.0);
        ui.label(match what {
            Fields::Undecided => tr!("These %{n} images look like the same field: %{names}", n = n, names = names),
            Fields::Same => tr!("%{n} images are counted as one field: %{names}", n = n, names = names),
            Fields::Different => tr!("%{n} images are counted as different fields: %{names}", n = n, names = names),
        });
        ui.horizontal_wrapped(|ui| {
            for image in images.iter().take(SHOWN_IMAGES) {
                let Some(digest) = image.digest else { continue };
                let name = plain_text(&display_name(&image.path));
                thumbnail(ui, textures, textures::ImageKey::small(digest, None), &image.path, FIELD, &name);
            }
        });
        ui.horizontal(|ui| {
            let same = (true, tr!("Same Field: Count Once"));
            let different = (false, tr!("Different Fields: Count All"));
            let answers = match what {
                Fields::Undecided => vec![same, different],
                Fields::Same => vec![different],
                Fields::Different => vec![same],
            };
            for (same, text) in answers {
                if ui.button(text).clicked() {
                    asked.input(Input::Fields(group.clone(), same));
                }
            }
        });
    }
}

pub(super) fn amend(ui: &mut Ui, reason: &str, asked: &mut Asked<Input>) {
    let mut reason = reason.to_owned();
    let label = ui.label(tr!("Why is it amended? The next version will state it."));
    let edit = ui.add(TextEdit::singleline(&mut reason).desired_width(f32::INFINITY)).labelled_by(label.id);
    edit.request_focus();
    if edit.changed() {
        asked.input(Input::Dialog(Dialog::Amend { reason: reason.clone() }));
    }
    let fine = is_reason(&reason);
    let enter = ui.input(|i| i.key_pressed(Key::Enter));
    if ui.add_enabled(fine, egui::Button::new(tr!("Amend"))).clicked() || (fine && enter) {
        asked.input(Input::Amend(reason));
    }
}

pub(super) fn ranges(ui: &mut Ui, state: &State, drafts: &[RangeDraft], asked: &mut Asked<Input>) {
    let unreadable = match &state.case.ranges {
        Ranges::Unreadable(why) => Some(why),
        _ => None,
    };
    ui.label(tr!("The ranges that come with the program are examples. Enter your laboratory's own; the most specific range for age and sex is used."));
    if let Some(why) = unreadable {
        ui.colored_label(theme::error_colour(ui), why);
    }
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
        if ui.button(tr!("Restore Examples")).clicked() {
            all = crate::laboratory::example_ranges().iter().map(RangeDraft::new).collect();
        }
        let save = if unreadable.is_some() { tr!("Set the Old File Aside and Save") } else { tr!("Save") };
        if ui.button(save).clicked() {
            asked.input(Input::Ranges(all.clone()));
        }
    });
    if all != drafts {
        asked.input(Input::Dialog(Dialog::Ranges(all)));
    }
}
