//! Where the model looked: the heat map of one cell, and an image of it.

use super::UserError;
use crate::domain::{Digest, Outcome, Probabilities, Square};
use crate::files::{Entry, display_path};
use crate::imaging::{RgbImage, encode_png, heat_overlay};
use crate::inference::{
    self, Engine, Folders, HeatMap, Options, OwnSquares, PipelineEvent, PipelineMonitor, Prediction, Provider,
    REJECTED, activation_map, decode_file, occlusion_map, prepare_cell,
};
use crate::model::{Head, ModelCard, VettedModel};
use crate::task::{Cancel, Progress};
use std::ops::ControlFlow;
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
    /// How much the model doubts that it is a white cell (its probability); `None` where it does not say.
    pub doubt: Option<f32>,
    /// The class that the map is of.
    pub class: usize,
}

impl Explained {
    /// How much the model doubts that it is a white cell, where that is enough to leave it out of a field.
    pub fn doubted(&self) -> Option<f32> {
        self.doubt.filter(|doubt| *doubt > REJECTED)
    }
}

/// Explains cells of one model, one after the other, with one session.
#[derive(Debug)]
pub struct Explainer {
    engine: Engine,
    head: Option<Head>,
    card: std::sync::Arc<ModelCard>,
    folders: Folders,
}

impl Explainer {
    /// Loads a model.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn new(model: &VettedModel, provider: Provider) -> Result<Self, UserError> {
        let engine = Engine::load(model, provider, 1)?;
        let folders = Folders::new(model.card(), true);
        Ok(Self { engine, head: Head::find(model), card: model.card().clone(), folders })
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
        let Self { engine, head, card, folders } = self;
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
        let prepared = prepare_cell(&entry, card, request.cell, &request.own, folders)
            .map_err(|_| UserError::new(format!("{shown} is no image that can be read")))?;
        if let Some(error) = prepared.error {
            return Err(UserError::new(format!("{shown}: {error}")));
        }
        if request.digest.is_some() && prepared.digest != request.digest {
            return Err(UserError::new(format!("{shown} was changed since it was classified; classify it again")));
        }
        let Some((_, square)) = prepared.squares.first() else {
            return Err(UserError::new(match request.cell {
                1 => format!("{shown}: nothing in it looks like a white cell"),
                n => format!("{shown} has no place {n}; classify --cells all gives the numbers, in the column cell"),
            }));
        };
        let tensor = &prepared.tensors[..];
        let answers = engine.predict(tensor.to_vec(), 1)?;
        let Prediction { probabilities, doubt, .. } =
            answers.into_iter().next().ok_or_else(|| UserError::new("no answer"))?;
        let class = class.unwrap_or_else(|| probabilities.top().0);
        let exact = match (head, card.output_of(class)) {
            (Some(head), Some(output)) => activation_map(engine, head, tensor, output)?,
            _ => None,
        };
        let map = match exact {
            Some(map) => Some(map),
            None => occlusion_map(engine, card, tensor, class, cancel, progress)?,
        };
        Ok(map.map(|map| Explained { map, square: *square, probabilities, doubt, class }))
    }
}

/// The number of the one cell that classifying takes of an image.
///
/// # Errors
/// When the image cannot be read or holds none, or the model cannot be run.
pub fn evident_cell(path: &Path, model: &VettedModel, provider: Provider, cancel: &Cancel) -> Result<u32, UserError> {
    let shown = display_path(path);
    let entry = Entry { path: path.to_owned(), named: true, error: None, square: None };
    let mut row = None;
    let mut on_event = |event| {
        if let PipelineEvent::Row(result) = event {
            row = Some(result);
        }
        ControlFlow::Continue(())
    };
    let options = Options { provider, ..Options::default() };
    let progress = Progress::default();
    inference::run(&[entry], model, &options, &mut PipelineMonitor::new(cancel, &progress, &mut on_event))?;
    match row.map(|r| (r.outcome, r.rejected.len())) {
        Some((Outcome::Failed(why), _)) => Err(UserError::new(format!("{shown}: {}", why.reason()))),
        Some((Outcome::Cells(cells), looked_at)) => cells.first().map(|c| c.number).ok_or_else(|| {
            UserError::new(format!(
                "{shown}: no white cell; places looked at: {looked_at}. --cell takes the number of one of them"
            ))
        }),
        None => Err(UserError::new(format!("{shown} is no image that can be read"))),
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
