//! What a model suspects of a cell beside its class: an independent yes or no for kinds that take no part in the classes.
//!
//! A kind that only one laboratory has shown would teach a network the laboratory where it competed with the classes; on their features
//! it does them no harm. Fitting is `training`'s; here are only the numbers in the file and what is asked of them.

use super::manifest_error::ManifestError;
use super::ood::numbers;
use crate::domain::{name_of_flag, same_label};
use serde::{Deserialize, Serialize};

/// A kind of cell that is suspected: logistic regression on the pooled features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flag {
    /// What is suspected, as in the catalogue of cells where it is known there.
    pub label: String,
    /// A factor for each feature, `[features]`.
    #[serde(with = "numbers")]
    pub weights: Vec<f32>,
    /// Added to the weighted sum.
    pub bias: f32,
    /// The sum (log-odds) above which a cell is flagged.
    pub threshold: f32,
    /// Cells of the kind that it was fitted on.
    pub cells: usize,
    /// Cells of the model's classes that it was fitted on.
    pub others: usize,
    /// Share of the kind's own cells that are flagged by fits that had not seen their groups.
    pub found: f64,
    /// Laboratories that show none of the kind: at most 5 % of each one's cells were flagged by a fit that had not seen it. Where there
    /// are none, the threshold was set on the laboratory of the kind alone.
    pub unseen: Vec<String>,
}

impl Flag {
    /// What is wrong with flags.
    pub(super) fn check(flags: &[Self]) -> Result<(), ManifestError> {
        let sound = |f: &Self| {
            let numbers = f.weights.iter().chain([&f.bias, &f.threshold]).all(|v| v.is_finite());
            numbers && !f.weights.is_empty() && !f.label.trim().is_empty() && !f.label.contains(['\n', '\r', ';'])
        };
        let twice = |(at, f): (usize, &Self)| flags[..at].iter().any(|g| same_label(&g.label, &f.label));
        if flags.iter().all(sound) && !flags.iter().enumerate().any(twice) {
            Ok(())
        } else {
            Err(ManifestError::Part("flags whose numbers or names cannot be used"))
        }
    }

    /// How far the log-odds of a cell lie above the threshold: flagged where above 0. `None` for another number of features than it was
    /// fitted on.
    pub fn excess(&self, features: &[f32]) -> Option<f32> {
        let dot = || features.iter().zip(&self.weights).map(|(f, w)| f * w).sum::<f32>();
        (features.len() == self.weights.len()).then(|| dot() + self.bias - self.threshold)
    }

    /// For a report: without the numbers that it answers by.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "label": self.label, "cells": self.cells, "others": self.others, "found": self.found, "unseen": self.unseen,
        })
    }

    /// In words, for the card.
    pub fn to_line(&self) -> String {
        let held = match &self.unseen[..] {
            [] => "threshold set on its own laboratory alone".to_owned(),
            names => format!("at most 5 % of the cells of a laboratory not seen ({}) flagged", names.join(", ")),
        };
        format!("{}: {:.0} % of {} found, {held}", name_of_flag(&self.label), 100.0 * self.found, self.cells)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flag(label: &str) -> Flag {
        Flag {
            label: label.into(),
            weights: vec![1.0, -2.0],
            bias: 0.5,
            threshold: 1.0,
            cells: 20,
            others: 40,
            found: 0.8,
            unseen: vec!["raabin".into()],
        }
    }

    #[test]
    fn a_flag_comes_back_and_rises_above_its_threshold() {
        let f = flag("platelet");
        let read: Flag = serde_json::from_str(&serde_json::to_string(&f).expect("text")).expect("reads");
        assert_eq!(read, f);
        assert_eq!(f.excess(&[3.0, 1.0]), Some(0.5));
        assert_eq!(f.excess(&[1.0]), None);
        assert_eq!(
            f.to_line(),
            "platelet?: 80 % of 20 found, at most 5 % of the cells of a laboratory not seen (raabin) flagged"
        );
    }

    #[test]
    fn flags_that_cannot_be_used_are_refused() {
        assert_eq!(Flag::check(&[flag("platelet"), flag("erythroblast")]), Ok(()));
        assert!(Flag::check(&[flag("platelet"), flag("Platelets")]).is_err(), "twice");
        assert!(Flag::check(&[Flag { bias: f32::NAN, ..flag("a") }]).is_err());
        assert!(
            Flag::check(&[flag("a;b")]).is_err()
                && flag(" ").label.trim().is_empty()
                && Flag::check(&[flag(" ")]).is_err()
        );
    }
}
