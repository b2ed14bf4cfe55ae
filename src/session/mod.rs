//! The user's labels: every edit durable before it is acknowledged, every edit undoable, every edit in a chain of audit rows.
//!
//! [`Edit`] is a value with an inverse, [`Store`] the SQLite file that keeps what edits did, [`audit`] the chain. Images are
//! known by the digest of their bytes, so a moved or renamed file keeps its labels. Nothing is written beside images.

pub mod audit;
mod case;
mod confirmed;
mod edit;
mod fault;
mod open;
mod opening;
mod places;
mod record;
mod rescue;
mod results;
mod rows;
mod store;
mod thumbnails;
mod verify;

pub use audit::{Anchor, AuditRow};
pub use confirmed::{Confirmation, Confirmations};
pub use edit::{CellKey, Change, Edit, EditAction, Verdict};
pub use fault::{Fault, SignedPart};
pub use open::Opened;
pub use record::{CaseChange, CaseRecord, Signature};
pub use results::KeptResult;
pub use store::{Seen, Store, StoreError};
pub use thumbnails::{THUMBNAIL_BYTES, Thumbnails, ThumbnailsError};
pub use verify::Verification;

/// The time of a row that no person asked for, UTC, RFC 3339.
fn now() -> String {
    humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string()
}
