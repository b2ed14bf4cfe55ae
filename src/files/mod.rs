//! The only door to the disk: bounded reads, walks, one atomic writer, names that can be shown.
//!
//! Source images are opened for reading alone. Nothing here knows what is in a file.

mod atomic;
mod inputs;
mod lock;
mod mounts;
mod names;
mod pack;
mod private;
mod read;
mod walk;

pub use atomic::{AtomicFile, partial_of, probe_output, write_atomic};
pub use inputs::{Content, may_replace, not_an_input, refuse_read, same_identity};
pub use lock::{Lock, LockError, move_aside};
pub use mounts::network_drive;
pub use names::{display_name, display_path, file_safe};
pub use pack::Pack;
pub use private::{
    ScratchFolder, can_write, copy_private, create_folder, head, keep_private, make_private, write_private,
};
pub use read::{ReadError, Snapshot, digest_of, read_bounded};
pub use walk::{Entry, IMAGE_EXTENSIONS, Listing, named_like_image, shard, walk};

/// The largest image file that is read.
pub const MAX_IMAGE_BYTES: u64 = 1 << 30;

/// An empty folder that goes away with the value.
///
/// # Errors
/// What the operating system says.
pub fn scratch_folder() -> std::io::Result<ScratchFolder> {
    tempfile::tempdir()
}

/// The folder of things that can be made again: `name` inside the user's cache folder, or `None` where there is none.
pub fn cache_folder(name: &str) -> Option<std::path::PathBuf> {
    Some(directories::ProjectDirs::from("", "", "leukoscope")?.cache_dir().join(name))
}

/// A path as it is stored: from the root of its disk on, so that it names the same file wherever the program is started next.
pub fn absolute(path: &std::path::Path) -> std::path::PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// A file of the user's own data that must not be lost, or `None` where the system has no place for it.
pub fn data_file(name: &str) -> Option<std::path::PathBuf> {
    Some(directories::ProjectDirs::from("", "", "leukoscope")?.data_dir().join(name))
}

/// What tells, without reading it, that a file is the one that was read before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileFacts {
    /// Length.
    pub bytes: u64,
    /// When its bytes were changed last, nanoseconds since 1970, as anybody may set it; 0 where the system does not say.
    pub modified: i64,
    /// What the file system itself says of its last change, which a program cannot set: the time of the change and the file's
    /// number (inode) in one; 0 where the system does not say.
    pub changed: i64,
}

/// A file's length and time; `None` where it cannot be had.
pub fn facts(path: &std::path::Path) -> Option<FileFacts> {
    let meta = std::fs::metadata(path).ok()?;
    let modified = meta.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
    let modified = modified.and_then(|d| i64::try_from(d.as_nanos()).ok()).unwrap_or(0);
    Some(FileFacts { bytes: meta.len(), modified, changed: changed(&meta) })
}

/// A file's facts, if neither its bytes nor anything else of it was changed since a moment: then they are those of what was read
/// after it.
pub fn facts_unchanged_since(path: &std::path::Path, begun: std::time::SystemTime) -> Option<FileFacts> {
    let meta = std::fs::metadata(path).ok()?;
    let begun = begun.duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_nanos()).cast_signed();
    #[cfg(unix)]
    let touched = {
        use std::os::unix::fs::MetadataExt;
        i128::from(meta.ctime()) * 1_000_000_000 + i128::from(meta.ctime_nsec()) >= begun
    };
    #[cfg(not(unix))]
    let touched = false;
    facts(path).filter(|f| !touched && i128::from(f.modified) < begun)
}

/// Change time and inode folded into one number.
#[cfg(unix)]
fn changed(meta: &std::fs::Metadata) -> i64 {
    use std::os::unix::fs::MetadataExt;
    let time = meta.ctime().wrapping_mul(1_000_000_000).wrapping_add(meta.ctime_nsec());
    // Fibonacci hashing spreads the number over all bits, so that time and inode do not cancel out.
    time ^ meta.ino().wrapping_mul(0x9e37_79b9_7f4a_7c15).cast_signed()
}

/// This system has no such thing.
#[cfg(not(unix))]
fn changed(_: &std::fs::Metadata) -> i64 {
    0
}

/// Whether files can be made in the folder of a path.
pub fn can_write_beside(path: &std::path::Path) -> bool {
    path.parent().is_some_and(|folder| tempfile::NamedTempFile::new_in(folder).is_ok())
}

/// A file of the user's settings, or `None` where the system has no place for it.
pub fn config_file(name: &str) -> Option<std::path::PathBuf> {
    Some(directories::ProjectDirs::from("", "", "leukoscope")?.config_dir().join(name))
}

/// What ONNX Runtime's telemetry, where it is on, keeps in the user's cache folder: an id of the machine and a queue of events.
/// `None` where there is none.
pub fn left_by_telemetry() -> Option<std::path::PathBuf> {
    let folder = directories::BaseDirs::new()?.cache_dir().join("Microsoft/DeveloperTools/.onnxruntime");
    folder.is_dir().then_some(folder)
}

/// Whether a folder is there with something in it, or a file in its place.
pub fn holds_something(path: &std::path::Path) -> bool {
    match std::fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => path.exists(),
    }
}

/// Whether there is something under this name, if only a link that leads nowhere now or a place that may not be looked into.
pub fn is_there(path: &std::path::Path) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    match std::fs::symlink_metadata(path) {
        Ok(_) => true,
        Err(e) => !matches!(e.kind(), NotFound | NotADirectory),
    }
}

/// Whether a regular file is there.
pub fn is_file(path: &std::path::Path) -> bool {
    path.is_file()
}

/// The path as the system knows it, links resolved; `None` where there is nothing.
pub fn real_path(path: &std::path::Path) -> Option<std::path::PathBuf> {
    std::fs::canonicalize(path).ok()
}

/// Copies a file, appearing whole, to `to`; a file that is there already is not written over itself.
///
/// # Errors
/// What the operating system says.
pub fn copy_file(from: &std::path::Path, to: &std::path::Path) -> std::io::Result<()> {
    if same_file(from, to) {
        return Ok(());
    }
    let mut source = std::fs::File::open(from)?;
    let mut target = AtomicFile::create(to)?;
    std::io::copy(&mut source, &mut target)?;
    target.commit()
}

/// A file by its name, anywhere below a folder.
pub fn find_file(below: &std::path::Path, name: &str) -> Option<std::path::PathBuf> {
    walkdir::WalkDir::new(below)
        .into_iter()
        .flatten()
        .find(|e| e.file_type().is_file() && e.file_name() == std::ffi::OsStr::new(name))
        .map(walkdir::DirEntry::into_path)
}

pub fn same_file(a: &std::path::Path, b: &std::path::Path) -> bool {
    a == b || real_path(a).is_some_and(|a| real_path(b).is_some_and(|b| a == b))
}

/// Puts a file into the system's trash, from where it can be taken back.
///
/// # Errors
/// What the system says.
pub fn to_trash(path: &std::path::Path) -> std::io::Result<()> {
    trash::delete(path).map_err(std::io::Error::other)
}

/// Files of a folder, without those of folders below, in the order of their names.
pub fn files_of(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut all: Vec<_> = std::fs::read_dir(folder)
        .map(|entries| entries.flatten().map(|e| e.path()).filter(|p| p.is_file()).collect())
        .unwrap_or_default();
    all.sort();
    all
}

/// Removes a file; one that is not there is fine.
///
/// # Errors
/// What the operating system says.
pub fn remove_file(path: &std::path::Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// The NVIDIA driver's version, where there is one.
pub fn nvidia_driver() -> Option<String> {
    if cfg!(windows) {
        // The driver brings its management library; its version stands in no file that can be read simply.
        let system = std::env::var_os("SystemRoot")?;
        return std::path::Path::new(&system).join("System32/nvcuda.dll").is_file().then(|| "installed".to_owned());
    }
    let text = std::fs::read_to_string("/proc/driver/nvidia/version").ok()?;
    let version = text.split_whitespace().find(|w| w.starts_with(|c: char| c.is_ascii_digit()) && w.contains('.'));
    Some(version.unwrap_or("of unknown version").to_owned())
}

/// Megabytes of memory that this process took at most so far, where the system says (Linux).
pub fn peak_memory() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find(|l| l.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kb| kb / 1024.0)
}

/// Bytes of memory that are free for new work, where the system says (Linux).
pub fn memory_available() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|l| l.starts_with("MemAvailable:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kb| kb * 1024)
}
