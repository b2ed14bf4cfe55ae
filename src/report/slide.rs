//! A case as a page that prints: `report.html`, in one file that needs nothing else.

use super::escape::xml_text;
use super::evaluation::STYLE;
use super::svg::PALETTE;
use crate::laboratory::{DifferentialTable, Row, SlideReport};
use std::fmt::Write;

/// What is left of the page where a printer ends.
const PRINT: &str = "@page{size:A4;margin:15mm}@media print{body{font-size:12px}}td{white-space:nowrap}td.l{white-space:normal}.status{float:right;border:2px solid #444;padding:.2em .8em;border-radius:4px;font-weight:600}.sign{margin-top:3em;display:flex;gap:4em}.sign div{border-top:1px solid #444;min-width:16em;padding-top:.3em}td.l,th.l{text-align:left}.looked{display:flex;flex-wrap:wrap;gap:12px}.looked figure{margin:0;break-inside:avoid}.looked img{width:240px;display:block}.high,.low{font-weight:700}";

/// The distribution as bars with their intervals, standing on its own.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a handful of rows")]
pub fn distribution_svg(table: &DifferentialTable) -> String {
    const LEFT: f64 = 130.0;
    const WIDTH: f64 = 420.0;
    const HEIGHT: f64 = 26.0;
    let tall = table.rows.len() as f64 * HEIGHT + 28.0;
    let mut t = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{tall}\" viewBox=\"0 0 {0} {tall}\" role=\"img\" aria-label=\"Share of each class with its 95 % interval\" font-family=\"system-ui, 'Segoe UI', Helvetica, Arial, sans-serif\" font-size=\"13\">\n",
        LEFT + WIDTH + 60.0
    );
    for percent in [0.0, 25.0, 50.0, 75.0, 100.0] {
        let x = LEFT + WIDTH * percent / 100.0;
        let _ = writeln!(
            t,
            "<line x1=\"{x}\" y1=\"4\" x2=\"{x}\" y2=\"{}\" stroke=\"#ddd\"/><text x=\"{x}\" y=\"{}\" text-anchor=\"middle\" fill=\"#666\" font-size=\"11\">{percent} %</text>",
            tall - 20.0,
            tall - 6.0
        );
    }
    for (i, row) in table.rows.iter().enumerate() {
        let y = 4.0 + i as f64 * HEIGHT;
        let middle = y + HEIGHT / 2.0;
        let _ = writeln!(
            t,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            middle + 4.0,
            xml_text(&row.label)
        );
        let Some((share, low, high)) = row.share else { continue };
        let at = |v: f64| LEFT + WIDTH * v;
        let _ = writeln!(
            t,
            "<rect x=\"{LEFT}\" y=\"{:.1}\" width=\"{:.1}\" height=\"14\" rx=\"2\" fill=\"{}\"/><path d=\"M{from:.1} {middle}H{to:.1}M{from:.1} {cap:.1}v8M{to:.1} {cap:.1}v8\" stroke=\"#222\" stroke-width=\"1.3\" fill=\"none\"/>",
            middle - 7.0,
            WIDTH * share,
            row.class.map_or("#6b6b6b", |c| PALETTE[c % PALETTE.len()]),
            from = at(low),
            to = at(high),
            cap = middle - 4.0
        );
    }
    t.push_str("</svg>\n");
    t
}

fn row_html(t: &mut String, table: &DifferentialTable, row: &Row) {
    let share = row.share.map_or(("–".into(), "–".into()), |(s, low, high)| {
        (table.percent(s), format!("{:.1}–{:.1}", 100.0 * low, 100.0 * high))
    });
    let absolute =
        row.absolute.map_or_else(|| "–".into(), |(a, low, high)| format!("{a:.2} <small>{low:.2}–{high:.2}</small>"));
    let range = row.range.as_ref().map_or_else(String::new, |r| format!("{} {}", r.text(), r.unit.text()));
    let flag = row.flag.map_or("", crate::laboratory::Flag::as_str);
    let _ = writeln!(
        t,
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{absolute}</td><td>{range}</td><td class=\"l {flag}\">{flag}</td></tr>",
        xml_text(&row.label),
        row.count.all,
        share.0,
        share.1
    );
}

/// The page.
#[must_use]
pub fn slide_html(r: &SlideReport) -> String {
    let table = &r.table;
    let title = if r.case.sample.is_empty() {
        "Differential".into()
    } else {
        format!("Differential of {}", xml_text(&r.case.sample))
    };
    let status = match r.version {
        0 => r.status.code().to_owned(),
        v => format!("{}, version {v}", r.status.code()),
    };
    let mut t = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\"><title>{title}</title>\n<style>{STYLE}{PRINT}</style></head><body>\n<div class=\"status\">{status}</div>\n<h1>{title}</h1>\n<p class=\"note\">Research use only. Not for use in diagnostic procedures.</p>\n"
    );
    let _ = writeln!(
        t,
        "<p class=\"big\">{} of {} cells counted</p>\n<p>{} reviewed by a person, {} not reviewed; {} images, {} failed, {} without a white cell.</p>",
        table.white.all,
        table.target,
        table.squares - table.unreviewed,
        table.unreviewed,
        table.images.0,
        table.images.1,
        table.images.2
    );
    t.push_str("<table><tr><th>class</th><th>count</th><th>%</th><th>95 % interval</th><th>×10⁹/L</th><th>reference range</th><th class=\"l\">flag</th></tr>\n");
    table.rows.iter().for_each(|row| row_html(&mut t, table, row));
    let _ = writeln!(
        t,
        "<tr><td>all</td><td>{}</td><td></td><td></td><td>{}</td><td>{}</td><td class=\"l\">{}</td></tr></table>",
        table.white.all,
        table.wbc.map_or_else(String::new, |w| format!("{w:.2}")),
        table.wbc_flag.as_ref().map_or_else(String::new, |(_, r)| format!("{} {}", r.text(), r.unit.text())),
        table.wbc_flag.as_ref().map_or("", |(f, _)| f.as_str())
    );
    t.push_str(&distribution_svg(table));
    if !table.outside.is_empty() || !table.excluded.is_empty() || table.unidentified > 0 {
        t.push_str(
            "<h2>Outside the 100 %</h2>\n<table><tr><th>what</th><th>count</th><th>per 100 white cells</th></tr>\n",
        );
        for (label, n, per) in &table.outside {
            let _ = writeln!(t, "<tr><td>{}</td><td>{n}</td><td>{per:.1}</td></tr>", xml_text(label));
        }
        for (label, n) in &table.excluded {
            let _ = writeln!(t, "<tr><td>excluded: {}</td><td>{n}</td><td></td></tr>", xml_text(label));
        }
        if table.unidentified > 0 {
            let _ = writeln!(t, "<tr><td>unidentified</td><td>{}</td><td></td></tr>", table.unidentified);
        }
        t.push_str("</table>\n");
    }
    if r.slides.len() > 1 {
        t.push_str("<h2>Slides</h2>\n<table><tr><th>slide</th>");
        for row in &table.rows {
            let _ = write!(t, "<th>{}</th>", xml_text(&row.label));
        }
        t.push_str("<th>all</th><th>reviewed</th></tr>\n");
        for (path, d) in &r.slides {
            let _ = write!(t, "<tr><td>{}</td>", xml_text(&crate::files::display_name(path)));
            for row in &table.rows {
                let _ = write!(t, "<td>{}</td>", d.of(&row.label).all);
            }
            let _ = writeln!(t, "<td>{}</td><td>{}</td></tr>", d.white().all, d.squares().reviewed);
        }
        t.push_str("</table>\n");
    }
    if !r.looked.is_empty() {
        t.push_str("<h2>Where the model looked</h2>\n<p>Of each class the surest cells and the least sure one: the cell, and beside it what spoke for the class. Made for this page; no part of what is signed.</p>\n<div class=\"looked\">");
        for c in &r.looked {
            let _ = writeln!(
                t,
                "<figure><img alt=\"{0}, and where the model looked\" src=\"data:image/jpeg;base64,{1}\"><figcaption>{0} {2:.1} %<br><small>{3}, cell {4}; {5}</small></figcaption></figure>",
                xml_text(&c.label),
                base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &c.jpeg),
                100.0 * c.confidence,
                xml_text(&c.file),
                c.cell,
                c.how
            );
        }
        t.push_str("</div>\n");
    }
    t.push_str("<h2>How it was made</h2>\n<table>");
    let mut fact = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(t, "<tr><td>{name}</td><td class=\"l\">{}</td></tr>", xml_text(value));
        }
    };
    fact("sample", &r.case.sample);
    fact("white cell count entered", &r.case.wbc.map_or_else(String::new, |w| format!("{w} ×10⁹/L")));
    if let (Some(entered), Some(used)) = (r.case.wbc, table.wbc)
        && (entered - used).abs() > 1e-9
    {
        fact("corrected for nucleated red cells", &format!("{used:.2} ×10⁹/L"));
    }
    fact("age", &r.case.age.map_or_else(String::new, |a| format!("{a} years")));
    if r.case.sex != crate::laboratory::Sex::Any {
        fact("sex", r.case.sex.as_str());
    }
    fact("method", METHOD);
    fact("model", &format!("{}, SHA-256 {}", r.model.0, r.model.1));
    fact("program", &format!("Leukoscope {}", env!("CARGO_PKG_VERSION")));
    fact("report made", &r.made);
    if let Some((operator, time, reason)) = &r.signed {
        fact("signed", &format!("{operator}, {time}"));
        fact("reason", reason);
    }
    let open = table.obstacles();
    if !open.is_empty() {
        fact("open", &open.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "));
    }
    t.push_str("</table>\n<p class=\"note\">Intervals are exact (Clopper–Pearson) for the cells counted; an interval that crosses a limit of the range is indeterminate. Reference ranges are the laboratory's own settings. The model knows the classes listed and no blasts, immature granulocytes or atypical cells. CLSI H20-Ed3.</p>\n");
    t.push_str("<div class=\"sign\"><div>Operator</div><div>Date</div></div>\n</body></html>\n");
    t
}

/// Neither automated nor manual.
pub(super) const METHOD: &str = "Microscopy, stained smear; cells found and classes suggested by software, each label confirmed or changed by a person";

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::Differential;
    use crate::laboratory::{CaseFacts, ReportStatus, example_ranges};

    pub(in super::super) fn report(sample: &str, signed: bool) -> SlideReport {
        let mut d = Differential::default();
        for (label, n) in [
            ("neutrophil", 118),
            ("lymphocyte", 60),
            ("monocyte", 14),
            ("eosinophil", 8),
            ("NRBC", 2),
            ("not a white cell", 3),
        ] {
            (0..n).for_each(|_| d.count(label, true, true));
        }
        let case = CaseFacts { sample: sample.into(), wbc: Some(6.8), target: 200, ..CaseFacts::default() };
        let labels = ["basophil", "eosinophil", "lymphocyte", "monocyte", "neutrophil"].map(str::to_owned);
        SlideReport {
            table: DifferentialTable::new(&d, &labels, &case, &example_ranges()),
            slides: vec![("/a/one".into(), d.clone()), ("/a/<two>".into(), d)],
            case,
            status: if signed { ReportStatus::Final } else { ReportStatus::Preliminary },
            version: u32::from(signed),
            signed: signed.then(|| ("ab".into(), "2026-01-02T03:04:05Z".into(), String::new())),
            model: ("starter".into(), "00ff".repeat(16)),
            made: "2026-01-02T03:04:05Z".into(),
            looked: Vec::new(),
        }
    }

    #[test]
    fn the_page_says_what_a_laboratory_asks_for_and_takes_no_markup() {
        let page = slide_html(&report("S-1 <script>", true));
        for word in [
            "S-1 &lt;script&gt;",
            "200 of 200 cells counted",
            "59.0",
            "final, version 1",
            "Research use only",
            "indeterminate",
            "NRBC",
            "excluded: not a white cell",
            "signed",
            "&lt;two&gt;",
        ] {
            assert!(page.contains(word), "{word}");
        }
        assert!(!page.contains("<script") && !page.contains("http-equiv=\"refresh"));
        assert!(!page.to_lowercase().contains("part 11"));
    }
}
