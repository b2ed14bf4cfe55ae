//! The model inside the program: what classifies when nobody names another one.

/// What the embedded model's file is called in `models/`.
pub const EMBEDDED_NAME: &str = "leukoscope-wbc5-128-starter.onnx";

/// Its bytes; vetted like any other file before use.
#[must_use]
pub fn embedded_bytes() -> &'static [u8] {
    include_bytes!("../../models/leukoscope-wbc5-128-starter.onnx")
}
