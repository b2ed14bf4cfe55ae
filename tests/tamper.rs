//! A signed session, changed by somebody who has SQLite and not this program: `session verify` notices, each time; and what only an
//! anchor that was noted elsewhere can tell is told by `--expect`.

use crate::common::{leukoscope, text};
use leukoscope::domain::Digest;
use leukoscope::session::{CaseChange, CellKey, Change, Edit, EditAction, Seen, Store, Verdict};
use rusqlite::{Connection, params};
use sha2::{Digest as _, Sha256};
use std::path::Path;

const TIME: &str = "2026-01-02T03:04:05Z";

fn label(n: u8, before: Option<&str>, after: Option<&str>) -> Change {
    let verdict = |l: &str| Verdict { label: l.into(), suggested: "lymphocyte".into(), square: None };
    Change { key: CellKey { image: Digest([n; 32]), cell: 1 }, before: before.map(verdict), after: after.map(verdict) }
}

fn put(s: &mut Store, change: Change) {
    s.apply(&Edit { action: EditAction::Label, changes: vec![change], reason: String::new() }, "ab", TIME).unwrap();
}

/// Twenty labels, a sample, a white cell count, places; signed, where that is asked for.
fn session(path: &Path, signed: bool) {
    let mut s = Store::open(path, "the test").unwrap().store;
    (1..=20).for_each(|n| put(&mut s, label(n, None, Some("neutrophil"))));
    put(&mut s, label(3, Some("neutrophil"), Some("monocyte")));
    for (name, value) in [("sample", "S-1"), ("wbc", "55.0")] {
        s.change_case(&CaseChange::Set(name.into(), value.into()), "ab", TIME).unwrap();
    }
    let seen: Vec<Seen> =
        (1..=20).map(|n| Seen { image: Digest([n; 32]), path: format!("/slides/{n}.png").into() }).collect();
    s.see(&seen).unwrap();
    if signed {
        let report = r#"{"wbc":55.0,"neutrophil":19}"#;
        s.change_case(&CaseChange::Sign(report.into(), "2 not looked at".into()), "ab", TIME).unwrap();
    }
}

fn verify(path: &Path, more: &[&str]) -> (Option<i32>, String) {
    let run =
        leukoscope().args(["session", "verify", "--session", path.to_str().unwrap()]).args(more).output().unwrap();
    (run.status.code(), text(&run.stdout) + &text(&run.stderr))
}

/// A row's hash as the program makes it.
fn hash(row: &[String]) -> String {
    let mut sha = Sha256::new();
    for field in row {
        sha.update((field.len() as u64).to_le_bytes());
        sha.update(field.as_bytes());
    }
    sha.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

/// Writes the trail anew, each row as `change` leaves it, so that its own chain holds.
fn chained_anew(c: &Connection, change: impl Fn(i64, &mut Vec<String>)) {
    let rows: Vec<(i64, Vec<String>)> = c
        .prepare("SELECT number, time, operator, action, object, old, new, reason, version FROM audit ORDER BY number")
        .unwrap()
        .query_map([], |r| Ok((r.get(0)?, (1..9).map(|i| r.get(i)).collect::<Result<_, _>>()?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let mut previous = String::new();
    for (number, mut row) in rows {
        change(number, &mut row);
        let mut all = vec![number.to_string()];
        all.append(&mut row);
        all.push(previous.clone());
        let new = hash(&all);
        c.execute(
            "UPDATE audit SET operator = ?1, action = ?2, old = ?3, new = ?4, reason = ?5, previous = ?6, hash = ?7 WHERE number = ?8",
            params![all[2], all[3], all[5], all[6], all[7], previous, new, number],
        )
        .unwrap();
        previous = new;
    }
}

type Tampering = (&'static str, fn(&Connection));

fn run(c: &Connection, sql: &str) {
    c.execute_batch(sql).unwrap();
}

const SIGNED: &[Tampering] = &[
    ("the signed report", |c| run(c, "UPDATE signature SET report = replace(report, '55.0', '5.5')")),
    ("who signed", |c| run(c, "UPDATE signature SET operator = 'Prof. X'")),
    ("when it was signed", |c| run(c, "UPDATE signature SET time = '2020-01-01T00:00:00Z'")),
    ("why it was signed incomplete", |c| run(c, "UPDATE signature SET reason = ''")),
    ("the signature is gone", |c| run(c, "DELETE FROM signature")),
    ("the signature and its anchor are gone", |c| run(c, "DELETE FROM signature; DELETE FROM anchor")),
    ("a second signature", |c| {
        run(c, "INSERT INTO signature VALUES (2, '2026-02-01T00:00:00Z', 'zz', '', '{}')");
    }),
    ("another version's number", |c| run(c, "UPDATE signature SET version = 7")),
    ("the sample's name", |c| run(c, "UPDATE about SET value = 'SOMEBODY' WHERE name = 'case.sample'")),
    ("the white cell count", |c| run(c, "UPDATE about SET value = '5.5' WHERE name = 'case.wbc'")),
    ("an entry taken away", |c| run(c, "DELETE FROM about WHERE name = 'case.wbc'")),
    ("an entry that nobody made", |c| run(c, "INSERT INTO about VALUES ('case.age', '3')")),
    ("an entry of no kind", |c| run(c, "INSERT INTO about VALUES ('note', 'x')")),
    ("unlocked", |c| run(c, "INSERT OR REPLACE INTO about VALUES ('case.amending', 'x')")),
    ("where an image was seen", |c| run(c, "UPDATE seen SET path = '/else.png' WHERE path LIKE '%/5.png'")),
    ("an image not seen", |c| run(c, "DELETE FROM seen WHERE path LIKE '%/5.png'")),
    ("a label", |c| run(c, "UPDATE label SET label = 'basophil' WHERE hex(image) LIKE '05%'")),
    ("a label taken away", |c| run(c, "DELETE FROM label WHERE hex(image) LIKE '06%'")),
    ("a label put in", |c| {
        run(c, "INSERT INTO label (image, cell, label, suggested) VALUES (zeroblob(32), 1, 'blast', '')")
    }),
    ("a square", |c| run(c, "UPDATE label SET x = 1.0, y = 1.0, side = 9.0 WHERE hex(image) LIKE '07%'")),
    ("what the model had said", |c| run(c, "UPDATE label SET suggested = 'neutrophil' WHERE hex(image) LIKE '07%'")),
    ("a row of the trail", |c| run(c, "UPDATE audit SET operator = 'zz' WHERE number = 5")),
    ("a row's reason", |c| run(c, "UPDATE audit SET reason = 'because' WHERE number = 5")),
    ("a row out of the middle", |c| run(c, "DELETE FROM audit WHERE number = 9")),
    ("the last row", |c| run(c, "DELETE FROM audit WHERE number = (SELECT max(number) FROM audit)")),
    ("two rows change places", |c| {
        run(
            c,
            "UPDATE audit SET number = -1 WHERE number = 4; UPDATE audit SET number = 4 WHERE number = 5; UPDATE audit SET number = 5 WHERE number = -1",
        );
    }),
    ("everything", |c| run(c, "DELETE FROM audit; DELETE FROM label; DELETE FROM signature; DELETE FROM seen")),
    ("the chain anew, with another operator", |c| {
        chained_anew(c, |n, row| {
            if n == 5 {
                row[1] = "zz".into();
            }
        });
    }),
    ("the chain anew, and the noted end too", |c| {
        chained_anew(c, |n, row| {
            if n == 5 {
                row[1] = "zz".into();
            }
        });
        // Whoever knows where the end is noted; the signature's own anchor still tells.
        let end: String = c.query_row("SELECT value FROM about WHERE name = 'trail'", [], |r| r.get(0)).unwrap();
        let last: String =
            c.query_row("SELECT hash FROM audit ORDER BY number DESC LIMIT 1", [], |r| r.get(0)).unwrap();
        let (rows, _) = end.split_once(' ').unwrap_or((&end, ""));
        c.execute("UPDATE about SET value = ?1 WHERE name = 'trail'", [format!("{rows} {last}")]).unwrap();
    }),
    ("a trigger", |c| {
        run(c, "CREATE TRIGGER t AFTER INSERT ON label BEGIN UPDATE label SET label = 'blast'; END");
    }),
    ("a view in a table's place", |c| {
        run(c, "ALTER TABLE seen RENAME TO seen2; CREATE VIEW seen AS SELECT * FROM seen2")
    }),
    ("the tables' version", |c| run(c, "PRAGMA user_version = 1")),
    ("the mark of a session", |c| run(c, "PRAGMA application_id = 1")),
    ("a value of another kind", |c| run(c, "UPDATE label SET label = x'626c617374' WHERE hex(image) LIKE '08%'")),
    ("the anchor", |c| run(c, "UPDATE anchor SET rows = 3")),
    ("the anchor's state", |c| run(c, "UPDATE anchor SET state = 'x'")),
    ("a result that nobody computed", |c| {
        run(c, "INSERT INTO result (path, bytes, modified, warnings) VALUES ('/x.png', 1, 1, '')");
    }),
    ("results of another model", |c| run(c, "INSERT OR REPLACE INTO about VALUES ('results of', 'another model')")),
];

#[test]
fn every_change_of_a_signed_session_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole.session");
    session(&whole, true);
    let (rc, said) = verify(&whole, &[]);
    assert!(rc == Some(0) && said.contains("none altered"), "{said}");
    for (what, change) in SIGNED {
        let path = dir.path().join("s.session");
        std::fs::copy(&whole, &path).unwrap();
        let c = Connection::open(&path).unwrap();
        change(&c);
        assert!(
            c.changes() > 0
                || what.contains("version")
                || what.contains("mark")
                || what.contains("view")
                || what.contains("trigger"),
            "{what}: nothing was changed"
        );
        drop(c);
        let (rc, said) = verify(&path, &[]);
        assert!(rc == Some(2) && !said.contains("none altered"), "{what}: {said}");
        ["", "-wal", "-shm"].iter().for_each(|e| drop(std::fs::remove_file(format!("{}{e}", path.display()))));
    }
}

#[test]
fn a_page_that_is_overwritten_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole.session");
    session(&whole, true);
    let bytes = std::fs::read(&whole).unwrap();
    for page in 1..bytes.len() / 4096 {
        let path = dir.path().join("s.session");
        let mut damaged = bytes.clone();
        damaged[page * 4096..][..4096].fill(0);
        std::fs::write(&path, damaged).unwrap();
        let (rc, said) = verify(&path, &[]);
        assert!(rc == Some(2) && !said.contains("none altered"), "page {page}: {said}");
    }
}

/// Before anything is signed, whoever has the database and this program's source can write all of it anew: only a hash that was
/// noted elsewhere tells. the guide says so.
#[test]
fn a_history_written_anew_is_known_by_a_hash_that_was_noted() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("a.session"), dir.path().join("b.session"));
    session(&first, false);
    let (_, said) = verify(&first, &[]);
    let noted = said.split("the last hash is ").nth(1).unwrap()[..64].to_owned();
    // As the exports say it, too.
    for format in ["csv", "html", "fhir"] {
        let out = leukoscope()
            .args(["session", "export", "--session", first.to_str().unwrap(), "--format", format])
            .output()
            .unwrap();
        assert!(text(&out.stderr).contains(&noted), "{format}: {}", text(&out.stderr));
    }
    let mut s = Store::open(&second, "the test").unwrap().store;
    (1..=20).for_each(|n| put(&mut s, label(n, None, Some("blast"))));
    drop(s);
    assert_eq!(verify(&second, &[]).0, Some(0), "a history of its own");
    let (rc, said) = verify(&second, &["--expect", &noted]);
    assert!(rc == Some(2) && said.contains("does not hold the hash"), "{said}");
    assert_eq!(verify(&first, &["--expect", &noted]).0, Some(0));
    // What came since is fine; a hash that was noted with fewer rows is still there.
    let mut s = Store::open(&first, "the test").unwrap().store;
    put(&mut s, label(4, Some("neutrophil"), Some("basophil")));
    drop(s);
    let (rc, said) = verify(&first, &["--expect", &noted]);
    assert!(rc == Some(0) && said.contains("rows after it: 1"), "{said}");
}
