//! What only the drawing of this page needs to remember between frames: zoom, columns, where the pointer was.

use crate::domain::{CellId, Square};
use crate::inference::HeatMap;
use egui::{Ui, Vec2};
use std::sync::Arc;

/// What only drawing needs to remember: zoom, columns, where the pointer was.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Zoom and pan of the image pane.
    pub(super) view: Viewport,
    /// Columns of the gallery in the last frame, for the arrow keys.
    pub(super) columns: usize,
    /// The tile under the pointer in the last frame.
    pub(super) hovered: Option<CellId>,
    /// Whether the pointer was moved since the last key: only then what is under it is meant.
    pointing: Pointing,
    /// Keys of this frame are meant for what the pointer said before them.
    pub(super) pointed: bool,
    /// Where the gallery was scrolled to in the last frame, points.
    pub(super) offset: f32,
    /// Where a rubber band began, points of the gallery's content.
    pub(super) band: Option<egui::Pos2>,
    /// A square that is being drawn, moved or sized.
    pub(super) drag: Option<SquareDrag>,
    /// The heat map as a texture, of which map and with which opacity.
    pub(super) heat: HeatTexture,
    /// A line that is being drawn around cells of the map.
    pub(super) lasso: Vec<[f64; 2]>,
}

impl Memory {
    pub(crate) fn begin_frame(&mut self, ui: &Ui) {
        self.hovered = None;
        self.pointed = self.pointing.moved;
        self.pointing.look(ui);
        self.columns = self.columns.max(1);
    }
}

/// A tile that is being dragged to a class.
pub(crate) struct DraggedTile(pub(super) CellId);

/// Which hand spoke last: a pointer that lies still labels nothing.
#[derive(Debug, Default)]
struct Pointing {
    /// Where the pointer was at the last key or scroll, points of the screen.
    rest: Option<egui::Pos2>,
    /// It was moved away from there.
    moved: bool,
}

/// A hand on a table trembles: less than this many points is not a movement.
const TREMBLE: f32 = 4.0;

impl Pointing {
    /// Looks at what came in this frame.
    fn look(&mut self, ui: &Ui) {
        let (events, now) = ui.input(|i| (i.events.clone(), i.pointer.latest_pos()));
        for event in &events {
            match event {
                egui::Event::Key { pressed: true, .. } | egui::Event::MouseWheel { .. } => {
                    (self.rest, self.moved) = (now, false);
                }
                egui::Event::PointerMoved(at) => match self.rest {
                    Some(rest) if rest.distance(*at) < TREMBLE => {}
                    _ => self.moved = true,
                },
                _ => {}
            }
        }
    }
}

/// Zoom and pan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Viewport {
    /// 1 fits the image into the pane.
    pub(super) zoom: f32,
    /// Middle of the pane from the middle of the image, in shares of the fitted image.
    pub(super) centre: Vec2,
}

impl Default for Viewport {
    fn default() -> Self {
        Self { zoom: 1.0, centre: Vec2::ZERO }
    }
}

/// The heat map as a texture, of which map and with which opacity.
#[derive(Default)]
pub(crate) struct HeatTexture(pub(super) Option<(Arc<HeatMap>, u32, egui::TextureHandle)>);

impl std::fmt::Debug for HeatTexture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HeatTexture")
    }
}

/// A square that is being changed on the screen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SquareDrag {
    /// The number of the cell in its image; none for a new one.
    pub(super) cell: Option<u32>,
    /// Whether its corner is drawn, and not the whole.
    pub(super) sizing: bool,
    /// As it is now, pixels of the image.
    pub(super) square: Square,
    /// Where the drag began, pixels of the image.
    pub(super) from: egui::Pos2,
    pub(super) was: Square,
}
