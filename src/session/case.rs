//! The case that a session is of: sample, targets, and who signed what. Every change is an audit row; what is signed is
//! locked, and an amendment makes the next version.

use super::audit::{Anchor, AuditRow};
use super::places::SEE;
use super::store::{Noted, Store, StoreError, anchor, audit_of, clock_words, note};
use super::verify::{Fault, SignedOn, SignedPart, state};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use std::collections::{BTreeMap, BTreeSet};

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
    /// The report as it was signed, JSON; where it is an object, `anchor` in it says where the audit trail ended.
    pub report: String,
    /// Where the audit trail ended when it was signed; nothing for what an older version of the program signed.
    pub anchor: Option<Anchor>,
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
    /// Whether the audit trail says that it is signed and not being amended, whatever else the file says.
    pub sealed: bool,
    /// What of the case is not what the audit trail says: it was changed by something else than this program.
    pub faults: Vec<Fault>,
}

impl CaseRecord {
    /// Whether nothing can be changed.
    #[must_use]
    pub fn locked(&self) -> bool {
        self.sealed || (!self.signatures.is_empty() && self.amending.is_none())
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

/// What the rows of a trail say about whether the case is signed, and what was signed by whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// Signed, and not being amended since.
    pub(super) sealed: bool,
    /// Why it is being amended.
    amending: Option<String>,
    /// The highest version that was signed.
    versions: u32,
    /// Who signed last, and when.
    by: (String, String),
}

impl Told {
    /// What some rows come to.
    fn of(rows: &[AuditRow]) -> Self {
        let mut told = Self::default();
        for row in rows {
            told.take(row);
        }
        told
    }

    /// Takes a row into account; says whether it could have been written at that moment.
    fn take(&mut self, row: &AuditRow) -> bool {
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
fn sign_words(version: u32, report: &str, on: Option<&SignedOn>) -> String {
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
    let (mut told, mut faults) = (Told::default(), Vec::new());
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

/// The report with where the trail ended, which then is signed too. What is no JSON object, or names an anchor itself, stays
/// as it is: its digest is in the trail.
fn anchored(report: &str, anchor: &Anchor) -> String {
    let object: Option<serde_json::Map<String, serde_json::Value>> = serde_json::from_str(report).ok();
    match (object, report.trim_end().strip_suffix('}')) {
        (Some(map), Some(head)) if !map.contains_key("anchor") => {
            let comma = if map.is_empty() { "" } else { "," };
            let hash = serde_json::Value::from(anchor.last_hash.as_str());
            // Put in as text: numbers that were signed keep the digits that they were signed with.
            format!("{}{comma}\"anchor\":{{\"rows\":{},\"last_hash\":{hash}}}}}", head.trim_end(), anchor.rows)
        }
        _ => report.to_owned(),
    }
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
    /// What is known of the case, and whether the audit trail says the same.
    ///
    /// # Errors
    /// When the file cannot be read any more.
    pub fn case(&self) -> Result<CaseRecord, StoreError> {
        let (mut record, anchors) = self.case_as_stored()?;
        let rows = case_rows(&self.connection).map_err(|e| self.no(&e))?;
        let told = Told::of(&rows);
        record.faults = case_faults(&record, &anchors, &rows);
        record.sealed = told.sealed;
        Ok(record)
    }

    /// As it stands in the tables, whatever the trail says, and what each version was signed on.
    pub(super) fn case_as_stored(&self) -> Result<(CaseRecord, BTreeMap<u32, SignedOn>), StoreError> {
        let read = || -> rusqlite::Result<(CaseRecord, BTreeMap<u32, SignedOn>)> {
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
            let mut anchors = BTreeMap::new();
            // A session that an older version wrote and that is only read has no anchors, or no signatures at all.
            if let Ok(mut all) = self.connection.prepare("SELECT version, rows, last, state FROM anchor") {
                let rows = all.query_map([], |r| {
                    let anchor = Anchor { rows: r.get::<_, u32>(1)?.into(), last_hash: r.get(2)? };
                    Ok((r.get(0)?, SignedOn { anchor, state: r.get(3)? }))
                })?;
                anchors = rows.collect::<Result<_, _>>()?;
            }
            let read = "SELECT version, time, operator, reason, report FROM signature ORDER BY version";
            if let Ok(mut all) = self.connection.prepare(read) {
                let rows = all.query_map([], |r| {
                    let version = r.get(0)?;
                    Ok(Signature {
                        version,
                        time: r.get(1)?,
                        operator: r.get(2)?,
                        reason: r.get(3)?,
                        report: r.get(4)?,
                        anchor: anchors.get(&version).map(|on: &SignedOn| on.anchor.clone()),
                    })
                })?;
                record.signatures = rows.collect::<Result<_, _>>()?;
            }
            Ok((record, anchors))
        };
        read().map_err(|e| self.no(&e))
    }

    /// Why nothing of a signed session can be changed, where that is so.
    pub(super) fn locked(&self) -> Result<Option<String>, StoreError> {
        locked(&self.connection, &self.told).map_err(|e| self.no(&e))
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
        let is_locked = locked(&c, &self.told).map_err(no)?;
        let noted = |action: &str, object: &str, old: &str, new: &str, reason: &str| Noted {
            action: action.into(),
            object: object.into(),
            old: old.into(),
            new: new.into(),
            reason: reason.into(),
        };
        let row = match (change, is_locked) {
            (CaseChange::Amend(reason), Some(_)) if reason.trim().is_empty() => {
                return Err(StoreError::Refused("say why the signed version is amended".into()));
            }
            (CaseChange::Amend(reason), Some(_)) => {
                set(&c, AMENDING, reason).map_err(no)?;
                noted("amend", "case", "signed", "", reason)
            }
            (CaseChange::Amend(_), None) => return Err(StoreError::ReadOnly("nothing is signed yet".into())),
            (_, Some(why)) => return Err(StoreError::ReadOnly(why)),
            (CaseChange::Set(name, _), None) if name == AMENDING => {
                return Err(StoreError::Refused(format!("\"{name}\" is no entry of a case")));
            }
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
                    c.query_row("SELECT coalesce(max(version), 0) FROM signature", [], |r| r.get(0)).map_err(no)?;
                // A signature that is gone keeps its number.
                let version = version.max(self.told.versions) + 1;
                let reasons: Vec<&str> = [amended.as_deref(), Some(reason.as_str())]
                    .into_iter()
                    .flatten()
                    .filter(|r| !r.is_empty())
                    .collect();
                let reason = reasons.join("; ");
                set(&c, AMENDING, "").map_err(no)?;
                let on = SignedOn { anchor: anchor(&c).map_err(no)?, state: state(&c).map_err(no)? };
                let report = anchored(report, &on.anchor);
                c.execute(
                    "INSERT INTO signature (version, time, operator, reason, report) VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![version, time, operator, reason, report],
                )
                .map_err(no)?;
                c.execute(
                    "INSERT INTO anchor (version, rows, last, state) VALUES (?1, ?2, ?3, ?4)",
                    params![version, on.anchor.rows.cast_signed(), on.anchor.last_hash, on.state],
                )
                .map_err(no)?;
                noted("sign", "case", "", &sign_words(version, &report, Some(&on)), &reason)
            }
        };
        note(&c, vec![row], operator, time).map_err(no)?;
        c.commit().map_err(no)?;
        self.told = told(&self.connection).map_err(|e| self.no(&e))?;
        Ok(())
    }
}

/// What of a case can be brought over from a damaged session: what the rows say was entered, and the signatures that are what
/// their rows say; and whether something signed is not among them.
pub(super) fn brought_over<'a>(
    rows: impl IntoIterator<Item = &'a AuditRow>,
    signatures: &[Signature],
) -> (CaseRecord, bool) {
    let (mut told, mut record, mut lost) = (Told::default(), CaseRecord::default(), false);
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
pub(super) fn recover(c: &Connection, case: &CaseRecord, from: &str) -> rusqlite::Result<Vec<Noted>> {
    let noted = |action: &str, object: String, old: &str, new: String, reason: &str| Noted {
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
fn case_rows(c: &Connection) -> rusqlite::Result<Vec<AuditRow>> {
    let read = "SELECT * FROM audit WHERE object = 'case' OR substr(object, 1, 5) = 'case ' ORDER BY number";
    let mut all = c.prepare(read)?;
    let rows = all.query_map([], audit_of)?;
    rows.map(|row| row.map(|(row, _)| row)).collect()
}

/// What the trail says about the case.
pub(super) fn told(c: &Connection) -> rusqlite::Result<Told> {
    Ok(Told::of(&case_rows(c)?))
}

/// Why nothing of a signed session can be changed, where that is so: the trail says that it is signed, or the tables do and
/// the trail does not say that it is being amended.
pub(super) fn locked(c: &Connection, told: &Told) -> rusqlite::Result<Option<String>> {
    let last = "SELECT operator, time FROM signature ORDER BY version DESC LIMIT 1";
    let signed: Option<(String, String)> = c.query_row(last, [], |r| Ok((r.get(0)?, r.get(1)?))).optional()?;
    let amending = told.amending.is_some() && entry(c, AMENDING)?.is_some();
    let by = if told.sealed { signed.or_else(|| Some(told.by.clone())) } else { signed.filter(|_| !amending) };
    Ok(by.map(|(operator, time)| format!("it was signed by {operator} at {time}; amend it to change something")))
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
        let s_anchor = s.anchor().expect("reads");
        s.change_case(&CaseChange::Sign("{}".into(), String::new()), "ab", at).expect("signed");
        assert!(s.change_case(&CaseChange::Amend(" ".into()), "ab", at).is_err(), "without a reason");
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
        assert_eq!(case.signatures[0].report, anchored("{}", &s_anchor), "the first version is kept");
        assert!(case.faults.is_empty() && case.sealed, "{:?}", case.faults);
        let actions: Vec<String> = s.audit().expect("reads").into_iter().map(|(r, _)| r.action).collect();
        assert_eq!(actions, ["set", "label", "sign", "amend", "label", "sign"]);
        let v = s.verify().expect("reads");
        assert!(v.sound(), "{v:?}");
    }

    #[test]
    fn the_trails_end_goes_into_what_is_signed_and_leaves_its_digits_alone() {
        let anchor = Anchor { rows: 7, last_hash: "ab".into() };
        let signed = anchored("{\n  \"wbc\": 55.10,\n  \"n\": 0.30000000000000004\n}\n", &anchor);
        assert!(signed.starts_with("{\n  \"wbc\": 55.10,\n  \"n\": 0.30000000000000004,"), "{signed}");
        let read: serde_json::Value = serde_json::from_str(&signed).expect("JSON");
        assert_eq!((&read["anchor"]["rows"], &read["anchor"]["last_hash"]), (&7.into(), &"ab".into()));
        for same in ["no JSON", "[1]", "{\"anchor\":1}", "\"}\""] {
            assert_eq!(anchored(same, &anchor), same);
        }
    }
}
