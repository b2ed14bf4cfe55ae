//! The model inside the program: what classifies when nobody names another one, and what says of a square whether it shows a white cell
//! where a model does not. Runs nothing itself.

/// What the embedded model's file is called in `models/`.
pub const EMBEDDED_NAME: &str = "leukoscope-wbc5-128.onnx";

/// Its bytes; vetted like any other file before use.
pub fn embedded_bytes() -> &'static [u8] {
    include_bytes!("../../models/leukoscope-wbc5-128.onnx")
}
