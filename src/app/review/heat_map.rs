//! What the window knows of where the model looked. Plain values: one question at a time, the newest cell's.

use super::message::Effect;
use super::state::State;
use crate::domain::{CellId, Digest};
use crate::inference::HeatMap;
use std::sync::Arc;

/// A cell as the model saw it: the content of its image, its number, and the square, pixels as bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HeatKey {
    /// The cell.
    pub cell: CellId,
    /// The bytes that were looked at.
    pub image: Digest,
    square: [u32; 3],
}

/// The heat map of the chosen cell.
#[derive(Debug, Clone)]
pub struct HeatView {
    /// Whether it is shown.
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

impl State {
    /// The cell of a tile, as heat maps are known by.
    #[must_use]
    pub fn heat_key(&self, tile: CellId) -> Option<HeatKey> {
        let s = self.cell_of(tile)?.square;
        let square = [s.x, s.y, s.side].map(f32::to_bits);
        Some(HeatKey { cell: tile, image: self.images.get(tile.image)?.digest?, square })
    }

    /// The heat map of a tile, where it is there.
    #[must_use]
    pub fn heat_of(&self, tile: CellId) -> Option<&Arc<HeatMap>> {
        let key = self.heat_key(tile)?;
        self.heat.map.as_ref().filter(|(of, _)| *of == key).map(|(_, map)| map)
    }

    /// Asks for the heat map of the chosen cell, unless it is there, or another is being made.
    pub(in crate::app) fn want_heat(&mut self) -> Option<Effect> {
        if !self.heat.shown || self.heat.asked.is_some() {
            return None;
        }
        let tile = self.selected?;
        let key = self.heat_key(tile)?;
        let known = self.heat.map.as_ref().is_some_and(|(of, _)| *of == key);
        let failed = self.heat.failed.as_ref().is_some_and(|(of, _)| *of == key);
        if known || failed {
            return None;
        }
        let path = self.images.get(tile.image)?.path.clone();
        self.heat.asked = Some(key);
        Some(Effect::Explain(self.generation, key, path))
    }
}
