//! Counts slide by slide: a slide is the folder that an image lies in. Plain values.

use crate::domain::{Differential, ImageId, ImageResult, SlideId};
use crate::workflow::slide_of;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A slide and its counts.
#[derive(Debug, Clone)]
pub struct Slide {
    pub id: SlideId,
    pub path: PathBuf,
    pub counts: Differential,
}

/// The slides of what is open, in the order in which they came.
#[derive(Debug, Clone, Default)]
pub struct Slides {
    /// Ids of all folders that this window ever met.
    ids: HashMap<PathBuf, SlideId>,
    list: Vec<Slide>,
    all: Differential,
    of: HashMap<ImageId, SlideId>,
}

impl Slides {
    /// Counts an image, and not its cells.
    pub(crate) fn add_image(&mut self, image: ImageId, result: &ImageResult) {
        let path = slide_of(&result.path);
        #[expect(clippy::cast_possible_truncation, reason = "folders")]
        let next = SlideId(self.ids.len() as u32);
        let id = *self.ids.entry(path.clone()).or_insert(next);
        if self.list.iter().all(|s| s.id != id) {
            self.list.push(Slide { id, path, counts: Differential::default() });
        }
        self.of.insert(image, id);
        if let Some(slide) = self.slide_mut(id) {
            slide.counts.add_image(result);
        }
        self.all.add_image(result);
    }

    // The last slide is where the next image most likely lies.
    fn slide_mut(&mut self, id: SlideId) -> Option<&mut Slide> {
        self.list.iter_mut().rev().find(|s| s.id == id)
    }

    /// Counts a cell of an image, or takes it back.
    pub(crate) fn count(&mut self, image: ImageId, label: &str, reviewed: bool, up: bool) {
        let Some(id) = self.of.get(&image).copied() else { return };
        if let Some(slide) = self.slide_mut(id) {
            slide.counts.count(label, reviewed, up);
            self.all.count(label, reviewed, up);
        }
    }

    /// Takes all counts back; ids stay given.
    pub(crate) fn clear(&mut self) {
        *self = Self { ids: std::mem::take(&mut self.ids), ..Self::default() };
    }

    /// Each slide and its counts.
    pub fn list(&self) -> &[Slide] {
        &self.list
    }

    /// Where an image belongs.
    pub fn of_image(&self, image: ImageId) -> Option<SlideId> {
        self.of.get(&image).copied()
    }

    /// One slide, or all together.
    pub fn counts(&self, slide: Option<SlideId>) -> &Differential {
        slide.and_then(|id| self.list.iter().find(|s| s.id == id)).map_or(&self.all, |s| &s.counts)
    }

    /// Images and failed ones below an opened place.
    pub fn below(&self, root: &Path) -> (usize, usize) {
        let own = self.list.iter().filter(|s| s.path.starts_with(root) || root.parent() == Some(&s.path));
        own.fold((0, 0), |(images, failed), s| (images + s.counts.images, failed + s.counts.failed))
    }
}
