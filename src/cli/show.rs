//! What a terminal shows: tables, the model's card as JSON, the progress bar.

use crate::domain::{ClassSet, Differential, ImageResult, Outcome};
use crate::model::ModelCard;
use crate::task::{Progress, seconds_left};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

pub(super) fn cell_table(row: &ImageResult, classes: &ClassSet) -> String {
    let mut t = String::new();
    match &row.outcome {
        Outcome::Failed(failure) => {
            let _ = writeln!(t, "failed: {}", failure.reason());
        }
        Outcome::Cells(cells) if cells.is_empty() => {
            let _ = writeln!(t, "no white cell; places looked at: {}", row.rejected.len());
        }
        Outcome::Cells(cells) => {
            let _ = writeln!(t, "{:>4}  {:<14}{:>11}{:>8}{:>8}{:>7}", "cell", "label", "confidence", "x", "y", "side");
            for c in cells {
                let (top, p) = c.probabilities.top();
                let label = if c.accepted { classes.label(top).unwrap_or("") } else { "unidentified" };
                let s = c.square;
                let _ = writeln!(
                    t,
                    "{:>4}  {label:<14}{:>10.1}%{:>8.0}{:>8.0}{:>7.0}",
                    c.number,
                    p * 100.0,
                    s.x,
                    s.y,
                    s.side
                );
            }
        }
    }
    t
}

/// The counts in clinical order.
pub(super) fn differential_table(d: &Differential, classes: &ClassSet) -> String {
    let mut t = String::from("\n");
    for label in classes.clinical_order().into_iter().filter_map(|i| classes.label(i)) {
        let share = d.share(label).map_or(String::new(), |s| format!("{:.0} %", s * 100.0));
        let _ = writeln!(t, "{label:<14}{:>6}{:>8}", d.count_of(label).all, share);
    }
    t
}

/// A model's card for a script.
pub(super) fn card_json(card: &ModelCard) -> String {
    let t = &card.tensor;
    let value = json!({
        "schema": 1,
        "name": card.name,
        "sha256": card.digest.to_string(),
        "bytes": card.bytes,
        "labels": card.classes.labels(),
        "judges_cells": card.judges(),
        "input": {"name": card.input_name, "layout": if t.channels_first { "NCHW" } else { "NHWC" },
            "channels": if t.bgr { "BGR" } else { "RGB" }, "size": t.size, "mean": t.mean, "std": t.std},
        "preprocessing": card.preprocessing.to_line(),
        "outputs": card.outputs.iter().map(|(k, v)| ((*k).to_owned(), v.clone().into())).collect::<serde_json::Map<String, serde_json::Value>>(),
        "calibration": card.calibration.as_ref().map(|c| json!({"temperature": c.temperature, "abstain_threshold": c.abstain_threshold})),
        "opset": card.versions.0,
        "parameters": card.parameters,
        "author": card.author,
        "licence": card.licence,
        "intended_use": card.intended_use,
    });
    format!("{value:#}\n")
}

/// The progress bar on a terminal; a line every ten seconds elsewhere.
#[derive(Debug)]
pub(super) struct Bar {
    bar: Option<ProgressBar>,
    begun: Instant,
    told: Instant,
}

impl Bar {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self { bar: None, begun: now, told: now }
    }

    pub(super) fn begin(&mut self, n: usize) {
        if std::io::stderr().is_terminal() {
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len}  {per_sec}  {eta} left");
            self.bar =
                Some(ProgressBar::new(n as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())));
        }
    }

    pub(super) fn step(&mut self, progress: &Progress) {
        if let Some(bar) = &self.bar {
            bar.set_position(progress.done() as u64);
        } else if self.told.elapsed() > Duration::from_secs(10) {
            self.told = Instant::now();
            let left = seconds_left(progress.done(), progress.total(), self.begun.elapsed().as_secs_f64());
            super::eprint_line(&format!(
                "{} of {}, {:.0} s left",
                progress.done(),
                progress.total(),
                left.unwrap_or(0.0)
            ));
        }
    }

    pub(super) fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| super::eprint_line(text)),
            None => super::eprint_line(text),
        }
    }

    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
