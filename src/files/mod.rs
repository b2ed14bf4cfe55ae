//! The only door to the disk: bounded reads, walks, one atomic writer, names that can be shown.
//!
//! Source images are opened for reading alone. Nothing here knows what is in a file.

mod atomic;
mod names;
mod read;
mod walk;

pub use atomic::{AtomicFile, write_atomic};
pub use names::{display_name, display_path};
pub use read::{ReadError, Snapshot, digest_of, read_bounded};
pub use walk::{Entry, Listing, PICTURE_ENDINGS, named_like_picture, shard, walk};

/// Creates a folder and its parents.
///
/// # Errors
/// What the operating system says.
pub fn create_folder(path: &std::path::Path) -> std::io::Result<()> {
    std::fs::create_dir_all(path)
}

/// An empty folder that goes away with the value.
///
/// # Errors
/// What the operating system says.
pub fn scratch_folder() -> std::io::Result<tempfile::TempDir> {
    tempfile::tempdir()
}
