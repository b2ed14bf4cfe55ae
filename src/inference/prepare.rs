//! From one file to the tensors of its cells: bounded read, strict decode, find, cut.
//!
//! What goes wrong is a value in words, so that a file that fails is a row and never a stopped batch.

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

impl PreparedImage {
    pub fn failed(digest: Option<Digest>, error: String) -> Self {
        Self { digest, size: None, squares: Vec::new(), tensors: Vec::new(), warnings: Vec::new(), error: Some(error) }
    }
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

/// Prepares one entry of a listing for a model. Where the user moved or added squares (`own`), or the listing says where
/// the cell is, that is what the model sees.
///
/// # Errors
/// [`Skip`] for a file found in a folder whose content is not an image.
pub fn prepare(entry: &Entry, card: &ModelCard, cells: Cells, own: &OwnSquares) -> Result<PreparedImage, Skip> {
    if let Some(error) = &entry.error {
        return Ok(PreparedImage::failed(None, error.clone()));
    }
    let snapshot = match read_bounded(&entry.path, MAX_IMAGE_BYTES) {
        Ok(s) => s,
        // An empty file called like an image failed; an empty marker file is nobody's image.
        Err(ReadError::Empty) if !entry.named && !named_like_image(&entry.path) => return Err(Skip),
        Err(e) => return Ok(PreparedImage::failed(None, e.to_string())),
    };
    let digest = Some(snapshot.digest);
    let Decoded { image, mut warnings } = match imaging::decode(&snapshot.bytes, Limits::default()) {
        Ok(decoded) => decoded,
        Err(DecodeError::NotAnImage) if !entry.named && !named_like_image(&entry.path) => {
            not_an_input(&entry.path);
            return Err(Skip);
        }
        Err(e) => return Ok(PreparedImage::failed(digest, e.to_string())),
    };
    drop(snapshot);
    let size = Some(image.dimensions());
    let source = CellSource::new(&image, &card.preprocessing);
    let own = digest.and_then(|d| own.get(&d)).map_or(&[][..], Vec::as_slice);
    let squares = source.squares(cells, entry.square, own);
    let mut tensors = Vec::new();
    for (_, square) in &squares {
        imaging::tensor(&source.cut(*square, card.tensor.size), &card.tensor, &mut tensors);
    }
    if source.lacks_background() {
        warnings.push("the cell fills the image: there is hardly any background to balance its colours by".into());
    }
    Ok(PreparedImage { digest, size, squares, tensors, warnings, error: None })
}
