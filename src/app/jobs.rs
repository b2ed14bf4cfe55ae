//! What jobs of every page share: a thread with a name, a way to be heard, the system's own dialogs. What a job does stands with its page.

use crate::app::language::{Language, tr};
use crate::inference::Provider;
use crate::model::VettedModel;
use crate::task::Progress;
use crate::workflow;
use crate::workflow::UserError;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A dialog that is answered faster than this was not answered by the user: there is none on this system.
const NO_DIALOG_WITHIN: Duration = Duration::from_millis(400);
/// So long the program waits at its end for what is being written.
const LONGEST_WAIT: Duration = Duration::from_secs(120);
/// How often progress is told.
const PROGRESS: Duration = Duration::from_millis(250);

/// What a job of any page has to say to the shell: the same wherever it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Something went wrong, in words for the user.
    Error(String),
    /// A file or folder was written.
    Written(PathBuf),
    /// No file dialog answered on this system: a path can be typed. `watch`: of a folder that is to be watched.
    NoDialog {
        /// The path is of a folder to watch.
        watch: bool,
    },
}

/// What a job sends: something for its page, or for the shell.
#[derive(Debug)]
pub enum Message<E> {
    Page(E),
    Notice(Notice),
}

/// Hands a message to the window and wakes it: waiting for room where it is told so, else only if there is some.
type Post<E> = dyn Fn(Message<E>, bool) + Send + Sync;

/// Work that must end before the program does: files that are being written, a checkpoint. Everything else is left behind.
#[derive(Clone, Default)]
pub struct OpenWork(Arc<(Mutex<usize>, Condvar)>);

/// As long as it lives the program does not end.
#[must_use]
pub struct MustEnd(OpenWork);

impl OpenWork {
    /// Something begins that must end first.
    pub fn begin(&self) -> MustEnd {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        MustEnd(self.clone())
    }

    /// Waits until all has ended, but not for ever: a share may not answer.
    pub fn wait(&self) {
        let open = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.0.1.wait_timeout_while(open, LONGEST_WAIT, |n| *n > 0));
    }
}

impl Drop for MustEnd {
    fn drop(&mut self) {
        *self.0.0.0.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.0.1.notify_all();
    }
}

/// How the jobs of a page are heard.
pub struct EventSender<E> {
    post: Arc<Post<E>>,
    open_work: OpenWork,
}

impl<E> Clone for EventSender<E> {
    fn clone(&self) -> Self {
        Self { post: self.post.clone(), open_work: self.open_work.clone() }
    }
}

impl<E: Send + 'static> EventSender<E> {
    /// A way to the window.
    pub fn new(post: impl Fn(Message<E>, bool) + Send + Sync + 'static, open_work: OpenWork) -> Self {
        Self { post: Arc::new(post), open_work }
    }

    /// From here to the end of what is returned the program does not end.
    pub fn must_end(&self) -> MustEnd {
        self.open_work.begin()
    }

    /// Tells the page, waiting for room. A window that has gone hears nothing, and that is fine.
    pub fn send(&self, event: E) {
        (self.post)(Message::Page(event), true);
    }

    /// Tells the shell, waiting for room: never from the window's own thread, nor from one that the window waits for.
    pub fn notice(&self, notice: Notice) {
        (self.post)(Message::Notice(notice), true);
    }

    /// Tells the shell if there is room.
    pub fn try_notice(&self, notice: Notice) {
        (self.post)(Message::Notice(notice), false);
    }

    /// Says what went wrong, waiting for room.
    pub fn error(&self, error: &dyn std::fmt::Display) {
        self.notice(Notice::Error(error.to_string()));
    }

    /// Says what was written, or why it was not.
    pub fn written<T, R: std::fmt::Display>(&self, path: PathBuf, result: &Result<T, R>) {
        match result {
            Ok(_) => self.notice(Notice::Written(path)),
            Err(e) => self.error(e),
        }
    }

    /// Starts a job on a thread of its own that ends before the program does.
    pub fn spawn_to_end(&self, name: &str, work: impl FnOnce(&Self) + Send + 'static) {
        let must_end = self.must_end();
        self.spawn(name, move |events| {
            work(events);
            drop(must_end);
        });
    }

    /// Starts a job on a thread of its own. The program may end before it does.
    pub fn spawn(&self, name: &str, work: impl FnOnce(&Self) + Send + 'static) {
        let (own, language) = (self.clone(), Language::current());
        let job = move || {
            language.set_current();
            work(&own);
        };
        if let Err(e) = std::thread::Builder::new().name(name.into()).spawn(job) {
            self.try_notice(Notice::Error(format!("no thread could be started: {e}")));
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
        self.place_where_asked(name, || {
            rfd::FileDialog::new().set_title(tr!("Write to")).set_file_name(name).save_file()
        })
    }

    /// Asks for a folder. Without a dialog a new one is named.
    pub fn folder_where_asked(&self, name: &str) -> Option<PathBuf> {
        self.place_where_asked(name, || rfd::FileDialog::new().set_title(tr!("A new folder")).pick_folder())
    }

    fn place_where_asked(&self, name: &str, dialog: impl FnOnce() -> Option<PathBuf>) -> Option<PathBuf> {
        match answered(dialog) {
            Answered::With(path) => Some(path),
            Answered::NoDialog => free_name(name).map_err(|e| self.error(&e)).ok(),
            Answered::Closed => None,
        }
    }

    /// Asks by the system's own dialog, beside the window, and goes on with the answer. Where there is no dialog on this system, `otherwise`
    /// is said.
    pub fn ask<T>(
        &self,
        dialog: impl FnOnce() -> Option<T> + Send + 'static,
        otherwise: Notice,
        answer: impl FnOnce(&Self, T) + Send + 'static,
    ) {
        self.spawn("dialog", move |events| match answered(dialog) {
            Answered::With(path) => answer(events, path),
            Answered::NoDialog => events.notice(otherwise),
            Answered::Closed => {}
        });
    }

    /// Asks where to, then writes. Without a dialog there is still a place that can be named afterwards; nothing is replaced there.
    pub fn write_where_asked(&self, name: &str, bytes: &[u8]) {
        let Some(path) = self.file_where_asked(name) else { return };
        let _must_end = self.must_end();
        let written = workflow::write_output(&path, bytes);
        self.written(path, &written);
    }
}

/// The dialog for labelled images.
pub fn pick_labelled_folder() -> Option<PathBuf> {
    rfd::FileDialog::new().set_title(tr!("A folder with a folder per class")).pick_folder()
}

/// The dialog for a model.
pub fn pick_model() -> Option<PathBuf> {
    rfd::FileDialog::new().set_title(tr!("Open a model")).add_filter("ONNX", &["onnx"]).pick_file()
}

/// That no dialog answered, and what else can be done: "Type or paste …".
pub fn no_dialog(instead: &str) -> Notice {
    Notice::Error(tr!("No file dialog answered on this system. %{instead}", instead = instead))
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
fn free_name(name: &str) -> Result<PathBuf, UserError> {
    let here = std::env::current_dir()
        .map_err(|e| UserError::new(format!("no file dialog answered, and the current folder cannot be used: {e}")))?;
    let (stem, ending) = name.split_once('.').map_or((name, String::new()), |(s, e)| (s, format!(".{e}")));
    let numbered = (2..1000).map(|i| here.join(format!("{stem}-{i}{ending}")));
    std::iter::once(here.join(name)).chain(numbered).find(|p: &PathBuf| !Path::exists(p)).ok_or_else(|| {
        UserError::new(format!("no file dialog answered, and there are too many files called {name} here already"))
    })
}

/// What jobs of every page are told of the rest of the window.
pub struct JobContext<'a> {
    pub model: &'a VettedModel,
    pub provider: Provider,
    /// Initials of who sits here.
    pub operator: &'a str,
    /// Whether anything is remembered beyond this window.
    pub remembers: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_waits_for_what_must_end_first_and_for_nothing_else() {
        let open_work = OpenWork::default();
        let events: EventSender<()> = EventSender::new(|_, _| (), open_work.clone());
        let written = Arc::new(AtomicBool::new(false));
        let (own, begun) = (written.clone(), Instant::now());
        events.spawn("left-behind", |_| std::thread::sleep(Duration::from_secs(60)));
        events.spawn_to_end("writes", move |_| {
            std::thread::sleep(Duration::from_millis(150));
            own.store(true, Ordering::Relaxed);
        });
        open_work.wait();
        assert!(written.load(Ordering::Relaxed) && begun.elapsed() < Duration::from_secs(30));
        // A job that panics is no longer waited for.
        events.spawn_to_end("panics", |_| std::panic::resume_unwind(Box::new(())));
        open_work.wait();
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
}
