//! The model in use: its card, where it came from, what runs it. Plain values; the bytes are the jobs'.

use super::language::{look_up, tr};
use crate::inference::Provider;
use crate::laboratory::cannot_name;
use crate::model::ModelCard;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, Clone)]
pub struct ModelInUse {
    pub card: Arc<ModelCard>,
    /// Its file; none is the bundled one.
    pub path: Option<PathBuf>,
    /// The model before another one was taken into use: none, the bundled one, or a file.
    pub before: Option<Option<PathBuf>>,
    pub provider: Provider,
}

impl ModelInUse {
    /// A model that nothing runs yet.
    pub fn new(card: Arc<ModelCard>, path: Option<PathBuf>) -> Self {
        Self { card, path, before: None, provider: Provider::Auto }
    }

    /// What it cannot name of what a laboratory counts; nothing where it names everything.
    pub fn lacking(&self) -> Option<String> {
        let all: Vec<String> = cannot_name(self.card.classes.names()).into_iter().map(look_up).collect();
        (!all.is_empty()).then(|| tr!("It cannot name: %{classes}.", classes = all.join(", ")))
    }
}
