//! What was read stays as it is: every file that is read is remembered by what it *is* (device and inode), whatever it is called, and
//! the one writer asks here before it puts anything in its place. A file of another kind is not replaced either.
//!
//! The program's own folders (settings, data, cache) are its own to rewrite.

use std::collections::HashSet;
use std::fs::Metadata;
use std::io;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};
#[cfg(unix)]
use std::time::SystemTime;

/// What a file is, whatever it is called: device, inode, and when it was born, as a number is used again once its file is gone.
#[cfg(unix)]
pub(super) type Identity = (u64, u64, Option<SystemTime>);
/// This system tells no inode without opening the file: the resolved path stands for it.
#[cfg(not(unix))]
pub(super) type Identity = std::path::PathBuf;

#[derive(Default)]
struct Known {
    /// Files that were read.
    read: HashSet<Identity>,
    /// Files that this process wrote.
    written: HashSet<Identity>,
}

fn known() -> &'static Mutex<Known> {
    static KNOWN: OnceLock<Mutex<Known>> = OnceLock::new();
    KNOWN.get_or_init(Mutex::default)
}

#[cfg(unix)]
pub(super) fn identity(_: &Path, meta: &Metadata) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    Some((meta.dev(), meta.ino(), meta.created().ok()))
}

#[cfg(not(unix))]
pub(super) fn identity(path: &Path, _: &Metadata) -> Option<Identity> {
    std::fs::canonicalize(path).ok()
}

pub(super) fn remember_read(path: &Path, meta: &Metadata) {
    let Some(id) = identity(path, meta) else { return };
    let mut known = known().lock().unwrap_or_else(PoisonError::into_inner);
    if !known.written.contains(&id) {
        known.read.insert(id);
    }
}

/// A file that was looked at turned out to be nothing that is wanted here: it is not an input.
pub fn not_an_input(path: &Path) {
    if let Ok(meta) = std::fs::metadata(path)
        && let Some(id) = identity(path, &meta)
    {
        known().lock().unwrap_or_else(PoisonError::into_inner).read.remove(&id);
    }
}

/// Remembers that a file was written here.
pub(super) fn remember_written(path: &Path) {
    if let Ok(meta) = std::fs::metadata(path)
        && let Some(id) = identity(path, &meta)
    {
        let mut known = known().lock().unwrap_or_else(PoisonError::into_inner);
        known.read.remove(&id);
        known.written.insert(id);
    }
}

/// Whether a file was read by this process, and is still that very file.
fn was_read(path: &Path, meta: &Metadata) -> bool {
    let Some(id) = identity(path, meta) else { return false };
    known().lock().unwrap_or_else(PoisonError::into_inner).read.contains(&id)
}

/// Whether a path lies in the program's own folders.
fn own(path: &Path) -> bool {
    let Some(dirs) = directories::ProjectDirs::from("", "", "leukoscope") else { return false };
    let folders = [dirs.cache_dir().to_owned(), dirs.config_dir().to_owned(), dirs.data_dir().to_owned()];
    folders.iter().any(|f| path.starts_with(f) || std::fs::canonicalize(f).is_ok_and(|f| path.starts_with(f)))
}

/// What a file holds, as its first bytes tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    Empty,
    /// A table that this program writes: which of them.
    Table(usize),
    Json,
    /// HTML or SVG.
    Markup,
    Png,
    Jpeg,
    /// An image of another format.
    Image,
    /// A SQLite database: a session, or another program's.
    Database,
    Model,
    Text,
    /// Anything else.
    Other,
}

/// The first columns of the tables that this program writes.
const TABLES: [&[u8]; 7] = [
    b"path,cell,status,",
    b"path,cell,label,confidence,x,y",
    b"path,label,group,cell,x,y,side,sha256,use",
    b"sha256,cell,label,",
    b"epoch,train_loss,",
    b"path,status,reference,",
    b"path,sha256,",
];

impl Content {
    /// From the first bytes (a few hundred are enough).
    pub fn sniff(head: &[u8]) -> Self {
        let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
        let first = text.iter().find(|b| !b.is_ascii_whitespace());
        if let Some(which) = TABLES.iter().position(|t| text.starts_with(t)) {
            return Self::Table(which);
        }
        match head {
            [] => Self::Empty,
            h if h.starts_with(b"SQLite format 3\0") => Self::Database,
            h if h.starts_with(b"\x89PNG\r\n\x1a\n") => Self::Png,
            h if h.starts_with(b"\xff\xd8\xff") => Self::Jpeg,
            h if h.starts_with(b"BM")
                || h.starts_with(b"II*\0")
                || h.starts_with(b"MM\0*")
                || h.starts_with(b"RIFF") =>
            {
                Self::Image
            }
            _ if std::str::from_utf8(&text[..text.len().min(256)])
                .map_or_else(|e| e.error_len().is_none(), |_| true)
                && !text.contains(&0) =>
            {
                match first {
                    Some(b'{' | b'[') => Self::Json,
                    Some(b'<') => Self::Markup,
                    // The version of an ONNX file is its first field.
                    _ if matches!(head, [0x08, v, ..] if *v < 0x20) => Self::Model,
                    _ => Self::Text,
                }
            }
            [0x08, version, ..] if *version < 0x20 => Self::Model,
            _ => Self::Other,
        }
    }

    /// For the user: "a table".
    fn text(self) -> &'static str {
        match self {
            Self::Empty => "an empty file",
            Self::Table(_) => "a table",
            Self::Json => "JSON",
            Self::Markup => "a page or drawing",
            Self::Png | Self::Jpeg | Self::Image => "an image",
            Self::Database => "a database (perhaps a session)",
            Self::Model => "a model",
            Self::Text => "a text",
            Self::Other => "something else",
        }
    }
}

/// What SQLite keeps beside a database.
const SIDE_FILES: [&str; 3] = ["-wal", "-shm", "-journal"];

fn head(path: &Path) -> io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(512).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn refused(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, why)
}

/// Whether something may be put in a file's place: not where the file was read, nor where it holds something else than what comes.
///
/// # Errors
/// Why it may not, and what to do.
pub fn may_replace(path: &Path, new: Content) -> io::Result<()> {
    let Ok(meta) = std::fs::metadata(path) else { return Ok(()) };
    if !meta.is_file() || own(path) {
        return Ok(());
    }
    refuse_read(path)?;
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    if SIDE_FILES.iter().any(|e| name.ends_with(e)) {
        return Err(refused(
            "this is a file that SQLite keeps beside a session. Nothing was written: choose another name".into(),
        ));
    }
    let there = Content::sniff(&head(path).unwrap_or_default());
    // Another table than the one that comes may hold the user's labels.
    if there == Content::Empty || there == new {
        return Ok(());
    }
    Err(refused(format!(
        "there is {} under this name, and {} would take its place. Nothing was written: choose another name, or move that file away",
        there.text(),
        new.text()
    )))
}

/// Whether a file may be written at all: not where this run has read it.
///
/// # Errors
/// That it was read, and what to do.
pub fn refuse_read(path: &Path) -> io::Result<()> {
    let Ok(meta) = std::fs::metadata(path) else { return Ok(()) };
    if meta.is_file() && !own(path) && was_read(path, &meta) {
        return Err(refused(
            "it is one of the files that were read here, and what is read is never written over. Nothing was written: choose another name".into(),
        ));
    }
    Ok(())
}

/// Whether two paths are one file, whatever they are called: by device and inode, where the system has them.
pub fn same_identity(a: &Path, b: &Path) -> bool {
    let of = |p: &Path| std::fs::metadata(p).ok().and_then(|m| identity(p, &m));
    of(a).is_some_and(|a| of(b) == Some(a))
}

#[cfg(test)]
mod tests {
    use super::super::{read_bounded, write_atomic};
    use super::*;

    #[test]
    fn what_was_read_is_not_written_over_whatever_it_is_called() {
        let dir = tempfile::tempdir().expect("temp");
        let (file, hard, soft) = (dir.path().join("a.csv"), dir.path().join("b.csv"), dir.path().join("c.csv"));
        std::fs::write(&file, b"path,label\n").expect("write");
        std::fs::hard_link(&file, &hard).expect("link");
        #[cfg(unix)]
        std::os::unix::fs::symlink(&file, &soft).expect("link");
        assert!(read_bounded(&file, 100).is_ok());
        for path in [&file, &hard, &soft, &dir.path().join("./a.csv")] {
            let why = write_atomic(path, b"path,label\nx,y\n").expect_err("an input").to_string();
            assert!(why.contains("never written over"), "{why}");
        }
        assert_eq!(std::fs::read(&file).expect("read"), b"path,label\n");
        // Looked at and found to be nothing that is wanted: no input.
        not_an_input(&file);
        write_atomic(&file, b"other text").expect("text for text");
        // What was written here may be read and written again.
        assert!(read_bounded(&file, 100).is_ok());
        write_atomic(&file, b"and again").expect("our own");
    }

    #[test]
    fn a_file_of_another_kind_stays() {
        let dir = tempfile::tempdir().expect("temp");
        let table = b"path,cell,status,label\n";
        for (name, bytes) in [
            ("a.png", &b"\x89PNG\r\n\x1a\n0000"[..]),
            ("a.jpg", b"\xff\xd8\xff\xe0"),
            ("a.session", b"SQLite format 3\0...."),
            ("a.onnx", &[8, 8, 18, 3, b'x', 0xff, 0]),
            ("notes.csv", b"my own notes, and none of this program's\n"),
        ] {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).expect("write");
            let why = write_atomic(&path, table).expect_err(name).to_string();
            assert!(why.contains("choose another name"), "{why}");
            assert_eq!(std::fs::read(&path).expect("read"), bytes);
        }
        let path = dir.path().join("cells.csv");
        for bytes in [&b""[..], table, table] {
            write_atomic(&path, bytes).expect("an older output");
        }
        // Another table may hold the user's labels; JSON is not a table.
        for other in [&b"sha256,cell,label,suggested\n"[..], b"{\"rows\": []}"] {
            assert!(write_atomic(&path, other).is_err());
        }
        for side in ["a.session-wal", "a.session-journal"] {
            std::fs::write(dir.path().join(side), b"").expect("write");
            assert!(write_atomic(&dir.path().join(side), table).is_err(), "{side}");
        }
    }
}
