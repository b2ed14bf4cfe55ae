//! Learning: networks of the MobileNetV2 family trained on cells.

mod engine;
mod kernels;
mod network;

pub use engine::{Batch, BatchResult, CpuEngine};
pub use network::{Net, Workspace};
