//! Images of an evaluation as SVG: the confusion matrix and simple charts. Text is text, nothing is fetched.

use super::escape::xml_text;
use crate::metrics::Confusion;
use std::fmt::Write as _;

/// Colours of classes that differ for colour-blind eyes too (Okabe & Ito 2008).
pub const PALETTE: [&str; 8] = ["#cc79a7", "#d55e00", "#0072b2", "#56b4e9", "#009e73", "#e69f00", "#6b6b6b", "#b8a800"];

const FONT: &str = "font-family=\"system-ui, 'Segoe UI', Helvetica, Arial, sans-serif\"";

/// The confusion matrix: counts, the share of the row, and a shade by that share.
pub fn confusion_svg(confusion: &Confusion, labels: &[String]) -> String {
    const CELL: usize = 84;
    let k = labels.len();
    let longest = labels.iter().map(|l| l.chars().count()).max().unwrap_or(0);
    let left = 60 + 8 * longest;
    let (width, height) = (left + CELL * k + 90, 60 + CELL * k + 60);
    let mut t = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" {FONT} role=\"img\" aria-label=\"Confusion matrix\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    let _ = writeln!(
        t,
        "<text x=\"{}\" y=\"24\" text-anchor=\"middle\" font-size=\"14\" fill=\"#222\">predicted</text>\n<text x=\"20\" y=\"{}\" text-anchor=\"middle\" font-size=\"14\" fill=\"#222\" transform=\"rotate(-90 20 {1})\">reference</text>",
        left + CELL * k / 2,
        50 + CELL * k / 2
    );
    for (i, label) in labels.iter().enumerate() {
        let middle = CELL * i + CELL / 2;
        let _ = writeln!(
            t,
            "<text x=\"{}\" y=\"46\" text-anchor=\"middle\" font-size=\"12\" fill=\"#222\">{2}</text>\n<text x=\"{}\" y=\"{3}\" text-anchor=\"end\" font-size=\"12\" fill=\"#222\">{2}</text>",
            left + middle,
            left - 8,
            xml_text(label),
            54 + middle
        );
        let support = confusion.support(i);
        for j in 0..k {
            let n = confusion.count(i, j);
            let share = n as f64 / support.max(1) as f64;
            let hue = if i == j { (0.0, 114.0, 178.0) } else { (213.0, 94.0, 0.0) };
            let mix = |c: f64| (255.0 - (255.0 - c) * share.sqrt()).round();
            let ink = if share > 0.35 { "#ffffff" } else { "#222222" };
            let (x, y) = (left + CELL * j, 50 + CELL * i);
            let _ = write!(
                t,
                "<rect x=\"{x}\" y=\"{y}\" width=\"{CELL}\" height=\"{CELL}\" fill=\"rgb({},{},{})\" stroke=\"#ffffff\"/>\n<text x=\"{4}\" y=\"{5}\" text-anchor=\"middle\" font-size=\"18\" fill=\"{ink}\">{n}</text>\n<text x=\"{4}\" y=\"{6}\" text-anchor=\"middle\" font-size=\"11\" fill=\"{ink}\">{3}</text>\n",
                mix(hue.0),
                mix(hue.1),
                mix(hue.2),
                if support == 0 { "–".to_owned() } else { format!("{:.1} %", 100.0 * share) },
                x + CELL / 2,
                y + CELL / 2 + 2,
                y + CELL / 2 + 20
            );
        }
        let _ = writeln!(
            t,
            "<text x=\"{}\" y=\"{}\" font-size=\"12\" fill=\"#555\">n = {support}</text>",
            left + CELL * k + 10,
            54 + middle
        );
    }
    let _ = writeln!(
        t,
        "<text x=\"{left}\" y=\"{}\" font-size=\"12\" fill=\"#555\">{} cells, {} right; shares are of the row</text>\n</svg>",
        50 + CELL * k + 28,
        confusion.total(),
        confusion.right()
    );
    t
}

/// A line of a chart, or bars' tops.
pub(super) struct Series {
    pub(super) name: String,
    pub(super) colour: &'static str,
    pub(super) points: Vec<(f64, f64)>,
    /// Marked at each point.
    pub(super) dots: bool,
}

/// A chart over the unit square (y up to `top`).
pub(super) struct Chart<'a> {
    pub(super) title: &'a str,
    pub(super) x: &'a str,
    pub(super) y: &'a str,
    pub(super) top: f64,
    /// A dashed line from corner to corner.
    pub(super) diagonal: bool,
    pub(super) series: Vec<Series>,
}

impl Chart<'_> {
    pub(super) fn to_svg(&self) -> String {
        const SIDE: f64 = 300.0;
        let (left, above) = (56.0, 34.0);
        let legend = 18.0 * self.series.len() as f64;
        let (width, height) = (left + SIDE + 20.0, above + SIDE + 56.0 + legend);
        let at = |x: f64, y: f64| (left + x * SIDE, above + SIDE - (y / self.top).min(1.0) * SIDE);
        let mut t = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" {FONT} role=\"img\" aria-label=\"{0}\">\n<text x=\"{1:.0}\" y=\"20\" text-anchor=\"middle\" font-size=\"14\" fill=\"currentColor\">{0}</text>\n",
            xml_text(self.title),
            left + SIDE / 2.0
        );
        for i in 0..=4 {
            let v = f64::from(i) / 4.0;
            let ((x, y0), (x0, y)) = (at(v, 0.0), at(0.0, v * self.top));
            let _ = write!(
                t,
                "<line x1=\"{x0:.1}\" y1=\"{y:.1}\" x2=\"{0:.1}\" y2=\"{y:.1}\" stroke=\"#88888855\"/>\n<line x1=\"{x:.1}\" y1=\"{y0:.1}\" x2=\"{x:.1}\" y2=\"{above:.1}\" stroke=\"#88888855\"/>\n<text x=\"{1:.1}\" y=\"{2:.1}\" text-anchor=\"end\" font-size=\"11\" fill=\"currentColor\">{3:.2}</text>\n<text x=\"{x:.1}\" y=\"{4:.1}\" text-anchor=\"middle\" font-size=\"11\" fill=\"currentColor\">{v:.2}</text>\n",
                x0 + SIDE,
                x0 - 6.0,
                y + 4.0,
                v * self.top,
                y0 + 16.0
            );
        }
        if self.diagonal {
            let ((x1, y1), (x2, y2)) = (at(0.0, 0.0), at(1.0, 1.0));
            let _ = writeln!(
                t,
                "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"#888\" stroke-dasharray=\"5 4\"/>"
            );
        }
        for (i, s) in self.series.iter().enumerate() {
            let points: Vec<String> = s
                .points
                .iter()
                .map(|p| {
                    let (x, y) = at(p.0, p.1);
                    format!("{x:.1},{y:.1}")
                })
                .collect();
            let _ = writeln!(
                t,
                "<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"2\" points=\"{}\"/>",
                s.colour,
                points.join(" ")
            );
            if s.dots {
                for p in &s.points {
                    let (x, y) = at(p.0, p.1);
                    let _ = writeln!(t, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{}\"/>", s.colour);
                }
            }
            let y = above + SIDE + 56.0 + 18.0 * i as f64;
            let _ = writeln!(
                t,
                "<rect x=\"{left:.0}\" y=\"{:.0}\" width=\"14\" height=\"4\" fill=\"{}\"/>\n<text x=\"{:.0}\" y=\"{y:.0}\" font-size=\"12\" fill=\"currentColor\">{}</text>",
                y - 6.0,
                s.colour,
                left + 20.0,
                xml_text(&s.name)
            );
        }
        let _ = writeln!(
            t,
            "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\" font-size=\"12\" fill=\"currentColor\">{}</text>\n<text x=\"14\" y=\"{3:.0}\" text-anchor=\"middle\" font-size=\"12\" fill=\"currentColor\" transform=\"rotate(-90 14 {3:.0})\">{4}</text>\n</svg>",
            left + SIDE / 2.0,
            above + SIDE + 34.0,
            xml_text(self.x),
            above + SIDE / 2.0,
            xml_text(self.y)
        );
        t
    }
}
