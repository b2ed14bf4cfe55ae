//! Which cells of one image are shown to the model: what was given, what a person drew, what the finder proposes and the judge keeps.
//!
//! The same image gives the same cells whatever runs the network, and in whatever order: where all places are judged at once, those that
//! would not have been looked at are left out again.

use super::engine::{EngineError, Prediction};
use super::judge::{
    AT_A_TIME, Finder, Judge, Looks, REJECTED, REJECTED_CROP, SURE, Stage, cut_around, dyed, select, settled,
};
use crate::domain::{RejectedPlace, Square};
use crate::imaging::{CellSource, Cells, DyeLook};
use std::cell::OnceCell;

/// Numbers and squares of places.
pub(super) type Numbered = Vec<(u32, Square)>;

/// A cell to classify; with the model's answer where it has answered already.
pub(super) type FoundSquare = (u32, Square, Option<Prediction>);

/// The squares of an image that are classified.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// In the order of their numbers.
    pub(super) cells: Vec<FoundSquare>,
    /// Places that show no white cell.
    pub(super) rejected: Vec<RejectedPlace>,
}

/// What is asked of an image.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) cells: Cells,
    pub(super) finder: Finder,
    /// Where the listing says that the cell is.
    pub(super) given: Option<Square>,
    /// Squares that a person moved (of a number that is found), took back or added.
    pub(super) own: &'a [(u32, Square)],
}

/// Squares that are classified whatever a judge would say, where there is nothing to judge; `None` where there is.
pub(super) fn unjudged(source: &CellSource<'_>, wanted: &Wanted<'_>) -> Option<Numbered> {
    let whole = || {
        let own = wanted.own.iter().copied().filter(|(n, _)| *n != 1);
        let moved = wanted.own.iter().find(|(n, _)| *n == 1).map(|(_, square)| *square);
        std::iter::once((1, moved.unwrap_or_else(|| source.whole_square()))).chain(own).collect()
    };
    match wanted.finder {
        _ if wanted.given.is_some() || !source.looks_for_cells() => {
            Some(source.squares(wanted.cells, wanted.given, wanted.own))
        }
        Finder::Plain => Some(source.squares(wanted.cells, None, wanted.own)),
        Finder::Whole => Some(whole()),
        Finder::Judged => None,
    }
}

/// The places of an image where a white cell may be.
#[derive(Debug)]
pub(super) struct Places {
    /// Whether every cell is wanted.
    all: bool,
    looks: Looks,
    /// Whether it is an image of one cell.
    crop: bool,
    /// Above this doubt a place is none.
    limit: f32,
    /// What holds the dye that red cells lack; looked for where it is asked for.
    dye: OnceCell<Option<DyeLook>>,
    /// By number, from 1.
    pub(super) places: Numbered,
}

impl Places {
    /// Looks by the usual colour alone.
    fn usual(source: &CellSource<'_>, cells: Cells) -> Self {
        let all = source.wants_all(cells);
        let mut places = source.first_look();
        let first = places.len();
        // Where one cell is wanted they are looked at where the first look does not settle it.
        if all {
            places.extend(source.near_look());
        }
        let looks = Looks { first, near: places.len() - first, further: 0 };
        let crop = !source.wants_all(Cells::ByScene);
        let whole = source.whole_square();
        let around = places.first().is_some_and(|(_, square)| cut_around(*square, (whole.centre(), whole.side)));
        let limit = if crop && around { REJECTED_CROP } else { REJECTED };
        Self { all, looks, crop, limit, dye: OnceCell::new(), places }
    }

    /// Looks everywhere.
    pub(super) fn everywhere(source: &CellSource<'_>, cells: Cells) -> Self {
        let mut places = Self::usual(source, cells);
        Stage::ALL.into_iter().for_each(|stage| places.look(stage, source));
        Self { dye: OnceCell::from(source.dye_look()), ..places }
    }

    /// Looks for the places of a stage; those of the stages before are there.
    fn look(&mut self, stage: Stage, source: &CellSource<'_>) {
        match stage {
            Stage::Near if !self.all => {
                self.places.extend(source.near_look());
                self.looks.near = self.places.len() - self.looks.first;
            }
            Stage::First | Stage::Near => {}
            Stage::Everywhere => {
                let more = source.further_look();
                self.looks.further = more.len();
                self.places.extend(more);
            }
        }
    }

    /// Whether what is known of places of the first look is enough to go by. `look` looks for the dye.
    fn settled(&self, answers: &[(usize, Prediction)], look: impl FnOnce() -> Option<DyeLook>) -> bool {
        let of_first = answers.iter().filter(|(place, _)| *place < self.looks.first);
        // They come in the order of their places, none left out.
        let doubts: Vec<f32> = of_first.map(|(_, answer)| doubt_of(answer)).collect();
        settled(self.crop, &doubts, || {
            let dye = self.dye.get_or_init(look).as_ref()?;
            self.places[..doubts.len()].iter().position(|(_, square)| dye.most_evident_in(*square))
        })
    }

    /// How many places of a stage are judged at a time.
    fn at_a_time(&self, stage: Stage) -> usize {
        if stage == Stage::Everywhere && !self.all && self.crop { AT_A_TIME } else { usize::MAX }
    }

    /// Whether a stage may be the last one. In strange colours a red cell may look like one: where the first place does not settle it, all
    /// are compared.
    fn ends_after(&self, stage: Stage) -> bool {
        match stage {
            Stage::First => true,
            Stage::Near => self.all,
            Stage::Everywhere => false,
        }
    }

    /// Whether a stage need not go on: one cell is wanted of an image of one, and one is sure.
    fn ended(&self, stage: Stage, answers: &[(usize, Prediction)]) -> bool {
        stage == Stage::Everywhere
            && !self.all
            && self.crop
            && answers.iter().any(|(_, answer)| doubt_of(answer) <= SURE)
    }

    /// The cells among the places, by what the judge says of some of them (by position, ascending), without those that a person drew.
    fn chosen(
        &self,
        answers: &[(usize, Prediction)],
        own: &[(u32, Square)],
        look: impl FnOnce() -> Option<DyeLook>,
    ) -> Found {
        let doubts: Vec<(Square, f32)> = answers.iter().map(|(i, p)| (self.places[*i].1, doubt_of(p))).collect();
        let several = !self.crop && doubts.iter().filter(|(_, doubt)| *doubt <= self.limit).count() > 1;
        let dye = if several { self.dye.get_or_init(look).as_ref() } else { None };
        let selection = select(self.all, &dye.map_or_else(|| doubts.clone(), |dye| dyed(&doubts, dye)), self.limit);
        let place = |k: &usize| (&answers[*k].1, self.places[answers[*k].0]);
        let drawn = |number: u32| own.iter().any(|(n, _)| *n == number);
        let kept = selection.kept.iter().map(place).filter(|(_, (number, _))| !drawn(*number));
        let rejected = selection.rejected.iter().map(place).filter(|(_, (number, _))| !drawn(*number));
        Found {
            cells: kept.map(|(p, (number, square))| (number, square, Some(p.clone()))).collect(),
            rejected: rejected
                .map(|(p, (number, square))| RejectedPlace { number, square, doubt: doubt_of(p) })
                .collect(),
        }
    }

    /// The cells among the places where the judge was asked about every one of them.
    pub(super) fn chosen_of_all(&self, mut answers: Vec<Option<Prediction>>, own: &[(u32, Square)]) -> Found {
        let mut known: Vec<(usize, Prediction)> = Vec::new();
        for stage in Stage::ALL {
            let mut more = self.looks.at(stage, self.all, self.crop).into_iter().skip(known.len()).peekable();
            while more.peek().is_some() && !self.ended(stage, &known) {
                let part = more.by_ref().take(self.at_a_time(stage));
                known.extend(part.filter_map(|i| Some((i, answers.get_mut(i)?.take()?))));
            }
            if self.ends_after(stage) && self.settled(&known, || None) {
                break;
            }
        }
        self.chosen(&known, own, || None).with_own(own)
    }
}

fn doubt_of(answer: &Prediction) -> f32 {
    answer.doubt.unwrap_or(0.0)
}

/// Finds the cells of an image for a model that names classes and nothing else: the bundled one judges. What it would call them is not
/// that model's answer, and is left out.
///
/// # Errors
/// Those of the judge.
pub(super) fn find_for_another(
    source: &CellSource<'_>,
    wanted: &Wanted<'_>,
    judge: &mut Judge,
) -> Result<Found, EngineError> {
    let mut found = find_judged(source, wanted, |squares| judge.answers(source, squares))?;
    found.cells.iter_mut().for_each(|cell| cell.2 = None);
    Ok(found)
}

/// Finds the cells of an image with a judge at hand: other criteria are tried only where the usual colour does not settle it.
///
/// # Errors
/// Those of the judge.
pub(super) fn find_judged(
    source: &CellSource<'_>,
    wanted: &Wanted<'_>,
    mut judge: impl FnMut(&[Square]) -> Result<Vec<Prediction>, EngineError>,
) -> Result<Found, EngineError> {
    let mut ask = |places: &Places, which: Vec<usize>| -> Result<Vec<(usize, Prediction)>, EngineError> {
        let squares: Vec<Square> = which.iter().map(|&i| places.places[i].1).collect();
        let answers = if squares.is_empty() { Vec::new() } else { judge(&squares)? };
        Ok(which.into_iter().zip(answers).collect())
    };
    let mut places = Places::usual(source, wanted.cells);
    let mut answers = Vec::new();
    for stage in Stage::ALL {
        places.look(stage, source);
        let mut more = places.looks.at(stage, places.all, places.crop).into_iter().skip(answers.len()).peekable();
        while more.peek().is_some() && !places.ended(stage, &answers) {
            answers.extend(ask(&places, more.by_ref().take(places.at_a_time(stage)).collect())?);
        }
        if places.ends_after(stage) && places.settled(&answers, || source.dye_look()) {
            break;
        }
    }
    Ok(places.chosen(&answers, wanted.own, || source.dye_look()).with_own(wanted.own))
}

impl Found {
    /// With the squares that a person drew, which nobody judges; in the order of their numbers.
    fn with_own(mut self, own: &[(u32, Square)]) -> Self {
        self.cells.extend(own.iter().map(|(number, square)| (*number, *square, None)));
        self.cells.sort_by_key(|(number, _, _)| *number);
        self
    }
}
