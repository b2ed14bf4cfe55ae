//! What the user is told when something cannot be done: what, why, and what to do, in one or two sentences.

use crate::dataset::{CacheError, DatasetError, RatioError, TableError};
use crate::files::ReadError;
use crate::imaging::{DecodeError, EncodeError};
use crate::inference::{EngineError, PipelineError, ProviderError, UnknownProvider};
use crate::model::ManifestFileError;
use crate::session::StoreError;
use crate::training::{DeviceError, TrainError};
use std::fmt;

/// An error in words for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserError(String);

impl UserError {
    /// Says it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is typed below says itself what is wrong; here it becomes words. `std::io::Error` is not among them: it does not know which file.
macro_rules! said_as_it_is {
    ($($error:ty),+ $(,)?) => { $(
        impl From<$error> for UserError {
            fn from(error: $error) -> Self {
                Self(error.to_string())
            }
        }
    )+ };
}

said_as_it_is! {
    CacheError, DatasetError, RatioError, TableError, ReadError, DecodeError, EncodeError, EngineError, PipelineError, ProviderError,
    UnknownProvider, ManifestFileError, StoreError, DeviceError, TrainError, serde_json::Error,
}
