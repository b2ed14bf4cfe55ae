//! The Models place, the wizard and the map of cells, driven by accessible names; heat maps in the report.

use crate::common::{drawn_folder, labelled_folder, leukoscope, text};
use crate::window::{open, until};
use egui_kittest::kittest::Queryable;
use leukoscope::app::choice::Page;
use leukoscope::app::command::Command;
use leukoscope::app::models::state::{ModelsInput, ModelsTab};
use leukoscope::app::review::Input;
use std::path::Path;

fn strangers() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/strangers")
}

#[test]
fn somebody_elses_model_is_asked_about_tried_and_opened() {
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("theirs.onnx");
    std::fs::copy(strangers().join("custom-vision/model.onnx"), &model).unwrap();
    let image = strangers().join("images/monocyte/03.png");
    let mut harness = open(vec![image]);
    until(&mut harness, "the image", |w| w.state().review.job.is_none() && w.state().review.images.len() == 1);
    harness.state_mut().act(Input::Open(vec![model]), 1.0);
    until(&mut harness, "the wizard", |w| w.state().models.wizard.is_some());
    assert_eq!(harness.state().state().shell.page, Page::Models);
    let wizard = |w: &leukoscope::app::Window| w.state().models.wizard.clone().unwrap();
    until(
        &mut harness,
        "its answer to the image",
        |w| matches!(&wizard(w).preview, Some(Ok(p)) if !p.answers.is_empty()),
    );
    assert!(harness.query_by_label_contains("What are its 5 classes called").is_some());
    assert!(harness.query_by_label_contains("Still open").is_some());
    // Labelled images answer it.
    let data = strangers().join("images").to_string_lossy().into_owned();
    harness.state_mut().act(ModelsInput::Data(data), 2.0);
    harness.run_steps(2);
    harness.get_by_label("Try").click();
    until(&mut harness, "the check", |w| matches!(&wizard(w).probed, Some(Ok(p)) if p.chosen.is_some()));
    assert!(harness.query_by_label("taken").is_some());
    assert_eq!(wizard(harness.state()).open(), Vec::<String>::new());
    // The image is a monocyte for it now, by name.
    until(
        &mut harness,
        "the new answer",
        |w| matches!(&wizard(w).preview, Some(Ok(p)) if p.answers.first().is_some_and(|a| a.0 == "monocyte" && a.1 > 0.8)),
    );
    harness.state_mut().act(ModelsInput::CloseWizard, 3.0);
    harness.run_steps(2);
    assert!(harness.state().state().models.wizard.is_none());
}

#[test]
fn the_models_place_shows_cards_and_providers() {
    let mut harness = open(Vec::new());
    harness.state_mut().command(Command::Go(Page::Models), 1.0);
    until(&mut harness, "the bundled model's test", |w| {
        w.state().models.list.first().is_some_and(|m| m.test != leukoscope::workflow::SelfTested::NotYet)
    });
    assert!(harness.query_all_by_label_contains("leukoscope-wbc5-128").count() >= 2, "in the list, and its card");
    assert!(harness.query_by_label_contains("basophil, eosinophil").is_some());
    harness.get_by_label("Execution providers").click();
    until(&mut harness, "the providers", |w| w.state().models.here.len() == 7);
    assert_eq!(harness.state().state().models.tab, ModelsTab::Providers);
    assert!(harness.query_by_label_contains("ready: ").is_some());
    assert!(harness.query_by_label("Measure").is_some());
}

#[test]
fn a_lasso_on_the_map_chooses_cells_for_the_gallery() {
    let data = labelled_folder(3, 8);
    let mut harness = open(vec![data.path().to_owned()]);
    until(&mut harness, "the batch", |w| w.state().review.job.is_none() && w.state().review.images.len() == 24);
    harness.state_mut().command(Command::ToggleMap, 1.0);
    until(&mut harness, "the map", |w| w.state().review.map.points.is_some() || w.state().review.map.failed.is_some());
    assert_eq!(harness.state().state().review.map.failed, None);
    // Around the left half of what is drawn.
    let points = harness.state().state().review.map.points.clone().unwrap();
    assert!(harness.query_by_label_contains(&format!("Map of {} cells", points.len())).is_some());
    let mut across: Vec<f32> = points.iter().map(|p| p.1[0]).collect();
    across.sort_by(f32::total_cmp);
    let middle = f64::from((across[11] + across[12]) / 2.0);
    let line = [[-1e6, -1e6], [middle, -1e6], [middle, 1e6], [-1e6, 1e6]];
    let within = harness.state().state().review.within(&line);
    assert_eq!(within.len(), 12);
    harness.state_mut().act(Input::Choose(within.clone()), 2.0);
    harness.run_steps(2);
    harness.get_by_label("Show the chosen ones in the gallery").click();
    harness.run_steps(3);
    let state = &harness.state().state().review;
    assert!(!state.map.shown);
    assert_eq!(state.visible.iter().copied().collect::<std::collections::BTreeSet<_>>(), within);
    harness.state_mut().command(Command::ClearFilter, 3.0);
    harness.run_steps(2);
    assert_eq!(harness.state().state().review.visible.len(), harness.state().state().review.tiles.len());
}

#[test]
fn maps_and_heat_maps_are_written_from_the_command_line() {
    let data = drawn_folder(6);
    let home = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| leukoscope().env("XDG_DATA_HOME", home.path()).args(arguments).output().unwrap();
    let (folder, dir) = (data.path().to_str().unwrap(), tempfile::tempdir().unwrap());
    let at = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    for name in ["map.csv", "map.svg", "map.png"] {
        let out = run(&["map", folder, "--out", &at(name)]);
        assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
        assert!(text(&out.stderr).contains("6 cells"), "{}", text(&out.stderr));
    }
    let table = std::fs::read_to_string(at("map.csv")).unwrap();
    assert!(table.starts_with("path,cell,label,confidence,x,y\n") && table.lines().count() == 7, "{table}");
    let out = run(&["map", folder, "--out", &at("map.pdf")]);
    assert!(out.status.code() == Some(2) && text(&out.stderr).contains(".png"), "{}", text(&out.stderr));
}

#[test]
fn a_report_shows_where_the_model_looked() {
    let data = drawn_folder(4);
    let model = leukoscope::workflow::default_model().unwrap();
    let mut rows = Vec::new();
    let request = leukoscope::workflow::ClassifyRequest { paths: vec![data.path().to_owned()], ..Default::default() };
    let (cancel, progress) = (leukoscope::task::Cancel::new(), leukoscope::task::Progress::default());
    leukoscope::workflow::classify(
        &request,
        &model,
        &mut leukoscope::task::Monitor::new(&cancel, &progress, &mut |told| {
            if let leukoscope::workflow::ClassifyEvent::Row(row) = told {
                rows.push(row);
            }
            Ok(())
        }),
    )
    .unwrap();
    let picks = leukoscope::workflow::pick_cells(rows.iter().map(|r| &**r), &model.card().classes);
    assert!(!picks.is_empty() && picks.len() <= 4);
    let provider = leukoscope::inference::Provider::Cpu;
    let found =
        leukoscope::workflow::heat_map_examples(&picks, &model, provider, &Default::default(), &cancel, &progress)
            .unwrap();
    assert_eq!(found.len(), picks.len());
    assert!(found.iter().all(|c| c.jpeg.starts_with(&[0xff, 0xd8]) && c.how == "class activation map"));
}
