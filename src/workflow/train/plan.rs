//! What the user sees before Start: classes, what failed, groups, parts. Nothing is learnt here.

use super::super::UserError;
use super::initial::{InitialModel, load_initial_model, usual_square};
use super::lookalikes::{LookalikeCell, Lookalikes, lookalikes};
use super::obstacle::{Obstacle, obstacle};
use super::request::{ClassCount, TrainRequest};
use crate::dataset::{
    CellCache, CellState, CutCell, Grouping, Groups, InputView, Item, LEAST, LabelledCell, Parted, PerceptualHash,
    Scanned, Similarity, SplitPart, group, near_duplicates, scan, split_together,
};
use crate::domain::{ClassSet, Digest, Preprocessing, same_label};
use crate::files::{digest_of, display_path};
use crate::task::{Cancel, Progress};
use std::collections::{BTreeSet, HashMap};

/// Side of the squares on which near-duplicates are looked for, whatever the network sees and at whatever size: how alike
/// two cells are is a fact about the cells.
const SIMILARITY_SIDE: usize = 128;
/// Of these, the pairs that are printed.
const PRINTED_PAIRS: usize = 5;

/// What the user sees before Start.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TrainPlan {
    /// Classes in the order of the new model's outputs, then those left out.
    pub classes: Vec<ClassCount>,
    /// What the file names or the CSV said about groups, in words.
    pub grouping: Vec<String>,
    pub groups: usize,
    /// Near-duplicates without a declared group that were joined.
    pub joined: usize,
    /// Near-duplicates in different groups.
    pub lookalikes: Lookalikes,
    /// Why it cannot be split as it is; nothing is trained then.
    pub obstacle: Option<Obstacle>,
    pub notes: Vec<String>,
    /// Images that failed or have no cell: path and reason.
    pub excluded: Vec<(String, String)>,
    /// The starting model, in words.
    pub start: String,
    pub random_split: bool,
}

/// A plan with everything that training needs.
#[derive(Debug)]
pub struct PreparedDataset {
    pub(super) request: TrainRequest,
    pub(super) plan: TrainPlan,
    pub(super) start: InitialModel,
    pub(super) cache: CellCache,
    pub(super) labels: ClassSet,
    /// Their parts are known unless the plan has an obstacle; classes are those of `labels`.
    pub(super) cells: Vec<LabelledCell>,
    /// Cells of the flags that are asked for, without those that the dataset keeps for its test.
    pub(super) flagged: Vec<FlaggedCell>,
    pub(super) data_digest: Digest,
    pub(super) split_digest: Digest,
}

/// Digest of lines in whatever order they come.
pub(in super::super) fn digest_of_lines(mut lines: Vec<String>) -> Digest {
    lines.sort();
    digest_of(lines.join("\n").as_bytes())
}

/// Images whose cell was cut, in the dataset's order. The items' classes are the new model's.
struct CutImages {
    items: Vec<Item>,
    cuts: Vec<CutCell>,
    /// Cells of flags, which are no classes: the item's class is the flag's number among those asked for.
    flagged: Vec<FlaggedCell>,
}

/// A cell of a kind that is a flag of the new model.
#[derive(Debug, Clone)]
pub(super) struct FlaggedCell {
    pub(super) item: Item,
    pub(super) cut: CutCell,
    /// Which of the request's flags.
    pub(super) flag: usize,
}

impl CutImages {
    /// All of one source to the test part. What the dataset itself keeps for its test takes no part: the model that is trained on all
    /// sources is tested on it, once.
    fn hold_out(&mut self, source: &str) {
        let tested = |item: &Item| item.part == Some(SplitPart::Test);
        let items = std::mem::take(&mut self.items).into_iter();
        let kept = items.zip(std::mem::take(&mut self.cuts)).filter(|(item, _)| !tested(item));
        (self.items, self.cuts) = kept.unzip();
        self.flagged.retain(|c| !c.item.is_of(source));
        for item in self.items.iter_mut().filter(|item| item.is_of(source)) {
            item.part = Some(SplitPart::Test);
        }
    }
}

/// Reads a dataset, cuts its cells, groups and splits them. `None` when cancelled.
///
/// # Errors
/// What is wrong with the data and what to do about it, in words.
pub fn prepare_training(
    request: &TrainRequest,
    cancel: &Cancel,
    progress: &Progress,
) -> Result<Option<PreparedDataset>, UserError> {
    let start = load_initial_model(request.init.as_deref(), request.kind, request.input, request.side)?;
    let Scanned { items, labels, notes } = scan(&request.dataset, &|| cancel.is_cancelled())?;
    let view = InputView { preprocessing: start.preprocessing.clone(), size: start.spec.size };
    let cache = CellCache::open(view, request.cache.as_deref())?;
    let states = cache.cut(&items, cancel, progress)?;
    if cancel.is_cancelled() {
        return Ok(None);
    }
    let matched = match_labels(request, &labels, start.labels.as_ref())?;
    let classes = ClassSet::new(matched.labels.clone())
        .map_err(|e| UserError::new(format!("{e}; the dataset has {}", labels.join(", "))))?;
    let mut plan = new_plan(request, &start, &classes, &labels);
    plan.notes = notes;
    plan.notes.extend(matched.notes);
    let mut images = take_cells(&mut plan, items, states, &matched.places)?;
    if let Some(source) = &request.held_out_source {
        images.hold_out(source);
    }
    plan.notes.extend(contradiction(&images, &classes));
    let alike = if request.grouping == Grouping::Auto {
        let hashes = perceptual_hashes(request, &cache, &images.items, &images.cuts, cancel, progress)?;
        near_duplicates(&hashes, cancel, progress)
    } else {
        Vec::new()
    };
    if cancel.is_cancelled() {
        return Ok(None);
    }
    let digests: Vec<Digest> = images.cuts.iter().map(|c| c.digest).collect();
    let groups = group(&images.items, request.grouping, Similarity { digests: &digests, pairs: &alike });
    describe_groups(&mut plan, request, &images.items, &groups);
    let parts = split_groups(&mut plan, request, &images, &groups, &classes);
    describe_parts(&mut plan, &images.items, &parts);
    let flagged = images.flagged;
    let labelled = images.items.into_iter().zip(images.cuts).zip(groups.of);
    let cells: Vec<LabelledCell> = labelled
        .enumerate()
        .map(|(i, ((item, cut), group))| LabelledCell {
            class: item.class,
            item,
            cut,
            group,
            part: parts.get(i).copied(),
        })
        .collect();
    let of_cell = |line: &dyn Fn(&LabelledCell) -> String| digest_of_lines(cells.iter().map(line).collect());
    let data_digest = of_cell(&|c| format!("{} {}", c.cut.digest, classes.labels()[c.class]));
    let split_digest = of_cell(&|c| format!("{} {}", c.cut.digest, c.part.map_or("", SplitPart::as_str)));
    Ok(Some(PreparedDataset {
        request: request.clone(),
        plan,
        start,
        cache,
        labels: classes,
        cells,
        flagged,
        data_digest,
        split_digest,
    }))
}

/// The plan before anything is counted: the new model's classes, then those left out.
fn new_plan(request: &TrainRequest, start: &InitialModel, classes: &ClassSet, dataset: &[String]) -> TrainPlan {
    let count = |label: &String, left_out| ClassCount { label: label.clone(), left_out, ..ClassCount::default() };
    let no_class = dataset.iter().filter(|label| request.leaves_out(label) || request.flag_of(label).is_some());
    let no_class = no_class.map(|l| ClassCount { flag: request.flag_of(l).is_some(), ..count(l, true) });
    TrainPlan {
        classes: classes.labels().iter().map(|l| count(l, false)).chain(no_class).collect(),
        random_split: request.grouping == Grouping::None,
        start: format!(
            "{} ({}), agrees with ONNX Runtime to {:.1e}",
            start.name,
            start.digest.short(),
            start.difference
        ),
        ..TrainPlan::default()
    }
}

/// Counts what became of every image, and takes those whose cell was cut and whose class is learnt.
fn take_cells(
    plan: &mut TrainPlan,
    items: Vec<Item>,
    states: Vec<CellState>,
    places: &[Place],
) -> Result<CutImages, UserError> {
    let classes = plan.classes.iter().filter(|c| !c.left_out).count();
    let mut images = CutImages { items: Vec::new(), cuts: Vec::new(), flagged: Vec::new() };
    for (mut item, state) in items.into_iter().zip(states) {
        // Where a row goes was settled once for its class; nothing is looked up by its spelling here.
        let place = places.get(item.class).copied().ok_or_else(|| {
            UserError::new(format!("{}: its label has no place among the classes; please report it", item.name))
        })?;
        let at = match place {
            Place::Class(at) => at,
            Place::LeftOut(nth, _) => classes + nth,
        };
        let count = &mut plan.classes[at];
        count.images += 1;
        match state {
            CellState::Cell(cut) if matches!(place, Place::Class(_)) => {
                item.class = at;
                images.items.push(item);
                images.cuts.push(cut);
            }
            CellState::Cell(cut) => {
                if let Place::LeftOut(_, Some(flag)) = place
                    && item.part != Some(SplitPart::Test)
                {
                    images.flagged.push(FlaggedCell { item, cut, flag });
                }
            }
            CellState::Stopped => {}
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
    if images.items.is_empty() {
        let why = plan.excluded.first().map_or(String::new(), |(p, w)| format!(" The first one, {p}: {w}"));
        return Err(UserError::new(format!("none of the {} images can be used.{why}", plan.excluded.len())));
    }
    Ok(images)
}

/// Counts groups, and says which classes are too small to be split.
fn describe_groups(plan: &mut TrainPlan, request: &TrainRequest, items: &[Item], groups: &Groups) {
    plan.grouping.extend(groups.lines());
    if request.grouping == Grouping::Auto {
        plan.grouping.push(format!("lookalikes without a declared group, joined: {}", groups.joined));
    }
    (plan.groups, plan.joined) = (groups.count, groups.joined);
    let wanted = request.ratio.0.iter().filter(|s| **s > 0.0).count();
    let declared = items.iter().any(|i| i.part.is_some());
    for (class, count) in plan.classes.iter_mut().enumerate().filter(|(_, c)| !c.left_out) {
        let own: Vec<usize> = groups.of.iter().zip(items).filter(|(_, i)| i.class == class).map(|(g, _)| *g).collect();
        count.groups = own.iter().collect::<BTreeSet<_>>().len();
        count.too_small = (own.len() < LEAST || count.groups < wanted) && !declared;
    }
}

/// Each image's part; none where the data cannot be split, and the plan says why.
fn split_groups(
    plan: &mut TrainPlan,
    request: &TrainRequest,
    images: &CutImages,
    groups: &Groups,
    classes: &ClassSet,
) -> Vec<SplitPart> {
    let alike = (&images.items[..], &images.cuts[..]);
    let of: Vec<usize> = images.items.iter().map(|i| i.class).collect();
    let fixed: Vec<Option<SplitPart>> = images.items.iter().map(|i| i.part).collect();
    match split_together(&of, groups, &fixed, request.ratio, request.seed) {
        Ok(Parted { split, apart }) => {
            plan.lookalikes = lookalikes(&groups.across, &apart, alike, classes, Some(&split.parts));
            plan.grouping.extend(plan.lookalikes.line());
            split.parts
        }
        Err(e) => {
            plan.lookalikes = lookalikes(&groups.across, &[], alike, classes, None);
            plan.obstacle = Some(obstacle(&e, request, &plan.classes, &images.items, &of, groups));
            Vec::new()
        }
    }
}

/// Counts the parts of every class, and notes what makes the figures less good than they look.
fn describe_parts(plan: &mut TrainPlan, items: &[Item], parts: &[SplitPart]) {
    for (item, part) in items.iter().zip(parts) {
        plan.classes[item.class].parts[*part as usize] += 1;
    }
    let unseen = plan.classes.iter().filter(|c| c.parts[0] > 0 && c.parts[1] == 0);
    plan.notes.extend(unseen.map(|c| format!("\"{}\" has no image in validation: its groups are too few", c.label)));
    let sizes = || plan.classes.iter().filter(|c| !c.left_out).map(|c| c.images - c.no_cell - c.failed);
    if let (Some(most), Some(least)) = (sizes().max(), sizes().min())
        && most > 4 * least
    {
        plan.notes.push(format!(
            "classes are uneven: the largest has {} times the images of the smallest",
            most / least.max(1)
        ));
    }
    if plan.random_split {
        plan.notes
            .push("random split: copies of one cell may be on both sides, and the figures may be too good".into());
    }
}

/// How cells are cut for their likeness where the network sees whole images.
pub(in super::super) fn similarity_view() -> InputView {
    InputView { preprocessing: Preprocessing::CellSquare(usual_square()), size: SIMILARITY_SIDE }
}

/// What near-duplicates are found by, on the cells' squares at one size whatever the network sees: a copy turned about the
/// middle of its image is not turned about the cell, and only the cell's own square tells that it is the same one.
pub(super) fn perceptual_hashes(
    request: &TrainRequest,
    cache: &CellCache,
    items: &[Item],
    cells: &[CutCell],
    cancel: &Cancel,
    progress: &Progress,
) -> Result<Vec<Option<PerceptualHash>>, UserError> {
    use rayon::prelude::*;
    let squares;
    let (from, cut): (&CellCache, Vec<Option<CutCell>>) = if *cache.view() == similarity_view() {
        (cache, cells.iter().map(|c| Some(*c)).collect())
    } else {
        squares = CellCache::open(similarity_view(), request.cache.as_deref())?;
        let states = squares.cut(items, cancel, progress)?;
        (&squares, states.iter().map(CellState::cell).collect())
    };
    Ok(cut
        .par_iter()
        .map(|c| if cancel.is_cancelled() { None } else { from.image((*c)?).ok().map(|p| PerceptualHash::new(&p)) })
        .collect())
}

/// Where the rows of one of the dataset's labels go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// To this class of the new model.
    Class(usize),
    /// To no class: it is the so many-th label of those, and a flag of the request where the person asks for one.
    LeftOut(usize, Option<usize>),
}

/// The classes of the new model, and where each of the dataset's labels goes.
#[derive(Debug, PartialEq, Eq)]
struct Matched {
    labels: Vec<String>,
    places: Vec<Place>,
    notes: Vec<String>,
}

/// Matches the dataset's labels with the starting model's, without those that the request leaves out.
fn match_labels(request: &TrainRequest, dataset: &[String], start: Option<&ClassSet>) -> Result<Matched, UserError> {
    if let Some(missing) = request.leave_out.iter().find(|l| !dataset.iter().any(|s| same_label(s, l))) {
        return Err(UserError::new(format!(
            "there is no class \"{missing}\" to leave out; the dataset has {}",
            dataset.join(", ")
        )));
    }
    if let Some(missing) = request.flags.iter().find(|l| !dataset.iter().any(|s| same_label(s, l))) {
        return Err(UserError::new(format!(
            "there are no images of \"{missing}\" for a flag; the dataset has {}",
            dataset.join(", ")
        )));
    }
    if let Some(both) = request.flags.iter().find(|l| request.leaves_out(l)) {
        return Err(UserError::new(format!("\"{both}\" cannot be both left out and a flag: choose one")));
    }
    let out = |label: &str| request.leaves_out(label).then_some(None).or_else(|| request.flag_of(label).map(Some));
    Ok(take_labels(dataset, start.map_or(&[], |l| l.labels()), &out))
}

/// Known labels keep the starting model's spelling and order, new ones follow. Each label of the dataset has its place
/// settled here and nowhere else; `out` says of those that are no class whether and which flag they are.
fn take_labels(dataset: &[String], known: &[String], out: &dyn Fn(&str) -> Option<Option<usize>>) -> Matched {
    let kept = |label: &String| dataset.iter().any(|l| same_label(l, label) && out(l).is_none());
    let mut labels: Vec<String> = known.iter().filter(|k| kept(k)).cloned().collect();
    let mut notes: Vec<String> = known
        .iter()
        .filter(|k| !kept(k))
        .map(|k| {
            let there = dataset.iter().any(|l| same_label(l, k));
            let why = if there { "which is left out" } else { "which the dataset lacks" };
            format!("the starting model knows \"{k}\", {why}: the new model will not know it")
        })
        .collect();
    let mut places = Vec::with_capacity(dataset.len());
    let mut left = 0;
    for label in dataset {
        if let Some(flag) = out(label) {
            places.push(Place::LeftOut(left, flag));
            left += 1;
            continue;
        }
        let exact = labels.iter().position(|l| l == label);
        let at = exact.or_else(|| labels.iter().position(|l| same_label(l, label)));
        if let Some(at) = at {
            if labels[at] != *label {
                notes.push(format!("the dataset's \"{label}\" is the starting model's \"{}\"", labels[at]));
            }
        } else if !known.is_empty() {
            notes.push(format!("\"{label}\" is new to the starting model"));
        }
        places.push(Place::Class(at.unwrap_or_else(|| {
            labels.push(label.clone());
            labels.len() - 1
        })));
    }
    Matched { labels, places, notes }
}

/// Says it where two identical images have different labels.
fn contradiction(CutImages { items, cuts, .. }: &CutImages, classes: &ClassSet) -> Option<String> {
    let mut first: HashMap<Digest, &Item> = HashMap::new();
    let (a, b) = items.iter().zip(cuts).find_map(|(item, cut)| {
        let before = *first.entry(cut.digest).or_insert(item);
        (before.class != item.class).then_some((before, item))
    })?;
    let labels = classes.labels();
    Some(format!(
        "the same image stands under two labels: {} is \"{}\", {} is \"{}\"",
        a.name, labels[a.class], b.name, labels[b.class]
    ))
}

impl PreparedDataset {
    /// What the user sees before Start.
    pub fn plan(&self) -> &TrainPlan {
        &self.plan
    }

    /// What it was prepared for.
    pub fn request(&self) -> &TrainRequest {
        &self.request
    }

    /// Nothing, or why this cannot be trained and what helps, in the command line's words.
    ///
    /// # Errors
    /// The obstacle.
    pub fn ready(&self) -> Result<(), UserError> {
        self.plan.obstacle.as_ref().map_or(Ok(()), |o| Err(UserError::new(o.for_the_command_line())))
    }

    pub fn count(&self, part: SplitPart) -> usize {
        self.cells.iter().filter(|c| c.part == Some(part)).count()
    }

    /// The starting model's licence and labels.
    pub fn labels(&self) -> &ClassSet {
        &self.labels
    }
}

impl TrainPlan {
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
            let _ = match (c.left_out, c.too_small) {
                (true, _) if c.flag => writeln!(t, "  a flag"),
                (true, _) => writeln!(t, "  left out"),
                (_, true) => writeln!(t, "  too few"),
                _ => writeln!(t, " {a:>7} {b:>11} {d:>6}"),
            };
        }
        for line in &self.grouping {
            let _ = writeln!(t, "groups: {line}");
        }
        for pair in self.lookalikes.shown.iter().take(PRINTED_PAIRS) {
            let side = |c: &LookalikeCell| c.part.map_or(String::new(), |p| format!(", {}", p.as_str()));
            let [a, b] = &pair.cells;
            let _ = writeln!(
                t,
                "lookalikes: {} ({}{}) and {} ({}{}), {:.2} alike",
                a.name,
                a.label,
                side(a),
                b.name,
                b.label,
                side(b),
                pair.correlation
            );
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

#[cfg(test)]
mod tests {
    use super::*;

    fn words(of: &[&str]) -> Vec<String> {
        of.iter().map(|w| (*w).to_owned()).collect()
    }

    /// A left-out label went to class 0 where the dataset spelt it otherwise than the starting model.
    #[test]
    fn every_label_has_one_place_and_a_left_out_one_has_none() {
        let known = words(&["basophil", "lymphocyte", "neutrophil"]);
        for spelt in ["neutrophil", "Neutrophil", "NEUTROPHILS", "Neutrophil ", "segmented neutrophil"] {
            for said in ["neutrophil", "Neutrophils", "NEUTROPHIL", "seg"] {
                let dataset = words(&["basophil", spelt, "hairy cell"]);
                let taken = take_labels(&dataset, &known, &|l| same_label(l, said).then_some(None));
                assert_eq!(taken.places, [Place::Class(0), Place::LeftOut(0, None), Place::Class(1)], "{spelt} {said}");
                assert_eq!(taken.labels, ["basophil", "hairy cell"]);
            }
        }
        let taken = take_labels(&words(&["Lymphocytes", "basophil"]), &known, &|_| None);
        assert_eq!(taken.labels, ["basophil", "lymphocyte"]);
        assert_eq!(taken.places, [Place::Class(1), Place::Class(0)]);
    }
}
