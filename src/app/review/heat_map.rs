//! What the window knows of where the model looked. Plain values: one question at a time, the newest cell's.

use crate::domain::{CellId, Digest};
use crate::inference::HeatMap;
use std::sync::Arc;

/// A cell as the model saw it: the content of its image, its number, and the square, pixels as bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HeatKey {
    pub cell: CellId,
    /// The bytes that were looked at.
    pub image: Digest,
    pub(super) square: [u32; 3],
}

/// The heat map of the chosen cell.
#[derive(Debug, Clone)]
pub struct HeatView {
    pub shown: bool,
    /// How much of its colour is seen, 0..=1.
    pub opacity: f32,
    /// The last one, and of which cell.
    pub map: Option<(HeatKey, Arc<HeatMap>)>,
    /// Which cell is being looked at.
    pub asked: Option<HeatKey>,
    /// The cell of which there is none, and why.
    pub failed: Option<(HeatKey, String)>,
}

impl Default for HeatView {
    fn default() -> Self {
        Self { shown: false, opacity: crate::imaging::HEAT_OPACITY, map: None, asked: None, failed: None }
    }
}
