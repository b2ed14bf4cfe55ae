//! An evaluation as a page that prints, `report.html`, with its charts; and all files of an evaluation together.

use super::evaluation::{evaluation_json, evaluation_text, facts, predictions_csv, summary_scores};
use super::learning::UNDEFINED;
use super::page::{Page, head_row, list};
use super::raster::svg_to_png;
use super::svg::{Chart, PALETTE, Series, confusion_svg};
use crate::evaluation::evaluated::Evaluated;
use crate::metrics::{
    Binning, Estimate, Evaluation, at_hits, precision_recall, reliability, risk_coverage, roc, thinned,
};
use maud::{Markup, PreEscaped, html};

/// What is written under which name.
pub fn evaluation_files(e: &Evaluated) -> Vec<(&'static str, Vec<u8>)> {
    let matrix = confusion_svg(&e.judged().unwrap_or(&e.scores).confusion, &e.labels);
    let mut files = vec![
        ("report.json", format!("{:#}\n", evaluation_json(e)).into_bytes()),
        ("report.txt", evaluation_text(e).into_bytes()),
        ("predictions.csv", predictions_csv(e)),
        ("report.html", evaluation_html(e).into_bytes()),
    ];
    // A matrix of hundreds of classes is too large to be drawn in pixels; the SVG holds it all the same.
    files.extend(svg_to_png(&matrix).map(|png| ("confusion.png", png)));
    files.push(("confusion.svg", matrix.into_bytes()));
    files
}

/// Drawn points of a curve.
const POINTS: usize = 200;

fn charts(e: &Evaluated) -> Vec<String> {
    let s = &*e.judged_sample();
    let curve = |points: Vec<crate::metrics::CurvePoint>| {
        thinned(&points, POINTS).into_iter().map(|p| (p.x, p.y)).collect::<Vec<_>>()
    };
    let by_class = |of: &dyn Fn(usize) -> Option<(Vec<crate::metrics::CurvePoint>, f64)>| {
        e.labels
            .iter()
            .enumerate()
            .filter_map(|(c, label)| {
                let (points, area) = of(c)?;
                Some(Series {
                    name: format!("{label} ({area:.3})"),
                    colour: PALETTE[c % PALETTE.len()],
                    points: curve(points),
                    dots: false,
                })
            })
            .collect::<Vec<_>>()
    };
    let bins = [(Binning::Width, "equal width"), (Binning::Mass, "equal mass")];
    let reliable = bins
        .into_iter()
        .enumerate()
        .map(|(i, (how, name))| Series {
            name: name.into(),
            colour: PALETTE[i],
            points: reliability(s, how).iter().filter(|b| b.n > 0).map(|b| (b.confidence, b.accuracy)).collect(),
            dots: true,
        })
        .collect();
    let (risk, area) = risk_coverage(s);
    let top = risk.iter().map(|p| p.y).fold(0.0, f64::max).clamp(0.05, 1.0);
    let chart = |title, x, y, diagonal, series| Chart { title, x, y, top: 1.0, diagonal, series }.to_svg();
    vec![
        chart("Reliability", "confidence", "share right", true, reliable),
        chart("ROC", "false positive rate", "true positive rate", true, by_class(&|c| roc(s, c))),
        chart(
            "Precision and recall",
            "recall",
            "precision",
            false,
            by_class(&|c| precision_recall(s, c).map(|(p, area)| (at_hits(&p), area))),
        ),
        Chart {
            title: "Risk and coverage",
            x: "share of cells kept",
            y: "share wrong among them",
            top: (top * 20.0).ceil() / 20.0,
            diagonal: false,
            series: vec![Series {
                name: format!("area {area:.4}"),
                colour: PALETTE[0],
                points: curve(risk),
                dots: false,
            }],
        }
        .to_svg(),
    ]
}

/// A score with its interval beside it, small.
fn small(e: Option<&Estimate>) -> Markup {
    html! {
        @if let Some(e) = e {
            (format!("{:.2}", e.value))
            @if let Some(i) = e.interval { " " small { (format!("{:.2}–{:.2}", i.low, i.high)) } }
        } @else { (UNDEFINED) }
    }
}

fn classes_html(s: &Evaluation, labels: &[String]) -> Markup {
    html! {
        table {
            (head_row(&["", "precision", "recall", "F1", "ROC AUC", "support"]))
            @for (label, c) in labels.iter().zip(&s.per_class) {
                tr {
                    td { (label) }
                    @for score in [&c.precision, &c.recall, &c.f1, &c.roc_auc] { td { (small(score.as_ref())) } }
                    td { (c.support) }
                }
            }
            @for (name, average) in [("macro average", &s.macro_average), ("weighted average", &s.weighted_average)] {
                tr {
                    td { (name) }
                    @for score in average { td { (small(Some(score))) } }
                    td {}
                    td { (s.n) }
                }
            }
        }
        p.note {
            "95 % intervals; accuracy, precision and recall: " (s.accuracy.how.text()) "; others: " (s.matthews.how.text())
        }
    }
}

/// References that are most likely wrong, where there are any.
fn wrong_html(e: &Evaluated) -> Markup {
    let wrong = e.likely_wrong();
    html! {
        @if !wrong.is_empty() {
            h2 { "References that are most likely wrong" }
            table {
                (head_row(&["image", "reference", "predicted", "confidence"]))
                @for &row in wrong.iter().take(30) {
                    tr {
                        td { (e.cells[row].path) }
                        td { (e.labels[e.sample.references()[row]]) }
                        td { (e.labels[e.sample.predicted()[row]]) }
                        td { (format!("{:.3}", e.sample.confidence(row))) }
                    }
                }
            }
            p.note { (wrong.len()) " in all, by how little the model believes the reference" }
        }
    }
}

/// `report.html`: everything in one file that needs nothing else, and prints.
pub fn evaluation_html(e: &Evaluated) -> String {
    let s = e.judged().unwrap_or(&e.scores);
    let title = format!("Evaluation of {}", e.model);
    let body = html! {
        h1 { (title) }
        p.note { "on " (e.data) " · research use only" }
        p.big { (e.title()) }
        p { (e.learnt_line()) @if let Some(line) = e.contaminated_line() { br; small { (line) } } }
        h2 { "Confusion matrix" }
        (PreEscaped(confusion_svg(&s.confusion, &e.labels)))
        h2 { "Classification report" }
        (classes_html(s, &e.labels))
        h2 { "Scores" }
        table {
            @for (name, value, about) in summary_scores(s) {
                tr { td { (name) } td { (value) } td { small { (about) } } }
            }
        }
        h2 { "Curves" }
        div.charts { @for chart in charts(e) { (PreEscaped(chart)) } }
        (wrong_html(e))
        h2 { "What was evaluated" }
        (list(facts(e)))
    };
    Page { title: &title, viewport: true, ..Page::default() }.around(&body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::evaluated::tests::small;
    use crate::report::page::tests::stays_text;

    #[test]
    fn a_name_cannot_break_out() {
        stays_text(|name| {
            let mut e = small();
            let also = || name.to_owned();
            (e.labels[1], e.model, e.data, e.provider) = (also(), also(), also(), also());
            (e.mapped, e.grouping, e.notes) = (vec![(also(), Some(also()))], vec![also()], vec![also()]);
            e.cells.iter_mut().for_each(|c| c.path = also());
            evaluation_html(&e)
        });
    }
}
