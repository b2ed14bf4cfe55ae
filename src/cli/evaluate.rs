//! `leukoscope evaluate`, `calibrate`, `compare` and `quantize`: words to the standard error, the report to the standard output, files into the folder.

use super::args::{Calibrate, Compare, Evaluate, Quantize};
use super::show::Bar;
use super::{Exit, cancel_on_interrupt, eprint_line, say};
use crate::files::display_path;
use crate::report::{comparison_text, evaluation_text};
use crate::task::{Cancel, Progress};
use crate::workflow::{self, EvaluateMonitor, EvaluateProgress, UserError};

/// Shows what is told, and a bar beside, while `work` runs; nothing where it was interrupted, which is then said.
pub(super) fn watched<T, E: std::fmt::Display>(
    work: impl FnOnce(&mut EvaluateMonitor<'_>) -> Result<Option<T>, E>,
) -> Result<Option<T>, UserError> {
    let (cancel, progress) = (Cancel::new(), Progress::default());
    cancel_on_interrupt(&cancel);
    let bar = std::sync::Mutex::new(Bar::new());
    let locked = || bar.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let done = Cancel::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut total = 0;
            while !done.is_cancelled() {
                if progress.total() != total {
                    total = progress.total();
                    locked().begin(total);
                }
                if total > 0 {
                    locked().step(&progress);
                }
                std::thread::sleep(std::time::Duration::from_millis(100));
            }
        });
        let mut on_event = |told| match told {
            EvaluateProgress::Phase(phase) => locked().line(&format!("{} …", phase.text())),
            EvaluateProgress::Started(report) => {
                locked().line(&format!("provider {} → {}", report.requested, report.to_line()));
            }
        };
        let out = work(&mut EvaluateMonitor::new(&cancel, &progress, &mut on_event));
        done.cancel();
        locked().end();
        if matches!(out, Ok(None)) {
            eprint_line("interrupted; nothing was written");
        }
        out.map_err(|e| UserError::new(e.to_string()))
    })
}

pub(super) fn evaluate(a: &Evaluate) -> Result<Exit, UserError> {
    let model = super::open_model(a.model.as_deref())?;
    workflow::can_write_into(&a.out)?;
    let found = watched(|monitor| workflow::evaluate(&a.data.request(), &model, monitor));
    let Some(found) = found? else { return Ok(Exit::Interrupted) };
    for path in workflow::write_evaluation(&found, &a.out)? {
        eprint_line(&format!("written: {}", display_path(&path)));
    }
    say(&evaluation_text(&found))?;
    for u in found.unscored.iter().filter(|u| u.error.is_some()).take(20) {
        eprint_line(&format!("failed: {}: {}", u.path, u.error.as_deref().unwrap_or("")));
    }
    Ok(if found.missing().0 > 0 { Exit::SomeFailed } else { Exit::Fine })
}

pub(super) fn calibrate(a: &Calibrate) -> Result<Exit, UserError> {
    let model = super::open_model(Some(&a.model))?;
    let options = a.options()?;
    let done = watched(|monitor| workflow::calibrate(&model, &a.data.request(), &options, monitor));
    let Some(done) = done? else { return Ok(Exit::Interrupted) };
    say(&done.to_text())
}

pub(super) fn compare(a: &Compare) -> Result<Exit, UserError> {
    let mut models = Vec::new();
    if a.models.len() == 1 {
        eprint_line("one model was named: it is held against the embedded one");
        models.push(workflow::default_model()?);
    }
    for path in &a.models {
        models.push(super::open_model(Some(path))?);
    }
    workflow::can_write_into(&a.out)?;
    let found = watched(|monitor| workflow::compare(&a.data.request(), &models, monitor));
    let Some(found) = found? else { return Ok(Exit::Interrupted) };
    for path in workflow::write_comparison(&found, &a.out)? {
        eprint_line(&format!("written: {}", display_path(&path)));
    }
    say(&comparison_text(&found))?;
    let failed: usize = found.models.iter().map(|m| m.missing().0).sum();
    Ok(if failed > 0 { Exit::SomeFailed } else { Exit::Fine })
}

pub(super) fn quantize(a: &Quantize) -> Result<Exit, UserError> {
    let model = super::open_model(Some(&a.model))?;
    let done = watched(|monitor| workflow::quantize(&model, &a.request(), &a.options(), monitor))?;
    let Some(found) = done else { return Ok(Exit::Interrupted) };
    say(&found.to_text())?;
    if let Some(path) = &found.path {
        eprint_line(&format!("written: {}", display_path(path)));
        return Ok(Exit::Fine);
    }
    Err(UserError::new(format!("{} (--allow); nothing was written", found.refusal())))
}
