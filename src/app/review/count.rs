//! The one way from what the page knows to the differential: the same call, with the same inputs, as the script's and the signature's.

use super::state::State;
use crate::domain::{Digest, SlideId};
use crate::laboratory::{CaseImage, CaseInput, DifferentialTable, SlideReport, Snapshot};
use crate::workflow::{OTHER_FIELDS, SAME_FIELDS, UserError, case_facts, case_report, field_groups, signed_snapshot};
use std::path::PathBuf;

impl State {
    /// Everything that the differential is made from, as it stands.
    pub fn case_input(&self) -> CaseInput<'_> {
        let record = &self.case.record;
        let files = self.case.files.as_ref();
        let on_disk = |path: &PathBuf| files.and_then(|f| f.changed.get(path)).copied().unwrap_or_default();
        // A model that has no result here suggested nothing.
        let suggested = !self.images.is_empty();
        CaseInput {
            images: self.images.values().map(|i| CaseImage { result: i, on_disk: on_disk(&i.path) }).collect(),
            // Suggestions are in the spelling of the catalogue, in the window as in what a session keeps.
            classes: if suggested { self.model.classes.names().to_vec() } else { Vec::new() },
            model: if suggested {
                (self.model.name.clone(), self.model.digest.to_string())
            } else {
                Default::default()
            },
            labels: self.labels.verdicts.iter().map(|(k, v)| (*k, v)).collect(),
            confirmations: Some(&self.case.confirmed),
            run: self.case.run,
            facts: case_facts(record),
            ranges: self.case.ranges.clone(),
            same_fields: field_groups(record, SAME_FIELDS),
            other_fields: field_groups(record, OTHER_FIELDS),
            alike: self.case.alike.clone(),
        }
    }

    /// What stands now, counted: what a signature would keep.
    pub fn snapshot(&self, made: &str) -> Snapshot {
        self.case_input().snapshot(made)
    }

    /// What is shown: as it was signed where it is signed, else as it stands; and whether it is the signed one.
    ///
    /// # Errors
    /// When what was signed cannot be read.
    pub fn differential(&self, made: &str) -> Result<(Snapshot, bool), UserError> {
        match signed_snapshot(&self.case.record)? {
            Some(signed) => Ok((signed, true)),
            None => Ok((self.snapshot(made), false)),
        }
    }

    /// The differential of one slide, or of all together, as it stands.
    pub fn table(&self, slide: Option<SlideId>) -> DifferentialTable {
        self.table_in(&self.snapshot(""), slide)
    }

    /// The same of a snapshot.
    pub fn table_in(&self, snapshot: &Snapshot, slide: Option<SlideId>) -> DifferentialTable {
        let own = slide.and_then(|id| self.slides.list().iter().find(|s| s.id == id));
        own.map_or_else(|| snapshot.table(), |s| snapshot.table_of(&s.path))
    }

    /// Images of a group by their digests, for a question about them.
    pub fn group_of(&self, paths: &[PathBuf]) -> Vec<Digest> {
        let of = |path: &PathBuf| self.images.get(self.images.id_of(path)?)?.digest;
        paths.iter().filter_map(of).collect()
    }

    /// The report: as it was signed where it is signed, else as it stands.
    ///
    /// # Errors
    /// When what was signed cannot be read.
    pub fn report(&self, made: &str) -> Result<SlideReport, UserError> {
        case_report(&self.case.record, || Ok(self.snapshot(made)))
    }
}
