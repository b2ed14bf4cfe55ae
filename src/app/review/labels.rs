//! What the window knows of the user's labels: the session's verdicts, what can be undone, what is on its way to the disk.
//! Plain values; no egui, no disk, no thread.

use crate::app::language::tr;
use crate::domain::History;
use crate::inference::OwnSquares;
use crate::session::{CellKey, Edit, Verdict};
use std::collections::HashMap;

/// The labels of what is open.
#[derive(Debug, Clone, Default)]
pub struct LabelView {
    /// What people said, by cell.
    pub verdicts: HashMap<CellKey, Verdict>,
    /// What can be undone.
    pub history: History<Edit>,
    /// Whether a session is open.
    pub open: bool,
    /// Why nothing can be written, where that is so.
    pub read_only: Option<String>,
    /// Edits that are not yet on the disk.
    pub waiting: usize,
    /// Cells that the user calls something else than the model does.
    pub corrections: usize,
}

impl LabelView {
    /// Why no label can be given now; `None` where it can.
    pub fn obstacle(&self) -> Option<String> {
        match (&self.read_only, self.open) {
            (Some(why), _) => Some(why.clone()),
            (None, false) => Some(tr!("no session is open yet")),
            (None, true) => None,
        }
    }

    /// Changes the verdicts as an edit says. It is not durable before the session says so.
    pub(in crate::app) fn apply(&mut self, edit: &Edit) {
        for change in &edit.changes {
            let count = |v: &Option<Verdict>| usize::from(v.as_ref().is_some_and(corrected));
            self.corrections = (self.corrections + count(&change.after)).saturating_sub(count(&change.before));
            match &change.after {
                Some(verdict) => self.verdicts.insert(change.key, verdict.clone()),
                None => self.verdicts.remove(&change.key),
            };
        }
        self.waiting += 1;
    }

    pub(in crate::app) fn count_corrections(&mut self) {
        self.corrections = self.verdicts.values().filter(|v| corrected(v)).count();
    }

    /// Squares that people drew or moved, for the next classification.
    pub fn own_squares(&self) -> OwnSquares {
        let mut own = OwnSquares::new();
        for (key, square) in self.verdicts.iter().filter_map(|(k, v)| Some((k, v.square?))) {
            own.entry(key.image).or_default().push((key.cell, square));
        }
        own.values_mut().for_each(|all| all.sort_by_key(|(number, _)| *number));
        own
    }

    /// A word for the status bar, and a sentence about it.
    pub fn saved(&self) -> (String, String) {
        let n = self.verdicts.len();
        match (&self.read_only, self.waiting) {
            (Some(why), _) => (tr!("Read only"), tr!("Labels cannot be given: %{why}", why = why)),
            (None, 0) if n == 0 => {
                (tr!("Nothing unsaved"), tr!("Labels are kept as they are given; images are only read"))
            }
            (None, 0) if n == 1 => (tr!("1 label saved"), tr!("Every label is on the disk")),
            (None, 0) => (tr!("%{n} labels saved", n = n), tr!("Every label is on the disk")),
            (None, waiting) => (tr!("Saving…"), tr!("%{n} edits are on their way to the disk", n = waiting)),
        }
    }
}

fn corrected(v: &Verdict) -> bool {
    v.named() && v.label != v.suggested
}
