//! What an evaluation found, ready to be written: the one value from which the command line's files, the window's numbers
//! and its exports are made. Nothing here is computed from pixels.

use crate::domain::{Digest, Square, same_label};
use crate::metrics::{Evaluation, Sample, share};
use std::borrow::Cow;

/// One labelled cell that the model answered to; its place is its row in the sample.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluatedCell {
    pub file: std::path::PathBuf,
    /// The file, as it is shown.
    pub path: String,
    /// Digest of the file's bytes, as `sha256sum` gives it.
    pub file_digest: Digest,
    /// What the cell is known by: its file and, where the dataset says one, its square. Corrections are kept under it.
    pub digest: Digest,
    /// Its square, where the dataset says one.
    pub given: Option<Square>,
    /// The square that the model saw.
    pub square: Square,
    /// The reference class as the dataset has it, whatever was corrected since.
    pub original: usize,
    /// Whether this very image, or a near-duplicate, was learnt from.
    pub overlap: TrainOverlap,
    /// How unlike the training images it is, as a share of the model's threshold.
    pub ood_score: Option<f32>,
}

/// Whether an image was in the model's training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TrainOverlap {
    /// Not, or not known.
    #[default]
    No,
    /// This very file.
    Exact,
    NearDuplicate,
}

impl TrainOverlap {
    /// The word in `predictions.csv`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Exact => "same",
            Self::NearDuplicate => "alike",
        }
    }
}

/// A labelled image without an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Unscored {
    /// The file, as it is shown.
    pub path: String,
    /// Digest of the file's bytes; none where it could not be read.
    pub file_digest: Option<Digest>,
    /// Its square, where the dataset says one.
    pub given: Option<Square>,
    pub reference: usize,
    /// Why it failed; `None` where no white cell was found.
    pub error: Option<String>,
}

/// An evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluated {
    pub labels: Vec<String>,
    pub model: String,
    /// The model's digest, hexadecimal.
    pub model_sha256: String,
    /// The dataset, as it is shown.
    pub data: String,
    /// Digest over the sorted image digests and labels, hexadecimal.
    pub data_sha256: String,
    /// What ran the network, in words.
    pub provider: String,
    /// Labels of the dataset that were taken for a class of another name, and those left out (no class).
    pub mapped: Vec<(String, Option<String>)>,
    /// How cells were grouped, in words.
    pub grouping: Vec<String>,
    pub notes: Vec<String>,
    /// The cells, in the sample's order.
    pub cells: Vec<EvaluatedCell>,
    /// References and answers.
    pub sample: Sample,
    pub scores: Evaluation,
    /// Scores without cells that were in the training; none where none was, or nothing is left.
    pub unseen: Option<Evaluation>,
    /// Whether the model carries a record of what it learnt from.
    pub recorded: bool,
    /// Whether it began from a model that does not: then it learnt from more images than are recorded.
    pub partial_record: bool,
    /// Labelled images without an answer.
    pub unscored: Vec<Unscored>,
    /// The model's abstain threshold; 0 without.
    pub threshold: f64,
    pub seed: u64,
}

impl Evaluated {
    /// Cells that were in the training: the same file, and near-duplicates.
    pub fn overlap(&self) -> (usize, usize) {
        let count = |l: TrainOverlap| self.cells.iter().filter(|c| c.overlap == l).count();
        (count(TrainOverlap::Exact), count(TrainOverlap::NearDuplicate))
    }

    /// The scores to judge by: of images that were not in the model's training, as far as its record says. None where it
    /// learnt from every one.
    pub fn judged(&self) -> Option<&Evaluation> {
        match self.overlap() {
            (0, 0) => Some(&self.scores),
            _ => self.unseen.as_ref(),
        }
    }

    /// What [`Evaluated::judged`] was computed from; all cells where the model learnt from every one.
    pub fn judged_sample(&self) -> Cow<'_, Sample> {
        self.without_overlap().map_or(Cow::Borrowed(&self.sample), Cow::Owned)
    }

    /// Which model on which data, how much is right, and of how many: "M on D · 80.7 % right (75.8–84.7) · n 300".
    pub fn title(&self) -> String {
        let data = self.data.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or(&self.data);
        let unseen = if self.overlap() == (0, 0) { "" } else { " unseen" };
        match self.judged() {
            Some(s) => {
                let interval = s
                    .accuracy
                    .interval
                    .map_or(String::new(), |i| format!(" ({:.1}–{:.1})", 100.0 * i.low, 100.0 * i.high));
                format!(
                    "{} on {data} · {:.1} % right{interval} · n {}{unseen}",
                    self.model,
                    100.0 * s.accuracy.value,
                    s.n
                )
            }
            None => format!("{} on {data} · – (n 0 unseen: it learnt from all {})", self.model, self.cells.len()),
        }
    }

    /// The figure of all cells where some were in the training, and their share: not to be judged by.
    pub fn contaminated_line(&self) -> Option<String> {
        let (same, alike) = self.overlap();
        (same + alike > 0).then(|| {
            format!(
                "with images of its training: {:.1} % right of {} ({:.1} % of them in training); too good to judge by",
                100.0 * self.scores.accuracy.value,
                self.scores.n,
                100.0 * share(same + alike, self.cells.len())
            )
        })
    }

    /// Whether any image was in the training, in a sentence.
    pub fn learnt_line(&self) -> String {
        let (same, alike) = self.overlap();
        if !self.recorded {
            return "the model carries no record of its training images: whether some are among these cannot be checked"
                .into();
        }
        let more = if self.partial_record { "; the model that it began from carries no record" } else { "" };
        match (same + alike, self.cells.len()) {
            (0, n) => format!("none of {n} was in training{more}"),
            (k, n) => format!("{k} of {n} were in training ({same} the same file, {alike} near-duplicates){more}"),
        }
    }

    /// Images that failed, and images without a white cell.
    pub fn missing(&self) -> (usize, usize) {
        let failed = self.unscored.iter().filter(|u| u.error.is_some()).count();
        (failed, self.unscored.len() - failed)
    }

    /// Cells whose reference was corrected.
    pub fn corrected(&self) -> usize {
        self.cells.iter().zip(self.sample.references()).filter(|(c, t)| c.original != **t).count()
    }

    /// Takes over references that were corrected before: `label_of` says what an image was corrected to. Labels that are no
    /// class here are left alone.
    pub fn apply(&mut self, label_of: impl Fn(&Digest) -> Option<String>) {
        let mut changed = false;
        for (row, cell) in self.cells.iter().enumerate() {
            let class = label_of(&cell.digest).and_then(|label| self.labels.iter().position(|l| same_label(l, &label)));
            if let Some(class) = class.filter(|c| *c != self.sample.references()[row]) {
                self.sample.correct(row, class);
                changed = true;
            }
        }
        if changed {
            self.score();
        }
    }

    /// The scores again without intervals, after a reference was corrected: what can be had within a frame.
    pub fn score_points(&mut self) {
        if let Some(scores) = Evaluation::points(&self.sample) {
            self.scores = scores;
        }
        self.unseen = self.without_overlap().and_then(|s| Evaluation::points(&s));
    }

    /// Computes all scores again with intervals, after references were corrected.
    pub fn score(&mut self) {
        if let Some(scores) = Evaluation::new(&self.sample, self.seed) {
            self.scores = scores;
        }
        self.unseen = self.without_overlap().and_then(|s| Evaluation::new(&s, self.seed));
    }

    /// The sample without cells that were in the training; `None` where there is none of them.
    pub fn without_overlap(&self) -> Option<Sample> {
        let rows: Vec<usize> = (0..self.cells.len()).filter(|&r| self.cells[r].overlap == TrainOverlap::No).collect();
        if rows.len() == self.cells.len() || rows.is_empty() {
            return None;
        }
        self.of_rows(&rows)
    }

    /// The sample of some rows alone.
    pub fn of_rows(&self, rows: &[usize]) -> Option<Sample> {
        let pick = |of: &[usize]| rows.iter().map(|&r| of[r]).collect::<Vec<_>>();
        let p: Vec<f64> = rows.iter().flat_map(|&r| self.sample.row(r).to_vec()).collect();
        Sample::new(self.labels.len(), pick(self.sample.references()), &p, pick(self.sample.groups()))
    }

    /// Rows whose reference is most likely wrong, the most likely first: cells off the diagonal that the model calls
    /// another class with at least that class' usual confidence, by how little the model believes the reference
    /// (confident learning: Northcutt et al., JAIR 70 (2021) 1373, "prune by noise rate" without the rate).
    pub fn likely_wrong(&self) -> Vec<usize> {
        let (s, k) = (&self.sample, self.labels.len());
        // Mean probability of each class among the cells that have it as reference.
        let mut sums = vec![(0.0, 0usize); k];
        for row in 0..s.len() {
            let sum = &mut sums[s.references()[row]];
            sum.0 += s.row(row)[s.references()[row]];
            sum.1 += 1;
        }
        let usual: Vec<f64> = sums.iter().map(|(p, n)| if *n == 0 { 1.0 } else { p / *n as f64 }).collect();
        let mut rows: Vec<usize> =
            (0..s.len()).filter(|&r| !s.right(r) && s.confidence(r) >= usual[s.predicted()[r]]).collect();
        let belief = |r: usize| s.row(r)[s.references()[r]];
        rows.sort_by(|a, b| belief(*a).total_cmp(&belief(*b)).then(a.cmp(b)));
        rows
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Six cells of two classes: one wrong with great confidence, one wrong with little, one learnt from.
    pub(crate) fn small() -> Evaluated {
        let references = vec![0, 0, 0, 1, 1, 1];
        let first = [0.9, 0.8, 0.02, 0.45, 0.55, 0.1];
        let p: Vec<f64> = first.iter().flat_map(|v| [*v, 1.0 - v]).collect();
        let sample = Sample::new(2, references.clone(), &p, (0..6).collect()).expect("fits");
        let cells = references
            .iter()
            .enumerate()
            .map(|(i, t)| EvaluatedCell {
                file: format!("{i}.png").into(),
                path: if i == 1 { "=a,\"b\"<c>.png".into() } else { format!("{i}.png") },
                file_digest: Digest([u8::try_from(i).expect("small"); 32]),
                digest: Digest([u8::try_from(i).expect("small"); 32]),
                given: None,
                square: Square { x: 1.0, y: 2.0, side: 30.0 },
                original: *t,
                overlap: if i == 0 { TrainOverlap::Exact } else { TrainOverlap::No },
                ood_score: Some(0.5),
            })
            .collect();
        let mut e = Evaluated {
            labels: vec!["basophil".into(), "a <b>".into()],
            model: "test".into(),
            model_sha256: "00".into(),
            data: "data".into(),
            data_sha256: "11".into(),
            provider: "cpu (3 of 3 nodes)".into(),
            mapped: vec![("x".into(), None)],
            grouping: vec![],
            notes: vec![],
            cells,
            scores: Evaluation::new(&sample, 1).expect("cells"),
            sample,
            unseen: None,
            recorded: true,
            partial_record: false,
            unscored: vec![Unscored {
                path: "no.png".into(),
                file_digest: None,
                given: None,
                reference: 0,
                error: None,
            }],
            threshold: 0.0,
            seed: 1,
        };
        e.score();
        e
    }

    #[test]
    fn learnt_cells_are_set_apart_and_corrections_counted() {
        let mut e = small();
        assert_eq!((e.overlap(), e.missing(), e.corrected()), ((1, 0), (0, 1), 0));
        assert_eq!((e.unseen.as_ref().map(|u| u.n), e.judged().map(|u| u.n)), (Some(5), Some(5)));
        assert!(
            e.title().starts_with("test on data · 60.0 % right (") && e.title().ends_with("· n 5 unseen"),
            "{}",
            e.title()
        );
        let small = e.contaminated_line().expect("some were learnt");
        assert!(small.contains("66.7 % right of 6 (16.7 % of them in training)"), "{small}");
        e.cells.iter_mut().for_each(|c| c.overlap = TrainOverlap::Exact);
        e.score();
        assert!(e.judged().is_none() && e.title().contains("it learnt from all 6"), "{}", e.title());
        e.cells.iter_mut().for_each(|c| c.overlap = TrainOverlap::No);
        e.score();
        assert!(e.title().ends_with("· n 6") && e.contaminated_line().is_none());
        e.cells[0].overlap = TrainOverlap::Exact;
        e.score();
        e.sample.correct(2, 1);
        e.score();
        assert_eq!((e.corrected(), e.scores.confusion.count(1, 1)), (1, 3));
    }

    #[test]
    fn the_most_likely_wrong_label_comes_first() {
        // Row 2 is called class 1 with 0.98; rows 3 and 4: row 4 is called 0 with .55, below that class' usual .573.
        assert_eq!(small().likely_wrong(), [2]);
    }
}
