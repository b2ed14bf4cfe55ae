//! What a hand does to the window, and that what it meant is what happens: pointer and keys, held keys, words typed and left, files
//! that change under the screen, paths that are not there, a window that is closed in the middle of everything.

use crate::common::{drawn, drawn_folder};
use crate::review::{places, saved, session, tile};
use crate::window::{open, until};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use leukoscope::app::Window;
use leukoscope::app::choice::Page;
use leukoscope::app::command::Command;
use leukoscope::app::review::{Dialog, Filter, Kind};
use leukoscope::app::review::{Event, Input};
use std::time::Duration;

fn reviewed(h: &Harness<'_, Window>) -> Vec<usize> {
    let s = &h.state().state().review;
    (0..s.tiles.len()).filter(|i| s.verdict(s.tiles[*i]).reviewed.is_some()).collect()
}

fn label(h: &Harness<'_, Window>, at: usize) -> String {
    h.state().state().review.verdict(tile(h, at)).label.to_owned()
}

fn point(h: &mut Harness<'_, Window>, name: &str) {
    let at = h.get_by_label_contains(name).rect().center();
    h.event(egui::Event::PointerMoved(at));
    h.run_steps(2);
}

#[test]
fn a_key_labels_what_the_last_input_meant() {
    let (dir, sessions) = (drawn_folder(6), tempfile::tempdir().unwrap());
    let mut h = session(&[dir.path().to_owned()], sessions.path());
    // Clicked, and the pointer stays where it is; the arrow goes on, and the digit follows the arrow.
    h.get_by_label_contains("000.png, ").click();
    h.run_steps(2);
    point(&mut h, "000.png, ");
    h.key_press(egui::Key::ArrowRight);
    h.run_steps(2);
    h.key_press(egui::Key::Num4);
    h.run_steps(2);
    assert_eq!((reviewed(&h), label(&h, 1).as_str()), (vec![1], "eosinophil"));
    assert!(
        h.state().state().shell.toasts.iter().any(|t| t.text == "001.png: eosinophil"),
        "it is said which cell it was"
    );
    // A hand on the table trembles.
    let at = h.get_by_label_contains("000.png, ").rect().center();
    h.event(egui::Event::PointerMoved(at + egui::vec2(1.0, 1.0)));
    h.key_press(egui::Key::Num5);
    h.run_steps(2);
    assert_eq!((reviewed(&h), label(&h, 1).as_str()), (vec![1], "basophil"));
    // Moved for real, the tile under the pointer is meant, and is the chosen one from then on.
    point(&mut h, "003.png, ");
    h.key_press(egui::Key::Num2);
    h.run_steps(2);
    assert_eq!((reviewed(&h), label(&h, 3).as_str()), (vec![1, 3], "lymphocyte"));
    assert_eq!(h.state().state().review.selected, Some(tile(&h, 3)));
    // What scrolls under a pointer that lies still was not pointed at.
    point(&mut h, "004.png, ");
    h.event(egui::Event::MouseWheel {
        source: egui::MouseWheelSource::Unknown,
        unit: egui::MouseWheelUnit::Point,
        delta: egui::vec2(0.0, -1.0),
        phase: egui::TouchPhase::Move,
        modifiers: egui::Modifiers::NONE,
    });
    h.key_press(egui::Key::Num3);
    h.run_steps(2);
    assert_eq!((reviewed(&h), label(&h, 3).as_str()), (vec![1, 3], "monocyte"));
    // Space, too, is for what is chosen.
    h.key_press(egui::Key::ArrowRight);
    h.key_press(egui::Key::Space);
    h.run_steps(2);
    assert_eq!(reviewed(&h), [1, 3, 4]);
    saved(&mut h);
}

#[test]
fn a_persons_label_has_no_probability_and_the_models_answer_stands_beside_it() {
    let (dir, sessions) = (drawn_folder(1), tempfile::tempdir().unwrap());
    let mut h = session(&[dir.path().to_owned()], sessions.path());
    let first = tile(&h, 0);
    let (said, sure) = {
        let v = h.state().state().review.verdict(first);
        assert_eq!(v.confidence, v.model.map(|m| m.1));
        (v.label.to_owned(), v.confidence.unwrap())
    };
    for text in ["blasts", "a word of mine"] {
        h.state_mut().act(Input::SetLabel(None, text.into()), 1.0);
        h.run_steps(2);
        let v = h.state().state().review.verdict(first);
        assert_eq!((v.confidence, v.model), (None, Some((said.as_str(), sure))), "{text}");
    }
    assert!(h.query_by_label_contains(&format!("model: {said}")).is_some());
    h.state_mut().act(Input::SetLabel(None, said.to_uppercase()), 1.0);
    h.run_steps(2);
    let v = h.state().state().review.verdict(first);
    assert_eq!((v.label, v.confidence, v.reviewed), (said.as_str(), None, Some(true)));
    saved(&mut h);
}

#[test]
fn a_held_key_confirms_one_cell_and_many_are_confirmed_after_a_question() {
    let (dir, sessions) = (drawn_folder(8), tempfile::tempdir().unwrap());
    let mut h = session(&[dir.path().to_owned()], sessions.path());
    let press = |key, pressed| egui::Event::Key {
        key,
        physical_key: None,
        pressed,
        repeat: false,
        modifiers: egui::Modifiers::NONE,
    };
    for key in [egui::Key::Space, egui::Key::Num3] {
        for _ in 0..5 {
            h.event(press(key, true));
            h.step();
        }
        h.event(press(key, false));
        h.run_steps(2);
    }
    assert_eq!(reviewed(&h), [0, 1], "one by Space, which goes on, and one by the digit");
    // Arrows go on while they are held.
    for _ in 0..3 {
        h.event(press(egui::Key::ArrowRight, true));
        h.step();
    }
    h.event(press(egui::Key::ArrowRight, false));
    h.run_steps(2);
    assert_eq!(h.state().state().review.selected, Some(tile(&h, 4)));
    h.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::A);
    h.run_steps(2);
    h.key_press(egui::Key::Space);
    h.run_steps(2);
    assert_eq!(h.state().state().review.dialog, Dialog::ConfirmAll(8));
    h.key_press(egui::Key::Escape);
    h.run_steps(2);
    assert_eq!(reviewed(&h), [0, 1], "no");
    h.key_press(egui::Key::Space);
    h.run_steps(3);
    h.get_by_label("Confirm 8 cells").click();
    h.run_steps(3);
    assert_eq!(reviewed(&h).len(), 8);
    saved(&mut h);
    let store = leukoscope::session::Store::look(&sessions.path().join("test.session")).unwrap();
    let words: Vec<String> = store.audit().unwrap().into_iter().map(|(r, _)| r.action).filter(|a| a != "see").collect();
    assert_eq!(
        words,
        ["accept", "label", "accept-all", "accept-all", "accept-all", "accept-all", "accept-all", "accept-all"]
    );
}

#[test]
fn keys_with_shift_are_other_keys() {
    let (dir, sessions) = (drawn_folder(2), tempfile::tempdir().unwrap());
    let mut h = session(&[dir.path().to_owned()], sessions.path());
    let shift = egui::Modifiers::COMMAND.plus(egui::Modifiers::SHIFT);
    h.key_press(egui::Key::Num4);
    h.run_steps(2);
    h.key_press(egui::Key::Num5);
    h.run_steps(2);
    h.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Z);
    h.run_steps(2);
    assert_eq!(label(&h, 0), "eosinophil");
    h.key_press_modifiers(shift, egui::Key::Z);
    h.run_steps(2);
    assert_eq!(label(&h, 0), "basophil", "it does again, as elsewhere, and never undoes once more");
    h.key_press_modifiers(shift, egui::Key::A);
    h.run_steps(2);
    assert!(h.state().state().review.chosen.is_empty(), "Ctrl+Shift+A is not Ctrl+A");
    h.key_press_modifiers(egui::Modifiers::ALT, egui::Key::Num1);
    h.run_steps(2);
    assert_eq!(label(&h, 0), "blast", "after the nine digits come the same with Alt");
    saved(&mut h);
}

#[test]
fn keys_and_rows_belong_to_classes_whatever_the_model_names() {
    let (dir, sessions) = (drawn_folder(2), tempfile::tempdir().unwrap());
    let mut h = session(&[dir.path().to_owned()], sessions.path());
    for (key, name) in [
        (egui::Key::Num1, "neutrophil"),
        (egui::Key::Num2, "lymphocyte"),
        (egui::Key::Num3, "monocyte"),
        (egui::Key::Num4, "eosinophil"),
        (egui::Key::Num5, "basophil"),
        (egui::Key::Num6, "band neutrophil"),
        (egui::Key::Num9, "promyelocyte"),
        (egui::Key::Delete, "not a white cell"),
    ] {
        h.key_press(key);
        h.run_steps(2);
        assert_eq!(label(&h, 0), name);
    }
    // A label that the model does not know has its row, its filter and its count.
    h.key_press(egui::Key::Num8);
    h.run_steps(2);
    h.get_by_label_contains("myelocyte, 1").click();
    h.run_steps(3);
    assert_eq!(places(&h, &h.state().state().review.visible), [0]);
    assert_eq!(h.state().state().review.filter.kind, Kind::Label("myelocyte".into()));
    saved(&mut h);
}

#[test]
fn what_is_typed_into_a_case_stays_in_that_case() {
    let (a, b) = (drawn_folder(1), drawn_folder(2));
    let (in_a, in_b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut h = session(&[a.path().to_owned()], in_a.path());
    let wbc = |h: &Harness<'_, Window>| h.state().state().review.case.record.entries.get("wbc").cloned();
    // Typed, and the page is left without leaving the field.
    h.get_by_label("WBC ×10⁹/L").focus();
    h.run_steps(2);
    h.event(egui::Event::Text("42".into()));
    h.run_steps(2);
    h.state_mut().command(Command::Go(Page::Evaluate), 1.0);
    until(&mut h, "the entry", |w| w.state().review.case.record.entries.contains_key("wbc"));
    h.state_mut().command(Command::Go(Page::Review), 1.0);
    h.run_steps(2);
    assert_eq!(wbc(&h).as_deref(), Some("42"));
    // Typed, and another folder is opened: kept where it was typed, and not to be seen in the other one.
    h.get_by_label("Sample").focus();
    h.run_steps(2);
    h.event(egui::Event::Text("S-A".into()));
    h.run_steps(2);
    h.state_mut().keep_sessions_in(in_b.path().to_owned());
    h.state_mut().on_event(Event::Chosen(vec![b.path().to_owned()]), 2.0);
    until(&mut h, "the other folder", |w| w.state().review.job.is_none() && w.state().review.labels.open);
    assert_eq!((wbc(&h), h.state().state().review.case.drafts.len()), (None, 0));
    drop(h);
    let entries = |folder: &tempfile::TempDir| {
        leukoscope::session::Store::look(&folder.path().join("test.session")).unwrap().case().unwrap().entries
    };
    assert_eq!(entries(&in_a)["sample"], "S-A");
    assert!(entries(&in_b).is_empty());
    // And by closing the window.
    let mut h = session(&[b.path().to_owned()], in_b.path());
    h.get_by_label("Age, years").focus();
    h.run_steps(2);
    h.event(egui::Event::Text("7".into()));
    h.run_steps(2);
    h.state_mut().command(Command::Quit, 3.0);
    drop(h);
    assert_eq!(entries(&in_b)["age"], "7");
}

#[test]
fn copies_of_a_file_are_one_file() {
    let (dir, sessions) = (drawn_folder(2), tempfile::tempdir().unwrap());
    std::fs::copy(dir.path().join("000.png"), dir.path().join("000 (copy).png")).unwrap();
    let mut h = session(&[dir.path().to_owned()], sessions.path());
    assert_eq!(
        (h.state().state().review.tiles.len(), h.state().state().review.slides.counts(None).squares().all),
        (3, 2)
    );
    assert!(h.query_all_by_label_contains("000 (copy).png, ").count() == 1);
    let s = &h.state().state().review;
    let copy = s.tiles.iter().position(|t| s.images.original(t.image).is_some()).unwrap();
    // Whichever of them is labelled, both have it, and it is one label.
    let t = tile(&h, copy);
    h.state_mut().act(Input::Select(t), 1.0);
    h.key_press(egui::Key::Num3);
    h.run_steps(2);
    saved(&mut h);
    let d = h.state().state().review.slides.counts(None).clone();
    assert_eq!((d.count_of("monocyte").reviewed, d.squares().all, reviewed(&h).len()), (1, 2, 2));
}

#[test]
fn a_file_that_changed_has_its_new_result_and_its_new_image_or_neither() {
    let (dir, sessions) = (drawn_folder(3), tempfile::tempdir().unwrap());
    let mut h = session(&[dir.path().to_owned()], sessions.path());
    let first = tile(&h, 0);
    let digest = |h: &Harness<'_, Window>| h.state().state().review.image_of(first).unwrap().digest.unwrap();
    let was = digest(&h);
    h.state_mut().act(Input::SetLabel(Some(first), "monocyte".into()), 1.0);
    saved(&mut h);
    let path = dir.path().join("000.png");
    let time = std::fs::metadata(&path).unwrap().modified().unwrap();
    std::fs::write(&path, drawn(77)).unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    // Opened again, not classified afresh: length and time alone do not tell.
    h.state_mut().on_event(Event::Chosen(vec![dir.path().to_owned()]), 2.0);
    until(&mut h, "the second run", |w| w.state().review.job.is_none() && w.state().review.labels.open);
    h.run_steps(3);
    assert_eq!(tile(&h, 0).image, first.image, "the file keeps its id");
    assert_ne!(digest(&h), was);
    assert_eq!(reviewed(&h), Vec::<usize>::new(), "the label was of the bytes that are gone");
    assert_eq!(h.state().state().review.labels.verdicts.len(), 1, "and is kept");
}

#[test]
fn what_is_shown_again_is_chosen_again() {
    let (dir, sessions) = (drawn_folder(4), tempfile::tempdir().unwrap());
    let mut h = session(&[dir.path().to_owned()], sessions.path());
    let third = tile(&h, 2);
    h.state_mut().act(Input::Select(third), 1.0);
    h.state_mut().act(Input::Filter(Filter { name: "no such name".into(), ..Filter::default() }), 1.0);
    h.run_steps(2);
    assert_eq!((h.state().state().review.visible.len(), h.state().state().review.selected), (0, None));
    h.state_mut().command(Command::ClearFilter, 1.0);
    h.run_steps(2);
    assert_eq!(h.state().state().review.selected, Some(third));
}

#[test]
fn keys_that_do_nothing_say_why() {
    let (dir, sessions) = (drawn_folder(2), tempfile::tempdir().unwrap());
    let mut h = session(&[dir.path().to_owned()], sessions.path());
    let mut second = session(&[dir.path().to_owned()], sessions.path());
    second.key_press(egui::Key::Num1);
    second.run_steps(2);
    assert!(second.state().state().shell.toasts.iter().any(|t| t.text.contains("Labels cannot be given")));
    assert!(second.query_all_by_label_contains("Read only: ").count() >= 1, "and it stands there all the time");
    drop(second);
    h.state_mut().act(Input::Operator("ab".into()), 1.0);
    h.state_mut().act(Input::Sign("a reason of many words".into(), "2026-01-01T00:00:00Z".into()), 1.0);
    until(&mut h, "the signature", |w| w.state().review.case.record.locked());
    for key in [egui::Key::Num1, egui::Key::Space] {
        h.key_press(key);
        h.run_steps(2);
    }
    assert_eq!(reviewed(&h), Vec::<usize>::new());
    assert!(h.state().state().shell.toasts.iter().any(|t| t.text.contains("Press A to amend")));
    h.key_press(egui::Key::A);
    h.run_steps(2);
    assert!(matches!(h.state().state().review.dialog, Dialog::Amend { .. }));
}

#[test]
fn a_path_that_is_not_there_leaves_the_work_alone_and_an_empty_folder_offers_another() {
    let (dir, sessions, empty) = (drawn_folder(2), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let elsewhere = tempfile::tempdir().unwrap();
    let mut h = session(&[dir.path().to_owned()], sessions.path());
    h.state_mut().keep_sessions_in(elsewhere.path().to_owned());
    h.state_mut().act(Input::Open(vec![dir.path().join("mistyped")]), 1.0);
    until(&mut h, "the answer", |w| {
        w.state().shell.toasts.iter().any(|t| t.text.contains("There is no file or folder"))
    });
    assert_eq!(
        (h.state().state().review.tiles.len(), h.state().state().review.opened.as_slice()),
        (2, &[dir.path().to_owned()][..])
    );
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0, "and no session is begun for it");
    h.state_mut().act(Input::Open(vec![empty.path().to_owned()]), 1.0);
    until(&mut h, "the empty folder", |w| w.state().review.nothing_in.is_some());
    assert!(h.query_all_by_label_contains("No images in").count() >= 1);
    assert!(h.query_all_by_label_contains("Demo Slide").count() >= 1);
}

#[test]
fn a_run_that_was_stopped_says_how_far_it_came_and_goes_on() {
    let (dir, sessions) = (drawn_folder(1), tempfile::tempdir().unwrap());
    for i in 0..240u32 {
        std::fs::write(dir.path().join(format!("x{i:04}.png")), drawn(u64::from(i % 7) + 2)).unwrap();
    }
    let mut h = open(Vec::new());
    h.state_mut().keep_sessions_in(sessions.path().to_owned());
    h.state_mut().on_event(Event::Chosen(vec![dir.path().to_owned()]), 1.0);
    until(&mut h, "the first rows", |w| w.state().review.images.len() > 5);
    h.get_by_label("Cancel").click();
    until(&mut h, "the end", |w| w.state().review.job.is_none());
    let (done, all) = h.state().state().review.unfinished.unwrap();
    assert!(done < all && all == 241, "{done} of {all}");
    h.get_by_label("Resume").click();
    until(&mut h, "the rest", |w| w.state().review.job.is_none() && w.state().review.images.len() == 241);
    assert_eq!(h.state().state().review.unfinished, None);
}

/// Rows come faster than a window that no longer looks takes them: it closes all the same, and what was labelled is there.
#[test]
fn a_window_closes_in_the_middle_of_everything_and_loses_nothing() {
    let (dir, sessions) = (drawn_folder(2), tempfile::tempdir().unwrap());
    let mut h = session(&[dir.path().to_owned()], sessions.path());
    h.key_press(egui::Key::Num4);
    h.run_steps(2);
    saved(&mut h);
    for i in 0..6000 {
        std::fs::write(dir.path().join(format!("broken{i:05}.jpg")), [0xff, 0xd8, 0xff, 0xe0, 0, 1]).unwrap();
    }
    h.state_mut().command(Command::Classify, 2.0);
    until(&mut h, "the first rows", |w| w.state().review.images.len() > 600);
    // Nobody takes what comes now: the channel is full, and the job waits in it.
    std::thread::sleep(Duration::from_millis(700));
    let (closed, wait) = std::sync::mpsc::channel::<()>();
    let watchdog = std::thread::spawn(move || {
        if wait.recv_timeout(Duration::from_secs(60)).is_err() {
            // A hang cannot be unwound: the whole binary fails, and says why.
            eprintln!("a_window_closes_in_the_middle_of_everything_and_loses_nothing: the window hangs");
            std::process::exit(101);
        }
    });
    drop(h);
    closed.send(()).unwrap();
    watchdog.join().unwrap();
    let store = leukoscope::session::Store::look(&sessions.path().join("test.session")).unwrap();
    assert_eq!(store.labels().unwrap().values().next().unwrap().label, "eosinophil");
}
