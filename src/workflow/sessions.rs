//! Review sessions by name and by folder: where they are, what is in them, their labels as a table that any machine reads
//! back. Images are known by digest: a table from another machine fits wherever the same pictures are.

use super::UserError;
use crate::dataset::{MAX_TABLE, Table, plain_field, table_text};
use crate::domain::{Digest, label_fault, one_spelling};
use crate::files::{data_file, digest_of, display_name, display_path, read_bounded, walk, write_atomic};
use crate::session::{CellKey, Change, Edit, Store, Verdict, Verification};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The ending of a session's file.
const ENDING: &str = "session";
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

/// Writes an export to a file, whole or not at all.
///
/// # Errors
/// When it cannot be written.
pub fn write_export(out: &Path, bytes: &[u8]) -> Result<(), UserError> {
    write_atomic(out, bytes).map_err(|e| UserError::new(format!("{} cannot be written: {e}", display_path(out))))
}

/// What an import came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Cells that were changed.
    pub changed: usize,
    /// What a person should know: what was set aside, why nothing more can be written.
    pub said: Vec<String>,
    /// A damaged session was set aside and another begun.
    pub set_aside: bool,
}

/// The columns of a table that is imported, by their places.
struct ImportColumns {
    digest: Option<usize>,
    path: Option<usize>,
    cell: Option<usize>,
    label: usize,
    suggested: Option<usize>,
}

impl ImportColumns {
    fn of(table: &Table<'_>) -> Result<Self, String> {
        let (digest, path) = (table.column("sha256"), table.column("path"));
        let Some(label) = table.column("label").filter(|_| digest.is_some() || path.is_some()) else {
            return Err(format!(
                "the first line must name the columns sha256, cell and label, or path and label; it names {}",
                table.named()
            ));
        };
        let cell = table.column("cell");
        if cell.is_none() && path.is_none() {
            return Err(format!("the column cell is missing; the first line names {}", table.named()));
        }
        Ok(Self { digest, path, cell, label, suggested: table.column("suggested") })
    }
}

/// Puts the labels of a table into a session: `sha256,cell,label` or `path,label`, and what else `session export` writes. Only the
/// columns that are there change anything: without `x,y,side` squares stay as they are, without `suggested` suggestions do. All of the
/// table is taken, or nothing of it. `repair` takes a damaged session up, set aside as the window does; else it is refused.
///
/// # Errors
/// What is wrong with the table, by line and column; when the file is no session, is damaged, or cannot be written.
pub fn import_session(
    path: &Path,
    table: &Path,
    folders: &[PathBuf],
    operator: &str,
    repair: bool,
) -> Result<Imported, UserError> {
    let shown = display_path(table);
    let bad = |what: String| UserError::new(format!("{shown}: {what}"));
    let no = |e: crate::session::StoreError| UserError::new(e.to_string());
    let bytes = read_bounded(table, MAX_TABLE).map_err(|e| bad(e.to_string()))?.bytes;
    let (text, separator) = table_text(&bytes).map_err(|e| bad(e.to_string()))?;
    let mut rows = Table::new(&text, separator).map_err(|e| bad(e.to_string()))?;
    let columns = ImportColumns::of(&rows).map_err(bad)?;
    let holder = holder();
    let opened = if repair { Store::open(path, &holder) } else { Store::open_undamaged(path, &holder) }.map_err(no)?;
    let mut store = opened.store;
    let present = store.labels().map_err(no)?;
    let seen: BTreeMap<PathBuf, Digest> = store.seen().map_err(no)?.into_iter().map(|s| (s.path, s.image)).collect();
    // A label is one spelling within a session, whoever gives it.
    let mut spellings: Vec<String> = present.values().map(|v| v.label.clone()).filter(|l| !l.is_empty()).collect();
    spellings.sort();
    spellings.dedup();
    let mut wanted: BTreeMap<CellKey, (Verdict, usize)> = BTreeMap::new();
    let mut line = 1;
    while let Some(record) = rows.next_row() {
        line += 1;
        let bad = |what: String| bad(format!("line {line}: {what}"));
        let record = record.map_err(|e| bad(e.to_string()))?;
        let field = |at: usize| plain_field(record.get(at).unwrap_or(""));
        let image = match (columns.digest.map(field).filter(|d| !d.is_empty()), columns.path) {
            (Some(digest), _) => digest.parse().map_err(|e| bad(format!("column sha256: {e}")))?,
            (None, Some(at)) => image_of(field(at), table, &seen).map_err(|e| bad(format!("column path: {e}")))?,
            (None, None) => return Err(bad("column sha256 is empty".into())),
        };
        let cell = match columns.cell.map(field).filter(|c| !c.is_empty()) {
            Some(text) => {
                let number = text.parse().ok().filter(|c: &u32| *c > 0);
                number.ok_or_else(|| bad(format!("column cell: \"{}\" is no number of a cell", text.escape_debug())))?
            }
            None => {
                let known: Vec<u32> = present.keys().filter(|k| k.image == image).map(|k| k.cell).collect();
                match known[..] {
                    [] => 1,
                    [one] => one,
                    _ => return Err(bad("column cell is needed: the image has several cells".into())),
                }
            }
        };
        let key = CellKey { image, cell };
        let before = present.get(&key);
        let label = imported_label(field(columns.label), &spellings).map_err(|e| bad(format!("column label: {e}")))?;
        let square = match rows.has_squares() {
            // Without the columns a square stays what it is.
            false => before.and_then(|b| b.square),
            true => rows.square(&record).map_err(|e| bad(e.to_string()))?,
        };
        if label.is_empty() && square.is_none() {
            return Err(bad("there is no label".into()));
        }
        let suggested = match columns.suggested {
            Some(at) => crate::domain::canonical_label(field(at)),
            None => before.map_or_else(String::new, |b| b.suggested.clone()),
        };
        if !label.is_empty() && !spellings.contains(&label) {
            spellings.push(label.clone());
        }
        let verdict = Verdict { label, suggested, square };
        if let Some((other, before)) = wanted.insert(key, (verdict.clone(), line))
            && other != verdict
        {
            return Err(bad(format!(
                "cell {cell} of this image has another label or square than in line {before}: {}, {}",
                verdict.label, other.label
            )));
        }
    }
    let changes: Vec<Change> = wanted
        .into_iter()
        .map(|(key, (v, _))| Change { key, before: present.get(&key).cloned(), after: Some(v) })
        .filter(|c| c.before != c.after)
        .collect();
    let changed = changes.len();
    if changed > 0 {
        let edit = Edit { action: "import".into(), changes, reason: shown.clone() };
        store.apply(&edit, operator, &now()).map_err(no)?;
    }
    if store.folders().is_ok_and(|f| f.is_empty()) && !folders.is_empty() {
        store.set_folders(folders).map_err(no)?;
    }
    Ok(Imported { changed, said: opened.said, set_aside: opened.set_aside.is_some() })
}

/// The image of a path in a table: one that the session has seen, or a file that is there; relative to the table.
fn image_of(text: &str, table: &Path, seen: &BTreeMap<PathBuf, Digest>) -> Result<Digest, String> {
    if text.is_empty() {
        return Err("it is empty".into());
    }
    let typed = Path::new(text);
    let beside = table.parent().unwrap_or(Path::new("")).join(typed);
    let places = [
        std::path::absolute(typed).unwrap_or_else(|_| typed.to_owned()),
        std::path::absolute(&beside).unwrap_or(beside),
    ];
    let known: std::collections::BTreeSet<Digest> = places.iter().filter_map(|p| seen.get(p)).copied().collect();
    if let Some(one) = known.first().filter(|_| known.len() == 1) {
        return Ok(*one);
    }
    // Not by its place: by its name, where only one image of the session ends so.
    let ends: std::collections::BTreeSet<Digest> =
        seen.iter().filter(|(p, _)| p.ends_with(typed)).map(|(_, d)| *d).collect();
    let shown = display_path(typed);
    match (ends.len(), places.iter().find(|p| crate::files::is_file(p))) {
        (1, _) => ends.first().copied().ok_or_else(String::new),
        (0, Some(file)) => {
            let read = read_bounded(file, crate::files::MAX_PICTURE_BYTES);
            read.map(|s| s.digest).map_err(|e| format!("{shown}: {e}"))
        }
        (0, None) => Err(format!(
            "the session knows no image {shown}, and there is no such file; a table with sha256, cell and label needs none"
        )),
        (n, _) => Err(format!("{n} images of the session are called {shown}; write more of the path, or sha256")),
    }
}

/// A label as the session spells it.
fn imported_label(text: &str, known: &[String]) -> Result<String, String> {
    label_fault(text).map_or(Ok(()), Err)?;
    Ok(if text.is_empty() { String::new() } else { one_spelling(text, known.iter().map(String::as_str)) })
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
