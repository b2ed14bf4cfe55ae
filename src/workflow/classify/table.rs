//! Classification into a table: a file that appears whole, a growing one while a folder is watched, or the standard output.

use super::run::{ClassifyEvent, ClassifyRequest, ClassifySummary, classify};
use super::watch::watch;
use crate::files::{self, AtomicFile, write_atomic};
use crate::model::VettedModel;
use crate::report::{RowFormat, RowWriter, Stamp};
use crate::task::{Cancel, Progress};
use crate::workflow::UserError;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Where a table goes.
#[derive(Debug)]
enum Sink {
    File(Box<AtomicFile>),
    /// A table that grows as long as a folder is watched: written whole, again and again, so that it is never half a row.
    Growing(PathBuf, Vec<u8>),
    Stdout,
}

/// Classifies into a table: a file, which appears whole when the run ends or is stopped, or the standard output.
///
/// A closed pipe at the standard output ends the run quietly: who reads had enough.
///
/// # Errors
/// As [`classify`]; also when the file cannot be written.
pub fn classify_to(
    request: &ClassifyRequest,
    model: &VettedModel,
    format: RowFormat,
    out: Option<&Path>,
    cancel: &Cancel,
    progress: &Progress,
    on_event: &mut dyn FnMut(&ClassifyEvent),
) -> Result<ClassifySummary, UserError> {
    let named = |e: std::io::Error| match out {
        Some(path) => format!("{} cannot be written: {e}", files::display_path(path)),
        None => format!("the standard output cannot be written: {e}"),
    };
    if let Some(path) = out {
        // Before anything is read: no table takes the place of an image or of anything else that was named.
        let kind =
            if format == RowFormat::Json { files::Content::Json } else { files::Content::of(b"path,cell,status,") };
        if request.paths.iter().any(|p| files::same_identity(p, path)) {
            let why = "it is one of the files to be classified; choose another name";
            return Err(UserError::new(format!("{} cannot be written: {why}", files::display_path(path))));
        }
        files::may_replace(path, kind).map_err(|e| UserError::new(named(e)))?;
        // Where the rows go if it is interrupted.
        let partial = files::partial_of(path);
        files::may_replace(&partial, kind)
            .map_err(|e| UserError::new(format!("{} cannot be written: {e}", files::display_path(&partial))))?;
    }
    let mut sink = match out {
        Some(path) if request.watch => Sink::Growing(path.to_owned(), Vec::new()),
        Some(path) => Sink::File(Box::new(AtomicFile::create(path).map_err(|e| UserError::new(named(e)))?)),
        None => Sink::Stdout,
    };
    let mut stdout = std::io::BufWriter::new(std::io::stdout().lock());
    let mut closed = false;
    let mut rows =
        RowWriter::new(format, Stamp { classes: model.card().classes.clone(), model: model.card().digest.to_string() });
    let tail = rows.tail();
    let mut put = |bytes: &[u8], flush: bool| -> Result<(), String> {
        let written = match &mut sink {
            Sink::File(file) => file.write_all(bytes),
            Sink::Growing(path, all) => {
                all.extend_from_slice(bytes);
                if flush { write_atomic(path, &[&all[..], &tail].concat()) } else { Ok(()) }
            }
            Sink::Stdout if closed => Ok(()),
            Sink::Stdout => stdout.write_all(bytes).and_then(|()| if flush { stdout.flush() } else { Ok(()) }),
        };
        match written {
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe && out.is_none() => {
                closed = true;
                cancel.cancel();
                Ok(())
            }
            other => other.map_err(named),
        }
    };
    put(&rows.head(), false).map_err(UserError::new)?;
    let mut written = false;
    let mut listen = |told: ClassifyEvent| {
        on_event(&told);
        match told {
            ClassifyEvent::Row(row) => {
                written = true;
                put(&rows.image(&row), out.is_none())
            }
            ClassifyEvent::Looked(_) if std::mem::take(&mut written) => put(&[], true),
            _ => Ok(()),
        }
    };
    let totals = if request.watch {
        watch(request, model, false, cancel, progress, &mut listen)
    } else {
        classify(request, model, cancel, progress, &mut listen)
    };
    let mut partial = None;
    // Complete rows are worth keeping whatever ended the run, unless nothing ran at all.
    if totals.is_ok() {
        let end = if request.watch && out.is_some() { Vec::new() } else { rows.tail() };
        put(&end, true).map_err(UserError::new)?;
        if let Sink::File(file) = sink {
            if totals.as_ref().is_ok_and(|t| t.cancelled) && !closed {
                // What was at the place stays whole; the rows of this run lie beside it, and say by their name what they are.
                partial = file.commit_partial().map_err(|e| UserError::new(named(e)))?;
            } else {
                file.commit().map_err(|e| UserError::new(named(e)))?;
            }
        }
    }
    let mut totals = totals?;
    totals.partial = partial;
    if closed {
        totals.cancelled = false;
    }
    Ok(totals)
}
