//! The ONNX *file*, without a runtime: a bounded scan, vetting, the card in its metadata.
//!
//! Nothing here runs a network. What passes [`vet`] is a [`VettedModel`], the only thing that reaches the runtime.

mod calibration;
mod card;
mod contract;
mod embedded;
mod evidence;
mod flags;
mod head;
mod input_view;
mod limits;
mod manifest_error;
mod network;
#[expect(clippy::all, clippy::pedantic, reason = "generated code")]
mod onnx;
mod ood;
mod quantize;
mod rewrite;
mod scan;
mod selftest;
mod sidecar;
mod third_party;
mod triton;
mod vet;

pub use calibration::{Calibration, LOGARITHMS};
pub use card::{
    MANIFEST_KEY, Manifest, ManifestHistory, ManifestInput, ManifestOutputs, ManifestPreprocessing, ModelCard,
};
pub use contract::{Answers, Draft, Question};
pub use embedded::{EMBEDDED_NAME, embedded_bytes};
pub use evidence::{ContractPart, Evidence, EvidenceLine, Source};
pub use flags::Flag;
pub use head::Head;
pub use input_view::{Crop, Normalization, UnknownView};
pub use manifest_error::ManifestError;
pub use network::{
    FEATURE_MAP, FEATURES, INPUT, LOGITS, Layer, LayerKind, Network, NetworkError, ReadNetwork, read_network,
    write_network,
};
pub use ood::{HASH_BYTES, OodDetector, TrainingRecord};
pub use quantize::{QuantizeError, quantizable, quantized, with_outputs};
pub use rewrite::{ManifestFileError, manifest_text, with_manifest};
pub use selftest::{SELF_TEST_TOLERANCE, SelfTest, self_test_image};
pub use sidecar::{SIDECARS, Sidecar};
pub use third_party::{BuiltInScaling, Facts, Family, OnnxFacts, OutputHead};
pub use triton::{TritonError, TritonModel, triton_files};
pub use vet::{MAX_MODEL_BYTES, OutputKind, VetError, VettedGraph, VettedModel, vet, vet_as, vet_graph};
