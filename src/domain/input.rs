//! What a model wants to see, as its own metadata says it. Numbers only; the pixels are `imaging`'s.

/// How a model wants its cell squares.
#[derive(Debug, Clone, PartialEq)]
pub struct CellPreprocessing {
    /// Side of the square in nucleus diameters.
    pub side_factor: f64,
    /// Where the background's brightness goes, 0..=255.
    pub white: f32,
    /// Percentile of the picture that is taken for background in a picture of one cell.
    pub white_percentile: f64,
}

/// How a model wants its numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorSpec {
    /// Pixels a side.
    pub size: usize,
    /// `true` for `[3, H, W]`, `false` for `[H, W, 3]`.
    pub channels_first: bool,
    /// `true` for blue first.
    pub bgr: bool,
    /// Subtracted from each 0..=255 value, in the order of the tensor's channels.
    pub mean: [f32; 3],
    /// Divides what is left, in the order of the tensor's channels.
    pub std: [f32; 3],
}
