//! A short stand-in for a cell's pooled features, for finding cells that look alike: a hundred thousand of them fit into
//! memory. Angles between sketches are nearly those between the features (sign random projection's parent, Achlioptas,
//! "Database-friendly random projections", JCSS 66, 2003).

use std::sync::OnceLock;

pub const SKETCH: usize = 64;

/// The unit vector of `features` projected onto [`SKETCH`] fixed directions of ±1; empty for no features.
pub fn sketch(features: &[f32]) -> Vec<f32> {
    if features.is_empty() {
        return Vec::new();
    }
    let mut out = vec![0.0f32; SKETCH];
    for (f, signs) in features.iter().zip(signs(features.len())) {
        for (j, o) in out.iter_mut().enumerate() {
            *o += if signs >> j & 1 == 1 { *f } else { -*f };
        }
    }
    let norm = out.iter().map(|v| v * v).sum::<f32>().sqrt();
    if norm > 0.0 {
        out.iter_mut().for_each(|v| *v /= norm);
    }
    out
}

/// The cosine of the angle between two sketches, −1..=1; −1 where one of them is none.
pub fn similarity(a: &[f32], b: &[f32]) -> f32 {
    if a.is_empty() || a.len() != b.len() {
        return -1.0;
    }
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// A word of signs for each feature, the same on every machine.
fn signs(n: usize) -> impl Iterator<Item = u64> {
    static SIGNS: OnceLock<Vec<u64>> = OnceLock::new();
    const MOST: usize = 4096;
    let all = SIGNS.get_or_init(|| {
        let mut chance = fastrand::Rng::with_seed(0x1e0c_05c0);
        (0..MOST).map(|_| chance.u64(..)).collect()
    });
    // Wider features than any known network has are folded.
    (0..n).map(|i| all[i % MOST])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn angles_survive() {
        let mut chance = fastrand::Rng::with_seed(3);
        let mut draw = || (0..1280).map(|_| chance.f32().powi(3)).collect::<Vec<f32>>();
        let (a, b) = (draw(), draw());
        let near: Vec<f32> = a.iter().zip(&b).map(|(x, y)| 0.95 * x + 0.05 * y).collect();
        let (sa, sb, sn) = (sketch(&a), sketch(&b), sketch(&near));
        assert!((similarity(&sa, &sa) - 1.0).abs() < 1e-5);
        assert!(similarity(&sa, &sn) > 0.97 && similarity(&sa, &sn) > similarity(&sa, &sb) + 0.1);
        assert!(sketch(&[]).is_empty() && similarity(&[], &sa) < 0.0);
    }
}
