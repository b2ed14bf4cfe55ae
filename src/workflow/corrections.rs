//! Corrected reference labels, kept in a session of their own by the digest of their cell: a moved or renamed file keeps its
//! correction, and the dataset's own files stay as they are. The session is open only while something is written, so that two
//! windows take turns and neither erases what the other kept. Nothing is drawn or computed here.

use super::UserError;
use crate::domain::Digest;
use crate::files::{data_file, display_path, is_file, move_aside, read_bounded};
use crate::session::{CellKey, Change, Edit, EditAction, Store, Verdict};
use crossbeam_channel::{Receiver, Sender, bounded};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The session's name in the data folder.
const NAME: &str = "references.session";
/// Where version 0.1 kept them.
const BEFORE: &str = "corrections.json";
/// The largest file of that version that is read.
const MOST: u64 = 256 << 20;
/// Changes that wait for the writer at most.
const WAITING: usize = 512;
/// So long another window's writing is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The file of version 0.1.
#[derive(Debug, Deserialize)]
struct Before {
    schema: u32,
    /// By digest, hexadecimal.
    corrections: BTreeMap<String, BeforeCorrection>,
}

#[derive(Debug, Deserialize)]
struct BeforeCorrection {
    label: String,
    was: String,
}

/// One corrected label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// What the user says it is.
    pub label: String,
    /// What the dataset says.
    pub was: String,
}

/// A reference that was changed: the cell's digest, its label in the dataset, and what it is (nothing takes a correction back).
pub type ChangedReference = (Digest, String, Option<String>);

/// The one thread that writes corrections, so that they reach the disk in the order in which they were made.
pub struct CorrectionsWriter {
    changes: Option<Sender<(Vec<ChangedReference>, String)>>,
    thread: Option<JoinHandle<()>>,
}

impl CorrectionsWriter {
    /// Starts the thread, which tells by `on_error` what the user should know; `on_error` must not wait.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn new(on_error: impl FnMut(String) + Send + 'static) -> std::io::Result<Self> {
        let (changes, work) = bounded(WAITING);
        let thread = std::thread::Builder::new().name("corrections".into());
        let thread = thread.spawn(move || write_corrections(&work, on_error))?;
        Ok(Self { changes: Some(changes), thread: Some(thread) })
    }

    /// Keeps changes of an operator; whether there was room for them.
    pub fn put(&self, changes: Vec<ChangedReference>, operator: String) -> bool {
        self.changes.as_ref().is_some_and(|way| way.try_send((changes, operator)).is_ok())
    }
}

impl Drop for CorrectionsWriter {
    /// What was corrected a moment ago reaches the disk first.
    fn drop(&mut self) {
        self.changes = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Puts corrections on the disk as they come, several that wait in one go.
fn write_corrections(work: &Receiver<(Vec<ChangedReference>, String)>, mut on_error: impl FnMut(String)) {
    let mut store = None;
    while let Ok((mut all, operator)) = work.recv() {
        all.extend(work.try_iter().flat_map(|(more, _)| more));
        if store.is_none() {
            match Corrections::open(None) {
                Ok((opened, said)) => {
                    store = Some(opened);
                    said.into_iter().for_each(&mut on_error);
                }
                Err(e) => {
                    on_error(e.to_string());
                    continue;
                }
            }
        }
        if let Some(Err(e)) = store.as_mut().map(|s| s.put(&all, &operator)) {
            on_error(e.to_string());
        }
    }
}

/// The corrections of this user, as they were when they were read last.
#[derive(Debug)]
pub struct Corrections {
    path: PathBuf,
    kept: BTreeMap<Digest, Correction>,
}

impl Corrections {
    /// Reads the user's corrections, or those in `folder`. Those of version 0.1 are taken over. What cannot be understood is set
    /// aside and said.
    ///
    /// # Errors
    /// When there is no data folder, or the session in it cannot be read.
    pub fn open(folder: Option<PathBuf>) -> Result<(Self, Option<String>), UserError> {
        let at = |name: &str| folder.as_ref().map(|f| f.join(name)).or_else(|| data_file(name));
        let (Some(path), Some(before)) = (at(NAME), at(BEFORE)) else {
            return Err(UserError::new("this system has no folder for a user's data; corrections are not kept"));
        };
        let said = if is_file(&before) { take_over(&before, &path)? } else { None };
        let mut corrections = Self { path, kept: BTreeMap::new() };
        corrections.read()?;
        Ok((corrections, said))
    }

    /// Reads them anew: another window may have written.
    fn read(&mut self) -> Result<(), UserError> {
        if is_file(&self.path) {
            let store = Store::look(&self.path)?;
            self.take(&store)?;
        }
        Ok(())
    }

    fn take(&mut self, store: &Store) -> Result<(), UserError> {
        let labels = store.labels()?;
        self.kept =
            labels.into_iter().map(|(k, v)| (k.image, Correction { label: v.label, was: v.suggested })).collect();
        Ok(())
    }

    pub fn get(&self, digest: &Digest) -> Option<&Correction> {
        self.kept.get(digest)
    }

    /// Keeps corrections (digest, label in the dataset, what it is; without a label they are taken back), and returns when they are
    /// on the disk. `operator` is for the audit trail.
    ///
    /// # Errors
    /// When they cannot be written; they are then not kept.
    pub fn put(&mut self, changes: &[ChangedReference], operator: &str) -> Result<(), UserError> {
        let write_error = |e: &dyn std::fmt::Display| UserError::new(format!("the correction cannot be kept: {e}"));
        let mut store = writable(&self.path).map_err(|e| write_error(&e))?;
        self.take(&store)?;
        // One cell corrected twice meanwhile: the last word stands.
        let last: BTreeMap<Digest, (&String, &Option<String>)> =
            changes.iter().map(|(digest, was, label)| (*digest, (was, label))).collect();
        let changes: Vec<Change> = last
            .into_iter()
            .map(|(image, (was, label))| Change {
                key: CellKey { image, cell: 1 },
                before: self.kept.get(&image).map(Correction::verdict),
                after: label.as_ref().map(|l| Correction { label: l.clone(), was: was.clone() }.verdict()),
            })
            .filter(|c| c.before != c.after)
            .collect();
        if !changes.is_empty() {
            let edit = Edit { action: EditAction::CorrectReference, changes, reason: String::new() };
            store.apply(&edit, operator, &super::now()).map_err(|e| write_error(&e))?;
        }
        self.take(&store)
    }
}

impl Correction {
    fn verdict(&self) -> Verdict {
        Verdict { label: self.label.clone(), suggested: self.was.clone(), square: None }
    }
}

/// The session, open for writing; another window is let finish.
fn writable(path: &Path) -> Result<Store, UserError> {
    let until = Instant::now() + BUSY_TIMEOUT;
    let who = format!("Leukoscope, process {}", std::process::id());
    loop {
        let opened = Store::open_undamaged(path, &who)?;
        match opened.store.read_only() {
            None => return Ok(opened.store),
            Some(why) if Instant::now() >= until => return Err(UserError::new(why)),
            Some(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// Takes over what version 0.1 kept, and moves its file aside.
fn take_over(before: &Path, path: &Path) -> Result<Option<String>, UserError> {
    let shown = display_path(before);
    let bytes = read_bounded(before, MOST)
        .map_err(|e| UserError::new(format!("{shown} cannot be read ({e}); corrections are not kept")))?
        .bytes;
    let aside =
        |word: &str| move_aside(before, word).map_err(|e| UserError::new(format!("{shown} cannot be set aside: {e}")));
    match serde_json::from_slice::<Before>(&bytes) {
        Ok(kept) if kept.schema == 1 => {
            let mut corrections = Corrections { path: path.to_owned(), kept: BTreeMap::new() };
            corrections.read()?;
            let changes: Vec<_> = kept
                .corrections
                .into_iter()
                .filter_map(|(digest, c)| Some((digest.parse().ok()?, c.was, Some(c.label))))
                // What was corrected since stands.
                .filter(|(digest, ..)| corrections.get(digest).is_none())
                .collect();
            corrections.put(&changes, "")?;
            aside("moved")?;
            Ok(None)
        }
        Ok(kept) => {
            Err(UserError::new(format!("{shown} is of another version ({}); corrections are not kept", kept.schema)))
        }
        Err(e) => {
            let to = aside("damaged")?;
            Ok(Some(format!("{shown} is damaged ({e}); it was set aside as {}", display_path(&to))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(dir: &tempfile::TempDir) -> (Corrections, Option<String>) {
        Corrections::open(Some(dir.path().to_owned())).expect("opens")
    }

    fn label(c: &Corrections, n: u8) -> Option<&str> {
        c.get(&Digest([n; 32])).map(|c| c.label.as_str())
    }

    #[test]
    fn corrections_come_back_and_can_be_taken_back() {
        let dir = tempfile::tempdir().expect("temp");
        let digest = Digest([3; 32]);
        at(&dir).0.put(&[(digest, "monocyte".into(), Some("lymphocyte".into()))], "AB").expect("kept");
        let (mut c, said) = at(&dir);
        assert_eq!((label(&c, 3), said), (Some("lymphocyte"), None));
        c.put(&[(digest, "monocyte".into(), None)], "AB").expect("kept");
        assert_eq!(label(&at(&dir).0, 3), None);
        let store = Store::look(&dir.path().join(NAME)).expect("a session");
        assert_eq!(store.audit().expect("trail").len(), 2, "who corrected what, and when, is kept");
    }

    #[test]
    fn two_windows_do_not_erase_each_others_corrections() {
        let dir = tempfile::tempdir().expect("temp");
        let (mut a, mut b) = (at(&dir).0, at(&dir).0);
        a.put(&[(Digest([1; 32]), "monocyte".into(), Some("lymphocyte".into()))], "A").expect("kept");
        b.put(&[(Digest([2; 32]), "monocyte".into(), Some("neutrophil".into()))], "B").expect("kept");
        a.put(&[(Digest([3; 32]), "monocyte".into(), Some("basophil".into()))], "A").expect("kept");
        let now = at(&dir).0;
        assert_eq!([1, 2, 3].map(|n| label(&now, n)), [Some("lymphocyte"), Some("neutrophil"), Some("basophil")]);
        // At once, too.
        std::thread::scope(|s| {
            for n in 10..18 {
                let folder = dir.path().to_owned();
                s.spawn(move || {
                    let mut c = Corrections::open(Some(folder)).expect("opens").0;
                    c.put(&[(Digest([n; 32]), "monocyte".into(), Some("neutrophil".into()))], "").expect("kept");
                });
            }
        });
        assert!((10..18).all(|n| label(&at(&dir).0, n) == Some("neutrophil")));
    }

    #[test]
    fn what_version_0_1_kept_is_taken_over() {
        let dir = tempfile::tempdir().expect("temp");
        let path = dir.path().join(BEFORE);
        let text = format!(
            r#"{{"schema": 1, "corrections": {{"{}": {{"label": "b", "was": "a", "time": "2026-01-01T00:00:00Z"}}}}}}"#,
            Digest([7; 32])
        );
        std::fs::write(&path, text).expect("write");
        assert_eq!((label(&at(&dir).0, 7), label(&at(&dir).0, 7)), (Some("b"), Some("b")));
        assert!(!path.exists() && dir.path().join("corrections.json.moved-1").is_file());
        // Damaged: set aside and said. Newer: left alone.
        std::fs::write(&path, b"{\"schema\": 1, \"corr").expect("write");
        assert!(at(&dir).1.expect("said").contains("set aside"));
        assert!(dir.path().join("corrections.json.damaged-1").is_file());
        std::fs::write(&path, b"{\"schema\": 2, \"corrections\": {}}").expect("write");
        assert!(Corrections::open(Some(dir.path().to_owned())).expect_err("newer").to_string().contains("version"));
        assert!(path.is_file());
    }
}
