//! What was entered about a case, and where it came from in the session's entries. Pure.

use super::ranges::Sex;
use serde::{Deserialize, Serialize};

/// Cells to count that laboratories use.
pub const TARGETS: [usize; 3] = [100, 200, 400];

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
