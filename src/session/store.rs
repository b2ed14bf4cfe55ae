//! The SQLite file of a session: labels by image digest and cell, images by where they were last seen, the audit trail.
//!
//! Write-ahead log with `synchronous=FULL`: when [`Store::apply`] returns, the edit and its audit rows are on the disk, in
//! one transaction. Nothing here knows a window.

use super::audit::{Anchor, AuditRow};
use super::confirmed::{Confirmation, Confirmations, confirmations};
use super::edit::{CellKey, Change, Edit, Verdict};
use super::record::{TrailState, locked};
use super::rows::{AuditEntry, anchor, append_audit, audit_of, object, put_label, verdict_of};
use crate::domain::Digest;
use crate::files::{Lock, ScratchFolder, display_path};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Why a session cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It is opened for reading alone.
    #[error("this session is opened for reading only: {0}")]
    ReadOnly(String),
    /// An edit that was made for another state of the labels.
    #[error("the label of cell {cell} of image {image} is not what it was; open the session again", cell = .0.cell, image = .0.image.short())]
    Stale(CellKey),
    /// What was asked for cannot be done to a session.
    #[error("{0}")]
    Refused(String),
    /// The file never was a session: it is left as it is.
    #[error("{0} is not a session of this program ({1}); it was left as it is. Name another file")]
    Foreign(String, String),
    /// It was a session and is damaged; it was left as it is.
    #[error("the session {0} is damaged ({1}); nothing was changed")]
    Damaged(String, String),
    #[error("the session {0} cannot be used: {1}")]
    Sqlite(String, String),
}

/// Where an image was last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub image: Digest,
    pub path: PathBuf,
}

/// A session's file.
#[derive(Debug)]
pub struct Store {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    /// Why nothing can be written, where that is so.
    pub(super) read_only: Option<String>,
    /// What the trail says about the case.
    pub(super) told: TrailState,
    /// Where a copy is read, where the file itself cannot be.
    pub(super) _scratch: Option<ScratchFolder>,
    /// Held as long as the session is open for writing.
    pub(super) _lock: Option<Lock>,
}

impl Store {
    pub(super) fn store_error(&self, e: &dyn std::fmt::Display) -> StoreError {
        StoreError::Sqlite(display_path(&self.path), e.to_string())
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Why nothing can be written, where that is so.
    pub fn read_only(&self) -> Option<&str> {
        self.read_only.as_deref()
    }

    /// All verdicts.
    ///
    /// # Errors
    /// When the file cannot be read any more.
    pub fn labels(&self) -> Result<BTreeMap<CellKey, Verdict>, StoreError> {
        let read = || -> rusqlite::Result<_> {
            // A session that an older version wrote and that is only read has no squares.
            let squares = self.connection.prepare("SELECT x, y, side FROM label").is_ok();
            let columns = if squares { "label, suggested, x, y, side" } else { "label, suggested, NULL, NULL, NULL" };
            let mut statement = self.connection.prepare(&format!("SELECT {columns}, image, cell FROM label"))?;
            let rows = statement
                .query_map([], |r| Ok((CellKey { image: Digest(r.get(5)?), cell: r.get(6)? }, verdict_of(r)?)))?;
            rows.collect()
        };
        read().map_err(|e| self.store_error(&e))
    }

    pub(super) fn writable(&self) -> Result<(), StoreError> {
        self.read_only.as_ref().map_or(Ok(()), |why| Err(StoreError::ReadOnly(why.clone())))
    }

    /// Makes an edit, with an audit row for each cell, and returns when it is durable. `time` is UTC, RFC 3339.
    ///
    /// # Errors
    /// [`StoreError::Stale`] where the edit was made for another state; nothing of it is then done. When it cannot be
    /// written.
    pub fn apply(&mut self, edit: &Edit, operator: &str, time: &str) -> Result<(), StoreError> {
        self.writable()?;
        let shown = display_path(&self.path);
        let store_error = |e: rusqlite::Error| StoreError::Sqlite(shown.clone(), e.to_string());
        let change = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(store_error)?;
        if let Some(why) = locked(&change, &self.told).map_err(store_error)? {
            return Err(StoreError::ReadOnly(why));
        }
        let written = edit.changes.iter().filter_map(|c| c.after.as_ref());
        if let Some(odd) = written
            .map(|v| (v, Verdict::from_words(&v.to_words())))
            .find(|(v, words)| !words.as_ref().is_some_and(|w| (&w.label, w.square) == (&v.label, v.square)))
        {
            return Err(StoreError::Refused(format!("\"{}\" cannot be a label", odd.0.to_words().escape_debug())));
        }
        let mut rows = Vec::with_capacity(edit.changes.len());
        for Change { key, before, after } in &edit.changes {
            let present = change
                .prepare_cached("SELECT label, suggested, x, y, side FROM label WHERE image = ?1 AND cell = ?2")
                .and_then(|mut s| s.query_row(params![key.image.0, key.cell], verdict_of).optional())
                .map_err(store_error)?;
            if present != *before {
                return Err(StoreError::Stale(*key));
            }
            put_label(&change, *key, after.as_ref()).map_err(store_error)?;
            let word = |v: &Option<Verdict>| v.as_ref().map_or(String::new(), Verdict::to_words);
            rows.push(AuditEntry {
                action: edit.word().into(),
                object: object(*key),
                old: word(before),
                new: word(after),
                reason: edit.reason.clone(),
            });
        }
        append_audit(&change, rows, operator, time).map_err(store_error)?;
        change.commit().map_err(store_error)
    }

    /// The audit trail, each row with the hash that was stored with it.
    ///
    /// # Errors
    /// When the file cannot be read any more.
    pub fn audit(&self) -> Result<Vec<(AuditRow, String)>, StoreError> {
        let read = || -> rusqlite::Result<_> {
            let mut statement = self.connection.prepare("SELECT * FROM audit ORDER BY number")?;
            let rows = statement.query_map([], audit_of)?;
            rows.collect()
        };
        read().map_err(|e| self.store_error(&e))
    }

    /// How each named cell came by its label: a cell at a time, many at once, or out of a table.
    ///
    /// # Errors
    /// When the file cannot be read any more.
    pub fn confirmations(&self) -> Result<BTreeMap<CellKey, Confirmation>, StoreError> {
        let rows = self.audit()?;
        Ok(confirmations(rows.iter().map(|(row, _)| row)))
    }

    /// The same, ready to hear the edits that come.
    ///
    /// # Errors
    /// When the file cannot be read any more.
    pub fn confirmed(&self) -> Result<Confirmations, StoreError> {
        Ok(Confirmations::of_trail(self.audit()?.iter().map(|(row, _)| row)))
    }

    /// What was noted of the last look at the images under a name, in the words of whoever looked; nothing where nobody did.
    ///
    /// # Errors
    /// When the file cannot be read any more.
    pub fn noted(&self, name: &str) -> Result<Option<String>, StoreError> {
        let read = "SELECT value FROM about WHERE name = 'noted.' || ?1";
        self.connection.query_row(read, [name], |r| r.get(0)).optional().map_err(|e| self.store_error(&e))
    }

    /// Notes something of the last look at the images: it can all be found again, and is not a part of what is audited. A signed
    /// case keeps what it was signed with.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn note_down(&mut self, name: &str, text: &str) -> Result<(), StoreError> {
        let put = "INSERT OR REPLACE INTO about (name, value) VALUES ('noted.' || ?1, ?2)";
        self.change(|c| c.execute(put, params![name, text]).map(|_| ()))
    }

    /// Where the audit trail ends now.
    ///
    /// # Errors
    /// When the file cannot be read any more.
    pub fn anchor(&self) -> Result<Anchor, StoreError> {
        anchor(&self.connection).map_err(|e| self.store_error(&e))
    }
}

#[cfg(test)]
mod tests {
    use super::super::edit::EditAction;
    use super::super::opening::SCHEMA;
    use super::*;
    use crate::domain::History;

    fn key(n: u8) -> CellKey {
        CellKey { image: Digest([n; 32]), cell: 1 }
    }

    fn label(store: &Store, key: CellKey, to: &str) -> Edit {
        let before = store.labels().expect("reads").get(&key).cloned();
        let after = Some(Verdict { label: to.into(), suggested: "neutrophil".into(), square: None });
        Edit { action: EditAction::Label, changes: vec![Change { key, before, after }], reason: String::new() }
    }

    fn open(path: &Path) -> Store {
        let opened = Store::open(path, "the test").expect("opens");
        assert_eq!(opened.said, Vec::<String>::new());
        opened.store
    }

    #[test]
    fn labels_survive_and_the_chain_verifies() {
        let dir = tempfile::tempdir().expect("temp");
        let path = dir.path().join("sessions/a.session");
        let mut history = History::default();
        {
            let mut s = open(&path);
            for (n, l) in [(1, "monocyte"), (2, "lymphocyte"), (1, "eosinophil")] {
                let edit = label(&s, key(n), l);
                s.apply(&edit, "ab", "2026-01-01T00:00:00Z").expect("durable");
                history.made(edit);
            }
            let undo = history.undo().expect("an edit");
            s.apply(&undo, "ab", "2026-01-01T00:00:01Z").expect("durable");
        }
        let s = open(&path);
        let labels = s.labels().expect("reads");
        assert_eq!((labels.len(), labels[&key(1)].label.as_str()), (2, "monocyte"));
        let v = s.verify().expect("reads");
        assert!(v.sound() && v.rows == 4, "{v:?}");
        assert_eq!(s.audit().expect("reads")[3].0.action, "undo");
    }

    #[test]
    fn an_edit_for_another_state_changes_nothing() {
        let dir = tempfile::tempdir().expect("temp");
        let mut s = open(&dir.path().join("a.session"));
        let old = label(&s, key(1), "monocyte");
        s.apply(&old, "ab", "t").expect("durable");
        let two =
            Edit { changes: vec![label(&s, key(2), "monocyte").changes[0].clone(), old.changes[0].clone()], ..old };
        assert!(matches!(s.apply(&two, "ab", "t"), Err(StoreError::Stale(k)) if k == key(1)));
        assert_eq!((s.labels().expect("reads").len(), s.audit().expect("reads").len()), (1, 1));
    }

    #[test]
    fn the_second_one_reads_and_is_told_who_writes() {
        let dir = tempfile::tempdir().expect("temp");
        let path = dir.path().join("a.session");
        let mut first = open(&path);
        let edit = label(&first, key(1), "monocyte");
        first.apply(&edit, "ab", "t").expect("durable");
        let mut second = Store::open(&path, "somebody else").expect("opens");
        assert!(second.said[0].contains("the test has it open"), "{:?}", second.said);
        assert_eq!(second.store.labels().expect("reads").len(), 1);
        let again = label(&second.store, key(2), "monocyte");
        assert!(matches!(second.store.apply(&again, "cd", "t"), Err(StoreError::ReadOnly(_))));
        drop(first);
        assert!(Store::open(&path, "later").expect("opens").said.is_empty());
    }

    #[test]
    fn what_was_altered_is_named() {
        let dir = tempfile::tempdir().expect("temp");
        let path = dir.path().join("a.session");
        let mut s = open(&path);
        for n in 1..=4 {
            let edit = label(&s, key(n), "monocyte");
            s.apply(&edit, "ab", "t").expect("durable");
        }
        drop(s);
        let raw = Connection::open(&path).expect("opens");
        raw.execute("UPDATE audit SET new = 'lymphocyte' WHERE number = 2", []).expect("alters");
        raw.execute("UPDATE label SET label = 'basophil' WHERE image = ?1", params![key(3).image.0]).expect("alters");
        raw.execute("DELETE FROM label WHERE image = ?1", params![key(4).image.0]).expect("alters");
        drop(raw);
        let v = open(&path).verify().expect("reads");
        assert_eq!((v.rows, v.altered), (4, vec![2]));
        assert_eq!(v.differing, [key(2), key(3), key(4)]);
    }

    #[test]
    fn a_damaged_file_is_set_aside_and_a_newer_one_only_read() {
        let dir = tempfile::tempdir().expect("temp");
        let path = dir.path().join("a.session");
        drop(open(&path));
        let mut bytes = std::fs::read(&path).expect("reads");
        bytes[..100].fill(0);
        std::fs::write(&path, &bytes).expect("write");
        assert!(matches!(Store::open_undamaged(&path, "x"), Err(StoreError::Damaged(..))));
        assert_eq!(std::fs::read(&path).expect("reads"), bytes, "refused, it is left as it is");
        let opened = Store::open(&path, "x").expect("opens");
        assert!(opened.said[0].contains("set aside"), "{:?}", opened.said);
        assert!(opened.store.labels().expect("reads").is_empty());
        assert_eq!(
            std::fs::read_dir(dir.path())
                .expect("folder")
                .filter(|e| { e.as_ref().expect("entry").file_name().to_string_lossy().contains("damaged") })
                .count(),
            1
        );
        drop(opened);
        let raw = Connection::open(&path).expect("opens");
        raw.pragma_update(None, "user_version", SCHEMA + 1).expect("alters");
        drop(raw);
        let newer = Store::open(&path, "x").expect("opens");
        assert!(newer.said[0].contains("newer version") && newer.store.read_only().is_some(), "{:?}", newer.said);
    }

    #[test]
    fn what_never_was_a_session_is_left_as_it_is() {
        let dir = tempfile::tempdir().expect("temp");
        let path = dir.path().join("notes.txt");
        std::fs::write(&path, "notes").expect("write");
        for opened in [Store::open(&path, "x").map(drop), Store::look(&path).map(drop)] {
            assert!(matches!(opened, Err(StoreError::Foreign(..))), "{opened:?}");
        }
        assert_eq!(std::fs::read(&path).expect("reads"), b"notes");
        assert_eq!(std::fs::read_dir(dir.path()).expect("folder").count(), 1, "nothing is made beside it");
    }

    #[test]
    fn fifty_thousand_edits_undo_to_the_start() {
        let dir = tempfile::tempdir().expect("temp");
        let mut s = open(&dir.path().join("a.session"));
        // One durable edit of many cells costs what one of one cell costs: this is about counts, not about the disk.
        s.connection.pragma_update(None, "synchronous", "OFF").expect("a setting");
        let mut history = History::default();
        for round in 0..50u32 {
            let changes = (0..1000u32)
                .map(|cell| {
                    let key = CellKey { image: Digest([7; 32]), cell };
                    let verdict =
                        |r: u32| Verdict { label: format!("class {}", r % 5), suggested: String::new(), square: None };
                    Change { key, before: round.checked_sub(1).map(verdict), after: Some(verdict(round)) }
                })
                .collect();
            let edit = Edit { action: EditAction::Label, changes, reason: String::new() };
            s.apply(&edit, "ab", "t").expect("durable");
            history.made(edit);
        }
        while let Some(edit) = history.undo() {
            s.apply(&edit, "ab", "t").expect("durable");
        }
        assert!(s.labels().expect("reads").is_empty());
        let v = s.verify().expect("reads");
        assert_eq!((v.rows, v.altered.len(), v.differing.len()), (100_000, 0, 0));
    }
}
