//! A large known folder and a technician's hands: `cargo bench --bench review`.
//!
//! `IMAGES` (100,000) files with kept results are opened a second time: until they are all on the screen, then frames while
//! they are scrolled, and the memory held. Then 1,000 labels are typed: from the key to the label on the disk, and the frame in
//! which it is seen. Frames are the program's own work (state, layout, shapes), not the painting.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement prints, and stops at what it did not expect"
)]

use leukoscope::app::Window;
use leukoscope::app::review::Event;
use leukoscope::domain::{CellResult, Digest, ImageResult, Outcome, Probabilities, Square};
use leukoscope::files::{digest_of, facts};
use leukoscope::imaging::Cells;
use leukoscope::session::{KeptResult, Store};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn main() {
    let n: usize = std::env::var("IMAGES").ok().and_then(|v| v.parse().ok()).unwrap_or(100_000);
    let (slides, sessions) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let made_with = {
        let model = leukoscope::workflow::default_model().unwrap();
        leukoscope::workflow::ResultProvenance::new(
            model.card(),
            Cells::ByScene,
            leukoscope::inference::Finder::default(),
        )
        .to_text()
    };
    fill(n, slides.path(), sessions.path(), &made_with);
    let ctx = egui::Context::default();
    let mut window = Window::new(&ctx, Vec::new(), None, None).unwrap();
    window.keep_sessions_in(sessions.path().to_owned());
    let mut harness = egui_kittest::Harness::builder().with_size([1920.0, 1080.0]).build_ui_state(
        |ui, window: &mut Window| {
            window.logic(&ui.ctx().clone());
            window.draw(ui);
        },
        window,
    );
    harness.run_steps(5);
    let begun = Instant::now();
    harness.state_mut().on_event(Event::Chosen(vec![slides.path().to_owned()]), 1.0);
    while harness.state().state().review.visible.len() < n {
        harness.step();
        std::thread::sleep(Duration::from_millis(2));
    }
    println!("{n} images known before: on the screen after {:.2} s", begun.elapsed().as_secs_f64());
    while harness.state().state().review.job.is_some() {
        harness.step();
        std::thread::sleep(Duration::from_millis(5));
    }
    println!("and every file looked at after {:.2} s", begun.elapsed().as_secs_f64());
    let mut times = Vec::new();
    for i in 0..600 {
        harness.key_press(if i % 200 < 190 { egui::Key::PageDown } else { egui::Key::Home });
        // As on a screen: a frame's work, then the rest of its sixtieth of a second.
        std::thread::sleep(Duration::from_millis(6));
        let begun = Instant::now();
        harness.step();
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    say("scrolling, frame", &mut times);
    println!("memory held {} MB, images {} MB of it", resident() >> 20, harness.state().texture_bytes() >> 20);
    hands(&mut harness);
    println!("memory held {} MB after it", resident() >> 20);
}

/// Files that are all there, and a session that knows them.
fn fill(n: usize, slides: &Path, sessions: &Path, made_with: &str) {
    let sources: Vec<_> = (0..4)
        .map(|i| {
            let folder = slides.join(format!("slide {i}"));
            std::fs::create_dir(&folder).unwrap();
            let bytes =
                leukoscope::imaging::encode_png(&leukoscope::imaging::draw_slide(240, 200, 1, i).image).unwrap();
            (folder, bytes)
        })
        .collect();
    let mut store = Store::open(&sessions.join("test.session"), "the measurement").unwrap().store;
    let mut batch = Vec::new();
    for i in 0..n {
        let (folder, bytes) = &sources[i * 4 / n];
        let path = folder.join(format!("{i:06}.png"));
        // One file many times: what is measured is their number. File systems allow tens of thousands of names for one.
        let first = folder.join(format!("{:06}.png", (i * 4 / n * n).div_ceil(4)));
        if path == first {
            std::fs::write(&path, bytes).unwrap();
        } else {
            std::fs::hard_link(&first, &path).unwrap();
        }
        let p = 0.3 + 0.69 * ((i * 7919) % 1000) as f32 / 1000.0;
        let rest = (1.0 - p) / 4.0;
        let mut values = vec![rest; 5];
        values[i % 5] = p;
        let cell = CellResult {
            number: 1,
            square: Square { x: 60.0, y: 40.0, side: 120.0 },
            probabilities: Probabilities::new(values).unwrap(),
            accepted: true,
            ood_score: Some(0.5),
            features: vec![0.125; 64],
            doubt: None,
            flags: Vec::new(),
            views: None,
        };
        let result = ImageResult {
            index: i,
            path: path.clone(),
            digest: Some(Digest(digest_of(&i.to_le_bytes()).0)),
            size: Some((240, 200)),
            outcome: Outcome::Cells(vec![cell]),
            warnings: vec![],
            provider: Some("cpu".into()),
            rejected: Vec::new(),
        };
        batch.push(KeptResult { facts: facts(&path).unwrap(), result: Arc::new(result) });
        if batch.len() == 5000 || i + 1 == n {
            store.keep_results(made_with, &batch).unwrap();
            batch.clear();
        }
    }
}

/// 1,000 labels, one key after the other.
fn hands(harness: &mut egui_kittest::Harness<'_, Window>) {
    harness.key_press(egui::Key::Home);
    harness.step();
    let (mut durable, mut seen) = (Vec::new(), Vec::new());
    let digits = [egui::Key::Num1, egui::Key::Num2, egui::Key::Num3, egui::Key::Num4, egui::Key::Num5];
    for i in 0..1000 {
        harness.key_press(digits[(i * 7 + 1) % 5]);
        let begun = Instant::now();
        harness.step();
        seen.push(begun.elapsed().as_secs_f64() * 1e3);
        while harness.state().state().review.labels.waiting > 0 {
            std::thread::sleep(Duration::from_micros(300));
            harness.step();
        }
        durable.push(begun.elapsed().as_secs_f64() * 1e3);
        harness.key_press(egui::Key::ArrowRight);
        harness.step();
    }
    say("1,000 labels, key to the frame that shows it", &mut seen);
    say("1,000 labels, key to the disk", &mut durable);
}

fn say(what: &str, times: &mut [f64]) {
    times.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
    let at = |q: f64| times[((times.len() - 1) as f64 * q) as usize];
    println!("{what}: median {:.1} ms, p95 {:.1} ms, max {:.1} ms", at(0.5), at(0.95), at(1.0));
}

/// Bytes of memory that this process holds, where the system says (Linux).
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap_or_default().to_owned();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) * 1024
}
