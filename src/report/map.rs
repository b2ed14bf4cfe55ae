//! A map of cells as a table and as an image. Each class has a colour and a shape.

use super::escape::{csv_text, xml_text};
use super::svg::PALETTE;
use std::fmt::Write as _;

/// A cell on the map.
#[derive(Debug, Clone, PartialEq)]
pub struct MapPoint {
    /// Its image.
    pub path: String,
    /// Its number in the image.
    pub cell: u32,
    /// Position of the class that the model gives.
    pub class: usize,
    /// Its probability.
    pub confidence: f32,
    /// Where it lies; the axes mean nothing.
    pub at: [f32; 2],
}

/// Columns `path,cell,label,confidence,x,y`.
pub fn map_csv(points: &[MapPoint], labels: &[String]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let _ = writer.write_record(["path", "cell", "label", "confidence", "x", "y"]);
    for p in points {
        let label = labels.get(p.class).map_or("", String::as_str);
        let numbers = [p.confidence, p.at[0], p.at[1]].map(|v| format!("{v:.4}"));
        let [confidence, x, y] = &numbers;
        // Writing into memory does not fail.
        let path = csv_text(&p.path);
        let _ = writer.write_record([&path, p.cell.to_string().as_str(), label, confidence, x, y]);
    }
    writer.into_inner().unwrap_or_default()
}

/// The image, with a legend.
pub fn map_svg(points: &[MapPoint], labels: &[String]) -> String {
    const SIDE: f32 = 720.0;
    let bound = |axis: usize, f: fn(f32, f32) -> f32, start: f32| points.iter().map(|p| p.at[axis]).fold(start, f);
    let low = [bound(0, f32::min, f32::INFINITY), bound(1, f32::min, f32::INFINITY)];
    let high = [bound(0, f32::max, f32::NEG_INFINITY), bound(1, f32::max, f32::NEG_INFINITY)];
    let span = (high[0] - low[0]).max(high[1] - low[1]).max(1e-6);
    let radius = if points.len() > 2000 { 2.2 } else { 3.6 };
    let mut t = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 960 780\" width=\"960\" height=\"780\" font-family=\"system-ui, sans-serif\" role=\"img\" aria-label=\"Map of cells\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
    );
    for p in points {
        let x = 30.0 + SIDE * (p.at[0] - low[0]) / span;
        let y = 750.0 - SIDE * (p.at[1] - low[1]) / span;
        mark(&mut t, p.class, x, y, radius);
    }
    for (i, label) in labels.iter().enumerate() {
        let n = points.iter().filter(|p| p.class == i).count();
        let y = 50.0 + 26.0 * i as f32;
        mark(&mut t, i, 788.0, y - 5.0, 6.0);
        let _ = writeln!(t, "<text x=\"804\" y=\"{y}\" font-size=\"14\" fill=\"#222\">{} {n}</text>", xml_text(label));
    }
    t.push_str("<text x=\"30\" y=\"20\" font-size=\"13\" fill=\"#555\">cells that the model sees alike lie together; distances between groups mean nothing</text>\n</svg>\n");
    t
}

fn mark(t: &mut String, class: usize, x: f32, y: f32, r: f32) {
    let colour = PALETTE[class % PALETTE.len()];
    let style = format!("fill=\"{colour}\" fill-opacity=\"0.75\"");
    let _ = match class % 4 {
        0 => writeln!(t, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{r}\" {style}/>"),
        1 => writeln!(
            t,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{2:.1}\" height=\"{2:.1}\" {style}/>",
            x - r,
            y - r,
            1.8 * r
        ),
        2 => writeln!(
            t,
            "<polygon points=\"{:.1},{:.1} {:.1},{:.1} {:.1},{:.1}\" {style}/>",
            x,
            y - 1.2 * r,
            x + 1.1 * r,
            y + 0.9 * r,
            x - 1.1 * r,
            y + 0.9 * r
        ),
        _ => writeln!(
            t,
            "<polygon points=\"{:.1},{y:.1} {x:.1},{:.1} {:.1},{y:.1} {x:.1},{:.1}\" {style}/>",
            x - 1.2 * r,
            y - 1.2 * r,
            x + 1.2 * r,
            y + 1.2 * r
        ),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_is_a_row_and_a_mark() {
        let point = |class, at| MapPoint { path: "a,b.png".into(), cell: 1, class, confidence: 0.5, at };
        let points = [point(0, [0.0, 1.0]), point(1, [2.0, 3.0]), point(1, [2.5, 3.0])];
        let labels = ["x".to_owned(), "<y>".to_owned()];
        let csv = String::from_utf8(map_csv(&points, &labels)).expect("text");
        assert_eq!(csv.lines().nth(2), Some("\"a,b.png\",1,<y>,0.5000,2.0000,3.0000"));
        let svg = map_svg(&points, &labels);
        assert_eq!((svg.matches("<circle").count(), svg.matches("<rect").count()), (1 + 1, 1 + 2 + 1));
        assert!(svg.contains("&lt;y&gt; 2"));
    }
}
