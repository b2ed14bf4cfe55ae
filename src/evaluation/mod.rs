//! What a model is worth on labelled cells: scored sets, corrected references, models held against each other. Pure: no disk, no clock,
//! chance only from a seed; how it is written out is the reports'.

mod compared;
pub(crate) mod evaluated;

pub use compared::{Compared, Pair};
pub use evaluated::{Evaluated, EvaluatedCell, TrainOverlap, Unscored};
