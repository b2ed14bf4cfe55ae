//! Reviewed cells as data for Train and Evaluate: a table of where they are, or copies in a folder per class.
//!
//! Only cells that the user has named and that are white cells; images are read and never moved.

use super::UserError;
use super::laboratory::slide_of;
use super::output::{unwritten, write_output, write_own};
use super::sessions::{RESEARCH, look};
use crate::domain::{CellResult, Digest, NOT_A_WHITE_CELL, Outcome, Role, Square, role};
use crate::files::{
    MAX_IMAGE_BYTES, create_folder, data_file, digest_of, display_name, display_path, file_safe, read_bounded,
};
use crate::imaging::{self, Limits};
use crate::inference::decode_file;
use crate::report::csv_text;
use crate::task::{Cancel, Progress};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// With at least this many slides the slide is what belongs together; with fewer a split could not keep slides apart, and
/// images are.
const SLIDES_TO_GROUP_BY: usize = 4;
/// A cut-out is this many times as wide as the cell's square, so that there is background to balance its colours by.
const AROUND: f32 = 1.6;

/// A reviewed white cell.
#[derive(Debug, Clone, PartialEq)]
struct Reviewed {
    path: PathBuf,
    image: Digest,
    number: u32,
    label: String,
    square: Square,
    /// Whether it is the only cell of its image.
    alone: bool,
}

/// How many reviewed cells there are to learn from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewedCells {
    /// The table: `path,label,group,cell,x,y,side,sha256,use`.
    pub table: PathBuf,
    /// Cells by label.
    pub counts: BTreeMap<String, usize>,
    /// What belongs together in a split: slides or images.
    pub grouped_by_slide: bool,
}

/// Fewer squares labelled "not a white cell" than this are not trained on.
const LEAST_NO_CELLS: usize = 10;

fn reviewed(session: &Path) -> Result<Vec<Reviewed>, UserError> {
    let store = look(session)?;
    let labels = store.labels()?;
    let made = store.made_with()?.unwrap_or_default();
    let mut cells: HashMap<Digest, (PathBuf, Vec<CellResult>)> = HashMap::new();
    for kept in store.results(&made)? {
        if let (Outcome::Cells(all), Some(image)) = (&kept.result.outcome, kept.result.digest) {
            cells.insert(image, (kept.result.path.clone(), all.clone()));
        }
    }
    let mut out: Vec<Reviewed> = labels
        .iter()
        .filter(|(_, v)| v.named() && (role(&v.label) == Role::Counted || v.label == NOT_A_WHITE_CELL))
        .filter_map(|(key, v)| {
            let (path, all) = cells.get(&key.image)?;
            let found = all.iter().find(|c| c.number == key.cell).map(|c| c.square);
            Some(Reviewed {
                path: path.clone(),
                image: key.image,
                number: key.cell,
                label: v.label.clone(),
                square: v.square.or(found)?,
                alone: all.len() == 1,
            })
        })
        .collect();
    // A handful of squares teaches nobody what is no cell; it would only be a class that is too small to be split.
    let no_cells = out.iter().filter(|c| c.label == NOT_A_WHITE_CELL).count();
    if no_cells < LEAST_NO_CELLS {
        out.retain(|c| c.label != NOT_A_WHITE_CELL);
    }
    out.sort_by(|a, b| a.path.cmp(&b.path).then(a.number.cmp(&b.number)));
    Ok(out)
}

fn table(rows: &[(String, &Reviewed, Square)], by_slide: bool) -> Vec<u8> {
    let mut w = csv::Writer::from_writer(Vec::new());
    // Writing to memory does not fail.
    let _ = w.write_record(["path", "label", "group", "cell", "x", "y", "side", "sha256", "use"]);
    for (path, cell, square) in rows {
        let group = if by_slide { slide_of(&cell.path).to_string_lossy().into_owned() } else { cell.image.short() };
        let fields = [
            csv_text(path).into_owned(),
            csv_text(&cell.label).into_owned(),
            csv_text(&group).into_owned(),
            cell.number.to_string(),
            square.x.to_string(),
            square.y.to_string(),
            square.side.to_string(),
            cell.image.to_string(),
            RESEARCH.to_owned(),
        ];
        let _ = w.write_record(&fields);
    }
    w.into_inner().unwrap_or_default()
}

fn counts(cells: &[Reviewed]) -> (BTreeMap<String, usize>, bool) {
    let mut counts = BTreeMap::new();
    cells.iter().for_each(|c| *counts.entry(c.label.clone()).or_insert(0) += 1);
    let slides: BTreeSet<PathBuf> = cells.iter().map(|c| slide_of(&c.path)).collect();
    (counts, slides.len() >= SLIDES_TO_GROUP_BY)
}

/// Writes the table of a session's reviewed cells, which Train and Evaluate take as a dataset: into `out`, or into the
/// user's data folder.
///
/// # Errors
/// When nothing is reviewed; when it cannot be written.
pub fn reviewed_cells(session: &Path, out: Option<&Path>) -> Result<ReviewedCells, UserError> {
    let cells = reviewed(session)?;
    if cells.is_empty() {
        return Err(UserError::new("no white cell of this session is reviewed yet; label some in Review first"));
    }
    let name = format!("reviewed-{}.csv", digest_of(session.to_string_lossy().as_bytes()).short());
    let path = match out {
        Some(path) => path.to_owned(),
        None => data_file("datasets")
            .ok_or_else(|| UserError::new("this system has no folder for a user's data"))?
            .join(name),
    };
    let (counts, by_slide) = counts(&cells);
    let rows: Vec<(String, &Reviewed, Square)> =
        cells.iter().map(|c| (absolute(&c.path).to_string_lossy().into_owned(), c, c.square)).collect();
    write_own(&path, &table(&rows, by_slide))?;
    Ok(ReviewedCells { table: path, counts, grouped_by_slide: by_slide })
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// What an export of images came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedImages {
    /// Cells by label.
    pub counts: BTreeMap<String, usize>,
    /// What could not be copied, and why.
    pub failed: Vec<String>,
    /// Whether it was stopped before the end.
    pub cancelled: bool,
}

/// Copies the images of a session's reviewed cells into a folder per class below `out`, with `labels.csv`. The image of a
/// single cell is copied as it is; of a field, each cell is cut out with what is around it. `out` must be empty or new.
///
/// # Errors
/// When nothing is reviewed, the folder is not empty, or cannot be written.
pub fn export_images(
    session: &Path,
    out: &Path,
    cancel: &Cancel,
    progress: &Progress,
) -> Result<ExportedImages, UserError> {
    let cells = reviewed(session)?;
    if cells.is_empty() {
        return Err(UserError::new("no white cell of this session is reviewed yet; label some in Review first"));
    }
    if crate::files::holds_something(out) {
        return Err(UserError::new(format!("{} is not empty; name a new folder", display_path(out))));
    }
    create_folder(out).map_err(|e| unwritten(out, &e))?;
    progress.set_total(cells.len());
    let (mut rows, mut failed) = (Vec::new(), Vec::new());
    let mut last: Option<(PathBuf, imaging::RgbImage)> = None;
    for cell in &cells {
        if cancel.is_cancelled() {
            break;
        }
        match copy(cell, out, &mut last) {
            Ok((name, square)) => rows.push((name, cell, square)),
            Err(e) => failed.push(format!("{}: {e}", display_path(&cell.path))),
        }
        progress.step();
    }
    let done: Vec<Reviewed> = rows.iter().map(|(_, c, _)| (*c).clone()).collect();
    let (counts, by_slide) = counts(&done);
    write_output(&out.join("labels.csv"), &table(&rows, by_slide))?;
    Ok(ExportedImages { counts, failed, cancelled: cancel.is_cancelled() })
}

/// Copies one cell; returns its name below the folder, and where its square is in the copy.
fn copy(
    cell: &Reviewed,
    out: &Path,
    last: &mut Option<(PathBuf, imaging::RgbImage)>,
) -> Result<(String, Square), UserError> {
    let plain = |text: &str| file_safe(text.trim(), &[' ', '-', '_'], 80);
    let folder = plain(&cell.label);
    let folder_of_class = out.join(&folder);
    create_folder(&folder_of_class).map_err(|e| unwritten(&folder_of_class, &e))?;
    let stem = plain(&cell.path.file_stem().map_or_else(String::new, |s| display_name(Path::new(s))));
    let name = |ending: &str| format!("{folder}/{stem}-{}-{}.{ending}", cell.image.short(), cell.number);
    if cell.alone {
        let snapshot = read_bounded(&cell.path, MAX_IMAGE_BYTES)?;
        if snapshot.digest != cell.image {
            return Err(UserError::new("the file has changed since it was reviewed"));
        }
        // As it is, but it must be an image.
        imaging::decode(&snapshot.bytes, Limits::default())?;
        let ending = cell.path.extension().and_then(|e| e.to_str()).unwrap_or("img").to_lowercase();
        let name = name(&ending);
        write_output(&out.join(&name), &snapshot.bytes)?;
        return Ok((name, cell.square));
    }
    if last.as_ref().is_none_or(|(path, _)| *path != cell.path) {
        let (decoded, digest) = decode_file(&cell.path).map_err(|(_, e)| UserError::new(e))?;
        if digest != cell.image {
            return Err(UserError::new("the file has changed since it was reviewed"));
        }
        *last = Some((cell.path.clone(), decoded.image));
    }
    let Some((_, image)) = last else { return Err(UserError::new("the image is gone")) };
    let (cut, left, top) = imaging::cut_around(image, cell.square, AROUND);
    let name = name("png");
    let bytes = imaging::encode_png(&cut)?;
    write_output(&out.join(&name), &bytes)?;
    let square = Square { x: cell.square.x - left as f32, y: cell.square.y - top as f32, side: cell.square.side };
    Ok((name, square))
}
