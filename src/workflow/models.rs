//! The model to use: the embedded one, or a file that passes vetting.

use super::UserError;
use crate::files::{digest_of, display_path, read_bounded};
use crate::model::{EMBEDDED_NAME, MAX_MODEL_BYTES, VettedModel, embedded_bytes, vet};
use std::path::Path;

/// The model inside the program.
///
/// # Errors
/// Only when the program itself was built around a damaged file.
pub fn default_model() -> Result<VettedModel, UserError> {
    let bytes = embedded_bytes();
    vet(bytes, digest_of(bytes)).map_err(|e| UserError::new(format!("the embedded model {EMBEDDED_NAME}: {e}")))
}

/// A model file; `None` is the embedded one.
///
/// # Errors
/// What is wrong with the file, and what to do about it.
pub fn open_model(path: Option<&Path>) -> Result<VettedModel, UserError> {
    let Some(path) = path else { return default_model() };
    let refuse =
        |e: &dyn std::fmt::Display| UserError::new(format!("the model {} is refused: {e}", display_path(path)));
    let snapshot = read_bounded(path, MAX_MODEL_BYTES).map_err(|e| refuse(&e))?;
    vet(&snapshot.bytes, snapshot.digest).map_err(|e| refuse(&e))
}
