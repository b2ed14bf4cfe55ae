//! The one rule by which numbers become digits: window, page, FHIR values and narrative all round here, and nowhere else.
//!
//! Pure. Half up, each number by itself: 52.5 % is 53 %, in every place where it stands.

use std::fmt;

/// The rule's name, which a signed snapshot keeps.
pub const RULE: &str = "round half up";
/// From this many cells on a percentage has one decimal.
const ONE_DECIMAL_FROM: usize = 200;
/// Decimals of absolute counts, 10⁹ in a litre.
const ABSOLUTE_DECIMALS: usize = 2;
/// What binary fractions lack of the decimal ones that were meant (2.675 is stored as 2.67499…).
const MEANT: f64 = 1e-11;

/// A number with as many decimals as are shown: what is displayed is what is exported.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rounded {
    value: f64,
    decimals: usize,
}

impl Rounded {
    /// Rounds half up.
    pub fn new(value: f64, decimals: usize) -> Self {
        let scale = 10f64.powi(i32::try_from(decimals).unwrap_or(0));
        Self { value: ((value * scale) * (1.0 + MEANT) + 0.5).floor() / scale, decimals }
    }

    /// A share of counts as percent: whole below 200 cells, one decimal from there on. Exact: no fraction is formed before the last
    /// digit. Nothing while nothing is counted.
    pub fn percent(part: usize, all: usize) -> Option<Self> {
        let decimals = usize::from(all >= ONE_DECIMAL_FROM);
        let scale = if decimals == 1 { 10 } else { 1 };
        let (part, all) = (part as u128, all as u128);
        let steps = (part * 200 * scale + all).checked_div(2 * all)?;
        Some(Self { value: steps as f64 / scale as f64, decimals })
    }

    /// A share's limit as percent, always with one decimal.
    pub fn limit(share: f64) -> Self {
        Self::new(100.0 * share, 1)
    }

    /// An absolute count, 10⁹ in a litre.
    pub fn absolute(value: f64) -> Self {
        Self::new(value, ABSOLUTE_DECIMALS)
    }

    /// The number, rounded.
    pub fn value(self) -> f64 {
        self.value
    }

    /// How many decimals are shown.
    pub fn decimals(self) -> usize {
        self.decimals
    }
}

impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.*}", self.decimals, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_up_whatever_binary_makes_of_them() {
        let percent = |part, all| Rounded::percent(part, all).map(|r| r.to_string());
        // 21/40 = 52.5, 13/40 = 32.5, 1/40 = 2.5: half to even would say 52, 32, 2.
        assert_eq!([21, 13, 1].map(|n| percent(n, 40)), ["53", "33", "3"].map(|t| Some(t.to_owned())));
        // 153/400 = 38.25, 5/400 = 1.25
        assert_eq!([153, 5].map(|n| percent(n, 400)), ["38.3", "1.3"].map(|t| Some(t.to_owned())));
        assert_eq!(
            (percent(199, 199), percent(200, 200), percent(0, 0)),
            (Some("100".into()), Some("100.0".into()), None)
        );
        let half = |v, d| Rounded::new(v, d).to_string();
        assert_eq!([half(2.675, 2), half(1.005, 2), half(0.125, 2), half(0.05, 1)], ["2.68", "1.01", "0.13", "0.1"]);
        assert_eq!([half(2.674_999, 2), half(0.0, 2), half(0.004_9, 2)], ["2.67", "0.00", "0.00"]);
    }

    proptest::proptest! {
        #[test]
        fn a_share_rounds_to_what_integers_say(all in 1usize..100_000, part in 0usize..100_000) {
            let part = part.min(all);
            let r = Rounded::percent(part, all).expect("counted");
            let scale = if all >= 200 { 10u8 } else { 1 };
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share in steps")]
            let steps = (r.value() * f64::from(scale)).round() as usize;
            // steps − ½ ≤ 100·part·scale/all < steps + ½, in whole numbers.
            let twice = 200 * part * usize::from(scale);
            proptest::prop_assert!((2 * steps).saturating_sub(1) * all <= twice && twice < (2 * steps + 1) * all);
        }
    }
}
