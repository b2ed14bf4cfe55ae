//! Checks a session against its audit trail: the chain, the labels, what was entered of the case, the signatures, where the
//! images were seen, the tables themselves. Changes nothing; what cannot be read is a finding, not an error.

use super::audit::{Anchor, AuditRow, altered};
use super::edit::{CellKey, Verdict};
use super::fault::Fault;
use super::opening::{MIGRATIONS, SCHEMA, marked};
use super::places::counted;
use super::record::{CaseRecord, Signature, SignedOn, case_faults, state};
use super::rows::{PLACES, SEE, key_of, object, trail_end};
use super::store::{Store, StoreError};
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet};

/// This many of the database's own complaints are told.
const COMPLAINTS: usize = 20;

/// What checking a session found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verification {
    /// Rows of the audit trail.
    pub rows: usize,
    /// Numbers of rows that were altered or do not follow on the one before.
    pub altered: Vec<u64>,
    /// Cells whose label is not what the audit trail says it is.
    pub differing: Vec<CellKey>,
    /// Everything else.
    pub faults: Vec<Fault>,
    /// Hashes of the rows, in their order: whoever noted one can find it again.
    pub hashes: Vec<String>,
}

impl Verification {
    /// Whether nothing was found.
    pub fn sound(&self) -> bool {
        self.altered.is_empty() && self.differing.is_empty() && self.faults.is_empty()
    }

    /// Where the trail ends.
    pub fn anchor(&self) -> Anchor {
        Anchor { rows: self.rows as u64, last_hash: self.hashes.last().cloned().unwrap_or_default() }
    }

    /// The number of the row with this hash, from 1, and how many rows follow on it.
    pub fn find(&self, hash: &str) -> Option<(usize, usize)> {
        let hash = hash.trim().to_lowercase();
        let at = self.hashes.iter().rposition(|h| *h == hash)?;
        Some((at + 1, self.hashes.len() - at - 1))
    }

    /// What was found, a sentence for each.
    pub fn findings(&self) -> Vec<String> {
        let rows = self
            .altered
            .iter()
            .map(|n| format!("row {n} of the audit trail was altered, or does not follow on the row before"));
        let cells = self
            .differing
            .iter()
            .map(|k| format!("cell {} of image {} has a label that the audit trail does not know", k.cell, k.image));
        rows.chain(cells).chain(self.faults.iter().map(ToString::to_string)).collect()
    }
}

/// What each column holds, by SQLite's own name of the type; with `null` where it may be empty.
const TYPES: [(&str, &[(&str, &str)]); 7] = [
    ("about", &[("name", "text"), ("value", "text")]),
    ("seen", &[("image", "blob"), ("path", "text")]),
    (
        "label",
        &[
            ("image", "blob"),
            ("cell", "integer"),
            ("label", "text"),
            ("suggested", "text"),
            ("x", "real null"),
            ("y", "real null"),
            ("side", "real null"),
        ],
    ),
    (
        "audit",
        &[
            ("number", "integer"),
            ("time", "text"),
            ("operator", "text"),
            ("action", "text"),
            ("object", "text"),
            ("old", "text"),
            ("new", "text"),
            ("reason", "text"),
            ("version", "text"),
            ("previous", "text"),
            ("hash", "text"),
        ],
    ),
    (
        "result",
        &[
            ("path", "text"),
            ("bytes", "integer"),
            ("modified", "integer"),
            ("image", "blob null"),
            ("width", "integer null"),
            ("height", "integer null"),
            ("cells", "blob null"),
            ("error", "text null"),
            ("warnings", "text"),
            ("provider", "text null"),
        ],
    ),
    (
        "signature",
        &[("version", "integer"), ("time", "text"), ("operator", "text"), ("reason", "text"), ("report", "text")],
    ),
    ("anchor", &[("version", "integer"), ("rows", "integer"), ("last", "text"), ("state", "text")]),
];

impl Store {
    /// Checks the file, its tables, the chain, and that labels, case, signatures and paths are what the chain says.
    ///
    /// # Errors
    /// When the file cannot be read at all.
    pub fn verify(&self) -> Result<Verification, StoreError> {
        // One state of the file for all that is compared.
        let c = self.connection.unchecked_transaction().map_err(|e| self.store_error(&e))?;
        let mut v = Verification::default();
        v.faults.extend(damage(&c));
        let version: i64 = c.query_row("PRAGMA user_version", [], |r| r.get(0)).map_err(|e| self.store_error(&e))?;
        v.faults.extend(schema(&c, version));
        v.faults.extend(types(&c));
        let rows = match self.audit() {
            Ok(rows) => rows,
            Err(e) => {
                v.faults.push(Fault::Unreadable("audit", e.to_string()));
                return Ok(v);
            }
        };
        v.rows = rows.len();
        v.altered = altered(&rows);
        v.hashes = rows.iter().map(|(_, hash)| hash.clone()).collect();
        match self.labels() {
            Ok(labels) => v.differing = differing(&rows, &labels),
            Err(e) => v.faults.push(Fault::Unreadable("label", e.to_string())),
        }
        if version >= SCHEMA {
            v.faults.extend(end(&c, &v.anchor()));
            v.faults.extend(places(&c, &rows));
        }
        match self.case_as_stored() {
            Ok((record, anchors)) => {
                v.faults.extend(case_faults(&record, &anchors, rows.iter().map(|(r, _)| r)));
                v.faults.extend(signed_state(&c, &record, &anchors));
            }
            Err(e) => v.faults.push(Fault::Unreadable("signature", e.to_string())),
        }
        v.faults.extend(strangers(&c));
        Ok(v)
    }
}

fn damage(c: &Connection) -> Vec<Fault> {
    let check = || -> rusqlite::Result<Vec<String>> {
        let mut all = c.prepare(&format!("PRAGMA integrity_check({COMPLAINTS})"))?;
        all.query_map([], |r| r.get(0))?.collect()
    };
    match check() {
        Ok(lines) => lines.into_iter().filter(|l| l != "ok").map(Fault::Damaged).collect(),
        Err(e) => vec![Fault::Damaged(e.to_string())],
    }
}

/// The tables must be those that a new session of the same version has.
fn schema(c: &Connection, version: i64) -> Vec<Fault> {
    let read = |c: &Connection| -> rusqlite::Result<BTreeMap<(String, String), String>> {
        // Indexes that SQLite makes by itself go with their tables.
        let mut all = c.prepare("SELECT type, name, coalesce(sql, '') FROM sqlite_schema WHERE sql IS NOT NULL")?;
        let rows = all.query_map([], |r| {
            let sql: String = r.get(2)?;
            Ok(((r.get(0)?, r.get(1)?), sql.split_whitespace().collect::<Vec<_>>().join(" ")))
        })?;
        rows.collect()
    };
    let mut faults = Vec::new();
    let Some(steps) = usize::try_from(version).ok().and_then(|v| MIGRATIONS.get(..v)).filter(|s| !s.is_empty()) else {
        return vec![Fault::Header(format!("its tables are said to be of version {version}"))];
    };
    let wanted = || -> rusqlite::Result<_> {
        let fresh = Connection::open_in_memory()?;
        steps.iter().try_for_each(|step| fresh.execute_batch(step))?;
        read(&fresh)
    };
    match wanted().and_then(|wanted| Ok((wanted, read(c)?))) {
        Ok((wanted, found)) => {
            let names: BTreeSet<&(String, String)> = wanted.keys().chain(found.keys()).collect();
            let differs = names.into_iter().filter(|n| wanted.get(*n) != found.get(*n));
            faults.extend(differs.map(|(kind, name)| Fault::Schema(format!("{kind} {name}"))));
        }
        Err(e) => faults.push(Fault::Unreadable("sqlite_schema", e.to_string())),
    }
    if version >= SCHEMA && !marked(c).unwrap_or(false) {
        faults.push(Fault::Header("the mark of a session is gone".into()));
    }
    faults
}

fn types(c: &Connection) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (table, columns) in TYPES {
        for (column, types) in columns {
            let words: Vec<String> = types.split(' ').map(|t| format!("'{t}'")).collect();
            // Older versions have neither all tables nor all columns; what is missing is the schema's matter.
            let odd = format!("SELECT 1 FROM {table} WHERE typeof(\"{column}\") NOT IN ({}) LIMIT 1", words.join(", "));
            if c.query_row(&odd, [], |_| Ok(())).is_ok() {
                faults.push(Fault::Type { table, column });
            }
        }
    }
    faults
}

/// Cells whose label is not what their last row says.
fn differing(rows: &[(AuditRow, String)], labels: &BTreeMap<CellKey, Verdict>) -> Vec<CellKey> {
    let mut told: BTreeMap<&str, &str> = rows.iter().map(|(r, _)| (r.object.as_str(), r.new.as_str())).collect();
    told.retain(|_, label| !label.is_empty());
    // The words must also mean what stands there: a label is not a square that is written like one.
    let same = |v: &Verdict, words: &str| {
        v.to_words() == words
            && Verdict::from_words(words).is_some_and(|w| (w.label, w.square) == (v.label.clone(), v.square))
    };
    let mut out: Vec<CellKey> = labels
        .iter()
        .filter(|(key, v)| !told.get(object(**key).as_str()).is_some_and(|words| same(v, words)))
        .map(|(key, _)| *key)
        .collect();
    let kept: BTreeSet<String> = labels.keys().map(|k| object(*k)).collect();
    out.extend(told.keys().filter(|o| !kept.contains(**o)).filter_map(|o| key_of(o)));
    out
}

fn end(c: &Connection, found: &Anchor) -> Option<Fault> {
    let noted = match trail_end(c) {
        Ok(noted) => noted.unwrap_or_default(),
        Err(e) => return Some(Fault::Unreadable("about", e.to_string())),
    };
    (noted != super::rows::end_words(found)).then(|| Fault::End { noted, found: found.clone() })
}

fn places(c: &Connection, rows: &[(AuditRow, String)]) -> Option<Fault> {
    let told = rows.iter().rev().find(|(r, _)| r.action == SEE && r.object == PLACES).map(|(r, _)| r.new.as_str());
    let noted: rusqlite::Result<Option<String>> = {
        use rusqlite::OptionalExtension;
        c.query_row("SELECT value FROM about WHERE name = ?1", [PLACES], |r| r.get(0)).optional()
    };
    let seen: i64 = c.query_row("SELECT count(*) FROM seen", [], |r| r.get(0)).unwrap_or(0);
    match (told, counted(c), noted) {
        // Nothing was seen, and nobody says so.
        (None, Ok(_), Ok(None)) if seen == 0 => None,
        (Some(told), Ok(counted), Ok(Some(noted))) if told == counted && told == noted => None,
        (_, Err(e), _) | (.., Err(e)) => Some(Fault::Unreadable("seen", e.to_string())),
        _ => Some(Fault::Places),
    }
}

/// While a version is signed, everything is what it was signed on.
fn signed_state(c: &Connection, record: &CaseRecord, anchors: &BTreeMap<u32, SignedOn>) -> Option<Fault> {
    let last: &Signature = record.signatures.last().filter(|_| record.locked())?;
    let on = anchors.get(&last.version)?;
    match state(c) {
        Ok(now) => (now != on.state).then_some(Fault::State(last.version)),
        Err(e) => Some(Fault::Unreadable("result", e.to_string())),
    }
}

/// Entries of a session that no version of the program writes.
fn strangers(c: &Connection) -> Vec<Fault> {
    let known = [PLACES, "folders", "results of", super::rows::TRAIL, "noted.run", "noted.alike"];
    let read = || -> rusqlite::Result<Vec<String>> {
        let mut all = c.prepare("SELECT name FROM about")?;
        all.query_map([], |r| r.get(0))?.collect()
    };
    match read() {
        Ok(names) => {
            let strange = |n: &String| !known.contains(&n.as_str()) && !n.starts_with("case.");
            names.into_iter().filter(strange).map(Fault::Stranger).collect()
        }
        Err(e) => vec![Fault::Unreadable("about", e.to_string())],
    }
}
