//! Fits a flag: logistic regression on pooled features that tells cells of one kind from the cells of the model's classes, and a threshold
//! that holds in laboratories which the fit did not see. What a flag is lies in `model::Flag`.

use super::kernels::{Matrix, product};
use super::optimizer::{Optimizer, OptimizerSettings};
use crate::metrics::{column_means, wilson};
use std::collections::BTreeSet;

/// Cells of a kind that a flag needs.
pub const LEAST_FLAGGED: usize = 20;
/// Cells of a laboratory that its share above a threshold is counted on.
const LEAST_OTHERS: usize = 20;
/// Share of a laboratory's cells that are flagged at most.
const FALSE: f64 = 0.05;
/// Weight of the squared weights against the mean loss of a cell, for features of variance 1.
const PENALTY: f32 = 0.01;
/// Steps over all cells; after these the weights move no more.
const STEPS: usize = 600;
/// Parts of the groups, each of which is answered by a fit on the others.
const FOLDS: usize = 5;

/// One cell that a flag is fitted on.
#[derive(Debug, Clone, Copy)]
pub struct FlagExample<'a> {
    /// Pooled features, of one length for all cells.
    pub features: &'a [f32],
    /// Whether it is of the kind.
    pub flagged: bool,
    /// A number for its laboratory.
    pub source: usize,
    /// A number for what must not be on both sides of a fit (a slide).
    pub group: usize,
}

/// The numbers of a flag.
#[derive(Debug, Clone, PartialEq)]
pub struct FittedFlag {
    /// `[features]`.
    pub weights: Vec<f32>,
    pub bias: f32,
    /// Log-odds above which a cell is flagged.
    pub threshold: f32,
    /// Share of the kind's cells that are flagged by fits on other groups.
    pub found: f64,
    /// Laboratories without the kind on which the threshold holds, by their numbers.
    pub unseen: Vec<usize>,
}

/// Fits a flag. The threshold is the highest of those that flag at most 5 % of a laboratory's cells: of each laboratory that shows none of the
/// kind by a fit without it, of those that show it by fits on other groups of theirs. `None` with fewer than [`LEAST_FLAGGED`] cells of
/// either sort, or features that are not finite.
pub fn fit_flag(cells: &[FlagExample<'_>]) -> Option<FittedFlag> {
    let flagged = cells.iter().filter(|c| c.flagged).count();
    let width = cells.first()?.features.len();
    let sound =
        width > 0 && cells.iter().all(|c| c.features.len() == width && c.features.iter().all(|v| v.is_finite()));
    if !sound || flagged < LEAST_FLAGGED || cells.len() - flagged < LEAST_FLAGGED {
        return None;
    }
    let all: Vec<usize> = (0..cells.len()).collect();
    let (weights, bias) = logistic(cells, &all)?;
    // Each group's cells by a fit on the other groups.
    let groups: Vec<usize> = cells.iter().map(|c| c.group).collect::<BTreeSet<_>>().into_iter().collect();
    let fold = |c: &FlagExample<'_>| groups.binary_search(&c.group).unwrap_or(0) % FOLDS;
    let mut crossed = vec![f32::NAN; cells.len()];
    for part in 0..FOLDS.min(groups.len()) {
        let (own, others): (Vec<usize>, Vec<usize>) = all.iter().partition(|i| fold(&cells[**i]) == part);
        let Some((w, b)) = logistic(cells, &others) else { continue };
        own.iter().for_each(|i| crossed[*i] = odds(cells[*i].features, &w, b));
    }
    let showing: BTreeSet<usize> = cells.iter().filter(|c| c.flagged).map(|c| c.source).collect();
    let mut own = all.iter().filter(|i| !cells[**i].flagged && showing.contains(&cells[**i].source));
    let own: Vec<f32> = own.by_ref().map(|i| crossed[*i]).filter(|v| !v.is_nan()).collect();
    let mut threshold = upper(own).unwrap_or(0.0);
    let mut unseen = Vec::new();
    for source in cells.iter().map(|c| c.source).collect::<BTreeSet<_>>() {
        let (theirs, others): (Vec<usize>, Vec<usize>) = all.iter().partition(|i| cells[**i].source == source);
        if showing.contains(&source) || theirs.len() < LEAST_OTHERS {
            continue;
        }
        let Some((w, b)) = logistic(cells, &others) else { continue };
        let scores = theirs.iter().map(|i| odds(cells[*i].features, &w, b)).collect();
        threshold = threshold.max(upper(scores)?);
        unseen.push(source);
    }
    let tried: Vec<f32> =
        all.iter().filter(|i| cells[**i].flagged).map(|i| crossed[*i]).filter(|v| !v.is_nan()).collect();
    let found = tried.iter().filter(|v| **v > threshold).count() as f64 / tried.len().max(1) as f64;
    Some(FittedFlag { weights, bias, threshold, found, unseen })
}

/// The value above which so few of some lie that at most [`FALSE`] of all others like them do, by the upper end of the 95 % interval; of too
/// few to tell, the highest. `None` of none.
fn upper(mut scores: Vec<f32>) -> Option<f32> {
    scores.sort_by(f32::total_cmp);
    let n = scores.len();
    let above = (0..n).take_while(|k| wilson(*k, n).high <= FALSE).last().unwrap_or(0);
    scores.get(n.checked_sub(1 + above)?).copied()
}

fn odds(features: &[f32], weights: &[f32], bias: f32) -> f32 {
    features.iter().zip(weights).map(|(f, w)| f * w).sum::<f32>() + bias
}

/// Weights and bias of the regression on the cells at `of`, each sort weighing as much as the other, on features brought to mean 0 and
/// variance 1 and folded back. `None` where a sort is missing.
#[expect(clippy::cast_possible_truncation, reason = "statistics kept as singles")]
fn logistic(cells: &[FlagExample<'_>], of: &[usize]) -> Option<(Vec<f32>, f32)> {
    let flagged = of.iter().filter(|i| cells[**i].flagged).count();
    if flagged == 0 || flagged == of.len() {
        return None;
    }
    let (n, width) = (of.len(), cells[of[0]].features.len());
    let mut rows: Vec<f32> = of.iter().flat_map(|i| cells[*i].features.iter().copied()).collect();
    let mean: Vec<f32> = column_means(&rows, width).into_iter().map(|m| m as f32).collect();
    rows.chunks_exact_mut(width).for_each(|row| row.iter_mut().zip(&mean).for_each(|(v, m)| *v -= m));
    let mut spread = vec![0f64; width];
    for row in rows.chunks_exact(width) {
        spread.iter_mut().zip(row).for_each(|(s, v)| *s += f64::from(*v).powi(2) / n as f64);
    }
    // A feature that never changes says nothing, and must not be divided by nothing.
    let inverse: Vec<f32> = spread.iter().map(|s| if *s > 1e-12 { (1.0 / s.sqrt()) as f32 } else { 0.0 }).collect();
    rows.chunks_exact_mut(width).for_each(|row| row.iter_mut().zip(&inverse).for_each(|(v, i)| *v *= i));
    let weight = |i: &usize| {
        let sort = if cells[*i].flagged { flagged } else { n - flagged };
        0.5 / sort as f32
    };
    let all = Matrix::by_rows(&rows, n, width);
    let settings = OptimizerSettings { rate: 0.05, weight_decay: 0.0, clip: 0.0, warm_up: 0, cosine: true };
    // The last value is the bias.
    let (mut values, mut gradient, mut scores) = (vec![0f32; width + 1], vec![0f32; width + 1], vec![0f32; n]);
    let spared = vec![false; width + 1];
    let mut optimizer = Optimizer::new(width + 1);
    for _ in 0..STEPS {
        product(all, Matrix::by_rows(&values[..width], width, 1), 0.0, &mut scores);
        for (s, i) in scores.iter_mut().zip(of) {
            let p = 1.0 / (1.0 + (-(*s + values[width])).exp());
            *s = weight(i) * (p - f32::from(u8::from(cells[*i].flagged)));
        }
        product(all.transposed(), Matrix::by_rows(&scores, n, 1), 0.0, &mut gradient[..width]);
        gradient[width] = scores.iter().sum();
        gradient[..width].iter_mut().zip(&values).for_each(|(g, w)| *g += PENALTY * w);
        optimizer.step(&mut values, &gradient, &spared, &settings, STEPS);
    }
    let mut bias = values[width];
    values.truncate(width);
    values.iter_mut().zip(&inverse).for_each(|(w, i)| *w *= i);
    bias -= values.iter().zip(&mean).map(|(w, m)| w * m).sum::<f32>();
    Some((values, bias))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Features, whether it is flagged, laboratory, group.
    type Cell = (Vec<f32>, bool, usize, usize);

    /// `n` cells of `width` features; the flagged ones lie `far` along the first, and each laboratory `shift` along the last.
    fn cells(n: usize, far: f32, shift: f32, seed: u64) -> Vec<Cell> {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut normal = move || (0..12).map(|_| random.f32()).sum::<f32>() - 6.0;
        (0..n)
            .map(|i| {
                let source = i % 3;
                let flagged = source == 0 && i % 2 == 0;
                let mut row: Vec<f32> = (0..8).map(|_| normal()).collect();
                row[0] += if flagged { far } else { 0.0 };
                row[7] += shift * source as f32;
                (row, flagged, source, i / 6)
            })
            .collect()
    }

    fn examples(cells: &[Cell]) -> Vec<FlagExample<'_>> {
        cells
            .iter()
            .map(|(f, flagged, source, group)| FlagExample {
                features: f,
                flagged: *flagged,
                source: *source,
                group: *group,
            })
            .collect()
    }

    #[test]
    fn a_flag_finds_its_kind_and_spares_laboratories_it_did_not_see() {
        let own = cells(900, 4.0, 1.5, 1);
        let flag = fit_flag(&examples(&own)).expect("fits");
        assert_eq!(flag.unseen, [1, 2]);
        assert!(flag.found > 0.75, "{}", flag.found);
        let others = cells(3000, 4.0, 1.5, 2);
        let raised = |wanted: &dyn Fn(&Cell) -> bool| {
            let of: Vec<_> = others.iter().filter(|c| wanted(c)).collect();
            let n = of.iter().filter(|c| odds(&c.0, &flag.weights, flag.bias) > flag.threshold).count();
            n as f64 / of.len() as f64
        };
        assert!(raised(&|c| c.1) > 0.75);
        for source in 0..3 {
            assert!(raised(&|c| !c.1 && c.2 == source) < 0.08, "laboratory {source}");
        }
        assert_eq!(fit_flag(&examples(&own)), Some(flag), "the same cells give the same numbers");
    }

    #[test]
    fn too_few_cells_of_a_kind_or_features_that_are_no_numbers_give_none() {
        let few = cells(100, 4.0, 0.0, 3);
        assert!(fit_flag(&examples(&few)).is_none());
        let mut broken = cells(900, 4.0, 0.0, 3);
        broken[5].0[2] = f32::NAN;
        assert!(fit_flag(&examples(&broken)).is_none());
        assert!(fit_flag(&[]).is_none());
    }

    #[test]
    fn the_threshold_leaves_surely_less_than_one_in_twenty_above() {
        // statsmodels 0.14, proportion_confint(k, 1000, method="wilson"): 37 of 1,000 reach 5.06 %, 36 reach 4.94 %.
        assert_eq!(upper((0..1000u16).map(f32::from).collect()), Some(963.0));
        assert_eq!(upper((0..50u8).map(f32::from).collect()), Some(49.0), "too few to tell");
        assert_eq!(upper(Vec::new()), None);
    }

    // scikit-learn 1.9.1: x = [[i % 7 - 3, (i * i) % 5 - 2] for i in range(40)], y = x[0] + 0.5 * x[1] + i % 3 - 1 > 1; x brought to mean 0
    // and variance 1, LogisticRegression(C=100, tol=1e-10) with sample weights 0.5 / cells of the sort: the minimum of the same sum.
    #[test]
    fn the_regression_is_scikit_learns() {
        let rows: Vec<(Vec<f32>, bool)> = (0..40i16)
            .map(|i| {
                let (a, b) = (f32::from(i % 7 - 3), f32::from((i * i) % 5 - 2));
                (vec![a, b], a + 0.5 * b + f32::from(i % 3 - 1) > 1.0)
            })
            .collect();
        let cells: Vec<FlagExample<'_>> = rows
            .iter()
            .map(|(f, flagged)| FlagExample { features: f, flagged: *flagged, source: 0, group: 0 })
            .collect();
        let (weights, bias) = logistic(&cells, &(0..40).collect::<Vec<_>>()).expect("both sorts");
        for (got, expected) in weights.iter().chain([&bias]).zip([1.519_70, 0.475_267, -0.854_232f32]) {
            assert!((got - expected).abs() < 2e-3, "{weights:?} {bias}");
        }
    }
}
