//! The model to use: the embedded one, or a file that passes vetting.

use super::UserError;
use super::import::{OpenedModel, look_at_model};
use super::output::write_own;
use crate::files::{digest_of, display_path, holds_something};
use crate::model::{EMBEDDED_NAME, TritonModel, VettedModel, embedded_bytes, triton_files, vet};
use std::path::{Path, PathBuf};

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
    match look_at_model(path)? {
        OpenedModel::Model(model) => Ok(model),
        // Says what is open.
        OpenedModel::NeedsInput(import) => import.model(),
    }
}

/// Writes a model into a Triton model repository, `out`, in a folder of its own that must not be there yet; returns it.
///
/// # Errors
/// When the graph says too little of its shapes, the folder is there, or it cannot be written.
pub fn export_triton(model: &VettedModel, out: &Path) -> Result<PathBuf, UserError> {
    let TritonModel { name, files } = triton_files(model)
        .map_err(|e| UserError::new(format!("{} cannot be served by Triton: {e}", model.card().name)))?;
    let folder = out.join(name);
    if holds_something(&folder) {
        return Err(UserError::new(format!(
            "{} is there already; remove it or name another folder",
            display_path(&folder)
        )));
    }
    for (path, bytes) in files {
        let path = folder.join(path);
        write_own(&path, &bytes)?;
    }
    Ok(folder)
}
