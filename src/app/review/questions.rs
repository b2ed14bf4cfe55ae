//! What the page asks jobs by itself: where the model looked in the chosen cell, and the map of cells.

use super::heat_map::HeatKey;
use super::map_state::inside;
use super::message::Effect;
use super::state::State;
use crate::domain::CellId;
use crate::inference::HeatMap;
use std::collections::BTreeSet;
use std::sync::Arc;

impl State {
    /// The cell of a tile, as heat maps are known by.
    pub fn heat_key(&self, tile: CellId) -> Option<HeatKey> {
        let s = self.cell_of(tile)?.square;
        let square = [s.x, s.y, s.side].map(f32::to_bits);
        Some(HeatKey { cell: tile, image: self.images.get(tile.image)?.digest?, square })
    }

    /// The heat map of a tile, where it is there.
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

impl State {
    /// Whether the map is of other tiles than those that are open.
    pub fn map_outdated(&self) -> bool {
        self.map.points.is_some() && self.map.of != self.revision
    }

    /// Asks for a map of all cells that have features.
    pub(in crate::app) fn ask_map(&mut self) -> Vec<Effect> {
        let rows: Vec<(CellId, Vec<f32>)> = self
            .tiles
            .iter()
            .filter_map(|tile| Some((*tile, self.cell_of(*tile)?.features.clone())))
            .filter(|(_, features)| !features.is_empty())
            .collect();
        self.map.of = self.revision;
        self.map.busy = Some((0, 0));
        self.map.failed = None;
        vec![Effect::Map(self.generation, rows)]
    }

    /// Tiles of the map within a closed line.
    pub fn within(&self, line: &[[f64; 2]]) -> BTreeSet<CellId> {
        let points = self.map.points.as_ref().map_or(&[][..], |p| p);
        points.iter().filter(|(_, at)| inside(at.map(f64::from), line)).map(|(tile, _)| *tile).collect()
    }
}
