//! The window: the only code that names egui.
//!
//! A page draws itself and asks for commands and inputs, jobs send events; [`update`] hands each to its page, which answers with a new state
//! and effects, and only jobs carry effects out. `logic` does, `ui` draws.

pub mod choice;
pub mod command;
pub mod evaluate;
pub mod event;
pub mod in_use;
mod jobs;
pub mod keys;
pub mod language;
pub mod models;
pub mod review;
pub mod shell;
pub mod state;
mod textures;
mod theme;
pub mod train;
pub mod update;
pub(crate) mod widgets;

use crate::inference::Runtime;
use crate::model::VettedModel;
use crate::task::Generation;
use crate::workflow::{self, SessionEvent, Settings, UserError};
use choice::{Page, ThemeChoice};
use command::Command;
use crossbeam_channel::{Receiver, Sender, bounded};
use event::{Effect, Event, Input};
pub use jobs::Notice;
use jobs::{EventSender, JobContext, Message, OpenWork};
use state::State;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use textures::Textures;
use widgets::{Asked, Cx};

/// Events that wait for the window at most; a job that is ahead waits.
const EVENTS: usize = 512;
/// Events that are taken in a frame at most.
const TAKEN: usize = 256;
/// How often the window draws itself while something goes on.
const BUSY: Duration = Duration::from_millis(250);

type OfSession = (Generation, SessionEvent);

/// The work of each page outside the window's thread.
struct Jobs {
    shell: EventSender<shell::Event>,
    review: review::Jobs,
    evaluate: evaluate::Jobs,
    train: train::Jobs,
    models: models::Jobs,
    /// What must end before the program does.
    open_work: OpenWork,
}

/// What only drawing needs to remember, by page.
#[derive(Default)]
struct Memory {
    review: review::Memory,
    evaluate: evaluate::Memory,
    models: models::Memory,
    guide: shell::GuideMemory,
    /// Nothing had the keyboard when the frame began.
    keys_free: bool,
}

/// The window as eframe runs it.
pub struct Window {
    state: State,
    /// The model in use, with its bytes.
    model: VettedModel,
    jobs: Jobs,
    /// None once the window is going: whoever speaks then is not waited for.
    events: Option<Receiver<Event>>,
    session_events: Receiver<OfSession>,
    textures: Textures,
    memory: Memory,
    shown_theme: Option<ThemeChoice>,
    input_order: shell::input_order::InputOrder,
    /// The settings as they are on the disk; none where nothing is remembered between starts.
    kept: Option<Settings>,
}

/// Opens the window on some paths, or on the demo slide, and returns when it is closed.
///
/// # Errors
/// When no window can be opened, in words.
pub fn run(paths: Vec<PathBuf>, demo: Option<Option<PathBuf>>) -> Result<(), UserError> {
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
                Window::new(&cc.egui_ctx, paths, demo, Some(workflow::load_settings()))
                    .map_err(|e| std::io::Error::other(e.to_string()))?,
            ))
        }),
    )
    .map_err(|e| {
        UserError::new(format!(
            "the window cannot be opened: {e}. The command line works without one: leukoscope --help"
        ))
    })
}

/// A way for a page's jobs to be heard: through the channel, and the window wakes.
fn sender<E: Into<Event> + Send + 'static>(
    channel: &Sender<Event>,
    ctx: &egui::Context,
    open_work: &OpenWork,
) -> EventSender<E> {
    let (channel, ctx) = (channel.clone(), ctx.clone());
    let post = move |message: Message<E>, wait| {
        let event = match message {
            Message::Page(event) => event.into(),
            Message::Notice(notice) => shell::Event::Notice(notice).into(),
        };
        // A window that has gone, or has no room for what does not wait, hears nothing.
        let _ = if wait { channel.send(event).is_ok() } else { channel.try_send(event).is_ok() };
        ctx.request_repaint();
    };
    EventSender::new(post, open_work.clone())
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
        settings: Option<Settings>,
    ) -> Result<Self, UserError> {
        let bundled = workflow::default_model()?;
        let remembers = settings.is_some();
        let settings = settings.unwrap_or_default();
        // The model that was chosen to begin with; where it cannot be opened any more the bundled one, and it is said.
        let chosen = settings.model.as_ref().map(|path| workflow::open_model(Some(path)).map(|m| (m, path.clone())));
        let (model, path, no_default) = match chosen {
            Some(Ok((model, path))) => (model, Some(path), None),
            Some(Err(e)) => (bundled, None, Some(format!("the model to begin with: {e}. The bundled one is used"))),
            None => (bundled, None, None),
        };
        theme::install(ctx);
        let ((channel, events), (session_channel, session_events)) = (bounded(EVENTS), bounded(EVENTS));
        let mut window = Self {
            state: State::new(model.card().clone(), path, settings),
            model,
            jobs: new_jobs(ctx, &channel, session_channel, remembers),
            events: Some(events),
            session_events,
            textures: textures(ctx, remembers),
            memory: Memory::default(),
            shown_theme: None,
            input_order: shell::input_order::InputOrder::default(),
            kept: None,
        };
        // Only what changes from here on is written: a settings file that cannot be read is not replaced by merely starting.
        window.kept = remembers.then(|| window.state.settings());
        if let Some(why) = no_default {
            window.on_event(shell::Event::Notice(Notice::Error(why)), 0.0);
        }
        if let Err(e) = Runtime::get() {
            window.state.review.trouble = Some(e.to_string());
        }
        if window.kept.is_some() {
            window.effect(train::Effect::Runs.into());
            window.effect(review::Effect::LoadRanges.into());
        }
        if let Some(out) = demo {
            window.jobs.review.demo_out = out;
            window.effect(review::Effect::Demo.into());
        } else {
            window.act(review::Input::Open(paths), 0.0);
        }
        Ok(window)
    }

    /// What the window knows; for tests.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Bytes of the images held for the screen; for tests and measurements.
    pub fn texture_bytes(&self) -> usize {
        self.textures.bytes()
    }

    /// Keeps sessions in a folder of their own, before anything is opened; for tests.
    pub fn keep_sessions_in(&mut self, folder: PathBuf) {
        self.jobs.review.session_folder = Some(folder);
    }

    /// Gives a command as a menu would.
    pub fn command(&mut self, command: Command, now: f64) {
        let effects = update::command(&mut self.state, command, now);
        effects.into_iter().for_each(|e| self.effect(e));
    }

    /// Takes an input as from the screen.
    pub fn act(&mut self, input: impl Into<Input>, now: f64) {
        let effects = update::input(&mut self.state, input.into(), now);
        effects.into_iter().for_each(|e| self.effect(e));
    }

    /// Hears an event as from a job.
    pub fn on_event(&mut self, event: impl Into<Event>, now: f64) {
        let event = event.into();
        if let Event::Models(models::Event::OpenedModel(model, _)) = &event {
            self.model = (**model).clone();
        }
        let effects = update::event(&mut self.state, event, now);
        effects.into_iter().for_each(|e| self.effect(e));
    }

    fn effect(&mut self, effect: Effect) {
        let cx = JobContext {
            model: &self.model,
            provider: self.state.model.provider,
            operator: &self.state.shell.operator,
            remembers: self.kept.is_some(),
        };
        match effect {
            Effect::Shell(shell::Effect::SelfCheck) => self.jobs.shell.spawn("self-check", |events| {
                events.send(shell::Event::Checked(workflow::doctor().to_text()));
            }),
            Effect::Review(effect) => {
                if matches!(effect, review::Effect::OpenSession(..)) {
                    self.textures.clear();
                }
                self.jobs.review.perform(effect, &self.state.review, &cx);
            }
            Effect::Evaluate(effect) => self.jobs.evaluate.perform(effect, &cx),
            Effect::Train(effect) => self.jobs.train.perform(effect, &cx),
            Effect::Models(effect) => self.jobs.models.perform(effect, &cx),
        }
    }

    /// Remembers settings that changed.
    fn remember(&mut self) {
        let settings = self.state.settings();
        if self.kept.as_ref().is_none_or(|kept| *kept == settings) {
            return;
        }
        self.kept = Some(settings.clone());
        self.jobs.shell.spawn_to_end("settings", move |events| {
            if let Err(e) = workflow::save_settings(&settings) {
                events.error(&e);
            }
        });
    }

    /// Everything but drawing.
    pub fn logic(&mut self, ctx: &egui::Context) {
        self.state.shell.language.set_current();
        let now = ctx.input(|i| i.time);
        let session = self.session_events.try_iter().map(|(g, event)| review::Event::Session(g, event).into());
        let rows = self.events.iter().flat_map(Receiver::try_iter);
        let arrived: Vec<Event> = session.chain(rows).take(TAKEN).collect();
        for event in arrived {
            self.on_event(event, now);
        }
        let dropped: Vec<PathBuf> = ctx.input(|i| i.raw.dropped_files.iter().map(|f| f.path().to_owned()).collect());
        if !dropped.is_empty() {
            self.act(shell::Input::Open(dropped), now);
        }
        update::tick(&mut self.state, now);
        if let Some(effect) = self.state.review.want_heat() {
            self.effect(effect.into());
        }
        let State { shell, review, evaluate, train, .. } = &self.state;
        if self.shown_theme != Some(shell.theme) {
            self.shown_theme = Some(shell.theme);
            theme::apply(ctx, shell.theme);
        }
        if !shell.toasts.is_empty() || review.job.is_some() || train.busy() || evaluate.busy {
            ctx.request_repaint_after(BUSY);
        }
        if ctx.input(|i| i.viewport().close_requested()) {
            // However the window is closed, what was typed is kept.
            self.act(review::Input::Leave, now);
        }
        if self.state.shell.quit {
            ctx.send_viewport_cmd(egui::ViewportCommand::Close);
        }
        self.remember();
    }

    /// Drawing, and what was asked for while drawing.
    pub fn draw(&mut self, ui: &mut egui::Ui) {
        self.state.shell.language.set_current();
        let now = ui.input(|i| i.time);
        self.textures.begin_frame(ui.ctx());
        let asked = draw_window(ui, &self.state, &mut self.memory, &mut self.textures, now);
        // One-frame wishes were seen by the page.
        let review = &mut self.state.review;
        (review.fit, review.reveal, review.focus_filter) = (false, false, false);
        for command in asked.commands {
            if command != Command::Palette && matches!(self.state.shell.dialog, shell::Dialog::Palette { .. }) {
                self.state.shell.dialog = shell::Dialog::None;
            }
            self.command(command, now);
            ui.ctx().request_repaint();
        }
        for input in asked.inputs {
            self.act(input, now);
            ui.ctx().request_repaint();
        }
    }
}

/// The jobs of each page, heard through the channels.
fn new_jobs(ctx: &egui::Context, channel: &Sender<Event>, session: Sender<OfSession>, remembers: bool) -> Jobs {
    let wake = ctx.clone();
    let session_events = move |generation, event| {
        let sent = session.try_send((generation, event)).map_err(|full| full.into_inner().1);
        wake.request_repaint();
        sent
    };
    let open_work = OpenWork::default();
    Jobs {
        shell: sender(channel, ctx, &open_work),
        review: review::Jobs::new(sender(channel, ctx, &open_work), Arc::new(session_events)),
        evaluate: evaluate::Jobs::new(sender(channel, ctx, &open_work), remembers),
        train: train::Jobs::new(sender(channel, ctx, &open_work)),
        models: models::Jobs::new(sender(channel, ctx, &open_work)),
        open_work,
    }
}

/// The cache of images for the screen. Without a place on the disk they are made again: a word in the log is enough.
fn textures(ctx: &egui::Context, remembers: bool) -> Textures {
    let disk = crate::files::cache_folder("thumbnails.sqlite").filter(|_| remembers).and_then(|place| {
        let opened = crate::session::Thumbnails::open(&place, crate::session::THUMBNAIL_BYTES);
        opened.map_err(|e| tracing::warn!("small images are not kept: {e}")).ok()
    });
    let wake = ctx.clone();
    Textures::new(disk, move || wake.request_repaint())
}

/// Takes over what a page asked for.
fn take<I: Into<Input>>(all: &mut Asked<Input>, page: Asked<I>) {
    all.commands.extend(page.commands);
    all.inputs.extend(page.inputs.into_iter().map(Into::into));
}

/// Draws everything; what was asked for meanwhile.
fn draw_window(
    ui: &mut egui::Ui,
    state: &State,
    memory: &mut Memory,
    textures: &mut Textures,
    now: f64,
) -> Asked<Input> {
    let look = |command| update::availability(state, command);
    let cx = Cx {
        look: &look,
        keys: &state.shell.keys,
        model: &state.model,
        operator: &state.shell.operator,
        recent: &state.shell.recent,
        dialog: state.shell.dialog != shell::Dialog::None || state.review.dialog != review::Dialog::None,
        now,
    };
    let (mut asked, mut around) = (Asked::default(), Asked::default());
    if !matches!(state.shell.dialog, shell::Dialog::Keyboard(Some(_))) {
        widgets::shortcuts(ui, &cx, |pressed| match pressed {
            Ok(command) => around.command(command),
            Err(why) => around.input(shell::Input::Refused(why)),
        });
    }
    memory.review.begin_frame(ui);
    memory.keys_free = ui.ctx().memory(|m| m.focused().is_none());
    shell::menu_bar(ui, &cx, &state.review.offered(), &mut around);
    let status = shell::Status {
        trouble: state.review.trouble.as_deref(),
        engine: state.review.engine.as_ref(),
        saved: state.review.labels.saved(),
        no_cell: state.review.slides.counts(None).no_cell,
        job: state.review.job_status(now),
        training: state.train.status(now),
    };
    shell::status_bar(ui, &cx, &status, &mut around);
    shell::rail(ui, &cx, &state.shell, &mut around);
    let mut review = Asked::default();
    match state.shell.page {
        Page::Review => review::page(ui, &cx, &state.review, &mut memory.review, textures, &mut review),
        Page::Evaluate => {
            let mut own = Asked::default();
            evaluate::page(ui, &cx, &state.evaluate, &mut memory.evaluate, textures, &mut own);
            take(&mut asked, own);
        }
        Page::Train => {
            let mut own = Asked::default();
            train::page(ui, &cx, &state.train, textures, &mut own);
            take(&mut asked, own);
        }
        Page::Models => {
            let mut own = Asked::default();
            models::page(ui, &cx, &state.models, &mut memory.models, &mut own);
            take(&mut asked, own);
        }
    }
    shell::dialog(ui, &cx, &state.shell, &mut memory.guide, &mut around);
    review::dialog(ui, &cx, &state.review, textures, &mut review);
    shell::toasts(ui, &state.shell);
    shell::drop_overlay(ui);
    if !cx.dialog && memory.keys_free {
        if state.shell.page == Page::Review {
            review::keys(ui, &cx, &memory.review, &mut review);
        } else {
            // The matrix has its own keys.
            shell::keys(ui, &cx, state.shell.page != Page::Evaluate, &mut around);
        }
    }
    take(&mut asked, around);
    take(&mut asked, review);
    asked
}

impl Drop for Window {
    fn drop(&mut self) {
        self.jobs.review.stop();
        self.jobs.evaluate.stop();
        self.jobs.train.stop();
        self.jobs.models.stop();
        // Whoever waits for room in the channel is let go: nobody reads it any more.
        self.events = None;
        // Labels first: what is written from the session begins once everything given before is in it.
        self.jobs.review.close();
        self.jobs.open_work.wait();
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
