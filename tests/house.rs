//! The law of the house, checked by reading the source: who may name whom.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn sources() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut out = Vec::new();
    let mut stack = vec![root.clone()];
    while let Some(folder) = stack.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                stack.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let inside = path.strip_prefix(&root).unwrap();
                let module = inside.iter().next().unwrap().to_string_lossy().trim_end_matches(".rs").to_owned();
                let text = std::fs::read_to_string(&path).unwrap();
                // Unit tests may reach for what the code may not.
                let code = text.split("#[cfg(test)]").next().unwrap().to_owned();
                out.push((module, inside.to_owned(), code));
            }
        }
    }
    out
}

/// Code without its comments.
fn bare(code: &str) -> String {
    code.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_arrows_point_down() {
    let pure: &[&str] = &[];
    let l1 = &["domain", "task"][..];
    let l2 = &["domain", "task", "files", "imaging", "model", "metrics"][..];
    let l3 = &[
        "domain",
        "task",
        "files",
        "imaging",
        "model",
        "metrics",
        "dataset",
        "inference",
        "session",
        "laboratory",
        "evaluation",
        "report",
    ][..];
    let laboratory = [l2, &["dataset", "session"]].concat();
    let evaluation = [l2, &["dataset", "session"]].concat();
    let report = [l2, &["laboratory", "evaluation"]].concat();
    let l4 = [l3, &["training"]].concat();
    let l5 = [&l4[..], &["workflow"]].concat();
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("domain", pure),
        ("task", pure),
        ("files", l1),
        ("imaging", l1),
        ("model", l1),
        ("metrics", l1),
        ("dataset", l2),
        ("inference", l2),
        ("session", l2),
        ("laboratory", &laboratory),
        ("evaluation", &evaluation),
        ("report", &report),
        ("training", l3),
        ("workflow", &l4),
        ("cli", &l5),
        ("app", &l5),
    ]);
    let mut broken = Vec::new();
    for (module, file, code) in sources() {
        let Some(may) = allowed.get(module.as_str()) else { continue };
        for target in allowed.keys().filter(|t| **t != module && !may.contains(t)) {
            if bare(&code).contains(&format!("crate::{target}")) {
                broken.push(format!("{} names {target}", file.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn each_library_has_one_home() {
    let homes = [
        ("egui::", "app"),
        ("egui_plot::", "app"),
        ("eframe::", "app"),
        ("rfd::", "app"),
        ("ort::", "inference"),
        ("zune_jpeg::", "imaging"),
        ("tiff::", "imaging"),
        ("image::", "imaging"),
        ("prost::", "model"),
        ("clap::", "cli"),
        ("indicatif::", "cli"),
        ("matrixmultiply::", "training"),
        ("burn::", "training"),
        ("bhtsne::", "metrics"),
        ("base64::", "model report"),
        ("resvg::", "report"),
        ("rusqlite::", "session"),
    ];
    let mut broken = Vec::new();
    for (module, file, code) in sources() {
        for (name, home) in homes {
            let used = bare(&code).match_indices(name).any(|(at, _)| {
                let before = bare(&code)[..at].chars().next_back().unwrap_or(' ');
                !before.is_alphanumeric() && before != '_' && before != ':'
            });
            if used && !home.split(' ').any(|h| h == module) {
                broken.push(format!("{} names {name}", file.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Lines of plots are made in one place, which forbids the library's bands.
#[test]
fn lines_of_plots_are_never_bands() {
    let named = |word: &str| -> Vec<String> {
        let all = sources().into_iter().filter(|(_, _, code)| {
            let code = bare(code);
            // `VLine` and `HLine` are other things.
            code.match_indices(word).any(|(at, _)| !code[..at].ends_with(char::is_alphanumeric))
        });
        all.map(|(_, file, _)| file.display().to_string()).collect()
    };
    assert_eq!(named("Line::new("), ["app/widgets/plots.rs"]);
    assert_eq!(named("allow_band(false)"), ["app/widgets/plots.rs"]);
}

#[test]
fn only_files_opens_or_writes_files() {
    // The runtime looks for its own library.
    let excused = [Path::new("inference/runtime.rs")];
    let mut broken = Vec::new();
    for (module, file, code) in sources() {
        let doors = [
            "std::fs::",
            "trash::",
            " File::open",
            "(File::open",
            " File::create",
            "(File::create",
            "OpenOptions",
            "tempfile::",
        ];
        for door in doors.iter().filter(|d| bare(&code).contains(**d)) {
            if module != "files" && !excused.contains(&file.as_path()) {
                broken.push(format!("{} has {door}", file.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_file_says_what_it_is() {
    for (_, file, code) in sources() {
        assert!(code.starts_with("//!"), "{} does not open with a //! paragraph", file.display());
    }
}

#[test]
fn the_top_level_is_the_customers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let known = [
        "Cargo.toml",
        "Cargo.lock",
        "build.rs",
        "src",
        "assets",
        "models",
        "packaging",
        "tests",
        "target",
        "README.md",
        "CHANGELOG.md",
        "LICENSE-MIT",
        "LICENSE-APACHE",
    ];
    for entry in std::fs::read_dir(root).unwrap().map(Result::unwrap) {
        let name = entry.file_name().to_string_lossy().into_owned();
        assert!(name.starts_with('.') || known.contains(&name.as_str()), "{name} is not part of the house");
    }
}
