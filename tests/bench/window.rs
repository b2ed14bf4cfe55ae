//! Frame times of the window's code over a large gallery, without a GPU: `cargo bench --bench window`.
//!
//! 10,000 results are put into the gallery, then it is scrolled by keys while frames are measured. What is measured is
//! the program's own work for a frame (state, layout, shapes), not the painting.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement prints, and stops at what it did not expect"
)]

use leukoscope::app::Window;
use leukoscope::app::update::Event;
use leukoscope::domain::{CellResult, ImageResult, Outcome, Probabilities, Square};
use leukoscope::task::Generation;
use std::time::Instant;

fn main() {
    let n: usize = std::env::var("IMAGES").ok().and_then(|v| v.parse().ok()).unwrap_or(10_000);
    let folder = tempfile::tempdir().unwrap();
    let ctx = egui::Context::default();
    let mut window = Window::new(&ctx, vec![folder.path().to_owned()], None, None).unwrap();
    let picture = leukoscope::imaging::encode_png(&leukoscope::imaging::draw_slide(240, 200, 1, 1).picture).unwrap();
    let file = folder.path().join("cell.png");
    std::fs::write(&file, picture).unwrap();
    // The job that the window itself started on the folder is not the one that is measured.
    let generation = Generation(1);
    for i in 0..n {
        let p = 0.3 + 0.69 * ((i * 7919) % 1000) as f32 / 1000.0;
        let rest = (1.0 - p) / 4.0;
        let cell = CellResult {
            square: Square { x: 60.0, y: 40.0, side: 120.0 },
            probabilities: Probabilities::new(vec![p, rest, rest, rest, rest]).unwrap(),
            accepted: true,
        };
        let result = ImageResult {
            index: i,
            path: file.clone(),
            digest: None,
            size: Some((240, 200)),
            outcome: Outcome::Cells(vec![cell]),
            warnings: vec![],
            provider: None,
        };
        window.hear(Event::Row(generation, Box::new(result)), 0.0);
    }
    let mut harness = egui_kittest::Harness::builder().with_size([1920.0, 1080.0]).build_ui_state(
        |ui, window: &mut Window| {
            window.logic(&ui.ctx().clone());
            window.draw(ui);
        },
        window,
    );
    harness.run_steps(30);
    let mut times = Vec::new();
    for i in 0..400 {
        harness.key_press(if i % 100 < 90 { egui::Key::PageDown } else { egui::Key::Home });
        let begun = Instant::now();
        harness.step();
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    let at = |q: f64| times[((times.len() - 1) as f64 * q) as usize];
    println!(
        "{n} images, 400 frames: median {:.1} ms, p95 {:.1} ms, max {:.1} ms; pictures held {} MB",
        at(0.5),
        at(0.95),
        at(1.0),
        harness.state().picture_bytes() >> 20
    );
}
