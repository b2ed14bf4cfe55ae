//! Running the network: ONNX Runtime's library, execution providers, and the pipeline from file to row.
//!
//! The only place that names ort. A provider is never changed without a word: what was asked for, what was tried and
//! what really ran are all part of the answer.

mod engine;
mod heat;
mod pipeline;
mod prepare;
mod probe;
mod provider;
mod runtime;
mod sketch;

pub use engine::{Answer, Engine, EngineError, EngineReport, UNUSABLE, self_test_tensor};
pub use heat::{HeatMap, activation_map, occlusion_map};
pub use pipeline::{CellFeatures, Options, PipelineError, Shape, Summary, run};
pub use prepare::{Cells, OwnSquares, Prepared, Skip, decode_file, prepare};
pub use probe::run_graph;
pub use provider::Provider;
pub use runtime::{Runtime, RuntimeError};
pub use sketch::{SKETCH, likeness, sketch};
