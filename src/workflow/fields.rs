//! Which images of a session look like the same field: the laboratory's judgement, with their pixels compared. Reads the images again,
//! so it is a job of its own, before a signature.

use crate::dataset::{NearDuplicatePair, PerceptualHash, near_duplicates};
use crate::domain::{CellPreprocessing, CellResult, Digest, ImageResult, Outcome};
use crate::files::{MAX_IMAGE_BYTES, read_bounded};
use crate::imaging::{FieldCopy, Limits, RgbImage, cut_square, decode};
use crate::laboratory::{SameImages, look_alike, slide_of};
use crate::session::{CellKey, KeptResult};
use crate::task::{Cancel, Progress};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// With more cells than these an image is judged by their places.
const FEW: usize = 4;
/// Pixels a side of a cell's image.
const SIDE: usize = 128;
/// Images whose pixels correlate this much show one field: see [`FieldCopy::correlation`].
const SAME_FIELD: f32 = 0.7;

/// An image as it is compared.
struct Compared {
    digest: Digest,
    field: FieldCopy,
    cells: Vec<(CellKey, PerceptualHash)>,
}

/// Nothing where the image has no cell, or the file cannot be read any more.
fn compared(result: &ImageResult) -> Option<Compared> {
    let (Outcome::Cells(cells), Some(digest)) = (&result.outcome, result.digest) else { return None };
    if cells.is_empty() {
        return None;
    }
    let read = read_bounded(&result.path, MAX_IMAGE_BYTES).ok()?;
    let image = decode(&read.bytes, Limits::default()).ok()?.image;
    let cells = if cells.len() > FEW { &[][..] } else { cells };
    let cells = cells.iter().map(|c| (CellKey { image: digest, cell: c.number }, of_cell(&image, c))).collect();
    Some(Compared { digest, field: FieldCopy::new(&image), cells })
}

fn of_cell(image: &RgbImage, cell: &CellResult) -> PerceptualHash {
    let how = CellPreprocessing { balanced: false, ..CellPreprocessing::OURS };
    PerceptualHash::new(&cut_square(image, cell.square, [how.white; 3], &how, SIDE))
}

/// Groups of images of a slide that look like the same field.
pub(super) fn fields_alike(results: &[KeptResult], cancel: &Cancel, progress: &Progress) -> Vec<Vec<Digest>> {
    let mut slides: BTreeMap<_, Vec<&ImageResult>> = BTreeMap::new();
    for kept in results {
        slides.entry(slide_of(&kept.result.path)).or_default().push(&kept.result);
    }
    let mut same = SameImages::default();
    for images in slides.values().filter(|images| images.len() > 1) {
        let read = |i: &&ImageResult| if cancel.is_cancelled() { None } else { compared(i) };
        let images: Vec<Compared> = images.par_iter().filter_map(read).collect();
        let (keys, cells): (Vec<CellKey>, Vec<Option<PerceptualHash>>) =
            images.iter().flat_map(|i| &i.cells).map(|(key, cell)| (*key, Some(cell.clone()))).unzip();
        for NearDuplicatePair { pair: (i, j), .. } in near_duplicates(&cells, cancel, progress) {
            same.cells.extend([(keys[i], keys[j]), (keys[j], keys[i])]);
        }
        let pairs = (0..images.len()).into_par_iter().flat_map_iter(|i| {
            let (one, later) = (&images[i], if cancel.is_cancelled() { &[][..] } else { &images[i + 1..] });
            let fits = |other: &&Compared| one.field.correlation(&other.field) >= SAME_FIELD;
            later.iter().filter(fits).flat_map(|other| [(one.digest, other.digest), (other.digest, one.digest)])
        });
        same.fields.extend(pairs.collect::<Vec<_>>());
    }
    look_alike(results.iter().map(|k| &*k.result), &same)
}
