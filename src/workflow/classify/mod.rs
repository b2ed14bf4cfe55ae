//! Classification: of what is named, of what comes into a watched folder, and into a table.

mod run;
mod table;
mod watch;

pub use run::{ClassifyEvent, ClassifyMonitor, ClassifyRequest, ClassifySummary, classify};
pub use table::classify_to;
pub use watch::watch;
