//! How far the last look at the images of a case came: what a session keeps so that a script knows what the window knows. Pure.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunEnd {
    /// It goes on, or the program was ended meanwhile.
    #[default]
    Running,
    /// Every file was looked at.
    Complete,
    Stopped,
    /// It could not go on.
    Failed,
}

/// A run over what was opened. Files whose results were known before are not in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunRecord {
    /// Whether it is known which files there are.
    pub listed: bool,
    /// Files that were to be looked at.
    pub to_do: usize,
    /// Of these, files that were looked at.
    pub done: usize,
    pub end: RunEnd,
}

impl RunRecord {
    /// Files that were not looked at.
    pub fn left(self) -> usize {
        self.to_do.saturating_sub(self.done)
    }

    /// Whether everything was looked at. A run that was stopped before its files were listed does not know what there is.
    pub fn whole(self) -> bool {
        self.listed && self.left() == 0
    }

    /// As a session keeps it.
    pub fn to_text(self) -> String {
        serde_json::to_string(&self).unwrap_or_default()
    }

    /// From what a session keeps; what cannot be read is a run that did not end.
    pub fn from_text(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_whole_only_when_every_file_was_looked_at() {
        let run = |listed, to_do, done, end| RunRecord { listed, to_do, done, end };
        assert!(run(true, 3, 3, RunEnd::Complete).whole() && run(true, 0, 0, RunEnd::Complete).whole());
        assert!(run(true, 3, 3, RunEnd::Stopped).whole(), "stopped after the last one");
        assert!(run(true, 0, 0, RunEnd::Failed).whole(), "nothing was left to do");
        assert!(!run(false, 0, 0, RunEnd::Stopped).whole(), "stopped before the files were listed");
        assert!(!run(true, 3, 2, RunEnd::Complete).whole() && !run(true, 3, 0, RunEnd::Running).whole());
        let cancelled = run(true, 12_009, 2_752, RunEnd::Stopped);
        assert_eq!(RunRecord::from_text(&cancelled.to_text()), cancelled);
        assert_eq!((cancelled.left(), RunRecord::from_text("nonsense").end), (9_257, RunEnd::Running));
    }
}
