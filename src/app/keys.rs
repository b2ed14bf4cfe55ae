//! Keys that the user has changed, and keys as text. Plain values.

use super::command::Command;
use egui::{Key, KeyboardShortcut, Modifiers};
use std::collections::{BTreeMap, HashMap};

/// Which keys give which command, where that is not as the program has it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Keymap(HashMap<Command, Option<KeyboardShortcut>>);

impl Keymap {
    /// The keys of a command.
    pub fn get(&self, command: Command) -> Option<KeyboardShortcut> {
        self.0.get(&command).copied().unwrap_or_else(|| command.shortcut())
    }

    /// All keys of a command: its own, and those that hands know from other programs.
    pub fn all_of(&self, command: Command) -> Vec<KeyboardShortcut> {
        let own = self.get(command);
        let also = command.other_shortcut().filter(|_| !self.0.contains_key(&command));
        own.into_iter().chain(also).collect()
    }

    pub fn command(&self, keys: KeyboardShortcut) -> Option<Command> {
        let find = |has: &dyn Fn(Command) -> bool| Command::all().iter().copied().find(|c| has(*c));
        find(&|c| self.get(c) == Some(keys)).or_else(|| find(&|c| self.all_of(c).contains(&keys)))
    }

    /// Gives a command other keys; the command that had them loses them, and is returned. It keeps its own where its second ones went.
    pub fn bind(&mut self, command: Command, keys: KeyboardShortcut) -> Option<Command> {
        let other = self.command(keys).filter(|o| *o != command);
        if let Some(other) = other {
            self.0.insert(other, self.get(other).filter(|own| *own != keys));
        }
        self.0.insert(command, Some(keys));
        other
    }

    /// Whether anything is changed.
    pub fn changed(&self) -> bool {
        !self.0.is_empty()
    }

    /// As settings keep it: a command's own name, and keys or nothing.
    pub fn to_config(&self) -> BTreeMap<String, String> {
        self.0.iter().map(|(c, k)| (c.word(), k.map_or_else(String::new, words))).collect()
    }

    /// From settings; what is not understood is left out.
    pub fn from_words(kept: &BTreeMap<String, String>) -> Self {
        let all: HashMap<String, Command> =
            Command::all().iter().copied().map(|c| (c.word().to_lowercase(), c)).collect();
        let one = |(name, keys): (&String, &String)| {
            let command = *all.get(&name.to_lowercase())?;
            if keys.is_empty() { Some((command, None)) } else { parse(keys).map(|k| (command, Some(k))) }
        };
        Self(kept.iter().filter_map(one).collect())
    }
}

/// Keys as text that does not depend on the system: `Ctrl+Shift+O`.
pub fn words(keys: KeyboardShortcut) -> String {
    let m = keys.modifiers;
    let mut out = String::new();
    for (on, word) in [(m.command || m.ctrl, "Ctrl+"), (m.alt, "Alt+"), (m.shift, "Shift+")] {
        if on {
            out.push_str(word);
        }
    }
    out + keys.logical_key.name()
}

fn parse(text: &str) -> Option<KeyboardShortcut> {
    let mut modifiers = Modifiers::NONE;
    let mut rest = text;
    for (word, modifier) in [("Ctrl+", Modifiers::COMMAND), ("Alt+", Modifiers::ALT), ("Shift+", Modifiers::SHIFT)] {
        if let Some(after) = rest.strip_prefix(word) {
            modifiers = modifiers.plus(modifier);
            rest = after;
        }
    }
    Some(KeyboardShortcut::new(modifiers, Key::from_name(rest)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_the_settings_and_are_never_shared() {
        for command in Command::all().iter().copied() {
            if let Some(keys) = command.shortcut() {
                assert_eq!(parse(&words(keys)), Some(keys), "{command:?}");
            }
        }
        let mut map = Keymap::default();
        let keys = Command::Undo.shortcut().expect("has keys");
        assert_eq!(map.bind(Command::Redo, keys), Some(Command::Undo));
        assert_eq!((map.get(Command::Redo), map.get(Command::Undo)), (Some(keys), None));
        assert_eq!(Keymap::from_words(&map.to_config()), map);
        // A command's second keys are its keys, too.
        let mut map = Keymap::default();
        let second = Command::Redo.other_shortcut().expect("has them");
        assert_eq!(map.bind(Command::FitImage, second), Some(Command::Redo));
        let own = Command::Redo.shortcut().expect("has keys");
        assert_eq!((map.command(second), map.all_of(Command::Redo)), (Some(Command::FitImage), vec![own]));
        // As version 0.1.0 wrote it.
        let before = BTreeMap::from([
            ("UseProvider(DirectMl)".to_owned(), "F9".to_owned()),
            ("ExportCsv".to_owned(), String::new()),
        ]);
        let read = Keymap::from_words(&before);
        assert_eq!(read.get(Command::UseProvider(crate::inference::Provider::DirectMl)).map(words), Some("F9".into()));
        assert_eq!(read.get(Command::Export(crate::workflow::Export::Labels)), None);
        let odd =
            BTreeMap::from([("Nothing".to_owned(), "Ctrl+Q".to_owned()), ("Undo".to_owned(), "Hyper+X".to_owned())]);
        assert_eq!(Keymap::from_words(&odd), Keymap::default());
    }
}
