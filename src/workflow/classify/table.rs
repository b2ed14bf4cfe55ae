//! Classification into a table: a file that appears whole, a growing one while a folder is watched, or the standard output.

use super::run::{ClassifyEvent, ClassifyMonitor, ClassifyRequest, ClassifySummary, classify};
use super::watch::watch;
use crate::domain::ImageResult;
use crate::files::{self, AtomicFile, write_atomic};
use crate::model::VettedModel;
use crate::report::{RowFormat, RowWriter, Stamp};
use crate::task::Monitor;
use crate::workflow::UserError;
use crate::workflow::output::unwritten;
use std::io::{BufWriter, ErrorKind, StdoutLock, Write};
use std::path::{Path, PathBuf};

/// Where a table goes.
enum Sink {
    File(Box<AtomicFile>),
    /// A table that grows as long as a folder is watched: written whole, again and again, so that it is never half a row.
    Growing(PathBuf, Vec<u8>),
    Stdout(BufWriter<StdoutLock<'static>>),
    /// Who read the standard output had enough.
    Closed,
}

struct TableWriter<'a> {
    out: Option<&'a Path>,
    sink: Sink,
    rows: RowWriter,
}

impl<'a> TableWriter<'a> {
    /// Opens the place, and writes the head.
    fn open(
        request: &ClassifyRequest,
        model: &VettedModel,
        format: RowFormat,
        out: Option<&'a Path>,
    ) -> Result<Self, UserError> {
        let sink = match out {
            Some(path) if request.watch => Sink::Growing(path.to_owned(), Vec::new()),
            Some(path) => Sink::File(Box::new(AtomicFile::create(path).map_err(|e| unwritable(out, &e))?)),
            None => Sink::Stdout(BufWriter::new(std::io::stdout().lock())),
        };
        let stamp = Stamp { classes: model.card().classes.clone(), model: model.card().digest.to_string() };
        let mut table = Self { out, sink, rows: RowWriter::new(format, stamp) };
        let head = table.rows.head();
        table.put(&head, false)?;
        Ok(table)
    }

    fn put(&mut self, bytes: &[u8], flush: bool) -> Result<(), UserError> {
        let written = match &mut self.sink {
            Sink::File(file) => file.write_all(bytes),
            Sink::Growing(path, all) => {
                all.extend_from_slice(bytes);
                if flush { write_atomic(path, &[&all[..], &self.rows.tail()].concat()) } else { Ok(()) }
            }
            Sink::Stdout(out) => out.write_all(bytes).and_then(|()| if flush { out.flush() } else { Ok(()) }),
            Sink::Closed => Ok(()),
        };
        match written {
            Err(e) if e.kind() == ErrorKind::BrokenPipe && self.out.is_none() => {
                self.sink = Sink::Closed;
                Ok(())
            }
            other => other.map_err(|e| unwritable(self.out, &e)),
        }
    }

    /// Adds a row. The standard output shows it at once.
    fn row(&mut self, row: &ImageResult) -> Result<(), UserError> {
        let bytes = self.rows.image(row);
        self.put(&bytes, self.out.is_none())
    }

    fn closed(&self) -> bool {
        matches!(self.sink, Sink::Closed)
    }

    /// Writes the end. Where a run was stopped, what was at the place stays whole: the rows of this run lie beside it, and say by their
    /// name what they are; that name.
    fn finish(mut self, stopped: bool) -> Result<Option<PathBuf>, UserError> {
        let tail = if matches!(self.sink, Sink::Growing(..)) { Vec::new() } else { self.rows.tail() };
        self.put(&tail, true)?;
        let Sink::File(file) = self.sink else { return Ok(None) };
        let ended = if stopped { file.commit_partial() } else { file.commit().map(|_| None) };
        ended.map_err(|e| unwritable(self.out, &e))
    }
}

fn unwritable(out: Option<&Path>, e: &std::io::Error) -> UserError {
    match out {
        Some(path) => unwritten(path, e),
        None => UserError::new(format!("the standard output cannot be written: {e}")),
    }
}

/// Before anything is read: no table takes the place of an image or of anything else that was named.
fn check_place(path: &Path, request: &ClassifyRequest, format: RowFormat) -> Result<(), UserError> {
    let kind =
        if format == RowFormat::Json { files::Content::Json } else { files::Content::sniff(b"path,cell,status,") };
    if request.paths.iter().any(|p| files::same_identity(p, path)) {
        let why = "it is one of the files to be classified; choose another name";
        return Err(UserError::new(format!("{} cannot be written: {why}", files::display_path(path))));
    }
    // The second is where the rows go if it is interrupted.
    let partial = files::partial_of(path);
    [path, &partial].into_iter().try_for_each(|p| files::may_replace(p, kind).map_err(|e| unwritable(Some(p), &e)))
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
    monitor: &mut Monitor<'_, ClassifyEvent>,
) -> Result<ClassifySummary, UserError> {
    if let Some(path) = out {
        check_place(path, request, format)?;
    }
    let mut table = TableWriter::open(request, model, format, out)?;
    let (cancel, progress) = (monitor.cancel, monitor.progress);
    let mut written = false;
    let mut on_event = |event: ClassifyEvent| {
        match &event {
            ClassifyEvent::Row(row) => {
                written = true;
                table.row(row)?;
                if table.closed() {
                    cancel.cancel();
                }
            }
            ClassifyEvent::FolderScanned(_) if std::mem::take(&mut written) => table.put(&[], true)?,
            _ => {}
        }
        monitor.event(event);
        Ok(())
    };
    let mut own = ClassifyMonitor::new(cancel, progress, &mut on_event);
    // Complete rows are worth keeping whatever ended the run, unless nothing ran at all.
    let summary =
        if request.watch { watch(request, model, false, &mut own)? } else { classify(request, model, &mut own)? };
    let closed = table.closed();
    let partial = table.finish(summary.cancelled && !closed)?;
    Ok(ClassifySummary { partial, cancelled: summary.cancelled && !closed, ..summary })
}
