//! Linear algebra on rows that lie one after another in memory: means, orthonormal axes, principal components, Cholesky factors.
//!
//! Sums are doubles whatever the rows are kept as, and nothing depends on the number of threads but the last digits of a
//! covariance. Large matrix products are not here: whoever has a faster one hands it in.

#![expect(clippy::cast_possible_truncation, reason = "counts")]

use rayon::prelude::*;
use std::ops::{DivAssign, Mul, SubAssign};

/// Rounds of orthogonal iteration for a map, where a component that is nearly another one is as good.
const ROUNDS: usize = 60;

/// A number that axes are kept as.
pub trait Real: Copy + Mul<Output = Self> + SubAssign + DivAssign {
    /// How often Gram–Schmidt goes over the axes: singles lose orthogonality in one pass.
    const PASSES: usize;
    /// An axis shorter than this is nothing, and stays as it is.
    const NOTHING: f64;

    /// Widened.
    fn double(self) -> f64;

    /// Rounded from a double.
    fn rounded(v: f64) -> Self;
}

impl Real for f64 {
    const PASSES: usize = 1;
    const NOTHING: f64 = 1e-12;

    fn double(self) -> f64 {
        self
    }

    fn rounded(v: f64) -> Self {
        v
    }
}

impl Real for f32 {
    const PASSES: usize = 2;
    const NOTHING: f64 = 1e-30;

    fn double(self) -> f64 {
        f64::from(self)
    }

    fn rounded(v: f64) -> Self {
        v as Self
    }
}

/// Mean of each column of `rows`, `[n, width]`; zeros without rows.
pub fn column_means(rows: &[f32], width: usize) -> Vec<f64> {
    let n = (rows.len() / width.max(1)).max(1) as f64;
    let mut mean = vec![0.0f64; width];
    rows.chunks_exact(width).for_each(|r| mean.iter_mut().zip(r).for_each(|(m, v)| *m += f64::from(*v)));
    mean.iter_mut().for_each(|m| *m /= n);
    mean
}

/// Makes axes, `[k, width]`, orthonormal in their order (modified Gram–Schmidt).
pub fn orthonormalize<T: Real>(axes: &mut [T], width: usize) {
    for i in 0..axes.len() / width.max(1) {
        let (before, rest) = axes.split_at_mut(i * width);
        let axis = &mut rest[..width];
        for _ in 0..T::PASSES {
            for other in before.chunks_exact(width) {
                let along = T::rounded(axis.iter().zip(other).map(|(a, b)| a.double() * b.double()).sum());
                axis.iter_mut().zip(other).for_each(|(a, b)| *a -= along * *b);
            }
        }
        let length = axis.iter().map(|a| a.double().powi(2)).sum::<f64>().sqrt();
        if length > T::NOTHING {
            let length = T::rounded(length);
            axis.iter_mut().for_each(|a| *a /= length);
        }
    }
}

/// Orthogonal (subspace) iteration: turns `axes`, `[k, width]`, into the leading eigenvectors of the symmetric matrix that
/// `apply` multiplies each of them by.
pub fn leading_axes<T: Real>(axes: &mut [T], width: usize, rounds: usize, mut apply: impl FnMut(&mut [T])) {
    for _ in 0..rounds {
        apply(axes);
        orthonormalize(axes, width);
    }
}

/// The first principal components of `rows`, `[n, width]`, as `[n, k]`; fewer where the rows are narrower.
pub(super) fn principal_components(rows: &[f32], width: usize, k: usize) -> Vec<f32> {
    let n = rows.len() / width.max(1);
    let k = k.min(width);
    if n == 0 || k == 0 {
        return Vec::new();
    }
    let mean = column_means(rows, width);
    // Covariance, up to its factor.
    let covariance = rows
        .par_chunks(width * 256)
        .map(|part| {
            let mut c = vec![0.0f64; width * width];
            for row in part.chunks_exact(width) {
                let centred: Vec<f64> = row.iter().zip(&mean).map(|(v, m)| f64::from(*v) - m).collect();
                for (i, a) in centred.iter().enumerate() {
                    c[i * width..][..width].iter_mut().zip(&centred).for_each(|(c, b)| *c += a * b);
                }
            }
            c
        })
        .reduce(
            || vec![0.0; width * width],
            |mut a, b| {
                a.iter_mut().zip(&b).for_each(|(a, b)| *a += b);
                a
            },
        );
    // Orthogonal iteration: enough for a map, where a component that is nearly another one is as good.
    let mut chance = fastrand::Rng::with_seed(7);
    let mut axes: Vec<f64> = (0..k * width).map(|_| chance.f64() - 0.5).collect();
    leading_axes(&mut axes, width, ROUNDS, |axes| {
        for a in axes.chunks_exact_mut(width) {
            let turned: Vec<f64> = (0..width)
                .map(|i| covariance[i * width..][..width].iter().zip(a.iter()).map(|(c, v)| c * v).sum())
                .collect();
            a.copy_from_slice(&turned);
        }
    });
    rows.par_chunks_exact(width)
        .flat_map_iter(|row| {
            let centred: Vec<f64> = row.iter().zip(&mean).map(|(v, m)| f64::from(*v) - m).collect();
            let of = |a: &[f64]| a.iter().zip(&centred).map(|(a, v)| a * v).sum::<f64>() as f32;
            axes.chunks_exact(width).map(of).collect::<Vec<f32>>()
        })
        .collect()
}

/// The inverse of the lower Cholesky factor of a symmetric matrix whose lower half is given.
pub fn inverse_cholesky(mut a: Vec<f64>, n: usize) -> Option<Vec<f64>> {
    for i in 0..n {
        for j in 0..=i {
            let sum: f64 = (0..j).map(|k| a[i * n + k] * a[j * n + k]).sum();
            let value = a[i * n + j] - sum;
            a[i * n + j] = if i == j {
                if value <= 0.0 {
                    return None;
                }
                value.sqrt()
            } else {
                value / a[j * n + j]
            };
        }
    }
    let mut out = vec![0.0; n * n];
    for column in 0..n {
        for i in column..n {
            let unit = if i == column { 1.0 } else { 0.0 };
            let sum: f64 = (column..i).map(|k| a[i * n + k] * out[k * n + column]).sum();
            out[i * n + column] = (unit - sum) / a[i * n + i];
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_component_is_where_the_rows_differ_most() {
        // Along (3, 4) by far.
        let rows: Vec<f32> =
            (0..50u8).flat_map(|i| [3.0 * f32::from(i), 4.0 * f32::from(i) + f32::from(i % 2)]).collect();
        let p = principal_components(&rows, 2, 2);
        let (first, second): (Vec<f32>, Vec<f32>) = p.as_chunks::<2>().0.iter().map(|c| (c[0], c[1])).unzip();
        let spread =
            |v: &[f32]| v.iter().copied().fold(f32::MIN, f32::max) - v.iter().copied().fold(f32::MAX, f32::min);
        assert!(
            (spread(&first) - 245.0).abs() < 2.0 && spread(&second) < 1.0,
            "{} {}",
            spread(&first),
            spread(&second)
        );
    }

    #[test]
    fn axes_become_orthonormal_in_either_precision_and_nothing_stays_nothing() {
        fn check<T: Real>(mut axes: Vec<T>, tolerance: f64) {
            orthonormalize(&mut axes, 4);
            let dot =
                |i: usize, j: usize| (0..4).map(|d| axes[i * 4 + d].double() * axes[j * 4 + d].double()).sum::<f64>();
            for i in 0..2 {
                assert!((dot(i, i) - 1.0).abs() < tolerance && dot(0, 1).abs() < tolerance && dot(i, 2) == 0.0);
            }
        }
        let axes = [3.0, 4.0, 0.0, 1.0, 3.0, 4.0, 1e-3, 1.0, 0.0, 0.0, 0.0, 0.0];
        check(axes.to_vec(), 1e-9);
        check(axes.iter().map(|v| f32::rounded(*v)).collect(), 1e-6);
    }

    #[test]
    fn an_inverse_cholesky_factor_whitens() {
        // The lower half alone is read.
        let a = vec![4.0, f64::NAN, 2.0, 5.0];
        let w = inverse_cholesky(a, 2).expect("positive definite");
        // L = [[2, 0], [1, 2]], its inverse [[0.5, 0], [-0.25, 0.5]].
        for (found, wanted) in w.iter().zip([0.5, 0.0, -0.25, 0.5]) {
            assert!((found - wanted).abs() < 1e-12, "{w:?}");
        }
        assert_eq!(inverse_cholesky(vec![1.0, 0.0, 2.0, 4.0], 2), None, "singular");
    }

    #[test]
    fn means_are_of_columns() {
        assert_eq!(column_means(&[1.0, 2.0, 3.0, 6.0], 2), [2.0, 4.0]);
        assert_eq!(column_means(&[], 2), [0.0, 0.0]);
    }
}
