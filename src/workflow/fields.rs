//! Which images of a session look like the same field: the laboratory's judgement, with the pictures of cells compared where an image
//! has too few of them for their places to tell. Reads the images again, so it is a job of its own, before a signature.

use crate::dataset::{Alike, AlikePair, near_duplicates};
use crate::domain::{CellPreprocessing, Digest, ImageResult, Outcome};
use crate::files::{MAX_PICTURE_BYTES, read_bounded};
use crate::imaging::{Limits, cut_square, decode};
use crate::laboratory::{SameCells, look_alike, slide_of};
use crate::session::{CellKey, KeptResult};
use crate::task::{Cancel, Progress};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// With more cells than these an image is judged by their places.
const FEW: usize = 4;
/// Pixels a side of a cell's picture.
const SIDE: usize = 128;

/// The cells of an image as they are compared; none where the file cannot be read any more.
fn pictures(result: &ImageResult) -> Vec<(CellKey, Alike)> {
    let (Outcome::Cells(cells), Some(image)) = (&result.outcome, result.digest) else { return Vec::new() };
    if cells.len() > FEW {
        return Vec::new();
    }
    let read = read_bounded(&result.path, MAX_PICTURE_BYTES).ok();
    let Some(picture) = read.and_then(|r| decode(&r.bytes, Limits::default()).ok()).map(|d| d.picture) else {
        return Vec::new();
    };
    let how = CellPreprocessing { balanced: false, ..CellPreprocessing::OURS };
    let cut = |c: &crate::domain::CellResult| Alike::of(&cut_square(&picture, c.square, [how.white; 3], &how, SIDE));
    cells.iter().map(|c| (CellKey { image, cell: c.number }, cut(c))).collect()
}

/// Groups of images of a slide that look like the same field.
pub(super) fn fields_alike(results: &[KeptResult], cancel: &Cancel, progress: &Progress) -> Vec<Vec<Digest>> {
    let mut slides: BTreeMap<_, Vec<&ImageResult>> = BTreeMap::new();
    for kept in results {
        slides.entry(slide_of(&kept.result.path)).or_default().push(&kept.result);
    }
    let mut same = SameCells::new();
    for images in slides.values().filter(|images| images.len() > 1) {
        let read = |i: &&ImageResult| if cancel.is_cancelled() { Vec::new() } else { pictures(i) };
        let (keys, all): (Vec<CellKey>, Vec<Option<Alike>>) =
            images.par_iter().flat_map_iter(read).map(|(k, a)| (k, Some(a))).unzip();
        for AlikePair { pair: (i, j), .. } in near_duplicates(&all, cancel, progress) {
            same.extend([(keys[i], keys[j]), (keys[j], keys[i])]);
        }
    }
    look_alike(results.iter().map(|k| &*k.result), &same)
}
