//! Several models on the same images: a row each, each one against the first, and the images where exactly one is right.

use super::escape::xml_text;
use super::evaluated::Evaluated;
use super::evaluation::{STYLE, evaluation_scores, number, percent};
use super::svg::confusion_svg;
use crate::metrics::{Interval, bootstrap, mcnemar};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Resamples behind the interval of a difference.
const ROUNDS: usize = 2000;

/// One model against the first one, on images that both answered to or missed.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// The other model's place.
    pub other: usize,
    /// Images.
    pub n: usize,
    /// Paths of images that only the first has right.
    pub only_first: Vec<String>,
    /// Paths of images that only the other has right.
    pub only_other: Vec<String>,
    /// Accuracy of the other minus the first's; an image without an answer is wrong.
    pub difference: f64,
    /// Its 95 % interval by bootstrap over groups; none with one group.
    pub interval: Option<Interval>,
    /// McNemar's exact test.
    pub p: f64,
}

/// A comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// The models' evaluations, in the order in which they were named.
    pub models: Vec<Evaluated>,
    /// Each against the first.
    pub pairs: Vec<Pair>,
}

/// Whether each image is right, and its group; an image without an answer is wrong and a group by itself.
fn right_by_path(e: &Evaluated) -> BTreeMap<&str, (bool, Option<usize>)> {
    let answered =
        e.cells.iter().enumerate().map(|(r, c)| (c.path.as_str(), (e.sample.right(r), Some(e.sample.groups()[r]))));
    answered.chain(e.unanswered.iter().map(|u| (u.path.as_str(), (false, None)))).collect()
}

impl Compared {
    /// Compares evaluations of the same dataset.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    pub fn new(models: Vec<Evaluated>, seed: u64) -> Self {
        let rights: Vec<_> = models.iter().map(right_by_path).collect();
        let pairs = (1..models.len())
            .map(|other| {
                let (mut groups, mut gains) = (Vec::new(), Vec::new());
                let (mut only_first, mut only_other) = (Vec::new(), Vec::new());
                let next = models[0].sample.groups().iter().max().map_or(0, |g| g + 1);
                for (i, (path, (a, group))) in rights[0].iter().enumerate() {
                    let Some((b, other_group)) = rights[other].get(path) else { continue };
                    groups.push(group.or(*other_group).unwrap_or(next + i));
                    gains.push(f64::from(i8::from(*b) - i8::from(*a)));
                    match (a, b) {
                        (true, false) => only_first.push((*path).to_owned()),
                        (false, true) => only_other.push((*path).to_owned()),
                        _ => {}
                    }
                }
                let mean = |rows: &[usize]| rows.iter().map(|&r| gains[r]).sum::<f64>() / rows.len().max(1) as f64;
                let mut seen = groups.clone();
                seen.sort_unstable();
                seen.dedup();
                Pair {
                    other,
                    n: gains.len(),
                    difference: gains.iter().sum::<f64>() / gains.len().max(1) as f64,
                    interval: (seen.len() > 1).then(|| bootstrap(&groups, ROUNDS, seed, mean)).flatten(),
                    p: mcnemar(only_first.len(), only_other.len()),
                    only_first,
                    only_other,
                }
            })
            .collect();
        Self { models, pairs }
    }

    /// A pair in a sentence.
    #[must_use]
    pub fn pair_line(&self, pair: &Pair) -> String {
        let interval =
            pair.interval.map_or(String::new(), |i| format!(" [{:+.2} to {:+.2}]", 100.0 * i.low, 100.0 * i.high));
        let name = |e: &Evaluated| {
            let twins = self.models.iter().filter(|m| m.model == e.model).count() > 1;
            let digest = &e.model_sha256[..e.model_sha256.len().min(8)];
            if twins { format!("{} ({digest})", e.model) } else { e.model.clone() }
        };
        format!(
            "{} against {}: {:+.2} points{interval} on {} images; only the first is right on {}, only the other on {}; McNemar's exact p = {:.4}",
            name(&self.models[pair.other]),
            name(&self.models[0]),
            100.0 * pair.difference,
            pair.n,
            pair.only_first.len(),
            pair.only_other.len(),
            pair.p
        )
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
        .map(|e| {
            let mut o = evaluation_scores(&e.scores, &e.labels);
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
                "difference": p.difference, "difference_interval": p.interval.map(|i| [i.low, i.high]), "mcnemar_p": p.p,
                "only_first_right": p.only_first, "only_other_right": p.only_other})
        })
        .collect();
    let data = c.models.first().map(|e| json!({"path": e.data, "sha256": e.data_sha256}));
    json!({"schema": 1, "program": format!("Leukoscope {}", env!("CARGO_PKG_VERSION")), "data": data, "models": models,
        "pairs": pairs, "intended_use": "research use only"})
}

/// The table of a comparison, for a terminal.
#[must_use]
pub fn comparison_text(c: &Compared) -> String {
    let width = c.models.iter().map(|e| e.model.chars().count()).max().unwrap_or(5).max(5);
    let mut t = format!("{:<width$} {:>6} {:<24} {:<22} {:<22}\n", "model", "n", "accuracy", "macro F1", "ECE");
    for e in &c.models {
        let s = &e.scores;
        let _ = writeln!(
            t,
            "{:<width$} {:>6} {:<24} {:<22} {:<22}",
            e.model,
            s.n,
            percent(&s.accuracy),
            number(&s.macro_average[2]),
            number(&s.calibration_error)
        );
    }
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
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"><title>Comparison</title>\n<style>{STYLE}</style></head><body>\n<h1>{} models on the same images</h1>\n<p class=\"note\">{} · research use only</p>\n<table><tr><th>model</th><th>n</th><th>accuracy</th><th>balanced accuracy</th><th>macro F1</th><th>log loss</th><th>ECE</th></tr>\n",
        c.models.len(),
        xml_text(data)
    );
    for e in &c.models {
        let s = &e.scores;
        let _ = writeln!(
            t,
            "<tr><td>{}<br><small>{}</small></td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            xml_text(&e.model),
            &e.model_sha256[..e.model_sha256.len().min(12)],
            s.n,
            percent(&s.accuracy),
            percent(&s.balanced_accuracy),
            number(&s.macro_average[2]),
            number(&s.log_loss),
            number(&s.calibration_error)
        );
    }
    t.push_str("</table>\n<h2>Against the first</h2>\n<ul>\n");
    for pair in &c.pairs {
        let _ = writeln!(t, "<li>{}</li>", xml_text(&c.pair_line(pair)));
    }
    t.push_str("</ul>\n<p class=\"note\">An image without an answer counts as wrong here. Intervals: bootstrap over groups, 2,000 draws.</p>\n<h2>Matrices</h2>\n<div class=\"charts\">\n");
    for e in &c.models {
        let _ =
            writeln!(t, "<div><p>{}</p>{}</div>", xml_text(&e.model), confusion_svg(&e.scores.confusion, &e.labels));
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
    use super::super::evaluated::tests::small;
    use super::*;

    #[test]
    fn pairs_count_images_that_exactly_one_has_right() {
        let first = small();
        let mut other = small();
        // Row 2 was wrong; the other one's reference is what the model called, so it counts as right there.
        other.sample.correct(2, 1);
        other.sample.correct(0, 1);
        other.model = "other".into();
        let c = Compared::new(vec![first, other], 1);
        let p = &c.pairs[0];
        assert_eq!(
            (p.only_first.as_slice(), p.only_other.as_slice()),
            (&["0.png".to_owned()][..], &["2.png".to_owned()][..])
        );
        assert!(p.n == 7 && p.difference == 0.0 && p.p == 1.0 && p.interval.is_some());
        let v = comparison_json(&c);
        assert_eq!((v["pairs"][0]["n"].as_u64(), v["models"][1]["model"]["name"].as_str()), (Some(7), Some("other")));
        let html = comparison_html(&c);
        assert!(html.contains("Only other is right (1)"));
        assert!(comparison_text(&c).contains("McNemar"));
    }
}
