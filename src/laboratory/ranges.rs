//! Reference ranges: for whom they hold, in which unit, and how a value lies to them. Pure; no file is read here.

use super::case::{CaseFacts, Sex};
use crate::domain::same_label;
use serde::{Deserialize, Serialize};

/// What a reference range is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Unit {
    /// 10⁹ cells in a litre.
    #[default]
    #[serde(rename = "10*9/L")]
    Absolute,
    /// Percent of the white cells.
    #[serde(rename = "%")]
    Percent,
}

impl Unit {
    pub fn ucum(self) -> &'static str {
        match self {
            Self::Absolute => "10*9/L",
            Self::Percent => "%",
        }
    }

    /// For people.
    pub fn text(self) -> &'static str {
        match self {
            Self::Absolute => "×10⁹/L",
            Self::Percent => "%",
        }
    }
}

/// The label of the white cell count itself among reference ranges.
pub const WBC: &str = "WBC";

/// A laboratory's reference range of one label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReferenceRange {
    /// The label, or [`WBC`].
    pub label: String,
    #[serde(default)]
    pub unit: Unit,
    /// For whom.
    #[serde(default)]
    pub sex: Sex,
    /// From this age on, years.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_years: Option<f64>,
    /// Below this age, years.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_years: Option<f64>,
    /// Lower limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
}

impl ReferenceRange {
    /// What is wrong with it; nothing where it can be used.
    pub fn fault(&self) -> Option<String> {
        let numbers = [self.from_years, self.to_years, self.low, self.high];
        if self.label.trim().is_empty() {
            Some("a range needs a label".into())
        } else if numbers.iter().flatten().any(|v| !v.is_finite() || *v < 0.0) {
            Some(format!("the range of {} has a number below 0", self.label))
        } else if self.low.zip(self.high).is_some_and(|(l, h)| l >= h) {
            Some(format!("the lower limit of {} is not below the upper one", self.label))
        } else if self.from_years.zip(self.to_years).is_some_and(|(f, t)| f >= t) {
            Some(format!("the range of {} begins at an age that is not below the one where it ends", self.label))
        } else if self.low.is_none() && self.high.is_none() {
            Some(format!("the range of {} has no limit", self.label))
        } else {
            None
        }
    }

    /// "2.0–7.5", "< 0.21", "> 4".
    pub fn text(&self) -> String {
        match (self.low, self.high) {
            (Some(low), Some(high)) => format!("{low}–{high}"),
            (None, Some(high)) => format!("< {high}"),
            (Some(low), None) => format!("> {low}"),
            (None, None) => String::new(),
        }
    }
}

/// Example ranges of adults; every laboratory has its own (`reference ranges` of its accreditation).
pub fn example_ranges() -> Vec<ReferenceRange> {
    let range = |label: &str, low: Option<f64>, high: f64| ReferenceRange {
        label: label.into(),
        unit: Unit::Absolute,
        sex: Sex::Any,
        from_years: None,
        to_years: None,
        low,
        high: Some(high),
    };
    vec![
        range(WBC, Some(4.0), 11.0),
        range("neutrophil", Some(2.0), 7.5),
        range("lymphocyte", Some(1.1), 4.0),
        range("monocyte", Some(0.2), 1.0),
        range("eosinophil", Some(0.04), 0.40),
        range("basophil", None, 0.21),
    ]
}

/// Where ranges come from, which a report states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RangeSource {
    /// The program's examples: nobody has validated them.
    Examples,
    /// The laboratory's own.
    Own,
    /// The laboratory's file cannot be read: nothing is judged.
    Unreadable,
}

/// The ranges as they are kept.
#[derive(Debug, Clone, PartialEq)]
pub enum Ranges {
    /// Nobody has entered any: the program's examples.
    Examples(Vec<ReferenceRange>),
    /// The laboratory's own.
    Own(Vec<ReferenceRange>),
    /// The laboratory's file cannot be read, and why. There are no ranges then, and the examples do not stand in for them.
    Unreadable(String),
}

impl Default for Ranges {
    fn default() -> Self {
        Self::Examples(example_ranges())
    }
}

impl Ranges {
    /// Of a list that was read: the examples themselves stay examples, whoever wrote them down.
    pub fn new(list: Vec<ReferenceRange>) -> Self {
        if list == example_ranges() { Self::Examples(list) } else { Self::Own(list) }
    }

    /// The ranges; none where they cannot be read.
    pub fn list(&self) -> &[ReferenceRange] {
        match self {
            Self::Examples(list) | Self::Own(list) => list,
            Self::Unreadable(_) => &[],
        }
    }

    /// Where they come from.
    pub fn source(&self) -> RangeSource {
        match self {
            Self::Examples(_) => RangeSource::Examples,
            Self::Own(_) => RangeSource::Own,
            Self::Unreadable(_) => RangeSource::Unreadable,
        }
    }
}

/// How a value lies to its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// The whole interval is within.
    Normal,
    /// The whole interval is below.
    Low,
    /// The whole interval is above.
    High,
    /// The interval crosses a limit: so few cells cannot tell.
    Indeterminate,
}

impl Flag {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Low => "low",
            Self::High => "high",
            Self::Indeterminate => "indeterminate",
        }
    }
}

/// Where an interval lies to limits; `None` without limits.
pub fn flag((low, high): (f64, f64), range: &ReferenceRange) -> Option<Flag> {
    if range.low.is_none() && range.high.is_none() {
        return None;
    }
    let above = |limit: Option<f64>, v: f64| limit.is_none_or(|l| v >= l);
    let below = |limit: Option<f64>, v: f64| limit.is_none_or(|l| v <= l);
    Some(if above(range.low, low) && below(range.high, high) {
        Flag::Normal
    } else if range.low.is_some_and(|l| high < l) {
        Flag::Low
    } else if range.high.is_some_and(|h| low > h) {
        Flag::High
    } else {
        Flag::Indeterminate
    })
}

/// The range of a label that holds for a case: for its sex before for everybody, a narrower age before a wider one. A range
/// with an age or a sex does not hold where none was entered.
pub(super) fn range_for<'a>(
    label: &str,
    unit: Unit,
    case: &CaseFacts,
    ranges: &'a [ReferenceRange],
) -> Option<&'a ReferenceRange> {
    let holds = |r: &&ReferenceRange| {
        let age = match (r.from_years, r.to_years) {
            (None, None) => true,
            (from, to) => case.age.is_some_and(|a| from.is_none_or(|f| a >= f) && to.is_none_or(|t| a < t)),
        };
        same_label(&r.label, label)
            && r.unit == unit
            && age
            && (r.sex == Sex::Any || r.sex == case.sex)
            && r.fault().is_none()
    };
    ranges.iter().filter(holds).min_by(|a, b| {
        let wide = |r: &ReferenceRange| r.to_years.unwrap_or(f64::INFINITY) - r.from_years.unwrap_or(0.0);
        (a.sex == Sex::Any).cmp(&(b.sex == Sex::Any)).then(wide(a).total_cmp(&wide(b)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_that_crosses_a_limit_is_indeterminate() {
        let range = &example_ranges()[1];
        for (interval, expected) in [
            ((2.5, 7.0), Flag::Normal),
            ((0.5, 1.9), Flag::Low),
            ((7.6, 9.0), Flag::High),
            ((1.9, 2.1), Flag::Indeterminate),
            ((7.0, 8.0), Flag::Indeterminate),
        ] {
            assert_eq!(flag(interval, range), Some(expected));
        }
        let below = &example_ranges()[5];
        assert_eq!((flag((0.0, 0.2), below), flag((0.3, 0.5), below)), (Some(Flag::Normal), Some(Flag::High)));
    }

    #[test]
    fn the_range_for_age_and_sex_comes_before_the_general_one() {
        let mut ranges = example_ranges();
        let own = |sex, from, to, high| ReferenceRange {
            sex,
            from_years: from,
            to_years: to,
            high: Some(high),
            ..example_ranges()[1].clone()
        };
        ranges.push(own(Sex::Any, Some(0.0), Some(2.0), 8.5));
        ranges.push(own(Sex::Female, None, None, 7.1));
        let high = |sex, age| {
            let case = CaseFacts { sex, age, ..CaseFacts::default() };
            range_for("Neutrophils", Unit::Absolute, &case, &ranges).and_then(|r| r.high)
        };
        assert_eq!(high(Sex::Any, None), Some(7.5));
        assert_eq!(high(Sex::Male, Some(1.0)), Some(8.5));
        assert_eq!(high(Sex::Female, Some(40.0)), Some(7.1));
        assert_eq!(high(Sex::Male, Some(2.0)), Some(7.5), "an age below the end");
    }

    #[test]
    fn a_range_that_cannot_be_is_named() {
        let good = example_ranges()[1].clone();
        assert_eq!(good.fault(), None);
        for bad in [
            ReferenceRange { low: Some(9.0), ..good.clone() },
            ReferenceRange { low: None, high: None, ..good.clone() },
            ReferenceRange { label: " ".into(), ..good.clone() },
            ReferenceRange { from_years: Some(5.0), to_years: Some(2.0), ..good.clone() },
            ReferenceRange { low: Some(f64::NAN), ..good.clone() },
        ] {
            assert!(bad.fault().is_some(), "{bad:?}");
        }
    }

    #[test]
    fn examples_stay_examples_until_one_is_edited_and_a_file_that_cannot_be_read_gives_none() {
        assert_eq!(Ranges::new(example_ranges()).source(), RangeSource::Examples);
        let mut own = example_ranges();
        own[1].high = Some(7.0);
        assert_eq!(Ranges::new(own).source(), RangeSource::Own);
        assert!(Ranges::Unreadable("line 3".into()).list().is_empty());
    }
}
