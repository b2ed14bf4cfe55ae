//! Several models on the same cells: a row each, each one against the first, and the images where exactly one is right.
//! What any of the models learnt from, as far as their records say, is left out of every figure that is held against
//! another; the figure with it stands small beside.

use super::evaluation::{evaluation_scores, number, or_dash, percent, put};
use super::learning::rounded;
use super::page::{Page, head_row, list};
use super::svg::confusion_svg;
use crate::evaluation::{Compared, Evaluated, Pair};
use maud::{Markup, PreEscaped, html};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// "p < 0.001", or three decimals.
pub fn p_value(p: f64) -> String {
    if p < 0.001 { "p < 0.001".into() } else { format!("p = {p:.3}") }
}

impl Compared {
    /// On which cells the table is, in a sentence.
    pub fn of_what(&self) -> String {
        let classes = match &self.classes[..] {
            [] => String::new(),
            classes => {
                format!(" Macro F1 is over classes in the reference that each model knows: {}.", classes.join(", "))
            }
        };
        let all = self.models.first().map_or(0, |e| e.cells.len());
        match (self.overlap, self.scores.iter().any(Option::is_none)) {
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
        let left = match pair.overlap {
            0 => String::new(),
            k => format!(
                ". Left out: {k} of {all} cells in the training of one of them (with them: {with:+.1} points, too good to judge by)"
            ),
        };
        format!(
            "{against}: {:+.1} points{interval} on {} {}cells; only the first is right on {}, only the other on {}; McNemar's exact {}{left}",
            100.0 * difference,
            pair.n,
            if pair.overlap > 0 { "unseen " } else { "" },
            pair.only_first.len(),
            pair.only_other.len(),
            p_value(p)
        )
    }
}

/// What is written under which name.
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
            let of = match (c.overlap, c.scores[i].is_some()) {
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
                "in_training": p.overlap, "with_training_cells": {"n": p.all.0, "difference": p.all.1},
                "difference": p.difference, "difference_interval": p.interval.map(|i| [i.low, i.high]), "mcnemar_p": p.p,
                "only_first_right": p.only_first, "only_other_right": p.only_other})
        })
        .collect();
    let data = c.models.first().map(|e| json!({"path": e.data, "sha256": e.data_sha256}));
    json!({"schema": 1, "program": format!("Leukoscope {}", env!("CARGO_PKG_VERSION")), "data": data, "models": models,
        "pairs": pairs, "common_classes": c.classes, "of": c.of_what(), "intended_use": "research use only"})
}

/// The table of a comparison, for a terminal.
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

fn models_html(c: &Compared) -> Markup {
    html! {
        table {
            (head_row(&["model", "n", "accuracy", "balanced accuracy", "macro F1", "log loss", "ECE"]))
            @for (i, e) in c.models.iter().enumerate() {
                @let s = c.shown(i);
                tr {
                    td { (e.model) br; small { (e.model_sha256[..e.model_sha256.len().min(12)]) } }
                    td { (s.n) }
                    td { (percent(&s.accuracy)) }
                    td { (percent(&s.balanced_accuracy)) }
                    td { (or_dash(c.macro_f1[i].as_ref(), number)) }
                    td { (number(&s.log_loss)) }
                    td { (number(&s.calibration_error)) }
                }
            }
        }
        p.note { (c.of_what()) }
    }
}

fn comparison_html(c: &Compared) -> String {
    let body = html! {
        h1 { (c.models.len()) " models on the same cells" }
        p.note { (c.models.first().map_or("", |e| e.data.as_str())) " · research use only" }
        (models_html(c))
        h2 { "Against the first" }
        (list(c.pairs.iter().map(|pair| c.pair_line(pair))))
        p.note { "A cell without an answer counts as wrong here. Intervals: bootstrap over groups, 2,000 draws." }
        h2 { "Matrices" }
        div.charts {
            @for (i, e) in c.models.iter().enumerate() {
                div { p { (e.model) } (PreEscaped(confusion_svg(&c.shown(i).confusion, &e.labels))) }
            }
        }
        @for pair in &c.pairs {
            @for (who, paths) in [(0, &pair.only_first), (pair.other, &pair.only_other)] {
                h2 { "Only " (c.models[who].model) " is right (" (paths.len()) ")" }
                (list(paths))
            }
        }
        h2 { "What was compared" }
        (list(c.models.iter().map(|e| format!("{}: {}", e.model, e.learnt_line()))))
    };
    Page { title: "Comparison", ..Page::default() }.around(&body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Square;
    use crate::evaluation::evaluated::tests::small;
    use crate::evaluation::{EvaluatedCell, TrainOverlap};
    use crate::metrics::{Sample, mcnemar};
    use crate::report::page::tests::stays_text;

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
        assert_eq!((p.n, p.overlap, p.all.0, p.difference, p.p), (6, 1, 7, Some(0.0), Some(1.0)));
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
    fn a_name_cannot_break_out() {
        stays_text(|name| {
            let mut first = small();
            let also = || name.to_owned();
            (first.labels[1], first.model, first.model_sha256, first.data) = (also(), also(), also(), also());
            first.cells.iter_mut().for_each(|c| c.path = format!("{}{name}", c.path));
            let mut other = first.clone();
            other.sample.correct(2, 1);
            comparison_html(&Compared::new(vec![first, other], 1))
        });
    }

    #[test]
    fn a_comparison_on_training_cells_alone_gives_no_p() {
        let mut first = small();
        first.cells.iter_mut().for_each(|c| c.overlap = TrainOverlap::Exact);
        first.unscored.clear();
        let mut other = small();
        other.unscored.clear();
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
            e.unscored.clear();
            let cells = 40;
            let p: Vec<f64> = (0..cells).flat_map(|i| if i < wrong { [0.1, 0.9] } else { [0.8, 0.2] }).collect();
            e.sample = Sample::new(2, vec![0; cells], &p, (0..cells).map(|i| i / 4).collect()).expect("fits");
            let template = EvaluatedCell { overlap: TrainOverlap::No, original: 0, ..e.cells[1].clone() };
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
        first.cells.iter_mut().for_each(|c| c.overlap = TrainOverlap::No);
        first.score();
        // The other model knows a third class that no cell has, and calls one cell so.
        let mut other = first.clone();
        other.labels.push("blast".into());
        let p = [0.9, 0.1, 0.0, 0.8, 0.2, 0.0, 0.9, 0.1, 0.0, 0.4, 0.6, 0.0, 0.2, 0.8, 0.0, 0.1, 0.2, 0.7];
        other.sample = Sample::new(3, other.sample.references().to_vec(), &p, (0..6).collect()).expect("fits");
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
