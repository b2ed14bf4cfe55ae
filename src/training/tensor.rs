//! The same gradients by a tensor library (Burn, automatic differentiation): on a graphics card through WebGPU, and, in
//! the tests, on the processor as a second opinion on the arithmetic of [`super::network`].
//!
//! It computes a batch's loss, logits and gradient and nothing else: the loop, the optimizer and all chance stay where
//! they are. Its results are close to the processor's, not the same bits.

use super::engine::{Batch, BatchResult, GradientEngine};
use super::error::DeviceError;
use super::network::Net;
use crate::model::LayerKind;
use burn::tensor::{Device, Tensor, TensorData, activation, module::conv2d, ops::ConvOptions};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Burn as a training engine for layers `first..` of a network.
pub(super) struct TensorEngine {
    net: Net,
    first: usize,
    device: Device,
    name: String,
}

/// A network's trained numbers on the device: weights and bias of each convolution, then of each dense layer.
struct Weights {
    convolutions: Vec<(Tensor<4>, Tensor<1>)>,
    dense: Vec<(Tensor<2>, Tensor<2>)>,
}

impl TensorEngine {
    /// On the processor; for comparison.
    #[cfg(test)]
    pub(super) fn reference(net: Net, first: usize) -> Self {
        Self { net, first, device: Device::flex(), name: "Burn on the processor".into() }
    }

    /// On the best graphics card that WebGPU finds; `software` also takes one that is only imitated by the processor.
    ///
    /// # Errors
    /// [`DeviceError::NotFound`].
    #[cfg(feature = "gpu")]
    pub(super) fn gpu(net: Net, first: usize, software: bool) -> Result<Self, DeviceError> {
        use burn::tensor::DeviceKind::{Cpu, DiscreteGpu, IntegratedGpu, VirtualGpu};
        let mut kinds = vec![DiscreteGpu(0), IntegratedGpu(0), VirtualGpu(0)];
        if software {
            kinds.push(Cpu);
        }
        let mut why = String::new();
        for kind in kinds {
            // Drivers that are half installed are known to panic rather than to answer.
            match guarded(|| Device::wgpu_options().device_kind(kind).init().map_err(|e| e.to_string())) {
                Ok(Ok(device)) => {
                    let name = device.identity().map_or_else(|| "graphics card".into(), |i| i.name);
                    return Ok(Self { net, first, device, name: format!("{name} (WebGPU)") });
                }
                Ok(Err(e)) => why = e,
                Err(e) => why = e.to_string(),
            }
        }
        Err(DeviceError::NotFound(why.trim().to_owned()))
    }

    fn load(&self, values: &[f32], device: &Device, learn: bool) -> Weights {
        let network = self.net.network();
        let mut rest = &values[self.net.offset(self.first)..];
        let mut take = |len: usize| {
            let (head, tail) = rest.split_at(len);
            rest = tail;
            head.to_vec()
        };
        let convolutions = network.layers[self.first..]
            .iter()
            .map(|layer| {
                let (group, kernel) = form(layer.kind, layer.inputs);
                let shape = [layer.outputs, layer.inputs / group, kernel, kernel];
                let weight = Tensor::<4>::from_data(TensorData::new(take(layer.weights()), shape), device);
                let bias = Tensor::<1>::from_data(TensorData::new(take(layer.outputs), [layer.outputs]), device);
                if learn { (weight.require_grad(), bias.require_grad()) } else { (weight, bias) }
            })
            .collect();
        let (features, hidden, classes) = (network.features(), network.hidden, network.classes);
        let dense = [(features, hidden), (hidden, classes)]
            .into_iter()
            .map(|(inputs, outputs)| {
                let weight = TensorData::new(take(inputs * outputs), [outputs, inputs]);
                let bias = TensorData::new(take(outputs), [1, outputs]);
                let (weight, bias) = (Tensor::<2>::from_data(weight, device), Tensor::<2>::from_data(bias, device));
                if learn { (weight.require_grad(), bias.require_grad()) } else { (weight, bias) }
            })
            .collect();
        Weights { convolutions, dense }
    }

    /// `[n, classes]` from inputs of layer `first`, rows of channels (NHWC).
    fn forward(&self, weights: &Weights, batch: &Batch, n: usize, device: &Device) -> Tensor<2> {
        let network = self.net.network();
        let layers = &network.layers[self.first..];
        let features = network.features();
        let pooled = if let Some(layer) = layers.first() {
            let side = self.net.input_side(self.first);
            let shape = [n, side, side, layer.inputs];
            let mut x =
                Tensor::<4>::from_data(TensorData::new(batch.inputs.clone(), shape), device).permute([0, 3, 1, 2]);
            // What comes in is the output of the layer before the first: a block's skip may begin there.
            let mut outs = vec![x.clone()];
            for (layer, (weight, bias)) in layers.iter().zip(&weights.convolutions) {
                x = padded(x, layer.before, layer.after);
                let (group, _) = form(layer.kind, layer.inputs);
                let options = ConvOptions::new([layer.stride; 2], [0, 0], [1, 1], group);
                x = conv2d(x, weight.clone(), Some(bias.clone()), options);
                if layer.relu6 {
                    x = x.clamp(0.0, 6.0);
                }
                if let Some(skip) = layer.skip {
                    x = x + outs[skip + 1 - self.first].clone();
                }
                outs.push(x.clone());
            }
            let [_, f, height, width] = x.dims();
            x.reshape([n, f, height * width]).mean_dim(2).reshape([n, f])
        } else {
            Tensor::<2>::from_data(TensorData::new(batch.inputs.clone(), [n, features]), device)
        };
        let mut x = if batch.keep.is_empty() {
            pooled
        } else {
            pooled * Tensor::<2>::from_data(TensorData::new(batch.keep.clone(), [n, features]), device)
        };
        for (i, (weight, bias)) in weights.dense.iter().enumerate() {
            if i > 0 {
                x = activation::relu(x);
            }
            x = x.matmul(weight.clone().transpose()) + bias.clone();
        }
        x
    }

    fn learn(&self, values: &[f32], batch: &Batch, gradient: &mut [f32]) -> Result<BatchResult, DeviceError> {
        let classes = self.net.network().classes;
        let n = batch.targets.len() / classes;
        let device = self.device.clone().autodiff();
        let weights = self.load(values, &device, true);
        let logits = self.forward(&weights, batch, n, &device);
        let targets = Tensor::<2>::from_data(TensorData::new(batch.targets.clone(), [n, classes]), &device);
        let loss = (activation::log_softmax(logits.clone(), 1) * targets).sum().neg() / n as f32;
        let gradients = loss.backward();
        let mut at = 0;
        let mut put = |numbers: Option<Vec<f32>>| {
            let numbers = numbers.ok_or_else(|| no_device("the tensor library returned no gradient"))?;
            let place = gradient.get_mut(at..at + numbers.len()).ok_or_else(|| no_device("too many gradients"))?;
            place.copy_from_slice(&numbers);
            at += numbers.len();
            Ok::<(), DeviceError>(())
        };
        for (weight, bias) in &weights.convolutions {
            put(weight.grad(&gradients).and_then(|g| g.into_data().try_to_vec::<f32>().ok()))?;
            put(bias.grad(&gradients).and_then(|g| g.into_data().try_to_vec::<f32>().ok()))?;
        }
        for (weight, bias) in &weights.dense {
            put(weight.grad(&gradients).and_then(|g| g.into_data().try_to_vec::<f32>().ok()))?;
            put(bias.grad(&gradients).and_then(|g| g.into_data().try_to_vec::<f32>().ok()))?;
        }
        let loss = f64::from(loss.into_scalar::<f32>());
        let logits = logits.into_data().try_to_vec::<f32>().map_err(|e| no_device(&format!("{e:?}")))?;
        Ok(BatchResult { loss, logits })
    }
}

impl GradientEngine for TensorEngine {
    fn name(&self) -> &str {
        &self.name
    }

    fn gradients(&mut self, values: &[f32], batch: &Batch, gradient: &mut [f32]) -> Result<BatchResult, DeviceError> {
        guarded(|| self.learn(values, batch, gradient)).and_then(|r| r)
    }

    fn logits(&self, values: &[f32], inputs: &[f32]) -> Result<Vec<f32>, DeviceError> {
        let n = inputs.len() / self.net.input_len(self.first).max(1);
        guarded(|| {
            let weights = self.load(values, &self.device, false);
            let batch = Batch { inputs: inputs.to_vec(), ..Batch::default() };
            self.forward(&weights, &batch, n, &self.device)
                .into_data()
                .try_to_vec::<f32>()
                .map_err(|e| no_device(&format!("{e:?}")))
        })
        .and_then(|r| r)
    }
}

/// Groups and kernel side of a convolution.
fn form(kind: LayerKind, inputs: usize) -> (usize, usize) {
    match kind {
        LayerKind::Stem => (1, 3),
        LayerKind::Pointwise => (1, 1),
        LayerKind::Depthwise => (inputs, 3),
    }
}

/// Rows of zeros above and below, columns left and right; not always as many on both sides.
fn padded(x: Tensor<4>, before: usize, after: usize) -> Tensor<4> {
    if before == 0 && after == 0 {
        return x;
    }
    let ([n, c, height, width], device) = (x.dims(), x.device());
    let zeros = |shape: [usize; 4]| Tensor::<4>::zeros(shape, &device);
    let mut rows = vec![zeros([n, c, before, width]), x, zeros([n, c, after, width])];
    rows.retain(|t| t.dims()[2] > 0);
    let x = Tensor::cat(rows, 2);
    let height = height + before + after;
    let mut columns = vec![zeros([n, c, height, before]), x, zeros([n, c, height, after])];
    columns.retain(|t| t.dims()[3] > 0);
    Tensor::cat(columns, 3)
}

fn no_device(why: &str) -> DeviceError {
    DeviceError::Failed(why.to_owned())
}

/// The tensor library panics where a device is lost or full; that must end the training in words, not the program.
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, DeviceError> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|cause| {
        let text = cause.downcast_ref::<String>().map(String::as_str).or(cause.downcast_ref::<&str>().copied());
        no_device(text.unwrap_or("the device stopped answering"))
    })
}
