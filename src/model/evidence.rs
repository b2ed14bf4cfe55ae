//! What is known of a model's contract, and where it comes from.

use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContractPart {
    Output,
    Labels,
    /// Pixels a side.
    Size,
    /// What the values are.
    Normalization,
    /// What of an image the model sees.
    Crop,
}

impl fmt::Display for ContractPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Output => "output",
            Self::Labels => "labels",
            Self::Size => "size",
            Self::Normalization => "values",
            Self::Crop => "image",
        })
    }
}

/// Where a part of the contract comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The model file says it: where in it, in words.
    File(String),
    /// A file beside the model, by its name.
    Sidecar(String),
    /// What such models usually want, in words: the file does not state it.
    Usual(String),
    User,
    /// It was right for this many labelled images.
    Tried {
        /// Images that were named right.
        right: usize,
        /// Images that were tried.
        n: usize,
    },
}

impl Source {
    /// Whether it is only usual.
    pub fn is_assumed(&self) -> bool {
        matches!(self, Self::Usual(_))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(what) | Self::Sidecar(what) | Self::Usual(what) => f.write_str(what),
            Self::User => f.write_str("as you said"),
            Self::Tried { right, n } => write!(f, "right for {right} of {n} labelled images"),
        }
    }
}

/// What a part rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    pub part: ContractPart,
    /// What was taken, in words.
    pub what: String,
    /// Where it comes from.
    pub source: Source,
}

/// Begins the end of a line of evidence that is only assumed.
const ASSUMED: &str = " (assumed";

/// Evidence as a manifest keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct EvidenceLine {
    /// "PART: WHAT, SOURCE".
    pub text: String,
    /// Whether it is only usual, and not stated in the file.
    pub assumed: bool,
}

impl From<&Evidence> for EvidenceLine {
    fn from(e: &Evidence) -> Self {
        let assumed = e.source.is_assumed();
        let end = if assumed { format!("{ASSUMED}, not stated in the file)") } else { String::new() };
        Self { text: format!("{}: {}, {}{end}", e.part, e.what, e.source), assumed }
    }
}

impl From<String> for EvidenceLine {
    fn from(text: String) -> Self {
        Self { assumed: text.contains(ASSUMED), text }
    }
}

impl From<EvidenceLine> for String {
    fn from(line: EvidenceLine) -> Self {
        line.text
    }
}
