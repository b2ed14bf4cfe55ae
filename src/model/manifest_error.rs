//! What about a model's manifest is not understood, in words that follow "the model's manifest is not understood".

use crate::domain::ClassSetError;

/// The first thing in a model's manifest that is not understood, or that does not fit its graph.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ManifestError {
    /// No JSON of its form: the parser's words.
    #[error("{0}")]
    Json(String),
    /// Something that it must say, or a part whose numbers do not fit each other.
    #[error("{0}")]
    Part(&'static str),
    /// An `input` or `output` that the graph does not have, and its name.
    #[error("the graph has no {0} \"{1}\"")]
    Missing(&'static str, String),
    /// Its labels are no set of classes.
    #[error(transparent)]
    Labels(#[from] ClassSetError),
    /// Its labels, and the classes that it says they count as: not as many.
    #[error("{0} labels count as {1} classes")]
    CountsAs(usize, usize),
    /// What has a word that is not known, the word, and which are.
    #[error("{0} \"{1}\" ({2} known)")]
    Word(&'static str, String, &'static str),
    /// Height and width of the input, pixels.
    #[error("input size {0} × {1} (squares of 16 to 1024 pixels are known)")]
    Size(usize, usize),
    /// A temperature that divides by nothing.
    #[error("a temperature of {0}")]
    Temperature(f32),
    /// No probability.
    #[error("an abstain threshold of {0}")]
    AbstainThreshold(f32),
    /// No share of an image.
    #[error("a crop of {0} of the image")]
    Crop(f64),
    /// A kind and version of preprocessing.
    #[error("preprocessing \"{0}\" version {1}; a newer Leukoscope may know it")]
    Preprocessing(String, u32),
}
