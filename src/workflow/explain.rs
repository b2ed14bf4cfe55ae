//! Where the model looked: the heat map of one cell, and an image of it.

use super::UserError;
use crate::domain::{Digest, Probabilities, Square};
use crate::files::{Entry, display_path};
use crate::imaging::Cells;
use crate::imaging::{RgbImage, encode_png, heat_overlay};
use crate::inference::{Engine, HeatMap, OwnSquares, Provider, activation_map, decode_file, occlusion_map, prepare};
use crate::model::{Head, ModelCard, VettedModel};
use crate::task::{Cancel, Progress};
use std::path::{Path, PathBuf};

/// Pixels a side of the image that is written.
const SIDE: u32 = 448;

/// Of which cell, and for which class.
#[derive(Debug, Clone)]
pub struct ExplainRequest {
    pub path: PathBuf,
    /// The cell's number, from 1; of a field all cells count.
    pub cell: u32,
    /// The class; none is the one that the model gives.
    pub class: Option<String>,
    pub provider: Provider,
    /// Squares that the user drew or moved.
    pub own: OwnSquares,
    /// The bytes that the file must have; none takes it as it is.
    pub digest: Option<Digest>,
}

/// What was found.
#[derive(Debug, Clone)]
pub struct Explained {
    /// Where the model looked in the square.
    pub map: HeatMap,
    /// The square, pixels of the upright image.
    pub square: Square,
    /// What the model says of the cell.
    pub probabilities: Probabilities,
    /// The class that the map is of.
    pub class: usize,
}

/// Explains cells of one model, one after the other, with one session.
#[derive(Debug)]
pub struct Explainer {
    engine: Engine,
    head: Option<Head>,
    card: std::sync::Arc<ModelCard>,
}

impl Explainer {
    /// Loads a model.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn new(model: &VettedModel, provider: Provider) -> Result<Self, UserError> {
        let engine = Engine::load(model, provider, 1)?;
        Ok(Self { engine, head: Head::find(model), card: model.card().clone() })
    }

    /// Explains a cell; `None` when it was cancelled.
    ///
    /// # Errors
    /// When the image or the cell is not there, or the model cannot be run.
    pub fn explain(
        &mut self,
        request: &ExplainRequest,
        cancel: &Cancel,
        progress: &Progress,
    ) -> Result<Option<Explained>, UserError> {
        let Self { engine, head, card } = self;
        let shown = display_path(&request.path);
        let class = match &request.class {
            None => None,
            Some(name) => Some(
                card.classes.labels().iter().position(|l| l.eq_ignore_ascii_case(name.trim())).ok_or_else(|| {
                    UserError::new(format!(
                        "the model does not know \"{name}\"; it knows {}",
                        card.classes.labels().join(", ")
                    ))
                })?,
            ),
        };
        let entry = Entry { path: request.path.clone(), named: true, error: None, square: None };
        let prepared = prepare(&entry, card, Cells::All, &request.own)
            .map_err(|_| UserError::new(format!("{shown} is no image that can be read")))?;
        if let Some(error) = prepared.error {
            return Err(UserError::new(format!("{shown}: {error}")));
        }
        if request.digest.is_some() && prepared.digest != request.digest {
            return Err(UserError::new(format!("{shown} was changed since it was classified; classify it again")));
        }
        let found = prepared.squares.len();
        let at = prepared.squares.iter().position(|(number, _)| *number == request.cell).ok_or_else(|| {
            UserError::new(match found {
                0 => format!("{shown}: nothing in it looks like a white cell"),
                n => format!("{shown} has no cell {}; it has {n}, counted from 1", request.cell),
            })
        })?;
        let one = 3 * card.tensor.size * card.tensor.size;
        let tensor = &prepared.tensors[at * one..][..one];
        let answers = engine.run(tensor.to_vec(), 1)?;
        let probabilities = answers.into_iter().next().ok_or_else(|| UserError::new("no answer"))?;
        let class = class.unwrap_or_else(|| probabilities.top().0);
        let exact = match head {
            Some(head) => activation_map(engine, head, tensor, class)?,
            None => None,
        };
        let map = match exact {
            Some(map) => Some(map),
            None => occlusion_map(engine, card, tensor, class, cancel, progress)?,
        };
        Ok(map.map(|map| Explained { map, square: prepared.squares[at].1, probabilities, class }))
    }
}

/// Explains a cell; `None` when it was cancelled.
///
/// # Errors
/// As [`Explainer::explain`].
pub fn explain(
    request: &ExplainRequest,
    model: &VettedModel,
    cancel: &Cancel,
    progress: &Progress,
) -> Result<Option<Explained>, UserError> {
    Explainer::new(model, request.provider)?.explain(request, cancel, progress)
}

/// The cell with its heat over it beside the cell alone, as PNG.
///
/// # Errors
/// When the image is not there any more.
pub fn explained_png(path: &Path, explained: &Explained, opacity: f32) -> Result<Vec<u8>, UserError> {
    encode_png(&explained_image(path, explained, opacity)?).map_err(UserError::from)
}

pub(super) fn explained_image(path: &Path, explained: &Explained, opacity: f32) -> Result<RgbImage, UserError> {
    let (decoded, _) = decode_file(path).map_err(|(_, e)| UserError::new(format!("{}: {e}", display_path(path))))?;
    let cell = |opacity| {
        heat_overlay(&decoded.image, explained.square, &explained.map.values, explained.map.side, SIDE, opacity)
    };
    Ok(crate::imaging::beside(&cell(0.0), &cell(opacity)))
}
