//! What a review session is written out as: one row per format, which the window's menu and the command line share. Nothing is drawn or
//! asked here.

use super::UserError;
use super::laboratory::{counted, report_fhir, report_html, session_report};
use super::sessions::{RESEARCH, look};
use crate::domain::{ClassSet, Digest, ImageResult};
use crate::laboratory::SlideReport;
use crate::report::{RowFormat, RowWriter, Stamp, csv_text};
use crate::session::{CellKey, Verdict};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use strum::IntoEnumIterator as _;

/// Columns of an exported table.
const COLUMNS: [&str; 10] = ["sha256", "cell", "label", "suggested", "path", "x", "y", "side", "use", "counted"];

/// What can be written out, in the order of the menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, strum::EnumIter)]
pub enum Export {
    /// The labels that people gave, as a table.
    #[default]
    Labels,
    /// The case's report as a page.
    ReportHtml,
    /// The case's report for another system.
    ReportFhir,
    /// The reviewed images in a folder per class.
    Images,
    /// What the model said, as a table.
    Table,
}

/// What is said of a format.
struct Row {
    /// In the menu.
    text: &'static str,
    tooltip: &'static str,
    /// The file, or the folder, where nobody chose one.
    file_name: &'static str,
    /// The word in the settings, for its keys.
    setting: &'static str,
    /// The word on the command line and its help; none where it is of the window alone.
    format: Option<(&'static str, &'static str)>,
}

impl Export {
    /// All, in the order of the menu.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::iter()
    }

    fn row(self) -> Row {
        let row = |text, tooltip, file_name, setting, format| Row { text, tooltip, file_name, setting, format };
        match self {
            Self::Labels => row(
                "Labels CSV…",
                "The labels that people gave, by the image's digest: another machine restores them from it",
                "labels.csv",
                "ExportCsv",
                Some(("csv", "sha256,cell,label,suggested,path,x,y,side,use,counted")),
            ),
            Self::ReportHtml => row(
                "Report HTML…",
                "The differential as a page that prints",
                "leukoscope-report.html",
                "ExportReport",
                Some(("html", "The differential as a page that prints")),
            ),
            Self::ReportFhir => row(
                "FHIR JSON…",
                "The differential for a laboratory system (FHIR R4)",
                "leukoscope-report.fhir.json",
                "ExportFhir",
                Some(("fhir", "The differential as a FHIR R4 bundle (JSON)")),
            ),
            Self::Images => {
                let help = "Copies of the reviewed cells' images in a folder per class, with labels.csv; --out names the folder";
                let tooltip = "Copy the images of reviewed cells into a folder per class, with a table: a training set";
                row("Images by Class…", tooltip, "leukoscope-images", "ExportImages", Some(("images", help)))
            }
            Self::Table => {
                let tooltip = "Write a row per cell, as `leukoscope classify` does";
                row("Classification CSV…", tooltip, "classification.csv", "ExportTable", None)
            }
        }
    }

    /// Its name in the menu.
    pub fn text(self) -> &'static str {
        self.row().text
    }

    pub fn tooltip(self) -> &'static str {
        self.row().tooltip
    }

    /// The name of its file, or of its folder, where nobody chose one.
    pub fn file_name(self) -> &'static str {
        self.row().file_name
    }

    /// The word on the command line and its help; none where it is of the window alone.
    pub fn format(self) -> Option<(&'static str, &'static str)> {
        self.row().format
    }

    /// The word in the settings, for its keys.
    pub fn setting(self) -> &'static str {
        self.row().setting
    }
}

/// A report in one of its formats; nothing for what is not a report.
pub fn report_bytes(export: Export, report: &SlideReport) -> Option<Vec<u8>> {
    match export {
        Export::ReportHtml => Some(report_html(report)),
        Export::ReportFhir => Some(report_fhir(report)),
        Export::Labels | Export::Images | Export::Table => None,
    }
}

/// A session's labels or report as the bytes of a file.
///
/// # Errors
/// When the session cannot be read, or what is asked for is not one file of a session.
pub fn session_bytes(export: Export, session: &Path) -> Result<Vec<u8>, UserError> {
    match export {
        Export::Labels => session_csv(session),
        _ => report_bytes(export, &session_report(session)?)
            .ok_or_else(|| UserError::new("this is not one file of a session")),
    }
}

/// The rows of results, as `leukoscope classify` writes them.
pub fn results_csv(images: &[Arc<ImageResult>], classes: &ClassSet, model: String) -> Vec<u8> {
    let mut writer = RowWriter::new(RowFormat::Csv, Stamp { classes: classes.clone(), model });
    let mut bytes = writer.head();
    for image in images {
        bytes.extend(writer.image(image));
    }
    bytes
}

/// A session's labels as CSV: `sha256,cell,label,suggested,path,x,y,side,use,counted`, by path and cell; a square is given where the user
/// drew or moved it.
///
/// # Errors
/// When it is not there, or no session.
fn session_csv(path: &Path) -> Result<Vec<u8>, UserError> {
    let store = look(path)?;
    let seen: BTreeMap<Digest, String> =
        store.seen()?.into_iter().map(|s| (s.image, s.path.to_string_lossy().into_owned())).collect();
    let became = counted(&store, &store.case()?)?.1;
    let mut rows: Vec<(String, CellKey, Verdict)> = store
        .labels()?
        .into_iter()
        .map(|(key, v)| (seen.get(&key.image).cloned().unwrap_or_default(), key, v))
        .collect();
    rows.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut w = csv::Writer::from_writer(Vec::new());
    // Writing to memory does not fail.
    let _ = w.write_record(COLUMNS);
    for (path, key, v) in rows {
        let fields = [
            key.image.to_string(),
            key.cell.to_string(),
            csv_text(&v.label).into_owned(),
            csv_text(&v.suggested).into_owned(),
            csv_text(&path).into_owned(),
            v.square.map_or_else(String::new, |s| s.x.to_string()),
            v.square.map_or_else(String::new, |s| s.y.to_string()),
            v.square.map_or_else(String::new, |s| s.side.to_string()),
            RESEARCH.to_owned(),
            became.get(&key).map_or("", |c| c.as_str()).to_owned(),
        ];
        let _ = w.write_record(&fields);
    }
    Ok(w.into_inner().unwrap_or_default())
}
