//! The gallery's model: tiles, filters, orders, and what each tile says. Plain values; nothing is drawn.

use super::state::{Filter, GalleryState, Kind, State, TileStatus};
use crate::app::choice::GallerySort;
use crate::domain::{
    CLASSES, CellId, NOT_A_WHITE_CELL, NUCLEATED_RED_CELL, Outcome, Status, UNIDENTIFIED, clinical_rank, is_unfamiliar,
    same_label,
};
use crate::files::display_name;
use crate::inference::similarity;
use crate::session::CellKey;
use crate::workflow::{label_of, suggestion};
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

/// A cell of which the model is less sure than this wants eyes.
const UNSURE: f32 = 0.5;

/// Classes beside the five of a differential that always have a row.
const ALWAYS_LISTED: [&str; 3] = [NUCLEATED_RED_CELL, "smudge cell", NOT_A_WHITE_CELL];

impl State {
    pub fn image_of(&self, tile: CellId) -> Option<&Arc<crate::domain::ImageResult>> {
        self.images.get(tile.image)
    }

    /// The cell of a tile, for the session; none where there is no cell or its image has no digest.
    pub fn key_of(&self, tile: CellId) -> Option<CellKey> {
        let result = self.images.get(tile.image)?;
        Some(CellKey { image: result.digest?, cell: self.cell_of(tile)?.number })
    }

    /// What was found of a tile's cell.
    pub fn cell_of(&self, tile: CellId) -> Option<&crate::domain::CellResult> {
        match &self.images.get(tile.image)?.outcome {
            Outcome::Cells(cells) => cells.iter().find(|c| c.number == tile.number),
            Outcome::Failed(_) => None,
        }
    }

    /// A cell's place among those of its image, from 1, and how many there are.
    pub fn place_of(&self, tile: CellId) -> Option<(usize, usize)> {
        match &self.images.get(tile.image)?.outcome {
            Outcome::Cells(cells) => Some((cells.iter().position(|c| c.number == tile.number)? + 1, cells.len())),
            Outcome::Failed(_) => None,
        }
    }

    /// The label that the model suggests for a tile; none where there is no cell.
    pub fn suggestion(&self, tile: CellId) -> Option<&str> {
        Some(suggestion(self.cell_of(tile)?, self.model.classes.names()))
    }

    /// How sure the model is of a tile's cell, 0..=1.
    pub fn certainty(&self, tile: CellId) -> Option<f32> {
        self.cell_of(tile).map(|c| c.probabilities.top().1)
    }

    /// Label, confidence and status of a tile.
    pub fn verdict(&self, tile: CellId) -> TileStatus<'_> {
        let nothing =
            |label, status, reason| TileStatus { label, confidence: None, model: None, status, reason, reviewed: None };
        let Some(image) = self.images.get(tile.image) else { return nothing("", Status::Failed, "") };
        if let Outcome::Failed(failure) = &image.outcome {
            return nothing("failed", Status::Failed, failure.reason());
        }
        let Some(cell) = self.cell_of(tile) else { return nothing("no white cell", Status::NoCell, "") };
        let person = image.digest.and_then(|d| self.labels.verdicts.get(&CellKey { image: d, cell: cell.number }));
        let suggested = suggestion(cell, self.model.classes.names());
        let (label, reviewed) = label_of(person, suggested);
        let sure = cell.probabilities.top().1;
        TileStatus {
            label,
            confidence: (!reviewed).then_some(sure),
            model: Some((suggested, sure)),
            status: if label == UNIDENTIFIED { Status::Unidentified } else { Status::Ok },
            reason: "",
            reviewed: reviewed.then(|| person.is_some_and(|p| same_label(&p.label, &p.suggested))),
        }
    }

    /// How likely the label of a tile is wrong, for an order: what the model doubts, more so where the cell is unlike its
    /// training images. 0 for what the user has looked at.
    pub fn risk(&self, tile: CellId) -> f32 {
        let ood_score = self.cell_of(tile).and_then(|c| c.ood_score).unwrap_or(0.0).max(1.0);
        match (self.verdict(tile).reviewed, self.certainty(tile)) {
            (Some(_), _) => 0.0,
            (None, Some(p)) => 1.0 - p / ood_score,
            (None, None) => -1.0,
        }
    }

    /// Whether a tile wants eyes: nobody has looked at it, and the model cannot name it, doubts, suspects
    /// something else, or has learnt nothing like it.
    pub fn flagged(&self, tile: CellId) -> bool {
        let v = self.verdict(tile);
        v.reviewed.is_none()
            && self.cell_of(tile).is_some_and(|c| {
                let unsure = c.probabilities.top().1 < UNSURE || !c.accepted;
                unsure || !c.flags.is_empty() || c.ood_score.as_ref().is_some_and(is_unfamiliar)
            })
    }

    fn shown(&self, tile: CellId, needle: &str) -> bool {
        if self.filter == Filter::default() {
            return true;
        }
        let v = self.verdict(tile);
        let kind = match &self.filter.kind {
            Kind::All => true,
            Kind::Label(label) => tile.is_cell() && same_label(v.label, label),
            Kind::Unidentified => v.status == Status::Unidentified,
            Kind::NoCell => v.status == Status::NoCell,
            Kind::Failed => v.status == Status::Failed,
            Kind::Unreviewed => v.reviewed.is_none() && tile.is_cell(),
            Kind::Flagged => self.flagged(tile),
            Kind::Suspected(flag) => self.cell_of(tile).is_some_and(|c| c.flags.contains(flag)),
        };
        let sure = match self.certainty(tile) {
            Some(p) => p * 100.0 >= f32::from(self.filter.from) - 0.5 && p * 100.0 <= f32::from(self.filter.to) + 0.5,
            None => self.filter.from == 0,
        };
        let named = || self.image_of(tile).is_some_and(|i| display_name(&i.path).to_lowercase().contains(needle));
        kind && sure
            && self.filter.slide.is_none_or(|s| self.slides.of_image(tile.image) == Some(s))
            && self.filter.only.as_ref().is_none_or(|only| only.contains(&tile))
            && (needle.is_empty() || named())
    }

    /// Makes `visible` anew from filter and order.
    pub(in crate::app) fn refresh(&mut self) {
        self.gallery = GalleryState::Current;
        let needle = self.filter.name.to_lowercase();
        let mut visible: Vec<CellId> = self.tiles.iter().copied().filter(|t| self.shown(*t, &needle)).collect();
        // Keys are made once: an order of a hundred thousand asks for each of them twenty times.
        let by = |visible: &mut Vec<CellId>, key: &dyn Fn(CellId) -> f32| {
            let mut keyed: Vec<(f32, CellId)> = visible.iter().map(|&t| (key(t), t)).collect();
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            *visible = keyed.into_iter().map(|(_, i)| i).collect();
        };
        // What has no confidence needs eyes first, and comes last among the sure ones.
        let sure = |t: CellId| self.certainty(t).unwrap_or(-1.0);
        match self.sort {
            GallerySort::Name => {}
            GallerySort::LeastConfident => by(&mut visible, &sure),
            GallerySort::MostConfident => by(&mut visible, &|t| -sure(t)),
            GallerySort::MostLikelyWrong => by(&mut visible, &|t| -self.risk(t)),
            GallerySort::Unlike => by(&mut visible, &|t| -self.cell_of(t).and_then(|c| c.ood_score).unwrap_or(-1.0)),
            GallerySort::Similar => {
                let reference = self.similar_to.clone().unwrap_or_default();
                by(&mut visible, &|t| -self.cell_of(t).map_or(-2.0, |c| similarity(&reference, &c.features)));
            }
            GallerySort::Class => {
                // Whole numbers for the class, what is behind the point for the confidence.
                by(&mut visible, &|t| {
                    let rank = if t.is_cell() { clinical_rank(self.verdict(t).label) } else { usize::from(u16::MAX) };
                    rank as f32 + sure(t).clamp(0.0, 0.999)
                });
            }
        }
        self.visible = visible;
        self.keep_selection();
    }

    /// What is not shown is not chosen; what was chosen before an empty view is chosen again after it.
    fn keep_selection(&mut self) {
        let shown: HashSet<CellId> = self.visible.iter().copied().collect();
        self.chosen.retain(|t| shown.contains(t));
        if self.selected.is_some() {
            self.cursor = self.selected;
        }
        if self.selected.is_none_or(|s| !shown.contains(&s)) {
            self.selected = self.cursor.filter(|c| shown.contains(c)).or_else(|| self.visible.first().copied());
        }
    }

    /// The cells that a label is given to: those chosen together, else `one`, else the chosen one.
    pub fn targets(&self, one: Option<CellId>) -> Vec<CellId> {
        if self.chosen.len() > 1 {
            return self.chosen.iter().copied().collect();
        }
        one.or(self.selected).into_iter().collect()
    }

    /// Chooses all tiles between the anchor and `to`, in the order shown.
    pub(in crate::app) fn choose_range(&mut self, to: CellId) {
        let place = |t: CellId| self.visible.iter().position(|&v| v == t);
        let Some((a, b)) = self.anchor.or(self.selected).and_then(place).zip(place(to)) else { return };
        self.chosen = self.visible[a.min(b)..=a.max(b)].iter().copied().collect();
        self.selected = Some(to);
    }

    /// Adds a tile to what is chosen together, or takes it out.
    pub(in crate::app) fn toggle_chosen(&mut self, tile: CellId) {
        if self.chosen.is_empty() {
            self.chosen = self.selected.into_iter().collect();
        }
        if !self.chosen.remove(&tile) {
            self.chosen.insert(tile);
        }
        (self.selected, self.anchor) = (Some(tile), Some(tile));
    }

    pub(in crate::app) fn choose(&mut self, tiles: BTreeSet<CellId>) {
        if let Some(first) = tiles.first() {
            (self.selected, self.anchor) = (Some(*first), Some(*first));
        }
        self.chosen = tiles;
    }

    /// The next tile after the chosen one, in the order shown and from its beginning again, for which something holds.
    pub fn next_where(&self, holds: impl Fn(CellId) -> bool) -> Option<CellId> {
        let at = self.selected.and_then(|s| self.visible.iter().position(|&v| v == s)).map_or(0, |a| a + 1);
        let at = at.min(self.visible.len());
        let (before, after) = self.visible.split_at(at);
        after.iter().chain(before).copied().find(|&t| holds(t))
    }

    /// Labels that have a row in the list on the left: the five of a differential, what the model names, what was given here, and
    /// what is always offered besides; in the laboratory's order.
    pub fn listed(&self) -> Vec<&str> {
        let given = self.slides.counts(None).labels().map(|(l, _)| l).filter(|l| *l != UNIDENTIFIED);
        let always = CLASSES.iter().map(|c| c.label).filter(|l| ALWAYS_LISTED.contains(l) || clinical_rank(l) < 5);
        let mut all: Vec<&str> = Vec::new();
        for label in always.chain(self.model.classes.names().iter().map(String::as_str)).chain(given) {
            if !all.iter().any(|l| same_label(l, label)) {
                all.push(label);
            }
        }
        all.sort_by_key(|l| clinical_rank(l));
        all
    }

    /// Labels that the user can give: the catalogue's in its order, then what the model names and what was given besides.
    pub fn offered(&self) -> Vec<&str> {
        let mut all: Vec<&str> = CLASSES.iter().map(|c| c.label).filter(|l| *l != UNIDENTIFIED).collect();
        for label in self.listed() {
            if !all.contains(&label) {
                all.push(label);
            }
        }
        all
    }
}
