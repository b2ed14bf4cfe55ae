//! Any bytes as a model file, and as the files beside it: a verdict, never a crash. Nothing here runs a network.
#![no_main]

use leukoscope::domain::Digest;
use leukoscope::model::{Answers, Draft, SIDECARS, Sidecar, OnnxFacts, manifest_text, vet, vet_as, vet_graph, with_manifest};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let digest = Digest([0; 32]);
    let _ = vet(bytes, digest);
    let _ = vet_graph(bytes);
    if let Some(text) = manifest_text(bytes) {
        let _ = with_manifest(bytes, &text);
    }
    let sidecars: Vec<Sidecar> = SIDECARS.iter().filter_map(|name| Sidecar::read(name, bytes)).collect();
    if let Ok(stranger) = OnnxFacts::look(bytes, digest) {
        let facts = stranger.facts();
        let mut answers = Answers::default();
        let _ = Draft::new(facts, &sidecars, &answers).questions(facts);
        // Everything answered: what is left must open, or say why not.
        let width = facts.output_heads.first().and_then(|e| e.width).unwrap_or(3).min(1000);
        answers.labels = Some((0..width).map(|i| format!("class {i}")).collect());
        answers.scaling = "unit".parse().ok();
        answers.size = Some(32);
        answers.output = facts.output_heads.first().map(|e| e.name().to_owned());
        let draft = Draft::new(facts, &sidecars, &answers);
        if let Some(manifest) = draft.manifest(facts, "fuzzed") {
            let _ = vet_as(bytes, digest, &manifest);
        }
    }
});
