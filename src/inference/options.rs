//! How a run over files is to be done: which cells, found how, on which provider, how many at a time. Runs nothing.

use super::judge::Finder;
use super::prepare::OwnSquares;
use super::provider::Provider;
use super::views::VIEWS;
use crate::imaging::Cells;
use std::sync::Arc;

/// Who does what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// A session a worker: processors.
    PerCore,
    /// One session fed with batches: GPUs.
    Batched,
}

/// What a cell's row carries of its pooled features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CellFeatures {
    #[default]
    None,
    /// A [`super::sketch()`] of them, for finding cells that look alike.
    Sketch,
    All,
}

/// How to run.
#[derive(Debug, Clone)]
pub struct Options {
    pub provider: Provider,
    /// Which cells of an image.
    pub cells: Cells,
    /// How they are found.
    pub finder: Finder,
    /// Whether the other images of an image's folder help where it says nothing of its colours and sizes.
    pub by_folder: bool,
    /// Views of a cell that the model is unsure of: 1 or [`VIEWS`]. Of a model of whole images always 1.
    pub views: usize,
    /// Cells per run at most; `None` is 4 on a processor and 32 on a GPU.
    pub batch: Option<usize>,
    /// Worker threads; `None` is one per core.
    pub workers: Option<usize>,
    /// What each cell's row carries of its pooled features.
    pub features: CellFeatures,
    /// Squares that the user drew or moved.
    pub own: Arc<OwnSquares>,
    /// Only for tests and measurements: a shape other than the provider's own.
    pub schedule: Option<Schedule>,
    /// Only for tests: the provider passes for this one, and fails after this many runs.
    pub fails_after: Option<(usize, Provider)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            provider: Provider::Auto,
            cells: Cells::One,
            finder: Finder::Judged,
            by_folder: true,
            views: VIEWS,
            batch: None,
            workers: None,
            features: CellFeatures::None,
            own: Arc::default(),
            schedule: None,
            fails_after: None,
        }
    }
}
