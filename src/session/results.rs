//! What the model said of the images of a session, kept so that a folder that was open before is on the screen at once.
//!
//! It can all be computed again: results of another model, or of a file that changed, are thrown away.

use super::places::{resolved, see};
use super::store::{Store, StoreError};
use crate::domain::{CellResult, Digest, Failure, ImageResult, Outcome, Probabilities, RejectedPlace, Square};
use crate::files::{FileFacts, absolute};
use rusqlite::{OptionalExtension, params};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

/// The name, among what is known of a session, of what its results were made with.
const MADE_WITH: &str = "results of";

/// A result, and what its file was like when it was read.
#[derive(Debug, Clone)]
pub struct KeptResult {
    pub result: Arc<ImageResult>,
    /// Length and time of the file.
    pub facts: FileFacts,
}

impl Store {
    /// Results that were made with `made_with` (model, cells, version), by path; nothing where they were made with
    /// anything else. Files whose path cannot be written down are not among them.
    ///
    /// # Errors
    /// When the file cannot be read any more.
    pub fn results(&self, made_with: &str) -> Result<Vec<KeptResult>, StoreError> {
        let folders = self.folders()?;
        let read = || -> rusqlite::Result<Vec<KeptResult>> {
            let kept: Option<String> = self
                .connection
                .query_row("SELECT value FROM about WHERE name = ?1", [MADE_WITH], |r| r.get(0))
                .optional()?;
            if kept.as_deref() != Some(made_with) {
                return Ok(Vec::new());
            }
            // A session of an earlier version that is only read does not know the file system's own word.
            let changed = if self.connection.prepare("SELECT changed FROM result").is_ok() { "changed" } else { "0" };
            let mut all = self.connection.prepare(&format!(
                "SELECT path, bytes, modified, image, width, height, cells, error, warnings, provider, {changed} FROM result",
            ))?;
            // One text for each provider, not one for each image.
            let mut providers: HashMap<String, Arc<str>> = HashMap::new();
            let rows = all.query_map([], |r| {
                let (outcome, rejected) = match (r.get::<_, Option<String>>(7)?, r.get::<_, Option<Vec<u8>>>(6)?) {
                    (Some(error), _) => (Some(Outcome::Failed(Failure::Image(error))), Vec::new()),
                    (None, cells) => match read_cells(&cells.unwrap_or_default()) {
                        Some((cells, rejected)) => (Some(Outcome::Cells(cells)), rejected),
                        None => (None, Vec::new()),
                    },
                };
                let provider = r
                    .get::<_, Option<String>>(9)?
                    .map(|p| providers.entry(p).or_insert_with_key(|p| Arc::from(p.as_str())).clone());
                let warnings: String = r.get(8)?;
                let result = ImageResult {
                    index: 0,
                    path: resolved(PathBuf::from(r.get::<_, String>(0)?), &folders),
                    digest: r.get::<_, Option<[u8; 32]>>(3)?.map(Digest),
                    size: r.get::<_, Option<u32>>(4)?.zip(r.get(5)?),
                    outcome: outcome.clone().unwrap_or(Outcome::Cells(Vec::new())),
                    warnings: warnings.lines().map(str::to_owned).collect(),
                    provider,
                    rejected,
                };
                let facts =
                    FileFacts { bytes: r.get::<_, i64>(1)?.unsigned_abs(), modified: r.get(2)?, changed: r.get(10)? };
                // A row that is not understood is a file that was not looked at.
                Ok(outcome.is_some().then(|| KeptResult { result: Arc::new(result), facts }))
            })?;
            rows.filter_map(Result::transpose).collect()
        };
        read().map_err(|e| self.store_error(&e))
    }

    /// What the results were made with; nothing where there are none.
    ///
    /// # Errors
    /// When the file cannot be read any more.
    pub fn made_with(&self) -> Result<Option<String>, StoreError> {
        let read = "SELECT value FROM about WHERE name = ?1";
        self.connection.query_row(read, [MADE_WITH], |r| r.get(0)).optional().map_err(|e| self.store_error(&e))
    }

    /// Keeps results; those that were made with anything else go. A signed case keeps those that it was signed on.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_results(&mut self, made_with: &str, results: &[KeptResult]) -> Result<(), StoreError> {
        self.change(|c| {
            let kept: Option<String> =
                c.query_row("SELECT value FROM about WHERE name = ?1", [MADE_WITH], |r| r.get(0)).optional()?;
            if kept.as_deref() != Some(made_with) {
                c.execute("DELETE FROM result", [])?;
                c.execute("INSERT OR REPLACE INTO about (name, value) VALUES (?1, ?2)", [MADE_WITH, made_with])?;
            }
            let mut put = c.prepare_cached(
                "INSERT OR REPLACE INTO result VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?;
            let paths: Vec<PathBuf> = results.iter().map(|k| absolute(&k.result.path)).collect();
            let mut seen = Vec::new();
            for (KeptResult { result: r, facts }, path) in results.iter().zip(&paths) {
                let Some(path) = path.to_str() else { continue };
                let (cells, error) = match &r.outcome {
                    Outcome::Cells(cells) => (Some(write_cells(cells, &r.rejected)), None),
                    Outcome::Failed(failure) => (None, Some(failure.reason())),
                };
                put.execute(params![
                    path,
                    facts.bytes.cast_signed(),
                    facts.modified,
                    r.digest.map(|d| d.0),
                    r.size.map(|s| s.0),
                    r.size.map(|s| s.1),
                    cells,
                    error,
                    r.warnings.join("\n"),
                    r.provider.as_deref(),
                    facts.changed
                ])?;
                seen.extend(r.digest.map(|digest| (digest, path)));
            }
            see(c, seen)
        })
    }

    /// Forgets all results: everything is looked at again, and what is not is not known. A signed case keeps
    /// those that it was signed on.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn forget_results(&mut self) -> Result<(), StoreError> {
        self.change(|c| c.execute("DELETE FROM result", []).map(|_| ()))
    }

    /// Forgets the results of files that are gone; their labels stay.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn drop_results(&mut self, paths: &[PathBuf]) -> Result<(), StoreError> {
        self.change(|c| {
            let mut drop = c.prepare_cached("DELETE FROM result WHERE path = ?1")?;
            for path in paths {
                // As it is stored now, and as an older version stored it.
                for path in [absolute(path).to_str(), path.to_str()].into_iter().flatten() {
                    drop.execute([path])?;
                }
            }
            Ok(())
        })
    }
}

/// Little-endian, cell after cell: number, square, whether it is accepted, unlikeness (NaN for none), probabilities and
/// features with their counts. Features are unit vectors and kept as signed bytes. What is flagged follows a number that no cell has
/// ([`FLAGGED`]): how many cells, and number and names of each; what was judged follows a number that no cell has
/// ([`JUDGED`]): number, square and doubt of each cell that was kept, and of each place that was not.
fn write_cells(cells: &[CellResult], rejected: &[RejectedPlace]) -> Vec<u8> {
    let mut out = Vec::new();
    for c in cells {
        out.extend(c.number.to_le_bytes());
        for v in [c.square.x, c.square.y, c.square.side, c.ood_score.unwrap_or(f32::NAN)] {
            out.extend(v.to_le_bytes());
        }
        out.push(u8::from(c.accepted));
        let count = |n: usize| u32::try_from(n).unwrap_or(0).to_le_bytes();
        out.extend(count(c.probabilities.values().len()));
        c.probabilities.values().iter().for_each(|p| out.extend(p.to_le_bytes()));
        out.extend(count(c.features.len()));
        #[expect(clippy::cast_possible_truncation, reason = "a component of a unit vector is within ±1")]
        out.extend(c.features.iter().map(|f| ((f * 127.0).round() as i8).cast_unsigned()));
    }
    let flagged = || cells.iter().filter(|c| !c.flags.is_empty());
    if flagged().next().is_some() {
        out.extend(FLAGGED.to_le_bytes());
        out.extend(u32::try_from(flagged().count()).unwrap_or(0).to_le_bytes());
    }
    for c in flagged() {
        // Names have no line break in them (the model was vetted).
        let names = c.flags.join("\n");
        out.extend(c.number.to_le_bytes());
        out.extend(u32::try_from(names.len()).unwrap_or(0).to_le_bytes());
        out.extend(names.as_bytes());
    }
    let kept = cells.iter().filter_map(|c| Some((c.number, c.square, c.doubt?)));
    let judged: Vec<_> = kept.chain(rejected.iter().map(|r| (r.number, r.square, r.doubt))).collect();
    if !judged.is_empty() {
        out.extend(JUDGED.to_le_bytes());
    }
    for (number, square, doubt) in judged {
        out.extend(number.to_le_bytes());
        [square.x, square.y, square.side, doubt].iter().for_each(|v| out.extend(v.to_le_bytes()));
    }
    out
}

/// Stands where a cell's number would, before the cells that are flagged.
const FLAGGED: u32 = u32::MAX - 1;
/// Stands where a cell's number would, before what was judged.
const JUDGED: u32 = u32::MAX;

fn read_cells(mut bytes: &[u8]) -> Option<(Vec<CellResult>, Vec<RejectedPlace>)> {
    fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
        let (head, rest) = bytes.split_first_chunk::<N>()?;
        *bytes = rest;
        Some(*head)
    }
    fn four(bytes: &mut &[u8]) -> Option<[f32; 4]> {
        let mut four = [0.0; 4];
        for v in &mut four {
            *v = f32::from_le_bytes(take(bytes)?);
        }
        Some(four)
    }
    let mut out: Vec<CellResult> = Vec::new();
    let mut rejected = Vec::new();
    while !bytes.is_empty() {
        let number = u32::from_le_bytes(take(&mut bytes)?);
        if number == JUDGED {
            while !bytes.is_empty() {
                let number = u32::from_le_bytes(take(&mut bytes)?);
                let [x, y, side, doubt] = four(&mut bytes)?;
                match out.iter_mut().find(|c| c.number == number) {
                    Some(cell) => cell.doubt = Some(doubt),
                    None => rejected.push(RejectedPlace { number, square: Square { x, y, side }, doubt }),
                }
            }
            break;
        }
        if number == FLAGGED {
            for _ in 0..u32::from_le_bytes(take(&mut bytes)?) {
                let number = u32::from_le_bytes(take(&mut bytes)?);
                let long = u32::from_le_bytes(take(&mut bytes)?) as usize;
                let (names, rest) = bytes.split_at_checked(long)?;
                bytes = rest;
                let cell = out.iter_mut().find(|c| c.number == number)?;
                cell.flags = std::str::from_utf8(names).ok()?.lines().map(Arc::from).collect();
            }
            continue;
        }
        let four = four(&mut bytes)?;
        let accepted = take::<1>(&mut bytes)? == [1];
        let classes = u32::from_le_bytes(take(&mut bytes)?) as usize;
        let mut values = Vec::with_capacity(classes.min(bytes.len() / 4));
        for _ in 0..classes {
            values.push(f32::from_le_bytes(take(&mut bytes)?));
        }
        let features = u32::from_le_bytes(take(&mut bytes)?) as usize;
        let (own, rest) = bytes.split_at_checked(features)?;
        bytes = rest;
        out.push(CellResult {
            number,
            square: Square { x: four[0], y: four[1], side: four[2] },
            probabilities: Probabilities::new(values)?,
            accepted,
            ood_score: (!four[3].is_nan()).then_some(four[3]),
            features: own.iter().map(|f| f32::from(f.cast_signed()) / 127.0).collect(),
            doubt: None,
            flags: Vec::new(),
            views: None,
        });
    }
    Some((out, rejected))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(name: &str, outcome: Outcome) -> KeptResult {
        // Where no cell was kept, two places were rejected.
        let place = |number| RejectedPlace { number, square: Square { x: 1.5, y: -2.0, side: 60.0 }, doubt: 0.75 };
        let none = matches!(&outcome, Outcome::Cells(cells) if cells.is_empty());
        let result = ImageResult {
            index: 0,
            path: name.into(),
            digest: Some(Digest([7; 32])),
            size: Some((640, 480)),
            outcome,
            warnings: vec!["a note".into(), "another".into()],
            provider: Some("cpu".into()),
            rejected: if none { vec![place(1), place(4)] } else { Vec::new() },
        };
        KeptResult { result: Arc::new(result), facts: FileFacts { bytes: 9, modified: 12_345, changed: -7 } }
    }

    #[test]
    fn results_come_back_as_they_were_and_another_models_do_not() {
        let dir = tempfile::tempdir().expect("temp");
        let mut s = Store::open(&dir.path().join("a.session"), "test").expect("opens").store;
        let cell = |number, ood_score| CellResult {
            number,
            square: Square { x: -2.5, y: 3.0, side: 70.25 },
            probabilities: Probabilities::new(vec![0.25, 0.75]).expect("sums to one"),
            accepted: number == 1,
            ood_score,
            features: vec![1.0, -1.0, 0.0],
            doubt: (number == 1).then_some(0.25),
            flags: if number == 2 { vec!["platelet".into(), "erythroblast".into()] } else { Vec::new() },
            views: None,
        };
        let rows = [
            kept("/a/1.png", Outcome::Cells(vec![cell(1, None), cell(2, Some(1.5))])),
            kept("/a/2.png", Outcome::Cells(vec![])),
            kept("/a/3.png", Outcome::Failed(Failure::Image("cut off".into()))),
        ];
        s.keep_results("model 1", &rows).expect("kept");
        let mut back = s.results("model 1").expect("reads");
        back.sort_by(|a, b| a.result.path.cmp(&b.result.path));
        for (a, b) in rows.iter().zip(&back) {
            assert_eq!((&*a.result, a.facts), (&*b.result, b.facts));
        }
        assert!(s.results("model 2").expect("reads").is_empty());
        s.drop_results(&["/a/2.png".into()]).expect("dropped");
        assert_eq!(s.results("model 1").expect("reads").len(), 2);
        s.keep_results("model 2", &rows[..1]).expect("kept");
        assert!(s.results("model 1").expect("reads").is_empty() && s.results("model 2").expect("reads").len() == 1);
    }

    proptest::proptest! {
        #[test]
        fn bytes_that_are_no_cells_are_refused_not_believed(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = read_cells(&bytes);
        }
    }
}
