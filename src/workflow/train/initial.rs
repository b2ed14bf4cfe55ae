//! Where training starts from: the bundled model, a model of ours, or a bare backbone, read by its structure and
//! checked against ONNX Runtime before anything is learnt.

use super::super::UserError;
use crate::domain::{CellPreprocessing, ClassSet, Digest, Preprocessing, TensorSpec, WholePreprocessing};
use crate::files::{digest_of, display_name, display_path, read_bounded};
use crate::inference::run_graph;
use crate::model::{
    EMBEDDED_NAME, MAX_MODEL_BYTES, Network, ReadNetwork, TrainingRecord, VetError, VettedGraph, VettedModel,
    embedded_bytes, read_network, vet, vet_graph,
};
use crate::training::{CpuEngine, Net, RecipeKind};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Largest difference from ONNX Runtime's answer, relative to the largest number of the answer (at least 1).
const AGREEMENT: f32 = 1e-4;
/// Pixels a side for a bare backbone that is trained through some of its layers.
const BACKBONE_SIDE: usize = 128;

/// What the network sees of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum InputKind {
    /// The square of its most evident cell.
    Cell,
    /// All of it, stretched.
    Whole,
}

/// A starting point.
#[derive(Debug, Clone)]
pub struct InitialModel {
    pub name: String,
    pub digest: Digest,
    /// The network's shape, as read.
    pub network: Network,
    pub values: Vec<f32>,
    /// Labels of its outputs, where it has a head that names them.
    pub labels: Option<ClassSet>,
    /// What its input means.
    pub spec: TensorSpec,
    /// What happens before.
    pub preprocessing: Preprocessing,
    pub licence: String,
    /// The images that it learnt from, where it says; an empty record for a bare backbone.
    pub record: Option<TrainingRecord>,
    /// The file as it is, where it is a model with a card.
    pub model: Option<VettedModel>,
    /// Largest difference from ONNX Runtime on the same input.
    pub difference: f32,
}

/// The square that a model sees where its start says nothing: the bundled model's.
pub(super) fn usual_square() -> CellPreprocessing {
    CellPreprocessing::OURS
}

/// Reads a starting point; `None` is the bundled model.
///
/// # Errors
/// What is wrong with the file, in words.
pub fn load_initial_model(
    path: Option<&Path>,
    kind: RecipeKind,
    input: Option<InputKind>,
    side: Option<usize>,
) -> Result<InitialModel, UserError> {
    let shown =
        path.map_or_else(|| "the bundled model".to_owned(), |p| format!("the starting model {}", display_path(p)));
    let refuse = |e: &dyn std::fmt::Display| UserError::new(format!("{shown} is refused: {e}"));
    let (bytes, digest, file) = match path {
        None => (embedded_bytes().to_vec(), digest_of(embedded_bytes()), EMBEDDED_NAME.to_owned()),
        Some(p) => {
            let s = read_bounded(p, MAX_MODEL_BYTES).map_err(|e| refuse(&e))?;
            (s.bytes, s.digest, display_name(p))
        }
    };
    let (model, graph) = match vet(&bytes, digest) {
        Ok(model) => (Some(model.clone()), model.graph()),
        Err(VetError::NoManifest) => (None, vet_graph(&bytes).map_err(|e| refuse(&e))?),
        Err(e) => return Err(refuse(&e)),
    };
    let card = model.as_ref().map(VettedModel::card);
    let read = read_network(&graph).map_err(|e| refuse(&e))?;
    let square = usual_square();
    let record = card.as_ref().map_or_else(|| Some(TrainingRecord::default()), |c| c.trained_on.clone());
    let (mut spec, mut preprocessing, labels, name, licence) = match card {
        Some(card) => {
            let labels = ClassSet::new(card.output_labels().to_vec()).ok().filter(|l| l.len() == read.network.classes);
            (card.tensor.clone(), card.preprocessing.clone(), labels, card.name.clone(), card.licence.clone())
        }
        None => {
            // The paper's recipe sees what the backbone was made for; layers that are trained are trained at a size
            // that a laptop can bear.
            let own = read.side.unwrap_or(224);
            let size = if kind == RecipeKind::Head { own } else { BACKBONE_SIDE };
            let spec = TensorSpec { size, channels_first: true, bgr: false, mean: [127.5; 3], std: [127.5; 3] };
            (spec, Preprocessing::CellSquare(square.clone()), None, file, String::new())
        }
    };
    spec.size = side.unwrap_or(spec.size);
    match input {
        Some(InputKind::Whole) => preprocessing = Preprocessing::WholeImage(WholePreprocessing::default()),
        Some(InputKind::Cell) if matches!(preprocessing, Preprocessing::WholeImage(_)) => {
            preprocessing = Preprocessing::CellSquare(square);
        }
        _ => {}
    }
    let difference = difference_from_runtime(&graph, &read, read.side.unwrap_or(spec.size))?;
    if difference.is_nan() || difference > AGREEMENT {
        return Err(refuse(&format!(
            "its answer here differs by {difference:e} from ONNX Runtime's, more than {AGREEMENT:e}: it is not the network it seems to be"
        )));
    }
    Ok(InitialModel {
        name,
        digest,
        network: read.network,
        values: read.values,
        labels,
        spec,
        preprocessing,
        licence,
        record,
        model,
        difference,
    })
}

/// The largest difference between ONNX Runtime's answer and that of the network as it was understood, to the same two images of `side`
/// pixels, relative to the largest number of the answer (at least 1).
fn difference_from_runtime(graph: &VettedGraph, read: &ReadNetwork, side: usize) -> Result<f32, UserError> {
    let (n, pixels) = (2, side * side);
    let mut random = fastrand::Rng::with_seed(11);
    let planes: Vec<f32> = (0..n * 3 * pixels).map(|_| random.f32() * 2.0 - 1.0).collect();
    let rows: Vec<f32> = (0..n)
        .flat_map(|i| (0..pixels).flat_map(move |p| (0..3).map(move |c| (i * 3 + c) * pixels + p)))
        .map(|at| planes[at])
        .collect();
    let expected = run_graph(graph, (&read.input, &read.output), (n, side), planes)?;
    let engine = CpuEngine::new(Net::new(&read.network, side), 0, 0)?;
    let got = if read.network.classes > 0 {
        engine.logits(&read.values, &rows)
    } else {
        engine.prefix(&read.values, read.network.layers.len(), &rows)
    };
    if expected.len() != got.len() {
        return Ok(f32::INFINITY);
    }
    let scale = expected.iter().fold(1f32, |m, v| m.max(v.abs()));
    Ok(expected.iter().zip(&got).fold(0f32, |m, (a, b)| m.max((a - b).abs())) / scale)
}

impl InitialModel {
    /// The network with an output for each of `labels` and the numbers to start from: known classes keep their row of
    /// the head, new ones get a small random one. `new_head` begins a head of `hidden` anew, as the paper does.
    pub fn with_head(&self, labels: &ClassSet, new_head: bool, seed: u64) -> (Network, Vec<f32>) {
        let keeps = !new_head && self.network.hidden > 0;
        let mut network = self.network.clone();
        network.classes = labels.len();
        if !keeps {
            network.hidden = HIDDEN;
        }
        let mut values = self.values[..network.backbone_len()].to_vec();
        let mut random = fastrand::Rng::with_seed(seed ^ 0x6865_6164);
        // Glorot & Bengio 2010, as Keras starts a dense layer.
        let mut glorot = |inputs: usize, outputs: usize, n: usize| -> Vec<f32> {
            let limit = (6.0 / (inputs + outputs) as f32).sqrt();
            (0..n).map(|_| (random.f32() * 2.0 - 1.0) * limit).collect()
        };
        let (f, h, c) = (network.features(), network.hidden, labels.len());
        let mut output = glorot(h, c, h * c);
        let mut bias = vec![0.0; c];
        if keeps {
            let head = &self.values[self.network.backbone_len()..];
            let [hw, hb, ow, _] = self.network.head_lens();
            values.extend_from_slice(&head[..hw + hb]);
            let (old, old_bias) = (&head[hw + hb..], &head[hw + hb + ow..]);
            for (i, label) in labels.labels().iter().enumerate() {
                let known = self.labels.as_ref().and_then(|l| l.labels().iter().position(|k| k == label));
                if let Some(k) = known {
                    output[i * h..][..h].copy_from_slice(&old[k * h..][..h]);
                    bias[i] = old_bias[k];
                }
            }
        } else {
            values.extend(glorot(f, h, f * h));
            values.extend(vec![0.0; h]);
        }
        values.extend(output);
        values.extend(bias);
        (network, values)
    }
}

/// Width of a new hidden layer: the paper's.
const HIDDEN: usize = 128;
