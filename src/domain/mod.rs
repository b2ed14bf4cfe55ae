//! What things are: classes, probabilities, squares, digests, a differential. Pure values.
//!
//! Nothing here touches the disk, a thread, a clock or a pixel; every layer above may use it.

mod class;
mod differential;
mod digest;
mod input;
mod learning;
mod prediction;

pub use class::{ClassSet, ClassSetError, clinical_rank};
pub use differential::Differential;
pub use digest::{Digest, NoDigest};
pub use input::{CellPreprocessing, TensorSpec};
pub use learning::EpochRow;
pub use prediction::{CellResult, ImageResult, Outcome, Probabilities, Square, Status};
