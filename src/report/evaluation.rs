//! An evaluation as `report.json`, `report.txt` and `predictions.csv`. Bytes only; the same evaluation gives the same bytes
//! whoever asks.
//!
//! `report.json` is schema 1: `n`, `accuracy`, `macro`, `weighted`, `per_class.NAME.{precision,recall,f1,support,roc_auc,
//! average_precision}`, `confusion.{labels,counts}`, then `balanced_accuracy`, `kappa`, `matthews`, `log_loss`, `brier`,
//! `top_2_accuracy`, `calibration_error.{equal_width,equal_mass}`, `risk_coverage_area`, `roc_auc`, `average_precision`;
//! beside each score `…_interval` is its 95 % interval `[low, high]` or null, and `intervals` says how they come about.
//! `model`, `data`, `training_overlap`, `unanswered`, `mapped` and `notes` say what was evaluated. Scores that a sample
//! does not define are null.

use super::escape::csv_text;
use super::learning::{UNDEFINED, hundredths, rounded};
use crate::evaluation::evaluated::Evaluated;
use crate::metrics::{Estimate, Evaluation, kept, share, wilson};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// Version of the layout of `report.json`.
const SCHEMA: u32 = 1;

pub(super) fn put(map: &mut Map<String, Value>, key: &str, e: Option<&Estimate>) {
    map.insert(key.into(), e.map_or(Value::Null, |e| rounded(e.value).into()));
    let interval = e.and_then(|e| e.interval).map_or(Value::Null, |i| json!([rounded(i.low), rounded(i.high)]));
    map.insert(format!("{key}_interval"), interval);
}

/// Scores as `report.json` has them.
pub fn evaluation_scores(s: &Evaluation, labels: &[String]) -> Map<String, Value> {
    let mut o = Map::new();
    o.insert("n".into(), s.n.into());
    put(&mut o, "accuracy", Some(&s.accuracy));
    for (key, average) in [("macro", &s.macro_average), ("weighted", &s.weighted_average)] {
        let mut a = Map::new();
        for (key, e) in ["precision", "recall", "f1"].into_iter().zip(average) {
            put(&mut a, key, Some(e));
        }
        o.insert(key.into(), a.into());
    }
    let mut per_class = Map::new();
    for (label, c) in labels.iter().zip(&s.per_class) {
        let mut own = Map::new();
        for (key, e) in [("precision", &c.precision), ("recall", &c.recall), ("f1", &c.f1)] {
            put(&mut own, key, e.as_ref());
        }
        own.insert("support".into(), c.support.into());
        put(&mut own, "roc_auc", c.roc_auc.as_ref());
        put(&mut own, "average_precision", c.average_precision.as_ref());
        per_class.insert(label.clone(), own.into());
    }
    o.insert("per_class".into(), per_class.into());
    let counts: Vec<_> = s.confusion.rows().map(<[usize]>::to_vec).collect();
    o.insert("confusion".into(), json!({"labels": labels, "counts": counts}));
    put(&mut o, "balanced_accuracy", Some(&s.balanced_accuracy));
    put(&mut o, "kappa", s.kappa.as_ref());
    put(&mut o, "matthews", Some(&s.matthews));
    put(&mut o, "log_loss", Some(&s.log_loss));
    put(&mut o, "brier", Some(&s.brier));
    put(&mut o, "top_2_accuracy", Some(&s.top_two));
    let mut errors = Map::new();
    put(&mut errors, "equal_width", Some(&s.calibration_error));
    put(&mut errors, "equal_mass", Some(&s.calibration_error_mass));
    o.insert("calibration_error".into(), errors.into());
    put(&mut o, "risk_coverage_area", Some(&s.risk_coverage));
    put(&mut o, "roc_auc", s.roc_auc.as_ref());
    put(&mut o, "average_precision", s.average_precision.as_ref());
    o.insert(
        "intervals".into(),
        json!({"level": 0.95, "accuracy": s.accuracy.how.text(), "others": s.matthews.how.text(), "groups": s.groups}),
    );
    o
}

/// `report.json`.
pub fn evaluation_json(e: &Evaluated) -> Value {
    let mut o = Map::new();
    o.insert("schema".into(), SCHEMA.into());
    o.insert("program".into(), format!("Leukoscope {}", env!("CARGO_PKG_VERSION")).into());
    o.extend(evaluation_scores(&e.scores, &e.labels));
    let (same, alike) = e.overlap();
    let unseen = e.unseen.as_ref().map(|u| {
        let mut a = Map::new();
        a.insert("n".into(), u.n.into());
        put(&mut a, "accuracy", Some(&u.accuracy));
        put(&mut a, "macro_f1", Some(&u.macro_average[2]));
        a
    });
    o.insert(
        "training_overlap".into(),
        json!({"recorded": e.recorded, "same": same, "near_duplicates": alike,
            "share": rounded(share(same + alike, e.cells.len())), "without_them": unseen}),
    );
    // What to judge by, whole: of images that the model did not learn from, as far as it records them.
    let mut headline = e.judged().map_or_else(Map::new, |s| evaluation_scores(s, &e.labels));
    headline.entry("n").or_insert(0.into());
    headline.entry("accuracy").or_insert(Value::Null);
    headline.insert("title".into(), e.title().into());
    headline.insert("of".into(), if same + alike == 0 { "all images" } else { "unseen images" }.into());
    o.insert("headline".into(), headline.into());
    let (failed, no_cell) = e.missing();
    let all = e.scores.n + e.unscored.len();
    let right = e.scores.confusion.right();
    let i = wilson(right, all);
    o.insert(
        "unanswered".into(),
        json!({"failed": failed, "no_cell": no_cell, "accuracy_counting_them_wrong": rounded(share(right, all)),
            "accuracy_counting_them_wrong_interval": [rounded(i.low), rounded(i.high)]}),
    );
    if e.threshold > 0.0 {
        let (n, right) = kept(&e.sample, e.threshold);
        let i = wilson(right, n);
        o.insert(
            "abstention".into(),
            json!({"threshold": rounded(e.threshold), "coverage": rounded(share(n, e.scores.n)), "accuracy_of_kept": rounded(share(right, n)),
                "accuracy_of_kept_interval": [rounded(i.low), rounded(i.high)]}),
        );
    }
    o.insert("corrected_references".into(), e.corrected().into());
    o.insert("model".into(), json!({"name": e.model, "sha256": e.model_sha256, "provider": e.provider}));
    o.insert("data".into(), json!({"path": e.data, "sha256": e.data_sha256, "grouping": e.grouping}));
    o.insert("mapped".into(), e.mapped.iter().map(|(a, b)| json!([a, b])).collect());
    o.insert("notes".into(), json!(e.notes));
    o.insert("intended_use".into(), "research use only".into());
    o.into()
}

/// "80.3 % [75.5–84.4]", or the score alone where there is no interval.
pub fn percent(e: &Estimate) -> String {
    let interval = e.interval.map_or(String::new(), |i| format!(" [{:.1}–{:.1}]", 100.0 * i.low, 100.0 * i.high));
    format!("{:.1} %{interval}", 100.0 * e.value)
}

/// "0.663 [0.594–0.731]".
pub fn number(e: &Estimate) -> String {
    let interval = e.interval.map_or(String::new(), |i| format!(" [{:.3}–{:.3}]", i.low, i.high));
    format!("{:.3}{interval}", e.value)
}

/// A score as `text` writes it, or "–" where it is not defined.
pub fn or_dash(e: Option<&Estimate>, text: fn(&Estimate) -> String) -> String {
    e.map_or_else(|| UNDEFINED.to_owned(), text)
}

/// The scores of the whole, by name, with a sentence on each.
pub fn summary_scores(s: &Evaluation) -> Vec<(&'static str, String, &'static str)> {
    vec![
        ("accuracy", percent(&s.accuracy), "share of cells that are right"),
        ("balanced accuracy", percent(&s.balanced_accuracy), "mean of the classes' recalls"),
        ("Cohen's kappa", or_dash(s.kappa.as_ref(), number), "agreement beyond chance"),
        ("Matthews", number(&s.matthews), "correlation of reference and answer"),
        ("top-2 accuracy", percent(&s.top_two), "the reference is one of the two most probable"),
        ("ROC AUC", or_dash(s.roc_auc.as_ref(), number), "one class against the others, mean"),
        ("average precision", or_dash(s.average_precision.as_ref(), number), "one class against the others, mean"),
        ("log loss", number(&s.log_loss), "mean −ln of the reference's probability"),
        ("Brier score", number(&s.brier), "squared distance, 0 to 2"),
        ("ECE, equal width", number(&s.calibration_error), "how far confidence and accuracy are apart"),
        ("ECE, equal mass", number(&s.calibration_error_mass), "the same over equally filled bins"),
        ("AURC", number(&s.risk_coverage), "mean share wrong over all coverages"),
    ]
}

/// `report.txt`: scikit-learn's layout, then everything else with intervals.
pub fn evaluation_text(e: &Evaluated) -> String {
    let s = e.judged().unwrap_or(&e.scores);
    let width = e.labels.iter().map(|l| l.chars().count()).max().unwrap_or(0).max(12);
    let mut t = String::new();
    // Only where it is not simply all images does something stand before the table.
    if let Some(line) = e.contaminated_line() {
        let of =
            if e.judged().is_some() { "The tables are of the unseen images." } else { "Nothing is left to judge by." };
        let _ = writeln!(t, "{}\n{line}\n{of}\n", e.title());
    }
    let _ = write!(t, "{:>width$}  {:>9} {:>9} {:>9} {:>9}\n\n", "", "precision", "recall", "f1-score", "support");
    for (label, c) in e.labels.iter().zip(&s.per_class) {
        let [p, r, f] = [&c.precision, &c.recall, &c.f1].map(|e| hundredths(e.as_ref()));
        let _ = writeln!(t, "{label:>width$}  {p:>9} {r:>9} {f:>9} {:>9}", c.support);
    }
    let averages = [("macro avg", &s.macro_average), ("weighted avg", &s.weighted_average)];
    let mut rest = String::new();
    for (name, a) in averages {
        let _ =
            writeln!(rest, "{name:>width$}  {:>9.2} {:>9.2} {:>9.2} {:>9}", a[0].value, a[1].value, a[2].value, s.n);
    }
    let _ = write!(t, "\n{:>width$}  {:>9} {:>9} {:>9.2} {:>9}\n{rest}", "accuracy", "", "", s.accuracy.value, s.n);
    let _ = writeln!(
        t,
        "\n95 % intervals; accuracy, precision, recall: {}; others: {}\n",
        s.accuracy.how.text(),
        s.matthews.how.text()
    );
    for (name, value, about) in summary_scores(s) {
        let _ = writeln!(t, "{name:<18} {value:<28} {about}");
    }
    t.push('\n');
    for (label, c) in e.labels.iter().zip(&s.per_class) {
        let _ = writeln!(
            t,
            "{label:<width$}  precision {:<24} recall {:<24} F1 {:<24} AUC {}",
            or_dash(c.precision.as_ref(), percent),
            or_dash(c.recall.as_ref(), percent),
            or_dash(c.f1.as_ref(), number),
            or_dash(c.roc_auc.as_ref(), number)
        );
    }
    let _ = write!(t, "\nreference ↓ predicted →\n{:>width$}", "");
    for label in &e.labels {
        let _ = write!(t, " {label:>width$}");
    }
    t.push('\n');
    for (label, row) in e.labels.iter().zip(s.confusion.rows()) {
        let _ = write!(t, "{label:>width$}");
        for n in row {
            let _ = write!(t, " {n:>width$}");
        }
        t.push('\n');
    }
    t.push('\n');
    for line in facts(e) {
        let _ = writeln!(t, "{line}");
    }
    t
}

/// What was evaluated, line by line.
pub fn facts(e: &Evaluated) -> Vec<String> {
    let (failed, no_cell) = e.missing();
    let mut out = vec![
        format!("model {} ({})", e.model, e.model_sha256),
        format!("data {}: {} cells in {} groups (digest {})", e.data, e.scores.n, e.scores.groups, e.data_sha256),
        format!("provider {}", e.provider),
        e.learnt_line(),
    ];
    if let Some(u) = &e.unseen {
        out.push(format!("without them: accuracy {}, n = {}", percent(&u.accuracy), u.n));
    }
    if failed + no_cell > 0 {
        let all = e.scores.n + failed + no_cell;
        let right = e.scores.confusion.right();
        let i = wilson(right, all);
        out.push(format!(
            "not scored: {failed} images failed, in {no_cell} no white cell was found; counted as wrong, accuracy is {:.1} % [{:.1}–{:.1}] of {all}",
            100.0 * share(right, all),
            100.0 * i.low,
            100.0 * i.high
        ));
    }
    if e.threshold > 0.0 {
        out.push(kept_line(e, e.threshold));
    }
    if e.corrected() > 0 {
        out.push(format!("references corrected by hand: {}; predictions.csv has both", e.corrected()));
    }
    for (from, to) in &e.mapped {
        out.push(match to {
            Some(to) => format!("the dataset's \"{from}\" was taken for {to}"),
            None => format!("the dataset's \"{from}\" was left out"),
        });
    }
    out.extend(e.grouping.iter().map(|g| format!("groups: {g}")));
    out.extend(e.notes.iter().map(|n| format!("note: {n}")));
    out.push(format!("Leukoscope {}. Research use only.", env!("CARGO_PKG_VERSION")));
    out
}

/// What an abstain threshold keeps: "keeps 93.0 % of cells, 99.1 % of those right [98.4–99.6]".
pub fn kept_line(e: &Evaluated, threshold: f64) -> String {
    let (n, right) = kept(&e.sample, threshold);
    if n == 0 {
        return format!("a threshold of {threshold:.3} keeps no cell");
    }
    let i = wilson(right, n);
    format!(
        "a threshold of {threshold:.3} keeps {:.1} % of cells ({n}), {:.1} % of those right [{:.1}–{:.1}]",
        100.0 * share(n, e.scores.n),
        100.0 * share(right, n),
        100.0 * i.low,
        100.0 * i.high
    )
}

/// `predictions.csv`: `path,status,reference,label,right,confidence,p_<class>…,group,in_training,unlike,x,y,side,sha256,
/// original_reference,error`, one row a labelled image.
pub fn predictions_csv(e: &Evaluated) -> Vec<u8> {
    let mut w = csv::Writer::from_writer(Vec::new());
    let mut head: Vec<String> =
        ["path", "status", "reference", "label", "right", "confidence"].map(String::from).to_vec();
    head.extend(e.labels.iter().map(|l| format!("p_{l}")));
    head.extend(
        ["group", "in_training", "unlike", "x", "y", "side", "sha256", "original_reference", "error"].map(String::from),
    );
    let mut rows = vec![head];
    let s = &e.sample;
    for (row, c) in e.cells.iter().enumerate() {
        let (reference, predicted) = (s.references()[row], s.predicted()[row]);
        let kept = s.confidence(row) >= e.threshold;
        let mut f = vec![
            csv_text(&c.path).into_owned(),
            if kept { "ok".into() } else { "unidentified".into() },
            csv_text(&e.labels[reference]).into_owned(),
            csv_text(&e.labels[predicted]).into_owned(),
            if s.right(row) { "yes".into() } else { "no".into() },
            format!("{:.6}", s.confidence(row)),
        ];
        f.extend(s.row(row).iter().map(|p| format!("{p:.6}")));
        f.push(s.groups()[row].to_string());
        f.push(if e.recorded { c.overlap.as_str().into() } else { String::new() });
        f.push(c.ood_score.map_or_else(String::new, |u| format!("{u:.4}")));
        f.extend([c.square.x, c.square.y, c.square.side].map(|v| format!("{v:.1}")));
        f.extend([c.file_digest.to_string(), csv_text(&e.labels[c.original]).into_owned(), String::new()]);
        rows.push(f);
    }
    for u in &e.unscored {
        let mut f = vec![csv_text(&u.path).into_owned()];
        f.push(if u.error.is_some() { "failed".into() } else { "no-cell".into() });
        f.push(csv_text(&e.labels[u.reference]).into_owned());
        f.resize(6 + e.labels.len() + 7, String::new());
        f.push(csv_text(&e.labels[u.reference]).into_owned());
        f.push(csv_text(u.error.as_deref().unwrap_or("")).into_owned());
        rows.push(f);
    }
    for row in rows {
        // Writing to memory does not fail, and every row has the head's length.
        let _ = w.write_record(&row);
    }
    w.into_inner().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::evaluated::tests::small;
    use crate::report::evaluation_html;

    #[test]
    fn the_json_has_what_the_contract_names() {
        let v = evaluation_json(&small());
        for key in ["n", "accuracy", "macro", "weighted", "per_class", "confusion"] {
            assert!(!v[key].is_null(), "{key}");
            assert!(key == "n" || key.starts_with("con") || key == "per_class" || v["accuracy_interval"].is_array());
        }
        assert_eq!(v["schema"], 1);
        assert_eq!(v["per_class"]["basophil"]["support"], 3);
        assert!(v["per_class"]["basophil"]["recall_interval"].is_null(), "three cells say next to nothing");
        assert_eq!((v["headline"]["n"].as_u64(), v["headline"]["of"].as_str()), (Some(5), Some("unseen images")));
        assert_eq!(v["headline"]["accuracy"], 0.6);
        assert_eq!(v["training_overlap"]["share"], 0.166_667);
        assert_eq!(v["training_overlap"]["same"], 1);
        assert_eq!(v["training_overlap"]["without_them"]["n"], 5);
        assert_eq!(v["unanswered"]["no_cell"], 1);
    }

    #[test]
    fn names_from_outside_do_no_harm() {
        let e = small();
        let csv = String::from_utf8(predictions_csv(&e)).expect("text");
        let mut lines = csv.lines();
        let columns = lines.next().expect("a head").split(',').count();
        assert!(csv.contains("\"'=a,\"\"b\"\"<c>.png\""), "{csv}");
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let rows: Vec<_> = reader.records().map(|r| r.expect("a row")).collect();
        assert!(rows.len() == 7 && rows.iter().all(|r| r.len() == columns));
        assert_eq!((&rows[6][1], &rows[6][0]), ("no-cell", "no.png"));
        let html = evaluation_html(&e);
        assert!(html.contains("a &lt;b&gt;") && !html.contains("a <b>"));
        assert!(!html.contains("http-equiv=\"refresh\"") && !html.contains("<script"));
    }

    /// The report's lines are scikit-learn's, letter by letter, on real answers.
    #[test]
    fn the_text_report_is_scikit_learns() {
        let golden: Value =
            serde_json::from_str(include_str!("../../tests/fixtures/evaluation/golden.json")).expect("JSON");
        let table = include_str!("../../tests/fixtures/evaluation/predictions.csv");
        let mut lines = table.lines();
        let labels: Vec<String> = lines.next().expect("a head").split(',').skip(1).map(|l| l[2..].to_owned()).collect();
        let (mut references, mut p) = (Vec::new(), Vec::new());
        for line in lines {
            let (reference, rest) = line.split_once(',').expect("columns");
            references.push(labels.iter().position(|l| l == reference).expect("a label"));
            p.extend(rest.split(',').map(|v| v.parse::<f64>().expect("a number")));
        }
        let n = references.len();
        let mut e = small();
        e.sample = crate::metrics::Sample::new(labels.len(), references, &p, (0..n).collect()).expect("fits");
        (e.labels, e.cells, e.unscored) = (labels, Vec::new(), Vec::new());
        e.scores = Evaluation::new(&e.sample, 1).expect("cells");
        let text = evaluation_text(&Evaluated { unseen: None, ..e });
        let theirs = golden["report"].as_str().expect("text");
        assert!(text.starts_with(theirs), "{text}\n{theirs}");
    }
}
