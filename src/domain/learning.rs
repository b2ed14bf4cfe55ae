//! How a network learnt, epoch by epoch.

/// One row of `history.csv`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpochRow {
    /// From 1.
    pub epoch: usize,
    /// Mean cross-entropy over the epoch's batches, as trained (changed images, smoothed targets).
    pub train_loss: f64,
    /// Share right over the epoch's batches, as trained.
    pub train_accuracy: f64,
    /// Mean cross-entropy on the validation part, plain images.
    pub val_loss: f64,
    /// Share right on the validation part.
    pub val_accuracy: f64,
    /// Time of this epoch, seconds.
    pub seconds: f64,
}
