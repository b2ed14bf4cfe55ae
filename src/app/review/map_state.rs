//! What the window knows of the map of cells: where each lies, and for which tiles that is so. Plain values.

use crate::workflow::CellPlaces;
use std::sync::Arc;

/// Cells that are drawn at most: more cannot be told apart on a screen.
pub const DRAWN: usize = 20_000;

#[derive(Debug, Clone, Default)]
pub struct MapView {
    /// Whether it is shown in the gallery's place.
    pub shown: bool,
    /// Tiles, and where each lies.
    pub points: Option<Arc<CellPlaces>>,
    /// What the tiles were when it was asked for.
    pub of: u64,
    /// It is being made: rounds done, and all.
    pub busy: Option<(usize, usize)>,
    pub failed: Option<String>,
}

/// Whether a point lies within a closed line: a ray from it crosses an odd number of edges.
pub(super) fn inside([x, y]: [f64; 2], line: &[[f64; 2]]) -> bool {
    let edges = line.iter().zip(line.iter().cycle().skip(1));
    let crossed =
        edges.filter(|([ax, ay], [bx, by])| (*ay > y) != (*by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax);
    crossed.count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lasso_holds_what_is_within_it() {
        let square = [[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 4.0]];
        assert!(inside([1.0, 1.0], &square) && !inside([5.0, 1.0], &square) && !inside([-1.0, 4.5], &square));
        // A bay in its side.
        let bay = [[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [2.0, 1.0], [0.0, 4.0]];
        assert!(!inside([2.0, 3.0], &bay) && inside([0.5, 2.0], &bay));
        assert!(!inside([0.0, 0.0], &[]));
    }
}
