//! Retrain: look at the data, train with live figures, write one model file that carries everything.
//!
//! [`prepare_training`] is what a person sees before Start; [`train`] runs it, resumes it, verifies and writes.

mod manifest;
mod obstacle;
mod plan;
mod run;
mod runs;
mod start;

pub use obstacle::{Obstacle, Remedy, Short, Why};
pub use plan::{ClassCount, Lookalike, LookalikeCell, Lookalikes, Prepared, TrainPlan, TrainRequest, prepare_training};
pub(super) use plan::{digest_of_lines, likeness_square};
pub use run::{Current, Held, TrainControl, TrainOptions, TrainOutcome, TrainTold, train};
pub use runs::{
    EarlierRun, UnfinishedRun, earlier_runs, forget_run, model_name, new_model_file, new_model_path, remember_run,
    unfinished_runs,
};
pub use start::{Picture, Start, load_start};
