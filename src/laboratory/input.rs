//! From what is known of a case to what is counted: the one way, for window, script, report and signature. Pure.
//!
//! An image counts once however many files hold it; a file that changed or went since it was looked at does not count, and
//! neither do the labels that were given for it.

use super::case::CaseFacts;
use super::confirmation::Confirmed;
use super::naming::cannot_name;
use super::ranges::Ranges;
use super::rounding;
use super::run::RunRecord;
use super::snapshot::Snapshot;
use super::table::LeftOut;
use super::text::plain_text;
use crate::domain::{CellResult, Differential, Digest, ImageResult, Outcome, Role, UNIDENTIFIED, role};
use crate::session::{CellKey, Confirmation, Confirmations, Verdict};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

/// What became of a file since its result was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnDisk {
    /// It is what it was, as far as anybody looked.
    #[default]
    Same,
    /// It holds something else now.
    Changed,
    /// It is not there any more.
    Gone,
}

/// A file of a case that was looked at.
#[derive(Debug, Clone, Copy)]
pub struct CaseImage<'a> {
    /// What came of it.
    pub result: &'a ImageResult,
    /// What became of it since.
    pub on_disk: OnDisk,
}

/// Everything that a differential is made from.
#[derive(Debug, Clone, Default)]
pub struct CaseInput<'a> {
    /// Files that were looked at, in any order.
    pub images: Vec<CaseImage<'a>>,
    /// Labels of the model that suggested, in its order; none without a model.
    pub classes: Vec<String>,
    /// Name and digest of the model; empty without one.
    pub model: (String, String),
    /// What people said.
    pub labels: BTreeMap<CellKey, &'a Verdict>,
    /// How each label was confirmed.
    pub confirmations: Option<&'a Confirmations>,
    /// How far the last run came; nothing where there never was one.
    pub run: Option<RunRecord>,
    /// What was entered.
    pub facts: CaseFacts,
    pub ranges: Ranges,
    /// Images of one field each, as the user agreed.
    pub same_fields: Vec<Vec<Digest>>,
    /// Images of different fields, as the user said.
    pub other_fields: Vec<Vec<Digest>>,
    /// Images that look like the same field, decided or not.
    pub alike: Vec<Vec<Digest>>,
}

/// The slide that an image is of: the folder that it lies in.
pub fn slide_of(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).to_owned()
}

/// The label of a cell: the user's, or what the model suggests; and whether the user gave it.
pub fn label_of<'a>(verdict: Option<&'a Verdict>, suggested: &'a str) -> (&'a str, bool) {
    match verdict {
        Some(v) if v.named() => (&v.label, true),
        _ => (suggested, false),
    }
}

/// What the model suggests for a cell of a result.
pub fn suggestion<'a>(cell: &CellResult, classes: &'a [String]) -> &'a str {
    let class = cell.accepted.then(|| classes.get(cell.probabilities.top().0)).flatten();
    class.map_or(UNIDENTIFIED, String::as_str)
}

/// Cells counted so far.
#[derive(Default)]
struct Counting<'a> {
    slides: BTreeMap<PathBuf, Differential>,
    confirmed: Confirmed,
    /// Of each label as it stands somewhere: as it is counted, and whether it is one of the 100 %.
    labels: HashMap<&'a str, (String, bool)>,
}

impl<'a> Counting<'a> {
    fn cell(
        &mut self,
        into: &mut Differential,
        key: CellKey,
        label: &'a str,
        reviewed: bool,
        how: Option<&Confirmations>,
    ) {
        let (label, white) = self.labels.entry(label).or_insert_with(|| {
            let plain = plain_text(label);
            let label = if plain.is_empty() { UNIDENTIFIED.to_owned() } else { plain };
            let white = role(&label) == Role::Counted;
            (label, white)
        });
        into.count(label, reviewed, true);
        if *white {
            // A label of which no trail tells came from somewhere else.
            let how = || how.and_then(|c| c.get(key)).unwrap_or(Confirmation::Imported);
            self.confirmed.add(reviewed.then(how));
        }
    }
}

/// The file that stands for each image: of several with the same content the first by path that could be read.
fn standing<'a>(order: &[CaseImage<'a>]) -> HashMap<Digest, &'a Path> {
    let mut standing: HashMap<Digest, &'a ImageResult> = HashMap::new();
    let read = |i: &ImageResult| matches!(i.outcome, Outcome::Cells(_));
    for CaseImage { result, .. } in order.iter().filter(|i| i.on_disk == OnDisk::Same) {
        let Some(digest) = result.digest else { continue };
        match standing.get(&digest) {
            Some(first) if read(first) || !read(result) => {}
            _ => drop(standing.insert(digest, result)),
        }
    }
    standing.into_iter().map(|(d, i)| (d, i.path.as_path())).collect()
}

/// What became of a label in the count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// It stands in the count, inside the 100 % or beside it.
    Yes,
    /// Its image is another image of a field that counts already.
    SameField,
    /// Its cell is not found now.
    NoCell,
    /// Its image is gone, or holds something else.
    NoImage,
}

impl Counted {
    /// The word in the table of labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::SameField => "same field",
            Self::NoCell => "cell not found",
            Self::NoImage => "image gone or changed",
        }
    }
}

impl CaseInput<'_> {
    /// Counts. `made` is UTC, RFC 3339.
    pub fn snapshot(self, made: &str) -> Snapshot {
        self.count(made).0
    }

    /// Counts, and says of each label that the user gave what became of it.
    pub fn count(self, made: &str) -> (Snapshot, BTreeMap<CellKey, Counted>) {
        let mut order = self.images.clone();
        order.sort_by(|a, b| a.result.path.cmp(&b.result.path));
        let mut tally = Tally { standing: standing(&order), ..Tally::default() };
        let here: Vec<&ImageResult> = order.iter().filter_map(|image| tally.stands(&self, image)).collect();
        here.into_iter().for_each(|result| tally.image(&self, result));
        tally.undecided(&self);
        let became = tally.labels(&self);
        let Tally { counting: Counting { slides, confirmed, .. }, left, .. } = tally;
        let snapshot = Snapshot {
            case: self.facts,
            range_source: Some(self.ranges.source()),
            ranges: self.ranges.list().to_vec(),
            cannot_name: Some(cannot_name(&self.classes).into_iter().map(str::to_owned).collect()),
            classes: self.classes,
            slides: slides.into_iter().collect(),
            model: self.model,
            made: made.to_owned(),
            left,
            confirmed: Some(confirmed),
            run: self.run,
            rounding: rounding::RULE.to_owned(),
        };
        (snapshot, became)
    }
}

/// A count on its way.
#[derive(Default)]
struct Tally<'a> {
    /// The file that stands for each image.
    standing: HashMap<Digest, &'a Path>,
    counting: Counting<'a>,
    left: LeftOut,
    /// Images that count.
    present: HashSet<Digest>,
    /// Images of a field that counts already.
    passed: HashSet<Digest>,
    found: HashSet<CellKey>,
    /// Which of the same fields were met.
    fields: BTreeSet<usize>,
}

impl<'a> Tally<'a> {
    /// The image where it counts; else it is noted why not.
    fn stands<'b>(&mut self, case: &CaseInput<'_>, image: &CaseImage<'b>) -> Option<&'b ImageResult> {
        let result = image.result;
        match image.on_disk {
            OnDisk::Same => {}
            OnDisk::Changed => {
                self.left.changed += 1;
                return None;
            }
            OnDisk::Gone => {
                self.left.gone += 1;
                return None;
            }
        }
        let Some(digest) = result.digest else { return Some(result) };
        if self.standing.get(&digest).is_none_or(|p| *p != result.path) {
            self.left.copies.push(result.path.clone());
            return None;
        }
        let field = case.same_fields.iter().position(|f| f.contains(&digest));
        if field.is_some_and(|f| !self.fields.insert(f)) {
            self.left.same_fields.push(result.path.clone());
            self.passed.insert(digest);
            return None;
        }
        self.present.insert(digest);
        Some(result)
    }

    /// Counts an image and its cells.
    fn image(&mut self, case: &'a CaseInput<'a>, result: &'a ImageResult) {
        let slide = slide_of(&result.path);
        let mut own = self.counting.slides.remove(&slide).unwrap_or_default();
        own.add_image(result);
        if let (Outcome::Cells(cells), Some(image)) = (&result.outcome, result.digest) {
            for cell in cells {
                let key = CellKey { image, cell: cell.number };
                self.found.insert(key);
                let verdict = case.labels.get(&key).copied();
                let (label, reviewed) = label_of(verdict, suggestion(cell, &case.classes));
                self.counting.cell(&mut own, key, label, reviewed, case.confirmations);
            }
        }
        self.counting.slides.insert(slide, own);
    }

    /// Notes what looks alike, and is there, and nobody has decided yet.
    fn undecided(&mut self, case: &CaseInput<'_>) {
        let decided = |group: &[Digest]| {
            let within = |known: &Vec<Digest>| group.iter().all(|d| known.contains(d));
            case.same_fields.iter().chain(&case.other_fields).any(within)
        };
        for group in case.alike.iter().filter(|g| !decided(g)) {
            let there = group.iter().filter(|d| self.present.contains(*d));
            let paths: Vec<PathBuf> = there.filter_map(|d| self.standing.get(d).map(|p| p.to_path_buf())).collect();
            if paths.len() > 1 {
                self.left.alike.push(paths);
            }
        }
    }

    /// What became of each label that the user gave; those whose cell was not found are noted.
    fn labels(&mut self, case: &'a CaseInput<'a>) -> BTreeMap<CellKey, Counted> {
        let looked = !case.images.is_empty() || case.run.is_some();
        let mut became = BTreeMap::new();
        for (key, verdict) in case.labels.iter().filter(|(_, v)| v.named()) {
            let counted = if self.found.contains(key) {
                Counted::Yes
            } else if !looked {
                // Labels of a table and no images at all: there is nothing that they could disagree with.
                let mut own = self.counting.slides.remove(Path::new("")).unwrap_or_default();
                self.counting.cell(&mut own, *key, &verdict.label, true, case.confirmations);
                self.counting.slides.insert(PathBuf::new(), own);
                Counted::Yes
            } else if self.present.contains(&key.image) {
                self.left.labels_unmatched += 1;
                Counted::NoCell
            } else if self.passed.contains(&key.image) {
                Counted::SameField
            } else {
                self.left.labels_gone += 1;
                Counted::NoImage
            };
            became.insert(*key, counted);
        }
        became
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Probabilities, Square};
    use crate::laboratory::RunEnd;

    fn image(path: &str, digest: u8, classes: &[usize]) -> ImageResult {
        let cell = |number: u32, class: usize| CellResult {
            number,
            square: Square { x: 0.0, y: 0.0, side: 30.0 },
            probabilities: Probabilities::new(vec![f32::from(u8::from(class == 0)), f32::from(u8::from(class == 1))])
                .unwrap_or_else(|| Probabilities::new(vec![0.5, 0.5]).expect("sums to one")),
            accepted: class < 2,
            ood_score: None,
            features: Vec::new(),
            doubt: None,
            flags: Vec::new(),
            views: None,
        };
        ImageResult {
            index: 0,
            path: path.into(),
            digest: Some(Digest([digest; 32])),
            size: Some((64, 64)),
            outcome: Outcome::Cells((1..).zip(classes).map(|(n, c)| cell(n, *c)).collect()),
            rejected: Vec::new(),
            warnings: Vec::new(),
            provider: None,
        }
    }

    fn key(digest: u8, cell: u32) -> CellKey {
        CellKey { image: Digest([digest; 32]), cell }
    }

    fn counted(input: CaseInput<'_>) -> (Vec<(String, usize, usize)>, LeftOut, Confirmed) {
        let s = input.snapshot("");
        let t = s.table();
        let rows = t.rows.iter().filter(|r| r.count.all > 0);
        (rows.map(|r| (r.label.clone(), r.count.all, r.count.reviewed)).collect(), s.left, s.confirmed.expect("known"))
    }

    #[test]
    fn an_image_counts_once_and_what_is_not_there_any_more_counts_for_nothing() {
        let verdict = |l: &str| Verdict { label: l.into(), ..Verdict::default() };
        let (a, b, c) = (verdict("NEUTROPHILS"), verdict("blast"), verdict("monocyte"));
        let images = [
            image("/s/b.png", 1, &[0]),
            image("/s/a.png", 1, &[0]),
            image("/s/c.png", 2, &[0, 1, 2]),
            image("/s/d.png", 3, &[1]),
            image("/t/e.png", 4, &[1]),
            image("/t/f.png", 5, &[1]),
        ];
        let disk = [OnDisk::Same, OnDisk::Same, OnDisk::Same, OnDisk::Changed, OnDisk::Gone, OnDisk::Same];
        let input = || CaseInput {
            images: images.iter().zip(disk).map(|(result, on_disk)| CaseImage { result, on_disk }).collect(),
            classes: vec!["lymphocyte".into(), "neutrophil".into()],
            // Of the image that is there twice; of one that changed; of one that nobody has; of a cell that is not found.
            labels: [(key(1, 1), &a), (key(3, 1), &b), (key(9, 1), &b), (key(2, 7), &c)].into(),
            run: Some(RunRecord { listed: true, to_do: 6, done: 6, end: RunEnd::Complete }),
            ..CaseInput::default()
        };
        let (rows, left, confirmed) = counted(input());
        assert_eq!(
            rows,
            [("neutrophil".to_owned(), 3, 1), ("lymphocyte".to_owned(), 1, 0)],
            "the copy once, the suggestions of what is there"
        );
        assert_eq!(left.copies, [PathBuf::from("/s/b.png")], "the first by path stands");
        assert_eq!((left.changed, left.gone, left.labels_gone, left.labels_unmatched), (1, 1, 2, 1));
        // Nobody's trail tells how that label came to be: it was taken over.
        assert_eq!((confirmed.imported, confirmed.model, confirmed.all()), (1, 3, 4));
        let mut turned = input();
        turned.images.reverse();
        assert_eq!(counted(turned), counted(input()), "the order in which files came decides nothing");
        let mut agreed = input();
        agreed.same_fields = vec![vec![Digest([2; 32]), Digest([5; 32])]];
        let (rows, left, _) = counted(agreed);
        assert_eq!(left.same_fields, [PathBuf::from("/t/f.png")]);
        assert_eq!(rows[0], ("neutrophil".to_owned(), 2, 1));
        // Labels of a table, and no image was ever looked at: they are all there is.
        let table = CaseInput { images: Vec::new(), run: None, ..input() };
        let (rows, left, _) = counted(table);
        assert_eq!((rows.iter().map(|r| r.1).sum::<usize>(), left), (4, LeftOut::default()));
    }
}
