//! From a folder per class, or a CSV with `path,label[,group][,split][,source]`, to a list of labelled files.
//!
//! Labels that are one class by the catalogue (case, plural, hyphen, synonym) are one, and that is said. No image is
//! opened here.

use super::split::SplitPart;
use super::table::{MAX_TABLE, Table, table_text};
use crate::domain::{Square, canonical_label, label_fault, label_key, same_label};
use crate::files::{Entry, ReadError, display_path, named_like_image, read_bounded, walk};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// One labelled file.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The file.
    pub path: PathBuf,
    /// Its path below the dataset, with `/`, for file-name patterns and tables.
    pub name: String,
    /// Position of its label in [`Scanned::labels`].
    pub class: usize,
    /// The CSV's group, where it has that column.
    pub group: Option<String>,
    /// The laboratory that it comes from: the CSV's source, where it has that column.
    pub source: Option<String>,
    /// The CSV's part, where it has that column.
    pub part: Option<SplitPart>,
    /// Why it cannot be read, where the listing knows already.
    pub error: Option<String>,
    /// Where the cell is, where the CSV has the columns `x,y,side`; else it is searched for.
    pub square: Option<Square>,
}

impl Item {
    /// Whether it comes from a laboratory, however that is spelt.
    pub fn is_of(&self, source: &str) -> bool {
        self.source.as_deref().is_some_and(|own| same_label(own, source))
    }
}

/// What a dataset holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scanned {
    /// Labels in alphabetical order.
    pub labels: Vec<String>,
    /// The files in order.
    pub items: Vec<Item>,
    /// Things to know: labels that were brought together, rows that were left out.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatasetError {
    /// Nothing there.
    #[error("there is no folder or CSV file {0}")]
    Missing(String),
    /// Nothing in it.
    #[error(
        "{0} holds no labelled images. A dataset is a folder with a folder per class, or a CSV with the columns path,label[,group][,split]"
    )]
    Empty(String),
    #[error("the images in {0} lie beside each other without a folder per class: {1}")]
    NoClasses(String, String),
    /// A CSV that is not understood.
    #[error("{0}: {1}")]
    Csv(String, String),
}

/// Lists a dataset. What was stopped lists nothing.
///
/// # Errors
/// [`DatasetError`], in words for the user.
pub fn scan(path: &Path, stop: &dyn Fn() -> bool) -> Result<Scanned, DatasetError> {
    let shown = display_path(path);
    let listing = walk(&[path.to_owned()], stop);
    if stop() {
        return Ok(Scanned::default());
    }
    let rows = match &listing.entries[..] {
        [one] if one.named && one.error.is_some() => return Err(DatasetError::Missing(shown)),
        [one] if one.named => from_csv(path, &shown)?,
        entries => from_folder(path, &shown, entries)?,
    };
    if rows.is_empty() {
        return Err(DatasetError::Empty(shown));
    }
    let mut notes = Vec::new();
    let (labels, classes) = unify(&rows, &mut notes);
    let items = rows
        .into_iter()
        .zip(classes)
        .map(|(r, class)| Item {
            class,
            path: r.path,
            name: r.name,
            group: r.group,
            source: r.source,
            part: r.part,
            error: r.error,
            square: r.square,
        })
        .collect();
    Ok(Scanned { labels, items, notes })
}

struct Row {
    path: PathBuf,
    name: String,
    label: String,
    group: Option<String>,
    source: Option<String>,
    part: Option<SplitPart>,
    error: Option<String>,
    square: Option<Square>,
}

fn from_folder(root: &Path, shown: &str, entries: &[Entry]) -> Result<Vec<Row>, DatasetError> {
    let mut rows = Vec::new();
    let mut loose = 0;
    for entry in entries {
        // Files that are not called like images (notes, tables) are nobody's images.
        if entry.error.is_none() && !named_like_image(&entry.path) {
            continue;
        }
        let inside = entry.path.strip_prefix(root).unwrap_or(&entry.path);
        let parts: Vec<String> = inside.iter().map(|p| display_path(Path::new(p))).collect();
        match &parts[..] {
            [label, .., _] => rows.push(Row {
                path: entry.path.clone(),
                name: parts.join("/"),
                label: label.clone(),
                group: None,
                source: None,
                part: None,
                error: entry.error.clone(),
                square: None,
            }),
            _ => loose += 1,
        }
    }
    if rows.is_empty() && loose > 0 {
        let what = format!("{loose} images, no class folders. Put each class into a folder of its own, or give a CSV");
        return Err(DatasetError::NoClasses(shown.into(), what));
    }
    Ok(rows)
}

fn from_csv(path: &Path, shown: &str) -> Result<Vec<Row>, DatasetError> {
    let bad = |what: String| DatasetError::Csv(shown.to_owned(), what);
    let bytes = read_bounded(path, MAX_TABLE).map_err(|e: ReadError| bad(e.to_string()))?.bytes;
    let (text, separator) = table_text(&bytes).map_err(|e| bad(e.to_string()))?;
    let mut table = Table::new(&text, separator).map_err(|e| bad(e.to_string()))?;
    let (Some(at_path), Some(at_label)) = (table.column("path"), table.column("label")) else {
        return Err(bad(format!("the first line must name the columns path and label; it names {}", table.named())));
    };
    let (at_group, at_split, at_source) = (table.column("group"), table.column("split"), table.column("source"));
    let base = path.parent().unwrap_or(Path::new("."));
    let mut rows = Vec::new();
    let mut line = 1;
    while let Some(record) = table.next_row() {
        line += 1;
        let record = record.map_err(|e| bad(format!("line {line}: {e}")))?;
        let field = |at: Option<usize>| at.and_then(|a| record.get(a)).filter(|v| !v.is_empty());
        let name = field(Some(at_path)).ok_or_else(|| bad(format!("line {line} has no path")))?;
        let label = field(Some(at_label)).ok_or_else(|| bad(format!("line {line} ({name}) has no label")))?;
        if let Some(fault) = label_fault(label) {
            return Err(bad(format!("line {line}: {fault}")));
        }
        let part = match field(at_split) {
            None => None,
            Some(word) => Some(
                SplitPart::from_word(word)
                    .ok_or_else(|| bad(format!("line {line}: \"{word}\" is no part; use train, validation or test")))?,
            ),
        };
        let source = field(at_source);
        if let Some(fault) = source.and_then(label_fault) {
            return Err(bad(format!("line {line}: its source cannot be read: {fault}")));
        }
        let square = table.square(&record).map_err(|e| bad(format!("line {line}: {e}")))?;
        rows.push(Row {
            path: base.join(name),
            name: name.replace('\\', "/"),
            label: label.to_owned(),
            group: field(at_group).map(ToOwned::to_owned),
            source: source.map(ToOwned::to_owned),
            part,
            error: None,
            square,
        });
    }
    Ok(rows)
}

/// One label for all spellings of one class: the catalogue's for a class of cells that it knows, else the most frequent
/// one (the alphabetically first on a tie). All labels in order, and the position among them of each row's.
fn unify(rows: &[Row], notes: &mut Vec<String>) -> (Vec<String>, Vec<usize>) {
    let mut spellings: BTreeMap<String, BTreeMap<&str, usize>> = BTreeMap::new();
    for row in rows {
        *spellings.entry(label_key(&row.label)).or_default().entry(&row.label).or_default() += 1;
    }
    let mut labels: Vec<(String, String)> = Vec::with_capacity(spellings.len());
    for (key, counts) in spellings {
        let most = counts.iter().max_by_key(|(label, n)| (**n, std::cmp::Reverse(**label)));
        let label = most.map_or_else(|| key.clone(), |(label, _)| canonical_label(label));
        let all: Vec<String> = counts.iter().map(|(l, n)| format!("\"{l}\" ({n})")).collect();
        match &all[..] {
            [_] if !counts.contains_key(label.as_str()) => notes.push(format!("{} is read as \"{label}\"", all[0])),
            [_] => {}
            _ => notes.push(format!("{} are one class: \"{label}\"", all.join(", "))),
        }
        labels.push((label, key));
    }
    labels.sort();
    let at: HashMap<&str, usize> = labels.iter().enumerate().map(|(i, (_, key))| (key.as_str(), i)).collect();
    let classes = rows.iter().map(|row| at[label_key(&row.label).as_str()]).collect();
    (labels.into_iter().map(|(label, _)| label).collect(), classes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csv(text: &str) -> Result<Scanned, DatasetError> {
        let dir = tempfile::tempdir().expect("temp");
        let path = dir.path().join("d.csv");
        std::fs::write(&path, text).expect("write");
        scan(&path, &|| false)
    }

    #[test]
    fn a_csv_keeps_its_groups_and_parts() {
        let s =
            csv("\u{feff}path,label,group,split,source\na/1.png,Neutrophil,g1,train,north\nb.png,basophil,,test,\n")
                .expect("reads");
        assert_eq!(s.labels, ["basophil", "neutrophil"]);
        assert_eq!(
            (s.items[0].group.as_deref(), s.items[0].part, s.items[0].class),
            (Some("g1"), Some(SplitPart::Train), 1)
        );
        assert_eq!((s.items[1].group.as_deref(), s.items[1].part), (None, Some(SplitPart::Test)));
        assert_eq!((s.items[0].source.as_deref(), &s.items[1].source), (Some("north"), &None));
    }

    #[test]
    fn a_csv_may_say_where_its_cells_are() {
        let s = csv("path,label,x,y,side\na.png,m,-1.5,20,80\na.png,m,100,20,80\nb.png,m,,,\n").expect("reads");
        let squares: Vec<_> = s.items.iter().map(|i| i.square.map(|s| s.x)).collect();
        assert_eq!(squares, [Some(-1.5), Some(100.0), None]);
        assert!(csv("path,label,x,y,side\na.png,m,1,2,zero\n").expect_err("square").to_string().contains("line 2"));
        assert!(csv("path,label,x,y,side\na.png,m,1,2,\n").expect_err("half").to_string().contains("belong together"));
        assert!(csv("path,label,x,y\na.png,m,1,2\n").expect_err("no side").to_string().contains("only some"));
        assert!(csv("path,label,x,y,side\na.png,m,\"10,5\",2,4\n").expect_err("comma").to_string().contains("line 2"));
        let long = format!("path,label\na.png,{}\n", "x".repeat(100_000));
        assert!(csv(&long).expect_err("long").to_string().len() < 300);
        assert_eq!(csv("path;label\na.png;m\n").expect("semicolons").labels, ["m"]);
        assert!(csv("path,label,x,y,side\na.png,m,1,2,-4\n").expect_err("square").to_string().contains("is none"));
    }

    #[test]
    fn labels_that_differ_only_by_case_or_space_are_one_and_it_is_said() {
        let s =
            csv("path,label\n1.png,Eosinophil\n2.png,eosinophil\n3.png,\"eosinophil \"\n4.png,mono\n").expect("reads");
        assert_eq!(s.labels, ["eosinophil", "monocyte"]);
        assert!(s.notes[0].contains("one class"), "{:?}", s.notes);
    }

    #[test]
    fn what_is_no_dataset_is_said_in_words() {
        assert!(csv("file,class\n1.png,a\n").expect_err("columns").to_string().contains("path and label"));
        assert!(csv("path,label\n1.png,\n").expect_err("label").to_string().contains("line 2"));
        assert!(csv("path,label,split\n1.png,a,holdout\n").expect_err("part").to_string().contains("holdout"));
        assert!(matches!(csv("path,label\n"), Err(DatasetError::Empty(_))));
        let dir = tempfile::tempdir().expect("temp");
        assert!(matches!(scan(&dir.path().join("x"), &|| false), Err(DatasetError::Missing(_))));
        assert_eq!(scan(dir.path(), &|| true), Ok(Scanned::default()), "stopped is not empty");
        assert!(matches!(scan(dir.path(), &|| false), Err(DatasetError::Empty(_))));
        std::fs::write(dir.path().join("1.png"), b"x").expect("write");
        assert!(matches!(scan(dir.path(), &|| false), Err(DatasetError::NoClasses(..))));
    }
}
