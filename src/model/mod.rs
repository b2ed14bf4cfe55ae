//! The ONNX *file*, without a runtime: a bounded scan, vetting, the card in its metadata.
//!
//! Nothing here runs a network. What passes [`vet`] is a [`VettedModel`], the only thing that reaches the runtime.

mod card;
mod embedded;
#[expect(clippy::all, clippy::pedantic, reason = "generated code")]
mod onnx;
mod scan;
mod vet;

pub use card::{Calibration, Manifest, ModelCard, Preprocessing};
pub use embedded::{EMBEDDED_NAME, embedded_bytes};
pub use vet::{MAX_MODEL_BYTES, OutputKind, VetError, VettedModel, vet};
