//! Several models on the same cells: a row each, each one against the first, and the images where exactly one is right.
//! What any of the models learnt from, as far as their records say, is left out of every figure that is held against
//! another; the figure with it stands small beside.

use super::escape::xml_text;
use super::evaluated::{Evaluated, Learnt};
use super::evaluation::{STYLE, evaluation_scores, number, or_dash, percent, put};
use super::learning::rounded;
use super::svg::confusion_svg;
use crate::domain::{Square, same_label};
use crate::metrics::{Estimate, Evaluation, How, Interval, Sample, bootstrap, mcnemar, share};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

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
    pub learnt: usize,
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
    pub learnt: usize,
}

/// A labelled cell, whatever model looks at it: its file's digest (its path, where it could not be read) and, where the dataset
/// says one, its square; and the how many-th of these it is, for a dataset that names one twice.
type CellKey = (String, Option<[u32; 3]>, usize);

/// A model's answer to a labelled cell.
struct Judged {
    right: bool,
    learnt: bool,
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
        let judged = Judged { right, learnt: c.learnt != Learnt::No, group, path: c.path.clone(), row: Some(row) };
        (c.file_digest.to_string(), square(c.given), judged)
    });
    let unanswered = e.unanswered.iter().map(|u| {
        let judged = Judged { right: false, learnt: false, group: None, path: u.path.clone(), row: None };
        (u.file_digest.map_or_else(|| u.path.clone(), |d| d.to_string()), square(u.given), judged)
    });
    let mut seen: BTreeMap<(String, Option<[u32; 3]>), usize> = BTreeMap::new();
    answered
        .chain(unanswered)
        .map(|(file, square, judged)| {
            let times = seen.entry((file.clone(), square)).or_default();
            *times += 1;
            ((file, square, *times), judged)
        })
        .collect()
}

/// Mean F1 of some classes over some rows.
#[expect(clippy::cast_precision_loss, reason = "counts")]
fn macro_f1(sample: &Sample, classes: &[usize], rows: impl Iterator<Item = usize> + Clone) -> f64 {
    let f1 = |class: &usize| {
        let (mut hits, mut support, mut calls) = (0usize, 0usize, 0usize);
        for row in rows.clone() {
            let (is, called) = (sample.truth()[row] == *class, sample.called()[row] == *class);
            hits += usize::from(is && called);
            support += usize::from(is);
            calls += usize::from(called);
        }
        // A class that a draw happens to lack has no recall there.
        (support > 0).then(|| share(2 * hits, support + calls))
    };
    let defined: Vec<f64> = classes.iter().filter_map(f1).collect();
    defined.iter().sum::<f64>() / defined.len().max(1) as f64
}

/// "p < 0.001", or three decimals.
#[must_use]
pub fn p_value(p: f64) -> String {
    if p < 0.001 { "p < 0.001".into() } else { format!("p = {p:.3}") }
}

impl Compared {
    /// Compares evaluations of the same dataset.
    #[must_use]
    pub fn new(models: Vec<Evaluated>, seed: u64) -> Self {
        let judged: Vec<_> = models.iter().map(judged).collect();
        let pairs = (1..models.len()).map(|other| pair(&models, &judged, other, seed)).collect();
        // Cells that any model learnt from serve none of the figures that stand beside each other.
        let known: BTreeSet<&CellKey> =
            judged.iter().flat_map(|m| m.iter().filter(|(_, j)| j.learnt).map(|(key, _)| key)).collect();
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
                rows.iter().any(|&r| Some(e.sample.truth()[r]) == class)
            })
        };
        let classes: Vec<String> =
            first.iter().filter(occurs).filter(|l| models.iter().all(|e| place(e, l).is_some())).cloned().collect();
        let scores = models
            .iter()
            .zip(&rows)
            .map(
                |(e, rows)| {
                    if known.is_empty() { Some(e.scores.clone()) } else { Evaluation::of(&e.of_rows(rows)?, e.seed) }
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
        Self { pairs, scores, macro_f1, classes, learnt: known.len(), models }
    }

    /// A model's scores that stand in a table: of unseen cells, or of all where nothing is left.
    #[must_use]
    pub fn shown(&self, model: usize) -> &Evaluation {
        self.scores[model].as_ref().unwrap_or(&self.models[model].scores)
    }

    /// On which cells the table is, in a sentence.
    #[must_use]
    pub fn of_what(&self) -> String {
        let classes = match &self.classes[..] {
            [] => String::new(),
            classes => {
                format!(" Macro F1 is over classes in the reference that each model knows: {}.", classes.join(", "))
            }
        };
        let all = self.models.first().map_or(0, |e| e.cells.len());
        match (self.learnt, self.scores.iter().any(Option::is_none)) {
            (0, _) => format!("All cells.{classes}"),
            (k, false) => {
                format!("Unseen cells alone: {k} of {all} were in the training of one of the models.{classes}")
            }
            (k, true) => format!(
                "Nothing to judge by: {k} of {all} cells were in the training of one of the models; the figures are of all cells and too good.{classes}"
            ),
        }
    }

    /// A pair in a sentence.
    #[must_use]
    pub fn pair_line(&self, pair: &Pair) -> String {
        let name = |e: &Evaluated| {
            let twins = self.models.iter().filter(|m| m.model == e.model).count() > 1;
            let digest = &e.model_sha256[..e.model_sha256.len().min(8)];
            if twins { format!("{} ({digest})", e.model) } else { e.model.clone() }
        };
        let against = format!("{} against {}", name(&self.models[pair.other]), name(&self.models[0]));
        let (all, with) = (pair.all.0, 100.0 * pair.all.1);
        let (Some(difference), Some(p)) = (pair.difference, pair.p) else {
            return format!(
                "{against}: no comparison, for all {all} cells were in the training of one of them (with them: {with:+.1} points, too good to judge by)"
            );
        };
        let interval =
            pair.interval.map_or(String::new(), |i| format!(" [{:+.1} to {:+.1}]", 100.0 * i.low, 100.0 * i.high));
        let left = match pair.learnt {
            0 => String::new(),
            k => format!(
                ". Left out: {k} of {all} cells in the training of one of them (with them: {with:+.1} points, too good to judge by)"
            ),
        };
        format!(
            "{against}: {:+.1} points{interval} on {} {}cells; only the first is right on {}, only the other on {}; McNemar's exact {}{left}",
            100.0 * difference,
            pair.n,
            if pair.learnt > 0 { "unseen " } else { "" },
            pair.only_first.len(),
            pair.only_other.len(),
            p_value(p)
        )
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts")]
fn pair(models: &[Evaluated], judged: &[BTreeMap<CellKey, Judged>], other: usize, seed: u64) -> Pair {
    let (mut groups, mut gains) = (Vec::new(), Vec::new());
    let (mut only_first, mut only_other, mut rows) = (Vec::new(), Vec::new(), [Vec::new(), Vec::new()]);
    let (mut learnt, mut all) = (0, Vec::new());
    let next = models[0].sample.groups().iter().max().map_or(0, |g| g + 1);
    for (i, (key, a)) in judged[0].iter().enumerate() {
        let Some(b) = judged[other].get(key) else { continue };
        let gain = f64::from(i8::from(b.right) - i8::from(a.right));
        all.push(gain);
        if a.learnt || b.learnt {
            learnt += 1;
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
        learnt,
        difference: any.then(|| average(&gains)),
        interval: (seen.len() > 1).then(|| bootstrap(&groups, ROUNDS, seed, mean)).flatten(),
        p: any.then(|| mcnemar(only_first.len(), only_other.len())),
        all: (all.len(), average(&all)),
        only_first,
        only_other,
        rows,
    }
}

/// What is written under which name.
#[must_use]
pub fn comparison_files(c: &Compared) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("compare.json", format!("{:#}\n", comparison_json(c)).into_bytes()),
        ("compare.html", comparison_html(c).into_bytes()),
    ]
}

fn comparison_json(c: &Compared) -> Value {
    let models: Vec<Value> = c
        .models
        .iter()
        .enumerate()
        .map(|(i, e)| {
            let mut o = evaluation_scores(c.shown(i), &e.labels);
            put(&mut o, "macro_f1_of_common_classes", c.macro_f1[i].as_ref());
            let of = match (c.learnt, c.scores[i].is_some()) {
                (0, _) => "all cells",
                (_, true) => "cells that no model learnt from",
                (_, false) => "all cells, each in the training of one of the models",
            };
            o.insert("scores_of".into(), of.into());
            o.insert(
                "with_training_cells".into(),
                json!({"n": e.scores.n, "accuracy": rounded(e.scores.accuracy.value)}),
            );
            let (failed, no_cell) = e.missing();
            o.insert("model".into(), json!({"name": e.model, "sha256": e.model_sha256, "provider": e.provider}));
            o.insert("unanswered".into(), json!({"failed": failed, "no_cell": no_cell}));
            o.insert("training_overlap".into(), e.learnt_line().into());
            o.into()
        })
        .collect();
    let pairs: Vec<Value> = c
        .pairs
        .iter()
        .map(|p| {
            json!({"first": c.models[0].model_sha256, "other": c.models[p.other].model_sha256, "n": p.n,
                "in_training": p.learnt, "with_training_cells": {"n": p.all.0, "difference": p.all.1},
                "difference": p.difference, "difference_interval": p.interval.map(|i| [i.low, i.high]), "mcnemar_p": p.p,
                "only_first_right": p.only_first, "only_other_right": p.only_other})
        })
        .collect();
    let data = c.models.first().map(|e| json!({"path": e.data, "sha256": e.data_sha256}));
    json!({"schema": 1, "program": format!("Leukoscope {}", env!("CARGO_PKG_VERSION")), "data": data, "models": models,
        "pairs": pairs, "common_classes": c.classes, "of": c.of_what(), "intended_use": "research use only"})
}

/// The table of a comparison, for a terminal.
#[must_use]
pub fn comparison_text(c: &Compared) -> String {
    let width = c.models.iter().map(|e| e.model.chars().count()).max().unwrap_or(5).max(5);
    let mut t = format!("{:<width$} {:>6} {:<24} {:<22} {:<22}\n", "model", "n", "accuracy", "macro F1", "ECE");
    for (i, e) in c.models.iter().enumerate() {
        let s = c.shown(i);
        let _ = writeln!(
            t,
            "{:<width$} {:>6} {:<24} {:<22} {:<22}",
            e.model,
            s.n,
            percent(&s.accuracy),
            or_dash(c.macro_f1[i].as_ref(), number),
            number(&s.calibration_error)
        );
    }
    let _ = writeln!(t, "{}", c.of_what());
    for pair in &c.pairs {
        let _ = writeln!(t, "{}", c.pair_line(pair));
    }
    for e in &c.models {
        let _ = writeln!(t, "{}: {}", e.model, e.learnt_line());
    }
    t
}

fn comparison_html(c: &Compared) -> String {
    let data = c.models.first().map_or("", |e| e.data.as_str());
    let mut t = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"><title>Comparison</title>\n<style>{STYLE}</style></head><body>\n<h1>{} models on the same cells</h1>\n<p class=\"note\">{} · research use only</p>\n<table><tr><th>model</th><th>n</th><th>accuracy</th><th>balanced accuracy</th><th>macro F1</th><th>log loss</th><th>ECE</th></tr>\n",
        c.models.len(),
        xml_text(data)
    );
    for (i, e) in c.models.iter().enumerate() {
        let s = c.shown(i);
        let _ = writeln!(
            t,
            "<tr><td>{}<br><small>{}</small></td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            xml_text(&e.model),
            &e.model_sha256[..e.model_sha256.len().min(12)],
            s.n,
            percent(&s.accuracy),
            percent(&s.balanced_accuracy),
            or_dash(c.macro_f1[i].as_ref(), number),
            number(&s.log_loss),
            number(&s.calibration_error)
        );
    }
    let _ = write!(t, "</table>\n<p class=\"note\">{}</p>\n<h2>Against the first</h2>\n<ul>\n", xml_text(&c.of_what()));
    for pair in &c.pairs {
        let _ = writeln!(t, "<li>{}</li>", xml_text(&c.pair_line(pair)));
    }
    t.push_str("</ul>\n<p class=\"note\">A cell without an answer counts as wrong here. Intervals: bootstrap over groups, 2,000 draws.</p>\n<h2>Matrices</h2>\n<div class=\"charts\">\n");
    for (i, e) in c.models.iter().enumerate() {
        let matrix = confusion_svg(&c.shown(i).confusion, &e.labels);
        let _ = writeln!(t, "<div><p>{}</p>{matrix}</div>", xml_text(&e.model));
    }
    t.push_str("</div>\n");
    for pair in &c.pairs {
        for (who, paths) in [(0, &pair.only_first), (pair.other, &pair.only_other)] {
            let _ = writeln!(t, "<h2>Only {} is right ({})</h2>\n<ul>", xml_text(&c.models[who].model), paths.len());
            for path in paths {
                let _ = writeln!(t, "<li>{}</li>", xml_text(path));
            }
            t.push_str("</ul>\n");
        }
    }
    t.push_str("<h2>What was compared</h2>\n<ul>\n");
    for e in &c.models {
        let _ = writeln!(t, "<li>{}: {}</li>", xml_text(&e.model), xml_text(&e.learnt_line()));
    }
    t.push_str("</ul>\n</body></html>\n");
    t
}

#[cfg(test)]
mod tests {
    use super::super::evaluated::EvaluatedCell;
    use super::super::evaluated::tests::small;
    use super::*;

    #[test]
    fn pairs_count_cells_that_exactly_one_has_right_and_none_that_was_learnt() {
        let first = small();
        let mut other = small();
        // Row 2 was wrong; the other one's reference is what the model called, so it counts as right there.
        other.sample.correct(2, 1);
        other.sample.correct(1, 1);
        // In the training of both, so that it counts for neither.
        other.sample.correct(0, 1);
        other.model = "other".into();
        let c = Compared::new(vec![first, other], 1);
        let p = &c.pairs[0];
        assert_eq!((p.only_other.as_slice(), &p.rows), (&["2.png".to_owned()][..], &[vec![1], vec![2]]));
        assert_eq!((p.n, p.learnt, p.all.0, p.difference, p.p), (6, 1, 7, Some(0.0), Some(1.0)));
        assert!(p.interval.is_some() && (p.all.1 + 1.0 / 7.0).abs() < 1e-12);
        let v = comparison_json(&c);
        assert_eq!((v["pairs"][0]["n"].as_u64(), v["models"][1]["model"]["name"].as_str()), (Some(6), Some("other")));
        assert_eq!((v["models"][0]["n"].as_u64(), v["pairs"][0]["in_training"].as_u64()), (Some(5), Some(1)));
        let html = comparison_html(&c);
        assert!(html.contains("Only other is right (1)"));
        let text = comparison_text(&c);
        assert!(text.contains("McNemar") && text.contains("1 of 6 were in the training of one"), "{text}");
    }

    #[test]
    fn a_comparison_on_training_cells_alone_gives_no_p() {
        let mut first = small();
        first.cells.iter_mut().for_each(|c| c.learnt = Learnt::Same);
        first.unanswered.clear();
        let mut other = small();
        other.unanswered.clear();
        let c = Compared::new(vec![first, other], 1);
        assert_eq!((c.pairs[0].n, c.pairs[0].p, c.pairs[0].difference, c.scores[0].is_none()), (0, None, None, true));
        assert!(c.pair_line(&c.pairs[0]).contains("no comparison"), "{}", c.pair_line(&c.pairs[0]));
        assert!(comparison_json(&c)["pairs"][0]["mcnemar_p"].is_null());
    }

    /// Several cells of one image were one: 390 cells in 123 images counted as 123.
    #[test]
    fn every_cell_of_an_image_counts() {
        let several = |wrong: usize| {
            let mut e = small();
            e.unanswered.clear();
            let cells = 40;
            let p: Vec<f64> = (0..cells).flat_map(|i| if i < wrong { [0.1, 0.9] } else { [0.8, 0.2] }).collect();
            e.sample = Sample::new(2, vec![0; cells], &p, (0..cells).map(|i| i / 4).collect()).expect("fits");
            let template = EvaluatedCell { learnt: Learnt::No, original: 0, ..e.cells[1].clone() };
            e.cells = (0..cells)
                .map(|i| {
                    let square = Square { x: f32::from(u8::try_from(i % 4).expect("small")), y: 0.0, side: 9.0 };
                    EvaluatedCell { path: format!("{}.png", i / 4), given: Some(square), ..template.clone() }
                })
                .collect();
            e.score();
            e
        };
        let c = Compared::new(vec![several(10), several(4)], 1);
        let p = &c.pairs[0];
        assert_eq!((p.n, c.shown(0).n, c.shown(1).n, p.only_other.len()), (40, 40, 40, 6));
        assert!((p.difference.expect("some") - 0.15).abs() < 1e-12);
        let difference = c.shown(1).accuracy.value - c.shown(0).accuracy.value;
        assert!((p.difference.expect("some") - difference).abs() < 1e-12, "table and pair say the same");
        assert!((p.p.expect("some") - mcnemar(0, 6)).abs() < 1e-12);
        // The very same row twice is two rows.
        let mut twice = several(10);
        twice.cells[1] = twice.cells[0].clone();
        let c = Compared::new(vec![twice.clone(), twice], 1);
        assert_eq!(c.pairs[0].n, 40);
    }

    #[test]
    fn macro_averages_are_over_the_same_classes() {
        let mut first = small();
        first.cells.iter_mut().for_each(|c| c.learnt = Learnt::No);
        first.score();
        // The other model knows a third class that no cell has, and calls one cell so.
        let mut other = first.clone();
        other.labels.push("blast".into());
        let p = [0.9, 0.1, 0.0, 0.8, 0.2, 0.0, 0.9, 0.1, 0.0, 0.4, 0.6, 0.0, 0.2, 0.8, 0.0, 0.1, 0.2, 0.7];
        other.sample = Sample::new(3, other.sample.truth().to_vec(), &p, (0..6).collect()).expect("fits");
        other.score();
        let c = Compared::new(vec![first, other], 1);
        assert_eq!(c.classes, ["basophil", "a <b>"]);
        // Basophil 3 of 3, the other class 2 of 3 called rightly and nothing else called so: F1 1 and 0.8.
        assert!(c.macro_f1[1].is_some_and(|m| (m.value - 0.9).abs() < 1e-12), "{:?}", c.macro_f1[1]);
        assert!(c.models[1].scores.macro_average[2].value < 0.61, "scikit-learn's counts the absent class");
    }

    #[test]
    fn a_small_p_is_no_zero() {
        assert_eq!(
            [p_value(0.0), p_value(0.000_9), p_value(0.0312), p_value(1.0)],
            ["p < 0.001", "p < 0.001", "p = 0.031", "p = 1.000"]
        );
    }
}
