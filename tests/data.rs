//! What the program promises on real images. The bounds are the and the starter model's own figures.

use crate::common::real_images;
use leukoscope::domain::Outcome;
use leukoscope::imaging::{Limits, decode, find_cells};
use leukoscope::inference::Cells;
use leukoscope::workflow::{Request, Told, classify, default_model};
use std::collections::BTreeMap;
use std::path::Path;

/// Share of images whose folder's name is their label.
fn accuracy(folder: &Path) -> (usize, f64) {
    let model = default_model().unwrap();
    let request = Request { paths: vec![folder.to_owned()], cells: Cells::One, ..Request::default() };
    let (mut n, mut right) = (0, 0);
    classify(&request, &model, &Default::default(), &Default::default(), &mut |told| {
        if let Told::Row(row) = told {
            n += 1;
            let truth = row.path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
            match &row.outcome {
                Outcome::Cells(cells) => {
                    let label = cells.first().and_then(|c| model.card().classes.label(c.probabilities.top().0));
                    right += usize::from(label == Some(truth.as_str()));
                }
                Outcome::Failed(e) => panic!("{}: {e}", row.path.display()),
            }
        }
        Ok(())
    })
    .unwrap();
    (n, right as f64 / n as f64)
}

#[test]
fn other_laboratories_are_named_as_well_as_by_the_reference() {
    for (part, images, reference) in [("check/tecom300", 300, 0.80), ("check/cellavision100", 100, 0.61)] {
        let Some(folder) = real_images(part) else { return };
        let (n, accuracy) = accuracy(&folder);
        eprintln!("{part}: n = {n}, accuracy {accuracy:.3}, reference {reference}");
        assert_eq!(n, images);
        assert!((accuracy - reference).abs() <= 0.02 || accuracy > reference, "{part}: {accuracy}");
    }
}

/// Share of images whose most evident square lies in a box, share of boxes found, false squares an image.
fn finding(folder: &Path, only: Option<&str>) -> (f64, f64, f64) {
    let mut boxes: BTreeMap<String, Vec<[f64; 4]>> = BTreeMap::new();
    for record in csv::Reader::from_path(folder.join("boxes.csv")).unwrap().records().map(Result::unwrap) {
        if only.is_none_or(|o| record[0].starts_with(o)) {
            boxes
                .entry(record[0].to_owned())
                .or_default()
                .push(std::array::from_fn(|i| record[i + 1].parse().unwrap()));
        }
    }
    let (mut one, mut found, mut wrong, mut all) = (0, 0, 0, 0);
    for (path, boxes) in &boxes {
        let picture = decode(&std::fs::read(folder.join(path)).unwrap(), Limits::default()).unwrap().picture;
        let finding = find_cells(&picture, 95.0);
        let inside = |x: f64, y: f64, b: &[f64; 4]| x >= b[0] && x <= b[2] && y >= b[1] && y <= b[3];
        one += usize::from(finding.cells.first().is_some_and(|c| boxes.iter().any(|b| inside(c.x, c.y, b))));
        let cells: Vec<_> = finding.field_cells().collect();
        found += boxes.iter().filter(|b| cells.iter().any(|c| inside(c.x, c.y, b))).count();
        wrong += cells.iter().filter(|c| !boxes.iter().any(|b| inside(c.x, c.y, b))).count();
        all += boxes.len();
    }
    let n = boxes.len() as f64;
    (one as f64 / n, found as f64 / all as f64, wrong as f64 / n)
}

#[test]
fn fields_are_found_as_promised() {
    let Some(folder) = real_images("fields") else { return };
    for set in ["bccd", "txl"] {
        let (one, found, wrong) = finding(&folder, Some(set));
        eprintln!("fields/{set}: one {one:.3}, found {found:.3}, false an image {wrong:.3}");
    }
    let (one, found, wrong) = finding(&folder, None);
    eprintln!("fields: one {one:.3}, found {found:.3}, false an image {wrong:.3}");
    assert!(one >= 0.98 && found >= 0.96 && wrong <= 0.05);
    let (one, found, wrong) = finding(&folder.join("hard"), None);
    eprintln!("fields/hard: one {one:.3}, found {found:.3}, false an image {wrong:.3}");
    assert!(one >= 0.76 && found >= 0.88 && wrong <= 1.05);
}
