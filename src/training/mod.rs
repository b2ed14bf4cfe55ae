//! Learning: networks of the MobileNetV2 family trained on cells, on the processor or a graphics card.
//!
//! [`Recipe`] says what and how, [`Trainer`] is the loop, [`CpuEngine`] the gradients (a [`GradientEngine`] computes them elsewhere), [`Net`] one network's arithmetic.
//! Nothing here prints or decides what the user is shown.

mod augment;
mod checkpoint;
mod device;
mod draw;
mod engine;
mod error;
mod features;
mod flags;
mod kernels;
mod network;
mod ood;
mod optimizer;
mod recipe;
#[cfg(any(test, feature = "gpu"))]
mod tensor;
mod trainer;

pub use augment::{Augmentation, augment};
pub use checkpoint::{Checkpoint, CheckpointError};
pub use device::gpu_engine;
pub use engine::{Batch, BatchResult, CpuEngine, GradientEngine, TrainingDevice, fitting_batch};
pub use error::{DeviceError, TrainError};
pub use features::{Activations, AugmentedCells, InputScaling};
pub use flags::{FittedFlag, FlagExample, LEAST_FLAGGED, fit_flag};
pub use network::{Net, Workspace};
pub use ood::{LEAST_CELLS, fit_ood_detector, with_calibrated_threshold};
pub use optimizer::{Optimizer, OptimizerSettings, average};
pub use recipe::{Recipe, RecipeKind};
pub use trainer::{Control, Observer, StepMetrics, Stop, TensorSource, TrainState, Trainer, logits_of};
