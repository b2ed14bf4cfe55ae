//! Calibrate a model on labelled images that it did not learn from: confidences that mean what they say, a threshold below
//! which it gives no label, and, where the model has none yet, what is unlike its images. The result is a new model file;
//! the old one stays.

#![expect(clippy::cast_possible_truncation, reason = "counts of cells")]

use super::evaluate::{EvaluateError, EvaluateMonitor, EvaluateProgress, EvaluateRequest, answer};
use super::output::{unwritten, write_output};
use super::rewrite::rewritten;
use super::{Phase, UserError};
use crate::domain::{Digest, logarithms};
use crate::evaluation::Evaluated;
use crate::files::{Content, display_path, probe_output};
use crate::inference::{CellFeatures, Engine, Provider};
use crate::metrics::{
    Abstention, Calibrator, Estimate, Evaluation, LEAST_FOR_VECTOR, Sample, Scored, abstention, fit_temperature,
    fit_vector, share,
};
use crate::model::{Calibration, LOGARITHMS, Manifest, OodDetector, VettedModel};
use crate::training::{fit_ood_detector, with_calibrated_threshold};
use std::collections::{BTreeMap, HashSet};
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
    pub digest: Digest,
    /// Temperature or vector scaling, in words.
    pub method: String,
    /// Cells.
    pub n: usize,
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
    pub ood: bool,
    /// What it was fitted on is partly what the model learnt from.
    pub overlap: usize,
    /// Whether the model says what it learnt from.
    pub recorded: bool,
    /// References that were taken as the user corrected them.
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
    monitor: &mut EvaluateMonitor<'_>,
) -> Result<Option<Calibrated>, EvaluateError> {
    let CalibrateOptions { target_risk, out } = *options;
    probe_output(out, Content::Model).map_err(|e| unwritten(out, &e))?;
    let mut manifest = Manifest::read(model.bytes())
        .map_err(UserError::from)?
        .ok_or_else(|| UserError::new("the model has no manifest to write into"))?;
    // What is fitted is fitted to the network's own logits, whatever calibration the file has now.
    manifest.calibration = None;
    let plain = rewritten(model.bytes(), &manifest, "the calibrated model")?;
    let Some((found, features)) = answer(request, &plain, CellFeatures::All, monitor)? else { return Ok(None) };
    check_cells(&found)?;
    monitor.event(EvaluateProgress::Phase(Phase::Fitting));
    let (logits, folds) = (logits(&found.sample), halves(found.sample.groups(), request.seed));
    let fit = Fit { found: &found, logits: &logits, folds: &folds };
    let fitted = fit.best()?;
    // Chosen on confidences that no cell's own reference had a part in: each half by what was fitted on the other one.
    let promise = abstention(&fitted.crossed, target_risk);
    let (written, kept) = calibration(&fit, &fitted, promise, target_risk)?;
    manifest.calibration = Some(written);
    let ood = match &model.card().ood {
        None => fit_ood(&found, &features, &folds),
        Some(_) => None,
    };
    // Two models of one name could not be told apart in a list.
    let name = &model.card().name;
    if !name.ends_with(CALIBRATED) {
        manifest.name = format!("{name}{CALIBRATED}");
    }
    let with_ood = ood.is_some();
    if with_ood {
        manifest.ood = ood;
    }
    let new = rewritten(model.bytes(), &manifest, "the calibrated model")?;
    monitor.event(EvaluateProgress::Phase(Phase::Verifying));
    // Loading runs the self-test, which the new calibration must not break.
    Engine::load(&new, Provider::Cpu, 1).map_err(|e| UserError::new(format!("the calibrated model: {e}")))?;
    write_output(out, new.bytes())?;
    let (same, alike) = found.overlap();
    Ok(Some(Calibrated {
        path: out.to_owned(),
        digest: new.card().digest,
        method: fitted.method,
        n: found.sample.len(),
        groups: found.scores.groups,
        accuracy: (found.scores.accuracy, fitted.after.accuracy),
        error: (found.scores.calibration_error, fitted.after.calibration_error),
        log_loss: (found.scores.log_loss, fitted.after.log_loss),
        target_risk,
        abstention: promise,
        kept,
        ood: with_ood,
        overlap: same + alike,
        recorded: found.recorded,
        corrected: found.corrected(),
    }))
}

/// Enough different cells, and none of them twice.
fn check_cells(found: &Evaluated) -> Result<(), UserError> {
    let n = found.sample.len();
    let distinct = found.cells.iter().map(|c| c.digest).collect::<HashSet<_>>().len();
    if distinct < LEAST {
        return Err(UserError::new(format!(
            "only {distinct} different cells can be used; calibration needs at least {LEAST}. Add labelled images"
        )));
    }
    if distinct < n {
        return Err(UserError::new(format!(
            "{} of {n} cells are copies of others, to the byte: what calibration promises would be counted on them twice. Take the copies out",
            n - distinct
        )));
    }
    Ok(())
}

/// What the manifest says of a calibration, and how many of its cells the written model keeps.
fn calibration(
    fit: &Fit<'_>,
    fitted: &Fitted,
    promise: Option<Abstention>,
    target_risk: f64,
) -> Result<(Calibration, usize), UserError> {
    let (found, calibrator) = (fit.found, &fitted.calibrator);
    let n = found.sample.len();
    let calibrated = fit.sample_of(|row, _| calibrator.apply(row))?;
    let single = |v: &[f64]| v.iter().map(|v| *v as f32).collect::<Vec<f32>>();
    // Rounded down, so that the very cell that set it is kept whatever the rounding does.
    let threshold = promise.filter(|a| a.threshold > 0.0).map(|a| (a.threshold - 1e-6).max(0.0) as f32);
    // What the written model itself keeps of these cells.
    let kept = crate::metrics::kept(&calibrated, threshold.map_or(0.0, f64::from)).0;
    let temperature = calibrator.temperature().map(|t| t as f32);
    let vector = |v: &[f64]| if temperature.is_none() { single(v) } else { Vec::new() };
    let written = Calibration {
        temperature: temperature.unwrap_or(1.0),
        scale: vector(&calibrator.scale),
        shift: vector(&calibrator.shift),
        abstain_threshold: threshold,
        input: LOGARITHMS.to_owned(),
        n,
        error_before: triple(&found.scores.calibration_error),
        error_after: triple(&fitted.after.calibration_error),
        target_risk: Some(target_risk),
        coverage: promise.map(|_| share(kept, n)),
        risk: promise.map(|a| [share(a.wrong, a.kept), a.risk_bound]),
        method: format!(
            "{} (Guo et al. 2017); threshold by exact binomial bounds over 20 coverages (Geifman & El-Yaniv 2017), 95 % confidence, chosen out of fold: each half of the groups by what was fitted on the other half",
            fitted.method
        ),
        data_sha256: found.data_sha256.clone(),
    };
    Ok((written, kept))
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

/// The calibration that was chosen.
struct Fitted {
    /// Each half of the cells by what was fitted on the other one.
    crossed: Sample,
    /// Scores of that.
    after: Evaluation,
    /// Fitted on all cells.
    calibrator: Calibrator,
    /// How, in words.
    method: String,
}

struct Fit<'a> {
    found: &'a Evaluated,
    logits: &'a [f64],
    folds: &'a [bool],
}

impl Fit<'_> {
    /// Temperature scaling, or vector scaling where every class has enough cells and it is better out of fold.
    fn best(&self) -> Result<Fitted, UserError> {
        let (crossed, after) = self.crossed(fit_temperature)?;
        let enough = self.found.scores.per_class.iter().all(|c| c.support >= LEAST_FOR_VECTOR);
        let vector = enough.then(|| self.crossed(fit_vector)).transpose()?;
        let (crossed, after, calibrator, how) = match vector {
            Some((crossed, by_vector)) if by_vector.log_loss.value < after.log_loss.value => {
                (crossed, by_vector, self.whole(fit_vector), "vector scaling")
            }
            _ => (crossed, after, self.whole(fit_temperature), "temperature scaling"),
        };
        let method = match calibrator.temperature() {
            Some(t) => format!("{how}, T = {t:.4}"),
            None => how.to_owned(),
        };
        Ok(Fitted { crossed, after, calibrator, method })
    }

    fn whole(&self, fit: fn(Scored<'_>) -> Calibrator) -> Calibrator {
        let classes = self.found.labels.len();
        fit(Scored { logits: self.logits, references: self.found.sample.references(), classes })
    }

    /// Each half calibrated by what was fitted on the other one, scored.
    fn crossed(&self, fit: fn(Scored<'_>) -> Calibrator) -> Result<(Sample, Evaluation), UserError> {
        let k = self.found.labels.len();
        let fitted = [false, true].map(|side| {
            let rows: Vec<usize> = (0..self.folds.len()).filter(|&r| self.folds[r] == side).collect();
            let own: Vec<f64> = rows.iter().flat_map(|&r| self.logits[r * k..][..k].to_vec()).collect();
            let references: Vec<usize> = rows.iter().map(|&r| self.found.sample.references()[r]).collect();
            if rows.is_empty() {
                Calibrator::identity(k)
            } else {
                fit(Scored { logits: &own, references: &references, classes: k })
            }
        });
        let sample = self.sample_of(|row, side| fitted[usize::from(!side)].apply(row))?;
        let scored = Evaluation::new(&sample, self.found.seed).ok_or_else(|| UserError::new("nothing was answered"))?;
        Ok((sample, scored))
    }

    fn sample_of(&self, apply: impl Fn(&[f64], bool) -> Vec<f64>) -> Result<Sample, UserError> {
        let k = self.found.labels.len();
        let p: Vec<f64> =
            self.logits.chunks_exact(k).zip(self.folds).flat_map(|(row, side)| apply(row, *side)).collect();
        let s = &self.found.sample;
        Sample::new(k, s.references().to_vec(), &p, s.groups().to_vec())
            .ok_or_else(|| UserError::new("calibration gave no probabilities; please report it"))
    }
}

/// Fitted on one half of the groups, its threshold on the other. `None` where the model gives no features or the cells
/// are too few.
fn fit_ood(found: &Evaluated, features: &[f32], folds: &[bool]) -> Option<OodDetector> {
    let width = features.len() / found.sample.len().max(1);
    if width == 0 {
        return None;
    }
    let pick = |side: bool| {
        let rows = (0..folds.len()).filter(move |&r| folds[r] == side);
        rows.clone().map(|r| found.sample.references()[r]).zip(rows.map(|r| &features[r * width..][..width])).unzip()
    };
    let (classes, own): (Vec<usize>, Vec<&[f32]>) = pick(false);
    let (_, others): (Vec<usize>, Vec<&[f32]>) = pick(true);
    fit_ood_detector(&own.concat(), &classes).and_then(|f| with_calibrated_threshold(f, &others.concat()))
}

impl Calibrated {
    /// What was found, for the user.
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
        if self.ood {
            t.push_str(
                "what is unlike these images was fitted too: 5 % of half of the groups lie above its threshold\n",
            );
        }
        if self.overlap > 0 {
            t.push_str(&format!(
                "warning: {} of these cells were in the model's training; the figures are too good. Use images that it never saw\n",
                self.overlap
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
