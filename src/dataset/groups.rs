//! Which images belong together: by the dataset's own column, else by what their file names say; images of which neither
//! says anything are put with their lookalikes. What was read from the names is kept in words, for the user to look at.
//! Nothing is split here.

use super::duplicates::NearDuplicatePair;
use super::scan::Item;
use crate::domain::Digest;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// How images are grouped before a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Grouping {
    /// The CSV's column where there is one, else file names, else likeness.
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
    /// `slide 3`, `smear-3`, or a prefix like `B-30_` before the number of an image.
    Slide,
    /// A date: `20190526`, `2019-05-26`, `95-8-24`.
    Date,
    /// `…_PARENT_COPY`: copies made from one image.
    Parent,
    /// Nothing: the image stands alone.
    Alone,
}

impl Pattern {
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
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Groups {
    /// The group of each image, from 0, in order of first appearance.
    pub of: Vec<usize>,
    /// How many groups.
    pub count: usize,
    /// Patterns in use: how many images, how many groups, an example "name in group".
    pub patterns: Vec<(Pattern, usize, usize, String)>,
    /// Lookalikes without a declared group that were joined: how much fewer groups there are by it.
    pub joined: usize,
    /// Lookalikes that lie in different groups all the same, the most alike first: they are told, not joined.
    pub across: Vec<NearDuplicatePair>,
}

impl Groups {
    /// What the file names or the CSV said, a line a pattern.
    pub fn lines(&self) -> Vec<String> {
        let line = |(pattern, images, count, example): &(Pattern, usize, usize, String)| {
            let example = if example.is_empty() { String::new() } else { format!(" ({example})") };
            format!("{}: {images} images in {count} groups{example}", pattern.text())
        };
        self.patterns.iter().map(line).collect()
    }
}

/// What is known of how alike the images are; nothing where nobody looked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Similarity<'a> {
    /// Of each image (and its square): equal ones are the same image.
    pub digests: &'a [Digest],
    /// Near-duplicates, the most alike first.
    pub pairs: &'a [NearDuplicatePair],
}

/// A group of lookalikes holds at most this part of its class' images (and may always hold [`ALWAYS`]): copies of one
/// cell are few, and where everything looks alike (blank fields, one smear) likeness tells nothing apart.
const MOST: usize = 4;
/// Images that a group of lookalikes may always hold.
const ALWAYS: usize = 2;

/// Groups images. What the CSV or the file names declare stands as it is. Only images of which nothing is declared are
/// joined with their lookalikes, and only where *each* looks like each (complete linkage), up to [`MOST`] of a class: a
/// chain of pairs makes no heap of everything. All other lookalikes are in [`Groups::across`].
pub fn group(items: &[Item], how: Grouping, alike: Similarity<'_>) -> Groups {
    let named: Vec<(Pattern, String)> = match how {
        Grouping::None => items.iter().map(|i| (Pattern::Alone, i.name.clone())).collect(),
        Grouping::Column => items
            .iter()
            .map(|i| i.group.clone().map_or((Pattern::Alone, i.name.clone()), |g| (Pattern::Column, g)))
            .collect(),
        Grouping::Auto if items.iter().any(|i| i.group.is_some()) => {
            let rest = by_names(items);
            let own = items.iter().map(|i| i.group.clone());
            own.zip(rest).map(|(g, named)| g.map_or(named, |g| (Pattern::Column, g))).collect()
        }
        Grouping::Auto => by_names(items),
    };
    // Declared groups, by pattern and name; several squares of one file are always together.
    let mut first = BTreeMap::new();
    let mut heaps = Heaps::new(items.len());
    for (i, key) in named.iter().enumerate() {
        match first.get(key) {
            Some(&j) => heaps.join(i, j),
            None => {
                first.insert(key.clone(), i);
            }
        }
    }
    let before = heaps.count();
    if how == Grouping::Auto {
        let free: Vec<bool> = named.iter().map(|(p, _)| *p == Pattern::Alone).collect();
        join_lookalikes(&mut heaps, items, &free, alike);
    }
    let joined = before - heaps.count();
    let of = heaps.numbered();
    let mut patterns: BTreeMap<Pattern, (usize, BTreeSet<&str>, String)> = BTreeMap::new();
    for (item, (pattern, key)) in items.iter().zip(&named) {
        let e = patterns.entry(*pattern).or_default();
        e.0 += 1;
        e.1.insert(key);
        if e.2.is_empty() && *pattern != Pattern::Alone {
            e.2 = format!("{} in {key}", item.name);
        }
    }
    let patterns = patterns.into_iter().map(|(p, (n, keys, example))| (p, n, keys.len(), example)).collect();
    let across = alike.pairs.iter().filter(|p| of[p.pair.0] != of[p.pair.1]).copied().collect();
    Groups { count: heaps.count(), of, patterns, joined, across }
}

/// Joins images of which nothing is declared (`free`) with their lookalikes.
fn join_lookalikes(heaps: &mut Heaps, items: &[Item], free: &[bool], alike: Similarity<'_>) {
    // What the dataset itself puts into different parts is not joined: its parts stand.
    let apart = |heaps: &Heaps, i: usize, j: usize| {
        let part = |k: usize| heaps.members(k).iter().find_map(|&m| items[m].part);
        matches!((part(i), part(j)), (Some(a), Some(b)) if a != b)
    };
    // The same image under several names is one image, however often it is there.
    let mut seen: HashMap<Digest, usize> = HashMap::new();
    for (i, digest) in alike.digests.iter().enumerate().filter(|(i, _)| free[*i]) {
        let j = *seen.entry(*digest).or_insert(i);
        if i != j && !apart(heaps, i, j) {
            heaps.join(i, j);
        }
    }
    let classes = items.iter().map(|i| i.class + 1).max().unwrap_or(0);
    let mut most = vec![0; classes];
    items.iter().for_each(|i| most[i.class] += 1);
    most.iter_mut().for_each(|n| *n = (*n / MOST).max(ALWAYS));
    let known: HashSet<(usize, usize)> = alike.pairs.iter().map(|p| p.pair).collect();
    for &NearDuplicatePair { pair: (i, j), .. } in alike.pairs {
        if !free[i] || !free[j] || heaps.same(i, j) || apart(heaps, i, j) {
            continue;
        }
        let (a, b) = (heaps.members(i), heaps.members(j));
        let mut counts = vec![0; classes];
        a.iter().chain(b).for_each(|&m| counts[items[m].class] += 1);
        let fits = counts.iter().zip(&most).all(|(n, most)| n <= most);
        let same = |x: usize, y: usize| {
            known.contains(&(x.min(y), x.max(y))) || (!alike.digests.is_empty() && alike.digests[x] == alike.digests[y])
        };
        if fits && a.iter().all(|&x| b.iter().all(|&y| same(x, y))) {
            heaps.join(i, j);
        }
    }
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
        // most of the data: else it reads something that is not an origin (a class, a running number).
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
    // `B-30_0047`: letters, a dash, a number, then the number of the image.
    let (prefix, image) = stem.split_once('_')?;
    let (letters, number) = prefix.split_once('-')?;
    let all = |s: &str, f: fn(&char) -> bool| !s.is_empty() && s.chars().all(|c| f(&c));
    (all(letters, char::is_ascii_alphabetic)
        && all(number, char::is_ascii_digit)
        && image.starts_with(|c: char| c.is_ascii_digit()))
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

/// Sets of positions that are joined two by two; each knows its members.
#[derive(Debug, Clone)]
pub(super) struct Heaps {
    home: Vec<usize>,
    members: Vec<Vec<usize>>,
}

impl Heaps {
    pub(super) fn new(n: usize) -> Self {
        Self { home: (0..n).collect(), members: (0..n).map(|i| vec![i]).collect() }
    }

    pub(super) fn same(&self, i: usize, j: usize) -> bool {
        self.home[i] == self.home[j]
    }

    /// Everything that lies with `i`.
    pub(super) fn members(&self, i: usize) -> &[usize] {
        &self.members[self.home[i]]
    }

    pub(super) fn join(&mut self, i: usize, j: usize) {
        let (a, b) = (self.home[i].min(self.home[j]), self.home[i].max(self.home[j]));
        if a == b {
            return;
        }
        let moved = std::mem::take(&mut self.members[b]);
        moved.iter().for_each(|&m| self.home[m] = a);
        self.members[a].extend(moved);
    }

    pub(super) fn count(&self) -> usize {
        self.members.iter().filter(|m| !m.is_empty()).count()
    }

    /// The set of each position, from 0, in order of first appearance.
    pub(super) fn numbered(&self) -> Vec<usize> {
        let mut numbers = HashMap::new();
        self.home
            .iter()
            .map(|home| {
                let next = numbers.len();
                *numbers.entry(*home).or_insert(next)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::SplitPart;

    fn items(names: &[&str]) -> Vec<Item> {
        names
            .iter()
            .map(|n| Item {
                source: None,
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
        let g = group(&items(names), Grouping::Auto, Similarity::default());
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

    fn pair(i: usize, j: usize) -> NearDuplicatePair {
        NearDuplicatePair { pair: (i.min(j), i.max(j)), correlation: 0.9 }
    }

    fn alike(pairs: &[NearDuplicatePair]) -> Similarity<'_> {
        Similarity { digests: &[], pairs }
    }

    #[test]
    fn lookalikes_of_which_nothing_is_declared_are_joined_and_a_random_split_ignores_them() {
        let all = items(&["x1.png", "x2.png", "x3.png"]);
        let pairs = [pair(0, 2)];
        let g = group(&all, Grouping::Auto, alike(&pairs));
        assert_eq!((g.of, g.count, g.joined, g.across.len()), (vec![0, 1, 0], 2, 1, 0));
        let none = group(&all, Grouping::None, alike(&pairs));
        assert_eq!((none.count, none.across.len()), (3, 1));
    }

    /// A chain: each looks like the next one and no other. It was one group of all.
    #[test]
    fn a_chain_of_lookalikes_makes_no_heap() {
        let names: Vec<String> = (0..40).map(|i| format!("q{i}x.png")).collect();
        let all = items(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let chain: Vec<NearDuplicatePair> = (0..39).map(|i| pair(i, i + 1)).collect();
        let g = group(&all, Grouping::Auto, alike(&chain));
        assert_eq!((g.count, g.joined, g.across.len()), (20, 20, 19));
        // Everything like everything: a group holds a quarter at most.
        let clique: Vec<NearDuplicatePair> = (0..40).flat_map(|i| (i + 1..40).map(move |j| pair(i, j))).collect();
        let g = group(&all, Grouping::Auto, alike(&clique));
        let largest = (0..g.count).map(|k| g.of.iter().filter(|o| **o == k).count()).max();
        assert!(g.count >= 4 && largest == Some(10), "{} groups, {largest:?}", g.count);
    }

    #[test]
    fn declared_groups_stand_and_lookalikes_across_them_are_told() {
        let mut all = items(&["a/1.png", "a/2.png", "a/3.png", "a/4.png", "a/5.png", "a/6.png"]);
        for (item, g) in all.iter_mut().zip(["p1", "p1", "p2", "p2", "p3", "p3"]) {
            item.group = Some(g.into());
        }
        let pairs = [pair(0, 1), pair(1, 2), pair(3, 4)];
        let g = group(&all, Grouping::Auto, alike(&pairs));
        assert_eq!((g.count, g.joined, g.of.as_slice()), (3, 0, &[0, 0, 1, 1, 2, 2][..]));
        assert_eq!(g.across.iter().map(|p| p.pair).collect::<Vec<_>>(), [(1, 2), (3, 4)]);
    }

    #[test]
    fn one_image_under_many_names_is_one_group_unless_the_dataset_parts_it() {
        let mut all = items(&["a1.png", "b2x.png", "c3y.png", "d4z.png"]);
        let digests = [7, 7, 7, 1].map(|n| Digest([n; 32]));
        let same = Similarity { digests: &digests, pairs: &[] };
        assert_eq!(group(&all, Grouping::Auto, same).of, [0, 0, 0, 1]);
        (all[0].part, all[2].part) = (Some(SplitPart::Train), Some(SplitPart::Test));
        let g = group(&all, Grouping::Auto, same);
        assert_ne!(g.of[0], g.of[2]);
    }

    #[test]
    fn several_squares_of_one_file_are_one_group() {
        let all = items(&["field.png", "field.png", "other.png"]);
        for how in [Grouping::Auto, Grouping::Column, Grouping::None] {
            assert_eq!(group(&all, how, Similarity::default()).of, [0, 0, 1], "{how:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn members_of_a_group_are_all_alike_and_groups_do_not_depend_on_the_order_of_equal_pairs(
            pairs in proptest::collection::vec((0usize..30, 0usize..30), 0..60),
        ) {
            let names: Vec<String> = (0..30).map(|i| format!("q{i}x.png")).collect();
            let all = items(&names.iter().map(String::as_str).collect::<Vec<_>>());
            let mut pairs: Vec<NearDuplicatePair> =
                pairs.into_iter().filter(|(i, j)| i != j).map(|(i, j)| pair(i, j)).collect();
            pairs.sort_by_key(|p| p.pair);
            pairs.dedup();
            let g = group(&all, Grouping::Auto, alike(&pairs));
            for i in 0..30 {
                for j in i + 1..30 {
                    proptest::prop_assert!(g.of[i] != g.of[j] || pairs.contains(&pair(i, j)));
                }
            }
            proptest::prop_assert_eq!(g.joined + g.count, 30);
            proptest::prop_assert_eq!(&g, &group(&all, Grouping::Auto, alike(&pairs)));
        }
    }
}
