//! A session as a laboratory's report: its counts slide by slide, the laboratory's ranges, the signed versions.

use super::UserError;
use super::sessions::{look, now};
use crate::domain::{Differential, Digest, ImageResult, Outcome, UNIDENTIFIED};
use crate::files::{config_file, create_folder, digest_of, display_path, read_bounded, write_atomic};
use crate::inference::Cells;
use crate::laboratory::{CaseFacts, ReferenceRange, ReportStatus, Sex, SlideReport, Snapshot, example_ranges};
use crate::model::ModelCard;
use crate::report::{slide_fhir, slide_html};
use crate::session::{CaseRecord, CellKey, KeptResult, Verdict};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// The largest file of ranges that is read.
const MAX_RANGES: u64 = 1 << 20;
/// The file of ranges in the user's settings.
const RANGES: &str = "reference-ranges.json";

/// What the results of a session were made with; results of anything else are not shown as this model's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeWith {
    /// Digest of the model.
    pub model: String,
    /// Its name.
    pub name: String,
    /// Its classes, in its order.
    pub classes: Vec<String>,
    /// Which cells of a picture.
    cells: String,
    /// Of the finder.
    finder: u32,
}

impl MadeWith {
    /// With a model, taking these cells.
    #[must_use]
    pub fn new(card: &ModelCard, cells: Cells) -> Self {
        Self {
            model: card.digest.to_string(),
            name: card.name.clone(),
            classes: card.classes.names().to_vec(),
            cells: format!("{cells:?}"),
            finder: crate::imaging::FINDER_VERSION,
        }
    }

    /// As the session keeps it.
    #[must_use]
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(super) fn from_text(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

/// The laboratory's reference ranges: examples until it has entered its own. A file that cannot be read is said.
///
/// # Errors
/// What is wrong with the file.
pub fn load_ranges() -> Result<Vec<ReferenceRange>, UserError> {
    let Some(path) = config_file(RANGES).filter(|p| crate::files::is_file(p)) else { return Ok(example_ranges()) };
    let bad = |e: &dyn std::fmt::Display| {
        UserError::new(format!(
            "the reference ranges {} cannot be used: {e}; mend or remove the file",
            display_path(&path)
        ))
    };
    let bytes = read_bounded(&path, MAX_RANGES).map_err(|e| bad(&e))?.bytes;
    let ranges: Vec<ReferenceRange> = serde_json::from_slice(&bytes).map_err(|e| bad(&e))?;
    match ranges.iter().find_map(ReferenceRange::fault) {
        Some(fault) => Err(bad(&fault)),
        None => Ok(ranges),
    }
}

/// Keeps the laboratory's reference ranges.
///
/// # Errors
/// The first range that cannot be; when they cannot be written.
pub fn save_ranges(ranges: &[ReferenceRange]) -> Result<(), UserError> {
    if let Some(fault) = ranges.iter().find_map(ReferenceRange::fault) {
        return Err(UserError::new(fault));
    }
    let path = config_file(RANGES).ok_or_else(|| UserError::new("this system has no place for settings"))?;
    let bytes = serde_json::to_vec_pretty(ranges).map_err(|e| UserError::new(e.to_string()))?;
    create_folder(path.parent().unwrap_or(Path::new(".")))
        .and_then(|()| write_atomic(&path, &bytes))
        .map_err(|e| UserError::new(format!("the reference ranges cannot be written to {}: {e}", display_path(&path))))
}

/// What was entered about a case, from the session's entries.
#[must_use]
pub fn case_facts(record: &CaseRecord) -> CaseFacts {
    let entry = |name: &str| record.entries.get(name).map(String::as_str);
    let number = |name: &str| entry(name).and_then(|v| v.parse().ok()).filter(|v: &f64| v.is_finite() && *v > 0.0);
    let default = CaseFacts::default();
    CaseFacts {
        sample: entry("sample").unwrap_or_default().to_owned(),
        wbc: number("wbc"),
        target: entry("target").and_then(|t| t.parse().ok()).filter(|t| *t > 0).unwrap_or(default.target),
        sex: entry("sex").map_or(default.sex, Sex::from_word),
        age: entry("age").and_then(|v| v.parse().ok()).filter(|v: &f64| v.is_finite() && *v >= 0.0),
    }
}

/// How far a case is, which version was signed last, and who signed it.
#[must_use]
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

/// The slide that an image is of: the folder that it lies in.
#[must_use]
pub fn slide_of(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).to_owned()
}

/// The label of a cell: a person's, or what the model suggests; and whether a person gave it.
#[must_use]
pub fn label_of<'a>(verdict: Option<&'a Verdict>, suggested: &'a str) -> (&'a str, bool) {
    match verdict {
        Some(v) if v.named() => (&v.label, true),
        _ => (suggested, false),
    }
}

/// What the model suggests for a cell of a result.
#[must_use]
pub fn suggestion<'a>(cell: &crate::domain::CellResult, classes: &'a [String]) -> &'a str {
    let class = cell.accepted.then(|| classes.get(cell.probabilities.top().0)).flatten();
    class.map_or(UNIDENTIFIED, String::as_str)
}

/// Counts slide by slide, in the order of their paths. Labels of images that have no result count too.
fn slides(
    results: &[KeptResult],
    labels: &BTreeMap<CellKey, Verdict>,
    seen: &HashMap<Digest, PathBuf>,
    classes: &[String],
) -> Vec<(PathBuf, Differential)> {
    let mut slides: BTreeMap<PathBuf, Differential> = BTreeMap::new();
    let mut shown: std::collections::HashSet<CellKey> = std::collections::HashSet::new();
    for KeptResult { result, .. } in results {
        let slide = slides.entry(slide_of(&result.path)).or_default();
        slide.add_image(result);
        let ImageResult { outcome: Outcome::Cells(cells), digest: Some(image), .. } = &**result else { continue };
        for cell in cells {
            let key = CellKey { image: *image, cell: cell.number };
            shown.insert(key);
            let (label, reviewed) = label_of(labels.get(&key), suggestion(cell, classes));
            slide.count(label, reviewed, true);
        }
    }
    for (key, verdict) in labels.iter().filter(|(key, v)| v.named() && !shown.contains(key)) {
        let slide = seen.get(&key.image).map_or_else(PathBuf::new, |p| slide_of(p));
        slides.entry(slide).or_default().count(&verdict.label, true, true);
    }
    slides.into_iter().collect()
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
    let snapshot = match record.signatures.last().filter(|_| record.locked()) {
        Some(last) => serde_json::from_str(&last.report)
            .map_err(|e| UserError::new(format!("what was signed as version {version} cannot be read: {e}")))?,
        None => now()?,
    };
    Ok(SlideReport::new(snapshot, status, version, signed))
}

/// The report of a session: as it was signed where it is signed, else as it stands.
///
/// # Errors
/// When it is not there, or no session, or the ranges cannot be read.
pub fn session_report(path: &Path) -> Result<SlideReport, UserError> {
    let store = look(path)?;
    let say = |e: crate::session::StoreError| UserError::new(e.to_string());
    let record = store.case().map_err(say)?;
    case_report(&record, || {
        let made = store.made_with().map_err(say)?;
        let with = made.as_deref().and_then(MadeWith::from_text);
        let results = made.as_deref().map_or(Ok(Vec::new()), |m| store.results(m)).map_err(say)?;
        let seen = store.seen().map_err(say)?.into_iter().map(|s| (s.image, s.path)).collect();
        let classes = with.as_ref().map_or_else(Vec::new, |w| w.classes.clone());
        Ok(Snapshot {
            case: case_facts(&record),
            ranges: load_ranges()?,
            slides: slides(&results, &store.labels().map_err(say)?, &seen, &classes),
            classes,
            model: with.map_or_else(|| ("not known".into(), String::new()), |w| (w.name, w.model)),
            made: now(),
        })
    })
}

/// The page of a report, as bytes.
#[must_use]
pub fn report_html(report: &SlideReport) -> Vec<u8> {
    slide_html(report).into_bytes()
}

/// The FHIR bundle of a report, as bytes.
#[must_use]
pub fn report_fhir(report: &SlideReport) -> Vec<u8> {
    format!("{:#}\n", slide_fhir(report, digest_of)).into_bytes()
}
