//! What the graph of somebody else's classifier says of itself: where the colours stand, how large its input is, whether its
//! values are scaled inside, which output classifies, and who exported it.
//!
//! Only reading: what is not there is left open, and nothing is guessed. What follows from it is `contract`'s.

use super::limits::{Constants, shape};
use super::onnx::{GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, tensor_proto::DataType};
use super::vet::{OutputKind, VetError, VettedGraph, look};
use crate::domain::Digest;
use std::collections::BTreeMap;

/// A graph without a manifest that could be a classifier of colour images.
#[derive(Debug, Clone)]
pub struct OnnxFacts {
    digest: Digest,
    graph: VettedGraph,
    facts: Facts,
}

/// An output that could be the classifying one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputHead {
    /// What it holds, and its name.
    pub kind: OutputKind,
    /// How many values an image; `None` where the file does not say.
    pub width: Option<usize>,
}

/// What the values of the graph's input are, where its first nodes scale them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuiltInScaling {
    /// It takes 0…255.
    Bytes,
    /// It takes 0…1.
    Unit,
}

/// Networks whose layers are named as Keras names them, because tf2onnx keeps the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// `keras.applications` ResNet v1 and VGG: BGR, ImageNet's means taken off.
    KerasCaffe,
    /// `keras.applications` MobileNet, MobileNetV2, Inception, Xception, ResNetV2: −1…1.
    KerasSymmetric,
    /// `keras.applications` DenseNet: 0…1, ImageNet's means and deviations.
    KerasTorch,
}

/// What the file says.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    pub input: String,
    /// `[3, H, W]` and not `[H, W, 3]`.
    pub channels_first: bool,
    /// Pixels a side; `None` where the file leaves it open.
    pub size: Option<usize>,
    /// Outputs that could classify.
    pub output_heads: Vec<OutputHead>,
    /// Whether the values are scaled by the first nodes.
    pub in_graph: Option<BuiltInScaling>,
    /// Whose layer names these are.
    pub family: Option<Family>,
    /// Who wrote the file: `pytorch`, `tf2onnx`, …
    pub producer: String,
    pub properties: BTreeMap<String, String>,
}

impl OnnxFacts {
    /// Looks at a model file's bytes; `digest` is theirs.
    ///
    /// # Errors
    /// [`VetError`] where it may not be opened, or is not a classifier of single colour images.
    pub fn look(bytes: &[u8], digest: Digest) -> Result<Self, VetError> {
        let model = look(bytes)?.model;
        let facts = facts(&model)?;
        Ok(Self { digest, graph: VettedGraph::new(bytes), facts })
    }

    /// SHA-256 of the file.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The bytes that were looked at.
    pub fn bytes(&self) -> &[u8] {
        self.graph.bytes()
    }

    /// What the file says.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }
}

fn facts(model: &ModelProto) -> Result<Facts, VetError> {
    let graph = model.graph.as_ref().ok_or(VetError::NotOnnx)?;
    let properties: BTreeMap<String, String> =
        model.metadata_props.iter().map(|p| (p.key().to_owned(), p.value().to_owned())).collect();
    if let Some(task) = properties.get("task").filter(|t| !t.contains("classif")) {
        return Err(VetError::Detector(format!("its own metadata says its task is \"{task}\"")));
    }
    let weights: BTreeMap<&str, &TensorProto> = graph.initializer.iter().map(|t| (t.name(), t)).collect();
    let inputs: Vec<&ValueInfoProto> = graph.input.iter().filter(|i| !weights.contains_key(i.name())).collect();
    let [input] = inputs[..] else {
        let names: Vec<&str> = inputs.iter().map(|i| i.name()).collect();
        return Err(VetError::NoClassifier(format!("it has {} inputs ({})", inputs.len(), names.join(", "))));
    };
    let constants = Constants::new(graph);
    let (dims, element) = shape(input);
    if let Some(element) = element.filter(|e| *e != DataType::Float as i32) {
        let word = DataType::try_from(element).map_or("unknown", |t| t.as_str_name()).to_lowercase();
        return Err(VetError::NoClassifier(format!("its input takes {word} values; export it with a float32 input")));
    }
    let first = first_nodes(graph, input.name(), &constants);
    let channels_first = layout(&dims, &first, &weights)?;
    let sides = match &dims[..] {
        [_, _, h, w] if channels_first => [*h, *w],
        [_, h, w, _] => [*h, *w],
        _ => [None, None],
    };
    let size = match sides {
        [Some(h), Some(w)] if h != w => {
            return Err(VetError::NoClassifier(format!("it takes images of {w} × {h} pixels; squares are known")));
        }
        [h, w] => h.or(w),
    };
    if let Some(side) = size.filter(|s| !(16..=1024).contains(s)) {
        return Err(VetError::NoClassifier(format!("it takes images of {side} pixels a side (16 to 1024 are known)")));
    }
    let output_heads = output_heads(graph, &weights)?;
    Ok(Facts {
        input: input.name().to_owned(),
        channels_first,
        size,
        output_heads,
        in_graph: in_graph(&first),
        family: family(graph),
        producer: model.producer_name().to_lowercase(),
        properties,
    })
}

/// The value of largest size.
fn largest(values: &[f64]) -> Option<f64> {
    values.iter().copied().filter(|v| v.is_finite()).max_by(|a, b| a.abs().total_cmp(&b.abs()))
}

/// A first node, and the number that it brings to the values.
struct First<'a> {
    node: &'a NodeProto,
    number: Option<f64>,
}

/// The nodes from the input as long as it is one line without a layer, and the layer that ends it.
fn first_nodes<'a>(graph: &'a GraphProto, input: &'a str, constants: &Constants<'_>) -> Vec<First<'a>> {
    let mut line = Vec::new();
    let mut current = input;
    for _ in 0..16 {
        let mut users = graph.node.iter().filter(|n| n.input.iter().any(|i| i == current));
        let (Some(node), None) = (users.next(), users.next()) else { break };
        let other = node.input.iter().find(|i| *i != current);
        line.push(First { node, number: other.and_then(|o| largest(&constants.floats(o)?)) });
        let goes_on = matches!(
            node.op_type(),
            "Sub" | "Add" | "Mul" | "Div" | "Cast" | "Identity" | "Transpose" | "Reshape" | "Clip" | "Pad"
        );
        let Some(output) = node.output.first().filter(|_| goes_on) else { break };
        current = output;
    }
    line
}

/// Whether colours come first: where the 3 of the input's shape stands, else what the first layer does.
fn layout(
    dims: &[Option<usize>],
    first: &[First<'_>],
    weights: &BTreeMap<&str, &TensorProto>,
) -> Result<bool, VetError> {
    let not_a_classifier = |what: String| Err(VetError::NoClassifier(what));
    if !dims.is_empty() && dims.len() != 4 {
        return not_a_classifier(format!("its input has {} dimensions; images come as 4", dims.len()));
    }
    match dims {
        [_, Some(3), h, w] if *h != Some(3) && *w != Some(3) => return Ok(true),
        [_, h, w, Some(3)] if *h != Some(3) && *w != Some(3) => return Ok(false),
        [_, Some(c @ (1 | 4)), Some(h), Some(w)] if h == w && *h > 4 => {
            return not_a_classifier(format!("its images have {c} channels; colour images of 3 are known"));
        }
        [_, Some(h), Some(w), Some(c @ (1 | 4))] if h == w && *h > 4 => {
            return not_a_classifier(format!("its images have {c} channels; colour images of 3 are known"));
        }
        _ => {}
    }
    for First { node, .. } in first {
        if node.op_type() == "Transpose" {
            let to_front = node.attribute.iter().any(|a| a.name() == "perm" && a.ints == [0, 3, 1, 2]);
            return Ok(!to_front);
        }
        if node.op_type() == "Conv" {
            let kernel = node.input.get(1).and_then(|w| weights.get(w.as_str()));
            if kernel.is_some_and(|k| k.dims.get(1) == Some(&3)) {
                return Ok(true);
            }
        }
    }
    not_a_classifier("its input does not say where the 3 colours stand; export it with a fixed input shape".into())
}

/// What the first nodes make of 0…255: they scale bytes where the result is small, they scale 0…1 where only that stays small.
fn in_graph(first: &[First<'_>]) -> Option<BuiltInScaling> {
    // |v · scale + shift| for the largest input, over the nodes up to the first layer.
    let (mut bytes, mut unit, mut scaled) = (255.0f64, 1.0f64, false);
    for First { node, number } in first {
        let each = |f: &dyn Fn(f64) -> f64, bytes: &mut f64, unit: &mut f64| {
            *bytes = f(*bytes);
            *unit = f(*unit);
        };
        match (node.op_type(), number) {
            ("Sub", Some(n)) => each(&|v| v - n, &mut bytes, &mut unit),
            ("Add", Some(n)) => each(&|v| v + n, &mut bytes, &mut unit),
            ("Mul", Some(n)) => each(&|v| v * n, &mut bytes, &mut unit),
            ("Div", Some(n)) if *n != 0.0 => each(&|v| v / n, &mut bytes, &mut unit),
            ("Cast" | "Identity" | "Transpose" | "Reshape" | "Clip" | "Pad", _) => continue,
            _ => break,
        }
        scaled = true;
    }
    if !scaled {
        None
    } else if bytes.abs() <= 20.0 {
        Some(BuiltInScaling::Bytes)
    } else if unit.abs() <= 20.0 && unit.abs() > 0.2 {
        Some(BuiltInScaling::Unit)
    } else {
        // Means taken off bytes that stay large: Caffe's contract, done inside.
        Some(BuiltInScaling::Bytes)
    }
}

/// The outputs that could classify: two dimensions as far as they say, at least two wide, not a map of some layer.
fn output_heads(graph: &GraphProto, weights: &BTreeMap<&str, &TensorProto>) -> Result<Vec<OutputHead>, VetError> {
    let maker = |name: &str| graph.node.iter().find(|n| n.output.iter().any(|o| o == name));
    let mut all = Vec::new();
    let mut why = String::from("it has no output");
    for output in &graph.output {
        let (dims, element) = shape(output);
        if maker(output.name()).is_some_and(|n| n.op_type() == "ZipMap") || element.is_none() {
            why = format!("output \"{}\" is no table of numbers; export it without ZipMap", output.name());
            continue;
        }
        if element != Some(DataType::Float as i32) {
            why = format!("output \"{}\" holds no float32 values", output.name());
            continue;
        }
        let flat = dims.len() <= 2 || dims[2..].iter().all(|d| *d == Some(1));
        if !flat {
            why = format!("output \"{}\" has {} dimensions", output.name(), dims.len());
            continue;
        }
        // Back through what changes no value.
        let mut name = output.name();
        let mut last = maker(name);
        while let Some(node) =
            last.filter(|n| matches!(n.op_type(), "Identity" | "Reshape" | "Flatten" | "Squeeze" | "Cast"))
        {
            let Some(before) = node.input.first() else { break };
            name = before;
            last = maker(name);
        }
        let op = last.map_or("", |n| n.op_type());
        if op == "Sigmoid" {
            why = format!("output \"{}\" is a sigmoid: each class for itself, not one of several", output.name());
            continue;
        }
        let kind = match op {
            "Softmax" => OutputKind::Probabilities(output.name().into()),
            _ => OutputKind::Logits(output.name().into()),
        };
        let dense = if op == "Softmax" { last.and_then(|n| n.input.first()).and_then(|i| maker(i)) } else { last };
        let width = dims.get(1).copied().flatten().or_else(|| dense.and_then(|n| dense_width(n, weights)));
        if width == Some(1) {
            why = format!("output \"{}\" has one value; two classes or more are known", output.name());
            continue;
        }
        all.push(OutputHead { kind, width });
    }
    // Where the same graph gives probabilities and something else, the probabilities classify.
    if let [only] = all.iter().filter(|e| matches!(e.kind, OutputKind::Probabilities(_))).collect::<Vec<_>>()[..] {
        all = vec![only.clone()];
    }
    if all.is_empty() { Err(VetError::NoClassifier(why)) } else { Ok(all) }
}

/// The width of a last layer, by its weights.
fn dense_width(node: &NodeProto, weights: &BTreeMap<&str, &TensorProto>) -> Option<usize> {
    let of = |i: usize| node.input.get(i).and_then(|n| weights.get(n.as_str())).map(|t| &t.dims);
    let extent = match node.op_type() {
        "Gemm" => {
            let turned = node.attribute.iter().any(|a| a.name() == "transB" && a.i() == 1);
            of(1).and_then(|d| if turned { d.first() } else { d.get(1) })
        }
        "MatMul" => of(1).and_then(|d| d.get(1)),
        "Add" => of(1).or_else(|| of(0)).filter(|d| d.len() == 1).and_then(|d| d.first()),
        "Conv" => of(1).and_then(|d| d.first()),
        _ => None,
    };
    extent.and_then(|e| usize::try_from(*e).ok())
}

/// The family by the names that Keras gives to its first layers (keras/src/applications).
fn family(graph: &GraphProto) -> Option<Family> {
    let named = |part: &str| {
        let hit = |name: &str| name.split(['/', ';', ':']).any(|p| p == part);
        graph.node.iter().any(|n| hit(n.name())) || graph.initializer.iter().any(|t| hit(t.name()))
    };
    // ResNetV2 ends in post_bn; MobileNet has conv_dw_1, MobileNetV2 block_1_expand, Xception separable blocks.
    let symmetric = ["post_bn", "conv_dw_1", "block_1_expand", "block1_sepconv1"];
    if symmetric.iter().any(|n| named(n)) {
        Some(Family::KerasSymmetric)
    } else if named("conv2_block1_3_conv") || named("block1_conv1") {
        Some(Family::KerasCaffe)
    } else if named("conv2_block1_2_conv") {
        // Two convolutions a block: DenseNet.
        Some(Family::KerasTorch)
    } else {
        None
    }
}
