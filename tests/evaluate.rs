//! `leukoscope evaluate`, `calibrate` and `compare` as they are run: the files, the exit codes, every bad input by its words.

use crate::common::{classify, drawn, labelled_folder, leukoscope, real_images, table, text};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;

fn run(command: &str, arguments: &[&str]) -> Output {
    leukoscope().arg(command).args(arguments).output().unwrap()
}

fn evaluate(data: &Path, out: &Path, more: &[&str]) -> Output {
    let mut arguments = vec![data.to_str().unwrap(), "--out", out.to_str().unwrap()];
    arguments.extend(more);
    run("evaluate", &arguments)
}

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Five classes of drawn cells, and beside them an image without a cell and one that is broken.
fn data(n: usize) -> tempfile::TempDir {
    let dir = labelled_folder(5, n);
    let white = image::RgbImage::from_pixel(200, 200, image::Rgb([240, 240, 240]));
    let png = leukoscope::imaging::encode_png(&white).unwrap();
    std::fs::write(dir.path().join("monocyte/empty.png"), png).unwrap();
    std::fs::write(dir.path().join("monocyte/broken.png"), b"\x89PNG\r\n\x1a\nnot much").unwrap();
    dir
}

#[test]
fn five_files_say_the_same_and_the_answers_are_classifys() {
    let (data, out) = (data(6), tempfile::tempdir().unwrap());
    let ended = evaluate(data.path(), out.path(), &[]);
    assert_eq!(ended.status.code(), Some(1), "one image failed: {}", text(&ended.stderr));
    let report = json(&out.path().join("report.json"));
    let (n, no_cell) = (report["n"].as_u64().unwrap(), report["unanswered"]["no_cell"].as_u64().unwrap());
    // A drawn cell may be doubted so much that it is none; it is then said, and every image is somewhere.
    assert!(n >= 28 && n + no_cell == 31 && report["schema"] == 1, "{n} {no_cell}");
    assert_eq!(report["unanswered"]["failed"], 1);
    let accuracy = report["accuracy"].as_f64().unwrap();
    let interval = report["accuracy_interval"].as_array().unwrap();
    assert!(interval[0].as_f64().unwrap() <= accuracy && accuracy <= interval[1].as_f64().unwrap());
    let classes = ["basophil", "eosinophil", "lymphocyte", "monocyte", "neutrophil"];
    let support = classes.map(|label| report["per_class"][label]["support"].as_u64().unwrap());
    assert!(support.iter().sum::<u64>() == n && support.iter().all(|s| (4..=6).contains(s)), "{support:?}");
    assert!(text(&ended.stdout).contains("weighted avg"));
    assert_eq!(text(&ended.stdout), std::fs::read_to_string(out.path().join("report.txt")).unwrap());
    let rows = table(&std::fs::read(out.path().join("predictions.csv")).unwrap());
    assert_eq!(rows.len(), 32);
    let right = rows.iter().filter(|r| r["right"] == "yes").count();
    assert!((right as f64 / n as f64 - accuracy).abs() < 1e-5);
    assert!(rows.iter().any(|r| r["status"] == "failed" && r["error"].contains("PNG")));
    // The very answers of `classify`.
    let classified = table(&classify(&[data.path().to_str().unwrap()]).stdout);
    for row in rows.iter().filter(|r| r["status"] == "ok") {
        let same = classified.iter().find(|c| c["path"] == row["path"]).unwrap();
        assert_eq!(same["label"], row["label"], "{}", row["path"]);
        let confidence = |r: &BTreeMap<String, String>| r["confidence"].parse::<f64>().unwrap();
        // Scores need rows that sum to one in doubles: the last digit may differ.
        assert!((confidence(same) - confidence(row)).abs() < 2e-6, "{}", row["path"]);
    }
    let html = std::fs::read_to_string(out.path().join("report.html")).unwrap();
    assert!(html.contains("<svg") && !html.contains("<script") && !html.contains("src=\"http"));
    assert!(std::fs::read_to_string(out.path().join("confusion.svg")).unwrap().starts_with("<svg"));
    // The same again, to the byte.
    let again = tempfile::tempdir().unwrap();
    evaluate(data.path(), again.path(), &[]);
    for name in ["report.json", "report.txt", "predictions.csv", "confusion.svg", "confusion.png", "report.html"] {
        assert_eq!(
            std::fs::read(out.path().join(name)).unwrap(),
            std::fs::read(again.path().join(name)).unwrap(),
            "{name}"
        );
    }
}

#[test]
fn labels_that_the_model_does_not_know_are_never_guessed() {
    let (data, out) = (labelled_folder(2, 3), tempfile::tempdir().unwrap());
    std::fs::rename(data.path().join("neutrophil"), data.path().join("=band, \"x\"")).unwrap();
    let refused = evaluate(data.path(), out.path(), &[]);
    assert_eq!(refused.status.code(), Some(2));
    let said = text(&refused.stderr);
    assert!(said.contains("=band, \"x\"") && said.contains("3 images") && said.contains("--map"), "{said}");
    assert!(!out.path().join("report.json").exists());
    let wrong = evaluate(data.path(), out.path(), &["--map", "=band, \"x\"=martian"]);
    assert!(text(&wrong.stderr).contains("no class \"martian\""), "{}", text(&wrong.stderr));
    std::fs::rename(data.path().join("=band, \"x\""), data.path().join("band, \"x\"")).unwrap();
    let wrong = evaluate(data.path(), out.path(), &["--map", "band, \"x\"=martian"]);
    assert!(text(&wrong.stderr).contains("no class \"martian\""), "{}", text(&wrong.stderr));
    let mapped = evaluate(data.path(), out.path(), &["--map", "band, \"x\"=neutrophil"]);
    assert_eq!(mapped.status.code(), Some(0), "{}", text(&mapped.stderr));
    assert!(text(&mapped.stdout).contains("the dataset's \"band, \"x\"\" was taken for neutrophil"));
    let left = evaluate(data.path(), out.path(), &["--leave-out", "band, \"x\""]);
    assert_eq!(left.status.code(), Some(0), "{}", text(&left.stderr));
    let report = json(&out.path().join("report.json"));
    assert!(report["n"] == 3 && report["kappa"].is_null(), "one class that is always right: chance alone agrees");
    assert!(text(&left.stdout).contains("no image is labelled neutrophil"));
    let none = evaluate(data.path(), out.path(), &["--leave-out", "band, \"x\"", "--leave-out", "lymphocyte"]);
    assert!(text(&none.stderr).contains("every label is left out"), "{}", text(&none.stderr));
    let typo = evaluate(data.path(), out.path(), &["--leave-out", "bnad"]);
    assert!(text(&typo.stderr).contains("no label \"bnad\""), "{}", text(&typo.stderr));
}

#[test]
fn one_image_all_failed_and_no_dataset() {
    let (dir, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let class = dir.path().join("monocyte");
    std::fs::create_dir_all(&class).unwrap();
    assert_eq!(evaluate(dir.path(), out.path(), &[]).status.code(), Some(2));
    std::fs::write(class.join("a.png"), b"no image").unwrap();
    let failed = evaluate(dir.path(), out.path(), &[]);
    assert_eq!(failed.status.code(), Some(2));
    assert!(text(&failed.stderr).contains("none of the 1 images can be scored"), "{}", text(&failed.stderr));
    std::fs::write(class.join("a.png"), drawn(1)).unwrap();
    let one = evaluate(dir.path(), out.path(), &[]);
    assert_eq!(one.status.code(), Some(0), "{}", text(&one.stderr));
    let report = json(&out.path().join("report.json"));
    assert!(report["n"] == 1 && report["accuracy_interval"].is_array() && report["roc_auc"].is_null());
    let file = dir.path().join("file");
    std::fs::write(&file, b"x").unwrap();
    let blocked = evaluate(dir.path(), &file.join("out"), &[]);
    assert!(blocked.status.code() == Some(2) && text(&blocked.stderr).contains("cannot be written into"));
}

#[test]
fn what_the_model_learnt_from_is_marked_and_set_apart() {
    let (data, dir) = (labelled_folder(3, 12), tempfile::tempdir().unwrap());
    let model = dir.path().join("m.onnx");
    let trained = leukoscope()
        .arg("train")
        .arg(data.path())
        .arg("--out")
        .arg(&model)
        .args(["--recipe", "head", "--epochs", "2", "--split", "60/20/20"])
        .output()
        .unwrap();
    assert_eq!(trained.status.code(), Some(0), "{}", text(&trained.stderr));
    // A copy of a training image, a pixel row short: another file, the same cell; and strangers.
    let strangers = labelled_folder(3, 14);
    let class = data.path().join("lymphocyte");
    let (mut copied, mut more) = (0, Vec::new());
    for entry in std::fs::read_dir(&class).unwrap() {
        let path = entry.unwrap().path();
        let image = image::open(&path).unwrap().to_rgb8();
        let turned = image::imageops::rotate90(&image);
        more.push((format!("turned-{copied}.png"), leukoscope::imaging::encode_png(&turned).unwrap()));
        copied += 1;
    }
    more.iter().for_each(|(name, bytes)| std::fs::write(class.join(name), bytes).unwrap());
    let out = dir.path().join("out");
    let ended = evaluate(data.path(), &out, &["--model", model.to_str().unwrap()]);
    assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stderr));
    let overlap = json(&out.join("report.json"))["training_overlap"].clone();
    // Training and validation are four fifths of 36 images; the rest was the test part.
    let (same, alike) = (overlap["same"].as_u64().unwrap(), overlap["near_duplicates"].as_u64().unwrap());
    assert!((27..=30).contains(&same), "{overlap}");
    assert!(alike >= 5, "turned copies of training images are known: {overlap}");
    assert_eq!(overlap["without_them"]["n"].as_u64(), Some(48 - same - alike), "{overlap}");
    assert!(text(&ended.stdout).contains("were in training"));
    let inspected = text(&run("inspect", &[model.to_str().unwrap()]).stdout);
    assert!(inspected.contains("and others that its starting model did not record"), "{inspected}");
    assert!(inspected.contains("components of 1280 features"), "{inspected}");
    drop(strangers);
}

#[test]
fn calibration_writes_a_new_model_that_abstains() {
    let (data, dir) = (labelled_folder(5, 24), tempfile::tempdir().unwrap());
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let starter = std::fs::read_dir(models)
        .unwrap()
        .map(|e| e.unwrap().path())
        .find(|p| p.extension().is_some_and(|e| e == "onnx"))
        .unwrap();
    let (old, new) = (dir.path().join("old.onnx"), dir.path().join("new.onnx"));
    std::fs::copy(&starter, &old).unwrap();
    let calibrate = |out: &Path, risk: &str| {
        run(
            "calibrate",
            &[
                old.to_str().unwrap(),
                data.path().to_str().unwrap(),
                "--out",
                out.to_str().unwrap(),
                "--target-risk",
                risk,
            ],
        )
    };
    let itself = calibrate(&old, "0.2");
    assert!(itself.status.code() == Some(2) && text(&itself.stderr).contains("the old one stays"));
    let ended = calibrate(&new, "0.2");
    assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stderr));
    let said = text(&ended.stdout);
    assert!(said.contains("expected calibration error"), "{said}");
    assert_eq!(std::fs::read(&old).unwrap(), std::fs::read(&starter).unwrap(), "the old model stays as it was");
    let card = text(&run("inspect", &[new.to_str().unwrap()]).stdout);
    let fitted = card.split("(fitted on ").nth(1).and_then(|t| t.split(' ').next()?.parse::<usize>().ok());
    assert!(fitted.is_some_and(|n| (115..=120).contains(&n)) && card.contains("components of 1280 features"), "{card}");
    // The calibrated model classifies; a photograph of nothing like a cell is said to be unlike.
    let strange = dir.path().join("strange.png");
    let mut random = fastrand::Rng::with_seed(3);
    let noise = image::RgbImage::from_fn(200, 200, |x, y| {
        let stripe = if (x / 9 + y / 23) % 2 == 0 { 60 } else { 190 };
        image::Rgb([stripe, random.u8(0..60), 255 - stripe])
    });
    std::fs::write(&strange, leukoscope::imaging::encode_png(&noise).unwrap()).unwrap();
    let rows = classify(&[strange.to_str().unwrap(), "--model", new.to_str().unwrap(), "--format", "json"]);
    let rows: serde_json::Value = serde_json::from_slice(&rows.stdout).unwrap();
    assert!(rows[0]["cell"] == 0 || rows[0]["unlike"].as_f64().unwrap() > 1.0, "{rows}");
    // Too few cells promise nothing, and the model then labels everything.
    let few = labelled_folder(2, 3);
    let too_few =
        run("calibrate", &[old.to_str().unwrap(), few.path().to_str().unwrap(), "--out", new.to_str().unwrap()]);
    assert!(text(&too_few.stderr).contains("at least 30"), "{}", text(&too_few.stderr));
    let wrong =
        run("calibrate", &[old.to_str().unwrap(), few.path().to_str().unwrap(), "--out", "x", "--target-risk", "2"]);
    assert!(wrong.status.code() == Some(2) && text(&wrong.stderr).contains("between 0 and 1"));
}

/// The starter model, written anew with another manifest and other last weights.
fn starter(change: impl Fn(&mut serde_json::Value, &mut [f32])) -> Vec<u8> {
    use leukoscope::model::{MANIFEST_KEY, embedded_bytes, manifest_text, read_network, vet_graph, write_network};
    let read = read_network(&vet_graph(embedded_bytes()).unwrap()).unwrap();
    let mut values = read.values.clone();
    let mut manifest: serde_json::Value = serde_json::from_str(&manifest_text(embedded_bytes()).unwrap()).unwrap();
    // The written weights are others than those that the self-test was taken from.
    manifest.as_object_mut().unwrap().remove("self_test");
    change(&mut manifest, &mut values);
    write_network(&read.network, &values, 128, &[(MANIFEST_KEY, manifest.to_string())])
}

/// What calibration was fitted on is what runs: the written model's probabilities, as `evaluate` and `classify` give them, are the
/// fitted formula (softmax of scaled and shifted logarithms, Guo et al. 2017) of the model's own ones; by each method.
#[test]
fn a_calibrated_model_answers_what_was_fitted() {
    let dir = tempfile::tempdir().unwrap();
    // A model that leans to two of its classes: one temperature cannot mend that, a scale and a shift per class can.
    let leaning = starter(|manifest, values| {
        manifest["calibration"] = serde_json::Value::Null;
        let n = values.len();
        // The last one of the six is "not a white cell".
        values[n - 6..].iter_mut().zip([2.5, 0.0, -2.0, 1.0, 0.0]).for_each(|(v, lean)| *v += lean);
    });
    let even = starter(|manifest, _| manifest["calibration"] = serde_json::Value::Null);
    for (name, bytes, n, method) in
        [("even", even, 12, "temperature scaling"), ("leaning", leaning, 50, "vector scaling")]
    {
        let data = labelled_folder(5, n);
        let (own, new) = (dir.path().join(format!("{name}.onnx")), dir.path().join(format!("{name}-new.onnx")));
        std::fs::write(&own, bytes).unwrap();
        let ended = run(
            "calibrate",
            &[
                own.to_str().unwrap(),
                data.path().to_str().unwrap(),
                "--out",
                new.to_str().unwrap(),
                "--target-risk",
                "0.3",
            ],
        );
        let said = text(&ended.stdout);
        assert!(ended.status.code() == Some(0) && said.contains(method), "{said}{}", text(&ended.stderr));
        let manifest: serde_json::Value =
            serde_json::from_str(&leukoscope::model::manifest_text(&std::fs::read(&new).unwrap()).unwrap()).unwrap();
        let c = &manifest["calibration"];
        let numbers = |key: &str| -> Vec<f64> {
            c[key].as_array().map_or_else(Vec::new, |a| a.iter().map(|v| v.as_f64().unwrap()).collect())
        };
        let (t, scale, shift) = (c["temperature"].as_f64().unwrap(), numbers("scale"), numbers("shift"));
        assert_eq!(scale.len(), if method.starts_with("vector") { 5 } else { 0 }, "{c}");
        let threshold = c["abstain_threshold"].as_f64().unwrap_or(0.0);
        let rows = |model: &Path| {
            let out = dir.path().join("out");
            let ended = evaluate(data.path(), &out, &["--model", model.to_str().unwrap(), "--provider", "cpu"]);
            assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stderr));
            table(&std::fs::read(out.join("predictions.csv")).unwrap())
        };
        let p = |row: &BTreeMap<String, String>| -> Vec<f64> {
            row.iter().filter(|(k, _)| k.starts_with("p_")).map(|(_, v)| v.parse().unwrap()).collect()
        };
        // By the names of the classes, as the columns of a row come.
        let mut order: Vec<usize> = (0..5).collect();
        let labels: Vec<&str> = manifest["labels"].as_array().unwrap().iter().map(|l| l.as_str().unwrap()).collect();
        order.sort_by_key(|i| labels[*i]);
        let (before, after) = (rows(&own), rows(&new));
        assert_eq!((before.len(), after.len()), (5 * n, 5 * n));
        let mut kept = 0;
        let mut answered = 0;
        for (b, a) in before.iter().zip(&after) {
            assert_eq!((&b["path"], &b["status"] == "no-cell"), (&a["path"], &a["status"] == "no-cell"));
            if b["status"] == "no-cell" {
                continue;
            }
            answered += 1;
            let z: Vec<f64> = p(b)
                .iter()
                .zip(&order)
                .map(|(p, &i)| if scale.is_empty() { p.ln() / t } else { p.ln() * scale[i] + shift[i] })
                .collect();
            let sum: f64 = z.iter().map(|z| z.exp()).sum();
            // Six decimals of the own probability carry the comparison only where it is not all but nought.
            if p(b).iter().all(|p| *p > 0.02) {
                for (z, a) in z.iter().zip(p(a)) {
                    assert!((z.exp() / sum - a).abs() < 2e-4, "{name}: {} {a}", z.exp() / sum);
                }
            }
            let most = z.iter().map(|z| z.exp() / sum).fold(0.0, f64::max);
            assert!((most - a["confidence"].parse::<f64>().unwrap()).abs() < 2e-3, "{name}: {most} {a:?}");
            kept += usize::from(a["status"] == "ok");
        }
        // The promise is of what the written model keeps.
        assert!(
            threshold == 0.0 || said.contains(&format!("({kept} of {answered})")),
            "{name}: {kept} kept at {threshold}: {said}"
        );
        // And `classify` says the same of an image as `evaluate`.
        let one = &after[0];
        let path = data.path().join(&one["path"]);
        let answered = classify(&[path.to_str().unwrap(), "--model", new.to_str().unwrap(), "--provider", "cpu"]);
        let answered = table(&answered.stdout);
        let (c, e): (f64, f64) = (answered[0]["confidence"].parse().unwrap(), one["confidence"].parse().unwrap());
        assert!((c - e).abs() < 1e-4, "{c} {e}");
    }
}

/// A network whose numbers are not numbers: refused by its name, before or while it answers.
#[test]
fn a_model_that_answers_nonsense_is_refused_by_name() {
    use leukoscope::model::{MANIFEST_KEY, embedded_bytes, manifest_text, read_network, vet_graph, write_network};
    let (data, dir) = (labelled_folder(2, 3), tempfile::tempdir().unwrap());
    let read = read_network(&vet_graph(embedded_bytes()).unwrap()).unwrap();
    let mut values = read.values.clone();
    *values.last_mut().unwrap() = f32::NAN;
    let mut manifest: serde_json::Value = serde_json::from_str(&manifest_text(embedded_bytes()).unwrap()).unwrap();
    manifest["name"] = "nonsense".into();
    let bytes = write_network(&read.network, &values, 128, &[(MANIFEST_KEY, manifest.to_string())]);
    let model = dir.path().join("nonsense.onnx");
    std::fs::write(&model, bytes).unwrap();
    let ended = evaluate(data.path(), &dir.path().join("out"), &["--model", model.to_str().unwrap()]);
    let said = text(&ended.stderr);
    assert!(ended.status.code() == Some(2) && said.contains("nonsense") && said.contains("refused"), "{said}");
}

#[test]
fn two_models_side_by_side() {
    let (data, dir) = (labelled_folder(3, 8), tempfile::tempdir().unwrap());
    let model = dir.path().join("m.onnx");
    let trained = leukoscope()
        .arg("train")
        .arg(labelled_folder(3, 6).path())
        .arg("--out")
        .arg(&model)
        .args(["--recipe", "head", "--epochs", "1", "--split", "60/40", "--name", "other"])
        .output()
        .unwrap();
    assert_eq!(trained.status.code(), Some(0), "{}", text(&trained.stderr));
    let out = dir.path().join("out");
    let ended = run(
        "compare",
        &[data.path().to_str().unwrap(), "--model", model.to_str().unwrap(), "--out", out.to_str().unwrap()],
    );
    assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stderr));
    assert!(text(&ended.stderr).contains("held against the embedded one"));
    let c = json(&out.join("compare.json"));
    let pair = &c["pairs"][0];
    // 18 of the 24 are what the other one learnt from: it is judged by the rest alone.
    assert_eq!((c["models"].as_array().unwrap().len(), pair["n"].as_u64()), (2, Some(6)), "{c}");
    let first = c["models"][0]["accuracy"].as_f64().unwrap();
    let other = c["models"][1]["accuracy"].as_f64().unwrap();
    assert!((other - first - pair["difference"].as_f64().unwrap()).abs() < 1e-5, "{pair}");
    let only = |key: &str| pair[key].as_array().unwrap().len() as f64;
    let difference = (only("only_other_right") - only("only_first_right")) / pair["n"].as_f64().unwrap();
    assert!((difference - pair["difference"].as_f64().unwrap()).abs() < 1e-9);
    assert!(std::fs::read_to_string(out.join("compare.html")).unwrap().contains("McNemar"));
}

/// Against the golden numbers, from the real images to the report.
#[test]
fn the_report_on_real_cells_is_scikit_learns() {
    let Some(data) = real_images("check/tecom300") else { return };
    let out = tempfile::tempdir().unwrap();
    let ended = evaluate(&data, out.path(), &["--provider", "cpu", "--views", "1"]);
    assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stderr));
    let report = json(&out.path().join("report.json"));
    let golden: serde_json::Value = serde_json::from_slice(&crate::common::fixture("evaluation/golden.json")).unwrap();
    for key in ["accuracy", "balanced_accuracy", "kappa", "matthews", "log_loss", "brier"] {
        let (ours, theirs) = (report[key].as_f64().unwrap(), golden[key].as_f64().unwrap());
        // The fixture holds six decimals of each probability.
        assert!((ours - theirs).abs() < 2e-6, "{key}: {ours} {theirs}");
    }
    assert_eq!(report["confusion"]["counts"], golden["confusion"]);
    assert!(text(&ended.stdout).starts_with(golden["report"].as_str().unwrap()));
}
