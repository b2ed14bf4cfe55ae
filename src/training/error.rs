//! What can go wrong while a network learns, in words for the user.

use crate::dataset::CacheError;

/// Why a network does not learn, or does no more.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The system gives no thread.
    #[error("no training thread could be started: {0}")]
    Threads(#[source] rayon::ThreadPoolBuildError),
    /// Cut cells or activations cannot be kept, or read any more.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The cache of activations does not have what was put into it.
    #[error("the cache of activations lost what was just put into it; start again")]
    ActivationsLost,
    /// A checkpoint with other numbers of weights.
    #[error("the checkpoint belongs to another network or recipe")]
    OtherNetwork,
    /// What computes in the processor's place, and why it does no more.
    #[error("{0} failed: {1}. The checkpoint is kept: start again with --device cpu and it goes on from there")]
    Device(String, #[source] DeviceError),
}

/// Why a device does not compute in the processor's place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// This build has no tensor library.
    #[error("this build trains on the processor only; one built with `--features gpu` can use a graphics card")]
    NotBuilt,
    /// There is none; what was said of the last kind that was looked for.
    #[error("no graphics card that WebGPU can use was found ({0})")]
    NotFound(String),
    /// It gave up: its driver's words, or the tensor library's, or what is wrong with its answer.
    #[error("{0}")]
    Failed(String),
}
