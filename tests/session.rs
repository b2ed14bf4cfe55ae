//! `leukoscope session` as it is run: a table goes in and comes out, an altered row is named, a killed process loses nothing
//! that it had acknowledged.

use crate::common::{leukoscope, table, text};
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
    assert!(checked.status.code() == Some(0) && text(&checked.stdout).contains("20 rows, none altered"));
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
        ("path,label\na.png,monocyte\n".to_owned(), "sha256, cell and label"),
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
