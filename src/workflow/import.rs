//! Opening anybody's classifier: its own manifest, an answer that was kept, its keys, the files beside it, its structure, and
//! what is left as questions. The answer is kept beside the program by the file's digest; the file itself is never changed.

use super::UserError;
use super::output::{write_output, write_own};
use super::rewrite::rewritten;
use crate::domain::Digest;
use crate::domain::Square;
use crate::files::{data_file, display_path, read_bounded, remove_file, same_file};
use crate::imaging::{self, CellSource, RgbImage};
use crate::inference::{Engine, Provider, decode_file, self_test_tensor};
use crate::metrics::Interval;
use crate::model::{
    Answers, ContractPart, Crop, Draft, Facts, MAX_MODEL_BYTES, Manifest, Normalization, OnnxFacts, Question, SIDECARS,
    SelfTest, Sidecar, Source, VetError, VettedModel, vet, vet_as,
};
use std::path::{Path, PathBuf};

/// A file beside a model may have this many bytes.
const MAX_SIDECAR: u64 = 4 << 20;
/// Probabilities of a copy's self-test may differ by this much, over providers and versions of the runtime.
const TOLERANCE: f32 = 0.02;

/// One contract, tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    /// What the values are.
    pub scaling: Normalization,
    /// What of an image the model sees.
    pub crop: Crop,
    /// Labels of the outputs, where they were found by trying, too.
    pub labels: Option<Vec<String>>,
    /// Images seen.
    pub n: usize,
    /// Images right; one without a cell to cut is wrong.
    pub right: usize,
    /// Of the share right, Wilson 95 %.
    pub interval: Interval,
}

impl Tried {
    /// The share right.
    pub fn accuracy(&self) -> f64 {
        crate::metrics::share(self.right, self.n)
    }
}

/// What became of opening a file.
#[derive(Debug, Clone)]
pub enum OpenedModel {
    /// It can be used.
    Model(VettedModel),
    /// It is a classifier of which something has to be asked.
    NeedsInput(Box<ModelImport>),
}

/// Somebody else's model, and what is known and was said of it.
#[derive(Debug, Clone)]
pub struct ModelImport {
    path: PathBuf,
    onnx: OnnxFacts,
    sidecars: Vec<Sidecar>,
    /// What the user says of it.
    pub answers: Answers,
    /// What trying found.
    tried: Option<Tried>,
}

/// What a model that is being asked about makes of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// What it sees.
    pub image: RgbImage,
    /// Labels, or numbers of outputs, with probabilities, the largest first; empty while the values are not known.
    pub answers: Vec<(String, f32)>,
}

impl PartialEq for ModelImport {
    fn eq(&self, other: &Self) -> bool {
        (&self.path, self.digest(), &self.answers, &self.tried)
            == (&other.path, other.digest(), &other.answers, &other.tried)
    }
}

impl ModelImport {
    /// Reads a model file that carries no manifest of ours, and what lies beside it.
    ///
    /// # Errors
    /// What is wrong with the file, and what to do about it.
    pub fn read(path: &Path) -> Result<Self, UserError> {
        let snapshot = read_bounded(path, MAX_MODEL_BYTES).map_err(|e| refused(path, &e))?;
        Self::new(path, &snapshot.bytes, snapshot.digest).map_err(|e| refused(path, &e))
    }

    fn new(path: &Path, bytes: &[u8], digest: Digest) -> Result<Self, VetError> {
        let onnx = OnnxFacts::look(bytes, digest)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let beside = |name: &&str| {
            let snapshot = read_bounded(&folder.join(name), MAX_SIDECAR).ok()?;
            Sidecar::read(name, &snapshot.bytes)
        };
        Ok(Self {
            path: path.to_owned(),
            onnx,
            sidecars: SIDECARS.iter().filter_map(beside).collect(),
            answers: Answers::default(),
            tried: None,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// SHA-256 of the file.
    pub fn digest(&self) -> Digest {
        self.onnx.digest()
    }

    /// The file's bytes, which were looked at.
    pub(super) fn bytes(&self) -> &[u8] {
        self.onnx.bytes()
    }

    /// What it is called until it is given another name: its file's, or its folder's where the file is called like all others.
    pub fn name(&self) -> String {
        let word = |p: Option<&std::ffi::OsStr>| p.map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let stem = word(self.path.file_stem());
        let folder = word(self.path.parent().and_then(Path::file_name));
        if matches!(stem.to_lowercase().as_str(), "model" | "saved_model" | "best" | "network") && !folder.is_empty() {
            folder
        } else {
            stem
        }
    }

    /// What the file says.
    pub fn facts(&self) -> &Facts {
        self.onnx.facts()
    }

    /// What is known of it, with what was said.
    pub fn draft(&self) -> Draft {
        let mut draft = Draft::new(self.facts(), &self.sidecars, &self.answers);
        let Some(tried) = &self.tried else { return draft };
        // What was tried was not said.
        for e in draft.evidence.iter_mut().filter(|e| e.source == Source::User) {
            let found = match e.part {
                ContractPart::Normalization => self.answers.scaling == Some(tried.scaling),
                ContractPart::Crop => self.answers.crop.as_ref() == Some(&tried.crop),
                ContractPart::Labels => tried.labels.is_some() && self.answers.labels == tried.labels,
                ContractPart::Output | ContractPart::Size => false,
            };
            if found {
                e.source = Source::Tried { right: tried.right, n: tried.n };
            }
        }
        draft
    }

    /// Takes what trying found, where the person did not say it.
    pub fn take(&mut self, tried: &Tried) {
        self.answers.scaling.get_or_insert(tried.scaling);
        self.answers.crop.get_or_insert_with(|| tried.crop.clone());
        if let Some(labels) = &tried.labels {
            self.answers.labels.get_or_insert_with(|| labels.clone());
        }
        self.tried = Some(tried.clone());
    }

    /// What is left to be asked.
    pub fn questions(&self) -> Vec<Question> {
        self.draft().questions(self.facts())
    }

    /// The manifest that follows from what is known.
    ///
    /// # Errors
    /// The questions that are open.
    pub fn manifest(&self) -> Result<Manifest, UserError> {
        let draft = self.draft();
        draft.manifest(self.facts(), &self.name()).ok_or_else(|| {
            let open: Vec<String> = draft.questions(self.facts()).iter().map(Question::to_text).collect();
            UserError::new(format!(
                "{} is a classifier, and something has to be asked before it can be used. {}",
                display_path(&self.path),
                open.join(" ")
            ))
        })
    }

    /// The model as it follows from what is known.
    ///
    /// # Errors
    /// The questions that are open, or what does not fit.
    pub fn model(&self) -> Result<VettedModel, UserError> {
        let manifest = self.manifest()?;
        vet_as(self.onnx.bytes(), self.onnx.digest(), &manifest).map_err(|e| refused(&self.path, &e))
    }

    /// The same graph with stand-ins for what is not known: for running it while it is still being asked about. Values and cuts are
    /// made by whoever runs it.
    pub(super) fn stand_in(&self, width: usize) -> Result<VettedModel, UserError> {
        let mut other = self.clone();
        other.tried = None;
        other.answers.scaling = Some(Normalization::UNIT);
        let labels = other.draft().labels;
        other.answers.labels = labels.or_else(|| Some((0..width).map(|i| format!("output {i}")).collect()));
        let mut manifest = other.manifest()?;
        manifest.counts_as = Vec::new();
        vet_as(self.bytes(), self.digest(), &manifest).map_err(|e| refused(&self.path, &e))
    }

    /// What the model sees of an image as far as it is known, and what it answers.
    ///
    /// # Errors
    /// When the image cannot be read, or the model not be run.
    pub fn preview(&self, image: &Path) -> Result<Preview, UserError> {
        let shown = display_path(image);
        let (decoded, _) = decode_file(image).map_err(|(_, e)| UserError::new(format!("{shown}: {e}")))?;
        let draft = self.draft();
        let size = draft.size.unwrap_or(224);
        let image = framed(&decoded.image, &draft.crop, None, size)
            .ok_or_else(|| UserError::new(format!("{shown}: nothing in it looks like a white cell to cut out")))?;
        let mut answers = Vec::new();
        if let (Some(scaling), Some(_), Some(output_head)) = (draft.scaling, draft.size, &draft.output_head) {
            let width = draft.labels.as_ref().map(Vec::len).or(output_head.width).unwrap_or(0);
            let model = self.stand_in(width)?;
            let mut engine = Engine::load(&model, Provider::Cpu, 1)?;
            let mut tensor = Vec::new();
            imaging::tensor(&image, &scaling.tensor(size, self.facts().channels_first), &mut tensor);
            let found = engine.run(tensor, 1)?;
            if let Some(p) = found.first() {
                answers = model.card().classes.labels().iter().cloned().zip(p.values().iter().copied()).collect();
                answers.sort_by(|a: &(String, f32), b| b.1.total_cmp(&a.1));
            }
        }
        Ok(Preview { image, answers })
    }

    /// Keeps what is known of it beside the program, for the next time that a file with these bytes is opened.
    ///
    /// # Errors
    /// The questions that are open, or that it cannot be written.
    pub fn keep(&self) -> Result<VettedModel, UserError> {
        let model = self.model()?;
        let place = kept_place(self.onnx.digest())?;
        let text = serde_json::to_vec_pretty(&self.manifest()?)?;
        write_own(&place, &text)?;
        Ok(model)
    }
}

/// Opens a model file; what has to be asked of somebody else's comes back as a question.
///
/// # Errors
/// What is wrong with the file, and what to do about it.
pub fn look_at_model(path: &Path) -> Result<OpenedModel, UserError> {
    let snapshot = read_bounded(path, MAX_MODEL_BYTES).map_err(|e| refused(path, &e))?;
    match vet(&snapshot.bytes, snapshot.digest) {
        Ok(model) => return Ok(OpenedModel::Model(model)),
        Err(VetError::NoManifest) => {}
        Err(e) => return Err(refused(path, &e)),
    }
    if let Some(kept) = kept_answer(snapshot.digest) {
        return vet_as(&snapshot.bytes, snapshot.digest, &kept).map(OpenedModel::Model).map_err(|e| {
            refused(path, &format!("{e} (as it was answered before; \"leukoscope adopt --forget\" forgets that)"))
        });
    }
    let import = ModelImport::new(path, &snapshot.bytes, snapshot.digest).map_err(|e| refused(path, &e))?;
    if import.questions().is_empty() {
        import.model().map(OpenedModel::Model)
    } else {
        Ok(OpenedModel::NeedsInput(Box::new(import)))
    }
}

/// Forgets what was answered of a model file; whether there was anything.
///
/// # Errors
/// When the file cannot be read, or the answer cannot be removed.
pub fn forget_answer(path: &Path) -> Result<bool, UserError> {
    let snapshot = read_bounded(path, MAX_MODEL_BYTES).map_err(|e| refused(path, &e))?;
    let place = kept_place(snapshot.digest)?;
    let there = crate::files::is_file(&place);
    remove_file(&place).map_err(|e| UserError::new(format!("{} cannot be removed: {e}", display_path(&place))))?;
    Ok(there)
}

/// Writes a copy of somebody else's model that carries its manifest and a self-test, and opens anywhere without a question.
///
/// # Errors
/// The questions that are open, that the runtime does not take it, or that the copy cannot be written.
pub fn save_as_ours(import: &ModelImport, name: Option<&str>, out: &Path) -> Result<VettedModel, UserError> {
    if same_file(&import.path, out) {
        return Err(UserError::new("the copy needs a name of its own: the original stays as it is"));
    }
    let mut manifest = import.manifest()?;
    if let Some(name) = name {
        name.clone_into(&mut manifest.name);
    }
    let model = import.model()?;
    let mut engine = Engine::load(&model, Provider::Cpu, 1)?;
    let answer = engine
        .run(self_test_tensor(&model.card().tensor), 1)?
        .into_iter()
        .next()
        .ok_or_else(|| UserError::new("the model gave no answer"))?;
    // Logits of the same probabilities: a self-test compares these.
    let logits = answer.values().iter().map(|p| p.max(1e-12).ln()).collect();
    manifest.self_test = Some(SelfTest { image: 1, logits, tolerance: TOLERANCE });
    let copy = rewritten(import.onnx.bytes(), &manifest, "the copy")?;
    Engine::load(&copy, Provider::Cpu, 1)
        .map_err(|e| UserError::new(format!("the copy does not pass its self-test: {e}")))?;
    write_output(out, copy.bytes())?;
    Ok(copy)
}

/// Keeps what follows from the files beside a model, where it has no manifest of its own and nothing was answered yet.
pub(super) fn keep_answer(path: &Path, model: &VettedModel) -> Result<(), UserError> {
    let digest = model.card().digest;
    if crate::model::manifest_text(model.bytes()).is_none() && kept_answer(digest).is_none() {
        ModelImport::new(path, model.bytes(), digest).map_err(|e| refused(path, &e))?.keep()?;
    }
    Ok(())
}

fn kept_place(digest: Digest) -> Result<PathBuf, UserError> {
    data_file(&format!("answers/{digest}.json"))
        .ok_or_else(|| UserError::new("this system has no place for a program's own data"))
}

fn kept_answer(digest: Digest) -> Option<Manifest> {
    let snapshot = read_bounded(&kept_place(digest).ok()?, MAX_SIDECAR).ok()?;
    serde_json::from_slice(&snapshot.bytes).ok()
}

pub(super) fn refused(path: &Path, e: &dyn std::fmt::Display) -> UserError {
    UserError::new(format!("the model {} is refused: {e}", display_path(path)))
}

/// What a model sees of an image; nothing where there is no cell to cut.
pub(super) fn framed(image: &RgbImage, crop: &Crop, square: Option<Square>, size: usize) -> Option<RgbImage> {
    CellSource::new(image, &crop.preprocessing()).cut_one(square, size)
}
