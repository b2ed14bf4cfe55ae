//! The window: the only code that names egui.
//!
//! Input becomes [`Command`]s and [`update::Input`]s, jobs send [`update::Event`]s; [`update`] turns each into a new
//! state and effects, and only here are effects carried out. `logic` does, `ui` draws.

pub mod case;
pub mod command;
mod edits;
pub mod evaluation;
pub mod gallery;
pub mod heat;
pub mod images;
mod input_order;
mod jobs;
mod keeper;
pub mod keys;
pub mod labels;
pub mod language;
mod library;
pub mod map;
pub mod message;
pub mod models;
mod panels;
mod pictures;
pub mod slides;
pub mod state;
mod theme;
pub mod training;
pub mod update;

use command::Command;
use jobs::{Ask, Jobs};
use pictures::Pictures;
use state::{State, ThemeChoice};
use std::path::PathBuf;
use std::sync::Arc;
use update::{Effect, Event, Input};

/// What the panels ask for while they draw.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    commands: Vec<Command>,
    inputs: Vec<Input>,
}

impl Asked {
    pub(crate) fn command(&mut self, command: Command) {
        self.commands.push(command);
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.inputs.push(input);
    }
}

/// The window as eframe runs it.
pub struct Window {
    state: State,
    jobs: Jobs,
    pictures: Pictures,
    view: panels::ViewMemory,
    shown_theme: Option<ThemeChoice>,
    input_order: input_order::InputOrder,
    demo_out: Option<PathBuf>,
    /// Whether recent places and the theme are kept between starts.
    remembers: bool,
}

/// Opens the window on some paths, or on the demo slide, and returns when it is closed.
///
/// # Errors
/// When no window can be opened, in words.
pub fn run(paths: Vec<PathBuf>, demo: Option<Option<PathBuf>>) -> Result<(), String> {
    let options = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_title("Leukoscope")
            .with_app_id("leukoscope")
            .with_inner_size([1280.0, 800.0])
            .with_min_inner_size([860.0, 560.0]),
        ..Default::default()
    };
    eframe::run_native(
        "leukoscope",
        options,
        Box::new(move |cc| {
            Ok(Box::new(
                Window::new(&cc.egui_ctx, paths, demo, Some(crate::workflow::load_settings()))
                    .map_err(std::io::Error::other)?,
            ))
        }),
    )
    .map_err(|e| format!("the window cannot be opened: {e}. The command line works without one: leukoscope --help"))
}

impl Window {
    /// The window's content, in any egui context (tests have their own). `settings` are those of the last start; without
    /// them nothing is remembered for the next one.
    ///
    /// # Errors
    /// When the bundled model itself is damaged.
    pub fn new(
        ctx: &egui::Context,
        paths: Vec<PathBuf>,
        demo: Option<Option<PathBuf>>,
        settings: Option<crate::workflow::Settings>,
    ) -> Result<Self, String> {
        let bundled = crate::workflow::default_model().map_err(|e| e.to_string())?;
        let remembers = settings.is_some();
        let settings = settings.unwrap_or_default();
        // The model that was chosen to begin with; where it cannot be opened any more the bundled one, and it is said.
        let chosen =
            settings.model.as_ref().map(|path| crate::workflow::open_model(Some(path)).map(|m| (m, path.clone())));
        let (model, model_path, no_default) = match chosen {
            Some(Ok((model, path))) => (model, Some(path), None),
            Some(Err(e)) => (bundled, None, Some(format!("the model to begin with: {e}. The bundled one is used"))),
            None => (bundled, None, None),
        };
        theme::install(ctx);
        let wake = ctx.clone();
        // Without the cache pictures are made again: a word in the log is enough.
        let disk = crate::files::cache_folder("thumbnails.sqlite").filter(|_| remembers).and_then(|place| {
            let opened = crate::session::Thumbnails::open(&place, crate::session::THUMBNAIL_BYTES);
            opened.map_err(|e| tracing::warn!("small pictures are not kept: {e}")).ok()
        });
        let mut window = Self {
            state: State::new(state::ModelFacts::of(&model), settings.recent, ThemeChoice::from_word(&settings.theme)),
            jobs: Jobs::new(ctx.clone(), model, remembers),
            pictures: Pictures::new(disk, move || wake.request_repaint()),
            view: panels::ViewMemory::default(),
            shown_theme: None,
            input_order: input_order::InputOrder::default(),
            demo_out: None,
            remembers,
        };
        (window.state.custom_model, window.state.model_path) = (model_path.is_some(), model_path);
        window.state.models.default = settings.model;
        if let Some(why) = no_default {
            window.hear(Event::Trouble(why), 0.0);
        }
        window.state.operator = settings.operator;
        window.state.language = language::Language::from_code(&settings.language);
        window.state.keys = keys::Keymap::from_words(&settings.keys);
        if let Err(e) = crate::inference::Runtime::get() {
            window.state.trouble = Some(e.to_string());
        }
        if remembers {
            window.effect(Effect::Runs);
            window.jobs.load_ranges();
        }
        if let Some(out) = demo {
            window.demo_out = out;
            window.effect(Effect::Demo);
        } else {
            window.input(Input::Open(paths), 0.0);
        }
        Ok(window)
    }

    /// What the window knows; for tests.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Bytes of the pictures held for the screen; for tests and measurements.
    #[must_use]
    pub fn picture_bytes(&self) -> usize {
        self.pictures.bytes()
    }

    /// Gives a command as a menu would; for tests and measurements.
    pub fn command(&mut self, command: Command, now: f64) {
        let effects = update::command(&mut self.state, command, now);
        effects.into_iter().for_each(|e| self.effect(e));
    }

    /// Fills the form of the Train place in as a person would; for tests.
    pub fn fill_train_form(&mut self, form: training::TrainForm) {
        self.input(Input::TrainForm(Box::new(form)), 0.0);
    }

    /// Keeps sessions in a folder of their own, before anything is opened; for tests.
    pub fn keep_sessions_in(&mut self, folder: PathBuf) {
        self.jobs.keep_sessions_in(folder);
    }

    /// Does what a person does that is no command; for tests and measurements.
    pub fn act(&mut self, input: Input, now: f64) {
        self.input(input, now);
    }

    /// Fills the form of the Evaluate place in as a person would; for tests.
    pub fn fill_evaluate_form(&mut self, form: evaluation::EvaluateForm) {
        self.input(Input::Evaluate(evaluation::EvaluateInput::Form(Box::new(form))), 0.0);
    }

    /// Says what an unknown label is as a person would; for tests.
    pub fn answer_unknown_label(&mut self, at: usize, class: Option<usize>) {
        self.input(Input::Evaluate(evaluation::EvaluateInput::Answer(at, class)), 0.0);
    }

    fn input(&mut self, input: Input, now: f64) {
        let effects = update::input(&mut self.state, input, now);
        effects.into_iter().for_each(|e| self.effect(e));
    }

    /// Hears an event as from a job; for tests and measurements.
    pub fn hear(&mut self, event: Event, now: f64) {
        if let Event::Model(model, _) = &event {
            self.jobs.use_model((**model).clone());
        }
        let effects = update::event(&mut self.state, event, now);
        effects.into_iter().for_each(|e| self.effect(e));
    }

    /// What every classification in the window has in common.
    fn request(&self) -> crate::workflow::Request {
        crate::workflow::Request {
            provider: self.state.provider,
            cells: update::cells(&self.state),
            features: crate::inference::CellFeatures::Sketch,
            own: Arc::new(self.state.labels.own_squares()),
            ..Default::default()
        }
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Classify(generation, paths) => {
                let request = crate::workflow::Request {
                    paths,
                    known: self.state.known.clone(),
                    watch: self.state.watching,
                    ..self.request()
                };
                self.jobs.classify(generation, request);
            }
            Effect::Again(generation, asked, path) => {
                let request = crate::workflow::Request { paths: vec![path.clone()], ..self.request() };
                self.jobs.again(generation, asked, path, request);
            }
            Effect::Explain(generation, key, path) => {
                self.jobs.explain(generation, key, path, self.state.provider, self.state.labels.own_squares());
            }
            Effect::OpenIfThere(paths, watch) => self.jobs.open_if_there(paths, watch),
            Effect::OpenSession(generation, paths) => {
                self.pictures.clear();
                self.jobs.open_session(generation, paths, update::cells(&self.state));
            }
            Effect::KeepLabels(edit) => self.jobs.keep_labels(edit, self.state.operator.clone()),
            Effect::ChangeCase(change) => self.jobs.change_case(change, self.state.operator.clone()),
            Effect::ExportLabels => self.jobs.export_labels(),
            Effect::ExportReport(report, picks) => {
                let stored = self.state.labels.open && self.state.labels.read_only.is_none();
                self.jobs.export_report(*report, stored, picks, self.state.provider, self.state.labels.own_squares());
            }
            Effect::ExportFhir(report) => {
                let stored = self.state.labels.open && self.state.labels.read_only.is_none();
                self.jobs.export_fhir(*report, stored);
            }
            Effect::ExportImages => self.jobs.export_images(),
            Effect::ReviewedCells(train) => self.jobs.reviewed_cells(train),
            Effect::KeepRanges(ranges, set_aside) => self.jobs.keep_ranges(ranges, set_aside),
            Effect::LookAtFiles(generation) => self.jobs.look_at_files(generation),
            Effect::AskWatch => self.jobs.ask(Ask::Watch),
            Effect::Cancel => self.jobs.cancel(),
            Effect::AskFolder => self.jobs.ask(Ask::Folder),
            Effect::AskImages => self.jobs.ask(Ask::Images),
            Effect::AskDataset => self.jobs.ask(Ask::Dataset),
            Effect::AskEvaluation => self.jobs.ask(Ask::Evaluation),
            Effect::Evaluate(generation, form) => self.jobs.evaluate(generation, &form, self.state.provider),
            Effect::AskOther => self.jobs.ask(Ask::Other),
            Effect::Compare(generation, form, found) => {
                self.jobs.compare(generation, &form, found, self.state.provider);
            }
            Effect::StopEvaluation => self.jobs.stop_evaluation(),
            Effect::Intervals(generation, revision, found) => self.jobs.intervals(generation, revision, found),
            Effect::ExportEvaluation(found) => self.jobs.export_evaluation(found),
            Effect::Calibrate(generation, form) => self.jobs.calibrate(generation, &form, self.state.provider),
            Effect::KeepCorrections(changes) => self.jobs.keep_corrections(changes, self.state.operator.clone()),
            Effect::LookAtData(generation, request) => self.jobs.look(generation, *request),
            Effect::Train(generation, form) => self.jobs.train(generation, &form),
            Effect::HoldTraining(on) => self.jobs.hold_training(on),
            Effect::StopTraining => self.jobs.stop_training(),
            Effect::ForgetRun(out) => self.jobs.forget_run(out),
            Effect::Runs => self.jobs.runs(),
            Effect::OpenModel(path) => self.jobs.open_model(path),
            Effect::AskModel => self.jobs.ask(Ask::Model),
            Effect::BundledModel => self.jobs.open_model(None),
            Effect::AskExport => self.jobs.export(self.state.images.values().cloned().collect()),
            Effect::Demo => self.jobs.demo(self.demo_out.clone()),
            Effect::SelfCheck => self.jobs.self_check(),
            Effect::Models(effect) => self.jobs.models(effect),
            Effect::Map(generation, rows) => self.jobs.map(generation, rows),
            Effect::StopMap => self.jobs.stop_map(),
            Effect::Remember if !self.remembers => {}
            Effect::Remember => self.jobs.remember(crate::workflow::Settings {
                recent: self.state.recent.clone(),
                theme: self.state.theme.text().to_lowercase(),
                language: self.state.language.code().to_owned(),
                operator: self.state.operator.clone(),
                keys: self.state.keys.to_words(),
                model: self.state.models.default.clone(),
            }),
        }
    }

    /// Everything but drawing.
    pub fn logic(&mut self, ctx: &egui::Context) {
        self.state.language.speak();
        let now = ctx.input(|i| i.time);
        for event in self.jobs.arrived() {
            self.hear(event, now);
        }
        let dropped: Vec<PathBuf> = ctx.input(|i| i.raw.dropped_files.iter().map(|f| f.path().to_owned()).collect());
        if !dropped.is_empty() {
            self.input(Input::Open(dropped), now);
        }
        update::tick(&mut self.state, now);
        if let Some(effect) = self.state.want_heat() {
            self.effect(effect);
        }
        if self.shown_theme != Some(self.state.theme) {
            self.shown_theme = Some(self.state.theme);
            theme::apply(ctx, self.state.theme);
        }
        if !self.state.toasts.is_empty()
            || self.state.job.is_some()
            || self.state.train.busy()
            || self.state.evaluate.busy
        {
            ctx.request_repaint_after(std::time::Duration::from_millis(250));
        }
        if ctx.input(|i| i.viewport().close_requested()) {
            // However the window is closed, what was typed is kept.
            self.input(Input::Leave, now);
        }
        if self.state.quit {
            ctx.send_viewport_cmd(egui::ViewportCommand::Close);
        }
    }

    /// Drawing, and what was asked for while drawing.
    pub fn draw(&mut self, ui: &mut egui::Ui) {
        self.state.language.speak();
        let now = ui.input(|i| i.time);
        self.pictures.begin_frame(ui.ctx());
        let mut asked = Asked::default();
        panels::shortcuts(ui, &self.state, &mut asked);
        panels::window(ui, &self.state, &mut self.view, &mut self.pictures, &mut asked, now);
        // One-frame wishes were seen by the panels.
        (self.state.fit, self.state.reveal, self.state.focus_filter) = (false, false, false);
        for command in std::mem::take(&mut asked.commands) {
            if !matches!(command, Command::Palette) && matches!(self.state.dialog, state::Dialog::Palette { .. }) {
                self.state.dialog = state::Dialog::None;
            }
            self.command(command, now);
            ui.ctx().request_repaint();
        }
        for input in std::mem::take(&mut asked.inputs) {
            self.input(input, now);
            ui.ctx().request_repaint();
        }
    }
}

impl eframe::App for Window {
    fn raw_input_hook(&mut self, ctx: &egui::Context, raw: &mut egui::RawInput) {
        if self.input_order.take(&mut raw.events) {
            ctx.request_repaint();
        }
    }

    fn logic(&mut self, ctx: &egui::Context, _: &mut eframe::Frame) {
        Window::logic(self, ctx);
    }

    fn ui(&mut self, ui: &mut egui::Ui, _: &mut eframe::Frame) {
        self.draw(ui);
    }
}
