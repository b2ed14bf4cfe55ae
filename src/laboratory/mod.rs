//! The differential as a laboratory reads and signs it: what counts, in one way for window, script, report and signature; reference
//! ranges and flags; what stands in the way of a signature; the snapshot that a signature keeps. Pure: what is known of a case comes
//! in, numbers and sentences go out; nothing is read, written or drawn here.

mod case;
mod confirmation;
mod fields;
mod input;
mod naming;
mod obstacle;
mod ranges;
mod rounding;
mod run;
mod snapshot;
mod table;
mod text;
mod unusual;

pub use case::{CaseFacts, CaseField, Sex, TARGETS};
pub use confirmation::Confirmed;
pub use fields::{SameImages, look_alike, same_field};
pub use input::{CaseImage, CaseInput, Counted, OnDisk, label_of, slide_of, suggestion};
pub use naming::{cannot_name, cannot_name_sentence, plural};
pub use obstacle::Obstacle;
pub use ranges::{Flag, RangeSource, Ranges, ReferenceRange, Unit, WBC, example_ranges, flag};
pub use rounding::{RULE, Rounded};
pub use run::{RunEnd, RunRecord};
pub use snapshot::{HeatMapExample, ReportStatus, SlideReport, Snapshot};
pub use table::{DifferentialRow, DifferentialTable, LeftOut, count_of};
pub use text::{listed, number_of, plain_text};
pub use unusual::{FolderLook, Unusual};
