//! Review sessions by name and by folder: where they are, what is in them, their labels as a table that any machine reads
//! back. Images are known by digest: a table from another machine fits wherever the same images are.

use super::UserError;
use crate::files::{data_file, digest_of, display_name, display_path, file_safe, walk};
use crate::session::{Store, Verification};
use std::path::{Path, PathBuf};

/// The ending of a session's file.
const ENDING: &str = "session";
/// Stands in every row: what a table is for goes where the table goes.
pub(super) const RESEARCH: &str = "research use only";

/// A session in the user's data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionFacts {
    pub path: PathBuf,
    pub folders: Vec<PathBuf>,
    pub cells: usize,
    /// Of these, how many were given another label than the model had suggested.
    pub changed: usize,
    /// Rows of the audit trail.
    pub edits: usize,
}

/// A session's file, and what is in it or why that cannot be read.
pub type ListedSession = (PathBuf, Result<SessionFacts, UserError>);

/// The file of the session of some folders or images: one for each set, whatever order they are named in.
///
/// # Errors
/// When the system has no place for a user's data.
pub fn session_path(folders: &[PathBuf]) -> Result<PathBuf, UserError> {
    let place = data_file("sessions")
        .ok_or_else(|| UserError::new("this system has no folder for a user's data; name a file with --session"))?;
    let mut names: Vec<String> = folders.iter().map(|f| resolved(f).to_string_lossy().into_owned()).collect();
    names.sort();
    names.dedup();
    let first: String = names.first().map_or_else(String::new, |n| display_name(Path::new(n)));
    let plain = file_safe(&first, &[], 40);
    let digest = digest_of(names.join("\n").as_bytes()).short();
    Ok(place.join(format!("{plain}-{digest}.{ENDING}")))
}

/// The folder as the system knows it, so that two ways to it are one.
fn resolved(folder: &Path) -> PathBuf {
    crate::files::real_path(folder).unwrap_or_else(|| folder.to_owned())
}

/// All sessions of this user, by path.
///
/// # Errors
/// When the system has no place for a user's data.
pub fn list_sessions() -> Result<Vec<ListedSession>, UserError> {
    let place = data_file("sessions").ok_or_else(|| UserError::new("this system has no folder for a user's data"))?;
    let listing = walk(&[place], &|| false);
    let mut paths: Vec<PathBuf> = listing
        .entries
        .into_iter()
        .filter(|e| e.error.is_none() && e.path.extension().is_some_and(|x| x == ENDING))
        .map(|e| e.path)
        .collect();
    paths.sort();
    Ok(paths.into_iter().map(|p| (p.clone(), session_facts(&p))).collect())
}

/// What is in a session.
///
/// # Errors
/// When it is not there, or no session.
pub fn session_facts(path: &Path) -> Result<SessionFacts, UserError> {
    let store = look(path)?;
    let labels = store.labels()?;
    Ok(SessionFacts {
        path: path.to_owned(),
        folders: store.folders()?,
        cells: labels.len(),
        changed: labels.values().filter(|v| v.label != v.suggested).count(),
        edits: store.audit()?.len(),
    })
}

pub(super) fn look(path: &Path) -> Result<Store, UserError> {
    if !crate::files::is_file(path) {
        return Err(UserError::new(format!("there is no session {}", display_path(path))));
    }
    Store::look(path).map_err(UserError::from)
}

/// Checks a session's audit trail.
///
/// # Errors
/// When it is not there, or no session.
pub fn verify_session(path: &Path) -> Result<Verification, UserError> {
    look(path)?.verify().map_err(UserError::from)
}

/// What another process is told of this one that has a session open.
pub fn holder() -> String {
    format!("Leukoscope, process {}", std::process::id())
}

/// The time as audit rows have it.
pub fn now() -> String {
    humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string()
}
