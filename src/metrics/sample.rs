//! Answers with their references: what every score is computed from.
//!
//! Orders by score are kept, so that a corrected label costs no sorting. Nothing here draws by chance.

use super::confusion::Confusion;

/// Answers of a model to labelled cells.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    classes: usize,
    references: Vec<usize>,
    /// `[n, classes]`, each row summing to one.
    probabilities: Vec<f64>,
    predicted: Vec<usize>,
    groups: Vec<usize>,
    /// Rows by falling probability, for each class.
    orders: Vec<Vec<u32>>,
    /// Rows by falling confidence.
    by_confidence: Vec<u32>,
}

impl Sample {
    /// Takes `n` reference classes, probabilities `[n, classes]` (rows are brought to a sum of one) and what belongs
    /// together (a slide, copies of one cell). `None` where lengths do not fit, a class is beyond the set, or a
    /// probability is not a number of at least zero.
    pub fn new(classes: usize, references: Vec<usize>, probabilities: &[f64], groups: Vec<usize>) -> Option<Self> {
        let n = references.len();
        let fits = classes > 0 && probabilities.len() == n * classes && groups.len() == n && u32::try_from(n).is_ok();
        if !fits || references.iter().any(|t| *t >= classes) {
            return None;
        }
        let mut own = Vec::with_capacity(probabilities.len());
        for row in probabilities.chunks_exact(classes) {
            let sum: f64 = row.iter().sum();
            if !sum.is_finite() || sum <= 0.0 || row.iter().any(|p| *p < 0.0) {
                return None;
            }
            own.extend(row.iter().map(|p| p / sum));
        }
        let predicted: Vec<usize> = own.chunks_exact(classes).map(first_largest).collect();
        #[expect(clippy::cast_possible_truncation, reason = "checked above")]
        let order = |key: &dyn Fn(usize) -> f64| {
            let mut order: Vec<u32> = (0..n as u32).collect();
            order.sort_by(|a, b| key(*b as usize).total_cmp(&key(*a as usize)).then(a.cmp(b)));
            order
        };
        let orders = (0..classes).map(|c| order(&|row| own[row * classes + c])).collect();
        let by_confidence = order(&|row| own[row * classes + predicted[row]]);
        Some(Self { classes, references, probabilities: own, predicted, groups, orders, by_confidence })
    }

    pub fn classes(&self) -> usize {
        self.classes
    }

    pub fn len(&self) -> usize {
        self.references.len()
    }

    pub fn is_empty(&self) -> bool {
        self.references.is_empty()
    }

    /// Reference class of each row.
    pub fn references(&self) -> &[usize] {
        &self.references
    }

    /// Class with the largest probability (the first on a tie) of each row.
    pub fn predicted(&self) -> &[usize] {
        &self.predicted
    }

    pub fn groups(&self) -> &[usize] {
        &self.groups
    }

    pub fn row(&self, row: usize) -> &[f64] {
        &self.probabilities[row * self.classes..][..self.classes]
    }

    /// The largest probability of a row.
    pub fn confidence(&self, row: usize) -> f64 {
        self.row(row)[self.predicted[row]]
    }

    pub fn right(&self, row: usize) -> bool {
        self.references[row] == self.predicted[row]
    }

    /// Rows by falling probability of a class.
    pub fn order(&self, class: usize) -> &[u32] {
        &self.orders[class]
    }

    /// Rows by falling confidence.
    pub fn by_confidence(&self) -> &[u32] {
        &self.by_confidence
    }

    /// Gives a row another reference class; ignored when it is beyond the set.
    pub fn correct(&mut self, row: usize, class: usize) {
        if class < self.classes && row < self.references.len() {
            self.references[row] = class;
        }
    }

    pub fn confusion(&self) -> Confusion {
        Confusion::new(self.classes, self.references.iter().copied().zip(self.predicted.iter().copied()))
    }
}

/// Position of the largest value, the first on a tie.
fn first_largest(row: &[f64]) -> usize {
    row.iter().enumerate().fold(0, |best, (i, v)| if *v > row[best] { i } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(Sample::new(2, vec![0, 2], &[0.5; 4], vec![0, 1]).is_none());
        assert!(Sample::new(2, vec![0], &[f64::NAN, 0.5], vec![0]).is_none());
        assert!(Sample::new(2, vec![0], &[-0.1, 0.5], vec![0]).is_none());
        assert!(Sample::new(2, vec![0], &[0.5; 3], vec![0]).is_none());
        let s = Sample::new(2, vec![0, 1], &[0.5, 0.5, 0.2, 0.6], vec![0, 1]).expect("fits");
        assert_eq!((s.predicted(), s.by_confidence()), (&[0, 1][..], &[1, 0][..]));
        assert!((s.row(1)[1] - 0.75).abs() < 1e-15);
    }
}
