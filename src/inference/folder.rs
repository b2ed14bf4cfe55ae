//! What the other images of an image's folder say of its slide, measured where it is asked for: the colours of the dyes and the size of red
//! cells. Always of the same images (the first of the folder by name), whatever is classified, in whatever order: so the same file in the
//! same folder has the same cells each time.

use crate::files::{MAX_IMAGE_BYTES, files_of, named_like_image, read_bounded};
use crate::imaging::{Limits, SlideMeasure, decode, measure_slide};
use crate::model::ModelCard;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// So many images of a folder are measured.
const MEASURED: usize = 20;

/// Width and height of an image, and what it says.
type Measured = ((u32, u32), SlideMeasure);

/// The measures of the folders of a run.
#[derive(Debug)]
pub struct Folders {
    white_percentile: f64,
    /// Whether folders are asked at all: one that still grows says something else each time.
    asked: bool,
    known: Mutex<HashMap<PathBuf, Arc<OnceLock<Vec<Measured>>>>>,
    /// Images that it said something about.
    helped: Mutex<HashSet<PathBuf>>,
}

impl Folders {
    /// Measures for squares as a model wants them; `asked` is whether folders are looked at at all.
    pub fn new(card: &ModelCard, asked: bool) -> Self {
        Self::of(card.preprocessing.white_percentile(), asked)
    }

    fn of(white_percentile: f64, asked: bool) -> Self {
        Self { white_percentile, asked, known: Mutex::default(), helped: Mutex::default() }
    }

    /// What the images of a file's folder that have its size say together. The first call for a folder measures them.
    pub(super) fn others(&self, path: &Path, size: (u32, u32)) -> SlideMeasure {
        let Some(folder) = path.parent().filter(|_| self.asked) else { return SlideMeasure::default() };
        let own =
            self.known.lock().unwrap_or_else(PoisonError::into_inner).entry(folder.to_owned()).or_default().clone();
        let all = own.get_or_init(|| self.measured(folder));
        let alike: Vec<SlideMeasure> = all.iter().filter(|(own, _)| *own == size).map(|(_, m)| *m).collect();
        let middle = SlideMeasure::middle(&alike);
        if middle.says_something() {
            self.helped.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned());
        }
        middle
    }

    /// How many images were looked at by what others say.
    pub(super) fn helped(&self) -> usize {
        self.helped.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn measured(&self, folder: &Path) -> Vec<Measured> {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let files = files_of(folder).into_iter().filter(|p| named_like_image(p)).take(MEASURED);
        // A decoder that stumbles over a file costs that file's measure.
        let measure = |path: PathBuf| {
            std::panic::catch_unwind(|| {
                let bytes = read_bounded(&path, MAX_IMAGE_BYTES).ok()?.bytes;
                let image = decode(&bytes, Limits::default()).ok()?.image;
                Some((image.dimensions(), measure_slide(&image, self.white_percentile)))
            })
            .ok()?
        };
        files.filter_map(measure).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::{RgbImage, encode_png};

    fn field(red_cells: u32) -> RgbImage {
        RgbImage::from_fn(400, 300, |x, y| {
            let (fx, fy) = (f64::from(x), f64::from(y));
            let red = (fx % 48.0 - 24.0).hypot(fy % 48.0 - 24.0) < 13.0 && y / 48 * 8 + x / 48 < red_cells;
            image::Rgb(if red { [200, 120, 130] } else { [235, 235, 235] })
        })
    }

    #[test]
    fn the_same_images_are_measured_whatever_is_asked_and_only_those_of_its_size_count() {
        let folder = tempfile::tempdir().expect("a folder");
        let save = |name: &str, image: &RgbImage| {
            let path = folder.path().join(name);
            std::fs::write(&path, encode_png(image).expect("PNG")).expect("written");
            path
        };
        let empty = save("0.png", &field(0));
        for i in 1..=4 {
            save(&format!("{i}.png"), &field(40));
        }
        std::fs::write(folder.path().join("5.png"), "no image").expect("written");
        let folders = Folders::of(95.0, true);
        let said = folders.others(&empty, (400, 300));
        assert!(said.red_cell.is_some_and(|d| (d - 22.0).abs() < 6.0), "{said:?}");
        // What came later is not looked at in this run, and what has another size says nothing.
        save("00.png", &field(8));
        assert_eq!(folders.others(&folder.path().join("3.png"), (400, 300)), said);
        assert!(!folders.others(&empty, (800, 600)).says_something());
        assert!(!Folders::of(95.0, false).others(&empty, (400, 300)).says_something());
    }
}
