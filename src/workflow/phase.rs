//! What a long job does now. The face says it: [`Phase::text`] in English, the window in its language.

/// A step of evaluating, calibrating, making a fast copy or training.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    ReadingData,
    /// The images are classified.
    Classifying,
    /// Images that the model learnt from are looked for.
    FindingOverlap,
    /// Scores get their intervals.
    ComputingIntervals,
    Fitting,
    /// ONNX Runtime answers for the new model.
    Verifying,
    MeasuringRanges,
    /// The 8-bit copy is compared with its original.
    ComparingCopy,
    /// The frozen layers' activations are computed.
    FrozenLayers,
    TrainingOnProcessor {
        threads: usize,
    },
    /// Training on a graphics card of this name.
    TrainingOn(String),
    TestSet,
    /// The record of the training images is made.
    TrainingRecord,
}

impl Phase {
    /// In English; with `%{n}` where [`Phase::argument`] goes.
    pub fn template(&self) -> &'static str {
        match self {
            Self::ReadingData => "looking at the data",
            Self::Classifying => "classifying",
            Self::FindingOverlap => "looking for images of the model's training",
            Self::ComputingIntervals => "computing intervals",
            Self::Fitting => "fitting",
            Self::Verifying => "verifying in ONNX Runtime",
            Self::MeasuringRanges => "measuring ranges",
            Self::ComparingCopy => "comparing the copy with the original",
            Self::FrozenLayers => "computing the frozen layers once",
            Self::TrainingOnProcessor { threads: 1 } => "training on the processor, 1 thread",
            Self::TrainingOnProcessor { .. } => "training on the processor, %{n} threads",
            Self::TrainingOn(_) => "training on %{n}",
            Self::TestSet => "test set (used once)",
            Self::TrainingRecord => "saving the training record",
        }
    }

    /// What stands for `%{n}`.
    pub fn argument(&self) -> String {
        match self {
            Self::TrainingOnProcessor { threads } => threads.to_string(),
            Self::TrainingOn(name) => name.clone(),
            _ => String::new(),
        }
    }

    /// In English.
    pub fn text(&self) -> String {
        self.template().replace("%{n}", &self.argument())
    }
}
