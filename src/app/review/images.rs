//! The images that are open, by ids: each file gets its id once, and no other file ever gets it. Plain values; positions are
//! nobody's business but of whoever goes through them.

use crate::domain::{Digest, ImageId, ImageResult};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What was found of each image that is open.
#[derive(Debug, Clone, Default)]
pub struct Images {
    /// Ids of all files that this window ever met; they outlive what is open.
    ids: HashMap<PathBuf, ImageId>,
    results: HashMap<ImageId, Arc<ImageResult>>,
    /// In the order in which they came.
    order: Vec<ImageId>,
    by_digest: HashMap<Digest, Vec<ImageId>>,
}

impl Images {
    /// Takes a result: of a new image, or instead of what was known of its file.
    pub(crate) fn put(&mut self, result: Arc<ImageResult>) -> Put {
        #[expect(clippy::cast_possible_truncation, reason = "four thousand million files are not opened in one window")]
        let next = ImageId(self.ids.len() as u32);
        let id = *self.ids.entry(result.path.clone()).or_insert(next);
        if let Some(digest) = result.digest {
            let all = self.by_digest.entry(digest).or_default();
            if !all.contains(&id) {
                all.push(id);
            }
        }
        let copies = result.digest.is_some_and(|d| self.by_digest[&d].len() > 1);
        let was = self.results.insert(id, result.clone());
        let replaced = was.is_some();
        if !replaced {
            self.order.push(id);
        }
        if let Some(old) = was.and_then(|r| r.digest).filter(|d| Some(*d) != result.digest) {
            self.forget_digest(old, id);
        }
        Put { id, replaced, copies }
    }

    fn forget_digest(&mut self, digest: Digest, id: ImageId) {
        if let Some(all) = self.by_digest.get_mut(&digest) {
            all.retain(|i| *i != id);
            if all.is_empty() {
                self.by_digest.remove(&digest);
            }
        }
    }

    /// Closes all images; ids stay given.
    pub(crate) fn clear(&mut self) {
        self.results.clear();
        self.order.clear();
        self.by_digest.clear();
    }

    /// Closes the images of these files.
    pub(crate) fn remove(&mut self, gone: &HashSet<PathBuf>) {
        let ids: HashSet<ImageId> = gone.iter().filter_map(|p| self.id_of(p)).collect();
        for id in &ids {
            if let Some(digest) = self.results.remove(id).and_then(|r| r.digest) {
                self.forget_digest(digest, *id);
            }
        }
        self.order.retain(|id| !ids.contains(id));
    }

    /// What was found of an image; nothing where it is not open any more.
    pub fn get(&self, id: ImageId) -> Option<&Arc<ImageResult>> {
        self.results.get(&id)
    }

    /// The id of a file that is open.
    pub fn id_of(&self, path: &Path) -> Option<ImageId> {
        self.ids.get(path).copied().filter(|id| self.results.contains_key(id))
    }

    /// Images with these bytes.
    pub fn with_digest(&self, digest: &Digest) -> &[ImageId] {
        self.by_digest.get(digest).map_or(&[], Vec::as_slice)
    }

    /// The image that an image is a copy of: the one with the same bytes whose path comes first, and the only one that is
    /// counted. `None` where it is that one.
    pub fn original(&self, id: ImageId) -> Option<ImageId> {
        let digest = self.get(id)?.digest?;
        let same = self.with_digest(&digest);
        if same.len() < 2 {
            return None;
        }
        let first = same.iter().min_by_key(|i| self.results.get(*i).map(|r| &r.path)).copied();
        first.filter(|f| *f != id)
    }

    /// Ids and results in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (ImageId, &Arc<ImageResult>)> {
        self.order.iter().filter_map(|id| Some((*id, self.results.get(id)?)))
    }

    /// Results in the order in which they came.
    pub fn values(&self) -> impl Iterator<Item = &Arc<ImageResult>> {
        self.iter().map(|(_, r)| r)
    }

    pub fn len(&self) -> usize {
        self.order.len()
    }

    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

/// What became of a result that was taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Put {
    pub(crate) id: ImageId,
    /// The file was known, and what was known of it is gone.
    pub(crate) replaced: bool,
    /// Another image has the same bytes.
    pub(crate) copies: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Outcome;

    fn result(path: &str, digest: u8) -> Arc<ImageResult> {
        Arc::new(ImageResult {
            index: 0,
            path: path.into(),
            digest: Some(Digest([digest; 32])),
            size: None,
            outcome: Outcome::Cells(Vec::new()),
            warnings: Vec::new(),
            provider: None,
            rejected: Vec::new(),
        })
    }

    #[test]
    fn an_id_is_given_once_and_never_to_another_file() {
        let mut images = Images::default();
        let (a, b) = (images.put(result("/a", 1)).id, images.put(result("/b", 2)).id);
        assert_ne!(a, b);
        images.remove(&HashSet::from(["/a".into()]));
        assert!(images.get(a).is_none() && images.id_of(Path::new("/a")).is_none());
        let c = images.put(result("/c", 3)).id;
        assert!(c != a && c != b);
        images.clear();
        assert_eq!(images.put(result("/a", 4)).id, a, "the file is known again");
        assert_eq!(images.put(result("/b", 2)).id, b);
        assert!(images.put(result("/b", 5)).replaced && images.with_digest(&Digest([2; 32])).is_empty());
    }

    #[test]
    fn of_copies_the_first_path_is_the_original_whatever_came_first() {
        let mut images = Images::default();
        let b = images.put(result("/b", 1)).id;
        assert_eq!(images.original(b), None);
        let put = images.put(result("/a", 1));
        assert!(put.copies && images.original(put.id).is_none());
        assert_eq!(images.original(b), Some(put.id));
        images.remove(&HashSet::from(["/a".into()]));
        assert_eq!(images.original(b), None);
    }
}
