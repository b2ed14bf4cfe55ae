//! What the window knows of the case: what was entered, the laboratory's ranges, who signed, how far the images were looked at; and
//! the one way from there to the differential. Plain values; time is handed in.

use crate::domain::Digest;
use crate::laboratory::{CaseField, OnDisk, Ranges, ReferenceRange, RunRecord, Sex, Unit};
use crate::session::{CaseChange, CaseRecord, CellKey, Confirmation, Confirmations, Edit};
use crate::workflow::{OTHER_FIELDS, SAME_FIELDS, UserError, field_groups, groups_text};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::PathBuf;

/// The shortest reason that says something.
const LEAST_REASON: usize = 5;

/// Whether a text can stand as a reason on a report: a letter that slipped in cannot.
pub fn is_reason(text: &str) -> bool {
    text.trim().chars().filter(|c| c.is_alphanumeric()).count() >= LEAST_REASON
}

/// A field that is being typed into, and was not left yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Draft {
    /// Initials of who sits here.
    Operator,
    Case(CaseField),
}

/// The case of what is open.
#[derive(Debug, Clone)]
pub struct CaseView {
    /// As the session keeps it.
    pub record: CaseRecord,
    pub ranges: Ranges,
    /// How each label was confirmed, as the audit trail on the disk has it.
    pub confirmed: Confirmations,
    /// Edits on their way to the disk, in order.
    pub heard: VecDeque<Edit>,
    /// How far the last run came.
    pub run: Option<RunRecord>,
    /// What the last look at the files found; nothing before one.
    pub files: Option<FilesLook>,
    /// Images that were found to look like the same field.
    pub alike: Vec<Vec<Digest>>,
    /// Whether the differential is shown.
    pub shown: bool,
    /// Who waits to sign.
    pub signing: Option<Signing>,
    /// What is being typed into its fields, by name, and was not left yet.
    pub drafts: BTreeMap<Draft, String>,
}

impl Default for CaseView {
    fn default() -> Self {
        Self {
            record: CaseRecord::default(),
            ranges: Ranges::default(),
            confirmed: Confirmations::default(),
            heard: VecDeque::new(),
            run: None,
            files: None,
            alike: Vec::new(),
            shown: true,
            signing: None,
            drafts: BTreeMap::new(),
        }
    }
}

impl CaseView {
    /// Whether a cell's label was confirmed as one of many, and not by itself since.
    pub fn in_bulk(&self, key: CellKey) -> bool {
        let coming = self.heard.iter().rev().find(|e| e.changes.iter().any(|c| c.key == key));
        match coming {
            Some(edit) => edit.in_bulk(),
            None => self.confirmed.get(key) == Some(Confirmation::Bulk),
        }
    }
}

/// Whoever pressed "Sign" and waits until the files were looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Signing {
    /// Why, although something is open.
    pub reason: String,
    /// When, UTC.
    pub time: String,
    /// What was open then.
    pub open: Vec<crate::laboratory::Obstacle>,
}

/// What a look at the files of the session found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FilesLook {
    /// Files that are not what they were when they were looked at.
    pub changed: HashMap<PathBuf, OnDisk>,
}

impl FilesLook {
    /// Of what was found.
    pub fn new(changed: Vec<(PathBuf, OnDisk)>) -> Self {
        Self { changed: changed.into_iter().collect() }
    }
}

impl CaseView {
    /// Another case, or none: nothing of the one before stays but the laboratory's own settings.
    pub(in crate::app) fn clear(&mut self) {
        *self = Self { ranges: self.ranges.clone(), shown: self.shown, ..Self::default() };
    }

    /// Takes over what a session holds.
    pub(in crate::app) fn open(&mut self, record: CaseRecord, confirmed: Confirmations, run: Option<RunRecord>) {
        (self.record, self.confirmed, self.run) = (record, confirmed, run);
        self.heard.clear();
    }

    /// This many edits are on the disk.
    pub(in crate::app) fn saved(&mut self, n: usize) {
        for edit in self.heard.drain(..n.min(self.heard.len())) {
            self.confirmed.hear(&edit);
        }
    }

    /// The change that says whether images are of one field; nothing where that is said already.
    pub fn decide_fields(&self, group: &[Digest], same: bool) -> Vec<CaseChange> {
        let mut changes = Vec::new();
        for (entry, holds) in [(SAME_FIELDS, same), (OTHER_FIELDS, !same)] {
            let before = field_groups(&self.record, entry);
            let mut after: Vec<Vec<Digest>> =
                before.iter().filter(|g| !g.iter().any(|d| group.contains(d))).cloned().collect();
            if holds {
                after.push(group.to_vec());
            }
            if after != before {
                changes.push(CaseChange::Set(entry.into(), groups_text(&after)));
            }
        }
        changes
    }
}

/// A reference range as it is being typed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RangeDraft {
    pub label: String,
    pub unit: Unit,
    /// For whom.
    pub sex: Sex,
    /// From this age, below this age, lower limit, upper limit; empty for none.
    pub numbers: [String; 4],
}

impl RangeDraft {
    /// As it is typed.
    pub fn new(range: &ReferenceRange) -> Self {
        let text = |v: Option<f64>| v.map_or_else(String::new, |v| v.to_string());
        let numbers = [range.from_years, range.to_years, range.low, range.high].map(text);
        Self { label: range.label.clone(), unit: range.unit, sex: range.sex, numbers }
    }

    /// The range.
    ///
    /// # Errors
    /// What is typed wrongly.
    pub fn range(&self) -> Result<ReferenceRange, UserError> {
        let number = |text: &String| match text.trim() {
            "" => Ok(None),
            t => t
                .replace(',', ".")
                .parse()
                .map(Some)
                .map_err(|_| UserError::new(format!("\"{t}\" is no number ({})", self.label))),
        };
        let [from, to, low, high] = &self.numbers;
        let range = ReferenceRange {
            label: self.label.trim().to_owned(),
            unit: self.unit,
            sex: self.sex,
            from_years: number(from)?,
            to_years: number(to)?,
            low: number(low)?,
            high: number(high)?,
        };
        range.fault().map_or(Ok(range), |fault| Err(UserError::new(fault)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_goes_through_its_draft_unchanged_and_a_comma_is_a_point() {
        for range in crate::laboratory::example_ranges() {
            assert_eq!(RangeDraft::new(&range).range(), Ok(range));
        }
        let mut draft = RangeDraft { label: "monocyte".into(), ..RangeDraft::default() };
        draft.numbers[3] = "0,9".into();
        assert_eq!(draft.range().expect("a number").high, Some(0.9));
        draft.numbers[2] = "two".into();
        assert!(draft.range().expect_err("no number").to_string().contains("two"));
    }
}
