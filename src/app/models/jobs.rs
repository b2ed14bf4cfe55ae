//! The Models page's work: opening, listing and testing models, measuring and fetching providers, asking about somebody else's model.

use super::state::{ModelsEffect, ModelsEvent};
use super::update::{Effect, Event};
use crate::app::jobs::{EventSender, JobContext, Notice, no_dialog, pick_labelled_folder, pick_model};
use crate::app::language::tr;
use crate::inference::{Measurements, Plugin, Provider, provider_statuses};
use crate::task::{Cancel, Monitor, Progress};
use crate::workflow::{self, EvaluateMonitor, EvaluateRequest, ModelImport, UserError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn say(events: &EventSender<Event>, event: ModelsEvent) {
    events.send(Event::Job(Box::new(event)));
}

/// Ends what goes on, and says why it failed.
fn ended(events: &EventSender<Event>, result: Result<(), UserError>) {
    say(events, ModelsEvent::Ended(result.err().map(|e| e.to_string())));
}

/// Opens a model file, or says what it asks.
fn open(events: &EventSender<Event>, path: Option<&Path>) {
    let found = match path {
        None => workflow::default_model().map(workflow::OpenedModel::Model),
        Some(path) => workflow::look_at_model(path),
    };
    match found {
        Ok(workflow::OpenedModel::Model(model)) => {
            events.send(Event::OpenedModel(Box::new(model), path.map(Path::to_owned)));
        }
        Ok(workflow::OpenedModel::NeedsInput(import)) => say(events, ModelsEvent::NeedsInput(import)),
        Err(e) => events.error(&e),
    }
}

/// Starts the page's jobs.
pub struct Jobs {
    events: EventSender<Event>,
    cancel: Cancel,
}

impl Jobs {
    /// No job yet.
    pub fn new(events: EventSender<Event>) -> Self {
        Self { events, cancel: Cancel::new() }
    }

    pub fn stop(&self) {
        self.cancel.cancel();
    }

    /// Does what the page wants done.
    pub fn perform(&mut self, effect: Effect, cx: &JobContext<'_>) {
        match effect {
            Effect::Job(effect) => self.work(effect, cx),
            Effect::Open(path) => self.events.spawn("open-model", move |events| open(events, path.as_deref())),
            Effect::Ask => {
                self.events.ask(pick_model, Notice::NoDialog { watch: false }, |events, path| open(events, Some(&path)))
            }
        }
    }

    fn work(&mut self, effect: ModelsEffect, cx: &JobContext<'_>) {
        match effect {
            ModelsEffect::List => self.list(cx.remembers),
            ModelsEffect::ListProviders => {
                let model = cx.model.card().digest;
                self.events.spawn("providers", move |events| {
                    say(events, ModelsEvent::ProvidersListed(provider_statuses(), Measurements::load(model)));
                });
            }
            ModelsEffect::Rename(digest, name) => {
                self.then_list("rename", move || workflow::rename_model(digest, &name))
            }
            ModelsEffect::Remove(path) => self.then_list("remove", move || workflow::remove_model(&path)),
            ModelsEffect::Install(path) => self.then_list("install", move || workflow::install_model(&path).map(drop)),
            ModelsEffect::Export(path, name) => self.export_model(path, &name),
            ModelsEffect::MakeFast(path, data) => self.make_fast(path, data),
            ModelsEffect::Measure(path) => self.measure(path, cx),
            ModelsEffect::Fetch(provider) => {
                self.events.spawn("fetch", move |events| ended(events, workflow::fetch_provider(provider).map(drop)));
            }
            ModelsEffect::Point(provider) => self.point(provider),
            ModelsEffect::Stop => self.stop(),
            ModelsEffect::Preview(import, image) => {
                self.events.spawn("preview", move |events| {
                    let found = import.preview(&image).map(Arc::new);
                    say(events, ModelsEvent::Previewed(found));
                });
            }
            ModelsEffect::Probe(import, data) => self.probe(*import, data),
            ModelsEffect::Adopt(import) => {
                self.events.spawn_to_end("adopt", move |events| match import.keep() {
                    Ok(_) => say(events, ModelsEvent::Adopted(Ok(import.path().to_owned()))),
                    Err(e) => say(events, ModelsEvent::Adopted(Err(e))),
                });
            }
            ModelsEffect::SaveAsOurs(import) => self.save_as_ours(*import),
            ModelsEffect::AskImage => {
                let dialog = rfd::FileDialog::new().set_title(tr!("An image to look at"));
                let dialog = dialog.add_filter(tr!("Images"), &crate::files::IMAGE_EXTENSIONS);
                let answer = |events: &_, path| say(events, ModelsEvent::Image(path));
                self.events.ask(move || dialog.pick_file(), no_dialog(&tr!("Type or paste the path")), answer);
            }
            ModelsEffect::AskData => {
                let answer = |events: &_, path| say(events, ModelsEvent::Data(path));
                self.events.ask(pick_labelled_folder, no_dialog(&tr!("Type or paste the path")), answer);
            }
        }
    }

    fn list(&self, kept: bool) {
        self.events.spawn("models", move |events| {
            // A window that remembers nothing shows nothing of the user's own.
            let mut all = workflow::installed_models();
            if !kept {
                all.truncate(1);
            }
            let paths: Vec<Option<PathBuf>> = all.iter().map(|m| m.path.clone()).collect();
            say(events, ModelsEvent::Listed(all));
            for path in paths {
                let tested = workflow::test_itself(path.as_deref());
                say(events, ModelsEvent::Tested(path, tested));
            }
        });
    }

    /// Does something to the installed models, and lists them again.
    fn then_list(&self, name: &str, work: impl FnOnce() -> Result<(), UserError> + Send + 'static) {
        self.events.spawn_to_end(name, move |events| {
            if let Err(e) = work() {
                events.error(&e);
            }
            events.send(Event::Changed);
        });
    }

    fn export_model(&self, path: Option<PathBuf>, name: &str) {
        let safe = crate::files::file_safe(name, &['_'], 60);
        self.events.spawn("export-model", move |events| {
            let Some(out) = events.file_where_asked(&format!("{safe}.onnx")) else { return };
            let _must_end = events.must_end();
            let written = workflow::export_model(path.as_deref(), &out);
            events.written(out, &written);
        });
    }

    fn make_fast(&mut self, path: Option<PathBuf>, data: PathBuf) {
        let cancel = self.cancel.renew();
        self.events.spawn("quantize", move |events| {
            let made = workflow::open_model(path.as_deref()).map_err(Into::into).and_then(|model| {
                let out = workflow::new_model_file("fast")?;
                let request = EvaluateRequest { provider: Provider::Cpu, ..EvaluateRequest::new(data) };
                let allowed = workflow::USUAL_LOSS;
                let options = workflow::QuantizeOptions { allowed, out: &out };
                let (progress, mut on_event) = (Progress::default(), |_| ());
                let mut monitor = EvaluateMonitor::new(&cancel, &progress, &mut on_event);
                workflow::quantize(&model, &request, &options, &mut monitor)
            });
            match made {
                Ok(Some(found)) if found.path.is_some() => say(events, ModelsEvent::Fast(Ok(found.to_text()))),
                Ok(Some(found)) => {
                    let why = format!("{}{}", found.to_text(), found.refusal());
                    say(events, ModelsEvent::Fast(Err(UserError::new(why))));
                }
                Ok(None) => ended(events, Ok(())),
                Err(e) => say(events, ModelsEvent::Fast(Err(e.into()))),
            }
        });
    }

    fn measure(&mut self, path: Option<PathBuf>, cx: &JobContext<'_>) {
        let (cancel, model) = (self.cancel.renew(), cx.model.clone());
        self.events.spawn("measure", move |events| {
            let (progress, mut on_event) = (Progress::default(), |m| say(events, ModelsEvent::Measured(m)));
            let done = workflow::measure(&model, path.as_deref(), &mut Monitor::new(&cancel, &progress, &mut on_event));
            ended(events, done.map(drop));
        });
    }

    fn point(&self, provider: Provider) {
        let Some(plugin) = Plugin::for_provider(provider) else { return };
        let dialog = rfd::FileDialog::new().set_title(tr!("Where %{file} is", file = plugin.file_name()));
        self.events.ask(
            move || dialog.pick_file(),
            no_dialog(&tr!("Type or paste the path")),
            move |events, path: PathBuf| ended(events, workflow::add_provider(provider, &path).map(drop)),
        );
    }

    fn probe(&mut self, import: ModelImport, data: PathBuf) {
        let cancel: Cancel = self.cancel.renew();
        self.events.spawn("probe", move |events| {
            let found = workflow::probe(&import, &data, &cancel, &Progress::default());
            say(events, ModelsEvent::Probed(found.transpose()));
        });
    }

    fn save_as_ours(&self, import: ModelImport) {
        self.events.spawn("save-as-ours", move |events| {
            let Some(out) = events.file_where_asked(&format!("{}-leukoscope.onnx", import.name())) else { return };
            let _must_end = events.must_end();
            let written = workflow::save_as_ours(&import, None, &out);
            events.written(out, &written);
        });
    }
}
