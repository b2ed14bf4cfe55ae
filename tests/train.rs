//! `leukoscope train` as it is run: the model that comes out, resuming after a kill, and every bad input by its words.

use crate::common::{classify, drawn, labelled_folder, leukoscope, real_images, table, text};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn train(dataset: &Path, out: &Path, more: &[&str]) -> Command {
    let mut command = leukoscope();
    command.arg("train").arg(dataset).arg("--out").arg(out).args(more);
    command
}

fn run(dataset: &Path, out: &Path, more: &[&str]) -> Output {
    train(dataset, out, more).output().unwrap()
}

/// The same in the background, without a word.
fn begin(dataset: &Path, out: &Path, more: &[&str]) -> Child {
    train(dataset, out, more).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
}

/// Waits until something holds, a minute at most.
fn wait(mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(3));
    }
}

/// The word after `weights` in what was printed.
fn weights(out: &Output) -> String {
    let stdout = text(&out.stdout);
    let line =
        stdout.lines().find(|l| l.starts_with("weights ")).unwrap_or_else(|| panic!("{stdout}{}", text(&out.stderr)));
    line["weights ".len()..].to_owned()
}

#[test]
fn a_model_comes_out_that_carries_everything_and_classifies() {
    let data = labelled_folder(3, 12);
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("new/m.onnx");
    let ended = run(
        data.path(),
        &out,
        &[
            "--recipe", "blocks", "--blocks", "1", "--epochs", "3", "--size", "64", "--split", "60/20/20", "--name",
            "drawn",
        ],
    );
    assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stderr));
    let printed = text(&ended.stdout);
    for word in [
        "validation part",
        "test set (used once)",
        "the present model",
        "agrees with ONNX Runtime",
        "Research use only",
    ] {
        assert!(printed.contains(word), "{word}: {printed}");
    }
    let history = table(&std::fs::read(out.with_extension("history.csv")).unwrap());
    assert_eq!(history.len(), 3);
    let columns: Vec<&str> = ["epoch", "seconds", "train_accuracy", "train_loss", "val_accuracy", "val_loss"].into();
    assert_eq!(history[0].keys().collect::<Vec<_>>(), columns);
    let report: serde_json::Value =
        serde_json::from_slice(&std::fs::read(out.with_extension("report.json")).unwrap()).unwrap();
    assert_eq!(report["part"], "test");
    for key in [
        "n",
        "accuracy",
        "accuracy_interval",
        "macro",
        "weighted",
        "per_class",
        "confusion",
        "validation",
        "current_model",
    ] {
        assert!(!report[key].is_null(), "{key}");
    }
    assert!(report["onnx_runtime_difference"].as_f64().unwrap() <= 1e-4);
    let inspected = leukoscope().arg("inspect").arg(&out).arg("--json").output().unwrap();
    let card: serde_json::Value = serde_json::from_slice(&inspected.stdout).unwrap();
    assert_eq!(card["name"], "drawn");
    // The classes keep the order in which the starting model has them.
    assert_eq!(card["labels"], serde_json::json!(["eosinophil", "lymphocyte", "neutrophil"]));
    let folder = data.path().join("lymphocyte");
    let rows = table(&classify(&[folder.to_str().unwrap(), "--model", out.to_str().unwrap()]).stdout);
    assert_eq!(rows.len(), 12);
    let right = rows.iter().filter(|r| r["label"] == "lymphocyte").count();
    assert!(right >= 9, "{right} of 12");
}

#[test]
fn a_changed_weight_fails_the_models_own_test() {
    let data = labelled_folder(2, 4);
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("m.onnx");
    assert!(run(data.path(), &out, &["--recipe", "head", "--epochs", "1"]).status.success());
    let mut bytes = std::fs::read(&out).unwrap();
    // A tensor's numbers follow its name, which the nodes name before: half of the hidden layer's become ones.
    let name = b"head.dense_1.weight";
    let at = bytes.windows(name.len()).rposition(|w| w == name).unwrap() + 100;
    for b in bytes[at..at + 320_000].chunks_exact_mut(4) {
        b.copy_from_slice(&1f32.to_le_bytes());
    }
    std::fs::write(&out, bytes).unwrap();
    let image = dir.path().join("a.png");
    std::fs::write(&image, drawn(1)).unwrap();
    let ended = classify(&[image.to_str().unwrap(), "--model", out.to_str().unwrap()]);
    assert_eq!(ended.status.code(), Some(2));
    assert!(text(&ended.stderr).contains("self-test"), "{}", text(&ended.stderr));
}

#[test]
fn a_damaged_copy_of_the_bundled_model_fails_its_test() {
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("a.png");
    std::fs::write(&image, drawn(1)).unwrap();
    let whole = leukoscope::model::embedded_bytes();
    // Blocks amid weights, wherever this model's file has them: damage to the file's structure is refused before its test.
    let blocks = [1, 3, 5, 7].map(|tenths| weights_after(whole, whole.len() / 10 * tenths));
    for (from, byte, fails) in std::iter::once((None, 0, false)).chain(blocks.map(|from| (Some(from), 0x3f, true))) {
        let mut bytes = whole.to_vec();
        if let Some(from) = from {
            // Blocks of the disk that came back as something else: numbers of 0.75 or so.
            bytes[from..from + BLOCK].fill(byte);
        }
        let out = dir.path().join("copy.onnx");
        std::fs::write(&out, bytes).unwrap();
        let ended = classify(&[image.to_str().unwrap(), "--model", out.to_str().unwrap()]);
        let said = text(&ended.stderr);
        assert_eq!(ended.status.code(), Some(if fails { 2 } else { 0 }), "{from:?}: {said}");
        assert_eq!(said.contains("self-test"), fails, "{from:?}: {said}");
    }
}

/// The images of a folder of three classes as a table with one column more, by the number of the image in its class.
fn table_of(folder: &Path, column: &str, word: impl Fn(usize) -> &'static str) -> String {
    let mut table = format!("path,label,{column}\n");
    for class in ["neutrophil", "lymphocyte", "eosinophil"] {
        let mut names: Vec<_> = std::fs::read_dir(folder.join(class)).unwrap().map(|f| f.unwrap().path()).collect();
        names.sort();
        for (i, path) in names.iter().enumerate() {
            table.push_str(&format!("{},{class},{}\n", path.strip_prefix(folder).unwrap().display(), word(i)));
        }
    }
    table
}

/// The numbers of a network in a file.
fn values_of(path: &Path) -> Vec<f32> {
    use leukoscope::model::{read_network, vet_graph};
    read_network(&vet_graph(&std::fs::read(path).unwrap()).unwrap()).unwrap().values
}

#[test]
fn several_runs_become_the_mean_of_their_weights() {
    let data = labelled_folder(3, 12);
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    // Parts are given, so that a seed draws the training alone.
    let table = table_of(data.path(), "split", |i| if i % 4 == 0 { "validation" } else { "train" });
    let csv = data.path().join("all.csv");
    std::fs::write(&csv, &table).unwrap();
    let small = ["--epochs", "1", "--size", "64", "--keep", "last", "--group-by", "none"];
    let start = at("start.onnx");
    let ended = run(&csv, &start, &[&small[..], &["--recipe", "head"]].concat());
    assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stderr));
    let start = start.to_str().unwrap();
    let on =
        |seed: &'static str, more: &[&'static str]| [&small[..], &["--recipe", "full", "--seed", seed], more].concat();
    let from = |arguments: Vec<&'static str>, name: &str| {
        let mut all = arguments;
        all.extend(["--init"]);
        let ended = train(&csv, &at(name), &all).arg(start).output().unwrap();
        assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stderr));
        values_of(&at(name))
    };
    let (first, second) = (from(on("5", &[]), "a.onnx"), from(on("6", &[]), "b.onnx"));
    let both = from(on("5", &["--runs", "2"]), "both.onnx");
    assert_ne!(first, second);
    let far = both.iter().zip(first.iter().zip(&second)).map(|(m, (a, b))| (m - (a + b) / 2.0).abs());
    assert!(far.fold(0.0, f32::max) < 1e-5);
    let history = std::fs::read_to_string(at("both.history.csv")).unwrap();
    assert_eq!(history.lines().count(), 3, "{history}");
    assert!(!at("both.onnx.checkpoint").exists() && !at("both.run-2.checkpoint").exists());
    // A starting model that names other classes has no head whose mean means anything.
    let refused = run(&csv, &at("c.onnx"), &[&small[..], &["--recipe", "blocks", "--runs", "2"]].concat());
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("same classes"), "{}", text(&refused.stderr));
}

#[test]
fn each_laboratory_is_left_out_in_turn_and_the_model_is_calibrated_by_that() {
    let data = labelled_folder(3, 40);
    let table = table_of(data.path(), "source", |i| if i % 2 == 0 { "north" } else { "south" });
    let csv = data.path().join("all.csv");
    std::fs::write(&csv, &table).unwrap();
    let out = tempfile::tempdir().unwrap();
    let model = out.path().join("new.onnx");
    let ended = run(&csv, &model, &["--recipe", "head", "--epochs", "2", "--leave-one-source-out"]);
    let (said, told) = (text(&ended.stdout), text(&ended.stderr));
    assert_eq!(ended.status.code(), Some(0), "{told}");
    for source in ["north", "south"] {
        let row = said.lines().find(|l| l.starts_with(source)).unwrap_or_else(|| panic!("{said}"));
        assert!(row.split_whitespace().nth(2) == Some("60"), "all of it, and nothing else, is the test: {row}");
        assert!(out.path().join(format!("new.without-{source}.onnx")).exists());
    }
    let bytes = std::fs::read(&model).unwrap();
    let card = leukoscope::model::vet(&bytes, leukoscope::files::digest_of(&bytes)).unwrap().card().clone();
    let calibration = card.calibration.clone().expect("fitted to the two that were left out");
    assert!(calibration.n == 120 && calibration.abstain_threshold.is_none(), "{calibration:?}");
    // Without the column there is nothing to leave out.
    std::fs::write(&csv, table.replace(",source\n", ",ward\n")).unwrap();
    let ended = run(&csv, &model, &["--recipe", "head", "--epochs", "1", "--leave-one-source-out"]);
    assert!(ended.status.code() == Some(2) && text(&ended.stderr).contains("column \"source\""));
}

/// What `classify` says of the images of a folder: its columns of probabilities, and `flags`.
fn answers(model: &Path, folder: &Path) -> Vec<(String, String)> {
    let out = classify(&["--model", model.to_str().unwrap(), folder.to_str().unwrap()]);
    let told = |row: BTreeMap<String, String>| {
        let shown = row.iter().filter(|(column, _)| column.starts_with("p_")).map(|(_, p)| p.as_str());
        (shown.collect::<Vec<_>>().join(","), row["flags"].clone())
    };
    table(&out.stdout).into_iter().map(told).collect()
}

#[test]
fn a_flag_is_raised_beside_the_class_and_changes_nothing_of_it() {
    let data = labelled_folder(3, 40);
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let small = ["--recipe", "head", "--epochs", "2", "--group-by", "none"];
    let ended = run(data.path(), &at("plain.onnx"), &[&small[..], &["--leave-out", "eosinophil"]].concat());
    assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stderr));
    let ended = run(data.path(), &at("flag.onnx"), &[&small[..], &["--flag", "eosinophils"]].concat());
    let told = text(&ended.stderr);
    assert_eq!(ended.status.code(), Some(0), "{told}");
    assert!(told.contains("a flag") && told.contains("note: flag eosinophil?:"), "{told}");
    assert_eq!(values_of(&at("plain.onnx")), values_of(&at("flag.onnx")), "a flag changes no weight");
    let share = |model: &Path, class: &str| {
        let rows = answers(model, &data.path().join(class));
        rows.iter().filter(|r| r.1 == "eosinophil?").count() as f64 / rows.len() as f64
    };
    assert!(share(&at("flag.onnx"), "eosinophil") > 0.7);
    assert!(share(&at("flag.onnx"), "neutrophil") < 0.1 && share(&at("flag.onnx"), "lymphocyte") < 0.1);
    assert_eq!(share(&at("plain.onnx"), "eosinophil"), 0.0);
    // Without an epoch the same flag goes onto the network as it is, byte for byte.
    let none = ["--epochs", "0", "--group-by", "none", "--flag", "eosinophil", "--init"];
    let start = at("plain.onnx");
    let ended = run(data.path(), &at("later.onnx"), &[&none[..], &[start.to_str().unwrap()]].concat());
    assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stderr));
    assert_eq!(values_of(&start), values_of(&at("later.onnx")));
    let (before, after) = (answers(&start, data.path()), answers(&at("later.onnx"), data.path()));
    let probabilities = |rows: &[(String, String)]| rows.iter().map(|r| r.0.clone()).collect::<Vec<_>>();
    assert_eq!(probabilities(&before), probabilities(&after));
    assert!(share(&at("later.onnx"), "eosinophil") > 0.7);
    assert!(text(&leukoscope().arg("inspect").arg(at("later.onnx")).output().unwrap().stdout).contains("eosinophil?"));
    // What cannot be.
    assert!(refusal(data.path(), &["--flag", "plasma cell"]).contains("no images of \"plasma cell\""));
    assert!(refusal(data.path(), &["--flag", "eosinophil", "--leave-out", "eosinophil"]).contains("choose one"));
    let nothing = run(data.path(), &at("none.onnx"), &["--epochs", "0", "--init", start.to_str().unwrap()]);
    assert!(nothing.status.code() == Some(2) && text(&nothing.stderr).contains("no epoch"));
}

/// Bytes that are damaged.
const BLOCK: usize = 32 << 10;

/// The first place from `from` on at which [`BLOCK`] bytes are nothing but weights: little-endian numbers of a common size, with as many
/// beside them, so that no field of the file begins within.
fn weights_after(file: &[u8], from: usize) -> usize {
    let weight = |b: &[u8]| (1e-12..4.0).contains(&f32::from_le_bytes(b.try_into().unwrap()).abs());
    let amid = |at: usize| file[at - 4096..at + BLOCK + 4096].chunks_exact(4).all(weight);
    (from..file.len() - BLOCK - 4096).find(|&at| amid(at)).expect("a model has weights")
}

#[test]
fn a_killed_run_resumes_to_the_same_weights_and_threads_do_not_matter() {
    let data = labelled_folder(3, 10);
    let dir = tempfile::tempdir().unwrap();
    // Enough epochs that a kill lands in the middle.
    let recipe = ["--recipe", "full", "--epochs", "12", "--batch", "8", "--size", "64"];
    let whole = run(data.path(), &dir.path().join("whole.onnx"), &[&recipe[..], &["--threads", "1"]].concat());
    assert_eq!(whole.status.code(), Some(0), "{}", text(&whole.stderr));
    let out = dir.path().join("killed.onnx");
    let checkpoint = dir.path().join("killed.onnx.checkpoint");
    let mut kills = 0;
    for _ in 0..2 {
        let mut child = begin(data.path(), &out, &recipe);
        let written = || std::fs::metadata(&checkpoint).and_then(|m| m.modified()).ok();
        let before = written();
        // Killed right after the next checkpoint.
        wait(|| written() != before || child.try_wait().unwrap().is_some());
        kills += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(kills > 0, "no run was killed in the middle");
    let resumed = run(data.path(), &out, &recipe);
    assert_eq!(resumed.status.code(), Some(0), "{}", text(&resumed.stderr));
    assert!(text(&resumed.stderr).contains("going on where the checkpoint stands"), "{}", text(&resumed.stderr));
    assert_eq!(weights(&whole), weights(&resumed));
    assert!(!checkpoint.exists(), "a finished run leaves no checkpoint");
}

#[test]
fn a_checkpoint_of_another_run_is_refused_and_fresh_begins_anew() {
    let data = labelled_folder(2, 5);
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("m.onnx");
    let checkpoint = dir.path().join("m.onnx.checkpoint");
    std::fs::write(&checkpoint, b"LKTRAIN1 and then nonsense that is long enough to hold a digest at its end").unwrap();
    let recipe = ["--recipe", "head", "--epochs", "1"];
    let damaged = run(data.path(), &out, &recipe);
    assert_eq!(damaged.status.code(), Some(2));
    assert!(text(&damaged.stderr).contains("damaged") && text(&damaged.stderr).contains("--fresh"));
    // A real one, of another seed: stopped by a full disk is what leaves one; here it is copied while it runs.
    let mut child = begin(data.path(), &out, &["--recipe", "head", "--epochs", "3000", "--fresh", "--seed", "9"]);
    wait(|| std::fs::metadata(&checkpoint).map_or(0, |m| m.len()) >= 10_000);
    child.kill().unwrap();
    child.wait().unwrap();
    let other = run(data.path(), &out, &recipe);
    assert_eq!(other.status.code(), Some(2));
    assert!(text(&other.stderr).contains("another run"), "{}", text(&other.stderr));
    assert_eq!(run(data.path(), &out, &["--recipe", "head", "--epochs", "1", "--fresh"]).status.code(), Some(0));
}

/// What `train` says of a dataset, and its exit code.
fn refusal(dataset: &Path, more: &[&str]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let out = run(dataset, &dir.path().join("m.onnx"), &[&["--recipe", "head", "--epochs", "1"], more].concat());
    assert_eq!(out.status.code(), Some(2), "{}", text(&out.stderr));
    assert!(!dir.path().join("m.onnx").exists());
    text(&out.stderr)
}

#[test]
fn every_bad_dataset_is_refused_by_its_own_words() {
    let dir = tempfile::tempdir().unwrap();
    assert!(refusal(dir.path(), &[]).contains("holds no labelled images"));
    assert!(refusal(&dir.path().join("nowhere"), &[]).contains("no folder or CSV"));
    let one = labelled_folder(1, 4);
    assert!(refusal(one.path(), &[]).contains("at least two classes"), "one class");
    let failed = tempfile::tempdir().unwrap();
    for class in ["a", "b"] {
        std::fs::create_dir(failed.path().join(class)).unwrap();
        std::fs::write(failed.path().join(class).join("1.png"), &drawn(1)[..300]).unwrap();
    }
    assert!(refusal(failed.path(), &[]).contains("none of the 2 images can be used"));
    let small = labelled_folder(3, 5);
    let lymphocytes = small.path().join("lymphocyte");
    for entry in std::fs::read_dir(&lymphocytes).unwrap().skip(2) {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let said = refusal(small.path(), &[]);
    assert!(said.contains("\"lymphocyte\" has 2 images") && said.contains("--leave-out"), "{said}");
    let out = dir.path().join("m.onnx");
    let left_out = run(small.path(), &out, &["--recipe", "head", "--epochs", "1", "--leave-out", "Lymphocyte"]);
    assert_eq!(left_out.status.code(), Some(0), "{}", text(&left_out.stderr));
    assert!(refusal(small.path(), &["--leave-out", "blast"]).contains("no class \"blast\""));
    assert!(
        refusal(small.path(), &["--leave-out", "lymphocyte", "--init", small.path().join("no.onnx").to_str().unwrap()])
            .contains("not there")
    );
}

#[test]
fn failed_and_empty_images_are_named_and_labels_by_case_are_one() {
    let data = labelled_folder(2, 6);
    std::fs::write(data.path().join("neutrophil/broken.png"), &drawn(1)[..300]).unwrap();
    std::fs::rename(data.path().join("lymphocyte"), data.path().join("Lymphocyte")).unwrap();
    std::fs::create_dir(data.path().join("lymphocyte ")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("lymphocyte /again.png"), drawn(77)).unwrap();
    let ended = run(data.path(), &dir.path().join("m.onnx"), &["--recipe", "head", "--epochs", "1"]);
    let said = text(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "some inputs failed: {said}");
    assert!(said.contains("are one class: \"lymphocyte\"") && said.contains("broken.png"), "{said}");
    assert!(said.contains("knows \"basophil\", which the dataset lacks"), "{said}");
    let report: serde_json::Value =
        serde_json::from_slice(&std::fs::read(dir.path().join("m.report.json")).unwrap()).unwrap();
    assert_eq!(report["excluded"].as_array().unwrap().len(), 1);
}

#[test]
fn a_class_that_the_start_does_not_know_gets_a_new_row() {
    let data = labelled_folder(3, 6);
    std::fs::rename(data.path().join("eosinophil"), data.path().join("blast")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("m.onnx");
    let ended = run(data.path(), &out, &["--recipe", "blocks", "--blocks", "1", "--epochs", "2", "--size", "64"]);
    assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stderr));
    assert!(text(&ended.stderr).contains("\"blast\" is new to the starting model"));
    let inspected = text(&leukoscope().arg("inspect").arg(&out).output().unwrap().stdout);
    assert!(inspected.contains("lymphocyte, neutrophil, blast"), "{inspected}");
}

#[test]
fn a_loss_that_is_no_number_a_full_disk_and_too_large_a_batch_are_said() {
    let data = labelled_folder(2, 6);
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("m.onnx");
    let ended = run(data.path(), &out, &["--recipe", "head", "--epochs", "3", "--lr", "1e30"]);
    assert_eq!(ended.status.code(), Some(2));
    assert!(text(&ended.stderr).contains("smaller learning rate"), "{}", text(&ended.stderr));
    let huge = run(data.path(), &out, &["--recipe", "full", "--epochs", "1", "--batch", "65536"]);
    assert_eq!(huge.status.code(), Some(2));
    assert!(text(&huge.stderr).contains("images fit (--batch "), "{}", text(&huge.stderr));
    let nowhere = run(data.path(), Path::new("/proc/nowhere/m.onnx"), &["--recipe", "head", "--epochs", "1"]);
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(text(&nowhere.stderr).contains("cannot be written"));
    // A folder in the checkpoint's place is a disk that takes no checkpoint: training goes on and says it.
    std::fs::create_dir(dir.path().join("m.onnx.checkpoint")).unwrap();
    let ended = run(data.path(), &out, &["--recipe", "head", "--epochs", "2"]);
    assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stderr));
    assert!(text(&ended.stderr).contains("Training goes on, but could not be resumed"), "{}", text(&ended.stderr));
}

#[test]
fn images_that_vanish_while_it_trains_do_not_matter_once_they_are_cut() {
    let data = labelled_folder(2, 6);
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("m.onnx");
    let mut child = begin(data.path(), &out, &["--recipe", "head", "--epochs", "400"]);
    wait(|| dir.path().join("m.onnx.checkpoint").exists());
    std::fs::remove_dir_all(data.path().join("neutrophil")).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(out.exists());
    let gone = run(data.path(), &dir.path().join("n.onnx"), &["--recipe", "head", "--epochs", "1"]);
    assert_eq!(gone.status.code(), Some(2), "one class is left");
}

#[test]
fn an_imagenet_backbone_is_a_start_and_copies_of_one_cell_stay_on_one_side() {
    let (Some(backbone), Some(copies)) = (real_images("backbone"), real_images("bccd_aug")) else { return };
    let dir = tempfile::tempdir().unwrap();
    let plan = |grouping: &str| {
        let mut command = train(&copies.join("bccd_aug.csv"), &dir.path().join("m.onnx"), &[]);
        command.args(["--recipe", "head", "--group-by", grouping, "--dry-run", "--init"]);
        text(
            &command
                .arg(backbone.join("mobilenet_v2_1.0_224_backbone_fp32.onnx"))
                .args(["--size", "128"])
                .output()
                .unwrap()
                .stderr,
        )
    };
    let auto = plan("auto");
    assert!(auto.contains("agrees with ONNX Runtime"), "{auto}");
    // Names declare 344 parents; lookalikes across them are reported, and never make two heaps of 775 images.
    let groups = |class: &str| -> usize {
        let row = auto.lines().find(|l| l.starts_with(class)).unwrap();
        row.split_whitespace().nth(4).unwrap().parse().unwrap()
    };
    let found = ["eosinophil", "lymphocyte", "monocyte", "neutrophil"].map(groups);
    assert!(found.iter().all(|n| *n >= 20) && found.iter().sum::<usize>() == 344, "{found:?}: {auto}");
    assert!(auto.contains("lookalikes in different groups: "), "they are reported: {auto}");
    assert!(plan("none").contains("random split"));
}
