//! What the Review page knows. Plain values: no disk, no thread, no drawing; time is handed in.

use super::case::{CaseView, RangeDraft};
use super::heat_map::HeatView;
use super::images::Images;
use super::labels::LabelView;
use super::map_state::MapView;
use super::slides::Slides;
use crate::app::choice::GallerySort;
use crate::app::language::{decimal, tr, whole};
use crate::app::shell::JobStatus;
use crate::app::widgets::duration;
use crate::domain::{CellId, CellResult, ImageId, ImageResult, Outcome, RejectedPlace, SlideId, Status, one_spelling};
use crate::files::FileFacts;
use crate::imaging::Cells;
use crate::inference::EngineReport;
use crate::laboratory::{FolderLook, Unusual};
use crate::model::ModelCard;
use crate::session::{CellKey, Edit, KeptResult};
use crate::task::{Generation, seconds_left};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

/// Which tiles are shown, by what they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Kind {
    #[default]
    All,
    /// One label, whatever the model calls its classes.
    Label(String),
    /// Below the abstain threshold.
    Unidentified,
    /// Images without a white cell.
    NoCell,
    Failed,
    /// Cells that nobody has looked at.
    Unreviewed,
    /// Cells that want eyes: see [`State::flagged`].
    Flagged,
    /// Cells that the model suspects to be of a kind that is none of its classes.
    Suspected(Arc<str>),
}

/// Which tiles are shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    pub kind: Kind,
    pub from: u8,
    pub to: u8,
    /// Part of the file's name, any case.
    pub name: String,
    pub slide: Option<SlideId>,
    /// These cells alone, chosen on the map.
    pub only: Option<Arc<BTreeSet<CellId>>>,
}

impl Default for Filter {
    fn default() -> Self {
        Self { kind: Kind::All, from: 0, to: 100, name: String::new(), slide: None, only: None }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TileStatus<'a> {
    /// The label, or what stands for it.
    pub label: &'a str,
    /// The model's probability of the label, 0..=1; none where the user gave the label: the user's has no probability.
    pub confidence: Option<f32>,
    /// What the model says of the cell, and how sure it is, 0..=1.
    pub model: Option<(&'a str, f32)>,
    /// The status of the contract.
    pub status: Status,
    pub reason: &'a str,
    /// Whether the user confirmed the model's label or gave another one; nothing where nobody looked yet.
    pub reviewed: Option<bool>,
}

/// A running classification.
#[derive(Debug, Clone)]
pub struct Job {
    /// Answers with another number are dropped.
    pub generation: Generation,
    /// What it does, for the status bar.
    pub title: String,
    pub done: usize,
    /// Images known; 0 while listing.
    pub total: usize,
    /// When it began, seconds.
    pub since: f64,
    /// Whether it was asked to stop.
    pub stopping: bool,
    pub step: JobStep,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobStep {
    /// The session is being opened; what it knows is passed over, unless everything is to be classified anew.
    Opening {
        /// Whatever is known is classified again.
        fresh: bool,
    },
    /// The images are classified.
    Classifying,
}

/// Whether the tiles that are shown are those that the filter lets through, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum GalleryState {
    #[default]
    Current,
    /// Results came in since: made anew when it is due.
    Grown,
    /// Made anew at once.
    Stale,
}

impl Job {
    /// Images a second and seconds left.
    pub fn pace(&self, now: f64) -> (f64, Option<f64>) {
        let elapsed = (now - self.since).max(1e-3);
        (self.done as f64 / elapsed, seconds_left(self.done, self.total, elapsed))
    }
}

/// Which dialog of this page is open.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Dialog {
    #[default]
    None,
    /// Type a label that is not offered.
    Label(String),
    /// Confirm this many cells that are chosen together.
    ConfirmAll(usize),
    Sign {
        /// Why it is signed although something is open.
        reason: String,
    },
    /// Amend what was signed.
    Amend { reason: String },
    /// The laboratory's reference ranges, as typed.
    Ranges(Vec<RangeDraft>),
}

/// What the Review page knows.
#[derive(Debug, Clone)]
pub struct State {
    /// The card of the model whose answers are shown.
    pub model: Arc<ModelCard>,
    pub map: MapView,
    /// Why nothing can be classified, where that is so.
    pub trouble: Option<String>,
    /// What really runs, once something ran.
    pub engine: Option<EngineReport>,
    /// The open folder is looked at for new images until that is stopped; a run that failed goes on with it when it is begun again.
    pub watching: bool,
    /// Every cell of a field, or only the most evident one.
    pub all_cells: bool,
    pub opened: Vec<PathBuf>,
    /// What was found of each image.
    pub images: Images,
    /// A tile per cell or cell-less image, in input order.
    pub tiles: Vec<CellId>,
    /// Grows with every change of what `tiles` are.
    pub revision: u64,
    /// The tiles that are shown, in the order shown.
    pub visible: Vec<CellId>,
    /// Whether `visible` must be made anew.
    pub gallery: GalleryState,
    /// When `visible` was made, seconds.
    pub refreshed: f64,
    pub slides: Slides,
    /// Files whose results were known when the folder was opened, and what they were like.
    pub known: Arc<HashMap<PathBuf, FileFacts>>,
    /// Results were replaced since tiles and counts were made.
    pub replaced: bool,
    /// Confidences of all cells in twenty bins of five percent.
    pub bins: [usize; 20],
    /// How many cells the model suspects to be of each kind that is none of its classes.
    pub suspected: BTreeMap<Arc<str>, usize>,
    pub selected: Option<CellId>,
    /// The tile that was chosen last; chosen again when a view that hid it goes.
    pub cursor: Option<CellId>,
    /// Where a range that is being chosen began.
    pub anchor: Option<CellId>,
    /// Tiles chosen together; empty where one is.
    pub chosen: BTreeSet<CellId>,
    /// Images whose squares were changed, and how often: an answer to an older question is dropped.
    pub moved: HashMap<ImageId, u64>,
    /// A run that was stopped: images done, and all there are.
    pub unfinished: Option<(usize, usize)>,
    /// Results came while the case was signed: a signed session keeps those that it was signed on, so these are not on the disk.
    pub unkept: bool,
    /// The case was signed when this run began.
    pub began_signed: bool,
    /// What was opened and held no image.
    pub nothing_in: Option<String>,
    /// Sketch of the cell that others are likened to.
    pub similar_to: Option<Vec<f32>>,
    pub filter: Filter,
    pub sort: GallerySort,
    /// Side of a tile's image, points.
    pub tile_size: f32,
    /// Files in folders that are no images.
    pub skipped: usize,
    pub job: Option<Job>,
    /// The last job's number.
    pub generation: Generation,
    pub dialog: Dialog,
    /// The user's labels of what is open.
    pub labels: LabelView,
    /// The case of what is open: what was entered, who signed.
    pub case: CaseView,
    pub heat: HeatView,
    /// Squares can be drawn, moved and sized.
    pub drawing: bool,
    /// Places that show no white cell are drawn on the image.
    pub show_rejected: bool,
    /// What is unusual about what is open, until it is put away.
    pub unusual: Option<Unusual>,
    /// Corrections after which the hint to adapt the model was put away.
    pub hint_seen: usize,
    /// The cursor should go into the filter.
    pub focus_filter: bool,
    /// The image should be fitted into its pane.
    pub fit: bool,
    /// The selected tile should be scrolled to.
    pub reveal: bool,
}

impl State {
    /// The page at its start.
    pub fn new(model: Arc<ModelCard>) -> Self {
        Self {
            model,
            map: MapView::default(),
            trouble: None,
            engine: None,
            watching: false,
            all_cells: true,
            opened: Vec::new(),
            images: Images::default(),
            tiles: Vec::new(),
            revision: 0,
            visible: Vec::new(),
            gallery: GalleryState::Current,
            refreshed: 0.0,
            slides: Slides::default(),
            known: Arc::default(),
            replaced: false,
            bins: [0; 20],
            suspected: BTreeMap::new(),
            selected: None,
            cursor: None,
            anchor: None,
            chosen: BTreeSet::new(),
            moved: HashMap::new(),
            unfinished: None,
            unkept: false,
            began_signed: false,
            nothing_in: None,
            similar_to: None,
            filter: Filter::default(),
            sort: GallerySort::Name,
            tile_size: 132.0,
            skipped: 0,
            job: None,
            generation: Generation::default(),
            dialog: Dialog::None,
            labels: LabelView::default(),
            case: CaseView::default(),
            heat: HeatView::default(),
            drawing: false,
            show_rejected: false,
            unusual: None,
            hint_seen: 0,
            focus_filter: false,
            fit: true,
            reveal: false,
        }
    }

    /// Adds a result and its tiles; a file that was there before is replaced.
    pub(in crate::app) fn add(&mut self, result: Arc<ImageResult>) -> ImageId {
        let put = self.images.put(result);
        if put.replaced || put.copies {
            // Many files may have changed at once: tiles and counts are made anew together, at the next tick.
            self.replaced = true;
        }
        if !put.replaced {
            self.index(put.id);
            self.gallery = self.gallery.max(GalleryState::Grown);
        }
        put.id
    }

    /// Adds the tiles and counts of an image that is in `images` already.
    fn index(&mut self, image: ImageId) {
        let Some(result) = self.images.get(image).cloned() else { return };
        self.revision += 1;
        self.slides.add_image(image, &result);
        let cells: &[CellResult] = match &result.outcome {
            Outcome::Cells(cells) => cells,
            Outcome::Failed(_) => &[],
        };
        if cells.is_empty() {
            self.tiles.push(CellId::whole(image));
        }
        for cell in cells {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0..20")]
            let bin = ((cell.probabilities.top().1 * 20.0) as usize).min(19);
            self.bins[bin] += 1;
            cell.flags.iter().for_each(|flag| *self.suspected.entry(flag.clone()).or_default() += 1);
            let tile = CellId { image, number: cell.number };
            self.count_tile(tile, true);
            self.tiles.push(tile);
        }
    }

    /// Counts a tile's cell under the label that it has, or takes it back. Copies of a file are one file.
    fn count_tile(&mut self, tile: CellId, up: bool) {
        let v = self.verdict(tile);
        if !matches!(v.status, Status::Ok | Status::Unidentified) || !self.counted(tile) {
            return;
        }
        let (label, reviewed) = (v.label.to_owned(), v.reviewed.is_some());
        self.slides.count(tile.image, &label, reviewed, up);
    }

    /// Whether a cell is counted here: of copies of a file, on the first one that has it.
    fn counted(&self, tile: CellId) -> bool {
        let Some(digest) = self.images.get(tile.image).and_then(|i| i.digest) else { return true };
        let same = self.images.with_digest(&digest);
        if same.len() < 2 {
            return true;
        }
        let has = |image: &&ImageId| self.cell_of(CellId { image: **image, number: tile.number }).is_some();
        let path = |image: &&ImageId| self.images.get(**image).map(|r| r.path.clone());
        same.iter().filter(has).min_by_key(path).is_none_or(|first| *first == tile.image)
    }

    /// Makes tiles and counts anew from the images; what is chosen stays chosen where it is still there.
    pub(in crate::app) fn rebuild(&mut self) {
        self.replaced = false;
        self.tiles.clear();
        self.slides.clear();
        self.revision += 1;
        self.bins = [0; 20];
        self.suspected.clear();
        let all: Vec<ImageId> = self.images.iter().map(|(id, _)| id).collect();
        all.into_iter().for_each(|id| self.index(id));
        let there: HashSet<CellId> = self.tiles.iter().copied().collect();
        let kept = |t: &CellId| there.contains(t);
        self.chosen.retain(kept);
        self.anchor = self.anchor.filter(kept);
        self.cursor = self.cursor.filter(kept);
        // Of an image whose cells are others now, its first one.
        self.selected = self
            .selected
            .and_then(|s| Some(s).filter(kept).or_else(|| self.tiles.iter().find(|t| t.image == s.image).copied()));
        self.gallery = GalleryState::Stale;
    }

    /// Takes results over that were known before.
    pub(in crate::app) fn take_results(&mut self, mut kept: Vec<KeptResult>) {
        let place = |r: &KeptResult| self.opened.iter().position(|root| r.result.path.starts_with(root));
        kept.sort_by(|a, b| place(a).cmp(&place(b)).then_with(|| a.result.path.cmp(&b.result.path)));
        self.known = Arc::new(kept.iter().map(|k| (k.result.path.clone(), k.facts)).collect());
        self.images.clear();
        for k in kept {
            self.images.put(k.result);
        }
        self.rebuild();
        self.selected = self.tiles.first().copied();
        self.fit = true;
    }

    /// Takes files out that are gone; their labels stay in the session.
    pub(in crate::app) fn drop_images(&mut self, gone: &HashSet<PathBuf>) {
        self.images.remove(gone);
        self.rebuild();
    }

    /// Takes a session's verdicts over, and counts anew.
    pub(in crate::app) fn take_labels(
        &mut self,
        verdicts: impl IntoIterator<Item = (CellKey, crate::session::Verdict)>,
    ) {
        self.labels.verdicts = verdicts.into_iter().collect();
        self.labels.count_corrections();
        self.rebuild();
    }

    /// Makes an edit on the screen: verdicts and counts. Returns images whose squares changed: these are to be classified
    /// again.
    pub(in crate::app) fn edit(&mut self, edit: &Edit) -> Vec<ImageId> {
        let mut tiles: Vec<CellId> = Vec::new();
        let mut again = BTreeSet::new();
        for change in &edit.changes {
            let square = |v: &Option<crate::session::Verdict>| v.as_ref().and_then(|v| v.square);
            let moved = square(&change.before) != square(&change.after);
            for &image in self.images.with_digest(&change.key.image) {
                if moved {
                    again.insert(image);
                }
                let tile = CellId { image, number: change.key.cell };
                tiles.extend(self.cell_of(tile).map(|_| tile));
            }
        }
        tiles.iter().for_each(|t| self.count_tile(*t, false));
        self.case.heard.push_back(edit.clone());
        self.labels.apply(edit);
        tiles.iter().for_each(|t| self.count_tile(*t, true));
        // Labels may change what is shown and in which order; only then is the gallery put in order again.
        if self.filter != Filter::default()
            || !matches!(
                self.sort,
                GallerySort::Name
                    | GallerySort::Similar
                    | GallerySort::Unlike
                    | GallerySort::LeastConfident
                    | GallerySort::MostConfident
            )
        {
            self.gallery = GalleryState::Stale;
        }
        again.into_iter().collect()
    }

    /// How far the running classification is, for the status bar.
    pub(crate) fn job_status(&self, now: f64) -> Option<JobStatus> {
        let job = self.job.as_ref()?;
        let (speed, left) = job.pace(now);
        let share = if job.total > 0 { job.done as f32 / job.total as f32 } else { 0.0 };
        let text = match (job.total, left) {
            (0, _) if self.watching => job.title.clone(),
            (0, _) => tr!("Listing files…"),
            (total, None) => tr!("%{n} of %{all}", n = 0, all = whole(total)),
            (total, Some(s)) => tr!(
                "%{n} of %{all}, %{speed} images/s, %{time} left",
                n = whole(job.done),
                all = whole(total),
                speed = decimal(speed, 0),
                time = duration(s)
            ),
        };
        Some(JobStatus { text, share, stopping: job.stopping })
    }

    /// Whether a person drew, moved or took back the square of a cell.
    pub fn is_own(&self, image: ImageId, number: u32) -> bool {
        let key = self.images.get(image).and_then(|i| i.digest).map(|image| CellKey { image, cell: number });
        key.and_then(|key| self.labels.verdicts.get(&key)).is_some_and(|v| v.square.is_some())
    }

    /// What is unusual about what is open.
    pub fn look_at_folder(&self) -> Option<Unusual> {
        let mut look = FolderLook::default();
        self.images.iter().for_each(|(_, result)| look.add(result));
        look.unusual()
    }

    /// The image that is looked at, and its places that show no white cell, least doubtful first.
    pub fn rejected_here(&self) -> Option<(ImageId, &[RejectedPlace])> {
        let image = self.selected?.image;
        Some((image, &self.images.get(image)?.rejected))
    }

    /// Which cells the pipeline should take.
    pub fn cells(&self) -> Cells {
        if self.all_cells { Cells::ByScene } else { Cells::One }
    }

    /// Why no label can be given now; `None` where it can.
    pub fn label_obstacle(&self) -> Option<String> {
        if let Some(why) = self.labels.obstacle() {
            return Some(why.to_owned());
        }
        let signed = self.case.record.signatures.last().filter(|_| self.case.record.locked())?;
        Some(tr!("it was signed by %{who}; amend it to change something", who = signed.operator))
    }

    /// The spelling in which a label is given: the catalogue's, else the one that it has here already.
    pub fn spelling(&self, label: &str) -> String {
        let given: BTreeSet<&str> = self.labels.verdicts.values().map(|v| v.label.as_str()).collect();
        one_spelling(label, self.model.classes.names().iter().map(String::as_str).chain(given))
    }
}
