//! Nothing that is read is ever written over, whatever it is called, and no file is replaced by another kind; nothing leaves the machine.

use crate::common::{drawn, drawn_folder, labelled_folder, leukoscope, table, text};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn starter() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let onnx = |p: &PathBuf| p.extension().is_some_and(|e| e == "onnx");
    std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).find(onnx).unwrap()
}

/// Every file below a folder, and the digest of its bytes. What SQLite keeps beside a session while it is read comes and goes.
fn contents(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut all = Vec::new();
    let mut stack = vec![folder.to_owned()];
    while let Some(folder) = stack.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let name = path.to_string_lossy().into_owned();
            if path.is_dir() {
                stack.push(path);
            } else if !["-wal", "-shm", ".lock"].iter().any(|e| name.ends_with(e)) {
                all.push((path.clone(), leukoscope::files::digest_of(&std::fs::read(path).unwrap()).to_string()));
            }
        }
    }
    all.sort();
    all
}

/// A folder with an image, a labelled dataset as folders and as a table, a model, a session, and links to some of them.
fn place() -> tempfile::TempDir {
    let dir = labelled_folder(2, 4);
    let at = |name: &str| dir.path().join(name);
    std::fs::write(at("a.png"), drawn(3)).unwrap();
    std::fs::hard_link(at("a.png"), at("hard.png")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(at("a.png"), at("soft.png")).unwrap();
    let mut rows = String::from("path,label\n");
    for class in ["lymphocyte", "neutrophil"] {
        for entry in std::fs::read_dir(at(class)).unwrap().map(Result::unwrap) {
            rows += &format!("{class}/{},{class}\n", entry.file_name().to_string_lossy());
        }
    }
    std::fs::write(at("d.csv"), rows).unwrap();
    std::fs::copy(starter(), at("m.onnx")).unwrap();
    std::fs::write(at("labels.csv"), format!("sha256,cell,label\n{:064x},1,monocyte\n", 7)).unwrap();
    let imported =
        leukoscope().args(["session", "import"]).arg(at("labels.csv")).arg("--session").arg(at("s.session")).output();
    assert!(imported.as_ref().unwrap().status.success(), "{}", text(&imported.unwrap().stderr));
    dir
}

#[test]
fn no_verb_writes_over_what_it_reads_whatever_it_is_called() {
    let dir = place();
    let at = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    let before = contents(dir.path());
    let verbs: Vec<Vec<String>> = [
        &["classify", "a.png", "--out", "a.png"][..],
        &["classify", "a.png", "--out", "hard.png"],
        &["classify", "soft.png", "--out", "a.png"],
        &["classify", ".", "--out", "lymphocyte/0.png"],
        &["classify", ".", "--out", "m.onnx"],
        &["classify", "a.png", "--out", "s.session"],
        &["classify", "a.png", "--out", "d.csv"],
        &["explain", "a.png", "--out", "a.png"],
        &["explain", "a.png", "--out", "hard.png"],
        &["explain", "soft.png", "--out", "a.png"],
        &["explain", "a.png", "--out", "m.onnx"],
        &["session", "export", "--session", "s.session", "--out", "s.session"],
        &["session", "export", "--session", "s.session", "--out", "a.png"],
        &["train", "d.csv", "--recipe", "head", "--epochs", "1", "--split", "50/50", "--out", "d.csv"],
        &[
            "train", "d.csv", "--recipe", "head", "--epochs", "1", "--split", "50/50", "--init", "m.onnx", "--out",
            "m.onnx",
        ],
        &["calibrate", "m.onnx", "d.csv", "--out", "m.onnx"],
        &["calibrate", "m.onnx", "d.csv", "--out", "d.csv"],
        &["quantize", "m.onnx", "--data", "d.csv", "--out", "m.onnx"],
        &["quantize", "m.onnx", "--data", "d.csv", "--out", "a.png"],
        &["map", ".", "--out", "a.png"],
        &["map", ".", "--out", "d.csv"],
        &["adopt", "m.onnx", "--out", "m.onnx"],
        &["adopt", "m.onnx", "--out", "a.png"],
    ]
    .iter()
    .map(|words| {
        let exists = |w: &&str| *w == "." || dir.path().join(w).exists();
        words
            .iter()
            .map(|w| {
                if exists(w) {
                    at(w)
                } else if *w == "lymphocyte/0.png" {
                    first(dir.path())
                } else {
                    (*w).to_owned()
                }
            })
            .collect()
    })
    .collect();
    for words in &verbs {
        let out = leukoscope().args(words).output().unwrap();
        let said = text(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{words:?}: {said}");
        assert!(contents(dir.path()) == before, "{words:?} changed something: {said}");
        assert!(!said.contains("panicked") && said.to_lowercase().contains("name"), "{words:?}: {said}");
    }
}

/// An image of the dataset.
fn first(dir: &Path) -> String {
    let mut all: Vec<PathBuf> = std::fs::read_dir(dir.join("lymphocyte")).unwrap().map(|e| e.unwrap().path()).collect();
    all.sort();
    all[0].to_string_lossy().into_owned()
}

#[test]
fn an_older_output_is_replaced_and_a_second_model_has_its_own_side_files() {
    let dir = place();
    let at = |name: &str| dir.path().join(name);
    let classify = |format: &str, out: &str| {
        leukoscope().arg("classify").arg(at("a.png")).args(["--format", format, "--out"]).arg(at(out)).output().unwrap()
    };
    for format in ["csv", "csv", "json", "json"] {
        let out = classify(format, &format!("t.{format}"));
        assert!(out.status.success(), "{}", text(&out.stderr));
    }
    // JSON is another kind, and so is a table that holds a person's labels.
    assert_eq!(classify("json", "t.csv").status.code(), Some(2));
    std::fs::write(at("hand.csv"), "sha256,cell,label,suggested\n").unwrap();
    assert_eq!(classify("csv", "hand.csv").status.code(), Some(2));
    for name in ["one.onnx", "two.onnx", "one.onnx"] {
        let mut train = leukoscope();
        train.arg("train").arg(at("d.csv")).args(["--recipe", "head", "--epochs", "1", "--split", "50/50", "--out"]);
        let out = train.arg(at(name)).output().unwrap();
        assert!(out.status.success(), "{}", text(&out.stderr));
    }
    for name in ["one.history.csv", "one.report.json", "two.history.csv", "two.report.json"] {
        assert!(at(name).is_file(), "{name}");
    }
}

#[test]
fn shards_are_of_images_and_agree_whatever_comes_into_the_folder() {
    let dir = drawn_folder(10);
    let mut all = BTreeSet::new();
    let mut rows = 0;
    for part in 1..=3 {
        let out = dir.path().join(format!("a_part{part}.csv"));
        let shard = format!("{part}/3");
        let done =
            leukoscope().arg("classify").arg(dir.path()).args(["--shard", &shard, "--out"]).arg(&out).output().unwrap();
        assert!(done.status.success(), "{}", text(&done.stderr));
        for row in table(&std::fs::read(&out).unwrap()) {
            rows += 1;
            all.insert(row["path"].clone());
        }
    }
    assert_eq!((rows, all.len()), (10, 10), "each image once, although each shard found one file more");
}

/// `cat /proc/kmsg` waits for the kernel to say something: a read that does not come back.
#[cfg(target_os = "linux")]
#[test]
fn a_second_interrupt_ends_a_read_that_does_not_come_back() {
    use std::time::{Duration, Instant};
    if std::fs::File::open("/proc/kmsg").is_err() {
        eprintln!("skipped: /proc/kmsg may not be opened here");
        return;
    }
    let dir = drawn_folder(1);
    std::os::unix::fs::symlink("/proc/kmsg", dir.path().join("z.png")).unwrap();
    let mut child = leukoscope().arg("classify").arg(dir.path()).stdout(std::process::Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(2));
    let interrupt = |id: u32| std::process::Command::new("kill").args(["-INT", &id.to_string()]).status().unwrap();
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it does not end");
        interrupt(child.id());
        std::thread::sleep(Duration::from_millis(500));
    }
    assert!(matches!(child.wait().unwrap().code(), Some(130 | 1 | 0)), "it ended by itself");
}

/// The lines of a trace of system calls that ask the network for something.
#[cfg(target_os = "linux")]
fn asked_outside(trace: &Path) -> Vec<String> {
    let calls = std::fs::read_to_string(trace).unwrap();
    let asks = |l: &&str| l.contains("AF_INET") || l.contains("AF_PACKET");
    let here = |l: &&str| l.contains("127.0.0.1") || l.contains("::1");
    calls.lines().filter(asks).filter(|l| !here(l)).map(str::to_owned).collect()
}

#[cfg(target_os = "linux")]
fn network_can_be_watched() -> bool {
    let tools = ["unshare", "strace"].map(|t| std::process::Command::new(t).arg("--version").output().is_ok());
    let may = std::process::Command::new("unshare").args(["-n", "true"]).status().is_ok_and(|s| s.success());
    if tools != [true; 2] || !may {
        eprintln!(
            "skipped: unshare and strace are needed, and the right to a network namespace (here: {tools:?}, {may})"
        );
    }
    tools == [true; 2] && may
}

/// The window, left alone on a folder for a while, in a network namespace of its own.
#[cfg(all(target_os = "linux", feature = "app"))]
#[test]
fn the_idle_window_asks_the_network_for_nothing() {
    use std::io::{BufRead, BufReader};
    if !network_can_be_watched() {
        return;
    }
    let xvfb = std::process::Command::new("Xvfb")
        .args(["-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn();
    let Ok(mut xvfb) = xvfb else {
        eprintln!("skipped: Xvfb is needed for a window that nobody looks at");
        return;
    };
    let mut number = String::new();
    BufReader::new(xvfb.stdout.take().unwrap()).read_line(&mut number).unwrap();
    let (dir, home) = (drawn_folder(3), tempfile::tempdir().unwrap());
    let trace = home.path().join("trace");
    let mut run = std::process::Command::new("unshare");
    run.args(["-n", "strace", "-f", "-e", "trace=socket,connect,sendto,sendmsg,bind", "-o"]).arg(&trace);
    run.args(["timeout", "15", env!("CARGO_BIN_EXE_leukoscope")]).arg(dir.path());
    run.env("XDG_CACHE_HOME", home.path().join("cache")).env("XDG_CONFIG_HOME", home.path().join("config"));
    run.env("XDG_DATA_HOME", home.path().join("data")).env("DISPLAY", format!(":{}", number.trim()));
    let done = run.env_remove("WAYLAND_DISPLAY").output().unwrap();
    let _ = xvfb.kill();
    let _ = xvfb.wait();
    if done.status.code() != Some(124) {
        eprintln!("skipped: no window can be opened here: {}", text(&done.stderr));
        return;
    }
    assert_eq!(asked_outside(&trace), Vec::<String>::new());
    let written: Vec<PathBuf> = contents(home.path()).into_iter().map(|(p, _)| p).collect();
    assert!(written.iter().any(|p| p.ends_with("thumbnails.sqlite")), "it showed the folder: {written:?}");
    let import = |p: &&PathBuf| p.iter().any(|part| part.eq_ignore_ascii_case("microsoft"));
    assert!(written.iter().find(import).is_none(), "{written:?}");
}

/// Verbs in a network namespace of their own, where nothing but the loopback is: what they ask of the network is read from the system
/// calls. Nothing leaves the machine, whatever they try.
#[cfg(target_os = "linux")]
#[test]
fn no_verb_opens_a_connection_or_asks_for_a_name() {
    if !network_can_be_watched() {
        return;
    }
    let dir = place();
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    let out = home.path().join("e").to_string_lossy().into_owned();
    for words in [
        vec!["classify".to_owned(), at("a.png")],
        vec!["evaluate".into(), at("d.csv"), "--out".into(), out],
        vec![
            "train".into(),
            at("d.csv"),
            "--out".into(),
            at("x.onnx"),
            "--split".into(),
            "50/50".into(),
            "--dry-run".into(),
        ],
        vec!["inspect".into(), at("m.onnx")],
        vec!["doctor".into()],
        vec!["providers".into()],
        vec!["models".into()],
        vec!["demo".into(), "--out".into(), at("demo")],
    ] {
        let trace = home.path().join("trace");
        let mut run = std::process::Command::new("unshare");
        run.args(["-n", "strace", "-f", "-e", "trace=socket,connect,sendto,sendmsg,bind", "-o"]).arg(&trace);
        run.arg(env!("CARGO_BIN_EXE_leukoscope")).args(&words);
        run.env("XDG_CACHE_HOME", home.path().join("cache")).env("XDG_CONFIG_HOME", home.path().join("config"));
        run.env("XDG_DATA_HOME", home.path().join("data")).env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
        let done = run.output().unwrap();
        assert!(matches!(done.status.code(), Some(0 | 1)), "{words:?}: {}", text(&done.stderr));
        let outside = asked_outside(&trace);
        assert!(outside.is_empty(), "{words:?} asks the network: {outside:#?}");
    }
    let written: Vec<PathBuf> = contents(home.path()).into_iter().map(|(p, _)| p).collect();
    let import = |p: &&PathBuf| p.iter().any(|part| part.eq_ignore_ascii_case("microsoft"));
    assert!(written.iter().find(import).is_none(), "{written:?}");
    let doctor = leukoscope().arg("doctor").output().unwrap();
    assert!(text(&doctor.stdout).contains("makes no network connections"));
}
