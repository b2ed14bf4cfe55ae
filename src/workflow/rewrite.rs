//! A copy of a model with another manifest, vetted like any other file.

use super::UserError;
use crate::files::digest_of;
use crate::model::{Manifest, VettedModel, vet};

/// A model's file with another manifest; `what` it is called where it is refused.
pub(super) fn rewritten(bytes: &[u8], manifest: &Manifest, what: &str) -> Result<VettedModel, UserError> {
    let bytes = manifest.put_into(bytes)?;
    vet(&bytes, digest_of(&bytes)).map_err(|e| UserError::new(format!("{what} is refused: {e}")))
}
