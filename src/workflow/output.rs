//! Writing a file for the user, whole or not at all, and saying which file it was where that fails.

use super::UserError;
use crate::files::{create_folder, display_path, write_atomic};
use std::path::Path;

/// Writes a file where the user said.
///
/// # Errors
/// That it cannot be written, and why.
pub fn write_output(out: &Path, bytes: &[u8]) -> Result<(), UserError> {
    write_atomic(out, bytes).map_err(|e| unwritten(out, &e))
}

/// What a person is told of a file that cannot be written.
pub(super) fn unwritten(out: &Path, why: &std::io::Error) -> UserError {
    UserError::new(format!("{} cannot be written: {why}", display_path(out)))
}

/// Writes a file of the program's own; its folder is made where it is missing.
///
/// # Errors
/// As [`write_output`].
pub(super) fn write_own(out: &Path, bytes: &[u8]) -> Result<(), UserError> {
    out.parent().map_or(Ok(()), create_folder).map_err(|e| unwritten(out, &e))?;
    write_output(out, bytes)
}
