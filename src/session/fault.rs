//! What can be wrong with a session's file, in words.

use super::audit::Anchor;

/// Something that is not what it was when this program wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// SQLite's own check of the file.
    #[error("the file is damaged: {0}")]
    Damaged(String),
    /// A table, index, view or trigger that does not belong there, is missing, or is another than it was.
    #[error("the {0} was added, removed or changed by another program")]
    Schema(String),
    /// The version or the mark in the file's header.
    #[error("the header of the file was changed: {0}")]
    Header(String),
    /// Values of another type than the program writes.
    #[error("the table {table} holds values in the column {column} that this program does not write")]
    Type { table: &'static str, column: &'static str },
    /// A table that cannot be read.
    #[error("the table {0} cannot be read: {1}")]
    Unreadable(&'static str, String),
    /// The trail does not end where the session says that it does.
    #[error(
        "the audit trail does not end where it did: rows were cut off, added or written anew (then: {noted}; now: {found})"
    )]
    End { noted: String, found: Anchor },
    /// A row that could not have been written at that moment.
    #[error(
        "row {0} of the audit trail changes something while the case was signed, or signs or amends what could not be"
    )]
    Order(u64),
    /// A signature that the trail does not know.
    #[error("version {0} is signed, but the audit trail knows no such signature")]
    Unaudited(u32),
    /// A signature that is gone.
    #[error("version {0} was signed, but its signature is gone")]
    Missing(u32),
    /// A signature that is not the one in the trail.
    #[error("the signature of version {0} is not what was signed: {1}")]
    Signature(u32, SignedPart),
    /// What is known of the case is not what was entered.
    #[error("the entry \"{0}\" of the case is not what the audit trail says was entered")]
    Entry(String),
    /// Something among what is known of a session that this program does not write.
    #[error("the entry \"{0}\" of the session is none that this program writes")]
    Stranger(String),
    /// Whether the case is being amended is not what the trail says.
    #[error("whether the case is being amended is not what the audit trail says")]
    Amending,
    /// Where images were seen.
    #[error("the paths of images, or the folders of the session, are not what the audit trail says")]
    Places,
    /// Something in the session is not what it was when it was signed.
    #[error("labels, suggestions, results, paths or entries are not those that version {0} was signed on")]
    State(u32),
}

/// Which part of a signature differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignedPart {
    #[error("the report was changed")]
    Report,
    /// Who, when or why.
    #[error("who signed, when, or why was changed")]
    Signer,
    /// The audit trail's end at signing.
    #[error("the audit trail before it is another one")]
    Anchor,
}
