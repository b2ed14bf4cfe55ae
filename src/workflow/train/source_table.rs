//! How laboratories that were left out were answered by models that had not seen them: figures, and the calibration that follows. Nothing
//! is trained here.

#![expect(clippy::cast_possible_truncation, reason = "a temperature needs no double")]

use crate::domain::{ClassSet, NOT_A_WHITE_CELL, Probabilities, logarithms, same_label};
use crate::metrics::{Calibrator, Estimate, Evaluation, Sample, Scored, fit_temperature, share, wilson};
use crate::model::{Calibration, LOGARITHMS};
use crate::workflow::defaults;
use serde_json::{Value, json};

/// Cells that a calibration needs.
const LEAST: usize = 100;

/// A laboratory as the model without it answered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SourceResult {
    pub source: String,
    /// Images that the model learnt from.
    pub learnt: usize,
    /// Cells of the source.
    pub cells: usize,
    /// Of these, named rightly.
    pub right: usize,
    /// Of these, taken for no white cell.
    pub lost: usize,
    /// Images of the source that are no white cell.
    pub others: usize,
    /// Of these, taken for a white cell.
    pub taken: usize,
    /// Images of classes that no other source has: a model without this one cannot know them, and they count nowhere else.
    pub unknown: usize,
    /// Class of each cell, and the logarithms of its classes' probabilities as if it were a white cell.
    answers: Vec<(usize, Vec<f64>)>,
}

/// Every laboratory of a dataset, each left out in turn.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SourceTable {
    pub rows: Vec<SourceResult>,
}

impl SourceResult {
    /// `known` says which classes the model learnt.
    pub(super) fn new(
        source: &str,
        learnt: usize,
        labels: &ClassSet,
        known: &[bool],
        answers: &[(usize, Probabilities)],
    ) -> Self {
        let mut row = Self { source: source.to_owned(), learnt, ..Self::default() };
        let none = labels.labels().iter().position(|l| same_label(l, NOT_A_WHITE_CELL));
        for (class, answer) in answers {
            let predicted = answer.top().0;
            if !known.get(*class).is_some_and(|k| *k) {
                row.unknown += 1;
                continue;
            }
            if Some(*class) == none {
                row.others += 1;
                row.taken += usize::from(predicted != *class);
                continue;
            }
            row.cells += 1;
            row.right += usize::from(predicted == *class);
            row.lost += usize::from(Some(predicted) == none);
            let own = answer.values().iter().enumerate().filter(|(i, _)| Some(*i) != none);
            let own: Vec<f64> = own.map(|(_, p)| f64::from(*p)).collect();
            row.answers.push((*class - usize::from(none.is_some_and(|n| n < *class)), logarithms(&own)));
        }
        row
    }
}

impl SourceTable {
    /// One temperature for all laboratories, fitted to the answers of models that had not seen them; `None` where the cells are too few. No
    /// threshold below which a cell has no label: that is for a laboratory's own labelled cells to say.
    pub fn calibration(&self) -> Option<Calibration> {
        let classes = self.rows.iter().flat_map(|r| &r.answers).next()?.1.len();
        let fitted = |keep: &dyn Fn(usize) -> bool| {
            let chosen = || self.rows.iter().enumerate().filter(|(i, _)| keep(*i)).flat_map(|(_, r)| &r.answers);
            let logits: Vec<f64> = chosen().flat_map(|(_, row)| row.iter().copied()).collect();
            let references: Vec<usize> = chosen().map(|(class, _)| *class).collect();
            (references.len() >= LEAST)
                .then(|| fit_temperature(Scored { logits: &logits, references: &references, classes }))
        };
        let all = fitted(&|_| true)?;
        let plain = Calibrator::identity(classes);
        // Each laboratory by the temperature of the others, as a new one would be.
        let others: Vec<Option<Calibrator>> = (0..self.rows.len()).map(|own| fitted(&|i| i != own)).collect();
        let before = self.error(classes, |_| &plain)?;
        let after = self.error(classes, |i| others.get(i).and_then(Option::as_ref).unwrap_or(&all))?;
        let triple = |e: &Estimate| e.interval.map(|i| [e.value, i.low, i.high]);
        Some(Calibration {
            temperature: all.temperature()? as f32,
            scale: Vec::new(),
            shift: Vec::new(),
            abstain_threshold: None,
            n: self.rows.iter().map(|r| r.answers.len()).sum(),
            error_before: triple(&before),
            error_after: triple(&after),
            target_risk: None,
            coverage: None,
            risk: None,
            input: LOGARITHMS.to_owned(),
            method: format!(
                "temperature scaling (Guo et al. 2017) of the answers to each of {} laboratories by a model that had not seen it; the error afterwards by the temperature of the other laboratories",
                self.rows.len()
            ),
            data_sha256: String::new(),
        })
    }

    /// Expected calibration error over all laboratories, each with a calibrator of its own; a laboratory is a group.
    fn error<'a>(&self, classes: usize, by: impl Fn(usize) -> &'a Calibrator) -> Option<Estimate> {
        let answers = || self.rows.iter().enumerate().flat_map(|(i, r)| r.answers.iter().map(move |a| (i, a)));
        let probabilities: Vec<f64> = answers().flat_map(|(i, (_, row))| by(i).apply(row)).collect();
        let references = answers().map(|(_, (class, _))| *class).collect();
        let groups = answers().map(|(i, _)| i).collect();
        let sample = Sample::new(classes, references, &probabilities, groups)?;
        Some(Evaluation::new(&sample, defaults::SEED)?.calibration_error)
    }

    /// For the user: a line a laboratory.
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "each laboratory by a model that has not seen it\n{:<16}{:>8}{:>8}{:>24}{:>24}{:>24}\n",
            "left out", "learnt", "cells", "named rightly, %", "lost, %", "others taken, %"
        );
        let of = |hits: usize, n: usize| match n {
            0 => "–".to_owned(),
            n => {
                let i = wilson(hits, n);
                let [at, low, high] = [share(hits, n), i.low, i.high].map(|v| 100.0 * v);
                format!("{at:.1} ({low:.1}–{high:.1})")
            }
        };
        for r in &self.rows {
            let figures = [of(r.right, r.cells), of(r.lost, r.cells), of(r.taken, r.others)];
            let [right, lost, taken] = figures;
            text.push_str(&format!("{:<16}{:>8}{:>8}{right:>24}{lost:>24}{taken:>24}\n", r.source, r.learnt, r.cells));
        }
        if let Some(c) = self.calibration() {
            let error = |e: Option<[f64; 3]>| e.map_or_else(|| "–".to_owned(), |e| format!("{:.3}", e[0]));
            text.push_str(&format!(
                "temperature {:.3}: expected calibration error {} to {} there\n",
                c.temperature,
                error(c.error_before),
                error(c.error_after)
            ));
        } else {
            text.push_str(&format!("too few cells to calibrate the confidence by: {LEAST} are needed\n"));
        }
        for r in self.rows.iter().filter(|r| r.unknown > 0) {
            text.push_str(&format!(
                "{}: {} images are of classes that no other laboratory has; they are not counted\n",
                r.source, r.unknown
            ));
        }
        text
    }

    /// For a script, and for the model's manifest.
    pub fn to_json(&self) -> Value {
        let row = |r: &SourceResult| {
            let interval = |hits: usize, n: usize| {
                let i = wilson(hits, n);
                json!([i.low, i.high])
            };
            json!({
                "source": r.source, "learnt": r.learnt, "cells": r.cells, "right": r.right,
                "accuracy": share(r.right, r.cells), "accuracy_interval": interval(r.right, r.cells),
                "lost": r.lost, "of_unknown_classes": r.unknown, "others": r.others, "others_taken": r.taken,
            })
        };
        json!(self.rows.iter().map(row).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A laboratory whose answers are as sure as `logit`, and right in two of three.
    fn laboratory(source: &str, logit: f64) -> SourceResult {
        let answer = |i: usize| (usize::from(i.is_multiple_of(3)), vec![logit, 0.0]);
        let answers: Vec<_> = (0..120).map(answer).collect();
        SourceResult { source: source.into(), cells: 120, right: 80, lost: 6, answers, ..SourceResult::default() }
    }

    #[test]
    fn confidence_is_brought_to_what_is_right_elsewhere() {
        let table = SourceTable { rows: vec![laboratory("north", 3.0), laboratory("south", 3.0)] };
        let c = table.calibration().expect("enough cells");
        // Sure to e³/(1 + e³) = 0.95 and right in 2 of 3: ln 2 = 3/T.
        assert!((f64::from(c.temperature) - 3.0 / 2f64.ln()).abs() < 1e-3, "{}", c.temperature);
        let (before, after) = (c.error_before.expect("before")[0], c.error_after.expect("after")[0]);
        assert!((before - (0.952_57 - 2.0 / 3.0)).abs() < 1e-3 && after < 1e-3, "{before} {after}");
        assert!(c.abstain_threshold.is_none());
        assert!(SourceTable::default().calibration().is_none());
        assert!(SourceTable::default().to_text().contains("too few cells"));
        assert!(table.to_text().contains("66.7 (57.8–74.5)"), "{}", table.to_text());
    }
}
