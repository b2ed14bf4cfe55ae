//! How a recipe does in a laboratory that it never saw: each source of a dataset is left out in turn, a model is trained on the others and
//! answers it. What validation inside the training laboratories says is not it.

use super::outcome::{TrainMonitor, TrainProgress};
use super::plan::prepare_training;
use super::request::{TrainOptions, TrainRequest};
use super::run::{check_outputs, train};
use super::source_table::{SourceResult, SourceTable};
use crate::dataset::{SplitPart, scan};
use crate::domain::label_key;
use crate::files::file_safe;
use crate::task::Pause;
use crate::workflow::UserError;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Trains on all sources but one, for each in turn; `options` gives those of a run for a number of training images. The models lie beside
/// the one that is asked for, named after the source that each has not seen. `None` when cancelled.
///
/// # Errors
/// That the dataset does not name two sources at least; those of training.
pub fn leave_one_source_out(
    request: &TrainRequest,
    options: &dyn Fn(usize) -> Result<TrainOptions, UserError>,
    pause: &Pause,
    monitor: &mut TrainMonitor<'_>,
) -> Result<Option<SourceTable>, UserError> {
    let scanned = scan(&request.dataset, &|| monitor.cancel.is_cancelled())?;
    let mut sources: BTreeMap<String, String> = BTreeMap::new();
    for source in scanned.items.into_iter().filter(|i| i.part != Some(SplitPart::Test)).filter_map(|i| i.source) {
        sources.entry(label_key(&source)).or_insert(source);
    }
    if request.ratio.0[2] > 0.0 {
        return Err(UserError::new(
            "each laboratory that is left out is the test here: give --split two shares, training and validation",
        ));
    }
    if sources.len() < 2 {
        return Err(UserError::new(
            "to leave one laboratory out, the dataset must be a CSV with a column \"source\" that names two of them at least",
        ));
    }
    // Everything that will be written can be, before hours of work.
    let out = options(1)?.out;
    check_outputs(&out)?;
    let places = places(&out, sources.values());
    places.iter().try_for_each(|place| check_outputs(place))?;
    let mut table = SourceTable::default();
    for (source, place) in sources.into_values().zip(places) {
        let request = TrainRequest { held_out_source: Some(source.clone()), ..request.clone() };
        monitor.event(TrainProgress::Note(format!("training without {source}")));
        let Some(prepared) = prepare_training(&request, monitor.cancel, monitor.progress)? else { return Ok(None) };
        prepared.ready()?;
        let learnt = prepared.count(SplitPart::Train);
        let mut options = options(learnt)?;
        options.out = place;
        options.name = format!("{} without {source}", options.name);
        options.current = None;
        let outcome = train(&prepared, &options, pause, monitor)?;
        let Some(held_out) = outcome.held_out.filter(|_| !monitor.cancel.is_cancelled()) else { return Ok(None) };
        let known: Vec<bool> = prepared
            .plan()
            .classes
            .iter()
            .filter(|c| !c.left_out)
            .map(|c| c.parts[SplitPart::Train as usize] > 0)
            .collect();
        table.rows.push(SourceResult::new(&source, learnt, &prepared.labels, &known, &held_out.answers));
    }
    Ok(Some(table))
}

/// A model's file for each source: whatever a laboratory is called, each has a name of its own, on a disk that tells no small letters from
/// capitals, too.
fn places<'a>(out: &Path, sources: impl Iterator<Item = &'a String>) -> Vec<PathBuf> {
    let mut taken = BTreeSet::new();
    let place = |source: &String| {
        let plain = file_safe(source, &[], 40);
        let free = |n: usize| if n == 1 { plain.clone() } else { format!("{plain}-{n}") };
        let own = (1..).map(free).find(|name| taken.insert(name.to_lowercase())).unwrap_or_default();
        let mut name = out.file_stem().map(ToOwned::to_owned).unwrap_or_default();
        name.push(format!(".without-{own}.onnx"));
        out.with_file_name(name)
    };
    sources.map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_laboratory_has_a_file_of_its_own() {
        let sources = ["a/b", "a b", "A-B", "ü"].map(String::from);
        let names: Vec<String> = places(Path::new("x/m.onnx"), sources.iter())
            .iter()
            .map(|p| p.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned()))
            .collect();
        let expected = ["a-b", "a-b-2", "A-B-3", "ü"].map(|n| format!("m.without-{n}.onnx"));
        assert_eq!(names, expected);
    }
}
