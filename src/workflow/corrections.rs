//! Corrected reference labels, kept by image digest in the user's data folder: a moved or renamed file keeps its correction,
//! the dataset's own files stay as they are. Nothing is drawn or computed here.

use super::UserError;
use crate::domain::Digest;
use crate::files::{create_folder, data_file, read_bounded, write_atomic};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The file's name in the data folder.
const NAME: &str = "corrections.json";
/// The largest file that is read.
const MOST: u64 = 256 << 20;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    schema: u32,
    /// By image digest, hexadecimal.
    corrections: BTreeMap<String, Correction>,
}

/// One corrected label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    /// What a person says it is.
    pub label: String,
    /// What the dataset says.
    pub was: String,
    /// When, UTC.
    pub time: String,
}

/// The corrections of this user.
#[derive(Debug)]
pub struct Corrections {
    path: PathBuf,
    kept: Kept,
}

impl Corrections {
    /// Opens the user's corrections, or those in `folder`. A file that cannot be understood is set aside and said.
    ///
    /// # Errors
    /// When there is no data folder, or its file cannot be read: then nothing may be written over it.
    pub fn open(folder: Option<PathBuf>) -> Result<(Self, Option<String>), UserError> {
        let path = folder
            .map(|f| f.join(NAME))
            .or_else(|| data_file(NAME))
            .ok_or_else(|| UserError::new("this system has no folder for a user's data; corrections are not kept"))?;
        if !crate::files::is_file(&path) {
            return Ok((Self { path, kept: Kept { schema: 1, ..Kept::default() } }, None));
        }
        let shown = crate::files::display_path(&path);
        let bytes = read_bounded(&path, MOST)
            .map_err(|e| UserError::new(format!("{shown} cannot be read ({e}); corrections are not kept")))?
            .bytes;
        match serde_json::from_slice::<Kept>(&bytes) {
            Ok(kept) if kept.schema == 1 => Ok((Self { path, kept }, None)),
            Ok(kept) => Err(UserError::new(format!(
                "{shown} is of a newer version ({}); corrections are not kept by this one",
                kept.schema
            ))),
            Err(e) => {
                let aside = path.with_extension("json.damaged");
                write_atomic(&aside, &bytes)
                    .map_err(|e| UserError::new(format!("{shown} is damaged and cannot be set aside: {e}")))?;
                let said = format!(
                    "{shown} is damaged ({e}); it was set aside as {} and a new one begun",
                    crate::files::display_path(&aside)
                );
                Ok((Self { path, kept: Kept { schema: 1, ..Kept::default() } }, Some(said)))
            }
        }
    }

    /// The correction of an image.
    #[must_use]
    pub fn get(&self, digest: &Digest) -> Option<&Correction> {
        self.kept.corrections.get(&digest.to_string())
    }

    /// Keeps corrections (or, without a label, takes them back), and returns when they are on the disk.
    ///
    /// # Errors
    /// When they cannot be written; they are then not kept.
    pub fn put(&mut self, changes: &[(Digest, String, Option<String>)]) -> Result<(), UserError> {
        let time = super::now();
        for (digest, was, label) in changes {
            let key = digest.to_string();
            match label {
                Some(label) => {
                    let (label, was, time) = (label.clone(), was.clone(), time.clone());
                    self.kept.corrections.insert(key, Correction { label, was, time });
                }
                None => {
                    self.kept.corrections.remove(&key);
                }
            }
        }
        let no = |e: &dyn std::fmt::Display| {
            UserError::new(format!(
                "the correction cannot be kept: {} cannot be written: {e}",
                crate::files::display_path(&self.path)
            ))
        };
        if let Some(folder) = self.path.parent() {
            create_folder(folder).map_err(|e| no(&e))?;
        }
        let bytes = serde_json::to_vec_pretty(&self.kept).map_err(|e| no(&e))?;
        write_atomic(&self.path, &bytes).map_err(|e| no(&e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corrections_come_back_and_can_be_taken_back() {
        let dir = tempfile::tempdir().expect("temp");
        let at = || Corrections::open(Some(dir.path().to_owned())).expect("opens");
        let digest = Digest([3; 32]);
        at().0.put(&[(digest, "monocyte".into(), Some("lymphocyte".into()))]).expect("kept");
        let (mut c, said) = at();
        assert_eq!((c.get(&digest).map(|c| c.label.as_str()), said), (Some("lymphocyte"), None));
        c.put(&[(digest, "monocyte".into(), None)]).expect("kept");
        assert_eq!(at().0.get(&digest), None);
    }

    #[test]
    fn a_damaged_file_is_set_aside_and_a_newer_one_left_alone() {
        let dir = tempfile::tempdir().expect("temp");
        let path = dir.path().join(NAME);
        std::fs::write(&path, b"{\"schema\": 1, \"corr").expect("write");
        let (mut c, said) = Corrections::open(Some(dir.path().to_owned())).expect("opens");
        assert!(said.expect("said").contains("set aside"));
        c.put(&[(Digest([1; 32]), "a".into(), Some("b".into()))]).expect("kept");
        assert!(dir.path().join("corrections.json.damaged").is_file());
        std::fs::write(&path, b"{\"schema\": 2, \"corrections\": {}}").expect("write");
        assert!(Corrections::open(Some(dir.path().to_owned())).expect_err("newer").to_string().contains("newer"));
    }
}
