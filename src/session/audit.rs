//! The audit trail: rows that each carry the hash of the row before, so that a row that was altered, removed or put in
//! later shows. Pure: time and operator are handed in.

use sha2::{Digest as _, Sha256};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// From 1.
    pub number: u64,
    /// UTC, RFC 3339.
    pub time: String,
    /// The operator's initials.
    pub operator: String,
    /// What was done.
    pub action: String,
    /// To what: image digest and cell.
    pub object: String,
    /// Before.
    pub old: String,
    /// After.
    pub new: String,
    pub reason: String,
    /// The program's version.
    pub version: String,
    /// Hash of the row before, hexadecimal; empty in the first one.
    pub previous: String,
}

impl AuditRow {
    /// SHA-256 over all fields with their lengths, so that no two rows of different fields are the same bytes.
    pub fn hash(&self) -> String {
        let number = self.number.to_string();
        let mut hash = Sha256::new();
        for field in [
            &number,
            &self.time,
            &self.operator,
            &self.action,
            &self.object,
            &self.old,
            &self.new,
            &self.reason,
            &self.version,
            &self.previous,
        ] {
            hash.update((field.len() as u64).to_le_bytes());
            hash.update(field.as_bytes());
        }
        hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
    }
}

/// Where an audit trail ends: noted on paper or in another file, it tells later whether rows were cut off or written anew.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Anchor {
    pub rows: u64,
    /// The hash of the last one, hexadecimal; empty where there is none.
    pub last_hash: String,
}

impl std::fmt::Display for Anchor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.rows {
            0 => f.write_str("the audit trail has no rows"),
            1 => write!(f, "the audit trail has 1 row, its hash is {}", self.last_hash),
            n => write!(f, "the audit trail has {n} rows, the last hash is {}", self.last_hash),
        }
    }
}

/// The numbers of rows that are not what they were when they were written, or that do not follow on the row before; each
/// row is given with the hash that was stored with it.
pub fn altered(rows: &[(AuditRow, String)]) -> Vec<u64> {
    let mut before = (0, String::new());
    let mut out = Vec::new();
    for (row, stored) in rows {
        if row.hash() != *stored || row.previous != before.1 || row.number != before.0 + 1 {
            out.push(row.number);
        }
        before = (row.number, stored.clone());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(n: u64) -> Vec<(AuditRow, String)> {
        let mut rows: Vec<(AuditRow, String)> = Vec::new();
        for number in 1..=n {
            let row = AuditRow {
                number,
                time: "2026-01-01T00:00:00Z".into(),
                operator: "ab".into(),
                action: "label".into(),
                object: format!("image {number}"),
                old: String::new(),
                new: "monocyte".into(),
                reason: String::new(),
                version: "0.1.0".into(),
                previous: rows.last().map_or(String::new(), |r| r.1.clone()),
            };
            let hash = row.hash();
            rows.push((row, hash));
        }
        rows
    }

    #[test]
    fn an_altered_removed_or_inserted_row_is_named() {
        assert!(altered(&chain(5)).is_empty() && altered(&[]).is_empty());
        let mut changed = chain(5);
        changed[2].0.new = "lymphocyte".into();
        assert_eq!(altered(&changed), [3]);
        // With its own hash made to fit, the next row tells.
        changed[2].1 = changed[2].0.hash();
        assert_eq!(altered(&changed), [4]);
        let mut removed = chain(5);
        removed.remove(1);
        assert_eq!(altered(&removed), [3]);
        let mut moved = chain(2);
        moved[1].0.old = "new".into();
        let (mut a, mut b) = (moved[1].0.clone(), moved[1].0.clone());
        (a.old, a.new) = ("ab".into(), "c".into());
        (b.old, b.new) = ("a".into(), "bc".into());
        assert_ne!(a.hash(), b.hash(), "what belongs to which field counts");
    }
}
