//! The window's work outside its thread: classification, dialogs, the self-check. Each job is named, can be cancelled,
//! is stamped with its generation, and talks through one bounded channel.

use super::case::FilesLook;
use super::evaluation::{EvaluateEvent, EvaluateForm, Which};
use super::heat::HeatKey;
use super::keeper::{Kept, SessionWork, write_session};
use super::labels::{OpenedSession, SessionEvent};
use super::models::ModelsEvent;
use super::training::{TrainEvent, TrainForm};
use super::update::Event;
use crate::domain::CellId;
use crate::inference::{Cells, OwnSquares, Provider};
use crate::laboratory::{Ranges, ReferenceRange, RunEnd, SlideReport};
use crate::model::VettedModel;
use crate::report::{Compared, Evaluated, RowFormat, RowWriter, Stamp};
use crate::session::{CaseChange, Edit};
use crate::task::{Cancel, Generation, Progress};
use crate::training::Stop;
use crate::workflow::{
    self, EvaluateError, EvaluateTold, Prepared, Request, Told, TrainControl, TrainOptions, TrainOutcome, TrainRequest,
    UnfinishedRun, UserError,
};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Events that wait for the window at most; a job that is ahead waits.
const EVENTS: usize = 512;
/// The folder of a report when no dialog can ask.
const UNASKED_REPORT: &str = "leukoscope-report";
/// A dialog that is answered faster than this was not answered by a person: there is none on this system.
const TOO_FAST: Duration = Duration::from_millis(400);

/// Starts jobs and hears from them.
pub struct Jobs {
    give: Sender<Event>,
    /// None once the window is going: whoever speaks then is not waited for.
    take: Option<Receiver<Event>>,
    /// What the session says comes on a way of its own: rows of a large batch must not keep it out.
    session_give: Sender<Event>,
    session_take: Receiver<Event>,
    ctx: egui::Context,
    cancel: Cancel,
    model: VettedModel,
    training: TrainControl,
    evaluation: Cancel,
    library: Cancel,
    mapping: Cancel,
    /// The way to the one writer of labels, and its thread.
    session: Option<(Sender<SessionWork>, std::thread::JoinHandle<()>)>,
    /// Where sessions are kept, where that is not the user's data folder.
    session_folder: Option<PathBuf>,
    /// Whether anything is remembered beyond this window.
    remembers: bool,
    /// Corrections on their way to the disk, in order; none where nothing is remembered.
    corrections: Option<Keeper>,
    /// What was prepared when the data were looked at; training takes it up if it is still the same request.
    prepared: Arc<Mutex<Option<Prepared>>>,
    /// Of each file, which question about its changed squares was the last: answers to older ones are dropped.
    newest: Arc<Mutex<HashMap<PathBuf, u64>>>,
}

impl Jobs {
    /// No job yet.
    #[must_use]
    pub fn new(ctx: egui::Context, model: VettedModel, remembers: bool) -> Self {
        let (give, take) = bounded(EVENTS);
        let (session_give, session_take) = bounded(EVENTS);
        let mut jobs = Self {
            give,
            take: Some(take),
            session_give,
            session_take,
            ctx,
            cancel: Cancel::new(),
            model,
            training: TrainControl::default(),
            evaluation: Cancel::new(),
            library: Cancel::new(),
            mapping: Cancel::new(),
            session: None,
            session_folder: None,
            remembers,
            corrections: None,
            prepared: Arc::default(),
            newest: Arc::default(),
        };
        if remembers {
            // One writer, so that corrections reach the disk in the order in which they were made.
            let (put, changes) = bounded::<(Vec<Change>, String)>(EVENTS);
            let voice = Voice { give: jobs.give.clone(), ctx: jobs.ctx.clone() };
            let writer = std::thread::Builder::new().name("corrections".into());
            jobs.corrections = match writer.spawn(move || keep(&changes, &voice)) {
                Ok(thread) => Some((put, thread)),
                Err(_) => None,
            };
        }
        jobs
    }

    /// What arrived, at most so many that a frame stays short.
    #[must_use]
    pub fn arrived(&self) -> Vec<Event> {
        let rows = self.take.iter().flat_map(Receiver::try_iter);
        self.session_take.try_iter().chain(rows).take(256).collect()
    }

    /// Another model from now on.
    pub fn use_model(&mut self, model: VettedModel) {
        self.model = model;
    }

    /// Asks the running job to stop.
    pub fn cancel(&mut self) {
        self.cancel.cancel();
    }

    /// The model in use.
    pub(super) fn model(&self) -> &VettedModel {
        &self.model
    }

    /// Whether anything is remembered beyond this window.
    pub(super) fn remembers(&self) -> bool {
        self.remembers
    }

    /// Something long begins in the Models place: what went on there ends.
    pub(super) fn begin_models(&mut self) -> Cancel {
        self.library.cancel();
        self.library = Cancel::new();
        self.library.clone()
    }

    /// Stops what goes on in the Models place.
    pub(super) fn stop_models(&self) {
        self.library.cancel();
    }

    pub(super) fn spawn(&self, name: &str, work: impl FnOnce(&Voice) + Send + 'static) {
        let voice = Voice { give: self.give.clone(), ctx: self.ctx.clone() };
        let failed = voice.give.clone();
        if let Err(e) = std::thread::Builder::new().name(name.into()).spawn(move || work(&voice)) {
            let _ = failed.try_send(Event::Trouble(format!("no thread could be started: {e}")));
        }
    }

    /// Classifies; results go to the session as they come, so that the folder is there at once the next time.
    pub fn classify(&mut self, generation: Generation, request: Request) {
        self.cancel.cancel();
        self.cancel = Cancel::new();
        let (cancel, model) = (self.cancel.clone(), self.model.clone());
        let keeper = self.session.as_ref().map(|(put, _)| put.clone());
        self.spawn("classify-job", move |voice| {
            let made_with = workflow::MadeWith::new(model.card(), request.cells).to_text();
            let mut kept = Kept::new(keeper, generation, made_with);
            voice.say(Event::Run(generation, kept.begin(request.known.is_empty())));
            let mut hear = |told| {
                voice.say(match told {
                    Told::Listed(n, _) => {
                        voice.say(Event::Run(generation, kept.listed(n, !cancel.is_cancelled())));
                        Event::Listed(generation, n)
                    }
                    // Paths that overlap are one list here.
                    Told::Twice(_) => return Ok(()),
                    Told::Started(report) => Event::Started(generation, report.to_line()),
                    Told::Switched(report) => Event::Switched(generation, report.to_line()),
                    Told::Gone(paths) => {
                        kept.gone(&paths);
                        Event::Gone(generation, paths)
                    }
                    Told::Looked(n) => {
                        kept.looked();
                        Event::Looked(generation, n)
                    }
                    Told::Reachable(there) => {
                        voice.say(Event::Run(generation, kept.reachable(there)));
                        Event::Reachable(generation, there)
                    }
                    Told::Row(row) => {
                        let row = Arc::new(row);
                        kept.take(&row);
                        Event::Row(generation, row)
                    }
                });
                Ok(())
            };
            let ended = if request.watch {
                workflow::watch(&request, &model, true, &cancel, &Progress::default(), &mut hear)
            } else {
                workflow::classify(&request, &model, &cancel, &Progress::default(), &mut hear)
            };
            let end = match &ended {
                Ok(totals) if totals.cancelled && !request.watch => RunEnd::Stopped,
                Ok(_) => RunEnd::Complete,
                Err(_) => RunEnd::Failed,
            };
            voice.say(Event::Run(generation, kept.ended(end)));
            voice.say(match ended {
                Ok(totals) => Event::Finished(generation, totals.skipped, totals.cancelled && !request.watch),
                Err(e) => Event::Failed(generation, e.to_string()),
            });
        });
    }

    /// Classifies one image again, beside whatever runs: its squares changed, for the so-manieth time.
    pub fn again(&self, generation: Generation, asked: u64, path: PathBuf, request: Request) {
        let model = self.model.clone();
        let keeper = self.session.as_ref().map(|(put, _)| put.clone());
        let newest = self.newest.clone();
        newest.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone(), asked);
        self.spawn("classify-again", move |voice| {
            let made_with = workflow::MadeWith::new(model.card(), request.cells).to_text();
            let mut kept = Kept::new(keeper, generation, made_with);
            let ended = workflow::classify(&request, &model, &Cancel::new(), &Progress::default(), &mut |told| {
                if let Told::Row(row) = told {
                    let row = Arc::new(row);
                    // Held while the row is handed on, so that an older one cannot come after it.
                    let last = newest.lock().unwrap_or_else(PoisonError::into_inner);
                    if last.get(&path) == Some(&asked) {
                        kept.take(&row);
                        kept.flush();
                        voice.say(Event::Again(generation, asked, row));
                    }
                }
                Ok(())
            });
            if let Err(e) = ended {
                voice.say(Event::Trouble(e.to_string()));
            }
        });
    }

    /// Opens paths if they are there, or were: what a session knows can be looked at while its share is away.
    pub fn open_if_there(&self, paths: Vec<PathBuf>, watch: bool) {
        let own = self.session_folder.clone();
        self.spawn("open", move |voice| {
            voice.say(match workflow::openable(paths, own.as_deref()) {
                Ok((mut paths, _)) if watch => Event::Watch(paths.remove(0)),
                Ok((paths, said)) => {
                    said.into_iter().for_each(|s| voice.say(Event::NotThere(s)));
                    Event::Chosen(paths)
                }
                Err(e) => Event::NotThere(e.to_string()),
            });
        });
    }

    /// Finds out where the model looked in a cell.
    pub fn explain(&self, generation: Generation, key: HeatKey, path: PathBuf, provider: Provider, own: OwnSquares) {
        let model = self.model.clone();
        self.spawn("explain", move |voice| {
            let request = workflow::ExplainRequest {
                path,
                cell: key.cell.number,
                class: None,
                provider,
                own,
                digest: Some(key.image),
            };
            let found = workflow::explain(&request, &model, &Cancel::new(), &Progress::default());
            voice.say(Event::Heat(
                generation,
                key,
                match found {
                    Ok(Some(explained)) => Ok(Arc::new(explained.map)),
                    Ok(None) => Err(String::new()),
                    Err(e) => Err(e.to_string()),
                },
            ));
        });
    }

    /// Makes the map of cells.
    pub fn map(&mut self, generation: Generation, rows: Vec<(CellId, Vec<f32>)>) {
        self.mapping.cancel();
        self.mapping = Cancel::new();
        let cancel = self.mapping.clone();
        self.spawn("map", move |voice| {
            let width = rows.first().map_or(0, |(_, f)| f.len());
            let (tiles, flat): (Vec<CellId>, Vec<Vec<f32>>) =
                rows.into_iter().filter(|(_, f)| f.len() == width).unzip();
            if tiles.len() < 4 {
                let why = "a map needs four cells with features; this model may give none";
                return voice.say(Event::Mapped(generation, Err(why.into())));
            }
            let progress = Progress::default();
            let found = voice.counting(
                &progress,
                |done, total| Event::Mapping(generation, done, total),
                || crate::metrics::embed(&flat.concat(), width, &cancel, &progress),
            );
            voice.say(Event::Mapped(generation, Ok(found.map(|places| tiles.into_iter().zip(places).collect()))));
        });
    }

    /// Stops making the map.
    pub fn stop_map(&self) {
        self.mapping.cancel();
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
    pub fn open_model(&self, path: Option<PathBuf>) {
        self.spawn("open-model", move |voice| voice.say(opened(path.as_deref())));
    }

    /// Looks at labelled pictures, and keeps what was prepared for training.
    pub fn look(&mut self, generation: Generation, request: TrainRequest) {
        self.training.cancel.cancel();
        self.training = TrainControl::default();
        let (control, slot) = (self.training.clone(), self.prepared.clone());
        self.spawn("look-at-data", move |voice| {
            let say = |e| voice.say(Event::Train(generation, e));
            let done = voice.watching(generation, &control, || {
                workflow::prepare_training(&request, &control.cancel, &control.progress)
            });
            match done {
                Ok(Some(prepared)) => {
                    say(TrainEvent::Looked(Box::new((request, prepared.plan().clone()))));
                    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(prepared);
                }
                Ok(None) => say(TrainEvent::NotLooked(None)),
                Err(e) => say(TrainEvent::NotLooked(Some(e.to_string()))),
            }
        });
    }

    /// Trains as the form says.
    pub fn train(&mut self, generation: Generation, form: &TrainForm) {
        self.training.cancel.cancel();
        self.training = TrainControl::default();
        let (control, slot, form, current) =
            (self.training.clone(), self.prepared.clone(), form.clone(), self.model.clone());
        self.spawn("train-job", move |voice| {
            let say = |e| voice.say(Event::Train(generation, e));
            let ended = voice.watching(generation, &control, || run(&form, current, &control, &slot, &|e| say(e)));
            say(TrainEvent::Ended(Box::new(ended.map_err(|e| e.to_string()))));
        });
    }

    /// Keeps sessions in a folder of their own.
    pub fn keep_sessions_in(&mut self, folder: PathBuf) {
        self.session_folder = Some(folder);
    }

    /// Opens the session of some paths; the one that was open is closed. `cells` says whose results are wanted.
    pub fn open_session(&mut self, generation: Generation, paths: Vec<PathBuf>, cells: Cells) {
        let place = match (&self.session_folder, self.remembers) {
            (Some(folder), _) => Ok(folder.join("test.session")),
            (None, true) => workflow::session_path(&paths),
            // A window that remembers nothing gives no labels.
            (None, false) => {
                let _ = self.session_give.try_send(Event::Session(generation, SessionEvent::None));
                return;
            }
        };
        if self.session.is_none() {
            let (put, work) = bounded(EVENTS);
            let (give, ctx) = (self.session_give.clone(), self.ctx.clone());
            let writer = std::thread::Builder::new().name("session".into());
            match writer.spawn(move || write_session(&work, &give, &ctx)) {
                Ok(thread) => self.session = Some((put, thread)),
                Err(e) => {
                    let _ = self.session_give.try_send(Event::Trouble(format!("labels cannot be kept: {e}")));
                    let _ = self.session_give.try_send(Event::Session(generation, SessionEvent::None));
                    return;
                }
            }
        }
        match place {
            Ok(place) => {
                let made_with = workflow::MadeWith::new(self.model.card(), cells).to_text();
                self.tell_session(SessionWork::Open { generation, place, folders: paths, made_with });
            }
            Err(e) => {
                let nothing = OpenedSession { read_only: Some(e.to_string()), ..OpenedSession::default() };
                let _ = self.session_give.try_send(Event::Session(generation, SessionEvent::Opened(Box::new(nothing))));
            }
        }
    }

    /// Makes an edit durable.
    pub fn keep_labels(&self, edit: Edit, operator: String) {
        self.tell_session(SessionWork::Apply(edit, operator));
    }

    /// Changes the case, durably.
    pub fn change_case(&self, change: CaseChange, operator: String) {
        self.tell_session(SessionWork::Case(change, operator));
    }

    /// Does something with the session's file once everything given before is in it.
    fn with_session(&self, name: &'static str, work: impl FnOnce(&Voice, &Path) + Send + 'static) {
        let voice = Voice { give: self.give.clone(), ctx: self.ctx.clone() };
        self.tell_session(SessionWork::Then(Box::new(move |path| {
            // Not on the writer's own thread: labels go on being kept meanwhile.
            let failed = voice.give.clone();
            let job = std::thread::Builder::new().name(name.into()).spawn(move || work(&voice, &path));
            if let Err(e) = job {
                let _ = failed.try_send(Event::Trouble(format!("no thread could be started: {e}")));
            }
        })));
    }

    /// Asks where to, then writes the labels that people gave.
    pub fn export_labels(&self) {
        self.with_session("export-labels", |voice, session| match workflow::session_csv(session) {
            Ok(bytes) => voice.write_where_asked("labels.csv", &bytes),
            Err(e) => voice.say(Event::Trouble(e.to_string())),
        });
    }

    /// Does something with the report: as the session has it, with everything that was given before, where one is kept (`stored`);
    /// else as the window has it.
    fn with_report(
        &self,
        name: &'static str,
        shown: SlideReport,
        stored: bool,
        work: impl FnOnce(&Voice, SlideReport) + Send + 'static,
    ) {
        if stored && self.session.is_some() {
            self.with_session(name, move |voice, session| match workflow::session_report(session) {
                Ok(report) => work(voice, report),
                Err(e) => voice.say(Event::Trouble(e.to_string())),
            });
        } else {
            self.spawn(name, move |voice| work(voice, shown));
        }
    }

    /// Asks where to, then writes the report as a page.
    pub fn export_report(
        &self,
        report: SlideReport,
        stored: bool,
        picks: Vec<workflow::Pick>,
        provider: Provider,
        own: OwnSquares,
    ) {
        let model = self.model.clone();
        self.with_report("export-report", report, stored, move |voice, mut report| {
            if !picks.is_empty() {
                match workflow::looked(&picks, &model, provider, &own, &Cancel::new(), &Progress::default()) {
                    Ok(looked) => report.looked = looked,
                    Err(e) => voice.say(Event::Trouble(e.to_string())),
                }
            }
            voice.write_where_asked("leukoscope-report.html", &workflow::report_html(&report));
        });
    }

    /// Asks where to, then writes the report for another system.
    pub fn export_fhir(&self, report: SlideReport, stored: bool) {
        self.with_report("export-fhir", report, stored, |voice, report| {
            voice.write_where_asked("leukoscope-report.fhir.json", &workflow::report_fhir(&report));
        });
    }

    /// Asks for a folder, then copies the reviewed images into it.
    pub fn export_images(&mut self) {
        self.with_session("export-images", |voice, session| {
            let Some(folder) = voice.folder_where_asked("leukoscope-images") else { return };
            voice.say(match workflow::export_images(session, &folder, &Cancel::new(), &Progress::default()) {
                Ok(done) => {
                    done.failed.into_iter().for_each(|why| voice.say(Event::Trouble(why)));
                    Event::Written(folder)
                }
                Err(e) => Event::Trouble(e.to_string()),
            });
        });
    }

    /// Makes a dataset of the reviewed cells, and goes to Train or Evaluate with it.
    pub fn reviewed_cells(&self, train: bool) {
        let own = self.session_folder.clone();
        self.with_session("reviewed-cells", move |voice, session| {
            let out = own.map(|folder| folder.join("reviewed.csv"));
            voice.say(match workflow::reviewed_cells(session, out.as_deref()) {
                Ok(cells) if train => Event::Dataset(cells.table),
                Ok(cells) => Event::Evaluation(cells.table),
                Err(e) => Event::Trouble(e.to_string()),
            });
        });
    }

    /// Reads the laboratory's ranges.
    pub fn load_ranges(&self) {
        self.spawn("ranges", |voice| {
            let ranges = workflow::load_ranges();
            if let Ranges::Unreadable(why) = &ranges {
                voice.say(Event::Trouble(why.clone()));
            }
            voice.say(Event::Ranges(ranges));
        });
    }

    /// Keeps the laboratory's ranges; a window that remembers nothing has them until it is closed.
    pub fn keep_ranges(&self, ranges: Vec<ReferenceRange>, set_aside: bool) {
        let remembers = self.remembers;
        self.spawn("ranges", move |voice| {
            let kept = if remembers { workflow::save_ranges(&ranges, set_aside) } else { Ok(None) };
            voice.say(match kept {
                Ok(aside) => {
                    aside.into_iter().for_each(|path| voice.say(Event::Written(path)));
                    Event::Ranges(Ranges::of(ranges))
                }
                Err(e) => Event::Trouble(e.to_string()),
            });
        });
    }

    /// Looks whether the session's files are what they were when they were looked at, and which images look like one field.
    pub fn look_at_files(&self, generation: Generation) {
        let keeper = self.session.as_ref().map(|(put, _)| put.clone());
        self.with_session("look-at-files", move |voice, session| match workflow::session_files(session) {
            Ok(workflow::SessionFiles { changed, alike }) => {
                if let Some(keeper) = keeper {
                    let text = workflow::groups_text(&alike);
                    let _ = keeper.send(SessionWork::Note(generation, workflow::ALIKE, text));
                }
                voice.say(Event::Files(generation, FilesLook::new(changed), alike));
            }
            Err(e) => voice.say(Event::Trouble(e.to_string())),
        });
    }

    /// The writer is quick and the channel long: a person does not fill it. If it is full all the same, this waits.
    fn tell_session(&self, work: SessionWork) {
        if let Some((put, _)) = &self.session {
            let _ = put.send(work);
        }
    }

    /// Evaluates the model in use as the form says.
    pub fn evaluate(&mut self, generation: Generation, form: &EvaluateForm, provider: Provider) {
        self.evaluation.cancel();
        self.evaluation = Cancel::new();
        let (cancel, model, form) = (self.evaluation.clone(), self.model.clone(), form.clone());
        let remembers = self.corrections.is_some();
        self.spawn("evaluate-job", move |voice| {
            let say = |e| voice.say(Event::Evaluate(generation, e));
            let request = match form.request(provider) {
                Ok(request) => workflow::EvaluateRequest { corrected: remembers, ..request },
                Err(why) => return say(EvaluateEvent::Failed(why)),
            };
            let progress = Progress::default();
            let ended = voice.counting(
                &progress,
                |n, total| Event::Evaluate(generation, EvaluateEvent::Progress(n, total)),
                || workflow::evaluate(&request, &model, &cancel, &progress, &mut |told| voice.told(generation, told)),
            );
            match ended {
                Ok(found) => say(EvaluateEvent::Ended(Box::new(found))),
                Err(EvaluateError::Unknown { labels, classes }) => {
                    say(EvaluateEvent::Unknown(Which::InUse, labels, classes));
                }
                Err(e) => say(EvaluateEvent::Failed(e.to_string())),
            }
        });
    }

    /// Stops evaluating or calibrating.
    pub fn stop_evaluation(&self) {
        self.evaluation.cancel();
    }

    /// Computes the scores of a corrected evaluation with intervals.
    pub fn intervals(&self, generation: Generation, revision: u64, mut found: Box<Evaluated>) {
        self.spawn("intervals", move |voice| {
            found.score();
            voice.say(Event::Evaluate(generation, EvaluateEvent::Intervals(revision, found)));
        });
    }

    /// Asks for a folder, then writes the evaluation's files.
    pub fn export_evaluation(&self, found: Box<Evaluated>) {
        self.spawn("export-evaluation", move |voice| {
            let Some(folder) = voice.folder_where_asked(UNASKED_REPORT) else { return };
            voice.say(match workflow::write_evaluation(&found, &folder) {
                Ok(_) => Event::Written(folder),
                Err(e) => Event::Trouble(e.to_string()),
            });
        });
    }

    /// Calibrates the model in use on the evaluation's pictures, into the folder of models.
    pub fn calibrate(&mut self, generation: Generation, form: &EvaluateForm, provider: Provider) {
        self.evaluation.cancel();
        self.evaluation = Cancel::new();
        let (cancel, model, form) = (self.evaluation.clone(), self.model.clone(), form.clone());
        let remembers = self.corrections.is_some();
        self.spawn("calibrate-job", move |voice| {
            let progress = Progress::default();
            let work = || -> Result<_, UserError> {
                let request = form.request(provider).map_err(UserError::new)?;
                let out = workflow::new_model_file("calibrated")?;
                let mut hear = |told| voice.told(generation, told);
                // The references as they stand on the screen.
                let request = workflow::EvaluateRequest { corrected: remembers, ..request };
                let target_risk = workflow::defaults::TARGET_RISK;
                let options = workflow::CalibrateOptions { target_risk, out: &out };
                workflow::calibrate(&model, &request, &options, &cancel, &progress, &mut hear)
                    .map_err(|e| UserError::new(e.to_string()))
            };
            voice.beside_evaluation(generation, &progress, work, |done| {
                EvaluateEvent::Calibrated(done.to_text(), done.path)
            });
        });
    }

    /// Evaluates another model on the same pictures, and holds it against what was found with this one.
    pub fn compare(&mut self, generation: Generation, form: &EvaluateForm, found: Box<Evaluated>, provider: Provider) {
        self.evaluation.cancel();
        self.evaluation = Cancel::new();
        let (cancel, form) = (self.evaluation.clone(), form.clone());
        self.spawn("compare-job", move |voice| {
            let progress = Progress::default();
            let work = || -> Result<_, UserError> {
                let model = workflow::open_model(Some(Path::new(form.other.trim())))?;
                let request =
                    form.request_for_other(provider, model.card().classes.labels()).map_err(UserError::new)?;
                let mut hear = |told| voice.told(generation, told);
                let other = match workflow::evaluate(&request, &model, &cancel, &progress, &mut hear) {
                    Err(EvaluateError::Unknown { labels, classes }) => {
                        return Ok(Some(EvaluateEvent::Unknown(Which::Other, labels, classes)));
                    }
                    other => other.map_err(|e| UserError::new(format!("{}: {e}", model.card().name)))?,
                };
                Ok(other.map(|mut other| {
                    // Both are held against the references as they were corrected.
                    let truth = found.cells.iter().zip(found.sample.truth());
                    let labels: HashMap<_, _> = truth.map(|(c, t)| (c.digest, found.labels[*t].clone())).collect();
                    other.apply(|digest| labels.get(digest).cloned());
                    EvaluateEvent::Compared(Box::new(Compared::new(vec![*found, other], request.seed)))
                }))
            };
            voice.beside_evaluation(generation, &progress, work, |event| event);
        });
    }

    /// Keeps corrected references.
    pub fn keep_corrections(&self, changes: Vec<Change>, operator: String) {
        if let Some((put, _)) = &self.corrections
            && put.try_send((changes, operator)).is_err()
        {
            let _ = self.give.try_send(Event::Trouble("corrections are not being kept; export the report".into()));
        }
    }

    /// Holds training, or lets it go on.
    pub fn hold_training(&self, on: bool) {
        self.training.hold.set(on);
    }

    /// Stops training or looking at the data.
    pub fn stop_training(&self) {
        self.training.cancel.cancel();
    }

    /// Forgets an unfinished run.
    pub fn forget_run(&self, out: PathBuf) {
        self.spawn("forget-run", move |_| workflow::forget_run(&out));
    }

    /// Looks for unfinished and earlier runs.
    pub fn runs(&self) {
        self.spawn("runs", |voice| {
            voice.say(Event::Runs(workflow::unfinished_runs(), workflow::earlier_runs()));
        });
    }

    /// Asks for a folder or pictures, by the system's own dialog.
    pub fn ask(&self, what: Ask) {
        self.spawn("dialog", move |voice| {
            let begun = Instant::now();
            let dialog = rfd::FileDialog::new();
            let answer = match what {
                Ask::Dataset | Ask::Evaluation => {
                    dialog.set_title("A folder with a folder per class").pick_folder().map(|p| vec![p])
                }
                Ask::Watch => dialog.set_title("A folder that pictures come into").pick_folder().map(|p| vec![p]),
                Ask::Folder => dialog.set_title("Open a folder of blood smears").pick_folder().map(|p| vec![p]),
                Ask::Images => dialog
                    .set_title("Open pictures")
                    .add_filter("Pictures", &crate::files::PICTURE_ENDINGS)
                    .add_filter("All files", &["*"])
                    .pick_files(),
                Ask::Model | Ask::Other => {
                    dialog.set_title("Open a model").add_filter("ONNX", &["onnx"]).pick_file().map(|p| vec![p])
                }
            };
            match (answer, what) {
                (Some(paths), Ask::Model) => voice.say(opened(paths.first().map(PathBuf::as_path))),
                (Some(mut paths), Ask::Other) => voice.say(Event::Other(paths.remove(0))),
                (Some(mut paths), Ask::Evaluation) => voice.say(Event::Evaluation(paths.remove(0))),
                (Some(mut paths), Ask::Watch) => voice.say(Event::Watch(paths.remove(0))),
                (Some(mut paths), Ask::Dataset) => voice.say(Event::Dataset(paths.remove(0))),
                (Some(paths), _) => voice.say(Event::Chosen(paths)),
                (None, Ask::Dataset | Ask::Evaluation) if begun.elapsed() < TOO_FAST => voice.say(Event::Trouble(
                    "No file dialog answered on this system. Type or paste the path of the labelled pictures".into(),
                )),
                (None, Ask::Other) if begun.elapsed() < TOO_FAST => voice.say(Event::Trouble(
                    "No file dialog answered on this system. Type or paste the path of the other model".into(),
                )),
                (None, Ask::Watch) if begun.elapsed() < TOO_FAST => voice.say(Event::NoDialog(true)),
                (None, _) if begun.elapsed() < TOO_FAST => voice.say(Event::NoDialog(false)),
                (None, _) => {}
            }
        });
    }

    /// Asks where to, then writes the results.
    pub fn export(&self, images: Vec<Arc<crate::domain::ImageResult>>) {
        let stamp = Stamp { classes: self.model.card().classes.clone(), model: self.model.card().digest.to_string() };
        self.spawn("export", move |voice| {
            let mut writer = RowWriter::new(RowFormat::Csv, stamp);
            let mut bytes = writer.head();
            for image in &images {
                bytes.extend(writer.image(image));
            }
            voice.write_where_asked("classification.csv", &bytes);
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
        self.training.cancel.cancel();
        self.evaluation.cancel();
        self.library.cancel();
        self.mapping.cancel();
        // Whoever waits for room in the channel is let go: nobody reads it any more.
        self.take = None;
        if let Some((put, writer)) = self.corrections.take() {
            // What was corrected a moment ago reaches the disk before the window goes.
            drop(put);
            let _ = writer.join();
        }
        if let Some((put, writer)) = self.session.take() {
            // Everything given before is on the disk when it ends; it does not wait for jobs that hold a way to it, which may be
            // stuck in a share that does not answer.
            let _ = put.send(SessionWork::Close);
            let _ = writer.join();
        }
    }
}

/// The way to the one writer of corrections, and its thread.
type Keeper = (Sender<(Vec<Change>, String)>, std::thread::JoinHandle<()>);

/// A corrected reference: image, label in the dataset, and what it is; nothing takes it back.
type Change = (crate::domain::Digest, String, Option<String>);

/// Puts corrections on the disk as they come, several that wait in one go.
fn keep(changes: &Receiver<(Vec<Change>, String)>, voice: &Voice) {
    // Never waits for the window: at its end the window waits for this.
    let tell = |text: String| {
        let _ = voice.give.try_send(Event::Trouble(text));
        voice.ctx.request_repaint();
    };
    let mut store = None;
    while let Ok((mut all, operator)) = changes.recv() {
        all.extend(changes.try_iter().flat_map(|(more, _)| more));
        if store.is_none() {
            match workflow::Corrections::open(None) {
                Ok((opened, said)) => {
                    store = Some(opened);
                    said.into_iter().for_each(tell);
                }
                Err(e) => {
                    tell(e.to_string());
                    continue;
                }
            }
        }
        if let Some(Err(e)) = store.as_mut().map(|s| s.put(&all, &operator)) {
            tell(e.to_string());
        }
    }
}

/// Prepares, unless what was looked at is still it, and trains.
fn run(
    form: &TrainForm,
    current: VettedModel,
    control: &TrainControl,
    slot: &Mutex<Option<Prepared>>,
    say: &dyn Fn(TrainEvent),
) -> Result<TrainOutcome, UserError> {
    let request = form.request().map_err(UserError::new)?;
    let kept = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
    let prepared = match kept.filter(|p| *p.request() == request) {
        Some(prepared) => prepared,
        None => match workflow::prepare_training(&request, &control.cancel, &control.progress)? {
            Some(prepared) => prepared,
            None => return Err(UserError::new("Stopped while looking at the data")),
        },
    };
    say(TrainEvent::Looked(Box::new((request.clone(), prepared.plan().clone()))));
    // The table and the buttons for what helps are on the screen.
    if let Some(obstacle) = &prepared.plan().obstacle {
        let why = obstacle.why();
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(prepared);
        return Err(UserError::new(why));
    }
    let recipe = form.recipe(prepared.count(crate::dataset::Part::Train));
    let out = match form.out.trim() {
        "" => workflow::new_model_path(&recipe)?,
        path => PathBuf::from(path),
    };
    workflow::remember_run(&UnfinishedRun { request, recipe: recipe.clone(), out: out.clone() })?;
    let name = workflow::model_name(&out);
    let (out_path, device) = (out.clone(), form.device);
    let options =
        TrainOptions { recipe, out: out_path, name, threads: 0, device, fresh: false, current: Some(current) };
    let outcome = workflow::train(&prepared, &options, control, &mut |told| say(TrainEvent::Told(told)));
    // A run that ended by itself is finished; one that was stopped or failed can be taken up again.
    if outcome.as_ref().is_ok_and(|o| o.stop != Stop::Cancelled) {
        workflow::forget_run(&out);
    }
    // What was prepared serves the next run too.
    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(prepared);
    outcome
}

/// What a dialog asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// One folder.
    Folder,
    /// A folder to watch.
    Watch,
    /// A folder of labelled pictures to train on.
    Dataset,
    /// A folder of labelled pictures to evaluate on.
    Evaluation,
    /// Some pictures.
    Images,
    /// One model file.
    Model,
    /// One model file to compare with.
    Other,
}

/// How a job is heard.
pub(super) struct Voice {
    pub(super) give: Sender<Event>,
    pub(super) ctx: egui::Context,
}

impl Voice {
    fn told(&self, generation: Generation, told: EvaluateTold) {
        self.say(Event::Evaluate(
            generation,
            EvaluateEvent::Doing(match told {
                EvaluateTold::Phase(what) => what.to_owned(),
                EvaluateTold::Started(report) => format!("ran on {}", report.to_line()),
            }),
        ));
    }

    /// Does what goes on beside an evaluation, with its progress, and tells how it ended.
    fn beside_evaluation<T>(
        &self,
        generation: Generation,
        progress: &Progress,
        work: impl FnOnce() -> Result<Option<T>, UserError>,
        done: impl FnOnce(T) -> EvaluateEvent,
    ) {
        let event = |n, total| Event::Evaluate(generation, EvaluateEvent::Progress(n, total));
        let ended = match self.counting(progress, event, work) {
            Ok(Some(result)) => done(result),
            Ok(None) => EvaluateEvent::Ended(Box::new(None)),
            Err(e) => EvaluateEvent::Failed(e.to_string()),
        };
        self.say(Event::Evaluate(generation, ended));
    }

    fn watching<T>(&self, generation: Generation, control: &TrainControl, work: impl FnOnce() -> T) -> T {
        self.counting(&control.progress, |n, total| Event::Train(generation, TrainEvent::Progress(n, total)), work)
    }

    /// Does work while the steps that it counts are told to the window, four times a second.
    fn counting<T>(
        &self,
        progress: &Progress,
        event: impl Fn(usize, usize) -> Event + Sync,
        work: impl FnOnce() -> T,
    ) -> T {
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(250));
                    self.say(event(progress.done(), progress.total()));
                }
            });
            let result = work();
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            result
        })
    }

    /// Asks where to, then writes. Without a dialog there is still a place that can be named afterwards; nothing is replaced
    /// there.
    fn write_where_asked(&self, name: &str, bytes: &[u8]) {
        let Some(path) = self.file_where_asked(name) else { return };
        self.say(match workflow::write_export(&path, bytes) {
            Ok(()) => Event::Written(path),
            Err(e) => Event::Trouble(e.to_string()),
        });
    }

    /// Asks where to write a file. Without a dialog a new name in the current folder.
    pub(super) fn file_where_asked(&self, name: &str) -> Option<PathBuf> {
        let begun = Instant::now();
        match rfd::FileDialog::new().set_title("Write to").set_file_name(name).save_file() {
            Some(path) => Some(path),
            None if begun.elapsed() < TOO_FAST => free_name(name).map_err(|e| self.say(Event::Trouble(e))).ok(),
            None => None,
        }
    }

    /// What a dialog answers; where none is on this system, it is said.
    pub(super) fn asked(&self, dialog: impl FnOnce() -> Option<PathBuf>) -> Option<PathBuf> {
        let begun = Instant::now();
        let answer = dialog();
        if answer.is_none() && begun.elapsed() < TOO_FAST {
            self.say(Event::Trouble("No file dialog answered on this system. Type or paste the path".into()));
        }
        answer
    }

    /// Asks for a folder. Without a dialog a new one is named.
    fn folder_where_asked(&self, name: &str) -> Option<PathBuf> {
        let begun = Instant::now();
        match rfd::FileDialog::new().set_title("A new folder").pick_folder() {
            Some(folder) => Some(folder),
            None if begun.elapsed() < TOO_FAST => free_name(name).map_err(|e| self.say(Event::Trouble(e))).ok(),
            None => None,
        }
    }

    pub(super) fn say(&self, event: Event) {
        // A window that has gone hears nothing, and that is fine.
        let _ = self.give.send(event);
        self.ctx.request_repaint();
    }
}

/// A name in the current folder that nothing has yet.
fn free_name(name: &str) -> Result<PathBuf, String> {
    let here = std::env::current_dir().map_err(|e| e.to_string())?;
    let (stem, ending) = name.split_once('.').map_or((name, String::new()), |(s, e)| (s, format!(".{e}")));
    let numbered = (2..1000).map(|i| here.join(format!("{stem}-{i}{ending}")));
    std::iter::once(here.join(name))
        .chain(numbered)
        .find(|p| !p.exists())
        .ok_or_else(|| format!("no file dialog answered, and there are too many files called {name} here already"))
}

/// Opens a model file, or says what it asks. The model travels with its event: two that are opened at once cannot be mistaken.
fn opened(path: Option<&Path>) -> Event {
    let found = match path {
        None => workflow::default_model().map(workflow::Opened::Model),
        Some(path) => workflow::look_at_model(path),
    };
    match found {
        Ok(workflow::Opened::Model(model)) => Event::Model(Box::new(model), path.map(Path::to_owned)),
        Ok(workflow::Opened::Asks(foreign)) => Event::Models(Box::new(ModelsEvent::Asks(foreign))),
        Err(e) => Event::Trouble(e.to_string()),
    }
}
