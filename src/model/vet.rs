//! Stands between every model file and the runtime: bounded, self-contained, known operators, a classifier.
//!
//! ONNX Runtime would follow external data (also through hard links) and read sparse initialisers from the current
//! folder; here such files are refused, and the very bytes that were vetted are handed on from memory.

use super::card::{MANIFEST_KEY, Manifest, ModelCard, NEWEST_SCHEMA};
use super::flags::Flag;
use super::limits::{Constants, exceeded_limit, shape};
use super::manifest_error::ManifestError;
use super::onnx::{ModelProto, TensorProto, tensor_proto, type_proto};
use super::ood::{OodDetector, TrainingRecord};
use super::scan::{ScanError, scan};
use crate::domain::{ClassSet, Digest, NOT_A_WHITE_CELL, canonical_label};
use prost::Message as _;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The largest model file that is opened.
pub const MAX_MODEL_BYTES: u64 = 512 << 20;

/// Operators that hold graphs of their own or loop: a classifier needs none.
const CONTROL_FLOW: [&str; 4] = ["If", "Loop", "Scan", "SequenceMap"];
/// Domains whose operators are part of ONNX Runtime itself.
const DOMAINS: [&str; 4] = ["", "ai.onnx", "ai.onnx.ml", "com.microsoft"];

/// Why a model file is refused, with what to do about it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum VetError {
    /// Larger than [`MAX_MODEL_BYTES`].
    #[error("the file has {0} bytes; a model may have {MAX_MODEL_BYTES}")]
    TooLarge(usize),
    #[error("not an ONNX file; export the network as ONNX (torch.onnx.export, tf2onnx)")]
    NotOnnx,
    #[error("the ONNX file is cut off; copy or export it again")]
    Truncated,
    #[error("the graph's structure alone has {0} bytes, which no image classifier needs")]
    Structure(usize),
    /// Weights elsewhere.
    #[error("the weights of \"{0}\" lie in another file (external data); save the model as one file")]
    ExternalData(String),
    /// A sparse tensor.
    #[error("the model has sparse weights or training information, which are not supported; export it for inference")]
    Unsupported,
    /// An operator of a domain that is not ONNX Runtime's own.
    #[error("operator {0} belongs to \"{1}\", which is not part of ONNX; export without custom operators")]
    ForeignDomain(String, String),
    /// A loop or branch.
    #[error("operator {0} is control flow, which an image classifier does not need; export with fixed behaviour")]
    ControlFlow(String),
    /// An operator that makes much out of little.
    #[error("operator {0} asks for more than any image classifier needs: {1}")]
    Excess(String, String),
    /// The weights do not fit their declared shape.
    #[error("the weights of \"{0}\" do not have the size they declare; the file is damaged")]
    WeightSize(String),
    /// A value that nobody makes, or made twice.
    #[error("the graph is broken at \"{0}\": {1}")]
    Graph(String, &'static str),
    #[error("this is a detector (it draws boxes), not a classifier: {0}")]
    Detector(String),
    /// Something else than one image in, one class out.
    #[error("this is no classifier of single colour images: {0}")]
    NoClassifier(String),
    #[error("the model does not say its labels and input (no \"leukoscope.manifest\" in its metadata)")]
    NoManifest,
    /// A manifest that is not understood.
    #[error("the model's manifest is not understood: {0}")]
    Manifest(#[from] ManifestError),
    /// A manifest of a newer program.
    #[error("the model's manifest has schema {0}; this version reads up to {NEWEST_SCHEMA}. Update Leukoscope")]
    NewerSchema(u32),
    /// Labels and outputs differ in number.
    #[error("the model names {labels} labels for {outputs} outputs; correct the labels, they are never guessed")]
    LabelCount { labels: usize, outputs: usize },
}

/// What the classifying output holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputKind {
    /// Scores before softmax, under this name.
    Logits(String),
    /// Probabilities, under this name.
    Probabilities(String),
}

/// A model whose bytes were looked at. Only [`vet`] makes one.
#[derive(Debug, Clone)]
pub struct VettedModel {
    bytes: Arc<[u8]>,
    card: Arc<ModelCard>,
    output: OutputKind,
}

impl VettedModel {
    /// The bytes that were vetted; the runtime loads these and no file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same bytes as a graph alone: they were looked at already.
    pub fn graph(&self) -> VettedGraph {
        VettedGraph(self.bytes.clone())
    }

    /// What the model says of itself.
    pub fn card(&self) -> &Arc<ModelCard> {
        &self.card
    }

    pub fn output(&self) -> &OutputKind {
        &self.output
    }
}

/// Looks at a model file's bytes; `digest` is theirs.
///
/// # Errors
/// [`VetError`] names the first thing that is wrong.
pub fn vet(bytes: &[u8], digest: Digest) -> Result<VettedModel, VetError> {
    let looked = look(bytes)?;
    let manifest = manifest_of(&looked.model)?;
    vetted(bytes, digest, &looked, &manifest)
}

/// Looks at a model file's bytes, and takes its meaning from a manifest that is not in it.
///
/// # Errors
/// [`VetError`] names the first thing that is wrong.
pub fn vet_as(bytes: &[u8], digest: Digest, manifest: &Manifest) -> Result<VettedModel, VetError> {
    vetted(bytes, digest, &look(bytes)?, manifest)
}

fn vetted(bytes: &[u8], digest: Digest, looked: &Looked, manifest: &Manifest) -> Result<VettedModel, VetError> {
    let Looked { model, parameters, operators } = looked;
    let graph = model.graph.as_ref().ok_or(VetError::NotOnnx)?;
    let output = match (&manifest.outputs.logits, &manifest.outputs.probabilities) {
        (Some(name), _) => OutputKind::Logits(name.clone()),
        (None, Some(name)) => OutputKind::Probabilities(name.clone()),
        (None, None) => return Err(ManifestError::Part("neither logits nor probabilities among its outputs").into()),
    };
    let (OutputKind::Logits(output_name) | OutputKind::Probabilities(output_name)) = &output;
    check_output(model, output_name, manifest.labels.len())?;
    let (classes, output_classes) = classes_of(manifest)?;
    let input = graph
        .input
        .iter()
        .find(|i| i.name() == manifest.input.name)
        .ok_or_else(|| ManifestError::Missing("input", manifest.input.name.clone()))?;
    let fixed_batch = shape(input).0.first().copied().flatten();
    if fixed_batch.is_some_and(|b| b > 64) {
        return Err(ManifestError::Part("the graph takes more than 64 images at a time and no fewer").into());
    }
    let property = |key: &str| model.metadata_props.iter().find(|p| p.key() == key).map(|p| p.value().to_owned());
    let o = &manifest.outputs;
    let named = [
        ("logits", &o.logits),
        ("probabilities", &o.probabilities),
        ("features", &o.features),
        ("feature_map", &o.feature_map),
    ];
    let checks = [
        manifest.calibration.as_ref().map_or(Ok(()), |c| c.check(classes.len())),
        manifest.ood.as_ref().map_or(Ok(()), OodDetector::check),
        Flag::check(&manifest.flags),
        manifest.training_record.as_ref().map_or(Ok(()), TrainingRecord::check),
    ];
    checks.into_iter().collect::<Result<(), ManifestError>>()?;
    let card = ModelCard {
        name: if manifest.name.is_empty() { "unnamed model".into() } else { manifest.name.clone() },
        digest,
        bytes: bytes.len(),
        own_labels: if manifest.labels == classes.labels() { Vec::new() } else { manifest.labels.clone() },
        classes,
        output_classes,
        evidence: manifest.evidence.clone(),
        input_name: manifest.input.name.clone(),
        fixed_batch,
        tensor: manifest.tensor()?,
        preprocessing: manifest.preprocessing()?,
        calibration: manifest.calibration.clone(),
        features: manifest.outputs.features.clone(),
        ood: manifest.ood.clone(),
        flags: manifest.flags.clone(),
        trained_on: manifest.training_record.clone(),
        made: manifest.made(),
        history: manifest.epochs(),
        self_test: manifest.self_test.clone().filter(|t| t.image == 1),
        outputs: named.into_iter().filter_map(|(m, n)| n.clone().map(|n| (m, n))).collect(),
        licence: if manifest.licence.is_empty() {
            property("model_license").unwrap_or_default()
        } else {
            manifest.licence.clone()
        },
        intended_use: manifest.intended_use.clone(),
        author: property("model_author").unwrap_or_default(),
        operators: operators.clone(),
        versions: (
            model.opset_import.iter().filter(|o| o.domain().is_empty()).map(|o| o.version()).max().unwrap_or(0),
            model.ir_version(),
        ),
        parameters: *parameters,
    };
    Ok(VettedModel { bytes: bytes.into(), card: Arc::new(card), output })
}

/// The classes that the labels count as, and the class of each label where that is not simply its own: labels that count as the same are
/// one class, and "not a white cell" is none. Two classes at least must be left, or it is a class like another.
fn classes_of(manifest: &Manifest) -> Result<(ClassSet, Vec<Option<usize>>), ManifestError> {
    // The model's own labels must be a set, too.
    let own = ClassSet::new(manifest.labels.clone())?;
    if !manifest.counts_as.is_empty() && manifest.counts_as.len() != own.len() {
        return Err(ManifestError::CountsAs(own.len(), manifest.counts_as.len()));
    }
    let counted = if manifest.counts_as.is_empty() { &manifest.labels } else { &manifest.counts_as };
    let is_cell = |label: &str| canonical_label(label) != NOT_A_WHITE_CELL;
    let cells: BTreeSet<&str> = counted.iter().map(|c| c.trim()).filter(|c| is_cell(c)).collect();
    let mut classes: Vec<String> = Vec::new();
    let mut output_classes = Vec::new();
    for class in counted.iter().map(|c| c.trim()) {
        if cells.len() > 1 && !is_cell(class) {
            output_classes.push(None);
            continue;
        }
        let at = classes.iter().position(|c| c == class).unwrap_or_else(|| {
            classes.push(class.to_owned());
            classes.len() - 1
        });
        output_classes.push(Some(at));
    }
    let plain = output_classes.iter().enumerate().all(|(i, m)| Some(i) == *m);
    let classes = if manifest.counts_as.is_empty() && plain { own } else { ClassSet::new(classes)? };
    Ok((classes, if plain { Vec::new() } else { output_classes }))
}

pub(super) struct Looked {
    pub(super) model: ModelProto,
    parameters: u64,
    operators: Vec<(String, usize)>,
}

/// What every graph must be, whatever it is for: bounded, self-contained, of known operators.
pub(super) fn look(bytes: &[u8]) -> Result<Looked, VetError> {
    if bytes.len() as u64 > MAX_MODEL_BYTES {
        return Err(VetError::TooLarge(bytes.len()));
    }
    scan(bytes).map_err(|e| match e {
        ScanError::NotProtobuf => VetError::NotOnnx,
        ScanError::Truncated => {
            if looks_like_onnx(bytes) {
                VetError::Truncated
            } else {
                VetError::NotOnnx
            }
        }
        ScanError::Structure(n) => VetError::Structure(n),
    })?;
    let model = ModelProto::decode(bytes).map_err(|_| VetError::NotOnnx)?;
    let graph = model.graph.as_ref().ok_or(VetError::NotOnnx)?;
    if !graph.sparse_initializer.is_empty() || !model.training_info.is_empty() || !model.functions.is_empty() {
        return Err(VetError::Unsupported);
    }
    let mut parameters = 0u64;
    for tensor in &graph.initializer {
        parameters += check_weights(tensor)?;
    }
    let operators = check_nodes(&model)?;
    Ok(Looked { model, parameters, operators })
}

/// A graph whose bytes were looked at, without a word about what its input means: a backbone to train from. Only
/// [`vet_graph`] makes one.
#[derive(Debug, Clone)]
pub struct VettedGraph(Arc<[u8]>);

impl VettedGraph {
    /// Bytes that [`look`] passed.
    pub(super) fn new(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The bytes that were vetted.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Looks at a model file's bytes as at a graph alone: it needs no manifest and no classes.
///
/// # Errors
/// [`VetError`] names the first thing that is wrong.
pub fn vet_graph(bytes: &[u8]) -> Result<VettedGraph, VetError> {
    look(bytes).map(|_| VettedGraph(bytes.into()))
}

/// A cut-off ONNX file still starts with its version field or names its producer early.
fn looks_like_onnx(bytes: &[u8]) -> bool {
    bytes.first() == Some(&0x08) && bytes.get(1).is_some_and(|v| (1..=20).contains(v))
}

fn manifest_of(model: &ModelProto) -> Result<Manifest, VetError> {
    let text = model.metadata_props.iter().find(|p| p.key() == MANIFEST_KEY).ok_or(VetError::NoManifest)?.value();
    let json = |e: serde_json::Error| ManifestError::Json(e.to_string());
    let value: serde_json::Value = serde_json::from_str(text).map_err(json)?;
    let schema = value.get("schema").and_then(serde_json::Value::as_u64).and_then(|v| u32::try_from(v).ok());
    match schema {
        Some(v) if v > NEWEST_SCHEMA => return Err(VetError::NewerSchema(v)),
        None => return Err(ManifestError::Part("no schema number").into()),
        Some(_) => {}
    }
    Ok(serde_json::from_value(value).map_err(json)?)
}

/// Refuses weights that lie elsewhere or lie about their size; returns how many numbers there are.
fn check_weights(tensor: &TensorProto) -> Result<u64, VetError> {
    let name = || tensor.name().to_owned();
    if !tensor.external_data.is_empty() || tensor.data_location() == tensor_proto::DataLocation::External {
        return Err(VetError::ExternalData(name()));
    }
    let mut n = 1u64;
    for &d in &tensor.dims {
        let d = u64::try_from(d).map_err(|_| VetError::WeightSize(name()))?;
        n = n.checked_mul(d).filter(|n| *n <= MAX_MODEL_BYTES).ok_or_else(|| VetError::WeightSize(name()))?;
    }
    if let Some(raw) = &tensor.raw_data {
        use tensor_proto::DataType as T;
        let width = match T::try_from(tensor.data_type()) {
            Ok(T::Float | T::Int32 | T::Uint32) => 4,
            Ok(T::Double | T::Int64 | T::Uint64) => 8,
            Ok(T::Float16 | T::Bfloat16 | T::Int16 | T::Uint16) => 2,
            Ok(T::Int8 | T::Uint8 | T::Bool) => 1,
            _ => return Ok(n),
        };
        if n * width != raw.len() as u64 {
            return Err(VetError::WeightSize(name()));
        }
    } else {
        use tensor_proto::DataType as T;
        let there = match T::try_from(tensor.data_type()) {
            Ok(T::Float) => tensor.float_data.len(),
            Ok(T::Double) => tensor.double_data.len(),
            Ok(T::Int64) => tensor.int64_data.len(),
            Ok(T::Int32 | T::Int16 | T::Int8 | T::Uint16 | T::Uint8 | T::Bool | T::Float16 | T::Bfloat16) => {
                tensor.int32_data.len()
            }
            _ => return Ok(n),
        };
        if n != there as u64 {
            return Err(VetError::WeightSize(name()));
        }
    }
    Ok(n)
}

/// Domains, control flow, weights in attributes, and that every value is made once, before it is used.
fn check_nodes(model: &ModelProto) -> Result<Vec<(String, usize)>, VetError> {
    let Some(graph) = &model.graph else { return Err(VetError::NotOnnx) };
    for import in &model.opset_import {
        if !DOMAINS.contains(&import.domain()) {
            return Err(VetError::ForeignDomain("import".into(), import.domain().into()));
        }
    }
    let mut made: BTreeSet<&str> = graph.input.iter().map(|i| i.name()).collect();
    for tensor in &graph.initializer {
        // Old files list weights among the inputs too; twice among the weights is an error.
        if !made.insert(tensor.name()) && !graph.input.iter().any(|i| i.name() == tensor.name()) {
            return Err(VetError::Graph(tensor.name().into(), "two weights have this name"));
        }
    }
    let constants = Constants::new(graph);
    let mut counts = BTreeMap::<String, usize>::new();
    for node in &graph.node {
        let op = node.op_type();
        if let Some(what) = exceeded_limit(node, &constants) {
            return Err(VetError::Excess(op.into(), what));
        }
        if !DOMAINS.contains(&node.domain()) {
            return Err(VetError::ForeignDomain(op.into(), node.domain().into()));
        }
        if CONTROL_FLOW.contains(&op) || node.attribute.iter().any(|a| a.g.is_some() || !a.graphs.is_empty()) {
            return Err(VetError::ControlFlow(op.into()));
        }
        if matches!(op, "NonMaxSuppression" | "RoiAlign" | "MaxRoiPool") {
            return Err(VetError::Detector(format!("it contains {op}")));
        }
        for a in &node.attribute {
            if a.sparse_tensor.is_some() || !a.sparse_tensors.is_empty() {
                return Err(VetError::Unsupported);
            }
            for t in a.t.iter().chain(&a.tensors) {
                check_weights(t)?;
            }
        }
        for input in node.input.iter().filter(|i| !i.is_empty()) {
            if !made.contains(input.as_str()) {
                return Err(VetError::Graph(input.clone(), "it is used before anything makes it (or in a circle)"));
            }
        }
        for output in node.output.iter().filter(|o| !o.is_empty()) {
            if !made.insert(output) {
                return Err(VetError::Graph(output.clone(), "it is made twice"));
            }
        }
        *counts.entry(op.to_owned()).or_default() += 1;
    }
    for output in &graph.output {
        if !made.contains(output.name()) {
            return Err(VetError::Graph(output.name().into(), "an output that nothing makes"));
        }
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    Ok(counts)
}

/// The classifying output is `[N, classes]` as far as the file declares its shape; what it leaves open is checked by
/// the runtime's first answer.
fn check_output(model: &ModelProto, name: &str, labels: usize) -> Result<(), VetError> {
    let Some(graph) = &model.graph else { return Err(VetError::NotOnnx) };
    let output = graph
        .output
        .iter()
        .find(|o| o.name() == name)
        .ok_or_else(|| ManifestError::Missing("output", name.to_owned()))?;
    let shape = match output.r#type.as_ref().and_then(|t| t.value.as_ref()) {
        Some(type_proto::Value::TensorType(t)) => t.shape.as_ref(),
        _ => None,
    };
    if let Some(shape) = shape {
        use super::onnx::tensor_shape_proto::dimension::Value;
        if shape.dim.len() > 2 {
            return Err(VetError::Detector(format!("output \"{name}\" has {} dimensions", shape.dim.len())));
        }
        if let Some(Value::DimValue(width)) = shape.dim.last().and_then(|d| d.value.as_ref())
            && usize::try_from(*width) != Ok(labels)
        {
            return Err(VetError::LabelCount { labels, outputs: usize::try_from(*width).unwrap_or(0) });
        }
    }
    // The last layer's bias tells the width where the shape does not.
    let width = graph.node.iter().rev().find(|n| n.output.iter().any(|o| o == name)).and_then(|n| {
        let bias = n.input.get(2)?;
        graph.initializer.iter().find(|t| t.name() == bias && t.dims.len() == 1)?.dims.first().copied()
    });
    match width.and_then(|w| usize::try_from(w).ok()) {
        Some(outputs) if outputs != labels => Err(VetError::LabelCount { labels, outputs }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::embedded_bytes;
    use crate::model::onnx::{NodeProto, StringStringEntryProto};

    fn changed(change: impl FnOnce(&mut ModelProto)) -> Result<VettedModel, VetError> {
        let mut model = ModelProto::decode(embedded_bytes()).expect("decodes");
        change(&mut model);
        vet(&model.encode_to_vec(), Digest([0; 32]))
    }

    fn with_manifest(change: impl FnOnce(&mut serde_json::Value)) -> Result<VettedModel, VetError> {
        changed(|m| {
            let p = m.metadata_props.iter_mut().find(|p| p.key() == MANIFEST_KEY).expect("manifest");
            let mut value = serde_json::from_str(p.value()).expect("JSON");
            change(&mut value);
            p.value = Some(value.to_string());
        })
    }

    #[test]
    fn the_embedded_model_passes_with_its_labels_in_its_own_order() {
        let model = changed(|_| ()).expect("passes");
        assert_eq!(model.card().classes.labels(), ["basophil", "eosinophil", "lymphocyte", "monocyte", "neutrophil"]);
        assert_eq!(model.card().tensor.size, 128);
        assert!(matches!(model.card().preprocessing, Preprocessing::CellSquare(_)));
        assert!(model.card().to_text().contains("Clip"));
    }

    use crate::domain::Preprocessing;

    #[test]
    fn every_hostile_model_has_its_own_refusal() {
        assert!(matches!(vet(b"hello", Digest([0; 32])), Err(VetError::NotOnnx)));
        let bytes = embedded_bytes();
        assert_eq!(vet(&bytes[..bytes.len() / 2], Digest([0; 32])).err(), Some(VetError::Truncated));
        let graph = |f: fn(&mut crate::model::onnx::GraphProto)| changed(|m| f(m.graph.as_mut().expect("graph"))).err();
        assert!(matches!(
            graph(|g| {
                g.initializer[0]
                    .external_data
                    .push(StringStringEntryProto { key: Some("location".into()), value: Some("/etc/passwd".into()) });
            }),
            Some(VetError::ExternalData(_))
        ));
        assert!(matches!(graph(|g| g.initializer[0].dims[0] += 1), Some(VetError::WeightSize(_))));
        assert!(matches!(graph(|g| g.initializer[0].dims = vec![i64::MAX, 9]), Some(VetError::WeightSize(_))));
        assert!(matches!(graph(|g| g.node[0].domain = Some("evil".into())), Some(VetError::ForeignDomain(..))));
        assert!(matches!(graph(|g| g.node[0].op_type = Some("Loop".into())), Some(VetError::ControlFlow(_))));
        assert!(matches!(graph(|g| g.node.swap(0, 5)), Some(VetError::Graph(..))));
        assert!(matches!(
            graph(|g| {
                let n = g.node[0].clone();
                g.node.push(n);
            }),
            Some(VetError::Graph(..))
        ));
        assert!(matches!(
            graph(|g| g.node.push(NodeProto { op_type: Some("NonMaxSuppression".into()), ..NodeProto::default() })),
            Some(VetError::Detector(_))
        ));
        assert!(matches!(
            graph(|g| {
                let t = g.initializer[0].clone();
                g.initializer.push(t);
            }),
            Some(VetError::Graph(..))
        ));
    }

    #[test]
    fn labels_are_never_guessed() {
        assert_eq!(
            with_manifest(|m| m["labels"] = serde_json::json!(["a", "b", "c"])).err(),
            Some(VetError::LabelCount { labels: 3, outputs: 6 })
        );
        assert_eq!(changed(|m| m.metadata_props.retain(|p| p.key() != MANIFEST_KEY)).err(), Some(VetError::NoManifest));
        assert_eq!(with_manifest(|m| m["schema"] = 99.into()).err(), Some(VetError::NewerSchema(99)));
        assert!(matches!(with_manifest(|m| m["input"]["layout"] = "CHWN".into()), Err(VetError::Manifest(_))));
        assert!(matches!(with_manifest(|m| m["preprocessing"]["version"] = 7.into()), Err(VetError::Manifest(_))));
        assert!(matches!(
            with_manifest(|m| m["input"]["std"] = serde_json::json!([0, 1, 1])),
            Err(VetError::Manifest(_))
        ));
    }

    #[test]
    fn not_a_white_cell_is_an_output_and_no_class() {
        let bytes = embedded_bytes();
        let like = |labels: &[&str], counts_as: &[&str]| {
            let owned = |all: &[&str]| all.iter().map(|l| (*l).to_owned()).collect::<Vec<String>>();
            let mut manifest = manifest_of(&look(bytes).expect("ONNX").model).expect("a manifest");
            (manifest.labels, manifest.counts_as) = (owned(labels), owned(counts_as));
            classes_of(&manifest).map(|(classes, outputs)| (classes.labels().join(","), outputs))
        };
        let (classes, outputs) = like(&["neutrophil", "Not a white cell", "monocyte"], &[]).expect("fits");
        assert_eq!((classes.as_str(), outputs), ("neutrophil,monocyte", vec![Some(0), None, Some(1)]));
        let (classes, outputs) =
            like(&["a", "b", "c"], &["x", "not a white cell", "x"]).expect("one class is a class like another");
        assert_eq!((classes.as_str(), outputs), ("x,not a white cell", vec![Some(0), Some(1), Some(0)]));
        let (classes, outputs) = like(&["white cell", "not a white cell"], &[]).expect("fits");
        assert_eq!((classes.as_str(), outputs.len()), ("white cell,not a white cell", 0));
    }
}
