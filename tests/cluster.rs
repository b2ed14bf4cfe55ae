//! The workflow for clusters, on this machine's cores: a shard that is killed is tried again, and the table is that of one run.

use crate::common::{drawn_folder, leukoscope, text};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Lines in order: which shard an image was in does not matter.
fn lines(path: &Path) -> Vec<String> {
    let mut all: Vec<String> = std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect();
    all.sort();
    all
}

#[cfg(unix)]
#[test]
fn four_shards_of_which_one_is_killed_are_one_run() {
    let snakemake = std::env::var("SNAKEMAKE").unwrap_or_else(|_| "snakemake".into());
    if Command::new(&snakemake).arg("--version").output().is_err() {
        eprintln!("skipped: snakemake is not here (pip install snakemake, or SNAKEMAKE=its path)");
        return;
    }
    let dir = drawn_folder(60);
    // One file that fails stays a row in both.
    std::fs::write(dir.path().join("broken.png"), "no image").unwrap();
    let out = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = leukoscope().get_program().to_owned();
    let configuration = [
        format!("images={}", dir.path().display()),
        format!("out={}", out.path().display()),
        "shards=4".into(),
        "cells=all".into(),
        format!("leukoscope={}", program.display()),
    ];
    let mut run = Command::new(&snakemake)
        .arg("--snakefile")
        .arg(root.join("packaging/cluster/Snakefile"))
        .args(["--cores", "1", "--config"])
        .args(configuration)
        .current_dir(out.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let own = format!("{} --shard", dir.path().display());
    let killed = loop {
        let killed = Command::new("pkill").args(["-9", "-f", &own]).status().is_ok_and(|s| s.success());
        if killed || begun.elapsed() > Duration::from_secs(60) {
            break killed;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let mut said = String::new();
    std::io::Read::read_to_string(&mut run.stderr.take().unwrap(), &mut said).unwrap();
    assert!(run.wait().unwrap().success(), "{said}");
    assert!(killed && said.contains("Error in rule shard"), "a shard was killed: {said}");
    let whole = out.path().join("whole.csv");
    let one = leukoscope().args(["classify", "--cells", "all", "--out"]).arg(&whole).arg(dir.path()).output().unwrap();
    assert_eq!(one.status.code(), Some(1), "{}", text(&one.stderr));
    assert_eq!(lines(&out.path().join("cells.csv")), lines(&whole));
    let counted = std::fs::read_to_string(out.path().join("differential.csv")).unwrap();
    assert!(counted.starts_with("label,count,percent,use\n") && counted.contains("failed,1,"), "{counted}");
}
