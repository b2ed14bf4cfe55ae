//! What stands in the way of a signature. A signature all the same needs a reason, which the report prints. Pure.

use super::text::{listed, number_of};

/// Something that is not complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    NothingCounted,
    /// Fewer cells than were to be counted: this many of so many.
    TargetNotReached(usize, usize),
    /// This many cells, of so many, that nobody has looked at.
    Unreviewed(usize, usize),
    /// This many cells that nobody could name.
    Unidentified(usize),
    /// This many images, of so many, that were not looked at.
    NotLookedAt(usize, usize),
    /// The run ended before it was known which images there are.
    RunNotEnded,
    /// This many images that could not be read or classified.
    Failed(usize),
    /// This many images that changed since they were looked at.
    Changed(usize),
    /// This many images that are gone since they were looked at.
    Gone(usize),
    /// This many groups of images that look like the same field, and nobody has decided.
    LookAlike(usize),
    /// Labels that no catalogue knows and that count as white cells.
    NotInCatalogue(Vec<String>),
    /// The laboratory's ranges cannot be read: nothing is flagged.
    RangesUnreadable,
}

impl std::fmt::Display for Obstacle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let images = |n| number_of(n, "image", "images");
        match self {
            Self::NothingCounted => f.write_str("nothing is counted"),
            Self::TargetNotReached(n, target) => write!(f, "{n} counted, target {target} not reached"),
            Self::Unreviewed(n, all) => {
                write!(f, "{n} of {} {} not reviewed", number_of(*all, "cell", "cells"), are(*n))
            }
            Self::Unidentified(n) => write!(f, "{} {} unidentified", number_of(*n, "cell", "cells"), are(*n)),
            Self::NotLookedAt(n, all) => write!(f, "{n} of {} {} not looked at", images(*all), was(*n)),
            Self::RunNotEnded => f.write_str("the run ended before all images were listed"),
            Self::Failed(n) => write!(f, "{} failed", images(*n)),
            Self::Changed(n) => {
                write!(f, "{} changed since {} looked at", images(*n), if *n == 1 { "it was" } else { "they were" })
            }
            Self::Gone(n) => write!(f, "{} {} gone since the last look", images(*n), are(*n)),
            Self::LookAlike(n) => {
                write!(f, "{} of images that look like the same field", number_of(*n, "group", "groups"))
            }
            Self::NotInCatalogue(names) => {
                write!(f, "counted as white cells, not in the catalogue: {}", listed(names, 10))
            }
            Self::RangesUnreadable => f.write_str("the laboratory's reference ranges cannot be read"),
        }
    }
}

fn are(n: usize) -> &'static str {
    if n == 1 { "is" } else { "are" }
}

fn was(n: usize) -> &'static str {
    if n == 1 { "was" } else { "were" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_and_many_are_said_as_one_says_them() {
        let words = |o: Obstacle| o.to_string();
        assert_eq!(words(Obstacle::Unreviewed(1, 5)), "1 of 5 cells is not reviewed");
        assert_eq!(words(Obstacle::Unreviewed(30, 30)), "30 of 30 cells are not reviewed");
        assert_eq!(words(Obstacle::Unidentified(1)), "1 cell is unidentified");
        assert_eq!(words(Obstacle::NotLookedAt(9_257, 12_009)), "9257 of 12009 images were not looked at");
    }
}
