//! Learning: networks of the MobileNetV2 family trained on cells, on the processor.
//!
//! [`Recipe`] says what and how, [`Trainer`] is the loop, [`CpuEngine`] the gradients, [`Net`] one network's arithmetic.
//! Nothing here prints or decides what a person is shown.

mod augment;
mod checkpoint;
mod engine;
mod features;
mod kernels;
mod network;
mod optimizer;
mod recipe;
mod trainer;

pub use augment::{Augmentation, augment};
pub use checkpoint::{Checkpoint, CheckpointError};
pub use engine::{Batch, BatchResult, CpuEngine, fitting_batch};
pub use features::{Activations, CellSource, Scaling};
pub use network::{Net, Workspace};
pub use optimizer::{Optimizer, OptimizerSettings, average};
pub use recipe::{Recipe, RecipeKind};
pub use trainer::{Go, Observer, Source, StepNews, Stop, TrainState, Trainer, logits_of};
