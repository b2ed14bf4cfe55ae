//! What the window knows. Plain values: no disk, no thread, no drawing; time is handed in.

use super::evaluation::EvaluateView;
use super::labels::{LabelView, UNIDENTIFIED};
use super::training::TrainView;
use crate::domain::{ClassSet, Differential, ImageResult, Outcome, Status};
use crate::files::display_name;
use crate::inference::Provider;
use crate::session::{CellKey, Edit};
use crate::task::{Generation, seconds_left};
use std::path::PathBuf;
use std::sync::Arc;

/// The four places of the rail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Place {
    /// Cells and their labels.
    #[default]
    Review,
    /// How good a model is.
    Evaluate,
    /// Make a model.
    Train,
    /// Which models there are.
    Models,
}

impl Place {
    /// All, in the order of the rail.
    pub const ALL: [Self; 4] = [Self::Review, Self::Evaluate, Self::Train, Self::Models];

    /// Its name.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Review => "Review",
            Self::Evaluate => "Evaluate",
            Self::Train => "Train",
            Self::Models => "Models",
        }
    }

    /// A sentence about it.
    #[must_use]
    pub fn tooltip(self) -> &'static str {
        match self {
            Self::Review => "See every cell and its label",
            Self::Evaluate => "How good the model is on labelled images",
            Self::Train => "Retrain the model on your own images",
            Self::Models => "The model in use and its card",
        }
    }
}

/// Light, dark, or as the system has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ThemeChoice {
    /// As the system.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl ThemeChoice {
    /// All.
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// Its name.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::System => "System",
            Self::Light => "Light",
            Self::Dark => "Dark",
        }
    }

    /// From the word in the settings.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        Self::ALL.into_iter().find(|t| t.text().eq_ignore_ascii_case(word)).unwrap_or_default()
    }
}

/// Order of the gallery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GallerySort {
    /// As listed: by name within each folder.
    #[default]
    Name,
    /// Least sure first.
    LeastConfident,
    /// Most sure first.
    MostConfident,
    /// By class in clinical order, least sure first within a class.
    Class,
}

impl GallerySort {
    /// All.
    pub const ALL: [Self; 4] = [Self::Name, Self::LeastConfident, Self::MostConfident, Self::Class];

    /// Its name.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Name => "Name",
            Self::LeastConfident => "Confidence, Lowest First",
            Self::MostConfident => "Confidence, Highest First",
            Self::Class => "Class",
        }
    }
}

/// Which tiles are shown, by what they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord)]
pub enum Kind {
    /// Everything.
    #[default]
    All,
    /// One class, by its position in the model's labels.
    Class(usize),
    /// Below the abstain threshold.
    Unidentified,
    /// Images without a white cell.
    NoCell,
    /// Images that failed.
    Failed,
    /// Cells that nobody has looked at.
    Unreviewed,
}

/// Which tiles are shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// By what they are.
    pub kind: Kind,
    /// Confidence at least, percent.
    pub from: u8,
    /// Confidence at most, percent.
    pub to: u8,
    /// Part of the file's name, any case.
    pub name: String,
}

impl Default for Filter {
    fn default() -> Self {
        Self { kind: Kind::All, from: 0, to: 100, name: String::new() }
    }
}

/// One tile: a cell, or an image that has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tile {
    /// Position in [`State::images`].
    pub image: usize,
    /// Position among the image's cells; `None` for an image without one.
    pub cell: Option<usize>,
}

/// A running classification.
#[derive(Debug, Clone)]
pub struct Job {
    /// Answers with another number are dropped.
    pub generation: Generation,
    /// What it does, for the status bar.
    pub title: String,
    /// Images done.
    pub done: usize,
    /// Images known; 0 while listing.
    pub total: usize,
    /// When it began, seconds.
    pub since: f64,
    /// Whether it was asked to stop.
    pub stopping: bool,
}

impl Job {
    /// Images a second and seconds left.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    pub fn pace(&self, now: f64) -> (f64, Option<f64>) {
        let elapsed = (now - self.since).max(1e-3);
        (self.done as f64 / elapsed, seconds_left(self.done, self.total, elapsed))
    }
}

/// A word about something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Toast {
    /// The words.
    pub text: String,
    /// Whether it is bad news.
    pub error: bool,
    /// When it goes, seconds.
    pub until: f64,
}

/// Which dialog is open.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Dialog {
    /// None.
    #[default]
    None,
    /// Type a path.
    Path {
        /// What is typed.
        text: String,
        /// Why it is asked, where there is a reason.
        why: String,
    },
    /// Find a command.
    Palette {
        /// What is typed.
        query: String,
        /// Which of the fitting commands is chosen.
        chosen: usize,
    },
    /// All keys.
    Keyboard,
    /// What the self-check found; `None` while it looks.
    SelfCheck(Option<String>),
    /// What happened.
    Log,
    /// Version and licences.
    About,
}

/// Facts about the model in use.
#[derive(Debug, Clone)]
pub struct ModelFacts {
    /// Its name.
    pub name: String,
    /// First digits of its digest.
    pub digest: String,
    /// Its labels.
    pub classes: ClassSet,
    /// Its card as text.
    pub card: String,
}

/// Everything the window knows.
#[derive(Debug, Clone)]
pub struct State {
    /// Where we are.
    pub place: Place,
    /// Light or dark.
    pub theme: ThemeChoice,
    /// The model in use.
    pub model: ModelFacts,
    /// Whether it is another than the bundled one.
    pub custom_model: bool,
    /// The provider asked for.
    pub provider: Provider,
    /// What really runs, once something ran.
    pub engine: Option<String>,
    /// Why nothing can be classified, where that is so.
    pub trouble: Option<String>,
    /// Every cell of a field, or only the most evident one.
    pub all_cells: bool,
    /// What was opened.
    pub opened: Vec<PathBuf>,
    /// Newest first.
    pub recent: Vec<PathBuf>,
    /// Results in input order.
    pub images: Vec<Arc<ImageResult>>,
    /// A tile per cell or cell-less image, in input order.
    pub tiles: Vec<Tile>,
    /// Positions in `tiles` that are shown, in the order shown.
    pub visible: Vec<usize>,
    /// Whether `visible` must be made anew at once.
    pub stale: bool,
    /// Whether results came in since `visible` was made.
    pub grown: bool,
    /// When `visible` was made, seconds.
    pub refreshed: f64,
    /// Images and failed ones of each opened place.
    pub per_folder: Vec<(usize, usize)>,
    /// Confidences of all cells in twenty bins of five percent.
    pub bins: [usize; 20],
    /// Position in `tiles`.
    pub selected: Option<usize>,
    /// What is shown.
    pub filter: Filter,
    /// In which order.
    pub sort: GallerySort,
    /// Side of a tile's picture, points.
    pub tile_size: f32,
    /// Counts.
    pub counts: Differential,
    /// Files in folders that are no pictures.
    pub skipped: usize,
    /// What runs.
    pub job: Option<Job>,
    /// The last job's number.
    pub generation: Generation,
    /// Short words on the screen.
    pub toasts: Vec<Toast>,
    /// Everything that was said.
    pub log: Vec<String>,
    /// The open dialog.
    pub dialog: Dialog,
    /// A person's labels of what is open.
    pub labels: LabelView,
    /// The Evaluate place.
    pub evaluate: EvaluateView,
    /// The Train place.
    pub train: TrainView,
    /// The model's file in use; none is the bundled one.
    pub model_path: Option<PathBuf>,
    /// The model before a trained one was taken into use: none, the bundled one, or a file.
    pub model_before: Option<Option<PathBuf>>,
    /// The cursor shall go into the filter.
    pub focus_filter: bool,
    /// The picture shall be fitted into its pane.
    pub fit: bool,
    /// The selected tile shall be scrolled to.
    pub reveal: bool,
    /// The window shall close.
    pub quit: bool,
}

impl State {
    /// The window at its start.
    #[must_use]
    pub fn new(model: ModelFacts, recent: Vec<PathBuf>, theme: ThemeChoice) -> Self {
        let classes = model.classes.len();
        Self {
            place: Place::Review,
            theme,
            model,
            custom_model: false,
            provider: Provider::Auto,
            engine: None,
            trouble: None,
            all_cells: true,
            opened: Vec::new(),
            recent,
            images: Vec::new(),
            tiles: Vec::new(),
            visible: Vec::new(),
            stale: false,
            grown: false,
            refreshed: 0.0,
            per_folder: Vec::new(),
            bins: [0; 20],
            selected: None,
            filter: Filter::default(),
            sort: GallerySort::Name,
            tile_size: 132.0,
            counts: Differential::new(classes),
            skipped: 0,
            job: None,
            generation: Generation::default(),
            toasts: Vec::new(),
            log: Vec::new(),
            dialog: Dialog::None,
            labels: LabelView::default(),
            evaluate: EvaluateView::default(),
            train: TrainView::default(),
            model_path: None,
            model_before: None,
            focus_filter: false,
            fit: true,
            reveal: false,
            quit: false,
        }
    }

    /// The image of a tile.
    #[must_use]
    pub fn image_of(&self, tile: usize) -> Option<&Arc<ImageResult>> {
        self.images.get(self.tiles.get(tile)?.image)
    }

    /// Adds a result and its tiles.
    pub(super) fn add(&mut self, result: ImageResult) {
        self.counts.add(&result);
        let image = self.images.len();
        let cells = match &result.outcome {
            Outcome::Cells(cells) => cells.len(),
            Outcome::Failed(_) => 0,
        };
        if let Outcome::Cells(cells) = &result.outcome {
            for c in cells {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0..20")]
                let bin = ((c.probabilities.top().1 * 20.0) as usize).min(19);
                self.bins[bin] += 1;
            }
        }
        let failed = usize::from(result.status() == Status::Failed);
        for (root, counts) in self.opened.iter().zip(&mut self.per_folder) {
            if result.path.starts_with(root) {
                counts.0 += 1;
                counts.1 += failed;
            }
        }
        self.images.push(Arc::new(result));
        let begun = self.tiles.len();
        if cells == 0 {
            self.tiles.push(Tile { image, cell: None });
        }
        self.tiles.extend((0..cells).map(|cell| Tile { image, cell: Some(cell) }));
        for tile in begun..self.tiles.len() {
            self.count_person(self.tiles[tile], true);
        }
        self.grown = true;
    }

    /// The cell of a tile, for the session; none where there is no cell or its image has no digest.
    #[must_use]
    pub fn key_of(&self, tile: Tile) -> Option<CellKey> {
        let image = self.images.get(tile.image)?.digest?;
        Some(CellKey { image, cell: u32::try_from(tile.cell?).ok()?.checked_add(1)? })
    }

    /// What the model says of a tile's cell: its class, or none where it is unidentified.
    fn suggested(&self, tile: Tile) -> Option<Option<usize>> {
        match (&self.images.get(tile.image)?.outcome, tile.cell) {
            (Outcome::Cells(cells), Some(i)) => {
                let cell = cells.get(i)?;
                Some((cell.status() == Status::Ok).then(|| cell.probabilities.top().0))
            }
            _ => None,
        }
    }

    /// Counts a tile as a person says instead of as the model says (`on`), or the other way round.
    fn count_person(&mut self, tile: Tile, on: bool) {
        let Some(key) = self.key_of(tile) else { return };
        let (Some(person), Some(model)) = (self.labels.verdicts.get(&key), self.suggested(tile)) else { return };
        let own = self.class_of(&person.label);
        if on {
            self.counts.shift(model, own);
            self.labels.reviewed += 1;
        } else {
            self.counts.shift(own, model);
            self.labels.reviewed = self.labels.reviewed.saturating_sub(1);
        }
    }

    fn class_of(&self, label: &str) -> Option<usize> {
        self.model.classes.labels().iter().position(|l| l == label)
    }

    /// Takes a session's verdicts over, and counts anew.
    pub(super) fn take_labels(&mut self, verdicts: impl IntoIterator<Item = (CellKey, crate::session::Verdict)>) {
        let tiles = self.tiles.clone();
        tiles.iter().for_each(|t| self.count_person(*t, false));
        self.labels.verdicts = verdicts.into_iter().collect();
        tiles.iter().for_each(|t| self.count_person(*t, true));
        self.stale = true;
    }

    /// Makes an edit on the screen: verdicts and counts.
    pub(super) fn edit(&mut self, edit: &Edit) {
        let keys: std::collections::HashSet<CellKey> = edit.changes.iter().map(|c| c.key).collect();
        let tiles: Vec<Tile> =
            self.tiles.iter().copied().filter(|t| self.key_of(*t).is_some_and(|k| keys.contains(&k))).collect();
        tiles.iter().for_each(|t| self.count_person(*t, false));
        self.labels.apply(edit);
        tiles.iter().for_each(|t| self.count_person(*t, true));
        // Labels may change what is shown; the chosen tile stays where it is until then.
        self.stale = true;
    }

    /// The label that the model suggests for a tile; none where there is no cell.
    #[must_use]
    pub fn suggestion(&self, tile: Tile) -> Option<&str> {
        Some(self.suggested(tile)?.and_then(|c| self.model.classes.label(c)).unwrap_or(UNIDENTIFIED))
    }

    /// Label, confidence and status of a tile.
    #[must_use]
    pub fn verdict(&self, tile: Tile) -> Verdict<'_> {
        let image = &self.images[tile.image];
        match (&image.outcome, tile.cell) {
            (Outcome::Failed(reason), _) => Verdict {
                label: "failed",
                class: None,
                confidence: None,
                status: Status::Failed,
                reason,
                reviewed: None,
            },
            (Outcome::Cells(cells), Some(i)) if i < cells.len() => {
                let (top, p) = cells[i].probabilities.top();
                if let Some(person) = self.key_of(tile).and_then(|k| self.labels.verdicts.get(&k)) {
                    let named = person.label != UNIDENTIFIED;
                    return Verdict {
                        label: &person.label,
                        class: self.class_of(&person.label),
                        confidence: Some(p),
                        status: if named { Status::Ok } else { Status::Unidentified },
                        reason: "",
                        reviewed: Some(person.label == person.suggested),
                    };
                }
                let status = cells[i].status();
                let label =
                    if status == Status::Ok { self.model.classes.label(top).unwrap_or("?") } else { "unidentified" };
                Verdict {
                    label,
                    class: (status == Status::Ok).then_some(top),
                    confidence: Some(p),
                    status,
                    reason: "",
                    reviewed: None,
                }
            }
            _ => Verdict {
                label: "no white cell",
                class: None,
                confidence: None,
                status: Status::NoCell,
                reason: "",
                reviewed: None,
            },
        }
    }

    /// Makes `visible` anew from filter and order.
    pub(super) fn refresh(&mut self) {
        (self.stale, self.grown) = (false, false);
        let needle = self.filter.name.to_lowercase();
        let shown = |tile: &Tile| {
            let v = self.verdict(*tile);
            let kind = match self.filter.kind {
                Kind::All => true,
                Kind::Class(c) => v.class == Some(c),
                Kind::Unidentified => v.status == Status::Unidentified,
                Kind::NoCell => v.status == Status::NoCell,
                Kind::Failed => v.status == Status::Failed,
                Kind::Unreviewed => v.reviewed.is_none() && tile.cell.is_some(),
            };
            let sure = match v.confidence {
                Some(p) => {
                    p * 100.0 >= f32::from(self.filter.from) - 0.5 && p * 100.0 <= f32::from(self.filter.to) + 0.5
                }
                None => self.filter.from == 0,
            };
            kind && sure
                && (needle.is_empty() || display_name(&self.images[tile.image].path).to_lowercase().contains(&needle))
        };
        let mut visible: Vec<usize> = (0..self.tiles.len()).filter(|&i| shown(&self.tiles[i])).collect();
        let sure = |i: usize| self.verdict(self.tiles[i]).confidence;
        match self.sort {
            GallerySort::Name => {}
            // What has no confidence needs eyes first, and comes last among the sure ones.
            GallerySort::LeastConfident => {
                visible.sort_by(|&a, &b| sure(a).unwrap_or(-1.0).total_cmp(&sure(b).unwrap_or(-1.0)))
            }
            GallerySort::MostConfident => {
                visible.sort_by(|&a, &b| sure(b).unwrap_or(-1.0).total_cmp(&sure(a).unwrap_or(-1.0)))
            }
            GallerySort::Class => {
                let mut rank = vec![0; self.model.classes.len()];
                for (place, class) in self.model.classes.clinical_order().into_iter().enumerate() {
                    rank[class] = place;
                }
                let key = |i: usize| self.verdict(self.tiles[i]).class.map_or(usize::MAX, |c| rank[c]);
                visible.sort_by(|&a, &b| {
                    key(a).cmp(&key(b)).then(sure(a).unwrap_or(-1.0).total_cmp(&sure(b).unwrap_or(-1.0)))
                });
            }
        }
        if let Some(s) = self.selected
            && visible.binary_search(&s).is_err()
            && !visible.contains(&s)
        {
            self.selected = visible.first().copied();
        }
        self.visible = visible;
    }
}

/// What a tile says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict<'a> {
    /// The label, or what stands for it.
    pub label: &'a str,
    /// The class' position in the model's labels.
    pub class: Option<usize>,
    /// 0..=1.
    pub confidence: Option<f32>,
    /// The status of the contract.
    pub status: Status,
    /// Why it failed.
    pub reason: &'a str,
    /// Whether a person confirmed the model's label or gave another one; nothing where nobody looked yet.
    pub reviewed: Option<bool>,
}
