//! The differential as a laboratory reads it: rows in clinical order with count, percent, exact interval, absolute count,
//! range and flag; what is outside the 100 %; what stands in the way of a signature.
//!
//! Pure: counts, case and ranges come in, numbers go out. Conventions are those of CLSI H20-Ed3.

use crate::domain::{Count, Differential, NUCLEATED_RED_CELL, Role, clinical_rank, role};
use crate::metrics::exact;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// From so many cells on a percentage has one decimal.
const ONE_DECIMAL_FROM: usize = 200;
/// Cells to count that laboratories use.
pub const TARGETS: [usize; 3] = [100, 200, 400];

/// For whom a reference range holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sex {
    /// Everybody, or nobody said.
    #[default]
    Any,
    /// Women and girls.
    Female,
    /// Men and boys.
    Male,
}

impl Sex {
    /// All, in the order in which they are offered.
    pub const ALL: [Self; 3] = [Self::Any, Self::Female, Self::Male];

    /// The word in files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Female => "female",
            Self::Male => "male",
        }
    }

    /// From the word in files; anything else is [`Self::Any`].
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        Self::ALL.into_iter().find(|s| s.as_str() == word).unwrap_or_default()
    }
}

/// What a reference range is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Unit {
    /// 10⁹ cells in a litre.
    #[default]
    #[serde(rename = "10*9/L")]
    Absolute,
    /// Percent of the white cells.
    #[serde(rename = "%")]
    Percent,
}

impl Unit {
    /// UCUM.
    #[must_use]
    pub fn ucum(self) -> &'static str {
        match self {
            Self::Absolute => "10*9/L",
            Self::Percent => "%",
        }
    }

    /// For people.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Absolute => "×10⁹/L",
            Self::Percent => "%",
        }
    }
}

/// The label of the white cell count itself among reference ranges.
pub const WBC: &str = "WBC";

/// A laboratory's reference range of one label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReferenceRange {
    /// The label, or [`WBC`].
    pub label: String,
    /// In what.
    #[serde(default)]
    pub unit: Unit,
    /// For whom.
    #[serde(default)]
    pub sex: Sex,
    /// From this age on, years.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_years: Option<f64>,
    /// Below this age, years.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_years: Option<f64>,
    /// Lower limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
}

impl ReferenceRange {
    /// What is wrong with it; nothing where it can be used.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        let numbers = [self.from_years, self.to_years, self.low, self.high];
        if self.label.trim().is_empty() {
            Some("a range needs a label".into())
        } else if numbers.iter().flatten().any(|v| !v.is_finite() || *v < 0.0) {
            Some(format!("the range of {} has a number below 0", self.label))
        } else if self.low.zip(self.high).is_some_and(|(l, h)| l >= h) {
            Some(format!("the lower limit of {} is not below the upper one", self.label))
        } else if self.from_years.zip(self.to_years).is_some_and(|(f, t)| f >= t) {
            Some(format!("the range of {} begins at an age that is not below the one where it ends", self.label))
        } else if self.low.is_none() && self.high.is_none() {
            Some(format!("the range of {} has no limit", self.label))
        } else {
            None
        }
    }

    /// "2.0–7.5", "< 0.21", "> 4".
    #[must_use]
    pub fn text(&self) -> String {
        match (self.low, self.high) {
            (Some(low), Some(high)) => format!("{low}–{high}"),
            (None, Some(high)) => format!("< {high}"),
            (Some(low), None) => format!("> {low}"),
            (None, None) => String::new(),
        }
    }
}

/// Example ranges of adults; every laboratory has its own (`reference ranges` of its accreditation).
#[must_use]
pub fn example_ranges() -> Vec<ReferenceRange> {
    let range = |label: &str, low: Option<f64>, high: f64| ReferenceRange {
        label: label.into(),
        unit: Unit::Absolute,
        sex: Sex::Any,
        from_years: None,
        to_years: None,
        low,
        high: Some(high),
    };
    vec![
        range(WBC, Some(4.0), 11.0),
        range("neutrophil", Some(2.0), 7.5),
        range("lymphocyte", Some(1.1), 4.0),
        range("monocyte", Some(0.2), 1.0),
        range("eosinophil", Some(0.04), 0.40),
        range("basophil", None, 0.21),
    ]
}

/// What was entered about a case. No name, no number of a patient: a sample id alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CaseFacts {
    /// The laboratory's id of the sample.
    pub sample: String,
    /// Total white cell count, 10⁹ in a litre.
    pub wbc: Option<f64>,
    /// Cells to count.
    pub target: usize,
    /// For the choice of ranges.
    pub sex: Sex,
    /// For the choice of ranges.
    pub age: Option<f64>,
}

impl Default for CaseFacts {
    fn default() -> Self {
        Self { sample: String::new(), wbc: None, target: TARGETS[0], sex: Sex::Any, age: None }
    }
}

/// How a value lies to its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// The whole interval is within.
    Normal,
    /// The whole interval is below.
    Low,
    /// The whole interval is above.
    High,
    /// The interval crosses a limit: so few cells cannot tell.
    Indeterminate,
}

impl Flag {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Low => "low",
            Self::High => "high",
            Self::Indeterminate => "indeterminate",
        }
    }
}

/// Where an interval lies to limits; `None` without limits.
#[must_use]
pub fn flag((low, high): (f64, f64), range: &ReferenceRange) -> Option<Flag> {
    if range.low.is_none() && range.high.is_none() {
        return None;
    }
    let above = |limit: Option<f64>, v: f64| limit.is_none_or(|l| v >= l);
    let below = |limit: Option<f64>, v: f64| limit.is_none_or(|l| v <= l);
    Some(if above(range.low, low) && below(range.high, high) {
        Flag::Normal
    } else if range.low.is_some_and(|l| high < l) {
        Flag::Low
    } else if range.high.is_some_and(|h| low > h) {
        Flag::High
    } else {
        Flag::Indeterminate
    })
}

/// What stands in the way of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// Nothing is counted.
    NothingCounted,
    /// So many cells, of so many, that nobody has looked at.
    Unreviewed(usize, usize),
    /// So many cells that nobody could name.
    Unidentified(usize),
}

impl std::fmt::Display for Obstacle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NothingCounted => f.write_str("nothing is counted"),
            Self::Unreviewed(n, all) => write!(f, "{n} of {all} cells are not reviewed"),
            Self::Unidentified(n) => write!(f, "{n} cells are unidentified"),
        }
    }
}

/// A row of the 100 %.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The label.
    pub label: String,
    /// Its position among the classes listed, which says its colour; none for a label beside them.
    pub class: Option<usize>,
    /// Cells.
    pub count: Count,
    /// Share of the white cells with its exact (Clopper–Pearson) 95 % interval, 0..=1; nothing before anything is counted.
    pub share: Option<(f64, f64, f64)>,
    /// 10⁹ cells in a litre with interval, where the white cell count was entered.
    pub absolute: Option<(f64, f64, f64)>,
    /// The range that holds for the case.
    pub range: Option<ReferenceRange>,
    /// How the value lies to it.
    pub flag: Option<Flag>,
}

/// The whole table.
#[derive(Debug, Clone, PartialEq)]
pub struct DifferentialTable {
    /// The 100 %, in clinical order.
    pub rows: Vec<Row>,
    /// Cells of the 100 %.
    pub white: Count,
    /// Outside it: label, count, per 100 white cells.
    pub outside: Vec<(String, usize, f64)>,
    /// Squares that were left out, by what a person called them.
    pub excluded: Vec<(String, usize)>,
    /// Cells that nobody could name.
    pub unidentified: usize,
    /// Cells and squares that nobody has looked at.
    pub unreviewed: usize,
    /// Of how many.
    pub squares: usize,
    /// The white cell count that absolute counts were made from, corrected for nucleated red cells.
    pub wbc: Option<f64>,
    /// How it lies to its range.
    pub wbc_flag: Option<(Flag, ReferenceRange)>,
    /// Cells to count.
    pub target: usize,
    /// Images, images that failed, images without a white cell.
    pub images: (usize, usize, usize),
}

impl DifferentialTable {
    /// Lays a differential out for a case. `labels` are listed even where none was counted.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub fn new(d: &Differential, labels: &[String], case: &CaseFacts, ranges: &[ReferenceRange]) -> Self {
        let white = d.white();
        let mut named: Vec<String> = labels.iter().filter(|l| role(l) == Role::Counted).cloned().collect();
        named.extend(
            d.labels()
                .filter(|(l, _)| role(l) == Role::Counted && !labels.iter().any(|x| x == l))
                .map(|(l, _)| l.into()),
        );
        named.sort_by_key(|l| clinical_rank(l));
        let per_hundred = |n: usize| if white.all == 0 { 0.0 } else { 100.0 * n as f64 / white.all as f64 };
        let of_role = |wanted: Role| d.labels().filter(move |(l, _)| role(l) == wanted);
        let red = d.of(NUCLEATED_RED_CELL).all;
        let wbc = case.wbc.map(|w| w * 100.0 / (100.0 + per_hundred(red)));
        let rows = named
            .into_iter()
            .map(|label| {
                let count = d.of(&label);
                let share = (white.all > 0).then(|| {
                    let i = exact(count.all, white.all);
                    (count.all as f64 / white.all as f64, i.low, i.high)
                });
                let absolute = wbc.zip(share).map(|(w, (s, low, high))| (w * s, w * low, w * high));
                let range = |unit| range_for(&label, unit, case, ranges).cloned();
                // The absolute count decides where there is one; percentages mislead where the total is not usual.
                let judged = match (absolute, range(Unit::Absolute)) {
                    (Some((_, low, high)), Some(r)) => Some((flag((low, high), &r), r)),
                    (_, absolute) => match (share, range(Unit::Percent)) {
                        (Some((_, low, high)), Some(r)) => Some((flag((100.0 * low, 100.0 * high), &r), r)),
                        _ => absolute.map(|r| (None, r)),
                    },
                };
                let (flag, range) = judged.map_or((None, None), |(f, r)| (f, Some(r)));
                let class = labels.iter().position(|l| *l == label);
                Row { label, class, count, share, absolute, range, flag }
            })
            .collect();
        let outside = of_role(Role::Outside);
        let squares = d.squares();
        Self {
            rows,
            white,
            outside: outside.map(|(l, c)| (l.to_owned(), c.all, per_hundred(c.all))).collect(),
            excluded: of_role(Role::NotACell).map(|(l, c)| (l.to_owned(), c.all)).collect(),
            unidentified: d.unidentified().all,
            unreviewed: squares.all - squares.reviewed,
            squares: squares.all,
            wbc,
            wbc_flag: wbc
                .zip(range_for(WBC, Unit::Absolute, case, ranges))
                .and_then(|(w, r)| flag((w, w), r).map(|f| (f, r.clone()))),
            target: case.target,
            images: (d.images, d.failed, d.no_cell),
        }
    }

    /// What stands in the way of a signature; an override needs a reason.
    #[must_use]
    pub fn obstacles(&self) -> Vec<Obstacle> {
        let mut out = Vec::new();
        if self.white.all == 0 {
            out.push(Obstacle::NothingCounted);
        }
        if self.unreviewed > 0 {
            out.push(Obstacle::Unreviewed(self.unreviewed, self.squares));
        }
        if self.unidentified > 0 {
            out.push(Obstacle::Unidentified(self.unidentified));
        }
        out
    }

    /// A share as laboratories write it: whole percent, one decimal from 200 cells on.
    #[must_use]
    pub fn percent(&self, share: f64) -> String {
        if self.white.all < ONE_DECIMAL_FROM {
            format!("{:.0}", share * 100.0)
        } else {
            format!("{:.1}", share * 100.0)
        }
    }
}

/// The range of a label that holds for a case: for its sex before for everybody, a narrower age before a wider one. A range
/// with an age or a sex does not hold where none was entered.
fn range_for<'a>(
    label: &str,
    unit: Unit,
    case: &CaseFacts,
    ranges: &'a [ReferenceRange],
) -> Option<&'a ReferenceRange> {
    let key = |l: &str| l.trim().to_lowercase();
    let singular = |l: String| l.strip_suffix('s').map_or(l.clone(), str::to_owned);
    let holds = |r: &&ReferenceRange| {
        let age = match (r.from_years, r.to_years) {
            (None, None) => true,
            (from, to) => case.age.is_some_and(|a| from.is_none_or(|f| a >= f) && to.is_none_or(|t| a < t)),
        };
        let label = singular(key(&r.label)) == singular(key(label));
        label && r.unit == unit && age && (r.sex == Sex::Any || r.sex == case.sex) && r.fault().is_none()
    };
    ranges.iter().filter(holds).min_by(|a, b| {
        let wide = |r: &ReferenceRange| r.to_years.unwrap_or(f64::INFINITY) - r.from_years.unwrap_or(0.0);
        (a.sex == Sex::Any).cmp(&(b.sex == Sex::Any)).then(wide(a).total_cmp(&wide(b)))
    })
}

/// How far a report is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportStatus {
    /// Not signed, or being amended.
    Preliminary,
    /// Signed.
    Final,
    /// Signed again after an amendment.
    Amended,
}

impl ReportStatus {
    /// The code of FHIR's `DiagnosticReport.status`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Preliminary => "preliminary",
            Self::Final => "final",
            Self::Amended => "amended",
        }
    }
}

/// What a report is made of, and all that a signature has to keep: made again from it, a report is the same whatever the
/// laboratory's ranges or the model are by then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// What was entered.
    pub case: CaseFacts,
    /// The laboratory's ranges.
    pub ranges: Vec<ReferenceRange>,
    /// Labels that are listed even where none was counted.
    pub classes: Vec<String>,
    /// Each slide by itself: where it is, and its counts.
    pub slides: Vec<(PathBuf, Differential)>,
    /// Name and digest of the model whose suggestions were reviewed.
    pub model: (String, String),
    /// When it was made, UTC, RFC 3339.
    pub made: String,
}

impl Snapshot {
    /// The numbers of all slides together.
    #[must_use]
    pub fn table(&self) -> DifferentialTable {
        let mut all = Differential::default();
        self.slides.iter().for_each(|(_, d)| all.merge(d));
        DifferentialTable::new(&all, &self.classes, &self.case, &self.ranges)
    }
}

/// Everything that a report of a case says.
#[derive(Debug, Clone, PartialEq)]
pub struct SlideReport {
    /// The numbers of all slides together.
    pub table: DifferentialTable,
    /// Each slide by itself: where it is, and its counts.
    pub slides: Vec<(PathBuf, Differential)>,
    /// What was entered.
    pub case: CaseFacts,
    /// How far it is.
    pub status: ReportStatus,
    /// The version that was signed last; 0 before the first signature.
    pub version: u32,
    /// Who signed, when (UTC, RFC 3339) and why although something was open, or why it was amended.
    pub signed: Option<(String, String, String)>,
    /// Name and digest of the model whose suggestions were reviewed.
    pub model: (String, String),
    /// When the report was made, UTC, RFC 3339.
    pub made: String,
    /// Where the model looked in some cells, where that was asked for; no part of what is signed.
    pub looked: Vec<LookedCell>,
}

/// A cell with its heat map.
#[derive(Debug, Clone, PartialEq)]
pub struct LookedCell {
    /// The class that the model gives.
    pub label: String,
    /// The image's name.
    pub file: String,
    /// The cell's number in it.
    pub cell: u32,
    /// The class' probability.
    pub confidence: f32,
    /// How the map was made.
    pub how: &'static str,
    /// The cell alone beside the cell under its heat, JPEG.
    pub jpeg: Vec<u8>,
}

impl SlideReport {
    /// The report of a snapshot; `signed` is who, when and why.
    #[must_use]
    pub fn new(s: Snapshot, status: ReportStatus, version: u32, signed: Option<(String, String, String)>) -> Self {
        let (table, looked) = (s.table(), Vec::new());
        Self { table, slides: s.slides, case: s.case, status, version, signed, model: s.model, made: s.made, looked }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(cells: &[(&str, usize)]) -> Differential {
        let mut d = Differential::default();
        for (label, n) in cells {
            (0..*n).for_each(|_| d.count(label, true, true));
        }
        d
    }

    fn labels() -> Vec<String> {
        ["basophil", "eosinophil", "lymphocyte", "monocyte", "neutrophil"].map(str::to_owned).to_vec()
    }

    #[test]
    fn rows_are_in_clinical_order_with_the_published_sampling_limits() {
        let d = counted(&[("neutrophil", 60), ("lymphocyte", 29), ("monocyte", 10), ("eosinophil", 1)]);
        let t = DifferentialTable::new(&d, &labels(), &CaseFacts::default(), &[]);
        let names: Vec<&str> = t.rows.iter().map(|r| r.label.as_str()).collect();
        assert_eq!(names, ["neutrophil", "lymphocyte", "monocyte", "eosinophil", "basophil"]);
        // Clopper–Pearson, as in the table of sampling limits: 60 % 49.7–69.7, 10 % 4.9–17.6, 1 % 0.0–5.4, 0 % 0.0–3.6.
        for (row, low, high) in [(0, 49.7, 69.7), (2, 4.9, 17.6), (3, 0.0, 5.4), (4, 0.0, 3.6)] {
            let (_, l, h) = t.rows[row].share.expect("counted");
            assert!((l * 100.0 - low).abs() < 0.05 && (h * 100.0 - high).abs() < 0.05, "{row}: {l} {h}");
        }
        assert_eq!((t.percent(0.604), t.obstacles()), ("60".to_owned(), Vec::new()));
        let twice = DifferentialTable::new(
            &counted(&[("neutrophil", 121), ("lymphocyte", 79)]),
            &[],
            &CaseFacts::default(),
            &[],
        );
        assert_eq!(twice.percent(0.605), "60.5");
    }

    #[test]
    fn nucleated_red_cells_correct_the_white_count_and_stay_outside() {
        let d = counted(&[("neutrophil", 80), ("lymphocyte", 20), ("NRBC", 25), ("not a white cell", 3)]);
        let case = CaseFacts { wbc: Some(10.0), ..CaseFacts::default() };
        let t = DifferentialTable::new(&d, &labels(), &case, &example_ranges());
        // 10 × 100 / (100 + 25) = 8
        assert!(t.wbc.is_some_and(|w| (w - 8.0).abs() < 1e-12));
        assert!(t.rows[0].absolute.is_some_and(|(a, ..)| (a - 6.4).abs() < 1e-12));
        assert_eq!(t.outside, [(NUCLEATED_RED_CELL.to_owned(), 25, 25.0)]);
        assert_eq!((t.excluded.as_slice(), t.white.all), (&[("not a white cell".to_owned(), 3)][..], 100));
    }

    #[test]
    fn an_interval_that_crosses_a_limit_is_indeterminate() {
        let range = &example_ranges()[1];
        for (interval, expected) in [
            ((2.5, 7.0), Flag::Normal),
            ((0.5, 1.9), Flag::Low),
            ((7.6, 9.0), Flag::High),
            ((1.9, 2.1), Flag::Indeterminate),
            ((7.0, 8.0), Flag::Indeterminate),
        ] {
            assert_eq!(flag(interval, range), Some(expected));
        }
        let below = &example_ranges()[5];
        assert_eq!((flag((0.0, 0.2), below), flag((0.3, 0.5), below)), (Some(Flag::Normal), Some(Flag::High)));
        // Without the white cell count the absolute range judges nothing.
        let d = counted(&[("neutrophil", 100)]);
        let t = DifferentialTable::new(&d, &labels(), &CaseFacts::default(), &example_ranges());
        assert!(t.rows[0].flag.is_none() && t.rows[0].range.is_some());
    }

    #[test]
    fn the_range_for_age_and_sex_comes_before_the_general_one() {
        let mut ranges = example_ranges();
        let own = |sex, from, to, high| ReferenceRange {
            sex,
            from_years: from,
            to_years: to,
            high: Some(high),
            ..example_ranges()[1].clone()
        };
        ranges.push(own(Sex::Any, Some(0.0), Some(2.0), 8.5));
        ranges.push(own(Sex::Female, None, None, 7.1));
        let high = |sex, age| {
            let case = CaseFacts { sex, age, ..CaseFacts::default() };
            range_for("Neutrophils", Unit::Absolute, &case, &ranges).and_then(|r| r.high)
        };
        assert_eq!(high(Sex::Any, None), Some(7.5));
        assert_eq!(high(Sex::Male, Some(1.0)), Some(8.5));
        assert_eq!(high(Sex::Female, Some(40.0)), Some(7.1));
        assert_eq!(high(Sex::Male, Some(2.0)), Some(7.5), "an age below the end");
    }

    #[test]
    fn a_signature_is_blocked_by_what_nobody_looked_at() {
        let mut d = counted(&[("neutrophil", 3), ("unidentified", 1)]);
        d.count("lymphocyte", false, true);
        let t = DifferentialTable::new(&d, &labels(), &CaseFacts::default(), &[]);
        let words: Vec<String> = t.obstacles().iter().map(ToString::to_string).collect();
        assert_eq!(words, ["1 of 5 cells are not reviewed", "1 cells are unidentified"]);
        let none = DifferentialTable::new(&Differential::default(), &labels(), &CaseFacts::default(), &[]);
        assert_eq!(none.obstacles(), [Obstacle::NothingCounted]);
    }

    #[test]
    fn a_range_that_cannot_be_is_named() {
        let good = example_ranges()[1].clone();
        assert_eq!(good.fault(), None);
        for bad in [
            ReferenceRange { low: Some(9.0), ..good.clone() },
            ReferenceRange { low: None, high: None, ..good.clone() },
            ReferenceRange { label: " ".into(), ..good.clone() },
            ReferenceRange { from_years: Some(5.0), to_years: Some(2.0), ..good.clone() },
            ReferenceRange { low: Some(f64::NAN), ..good.clone() },
        ] {
            assert!(bad.fault().is_some(), "{bad:?}");
        }
    }
}
