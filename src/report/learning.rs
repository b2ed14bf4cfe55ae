//! Training in tables: `history.csv`, the scores as JSON and in scikit-learn's layout. Bytes and text only.

use crate::domain::EpochRow;
use crate::metrics::{Estimate, Interval, Scores};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// `history.csv`: `epoch,train_loss,train_accuracy,val_loss,val_accuracy,seconds`.
pub fn history_csv(rows: &[EpochRow]) -> Vec<u8> {
    let mut t = String::from("epoch,train_loss,train_accuracy,val_loss,val_accuracy,seconds\n");
    for r in rows {
        let _ = writeln!(
            t,
            "{},{:.6},{:.6},{:.6},{:.6},{:.2}",
            r.epoch, r.train_loss, r.train_accuracy, r.val_loss, r.val_accuracy, r.seconds
        );
    }
    t.into_bytes()
}

/// As numbers stand in reports: six decimals.
pub(super) fn rounded(v: f64) -> f64 {
    (v * 1e6).round() / 1e6
}

fn interval(i: Option<Interval>) -> Value {
    i.map_or(Value::Null, |i| json!([rounded(i.low), rounded(i.high)]))
}

/// Scores with their 95 % intervals, as `report.json` has them; what is not defined is null.
pub fn scores_json(s: &Scores, labels: &[String]) -> Value {
    let average = |(scores, i): &(crate::metrics::ClassScores, Option<Interval>)| json!({"precision": rounded(scores.precision), "recall": rounded(scores.recall), "f1": rounded(scores.f1), "f1_interval": interval(*i)});
    let value = |e: &Option<Estimate>| e.map_or(Value::Null, |e| rounded(e.value).into());
    let bounds = |e: &Option<Estimate>| interval(e.and_then(|e| e.interval));
    let mut per_class = serde_json::Map::new();
    for (label, c) in labels.iter().zip(&s.per_class) {
        let own = json!({
            "precision": value(&c.precision), "precision_interval": bounds(&c.precision),
            "recall": value(&c.recall), "recall_interval": bounds(&c.recall),
            "f1": value(&c.f1), "f1_interval": bounds(&c.f1),
            "support": c.support,
        });
        per_class.insert(label.clone(), own);
    }
    json!({
        "n": s.n,
        "accuracy": rounded(s.accuracy.0),
        "accuracy_interval": interval(s.accuracy.1),
        "macro": average(&s.macro_average),
        "weighted": average(&s.weighted_average),
        "per_class": per_class,
        "confusion": {"labels": labels, "counts": s.confusion.rows().map(<[usize]>::to_vec).collect::<Vec<_>>()},
    })
}

/// "0.75", or "–" where a score is not defined.
pub fn hundredths(e: Option<&Estimate>) -> String {
    e.map_or_else(|| UNDEFINED.to_owned(), |e| format!("{:.2}", e.value))
}

/// What stands where a score is not defined.
pub const UNDEFINED: &str = "–";

/// Scores in the layout of scikit-learn's `classification_report`, with the interval of the accuracy.
pub fn scores_text(s: &Scores, labels: &[String]) -> String {
    let width = labels.iter().map(|l| l.chars().count()).max().unwrap_or(0).max(12);
    let mut t = format!("{:>width$}  {:>9} {:>9} {:>9} {:>9}\n\n", "", "precision", "recall", "f1-score", "support");
    for (label, c) in labels.iter().zip(&s.per_class) {
        let [p, r, f] = [&c.precision, &c.recall, &c.f1].map(|e| hundredths(e.as_ref()));
        let _ = writeln!(t, "{label:>width$}  {p:>9} {r:>9} {f:>9} {:>9}", c.support);
    }
    let line = |name: &str, c: &crate::metrics::ClassScores| {
        format!("{name:>width$}  {:>9.2} {:>9.2} {:>9.2} {:>9}\n", c.precision, c.recall, c.f1, c.support)
    };
    let (a, i) = s.accuracy;
    let _ = writeln!(t, "\n{:>width$}  {:>9} {:>9} {a:>9.2} {:>9}", "accuracy", "", "", s.n);
    t.push_str(&line("macro avg", &s.macro_average.0));
    t.push_str(&line("weighted avg", &s.weighted_average.0));
    let interval = i.map_or_else(
        || "no interval: one group".to_owned(),
        |i| format!("95 % interval {:.1}–{:.1}", i.low * 100.0, i.high * 100.0),
    );
    let _ = writeln!(t, "\naccuracy {:.1} % ({interval}, n = {})", a * 100.0, s.n);
    t
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_are_the_contracts() {
        let row = EpochRow {
            epoch: 1,
            train_loss: 0.5,
            train_accuracy: 1.0,
            val_loss: 0.25,
            val_accuracy: 0.75,
            seconds: 2.0,
        };
        let csv = String::from_utf8(history_csv(&[row])).expect("text");
        assert_eq!(
            csv,
            "epoch,train_loss,train_accuracy,val_loss,val_accuracy,seconds\n1,0.500000,1.000000,0.250000,0.750000,2.00\n"
        );
    }

    #[test]
    fn the_report_has_what_the_contract_names() {
        let labels = ["a".to_owned(), "b".to_owned()];
        let s = Scores::new(2, &[(0, 0), (0, 1), (1, 1)], &[0, 1, 2], 1);
        let v = scores_json(&s, &labels);
        for key in ["n", "accuracy", "macro", "weighted", "per_class", "confusion"] {
            assert!(!v[key].is_null(), "{key}");
        }
        assert_eq!(v["per_class"]["a"]["support"], 2);
        assert_eq!(v["confusion"]["counts"], json!([[1, 1], [0, 1]]));
        assert!(scores_text(&s, &labels).contains("weighted avg"));
    }
}
