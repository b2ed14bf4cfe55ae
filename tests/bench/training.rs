//! Images per CPU-second of training all layers of the bundled network, one thread: forward, backward, gradients.
//! `tests/bench/training.sh` runs PyTorch on the same machine beside it.

#![expect(clippy::print_stdout, reason = "a measurement prints, and stops at what it did not expect")]

use leukoscope::model::{embedded_bytes, read_network, vet_graph};
use leukoscope::training::{Batch, CpuEngine, Net};
use std::time::Instant;

fn main() {
    let read = read_network(&vet_graph(embedded_bytes()).expect("vets")).expect("reads");
    let (n, classes) = (32, read.network.classes);
    for side in [128, 224] {
        let net = Net::new(&read.network, side);
        let mut random = fastrand::Rng::with_seed(1);
        let batch = Batch {
            inputs: (0..n * net.input_len(0)).map(|_| random.f32() * 2.0 - 1.0).collect(),
            targets: (0..n * classes).map(|i| f32::from(u8::from(i % classes == 1))).collect(),
            keep: Vec::new(),
        };
        let mut engine = CpuEngine::new(net, 0, 1).expect("threads");
        let mut gradient = vec![0.0; read.values.len()];
        engine.gradients(&read.values, &batch, &mut gradient);
        let steps = if side == 128 { 12 } else { 4 };
        let mut times: Vec<f64> = (0..steps)
            .map(|_| {
                let begun = Instant::now();
                engine.gradients(&read.values, &batch, &mut gradient);
                begun.elapsed().as_secs_f64()
            })
            .collect();
        times.sort_by(f64::total_cmp);
        println!(
            "ours {side} px, batch {n}, one thread: {:.1} images/s (median of {steps} steps)",
            n as f64 / times[steps / 2]
        );
    }
}
