//! What the program remembers between starts: folders opened lately, theme, language, initials, keys. Nothing of the user's work.

use super::UserError;
use crate::files::{absolute, create_folder, read_bounded, write_atomic};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// How many places "Open Recent" lists.
const KEEP: usize = 10;
const MAX_BYTES: u64 = 1 << 20;

/// What is remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Newest first.
    pub recent: Vec<PathBuf>,
    /// `light`, `dark` or `system`.
    pub theme: String,
    /// Code of the window's language.
    pub language: String,
    /// Initials of who sits here.
    pub operator: String,
    /// The model to begin with; none is the bundled one.
    pub model: Option<PathBuf>,
    /// Commands whose keys were changed, and their keys.
    pub keys: std::collections::BTreeMap<String, String>,
}

fn place() -> Option<PathBuf> {
    crate::files::config_file("settings.json")
}

/// What was remembered; nothing where there is none or it cannot be read.
pub fn load_settings() -> Settings {
    let read = |path: PathBuf| read_bounded(&path, MAX_BYTES).ok();
    place().and_then(read).and_then(|s| serde_json::from_slice(&s.bytes).ok()).unwrap_or_default()
}

/// Remembers.
///
/// # Errors
/// When the settings' folder cannot be written, in words.
pub fn save_settings(settings: &Settings) -> Result<(), UserError> {
    let path = place().ok_or_else(|| UserError::new("this system has no place for settings"))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    // What is remembered holds in every folder that the program is started in.
    let mut settings = settings.clone();
    settings.recent.iter_mut().chain(&mut settings.model).for_each(|p| *p = absolute(p));
    let bytes = serde_json::to_vec_pretty(&settings)?;
    create_folder(folder)
        .and_then(|()| write_atomic(&path, &bytes))
        .map_err(|e| UserError::new(format!("settings were not saved: {e}")))
}

/// Puts a place at the top of a list of recent ones.
pub fn remember_recent(recent: &mut Vec<PathBuf>, path: &Path) {
    recent.retain(|p| p != path);
    recent.insert(0, path.to_owned());
    recent.truncate(KEEP);
}
