//! What a signature keeps, and the report that is made of it: made again from it, a report is the same whatever the laboratory's
//! ranges, the model or the files are by then. Sentences are computed from its counts. Pure.

use super::case::CaseFacts;
use super::confirmation::Confirmed;
use super::naming::{cannot_name, cannot_name_sentence};
use super::ranges::{RangeSource, ReferenceRange, example_ranges};
use super::run::RunRecord;
use super::table::{DifferentialTable, LeftOut};
use super::text::{listed, number_of, plain_text};
use crate::domain::Differential;
use crate::session::Anchor;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// How many files a line of the report names.
const NAMED: usize = 10;

/// All that a signature has to keep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// What was entered.
    pub case: CaseFacts,
    pub ranges: Vec<ReferenceRange>,
    /// Labels that are listed even where none was counted.
    pub classes: Vec<String>,
    /// Each slide by itself: where it is, and its counts.
    pub slides: Vec<(PathBuf, Differential)>,
    /// Name and digest of the model whose suggestions were reviewed; empty without a model.
    pub model: (String, String),
    /// When it was made, UTC, RFC 3339.
    pub made: String,
    /// Where the ranges come from; what earlier versions signed does not say.
    #[serde(default)]
    pub range_source: Option<RangeSource>,
    #[serde(default)]
    pub left: LeftOut,
    /// How the labels of the counted cells came to be; what earlier versions signed does not say.
    #[serde(default)]
    pub confirmed: Option<Confirmed>,
    /// How far the last run came.
    #[serde(default)]
    pub run: Option<RunRecord>,
    /// The rule by which numbers were rounded.
    #[serde(default)]
    pub rounding: String,
    /// What the model cannot name; what earlier versions signed does not say.
    #[serde(default)]
    pub cannot_name: Option<Vec<String>>,
}

impl Snapshot {
    /// The numbers of all slides together.
    pub fn table(&self) -> DifferentialTable {
        let mut all = Differential::default();
        self.slides.iter().for_each(|(_, d)| all.merge(d));
        let mut table = DifferentialTable::new(&all, &self.classes, &self.case, &self.ranges);
        table.left = self.left.clone();
        table.run = self.run;
        table.ranges = self.range_source();
        table
    }

    /// The numbers of one slide; those of all together where it is not among them.
    pub fn table_of(&self, slide: &Path) -> DifferentialTable {
        match self.slides.iter().find(|(path, _)| path == slide) {
            Some((_, d)) => {
                let mut own = Differential::default();
                own.merge(d);
                DifferentialTable {
                    ranges: self.range_source(),
                    ..DifferentialTable::new(&own, &self.classes, &self.case, &self.ranges)
                }
            }
            None => self.table(),
        }
    }

    /// Where the ranges come from.
    pub fn range_source(&self) -> RangeSource {
        let compared = || if self.ranges == example_ranges() { RangeSource::Examples } else { RangeSource::Own };
        self.range_source.unwrap_or_else(compared)
    }

    /// Whether two count alike: cells of each label on each slide, and what is outside.
    pub fn counts_like(&self, other: &Self) -> bool {
        let rows = |s: &Self| {
            let t = s.table();
            let rows: Vec<_> = t.rows.into_iter().filter(|r| r.count.all > 0).map(|r| (r.label, r.count.all)).collect();
            (rows, t.outside, t.excluded, t.unidentified)
        };
        rows(self) == rows(other)
    }
}

/// How far a report is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportStatus {
    /// Not signed, being amended, or signed while the model alone had named cells of it.
    Preliminary,
    /// Signed.
    Final,
    /// Signed again after an amendment.
    Amended,
}

impl ReportStatus {
    /// The code of FHIR's `DiagnosticReport.status`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Preliminary => "preliminary",
            Self::Final => "final",
            Self::Amended => "amended",
        }
    }
}

/// Everything that a report of a case says.
#[derive(Debug, Clone, PartialEq)]
pub struct SlideReport {
    /// The numbers of all slides together.
    pub table: DifferentialTable,
    /// What it was made of.
    pub snapshot: Snapshot,
    pub status: ReportStatus,
    /// The version that was signed last; 0 before the first signature.
    pub version: u32,
    /// Who signed, when (UTC, RFC 3339) and why although something was open, or why it was amended.
    pub signed: Option<(String, String, String)>,
    /// The session's audit trail as it stood when the report was made, where there is one.
    pub anchor: Option<Anchor>,
    /// Where the model looked in some cells, where that was asked for; no part of what is signed.
    pub heat_maps: Vec<HeatMapExample>,
}

/// A cell with its heat map.
#[derive(Debug, Clone, PartialEq)]
pub struct HeatMapExample {
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
    /// The report of a snapshot; `signed` is who, when and why. What the model alone named stays preliminary, signed or not.
    pub fn new(
        snapshot: Snapshot,
        status: ReportStatus,
        version: u32,
        signed: Option<(String, String, String)>,
    ) -> Self {
        let table = snapshot.table();
        let status = if table.unreviewed > 0 { ReportStatus::Preliminary } else { status };
        Self { table, snapshot, status, version, signed, anchor: None, heat_maps: Vec::new() }
    }

    /// "302 counted (target 100 reached)".
    pub fn counted(&self) -> String {
        let (n, target) = (self.table.white.all, self.table.target);
        let reached = if n >= target { "reached" } else { "not reached" };
        format!("{n} counted (target {target} {reached})")
    }

    /// "89 of 302 confirmed one by one, 40 in bulk, 173 by the model alone".
    pub fn confirmed(&self) -> String {
        let white = self.table.white;
        match self.snapshot.confirmed {
            Some(c) => c.sentence(),
            None => format!("{} of {} confirmed by a person", white.reviewed, white.all),
        }
    }

    /// Whether a model suggested anything.
    pub fn has_model(&self) -> bool {
        !self.snapshot.model.1.is_empty()
    }

    /// How the cells were counted, from the counts.
    pub fn method(&self) -> String {
        let how = if self.snapshot.case.manual {
            "Microscopy, stained smear; counted by eye"
        } else if self.has_model() {
            "Microscopy, stained smear; cells found and classes suggested by software"
        } else {
            "Microscopy, stained smear; labels given by people"
        };
        format!("{how}; {}.", self.confirmed())
    }

    /// What reference ranges are worth; nothing where there are none.
    pub fn ranges(&self) -> Option<&'static str> {
        match self.table.ranges {
            RangeSource::Unreadable => Some("The laboratory's reference ranges cannot be read; nothing is flagged."),
            _ if self.snapshot.ranges.is_empty() => None,
            RangeSource::Examples => Some("Example reference ranges, not validated by this laboratory."),
            RangeSource::Own => Some("Reference ranges are the laboratory's own settings."),
        }
    }

    /// Counted classes that the model cannot name; none where there is no model.
    pub fn lacking(&self) -> Vec<String> {
        if !self.has_model() {
            return Vec::new();
        }
        let computed = || cannot_name(&self.snapshot.classes).into_iter().map(str::to_owned).collect();
        self.snapshot.cannot_name.clone().unwrap_or_else(computed)
    }

    /// The same as a sentence; nothing where there is no model, or it names everything that is counted.
    pub fn limits(&self) -> Option<String> {
        cannot_name_sentence(&self.lacking())
    }

    /// One line for everything that is not among the counted images, in words.
    pub fn lines(&self) -> Vec<String> {
        let (table, left) = (&self.table, &self.table.left);
        let (images, failed, no_cell) = table.images;
        let names = |paths: &[PathBuf]| {
            let all: Vec<String> = paths.iter().map(|p| plain_text(&crate::files::display_name(p))).collect();
            listed(&all, NAMED)
        };
        let mut out = Vec::new();
        let mut first = number_of(images, "image", "images");
        for (n, what) in [(failed, "failed"), (no_cell, "without a white cell")] {
            if n > 0 {
                first.push_str(&format!(", {n} {what}"));
            }
        }
        out.push(first);
        if let Some(run) = table.run.filter(|r| !r.whole()) {
            out.push(match run.left() {
                0 => "The run ended before all images were listed".to_owned(),
                n => format!("{} not looked at", number_of(n, "image", "images")),
            });
        }
        if !left.copies.is_empty() {
            out.push(format!(
                "{} left out (the same file under another name): {}",
                number_of(left.copies.len(), "copy", "copies"),
                names(&left.copies)
            ));
        }
        if !left.same_fields.is_empty() {
            out.push(format!(
                "{} of a field that is counted already left out, as the operator agreed: {}",
                number_of(left.same_fields.len(), "image", "images"),
                names(&left.same_fields)
            ));
        }
        for group in &left.alike {
            out.push(format!("{} images look like the same field and all count: {}", group.len(), names(group)));
        }
        for (n, what) in [
            (left.changed, "changed since it was looked at, not counted"),
            (left.gone, "gone since the last look, not counted"),
        ] {
            if n > 0 {
                out.push(format!("{} {what}", number_of(n, "image", "images")));
            }
        }
        if left.labels_gone > 0 {
            let open = table.run.is_some_and(|r| !r.whole());
            let or = if open { "gone, changed or not looked at" } else { "gone or changed" };
            out.push(format!("Labels of images that are {or}: {}", left.labels_gone));
        }
        if left.labels_unmatched > 0 {
            out.push(format!("Labels of cells that are not found now: {}", left.labels_unmatched));
        }
        if !table.off_catalogue.is_empty() {
            out.push(format!("Counted as white cells, not in the catalogue: {}", listed(&table.off_catalogue, NAMED)));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_version_signed_is_read_and_promises_no_more_than_it_knew() {
        // As version 0.1.0 wrote it.
        let old = r#"{"case":{"sample":"S-1","wbc":6.8,"target":100,"sex":"any","age":null},
            "ranges":[{"label":"neutrophil","unit":"10*9/L","sex":"any","low":2.0,"high":7.5}],
            "classes":["lymphocyte","neutrophil"],
            "slides":[["/a/one",{"cells":{"neutrophil":{"all":60,"reviewed":60},"Neutrophil":{"all":40,"reviewed":40}},
            "no_cell":0,"failed":0,"images":100}]],
            "model":["starter","00ff"],"made":"2026-01-02T03:04:05Z"}"#;
        let s: Snapshot = serde_json::from_str(old).expect("reads");
        let r = SlideReport::new(s, ReportStatus::Final, 1, None);
        assert_eq!((r.table.rows[0].count.all, r.status), (100, ReportStatus::Final));
        assert_eq!(r.confirmed(), "100 of 100 confirmed by a person");
        assert_eq!(r.ranges(), Some("Reference ranges are the laboratory's own settings."));
        assert_eq!(r.lines(), ["100 images"]);
        let again: Snapshot =
            serde_json::from_str(&serde_json::to_string(&r.snapshot).expect("writes")).expect("reads");
        assert_eq!(again, r.snapshot);
    }
}
