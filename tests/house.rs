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
        ("egui_commonmark::", "app"),
        ("strum::", "app workflow"),
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
        ("maud::", "report"),
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
        "clippy.toml",
    ];
    for entry in std::fs::read_dir(root).unwrap().map(Result::unwrap) {
        let name = entry.file_name().to_string_lossy().into_owned();
        assert!(name.starts_with('.') || known.contains(&name.as_str()), "{name} is not part of the house");
    }
}

/// The names that a file takes from others: every path in it that begins with `crate`, `super` or `self`, as segments from the root.
#[derive(Default)]
struct Named {
    module: Vec<String>,
    paths: Vec<Vec<String>>,
}

impl Named {
    fn push(&mut self, path: Vec<String>) {
        let (mut at, mut rest) = match path.first().map(String::as_str) {
            Some("crate") => (Vec::new(), &path[1..]),
            Some("self") => (self.module.clone(), &path[1..]),
            Some("super") => (self.module.clone(), &path[..]),
            _ => return,
        };
        while rest.first().is_some_and(|s| s == "super") {
            at.pop();
            rest = &rest[1..];
        }
        at.extend(rest.iter().cloned());
        self.paths.push(at);
    }

    fn tree(&mut self, before: &[String], tree: &syn::UseTree) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(p) => self.tree(&with(&p.ident), &p.tree),
            syn::UseTree::Name(n) => self.push(with(&n.ident)),
            syn::UseTree::Rename(r) => self.push(with(&r.ident)),
            syn::UseTree::Glob(_) => self.push(before.to_vec()),
            syn::UseTree::Group(g) => g.items.iter().for_each(|t| self.tree(before, t)),
        }
    }
}

impl<'ast> syn::visit::Visit<'ast> for Named {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.push(path.segments.iter().map(|s| s.ident.to_string()).collect());
        syn::visit::visit_path(self, path);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        // Unit tests may reach for what the code may not.
        if item.ident != "tests" {
            syn::visit::visit_item_mod(self, item);
        }
    }
}

/// Each file as a module path, and the files that it takes names from, through the re-exports of folders.
fn imports() -> BTreeMap<Vec<String>, std::collections::BTreeSet<Vec<String>>> {
    use syn::visit::Visit as _;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut named: BTreeMap<Vec<String>, Named> = BTreeMap::new();
    for (_, file, _) in sources() {
        let mut module: Vec<String> =
            file.with_extension("").iter().map(|s| s.to_string_lossy().into_owned()).collect();
        if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
            module.pop();
        }
        let text = std::fs::read_to_string(root.join(&file)).unwrap();
        let mut found = Named { module: module.clone(), paths: Vec::new() };
        found.visit_file(&syn::parse_file(&text).unwrap());
        named.entry(module).or_default().paths.extend(found.paths);
    }
    let modules: Vec<Vec<String>> = named.keys().cloned().collect();
    let is_folder = |m: &[String]| modules.iter().any(|o| o.len() > m.len() && o.starts_with(m));
    // What a folder's own file hands on: from which file each name is.
    let mut handed: BTreeMap<(Vec<String>, String), Vec<String>> = BTreeMap::new();
    for (module, found) in named.iter().filter(|(m, _)| is_folder(m)) {
        for path in found.paths.iter().filter(|p| p.len() > module.len() && p.starts_with(module)) {
            if let Some(name) = path.last() {
                handed.insert((module.clone(), name.clone()), path[..path.len() - 1].to_vec());
            }
        }
        // `pub use child::Name` without `self`.
        let own = root.join(module.iter().collect::<PathBuf>()).join("mod.rs");
        let Ok(text) = std::fs::read_to_string(own) else { continue };
        for item in syn::parse_file(&text).unwrap().items {
            if let syn::Item::Use(item) = item {
                let mut relative = Named::default();
                relative.tree(&["crate".to_owned()], &item.tree);
                for path in relative.paths.iter().filter(|p| p.len() > 1) {
                    let child: Vec<String> = [&module[..], &path[..path.len() - 1]].concat();
                    handed.insert((module.clone(), path[path.len() - 1].clone()), child);
                }
            }
        }
    }
    let mut out: BTreeMap<Vec<String>, std::collections::BTreeSet<Vec<String>>> = BTreeMap::new();
    for (module, found) in named.iter().filter(|(m, _)| !is_folder(m)) {
        let own = out.entry(module.clone()).or_default();
        for path in &found.paths {
            let mut path = path.clone();
            for _ in 0..4 {
                let Some(at) = (0..=path.len()).rev().find(|n| named.contains_key(&path[..*n])) else { break };
                let there = path[..at].to_vec();
                match path.get(at).and_then(|name| handed.get(&(there.clone(), name.clone()))) {
                    Some(child) if is_folder(&there) => path = [&child[..], &path[at..]].concat(),
                    _ => {
                        if !is_folder(&there) && there != *module {
                            own.insert(there);
                        }
                        break;
                    }
                }
            }
        }
    }
    out
}

#[test]
fn no_file_comes_back_to_itself() {
    let imports = imports();
    assert!(imports.values().map(std::collections::BTreeSet::len).sum::<usize>() > 500, "the imports were found");
    // Takes away what imports nothing that is left: what remains is in a circle, or above one.
    let mut left = imports.clone();
    loop {
        let free: Vec<Vec<String>> =
            left.iter().filter(|(_, to)| !to.iter().any(|t| left.contains_key(t))).map(|(m, _)| m.clone()).collect();
        if free.is_empty() {
            break;
        }
        free.iter().for_each(|m| drop(left.remove(m)));
    }
    // And what nothing that is left imports is only above one.
    loop {
        let above: Vec<Vec<String>> =
            left.keys().filter(|m| !left.values().any(|to| to.contains(*m))).cloned().collect();
        if above.is_empty() {
            break;
        }
        above.iter().for_each(|m| drop(left.remove(m)));
    }
    let circle: Vec<String> = left.keys().map(|m| m.join("/")).collect();
    assert!(circle.is_empty(), "{circle:#?}");
}

/// Pages know what all of them stand on, and not each other; what is around them knows no page.
#[test]
fn no_page_of_the_window_imports_another() {
    const PAGES: [&str; 4] = ["review", "evaluate", "train", "models"];
    let mut broken = Vec::new();
    for (from, to) in imports() {
        let room = |m: &[String]| (m.first().is_some_and(|a| a == "app")).then(|| m.get(1).cloned()).flatten();
        let Some(own) = room(&from) else { continue };
        let below =
            ["shell", "widgets", "theme", "jobs", "command", "choice", "in_use", "keys", "language", "textures"];
        for other in to.iter().filter_map(|t| room(t)).filter(|o| *o != own && PAGES.contains(&o.as_str())) {
            if PAGES.contains(&own.as_str()) || below.contains(&own.as_str()) {
                broken.push(format!("{} names {other}", from.join("/")));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// A file past 600 lines is asking to be two; each of these has its reason.
#[test]
fn no_file_is_longer_than_it_should_be() {
    let excused = [
        ("domain/catalogue.rs", "a table: the classes, their spellings and codes"),
        ("model/onnx.rs", "generated: the schema of ONNX"),
        ("app/evaluate/state.rs", "what the page knows and its tests"),
        ("app/train/page.rs", "one form and two plots"),
        ("cli/args.rs", "a table: every option with its words"),
    ];
    let mut long = Vec::new();
    for (_, file, _) in sources() {
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(&file)).unwrap();
        let (lines, name) = (text.lines().count(), file.display().to_string());
        if lines > 600 && !excused.iter().any(|(f, _)| *f == name) {
            long.push(format!("{name}: {lines} lines"));
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

/// The window writes shares as its language does, by the one rounding rule; what stands in the environment is asked at the edges.
#[test]
fn shares_and_the_environment_have_one_way_in() {
    let edges = ["main.rs", "cli", "files", "inference/runtime.rs", "workflow/measure.rs"];
    let mut broken = Vec::new();
    for (module, file, code) in sources() {
        let code = bare(&code);
        if module == "app" && (0..4).any(|n| code.contains(&format!(".{n}}} %"))) {
            broken.push(format!("{} writes a share by itself", file.display()));
        }
        let asks = ["std::env::var", "std::env::args", "std::env::set_var"].iter().any(|w| code.contains(w));
        if asks && !edges.iter().any(|e| file.starts_with(e)) {
            broken.push(format!("{} asks the environment", file.display()));
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// A function past 80 lines is asking to be several; each of these has its reason. The source is formatted: a function ends with the brace
/// that stands below its `fn`.
#[test]
fn no_function_is_longer_than_it_should_be() {
    let excused = [("app/command.rs", "row", "a table: the commands")];
    let mut long = Vec::new();
    for (_, file, code) in sources() {
        let lines: Vec<&str> = code.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let bare = line.trim_start();
            let indent = &line[..line.len() - bare.len()];
            let head = bare.split('(').next().unwrap_or("");
            let Some(name) = head.split_once("fn ").filter(|(before, _)| !before.contains("//")).map(|(_, name)| name)
            else {
                continue;
            };
            if line.ends_with('}') || line.ends_with(';') {
                continue;
            }
            let name = name.split('<').next().unwrap_or(name);
            let end = format!("{indent}}}");
            let length = lines[at..].iter().position(|l| *l == end).map_or(0, |n| n + 1);
            let file = file.display().to_string();
            if length > 80 && !excused.iter().any(|(f, n, _)| *f == file && *n == name) {
                long.push(format!("{file}: {name}, {length} lines"));
            }
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

/// The map names every file, and nothing that is not there.
#[test]
fn the_map_of_the_source_is_of_this_source() {
    let sources = sources();
    let map = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/README.md")).unwrap();
    let names: std::collections::BTreeSet<&str> =
        map.split('`').skip(1).step_by(2).filter(|n| !n.contains(char::is_whitespace)).collect();
    let code: String = sources.iter().map(|(_, _, code)| code.as_str()).collect();
    let words: std::collections::BTreeSet<&str> = code.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let missing: Vec<&&str> = names
        .iter()
        .filter(|name| {
            let word = |w: &str| w.chars().next().is_some_and(char::is_uppercase) && w.chars().any(char::is_lowercase);
            let file = name.ends_with(".rs")
                && !sources.iter().any(|(_, p, _)| p.ends_with(name))
                && !name.starts_with("tests/");
            file || name
                .split("::")
                .filter(|w| word(w))
                .any(|w| w.chars().all(char::is_alphanumeric) && !words.contains(w))
        })
        .collect();
    assert!(missing.is_empty(), "src/README.md names what is not there: {missing:?}");
    // The pages' own parts are named once for all of them.
    let unnamed: Vec<String> = sources
        .iter()
        .map(|(_, path, _)| path)
        .filter(|p| !p.components().any(|c| c.as_os_str() == "app" || c.as_os_str() == "cli"))
        .filter(|p| !p.ends_with("mod.rs") && !names.iter().any(|n| p.ends_with(n)))
        .map(|p| p.display().to_string())
        .collect();
    assert!(unnamed.is_empty(), "src/README.md does not name {unnamed:?}");
}
