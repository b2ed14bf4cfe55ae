//! A technician's work in the window, by keys and the mouse: choose several, label, draw squares, count, sign, amend, export;
//! and a folder that goes away, comes back, and grows.

use crate::common::{drawn, drawn_folder};
use crate::window::{open, until};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use leukoscope::app::Window;
use leukoscope::app::choice::{GallerySort, Page};
use leukoscope::app::command::Command;
use leukoscope::app::language::Language;
use leukoscope::app::review::{Dialog, Filter, Kind};
use leukoscope::app::review::{Event, Input};
use leukoscope::domain::{ADDED, CellClass, CellId, Square};
use leukoscope::imaging::{draw_slide, encode_png};
use leukoscope::inference::similarity;
use std::path::{Path, PathBuf};

/// A window on some paths, with a session in a folder of its own.
pub fn session(paths: &[PathBuf], sessions: &Path) -> Harness<'static, Window> {
    let mut harness = open(Vec::new());
    harness.state_mut().keep_sessions_in(sessions.to_owned());
    harness.state_mut().on_event(Event::Chosen(paths.to_vec()), 1.0);
    until(&mut harness, "the rows", |w| w.state().review.job.is_none() && w.state().review.labels.open);
    harness.run_steps(3);
    harness
}

fn labels(h: &Harness<'_, Window>) -> Vec<(String, Option<bool>)> {
    let state = &h.state().state().review;
    let say = |t| (state.verdict(t).label.to_owned(), state.verdict(t).reviewed);
    state.tiles.iter().map(|t| say(*t)).collect()
}

/// The tile at a place.
pub fn tile(h: &Harness<'_, Window>, at: usize) -> CellId {
    h.state().state().review.tiles[at]
}

/// Places of tiles.
pub fn places<'a>(h: &Harness<'_, Window>, tiles: impl IntoIterator<Item = &'a CellId>) -> Vec<usize> {
    let all = &h.state().state().review.tiles;
    tiles.into_iter().map(|t| all.iter().position(|a| a == t).unwrap()).collect()
}

pub fn saved(h: &mut Harness<'_, Window>) {
    until(h, "the disk", |w| w.state().review.labels.waiting == 0);
}

#[test]
fn several_cells_are_chosen_labelled_and_taken_back_at_once() {
    let (dir, sessions) = (drawn_folder(9), tempfile::tempdir().unwrap());
    let mut h = session(&[dir.path().to_owned()], sessions.path());
    let before = labels(&h);
    let other = if before.iter().all(|l| l.0 == "monocyte") { "basophil" } else { "monocyte" };
    let key = CellClass::find(other).and_then(CellClass::key).unwrap();
    // Ctrl+A, a digit: one edit; Ctrl+Z: all back.
    h.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::A);
    h.run_steps(2);
    assert_eq!(h.state().state().review.chosen.len(), 9);
    h.key_press(leukoscope::app::command::DIGITS[key]);
    h.run_steps(2);
    assert!(labels(&h).iter().all(|l| l.0 == other && l.1.is_some()));
    assert_eq!(h.state().state().review.labels.history.depth(), (1, 0));
    h.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Z);
    h.run_steps(2);
    assert_eq!(labels(&h), before);
    // Shift and an arrow: one more.
    let four = tile(&h, 4);
    h.state_mut().act(Input::Select(four), 1.0);
    h.key_press_modifiers(egui::Modifiers::SHIFT, egui::Key::ArrowRight);
    h.run_steps(2);
    assert_eq!(places(&h, &h.state().state().review.chosen), [4, 5]);
    // A range by Shift, one more by Ctrl, dropped on a class.
    let all = h.state().state().review.tiles.clone();
    h.state_mut().act(Input::Select(all[1]), 1.0);
    h.state_mut().act(Input::Range(all[3]), 1.0);
    h.state_mut().act(Input::Toggle(all[6]), 1.0);
    assert_eq!(places(&h, &h.state().state().review.chosen), [1, 2, 3, 6]);
    h.state_mut().act(Input::Drop(all[2], "NRBCs".into()), 1.0);
    h.run_steps(2);
    let d = h.state().state().review.slides.counts(None).clone();
    assert_eq!(
        (d.count_of("nucleated red cell").all, d.white().all),
        (4, 5),
        "nucleated red cells are outside the hundred percent"
    );
    // A tile that is not chosen with the others goes alone.
    h.state_mut().act(Input::Drop(all[0], "not a white cell".into()), 1.0);
    assert_eq!(h.state().state().review.slides.counts(None).count_of("not a white cell").all, 1);
    h.get_by_label_contains("nucleated red cell, 4").click();
    h.run_steps(3);
    assert_eq!(places(&h, &h.state().state().review.visible), [1, 2, 3, 6]);
    // Tab: the next that nobody has looked at; nothing among those shown, so it says so.
    h.key_press(egui::Key::Tab);
    h.run_steps(2);
    assert!(h.state().state().shell.toasts.iter().any(|t| t.text.contains("reviewed")));
    h.state_mut().command(Command::ClearFilter, 1.0);
    h.run_steps(2);
    h.key_press(egui::Key::Tab);
    h.run_steps(2);
    let at = h.state().state().review.selected.unwrap();
    assert!(h.state().state().review.verdict(at).reviewed.is_none());
    h.key_press(egui::Key::Slash);
    h.run_steps(3);
    h.event(egui::Event::Text("004".into()));
    h.run_steps(3);
    assert_eq!(h.state().state().review.visible.len(), 1, "the filter is typed into at once");
    saved(&mut h);
}

#[test]
fn a_rubber_band_and_a_drag_to_a_class_by_the_mouse() {
    let (dir, sessions) = (drawn_folder(4), tempfile::tempdir().unwrap());
    let mut h = session(&[dir.path().to_owned()], sessions.path());
    let rect = |h: &Harness<'_, Window>, name: &str| h.get_by_label_contains(name).rect();
    let (first, second) = (rect(&h, "000.png, "), rect(&h, "001.png, "));
    // With Shift held, from the first tile into the second.
    h.event_modifiers(egui::Event::PointerMoved(first.center()), egui::Modifiers::SHIFT);
    let button = |pressed, pos, modifiers| egui::Event::PointerButton {
        pos,
        button: egui::PointerButton::Primary,
        pressed,
        modifiers,
    };
    let drag = |h: &mut Harness<'_, Window>, from: egui::Pos2, to: egui::Pos2, m: egui::Modifiers| {
        h.event_modifiers(egui::Event::PointerMoved(from), m);
        h.step();
        h.event_modifiers(button(true, from, m), m);
        h.step();
        for i in 1..=6 {
            h.event_modifiers(egui::Event::PointerMoved(from.lerp(to, i as f32 / 6.0)), m);
            h.step();
        }
        h.event_modifiers(button(false, to, m), m);
        h.run_steps(3);
    };
    drag(&mut h, first.center(), second.center(), egui::Modifiers::SHIFT);
    assert_eq!(places(&h, &h.state().state().review.chosen), [0, 1]);
    // Both are dragged to a class.
    let class = rect(&h, "smudge cell, 0");
    drag(&mut h, second.center(), class.center(), egui::Modifiers::NONE);
    let now = labels(&h);
    assert!(now[0].0 == "smudge cell" && now[1].0 == "smudge cell" && now[2].0 != "smudge cell", "{now:?}");
}

#[test]
fn squares_are_moved_added_and_taken_back() {
    let (dir, sessions) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = dir.path().join("field.png");
    std::fs::write(&path, encode_png(&draw_slide(900, 700, 6, 3).image).unwrap()).unwrap();
    let mut h = session(&[dir.path().to_owned()], sessions.path());
    let found = h.state().state().review.tiles.len();
    assert!(found >= 4, "{found}");
    let numbers = |w: &Window| -> Vec<u32> {
        w.state().review.tiles.iter().filter_map(|t| w.state().review.cell_of(*t)).map(|c| c.number).collect()
    };
    let square = |w: &Window, i: usize| w.state().review.cell_of(w.state().review.tiles[i]).unwrap().square;
    let was = square(h.state(), 0);
    let moved = Square { x: was.x + 9.0, ..was };
    let first = tile(&h, 0);
    h.state_mut().act(Input::MoveSquare(first, moved), 1.0);
    until(&mut h, "the moved square", |w| square(w, 0) == moved);
    assert_eq!(labels(&h)[0].1, None, "where a cell is says nothing about what it is");
    h.state_mut().act(Input::AddSquare(first.image, Square { x: 10.0, y: 12.0, side: 90.0 }), 1.0);
    until(&mut h, "the new cell", |w| numbers(w).contains(&ADDED));
    assert_eq!(h.state().state().review.tiles.len(), found + 1);
    let at = h.state().state().review.selected.unwrap();
    assert_eq!(at.number, ADDED, "it is the chosen one");
    h.key_press(egui::Key::Delete);
    h.run_steps(2);
    assert_eq!(h.state().state().review.verdict(at).label, "not a white cell");
    saved(&mut h);
    // Another window finds the squares again, without a new search.
    drop(h);
    let mut h = session(&[dir.path().to_owned()], sessions.path());
    assert_eq!((square(h.state(), 0), h.state().state().review.tiles.len()), (moved, found + 1));
    // Classified afresh they are still where the person put them.
    h.state_mut().command(Command::Classify, 1.0);
    until(&mut h, "the second run", |w| w.state().review.job.is_none());
    assert_eq!((square(h.state(), 0), h.state().state().review.tiles.len()), (moved, found + 1));
    // In the window that made them they can be taken back.
    let first = tile(&h, 0);
    h.state_mut().act(Input::MoveSquare(first, was), 1.0);
    until(&mut h, "the square again", |w| square(w, 0) == was);
    h.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Z);
    until(&mut h, "undone", |w| square(w, 0) == moved);
}

#[test]
fn from_a_demo_slide_to_a_signed_report_and_an_amendment() {
    let (out, sessions) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let demo = leukoscope::workflow::draw_demo(Some(out.path())).unwrap();
    let mut h = session(&[demo.path], sessions.path());
    h.state_mut().act(Input::Operator("ab".into()), 1.0);
    h.state_mut().act(Input::Case(leukoscope::laboratory::CaseField::Sample, "S-1".into()), 1.0);
    h.state_mut().act(Input::Case(leukoscope::laboratory::CaseField::Wbc, "6,8".into()), 1.0);
    h.state_mut().act(Input::Case(leukoscope::laboratory::CaseField::Age, "old".into()), 1.0);
    // Said at once; on a slow machine it would be gone by the time that the case is kept.
    assert!(h.state().state().shell.toasts.iter().any(|t| t.error && t.text.contains("no number")));
    until(&mut h, "the case", |w| w.state().review.case.record.entries.len() == 2);
    // A signature is blocked until everything is reviewed, but for a reason.
    h.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Enter);
    h.run_steps(3);
    assert!(h.query_by_label_contains("30 of 30 cells are not reviewed").is_some());
    h.state_mut().act(Input::Sign(String::new(), "2026-01-01T00:00:00Z".into()), 1.0);
    h.run_steps(2);
    assert!(h.state().state().review.case.record.signatures.is_empty());
    h.key_press(egui::Key::Escape);
    h.run_steps(2);
    for _ in 0..30 {
        h.key_press(egui::Key::Space);
        h.run_steps(1);
    }
    h.run_steps(2);
    assert!(h.query_by_label_contains("30 of 30 reviewed").is_some());
    saved(&mut h);
    h.get_by_label("Sign…").click();
    until(&mut h, "the look at the files", |w| w.state().review.case.files.is_some());
    // Thirty cells are not the hundred that were to be counted: it wants a reason, and one letter is none.
    assert!(
        h.query_by_label("Not complete yet:").is_some()
            && h.query_by_label("· 30 counted (target 100 not reached)").is_some()
    );
    let reason = |text: &str| Input::Dialog(Dialog::Sign { reason: text.into() });
    h.state_mut().act(reason("e"), 1.0);
    h.run_steps(2);
    assert!(h.query_by_label("Give a reason of a few words").is_some());
    h.key_press(egui::Key::Enter);
    h.run_steps(2);
    h.get_by_role_and_label(egui::accesskit::Role::Button, "Sign 30 cells").click();
    h.run_steps(2);
    assert!(h.state().state().review.case.record.signatures.is_empty());
    h.state_mut().act(reason("Too few cells on the slide"), 1.0);
    h.run_steps(2);
    h.get_by_role_and_label(egui::accesskit::Role::Button, "Sign 30 cells").click();
    until(&mut h, "the signature", |w| w.state().review.case.record.locked());
    assert!(h.query_by_label_contains("Signed by ab").is_some());
    assert!(h.query_by_label_contains("signed incomplete: Too few cells").is_some());
    // What is signed is locked.
    let before = labels(&h);
    h.key_press(egui::Key::Num1);
    h.run_steps(2);
    assert_eq!(labels(&h), before);
    let session = sessions.path().join("test.session");
    let signed = leukoscope::workflow::session_report(&session).unwrap();
    assert_eq!((signed.version, signed.table.white.all, signed.table.obstacles().len()), (1, 30, 1));
    assert_eq!(
        signed.table,
        h.state().state().review.report("now").unwrap().table,
        "window and command line count alike"
    );
    let page = String::from_utf8(leukoscope::workflow::report_html(&signed)).unwrap();
    assert!(
        page.contains("final, version 1") && page.contains("S-1") && page.contains("30 of 30 confirmed one by one")
    );
    assert!(page.contains("signed incomplete, reason") && page.contains("Too few cells on the slide"));
    let bundle: serde_json::Value = serde_json::from_slice(&leukoscope::workflow::report_fhir(&signed)).unwrap();
    assert_eq!(bundle["entry"][0]["resource"]["status"], "final");
    h.get_by_label("Amend…").click();
    h.run_steps(3);
    h.event(egui::Event::Text("wrong cell".into()));
    h.run_steps(2);
    h.key_press(egui::Key::Enter);
    until(&mut h, "the amendment", |w| w.state().review.case.record.amending.is_some());
    let first = tile(&h, 0);
    h.state_mut().act(Input::Select(first), 1.0);
    h.state_mut().act(Input::SetLabel(None, "Blasts".into()), 1.0);
    h.run_steps(2);
    assert_eq!(labels(&h)[0].0, "blast", "any label can be given by its words");
    saved(&mut h);
    h.state_mut().act(Input::Sign("No more cells to be had".into(), "2026-01-02T00:00:00Z".into()), 1.0);
    until(&mut h, "the second signature", |w| w.state().review.case.record.locked());
    let amended = leukoscope::workflow::session_report(&session).unwrap();
    let reason = amended.signed.clone().unwrap().2;
    assert_eq!(
        (amended.version, amended.status.code(), reason.as_str()),
        (2, "amended", "wrong cell; No more cells to be had")
    );
    let v = leukoscope::workflow::verify_session(&session).unwrap();
    assert!(v.altered.is_empty() && v.differing.is_empty() && v.rows >= 35, "{v:?}");
}

#[test]
fn a_known_folder_is_there_at_once_even_when_its_share_is_gone() {
    let (dir, sessions) = (drawn_folder(3), tempfile::tempdir().unwrap());
    let slides = dir.path().join("slides");
    std::fs::create_dir(&slides).unwrap();
    for i in 0..3 {
        std::fs::rename(dir.path().join(format!("00{i}.png")), slides.join(format!("{i}.png"))).unwrap();
    }
    let mut h = session(std::slice::from_ref(&slides), sessions.path());
    h.key_press(egui::Key::Space);
    h.run_steps(2);
    saved(&mut h);
    drop(h);
    // The share vanishes: what was known is shown, labels can be given.
    let away = dir.path().join("away");
    std::fs::rename(&slides, &away).unwrap();
    let mut h = session(std::slice::from_ref(&slides), sessions.path());
    assert_eq!((h.state().state().review.tiles.len(), labels(&h)[0].1), (3, Some(true)));
    assert!(h.state().state().shell.toasts.iter().any(|t| t.text.contains("cannot be read now")));
    let second = tile(&h, 1);
    h.state_mut().act(Input::Select(second), 1.0);
    h.key_press(egui::Key::Space);
    h.run_steps(2);
    saved(&mut h);
    drop(h);
    // It returns with a file less and another more.
    std::fs::rename(&away, &slides).unwrap();
    std::fs::remove_file(slides.join("0.png")).unwrap();
    std::fs::write(slides.join("9.png"), drawn(9)).unwrap();
    let h = session(std::slice::from_ref(&slides), sessions.path());
    let names: Vec<String> = h
        .state()
        .state()
        .review
        .images
        .values()
        .map(|i| i.path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(names, ["1.png", "2.png", "9.png"]);
    assert_eq!(labels(&h)[0].1, Some(true), "what was labelled while the share was away");
    drop(h);
    // The same image under another name keeps its label.
    std::fs::rename(slides.join("1.png"), slides.join("renamed.png")).unwrap();
    let h = session(&[slides], sessions.path());
    let state = &h.state().state().review;
    let tile = state.tiles.iter().find(|t| state.image_of(**t).unwrap().path.ends_with("renamed.png")).unwrap();
    assert_eq!(state.verdict(*tile).reviewed, Some(true));
}

#[test]
fn a_watched_folder_grows_and_a_half_written_file_waits() {
    let (dir, sessions) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut h = open(Vec::new());
    h.state_mut().keep_sessions_in(sessions.path().to_owned());
    h.state_mut().on_event(Event::Watch(dir.path().to_owned()), 1.0);
    until(&mut h, "the watch", |w| w.state().review.job.as_ref().is_some_and(|j| j.title.starts_with("Watching")));
    let image = drawn(5);
    std::fs::write(dir.path().join("a.png"), &image[..image.len() / 2]).unwrap();
    std::fs::write(dir.path().join("b.png"), &image).unwrap();
    // Rewritten again and again, it never comes to rest.
    for i in 0..8 {
        std::thread::sleep(std::time::Duration::from_millis(120));
        std::fs::write(dir.path().join("a.png"), &image[..image.len() / 2 + i]).unwrap();
        h.step();
    }
    std::fs::write(dir.path().join("a.png"), &image).unwrap();
    until(&mut h, "both images", |w| w.state().review.images.len() == 2);
    let state = &h.state().state().review;
    assert!(
        state.images.values().all(|i| !matches!(i.outcome, leukoscope::domain::Outcome::Failed(_))),
        "none is half read"
    );
    h.state_mut().command(Command::CancelJob, 1.0);
    until(&mut h, "the end", |w| w.state().review.job.is_none());
}

#[test]
fn reviewed_cells_become_data_for_train_and_evaluate() {
    let (out, sessions) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let demo = leukoscope::workflow::draw_demo(Some(out.path())).unwrap();
    let mut h = session(std::slice::from_ref(&demo.path), sessions.path());
    h.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::A);
    h.run_steps(1);
    h.key_press(egui::Key::Space);
    h.run_steps(3);
    assert_eq!(h.state().state().review.slides.counts(None).squares().reviewed, 0, "many at once are asked for");
    h.get_by_label("Confirm 30 cells").click();
    h.run_steps(3);
    saved(&mut h);
    h.state_mut().command(Command::EvaluateOnReviewed, 1.0);
    until(&mut h, "the evaluation", |w| w.state().evaluate.found.is_some());
    let found = h.state().state().evaluate.found.clone().unwrap();
    assert_eq!((h.state().state().shell.page, found.scores.n), (Page::Evaluate, 30));
    assert!(
        (found.scores.accuracy.value - 1.0).abs() < 1e-9,
        "the model is judged on the very squares that were reviewed"
    );
    h.state_mut().command(Command::Go(Page::Review), 1.0);
    h.state_mut().command(Command::TrainOnReviewed, 1.0);
    until(&mut h, "the data", |w| w.state().shell.page == Page::Train && !w.state().train.form.dataset.is_empty());
    // The images too, as copies in folders.
    let session = sessions.path().join("test.session");
    let folder = out.path().join("set");
    let (cancel, progress) = (Default::default(), Default::default());
    let done = leukoscope::workflow::export_images(&session, &folder, &cancel, &progress).unwrap();
    assert_eq!((done.counts.values().sum::<usize>(), done.failed.len()), (30, 0));
    assert!(demo.path.exists(), "copies, never moves");
    let again = leukoscope::workflow::export_images(&session, &folder, &cancel, &progress).unwrap_err();
    assert!(again.to_string().contains("not empty"));
    let rows = crate::common::table(&std::fs::read(folder.join("labels.csv")).unwrap());
    assert!(rows.len() == 30 && rows.iter().all(|r| folder.join(&r["path"]).is_file()));
    // The table's squares lead to the same answers in the copies.
    let evaluated = crate::common::leukoscope()
        .args([
            "evaluate",
            folder.join("labels.csv").to_str().unwrap(),
            "--out",
            out.path().join("e").to_str().unwrap(),
        ])
        .output()
        .unwrap();
    let report: serde_json::Value = serde_json::from_slice(
        &std::fs::read(out.path().join("e/report.json"))
            .unwrap_or_else(|_| panic!("{}", crate::common::text(&evaluated.stderr))),
    )
    .unwrap();
    assert!(report["n"] == 30 && report["accuracy"].as_f64().unwrap() > 0.9, "{}", report["accuracy"]);
}

#[test]
fn where_the_model_looked_is_shown_over_the_cell() {
    let (out, sessions) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let demo = leukoscope::workflow::draw_demo(Some(out.path())).unwrap();
    let mut h = session(&[demo.path], sessions.path());
    h.key_press(egui::Key::H);
    until(&mut h, "the heat map", |w| w.state().review.heat.map.is_some());
    let first = h.state().state().review.heat.map.clone().unwrap();
    assert!(h.query_by_label("class activation map").is_some());
    // Another cell has another map.
    h.key_press(egui::Key::End);
    until(&mut h, "the other cell's", |w| w.state().review.heat.map.as_ref().is_some_and(|m| m.0 != first.0));
    assert_ne!(h.state().state().review.heat.map.clone().unwrap().1, first.1);
}

#[test]
fn orders_find_what_wants_eyes_and_what_looks_alike() {
    let (out, sessions) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let demo = leukoscope::workflow::draw_demo(Some(out.path())).unwrap();
    let mut h = session(&[demo.path], sessions.path());
    let order = |h: &mut Harness<'_, Window>, sort| {
        h.state_mut().command(Command::Sort(sort), 1.0);
        h.run_steps(2);
        h.state().state().review.visible.clone()
    };
    let label = |h: &Harness<'_, Window>, t: CellId| h.state().state().review.verdict(t).label.to_owned();
    let at = (0..30).map(|i| tile(&h, i)).find(|t| label(&h, *t) == "eosinophil").unwrap();
    h.state_mut().act(Input::Select(at), 1.0);
    let alike = order(&mut h, GallerySort::Similar);
    assert_eq!(alike[0], at, "nothing is more like it than itself");
    let features = |h: &Harness<'_, Window>, t: CellId| h.state().state().review.cell_of(t).unwrap().features.clone();
    let reference = features(&h, at);
    let likeness: Vec<f32> = alike.iter().map(|t| similarity(&reference, &features(&h, *t))).collect();
    assert!(likeness.windows(2).all(|w| w[0] >= w[1]), "the most alike first: {likeness:?}");
    assert!(likeness[0] > likeness[29] + 0.1, "and they differ: {likeness:?}");
    let wrong = order(&mut h, GallerySort::MostLikelyWrong);
    let risk = |h: &Harness<'_, Window>, t: CellId| h.state().state().review.risk(t);
    assert!(wrong.windows(2).all(|w| risk(&h, w[0]) >= risk(&h, w[1])));
    h.state_mut().act(Input::Select(wrong[0]), 1.0);
    h.key_press(egui::Key::Space);
    h.run_steps(3);
    assert_eq!(h.state().state().review.visible.last(), Some(&wrong[0]), "what is reviewed goes to the end");
    h.state_mut().act(Input::Filter(Filter { kind: Kind::Unreviewed, ..Filter::default() }), 1.0);
    h.run_steps(2);
    assert_eq!(h.state().state().review.visible.len(), 29);
}

#[test]
fn keys_can_be_changed_and_the_other_command_loses_them() {
    let (dir, sessions) = (drawn_folder(2), tempfile::tempdir().unwrap());
    let mut h = session(&[dir.path().to_owned()], sessions.path());
    h.key_press(egui::Key::F1);
    h.run_steps(3);
    h.get_by_label("Change the keys of Accept").click_accesskit();
    h.run_steps(2);
    assert_eq!(h.state().state().shell.dialog, leukoscope::app::shell::Dialog::Keyboard(Some(Command::Accept)));
    h.key_press(egui::Key::F);
    h.run_steps(3);
    assert_eq!(h.state().state().shell.keys.get(Command::NextFlagged), None);
    h.key_press(egui::Key::Escape);
    h.run_steps(2);
    h.key_press(egui::Key::F);
    h.run_steps(2);
    assert_eq!(labels(&h)[0].1, Some(true), "F accepts now");
    h.key_press(egui::Key::Space);
    h.run_steps(2);
    assert_eq!(labels(&h)[1].1, None, "and Space does not");
}

/// Names of what can be pressed that have none, and all names.
fn names(h: &Harness<'_, Window>) -> (Vec<String>, Vec<String>) {
    let (mut unnamed, mut all) = (Vec::new(), Vec::new());
    let mut stack = vec![h.root()];
    while let Some(node) = stack.pop() {
        let inner = node.accesskit_node();
        use egui::accesskit::Role as R;
        let pressable = matches!(
            inner.role(),
            R::Button
                | R::CheckBox
                | R::RadioButton
                | R::Link
                | R::ListBoxOption
                | R::TextInput
                | R::Slider
                | R::ComboBox
        );
        let label = inner.label().or_else(|| inner.value()).unwrap_or_default();
        let named = !label.trim().is_empty() || inner.labelled_by().next().is_some();
        if pressable && !named {
            unnamed.push(format!("{:?} at {:?}", inner.role(), node.rect()));
        }
        all.push(label);
        stack.extend(node.children());
    }
    (unnamed, all)
}

#[test]
fn every_control_has_a_name_in_both_languages_and_every_dialog() {
    let (dir, sessions) = (drawn_folder(2), tempfile::tempdir().unwrap());
    let mut h = session(&[dir.path().to_owned()], sessions.path());
    for language in <Language as strum::IntoEnumIterator>::iter() {
        h.state_mut().command(Command::SetLanguage(language), 1.0);
        h.run_steps(2);
        for place in <Page as strum::IntoEnumIterator>::iter() {
            h.state_mut().command(Command::Go(place), 1.0);
            h.run_steps(2);
            let (unnamed, all) = names(&h);
            assert!(unnamed.is_empty(), "{language:?} {}: {unnamed:#?}", place.text());
            let word = if language == Language::Indonesian { "Tinjau" } else { "Review" };
            assert!(all.iter().any(|n| n == word), "{word}");
        }
        h.state_mut().command(Command::Go(Page::Review), 1.0);
        for command in [Command::Keyboard, Command::EditRanges, Command::SignOff, Command::OpenPath, Command::Palette] {
            h.state_mut().command(command, 1.0);
            h.run_steps(3);
            let state = h.state().state();
            let open =
                state.shell.dialog != leukoscope::app::shell::Dialog::None || state.review.dialog != Dialog::None;
            assert!(open, "{command:?}");
            let (unnamed, _) = names(&h);
            assert!(unnamed.is_empty(), "{language:?} {command:?}: {unnamed:#?}");
            h.state_mut().act(Input::Dialog(Dialog::None), 1.0);
            h.state_mut().act(leukoscope::app::shell::Input::Dialog(leukoscope::app::shell::Dialog::None), 1.0);
            h.run_steps(2);
        }
    }
}
