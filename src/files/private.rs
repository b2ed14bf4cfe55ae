//! Files that are the user's alone: made with 0600 in folders with 0700, and tightened where an older version left them open.
//! What belongs to somebody else, and what is not a plain file, keeps the mode it has.

use super::write_atomic;
use std::io;
use std::path::{Path, PathBuf};

/// An empty folder that goes away with the value.
pub type ScratchFolder = tempfile::TempDir;

/// Makes an empty file that only its owner may read, unless something is there already; says whether it was made.
///
/// # Errors
/// What the operating system says.
pub fn make_private(path: &Path) -> io::Result<bool> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(e),
    }
}

/// Takes a file of this user's away from everybody else. Best effort: who may read a file is not a reason to refuse work.
pub fn keep_private(path: &Path) {
    tighten(path, false);
}

/// Writes a whole file that only its owner may read.
///
/// # Errors
/// As [`write_atomic`].
pub fn write_private(target: &Path, bytes: &[u8]) -> io::Result<()> {
    // The writer keeps the mode of what it replaces.
    make_private(target)?;
    keep_private(target);
    write_atomic(target, bytes)
}

/// Makes a folder and its parents; those that are made are the user's alone, and so is the program's own folder that they
/// are in.
///
/// # Errors
/// What the operating system says.
pub fn create_folder(path: &Path) -> io::Result<()> {
    let own = own_folders().into_iter().find(|own| path.starts_with(own));
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    if own.is_some() {
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    }
    builder.create(path)?;
    if let Some(own) = own {
        tighten(&own, true);
    }
    Ok(())
}

/// The folders that the system gives this program for the user's data, settings and cache.
fn own_folders() -> Vec<PathBuf> {
    directories::ProjectDirs::from("", "", "leukoscope").map_or_else(Vec::new, |dirs| {
        [dirs.data_dir(), dirs.config_dir(), dirs.cache_dir()].map(Path::to_owned).into_iter().collect()
    })
}

/// Copies a file's bytes into a new one that only its owner may read.
///
/// # Errors
/// What the operating system says.
pub fn copy_private(from: &Path, to: &Path) -> io::Result<()> {
    make_private(to)?;
    let mut target = std::fs::OpenOptions::new().write(true).truncate(true).open(to)?;
    io::copy(&mut std::fs::File::open(from)?, &mut target)?;
    Ok(())
}

/// The first bytes of a file, at most so many.
///
/// # Errors
/// What the operating system says; also for what is not a regular file.
pub fn head(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(std::fs::File::open(path)?, most), &mut bytes)?;
    Ok(bytes)
}

/// Whether a file that is there may be written to.
pub fn can_write(path: &Path) -> bool {
    std::fs::OpenOptions::new().write(true).open(path).is_ok()
}

#[cfg(unix)]
fn tighten(path: &Path, folder: bool) {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let Ok(meta) = std::fs::symlink_metadata(path) else { return };
    let fits = if folder { meta.is_dir() } else { meta.is_file() };
    // Where the system does not say who we are, only the owner can change a mode.
    let ours = std::fs::metadata("/proc/self").map_or(true, |me| me.uid() == meta.uid());
    let mode = meta.permissions().mode();
    if fits && ours && mode & 0o077 != 0 {
        let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode & 0o700));
    }
}

#[cfg(not(unix))]
fn tighten(_: &Path, _: bool) {}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).expect("stat").permissions().mode() & 0o777
    }

    #[test]
    fn private_files_are_made_so_and_older_ones_become_so() {
        let dir = tempfile::tempdir().expect("temp");
        let (new, old) = (dir.path().join("new"), dir.path().join("old"));
        assert!(make_private(&new).expect("made") && !make_private(&new).expect("there"));
        assert_eq!(mode(&new), 0o600);
        std::fs::write(&old, "a").expect("write");
        std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o644)).expect("chmod");
        write_private(&old, b"b").expect("written");
        assert_eq!((mode(&old), std::fs::read(&old).expect("reads")), (0o600, b"b".to_vec()));
        // A folder of somebody's own choice is not the program's to close.
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).expect("chmod");
        create_folder(dir.path()).expect("there");
        keep_private(dir.path());
        assert_eq!(mode(dir.path()), 0o755);
    }

    #[test]
    fn a_copy_of_a_file_that_may_only_be_read_can_be_written() {
        let dir = tempfile::tempdir().expect("temp");
        let (from, to) = (dir.path().join("a"), dir.path().join("b"));
        std::fs::write(&from, "text").expect("write");
        std::fs::set_permissions(&from, std::fs::Permissions::from_mode(0o444)).expect("chmod");
        copy_private(&from, &to).expect("copied");
        assert_eq!((mode(&to), head(&to, 2).expect("reads")), (0o600, b"te".to_vec()));
    }
}
