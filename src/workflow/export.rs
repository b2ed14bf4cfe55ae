//! What a review session is written out as: one row per format, which the window's menu and the command line share. Nothing is drawn or
//! asked here.

use super::UserError;
use super::laboratory::{report_fhir, report_html, session_report};
use super::sessions::session_csv;
use crate::domain::{ClassSet, ImageResult};
use crate::laboratory::SlideReport;
use crate::report::{RowFormat, RowWriter, Stamp};
use std::path::Path;
use std::sync::Arc;

/// What can be written out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
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

impl Export {
    /// All, in the order of the menu.
    pub const ALL: [Self; 5] = [Self::Labels, Self::ReportHtml, Self::ReportFhir, Self::Images, Self::Table];

    /// Its name in the menu.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Labels => "Labels CSV…",
            Self::ReportHtml => "Report HTML…",
            Self::ReportFhir => "FHIR JSON…",
            Self::Images => "Images by Class…",
            Self::Table => "Classification CSV…",
        }
    }

    /// A sentence about it.
    #[must_use]
    pub fn tooltip(self) -> &'static str {
        match self {
            Self::Labels => "The labels that people gave, by the image's digest: another machine restores them from it",
            Self::ReportHtml => "The differential as a page that prints",
            Self::ReportFhir => "The differential for a laboratory system (FHIR R4)",
            Self::Images => "Copy the images of reviewed cells into a folder per class, with a table: a training set",
            Self::Table => "Write a row per cell, as `leukoscope classify` does",
        }
    }

    /// The name of its file, or of its folder, where nobody chose one.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Labels => "labels.csv",
            Self::ReportHtml => "leukoscope-report.html",
            Self::ReportFhir => "leukoscope-report.fhir.json",
            Self::Images => "leukoscope-images",
            Self::Table => "classification.csv",
        }
    }
}

/// A report in one of its formats; nothing for what is no report.
#[must_use]
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
#[must_use]
pub fn results_csv(images: &[Arc<ImageResult>], classes: &ClassSet, model: String) -> Vec<u8> {
    let mut writer = RowWriter::new(RowFormat::Csv, Stamp { classes: classes.clone(), model });
    let mut bytes = writer.head();
    for image in images {
        bytes.extend(writer.image(image));
    }
    bytes
}
