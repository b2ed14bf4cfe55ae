//! An 8-bit copy of a model, faster on processors: scaled on some labelled pictures, held against the original on others that
//! neither saw, and refused where it loses more than a person allows.

use super::UserError;
use super::evaluate::{EvaluateError, EvaluateProgress, EvaluateRequest, answer};
use super::models::rewritten;
use crate::domain::Digest;
use crate::evaluation::{Evaluated, EvaluatedCell, TrainOverlap};
use crate::files::{Content, Entry, display_path, probe_output, write_atomic};
use crate::inference::{Cells, Engine, OwnSquares, Provider, prepare, self_test_tensor, value_ranges};
use crate::metrics::{Interval, ROUNDS, bootstrap, share, wilson};
use crate::model::{
    LOGARITHMS, OutputKind, SelfTest, VettedModel, manifest_text, quantizable, quantized, with_outputs,
};
use crate::task::{Cancel, Progress};
use serde_json::json;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What a copy's name ends with.
const FAST: &str = ", fast (8 bit)";
/// Cells that the ranges are measured on, at most.
const RANGES: usize = 256;
/// Cells that the copy is held against the original on, at least.
const LEAST_HELD: usize = 50;
/// Probabilities of the self-test may differ by this much: processors round 8-bit sums in their own ways.
const TOLERANCE: f32 = 0.05;

/// Points of accuracy that a copy may lose where a person says nothing.
pub const USUAL_LOSS: f64 = 0.3;

/// What the copy is like.
#[derive(Debug, Clone)]
pub struct Quantized {
    /// The new file; none where it was refused.
    pub path: Option<PathBuf>,
    /// Its digest.
    pub digest: Digest,
    /// Bytes of the original and of the copy.
    pub bytes: (usize, usize),
    /// Cells that the ranges were measured on.
    pub ranges: usize,
    /// Held-out cells.
    pub n: usize,
    /// Groups among them.
    pub groups: usize,
    /// Right among them, original and copy.
    pub right: (usize, usize),
    /// Cells that only the original, and only the copy, is right for.
    pub only: (usize, usize),
    /// Copy less original, in points, with its interval over groups.
    pub change: (f64, Option<Interval>),
    /// Points that were allowed to be lost.
    pub allowed: f64,
    /// Held-out cells that the model learnt from: its figures are then too good.
    pub learnt: usize,
    /// Whether the model says what it learnt from.
    pub recorded: bool,
    /// Cells a second on one thread, original and copy.
    pub rate: (f64, f64),
}

impl Quantized {
    /// Accuracy of the original and of the copy, with Wilson intervals.
    #[must_use]
    pub fn accuracy(&self) -> [(f64, Interval); 2] {
        [self.right.0, self.right.1].map(|r| (share(r, self.n), wilson(r, self.n)))
    }

    /// In words, for a person.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "megabytes")]
    pub fn to_text(&self) -> String {
        let [before, after] = self.accuracy();
        let percent =
            |(a, i): (f64, Interval)| format!("{:6.2} % ({:.2}–{:.2})", 100.0 * a, 100.0 * i.low, 100.0 * i.high);
        let interval = self
            .change
            .1
            .as_ref()
            .map_or(String::new(), |i| format!(" (95 % interval {:+.2} to {:+.2})", i.low, i.high));
        let mut text = format!(
            "{:<22}{:>30}{:>30}\n{:<22}{:>30}{:>30}\n{:<22}{:>27.1} MB{:>27.1} MB\n{:<22}{:>30.0}{:>30.0}\n",
            "",
            "original",
            "8 bit",
            "right",
            percent(before),
            percent(after),
            "file",
            self.bytes.0 as f64 / 1e6,
            self.bytes.1 as f64 / 1e6,
            "cells a second, 1 core",
            self.rate.0,
            self.rate.1
        );
        text.push_str(&format!(
            "{} held-out cells in {} groups: {:+.2} points{interval}; only the original right {}, only the copy {}; {:.2} times as fast\n",
            self.n, self.groups, self.change.0, self.only.0, self.only.1, self.rate.1 / self.rate.0
        ));
        if self.rate.1 < 1.05 * self.rate.0 {
            text.push_str("on this processor the copy is no faster (8-bit dot products, VNNI, are what makes it so): keep the original here\n");
        }
        text.push_str(&format!("ranges measured on {} other cells\n", self.ranges));
        if self.learnt > 0 {
            text.push_str(&format!(
                "the model learnt from {} of the held-out cells: both figures are too good\n",
                self.learnt
            ));
        } else if !self.recorded {
            text.push_str(
                "the model does not say what it learnt from: whether the held-out cells are new to it is not known\n",
            );
        }
        text
    }
}

/// Makes the 8-bit copy and writes it to `out` unless it loses more than `allowed` points; `None` when cancelled.
///
/// # Errors
/// What is wrong and what to do, in words.
pub fn quantize(
    model: &VettedModel,
    request: &EvaluateRequest,
    allowed: f64,
    out: &Path,
    cancel: &Cancel,
    progress: &Progress,
    on_event: &mut dyn FnMut(EvaluateProgress),
) -> Result<Option<Quantized>, EvaluateError> {
    let no = |e: &dyn std::fmt::Display| UserError::new(format!("{} cannot be written: {e}", display_path(out)));
    let told = |e: &dyn std::fmt::Display| UserError::new(format!("{}: {e}", model.card().name));
    probe_output(out, Content::Model).map_err(|e| no(&e))?;
    let text = manifest_text(model.bytes()).ok_or_else(|| {
        UserError::new("the model has no manifest of its own; write a copy that has one first (leukoscope adopt --out)")
    })?;
    let mut manifest: serde_json::Value = serde_json::from_str(&text).map_err(|e| told(&e))?;
    let names = quantizable(&model.graph()).map_err(|e| told(&e))?;
    let Some((before, _)) = answer(request, model, false, cancel, progress, on_event)? else { return Ok(None) };
    let parts = parts(&before);
    if parts.held.len() < LEAST_HELD {
        return Err(UserError::new(format!(
            "{} cells are left to hold the copy against the original; at least {LEAST_HELD} in groups of their own are needed. Add labelled images",
            parts.held.len()
        ))
        .into());
    }
    on_event(EvaluateProgress::Phase("measuring ranges"));
    let mut tensors = Vec::new();
    for &row in &parts.ranges {
        tensors.extend(tensor_of(&before.cells[row], model));
    }
    let one = 3 * model.card().tensor.size * model.card().tensor.size;
    let (input, spec) = (&model.card().input_name, &model.card().tensor);
    let open = with_outputs(&model.graph(), &names).map_err(|e| told(&e))?;
    let Some(ranges) = value_ranges(&open, input, spec, &tensors, cancel, progress).map_err(|e| told(&e))? else {
        return Ok(None);
    };
    let bytes = quantized(&model.graph(), &ranges).map_err(|e| told(&e))?;
    // The self-test is the copy's own.
    manifest["self_test"] = serde_json::Value::Null;
    if !model.card().name.ends_with(FAST) {
        manifest["name"] = format!("{}{FAST}", model.card().name).into();
    }
    if manifest["calibration"].is_object() {
        // As it is applied here, and as the copy's own self-test is made.
        manifest["calibration"]["input"] = LOGARITHMS.into();
    }
    let copy = rewritten(&bytes, &manifest, "the copy")?;
    on_event(EvaluateProgress::Phase("holding the copy against the original"));
    let on_cpu = EvaluateRequest { provider: Provider::Cpu, ..request.clone() };
    let Some((after, _)) = answer(&on_cpu, &copy, false, cancel, progress, on_event)? else { return Ok(None) };
    let held = Held::new(&before, &after, &parts.held)
        .ok_or_else(|| UserError::new("the copy does not answer for the same cells; please report it"))?;
    let (n, right, only) = (held.groups.len(), held.right(), held.only());
    let change = 100.0 * (share(right.1, n) - share(right.0, n));
    let interval = bootstrap(&held.groups, ROUNDS, request.seed, |rows| held.change(rows));
    let rate = rates(model, &copy).map_err(|e| told(&e))?;
    let [logits, scaled] = self_test(&copy).map_err(|e| told(&e))?;
    manifest["self_test"] = json!(SelfTest { picture: 1, logits, tolerance: TOLERANCE });
    let learnt = parts.held.iter().filter(|&&r| before.cells[r].learnt != TrainOverlap::No).count();
    manifest["quantization"] = json!({
        "of": model.card().digest.to_string(), "form": "QDQ, u8 activations, s8 weights a channel (7 bits used)",
        "ranges_cells": parts.ranges.len(), "held_cells": n, "held_groups": held.count_groups(), "data_sha256": before.data_sha256,
        "accuracy_before": share(right.0, n), "accuracy_after": share(right.1, n), "change_points": change,
        "self_test_probabilities": scaled,
    });
    let new = rewritten(&bytes, &manifest, "the copy")?;
    Engine::load(&new, Provider::Cpu, 1).map_err(|e| told(&e))?;
    let mut found = Quantized {
        path: None,
        digest: new.card().digest,
        bytes: (model.bytes().len(), new.bytes().len()),
        ranges: tensors.len() / one,
        n,
        groups: held.count_groups(),
        right,
        only,
        change: (change, interval),
        allowed,
        learnt,
        recorded: before.recorded,
        rate,
    };
    // The bound is what is measured: a copy that lost as much as allowed and a hair more is refused.
    if change >= -allowed {
        write_atomic(out, new.bytes()).map_err(|e| no(&e))?;
        found.path = Some(out.to_owned());
    }
    Ok(Some(found))
}

struct Parts {
    ranges: Vec<usize>,
    held: Vec<usize>,
}

/// Whole groups for the ranges: first those that the model learnt from, then a quarter of the others at most.
fn parts(found: &Evaluated) -> Parts {
    let groups = found.sample.groups();
    let learnt: BTreeSet<usize> =
        (0..groups.len()).filter(|&r| found.cells[r].learnt != TrainOverlap::No).map(|r| groups[r]).collect();
    let rest = groups.iter().filter(|g| !learnt.contains(g)).count();
    let mut chosen: BTreeSet<usize> = BTreeSet::new();
    let size = |chosen: &BTreeSet<usize>| groups.iter().filter(|g| chosen.contains(g)).count();
    // Everything that was learnt is out of the held part only where enough is left without it.
    if rest >= LEAST_HELD {
        chosen.extend(&learnt);
    }
    if size(&chosen) == 0 {
        let mut order: Vec<usize> = groups.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        fastrand::Rng::with_seed(found.seed).shuffle(&mut order);
        for group in order {
            let more = groups.iter().filter(|g| **g == group).count();
            if size(&chosen) + more > RANGES.min(groups.len() / 4).max(1) {
                continue;
            }
            chosen.insert(group);
        }
    }
    let (mut ranges, held): (Vec<usize>, Vec<usize>) = (0..groups.len()).partition(|&r| chosen.contains(&groups[r]));
    fastrand::Rng::with_seed(found.seed).shuffle(&mut ranges);
    ranges.truncate(RANGES);
    Parts { ranges, held }
}

/// Both answers to the held-out cells.
struct Held {
    groups: Vec<usize>,
    hits: Vec<(bool, bool)>,
}

impl Held {
    fn new(before: &Evaluated, after: &Evaluated, rows: &[usize]) -> Option<Self> {
        let same = before.cells.len() == after.cells.len()
            && before.cells.iter().zip(&after.cells).all(|(a, b)| a.digest == b.digest);
        same.then(|| Self {
            groups: rows.iter().map(|&r| before.sample.groups()[r]).collect(),
            hits: rows.iter().map(|&r| (before.sample.right(r), after.sample.right(r))).collect(),
        })
    }

    fn right(&self) -> (usize, usize) {
        (self.hits.iter().filter(|h| h.0).count(), self.hits.iter().filter(|h| h.1).count())
    }

    fn only(&self) -> (usize, usize) {
        (self.hits.iter().filter(|h| h.0 && !h.1).count(), self.hits.iter().filter(|h| !h.0 && h.1).count())
    }

    fn count_groups(&self) -> usize {
        self.groups.iter().collect::<BTreeSet<_>>().len()
    }

    /// Copy less original, in points.
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    fn change(&self, rows: &[usize]) -> f64 {
        let sum: i64 = rows.iter().map(|&r| i64::from(self.hits[r].1) - i64::from(self.hits[r].0)).sum();
        100.0 * sum as f64 / rows.len().max(1) as f64
    }
}

fn tensor_of(cell: &EvaluatedCell, model: &VettedModel) -> Vec<f32> {
    let square = model.card().looks_at_squares().then_some(cell.square);
    let entry = Entry { path: cell.file.clone(), named: true, error: None, square };
    prepare(&entry, model.card(), Cells::One, &OwnSquares::new()).map_or_else(|_| Vec::new(), |p| p.tensors)
}

/// Cells a second on one thread in batches of 4, original and copy, in turns: whatever else the machine does falls on both.
fn rates(model: &VettedModel, copy: &VettedModel) -> Result<(f64, f64), crate::inference::EngineError> {
    let one = 3 * model.card().tensor.size * model.card().tensor.size;
    let mut engines = [Engine::load(model, Provider::Cpu, 1)?, Engine::load(copy, Provider::Cpu, 1)?];
    let mut seconds = [Vec::new(), Vec::new()];
    for _ in 0..12 {
        for (engine, seconds) in engines.iter_mut().zip(&mut seconds) {
            let start = Instant::now();
            for _ in 0..4 {
                engine.run(vec![0.1; 4 * one], 4)?;
            }
            seconds.push(start.elapsed().as_secs_f64());
        }
    }
    let median = |mut s: Vec<f64>| {
        s.sort_by(f64::total_cmp);
        16.0 / s[s.len() / 2]
    };
    let [a, b] = seconds;
    Ok((median(a), median(b)))
}

/// The copy's answer to the self-test's picture: the network's own logits before calibration, and probabilities.
fn self_test(copy: &VettedModel) -> Result<[Vec<f32>; 2], crate::inference::EngineError> {
    let mut engine = Engine::load(copy, Provider::Cpu, 1)?;
    let answer = engine.answers(self_test_tensor(&copy.card().tensor), 1)?.into_iter().next();
    let probabilities = answer.as_ref().map_or_else(Vec::new, |a| a.probabilities.values().to_vec());
    let logits = match copy.output() {
        OutputKind::Logits(_) if copy.card().merge.is_empty() => answer.map(|a| a.output).unwrap_or_default(),
        // Without a calibration, ln p are logits of the same probabilities; with one, it is taken back.
        _ => {
            let ln: Vec<f32> = probabilities.iter().map(|p| p.max(1e-12).ln()).collect();
            match &copy.card().calibration {
                None => ln,
                Some(c) if c.scale.len() == ln.len() => {
                    ln.iter().zip(c.scale.iter().zip(&c.shift)).map(|(z, (s, b))| (z - b) / s).collect()
                }
                Some(c) => ln.iter().map(|z| z * c.temperature).collect(),
            }
        }
    };
    Ok([logits, probabilities])
}
