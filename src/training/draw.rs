//! Which training images an epoch takes, in what order: all of them, or drawn by class and laboratory. Nothing is read here.

use fastrand::Rng;
use std::collections::BTreeMap;

/// Positions of the training images (item and class) of an epoch: all of them in a new order, or, where `balance` is above 0, drawn by class
/// (1/n to the power of `balance`), and as many of each laboratory. `sources` has the laboratory of each, or nothing.
pub(super) fn draw(train: &[(usize, usize)], sources: &[usize], balance: f64, random: &mut Rng) -> Vec<usize> {
    let n = train.len();
    if balance <= 0.0 {
        let mut order: Vec<usize> = (0..n).collect();
        random.shuffle(&mut order);
        return order;
    }
    let mut strata = BTreeMap::<(usize, usize), Vec<usize>>::new();
    for (i, (_, class)) in train.iter().enumerate() {
        let source = sources.get(i).copied().unwrap_or(0);
        strata.entry((source, *class)).or_default().push(i);
    }
    let wanted = |m: &Vec<usize>| (m.len() as f64).powf(1.0 - balance);
    let mut of_source = BTreeMap::<usize, f64>::new();
    strata.iter().for_each(|((source, _), m)| *of_source.entry(*source).or_default() += wanted(m));
    let share = |source: usize| if of_source.len() > 1 { 1.0 / of_source[&source] } else { 1.0 };
    let weights: Vec<f64> = strata.iter().map(|((source, _), m)| wanted(m) * share(*source)).collect();
    let sum: f64 = weights.iter().sum();
    let mut members: Vec<Vec<usize>> = strata.into_values().collect();
    // Within a class every image comes once before any comes twice.
    members.iter_mut().for_each(|m| random.shuffle(m));
    let mut next = vec![0; members.len()];
    (0..n)
        .map(|_| {
            let mut at = random.f64() * sum;
            let class = weights.iter().position(|w| {
                at -= w;
                at < 0.0
            });
            let class = class.unwrap_or(members.len() - 1);
            let m = &mut members[class];
            if next[class] == m.len() {
                random.shuffle(m);
                next[class] = 0;
            }
            next[class] += 1;
            m[next[class] - 1]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balanced_drawing_evens_the_classes() {
        let train: Vec<(usize, usize)> = (0..300).map(|i| (i, usize::from(i >= 280))).collect();
        let order = |seed| draw(&train, &[], 1.0, &mut Rng::with_seed(seed));
        let rare = order(0).into_iter().filter(|i| *i >= 280).count();
        assert!((100..200).contains(&rare), "{rare}");
        assert_ne!(order(0), order(1));
        assert_eq!(order(1), order(1));
    }

    #[test]
    fn laboratories_are_drawn_equally_whatever_their_size() {
        // 270 images of the first, two classes; 30 of the second, which lacks one.
        let train: Vec<(usize, usize)> = (0..300).map(|i| (i, usize::from(i < 60))).collect();
        let sources: Vec<usize> = (0..300).map(|i| usize::from(i >= 270)).collect();
        let drawn: Vec<usize> =
            (0..20).flat_map(|seed| draw(&train, &sources, 0.5, &mut Rng::with_seed(seed))).collect();
        let share = |of: &dyn Fn(usize) -> bool| drawn.iter().filter(|i| of(**i)).count() as f64 / drawn.len() as f64;
        assert!((share(&|i| i >= 270) - 0.5).abs() < 0.03, "{}", share(&|i| i >= 270));
        let rare = 60f64.sqrt() / (60f64.sqrt() + 210f64.sqrt()) / 2.0;
        assert!((share(&|i| i < 60) - rare).abs() < 0.03, "{} {rare}", share(&|i| i < 60));
        let alike = draw(&train, &[], 0.5, &mut Rng::with_seed(0));
        assert!(alike.iter().filter(|i| **i >= 270).count() < 60);
    }

    #[test]
    fn without_balance_every_image_comes_once() {
        let train: Vec<(usize, usize)> = (0..50).map(|i| (i, i % 3)).collect();
        let mut order = draw(&train, &[], 0.0, &mut Rng::with_seed(4));
        assert_ne!(order, (0..50).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..50).collect::<Vec<_>>());
    }
}
