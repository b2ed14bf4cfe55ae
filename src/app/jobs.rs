//! What jobs of every page share: a thread with a name, a way to be heard, the system's own dialogs. What a job does stands with its page.

use crate::inference::Provider;
use crate::model::VettedModel;
use crate::task::Progress;
use crate::workflow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A dialog that is answered faster than this was not answered by a person: there is none on this system.
const NO_DIALOG_WITHIN: Duration = Duration::from_millis(400);
/// How often progress is told.
const PROGRESS: Duration = Duration::from_millis(250);

/// Events that every page has.
pub trait PageEvent: Send + 'static {
    /// Something went wrong, in words for a person.
    fn error(text: String) -> Self;
}

/// Events of a page that writes files where a person says.
pub trait WriteEvent: PageEvent {
    /// A file or folder was written.
    fn written(path: PathBuf) -> Self;
}

/// Hands an event to the window and wakes it. With `wait` until there is room, else whether there was.
type Send_<E> = dyn Fn(E, bool) -> Result<(), E> + Send + Sync;

/// How the jobs of a page are heard.
pub struct EventSender<E>(Arc<Send_<E>>);

impl<E> Clone for EventSender<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E: PageEvent> EventSender<E> {
    /// A way to the window: `send` waits for room where its second argument says so, else gives the event back.
    pub fn new(send: impl Fn(E, bool) -> Result<(), E> + Send + Sync + 'static) -> Self {
        Self(Arc::new(send))
    }

    /// Tells the window, waiting for room. A window that has gone hears nothing, and that is fine.
    pub fn send(&self, event: E) {
        let _ = (self.0)(event, true);
    }

    /// Tells the window if there is room.
    ///
    /// # Errors
    /// The event, where there is none.
    pub fn try_send(&self, event: E) -> Result<(), E> {
        (self.0)(event, false)
    }

    /// Starts a job on a thread of its own.
    pub fn spawn(&self, name: &str, work: impl FnOnce(&Self) + Send + 'static) {
        let own = self.clone();
        if let Err(e) = std::thread::Builder::new().name(name.into()).spawn(move || work(&own)) {
            let _ = self.try_send(E::error(format!("no thread could be started: {e}")));
        }
    }

    /// Does work while the steps that it counts are told to the window, four times a second.
    pub fn counting<T>(
        &self,
        progress: &Progress,
        event: impl Fn(usize, usize) -> E + Sync,
        work: impl FnOnce() -> T,
    ) -> T {
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    std::thread::sleep(PROGRESS);
                    self.send(event(progress.done(), progress.total()));
                }
            });
            let result = work();
            done.store(true, Ordering::Relaxed);
            result
        })
    }

    /// Asks where to write a file. Without a dialog a new name in the current folder.
    pub fn file_where_asked(&self, name: &str) -> Option<PathBuf> {
        self.place_where_asked(name, || rfd::FileDialog::new().set_title("Write to").set_file_name(name).save_file())
    }

    /// Asks for a folder. Without a dialog a new one is named.
    pub fn folder_where_asked(&self, name: &str) -> Option<PathBuf> {
        self.place_where_asked(name, || rfd::FileDialog::new().set_title("A new folder").pick_folder())
    }

    fn place_where_asked(&self, name: &str, dialog: impl FnOnce() -> Option<PathBuf>) -> Option<PathBuf> {
        match answered(dialog) {
            Answered::With(path) => Some(path),
            Answered::NoDialog => free_name(name).map_err(|e| self.send(E::error(e))).ok(),
            Answered::Closed => None,
        }
    }

    /// What a dialog answers; where none is on this system, `otherwise` is told.
    pub fn asked<T>(&self, dialog: impl FnOnce() -> Option<T>, otherwise: impl FnOnce() -> E) -> Option<T> {
        match answered(dialog) {
            Answered::With(answer) => Some(answer),
            Answered::NoDialog => {
                self.send(otherwise());
                None
            }
            Answered::Closed => None,
        }
    }
}

impl<E: WriteEvent> EventSender<E> {
    /// Asks where to, then writes. Without a dialog there is still a place that can be named afterwards; nothing is replaced there.
    pub fn write_where_asked(&self, name: &str, bytes: &[u8]) {
        let Some(path) = self.file_where_asked(name) else { return };
        self.send(match workflow::write_export(&path, bytes) {
            Ok(()) => E::written(path),
            Err(e) => E::error(e.to_string()),
        });
    }
}

/// That no dialog answered, and what else can be done: "Type or paste …".
#[must_use]
pub fn no_dialog<E: PageEvent>(instead: &str) -> E {
    E::error(format!("No file dialog answered on this system. {instead}"))
}

enum Answered<T> {
    With(T),
    Closed,
    NoDialog,
}

fn answered<T>(dialog: impl FnOnce() -> Option<T>) -> Answered<T> {
    let begun = Instant::now();
    match dialog() {
        Some(answer) => Answered::With(answer),
        None if begun.elapsed() < NO_DIALOG_WITHIN => Answered::NoDialog,
        None => Answered::Closed,
    }
}

/// A name in the current folder that nothing has yet.
fn free_name(name: &str) -> Result<PathBuf, String> {
    let here = std::env::current_dir().map_err(|e| e.to_string())?;
    let (stem, ending) = name.split_once('.').map_or((name, String::new()), |(s, e)| (s, format!(".{e}")));
    let numbered = (2..1000).map(|i| here.join(format!("{stem}-{i}{ending}")));
    std::iter::once(here.join(name))
        .chain(numbered)
        .find(|p: &PathBuf| !Path::exists(p))
        .ok_or_else(|| format!("no file dialog answered, and there are too many files called {name} here already"))
}

/// What jobs of every page are told of the rest of the window.
pub struct JobContext<'a> {
    /// The model in use.
    pub model: &'a VettedModel,
    /// The provider asked for.
    pub provider: Provider,
    /// Initials of who sits here.
    pub operator: &'a str,
    /// Whether anything is remembered beyond this window.
    pub remembers: bool,
}
