//! Images as the screen shows them: a cell's square, small or larger, or the whole image; small ones are kept on the disk. A file that holds
//! other bytes than those that were classified gives nothing.

use crate::domain::{Digest, Square};
use crate::files::digest_of;
use crate::imaging::{self, RgbImage};
use crate::inference::decode_file;
use crate::session::Thumbnails;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Side of a tile's image, pixels.
const TILE: u32 = 192;
/// Side of the largest image that is shown; more is scaled down.
const LARGEST: u32 = 4096;
/// Grows with every change of how small images are made: older ones on the disk are then no longer found.
const SMALL_VERSION: u32 = 2;
/// Quality of small images on the disk, JPEG.
const QUALITY: u8 = 88;

/// Which image: of which bytes, never of which place in a list. A file that changed has other bytes, and so another image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImageKey {
    /// A square of an image (its corner and side as bits), or all of it, small.
    Small(Digest, Option<[u32; 3]>),
    /// The whole image.
    Full(Digest),
    /// The same, larger.
    Large(Digest, Option<[u32; 3]>),
}

impl ImageKey {
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

/// A file's image and the digest of its bytes; none where it cannot be read.
type DecodedFile = Option<(RgbImage, Digest)>;

/// Reads images for one worker.
pub struct ThumbnailReader {
    disk: Option<Arc<Thumbnails>>,
    /// The cells of one field are asked for one after the other: its image is decoded once.
    last: Option<(PathBuf, DecodedFile)>,
}

impl ThumbnailReader {
    /// Small images are kept in `disk`, where there is one.
    pub fn new(disk: Option<Arc<Thumbnails>>) -> Self {
        Self { disk, last: None }
    }

    /// The file whose image is at hand.
    pub fn in_hand(&self) -> Option<&Path> {
        self.last.as_ref().map(|(path, _)| path.as_path())
    }

    /// The image, RGB; nothing where it cannot be shown. A panic in a decoder costs this one.
    pub fn read(&mut self, key: ImageKey, path: &Path, square: Option<Square>) -> Option<RgbImage> {
        std::panic::catch_unwind(AssertUnwindSafe(|| self.made(key, path, square))).unwrap_or(None)
    }

    fn made(&mut self, key: ImageKey, path: &Path, square: Option<Square>) -> Option<RgbImage> {
        let place = disk_key(key);
        if let Some((disk, place)) = self.disk.as_ref().zip(place.as_ref())
            && let Some(kept) = disk.get(place)
            && let Ok(small) = imaging::decode(&kept, imaging::Limits::default())
        {
            return Some(small.image);
        }
        let fits = |read: &DecodedFile| read.as_ref().is_some_and(|(_, is)| key.digest() == *is);
        if self.last.as_ref().is_none_or(|(last, read)| last != path || !fits(read)) {
            let read = decode_file(path).ok().map(|(d, digest)| (d.image, digest));
            self.last = Some((path.to_owned(), read));
        }
        // A file with other bytes than those that were classified is another image: none is better than a wrong one.
        let (image, _) = self.last.as_ref().map(|(_, read)| read).filter(|r| fits(r))?.as_ref()?;
        let small = make(image, key, square);
        if let Some((disk, place)) = self.disk.as_ref().zip(place)
            && let Ok(bytes) = imaging::encode_jpeg(&small, QUALITY)
        {
            disk.put(&place, &bytes);
        }
        Some(small)
    }
}

/// The image as it is shown.
fn make(image: &RgbImage, key: ImageKey, square: Option<Square>) -> RgbImage {
    match (key, square) {
        (ImageKey::Full(_), _) => imaging::fit_within(image, LARGEST).0,
        (ImageKey::Large(..), Some(square)) if !covers(square, image) => {
            imaging::thumbnail_of_square(image, square, 2 * TILE)
        }
        (ImageKey::Large(..), _) => imaging::fit_within(image, 2 * TILE).0,
        (_, Some(square)) if !covers(square, image) => imaging::thumbnail_of_square(image, square, TILE),
        _ => imaging::fit_within(image, TILE).0,
    }
}

/// Whether a square holds the whole image: then it is shown as it is, not in a frame.
fn covers(s: Square, image: &RgbImage) -> bool {
    s.x <= 0.5
        && s.y <= 0.5
        && s.x + s.side >= image.width() as f32 - 0.5
        && s.y + s.side >= image.height() as f32 - 0.5
}

/// What a small image is kept under: the image's content, the square and the size. Whole images are not kept.
fn disk_key(key: ImageKey) -> Option<[u8; 32]> {
    let ImageKey::Small(digest, square) = key else { return None };
    let square = square.map_or_else(|| "whole".to_owned(), |s| s.map(|v| v.to_string()).join(" "));
    let key = format!("{digest} {square} {TILE} {SMALL_VERSION} {}", imaging::DECODER_VERSION);
    Some(digest_of(key.as_bytes()).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_other_bytes_gives_nothing_and_small_images_come_from_the_disk() {
        let dir = tempfile::tempdir().expect("temp");
        let path = dir.path().join("a.png");
        let png = |seed| imaging::encode_png(&imaging::draw_slide(300, 240, 1, seed).image).expect("PNG");
        std::fs::write(&path, png(1)).expect("write");
        let disk = Thumbnails::open(&dir.path().join("small.sqlite"), 1 << 20).expect("a cache");
        let mut reader = ThumbnailReader::new(Some(Arc::new(disk)));
        let key = ImageKey::small(digest_of(&png(1)), None);
        let first = reader.read(key, &path, None).expect("an image");
        assert_eq!(first.width().max(first.height()), TILE);
        std::fs::write(&path, png(2)).expect("write");
        assert_eq!(
            reader.read(ImageKey::Full(digest_of(&png(1))), &path, None).map(|i| i.dimensions()),
            Some((300, 240))
        );
        assert!(reader.read(ImageKey::Full(digest_of(&png(3))), &path, None).is_none(), "other bytes");
        assert!(reader.read(key, &path, None).is_some(), "kept on the disk");
    }
}
