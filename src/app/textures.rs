//! Images for the screen: read off the window's thread (`workflow/thumbnails.rs`), kept as textures in a cache bounded by bytes.
//!
//! Requests are a stack, newest first, so that what is on the screen now comes before what was scrolled past; the
//! oldest requests fall off its end. Nothing here is drawn.

use crate::domain::Square;
use crate::session::Thumbnails;
pub use crate::workflow::ImageKey;
use crate::workflow::ThumbnailReader;
use egui::{ColorImage, TextureHandle, TextureOptions};
use std::collections::{HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Texture bytes that are kept.
const CACHE_BYTES: usize = 160 << 20;
/// Requests that wait at most.
const QUEUE: usize = 400;

#[derive(Debug)]
struct Wanted {
    key: ImageKey,
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
    key: ImageKey,
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
    kept: HashMap<ImageKey, Kept>,
    pending: HashSet<ImageKey>,
    bytes: usize,
    frame: u64,
    generation: u64,
}

impl Textures {
    /// Starts the workers, which call `wake` when something is ready.
    /// Small images are kept in `disk`, where there is one.
    pub fn new(disk: Option<Thumbnails>, wake: impl Fn() + Send + Sync + Clone + 'static) -> Self {
        let disk = disk.map(Arc::new);
        let queue = Arc::new(Queue::default());
        let (give, done) = crossbeam_channel::bounded(64);
        for i in 0..2 {
            let (queue, give, wake) = (queue.clone(), give.clone(), wake.clone());
            let reader = ThumbnailReader::new(disk.clone());
            let worker = std::thread::Builder::new().name(format!("thumbnails-{i}"));
            if worker.spawn(move || work(&queue, &give, reader, &wake)).is_err() {
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
            let mut by_age: Vec<(u64, ImageKey)> = self.kept.iter().map(|(k, v)| (v.used, *k)).collect();
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
    pub fn get(&mut self, key: ImageKey, path: &Path, square: Option<Square>) -> Look<'_> {
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

fn work(queue: &Queue, give: &crossbeam_channel::Sender<Ready>, mut reader: ThumbnailReader, wake: &impl Fn()) {
    loop {
        let wanted = {
            let mut stack = queue.stack.lock().unwrap_or_else(PoisonError::into_inner);
            loop {
                if stack.1 {
                    return;
                }
                // Another cell of the image in hand first, then the newest request.
                let same = reader.in_hand().and_then(|path| stack.0.iter().rposition(|w| w.path == path));
                let next = same.and_then(|i| stack.0.remove(i)).or_else(|| stack.0.pop_back());
                match next {
                    Some(w) => break w,
                    None => stack = queue.ready.wait(stack).unwrap_or_else(PoisonError::into_inner),
                }
            }
        };
        let image = reader
            .read(wanted.key, &wanted.path, wanted.square)
            .map(|i| ColorImage::from_rgb([i.width() as usize, i.height() as usize], i.as_raw()));
        if give.send(Ready { key: wanted.key, generation: wanted.generation, image }).is_err() {
            return;
        }
        wake();
    }
}
