//! A watched folder: images are classified as a camera writes them.
//!
//! Folders are looked at again and again instead of asking the system to tell: shares of other machines, where cameras
//! write to, tell nothing. A file is taken once two looks found it the same, so a half-written one waits. A folder that
//! cannot be reached is waited for.

use super::run::{ClassifyEvent, ClassifyMonitor, ClassifyRequest, ClassifySummary, round};
use crate::domain::{Digest, Outcome};
use crate::files::{self, Entry, FileFacts, walk};
use crate::inference::PipelineEvent;
use crate::model::VettedModel;
use crate::workflow::UserError;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// Between two looks at least; a folder that takes long to list is looked at less often.
const PAUSE: Duration = Duration::from_millis(500);
/// A look may take this share of the time.
const SHARE: u32 = 5;
/// A file that cannot be read is tried again until it was left alone for so long: its writer may only pause.
const GRACE: Duration = Duration::from_secs(10);

/// What two looks in a row say of a folder.
#[derive(Debug, Default)]
struct Looks {
    /// What was classified, and what the file was like.
    done: HashMap<PathBuf, FileFacts>,
    /// What the last look found that was not classified yet.
    last: HashMap<PathBuf, FileFacts>,
}

impl Looks {
    /// Takes a look: what is there now. Returns the files that have come to rest, in the order of the list, and how many
    /// are still being written.
    fn look(&mut self, now: Vec<(Entry, FileFacts)>) -> (Vec<Entry>, usize) {
        let mut ready = Vec::new();
        let mut moving = HashMap::new();
        for (entry, facts) in now {
            if self.done.get(&entry.path) == Some(&facts) {
                continue;
            }
            if facts.bytes > 0 && self.last.get(&entry.path) == Some(&facts) {
                self.done.insert(entry.path.clone(), facts);
                ready.push(entry);
            } else {
                moving.insert(entry.path, facts);
            }
        }
        let waiting = moving.len();
        self.last = moving;
        (ready, waiting)
    }
}

/// Whether somebody wrote to a file a moment ago, as far as clocks agree.
fn written_lately(path: &Path) -> bool {
    let Some(facts) = files::facts(path).filter(|f| f.modified > 0) else { return false };
    let Ok(now) = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) else { return false };
    let since = i128::try_from(now.as_nanos()).unwrap_or(i128::MAX) - i128::from(facts.modified);
    (0..i128::try_from(GRACE.as_nanos()).unwrap_or(0)).contains(&since)
}

/// Classifies what is in the folders and what comes, until it is stopped. `repeats`: whether a file that was written again with the same
/// bytes is told again; in a table it would count twice.
///
/// # Errors
/// When nothing can be classified at all (no runtime, no model), or the one who listens cannot take more.
pub fn watch(
    request: &ClassifyRequest,
    model: &VettedModel,
    repeats: bool,
    monitor: &mut ClassifyMonitor<'_>,
) -> Result<ClassifySummary, UserError> {
    let mut looks = Looks { done: (*request.known).clone(), last: HashMap::new() };
    // What was told of each file: one that ends up as the same bytes is not told twice.
    let mut told: HashMap<PathBuf, Digest> = HashMap::new();
    let mut summary: Option<ClassifySummary> = None;
    let mut reachable = true;
    loop {
        let begun = Instant::now();
        let listing = walk(&request.paths, &|| monitor.is_cancelled());
        let away = listing.entries.iter().any(|e| e.named && e.error.is_some() && request.paths.contains(&e.path));
        if away == reachable {
            reachable = !away;
            monitor.event(ClassifyEvent::Reachable(reachable))?;
        }
        let now: Vec<(Entry, FileFacts)> = listing
            .entries
            .into_iter()
            .filter(|e| e.error.is_none())
            .filter_map(|e| files::facts(&e.path).map(|f| (e, f)))
            .collect();
        let total = now.len();
        let (ready, waiting) = looks.look(now);
        // The engine is loaded once even where nothing is there yet: what cannot run is said at once.
        if summary.is_none() || !ready.is_empty() {
            monitor.event(ClassifyEvent::Listed(ready.len(), total))?;
            let before = summary.as_ref().map(|s| s.engine.clone());
            let mut again = Vec::new();
            let mut keep = |event| match event {
                PipelineEvent::Row(row) if matches!(row.outcome, Outcome::Failed(_)) && written_lately(&row.path) => {
                    again.push(row.path);
                    None
                }
                PipelineEvent::Row(row)
                    if !repeats && row.digest.is_some_and(|d| told.insert(row.path.clone(), d) == Some(d)) =>
                {
                    None
                }
                // Every round loads the model anew; it is told once, and again only where something else runs.
                PipelineEvent::Started(report) => match &before {
                    None => Some(PipelineEvent::Started(report)),
                    Some(before) => (*before != report).then_some(PipelineEvent::Switched(report)),
                },
                event => Some(event),
            };
            let found = round(&ready, request, model, monitor, &mut keep)?;
            looks.done.retain(|path, _| !again.contains(path));
            summary = Some(match summary {
                Some(before) => before.and(found),
                None => found,
            });
        }
        monitor.event(ClassifyEvent::FolderScanned(waiting))?;
        let pause = PAUSE.max(begun.elapsed() * SHARE);
        let until = Instant::now() + pause;
        while Instant::now() < until && !monitor.is_cancelled() {
            std::thread::sleep(Duration::from_millis(40));
        }
        if monitor.is_cancelled() {
            let summary = summary.ok_or_else(|| UserError::new("stopped before anything was looked at"))?;
            return Ok(ClassifySummary { cancelled: true, ..summary });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_still_being_written_waits_and_what_changes_comes_again() {
        let mut looks = Looks::default();
        let mut look = |files: &[(&str, u64, i64)]| {
            let now = files
                .iter()
                .map(|&(name, bytes, modified)| {
                    (
                        Entry { path: name.into(), named: false, error: None, square: None },
                        FileFacts { bytes, modified, changed: 0 },
                    )
                })
                .collect();
            let (ready, waiting) = looks.look(now);
            (ready.into_iter().map(|e| e.path.display().to_string()).collect::<Vec<_>>(), waiting)
        };
        assert_eq!(look(&[("a", 10, 1), ("b", 0, 1)]), (vec![], 2), "seen once");
        assert_eq!(look(&[("a", 20, 2), ("b", 0, 1)]), (vec![], 2), "grown, and empty");
        assert_eq!(look(&[("a", 20, 2), ("b", 5, 3)]), (vec!["a".into()], 1));
        assert_eq!(look(&[]), (vec![], 0), "the folder went away");
        assert_eq!(look(&[("a", 20, 2), ("b", 5, 3)]), (vec![], 1), "and came back: a is known");
        assert_eq!(look(&[("a", 20, 2), ("b", 5, 3)]), (vec!["b".into()], 0));
        assert_eq!(look(&[("a", 21, 9)]), (vec![], 1), "written again");
        assert_eq!(look(&[("a", 21, 9)]), (vec!["a".into()], 0));
    }
}
