//! Many records of one length in one file, found by a 32-byte key: the cache of cut cells and of network features.
//!
//! Two files: `NAME.pack` holds the records one after the other, `NAME.index` says which key has which. Records are only
//! appended; the index is replaced atomically after the records are on the disk. So a process killed at any moment
//! loses at most what it added since the last [`Pack::save`]. One process writes at a time (a lock on the records);
//! a second one gets a pack of its own that goes away with it. What is here can always be made again.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What each index begins with: name and version of its layout.
const MAGIC: &[u8; 8] = b"LKPACK01";
/// Bytes of an index entry before its note: key, record number (`u32::MAX` for none), length of the note.
const HEAD: usize = 32 + 4 + 4;

/// A pack; shared between threads.
#[derive(Debug)]
pub struct Pack {
    file: File,
    index: Option<PathBuf>,
    record: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Record number and note of each key.
    known: HashMap<[u8; 32], (Option<u32>, String)>,
    records: u32,
    dirty: bool,
}

impl Pack {
    /// Opens or creates the pack `name` in `folder`, with records of `record` bytes. A pack that another process holds,
    /// or that is damaged, or of another record length, is replaced by an empty one (in the first case a private one).
    ///
    /// # Errors
    /// When the folder cannot be made or written.
    pub fn open(folder: &Path, name: &str, record: usize) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let file = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(folder.join(format!("{name}.pack")))?;
        if file.try_lock().is_err() {
            return Self::private(record);
        }
        let index = folder.join(format!("{name}.index"));
        let held = file.metadata()?.len() / record.max(1) as u64;
        let inner = std::fs::read(&index).ok().and_then(|b| parse(&b, record, held)).unwrap_or_default();
        Ok(Self { file, index: Some(index), record, inner: Mutex::new(inner) })
    }

    /// The pack `name` of the user's cache folder, or of `folder`; a private one where the system has no place for caches.
    ///
    /// # Errors
    /// When neither can be written.
    pub fn cached(folder: Option<&Path>, name: &str, record: usize) -> io::Result<Self> {
        match folder.map(ToOwned::to_owned).or_else(|| super::cache_folder("training")) {
            Some(folder) => Self::open(&folder, name, record)
                .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", super::display_path(&folder)))),
            None => Self::private(record),
        }
    }

    /// An empty pack that goes away with the value.
    ///
    /// # Errors
    /// When there is no temporary file to be had.
    pub fn private(record: usize) -> io::Result<Self> {
        Ok(Self { file: tempfile::tempfile()?, index: None, record, inner: Mutex::default() })
    }

    pub fn record(&self) -> usize {
        self.record
    }

    /// What is known of a key: its record where it has one, and its note.
    pub fn find(&self, key: &[u8; 32]) -> Option<(Option<u32>, String)> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).known.get(key).cloned()
    }

    /// Adds a record under a key, and returns its number; a key that is known already keeps its own.
    ///
    /// # Errors
    /// When the disk is full or the record has the wrong length.
    pub fn add(&self, key: [u8; 32], bytes: &[u8], note: &str) -> io::Result<u32> {
        if bytes.len() != self.record {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a record of another length"));
        }
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((Some(number), _)) = inner.known.get(&key) {
            return Ok(*number);
        }
        let number = inner.records;
        write_at(&self.file, bytes, u64::from(number) * self.record as u64)?;
        inner.records += 1;
        inner.dirty = true;
        inner.known.insert(key, (Some(number), note.to_owned()));
        Ok(number)
    }

    /// Remembers a key without a record, and why it has none.
    pub fn add_note(&self, key: [u8; 32], note: &str) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.dirty = true;
        inner.known.insert(key, (None, note.to_owned()));
    }

    /// Reads a record.
    ///
    /// # Errors
    /// When it is not there (the cache was deleted meanwhile) or cannot be read.
    pub fn read(&self, number: u32, into: &mut [u8]) -> io::Result<()> {
        read_at(&self.file, into, u64::from(number) * self.record as u64)
    }

    /// Makes what was added last.
    ///
    /// # Errors
    /// When the disk is full; what was saved before stays.
    pub fn save(&self) -> io::Result<()> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(index) = self.index.as_ref().filter(|_| inner.dirty) else { return Ok(()) };
        self.file.sync_data()?;
        let mut file = super::AtomicFile::create(index)?;
        file.write_all(MAGIC)?;
        file.write_all(&(self.record as u64).to_le_bytes())?;
        for (key, (number, note)) in &inner.known {
            file.write_all(key)?;
            file.write_all(&number.unwrap_or(u32::MAX).to_le_bytes())?;
            file.write_all(&u32::try_from(note.len()).unwrap_or(0).to_le_bytes())?;
            file.write_all(note.as_bytes())?;
        }
        file.commit()?;
        inner.dirty = false;
        Ok(())
    }
}

/// Reads an index whose records all lie within `held` ones of the right length.
fn parse(bytes: &[u8], record: usize, held: u64) -> Option<Inner> {
    let mut rest = bytes.strip_prefix(MAGIC)?;
    let (length, tail) = rest.split_at_checked(8)?;
    if u64::from_le_bytes(length.try_into().ok()?) != record as u64 {
        return None;
    }
    rest = tail;
    let mut inner = Inner::default();
    while !rest.is_empty() {
        let (head, tail) = rest.split_at_checked(HEAD)?;
        let number = u32::from_le_bytes(head[32..36].try_into().ok()?);
        let length = u32::from_le_bytes(head[36..40].try_into().ok()?);
        let (note, tail) = tail.split_at_checked(length as usize)?;
        rest = tail;
        let number = (number != u32::MAX).then_some(number);
        if number.is_some_and(|n| u64::from(n) >= held) {
            return None;
        }
        inner.records = inner.records.max(number.map_or(0, |n| n + 1));
        inner.known.insert(head[..32].try_into().ok()?, (number, String::from_utf8(note.to_vec()).ok()?));
    }
    Some(inner)
}

#[cfg(unix)]
fn read_at(file: &File, into: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, into, at)
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(windows)]
fn read_at(file: &File, mut into: &mut [u8], mut at: u64) -> io::Result<()> {
    while !into.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, into, at)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => {
                into = &mut into[n..];
                at += n as u64;
            }
        }
    }
    Ok(())
}

#[cfg(windows)]
fn write_at(file: &File, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let n = std::os::windows::fs::FileExt::seek_write(file, bytes, at)?;
        bytes = &bytes[n..];
        at += n as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_is_found_again_and_what_was_not_is_forgotten() {
        let dir = tempfile::tempdir().expect("temp");
        let pack = Pack::open(dir.path(), "cells", 4).expect("opens");
        assert_eq!(pack.add([1; 32], b"abcd", "a").expect("adds"), 0);
        pack.add_note([2; 32], "no cell");
        pack.save().expect("saves");
        pack.add([3; 32], b"efgh", "").expect("adds");
        drop(pack);
        let pack = Pack::open(dir.path(), "cells", 4).expect("opens");
        assert_eq!(pack.find(&[1; 32]), Some((Some(0), "a".into())));
        assert_eq!(pack.find(&[2; 32]), Some((None, "no cell".into())));
        assert_eq!(pack.find(&[3; 32]), None);
        let mut bytes = [0; 4];
        pack.read(0, &mut bytes).expect("reads");
        assert_eq!(&bytes, b"abcd");
        assert_eq!(pack.add([4; 32], b"ijkl", "").expect("adds"), 1);
    }

    #[test]
    fn a_second_holder_gets_a_pack_of_its_own_and_a_damaged_index_is_an_empty_pack() {
        let dir = tempfile::tempdir().expect("temp");
        let first = Pack::open(dir.path(), "p", 2).expect("opens");
        first.add([1; 32], b"xy", "").expect("adds");
        first.save().expect("saves");
        let second = Pack::open(dir.path(), "p", 2).expect("opens");
        assert_eq!(second.find(&[1; 32]), None);
        drop((first, second));
        let index = dir.path().join("p.index");
        let bytes = std::fs::read(&index).expect("reads");
        for n in 0..bytes.len() {
            std::fs::write(&index, &bytes[..n]).expect("writes");
            let known = Pack::open(dir.path(), "p", 2).expect("opens").find(&[1; 32]);
            assert!(known.is_none(), "prefix {n}");
        }
        std::fs::write(&index, &bytes).expect("writes");
        assert!(Pack::open(dir.path(), "p", 4).expect("opens").find(&[1; 32]).is_none(), "another record length");
    }
}
