//! Review sessions by name and by folder: where they are, what is in them, their labels as a table that any machine reads
//! back. Images are known by digest: a table from another machine fits wherever the same pictures are.

use super::UserError;
use crate::domain::{Digest, Square};
use crate::files::{data_file, digest_of, display_name, display_path, read_bounded, walk, write_atomic};
use crate::report::csv_text;
use crate::session::{CellKey, Change, Edit, Store, Verdict, Verification};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The largest table that is read.
const MAX_CSV: u64 = 256 << 20;
/// The ending of a session's file.
const ENDING: &str = "session";
/// Columns of an exported table.
const COLUMNS: [&str; 9] = ["sha256", "cell", "label", "suggested", "path", "x", "y", "side", "use"];
/// Stands in every row: what a table is for goes where the table goes.
pub(super) const RESEARCH: &str = "research use only";

/// A session in the user's data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionFacts {
    /// Its file.
    pub path: PathBuf,
    /// The folders that it is of.
    pub folders: Vec<PathBuf>,
    /// Reviewed cells.
    pub cells: usize,
    /// Of these, how many were given another label than the model had suggested.
    pub changed: usize,
    /// Rows of the audit trail.
    pub edits: usize,
}

/// A session's file, and what is in it or why that cannot be read.
pub type ListedSession = (PathBuf, Result<SessionFacts, String>);

/// The file of the session of some folders or pictures: one for each set, whatever order they are named in.
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
    let plain: String = first.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).take(40).collect();
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
    Ok(paths.into_iter().map(|p| (p.clone(), session_facts(&p).map_err(|e| e.to_string()))).collect())
}

/// What is in a session.
///
/// # Errors
/// When it is not there, or no session.
pub fn session_facts(path: &Path) -> Result<SessionFacts, UserError> {
    let store = look(path)?;
    let say = |e: crate::session::StoreError| UserError::new(e.to_string());
    let labels = store.labels().map_err(say)?;
    Ok(SessionFacts {
        path: path.to_owned(),
        folders: store.folders().map_err(say)?,
        cells: labels.len(),
        changed: labels.values().filter(|v| v.label != v.suggested).count(),
        edits: store.audit().map_err(say)?.len(),
    })
}

pub(super) fn look(path: &Path) -> Result<Store, UserError> {
    if !crate::files::is_file(path) {
        return Err(UserError::new(format!("there is no session {}", display_path(path))));
    }
    Store::look(path).map_err(|e| UserError::new(e.to_string()))
}

/// A session's labels as CSV: `sha256,cell,label,suggested,path,x,y,side,use`, by path and cell; a square is given where a person
/// drew or moved it.
///
/// # Errors
/// When it is not there, or no session.
pub fn session_csv(path: &Path) -> Result<Vec<u8>, UserError> {
    let store = look(path)?;
    let say = |e: crate::session::StoreError| UserError::new(e.to_string());
    let seen: BTreeMap<Digest, String> =
        store.seen().map_err(say)?.into_iter().map(|s| (s.image, s.path.to_string_lossy().into_owned())).collect();
    let mut rows: Vec<(String, CellKey, Verdict)> = store
        .labels()
        .map_err(say)?
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
        ];
        let _ = w.write_record(&fields);
    }
    Ok(w.into_inner().unwrap_or_default())
}

/// Writes an export to a file, whole or not at all.
///
/// # Errors
/// When it cannot be written.
pub fn write_export(out: &Path, bytes: &[u8]) -> Result<(), UserError> {
    write_atomic(out, bytes).map_err(|e| UserError::new(format!("{} cannot be written: {e}", display_path(out))))
}

/// Puts the labels of a table into a session, which is made where there is none; cells that have the label already are left
/// alone. Says how many cells changed. All of it or nothing: the table is read whole before anything is written.
///
/// # Errors
/// What is wrong with the table, by line; when the session cannot be written.
pub fn import_session(path: &Path, table: &Path, folders: &[PathBuf], operator: &str) -> Result<usize, UserError> {
    let shown = display_path(table);
    let bad = |what: String| UserError::new(format!("{shown}: {what}"));
    let bytes = read_bounded(table, MAX_CSV).map_err(|e| bad(e.to_string()))?.bytes;
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text);
    let headers = reader.headers().map_err(|e| bad(format!("not a CSV: {e}")))?.clone();
    let column = |name: &str| headers.iter().position(|h| h.eq_ignore_ascii_case(name));
    let (Some(at_digest), Some(at_cell), Some(at_label)) = (column("sha256"), column("cell"), column("label")) else {
        return Err(bad(format!(
            "the first line must name the columns sha256, cell and label; it has {:?}",
            headers.iter().collect::<Vec<_>>()
        )));
    };
    let at_suggested = column("suggested");
    let at_square = column("x").zip(column("y")).zip(column("side"));
    let opened = Store::open(path, &holder()).map_err(|e| UserError::new(e.to_string()))?;
    let mut store = opened.store;
    let present = store.labels().map_err(|e| UserError::new(e.to_string()))?;
    let mut wanted: BTreeMap<CellKey, Verdict> = BTreeMap::new();
    for (i, record) in reader.records().enumerate() {
        let line = i + 2;
        let record = record.map_err(|e| bad(format!("line {line}: {e}")))?;
        let field = |at: usize| plain(record.get(at).unwrap_or(""));
        let image = field(at_digest).parse().map_err(|e| bad(format!("line {line}: {e}")))?;
        let cell = field(at_cell)
            .parse()
            .ok()
            .filter(|c: &u32| *c > 0)
            .ok_or_else(|| bad(format!("line {line}: \"{}\" is no number of a cell", field(at_cell))))?;
        let label = field(at_label);
        let number = |at: usize| field(at).parse().ok().filter(|v: &f32| v.is_finite());
        let square = at_square.and_then(|((x, y), side)| {
            Some(Square { x: number(x)?, y: number(y)?, side: number(side).filter(|s| *s >= 1.0)? })
        });
        if label.is_empty() && square.is_none() {
            return Err(bad(format!("line {line} has no label")));
        }
        let suggested = at_suggested.map_or("", |a| field(a));
        let verdict = Verdict { label: label.to_owned(), suggested: suggested.to_owned(), square };
        if let Some(other) = wanted.insert(CellKey { image, cell }, verdict)
            && other.label != label
        {
            return Err(bad(format!(
                "line {line} gives a cell another label than a line before: {label}, {}",
                other.label
            )));
        }
    }
    let changes: Vec<Change> = wanted
        .into_iter()
        .filter(|(key, v)| present.get(key).is_none_or(|p| p.label != v.label || p.square != v.square))
        .map(|(key, v)| Change { key, before: present.get(&key).cloned(), after: Some(v) })
        .collect();
    let n = changes.len();
    if n > 0 {
        let edit = Edit { action: "import".into(), changes, reason: shown.clone() };
        store.apply(&edit, operator, &now()).map_err(|e| UserError::new(e.to_string()))?;
    }
    if store.folders().is_ok_and(|f| f.is_empty()) && !folders.is_empty() {
        store.set_folders(folders).map_err(|e| UserError::new(e.to_string()))?;
    }
    Ok(n)
}

/// Without the apostrophe that keeps a spreadsheet from taking a field for a formula.
fn plain(field: &str) -> &str {
    match field.strip_prefix('\'') {
        Some(rest) if rest.starts_with(['=', '+', '-', '@']) => rest,
        _ => field,
    }
}

/// Checks a session's audit trail.
///
/// # Errors
/// When it is not there, or no session.
pub fn verify_session(path: &Path) -> Result<Verification, UserError> {
    look(path)?.verify().map_err(|e| UserError::new(e.to_string()))
}

/// What another process is told of this one that has a session open.
#[must_use]
pub fn holder() -> String {
    format!("Leukoscope, process {}", std::process::id())
}

/// The time as audit rows have it.
#[must_use]
pub fn now() -> String {
    humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string()
}
