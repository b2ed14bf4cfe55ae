//! The self-test that our models carry: an image made by a formula, and the logits it must give.
//!
//! A formula rather than a cell: a model file must hold no laboratory's image.

use serde::{Deserialize, Serialize};

/// The difference in probabilities that another processor or library may make.
pub const SELF_TEST_TOLERANCE: f32 = 2e-3;

/// What the model must answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SelfTest {
    /// Which image: 1 is [`self_test_image`].
    #[serde(rename = "picture")]
    pub image: u32,
    /// Its logits, in label order.
    pub logits: Vec<f32>,
    /// Largest difference allowed in the probabilities.
    pub tolerance: f32,
}

/// Image 1, RGB bytes of `side` × `side` pixels: value of colour c (0 to 2) at column x, row y is
/// (5·x + 3·y + 37·c + ⌊x·y / 8⌋) mod 256.
pub fn self_test_image(side: usize) -> Vec<u8> {
    (0..side * side)
        .flat_map(|i| {
            let (x, y) = (i % side, i / side);
            [0, 1, 2].map(|c| u8::try_from((5 * x + 3 * y + 37 * c + x * y / 8) % 256).unwrap_or(0))
        })
        .collect()
}
