//! An 8-bit copy of a network: weights as signed bytes a channel, activations as unsigned bytes, written as QuantizeLinear and
//! DequantizeLinear around each convolution (Jacob et al., "Quantization and training of neural networks for efficient
//! integer-arithmetic-only inference", CVPR 2018; ONNX Runtime's QDQ form). Only the file is made here; ranges are measured by whoever
//! runs the network.
//!
//! The dense head stays in 32 bits: it costs nothing, and features and logits keep their meaning.

use super::network::numbers;
use super::onnx::{
    AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, TensorShapeProto, TypeProto, ValueInfoProto,
    attribute_proto::AttributeType, tensor_proto::DataType, type_proto,
};
use super::vet::VettedGraph;
use prost::Message as _;
use std::collections::{BTreeMap, BTreeSet};

/// Weights take −63…63 and not −127…127: two products of an unsigned and a signed byte then fit 16 bits, which processors without
/// VNNI add them in (ONNX Runtime's `reduce_range`). The same file is right on all of them.
const WEIGHT_MOST: f32 = 63.0;

/// Why a network has no 8-bit copy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuantizeError {
    /// Already in 8 bits.
    #[error("the model is in 8 bits already")]
    Already,
    /// Operators before the form existed.
    #[error("the model's operator set is {0}; an 8-bit copy needs 13. Export it with a newer opset")]
    Opset(i64),
    /// Nothing to gain.
    #[error("the model has no convolution with weights of its own")]
    NoConvolution,
    /// No range for a value.
    #[error("the range of \"{0}\" was not measured, or is not finite")]
    Range(String),
}

/// The values of a graph whose ranges an 8-bit copy needs, in the order in which they are made.
///
/// # Errors
/// [`QuantizeError`] where there is none.
pub fn quantizable(graph: &VettedGraph) -> Result<Vec<String>, QuantizeError> {
    let model = decode(graph)?;
    let graph = model.graph.as_ref().ok_or(QuantizeError::NoConvolution)?;
    plan(graph)
}

fn decode(graph: &VettedGraph) -> Result<ModelProto, QuantizeError> {
    let model = ModelProto::decode(graph.bytes()).map_err(|_| QuantizeError::NoConvolution)?;
    let version = model.opset_import.iter().filter(|o| matches!(o.domain(), "" | "ai.onnx")).map(|o| o.version()).max();
    match version.unwrap_or(0) {
        old if old < 13 => Err(QuantizeError::Opset(old)),
        _ => Ok(model),
    }
}

fn weights(graph: &GraphProto) -> BTreeMap<&str, &TensorProto> {
    graph.initializer.iter().filter(|t| t.data_type() == DataType::Float as i32).map(|t| (t.name(), t)).collect()
}

/// Convolutions whose weights stand in the file, by the position of their nodes.
fn convolutions(graph: &GraphProto) -> Vec<usize> {
    let weights = weights(graph);
    let own = |n: &NodeProto| {
        n.op_type() == "Conv"
            && n.input.get(1).is_some_and(|w| weights.get(w.as_str()).is_some_and(|t| t.dims.len() == 4))
            && n.input.get(2).is_none_or(|b| b.is_empty() || weights.contains_key(b.as_str()))
    };
    graph.node.iter().enumerate().filter(|(_, n)| own(n)).map(|(i, _)| i).collect()
}

fn plan(graph: &GraphProto) -> Result<Vec<String>, QuantizeError> {
    if graph.node.iter().any(|n| super::card::is_quantizing(n.op_type())) {
        return Err(QuantizeError::Already);
    }
    let convolutions = convolutions(graph);
    if convolutions.is_empty() {
        return Err(QuantizeError::NoConvolution);
    }
    let mut wanted: BTreeSet<&str> = BTreeSet::new();
    for &i in &convolutions {
        let node = &graph.node[i];
        wanted.extend(node.input.first().map(String::as_str));
        // What a ReLU after it makes, where nothing else reads what comes before: the two become one operation.
        let Some(out) = node.output.first().map(String::as_str) else { continue };
        let mut users = graph.node.iter().filter(|n| n.input.iter().any(|x| x == out));
        let bounded = match (users.next(), users.next()) {
            (Some(next), None) if matches!(next.op_type(), "Clip" | "Relu") && !is_output(graph, out) => {
                next.output.first().map(String::as_str)
            }
            _ => None,
        };
        wanted.insert(bounded.unwrap_or(out));
    }
    // Sums of such values are such values.
    for node in graph.node.iter().filter(|n| n.op_type() == "Add" && n.input.len() == 2) {
        if node.input.iter().all(|x| wanted.contains(x.as_str())) {
            wanted.extend(node.output.first().map(String::as_str));
        }
    }
    let made =
        graph.input.iter().map(|i| i.name()).chain(graph.node.iter().flat_map(|n| n.output.iter().map(String::as_str)));
    Ok(made.filter(|name| wanted.contains(name)).map(str::to_owned).collect())
}

fn is_output(graph: &GraphProto, name: &str) -> bool {
    graph.output.iter().any(|o| o.name() == name)
}

/// The graph with more of its values as outputs, to measure them by.
///
/// # Errors
/// [`QuantizeError`] where it cannot be read.
pub fn with_outputs(graph: &VettedGraph, names: &[String]) -> Result<VettedGraph, QuantizeError> {
    let mut model = decode(graph)?;
    let graph = model.graph.as_mut().ok_or(QuantizeError::NoConvolution)?;
    for name in names {
        if !is_output(graph, name) && !graph.input.iter().any(|i| i.name() == *name) {
            graph.output.push(float_value(name));
        }
    }
    Ok(VettedGraph::new(&model.encode_to_vec()))
}

/// The 8-bit copy; `ranges` are the least and largest of each of [`quantizable`]'s values. The metadata stay as they are.
///
/// # Errors
/// [`QuantizeError`].
pub fn quantized(graph: &VettedGraph, ranges: &BTreeMap<String, (f32, f32)>) -> Result<Vec<u8>, QuantizeError> {
    let mut model = decode(graph)?;
    let graph = model.graph.as_mut().ok_or(QuantizeError::NoConvolution)?;
    let wanted = plan(graph)?;
    let mut scales = BTreeMap::new();
    for name in &wanted {
        let range = ranges.get(name).filter(|(low, high)| low.is_finite() && high.is_finite());
        let (low, high) = *range.ok_or_else(|| QuantizeError::Range(name.clone()))?;
        // Zero must be a value of its own: paddings are zero.
        let (low, high) = (low.min(0.0), high.max(0.0));
        let scale = ((high - low) / 255.0).max(1e-8);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0..=255")]
        let zero = (-low / scale).round().clamp(0.0, 255.0) as u8;
        scales.insert(name.clone(), (scale, zero));
    }
    let mut made = Made::default();
    let mut gone: BTreeSet<String> = BTreeSet::new();
    let at: BTreeSet<usize> = convolutions(graph).into_iter().collect();
    let floats: BTreeMap<String, TensorProto> =
        weights(graph).into_iter().map(|(n, t)| (n.to_owned(), t.clone())).collect();
    let mut nodes = Vec::with_capacity(4 * graph.node.len());
    // Inputs have no node that makes them: their bytes are made first, under a name of their own.
    let mut renamed = BTreeMap::new();
    for input in graph.input.iter().map(|i| i.name()).filter(|n| scales.contains_key(*n)) {
        let new = format!("{input}_8bit");
        made.activation(input, &new, scales[input], &mut nodes);
        renamed.insert(input.to_owned(), new);
    }
    for (i, node) in graph.node.iter().enumerate() {
        let mut node = node.clone();
        if at.contains(&i) {
            let (scale_x, _) = scales[&node.input[0]];
            node.input[0] = renamed.get(&node.input[0]).cloned().unwrap_or_else(|| node.input[0].clone());
            gone.extend(node.input.iter().skip(1).cloned());
            let scale_w = made.weight(&floats[&node.input[1]], &mut node.input[1], &mut nodes);
            if let Some(bias) = node.input.get_mut(2).filter(|b| !b.is_empty()) {
                let scale: Vec<f32> = scale_w.iter().map(|w| w * scale_x).collect();
                made.bias(&floats[bias.as_str()], bias, &scale, &mut nodes);
            }
        }
        let bytes: Vec<(usize, String)> =
            node.output.iter().cloned().enumerate().filter(|(_, o)| scales.contains_key(o)).collect();
        for (k, name) in &bytes {
            node.output[*k] = format!("{name}_exact");
        }
        nodes.push(node);
        for (_, name) in bytes {
            made.activation(&format!("{name}_exact"), &name, scales[&name], &mut nodes);
        }
    }
    graph.node = nodes;
    // Weights that something else reads stay.
    let still: BTreeSet<&str> = graph.node.iter().flat_map(|n| n.input.iter().map(String::as_str)).collect();
    let unused = |name: &str| gone.contains(name) && !still.contains(name);
    graph.initializer.retain(|t| !unused(t.name()));
    graph.input.retain(|i| !unused(i.name()));
    graph.initializer.extend(made.tensors.into_values());
    // Shapes that were noted for the old values may not be those of the new ones.
    graph.value_info.clear();
    Ok(model.encode_to_vec())
}

/// New weights, by name.
#[derive(Default)]
struct Made {
    tensors: BTreeMap<String, TensorProto>,
}

impl Made {
    fn put(&mut self, name: &str, kind: DataType, dims: Vec<i64>, raw: Vec<u8>) {
        let tensor = TensorProto {
            name: Some(name.into()),
            dims,
            data_type: Some(kind as i32),
            raw_data: Some(raw),
            ..TensorProto::default()
        };
        self.tensors.insert(name.to_owned(), tensor);
    }

    /// Bytes of an activation, and what they stand for.
    fn activation(&mut self, from: &str, to: &str, (scale, zero): (f32, u8), nodes: &mut Vec<NodeProto>) {
        let (s, z, q) = (format!("{to}_scale"), format!("{to}_zero"), format!("{to}_bytes"));
        self.put(&s, DataType::Float, Vec::new(), scale.to_le_bytes().to_vec());
        self.put(&z, DataType::Uint8, Vec::new(), vec![zero]);
        nodes.push(node("QuantizeLinear", &[from, &s, &z], &q, None));
        nodes.push(node("DequantizeLinear", &[&q, &s, &z], to, None));
    }

    /// Bytes of weights, a scale for each output channel; returns the scales.
    fn weight(&mut self, tensor: &TensorProto, name: &mut String, nodes: &mut Vec<NodeProto>) -> Vec<f32> {
        let values = numbers(tensor);
        let channels = tensor.dims.first().and_then(|d| usize::try_from(*d).ok()).unwrap_or(1).max(1);
        let each = (values.len() / channels).max(1);
        let scales: Vec<f32> = values
            .chunks(each)
            .map(|c| (c.iter().fold(0.0f32, |m, v| m.max(v.abs())) / WEIGHT_MOST).max(1e-10))
            .collect();
        #[expect(clippy::cast_possible_truncation, reason = "within ±63")]
        let bytes: Vec<u8> = values
            .chunks(each)
            .zip(&scales)
            .flat_map(|(c, s)| {
                c.iter().map(move |v| ((v / s).round().clamp(-WEIGHT_MOST, WEIGHT_MOST) as i8).cast_unsigned())
            })
            .collect();
        let (q, s, z, out) =
            (format!("{name}_bytes"), format!("{name}_scale"), format!("{name}_zero"), format!("{name}_8bit"));
        let channels = vec![i64::try_from(scales.len()).unwrap_or(1)];
        self.put(&q, DataType::Int8, tensor.dims.clone(), bytes);
        self.put(&s, DataType::Float, channels.clone(), scales.iter().flat_map(|v| v.to_le_bytes()).collect());
        self.put(&z, DataType::Int8, channels, vec![0; scales.len()]);
        if !nodes.iter().any(|n| n.output.first() == Some(&out)) {
            nodes.push(node("DequantizeLinear", &[&q, &s, &z], &out, Some(0)));
        }
        *name = out;
        scales
    }

    /// 32-bit integers of a bias, in units of input scale times weight scale.
    fn bias(&mut self, tensor: &TensorProto, name: &mut String, scales: &[f32], nodes: &mut Vec<NodeProto>) {
        #[expect(clippy::cast_possible_truncation, reason = "saturates, far beyond any bias")]
        let ints: Vec<u8> =
            numbers(tensor).iter().zip(scales).flat_map(|(v, s)| ((v / s).round() as i32).to_le_bytes()).collect();
        let (q, s, out) = (format!("{name}_ints"), format!("{name}_scale"), format!("{name}_8bit"));
        let zero = format!("{name}_zero");
        self.put(&q, DataType::Int32, tensor.dims.clone(), ints);
        self.put(&s, DataType::Float, tensor.dims.clone(), scales.iter().flat_map(|v| v.to_le_bytes()).collect());
        self.put(&zero, DataType::Int32, tensor.dims.clone(), vec![0; 4 * scales.len()]);
        nodes.push(node("DequantizeLinear", &[&q, &s, &zero], &out, Some(0)));
        *name = out;
    }
}

fn node(op: &str, inputs: &[&str], output: &str, axis: Option<i64>) -> NodeProto {
    let axis = axis.map(|i| AttributeProto {
        name: Some("axis".into()),
        r#type: Some(AttributeType::Int as i32),
        i: Some(i),
        ..AttributeProto::default()
    });
    NodeProto {
        name: Some(format!("{output}_{op}")),
        op_type: Some(op.into()),
        input: inputs.iter().map(ToString::to_string).collect(),
        output: vec![output.into()],
        attribute: axis.into_iter().collect(),
        ..NodeProto::default()
    }
}

fn float_value(name: &str) -> ValueInfoProto {
    let tensor = type_proto::Tensor { elem_type: Some(DataType::Float as i32), shape: None::<TensorShapeProto> };
    ValueInfoProto {
        name: Some(name.into()),
        r#type: Some(TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..TypeProto::default() }),
        ..ValueInfoProto::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{embedded_bytes, vet_graph};

    #[test]
    fn the_copy_is_a_sound_graph_with_the_same_ends_and_far_fewer_bytes() {
        let graph = vet_graph(embedded_bytes()).expect("vetted");
        let wanted = quantizable(&graph).expect("convolutions");
        assert!(wanted.len() > 60 && wanted[0] == "input", "{}", wanted.len());
        let ranges = wanted.iter().map(|n| (n.clone(), (-1.0, 6.0))).collect();
        let copy = quantized(&graph, &ranges).expect("a copy");
        // What it says of itself stays as long as it was: the graph is what is made smaller.
        let said: usize =
            ModelProto::decode(embedded_bytes()).expect("decodes").metadata_props.iter().map(|p| p.value().len()).sum();
        let (small, large) = (copy.len() - said, embedded_bytes().len() - said);
        assert!(small * 5 < 2 * large, "{small} of {large}");
        let sound = vet_graph(&copy).expect("every value is made once, before it is used");
        assert_eq!(quantizable(&sound), Err(QuantizeError::Already));
        let ends = |bytes: &[u8]| {
            let graph = ModelProto::decode(bytes).expect("decodes").graph.expect("a graph");
            let names = |all: &[ValueInfoProto]| all.iter().map(|v| v.name().to_owned()).collect::<Vec<_>>();
            (names(&graph.input), names(&graph.output))
        };
        assert_eq!(ends(&copy), ends(embedded_bytes()));
        let missing = BTreeMap::new();
        assert!(matches!(quantized(&graph, &missing), Err(QuantizeError::Range(_))));
    }
}
