//! What is trained and how: the three recipes and every number that the user can change.

use super::augment::Augmentation;
use super::optimizer::OptimizerSettings;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecipeKind {
    /// A new head over the frozen backbone's features: the paper's recipe.
    Head,
    /// The head and the last blocks.
    Blocks(usize),
    Full,
}

impl RecipeKind {
    /// In words: `head`, `blocks 3`, `full`.
    pub fn text(self) -> String {
        match self {
            Self::Head => "head".into(),
            Self::Blocks(k) => format!("blocks {k}"),
            Self::Full => "full".into(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    pub kind: RecipeKind,
    /// Epochs at most.
    pub epochs: usize,
    /// Images of a step.
    pub batch: usize,
    pub optimizer: OptimizerSettings,
    /// Share of each target that is spread over all classes (Szegedy et al. 2016).
    pub label_smoothing: f32,
    /// Parameter of the Beta distribution that mixes pairs of images (Zhang et al. 2018); 0 mixes none.
    pub mixup: f32,
    /// Share of the pooled features left out in a step.
    pub dropout: f32,
    /// Classes are drawn by 1/nᵇ: 0 as they are, 1 equally often.
    pub balance: f64,
    /// What the moving average of the weights keeps a step; 0 has no average.
    pub average: f32,
    /// How much the images are changed.
    pub augmentation: Augmentation,
    /// Changed copies of each image whose activations are cached (`head` and `blocks`); the first is unchanged.
    pub views: usize,
    /// Epochs without a better validation loss after which training ends; `None` goes through.
    pub patience: Option<usize>,
    /// Whether the epoch with the best validation loss is kept, or the last one.
    pub keep_best: bool,
    /// Of everything drawn by chance.
    pub seed: u64,
}

impl Recipe {
    /// Its numbers as text: what a checkpoint belongs to. A field that is added must be left out where it has the value that changes nothing
    /// (`skip_serializing_if`), or every unfinished run is refused.
    pub fn identity(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The recipe of a kind with its usual numbers, for `images` training images.
    pub fn new(kind: RecipeKind, images: usize) -> Self {
        let plain = Augmentation { geometry: 0.0, colour: 0.0, file: 0.0 };
        let head = Self {
            kind,
            epochs: 15,
            batch: 32,
            optimizer: OptimizerSettings { rate: 1e-3, weight_decay: 0.0, clip: 0.0, warm_up: 0, cosine: false },
            label_smoothing: 0.0,
            mixup: 0.0,
            dropout: 0.0,
            balance: 0.0,
            average: 0.0,
            augmentation: plain,
            views: 1,
            patience: None,
            keep_best: true,
            seed: 1,
        };
        let steps = images.div_ceil(32);
        match kind {
            RecipeKind::Head => head,
            RecipeKind::Blocks(_) => Self {
                optimizer: OptimizerSettings {
                    rate: 3e-4,
                    weight_decay: 0.02,
                    clip: 1.0,
                    warm_up: steps.min(50),
                    cosine: true,
                },
                label_smoothing: 0.05,
                dropout: 0.1,
                balance: 0.5,
                augmentation: Augmentation { geometry: 1.0, colour: 0.4, file: 0.0 },
                // Enough copies to learn from when there are few images, few enough to fit when there are many.
                views: (3000 / images.max(1)).clamp(4, 24),
                ..head
            },
            RecipeKind::Full => Self {
                optimizer: OptimizerSettings {
                    rate: 2.5e-4,
                    weight_decay: 0.05,
                    clip: 1.0,
                    warm_up: (2 * steps).min(150),
                    cosine: true,
                },
                label_smoothing: 0.05,
                mixup: 0.3,
                dropout: 0.1,
                balance: 0.75,
                average: 0.998,
                augmentation: Augmentation { geometry: 1.0, colour: 1.0, file: 1.0 },
                ..head
            },
        }
    }
}
