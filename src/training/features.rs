//! Inputs for training: cut cells, changed anew each time; or the activations of the frozen layers, computed once and
//! cached by the cell, the frozen weights and the change.

use super::augment::{Augmentation, augment};
use super::engine::CpuEngine;
use super::error::TrainError;
use super::trainer::TensorSource;
use crate::dataset::{CacheError, CellCache, CutCell};
use crate::domain::{Preprocessing, ResizeFilter, TensorSpec};
use crate::files::{Pack, digest_of};
use crate::task::{Cancel, Progress};
use fastrand::Rng;
use std::path::Path;

/// What is kept, in a sentence.
const ACTIVATIONS: &str = "activations";
/// Cells whose activations are computed between two looks at the cancel.
const PART: usize = 64;

/// From 0..=255 to what the network wants, NHWC, in the network's order of colours.
#[derive(Debug, Clone)]
pub struct InputScaling {
    mean: [f32; 3],
    inverse: [f32; 3],
    bgr: bool,
}

impl InputScaling {
    /// As a model's card says.
    pub fn new(spec: &TensorSpec) -> Self {
        Self { mean: spec.mean, inverse: spec.std.map(|s| 1.0 / s), bgr: spec.bgr }
    }

    /// What it is known by: all of its numbers.
    fn name(&self) -> String {
        let Self { mean: [a, b, c], inverse: [d, e, f], bgr } = self;
        format!("{} mean {a} {b} {c} inverse {d} {e} {f}", if *bgr { "bgr" } else { "rgb" })
    }

    fn apply(&self, values: &mut [f32]) {
        for p in values.chunks_exact_mut(3) {
            if self.bgr {
                p.swap(0, 2);
            }
            for ((v, mean), inverse) in p.iter_mut().zip(self.mean).zip(self.inverse) {
                *v = (*v - mean) * inverse;
            }
        }
    }
}

/// Cut cells as the network's input.
#[derive(Debug)]
pub struct AugmentedCells<'a> {
    pub cache: &'a CellCache,
    /// Each item's cell.
    pub cells: &'a [CutCell],
    pub scaling: InputScaling,
    /// How much they are changed.
    pub augmentation: Augmentation,
}

impl AugmentedCells<'_> {
    /// What the changes of a file add to a text that stands for all changes; nothing where there are none, as before there were any.
    fn file_changes(&self) -> String {
        let strength = self.augmentation.file;
        if strength == 0.0 { String::new() } else { format!(" file {strength:?}") }
    }

    /// What the draws of the cached changes start from, beside the cell and the number of the change: one recipe and one seed draw the
    /// same in every version, so this text is what 0.1.0 wrote, whatever things are called now.
    fn draws(&self, seed: u64) -> String {
        let view = self.cache.view();
        let preprocessing = match &view.preprocessing {
            Preprocessing::CellSquare(how) => format!(
                "CellSquare(CellPreprocessing {{ side_factor: {:?}, white: {:?}, white_percentile: {:?}, balanced: {} }})",
                how.side_factor, how.white, how.white_percentile, how.balanced
            ),
            Preprocessing::WholeImage(how) => {
                let crop = how.crop.map_or_else(|| "None".to_owned(), |share| format!("Some({share:?})"));
                let filter = match how.filter {
                    ResizeFilter::Area => "Area",
                    ResizeFilter::Bilinear => "Bilinear",
                    ResizeFilter::Bicubic => "Bicubic",
                };
                format!("WholeImage(WholePreprocessing {{ crop: {crop}, filter: {filter} }})")
            }
        };
        let Augmentation { geometry, colour, .. } = self.augmentation;
        let InputScaling { mean, inverse, bgr } = &self.scaling;
        format!(
            "View {{ preprocessing: {preprocessing}, size: {} }} Augmentation {{ geometry: {geometry:?}, colour: {colour:?} }} \
             Scaling {{ mean: {mean:?}, inverse: {inverse:?}, bgr: {bgr} }} {seed}{}",
            view.size,
            self.file_changes()
        )
    }
}

impl TensorSource for AugmentedCells<'_> {
    fn fill(&self, item: usize, random: Option<&mut Rng>, out: &mut [f32]) -> Result<(), TrainError> {
        let mut bytes = Vec::new();
        self.cache.read(self.cells[item], &mut bytes)?;
        let side = self.cache.view().size;
        match random {
            None => out.iter_mut().zip(&bytes).for_each(|(o, b)| *o = f32::from(*b)),
            Some(random) => {
                let white = self.cache.view().white().unwrap_or_else(|| border(&bytes, side));
                augment(&bytes, side, white, self.augmentation, random, out);
            }
        }
        self.scaling.apply(out);
        Ok(())
    }
}

/// The middle brightness of an image's border: what lies outside an image whose white is not known.
fn border(bytes: &[u8], side: usize) -> f32 {
    let row = 3 * side;
    let mut values: Vec<u8> = bytes[..row].iter().chain(&bytes[bytes.len() - row..]).copied().collect();
    values.sort_unstable();
    f32::from(values[values.len() / 2])
}

/// The activations before layer `first`, as many views of each item as it needs: the first plain, the others changed.
#[derive(Debug)]
pub struct Activations {
    pack: Pack,
    /// Records of each item's views.
    records: Vec<Vec<u32>>,
    len: usize,
}

impl Activations {
    /// Computes what is not cached yet, with the frozen layers of `engine`'s network (an engine for layer 0 on).
    /// `views` says how many each item needs, which may be none. `None` when cancelled.
    ///
    /// # Errors
    /// When the cache cannot be written or a cell cannot be read any more.
    #[expect(clippy::too_many_arguments, reason = "what is computed, how, where it is kept, and who watches")]
    pub fn compute(
        engine: &CpuEngine,
        values: &[f32],
        first: usize,
        source: &AugmentedCells<'_>,
        (views, seed): (&[usize], u64),
        folder: Option<&Path>,
        cancel: &Cancel,
        progress: &Progress,
    ) -> Result<Option<Self>, TrainError> {
        let net = engine.net();
        let len = net.input_len(first);
        let frozen: Vec<u8> = values[..net.offset(first)].iter().flat_map(|v| v.to_le_bytes()).collect();
        let decoder = crate::imaging::DECODER_VERSION;
        let name = format!("activations-{}-{first}-{}-d{decoder}", digest_of(&frozen).short(), net.side());
        let full = |e| CacheError::Write(ACTIVATIONS, e);
        let pack = Pack::cached(folder, &name, len * 4).map_err(full)?;
        // The plain view is the same whatever the changes are.
        let plain = format!("{} {}", source.cache.view().name(), source.scaling.name());
        let Augmentation { geometry, colour, .. } = source.augmentation;
        let changed = format!("{plain} geometry {geometry} colour {colour} seed {seed}{}", source.file_changes());
        let of = |cell: &CutCell, text: &str| digest_of(&[&cell.digest.0[..], text.as_bytes()].concat()).0;
        let key =
            |cell: &CutCell, v: usize| if v == 0 { of(cell, &plain) } else { of(cell, &format!("{changed} {v}")) };
        let draws = source.draws(seed);
        let random = |cell: &CutCell, v: usize| {
            let start = of(cell, &format!("{draws} {v}"));
            Rng::with_seed(u64::from_le_bytes(start[..8].try_into().unwrap_or_default()))
        };
        let all: Vec<(usize, usize)> =
            views.iter().enumerate().flat_map(|(i, &n)| (0..n).map(move |v| (i, v))).collect();
        progress.set_total(progress.total() + all.len());
        let mut records: Vec<Vec<u32>> = views.iter().map(|&n| vec![0; n]).collect();
        let mut inputs = Vec::new();
        for part in all.chunks(PART) {
            if cancel.is_cancelled() {
                pack.save().map_err(full)?;
                return Ok(None);
            }
            let keys: Vec<[u8; 32]> = part.iter().map(|&(i, v)| key(&source.cells[i], v)).collect();
            let missing: Vec<usize> = (0..part.len()).filter(|&k| pack.find(&keys[k]).is_none()).collect();
            let one = net.input_len(0);
            inputs.clear();
            inputs.resize(missing.len() * one, 0.0);
            engine.pool().install(|| {
                use rayon::prelude::*;
                inputs.par_chunks_mut(one).zip(&missing).try_for_each(|(out, &k)| {
                    let (item, v) = part[k];
                    source.fill(item, (v > 0).then(|| random(&source.cells[item], v)).as_mut(), out)
                })
            })?;
            let computed = engine.prefix(values, first, &inputs);
            for (&k, row) in missing.iter().zip(computed.chunks_exact(len)) {
                let bytes: Vec<u8> = row.iter().flat_map(|v| v.to_le_bytes()).collect();
                pack.add(keys[k], &bytes, "").map_err(full)?;
            }
            for (&(i, v), key) in part.iter().zip(&keys) {
                // Another cell's activations in its place would be trained on without a word.
                records[i][v] = pack.find(key).and_then(|(r, _)| r).ok_or(TrainError::ActivationsLost)?;
                progress.step();
            }
        }
        pack.save().map_err(full)?;
        Ok(Some(Self { pack, records, len }))
    }
}

impl TensorSource for Activations {
    fn fill(&self, item: usize, random: Option<&mut Rng>, out: &mut [f32]) -> Result<(), TrainError> {
        let views = &self.records[item];
        let view = random.map_or(0, |r| r.usize(..views.len()));
        let mut bytes = vec![0; self.len * 4];
        self.pack.read(views[view], &mut bytes).map_err(|e| CacheError::Read(ACTIVATIONS, e))?;
        out.iter_mut().zip(bytes.chunks_exact(4)).for_each(|(o, b)| *o = f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::InputView;
    use crate::domain::WholePreprocessing;

    #[test]
    fn one_seed_draws_what_it_drew_in_the_first_version() {
        let draws = |preprocessing| {
            let folder = tempfile::tempdir().expect("a folder");
            let cache = CellCache::open(InputView { preprocessing, size: 96 }, Some(folder.path())).expect("a cache");
            let scaling = InputScaling { mean: [127.5, 0.0, 1.25], inverse: [0.007843138, 1.0, 2.0], bgr: false };
            let augmentation = Augmentation { geometry: 1.0, colour: 0.5, file: 0.0 };
            AugmentedCells { cache: &cache, cells: &[], scaling, augmentation }.draws(7)
        };
        let rest = ", size: 96 } Augmentation { geometry: 1.0, colour: 0.5 } Scaling { mean: [127.5, 0.0, 1.25], inverse: \
                    [0.007843138, 1.0, 2.0], bgr: false } 7";
        let cell =
            "CellSquare(CellPreprocessing { side_factor: 2.6, white: 235.0, white_percentile: 95.0, balanced: true })";
        let ours = Preprocessing::CellSquare(crate::domain::CellPreprocessing::OURS);
        assert_eq!(draws(ours), format!("View {{ preprocessing: {cell}{rest}"));
        let whole = WholePreprocessing { crop: Some(0.875), filter: ResizeFilter::Bicubic };
        let cropped = "WholeImage(WholePreprocessing { crop: Some(0.875), filter: Bicubic })";
        assert_eq!(draws(Preprocessing::WholeImage(whole)), format!("View {{ preprocessing: {cropped}{rest}"));
    }
}
