//! A person's labels: every edit durable before it is acknowledged, every edit undoable, every edit in a chain of audit rows.
//!
//! [`Edit`] is a value with an inverse, [`Store`] the SQLite file that keeps what edits did, [`audit`] the chain. Images are
//! known by the digest of their bytes, so a moved or renamed file keeps its labels. Nothing is written beside images.

pub mod audit;
mod case;
mod confirmed;
mod edit;
mod opening;
mod places;
mod rescue;
mod results;
mod store;
mod thumbnails;
mod verify;

pub use audit::{Anchor, AuditRow};
pub use case::{CaseChange, CaseRecord, Signature};
pub use confirmed::{Confirmation, Confirmations};
pub use edit::{CellKey, Change, Edit, History, Verdict};
pub use results::KeptResult;
pub use store::{Opened, Seen, Store, StoreError};
pub use thumbnails::{THUMBNAIL_BYTES, Thumbnails};
pub use verify::{Fault, SignedPart, Verification};

/// The time of a row that no person asked for, UTC, RFC 3339.
fn now() -> String {
    humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string()
}
