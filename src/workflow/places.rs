//! Every place of some images where a white cell may be, as the judge sees it: what shows how a finder errs, and what training squares
//! are made from. Nothing is chosen here.

use super::UserError;
use super::bench_finder::{FinderImages, box_of, read_boxes};
use crate::files::{Entry, display_path};
use crate::inference::{Engine, Folders, Provider, prepare_places};
use crate::model::VettedModel;
use crate::task::{Cancel, cores};
use rayon::prelude::*;
use std::path::Path;

/// A table of every place in the images that `boxes` names, one row a place, most evident first: `path,number,x,y,side,doubt,box`. The doubt
/// is empty for a model that does not judge; `box` is the number of the image's box, from 1, in which the place's centre lies.
///
/// # Errors
/// What is wrong with the table, the model or an image.
pub fn places(model: &VettedModel, folder: &Path, boxes: &Path, cancel: &Cancel) -> Result<Vec<u8>, UserError> {
    let images = read_boxes(boxes)?;
    let folders = Folders::new(model.card(), true);
    let tables = images
        .par_chunks(images.len().div_ceil(cores()).max(1))
        .map(|own| places_of(model, folder, own, &folders, cancel))
        .collect::<Result<Vec<_>, UserError>>()?;
    Ok(std::iter::once(b"path,number,x,y,side,doubt,box\n".to_vec()).chain(tables).flatten().collect())
}

fn places_of(
    model: &VettedModel,
    folder: &Path,
    images: &FinderImages,
    folders: &Folders,
    cancel: &Cancel,
) -> Result<Vec<u8>, UserError> {
    let card = model.card();
    let mut engine = Engine::load(model, Provider::Cpu, 1)?;
    let mut table = csv::Writer::from_writer(Vec::new());
    for (name, boxes) in images {
        if cancel.is_cancelled() {
            return Err(UserError::new("stopped"));
        }
        let entry = Entry { path: folder.join(name), named: true, error: None, square: None };
        let refuse = |why: &dyn std::fmt::Display| UserError::new(format!("{}: {why}", display_path(&entry.path)));
        let Ok(mut image) = prepare_places(&entry, card, folders) else { continue };
        if let Some(why) = image.error {
            return Err(refuse(&why));
        }
        let answers = match image.squares.len() {
            0 => Vec::new(),
            n => engine.predict(std::mem::take(&mut image.tensors), n)?,
        };
        for ((number, square), answer) in image.squares.iter().zip(answers) {
            let doubt = answer.doubt.map_or_else(String::new, |d| format!("{d:.4}"));
            let inside = box_of(*square, boxes).map_or_else(String::new, |i| (i + 1).to_string());
            let [x, y, side] = [square.x, square.y, square.side].map(|v| format!("{v:.1}"));
            let row = [name.clone(), number.to_string(), x, y, side, doubt, inside];
            table.write_record(row).map_err(|e| refuse(&e))?;
        }
    }
    table.into_inner().map_err(|e| UserError::new(e.to_string()))
}
