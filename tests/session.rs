//! `leukoscope session` as it is run: a table goes in and comes out, an altered row is named, a killed process loses nothing
//! that it had acknowledged.

use crate::common::{leukoscope, table, text};
use leukoscope::domain::Digest;
use leukoscope::session::{CellKey, Change, Edit, EditAction, Store, Verdict};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Output, Stdio};

fn session(home: &Path, arguments: &[&str]) -> Output {
    leukoscope().env("XDG_DATA_HOME", home).arg("session").args(arguments).output().unwrap()
}

fn rows(n: usize, label: &str) -> String {
    let mut t = String::from("sha256,cell,label,suggested,path\n");
    for i in 0..n {
        t.push_str(&format!("{:064x},{},{label},neutrophil,a{i}.png\n", i + 1, i % 3 + 1));
    }
    t
}

#[test]
fn a_table_goes_in_and_comes_out_on_another_machine() {
    let (dir, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let slides = dir.path().join("slides");
    std::fs::create_dir(&slides).unwrap();
    let (folder, csv) = (slides.to_str().unwrap(), dir.path().join("in.csv"));
    let none = session(dir.path(), &["show", "--folder", folder]);
    assert!(none.status.code() == Some(2) && text(&none.stderr).contains("there is no session"));
    std::fs::write(&csv, rows(20, "monocyte")).unwrap();
    let put = session(dir.path(), &["import", csv.to_str().unwrap(), "--folder", folder, "--operator", "ab"]);
    assert_eq!(
        (put.status.code(), text(&put.stderr).contains("20 cells changed")),
        (Some(0), true),
        "{}",
        text(&put.stderr)
    );
    // Again changes nothing; another way to the same folder is the same session.
    let again = session(dir.path(), &["import", csv.to_str().unwrap(), "--folder", &format!("{folder}/../slides")]);
    assert!(text(&again.stderr).contains("0 cells changed"), "{}", text(&again.stderr));
    let shown = text(&session(dir.path(), &["show", "--folder", folder]).stdout);
    assert!(shown.contains("20 cells reviewed, 20 with another label than suggested, 20 rows"), "{shown}");
    assert!(text(&session(dir.path(), &["list"]).stdout).contains("20 cells"));
    let out = dir.path().join("out.csv");
    let wrote = session(dir.path(), &["export", "--format", "csv", "--out", out.to_str().unwrap(), "--folder", folder]);
    assert_eq!(wrote.status.code(), Some(0), "{}", text(&wrote.stderr));
    let taken = session(there.path(), &["import", out.to_str().unwrap(), "--folder", folder]);
    assert!(text(&taken.stderr).contains("20 cells changed"), "{}", text(&taken.stderr));
    let key = |bytes: &[u8]| -> Vec<(String, String, String)> {
        table(bytes).into_iter().map(|r| (r["sha256"].clone(), r["cell"].clone(), r["label"].clone())).collect()
    };
    let mut here = key(&session(dir.path(), &["export", "--folder", folder]).stdout);
    let mut other = key(&session(there.path(), &["export", "--folder", folder]).stdout);
    here.sort();
    other.sort();
    assert!(here.len() == 20 && here == other);
    let checked = session(dir.path(), &["verify", "--folder", folder]);
    assert!(checked.status.code() == Some(0) && text(&checked.stdout).contains("20 rows, none altered"), "{checked:?}");
    let unnamed = session(dir.path(), &["verify"]);
    assert!(unnamed.status.code() == Some(2) && text(&unnamed.stderr).contains("--folder DIR"));
}

#[test]
fn a_table_that_is_wrong_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("s.session");
    let csv = dir.path().join("in.csv");
    let put = |content: &str| {
        std::fs::write(&csv, content).unwrap();
        session(dir.path(), &["import", csv.to_str().unwrap(), "--session", file.to_str().unwrap()])
    };
    assert_eq!(put(&rows(3, "monocyte")).status.code(), Some(0));
    let digest = format!("{:064x}", 1);
    for (content, word) in [
        ("path,label\na.png,monocyte\n".to_owned(), "knows no image a.png"),
        ("file,class\na.png,monocyte\n".to_owned(), "sha256, cell and label"),
        (format!("sha256,cell,label\n{digest},1,basophil\nxyz,1,basophil\n"), "line 3"),
        (format!("sha256,cell,label\n{digest},0,basophil\n"), "no number of a cell"),
        (format!("sha256,cell,label\n{digest},1,\n"), "no label"),
        (format!("sha256,cell,label\n{digest},1,basophil\n{digest},1,monocyte\n"), "another label"),
    ] {
        let refused = put(&content);
        assert_eq!(refused.status.code(), Some(2), "{content}");
        assert!(text(&refused.stderr).contains(word), "{word}: {}", text(&refused.stderr));
    }
    let labels = table(&session(dir.path(), &["export", "--session", file.to_str().unwrap()]).stdout);
    assert!(labels.len() == 3 && labels.iter().all(|r| r["label"] == "monocyte"));
    let no = dir.path().join("text.session");
    std::fs::write(&no, "no database at all, but long enough to be looked at by somebody").unwrap();
    let refused = session(dir.path(), &["show", "--session", no.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stderr));
}

/// Imports, one after the other, killed at moments that differ: what was acknowledged is there, nothing else is half there.
#[cfg(unix)]
#[test]
fn a_killed_process_loses_nothing_that_it_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("s.session");
    let mut acknowledged: Option<usize> = None;
    let labels = ["basophil", "eosinophil", "lymphocyte", "monocyte", "neutrophil"];
    let n = 400;
    // The first one is left alone: how long it takes says when the others are to be killed.
    let mut usual = std::time::Duration::from_secs(60);
    for round in 0..30usize {
        let begun = std::time::Instant::now();
        let csv = dir.path().join(format!("{round}.csv"));
        std::fs::write(&csv, rows(n, labels[round % 5])).unwrap();
        let mut child = leukoscope()
            .args(["session", "import"])
            .arg(&csv)
            .arg("--session")
            .arg(&file)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        if round > 0 {
            std::thread::sleep(usual.mul_f64((round * 7 % 23) as f64 / 18.0));
            child.kill().unwrap();
        }
        let said = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok).collect::<String>();
        child.wait().unwrap();
        if round == 0 {
            usual = begun.elapsed();
        }
        let before = acknowledged;
        if said.contains(&format!("{n} cells changed")) {
            acknowledged = Some(round);
        }
        if !file.exists() {
            continue;
        }
        let out = session(dir.path(), &["export", "--session", file.to_str().unwrap()]);
        if out.status.code() != Some(0) {
            assert!(acknowledged.is_none(), "an acknowledged table is lost: {}", text(&out.stderr));
            continue;
        }
        let mut found = BTreeMap::new();
        table(&out.stdout).into_iter().for_each(|r| *found.entry(r["label"].clone()).or_insert(0) += 1);
        // All of one round: the last acknowledged one, or the one that was under way.
        assert!(found.len() <= 1 && found.values().all(|c| *c == n), "round {round}: {found:?}");
        if let (Some(last), Some(label)) = (before.or(acknowledged), found.keys().next()) {
            let possible = [labels[last % 5], labels[round % 5]];
            assert!(possible.contains(&label.as_str()) || before.is_none(), "round {round}: {label}");
        }
        if !found.is_empty() && found.keys().next().map(String::as_str) == Some(labels[round % 5]) {
            acknowledged = Some(round);
        }
        let checked = session(dir.path(), &["verify", "--session", file.to_str().unwrap()]);
        assert_eq!(checked.status.code(), Some(0), "round {round}: {}", text(&checked.stderr));
    }
    assert!(acknowledged.is_some_and(|last| last > 0), "some imports ended before they were killed");
}

const LABELS: [&str; 5] = ["basophil", "eosinophil", "lymphocyte", "monocyte", "neutrophil"];

/// The `n`-th label of a long sitting: which cell, and what it is called.
fn nth(n: usize) -> (CellKey, Verdict) {
    let image = Digest([u8::try_from(n % 50).unwrap(); 32]);
    let verdict = Verdict { label: LABELS[n * 7 % 5].into(), suggested: "neutrophil".into(), square: None };
    (CellKey { image, cell: 1 + u32::try_from(n % 3).unwrap() }, verdict)
}

fn edit(store: &Store, n: usize) -> Edit {
    let (key, verdict) = nth(n);
    let before = store.labels().unwrap().get(&key).cloned();
    Edit {
        action: EditAction::Label,
        changes: vec![Change { key, before, after: Some(verdict) }],
        reason: String::new(),
    }
}

/// What a session holds after the first `n` labels.
fn after(n: usize) -> BTreeMap<CellKey, Verdict> {
    (0..n).map(nth).collect()
}

/// Not a test: the process that is killed. It labels one cell after the other and says which are durable.
#[cfg(unix)]
#[test]
fn labels_until_it_is_killed() {
    let Some(path) = std::env::var_os("LEUKOSCOPE_LABELS_UNTIL_KILLED") else { return };
    let mut store = Store::open(Path::new(&path), "the child").unwrap().store;
    let begun = store.audit().unwrap().len();
    use std::io::Write;
    let mut out = std::io::stdout();
    for n in begun..begun + 100_000 {
        let edit = edit(&store, n);
        writeln!(out, "\nattempt {n}").and_then(|()| out.flush()).unwrap();
        store.apply(&edit, "ab", "2026-01-01T00:00:00Z").unwrap();
        writeln!(out, "\ndurable {n}").and_then(|()| out.flush()).unwrap();
    }
}

/// Acknowledged ⊆ recovered ⊆ attempted, 200 times over one session.
#[cfg(unix)]
#[test]
fn two_hundred_kills_while_labelling_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.session");
    let mut chance = fastrand::Rng::with_seed(11);
    let mut kept = 0;
    for round in 0..200 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "session::labels_until_it_is_killed", "--nocapture", "--test-threads=1"])
            .env("LEUKOSCOPE_LABELS_UNTIL_KILLED", &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (mut attempted, mut durable) = (kept, kept);
        let enough = kept + chance.usize(1..6);
        let mut told = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut on_event = |line: &str| {
            if let Some(n) = line.strip_prefix("attempt ") {
                attempted = n.parse::<usize>().unwrap() + 1;
            } else if let Some(n) = line.strip_prefix("durable ") {
                durable = n.parse::<usize>().unwrap() + 1;
            }
            durable
        };
        for line in told.by_ref().map_while(Result::ok) {
            if on_event(&line) >= enough {
                break;
            }
        }
        // Somewhere within the next label.
        std::thread::sleep(std::time::Duration::from_micros(chance.u64(0..3000)));
        child.kill().unwrap();
        for line in told.map_while(Result::ok) {
            on_event(&line);
        }
        child.wait().unwrap();
        let opened = Store::open(&path, "the test").unwrap();
        assert!(opened.said.is_empty(), "round {round}: {:?}", opened.said);
        let v = opened.store.verify().unwrap();
        assert!(v.altered.is_empty() && v.differing.is_empty(), "round {round}: {v:?}");
        assert!(durable <= v.rows && v.rows <= attempted, "round {round}: {durable} ≤ {} ≤ {attempted}", v.rows);
        assert_eq!(opened.store.labels().unwrap(), after(v.rows), "round {round}");
        kept = v.rows;
    }
    assert!(kept >= 200, "{kept}");
}

/// The power goes at any moment: what SQLite had not yet asked the disk to keep is there, missing, or rubbish. The files as
/// they then are open without a word, with the labels before or after the one that was being written.
#[test]
fn a_power_cut_at_any_point_of_writing_leaves_one_state_or_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.session");
    let wal = dir.path().join("s.session-wal");
    let mut store = Store::open(&path, "the test").unwrap().store;
    let mut chance = fastrand::Rng::with_seed(5);
    let read = |p: &Path| std::fs::read(p).unwrap_or_default();
    let look = |name: &str, main: &[u8], log: &[u8], possible: [usize; 2]| {
        let cut = tempfile::tempdir().unwrap();
        let copy = cut.path().join("s.session");
        std::fs::write(&copy, main).unwrap();
        std::fs::write(cut.path().join("s.session-wal"), log).unwrap();
        let opened = Store::open(&copy, "after the cut").unwrap();
        assert!(opened.said.is_empty(), "{name}: {:?}", opened.said);
        let v = opened.store.verify().unwrap();
        assert!(
            v.altered.is_empty() && v.differing.is_empty() && possible.contains(&v.rows),
            "{name}: {v:?} {possible:?}"
        );
        assert_eq!(opened.store.labels().unwrap(), after(v.rows), "{name}");
    };
    for n in 0..60 {
        let (main, before) = (read(&path), read(&wal));
        let change = edit(&store, n);
        store.apply(&change, "ab", "2026-01-01T00:00:00Z").unwrap();
        let written = read(&wal);
        assert_eq!(main, read(&path), "a label goes to the log alone");
        // What was acknowledged before is on the disk; of the new part any sector may be there or not.
        for _ in 0..6 {
            let cut = chance.usize(before.len()..=written.len());
            let mut log = written[..cut].to_vec();
            for sector in log[before.len().min(cut)..].chunks_mut(512) {
                match chance.u8(..) % 4 {
                    0 => sector.fill(0),
                    1 => sector.iter_mut().for_each(|b| *b = chance.u8(..)),
                    _ => {}
                }
            }
            look(&format!("label {n}, cut at {cut}"), &main, &log, [n, n + 1]);
        }
    }
    // While the log is folded into the file, any page of the file may be old or new: the log still has them all.
    let (old, log) = (read(&path), read(&wal));
    drop(store);
    let new = read(&path);
    assert_ne!(old, new, "closing folded the log in");
    for _ in 0..12 {
        let mut torn = new.clone();
        for (i, page) in torn.chunks_mut(4096).enumerate() {
            let before = old.get(i * 4096..i * 4096 + page.len());
            match (chance.u8(..) % 3, before) {
                (0, Some(before)) => page.copy_from_slice(before),
                (1, _) => page[..512].fill(0xa5),
                _ => {}
            }
        }
        look("folding", &torn, &log, [60, 60]);
    }
}

#[test]
fn a_damaged_session_is_set_aside_with_what_can_be_read_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.session");
    {
        let mut store = Store::open(&path, "the test").unwrap().store;
        for n in 0..400 {
            let change = edit(&store, n);
            store.apply(&change, "ab", "2026-01-01T00:00:00Z").unwrap();
        }
    }
    let mut bytes = std::fs::read(&path).unwrap();
    // Rubbish over some pages in the middle; the first pages say what is where.
    let pages = bytes.len() / 4096;
    assert!(pages > 20, "{pages}");
    bytes[(pages / 2) * 4096..(pages / 2 + 2) * 4096].fill(0x5a);
    std::fs::write(&path, &bytes).unwrap();
    let opened = Store::open(&path, "the test").unwrap();
    let said = opened.said.join(" ");
    assert!(said.contains("damaged") && said.contains("set aside") && said.contains("audit trail"), "{said}");
    let files: Vec<String> =
        std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    assert!(files.iter().any(|f| f == "s.session.damaged-1"), "{files:?}");
    let rescued = table(&std::fs::read(dir.path().join("s.session.damaged-1.audit.csv")).unwrap());
    assert!(rescued.len() > 50 && rescued.len() < 400, "{}", rescued.len());
    // What the unbroken part vouches for is in the new session, under its own audit rows.
    let labels = opened.store.labels().unwrap();
    assert!(!labels.is_empty());
    let v = opened.store.verify().unwrap();
    assert!(v.altered.is_empty() && v.differing.is_empty(), "{v:?}");
    assert!(opened.store.audit().unwrap().iter().all(|(r, _)| r.action == "recover"));
}

#[test]
fn a_clock_that_goes_back_does_not_turn_the_trail_around() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(&dir.path().join("s.session"), "the test").unwrap().store;
    for (n, time) in ["2026-05-02T10:00:00Z", "2026-05-01T09:00:00Z", "2026-05-02T11:00:00Z"].into_iter().enumerate() {
        let change = edit(&store, n);
        store.apply(&change, "ab", time).unwrap();
    }
    let rows: Vec<_> = store.audit().unwrap().into_iter().map(|(r, _)| r).collect();
    assert!(rows.windows(2).all(|w| w[0].time <= w[1].time));
    assert!(rows[1].reason.contains("it says 2026-05-01T09:00:00Z"), "{}", rows[1].reason);
    assert!(store.verify().unwrap().altered.is_empty());
}

/// A disk that is full: the label is refused in words, what was kept before is whole, and it goes on when there is room.
#[cfg(unix)]
#[test]
fn a_full_disk_refuses_a_label_and_keeps_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let (file, csv) = (dir.path().join("s.session"), dir.path().join("in.csv"));
    let put = |limit: Option<&str>, n: usize, label: &str| {
        std::fs::write(&csv, rows(n, label)).unwrap();
        let arguments = ["session", "import", csv.to_str().unwrap(), "--session", file.to_str().unwrap()];
        match limit {
            None => leukoscope().args(arguments).output().unwrap(),
            Some(limit) => {
                let own = leukoscope();
                std::process::Command::new("prlimit")
                    .arg(limit)
                    .arg(own.get_program())
                    .args(arguments)
                    .output()
                    .unwrap()
            }
        }
    };
    assert_eq!(put(None, 50, "monocyte").status.code(), Some(0));
    if std::process::Command::new("prlimit").arg("--version").output().is_err() {
        eprintln!("skipped: prlimit is not here");
        return;
    }
    // The log may grow to 64 KiB and no further.
    let full = put(Some("--fsize=65536"), 5000, "basophil");
    assert_ne!(full.status.code(), Some(0));
    let labels = table(&session(dir.path(), &["export", "--session", file.to_str().unwrap()]).stdout);
    assert!(labels.len() == 50 && labels.iter().all(|r| r["label"] == "monocyte"), "{}", labels.len());
    assert_eq!(put(None, 5000, "basophil").status.code(), Some(0), "with room it goes on");
    let checked = session(dir.path(), &["verify", "--session", file.to_str().unwrap()]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
}

#[test]
fn a_place_that_cannot_be_written_to_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let blocked = dir.path().join("file");
    std::fs::write(&blocked, "in the way").unwrap();
    let refused = Store::open(&blocked.join("sessions/s.session"), "the test").unwrap_err().to_string();
    assert!(refused.contains("cannot be used"), "{refused}");
}

/// Sessions of every earlier version open with their labels, and are of this version then.
#[test]
fn sessions_of_earlier_versions_are_carried_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("old.session");
    std::fs::write(&path, crate::common::fixture("session/version-1.session")).unwrap();
    let opened = Store::open(&path, "the test").unwrap();
    assert!(opened.said.is_empty(), "{:?}", opened.said);
    let mut store = opened.store;
    let labels = store.labels().unwrap();
    assert_eq!(labels.len(), 20);
    assert!(labels.values().all(|v| v.label == "monocyte" && v.square.is_none()));
    let v = store.verify().unwrap();
    assert_eq!((v.rows, v.altered.len(), v.differing.len()), (20, 0, 0));
    let change = edit(&store, 0);
    store.apply(&change, "ab", "2030-01-01T00:00:00Z").unwrap();
    assert!(store.case().unwrap().signatures.is_empty() && store.verify().unwrap().altered.is_empty());
}
