//! The page of the first start.

use super::message::Input;
use super::state::State;
use crate::app::command::Command;
use crate::app::language::{look_up, tr};
use crate::app::theme;
use crate::app::widgets::{Asked, Cx};
use crate::files::display_path;
use egui::{CentralPanel, RichText, Ui};

pub(super) fn first_run(ui: &mut Ui, cx: &Cx<'_>, state: &State, asked: &mut Asked<Input>) {
    CentralPanel::default().show(ui, |ui| {
        ui.vertical_centered(|ui| {
            ui.add_space((ui.available_height() * 0.14).max(16.0));
            ui.label(RichText::new("Leukoscope").size(34.0).strong());
            ui.label(
                RichText::new(tr!("White blood cells of stained smears: found, classified, counted. Offline."))
                    .size(15.0),
            );
            ui.add_space(22.0);
            if let Some(trouble) = &state.trouble {
                ui.set_max_width(620.0);
                ui.colored_label(theme::error_colour(ui), trouble);
                ui.add_space(14.0);
            }
            if let Some(nothing) = &state.nothing_in {
                ui.set_max_width(620.0);
                ui.colored_label(theme::error_colour(ui), nothing);
                ui.add_space(14.0);
            }
            for command in [Command::OpenFolder, Command::OpenImage, Command::DemoSlide] {
                let keys = cx.keys.get(command).map(|k| ui.ctx().format_shortcut(&k)).unwrap_or_default();
                let button = egui::Button::new(RichText::new(command.text()).size(16.0))
                    .shortcut_text(keys)
                    .min_size(egui::vec2(300.0, 42.0));
                if ui.add(button).on_hover_text(command.tooltip()).clicked() {
                    asked.command(command);
                }
            }
            ui.add_space(8.0);
            ui.weak(tr!("or drop images and folders anywhere on this window"));
            if !cx.recent.is_empty() {
                ui.add_space(20.0);
                ui.label(RichText::new(tr!("Recent")).strong());
                for path in cx.recent.iter().take(6) {
                    if ui.link(display_path(path)).clicked() {
                        asked.input(Input::Open(vec![path.clone()]));
                    }
                }
            }
            ui.add_space(26.0);
            let known: Vec<String> = state.model.classes.names().iter().map(|l| look_up(l)).collect();
            ui.weak(tr!("Model: %{name}. It knows %{classes}.", name = state.model.name, classes = known.join(", ")));
            if let Some(lacking) = cx.model.lacking() {
                ui.weak(lacking);
            }
            ui.weak(tr!("Research use only"));
        });
    });
}
