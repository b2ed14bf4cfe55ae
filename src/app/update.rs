//! How the window's state answers: commands and events in, effects out. No egui, no disk, no thread, no clock.

use super::command::Command;
use super::evaluation::{EvaluateEvent, EvaluateForm, EvaluateInput};
use super::labels::{SessionEvent, UNIDENTIFIED};
use super::state::{Dialog, Filter, GallerySort, Job, Kind, ModelFacts, State, Toast};
use super::training::{Phase, TrainEvent, TrainForm};
use crate::domain::{Differential, Digest, ImageResult};
use crate::report::Evaluated;
use crate::session::{Change, Edit, Seen, Verdict};
use crate::task::Generation;
use crate::workflow::{EarlierRun, TrainRequest, UnfinishedRun};
use std::path::PathBuf;

/// How long a toast stays, seconds.
const TOAST_SECONDS: f64 = 6.0;
/// How many lines the log keeps; the failed tiles have their reasons anyway.
const LOG_LINES: usize = 5000;

/// Something that happened outside.
#[derive(Debug)]
pub enum Event {
    /// So many files will be looked at.
    Listed(Generation, usize),
    /// This provider runs.
    Started(Generation, String),
    /// One image's result.
    Row(Generation, Box<ImageResult>),
    /// The job ended: files skipped, whether it was stopped.
    Finished(Generation, usize, bool),
    /// The job could not be done.
    Failed(Generation, String),
    /// A dialog was answered with paths to open.
    Chosen(Vec<PathBuf>),
    /// No file dialog answered.
    NoDialog,
    /// A model was opened, from this file or the bundled one.
    Model(Box<ModelFacts>, Option<PathBuf>),
    /// A word about training.
    Train(Generation, TrainEvent),
    /// A word about the session of what is open.
    Session(Generation, SessionEvent),
    /// A word about an evaluation.
    Evaluate(Generation, EvaluateEvent),
    /// Labelled pictures were chosen to train on.
    Dataset(PathBuf),
    /// Labelled pictures were chosen to evaluate on.
    Evaluation(PathBuf),
    /// Another model was chosen to compare with.
    Other(PathBuf),
    /// Runs that were left unfinished, and earlier ones.
    Runs(Vec<UnfinishedRun>, Vec<EarlierRun>),
    /// A file was written.
    Written(PathBuf),
    /// Something went wrong outside a job.
    Trouble(String),
    /// The self-check's text.
    Checked(String),
}

/// What a person did that is no command.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Chose a tile, by its position in `tiles`.
    Select(usize),
    /// Moved the selection within what is shown.
    Move(isize),
    /// Says what the cell of a tile (without one, of the chosen tile) is: a class of the model, or nothing for unidentified.
    Label(Option<usize>, Option<usize>),
    /// The label of the chosen tile is right; on to the next.
    Accept,
    /// Changed the filter.
    Filter(Filter),
    /// Opened paths (dropped, typed, recent).
    Open(Vec<PathBuf>),
    /// Changed or closed a dialog.
    Dialog(Dialog),
    /// Did something in the Evaluate place.
    Evaluate(EvaluateInput),
    /// Changed the form of the Train place.
    TrainForm(Box<TrainForm>),
    /// Takes up a run that was left unfinished.
    TakeUp(Box<UnfinishedRun>),
    /// Forgets a run that was left unfinished.
    Forget(PathBuf),
}

/// What shall be done outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Classify these.
    Classify(Generation, Vec<PathBuf>),
    /// Open the session of these paths.
    OpenSession(Generation, Vec<PathBuf>),
    /// Make an edit durable.
    KeepLabels(Edit),
    /// Remember where images are.
    SeeImages(Vec<Seen>),
    /// Stop the running job.
    Cancel,
    /// Ask for a folder.
    AskFolder,
    /// Ask for pictures.
    AskImages,
    /// Ask for a model.
    AskModel,
    /// Ask for labelled pictures to train on.
    AskDataset,
    /// Ask for labelled pictures to evaluate on.
    AskEvaluation,
    /// Evaluate.
    Evaluate(Generation, Box<EvaluateForm>),
    /// Stop evaluating.
    StopEvaluation,
    /// Compute the intervals of a corrected evaluation again.
    Intervals(Generation, u64, Box<Evaluated>),
    /// Ask where to, then write an evaluation's files.
    ExportEvaluation(Box<Evaluated>),
    /// Calibrate the model on the evaluation's pictures.
    Calibrate(Generation, Box<EvaluateForm>),
    /// Ask for another model to compare with.
    AskOther,
    /// Evaluate another model on the same pictures.
    Compare(Generation, Box<EvaluateForm>, Box<Evaluated>),
    /// Keep corrected references: image, label in the dataset, and what it is (nothing takes it back).
    KeepCorrections(Vec<(Digest, String, Option<String>)>),
    /// Look at labelled pictures.
    LookAtData(Generation, Box<TrainRequest>),
    /// Train.
    Train(Generation, Box<TrainForm>),
    /// Hold training, or let it go on.
    HoldTraining(bool),
    /// Stop training, or looking at the data.
    StopTraining,
    /// Forget an unfinished run.
    ForgetRun(PathBuf),
    /// Look for unfinished and earlier runs.
    Runs,
    /// Open a model file, or the bundled one.
    OpenModel(Option<PathBuf>),
    /// Go back to the bundled model.
    BundledModel,
    /// Ask where, then write the table.
    AskExport,
    /// Draw the demo slide and open it.
    Demo,
    /// Remember recent places and theme.
    Remember,
    /// Look at the machine.
    SelfCheck,
}

/// A person's command.
pub fn command(state: &mut State, command: Command, now: f64) -> Vec<Effect> {
    if !command.enabled(state) {
        return Vec::new();
    }
    match command {
        Command::OpenFolder => return vec![Effect::AskFolder],
        Command::OpenImage => return vec![Effect::AskImages],
        Command::OpenModel => return vec![Effect::AskModel],
        Command::UseBundledModel => return vec![Effect::BundledModel],
        Command::ExportCsv => return vec![Effect::AskExport],
        Command::ChooseDataset => return vec![Effect::AskDataset],
        Command::LookAtData => return look(state),
        Command::StartTraining => return start(state),
        Command::PauseTraining => {
            state.train.held = !state.train.held;
            // Time that is held does not count for the time left.
            state.train.since = None;
            return vec![Effect::HoldTraining(state.train.held)];
        }
        Command::StopTraining => {
            state.train.stopping = true;
            return vec![Effect::StopTraining];
        }
        Command::UseTrainedModel => {
            let model = state.train.outcome.as_ref().and_then(|o| o.model.clone());
            if let Some((path, _)) = model {
                state.model_before = Some(state.model_path.clone());
                return vec![Effect::OpenModel(Some(path))];
            }
        }
        Command::PreviousModel => {
            if let Some(before) = state.model_before.take() {
                return vec![Effect::OpenModel(before)];
            }
        }
        Command::ChooseEvaluation => return vec![Effect::AskEvaluation],
        Command::Evaluate => return evaluate(state, now),
        Command::StopEvaluation => return vec![Effect::StopEvaluation],
        Command::ExportEvaluation => {
            return state.evaluate.found.clone().map(Effect::ExportEvaluation).into_iter().collect();
        }
        Command::Calibrate => {
            state.evaluate.begin("calibrating", now);
            return vec![Effect::Calibrate(state.evaluate.generation, Box::new(state.evaluate.form.clone()))];
        }
        Command::UseCalibratedModel => {
            if let Some((_, path)) = state.evaluate.calibrated.clone() {
                state.model_before = Some(state.model_path.clone());
                return vec![Effect::OpenModel(Some(path))];
            }
        }
        Command::ChooseOther => return vec![Effect::AskOther],
        Command::CompareModels => {
            state.evaluate.begin("evaluating the other model", now);
            let (g, form) = (state.evaluate.generation, Box::new(state.evaluate.form.clone()));
            return state.evaluate.found.clone().map(|f| Effect::Compare(g, form, f)).into_iter().collect();
        }
        Command::Accept => {
            let Some(at) = state.selected else { return Vec::new() };
            let label = state.tiles.get(at).map(|t| state.verdict(*t).label.to_owned());
            let effects = label.map_or_else(Vec::new, |l| give(state, at, &l, "accept"));
            input(state, Input::Move(1), now);
            return effects;
        }
        Command::Undo | Command::Redo if state.place == super::state::Place::Review => {
            let history = &mut state.labels.history;
            let edit = if command == Command::Undo { history.undo() } else { history.redo() };
            let Some(edit) = edit else { return Vec::new() };
            state.edit(&edit);
            return vec![Effect::KeepLabels(edit)];
        }
        Command::Undo => {
            let kept = state.evaluate.undo();
            return corrected(state, kept);
        }
        Command::Redo => {
            let kept = state.evaluate.redo();
            return corrected(state, kept);
        }
        Command::DemoSlide => return vec![Effect::Demo],
        Command::OpenPath => state.dialog = Dialog::Path { text: String::new(), why: String::new() },
        Command::Quit => {
            state.quit = true;
            return vec![Effect::Cancel];
        }
        Command::Classify => return reopen(state, now),
        Command::CancelJob => {
            if let Some(job) = &mut state.job {
                job.stopping = true;
            }
            return vec![Effect::Cancel];
        }
        Command::ToggleCells => {
            state.all_cells = !state.all_cells;
            return reopen(state, now);
        }
        Command::UseProvider(p) => {
            if state.provider != p {
                state.provider = p;
                return reopen(state, now);
            }
        }
        Command::Go(place) => state.place = place,
        Command::LargerTiles => state.tile_size = (state.tile_size * 1.25).min(320.0),
        Command::SmallerTiles => state.tile_size = (state.tile_size / 1.25).max(64.0),
        Command::Theme(t) => {
            state.theme = t;
            return vec![Effect::Remember];
        }
        Command::Sort(s) => {
            state.sort = s;
            state.stale = true;
            state.reveal = true;
        }
        Command::ClearFilter => {
            state.filter = Filter::default();
            state.stale = true;
        }
        Command::FocusFilter => state.focus_filter = true,
        Command::FitImage => state.fit = true,
        Command::Palette => state.dialog = Dialog::Palette { query: String::new(), chosen: 0 },
        Command::Keyboard => state.dialog = Dialog::Keyboard,
        Command::Log => state.dialog = Dialog::Log,
        Command::About => state.dialog = Dialog::About,
        Command::SelfCheck => {
            state.dialog = Dialog::SelfCheck(None);
            return vec![Effect::SelfCheck];
        }
    }
    Vec::new()
}

/// A person's other input.
pub fn input(state: &mut State, input: Input, now: f64) -> Vec<Effect> {
    match input {
        Input::Select(tile) => {
            let other_image = state.selected.and_then(|s| state.tiles.get(s)).map(|t| t.image)
                != state.tiles.get(tile).map(|t| t.image);
            state.fit |= other_image;
            state.selected = Some(tile);
        }
        Input::Move(by) => {
            if state.visible.is_empty() {
                return Vec::new();
            }
            let at = state.selected.and_then(|s| state.visible.iter().position(|&v| v == s));
            let last = state.visible.len() - 1;
            let to = at.map_or(0, |a| a.saturating_add_signed(by).min(last));
            state.reveal = true;
            return self::input(state, Input::Select(state.visible[to]), now);
        }
        Input::Label(tile, class) => {
            let label = class.map_or(Some(UNIDENTIFIED), |c| state.model.classes.label(c)).map(str::to_owned);
            let tile = tile.or(state.selected);
            return tile.zip(label).map_or_else(Vec::new, |(t, l)| give(state, t, &l, "label"));
        }
        Input::Accept => return command(state, Command::Accept, now),
        Input::Filter(filter) => {
            state.filter = filter;
            state.stale = true;
        }
        Input::Open(paths) => return open(state, paths, now),
        Input::Dialog(dialog) => state.dialog = dialog,
        Input::Evaluate(input) => {
            let kept = state.evaluate.input(input);
            return corrected(state, kept);
        }
        Input::TrainForm(form) => state.train.form = *form,
        Input::TakeUp(run) => {
            state.train.take_up(&run);
            state.train.unfinished.retain(|r| r.out != run.out);
            return start(state);
        }
        Input::Forget(out) => {
            state.train.unfinished.retain(|r| r.out != out);
            return vec![Effect::ForgetRun(out)];
        }
    }
    Vec::new()
}

/// Something that happened outside.
pub fn event(state: &mut State, event: Event, now: f64) -> Vec<Effect> {
    let mut effects = Vec::new();
    let current = |state: &State, g: Generation| state.job.as_ref().is_some_and(|j| j.generation == g);
    match event {
        Event::Listed(g, n) if current(state, g) => {
            if let Some(job) = &mut state.job {
                job.total = n;
            }
        }
        Event::Started(g, engine) if current(state, g) => {
            state.log.push(format!("Execution provider: {engine}"));
            state.trouble = None;
            state.engine = Some(engine);
        }
        Event::Row(g, result) if current(state, g) => {
            if let Some(job) = &mut state.job {
                job.done += 1;
            }
            let failed = match &result.outcome {
                crate::domain::Outcome::Failed(reason) => Some(reason),
                crate::domain::Outcome::Cells(_) => None,
            };
            for text in result.warnings.iter().chain(failed).take(LOG_LINES.saturating_sub(state.log.len())) {
                state.log.push(format!("{}: {text}", crate::files::display_name(&result.path)));
            }
            let first = state.tiles.is_empty();
            state.add(*result);
            if first {
                state.selected = Some(0);
                state.fit = true;
            }
        }
        Event::Finished(g, skipped, stopped) if current(state, g) => {
            state.job = None;
            state.skipped = skipped;
            let d = &state.counts;
            let images = if d.images == 1 { "1 image".to_owned() } else { format!("{} images", d.images) };
            let mut text = format!("{} cells in {images}", d.total() + d.unidentified);
            for (n, what) in
                [(d.failed, "failed"), (d.no_cell, "without a white cell"), (skipped, "other files skipped")]
            {
                if n > 0 {
                    text = format!("{text}, {n} {what}");
                }
            }
            if d.images == 0 && !stopped {
                text = "There is no picture to classify in what was opened".into();
            }
            let bad = d.images == 0 && !stopped;
            let seen: Vec<Seen> =
                state.images.iter().filter_map(|i| Some(Seen { image: i.digest?, path: i.path.clone() })).collect();
            if state.labels.obstacle().is_none() && !seen.is_empty() {
                effects.push(Effect::SeeImages(seen));
            }
            say(state, if stopped { format!("Stopped: {text}") } else { text }, bad, now);
        }
        Event::Failed(g, reason) if current(state, g) => {
            state.job = None;
            state.trouble = Some(reason.clone());
            say(state, reason, true, now);
        }
        Event::Chosen(paths) => return open(state, paths, now),
        Event::NoDialog => {
            let why = "No file dialog answered on this system. Type or paste a path, or drop files onto the window.";
            state.dialog = Dialog::Path { text: String::new(), why: why.into() };
        }
        Event::Train(g, event) if g == state.train.generation => {
            if let Some((text, bad)) = state.train.hear(event, now) {
                say(state, text, bad, now);
            }
        }
        Event::Session(g, event) if g == state.generation => match event {
            SessionEvent::Opened(verdicts, read_only, said) => {
                (state.labels.open, state.labels.read_only) = (true, read_only);
                state.take_labels(verdicts);
                said.into_iter().for_each(|s| say(state, s, true, now));
            }
            SessionEvent::Saved(n) => state.labels.waiting = state.labels.waiting.saturating_sub(n),
            SessionEvent::Failed(why, verdicts) => {
                // What is on the screen is again what is on the disk.
                (state.labels.waiting, state.labels.history) = (0, crate::session::History::default());
                state.take_labels(verdicts);
                say(state, format!("The label was not kept: {why}"), true, now);
            }
        },
        Event::Evaluate(g, event) if g == state.evaluate.generation => {
            let again = matches!(event, EvaluateEvent::Intervals(..));
            if let Some((text, bad)) = state.evaluate.hear(event) {
                say(state, text, bad, now);
            }
            // Corrections that came while intervals were computed want them anew.
            if again && state.evaluate.pending {
                return intervals(state);
            }
        }
        Event::Evaluation(path) => {
            state.place = super::state::Place::Evaluate;
            state.evaluate.form.dataset = path.to_string_lossy().into_owned();
            state.evaluate.form.map.clear();
            return evaluate(state, now);
        }
        Event::Other(path) => state.evaluate.form.other = path.to_string_lossy().into_owned(),
        Event::Dataset(path) => {
            state.place = super::state::Place::Train;
            state.train.form.dataset = path.to_string_lossy().into_owned();
            state.train.form.leave_out.clear();
            return look(state);
        }
        Event::Runs(unfinished, earlier) => (state.train.unfinished, state.train.earlier) = (unfinished, earlier),
        Event::Model(facts, path) => {
            say(state, format!("Model: {}", facts.name), false, now);
            state.model = *facts;
            state.custom_model = path.is_some();
            state.model_path = path;
            state.counts = Differential::new(state.model.classes.len());
            state.filter.kind = Kind::All;
            return reopen(state, now);
        }
        Event::Written(path) => say(state, format!("Written: {}", crate::files::display_path(&path)), false, now),
        Event::Trouble(text) => say(state, text, true, now),
        Event::Checked(text) => {
            if matches!(state.dialog, Dialog::SelfCheck(_)) {
                state.dialog = Dialog::SelfCheck(Some(text));
            }
        }
        // An answer of a job that is no longer wanted.
        _ => {}
    }
    effects
}

/// Lets time pass: toasts go, the gallery catches up.
pub fn tick(state: &mut State, now: f64) {
    state.toasts.retain(|t| t.until > now);
    // While results pour in, a large gallery is put in order four times a second, not at every frame.
    let due = state.tiles.len() < 4000 || now - state.refreshed > 0.25;
    if state.stale || (state.grown && due) {
        state.refresh();
        state.refreshed = now;
    }
}

/// Looks at the data of the Train place.
fn look(state: &mut State) -> Vec<Effect> {
    match state.train.form.request() {
        Err(why) => {
            state.train.error = Some(why);
            Vec::new()
        }
        Ok(request) => {
            state.train.begin(Phase::Looking);
            vec![Effect::LookAtData(state.train.generation, Box::new(request))]
        }
    }
}

/// Evaluates what the form says; a person's answers about unknown labels go into it.
fn evaluate(state: &mut State, now: f64) -> Vec<Effect> {
    if let Some(answers) = state.evaluate.answers() {
        state.evaluate.form.map.extend(answers);
    }
    if let Err(why) = state.evaluate.form.request(state.provider) {
        state.evaluate.error = Some(why);
        return Vec::new();
    }
    state.evaluate.begin("looking at the data", now);
    vec![Effect::Evaluate(state.evaluate.generation, Box::new(state.evaluate.form.clone()))]
}

/// Keeps corrections, and has the intervals computed again.
fn corrected(state: &mut State, kept: Vec<(Digest, String, Option<String>)>) -> Vec<Effect> {
    if kept.is_empty() {
        return Vec::new();
    }
    let mut effects = vec![Effect::KeepCorrections(kept)];
    effects.extend(intervals(state));
    effects
}

/// Gives a tile's cell a label: on the screen at once, on the disk as soon as the session has it.
fn give(state: &mut State, tile: usize, label: &str, action: &str) -> Vec<Effect> {
    if state.labels.obstacle().is_some() {
        return Vec::new();
    }
    let Some(tile) = state.tiles.get(tile).copied() else { return Vec::new() };
    let (Some(key), Some(suggested)) = (state.key_of(tile), state.suggestion(tile)) else { return Vec::new() };
    let after = Verdict { label: label.to_owned(), suggested: suggested.to_owned() };
    let before = state.labels.verdicts.get(&key).cloned();
    if before.as_ref() == Some(&after) {
        return Vec::new();
    }
    let changes = vec![Change { key, before, after: Some(after) }];
    let edit = Edit { action: action.into(), changes, reason: String::new() };
    state.edit(&edit);
    state.labels.history.made(edit.clone());
    vec![Effect::KeepLabels(edit)]
}

fn intervals(state: &State) -> Vec<Effect> {
    let (e, g) = (&state.evaluate, state.evaluate.generation);
    e.found.clone().map(|found| Effect::Intervals(g, e.revision, found)).into_iter().collect()
}

fn start(state: &mut State) -> Vec<Effect> {
    if let Err(why) = state.train.form.request() {
        state.train.error = Some(why);
        return Vec::new();
    }
    state.train.begin(Phase::Training);
    vec![Effect::Train(state.train.generation, Box::new(state.train.form.clone()))]
}

fn open(state: &mut State, paths: Vec<PathBuf>, now: f64) -> Vec<Effect> {
    if paths.is_empty() {
        return Vec::new();
    }
    for path in paths.iter().rev() {
        crate::workflow::remember_recent(&mut state.recent, path);
    }
    state.opened = paths;
    state.filter = Filter::default();
    state.sort = GallerySort::Name;
    state.place = super::state::Place::Review;
    state.dialog = Dialog::None;
    let mut effects = vec![Effect::Remember];
    effects.extend(reopen(state, now));
    effects
}

/// Classifies what is open from the start.
fn reopen(state: &mut State, now: f64) -> Vec<Effect> {
    if state.opened.is_empty() {
        return Vec::new();
    }
    state.generation = state.generation.next();
    state.images.clear();
    state.tiles.clear();
    state.visible.clear();
    state.selected = None;
    (state.stale, state.grown) = (false, false);
    state.per_folder = vec![(0, 0); state.opened.len()];
    state.bins = [0; 20];
    state.skipped = 0;
    state.engine = None;
    state.counts = Differential::new(state.model.classes.len());
    state.job = Some(Job {
        generation: state.generation,
        title: "Classifying".into(),
        done: 0,
        total: 0,
        since: now,
        stopping: false,
    });
    state.labels = super::labels::LabelView::default();
    let opened = state.opened.clone();
    vec![
        Effect::Cancel,
        Effect::OpenSession(state.generation, opened.clone()),
        Effect::Classify(state.generation, opened),
    ]
}

/// Says it on the screen for a while, and in the log for good.
fn say(state: &mut State, text: String, error: bool, now: f64) {
    state.log.push(text.clone());
    state.toasts.push(Toast { text, error, until: now + if error { 2.0 * TOAST_SECONDS } else { TOAST_SECONDS } });
}

/// Which cells the pipeline shall take.
#[must_use]
pub fn cells(state: &State) -> crate::inference::Cells {
    if state.all_cells { crate::inference::Cells::ByScene } else { crate::inference::Cells::One }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{CellResult, ClassSet, Outcome, Probabilities, Square};

    fn state() -> State {
        let classes = ClassSet::new(vec!["lymphocyte".into(), "neutrophil".into()]).expect("classes");
        State::new(
            ModelFacts { name: "m".into(), digest: "d".into(), classes, card: String::new() },
            vec![],
            Default::default(),
        )
    }

    fn row(index: usize, outcome: Outcome) -> Box<ImageResult> {
        Box::new(ImageResult {
            index,
            path: format!("/slides/{index}.png").into(),
            digest: None,
            size: None,
            outcome,
            warnings: vec![],
            provider: None,
        })
    }

    fn cells_of(ps: &[f32]) -> Outcome {
        Outcome::Cells(
            ps.iter()
                .map(|&p| CellResult {
                    square: Square { x: 0.0, y: 0.0, side: 9.0 },
                    probabilities: Probabilities::new(vec![p, 1.0 - p]).expect("sums to one"),
                    accepted: true,
                    unlike: None,
                    features: Vec::new(),
                })
                .collect(),
        )
    }

    fn opened() -> State {
        let mut s = state();
        let effects = input(&mut s, Input::Open(vec!["/slides".into()]), 1.0);
        assert!(effects.contains(&Effect::Classify(Generation(1), vec!["/slides".into()])));
        for (i, outcome) in [cells_of(&[0.9]), cells_of(&[0.2, 0.6]), Outcome::Failed("broken".into()), cells_of(&[])]
            .into_iter()
            .enumerate()
        {
            event(&mut s, Event::Row(Generation(1), row(i, outcome)), 2.0);
        }
        tick(&mut s, 2.0);
        s
    }

    #[test]
    fn rows_become_tiles_and_counts_while_the_job_runs() {
        let mut s = opened();
        assert_eq!((s.tiles.len(), s.visible.len(), s.selected), (5, 5, Some(0)));
        assert_eq!((s.counts.counts.as_slice(), s.counts.failed, s.counts.no_cell), ([2, 1].as_slice(), 1, 1));
        event(&mut s, Event::Finished(Generation(1), 2, false), 3.0);
        assert!(
            s.job.is_none()
                && s.toasts[0].text.contains("3 cells in 4 images")
                && s.toasts[0].text.contains("2 other files")
        );
        tick(&mut s, 60.0);
        assert!(s.toasts.is_empty());
    }

    #[test]
    fn answers_of_an_older_job_are_dropped() {
        let mut s = opened();
        input(&mut s, Input::Open(vec!["/other".into()]), 5.0);
        event(&mut s, Event::Row(Generation(1), row(0, cells_of(&[0.9]))), 6.0);
        event(&mut s, Event::Finished(Generation(1), 0, true), 6.0);
        assert!(s.images.is_empty() && s.job.is_some());
    }

    #[test]
    fn filters_and_orders_work_together() {
        let mut s = opened();
        input(&mut s, Input::Filter(Filter { kind: Kind::Class(0), ..Filter::default() }), 3.0);
        tick(&mut s, 3.0);
        assert_eq!(s.visible, [0, 2]);
        command(&mut s, Command::Sort(GallerySort::LeastConfident), 3.0);
        tick(&mut s, 3.0);
        assert_eq!(s.visible, [2, 0]);
        command(&mut s, Command::ClearFilter, 3.0);
        tick(&mut s, 3.0);
        assert_eq!(s.visible, [3, 4, 2, 1, 0]);
        input(&mut s, Input::Filter(Filter { from: 85, ..Filter::default() }), 3.0);
        tick(&mut s, 3.0);
        assert_eq!(s.visible, [0]);
        input(&mut s, Input::Filter(Filter { name: "2.PNG".into(), ..Filter::default() }), 3.0);
        tick(&mut s, 3.0);
        assert_eq!((s.visible.as_slice(), s.selected), ([3].as_slice(), Some(3)));
    }

    #[test]
    fn arrows_stay_within_what_is_shown() {
        let mut s = opened();
        input(&mut s, Input::Move(1), 3.0);
        assert_eq!(s.selected, Some(1));
        input(&mut s, Input::Move(100), 3.0);
        assert_eq!(s.selected, Some(4));
        input(&mut s, Input::Move(-100), 3.0);
        assert_eq!(s.selected, Some(0));
    }

    #[test]
    fn a_job_that_cannot_be_done_says_why_and_stays_said() {
        let mut s = opened();
        event(&mut s, Event::Failed(Generation(1), "no ONNX Runtime".into()), 4.0);
        assert_eq!(s.trouble.as_deref(), Some("no ONNX Runtime"));
        assert!(s.job.is_none() && s.toasts.iter().any(|t| t.error));
    }

    #[test]
    fn cancel_and_disabled_commands() {
        let mut s = state();
        assert!(command(&mut s, Command::CancelJob, 0.0).is_empty());
        let mut s = opened();
        assert_eq!(command(&mut s, Command::CancelJob, 3.0), [Effect::Cancel]);
        assert!(s.job.as_ref().is_some_and(|j| j.stopping));
        assert!(command(&mut s, Command::ExportCsv, 3.0).is_empty());
    }
}
