//! How the Review page answers what happens outside: events in, effects out. No egui, no disk, no thread, no clock.

use super::edits::classify_again;
use super::message::{Effect, Event};
use super::state::{Dialog, Job, JobStep, State};
use super::update::{open, reopen};
use crate::app::language::{tr, whole};
use crate::app::shell::{self, LOG_LINES};
use crate::domain::{CellId, History, ImageResult, Outcome};
use crate::files::{display_name, display_path};
use crate::laboratory::Snapshot;
use crate::session::CaseChange;
use crate::task::Generation;
use crate::workflow::{ClassifyEvent, SessionEvent};
use std::sync::Arc;

/// Something that happened outside; what belongs to a job that is no longer wanted is dropped.
pub fn event(state: &mut State, shell: &mut shell::State, event: Event, now: f64) -> Vec<Effect> {
    let mut effects = Vec::new();
    let current = |state: &State, g: Generation| state.job.as_ref().is_some_and(|j| j.generation == g);
    match event {
        Event::Classify(g, event) if current(state, g) => effects.extend(classified(state, shell, event, now)),
        Event::Again(g, asked, result) if g == state.generation => again(state, asked, result),
        Event::Heat(g, key, found) if g == state.generation => {
            state.heat.asked = None;
            match found {
                Ok(map) => state.heat.map = map.map(|m| (key, m)),
                Err(why) => state.heat.failed = Some((key, why.to_string())),
            }
        }
        Event::Watch(path) => {
            let effects = open(state, shell, vec![path], now);
            state.watching = true;
            return effects;
        }
        Event::Ranges(ranges) => state.case.ranges = ranges,
        Event::Run(g, run) if g == state.generation => {
            // A signed session does not keep how far the run came, nor what it found.
            state.unkept |= state.case.record.locked() && (run.done > 0 || !state.known.is_empty() || run.to_do > 0);
            state.case.run = Some(run);
        }
        Event::Files(g, found, alike) if g == state.generation => {
            (state.case.files, state.case.alike) = (Some(found), alike);
            effects.extend(sign(state, shell, now));
        }
        Event::Finished(g, skipped, stopped) if current(state, g) => {
            return finished(state, shell, skipped, stopped, now);
        }
        Event::Failed(g, reason) if current(state, g) => {
            state.job = None;
            state.trouble = Some(reason.clone());
            shell.say(reason, true, now);
        }
        Event::Chosen(paths) => return open(state, shell, paths, now),
        // What was typed is kept when another case is opened: that it could not be is said whatever is open now.
        Event::Session(_, SessionEvent::CaseFailed(why)) => shell.say(why, true, now),
        Event::Session(g, event) if g == state.generation => return session(state, shell, event, now),
        Event::Mapping(g, done, total) if g == state.generation => state.map.busy = Some((done, total)),
        Event::Mapped(g, found) => {
            state.map.busy = None;
            match found {
                Ok(Some(points)) if g == state.generation => state.map.points = Some(Arc::new(points)),
                Ok(_) => {}
                Err(why) => state.map.failed = Some(why.to_string()),
            }
        }
        // An answer of a job that is no longer wanted; a dataset of reviewed cells concerns other pages.
        _ => {}
    }
    effects
}

fn classified(state: &mut State, shell: &mut shell::State, event: ClassifyEvent, now: f64) -> Option<Effect> {
    match event {
        ClassifyEvent::Listed(n, _) => {
            if let Some(job) = &mut state.job {
                (job.total, job.done) = (n, 0);
            }
        }
        ClassifyEvent::Started(report) => {
            shell.log.push(tr!("Execution provider: %{engine}", engine = report.to_line()));
            state.trouble = None;
            state.engine = Some(report);
        }
        ClassifyEvent::Switched(report) => {
            shell.say(tr!("Execution provider: %{engine}", engine = report.to_line()), true, now);
            state.engine = Some(report);
        }
        ClassifyEvent::Row(result) => return row(state, shell, result),
        ClassifyEvent::FilesRemoved(paths) => {
            let n = whole(paths.len());
            shell.say(tr!("%{n} files are not there any more; their labels are kept", n = n), false, now);
            state.drop_images(&paths.into_iter().collect());
        }
        ClassifyEvent::Reachable(there) => {
            let text = if there {
                tr!("The folder can be read again")
            } else {
                tr!("What was opened cannot be read now; what was known of it is shown, and labels are kept")
            };
            shell.say(text, !there, now);
        }
        ClassifyEvent::FolderScanned(waiting) => {
            if let Some(job) = &mut state.job {
                (job.done, job.total) = (0, 0);
                job.title =
                    if waiting > 0 { tr!("Watching, %{n} being written", n = waiting) } else { tr!("Watching") };
            }
        }
        // Paths that overlap are one list here.
        ClassifyEvent::Duplicates(_) => {}
    }
    None
}

fn row(state: &mut State, shell: &mut shell::State, result: Arc<ImageResult>) -> Option<Effect> {
    if let Some(job) = &mut state.job {
        job.done += 1;
    }
    let failed = match &result.outcome {
        Outcome::Failed(failure) => Some(failure.reason()),
        Outcome::Cells(_) => None,
    };
    for text in result.warnings.iter().map(String::as_str).chain(failed).take(LOG_LINES.saturating_sub(shell.log.len()))
    {
        shell.log.push(format!("{}: {text}", display_name(&result.path)));
    }
    let first = state.tiles.is_empty();
    state.unkept |= state.case.record.locked() || state.began_signed;
    let image = state.add(result);
    if first {
        state.selected = state.tiles.first().copied();
        state.fit = true;
    }
    // Its squares were changed while it was being classified: what came was asked with the old ones.
    if state.moved.contains_key(&image) {
        return classify_again(state, image);
    }
    None
}

/// A result of changed squares came, as it was asked for the n-th time.
fn again(state: &mut State, asked: u64, result: Arc<ImageResult>) {
    let path = result.path.clone();
    let known = state.images.id_of(&path);
    if known.and_then(|id| state.moved.get(&id)).is_some_and(|last| *last != asked) {
        // The squares were changed again since: this is the answer to an older question.
        return;
    }
    let numbers = |r: &ImageResult| -> Vec<u32> {
        match &r.outcome {
            Outcome::Cells(c) => c.iter().map(|c| c.number).collect(),
            Outcome::Failed(_) => Vec::new(),
        }
    };
    let before = known.and_then(|id| state.images.get(id)).map(|r| numbers(r)).unwrap_or_default();
    let now = numbers(&result);
    state.unkept |= state.case.record.locked();
    let image = state.add(result);
    state.rebuild();
    // A cell that was drawn or taken back just now is the one that is looked at.
    if let Some(new) = now.into_iter().find(|n| !before.contains(n) && state.is_own(image, *n)) {
        state.selected = Some(CellId { image, number: new });
    }
}

/// The run ended.
fn finished(state: &mut State, shell: &mut shell::State, skipped: usize, stopped: bool, now: f64) -> Vec<Effect> {
    if state.unkept && !state.case.record.locked() && !stopped {
        // It was amended on the way: the session takes what it would not take before.
        return reopen(state, shell, false, now);
    }
    let left = state.job.as_ref().map_or(0, |j| j.total.saturating_sub(j.done));
    state.unfinished = (stopped && left > 0).then(|| (state.images.len(), state.images.len() + left));
    (state.job, state.watching) = (None, false);
    state.skipped = skipped;
    state.unusual = state.look_at_folder();
    let d = state.slides.counts(None);
    let images = if d.images == 1 { tr!("1 image") } else { tr!("%{n} images", n = whole(d.images)) };
    let all = d.squares().all;
    let cells = if all == 1 { tr!("1 cell") } else { tr!("%{n} cells", n = whole(all)) };
    let mut text = tr!("%{cells} in %{images}", cells = cells, images = images);
    for (n, what) in
        [(d.failed, "%{n} failed"), (d.no_cell, "%{n} without a white cell"), (skipped, "%{n} other files skipped")]
    {
        if n > 0 {
            text = format!("{text}, {}", tr!(what, n = whole(n)));
        }
    }
    let bad = d.images == 0 && !stopped;
    if bad {
        let names: Vec<String> = state.opened.iter().map(|p| display_path(p)).collect();
        text = tr!("No images in %{path}", path = names.join(", "));
        // The first page again, with its buttons.
        state.nothing_in = Some(text.clone());
    }
    shell.say(if stopped { tr!("Stopped: %{text}", text = text) } else { text }, bad, now);
    Vec::new()
}

/// Something happened to the session of what is open.
fn session(state: &mut State, shell: &mut shell::State, event: SessionEvent, now: f64) -> Vec<Effect> {
    match event {
        SessionEvent::Opened(session) => {
            let session = *session;
            (state.labels.open, state.labels.read_only) = (true, session.read_only);
            state.case.open(session.case, session.confirmed, session.run);
            state.case.alike = session.alike;
            state.labels.verdicts = session.verdicts.into_iter().collect();
            state.labels.count_corrections();
            state.hint_seen = 0;
            let fresh = matches!(&state.job, Some(Job { step: JobStep::Opening { fresh: true }, .. }));
            state.take_results(if fresh { Vec::new() } else { session.results });
            session.said.into_iter().for_each(|s| shell.say(s, true, now));
            return begin(state);
        }
        SessionEvent::None => return begin(state),
        SessionEvent::Case(record) => {
            let (was, is) = (state.case.record.locked(), record.locked());
            state.case.record = *record;
            if was && !is && state.unkept {
                // What was looked at meanwhile goes into the session now, or window and script would count differently.
                return reopen(state, shell, false, now);
            }
            if is && !was {
                let version = state.case.record.signatures.last().map_or(0, |s| s.version);
                shell.say(tr!("Signed as version %{n}", n = version), false, now);
            }
        }
        SessionEvent::Saved(n) => {
            state.labels.waiting = state.labels.waiting.saturating_sub(n);
            state.case.saved(n);
        }
        SessionEvent::Failed(why, verdicts) => {
            // What is on the screen is again what is on the disk.
            (state.labels.waiting, state.labels.history) = (0, History::default());
            state.case.heard.clear();
            state.take_labels(verdicts);
            shell.say(tr!("The label was not kept: %{why}", why = why), true, now);
        }
        // Said above.
        SessionEvent::CaseFailed(_) => {}
    }
    Vec::new()
}

/// Signs, where somebody waits to, now that the files were looked at: what was open then is all that is open.
fn sign(state: &mut State, shell: &mut shell::State, now: f64) -> Vec<Effect> {
    let Some(waits) = state.case.signing.take() else { return Vec::new() };
    if state.label_obstacle().is_some() || state.labels.waiting > 0 {
        return Vec::new();
    }
    if state.table(None).obstacles().iter().any(|o| !waits.open.contains(o)) {
        shell.say(tr!("Something changed meanwhile: look at the sheet again"), true, now);
        state.dialog = Dialog::Sign { reason: waits.reason };
        return Vec::new();
    }
    let snapshot: Snapshot = state.snapshot(&waits.time);
    match serde_json::to_string(&snapshot) {
        Ok(text) => vec![Effect::ChangeCase(CaseChange::Sign(text, waits.reason))],
        Err(e) => {
            shell.say(e.to_string(), true, now);
            Vec::new()
        }
    }
}

/// The session is open: now what it does not know is classified.
fn begin(state: &mut State) -> Vec<Effect> {
    let Some(job) = state.job.as_mut().filter(|j| j.step != JobStep::Classifying) else { return Vec::new() };
    job.step = JobStep::Classifying;
    state.began_signed = state.case.record.locked();
    vec![Effect::Classify(state.generation, state.opened.clone())]
}

#[cfg(test)]
mod tests {
    use super::super::message::Input;
    use super::super::state::{Filter, Kind};
    use super::super::{commands, update};
    use super::*;
    use crate::app::choice::GallerySort;
    use crate::app::command::Command;
    use crate::domain::{CellResult, ClassSet, Failure, Outcome, Probabilities, Square};
    use crate::workflow::Export;

    /// The page, and what it says aloud.
    struct Page(State, shell::State);

    impl std::ops::Deref for Page {
        type Target = State;
        fn deref(&self) -> &State {
            &self.0
        }
    }

    fn state() -> Page {
        let classes = ClassSet::new(vec!["lymphocyte".into(), "neutrophil".into()]).expect("classes");
        let model = crate::workflow::default_model().expect("bundled");
        let mut card = (**model.card()).clone();
        card.classes = classes;
        Page(State::new(Arc::new(card)), shell::State::default())
    }

    fn input(s: &mut Page, input: Input, now: f64) -> Vec<Effect> {
        update::input(&mut s.0, &mut s.1, input, now)
    }

    fn event(s: &mut Page, event: Event, now: f64) -> Vec<Effect> {
        super::event(&mut s.0, &mut s.1, event, now)
    }

    fn command(s: &mut Page, command: Command, now: f64) -> Vec<Effect> {
        if !commands::enabled(&s.0, command, true) {
            return Vec::new();
        }
        commands::command(&mut s.0, &mut s.1, command, now)
    }

    fn tick(s: &mut Page, now: f64) {
        s.1.tick(now);
        update::tick(&mut s.0, now);
    }

    fn row(index: usize, outcome: Outcome) -> Arc<ImageResult> {
        Arc::new(ImageResult {
            index,
            path: format!("/slides/{index}.png").into(),
            digest: None,
            size: None,
            outcome,
            warnings: vec![],
            provider: None,
            rejected: Vec::new(),
        })
    }

    fn cells_of(ps: &[f32]) -> Outcome {
        Outcome::Cells(
            (1..)
                .zip(ps)
                .map(|(number, &p)| CellResult {
                    number,
                    square: Square { x: 0.0, y: 0.0, side: 9.0 },
                    probabilities: Probabilities::new(vec![p, 1.0 - p]).expect("sums to one"),
                    accepted: true,
                    ood_score: None,
                    features: Vec::new(),
                    doubt: None,
                    // One kind of cell is suspected, by its confidence.
                    flags: if (0.59..0.61).contains(&p) { vec!["platelet".into()] } else { Vec::new() },
                    views: None,
                })
                .collect(),
        )
    }

    fn opened() -> Page {
        let mut s = state();
        let effects = input(&mut s, Input::Open(vec!["/slides".into()]), 1.0);
        assert_eq!(
            effects,
            [Effect::OpenIfThere(vec!["/slides".into()], false)],
            "looked for before anything is closed"
        );
        let effects = event(&mut s, Event::Chosen(vec!["/slides".into()]), 1.0);
        assert!(effects.contains(&Effect::OpenSession(Generation(1), vec!["/slides".into()])));
        let effects = event(&mut s, Event::Session(Generation(1), SessionEvent::None), 1.0);
        assert_eq!(effects, [Effect::Classify(Generation(1), vec!["/slides".into()])]);
        for (i, outcome) in
            [cells_of(&[0.9]), cells_of(&[0.2, 0.6]), Outcome::Failed(Failure::Image("broken".into())), cells_of(&[])]
                .into_iter()
                .enumerate()
        {
            event(&mut s, Event::Classify(Generation(1), ClassifyEvent::Row(row(i, outcome))), 2.0);
        }
        tick(&mut s, 2.0);
        s
    }

    #[test]
    fn rows_become_tiles_and_counts_while_the_job_runs() {
        let mut s = opened();
        assert_eq!((s.tiles.len(), s.visible.len(), s.selected), (5, 5, Some(s.tiles[0])));
        let d = s.slides.counts(None);
        assert_eq!((d.count_of("lymphocyte").all, d.count_of("neutrophil").all, d.failed, d.no_cell), (2, 1, 1, 1));
        event(&mut s, Event::Finished(Generation(1), 2, false), 3.0);
        assert!(
            s.job.is_none()
                && s.1.toasts[0].text.contains("3 cells in 4 images")
                && s.1.toasts[0].text.contains("2 other files")
        );
        tick(&mut s, 60.0);
        assert!(s.1.toasts.is_empty());
    }

    #[test]
    fn a_file_that_changed_is_replaced_and_counted_once() {
        let mut s = opened();
        event(&mut s, Event::Classify(Generation(1), ClassifyEvent::Row(row(1, cells_of(&[0.9, 0.8, 0.7])))), 3.0);
        tick(&mut s, 3.0);
        let d = s.slides.counts(None);
        assert_eq!((s.images.len(), s.tiles.len(), d.images, d.squares().all), (4, 6, 4, 4));
        event(
            &mut s,
            Event::Classify(
                Generation(1),
                ClassifyEvent::Row(row(1, Outcome::Failed(Failure::Image("cut off".into())))),
            ),
            3.0,
        );
        tick(&mut s, 3.0);
        assert_eq!((s.tiles.len(), s.slides.counts(None).failed), (4, 2));
    }

    #[test]
    fn answers_of_an_older_job_are_dropped() {
        let mut s = opened();
        event(&mut s, Event::Chosen(vec!["/other".into()]), 5.0);
        event(&mut s, Event::Classify(Generation(1), ClassifyEvent::Row(row(0, cells_of(&[0.9])))), 6.0);
        event(&mut s, Event::Finished(Generation(1), 0, true), 6.0);
        assert!(s.images.is_empty() && s.job.is_some());
    }

    /// Places of the tiles that are shown among all of them.
    fn places(s: &Page) -> Vec<usize> {
        s.visible.iter().map(|v| s.tiles.iter().position(|t| t == v).expect("a tile")).collect()
    }

    fn place(s: &Page) -> Option<usize> {
        s.tiles.iter().position(|t| Some(*t) == s.selected)
    }

    #[test]
    fn what_is_suspected_is_counted_and_shown_alone() {
        let mut s = opened();
        assert_eq!(s.suspected.iter().map(|(k, n)| (&**k, *n)).collect::<Vec<_>>(), [("platelet", 1)]);
        input(&mut s, Input::Filter(Filter { kind: Kind::Suspected("platelet".into()), ..Filter::default() }), 3.0);
        tick(&mut s, 3.0);
        assert_eq!(places(&s), [2]);
        assert!(s.flagged(s.tiles[2]), "it wants eyes");
        s.0.rebuild();
        assert_eq!(s.suspected.values().sum::<usize>(), 1, "each once");
    }

    #[test]
    fn filters_and_orders_work_together() {
        let mut s = opened();
        input(&mut s, Input::Filter(Filter { kind: Kind::Label("Lymphocytes".into()), ..Filter::default() }), 3.0);
        tick(&mut s, 3.0);
        assert_eq!(places(&s), [0, 2]);
        command(&mut s, Command::Sort(GallerySort::LeastConfident), 3.0);
        tick(&mut s, 3.0);
        assert_eq!(places(&s), [2, 0]);
        command(&mut s, Command::ClearFilter, 3.0);
        tick(&mut s, 3.0);
        assert_eq!(places(&s), [3, 4, 2, 1, 0]);
        input(&mut s, Input::Filter(Filter { from: 85, ..Filter::default() }), 3.0);
        tick(&mut s, 3.0);
        assert_eq!(places(&s), [0]);
        input(&mut s, Input::Filter(Filter { name: "2.PNG".into(), ..Filter::default() }), 3.0);
        tick(&mut s, 3.0);
        assert_eq!((places(&s), place(&s)), (vec![3], Some(3)));
    }

    #[test]
    fn arrows_stay_within_what_is_shown() {
        let mut s = opened();
        input(&mut s, Input::Move(1), 3.0);
        assert_eq!(place(&s), Some(1));
        input(&mut s, Input::Move(100), 3.0);
        assert_eq!(place(&s), Some(4));
        input(&mut s, Input::Move(-100), 3.0);
        assert_eq!(place(&s), Some(0));
    }

    #[test]
    fn a_job_that_cannot_be_done_says_why_and_stays_said() {
        let mut s = opened();
        event(&mut s, Event::Failed(Generation(1), "no ONNX Runtime".into()), 4.0);
        assert_eq!(s.trouble.as_deref(), Some("no ONNX Runtime"));
        assert!(s.job.is_none() && s.1.toasts.iter().any(|t| t.error));
    }

    #[test]
    fn cancel_and_disabled_commands() {
        let mut s = state();
        assert!(command(&mut s, Command::CancelJob, 0.0).is_empty());
        let mut s = opened();
        assert_eq!(command(&mut s, Command::CancelJob, 3.0), [Effect::Cancel]);
        assert!(s.job.as_ref().is_some_and(|j| j.stopping));
        assert!(command(&mut s, Command::Export(Export::Table), 3.0).is_empty());
    }
}
