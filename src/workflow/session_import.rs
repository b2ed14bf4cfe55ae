//! The labels of a table, put into a session. Reads the table, and changes nothing but labels.

use super::UserError;
use super::sessions::{holder, now};
use crate::dataset::{MAX_TABLE, Table, plain_field, table_text};
use crate::domain::{Digest, canonical_label, label_fault, one_spelling};
use crate::files::{MAX_IMAGE_BYTES, display_path, is_file, read_bounded};
use crate::session::{CellKey, Change, Edit, EditAction, Store, Verdict};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// What an import came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Cells that were changed.
    pub changed: usize,
    /// What the user should know: what was set aside, why nothing more can be written.
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
    fn find(table: &Table<'_>) -> Result<Self, UserError> {
        let (digest, path) = (table.column("sha256"), table.column("path"));
        let Some(label) = table.column("label").filter(|_| digest.is_some() || path.is_some()) else {
            return Err(UserError::new(format!(
                "the first line must name the columns sha256, cell and label, or path and label; it names {}",
                table.named()
            )));
        };
        let cell = table.column("cell");
        if cell.is_none() && path.is_none() {
            return Err(UserError::new(format!("the column cell is missing; the first line names {}", table.named())));
        }
        Ok(Self { digest, path, cell, label, suggested: table.column("suggested") })
    }
}

/// Puts the labels of a table into a session: `sha256,cell,label` or `path,label`, and what else `session export` writes. Only the
/// columns that are there change anything: without `x,y,side` squares stay as they are, without `suggested` suggestions do. All of the
/// table is taken, or nothing of it. `repair` takes a damaged session up, set aside as the window does; else it is refused.
///
/// # Errors
/// What is wrong with the table, by line and column; when the file is not a session, is damaged, or cannot be written.
pub fn import_session(
    path: &Path,
    table: &Path,
    folders: &[PathBuf],
    operator: &str,
    repair: bool,
) -> Result<Imported, UserError> {
    let shown = display_path(table);
    let in_table = |what: &dyn Display| UserError::new(format!("{shown}: {what}"));
    let bytes = read_bounded(table, MAX_TABLE).map_err(|e| in_table(&e))?.bytes;
    let (text, separator) = table_text(&bytes).map_err(|e| in_table(&e))?;
    let rows = Table::new(&text, separator).map_err(|e| in_table(&e))?;
    let columns = ImportColumns::find(&rows).map_err(|e| in_table(&e))?;
    let holder = holder();
    let opened = if repair { Store::open(path, &holder) } else { Store::open_undamaged(path, &holder) }?;
    let mut store = opened.store;
    let present = store.labels()?;
    let wanted = LabelReader::new(columns, table, &present, &store)?.read(rows).map_err(|e| in_table(&e))?;
    let changes: Vec<Change> = wanted
        .into_iter()
        .map(|(key, v)| Change { key, before: present.get(&key).cloned(), after: Some(v) })
        .filter(|c| c.before != c.after)
        .collect();
    let changed = changes.len();
    if changed > 0 {
        let edit = Edit { action: EditAction::Import, changes, reason: shown.clone() };
        store.apply(&edit, operator, &now())?;
    }
    if store.folders().is_ok_and(|f| f.is_empty()) && !folders.is_empty() {
        store.set_folders(folders)?;
    }
    Ok(Imported { changed, said: opened.said, set_aside: opened.set_aside.is_some() })
}

/// Reads rows as labels of a session.
struct LabelReader<'a> {
    columns: ImportColumns,
    table: &'a Path,
    /// Labels that the session has.
    present: &'a BTreeMap<CellKey, Verdict>,
    /// Images that the session has seen.
    seen: BTreeMap<PathBuf, Digest>,
    /// A label is one spelling within a session, whoever gives it.
    spellings: Vec<String>,
}

impl<'a> LabelReader<'a> {
    fn new(
        columns: ImportColumns,
        table: &'a Path,
        present: &'a BTreeMap<CellKey, Verdict>,
        store: &Store,
    ) -> Result<Self, UserError> {
        let seen = store.seen()?.into_iter().map(|s| (s.path, s.image)).collect();
        let spellings: BTreeSet<&String> = present.values().map(|v| &v.label).filter(|l| !l.is_empty()).collect();
        let spellings = spellings.into_iter().cloned().collect();
        Ok(Self { columns, table, present, seen, spellings })
    }

    /// The label of each cell that the table names.
    fn read(mut self, mut rows: Table<'_>) -> Result<BTreeMap<CellKey, Verdict>, UserError> {
        let mut wanted: BTreeMap<CellKey, (Verdict, usize)> = BTreeMap::new();
        let mut line = 1;
        while let Some(record) = rows.next_row() {
            line += 1;
            let in_line = |e: &dyn Display| UserError::new(format!("line {line}: {e}"));
            let (key, verdict) =
                record.map_err(UserError::from).and_then(|r| self.row(&rows, &r)).map_err(|e| in_line(&e))?;
            if let Some((other, before)) = wanted.insert(key, (verdict.clone(), line))
                && other != verdict
            {
                return Err(in_line(&format!(
                    "cell {} of this image has another label or square than in line {before}: {}, {}",
                    key.cell, verdict.label, other.label
                )));
            }
        }
        Ok(wanted.into_iter().map(|(key, (verdict, _))| (key, verdict)).collect())
    }

    fn row(&mut self, rows: &Table<'_>, record: &csv::StringRecord) -> Result<(CellKey, Verdict), UserError> {
        let field = |at: usize| plain_field(record.get(at).unwrap_or(""));
        let in_column = |name: &str, e: &dyn Display| UserError::new(format!("column {name}: {e}"));
        let image: Digest = match (self.columns.digest.map(field).filter(|d| !d.is_empty()), self.columns.path) {
            (Some(digest), _) => digest.parse().map_err(|e| in_column("sha256", &e))?,
            (None, Some(at)) => image_of(field(at), self.table, &self.seen).map_err(|e| in_column("path", &e))?,
            (None, None) => return Err(UserError::new("column sha256 is empty")),
        };
        let cell = self.cell(image, self.columns.cell.map(field).filter(|c| !c.is_empty()))?;
        let key = CellKey { image, cell };
        let before = self.present.get(&key);
        let label = imported_label(field(self.columns.label), &self.spellings).map_err(|e| in_column("label", &e))?;
        // Without the columns a square stays what it is.
        let square = if rows.has_squares() { rows.square(record)? } else { before.and_then(|b| b.square) };
        if label.is_empty() && square.is_none() {
            return Err(UserError::new("there is no label"));
        }
        let suggested = match self.columns.suggested {
            Some(at) => canonical_label(field(at)),
            None => before.map_or_else(String::new, |b| b.suggested.clone()),
        };
        if !label.is_empty() && !self.spellings.contains(&label) {
            self.spellings.push(label.clone());
        }
        Ok((key, Verdict { label, suggested, square }))
    }

    /// The number of a cell: as it is written, else that of the one cell that the session knows of the image.
    fn cell(&self, image: Digest, text: Option<&str>) -> Result<u32, UserError> {
        let Some(text) = text else {
            let known: Vec<u32> = self.present.keys().filter(|k| k.image == image).map(|k| k.cell).collect();
            return match known[..] {
                [] => Ok(1),
                [one] => Ok(one),
                _ => Err(UserError::new("column cell is needed: the image has several cells")),
            };
        };
        text.parse()
            .ok()
            .filter(|c: &u32| *c > 0)
            .ok_or_else(|| UserError::new(format!("column cell: \"{}\" is no number of a cell", text.escape_debug())))
    }
}

/// The image of a path in a table: one that the session has seen, or a file that is there; relative to the table.
fn image_of(text: &str, table: &Path, seen: &BTreeMap<PathBuf, Digest>) -> Result<Digest, UserError> {
    if text.is_empty() {
        return Err(UserError::new("it is empty"));
    }
    let typed = Path::new(text);
    let beside = table.parent().unwrap_or(Path::new("")).join(typed);
    let places = [
        std::path::absolute(typed).unwrap_or_else(|_| typed.to_owned()),
        std::path::absolute(&beside).unwrap_or(beside),
    ];
    let known: BTreeSet<Digest> = places.iter().filter_map(|p| seen.get(p)).copied().collect();
    if let Some(one) = known.first().filter(|_| known.len() == 1) {
        return Ok(*one);
    }
    // Not by its place: by its name, where only one image of the session ends so.
    let ends: BTreeSet<Digest> = seen.iter().filter(|(p, _)| p.ends_with(typed)).map(|(_, d)| *d).collect();
    let shown = display_path(typed);
    if let Some(one) = ends.first().filter(|_| ends.len() == 1) {
        return Ok(*one);
    }
    match (ends.len(), places.iter().find(|p| is_file(p))) {
        (0, Some(file)) => {
            let read = read_bounded(file, MAX_IMAGE_BYTES);
            read.map(|s| s.digest).map_err(|e| UserError::new(format!("{shown}: {e}")))
        }
        (0, None) => Err(UserError::new(format!(
            "the session knows no image {shown}, and there is no such file; a table with sha256, cell and label needs none"
        ))),
        (n, _) => Err(UserError::new(format!(
            "{n} images of the session are called {shown}; write more of the path, or sha256"
        ))),
    }
}

/// A label as the session spells it.
fn imported_label(text: &str, known: &[String]) -> Result<String, UserError> {
    if let Some(fault) = label_fault(text) {
        return Err(UserError::new(fault));
    }
    Ok(if text.is_empty() { String::new() } else { one_spelling(text, known.iter().map(String::as_str)) })
}
