//! What commands choose among: pages, orders of the gallery, light or dark. Plain values that name nothing else of the window.

use strum::{EnumIter, IntoEnumIterator as _, IntoStaticStr};

/// The four pages of the rail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, EnumIter, IntoStaticStr)]
pub enum Page {
    /// Cells and their labels.
    #[default]
    Review,
    /// How good a model is.
    Evaluate,
    /// Make a model.
    Train,
    Models,
}

impl Page {
    pub fn text(self) -> &'static str {
        match self {
            Self::Review => "Review",
            Self::Evaluate => "Evaluate",
            Self::Train => "Train",
            Self::Models => "Models",
        }
    }

    pub fn tooltip(self) -> &'static str {
        match self {
            Self::Review => "See every cell and its label",
            Self::Evaluate => "How good the model is on labelled images",
            Self::Train => "Retrain the model on your own images",
            Self::Models => "Models with their cards, and what runs them",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, EnumIter, IntoStaticStr)]
pub enum GallerySort {
    /// As listed: by name within each folder.
    #[default]
    Name,
    /// Least sure first.
    LeastConfident,
    /// Most sure first.
    MostConfident,
    /// What nobody has looked at and is most likely wrong first.
    MostLikelyWrong,
    /// By class in clinical order, least sure first within a class.
    Class,
    /// What is least like the model's training images first.
    Unlike,
    /// What looks most like the chosen cell first.
    Similar,
}

impl GallerySort {
    pub fn text(self) -> &'static str {
        match self {
            Self::Name => "Name",
            Self::LeastConfident => "Confidence, Lowest First",
            Self::MostConfident => "Confidence, Highest First",
            Self::Class => "Class",
            Self::MostLikelyWrong => "Most Likely Wrong",
            Self::Unlike => "Unlike Training",
            Self::Similar => "Similar to the Chosen Cell",
        }
    }
}

/// Light, dark, or as the system has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, EnumIter, IntoStaticStr)]
pub enum ThemeChoice {
    #[default]
    System,
    Light,
    Dark,
}

impl ThemeChoice {
    pub fn text(self) -> &'static str {
        match self {
            Self::System => "System",
            Self::Light => "Light",
            Self::Dark => "Dark",
        }
    }

    /// From the word in the settings.
    pub fn from_word(word: &str) -> Self {
        Self::iter().find(|t| t.text().eq_ignore_ascii_case(word)).unwrap_or_default()
    }
}
