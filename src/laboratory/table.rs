//! The differential as a laboratory reads it: rows in the order of the catalogue with count, percent, exact interval, absolute
//! count, range and flag; what is outside the 100 %; what stands in the way of a signature.
//!
//! Pure: counts, case and ranges come in, numbers go out. Conventions are those of CLSI H20-Ed3.

use super::case::CaseFacts;
use super::obstacle::Obstacle;
use super::ranges::{Flag, RangeSource, ReferenceRange, Unit, WBC, flag, range_for};
use super::rounding::Rounded;
use super::run::RunRecord;
use super::text::plain_text;
use crate::domain::{
    CLASSES, CellClass, Count, Differential, NUCLEATED_RED_CELL, Role, clinical_rank, role, same_label,
};
use crate::metrics::exact;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The count of a label in whatever spelling it was counted.
pub fn count_of(d: &Differential, label: &str) -> Count {
    let mut sum = Count::default();
    for (_, count) in d.labels().filter(|(l, _)| same_label(l, label)) {
        sum.all += count.all;
        sum.reviewed += count.reviewed;
    }
    sum
}

/// What was left out of the count, and why.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LeftOut {
    /// Files with the same content as another one that counts.
    pub copies: Vec<PathBuf>,
    /// Images of a field that another image shows too, as the user agreed.
    pub same_fields: Vec<PathBuf>,
    /// Images that look like the same field and all count: nobody has decided.
    pub alike: Vec<Vec<PathBuf>>,
    /// Files that changed since they were looked at.
    pub changed: usize,
    /// Files that are gone since they were looked at.
    pub gone: usize,
    /// Labels of images that are gone or changed.
    pub labels_gone: usize,
    /// Labels of cells that are not found in their images now.
    pub labels_unmatched: usize,
}

/// A row of the 100 %.
#[derive(Debug, Clone, PartialEq)]
pub struct DifferentialRow {
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

#[derive(Debug, Clone, PartialEq)]
pub struct DifferentialTable {
    /// The 100 %, in clinical order.
    pub rows: Vec<DifferentialRow>,
    /// Cells of the 100 %.
    pub white: Count,
    /// Outside it: label, count, per 100 white cells.
    pub outside: Vec<(String, usize, f64)>,
    /// Squares that were left out, by what the user called them.
    pub excluded: Vec<(String, usize)>,
    /// Cells that nobody could name.
    pub unidentified: usize,
    /// Cells and squares that nobody has looked at.
    pub unreviewed: usize,
    pub squares: usize,
    /// The white cell count that absolute counts were made from, corrected for nucleated red cells.
    pub wbc: Option<f64>,
    /// The white cell count as it was entered.
    pub wbc_entered: Option<f64>,
    /// How it lies to its range.
    pub wbc_flag: Option<(Flag, ReferenceRange)>,
    /// Cells to count.
    pub target: usize,
    /// Images, images that failed, images without a white cell.
    pub images: (usize, usize, usize),
    /// Counted labels that the catalogue does not know.
    pub off_catalogue: Vec<String>,
    /// What was left out; of all slides together.
    pub left: LeftOut,
    /// How far the last run came; of all slides together.
    pub run: Option<RunRecord>,
    /// Where the ranges come from.
    pub ranges: RangeSource,
}

impl DifferentialRow {
    /// The share as it is written.
    pub fn percent(&self, table: &DifferentialTable) -> Option<Rounded> {
        Rounded::percent(self.count.all, table.white.all)
    }

    /// The interval of the share as it is written, percent.
    pub fn limits(&self) -> Option<(Rounded, Rounded)> {
        self.share.map(|(_, low, high)| (Rounded::limit(low), Rounded::limit(high)))
    }

    /// The absolute count and its interval as they are written.
    pub fn absolute(&self) -> Option<(Rounded, Rounded, Rounded)> {
        self.absolute.map(|(v, low, high)| (Rounded::absolute(v), Rounded::absolute(low), Rounded::absolute(high)))
    }
}

impl DifferentialTable {
    /// Lays a differential out for a case. `labels` are listed even where none was counted.
    pub fn new(d: &Differential, labels: &[String], case: &CaseFacts, ranges: &[ReferenceRange]) -> Self {
        let white = d.white();
        let mut named: Vec<String> = Vec::new();
        // The five of a routine differential are always there: none of them seen is a result.
        let five = CLASSES.iter().filter(|c| c.routine()).map(|c| c.label);
        let all = five.chain(labels.iter().map(String::as_str)).chain(d.labels().map(|(l, _)| l));
        for label in all.filter(|l| role(l) == Role::Counted) {
            if !named.iter().any(|n| same_label(n, label)) {
                named.push(plain_text(label));
            }
        }
        named.sort_by_key(|l| clinical_rank(l));
        let off_catalogue =
            named.iter().filter(|l| CellClass::find(l).is_none() && count_of(d, l).all > 0).cloned().collect();
        let per_hundred = |n: usize| if white.all == 0 { 0.0 } else { 100.0 * n as f64 / white.all as f64 };
        let of_role = |wanted: Role| d.labels().filter(move |(l, _)| role(l) == wanted);
        let red = d.count_of(NUCLEATED_RED_CELL).all;
        let wbc = case.wbc.map(|w| w * 100.0 / (100.0 + per_hundred(red)));
        let rows = named
            .into_iter()
            .map(|label| {
                let count = count_of(d, &label);
                let share = (white.all > 0).then(|| {
                    let i = exact(count.all, white.all);
                    (count.all as f64 / white.all as f64, i.low, i.high)
                });
                let absolute = wbc.zip(share).map(|(w, (s, low, high))| (w * s, w * low, w * high));
                let range = |unit| range_for(&label, unit, case, ranges).cloned();
                // The absolute count decides where there is one; percentages mislead where the total is not usual. Without it a
                // range of absolute counts stands beside nothing that it could be held against.
                let judged = match (absolute, range(Unit::Absolute)) {
                    (Some((_, low, high)), Some(r)) => Some((flag((low, high), &r), r)),
                    _ => share
                        .zip(range(Unit::Percent))
                        .map(|((_, low, high), r)| (flag((100.0 * low, 100.0 * high), &r), r)),
                };
                let (flag, range) = judged.map_or((None, None), |(f, r)| (f, Some(r)));
                let class = labels.iter().position(|l| same_label(l, &label));
                DifferentialRow { label, class, count, share, absolute, range, flag }
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
            wbc_entered: case.wbc,
            wbc_flag: wbc
                .zip(range_for(WBC, Unit::Absolute, case, ranges))
                .and_then(|(w, r)| flag((w, w), r).map(|f| (f, r.clone()))),
            target: case.target,
            images: (d.images, d.failed, d.no_cell),
            off_catalogue,
            left: LeftOut::default(),
            run: None,
            ranges: RangeSource::Own,
        }
    }

    /// The white cell count as it is written.
    pub fn wbc_written(&self) -> Option<Rounded> {
        self.wbc.map(Rounded::absolute)
    }

    /// Whether the white cell count was corrected: there are nucleated red cells.
    pub fn corrected(&self) -> bool {
        self.wbc.is_some()
            && self.white.all > 0
            && self.outside.iter().any(|(l, n, _)| l == NUCLEATED_RED_CELL && *n > 0)
    }

    /// What stands in the way of a signature; an override needs a reason.
    pub fn obstacles(&self) -> Vec<Obstacle> {
        let mut out = Vec::new();
        if self.white.all == 0 {
            out.push(Obstacle::NothingCounted);
        } else if self.white.all < self.target {
            out.push(Obstacle::TargetNotReached(self.white.all, self.target));
        }
        if self.unreviewed > 0 {
            out.push(Obstacle::Unreviewed(self.unreviewed, self.squares));
        }
        if self.unidentified > 0 {
            out.push(Obstacle::Unidentified(self.unidentified));
        }
        if let Some(run) = self.run.filter(|r| !r.whole()) {
            out.push(match run.left() {
                0 => Obstacle::RunNotEnded,
                n => Obstacle::NotLookedAt(n, self.images.0.max(run.done) + n),
            });
        }
        let some = |n: usize, o: fn(usize) -> Obstacle| (n > 0).then(|| o(n));
        out.extend(some(self.images.1, Obstacle::Failed));
        out.extend(some(self.left.changed, Obstacle::Changed));
        out.extend(some(self.left.gone, Obstacle::Gone));
        out.extend(some(self.left.alike.len(), Obstacle::LookAlike));
        if !self.off_catalogue.is_empty() {
            out.push(Obstacle::NotInCatalogue(self.off_catalogue.clone()));
        }
        if self.ranges == RangeSource::Unreadable {
            out.push(Obstacle::RangesUnreadable);
        }
        out
    }

    /// What a label beside the white cells comes to, per 100 of them, as it is written; nothing where no white cell was counted.
    pub fn per_hundred(&self, per: f64) -> Option<Rounded> {
        (self.white.all > 0).then(|| Rounded::new(per, 1))
    }
}

#[cfg(test)]
mod tests {
    use super::super::ranges::{ReferenceRange, example_ranges};
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
        for (row, low, high) in [(0, "49.7", "69.7"), (2, "4.9", "17.6"), (3, "0.0", "5.4"), (4, "0.0", "3.6")] {
            let (l, h) = t.rows[row].limits().expect("counted");
            assert_eq!((l.to_string().as_str(), h.to_string().as_str()), (low, high), "{row}");
        }
        let percent = |t: &DifferentialTable, row: usize| t.rows[row].percent(t).map(|p| p.to_string());
        assert_eq!((percent(&t, 0).as_deref(), t.obstacles()), (Some("60"), Vec::new()));
        let twice = counted(&[("neutrophil", 121), ("lymphocyte", 79)]);
        let twice = DifferentialTable::new(&twice, &[], &CaseFacts::default(), &[]);
        assert_eq!(percent(&twice, 0).as_deref(), Some("60.5"));
    }

    #[test]
    fn bands_and_blasts_are_rows_in_the_order_of_the_catalogue_and_spellings_are_one_row() {
        let d = counted(&[
            ("blast", 2),
            ("NEUTROPHILS", 40),
            ("Stab", 3),
            ("hairy cell", 1),
            ("Neutrophil", 10),
            ("myelocyte", 1),
        ]);
        let t = DifferentialTable::new(&d, &labels(), &CaseFacts::default(), &[]);
        let rows: Vec<(&str, usize)> = t.rows.iter().map(|r| (r.label.as_str(), r.count.all)).collect();
        assert_eq!(
            rows,
            [
                ("neutrophil", 50),
                ("lymphocyte", 0),
                ("monocyte", 0),
                ("eosinophil", 0),
                ("basophil", 0),
                ("band neutrophil", 3),
                ("myelocyte", 1),
                ("blast", 2),
                ("hairy cell", 1)
            ]
        );
        assert_eq!(t.off_catalogue, ["hairy cell"]);
        assert!(t.obstacles().contains(&Obstacle::NotInCatalogue(vec!["hairy cell".into()])));
    }

    #[test]
    fn nucleated_red_cells_correct_the_white_count_and_stay_outside() {
        let d = counted(&[("neutrophil", 80), ("lymphocyte", 20), ("NRBC", 25), ("not a white cell", 3)]);
        let case = CaseFacts { wbc: Some(10.0), ..CaseFacts::default() };
        let t = DifferentialTable::new(&d, &labels(), &case, &example_ranges());
        // 10 × 100 / (100 + 25) = 8
        assert!(t.corrected() && t.wbc.is_some_and(|w| (w - 8.0).abs() < 1e-12) && t.wbc_entered == Some(10.0));
        assert!(t.rows[0].absolute.is_some_and(|(a, ..)| (a - 6.4).abs() < 1e-12));
        assert_eq!(t.outside, [(NUCLEATED_RED_CELL.to_owned(), 25, 25.0)]);
        assert_eq!((t.excluded.as_slice(), t.white.all), (&[("not a white cell".to_owned(), 3)][..], 100));
    }

    #[test]
    fn without_a_white_cell_count_a_range_is_in_percent_or_there_is_none() {
        let mut ranges = example_ranges();
        let d = counted(&[("neutrophil", 100)]);
        let t = DifferentialTable::new(&d, &labels(), &CaseFacts::default(), &ranges);
        assert!(t.rows.iter().all(|r| r.range.is_none() && r.flag.is_none()));
        ranges.push(ReferenceRange {
            unit: Unit::Percent,
            low: Some(40.0),
            high: Some(75.0),
            ..example_ranges()[1].clone()
        });
        let t = DifferentialTable::new(&d, &labels(), &CaseFacts::default(), &ranges);
        assert_eq!(t.rows[0].range.as_ref().map(|r| r.unit), Some(Unit::Percent));
        assert_eq!(t.rows[0].flag, Some(Flag::High));
        let with = CaseFacts { wbc: Some(5.0), ..CaseFacts::default() };
        let t = DifferentialTable::new(&d, &labels(), &with, &ranges);
        assert_eq!(t.rows[0].range.as_ref().map(|r| r.unit), Some(Unit::Absolute));
    }

    #[test]
    fn a_signature_is_blocked_by_what_is_not_complete() {
        let mut d = counted(&[("neutrophil", 3), ("Unidentified", 1)]);
        d.count("lymphocyte", false, true);
        let words = |t: &DifferentialTable| t.obstacles().iter().map(ToString::to_string).collect::<Vec<_>>();
        let t = DifferentialTable::new(&d, &labels(), &CaseFacts::default(), &[]);
        assert_eq!(
            words(&t),
            ["4 counted, target 100 not reached", "1 of 5 cells is not reviewed", "1 cell is unidentified"]
        );
        let none = DifferentialTable::new(&Differential::default(), &labels(), &CaseFacts::default(), &[]);
        assert_eq!(none.obstacles(), [Obstacle::NothingCounted]);
        let mut whole = DifferentialTable::new(&counted(&[("neutrophil", 100)]), &labels(), &CaseFacts::default(), &[]);
        assert!(whole.obstacles().is_empty());
        whole.ranges = RangeSource::Unreadable;
        whole.images = (2_752, 2, 0);
        whole.run = Some(RunRecord { listed: true, to_do: 12_009, done: 2_752, end: super::super::RunEnd::Stopped });
        whole.left.changed = 1;
        assert_eq!(
            words(&whole),
            [
                "9257 of 12009 images were not looked at",
                "2 images failed",
                "1 image changed since it was looked at",
                "the laboratory's reference ranges cannot be read"
            ]
        );
    }
}
