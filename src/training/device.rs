//! Where training computes its gradients, when it is not the processor.

use super::engine::GradientEngine;
use super::network::Net;

/// The graphics card for layers `first..` of a network; `software` also takes one that the processor only imitates.
///
/// # Errors
/// Why there is none, and what to do.
pub fn gpu_engine(net: &Net, first: usize, software: bool) -> Result<Box<dyn GradientEngine>, String> {
    #[cfg(feature = "gpu")]
    return Ok(Box::new(super::tensor::TensorEngine::gpu(net.clone(), first, software)?));
    #[cfg(not(feature = "gpu"))]
    {
        let _ = (net, first, software);
        Err("this build trains on the processor only; one built with `--features gpu` can use a graphics card".into())
    }
}
