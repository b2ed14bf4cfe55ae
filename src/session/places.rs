//! Where the images of a session were seen, and the folders that it is of: absolute paths, with a digest of all of them in
//! the audit trail that is carried along from change to change.

use super::rows::{AuditEntry, PLACES, SEE, append_audit};
use super::store::{Seen, Store, StoreError};
use crate::domain::Digest;
use crate::files::{absolute, display_path, is_file};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

const FOLDERS: &str = "folders";

/// A sum over a set, whatever the order in which its members come and go: SHA-256 of each, added up as a number of 256 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Sum([u64; 4]);

impl Sum {
    fn new(image: &[u8], path: &str) -> Self {
        let mut hash = Sha256::new();
        for field in [image, path.as_bytes()] {
            hash.update((field.len() as u64).to_le_bytes());
            hash.update(field);
        }
        let bytes: [u8; 32] = hash.finalize().into();
        let mut words = [0; 4];
        for (w, chunk) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *w = u64::from_le_bytes(*chunk);
        }
        Self(words)
    }

    fn plus(self, other: Self) -> Self {
        let (mut out, mut carry) = ([0; 4], 0);
        for (o, (a, b)) in out.iter_mut().zip(self.0.into_iter().zip(other.0)) {
            let sum = u128::from(a) + u128::from(b) + carry;
            #[expect(clippy::cast_possible_truncation, reason = "the low word; the high one is carried")]
            let low = sum as u64;
            (*o, carry) = (low, sum >> 64);
        }
        Self(out)
    }

    fn minus(self, other: Self) -> Self {
        let one = Self([1, 0, 0, 0]);
        self.plus(Self(other.0.map(|w| !w))).plus(one)
    }
}

/// The places at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Places {
    images: u64,
    sum: Sum,
    folders: String,
}

impl Places {
    /// As the trail has it.
    fn to_words(&self) -> String {
        let [a, b, c, d] = self.sum.0;
        let folders = crate::files::digest_of(self.folders.as_bytes());
        format!("{} images, {a:016x}{b:016x}{c:016x}{d:016x}; folders {folders}", self.images)
    }

    /// Of the sum alone; the folders are read.
    fn from_words(words: &str, folders: String) -> Option<Self> {
        let (images, rest) = words.split_once(" images, ")?;
        let hex = rest.split_once("; ")?.0;
        let mut sum = [0; 4];
        for (i, w) in sum.iter_mut().enumerate() {
            *w = u64::from_str_radix(hex.get(i * 16..i * 16 + 16)?, 16).ok()?;
        }
        Some(Self { images: images.parse().ok()?, sum: Sum(sum), folders })
    }
}

fn about(c: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    c.query_row("SELECT value FROM about WHERE name = ?1", [name], |r| r.get(0)).optional()
}

/// All places as they lie in the tables, counted anew.
pub(super) fn counted(c: &Connection) -> rusqlite::Result<String> {
    let mut places = Places { images: 0, sum: Sum::default(), folders: about(c, FOLDERS)?.unwrap_or_default() };
    let mut all = c.prepare("SELECT image, path FROM seen")?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        places.images += 1;
        places.sum = places.sum.plus(Sum::new(&row.get::<_, Vec<u8>>(0)?, &row.get::<_, String>(1)?));
    }
    Ok(places.to_words())
}

/// Notes in the trail of a session of an older version what was seen by then.
pub(super) fn carried_over(c: &Connection) -> rusqlite::Result<()> {
    let seen: i64 = c.query_row("SELECT count(*) FROM seen", [], |r| r.get(0))?;
    super::rows::note_end(c)?;
    if seen == 0 {
        return Ok(());
    }
    let new = counted(c)?;
    put(c, "", &new)
}

/// What is noted of the places, and the row about it.
fn put(c: &Connection, old: &str, new: &str) -> rusqlite::Result<()> {
    c.execute("INSERT OR REPLACE INTO about (name, value) VALUES (?1, ?2)", [PLACES, new])?;
    let row = AuditEntry {
        action: SEE.into(),
        object: PLACES.into(),
        old: old.into(),
        new: new.into(),
        reason: String::new(),
    };
    append_audit(c, vec![row], "", &super::now())
}

/// Notes where images were seen, with a row in the trail where that is new.
pub(super) fn see<'a>(c: &Connection, seen: impl IntoIterator<Item = (Digest, &'a str)>) -> rusqlite::Result<()> {
    let before = about(c, PLACES)?;
    let folders = about(c, FOLDERS)?.unwrap_or_default();
    let fresh = Places { images: 0, sum: Sum::default(), folders: folders.clone() };
    let mut places = match &before {
        Some(words) => Places::from_words(words, folders).unwrap_or(fresh),
        None => fresh,
    };
    {
        let mut look = c.prepare_cached("SELECT path FROM seen WHERE image = ?1")?;
        let mut put = c.prepare_cached("INSERT OR REPLACE INTO seen (image, path) VALUES (?1, ?2)")?;
        for (image, path) in seen {
            let old: Option<String> = look.query_row([image.0], |r| r.get(0)).optional()?;
            if old.as_deref() == Some(path) {
                continue;
            }
            match old {
                Some(old) => places.sum = places.sum.minus(Sum::new(&image.0, &old)),
                None => places.images += 1,
            }
            places.sum = places.sum.plus(Sum::new(&image.0, path));
            put.execute(params![image.0, path])?;
        }
    }
    let (old, new) = (before.unwrap_or_default(), places.to_words());
    if old == new || places.images == 0 { Ok(()) } else { put(c, &old, &new) }
}

impl Store {
    /// Images and where they were last seen; a path that an older version stored without its beginning is looked for from the
    /// session's folders on.
    ///
    /// # Errors
    /// When the file cannot be read any more.
    pub fn seen(&self) -> Result<Vec<Seen>, StoreError> {
        let folders = self.folders()?;
        let read = || -> rusqlite::Result<_> {
            let mut statement = self.connection.prepare("SELECT image, path FROM seen ORDER BY path, image")?;
            let rows = statement.query_map([], |r| {
                let path = PathBuf::from(r.get::<_, String>(1)?);
                Ok(Seen { image: Digest(r.get(0)?), path: resolved(path, &folders) })
            })?;
            rows.collect()
        };
        read().map_err(|e| self.store_error(&e))
    }

    /// The folders that the session is of.
    ///
    /// # Errors
    /// When the file cannot be read any more.
    pub fn folders(&self) -> Result<Vec<PathBuf>, StoreError> {
        let text = about(&self.connection, FOLDERS).map_err(|e| self.store_error(&e))?;
        Ok(text.map_or_else(Vec::new, |t| t.lines().map(PathBuf::from).collect()))
    }

    /// Remembers the folders that the session is of. A signed case keeps those that it was signed with.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn set_folders(&mut self, folders: &[PathBuf]) -> Result<(), StoreError> {
        let text: Vec<String> = folders.iter().map(|f| absolute(f).to_string_lossy().into_owned()).collect();
        let text = text.join("\n");
        self.change(|c| {
            if about(c, FOLDERS)?.as_deref() == Some(&text) {
                return Ok(());
            }
            c.execute("INSERT OR REPLACE INTO about (name, value) VALUES (?1, ?2)", [FOLDERS, &text])?;
            see(c, [])
        })
    }

    /// Notes where images were seen.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn see(&mut self, seen: &[Seen]) -> Result<(), StoreError> {
        let seen: Vec<(Digest, PathBuf)> = seen.iter().map(|s| (s.image, absolute(&s.path))).collect();
        self.change(|c| see(c, seen.iter().filter_map(|(image, path)| Some((*image, path.to_str()?)))))
    }

    /// Changes what is not a person's work, in one transaction. Of a signed case nothing is changed: it stays what was signed.
    pub(super) fn change(&mut self, work: impl FnOnce(&Connection) -> rusqlite::Result<()>) -> Result<(), StoreError> {
        self.writable()?;
        if self.locked()?.is_some() {
            return Ok(());
        }
        let shown = display_path(&self.path);
        let write = || -> rusqlite::Result<()> {
            let c = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            work(&c)?;
            c.commit()
        };
        write().map_err(|e| StoreError::Sqlite(shown, e.to_string()))
    }
}

/// A path of an older version with its beginning, where the folders leave no doubt about it; else as it was stored.
pub(super) fn resolved(path: PathBuf, folders: &[PathBuf]) -> PathBuf {
    if path.is_absolute() {
        return path;
    }
    let mut found: Vec<PathBuf> = Vec::new();
    for folder in folders.iter().filter(|f| f.is_absolute()) {
        // "slides/A/1.png" of the session of "/home/ab/slides/A", or "1.png" of the same.
        let bases = folder.ancestors().filter(|base| {
            let tail = folder.strip_prefix(base).unwrap_or(Path::new(""));
            path.starts_with(tail)
        });
        found.extend(bases.map(|base| base.join(&path)).filter(|p| is_file(p)));
    }
    found.sort();
    found.dedup();
    match <[PathBuf; 1]>::try_from(found) {
        Ok([only]) => only,
        Err(_) => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_a_set_does_not_know_its_order_and_members_can_leave() {
        let [a, b, c] = ["a", "b", "c"].map(|p| Sum::new(&[1; 32], p));
        assert_eq!(a.plus(b).plus(c), c.plus(a).plus(b));
        assert_eq!(a.plus(b).minus(a), b);
        assert_eq!(Sum([u64::MAX; 4]).plus(Sum([1, 0, 0, 0])), Sum::default());
        assert_ne!(Sum::new(b"ab", "c"), Sum::new(b"a", "bc"));
    }

    #[test]
    fn what_was_seen_is_in_the_trail_and_paths_are_whole() {
        let dir = tempfile::tempdir().expect("temp");
        let mut s = Store::open(&dir.path().join("a.session"), "test").expect("opens").store;
        let seen = |n: u8, path: &str| Seen { image: Digest([n; 32]), path: path.into() };
        s.set_folders(&["slides".into()]).expect("kept");
        assert!(s.folders().expect("reads")[0].is_absolute());
        assert_eq!(s.anchor().expect("reads").rows, 0, "an empty session has no rows");
        s.see(&[seen(1, "/a/1.png"), seen(2, "b.png")]).expect("kept");
        s.see(&[seen(1, "/a/1.png")]).expect("nothing new");
        s.see(&[seen(1, "/b/1.png")]).expect("kept");
        assert!(s.seen().expect("reads").iter().all(|s| s.path.is_absolute()));
        let words: Vec<String> = s.audit().expect("reads").into_iter().map(|(r, _)| r.new).collect();
        assert_eq!(words.len(), 2);
        assert_eq!(words[1], counted(&s.connection).expect("counts"));
        s.set_folders(&["/other".into()]).expect("kept");
        assert_eq!(s.anchor().expect("reads").rows, 3, "once something was seen, other folders are news");
        assert!(s.verify().expect("reads").sound());
    }

    #[test]
    fn a_relative_path_is_found_from_the_folders_on_or_left_alone() {
        let dir = tempfile::tempdir().expect("temp");
        let folder = dir.path().join("slides/A");
        std::fs::create_dir_all(&folder).expect("made");
        std::fs::write(folder.join("1.png"), "x").expect("write");
        let folders = [folder.clone()];
        assert_eq!(resolved("slides/A/1.png".into(), &folders), folder.join("1.png"));
        assert_eq!(resolved("A/1.png".into(), &folders), folder.join("1.png"));
        assert_eq!(resolved("1.png".into(), &folders), folder.join("1.png"));
        assert_eq!(resolved("2.png".into(), &folders), PathBuf::from("2.png"));
        // In two folders: nobody can tell.
        let other = dir.path().join("slides/B");
        std::fs::create_dir_all(&other).expect("made");
        std::fs::write(other.join("1.png"), "y").expect("write");
        assert_eq!(resolved("1.png".into(), &[folder, other]), PathBuf::from("1.png"));
    }
}
