//! From an image to what a model sees of it: which squares, and each of them cut. The one way for classifying, training and evaluating;
//! nothing is read from the disk here.

use super::find::{Criterion, Finding, FoundCell, Scene, Search, white_near};
use super::measure::{OthersMeasure, SlideMeasure};
use super::propose::{DyeLook, further, near};
use super::square::{cut_square, square_of, whole, whole_part};
use crate::domain::{ADDED, CellPreprocessing, Preprocessing, Square};
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
    looked: Option<Looked>,
    /// What other images of the slide say, asked where this one says nothing.
    others: &'a OthersMeasure<'a>,
}

/// What was looked for in an image, and what the first look found.
struct Looked {
    /// Nothing where the image is too small to hold anything.
    search: Option<Search>,
    finding: Finding,
}

impl<'a> CellSource<'a> {
    /// Looks for the cells of an upright image.
    pub fn new(image: &'a RgbImage, preprocessing: &'a Preprocessing) -> Self {
        let looked = match preprocessing {
            Preprocessing::CellSquare(how) => {
                let search = Search::new(image, how.white_percentile);
                let finding = search.as_ref().map_or_else(Finding::nothing, |s| s.find(Criterion::Nuclear));
                Some(Looked { search, finding })
            }
            Preprocessing::WholeImage(_) => None,
        };
        Self { image, preprocessing, looked, others: &SlideMeasure::default }
    }

    /// Where the image says nothing of its dyes or the size of its red cells, `others` does.
    pub fn among(self, others: &'a OthersMeasure<'a>) -> Self {
        Self { others, ..self }
    }

    /// Numbers and squares of the cells by the first look alone, most evident first; for a model of whole images the one part that it
    /// sees. `given` is where a dataset says that the cell is; `own` are squares that the user moved (of a number that is found) or added
    /// (from [`ADDED`] on).
    pub fn squares(&self, cells: Cells, given: Option<Square>, own: &[(u32, Square)]) -> Vec<(u32, Square)> {
        if let Preprocessing::WholeImage(how) = self.preprocessing {
            return vec![(1, whole_part(self.image, *how))];
        }
        if let Some(square) = given {
            return vec![(1, square)];
        }
        let most = if self.wants_all(cells) { usize::MAX } else { 1 };
        let found = self.first_look().into_iter().take(most).map(|(number, square)| {
            let moved = own.iter().find(|(n, _)| *n == number).map(|(_, square)| *square);
            (number, moved.unwrap_or(square))
        });
        found.chain(own.iter().filter(|(n, _)| *n >= ADDED).copied()).collect()
    }

    /// Whether cells are looked for at all: a model of whole images wants none.
    pub fn looks_for_cells(&self) -> bool {
        self.looked.is_some()
    }

    /// Whether every cell of this image is meant.
    pub fn wants_all(&self, cells: Cells) -> bool {
        match cells {
            Cells::One => false,
            Cells::All => true,
            Cells::ByScene => self.looked.as_ref().is_some_and(|l| l.finding.scene == Scene::Field),
        }
    }

    /// Places by the colour that nuclei usually have, most evident first, numbered from 1. Empty for a model of whole images.
    pub fn first_look(&self) -> Vec<(u32, Square)> {
        let (Some(looked), Preprocessing::CellSquare(how)) = (&self.looked, self.preprocessing) else {
            return Vec::new();
        };
        (1..).zip(looked.finding.field_cells().map(|cell| square_of(cell, how))).collect()
    }

    /// Weaker and smaller things, and nuclei taken apart that may touch; their numbers follow those of the first look. The same for every
    /// model of one kind of square.
    pub fn near_look(&self) -> Vec<(u32, Square)> {
        self.numbered(|looked, _| (looked.finding.field_cells().count(), near(&looked.finding)))
    }

    /// What holds the dye that the image's red cells lack; `None` for a model of whole images, and where the image is too small.
    pub fn dye_look(&self) -> Option<DyeLook> {
        let Preprocessing::CellSquare(how) = self.preprocessing else { return None };
        let search = self.looked.as_ref()?.search.as_ref()?;
        DyeLook::new(&search.coarse(), how.side_factor, self.others)
    }

    /// Places by other criteria, for where the looks before were not enough; their numbers follow.
    pub fn further_look(&self) -> Vec<(u32, Square)> {
        self.numbered(|looked, search| {
            let near = near(&looked.finding);
            let more = further(search, &looked.finding, &near, self.others);
            (looked.finding.field_cells().count() + near.len(), more)
        })
    }

    /// The squares of places that follow a number of others.
    fn numbered(&self, places: impl FnOnce(&Looked, &Search) -> (usize, Vec<FoundCell>)) -> Vec<(u32, Square)> {
        let (Some(looked), Preprocessing::CellSquare(how)) = (&self.looked, self.preprocessing) else {
            return Vec::new();
        };
        let Some(search) = &looked.search else { return Vec::new() };
        let (before, cells) = places(looked, search);
        (1..).skip(before).zip(cells.iter().map(|cell| square_of(cell, how))).collect()
    }

    /// What the model sees of a square, `side` pixels a side.
    pub fn cut(&self, square: Square, side: usize) -> RgbImage {
        match self.preprocessing {
            Preprocessing::WholeImage(how) => whole(self.image, *how, side),
            Preprocessing::CellSquare(how) => self.cut_as(square, how, side),
        }
    }

    /// What a model of cell squares sees of a square, `side` pixels a side.
    pub fn cut_as(&self, square: Square, how: &CellPreprocessing, side: usize) -> RgbImage {
        let near = |l: &Looked| white_near(self.image, &l.finding, square, how.white_percentile);
        let white = self.looked.as_ref().map_or([how.white; 3], near);
        cut_square(self.image, square, white, how, side)
    }

    /// The square that is the whole image.
    pub fn whole_square(&self) -> Square {
        let (w, h) = (f64::from(self.image.width()), f64::from(self.image.height()));
        let side = w.max(h);
        #[expect(clippy::cast_possible_truncation, reason = "half of an image's side")]
        let start = |length: f64| ((length - side) / 2.0) as f32;
        #[expect(clippy::cast_possible_truncation, reason = "an image's side")]
        Square { x: start(w), y: start(h), side: side as f32 }
    }

    /// The one cell that an image stands for, as the model sees it; `None` where nothing looks like a white cell.
    pub fn cut_one(&self, given: Option<Square>, side: usize) -> Option<RgbImage> {
        self.squares(Cells::One, given, &[]).first().map(|(_, square)| self.cut(*square, side))
    }

    /// Whether the cell leaves hardly any background to balance its colours by: the white level is then a guess.
    pub fn lacks_background(&self) -> bool {
        let shorter = f64::from(self.image.width().min(self.image.height()));
        self.looked.as_ref().map(|l| &l.finding).is_some_and(|f| {
            f.scene == Scene::SingleCell && f.cells.first().is_some_and(|c| c.extent > FILLS * shorter)
        })
    }
}

/// A nucleus that takes more than this share of the shorter side fills the image.
const FILLS: f64 = 0.8;
