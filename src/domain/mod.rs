//! What things are: classes, probabilities, squares, digests, a differential. Pure values.
//!
//! Nothing here touches the disk, a thread, a clock or a pixel; every layer above may use it.

mod class;
mod differential;
mod digest;
mod input;
mod learning;
mod prediction;

pub use class::{
    ClassSet, ClassSetError, NO_WHITE_CELL, OTHER_LABELS, Role, UNIDENTIFIED, clinical_rank, laboratory_class,
    laboratory_labels, role,
};
pub use differential::{Count, Differential};
pub use digest::{Digest, NoDigest};
pub use input::{CellPreprocessing, Filter, TensorSpec, WholePreprocessing};
pub use learning::EpochRow;
pub use prediction::{ADDED, CellResult, ImageResult, Outcome, Probabilities, Square, Status};
