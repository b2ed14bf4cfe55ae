//! Points in the plane for cells' features: the ones that look alike lie together. Principal components first (Pearson, 1901), then
//! t-SNE by the Barnes–Hut approximation (van der Maaten, JMLR 15, 2014). For looking, not for measuring: distances between groups in
//! such a map mean nothing.

use super::linalg::principal_components;
use crate::task::{Cancel, Progress};
use rayon::prelude::*;

/// Points that t-SNE itself places; further ones are put among their nearest.
const PLACED: usize = 4000;
const COMPONENTS: usize = 24;
/// Usual numbers of t-SNE (scikit-learn's `TSNE`): neighbours that count, rounds, angle.
const PERPLEXITY: f32 = 30.0;
const EPOCHS: usize = 750;
const THETA: f32 = 0.5;
/// Neighbours that place a further point.
const NEAREST: usize = 5;

/// What a stopped t-SNE unwinds with.
struct Stopped;

/// A place in the plane for each row of `rows`, `[n, width]`; it begins from the first two components, so that groups come to lie in much the same
/// places every time (sums over threads differ in their last digits, and single points with them). `None` when cancelled, or
/// where there are fewer than four rows.
pub fn embed(rows: &[f32], width: usize, cancel: &Cancel, progress: &Progress) -> Option<Vec<[f32; 2]>> {
    let n = rows.len() / width.max(1);
    if n < 4 || cancel.is_cancelled() {
        return None;
    }
    let k = COMPONENTS.min(width);
    let points = principal_components(rows, width, k);
    let step = n.div_ceil(PLACED);
    let placed: Vec<usize> = (0..n).step_by(step).collect();
    progress.set_total(EPOCHS);
    let samples: Vec<&[f32]> = placed.iter().map(|&i| &points[i * k..][..k]).collect();
    // From the first two components, small: groups begin where they belong.
    let spread = samples.iter().map(|s| s[0].abs()).fold(1e-9f32, f32::max);
    let start: Vec<f32> =
        samples.iter().flat_map(|s| [s[0], *s.get(1).unwrap_or(&0.0)].map(|v| 1e-3 * v / spread)).collect();
    let perplexity = PERPLEXITY.min((samples.len() as f32 - 1.0) / 3.5).max(1.0);
    let fitted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        bhtsne::tSNE::<f32, &[f32], 2>::new(&samples)
            .perplexity(perplexity)
            .epochs(EPOCHS)
            .initial_embedding(start)
            .epoch_callback(|_, _| {
                progress.step();
                // The library has no other way to be stopped; this unwinds without a word.
                if cancel.is_cancelled() {
                    std::panic::resume_unwind(Box::new(Stopped));
                }
            })
            .barnes_hut(THETA, |a, b| a.iter().zip(b.iter()).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt())
            .embedding()
    }))
    .ok()?;
    let near: Vec<[f32; 2]> = fitted.as_chunks::<2>().0.to_vec();
    if near.iter().flatten().any(|v| !v.is_finite()) {
        return None;
    }
    let all = (0..n).into_par_iter().map(|i| {
        if cancel.is_cancelled() {
            return None;
        }
        match placed.binary_search(&i) {
            Ok(at) => Some(near[at]),
            Err(_) => Some(among(&points[i * k..][..k], &samples, &near)),
        }
    });
    all.collect()
}

/// The mean place of the nearest samples.
fn among(point: &[f32], samples: &[&[f32]], near: &[[f32; 2]]) -> [f32; 2] {
    let mut best: Vec<(f32, usize)> = Vec::with_capacity(NEAREST + 1);
    for (i, s) in samples.iter().enumerate() {
        let far: f32 = s.iter().zip(point).map(|(a, b)| (a - b).powi(2)).sum();
        if best.len() < NEAREST || far < best[best.len() - 1].0 {
            let at = best.partition_point(|(d, _)| *d <= far);
            best.insert(at, (far, i));
            best.truncate(NEAREST);
        }
    }
    let n = best.len().max(1) as f32;
    [0, 1].map(|axis| best.iter().map(|(_, i)| near[*i][axis]).sum::<f32>() / n)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three clouds in eight dimensions.
    fn clouds(n: usize) -> Vec<f32> {
        let mut chance = fastrand::Rng::with_seed(5);
        (0..n)
            .flat_map(|i| (0..8).map(|d| if d == i % 3 { 6.0 } else { 0.0 } + chance.f32()).collect::<Vec<f32>>())
            .collect()
    }

    #[test]
    fn what_looks_alike_lies_together() {
        let rows = clouds(90);
        let points = embed(&rows, 8, &Cancel::new(), &Progress::default()).expect("a map");
        assert_eq!(points.len(), 90);
        let far = |a: [f32; 2], b: [f32; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
        // The nearest neighbour of nearly every point is of its own cloud.
        let own = (0..90).filter(|&i| {
            let nearest = (0..90)
                .filter(|&j| j != i)
                .min_by(|&a, &b| far(points[i], points[a]).total_cmp(&far(points[i], points[b])));
            nearest.is_some_and(|j| j % 3 == i % 3)
        });
        assert!(own.count() >= 88);
    }

    #[test]
    fn a_map_can_be_stopped_and_too_few_points_are_none() {
        let cancel = Cancel::new();
        cancel.cancel();
        assert_eq!(embed(&clouds(30), 8, &cancel, &Progress::default()), None);
        assert_eq!(embed(&clouds(3), 8, &Cancel::new(), &Progress::default()), None);
        let late = Cancel::new();
        let stop = late.clone();
        std::thread::scope(|s| {
            s.spawn(move || {
                std::thread::sleep(std::time::Duration::from_millis(60));
                stop.cancel();
            });
            assert_eq!(embed(&clouds(3000), 8, &late, &Progress::default()), None);
        });
    }

    #[test]
    fn points_beyond_the_placed_ones_lie_among_their_like() {
        let samples: Vec<Vec<f32>> = vec![vec![0.0], vec![0.1], vec![9.0]];
        let borrowed: Vec<&[f32]> = samples.iter().map(Vec::as_slice).collect();
        let at = among(&[9.1], &borrowed[2..], &[[5.0, 5.0]]);
        assert_eq!(at, [5.0, 5.0]);
        let mean = among(&[0.05], &borrowed[..2], &[[0.0, 0.0], [1.0, 2.0]]);
        assert_eq!(mean, [0.5, 1.0]);
    }
}
