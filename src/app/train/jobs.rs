//! The Train page's work: looking at the data, training, runs that were left unfinished.

use super::state::{TrainEvent, TrainForm};
use super::update::{Effect, Event};
use crate::app::jobs::{EventSender, JobContext, no_dialog, pick_labelled_folder};
use crate::app::language::tr;
use crate::dataset::SplitPart;
use crate::model::VettedModel;
use crate::task::Generation;
use crate::workflow::{
    self, PreparedDataset, TrainControl, TrainMonitor, TrainOptions, TrainOutcome, TrainRequest, UserError,
};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

type Slot = Arc<Mutex<Option<PreparedDataset>>>;

/// Starts the page's jobs.
pub struct Jobs {
    events: EventSender<Event>,
    control: TrainControl,
    /// What was prepared when the data were looked at; training takes it up if it is still the same request.
    prepared: Slot,
}

impl Jobs {
    /// No job yet.
    pub fn new(events: EventSender<Event>) -> Self {
        Self { events, control: TrainControl::default(), prepared: Arc::default() }
    }

    /// Does what the page wants done.
    pub fn perform(&mut self, effect: Effect, cx: &JobContext<'_>) {
        match effect {
            Effect::AskDataset => {
                let otherwise = no_dialog(&tr!("Type or paste the path of the labelled images"));
                self.events.ask(pick_labelled_folder, otherwise, |events, path| events.send(Event::Dataset(path)));
            }
            Effect::LookAtData(generation, request) => self.look(generation, *request),
            Effect::Train(generation, form) => self.train(generation, *form, cx.model.clone()),
            Effect::Pause(on) => self.control.pause.set(on),
            Effect::Stop => self.stop(),
            Effect::ForgetRun(out) => self.events.spawn_to_end("forget-run", move |_| workflow::forget_run(&out)),
            Effect::Runs => self.events.spawn("runs", |events| {
                events.send(Event::Runs(workflow::unfinished_runs(), workflow::earlier_runs()));
            }),
        }
    }

    /// Stops training or looking at the data.
    pub fn stop(&self) {
        self.control.cancel.cancel();
    }

    /// What went on ends; what begins has a control of its own.
    fn begin(&mut self) -> TrainControl {
        self.stop();
        self.control = TrainControl::default();
        self.control.clone()
    }

    /// Looks at labelled images, and keeps what was prepared for training.
    fn look(&mut self, generation: Generation, request: TrainRequest) {
        let (control, slot) = (self.begin(), self.prepared.clone());
        self.events.spawn("look-at-data", move |events| {
            let send = |e| events.send(Event::Job(generation, e));
            let done = watching(events, generation, &control, || {
                workflow::prepare_training(&request, &control.cancel, &control.progress)
            });
            match done {
                Ok(Some(prepared)) => {
                    send(TrainEvent::Looked(Box::new((request, prepared.plan().clone()))));
                    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(prepared);
                }
                Ok(None) => send(TrainEvent::NotLooked(None)),
                Err(e) => send(TrainEvent::NotLooked(Some(e.to_string()))),
            }
        });
    }

    fn train(&mut self, generation: Generation, form: TrainForm, current: VettedModel) {
        let (control, slot) = (self.begin(), self.prepared.clone());
        self.events.spawn("train-job", move |events| {
            let send = |e| events.send(Event::Job(generation, e));
            let ended =
                watching(events, generation, &control, || run(&form, current, &control, &slot, generation, events));
            send(TrainEvent::Ended(Box::new(ended)));
        });
    }
}

fn watching<T>(
    events: &EventSender<Event>,
    generation: Generation,
    control: &TrainControl,
    work: impl FnOnce() -> T,
) -> T {
    events.counting(&control.progress, |n, total| Event::Job(generation, TrainEvent::Progress(n, total)), work)
}

/// Prepares, unless what was looked at is still it, and trains.
fn run(
    form: &TrainForm,
    current: VettedModel,
    control: &TrainControl,
    slot: &Slot,
    generation: Generation,
    events: &EventSender<Event>,
) -> Result<TrainOutcome, UserError> {
    let send = |event| events.send(Event::Job(generation, event));
    let request = form.request()?;
    let kept = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
    let prepared = match kept.filter(|p| *p.request() == request) {
        Some(prepared) => prepared,
        None => match workflow::prepare_training(&request, &control.cancel, &control.progress)? {
            Some(prepared) => prepared,
            None => return Err(UserError::new("Stopped while looking at the data")),
        },
    };
    send(TrainEvent::Looked(Box::new((request, prepared.plan().clone()))));
    // The table and the buttons for what helps are on the screen.
    if let Some(obstacle) = &prepared.plan().obstacle {
        let why = obstacle.why();
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(prepared);
        return Err(UserError::new(why));
    }
    let recipe = form.settings()?.recipe(prepared.count(SplitPart::Train));
    let out = match form.out.trim() {
        "" => workflow::new_model_path(&recipe)?,
        path => PathBuf::from(path),
    };
    let (name, device) = (workflow::model_name(&out), form.device);
    let options = TrainOptions {
        recipe,
        runs: 1,
        out,
        name,
        threads: 0,
        device,
        fresh: false,
        current: Some(current),
        sources: None,
        calibration: None,
    };
    // Stopped by the end of the program it still keeps its checkpoint, and the best epoch as a model.
    let _must_end = events.must_end();
    let mut on_event = |told| send(TrainEvent::Step(told));
    let mut monitor = TrainMonitor::new(&control.cancel, &control.progress, &mut on_event);
    let outcome = workflow::train_remembered(&prepared, &options, &control.pause, &mut monitor);
    // What was prepared serves the next run too.
    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(prepared);
    outcome
}
