//! The one thread that writes the open session: edits, the case and results reach the disk in the order in which they were asked for.
//! It never waits for whoever listens, who at the end waits for it.

use super::classify::ClassifyEvent;
use super::laboratory::{ALIKE, RUN, groups_in};
use super::sessions::{holder, now};
use crate::domain::{Digest, ImageResult};
use crate::files::FileFacts;
use crate::laboratory::{RunEnd, RunRecord};
use crate::session::{CaseChange, CaseRecord, CellKey, Confirmations, Edit, KeptResult, Opened, Store, Verdict};
use crate::task::Generation;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

/// Commands that wait for the writer at most.
const WAITING: usize = 512;

/// What happened to the session.
#[derive(Debug)]
pub enum SessionEvent {
    Opened(Box<OpenedSession>),
    /// There is none, and nothing is kept.
    None,
    /// The case as it is on the disk now.
    Case(Box<CaseRecord>),
    /// This many edits are on the disk.
    Saved(usize),
    /// An edit could not be kept: why, and what the session holds.
    Failed(String, BTreeMap<CellKey, Verdict>),
    /// A change of the case could not be kept.
    CaseFailed(String),
}

#[derive(Debug, Default)]
pub struct OpenedSession {
    /// What people said.
    pub verdicts: BTreeMap<CellKey, Verdict>,
    /// Results that this model gave before.
    pub results: Vec<KeptResult>,
    pub case: CaseRecord,
    /// How each label was confirmed.
    pub confirmed: Confirmations,
    /// Images that were found to look like the same field.
    pub alike: Vec<Vec<Digest>>,
    /// How far the last look at the images came.
    pub run: Option<RunRecord>,
    /// Why nothing can be written, where that is so.
    pub read_only: Option<String>,
    /// What the user should know.
    pub said: Vec<String>,
}

/// Hands an event of a generation on; gives it back where there is no room now.
pub type Emit = Box<dyn FnMut(Generation, SessionEvent) -> Result<(), SessionEvent> + Send>;

/// The writer's thread, and the way to it.
pub struct SessionWriter {
    commands: Sender<SessionCommand>,
    thread: Option<JoinHandle<()>>,
}

impl SessionWriter {
    /// Starts the thread.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn new(emit: Emit) -> std::io::Result<Self> {
        let (commands, work) = bounded(WAITING);
        let thread = std::thread::Builder::new().name("session".into()).spawn(move || write_session(&work, emit))?;
        Ok(Self { commands, thread: Some(thread) })
    }

    /// Asks for something. The writer is quick and the channel long: nobody fills it. If it is full all the same, this waits.
    pub fn send(&self, command: SessionCommand) {
        let _ = self.commands.send(command);
    }

    /// The way to the writer, for a batch of results.
    pub fn commands(&self) -> Sender<SessionCommand> {
        self.commands.clone()
    }
}

impl Drop for SessionWriter {
    /// Everything given before is on the disk when it ends. It does not wait for jobs that hold a way to it, which may be stuck in a
    /// share that does not answer.
    fn drop(&mut self) {
        let _ = self.commands.send(SessionCommand::Close);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the writer of labels should do.
pub enum SessionCommand {
    /// Opens a session; the one that was open is closed.
    Open {
        /// Events speak of it.
        generation: Generation,
        /// The session's file.
        place: PathBuf,
        /// What was opened.
        folders: Vec<PathBuf>,
        /// Whose results are wanted ([`super::ResultProvenance`] as text).
        made_with: String,
    },
    /// Makes an edit durable, by an operator.
    Apply(Edit, String),
    /// Changes the case, by an operator.
    Case(CaseChange, String),
    Results(Generation, String, Vec<KeptResult>),
    /// Forgets results of files that are gone.
    Gone(Generation, Vec<PathBuf>),
    /// Everything is looked at again: what was found before is not known any more.
    Forget(Generation),
    /// Something of the look at the images, under a name.
    Note(Generation, &'static str, String),
    /// Does something with the session's file once everything given before is in it.
    WithPath(Box<dyn FnOnce(PathBuf) + Send>),
    /// Ends, once everything before is done.
    Close,
}

/// Results on their way to the session, some at a time.
pub struct ResultBatch {
    commands: Option<Sender<SessionCommand>>,
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

impl ResultBatch {
    /// This many results go in one transaction: labels never wait long behind them.
    const TOGETHER: usize = 200;

    /// For work that begins now. Without a session nothing is kept.
    pub fn new(commands: Option<Sender<SessionCommand>>, generation: Generation, made_with: String) -> Self {
        let run = RunRecord::default();
        Self { commands, generation, made_with, waiting: Vec::new(), begun: SystemTime::now(), run, away: false }
    }

    fn tell(&self, work: SessionCommand) {
        if let Some(commands) = &self.commands {
            let _ = commands.send(work);
        }
    }

    /// A run begins; one that knows nothing begins with nothing.
    pub fn begin(&mut self, knows_nothing: bool) -> RunRecord {
        if knows_nothing {
            self.tell(SessionCommand::Forget(self.generation));
        }
        self.tell(SessionCommand::Note(self.generation, RUN, self.run.to_text()));
        self.run
    }

    /// Takes what classifying tells; how far the run is, where that changed. `whole` unless the job was cancelled.
    pub fn hear(&mut self, event: &ClassifyEvent, whole: bool) -> Option<RunRecord> {
        match event {
            ClassifyEvent::Listed(n, _) => return Some(self.listed(*n, whole)),
            ClassifyEvent::Reachable(there) => return Some(self.reachable(*there)),
            ClassifyEvent::FilesRemoved(paths) => self.gone(paths),
            ClassifyEvent::FolderScanned(_) => self.looked(),
            ClassifyEvent::Row(row) => self.take(row),
            ClassifyEvent::Duplicates(_) | ClassifyEvent::Started(_) | ClassifyEvent::Switched(_) => {}
        }
        None
    }

    /// This many more files are to be looked at; not all of them where the list was cut short.
    pub fn listed(&mut self, n: usize, whole: bool) -> RunRecord {
        (self.run.listed, self.run.to_do) = (whole && !self.away, self.run.to_do + n);
        self.tell(SessionCommand::Note(self.generation, RUN, self.run.to_text()));
        self.run
    }

    /// What was opened cannot be read now, or can be read again.
    pub fn reachable(&mut self, there: bool) -> RunRecord {
        self.away = !there;
        self.listed(0, there)
    }

    pub fn ended(&mut self, end: RunEnd) -> RunRecord {
        self.run.end = end;
        self.flush();
        self.tell(SessionCommand::Note(self.generation, RUN, self.run.to_text()));
        self.run
    }

    pub fn take(&mut self, row: &Arc<ImageResult>) {
        self.run.done += 1;
        if self.commands.is_none() {
            return;
        }
        // What was written to since the work began may not be what was looked at: it counts, and is looked at again next time.
        let facts = crate::files::facts_unchanged_since(&row.path, self.begun);
        self.waiting.push(KeptResult { result: row.clone(), facts: facts.unwrap_or(UNSURE) });
        if self.waiting.len() >= Self::TOGETHER {
            self.flush();
        }
    }

    /// Sends what is waiting.
    pub fn flush(&mut self) {
        let rows = std::mem::take(&mut self.waiting);
        if !rows.is_empty() {
            self.tell(SessionCommand::Results(self.generation, self.made_with.clone(), rows));
        }
    }

    /// A watched folder was looked at: the next look begins now.
    pub fn looked(&mut self) {
        self.flush();
        self.begun = SystemTime::now();
    }

    /// Files are not there any more.
    pub fn gone(&self, paths: &[PathBuf]) {
        self.tell(SessionCommand::Gone(self.generation, paths.to_owned()));
    }
}

/// What is still to be told: never lost, and never waited for.
struct Outbox {
    emit: Emit,
    waiting: VecDeque<(Generation, SessionEvent)>,
}

impl Outbox {
    fn put(&mut self, generation: Generation, event: SessionEvent) {
        self.waiting.push_back((generation, event));
        self.flush();
    }

    fn flush(&mut self) {
        while let Some((generation, event)) = self.waiting.pop_front() {
            if let Err(event) = (self.emit)(generation, event) {
                self.waiting.push_front((generation, event));
                break;
            }
        }
    }
}

/// How often a full channel is tried again.
const AGAIN: Duration = Duration::from_millis(10);

/// Owns the open session; everything reaches the disk in the order in which it was asked for.
fn write_session(work: &Receiver<SessionCommand>, emit: Emit) {
    let mut outbox = Outbox { emit, waiting: VecDeque::new() };
    let mut open: Option<(Store, Generation)> = None;
    loop {
        let next = if outbox.waiting.is_empty() {
            work.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            work.recv_timeout(AGAIN)
        };
        let next = match next {
            Ok(next) => next,
            Err(RecvTimeoutError::Timeout) => {
                outbox.flush();
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        };
        match (next, &mut open) {
            (SessionCommand::Open { generation, place, folders, made_with }, open) => {
                // Closed before it is opened again: one window on one session does not lock itself out.
                *open = None;
                let (session, store) = opened_session(&place, &folders, &made_with);
                outbox.put(generation, SessionEvent::Opened(Box::new(session)));
                *open = store.map(|s| (s, generation));
            }
            (SessionCommand::Apply(edit, operator), Some((store, generation))) => {
                match store.apply(&edit, &operator, &now()) {
                    Ok(()) => outbox.put(*generation, SessionEvent::Saved(1)),
                    Err(e) => {
                        let labels = store.labels().unwrap_or_default();
                        outbox.put(*generation, SessionEvent::Failed(e.to_string(), labels));
                    }
                }
            }
            (SessionCommand::Case(change, operator), Some((store, generation))) => {
                let done = store.change_case(&change, &operator, &now());
                match done.and_then(|()| store.case()) {
                    Ok(case) => outbox.put(*generation, SessionEvent::Case(Box::new(case))),
                    Err(e) => outbox.put(*generation, SessionEvent::CaseFailed(e.to_string())),
                }
            }
            (SessionCommand::Results(of, made_with, results), Some((store, generation)))
                if of == *generation && store.read_only().is_none() =>
            {
                if let Err(e) = store.keep_results(&made_with, &results) {
                    tracing::warn!("results are not remembered: {e}");
                }
            }
            (SessionCommand::Gone(of, paths), Some((store, generation)))
                if of == *generation && store.read_only().is_none() =>
            {
                if let Err(e) = store.drop_results(&paths) {
                    tracing::warn!("files that are gone are not forgotten: {e}");
                }
            }
            (SessionCommand::Close, _) => return,
            (SessionCommand::Forget(of), Some((store, generation)))
                if of == *generation && store.read_only().is_none() =>
            {
                if let Err(e) = store.forget_results() {
                    tracing::warn!("results from before are not forgotten: {e}");
                }
            }
            (SessionCommand::Note(of, name, text), Some((store, generation)))
                if of == *generation && store.read_only().is_none() =>
            {
                if let Err(e) = store.note_down(name, &text) {
                    tracing::warn!("what was looked at is not remembered: {e}");
                }
            }
            (SessionCommand::WithPath(work), Some((store, _))) => work(store.path().to_owned()),
            // Of a session that was closed meanwhile.
            _ => {}
        }
    }
}

/// Opens a session and reads what is in it; the store is none where nothing can be written or read.
fn opened_session(place: &Path, folders: &[PathBuf], made_with: &str) -> (OpenedSession, Option<Store>) {
    let mut session = OpenedSession::default();
    let (mut store, said) = match Store::open(place, &holder()) {
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
    session.run = noted(RUN).map(|r| RunRecord::from_text(&r));
    session.alike = noted(ALIKE).map_or_else(Vec::new, |t| groups_in(&t));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{Change, EditAction};

    /// Labels reach the disk in their order, nothing is lost where nobody listens, and at the end the writer is not waited for by
    /// those who hold a way to it.
    #[test]
    fn what_was_given_before_the_end_is_on_the_disk() {
        let dir = tempfile::tempdir().expect("temp");
        let place = dir.path().join("a.session");
        let (heard, events) = bounded(64);
        let mut full = 3;
        let emit: Emit = Box::new(move |_, event| {
            // No room at first: it is offered again.
            if full > 0 {
                full -= 1;
                return Err(event);
            }
            let _ = heard.send(event);
            Ok(())
        });
        let writer = SessionWriter::new(emit).expect("a thread");
        let held = writer.commands();
        let (generation, made_with) = (Generation::default(), String::new());
        writer.send(SessionCommand::Open { generation, place: place.clone(), folders: Vec::new(), made_with });
        let key = |n: u8| CellKey { image: crate::files::digest_of(&[n]), cell: 1 };
        for n in 0..20 {
            let after = Verdict { label: "monocyte".into(), ..Verdict::default() };
            let changes = vec![Change { key: key(n), before: None, after: Some(after) }];
            writer.send(SessionCommand::Apply(
                Edit { action: EditAction::Label, changes, reason: String::new() },
                "ab".into(),
            ));
        }
        drop(writer);
        drop(held);
        let saved = events.iter().filter(|e| matches!(e, SessionEvent::Saved(1))).count();
        assert_eq!(saved, 20);
        let labels = Store::open(&place, "the test").expect("opens").store.labels().expect("reads");
        assert_eq!(
            labels.keys().copied().collect::<Vec<_>>(),
            (0..20).map(key).collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>()
        );
    }
}
