//! What the user does to labels, as values with an inverse. No disk, no clock.

use crate::domain::{Digest, Inverse, Square};

/// A cell: the image's digest and the number of the cell in it, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CellKey {
    /// Of the image's bytes.
    pub image: Digest,
    /// From 1, as in the table of `classify`.
    pub cell: u32,
}

/// What the user says of a cell.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Verdict {
    /// The label, or `unidentified`; never a position among a model's classes. Empty where only the square was set.
    pub label: String,
    /// What the model had said, kept for whoever asks later.
    pub suggested: String,
    /// Where the cell is, where the user drew or moved its square.
    pub square: Option<Square>,
}

impl Verdict {
    /// Whether the user has named the cell.
    pub fn named(&self) -> bool {
        !self.label.is_empty()
    }

    /// As the audit trail has it: the label, and the square where the user set one.
    pub fn to_words(&self) -> String {
        match self.square {
            Some(s) => format!("{} at {},{} side {}", self.label, s.x, s.y, s.side).trim_start().to_owned(),
            None => self.label.clone(),
        }
    }

    /// The opposite of [`Verdict::to_words`]; nothing where the words are of a verdict that was taken back.
    pub fn from_words(words: &str) -> Option<Self> {
        let square = |tail: &str| {
            let (place, side) = tail.split_once(" side ")?;
            let (x, y) = place.split_once(',')?;
            Some(Square { x: x.parse().ok()?, y: y.parse().ok()?, side: side.parse().ok()? })
        };
        let plain = |label: &str, square| Self { label: label.trim().into(), suggested: String::new(), square };
        match words.rsplit_once("at ").and_then(|(label, tail)| Some((label, square(tail)?))) {
            Some((label, square)) => Some(plain(label, Some(square))),
            None => (!words.is_empty()).then(|| plain(words, None)),
        }
    }
}

/// One cell before and after.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub key: CellKey,
    /// Nothing where nobody had looked at it.
    pub before: Option<Verdict>,
    /// Nothing takes the verdict back.
    pub after: Option<Verdict>,
}

/// What the user did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EditAction {
    /// One cell was named.
    Label,
    /// Several cells were named at once.
    LabelAll,
    /// The suggestion for one cell was confirmed.
    Accept,
    /// The suggestions for several cells were confirmed at once.
    AcceptAll,
    Undo,
    Redo,
    /// Labels came out of a table.
    Import,
    MoveSquare,
    AddSquare,
    /// The reference of an evaluated image was corrected.
    CorrectReference,
}

impl EditAction {
    /// The word of the audit row.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Label => "label",
            Self::LabelAll => "label-all",
            Self::Accept => "accept",
            Self::AcceptAll => "accept-all",
            Self::Undo => "undo",
            Self::Redo => "redo",
            Self::Import => "import",
            Self::MoveSquare => "move square",
            Self::AddSquare => "add square",
            Self::CorrectReference => "correct reference",
        }
    }

    /// The same, done to this many cells: what was done to several at once never looks like what was done to each by itself.
    pub fn to_cells(self, cells: usize) -> Self {
        match self {
            Self::Label if cells > 1 => Self::LabelAll,
            Self::Accept if cells > 1 => Self::AcceptAll,
            other => other,
        }
    }
}

/// Something the user did, to one cell or to several at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    pub action: EditAction,
    pub changes: Vec<Change>,
    /// Why, where the user gave a reason.
    pub reason: String,
}

impl Inverse for Edit {
    fn inverse(&self) -> Self {
        let turned = |c: &Change| Change { key: c.key, before: c.after.clone(), after: c.before.clone() };
        Self {
            action: EditAction::Undo,
            changes: self.changes.iter().rev().map(turned).collect(),
            reason: String::new(),
        }
    }

    fn again(&self) -> Self {
        Self { action: EditAction::Redo, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::History;
    use std::collections::BTreeMap;

    #[test]
    fn words_of_a_verdict_are_read_back() {
        let square = Some(Square { x: -1.5, y: 20.0, side: 80.25 });
        for v in [
            Verdict { label: "smudge cell".into(), suggested: String::new(), square: None },
            Verdict { label: "a cell at rest".into(), suggested: String::new(), square },
            Verdict { label: String::new(), suggested: String::new(), square },
        ] {
            assert_eq!(Verdict::from_words(&v.to_words()), Some(v));
        }
        assert_eq!(Verdict::from_words(""), None);
    }

    fn apply(labels: &mut BTreeMap<CellKey, Verdict>, edit: &Edit) {
        for c in &edit.changes {
            assert_eq!(labels.get(&c.key), c.before.as_ref(), "an edit fits the state that it was made for");
            match &c.after {
                Some(v) => drop(labels.insert(c.key, v.clone())),
                None => drop(labels.remove(&c.key)),
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn every_history_undoes_to_its_start_and_redoes_to_its_end(moves in proptest::collection::vec((0u8..6, 0u8..4), 1..60)) {
            let (mut labels, mut history) = (BTreeMap::new(), History::default());
            for (cell, label) in moves {
                let key = CellKey { image: Digest([cell; 32]), cell: 1 };
                let verdict = |l: u8| Verdict { label: format!("class {l}"), suggested: "class 0".into(), square: None };
                let after = (label > 0).then(|| verdict(label));
                // Two cells at once where the label is 3.
                let mut changes = vec![Change { key, before: labels.get(&key).cloned(), after: after.clone() }];
                if label == 3 {
                    let key = CellKey { image: key.image, cell: 2 };
                    changes.push(Change { key, before: labels.get(&key).cloned(), after });
                }
                let edit = Edit { action: EditAction::Label, changes, reason: String::new() };
                apply(&mut labels, &edit);
                history.made(edit);
            }
            let (end, steps) = (labels.clone(), history.depth().0);
            while let Some(edit) = history.undo() {
                apply(&mut labels, &edit);
            }
            proptest::prop_assert!(labels.is_empty());
            proptest::prop_assert_eq!(history.depth(), (0, steps));
            while let Some(edit) = history.redo() {
                apply(&mut labels, &edit);
            }
            proptest::prop_assert_eq!(labels, end);
        }
    }
}
