//! From one file to the tensors of its cells: bounded read, strict decode, find, cut.
//!
//! What goes wrong is a value in words, so that a file that fails is a row and never a stopped batch.

use super::folder::Folders;
use crate::domain::{Digest, Square};
use crate::files::{Entry, MAX_IMAGE_BYTES, ReadError, named_like_image, not_an_input, read_bounded};
use crate::imaging::{self, CellSource, Cells, DecodeError, Decoded, Limits};
use crate::model::ModelCard;
use std::collections::HashMap;
use std::path::Path;

/// Squares that the user drew or moved, by image: numbers of cells, and where these are.
pub type OwnSquares = HashMap<Digest, Vec<(u32, Square)>>;

/// A file that is not an image and that nobody named: it is counted, not failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skip;

/// An image that was read, or why it could not be.
#[derive(Debug)]
pub struct ReadImage {
    pub digest: Option<Digest>,
    pub warnings: Vec<String>,
    /// The upright image, or the reason in words.
    pub image: Result<imaging::RgbImage, String>,
}

impl ReadImage {
    fn failed(digest: Option<Digest>, error: String) -> Self {
        Self { digest, warnings: Vec::new(), image: Err(error) }
    }

    /// Width and height of the upright image.
    pub fn size(&self) -> Option<(u32, u32)> {
        self.image.as_ref().ok().map(imaging::RgbImage::dimensions)
    }
}

/// An image ready for the network.
#[derive(Debug)]
pub struct PreparedImage {
    pub digest: Option<Digest>,
    /// Width and height of the upright image.
    pub size: Option<(u32, u32)>,
    /// The cells' numbers and squares, most evident first, then what the user added; one "square" is the whole image for
    /// a model that wants it.
    pub squares: Vec<(u32, Square)>,
    /// The tensors of the squares, one after the other.
    pub tensors: Vec<f32>,
    pub warnings: Vec<String>,
    /// Why there is nothing, when there is nothing.
    pub error: Option<String>,
}

/// Reads and decodes one image within the usual bounds; the digest is that of the file's bytes.
///
/// # Errors
/// Words for the user, and the digest where the file could be read.
pub fn decode_file(path: &Path) -> Result<(Decoded, Digest), (Option<Digest>, String)> {
    let snapshot = read_bounded(path, MAX_IMAGE_BYTES).map_err(|e: ReadError| (None, e.to_string()))?;
    let decoded =
        imaging::decode(&snapshot.bytes, Limits::default()).map_err(|e| (Some(snapshot.digest), e.to_string()))?;
    Ok((decoded, snapshot.digest))
}

/// Reads one entry of a listing.
///
/// # Errors
/// [`Skip`] for a file found in a folder whose content is not an image.
pub fn read_entry(entry: &Entry) -> Result<ReadImage, Skip> {
    if let Some(error) = &entry.error {
        return Ok(ReadImage::failed(None, error.clone()));
    }
    let snapshot = match read_bounded(&entry.path, MAX_IMAGE_BYTES) {
        Ok(s) => s,
        // An empty file called like an image failed; an empty marker file is nobody's image.
        Err(ReadError::Empty) if !entry.named && !named_like_image(&entry.path) => return Err(Skip),
        Err(e) => return Ok(ReadImage::failed(None, e.to_string())),
    };
    let digest = Some(snapshot.digest);
    match imaging::decode(&snapshot.bytes, Limits::default()) {
        Ok(Decoded { image, warnings }) => Ok(ReadImage { digest, warnings, image: Ok(image) }),
        Err(DecodeError::NotAnImage) if !entry.named && !named_like_image(&entry.path) => {
            not_an_input(&entry.path);
            Err(Skip)
        }
        Err(e) => Ok(ReadImage::failed(digest, e.to_string())),
    }
}

/// What a person should know of how the squares of an image were cut.
pub(super) fn warn_of_background(source: &CellSource<'_>, warnings: &mut Vec<String>) {
    if source.lacks_background() {
        warnings.push("the cell fills the image: there is hardly any background to balance its colours by".into());
    }
}

/// Prepares one entry of a listing for a model, by the first look alone: nothing is judged. Where the user moved or added squares
/// (`own`), or the listing says where the cell is, that is what the model sees.
///
/// # Errors
/// As [`read_entry`].
pub fn prepare(entry: &Entry, card: &ModelCard, cells: Cells, own: &OwnSquares) -> Result<PreparedImage, Skip> {
    prepared(entry, card, own, &Folders::new(card, false), |source, own, warnings| {
        warn_of_background(source, warnings);
        source.squares(cells, entry.square, own)
    })
}

/// Prepares the place of an image with a number, whether it was judged to be a cell or not; no square where there is none. A square that
/// the user drew, moved or took back (`own`) is that.
///
/// # Errors
/// As [`read_entry`].
pub fn prepare_cell(
    entry: &Entry,
    card: &ModelCard,
    number: u32,
    own: &OwnSquares,
    folders: &Folders,
) -> Result<PreparedImage, Skip> {
    prepared(entry, card, own, folders, |source, own, _| {
        let looks: [&dyn Fn() -> Vec<(u32, Square)>; 4] = [
            &|| own.to_vec(),
            &|| if source.looks_for_cells() { source.first_look() } else { source.squares(Cells::One, None, &[]) },
            &|| source.near_look(),
            &|| source.further_look(),
        ];
        looks.iter().find_map(|look| look().into_iter().find(|(n, _)| *n == number)).into_iter().collect()
    })
}

/// Prepares every place of an image where a white cell may be, by all looks, whatever the first one would settle.
///
/// # Errors
/// As [`read_entry`].
pub fn prepare_places(entry: &Entry, card: &ModelCard, folders: &Folders) -> Result<PreparedImage, Skip> {
    prepared(entry, card, &OwnSquares::new(), folders, |source, _, _| {
        [source.first_look(), source.near_look(), source.further_look()].concat()
    })
}

/// Reads an entry and cuts the squares that `choose` takes of it, given those that the user drew, and the warnings to add to.
fn prepared(
    entry: &Entry,
    card: &ModelCard,
    own: &OwnSquares,
    folders: &Folders,
    choose: impl FnOnce(&CellSource<'_>, &[(u32, Square)], &mut Vec<String>) -> Vec<(u32, Square)>,
) -> Result<PreparedImage, Skip> {
    let read = read_entry(entry)?;
    let (digest, size) = (read.digest, read.size());
    let mut prepared =
        PreparedImage { digest, size, squares: Vec::new(), tensors: Vec::new(), warnings: read.warnings, error: None };
    match read.image {
        Err(error) => prepared.error = Some(error),
        Ok(image) => {
            let others = || folders.others(&entry.path, image.dimensions());
            let source = CellSource::new(&image, &card.preprocessing).among(&others);
            prepared.squares = choose(&source, own_of(own, digest), &mut prepared.warnings);
            for (_, square) in &prepared.squares {
                imaging::tensor(&source.cut(*square, card.tensor.size), &card.tensor, &mut prepared.tensors);
            }
        }
    }
    Ok(prepared)
}

/// The squares that the user drew or moved in an image.
pub(super) fn own_of(own: &OwnSquares, digest: Option<Digest>) -> &[(u32, Square)] {
    digest.and_then(|d| own.get(&d)).map_or(&[][..], Vec::as_slice)
}
