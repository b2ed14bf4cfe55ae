//! Frame times of the window's code over a large gallery, without a GPU: `cargo bench --bench window`.
//!
//! 10,000 results are put into the gallery, then it is scrolled by keys while frames are measured; then again, and in the
//! Train place with its curves, while every core trains. What is measured is the program's own work for a frame (state,
//! layout, shapes) by the clock on the wall, not the painting.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement prints, and stops at what it did not expect"
)]

use leukoscope::app::Window;
use leukoscope::app::choice::Page;
use leukoscope::app::command::Command;
use leukoscope::app::review::Event;
use leukoscope::app::train::state::TrainEvent;
use leukoscope::domain::{CellResult, ImageResult, Outcome, Probabilities, Square};
use leukoscope::model::{embedded_bytes, read_network, vet_graph};
use leukoscope::task::Generation;
use leukoscope::training::{Batch, CpuEngine, Net, StepMetrics};
use leukoscope::workflow::{ClassifyEvent, TrainProgress};
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};

fn main() {
    let n: usize = std::env::var("IMAGES").ok().and_then(|v| v.parse().ok()).unwrap_or(10_000);
    let folder = tempfile::tempdir().unwrap();
    let ctx = egui::Context::default();
    let mut window = Window::new(&ctx, vec![folder.path().to_owned()], None, None).unwrap();
    let image = leukoscope::imaging::encode_png(&leukoscope::imaging::draw_slide(240, 200, 1, 1).image).unwrap();
    let file = folder.path().join("cell.png");
    std::fs::write(&file, image).unwrap();
    // The job that the window itself started on the folder is not the one that is measured.
    let generation = Generation(1);
    for i in 0..n {
        let p = 0.3 + 0.69 * ((i * 7919) % 1000) as f32 / 1000.0;
        let rest = (1.0 - p) / 4.0;
        let cell = CellResult {
            number: 1,
            square: Square { x: 60.0, y: 40.0, side: 120.0 },
            probabilities: Probabilities::new(vec![p, rest, rest, rest, rest]).unwrap(),
            accepted: true,
            ood_score: None,
            features: Vec::new(),
            doubt: None,
            flags: Vec::new(),
            views: None,
        };
        let result = ImageResult {
            index: i,
            path: file.clone(),
            digest: None,
            size: Some((240, 200)),
            outcome: Outcome::Cells(vec![cell]),
            warnings: vec![],
            provider: None,
            rejected: Vec::new(),
        };
        window.on_event(Event::Classify(generation, ClassifyEvent::Row(std::sync::Arc::new(result))), 0.0);
    }
    let mut harness = egui_kittest::Harness::builder().with_size([1920.0, 1080.0]).build_ui_state(
        |ui, window: &mut Window| {
            window.logic(&ui.ctx().clone());
            window.draw(ui);
        },
        window,
    );
    harness.run_steps(30);
    frames(&mut harness, &format!("{n} images, gallery"), None);
    println!("images held {} MB", harness.state().texture_bytes() >> 20);

    let (tell, told) = std::sync::mpsc::sync_channel(64);
    std::thread::spawn(move || train(&tell));
    told.recv().unwrap();
    frames(&mut harness, "gallery while every core trains", Some(&told));
    harness.state_mut().command(Command::Go(Page::Train), 0.0);
    frames(&mut harness, "curves while every core trains", Some(&told));
}

/// Scrolls by keys, listens to the training, and says how long frames took.
fn frames(harness: &mut egui_kittest::Harness<'_, Window>, what: &str, told: Option<&Receiver<StepMetrics>>) {
    let mut times = Vec::new();
    for i in 0..400 {
        harness.key_press(if i % 100 < 90 { egui::Key::PageDown } else { egui::Key::Home });
        if let Some(told) = told {
            // As on a screen: a frame's work, then the rest of its sixtieth of a second.
            std::thread::sleep(Duration::from_millis(8));
            for news in told.try_iter() {
                let event = TrainEvent::Step(TrainProgress::Step(news));
                harness
                    .state_mut()
                    .on_event(leukoscope::app::train::Event::Job(Generation::default(), event), i as f64 / 60.0);
            }
        }
        let begun = Instant::now();
        harness.step();
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place among the times")]
    let at = |q: f64| times[((times.len() - 1) as f64 * q) as usize];
    println!("{what}: 400 frames, median {:.1} ms, p95 {:.1} ms, max {:.1} ms", at(0.5), at(0.95), at(1.0));
}

/// All layers of the bundled network on every core, without end.
fn train(tell: &SyncSender<StepMetrics>) {
    let read = read_network(&vet_graph(embedded_bytes()).unwrap()).unwrap();
    let (n, classes, net) = (32, read.network.classes, Net::new(&read.network, 128));
    let batch = Batch {
        inputs: (0..n * net.input_len(0)).map(|i| (i % 255) as f32 / 255.0).collect(),
        targets: (0..n * classes).map(|i| f32::from(u8::from(i % classes == 1))).collect(),
        keep: Vec::new(),
    };
    let mut engine = CpuEngine::new(net, 0, 0).unwrap();
    let mut gradient = vec![0.0; read.values.len()];
    for step in 1.. {
        let loss = engine.gradients(&read.values, &batch, &mut gradient).loss;
        let news = StepMetrics { epoch: 1, step, steps: 10_000, loss, accuracy: 0.5, images: n };
        if tell.send(news).is_err() {
            return;
        }
    }
}
