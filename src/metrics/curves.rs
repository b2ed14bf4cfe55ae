//! Curves: receiver operating characteristic, precision–recall, reliability, risk against coverage; and the numbers that
//! are read from them. Point estimates only; intervals are `resample`'s.

#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of cells, bins and ranks")]

use super::sample::Sample;

/// A point of a curve and the score from which on cells count as positive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurvePoint {
    /// Along the first axis.
    pub x: f64,
    /// Along the second axis.
    pub y: f64,
    /// Cells with at least this score are taken for positive.
    pub threshold: f64,
}

/// One class against all others: counts at each distinct score, from the highest down.
fn steps(sample: &Sample, class: usize) -> Vec<(f64, usize, usize)> {
    let (mut out, mut hits, mut misses) = (Vec::new(), 0, 0);
    let order = sample.order(class);
    for (i, &row) in order.iter().enumerate() {
        let score = sample.row(row as usize)[class];
        if sample.references()[row as usize] == class {
            hits += 1;
        } else {
            misses += 1;
        }
        if order.get(i + 1).is_none_or(|&next| sample.row(next as usize)[class] < score) {
            out.push((score, hits, misses));
        }
    }
    out
}

/// The receiver operating characteristic of one class against all others (x false positive rate, y true positive rate)
/// and the area under it by the trapezoidal rule, as scikit-learn's `roc_curve` with `drop_intermediate=False` and
/// `roc_auc_score`. `None` where one side has no cell.
pub fn roc(sample: &Sample, class: usize) -> Option<(Vec<CurvePoint>, f64)> {
    let steps = steps(sample, class);
    let (_, positives, negatives) = *steps.last()?;
    if positives == 0 || negatives == 0 {
        return None;
    }
    let mut points = vec![CurvePoint { x: 0.0, y: 0.0, threshold: f64::INFINITY }];
    let (mut area, mut before) = (0.0, (0usize, 0usize));
    for (threshold, hits, misses) in steps {
        area += (misses - before.1) as f64 * (hits + before.0) as f64 / 2.0;
        before = (hits, misses);
        points.push(CurvePoint { x: misses as f64 / negatives as f64, y: hits as f64 / positives as f64, threshold });
    }
    Some((points, area / (positives as f64 * negatives as f64)))
}

/// Precision (y) against recall (x) of one class against all others, from the highest threshold down, and the average
/// precision Σ (Rᵢ − Rᵢ₋₁) Pᵢ, as scikit-learn's `average_precision_score`. `None` where the class has no cell.
pub fn precision_recall(sample: &Sample, class: usize) -> Option<(Vec<CurvePoint>, f64)> {
    let steps = steps(sample, class);
    let positives = steps.last()?.1;
    if positives == 0 {
        return None;
    }
    let mut points = Vec::with_capacity(steps.len());
    let (mut average, mut before) = (0.0, 0);
    for (threshold, hits, misses) in steps {
        let precision = hits as f64 / (hits + misses) as f64;
        average += (hits - before) as f64 / positives as f64 * precision;
        before = hits;
        points.push(CurvePoint { x: hits as f64 / positives as f64, y: precision, threshold });
    }
    Some((points, average))
}

/// A bin of a reliability diagram.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ReliabilityBin {
    /// Cells.
    pub n: usize,
    /// Their mean confidence; 0 without cells.
    pub confidence: f64,
    /// The share of them that is right; 0 without cells.
    pub accuracy: f64,
}

/// How confidences are put into bins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binning {
    /// Bins of equal width between 0 and 1.
    Width,
    /// Bins of equally many cells.
    Mass,
}

/// Bins of a reliability diagram, as many as are usual (Guo et al., ICML 2017).
pub const BINS: usize = 15;

/// The bin of each row.
pub(super) fn bins(sample: &Sample, how: Binning) -> Vec<usize> {
    let n = sample.len();
    match how {
        // Intervals closed on the right, as in the paper: (0, 1/15], (1/15, 2/15] …
        Binning::Width => {
            (0..n).map(|r| ((sample.confidence(r) * BINS as f64).ceil() as usize).clamp(1, BINS) - 1).collect()
        }
        Binning::Mass => {
            let mut of = vec![0; n];
            for (place, &row) in sample.by_confidence().iter().rev().enumerate() {
                of[row as usize] = place * BINS / n;
            }
            of
        }
    }
}

pub fn reliability(sample: &Sample, how: Binning) -> Vec<ReliabilityBin> {
    let mut sums = vec![(0usize, 0.0, 0usize); BINS];
    for (row, bin) in bins(sample, how).into_iter().enumerate() {
        let s = &mut sums[bin];
        s.0 += 1;
        s.1 += sample.confidence(row);
        s.2 += usize::from(sample.right(row));
    }
    let mean = |sum: f64, n: usize| if n == 0 { 0.0 } else { sum / n as f64 };
    sums.into_iter()
        .map(|(n, c, hits)| ReliabilityBin { n, confidence: mean(c, n), accuracy: mean(hits as f64, n) })
        .collect()
}

/// Expected calibration error Σ n_b/n |accuracy_b − confidence_b| (Naeini et al., AAAI 2015; Guo et al., ICML 2017).
pub fn calibration_error(bins: &[ReliabilityBin]) -> f64 {
    let n: usize = bins.iter().map(|b| b.n).sum();
    bins.iter().map(|b| b.n as f64 * (b.accuracy - b.confidence).abs()).sum::<f64>() / n.max(1) as f64
}

/// Share wrong (y) among the most confident cells (x, their share of all) when cells below a confidence are left to a
/// person; and the area under it, the mean of the shares over all n coverages (AURC; Geifman et al., ICLR 2019). Cells of
/// equal confidence are kept or left together in the points; in the area they count by their mean.
pub fn risk_coverage(sample: &Sample) -> (Vec<CurvePoint>, f64) {
    let (order, n) = (sample.by_confidence(), sample.len());
    let (mut points, mut wrong, mut area, mut at) = (Vec::new(), 0usize, 0.0, 0usize);
    while at < n {
        let confidence = sample.confidence(order[at] as usize);
        let tied = order[at..].iter().take_while(|&&r| sample.confidence(r as usize) >= confidence).count();
        let missed = order[at..at + tied].iter().filter(|&&r| !sample.right(r as usize)).count();
        for k in 1..=tied {
            let expected = wrong as f64 + missed as f64 * k as f64 / tied as f64;
            area += expected / (at + k) as f64;
        }
        at += tied;
        wrong += missed;
        points.push(CurvePoint { x: at as f64 / n as f64, y: wrong as f64 / at as f64, threshold: confidence });
    }
    (points, area / n.max(1) as f64)
}

/// Cells kept from a confidence on, and how many of them are right.
pub fn kept(sample: &Sample, threshold: f64) -> (usize, usize) {
    let kept = sample.by_confidence().iter().take_while(|&&r| sample.confidence(r as usize) >= threshold);
    kept.fold((0, 0), |(n, hits), &r| (n + 1, hits + usize::from(sample.right(r as usize))))
}

/// The points of a precision–recall curve at which a cell of the class was found: what is drawn. Between two of them
/// precision only falls, at the same recall.
pub fn at_hits(points: &[CurvePoint]) -> Vec<CurvePoint> {
    let mut recall = 0.0;
    points
        .iter()
        .copied()
        .filter(|p| {
            let new = p.x > recall;
            recall = p.x;
            new
        })
        .collect()
}

/// At most `most` points of a curve, the ends among them, for drawing; points in the middle of an upright or level run
/// are left out first.
pub fn thinned(points: &[CurvePoint], most: usize) -> Vec<CurvePoint> {
    let between = |i: usize| {
        i > 0
            && i + 1 < points.len()
            && ((points[i - 1].x == points[i].x && points[i].x == points[i + 1].x)
                || (points[i - 1].y == points[i].y && points[i].y == points[i + 1].y))
    };
    let points: Vec<CurvePoint> = (0..points.len()).filter(|&i| !between(i)).map(|i| points[i]).collect();
    if points.len() <= most || most < 2 {
        return points;
    }
    (0..most).map(|i| points[i * (points.len() - 1) / (most - 1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawing_keeps_corners_and_ends() {
        let at = |x: f64, y: f64| CurvePoint { x, y, threshold: 0.0 };
        let steps = [at(0.0, 0.0), at(0.0, 0.2), at(0.0, 0.5), at(0.3, 0.5), at(0.6, 0.5), at(0.6, 1.0), at(1.0, 1.0)];
        let kept: Vec<(f64, f64)> = thinned(&steps, 100).iter().map(|p| (p.x, p.y)).collect();
        assert_eq!(kept, [(0.0, 0.0), (0.0, 0.5), (0.6, 0.5), (0.6, 1.0), (1.0, 1.0)]);
        assert_eq!(thinned(&steps, 2).len(), 2);
        let recall = [at(0.0, 0.0), at(0.5, 1.0), at(0.5, 0.5), at(1.0, 0.7), at(1.0, 0.4)];
        assert_eq!(at_hits(&recall).iter().map(|p| p.y).collect::<Vec<_>>(), [1.0, 0.7]);
    }
}
