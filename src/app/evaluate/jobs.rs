//! The Evaluate page's work: evaluating, comparing, calibrating, keeping corrected references.

use super::state::{EvaluateEvent, EvaluateForm, Which};
use super::update::{Effect, Event};
use crate::app::jobs::{EventSender, JobContext, Notice, no_dialog, pick_labelled_folder, pick_model};
use crate::app::language::tr;
use crate::evaluation::Evaluated;
use crate::inference::Provider;
use crate::model::VettedModel;
use crate::task::{Cancel, Generation, Progress};
use crate::workflow::{self, CorrectionsWriter, EvaluateError, EvaluateMonitor, EvaluateProgress, UserError};
use std::path::Path;

/// The folder of a report when no dialog can ask.
const UNASKED_REPORT: &str = "leukoscope-report";

/// Starts the page's jobs.
pub struct Jobs {
    events: EventSender<Event>,
    cancel: Cancel,
    /// None where nothing is remembered.
    corrections: Option<CorrectionsWriter>,
}

impl Jobs {
    /// No job yet. Without `remembers` corrections are kept until the window is closed.
    pub fn new(events: EventSender<Event>, remembers: bool) -> Self {
        let writer = || {
            let events = events.clone();
            // Never waits for the window, which at its end waits for the writer.
            CorrectionsWriter::new(move |text| events.try_notice(Notice::Error(text)))
        };
        let corrections = if remembers { writer().ok() } else { None };
        Self { events, cancel: Cancel::new(), corrections }
    }

    /// Does what the page wants done.
    pub fn perform(&mut self, effect: Effect, cx: &JobContext<'_>) {
        match effect {
            Effect::AskDataset => {
                let otherwise = no_dialog(&tr!("Type or paste the path of the labelled images"));
                self.events.ask(pick_labelled_folder, otherwise, |events, path| events.send(Event::Dataset(path)));
            }
            Effect::AskOther => {
                let otherwise = no_dialog(&tr!("Type or paste the path of the other model"));
                self.events.ask(pick_model, otherwise, |events, path| events.send(Event::Other(path)));
            }
            Effect::Evaluate(generation, form) => self.evaluate(generation, *form, cx),
            Effect::Stop => self.stop(),
            Effect::Intervals(generation, revision, mut found) => self.events.spawn("intervals", move |events| {
                found.score();
                events.send(Event::Job(generation, EvaluateEvent::Intervals(revision, found)));
            }),
            Effect::Export(found) => self.events.spawn("export-evaluation", move |events| {
                let Some(folder) = events.folder_where_asked(UNASKED_REPORT) else { return };
                let _must_end = events.must_end();
                let written = workflow::write_evaluation(&found, &folder);
                events.written(folder, &written);
            }),
            Effect::Calibrate(generation, form) => self.calibrate(generation, *form, cx),
            Effect::Compare(generation, form, found) => self.compare(generation, *form, found, cx.provider),
            Effect::KeepCorrections(changes) => {
                if let Some(writer) = &self.corrections
                    && !writer.put(changes, cx.operator.to_owned())
                {
                    let text = "corrections are not being kept; export the report";
                    self.events.try_notice(Notice::Error(text.into()));
                }
            }
        }
    }

    /// Stops evaluating or calibrating.
    pub fn stop(&self) {
        self.cancel.cancel();
    }

    /// Evaluates the model in use as the form says.
    fn evaluate(&mut self, generation: Generation, form: EvaluateForm, cx: &JobContext<'_>) {
        let (cancel, model, provider) = (self.cancel.renew(), cx.model.clone(), cx.provider);
        let corrected = self.corrections.is_some();
        self.events.spawn("evaluate-job", move |events| {
            let send = |e| events.send(Event::Job(generation, e));
            let request = match form.request(provider) {
                Ok(request) => workflow::EvaluateRequest { corrected, ..request },
                Err(why) => return send(EvaluateEvent::Failed(why.to_string())),
            };
            let progress = Progress::default();
            let ended = events.counting(
                &progress,
                |n, total| Event::Job(generation, EvaluateEvent::Counted(n, total)),
                || {
                    let mut on_event = |told| tell(events, generation, told);
                    workflow::evaluate(&request, &model, &mut EvaluateMonitor::new(&cancel, &progress, &mut on_event))
                },
            );
            match ended {
                Ok(found) => send(EvaluateEvent::Ended(Box::new(found))),
                Err(EvaluateError::Unknown { labels, classes }) => {
                    send(EvaluateEvent::Unknown(Which::InUse, labels, classes));
                }
                Err(e) => send(EvaluateEvent::Failed(e.to_string())),
            }
        });
    }

    /// Calibrates the model in use on the evaluation's images, into the folder of models.
    fn calibrate(&mut self, generation: Generation, form: EvaluateForm, cx: &JobContext<'_>) {
        let (cancel, model, provider) = (self.cancel.renew(), cx.model.clone(), cx.provider);
        let corrected = self.corrections.is_some();
        self.events.spawn("calibrate-job", move |events| {
            let progress = Progress::default();
            let work = || -> Result<_, UserError> {
                let request = form.request(provider)?;
                let out = workflow::new_model_file("calibrated")?;
                let mut on_event = |told| tell(events, generation, told);
                // The references as they stand on the screen.
                let request = workflow::EvaluateRequest { corrected, ..request };
                let target_risk = workflow::defaults::TARGET_RISK;
                let options = workflow::CalibrateOptions { target_risk, out: &out };
                workflow::calibrate(
                    &model,
                    &request,
                    &options,
                    &mut EvaluateMonitor::new(&cancel, &progress, &mut on_event),
                )
                .map_err(UserError::from)
            };
            beside(events, generation, &progress, work, |done| EvaluateEvent::Calibrated(done.to_text(), done.path));
        });
    }

    /// Evaluates another model on the same images, and holds it against what was found with this one.
    fn compare(&mut self, generation: Generation, form: EvaluateForm, found: Box<Evaluated>, provider: Provider) {
        let cancel = self.cancel.renew();
        self.events.spawn("compare-job", move |events| {
            let progress = Progress::default();
            let work = || {
                let model = workflow::open_model(Some(Path::new(form.other.trim())))?;
                let mut on_event = |told| tell(events, generation, told);
                let mut monitor = EvaluateMonitor::new(&cancel, &progress, &mut on_event);
                other_model(&form, &model, found, provider, &mut monitor)
            };
            beside(events, generation, &progress, work, |event| event);
        });
    }
}

/// What another model says of the same images. `None` where it was stopped.
fn other_model(
    form: &EvaluateForm,
    model: &VettedModel,
    found: Box<Evaluated>,
    provider: Provider,
    monitor: &mut EvaluateMonitor<'_>,
) -> Result<Option<EvaluateEvent>, UserError> {
    let request = form.request_for_other(provider, model.card().classes.labels())?;
    match workflow::compare_with(*found, &request, model, monitor) {
        Err(EvaluateError::Unknown { labels, classes }) => {
            Ok(Some(EvaluateEvent::Unknown(Which::Other, labels, classes)))
        }
        compared => Ok(compared?.map(|c| EvaluateEvent::Compared(Box::new(c)))),
    }
}

fn tell(events: &EventSender<Event>, generation: Generation, told: EvaluateProgress) {
    events.send(Event::Job(generation, EvaluateEvent::Progressed(told)));
}

/// Does what goes on beside an evaluation, with its progress, and tells how it ended.
fn beside<T>(
    events: &EventSender<Event>,
    generation: Generation,
    progress: &Progress,
    work: impl FnOnce() -> Result<Option<T>, UserError>,
    done: impl FnOnce(T) -> EvaluateEvent,
) {
    let event = |n, total| Event::Job(generation, EvaluateEvent::Counted(n, total));
    let ended = match events.counting(progress, event, work) {
        Ok(Some(result)) => done(result),
        Ok(None) => EvaluateEvent::Ended(Box::new(None)),
        Err(e) => EvaluateEvent::Failed(e.to_string()),
    };
    events.send(Event::Job(generation, ended));
}
