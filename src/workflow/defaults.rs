//! What is done where the user says nothing else: the same in the window and by script. Values alone.

/// Shares of training and validation, in percent; the paper's.
pub const SPLIT: &str = "80/20";
/// Epochs at most; the paper's.
pub const EPOCHS: u16 = 15;
/// Images of a step.
pub const BATCH: u16 = 32;
/// Of everything drawn by chance.
pub const SEED: u64 = 1;
/// How many of the last blocks the recipe "blocks" trains.
pub const BLOCKS: u8 = 3;
/// The share of wrong labels that calibration promises to stay below.
pub const TARGET_RISK: f64 = 0.01;
