//! Names of images, cells and slides that stay the same as long as something is open: given once, never reused, never a position in a
//! list. Positions belong to whoever draws or sorts, and are never kept.

/// An image, by the file that it came from. Given once per file; a file that changed on the disk keeps its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageId(pub u32);

/// A cell of an image, or the image itself where it has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CellId {
    pub image: ImageId,
    /// The cell's number in the image, as in the table of `classify`: from 1, from [`super::ADDED`] for squares that were drawn.
    /// 0 stands for the image itself, where it holds no cell.
    pub number: u32,
}

impl CellId {
    /// An image that holds no cell.
    pub fn whole(image: ImageId) -> Self {
        Self { image, number: 0 }
    }

    /// Whether it is a cell, and not an image without one.
    pub fn is_cell(self) -> bool {
        self.number > 0
    }
}

/// A slide: the folder that its images lie in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlideId(pub u32);
