//! How each label came to be, read out of the audit trail: a cell at a time, many at once, or out of a table. Pure.
//!
//! The trail is walked once from its start; `undo` brings back what stood before, with how that came to be.

use super::audit::AuditRow;
use super::edit::{CellKey, Edit, EditAction, Verdict};
use super::rows::key_of;
use std::collections::{BTreeMap, HashMap};

/// How a label was confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Confirmation {
    /// The user looked at this cell and named it.
    OneByOne,
    /// One of many that were confirmed or named at once.
    Bulk,
    /// It came out of a table, or out of a damaged session.
    Imported,
}

/// By the word of the audit row.
fn how(word: &str) -> Confirmation {
    match word {
        "import" | "recover" => Confirmation::Imported,
        "label-all" | "accept-all" => Confirmation::Bulk,
        _ => Confirmation::OneByOne,
    }
}

impl Edit {
    /// The word of its audit rows.
    pub(super) fn word(&self) -> &'static str {
        self.action.to_cells(self.changes.len()).as_str()
    }

    /// Whether the trail will say that it was of several cells at once.
    pub fn in_bulk(&self) -> bool {
        how(self.word()) == Confirmation::Bulk
    }
}

/// A cell's label at one moment, as the trail words it, and how it came to be.
type State = (String, Option<Confirmation>);

#[derive(Debug, Clone, Default, PartialEq)]
struct Cell {
    /// The states, the present one at the end.
    states: Vec<State>,
    /// What was undone, to be done again.
    undone: Vec<State>,
}

/// How each cell came by its label: grows with the trail, so that who makes edits knows it without reading the trail again.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Confirmations {
    cells: HashMap<CellKey, Cell>,
}

impl Confirmations {
    /// As a trail tells it from its start.
    pub fn of_trail<'a>(rows: impl IntoIterator<Item = &'a AuditRow>) -> Self {
        let mut all = Self::default();
        for row in rows {
            if let Some(key) = key_of(&row.object) {
                all.cells.entry(key).or_default().take(&row.action, &row.old, &row.new);
            }
        }
        all
    }

    /// Hears an edit that is being made, worded as the trail will word it.
    pub fn hear(&mut self, edit: &Edit) {
        let words = |v: &Option<Verdict>| v.as_ref().map_or(String::new(), Verdict::to_words);
        for change in &edit.changes {
            self.cells.entry(change.key).or_default().take(edit.word(), &words(&change.before), &words(&change.after));
        }
    }

    /// How a cell's label was confirmed; nothing where it has none that the trail knows of.
    pub fn get(&self, key: CellKey) -> Option<Confirmation> {
        let (words, how) = self.cells.get(&key)?.states.last()?;
        (*how).filter(|_| Verdict::from_words(words).is_some_and(|v| v.named()))
    }
}

/// How each named cell came by its label.
pub fn confirmations<'a>(rows: impl IntoIterator<Item = &'a AuditRow>) -> BTreeMap<CellKey, Confirmation> {
    let all = Confirmations::of_trail(rows);
    all.cells.keys().filter_map(|key| Some((*key, all.get(*key)?))).collect()
}

impl Cell {
    fn take(&mut self, action: &str, old: &str, new: &str) {
        let label = |words: &str| Verdict::from_words(words).map_or(String::new(), |v| v.label);
        let before = self.states.last().and_then(|s| s.1);
        match action {
            "undo" => {
                if let Some(gone) = self.states.pop() {
                    self.undone.push(gone);
                }
                // The empty state stands for a cell that nobody had looked at.
                if self.states.last().map_or("", |s| s.0.as_str()) != new {
                    // An undo of something that this trail does not hold: the nearest state of the same words.
                    let known = self.states.iter().rev().find(|s| s.0 == new).and_then(|s| s.1);
                    self.states.push((new.to_owned(), known.or(before)));
                }
            }
            "redo" => match self.undone.pop() {
                Some(again) if again.0 == new => self.states.push(again),
                _ => self.states.push((new.to_owned(), Some(Confirmation::OneByOne))),
            },
            // A square that was moved leaves the label what it was, and how it came to be.
            action => {
                self.undone.clear();
                let moved = label(old) == label(new)
                    && [EditAction::MoveSquare, EditAction::AddSquare].iter().any(|a| a.as_str() == action);
                self.states.push((new.to_owned(), if moved { before } else { Some(how(action)) }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Digest;
    use crate::session::rows::object;

    fn walk(rows: &[(u8, &str, &str, &str)]) -> Vec<(u8, Confirmation)> {
        let rows: Vec<AuditRow> = rows
            .iter()
            .map(|(cell, action, old, new)| AuditRow {
                number: 0,
                time: String::new(),
                operator: String::new(),
                action: (*action).into(),
                object: object(CellKey { image: Digest([*cell; 32]), cell: 1 }),
                old: (*old).into(),
                new: (*new).into(),
                reason: String::new(),
                version: String::new(),
                previous: String::new(),
            })
            .collect();
        confirmations(&rows).into_iter().map(|(k, how)| (k.image.0[0], how)).collect()
    }

    #[test]
    fn the_last_effective_action_counts_and_undo_brings_back_the_one_before() {
        use Confirmation::{Bulk, Imported, OneByOne};
        let word = |action: EditAction, cells| action.to_cells(cells).as_str();
        assert_eq!([word(EditAction::Accept, 1), word(EditAction::Accept, 2)], ["accept", "accept-all"]);
        assert_eq!([word(EditAction::Label, 40), word(EditAction::Undo, 9)], ["label-all", "undo"]);
        let m = "monocyte";
        assert_eq!(
            walk(&[(1, "label", "", m), (2, "accept-all", "", m), (3, "import", "", m)]),
            [(1, OneByOne), (2, Bulk), (3, Imported)]
        );
        // Confirmed one by one, then swept up in bulk with another label, and that undone, done again, undone.
        let all = [
            (1, "label", "", m),
            (1, "label-all", m, "basophil"),
            (1, "undo", "basophil", m),
            (1, "redo", m, "basophil"),
            (1, "undo", "basophil", m),
        ];
        assert_eq!(walk(&all[..2]), [(1, Bulk)]);
        assert_eq!(walk(&all[..3]), [(1, OneByOne)]);
        assert_eq!(walk(&all[..4]), [(1, Bulk)]);
        assert_eq!(walk(&all), [(1, OneByOne)]);
        // Undone to the start, nothing is confirmed.
        assert_eq!(walk(&[(1, "accept", "", m), (1, "undo", m, "")]), []);
        // The same label in bulk and then by hand: the user looked at it.
        assert_eq!(
            walk(&[(1, "accept-all", "", m), (1, "label", m, "basophil"), (1, "label", "basophil", m)]),
            [(1, OneByOne)]
        );
        // A square alone confirms nothing, and moving one does not turn bulk into one by one.
        assert_eq!(walk(&[(1, "add square", "", "at 1,2 side 30")]), []);
        let moved = "monocyte at 1,2 side 30";
        assert_eq!(walk(&[(1, "accept-all", "", m), (1, "move square", m, moved)]), [(1, Bulk)]);
        assert_eq!(walk(&[(1, "accept-all", "", m), (1, "move square", m, moved), (1, "undo", moved, m)]), [(1, Bulk)]);
    }

    #[test]
    fn a_hundred_thousand_rows_are_read_in_no_time() {
        let row = |n: u32| AuditRow {
            number: u64::from(n),
            time: String::new(),
            operator: "ab".into(),
            action: if n.is_multiple_of(2) { "accept-all".into() } else { "label".into() },
            object: format!("{:064x} 1", n % 50_000),
            old: String::new(),
            new: "neutrophil".into(),
            reason: String::new(),
            version: String::new(),
            previous: String::new(),
        };
        let rows: Vec<AuditRow> = (0..100_000).map(row).collect();
        let begun = std::time::Instant::now();
        let all = confirmations(&rows);
        assert_eq!(all.len(), 50_000);
        assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{:?}", begun.elapsed());
    }
}
