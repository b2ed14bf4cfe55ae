//! The window, driven by accessible names in egui's own test harness: no display, no GPU.

use crate::common::{drawn, drawn_folder};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use leukoscope::app::Window;
use leukoscope::app::choice::{GallerySort, Page};
use leukoscope::app::command::Command;
use leukoscope::app::review::Event;
use std::path::PathBuf;
use std::time::{Duration, Instant};

pub fn open(paths: Vec<PathBuf>) -> Harness<'static, Window> {
    let ctx = egui::Context::default();
    let window = Window::new(&ctx, paths, None, None).unwrap();
    Harness::builder().with_size([1280.0, 800.0]).with_max_steps(64).build_ui_state(
        |ui, window: &mut Window| {
            window.logic(&ui.ctx().clone());
            window.draw(ui);
        },
        window,
    )
}

/// Steps until something holds; the jobs run on their own threads.
pub fn until(harness: &mut Harness<'_, Window>, what: &str, holds: impl Fn(&Window) -> bool) {
    let begun = Instant::now();
    while !holds(harness.state()) {
        assert!(begun.elapsed() < Duration::from_secs(60), "waited for {what}");
        harness.step();
        std::thread::sleep(Duration::from_millis(10));
    }
    harness.run_steps(3);
}

fn finished(w: &Window) -> bool {
    w.state().review.job.is_none() && !w.state().review.images.is_empty()
}

#[test]
fn the_first_page_offers_what_one_needs() {
    let mut harness = open(Vec::new());
    harness.run_steps(3);
    for label in ["Open Folder…", "Open Image…", "Demo Slide"] {
        assert!(harness.query_by_label_contains(label).is_some(), "{label}");
    }
    for place in ["Evaluate", "Train", "Models"] {
        harness.get_by_label(place).click();
        harness.run_steps(3);
        assert_eq!(harness.state().state().shell.page.text(), place);
    }
    until(&mut harness, "the installed models", |w| !w.state().models.list.is_empty());
    assert!(harness.query_by_label_contains("basophil, eosinophil").is_some(), "the card is on the Models page");
}

#[test]
fn a_folder_becomes_tiles_that_can_be_chosen_filtered_and_sorted() {
    let dir = drawn_folder(6);
    std::fs::write(dir.path().join("broken.png"), &drawn(1)[..500]).unwrap();
    let mut harness = open(vec![dir.path().to_owned()]);
    until(&mut harness, "the batch", finished);
    assert_eq!(harness.state().state().review.tiles.len(), 7);
    assert!(
        harness.query_by_label_contains("broken.png, failed: ").is_some(),
        "a failed file is a tile with its reason"
    );
    harness.get_by_label_contains("002.png, ").click();
    harness.run_steps(3);
    let chosen = harness.state().state().review.selected.unwrap();
    assert!(harness.state().state().review.image_of(chosen).unwrap().path.ends_with("002.png"));
    harness.key_press(egui::Key::ArrowRight);
    harness.run_steps(3);
    let next = harness.state().state().review.selected.unwrap();
    assert!(harness.state().state().review.image_of(next).unwrap().path.ends_with("003.png"));
    harness.get_by_label_contains("failed, 1").click();
    harness.run_steps(3);
    assert_eq!(harness.state().state().review.visible.len(), 1);
    harness.state_mut().command(Command::ClearFilter, 1.0);
    harness.state_mut().command(Command::Sort(GallerySort::LeastConfident), 1.0);
    harness.run_steps(3);
    let state = &harness.state().state().review;
    let sure: Vec<f32> = state.visible.iter().filter_map(|&t| state.verdict(t).confidence).collect();
    assert!(sure.len() == 6 && sure.windows(2).all(|w| w[0] <= w[1]), "{sure:?}");
}

#[test]
fn the_palette_finds_a_command_by_typing() {
    let mut harness = open(Vec::new());
    harness.run_steps(2);
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::K);
    harness.run_steps(3);
    harness.event(egui::Event::Text("models".into()));
    harness.run_steps(3);
    harness.key_press(egui::Key::Enter);
    harness.run_steps(3);
    assert_eq!(harness.state().state().shell.page, Page::Models);
    assert_eq!(harness.state().state().shell.dialog, leukoscope::app::shell::Dialog::None);
    // A command that opens a page of its own.
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::K);
    harness.run_steps(3);
    harness.event(egui::Event::Text("self-check".into()));
    harness.run_steps(3);
    harness.key_press(egui::Key::Enter);
    harness.run_steps(3);
    assert!(matches!(harness.state().state().shell.dialog, leukoscope::app::shell::Dialog::SelfCheck(_)));
}

#[test]
fn the_palette_finds_a_command_by_another_word_for_it() {
    let mut harness = open(vec![]);
    harness.state_mut().command(Command::Palette, 1.0);
    harness.run_steps(2);
    harness.get_by_role(egui::accesskit::Role::TextInput).type_text("dark");
    harness.run_steps(2);
    // What has the word in its own text comes before what is only also called so.
    let light = Command::Theme(leukoscope::app::choice::ThemeChoice::Light).text();
    assert!(harness.query_by_label(&light).is_some(), "found by its other words");
    harness.key_press(egui::Key::Enter);
    harness.run_steps(2);
    assert_eq!(harness.state().state().shell.theme, leukoscope::app::choice::ThemeChoice::Dark);
}

/// A second dialog takes the place of the first one, whichever page it is of.
#[test]
fn only_one_dialog_is_open() {
    use leukoscope::app::{Notice, review, shell};
    let mut harness = open(vec![]);
    let is_open = |h: &Harness<'_, Window>| {
        let state = h.state().state();
        (state.shell.dialog != shell::Dialog::None, state.review.dialog != review::Dialog::None)
    };
    for (command, expected) in [
        (Command::Keyboard, (true, false)),
        (Command::EditRanges, (false, true)),
        (Command::Palette, (true, false)),
        (Command::EditRanges, (false, true)),
    ] {
        harness.state_mut().command(command, 1.0);
        harness.run_steps(2);
        assert_eq!(is_open(&harness), expected, "{command:?}");
    }
    // What comes from outside, too.
    harness.state_mut().on_event(shell::Event::Notice(Notice::NoDialog { watch: false }), 1.0);
    assert_eq!(is_open(&harness), (true, false));
}

#[test]
fn a_batch_can_be_cancelled_and_what_is_done_stays() {
    let dir = drawn_folder(1);
    let image = drawn(2);
    for i in 0..1500 {
        std::fs::write(dir.path().join(format!("x{i:04}.png")), &image).unwrap();
    }
    let mut harness = open(vec![dir.path().to_owned()]);
    until(&mut harness, "the first rows", |w| w.state().review.images.len() > 5);
    harness.get_by_label("Cancel").click();
    until(&mut harness, "the end", |w| w.state().review.job.is_none());
    let n = harness.state().state().review.images.len();
    assert!(n > 5 && n < 1501, "{n}");
}

#[test]
fn everything_that_can_be_pressed_has_a_name() {
    let dir = drawn_folder(3);
    let mut harness = open(vec![dir.path().to_owned()]);
    until(&mut harness, "the batch", finished);
    for place in <Page as strum::IntoEnumIterator>::iter() {
        harness.state_mut().command(Command::Go(place), 1.0);
        harness.run_steps(3);
        let mut unnamed = Vec::new();
        let mut stack = vec![harness.root()];
        while let Some(node) = stack.pop() {
            let inner = node.accesskit_node();
            use egui::accesskit::Role;
            let pressable = matches!(
                inner.role(),
                Role::Button
                    | Role::CheckBox
                    | Role::RadioButton
                    | Role::Link
                    | Role::ListBoxOption
                    | Role::TextInput
                    | Role::Slider
                    | Role::ComboBox
            );
            let named = inner.label().is_some_and(|l| !l.trim().is_empty())
                || inner.value().is_some_and(|v| !v.trim().is_empty())
                || inner.labelled_by().next().is_some();
            if pressable && !named {
                unnamed.push(format!("{:?} at {:?}", inner.role(), node.rect()));
            }
            stack.extend(node.children());
        }
        assert!(unnamed.is_empty(), "{}: {unnamed:#?}", place.text());
    }
}

#[test]
fn a_person_trains_from_the_window_and_uses_the_model() {
    let data = crate::common::labelled_folder(2, 8);
    let out = tempfile::tempdir().unwrap();
    let mut harness = open(Vec::new());
    harness.state_mut().command(Command::Go(Page::Train), 1.0);
    harness.run_steps(3);
    assert!(
        !leukoscope::app::update::availability(harness.state().state(), Command::StartTraining).enabled,
        "there are no data yet"
    );
    harness.get_by_label_contains("A folder with a folder per class, or a CSV").click();
    harness.run_steps(2);
    let mut form = harness.state().state().train.form.clone();
    form.dataset = data.path().to_string_lossy().into_owned();
    form.out = out.path().join("mine.onnx").to_string_lossy().into_owned();
    form.cache = Some(out.path().join("cache"));
    (form.split, form.epochs) = ("60/20/20".into(), 3);
    harness.state_mut().act(leukoscope::app::train::Input::Form(Box::new(form)), 0.0);
    harness.run_steps(2);
    harness.get_by_label("Head only: a new last layer, seconds, for a first look").click();
    harness.run_steps(2);
    harness.get_by_label("Look at the Data").click();
    until(&mut harness, "the plan", |w| w.state().train.plan.is_some() && !w.state().train.busy());
    assert!(
        harness.query_by_label_contains("lookalikes without a declared group").is_some(),
        "how images were grouped is shown"
    );
    harness.get_by_label("Start").click();
    until(&mut harness, "the end", |w| !w.state().train.busy() && w.state().train.outcome.is_some());
    let view = &harness.state().state().train;
    assert_eq!((view.history.len(), view.error.as_deref()), (3, None));
    assert!(harness.query_by_label_contains("Loss: training").is_some(), "the curve says its last values");
    assert!(harness.query_by_label_contains("Test set (used once)").is_some());
    harness.get_by_label("Use This Model").click();
    until(&mut harness, "the new model", |w| w.state().model.card.name == "mine");
    harness.get_by_label("Back to the Model Before").click();
    until(&mut harness, "the model before", |w| w.state().model.card.name != "mine");
}

/// Data that cannot be split: the table stands there all the same, the class that is too small is named, a button does what helps, and
/// no text names an option of the command line.
#[test]
fn what_keeps_data_from_being_split_has_a_button_that_helps() {
    let data = crate::common::labelled_folder(3, 8);
    let class = data.path().join("eosinophil");
    for entry in std::fs::read_dir(&class).unwrap().skip(1) {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let out = tempfile::tempdir().unwrap();
    let mut harness = open(Vec::new());
    harness.state_mut().command(Command::Go(Page::Train), 1.0);
    harness.run_steps(2);
    let mut form = harness.state().state().train.form.clone();
    form.dataset = data.path().to_string_lossy().into_owned();
    form.out = out.path().join("mine.onnx").to_string_lossy().into_owned();
    form.cache = Some(out.path().join("cache"));
    harness.state_mut().act(leukoscope::app::train::Input::Form(Box::new(form)), 0.0);
    harness.run_steps(2);
    harness.get_by_label("Look at the Data").click();
    until(&mut harness, "the plan", |w| w.state().train.plan.is_some() && !w.state().train.busy());
    let options = |h: &Harness<'_, Window>| {
        let mut stack = vec![h.root()];
        let mut found = Vec::new();
        while let Some(node) = stack.pop() {
            let texts = [node.accesskit_node().label(), node.accesskit_node().value()];
            found.extend(texts.into_iter().flatten().filter(|t| t.contains("--")));
            stack.extend(node.children());
        }
        found
    };
    assert_eq!(options(&harness), Vec::<String>::new());
    assert!(harness.query_by_label_contains("eosinophil (images: 1, groups: 1)").is_some());
    assert!(harness.query_by_label_contains("neutrophil").is_some(), "the table stands there");
    assert!(
        !leukoscope::app::update::availability(harness.state().state(), Command::StartTraining).enabled,
        "Start says why instead"
    );
    harness.get_by_label("Leave out eosinophil").click();
    until(&mut harness, "the other plan", |w| {
        !w.state().train.busy() && w.state().train.plan.as_ref().is_some_and(|(_, p)| p.obstacle.is_none())
    });
    assert_eq!(harness.state().state().train.form.leave_out, ["eosinophil"]);
    assert!(leukoscope::app::update::availability(harness.state().state(), Command::StartTraining).enabled);
    assert_eq!(options(&harness), Vec::<String>::new());
}

/// The other model lacks a class of the data: the window asks what to take for it, as it does for the model in use.
#[test]
fn a_comparison_asks_about_labels_that_the_other_model_does_not_know() {
    let data = crate::common::labelled_folder(3, 8);
    let out = tempfile::tempdir().unwrap();
    let model = out.path().join("two.onnx");
    let two = crate::common::labelled_folder(2, 8);
    let trained = crate::common::leukoscope()
        .arg("train")
        .arg(two.path())
        .arg("--out")
        .arg(&model)
        .args(["--recipe", "head", "--epochs", "1"])
        .output()
        .unwrap();
    assert_eq!(trained.status.code(), Some(0), "{}", crate::common::text(&trained.stderr));
    let mut harness = open(Vec::new());
    harness.state_mut().command(Command::Go(Page::Evaluate), 1.0);
    let mut form = harness.state().state().evaluate.form.clone();
    form.dataset = data.path().to_string_lossy().into_owned();
    form.other = model.to_string_lossy().into_owned();
    harness.state_mut().act(leukoscope::app::evaluate::Input::Form(Box::new(form)), 0.0);
    harness.run_steps(2);
    harness.get_by_label("Start Evaluating").click();
    until(&mut harness, "the evaluation", |w| w.state().evaluate.found.is_some() && !w.state().evaluate.pending);
    harness.get_by_label("Compare Models").click();
    until(&mut harness, "the question", |w| w.state().evaluate.unknown.is_some() && !w.state().evaluate.busy);
    assert!(harness.query_by_label("The other model does not know these labels").is_some());
    assert!(
        !leukoscope::app::update::availability(harness.state().state(), Command::CompareModels).enabled,
        "every label needs an answer"
    );
    assert!(
        leukoscope::app::update::availability(harness.state().state(), Command::Evaluate).enabled,
        "the model in use knows them"
    );
    harness.state_mut().act(leukoscope::app::evaluate::Input::Answer(0, None), 0.0);
    harness.run_steps(2);
    harness.get_by_label("Compare Models").click();
    until(&mut harness, "the comparison", |w| w.state().evaluate.compared.is_some());
    // 8 of the 24 have the label that was left out, 16 were the other model's training: nothing is left to judge by, and no p-value.
    let state = harness.state().state();
    let compared = state.evaluate.compared.as_ref().unwrap();
    assert_eq!((compared.pairs[0].n, compared.pairs[0].p), (0, None));
    assert!(harness.query_all_by_label_contains("no comparison, for all 16 cells").next().is_some());
    // The figures of the model in use stay its own.
    assert!(harness.query_by_label_contains("· n 24").is_some());
}

#[test]
fn a_person_evaluates_corrects_a_reference_takes_it_back_and_maps_a_label() {
    let data = crate::common::labelled_folder(3, 5);
    // A wrong reference: a lymphocyte among the neutrophils.
    let one = std::fs::read_dir(data.path().join("lymphocyte")).unwrap().next().unwrap().unwrap().path();
    std::fs::rename(&one, data.path().join("neutrophil/wrong.png")).unwrap();
    let mut harness = open(Vec::new());
    harness.state_mut().command(Command::Go(Page::Evaluate), 1.0);
    harness.run_steps(3);
    assert!(
        !leukoscope::app::update::availability(harness.state().state(), Command::Evaluate).enabled,
        "there are no data yet"
    );
    let mut form = harness.state().state().evaluate.form.clone();
    form.dataset = data.path().to_string_lossy().into_owned();
    harness.state_mut().act(leukoscope::app::evaluate::Input::Form(Box::new(form.clone())), 0.0);
    harness.run_steps(2);
    harness.get_by_label("Start Evaluating").click();
    until(&mut harness, "the evaluation", |w| w.state().evaluate.found.is_some());
    let before = harness.state().state().evaluate.found.as_ref().unwrap().scores.accuracy.value;
    assert!(harness.query_by_label("Confusion matrix").is_some());
    // The number of the matrix, then its image, then a key.
    let label = "reference neutrophil, predicted lymphocyte: 1";
    assert!(harness.query_by_label(label).is_some(), "the drawn lymphocyte is called one");
    harness.get_by_label(label).click();
    harness.run_steps(3);
    assert!(harness.query_by_label_contains("wrong.png, reference neutrophil, predicted lymphocyte").is_some());
    harness.get_by_label_contains("wrong.png, reference neutrophil").click();
    harness.run_steps(2);
    // The key of lymphocytes, as in Review, whatever their place in the model.
    harness.key_press(egui::Key::Num2);
    harness.run_steps(2);
    let view = &harness.state().state().evaluate;
    let found = view.found.as_ref().unwrap();
    assert!(found.corrected() == 1 && found.scores.accuracy.value > before, "the numbers follow at once");
    assert!(harness.query_by_label("reference neutrophil, predicted lymphocyte: 0").is_some());
    until(&mut harness, "the intervals", |w| !w.state().evaluate.pending);
    assert!(harness.state().state().evaluate.found.as_ref().unwrap().scores.accuracy.interval.is_some());
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Z);
    harness.run_steps(2);
    let accuracy = harness.state().state().evaluate.found.as_ref().unwrap().scores.accuracy.value;
    assert!((accuracy - before).abs() < 1e-12, "undone");
    for tab in ["Scores", "Reliability", "ROC", "Precision–recall", "Risk–coverage"] {
        harness.get_by_role_and_label(egui::accesskit::Role::Button, tab).click();
        harness.run_steps(3);
    }
    assert!(harness.query_by_label_contains("a threshold of").is_some());
    // Another model on the same images: here the same one, so nothing differs.
    let models = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let file = std::fs::read_dir(models).unwrap().map(|e| e.unwrap().path());
    form.other = file.into_iter().find(|p| p.extension().is_some_and(|e| e == "onnx")).unwrap().display().to_string();
    harness.state_mut().act(leukoscope::app::evaluate::Input::Form(Box::new(form.clone())), 0.0);
    harness.run_steps(2);
    harness.get_by_label("Compare Models").click();
    until(&mut harness, "the comparison", |w| w.state().evaluate.compared.is_some());
    assert!(harness.query_all_by_label_contains("McNemar").next().is_some());
    let compared = harness.state().state().evaluate.compared.clone().unwrap();
    assert!(compared.pairs[0].difference == Some(0.0) && compared.pairs[0].only_other.is_empty());
    // Another dataset with a label that the model does not know: asked, not guessed.
    std::fs::rename(data.path().join("eosinophil"), data.path().join("pale")).unwrap();
    harness.get_by_label("Start Evaluating").click();
    until(&mut harness, "the question", |w| w.state().evaluate.unknown.is_some());
    assert!(
        !leukoscope::app::update::availability(harness.state().state(), Command::Evaluate).enabled,
        "every label needs an answer"
    );
    harness.get_by_label_contains("pale (5)");
    harness.state_mut().act(leukoscope::app::evaluate::Input::Answer(0, Some(1)), 0.0);
    harness.run_steps(2);
    harness.get_by_label("Start Evaluating").click();
    until(&mut harness, "the second evaluation", |w| {
        w.state().evaluate.found.as_ref().is_some_and(|f| !f.mapped.is_empty()) && !w.state().evaluate.busy
    });
}

/// A technician labels by keys; every label is on the disk, and there again in the next window.
#[test]
fn labels_are_given_by_keys_kept_and_found_again() {
    let (dir, sessions) = (drawn_folder(4), tempfile::tempdir().unwrap());
    let window = || {
        let mut harness = open(Vec::new());
        harness.state_mut().keep_sessions_in(sessions.path().to_owned());
        harness.state_mut().on_event(Event::Chosen(vec![dir.path().to_owned()]), 1.0);
        until(&mut harness, "the rows", |w| w.state().review.job.is_none() && w.state().review.labels.open);
        harness.run_steps(3);
        harness
    };
    let mut harness = window();
    let label = |h: &Harness<'_, Window>, tile: usize| {
        let state = &h.state().state().review;
        (state.verdict(state.tiles[tile]).label.to_owned(), state.verdict(state.tiles[tile]).reviewed)
    };
    let first = label(&harness, 0).0;
    assert_eq!(harness.state().state().review.labels.obstacle(), None);
    // Another class than the model's, by its key; the number of that class goes up.
    let classes = harness.state().state().model.card.classes.labels().to_vec();
    let other = (0..classes.len()).find(|c| classes[*c] != first).unwrap();
    let count = |h: &Harness<'_, Window>, label: &str| h.state().state().review.slides.counts(None).count_of(label).all;
    let before = count(&harness, &classes[other]);
    let key =
        leukoscope::domain::CellClass::find(&classes[other]).and_then(leukoscope::domain::CellClass::key).unwrap();
    harness.key_press(leukoscope::app::command::DIGITS[key]);
    harness.run_steps(2);
    assert_eq!(label(&harness, 0), (classes[other].clone(), Some(false)));
    assert_eq!(count(&harness, &classes[other]), before + 1);
    // Space confirms what is shown, and goes on; two keys within one frame mean what they mean one after the other.
    harness.key_press(egui::Key::ArrowRight);
    harness.key_press(egui::Key::Space);
    harness.run_steps(2);
    assert_eq!(label(&harness, 1).1, Some(true));
    assert_eq!(harness.state().state().review.selected, Some(harness.state().state().review.tiles[2]));
    harness.key_press(egui::Key::Num0);
    harness.run_steps(2);
    assert_eq!(label(&harness, 2), ("unidentified".to_owned(), Some(false)));
    assert_eq!(count(&harness, "unidentified"), 1);
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Z);
    harness.run_steps(2);
    assert_eq!(label(&harness, 2).1, None, "undone");
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Y);
    harness.run_steps(2);
    assert_eq!(label(&harness, 2).1, Some(false), "done again");
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Z);
    until(&mut harness, "the disk", |w| w.state().review.labels.waiting == 0);
    assert!(harness.query_by_label("2 labels saved").is_some());
    // A second window on the same session only reads, and says who has it.
    let second = window();
    assert!(second.state().state().review.labels.obstacle().is_some_and(|why| why.contains("Leukoscope, process")));
    assert_eq!(label(&second, 0).0, classes[other]);
    drop((harness, second));
    let mut third = window();
    assert_eq!(third.state().state().review.labels.obstacle(), None);
    assert_eq!((label(&third, 0), label(&third, 1).1), ((classes[other].clone(), Some(false)), Some(true)));
    assert_eq!(third.state().state().review.slides.counts(None).squares().reviewed, 2);
    third.get_by_label_contains("to review, 2").click();
    third.run_steps(3);
    assert_eq!(third.state().state().review.visible.len(), 2);
}
