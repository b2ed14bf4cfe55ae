//! What things are: classes, probabilities, squares, digests, a differential. Pure values.
//!
//! Nothing here touches the disk, a thread, a clock or a pixel; every layer above may use it.

mod catalogue;
mod class;
mod differential;
mod digest;
mod history;
mod ids;
mod input;
mod learning;
mod prediction;

pub use catalogue::{
    CLASSES, CellClass, KEYED, Loinc, NOT_A_WHITE_CELL, NUCLEATED_RED_CELL, Role, Shape, UNIDENTIFIED, canonical_label,
    clinical_rank, invisible, label_fault, label_key, one_spelling, role, same_label,
};
pub use class::{ClassSet, ClassSetError, laboratory_class, laboratory_labels};
pub use differential::{Count, Differential};
pub use digest::{Digest, NoDigest};
pub use history::{History, Inverse};
pub use ids::{CellId, ImageId, SlideId};
pub use input::{CellPreprocessing, Preprocessing, ResizeFilter, TensorSpec, WholePreprocessing};
pub use learning::EpochRow;
pub use prediction::{
    ADDED, CellResult, Failure, ImageResult, Outcome, Probabilities, RejectedPlace, Square, Status, is_unfamiliar,
    logarithms, name_of_flag,
};
