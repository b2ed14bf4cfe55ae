//! The Models place's work outside the window's thread: listing and testing models, measuring and fetching providers, asking about
//! somebody else's model. As all jobs: named, cancellable, heard through the one channel.

use super::jobs::{Jobs, Voice};
use super::models::{ModelsEffect, ModelsEvent};
use super::update::Event;
use crate::inference::{Plugin, Provider, Record, providers_here};
use crate::task::{Cancel, Progress};
use crate::workflow::{self, EvaluateRequest, EvaluateTold, Foreign, UserError};
use std::path::PathBuf;
use std::sync::Arc;

fn say(voice: &Voice, event: ModelsEvent) {
    voice.say(Event::Models(Box::new(event)));
}

/// Ends what goes on, and says why it failed.
fn ended(voice: &Voice, result: Result<(), UserError>) {
    say(voice, ModelsEvent::Ended(result.err().map(|e| e.to_string())));
}

impl Jobs {
    /// Does what the Models place wants done.
    pub fn models(&mut self, effect: ModelsEffect) {
        match effect {
            ModelsEffect::List => self.list(),
            ModelsEffect::Look => {
                let model = self.model().card().digest;
                self.spawn("providers", move |voice| {
                    say(voice, ModelsEvent::Here(providers_here(), Record::of(model)));
                });
            }
            ModelsEffect::Rename(digest, name) => {
                self.then_list("rename", move || workflow::rename_model(digest, &name))
            }
            ModelsEffect::Remove(path) => self.then_list("remove", move || workflow::remove_model(&path)),
            ModelsEffect::Install(path) => self.then_list("install", move || workflow::install_model(&path).map(drop)),
            ModelsEffect::Export(path, name) => self.export_model(path, &name),
            ModelsEffect::MakeFast(path, data) => self.make_fast(path, data),
            ModelsEffect::Measure(path) => self.measure(path),
            ModelsEffect::Fetch(provider) => {
                self.spawn("fetch", move |voice| ended(voice, workflow::fetch_provider(provider).map(drop)));
            }
            ModelsEffect::Point(provider) => self.point(provider),
            ModelsEffect::Stop => self.stop_models(),
            ModelsEffect::Preview(foreign, image) => {
                self.spawn("preview", move |voice| {
                    let found = foreign.preview(&image).map(Arc::new).map_err(|e| e.to_string());
                    say(voice, ModelsEvent::Previewed(found));
                });
            }
            ModelsEffect::Probe(foreign, data) => self.probe(*foreign, data),
            ModelsEffect::Adopt(foreign) => {
                self.spawn("adopt", move |voice| match foreign.keep() {
                    Ok(_) => say(voice, ModelsEvent::Adopted(Ok(foreign.path().to_owned()))),
                    Err(e) => say(voice, ModelsEvent::Adopted(Err(e.to_string()))),
                });
            }
            ModelsEffect::SaveAsOurs(foreign) => self.save_as_ours(*foreign),
            ModelsEffect::AskImage => {
                self.spawn("dialog", |voice| {
                    let dialog = rfd::FileDialog::new().set_title("A picture to look at");
                    let dialog = dialog.add_filter("Pictures", &crate::files::PICTURE_ENDINGS);
                    if let Some(path) = voice.asked(|| dialog.pick_file()) {
                        say(voice, ModelsEvent::Image(path));
                    }
                });
            }
            ModelsEffect::AskData => {
                self.spawn("dialog", |voice| {
                    let dialog = rfd::FileDialog::new().set_title("A folder with a folder per class");
                    if let Some(path) = voice.asked(|| dialog.pick_folder()) {
                        say(voice, ModelsEvent::Data(path));
                    }
                });
            }
        }
    }

    fn list(&self) {
        let kept = self.remembers();
        self.spawn("models", move |voice| {
            // A window that remembers nothing shows nothing of the user's own.
            let mut all = workflow::installed_models();
            if !kept {
                all.truncate(1);
            }
            let paths: Vec<Option<PathBuf>> = all.iter().map(|m| m.path.clone()).collect();
            say(voice, ModelsEvent::Listed(all, if kept { workflow::default_model_file() } else { None }));
            for path in paths {
                let tested = workflow::test_itself(path.as_deref());
                say(voice, ModelsEvent::Tested(path, tested));
            }
        });
    }

    /// Does something to the installed models, and lists them again.
    fn then_list(&self, name: &str, work: impl FnOnce() -> Result<(), UserError> + Send + 'static) {
        self.spawn(name, move |voice| {
            if let Err(e) = work() {
                voice.say(Event::Trouble(e.to_string()));
            }
            voice.say(Event::ListModels);
        });
    }

    fn export_model(&self, path: Option<PathBuf>, name: &str) {
        let safe: String = name.chars().map(|c| if c.is_alphanumeric() || c == '-' { c } else { '_' }).collect();
        self.spawn("export-model", move |voice| {
            let Some(out) = voice.file_where_asked(&format!("{safe}.onnx")) else { return };
            voice.say(match workflow::export_model(path.as_deref(), &out) {
                Ok(()) => Event::Written(out),
                Err(e) => Event::Trouble(e.to_string()),
            });
        });
    }

    fn make_fast(&mut self, path: Option<PathBuf>, data: PathBuf) {
        let cancel = self.begin_models();
        self.spawn("quantize", move |voice| {
            let made = workflow::open_model(path.as_deref()).map_err(Into::into).and_then(|model| {
                let out = workflow::new_model_file("fast")?;
                let request = EvaluateRequest { provider: Provider::Cpu, ..EvaluateRequest::new(data) };
                let allowed = workflow::USUAL_LOSS;
                workflow::quantize(
                    &model,
                    &request,
                    allowed,
                    &out,
                    &cancel,
                    &Progress::default(),
                    &mut |_: EvaluateTold| {},
                )
            });
            match made {
                Ok(Some(found)) if found.path.is_some() => say(voice, ModelsEvent::Fast(Ok(found.to_text()))),
                Ok(Some(found)) => {
                    let why = format!(
                        "{}refused: it loses {:.2} points, {:.2} are allowed",
                        found.to_text(),
                        -found.change.0,
                        found.allowed
                    );
                    say(voice, ModelsEvent::Fast(Err(why)));
                }
                Ok(None) => ended(voice, Ok(())),
                Err(e) => say(voice, ModelsEvent::Fast(Err(e.to_string()))),
            }
        });
    }

    fn measure(&mut self, path: Option<PathBuf>) {
        let (cancel, model) = (self.begin_models(), self.model().clone());
        self.spawn("measure", move |voice| {
            let done = workflow::measure(&model, path.as_deref(), &cancel, &Progress::default(), &mut |m| {
                say(voice, ModelsEvent::Measured(m.clone()));
            });
            ended(voice, done.map(drop));
        });
    }

    fn point(&self, provider: Provider) {
        let Some(plugin) = Plugin::of(provider) else { return };
        self.spawn("dialog", move |voice| {
            let dialog = rfd::FileDialog::new().set_title(format!("Where {} is", plugin.file_name()));
            if let Some(path) = voice.asked(|| dialog.pick_file()) {
                ended(voice, workflow::add_provider(provider, &path).map(drop));
            }
        });
    }

    fn probe(&mut self, foreign: Foreign, data: PathBuf) {
        let cancel: Cancel = self.begin_models();
        self.spawn("probe", move |voice| {
            let found = workflow::probe(&foreign, &data, &cancel, &Progress::default());
            say(voice, ModelsEvent::Probed(found.map_err(|e| e.to_string()).transpose()));
        });
    }

    fn save_as_ours(&self, foreign: Foreign) {
        self.spawn("save-as-ours", move |voice| {
            let Some(out) = voice.file_where_asked(&format!("{}-leukoscope.onnx", foreign.name())) else { return };
            voice.say(match workflow::save_as_ours(&foreign, None, &out) {
                Ok(_) => Event::Written(out),
                Err(e) => Event::Trouble(e.to_string()),
            });
        });
    }
}
