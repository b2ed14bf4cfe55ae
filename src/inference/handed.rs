//! An image on its way from the workers that prepare it to the one session that answers: what is asked of the network, and what its answers
//! come to.

use super::engine::Prediction;
use super::look::{Found, Places};
use crate::domain::{Digest, Failure, RejectedPlace, Square};

/// A cell and what the model says of it.
pub(super) type Classified = (u32, Square, Prediction);

/// The cells of an image and the places that are none, or why there is no answer.
pub(super) type ImageAnswers = Result<(Vec<Classified>, Vec<RejectedPlace>), Failure>;

/// What is known of a file besides its cells.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) digest: Option<Digest>,
    pub(super) size: Option<(u32, u32)>,
    pub(super) warnings: Vec<String>,
}

/// An image that waits for the network, with everything that is asked of it.
pub(super) struct Handed {
    pub(super) facts: Facts,
    /// What is to be classified; nothing where the places are judged by the answers themselves.
    pub(super) found: Found,
    /// Every place, where the model itself judges.
    pub(super) places: Option<Places>,
    /// What a person drew, answered after the places.
    pub(super) own: Vec<(u32, Square)>,
    /// The squares that are asked about.
    pub(super) squares: Vec<Square>,
    pub(super) tensors: Vec<f32>,
    /// Why nothing is.
    pub(super) error: Option<Failure>,
}

impl Handed {
    /// With the network's answers, in the order in which it was asked.
    pub(super) fn answered(self, answers: Result<Vec<Prediction>, Failure>) -> (Facts, ImageAnswers) {
        let answers = match answers {
            Ok(answers) => answers,
            Err(why) => return (self.facts, Err(why)),
        };
        let Some(places) = self.places else {
            let cells = self.found.cells.into_iter().zip(answers).map(|((n, square, _), answer)| (n, square, answer));
            return (self.facts, Ok((cells.collect(), self.found.rejected)));
        };
        let mut answers = answers.into_iter();
        let judged = places.places.iter().map(|_| answers.next()).collect();
        let found = places.chosen_of_all(judged, &self.own);
        let cells = found.cells.into_iter();
        let cells = cells.filter_map(|(n, square, known)| Some((n, square, known.or_else(|| answers.next())?)));
        (self.facts, Ok((cells.collect(), found.rejected)))
    }
}
