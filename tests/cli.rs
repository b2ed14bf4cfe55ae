//! The command line as a script sees it: columns, order, exit codes, streams, signals.

use crate::common::{classify, drawn, drawn_folder, leukoscope, table, text};
use std::process::Stdio;

const HEADER: &str = "path,cell,status,label,confidence,p_basophil,p_eosinophil,p_lymphocyte,p_monocyte,p_neutrophil,x,y,side,width,height,sha256,model,provider,error,flags,views";

#[test]
fn a_folder_becomes_rows_in_order_with_all_columns() {
    let dir = drawn_folder(7);
    let out = classify(&[dir.path().to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    assert_eq!(text(&out.stdout).lines().next(), Some(HEADER));
    let rows = table(&out.stdout);
    assert_eq!(rows.len(), 7);
    for (i, row) in rows.iter().enumerate() {
        assert!(row["path"].ends_with(&format!("{i:03}.png")), "{row:?}");
        assert_eq!((row["cell"].as_str(), row["status"].as_str(), row["provider"].as_str()), ("1", "ok", "cpu"));
        let p: f64 = row.iter().filter(|(k, _)| k.starts_with("p_")).map(|(_, v)| v.parse::<f64>().unwrap()).sum();
        assert!((p - 1.0).abs() < 1e-4);
        assert_eq!((row["sha256"].len(), row["model"].len()), (64, 64));
        assert_eq!((row["width"].as_str(), row["height"].as_str()), ("240", "200"));
    }
    assert!(
        text(&out.stderr).contains("provider auto") && text(&out.stderr).contains("nodes"),
        "{}",
        text(&out.stderr)
    );
}

#[test]
fn every_shape_batch_and_run_gives_the_same_bytes() {
    let dir = drawn_folder(9);
    let path = dir.path().to_str().unwrap();
    let first = classify(&[path, "--cells", "all"]).stdout;
    for batch in ["1", "3", "32"] {
        assert_eq!(text(&classify(&[path, "--cells", "all", "--batch", batch]).stdout), text(&first), "batch {batch}");
    }
    // The GPU's shape on the processor: the same labels, the same squares, probabilities within rounding.
    use leukoscope::imaging::Cells;
    use leukoscope::inference::{Options, PipelineEvent, Schedule, run};
    use leukoscope::task::{Cancel, Monitor, Progress};
    let (cancel, progress) = (Cancel::new(), Progress::default());
    let model = leukoscope::workflow::default_model().unwrap();
    let listing = leukoscope::files::walk(&[dir.path().to_owned()], &|| false);
    let all = |shape| {
        let options = Options { schedule: Some(shape), cells: Cells::All, ..Options::default() };
        let mut rows = Vec::new();
        let mut on_event = |event| {
            if let PipelineEvent::Row(row) = event {
                rows.push(row);
            }
            std::ops::ControlFlow::Continue(())
        };
        let mut monitor = Monitor::new(&cancel, &progress, &mut on_event);
        run(&listing.entries, &model, &options, &mut monitor).unwrap();
        rows
    };
    let (a, b) = (all(Schedule::PerCore), all(Schedule::Batched));
    assert_eq!(a.len(), 9);
    for (a, b) in a.iter().zip(&b) {
        assert_eq!((a.index, &a.path, a.digest), (b.index, &b.path, b.digest));
        let cells = |r: &leukoscope::domain::ImageResult| match &r.outcome {
            leukoscope::domain::Outcome::Cells(c) => c.clone(),
            leukoscope::domain::Outcome::Failed(e) => panic!("{}", e.reason()),
        };
        let (a, b) = (cells(a), cells(b));
        assert_eq!(a.len(), b.len());
        for (a, b) in a.iter().zip(&b) {
            assert_eq!(a.square, b.square);
            let far = a.probabilities.values().iter().zip(b.probabilities.values()).any(|(a, b)| (a - b).abs() > 1e-4);
            assert!(!far);
        }
    }
}

#[test]
fn shards_together_are_the_whole() {
    let dir = drawn_folder(5);
    let path = dir.path().to_str().unwrap();
    let whole = table(&classify(&[path]).stdout);
    let mut parts: Vec<_> =
        (1..=3).flat_map(|i| table(&classify(&[path, "--shard", &format!("{i}/3")]).stdout)).collect();
    parts.sort_by_key(|r| r["path"].clone());
    assert_eq!(parts, whole);
    assert_eq!(classify(&[path, "--shard", "4/3"]).status.code(), Some(2));
}

#[test]
fn json_has_the_same_fields() {
    let dir = drawn_folder(2);
    let out = classify(&[dir.path().to_str().unwrap(), "--format", "json"]);
    let value: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let rows = value.as_array().unwrap();
    assert_eq!(rows.len(), 2);
    for column in HEADER.split(',') {
        assert!(rows[0].get(column).is_some(), "{column}");
    }
}

#[test]
fn the_table_goes_to_a_file_whole() {
    let dir = drawn_folder(3);
    let target = dir.path().join("out/t.csv");
    let arguments = [dir.path().to_str().unwrap(), "--out", target.to_str().unwrap()];
    let out = classify(&arguments);
    assert_eq!(out.status.code(), Some(2), "a missing folder is said before anything is classified");
    std::fs::create_dir(dir.path().join("out")).unwrap();
    let out = classify(&arguments);
    assert_eq!((out.status.code(), out.stdout.len()), (Some(0), 0));
    assert_eq!(table(&std::fs::read(&target).unwrap()).len(), 3);
}

#[test]
fn a_provider_that_cannot_be_had_is_an_error_and_auto_says_what_it_tried() {
    let dir = drawn_folder(1);
    let path = dir.path().to_str().unwrap();
    let runtime = leukoscope::inference::Runtime::get().unwrap();
    if runtime.providers().iter().any(|p| p.starts_with("CUDA")) {
        eprintln!("skipped: this library has CUDA");
        return;
    }
    let out = classify(&[path, "--provider", "cuda"]);
    assert_eq!((out.status.code(), out.stdout.is_empty() || text(&out.stdout).lines().count() <= 1), (Some(2), true));
    assert!(
        text(&out.stderr).contains("cuda") && text(&out.stderr).contains("--provider auto"),
        "{}",
        text(&out.stderr)
    );
    #[cfg(target_os = "linux")]
    assert!(text(&classify(&[path]).stderr).contains("cuda not used"), "auto says why it is the processor");
    assert_eq!(classify(&[path, "--provider", "gpu"]).status.code(), Some(2));
}

#[test]
fn without_the_library_there_is_one_clear_sentence() {
    let dir = drawn_folder(1);
    let out = leukoscope()
        .env("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so")
        .args(["classify"])
        .arg(dir.path())
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(2));
    let said = text(&out.stderr);
    assert!(
        said.contains("/nowhere/libonnxruntime.so") && said.contains("ORT_DYLIB_PATH") && !said.contains("panicked"),
        "{said}"
    );
    let doctor = leukoscope().env("ORT_DYLIB_PATH", "/nowhere/x.so").arg("doctor").output().unwrap();
    assert_eq!(doctor.status.code(), Some(2));
    assert!(text(&doctor.stdout).contains("FAIL ONNX Runtime"));
}

#[test]
fn doctor_inspect_and_demo_tell_what_they_should() {
    let doctor = leukoscope().args(["doctor", "--json"]).output().unwrap();
    assert_eq!(doctor.status.code(), Some(0), "{}", text(&doctor.stdout));
    let value: serde_json::Value = serde_json::from_slice(&doctor.stdout).unwrap();
    assert_eq!(value["healthy"], true);
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/models/leukoscope-wbc5-128.onnx");
    let card = leukoscope().args(["inspect", model]).output().unwrap();
    assert!(text(&card.stdout).contains("basophil, eosinophil, lymphocyte, monocyte, neutrophil"));
    let json = leukoscope().args(["inspect", model, "--json"]).output().unwrap();
    let value: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(value["input"]["size"], 128);
    let dir = tempfile::tempdir().unwrap();
    let demo = leukoscope().args(["demo", "--out"]).arg(dir.path()).output().unwrap();
    assert_eq!(demo.status.code(), Some(0), "{}", text(&demo.stderr));
    assert!(dir.path().join("demo-slide.png").is_file());
    let said = text(&demo.stdout);
    assert!(
        said.contains("neutrophil") && said.contains("demo-slide.png") && said.contains("Research use only"),
        "{said}"
    );
}

#[test]
fn the_demo_shows_the_classes_that_it_draws() {
    use leukoscope::domain::Outcome;
    let dir = tempfile::tempdir().unwrap();
    let demo = leukoscope::workflow::draw_demo(Some(dir.path())).unwrap();
    let model = leukoscope::workflow::default_model().unwrap();
    let request = leukoscope::workflow::ClassifyRequest {
        paths: vec![demo.path],
        cells: leukoscope::imaging::Cells::All,
        ..Default::default()
    };
    let mut right = 0;
    let mut found = 0;
    leukoscope::workflow::classify(
        &request,
        &model,
        &mut leukoscope::task::Monitor::new(&Default::default(), &Default::default(), &mut |told| {
            if let leukoscope::workflow::ClassifyEvent::Row(row) = told
                && let Outcome::Cells(cells) = &row.outcome
            {
                for c in cells {
                    found += 1;
                    let (x, y) = c.square.centre();
                    let drawn =
                        demo.slide.cells.iter().find(|d| (d.x - f64::from(x)).hypot(d.y - f64::from(y)) < d.radius);
                    right += usize::from(
                        drawn.is_some_and(|d| Some(d.class) == model.card().classes.label(c.probabilities.top().0)),
                    );
                }
            }
            Ok(())
        }),
    )
    .unwrap();
    let drawn = demo.slide.cells.len();
    assert!(found + 1 >= drawn && found <= drawn + 1, "{found} of {drawn}");
    assert!(right * 10 >= drawn * 9, "{right} of {drawn} as drawn");
}

#[cfg(unix)]
#[test]
fn an_interrupt_leaves_complete_rows_and_says_130() {
    let dir = drawn_folder(1);
    let image = drawn(3);
    for i in 0..3000 {
        std::fs::write(dir.path().join(format!("x{i:05}.png")), &image).unwrap();
    }
    let target = dir.path().join("t.csv");
    let old = "path,cell,status,label\na whole table\n";
    std::fs::write(&target, old).unwrap();
    let mut child =
        leukoscope().arg("classify").arg(dir.path()).arg("--out").arg(&target).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(std::fs::read_to_string(&target).unwrap(), old, "the whole table of another run stays");
    let rows = table(&std::fs::read(dir.path().join("t.csv.partial")).unwrap());
    assert!(!rows.is_empty() && rows.len() < 3001, "{} rows", rows.len());
    assert!(rows.iter().all(|r| r["status"] == "ok" && r["sha256"].len() == 64));
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_is_no_error() {
    let dir = drawn_folder(12);
    let command = format!("'{}' classify '{}' | head -n 2", env!("CARGO_BIN_EXE_leukoscope"), dir.path().display());
    let out = std::process::Command::new("bash").args(["-c", &format!("set -o pipefail; {command}")]).output().unwrap();
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    assert!(!text(&out.stderr).contains("panicked"));
}

#[test]
fn bench_measures_and_help_is_help() {
    let out = leukoscope().args(["bench", "--json"]).output().unwrap();
    let value: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert!(value["figures"].as_array().unwrap().iter().all(|f| f["value"].as_f64().unwrap() > 0.0));
    assert_eq!(leukoscope().arg("--help").output().unwrap().status.code(), Some(0));
    assert_eq!(leukoscope().args(["classify"]).output().unwrap().status.code(), Some(2));
}

/// A watched folder: rows come as files come to rest, and the table is whole whenever it is looked at.
#[cfg(unix)]
#[test]
fn a_watched_folder_gives_rows_as_images_come() {
    let dir = tempfile::tempdir().unwrap();
    let slides = dir.path().join("slides");
    std::fs::create_dir(&slides).unwrap();
    let out = dir.path().join("t.csv");
    let mut child = leukoscope()
        .args(["classify", "--watch", slides.to_str().unwrap(), "--out", out.to_str().unwrap()])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let wait = |n: usize| {
        let begun = std::time::Instant::now();
        loop {
            let rows = std::fs::read(&out).map_or(0, |bytes| table(&bytes).len());
            if rows >= n {
                return rows;
            }
            assert!(begun.elapsed().as_secs() < 60, "waited for {n} rows, there are {rows}");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    };
    for i in 0..2 {
        std::fs::write(slides.join(format!("{i}.png")), drawn(i)).unwrap();
    }
    assert_eq!(wait(2), 2);
    // The share goes away and returns with one more.
    let away = dir.path().join("away");
    std::fs::rename(&slides, &away).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    std::fs::write(away.join("2.png"), drawn(2)).unwrap();
    std::fs::rename(&away, &slides).unwrap();
    assert_eq!(wait(3), 3, "what was classified is not classified again");
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let rows = table(&std::fs::read(&out).unwrap());
    assert!(rows.len() == 3 && rows.iter().all(|r| r["status"] == "ok"));
}

#[test]
fn explain_draws_where_the_model_looked() {
    let dir = tempfile::tempdir().unwrap();
    let demo = leukoscope::workflow::draw_demo(Some(dir.path())).unwrap();
    let out = dir.path().join("heat.png");
    let explain =
        |more: &[&str]| leukoscope().arg("explain").arg(&demo.path).arg("--out").arg(&out).args(more).output().unwrap();
    let done = explain(&["--cell", "3"]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    assert!(text(&done.stdout).contains("class activation map"), "{}", text(&done.stdout));
    assert_eq!(image::open(&out).unwrap().to_rgb8().dimensions(), (896, 448));
    for (more, word) in [
        (&["--cell", "9999"][..], "no place 9999"),
        (&["--class", "blast"], "does not know"),
        (&["--model", "none.onnx"], "none.onnx"),
    ] {
        let refused = explain(more);
        assert_eq!(refused.status.code(), Some(2));
        assert!(text(&refused.stderr).contains(word), "{word}: {}", text(&refused.stderr));
    }
}

/// A map that did not depend on what the head has learnt would explain nothing (Adebayo et al., NeurIPS 2018); and for a
/// drawn cell in the middle of its square the exact map and occlusion agree that the middle matters.
#[test]
fn heat_maps_depend_on_the_head_and_sit_on_the_cell() {
    use leukoscope::imaging::Cells;
    use leukoscope::inference::{Engine, OwnSquares, Provider, activation_map, occlusion_map, prepare};
    let dir = tempfile::tempdir().unwrap();
    let demo = leukoscope::workflow::draw_demo(Some(dir.path())).unwrap();
    let model = leukoscope::workflow::default_model().unwrap();
    let entry = leukoscope::files::Entry { path: demo.path, named: true, error: None, square: None };
    let prepared = prepare(&entry, model.card(), Cells::All, &OwnSquares::new()).unwrap();
    let head = leukoscope::model::Head::find(&model).unwrap();
    let mut engine = Engine::load(&model, Provider::Cpu, 1).unwrap();
    let one = 3 * 128 * 128;
    let (mut exact, mut hidden) = (0.0, 0.0);
    for tensor in prepared.tensors.chunks(one).take(6) {
        let class = engine.run(tensor.to_vec(), 1).unwrap()[0].top().0;
        let map = activation_map(&mut engine, &head, tensor, class).unwrap().unwrap();
        let other = activation_map(&mut engine, &head.shuffled(7), tensor, class).unwrap().unwrap();
        assert_eq!(map.side, 4);
        let apart: f32 = map.values.iter().zip(&other.values).map(|(a, b)| (a - b).abs()).sum();
        assert!(apart > 0.5, "another head, another map: {apart}");
        let (cancel, progress) = (leukoscope::task::Cancel::new(), leukoscope::task::Progress::default());
        let covered = occlusion_map(&mut engine, model.card(), tensor, class, &cancel, &progress).unwrap().unwrap();
        exact += map.in_the_middle() / 6.0;
        hidden += covered.in_the_middle() / 6.0;
    }
    // A map that says nothing has a quarter of its heat in the middle quarter.
    assert!(exact > 0.25 && hidden > 0.25, "{exact} {hidden}");
}

#[test]
fn a_model_repository_for_triton_is_written_once() {
    let dir = tempfile::tempdir().unwrap();
    let models = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let model = std::fs::read_dir(models)
        .unwrap()
        .map(|e| e.unwrap().path())
        .find(|p| p.extension().is_some_and(|e| e == "onnx"))
        .unwrap();
    let export = || leukoscope().arg("export-triton").arg(&model).arg("--out").arg(dir.path()).output().unwrap();
    assert_eq!(export().status.code(), Some(0));
    let folder = std::fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path();
    assert_eq!(std::fs::read(folder.join("1/model.onnx")).unwrap(), std::fs::read(&model).unwrap());
    assert!(std::fs::read_to_string(folder.join("config.pbtxt")).unwrap().contains("max_batch_size: 32"));
    assert_eq!(std::fs::read_to_string(folder.join("labels.txt")).unwrap().lines().count(), 6);
    let again = export();
    assert!(again.status.code() == Some(2) && text(&again.stderr).contains("there already"));
}
