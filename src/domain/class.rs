//! The classes a model names, in the model's own order. What they are is the catalogue's.
//!
//! Labels are what is stored and compared; a position means something only beside its `ClassSet`.

use super::catalogue::{CellClass, canonical_label, clinical_rank};

/// The laboratory's name of what a model, a dataset or a sidecar calls a class, where the catalogue knows it; `None` where it stands
/// for itself.
pub fn laboratory_class(name: &str) -> Option<&'static str> {
    CellClass::find(name).map(|c| c.label)
}

/// The names that a laboratory counts by, in the order of the catalogue.
pub fn laboratory_labels() -> Vec<String> {
    super::catalogue::CLASSES.iter().map(|c| c.label.to_owned()).collect()
}

/// Why a list of labels is not a set of classes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClassSetError {
    /// Fewer than two labels.
    #[error("a classifier needs at least two classes, this one names {0}")]
    TooFew(usize),
    #[error("class {0} has an empty name")]
    Blank(usize),
    /// Two labels are the same apart from case and outer space.
    #[error("the class name \"{0}\" occurs twice")]
    Repeated(String),
}

/// The labels of a model in the order of its outputs. At least two, none blank, none twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassSet {
    labels: Vec<String>,
    /// The same in the laboratory's spelling.
    names: Vec<String>,
}

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
        let names = labels.iter().map(|l| canonical_label(l)).collect();
        Ok(Self { labels, names })
    }

    /// The labels in the model's order and its own spelling, as tables have them.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The labels in the model's order and the laboratory's spelling: what is shown, counted and kept.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The laboratory's name of an output's position.
    pub fn name(&self, index: usize) -> Option<&str> {
        self.names.get(index).map(String::as_str)
    }

    /// How many classes.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Never true; here because a `len` without it surprises.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The label at an output's position.
    pub fn label(&self, index: usize) -> Option<&str> {
        self.labels.get(index).map(String::as_str)
    }

    /// Positions in clinical order; classes without a clinical place keep the model's order at the end.
    pub fn clinical_order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.labels.len()).collect();
        order.sort_by_key(|&i| clinical_rank(&self.labels[i]));
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
    fn the_clinical_order_is_not_the_models_order_and_names_are_the_laboratorys() {
        let classes = set(&["Basophils", "EOS", "lymphocyte", "hairy  cell", "neutrophil"]).expect("valid");
        assert_eq!(classes.clinical_order(), [4, 2, 1, 0, 3]);
        assert_eq!(classes.names(), ["basophil", "eosinophil", "lymphocyte", "hairy cell", "neutrophil"]);
        assert_eq!(classes.labels()[0], "Basophils");
    }

    #[test]
    fn bad_lists_are_named() {
        assert_eq!(set(&["a"]), Err(ClassSetError::TooFew(1)));
        assert_eq!(set(&["a", " "]), Err(ClassSetError::Blank(1)));
        assert_eq!(set(&["a", "A "]), Err(ClassSetError::Repeated("A ".into())));
    }
}
