//! Reads a whole file once, within a bound, and notices when it changed meanwhile.
//!
//! Only regular files are read: a pipe or a device could make the program wait for ever.

use crate::domain::Digest;
use sha2::{Digest as _, Sha256};
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Longer than a tick of the clocks that file systems stamp with (4 ms on most kernels, 10 on some).
const TICK: Duration = Duration::from_millis(20);

/// Why a file's bytes could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is gone: it was listed, or named, and is not there now.
    #[error("the file is not there (moved, renamed or deleted)")]
    Missing,
    /// The system refuses to open it.
    #[error("no permission to read the file")]
    Denied,
    /// A folder, pipe, socket or device.
    #[error("not a regular file")]
    NotAFile,
    /// Larger than the bound.
    #[error("the file has {size} bytes; the limit is {limit}")]
    TooLarge {
        size: u64,
        /// The bound in bytes.
        limit: u64,
    },
    /// Nothing in it.
    #[error("the file is empty (0 bytes)")]
    Empty,
    /// Its size or time differs between before and after.
    #[error("the file changed while it was read; try again when its writer has finished")]
    Changed,
    /// Anything else the system says.
    #[error("reading failed: {0}")]
    Io(#[from] io::Error),
}

/// A file's bytes as they were at one moment, and their digest.
#[derive(Debug)]
pub struct Snapshot {
    /// The content.
    pub bytes: Vec<u8>,
    /// SHA-256 of the content.
    pub digest: Digest,
}

/// SHA-256 of some bytes.
pub fn digest_of(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// Reads a regular file of at most `limit` bytes.
///
/// # Errors
/// [`ReadError`] says which of the things that can be wrong it is.
pub fn read_bounded(path: &Path, limit: u64) -> Result<Snapshot, ReadError> {
    // Asked before opening: opening a pipe for reading would wait for its writer.
    if !std::fs::metadata(path).map_err(classify)?.is_file() {
        return Err(ReadError::NotAFile);
    }
    let begun = SystemTime::now();
    let (bytes, modified) = read_once(path, limit)?;
    // A file system's clock ticks every few milliseconds: a write in the tick of the last one leaves no trace in the
    // file's time. So a file that was written a moment ago is read twice.
    let fresh = modified.is_none_or(|m| m + TICK > begun);
    if fresh {
        std::thread::sleep(TICK);
        if read_once(path, limit)?.0 != bytes {
            return Err(ReadError::Changed);
        }
    }
    if bytes.is_empty() {
        return Err(ReadError::Empty);
    }
    let digest = digest_of(&bytes);
    Ok(Snapshot { bytes, digest })
}

fn read_once(path: &Path, limit: u64) -> Result<(Vec<u8>, Option<SystemTime>), ReadError> {
    let mut file = File::open(path).map_err(classify)?;
    let before = file.metadata().map_err(classify)?;
    super::inputs::remember_read(path, &before);
    if !before.is_file() {
        return Err(ReadError::NotAFile);
    }
    if before.len() > limit {
        return Err(ReadError::TooLarge { size: before.len(), limit });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(before.len()).unwrap_or(0) + 1);
    // One byte more than the bound, so that a file growing past it is noticed and never followed.
    let read = Read::by_ref(&mut file).take(limit + 1).read_to_end(&mut bytes)? as u64;
    let after = file.metadata()?;
    if read != before.len() || !same(&before, &after) {
        return Err(ReadError::Changed);
    }
    Ok((bytes, before.modified().ok()))
}

fn same(a: &Metadata, b: &Metadata) -> bool {
    a.len() == b.len() && a.modified().ok() == b.modified().ok()
}

fn classify(error: io::Error) -> ReadError {
    match error.kind() {
        io::ErrorKind::NotFound => ReadError::Missing,
        io::ErrorKind::PermissionDenied => ReadError::Denied,
        _ => ReadError::Io(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_unreadable_has_its_word() {
        let dir = tempfile::tempdir().expect("temp");
        let file = dir.path().join("a");
        assert!(matches!(read_bounded(&file, 10), Err(ReadError::Missing)));
        std::fs::write(&file, b"").expect("write");
        assert!(matches!(read_bounded(&file, 10), Err(ReadError::Empty)));
        std::fs::write(&file, b"12345678901").expect("write");
        assert!(matches!(read_bounded(&file, 10), Err(ReadError::TooLarge { size: 11, limit: 10 })));
        assert!(matches!(read_bounded(dir.path(), 10), Err(ReadError::NotAFile)));
        let got = read_bounded(&file, 11).expect("fits");
        // printf 12345678901 | sha256sum
        assert_eq!(got.digest.short(), "254aa248");
    }
}
