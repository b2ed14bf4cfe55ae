//! Cells cut once: each image's digest → its square as the model sees it, as bytes, in a pack of the cache folder.
//!
//! The key is the image's content and the name of the pack says the preprocessing, so a renamed file is known and a
//! changed one is cut again. Labels are not in the cache.

use super::scan::Item;
use super::split::SplitPart;
use crate::domain::{Digest, Preprocessing, ResizeFilter, Square, WholePreprocessing};
use crate::files::{MAX_IMAGE_BYTES, Pack, digest_of, read_bounded};
use crate::imaging::{self, CellSource, DECODER_VERSION, FINDER_VERSION, Limits, RgbImage};
use crate::task::{Cancel, Progress};
use rayon::prelude::*;
use std::path::Path;

/// The note of an image without a white cell.
const NO_CELL: &str = "no-cell";
/// What is kept, in a sentence.
const CELLS: &str = "cut cells";
/// Images cut between two savings of the index.
const SAVE_EVERY: usize = 512;

/// How a model wants its images, and their size.
#[derive(Debug, Clone, PartialEq)]
pub struct InputView {
    /// The square of the cell, or the whole image.
    pub preprocessing: Preprocessing,
    /// Pixels a side.
    pub size: usize,
}

impl InputView {
    /// Bytes of a cut image: RGB, `size` × `size`.
    pub fn bytes(&self) -> usize {
        3 * self.size * self.size
    }

    /// What is outside the image: the model's white, or nothing known for whole images.
    pub fn white(&self) -> Option<f32> {
        match &self.preprocessing {
            Preprocessing::CellSquare(how) => Some(how.white),
            Preprocessing::WholeImage(_) => None,
        }
    }

    /// Names what is kept: another decoder or finder makes it anew, failures too.
    pub fn name(&self) -> String {
        let cut = match &self.preprocessing {
            Preprocessing::CellSquare(p) => format!(
                "cell-{}-side{}-white{}-pct{}{}-f{FINDER_VERSION}",
                self.size,
                p.side_factor,
                p.white,
                p.white_percentile,
                if p.balanced { "" } else { "-plain" }
            ),
            Preprocessing::WholeImage(WholePreprocessing { crop: None, filter: ResizeFilter::Area }) => {
                format!("whole-{}", self.size)
            }
            Preprocessing::WholeImage(how) => {
                let crop = how.crop.map_or(String::new(), |c| format!("-crop{c}"));
                format!("whole-{}{crop}-{}", self.size, how.filter.as_str())
            }
        };
        format!("{cut}-d{DECODER_VERSION}")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutCell {
    /// Its place in the cache.
    pub record: u32,
    /// Of its image and, where that was said, of its place in it ([`cell_digest`]).
    pub digest: Digest,
    /// Of the bytes of its file.
    pub file: Digest,
}

/// What a cell is known by: its image, or image and place where a dataset says where its cells are; several cells of one
/// image are then different things.
pub fn cell_digest(image: Digest, square: Option<Square>) -> Digest {
    square.map_or(image, |s| digest_of(format!("{image} {} {} {}", s.x, s.y, s.side).as_bytes()))
}

/// A cell to learn from.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledCell {
    /// Its image, as the dataset has it.
    pub item: Item,
    /// Where its square is in the cache.
    pub cut: CutCell,
    /// Its class in the model that is trained.
    pub class: usize,
    /// Its group; groups are never split.
    pub group: usize,
    /// Its part; `None` where the dataset cannot be split.
    pub part: Option<SplitPart>,
}

/// What became of one labelled image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CellState {
    Cell(CutCell),
    /// Nothing in it looks like a white cell.
    NoCell,
    /// Why it could not be read.
    Failed(String),
    /// It was not looked at: the work was stopped.
    Stopped,
}

impl CellState {
    pub fn cell(&self) -> Option<CutCell> {
        if let Self::Cell(cell) = self { Some(*cell) } else { None }
    }
}

/// Why what was computed of cells cannot be kept, or had. The word says what of them.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// Neither the folder nor a temporary file can be written: a full disk, most often.
    #[error(
        "the cache of {0} cannot be written: {1}. Free some space in the cache folder (or set XDG_CACHE_HOME) and start again"
    )]
    Write(&'static str, #[source] std::io::Error),
    /// It went away meanwhile.
    #[error("the cache of {0} cannot be read any more: {1}. Start again")]
    Read(&'static str, #[source] std::io::Error),
    /// A cell in it is not as large as it must be.
    #[error("the cache of cut cells is damaged")]
    Damaged,
}

/// The cache of one preprocessing.
#[derive(Debug)]
pub struct CellCache {
    pack: Pack,
    view: InputView,
}

impl CellCache {
    /// Opens the cache in the user's cache folder, or in `folder`.
    ///
    /// # Errors
    /// [`CacheError::Write`].
    pub fn open(view: InputView, folder: Option<&Path>) -> Result<Self, CacheError> {
        let pack = Pack::cached(folder, &view.name(), view.bytes()).map_err(|e| CacheError::Write(CELLS, e))?;
        Ok(Self { pack, view })
    }

    /// How its images are cut.
    pub fn view(&self) -> &InputView {
        &self.view
    }

    /// Cuts the cells of `items` that are not known yet; one state an item, in order. A panic over one file is that
    /// file's failure.
    ///
    /// # Errors
    /// [`CacheError::Write`].
    pub fn cut(&self, items: &[Item], cancel: &Cancel, progress: &Progress) -> Result<Vec<CellState>, CacheError> {
        progress.set_total(progress.total() + items.len());
        let mut states = Vec::with_capacity(items.len());
        for part in items.chunks(SAVE_EVERY) {
            let done: Vec<Result<CellState, CacheError>> = part
                .par_iter()
                .map(|item| {
                    if cancel.is_cancelled() {
                        return Ok(CellState::Stopped);
                    }
                    let state = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.one(item)))
                        .unwrap_or_else(|_| {
                            Ok(CellState::Failed("internal error on this file; please report it".into()))
                        });
                    progress.step();
                    state
                })
                .collect();
            for state in done {
                states.push(state?);
            }
            self.pack.save().map_err(|e| CacheError::Write(CELLS, e))?;
        }
        Ok(states)
    }

    fn one(&self, item: &Item) -> Result<CellState, CacheError> {
        if let Some(error) = &item.error {
            return Ok(CellState::Failed(error.clone()));
        }
        let snapshot = match read_bounded(&item.path, MAX_IMAGE_BYTES) {
            Ok(s) => s,
            Err(e) => return Ok(CellState::Failed(e.to_string())),
        };
        let digest = snapshot.digest;
        let key = cell_digest(digest, item.square);
        match self.pack.find(&key.0) {
            Some((Some(record), _)) => return Ok(CellState::Cell(CutCell { record, digest: key, file: digest })),
            Some((None, note)) if note == NO_CELL => return Ok(CellState::NoCell),
            Some((None, note)) => return Ok(CellState::Failed(note)),
            None => {}
        }
        let image = match imaging::decode(&snapshot.bytes, Limits::default()) {
            Ok(decoded) => decoded.image,
            Err(e) => {
                let why = e.to_string();
                self.pack.add_note(key.0, &why);
                return Ok(CellState::Failed(why));
            }
        };
        drop(snapshot);
        let source = CellSource::new(&image, &self.view.preprocessing);
        let Some(cut) = source.cut_one(item.square, self.view.size) else {
            self.pack.add_note(key.0, NO_CELL);
            return Ok(CellState::NoCell);
        };
        let record = self.pack.add(key.0, cut.as_raw(), "").map_err(|e| CacheError::Write(CELLS, e))?;
        Ok(CellState::Cell(CutCell { record, digest: key, file: digest }))
    }

    /// Reads a cut cell: RGB bytes, row by row.
    ///
    /// # Errors
    /// [`CacheError::Read`].
    pub fn read(&self, cell: CutCell, into: &mut Vec<u8>) -> Result<(), CacheError> {
        into.resize(self.view.bytes(), 0);
        self.pack.read(cell.record, into).map_err(|e| CacheError::Read(CELLS, e))
    }

    /// Reads a cut cell as an image.
    ///
    /// # Errors
    /// [`CacheError::Read`], [`CacheError::Damaged`].
    pub fn image(&self, cell: CutCell) -> Result<RgbImage, CacheError> {
        let mut bytes = Vec::new();
        self.read(cell, &mut bytes)?;
        #[expect(clippy::cast_possible_truncation, reason = "a model's input size")]
        let side = self.view.size as u32;
        RgbImage::from_raw(side, side, bytes).ok_or(CacheError::Damaged)
    }
}
