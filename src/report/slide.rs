//! A case as a page that prints: `report.html`, in one file that needs nothing else.

use super::escape::xml_text;
use super::evaluation::STYLE;
use crate::domain::CellClass;
use crate::laboratory::{DifferentialTable, Flag, ReferenceRange, Row, Sex, SlideReport, count_of, plain_text};
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
            text(&row.label)
        );
        let Some((share, low, high)) = row.share else { continue };
        let at = |v: f64| LEFT + WIDTH * v;
        let _ = writeln!(
            t,
            "<rect x=\"{LEFT}\" y=\"{:.1}\" width=\"{:.1}\" height=\"14\" rx=\"2\" fill=\"{}\"/><path d=\"M{from:.1} {middle}H{to:.1}M{from:.1} {cap:.1}v8M{to:.1} {cap:.1}v8\" stroke=\"#222\" stroke-width=\"1.3\" fill=\"none\"/>",
            middle - 7.0,
            WIDTH * share,
            colour(&row.label),
            from = at(low),
            to = at(high),
            cap = middle - 4.0
        );
    }
    t.push_str("</svg>\n");
    t
}

/// Text from outside, plain and escaped.
pub(super) fn text(text: &str) -> String {
    xml_text(&plain_text(text))
}

/// A class' colour on paper.
fn colour(label: &str) -> String {
    let [r, g, b] = CellClass::find(label).map_or([0x6b; 3], |c| c.colour[1]);
    format!("#{r:02x}{g:02x}{b:02x}")
}

fn range_html(range: Option<&ReferenceRange>) -> String {
    range.map_or_else(|| "–".into(), |r| xml_text(&format!("{} {}", r.text(), r.unit.text())))
}

fn row_html(t: &mut String, table: &DifferentialTable, row: &Row) {
    let dash = || "–".to_owned();
    let percent = row.percent(table).map_or_else(dash, |p| p.to_string());
    let limits = row.limits().map_or_else(dash, |(low, high)| format!("{low}–{high}"));
    let absolute = row.absolute().map_or_else(dash, |(a, low, high)| format!("{a} <small>{low}–{high}</small>"));
    let flag = row.flag.map_or("", Flag::as_str);
    let _ = writeln!(
        t,
        "<tr><td>{}</td><td>{}</td><td>{percent}</td><td>{limits}</td><td>{absolute}</td><td>{}</td><td class=\"l {flag}\">{flag}</td></tr>",
        text(&row.label),
        row.count.all,
        range_html(row.range.as_ref())
    );
}

/// What stands outside the 100 %.
fn outside_html(t: &mut String, table: &DifferentialTable) {
    if table.outside.is_empty() && table.excluded.is_empty() && table.unidentified == 0 {
        return;
    }
    t.push_str("<h2>Outside the 100 %</h2>\n<table><tr><th>what</th><th>count</th><th>per 100 white cells</th></tr>\n");
    for (label, n, per) in &table.outside {
        let per = table.per_hundred(*per).map_or_else(|| "–".to_owned(), |p| p.to_string());
        let _ = writeln!(t, "<tr><td>{}</td><td>{n}</td><td>{per}</td></tr>", text(label));
    }
    for (label, n) in &table.excluded {
        let _ = writeln!(t, "<tr><td>excluded: {}</td><td>{n}</td><td></td></tr>", text(label));
    }
    if table.unidentified > 0 {
        let _ = writeln!(t, "<tr><td>unidentified</td><td>{}</td><td></td></tr>", table.unidentified);
    }
    t.push_str("</table>\n");
}

fn slides_html(t: &mut String, r: &SlideReport) {
    if r.snapshot.slides.len() < 2 {
        return;
    }
    t.push_str("<h2>Slides</h2>\n<table><tr><th>slide</th>");
    for row in &r.table.rows {
        let _ = write!(t, "<th>{}</th>", text(&row.label));
    }
    t.push_str("<th>all</th><th>reviewed</th></tr>\n");
    for (path, d) in &r.snapshot.slides {
        let _ = write!(t, "<tr><td>{}</td>", text(&crate::files::display_name(path)));
        for row in &r.table.rows {
            let _ = write!(t, "<td>{}</td>", count_of(d, &row.label).all);
        }
        let _ = writeln!(t, "<td>{}</td><td>{}</td></tr>", d.white().all, d.squares().reviewed);
    }
    t.push_str("</table>\n");
}

fn looked_html(t: &mut String, r: &SlideReport) {
    if r.heat_maps.is_empty() {
        return;
    }
    t.push_str("<h2>Where the model looked</h2>\n<p>Of each class the surest cells and the least sure one: the cell, and beside it what spoke for the class. Made for this page; no part of what is signed.</p>\n<div class=\"looked\">");
    for c in &r.heat_maps {
        let _ = writeln!(
            t,
            "<figure><img alt=\"{0}, and where the model looked\" src=\"data:image/jpeg;base64,{1}\"><figcaption>{0} {2:.1} %<br><small>{3}, cell {4}; {5}</small></figcaption></figure>",
            text(&c.label),
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &c.jpeg),
            100.0 * c.confidence,
            text(&c.file),
            c.cell,
            c.how
        );
    }
    t.push_str("</div>\n");
}

fn made_html(t: &mut String, r: &SlideReport, local: &dyn Fn(&str) -> String) {
    let (table, s) = (&r.table, &r.snapshot);
    t.push_str("<h2>How it was made</h2>\n<table>");
    let mut fact = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(t, "<tr><td>{name}</td><td class=\"l\">{}</td></tr>", xml_text(value));
        }
    };
    fact("sample", &plain_text(&s.case.sample));
    if let Some(entered) = table.wbc_entered {
        fact("white cell count entered", &format!("{entered} ×10⁹/L"));
    }
    if let Some(used) = table.wbc_written().filter(|_| table.corrected()) {
        fact("corrected for nucleated red cells", &format!("{used} ×10⁹/L"));
    }
    fact("age", &s.case.age.map_or_else(String::new, |a| format!("{a} years")));
    if s.case.sex != Sex::Any {
        fact("sex", s.case.sex.as_str());
    }
    fact("method", &r.method());
    match (r.has_model(), plain_text(&s.model.0)) {
        (true, name) => fact("model", &format!("{name}, SHA-256 {}", s.model.1)),
        (false, _) => fact("model", "none: no suggestions of a model are in this session"),
    }
    fact("program", &format!("Leukoscope {}", env!("CARGO_PKG_VERSION")));
    fact("report made", &local(&s.made));
    if let Some((operator, time, reason)) = &r.signed {
        fact("signed", &format!("{}, {}", plain_text(operator), local(time)));
        let incomplete = !table.obstacles().is_empty();
        // An amendment's reason stands before the one for what is open.
        let name = match (r.version > 1, incomplete) {
            (true, true) => "amended and signed incomplete, reasons",
            (true, false) => "amended, reason",
            (false, true) => "signed incomplete, reason",
            (false, false) => "reason",
        };
        fact(name, &plain_text(reason));
    }
    let open = table.obstacles();
    if !open.is_empty() {
        fact("not complete", &open.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "));
    }
    if let Some(anchor) = &r.anchor {
        fact("audit trail", &anchor.to_string());
    }
    t.push_str("</table>\n<p class=\"note\">Intervals are exact (Clopper–Pearson) for the cells counted; an interval that crosses a limit of the range is indeterminate. ");
    let rule = if s.rounding.is_empty() { crate::laboratory::RULE } else { &s.rounding };
    let _ = write!(t, "Rounding: {} (each number by itself; percentages may add up to 99 or 101). ", text(rule));
    for sentence in [r.ranges().map(str::to_owned), r.limits()].into_iter().flatten() {
        let _ = write!(t, "{} ", text(&sentence));
    }
    t.push_str("CLSI H20-Ed3.</p>\n");
}

/// The page. `local` writes a time (UTC, RFC 3339) as the clock of the place has it.
#[must_use]
pub fn slide_html(r: &SlideReport, local: &dyn Fn(&str) -> String) -> String {
    let table = &r.table;
    let sample = text(&r.snapshot.case.sample);
    let title = if sample.is_empty() { "Differential".into() } else { format!("Differential of {sample}") };
    let status = match (r.version, &r.signed) {
        (0, _) => r.status.code().to_owned(),
        (v, Some(_)) => format!("{}, version {v}", r.status.code()),
        // What was signed is another report than this one.
        (v, None) => format!("{}, amendment of version {v}, not signed", r.status.code()),
    };
    let mut t = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\"><title>{title}</title>\n<style>{STYLE}{PRINT}</style></head><body>\n<div class=\"status\">{status}</div>\n<h1>{title}</h1>\n<p class=\"note\">Research use only. Not for use in diagnostic procedures.</p>\n"
    );
    let _ = writeln!(
        t,
        "<p class=\"big\">{}</p>\n<p>{}. Of {} cells and squares {} reviewed by a person, {} not reviewed.</p>",
        xml_text(&r.counted()),
        xml_text(&r.confirmed()),
        table.squares,
        table.squares - table.unreviewed,
        table.unreviewed
    );
    let _ = writeln!(
        t,
        "<ul>{}</ul>",
        r.lines().iter().map(|line| format!("<li>{}</li>", xml_text(line))).collect::<String>()
    );
    t.push_str("<table><tr><th>class</th><th>count</th><th>%</th><th>95 % interval, %</th><th>×10⁹/L</th><th>reference range</th><th class=\"l\">flag</th></tr>\n");
    table.rows.iter().for_each(|row| row_html(&mut t, table, row));
    let flagged = table.wbc_flag.as_ref();
    let _ = writeln!(
        t,
        "<tr><td>all</td><td>{}</td><td></td><td></td><td>{}</td><td>{}</td><td class=\"l\">{}</td></tr></table>",
        table.white.all,
        table.wbc_written().map_or_else(String::new, |w| w.to_string()),
        range_html(flagged.map(|(_, r)| r)),
        flagged.map_or("", |(f, _)| f.as_str())
    );
    t.push_str(&distribution_svg(table));
    outside_html(&mut t, table);
    slides_html(&mut t, r);
    looked_html(&mut t, r);
    made_html(&mut t, r, local);
    t.push_str("<div class=\"sign\"><div>Operator</div><div>Date</div></div>\n</body></html>\n");
    t
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::Differential;
    use crate::laboratory::{CaseFacts, Confirmed, LeftOut, RangeSource, ReportStatus, Snapshot, example_ranges};

    /// A snapshot of counted labels; `reviewed` says whether a person has looked.
    pub(in super::super) fn snapshot(cells: &[(&str, usize, bool)], model: bool) -> Snapshot {
        let mut d = Differential::default();
        let mut confirmed = Confirmed::default();
        for (label, n, reviewed) in cells {
            (0..*n).for_each(|_| d.count(label, *reviewed, true));
            if crate::domain::role(label) == crate::domain::Role::Counted {
                *(if *reviewed { &mut confirmed.one_by_one } else { &mut confirmed.model }) += n;
            }
        }
        let five = ["basophil", "eosinophil", "lymphocyte", "monocyte", "neutrophil"].map(str::to_owned).to_vec();
        Snapshot {
            case: CaseFacts { sample: "S-1".into(), wbc: Some(6.8), target: 200, ..CaseFacts::default() },
            ranges: example_ranges(),
            classes: if model { five } else { Vec::new() },
            slides: vec![("/a/one".into(), d)],
            model: if model { ("starter".into(), "00ff".repeat(16)) } else { Default::default() },
            made: "2026-01-02T03:04:05Z".into(),
            range_source: Some(RangeSource::Examples),
            left: LeftOut::default(),
            confirmed: Some(confirmed),
            run: None,
            rounding: crate::laboratory::RULE.into(),
            cannot_name: None,
        }
    }

    pub(in super::super) fn report(sample: &str, signed: bool) -> SlideReport {
        let mut s = snapshot(
            &[
                ("neutrophil", 118, true),
                ("lymphocyte", 60, true),
                ("monocyte", 14, true),
                ("eosinophil", 8, true),
                ("NRBC", 2, true),
                ("not a white cell", 3, true),
            ],
            true,
        );
        s.case.sample = sample.into();
        s.slides.push(("/a/<two>".into(), Differential::default()));
        let status = if signed { ReportStatus::Final } else { ReportStatus::Preliminary };
        let who = signed.then(|| ("ab".into(), "2026-01-02T03:04:05Z".into(), String::new()));
        SlideReport::new(s, status, u32::from(signed), who)
    }

    fn page(r: &SlideReport) -> String {
        slide_html(r, &|t| t.replace('T', " at "))
    }

    #[test]
    fn the_page_says_what_a_laboratory_asks_for_and_takes_no_markup() {
        let page = page(&report("S-1 <script>", true));
        for word in [
            "S-1 &lt;script&gt;",
            "200 counted (target 200 reached)",
            "200 of 200 confirmed one by one",
            "59.0",
            "final, version 1",
            "Research use only",
            "indeterminate",
            "nucleated red cell",
            "excluded: not a white cell",
            "signed",
            "2026-01-02 at 03:04:05Z",
            "Example reference ranges, not validated",
            "The model cannot name band neutrophils, metamyelocytes",
            "Rounding: round half up",
            "2–7.5 ×10⁹/L",
            "&lt;two&gt;",
        ] {
            assert!(page.contains(word), "{word}: {page}");
        }
        assert!(!page.contains("<script") && !page.contains("http-equiv=\"refresh"));
        assert!(!page.to_lowercase().contains("part 11") && !page.contains("confirmed or changed by a person"));
    }

    #[test]
    fn what_the_model_alone_named_stays_preliminary_whoever_signed() {
        let cells = [("neutrophil", 89, true), ("lymphocyte", 213, false)];
        let who = Some(("ab".into(), "2026-01-02T03:04:05Z".into(), "no time".into()));
        let r = SlideReport::new(snapshot(&cells, true), ReportStatus::Final, 1, who);
        let page = page(&r);
        for word in [
            "preliminary, version 1",
            "89 of 302 confirmed one by one, 213 by the model alone",
            "302 counted (target 200 reached)",
            "signed incomplete, reason",
            "no time",
        ] {
            assert!(page.contains(word), "{word}");
        }
        assert!(!page.contains("final"));
    }

    #[test]
    fn everything_that_was_left_out_has_its_line() {
        let mut s = snapshot(&[("neutrophil", 4, true)], false);
        s.left = LeftOut {
            copies: vec!["/s/a (copy).jpg".into()],
            same_fields: vec!["/s/b.jpg".into(), "/s/c.jpg".into()],
            alike: Vec::new(),
            changed: 1,
            gone: 2,
            labels_gone: 3,
            labels_unmatched: 1,
        };
        s.run = Some(crate::laboratory::RunRecord {
            listed: true,
            to_do: 9,
            done: 2,
            end: crate::laboratory::RunEnd::Stopped,
        });
        s.range_source = Some(RangeSource::Unreadable);
        s.ranges.clear();
        s.slides[0].1.count("Blast\u{202e}cbas", true, true);
        let page = page(&SlideReport::new(s, ReportStatus::Preliminary, 0, None));
        for word in [
            "1 copy left out (the same file under another name): a (copy).jpg",
            "2 images of a field that is counted already left out, as the operator agreed: b.jpg, c.jpg",
            "1 image changed since it was looked at",
            "2 images gone since the last look",
            "Labels of images that are gone, changed or not looked at: 3",
            "Labels of cells that are not found now: 1",
            "7 images not looked at",
            "Counted as white cells, not in the catalogue: Blastcbas",
            "reference ranges cannot be read; nothing is flagged",
            "none: no suggestions of a model",
        ] {
            assert!(page.contains(word), "{word}: {page}");
        }
        assert!(!page.contains('\u{202e}') && !page.contains("The model cannot name"));
    }
}
