//! Running the network: ONNX Runtime's library, execution providers, and the pipeline from file to row.
//!
//! The only place that names ort. A provider is never changed without a word: what was asked for, what was tried and
//! what really ran are all part of the answer.

mod availability;
mod batched;
mod choice;
mod engine;
mod folder;
mod handed;
mod heat;
mod judge;
mod look;
mod options;
mod pipeline;
mod plugins;
mod prepare;
mod probe;
mod provider;
mod ranges;
mod runtime;
mod sketch;
mod views;

pub use availability::{Missing, ProviderStatus, provider_status, provider_statuses};
pub use choice::{FAITHFUL, Measured, Measurements};
pub use engine::{Engine, EngineError, EngineNote, EngineReport, Prediction, difference, self_test_tensor};
pub use folder::Folders;
pub use heat::{HeatMap, activation_map, occlusion_map};
pub use judge::{Finder, REJECTED};
pub use options::{CellFeatures, Options, Schedule};
pub use pipeline::{PipelineError, PipelineEvent, PipelineMonitor, Summary, run};
pub use plugins::{Plugin, try_plugin};
pub use prepare::{
    OwnSquares, PreparedImage, ReadImage, Skip, decode_file, prepare, prepare_cell, prepare_places, read_entry,
};
pub use probe::run_graph;
pub use provider::{Provider, ProviderError, UnknownProvider};
pub use ranges::{ValueRanges, value_ranges};
pub use runtime::{Runtime, RuntimeError, disable_telemetry, telemetry_is_off};
pub use sketch::{SKETCH, similarity, sketch};
pub use views::VIEWS;
