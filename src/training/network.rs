//! Forward and backward of a whole network for a few images at a time, on one thread.
//!
//! Activations are rows of channels (NHWC). The gradient of every kind of layer is checked against finite
//! differences in the tests of `engine`. Nothing here decides what to train or how; nothing here starts a thread.

use super::kernels::{self, Grid};
use crate::model::{LayerKind, Network};

/// A network laid out for one input size, from layer `first` on; what lies before it stays as it is.
#[derive(Debug, Clone)]
pub struct Net {
    network: Network,
    /// Side of each layer's input.
    sides: Vec<usize>,
    /// Where each layer's weights begin.
    offsets: Vec<usize>,
    /// Where the head begins.
    head: usize,
}

/// Room for the activations of up to `images` images; made once a thread.
#[derive(Debug)]
pub struct Workspace {
    activations: Vec<Vec<f32>>,
    patches: Vec<f32>,
    taps: Vec<Vec<f32>>,
    tap_gradient: Vec<f32>,
    zeros: Vec<f32>,
    near: Vec<f32>,
    far: Vec<f32>,
    skip: Vec<f32>,
    pooled: Vec<f32>,
    dropped: Vec<f32>,
    hidden: Vec<f32>,
    logits: Vec<f32>,
}

impl Workspace {
    /// `[n, classes]` of the last forward pass.
    pub fn logits(&self) -> &[f32] {
        &self.logits
    }
}

impl Net {
    /// Lays a network out for images of `side` pixels.
    pub fn new(network: &Network, side: usize) -> Self {
        let mut sides = vec![side];
        let mut offsets = Vec::new();
        let mut at = 0;
        for (i, layer) in network.layers.iter().enumerate() {
            sides.push(layer.out_side(sides[i]));
            offsets.push(at);
            at += layer.weights() + layer.outputs;
        }
        Self { network: network.clone(), sides, offsets, head: at }
    }

    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Pixels a side of the images.
    pub fn side(&self) -> usize {
        self.sides[0]
    }

    /// Numbers that one image has at the input of layer `first` (`layers.len()` is the pooled features).
    pub fn input_len(&self, first: usize) -> usize {
        match self.network.layers.get(first) {
            Some(layer) => self.sides[first] * self.sides[first] * layer.inputs,
            None => self.network.features(),
        }
    }

    /// Pixels a side at the input of layer `first`, which must be a convolution.
    pub fn input_side(&self, first: usize) -> usize {
        self.sides[first]
    }

    /// Where the numbers of layer `first` begin (`layers.len()` is the head).
    pub fn offset(&self, first: usize) -> usize {
        self.offsets.get(first).copied().unwrap_or(self.head)
    }

    /// Which numbers from layer `first` on are weights that may decay (`true`) and which are biases (`false`).
    pub fn decays(&self, first: usize) -> Vec<bool> {
        let mut decays = Vec::new();
        for layer in self.network.layers.iter().skip(first) {
            decays.extend(std::iter::repeat_n(true, layer.weights()));
            decays.extend(std::iter::repeat_n(false, layer.outputs));
        }
        for (i, n) in self.network.head_lens().into_iter().enumerate() {
            decays.extend(std::iter::repeat_n(i % 2 == 0, n));
        }
        decays
    }

    /// Numbers that one image has at most at an end of a layer from `first` on.
    fn largest(&self, first: usize) -> usize {
        (first..self.network.layers.len()).map(|i| self.output_len(i)).max().unwrap_or(0).max(self.input_len(first))
    }

    /// Numbers that a workspace holds, nearly.
    pub fn workspace_len(&self, first: usize, images: usize) -> usize {
        let activations: usize = (first..self.network.layers.len()).map(|i| self.output_len(i)).sum();
        images * (activations + 3 * self.largest(first))
    }

    /// Room for `images` images from layer `first` on.
    pub fn workspace(&self, first: usize, images: usize) -> Workspace {
        let n = &self.network;
        let len = |i: usize| if i < first { 0 } else { images * self.output_len(i) };
        let widest = n.layers.iter().map(|l| l.outputs).max().unwrap_or(0);
        let largest = images * self.largest(first);
        let skipped = (0..n.layers.len()).filter(|&i| n.layers[i].skip.is_some()).map(len).max().unwrap_or(0);
        let stem = if first == 0 { images * self.sides[1] * self.sides[1] * 27 } else { 0 };
        Workspace {
            activations: (0..n.layers.len()).map(|i| vec![0.0; len(i)]).collect(),
            patches: vec![0.0; stem],
            taps: n
                .layers
                .iter()
                .map(|l| vec![0.0; if l.kind == LayerKind::Depthwise { 9 * l.outputs } else { 0 }])
                .collect(),
            tap_gradient: vec![0.0; 9 * widest],
            zeros: vec![0.0; widest],
            near: vec![0.0; largest],
            far: vec![0.0; largest],
            skip: vec![0.0; skipped],
            pooled: vec![0.0; images * n.features()],
            dropped: vec![0.0; images * n.features()],
            hidden: vec![0.0; images * n.hidden],
            logits: vec![0.0; images * n.classes],
        }
    }

    fn layer_weights<'a>(&self, values: &'a [f32], i: usize) -> (&'a [f32], &'a [f32]) {
        let layer = &self.network.layers[i];
        let w = &values[self.offsets[i]..];
        (&w[..layer.weights()], &w[layer.weights()..][..layer.outputs])
    }

    /// Shape of the 3 × 3 convolution of layer `i`.
    fn grid(&self, i: usize) -> Grid {
        let layer = &self.network.layers[i];
        Grid { side: self.sides[i], out: self.sides[i + 1], stride: layer.stride, before: layer.before }
    }

    /// Numbers that one image has at the output of layer `i`.
    fn output_len(&self, i: usize) -> usize {
        self.sides[i + 1] * self.sides[i + 1] * self.network.layers[i].outputs
    }

    /// Layers `first..last` of `n` images; `input` is `[n, input_len(first)]`. The activations stay in the workspace;
    /// returned is the last one's, `[n, input_len(last)]`.
    ///
    /// # Panics
    /// When `input` or the workspace is too small, or there is no layer in the range.
    pub fn convolutions<'w>(
        &self,
        values: &[f32],
        (first, last): (usize, usize),
        input: &[f32],
        n: usize,
        w: &'w mut Workspace,
    ) -> &'w [f32] {
        for i in first..last {
            let layer = &self.network.layers[i];
            let (weights, bias) = self.layer_weights(values, i);
            let (done, rest) = w.activations.split_at_mut(i);
            let before = |j: usize| {
                if j == first { &input[..n * self.input_len(first)] } else { &done[j - 1][..n * self.input_len(j)] }
            };
            let (x, y) = (before(i), &mut rest[0][..n * self.output_len(i)]);
            match layer.kind {
                LayerKind::Stem => {
                    let rows = self.sides[i + 1] * self.sides[i + 1] * 27;
                    let patches = &mut w.patches[..n * rows];
                    for (x, p) in x.chunks_exact(self.input_len(i)).zip(patches.chunks_exact_mut(rows)) {
                        kernels::patches(x, self.grid(i), p);
                    }
                    kernels::pointwise(patches, weights, bias, layer.relu6, None, y);
                }
                LayerKind::Pointwise => {
                    kernels::pointwise(x, weights, bias, layer.relu6, layer.skip.map(|s| before(s + 1)), y);
                }
                LayerKind::Depthwise => {
                    kernels::transpose(weights, 9, &mut w.taps[i]);
                    for (x, y) in x.chunks_exact(self.input_len(i)).zip(y.chunks_exact_mut(self.output_len(i))) {
                        kernels::depthwise(x, &w.taps[i], bias, self.grid(i), layer.relu6, y);
                    }
                }
            }
        }
        &w.activations[last - 1][..n * self.output_len(last - 1)]
    }

    /// The whole forward pass from layer `first` on: `input` is `[n, input_len(first)]`; logits and pooled features
    /// are then in the workspace. `keep` multiplies the pooled features (dropout), `[n, features]`.
    pub fn forward(
        &self,
        values: &[f32],
        first: usize,
        input: &[f32],
        n: usize,
        keep: Option<&[f32]>,
        w: &mut Workspace,
    ) {
        let (count, f) = (self.network.layers.len(), self.network.features());
        if first < count {
            self.convolutions(values, (first, count), input, n, w);
            self.pool_map(n, w);
        } else {
            w.pooled[..n * f].copy_from_slice(&input[..n * f]);
        }
        w.dropped[..n * f].copy_from_slice(&w.pooled[..n * f]);
        if let Some(keep) = keep {
            w.dropped.iter_mut().zip(keep).for_each(|(v, k)| *v *= k);
        }
        let [hw, hb, ow, ob] = self.head(values);
        let hidden = &mut w.hidden[..n * hb.len()];
        kernels::pointwise(&w.dropped[..n * f], hw, hb, false, None, hidden);
        hidden.iter_mut().for_each(|v| *v = v.max(0.0));
        kernels::pointwise(hidden, ow, ob, false, None, &mut w.logits[..n * ob.len()]);
    }

    /// Pooled features of `n` images, `[n, features]`.
    pub fn pool<'w>(&self, values: &[f32], input: &[f32], n: usize, w: &'w mut Workspace) -> &'w [f32] {
        self.convolutions(values, (0, self.network.layers.len()), input, n, w);
        self.pool_map(n, w);
        &w.pooled[..n * self.network.features()]
    }

    fn pool_map(&self, n: usize, w: &mut Workspace) {
        let last = self.network.layers.len() - 1;
        let map = &w.activations[last][..n * self.output_len(last)];
        for (map, mean) in
            map.chunks_exact(self.output_len(last)).zip(w.pooled.chunks_exact_mut(self.network.features()))
        {
            kernels::mean_rows(map, mean);
        }
    }

    fn head<'a>(&self, values: &'a [f32]) -> [&'a [f32]; 4] {
        let mut rest = &values[self.head..];
        self.network.head_lens().map(|n| {
            let (piece, tail) = rest.split_at(n);
            rest = tail;
            piece
        })
    }

    /// The backward pass of the head and of the mean before it; `w.far` then holds the gradient at the output of the last layer, where that
    /// is trained.
    #[expect(clippy::too_many_arguments, reason = "as of the whole backward pass")]
    fn backward_head(
        &self,
        values: &[f32],
        first: usize,
        n: usize,
        keep: Option<&[f32]>,
        dlogits: &[f32],
        w: &mut Workspace,
        gradient: &mut [f32],
    ) {
        let (count, f) = (self.network.layers.len(), self.network.features());
        let [hw, hb, ow, _] = self.head(values);
        let [n_hw, n_hb, n_ow, _] = self.network.head_lens();
        let (dhw, rest) = gradient.split_at_mut(n_hw);
        let (dhb, rest) = rest.split_at_mut(n_hb);
        let (dow, dob) = rest.split_at_mut(n_ow);
        let h = hb.len();
        let dhidden = &mut w.far[..n * h];
        kernels::pointwise_backward(&w.hidden[..n * h], ow, dlogits, false, None, dow, dob, Some(dhidden));
        dhidden.iter_mut().zip(&w.hidden).for_each(|(d, y)| *d = if *y > 0.0 { *d } else { 0.0 });
        if first == count {
            kernels::pointwise_backward(&w.dropped[..n * f], hw, dhidden, false, None, dhw, dhb, None);
            return;
        }
        let dpooled = &mut w.near[..n * f];
        kernels::pointwise_backward(&w.dropped[..n * f], hw, dhidden, false, None, dhw, dhb, Some(dpooled));
        if let Some(keep) = keep {
            dpooled.iter_mut().zip(keep).for_each(|(d, k)| *d *= k);
        }
        // The mean spreads its gradient evenly over the pixels.
        let pixels = self.sides[count] * self.sides[count];
        let share = 1.0 / pixels as f32;
        let top = &mut w.far[..n * self.output_len(count - 1)];
        for (d, map) in dpooled.chunks_exact(f).zip(top.chunks_exact_mut(pixels * f)) {
            for row in map.chunks_exact_mut(f) {
                row.iter_mut().zip(d).for_each(|(m, d)| *m = d * share);
            }
        }
        if self.network.layers[count - 1].relu6 {
            kernels::mask_relu6(top, &w.activations[count - 1][..top.len()]);
        }
    }

    /// The backward pass of the last [`Net::forward`] with the same arguments: adds to `gradient`, which holds the
    /// numbers from [`Net::offset`]`(first)` on. `dlogits` is `[n, classes]`.
    #[expect(clippy::too_many_arguments, reason = "the arguments of the forward pass and what flows back")]
    pub fn backward(
        &self,
        values: &[f32],
        first: usize,
        input: &[f32],
        n: usize,
        keep: Option<&[f32]>,
        dlogits: &[f32],
        w: &mut Workspace,
        gradient: &mut [f32],
    ) {
        let count = self.network.layers.len();
        let (body, head_gradient) = gradient.split_at_mut(self.head - self.offset(first));
        self.backward_head(values, first, n, keep, dlogits, w, head_gradient);
        let base = self.offset(first);
        // `far` holds the gradient at the output of layer `i`, `near` takes the one at its input; then they change names.
        for i in (first..count).rev() {
            let layer = &self.network.layers[i];
            let (weights, _) = self.layer_weights(values, i);
            let g = &mut body[self.offsets[i] - base..][..layer.weights() + layer.outputs];
            let (dw, db) = g.split_at_mut(layer.weights());
            let x = if i == first {
                &input[..n * self.input_len(i)]
            } else {
                &w.activations[i - 1][..n * self.input_len(i)]
            };
            let masked = i > first && self.network.layers[i - 1].relu6;
            let dy = &w.far[..n * self.output_len(i)];
            let dx = &mut w.near[..n * self.input_len(i)];
            if layer.skip.is_some() {
                w.skip[..dy.len()].copy_from_slice(dy);
            }
            match layer.kind {
                LayerKind::Stem => {
                    let rows = n * self.sides[i + 1] * self.sides[i + 1] * 27;
                    kernels::pointwise_backward(&w.patches[..rows], weights, dy, false, None, dw, db, None);
                }
                LayerKind::Pointwise => {
                    // The block whose input was added at its end: that gradient comes back here.
                    let joins = i > 0 && self.network.layers[i..].iter().take(3).any(|l| l.skip == Some(i - 1));
                    let skip = joins.then_some(&w.skip[..]);
                    let dx = (i > first).then_some(dx);
                    kernels::pointwise_backward(x, weights, dy, masked, skip, dw, db, dx);
                }
                LayerKind::Depthwise => {
                    let c = layer.outputs;
                    let taps = &mut w.tap_gradient[..9 * c];
                    taps.fill(0.0);
                    let parts = x.chunks_exact(self.input_len(i)).zip(dy.chunks_exact(self.output_len(i)));
                    for ((x, dy), dx) in parts.zip(dx.chunks_exact_mut(self.input_len(i))) {
                        kernels::depthwise_backward(
                            x,
                            &w.taps[i],
                            dy,
                            self.grid(i),
                            masked,
                            &w.zeros[..c],
                            taps,
                            db,
                            dx,
                        );
                    }
                    for (t, row) in taps.chunks_exact(c).enumerate() {
                        row.iter().enumerate().for_each(|(c, v)| dw[c * 9 + t] += v);
                    }
                }
            }
            std::mem::swap(&mut w.near, &mut w.far);
        }
    }
}
