//! A model as NVIDIA's Triton Inference Server takes it: `config.pbtxt`, the classes, the file itself. Bytes only; nothing is
//! written and nothing runs here. Format: the server's `ModelConfig` (model_config.proto), backend `onnxruntime`.

use super::onnx::{GraphProto, ModelProto, ValueInfoProto, tensor_proto::DataType, tensor_shape_proto, type_proto};
use super::vet::{OutputKind, VettedModel};
use prost::Message as _;
use std::fmt::Write as _;

/// Images that the server may put together in one run.
const BATCH: usize = 32;
/// The file of the classes, a line each.
const LABELS: &str = "labels.txt";

/// A model's folder in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TritonModel {
    pub name: String,
    /// Its files, by their path below it.
    pub files: Vec<(&'static str, Vec<u8>)>,
}

/// Why a model cannot be written for the server: its graph says less than the server wants to know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TritonError {
    /// No ONNX, or nothing in it.
    #[error("the file has no graph")]
    NoGraph,
    /// The input that the card names is not there.
    #[error("the graph has no input \"{0}\"")]
    NoInput(String),
    #[error("the graph wants more than one input")]
    Inputs,
    /// An input or output without a shape.
    #[error("the graph does not say the shape of \"{0}\"")]
    NoShape(String),
    /// An input or output of an ONNX type that has no word here.
    #[error("\"{0}\" is of type {1}, which is not known here")]
    Type(String, i32),
}

/// The model's folder in a repository.
///
/// # Errors
/// [`TritonError`].
pub fn triton_files(model: &VettedModel) -> Result<TritonModel, TritonError> {
    let proto = ModelProto::decode(model.bytes()).map_err(|_| TritonError::NoGraph)?;
    let graph = proto.graph.as_ref().ok_or(TritonError::NoGraph)?;
    let card = model.card();
    let kept: String = card.name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
    let name = kept.trim_matches('_').to_owned();
    let name = if name.is_empty() { "model".to_owned() } else { name };
    let (OutputKind::Logits(scores) | OutputKind::Probabilities(scores)) = model.output();
    // The server gives the outputs as they are: by the model's own names, where several count as one here.
    let mut labels = card.output_labels().join("\n");
    labels.push('\n');
    let config = config(graph, &name, &card.input_name, scores)?;
    let files = vec![
        ("config.pbtxt", config.into_bytes()),
        (LABELS, labels.into_bytes()),
        ("1/model.onnx", model.bytes().to_vec()),
    ];
    Ok(TritonModel { name, files })
}

fn config(graph: &GraphProto, name: &str, input: &str, scores: &str) -> Result<String, TritonError> {
    let constant: Vec<&str> = graph.initializer.iter().map(|t| t.name()).collect();
    let find = |all: &[ValueInfoProto], name: &str| all.iter().find(|v| v.name() == name).cloned();
    let value = find(&graph.input, input).ok_or_else(|| TritonError::NoInput(input.to_owned()))?;
    if graph.input.iter().any(|i| i.name() != input && !constant.contains(&i.name())) {
        return Err(TritonError::Inputs);
    }
    let (kind, dims) = shape(&value)?;
    // An open first dimension is the batch, which the server adds by itself; a closed one is a dimension like the others.
    let batched = dims.first().is_some_and(Option::is_none);
    let mut t = format!(
        "# Research use only. The client cuts and balances the cell's square as the model's card says; `leukoscope inspect`.\nname: \"{name}\"\nbackend: \"onnxruntime\"\nmax_batch_size: {}\n",
        if batched { BATCH } else { 0 }
    );
    let mut block = |what: &str, value: &ValueInfoProto, kind: &str, dims: &[Option<i64>], labels: bool| {
        let own = if batched { dims.get(1..).unwrap_or_default() } else { dims };
        let dims: Vec<String> = own.iter().map(|d| d.unwrap_or(-1).to_string()).collect();
        let labels = if labels { format!("    label_filename: \"{LABELS}\"\n") } else { String::new() };
        let _ = write!(
            t,
            "{what} [\n  {{\n    name: \"{}\"\n    data_type: {kind}\n    dims: [ {} ]\n{labels}  }}\n]\n",
            value.name(),
            dims.join(", ")
        );
    };
    block("input", &value, kind, &dims, false);
    for output in &graph.output {
        let (kind, dims) = shape(output)?;
        block("output", output, kind, &dims, output.name() == scores);
    }
    if batched {
        t.push_str("dynamic_batching { }\n");
    }
    Ok(t)
}

/// Type in the server's words, and dimensions; none for one that is open.
fn shape(value: &ValueInfoProto) -> Result<(&'static str, Vec<Option<i64>>), TritonError> {
    let unknown = || TritonError::NoShape(value.name().to_owned());
    let Some(type_proto::Value::TensorType(t)) = value.r#type.as_ref().and_then(|t| t.value.as_ref()) else {
        return Err(unknown());
    };
    let kind = match t.elem_type() {
        x if x == DataType::Float as i32 => "TYPE_FP32",
        x if x == DataType::Float16 as i32 => "TYPE_FP16",
        x if x == DataType::Uint8 as i32 => "TYPE_UINT8",
        x if x == DataType::Int64 as i32 => "TYPE_INT64",
        x => return Err(TritonError::Type(value.name().to_owned(), x)),
    };
    let dims = t.shape.as_ref().ok_or_else(unknown)?.dim.iter().map(|d| match &d.value {
        Some(tensor_shape_proto::dimension::Value::DimValue(v)) if *v > 0 => Some(*v),
        _ => None,
    });
    Ok((kind, dims.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundled_models_folder_is_what_the_server_reads() {
        let bytes = super::super::embedded_bytes();
        let model = super::super::vet(bytes, crate::files::digest_of(bytes)).expect("vetted");
        let TritonModel { name, files } = triton_files(&model).expect("its shapes are known");
        assert!(!name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'), "{name}");
        let text = |at: usize| String::from_utf8(files[at].1.clone()).expect("text");
        let config = text(0);
        for line in [
            "backend: \"onnxruntime\"",
            "max_batch_size: 32",
            "    name: \"input\"\n    data_type: TYPE_FP32\n    dims: [ 3, 128, 128 ]",
            "    name: \"logits\"\n    data_type: TYPE_FP32\n    dims: [ 6 ]\n    label_filename: \"labels.txt\"",
            "    name: \"features\"\n    data_type: TYPE_FP32\n    dims: [ 1280 ]",
            "dynamic_batching { }",
        ] {
            assert!(config.contains(line), "{line}\n{config}");
        }
        assert_eq!(config.matches(['{', '[']).count(), config.matches(['}', ']']).count());
        assert_eq!((text(1).lines().count(), files[2].1.as_slice()), (6, bytes));
    }
}
