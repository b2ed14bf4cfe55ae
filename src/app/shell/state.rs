//! What is around every page: which page is open, what was said, dialogs that belong to no page, and the settings. Plain values.

use crate::app::choice::{Page, ThemeChoice};
use crate::app::command::Command;
use crate::app::keys::Keymap;
use crate::app::language::{Language, tr};
use crate::files::display_path;
use std::path::{Path, PathBuf};

/// How long a toast stays, seconds.
const TOAST_SECONDS: f64 = 6.0;
/// How many lines the log keeps; the failed tiles have their reasons anyway.
pub const LOG_LINES: usize = 5000;

/// A word about something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Toast {
    pub text: String,
    /// Whether it is bad news.
    pub error: bool,
    /// What a key did to a cell: the next one takes its place.
    pub feedback: bool,
    /// When it goes, seconds.
    pub until: f64,
}

/// Which dialog is open that belongs to no page.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Dialog {
    #[default]
    None,
    Path {
        text: String,
        /// Why it is asked, where there is a reason.
        why: String,
        /// The folder is to be watched.
        watch: bool,
    },
    Palette {
        query: String,
        /// Which of the fitting commands is chosen.
        chosen: usize,
    },
    /// All keys; one of them may be waiting for its new keys.
    Keyboard(Option<Command>),
    /// What the self-check found; `None` while it looks.
    SelfCheck(Option<String>),
    /// The guide's page at this position.
    Guide(usize),
    Log,
    About,
}

/// What the window knows beside its pages.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The page that is open.
    pub page: Page,
    pub theme: ThemeChoice,
    /// The language of the window.
    pub language: Language,
    /// Keys that the user has changed.
    pub keys: Keymap,
    /// Initials of who sits here, for the audit trail.
    pub operator: String,
    /// What was opened before, newest first.
    pub recent: Vec<PathBuf>,
    /// Short words on the screen.
    pub toasts: Vec<Toast>,
    pub log: Vec<String>,
    pub dialog: Dialog,
    /// The window should close.
    pub quit: bool,
}

impl State {
    /// Shows a toast for a while, and appends it to the log for good.
    pub fn say(&mut self, text: String, error: bool, now: f64) {
        self.log.push(text.clone());
        let until = now + if error { 2.0 * TOAST_SECONDS } else { TOAST_SECONDS };
        self.toasts.push(Toast { text, error, feedback: false, until });
    }

    /// Says what a key did to which cell; the next key's takes its place.
    pub fn feedback(&mut self, text: String, now: f64) {
        self.toasts.retain(|t| !t.feedback);
        self.toasts.push(Toast { text, error: false, feedback: true, until: now + TOAST_SECONDS });
    }

    /// No file dialog answered: a path can be typed. `watch`: of a folder that is to be watched.
    pub fn ask_path(&mut self, watch: bool) {
        let why = tr!("No file dialog answered on this system. Type or paste a path, or drop files onto the window.");
        self.dialog = Dialog::Path { text: String::new(), why, watch };
    }

    /// Says that a file was written.
    pub fn written(&mut self, path: &Path, now: f64) {
        self.say(tr!("Written: %{path}", path = display_path(path)), false, now);
    }

    /// Lets time pass: toasts go.
    pub fn tick(&mut self, now: f64) {
        self.toasts.retain(|t| t.until > now);
    }

    /// Says why something cannot be done now.
    pub fn refuse(&mut self, why: String, now: f64) {
        // The same key again does not fill the screen.
        if self.toasts.iter().all(|t| t.text != why) {
            self.say(why, true, now);
        }
    }
}
