//! The case that a session is of: sample, targets, and who signed what. Every change is an audit row; what is signed is
//! locked, and an amendment makes the next version.

use super::store::{Noted, Store, StoreError, note};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use std::collections::BTreeMap;

/// Begins the names of a case's entries among what is known of a session.
const PREFIX: &str = "case.";
/// Stands among the entries while an amendment is under way.
const AMENDING: &str = "amending";

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
    /// The report as it was signed, JSON.
    pub report: String,
}

/// What is known of a case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CaseRecord {
    /// By name: `sample`, `wbc` and so on.
    pub entries: BTreeMap<String, String>,
    /// All signed versions, oldest first.
    pub signatures: Vec<Signature>,
    /// Why the last signed version is being amended, where it is.
    pub amending: Option<String>,
}

impl CaseRecord {
    /// Whether nothing can be changed.
    #[must_use]
    pub fn locked(&self) -> bool {
        !self.signatures.is_empty() && self.amending.is_none()
    }
}

/// What a person does to a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaseChange {
    /// Sets an entry; an empty value takes it away.
    Set(String, String),
    /// Signs: the report as JSON, and why although something was open.
    Sign(String, String),
    /// Opens what was signed for an amendment, for this reason.
    Amend(String),
}

/// Why nothing of a signed session can be changed, where that is so.
pub(super) fn locked(c: &Connection) -> rusqlite::Result<Option<String>> {
    let last = "SELECT operator, time FROM signature ORDER BY version DESC LIMIT 1";
    let signed: Option<(String, String)> = c.query_row(last, [], |r| Ok((r.get(0)?, r.get(1)?))).optional()?;
    let amending = entry(c, AMENDING)?.is_some();
    Ok(signed
        .filter(|_| !amending)
        .map(|(operator, time)| format!("it was signed by {operator} at {time}; amend it to change something")))
}

fn entry(c: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    let read = "SELECT value FROM about WHERE name = ?1";
    c.query_row(read, [format!("{PREFIX}{name}")], |r| r.get(0)).optional()
}

fn set(c: &Connection, name: &str, value: &str) -> rusqlite::Result<()> {
    let name = format!("{PREFIX}{name}");
    if value.is_empty() {
        c.execute("DELETE FROM about WHERE name = ?1", [name])?;
    } else {
        c.execute("INSERT OR REPLACE INTO about (name, value) VALUES (?1, ?2)", [name, value.to_owned()])?;
    }
    Ok(())
}

impl Store {
    /// What is known of the case.
    ///
    /// # Errors
    /// When the file cannot be read any more.
    pub fn case(&self) -> Result<CaseRecord, StoreError> {
        let read = || -> rusqlite::Result<CaseRecord> {
            let mut record = CaseRecord::default();
            let mut all = self.connection.prepare("SELECT name, value FROM about WHERE name LIKE 'case.%'")?;
            let rows = all.query_map([], |r| Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?)))?;
            for row in rows {
                let (name, value) = row?;
                match name.strip_prefix(PREFIX) {
                    Some(AMENDING) => record.amending = Some(value),
                    Some(name) => drop(record.entries.insert(name.to_owned(), value)),
                    None => {}
                }
            }
            // A session that an older version wrote and that is only read has no signatures.
            let read = "SELECT version, time, operator, reason, report FROM signature ORDER BY version";
            if let Ok(mut all) = self.connection.prepare(read) {
                let rows = all.query_map([], |r| {
                    Ok(Signature {
                        version: r.get(0)?,
                        time: r.get(1)?,
                        operator: r.get(2)?,
                        reason: r.get(3)?,
                        report: r.get(4)?,
                    })
                })?;
                record.signatures = rows.collect::<Result<_, _>>()?;
            }
            Ok(record)
        };
        read().map_err(|e| self.no(&e))
    }

    /// Changes the case, with an audit row, and returns when that is durable. `time` is UTC, RFC 3339.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`] for a signed case that is not being amended; when it cannot be written.
    pub fn change_case(&mut self, change: &CaseChange, operator: &str, time: &str) -> Result<(), StoreError> {
        self.writable()?;
        let shown = crate::files::display_path(&self.path);
        let no = |e: rusqlite::Error| StoreError::Sqlite(shown.clone(), e.to_string());
        let c = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(no)?;
        let is_locked = locked(&c).map_err(no)?;
        let noted = |action: &str, object: &str, old: &str, new: &str, reason: &str| Noted {
            action: action.into(),
            object: object.into(),
            old: old.into(),
            new: new.into(),
            reason: reason.into(),
        };
        let row = match (change, is_locked) {
            (CaseChange::Amend(reason), Some(_)) => {
                set(&c, AMENDING, reason).map_err(no)?;
                noted("amend", "case", "signed", "", reason)
            }
            (CaseChange::Amend(_), None) => return Err(StoreError::ReadOnly("nothing is signed yet".into())),
            (_, Some(why)) => return Err(StoreError::ReadOnly(why)),
            (CaseChange::Set(name, value), None) => {
                let old = entry(&c, name).map_err(no)?.unwrap_or_default();
                if old == *value {
                    return Ok(());
                }
                set(&c, name, value).map_err(no)?;
                noted("set", &format!("case {name}"), &old, value, "")
            }
            (CaseChange::Sign(report, reason), None) => {
                let amended = entry(&c, AMENDING).map_err(no)?;
                let version: u32 =
                    c.query_row("SELECT coalesce(max(version), 0) + 1 FROM signature", [], |r| r.get(0)).map_err(no)?;
                let reasons: Vec<&str> = [amended.as_deref(), Some(reason.as_str())]
                    .into_iter()
                    .flatten()
                    .filter(|r| !r.is_empty())
                    .collect();
                let reason = reasons.join("; ");
                c.execute(
                    "INSERT INTO signature VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![version, time, operator, reason, report],
                )
                .map_err(no)?;
                set(&c, AMENDING, "").map_err(no)?;
                let digest = crate::files::digest_of(report.as_bytes());
                noted("sign", "case", "", &format!("version {version}, report {digest}"), &reason)
            }
        };
        note(&c, vec![row], operator, time).map_err(no)?;
        c.commit().map_err(no)
    }
}

#[cfg(test)]
mod tests {
    use super::super::edit::{CellKey, Change, Edit, Verdict};
    use super::*;
    use crate::domain::Digest;

    #[test]
    fn what_is_signed_is_locked_until_it_is_amended_and_every_step_is_audited() {
        let dir = tempfile::tempdir().expect("temp");
        let path = dir.path().join("a.session");
        let mut s = Store::open(&path, "test").expect("opens").store;
        let at = "2026-01-01T00:00:00Z";
        let key = CellKey { image: Digest([1; 32]), cell: 1 };
        let label = |before: Option<&str>, after: &str| {
            let v = |l: &str| Verdict { label: l.into(), ..Verdict::default() };
            let changes = vec![Change { key, before: before.map(v), after: Some(v(after)) }];
            Edit { action: "label".into(), changes, reason: String::new() }
        };
        assert!(s.change_case(&CaseChange::Amend("x".into()), "ab", at).is_err(), "nothing is signed");
        s.change_case(&CaseChange::Set("sample".into(), "S-1".into()), "ab", at).expect("durable");
        s.change_case(&CaseChange::Set("sample".into(), "S-1".into()), "ab", at).expect("nothing to do");
        s.apply(&label(None, "monocyte"), "ab", at).expect("durable");
        s.change_case(&CaseChange::Sign("{}".into(), String::new()), "ab", at).expect("signed");
        let why = s.apply(&label(Some("monocyte"), "basophil"), "ab", at).expect_err("locked").to_string();
        assert!(why.contains("signed by ab"), "{why}");
        assert!(s.change_case(&CaseChange::Set("sample".into(), "S-2".into()), "ab", at).is_err());
        s.change_case(&CaseChange::Amend("wrong slide".into()), "cd", at).expect("opened");
        s.apply(&label(Some("monocyte"), "basophil"), "cd", at).expect("durable");
        s.change_case(&CaseChange::Sign("{\"v\":2}".into(), "one unread".into()), "cd", at).expect("signed again");
        drop(s);
        let s = Store::open(&path, "test").expect("opens").store;
        let case = s.case().expect("reads");
        assert!(case.locked() && case.entries["sample"] == "S-1");
        assert_eq!((case.signatures.len(), case.signatures[1].reason.as_str()), (2, "wrong slide; one unread"));
        assert_eq!(case.signatures[0].report, "{}", "the first version is kept");
        let actions: Vec<String> = s.audit().expect("reads").into_iter().map(|(r, _)| r.action).collect();
        assert_eq!(actions, ["set", "label", "sign", "amend", "label", "sign"]);
        let v = s.verify().expect("reads");
        assert!(v.altered.is_empty() && v.differing.is_empty(), "{v:?}");
    }
}
