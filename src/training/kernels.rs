//! The arithmetic of MobileNetV2 on rows of channels (NHWC): products of matrices and 3 × 3 depthwise convolutions,
//! forward and backward, each fused with its bias and ReLU6.
//!
//! One thread, fixed order of operations: the same input gives the same bits on the same processor. Nothing here
//! allocates, and nothing here knows what a layer is. Vectors of AVX2 are used where the
//! processor has them; products are `matrixmultiply`'s.

/// Rows that one product takes at a time, so that bias and ReLU6 meet them while they are in the cache.
const BLOCK: usize = 512;
/// The upper bound of ReLU6.
const SIX: f32 = 6.0;

/// Makes `$name` from `$inner`, compiled once more for AVX2 with fused multiply-add and chosen at run time. `$inner`'s
/// parameter says whether a fused multiply-add is one instruction there (else it would be a slow call).
macro_rules! widest {
    ($(#[$doc:meta])* $see:vis $name:ident($($argument:ident: $kind:ty),*) = $inner:ident) => {
        $(#[$doc])*
        $see fn $name($($argument: $kind),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn wide($($argument: $kind),*) {
                    $inner::<true>($($argument),*);
                }
                if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
                    #[expect(unsafe_code, reason = "a function for processors that have what was just asked for")]
                    // SAFETY: both features were detected on this processor.
                    unsafe {
                        wide($($argument),*);
                    }
                    return;
                }
            }
            $inner::<{ cfg!(target_arch = "aarch64") }>($($argument),*);
        }
    };
}

widest!(finish(y: &mut [f32], b: &[f32], relu6: bool, skip: Option<&[f32]>) = finish_inner);
widest!(sum_rows(rows: &[f32], sum: &mut [f32]) = sum_rows_inner);
widest!(
    /// Sets `d` to 0 where the ReLU6 whose output is `x` was not strictly between its bounds.
    pub(super) mask_relu6(d: &mut [f32], x: &[f32]) = mask_inner
);
widest!(add(d: &mut [f32], s: &[f32]) = add_inner);
widest!(
    /// One image: `y[p, c] = ReLU6(Σₜ x[p + t, c]·w[t, c] + b[c])`; `w` is `[9, channels]`.
    pub(super) depthwise(x: &[f32], w: &[f32], b: &[f32], grid: Grid, relu6: bool, y: &mut [f32]) = depthwise_inner
);
widest!(depthwise_weights(x: &[f32], dy: &[f32], grid: Grid, c: usize, dw: &mut [f32]) = depthwise_weights_inner);
widest!(depthwise_input(x: &[f32], w: &[f32], dy: &[f32], grid: Grid, masked: bool, zeros: &[f32], dx: &mut [f32]) = depthwise_input_inner);

/// `a·b + c`, fused where that is one instruction.
#[inline(always)]
fn fma<const FUSED: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// A matrix in memory: `rows` × `columns`, strides in elements.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row: usize,
    column: usize,
}

impl<'a> Matrix<'a> {
    pub(super) fn by_rows(values: &'a [f32], rows: usize, columns: usize) -> Self {
        Self { values, rows, columns, row: columns, column: 1 }
    }

    pub(super) fn transposed(self) -> Self {
        Self { rows: self.columns, columns: self.rows, row: self.column, column: self.row, ..self }
    }
}

/// `c = a·b + keep·c`, `c` by rows.
#[expect(unsafe_code, reason = "matrixmultiply takes pointers; the sizes are checked here")]
pub(super) fn product(a: Matrix<'_>, b: Matrix<'_>, keep: f32, c: &mut [f32]) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    assert!(
        a.values.len() >= m * k && b.values.len() >= k * n && c.len() >= m * n && b.rows == k,
        "sizes of a product"
    );
    let stride = usize::cast_signed;
    // SAFETY: each operand is dense (by rows or transposed) and was found to hold rows × columns elements; `c` is
    // borrowed mutably and so overlaps neither.
    unsafe {
        matrixmultiply::sgemm(
            m,
            k,
            n,
            1.0,
            a.values.as_ptr(),
            stride(a.row),
            stride(a.column),
            b.values.as_ptr(),
            stride(b.row),
            stride(b.column),
            keep,
            c.as_mut_ptr(),
            stride(n),
            1,
        );
    }
}

/// `y[r, o] = Σ x[r, i]·w[o, i] + b[o]`, then ReLU6 where `relu6`, then `+ skip[r, o]` where there is one.
pub(super) fn pointwise(x: &[f32], w: &[f32], b: &[f32], relu6: bool, skip: Option<&[f32]>, y: &mut [f32]) {
    let n = b.len();
    let k = w.len() / n;
    let weights = Matrix::by_rows(w, n, k).transposed();
    for (i, (x, y)) in x.chunks(BLOCK * k).zip(y.chunks_mut(BLOCK * n)).enumerate() {
        product(Matrix::by_rows(x, x.len() / k, k), weights, 0.0, y);
        let skip = skip.map(|s| &s[i * BLOCK * n..][..y.len()]);
        finish(y, b, relu6, skip);
    }
}

#[inline(always)]
fn finish_inner<const FUSED: bool>(y: &mut [f32], b: &[f32], relu6: bool, skip: Option<&[f32]>) {
    let n = b.len();
    for (r, y) in y.chunks_exact_mut(n).enumerate() {
        if relu6 {
            for (y, b) in y.iter_mut().zip(b) {
                *y = (*y + b).clamp(0.0, SIX);
            }
        } else if let Some(skip) = skip {
            for ((y, b), s) in y.iter_mut().zip(b).zip(&skip[r * n..][..n]) {
                *y += b + s;
            }
        } else {
            for (y, b) in y.iter_mut().zip(b) {
                *y += b;
            }
        }
    }
}

/// Backward of [`pointwise`]: adds to `dw` and `db`, and writes `dx`, each element of it 0 where `x` (which is the
/// output of a ReLU6 when `masked`) is not strictly between 0 and 6, plus `skip` where there is one. `dy` is taken
/// after the layer's own ReLU6, that is, already masked.
#[expect(clippy::too_many_arguments, reason = "what a convolution's backward pass has")]
pub(super) fn pointwise_backward(
    x: &[f32],
    w: &[f32],
    dy: &[f32],
    masked: bool,
    skip: Option<&[f32]>,
    dw: &mut [f32],
    db: &mut [f32],
    dx: Option<&mut [f32]>,
) {
    let n = db.len();
    let k = w.len() / n;
    let rows = dy.len() / n;
    sum_rows(dy, db);
    product(Matrix::by_rows(dy, rows, n).transposed(), Matrix::by_rows(x, rows, k), 1.0, dw);
    let Some(dx) = dx else { return };
    let weights = Matrix::by_rows(w, n, k);
    let parts = dx.chunks_mut(BLOCK * k).zip(dy.chunks(BLOCK * n)).zip(x.chunks(BLOCK * k));
    for (i, ((dx, dy), x)) in parts.enumerate() {
        product(Matrix::by_rows(dy, dy.len() / n, n), weights, 0.0, dx);
        if masked {
            mask_relu6(dx, x);
        }
        if let Some(skip) = skip {
            let skip = &skip[i * BLOCK * k..][..dx.len()];
            add(dx, skip);
        }
    }
}

#[inline(always)]
fn sum_rows_inner<const FUSED: bool>(rows: &[f32], sum: &mut [f32]) {
    for row in rows.chunks_exact(sum.len()) {
        for (s, v) in sum.iter_mut().zip(row) {
            *s += v;
        }
    }
}

#[inline(always)]
fn mask_inner<const FUSED: bool>(d: &mut [f32], x: &[f32]) {
    for (d, &x) in d.iter_mut().zip(x) {
        *d = if x > 0.0 && x < SIX { *d } else { 0.0 };
    }
}

#[inline(always)]
fn add_inner<const FUSED: bool>(d: &mut [f32], s: &[f32]) {
    for (d, s) in d.iter_mut().zip(s) {
        *d += s;
    }
}

/// Shape of a 3 × 3 convolution with one padding at top and left, and what is needed at bottom and right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grid {
    /// Side of the input, pixels.
    pub(super) side: usize,
    /// Side of the output, pixels.
    pub(super) out: usize,
    /// 1 or 2.
    pub(super) stride: usize,
    /// Rows of zeros above and columns of zeros to the left.
    pub(super) before: usize,
}

impl Grid {
    /// The input's coordinate under tap `t` of output `o`, where it is inside.
    #[inline(always)]
    fn input(&self, o: usize, t: usize) -> Option<usize> {
        let at = o * self.stride + t;
        (at >= self.before && at - self.before < self.side).then(|| at - self.before)
    }

    /// The output's coordinate whose tap `t` lies over input `i`, where there is one.
    #[inline(always)]
    fn output(&self, i: usize, t: usize) -> Option<usize> {
        let at = (i + self.before).checked_sub(t)?;
        (at % self.stride == 0 && at / self.stride < self.out).then_some(at / self.stride)
    }

    /// Outputs `from..to` whose tap `t` lies inside the input.
    #[inline(always)]
    fn span(&self, t: usize) -> (usize, usize) {
        let from = self.before.saturating_sub(t).div_ceil(self.stride);
        let to = (self.side + self.before - t).div_ceil(self.stride).min(self.out);
        (from, to)
    }
}

type Taps<'a> = (usize, [&'a [f32]; 9], [&'a [f32]; 9]);

/// The pixels of `values` (a square of `side`) under those taps that `row` and `column` say lie inside, and each one's
/// weights; how many there are comes first.
#[inline(always)]
fn taps<'a>(
    (values, side): (&'a [f32], usize),
    w: &'a [f32],
    c: usize,
    row: impl Fn(usize) -> Option<usize>,
    column: impl Fn(usize) -> Option<usize>,
) -> Taps<'a> {
    let (mut n, mut pixels, mut weights) = (0, [&[][..]; 9], [&[][..]; 9]);
    for ky in 0..3 {
        let Some(y) = row(ky) else { continue };
        for kx in 0..3 {
            let Some(x) = column(kx) else { continue };
            pixels[n] = &values[(y * side + x) * c..][..c];
            weights[n] = &w[(ky * 3 + kx) * c..][..c];
            n += 1;
        }
    }
    (n, pixels, weights)
}

/// `y = b + Σ taps·weights` over the first `n` taps.
#[inline(always)]
fn sum_taps<const FUSED: bool>(y: &mut [f32], n: usize, taps: &[&[f32]; 9], weights: &[&[f32]; 9], b: &[f32]) {
    if n == 9 {
        return nine::<FUSED>(y, taps, weights, b);
    }
    y.copy_from_slice(b);
    for (x, w) in taps[..n].iter().zip(&weights[..n]) {
        for ((y, x), w) in y.iter_mut().zip(*x).zip(*w) {
            *y = fma::<FUSED>(*x, *w, *y);
        }
    }
}

#[inline(always)]
fn depthwise_inner<const FUSED: bool>(x: &[f32], w: &[f32], b: &[f32], grid: Grid, relu6: bool, y: &mut [f32]) {
    let c = b.len();
    for (oy, row) in y.chunks_exact_mut(grid.out * c).enumerate() {
        for (ox, y) in row.chunks_exact_mut(c).enumerate() {
            let (n, taps, weights) = taps((x, grid.side), w, c, |t| grid.input(oy, t), |t| grid.input(ox, t));
            sum_taps::<FUSED>(y, n, &taps, &weights, b);
            if relu6 {
                for y in y.iter_mut() {
                    *y = y.clamp(0.0, SIX);
                }
            }
        }
    }
}

/// `y = b + Σ taps·weights` in one go; nine taps.
#[inline(always)]
fn nine<const FUSED: bool>(y: &mut [f32], t: &[&[f32]; 9], w: &[&[f32]; 9], b: &[f32]) {
    let c = y.len();
    // Slices of one known length let the loop below run without a bound check.
    let t: [&[f32]; 9] = std::array::from_fn(|i| &t[i][..c]);
    let w: [&[f32]; 9] = std::array::from_fn(|i| &w[i][..c]);
    let b = &b[..c];
    for i in 0..c {
        let mut s = b[i];
        s = fma::<FUSED>(t[0][i], w[0][i], s);
        s = fma::<FUSED>(t[1][i], w[1][i], s);
        s = fma::<FUSED>(t[2][i], w[2][i], s);
        s = fma::<FUSED>(t[3][i], w[3][i], s);
        s = fma::<FUSED>(t[4][i], w[4][i], s);
        s = fma::<FUSED>(t[5][i], w[5][i], s);
        s = fma::<FUSED>(t[6][i], w[6][i], s);
        s = fma::<FUSED>(t[7][i], w[7][i], s);
        s = fma::<FUSED>(t[8][i], w[8][i], s);
        y[i] = s;
    }
}

/// One image's backward of [`depthwise`]: adds to `dw` (`[9, channels]`) and `db`; writes `dx`, 0 where `x` (which
/// is the output of a ReLU6 when `masked`) is not strictly between 0 and 6. `dy` is already masked by the layer's own.
/// `zeros` are as many zeros as there are channels.
#[expect(clippy::too_many_arguments, reason = "what a convolution's backward pass has")]
pub(super) fn depthwise_backward(
    x: &[f32],
    w: &[f32],
    dy: &[f32],
    grid: Grid,
    masked: bool,
    zeros: &[f32],
    dw: &mut [f32],
    db: &mut [f32],
    dx: &mut [f32],
) {
    sum_rows(dy, db);
    depthwise_weights(x, dy, grid, db.len(), dw);
    depthwise_input(x, w, dy, grid, masked, zeros, dx);
}

/// Channels that one pass over a row sums at a time: eight fill a vector, and a row's sums stay in registers.
const LANES: usize = 16;

#[inline(always)]
fn depthwise_weights_inner<const FUSED: bool>(x: &[f32], dy: &[f32], grid: Grid, c: usize, dw: &mut [f32]) {
    for oy in 0..grid.out {
        let dy = &dy[oy * grid.out * c..][..grid.out * c];
        for ky in 0..3 {
            let Some(iy) = grid.input(oy, ky) else { continue };
            let x = &x[iy * grid.side * c..][..grid.side * c];
            for kx in 0..3 {
                let (from, to) = grid.span(kx);
                let first = from * grid.stride + kx - grid.before;
                let dw = &mut dw[(ky * 3 + kx) * c..][..c];
                let mut at = 0;
                while at + LANES <= c {
                    let mut sum = [0f32; LANES];
                    let mut ix = first;
                    for ox in from..to {
                        let x: &[f32; LANES] = x[ix * c + at..][..LANES].try_into().unwrap_or(&[0.0; LANES]);
                        let d: &[f32; LANES] = dy[ox * c + at..][..LANES].try_into().unwrap_or(&[0.0; LANES]);
                        for l in 0..LANES {
                            sum[l] = fma::<FUSED>(x[l], d[l], sum[l]);
                        }
                        ix += grid.stride;
                    }
                    for (w, s) in dw[at..].iter_mut().zip(sum) {
                        *w += s;
                    }
                    at += LANES;
                }
                for ox in from..to {
                    let ix = first + (ox - from) * grid.stride;
                    for l in at..c {
                        dw[l] += x[ix * c + l] * dy[ox * c + l];
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn depthwise_input_inner<const FUSED: bool>(
    x: &[f32],
    w: &[f32],
    dy: &[f32],
    grid: Grid,
    masked: bool,
    zeros: &[f32],
    dx: &mut [f32],
) {
    let c = zeros.len();
    for (iy, row) in dx.chunks_exact_mut(grid.side * c).enumerate() {
        for (ix, dx) in row.chunks_exact_mut(c).enumerate() {
            let (n, taps, weights) = taps((dy, grid.out), w, c, |t| grid.output(iy, t), |t| grid.output(ix, t));
            if n == 4 {
                let ([t0, t1, t2, t3], [w0, w1, w2, w3]): ([&[f32]; 4], [&[f32]; 4]) =
                    (std::array::from_fn(|i| &taps[i][..c]), std::array::from_fn(|i| &weights[i][..c]));
                for (i, d) in dx.iter_mut().enumerate() {
                    *d = fma::<FUSED>(t0[i], w0[i], t1[i] * w1[i]) + fma::<FUSED>(t2[i], w2[i], t3[i] * w3[i]);
                }
            } else {
                sum_taps::<FUSED>(dx, n, &taps, &weights, zeros);
            }
            if masked {
                mask_inner::<FUSED>(dx, &x[(iy * grid.side + ix) * c..][..c]);
            }
        }
    }
}

/// Patches of 3 × 3 × 3 around every output pixel of one RGB image `[side, side, 3]`, as rows of 27 in the order of the
/// weights `[out, 3 (colour), 3 (y), 3 (x)]`.
pub(super) fn patches(x: &[f32], grid: Grid, rows: &mut [f32]) {
    let mut pixels = rows.chunks_exact_mut(27);
    for oy in 0..grid.out {
        for ox in 0..grid.out {
            let Some(row) = pixels.next() else { return };
            for ky in 0..3 {
                for kx in 0..3 {
                    let at = grid.input(oy, ky).zip(grid.input(ox, kx)).map(|(iy, ix)| (iy * grid.side + ix) * 3);
                    for colour in 0..3 {
                        row[colour * 9 + ky * 3 + kx] = at.map_or(0.0, |at| x[at + colour]);
                    }
                }
            }
        }
    }
}

/// The mean over `pixels` rows of `channels`, for one image.
pub(super) fn mean_rows(rows: &[f32], mean: &mut [f32]) {
    mean.fill(0.0);
    let n = rows.len() / mean.len();
    sum_rows(rows, mean);
    let n = n as f32;
    mean.iter_mut().for_each(|m| *m /= n);
}

/// `[channels, taps]` as `[taps, channels]`.
pub(super) fn transpose(weights: &[f32], taps: usize, out: &mut [f32]) {
    let channels = weights.len() / taps;
    for (c, row) in weights.chunks_exact(taps).enumerate() {
        row.iter().enumerate().for_each(|(t, v)| out[t * channels + c] = *v);
    }
}
