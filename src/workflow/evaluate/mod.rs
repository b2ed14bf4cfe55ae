//! Evaluate models on labelled images: every image is answered as `classify` would, what was in a model's training is marked, scores are
//! computed.

mod output;
mod overlap;
mod request;
mod run;

pub use output::{can_write_into, write_comparison, write_evaluation};
pub use overlap::KEPT_NEAR;
pub use request::{EvaluateError, EvaluateRequest};
pub(super) use run::answer;
pub use run::{EvaluateMonitor, EvaluateProgress, compare, compare_with, evaluate};
