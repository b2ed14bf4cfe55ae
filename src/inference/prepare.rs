//! From one file to the tensors of its cells: bounded read, strict decode, find, cut.
//!
//! What goes wrong is a value in words, so that a file that fails is a row and never a stopped batch.

use crate::domain::{ADDED, Digest, Square};
use crate::files::{Entry, MAX_PICTURE_BYTES, ReadError, named_like_picture, not_an_input, read_bounded};
use crate::imaging::{self, DecodeError, Decoded, Finding, FoundCell, Limits, Scene};
use crate::model::{ModelCard, Preprocessing};
use std::collections::HashMap;
use std::path::Path;

/// Which cells of a picture are classified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cells {
    /// The most evident one.
    #[default]
    One,
    /// Every white cell of the field.
    All,
    /// One where the picture is of one cell, all where it is a field: what the window does.
    ByScene,
}

/// Squares that a person drew or moved, by image: numbers of cells, and where these are.
pub type OwnSquares = HashMap<Digest, Vec<(u32, Square)>>;

/// A file that is no picture and that nobody named: it is counted, not failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skip;

/// A picture ready for the network.
#[derive(Debug)]
pub struct Prepared {
    /// Digest of the file.
    pub digest: Option<Digest>,
    /// Width and height of the upright picture.
    pub size: Option<(u32, u32)>,
    /// The cells' numbers and squares, most evident first, then what a person added; one "square" is the whole picture for
    /// a model that wants it.
    pub squares: Vec<(u32, Square)>,
    /// The tensors of the squares, one after the other.
    pub tensors: Vec<f32>,
    /// Things to know.
    pub warnings: Vec<String>,
    /// Why there is nothing, when there is nothing.
    pub error: Option<String>,
}

impl Prepared {
    /// A file that failed.
    #[must_use]
    pub fn failed(digest: Option<Digest>, error: String) -> Self {
        Self { digest, size: None, squares: Vec::new(), tensors: Vec::new(), warnings: Vec::new(), error: Some(error) }
    }
}

/// Reads and decodes one picture within the usual bounds; the digest is that of the file's bytes.
///
/// # Errors
/// Words for a person, and the digest where the file could be read.
pub fn decode_file(path: &Path) -> Result<(Decoded, Digest), (Option<Digest>, String)> {
    let snapshot = read_bounded(path, MAX_PICTURE_BYTES).map_err(|e: ReadError| (None, e.to_string()))?;
    let decoded =
        imaging::decode(&snapshot.bytes, Limits::default()).map_err(|e| (Some(snapshot.digest), e.to_string()))?;
    Ok((decoded, snapshot.digest))
}

/// Prepares one entry of a listing for a model. Where a person moved or added squares (`own`), or the listing says where
/// the cell is, that is what the model sees.
///
/// # Errors
/// [`Skip`] for a file found in a folder whose content is no picture.
pub fn prepare(entry: &Entry, card: &ModelCard, cells: Cells, own: &OwnSquares) -> Result<Prepared, Skip> {
    if let Some(error) = &entry.error {
        return Ok(Prepared::failed(None, error.clone()));
    }
    let snapshot = match read_bounded(&entry.path, MAX_PICTURE_BYTES) {
        Ok(s) => s,
        // An empty file called like a picture failed; an empty marker file is nobody's picture.
        Err(ReadError::Empty) if !entry.named && !named_like_picture(&entry.path) => return Err(Skip),
        Err(e) => return Ok(Prepared::failed(None, e.to_string())),
    };
    let digest = Some(snapshot.digest);
    let Decoded { picture, mut warnings } = match imaging::decode(&snapshot.bytes, Limits::default()) {
        Ok(decoded) => decoded,
        Err(DecodeError::NotAPicture) if !entry.named && !named_like_picture(&entry.path) => {
            not_an_input(&entry.path);
            return Err(Skip);
        }
        Err(e) => return Ok(Prepared::failed(digest, e.to_string())),
    };
    drop(snapshot);
    let size = Some(picture.dimensions());
    let (mut squares, mut tensors) = (Vec::new(), Vec::new());
    match &card.preprocessing {
        Preprocessing::CellSquare(how) => {
            let finding = imaging::find_cells(&picture, how.white_percentile);
            let own = digest.and_then(|d| own.get(&d)).map_or(&[][..], Vec::as_slice);
            let found = (1..).zip(chosen(&finding, cells)).map(|(number, cell)| {
                let moved = own.iter().find(|(n, _)| *n == number).map(|(_, square)| *square);
                (number, moved.unwrap_or_else(|| imaging::square_of(cell, how)))
            });
            let all: Vec<(u32, Square)> = match entry.square {
                Some(square) => vec![(1, square)],
                None => found.chain(own.iter().filter(|(n, _)| *n >= ADDED).copied()).collect(),
            };
            for (number, square) in all {
                let white = imaging::white_near(&picture, &finding, square, how.white_percentile);
                imaging::tensor_of_square(&picture, square, white, how, &card.tensor, &mut tensors);
                squares.push((number, square));
            }
            if let Some(cell) = finding.cells.first()
                && finding.scene == Scene::SingleCell
                && no_background(cell, picture.dimensions())
            {
                warnings.push(
                    "the cell fills the picture: there is hardly any background to balance its colours by".into(),
                );
            }
        }
        Preprocessing::WholeImage(how) => {
            imaging::tensor_of_whole(&picture, *how, &card.tensor, &mut tensors);
            squares.push((1, imaging::whole_part(&picture, *how)));
        }
    }
    Ok(Prepared { digest, size, squares, tensors, warnings, error: None })
}

fn chosen(finding: &Finding, cells: Cells) -> Vec<&FoundCell> {
    let all = match cells {
        Cells::One => false,
        Cells::All => true,
        Cells::ByScene => finding.scene == Scene::Field,
    };
    if all { finding.field_cells().collect() } else { finding.cells.iter().take(1).collect() }
}

/// The white level is then a guess: the nucleus takes more than 0.8 of the shorter side.
fn no_background(cell: &FoundCell, (w, h): (u32, u32)) -> bool {
    cell.extent > 0.8 * f64::from(w.min(h))
}
