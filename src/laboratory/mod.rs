//! The differential as a laboratory reads and signs it: counts against reference ranges, what stands in the way of a signature, and
//! the snapshot that a signature keeps. Pure: counts, case and ranges come in, numbers go out; nothing is written or drawn here.

mod table;

pub use table::{
    CaseFacts, DifferentialTable, Flag, LookedCell, Obstacle, ReferenceRange, ReportStatus, Row, Sex, SlideReport,
    Snapshot, TARGETS, Unit, WBC, example_ranges, flag,
};
