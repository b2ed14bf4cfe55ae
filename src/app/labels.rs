//! What the window knows of a person's labels: the session's verdicts, what can be undone, what is on its way to the disk.
//! Plain values; no egui, no disk, no thread.

use crate::session::{CellKey, Edit, History, Verdict};
use std::collections::{BTreeMap, HashMap};

/// The word of the contract for a cell that nobody can name.
pub const UNIDENTIFIED: &str = "unidentified";

/// What happened to the session.
#[derive(Debug)]
pub enum SessionEvent {
    /// It is open: its verdicts, why nothing can be written where that is so, and what was said about it.
    Opened(BTreeMap<CellKey, Verdict>, Option<String>, Vec<String>),
    /// So many edits are on the disk.
    Saved(usize),
    /// An edit could not be kept: why, and what the session holds.
    Failed(String, BTreeMap<CellKey, Verdict>),
}

/// The labels of what is open.
#[derive(Debug, Clone, Default)]
pub struct LabelView {
    /// What people said, by cell.
    pub verdicts: HashMap<CellKey, Verdict>,
    /// What can be undone.
    pub history: History,
    /// Whether a session is open.
    pub open: bool,
    /// Why nothing can be written, where that is so.
    pub read_only: Option<String>,
    /// Edits that are not yet on the disk.
    pub waiting: usize,
    /// Cells on the screen that somebody looked at.
    pub reviewed: usize,
}

impl LabelView {
    /// Why no label can be given now; `None` where it can.
    #[must_use]
    pub fn obstacle(&self) -> Option<&str> {
        match (&self.read_only, self.open) {
            (Some(why), _) => Some(why),
            (None, false) => Some("no session is open yet"),
            (None, true) => None,
        }
    }

    /// Changes the verdicts as an edit says. It is not durable before the session says so.
    pub(super) fn apply(&mut self, edit: &Edit) {
        for change in &edit.changes {
            match &change.after {
                Some(verdict) => self.verdicts.insert(change.key, verdict.clone()),
                None => self.verdicts.remove(&change.key),
            };
        }
        self.waiting += 1;
    }

    /// A word for the status bar, and a sentence about it.
    #[must_use]
    pub fn saved(&self) -> (String, String) {
        let n = self.verdicts.len();
        match (&self.read_only, self.waiting) {
            (Some(why), _) => ("Read only".into(), format!("Labels cannot be given: {why}")),
            (None, 0) if n == 0 => {
                ("Nothing unsaved".into(), "Labels are kept as they are given; pictures are only read".into())
            }
            (None, 0) => (format!("{n} labels saved"), "Every label is on the disk".into()),
            (None, waiting) => ("Saving…".into(), format!("{waiting} edits are on their way to the disk")),
        }
    }
}
