//! Images for the screen: decoded off the window's thread, kept as textures in a cache bounded by bytes.
//!
//! Requests are a stack, newest first, so that what is on the screen now comes before what was scrolled past; the
//! oldest requests fall off its end. Nothing here is drawn.

use crate::domain::{Digest, Square};
use crate::files::digest_of;
use crate::imaging::{self, RgbImage};
use crate::inference::decode_file;
use crate::session::Thumbnails;
use egui::{ColorImage, TextureHandle, TextureOptions};
use std::collections::{HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Texture bytes that are kept.
const CACHE_BYTES: usize = 160 << 20;
/// Requests that wait at most.
const QUEUE: usize = 400;
/// Side of a tile's image, pixels.
const TILE: u32 = 192;
/// Side of the largest image that is uploaded; more is scaled down.
const LARGEST: u32 = 4096;
/// Grows with every change of how small images are made: older ones on the disk are then no longer found.
const SMALL_VERSION: u32 = 2;
/// Quality of small images on the disk, JPEG.
const QUALITY: u8 = 88;

/// Which image: of which bytes, never of which place in a list. A file that changed has other bytes, and so another image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// A square of an image (its corner and side as bits), or all of it, small.
    Small(Digest, Option<[u32; 3]>),
    /// The whole image.
    Full(Digest),
    /// The same, larger.
    Large(Digest, Option<[u32; 3]>),
}

impl Key {
    /// The small image of a cell, or of an image that has none.
    pub fn small(digest: Digest, square: Option<Square>) -> Self {
        Self::Small(digest, square.map(|s| [s.x, s.y, s.side].map(f32::to_bits)))
    }

    /// The larger image of a cell.
    pub fn large(digest: Digest, square: Square) -> Self {
        Self::Large(digest, Some([square.x, square.y, square.side].map(f32::to_bits)))
    }

    /// The square that it shows; nothing for a whole image.
    pub fn square(&self) -> Option<Square> {
        match self {
            Self::Small(_, square) | Self::Large(_, square) => square.map(|bits| {
                let [x, y, side] = bits.map(f32::from_bits);
                Square { x, y, side }
            }),
            Self::Full(_) => None,
        }
    }

    /// The bytes that the file must have.
    fn digest(&self) -> Digest {
        match self {
            Self::Small(digest, _) | Self::Large(digest, _) | Self::Full(digest) => *digest,
        }
    }
}

#[derive(Debug)]
struct Wanted {
    key: Key,
    path: PathBuf,
    square: Option<Square>,
    generation: u64,
}

#[derive(Debug, Default)]
struct Queue {
    stack: Mutex<(VecDeque<Wanted>, bool)>,
    ready: Condvar,
}

struct Ready {
    key: Key,
    generation: u64,
    image: Option<ColorImage>,
}

/// What is known of an image.
pub enum Look<'a> {
    /// Here it is.
    Ready(&'a TextureHandle),
    /// It is being made.
    Coming,
    /// It cannot be shown.
    Broken,
}

struct Kept {
    /// `None` for an image that cannot be shown.
    texture: Option<TextureHandle>,
    bytes: usize,
    used: u64,
}

/// The cache and its workers.
pub struct Textures {
    queue: Arc<Queue>,
    done: crossbeam_channel::Receiver<Ready>,
    kept: HashMap<Key, Kept>,
    pending: HashSet<Key>,
    bytes: usize,
    frame: u64,
    generation: u64,
}

impl Textures {
    /// Starts the workers, which call `wake` when something is ready.
    /// Small images are kept in `disk`, where there is one.
    pub fn new(disk: Option<Thumbnails>, wake: impl Fn() + Send + Sync + Clone + 'static) -> Self {
        let disk = Arc::new(disk);
        let queue = Arc::new(Queue::default());
        let (give, done) = crossbeam_channel::bounded(64);
        for i in 0..2 {
            let (queue, give, wake, disk) = (queue.clone(), give.clone(), wake.clone(), disk.clone());
            let worker = std::thread::Builder::new().name(format!("thumbnails-{i}"));
            if worker.spawn(move || work(&queue, &give, (*disk).as_ref(), &wake)).is_err() {
                tracing::error!("no thread for thumbnails");
            }
        }
        Self { queue, done, kept: HashMap::new(), pending: HashSet::new(), bytes: 0, frame: 0, generation: 0 }
    }

    /// Takes what is ready and makes room. Once a frame.
    pub fn begin_frame(&mut self, ctx: &egui::Context) {
        self.frame += 1;
        let largest = ctx.input(|i| i.max_texture_side);
        // A bounded number of uploads a frame: each costs time on this thread.
        for ready in self.done.try_iter().take(24) {
            if ready.generation != self.generation {
                continue;
            }
            self.pending.remove(&ready.key);
            let image = ready.image.filter(|i| i.size[0] <= largest && i.size[1] <= largest);
            let bytes = image.as_ref().map_or(0, |i| i.pixels.len() * 4);
            let texture = image.map(|i| ctx.load_texture(format!("{:?}", ready.key), i, TextureOptions::LINEAR));
            self.bytes += bytes;
            if let Some(old) = self.kept.insert(ready.key, Kept { texture, bytes, used: self.frame }) {
                self.bytes -= old.bytes;
            }
        }
        if self.bytes > CACHE_BYTES {
            let mut by_age: Vec<(u64, Key)> = self.kept.iter().map(|(k, v)| (v.used, *k)).collect();
            by_age.sort_by_key(|(used, _)| *used);
            for (used, key) in by_age {
                // What was on the screen a moment ago stays, even over the bound.
                if self.bytes <= CACHE_BYTES * 3 / 4 || used + 2 >= self.frame {
                    break;
                }
                if let Some(old) = self.kept.remove(&key) {
                    self.bytes -= old.bytes;
                }
            }
        }
    }

    /// Texture bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets everything: other images are open now.
    pub fn clear(&mut self) {
        self.generation += 1;
        self.kept.clear();
        self.pending.clear();
        self.bytes = 0;
        self.queue.stack.lock().unwrap_or_else(PoisonError::into_inner).0.clear();
    }

    /// The image, asked for if it is not there.
    pub fn get(&mut self, key: Key, path: &Path, square: Option<Square>) -> Look<'_> {
        if let Some(kept) = self.kept.get_mut(&key) {
            kept.used = self.frame;
        } else if self.pending.insert(key) {
            let mut stack = self.queue.stack.lock().unwrap_or_else(PoisonError::into_inner);
            stack.0.push_back(Wanted { key, path: path.to_owned(), square, generation: self.generation });
            if stack.0.len() > QUEUE
                && let Some(old) = stack.0.pop_front()
            {
                self.pending.remove(&old.key);
            }
            drop(stack);
            self.queue.ready.notify_one();
        }
        match self.kept.get(&key) {
            Some(Kept { texture: Some(texture), .. }) => Look::Ready(texture),
            Some(_) => Look::Broken,
            None => Look::Coming,
        }
    }
}

impl Drop for Textures {
    fn drop(&mut self) {
        self.queue.stack.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
        self.queue.ready.notify_all();
    }
}

/// A file's image and the digest of its bytes; none where it cannot be read.
type DecodedFile = Option<(Arc<RgbImage>, Digest)>;

fn work(queue: &Queue, give: &crossbeam_channel::Sender<Ready>, disk: Option<&Thumbnails>, wake: &impl Fn()) {
    // The cells of one field are asked for one after the other: its image is decoded once.
    let mut last: Option<(PathBuf, DecodedFile)> = None;
    loop {
        let wanted = {
            let mut stack = queue.stack.lock().unwrap_or_else(PoisonError::into_inner);
            loop {
                if stack.1 {
                    return;
                }
                // Another cell of the image in hand first, then the newest request.
                let same = last.as_ref().and_then(|(path, _)| stack.0.iter().rposition(|w| w.path == *path));
                let next = same.and_then(|i| stack.0.remove(i)).or_else(|| stack.0.pop_back());
                match next {
                    Some(w) => break w,
                    None => stack = queue.ready.wait(stack).unwrap_or_else(PoisonError::into_inner),
                }
            }
        };
        let image = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let key = disk_key(&wanted);
            if let Some((disk, key)) = disk.zip(key.as_ref())
                && let Some(kept) = disk.get(key)
                && let Ok(small) = imaging::decode(&kept, imaging::Limits::default())
            {
                return Some(shown(&small.image));
            }
            let fits = |read: &DecodedFile| read.as_ref().is_some_and(|(_, is)| wanted.key.digest() == *is);
            if last.as_ref().is_none_or(|(path, read)| *path != wanted.path || !fits(read)) {
                let read = decode_file(&wanted.path).ok().map(|(d, digest)| (Arc::new(d.image), digest));
                last = Some((wanted.path.clone(), read));
            }
            // A file with other bytes than those that were classified is another image: none is better than a wrong one.
            let (image, _) = last.as_ref().map(|(_, read)| read).filter(|r| fits(r))?.as_ref()?;
            let small = make(image, &wanted);
            if let Some((disk, key)) = disk.zip(key)
                && let Ok(bytes) = imaging::encode_jpeg(&small, QUALITY)
            {
                disk.put(&key, &bytes);
            }
            Some(shown(&small))
        }))
        .unwrap_or(None);
        if give.send(Ready { key: wanted.key, generation: wanted.generation, image }).is_err() {
            return;
        }
        wake();
    }
}

fn make(image: &RgbImage, wanted: &Wanted) -> RgbImage {
    match (wanted.key, wanted.square) {
        (Key::Full(_), _) => imaging::fit_within(image, LARGEST).0,
        (Key::Large(..), Some(square)) if !covers(square, image) => {
            imaging::thumbnail_of_square(image, square, 2 * TILE)
        }
        (Key::Large(..), _) => imaging::fit_within(image, 2 * TILE).0,
        (_, Some(square)) if !covers(square, image) => imaging::thumbnail_of_square(image, square, TILE),
        _ => imaging::fit_within(image, TILE).0,
    }
}

/// Whether a square holds the whole image: then it is shown as it is, not in a frame.
#[expect(clippy::cast_precision_loss, reason = "image sizes")]
fn covers(s: Square, image: &RgbImage) -> bool {
    s.x <= 0.5
        && s.y <= 0.5
        && s.x + s.side >= image.width() as f32 - 0.5
        && s.y + s.side >= image.height() as f32 - 0.5
}

fn shown(small: &RgbImage) -> ColorImage {
    ColorImage::from_rgb([small.width() as usize, small.height() as usize], small.as_raw())
}

/// What a small image is kept under: the image's content, the square and the size. Whole images are not kept.
fn disk_key(wanted: &Wanted) -> Option<[u8; 32]> {
    let Key::Small(digest, square) = wanted.key else { return None };
    let square = square.map_or_else(|| "whole".to_owned(), |s| s.map(|v| v.to_string()).join(" "));
    let key = format!("{digest} {square} {TILE} {SMALL_VERSION} {}", imaging::DECODER_VERSION);
    Some(digest_of(key.as_bytes()).0)
}
