//! What a session knows of its case: what was entered, who signed what on what, and what the audit trail says of it. Knows no session, only
//! its tables.

use super::audit::{Anchor, AuditRow};
use super::fault::{Fault, SignedPart};
use super::rows::{AuditEntry, SEE, audit_of, clock_words};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::{BTreeMap, BTreeSet};

/// Begins the names of a case's entries among what is known of a session.
pub(super) const PREFIX: &str = "case.";
/// Stands among the entries while an amendment is under way.
pub(super) const AMENDING: &str = "amending";

/// One signed version of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// From 1.
    pub version: u32,
    /// UTC, RFC 3339.
    pub time: String,
    /// Initials of who signed.
    pub operator: String,
    /// Why it was signed although something was open, or why it was amended; else empty.
    pub reason: String,
    /// The report as it was signed, JSON; where it is an object, `anchor` in it says where the audit trail ended.
    pub report: String,
    /// Where the audit trail ended when it was signed; nothing for what an older version of the program signed.
    pub anchor: Option<Anchor>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CaseRecord {
    /// By name: `sample`, `wbc` and so on.
    pub entries: BTreeMap<String, String>,
    /// All signed versions, oldest first.
    pub signatures: Vec<Signature>,
    /// Why the last signed version is being amended, where it is.
    pub amending: Option<String>,
    /// Whether the audit trail says that it is signed and not being amended, whatever else the file says.
    pub sealed: bool,
    /// What of the case is not what the audit trail says: it was changed by something else than this program.
    pub faults: Vec<Fault>,
}

impl CaseRecord {
    /// Whether nothing can be changed.
    pub fn locked(&self) -> bool {
        self.sealed || (!self.signatures.is_empty() && self.amending.is_none())
    }
}

/// What the user does to a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaseChange {
    /// Sets an entry; an empty value takes it away.
    Set(String, String),
    /// Signs: the report as JSON, and why although something was open.
    Sign(String, String),
    /// Opens what was signed for an amendment, for this reason.
    Amend(String),
}

/// What the rows of a trail say about whether the case is signed, and what was signed by whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TrailState {
    /// Signed, and not being amended since.
    pub(super) sealed: bool,
    pub(super) amending: Option<String>,
    /// The highest version that was signed.
    pub(super) versions: u32,
    /// Who signed last, and when.
    by: (String, String),
}

impl TrailState {
    /// What some rows come to.
    pub(super) fn new(rows: &[AuditRow]) -> Self {
        let mut told = Self::default();
        for row in rows {
            told.take(row);
        }
        told
    }

    /// Takes a row into account; says whether it could have been written at that moment.
    pub(super) fn take(&mut self, row: &AuditRow) -> bool {
        match (row.action.as_str(), row.object.as_str()) {
            ("sign" | "recover", "case") => {
                let in_time = !self.sealed;
                let version = version_of(&row.new);
                let next = version == Some(self.versions + 1) || row.action == "recover";
                (self.sealed, self.amending) = (true, None);
                self.versions = self.versions.max(version.unwrap_or(0));
                self.by = (row.operator.clone(), row.time.clone());
                in_time && next
            }
            // An older version wrote the row and did nothing where no reason was given.
            ("amend", "case") if row.reason.is_empty() => self.sealed,
            ("amend", "case") => {
                let in_time = self.sealed;
                (self.sealed, self.amending) = (false, Some(row.reason.clone()));
                in_time
            }
            (SEE, _) => true,
            _ => !self.sealed,
        }
    }
}

fn version_of(words: &str) -> Option<u32> {
    words.strip_prefix("version ")?.split(',').next()?.parse().ok()
}

/// As the trail has a signature.
pub(super) fn sign_words(version: u32, report: &str, on: Option<&SignedOn>) -> String {
    let digest = crate::files::digest_of(report.as_bytes());
    let on = on.map_or_else(String::new, |on| {
        let last = if on.anchor.last_hash.is_empty() { "none" } else { &on.anchor.last_hash };
        format!(", after {} rows, last {last}, state {}", on.anchor.rows, on.state)
    });
    format!("version {version}, report {digest}{on}")
}

/// As the trail has a signature that was brought over from a damaged session.
pub(super) fn recovered_words(s: &Signature) -> String {
    format!("{}, signed by {} at {}: {}", sign_words(s.version, &s.report, None), s.operator, s.time, s.reason)
}

/// Whether a row has this time and reason, be it that the clock had gone back when it was written.
fn noted_as(row: &AuditRow, time: &str, reason: &str) -> bool {
    (row.time == time && row.reason == reason) || (row.time.as_str() > time && row.reason == clock_words(reason, time))
}

/// What of a case is not what the rows say.
pub(super) fn case_faults<'a>(
    record: &CaseRecord,
    anchors: &BTreeMap<u32, SignedOn>,
    rows: impl IntoIterator<Item = &'a AuditRow>,
) -> Vec<Fault> {
    let (mut told, mut faults) = (TrailState::default(), Vec::new());
    let mut entries: BTreeMap<&str, &str> = BTreeMap::new();
    let mut signed: BTreeMap<u32, &AuditRow> = BTreeMap::new();
    let mut amended: Option<&AuditRow> = None;
    for row in rows {
        if !told.take(row) {
            faults.push(Fault::Order(row.number));
        }
        match (row.action.as_str(), row.object.as_str()) {
            ("sign" | "recover", "case") => {
                if let Some(version) = version_of(&row.new) {
                    signed.insert(version, row);
                }
            }
            ("amend", "case") => amended = Some(row),
            (_, object) => {
                if let Some(name) = object.strip_prefix("case ") {
                    entries.insert(name, &row.new);
                }
            }
        }
    }
    entries.retain(|_, value| !value.is_empty());
    let names: BTreeSet<&str> = entries.keys().copied().chain(record.entries.keys().map(String::as_str)).collect();
    for name in names {
        if record.entries.get(name).map(String::as_str) != entries.get(name).copied() {
            faults.push(Fault::Entry(name.to_owned()));
        }
    }
    for s in &record.signatures {
        match signed.remove(&s.version) {
            Some(row) => {
                faults.extend(differs(s, anchors.get(&s.version), row).map(|p| Fault::Signature(s.version, p)))
            }
            None => faults.push(Fault::Unaudited(s.version)),
        }
    }
    faults.extend(signed.keys().map(|v| Fault::Missing(*v)));
    let stray = anchors.keys().filter(|v| !record.signatures.iter().any(|s| s.version == **v));
    faults.extend(stray.map(|v| Fault::Signature(*v, SignedPart::Anchor)));
    let amending = match (&record.amending, &told.amending, amended) {
        (None, None, _) => true,
        (Some(reason), Some(_), Some(row)) => {
            row.reason == *reason || row.reason.starts_with(&clock_words(reason, "")[..])
        }
        _ => false,
    };
    if !amending {
        faults.push(Fault::Amending);
    }
    faults
}

/// What of a signature is not what its row says.
fn differs(s: &Signature, on: Option<&SignedOn>, row: &AuditRow) -> Option<SignedPart> {
    if row.action == "recover" {
        return (row.new != recovered_words(s)).then_some(SignedPart::Report);
    }
    if !row.new.starts_with(&sign_words(s.version, &s.report, None)) {
        return Some(SignedPart::Report);
    }
    if row.operator != s.operator || !noted_as(row, &s.time, &s.reason) {
        return Some(SignedPart::Signer);
    }
    let follows = on.is_none_or(|on| on.anchor.rows + 1 == row.number && on.anchor.last_hash == row.previous);
    (!follows || row.new != sign_words(s.version, &s.report, on)).then_some(SignedPart::Anchor)
}

/// What a version was signed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SignedOn {
    /// The trail's end before the row about the signature.
    pub(super) anchor: Anchor,
    /// Digest of what was in the session.
    pub(super) state: String,
}

/// A digest of all that a report can be made from, apart from the trail itself.
pub(super) fn state(c: &Connection) -> rusqlite::Result<String> {
    use rusqlite::types::ValueRef;
    use sha2::{Digest as _, Sha256};
    let mut hash = Sha256::new();
    for query in [
        "SELECT name, value FROM about WHERE name NOT IN ('trail', 'case.amending') ORDER BY name",
        "SELECT image, path FROM seen ORDER BY image",
        "SELECT image, cell, label, suggested, x, y, side FROM label ORDER BY image, cell",
        "SELECT path, bytes, modified, image, width, height, cells, error, warnings, provider FROM result ORDER BY path",
    ] {
        let mut all = c.prepare(query)?;
        let columns = all.column_count();
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            for i in 0..columns {
                let (kind, bytes): (u8, Vec<u8>) = match row.get_ref(i)? {
                    ValueRef::Null => (0, Vec::new()),
                    ValueRef::Integer(n) => (1, n.to_le_bytes().to_vec()),
                    ValueRef::Real(r) => (2, r.to_le_bytes().to_vec()),
                    ValueRef::Text(t) => (3, t.to_vec()),
                    ValueRef::Blob(b) => (4, b.to_vec()),
                };
                hash.update([kind]);
                hash.update((bytes.len() as u64).to_le_bytes());
                hash.update(bytes);
            }
        }
        hash.update([0xff]);
    }
    Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
}

/// An entry of the case.
pub(super) fn entry(c: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    let read = "SELECT value FROM about WHERE name = ?1";
    c.query_row(read, [format!("{PREFIX}{name}")], |r| r.get(0)).optional()
}

/// Sets an entry of the case; an empty value takes it away.
pub(super) fn set(c: &Connection, name: &str, value: &str) -> rusqlite::Result<()> {
    let name = format!("{PREFIX}{name}");
    if value.is_empty() {
        c.execute("DELETE FROM about WHERE name = ?1", [name])?;
    } else {
        c.execute("INSERT OR REPLACE INTO about (name, value) VALUES (?1, ?2)", [name, value.to_owned()])?;
    }
    Ok(())
}

/// What of a case can be brought over from a damaged session: what the rows say was entered, and the signatures that are what
/// their rows say; and whether something signed is not among them.
pub(super) fn brought_over<'a>(
    rows: impl IntoIterator<Item = &'a AuditRow>,
    signatures: &[Signature],
) -> (CaseRecord, bool) {
    let (mut told, mut record, mut lost) = (TrailState::default(), CaseRecord::default(), false);
    for row in rows {
        told.take(row);
        match (row.action.as_str(), row.object.as_str()) {
            ("sign" | "recover", "case") => {
                let found = signatures.iter().find(|s| version_of(&row.new) == Some(s.version)).filter(|s| {
                    let report = sign_words(s.version, &s.report, None);
                    row.action == "recover" && row.new == recovered_words(s)
                        || row.new.starts_with(&report) && row.operator == s.operator
                });
                lost |= found.is_none();
                record.signatures.extend(found.cloned());
            }
            (_, object) => {
                if let Some(name) = object.strip_prefix("case ") {
                    record.entries.insert(name.to_owned(), row.new.clone());
                }
            }
        }
    }
    record.entries.retain(|_, value| !value.is_empty());
    // Versions count up from 1: one after a gap would not be the version that it says.
    let whole = record.signatures.iter().zip(1..).take_while(|(s, n)| s.version == *n).count();
    lost |= whole < record.signatures.len();
    record.signatures.truncate(whole);
    record.amending = told.amending.filter(|_| whole > 0);
    record.sealed = told.sealed;
    (record, lost)
}

/// Writes a case that was brought over, and says what the trail is to have of it.
pub(super) fn recover(c: &Connection, case: &CaseRecord, from: &str) -> rusqlite::Result<Vec<AuditEntry>> {
    let noted = |action: &str, object: String, old: &str, new: String, reason: &str| AuditEntry {
        action: action.into(),
        object,
        old: old.into(),
        new,
        reason: reason.into(),
    };
    let mut rows = Vec::new();
    for (name, value) in &case.entries {
        set(c, name, value)?;
        rows.push(noted("recover", format!("case {name}"), "", value.clone(), from));
    }
    let last = case.signatures.len().saturating_sub(1);
    for (i, s) in case.signatures.iter().enumerate() {
        c.execute(
            "INSERT INTO signature (version, time, operator, reason, report) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![s.version, s.time, s.operator, s.reason, s.report],
        )?;
        rows.push(noted("recover", "case".into(), "", recovered_words(s), from));
        // Between two versions there was an amendment.
        if i < last {
            rows.push(noted("amend", "case".into(), "signed", String::new(), from));
        }
    }
    if let Some(reason) = case.amending.as_ref().filter(|_| !case.signatures.is_empty()) {
        set(c, AMENDING, reason)?;
        rows.push(noted("amend", "case".into(), "signed", String::new(), reason));
    }
    Ok(rows)
}

/// Rows about the case, in their order.
pub(super) fn case_rows(c: &Connection) -> rusqlite::Result<Vec<AuditRow>> {
    let read = "SELECT * FROM audit WHERE object = 'case' OR substr(object, 1, 5) = 'case ' ORDER BY number";
    let mut all = c.prepare(read)?;
    let rows = all.query_map([], audit_of)?;
    rows.map(|row| row.map(|(row, _)| row)).collect()
}

/// What the trail says about the case.
pub(super) fn told(c: &Connection) -> rusqlite::Result<TrailState> {
    Ok(TrailState::new(&case_rows(c)?))
}

/// Why nothing of a signed session can be changed, where that is so: the trail says that it is signed, or the tables do and
/// the trail does not say that it is being amended.
pub(super) fn locked(c: &Connection, told: &TrailState) -> rusqlite::Result<Option<String>> {
    let last = "SELECT operator, time FROM signature ORDER BY version DESC LIMIT 1";
    let signed: Option<(String, String)> = c.query_row(last, [], |r| Ok((r.get(0)?, r.get(1)?))).optional()?;
    let amending = told.amending.is_some() && entry(c, AMENDING)?.is_some();
    let by = if told.sealed { signed.or_else(|| Some(told.by.clone())) } else { signed.filter(|_| !amending) };
    Ok(by.map(|(operator, time)| format!("it was signed by {operator} at {time}; amend it to change something")))
}
