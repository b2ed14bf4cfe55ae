//! The model inside the program: what classifies when nobody names another one. Runs nothing itself.

use super::selftest::{SELF_TEST_TOLERANCE, SelfTest};

/// What the embedded model's file is called in `models/`.
pub const EMBEDDED_NAME: &str = "leukoscope-wbc5-128-starter.onnx";

/// Its bytes; vetted like any other file before use.
pub fn embedded_bytes() -> &'static [u8] {
    include_bytes!("../../models/leukoscope-wbc5-128-starter.onnx")
}

const MANIFEST_NAME: &str = "leukoscope-wbc5-128 (starter)";

/// The self-test of the embedded model, whose file carries none; nothing for a file of another name or length, which may be a model
/// that was made from it. A damaged copy thus fails its self-test like one of our trainer's files.
///
/// The logits are ONNX Runtime 1.32.0's (Python, CPU) for [`super::self_test_image`] of 128 × 128 pixels, scaled by
/// (value − 127.5) / 127.5.
pub(super) fn embedded_self_test(name: &str, length: usize) -> Option<SelfTest> {
    (name == MANIFEST_NAME && length == embedded_bytes().len()).then(|| SelfTest {
        image: 1,
        logits: vec![-1.183_470_5, 0.159_341_57, 0.565_951_2, -0.601_595_6, 1.205_183_3],
        tolerance: SELF_TEST_TOLERANCE,
    })
}
