//! The demo slide: drawn by the program itself, so that everything can be shown without a laboratory's images.

use super::UserError;
use crate::files::{create_folder, display_path, write_atomic};
use crate::imaging::{Slide, draw_slide, encode_png};
use std::path::{Path, PathBuf};

/// The seed of the slide that everybody sees.
pub const DEMO_SEED: u64 = 7;

/// A drawn slide on the disk.
#[derive(Debug)]
pub struct DemoSlide {
    /// The image's file.
    pub path: PathBuf,
    /// What was drawn.
    pub slide: Slide,
}

/// Draws the demo slide into `folder`, or into the user's cache folder.
///
/// # Errors
/// When the folder cannot be made or written.
pub fn draw_demo(folder: Option<&Path>) -> Result<DemoSlide, UserError> {
    let folder = match folder {
        Some(f) => f.to_owned(),
        None => directories::ProjectDirs::from("", "", "leukoscope")
            .map_or_else(|| std::env::temp_dir().join("leukoscope"), |d| d.cache_dir().to_owned())
            .join("demo"),
    };
    let cannot = |e: &dyn std::fmt::Display| {
        UserError::new(format!(
            "the demo slide cannot be written to {}: {e}. Name a folder with --out",
            display_path(&folder)
        ))
    };
    create_folder(&folder).map_err(|e| cannot(&e))?;
    let slide = draw_slide(1600, 1100, 30, DEMO_SEED);
    let path = folder.join("demo-slide.png");
    let bytes = encode_png(&slide.image).map_err(|e| cannot(&e))?;
    write_atomic(&path, &bytes).map_err(|e| cannot(&e))?;
    Ok(DemoSlide { path, slide })
}
