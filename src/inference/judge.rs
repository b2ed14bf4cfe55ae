//! Which of the places that the finder proposes show a white cell. The network says how much it doubts each square; a square that lies
//! beside a cell, holds two, or is far too large is doubted, too. The finder proposes and knows no network; nothing is proposed here.

use super::engine::{Engine, EngineError, Prediction};
use super::provider::Provider;
use crate::domain::{Preprocessing, Square};
use crate::files::digest_of;
use crate::imaging::{CellSource, DyeLook, tensor};
use crate::model::{VettedModel, embedded_bytes, vet};

/// Below this doubt a place of the first look is believed where another criterion shows it, too: no further one is looked for.
const CERTAIN: f32 = 0.2;
/// Below this doubt a place of the first look is believed by itself.
pub(super) const SURE: f32 = 0.05;
/// Above this doubt a place of a field shows no white cell.
pub const REJECTED: f32 = 0.5;
/// The same in an image of one cell that somebody has cut out around it: it takes more to say that there is none.
pub(super) const REJECTED_CROP: f32 = 0.9;
/// The image is cut out around a cell where the cell's square is as wide as this share of its longer side. Of 1,543 cells of five
/// laboratories in images with more around them none was doubted more than 0.2; the widest that was doubted was 1.32 times as wide.
const CUT_AROUND: std::ops::RangeInclusive<f32> = 0.9..=1.4;
/// And where its middle is no further from the image's than this share of the longer side: what happens to lie in a piece of a field is
/// anywhere in it.
const CENTRED: f32 = 0.16;
/// How much less another place must be doubted than the first one to be taken in its stead.
const CLEARLY_LESS: f32 = 0.02;
/// Of the first look, where one cell is wanted.
const FIRST_FOR_ONE: usize = 4;
/// Of what the first look left out, where one cell is wanted.
const NEAR_FOR_ONE: usize = 2;
/// Of all looks, where one cell of a field is wanted.
const MOST_FOR_ONE: usize = 12;
/// The same in an image of one cell, where the first place is nearly always the right one.
const MOST_IN_A_CROP: usize = 6;
/// So many of the last stage are judged at a time in an image of one cell: a sure one among them ends it.
pub(super) const AT_A_TIME: usize = 3;
/// Two squares whose centres are nearer than this share of the smaller side show one cell: two that touch are 0.42 apart or more.
const ONE_CELL: f32 = 0.4;
/// A square smaller than this share of the other, on a lobe of its nucleus, counts as that large.
const LOBE: f32 = 0.65;

/// How the cells of an image are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Finder {
    /// Proposed by several criteria, and judged by a network.
    #[default]
    Judged,
    /// By the colour that nuclei usually have alone; nothing is rejected.
    Plain,
    /// Nothing is looked for: the whole image is the square.
    Whole,
}

impl Finder {
    /// Its word on the command line and in a session.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Judged => "judged",
            Self::Plain => "plain",
            Self::Whole => "whole",
        }
    }
}

/// Whether an image (its middle and longer side, pixels) was cut out around the cell in a square.
pub(super) fn cut_around(square: Square, ((x, y), longer): ((f32, f32), f32)) -> bool {
    let (cx, cy) = square.centre();
    let off = (cx - x).abs().max((cy - y).abs());
    CUT_AROUND.contains(&(square.side / longer)) && off <= CENTRED * longer
}

/// What became of places.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Selection {
    /// Positions of those that are cells, in the order of the places.
    pub(super) kept: Vec<usize>,
    /// Positions of those that are none, least doubted first.
    pub(super) rejected: Vec<usize>,
}

/// How far places are judged. Where one cell is wanted its most evident place comes by itself; where all are, the first two are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(super) enum Stage {
    First,
    Near,
    Everywhere,
}

impl Stage {
    pub(super) const ALL: [Self; 3] = [Self::First, Self::Near, Self::Everywhere];
}

/// How many places there are by each look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Looks {
    pub(super) first: usize,
    pub(super) near: usize,
    pub(super) further: usize,
}

impl Looks {
    /// Positions of the places that are judged at a stage, those of the stages before among them; the next stage where these do not
    /// settle it. The last one has all that are looked at.
    pub(super) fn at(self, stage: Stage, all: bool, crop: bool) -> Vec<usize> {
        let (found, n) = (self.first + self.near, self.first + self.near + self.further);
        let near = self.first..(self.first + self.near.min(NEAR_FOR_ONE));
        let usual = (0..self.first.min(FIRST_FOR_ONE)).chain(near);
        match (stage, all) {
            (Stage::First, false) => (0..self.first.min(1)).collect(),
            (Stage::Near, false) => usual.collect(),
            (Stage::First | Stage::Near, true) => (0..found).collect(),
            (Stage::Everywhere, false) => {
                usual.chain(found..n).take(if crop { MOST_IN_A_CROP } else { MOST_FOR_ONE }).collect()
            }
            (Stage::Everywhere, true) => (0..n).collect(),
        }
    }
}

/// Whether the doubts about places of the first look are enough to go by: then nothing further is looked for. `seconded` says which of
/// them another criterion shows, too. In an image of one cell (`crop`) the first look stays unless it would be rejected in a field.
pub(super) fn settled(crop: bool, doubts: &[f32], seconded: impl FnOnce() -> Option<usize>) -> bool {
    let sure = if crop { REJECTED } else { SURE };
    if doubts.iter().any(|d| *d <= sure) {
        return true;
    }
    doubts.iter().any(|d| *d <= CERTAIN) && seconded().and_then(|at| doubts.get(at)).is_some_and(|d| *d <= CERTAIN)
}

/// The places with their doubts, where a certain one holds most of the dye that red cells lack: then nuclei are what holds it, and the
/// other places are doubted altogether. Where no certain one does, the dye says nothing.
pub(super) fn dyed(places: &[(Square, f32)], dye: &DyeLook) -> Vec<(Square, f32)> {
    let certain = places.iter().any(|(square, doubt)| *doubt <= CERTAIN && dye.most_evident_in(*square));
    let doubted =
        |(square, doubt): &(Square, f32)| (*square, if !certain || dye.shows(*square) { *doubt } else { 1.0 });
    places.iter().map(doubted).collect()
}

/// Chooses among judged places: squares and doubts in the order of their numbers. `all` is whether every cell is wanted; what is doubted
/// more than `limit` is none.
pub(super) fn select(all: bool, places: &[(Square, f32)], limit: f32) -> Selection {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by(|&a, &b| places[a].1.total_cmp(&places[b].1).then(a.cmp(&b)));
    let doubt = |i: usize| places[i].1;
    let mut selection = Selection::default();
    if all {
        for &i in &order {
            let taken = selection.kept.iter().any(|&k| one_cell(places[k].0, places[i].0));
            match (doubt(i) > limit, taken) {
                (_, true) => {}
                (true, false) => selection.rejected.push(i),
                (false, false) => selection.kept.push(i),
            }
        }
        selection.kept.sort_unstable();
        return selection;
    }
    let Some(&least) = order.first() else { return selection };
    let first_stays = doubt(0) <= limit && doubt(0) < doubt(least) + CLEARLY_LESS;
    match (first_stays, doubt(least) <= limit) {
        (true, _) => selection.kept.push(0),
        (false, true) => selection.kept.push(least),
        (false, false) => selection.rejected = order,
    }
    selection
}

/// Whether two squares show one cell.
fn one_cell(a: Square, b: Square) -> bool {
    let ((ax, ay), (bx, by)) = (a.centre(), b.centre());
    (ax - bx).hypot(ay - by) < ONE_CELL * a.side.min(b.side).max(LOBE * a.side.max(b.side))
}

/// The bundled model in the judge's chair, for models that name classes and nothing else.
#[derive(Debug)]
pub(super) struct Judge {
    engine: Engine,
    model: VettedModel,
}

impl Judge {
    /// Loads the bundled model.
    pub(super) fn load() -> Result<Self, EngineError> {
        let bytes = embedded_bytes();
        let model = vet(bytes, digest_of(bytes)).map_err(|e| EngineError::Load(e.to_string()))?;
        Ok(Self { engine: Engine::load(&model, Provider::Cpu, 1)?, model })
    }

    /// How much it doubts squares of an image: it sees them as it was trained to.
    pub(super) fn answers(
        &mut self,
        source: &CellSource<'_>,
        squares: &[Square],
    ) -> Result<Vec<Prediction>, EngineError> {
        let card = self.model.card();
        let Preprocessing::CellSquare(how) = &card.preprocessing else { return Ok(Vec::new()) };
        let mut tensors = Vec::new();
        for square in squares {
            tensor(&source.cut_as(*square, how, card.tensor.size), &card.tensor, &mut tensors);
        }
        self.engine.predict(tensors, squares.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x: f32, side: f32) -> Square {
        Square { x, y: 0.0, side }
    }

    #[test]
    fn the_first_place_stays_unless_it_is_rejected_or_clearly_worse() {
        let one = |doubts: &[f32]| {
            select(false, &doubts.iter().map(|d| (at(0.0, 50.0), *d)).collect::<Vec<_>>(), REJECTED).kept
        };
        assert_eq!(one(&[0.3, 0.29]), [0], "hardly worse");
        assert_eq!(one(&[0.4, 0.05]), [1], "clearly worse");
        assert_eq!(one(&[0.9, 0.45]), [1], "rejected");
        let none = select(false, &[(at(0.0, 50.0), 0.9), (at(0.0, 50.0), 0.6)], REJECTED);
        assert_eq!(select(false, &[(at(0.0, 50.0), 0.6)], REJECTED_CROP).kept, [0], "a crop that somebody made");
        assert_eq!((none.kept.len(), none.rejected), (0, vec![1, 0]));
        assert_eq!(select(false, &[], REJECTED), Selection::default());
    }

    #[test]
    fn the_first_look_settles_it_where_it_is_sure_or_seconded() {
        let nobody = || panic!("nobody is asked");
        assert!(settled(false, &[0.02], nobody) && !settled(false, &[0.4], nobody) && settled(true, &[0.4], nobody));
        assert!(settled(false, &[0.1, 0.9], || Some(0)) && !settled(false, &[0.1, 0.9], || Some(1)));
        assert!(!settled(false, &[0.1], || None) && !settled(true, &[0.9], nobody));
    }

    #[test]
    fn an_image_is_cut_around_a_cell_that_spans_it_in_its_middle() {
        let around = |x: f32, side: f32| cut_around(Square { x, y: -5.0, side }, ((50.0, 50.0), 100.0));
        assert!(around(-5.0, 110.0) && around(0.0, 110.0));
        assert!(!around(12.0, 110.0), "beside the middle");
        assert!(!around(5.0, 85.0) && !around(-25.0, 150.0), "too narrow, too wide");
    }

    #[test]
    fn of_a_field_every_cell_is_taken_once_and_the_least_doubted_square_of_it() {
        let places = [(at(0.0, 50.0), 0.4), (at(5.0, 52.0), 0.1), (at(200.0, 50.0), 0.2), (at(400.0, 50.0), 0.8)];
        let found = select(true, &places, REJECTED);
        assert_eq!((found.kept, found.rejected), (vec![1, 2], vec![3]));
    }

    #[test]
    fn one_image_costs_twelve_places_at_most() {
        let looks = |first, near, further| Looks { first, near, further };
        let all = Stage::Everywhere;
        assert_eq!(looks(2, 1, 2).at(all, false, false), [0, 1, 2, 3, 4]);
        assert_eq!(looks(40, 9, 41).at(all, false, false)[3..7], [3, 40, 41, 49]);
        assert_eq!(
            (looks(40, 9, 41).at(all, false, false).len(), looks(40, 9, 41).at(all, true, false).len()),
            (12, 90)
        );
        assert_eq!(looks(1, 1, 41).at(all, false, true), [0, 1, 2, 3, 4, 5]);
        assert_eq!(looks(40, 9, 41).at(Stage::Near, false, false), [0, 1, 2, 3, 40, 41]);
        for stages in Stage::ALL.windows(2) {
            let (less, more) =
                (looks(3, 9, 41).at(stages[0], false, false), looks(3, 9, 41).at(stages[1], false, false));
            assert_eq!(more[..less.len()], less, "a stage goes on from the one before");
        }
        assert_eq!(
            [looks(40, 9, 41), looks(0, 0, 3)]
                .map(|l| (l.at(Stage::First, false, false).len(), l.at(Stage::First, true, false).len())),
            [(1, 49), (0, 0)]
        );
    }
}
