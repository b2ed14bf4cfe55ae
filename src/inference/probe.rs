//! One answer of a bare graph, for comparing another implementation with: not for classifying.

use super::engine::EngineError;
use super::runtime::Runtime;
use crate::model::VettedGraph;
use ort::session::Session;

/// Runs a graph once on the processor: `values` are `[n, 3, side, side]`; returns its output `output`, flat.
///
/// # Errors
/// [`EngineError`]: no runtime, or the graph does not take such an input.
pub fn run_graph(
    graph: &VettedGraph,
    (input, output): (&str, &str),
    (n, side): (usize, usize),
    values: Vec<f32>,
) -> Result<Vec<f32>, EngineError> {
    let runtime = Runtime::get()?;
    let mut session = Session::builder(&runtime.environment)
        .map_err(|e| e.to_string())
        .and_then(|mut b| b.commit_from_memory(graph.bytes()).map_err(|e| e.to_string()))
        .map_err(EngineError::Load)?;
    let tensor =
        ort::value::Tensor::from_array(([n, 3, side, side], values)).map_err(|e| EngineError::Run(e.to_string()))?;
    let outputs = session.run(ort::inputs![input => tensor]).map_err(|e| EngineError::Run(e.to_string()))?;
    let value = outputs.get(output).ok_or_else(|| EngineError::Output(format!("no output \"{output}\"")))?;
    let (_, values) = value.try_extract_tensor::<f32>().map_err(|e| EngineError::Output(e.to_string()))?;
    Ok(values.to_vec())
}
