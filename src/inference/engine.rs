//! One session of one model on one provider: tensors in, probabilities out.
//!
//! A provider that was asked for by name and cannot be had is an error. With `auto` every refusal is kept and told.

use super::choice::FAITHFUL;
use super::plugins::{Plugin, devices};
use super::provider::{Provider, ProviderError};
use super::runtime::{Runtime, RuntimeError, first_line};
use crate::domain::{Probabilities, TensorSpec};
use crate::imaging::RgbImage;
use crate::model::{ModelCard, OutputKind, VettedModel, self_test_image};
use ort::ep::{self, ExecutionProviderDispatch};
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use std::collections::BTreeMap;
use std::fmt;

/// How the message begins when a model's answer is not what its card promises.
const UNUSABLE: &str = "the model's answer is unusable";

/// Why a model could not be loaded or run.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EngineError {
    /// No library.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The provider cannot be had.
    #[error("the execution provider \"{provider}\" cannot be used here: {reason}. Use --provider auto or cpu")]
    Provider {
        provider: Provider,
        /// Why not.
        reason: ProviderError,
    },
    /// ONNX Runtime does not take the model.
    #[error("ONNX Runtime refuses the model: {0}")]
    Load(String),
    #[error("classifying failed: {0}")]
    Run(String),
    /// The model's answer is not what its card promises.
    #[error("{UNUSABLE}: {0}")]
    Output(String),
}

impl EngineError {
    /// Whether it is the model's own fault, wherever it runs.
    pub fn is_models_own(&self) -> bool {
        matches!(self, Self::Output(_))
    }
}

/// What was asked for, what was tried, what runs.
#[derive(Debug, Clone, PartialEq)]
pub struct EngineReport {
    /// What was asked for.
    pub requested: Provider,
    /// The provider that runs the network (most of its nodes).
    pub actual: Provider,
    /// Nodes of the graph by provider, read from the runtime's own record.
    pub nodes: Vec<(String, usize)>,
    /// Why this one and no other.
    pub notes: Vec<EngineNote>,
}

/// Why a provider runs, or another does not.
#[derive(Debug, Clone, PartialEq)]
pub enum EngineNote {
    /// The fastest of those that were measured here, at so many cells a second.
    Fastest(Provider, f64),
    /// Tried before, and why it is not used.
    NotUsed(Provider, String),
    /// It failed in the middle of a batch, after so many images; the processor goes on.
    Replaced { failed: Provider, images: usize, why: String },
}

impl fmt::Display for EngineNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fastest(provider, rate) => write!(f, "{provider} measured fastest here: {rate:.0} cells a second"),
            Self::NotUsed(provider, why) => write!(f, "{provider} not used: {why}"),
            Self::Replaced { failed, images, why } => {
                write!(f, "{failed} failed after {images} images ({why}); the processor does the rest")
            }
        }
    }
}

impl EngineReport {
    /// What runs: "cpu (102 of 102 nodes)".
    pub fn running(&self) -> String {
        let total: usize = self.nodes.iter().map(|(_, n)| n).sum();
        match self.nodes.first() {
            Some((_, n)) => format!("{} ({n} of {total} nodes)", self.actual),
            None => self.actual.to_string(),
        }
    }

    /// Whether another provider was tried and could not be used.
    pub fn others_failed(&self) -> bool {
        self.notes.iter().any(|n| !matches!(n, EngineNote::Fastest(..)))
    }

    /// One line for the user: "cpu (102 of 102 nodes); cuda not used: …".
    pub fn to_line(&self) -> String {
        let mut line = self.running();
        for note in &self.notes {
            line = format!("{line}; {note}");
        }
        line
    }
}

/// A loaded model.
#[derive(Debug)]
pub struct Engine {
    session: Session,
    model: VettedModel,
    report: EngineReport,
}

impl Engine {
    /// Loads a model on a provider, with `threads` threads inside one run.
    ///
    /// # Errors
    /// [`EngineError`]; with [`Provider::Auto`] only what the processor cannot do either.
    pub fn load(model: &VettedModel, provider: Provider, threads: usize) -> Result<Self, EngineError> {
        let runtime = Runtime::get()?;
        if provider != Provider::Auto {
            return Self::on(runtime, model, provider, threads, provider, Vec::new());
        }
        let mut notes = Vec::new();
        // What was measured here decides; what is usual is tried where nothing was.
        let measured = super::choice::measured_choice(model.card().digest);
        let usual;
        let tried: &[Provider] = match &measured {
            Some((best, rate)) => {
                notes.push(EngineNote::Fastest(*best, *rate));
                usual = [*best];
                if *best == Provider::Cpu { &[] } else { &usual }
            }
            None => candidates(),
        };
        for &candidate in tried {
            match Self::on(runtime, model, candidate, threads, provider, notes.clone()) {
                Ok(engine) => return Ok(engine),
                Err(EngineError::Provider { reason, .. }) => {
                    notes.push(EngineNote::NotUsed(candidate, reason.to_string()));
                }
                Err(other) => notes.push(EngineNote::NotUsed(candidate, other.to_string())),
            }
        }
        Self::on(runtime, model, Provider::Cpu, threads, provider, notes)
    }

    fn on(
        runtime: &'static Runtime,
        model: &VettedModel,
        provider: Provider,
        threads: usize,
        requested: Provider,
        notes: Vec<EngineNote>,
    ) -> Result<Self, EngineError> {
        let unusable = |reason| EngineError::Provider { provider, reason };
        let refused = |e: String| unusable(ProviderError::Refused(first_line(&e)));
        let place = placed(runtime, provider).map_err(unusable)?;
        let built = Session::builder(&runtime.environment)
            .map_err(|e| e.to_string())
            .and_then(|b| b.with_optimization_level(GraphOptimizationLevel::Level3).map_err(|e| e.to_string()))
            .and_then(|b| b.with_intra_threads(threads).map_err(|e| e.to_string()))
            .and_then(|b| b.with_intra_op_spinning(false).map_err(|e| e.to_string()))
            .and_then(|b| b.with_inter_op_spinning(false).map_err(|e| e.to_string()))
            .and_then(|b| {
                b.with_config_entry("session.record_ep_graph_assignment_info", "1").map_err(|e| e.to_string())
            })
            .map_err(EngineError::Load)?;
        let mut builder = match place {
            Placed::BuiltIn(dispatch) => {
                built.with_execution_providers([dispatch]).map_err(|e| refused(e.to_string()))?
            }
            Placed::Plugin(devices) => {
                // One device: more of them would share the graph out.
                built.with_devices(devices.into_iter().take(1), None).map_err(|e| refused(e.to_string()))?
            }
        };
        let session = builder.commit_from_memory(model.bytes()).map_err(|e| {
            if provider == Provider::Cpu { EngineError::Load(e.to_string()) } else { refused(e.to_string()) }
        })?;
        let nodes = assigned_nodes(&session);
        // A name that is none of ours is the one device's that was asked for.
        let actual = nodes.first().and_then(|(name, _)| Provider::of_runtime_name(name)).unwrap_or(provider);
        if provider != Provider::Cpu && actual == Provider::Cpu {
            return Err(unusable(ProviderError::TookNothing));
        }
        let report = EngineReport { requested, actual, nodes, notes };
        let mut engine = Self { session, model: model.clone(), report };
        // One answer before anybody waits for it: its shape must be what the card says.
        let n = 3 * model.card().tensor.size * model.card().tensor.size;
        engine.run(vec![0.0; n], 1)?;
        engine.self_test(provider)?;
        if provider != Provider::Cpu && model.card().self_test.is_none() {
            engine.agrees_with_cpu(runtime, provider)?;
        }
        Ok(engine)
    }

    /// A model without a self-test: the processor must give the same probabilities for the test image.
    fn agrees_with_cpu(&mut self, runtime: &'static Runtime, provider: Provider) -> Result<(), EngineError> {
        let model = self.model.clone();
        let mut cpu = Self::on(runtime, &model, Provider::Cpu, 1, Provider::Cpu, Vec::new())?;
        let tensor = self_test_tensor(&model.card().tensor);
        let (here, there) = (self.run(tensor.clone(), 1)?, cpu.run(tensor, 1)?);
        let far = difference(&here, &there);
        if far <= FAITHFUL {
            return Ok(());
        }
        Err(EngineError::Provider { provider, reason: ProviderError::Unfaithful(far) })
    }

    /// The model's own self-test: the image it carries must give the probabilities it carries, on this provider.
    fn self_test(&mut self, provider: Provider) -> Result<(), EngineError> {
        let card = self.model.card().clone();
        let Some(test) = &card.self_test else { return Ok(()) };
        // 8-bit copies of the first version carry logits made for a calibration that was applied to raw ones. Where the model also says
        // "not a white cell", that is an answer among the others here: the network is tested, not what is made of it.
        let answered = |logits: &[f32]| match &card.calibration {
            Some(c) if !c.says_its_input() => Probabilities::from_logits(&c.scaled(logits)),
            Some(c) if !card.judges() => c.apply(&Probabilities::from_logits(logits)?),
            _ => Probabilities::from_logits(logits),
        };
        let logits = matches!(self.model.output(), OutputKind::Logits(_)) && !card.merges();
        let wide = if logits { card.outputs_wide() } else { card.classes.len() };
        let expected = answered(&test.logits)
            .filter(|p| p.values().len() == wide)
            .ok_or_else(|| EngineError::Load("the model's self-test is damaged".into()))?;
        let answer = self.predict(self_test_tensor(&card.tensor), 1)?.into_iter().next();
        // The image is no cell, and a network that is sure of it says hardly anything else: the classes are compared among themselves, too.
        let far_apart = |a: Option<Probabilities>, b: Option<Probabilities>| match (a, b) {
            (Some(a), Some(b)) => difference(&[a], &[b]),
            _ => f32::INFINITY,
        };
        let classes = |row: &[f32]| Some(read_outputs(row, self.model.output(), &card)?.0);
        let alone = match &answer {
            Some(a) if logits && card.judges() => far_apart(classes(&test.logits), classes(&a.output)),
            _ => 0.0,
        };
        let got = answer.and_then(|a| if logits { answered(&a.output) } else { Some(a.probabilities) });
        let far = far_apart(Some(expected), got).max(alone);
        if far <= test.tolerance {
            return Ok(());
        }
        let reason = ProviderError::SelfTest(far);
        Err(if provider == Provider::Cpu {
            EngineError::Load(reason.to_string())
        } else {
            EngineError::Provider { provider, reason }
        })
    }

    /// What runs where.
    pub fn report(&self) -> &EngineReport {
        &self.report
    }

    /// This session goes on where another provider failed.
    pub(super) fn took_over(&mut self, failed: Provider, images: usize, why: &str) {
        self.report.notes.push(EngineNote::Replaced { failed, images, why: first_line(why) });
    }

    /// Classifies `n` tensors laid out as the model's card says; one [`Probabilities`] each, in order.
    ///
    /// # Errors
    /// As [`Engine::predict`].
    pub fn run(&mut self, tensors: Vec<f32>, n: usize) -> Result<Vec<Probabilities>, EngineError> {
        Ok(self.predict(tensors, n)?.into_iter().map(|a| a.probabilities).collect())
    }

    /// The last feature map of one tensor, and whether its channels come first; `None` where the model does not give one.
    ///
    /// # Errors
    /// As [`Engine::predict`].
    pub fn feature_map(&mut self, tensor: Vec<f32>) -> Result<Option<(Vec<f32>, bool)>, EngineError> {
        let card = self.model.card();
        let Some((_, name)) = card.outputs.iter().find(|(meaning, _)| *meaning == "feature_map") else {
            return Ok(None);
        };
        let side = card.tensor.size;
        let shape = if card.tensor.channels_first { [1, 3, side, side] } else { [1, side, side, 3] };
        let input = ort::value::Tensor::from_array((shape, tensor)).map_err(|e| EngineError::Run(e.to_string()))?;
        let outputs = self
            .session
            .run(ort::inputs![card.input_name.as_str() => input])
            .map_err(|e| EngineError::Run(e.to_string()))?;
        let Some(value) = outputs.get(name.as_str()) else { return Ok(None) };
        let (shape, values) = value.try_extract_tensor::<f32>().map_err(|e| EngineError::Output(e.to_string()))?;
        // [1, channels, side, side] or [1, side, side, channels]: the two sides are the same.
        let channels_first = match &shape[..] {
            [1, _, h, w] if h == w => true,
            [1, h, w, _] if h == w => false,
            _ => return Ok(None),
        };
        Ok(Some((values.to_vec(), channels_first)))
    }

    /// One answer of several about views of one cell: the mean of their probabilities, calibrated; the rest is the first one's. `None`
    /// where there is none.
    pub(super) fn together(&self, views: &[Prediction]) -> Option<Prediction> {
        let card = self.model.card();
        let own = views.iter().map(|v| read_outputs(&v.output, self.model.output(), card).map(|(own, _)| own));
        let own: Vec<Probabilities> = own.collect::<Option<_>>()?;
        let first = views.first()?;
        let n = own.len() as f32;
        let mean = (0..card.classes.len()).map(|c| own.iter().map(|p| p.values()[c]).sum::<f32>() / n);
        let mean = Probabilities::new(mean.collect())?;
        let probabilities = match &card.calibration {
            None => mean,
            Some(calibration) => calibration.apply(&mean)?,
        };
        let flags = (0..first.flags.len()).map(|f| views.iter().map(|v| v.flags[f]).sum::<f32>() / n).collect();
        Some(Prediction { probabilities, flags, views: u8::try_from(views.len()).ok()?, ..first.clone() })
    }

    /// The probability of an answer's class before calibration.
    pub(super) fn sureness(&self, answer: &Prediction) -> f32 {
        read_outputs(&answer.output, self.model.output(), self.model.card()).map_or(1.0, |(own, _)| own.top().1)
    }

    /// Everything that the model says of `n` tensors, in order.
    ///
    /// # Errors
    /// [`EngineError::Run`] from the runtime; [`EngineError::Output`] when a value is not finite or the shape is not
    /// `[n, classes]`.
    pub fn predict(&mut self, tensors: Vec<f32>, n: usize) -> Result<Vec<Prediction>, EngineError> {
        match self.model.card().fixed_batch {
            Some(fixed) if fixed != n => {
                // The graph takes this many and no other number: the last ones are filled up with nothing.
                let one = tensors.len() / n.max(1);
                let mut all = Vec::with_capacity(n);
                for part in tensors.chunks(one * fixed) {
                    let mut full = part.to_vec();
                    full.resize(one * fixed, 0.0);
                    let answers = self.run_once(full, fixed)?;
                    all.extend(answers.into_iter().take(part.len() / one));
                }
                Ok(all)
            }
            _ => self.run_once(tensors, n),
        }
    }

    fn run_once(&mut self, tensors: Vec<f32>, n: usize) -> Result<Vec<Prediction>, EngineError> {
        let card = self.model.card();
        let (side, width) = (card.tensor.size, card.outputs_wide());
        let shape = if card.tensor.channels_first { [n, 3, side, side] } else { [n, side, side, 3] };
        let input = ort::value::Tensor::from_array((shape, tensors)).map_err(|e| EngineError::Run(e.to_string()))?;
        let (OutputKind::Logits(name) | OutputKind::Probabilities(name)) = self.model.output();
        let outputs = self
            .session
            .run(ort::inputs![card.input_name.as_str() => input])
            .map_err(|e| EngineError::Run(e.to_string()))?;
        let value = outputs.get(name.as_str()).ok_or_else(|| EngineError::Output(format!("no output \"{name}\"")))?;
        let (shape, values) = value.try_extract_tensor::<f32>().map_err(|e| EngineError::Output(e.to_string()))?;
        if values.len() != n * width {
            return Err(EngineError::Output(format!("shape {shape:?} for {n} images of {width} classes")));
        }
        // The pooled features, where the model has them and they have the shape that the card says.
        let features = card.features.as_ref().and_then(|name| outputs.get(name.as_str()));
        let features = match features.map(|v| v.try_extract_tensor::<f32>()) {
            Some(Ok((_, v))) if !v.is_empty() && v.len().is_multiple_of(n.max(1)) => v,
            _ => &[],
        };
        let wide = features.len() / n.max(1);
        values
            .chunks_exact(width)
            .enumerate()
            .map(|(i, row)| {
                let (own, doubt) = read_outputs(row, self.model.output(), card)?;
                let probabilities = match &card.calibration {
                    None => own,
                    Some(calibration) => calibration.apply(&own)?,
                };
                let features = features[i * wide..][..wide].to_vec();
                let flags = card.flags.iter().map_while(|f| f.excess(&features)).collect();
                let ood_score = card.ood.as_ref().and_then(|f| f.score(&features));
                Some(Prediction { probabilities, doubt, output: row.to_vec(), ood_score, features, flags, views: 1 })
            })
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| {
                EngineError::Output("values that are no probabilities (not a number, or not summing to one)".into())
            })
    }
}

/// The probabilities of the classes as one row of outputs has them, before calibration, and that of "not a white cell" where the model
/// says it. Outputs that count as one class are added; what is left without "not a white cell" is brought to a sum of one.
fn read_outputs(row: &[f32], kind: &OutputKind, card: &ModelCard) -> Option<(Probabilities, Option<f32>)> {
    let own = match kind {
        OutputKind::Logits(_) => Probabilities::from_logits(row),
        OutputKind::Probabilities(_) => Probabilities::new(row.to_vec()),
    }?;
    if card.output_classes.is_empty() {
        return Some((own, None));
    }
    if !card.judges() {
        return Some((merged(own.values(), card)?, None));
    }
    let outputs = own.values().iter().zip(&card.output_classes);
    let doubt = outputs.filter(|(_, class)| class.is_none()).map(|(p, _)| p).sum::<f32>().min(1.0);
    // Taken from the logits themselves, so that a square that is certainly no cell still says which class it would be.
    let cells: Vec<f32> = row
        .iter()
        .zip(&card.output_classes)
        .map(|(v, class)| match (class, kind) {
            (None, OutputKind::Logits(_)) => f32::MIN,
            (None, OutputKind::Probabilities(_)) => 0.0,
            (Some(_), _) => *v,
        })
        .collect();
    let rest = match kind {
        OutputKind::Logits(_) => Probabilities::from_logits(&cells)?,
        OutputKind::Probabilities(_) => {
            let sum: f32 = cells.iter().sum();
            let even = 1.0 / card.output_classes.iter().flatten().count() as f32;
            let share = |(v, class): (&f32, &Option<usize>)| match class {
                None => 0.0,
                Some(_) if sum > 0.0 => v / sum,
                Some(_) => even,
            };
            Probabilities::new(cells.iter().zip(&card.output_classes).map(share).collect())?
        }
    };
    Some((merged(rest.values(), card)?, Some(doubt)))
}

/// The probabilities of classes, where outputs are not simply the classes.
fn merged(own: &[f32], card: &ModelCard) -> Option<Probabilities> {
    let mut sums = vec![0.0; card.classes.len()];
    for (p, class) in own.iter().zip(&card.output_classes) {
        if let Some(class) = class {
            *sums.get_mut(*class)? += p;
        }
    }
    Probabilities::new(sums)
}

/// What a model says of one tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// Of the classes, as if the square did show a white cell. Calibrated, where the model is.
    pub probabilities: Probabilities,
    /// How probable it is that the square shows no white cell, or that it sits badly on one; `None` where the model does not say it.
    pub doubt: Option<f32>,
    /// What the network itself gave.
    pub output: Vec<f32>,
    /// How unlike the training images it is, as a share of the model's threshold; `None` where the model cannot tell.
    pub ood_score: Option<f32>,
    /// The pooled features; empty where the model does not give them.
    pub features: Vec<f32>,
    /// How far the log-odds of each of the model's flags lie above their thresholds.
    pub flags: Vec<f32>,
    /// Of how many views the probabilities are the mean.
    pub views: u8,
}

/// Largest difference of a probability between two sets of answers.
pub fn difference(a: &[Probabilities], b: &[Probabilities]) -> f32 {
    let each = a.iter().zip(b).flat_map(|(a, b)| a.values().iter().zip(b.values()));
    each.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// The self-test's image as a model's input.
pub fn self_test_tensor(spec: &TensorSpec) -> Vec<f32> {
    let side = u32::try_from(spec.size).unwrap_or(0);
    let image = RgbImage::from_raw(side, side, self_test_image(spec.size)).unwrap_or_default();
    let mut tensor = Vec::new();
    crate::imaging::tensor(&image, spec, &mut tensor);
    tensor
}

/// What `auto` tries before the processor, by system.
fn candidates() -> &'static [Provider] {
    if cfg!(target_os = "macos") {
        &[Provider::CoreMl]
    } else if cfg!(windows) {
        &[Provider::Cuda, Provider::DirectMl]
    } else {
        &[Provider::Cuda]
    }
}

/// How a session is put on a provider.
enum Placed {
    BuiltIn(ExecutionProviderDispatch),
    Plugin(Vec<ort::device::Device<'static>>),
}

fn placed(runtime: &'static Runtime, provider: Provider) -> Result<Placed, ProviderError> {
    match (dispatch(runtime, provider), Plugin::for_provider(provider)) {
        (Ok(built_in), _) => Ok(Placed::BuiltIn(built_in)),
        (Err(_), Some(plugin)) => Ok(Placed::Plugin(devices(runtime, &plugin)?)),
        (Err(why), None) => Err(why),
    }
}

fn dispatch(runtime: &Runtime, provider: Provider) -> Result<ExecutionProviderDispatch, ProviderError> {
    use ep::ExecutionProvider as _;
    let (name, dispatch) = match provider {
        // ort leaves the processor's arena off; with it a run costs fewer allocations.
        Provider::Cpu | Provider::Auto => (ep::CPU::NAME, ep::CPU::default().with_arena_allocator(true).build()),
        Provider::Cuda => (ep::CUDA::NAME, ep::CUDA::default().build()),
        Provider::TensorRt => (ep::TensorRT::NAME, ep::TensorRT::default().build()),
        Provider::CoreMl => (ep::CoreML::NAME, ep::CoreML::default().build()),
        Provider::DirectMl => (ep::DirectML::NAME, ep::DirectML::default().build()),
        Provider::WebGpu => (ep::WebGPU::NAME, ep::WebGPU::default().build()),
        Provider::OpenVino => (ep::OpenVINO::NAME, ep::OpenVINO::default().build()),
    };
    if !runtime.providers().contains(&name) {
        return Err(ProviderError::NotBuilt(name));
    }
    Ok(dispatch.error_on_failure())
}

/// Nodes by provider, most first, from the runtime's own record of the partition (ONNX Runtime 1.24 and newer).
#[expect(unsafe_code, reason = "ort has no safe call for the runtime's record of what runs where")]
fn assigned_nodes(session: &Session) -> Vec<(String, usize)> {
    use ort::AsPointer as _;
    let api = ort::api();
    let mut counts = BTreeMap::<String, usize>::new();
    // SAFETY: the session outlives the calls; the arrays and strings belong to the session and are only read here;
    // each call's status is checked before its output is used.
    unsafe {
        let ok = |status: ort::sys::OrtStatusPtr| {
            if status.0.is_null() {
                return true;
            }
            (api.ReleaseStatus)(status.0);
            false
        };
        let (mut parts, mut n) = (std::ptr::null(), 0usize);
        if !ok((api.Session_GetEpGraphAssignmentInfo)(session.ptr(), &raw mut parts, &raw mut n)) || parts.is_null() {
            return Vec::new();
        }
        for i in 0..n {
            let part = *parts.add(i);
            let mut name = std::ptr::null();
            let (mut nodes, mut count) = (std::ptr::null(), 0usize);
            if ok((api.EpAssignedSubgraph_GetEpName)(part, &raw mut name))
                && ok((api.EpAssignedSubgraph_GetNodes)(part, &raw mut nodes, &raw mut count))
                && !name.is_null()
            {
                let name = std::ffi::CStr::from_ptr(name).to_string_lossy().into_owned();
                *counts.entry(name).or_default() += count;
            }
        }
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ClassSet;

    /// The bundled model's card with other outputs: the classes "neutrophil" and "lymphocyte", and what each output counts as.
    fn card(output_classes: &[Option<usize>]) -> ModelCard {
        let model = crate::workflow::default_model().expect("model");
        let classes = ClassSet::new(vec!["neutrophil".into(), "lymphocyte".into()]).expect("two");
        ModelCard { classes, output_classes: output_classes.to_vec(), ..(**model.card()).clone() }
    }

    #[test]
    fn the_doubt_is_apart_and_the_classes_share_the_rest() {
        let card = card(&[Some(0), None, Some(1)]);
        let logits = OutputKind::Logits("logits".into());
        let (p, doubt) = read_outputs(&[2.0, 3.0, 1.0], &logits, &card).expect("finite");
        // scipy.special.softmax([2, 3, 1]) = 0.24472847, 0.66524096, 0.09003057; of [2, 1] = 0.73105858, 0.26894142 (SciPy 1.14)
        assert!((doubt.expect("judged") - 0.665_241).abs() < 1e-6);
        assert!((p.values()[0] - 0.731_058_6).abs() < 1e-6 && p.values().len() == 2);
        let again = card.over_outputs(&p, doubt).expect("one output each");
        for (a, b) in again.values().iter().zip([0.244_728_5, 0.665_241, 0.090_030_6]) {
            assert!((a - b).abs() < 1e-6, "{again:?}");
        }
        let given = OutputKind::Probabilities("p".into());
        let (p, doubt) = read_outputs(&[0.2, 0.6, 0.2], &given, &card).expect("sums to one");
        assert!((doubt.expect("judged") - 0.6).abs() < 1e-6 && (p.values()[0] - 0.5).abs() < 1e-6);
        let (p, _) = read_outputs(&[0.0, 1.0, 0.0], &given, &card).expect("certainly no cell");
        assert!((p.values()[1] - 0.5).abs() < 1e-6, "nothing is said of the classes");
    }

    #[test]
    fn outputs_that_count_as_one_class_are_added_and_cannot_be_told_apart() {
        let card = card(&[Some(0), Some(0), Some(1), None]);
        assert!(card.merges() && card.judges() && card.output_of(1) == Some(2) && card.output_of(0).is_none());
        let given = OutputKind::Probabilities("p".into());
        let (p, doubt) = read_outputs(&[0.2, 0.3, 0.25, 0.25], &given, &card).expect("sums to one");
        assert!((p.values()[0] - 2.0 / 3.0).abs() < 1e-6 && doubt == Some(0.25));
        assert!(card.over_outputs(&p, doubt).is_none());
    }
}
