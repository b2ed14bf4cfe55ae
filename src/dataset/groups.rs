//! Which images belong together: by the dataset's own column, else by what their file names say, joined with
//! near-duplicates. What was read from the names is kept in words, for a person to look at.

use super::scan::Item;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How images are grouped before a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Grouping {
    /// The CSV's column where there is one, else file names; joined with near-duplicates.
    #[default]
    Auto,
    /// Each image by itself: the classic random split.
    None,
    /// The CSV's column and nothing else.
    Column,
}

/// What a file name says about where its image comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pattern {
    /// The CSV's column.
    Column,
    /// `patient 12`, `pat-12`, `donor12`, `subject_12`, `case12`.
    Patient,
    /// `slide 3`, `smear-3`, or a prefix like `B-30_` before the number of a picture.
    Slide,
    /// A date: `20190526`, `2019-05-26`, `95-8-24`.
    Date,
    /// `…_PARENT_COPY`: copies made from one picture.
    Parent,
    /// Nothing: the image stands alone.
    Alone,
}

impl Pattern {
    /// In words.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Column => "the CSV's group column",
            Self::Patient => "patient in the file name",
            Self::Slide => "slide in the file name",
            Self::Date => "date in the file name",
            Self::Parent => "parent of an augmented copy in the file name (…_PARENT_COPY)",
            Self::Alone => "no group: each image by itself",
        }
    }
}

/// The groups of a list of images.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Groups {
    /// The group of each image, from 0, in order of first appearance.
    pub of: Vec<usize>,
    /// How many groups.
    pub count: usize,
    /// Patterns in use: how many images, how many groups, an example "name in group".
    pub patterns: Vec<(Pattern, usize, usize, String)>,
    /// Pairs of near-duplicates that were joined although nothing else said so.
    pub joined: usize,
}

impl Groups {
    /// What the file names or the CSV said, a line a pattern.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let line = |(pattern, images, count, example): &(Pattern, usize, usize, String)| {
            let example = if example.is_empty() { String::new() } else { format!(" ({example})") };
            format!("{}: {images} images in {count} groups{example}", pattern.text())
        };
        self.patterns.iter().map(line).collect()
    }
}

/// Groups images. `alike` are pairs of near-duplicates, as positions.
#[must_use]
pub fn group(items: &[Item], how: Grouping, alike: &[(usize, usize)]) -> Groups {
    let named: Vec<(Pattern, String)> = match how {
        Grouping::None => items.iter().map(|i| (Pattern::Alone, i.name.clone())).collect(),
        Grouping::Column => items
            .iter()
            .map(|i| i.group.clone().map_or((Pattern::Alone, format!("\0{}", i.name)), |g| (Pattern::Column, g)))
            .collect(),
        Grouping::Auto if items.iter().any(|i| i.group.is_some()) => {
            let rest = by_names(items);
            let own = items.iter().map(|i| i.group.clone());
            own.zip(rest).map(|(g, named)| g.map_or(named, |g| (Pattern::Column, g))).collect()
        }
        Grouping::Auto => by_names(items),
    };
    let mut first = BTreeMap::new();
    let mut union = Union::new(items.len());
    for (i, key) in named.iter().enumerate() {
        match first.get(key) {
            Some(&j) => union.join(i, j),
            None => {
                first.insert(key.clone(), i);
            }
        }
    }
    let mut joined = 0;
    if how == Grouping::Auto {
        for &(i, j) in alike {
            joined += usize::from(union.root(i) != union.root(j));
            union.join(i, j);
        }
    }
    let mut numbers = BTreeMap::new();
    let of: Vec<usize> = (0..items.len())
        .map(|i| {
            let n = numbers.len();
            *numbers.entry(union.root(i)).or_insert(n)
        })
        .collect();
    let mut patterns: BTreeMap<Pattern, (usize, std::collections::BTreeSet<&str>, String)> = BTreeMap::new();
    for (item, (pattern, key)) in items.iter().zip(&named) {
        let e = patterns.entry(*pattern).or_default();
        e.0 += 1;
        e.1.insert(key);
        if e.2.is_empty() && *pattern != Pattern::Alone {
            e.2 = format!("{} in {key}", item.name);
        }
    }
    let patterns = patterns.into_iter().map(|(p, (n, keys, example))| (p, n, keys.len(), example)).collect();
    Groups { of, count: numbers.len(), patterns, joined }
}

type Reading = (Pattern, fn(&str, &str) -> Option<String>);

/// In the order of trust: the coarsest thing that a name says wins.
const READINGS: [Reading; 4] =
    [(Pattern::Patient, patient), (Pattern::Slide, slide), (Pattern::Date, date), (Pattern::Parent, parent)];

fn by_names(items: &[Item]) -> Vec<(Pattern, String)> {
    let mut named: Vec<Option<(Pattern, String)>> = vec![None; items.len()];
    for (pattern, read) in READINGS {
        let mut keys: Vec<Option<String>> = Vec::with_capacity(items.len());
        let mut sizes: BTreeMap<String, usize> = BTreeMap::new();
        for (item, named) in items.iter().zip(&named) {
            let key = if named.is_some() {
                None
            } else {
                split_name(&item.name).and_then(|(folder, stem)| read(folder, stem))
            };
            if let Some(k) = &key {
                *sizes.entry(k.clone()).or_default() += 1;
            }
            keys.push(key);
        }
        let read: usize = sizes.values().sum();
        let largest = sizes.values().copied().max().unwrap_or(0);
        // A reading is believed when it makes several groups, some of them of several images, and no group that is
        // most of the data: else it reads something that is no origin (a class, a running number).
        let believed = sizes.len() >= 3 && read > sizes.len() && 10 * largest <= 6 * items.len();
        if believed {
            for (named, key) in named.iter_mut().zip(keys) {
                if let Some(key) = key {
                    *named = Some((pattern, key));
                }
            }
        }
    }
    named.into_iter().zip(items).map(|(n, item)| n.unwrap_or_else(|| (Pattern::Alone, item.name.clone()))).collect()
}

/// Folder (without the file) and stem of a name.
fn split_name(name: &str) -> Option<(&str, &str)> {
    let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
    let stem = file.rsplit_once('.').map_or(file, |(s, _)| s);
    (!stem.is_empty()).then_some((folder, stem))
}

/// A word of `words`, then an optional separator, then letters and digits up to the next separator.
fn after_word(text: &str, words: &[&str]) -> Option<String> {
    let lower = text.to_lowercase();
    for word in words {
        for (at, _) in lower.match_indices(word) {
            let starts = at == 0 || !lower.as_bytes()[at - 1].is_ascii_alphabetic();
            let rest = lower[at + word.len()..].trim_start_matches(['-', '_', ' ', '#']);
            let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
            if starts && !number.is_empty() {
                return Some(format!("{word} {number}"));
            }
        }
    }
    None
}

fn patient(folder: &str, stem: &str) -> Option<String> {
    let words = ["patient", "donor", "subject", "case", "pat"];
    after_word(stem, &words).or_else(|| after_word(folder, &words))
}

fn slide(folder: &str, stem: &str) -> Option<String> {
    let words = ["slide", "smear"];
    if let Some(s) = after_word(stem, &words).or_else(|| after_word(folder, &words)) {
        return Some(s);
    }
    // `B-30_0047`: letters, a dash, a number, then the number of the picture.
    let (prefix, picture) = stem.split_once('_')?;
    let (letters, number) = prefix.split_once('-')?;
    let all = |s: &str, f: fn(&char) -> bool| !s.is_empty() && s.chars().all(|c| f(&c));
    (all(letters, char::is_ascii_alphabetic)
        && all(number, char::is_ascii_digit)
        && picture.starts_with(|c: char| c.is_ascii_digit()))
    .then(|| format!("slide {prefix}"))
}

fn date(_: &str, stem: &str) -> Option<String> {
    let tokens: Vec<&str> = stem.split(['_', ' ']).collect();
    for token in tokens {
        // 20190526, possibly followed by a time.
        let digits: String = token.chars().take_while(char::is_ascii_digit).collect();
        if matches!(digits.len(), 8 | 14) && is_date(&digits[..4], &digits[4..6], &digits[6..8]) {
            return Some(format!("date {}", &digits[..8]));
        }
        // 2019-05-26 or 95-8-24 (either calendar), possibly followed by a number.
        let parts: Vec<&str> = token.split(['-', '.']).collect();
        if let [y, m, d, ..] = parts[..]
            && is_date(y, m, d)
        {
            return Some(format!("date {y}-{m}-{d}"));
        }
    }
    None
}

fn is_date(year: &str, month: &str, day: &str) -> bool {
    let number = |s: &str, longest: usize| s.parse::<u32>().ok().filter(|_| s.len() <= longest);
    let (Some(y), Some(m), Some(d)) = (number(year, 4), number(month, 2), number(day, 2)) else { return false };
    (year.len() == 2 || (1300..=2100).contains(&y)) && year.len() != 1 && (1..=12).contains(&m) && (1..=31).contains(&d)
}

fn parent(folder: &str, stem: &str) -> Option<String> {
    let (rest, copy) = stem.rsplit_once('_')?;
    let (prefix, parent) = rest.rsplit_once('_').unwrap_or(("", rest));
    let digits = |s: &str| !s.is_empty() && s.chars().all(|c| c.is_ascii_digit());
    (digits(copy) && digits(parent)).then(|| format!("{folder}/{prefix}_{parent}"))
}

/// Sets that are joined pair by pair.
struct Union(Vec<usize>);

impl Union {
    fn new(n: usize) -> Self {
        Self((0..n).collect())
    }

    fn root(&mut self, mut i: usize) -> usize {
        while self.0[i] != i {
            self.0[i] = self.0[self.0[i]];
            i = self.0[i];
        }
        i
    }

    fn join(&mut self, i: usize, j: usize) {
        let (a, b) = (self.root(i), self.root(j));
        // The smaller root stays, so that the result does not depend on the order of pairs.
        self.0[a.max(b)] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(names: &[&str]) -> Vec<Item> {
        names
            .iter()
            .map(|n| Item {
                path: n.into(),
                name: (*n).into(),
                class: 0,
                group: None,
                part: None,
                error: None,
                square: None,
            })
            .collect()
    }

    fn pattern(names: &[&str]) -> (Pattern, usize) {
        let g = group(&items(names), Grouping::Auto, &[]);
        (g.patterns[0].0, g.count)
    }

    #[test]
    fn each_pattern_is_read() {
        assert_eq!(
            pattern(&["a/_12_3456.jpeg", "a/_12_99.jpeg", "a/_13_1.jpeg", "b/_12_7.jpeg"]),
            (Pattern::Parent, 3)
        );
        assert_eq!(
            pattern(&["a/train_0_1.jpg", "a/train_0_2.jpg", "a/test_0_3.jpg", "a/train_1_3.jpg"]),
            (Pattern::Parent, 3)
        );
        assert_eq!(
            pattern(&["n/B-30_0047.jpg", "n/B-30_0058.jpg", "n/B-31_1.jpg", "n/E-2_1.jpg"]),
            (Pattern::Slide, 3)
        );
        assert_eq!(
            pattern(&["95-8-24-2_54_1.jpg", "95-8-24-1_54_1.jpg", "95-8-17-3_2_1.jpg", "95-9-1-3_2_1.jpg"]),
            (Pattern::Date, 3)
        );
        assert_eq!(
            pattern(&["20190526_1.jpg", "20190526_2.jpg", "20190527_1.jpg", "2019-05-28_1.jpg"]),
            (Pattern::Date, 3)
        );
        assert_eq!(
            pattern(&["patient 1/a.png", "patient 1/b.png", "Patient2/a.png", "patient_3/c.png"]),
            (Pattern::Patient, 3)
        );
    }

    #[test]
    fn a_class_or_a_running_number_is_no_origin() {
        let names: Vec<String> = (0..20).map(|i| format!("basophil/BA_{}.jpg", 1000 + i)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(pattern(&names), (Pattern::Alone, 20));
    }

    #[test]
    fn near_duplicates_join_groups_and_a_random_split_ignores_them() {
        let all = items(&["x1.png", "x2.png", "x3.png"]);
        let g = group(&all, Grouping::Auto, &[(0, 2)]);
        assert_eq!((g.of, g.count, g.joined), (vec![0, 1, 0], 2, 1));
        assert_eq!(group(&all, Grouping::None, &[(0, 2)]).count, 3);
    }

    proptest::proptest! {
        #[test]
        fn joined_pairs_share_a_group_whatever_their_order(mut pairs in proptest::collection::vec((0usize..30, 0usize..30), 0..40)) {
            let names: Vec<String> = (0..30).map(|i| format!("q{i}x.png")).collect();
            let all = items(&names.iter().map(String::as_str).collect::<Vec<_>>());
            let a = group(&all, Grouping::Auto, &pairs);
            for (i, j) in &pairs {
                proptest::prop_assert_eq!(a.of[*i], a.of[*j]);
            }
            pairs.reverse();
            proptest::prop_assert_eq!(a.of, group(&all, Grouping::Auto, &pairs).of);
        }
    }
}
