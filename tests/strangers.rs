//! Somebody else's models: each exporter's layout opens with the right contract, or asks exactly what is left; what is answered is
//! kept, and never in their file.

use crate::common::{leukoscope, table, text};
use leukoscope::domain::{ResizeFilter, WholePreprocessing};
use leukoscope::model::{Answers, Crop, Normalization, Question, manifest_text, with_manifest};
use leukoscope::task::{Cancel, Progress};
use leukoscope::workflow::{ModelImport, OpenedModel, look_at_model, probe};
use std::path::{Path, PathBuf};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/strangers")
}

fn whole(crop: Option<f64>) -> Crop {
    Crop::Whole(WholePreprocessing { crop, filter: ResizeFilter::Bilinear })
}

const ALPHABETICAL: [&str; 5] = ["basophil", "eosinophil", "lymphocyte", "monocyte", "neutrophil"];
const BY_TAG: [&str; 5] = ["neutrophil", "lymphocyte", "monocyte", "eosinophil", "basophil"];

/// Six exporters' layouts, and what each was trained through (`tests/fixtures/strangers/make.py`).
fn layouts() -> [(&'static str, bool, Normalization, Crop, [&'static str; 5]); 6] {
    [
        ("torchvision", true, Normalization::IMAGENET, whole(Some(0.875)), ALPHABETICAL),
        ("keras-mobilenet", false, Normalization::SYMMETRIC, whole(None), ALPHABETICAL),
        ("keras-caffe", false, Normalization::CAFFE, whole(None), ALPHABETICAL),
        ("rescaling", false, Normalization::BYTES, whole(None), ALPHABETICAL),
        ("custom-vision", true, Normalization::BYTES_BGR, whole(None), BY_TAG),
        ("teachable-machine", false, Normalization::SYMMETRIC, whole(Some(1.0)), ALPHABETICAL),
    ]
}

/// The model alone, in a folder of its own.
fn alone(name: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("alone.onnx");
    std::fs::copy(fixtures().join(name).join("model.onnx"), &path).unwrap();
    (dir, path)
}

#[test]
fn with_its_sidecars_each_layout_opens_with_the_right_contract_and_no_question() {
    for (name, channels_first, scaling, crop, labels) in layouts() {
        let path = fixtures().join(name).join("model.onnx");
        let OpenedModel::Model(model) = look_at_model(&path).unwrap() else { panic!("{name} asks") };
        let card = model.card();
        assert_eq!(card.classes.labels(), labels, "{name}");
        assert_eq!((card.name.as_str(), card.tensor.size, card.tensor.channels_first), (name, 32, channels_first));
        let found = Normalization { bgr: card.tensor.bgr, mean: card.tensor.mean, std: card.tensor.std };
        assert!(found.near(&scaling), "{name}: {found:?}");
        assert_eq!(card.preprocessing, crop.preprocessing(), "{name}");
        // The contract is the right one because the model is right with it.
        let dir = tempfile::tempdir().unwrap();
        let mut evaluate = leukoscope();
        evaluate.arg("evaluate").arg(fixtures().join("images")).arg("--model").arg(&path).arg("--out").arg(dir.path());
        let out = evaluate.output().unwrap();
        assert!(out.status.success(), "{name}: {}", text(&out.stderr));
        let report = std::fs::read(dir.path().join("report.json")).unwrap();
        let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
        assert!(report["accuracy"].as_f64().unwrap() >= 0.95, "{name}: {}", report["accuracy"]);
    }
}

#[test]
fn alone_each_layout_asks_for_its_labels_and_nothing_else() {
    for (name, ..) in layouts() {
        let (_dir, path) = alone(name);
        let OpenedModel::NeedsInput(import) = look_at_model(&path).unwrap() else { panic!("{name} does not ask") };
        assert_eq!(import.questions(), [Question::Labels(Some(5), None)], "{name}");
        let error = leukoscope::workflow::open_model(Some(&path)).err().map(|e| e.to_string()).unwrap();
        assert!(error.contains("What are its 5 classes called") && !error.contains("values"), "{error}");
    }
}

#[test]
fn alone_with_labelled_images_each_layout_finds_contract_and_labels_by_itself() {
    for (name, _, scaling, crop, labels) in layouts() {
        let (_dir, path) = alone(name);
        let mut import = ModelImport::read(&path).unwrap();
        let found = probe(&import, &fixtures().join("images"), &Cancel::new(), &Progress::default()).unwrap().unwrap();
        let best = &found.tried[found.chosen.expect(&found.why)];
        assert!(best.scaling.near(&scaling), "{name}: {}", found.why);
        assert_eq!(best.crop.word(), crop.word(), "{name}: {}", found.why);
        assert_eq!(best.labels.as_deref(), Some(&labels.map(str::to_owned)[..]), "{name}");
        assert!(best.n == 40 && best.right >= 38, "{name}: {}", found.why);
        import.take(best);
        let model = import.model().unwrap();
        assert!(
            model.card().evidence.iter().any(|e| e.text.contains("labelled images")),
            "{:?}",
            model.card().evidence
        );
    }
}

#[test]
fn figures_overrule_what_is_usual() {
    // What the exporter usually does is wrong here: the model was trained through something else.
    for (name, wrong) in [("keras-caffe", Normalization::SYMMETRIC), ("keras-mobilenet", Normalization::CAFFE)] {
        let (_dir, path) = alone(name);
        let mut import = ModelImport::read(&path).unwrap();
        let labels = Some(ALPHABETICAL.map(str::to_owned).to_vec());
        import.answers = Answers { scaling: Some(wrong), labels, ..Answers::default() };
        let found = probe(&import, &fixtures().join("images"), &Cancel::new(), &Progress::default()).unwrap().unwrap();
        let best = &found.tried[found.chosen.unwrap()];
        let (_, _, right, ..) = layouts().into_iter().find(|l| l.0 == name).unwrap();
        assert!(best.scaling.near(&right), "{name}: {}", found.why);
    }
}

#[test]
fn where_no_figures_speak_for_any_contract_none_is_taken() {
    // Labels that have nothing to do with the images.
    let dir = tempfile::tempdir().unwrap();
    for (i, class) in ALPHABETICAL.iter().enumerate() {
        std::fs::create_dir(dir.path().join(class)).unwrap();
        for (j, of) in ALPHABETICAL.iter().enumerate() {
            let n = 5 * ((i + j) % 8) + j;
            let from = fixtures().join("images").join(of).join(format!("{n:02}.png"));
            std::fs::copy(from, dir.path().join(class).join(format!("{n}.png"))).unwrap();
        }
    }
    let import = ModelImport::read(&fixtures().join("rescaling/model.onnx")).unwrap();
    let found = probe(&import, dir.path(), &Cancel::new(), &Progress::default()).unwrap().unwrap();
    assert_eq!(found.chosen, None, "{}", found.why);
    assert!(found.why.contains("none works"), "{}", found.why);
}

#[test]
fn an_answer_is_kept_beside_the_program_and_a_copy_needs_none() {
    let home = tempfile::tempdir().unwrap();
    let (dir, path) = alone("torchvision");
    let before = std::fs::read(&path).unwrap();
    let run = |arguments: &[&str]| {
        let out = leukoscope().env("XDG_DATA_HOME", home.path()).args(arguments).output().unwrap();
        (out.status.code().unwrap(), text(&out.stdout), text(&out.stderr))
    };
    let model = path.to_str().unwrap();
    let images = fixtures().join("images");
    let images = images.to_str().unwrap();
    let (code, _, said) = run(&["classify", images, "--model", model]);
    assert_eq!(code, 2);
    assert!(said.contains("What are its 5 classes called"), "{said}");
    let (code, _, said) = run(&["adopt", model]);
    assert!(code == 2 && said.contains("--labels"), "{said}");
    // Two of its classes count as one here.
    let labels = "Baso,Eos,LY,MO,Segmented neutrophil";
    let (code, card, said) =
        run(&["adopt", model, "--labels", labels, "--map", "Eos=granulocyte", "--map", "Baso=granulocyte"]);
    assert_eq!(code, 0, "{said}");
    assert!(card.contains("granulocyte, lymphocyte, monocyte, neutrophil"), "{card}");
    assert!(card.contains("Segmented neutrophil as neutrophil") && card.contains("as you said"), "{card}");
    let out =
        leukoscope().env("XDG_DATA_HOME", home.path()).args(["classify", images, "--model", model]).output().unwrap();
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    assert!(text(&out.stderr).contains("assumed"), "what stands nowhere is said: {}", text(&out.stderr));
    let rows = table(&out.stdout);
    assert_eq!(rows.len(), 40);
    let right = rows.iter().filter(|r| {
        let of = Path::new(&r["path"]).parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        let of = if matches!(of.as_str(), "eosinophil" | "basophil") { "granulocyte".to_owned() } else { of };
        r["label"] == of
    });
    assert!(right.count() >= 38);
    let sums = rows
        .iter()
        .map(|r| r.iter().filter(|(k, _)| k.starts_with("p_")).map(|(_, v)| v.parse::<f64>().unwrap()).sum::<f64>());
    assert!(sums.into_iter().all(|s| (s - 1.0).abs() < 1e-3));
    // The copy says everything itself, in another home; the original is as it was.
    let copy = dir.path().join("ours.onnx");
    let (code, _, said) = run(&[
        "adopt",
        model,
        "--labels",
        labels,
        "--scaling",
        "imagenet",
        "--out",
        copy.to_str().unwrap(),
        "--name",
        "their net",
    ]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(std::fs::read(&path).unwrap(), before, "their file is never changed");
    let out = leukoscope().args(["inspect", copy.to_str().unwrap()]).output().unwrap();
    assert!(out.status.success() && text(&out.stdout).contains("their net"), "{}", text(&out.stderr));
    // A copy whose self-test does not hold is refused.
    let told = |bytes: &[u8]| text(bytes).contains("self-test");
    let ours = std::fs::read(&copy).unwrap();
    let mut manifest: serde_json::Value = serde_json::from_str(&manifest_text(&ours).unwrap()).unwrap();
    manifest["self_test"]["logits"] = serde_json::json!([0.0, -1.0, -2.0, -3.0, -4.0]);
    let broken = with_manifest(&ours, &manifest.to_string()).unwrap();
    let bad = dir.path().join("bad.onnx");
    std::fs::write(&bad, broken).unwrap();
    let out = leukoscope().args(["classify", images, "--model", bad.to_str().unwrap()]).output().unwrap();
    assert!(out.status.code() == Some(2) && told(&out.stderr), "{}", text(&out.stderr));
    assert_eq!(run(&["adopt", model, "--forget"]).0, 0);
    assert_eq!(run(&["classify", images, "--model", model]).0, 2, "forgotten");
}

#[test]
fn labelled_images_are_tried_from_the_command_line() {
    let home = tempfile::tempdir().unwrap();
    let (_dir, path) = alone("custom-vision");
    let run = |arguments: &[&str]| leukoscope().env("XDG_DATA_HOME", home.path()).args(arguments).output().unwrap();
    let images = fixtures().join("images");
    let out = run(&["adopt", path.to_str().unwrap(), "--data", images.to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let shown = text(&out.stdout);
    assert!(shown.contains("bytes-bgr") && shown.contains("95 % interval"), "{shown}");
    assert!(
        shown.contains("outputs, as they answered: neutrophil, lymphocyte, monocyte, eosinophil, basophil"),
        "{shown}"
    );
    let few = crate::common::labelled_folder(5, 2);
    let out = run(&["adopt", path.to_str().unwrap(), "--data", few.path().to_str().unwrap()]);
    assert!(out.status.code() == Some(2) && text(&out.stderr).contains("needs 20"), "{}", text(&out.stderr));
}

/// `tests/fixtures/hostile/make.py` makes them, and says which words each refusal has.
#[test]
fn every_hostile_file_is_refused_for_its_own_reason_before_the_runtime_sees_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/hostile");
    let expected = std::fs::read_to_string(folder.join("expected.tsv")).unwrap();
    let mut wrong = Vec::new();
    for (file, words) in expected.lines().filter_map(|l| l.split_once('\t')) {
        let said = leukoscope::workflow::open_model(Some(&folder.join(file))).err().map(|e| e.to_string());
        if !said.as_deref().is_some_and(|s| s.contains(words)) {
            wrong.push(format!("{file}: wanted \"{words}\", was {said:?}"));
        }
    }
    assert!(expected.lines().count() >= 30 && wrong.is_empty(), "{wrong:#?}");
    let out = leukoscope().arg("inspect").arg(folder.join("bomb-tile.onnx")).output().unwrap();
    assert!(out.status.code() == Some(2) && text(&out.stderr).contains("Tile"), "{}", text(&out.stderr));
}

#[test]
fn models_are_installed_renamed_made_default_and_put_into_the_trash() {
    let home = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = leukoscope();
        command.env("XDG_DATA_HOME", home.path().join("data")).env("XDG_CONFIG_HOME", home.path().join("config"));
        let out = command.args(arguments).output().unwrap();
        (out.status.code().unwrap(), text(&out.stdout), text(&out.stderr))
    };
    let source = fixtures().join("rescaling/model.onnx");
    // Somebody else's model without a manifest is installed as it opens: with what lies beside it, as a copy of our own kind.
    let copy = home.path().join("ours.onnx");
    assert_eq!(run(&["adopt", source.to_str().unwrap(), "--out", copy.to_str().unwrap(), "--name", "their net"]).0, 0);
    let (code, list, said) = run(&["models", "--install", copy.to_str().unwrap()]);
    assert!(code == 0 && list.lines().count() == 2, "{list}{said}");
    assert!(
        list.contains("* leukoscope-wbc5-128") && list.contains("their net") && list.contains("self-test passed"),
        "{list}"
    );
    assert_eq!(
        run(&["models", "--install", copy.to_str().unwrap()]).1.lines().count(),
        2,
        "the same one is not installed twice"
    );
    let file = list.lines().nth(1).unwrap().rsplit('\t').next().unwrap().to_owned();
    let before = std::fs::read(&file).unwrap();
    let (_, list, said) = run(&["models", "--rename", &format!("{file}=night shift"), "--default", &file]);
    assert!(list.contains("* night shift") && !list.contains("* leukoscope"), "{list}{said}");
    assert_eq!(std::fs::read(&file).unwrap(), before, "a name changes no file");
    let (code, _, said) = run(&["models", "--remove", copy.to_str().unwrap()]);
    assert!(code == 2 && said.contains("not an installed model") && copy.exists(), "{said}");
    let (code, list, said) = run(&["models", "--remove", &file]);
    assert!(code == 0 && list.contains("* leukoscope-wbc5-128") && list.lines().count() == 1, "{list}{said}");
    // Out of the folder, and not gone: the system's trash has it.
    let trashed = walk(home.path())
        .into_iter()
        .any(|p| p.components().any(|c| c.as_os_str() == "Trash") && std::fs::read(&p).is_ok_and(|b| b == before));
    assert!(!Path::new(&file).exists() && (trashed || said.contains("in the trash")), "{said}");
    // What its sidecars said is kept with it.
    let (_, list, said) = run(&["models", "--install", source.to_str().unwrap()]);
    assert!(list.lines().count() == 2 && list.contains("rescaling") && !list.contains("FAILED"), "{list}{said}");
    // A damaged one says so, and the others are listed all the same.
    std::fs::write(home.path().join("data/leukoscope/models/broken.onnx"), &before[..300]).unwrap();
    let (code, list, _) = run(&["models"]);
    assert!(code == 1 && list.contains("FAILED") && list.contains("leukoscope-wbc5-128"), "{list}");
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { all.extend(walk(&path)) } else { all.push(path) }
    }
    all
}
