//! What a user sets of a recipe, by the command line or in the window's form: checked here, the rest is the recipe's own.

use crate::training::{Recipe, RecipeKind};
use crate::workflow::defaults;
use std::str::FromStr;

/// A learning rate: finite and above 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LearningRate(f64);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a learning rate is a positive number, for example 3e-4")]
pub struct NoLearningRate;

impl FromStr for LearningRate {
    type Err = NoLearningRate;

    fn from_str(text: &str) -> Result<Self, NoLearningRate> {
        let rate = text.trim().parse().ok().filter(|v: &f64| v.is_finite() && *v > 0.0);
        rate.map(Self).ok_or(NoLearningRate)
    }
}

/// What is set; where nothing is said, [`defaults`] hold.
#[derive(Debug, Clone, PartialEq)]
pub struct RecipeSettings {
    pub kind: RecipeKind,
    /// Epochs at most.
    pub epochs: usize,
    /// Images of a step.
    pub batch: usize,
    /// The recipe's own without.
    pub rate: Option<LearningRate>,
    /// Of everything drawn by chance.
    pub seed: u64,
    /// Whether the epoch with the best validation loss is kept, or the last one.
    pub keep_best: bool,
    /// Epochs without a better validation loss after which it ends; goes through without.
    pub patience: Option<usize>,
}

impl Default for RecipeSettings {
    fn default() -> Self {
        Self {
            kind: RecipeKind::Blocks(defaults::BLOCKS.into()),
            epochs: defaults::EPOCHS.into(),
            batch: defaults::BATCH.into(),
            rate: None,
            seed: defaults::SEED,
            keep_best: true,
            patience: None,
        }
    }
}

impl RecipeSettings {
    /// The recipe with all its numbers, for `images` training images.
    pub fn recipe(&self, images: usize) -> Recipe {
        let mut recipe = Recipe::new(self.kind, images);
        recipe.epochs = self.epochs;
        recipe.batch = self.batch.max(1);
        recipe.seed = self.seed;
        recipe.keep_best = self.keep_best;
        recipe.patience = self.patience.filter(|p| *p > 0);
        if let Some(LearningRate(rate)) = self.rate {
            recipe.optimizer.rate = rate;
        }
        recipe
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_is_the_recipes() {
        let own = Recipe::new(RecipeKind::Full, 500);
        let settings = RecipeSettings { kind: RecipeKind::Full, ..RecipeSettings::default() };
        assert_eq!(settings.recipe(500), own);
        let set = RecipeSettings { rate: "3e-4".parse().ok(), patience: Some(2), ..settings };
        let recipe = set.recipe(500);
        assert_eq!((recipe.optimizer.rate, recipe.patience, recipe.mixup), (3e-4, Some(2), own.mixup));
        for bad in ["0", "-1", "nan", "inf", "", "a"] {
            assert_eq!(bad.parse::<LearningRate>(), Err(NoLearningRate), "{bad}");
        }
    }
}
