//! What the window knows of where the model looked. Plain values: one question at a time, the newest cell's.

use super::message::Effect;
use super::state::{State, Tile};
use crate::inference::HeatMap;
use std::path::PathBuf;
use std::sync::Arc;

/// A cell: its file and number.
pub type HeatKey = (PathBuf, u32);

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
        Self { shown: false, opacity: 0.6, map: None, asked: None, failed: None }
    }
}

impl State {
    /// The cell of a tile, as heat maps are known by.
    #[must_use]
    pub fn heat_key(&self, tile: Tile) -> Option<HeatKey> {
        Some((self.images.get(tile.image)?.path.clone(), self.cell_of(tile)?.number))
    }

    /// The heat map of a tile, where it is there.
    #[must_use]
    pub fn heat_of(&self, tile: Tile) -> Option<&Arc<HeatMap>> {
        let key = self.heat_key(tile)?;
        self.heat.map.as_ref().filter(|(of, _)| *of == key).map(|(_, map)| map)
    }

    /// Asks for the heat map of the chosen cell, unless it is there, or another is being made.
    pub(super) fn want_heat(&mut self) -> Option<Effect> {
        if !self.heat.shown || self.heat.asked.is_some() {
            return None;
        }
        let tile = self.selected.and_then(|s| self.tiles.get(s)).copied()?;
        let key = self.heat_key(tile)?;
        let known = self.heat.map.as_ref().is_some_and(|(of, _)| *of == key);
        let failed = self.heat.failed.as_ref().is_some_and(|(of, _)| *of == key);
        if known || failed {
            return None;
        }
        self.heat.asked = Some(key.clone());
        Some(Effect::Explain(self.generation, key))
    }
}
