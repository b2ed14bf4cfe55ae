//! The gallery's model: tiles, filters, orders, and what each tile says. Plain values; nothing is drawn.

use super::state::State;
use crate::domain::{CLASSES, Outcome, Status, UNIDENTIFIED};
use crate::files::display_name;
use crate::inference::likeness;
use crate::session::CellKey;
use crate::workflow::{label_of, suggestion};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A cell of which the model is less sure than this wants eyes.
const UNSURE: f32 = 0.5;

/// Order of the gallery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum GallerySort {
    /// As listed: by name within each folder.
    #[default]
    Name,
    /// Least sure first.
    LeastConfident,
    /// Most sure first.
    MostConfident,
    /// By class in clinical order, least sure first within a class.
    Class,
    /// What nobody has looked at and is most likely wrong first.
    MostLikelyWrong,
    /// What is least like the model's training images first.
    Unlike,
    /// What looks most like the chosen cell first.
    Similar,
}

impl GallerySort {
    /// All.
    pub const ALL: [Self; 7] = [
        Self::Name,
        Self::LeastConfident,
        Self::MostConfident,
        Self::MostLikelyWrong,
        Self::Class,
        Self::Unlike,
        Self::Similar,
    ];

    /// Its name.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Name => "Name",
            Self::LeastConfident => "Confidence, Lowest First",
            Self::MostConfident => "Confidence, Highest First",
            Self::Class => "Class",
            Self::MostLikelyWrong => "Most Likely Wrong",
            Self::Unlike => "Unlike Training",
            Self::Similar => "Similar to the Chosen Cell",
        }
    }
}

/// Which tiles are shown, by what they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord)]
pub enum Kind {
    /// Everything.
    #[default]
    All,
    /// One class, by its position in the model's labels.
    Class(usize),
    /// Below the abstain threshold.
    Unidentified,
    /// Images without a white cell.
    NoCell,
    /// Images that failed.
    Failed,
    /// Cells that nobody has looked at.
    Unreviewed,
    /// Cells that want eyes: see [`State::flagged`].
    Flagged,
    /// A label beside the model's classes, by its position in [`State::offered`].
    Other(usize),
}

/// Which tiles are shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// By what they are.
    pub kind: Kind,
    /// Confidence at least, percent.
    pub from: u8,
    /// Confidence at most, percent.
    pub to: u8,
    /// Part of the file's name, any case.
    pub name: String,
    /// One slide alone, by its position in [`super::slides::Slides`].
    pub slide: Option<usize>,
    /// These tiles alone, chosen on the map.
    pub only: Option<Arc<BTreeSet<usize>>>,
}

impl Default for Filter {
    fn default() -> Self {
        Self { kind: Kind::All, from: 0, to: 100, name: String::new(), slide: None, only: None }
    }
}

/// One tile: a cell, or an image that has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tile {
    /// Position in [`State::images`].
    pub image: usize,
    /// Position among the image's cells; `None` for an image without one.
    pub cell: Option<usize>,
}

/// What a tile says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict<'a> {
    /// The label, or what stands for it.
    pub label: &'a str,
    /// The class' position in the model's labels.
    pub class: Option<usize>,
    /// 0..=1.
    pub confidence: Option<f32>,
    /// The status of the contract.
    pub status: Status,
    /// Why it failed.
    pub reason: &'a str,
    /// Whether a person confirmed the model's label or gave another one; nothing where nobody looked yet.
    pub reviewed: Option<bool>,
}

impl State {
    /// The image of a tile.
    #[must_use]
    pub fn image_of(&self, tile: usize) -> Option<&Arc<crate::domain::ImageResult>> {
        self.images.get(self.tiles.get(tile)?.image)
    }

    /// The cell of a tile, for the session; none where there is no cell or its image has no digest.
    #[must_use]
    pub fn key_of(&self, tile: Tile) -> Option<CellKey> {
        let result = self.images.get(tile.image)?;
        Some(CellKey { image: result.digest?, cell: self.cell_of(tile)?.number })
    }

    /// What was found of a tile's cell.
    #[must_use]
    pub fn cell_of(&self, tile: Tile) -> Option<&crate::domain::CellResult> {
        match &self.images.get(tile.image)?.outcome {
            Outcome::Cells(cells) => cells.get(tile.cell?),
            Outcome::Failed(_) => None,
        }
    }

    /// The label that the model suggests for a tile; none where there is no cell.
    #[must_use]
    pub fn suggestion(&self, tile: Tile) -> Option<&str> {
        Some(suggestion(self.cell_of(tile)?, self.model.classes.names()))
    }

    /// The position of a label among the model's classes.
    #[must_use]
    pub fn class_of(&self, label: &str) -> Option<usize> {
        self.model.classes.names().iter().position(|l| l == label)
    }

    /// Label, confidence and status of a tile.
    #[must_use]
    pub fn verdict(&self, tile: Tile) -> Verdict<'_> {
        let nothing =
            |label, status, reason| Verdict { label, class: None, confidence: None, status, reason, reviewed: None };
        let image = &self.images[tile.image];
        if let Outcome::Failed(reason) = &image.outcome {
            return nothing("failed", Status::Failed, reason.as_str());
        }
        let Some(cell) = self.cell_of(tile) else { return nothing("no white cell", Status::NoCell, "") };
        let person = image.digest.and_then(|d| self.labels.verdicts.get(&CellKey { image: d, cell: cell.number }));
        let suggested = suggestion(cell, self.model.classes.names());
        let (label, reviewed) = label_of(person, suggested);
        Verdict {
            label,
            class: self.class_of(label),
            confidence: Some(cell.probabilities.top().1),
            status: if label == UNIDENTIFIED { Status::Unidentified } else { Status::Ok },
            reason: "",
            reviewed: reviewed.then(|| person.is_some_and(|p| p.label == p.suggested)),
        }
    }

    /// How likely the label of a tile is wrong, for an order: what the model doubts, more so where the cell is unlike its
    /// training images. 0 for what a person has looked at.
    #[must_use]
    pub fn risk(&self, tile: Tile) -> f32 {
        let v = self.verdict(tile);
        let unlike = self.cell_of(tile).and_then(|c| c.unlike).unwrap_or(0.0).max(1.0);
        match (v.reviewed, v.confidence) {
            (Some(_), _) => 0.0,
            (None, Some(p)) => 1.0 - p / unlike,
            (None, None) => -1.0,
        }
    }

    /// Whether a tile wants eyes: nobody has looked at it, and the model cannot name it, doubts, or has learnt nothing like it.
    #[must_use]
    pub fn flagged(&self, tile: Tile) -> bool {
        let v = self.verdict(tile);
        v.reviewed.is_none()
            && self
                .cell_of(tile)
                .is_some_and(|c| c.unlike.is_some_and(|u| u > 1.0) || c.probabilities.top().1 < UNSURE || !c.accepted)
    }

    fn shown(&self, tile: &Tile, needle: &str, other: Option<&str>) -> bool {
        if self.filter == Filter::default() {
            return true;
        }
        let v = self.verdict(*tile);
        let kind = match self.filter.kind {
            Kind::All => true,
            Kind::Class(c) => v.class == Some(c),
            Kind::Unidentified => v.status == Status::Unidentified,
            Kind::NoCell => v.status == Status::NoCell,
            Kind::Failed => v.status == Status::Failed,
            Kind::Unreviewed => v.reviewed.is_none() && tile.cell.is_some(),
            Kind::Flagged => self.flagged(*tile),
            Kind::Other(_) => Some(v.label) == other,
        };
        let sure = match v.confidence {
            Some(p) => p * 100.0 >= f32::from(self.filter.from) - 0.5 && p * 100.0 <= f32::from(self.filter.to) + 0.5,
            None => self.filter.from == 0,
        };
        kind && sure
            && self.filter.slide.is_none_or(|s| self.slides.of_image(tile.image) == Some(s))
            && (needle.is_empty() || display_name(&self.images[tile.image].path).to_lowercase().contains(needle))
    }

    /// Makes `visible` anew from filter and order.
    pub(super) fn refresh(&mut self) {
        (self.stale, self.grown) = (false, false);
        let needle = self.filter.name.to_lowercase();
        let other = match self.filter.kind {
            Kind::Other(i) => self.offered().get(i).copied(),
            _ => None,
        };
        let mut visible: Vec<usize> =
            (0..self.tiles.len()).filter(|&i| self.shown(&self.tiles[i], &needle, other)).collect();
        if let Some(only) = &self.filter.only {
            visible.retain(|i| only.contains(i));
        }
        // Keys are made once: an order of a hundred thousand asks for each of them twenty times.
        let by = |visible: &mut Vec<usize>, key: &dyn Fn(Tile) -> f32| {
            let mut keyed: Vec<(f32, usize)> = visible.iter().map(|&i| (key(self.tiles[i]), i)).collect();
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            *visible = keyed.into_iter().map(|(_, i)| i).collect();
        };
        // What has no confidence needs eyes first, and comes last among the sure ones.
        let sure = |t: Tile| self.cell_of(t).map_or(-1.0, |c| c.probabilities.top().1);
        match self.sort {
            GallerySort::Name => {}
            GallerySort::LeastConfident => by(&mut visible, &sure),
            GallerySort::MostConfident => by(&mut visible, &|t| -sure(t)),
            GallerySort::MostLikelyWrong => by(&mut visible, &|t| -self.risk(t)),
            GallerySort::Unlike => by(&mut visible, &|t| -self.cell_of(t).and_then(|c| c.unlike).unwrap_or(-1.0)),
            GallerySort::Similar => {
                let reference = self.similar_to.clone().unwrap_or_default();
                by(&mut visible, &|t| -self.cell_of(t).map_or(-2.0, |c| likeness(&reference, &c.features)));
            }
            GallerySort::Class => {
                let mut rank = vec![0u16; self.model.classes.len()];
                for (place, class) in (0u16..).zip(self.model.classes.clinical_order()) {
                    rank[class] = place;
                }
                // Whole numbers for the class, what is behind the point for the confidence.
                by(&mut visible, &|t| {
                    let class = self.verdict(t).class.map_or(f32::from(u16::MAX), |c| f32::from(rank[c]));
                    class + sure(t).clamp(0.0, 0.999)
                });
            }
        }
        self.visible = visible;
        self.keep_selection();
    }

    /// What is not shown is not chosen.
    fn keep_selection(&mut self) {
        let mut shown = vec![false; self.tiles.len()];
        self.visible.iter().for_each(|&i| shown[i] = true);
        self.chosen.retain(|i| shown.get(*i) == Some(&true));
        if self.selected.is_some_and(|s| shown.get(s) != Some(&true)) {
            self.selected = self.visible.first().copied();
        }
    }

    /// The tiles that a label is given to: those chosen together, else `one`, else the chosen one.
    #[must_use]
    pub fn targets(&self, one: Option<usize>) -> Vec<usize> {
        if self.chosen.len() > 1 {
            return self.chosen.iter().copied().collect();
        }
        one.or(self.selected).into_iter().collect()
    }

    /// Chooses all tiles between the anchor and `to`, in the order shown.
    pub(super) fn choose_range(&mut self, to: usize) {
        let place = |t: usize| self.visible.iter().position(|&v| v == t);
        let Some((a, b)) = self.anchor.or(self.selected).and_then(place).zip(place(to)) else { return };
        self.chosen = self.visible[a.min(b)..=a.max(b)].iter().copied().collect();
        self.selected = Some(to);
    }

    /// Adds a tile to what is chosen together, or takes it out.
    pub(super) fn toggle_chosen(&mut self, tile: usize) {
        if self.chosen.is_empty() {
            self.chosen = self.selected.into_iter().collect();
        }
        if !self.chosen.remove(&tile) {
            self.chosen.insert(tile);
        }
        (self.selected, self.anchor) = (Some(tile), Some(tile));
    }

    /// Chooses these together.
    pub(super) fn choose(&mut self, tiles: BTreeSet<usize>) {
        if let Some(first) = tiles.first() {
            (self.selected, self.anchor) = (Some(*first), Some(*first));
        }
        self.chosen = tiles;
    }

    /// The next tile after the chosen one, in the order shown and from its beginning again, for which something holds.
    #[must_use]
    pub fn next_where(&self, holds: impl Fn(Tile) -> bool) -> Option<usize> {
        let at = self.selected.and_then(|s| self.visible.iter().position(|&v| v == s)).map_or(0, |a| a + 1);
        let at = at.min(self.visible.len());
        let (before, after) = self.visible.split_at(at);
        after.iter().chain(before).copied().find(|&i| holds(self.tiles[i]))
    }

    /// Labels that a person can give: the catalogue's in its order, then what the model names and what was given besides.
    #[must_use]
    pub fn offered(&self) -> Vec<&str> {
        let mut all: Vec<&str> = CLASSES.iter().map(|c| c.label).filter(|l| *l != UNIDENTIFIED).collect();
        for name in self.model.classes.names() {
            if !all.contains(&name.as_str()) {
                all.push(name);
            }
        }
        all
    }
}
