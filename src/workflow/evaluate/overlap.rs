//! Which of the evaluated cells are not new: copies of one another, and what the model learnt from.

use super::request::EvaluateRequest;
use crate::dataset::{CellCache, CellState, Item, PerceptualHash, quantized_distance};
use crate::domain::Digest;
use crate::evaluation::{EvaluatedCell, TrainOverlap};
use crate::model::TrainingRecord;
use crate::task::{Cancel, Progress};
use crate::workflow::UserError;
use crate::workflow::train::similarity_view;
use rayon::prelude::*;
use std::collections::HashMap;

/// Hashes of near-duplicates are at most this far apart. Chosen on 3,100 turned and mirrored copies of blood smears and
/// on 400 cells of two laboratories whose nearest among 4,003 others was 0.096 away: see `kept_hashes_…` in the tests.
pub const KEPT_NEAR: f32 = 0.08;

/// Images under two labels that are named one by one.
const CONTRADICTIONS: usize = 5;

/// Puts the very same cell under several names into one group: copies tell no more than one of them. What was found is said.
pub(super) fn copies_together(
    cells: &[EvaluatedCell],
    references: &[usize],
    mut groups: Vec<usize>,
    labels: &[String],
) -> (Vec<usize>, Vec<String>) {
    let mut first: HashMap<Digest, usize> = HashMap::new();
    let (mut copies, mut notes, mut contradictions) = (0, Vec::new(), 0);
    for row in 0..cells.len() {
        let Some(&before) = first.get(&cells[row].digest) else {
            first.insert(cells[row].digest, row);
            continue;
        };
        copies += 1;
        let (from, to) = (groups[row], groups[before]);
        if from != to {
            groups.iter_mut().filter(|g| **g == from).for_each(|g| *g = to);
        }
        if references[row] != references[before] {
            contradictions += 1;
            if contradictions <= CONTRADICTIONS {
                notes.push(format!(
                    "the same image stands under two labels: {} is \"{}\", {} is \"{}\"",
                    cells[before].path, labels[references[before]], cells[row].path, labels[references[row]]
                ));
            }
        }
    }
    if copies > 0 {
        notes.push(format!(
            "{copies} of {} cells are copies of others, to the byte: each is in one group with them, so that intervals count it once",
            cells.len()
        ));
    }
    (groups, notes)
}

/// Marks cells whose image, or a near-duplicate of it, the model learnt from. `false` when cancelled.
pub(super) fn mark_overlap(
    record: &TrainingRecord,
    items: &[&Item],
    cells: &mut [EvaluatedCell],
    request: &EvaluateRequest,
    cancel: &Cancel,
    progress: &Progress,
) -> Result<bool, UserError> {
    let (known, hashes) = (record.digests(), record.similarity());
    // As in training, likeness is read from the cell's own square at one size, whatever the network sees.
    let cache = CellCache::open(similarity_view(), request.cache.as_deref())?;
    for (cells, items) in cells.chunks_mut(1024).zip(items.chunks(1024)) {
        let own: Vec<Item> = items.iter().map(|i| (*i).clone()).collect();
        let states = cache.cut(&own, cancel, progress)?;
        if cancel.is_cancelled() {
            return Ok(false);
        }
        cells.par_iter_mut().zip(&states).for_each(|(cell, state)| {
            // Records of earlier versions hold image and square where the dataset said one.
            let there = |digest| known.contains(&TrainingRecord::beginning(digest));
            if there(&cell.file_digest) || there(&cell.digest) {
                cell.overlap = TrainOverlap::Exact;
            } else if let Some(hash) = kept_hash(&cache, state)
                && hashes.iter().any(|h| quantized_distance(h, &hash) <= KEPT_NEAR)
            {
                cell.overlap = TrainOverlap::NearDuplicate;
            }
        });
    }
    Ok(true)
}

fn kept_hash(cache: &CellCache, state: &CellState) -> Option<[u8; crate::model::HASH_BYTES]> {
    Some(PerceptualHash::new(&cache.image(state.cell()?).ok()?).quantized())
}
