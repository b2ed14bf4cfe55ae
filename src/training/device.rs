//! Where training computes its gradients, when it is not the processor.

use super::engine::GradientEngine;
use super::error::DeviceError;
use super::network::Net;

/// The graphics card for layers `first..` of a network; `software` also takes one that the processor only imitates.
///
/// # Errors
/// [`DeviceError`]: why there is none, and what to do.
pub fn gpu_engine(net: &Net, first: usize, software: bool) -> Result<Box<dyn GradientEngine>, DeviceError> {
    #[cfg(feature = "gpu")]
    return Ok(Box::new(super::tensor::TensorEngine::gpu(net.clone(), first, software)?));
    #[cfg(not(feature = "gpu"))]
    {
        let _ = (net, first, software);
        Err(DeviceError::NotBuilt)
    }
}
