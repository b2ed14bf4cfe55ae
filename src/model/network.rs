//! A MobileNetV2-like network read from an ONNX graph by its structure, and written back as one.
//!
//! Known are exactly the pieces of that family: 3 × 3 stem, 1 × 1 and 3 × 3 depthwise convolutions with folded batch
//! norm, ReLU6, skips, global average pool, one or two dense layers. Anything else is refused by name: a network that
//! is only nearly understood would be trained wrongly. Nothing here computes.

use super::onnx::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto, attribute_proto::AttributeType, tensor_proto::DataType,
    tensor_shape_proto, type_proto,
};
use super::vet::{VetError, VettedGraph};
use prost::Message as _;
use std::collections::{BTreeMap, HashMap};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerKind {
    /// 3 × 3 over three colours.
    Stem,
    /// 1 × 1.
    Pointwise,
    /// 3 × 3, each channel by itself.
    Depthwise,
}

/// One convolution with its bias, and what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Its name in the file; the weights are `NAME.weight` and `NAME.bias` when written.
    pub name: String,
    pub kind: LayerKind,
    pub inputs: usize,
    pub outputs: usize,
    /// 1 or 2.
    pub stride: usize,
    /// Rows of zeros above and columns of zeros to the left (0 or 1).
    pub before: usize,
    /// Rows of zeros below and columns to the right (0 or 1).
    pub after: usize,
    /// Whether ReLU6 follows.
    pub relu6: bool,
    /// The layer whose output is added to this one's.
    pub skip: Option<usize>,
}

/// The shape of a network; its numbers are apart, in one row: each layer's weights (ONNX order) and bias, then the
/// head's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// The convolutions in order.
    pub layers: Vec<Layer>,
    /// Width of the hidden dense layer (ReLU).
    pub hidden: usize,
    /// Width of the output; 0 for a backbone that has no head.
    pub classes: usize,
}

/// Why a graph is not one of this family.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NetworkError {
    #[error(transparent)]
    Vet(#[from] VetError),
    /// A piece that is not known.
    #[error("training cannot start from this model: {0}. It starts from MobileNetV2 networks with folded batch norm")]
    Structure(String),
}

fn unknown(what: impl Into<String>) -> NetworkError {
    NetworkError::Structure(what.into())
}

impl Layer {
    /// Weights without the bias.
    pub fn weights(&self) -> usize {
        match self.kind {
            LayerKind::Stem => 27 * self.outputs,
            LayerKind::Pointwise => self.inputs * self.outputs,
            LayerKind::Depthwise => 9 * self.outputs,
        }
    }

    /// Output side for an input side.
    pub fn out_side(&self, side: usize) -> usize {
        match self.kind {
            LayerKind::Pointwise => side,
            _ => (side + self.before + self.after - 3) / self.stride + 1,
        }
    }

    fn dims(&self) -> Vec<i64> {
        let (o, i) = (self.outputs.cast_signed() as i64, self.inputs.cast_signed() as i64);
        match self.kind {
            LayerKind::Stem => vec![o, 3, 3, 3],
            LayerKind::Pointwise => vec![o, i, 1, 1],
            LayerKind::Depthwise => vec![o, 1, 3, 3],
        }
    }
}

impl Network {
    /// Width of the pooled features.
    pub fn features(&self) -> usize {
        self.layers.last().map_or(0, |l| l.outputs)
    }

    /// Numbers of the convolutions alone.
    pub fn backbone_len(&self) -> usize {
        self.layers.iter().map(|l| l.weights() + l.outputs).sum()
    }

    /// Lengths of the head's four pieces: hidden weights `[hidden, features]`, hidden bias, output weights
    /// `[classes, hidden]`, output bias.
    pub fn head_lens(&self) -> [usize; 4] {
        [self.hidden * self.features(), self.hidden, self.classes * self.hidden, self.classes]
    }

    pub fn len(&self) -> usize {
        self.backbone_len() + self.head_lens().iter().sum::<usize>()
    }

    /// Never true; here because a `len` without it surprises.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Layers that begin a block: what the last K blocks are counted by. A block is an inverted residual (expansion,
    /// depthwise, projection); the stem belongs to the first one, the last 1 × 1 convolution is a block of its own.
    pub fn block_starts(&self) -> Vec<usize> {
        let mut starts = vec![0];
        for (i, layer) in self.layers.iter().enumerate() {
            // A projection is a 1 × 1 convolution without ReLU6; what follows it begins a block.
            if layer.kind == LayerKind::Pointwise && !layer.relu6 && i + 1 < self.layers.len() {
                starts.push(i + 1);
            }
        }
        starts
    }
}

/// A network, its numbers, and the names of its graph's ends.
#[derive(Debug, Clone)]
pub struct ReadNetwork {
    pub network: Network,
    /// Its numbers, as [`Network`] says; without a head where the file has none.
    pub values: Vec<f32>,
    pub input: String,
    /// The side that the file declares for its input, where it does.
    pub side: Option<usize>,
    /// The output that holds the logits, where there is a head; the pooled features otherwise.
    pub output: String,
}

/// Reads a vetted graph by its structure.
///
/// # Errors
/// [`NetworkError`] names the first piece that is not known.
pub fn read_network(graph: &VettedGraph) -> Result<ReadNetwork, NetworkError> {
    let model = ModelProto::decode(graph.bytes()).map_err(|_| VetError::NotOnnx)?;
    let g = model.graph.ok_or(VetError::NotOnnx)?;
    let tensors: HashMap<&str, &TensorProto> = g.initializer.iter().map(|t| (t.name(), t)).collect();
    let input = g.input.iter().find(|i| !tensors.contains_key(i.name())).ok_or_else(|| unknown("it has no input"))?;
    let mut reader = Reader { tensors, layers: Vec::new(), values: Vec::new(), at: HashMap::new(), dense: Vec::new() };
    let mut current = input.name().to_owned();
    let mut pooled = None;
    for node in &g.node {
        reader.node(node, &mut current, &mut pooled)?;
    }
    let Reader { layers, mut values, dense, .. } = reader;
    let pooled = pooled.ok_or_else(|| unknown("it has no global average pool"))?;
    let (hidden, classes) = match dense.len() {
        0 => (0, 0),
        2 => (dense[0].1.len(), dense[1].1.len()),
        n => return Err(unknown(format!("it has {n} dense layers where none or two are known"))),
    };
    let network = Network { layers, hidden, classes };
    if network.layers.first().is_none_or(|l| l.kind != LayerKind::Stem) {
        return Err(unknown("it does not begin with a 3 × 3 convolution over three colours"));
    }
    for (w, b) in dense {
        values.extend(w);
        values.extend(b);
    }
    if values.len() != network.len() {
        return Err(unknown("its dense layers do not fit its features"));
    }
    if values.iter().any(|v| !v.is_finite()) {
        return Err(unknown("it has weights that are not finite"));
    }
    let side = declared_side(input);
    let output = if classes == 0 { pooled } else { current };
    Ok(ReadNetwork { network, values, input: input.name().to_owned(), side, output })
}

struct Reader<'a> {
    tensors: HashMap<&'a str, &'a TensorProto>,
    layers: Vec<Layer>,
    values: Vec<f32>,
    /// The layer whose output a value is.
    at: HashMap<String, usize>,
    dense: Vec<(Vec<f32>, Vec<f32>)>,
}

impl Reader<'_> {
    fn node(
        &mut self,
        node: &NodeProto,
        current: &mut String,
        pooled: &mut Option<String>,
    ) -> Result<(), NetworkError> {
        let name = node.output.first().map_or("", String::as_str).to_owned();
        let chained = node.input.iter().any(|i| i == current);
        let op = node.op_type();
        if !chained {
            return Err(unknown(format!("operator {op} at \"{name}\" is not part of one chain of layers")));
        }
        let head = pooled.is_some();
        match op {
            "Conv" if !head => {
                let layer = self.convolution(node)?;
                self.at.insert(name.clone(), self.layers.len());
                self.layers.push(layer);
            }
            "Clip" if !head => {
                let bound = |i: usize| {
                    node.input.get(i).and_then(|n| self.tensors.get(n.as_str())).and_then(|t| floats(t).ok())
                };
                if bound(1).as_deref() != Some(&[0.0]) || bound(2).as_deref() != Some(&[6.0]) {
                    return Err(unknown(format!("\"{name}\" clips to other bounds than 0 and 6")));
                }
                self.follow(current, &name, |l| l.relu6 = true)?;
            }
            "Add" if !head => {
                let other = node.input.iter().find(|i| *i != current).and_then(|o| self.at.get(o)).copied();
                let from =
                    other.ok_or_else(|| unknown(format!("\"{name}\" adds something that is no layer's output")))?;
                let width = self.layers[from].outputs;
                let last = self.layers.last().ok_or_else(|| unknown("an addition before any layer"))?;
                // The value added must be no ReLU6's output and lead into an expansion: the backward pass relies on it.
                let expands = self.layers.get(from + 1).is_some_and(|l| l.kind == LayerKind::Pointwise);
                if !expands
                    || self.layers[from].relu6
                    || last.outputs != width
                    || last.relu6
                    || last.skip.is_some()
                    || last.kind != LayerKind::Pointwise
                {
                    return Err(unknown(format!("\"{name}\" is not the skip of an inverted residual")));
                }
                self.follow(current, &name, |l| l.skip = Some(from))?;
            }
            "GlobalAveragePool" if !head => *pooled = Some(name.clone()),
            "Flatten" | "Reshape" if head && self.dense.is_empty() => *pooled = Some(name.clone()),
            "Gemm" if head => self.dense(node)?,
            "Relu" if head && self.dense.len() == 1 => {}
            "Softmax" if head && self.dense.len() == 2 => return Ok(()),
            other => return Err(unknown(format!("operator {other} at \"{name}\" is not known here"))),
        }
        *current = name;
        Ok(())
    }

    fn follow(&mut self, current: &str, name: &str, change: impl FnOnce(&mut Layer)) -> Result<(), NetworkError> {
        let i = *self.at.get(current).ok_or_else(|| unknown(format!("\"{name}\" follows no convolution")))?;
        change(&mut self.layers[i]);
        self.at.insert(name.to_owned(), i);
        Ok(())
    }

    fn convolution(&mut self, node: &NodeProto) -> Result<Layer, NetworkError> {
        let name = node.input.get(1).map_or("", String::as_str);
        let short = name.strip_suffix(".weight").unwrap_or(name).to_owned();
        let find = |i: usize| node.input.get(i).and_then(|n| self.tensors.get(n.as_str()));
        let weight = find(1).ok_or_else(|| unknown(format!("\"{name}\" is not among the weights")))?;
        let bias = find(2).ok_or_else(|| unknown(format!("the convolution \"{name}\" has no bias")))?;
        let ints = |key: &str| node.attribute.iter().find(|a| a.name() == key).map(|a| a.ints.clone());
        let group = node.attribute.iter().find(|a| a.name() == "group").map_or(1, AttributeProto::i);
        let strides = ints("strides").unwrap_or_else(|| vec![1, 1]);
        let pads = ints("pads").unwrap_or_else(|| vec![0; 4]);
        if ints("dilations").is_some_and(|d| d != [1, 1]) {
            return Err(unknown(format!("\"{name}\" is dilated")));
        }
        let (stride, before, after) = match (&strides[..], &pads[..]) {
            (&[s @ (1 | 2), s2], &[t, l, b, r])
                if s == s2 && t == l && b == r && (0..=1).contains(&t) && (0..=1).contains(&b) =>
            {
                (usize::from(s == 2) + 1, usize::from(t == 1), usize::from(b == 1))
            }
            _ => return Err(unknown(format!("\"{name}\" has strides {strides:?} and pads {pads:?}"))),
        };
        let dims: Vec<usize> = weight.dims.iter().map(|d| usize::try_from(*d).unwrap_or(0)).collect();
        let (kind, inputs, outputs) = match (&dims[..], group) {
            (&[o, 3, 3, 3], 1) => (LayerKind::Stem, 3, o),
            (&[o, i, 1, 1], 1) if stride == 1 && before + after == 0 => (LayerKind::Pointwise, i, o),
            (&[o, 1, 3, 3], g) if usize::try_from(g) == Ok(o) => (LayerKind::Depthwise, o, o),
            _ => return Err(unknown(format!("\"{name}\" has weights of shape {dims:?} in {group} groups"))),
        };
        let before_it = self.layers.last().map_or(3, |l| l.outputs);
        let layer = Layer { name: short, kind, inputs, outputs, stride, before, after, relu6: false, skip: None };
        if inputs != before_it || (kind == LayerKind::Stem) != self.layers.is_empty() {
            return Err(unknown(format!("\"{name}\" does not fit the layer before it")));
        }
        let (w, b) = (floats(weight)?, floats(bias)?);
        if w.len() != layer.weights() || b.len() != outputs {
            return Err(unknown(format!("\"{name}\" has weights of another size than its shape")));
        }
        self.values.extend(w);
        self.values.extend(b);
        Ok(layer)
    }

    fn dense(&mut self, node: &NodeProto) -> Result<(), NetworkError> {
        let find = |i: usize| node.input.get(i).and_then(|n| self.tensors.get(n.as_str()));
        let (Some(w), Some(b)) = (find(1), find(2)) else {
            return Err(unknown("a dense layer without weights and bias"));
        };
        let transposed = node.attribute.iter().any(|a| a.name() == "transB" && a.i() == 1);
        let plain = node.attribute.iter().all(|a| match a.name() {
            "alpha" | "beta" => a.f() == 1.0,
            "transA" => a.i() == 0,
            _ => true,
        });
        let dims: Vec<usize> = w.dims.iter().map(|d| usize::try_from(*d).unwrap_or(0)).collect();
        let (mut values, &[rows, columns]) = (floats(w)?, &dims[..]) else {
            return Err(unknown("a dense layer's shape"));
        };
        if !plain || values.len() != rows * columns {
            return Err(unknown("a dense layer with factors or of another size"));
        }
        if !transposed {
            values = (0..columns)
                .flat_map(|c| (0..rows).map(move |r| (r, c)))
                .map(|(r, c)| values[r * columns + c])
                .collect();
        }
        self.dense.push((values, floats(b)?));
        Ok(())
    }
}

fn floats(t: &TensorProto) -> Result<Vec<f32>, NetworkError> {
    if t.data_type() != DataType::Float as i32 {
        return Err(unknown(format!("the weights \"{}\" are not float32", t.name())));
    }
    Ok(numbers(t))
}

/// The numbers of a float32 tensor, whichever of its two fields holds them.
pub(super) fn numbers(t: &TensorProto) -> Vec<f32> {
    match &t.raw_data {
        Some(raw) => raw.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
        None => t.float_data.clone(),
    }
}

fn declared_side(input: &ValueInfoProto) -> Option<usize> {
    let type_proto::Value::TensorType(t) = input.r#type.as_ref()?.value.as_ref()? else { return None };
    match t.shape.as_ref()?.dim.get(2)?.value.as_ref()? {
        tensor_shape_proto::dimension::Value::DimValue(v) => usize::try_from(*v).ok().filter(|v| *v > 0),
        tensor_shape_proto::dimension::Value::DimParam(_) => None,
    }
}

/// Names of the graph's ends when we write one.
pub const INPUT: &str = "input";
/// The output before softmax.
pub const LOGITS: &str = "logits";
pub const FEATURES: &str = "features";
pub const FEATURE_MAP: &str = "feature_map";

/// Writes a network with a head as an ONNX file (operator set 13, IR 8, as the backbone's): one input `[N, 3, side,
/// side]`, outputs `logits`, `features`, `feature_map`, the weights inside, `metadata` in `metadata_props`.
///
/// # Panics
/// When `values` has another length than the network.
pub fn write_network(network: &Network, values: &[f32], side: usize, metadata: &[(&str, String)]) -> Vec<u8> {
    assert_eq!(values.len(), network.len(), "the numbers of the network");
    let mut w = Writer::default();
    let mut rest = values;
    let mut current = INPUT.to_owned();
    let mut ends: Vec<String> = Vec::new();
    let mut out_side = side;
    w.initializer("relu6_min", vec![1], &[0.0]);
    w.initializer("relu6_max", vec![1], &[6.0]);
    for (i, layer) in network.layers.iter().enumerate() {
        let n = &layer.name;
        out_side = layer.out_side(out_side);
        w.initializer(&format!("{n}.weight"), layer.dims(), take(&mut rest, layer.weights()));
        w.initializer(&format!("{n}.bias"), vec![int(layer.outputs)], take(&mut rest, layer.outputs));
        let kernel = if layer.kind == LayerKind::Pointwise { 1 } else { 3 };
        let (b, a, s) = (int(layer.before), int(layer.after), int(layer.stride));
        let last = i + 1 == network.layers.len();
        let end = if last { FEATURE_MAP.to_owned() } else { format!("{n}_out") };
        let raw = if layer.relu6 || layer.skip.is_some() { format!("{n}_pre") } else { end.clone() };
        w.node(
            "Conv",
            vec![current, format!("{n}.weight"), format!("{n}.bias")],
            &raw,
            vec![
                ints("dilations", vec![1, 1]),
                one("group", if layer.kind == LayerKind::Depthwise { int(layer.outputs) } else { 1 }),
                ints("kernel_shape", vec![kernel, kernel]),
                ints("pads", vec![b, b, a, a]),
                ints("strides", vec![s, s]),
            ],
        );
        if layer.relu6 {
            w.node("Clip", vec![raw, "relu6_min".into(), "relu6_max".into()], &end, Vec::new());
        } else if let Some(skip) = layer.skip {
            w.node("Add", vec![ends[skip].clone(), raw], &end, Vec::new());
        }
        ends.push(end.clone());
        current = end;
    }
    let [hidden_w, hidden_b, out_w, out_b] = network.head_lens();
    let (f, h, c) = (int(network.features()), int(network.hidden), int(network.classes));
    w.initializer("head.dense_1.weight", vec![h, f], take(&mut rest, hidden_w));
    w.initializer("head.dense_1.bias", vec![h], take(&mut rest, hidden_b));
    w.initializer("head.dense_2.weight", vec![c, h], take(&mut rest, out_w));
    w.initializer("head.dense_2.bias", vec![c], take(&mut rest, out_b));
    w.node("GlobalAveragePool", vec![FEATURE_MAP.into()], "gap", Vec::new());
    w.node("Flatten", vec!["gap".into()], FEATURES, vec![one("axis", 1)]);
    let gemm = |layer: &str| vec![format!("head.{layer}.weight"), format!("head.{layer}.bias")];
    let inputs = |x: &str, layer: &str| std::iter::once(x.to_owned()).chain(gemm(layer)).collect::<Vec<_>>();
    w.node("Gemm", inputs(FEATURES, "dense_1"), "head.hidden_pre", vec![one("transB", 1)]);
    w.node("Relu", vec!["head.hidden_pre".into()], "head.hidden", Vec::new());
    w.node("Gemm", inputs("head.hidden", "dense_2"), LOGITS, vec![one("transB", 1)]);
    let (s, o) = (int(side), int(out_side));
    let graph = GraphProto {
        name: Some("leukoscope".into()),
        node: w.nodes,
        initializer: w.initializers,
        input: vec![value(INPUT, &[3, s, s])],
        output: vec![value(LOGITS, &[c]), value(FEATURES, &[f]), value(FEATURE_MAP, &[f, o, o])],
        ..GraphProto::default()
    };
    ModelProto {
        ir_version: Some(8),
        opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: Some(13) }],
        producer_name: Some("leukoscope".into()),
        producer_version: Some(env!("CARGO_PKG_VERSION").into()),
        graph: Some(graph),
        metadata_props: metadata
            .iter()
            .map(|(k, v)| StringStringEntryProto { key: Some((*k).into()), value: Some(v.clone()) })
            .collect(),
        ..ModelProto::default()
    }
    .encode_to_vec()
}

fn take<'a>(rest: &mut &'a [f32], n: usize) -> &'a [f32] {
    let (head, tail) = rest.split_at(n);
    *rest = tail;
    head
}

fn int(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn ints(name: &str, ints: Vec<i64>) -> AttributeProto {
    AttributeProto { name: Some(name.into()), r#type: Some(AttributeType::Ints as i32), ints, ..Default::default() }
}

fn one(name: &str, i: i64) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        r#type: Some(AttributeType::Int as i32),
        i: Some(i),
        ..Default::default()
    }
}

fn value(name: &str, dims: &[i64]) -> ValueInfoProto {
    use tensor_shape_proto::{Dimension, dimension::Value};
    let dim = |value| Dimension { value: Some(value), ..Dimension::default() };
    let shape = std::iter::once(dim(Value::DimParam("N".into())))
        .chain(dims.iter().map(|d| dim(Value::DimValue(*d))))
        .collect();
    let tensor =
        type_proto::Tensor { elem_type: Some(DataType::Float as i32), shape: Some(TensorShapeProto { dim: shape }) };
    ValueInfoProto {
        name: Some(name.into()),
        r#type: Some(TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..TypeProto::default() }),
        ..ValueInfoProto::default()
    }
}

#[derive(Default)]
struct Writer {
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
    names: BTreeMap<String, usize>,
}

impl Writer {
    fn initializer(&mut self, name: &str, dims: Vec<i64>, values: &[f32]) {
        self.initializers.push(TensorProto {
            name: Some(name.into()),
            dims,
            data_type: Some(DataType::Float as i32),
            raw_data: Some(values.iter().flat_map(|v| v.to_le_bytes()).collect()),
            ..TensorProto::default()
        });
    }

    fn node(&mut self, op: &str, input: Vec<String>, output: &str, attribute: Vec<AttributeProto>) {
        let n = self.names.entry(op.to_owned()).or_default();
        *n += 1;
        self.nodes.push(NodeProto {
            name: Some(format!("{op}_{n}")),
            op_type: Some(op.into()),
            input,
            output: vec![output.into()],
            attribute,
            ..NodeProto::default()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{embedded_bytes, vet_graph};

    fn read(bytes: &[u8]) -> Result<ReadNetwork, NetworkError> {
        read_network(&vet_graph(bytes)?)
    }

    #[test]
    fn the_embedded_model_is_read_and_written_back_with_the_same_numbers() {
        let read_once = read(embedded_bytes()).expect("MobileNetV2");
        let n = &read_once.network;
        assert_eq!((n.layers.len(), n.features(), n.hidden, n.classes), (52, 1280, 128, 6));
        assert_eq!(n.block_starts().len(), 18, "17 inverted residuals and the last convolution");
        assert_eq!(n.layers.iter().filter(|l| l.skip.is_some()).count(), 10);
        assert_eq!(read_once.side, Some(128));
        let written = write_network(n, &read_once.values, 96, &[("k", "v".into())]);
        let again = read(&written).expect("ours");
        assert_eq!((&again.network, &again.values, again.side), (n, &read_once.values, Some(96)));
    }

    #[test]
    fn another_network_is_refused_by_the_piece_that_is_not_known() {
        let mut model = ModelProto::decode(embedded_bytes()).expect("decodes");
        let graph = model.graph.as_mut().expect("graph");
        graph.node[1].op_type = Some("HardSwish".into());
        graph.node[1].input.truncate(1);
        let e = read(&model.encode_to_vec()).expect_err("HardSwish");
        assert!(e.to_string().contains("HardSwish"), "{e}");
        let mut model = ModelProto::decode(embedded_bytes()).expect("decodes");
        model.graph.as_mut().expect("graph").node[0].attribute.iter_mut().for_each(|a| {
            if a.name() == "strides" {
                a.ints = vec![3, 3];
            }
        });
        assert!(read(&model.encode_to_vec()).expect_err("stride 3").to_string().contains("[3, 3]"));
    }
}
