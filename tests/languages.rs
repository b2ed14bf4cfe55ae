//! Every text of the window is in the catalogue, in every language, with the same places to fill in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The catalogue's own format: a key, then a text for each language, each a JSON string on its line.
fn catalogue() -> BTreeMap<String, BTreeMap<String, String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/locales/app.yml");
    let text = std::fs::read_to_string(path).unwrap();
    let mut all = BTreeMap::new();
    let mut key = String::new();
    for line in text.lines().filter(|l| !l.starts_with("_version")) {
        match line.strip_prefix("  ") {
            None => {
                key = serde_json::from_str(line.trim_end_matches(':')).unwrap();
                assert!(all.insert(key.clone(), BTreeMap::new()).is_none(), "{key} stands twice");
            }
            Some(entry) => {
                let (language, text) = entry.split_once(": ").unwrap();
                all.get_mut(&key).unwrap().insert(language.to_owned(), serde_json::from_str(text).unwrap());
            }
        }
    }
    all
}

fn places(text: &str) -> BTreeSet<&str> {
    text.split("%{").skip(1).filter_map(|t| t.split_once('}')).map(|(name, _)| name).collect()
}

/// String literals that directly follow `before` in a source.
fn literals(code: &str, before: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(before) {
        let rest = code[at + before.len()..].trim_start();
        let Some(inner) = rest.strip_prefix('"') else { continue };
        let mut end = 0;
        let bytes = inner.as_bytes();
        while bytes[end] != b'"' {
            end += 1 + usize::from(bytes[end] == b'\\');
        }
        found.push(inner[..end].replace("\\\"", "\"").replace("\\n", "\n"));
    }
    found
}

#[test]
fn every_text_has_every_language_and_the_same_places() {
    let all = catalogue();
    for (key, texts) in &all {
        assert_eq!(texts.keys().collect::<Vec<_>>(), ["en", "id"], "{key}");
        for (language, text) in texts {
            assert_eq!(places(text), places(key), "{key} in {language}");
        }
        assert_eq!(&texts["en"], key);
    }
    let mut missing = Vec::new();
    let mut stack = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/app")];
    let mut texts = 0;
    while let Some(folder) = stack.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
            if path.is_dir() {
                stack.push(path);
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap();
            let code = source.split("#[cfg(test)]").next().unwrap().replace("include_str!(", "");
            let code = code.as_str();
            // Texts themselves, and arms that name what is shown through the catalogue.
            for text in [literals(code, "tr!("), literals(code, "look_up(")].concat() {
                texts += 1;
                if !all.contains_key(&text) {
                    missing.push(format!("{}: {text}", path.display()));
                }
            }
        }
    }
    assert!(texts > 300, "the texts were found: {texts}");
    assert!(missing.is_empty(), "{missing:#?}");
    use leukoscope::app::choice::{GallerySort, Page, ThemeChoice};
    use leukoscope::app::command::Command;
    use leukoscope::app::language::Language;
    use leukoscope::workflow::Export;
    use strum::IntoEnumIterator as _;
    let names = Page::iter().flat_map(|p| [p.text(), p.tooltip()]);
    let names =
        names.chain(GallerySort::iter().map(GallerySort::text)).chain(ThemeChoice::iter().map(ThemeChoice::text));
    let names = names.chain(Export::all().flat_map(|e| [e.text(), e.tooltip()]));
    // What a job does is said by the window below which it is named.
    let phases = include_str!("../src/workflow/phase.rs");
    let phases: Vec<&str> = phases.split("=> \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(phases.len() > 10);
    for name in names.chain(phases) {
        assert!(all.contains_key(name), "{name}");
    }
    // Commands and their sentences, as they are spoken.
    let english: Vec<(String, String)> = Command::all().iter().map(|c| (c.text(), c.tooltip())).collect();
    Language::Indonesian.set_current();
    for (command, (text, tooltip)) in Command::all().iter().zip(english) {
        assert_ne!(command.tooltip(), tooltip, "{command:?}");
        let same = ["Label", "Model", "Data", "Log", "UseProvider"];
        assert!(command.text() != text || same.iter().any(|s| format!("{command:?}").contains(s)), "{command:?}");
    }
    Language::English.set_current();
}
