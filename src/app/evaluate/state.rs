//! What the Evaluate place knows, and how it answers: matrix, images behind a cell, corrections with undo. Plain values;
//! no egui, no disk, no thread.

use crate::app::language::{phase_text, tr};
use crate::dataset::Grouping;
use crate::domain::{History, Inverse, clinical_rank, same_label};
use crate::evaluation::{Compared, Evaluated, TrainOverlap};
use crate::metrics::{
    Binning, CurvePoint, Evaluation, Sample, at_hits, precision_recall, reliability, risk_coverage, roc, thinned,
};
use crate::task::Generation;
use crate::workflow::{ChangedReference, EvaluateProgress, EvaluateRequest, UserError};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Points of a drawn curve.
const POINTS: usize = 400;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct EvaluateForm {
    /// The labelled images, as typed.
    pub dataset: String,
    /// What to take a label for that the model does not know: a class, or nothing to leave it out.
    pub map: Vec<(String, Option<String>)>,
    /// The other model's file, as typed, for a comparison.
    pub other: String,
    /// As `map`, for labels that the other model does not know.
    pub other_map: Vec<(String, Option<String>)>,
    /// Where cut cells are cached; the user's cache folder without.
    pub cache: Option<PathBuf>,
}

impl EvaluateForm {
    /// The request for the other model, which has the classes `known`: what the user said of labels for it, and of the rest what was
    /// said for the model in use, where that names a class that the other one has too.
    ///
    /// # Errors
    /// As [`EvaluateForm::request`].
    pub fn request_for_other(
        &self,
        provider: crate::inference::Provider,
        known: &[String],
    ) -> Result<EvaluateRequest, UserError> {
        let named = |l: &str| self.other_map.iter().any(|(o, _)| same_label(o, l));
        let has = |to: &Option<String>| to.as_ref().is_none_or(|to| known.iter().any(|k| same_label(k, to)));
        let rest = self.map.iter().filter(|(l, to)| !named(l) && has(to));
        let map = self.other_map.iter().chain(rest).cloned().collect();
        Self { map, ..self.clone() }.request(provider)
    }

    /// The request that the form makes.
    ///
    /// # Errors
    /// What is missing, in words.
    pub fn request(&self, provider: crate::inference::Provider) -> Result<EvaluateRequest, UserError> {
        let dataset = self.dataset.trim();
        if dataset.is_empty() {
            return Err(UserError::new(tr!(
                "Choose labelled images first: a folder with a folder per class, or a CSV"
            )));
        }
        let (known, left): (Vec<_>, Vec<_>) = self.map.iter().cloned().partition(|(_, to)| to.is_some());
        Ok(EvaluateRequest {
            map: known.into_iter().filter_map(|(l, to)| Some((l, to?))).collect(),
            leave_out: left.into_iter().map(|(l, _)| l).collect(),
            grouping: Grouping::Auto,
            provider,
            cache: self.cache.clone(),
            ..EvaluateRequest::new(PathBuf::from(dataset))
        })
    }
}

/// How the matrix' numbers are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shares {
    /// Cells.
    #[default]
    Counts,
    /// Share of the reference class: what becomes of it.
    ByRow,
    /// Share of the called class: what is behind it.
    ByColumn,
}

impl Shares {
    pub const ALL: [Self; 3] = [Self::Counts, Self::ByRow, Self::ByColumn];

    pub fn text(self) -> &'static str {
        match self {
            Self::Counts => "Counts",
            Self::ByRow => "Recall %",
            Self::ByColumn => "Precision %",
        }
    }
}

/// Whose images stand beside the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Showing {
    /// Those of one number of the matrix: reference and called class.
    Cell(usize, usize),
    /// References that are most likely wrong.
    LikelyWrong,
    /// Images that only the model in use has right, in a comparison.
    OnlyThis,
    /// Images that only the other model has right.
    OnlyOther,
}

/// What is below the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EvaluateTab {
    #[default]
    Report,
    Scores,
    /// Confidence against accuracy.
    Reliability,
    Roc,
    PrecisionRecall,
    /// Share wrong against share kept.
    Risk,
    /// The other model's matrix and scores.
    Compared,
}

impl EvaluateTab {
    pub const ALL: [Self; 7] =
        [Self::Report, Self::Scores, Self::Reliability, Self::Roc, Self::PrecisionRecall, Self::Risk, Self::Compared];

    pub fn text(self) -> &'static str {
        match self {
            Self::Report => "Report",
            Self::Scores => "Scores",
            Self::Reliability => "Reliability",
            Self::Roc => "ROC",
            Self::PrecisionRecall => "Precision–recall",
            Self::Risk => "Risk–coverage",
            Self::Compared => "Other model",
        }
    }
}

/// A named line.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Its name with its area.
    pub name: String,
    /// The class' label, for its colour; none for a series that is not a class.
    pub label: Option<String>,
    /// Which of the series it is.
    pub class: usize,
    pub points: Vec<[f64; 2]>,
}

/// Everything that is drawn, made once whenever a reference changes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Curves {
    /// A class each.
    pub roc: Vec<Curve>,
    /// A class each.
    pub precision_recall: Vec<Curve>,
    /// By width, by mass.
    pub reliability: Vec<Curve>,
    /// Share kept, share wrong.
    pub risk: Vec<CurvePoint>,
}

impl Curves {
    fn new(e: &Evaluated, sample: &Sample) -> Self {
        let xy = |points: &[CurvePoint]| thinned(points, POINTS).iter().map(|p| [p.x, p.y]).collect::<Vec<_>>();
        let by_class = |of: &dyn Fn(usize) -> Option<(Vec<CurvePoint>, f64)>| {
            let curve = |(class, label): (usize, &String)| {
                let (points, area) = of(class)?;
                Some(Curve {
                    name: format!("{label} ({area:.3})"),
                    label: Some(label.clone()),
                    class,
                    points: xy(&points),
                })
            };
            let mut all: Vec<Curve> = e.labels.iter().enumerate().filter_map(curve).collect();
            all.sort_by_key(|c| clinical_rank(c.label.as_deref().unwrap_or_default()));
            all
        };
        let bins = [(Binning::Width, "bins of equal width"), (Binning::Mass, "bins of equally many cells")];
        let reliable = bins.into_iter().enumerate().map(|(class, (how, name))| Curve {
            name: name.into(),
            label: None,
            class,
            points: reliability(sample, how).iter().filter(|b| b.n > 0).map(|b| [b.confidence, b.accuracy]).collect(),
        });
        Self {
            roc: by_class(&|c| roc(sample, c)),
            precision_recall: by_class(&|c| precision_recall(sample, c).map(|(p, area)| (at_hits(&p), area))),
            reliability: reliable.collect(),
            risk: thinned(&risk_coverage(sample).0, POINTS),
        }
    }
}

/// One of the two models of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    InUse,
    /// The one that is held against it.
    Other,
}

/// Labels that the model does not know, and what the user says of each.
#[derive(Debug, Clone, PartialEq)]
pub struct Unknown {
    pub which: Which,
    /// The label and its images.
    pub labels: Vec<(String, usize)>,
    /// A class for each, nothing to leave it out; unanswered at first.
    pub answers: Vec<Option<Option<usize>>>,
    pub classes: Vec<String>,
}

/// A correction and its inverse: row, class before, class after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferenceEdit(Vec<(usize, usize, usize)>);

impl Inverse for ReferenceEdit {
    fn inverse(&self) -> Self {
        Self(self.0.iter().map(|&(row, before, after)| (row, after, before)).collect())
    }
}

/// What happened in an evaluation's job.
#[derive(Debug)]
pub enum EvaluateEvent {
    Progressed(EvaluateProgress),
    /// Steps done of steps.
    Counted(usize, usize),
    /// It ended; nothing where it was stopped.
    Ended(Box<Option<Evaluated>>),
    /// Labels that the model does not know (the other one, in a comparison), and its classes.
    Unknown(Which, Vec<(String, usize)>, Vec<String>),
    /// It could not be done.
    Failed(String),
    /// Scores with intervals of the revision with this number.
    Intervals(u64, Box<Evaluated>),
    /// A calibrated model was written: what was found, and its file.
    Calibrated(String, PathBuf),
    /// Another model was held against this one.
    Compared(Box<Compared>),
}

/// What the user did in the place that is not a command.
#[derive(Debug, Clone, PartialEq)]
pub enum EvaluateInput {
    Form(Box<EvaluateForm>),
    /// Said what an unknown label is.
    Answer(usize, Option<usize>),
    /// Chose how numbers are shown.
    Shares(Shares),
    /// Chose all cells, also those of the model's training, or unseen ones alone.
    All(bool),
    /// Chose a number of the matrix, or the list.
    Show(Showing),
    /// Chose what is below the matrix.
    Tab(EvaluateTab),
    /// Chose an image by its position among those shown; with the others, or up to it.
    Pick(usize, PickMode),
    Move(isize),
    /// Says that the chosen images are of this class.
    Correct(usize),
    Threshold(f64),
}

/// How an image is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PickMode {
    Alone,
    /// Added to the others, or taken out.
    Toggle,
    /// From the last one to this.
    Through,
    All,
}

/// Everything the Evaluate place knows.
#[derive(Debug, Clone, Default)]
pub struct State {
    pub form: EvaluateForm,
    /// The job's number; answers with another are dropped.
    pub generation: Generation,
    /// Whether an evaluation or a calibration runs.
    pub busy: bool,
    /// What happens now, in words.
    pub doing: String,
    /// Steps done of steps.
    pub progress: (usize, usize),
    /// When the job began, seconds.
    pub since: f64,
    /// Why nothing came out.
    pub error: Option<String>,
    /// Labels to be explained.
    pub unknown: Option<Unknown>,
    pub found: Option<Box<Evaluated>>,
    /// What is drawn of it.
    pub curves: Curves,
    /// Counts up with each correction.
    pub revision: u64,
    /// Whether the intervals are of an older revision, and being computed.
    pub pending: bool,
    /// Corrections that can be undone, and made again.
    pub history: History<ReferenceEdit>,
    pub shares: Shares,
    /// Whose images are shown.
    pub showing: Option<Showing>,
    /// Rows of the images shown, most confident first.
    pub rows: Vec<usize>,
    pub chosen: BTreeSet<usize>,
    /// Position among the images shown that the keys move.
    pub cursor: usize,
    /// What is below the matrix.
    pub tab: EvaluateTab,
    /// Whether all cells are shown, also those that the model learnt from, where there are such.
    pub all: bool,
    /// The abstain threshold that is looked at.
    pub threshold: f64,
    /// What the last calibration found, and its file.
    pub calibrated: Option<(String, PathBuf)>,
    /// The comparison with another model, until a reference is corrected.
    pub compared: Option<Box<Compared>>,
}

impl State {
    /// A new job begins.
    pub(crate) fn begin(&mut self, doing: &str, now: f64) {
        self.generation = self.generation.next();
        self.busy = true;
        self.doing = doing.into();
        self.progress = (0, 0);
        self.since = now;
        self.error = None;
        self.unknown = None;
    }

    /// Answers to its job; the words are for everybody to see.
    pub(crate) fn on_event(&mut self, event: EvaluateEvent) -> Option<(String, bool)> {
        match event {
            EvaluateEvent::Progressed(EvaluateProgress::Phase(phase)) => self.doing = phase_text(&phase),
            EvaluateEvent::Progressed(EvaluateProgress::Started(report)) => {
                self.doing = tr!("ran on %{provider}", provider = report.to_line());
            }
            EvaluateEvent::Counted(done, total) => self.progress = (done, total),
            EvaluateEvent::Ended(found) => {
                self.busy = false;
                let Some(found) = *found else { return Some((tr!("Stopped; nothing was evaluated"), false)) };
                let said = found.title();
                self.take(found);
                return Some((said, false));
            }
            EvaluateEvent::Unknown(which, labels, classes) => {
                self.busy = false;
                self.unknown = Some(Unknown { which, answers: vec![None; labels.len()], labels, classes });
            }
            EvaluateEvent::Failed(why) => {
                self.busy = false;
                self.error = Some(why.clone());
                return Some((why, true));
            }
            EvaluateEvent::Intervals(revision, scored) => {
                if revision == self.revision
                    && let Some(found) = &mut self.found
                {
                    (found.scores, found.unseen) = (scored.scores, scored.unseen);
                    self.pending = false;
                }
            }
            EvaluateEvent::Calibrated(text, path) => {
                self.busy = false;
                self.calibrated = Some((text, path.clone()));
                return Some((tr!("Written: %{path}", path = crate::files::display_path(&path)), false));
            }
            EvaluateEvent::Compared(compared) => {
                self.busy = false;
                let said = compared.pairs.first().map(|p| compared.pair_line(p));
                self.compared = Some(compared);
                self.tab = EvaluateTab::Compared;
                return said.map(|s| (s, false));
            }
        }
        None
    }

    fn take(&mut self, found: Evaluated) {
        self.threshold = found.threshold;
        self.all = false;
        self.curves = Curves::new(&found, &self.sample(&found));
        // The largest confusion first: that is what the user came to see.
        let k = found.labels.len();
        let wrong = (0..k).flat_map(|i| (0..k).map(move |j| (i, j))).filter(|(i, j)| i != j);
        let confusion = &self.scores(&found).confusion;
        let most = wrong.max_by_key(|&(i, j)| (confusion.count(i, j), std::cmp::Reverse((i, j))));
        self.showing = most.map(|(i, j)| Showing::Cell(i, j));
        self.found = Some(Box::new(found));
        self.history = History::default();
        self.compared = None;
        self.revision += 1;
        self.pending = false;
        self.collect();
    }

    /// Whether cells are set apart because the model learnt from them, and others are left to judge by.
    pub fn sets_apart(found: &Evaluated) -> bool {
        found.overlap() != (0, 0) && found.unseen.is_some()
    }

    /// The scores that are shown: of unseen cells, or of all where that was chosen or no others are there.
    pub fn scores<'a>(&self, found: &'a Evaluated) -> &'a Evaluation {
        if self.all { &found.scores } else { found.judged().unwrap_or(&found.scores) }
    }

    /// What they were computed from.
    pub fn sample<'a>(&self, found: &'a Evaluated) -> Cow<'a, Sample> {
        if self.all { Cow::Borrowed(&found.sample) } else { found.judged_sample() }
    }

    /// Chooses the images of what is shown.
    fn collect(&mut self) {
        self.rows = match (&self.found, self.showing) {
            (Some(e), Some(Showing::Cell(i, j))) => {
                let s = &e.sample;
                let counts = self.all || !Self::sets_apart(e);
                let here = |r: &u32| {
                    let r = *r as usize;
                    s.references()[r] == i
                        && s.predicted()[r] == j
                        && (counts || e.cells[r].overlap == TrainOverlap::No)
                };
                s.by_confidence().iter().copied().filter(here).map(|r| r as usize).collect()
            }
            (Some(e), Some(Showing::LikelyWrong)) => e.likely_wrong(),
            (Some(e), Some(which @ (Showing::OnlyThis | Showing::OnlyOther))) => {
                let pair = self.compared.as_ref().and_then(|c| c.pairs.first());
                let rows = pair.map_or(&[][..], |p| match which {
                    Showing::OnlyThis => &p.rows[0],
                    _ => &p.rows[1],
                });
                let wanted: BTreeSet<usize> = rows.iter().copied().collect();
                e.sample.by_confidence().iter().map(|r| *r as usize).filter(|r| wanted.contains(r)).collect()
            }
            _ => Vec::new(),
        };
        self.cursor = self.cursor.min(self.rows.len().saturating_sub(1));
        self.chosen.retain(|r| self.rows.contains(r));
        if self.chosen.is_empty()
            && let Some(first) = self.rows.get(self.cursor)
        {
            self.chosen.insert(*first);
        }
    }

    /// What the user did; the corrections that must be kept, where it was one.
    pub(crate) fn input(&mut self, input: EvaluateInput) -> Vec<ChangedReference> {
        match input {
            EvaluateInput::Form(form) => self.form = *form,
            EvaluateInput::Answer(at, class) => {
                if let Some(answer) = self.unknown.as_mut().and_then(|u| u.answers.get_mut(at)) {
                    *answer = Some(class);
                }
            }
            EvaluateInput::Shares(shares) => self.shares = shares,
            EvaluateInput::All(all) => {
                self.all = all;
                if let Some(found) = &self.found {
                    self.curves = Curves::new(found, &self.sample(found));
                }
                (self.cursor, self.chosen) = (0, BTreeSet::new());
                self.collect();
            }
            EvaluateInput::Show(what) => {
                self.showing = Some(what);
                (self.cursor, self.chosen) = (0, BTreeSet::new());
                self.collect();
            }
            EvaluateInput::Tab(tab) => self.tab = tab,
            EvaluateInput::Pick(at, how) => self.pick(at, how),
            EvaluateInput::Move(by) => {
                if !self.rows.is_empty() {
                    let to = self.cursor.saturating_add_signed(by).min(self.rows.len() - 1);
                    self.pick(to, PickMode::Alone);
                }
            }
            EvaluateInput::Threshold(t) => self.threshold = t.clamp(0.0, 1.0),
            EvaluateInput::Correct(class) => {
                let Some(found) = &self.found else { return Vec::new() };
                let edit: Vec<(usize, usize, usize)> = self
                    .chosen
                    .iter()
                    .map(|&row| (row, found.sample.references()[row], class))
                    .filter(|(_, before, after)| before != after && *after < found.labels.len())
                    .collect();
                if edit.is_empty() {
                    return Vec::new();
                }
                let edit = ReferenceEdit(edit);
                self.history.made(edit.clone());
                return self.apply(&edit);
            }
        }
        Vec::new()
    }

    fn pick(&mut self, at: usize, how: PickMode) {
        let Some(&row) = self.rows.get(at) else { return };
        match how {
            PickMode::Alone => self.chosen = BTreeSet::from([row]),
            PickMode::Toggle => {
                if !self.chosen.remove(&row) {
                    self.chosen.insert(row);
                }
            }
            PickMode::Through => {
                let (from, to) = (self.cursor.min(at), self.cursor.max(at));
                self.chosen.extend(&self.rows[from..=to]);
                return;
            }
            PickMode::All => {
                self.chosen = self.rows.iter().copied().collect();
                return;
            }
        }
        self.cursor = at;
    }

    /// Takes the last correction back.
    pub(crate) fn undo(&mut self) -> Vec<ChangedReference> {
        self.history.undo().map_or_else(Vec::new, |edit| self.apply(&edit))
    }

    /// Does the last undone correction again.
    pub(crate) fn redo(&mut self) -> Vec<ChangedReference> {
        self.history.redo().map_or_else(Vec::new, |edit| self.apply(&edit))
    }

    fn apply(&mut self, edit: &ReferenceEdit) -> Vec<ChangedReference> {
        let Some(found) = &mut self.found else { return Vec::new() };
        let mut kept = Vec::new();
        for &(row, _, after) in &edit.0 {
            found.sample.correct(row, after);
            let cell = &found.cells[row];
            let label = (after != cell.original).then(|| found.labels[after].clone());
            kept.push((cell.digest, found.labels[cell.original].clone(), label));
        }
        found.score_points();
        if let Some(found) = &self.found {
            self.curves = Curves::new(found, &self.sample(found));
        }
        self.revision += 1;
        self.pending = true;
        // It was made with the old references.
        self.compared = None;
        self.chosen.clear();
        self.collect();
        kept
    }

    /// Whether nothing is open about labels that a model does not know.
    pub fn answered(&self, which: Which) -> bool {
        self.unknown.as_ref().is_none_or(|u| u.which != which) || self.answers(which).is_some()
    }

    /// What the form says of labels that a model does not know, once every one is answered.
    pub(crate) fn answers(&self, which: Which) -> Option<Vec<(String, Option<String>)>> {
        let u = self.unknown.as_ref().filter(|u| u.which == which)?;
        u.labels
            .iter()
            .zip(&u.answers)
            .map(|((label, _), answer)| Some((label.clone(), answer.as_ref()?.map(|c| u.classes[c].clone()))))
            .collect()
    }

    /// The matrix as tab-separated text, or the report where that is looked at.
    pub fn copied(&self) -> Option<String> {
        let e = self.found.as_ref()?;
        let mut t = String::from("reference \\ predicted");
        for label in &e.labels {
            t.push('\t');
            t.push_str(label);
        }
        t.push('\n');
        for (label, row) in e.labels.iter().zip(self.scores(e).confusion.rows()) {
            t.push_str(label);
            row.iter().for_each(|n| t.push_str(&format!("\t{n}")));
            t.push('\n');
        }
        t.push_str("\nclass\tprecision\trecall\tF1\tsupport\n");
        for (label, c) in e.labels.iter().zip(&self.scores(e).per_class) {
            // What is not defined is a dash, and no number.
            let [p, r, f] =
                [c.precision, c.recall, c.f1].map(|e| e.map_or("–".to_owned(), |e| format!("{:.4}", e.value)));
            t.push_str(&format!("{label}\t{p}\t{r}\t{f}\t{}\n", c.support));
        }
        t.push_str(&format!("accuracy\t{:.4}\t\t\t{}\n", self.scores(e).accuracy.value, self.scores(e).n));
        Some(t)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Digest;
    use crate::evaluation::evaluated::tests::small;

    fn shown() -> State {
        let mut view = State::default();
        view.begin("classifying", 0.0);
        assert!(
            view.on_event(EvaluateEvent::Ended(Box::new(Some(small()))))
                .is_some_and(|(t, bad)| t.ends_with("n 5 unseen") && !bad)
        );
        view
    }

    #[test]
    fn the_largest_confusion_is_shown_first_its_most_confident_image_chosen() {
        // Rows 3 (0.45) and 5 (0.1) are rightly predicted class 1; row 4 (0.55) is called 0; row 2 (0.02) is called 1.
        let mut view = shown();
        assert_eq!((view.showing, view.rows.as_slice()), (Some(Showing::Cell(0, 1)), &[2][..]));
        // Row 0 was learnt from: it is shown, and counted, only where all cells are asked for.
        view.input(EvaluateInput::Show(Showing::Cell(0, 0)));
        assert_eq!(view.rows, [1]);
        let found = view.found.clone().expect("found");
        assert_eq!((view.scores(&found).n, view.sample(&found).len()), (5, 5));
        view.input(EvaluateInput::All(true));
        assert_eq!((view.rows.as_slice(), view.chosen.first()), (&[0, 1][..], Some(&0)));
        assert_eq!((view.scores(&found).n, view.sample(&found).len()), (6, 6));
        view.input(EvaluateInput::Move(1));
        assert_eq!(view.chosen.iter().copied().collect::<Vec<_>>(), [1]);
        view.input(EvaluateInput::Pick(0, PickMode::Toggle));
        assert_eq!(view.chosen.len(), 2);
    }

    #[test]
    fn a_correction_moves_the_numbers_and_undo_takes_it_back() {
        let mut view = shown();
        let before = view.found.as_ref().expect("found").scores.accuracy.value;
        let kept = view.input(EvaluateInput::Correct(1));
        assert_eq!(kept, [(Digest([2; 32]), "basophil".to_owned(), Some("a <b>".to_owned()))]);
        let found = view.found.as_ref().expect("found");
        assert!(found.scores.accuracy.value > before && found.scores.confusion.count(0, 1) == 0);
        assert!(view.pending && view.rows.is_empty() && found.corrected() == 1);
        // Nothing is chosen any more: another key changes nothing.
        assert!(view.input(EvaluateInput::Correct(0)).is_empty());
        let back = view.undo();
        assert_eq!(back, [(Digest([2; 32]), "basophil".to_owned(), None)]);
        assert_eq!(
            (view.found.as_ref().expect("found").scores.accuracy.value, view.rows.as_slice()),
            (before, &[2][..])
        );
        assert_eq!(view.redo().len(), 1);
        assert_eq!(view.found.as_ref().expect("found").corrected(), 1);
        assert!(view.undo().len() == 1 && view.undo().is_empty());
    }

    #[test]
    fn intervals_of_an_older_revision_are_not_taken() {
        let mut view = shown();
        view.input(EvaluateInput::Correct(1));
        let old = view.revision - 1;
        view.on_event(EvaluateEvent::Intervals(old, Box::new(small())));
        assert!(view.pending && view.found.as_ref().expect("found").scores.accuracy.interval.is_none());
        let mut scored = view.found.clone().expect("found");
        scored.score();
        view.on_event(EvaluateEvent::Intervals(view.revision, scored));
        assert!(!view.pending && view.found.as_ref().expect("found").scores.accuracy.interval.is_some());
    }

    #[test]
    fn unknown_labels_wait_for_every_answer() {
        let mut view = State::default();
        view.begin("x", 0.0);
        view.on_event(EvaluateEvent::Unknown(
            Which::InUse,
            vec![("ig".into(), 3), ("junk".into(), 2)],
            vec!["a".into(), "b".into()],
        ));
        view.input(EvaluateInput::Answer(0, Some(1)));
        assert_eq!(view.answers(Which::InUse), None);
        view.input(EvaluateInput::Answer(1, None));
        let answers = view.answers(Which::InUse).expect("all answered");
        assert_eq!(answers, [("ig".to_owned(), Some("b".to_owned())), ("junk".to_owned(), None)]);
        view.form.dataset = "d".into();
        view.form.map = answers;
        let request = view.form.request(crate::inference::Provider::Cpu).expect("a request");
        assert_eq!((request.map, request.leave_out), (vec![("ig".into(), "b".into())], vec!["junk".into()]));
        assert!(EvaluateForm::default().request(crate::inference::Provider::Cpu).is_err());
    }

    #[test]
    fn the_copy_is_a_table() {
        let text = shown().copied().expect("text");
        assert!(text.starts_with("reference \\ predicted\tbasophil\ta <b>\nbasophil\t1\t1\n"), "{text}");
    }
}
