//! Execution providers: a failing one is replaced in the middle of a batch and it is said, what was measured decides, WebGPU runs
//! where this machine has an adapter (in software, too).

use crate::common::{drawn_folder, leukoscope, table, text};
use leukoscope::inference::{Options, PipelineEvent, Provider, Schedule, run};
use leukoscope::task::{Cancel, Monitor, Progress};
use std::ops::ControlFlow;
use std::path::Path;

#[test]
fn a_provider_that_fails_in_the_middle_is_replaced_and_it_is_said() {
    let dir = drawn_folder(9);
    let model = leukoscope::workflow::default_model().unwrap();
    let listing = leukoscope::files::walk(&[dir.path().to_owned()], &|| false);
    let options = Options {
        provider: Provider::Cpu,
        schedule: Some(Schedule::Batched),
        batch: Some(2),
        fails_after: Some((2, Provider::Cuda)),
        ..Options::default()
    };
    let (mut reports, mut rows) = (Vec::new(), Vec::new());
    let (cancel, progress) = (Cancel::new(), Progress::default());
    let mut on_event = |event| {
        match event {
            PipelineEvent::Started(report) | PipelineEvent::Switched(report) => reports.push(report.to_line()),
            PipelineEvent::Row(row) => rows.push(row),
        }
        ControlFlow::Continue(())
    };
    let summary =
        run(&listing.entries, &model, &options, &mut Monitor::new(&cancel, &progress, &mut on_event)).unwrap();
    assert_eq!(rows.len(), 9);
    assert!(rows.iter().enumerate().all(|(i, r)| r.index == i));
    assert!(rows.iter().all(|r| matches!(&r.outcome, leukoscope::domain::Outcome::Cells(c) if c.len() == 1)));
    // Each row says what made it: first the one that failed, then the processor.
    let by: Vec<&str> = rows.iter().map(|r| r.provider.as_deref().unwrap()).collect();
    assert!(by.contains(&"cuda") && by.contains(&"cpu") && by.len() == 9, "{by:?}");
    assert_eq!(reports.len(), 2, "{reports:?}");
    assert!(
        reports[1].contains("cuda failed after") && reports[1].contains("the processor does the rest"),
        "{reports:?}"
    );
    assert_eq!(summary.engine.to_line(), reports[1]);
}

#[test]
fn what_there_is_and_what_is_missing_is_listed() {
    let home = tempfile::tempdir().unwrap();
    let out = leukoscope().env("XDG_DATA_HOME", home.path()).args(["providers", "--json"]).output().unwrap();
    assert!(out.status.success(), "{}", text(&out.stderr));
    let value: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let list = value["providers"].as_array().unwrap();
    let names: Vec<&str> = list.iter().map(|p| p["provider"].as_str().unwrap()).collect();
    assert_eq!(names, ["cpu", "cuda", "tensorrt", "coreml", "directml", "webgpu", "openvino"]);
    assert_eq!(list[0]["ready"], true);
    for p in list {
        assert!(p["ready"] == true || !p["missing"].as_str().unwrap().is_empty(), "{p}");
    }
    let webgpu = &list[5];
    assert!(webgpu["ready"] == true || webgpu["step"].as_str().unwrap().contains("onnxruntime-ep-webgpu"), "{webgpu}");
    // A file that is another library is not taken for it.
    let wrong = home.path().join("libsomething.so");
    std::fs::write(&wrong, b"x").unwrap();
    let out = leukoscope().args(["providers", "--add", &format!("webgpu={}", wrong.display())]).output().unwrap();
    assert!(out.status.code() == Some(2) && text(&out.stderr).contains("is not"), "{}", text(&out.stderr));
}

#[test]
fn what_was_measured_decides_for_auto() {
    let home = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| leukoscope().env("XDG_DATA_HOME", home.path()).args(arguments).output().unwrap();
    let out = run(&["providers", "--measure", "--json"]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    let value: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let cpu = &value["measured"]["all"][0];
    assert!(cpu["provider"] == "cpu" && cpu["rate"].as_f64().unwrap() > 1.0 && cpu["difference"] == 0.0, "{cpu}");
    let dir = drawn_folder(1);
    let out = run(&["classify", dir.path().to_str().unwrap()]);
    assert!(text(&out.stderr).contains("cpu measured fastest here"), "{}", text(&out.stderr));
    // A record of another driver is worth nothing.
    let place = home.path().join("leukoscope/measured");
    let file = std::fs::read_dir(&place).unwrap().next().unwrap().unwrap().path();
    let changed = std::fs::read_to_string(&file).unwrap().replace("ONNX Runtime", "Another Runtime");
    std::fs::write(&file, changed).unwrap();
    let out = run(&["classify", dir.path().to_str().unwrap()]);
    assert!(!text(&out.stderr).contains("measured fastest"), "{}", text(&out.stderr));
}

/// Fetches the WebGPU plug-in once for all runs of the tests, and lets Mesa's software adapter serve it.
#[test]
fn webgpu_gives_what_the_processor_gives() {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("webgpu-home");
    let run = |arguments: &[&str]| {
        leukoscope()
            .env("XDG_DATA_HOME", &home)
            .env("ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER", "1")
            .args(arguments)
            .output()
            .unwrap()
    };
    let library = home.join("leukoscope/providers/webgpu/libonnxruntime_providers_webgpu.so");
    if !library.is_file() {
        let fetched = run(&["providers", "--fetch", "webgpu"]);
        if !fetched.status.success() {
            eprintln!("skipped: {}", text(&fetched.stderr).trim());
            return;
        }
    }
    let dir = drawn_folder(3);
    let path = dir.path().to_str().unwrap();
    let gpu = run(&["classify", path, "--provider", "webgpu"]);
    if gpu.status.code() == Some(2) {
        let said = text(&gpu.stderr);
        assert!(said.contains("webgpu") && said.contains("cannot be used here"), "{said}");
        eprintln!("skipped: {}", said.trim());
        return;
    }
    assert_eq!(gpu.status.code(), Some(0), "{}", text(&gpu.stderr));
    assert!(text(&gpu.stderr).contains("webgpu ("), "which nodes ran where is said: {}", text(&gpu.stderr));
    let (gpu, cpu) = (table(&gpu.stdout), table(&run(&["classify", path, "--provider", "cpu"]).stdout));
    assert_eq!(gpu.len(), cpu.len());
    for (a, b) in gpu.iter().zip(&cpu) {
        assert_eq!((a["provider"].as_str(), &a["label"], &a["x"]), ("webgpu", &b["label"], &b["x"]));
        for (column, value) in a.iter().filter(|(k, _)| k.starts_with("p_")) {
            let far = value.parse::<f64>().unwrap() - b[column].parse::<f64>().unwrap();
            assert!(far.abs() < 1e-3, "{column}: {far}");
        }
    }
}
