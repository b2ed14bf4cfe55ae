//! What was entered about a case, and where it came from in the session's entries. Pure.

use serde::{Deserialize, Serialize};

/// Cells to count that laboratories use.
pub const TARGETS: [usize; 3] = [100, 200, 400];

/// What can be entered about a case, as a session names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CaseField {
    /// The laboratory's id of the sample.
    Sample,
    /// Total white cell count, 10⁹ in a litre.
    Wbc,
    /// Years.
    Age,
    /// For the choice of ranges.
    Sex,
    /// How the cells were counted.
    Method,
    /// Cells to count.
    Target,
}

impl CaseField {
    /// The word in a session's file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sample => "sample",
            Self::Wbc => "wbc",
            Self::Age => "age",
            Self::Sex => "sex",
            Self::Method => "method",
            Self::Target => "target",
        }
    }

    /// Whether it is a number of at least zero.
    pub fn is_number(self) -> bool {
        matches!(self, Self::Wbc | Self::Age)
    }
}

/// For whom a reference range holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sex {
    /// Everybody, or nobody said.
    #[default]
    Any,
    /// Women and girls.
    Female,
    /// Men and boys.
    Male,
}

impl Sex {
    /// All, in the order in which they are offered.
    pub const ALL: [Self; 3] = [Self::Any, Self::Female, Self::Male];

    /// The word in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Female => "female",
            Self::Male => "male",
        }
    }

    /// From the word in files; anything else is [`Self::Any`].
    pub fn from_word(word: &str) -> Self {
        Self::ALL.into_iter().find(|s| s.as_str() == word).unwrap_or_default()
    }
}

/// What was entered about a case. No name, no number of a patient: a sample id alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CaseFacts {
    /// The laboratory's id of the sample.
    pub sample: String,
    /// Total white cell count, 10⁹ in a litre.
    pub wbc: Option<f64>,
    /// Cells to count.
    pub target: usize,
    /// For the choice of ranges.
    pub sex: Sex,
    /// For the choice of ranges.
    pub age: Option<f64>,
    /// The cells were counted by eye alone, and this program wrote it down.
    pub manual: bool,
}

impl Default for CaseFacts {
    fn default() -> Self {
        Self { sample: String::new(), wbc: None, target: TARGETS[0], sex: Sex::Any, age: None, manual: false }
    }
}
