//! What of a folder says that its slides may be new to the program: where it finds no cell in many images, or cells of very different
//! sizes, the colours or the magnification are others than those that it has learnt. It only says so; what to do is the person's.

use crate::domain::{ImageResult, Outcome};

/// Fewer images than this say nothing about a folder.
const LEAST_IMAGES: usize = 10;
/// Fewer cells than this say nothing about sizes.
const LEAST_CELLS: usize = 20;
/// More than one image in this many without a white cell is unusual.
const ONE_IN: usize = 5;
/// The side that 9 of 10 squares do not reach is this many times that which 1 of 10 does not, at most.
const WIDEST: f32 = 4.0;

/// What is unusual about a folder.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Unusual {
    /// In `n` of `of` images no white cell was found.
    NoCells { n: usize, of: usize },
    /// Squares have sides from `from` to `to` pixels, without a tenth at either end.
    Sizes { from: f32, to: f32 },
}

/// What is known of a folder's images, as they come.
#[derive(Debug, Clone, Default)]
pub struct FolderLook {
    images: usize,
    no_cell: usize,
    sides: Vec<f32>,
}

impl FolderLook {
    /// Takes an image into account; those that failed say nothing.
    pub fn add(&mut self, result: &ImageResult) {
        let Outcome::Cells(cells) = &result.outcome else { return };
        self.images += 1;
        self.no_cell += usize::from(cells.is_empty());
        self.sides.extend(cells.iter().map(|c| c.square.side));
    }

    /// Takes the images of another look into account.
    pub fn merge(&mut self, other: &Self) {
        self.images += other.images;
        self.no_cell += other.no_cell;
        self.sides.extend(&other.sides);
    }

    /// What is unusual; the gravest alone.
    pub fn unusual(&self) -> Option<Unusual> {
        if self.images < LEAST_IMAGES {
            return None;
        }
        if self.no_cell * ONE_IN > self.images {
            return Some(Unusual::NoCells { n: self.no_cell, of: self.images });
        }
        if self.sides.len() < LEAST_CELLS {
            return None;
        }
        let mut sides = self.sides.clone();
        sides.sort_by(f32::total_cmp);
        let (from, to) = (sides[sides.len() / 10], sides[sides.len() * 9 / 10]);
        (to > WIDEST * from).then_some(Unusual::Sizes { from, to })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{CellResult, Probabilities, Square};

    fn image(sides: &[f32]) -> ImageResult {
        let cell = |side: f32| CellResult {
            number: 1,
            square: Square { x: 0.0, y: 0.0, side },
            probabilities: Probabilities::new(vec![1.0, 0.0]).expect("sums to one"),
            accepted: true,
            ood_score: None,
            features: Vec::new(),
            doubt: None,
            flags: Vec::new(),
            views: None,
        };
        ImageResult {
            index: 0,
            path: "a.png".into(),
            digest: None,
            size: None,
            outcome: Outcome::Cells(sides.iter().map(|s| cell(*s)).collect()),
            rejected: Vec::new(),
            warnings: Vec::new(),
            provider: None,
        }
    }

    fn of(images: &[&[f32]]) -> Option<Unusual> {
        let mut look = FolderLook::default();
        images.iter().for_each(|sides| look.add(&image(sides)));
        look.unusual()
    }

    #[test]
    fn many_images_without_a_cell_or_cells_of_all_sizes_are_unusual() {
        let cell: &[f32] = &[100.0];
        let mixed = |n: usize, other: &'static [f32], m: usize| [vec![cell; n], vec![other; m]].concat();
        assert_eq!(of(&mixed(40, &[], 0)), None);
        assert_eq!(of(&mixed(0, &[], 5)), None, "too few images to say anything");
        assert_eq!(of(&mixed(8, &[], 2)), None, "a fifth");
        assert_eq!(of(&mixed(7, &[], 3)), Some(Unusual::NoCells { n: 3, of: 10 }));
        assert_eq!(of(&mixed(15, &[20.0], 15)), Some(Unusual::Sizes { from: 20.0, to: 100.0 }));
    }
}
