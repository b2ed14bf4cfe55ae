//! The one thread that writes the open session: edits, the case and results reach the disk in the order in which they were
//! asked for. It never waits for the window, which at its end waits for it.

use super::labels::{OpenedSession, SessionEvent};
use super::update::Event;
use crate::files::FileFacts;
use crate::laboratory::{RunEnd, RunRecord};
use crate::session::{CaseChange, Edit, KeptResult, Opened, Store};
use crate::task::Generation;
use crate::workflow;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// What the writer of labels shall do.
pub(super) enum SessionWork {
    Open {
        generation: Generation,
        place: PathBuf,
        folders: Vec<PathBuf>,
        made_with: String,
    },
    Apply(Edit, String),
    Case(CaseChange, String),
    Results(Generation, String, Vec<KeptResult>),
    Gone(Generation, Vec<PathBuf>),
    /// Everything is looked at again: what was found before is not known any more.
    Forget(Generation),
    /// Something of the look at the images, under a name.
    Note(Generation, &'static str, String),
    Then(Box<dyn FnOnce(PathBuf) + Send>),
    /// Ends, once everything before is done.
    Close,
}

/// Results on their way to the session, some at a time.
pub(super) struct Kept {
    keeper: Option<Sender<SessionWork>>,
    generation: Generation,
    made_with: String,
    waiting: Vec<KeptResult>,
    begun: SystemTime,
    run: RunRecord,
    /// Something that was opened cannot be read now: what is in it is not known.
    away: bool,
}

/// What no file is like: a result with it is shown again, and the file looked at again.
const UNSURE: FileFacts = FileFacts { bytes: 0, modified: i64::MIN, changed: i64::MIN };

impl Kept {
    /// So many results go in one transaction: labels never wait long behind them.
    const TOGETHER: usize = 200;

    /// For work that begins now. Without a session nothing is kept.
    pub(super) fn new(keeper: Option<Sender<SessionWork>>, generation: Generation, made_with: String) -> Self {
        let run = RunRecord::default();
        Self { keeper, generation, made_with, waiting: Vec::new(), begun: SystemTime::now(), run, away: false }
    }

    fn tell(&self, work: SessionWork) {
        if let Some(put) = &self.keeper {
            let _ = put.send(work);
        }
    }

    /// A run begins; one that knows nothing begins with nothing.
    pub(super) fn begin(&mut self, knows_nothing: bool) -> RunRecord {
        if knows_nothing {
            self.tell(SessionWork::Forget(self.generation));
        }
        self.tell(SessionWork::Note(self.generation, workflow::RUN, self.run.to_text()));
        self.run
    }

    /// So many more files are to be looked at; not all of them where the list was cut short.
    pub(super) fn listed(&mut self, n: usize, whole: bool) -> RunRecord {
        (self.run.listed, self.run.to_do) = (whole && !self.away, self.run.to_do + n);
        self.tell(SessionWork::Note(self.generation, workflow::RUN, self.run.to_text()));
        self.run
    }

    /// What was opened cannot be read now, or can be read again.
    pub(super) fn reachable(&mut self, there: bool) -> RunRecord {
        self.away = !there;
        self.listed(0, there)
    }

    /// The run ended.
    pub(super) fn ended(&mut self, end: RunEnd) -> RunRecord {
        self.run.end = end;
        self.flush();
        self.tell(SessionWork::Note(self.generation, workflow::RUN, self.run.to_text()));
        self.run
    }

    pub(super) fn take(&mut self, row: &Arc<crate::domain::ImageResult>) {
        self.run.done += 1;
        if self.keeper.is_none() {
            return;
        }
        // What was written to since the work began may not be what was looked at: it counts, and is looked at again next time.
        let facts = crate::files::facts_unchanged_since(&row.path, self.begun);
        self.waiting.push(KeptResult { result: row.clone(), facts: facts.unwrap_or(UNSURE) });
        if self.waiting.len() >= Self::TOGETHER {
            self.flush();
        }
    }

    pub(super) fn flush(&mut self) {
        if let Some(put) = self.keeper.as_ref().filter(|_| !self.waiting.is_empty()) {
            let _ = put.send(SessionWork::Results(
                self.generation,
                self.made_with.clone(),
                std::mem::take(&mut self.waiting),
            ));
        }
    }

    /// A watched folder was looked at: the next look begins now.
    pub(super) fn looked(&mut self) {
        self.flush();
        self.begun = SystemTime::now();
    }

    pub(super) fn gone(&self, paths: &[PathBuf]) {
        if let Some(put) = &self.keeper {
            let _ = put.send(SessionWork::Gone(self.generation, paths.to_owned()));
        }
    }
}

/// What the window is still to be told: never lost, and never waited for.
struct Tell<'a> {
    give: &'a Sender<Event>,
    ctx: &'a egui::Context,
    waiting: VecDeque<Event>,
}

impl Tell<'_> {
    fn say(&mut self, event: Event) {
        self.waiting.push_back(event);
        self.flush();
    }

    fn session(&mut self, generation: Generation, event: SessionEvent) {
        self.say(Event::Session(generation, event));
    }

    fn flush(&mut self) {
        while let Some(event) = self.waiting.pop_front() {
            if let Err(TrySendError::Full(event)) = self.give.try_send(event) {
                self.waiting.push_front(event);
                break;
            }
        }
        self.ctx.request_repaint();
    }
}

/// How often a full channel is tried again.
const AGAIN: Duration = Duration::from_millis(10);

/// Owns the open session; everything reaches the disk in the order in which it was asked for.
pub(super) fn write_session(work: &Receiver<SessionWork>, give: &Sender<Event>, ctx: &egui::Context) {
    let mut tell = Tell { give, ctx, waiting: VecDeque::new() };
    let mut open: Option<(Store, Generation)> = None;
    loop {
        let next = if tell.waiting.is_empty() {
            work.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            work.recv_timeout(AGAIN)
        };
        let next = match next {
            Ok(next) => next,
            Err(RecvTimeoutError::Timeout) => {
                tell.flush();
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        };
        match (next, &mut open) {
            (SessionWork::Open { generation, place, folders, made_with }, open) => {
                // Closed before it is opened again: one window on one session does not lock itself out.
                *open = None;
                let (session, store) = opened_session(&place, &folders, &made_with);
                tell.session(generation, SessionEvent::Opened(Box::new(session)));
                *open = store.map(|s| (s, generation));
            }
            (SessionWork::Apply(edit, operator), Some((store, generation))) => {
                match store.apply(&edit, &operator, &workflow::now()) {
                    Ok(()) => tell.session(*generation, SessionEvent::Saved(1)),
                    Err(e) => {
                        let labels = store.labels().unwrap_or_default();
                        tell.session(*generation, SessionEvent::Failed(e.to_string(), labels));
                    }
                }
            }
            (SessionWork::Case(change, operator), Some((store, generation))) => {
                let done = store.change_case(&change, &operator, &workflow::now());
                match done.and_then(|()| store.case()) {
                    Ok(case) => tell.session(*generation, SessionEvent::Case(Box::new(case))),
                    Err(e) => tell.say(Event::Trouble(e.to_string())),
                }
            }
            (SessionWork::Results(of, made_with, results), Some((store, generation)))
                if of == *generation && store.read_only().is_none() =>
            {
                if let Err(e) = store.keep_results(&made_with, &results) {
                    tracing::warn!("results are not remembered: {e}");
                }
            }
            (SessionWork::Gone(of, paths), Some((store, generation)))
                if of == *generation && store.read_only().is_none() =>
            {
                if let Err(e) = store.drop_results(&paths) {
                    tracing::warn!("files that are gone are not forgotten: {e}");
                }
            }
            (SessionWork::Close, _) => return,
            (SessionWork::Forget(of), Some((store, generation)))
                if of == *generation && store.read_only().is_none() =>
            {
                if let Err(e) = store.forget_results() {
                    tracing::warn!("results from before are not forgotten: {e}");
                }
            }
            (SessionWork::Note(of, name, text), Some((store, generation)))
                if of == *generation && store.read_only().is_none() =>
            {
                if let Err(e) = store.note_down(name, &text) {
                    tracing::warn!("what was looked at is not remembered: {e}");
                }
            }
            (SessionWork::Then(work), Some((store, _))) => work(store.path().to_owned()),
            // Of a session that was closed meanwhile.
            _ => {}
        }
    }
}

/// Opens a session and reads what is in it; the store is none where nothing can be written or read.
fn opened_session(place: &Path, folders: &[PathBuf], made_with: &str) -> (OpenedSession, Option<Store>) {
    let mut session = OpenedSession::default();
    let (mut store, said) = match Store::open(place, &workflow::holder()) {
        Ok(Opened { store, said, .. }) => (store, said),
        Err(e) => {
            session.read_only = Some(e.to_string());
            return (session, None);
        }
    };
    session.said = said;
    session.read_only = store.read_only().map(str::to_owned);
    if session.read_only.is_none()
        && let Err(e) = store.set_folders(folders)
    {
        session.said.push(e.to_string());
    }
    // Results can be had again; labels and the case cannot.
    session.results = store.results(made_with).unwrap_or_default();
    let noted = |name| store.noted(name).ok().flatten();
    session.run = noted(workflow::RUN).map(|r| RunRecord::from_text(&r));
    session.alike = noted(workflow::ALIKE).map_or_else(Vec::new, |t| workflow::groups_in(&t));
    match store.labels().and_then(|labels| Ok((labels, store.case()?, store.confirmed()?))) {
        Ok((labels, case, confirmed)) => {
            (session.verdicts, session.case, session.confirmed) = (labels, case, confirmed);
            (session, Some(store))
        }
        Err(e) => {
            session.read_only = Some(e.to_string());
            (session, None)
        }
    }
}
