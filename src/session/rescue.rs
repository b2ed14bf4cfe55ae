//! What can still be had from a damaged session: its audit trail as a table beside it, and the labels that the unbroken
//! part of the trail vouches for. The damaged file itself is only read.

use super::audit::{AuditRow, altered};
use super::edit::{CellKey, Verdict};
use super::record::{CaseRecord, Signature, brought_over};
use super::rows::{AuditEntry, append_audit, audit_of, key_of, object, put_label};
use crate::files::{display_path, write_private};
use rusqlite::{Connection, OpenFlags};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Exports what is readable of the audit trail, puts the labels that it tells of into the new session, and says so.
pub(super) fn rescue(damaged: &Path, new: &mut Connection) -> String {
    let rows = readable(damaged);
    if rows.is_empty() {
        return "Nothing of its audit trail can be read".into();
    }
    let mut name = damaged.as_os_str().to_owned();
    name.push(".audit.csv");
    let table = PathBuf::from(name);
    let kept = match write_private(&table, &csv(&rows)) {
        Ok(()) => format!("{} rows of its audit trail were written to {}", rows.len(), display_path(&table)),
        Err(e) => format!("{} rows of its audit trail can be read but not written down ({e})", rows.len()),
    };
    // Only what the chain vouches for from its first row on.
    let sound =
        altered(&rows).first().map_or(rows.len(), |bad| rows.iter().position(|(r, _)| r.number == *bad).unwrap_or(0));
    let mut labels: BTreeMap<CellKey, Verdict> = BTreeMap::new();
    let mut last = String::new();
    for (row, _) in &rows[..sound] {
        last.clone_from(&row.time);
        let Some(key) = key_of(&row.object) else { continue };
        match Verdict::from_words(&row.new) {
            Some(verdict) => drop(labels.insert(key, verdict)),
            None => drop(labels.remove(&key)),
        }
    }
    let n = labels.len();
    let signatures = signatures(damaged);
    let (case, lost) = brought_over(rows[..sound].iter().map(|(r, _)| r), &signatures);
    let put = |c: &Connection| -> rusqlite::Result<()> {
        let mut rows = Vec::new();
        for (key, verdict) in &labels {
            put_label(c, *key, Some(verdict))?;
            rows.push(AuditEntry {
                action: "recover".into(),
                object: object(*key),
                old: String::new(),
                new: verdict.to_words(),
                reason: format!("from {}", display_path(damaged)),
            });
        }
        rows.extend(super::record::recover(c, &case, &format!("from {}", display_path(damaged)))?);
        append_audit(c, rows, "", &last)
    };
    let done = new.transaction().and_then(|c| put(&c).and_then(|()| c.commit()));
    let CaseRecord { signatures, .. } = &case;
    let signed = match (signatures.len(), lost) {
        (0, false) => String::new(),
        (_, true) => {
            "; it was signed, and not all that was signed can be read: look at the file that was set aside".into()
        }
        (_, false) => format!("; its last signature, of version {}, too", signatures.last().map_or(0, |s| s.version)),
    };
    match done {
        Ok(()) => format!("{kept}, and {n} labels that it vouches for are in the new session; check them{signed}"),
        Err(e) => format!("{kept}; its labels could not be taken over ({e})"),
    }
}

/// The signatures that can be read.
fn signatures(path: &Path) -> Vec<Signature> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let read = || -> rusqlite::Result<Vec<Signature>> {
        let c = Connection::open_with_flags(path, flags)?;
        let mut all = c.prepare("SELECT version, time, operator, reason, report FROM signature ORDER BY version")?;
        let rows = all.query_map([], |r| {
            Ok(Signature {
                version: r.get(0)?,
                time: r.get(1)?,
                operator: r.get(2)?,
                reason: r.get(3)?,
                report: r.get(4)?,
                anchor: None,
            })
        })?;
        Ok(rows.map_while(Result::ok).collect())
    };
    read().unwrap_or_default()
}

/// Row after row until one cannot be read.
fn readable(path: &Path) -> Vec<(AuditRow, String)> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let read = |backwards: bool| -> rusqlite::Result<Vec<(AuditRow, String)>> {
        let c = Connection::open_with_flags(path, flags)?;
        let order = if backwards { "DESC" } else { "ASC" };
        let mut all = c.prepare(&format!("SELECT * FROM audit ORDER BY number {order}"))?;
        let rows = all.query_map([], audit_of)?;
        Ok(rows.map_while(Result::ok).collect())
    };
    let mut rows = read(false).unwrap_or_default();
    let mut tail = read(true).unwrap_or_default();
    tail.reverse();
    // What lies behind the damage is worth having too.
    let end = rows.last().map_or(0, |(r, _)| r.number);
    rows.extend(tail.into_iter().filter(|(r, _)| r.number > end));
    rows
}

fn csv(rows: &[(AuditRow, String)]) -> Vec<u8> {
    let mut w = csv::Writer::from_writer(Vec::new());
    let head =
        ["number", "time", "operator", "action", "object", "old", "new", "reason", "version", "previous", "hash"];
    // Writing to memory does not fail.
    let _ = w.write_record(head);
    for (r, hash) in rows {
        let number = r.number.to_string();
        let fields = [
            &number,
            &r.time,
            &r.operator,
            &r.action,
            &r.object,
            &r.old,
            &r.new,
            &r.reason,
            &r.version,
            &r.previous,
            hash,
        ];
        let _ = w.write_record(fields);
    }
    w.into_inner().unwrap_or_default()
}
