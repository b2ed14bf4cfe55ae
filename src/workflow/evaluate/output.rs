//! The files of an evaluation or a comparison, written into a folder: all or none, each whole.

use crate::evaluation::{Compared, Evaluated};
use crate::files::{AtomicFile, Content, create_folder, display_path, may_replace, write_atomic};
use crate::report::{comparison_files, evaluation_files};
use crate::workflow::UserError;
use std::path::{Path, PathBuf};

/// Writes an evaluation's files into a folder; each appears whole.
///
/// # Errors
/// What cannot be written, and what to do.
pub fn write_evaluation(evaluated: &Evaluated, folder: &Path) -> Result<Vec<PathBuf>, UserError> {
    write_all(evaluation_files(evaluated), folder)
}

/// Writes a comparison's files into a folder; each appears whole.
///
/// # Errors
/// What cannot be written, and what to do.
pub fn write_comparison(compared: &Compared, folder: &Path) -> Result<Vec<PathBuf>, UserError> {
    write_all(comparison_files(compared), folder)
}

fn write_all(files: Vec<(&'static str, Vec<u8>)>, folder: &Path) -> Result<Vec<PathBuf>, UserError> {
    let write_error = |path: &Path, e: &std::io::Error| {
        UserError::new(format!("{} cannot be written: {e}. Choose another folder", display_path(path)))
    };
    create_folder(folder).map_err(|e| write_error(folder, &e))?;
    // All or none: what may not be replaced is found before anything is.
    for (name, bytes) in &files {
        let path = folder.join(name);
        may_replace(&path, Content::sniff(&bytes[..bytes.len().min(512)])).map_err(|e| write_error(&path, &e))?;
    }
    let mut written = Vec::new();
    for (name, bytes) in files {
        let path = folder.join(name);
        write_atomic(&path, &bytes).map_err(|e| write_error(&path, &e))?;
        written.push(path);
    }
    Ok(written)
}

/// Whether files can be written into a folder, before hours of work.
///
/// # Errors
/// Why not.
pub fn can_write_into(folder: &Path) -> Result<(), UserError> {
    create_folder(folder)
        .and_then(|()| AtomicFile::create(&folder.join("report.json")).map(drop))
        .map_err(|e| UserError::new(format!("{} cannot be written into: {e}", display_path(folder))))
}
