//! Labelled images: what they are, their cells cut once and cached, which belong together, and how they are split.
//!
//! Nothing is silently dropped: an image that failed, that has no cell, or whose class is left out stays in the counts.

mod cells;
mod duplicates;
mod groups;
mod scan;
mod sides;
mod split;
mod table;

pub use cells::{CacheError, CellCache, CellState, CutCell, InputView, LabelledCell, cell_digest};
pub use duplicates::{NearDuplicatePair, PerceptualHash, near_duplicates, quantized_distance};
pub use groups::{Grouping, Groups, Pattern, Similarity, group};
pub use scan::{DatasetError, Item, Scanned, scan};
pub use sides::{Parted, split_together};
pub use split::{LEAST, Ratio, RatioError, Split, SplitError, SplitPart, split};
pub use table::{MAX_TABLE, Table, TableError, plain_field, table_text};
