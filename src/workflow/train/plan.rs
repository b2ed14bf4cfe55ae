//! What a person sees before Start: classes, what failed, groups, parts. Nothing is learnt here.

use super::super::UserError;
use super::start::{Picture, Start, load_start, usual_square};
use crate::dataset::{
    Alike, CellCache, CellState, CutCell, Grouping, Groups, Item, LEAST, Part, Ratio, Split, SplitError, View, group,
    near_duplicates, scan, split,
};
use crate::domain::{ClassSet, Digest};
use crate::files::{digest_of, display_path};
use crate::model::Preprocessing;
use crate::task::{Cancel, Progress};
use crate::training::RecipeKind;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Side of the squares on which near-duplicates are looked for where the network sees whole pictures.
const LIKENESS_SIDE: usize = 128;

/// What to train on, from and into.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainRequest {
    /// A folder per class, or a CSV.
    pub dataset: PathBuf,
    /// The recipe's kind.
    pub kind: RecipeKind,
    /// The model to start from; the bundled one without.
    pub init: Option<PathBuf>,
    /// What the network sees of a picture; as the starting model has it without.
    pub picture: Option<Picture>,
    /// Pixels a side; as the starting model has it without.
    pub side: Option<usize>,
    /// Shares of the parts.
    pub ratio: Ratio,
    /// How images are grouped.
    pub grouping: Grouping,
    /// Labels to leave out.
    pub leave_out: Vec<String>,
    /// Of everything drawn by chance.
    pub seed: u64,
    /// Where cut cells and activations are cached; the user's cache folder without.
    pub cache: Option<PathBuf>,
}

impl TrainRequest {
    /// The usual request for a dataset.
    #[must_use]
    pub fn new(dataset: PathBuf) -> Self {
        Self {
            dataset,
            kind: RecipeKind::Blocks(3),
            init: None,
            picture: None,
            side: None,
            ratio: Ratio::default(),
            grouping: Grouping::Auto,
            leave_out: Vec::new(),
            seed: 1,
            cache: None,
        }
    }
}

/// One class of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClassCount {
    /// Its label.
    pub label: String,
    /// Labelled images.
    pub images: usize,
    /// Of these, images without a white cell.
    pub no_cell: usize,
    /// Of these, images that failed.
    pub failed: usize,
    /// Groups of those with a cell.
    pub groups: usize,
    /// Cells in training, validation and test.
    pub parts: [usize; 3],
    /// Whether the person leaves it out.
    pub left_out: bool,
}

/// What a person sees before Start.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TrainPlan {
    /// Classes in the order of the new model's outputs, then those left out.
    pub classes: Vec<ClassCount>,
    /// What the file names or the CSV said about groups, in words.
    pub grouping: Vec<String>,
    /// Groups in all.
    pub groups: usize,
    /// Near-duplicates that were joined.
    pub joined: usize,
    /// Things to know.
    pub notes: Vec<String>,
    /// Images that failed or have no cell: path and reason.
    pub excluded: Vec<(String, String)>,
    /// The starting model, in words.
    pub start: String,
    /// Whether the split is the classic random one.
    pub random_split: bool,
}

/// A plan with everything that training needs.
#[derive(Debug)]
pub struct Prepared {
    pub(super) request: TrainRequest,
    pub(super) plan: TrainPlan,
    pub(super) start: Start,
    pub(super) cache: CellCache,
    pub(super) labels: ClassSet,
    pub(super) cells: Vec<CutCell>,
    pub(super) items: Vec<Item>,
    /// Class of each cell, in `labels`.
    pub(super) classes: Vec<usize>,
    pub(super) groups: Vec<usize>,
    pub(super) parts: Vec<Part>,
    pub(super) data_digest: Digest,
    pub(super) split_digest: Digest,
}

/// Digest of lines in whatever order they come.
pub(in super::super) fn digest_of_lines(mut lines: Vec<String>) -> Digest {
    lines.sort();
    digest_of(lines.join("\n").as_bytes())
}

/// Whether a label and a known one differ only by case or outer space.
pub(in super::super) fn same_label(a: &str, b: &str) -> bool {
    a.trim().eq_ignore_ascii_case(b.trim())
}

/// Reads a dataset, cuts its cells, groups and splits them. `None` when cancelled.
///
/// # Errors
/// What is wrong with the data and what to do about it, in words.
pub fn prepare_training(
    request: &TrainRequest,
    cancel: &Cancel,
    progress: &Progress,
) -> Result<Option<Prepared>, UserError> {
    let start = load_start(request.init.as_deref(), request.kind, request.picture, request.side)?;
    let scanned = scan(&request.dataset, &|| cancel.is_cancelled()).map_err(|e| UserError::new(e.to_string()))?;
    let mut notes = scanned.notes;
    let view = View { preprocessing: start.preprocessing.clone(), size: start.spec.size };
    let cache = CellCache::open(view, request.cache.as_deref()).map_err(UserError::new)?;
    let states = cache.cut(&scanned.items, cancel, progress).map_err(UserError::new)?;
    if cancel.is_cancelled() {
        return Ok(None);
    }
    // Labels: known ones keep the starting model's spelling and order, new ones follow.
    let out = |label: &str| request.leave_out.iter().any(|l| same_label(l, label));
    if let Some(missing) = request.leave_out.iter().find(|l| !scanned.labels.iter().any(|s| same_label(s, l))) {
        return Err(UserError::new(format!(
            "there is no class \"{missing}\" to leave out; the dataset has {}",
            scanned.labels.join(", ")
        )));
    }
    let known: Vec<String> = start.labels.as_ref().map_or_else(Vec::new, |l| l.labels().to_vec());
    let mut labels: Vec<String> = Vec::new();
    for k in &known {
        if scanned.labels.iter().any(|l| same_label(l, k) && !out(l)) {
            labels.push(k.clone());
        } else {
            notes.push(format!(
                "the starting model knows \"{k}\", which the dataset lacks: the new model will not know it"
            ));
        }
    }
    let own = |label: &str| known.iter().find(|k| same_label(k, label)).cloned().unwrap_or_else(|| label.to_owned());
    for label in scanned.labels.iter().filter(|l| !out(l)) {
        if let Some(k) = known.iter().find(|k| same_label(k, label)) {
            if k != label {
                notes.push(format!("the dataset's \"{label}\" is the starting model's \"{k}\""));
            }
        } else {
            if !known.is_empty() {
                notes.push(format!("\"{label}\" is new to the starting model"));
            }
            labels.push(label.clone());
        }
    }
    let classes = ClassSet::new(labels)
        .map_err(|e| UserError::new(format!("{e}; the dataset has {}", scanned.labels.join(", "))))?;
    let mut plan = TrainPlan {
        classes: classes
            .labels()
            .iter()
            .map(|l| ClassCount { label: l.clone(), ..ClassCount::default() })
            .chain(scanned.labels.iter().filter(|l| out(l)).map(|l| ClassCount {
                label: l.clone(),
                left_out: true,
                ..ClassCount::default()
            }))
            .collect(),
        random_split: request.grouping == Grouping::None,
        start: format!(
            "{} ({}), agrees with ONNX Runtime to {:.1e}",
            start.name,
            start.digest.short(),
            start.difference
        ),
        ..TrainPlan::default()
    };
    let (mut cells, mut items, mut of) = (Vec::new(), Vec::new(), Vec::new());
    for (item, state) in scanned.items.into_iter().zip(states) {
        let label = own(&scanned.labels[item.class]);
        let at = plan.classes.iter().position(|c| c.label == label).unwrap_or(0);
        let count = &mut plan.classes[at];
        count.images += 1;
        match state {
            CellState::Cell(cell) if !count.left_out => {
                cells.push(cell);
                of.push(at);
                items.push(item);
            }
            CellState::Cell(_) | CellState::Stopped => {}
            CellState::NoCell => {
                count.no_cell += 1;
                plan.excluded.push((display_path(&item.path), "no white cell was found".into()));
            }
            CellState::Failed(why) => {
                count.failed += 1;
                plan.excluded.push((display_path(&item.path), why));
            }
        }
    }
    if cells.is_empty() {
        let why = plan.excluded.first().map_or(String::new(), |(p, w)| format!(" The first one, {p}: {w}"));
        return Err(UserError::new(format!("none of the {} images can be used.{why}", plan.excluded.len())));
    }
    if let Some((a, b)) = contradiction(&cells, &of) {
        notes.push(format!(
            "the same image stands under two labels: {} is \"{}\", {} is \"{}\"",
            items[a].name,
            classes.labels()[of[a]],
            items[b].name,
            classes.labels()[of[b]]
        ));
    }
    let alike = if request.grouping == Grouping::Auto {
        near_duplicates(&likeness(request, &cache, &cells, &items, cancel, progress)?, cancel, progress)
    } else {
        Vec::new()
    };
    if cancel.is_cancelled() {
        return Ok(None);
    }
    let groups = group(&items, request.grouping, &alike);
    describe(&mut plan, &groups, request.grouping);
    let fixed: Vec<Option<Part>> = items.iter().map(|i| i.part).collect();
    let Split { parts } = split(&of, &groups.of, &fixed, request.ratio, request.seed)
        .map_err(|e| split_error(&e, &classes, &items, &groups))?;
    for (c, count) in plan.classes.iter_mut().enumerate().take(classes.len()) {
        for (p, part) in Part::ALL.into_iter().enumerate() {
            count.parts[p] = of.iter().zip(&parts).filter(|(k, q)| **k == c && **q == part).count();
        }
        let mut own: Vec<usize> = groups.of.iter().zip(&of).filter(|(_, k)| **k == c).map(|(g, _)| *g).collect();
        own.sort_unstable();
        own.dedup();
        count.groups = own.len();
        if count.parts[0] > 0 && count.parts[1] == 0 {
            notes.push(format!("\"{}\" has no image in validation: its groups are too few", count.label));
        }
    }
    let sizes = || plan.classes.iter().filter(|c| !c.left_out).map(|c| c.parts.iter().sum::<usize>());
    if let (Some(most), Some(least)) = (sizes().max(), sizes().min())
        && most > 4 * least
    {
        notes.push(format!(
            "classes are uneven: the largest has {} times the images of the smallest",
            most / least.max(1)
        ));
    }
    if plan.random_split {
        notes.push("random split: copies of one cell may be on both sides, and the figures may be too good".into());
    }
    plan.notes = notes;
    let data_digest =
        digest_of_lines(cells.iter().zip(&of).map(|(c, k)| format!("{} {}", c.digest, classes.labels()[*k])).collect());
    let split_digest =
        digest_of_lines(cells.iter().zip(&parts).map(|(c, p)| format!("{} {}", c.digest, p.as_str())).collect());
    Ok(Some(Prepared {
        request: request.clone(),
        plan,
        start,
        cache,
        labels: classes,
        cells,
        items,
        classes: of,
        groups: groups.of,
        parts,
        data_digest,
        split_digest,
    }))
}

/// How cells are cut for their likeness where the network sees whole pictures.
pub(in super::super) fn likeness_square() -> View {
    View { preprocessing: Preprocessing::CellSquare(usual_square()), size: LIKENESS_SIDE }
}

/// What near-duplicates are found by, on the cells' squares whatever the network sees: a copy turned about the middle of
/// its picture is not turned about the cell, and only the cell's own square tells that it is the same one.
pub(super) fn likeness(
    request: &TrainRequest,
    cache: &CellCache,
    cells: &[CutCell],
    items: &[Item],
    cancel: &Cancel,
    progress: &Progress,
) -> Result<Vec<Option<Alike>>, UserError> {
    use rayon::prelude::*;
    let squares;
    let (from, cut): (&CellCache, Vec<Option<CutCell>>) = match cache.view().preprocessing {
        Preprocessing::CellSquare(_) => (cache, cells.iter().map(|c| Some(*c)).collect()),
        Preprocessing::WholeImage(_) => {
            squares = CellCache::open(likeness_square(), request.cache.as_deref()).map_err(UserError::new)?;
            let states = squares.cut(items, cancel, progress).map_err(UserError::new)?;
            (&squares, states.iter().map(CellState::cell).collect())
        }
    };
    Ok(cut
        .par_iter()
        .map(|c| if cancel.is_cancelled() { None } else { from.picture((*c)?).ok().map(|p| Alike::of(&p)) })
        .collect())
}

/// Two identical images with different labels.
fn contradiction(cells: &[CutCell], classes: &[usize]) -> Option<(usize, usize)> {
    let mut seen = std::collections::HashMap::new();
    for (i, cell) in cells.iter().enumerate() {
        match seen.get(&cell.digest) {
            Some(&j) if classes[j] != classes[i] => return Some((j, i)),
            Some(_) => {}
            None => {
                seen.insert(cell.digest, i);
            }
        }
    }
    None
}

fn describe(plan: &mut TrainPlan, groups: &Groups, how: Grouping) {
    plan.grouping.extend(groups.lines());
    if how == Grouping::Auto {
        plan.grouping.push(format!("near-duplicates joined: {}", groups.joined));
    }
    (plan.groups, plan.joined) = (groups.count, groups.joined);
}

fn split_error(e: &SplitError, classes: &ClassSet, items: &[Item], groups: &Groups) -> UserError {
    UserError::new(match e {
        SplitError::TooSmall { class, images, groups, parts } => {
            let label = &classes.labels()[*class];
            format!(
                "class \"{label}\" has {images} images in {groups} groups; at least {LEAST} images and a group for each of the {parts} parts are needed. Add images, or leave it out (--leave-out \"{label}\")"
            )
        }
        SplitError::Torn(g, a, b) => {
            let example = groups.of.iter().position(|k| k == g).map_or("", |i| items[i].name.as_str());
            format!(
                "the dataset's own parts tear a group (that of {example}): some of its images are in {a}, others in {b}. Correct the split column, or use --group-by none"
            )
        }
        SplitError::Empty(part) => format!(
            "no group is left for the {part} part; there are {} groups. Add images or use another --split",
            groups.count
        ),
    })
}

impl Prepared {
    /// What a person sees before Start.
    #[must_use]
    pub fn plan(&self) -> &TrainPlan {
        &self.plan
    }

    /// What it was prepared for.
    #[must_use]
    pub fn request(&self) -> &TrainRequest {
        &self.request
    }

    /// Cells of a part.
    #[must_use]
    pub fn count(&self, part: Part) -> usize {
        self.parts.iter().filter(|p| **p == part).count()
    }

    /// The starting model's licence and labels.
    #[must_use]
    pub fn labels(&self) -> &ClassSet {
        &self.labels
    }
}

impl TrainPlan {
    /// The plan as text.
    #[must_use]
    pub fn to_text(&self) -> String {
        use std::fmt::Write as _;
        let mut t = format!("start: {}\n", self.start);
        let width = self.classes.iter().map(|c| c.label.chars().count()).max().unwrap_or(5).max(5);
        let _ = writeln!(
            t,
            "{:<width$} {:>7} {:>8} {:>7} {:>7} {:>7} {:>11} {:>6}",
            "class", "images", "no-cell", "failed", "groups", "train", "validation", "test"
        );
        for c in &self.classes {
            let [a, b, d] = c.parts;
            let _ = write!(t, "{:<width$} {:>7} {:>8} {:>7} {:>7}", c.label, c.images, c.no_cell, c.failed, c.groups);
            let _ = if c.left_out { writeln!(t, "  left out") } else { writeln!(t, " {a:>7} {b:>11} {d:>6}") };
        }
        for line in &self.grouping {
            let _ = writeln!(t, "groups: {line}");
        }
        for note in &self.notes {
            let _ = writeln!(t, "note: {note}");
        }
        for (path, why) in self.excluded.iter().take(20) {
            let _ = writeln!(t, "not used: {path}: {why}");
        }
        if self.excluded.len() > 20 {
            let _ = writeln!(t, "not used: {} more", self.excluded.len() - 20);
        }
        t
    }
}
