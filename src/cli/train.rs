//! `leukoscope train`: the plan, a progress bar, an epoch a line, the report. Data go to the files, words to the standard
//! error, the final report to the standard output.

use super::args::Train;
use super::show::Bar;
use super::{Exit, cancel_on_interrupt, eprint_line, say};
use crate::dataset::SplitPart;
use crate::report::scores_text;
use crate::task::Progress;
use crate::training::Stop;
use crate::workflow::{
    TrainControl, TrainMonitor, TrainOutcome, TrainProgress, UserError, leave_one_source_out, prepare_training,
    train as run,
};

pub(super) fn train(a: &Train) -> Result<Exit, UserError> {
    let request = a.request();
    let control = TrainControl::default();
    cancel_on_interrupt(&control.cancel);
    let Some(prepared) = prepare_training(&request, &control.cancel, &control.progress)? else {
        eprint_line("interrupted while looking at the data; what was cut is cached");
        return Ok(Exit::Interrupted);
    };
    eprint_line(prepared.plan().to_text().trim_end());
    prepared.ready()?;
    if a.dry_run {
        return Ok(if prepared.plan().excluded.is_empty() { Exit::Fine } else { Exit::SomeFailed });
    }
    let mut options = a.options(prepared.count(SplitPart::Train))?;
    if a.leave_one_source_out {
        let Some(table) =
            shown(&control, |m| leave_one_source_out(&request, &|images| a.options(images), &control.pause, m))?
        else {
            eprint_line(
                "interrupted; the same command trains without each laboratory anew, from the checkpoint of the one it was at",
            );
            return Ok(Exit::Interrupted);
        };
        say(&table.to_text())?;
        options.sources = Some(table);
    }
    let outcome = shown(&control, |m| run(&prepared, &options, &control.pause, m))?;
    finish(&outcome, &prepared.plan().excluded)
}

/// Runs something that trains, and shows on the terminal how it goes.
fn shown<T>(
    control: &TrainControl,
    work: impl FnOnce(&mut TrainMonitor<'_>) -> Result<T, UserError>,
) -> Result<T, UserError> {
    let mut bar = Bar::new();
    let mut progress = Progress::default();
    let mut begun = false;
    let mut on_event = |told| match told {
        TrainProgress::Phase(phase) => bar.line(&format!("{} …", phase.text())),
        TrainProgress::Note(what) => bar.line(&format!("note: {what}")),
        TrainProgress::Resumed(rows) => rows.iter().for_each(|r| bar.line(&line(r, false))),
        TrainProgress::Step(news) => {
            // Of several runs after each other each has its own bar.
            if !begun || news.step < progress.done() {
                begun = true;
                progress = Progress::default();
                bar.begin(news.steps);
                progress.set_total(news.steps);
            }
            while progress.done() < news.step {
                progress.step();
            }
            bar.step(&progress);
        }
        TrainProgress::Epoch(row, best) => bar.line(&line(&row, best)),
    };
    let done = work(&mut TrainMonitor::new(&control.cancel, &control.progress, &mut on_event));
    bar.end();
    done
}

fn line(r: &crate::domain::EpochRow, best: bool) -> String {
    format!(
        "epoch {:>3}  loss {:.4}  accuracy {:.4}  validation loss {:.4}  accuracy {:.4}  {:.1} s{}",
        r.epoch,
        r.train_loss,
        r.train_accuracy,
        r.val_loss,
        r.val_accuracy,
        r.seconds,
        if best { "  best so far" } else { "" }
    )
}

fn finish(outcome: &TrainOutcome, excluded: &[(String, String)]) -> Result<Exit, UserError> {
    match &outcome.stop {
        Stop::Finished => {}
        Stop::Early => eprint_line("ended early: no better validation loss"),
        Stop::Cancelled => eprint_line("interrupted; the same command goes on from the checkpoint"),
        Stop::Diverged(why) => eprint_line(why),
    }
    let Some((path, digest)) = &outcome.model else {
        eprint_line("no epoch was finished: there is no model yet");
        return Ok(Exit::Interrupted);
    };
    let mut t = String::new();
    if let Some(v) = &outcome.validation {
        t.push_str(&format!("validation part, epoch {}\n{}\n", outcome.best_epoch, scores_text(v, &outcome.labels)));
    }
    if let Some(h) = &outcome.held_out {
        t.push_str(&format!("test set (used once)\n{}\n", scores_text(&h.scores, &outcome.labels)));
        if let Some(c) = &h.current {
            t.push_str(&format!(
                "the present model, {}, on the same {} images: {:.2} % (95 % interval {:.2}–{:.2})\n",
                c.name,
                c.n,
                c.accuracy * 100.0,
                c.interval.low * 100.0,
                c.interval.high * 100.0
            ));
        }
    }
    t.push_str(&format!(
        "model {}\nsha256 {digest}\nweights {}\nagrees with ONNX Runtime to {:.1e}\nResearch use only.\n",
        crate::files::display_path(path),
        outcome.weights,
        outcome.difference
    ));
    say(&t)?;
    Ok(match &outcome.stop {
        Stop::Cancelled => Exit::Interrupted,
        _ if !excluded.is_empty() => Exit::SomeFailed,
        _ => Exit::Fine,
    })
}
