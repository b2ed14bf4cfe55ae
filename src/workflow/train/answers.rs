//! What a model answers to cut cells, through ONNX Runtime.

use super::outcome::TrainMonitor;
use crate::dataset::{CellCache, CutCell};
use crate::imaging;
use crate::inference::{Engine, Prediction, Provider};
use crate::model::VettedModel;
use crate::task::cores;
use crate::workflow::UserError;

/// What a model answers to some cells, through ONNX Runtime.
pub(super) fn runtime_answers(
    model: &VettedModel,
    cache: &CellCache,
    cells: &[CutCell],
    monitor: &TrainMonitor<'_>,
) -> Result<Vec<Prediction>, UserError> {
    let mut engine = Engine::load(model, Provider::Cpu, cores())?;
    let mut out = Vec::with_capacity(cells.len());
    monitor.progress.set_total(monitor.progress.total() + cells.len());
    for part in cells.chunks(16) {
        let mut tensors = Vec::new();
        for cell in part {
            let image = cache.image(*cell)?;
            imaging::tensor(&image, &model.card().tensor, &mut tensors);
            monitor.progress.step();
        }
        out.extend(engine.predict(tensors, part.len())?);
    }
    // The labels of a training are the outputs: "not a white cell" is one of them.
    for answer in &mut out {
        if let Some(all) = model.card().over_outputs(&answer.probabilities, answer.doubt) {
            answer.probabilities = all;
        }
    }
    Ok(out)
}
