//! The command line: arguments as typed → a plan as meant → workflow → an exit code.
//!
//! Data goes to the standard output, everything else to the standard error. A closed pipe is success.

mod adopt;
mod args;
mod evaluate;
mod explain;
mod models;
mod plan;
mod providers;
mod session;
mod show;
mod train;

use crate::task::{Cancel, Monitor, Progress};
use crate::workflow::{self, ClassifyEvent, ClassifyMonitor, ClassifyRequest, UserError};
use args::{Cli, Command};
use clap::Parser;
use std::io::Write;
use std::path::PathBuf;

/// The contract's exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Fine = 0,
    SomeFailed = 1,
    /// Nothing could be done.
    Failure = 2,
    Interrupted = 130,
}

/// What should happen after the arguments were read.
#[derive(Debug)]
pub enum Next {
    /// The command was done.
    Exit(Exit),
    /// The window should open on these.
    Window {
        /// Files and folders.
        paths: Vec<PathBuf>,
        /// Whether to open the demo slide, and where it is drawn.
        demo: Option<Option<PathBuf>>,
    },
}

/// Reads the arguments and does what they say, unless that needs the window.
pub fn run(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> Next {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(e) => {
            let code = if e.use_stderr() { Exit::Failure } else { Exit::Fine };
            let _ = e.print();
            return Next::Exit(code);
        }
    };
    let done = match cli.command {
        None => return Next::Window { paths: cli.paths, demo: None },
        Some(Command::Demo { out, no_window }) => {
            if cfg!(feature = "app") && !no_window && has_display() {
                return Next::Window { paths: Vec::new(), demo: Some(out) };
            }
            demo(out)
        }
        Some(Command::Classify(a)) => classify(&a),
        Some(Command::Evaluate(a)) => evaluate::evaluate(&a),
        Some(Command::Calibrate(a)) => evaluate::calibrate(&a),
        Some(Command::Compare(a)) => evaluate::compare(&a),
        Some(Command::Models(a)) => models::models(&a),
        Some(Command::Providers(a)) => providers::providers(&a),
        Some(Command::MeasureOne { provider, model }) => workflow::open_model(model.as_deref())
            .and_then(|m| workflow::measure_one(&m, provider))
            .and_then(|m| say(&serde_json::to_string(&m)?)),
        Some(Command::TryProvider { provider, library }) => {
            workflow::try_provider(provider, &library).and_then(|d| say(&serde_json::to_string(&d)?))
        }
        Some(Command::Quantize(a)) => evaluate::quantize(&a),
        Some(Command::Adopt(a)) => adopt::adopt(&a),
        Some(Command::Explain(a)) => explain::explain(&a),
        Some(Command::Map { paths, out, model, cells }) => map(paths, &out, model.as_deref(), cells),
        Some(Command::Session { command }) => session::session(&command),
        Some(Command::Train(a)) => train::train(&a),
        Some(Command::ExportTriton { model, out }) => {
            open_model(Some(&model)).and_then(|m| workflow::export_triton(&m, &out)).map(|folder| {
                eprint_line(&format!("written: {}", crate::files::display_path(&folder)));
                Exit::Fine
            })
        }
        Some(Command::Inspect { model, json }) => open_model(model.as_deref())
            .and_then(|m| say(&if json { show::card_json(m.card()) } else { m.card().to_text() })),
        Some(Command::Bench { model, finder: Some(paths), places, json }) => {
            bench_finder(model.as_deref(), &paths, places.as_deref(), json)
        }
        Some(Command::Bench { model, finder: None, json, .. }) => open_model(model.as_deref())
            .and_then(|m| workflow::bench(&m))
            .and_then(|r| say(&if json { format!("{:#}\n", r.to_json()) } else { r.to_text() })),
        Some(Command::Doctor { json }) => {
            let report = workflow::doctor();
            say(&if json { format!("{:#}\n", report.to_json()) } else { report.to_text() })
                .map(|_| if report.healthy() { Exit::Fine } else { Exit::Failure })
        }
    };
    Next::Exit(done.unwrap_or_else(|e| {
        eprint_line(&e.to_string());
        Exit::Failure
    }))
}

fn bench_finder(
    model: Option<&std::path::Path>,
    paths: &[PathBuf],
    places: Option<&std::path::Path>,
    json: bool,
) -> Result<Exit, UserError> {
    let [folder, boxes] = paths else { return Err(UserError::new("--finder takes a folder and a table of boxes")) };
    let cancel = Cancel::new();
    cancel_on_interrupt(&cancel);
    let model = open_model(model)?;
    if let Some(out) = places {
        let table = workflow::places(&model, folder, boxes, &cancel)?;
        return workflow::write_output(out, &table).map(|()| Exit::Fine);
    }
    let scores = workflow::bench_finder(&model, folder, boxes, &cancel)?;
    say(&if json { format!("{:#}\n", workflow::finder_json(&scores)) } else { workflow::finder_text(&scores) })
}

/// The demo without a window: the table, and where the image is.
pub fn demo_in_terminal(out: Option<PathBuf>) -> Exit {
    demo(out).unwrap_or_else(|e| {
        eprint_line(&e.to_string());
        Exit::Failure
    })
}

fn demo(out: Option<PathBuf>) -> Result<Exit, UserError> {
    let demo = workflow::draw_demo(out.as_deref())?;
    let model = workflow::default_model()?;
    let request = ClassifyRequest {
        paths: vec![demo.path.clone()],
        cells: crate::imaging::Cells::All,
        ..ClassifyRequest::default()
    };
    let mut table = String::new();
    let (cancel, progress) = (Cancel::new(), Progress::default());
    let mut on_event = |told| {
        if let ClassifyEvent::Row(row) = told {
            table.push_str(&show::cell_table(&row, &model.card().classes));
        }
        Ok(())
    };
    let totals = workflow::classify(&request, &model, &mut ClassifyMonitor::new(&cancel, &progress, &mut on_event))?;
    table.push_str(&show::differential_table(&totals.differential, &model.card().classes));
    table.push_str(&format!(
        "\n{}\nmodel {} ({}), provider {}\nimage {}\nResearch use only.\n",
        totals.to_line(&model),
        model.card().name,
        model.card().digest.short(),
        totals.engine.to_line(),
        crate::files::display_path(&demo.path)
    ));
    say(&table)?;
    Ok(if totals.nothing_done() { Exit::Failure } else { Exit::Fine })
}

fn classify(a: &args::Classify) -> Result<Exit, UserError> {
    let model = open_model(a.model.as_deref())?;
    let request = a.request();
    let cancel = Cancel::new();
    cancel_on_interrupt(&cancel);
    let progress = Progress::default();
    let mut bar = show::Bar::new();
    let name = format!("model {} ({})", model.card().name, model.card().digest.short());
    let mut warned = 0;
    let mut on_event = |told| match told {
        ClassifyEvent::Listed(n, _) if a.watch => {
            if n > 0 {
                bar.line(&format!("{n} new images"));
            }
        }
        ClassifyEvent::Listed(n, _) => bar.begin(n),
        ClassifyEvent::FolderScanned(_) | ClassifyEvent::FilesRemoved(_) => {}
        ClassifyEvent::Reachable(true) => bar.line("the folder can be read again"),
        ClassifyEvent::Reachable(false) => bar.line("the folder cannot be read now; waiting for it"),
        ClassifyEvent::Duplicates(n) => bar.line(&format!("note: {n} files were named twice; each is looked at once")),
        ClassifyEvent::Switched(report) => bar.line(&format!("provider: {}", report.to_line())),
        ClassifyEvent::Started(report) => {
            bar.line(&format!("{name}, provider {} → {}", report.requested, report.to_line()))
        }
        ClassifyEvent::Row(row) => {
            bar.step(&progress);
            for w in &row.warnings {
                warned += 1;
                if warned <= 20 {
                    bar.line(&format!("note: {}: {w}", crate::files::display_path(&row.path)));
                }
            }
        }
    };
    let mut monitor = Monitor::new(&cancel, &progress, &mut on_event);
    let totals = workflow::classify_to(&request, &model, a.format.into(), a.out.as_deref(), &mut monitor);
    bar.end();
    let totals = totals?;
    eprint_line(&totals.to_line(&model));
    if warned > 20 {
        eprint_line(&format!("{} more notes; --format json has them all", warned - 20));
    }
    Ok(if totals.cancelled {
        match &totals.partial {
            Some(partial) => eprint_line(&format!(
                "interrupted; the rows so far are in {}, each of them whole; an older table is as it was",
                crate::files::display_path(partial)
            )),
            None => eprint_line("interrupted; the rows that were written are complete"),
        }
        Exit::Interrupted
    } else if totals.differential.images == 0 && request.shard.is_none() {
        eprint_line("there is no image to classify in what was named");
        Exit::Failure
    } else if totals.differential.images > 0 && totals.nothing_done() {
        Exit::Failure
    } else if totals.differential.failed > 0 {
        Exit::SomeFailed
    } else {
        Exit::Fine
    })
}

fn map(
    paths: Vec<PathBuf>,
    out: &std::path::Path,
    model: Option<&std::path::Path>,
    cells: args::CellsArg,
) -> Result<Exit, UserError> {
    let model = open_model(model)?;
    let cancel = Cancel::new();
    cancel_on_interrupt(&cancel);
    let request = ClassifyRequest { paths, cells: cells.into(), ..ClassifyRequest::default() };
    let Some((n, without)) = workflow::write_map(&request, &model, out, &cancel, &Progress::default())? else {
        eprint_line("interrupted; nothing was written");
        return Ok(Exit::Interrupted);
    };
    let more = if without > 0 { format!("; {without} without features") } else { String::new() };
    eprint_line(&format!("written: {} ({n} cells{more})", crate::files::display_path(out)));
    Ok(Exit::Fine)
}

/// Opens a model, and says what of its contract stands nowhere.
fn open_model(path: Option<&std::path::Path>) -> Result<crate::model::VettedModel, UserError> {
    let model = workflow::open_model(path)?;
    for line in model.card().evidence.iter().filter(|l| l.assumed) {
        eprint_line(&format!(
            "note: {}: {}; \"leukoscope adopt\" tries it on labelled images",
            model.card().name,
            line.text
        ));
    }
    Ok(model)
}

/// Lets ^C ask a job to stop.
fn cancel_on_interrupt(cancel: &Cancel) {
    let handler = cancel.clone();
    // A second handler cannot be set in one process; without one ^C simply ends the program.
    let _ = ctrlc::set_handler(move || {
        if handler.is_cancelled() {
            // Asked a second time: a read that does not come back (a share that hangs) must not keep the program.
            std::process::exit(Exit::Interrupted as i32);
        }
        handler.cancel();
    });
}

/// Writes to the standard output; a reader that has gone is not an error.
fn say(text: &str) -> Result<Exit, UserError> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(UserError::new(format!("the standard output cannot be written: {e}")))
        }
        _ => Ok(Exit::Fine),
    }
}

/// Writes a line to the standard error.
pub fn eprint_line(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

fn has_display() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    !cfg!(all(unix, not(target_os = "macos"))) || set("DISPLAY") || set("WAYLAND_DISPLAY")
}
