//! One case, told four times: the window, `session export` as a page and as FHIR, the table of labels, and what a signature keeps
//! agree to the last digit, on cases with several slides, copies, files that went or were written over, an amendment, a run that
//! was stopped.

use crate::common::{drawn, leukoscope, table, text};
use crate::window::{open, until};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use leukoscope::app::Window;
use leukoscope::app::command::Command;
use leukoscope::app::review::{Event, Input};
use leukoscope::domain::CellClass;
use leukoscope::laboratory::{CaseField, Obstacle, SlideReport, Snapshot};
use std::path::{Path, PathBuf};

/// A window on some paths, with a session in a folder of its own, once the run ended.
fn case(paths: &[PathBuf], sessions: &Path) -> Harness<'static, Window> {
    let mut h = started(paths, sessions);
    until(&mut h, "the rows", |w| w.state().review.job.is_none() && w.state().review.labels.open);
    h.run_steps(3);
    h
}

fn started(paths: &[PathBuf], sessions: &Path) -> Harness<'static, Window> {
    let mut h = open(Vec::new());
    h.state_mut().keep_sessions_in(sessions.to_owned());
    h.state_mut().on_event(Event::Chosen(paths.to_vec()), 1.0);
    h
}

fn saved(h: &mut Harness<'_, Window>) {
    until(h, "the disk", |w| w.state().review.labels.waiting == 0);
}

/// Gives the cells of a file a label.
fn label(h: &mut Harness<'_, Window>, file: &str, label: &str) {
    let state = &h.state().state().review;
    let named = |t: &&leukoscope::domain::CellId| state.image_of(**t).is_some_and(|i| i.path.ends_with(file));
    let cell = state.tiles.iter().find(named).copied().unwrap_or_else(|| panic!("no cell in {file}"));
    h.state_mut().act(Input::SetLabel(Some(cell), label.into()), 1.0);
    h.run_steps(1);
}

fn fact(h: &mut Harness<'_, Window>, name: CaseField, value: &str) {
    h.state_mut().act(Input::Case(name, value.into()), 1.0);
    until(h, "the case", |w| w.state().review.case.record.entries.get(name.as_str()).is_some_and(|v| v == value));
}

fn sign(h: &mut Harness<'_, Window>, reason: &str) {
    saved(h);
    h.state_mut().act(Input::Operator("ab".into()), 1.0);
    let before = h.state().state().review.case.record.signatures.len();
    // The sheet looks at the files first, as it does for a person.
    h.state_mut().command(Command::SignOff, 1.0);
    until(h, "the look at the files", |w| w.state().review.case.files.is_some());
    h.state_mut().act(Input::Sign(reason.into(), "2026-01-02T03:04:05Z".into()), 1.0);
    until(h, "the signature", |w| w.state().review.case.record.signatures.len() > before);
}

/// What `session export` of the real executable writes.
fn exported(sessions: &Path, format: &str) -> Vec<u8> {
    let session = sessions.join("test.session");
    let run = leukoscope()
        .args(["session", "export", "--format", format, "--session", session.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", text(&run.stderr));
    run.stdout
}

/// The same time everywhere: when a snapshot is made is no count.
fn at_once(mut s: Snapshot) -> Snapshot {
    s.made = String::new();
    s
}

/// Holds window, script and files against each other, and returns the window's report.
fn agree(h: &mut Harness<'_, Window>, sessions: &Path) -> SlideReport {
    if !h.state().state().review.case.record.locked() {
        // As whoever signs does: the sheet looks at the files.
        let before = h.state().state().review.dialog.clone();
        h.state_mut().command(Command::SignOff, 1.0);
        until(h, "the look at the files", |w| w.state().review.case.files.is_some());
        h.state_mut().act(Input::Dialog(before), 1.0);
        h.run_steps(2);
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    saved(h);
    let shown = h.state().state().review.report("2026-01-01T00:00:00Z").unwrap();
    let script = leukoscope::workflow::session_report(&sessions.join("test.session")).unwrap();
    assert_eq!(at_once(shown.snapshot.clone()), at_once(script.snapshot.clone()), "window and script count alike");
    assert_eq!((shown.status, shown.version, &shown.signed), (script.status, script.version, &script.signed));
    let page = text(&exported(sessions, "html"));
    let bundle: serde_json::Value = serde_json::from_slice(&exported(sessions, "fhir")).unwrap();
    let observations: Vec<&serde_json::Value> =
        bundle["entry"].as_array().unwrap().iter().map(|e| &e["resource"]).collect();
    let value = |code: &str| {
        let of = |o: &&&serde_json::Value| o["code"]["coding"][0]["code"] == code;
        observations.iter().find(of).and_then(|o| o["valueQuantity"]["value"].as_f64())
    };
    let div = observations[0]["text"]["div"].as_str().unwrap();
    for row in &shown.table.rows {
        let percent = row.percent(&shown.table).map_or_else(|| "–".into(), |p| p.to_string());
        let limits = row.limits().map_or_else(|| "–".into(), |(l, h)| format!("{l}–{h}"));
        let cells = format!("<tr><td>{}</td><td>{}</td><td>{percent}</td><td>{limits}</td>", row.label, row.count.all);
        assert!(page.contains(&cells), "{cells} in {page}");
        let words = row.percent(&shown.table).map_or_else(|| "–".into(), |p| format!("{p} %"));
        assert!(div.contains(&format!("<td>{}</td><td>{}</td><td>{words}</td>", row.label, row.count.all)), "{div}");
        let Some(loinc) = CellClass::find(&row.label).map(|c| c.loinc) else { continue };
        assert_eq!(value(loinc.percent.unwrap()), row.percent(&shown.table).map(|p| p.value()), "{}", row.label);
        if let Some((a, low, high)) = row.absolute() {
            assert!(page.contains(&format!("<td>{a} <small>{low}–{high}</small></td>")));
            assert_eq!(value(loinc.absolute.unwrap()), Some(a.value()));
        }
    }
    for line in shown.lines().iter().chain([&shown.counted(), &shown.confirmed()]) {
        assert!(page.contains(line.as_str()) && div.contains(line.as_str()), "{line}: {page} {div}");
    }
    assert_eq!(observations[0]["status"], shown.status.code());
    // The table of labels has a row for each cell that a person named, and no other.
    let rows = table(&exported(sessions, "csv"));
    assert_eq!(rows.len(), h.state().state().review.labels.verdicts.len());
    // Those that stand in the count are as many as the report has reviewed, label by label.
    for row in &shown.table.rows {
        let own = rows.iter().filter(|r| r["label"] == row.label && r["counted"] == "yes").count();
        assert_eq!(own, row.count.reviewed, "{}: {rows:?}", row.label);
    }
    let left = &shown.table.left;
    let named = rows.iter().filter(|r| !r["label"].is_empty()).count();
    let reviewed = shown.table.squares - shown.table.unreviewed;
    if !h.state().state().review.case.record.locked() {
        assert_eq!(
            named,
            reviewed + left.labels_gone + left.labels_unmatched + left.same_fields.len(),
            "every label is counted or named as left out"
        );
    }
    shown
}

/// What a signature kept is what was shown when it was given.
fn kept_as_shown(h: &Harness<'_, Window>, shown: &SlideReport) {
    let last = h.state().state().review.case.record.signatures.last().unwrap();
    let kept: Snapshot = serde_json::from_str(&last.report).unwrap();
    assert_eq!(at_once(kept), at_once(shown.snapshot.clone()), "signed as shown");
}

fn write(folder: &Path, files: &[(&str, u64)]) {
    std::fs::create_dir_all(folder).unwrap();
    for (name, seed) in files {
        std::fs::write(folder.join(name), drawn(*seed)).unwrap();
    }
}

fn counts(r: &SlideReport) -> Vec<(&str, usize)> {
    r.table.rows.iter().filter(|row| row.count.all > 0).map(|row| (row.label.as_str(), row.count.all)).collect()
}

#[test]
fn several_slides_with_what_is_outside_the_hundred_percent() {
    let (dir, sessions) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    write(&one, &[("a.png", 1), ("b.png", 2), ("c.png", 3), ("d.png", 4), ("e.png", 5)]);
    write(&two, &[("f.png", 6), ("g.png", 7), ("h.png", 8), ("i.png", 9)]);
    let mut h = case(&[one, two], sessions.path());
    fact(&mut h, CaseField::Wbc, "6.8");
    fact(&mut h, CaseField::Target, "200");
    for (file, class) in [
        ("a.png", "Neutrophils"),
        ("b.png", "NEUTROPHIL"),
        ("c.png", "segmented neutrophil"),
        ("d.png", "stab"),
        ("e.png", "Erythroblast"),
        ("f.png", "myeloblast"),
        ("g.png", "hairy cell"),
        ("h.png", "giant platelet"),
    ] {
        label(&mut h, file, class);
    }
    let r = agree(&mut h, sessions.path());
    let nine = r.table.rows.iter().map(|r| r.count.all).sum::<usize>();
    assert_eq!((nine, r.snapshot.slides.len(), r.table.white.all), (7, 2, 7));
    let own = |label: &str| r.table.rows.iter().find(|row| row.label == label).map_or(0, |row| row.count.all);
    assert!(own("neutrophil") >= 3 && own("band neutrophil") == 1 && own("blast") == 1 && own("hairy cell") == 1);
    assert_eq!(r.table.outside, [("nucleated red cell".to_owned(), 1, 100.0 / 7.0)]);
    assert_eq!(r.table.excluded, [("platelet".to_owned(), 1)]);
    // 6.8 × 100 / (100 + 100/7) = 5.95
    assert_eq!(r.table.wbc_written().map(|w| w.to_string()).as_deref(), Some("5.95"));
    assert_eq!(r.confirmed(), "6 of 7 confirmed one by one, 1 by the model alone");
    assert_eq!(r.table.off_catalogue, ["hairy cell"]);
    // Signed although one was named by the model alone: it stays preliminary, and says so.
    sign(&mut h, "Urgent result, review to follow");
    kept_as_shown(&h, &r);
    let signed = agree(&mut h, sessions.path());
    assert_eq!((signed.status.code(), signed.version), ("preliminary", 1));
    h.run_steps(3);
    assert!(
        h.query_by_label("preliminary").is_some() && h.query_by_label_contains("signed incomplete: Urgent").is_some()
    );
}

#[test]
fn the_same_file_under_several_names_counts_once_and_is_named() {
    let (dir, sessions) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let slide = dir.path().join("slide");
    write(&slide, &[("a.png", 1), ("b.png", 2), ("c.png", 3)]);
    std::fs::copy(slide.join("a.png"), slide.join("a (copy).png")).unwrap();
    std::fs::copy(slide.join("b.png"), slide.join("z.png")).unwrap();
    let mut h = case(&[slide], sessions.path());
    label(&mut h, "a.png", "monocyte");
    label(&mut h, "b.png", "monocyte");
    label(&mut h, "c.png", "basophil");
    let r = agree(&mut h, sessions.path());
    assert_eq!(counts(&r), [("monocyte", 2), ("basophil", 1)]);
    assert_eq!((r.table.squares, r.table.images.0), (3, 3));
    assert!(
        r.lines().iter().any(|l| l.contains("2 copies left out") && l.contains("z.png") && l.contains("a.png")),
        "{:?}",
        r.lines()
    );
    h.run_steps(2);
    assert!(h.query_by_label_contains("2 copies left out").is_some(), "the window says it too");
    sign(&mut h, "Too few cells on the slide");
    kept_as_shown(&h, &r);
    agree(&mut h, sessions.path());
}

#[test]
fn files_that_went_or_were_written_over_do_not_count_and_their_labels_are_a_line_of_their_own() {
    let (dir, sessions) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let slide = dir.path().join("slide");
    write(&slide, &[("a.png", 1), ("b.png", 2), ("c.png", 3), ("d.png", 4)]);
    let mut h = case(std::slice::from_ref(&slide), sessions.path());
    for (file, class) in [("a.png", "neutrophil"), ("b.png", "neutrophil"), ("c.png", "basophil")] {
        label(&mut h, file, class);
    }
    agree(&mut h, sessions.path());
    std::fs::remove_file(slide.join("a.png")).unwrap();
    std::fs::write(slide.join("b.png"), drawn(77)).unwrap();
    // Before anybody looks again: neither the one that went nor the one that changed counts, with the script at once, in the
    // window when it is to be signed.
    h.state_mut().command(Command::SignOff, 1.0);
    until(&mut h, "the look at the files", |w| w.state().review.case.files.is_some());
    let r = agree(&mut h, sessions.path());
    assert_eq!((r.table.left.changed, r.table.left.gone, r.table.left.labels_gone), (1, 1, 2));
    assert!(r.table.obstacles().contains(&Obstacle::Changed(1)) && r.table.obstacles().contains(&Obstacle::Gone(1)));
    assert_eq!(r.table.squares, 2);
    h.run_steps(2);
    assert!(h.query_by_label_contains("1 image changed since it was looked at").is_some(), "the sheet says it");
    h.state_mut().act(Input::Dialog(leukoscope::app::review::Dialog::None), 1.0);
    // F5: the new content counts, by the model alone, and the labels of what was there before are named.
    h.state_mut().command(Command::Classify, 1.0);
    until(&mut h, "the second run", |w| w.state().review.job.is_none());
    let r = agree(&mut h, sessions.path());
    assert_eq!((r.table.squares, r.table.unreviewed, r.table.left.labels_gone, r.table.images.0), (3, 2, 2, 3));
    assert!(r.lines().contains(&"Labels of images that are gone or changed: 2".to_owned()), "{:?}", r.lines());
    sign(&mut h, "Images could not be taken again");
    kept_as_shown(&h, &r);
    agree(&mut h, sessions.path());
    // A file that is damaged now: it failed, in the window and in the script.
    drop(h);
    std::fs::write(slide.join("d.png"), &drawn(4)[..300]).unwrap();
    let mut h = case(&[slide], sessions.path());
    assert_eq!(h.state().state().review.snapshot("").table().images.1, 1);
    let signed = agree(&mut h, sessions.path());
    assert_eq!(signed.table.images.1, 0, "what was signed stays signed");
}

#[test]
fn what_is_signed_is_shown_whatever_the_model_is_and_an_amendment_is_the_next_version() {
    let (dir, sessions) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let slide = dir.path().join("slide");
    write(&slide, &[("a.png", 1), ("b.png", 2), ("c.png", 3), ("d.png", 4)]);
    let mut h = case(std::slice::from_ref(&slide), sessions.path());
    for file in ["a.png", "b.png", "c.png", "d.png"] {
        label(&mut h, file, "eosinophil");
    }
    let shown = agree(&mut h, sessions.path());
    sign(&mut h, "Too few cells on the slide");
    kept_as_shown(&h, &shown);
    let first = agree(&mut h, sessions.path());
    assert_eq!((first.status.code(), first.version), ("final", 1));
    // More files come: the panel shows what was signed, and says that it would be counted otherwise now.
    drop(h);
    write(&slide, &[("e.png", 5), ("f.png", 6)]);
    let mut h = case(std::slice::from_ref(&slide), sessions.path());
    assert_eq!(h.state().state().review.snapshot("").table().white.all, 6);
    assert_eq!(agree(&mut h, sessions.path()).table, first.table);
    h.run_steps(3);
    assert!(h.query_by_label_contains("Signed by ab").is_some() && h.query_by_label("Signed and locked").is_some());
    assert!(h.query_by_label_contains("now count differently").is_some());
    assert!(h.query_by_label_contains("4 counted (target 100 not reached)").is_some(), "what was signed");
    h.state_mut().act(Input::Amend("two images were missing".into()), 1.0);
    // What came while it was signed goes into the session now.
    until(&mut h, "the amendment", |w| {
        w.state().review.case.record.amending.is_some() && w.state().review.job.is_none()
    });
    h.run_steps(3);
    label(&mut h, "e.png", "blast");
    label(&mut h, "f.png", "eosinophil");
    let shown = agree(&mut h, sessions.path());
    assert_eq!((shown.status.code(), shown.version), ("preliminary", 1));
    sign(&mut h, "Too few cells on the slide");
    kept_as_shown(&h, &shown);
    let second = agree(&mut h, sessions.path());
    assert_eq!((second.status.code(), second.version), ("amended", 2));
    assert_eq!(counts(&second), [("eosinophil", 5), ("blast", 1)]);
    let checked = leukoscope()
        .args(["session", "verify", "--session"])
        .arg(sessions.path().join("test.session"))
        .output()
        .unwrap();
    assert!(checked.status.success(), "{}{}", text(&checked.stdout), text(&checked.stderr));
}

#[test]
fn a_run_that_was_stopped_says_what_was_not_looked_at_wherever_it_is_told() {
    let (dir, sessions) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let slide = dir.path().join("slide");
    std::fs::create_dir(&slide).unwrap();
    let field = leukoscope::imaging::encode_png(&leukoscope::imaging::draw_slide(1000, 800, 14, 3).image).unwrap();
    for i in 0u32..400 {
        // Different bytes, one image: a chunk of text at the end is no pixel.
        std::fs::write(slide.join(format!("x{i:03}.png")), [&field[..], &i.to_le_bytes()].concat()).unwrap();
    }
    let mut h = started(std::slice::from_ref(&slide), sessions.path());
    until(&mut h, "the first rows", |w| w.state().review.images.len() > 5);
    h.state_mut().command(Command::CancelJob, 1.0);
    until(&mut h, "the end", |w| w.state().review.job.is_none());
    let seen = h.state().state().review.images.len();
    assert!(seen < 400, "{seen}");
    let r = agree(&mut h, sessions.path());
    assert!(r.table.obstacles().contains(&Obstacle::NotLookedAt(400 - seen, 400)), "{:?}", r.table.obstacles());
    assert!(r.lines().contains(&format!("{} images not looked at", 400 - seen)), "{:?}", r.lines());
    h.state_mut().command(Command::SignOff, 1.0);
    h.run_steps(3);
    assert!(h.query_by_label_contains("of 400 images were not looked at").is_some());
    h.state_mut().act(Input::Sign(String::new(), "2026-01-02T03:04:05Z".into()), 1.0);
    h.run_steps(2);
    assert!(h.state().state().review.case.record.signatures.is_empty(), "not without a reason");
    until(&mut h, "the look at the files", |w| w.state().review.case.files.is_some());
    let r = agree(&mut h, sessions.path());
    sign(&mut h, "Urgent result, review to follow");
    kept_as_shown(&h, &r);
    // A killed program leaves a run that did not end: the session says so too.
    let signed = agree(&mut h, sessions.path());
    assert!(signed.table.obstacles().iter().any(|o| matches!(o, Obstacle::NotLookedAt(..))));
}

#[test]
fn images_of_one_field_are_asked_about_before_a_signature_and_count_once_when_a_person_agrees() {
    let (dir, sessions) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let slide = dir.path().join("slide");
    write(&slide, &[("a.png", 1), ("b.png", 2), ("c.png", 3)]);
    // The first once more, saved by another program, and a little shifted.
    let image = image::load_from_memory(&drawn(1)).unwrap().to_rgb8();
    let save = |image: &image::RgbImage, name: &str| {
        let file = std::fs::File::create(slide.join(name)).unwrap();
        image::codecs::jpeg::JpegEncoder::new_with_quality(file, 85).encode_image(image).unwrap();
    };
    save(&image, "a again.jpg");
    save(&image::imageops::crop_imm(&image, 3, 2, image.width() - 3, image.height() - 2).to_image(), "a later.jpg");
    let mut h = case(&[slide], sessions.path());
    for file in ["a.png", "a again.jpg", "a later.jpg", "b.png", "c.png"] {
        label(&mut h, file, "monocyte");
    }
    assert_eq!(counts(&agree(&mut h, sessions.path())), [("monocyte", 5)]);
    h.state_mut().command(Command::SignOff, 1.0);
    until(&mut h, "the look at the files", |w| w.state().review.case.files.is_some());
    h.run_steps(3);
    let asked = agree(&mut h, sessions.path());
    assert_eq!(asked.table.left.alike.iter().map(Vec::len).collect::<Vec<_>>(), [3]);
    assert!(asked.table.obstacles().contains(&Obstacle::LookAlike(1)));
    assert!(
        h.query_by_label_contains("These 3 images look like the same field: a again.jpg, a later.jpg, a.png").is_some()
    );
    // They are shown, not only named.
    for name in ["a again.jpg", "a later.jpg", "a.png"] {
        assert!(h.query_by_role_and_label(egui::accesskit::Role::Image, name).is_some(), "{name}");
    }
    h.get_by_label("Same Field: Count Once").click();
    until(&mut h, "the decision", |w| w.state().review.case.record.entries.contains_key("same-fields"));
    h.run_steps(3);
    let once = agree(&mut h, sessions.path());
    assert_eq!((counts(&once), once.table.left.same_fields.len()), (vec![("monocyte", 3)], 2));
    assert!(once.lines().iter().any(|l| l.starts_with("2 images of a field that is counted already left out")));
    // It can be taken back, and every step is in the audit trail.
    h.get_by_label("Different Fields: Count All").click();
    until(&mut h, "taken back", |w| !w.state().review.case.record.entries.contains_key("same-fields"));
    h.run_steps(3);
    let all = agree(&mut h, sessions.path());
    assert_eq!((counts(&all), all.table.left.alike.len()), (vec![("monocyte", 5)], 0));
    // And that again.
    h.get_by_label("Same Field: Count Once").click();
    until(&mut h, "once more", |w| w.state().review.case.record.entries.contains_key("same-fields"));
    assert_eq!(counts(&agree(&mut h, sessions.path())), [("monocyte", 3)]);
    let shown = leukoscope()
        .args(["session", "verify", "--session"])
        .arg(sessions.path().join("test.session"))
        .output()
        .unwrap();
    assert!(shown.status.success(), "{}", text(&shown.stderr));
}

#[test]
fn ranges_that_cannot_be_read_flag_nothing_and_are_said_in_the_window_and_by_the_script() {
    let (dir, sessions) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let slide = dir.path().join("slide");
    write(&slide, &[("a.png", 1), ("b.png", 2)]);
    let mut h = case(&[slide], sessions.path());
    fact(&mut h, CaseField::Wbc, "55");
    let flagged = |w: &Window| w.state().review.snapshot("").table().rows.iter().any(|r| r.flag.is_some());
    assert!(flagged(h.state()), "by the examples, which are said to be examples");
    h.run_steps(2);
    assert!(h.query_by_label("Example ranges, not validated").is_some());
    h.state_mut().on_event(Event::Ranges(leukoscope::laboratory::Ranges::Unreadable("line 3".into())), 1.0);
    h.run_steps(2);
    assert!(!flagged(h.state()) && h.query_by_label_contains("reference ranges cannot be read").is_some());
    assert!(h.state().state().review.snapshot("").table().obstacles().contains(&Obstacle::RangesUnreadable));
    h.state_mut().command(Command::EditRanges, 1.0);
    h.run_steps(3);
    assert!(h.query_by_label("Set the Old File Aside and Save").is_some() && h.query_by_label("Save").is_none());
    saved(&mut h);
    // The script, with a laboratory's file that has a typing error.
    let config = dir.path().join("config");
    std::fs::create_dir_all(config.join("leukoscope")).unwrap();
    let file = config.join("leukoscope/reference-ranges.json");
    let wrong = r#"[{"label": "neutrophil", "low": 0.5, "high": 0.9,}]"#;
    std::fs::write(&file, wrong).unwrap();
    let session = sessions.path().join("test.session");
    let run = leukoscope()
        .env("XDG_CONFIG_HOME", &config)
        .args(["session", "export", "--format", "html", "--session", session.to_str().unwrap()])
        .output()
        .unwrap();
    let page = text(&run.stdout);
    assert!(page.contains("reference ranges cannot be read; nothing is flagged"), "{page}");
    assert!(!page.contains("class=\"l high\"") && !page.contains("2–7.5"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), wrong, "the laboratory's file is what it was");
}
