//! What the program promises on real images. The bounds are the and the bundled model's own figures.

use crate::common::real_images;
use leukoscope::domain::Outcome;
use leukoscope::imaging::Cells;
use leukoscope::imaging::{Limits, decode, find_cells};
use leukoscope::workflow::{ClassifyEvent, ClassifyRequest, classify, default_model};
use std::collections::BTreeMap;
use std::path::Path;

/// Share of images whose folder's name is their label.
fn accuracy(folder: &Path) -> (usize, f64) {
    let model = default_model().unwrap();
    let request = ClassifyRequest { paths: vec![folder.to_owned()], cells: Cells::One, ..ClassifyRequest::default() };
    let (mut n, mut right) = (0, 0);
    classify(
        &request,
        &model,
        &mut leukoscope::task::Monitor::new(&Default::default(), &Default::default(), &mut |told| {
            if let ClassifyEvent::Row(row) = told {
                n += 1;
                let truth = row.path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
                match &row.outcome {
                    Outcome::Cells(cells) => {
                        let label = cells.first().and_then(|c| model.card().classes.label(c.probabilities.top().0));
                        right += usize::from(label == Some(truth.as_str()));
                    }
                    Outcome::Failed(e) => panic!("{}: {}", row.path.display(), e.reason()),
                }
            }
            Ok(())
        }),
    )
    .unwrap();
    (n, right as f64 / n as f64)
}

#[test]
fn other_laboratories_are_named_as_well_as_by_the_reference() {
    for (part, images, reference) in [("check/tecom300", 300, 0.76), ("check/cellavision100", 100, 0.60)] {
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
        let image = decode(&std::fs::read(folder.join(path)).unwrap(), Limits::default()).unwrap().image;
        let finding = find_cells(&image, 95.0);
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

/// The hashes that a model keeps of its training images know copies, and take no other laboratory's cell for one.
#[test]
fn kept_hashes_know_copies_and_no_strangers() {
    use leukoscope::dataset::{
        CellCache, CellState, InputView, Item, PerceptualHash, near_duplicates, quantized_distance, scan,
    };
    use leukoscope::domain::CellPreprocessing;
    use leukoscope::domain::Preprocessing;
    use leukoscope::task::{Cancel, Progress};
    use leukoscope::workflow::KEPT_NEAR;
    let (Some(copies), Some(strangers), Some(known)) =
        (real_images("bccd_aug"), real_images("check"), real_images("train"))
    else {
        return;
    };
    let cache = tempfile::tempdir().unwrap();
    let how = CellPreprocessing::OURS;
    let view = InputView { preprocessing: Preprocessing::CellSquare(how), size: 128 };
    let cells = CellCache::open(view, Some(cache.path())).unwrap();
    let (cancel, progress) = (Cancel::new(), Progress::default());
    let read = |items: &[Item]| -> Vec<Option<PerceptualHash>> {
        let states = cells.cut(items, &cancel, &progress).unwrap();
        states.iter().map(|s: &CellState| Some(PerceptualHash::new(&cells.image(s.cell()?).unwrap()))).collect()
    };
    let every = |path: &Path, n: usize| {
        let items = scan(path, &|| false).unwrap().items;
        items.into_iter().step_by(n).collect::<Vec<_>>()
    };
    let aug = read(&every(&copies.join("bccd_aug.csv"), 2));
    let pairs = near_duplicates(&aug, &cancel, &progress);
    let distance = |a: &Option<PerceptualHash>, b: &Option<PerceptualHash>| {
        quantized_distance(&a.as_ref().unwrap().quantized(), &b.as_ref().unwrap().quantized())
    };
    let of_pairs: Vec<f32> = pairs.iter().map(|p| distance(&aug[p.pair.0], &aug[p.pair.1])).collect();
    let train = read(&every(&known.join("train.csv"), 3));
    let nearest: Vec<f32> = [strangers.join("tecom300"), strangers.join("cellavision100")]
        .iter()
        .flat_map(|p| read(&every(p, 1)))
        .filter(Option::is_some)
        .map(|s| train.iter().filter(|t| t.is_some()).map(|t| distance(&s, t)).fold(f32::INFINITY, f32::min))
        .collect();
    let found = of_pairs.iter().filter(|d| **d <= KEPT_NEAR).count();
    let mistaken = nearest.iter().filter(|d| **d <= KEPT_NEAR).count();
    eprintln!("at {KEPT_NEAR}: {found} of {} copies, {mistaken} of {} strangers", pairs.len(), nearest.len());
    assert!(found * 10 > pairs.len() * 6 && mistaken * 100 < nearest.len(), "{found} {mistaken}");
}
