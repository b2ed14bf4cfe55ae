//! A session as a laboratory's report: what is in its store handed to the laboratory's one count, the laboratory's ranges, the signed
//! versions.

use super::UserError;
use super::sessions::{look, now};
use crate::domain::Digest;
use crate::files::{
    MAX_IMAGE_BYTES, config_file, create_folder, digest_of, display_path, facts, move_aside, read_bounded, real_path,
    write_atomic,
};
use crate::imaging::Cells;
use crate::inference::Finder;
use crate::laboratory::{
    CaseFacts, CaseField, CaseImage, CaseInput, Counted, OnDisk, Ranges, ReferenceRange, ReportStatus, RunRecord, Sex,
    SlideReport, Snapshot, plain_text,
};
use crate::model::{ModelCard, embedded_bytes};
use crate::report::{slide_fhir, slide_html};
use crate::session::{CaseRecord, CellKey, KeptResult, Store, StoreError};
use crate::task::{Cancel, Progress};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use crate::laboratory::{label_of, slide_of, suggestion};

/// The largest file of ranges that is read.
const MAX_RANGES: u64 = 1 << 20;
/// The file of ranges in the user's settings.
const RANGES: &str = "reference-ranges.json";

/// What the results of a session were made with; results of anything else are not shown as this model's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultProvenance {
    pub model: String,
    pub name: String,
    /// Its classes, in its order.
    pub classes: Vec<String>,
    /// Which cells of an image.
    cells: String,
    finder: u32,
    /// How cells are found, and the model that judged them where that is another; empty in sessions of version 0.1.
    #[serde(default)]
    found_by: String,
    /// Of the decoder; 0 in sessions of version 0.1.
    #[serde(default)]
    decoder: u32,
}

impl ResultProvenance {
    /// With a model, taking these cells, which are found in this way.
    pub fn new(card: &ModelCard, cells: Cells, finder: Finder) -> Self {
        let judge = (finder == Finder::Judged && !card.judges()).then(|| digest_of(embedded_bytes()).short());
        Self {
            found_by: judge.map_or_else(|| finder.as_str().to_owned(), |j| format!("{}, {j}", finder.as_str())),
            model: card.digest.to_string(),
            name: card.name.clone(),
            classes: card.classes.names().to_vec(),
            cells: cells.as_str().to_owned(),
            finder: crate::imaging::FINDER_VERSION,
            decoder: crate::imaging::DECODER_VERSION,
        }
    }

    /// As the session keeps it.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(super) fn from_text(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

/// The case's entry for images of one field each, as the user agreed: JSON, a list of lists of digests.
pub const SAME_FIELDS: &str = "same-fields";
/// The case's entry for fields that look alike and are not the same, as the user said.
pub const OTHER_FIELDS: &str = "different-fields";
/// What a session notes: how far the last run came.
pub const RUN: &str = "run";
/// What a session notes: which images were found to look like the same field.
pub const ALIKE: &str = "alike";
/// The only value of [`CaseField::Method`]: nothing is the usual one.
pub const BY_EYE: &str = "manual";

fn ranges_in(path: &Path) -> Result<Vec<ReferenceRange>, UserError> {
    let bytes = read_bounded(path, MAX_RANGES)?.bytes;
    let ranges: Vec<ReferenceRange> = serde_json::from_slice(&bytes)?;
    ranges.iter().find_map(ReferenceRange::fault).map_or(Ok(ranges), |fault| Err(UserError::new(fault)))
}

/// The laboratory's reference ranges: examples until it has entered its own. A file that cannot be read gives none, and says why:
/// neither are the examples put in its place, nor is it written over.
pub fn load_ranges() -> Ranges {
    config_file(RANGES).map_or_else(Ranges::default, |path| ranges_at(&path))
}

fn ranges_at(path: &Path) -> Ranges {
    if !crate::files::is_there(path) {
        return Ranges::default();
    }
    match ranges_in(path) {
        Ok(ranges) => Ranges::new(ranges),
        Err(why) => Ranges::Unreadable(format!(
            "the reference ranges {} cannot be used: {why}; mend the file, or set it aside",
            display_path(path)
        )),
    }
}

/// Keeps the laboratory's reference ranges. A file that is there and cannot be read is set aside first where the user said so
/// (`set_aside`), and is never written over. Says where it was set aside.
///
/// # Errors
/// The first range that cannot be; when they cannot be written; when the file that is there cannot be read.
pub fn save_ranges(ranges: &[ReferenceRange], set_aside: bool) -> Result<Option<PathBuf>, UserError> {
    let path = config_file(RANGES).ok_or_else(|| UserError::new("this system has no place for settings"))?;
    save_ranges_at(&path, ranges, set_aside)
}

fn save_ranges_at(path: &Path, ranges: &[ReferenceRange], set_aside: bool) -> Result<Option<PathBuf>, UserError> {
    if let Some(fault) = ranges.iter().find_map(ReferenceRange::fault) {
        return Err(UserError::new(fault));
    }
    let bytes = serde_json::to_vec_pretty(ranges)?;
    let no =
        |e: String| UserError::new(format!("the reference ranges cannot be written to {}: {e}", display_path(path)));
    let mut aside = None;
    if crate::files::is_there(path)
        && let Err(why) = ranges_in(path)
    {
        if !set_aside {
            return Err(no(format!("the file that is there cannot be read ({why}), and is not written over")));
        }
        aside = Some(move_aside(path, "damaged").map_err(|e| no(e.to_string()))?);
    }
    create_folder(path.parent().unwrap_or(Path::new(".")))
        .map_err(|e| e.to_string())
        .and_then(|()| write_atomic(path, &bytes).map_err(|e| e.to_string()))
        .map_err(no)?;
    Ok(aside)
}

/// What was entered about a case, from the session's entries.
pub fn case_facts(record: &CaseRecord) -> CaseFacts {
    let entry = |field: CaseField| record.entries.get(field.as_str()).map(String::as_str);
    let number = |field| entry(field).and_then(|v| v.parse().ok()).filter(|v: &f64| v.is_finite() && *v > 0.0);
    let default = CaseFacts::default();
    CaseFacts {
        sample: plain_text(entry(CaseField::Sample).unwrap_or_default()),
        wbc: number(CaseField::Wbc),
        target: entry(CaseField::Target).and_then(|t| t.parse().ok()).filter(|t| *t > 0).unwrap_or(default.target),
        sex: entry(CaseField::Sex).map_or(default.sex, Sex::from_word),
        age: entry(CaseField::Age).and_then(|v| v.parse().ok()).filter(|v: &f64| v.is_finite() && *v >= 0.0),
        manual: entry(CaseField::Method) == Some(BY_EYE),
    }
}

/// Groups of images in one of the case's entries; what cannot be read says nothing.
pub fn field_groups(record: &CaseRecord, entry: &str) -> Vec<Vec<Digest>> {
    groups_in(record.entries.get(entry).map_or("[]", String::as_str))
}

/// Groups of images as they are written down; what cannot be read says nothing.
pub fn groups_in(text: &str) -> Vec<Vec<Digest>> {
    let groups: Vec<Vec<String>> = serde_json::from_str(text).unwrap_or_default();
    groups.into_iter().map(|g| g.iter().filter_map(|d| d.parse().ok()).collect()).collect()
}

/// Groups of images as they are written down; nothing for none.
pub fn groups_text(groups: &[Vec<Digest>]) -> String {
    let text: Vec<Vec<String>> = groups.iter().map(|g| g.iter().map(ToString::to_string).collect()).collect();
    if text.is_empty() { String::new() } else { serde_json::to_string(&text).unwrap_or_default() }
}

/// How far a case is, which version was signed last, and who signed it. A report may say less: what the model alone named
/// stays preliminary.
pub fn case_status(record: &CaseRecord) -> (ReportStatus, u32, Option<(String, String, String)>) {
    let last = record.signatures.last();
    let status = match (last, record.locked()) {
        (Some(s), true) if s.version > 1 => ReportStatus::Amended,
        (Some(_), true) => ReportStatus::Final,
        _ => ReportStatus::Preliminary,
    };
    let signed = last.filter(|_| record.locked()).map(|s| (s.operator.clone(), s.time.clone(), s.reason.clone()));
    (status, last.map_or(0, |s| s.version), signed)
}

/// What became of a file since its result was kept. What cannot be reached at all (a share that is away, another machine) is taken
/// for what it was; whether content changed is told by the content where length and time do not settle it.
fn on_disk(kept: &KeptResult) -> OnDisk {
    let path = &kept.result.path;
    let Some(digest) = kept.result.digest else { return OnDisk::Same };
    match facts(path) {
        Some(now) if now == kept.facts => OnDisk::Same,
        Some(_) => match read_bounded(path, MAX_IMAGE_BYTES) {
            Ok(read) if digest_of(&read.bytes) == digest => OnDisk::Same,
            _ => OnDisk::Changed,
        },
        None if path.parent().is_some_and(|folder| real_path(folder).is_some()) => OnDisk::Gone,
        None => OnDisk::Same,
    }
}

/// The files of some results that are not what they were when they were looked at.
fn not_as_looked_at(results: &[KeptResult]) -> Vec<(PathBuf, OnDisk)> {
    let all = results.iter().map(|r| (r.result.path.clone(), on_disk(r)));
    all.filter(|(_, state)| *state != OnDisk::Same).collect()
}

/// What a look at the files of a session found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionFiles {
    /// Files that are not what they were when they were looked at.
    pub changed: Vec<(PathBuf, OnDisk)>,
    /// Images that look like the same field.
    pub alike: Vec<Vec<Digest>>,
}

/// A session's files that are not what they were when they were looked at, and its images that look like the same field.
///
/// # Errors
/// When it is not there, or no session.
pub fn session_files(session: &Path) -> Result<SessionFiles, UserError> {
    let store = look(session)?;
    let results = kept(&store)?.1;
    let alike = super::fields::fields_alike(&results, &Cancel::new(), &Progress::default());
    Ok(SessionFiles { changed: not_as_looked_at(&results), alike })
}

/// What a session's results were made with, and the results.
fn kept(store: &Store) -> Result<(Option<ResultProvenance>, Vec<KeptResult>), StoreError> {
    let made = store.made_with()?;
    let results = made.as_deref().map_or(Ok(Vec::new()), |m| store.results(m))?;
    Ok((made.as_deref().and_then(ResultProvenance::from_text), results))
}

/// The report of a case: as it was signed where it is signed, else of what stands now.
///
/// # Errors
/// When what was signed cannot be read, or `now` fails.
pub fn case_report(
    record: &CaseRecord,
    now: impl FnOnce() -> Result<Snapshot, UserError>,
) -> Result<SlideReport, UserError> {
    let (status, version, signed) = case_status(record);
    let snapshot = match signed_snapshot(record)? {
        Some(snapshot) => snapshot,
        None => now()?,
    };
    Ok(SlideReport::new(snapshot, status, version, signed))
}

/// What was signed last, where the case is signed.
///
/// # Errors
/// When it cannot be read.
pub fn signed_snapshot(record: &CaseRecord) -> Result<Option<Snapshot>, UserError> {
    let Some(last) = record.signatures.last().filter(|_| record.locked()) else { return Ok(None) };
    let read = serde_json::from_str(&last.report);
    read.map(Some)
        .map_err(|e| UserError::new(format!("what was signed as version {} cannot be read: {e}", last.version)))
}

/// What stands in a session now, counted.
fn standing(store: &Store, record: &CaseRecord) -> Result<Snapshot, UserError> {
    Ok(counted(store, record)?.0)
}

/// The same, and what became of each label. What was signed stands as it was when its files were looked at.
pub(super) fn counted(store: &Store, record: &CaseRecord) -> Result<(Snapshot, BTreeMap<CellKey, Counted>), UserError> {
    let (with, results) = kept(store)?;
    // A model that has no result here suggested nothing.
    let with = with.filter(|_| !results.is_empty());
    let labels = store.labels()?;
    let confirmations = store.confirmed()?;
    let images = results
        .iter()
        .map(|k| CaseImage { result: &k.result, on_disk: if record.locked() { OnDisk::Same } else { on_disk(k) } })
        .collect();
    let input = CaseInput {
        images,
        model: with.as_ref().map(|w| (w.name.clone(), w.model.clone())).unwrap_or_default(),
        classes: with.map_or_else(Vec::new, |w| w.classes),
        labels: labels.iter().map(|(k, v)| (*k, v)).collect(),
        confirmations: Some(&confirmations),
        run: store.noted(RUN)?.map(|r| RunRecord::from_text(&r)),
        facts: case_facts(record),
        ranges: load_ranges(),
        same_fields: field_groups(record, SAME_FIELDS),
        other_fields: field_groups(record, OTHER_FIELDS),
        alike: store.noted(ALIKE)?.map_or_else(Vec::new, |t| groups_in(&t)),
    };
    Ok(input.count(&now()))
}

/// The report of a session: as it was signed where it is signed, else as it stands.
///
/// # Errors
/// When it is not there, or no session, or what was signed cannot be read.
pub fn session_report(path: &Path) -> Result<SlideReport, UserError> {
    let store = look(path)?;
    let record = store.case()?;
    let mut report = case_report(&record, || standing(&store, &record))?;
    report.anchor = Some(store.anchor()?);
    Ok(report)
}

/// A time (UTC, RFC 3339) as RFC 3339 with the offset of this machine's clock. What is not a time stays as it is.
pub fn to_local(utc: &str) -> String {
    match chrono::DateTime::parse_from_rfc3339(utc) {
        Ok(time) => time.with_timezone(&chrono::Local).to_rfc3339_opts(chrono::SecondsFormat::Secs, false),
        Err(_) => utc.to_owned(),
    }
}

/// A time (UTC, RFC 3339) as it is on the clock of this machine: "2 Jan 2026, 10:04 (UTC+07:00)". What is not a time stays as it is.
pub fn local_time(utc: &str) -> String {
    match chrono::DateTime::parse_from_rfc3339(utc) {
        Ok(time) => time.with_timezone(&chrono::Local).format("%-d %b %Y, %H:%M (UTC%:z)").to_string(),
        Err(_) => plain_text(utc),
    }
}

/// The page of a report, as bytes, with times of this machine.
pub fn report_html(report: &SlideReport) -> Vec<u8> {
    slide_html(report, &local_time).into_bytes()
}

/// The FHIR bundle of a report, as bytes.
pub fn report_fhir(report: &SlideReport) -> Vec<u8> {
    format!("{:#}\n", slide_fhir(report, digest_of)).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::laboratory::{RangeSource, example_ranges};

    #[test]
    fn a_file_of_ranges_that_cannot_be_read_is_neither_replaced_by_examples_nor_written_over() {
        let dir = tempfile::tempdir().expect("temp");
        let path = dir.path().join("leukoscope/reference-ranges.json");
        assert_eq!(ranges_at(&path).source(), RangeSource::Examples, "none were entered");
        let mut own = example_ranges();
        own[1].high = Some(0.9);
        own[1].low = Some(0.5);
        assert_eq!(save_ranges_at(&path, &own, false).expect("written"), None);
        assert_eq!(ranges_at(&path), Ranges::Own(own.clone()));
        for wrong in ["[{\"label\": \"neutrophil\", \"low\": 9, \"high\": 1}]", "[{,}]", ""] {
            std::fs::write(&path, wrong).expect("written");
            let Ranges::Unreadable(why) = ranges_at(&path) else { panic!("read {wrong}") };
            assert!(why.contains("reference-ranges.json"), "{why}");
            let refused = save_ranges_at(&path, &own, false).expect_err("refused").to_string();
            assert!(refused.contains("not written over"), "{refused}");
            assert_eq!(std::fs::read_to_string(&path).expect("there"), wrong);
        }
        std::fs::write(&path, "mine [").expect("written");
        let aside = save_ranges_at(&path, &own, true).expect("written").expect("set aside");
        assert_eq!(std::fs::read_to_string(aside).expect("there"), "mine [");
        assert_eq!(ranges_at(&path), Ranges::Own(own));
        // A link that leads nowhere now is a place that cannot be read, not one where nothing was ever entered.
        #[cfg(unix)]
        {
            let away = dir.path().join("linked.json");
            std::os::unix::fs::symlink(dir.path().join("share/ranges.json"), &away).expect("linked");
            assert_eq!(ranges_at(&away).source(), RangeSource::Unreadable);
        }
    }

    #[test]
    fn groups_of_images_are_read_as_they_were_written() {
        let groups = vec![vec![Digest([1; 32]), Digest([2; 32])], vec![Digest([3; 32])]];
        assert_eq!(groups_in(&groups_text(&groups)), groups);
        assert_eq!((groups_text(&[]), groups_in("nonsense").len()), (String::new(), 0));
    }
}
