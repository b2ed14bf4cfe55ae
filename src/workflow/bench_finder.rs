//! Measures how well white cells are found: on images with boxes around their cells, by the first look alone and with the judge.
//!
//! Boxes say where cells are, not what they are: nothing here is about classes.

use super::UserError;
use crate::dataset::{MAX_TABLE, Table, table_text};
use crate::domain::{ImageResult, Outcome, Square};
use crate::files::{Entry, display_path, read_bounded};
use crate::imaging::Cells;
use crate::inference::{self, Finder, Options, PipelineEvent};
use crate::metrics::{Interval, wilson};
use crate::model::VettedModel;
use crate::task::{Cancel, Monitor, Progress};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

/// A box around a white cell, pixels: left, top, right, bottom.
type CellBox = [f32; 4];

/// Images by path below a folder, each with its boxes.
pub(super) type FinderImages = [(String, Vec<CellBox>)];

/// How one finder did on one set of images.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FinderScore {
    /// The first folder of the paths; nothing where they have none.
    pub set: String,
    pub finder: Finder,
    /// Images with a box.
    pub images: usize,
    /// Of these, those whose one cell lies in a box, where one cell is asked for.
    pub first: usize,
    /// Images without a box, and those of them in which no cell is found where one is asked for.
    pub empty: (usize, usize),
    /// Images with a box in which no cell is found where one is asked for.
    pub missed: usize,
    pub boxes: usize,
    /// Boxes with a cell in them, where all are asked for.
    pub found: usize,
    /// Squares in no box, or in one that has a cell already.
    pub false_squares: usize,
    /// Sum, over boxes that were found, of the intersection over union with the square.
    overlap: f64,
    /// Seconds, where all are asked for.
    seconds: f64,
}

impl FinderScore {
    /// Mean intersection over union of boxes and the squares in them.
    pub fn mean_overlap(&self) -> f64 {
        self.overlap / self.found.max(1) as f64
    }

    /// False squares an image.
    pub fn false_an_image(&self) -> f64 {
        self.false_squares as f64 / self.all_images().max(1) as f64
    }

    fn all_images(&self) -> usize {
        self.images + self.empty.0
    }

    /// Milliseconds an image, on all cores together.
    pub fn milliseconds(&self) -> f64 {
        1e3 * self.seconds / self.all_images().max(1) as f64
    }
}

/// Images by path below the folder, in the order of the table, each with its boxes.
pub(super) fn read_boxes(path: &Path) -> Result<Vec<(String, Vec<CellBox>)>, UserError> {
    let shown = display_path(path);
    let refuse = |why: &dyn std::fmt::Display| UserError::new(format!("{shown}: {why}"));
    let bytes = read_bounded(path, MAX_TABLE).map_err(|e| refuse(&e))?.bytes;
    let (text, separator) = table_text(&bytes).map_err(|e| refuse(&e))?;
    let mut table = Table::new(&text, separator).map_err(|e| refuse(&e))?;
    let columns = ["path", "xmin", "ymin", "xmax", "ymax"].map(|name| table.column(name));
    let [Some(at), Some(left), Some(top), Some(right), Some(bottom)] = columns else {
        return Err(refuse(
            &"a table of boxes needs the columns path, xmin, ymin, xmax and ymax; an image without a cell has a row with these four empty",
        ));
    };
    let mut images: Vec<(String, Vec<CellBox>)> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut line = 1;
    while let Some(row) = table.next_row() {
        let row = row.map_err(|e| refuse(&e))?;
        line += 1;
        let name = row.get(at).unwrap_or_default().to_owned();
        let place = *places.entry(name.clone()).or_insert_with(|| {
            images.push((name, Vec::new()));
            images.len() - 1
        });
        let fields = [left, top, right, bottom].map(|c| row.get(c).unwrap_or_default());
        if fields.iter().all(|f| f.is_empty()) {
            continue;
        }
        let numbers: Vec<f32> = fields.iter().filter_map(|f| f.parse().ok()).filter(|v: &f32| v.is_finite()).collect();
        let [x0, y0, x1, y1] = numbers[..] else {
            return Err(refuse(&format!("line {line}: a box is four numbers of pixels, or none of them")));
        };
        if x1 <= x0 || y1 <= y0 {
            return Err(refuse(&format!(
                "line {line}: this box is empty: xmax must be more than xmin, and ymax more than ymin"
            )));
        }
        images[place].1.push([x0, y0, x1, y1]);
    }
    if images.is_empty() {
        return Err(refuse(&"no image is named in it"));
    }
    Ok(images)
}

/// Measures the finder on the images of `folder` that the table `boxes` names (`path,xmin,ymin,xmax,ymax`, pixels; an image
/// without a cell has a row with these four empty): by the first look alone, then judged.
///
/// # Errors
/// What is wrong with the table; that an image cannot be read, since every figure would be about fewer.
pub fn bench_finder(
    model: &VettedModel,
    folder: &Path,
    boxes: &Path,
    cancel: &Cancel,
) -> Result<Vec<FinderScore>, UserError> {
    if !model.card().looks_at_squares() {
        return Err(UserError::new(format!("{} looks at whole images: it finds no cells", model.card().name)));
    }
    let images = read_boxes(boxes)?;
    let mut scores = Vec::new();
    for finder in [Finder::Plain, Finder::Judged] {
        let mut sets: BTreeMap<&str, FinderScore> = BTreeMap::new();
        for cells in [Cells::One, Cells::All] {
            let mut by_set: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
            for (i, (name, _)) in images.iter().enumerate() {
                by_set.entry(name.split_once('/').map_or("", |(set, _)| set)).or_default().push(i);
            }
            for (set, own) in by_set {
                let entries: Vec<Entry> = own
                    .iter()
                    .map(|&i| Entry { path: folder.join(&images[i].0), named: true, error: None, square: None })
                    .collect();
                let start = Instant::now();
                let rows = rows_of(&entries, model, Options { cells, finder, ..Options::default() }, cancel)?;
                let fresh = || FinderScore { set: set.to_owned(), finder, ..FinderScore::default() };
                let score = sets.entry(set).or_insert_with(fresh);
                for (row, &i) in rows.iter().zip(&own) {
                    score.take(row, &images[i].1, cells)?;
                }
                if cells == Cells::All {
                    score.seconds = start.elapsed().as_secs_f64();
                }
            }
        }
        scores.extend(sets.into_values());
    }
    scores.sort_by(|a, b| a.set.cmp(&b.set));
    Ok(scores)
}

fn rows_of(
    entries: &[Entry],
    model: &VettedModel,
    options: Options,
    cancel: &Cancel,
) -> Result<Vec<ImageResult>, UserError> {
    let mut rows = Vec::with_capacity(entries.len());
    let mut on_event = |event| {
        if let PipelineEvent::Row(row) = event {
            rows.push(row);
        }
        ControlFlow::Continue(())
    };
    let summary =
        inference::run(entries, model, &options, &mut Monitor::new(cancel, &Progress::default(), &mut on_event))?;
    if summary.cancelled {
        return Err(UserError::new("stopped"));
    }
    Ok(rows)
}

impl FinderScore {
    fn take(&mut self, row: &ImageResult, boxes: &[CellBox], cells: Cells) -> Result<(), UserError> {
        let found = match &row.outcome {
            Outcome::Cells(found) => found,
            Outcome::Failed(why) => {
                return Err(UserError::new(format!("{}: {}", display_path(&row.path), why.reason())));
            }
        };
        if let Some((width, height)) = row.size {
            let (w, h) = (width as f32, height as f32);
            let outside = boxes.iter().find(|[x0, y0, x1, y1]| *x0 >= w || *y0 >= h || *x1 <= 0.0 || *y1 <= 0.0);
            if let Some([x0, y0, x1, y1]) = outside {
                return Err(UserError::new(format!(
                    "{}: the box {x0},{y0},{x1},{y1} lies outside the image, which has {width} × {height} pixels",
                    display_path(&row.path)
                )));
            }
        }
        let squares = found.iter().map(|c| c.square);
        if cells == Cells::One {
            match (boxes.is_empty(), found.first()) {
                (true, first) => self.empty = (self.empty.0 + 1, self.empty.1 + usize::from(first.is_none())),
                (false, first) => {
                    self.images += 1;
                    self.missed += usize::from(first.is_none());
                    self.first += usize::from(first.is_some_and(|c| box_of(c.square, boxes).is_some()));
                }
            }
            return Ok(());
        }
        let mut taken = vec![false; boxes.len()];
        for square in squares {
            match box_of(square, boxes) {
                Some(i) if !taken[i] => {
                    taken[i] = true;
                    self.found += 1;
                    self.overlap += intersection_over_union(square, &boxes[i]);
                }
                _ => self.false_squares += 1,
            }
        }
        self.boxes += boxes.len();
        Ok(())
    }
}

/// The first box in which the square's centre lies.
pub(super) fn box_of(square: Square, boxes: &[CellBox]) -> Option<usize> {
    let (x, y) = square.centre();
    boxes.iter().position(|[left, top, right, bottom]| (*left..=*right).contains(&x) && (*top..=*bottom).contains(&y))
}

fn intersection_over_union(s: Square, [left, top, right, bottom]: &CellBox) -> f64 {
    let w = ((s.x + s.side).min(*right) - s.x.max(*left)).max(0.0);
    let h = ((s.y + s.side).min(*bottom) - s.y.max(*top)).max(0.0);
    let both = w * h;
    f64::from(both / (s.side * s.side + (right - left) * (bottom - top) - both).max(1e-9))
}

/// For the user: a line a set and finder.
pub fn finder_text(scores: &[FinderScore]) -> String {
    let mut text = format!(
        "{:<14}{:<8}{:>7}{:>22}{:>22}{:>9}{:>9}{:>22}{:>7}\n",
        "set", "finder", "images", "one cell: right", "all: found", "false", "overlap", "empty: no cell", "ms"
    );
    let share = |hits: usize, of: usize| {
        if of == 0 {
            return "–".to_owned();
        }
        let Interval { low, high, .. } = wilson(hits, of);
        format!("{:.1} ({:.1}–{:.1})", 100.0 * hits as f64 / of as f64, 100.0 * low, 100.0 * high)
    };
    for s in scores {
        text.push_str(&format!(
            "{:<14}{:<8}{:>7}{:>22}{:>22}{:>9.3}{:>9.2}{:>22}{:>7.1}\n",
            s.set,
            s.finder.as_str(),
            s.images + s.empty.0,
            share(s.first, s.images),
            share(s.found, s.boxes),
            s.false_an_image(),
            s.mean_overlap(),
            share(s.empty.1, s.empty.0),
            s.milliseconds()
        ));
    }
    text
}

/// For a script.
pub fn finder_json(scores: &[FinderScore]) -> Value {
    let row = |s: &FinderScore| {
        json!({
            "set": s.set, "finder": s.finder.as_str(), "images": s.images, "one_right": s.first, "one_missed": s.missed,
            "boxes": s.boxes, "found": s.found, "false_squares": s.false_squares, "mean_overlap": s.mean_overlap(),
            "empty_images": s.empty.0, "empty_without_cell": s.empty.1, "milliseconds_an_image": s.milliseconds(),
        })
    };
    json!({"schema": 1, "finder": scores.iter().map(row).collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_square_counts_once_and_a_second_one_in_the_same_box_is_false() {
        let cell = |x: f32| crate::domain::CellResult {
            number: 1,
            square: Square { x, y: 0.0, side: 10.0 },
            probabilities: crate::domain::Probabilities::new(vec![1.0, 0.0]).expect("sums to one"),
            accepted: true,
            ood_score: None,
            features: Vec::new(),
            doubt: None,
            flags: Vec::new(),
            views: None,
        };
        let row = |xs: &[f32]| ImageResult {
            index: 0,
            path: "a.png".into(),
            digest: None,
            size: None,
            outcome: Outcome::Cells(xs.iter().map(|x| cell(*x)).collect()),
            rejected: Vec::new(),
            warnings: Vec::new(),
            provider: None,
        };
        let mut score = FinderScore::default();
        let boxes = [[0.0, 0.0, 10.0, 10.0], [50.0, 0.0, 60.0, 10.0]];
        score.take(&row(&[0.0]), &boxes, Cells::One).expect("read");
        score.take(&row(&[0.0, 1.0, 30.0]), &boxes, Cells::All).expect("read");
        score.take(&row(&[]), &[], Cells::One).expect("read");
        score.take(&row(&[]), &[], Cells::All).expect("read");
        assert_eq!((score.images, score.first, score.empty), (1, 1, (1, 1)));
        assert_eq!((score.boxes, score.found, score.false_squares), (2, 1, 2));
        assert!((score.mean_overlap() - 1.0).abs() < 1e-9 && (score.false_an_image() - 1.0).abs() < 1e-9);
        assert!((intersection_over_union(Square { x: 5.0, y: 0.0, side: 10.0 }, &boxes[0]) - 1.0 / 3.0).abs() < 1e-6);
    }
}
