//! The case that a session is of: sample, targets, and who signed what. Every change is an audit row; what is signed is
//! locked, and an amendment makes the next version.

use super::audit::Anchor;
use super::record::{
    AMENDING, CaseChange, CaseRecord, PREFIX, Signature, SignedOn, TrailState, case_faults, case_rows, entry, locked,
    set, sign_words, state, told,
};
use super::rows::{AuditEntry, anchor, append_audit};
use super::store::{Store, StoreError};
use rusqlite::{TransactionBehavior, params};
use std::collections::BTreeMap;

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

impl Store {
    /// What is known of the case, and whether the audit trail says the same.
    ///
    /// # Errors
    /// When the file cannot be read any more.
    pub fn case(&self) -> Result<CaseRecord, StoreError> {
        let (mut record, anchors) = self.case_as_stored()?;
        let rows = case_rows(&self.connection).map_err(|e| self.store_error(&e))?;
        let told = TrailState::new(&rows);
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
        read().map_err(|e| self.store_error(&e))
    }

    /// Why nothing of a signed session can be changed, where that is so.
    pub(super) fn locked(&self) -> Result<Option<String>, StoreError> {
        locked(&self.connection, &self.told).map_err(|e| self.store_error(&e))
    }

    /// Changes the case, with an audit row, and returns when that is durable. `time` is UTC, RFC 3339.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`] for a signed case that is not being amended; when it cannot be written.
    pub fn change_case(&mut self, change: &CaseChange, operator: &str, time: &str) -> Result<(), StoreError> {
        self.writable()?;
        let shown = crate::files::display_path(&self.path);
        let store_error = |e: rusqlite::Error| StoreError::Sqlite(shown.clone(), e.to_string());
        let c = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(store_error)?;
        let is_locked = locked(&c, &self.told).map_err(store_error)?;
        let noted = |action: &str, object: &str, old: &str, new: &str, reason: &str| AuditEntry {
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
                set(&c, AMENDING, reason).map_err(store_error)?;
                noted("amend", "case", "signed", "", reason)
            }
            (CaseChange::Amend(_), None) => return Err(StoreError::ReadOnly("nothing is signed yet".into())),
            (_, Some(why)) => return Err(StoreError::ReadOnly(why)),
            (CaseChange::Set(name, _), None) if name == AMENDING => {
                return Err(StoreError::Refused(format!("\"{name}\" is no entry of a case")));
            }
            (CaseChange::Set(name, value), None) => {
                let old = entry(&c, name).map_err(store_error)?.unwrap_or_default();
                if old == *value {
                    return Ok(());
                }
                set(&c, name, value).map_err(store_error)?;
                noted("set", &format!("case {name}"), &old, value, "")
            }
            (CaseChange::Sign(report, reason), None) => {
                let amended = entry(&c, AMENDING).map_err(store_error)?;
                let version: u32 = c
                    .query_row("SELECT coalesce(max(version), 0) FROM signature", [], |r| r.get(0))
                    .map_err(store_error)?;
                // A signature that is gone keeps its number.
                let version = version.max(self.told.versions) + 1;
                let reasons: Vec<&str> = [amended.as_deref(), Some(reason.as_str())]
                    .into_iter()
                    .flatten()
                    .filter(|r| !r.is_empty())
                    .collect();
                let reason = reasons.join("; ");
                set(&c, AMENDING, "").map_err(store_error)?;
                let on = SignedOn { anchor: anchor(&c).map_err(store_error)?, state: state(&c).map_err(store_error)? };
                let report = anchored(report, &on.anchor);
                c.execute(
                    "INSERT INTO signature (version, time, operator, reason, report) VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![version, time, operator, reason, report],
                )
                .map_err(store_error)?;
                c.execute(
                    "INSERT INTO anchor (version, rows, last, state) VALUES (?1, ?2, ?3, ?4)",
                    params![version, on.anchor.rows.cast_signed(), on.anchor.last_hash, on.state],
                )
                .map_err(store_error)?;
                noted("sign", "case", "", &sign_words(version, &report, Some(&on)), &reason)
            }
        };
        append_audit(&c, vec![row], operator, time).map_err(store_error)?;
        c.commit().map_err(store_error)?;
        self.told = told(&self.connection).map_err(|e| self.store_error(&e))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::edit::{CellKey, Change, Edit, EditAction, Verdict};
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
            Edit { action: EditAction::Label, changes, reason: String::new() }
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
