//! Calibrate a model on labelled images that it did not learn from: confidences that mean what they say, a threshold below
//! which it gives no label, and, where the model has none yet, what is unlike its images. The result is a new model file;
//! the old one stays.

use super::UserError;
use super::evaluate::{EvaluateError, EvaluateProgress, EvaluateRequest, answer};
use super::models::rewritten;
use crate::domain::{Digest, logarithms};
use crate::evaluation::Evaluated;
use crate::files::{Content, display_path, probe_output, write_atomic};
use crate::inference::{Engine, Provider};
use crate::metrics::{
    Abstention, Calibrator, Estimate, Evaluation, LEAST_FOR_VECTOR, Sample, Scored, abstention, fit_temperature,
    fit_vector, share,
};
use crate::model::{Calibration, LOGARITHMS, OodDetector, VettedModel, manifest_text};
use crate::task::{Cancel, Progress};
use crate::training::{fit_ood_detector, with_calibrated_threshold};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a calibrated model's name ends with.
const CALIBRATED: &str = ", calibrated";
/// Cells that calibration needs.
const LEAST: usize = 30;

/// What calibration found and wrote.
#[derive(Debug, Clone)]
pub struct Calibrated {
    /// The new file.
    pub path: PathBuf,
    /// Its digest.
    pub digest: Digest,
    /// Temperature or vector scaling, in words.
    pub method: String,
    /// Cells.
    pub n: usize,
    /// Groups.
    pub groups: usize,
    /// Share right; calibration by one temperature does not change it.
    pub accuracy: (Estimate, Estimate),
    /// Expected calibration error (equal width) before and after; after is by what was fitted on the other half of the
    /// groups.
    pub error: (Estimate, Estimate),
    /// Log loss before and after, likewise.
    pub log_loss: (Estimate, Estimate),
    /// The share wrong that was asked for.
    pub target_risk: f64,
    /// The threshold; none where no coverage keeps the promise.
    pub abstention: Option<Abstention>,
    /// Cells, of those used here, that the written model gives a label.
    pub kept: usize,
    /// Whether what is unlike the model's images was fitted here.
    pub familiarity: bool,
    /// What it was fitted on is partly what the model learnt from.
    pub learnt: usize,
    /// Whether the model says what it learnt from.
    pub recorded: bool,
    /// References that were taken as a person corrected them.
    pub corrected: usize,
}

/// How a model is calibrated.
pub struct CalibrateOptions<'a> {
    /// The share of wrong labels that is promised.
    pub target_risk: f64,
    /// The file of the new model.
    pub out: &'a Path,
}

/// Calibrates `model` and writes the result; `None` when cancelled.
///
/// # Errors
/// What is wrong and what to do, in words.
pub fn calibrate(
    model: &VettedModel,
    request: &EvaluateRequest,
    options: &CalibrateOptions<'_>,
    cancel: &Cancel,
    progress: &Progress,
    on_event: &mut dyn FnMut(EvaluateProgress),
) -> Result<Option<Calibrated>, EvaluateError> {
    let CalibrateOptions { target_risk, out } = *options;
    let no = |e: &dyn std::fmt::Display| UserError::new(format!("{} cannot be written: {e}", display_path(out)));
    probe_output(out, Content::Model).map_err(|e| no(&e))?;
    let text = manifest_text(model.bytes()).ok_or_else(|| UserError::new("the model has no manifest to write into"))?;
    let mut manifest: serde_json::Value =
        serde_json::from_str(&text).map_err(|e| UserError::new(format!("the model's manifest: {e}")))?;
    // What is fitted is fitted to the network's own logits, whatever calibration the file has now.
    manifest["calibration"] = serde_json::Value::Null;
    let plain = rewritten(model.bytes(), &manifest, "the calibrated model")?;
    let Some((found, features)) = answer(request, &plain, true, cancel, progress, on_event)? else { return Ok(None) };
    let n = found.sample.len();
    let distinct = found.cells.iter().map(|c| c.digest).collect::<std::collections::HashSet<_>>().len();
    if distinct < LEAST {
        return Err(UserError::new(format!(
            "only {distinct} different cells can be used; calibration needs at least {LEAST}. Add labelled images"
        ))
        .into());
    }
    if distinct < n {
        return Err(UserError::new(format!(
            "{} of {n} cells are copies of others, to the byte: what calibration promises would be counted on them twice. Take the copies out",
            n - distinct
        ))
        .into());
    }
    on_event(EvaluateProgress::Phase("fitting"));
    let (logits, folds) = (logits(&found.sample), halves(found.sample.groups(), request.seed));
    let fit = Fit { found: &found, logits: &logits, folds: &folds };
    let (crossed, temperature) = fit.crossed(fit_temperature)?;
    let enough = found.scores.per_class.iter().all(|c| c.support >= LEAST_FOR_VECTOR);
    let vector = enough.then(|| fit.crossed(fit_vector)).transpose()?;
    let (crossed, after, calibrator, how) = match vector {
        Some((c, v)) if v.log_loss.value < temperature.log_loss.value => {
            (c, v, fit.whole(fit_vector), "vector scaling")
        }
        _ => (crossed, temperature, fit.whole(fit_temperature), "temperature scaling"),
    };
    let method = match calibrator.temperature() {
        Some(t) => format!("{how}, T = {t:.4}"),
        None => how.to_owned(),
    };
    let calibrated = fit.sample_of(|row, _| calibrator.apply(row))?;
    // Chosen on confidences that no cell's own reference had a part in: each half by what was fitted on the other one.
    let promise = abstention(&crossed, target_risk);
    #[expect(clippy::cast_possible_truncation, reason = "kept as singles")]
    let single = |v: &[f64]| v.iter().map(|v| *v as f32).collect::<Vec<f32>>();
    // Rounded down, so that the very cell that set it is kept whatever the rounding does.
    #[expect(clippy::cast_possible_truncation, reason = "kept as singles")]
    let threshold = promise.filter(|a| a.threshold > 0.0).map(|a| (a.threshold - 1e-6).max(0.0) as f32);
    // What the written model itself keeps of these cells.
    let kept = crate::metrics::kept(&calibrated, threshold.map_or(0.0, f64::from)).0;
    #[expect(clippy::cast_possible_truncation, reason = "kept as singles")]
    let written = Calibration {
        temperature: calibrator.temperature().map_or(1.0, |t| t as f32),
        scale: if calibrator.temperature().is_none() { single(&calibrator.scale) } else { Vec::new() },
        shift: if calibrator.temperature().is_none() { single(&calibrator.shift) } else { Vec::new() },
        abstain_threshold: threshold,
        input: LOGARITHMS.to_owned(),
        n,
        error_before: triple(&found.scores.calibration_error),
        error_after: triple(&after.calibration_error),
        target_risk: Some(target_risk),
        coverage: promise.map(|_| share(kept, n)),
        risk: promise.map(|a| [share(a.wrong, a.kept), a.risk_bound]),
        method: format!(
            "{method} (Guo et al. 2017); threshold by exact binomial bounds over 20 coverages (Geifman & El-Yaniv 2017), 95 % confidence, chosen out of fold: each half of the groups by what was fitted on the other half"
        ),
        data_sha256: found.data_sha256.clone(),
    };
    manifest["calibration"] =
        serde_json::to_value(&written).map_err(|e| UserError::new(format!("the calibration: {e}")))?;
    let familiarity = match &model.card().familiarity {
        None => familiarity(&found, &features, &folds),
        Some(_) => None,
    };
    // Two models of one name could not be told apart in a list.
    let name = &model.card().name;
    if !name.ends_with(CALIBRATED) {
        manifest["name"] = format!("{name}{CALIBRATED}").into();
    }
    if let Some(f) = &familiarity {
        manifest["familiarity"] = serde_json::to_value(f).map_err(|e| UserError::new(format!("familiarity: {e}")))?;
    }
    let new = rewritten(model.bytes(), &manifest, "the calibrated model")?;
    on_event(EvaluateProgress::Phase("verifying in ONNX Runtime"));
    // Loading runs the self-test, which the new calibration must not break.
    Engine::load(&new, Provider::Cpu, 1).map_err(|e| UserError::new(format!("the calibrated model: {e}")))?;
    write_atomic(out, new.bytes()).map_err(|e| no(&e))?;
    let (same, alike) = found.learnt();
    Ok(Some(Calibrated {
        path: out.to_owned(),
        digest: new.card().digest,
        method,
        n,
        groups: found.scores.groups,
        accuracy: (found.scores.accuracy, after.accuracy),
        error: (found.scores.calibration_error, after.calibration_error),
        log_loss: (found.scores.log_loss, after.log_loss),
        target_risk,
        abstention: promise,
        kept,
        familiarity: familiarity.is_some(),
        learnt: same + alike,
        recorded: found.recorded,
        corrected: found.corrected(),
    }))
}

fn triple(e: &Estimate) -> Option<[f64; 3]> {
    e.interval.map(|i| [e.value, i.low, i.high])
}

/// What a calibration is applied to, a row a cell.
fn logits(sample: &Sample) -> Vec<f64> {
    (0..sample.len()).flat_map(|r| logarithms(sample.row(r))).collect()
}

/// Which half of the groups each row belongs to: the largest groups first, each to the emptier half.
fn halves(groups: &[usize], seed: u64) -> Vec<bool> {
    let mut sizes = BTreeMap::<usize, usize>::new();
    groups.iter().for_each(|g| *sizes.entry(*g).or_default() += 1);
    let mut order: Vec<(usize, usize)> = sizes.into_iter().collect();
    fastrand::Rng::with_seed(seed).shuffle(&mut order);
    order.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let (mut first, mut second) = (0, 0);
    let side: BTreeMap<usize, bool> = order
        .into_iter()
        .map(|(g, n)| {
            let to_second = second < first;
            *(if to_second { &mut second } else { &mut first }) += n;
            (g, to_second)
        })
        .collect();
    groups.iter().map(|g| side[g]).collect()
}

struct Fit<'a> {
    found: &'a Evaluated,
    logits: &'a [f64],
    folds: &'a [bool],
}

impl Fit<'_> {
    fn whole(&self, fit: fn(Scored<'_>) -> Calibrator) -> Calibrator {
        let classes = self.found.labels.len();
        fit(Scored { logits: self.logits, truth: self.found.sample.truth(), classes })
    }

    /// Each half calibrated by what was fitted on the other one, scored.
    fn crossed(&self, fit: fn(Scored<'_>) -> Calibrator) -> Result<(Sample, Evaluation), UserError> {
        let k = self.found.labels.len();
        let fitted = [false, true].map(|side| {
            let rows: Vec<usize> = (0..self.folds.len()).filter(|&r| self.folds[r] == side).collect();
            let own: Vec<f64> = rows.iter().flat_map(|&r| self.logits[r * k..][..k].to_vec()).collect();
            let truth: Vec<usize> = rows.iter().map(|&r| self.found.sample.truth()[r]).collect();
            if rows.is_empty() {
                Calibrator::identity(k)
            } else {
                fit(Scored { logits: &own, truth: &truth, classes: k })
            }
        });
        let sample = self.sample_of(|row, side| fitted[usize::from(!side)].apply(row))?;
        let scored = Evaluation::of(&sample, self.found.seed).ok_or_else(|| UserError::new("nothing was answered"))?;
        Ok((sample, scored))
    }

    fn sample_of(&self, apply: impl Fn(&[f64], bool) -> Vec<f64>) -> Result<Sample, UserError> {
        let k = self.found.labels.len();
        let p: Vec<f64> =
            self.logits.chunks_exact(k).zip(self.folds).flat_map(|(row, side)| apply(row, *side)).collect();
        let s = &self.found.sample;
        Sample::new(k, s.truth().to_vec(), &p, s.groups().to_vec())
            .ok_or_else(|| UserError::new("calibration gave no probabilities; please report it"))
    }
}

/// Fitted on one half of the groups, its threshold on the other. `None` where the model gives no features or the cells
/// are too few.
fn familiarity(found: &Evaluated, features: &[f32], folds: &[bool]) -> Option<OodDetector> {
    let width = features.len() / found.sample.len().max(1);
    if width == 0 {
        return None;
    }
    let pick = |side: bool| {
        let rows = (0..folds.len()).filter(move |&r| folds[r] == side);
        rows.clone().map(|r| found.sample.truth()[r]).zip(rows.map(|r| &features[r * width..][..width])).unzip()
    };
    let (classes, own): (Vec<usize>, Vec<&[f32]>) = pick(false);
    let (_, others): (Vec<usize>, Vec<&[f32]>) = pick(true);
    fit_ood_detector(&own.concat(), &classes).and_then(|f| with_calibrated_threshold(f, &others.concat()))
}

impl Calibrated {
    /// What was found, for a person.
    #[must_use]
    pub fn to_text(&self) -> String {
        use crate::report::{number, percent};
        let mut t = format!(
            "{} on {} cells in {} groups\nexpected calibration error {} to {}\nlog loss {} to {}\naccuracy {} to {}\n",
            self.method,
            self.n,
            self.groups,
            number(&self.error.0),
            number(&self.error.1),
            number(&self.log_loss.0),
            number(&self.log_loss.1),
            percent(&self.accuracy.0),
            percent(&self.accuracy.1)
        );
        if self.corrected > 0 {
            t.push_str(&format!("{} references were taken as you corrected them\n", self.corrected));
        }
        t.push_str("after: each half of the groups by what was fitted on the other half\n");
        match &self.abstention {
            None => t.push_str(&format!(
                "no threshold keeps the share wrong at or below {:.2} % with 95 % confidence on so few cells or so many errors: the model gives every cell a label\n",
                100.0 * self.target_risk
            )),
            Some(a) if a.threshold == 0.0 => t.push_str(&format!(
                "every cell gets a label: at most {:.2} % wrong with 95 % confidence ({} of {} here, out of fold), as asked ({:.2} %)\n",
                100.0 * a.risk_bound,
                a.wrong,
                a.kept,
                100.0 * self.target_risk
            )),
            Some(a) => t.push_str(&format!(
                "below a confidence of {:.4} cells stay unidentified: {:.1} % are kept ({} of {}). Chosen out of fold, where {} of {} kept cells were wrong: at most {:.2} % with 95 % confidence (asked: {:.2} %)\n",
                a.threshold,
                100.0 * share(self.kept, self.n),
                self.kept,
                self.n,
                a.wrong,
                a.kept,
                100.0 * a.risk_bound,
                100.0 * self.target_risk
            )),
        }
        t.push_str("this holds for cells like these; another laboratory's can be worse\n");
        if self.familiarity {
            t.push_str(
                "what is unlike these images was fitted too: 5 % of half of the groups lie above its threshold\n",
            );
        }
        if self.learnt > 0 {
            t.push_str(&format!(
                "warning: {} of these cells were in the model's training; the figures are too good. Use images that it never saw\n",
                self.learnt
            ));
        } else if !self.recorded {
            t.push_str(
                "the model does not say what it learnt from: if these images were among it, the figures are too good\n",
            );
        }
        t.push_str(&format!("model {} ({})\n", display_path(&self.path), self.digest));
        t
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_in_one_half() {
        let groups = [0, 0, 0, 1, 1, 2, 3, 3, 0, 4];
        let h = halves(&groups, 1);
        for (a, x) in groups.iter().zip(&h) {
            for (b, y) in groups.iter().zip(&h) {
                assert!(a != b || x == y);
            }
        }
        let n = h.iter().filter(|s| **s).count();
        assert!((4..=6).contains(&n), "{n}");
    }
}
