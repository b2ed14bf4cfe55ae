//! Retrain: look at the data, train with live figures, write one model file that carries everything.
//!
//! [`prepare_training`] is what a person sees before Start; [`train`] runs it, resumes it, verifies and writes.

mod manifest;
mod plan;
mod run;
mod start;

pub use plan::{ClassCount, Prepared, TrainPlan, TrainRequest, prepare_training};
pub use run::{Held, TrainControl, TrainOptions, TrainOutcome, TrainTold, train};
pub use start::{Picture, Start, load_start};
