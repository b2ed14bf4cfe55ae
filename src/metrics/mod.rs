//! How good a set of predictions is: confusion matrix, scores, intervals. Pure numbers; seeds are parameters.

mod confusion;
mod interval;

pub use confusion::{ClassScores, Confusion, Scores};
pub use interval::{Interval, bootstrap, wilson};
