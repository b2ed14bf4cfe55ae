//! An 8-bit copy of a model, faster on processors: scaled on some labelled images, held against the original on others that
//! neither saw, and refused where it loses more than the user allows.

use super::evaluate::{EvaluateError, EvaluateMonitor, EvaluateProgress, EvaluateRequest, answer};
use super::output::{unwritten, write_output};
use super::rewrite::rewritten;
use super::{Phase, UserError};
use crate::domain::Digest;
use crate::evaluation::{Evaluated, EvaluatedCell, TrainOverlap};
use crate::files::{Content, Entry, probe_output};
use crate::imaging::Cells;
use crate::inference::{CellFeatures, Engine, OwnSquares, Provider, prepare, self_test_tensor, value_ranges};
use crate::metrics::{Interval, ROUNDS, bootstrap, share, wilson};
use crate::model::{LOGARITHMS, Manifest, OutputKind, SelfTest, VettedModel, quantizable, quantized, with_outputs};
use serde_json::{Value, json};
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

/// Points of accuracy that a copy may lose where the user says nothing.
pub const USUAL_LOSS: f64 = 0.3;

/// What the copy is like.
#[derive(Debug, Clone)]
pub struct Quantized {
    /// The new file; none where it was refused.
    pub path: Option<PathBuf>,
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
    pub overlap: usize,
    /// Whether the model says what it learnt from.
    pub recorded: bool,
    /// Cells a second on one thread, original and copy.
    pub rate: (f64, f64),
}

impl Quantized {
    /// Why it is not written, where it is not.
    pub fn refusal(&self) -> String {
        format!("refused: the copy loses {:.2} points, {:.2} are allowed", -self.change.0, self.allowed)
    }

    /// What the copy's manifest says of it.
    fn to_json(&self, model: &VettedModel, before: &Evaluated, parts: &Parts, scaled: &[f32]) -> Value {
        json!({
            "of": model.card().digest.to_string(), "form": "QDQ, u8 activations, s8 weights a channel (7 bits used)",
            "ranges_cells": parts.ranges.len(), "held_cells": self.n, "held_groups": self.groups,
            "data_sha256": before.data_sha256, "accuracy_before": share(self.right.0, self.n),
            "accuracy_after": share(self.right.1, self.n), "change_points": self.change.0,
            "self_test_probabilities": scaled,
        })
    }

    /// Accuracy of the original and of the copy, with Wilson intervals.
    pub fn accuracy(&self) -> [(f64, Interval); 2] {
        [self.right.0, self.right.1].map(|r| (share(r, self.n), wilson(r, self.n)))
    }

    /// In words, for the user.
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
        if self.overlap > 0 {
            text.push_str(&format!(
                "the model learnt from {} of the held-out cells: both figures are too good\n",
                self.overlap
            ));
        } else if !self.recorded {
            text.push_str(
                "the model does not say what it learnt from: whether the held-out cells are new to it is not known\n",
            );
        }
        text
    }
}

/// How a copy is made.
pub struct QuantizeOptions<'a> {
    /// Points of accuracy that it may lose.
    pub allowed: f64,
    /// The file of the copy.
    pub out: &'a Path,
}

/// Makes the 8-bit copy and writes it unless it loses more than allowed; `None` when cancelled.
///
/// # Errors
/// What is wrong and what to do, in words.
pub fn quantize(
    model: &VettedModel,
    request: &EvaluateRequest,
    options: &QuantizeOptions<'_>,
    monitor: &mut EvaluateMonitor<'_>,
) -> Result<Option<Quantized>, EvaluateError> {
    let QuantizeOptions { allowed, out } = *options;
    let of_model = |e: &dyn std::fmt::Display| UserError::new(format!("{}: {e}", model.card().name));
    probe_output(out, Content::Model).map_err(|e| unwritten(out, &e))?;
    let mut manifest = Manifest::read(model.bytes()).map_err(|e| of_model(&e))?.ok_or_else(|| {
        UserError::new("the model has no manifest of its own; write a copy that has one first (leukoscope adopt --out)")
    })?;
    let names = quantizable(&model.graph()).map_err(|e| of_model(&e))?;
    let Some((before, _)) = answer(request, model, CellFeatures::None, monitor)? else { return Ok(None) };
    let parts = parts(&before);
    if parts.held_out.len() < LEAST_HELD {
        return Err(UserError::new(format!(
            "{} cells are left to hold the copy against the original; at least {LEAST_HELD} in groups of their own are needed. Add labelled images",
            parts.held_out.len()
        ))
        .into());
    }
    let Some((bytes, range_cells)) = quantized_file(model, &names, &before, &parts, monitor)? else { return Ok(None) };
    // The self-test is the copy's own.
    manifest.self_test = None;
    if !model.card().name.ends_with(FAST) {
        manifest.name = format!("{}{FAST}", model.card().name);
    }
    if let Some(calibration) = &mut manifest.calibration {
        // As it is applied here, and as the copy's own self-test is made.
        calibration.input = LOGARITHMS.into();
    }
    let copy = rewritten(&bytes, &manifest, "the copy")?;
    monitor.event(EvaluateProgress::Phase(Phase::ComparingCopy));
    let on_cpu = EvaluateRequest { provider: Provider::Cpu, ..request.clone() };
    let Some((after, _)) = answer(&on_cpu, &copy, CellFeatures::None, monitor)? else { return Ok(None) };
    let held_out = Comparison::new(&before, &after, &parts.held_out)
        .ok_or_else(|| UserError::new("the copy does not answer for the same cells; please report it"))?;
    let rate = rates(model, &copy).map_err(|e| of_model(&e))?;
    let mut found = Quantized {
        path: None,
        digest: copy.card().digest,
        bytes: (model.bytes().len(), 0),
        ranges: range_cells,
        n: held_out.groups.len(),
        groups: held_out.count_groups(),
        right: held_out.right(),
        only: held_out.only(),
        change: (
            held_out.change_of_all(),
            bootstrap(&held_out.groups, ROUNDS, request.seed, |rows| held_out.change(rows)),
        ),
        allowed,
        overlap: parts.held_out.iter().filter(|&&r| before.cells[r].overlap != TrainOverlap::No).count(),
        recorded: before.recorded,
        rate,
    };
    let [logits, scaled] = self_test(&copy).map_err(|e| of_model(&e))?;
    manifest.self_test = Some(SelfTest { image: 1, logits, tolerance: TOLERANCE });
    manifest.quantization = found.to_json(model, &before, &parts, &scaled);
    let new = rewritten(&bytes, &manifest, "the copy")?;
    Engine::load(&new, Provider::Cpu, 1).map_err(|e| of_model(&e))?;
    (found.digest, found.bytes.1) = (new.card().digest, new.bytes().len());
    // The bound is what is measured: a copy that lost as much as allowed and a hair more is refused.
    if found.change.0 >= -allowed {
        write_output(out, new.bytes())?;
        found.path = Some(out.to_owned());
    }
    Ok(Some(found))
}

/// The file with 8-bit products, by the ranges that some cells' activations have; and how many cells these were. `None` when cancelled.
fn quantized_file(
    model: &VettedModel,
    names: &[String],
    before: &Evaluated,
    parts: &Parts,
    monitor: &mut EvaluateMonitor<'_>,
) -> Result<Option<(Vec<u8>, usize)>, UserError> {
    monitor.event(EvaluateProgress::Phase(Phase::MeasuringRanges));
    let of_model = |e: &dyn std::fmt::Display| UserError::new(format!("{}: {e}", model.card().name));
    let tensors: Vec<f32> = parts.ranges.iter().flat_map(|&row| tensor_of(&before.cells[row], model)).collect();
    let one = 3 * model.card().tensor.size * model.card().tensor.size;
    let (input, spec) = (&model.card().input_name, &model.card().tensor);
    let open = with_outputs(&model.graph(), names).map_err(|e| of_model(&e))?;
    let ranges = value_ranges(&open, input, spec, &tensors, monitor.cancel, monitor.progress);
    let Some(ranges) = ranges.map_err(|e| of_model(&e))? else { return Ok(None) };
    let bytes = quantized(&model.graph(), &ranges).map_err(|e| of_model(&e))?;
    Ok(Some((bytes, tensors.len() / one)))
}

struct Parts {
    ranges: Vec<usize>,
    held_out: Vec<usize>,
}

/// Whole groups for the ranges: first those that the model learnt from, then a quarter of the others at most.
fn parts(found: &Evaluated) -> Parts {
    let groups = found.sample.groups();
    let overlap: BTreeSet<usize> =
        (0..groups.len()).filter(|&r| found.cells[r].overlap != TrainOverlap::No).map(|r| groups[r]).collect();
    let rest = groups.iter().filter(|g| !overlap.contains(g)).count();
    let mut chosen: BTreeSet<usize> = BTreeSet::new();
    let size = |chosen: &BTreeSet<usize>| groups.iter().filter(|g| chosen.contains(g)).count();
    // Everything that was learnt is out of the held part only where enough is left without it.
    if rest >= LEAST_HELD {
        chosen.extend(&overlap);
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
    let (mut ranges, held_out): (Vec<usize>, Vec<usize>) =
        (0..groups.len()).partition(|&r| chosen.contains(&groups[r]));
    fastrand::Rng::with_seed(found.seed).shuffle(&mut ranges);
    ranges.truncate(RANGES);
    Parts { ranges, held_out }
}

/// Both answers to the held-out cells.
struct Comparison {
    groups: Vec<usize>,
    hits: Vec<(bool, bool)>,
}

impl Comparison {
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

    fn change_of_all(&self) -> f64 {
        let (n, right) = (self.groups.len(), self.right());
        100.0 * (share(right.1, n) - share(right.0, n))
    }

    /// Copy less original, in points.
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

/// The copy's answer to the self-test's image: the network's own logits before calibration, and probabilities.
fn self_test(copy: &VettedModel) -> Result<[Vec<f32>; 2], crate::inference::EngineError> {
    let mut engine = Engine::load(copy, Provider::Cpu, 1)?;
    let answer = engine.predict(self_test_tensor(&copy.card().tensor), 1)?.into_iter().next();
    let probabilities = answer.as_ref().map_or_else(Vec::new, |a| a.probabilities.values().to_vec());
    let logits = match copy.output() {
        OutputKind::Logits(_) if !copy.card().merges() => answer.map(|a| a.output).unwrap_or_default(),
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
