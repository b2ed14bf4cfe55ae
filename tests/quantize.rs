//! 8-bit copies: held against the original on cells that neither was scaled on, refused where they lose too much.

use crate::common::{labelled_folder, leukoscope, text};
use std::path::Path;

fn quantize(data: &Path, out: &Path, more: &[&str]) -> (i32, String, String) {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/leukoscope-wbc5-128.onnx");
    let done = leukoscope()
        .arg("quantize")
        .arg(&model)
        .arg("--data")
        .arg(data)
        .arg("--out")
        .arg(out)
        .args(more)
        .output()
        .unwrap();
    (done.status.code().unwrap(), text(&done.stdout), text(&done.stderr))
}

#[test]
fn an_8_bit_copy_says_what_it_costs_and_is_refused_beyond_what_is_allowed() {
    let data = labelled_folder(5, 20);
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("fast.onnx");
    // Everything is allowed: the copy is written, smaller, and passes its own self-test.
    let (code, shown, said) = quantize(data.path(), &out, &["--allow", "100"]);
    assert_eq!(code, 0, "{said}");
    assert!(
        shown.contains("held-out cells") && shown.contains("95 % interval") && shown.contains("times as fast"),
        "{shown}"
    );
    let model = leukoscope::workflow::open_model(Some(&out)).unwrap();
    assert!(model.card().name.ends_with("fast (8 bit)") && model.card().self_test.is_some());
    // What it says of itself stays as long as it was: the graph is what is made smaller.
    let said = leukoscope::model::manifest_text(leukoscope::model::embedded_bytes()).unwrap().len();
    assert!((model.bytes().len() - said) * 5 < 2 * (leukoscope::model::embedded_bytes().len() - said));
    let rows = leukoscope().arg("classify").arg(data.path()).arg("--model").arg(&out).output().unwrap();
    assert_eq!(rows.status.code(), Some(0), "{}", text(&rows.stderr));
    // Nothing may be lost, and more than that: refused, and nothing is written.
    let refused = dir.path().join("refused.onnx");
    let (code, shown, said) = quantize(data.path(), &refused, &["--allow=-100"]);
    assert!(code == 2 && said.contains("refused: the copy loses") && !refused.exists(), "{said}");
    assert!(shown.contains("original"), "the figures are shown all the same: {shown}");
    // A copy of a copy is none.
    let again =
        leukoscope().arg("quantize").arg(&out).arg("--data").arg(data.path()).arg("--out").arg(&refused).output();
    let again = again.unwrap();
    assert!(
        again.status.code() == Some(2) && text(&again.stderr).contains("8 bits already"),
        "{}",
        text(&again.stderr)
    );
    // Too few cells to hold it against the original.
    let few = labelled_folder(5, 4);
    let (code, _, said) = quantize(few.path(), &refused, &[]);
    assert!(code == 2 && said.contains("at least 50"), "{said}");
}
