//! The Review page's work: classifying, the session's writer, exports, the map of cells, heat maps.

use super::case::FilesLook;
use super::heat_map::HeatKey;
use super::message::{Effect, Event, ReviewedFor};
use super::state::State;
use crate::app::jobs::{EventSender, JobContext, Notice};
use crate::app::language::tr;
use crate::domain::CellId;
use crate::imaging::Cells;
use crate::inference::{CellFeatures, Finder, OwnSquares};
use crate::laboratory::{Ranges, ReferenceRange, RunEnd, SlideReport};
use crate::model::VettedModel;
use crate::task::{Cancel, Generation, Monitor, Progress};
use crate::workflow::{
    self, ClassifyEvent, ClassifyRequest, Export, OpenedSession, ResultBatch, SessionCommand, SessionEvent,
    SessionWriter,
};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// How the session's writer is heard. An event that finds no room is given back, and comes again.
pub type SessionSender = Arc<dyn Fn(Generation, SessionEvent) -> Result<(), SessionEvent> + Send + Sync>;

/// Starts the page's jobs.
pub struct Jobs {
    events: EventSender<Event>,
    /// What the session says comes on a way of its own: rows of a large batch must not keep it out.
    session_events: SessionSender,
    cancel: Cancel,
    mapping: Cancel,
    session: Option<SessionWriter>,
    /// Where sessions are kept, where that is not the user's data folder.
    pub session_folder: Option<PathBuf>,
    /// Where the demo slide is drawn, where that is not the cache.
    pub demo_out: Option<PathBuf>,
    /// Of each file, which question about its changed squares was the last: answers to older ones are dropped.
    newest: Arc<Mutex<HashMap<PathBuf, u64>>>,
}

impl Jobs {
    /// No job yet.
    pub fn new(events: EventSender<Event>, session_events: SessionSender) -> Self {
        Self {
            events,
            session_events,
            cancel: Cancel::new(),
            mapping: Cancel::new(),
            session: None,
            session_folder: None,
            demo_out: None,
            newest: Arc::default(),
        }
    }

    /// Asks what runs to stop.
    pub fn stop(&self) {
        self.cancel.cancel();
        self.mapping.cancel();
    }

    /// Ends the session's writer, once everything given before is on the disk.
    pub fn close(&mut self) {
        self.session = None;
    }

    /// Does what the page wants done.
    pub fn perform(&mut self, effect: Effect, state: &State, cx: &JobContext<'_>) {
        match effect {
            Effect::Classify(generation, paths) => {
                let known = state.known.clone();
                let request = ClassifyRequest { paths, known, watch: state.watching, ..request(state, cx) };
                self.classify(generation, request, cx.model.clone());
            }
            Effect::Again(generation, asked, path) => {
                let request = ClassifyRequest { paths: vec![path.clone()], ..request(state, cx) };
                self.again(generation, asked, path, request, cx.model.clone());
            }
            Effect::Explain(generation, key, path) => {
                self.explain(generation, key, path, state.labels.own_squares(), cx);
            }
            Effect::OpenIfThere(paths, watch) => self.open_if_there(paths, watch),
            Effect::OpenSession(generation, paths) => self.open_session(generation, paths, state.cells(), cx),
            Effect::KeepLabels(edit) => self.tell_session(SessionCommand::Apply(edit, cx.operator.to_owned())),
            Effect::ChangeCase(change) => self.tell_session(SessionCommand::Case(change, cx.operator.to_owned())),
            Effect::Export(export) => self.export(export, state, cx),
            Effect::ReviewedCells(what) => self.reviewed_cells(what),
            Effect::LoadRanges => self.load_ranges(),
            Effect::KeepRanges(ranges, set_aside) => self.keep_ranges(ranges, set_aside, cx.remembers),
            Effect::LookAtFiles(generation) => self.look_at_files(generation),
            Effect::AskFolder | Effect::AskImages | Effect::AskWatch => self.ask(effect),
            Effect::Cancel => self.cancel.cancel(),
            Effect::Demo => self.demo(self.demo_out.clone()),
            Effect::Map(generation, rows) => self.map(generation, rows),
            Effect::StopMap => self.mapping.cancel(),
        }
    }

    /// Asks for a folder or images, by the system's own dialog.
    fn ask(&self, what: Effect) {
        let watch = what == Effect::AskWatch;
        let dialog = move || {
            let dialog = rfd::FileDialog::new();
            match what {
                Effect::AskImages => dialog
                    .set_title(tr!("Open images"))
                    .add_filter(tr!("Images"), &crate::files::IMAGE_EXTENSIONS)
                    .add_filter(tr!("All files"), &["*"])
                    .pick_files(),
                Effect::AskWatch => {
                    dialog.set_title(tr!("A folder that images come into")).pick_folder().map(|p| vec![p])
                }
                _ => dialog.set_title(tr!("Open a folder of blood smears")).pick_folder().map(|p| vec![p]),
            }
        };
        self.events.ask(dialog, Notice::NoDialog { watch }, move |events, mut paths: Vec<PathBuf>| {
            events.send(if watch { Event::Watch(paths.remove(0)) } else { Event::Chosen(paths) });
        });
    }

    /// Classifies; results go to the session as they come, so that the folder is there at once the next time.
    fn classify(&mut self, generation: Generation, request: ClassifyRequest, model: VettedModel) {
        let cancel = self.cancel.renew();
        let commands = self.session.as_ref().map(SessionWriter::commands);
        self.events.spawn("classify-job", move |events| {
            let made_with = workflow::ResultProvenance::new(model.card(), request.cells, request.finder).to_text();
            let mut batch = ResultBatch::new(commands, generation, made_with);
            events.send(Event::Run(generation, batch.begin(request.known.is_empty())));
            let mut on_event = |event| {
                if let Some(run) = batch.hear(&event, !cancel.is_cancelled()) {
                    events.send(Event::Run(generation, run));
                }
                events.send(Event::Classify(generation, event));
                Ok(())
            };
            let progress = Progress::default();
            let mut monitor = Monitor::new(&cancel, &progress, &mut on_event);
            let ended = if request.watch {
                workflow::watch(&request, &model, true, &mut monitor)
            } else {
                workflow::classify(&request, &model, &mut monitor)
            };
            let end = match &ended {
                Ok(totals) if totals.cancelled && !request.watch => RunEnd::Stopped,
                Ok(_) => RunEnd::Complete,
                Err(_) => RunEnd::Failed,
            };
            events.send(Event::Run(generation, batch.ended(end)));
            events.send(match ended {
                Ok(totals) => Event::Finished(generation, totals.skipped, totals.cancelled && !request.watch),
                Err(e) => Event::Failed(generation, e.to_string()),
            });
        });
    }

    /// Classifies one image again, beside whatever runs: its squares changed, for the n-th time.
    fn again(&self, generation: Generation, asked: u64, path: PathBuf, request: ClassifyRequest, model: VettedModel) {
        let commands = self.session.as_ref().map(SessionWriter::commands);
        let newest = self.newest.clone();
        newest.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone(), asked);
        self.events.spawn("classify-again", move |events| {
            let made_with = workflow::ResultProvenance::new(model.card(), request.cells, request.finder).to_text();
            let mut batch = ResultBatch::new(commands, generation, made_with);
            let (cancel, progress) = (Cancel::new(), Progress::default());
            let mut on_event = |told| {
                if let ClassifyEvent::Row(row) = told {
                    // Held while the row is handed on, so that an older one cannot come after it.
                    let last = newest.lock().unwrap_or_else(PoisonError::into_inner);
                    if last.get(&path) == Some(&asked) {
                        batch.take(&row);
                        batch.flush();
                        events.send(Event::Again(generation, asked, row));
                    }
                }
                Ok(())
            };
            let ended = workflow::classify(&request, &model, &mut Monitor::new(&cancel, &progress, &mut on_event));
            if let Err(e) = ended {
                events.error(&e);
            }
        });
    }

    /// Opens paths if they are there, or were: what a session knows can be looked at while its share is away.
    fn open_if_there(&self, paths: Vec<PathBuf>, watch: bool) {
        let own = self.session_folder.clone();
        self.events.spawn("open", move |events| match workflow::openable(paths, own.as_deref()) {
            Ok((mut paths, _)) if watch => events.send(Event::Watch(paths.remove(0))),
            Ok((paths, said)) => {
                said.iter().for_each(|s| events.error(s));
                events.send(Event::Chosen(paths));
            }
            Err(e) => events.error(&e),
        });
    }

    /// Finds out where the model looked in a cell.
    fn explain(&self, generation: Generation, key: HeatKey, path: PathBuf, own: OwnSquares, cx: &JobContext<'_>) {
        let (model, provider) = (cx.model.clone(), cx.provider);
        self.events.spawn("explain", move |events| {
            let request = workflow::ExplainRequest {
                path,
                cell: key.cell.number,
                class: None,
                provider,
                own,
                digest: Some(key.image),
            };
            let found = workflow::explain(&request, &model, &Cancel::new(), &Progress::default());
            let found = found.map(|explained| explained.map(|e| Arc::new(e.map)));
            events.send(Event::Heat(generation, key, found));
        });
    }

    fn map(&mut self, generation: Generation, rows: Vec<(CellId, Vec<f32>)>) {
        let cancel = self.mapping.renew();
        self.events.spawn("map", move |events| {
            let progress = Progress::default();
            let found = events.counting(
                &progress,
                |done, total| Event::Mapping(generation, done, total),
                || workflow::place_cells(rows, &cancel, &progress),
            );
            events.send(Event::Mapped(generation, found));
        });
    }

    /// Draws the demo slide and opens it.
    fn demo(&self, out: Option<PathBuf>) {
        self.events.spawn("demo", move |events| match workflow::draw_demo(out.as_deref()) {
            Ok(demo) => events.send(Event::Chosen(vec![demo.path])),
            Err(e) => events.error(&e),
        });
    }

    /// Opens the session of some paths; the one that was open is closed. `cells` says whose results are wanted.
    fn open_session(&mut self, generation: Generation, paths: Vec<PathBuf>, cells: Cells, cx: &JobContext<'_>) {
        let tell = |event| drop((self.session_events)(generation, event));
        let place = match (&self.session_folder, cx.remembers) {
            (Some(folder), _) => Ok(folder.join("test.session")),
            (None, true) => workflow::session_path(&paths),
            // A window that remembers nothing gives no labels.
            (None, false) => return tell(SessionEvent::None),
        };
        if self.session.is_none() {
            let events = self.session_events.clone();
            match SessionWriter::new(Box::new(move |generation, event| events(generation, event))) {
                Ok(writer) => self.session = Some(writer),
                Err(e) => {
                    self.events.spawn("no-session", move |events| events.error(&format!("labels cannot be kept: {e}")));
                    return tell(SessionEvent::None);
                }
            }
        }
        match place {
            Ok(place) => {
                let made_with = workflow::ResultProvenance::new(cx.model.card(), cells, Finder::default()).to_text();
                self.tell_session(SessionCommand::Open { generation, place, folders: paths, made_with });
            }
            Err(e) => {
                let nothing = OpenedSession { read_only: Some(e.to_string()), ..OpenedSession::default() };
                tell(SessionEvent::Opened(Box::new(nothing)));
            }
        }
    }

    fn tell_session(&self, command: SessionCommand) {
        if let Some(session) = &self.session {
            session.send(command);
        }
    }

    /// Does something with the session's file once everything given before is in it.
    fn with_session(&self, name: &'static str, work: impl FnOnce(&EventSender<Event>, &Path) + Send + 'static) {
        let events = self.events.clone();
        // Not on the writer's own thread: labels go on being kept meanwhile.
        self.tell_session(SessionCommand::WithPath(Box::new(move |path| {
            events.spawn(name, move |events| work(events, &path));
        })));
    }

    /// Asks where to, then writes. What is kept in a session is written as the session has it, with everything that was given before.
    fn export(&mut self, export: Export, state: &State, cx: &JobContext<'_>) {
        match export {
            Export::Labels => {
                self.with_session("export-labels", move |events, session| {
                    match workflow::session_bytes(export, session) {
                        Ok(bytes) => events.write_where_asked(export.file_name(), &bytes),
                        Err(e) => events.error(&e),
                    }
                })
            }
            Export::Images => self.export_images(),
            Export::Table => {
                let images: Vec<_> = state.images.values().cloned().collect();
                let card = cx.model.card().clone();
                self.events.spawn("export-table", move |events| {
                    let bytes = workflow::results_csv(&images, &card.classes, card.digest.to_string());
                    events.write_where_asked(export.file_name(), &bytes);
                });
            }
            report => self.export_report(report, state, cx),
        }
    }

    fn export_report(&self, export: Export, state: &State, cx: &JobContext<'_>) {
        let shown = match state.report(&workflow::now()) {
            Ok(report) => report,
            // On a thread of its own: it may have to wait for room.
            Err(why) => return self.events.spawn("export-report", move |events| events.error(&why)),
        };
        // Heat maps go into the page while they are shown.
        let pages = export == Export::ReportHtml && state.heat.shown;
        let images = state.images.values().map(|i| &**i);
        let picks = if pages { workflow::pick_cells(images, &state.model.classes) } else { Vec::new() };
        let (model, provider, own) = (cx.model.clone(), cx.provider, state.labels.own_squares());
        let stored = state.labels.open && state.labels.read_only.is_none();
        self.with_report("export-report", shown, stored, move |events, mut report| {
            if !picks.is_empty() {
                match workflow::heat_map_examples(&picks, &model, provider, &own, &Cancel::new(), &Progress::default())
                {
                    Ok(found) => report.heat_maps = found,
                    Err(e) => events.error(&e),
                }
            }
            if let Some(bytes) = workflow::report_bytes(export, &report) {
                events.write_where_asked(export.file_name(), &bytes);
            }
        });
    }

    /// Does something with the report: as the session has it, with everything that was given before, where one is kept (`stored`);
    /// else as the window has it.
    fn with_report(
        &self,
        name: &'static str,
        shown: SlideReport,
        stored: bool,
        work: impl FnOnce(&EventSender<Event>, SlideReport) + Send + 'static,
    ) {
        if stored && self.session.is_some() {
            self.with_session(name, move |events, session| match workflow::session_report(session) {
                Ok(report) => work(events, report),
                Err(e) => events.error(&e),
            });
        } else {
            self.events.spawn(name, move |events| work(events, shown));
        }
    }

    /// Asks for a folder, then copies the reviewed images into it.
    fn export_images(&self) {
        self.with_session("export-images", |events, session| {
            let Some(folder) = events.folder_where_asked(Export::Images.file_name()) else { return };
            let _must_end = events.must_end();
            let written = workflow::export_images(session, &folder, &Cancel::new(), &Progress::default());
            if let Ok(done) = &written {
                done.failed.iter().for_each(|why| events.error(why));
            }
            events.written(folder, &written);
        });
    }

    /// Makes a dataset of the reviewed cells, and goes to Train or Evaluate with it.
    fn reviewed_cells(&self, what: ReviewedFor) {
        let own = self.session_folder.clone();
        self.with_session("reviewed-cells", move |events, session| {
            let out = own.map(|folder| folder.join("reviewed.csv"));
            match workflow::reviewed_cells(session, out.as_deref()) {
                Ok(cells) => events.send(Event::ReviewedCells(cells.table, what)),
                Err(e) => events.error(&e),
            }
        });
    }

    fn load_ranges(&self) {
        self.events.spawn("ranges", |events| {
            let ranges = workflow::load_ranges();
            if let Ranges::Unreadable(why) = &ranges {
                events.error(why);
            }
            events.send(Event::Ranges(ranges));
        });
    }

    /// Keeps the laboratory's ranges; a window that remembers nothing has them until it is closed.
    fn keep_ranges(&self, ranges: Vec<ReferenceRange>, set_aside: bool, remembers: bool) {
        self.events.spawn_to_end("ranges", move |events| {
            let batch = if remembers { workflow::save_ranges(&ranges, set_aside) } else { Ok(None) };
            match batch {
                Ok(aside) => {
                    aside.into_iter().for_each(|path| events.notice(Notice::Written(path)));
                    events.send(Event::Ranges(Ranges::new(ranges)));
                }
                Err(e) => events.error(&e),
            }
        });
    }

    /// Looks whether the session's files are what they were when they were looked at, and which images look like one field.
    fn look_at_files(&self, generation: Generation) {
        let commands = self.session.as_ref().map(SessionWriter::commands);
        self.with_session("look-at-files", move |events, session| match workflow::session_files(session) {
            Ok(workflow::SessionFiles { changed, alike }) => {
                if let Some(commands) = commands {
                    let text = workflow::groups_text(&alike);
                    let _ = commands.send(SessionCommand::Note(generation, workflow::ALIKE, text));
                }
                events.send(Event::Files(generation, FilesLook::new(changed), alike));
            }
            Err(e) => events.error(&e),
        });
    }
}

/// What every classification in the window has in common.
fn request(state: &State, cx: &JobContext<'_>) -> ClassifyRequest {
    ClassifyRequest {
        provider: cx.provider,
        cells: state.cells(),
        features: CellFeatures::Sketch,
        own: Arc::new(state.labels.own_squares()),
        ..Default::default()
    }
}
