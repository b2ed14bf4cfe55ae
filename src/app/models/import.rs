//! The wizard that opens somebody else's model: what is known and from where, what is left to be asked, what the model makes of the
//! person's own image, and a check on labelled images.

use super::state::{ModelsInput, Wizard};
use crate::app::language::{percent, tr, whole};
use crate::app::theme;
use crate::app::widgets::Asked;
use crate::domain::laboratory_class;
use crate::files::display_name;
use crate::model::{Crop, Normalization, Question};
use crate::workflow::{Preview, Probed};
use egui::{ComboBox, Grid, RichText, ScrollArea, TextEdit, TextureHandle, TextureOptions, Ui};
use std::sync::Arc;

/// The preview's image on the screen, and of which prestate.
#[derive(Default)]
pub(in crate::app) struct PreviewTexture(Option<(Arc<Preview>, TextureHandle)>);

impl std::fmt::Debug for PreviewTexture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PreviewTexture").field(&self.0.is_some()).finish()
    }
}

pub(super) fn dialog(ui: &Ui, w: &Wizard, texture: &mut PreviewTexture, asked: &mut Asked<ModelsInput>) {
    let height = ui.ctx().content_rect().height() - 190.0;
    let answer = egui::Modal::new(egui::Id::unique("wizard")).show(ui.ctx(), |ui| {
        ui.set_width(880.0);
        ui.heading(tr!("Open \"%{name}\"", name = w.import.name()));
        ui.weak(display_name(w.import.path()));
        ui.separator();
        ScrollArea::vertical().max_height(height.max(240.0)).min_scrolled_height(height.max(240.0)).show(ui, |ui| {
            ui.horizontal_top(|ui| {
                ui.vertical(|ui| {
                    ui.set_width(540.0);
                    questions(ui, w, asked);
                    known(ui, w, asked);
                    classes(ui, w, asked);
                });
                ui.add_space(14.0);
                ui.vertical(|ui| preview(ui, w, texture, asked));
            });
            ui.separator();
            check(ui, w, asked);
        });
        ui.separator();
        end(ui, w, asked);
    });
    if answer.should_close() {
        asked.input(ModelsInput::CloseWizard);
    }
}

fn questions(ui: &mut Ui, w: &Wizard, asked: &mut Asked<ModelsInput>) {
    for question in &w.asked {
        match question {
            Question::Labels(outputs, found) => {
                let n = outputs.map_or_else(|| "?".into(), whole);
                let label = ui.label(
                    RichText::new(tr!("What are its %{n} classes called, in the order of its outputs?", n = n))
                        .strong(),
                );
                if let Some(found) = found {
                    ui.colored_label(theme::error_colour(ui), found);
                }
                let mut text = w.labels.clone();
                let edit = TextEdit::multiline(&mut text)
                    .desired_rows(2)
                    .desired_width(520.0)
                    .hint_text("basophil, eosinophil, lymphocyte, monocyte, neutrophil");
                if ui.add(edit).labelled_by(label.id).changed() {
                    asked.input(ModelsInput::Labels(text));
                }
                ui.weak(tr!("With commas or a line each. 20 labelled images answer it, too (below)."));
            }
            Question::Normalization => {
                ui.label(RichText::new(tr!("What values does it take?")).strong());
                scalings(ui, w.import.answers.scaling, asked);
            }
            Question::Size => {
                let label = ui.label(RichText::new(tr!("How many pixels a side do its images have?")).strong());
                let mut text = w.size.clone();
                let edit = TextEdit::singleline(&mut text).desired_width(80.0).hint_text("224");
                if ui.add(edit).labelled_by(label.id).changed() {
                    asked.input(ModelsInput::Size(text));
                }
            }
            Question::Output(names) => {
                ui.label(RichText::new(tr!("Which of its outputs classifies?")).strong());
                for name in names {
                    let chosen = w.import.answers.output.as_ref() == Some(name);
                    if ui.radio(chosen, name).clicked() {
                        asked.input(ModelsInput::Output(name.clone()));
                    }
                }
            }
        }
        ui.add_space(8.0);
    }
}

fn scalings(ui: &mut Ui, chosen: Option<Normalization>, asked: &mut Asked<ModelsInput>) {
    for (_, scaling, what) in Normalization::KNOWN {
        if ui.radio(chosen.is_some_and(|c| c.near(&scaling)), what).clicked() {
            asked.input(ModelsInput::Normalization(Some(scaling)));
        }
    }
}

/// What is known and from where; what rests on a custom alone can be changed.
fn known(ui: &mut Ui, w: &Wizard, asked: &mut Asked<ModelsInput>) {
    let draft = w.import.draft();
    ui.label(RichText::new(tr!("What is known")).strong());
    Grid::new("known").num_columns(2).spacing([14.0, 5.0]).show(ui, |ui| {
        for e in &draft.evidence {
            ui.label(tr!(part_text(e.part)));
            let assumed = e.source.is_assumed();
            let from = e.source.to_string();
            let from = if assumed { tr!("%{from}; assumed, not stated in the file", from = from) } else { from };
            ui.vertical(|ui| {
                ui.set_max_width(440.0);
                let what = match e.part {
                    crate::model::ContractPart::Normalization => draft.scaling.map(|s| scaling_text(&s)),
                    crate::model::ContractPart::Crop => Some(framing_text(&draft.crop)),
                    _ => None,
                };
                ui.add(egui::Label::new(what.unwrap_or_else(|| e.what.clone())).wrap());
                let from = RichText::new(from).small();
                ui.add(
                    egui::Label::new(if assumed { from.color(theme::error_colour(ui)) } else { from.weak() }).wrap(),
                );
            });
            ui.end_row();
        }
    });
    ui.collapsing(tr!("Change how images are prepared"), |ui| {
        ui.horizontal(|ui| {
            ui.label(tr!("It sees"));
            let now = draft.crop.word();
            ComboBox::from_id_salt("framing").selected_text(framing_text(&draft.crop)).width(330.0).show_ui(ui, |ui| {
                for crop in Crop::candidates() {
                    if ui.selectable_label(crop.word() == now, framing_text(&crop)).clicked() {
                        asked.input(ModelsInput::Crop(crop));
                    }
                }
            });
        });
        if !w.asked.contains(&Question::Normalization) {
            ui.label(tr!("Values"));
            scalings(ui, draft.scaling, asked);
        }
    });
    ui.add_space(6.0);
}

fn part_text(part: crate::model::ContractPart) -> &'static str {
    use crate::model::ContractPart;
    match part {
        ContractPart::Output => "Output",
        ContractPart::Labels => "Classes",
        ContractPart::Size => "Size",
        ContractPart::Normalization => "Values",
        ContractPart::Crop => "Image",
    }
}

fn scaling_text(scaling: &Normalization) -> String {
    let known = Normalization::KNOWN.iter().find(|(_, s, _)| s.near(scaling));
    known.map_or_else(|| scaling.word(), |(_, _, what)| (*what).to_owned())
}

fn framing_text(crop: &Crop) -> String {
    match crop {
        Crop::Whole(w) => match w.crop {
            None => tr!("the whole image, stretched"),
            Some(1.0) => tr!("the largest square in the middle"),
            Some(share) => tr!("a square in the middle, %{share} of the shorter side", share = percent(share, 1)),
        },
        Crop::Cell(c) if c.balanced => tr!("the cell's square, its background balanced"),
        Crop::Cell(_) => tr!("the cell's square, colours as they are"),
    }
}

/// What each class counts as here; once, and kept.
fn classes(ui: &mut Ui, w: &Wizard, asked: &mut Asked<ModelsInput>) {
    let draft = w.import.draft();
    let Some(labels) = &draft.labels else { return };
    ui.label(RichText::new(tr!("Its classes, and what they count as here")).strong());
    Grid::new("classes").num_columns(2).spacing([14.0, 4.0]).show(ui, |ui| {
        for (label, counts) in labels.iter().zip(&draft.counts_as) {
            ui.label(label);
            let mut choices = w.offered();
            if !choices.contains(label) {
                choices.push(label.clone());
            }
            ComboBox::from_id_salt(("counts", label)).selected_text(counts).width(200.0).show_ui(ui, |ui| {
                for choice in choices {
                    if ui.selectable_label(choice == *counts, &choice).clicked() {
                        let usual = laboratory_class(label).unwrap_or(label) == choice;
                        asked
                            .input(ModelsInput::Map(label.clone(), if usual { String::new() } else { choice.clone() }));
                    }
                }
            });
            ui.end_row();
        }
    });
}

fn preview(ui: &mut Ui, w: &Wizard, texture: &mut PreviewTexture, asked: &mut Asked<ModelsInput>) {
    ui.set_width(290.0);
    ui.label(RichText::new(tr!("What it makes of your image")).strong());
    match &w.image {
        Some(image) => ui.weak(display_name(image)),
        None => ui.weak(tr!("No image is open")),
    };
    if ui.button(tr!("Choose an image…")).clicked() {
        asked.input(ModelsInput::AskImage);
    }
    match &w.preview {
        None if w.image.is_some() => {
            ui.spinner();
        }
        None => {}
        Some(Err(why)) => {
            ui.add(egui::Label::new(RichText::new(why.to_string()).color(theme::error_colour(ui))).wrap());
        }
        Some(Ok(found)) => {
            if !texture.0.as_ref().is_some_and(|(of, _)| Arc::ptr_eq(of, found)) {
                let (width, height) = found.image.dimensions();
                let size = [width as usize, height as usize];
                let image = egui::ColorImage::from_rgb(size, found.image.as_raw());
                texture.0 = Some((found.clone(), ui.ctx().load_texture("preview", image, TextureOptions::LINEAR)));
            }
            if let Some((_, texture)) = &texture.0 {
                let image = egui::Image::new((texture.id(), egui::vec2(250.0, 250.0)));
                ui.add(image.alt_text(tr!("What the model sees of it")));
            }
            if found.answers.is_empty() {
                ui.weak(tr!("It answers as soon as its values are known."));
            }
            for (label, p) in found.answers.iter().take(5) {
                ui.horizontal(|ui| {
                    ui.add(egui::ProgressBar::new(*p).desired_width(90.0).text(percent(f64::from(*p), 0)));
                    ui.label(label);
                });
            }
        }
    }
}

/// Where labelled images are: typed, which asks for `typed`, or chosen.
pub(super) fn labelled_images(
    ui: &mut Ui,
    at: &str,
    width: f32,
    asked: &mut Asked<ModelsInput>,
    typed: impl FnOnce(String) -> ModelsInput,
) {
    let label = ui.label(tr!("Labelled images"));
    let mut text = at.to_owned();
    let edit = TextEdit::singleline(&mut text).desired_width(width).hint_text(tr!("a folder with a folder per class"));
    if ui.add(edit).labelled_by(label.id).changed() {
        asked.input(typed(text));
    }
    if ui.button(tr!("Choose…")).clicked() {
        asked.input(ModelsInput::AskData);
    }
}

/// Labelled images through each plausible contract.
fn check(ui: &mut Ui, w: &Wizard, asked: &mut Asked<ModelsInput>) {
    ui.label(RichText::new(tr!("Try it on labelled images")).strong());
    ui.weak(tr!("20 or more, a folder per class: the ways of preparing images are tried, and the labels where they are not known."));
    ui.horizontal(|ui| {
        labelled_images(ui, &w.dataset, 420.0, asked, ModelsInput::Data);
        if ui.add_enabled(!w.busy && !w.dataset.trim().is_empty(), egui::Button::new(tr!("Try"))).clicked() {
            asked.input(ModelsInput::Probe);
        }
        if w.busy {
            ui.spinner();
            if ui.button(tr!("Stop")).clicked() {
                asked.input(ModelsInput::Stop);
            }
        }
    });
    match &w.probed {
        Some(Err(why)) => {
            ui.colored_label(theme::error_colour(ui), why.to_string());
        }
        Some(Ok(probed)) => tried(ui, probed, asked),
        None => {}
    }
}

fn tried(ui: &mut Ui, probed: &Probed, asked: &mut Asked<ModelsInput>) {
    if probed.chosen.is_none() {
        ui.colored_label(theme::error_colour(ui), &probed.why);
    }
    Grid::new("tried").num_columns(5).spacing([16.0, 4.0]).striped(true).show(ui, |ui| {
        for head in [tr!("Values"), tr!("Image"), tr!("Right"), tr!("95 % interval"), String::new()] {
            ui.label(RichText::new(head).strong());
        }
        ui.end_row();
        for (at, t) in probed.tried.iter().take(8).enumerate() {
            ui.label(scaling_text(&t.scaling));
            ui.label(framing_text(&t.crop));
            ui.label(tr!("%{share} of %{n}", share = percent(t.accuracy(), 1), n = whole(t.n)));
            ui.label(format!("{} – {}", percent(t.interval.low, 1), percent(t.interval.high, 1)));
            if probed.chosen == Some(at) {
                ui.label(RichText::new(tr!("taken")).strong());
            } else if ui.small_button(tr!("Take")).clicked() {
                asked.input(ModelsInput::Take(at));
            }
            ui.end_row();
        }
    });
}

fn end(ui: &mut Ui, w: &Wizard, asked: &mut Asked<ModelsInput>) {
    let open = w.open();
    ui.horizontal(|ui| {
        let ready = open.is_empty() && !w.busy;
        let tip = tr!("Your answers are kept beside the program; the file stays as it is");
        if ui.add_enabled(ready, egui::Button::new(RichText::new(tr!("Open")).strong())).on_hover_text(tip).clicked() {
            asked.input(ModelsInput::Adopt);
        }
        let tip = tr!("A copy that says all this itself, with a self-test: it opens anywhere without a question");
        if ui.add_enabled(ready, egui::Button::new(tr!("Save as Leukoscope model…"))).on_hover_text(tip).clicked() {
            asked.input(ModelsInput::SaveAsOurs);
        }
        if ui.button(tr!("Cancel")).clicked() {
            asked.input(ModelsInput::CloseWizard);
        }
        if !open.is_empty() {
            ui.weak(tr!("Still open: %{what}", what = open.join(", ")));
        }
    });
}
