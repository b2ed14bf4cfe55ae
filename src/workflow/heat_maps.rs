//! Heat maps of some cells for a report: of each class the surest cells and the least sure one.

use super::explain::{ExplainRequest, Explainer, explained_image};
use super::laboratory::{ResultProvenance, session_report};
use super::sessions::look;
use super::{UserError, open_model};
use crate::domain::{ClassSet, ImageResult, Outcome};
use crate::files::display_name;
use crate::imaging::encode_jpeg;
use crate::inference::{OwnSquares, Provider};
use crate::laboratory::{HeatMapExample, SlideReport};
use crate::model::VettedModel;
use crate::task::{Cancel, Progress};
use std::path::{Path, PathBuf};

/// Cells of each class.
const EACH: usize = 3;
/// How much of the heat's colour covers the cell.
const OPACITY: f32 = crate::imaging::HEAT_OPACITY;
/// Quality of the JPEG images inside a page.
const QUALITY: u8 = 82;

#[derive(Debug, Clone, PartialEq)]
pub struct CellPick {
    /// Its image.
    pub path: PathBuf,
    /// Its number in the image.
    pub cell: u32,
    /// The class that the model gives.
    pub label: String,
    /// Its probability.
    pub confidence: f32,
}

/// Cells of each class to show: the surest ones and the least sure one, classes in clinical order.
pub fn pick_cells<'a>(images: impl IntoIterator<Item = &'a ImageResult>, classes: &ClassSet) -> Vec<CellPick> {
    let mut by: Vec<Vec<CellPick>> = vec![Vec::new(); classes.len()];
    for image in images {
        let Outcome::Cells(cells) = &image.outcome else { continue };
        for cell in cells {
            let (class, confidence) = cell.probabilities.top();
            if let (Some(of), Some(label)) = (by.get_mut(class), classes.label(class)) {
                of.push(CellPick { path: image.path.clone(), cell: cell.number, label: label.to_owned(), confidence });
            }
        }
    }
    let mut picked = Vec::new();
    for class in classes.clinical_order() {
        let mut of = std::mem::take(&mut by[class]);
        of.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        let last = if of.len() >= EACH { of.pop() } else { None };
        picked.extend(of.into_iter().take(EACH - 1).chain(last));
    }
    picked
}

/// Makes the images; a cell that cannot be explained any more is left out. Stops early when cancelled.
///
/// # Errors
/// When the model cannot be run at all.
pub fn heat_map_examples(
    picks: &[CellPick],
    model: &VettedModel,
    provider: Provider,
    own: &OwnSquares,
    cancel: &Cancel,
    progress: &Progress,
) -> Result<Vec<HeatMapExample>, UserError> {
    let mut explainer = Explainer::new(model, provider)?;
    progress.set_total(picks.len());
    let mut all = Vec::new();
    for pick in picks {
        let request = ExplainRequest {
            path: pick.path.clone(),
            cell: pick.cell,
            class: None,
            provider,
            own: own.clone(),
            digest: None,
        };
        let found = explainer.explain(&request, cancel, &Progress::default());
        progress.step();
        match found {
            Ok(None) => break,
            Ok(Some(explained)) => {
                let Ok(image) = explained_image(&pick.path, &explained, OPACITY) else { continue };
                let small = crate::imaging::fit_within(&image, 320).0;
                let jpeg = encode_jpeg(&small, QUALITY)?;
                all.push(HeatMapExample {
                    label: pick.label.clone(),
                    file: display_name(&pick.path),
                    cell: pick.cell,
                    confidence: pick.confidence,
                    how: explained.map.how,
                    jpeg,
                });
            }
            Err(_) => {}
        }
    }
    Ok(all)
}

/// The report of a session with heat maps by the model that made its results.
///
/// # Errors
/// As [`session_report`]; also when another model made the results.
pub fn session_report_with_heat_maps(
    session: &Path,
    model: Option<&Path>,
    cancel: &Cancel,
    progress: &Progress,
) -> Result<SlideReport, UserError> {
    let mut report = session_report(session)?;
    let model = open_model(model)?;
    let store = look(session)?;
    let made = store.made_with()?;
    let with = made.as_deref().and_then(ResultProvenance::from_text);
    if with.as_ref().is_none_or(|w| w.model != model.card().digest.to_string()) {
        let name = with.map_or_else(|| "an unknown model".to_owned(), |w| format!("{} ({})", w.name, w.model));
        return Err(UserError::new(format!("the session's results were made by {name}; name it with --model")));
    }
    let results = made.as_deref().map_or(Ok(Vec::new()), |m| store.results(m))?;
    let picks = pick_cells(results.iter().map(|r| &*r.result), &model.card().classes);
    report.heat_maps = heat_map_examples(&picks, &model, Provider::Auto, &OwnSquares::new(), cancel, progress)?;
    Ok(report)
}
