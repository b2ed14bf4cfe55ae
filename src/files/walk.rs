//! Turns the paths the user named into a list of files, in a fixed order, every trouble an item of the list.
//!
//! Order: the arguments as given; within a folder by name, sub-folders in their place. Links are followed,
//! loops are items with an error. Hidden files and folders are left out of a folder (not when named).

use super::inputs::identity;
use crate::domain::Square;
use std::path::{Path, PathBuf};

/// A file to look at, or a place in the list where one could not be had.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The path as reached from the argument.
    pub path: PathBuf,
    /// Whether the person named this very file; a file found in a folder may turn out not to be an image.
    pub named: bool,
    /// Why it cannot be read, where that is known already (a loop of links, a denied folder, nothing there).
    pub error: Option<String>,
    /// Where the cell is, for a list that says so; else it is searched for.
    pub square: Option<Square>,
}

/// What a walk found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listing {
    /// Files and troubles in order.
    pub entries: Vec<Entry>,
    /// Files that were reached by several of the paths; each is in the list once.
    pub twice: usize,
}

/// Lists the files under `paths`. `stop` is asked now and then; a walk that was stopped returns what it has.
pub fn walk(paths: &[PathBuf], stop: &dyn Fn() -> bool) -> Listing {
    let mut listing = Listing::default();
    for path in paths {
        match std::fs::metadata(path) {
            Ok(meta) if meta.is_dir() => walk_folder(path, stop, &mut listing.entries),
            Ok(_) => listing.entries.push(Entry { path: path.clone(), named: true, error: None, square: None }),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                listing.entries.push(Entry {
                    path: path.clone(),
                    named: true,
                    error: Some("there is no such file or folder".into()),
                    square: None,
                });
            }
            Err(e) => listing.entries.push(Entry {
                path: path.clone(),
                named: true,
                error: Some(format!("cannot be opened: {e}")),
                square: None,
            }),
        }
        if stop() {
            break;
        }
    }
    if paths.len() > 1 {
        let mut seen = std::collections::HashSet::new();
        let before = listing.entries.len();
        // By the real path: a hard link is another name, which is seen later by its content. Who names a link and its file means both.
        listing.entries.retain(|e| {
            let real = std::fs::canonicalize(&e.path).unwrap_or_else(|_| e.path.clone());
            let new = seen.insert(real);
            (e.named && seen.insert(super::absolute(&e.path))) || new
        });
        listing.twice = before - listing.entries.len();
    }
    listing
}

fn walk_folder(root: &Path, stop: &dyn Fn() -> bool, out: &mut Vec<Entry>) {
    let mut walker = walkdir::WalkDir::new(root)
        .follow_links(true)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|e| e.depth() == 0 || !hidden(e.file_name()));
    // Folders that were walked through: a link may lead to one of them, or to a folder above it.
    let mut seen = std::collections::HashSet::new();
    let mut n = 0usize;
    while let Some(item) = walker.next() {
        if n.is_multiple_of(256) && stop() {
            return;
        }
        n += 1;
        match item {
            Ok(e) if e.file_type().is_dir() => {
                if std::fs::metadata(e.path())
                    .ok()
                    .and_then(|m| identity(e.path(), &m))
                    .is_some_and(|id| !seen.insert(id))
                {
                    out.push(Entry {
                        path: e.path().to_owned(),
                        named: false,
                        error: Some(
                            "a folder that is listed already, reached again through a link; not listed twice".into(),
                        ),
                        square: None,
                    });
                    walker.skip_current_dir();
                    continue;
                }
                // A folder called like an image is a mistake worth a word; other folders are walked through.
                if e.depth() > 0 && named_like_image(e.path()) {
                    out.push(Entry {
                        path: e.path().to_owned(),
                        named: false,
                        error: Some("this is a folder, although it is named like an image".into()),
                        square: None,
                    });
                }
            }
            Ok(e) => out.push(Entry { path: e.path().to_owned(), named: false, error: None, square: None }),
            Err(e) => {
                let path = e.path().unwrap_or(root).to_owned();
                let reason = if e.loop_ancestor().is_some() {
                    "a link that leads back to a folder above it; not followed".to_owned()
                } else if e.io_error().is_some_and(|e| e.kind() == std::io::ErrorKind::PermissionDenied) {
                    "no permission to open".to_owned()
                } else if e.io_error().is_some_and(|e| e.kind() == std::io::ErrorKind::NotFound) {
                    "a link to something that is not there, or it vanished while listing".to_owned()
                } else {
                    format!("cannot be listed: {e}")
                };
                out.push(Entry { path, named: false, error: Some(reason), square: None });
            }
        }
    }
}

fn hidden(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

/// Endings of image files that are read here, lower case.
pub const IMAGE_EXTENSIONS: [&str; 7] = ["jpg", "jpeg", "png", "bmp", "tif", "tiff", "webp"];

/// Whether a file's name says that it is an image. Only for wording and for what may be passed over: what a file is,
/// its content says.
pub fn named_like_image(path: &Path) -> bool {
    path.extension().and_then(|e| e.to_str()).is_some_and(|e| IMAGE_EXTENSIONS.contains(&e.to_lowercase().as_str()))
}

/// The part `index` (1-based) of `count` of a listing. Where an entry belongs follows from its own name alone (its path below the root
/// that it was found under), and from nothing else that lies beside it: shards are disjoint and together complete whatever comes into
/// the folder, or goes, between one shard and the next, and the same on every machine.
pub fn shard(listing: Listing, roots: &[PathBuf], index: usize, count: usize) -> Listing {
    let own = |e: &Entry| {
        let below = roots.iter().filter_map(|r| e.path.strip_prefix(r).ok()).min_by_key(|p| p.as_os_str().len());
        let name = match below {
            Some(p) if !p.as_os_str().is_empty() => p,
            // A file that was named itself: where it lies may differ from machine to machine.
            _ => Path::new(e.path.file_name().unwrap_or(e.path.as_os_str())),
        };
        // Separators differ between systems; the parts do not.
        let parts: Vec<_> = name.iter().map(|p| p.to_string_lossy()).collect();
        let digest = super::digest_of(parts.join("/").as_bytes());
        let number = digest.0[..8].iter().fold(0u64, |n, b| n << 8 | u64::from(*b));
        number % (count as u64) == (index - 1) as u64
    };
    Listing { entries: listing.entries.into_iter().filter(own).collect(), twice: listing.twice }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("temp");
        std::fs::create_dir_all(dir.path().join("b/odd.jpg")).expect("mkdir");
        for name in ["c.png", "a.png", "b/z.png", ".hidden.png"] {
            std::fs::write(dir.path().join(name), b"x").expect("write");
        }
        dir
    }

    #[test]
    fn the_order_is_by_name_and_a_folder_named_like_a_image_is_an_item() {
        let dir = tree();
        let listing = walk(&[dir.path().to_owned()], &|| false);
        let names: Vec<_> = listing
            .entries
            .iter()
            .map(|e| (e.path.strip_prefix(dir.path()).expect("below").to_owned(), e.error.is_some()))
            .collect();
        let expected = [("a.png", false), ("b/odd.jpg", true), ("b/z.png", false), ("c.png", false)];
        assert_eq!(names, expected.map(|(n, e)| (PathBuf::from(n), e)));
    }

    #[cfg(unix)]
    #[test]
    fn a_loop_of_links_and_a_dangling_one_are_items() {
        let dir = tree();
        std::os::unix::fs::symlink(dir.path(), dir.path().join("b/loop")).expect("link");
        std::os::unix::fs::symlink("nowhere", dir.path().join("dangling.png")).expect("link");
        let listing = walk(&[dir.path().to_owned()], &|| false);
        let errors: Vec<_> = listing.entries.iter().filter_map(|e| e.error.as_deref()).collect();
        assert_eq!(errors.len(), 3, "{errors:?}");
        assert!(errors.iter().any(|e| e.contains("leads back")));
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_links_lead_to_again_is_listed_once() {
        let dir = tempfile::tempdir().expect("temp");
        let below = dir.path().join("d/sub");
        std::fs::create_dir_all(&below).expect("folder");
        std::fs::write(below.join("1.png"), b"x").expect("write");
        std::fs::write(dir.path().join("d/2.png"), b"x").expect("write");
        // Upward, above what is opened; and to a folder beside.
        std::os::unix::fs::symlink(dir.path().join("d"), below.join("up")).expect("link");
        std::os::unix::fs::symlink(&below, dir.path().join("d/z-link")).expect("link");
        for root in [below, dir.path().join("d")] {
            let listing = walk(&[root], &|| false);
            let fine: Vec<_> = listing.entries.iter().filter(|e| e.error.is_none()).map(|e| &e.path).collect();
            let once: std::collections::BTreeSet<_> = fine.iter().filter_map(|p| p.file_name()).collect();
            assert_eq!((fine.len(), once.len()), (2, 2), "{fine:?}");
            assert!(listing.entries.iter().any(|e| e.error.as_deref().is_some_and(|e| e.contains("not listed twice"))));
        }
    }

    #[test]
    fn what_was_named_and_is_not_there_is_an_item() {
        let listing = walk(&[PathBuf::from("/no/such/thing.png")], &|| false);
        assert!(listing.entries[0].named && listing.entries[0].error.is_some());
    }

    #[test]
    fn a_file_stays_in_its_shard_whatever_lies_beside_it_and_wherever_the_folder_is() {
        let entry = |path: &str| Entry { path: path.into(), named: false, error: None, square: None };
        let part = |root: &str, names: &[&str], i| {
            let entries = names.iter().map(|n| entry(&format!("{root}/{n}"))).collect();
            let listing = shard(Listing { entries, twice: 0 }, &[root.into()], i, 2).entries;
            listing.into_iter().map(|e| e.path.strip_prefix(root).expect("below").to_owned()).collect::<Vec<_>>()
        };
        let names = ["n_0.png", "n_1.png", "n_2.png", "n_3.png", "sub/n_4.png"];
        let more = [&["a_part1.csv"], &names[..]].concat();
        let (first, second) = (part("/a", &names, 1), part("/mnt/other", &more, 2));
        let mut both: Vec<_> =
            first.iter().chain(&second).filter(|p| p.extension().is_some_and(|e| e == "png")).collect();
        both.sort();
        both.dedup();
        assert_eq!((both.len(), first.len() + second.len() >= 5), (5, true));
        assert_eq!(
            part("/a", &names, 2),
            part("/mnt/other", &more, 2).into_iter().filter(|p| !p.ends_with("a_part1.csv")).collect::<Vec<_>>()
        );
    }

    proptest::proptest! {
        #[test]
        fn shards_are_disjoint_and_complete(n in 0usize..50, count in 1usize..9) {
            let all = Listing { entries: (0..n).map(|i| Entry { path: i.to_string().into(), named: false, error: None, square: None }).collect(), twice: 0 };
            let mut seen: Vec<_> = (1..=count).flat_map(|i| shard(all.clone(), &[], i, count).entries).collect();
            seen.sort_by_key(|e| e.path.to_string_lossy().parse::<usize>().unwrap_or(0));
            proptest::prop_assert_eq!(seen, all.entries);
        }
    }
}
