//! Retrain: look at the data, train with live figures, write one model file that carries everything.
//!
//! [`prepare_training`] is what the user sees before Start; [`train`] runs it, resumes it, verifies and writes.

mod answers;
mod description;
mod flags;
mod initial;
mod lookalikes;
mod obstacle;
mod outcome;
mod plan;
mod request;
mod run;
mod runs;
mod settings;
mod setup;
mod source_table;
mod sources;
mod unchanged;
mod verify;

pub use initial::{InitialModel, InputKind, load_initial_model};
pub use lookalikes::{Lookalike, LookalikeCell, Lookalikes};
pub use obstacle::{Obstacle, Remedy, Short, Why};
pub use outcome::{TrainMonitor, TrainOutcome, TrainProgress};
pub use plan::{PreparedDataset, TrainPlan, prepare_training};
pub(super) use plan::{digest_of_lines, similarity_view};
pub use request::{ClassCount, CurrentModelResult, HeldOutResult, TrainControl, TrainOptions, TrainRequest};
pub use run::train;
pub use runs::{
    EarlierRun, UnfinishedRun, earlier_runs, forget_run, model_name, new_model_file, new_model_path, train_remembered,
    unfinished_runs,
};
pub use settings::{LearningRate, NoLearningRate, RecipeSettings};
pub use source_table::{SourceResult, SourceTable};
pub use sources::leave_one_source_out;
