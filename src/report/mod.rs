//! Results as bytes: CSV and JSON. Nothing is written here, nothing is read, and there is no clock.

mod escape;
mod learning;
mod rows;

pub use escape::csv_text;
pub use learning::{history_csv, scores_json, scores_text};
pub use rows::{RowFormat, RowWriter, Stamp};
