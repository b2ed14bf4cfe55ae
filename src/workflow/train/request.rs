//! What a training run is asked for, and what it gives beside the model.

use super::initial::InputKind;
use super::source_table::SourceTable;
use crate::dataset::{Grouping, Ratio};
use crate::domain::{Probabilities, same_label};
use crate::metrics::{Interval, Scores};
use crate::model::{Calibration, VettedModel};
use crate::task::{Cancel, Pause, Progress};
use crate::training::{Recipe, RecipeKind, TrainingDevice};
use crate::workflow::defaults;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What to train on, from and into.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainRequest {
    /// A folder per class, or a CSV.
    pub dataset: PathBuf,
    pub kind: RecipeKind,
    /// The model to start from; the bundled one without.
    pub init: Option<PathBuf>,
    /// What the network sees of an image; as the starting model has it without.
    #[serde(rename = "picture")]
    pub input: Option<InputKind>,
    /// Pixels a side; as the starting model has it without.
    pub side: Option<usize>,
    /// Shares of the parts.
    pub ratio: Ratio,
    pub grouping: Grouping,
    pub leave_out: Vec<String>,
    /// Labels that are no classes but flags of the new model: suspicions beside the class.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// The source (laboratory) whose images are all kept for the test, whatever the split says; none without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out_source: Option<String>,
    /// Of everything drawn by chance.
    pub seed: u64,
    /// Where cut cells and activations are cached; the user's cache folder without.
    pub cache: Option<PathBuf>,
}

impl TrainRequest {
    /// The usual request for a dataset.
    pub fn new(dataset: PathBuf) -> Self {
        Self {
            dataset,
            kind: RecipeKind::Blocks(defaults::BLOCKS.into()),
            init: None,
            input: None,
            side: None,
            ratio: Ratio::default(),
            grouping: Grouping::Auto,
            leave_out: Vec::new(),
            flags: Vec::new(),
            held_out_source: None,
            seed: defaults::SEED,
            cache: None,
        }
    }

    /// Whether a label of the dataset is left out.
    pub fn leaves_out(&self, label: &str) -> bool {
        self.leave_out.iter().any(|l| same_label(l, label))
    }

    /// Which of the flags a label of the dataset is; `None` where it is none.
    pub fn flag_of(&self, label: &str) -> Option<usize> {
        self.flags.iter().position(|l| same_label(l, label))
    }
}

/// How a run is stopped and held, and how far the steps before and after the loop are.
#[derive(Debug, Clone, Default)]
pub struct TrainControl {
    /// Stops; the best so far is kept.
    pub cancel: Cancel,
    pub pause: Pause,
    /// Steps.
    pub progress: Progress,
}

/// One class of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClassCount {
    pub label: String,
    pub images: usize,
    /// Of these, images without a white cell.
    pub no_cell: usize,
    /// Of these, images that failed.
    pub failed: usize,
    /// Groups of those with a cell.
    pub groups: usize,
    /// Cells in training, validation and test.
    pub parts: [usize; 3],
    /// Whether it is no class of the new model.
    pub left_out: bool,
    /// Whether it is a flag of the new model.
    pub flag: bool,
    /// Whether it has too few images or groups to be split.
    pub too_small: bool,
}

/// What the person chose beside the data.
#[derive(Debug, Clone)]
pub struct TrainOptions {
    /// The recipe with all its numbers; its kind must be the request's.
    pub recipe: Recipe,
    /// Runs from the starting model, each by a seed of its own, whose weights are averaged.
    pub runs: usize,
    /// Where the model goes; history, report and checkpoint lie beside it.
    pub out: PathBuf,
    /// What the model is called.
    pub name: String,
    /// Threads; 0 is one per core.
    pub threads: usize,
    /// Where the gradients are computed.
    pub device: TrainingDevice,
    /// Whether a checkpoint that is there is thrown away.
    pub fresh: bool,
    /// The model to compare with on the test part.
    pub current: Option<VettedModel>,
    /// How laboratories that were left out in turn were answered, and the calibration that follows from it.
    pub sources: Option<SourceTable>,
    /// The calibration that the model gets where no laboratory was left out: that of another model of the same classes, fitted on
    /// laboratories that it had not seen.
    pub calibration: Option<Calibration>,
}

/// The other model on the test part.
#[derive(Debug, Clone, PartialEq)]
pub struct CurrentModelResult {
    pub name: String,
    pub digest: String,
    /// Cells.
    pub n: usize,
    /// Share right.
    pub accuracy: f64,
    /// 95 % interval.
    pub interval: Interval,
}

#[derive(Debug, Clone, PartialEq)]
pub struct HeldOutResult {
    /// Scores on the test part.
    pub scores: Scores,
    /// The current model's share right on the same images.
    pub current: Option<CurrentModelResult>,
    /// Class and probabilities of each image of the test part, over the network's outputs.
    pub answers: Vec<(usize, Probabilities)>,
}
