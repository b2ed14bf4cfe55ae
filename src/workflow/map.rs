//! A map of cells: those that the model sees alike lie together. As a table or an image; the window draws its own.

use super::output::write_output;
use super::{ClassifyEvent, ClassifyMonitor, ClassifyRequest, UserError, classify};
use crate::domain::{CellId, Outcome};
use crate::files::display_path;
use crate::inference::{CellFeatures, SKETCH};
use crate::metrics::embed;
use crate::model::VettedModel;
use crate::report::{MapPoint, map_csv, map_svg, svg_to_png};
use crate::task::{Cancel, Progress};
use std::path::Path;

/// Fewer cells make no map.
const LEAST: usize = 4;

/// Where each cell lies on a map, in units of the embedding.
pub type CellPlaces = Vec<(CellId, [f32; 2])>;

/// Places cells by their features; those with another number of features than the first one are left out. `None` when cancelled.
///
/// # Errors
/// When there are too few cells.
pub fn place_cells(
    rows: Vec<(CellId, Vec<f32>)>,
    cancel: &Cancel,
    progress: &Progress,
) -> Result<Option<CellPlaces>, UserError> {
    let width = rows.first().map_or(0, |(_, f)| f.len());
    let (cells, flat): (Vec<CellId>, Vec<Vec<f32>>) = rows.into_iter().filter(|(_, f)| f.len() == width).unzip();
    if cells.len() < LEAST {
        return Err(UserError::new("a map needs four cells with features; this model may give none"));
    }
    Ok(embed(&flat.concat(), width, cancel, progress).map(|places| cells.into_iter().zip(places).collect()))
}

/// Classifies and draws a map of the cells into `out`: `.csv`, `.svg` or `.png`. `None` when cancelled; else cells on it and cells
/// without features.
///
/// # Errors
/// When nothing can be classified, the model gives no features, or the file cannot be written.
pub fn write_map(
    request: &ClassifyRequest,
    model: &VettedModel,
    out: &Path,
    cancel: &Cancel,
    progress: &Progress,
) -> Result<Option<(usize, usize)>, UserError> {
    let ending = out.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
    if !matches!(ending.as_str(), "csv" | "svg" | "png") {
        return Err(UserError::new(format!("{}: a map is written as .csv, .svg or .png", display_path(out))));
    }
    let request = ClassifyRequest { features: CellFeatures::Sketch, ..request.clone() };
    let (mut cells, mut rows, mut without) = (Vec::new(), Vec::new(), 0);
    let mut on_event = |told| {
        let ClassifyEvent::Row(row) = told else { return Ok(()) };
        let Outcome::Cells(found) = &row.outcome else { return Ok(()) };
        for cell in found {
            if cell.features.len() != SKETCH {
                without += 1;
                continue;
            }
            rows.extend_from_slice(&cell.features);
            let (class, confidence) = cell.probabilities.top();
            cells.push(MapPoint { path: display_path(&row.path), cell: cell.number, class, confidence, at: [0.0; 2] });
        }
        Ok(())
    };
    let totals = classify(&request, model, &mut ClassifyMonitor::new(cancel, progress, &mut on_event))?;
    if totals.cancelled {
        return Ok(None);
    }
    if cells.is_empty() && without > 0 {
        return Err(UserError::new(format!(
            "{} gives no features (an output of its own before the last layers), so there is no map",
            model.card().name
        )));
    }
    if cells.len() < LEAST {
        return Err(UserError::new(format!("{} cells; a map needs four", cells.len())));
    }
    let Some(places) = embed(&rows, SKETCH, cancel, progress) else { return Ok(None) };
    cells.iter_mut().zip(places).for_each(|(c, at)| c.at = at);
    let labels = model.card().classes.labels();
    let bytes = match ending.as_str() {
        "csv" => map_csv(&cells, labels),
        "svg" => map_svg(&cells, labels).into_bytes(),
        _ => svg_to_png(&map_svg(&cells, labels)).ok_or_else(|| UserError::new("the image could not be drawn"))?,
    };
    write_output(out, &bytes)?;
    Ok(Some((cells.len(), without)))
}
