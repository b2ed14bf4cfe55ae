//! Models held against each other on the same labelled cells: differences, their intervals, and how often exactly one is right.

use super::evaluated::{Evaluated, TrainOverlap};
use crate::domain::{Square, same_label};
use crate::metrics::{Estimate, Evaluation, How, Interval, Sample, bootstrap, mcnemar, share};
use std::collections::{BTreeMap, BTreeSet};

/// Resamples behind the interval of a difference.
const ROUNDS: usize = 2000;

/// One model against the first one, on cells that both answered to or missed and that neither learnt from.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// The other model's place.
    pub other: usize,
    /// Cells that are compared: neither model's record has them.
    pub n: usize,
    /// Cells left out because one of the two learnt from them, or from a near-duplicate.
    pub overlap: usize,
    /// Paths of images with a cell that only the first has right, one a cell.
    pub only_first: Vec<String>,
    /// Paths of images with a cell that only the other has right, one a cell.
    pub only_other: Vec<String>,
    /// Rows of the first model's cells: those that only it has right, and those that only the other has right.
    pub rows: [Vec<usize>; 2],
    /// Accuracy of the other minus the first's; a cell without an answer is wrong. None without cells.
    pub difference: Option<f64>,
    /// Its 95 % interval by bootstrap over groups; none with one group.
    pub interval: Option<Interval>,
    /// McNemar's exact test; none without cells.
    pub p: Option<f64>,
    /// All cells, and the difference on them: not to be judged by where `learnt` is not 0.
    pub all: (usize, f64),
}

/// A comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// The models' evaluations, in the order in which they were named.
    pub models: Vec<Evaluated>,
    /// Each against the first.
    pub pairs: Vec<Pair>,
    /// Each model's scores on the cells that none of the models learnt from; none where nothing is left.
    pub scores: Vec<Option<Evaluation>>,
    /// Mean F1 of each model over [`Compared::classes`], on the same cells.
    pub macro_f1: Vec<Option<Estimate>>,
    /// Classes that the reference has and every model knows, in the first one's spelling.
    pub classes: Vec<String>,
    /// Cells that one of the models learnt from.
    pub overlap: usize,
}

/// A labelled cell, whatever model looks at it: its file's digest (its path, where it could not be read) and, where the dataset
/// says one, its square; and the how many-th of these it is, for a dataset that names one twice.
type CellKey = (String, Option<[u32; 3]>, usize);

/// A model's answer to a labelled cell.
struct Judged {
    right: bool,
    overlap: bool,
    group: Option<usize>,
    /// Its file, as it is shown.
    path: String,
    /// Its row, where it was answered.
    row: Option<usize>,
}

/// What became of each labelled cell; one without an answer is wrong and a group by itself.
fn judged(e: &Evaluated) -> BTreeMap<CellKey, Judged> {
    let square = |s: Option<Square>| s.map(|s| [s.x, s.y, s.side].map(f32::to_bits));
    let answered = e.cells.iter().enumerate().map(|(row, c)| {
        let (right, group) = (e.sample.right(row), Some(e.sample.groups()[row]));
        let judged =
            Judged { right, overlap: c.overlap != TrainOverlap::No, group, path: c.path.clone(), row: Some(row) };
        (c.file_digest.to_string(), square(c.given), judged)
    });
    let unscored = e.unscored.iter().map(|u| {
        let judged = Judged { right: false, overlap: false, group: None, path: u.path.clone(), row: None };
        (u.file_digest.map_or_else(|| u.path.clone(), |d| d.to_string()), square(u.given), judged)
    });
    let mut seen: BTreeMap<(String, Option<[u32; 3]>), usize> = BTreeMap::new();
    answered
        .chain(unscored)
        .map(|(file, square, judged)| {
            let times = seen.entry((file.clone(), square)).or_default();
            *times += 1;
            ((file, square, *times), judged)
        })
        .collect()
}

/// Mean F1 of some classes over some rows.
fn macro_f1(sample: &Sample, classes: &[usize], rows: impl Iterator<Item = usize> + Clone) -> f64 {
    let f1 = |class: &usize| {
        let (mut hits, mut support, mut calls) = (0usize, 0usize, 0usize);
        for row in rows.clone() {
            let (is, predicted) = (sample.references()[row] == *class, sample.predicted()[row] == *class);
            hits += usize::from(is && predicted);
            support += usize::from(is);
            calls += usize::from(predicted);
        }
        // A class that a draw happens to lack has no recall there.
        (support > 0).then(|| share(2 * hits, support + calls))
    };
    let defined: Vec<f64> = classes.iter().filter_map(f1).collect();
    defined.iter().sum::<f64>() / defined.len().max(1) as f64
}

impl Compared {
    /// Compares evaluations of the same dataset.
    pub fn new(models: Vec<Evaluated>, seed: u64) -> Self {
        let judged: Vec<_> = models.iter().map(judged).collect();
        let pairs = (1..models.len()).map(|other| pair(&models, &judged, other, seed)).collect();
        // Cells that any model learnt from serve none of the figures that stand beside each other.
        let known: BTreeSet<&CellKey> =
            judged.iter().flat_map(|m| m.iter().filter(|(_, j)| j.overlap).map(|(key, _)| key)).collect();
        let rows: Vec<Vec<usize>> = judged
            .iter()
            .map(|m| m.iter().filter(|(key, _)| !known.contains(key)).filter_map(|(_, j)| j.row).collect())
            .map(|mut rows: Vec<usize>| {
                rows.sort_unstable();
                rows
            })
            .collect();
        let first = models.first().map_or(&[][..], |e| &e.labels);
        let place = |e: &Evaluated, label: &String| e.labels.iter().position(|l| same_label(l, label));
        let occurs = |label: &&String| {
            models.first().zip(rows.first()).is_some_and(|(e, rows)| {
                let class = place(e, label);
                rows.iter().any(|&r| Some(e.sample.references()[r]) == class)
            })
        };
        let classes: Vec<String> =
            first.iter().filter(occurs).filter(|l| models.iter().all(|e| place(e, l).is_some())).cloned().collect();
        let scores = models
            .iter()
            .zip(&rows)
            .map(
                |(e, rows)| {
                    if known.is_empty() { Some(e.scores.clone()) } else { Evaluation::new(&e.of_rows(rows)?, e.seed) }
                },
            )
            .collect();
        let means = models.iter().zip(&rows).map(|(e, rows)| {
            let own: Vec<usize> = classes.iter().filter_map(|l| place(e, l)).collect();
            let groups: Vec<usize> = rows.iter().map(|&r| e.sample.groups()[r]).collect();
            let value = (!own.is_empty()).then(|| macro_f1(&e.sample, &own, rows.iter().copied()))?;
            let mut distinct = groups.clone();
            distinct.sort_unstable();
            distinct.dedup();
            let draw = |drawn: &[usize]| macro_f1(&e.sample, &own, drawn.iter().map(|&i| rows[i]));
            let interval = (distinct.len() > 1).then(|| bootstrap(&groups, ROUNDS, seed, draw)).flatten();
            let how = if interval.is_some() { How::Bootstrap(distinct.len()) } else { How::None };
            Some(Estimate { value, interval, how })
        });
        let macro_f1 = means.collect();
        Self { pairs, scores, macro_f1, classes, overlap: known.len(), models }
    }

    /// A model's scores that stand in a table: of unseen cells, or of all where nothing is left.
    pub fn shown(&self, model: usize) -> &Evaluation {
        self.scores[model].as_ref().unwrap_or(&self.models[model].scores)
    }
}

fn pair(models: &[Evaluated], judged: &[BTreeMap<CellKey, Judged>], other: usize, seed: u64) -> Pair {
    let (mut groups, mut gains) = (Vec::new(), Vec::new());
    let (mut only_first, mut only_other, mut rows) = (Vec::new(), Vec::new(), [Vec::new(), Vec::new()]);
    let (mut overlap, mut all) = (0, Vec::new());
    let next = models[0].sample.groups().iter().max().map_or(0, |g| g + 1);
    for (i, (key, a)) in judged[0].iter().enumerate() {
        let Some(b) = judged[other].get(key) else { continue };
        let gain = f64::from(i8::from(b.right) - i8::from(a.right));
        all.push(gain);
        if a.overlap || b.overlap {
            overlap += 1;
            continue;
        }
        groups.push(a.group.or(b.group).unwrap_or(next + i));
        gains.push(gain);
        match (a.right, b.right) {
            (true, false) => {
                only_first.push(a.path.clone());
                rows[0].extend(a.row);
            }
            (false, true) => {
                only_other.push(a.path.clone());
                rows[1].extend(a.row);
            }
            _ => {}
        }
    }
    let mean = |rows: &[usize]| rows.iter().map(|&r| gains[r]).sum::<f64>() / rows.len().max(1) as f64;
    let mut seen = groups.clone();
    seen.sort_unstable();
    seen.dedup();
    let any = !gains.is_empty();
    let average = |g: &[f64]| g.iter().sum::<f64>() / g.len().max(1) as f64;
    Pair {
        other,
        n: gains.len(),
        overlap,
        difference: any.then(|| average(&gains)),
        interval: (seen.len() > 1).then(|| bootstrap(&groups, ROUNDS, seed, mean)).flatten(),
        p: any.then(|| mcnemar(only_first.len(), only_other.len())),
        all: (all.len(), average(&all)),
        only_first,
        only_other,
        rows,
    }
}
