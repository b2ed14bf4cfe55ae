//! What the window knows of the case: what was entered, the laboratory's ranges, who signed. Plain values; time is handed in.

use super::state::State;
use crate::domain::SlideId;
use crate::laboratory::{DifferentialTable, ReferenceRange, Sex, SlideReport, Snapshot, Unit};
use crate::session::CaseRecord;
use crate::workflow::{case_facts, case_report};
use std::collections::BTreeMap;

/// The case of what is open.
#[derive(Debug, Clone)]
pub struct CaseView {
    /// As the session keeps it.
    pub record: CaseRecord,
    /// The laboratory's ranges.
    pub ranges: Vec<ReferenceRange>,
    /// Whether the differential is shown.
    pub shown: bool,
    /// What is being typed into its fields, by name, and was not left yet.
    pub drafts: BTreeMap<&'static str, String>,
}

impl Default for CaseView {
    fn default() -> Self {
        Self {
            record: CaseRecord::default(),
            ranges: crate::laboratory::example_ranges(),
            shown: true,
            drafts: BTreeMap::new(),
        }
    }
}

impl State {
    /// The differential of one slide, or of all together.
    #[must_use]
    pub fn table(&self, slide: Option<SlideId>) -> DifferentialTable {
        let facts = case_facts(&self.case.record);
        DifferentialTable::new(self.slides.counts(slide), self.model.classes.names(), &facts, &self.case.ranges)
    }

    /// What a signature keeps.
    #[must_use]
    pub fn snapshot(&self, made: &str) -> Snapshot {
        Snapshot {
            case: case_facts(&self.case.record),
            ranges: self.case.ranges.clone(),
            classes: self.model.classes.names().to_vec(),
            slides: self.slides.list().iter().map(|s| (s.path.clone(), s.counts.clone())).collect(),
            model: (self.model.name.clone(), self.model.sha256.clone()),
            made: made.to_owned(),
        }
    }

    /// The report: as it was signed where it is signed, else as it stands.
    ///
    /// # Errors
    /// When what was signed cannot be read.
    pub fn report(&self, made: &str) -> Result<SlideReport, String> {
        case_report(&self.case.record, || Ok(self.snapshot(made))).map_err(|e| e.to_string())
    }
}

/// A reference range as it is being typed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RangeDraft {
    /// The label.
    pub label: String,
    /// In what.
    pub unit: Unit,
    /// For whom.
    pub sex: Sex,
    /// From this age, below this age, lower limit, upper limit; empty for none.
    pub numbers: [String; 4],
}

impl RangeDraft {
    /// As it is typed.
    #[must_use]
    pub fn of(range: &ReferenceRange) -> Self {
        let text = |v: Option<f64>| v.map_or_else(String::new, |v| v.to_string());
        let numbers = [range.from_years, range.to_years, range.low, range.high].map(text);
        Self { label: range.label.clone(), unit: range.unit, sex: range.sex, numbers }
    }

    /// The range.
    ///
    /// # Errors
    /// What is typed wrongly.
    pub fn range(&self) -> Result<ReferenceRange, String> {
        let number = |text: &String| match text.trim() {
            "" => Ok(None),
            t => t.replace(',', ".").parse().map(Some).map_err(|_| format!("\"{t}\" is no number ({})", self.label)),
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
        range.fault().map_or(Ok(range), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_goes_through_its_draft_unchanged_and_a_comma_is_a_point() {
        for range in crate::laboratory::example_ranges() {
            assert_eq!(RangeDraft::of(&range).range(), Ok(range));
        }
        let mut draft = RangeDraft { label: "monocyte".into(), ..RangeDraft::default() };
        draft.numbers[3] = "0,9".into();
        assert_eq!(draft.range().expect("a number").high, Some(0.9));
        draft.numbers[2] = "two".into();
        assert!(draft.range().expect_err("no number").contains("two"));
    }
}
