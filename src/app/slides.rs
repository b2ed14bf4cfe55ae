//! Counts slide by slide: a slide is the folder that an image lies in. Plain values.

use crate::domain::{Differential, ImageResult};
use crate::workflow::slide_of;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The slides of what is open, in the order in which they came.
#[derive(Debug, Clone, Default)]
pub struct Slides {
    list: Vec<(PathBuf, Differential)>,
    /// All together.
    all: Differential,
    places: HashMap<PathBuf, usize>,
    /// The slide of each image.
    of: Vec<usize>,
}

impl Slides {
    /// Counts an image, and not its cells.
    pub(super) fn add_image(&mut self, image: usize, result: &ImageResult) {
        let folder = slide_of(&result.path);
        let slide = match self.places.get(&folder) {
            Some(slide) => *slide,
            None => {
                self.places.insert(folder.clone(), self.list.len());
                self.list.push((folder, Differential::default()));
                self.list.len() - 1
            }
        };
        self.of.resize(self.of.len().max(image + 1), slide);
        self.of[image] = slide;
        self.list[slide].1.add_image(result);
        self.all.add_image(result);
    }

    /// Counts a cell of an image, or takes it back.
    pub(super) fn count(&mut self, image: usize, label: &str, reviewed: bool, up: bool) {
        if let Some((_, d)) = self.of.get(image).and_then(|s| self.list.get_mut(*s)) {
            d.count(label, reviewed, up);
            self.all.count(label, reviewed, up);
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Each slide and its counts.
    #[must_use]
    pub fn list(&self) -> &[(PathBuf, Differential)] {
        &self.list
    }

    /// Where an image belongs.
    #[must_use]
    pub fn of_image(&self, image: usize) -> Option<usize> {
        self.of.get(image).copied()
    }

    /// One slide, or all together.
    #[must_use]
    pub fn counts(&self, slide: Option<usize>) -> Differential {
        slide.and_then(|s| self.list.get(s)).map_or(&self.all, |(_, one)| one).clone()
    }

    /// Images and failed ones below an opened place.
    #[must_use]
    pub fn below(&self, root: &Path) -> (usize, usize) {
        let own = self.list.iter().filter(|(slide, _)| slide.starts_with(root) || root.parent() == Some(slide));
        own.fold((0, 0), |(images, failed), (_, d)| (images + d.images, failed + d.failed))
    }
}
