//! Gradients of a batch on the processor: the batch is cut into fixed pieces, each computed by one thread, and the pieces'
//! gradients are added in their order. So the result has the same bits whatever the number of threads.

use super::error::{DeviceError, TrainError};
use super::network::{Net, Workspace};
use rayon::prelude::*;
use std::sync::{Mutex, PoisonError};

/// Images of a piece. Four fill the matrix products of the late layers and still leave eight pieces of a batch of 32.
const PIECE: usize = 4;
/// Numbers that one task adds over all pieces.
const ADD: usize = 1 << 14;

/// Checks that a batch fits into the memory that is free; `None` free is not known and passes.
///
/// # Errors
/// The largest batch that fits.
pub fn fitting_batch(net: &Net, first: usize, batch: usize, threads: usize, free: Option<u64>) -> Result<(), usize> {
    let trained = net.network().len() - net.offset(first);
    // Gradients of each piece, inputs and their copies while mixing, a workspace a thread, and the state with a copy
    // for the checkpoint.
    let needed = |batch: usize| {
        let pieces = batch.div_ceil(PIECE);
        let numbers = pieces * trained
            + 3 * batch * net.input_len(first)
            + threads.min(pieces) * net.workspace_len(first, PIECE)
            + 14 * trained;
        4 * numbers as u64
    };
    match free {
        Some(free) if needed(batch) > free => {
            let mut fits = batch;
            while fits > 1 && needed(fits) > free {
                fits /= 2;
            }
            Err(fits.max(1))
        }
        _ => Ok(()),
    }
}

/// A batch ready to learn from.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// `[n, input_len(first)]`.
    pub inputs: Vec<f32>,
    /// Target probabilities, `[n, classes]`.
    pub targets: Vec<f32>,
    /// What multiplies the pooled features, `[n, features]`; empty without dropout.
    pub keep: Vec<f32>,
}

/// What a batch came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BatchResult {
    /// Mean cross-entropy.
    pub loss: f64,
    /// `[n, classes]`.
    pub logits: Vec<f32>,
}

/// Another device that computes what the processor would: batches' gradients and plain logits.
pub trait GradientEngine: Send {
    /// What it is, for the person.
    fn name(&self) -> &str;

    /// As [`CpuEngine::gradients`].
    ///
    /// # Errors
    /// [`DeviceError`].
    fn gradients(&mut self, values: &[f32], batch: &Batch, gradient: &mut [f32]) -> Result<BatchResult, DeviceError>;

    /// As [`CpuEngine::logits`].
    ///
    /// # Errors
    /// [`DeviceError`].
    fn logits(&self, values: &[f32], inputs: &[f32]) -> Result<Vec<f32>, DeviceError>;
}

/// Where a network is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TrainingDevice {
    /// On a graphics card where this build can and there is one, else on the processor.
    #[default]
    Auto,
    /// On the processor: the same seed gives the same bits.
    Cpu,
    /// On a graphics card, or not at all.
    Gpu,
}

/// The processor as training engine.
#[derive(Debug)]
pub struct CpuEngine {
    net: Net,
    first: usize,
    pool: rayon::ThreadPool,
    free_workspaces: Mutex<Vec<Workspace>>,
    pieces: Vec<Vec<f32>>,
}

impl CpuEngine {
    /// An engine for layers `first..` of a network; `threads` 0 is one per core.
    ///
    /// # Errors
    /// [`TrainError::Threads`].
    pub fn new(net: Net, first: usize, threads: usize) -> Result<Self, TrainError> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("train-{i}"))
            .build()
            .map_err(TrainError::Threads)?;
        Ok(Self { net, first, pool, free_workspaces: Mutex::new(Vec::new()), pieces: Vec::new() })
    }

    /// The network's layout.
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// Threads to share other work with, so that preparing and learning do not fight for cores.
    pub fn pool(&self) -> &rayon::ThreadPool {
        &self.pool
    }

    fn workspace(&self) -> Workspace {
        let free = self.free_workspaces.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.unwrap_or_else(|| self.net.workspace(self.first, PIECE))
    }

    fn return_workspace(&self, workspace: Workspace) {
        self.free_workspaces.lock().unwrap_or_else(PoisonError::into_inner).push(workspace);
    }

    /// Mean loss and logits of a batch; `gradient` is set to the mean loss' gradient by the numbers from
    /// `net.offset(first)` on.
    pub fn gradients(&mut self, values: &[f32], batch: &Batch, gradient: &mut [f32]) -> BatchResult {
        let classes = self.net.network().classes;
        let (one, f) = (self.net.input_len(self.first), self.net.network().features());
        let n = batch.targets.len() / classes;
        let count = n.div_ceil(PIECE);
        let mut pieces = std::mem::take(&mut self.pieces);
        pieces.resize_with(count.max(pieces.len()), Vec::new);
        let this = &*self;
        let results: Vec<(f64, Vec<f32>)> = self.pool.install(|| {
            pieces[..count]
                .par_iter_mut()
                .enumerate()
                .map(|(i, piece)| {
                    piece.clear();
                    piece.resize(gradient.len(), 0.0);
                    let images = PIECE.min(n - i * PIECE);
                    let inputs = &batch.inputs[i * PIECE * one..][..images * one];
                    let targets = &batch.targets[i * PIECE * classes..][..images * classes];
                    let keep = (!batch.keep.is_empty()).then(|| &batch.keep[i * PIECE * f..][..images * f]);
                    let mut workspace = this.workspace();
                    this.net.forward(values, this.first, inputs, images, keep, &mut workspace);
                    let logits = workspace.logits()[..images * classes].to_vec();
                    let (loss, dlogits) = cross_entropy(&logits, targets, classes, n);
                    this.net.backward(values, this.first, inputs, images, keep, &dlogits, &mut workspace, piece);
                    this.return_workspace(workspace);
                    (loss, logits)
                })
                .collect()
        });
        self.pool.install(|| {
            gradient.par_chunks_mut(ADD).enumerate().for_each(|(i, sum)| {
                sum.copy_from_slice(&pieces[0][i * ADD..][..sum.len()]);
                for piece in &pieces[1..count] {
                    sum.iter_mut().zip(&piece[i * ADD..]).for_each(|(s, v)| *s += v);
                }
            });
        });
        self.pieces = pieces;
        let loss = results.iter().map(|(l, _)| l).sum();
        BatchResult { loss, logits: results.into_iter().flat_map(|(_, l)| l).collect() }
    }

    /// Logits of `n` inputs of layer `first`, `[n, classes]`, without learning.
    pub fn logits(&self, values: &[f32], inputs: &[f32]) -> Vec<f32> {
        let classes = self.net.network().classes;
        self.each_piece(self.first, inputs, |x, images, workspace| {
            self.net.forward(values, self.first, x, images, None, workspace);
            workspace.logits()[..images * classes].to_vec()
        })
    }

    /// Activations before layer `first` of images (an engine for layer 0 on), `[n, input_len(first)]`; the pooled
    /// features where `first` is beyond the last layer.
    pub fn prefix(&self, values: &[f32], first: usize, inputs: &[f32]) -> Vec<f32> {
        let last = self.net.network().layers.len();
        self.each_piece(0, inputs, |x, images, workspace| {
            if first == last {
                return self.net.pool(values, x, images, workspace).to_vec();
            }
            if first == 0 {
                x.to_vec()
            } else {
                self.net.convolutions(values, (0, first), x, images, workspace).to_vec()
            }
        })
    }

    fn each_piece(
        &self,
        first: usize,
        inputs: &[f32],
        work: impl Fn(&[f32], usize, &mut Workspace) -> Vec<f32> + Sync,
    ) -> Vec<f32> {
        let one = self.net.input_len(first);
        let parts: Vec<Vec<f32>> = self.pool.install(|| {
            inputs
                .par_chunks(PIECE * one)
                .map(|x| {
                    let mut workspace = self.workspace();
                    let out = work(x, x.len() / one, &mut workspace);
                    self.return_workspace(workspace);
                    out
                })
                .collect()
        });
        parts.concat()
    }
}

/// The largest logit, each one's exponential with it subtracted, and their sum: what softmax and its logarithm are made of.
pub(super) fn shifted_exp(row: &[f32]) -> (f32, Vec<f64>, f64) {
    let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exp: Vec<f64> = row.iter().map(|v| f64::from(v - top).exp()).collect();
    let sum = exp.iter().sum();
    (top, exp, sum)
}

/// Cross-entropy of softmax(logits) against target probabilities, summed over the rows and divided by `total`, and its
/// gradient by the logits: (softmax − target) / total. Goodfellow et al., Deep Learning, 6.2.2.
fn cross_entropy(logits: &[f32], targets: &[f32], classes: usize, total: usize) -> (f64, Vec<f32>) {
    let mut gradient = Vec::with_capacity(logits.len());
    let mut loss = 0.0;
    let total = total as f64;
    for (row, target) in logits.chunks_exact(classes).zip(targets.chunks_exact(classes)) {
        let (top, exp, sum) = shifted_exp(row);
        for ((v, e), t) in row.iter().zip(&exp).zip(target) {
            let t = f64::from(*t);
            loss += t * (sum.ln() - f64::from(v - top));
            #[expect(clippy::cast_possible_truncation, reason = "a gradient needs no double")]
            gradient.push(((e / sum - t) / total) as f32);
        }
    }
    (loss / total, gradient)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Layer, LayerKind, Network};
    #[cfg(feature = "gpu")]
    use crate::training::gpu_engine;

    fn layer(kind: LayerKind, inputs: usize, outputs: usize, stride: usize, relu6: bool, skip: Option<usize>) -> Layer {
        let pad = usize::from(kind != LayerKind::Pointwise);
        let before = if stride == 2 { 0 } else { pad };
        Layer { name: format!("{inputs}-{outputs}"), kind, inputs, outputs, stride, before, after: pad, relu6, skip }
    }

    /// Every kind of layer, a stride, a skip, odd widths that fill no vector.
    fn small() -> Network {
        use LayerKind::{Depthwise, Pointwise, Stem};
        let layers = vec![
            layer(Stem, 3, 10, 2, true, None),
            layer(Depthwise, 10, 10, 1, true, None),
            layer(Pointwise, 10, 18, 1, false, None),
            layer(Pointwise, 18, 20, 1, true, None),
            layer(Depthwise, 20, 20, 1, true, None),
            layer(Pointwise, 20, 18, 1, false, Some(2)),
            layer(Pointwise, 18, 21, 1, true, None),
            layer(Depthwise, 21, 21, 2, true, None),
            layer(Pointwise, 21, 7, 1, false, None),
            layer(Pointwise, 7, 12, 1, true, None),
        ];
        Network { layers, hidden: 6, classes: 3 }
    }

    fn case(first: usize, n: usize) -> (Net, Vec<f32>, Batch) {
        let net = Net::new(&small(), 12);
        let mut random = fastrand::Rng::with_seed(5);
        let mut numbers = |n: usize, scale: f32| (0..n).map(|_| (random.f32() - 0.45) * scale).collect::<Vec<_>>();
        let values = numbers(net.network().len(), 0.9);
        let inputs = numbers(n * net.input_len(first), 2.0);
        let targets = (0..n).flat_map(|i| [[0.8, 0.1, 0.1], [0.0, 1.0, 0.0], [0.2, 0.2, 0.6]][i % 3]).collect();
        let keep = (0..n * 12).map(|i| if i % 5 == 0 { 0.0 } else { 1.25 }).collect();
        (net, values, Batch { inputs, targets, keep })
    }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        for first in [0, 3, 6, 10] {
            let (net, mut values, batch) = case(first, 6);
            let base = net.offset(first);
            let mut engine = CpuEngine::new(net, first, 2).expect("threads");
            let mut gradient = vec![0.0; values.len() - base];
            engine.gradients(&values, &batch, &mut gradient);
            let mut scratch = gradient.clone();
            let norm = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
            let (mut off, mut n) = (0.0, 0);
            for i in (0..gradient.len()).step_by(5) {
                let (v, h) = (values[base + i], 2e-3f32);
                values[base + i] = v + h;
                let up = engine.gradients(&values, &batch, &mut scratch).loss;
                values[base + i] = v - h;
                let down = engine.gradients(&values, &batch, &mut scratch).loss;
                values[base + i] = v;
                let numeric = (up - down) / (2.0 * f64::from(h));
                off += (numeric - f64::from(gradient[i])).powi(2);
                n += 1;
            }
            let relative = off.sqrt() / norm;
            assert!(n > 15 && norm > 1e-2 && relative < 0.01, "from layer {first}: {relative} of {norm}");
        }
    }

    /// Largest difference between two engines' gradients, as a share of the largest one.
    fn apart(first: usize, other: impl FnOnce(Net) -> Box<dyn GradientEngine>) -> f32 {
        let (net, values, batch) = case(first, 5);
        let mut ours = vec![0.0; values.len() - net.offset(first)];
        let mut theirs = ours.clone();
        let mut engine = CpuEngine::new(net.clone(), first, 2).expect("threads");
        let a = engine.gradients(&values, &batch, &mut ours);
        let mut other = other(net);
        let b = other.gradients(&values, &batch, &mut theirs).expect("gradients");
        assert!((a.loss - b.loss).abs() < 1e-5, "{} {}", a.loss, b.loss);
        let plain = other.logits(&values, &batch.inputs).expect("logits");
        let far = engine.logits(&values, &batch.inputs).iter().zip(&plain).fold(0f32, |m, (a, b)| m.max((a - b).abs()));
        assert!(plain.len() == 15 && far < 1e-4, "logits off by {far}");
        let largest = theirs.iter().fold(0f32, |m, v| m.max(v.abs()));
        assert!(largest > 1e-2, "{largest}");
        ours.iter().zip(&theirs).fold(0f32, |m, (a, b)| m.max((a - b).abs())) / largest
    }

    /// The second opinion: Burn's automatic differentiation on the same network, from every kind of cut.
    #[test]
    fn gradients_are_burns() {
        for first in [0, 3, 6, 10] {
            let far = apart(first, |net| Box::new(super::super::tensor::TensorEngine::reference(net, first)));
            assert!(far < 1e-5, "from layer {first}: {far}");
        }
    }

    /// Any adapter does, also the software one of Mesa; without one the reason is said.
    #[test]
    #[cfg(feature = "gpu")]
    fn gradients_of_a_graphics_card_are_the_processors() {
        let (net, ..) = case(0, 1);
        match gpu_engine(&net, 0, true) {
            Err(why) => eprintln!("skipped: {why}"),
            Ok(engine) => eprintln!("on {}", engine.name()),
        }
        if gpu_engine(&net, 0, true).is_ok() {
            for first in [0, 3, 6, 10] {
                let far = apart(first, |net| gpu_engine(&net, first, true).expect("as before"));
                assert!(far < 1e-4, "from layer {first}: {far}");
            }
        }
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let (net, values, batch) = case(0, 23);
        let of = |threads| {
            let mut engine = CpuEngine::new(net.clone(), 0, threads).expect("threads");
            let mut gradient = vec![0.0; values.len()];
            let result = engine.gradients(&values, &batch, &mut gradient);
            (result, gradient)
        };
        assert_eq!(of(1), of(3));
    }

    #[test]
    fn cross_entropy_is_pytorchs() {
        // torch.nn.functional.cross_entropy(torch.tensor([[1.,2.,.5],[0.,0.,3.]]), torch.tensor([[0.,1.,0.],[.2,.3,.5]]))
        // = 1.0296459; PyTorch 2.15.
        let (loss, gradient) = cross_entropy(&[1.0, 2.0, 0.5, 0.0, 0.0, 3.0], &[0.0, 1.0, 0.0, 0.2, 0.3, 0.5], 3, 2);
        assert!((loss - 1.029_645_9).abs() < 1e-6, "{loss}");
        assert!(gradient.iter().sum::<f32>().abs() < 1e-6);
    }
}
