//! Whether what the user wants to open is there, before what is open is closed for it.

use super::UserError;
use super::sessions::session_path;
use crate::files::{display_path, is_file, is_there};
use std::path::{Path, PathBuf};

/// The paths that can be opened, absolute, and what is to be said of the others. A place that is away now can be opened where a
/// session knows it: its labels are worth seeing while its share is gone. `own` is a folder of sessions that is not the user's.
///
/// # Errors
/// When none of them can be opened: what is missing, and what to do.
pub fn openable(paths: Vec<PathBuf>, own: Option<&Path>) -> Result<(Vec<PathBuf>, Option<String>), UserError> {
    let all: Vec<PathBuf> = paths.into_iter().map(|p| std::path::absolute(&p).unwrap_or(p)).collect();
    let (there, missing): (Vec<PathBuf>, Vec<PathBuf>) = all.iter().cloned().partition(|p| is_there(p));
    if missing.is_empty() {
        return Ok((all, None));
    }
    let session = own.map_or_else(|| session_path(&all).ok(), |folder| Some(folder.join("test.session")));
    if session.is_some_and(|s| is_file(&s)) {
        return Ok((all, None));
    }
    let names: Vec<String> = missing.iter().map(|p| display_path(p)).collect();
    let said = format!(
        "There is no file or folder {}. Check the spelling, or whether its drive or share is connected",
        names.join(", ")
    );
    if there.is_empty() { Err(UserError::new(said)) } else { Ok((there, Some(said))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_named_and_what_a_session_knows_is_opened() {
        let dir = tempfile::tempdir().expect("temp");
        let (there, missing) = (dir.path().join("a"), dir.path().join("no such"));
        std::fs::create_dir(&there).expect("folder");
        let none = dir.path().join("sessions");
        let why = openable(vec![missing.clone()], Some(&none)).expect_err("missing").to_string();
        assert!(why.contains("no such") && why.contains("spelling"), "{why}");
        let (paths, said) = openable(vec![there.clone(), missing.clone()], Some(&none)).expect("one is there");
        assert!(paths == [there] && said.is_some());
        std::fs::create_dir(&none).expect("folder");
        std::fs::write(none.join("test.session"), b"x").expect("write");
        assert_eq!(openable(vec![missing.clone()], Some(&none)).expect("known").0, [missing]);
    }
}
