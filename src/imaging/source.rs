//! From an image to what a model sees of it: which squares, and each of them cut. The one way for classifying, training and evaluating;
//! nothing is read from the disk here.

use super::find::{Finding, FoundCell, Scene, find_cells, white_near};
use super::square::{cut_square, square_of, whole, whole_part};
use crate::domain::{ADDED, Preprocessing, Square};
use image::RgbImage;

/// Which cells of an image are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cells {
    /// The most evident one.
    #[default]
    One,
    /// Every white cell of the field.
    All,
    /// One where the image is of one cell, all where it is a field: what the window does.
    ByScene,
}

impl Cells {
    /// The word in a session.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::One => "One",
            Self::All => "All",
            Self::ByScene => "ByScene",
        }
    }
}

/// An image in which the cells were looked for, as a model wants them.
pub struct CellSource<'a> {
    image: &'a RgbImage,
    preprocessing: &'a Preprocessing,
    /// Nothing is looked for where the model sees whole images.
    finding: Option<Finding>,
}

impl<'a> CellSource<'a> {
    /// Looks for the cells of an upright image.
    pub fn new(image: &'a RgbImage, preprocessing: &'a Preprocessing) -> Self {
        let finding = match preprocessing {
            Preprocessing::CellSquare(how) => Some(find_cells(image, how.white_percentile)),
            Preprocessing::WholeImage(_) => None,
        };
        Self { image, preprocessing, finding }
    }

    /// Numbers and squares of the cells, most evident first; for a model of whole images the one part that it sees. `given` is where a
    /// dataset says that the cell is; `own` are squares that the user moved (of a number that is found) or added (from [`ADDED`] on).
    pub fn squares(&self, cells: Cells, given: Option<Square>, own: &[(u32, Square)]) -> Vec<(u32, Square)> {
        let (finding, how) = match (&self.finding, self.preprocessing) {
            (Some(finding), Preprocessing::CellSquare(how)) => (finding, how),
            (_, Preprocessing::WholeImage(how)) => return vec![(1, whole_part(self.image, *how))],
            (None, Preprocessing::CellSquare(_)) => return Vec::new(),
        };
        if let Some(square) = given {
            return vec![(1, square)];
        }
        let found = (1..).zip(chosen(finding, cells)).map(|(number, cell)| {
            let moved = own.iter().find(|(n, _)| *n == number).map(|(_, square)| *square);
            (number, moved.unwrap_or_else(|| square_of(cell, how)))
        });
        found.chain(own.iter().filter(|(n, _)| *n >= ADDED).copied()).collect()
    }

    /// What the model sees of a square, `side` pixels a side.
    pub fn cut(&self, square: Square, side: usize) -> RgbImage {
        match self.preprocessing {
            Preprocessing::WholeImage(how) => whole(self.image, *how, side),
            Preprocessing::CellSquare(how) => {
                let near = |f| white_near(self.image, f, square, how.white_percentile);
                let white = self.finding.as_ref().map_or([how.white; 3], near);
                cut_square(self.image, square, white, how, side)
            }
        }
    }

    /// The one cell that an image stands for, as the model sees it; `None` where nothing looks like a white cell.
    pub fn cut_one(&self, given: Option<Square>, side: usize) -> Option<RgbImage> {
        self.squares(Cells::One, given, &[]).first().map(|(_, square)| self.cut(*square, side))
    }

    /// Whether the cell leaves hardly any background to balance its colours by: the white level is then a guess.
    pub fn lacks_background(&self) -> bool {
        let shorter = f64::from(self.image.width().min(self.image.height()));
        self.finding.as_ref().is_some_and(|f| {
            f.scene == Scene::SingleCell && f.cells.first().is_some_and(|c| c.extent > FILLS * shorter)
        })
    }
}

/// A nucleus that takes more than this share of the shorter side fills the image.
const FILLS: f64 = 0.8;

fn chosen(finding: &Finding, cells: Cells) -> Vec<&FoundCell> {
    let all = match cells {
        Cells::One => false,
        Cells::All => true,
        Cells::ByScene => finding.scene == Scene::Field,
    };
    if all { finding.field_cells().collect() } else { finding.cells.iter().take(1).collect() }
}
