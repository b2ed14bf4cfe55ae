//! Random sequences of what people, files and machines do, at the level of the window's state and the session's file, against a
//! simple model of what must hold: every label is of the bytes that it was given to, what the screen says is what the disk says,
//! what is signed stays, counts are of cells and not of files, and nothing is lost by being killed.

use leukoscope::app::command::Command;
use leukoscope::app::review::case::Draft;
use leukoscope::app::review::{self, Effect, Event, Filter, Input, Kind};
use leukoscope::app::state::State;
use leukoscope::app::update;
use leukoscope::domain::{
    CellId, CellResult, ClassSet, Digest, Failure, ImageResult, Outcome, Probabilities, Square, label_key,
};
use leukoscope::files::FileFacts;
use leukoscope::inference::OwnSquares;
use leukoscope::laboratory::CaseField;
use leukoscope::session::{CellKey, KeptResult, Store};
use leukoscope::task::Generation;
use leukoscope::workflow::{ClassifyEvent, OpenedSession, SessionEvent};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const FOLDERS: [&str; 2] = ["/slides/a", "/slides/b"];
const NAMES: [&str; 5] = ["1.png", "2.png", "3.png", "4.png", "5.png"];
/// What is given: spellings of the catalogue, a word of one's own in two spellings, and one that no cell is.
const LABELS: [&str; 7] =
    ["neutrophil", "NEUTROPHILS", "Blast", "hairy cell", "Hairy Cells", "not a white cell", "unidentified"];
const MADE_WITH: &str = "the test's model";

/// One step.
#[derive(Debug, Clone)]
enum Step {
    Open(usize),
    Again,
    Select(usize),
    Choose(Vec<usize>),
    Label(usize),
    Accept,
    Move(usize, u8),
    Add(usize, u8),
    Undo,
    Redo,
    /// A file gets other bytes, of the same length and with the same time.
    Write(usize, usize, u8),
    /// A file goes.
    Remove(usize, usize),
    Only(usize),
    Case(u8),
    Sign,
    Amend,
    Import(usize, usize),
    Deliver(usize),
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    use Step as S;
    prop_oneof![
        1 => (0..2usize).prop_map(S::Open),
        1 => Just(S::Again),
        4 => (0..20usize).prop_map(S::Select),
        1 => proptest::collection::vec(0..20usize, 2..5).prop_map(S::Choose),
        8 => (0..LABELS.len()).prop_map(S::Label),
        4 => Just(S::Accept),
        2 => (0..20usize, 1..9u8).prop_map(|(t, by)| S::Move(t, by)),
        1 => (0..20usize, 1..9u8).prop_map(|(t, by)| S::Add(t, by)),
        3 => Just(S::Undo),
        2 => Just(S::Redo),
        3 => (0..2usize, 0..5usize, 0..9u8).prop_map(|(f, n, c)| S::Write(f, n, c)),
        1 => (0..2usize, 0..5usize).prop_map(|(f, n)| S::Remove(f, n)),
        1 => (0..5usize).prop_map(S::Only),
        1 => (0..9u8).prop_map(S::Case),
        1 => Just(S::Sign),
        1 => Just(S::Amend),
        1 => (0..9usize, 0..LABELS.len()).prop_map(|(c, l)| S::Import(c, l)),
        8 => (1..12usize).prop_map(S::Deliver),
        1 => Just(S::Kill),
    ]
}

/// What people said of the images of one folder, as plainly as it can be said.
#[derive(Debug, Clone, Default, PartialEq)]
struct Model {
    labels: BTreeMap<CellKey, (String, Option<[u32; 3]>)>,
    wbc: Option<String>,
    signed: usize,
    locked: bool,
}

struct World {
    dir: tempfile::TempDir,
    /// The bytes of each file (one number stands for them), and how often the file was written.
    files: BTreeMap<PathBuf, (u8, i64)>,
    writes: i64,
    state: State,
    store: Option<(Store, Generation)>,
    /// Answers of jobs that the window has not heard yet.
    coming: VecDeque<Event>,
    models: [Model; 2],
    now: f64,
}

fn square(s: Square) -> [u32; 3] {
    [s.x, s.y, s.side].map(f32::to_bits)
}

fn window() -> State {
    let classes = ClassSet::new(vec!["Lymphocytes".into(), "neutrophil".into()]).unwrap();
    let mut card = (**leukoscope::workflow::default_model().unwrap().card()).clone();
    card.classes = classes;
    let mut state = State::new(Arc::new(card), None, Default::default());
    state.shell.operator = "ab".into();
    state
}

/// What the model says of some bytes: none is no cell, eight cannot be read, else one to three cells.
fn classified(path: &Path, content: u8, own: &OwnSquares) -> ImageResult {
    let digest = Digest([content; 32]);
    let cell = |number: u32, square: Square| {
        let p = if (u32::from(content) + number).is_multiple_of(2) { 0.9 } else { 0.2 };
        CellResult {
            number,
            square,
            probabilities: Probabilities::new(vec![p, 1.0 - p]).unwrap(),
            accepted: true,
            ood_score: None,
            features: Vec::new(),
            doubt: None,
            flags: Vec::new(),
            views: None,
        }
    };
    let mut cells: Vec<CellResult> =
        (1..=u32::from(content % 4)).map(|n| cell(n, Square { x: n as f32 * 40.0, y: 5.0, side: 30.0 })).collect();
    for (number, square) in own.get(&digest).into_iter().flatten() {
        match cells.iter_mut().find(|c| c.number == *number) {
            Some(known) => known.square = *square,
            None => cells.push(cell(*number, *square)),
        }
    }
    ImageResult {
        index: 0,
        path: path.to_owned(),
        digest: Some(digest),
        size: Some((200, 100)),
        outcome: if content == 8 { Outcome::Failed(Failure::Image("cut off".into())) } else { Outcome::Cells(cells) },
        warnings: vec![],
        provider: Some("cpu".into()),
        rejected: Vec::new(),
    }
}

impl World {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            files: BTreeMap::new(),
            writes: 0,
            state: window(),
            store: None,
            coming: VecDeque::new(),
            models: Default::default(),
            now: 1.0,
        }
    }

    /// Which folder is open.
    fn folder(&self) -> Option<usize> {
        let opened = self.state.review.opened.first()?;
        FOLDERS.iter().position(|f| Path::new(f) == opened)
    }

    fn session(&self, folder: usize) -> PathBuf {
        self.dir.path().join(format!("{folder}.session"))
    }

    fn facts(&self, path: &Path) -> FileFacts {
        // Same length, same time: a hostile clock. Only the change counter of the file system tells.
        FileFacts { bytes: 9, modified: 1, changed: self.files[path].1 }
    }

    fn input(&mut self, input: Input) {
        let effects = update::input(&mut self.state, input.into(), self.now);
        self.effects(effects);
    }

    fn command(&mut self, command: Command) {
        let effects = update::command(&mut self.state, command, self.now);
        self.effects(effects);
    }

    fn event(&mut self, event: Event) {
        let effects = update::event(&mut self.state, event.into(), self.now);
        self.effects(effects);
    }

    fn effects(&mut self, effects: Vec<update::Effect>) {
        for effect in effects {
            let update::Effect::Review(effect) = effect else { continue };
            match effect {
                Effect::OpenSession(generation, paths) => {
                    // One window has one session open: it is closed before the next one.
                    self.store = None;
                    let folder = FOLDERS.iter().position(|f| Path::new(f) == paths[0]).unwrap();
                    let opened = Store::open(&self.session(folder), "the test").unwrap();
                    assert!(opened.said.is_empty(), "{:?}", opened.said);
                    let mut store = opened.store;
                    store.set_folders(&paths).unwrap();
                    let session = OpenedSession {
                        verdicts: store.labels().unwrap(),
                        results: store.results(MADE_WITH).unwrap(),
                        case: store.case().unwrap(),
                        ..OpenedSession::default()
                    };
                    self.store = Some((store, generation));
                    self.coming.push_back(Event::Session(generation, SessionEvent::Opened(Box::new(session))));
                }
                Effect::Classify(generation, paths) => {
                    let own = self.state.review.labels.own_squares();
                    let known = self.state.review.known.clone();
                    let own_files: Vec<PathBuf> =
                        self.files.keys().filter(|f| f.starts_with(&paths[0])).cloned().collect();
                    let gone: Vec<PathBuf> = known.keys().filter(|p| !self.files.contains_key(*p)).cloned().collect();
                    if !gone.is_empty() {
                        self.store.as_mut().unwrap().0.drop_results(&gone).unwrap();
                        self.coming.push_back(Event::Classify(generation, ClassifyEvent::FilesRemoved(gone)));
                    }
                    let new: Vec<PathBuf> =
                        own_files.into_iter().filter(|p| known.get(p) != Some(&self.facts(p))).collect();
                    self.coming.push_back(Event::Classify(generation, ClassifyEvent::Listed(new.len(), new.len())));
                    for path in new {
                        let result = Arc::new(classified(&path, self.files[&path].0, &own));
                        self.keep(&result);
                        self.coming.push_back(Event::Classify(generation, ClassifyEvent::Row(result)));
                    }
                    self.coming.push_back(Event::Finished(generation, 0, false));
                }
                Effect::Again(generation, asked, path) if self.files.contains_key(&path) => {
                    let own = self.state.review.labels.own_squares();
                    let result = Arc::new(classified(&path, self.files[&path].0, &own));
                    self.keep(&result);
                    // Answers may come in any order.
                    self.coming.push_front(Event::Again(generation, asked, result));
                }
                Effect::KeepLabels(edit) => {
                    let (store, generation) = self.store.as_mut().unwrap();
                    let done = store.apply(&edit, "ab", "2026-01-01T00:00:00Z");
                    let told = match done {
                        Ok(()) => SessionEvent::Saved(1),
                        Err(e) => panic!("an edit of the window does not fit its session: {e}"),
                    };
                    let event = Event::Session(*generation, told);
                    self.event(event);
                }
                Effect::LookAtFiles(generation) => {
                    self.event(Event::Files(generation, review::case::FilesLook::default(), Vec::new()));
                }
                Effect::ChangeCase(change) => {
                    let (store, generation) = self.store.as_mut().unwrap();
                    store.change_case(&change, "ab", "2026-01-01T00:00:00Z").unwrap();
                    let event = Event::Session(*generation, SessionEvent::Case(Box::new(store.case().unwrap())));
                    self.event(event);
                }
                _ => {}
            }
        }
    }

    fn keep(&mut self, result: &Arc<ImageResult>) {
        let facts = self.facts(&result.path);
        let (store, _) = self.store.as_mut().unwrap();
        store.keep_results(MADE_WITH, &[KeptResult { result: result.clone(), facts }]).unwrap();
    }

    fn deliver(&mut self, n: usize) {
        for _ in 0..n {
            let Some(event) = self.coming.pop_front() else { break };
            self.event(event);
            update::tick(&mut self.state, self.now);
        }
    }

    fn tile(&self, at: usize) -> Option<CellId> {
        let all = &self.state.review.tiles;
        (!all.is_empty()).then(|| all[at % all.len()])
    }

    /// The cells that a label goes to, and whether it may.
    fn labels_go_to(&self) -> Vec<(CellKey, String)> {
        if !self.state.review.labels.open || self.state.review.case.record.locked() {
            return Vec::new();
        }
        let one = |t: &CellId| Some((self.state.review.key_of(*t)?, self.state.review.suggestion(*t)?.to_owned()));
        self.state.review.targets(None).iter().filter_map(one).collect()
    }

    /// In the model: a cell gets a label, and keeps its square.
    fn say(&mut self, key: CellKey, label: &str) {
        let folder = self.folder().unwrap();
        let model = &mut self.models[folder];
        let square = model.labels.get(&key).and_then(|l| l.1);
        model.labels.insert(key, (label.to_owned(), square));
    }

    fn step(&mut self, step: &Step) {
        self.now += 1.0;
        let seen = self.folder().map(|f| self.models[f].clone());
        match step {
            Step::Open(folder) => {
                self.event(Event::Chosen(vec![FOLDERS[*folder].into()]));
                // Whatever was under way is of another generation from now on.
            }
            Step::Again => self.command(Command::Classify),
            Step::Select(at) => {
                if let Some(t) = self.tile(*at) {
                    self.input(Input::Select(t));
                }
            }
            Step::Choose(all) => {
                let tiles: BTreeSet<CellId> = all.iter().filter_map(|at| self.tile(*at)).collect();
                self.input(Input::Choose(tiles));
            }
            Step::Label(which) => {
                let spelling = self.state.review.spelling(LABELS[*which]);
                for (key, _) in self.labels_go_to() {
                    self.say(key, &spelling);
                }
                self.input(Input::SetLabel(None, LABELS[*which].into()));
            }
            Step::Accept => {
                if self.state.review.targets(None).len() > 1 {
                    return;
                }
                for (key, suggested) in self.labels_go_to() {
                    let folder = self.folder().unwrap();
                    let known = self.models[folder].labels.get(&key).map(|l| l.0.clone()).filter(|l| !l.is_empty());
                    self.say(key, &known.unwrap_or(suggested));
                }
                self.command(Command::Accept);
            }
            Step::Move(at, by) => {
                let Some(tile) = self.tile(*at) else { return };
                let (Some(key), Some(cell)) = (self.state.review.key_of(tile), self.state.review.cell_of(tile)) else {
                    return;
                };
                let moved = Square { x: cell.square.x + f32::from(*by), ..cell.square };
                if self.state.review.label_obstacle().is_none() {
                    let folder = self.folder().unwrap();
                    let label = self.models[folder].labels.entry(key).or_default();
                    label.1 = Some(square(moved));
                }
                self.input(Input::MoveSquare(tile, moved));
            }
            Step::Add(at, by) => {
                let Some(tile) = self.tile(*at) else { return };
                let Some(digest) = self.state.review.image_of(tile).and_then(|i| i.digest) else { return };
                let drawn = Square { x: f32::from(*by), y: f32::from(*by), side: 20.0 };
                if self.state.review.label_obstacle().is_none() {
                    let folder = self.folder().unwrap();
                    let own = self.models[folder].labels.keys().filter(|k| k.image == digest).map(|k| k.cell);
                    let cell = own.filter(|c| *c >= 100_001).max().map_or(100_001, |c| c + 1);
                    let key = CellKey { image: digest, cell };
                    self.models[folder].labels.insert(key, (String::new(), Some(square(drawn))));
                }
                self.input(Input::AddSquare(tile.image, drawn));
            }
            Step::Undo | Step::Redo => {
                let command = if matches!(step, Step::Undo) { Command::Undo } else { Command::Redo };
                let possible = update::availability(&self.state, command).enabled;
                self.command(command);
                // What undoing leads to is the history's own test; here the screen and the disk must agree, as always.
                if possible {
                    let folder = self.folder().unwrap();
                    self.models[folder].labels = plain(&self.state.review);
                }
            }
            Step::Write(folder, name, content) => {
                self.writes += 1;
                let path = Path::new(FOLDERS[*folder]).join(NAMES[*name]);
                self.files.insert(path, (*content, self.writes));
            }
            Step::Remove(folder, name) => {
                self.files.remove(&Path::new(FOLDERS[*folder]).join(NAMES[*name]));
            }
            Step::Only(which) => {
                let kind = match which {
                    0 => Kind::All,
                    1 => Kind::Unreviewed,
                    n => Kind::Label(LABELS[*n].into()),
                };
                self.input(Input::Filter(Filter { kind, ..Filter::default() }));
            }
            Step::Case(wbc) => {
                if self.state.review.label_obstacle().is_none() {
                    let folder = self.folder().unwrap();
                    self.models[folder].wbc = (*wbc > 0).then(|| wbc.to_string());
                }
                // Typed, and the page left without leaving the field.
                let text = if *wbc > 0 { wbc.to_string() } else { String::new() };
                self.input(Input::CaseDraft(Draft::Case(CaseField::Wbc), Some(text)));
                self.command(Command::ToggleDifferential);
            }
            Step::Sign => {
                let was = self.state.review.case.record.signatures.len();
                self.input(Input::Sign("there was no time for more".into(), "2026-01-01T00:00:00Z".into()));
                if let Some(folder) = self.folder().filter(|_| self.state.review.labels.open) {
                    let model = &mut self.models[folder];
                    (model.signed, model.locked) =
                        (self.state.review.case.record.signatures.len(), self.state.review.case.record.locked());
                    assert!(!model.locked || model.signed >= was);
                }
            }
            Step::Amend => {
                self.input(Input::Amend("a second look".into()));
                if let (Some(folder), Some((store, _))) = (self.folder(), &self.store) {
                    self.models[folder].locked = store.case().unwrap().locked();
                }
            }
            Step::Import(content, label) => {
                // By script, while no window has the session.
                let Some(folder) = self.folder() else { return };
                if self.models[folder].locked || self.store.is_none() {
                    return;
                }
                self.store = None;
                let key = CellKey { image: Digest([u8::try_from(*content).unwrap(); 32]), cell: 1 };
                let table = self.dir.path().join("table.csv");
                std::fs::write(&table, format!("sha256,cell,label\n{},1,{}\n", key.image, LABELS[*label])).unwrap();
                leukoscope::workflow::import_session(&self.session(folder), &table, &[], "cd", false).unwrap();
                let own = Store::look(&self.session(folder)).unwrap().labels().unwrap();
                let spelling = own[&key].label.clone();
                assert_eq!(label_key(&spelling), label_key(LABELS[*label]));
                self.say(key, &spelling);
                self.event(Event::Chosen(vec![FOLDERS[folder].into()]));
            }
            Step::Deliver(n) => self.deliver(*n),
            Step::Kill => {
                let open = self.folder();
                self.store = None;
                self.coming.clear();
                self.state = window();
                if let Some(folder) = open {
                    self.event(Event::Chosen(vec![FOLDERS[folder].into()]));
                }
            }
        }
        update::tick(&mut self.state, self.now);
        // What is signed stays as it is, whatever was tried.
        if let (Some(before), Some(folder)) = (seen, self.folder())
            && before.locked
            && self.models[folder].locked
            && !matches!(step, Step::Open(_) | Step::Kill)
        {
            assert_eq!((&before.labels, &before.wbc), (&self.models[folder].labels, &self.models[folder].wbc));
        }
    }

    fn check(&self) {
        let s = &self.state.review;
        // Tiles are the cells of the images, each once.
        let mut wanted = BTreeSet::new();
        for (id, image) in s.images.iter() {
            match &image.outcome {
                Outcome::Cells(cells) if !cells.is_empty() => {
                    wanted.extend(cells.iter().map(|c| CellId { image: id, number: c.number }));
                }
                _ => drop(wanted.insert(CellId::whole(id))),
            }
        }
        let tiles: BTreeSet<CellId> = s.tiles.iter().copied().collect();
        assert_eq!((tiles.len(), &tiles), (s.tiles.len(), &wanted));
        assert!(s.visible.iter().all(|t| tiles.contains(t)), "what is shown is there");
        assert!(s.selected.is_none_or(|t| tiles.contains(&t)) && s.chosen.iter().all(|t| tiles.contains(t)));
        // Each tile says what was said of its bytes, and of nothing else.
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let mut counted = BTreeSet::new();
        for tile in &s.tiles {
            let Some(key) = s.key_of(*tile) else { continue };
            let said = s.labels.verdicts.get(&key).filter(|v| v.named());
            let suggested = s.suggestion(*tile).unwrap();
            let v = s.verdict(*tile);
            assert_eq!(v.label, said.map_or(suggested, |v| v.label.as_str()));
            assert_eq!(v.confidence.is_some(), said.is_none(), "a person's label has no probability");
            if counted.insert(key) {
                *counts.entry(label_key(v.label)).or_default() += 1;
            }
        }
        // Cells are counted once, in one spelling.
        let shown: BTreeMap<String, usize> =
            s.slides.counts(None).labels().map(|(l, c)| (label_key(l), c.all)).collect();
        assert_eq!(shown.len(), s.slides.counts(None).labels().count(), "two spellings are one label");
        assert_eq!(shown, counts);
        // The screen, the disk and the model agree, once the session is open on the screen.
        let Some((folder, (store, _))) = self.folder().zip(self.store.as_ref()) else { return };
        let model = &self.models[folder];
        let disk: BTreeMap<_, _> =
            store.labels().unwrap().into_iter().map(|(k, v)| (k, (v.label, v.square.map(square)))).collect();
        assert_eq!(disk, model.labels);
        if s.labels.open {
            assert_eq!(plain(s), model.labels);
            assert_eq!(s.case.record.entries.get("wbc"), model.wbc.as_ref());
            assert_eq!(s.case.record.locked(), model.locked);
        }
        // When every answer has come, each result is of the bytes that are there, unless the file changed since. A signed
        // session keeps the results that it was signed on.
        if self.coming.is_empty() && s.job.is_none() && s.labels.open && !model.locked {
            let known = store.results(MADE_WITH).unwrap();
            for (_, image) in s.images.iter() {
                let Some((content, writes)) = self.files.get(&image.path) else { continue };
                let Some(kept) = known.iter().find(|k| k.result.path == image.path) else {
                    panic!("{} is on the screen, and not in the session: {:?}", image.path.display(), s.job);
                };
                if kept.facts.changed == *writes {
                    assert_eq!(image.digest, Some(Digest([*content; 32])), "{}", image.path.display());
                }
            }
        }
    }
}

fn plain(s: &review::State) -> BTreeMap<CellKey, (String, Option<[u32; 3]>)> {
    s.labels.verdicts.iter().map(|(k, v)| (*k, (v.label.clone(), v.square.map(square)))).collect()
}

proptest! {
    // A hundred lives of a hundred steps: ten thousand steps.
    #![proptest_config(ProptestConfig { cases: 100, max_shrink_iters: 60, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn whatever_happens_the_screen_says_what_is_so(
        first in proptest::collection::vec((0..5usize, 0..9u8), 1..5),
        steps in proptest::collection::vec(step(), 100..101),
    ) {
        let mut world = World::new();
        for (name, content) in first {
            world.step(&Step::Write(0, name, content));
        }
        world.step(&Step::Open(0));
        world.deliver(100);
        for s in &steps {
            world.step(s);
            world.check();
        }
        world.deliver(1000);
        world.check();
        world.store = None;
        for folder in 0..2 {
            let path = world.session(folder);
            if path.is_file() {
                let v = Store::look(&path).unwrap().verify().unwrap();
                prop_assert!(v.altered.is_empty() && v.differing.is_empty(), "{v:?}");
            }
        }
    }
}
