//! The one thread that writes the open session: edits, the case and results reach the disk in the order in which they were
//! asked for. It never waits for the window, which at its end waits for it.

use super::jobs::Voice;
use super::labels::{OpenedSession, SessionEvent};
use super::update::Event;
use crate::session::{CaseChange, Edit, KeptResult, Opened, Store};
use crate::task::Generation;
use crate::workflow;
use crossbeam_channel::{Receiver, Sender};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// What the writer of labels shall do.
pub(super) enum SessionWork {
    Open { generation: Generation, place: PathBuf, folders: Vec<PathBuf>, made_with: String },
    Apply(Edit, String),
    Case(CaseChange, String),
    Results(Generation, String, Vec<KeptResult>),
    Gone(Generation, Vec<PathBuf>),
    Then(Box<dyn FnOnce(PathBuf) + Send>),
}

/// Results on their way to the session, some at a time.
pub(super) struct Kept {
    pub(super) keeper: Option<Sender<SessionWork>>,
    pub(super) generation: Generation,
    pub(super) made_with: String,
    pub(super) waiting: Vec<KeptResult>,
    pub(super) begun: SystemTime,
}

impl Kept {
    /// So many results go in one transaction: labels never wait long behind them.
    const TOGETHER: usize = 200;

    pub(super) fn take(&mut self, row: &Arc<crate::domain::ImageResult>) {
        let Some(facts) = crate::files::facts(&row.path).filter(|_| self.keeper.is_some()) else { return };
        // What was written to since the work began may not be what was looked at.
        let begun = self.begun.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_nanos());
        if i128::from(facts.modified) < begun.cast_signed() {
            self.waiting.push(KeptResult { result: row.clone(), facts });
        }
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
        // In a watched folder, what came between two looks was at rest when it was looked at.
        self.begun = SystemTime::now();
    }

    pub(super) fn gone(&self, paths: &[PathBuf]) {
        if let Some(put) = &self.keeper {
            let _ = put.send(SessionWork::Gone(self.generation, paths.to_owned()));
        }
    }
}

/// Owns the open session; everything reaches the disk in the order in which it was asked for.
pub(super) fn write_session(work: &Receiver<SessionWork>, voice: &Voice) {
    // Never waits for the window: at its end the window waits for this.
    let tell = |generation: Generation, event: SessionEvent| {
        let _ = voice.give.try_send(Event::Session(generation, event));
        voice.ctx.request_repaint();
    };
    let mut open: Option<(Store, Generation)> = None;
    while let Ok(work) = work.recv() {
        match (work, &mut open) {
            (SessionWork::Open { generation, place, folders, made_with }, open) => {
                // Closed before it is opened again: one window on one session does not lock itself out.
                *open = None;
                let (session, store) = opened_session(&place, &folders, &made_with);
                tell(generation, SessionEvent::Opened(Box::new(session)));
                *open = store.map(|s| (s, generation));
            }
            (SessionWork::Apply(edit, operator), Some((store, generation))) => {
                match store.apply(&edit, &operator, &workflow::now()) {
                    Ok(()) => tell(*generation, SessionEvent::Saved(1)),
                    Err(e) => {
                        let labels = store.labels().unwrap_or_default();
                        tell(*generation, SessionEvent::Failed(e.to_string(), labels));
                    }
                }
            }
            (SessionWork::Case(change, operator), Some((store, generation))) => {
                let done = store.change_case(&change, &operator, &workflow::now());
                match done.and_then(|()| store.case()) {
                    Ok(case) => tell(*generation, SessionEvent::Case(Box::new(case))),
                    Err(e) => drop(voice.give.try_send(Event::Trouble(e.to_string()))),
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
        Ok(Opened { store, said }) => (store, said),
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
    match store.labels().and_then(|labels| Ok((labels, store.case()?))) {
        Ok((labels, case)) => {
            (session.verdicts, session.case) = (labels, case);
            (session, Some(store))
        }
        Err(e) => {
            session.read_only = Some(e.to_string());
            (session, None)
        }
    }
}
