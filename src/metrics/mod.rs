//! Scores: pure arithmetic on references and answers, with intervals. No disk, no clock; chance only from a seed.

mod calibration;
mod confusion;
mod curves;
mod embedding;
mod evaluation;
mod interval;
mod probability;
mod resample;
mod sample;

pub use calibration::{Abstention, Calibrator, LEAST_FOR_VECTOR, Scored, abstention, fit_temperature, fit_vector};
pub use confusion::{ClassScores, Confusion, Scores, share};
pub use curves::{
    BINS, Binning, CurvePoint, ReliabilityBin, at_hits, calibration_error, kept, precision_recall, reliability,
    risk_coverage, roc, thinned,
};
pub use embedding::embed;
pub use evaluation::{ClassEvaluation, Estimate, Evaluation, How, LEAST_POSITIVES};
pub use interval::{Interval, bootstrap, exact, exact_upper, mcnemar, wilson};
pub use probability::{brier, in_top_two, log_loss};
pub use resample::ROUNDS;
pub use sample::Sample;
