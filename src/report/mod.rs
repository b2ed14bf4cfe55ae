//! Results as bytes: CSV, JSON, SVG, HTML. Nothing is written here, nothing is read, and there is no clock.

mod compared;
mod escape;
mod evaluation;
mod evaluation_page;
mod fhir;
mod learning;
mod map;
mod page;
mod raster;
mod rows;
mod slide;
mod svg;

pub use compared::{comparison_files, comparison_text, p_value};
pub use escape::csv_text;
pub use evaluation::{
    evaluation_json, evaluation_scores, evaluation_text, facts, kept_line, number, or_dash, percent, predictions_csv,
    summary_scores,
};
pub use evaluation_page::{evaluation_files, evaluation_html};
pub use fhir::slide_fhir;
pub use learning::{UNDEFINED, history_csv, hundredths, scores_json, scores_text};
pub use map::{MapPoint, map_csv, map_svg};
pub use raster::svg_to_png;
pub use rows::{RowFormat, RowWriter, Stamp};
pub use slide::{distribution_svg, slide_html};
pub use svg::{PALETTE, confusion_svg};
