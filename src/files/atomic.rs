//! The one writer: a file appears whole or not at all, and keeps the permissions it had.
//!
//! Guarantee: after `commit` returns, a reader (also after a power cut) sees either the old content or the
//! new one. Way: a temporary file in the same folder, written, flushed to the disk, renamed over the target,
//! and the folder flushed. A process killed before the rename leaves a `.leukoscope-*.part` file, which the
//! next write into that folder removes once it is a day old. A link is followed: it is the file behind it that is
//! replaced. A device or pipe (`/dev/null`, a named pipe) cannot be replaced and must not be: it is written directly.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

const PREFIX: &str = ".leukoscope-";
const SUFFIX: &str = ".part";
const LEFTOVER_AFTER: Duration = Duration::from_secs(24 * 3600);

/// A file being written; nothing is visible under its name before [`AtomicFile::commit`].
#[derive(Debug)]
pub struct AtomicFile(Way);

#[derive(Debug)]
enum Way {
    Replace { target: PathBuf, writer: BufWriter<tempfile::NamedTempFile> },
    Direct(BufWriter<File>),
}

impl AtomicFile {
    /// Starts writing what will be `target`.
    ///
    /// # Errors
    /// When no temporary file can be made in the target's folder (missing, read-only, full), or the target is a folder.
    pub fn create(target: &Path) -> io::Result<Self> {
        let target = target.canonicalize().unwrap_or_else(|_| target.to_owned());
        if let Ok(there) = std::fs::metadata(&target) {
            if there.is_dir() {
                return Err(io::Error::new(io::ErrorKind::IsADirectory, "the target is a folder"));
            }
            if !there.is_file() {
                let file = std::fs::OpenOptions::new().write(true).open(&target)?;
                return Ok(Self(Way::Direct(BufWriter::with_capacity(1 << 16, file))));
            }
        }
        super::inputs::refuse_read(&target)?;
        let folder = folder_of(&target);
        sweep_once(folder);
        let file = tempfile::Builder::new().prefix(PREFIX).suffix(SUFFIX).tempfile_in(folder).map_err(without_path)?;
        keep_mode(&target, file.as_file())?;
        Ok(Self(Way::Replace { target, writer: BufWriter::with_capacity(1 << 16, file) }))
    }

    /// Puts the content in place.
    ///
    /// # Errors
    /// When flushing or renaming fails, or the target was read here or holds another kind of content; the old file is then intact.
    pub fn commit(self) -> io::Result<()> {
        self.put(None)
    }

    /// Puts the content, which is less than the whole, beside the target: `NAME.partial`. What was at the target stays.
    /// Returns where it is; a device takes it as it comes.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub fn commit_partial(self) -> io::Result<Option<PathBuf>> {
        let Way::Replace { target, .. } = &self.0 else { return self.put(None).map(|()| None) };
        let partial = partial_of(target);
        self.put(Some(&partial)).map(|()| Some(partial))
    }

    fn put(self, elsewhere: Option<&Path>) -> io::Result<()> {
        match self.0 {
            Way::Direct(mut writer) => writer.flush(),
            Way::Replace { target, writer } => {
                let target = elsewhere.map_or(target, Path::to_owned);
                let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
                file.as_file().sync_all()?;
                if target.is_file() {
                    let mut head = Vec::new();
                    io::Read::read_to_end(&mut io::Read::take(File::open(file.path())?, 512), &mut head)?;
                    super::inputs::may_replace(&target, super::inputs::Content::sniff(&head))?;
                }
                file.persist(&target).map_err(|e| e.error)?;
                super::inputs::remember_written(&target);
                #[cfg(unix)]
                File::open(folder_of(&target))?.sync_all()?;
                Ok(())
            }
        }
    }
}

/// Where what is less than the whole is put: `NAME.partial`.
pub fn partial_of(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Way::Direct(w) => w.write(bytes),
            Way::Replace { writer, .. } => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Way::Direct(w) => w.flush(),
            Way::Replace { writer, .. } => writer.flush(),
        }
    }
}

/// Whether an output can be written, before hours of work: its folder takes files, and what lies there may be replaced by it.
///
/// # Errors
/// Why not, as [`AtomicFile::commit`] would say at the end.
pub fn probe_output(target: &Path, new: super::Content) -> io::Result<()> {
    super::may_replace(target, new)?;
    AtomicFile::create(target).map(drop)
}

/// Writes a whole file in one go.
///
/// # Errors
/// As [`AtomicFile`].
pub fn write_atomic(target: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = AtomicFile::create(target)?;
    file.write_all(bytes)?;
    file.commit()
}

/// The reason alone: what `tempfile` says of a file that it could not make names that file, which the user never asked for.
fn without_path(e: io::Error) -> io::Error {
    let system = e.get_ref().and_then(std::error::Error::source).and_then(|s| s.downcast_ref::<io::Error>());
    match system.and_then(io::Error::raw_os_error) {
        Some(code) => io::Error::from_raw_os_error(code),
        None => e,
    }
}

fn folder_of(target: &Path) -> &Path {
    match target.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    }
}

/// A temporary file is private (0600); what replaces a file keeps that file's mode, and a new one gets 0644 less the umask's
/// usual bits.
#[cfg(unix)]
fn keep_mode(target: &Path, file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(target).map_or(0o644, |m| m.permissions().mode() & 0o7777);
    file.set_permissions(std::fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn keep_mode(_: &Path, _: &File) -> io::Result<()> {
    Ok(())
}

/// Looks for leftovers once in each folder: a large export would list its folder at every file.
fn sweep_once(folder: &Path) {
    static SWEPT: std::sync::Mutex<std::collections::BTreeSet<PathBuf>> =
        std::sync::Mutex::new(std::collections::BTreeSet::new());
    let mut swept = SWEPT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if swept.insert(folder.to_owned()) {
        drop(swept);
        sweep(folder);
    }
}

/// Removes what killed writers left behind long ago. Best effort: a leftover is not a reason to refuse work.
fn sweep(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let old = || {
            entry
                .metadata()
                .and_then(|m| m.modified())
                .ok()
                .and_then(|t| t.elapsed().ok())
                .is_some_and(|age| age > LEFTOVER_AFTER)
        };
        if name.starts_with(PREFIX) && name.ends_with(SUFFIX) && old() {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_shows_before_commit_and_a_dropped_write_leaves_the_old_file() {
        let dir = tempfile::tempdir().expect("temp");
        let target = dir.path().join("out.csv");
        write_atomic(&target, b"old").expect("write");
        let mut file = AtomicFile::create(&target).expect("create");
        file.write_all(b"new").expect("write");
        drop(file);
        assert_eq!(std::fs::read(&target).expect("read"), b"old");
        assert_eq!(std::fs::read_dir(dir.path()).expect("list").count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn the_mode_survives() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("temp");
        let target = dir.path().join("out.csv");
        write_atomic(&target, b"a").expect("write");
        std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o664)).expect("chmod");
        write_atomic(&target, b"b").expect("write");
        assert_eq!(std::fs::metadata(&target).expect("stat").permissions().mode() & 0o777, 0o664);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_followed_and_a_device_is_never_replaced() {
        use std::os::unix::fs::FileTypeExt;
        let dir = tempfile::tempdir().expect("temp");
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        write_atomic(&file, b"a").expect("write");
        std::os::unix::fs::symlink(&file, &link).expect("link");
        write_atomic(&link, b"b").expect("write");
        assert!(std::fs::symlink_metadata(&link).expect("stat").is_symlink());
        assert_eq!(std::fs::read(&file).expect("read"), b"b");
        write_atomic(Path::new("/dev/null"), b"c").expect("write");
        assert!(std::fs::metadata("/dev/null").expect("stat").file_type().is_char_device());
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        assert!(write_atomic(Path::new("/nonexistent-folder/x"), b"a").is_err());
    }
}
