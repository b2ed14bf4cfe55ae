//! Scores: pure arithmetic on references and answers, with intervals. No disk, no clock; chance only from a seed.

mod calibration;
mod confusion;
mod curves;
mod embedding;
mod evaluation;
mod interval;
mod linalg;
mod probability;
mod resample;
mod sample;
mod scores;

pub use calibration::{Abstention, Calibrator, LEAST_FOR_VECTOR, Scored, abstention, fit_temperature, fit_vector};
pub use confusion::{ClassScores, Confusion, share};
pub use curves::{
    BINS, Binning, CurvePoint, ReliabilityBin, at_hits, calibration_error, kept, precision_recall, reliability,
    risk_coverage, roc, thinned,
};
pub use embedding::embed;
pub use evaluation::{ClassEvaluation, Evaluation};
pub use interval::{Estimate, How, Interval, LEAST_POSITIVES, ROUNDS, bootstrap, exact, exact_upper, mcnemar, wilson};
pub use linalg::{column_means, inverse_cholesky, leading_axes, orthonormalize};
pub use probability::{brier, in_top_two, log_loss};
pub use sample::Sample;
pub use scores::Scores;
