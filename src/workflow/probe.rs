//! Which preprocessing a model was made with, by trying: labelled images through each plausible contract, and how many each
//! gets right. Shown with intervals; a contract that no figures speak for is never taken.

use super::UserError;
use super::import::{ModelImport, Tried, framed};
use crate::dataset::{Item, scan};
use crate::domain::{TensorSpec, same_label};
use crate::files::display_path;
use crate::imaging::{self, RgbImage};
use crate::inference::{Engine, Provider, decode_file};
use crate::metrics::{mcnemar, wilson};
use crate::model::{Crop, Normalization};
use crate::task::{Cancel, Progress, cores};
use rayon::prelude::*;
use std::path::Path;

/// Labelled images that a check needs.
pub const LEAST: usize = 20;
/// Images that every contract sees.
const FIRST: usize = 40;
/// Images that the best ones see.
const MOST: usize = 200;
/// Contracts that see them all.
const BEST: usize = 10;
/// Cells a run.
const BATCH: usize = 8;

/// What trying found.
#[derive(Debug, Clone, PartialEq)]
pub struct Probed {
    /// The best first.
    pub tried: Vec<Tried>,
    /// Which of them is taken; none where no figures speak for any.
    pub chosen: Option<usize>,
    /// Why, in words.
    pub why: String,
}

/// Tries a model on labelled images; `None` when cancelled.
///
/// # Errors
/// When there are too few images, the labels do not fit, the size is not known, or the model cannot be run.
pub fn probe(
    import: &ModelImport,
    dataset: &Path,
    cancel: &Cancel,
    progress: &Progress,
) -> Result<Option<Probed>, UserError> {
    let scanned = scan(dataset, &|| cancel.is_cancelled())?;
    if cancel.is_cancelled() {
        return Ok(None);
    }
    let draft = import.draft();
    let output_head =
        draft.output_head.clone().ok_or_else(|| UserError::new("say first which output classifies (--output NAME)"))?;
    let size = draft.size.ok_or_else(|| UserError::new("say first how many pixels a side it takes (--size N)"))?;
    let drafted = draft.scaling.map(|s| (s, draft.crop.clone()));
    // The images whose labels the model knows, and the output of each where the outputs have names.
    let known = draft.labels.clone();
    let truth_of = |class: usize| -> Option<usize> {
        let label = &scanned.labels[class];
        let Some(labels) = &known else { return Some(class) };
        let counts = |i: usize| draft.counts_as.get(i).is_some_and(|c| same_label(c, label));
        (0..labels.len()).find(|&i| same_label(&labels[i], label)).or_else(|| (0..labels.len()).find(|&i| counts(i)))
    };
    let width = known.as_ref().map(Vec::len).or(output_head.width);
    if known.is_none() && width.is_some_and(|w| w != scanned.labels.len()) {
        return Err(UserError::new(format!(
            "the model has {} outputs and {} has {} labels ({}): name the outputs first (--labels A,B,…)",
            width.unwrap_or(0),
            display_path(dataset),
            scanned.labels.len(),
            scanned.labels.join(", ")
        )));
    }
    let width = width.unwrap_or(scanned.labels.len());
    let items = spread(&scanned.items, scanned.labels.len(), |i| truth_of(i.class).is_some());
    if items.len() < LEAST {
        return Err(UserError::new(format!(
            "{} images with labels that the model knows; a check needs {LEAST}",
            items.len()
        )));
    }
    let model = import.stand_in(width)?;
    let mut engine = Engine::load(&model, Provider::Cpu, cores())?;
    let mut contracts = candidates(drafted.as_ref());
    let usual = |c: &Contract| drafted.as_ref().is_some_and(|(s, f)| s.near(&c.scaling) && *f == c.crop);
    // What the file and its exporter say comes first among equals.
    contracts.sort_by_key(|c| !usual(c));
    let first = items.len().min(FIRST);
    progress.set_total(contracts.len() * first + BEST * (items.len() - first));
    let references: Vec<usize> = items.iter().filter_map(|i| truth_of(i.class)).collect();
    let labels = Labels { known: known.is_some(), references: &references, width, names: &scanned.labels };
    for (from, to) in [(0, first), (first, items.len())] {
        if from == to {
            continue;
        }
        let mut cuts = Cuts::default();
        for contract in &mut contracts {
            if cancel.is_cancelled() {
                return Ok(None);
            }
            let images = cuts.get(&contract.crop, &items[from..to], size);
            let spec = contract.scaling.tensor(size, import.facts().channels_first);
            contract.predicted.extend(call(&mut engine, images, &spec)?);
            images.iter().for_each(|_| progress.step());
        }
        let keep_usual: Vec<bool> = contracts.iter().map(&usual).collect();
        let mut order: Vec<usize> = (0..contracts.len()).collect();
        order.sort_by_key(|&i| std::cmp::Reverse(labels.judge(&contracts[i].predicted).0));
        // The usual contract is seen to the end, so that it can be held against the best.
        let stay: Vec<usize> =
            order.iter().enumerate().filter(|(rank, i)| *rank < BEST || keep_usual[**i]).map(|(_, i)| *i).collect();
        contracts = stay.into_iter().map(|i| contracts[i].clone()).collect();
    }
    Ok(Some(verdict(&contracts, &labels, usual)))
}

/// Every way to prepare images with every way to scale values; what the file and its exporter say among them.
fn candidates(drafted: Option<&(Normalization, Crop)>) -> Vec<Contract> {
    let mut framings = Crop::candidates();
    if let Some((_, crop)) = drafted.filter(|(_, f)| !framings.contains(f)) {
        framings.insert(0, crop.clone());
    }
    let mut scalings: Vec<Normalization> = Normalization::KNOWN.iter().map(|(_, s, _)| *s).collect();
    if let Some((scaling, _)) = drafted.filter(|(s, _)| !scalings.iter().any(|k| k.near(s))) {
        scalings.insert(0, *scaling);
    }
    framings
        .iter()
        .flat_map(|f| scalings.iter().map(move |s| Contract { scaling: *s, crop: f.clone(), predicted: Vec::new() }))
        .collect()
}

#[derive(Debug, Clone)]
struct Contract {
    scaling: Normalization,
    crop: Crop,
    /// The output called for each image; `None` where there was nothing to cut.
    predicted: Vec<Option<usize>>,
}

/// What outputs mean, and what the images are.
struct Labels<'a> {
    known: bool,
    /// The output of each image where outputs have names, else its label in the dataset.
    references: &'a [usize],
    width: usize,
    names: &'a [String],
}

impl Labels<'_> {
    /// How many are right, which ones, and the labels of the outputs where those are not known.
    ///
    /// Labels found by trying are scored on images that they were not found on, half by half.
    fn judge(&self, predicted: &[Option<usize>]) -> (usize, Vec<bool>, Option<Vec<String>>) {
        let hits = |label_of: &dyn Fn(usize, usize) -> usize| -> Vec<bool> {
            predicted
                .iter()
                .zip(self.references)
                .enumerate()
                .map(|(i, (predicted, references))| predicted.is_some_and(|o| label_of(i, o) == *references))
                .collect()
        };
        let count = |hits: &[bool]| hits.iter().filter(|h| **h).count();
        let plain = hits(&|_, o| o);
        if self.known {
            return (count(&plain), plain, None);
        }
        // Keras and torchvision number folders in alphabetical order: what the dataset's labels are in.
        let half = |which: usize| {
            assign(
                self.width,
                predicted.iter().zip(self.references).enumerate().filter(|(i, _)| i % 2 == which).map(|(_, p)| p),
            )
        };
        let (even, odd) = (half(0), half(1));
        let crossed = hits(&|i, o| if i % 2 == 0 { odd[o] } else { even[o] });
        if count(&plain) >= count(&crossed) {
            return (count(&plain), plain, Some(self.names.to_vec()));
        }
        let all = assign(self.width, predicted.iter().zip(self.references));
        let labels = all.iter().map(|&label| self.names[label].clone()).collect();
        (count(&crossed), crossed, Some(labels))
    }
}

/// The label of each output that makes most images right, each label once: exact for up to 10 outputs, greedy beyond.
fn assign<'a>(width: usize, pairs: impl Iterator<Item = (&'a Option<usize>, &'a usize)>) -> Vec<usize> {
    let mut counts = vec![vec![0usize; width]; width];
    for (predicted, references) in pairs {
        if let Some(output) = predicted.filter(|o| *o < width && *references < width) {
            counts[output][*references] += 1;
        }
    }
    if width > 10 {
        let mut pairs: Vec<(usize, usize)> = (0..width).flat_map(|o| (0..width).map(move |l| (o, l))).collect();
        pairs.sort_by_key(|&(o, l)| std::cmp::Reverse(counts[o][l]));
        let (mut of, mut taken) = (vec![usize::MAX; width], vec![false; width]);
        for (o, l) in pairs {
            if of[o] == usize::MAX && !taken[l] {
                (of[o], taken[l]) = (l, true);
            }
        }
        return of;
    }
    // best[set] = the most right for the first |set| outputs with the labels of the set, and the last one's label.
    let mut best = vec![(0usize, 0usize); 1 << width];
    for set in 1usize..1 << width {
        let output = set.count_ones() as usize - 1;
        let with = |l: usize| best[set & !(1 << l)].0 + counts[output][l];
        let label =
            (0..width).filter(|l| set & (1 << l) != 0).max_by_key(|&l| (with(l), std::cmp::Reverse(l))).unwrap_or(0);
        best[set] = (with(label), label);
    }
    let (mut of, mut set) = (vec![0; width], (1 << width) - 1);
    for output in (0..width).rev() {
        of[output] = best[set].1;
        set &= !(1usize << of[output]);
    }
    of
}

fn verdict(contracts: &[Contract], labels: &Labels<'_>, usual: impl Fn(&Contract) -> bool) -> Probed {
    let judged: Vec<_> = contracts.iter().map(|c| labels.judge(&c.predicted)).collect();
    let mut order: Vec<usize> = (0..contracts.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(judged[i].0));
    let tried: Vec<Tried> = order
        .iter()
        .map(|&i| {
            let (right, hits, names) = &judged[i];
            let Contract { scaling, crop, .. } = contracts[i].clone();
            Tried {
                scaling,
                crop,
                labels: names.clone(),
                n: hits.len(),
                right: *right,
                interval: wilson(*right, hits.len()),
            }
        })
        .collect();
    let Some(best) = tried.first() else {
        return Probed { tried, chosen: None, why: "nothing was tried".into() };
    };
    let percent = |t: &Tried| {
        format!(
            "{:.1} % of {} (95 % interval {:.1}–{:.1})",
            100.0 * t.accuracy(),
            t.n,
            100.0 * t.interval.low,
            100.0 * t.interval.high
        )
    };
    // Calling everything by the most frequent label must not do as well.
    let most = (0..labels.width.max(labels.names.len()))
        .map(|c| labels.references.iter().filter(|t| **t == c).count())
        .max()
        .unwrap_or(0);
    let chance = crate::metrics::share(most, labels.references.len());
    if best.interval.low <= chance {
        let why = format!(
            "none works: the best is right for {}, and one label alone would be for {:.1} %",
            percent(best),
            100.0 * chance
        );
        return Probed { tried, chosen: None, why };
    }
    let at_usual = order.iter().position(|&i| usual(&contracts[i]));
    let chosen = match at_usual {
        Some(at) if at > 0 => {
            let (a, b) = (&judged[order[0]].1, &judged[order[at]].1);
            let only = |x: &[bool], y: &[bool]| x.iter().zip(y).filter(|(x, y)| **x && !**y).count();
            // Kept unless the figures speak against it.
            if mcnemar(only(a, b), only(b, a)) < 0.05 { 0 } else { at }
        }
        _ => 0,
    };
    let t = &tried[chosen];
    let why = format!("{}, {}: right for {}", t.scaling.word(), t.crop.word(), percent(t));
    let why = if chosen == 0 { why } else { format!("{why}; no other is certainly better, and this is the usual one") };
    Probed { chosen: Some(chosen), why, tried }
}

/// Runs images that were cut already; the output with the largest value for each.
fn call(engine: &mut Engine, images: &[Option<RgbImage>], spec: &TensorSpec) -> Result<Vec<Option<usize>>, UserError> {
    let mut predicted = vec![None; images.len()];
    let there: Vec<usize> = (0..images.len()).filter(|&i| images[i].is_some()).collect();
    for part in there.chunks(BATCH) {
        let mut tensors = Vec::new();
        part.iter().filter_map(|&i| images[i].as_ref()).for_each(|p| imaging::tensor(p, spec, &mut tensors));
        let answers = engine.run(tensors, part.len())?;
        for (i, answer) in part.iter().zip(answers) {
            predicted[*i] = Some(answer.top().0);
        }
    }
    Ok(predicted)
}

/// Images as each framing cuts them, made once.
#[derive(Default)]
struct Cuts(Vec<(Crop, Vec<Option<RgbImage>>)>);

impl Cuts {
    fn get(&mut self, crop: &Crop, items: &[&Item], size: usize) -> &[Option<RgbImage>] {
        if !self.0.iter().any(|(f, _)| f == crop) {
            let cut = |item: &&Item| {
                let (decoded, _) = decode_file(&item.path).ok()?;
                framed(&decoded.image, crop, item.square, size)
            };
            let all = items.par_iter().map(|i| std::panic::catch_unwind(|| cut(i)).ok().flatten()).collect();
            self.0.push((crop.clone(), all));
        }
        let at = self.0.iter().position(|(f, _)| f == crop).unwrap_or(0);
        &self.0[at].1
    }
}

/// Up to [`MOST`] items, label by label in turn, evenly over each label's files.
fn spread(items: &[Item], labels: usize, take: impl Fn(&Item) -> bool) -> Vec<&Item> {
    let mut by: Vec<Vec<&Item>> = vec![Vec::new(); labels];
    items.iter().filter(|i| i.error.is_none() && take(i)).for_each(|i| by[i.class].push(i));
    let there = by.iter().filter(|l| !l.is_empty()).count().max(1);
    for of in &mut by {
        let wanted = of.len().min(MOST.div_ceil(there));
        *of = (0..wanted).map(|k| of[k * of.len() / wanted]).collect();
    }
    let longest = by.iter().map(Vec::len).max().unwrap_or(0);
    let mut all: Vec<&Item> = (0..longest).flat_map(|k| by.iter().filter_map(move |of| of.get(k).copied())).collect();
    all.truncate(MOST);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_get_the_labels_that_fit_best() {
        // Output 0 mostly fires for label 2, 1 for 0, 2 for 1.
        let references = [2, 2, 2, 0, 0, 1, 1, 0];
        let predicted: Vec<Option<usize>> = [0, 0, 1, 1, 1, 2, 2, 0].map(Some).to_vec();
        assert_eq!(assign(3, predicted.iter().zip(&references)), [2, 0, 1]);
        assert_eq!(assign(2, [].into_iter()).len(), 2);
    }
}
