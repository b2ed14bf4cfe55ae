//! Fits what a model remembers of its training images' features, so that later it can tell what is unlike them.
//!
//! Only the fit is here; the distance itself is `model::OodDetector`'s. Everything drawn by chance is drawn from a fixed
//! seed: the same features give the same numbers.

use super::kernels::{Matrix, product};
use crate::metrics::{column_means, inverse_cholesky, leading_axes, orthonormalize};
use crate::model::OodDetector;

/// Principal components. Of 16, 32, 64, 128 and 256, more than 64 told unknown cells no better.
const DIMS: usize = 64;
/// Rounds of subspace iteration.
const ROUNDS: usize = 12;
/// Share of the mean variance that is added to each component's, so that few cells make no thin covariance.
const SHRINK: f64 = 0.01;
/// Share of validation cells above the threshold.
const ABOVE: f64 = 0.05;
/// Cells that a fit needs.
pub const LEAST_CELLS: usize = 20;

/// Fits on features `[n, width]` with their classes; the threshold is set by [`with_calibrated_threshold`]. `None` with fewer than
/// [`LEAST_CELLS`] cells, or features that are not finite or all the same.
#[expect(clippy::cast_possible_truncation, reason = "counts; statistics kept as singles")]
pub fn fit_ood_detector(features: &[f32], classes: &[usize]) -> Option<OodDetector> {
    let n = classes.len();
    if n < LEAST_CELLS || features.is_empty() || features.iter().any(|v| !v.is_finite()) {
        return None;
    }
    let width = features.len() / n;
    let dims = DIMS.min(width / 2).min(n / 4).max(1);
    let mean: Vec<f32> = column_means(features, width).into_iter().map(|m| m as f32).collect();
    let centred: Vec<f32> =
        features.chunks_exact(width).flat_map(|row| row.iter().zip(&mean).map(|(v, m)| v - m)).collect();
    // Subspace iteration for the leading eigenvectors of the covariance, without making the covariance.
    let mut random = fastrand::Rng::with_seed(1);
    let mut basis: Vec<f32> = (0..dims * width).map(|_| random.f32() - 0.5).collect();
    orthonormalize(&mut basis, width);
    let all = Matrix::by_rows(&centred, n, width);
    let mut scores = vec![0f32; n * dims];
    leading_axes(&mut basis, width, ROUNDS, |basis| {
        product(all, Matrix::by_rows(basis, dims, width).transposed(), 0.0, &mut scores);
        product(Matrix::by_rows(&scores, n, dims).transposed(), all, 0.0, basis);
    });
    product(all, Matrix::by_rows(&basis, dims, width).transposed(), 0.0, &mut scores);
    let total: f64 = centred.iter().map(|v| f64::from(*v).powi(2)).sum();
    let within: f64 = scores.iter().map(|v| f64::from(*v).powi(2)).sum();
    let noise = ((total - within) / (n as f64 * (width - dims) as f64)).max(0.0) as f32;
    let count = classes.iter().max().map_or(0, |c| c + 1);
    let (mut centres, mut seen) = (vec![0f64; count * dims], vec![0usize; count]);
    for (row, &class) in scores.chunks_exact(dims).zip(classes) {
        seen[class] += 1;
        centres[class * dims..][..dims].iter_mut().zip(row).for_each(|(c, v)| *c += f64::from(*v));
    }
    for (centre, n) in centres.chunks_exact_mut(dims).zip(&seen) {
        centre.iter_mut().for_each(|c| *c /= (*n).max(1) as f64);
    }
    let mut covariance = vec![0f64; dims * dims];
    for (row, &class) in scores.chunks_exact(dims).zip(classes) {
        let away: Vec<f64> = row.iter().zip(&centres[class * dims..]).map(|(v, c)| f64::from(*v) - c).collect();
        for i in 0..dims {
            for j in 0..=i {
                covariance[i * dims + j] += away[i] * away[j] / n as f64;
            }
        }
    }
    let trace: f64 = (0..dims).map(|i| covariance[i * dims + i]).sum();
    if !(trace > 0.0 && noise > 0.0) {
        return None;
    }
    (0..dims).for_each(|i| covariance[i * dims + i] += SHRINK * trace / dims as f64);
    let whitening = inverse_cholesky(covariance, dims)?;
    let kept: Vec<f32> = centres
        .chunks_exact(dims)
        .zip(&seen)
        .filter(|(_, n)| **n > 0)
        .flat_map(|(c, _)| c.iter().map(|v| *v as f32))
        .collect();
    Some(OodDetector {
        dims,
        mean,
        components: basis,
        whitening: whitening.into_iter().map(|v| v as f32).collect(),
        centres: kept,
        noise,
        threshold: 1.0,
        n,
    })
}

/// Sets the threshold above which 5 % of some cells lie that it was not fitted on. `None` without cells.
pub fn with_calibrated_threshold(familiarity: OodDetector, features: &[f32]) -> Option<OodDetector> {
    let mut distances: Vec<f32> =
        features.chunks_exact(familiarity.mean.len()).filter_map(|f| familiarity.distance(f)).collect();
    distances.sort_by(f32::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a position")]
    let at = ((distances.len() as f64 * (1.0 - ABOVE)).ceil() as usize).clamp(1, distances.len().max(1)) - 1;
    let threshold = *distances.get(at)?;
    (threshold > 0.0 && threshold.is_finite()).then_some(OodDetector { threshold, ..familiarity })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two classes along one axis, spread along another, noise in all of sixteen.
    fn cells(n: usize, seed: u64) -> (Vec<f32>, Vec<usize>) {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut normal = move || (0..12).map(|_| random.f32()).sum::<f32>() - 6.0;
        let (mut features, mut classes) = (Vec::new(), Vec::new());
        for i in 0..n {
            let mut row: Vec<f32> = (0..16).map(|_| normal() * 0.1).collect();
            row[3] += if i % 2 == 0 { 5.0 } else { -5.0 };
            row[7] += normal() * 2.0;
            features.extend(row);
            classes.push(i % 2);
        }
        (features, classes)
    }

    #[test]
    fn five_in_a_hundred_known_cells_are_above_and_others_are_far_above() {
        let (features, classes) = cells(400, 1);
        let fitted = fit_ood_detector(&features, &classes).expect("fits");
        let f = with_calibrated_threshold(fitted, &cells(1000, 2).0).expect("cells");
        let above = cells(4000, 3).0.chunks_exact(16).filter(|c| f.score(c).expect("width") > 1.0).count();
        assert!((120..290).contains(&above), "{above} of 4000");
        let mut strange = vec![0f32; 16];
        strange[3] = 5.0;
        assert!(f.score(&strange).expect("width") < 1.0);
        strange[11] = 3.0;
        assert!(f.score(&strange).expect("width") > 2.0, "beside the components");
        let between = vec![0f32; 16];
        assert!(f.score(&between).expect("width") > 2.0, "between the classes: {:?}", f.score(&between));
    }

    #[test]
    fn too_few_or_unusable_cells_give_none() {
        let (features, classes) = cells(400, 1);
        assert!(fit_ood_detector(&features[..16 * 10], &classes[..10]).is_none());
        assert!(fit_ood_detector(&vec![1.0; 16 * 40], &[0; 40]).is_none());
        assert!(fit_ood_detector(&vec![f32::NAN; 16 * 40], &[0; 40]).is_none());
        assert_eq!(fit_ood_detector(&features, &classes), fit_ood_detector(&features, &classes));
    }
}
