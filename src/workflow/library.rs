//! The models that are installed: the one inside the program and those in the folder of the user's models. A model is never
//! changed; a name given here stands beside the folder, and what is removed goes to the trash.

use super::import::{OpenedModel, keep_answer, look_at_model, refused};
use super::output::{write_output, write_own};
use super::{UserError, default_model, load_settings, open_model};
use crate::domain::Digest;
use crate::files::{
    create_folder, data_file, display_path, file_safe, files_of, is_file, read_bounded, real_path, to_trash,
    write_atomic,
};
use crate::inference::{Engine, Provider};
use crate::model::{MAX_MODEL_BYTES, ModelCard, VettedModel};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What became of a model's own test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SelfTested {
    NotYet,
    /// The model runs, and carries no test.
    Carries(bool),
    Failed(String),
}

#[derive(Debug, Clone)]
pub struct InstalledModel {
    /// Its file; none is the one inside the program.
    pub path: Option<PathBuf>,
    /// What it is called here.
    pub name: String,
    /// Its card, or why it cannot be opened.
    pub card: Result<Arc<ModelCard>, UserError>,
    pub test: SelfTested,
}

fn folder() -> Option<PathBuf> {
    data_file("models")
}

fn names_place() -> Option<PathBuf> {
    data_file("models/names.json")
}

/// Names that were given here, by digest.
fn names() -> BTreeMap<String, String> {
    let read = names_place().and_then(|p| read_bounded(&p, 1 << 20).ok());
    read.and_then(|s| serde_json::from_slice(&s.bytes).ok()).unwrap_or_default()
}

/// All, the bundled one first. A file that cannot be opened is one that says why.
pub fn installed_models() -> Vec<InstalledModel> {
    let names = names();
    let called = |card: &ModelCard| names.get(&card.digest.to_string()).cloned().unwrap_or_else(|| card.name.clone());
    let entry = |path: Option<PathBuf>, opened: Result<VettedModel, UserError>| {
        let file = path.as_deref().map_or_else(|| "bundled".to_owned(), display_path);
        let card = opened.map(|m| m.card().clone());
        let name = card.as_ref().map_or_else(|_| file.clone(), |c| called(c));
        InstalledModel { path, name, card, test: SelfTested::NotYet }
    };
    let mut all = vec![entry(None, default_model())];
    for path in folder().map_or_else(Vec::new, |f| files_of(&f)) {
        if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("onnx")) {
            let opened = open_model(Some(&path));
            all.push(entry(Some(path), opened));
        }
    }
    all
}

/// Runs a model's own test on the processor.
pub fn test_itself(path: Option<&Path>) -> SelfTested {
    match open_model(path) {
        Err(e) => SelfTested::Failed(e.to_string()),
        Ok(model) => match Engine::load(&model, Provider::Cpu, 1) {
            Ok(_) => SelfTested::Carries(model.card().self_test.is_some()),
            Err(e) => SelfTested::Failed(e.to_string()),
        },
    }
}

/// Whether a file lies in the folder of installed models.
fn is_installed(path: &Path) -> bool {
    let folder = folder().and_then(|f| real_path(&f));
    folder.is_some_and(|f| real_path(path).is_some_and(|p| p.parent() == Some(&f)))
}

/// Copies a model into the folder of installed ones, and returns where it lies; one that is there already is not copied again.
///
/// # Errors
/// When it cannot be opened, or not be copied.
pub fn install_model(path: &Path) -> Result<PathBuf, UserError> {
    let OpenedModel::Model(model) = look_at_model(path)? else {
        return Err(UserError::new("something has to be answered first: open it"));
    };
    // What lies beside it stays where it is: what follows from it is kept as an answer.
    keep_answer(path, &model)?;
    let folder = folder().ok_or_else(|| UserError::new("this system has no place for models"))?;
    let there = |p: &PathBuf| read_bounded(p, MAX_MODEL_BYTES).is_ok_and(|s| s.digest == model.card().digest);
    if let Some(known) = files_of(&folder).into_iter().find(there) {
        return Ok(known);
    }
    let safe = file_safe(&model.card().name, &['.', '_'], 60);
    let target = folder.join(format!("{}-{}.onnx", safe.trim_matches(['.', '-']), model.card().digest.short()));
    write_own(&target, model.bytes())?;
    Ok(target)
}

/// Gives a model another name here; its file, and with it its digest, stays as it is. No name is its own again.
///
/// # Errors
/// When the name cannot be kept.
pub fn rename_model(digest: Digest, name: &str) -> Result<(), UserError> {
    let place = names_place().ok_or_else(|| UserError::new("this system has no place for names"))?;
    let mut all = names();
    match name.trim() {
        "" => all.remove(&digest.to_string()),
        name => all.insert(digest.to_string(), name.chars().take(80).collect()),
    };
    let text = serde_json::to_vec_pretty(&all)?;
    place
        .parent()
        .map_or(Ok(()), create_folder)
        .and_then(|()| write_atomic(&place, &text))
        .map_err(|e| UserError::new(format!("the name cannot be kept: {e}")))
}

/// Puts an installed model into the trash.
///
/// # Errors
/// When it is not an installed one, or the system has no trash.
pub fn remove_model(path: &Path) -> Result<(), UserError> {
    if !is_installed(path) {
        return Err(UserError::new(format!("{} is not an installed model; it stays", display_path(path))));
    }
    to_trash(path).map_err(|e| UserError::new(format!("{} cannot be put into the trash: {e}", display_path(path))))
}

/// Writes a copy of a model's file.
///
/// # Errors
/// When it cannot be read or written.
pub fn export_model(path: Option<&Path>, out: &Path) -> Result<(), UserError> {
    let bytes = match path {
        None => default_model()?.bytes().to_vec(),
        Some(path) => read_bounded(path, MAX_MODEL_BYTES).map_err(|e| refused(path, &e))?.bytes,
    };
    write_output(out, &bytes)
}

/// The model that the window begins with, where the user chose one; one that is gone is not.
pub fn default_model_file() -> Option<PathBuf> {
    load_settings().model.filter(|p| is_file(p))
}
