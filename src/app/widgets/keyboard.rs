//! Keys that give commands. Which keys those are is the keymap's; what a command does is its page's.

use super::Cx;
use crate::app::command::Command;
use egui::{Key, KeyboardShortcut, Modifiers, Ui};

/// What a key press comes to.
pub(crate) enum Pressed<I> {
    /// Taken, and nothing is done.
    Nothing,
    /// Something of the page.
    Input(I),
    Command(Command),
    /// A command that cannot be done now, for this reason.
    Refused(String),
}

/// The commands' own keys; those without modifiers wait until it is known whether something is being typed. `ask` is told of each command
/// that is enabled, or why it cannot be done.
pub(crate) fn shortcuts(ui: &Ui, cx: &Cx<'_>, mut ask: impl FnMut(Result<Command, String>)) {
    // The most specific keys first: Ctrl+Shift+O is not Ctrl+O.
    let mut all: Vec<(Command, KeyboardShortcut)> =
        Command::all().iter().copied().flat_map(|c| cx.keys.all_of(c).into_iter().map(move |k| (c, k))).collect();
    all.sort_by_key(|(_, k)| std::cmp::Reverse(u8::from(k.modifiers.shift) + u8::from(k.modifiers.alt)));
    for (command, keys) in all {
        if (keys.modifiers.any() || is_function_key(keys.logical_key))
            && !(typing(ui) && for_text(keys))
            && consume(ui, keys)
        {
            let now = (cx.look)(command);
            match now.refusal {
                _ if now.enabled => ask(Ok(command)),
                Some(why) => ask(Err(why)),
                None => {}
            }
        }
    }
}

/// Takes a key press that is exactly this: Shift and Alt count too, but for signs, which need Shift on some keyboards.
fn consume(ui: &Ui, keys: KeyboardShortcut) -> bool {
    let sign =
        matches!(keys.logical_key, Key::Plus | Key::Minus | Key::Slash | Key::Period | Key::Equals | Key::Questionmark);
    ui.input_mut(|i| {
        let before = i.events.len();
        i.events.retain(|event| match event {
            egui::Event::Key { key, pressed: true, modifiers, .. } if *key == keys.logical_key => {
                let wanted = keys.modifiers;
                let same = modifiers.cmd_ctrl_matches(wanted)
                    && modifiers.alt == wanted.alt
                    && (sign || modifiers.shift == wanted.shift);
                !same
            }
            _ => true,
        });
        i.events.len() < before
    })
}

fn is_function_key(key: Key) -> bool {
    key.name().strip_prefix('F').is_some_and(|n| n.parse::<u8>().is_ok())
}

fn typing(ui: &Ui) -> bool {
    ui.ctx().text_edit_focused()
}

/// What belongs to whoever types: take back, choose all, copy and paste.
fn for_text(keys: KeyboardShortcut) -> bool {
    matches!(keys.logical_key, Key::A | Key::C | Key::V | Key::X | Key::Z | Key::Y)
}

/// What a key without modifiers comes to; nothing where it belongs to no command that can be done or explained. `tabbed` notes that the
/// key would also move the focus.
pub(crate) fn pressed<I>(cx: &Cx<'_>, key: Key, repeated: bool, tabbed: &mut bool) -> Option<Pressed<I>> {
    let command = cx.keys.command(KeyboardShortcut::new(Modifiers::NONE, key))?;
    let now = (cx.look)(command);
    if !now.enabled {
        return now.refusal.map(Pressed::Refused);
    }
    *tabbed |= key == Key::Tab;
    // A key that is held labels one cell, and not all that come after it.
    Some(if repeated && command.labels() { Pressed::Nothing } else { Pressed::Command(command) })
}

/// Tab went to the page and not to the controls (`tabbed`): F6 goes there.
pub(crate) fn focus_keys(ui: &Ui, tabbed: bool) {
    if tabbed {
        ui.ctx().memory_mut(|m| {
            if let Some(focused) = m.focused() {
                m.surrender_focus(focused);
            }
        });
    } else if ui.input_mut(|i| i.consume_key(Modifiers::NONE, Key::F6)) {
        ui.ctx().memory_mut(|m| m.move_focus(egui::FocusDirection::Next));
    }
}

/// Takes the keys pressed without modifiers that `handle` knows, in the order in which they were pressed: fast fingers press
/// several within one frame, and what they meant must not depend on which key is looked for first.
pub(crate) fn take_keys<T>(ui: &Ui, mut handle: impl FnMut(Key, bool) -> Option<T>) -> Vec<T> {
    ui.input_mut(|i| {
        let mut taken = Vec::new();
        i.events.retain(|event| match event {
            egui::Event::Key { key, pressed: true, modifiers, repeat, .. } if modifiers.is_none() => {
                match handle(*key, *repeat) {
                    Some(input) => {
                        taken.push(input);
                        false
                    }
                    None => true,
                }
            }
            _ => true,
        });
        taken
    })
}
