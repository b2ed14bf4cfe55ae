//! A training of no epoch: the starting model's network stays byte for byte, and its card gets flags or a calibration. Nothing is scored:
//! what the model scored when it was trained stays in its card.

use super::flags::fit_flags;
use super::outcome::{TrainMonitor, TrainOutcome, TrainProgress, side_file};
use super::setup::Run;
use super::verify::{record_of, write};
use crate::inference::{Engine, Provider};
use crate::model::Manifest;
use crate::report::history_csv;
use crate::training::{Stop, TrainState};
use crate::workflow::rewrite::rewritten;
use crate::workflow::{Phase, UserError, now};
use serde_json::json;

/// Fits what is asked for to the starting model as it is, and writes it under the new name.
pub(super) fn with_other_flags(run: &Run<'_>, monitor: &mut TrainMonitor<'_>) -> Result<TrainOutcome, UserError> {
    let (prepared, options) = (run.prepared, run.options);
    let (start, request) = (&prepared.start, &prepared.request);
    let same = start.labels.as_ref() == Some(&prepared.labels) && request.side.is_none() && request.input.is_none();
    let Some(model) = start.model.as_ref().filter(|_| same) else {
        return Err(UserError::new(
            "no epoch leaves the network as it is: the starting model must be one of ours, seen as it is, and the dataset must have its classes and no other but as flags (--flag) or left out (--leave-out)",
        ));
    };
    if request.flags.is_empty() && options.calibration.is_none() {
        return Err(UserError::new(
            "no epoch and nothing to fit: give --flag LABEL or --calibration-of MODEL, or let it learn (--epochs 15)",
        ));
    }
    let mut manifest =
        Manifest::read(model.bytes())?.ok_or_else(|| UserError::new("the starting model has no manifest"))?;
    manifest.name = options.name.clone();
    if !request.flags.is_empty() {
        monitor.event(TrainProgress::Phase(Phase::Verifying));
        manifest.flags = fit_flags(run, model, monitor)?;
        manifest.training_record = Some(record_of(prepared, Vec::new(), monitor)?);
        // Another program may have put a text there.
        if !manifest.provenance.is_object() {
            manifest.provenance = json!({"before": manifest.provenance});
        }
        manifest.provenance["flags"] = json!({
            "program": format!("Leukoscope {}", env!("CARGO_PKG_VERSION")),
            "time": now(),
            "start": {"name": start.name, "sha256": start.digest.to_string()},
            "data_sha256": prepared.data_digest.to_string(),
        });
    }
    if options.calibration.is_some() {
        manifest.calibration.clone_from(&options.calibration);
    }
    let new = rewritten(model.bytes(), &manifest, "the new model")?;
    // Loading runs the self-test.
    Engine::load(&new, Provider::Cpu, 1).map_err(|e| UserError::new(format!("the new model: {e}")))?;
    let digest = new.card().digest;
    let report = json!({
        "schema": 1,
        "part": "none",
        "note": "no epoch: the network is the starting model's, and nothing was scored",
        "flags": manifest.flags.iter().map(|f| f.to_json()).collect::<Vec<_>>(),
        "calibration": manifest.calibration,
        "model": {"name": manifest.name, "sha256": digest.to_string()},
        "provenance": manifest.provenance,
    });
    write(&options.out, &options.out, new.bytes())?;
    write(&options.out, &side_file(&options.out, "history.csv"), &history_csv(&new.card().history))?;
    write(&options.out, &side_file(&options.out, "report.json"), format!("{report:#}\n").as_bytes())?;
    let mut outcome = run.outcome(Stop::Finished, &TrainState::default(), &run.values);
    outcome.difference = start.difference;
    outcome.model = Some((options.out.clone(), digest));
    Ok(outcome)
}
