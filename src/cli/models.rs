//! `leukoscope models`: what is installed, as the window's Models place shows it.

use super::args::Models;
use super::{Exit, eprint_line, say};
use crate::files::display_path;
use crate::workflow::{self, InstalledModel, SelfTested, UserError};
use std::path::PathBuf;

/// The word for the model inside the program.
const BUNDLED: &str = "bundled";

pub(super) fn models(a: &Models) -> Result<Exit, UserError> {
    if let Some(path) = &a.install {
        eprint_line(&format!("installed: {}", display_path(&workflow::install_model(path)?)));
    }
    if let Some((file, name)) = &a.rename {
        let model = workflow::open_model(path_of(file).as_deref())?;
        workflow::rename_model(model.card().digest, name)?;
    }
    if let Some(path) = &a.remove {
        workflow::remove_model(path)?;
        eprint_line(&format!("in the trash: {}", display_path(path)));
    }
    if let Some(word) = &a.default {
        let path = path_of(word);
        workflow::open_model(path.as_deref())?;
        let settings = workflow::Settings { model: path, ..workflow::load_settings() };
        workflow::save_settings(&settings)?;
    }
    let default = workflow::default_model_file();
    let mut failed = false;
    let mut text = String::new();
    for model in workflow::installed_models() {
        let test = workflow::test_itself(model.path.as_deref());
        failed |= matches!(test, SelfTested::Failed(_));
        let mark = if model.path == default { "*" } else { " " };
        text.push_str(&format!("{mark} {}\n", line(&model, &test)));
    }
    say(&text)?;
    Ok(if failed { Exit::SomeFailed } else { Exit::Fine })
}

fn path_of(word: &str) -> Option<PathBuf> {
    (word != BUNDLED).then(|| PathBuf::from(word))
}

/// Name, digest, classes, self-test and file, with tabs between.
fn line(model: &InstalledModel, test: &SelfTested) -> String {
    let file = model.path.as_deref().map_or_else(|| BUNDLED.to_owned(), display_path);
    let tested = match test {
        SelfTested::NotYet => "not tested".to_owned(),
        SelfTested::Carries(true) => "self-test passed".to_owned(),
        SelfTested::Carries(false) => "runs, no self-test".to_owned(),
        SelfTested::Failed(why) => format!("FAILED: {why}"),
    };
    match &model.card {
        Ok(card) => {
            format!("{}\t{}\t{} classes\t{tested}\t{file}", model.name, card.digest.short(), card.classes.len())
        }
        Err(_) => format!("{}\t-\t-\t{tested}\t{file}", model.name),
    }
}
