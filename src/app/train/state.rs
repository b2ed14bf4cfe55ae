//! What the Train place knows, and how it answers. Plain values: no disk, no thread, no drawing; time is handed in.

use crate::app::language::{phase_text, tr};
use crate::app::widgets::duration;
use crate::dataset::{Grouping, Ratio};
use crate::domain::EpochRow;
use crate::files::display_path;
use crate::task::Generation;
use crate::training::{RecipeKind, Stop, TrainingDevice};
use crate::workflow::{
    EarlierRun, NoLearningRate, RecipeSettings, TrainOutcome, TrainPlan, TrainProgress, TrainRequest, UnfinishedRun,
    UserError, defaults,
};
use std::path::PathBuf;

/// Points of the batch curve that are kept; beyond that every second one goes.
const POINTS: usize = 3000;
/// What the smoothed batch curve keeps of its past a step.
const SMOOTH: f64 = 0.95;

/// What the person fills in. Text is kept as typed until it is used.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainForm {
    /// The dataset's path.
    pub dataset: String,
    pub kind: RecipeKind,
    /// A model to start from; empty is the bundled one.
    pub init: String,
    pub epochs: usize,
    pub batch: usize,
    /// Learning rate; empty is the recipe's.
    pub rate: String,
    pub seed: u64,
    pub split: String,
    pub grouping: Grouping,
    pub keep_best: bool,
    /// Epochs without a better validation loss after which it ends; 0 goes through.
    pub patience: usize,
    /// Where the gradients are computed.
    pub device: TrainingDevice,
    /// Where the model goes; empty is a new name in the folder of models.
    pub out: String,
    pub leave_out: Vec<String>,
    /// Labels that are flags of the new model.
    pub flags: Vec<String>,
    /// Where cells are cached; the user's cache folder without. Not shown: for tests.
    pub cache: Option<PathBuf>,
    /// Whether the numbers are shown.
    pub opened_up: bool,
}

impl Default for TrainForm {
    fn default() -> Self {
        Self {
            dataset: String::new(),
            kind: RecipeKind::Blocks(defaults::BLOCKS.into()),
            init: String::new(),
            epochs: defaults::EPOCHS.into(),
            batch: defaults::BATCH.into(),
            rate: String::new(),
            seed: defaults::SEED,
            split: defaults::SPLIT.into(),
            grouping: Grouping::Auto,
            keep_best: true,
            patience: 0,
            device: TrainingDevice::Auto,
            out: String::new(),
            leave_out: Vec::new(),
            flags: Vec::new(),
            cache: None,
            opened_up: false,
        }
    }
}

impl TrainForm {
    /// The request that the form makes.
    ///
    /// # Errors
    /// What is typed wrongly, in words.
    pub fn request(&self) -> Result<TrainRequest, UserError> {
        let dataset = self.dataset.trim();
        if dataset.is_empty() {
            return Err(UserError::new(tr!(
                "Choose labelled images first: a folder with a folder per class, or a CSV"
            )));
        }
        let ratio: Ratio = self.split.parse()?;
        self.settings()?;
        Ok(TrainRequest {
            kind: self.kind,
            init: Some(self.init.trim()).filter(|i| !i.is_empty()).map(PathBuf::from),
            ratio,
            grouping: self.grouping,
            leave_out: self.leave_out.clone(),
            flags: self.flags.clone(),
            seed: self.seed,
            cache: self.cache.clone(),
            ..TrainRequest::new(PathBuf::from(dataset))
        })
    }

    /// What the form sets of the recipe.
    ///
    /// # Errors
    /// What is typed wrongly, in words.
    pub fn settings(&self) -> Result<RecipeSettings, UserError> {
        let rate = match self.rate.trim() {
            "" => None,
            text => Some(text.parse().map_err(|NoLearningRate| {
                UserError::new({
                    tr!("\"%{rate}\" is no learning rate; type a positive number such as 3e-4, or nothing", rate = text)
                })
            })?),
        };
        Ok(RecipeSettings {
            kind: self.kind,
            epochs: self.epochs,
            batch: self.batch,
            rate,
            seed: self.seed,
            keep_best: self.keep_best,
            patience: Some(self.patience),
        })
    }
}

/// What runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RunState {
    #[default]
    Idle,
    /// The data are being looked at; `stopping` where that is to end.
    Looking {
        stopping: bool,
    },
    Training,
    Paused,
    /// Training is to end.
    Stopping,
}

/// Everything the Train place knows.
#[derive(Debug, Clone, Default)]
pub struct State {
    pub form: TrainForm,
    pub run: RunState,
    /// The job's number; answers with another are dropped.
    pub generation: Generation,
    pub plan: Option<(TrainRequest, TrainPlan)>,
    /// What happens now, in words.
    pub doing: String,
    /// Steps done of steps, of the loop or of what is before it.
    pub progress: (usize, usize),
    /// When the present loop began (seconds) and the step it began at.
    pub since: Option<(f64, usize)>,
    /// Steps of an epoch, once known.
    pub steps_an_epoch: usize,
    /// Smoothed loss and accuracy of the batches, by epoch.
    pub batches: Vec<[f64; 3]>,
    /// Which of the steps are kept in `batches`.
    pub every: usize,
    /// The smoothed values now.
    smoothed: Option<(f64, f64)>,
    pub history: Vec<EpochRow>,
    pub earlier: Vec<EarlierRun>,
    /// Runs left unfinished by a crash or a closed lid.
    pub unfinished: Vec<UnfinishedRun>,
    pub notes: Vec<String>,
    /// Why it could not be done.
    pub error: Option<String>,
    pub outcome: Option<TrainOutcome>,
}

/// What a job says of training.
#[derive(Debug)]
pub enum TrainEvent {
    /// The data were looked at.
    Looked(Box<(TrainRequest, TrainPlan)>),
    /// A word from the run.
    Step(TrainProgress),
    /// Steps done of what comes before and after the loop.
    Progress(usize, usize),
    Ended(Box<Result<TrainOutcome, UserError>>),
    /// Looking at the data ended without a plan: the reason, or nothing when it was stopped.
    NotLooked(Option<String>),
}

impl State {
    /// Whether something runs.
    pub fn busy(&self) -> bool {
        self.run != RunState::Idle
    }

    /// Whether what runs was asked to stop.
    pub fn stopping(&self) -> bool {
        matches!(self.run, RunState::Looking { stopping: true } | RunState::Stopping)
    }

    /// Seconds left of the loop.
    pub fn left(&self, now: f64) -> Option<f64> {
        let (since, from) = self.since?;
        let done = self.progress.0.checked_sub(from).filter(|d| *d > 2)?;
        Some((now - since) / done as f64 * self.progress.1.saturating_sub(self.progress.0) as f64)
    }

    /// Position in epochs of the last step.
    fn at(&self, step: usize) -> f64 {
        step as f64 / self.steps_an_epoch.max(1) as f64
    }

    /// Clears the last run's figures; its curve joins the earlier ones.
    pub(crate) fn begin(&mut self, run: RunState) {
        self.generation = self.generation.next();
        (self.run, self.error, self.since) = (run, None, None);
        (self.progress, self.doing) = ((0, 0), tr!("looking at the data"));
        if run == RunState::Training {
            if !self.history.is_empty() {
                let name =
                    self.outcome.as_ref().and_then(|o| o.model.as_ref()).map(|(p, _)| crate::files::display_name(p));
                let run = EarlierRun {
                    name: name.unwrap_or_else(|| tr!("the run before")),
                    path: PathBuf::new(),
                    history: std::mem::take(&mut self.history),
                };
                self.earlier.retain(|e| e.name != run.name);
                self.earlier.insert(0, run);
                self.earlier.truncate(5);
            }
            (self.batches, self.smoothed, self.every) = (Vec::new(), None, 1);
            (self.notes, self.outcome) = (Vec::new(), None);
        }
    }

    /// Hears a job; returns a word for the screen and whether it is bad news.
    pub(crate) fn on_event(&mut self, event: TrainEvent, now: f64) -> Option<(String, bool)> {
        match event {
            TrainEvent::Looked(plan) => {
                if matches!(self.run, RunState::Looking { .. }) {
                    self.run = RunState::Idle;
                }
                self.plan = Some(*plan);
            }
            TrainEvent::NotLooked(why) => {
                self.run = RunState::Idle;
                self.error.clone_from(&why);
                return why.map(|w| (w, true));
            }
            TrainEvent::Progress(done, total) => {
                if self.since.is_none() {
                    self.progress = (done, total);
                }
            }
            TrainEvent::Step(told) => self.told(told, now),
            TrainEvent::Ended(result) => {
                self.run = RunState::Idle;
                self.since = None;
                match *result {
                    Ok(outcome) => {
                        let word = match (&outcome.stop, &outcome.model) {
                            (_, None) => tr!("Stopped before the first epoch ended: there is no model"),
                            (Stop::Cancelled, _) => tr!("Stopped; epoch %{epoch} is kept", epoch = outcome.best_epoch),
                            (Stop::Early, _) => tr!("Ended early; epoch %{epoch} is kept", epoch = outcome.best_epoch),
                            (Stop::Diverged(why), _) => why.clone(),
                            (Stop::Finished, _) => {
                                tr!("Training finished; epoch %{epoch} is kept", epoch = outcome.best_epoch)
                            }
                        };
                        let bad = matches!(outcome.stop, Stop::Diverged(_));
                        self.history.clone_from(&outcome.history);
                        self.outcome = Some(outcome);
                        return Some((word, bad));
                    }
                    Err(why) => {
                        let why = why.to_string();
                        self.error = Some(why.clone());
                        return Some((why, true));
                    }
                }
            }
        }
        None
    }

    fn told(&mut self, told: TrainProgress, now: f64) {
        match told {
            TrainProgress::Phase(phase) => {
                self.doing = phase_text(&phase);
                self.since = None;
                self.progress = (0, 0);
            }
            TrainProgress::Note(what) => self.notes.push(what),
            TrainProgress::Resumed(rows) => self.history = rows,
            TrainProgress::Epoch(row, _) => {
                self.history.retain(|r| r.epoch != row.epoch);
                self.history.push(row);
            }
            TrainProgress::Step(news) => {
                if self.since.is_none() {
                    self.since = Some((now, news.step.saturating_sub(1)));
                }
                self.progress = (news.step, news.steps);
                if let Some(epochs) = news.steps.checked_div(self.form.epochs.max(1)) {
                    self.steps_an_epoch = epochs.max(1);
                }
                let (loss, accuracy) = self.smoothed.map_or((news.loss, news.accuracy), |(l, a)| {
                    (SMOOTH * l + (1.0 - SMOOTH) * news.loss, SMOOTH * a + (1.0 - SMOOTH) * news.accuracy)
                });
                self.smoothed = Some((loss, accuracy));
                if news.step % self.every.max(1) == 0 {
                    self.batches.push([self.at(news.step), loss, accuracy]);
                }
                if self.batches.len() > POINTS {
                    let mut keep = false;
                    self.batches.retain(|_| {
                        keep = !keep;
                        keep
                    });
                    self.every = self.every.max(1) * 2;
                }
            }
        }
    }

    /// Why Start cannot be pressed, or nothing.
    pub fn obstacle(&self) -> Option<String> {
        if self.busy() {
            return Some(tr!("it is running"));
        }
        match self.form.request() {
            Err(why) => Some(why.to_string()),
            Ok(request) => {
                let known = self.plan.as_ref().filter(|(looked, _)| *looked == request);
                known.and_then(|(_, plan)| plan.obstacle.as_ref()).map(|o| o.why())
            }
        }
    }

    /// The epoch with the lowest validation loss.
    pub fn best(&self) -> Option<&EpochRow> {
        self.history.iter().min_by(|a, b| a.val_loss.total_cmp(&b.val_loss))
    }

    /// How far it is, for the status bar; nothing where nothing goes on.
    pub fn status(&self, now: f64) -> Option<String> {
        if !self.busy() {
            return None;
        }
        let (done, total) = self.progress;
        let left = self.left(now).map_or(String::new(), |s| tr!(", %{time} left", time = duration(s)));
        if total == 0 {
            return Some(self.title());
        }
        Some(tr!("%{what} %{n} of %{all}%{left}", what = self.title(), n = done, all = total, left = left))
    }

    /// What is trained, in one line for the status bar.
    pub fn title(&self) -> String {
        let paused = if self.run == RunState::Paused { tr!(", held") } else { String::new() };
        match self.run {
            RunState::Idle => String::new(),
            RunState::Looking { .. } => tr!("Looking at the data"),
            RunState::Training | RunState::Paused | RunState::Stopping => {
                let mut doing = self.doing.chars();
                let first = doing.next().map(char::to_uppercase).into_iter().flatten();
                format!("{}{paused}", first.chain(doing).collect::<String>())
            }
        }
    }

    /// Fills the form from a run that was left unfinished.
    pub(crate) fn take_up(&mut self, run: &UnfinishedRun) {
        let r = &run.request;
        let [a, b, c] = r.ratio.0.map(|s| (s * 1000.0).round() / 10.0);
        self.form = TrainForm {
            dataset: r.dataset.to_string_lossy().into_owned(),
            kind: r.kind,
            init: r.init.as_ref().map_or_else(String::new, |p| p.to_string_lossy().into_owned()),
            epochs: run.recipe.epochs,
            batch: run.recipe.batch,
            rate: format!("{}", run.recipe.optimizer.rate),
            seed: r.seed,
            split: format!("{a}/{b}/{c}"),
            grouping: r.grouping,
            keep_best: run.recipe.keep_best,
            patience: run.recipe.patience.unwrap_or(0),
            device: self.form.device,
            out: display_path(&run.out),
            leave_out: r.leave_out.clone(),
            flags: r.flags.clone(),
            cache: r.cache.clone(),
            opened_up: false,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::StepMetrics;

    fn step(view: &mut State, n: usize, loss: f64, now: f64) {
        let news = StepMetrics { epoch: 1, step: n, steps: 30_000, loss, accuracy: 0.5, images: 32 };
        view.on_event(TrainEvent::Step(TrainProgress::Step(news)), now);
    }

    #[test]
    fn a_form_says_what_is_typed_wrongly() {
        let mut form = TrainForm::default();
        assert!(form.request().expect_err("empty").to_string().contains("Choose"));
        form.dataset = "/data".into();
        assert!(form.request().is_ok());
        form.rate = "fast".into();
        assert!(form.request().expect_err("rate").to_string().contains("fast"));
        (form.rate, form.split) = ("3e-4".into(), "80".into());
        assert!(form.request().expect_err("split").to_string().contains("80"));
        assert!((form.settings().expect("a rate").recipe(100).optimizer.rate - 3e-4).abs() < 1e-12);
    }

    #[test]
    fn curves_are_smoothed_and_stay_small_and_time_left_follows() {
        let mut view = State::default();
        view.begin(RunState::Training);
        for n in 1..=20_000 {
            step(&mut view, n, if n % 2 == 0 { 1.0 } else { 3.0 }, n as f64 * 0.1);
        }
        assert!(view.batches.len() <= POINTS, "{}", view.batches.len());
        assert!(view.batches.iter().skip(300).all(|b| (b[1] - 2.0).abs() < 0.2));
        assert!((view.left(2000.0).expect("known") - 1000.0).abs() < 2.0);
    }

    #[test]
    fn a_new_run_puts_the_old_curve_behind() {
        let mut view = State::default();
        view.begin(RunState::Training);
        let row =
            EpochRow { epoch: 1, train_loss: 1.0, train_accuracy: 0.5, val_loss: 0.9, val_accuracy: 0.6, seconds: 1.0 };
        view.on_event(TrainEvent::Step(TrainProgress::Epoch(row, true)), 1.0);
        assert_eq!(view.best().map(|r| r.epoch), Some(1));
        view.on_event(TrainEvent::Ended(Box::new(Err(UserError::new("the disk is full")))), 2.0);
        assert!(!view.busy() && view.error.is_some());
        view.begin(RunState::Training);
        assert!(view.history.is_empty() && view.earlier.len() == 1 && view.error.is_none());
    }
}
