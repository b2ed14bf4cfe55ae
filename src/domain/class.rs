//! The classes a model names, in the model's own order, and the order in which a laboratory reads them.
//!
//! Labels are what is stored and compared; a position means something only beside its `ClassSet`.

/// Clinical order of a differential: the five mature classes first, in the order of laboratory reports.
const CLINICAL_ORDER: [&str; 5] = ["neutrophil", "lymphocyte", "monocyte", "eosinophil", "basophil"];

/// Place of a class in a laboratory report; classes without a fixed place come after those that have one.
///
/// Spelling is forgiving about case and a plural "s" ("Neutrophils" is "neutrophil").
#[must_use]
pub fn clinical_rank(label: &str) -> usize {
    let lower = label.trim().to_lowercase();
    let singular = lower.strip_suffix('s').unwrap_or(&lower);
    CLINICAL_ORDER.iter().position(|c| *c == singular).unwrap_or(CLINICAL_ORDER.len())
}

/// The word of the contract for a cell that nobody can name.
pub const UNIDENTIFIED: &str = "unidentified";
/// What a person calls a square that holds no white cell: debris, a clump of platelets, an overlap.
pub const NO_WHITE_CELL: &str = "not a white cell";

/// Labels that a person can give beside the classes of a model: what a five-class model cannot name, in the order in which
/// they are offered.
pub const OTHER_LABELS: [&str; 3] = ["NRBC", "smudge cell", NO_WHITE_CELL];

/// What a label counts as in a differential (`CLSI` H20-Ed3 keeps the second group outside the 100 %).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// One of the white cells that make up the 100 %.
    White,
    /// Nucleated red cells: outside, given per 100 white cells, and they correct the white cell count.
    RedNucleated,
    /// Smudge cells: outside, given per 100 white cells.
    Smudge,
    /// Nothing to count.
    Excluded,
    /// A cell that nobody can name.
    Unidentified,
}

/// What a label counts as; anything that is not known to be something else is a white cell.
#[must_use]
pub fn role(label: &str) -> Role {
    let lower = label.trim().to_lowercase();
    match lower.strip_suffix('s').unwrap_or(&lower) {
        UNIDENTIFIED => Role::Unidentified,
        "nrbc" | "nucleated red cell" | "nucleated red blood cell" | "erythroblast" | "normoblast" => {
            Role::RedNucleated
        }
        "smudge cell" | "smudge" | "basket cell" | "gumprecht shadow" => Role::Smudge,
        NO_WHITE_CELL | "artefact" | "artifact" | "debri" | "platelet" | "platelet clump" | "red blood cell"
        | "red cell" | "stain" | "background" => Role::Excluded,
        _ => Role::White,
    }
}

/// The laboratory's name of what a model, a dataset or a sidecar calls a class: one of the five of a differential where the
/// name is one of theirs in other words, or one of [`OTHER_LABELS`]; `None` where it is none of them and stands for itself.
///
/// Case, plurals, numbers in front ("0 Basophil") and separators do not matter. Abbreviations are those of public datasets:
/// PBC (Acevedo et al., 2020: `BA`, `EO`, `LY`, `MO`, `SNE`, `BNE`, `ERB`), LISC and Raabin (`Baso`, `Eosi`, `Lympho`, `Mono`,
/// `Neut`).
#[must_use]
pub fn laboratory_class(name: &str) -> Option<&'static str> {
    let lower = name.trim().to_lowercase();
    let words: Vec<&str> =
        lower.split(|c: char| !c.is_alphabetic()).filter(|w| !w.is_empty() && *w != "cell" && *w != "cells").collect();
    let joined = words.join(" ");
    let singular = joined.strip_suffix('s').unwrap_or(&joined);
    Some(match singular {
        "neutrophil"
        | "neut"
        | "neutro"
        | "ne"
        | "neu"
        | "sne"
        | "bne"
        | "seg"
        | "segmented"
        | "band"
        | "segmented neutrophil"
        | "band neutrophil"
        | "neutrophil segmented"
        | "neutrophil band"
        | "segmented neutro" => "neutrophil",
        "lymphocyte" | "lymph" | "lympho" | "ly" | "lym" | "lyt" => "lymphocyte",
        "monocyte" | "mono" | "mo" | "mon" => "monocyte",
        "eosinophil" | "eosino" | "eosi" | "eos" | "eo" => "eosinophil",
        "basophil" | "baso" | "ba" | "bas" => "basophil",
        "nrbc" | "erb" | "erythroblast" | "normoblast" | "nucleated red" | "nucleated red blood" => OTHER_LABELS[0],
        "smudge" | "basket" => OTHER_LABELS[1],
        "artefact" | "artifact" | "platelet" | "debri" | "not a white" | "no white" => NO_WHITE_CELL,
        _ => return None,
    })
}

/// The names that a laboratory counts by: the five of a differential, then [`OTHER_LABELS`].
#[must_use]
pub fn laboratory_labels() -> Vec<String> {
    CLINICAL_ORDER.iter().chain(&OTHER_LABELS).map(ToString::to_string).collect()
}

/// Why a list of labels is not a set of classes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClassSetError {
    /// Fewer than two labels.
    #[error("a classifier needs at least two classes, this one names {0}")]
    TooFew(usize),
    /// A label is blank.
    #[error("class {0} has an empty name")]
    Blank(usize),
    /// Two labels are the same apart from case and outer space.
    #[error("the class name \"{0}\" occurs twice")]
    Repeated(String),
}

/// The labels of a model in the order of its outputs. At least two, none blank, none twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassSet(Vec<String>);

impl ClassSet {
    /// Checks and takes the labels.
    ///
    /// # Errors
    /// [`ClassSetError`] names what is wrong with the list.
    pub fn new(labels: Vec<String>) -> Result<Self, ClassSetError> {
        if labels.len() < 2 {
            return Err(ClassSetError::TooFew(labels.len()));
        }
        let mut seen = std::collections::BTreeSet::new();
        for (i, label) in labels.iter().enumerate() {
            let key = label.trim().to_lowercase();
            if key.is_empty() {
                return Err(ClassSetError::Blank(i));
            }
            if !seen.insert(key) {
                return Err(ClassSetError::Repeated(label.clone()));
            }
        }
        Ok(Self(labels))
    }

    /// The labels in the model's order.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.0
    }

    /// How many classes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Never true; here because a `len` without it surprises.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The label at an output's position.
    #[must_use]
    pub fn label(&self, index: usize) -> Option<&str> {
        self.0.get(index).map(String::as_str)
    }

    /// Positions in clinical order; classes without a clinical place keep the model's order at the end.
    #[must_use]
    pub fn clinical_order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.0.len()).collect();
        order.sort_by_key(|&i| clinical_rank(&self.0[i]));
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(labels: &[&str]) -> Result<ClassSet, ClassSetError> {
        ClassSet::new(labels.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_clinical_order_is_not_the_models_order() {
        let classes = set(&["basophil", "eosinophil", "lymphocyte", "blast", "neutrophil"]).expect("valid");
        assert_eq!(classes.clinical_order(), [4, 2, 1, 0, 3]);
        assert_eq!(clinical_rank(" Neutrophils"), 0);
        assert_eq!(
            ["Erythroblast", "debris", "blast", "Smudge cells"].map(role),
            [Role::RedNucleated, Role::Excluded, Role::White, Role::Smudge]
        );
    }

    #[test]
    fn other_peoples_names_are_understood_and_strange_ones_stand_for_themselves() {
        let known = ["0 Basophil", "EOS", "LY", "Band_Neutrophils", "erythroblast", "platelet", "Monocytes "];
        let named = known.map(|n| laboratory_class(n).unwrap_or("?"));
        let wanted = ["basophil", "eosinophil", "lymphocyte", "neutrophil", "NRBC", NO_WHITE_CELL, "monocyte"];
        assert_eq!(named, wanted);
        assert_eq!(["blast", "IG", "Class 1", "7", ""].map(laboratory_class), [None; 5]);
    }

    #[test]
    fn bad_lists_are_named() {
        assert_eq!(set(&["a"]), Err(ClassSetError::TooFew(1)));
        assert_eq!(set(&["a", " "]), Err(ClassSetError::Blank(1)));
        assert_eq!(set(&["a", "A "]), Err(ClassSetError::Repeated("A ".into())));
    }
}
