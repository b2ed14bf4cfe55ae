//! How long scores take: all of them with intervals on 100,000 answers of 8 classes, and what a corrected reference costs
//! at 10,000 cells: `cargo bench --no-default-features --bench metrics`.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement prints, and stops at what it did not expect"
)]

use leukoscope::metrics::{Evaluation, Sample, precision_recall, risk_coverage, roc};
use std::time::Instant;

fn sample(n: usize, classes: usize, groups: usize) -> Sample {
    let mut random = fastrand::Rng::with_seed(1);
    let references: Vec<usize> = (0..n).map(|_| random.usize(..classes)).collect();
    let mut p = Vec::with_capacity(n * classes);
    for t in &references {
        let row: Vec<f64> =
            (0..classes).map(|c| (random.f64() * 3.0 + if c == *t { 2.0 } else { 0.0 }).exp()).collect();
        let sum: f64 = row.iter().sum();
        p.extend(row.iter().map(|v| v / sum));
    }
    Sample::new(classes, references, &p, (0..n).map(|i| i % groups).collect()).unwrap()
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() {
    for groups in [100_000, 2_000, 100] {
        let s = sample(100_000, 8, groups);
        let mut times: Vec<f64> = (0..5)
            .map(|_| {
                let begun = Instant::now();
                std::hint::black_box(Evaluation::new(&s, 1).unwrap());
                begun.elapsed().as_secs_f64()
            })
            .collect();
        println!("100,000 cells, 8 classes, {groups} groups, all intervals: {:.3} s", median(&mut times));
    }
    let mut s = sample(10_000, 5, 10_000);
    let mut times: Vec<f64> = (0..41)
        .map(|i| {
            let begun = Instant::now();
            s.correct(i * 7, i % 5);
            std::hint::black_box(Evaluation::points(&s).unwrap());
            (0..5).for_each(|c| drop(std::hint::black_box((roc(&s, c), precision_recall(&s, c)))));
            std::hint::black_box(risk_coverage(&s));
            begun.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    println!(
        "10,000 cells, 5 classes, one corrected reference, matrix, report and curves: {:.2} ms",
        median(&mut times)
    );
}
