//! The plain keys of commands on pages that have none of their own.

use super::update::Input;
use crate::app::widgets::{Asked, Cx, Pressed, focus_keys, pressed, take_keys};
use egui::Ui;

/// Takes the plain keys of commands (`plain`), and the key that goes to the controls.
pub(crate) fn keys(ui: &Ui, cx: &Cx<'_>, plain: bool, asked: &mut Asked<Input>) {
    let mut tabbed = false;
    let taken: Vec<Pressed<Input>> =
        take_keys(ui, |key, repeated| if plain { pressed(cx, key, repeated, &mut tabbed) } else { None });
    for pressed in taken {
        match pressed {
            Pressed::Nothing => {}
            Pressed::Input(input) => asked.input(input),
            Pressed::Command(command) => asked.command(command),
            Pressed::Refused(why) => asked.input(Input::Refused(why)),
        }
    }
    focus_keys(ui, tabbed);
}
