//! What the tests share: the executable, its table, images, the folder of real images.

use leukoscope::imaging::{draw_slide, encode_png};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The real executable.
pub fn leukoscope() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leukoscope"));
    // The tests write nowhere near the user's own settings.
    command
        .env("XDG_CACHE_HOME", scratch())
        .env("XDG_CONFIG_HOME", scratch())
        .env("XDG_DATA_HOME", scratch())
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY");
    command
}

fn scratch() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("home")
}

/// Runs `classify` with arguments.
pub fn classify(arguments: &[&str]) -> Output {
    leukoscope().arg("classify").args(arguments).output().unwrap()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A CSV as rows of column → value.
pub fn table(csv_bytes: &[u8]) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(csv_bytes);
    reader.deserialize().map(Result::unwrap).collect()
}

/// A folder with `n` drawn fields of one cell each, named `000.png` and so on.
pub fn drawn_folder(n: usize) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..n {
        std::fs::write(dir.path().join(format!("{i:03}.png")), drawn(i as u64)).unwrap();
    }
    dir
}

/// A small drawn field with a cell, as PNG.
pub fn drawn(seed: u64) -> Vec<u8> {
    encode_png(&draw_slide(240, 200, 1, seed).image).unwrap()
}

/// The folder of real images, or `None` and a word about it.
pub fn real_images(part: &str) -> Option<PathBuf> {
    let root = std::env::var_os("LEUKOSCOPE_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let folder = root.join(part);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: the real images {part} are not here (set LEUKOSCOPE_DATA)");
    None
}

pub fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}

/// A dataset of drawn cells: a folder per class with `n` images each, for the first `classes` of the five.
pub fn labelled_folder(classes: usize, n: usize) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let wanted = &["neutrophil", "lymphocyte", "eosinophil", "monocyte", "basophil"][..classes];
    let mut counts = BTreeMap::new();
    for seed in 0.. {
        let slide = draw_slide(1000, 800, 24, seed);
        for (i, cell) in slide.cells.iter().enumerate() {
            let count = counts.entry(cell.class).or_insert(0);
            if !wanted.contains(&cell.class) || *count >= n {
                continue;
            }
            *count += 1;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "pixels of the drawing")]
            let (side, half) = ((cell.radius * 5.0) as u32, cell.radius * 2.5);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "pixels of the drawing")]
            let at = |c: f64, end: u32| ((c - half).max(0.0) as u32).min(end - side);
            let image =
                image::imageops::crop_imm(&slide.image, at(cell.x, 1000), at(cell.y, 800), side, side).to_image();
            let folder = dir.path().join(cell.class);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(format!("c{seed}x{i}.png")), encode_png(&image).unwrap()).unwrap();
        }
        if wanted.iter().all(|w| counts.get(w).is_some_and(|c| *c >= n)) {
            return dir;
        }
    }
    unreachable!("five classes are drawn")
}
