//! The window's work outside its thread: classification, dialogs, the self-check. Each job is named, can be cancelled,
//! is stamped with its generation, and talks through one bounded channel.

use super::state::ModelFacts;
use super::update::Event;
use crate::inference::{Cells, Provider};
use crate::model::VettedModel;
use crate::report::{RowFormat, RowWriter, Stamp};
use crate::task::{Cancel, Generation, Progress};
use crate::workflow::{self, Request, Told};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Events that wait for the window at most; a job that is ahead waits.
const EVENTS: usize = 512;
/// Where the table goes when no dialog can ask.
const UNASKED: &str = "leukoscope-labels.csv";
/// A dialog that is answered faster than this was not answered by a person: there is none on this system.
const TOO_FAST: Duration = Duration::from_millis(400);

/// Starts jobs and hears from them.
pub struct Jobs {
    give: Sender<Event>,
    take: Receiver<Event>,
    ctx: egui::Context,
    cancel: Cancel,
    model: VettedModel,
}

impl Jobs {
    /// No job yet.
    #[must_use]
    pub fn new(ctx: egui::Context, model: VettedModel) -> Self {
        let (give, take) = bounded(EVENTS);
        Self { give, take, ctx, cancel: Cancel::new(), model }
    }

    /// What arrived, at most so many that a frame stays short.
    #[must_use]
    pub fn arrived(&self) -> Vec<Event> {
        self.take.try_iter().take(256).collect()
    }

    /// Another model from now on.
    pub fn use_model(&mut self, model: VettedModel) {
        self.model = model;
    }

    /// Asks the running job to stop.
    pub fn cancel(&mut self) {
        self.cancel.cancel();
    }

    fn spawn(&self, name: &str, work: impl FnOnce(&Voice) + Send + 'static) {
        let voice = Voice { give: self.give.clone(), ctx: self.ctx.clone() };
        let failed = voice.give.clone();
        if let Err(e) = std::thread::Builder::new().name(name.into()).spawn(move || work(&voice)) {
            let _ = failed.try_send(Event::Trouble(format!("no thread could be started: {e}")));
        }
    }

    /// Classifies paths.
    pub fn classify(&mut self, generation: Generation, paths: Vec<PathBuf>, provider: Provider, cells: Cells) {
        self.cancel.cancel();
        self.cancel = Cancel::new();
        let (cancel, model) = (self.cancel.clone(), self.model.clone());
        self.spawn("classify-job", move |voice| {
            let request = Request { paths, provider, cells, ..Request::default() };
            let ended = workflow::classify(&request, &model, &cancel, &Progress::default(), &mut |told| {
                voice.say(match told {
                    Told::Listed(n) => Event::Listed(generation, n),
                    Told::Started(report) => Event::Started(generation, report.to_line()),
                    Told::Row(row) => Event::Row(generation, Box::new(row)),
                });
                Ok(())
            });
            voice.say(match ended {
                Ok(totals) => Event::Finished(generation, totals.skipped, totals.cancelled),
                Err(e) => Event::Failed(generation, e.to_string()),
            });
        });
    }

    /// Draws the demo slide and opens it.
    pub fn demo(&self, out: Option<PathBuf>) {
        self.spawn("demo", move |voice| {
            voice.say(match workflow::draw_demo(out.as_deref()) {
                Ok(demo) => Event::Chosen(vec![demo.path]),
                Err(e) => Event::Trouble(e.to_string()),
            });
        });
    }

    /// Opens a model file, or the bundled one.
    pub fn open_model(&self, path: Option<PathBuf>, into: &OpenedModel) {
        let into = into.clone();
        self.spawn("open-model", move |voice| voice.say(opened(path.as_deref(), &into)));
    }

    /// Asks for a folder or pictures, by the system's own dialog.
    pub fn ask(&self, what: Ask, model_into: &OpenedModel) {
        let into = model_into.clone();
        self.spawn("dialog", move |voice| {
            let begun = Instant::now();
            let dialog = rfd::FileDialog::new();
            let answer = match what {
                Ask::Folder => dialog.set_title("Open a folder of blood smears").pick_folder().map(|p| vec![p]),
                Ask::Images => dialog
                    .set_title("Open pictures")
                    .add_filter("Pictures", &crate::files::PICTURE_ENDINGS)
                    .add_filter("All files", &["*"])
                    .pick_files(),
                Ask::Model => {
                    dialog.set_title("Open a model").add_filter("ONNX", &["onnx"]).pick_file().map(|p| vec![p])
                }
            };
            match (answer, what) {
                (Some(paths), Ask::Model) => voice.say(opened(paths.first().map(PathBuf::as_path), &into)),
                (Some(paths), _) => voice.say(Event::Chosen(paths)),
                (None, _) if begun.elapsed() < TOO_FAST => voice.say(Event::NoDialog),
                (None, _) => {}
            }
        });
    }

    /// Asks where to, then writes the results.
    pub fn export(&self, images: Vec<Arc<crate::domain::ImageResult>>) {
        let stamp = Stamp { classes: self.model.card().classes.clone(), model: self.model.card().digest.to_string() };
        self.spawn("export", move |voice| {
            let begun = Instant::now();
            let answer = rfd::FileDialog::new().set_title("Write the labels").set_file_name("labels.csv").save_file();
            let path = match answer {
                Some(path) => path,
                None if begun.elapsed() < TOO_FAST => {
                    // Without a dialog there is still a place that can be named afterwards.
                    match std::env::current_dir() {
                        Ok(folder) if folder.join(UNASKED).exists() => {
                            let text =
                                format!("No file dialog answered, and {UNASKED} is there already; it was not replaced");
                            return voice.say(Event::Trouble(text));
                        }
                        Ok(folder) => folder.join(UNASKED),
                        Err(e) => return voice.say(Event::Trouble(e.to_string())),
                    }
                }
                None => return,
            };
            let mut writer = RowWriter::new(RowFormat::Csv, stamp);
            let mut bytes = writer.head();
            for image in &images {
                bytes.extend(writer.image(image));
            }
            voice.say(match crate::files::write_atomic(&path, &bytes) {
                Ok(()) => Event::Written(path),
                Err(e) => Event::Trouble(format!("{} cannot be written: {e}", crate::files::display_path(&path))),
            });
        });
    }

    /// Looks at the machine.
    pub fn self_check(&self) {
        self.spawn("self-check", |voice| voice.say(Event::Checked(workflow::doctor().to_text())));
    }

    /// Remembers recent places and the theme.
    pub fn remember(&self, settings: workflow::Settings) {
        self.spawn("settings", move |voice| {
            if let Err(e) = workflow::save_settings(&settings) {
                voice.say(Event::Trouble(e));
            }
        });
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// What a dialog asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// One folder.
    Folder,
    /// Some pictures.
    Images,
    /// One model file.
    Model,
}

struct Voice {
    give: Sender<Event>,
    ctx: egui::Context,
}

impl Voice {
    fn say(&self, event: Event) {
        // A window that has gone hears nothing, and that is fine.
        let _ = self.give.send(event);
        self.ctx.request_repaint();
    }
}

/// Where a job leaves a model that it opened, for the window to take.
pub type OpenedModel = Arc<std::sync::Mutex<Option<VettedModel>>>;

/// Opens a model file, or the bundled one, leaves it in `into` and says what it is.
fn opened(path: Option<&Path>, into: &OpenedModel) -> Event {
    match workflow::open_model(path) {
        Ok(model) => {
            let facts = facts(&model);
            *into.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(model);
            Event::Model(Box::new(facts), path.is_some())
        }
        Err(e) => Event::Trouble(e.to_string()),
    }
}

/// What the window shows of a model.
#[must_use]
pub fn facts(model: &VettedModel) -> ModelFacts {
    let card = model.card();
    ModelFacts {
        name: card.name.clone(),
        digest: card.digest.short(),
        classes: card.classes.clone(),
        card: card.to_text(),
    }
}
