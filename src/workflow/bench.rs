//! Measures this machine: how long each step takes and how many images a second come out.
//!
//! Drawn images, so that it runs anywhere. For comparing machines and providers, not for a model's quality.

use super::{DEMO_SEED, UserError};
use crate::files::{scratch_folder, write_atomic};
use crate::imaging::Cells;
use crate::imaging::{self, Limits, draw_slide, encode_png};
use crate::inference::{self, Engine, Options, Provider};
use crate::model::VettedModel;
use crate::task::{Cancel, Monitor, Progress};
use serde_json::{Value, json};
use std::ops::ControlFlow;
use std::time::Instant;

/// What was measured.
#[derive(Debug, Clone)]
pub struct BenchReport {
    /// Name, value, unit.
    pub figures: Vec<(String, f64, &'static str)>,
}

const IMAGES: usize = 120;

/// Measures with a model.
///
/// # Errors
/// When there is no runtime, or the temporary folder cannot be written.
pub fn bench(model: &VettedModel) -> Result<BenchReport, UserError> {
    let mut figures = Vec::new();
    let slide = draw_slide(640, 480, 1, DEMO_SEED);
    let png = encode_png(&slide.image)?;
    let mut time = |name: &str, n: usize, work: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..n).for_each(|_| work());
        figures.push((name.to_owned(), start.elapsed().as_secs_f64() * 1e3 / n as f64, "ms"));
    };
    time("decode a 640×480 PNG", 20, &mut || drop(imaging::decode(&png, Limits::default())));
    time("find its cell", 20, &mut || drop(imaging::find_cells(&slide.image, 95.0)));
    let n = 3 * model.card().tensor.size * model.card().tensor.size;
    let start = Instant::now();
    let mut engine = Engine::load(model, Provider::Auto, 1)?;
    figures.push(("load the model".into(), start.elapsed().as_secs_f64() * 1e3, "ms"));
    let name = engine.report().actual.to_string();
    for batch in [1usize, 4, 16] {
        let start = Instant::now();
        let rounds = 48 / batch;
        for _ in 0..rounds {
            engine.run(vec![0.1; n * batch], batch)?;
        }
        let rate = (rounds * batch) as f64 / start.elapsed().as_secs_f64();
        figures.push((format!("inference alone, {name}, one thread, batch {batch}"), rate, "cells/s"));
    }
    let folder = scratch_folder().map_err(|e| UserError::new(format!("no temporary folder: {e}")))?;
    let entries: Vec<_> = (0..IMAGES)
        .map(|i| {
            let path = folder.path().join(format!("{i:03}.png"));
            write_atomic(&path, &png).map(|()| crate::files::Entry { path, named: true, error: None, square: None })
        })
        .collect::<Result<_, _>>()
        .map_err(|e| UserError::new(format!("the temporary folder cannot be written: {e}")))?;
    let options = Options { cells: Cells::One, ..Options::default() };
    let start = Instant::now();
    let (cancel, progress) = (Cancel::new(), Progress::default());
    let mut on_event = |_| ControlFlow::Continue(());
    inference::run(&entries, model, &options, &mut Monitor::new(&cancel, &progress, &mut on_event))?;
    figures.push((
        format!("whole job, {IMAGES} images of 640×480"),
        IMAGES as f64 / start.elapsed().as_secs_f64(),
        "images/s",
    ));
    Ok(BenchReport { figures })
}

impl BenchReport {
    /// For the user.
    pub fn to_text(&self) -> String {
        self.figures.iter().map(|(name, v, unit)| format!("{name:<48}{v:>10.1} {unit}\n")).collect()
    }

    /// For a script.
    pub fn to_json(&self) -> Value {
        let figures: Vec<Value> =
            self.figures.iter().map(|(n, v, u)| json!({"name": n, "value": v, "unit": u})).collect();
        json!({"schema": 1, "figures": figures})
    }
}
