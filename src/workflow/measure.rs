//! How fast each execution provider of this machine runs a model, how long it takes to start, how much memory it takes, and how
//! far its answers are from the processor's. Each is measured in a process of its own: a driver that crashes or hangs costs its own
//! line, and memory is that provider's alone.

use super::UserError;
use super::sessions::now;
use crate::domain::Probabilities;
use crate::files::{display_path, peak_memory};
use crate::imaging::{self, draw_slide};
use crate::inference::{
    Engine, Measured, Measurements, Plugin, Provider, difference, provider_status, provider_statuses, try_plugin,
};
use crate::model::VettedModel;
use crate::task::{Cancel, Monitor, cores};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A provider that has not answered after this long is given up.
const TIMEOUT: Duration = Duration::from_secs(180);
/// The largest library that is taken.
const MAX_LIBRARY: u64 = 1 << 30;
/// How long each batch size is run.
const ROUND: Duration = Duration::from_millis(1200);

/// Measures every provider that is there with a model, `path` being its file (none is the bundled one), and keeps the record.
/// `None` when cancelled.
///
/// # Errors
/// When nothing can be measured at all, or the record cannot be kept.
pub fn measure(
    model: &VettedModel,
    path: Option<&Path>,
    monitor: &mut Monitor<'_, Measured>,
) -> Result<Option<Measurements>, UserError> {
    let program =
        std::env::current_exe().map_err(|e| UserError::new(format!("this program does not know its own file: {e}")))?;
    let there: Vec<_> = provider_statuses().into_iter().filter(|p| p.missing.is_none()).collect();
    if there.is_empty() {
        return Err(UserError::new("there is nothing to measure: ONNX Runtime is missing"));
    }
    monitor.progress.set_total(there.len());
    let mut record = Measurements { time: now(), all: Vec::new() };
    for here in there {
        let Some(found) = in_a_process(&program, path, here.provider, monitor.cancel) else { return Ok(None) };
        let measured = found.unwrap_or_else(|why| Measured {
            provider: here.provider,
            identity: here.identity,
            nodes: String::new(),
            rate: 0.0,
            batch: 0,
            start: 0.0,
            memory: 0.0,
            difference: 0.0,
            error: Some(why.to_string()),
        });
        monitor.event(measured.clone());
        record.all.push(measured);
        monitor.progress.step();
    }
    record.keep(model.card().digest).map_err(|e| UserError::new(format!("what was measured cannot be kept: {e}")))?;
    Ok(Some(record))
}

/// One provider in a process of its own; nothing when cancelled.
fn in_a_process(
    program: &Path,
    model: Option<&Path>,
    provider: Provider,
    cancel: &Cancel,
) -> Option<Result<Measured, UserError>> {
    let mut command = Command::new(program);
    command.args(["measure-one", "--provider", provider.as_str()]);
    if let Some(path) = model {
        command.arg("--model").arg(path);
    }
    answer_of(command, cancel)
}

/// What this program says in a process of its own, as JSON on its standard output; nothing when cancelled.
fn answer_of<T: serde::de::DeserializeOwned>(mut command: Command, cancel: &Cancel) -> Option<Result<T, UserError>> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(e) => {
            return Some(Err(UserError::new(format!(
                "{} could not be started: {e}",
                command.get_program().to_string_lossy()
            ))));
        }
    };
    let unheard = |e: &std::io::Error| UserError::new(format!("its answer cannot be read: {e}"));
    let since = Instant::now();
    // Its answer is a few hundred bytes: the pipes hold it.
    loop {
        match child.try_wait() {
            Ok(Some(_)) => break,
            Ok(None) if cancel.is_cancelled() || since.elapsed() > TIMEOUT => {
                let _ = child.kill();
                let _ = child.wait();
                if cancel.is_cancelled() {
                    return None;
                }
                return Some(Err(UserError::new(format!("no answer within {} s", TIMEOUT.as_secs()))));
            }
            Ok(None) => std::thread::sleep(Duration::from_millis(50)),
            Err(e) => return Some(Err(unheard(&e))),
        }
    }
    let out = match child.wait_with_output() {
        Ok(out) => out,
        Err(e) => return Some(Err(unheard(&e))),
    };
    Some(serde_json::from_slice(&out.stdout).map_err(|_| {
        let said = String::from_utf8_lossy(&out.stderr);
        let last = said.lines().rfind(|l| !l.trim().is_empty()).unwrap_or("no word");
        let crashed = !out.status.success() && out.status.code().is_none();
        UserError::new(if crashed { format!("it crashed: {last}") } else { last.to_owned() })
    }))
}

/// Measures one provider in this process; what [`measure`] runs in another.
///
/// # Errors
/// Why it cannot run the model.
pub fn measure_one(model: &VettedModel, provider: Provider) -> Result<Measured, UserError> {
    let cells = cells(model);
    let one = cells.len() / CELLS;
    let mut cpu = Engine::load(model, Provider::Cpu, 1)?;
    let expected = all(&mut cpu, &cells, 4)?;
    drop(cpu);
    let before = peak_memory().unwrap_or(0.0);
    let since = Instant::now();
    let mut engine = Engine::load(model, provider, 1)?;
    engine.run(cells[..one].to_vec(), 1)?;
    let start = since.elapsed().as_secs_f64() * 1e3;
    let got = all(&mut engine, &cells, 4)?;
    let nodes = engine.report().to_line();
    let (mut rate, mut batch) = (0.0, 1);
    let sizes: &[usize] = if provider == Provider::Cpu { &[1, 4, 8] } else { &[1, 8, 32] };
    for &size in sizes {
        let tensors: Vec<f32> = cells.iter().copied().cycle().take(one * size).collect();
        let found = if provider == Provider::Cpu {
            // As the pipeline does: a session a core.
            let rates: Vec<Result<f64, UserError>> = std::thread::scope(|scope| {
                let workers: Vec<_> = (0..cores())
                    .map(|_| {
                        let tensors = &tensors;
                        scope.spawn(move || {
                            let mut own = Engine::load(model, Provider::Cpu, 1)?;
                            pace(&mut own, tensors, size).map_err(UserError::from)
                        })
                    })
                    .collect();
                workers
                    .into_iter()
                    .map(|w| w.join().unwrap_or_else(|_| Err(UserError::new("internal error in a worker"))))
                    .collect()
            });
            rates.into_iter().sum::<Result<f64, UserError>>()?
        } else {
            pace(&mut engine, &tensors, size)?
        };
        if found > rate {
            (rate, batch) = (found, size);
        }
    }
    Ok(Measured {
        provider,
        identity: provider_status(provider).identity,
        nodes,
        rate,
        batch,
        start,
        memory: (peak_memory().unwrap_or(0.0) - before).max(0.0),
        difference: difference(&expected, &got),
        error: None,
    })
}

/// Cells that answers are compared on.
const CELLS: usize = 16;

/// Drawn cells as the model takes them: real enough that it answers in earnest.
fn cells(model: &VettedModel) -> Vec<f32> {
    let spec = &model.card().tensor;
    let mut tensors = Vec::new();
    for seed in 0..CELLS {
        let slide = draw_slide(240, 240, 1, seed as u64);
        imaging::tensor(&imaging::stretch(&slide.image, spec.size), spec, &mut tensors);
    }
    tensors
}

fn all(engine: &mut Engine, cells: &[f32], batch: usize) -> Result<Vec<Probabilities>, crate::inference::EngineError> {
    let one = cells.len() / CELLS;
    let mut out = Vec::new();
    for part in cells.chunks(one * batch) {
        out.extend(engine.run(part.to_vec(), part.len() / one)?);
    }
    Ok(out)
}

/// Cells a second.
fn pace(engine: &mut Engine, tensors: &[f32], batch: usize) -> Result<f64, crate::inference::EngineError> {
    engine.run(tensors.to_vec(), batch)?;
    let (since, mut n) = (Instant::now(), 0);
    while since.elapsed() < ROUND || n < 2 {
        engine.run(tensors.to_vec(), batch)?;
        n += 1;
    }
    Ok((n * batch) as f64 / since.elapsed().as_secs_f64())
}

/// What was measured of a model, as a table; how fast each is against the processor is in it.
pub fn record_text(record: &Measurements) -> String {
    let cpu = record.cpu_rate();
    let mut text = format!(
        "{:<10}{:>10}{:>9}{:>7}{:>10}{:>10}{:>13}  what ran\n",
        "provider", "cells/s", "× cpu", "batch", "start ms", "memory MB", "difference"
    );
    for m in &record.all {
        let line = match &m.error {
            Some(why) => format!("{:<10} {why}\n", m.provider),
            None => format!(
                "{:<10}{:>10.1}{:>9.2}{:>7}{:>10.0}{:>10.0}{:>13.1e}  {}\n",
                m.provider,
                m.rate,
                if cpu > 0.0 { m.rate / cpu } else { 0.0 },
                m.batch,
                m.start,
                m.memory,
                m.difference,
                m.nodes
            ),
        };
        text.push_str(&line);
    }
    text
}

/// Tries a library as a provider's in this process, which may not survive it; what [`add_provider`] runs in another. Returns the
/// devices that it finds.
///
/// # Errors
/// Why it is not that provider's library.
pub fn try_provider(provider: Provider, library: &Path) -> Result<Vec<String>, UserError> {
    try_plugin(&plugin_of(provider)?, library).map_err(UserError::from)
}

fn plugin_of(provider: Provider) -> Result<Plugin, UserError> {
    Plugin::for_provider(provider)
        .ok_or_else(|| UserError::new(format!("{provider} does not come as a library of its own")))
}

/// The library of a plug-in from where the user has it, copied into the program's own data: that one file and what it opens itself,
/// and nothing else that lies beside it. It is tried first, in a process of its own.
///
/// # Errors
/// When it is not such a library, or cannot be copied; nothing was copied then.
pub fn add_provider(provider: Provider, library: &Path) -> Result<PathBuf, UserError> {
    let plugin = plugin_of(provider)?;
    let shown = display_path(library);
    let user_error =
        |why: &dyn std::fmt::Display| UserError::new(format!("{shown} is not taken: {why}; nothing was copied"));
    if library.file_name().is_none_or(|n| n.to_string_lossy() != plugin.file_name()) {
        return Err(UserError::new(format!("{shown} is not {}, the library of {provider}", plugin.file_name())));
    }
    let folder =
        plugin.own_folder().ok_or_else(|| UserError::new("this system has no place for a program's own data"))?;
    let bytes = crate::files::read_bounded(library, MAX_LIBRARY).map_err(|e| user_error(&e))?.bytes;
    if let Some(why) = plugin.refuses(&bytes) {
        return Err(user_error(&format!("{why}; the library of {provider} is in the package {}", plugin.package)));
    }
    drop(bytes);
    let real = crate::files::real_path(library).unwrap_or_else(|| library.to_owned());
    let program =
        std::env::current_exe().map_err(|e| user_error(&format!("this program does not know its own file: {e}")))?;
    let mut command = Command::new(program);
    command.args(["try-provider", "--provider", provider.as_str(), "--library"]).arg(&real);
    if let Some(Err(why)) = answer_of::<Vec<String>>(command, &Cancel::new()) {
        return Err(user_error(&why));
    }
    let beside = library.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut others = crate::files::files_of(beside)
        .into_iter()
        .filter(|p| p.file_name().is_some_and(|n| plugin.needs(&n.to_string_lossy())));
    let target = folder.join(plugin.file_name());
    let copy = |from: &Path| from.file_name().map_or(Ok(()), |name| crate::files::copy_file(from, &folder.join(name)));
    crate::files::create_folder(&folder)
        .and_then(|()| others.try_for_each(|p| copy(&p)))
        // The library itself comes last: where it is, all is.
        .and_then(|()| copy(library))
        .map_err(|e| UserError::new(format!("{shown} cannot be copied to {}: {e}", display_path(&folder))))?;
    Ok(target)
}

/// Where [`fetch_provider`] goes and what for, to be said before it goes there.
///
/// # Errors
/// When the provider does not come as a library of its own.
pub fn fetch_destination(provider: Provider) -> Result<String, UserError> {
    let plugin = plugin_of(provider)?;
    Ok(format!(
        "{} (about {} MB, checked by its SHA-256) is fetched with pip from {}",
        plugin.package,
        plugin.megabytes,
        package_index()
    ))
}

/// The package index that pip would ask here. Settings are read, nothing is asked; a password in its address is not shown.
fn package_index() -> String {
    let set = std::env::var("PIP_INDEX_URL").ok().or_else(|| {
        let out = Command::new(python()).args(["-m", "pip", "config", "get", "global.index-url"]).output().ok()?;
        out.status.success().then(|| String::from_utf8_lossy(&out.stdout).into_owned())
    });
    match set.as_deref().map(str::trim).filter(|url| !url.is_empty()) {
        None => "https://pypi.org and https://files.pythonhosted.org".to_owned(),
        Some(url) => match url.split_once("://") {
            Some((scheme, rest)) => {
                let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
                let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
                format!("{scheme}://{host}/{path}, the index that pip is set to here")
            }
            None => format!("{url}, the index that pip is set to here"),
        },
    }
}

fn python() -> &'static str {
    if cfg!(windows) { "python" } else { "python3" }
}

/// Fetches the library of a plug-in by its hash, with pip, into the program's own data.
///
/// # Errors
/// Without a network or pip, and what to do then.
pub fn fetch_provider(provider: Provider) -> Result<PathBuf, UserError> {
    let plugin = plugin_of(provider)?;
    let user_error = |why: String| {
        UserError::new(format!(
            "{provider} was not fetched: {why}. Install python3-pip and a network, or bring {} on a stick and point at it (leukoscope providers --add {provider}=FILE)",
            plugin.file_name()
        ))
    };
    let scratch = crate::files::scratch_folder().map_err(|e| user_error(e.to_string()))?;
    let lock: Vec<String> = plugin.hashes.iter().map(|h| format!("--hash=sha256:{h}")).collect();
    let lock_file = scratch.path().join("lock.txt");
    crate::files::write_atomic(&lock_file, format!("{} {}\n", plugin.package, lock.join(" ")).as_bytes())
        .map_err(|e| user_error(e.to_string()))?;
    let python = python();
    let pip = Command::new(python)
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--require-hashes",
            "--only-binary",
            ":all:",
            "--target",
        ])
        .arg(scratch.path().join("unpacked"))
        .arg("-r")
        .arg(&lock_file)
        .output()
        .map_err(|e| user_error(format!("{python} could not be started ({e})")))?;
    if !pip.status.success() {
        let said = String::from_utf8_lossy(&pip.stderr);
        return Err(user_error(said.lines().rfind(|l| !l.trim().is_empty()).unwrap_or("pip failed").to_owned()));
    }
    let library = crate::files::find_file(&scratch.path().join("unpacked"), &plugin.file_name())
        .ok_or_else(|| user_error(format!("the package has no {}", plugin.file_name())))?;
    add_provider(provider, &library)
}
