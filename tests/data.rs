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

#[test]
fn tmp_dups() {
    use leukoscope::dataset::*;
    use leukoscope::task::*;
    use rayon::prelude::*;
    for (d, whole) in [("bccd_aug/bccd_aug.csv", false), ("bccd_aug/bccd_aug.csv", true)] {
        let Some(f) = crate::common::real_images(d.split('/').next().unwrap()) else { return };
        let path = f.parent().unwrap().join(d);
        let s = scan(&path, &|| false).unwrap();
        let pre = if whole { leukoscope::model::Preprocessing::WholeImage } else { leukoscope::model::Preprocessing::CellSquare(leukoscope::domain::CellPreprocessing { side_factor: 2.6, white: 235.0, white_percentile: 95.0 }) };
        let cache = CellCache::open(View { preprocessing: pre, size: 128 }, Some(std::path::Path::new("/tmp/w/cache"))).unwrap();
        let t = std::time::Instant::now();
        let st = cache.cut(&s.items, &Cancel::new(), &Progress::default()).unwrap();
        eprintln!("cut {:?}", t.elapsed());
        let al: Vec<Option<Alike>> = st.par_iter().map(|s| match s { CellState::Cell(c) => Some(Alike::of(&cache.picture(*c).unwrap())), _ => None }).collect();
        eprintln!("alike {:?}", t.elapsed()); eprintln!("none {}", al.iter().filter(|a| a.is_none()).count());
        let idx: Vec<usize> = (0..al.len()).filter(|i| al[*i].is_some()).collect();
        let mut same = Vec::new(); let mut diff = Vec::new();
        let all: Vec<(bool, f32, f32)> = idx.par_iter().enumerate().filter(|(k,_)| k % (if d.starts_with("train") {100} else {12}) == 0).flat_map_iter(|(k, &i)| { let al=&al; let s=&s; idx[k+1..].iter().filter(move |j| (**j * 7 + i) % 5 == 0 || s.items[i].group == s.items[**j].group).map(move |&j| { let (a,b)=(al[i].as_ref().unwrap(), al[j].as_ref().unwrap()); (s.items[i].group==s.items[j].group, a.distance(b), a.correlation(b)) })}).collect();
        for (g, d, c) in all { if g { same.push((d,c)) } else { diff.push((d,c)) } }
        let q = |v: &mut Vec<f32>| { v.sort_by(f32::total_cmp); [0.001,0.01,0.05,0.25,0.5,0.75,0.95,0.99,0.999,0.9999,1.0].map(|q| v[((v.len()-1) as f64*q) as usize]) };
        eprintln!("{d} whole {whole} same {} diff {}", same.len(), diff.len());
        eprintln!("same dist {:?}", q(&mut same.iter().map(|x| x.0).collect()));
        eprintln!("same corr {:?}", q(&mut same.iter().map(|x| x.1).collect()));
        eprintln!("diff dist {:?}", q(&mut diff.iter().map(|x| x.0).collect()));
        eprintln!("diff corr {:?}", q(&mut diff.iter().map(|x| x.1).collect()));
        for t in [0.45f32,0.5,0.55,0.6,0.65,0.7,0.75,0.8] { let mut v: Vec<f32> = same.iter().filter(|x| x.1>=t).map(|x| x.0).collect(); let n=v.len(); let m=diff.iter().filter(|x| x.1>=t).count(); if n>0 { eprintln!("corr>={t}: same {n} dist q {:?}; diff {m}", q(&mut v)); } }
    }
}
