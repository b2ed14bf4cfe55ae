//! Rows of a session's tables: the audit trail's, labels, and how cells are named in them. Knows no session.

use super::audit::{Anchor, AuditRow};
use super::edit::{CellKey, Verdict};
use crate::domain::Square;
use rusqlite::{Connection, OptionalExtension, params};

/// The name, among what is known of a session, of where its trail ends.
pub(super) const TRAIL: &str = "trail";

/// What the trail calls it, and the name among what is known of a session.
pub(super) const PLACES: &str = "places";
/// The word for the audit row.
pub(super) const SEE: &str = "see";

/// Where the audit trail ends.
pub(super) fn anchor(c: &Connection) -> rusqlite::Result<Anchor> {
    let last = "SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1";
    let read = |r: &rusqlite::Row<'_>| Ok(Anchor { rows: r.get::<_, i64>(0)?.unsigned_abs(), last_hash: r.get(1)? });
    Ok(c.query_row(last, [], read).optional()?.unwrap_or_default())
}

/// What happened, without who, when and after what.
pub(super) struct AuditEntry {
    pub(super) action: String,
    pub(super) object: String,
    pub(super) old: String,
    pub(super) new: String,
    pub(super) reason: String,
}

/// Puts rows at the end of the audit trail. Time never goes back in it: a clock that does is noted as the reason.
pub(super) fn append_audit(c: &Connection, rows: Vec<AuditEntry>, operator: &str, time: &str) -> rusqlite::Result<()> {
    let last = "SELECT number, hash, time FROM audit ORDER BY number DESC LIMIT 1";
    let (mut number, mut previous, before): (u64, String, String) = c
        .query_row(last, [], |r| Ok((r.get::<_, i64>(0)?.unsigned_abs(), r.get(1)?, r.get(2)?)))
        .optional()?
        .unwrap_or_default();
    // RFC 3339 in UTC without fractions: the order of the words is that of the times.
    let back = time < before.as_str();
    let mut put = c.prepare_cached("INSERT INTO audit VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")?;
    for AuditEntry { action, object, old, new, reason } in rows {
        number += 1;
        let reason = if back { clock_words(&reason, time) } else { reason };
        let row = AuditRow {
            number,
            time: if back { before.clone() } else { time.into() },
            operator: operator.into(),
            action,
            object,
            old,
            new,
            reason,
            version: env!("CARGO_PKG_VERSION").into(),
            previous,
        };
        let hash = row.hash();
        put.execute(params![
            row.number.cast_signed(),
            row.time,
            row.operator,
            row.action,
            row.object,
            row.old,
            row.new,
            row.reason,
            row.version,
            row.previous,
            hash
        ])?;
        previous = hash;
    }
    drop(put);
    note_end(c)
}

/// The reason of a row that was written when the clock had gone back to `time`.
pub(super) fn clock_words(reason: &str, time: &str) -> String {
    let end = if time.is_empty() { "" } else { ")" };
    format!("{reason} (the clock went back: it says {time}{end}").trim().into()
}

/// Where a trail ends, as the session itself has it.
pub(super) fn end_words(end: &Anchor) -> String {
    if end.rows == 0 { String::new() } else { format!("{} {}", end.rows, end.last_hash) }
}

/// Notes where the trail ends: a tail that was cut off is missed.
pub(super) fn note_end(c: &Connection) -> rusqlite::Result<()> {
    let end = anchor(c)?;
    if end.rows > 0 {
        c.execute("INSERT OR REPLACE INTO about (name, value) VALUES (?1, ?2)", params![TRAIL, end_words(&end)])?;
    }
    Ok(())
}

/// Where the trail ended when something was written last.
pub(super) fn trail_end(c: &Connection) -> rusqlite::Result<Option<String>> {
    c.query_row("SELECT value FROM about WHERE name = ?1", [TRAIL], |r| r.get(0)).optional()
}

/// Writes a verdict, or takes it away.
pub(super) fn put_label(c: &Connection, key: CellKey, verdict: Option<&Verdict>) -> rusqlite::Result<()> {
    match verdict {
        Some(v) => c
            .prepare_cached(
                "INSERT OR REPLACE INTO label (image, cell, label, suggested, x, y, side) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                key.image.0,
                key.cell,
                v.label,
                v.suggested,
                v.square.map(|s| s.x),
                v.square.map(|s| s.y),
                v.square.map(|s| s.side)
            ])?,
        None => c
            .prepare_cached("DELETE FROM label WHERE image = ?1 AND cell = ?2")?
            .execute(params![key.image.0, key.cell])?,
    };
    Ok(())
}

/// Reads label, suggested, x, y, side.
pub(super) fn verdict_of(r: &rusqlite::Row<'_>) -> rusqlite::Result<Verdict> {
    let square = match (r.get(2)?, r.get(3)?, r.get(4)?) {
        (Some(x), Some(y), Some(side)) => Some(Square { x, y, side }),
        _ => None,
    };
    Ok(Verdict { label: r.get(0)?, suggested: r.get(1)?, square })
}

pub(super) fn object(key: CellKey) -> String {
    format!("{} {}", key.image, key.cell)
}

pub(super) fn key_of(object: &str) -> Option<CellKey> {
    let (digest, cell) = object.split_once(' ')?;
    Some(CellKey { image: digest.parse().ok()?, cell: cell.parse().ok()? })
}

/// Reads a row of the audit trail and the hash that was stored with it.
pub(super) fn audit_of(r: &rusqlite::Row<'_>) -> rusqlite::Result<(AuditRow, String)> {
    let row = AuditRow {
        // No row has a number below 1; one that does is not a row of ours.
        number: u64::try_from(r.get::<_, i64>(0)?).unwrap_or(0),
        time: r.get(1)?,
        operator: r.get(2)?,
        action: r.get(3)?,
        object: r.get(4)?,
        old: r.get(5)?,
        new: r.get(6)?,
        reason: r.get(7)?,
        version: r.get(8)?,
        previous: r.get(9)?,
    };
    Ok((row, r.get(10)?))
}
