//! How large a network's inner values get on real images: what an 8-bit copy is scaled by. On the processor alone.

use super::engine::EngineError;
use super::runtime::Runtime;
use crate::domain::TensorSpec;
use crate::model::VettedGraph;
use crate::task::{Cancel, Progress};
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use std::collections::BTreeMap;

/// Least and largest value by the output's name.
pub type ValueRanges = BTreeMap<String, (f32, f32)>;

/// Images whose extremes make one measurement.
const TOGETHER: usize = 8;

/// Least and largest value of each output of a graph over some tensors, and of its input: means of the extremes of eight
/// images each, so that a single odd image does not coarsen all the others. `None` when cancelled.
///
/// # Errors
/// [`EngineError`]: no runtime, or the graph does not take such an input.
pub fn value_ranges(
    graph: &VettedGraph,
    input: &str,
    spec: &TensorSpec,
    tensors: &[f32],
    cancel: &Cancel,
    progress: &Progress,
) -> Result<Option<ValueRanges>, EngineError> {
    let runtime = Runtime::get()?;
    // As it stands in the file: an optimised graph no longer has all its values.
    let mut session = Session::builder(&runtime.environment)
        .map_err(|e| e.to_string())
        .and_then(|b| b.with_optimization_level(GraphOptimizationLevel::Disable).map_err(|e| e.to_string()))
        .and_then(|mut b| b.commit_from_memory(graph.bytes()).map_err(|e| e.to_string()))
        .map_err(EngineError::Load)?;
    let (side, one) = (spec.size, 3 * spec.size * spec.size);
    let shape = if spec.channels_first { [1, 3, side, side] } else { [1, side, side, 3] };
    let (mut ranges, mut all, mut seen) = (BTreeMap::new(), Vec::new(), 0);
    progress.set_total(tensors.len() / one.max(1));
    for tensor in tensors.chunks_exact(one) {
        if cancel.is_cancelled() {
            return Ok(None);
        }
        if seen > 0 && seen % TOGETHER == 0 {
            all.push(std::mem::take(&mut ranges));
        }
        seen += 1;
        widen(&mut ranges, input, tensor);
        let value =
            ort::value::Tensor::from_array((shape, tensor.to_vec())).map_err(|e| EngineError::Run(e.to_string()))?;
        let outputs = session.run(ort::inputs![input => value]).map_err(|e| EngineError::Run(e.to_string()))?;
        for (name, value) in outputs.iter() {
            // Outputs that are no float32 values are not asked for.
            if let Ok((_, values)) = value.try_extract_tensor::<f32>() {
                widen(&mut ranges, name, values);
            }
        }
        progress.step();
    }
    // A last handful that is not full weighs as much as others where it is all there is.
    if all.is_empty() || seen % TOGETHER == 0 {
        all.push(ranges);
    }
    Ok(Some(mean(&all)))
}

fn mean(all: &[ValueRanges]) -> ValueRanges {
    let mut sums = ValueRanges::new();
    for (name, (low, high)) in all.iter().flatten() {
        let sum = sums.entry(name.clone()).or_default();
        *sum = (sum.0 + low, sum.1 + high);
    }
    let n = all.len().max(1) as f32;
    sums.into_iter().map(|(name, (low, high))| (name, (low / n, high / n))).collect()
}

fn widen(ranges: &mut BTreeMap<String, (f32, f32)>, name: &str, values: &[f32]) {
    let (low, high) = values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(a, b), v| (a.min(*v), b.max(*v)));
    match ranges.get_mut(name) {
        Some(known) => *known = (known.0.min(low), known.1.max(high)),
        None => {
            ranges.insert(name.to_owned(), (low, high));
        }
    }
}
