//! What every long job shares: a way to stop it, a way to see how far it is, and generations that tell a
//! stale answer from a fresh one.
//!
//! Values and atomics only: no thread is started here and no clock is read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A request to stop, shared by everyone who works on a job. Once set it stays set.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// A job that nobody has stopped yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the job to stop at the next image.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Asks the job to stop, and stands for the next one from here on; that one's.
    pub fn renew(&mut self) -> Self {
        self.cancel();
        *self = Self::default();
        self.clone()
    }

    /// Whether somebody asked.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A request to hold on, shared like [`Cancel`]; it can be taken back.
#[derive(Debug, Clone, Default)]
pub struct Pause(Arc<AtomicBool>);

impl Pause {
    /// Asks to hold on, or to go on.
    pub fn set(&self, on: bool) {
        self.0.store(on, Ordering::Relaxed);
    }

    /// Whether somebody asked to hold on.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Waits until it is taken back, or the job is cancelled.
    pub fn wait(&self, cancel: &Cancel) {
        while self.is_set() && !cancel.is_cancelled() {
            std::thread::sleep(std::time::Duration::from_millis(40));
        }
    }
}

/// How far a job is: steps done of steps known. Cheap to read from another thread.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<(AtomicUsize, AtomicUsize)>);

impl Progress {
    /// Begins counting this many steps.
    pub fn set_total(&self, n: usize) {
        self.0.0.store(0, Ordering::Relaxed);
        self.0.1.store(n, Ordering::Relaxed);
    }

    /// One step more is done.
    pub fn step(&self) {
        self.0.0.fetch_add(1, Ordering::Relaxed);
    }

    pub fn done(&self) -> usize {
        self.0.0.load(Ordering::Relaxed)
    }

    /// Steps known.
    pub fn total(&self) -> usize {
        self.0.1.load(Ordering::Relaxed)
    }
}

/// How a long job is stopped, how far it is, and who hears of it. `E` is what is told; `R` what the listener answers.
pub struct Monitor<'a, E, R = ()> {
    /// Stops the job at its next step.
    pub cancel: &'a Cancel,
    /// Steps done of steps known.
    pub progress: &'a Progress,
    /// Hears of it, on the thread that the job runs on.
    pub on_event: &'a mut dyn FnMut(E) -> R,
}

impl<'a, E, R> Monitor<'a, E, R> {
    /// Of its three parts.
    pub fn new(cancel: &'a Cancel, progress: &'a Progress, on_event: &'a mut dyn FnMut(E) -> R) -> Self {
        Self { cancel, progress, on_event }
    }

    pub fn event(&mut self, event: E) -> R {
        (self.on_event)(event)
    }

    /// Whether somebody asked the job to stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}

/// The number of a job: an answer that carries an older one is dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(pub u64);

impl Generation {
    /// The next job's number.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Threads that can run at the same time here; one where the system does not say.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Seconds left at the speed so far, or `None` before anything can be said (no step done, or no time passed).
pub fn seconds_left(done: usize, total: usize, elapsed_seconds: f64) -> Option<f64> {
    (done > 0 && elapsed_seconds > 0.0).then(|| elapsed_seconds / done as f64 * total.saturating_sub(done) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancel_reaches_every_copy() {
        let a = Cancel::new();
        let b = a.clone();
        a.cancel();
        assert!(b.is_cancelled());
    }

    #[test]
    fn a_renewed_cancel_stops_the_job_before_and_not_the_next_one() {
        let mut held = Cancel::new();
        let before = held.clone();
        let next = held.renew();
        assert!(before.is_cancelled() && !next.is_cancelled());
        held.cancel();
        assert!(next.is_cancelled());
    }

    #[test]
    fn time_left_follows_the_speed() {
        assert_eq!(seconds_left(0, 10, 1.0), None);
        assert_eq!(seconds_left(5, 10, 2.0), Some(2.0));
        assert_eq!(seconds_left(12, 10, 2.0), Some(0.0));
    }
}
