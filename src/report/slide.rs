//! A case as a page that prints: `report.html`, in one file that needs nothing else.

use super::escape::xml_text;
use super::learning::UNDEFINED;
use super::page::{Page, head_row, list};
use crate::domain::CellClass;
use crate::laboratory::{
    DifferentialRow, DifferentialTable, Flag, ReferenceRange, Sex, SlideReport, count_of, plain_text,
};
use maud::{Markup, PreEscaped, display, html};
use std::fmt::{Display, Write};

/// What is left of the page where a printer ends.
const PRINT: &str = "@page{size:A4;margin:15mm}@media print{body{font-size:12px}}td{white-space:nowrap}td.l{white-space:normal}.status{float:right;border:2px solid #444;padding:.2em .8em;border-radius:4px;font-weight:600}.sign{margin-top:3em;display:flex;gap:4em}.sign div{border-top:1px solid #444;min-width:16em;padding-top:.3em}td.l,th.l{text-align:left}.looked{display:flex;flex-wrap:wrap;gap:12px}.looked figure{margin:0;break-inside:avoid}.looked img{width:240px;display:block}.high,.low{font-weight:700}";

/// The distribution as bars with their intervals, standing on its own.
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

/// Text from outside for a drawing or FHIR, plain and escaped.
pub(super) fn text(text: &str) -> String {
    xml_text(&plain_text(text))
}

/// A class' colour on paper.
fn colour(label: &str) -> String {
    let [r, g, b] = CellClass::find(label).map_or([0x6b; 3], |c| c.colour[1]);
    format!("#{r:02x}{g:02x}{b:02x}")
}

fn or_dash(value: Option<impl Display>) -> String {
    value.map_or_else(|| UNDEFINED.to_owned(), |v| v.to_string())
}

fn range_text(range: Option<&ReferenceRange>) -> String {
    or_dash(range.map(|r| format!("{} {}", r.text(), r.unit.text())))
}

fn row_html(table: &DifferentialTable, row: &DifferentialRow) -> Markup {
    let flag = row.flag.map_or("", Flag::as_str);
    html! {
        tr {
            td { (plain_text(&row.label)) }
            td { (row.count.all) }
            td { (or_dash(row.percent(table))) }
            td { (or_dash(row.limits().map(|(low, high)| format!("{low}–{high}")))) }
            td {
                @if let Some((a, low, high)) = row.absolute() {
                    (display(a)) " " small { (display(low)) "–" (display(high)) }
                } @else { (UNDEFINED) }
            }
            td { (range_text(row.range.as_ref())) }
            td class={ "l " (flag) } { (flag) }
        }
    }
}

fn table_html(table: &DifferentialTable) -> Markup {
    let flagged = table.wbc_flag.as_ref();
    html! {
        table {
            tr {
                @for name in ["class", "count", "%", "95 % interval, %", "×10⁹/L", "reference range"] { th { (name) } }
                th.l { "flag" }
            }
            @for row in &table.rows { (row_html(table, row)) }
            tr {
                td { "all" }
                td { (table.white.all) }
                td {}
                td {}
                td { @if let Some(w) = table.wbc_written() { (display(w)) } }
                td { (range_text(flagged.map(|(_, r)| r))) }
                td.l { (flagged.map_or("", |(f, _)| f.as_str())) }
            }
        }
    }
}

/// What stands outside the 100 %.
fn outside_html(table: &DifferentialTable) -> Markup {
    if table.outside.is_empty() && table.excluded.is_empty() && table.unidentified == 0 {
        return Markup::default();
    }
    html! {
        h2 { "Outside the 100 %" }
        table {
            (head_row(&["what", "count", "per 100 white cells"]))
            @for (label, n, per) in &table.outside {
                tr { td { (plain_text(label)) } td { (n) } td { (or_dash(table.per_hundred(*per))) } }
            }
            @for (label, n) in &table.excluded {
                tr { td { "excluded: " (plain_text(label)) } td { (n) } td {} }
            }
            @if table.unidentified > 0 { tr { td { "unidentified" } td { (table.unidentified) } td {} } }
        }
    }
}

fn slides_html(r: &SlideReport) -> Markup {
    if r.snapshot.slides.len() < 2 {
        return Markup::default();
    }
    html! {
        h2 { "Slides" }
        table {
            tr {
                th { "slide" }
                @for row in &r.table.rows { th { (plain_text(&row.label)) } }
                th { "all" }
                th { "reviewed" }
            }
            @for (path, d) in &r.snapshot.slides {
                tr {
                    td { (plain_text(&crate::files::display_name(path))) }
                    @for row in &r.table.rows { td { (count_of(d, &row.label).all) } }
                    td { (d.white().all) }
                    td { (d.squares().reviewed) }
                }
            }
        }
    }
}

fn looked_html(r: &SlideReport) -> Markup {
    if r.heat_maps.is_empty() {
        return Markup::default();
    }
    html! {
        h2 { "Where the model looked" }
        p {
            "Of each class the surest cells and the least sure one: the cell, and beside it what spoke for the class. "
            "Made for this page; no part of what is signed."
        }
        div.looked {
            @for c in &r.heat_maps {
                @let label = plain_text(&c.label);
                @let jpeg = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &c.jpeg);
                figure {
                    img alt={ (label) ", and where the model looked" } src={ "data:image/jpeg;base64," (jpeg) };
                    figcaption {
                        (label) (format!(" {:.1} %", 100.0 * c.confidence)) br;
                        small { (plain_text(&c.file)) ", cell " (c.cell) "; " (c.how) }
                    }
                }
            }
        }
    }
}

/// How the report was made, by name; what is empty is left out.
fn made_facts(r: &SlideReport, local: &dyn Fn(&str) -> String) -> Vec<(&'static str, String)> {
    let (table, s) = (&r.table, &r.snapshot);
    let litre = |n: &dyn Display| format!("{n} ×10⁹/L");
    let corrected = table.wbc_written().filter(|_| table.corrected());
    let model = if r.has_model() {
        format!("{}, SHA-256 {}", plain_text(&s.model.0), s.model.1)
    } else {
        "none: no suggestions of a model are in this session".into()
    };
    let mut facts = vec![
        ("sample", plain_text(&s.case.sample)),
        ("white cell count entered", table.wbc_entered.map_or_else(String::new, |n| litre(&n))),
        ("corrected for nucleated red cells", corrected.map_or_else(String::new, |n| litre(&n))),
        ("age", s.case.age.map_or_else(String::new, |a| format!("{a} years"))),
        ("sex", if s.case.sex == Sex::Any { String::new() } else { s.case.sex.as_str().into() }),
        ("method", r.method()),
        ("model", model),
        ("program", format!("Leukoscope {}", env!("CARGO_PKG_VERSION"))),
        ("report made", local(&s.made)),
    ];
    let open = table.obstacles();
    if let Some((operator, time, reason)) = &r.signed {
        facts.push(("signed", format!("{}, {}", plain_text(operator), local(time))));
        // An amendment's reason stands before the one for what is open.
        let name = match (r.version > 1, !open.is_empty()) {
            (true, true) => "amended and signed incomplete, reasons",
            (true, false) => "amended, reason",
            (false, true) => "signed incomplete, reason",
            (false, false) => "reason",
        };
        facts.push((name, plain_text(reason)));
    }
    facts.push(("not complete", open.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")));
    facts.push(("audit trail", r.anchor.as_ref().map_or_else(String::new, ToString::to_string)));
    facts.retain(|(_, value)| !value.is_empty());
    facts
}

fn made_html(r: &SlideReport, local: &dyn Fn(&str) -> String) -> Markup {
    let rounding = &r.snapshot.rounding;
    let rule = if rounding.is_empty() { crate::laboratory::RULE } else { rounding };
    html! {
        h2 { "How it was made" }
        table { @for (name, value) in made_facts(r, local) { tr { td { (name) } td.l { (value) } } } }
        p.note {
            "Intervals are exact (Clopper–Pearson) for the cells counted; an interval that crosses a limit of the range is "
            "indeterminate. Rounding: " (plain_text(rule))
            " (each number by itself; percentages may add up to 99 or 101). "
            @for sentence in [r.ranges().map(str::to_owned), r.limits()].iter().flatten() { (plain_text(sentence)) " " }
            "CLSI H20-Ed3."
        }
    }
}

/// The page. `local` writes a time (UTC, RFC 3339) as the clock of the place has it.
pub fn slide_html(r: &SlideReport, local: &dyn Fn(&str) -> String) -> String {
    let table = &r.table;
    let sample = plain_text(&r.snapshot.case.sample);
    let title = if sample.is_empty() { "Differential".into() } else { format!("Differential of {sample}") };
    let body = html! {
        div.status {
            (r.status.code())
            @match (r.version, &r.signed) {
                (0, _) => {}
                (v, Some(_)) => { ", version " (v) }
                // What was signed is another report than this one.
                (v, None) => { ", amendment of version " (v) ", not signed" }
            }
        }
        h1 { (title) }
        p.note { "Research use only. Not for use in diagnostic procedures." }
        p.big { (r.counted()) }
        p {
            (r.confirmed()) ". Of " (table.squares) " cells and squares " (table.squares - table.unreviewed)
            " reviewed by a person, " (table.unreviewed) " not reviewed."
        }
        (list(r.lines()))
        (table_html(table))
        (PreEscaped(distribution_svg(table)))
        (outside_html(table))
        (slides_html(r))
        (looked_html(r))
        (made_html(r, local))
        div.sign { div { "Operator" } div { "Date" } }
    };
    Page { title: &title, viewport: true, style: PRINT, policy: "; img-src data:" }.around(&body)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::Differential;
    use crate::laboratory::{
        CaseFacts, Confirmed, HeatMapExample, LeftOut, RangeSource, ReportStatus, Snapshot, example_ranges,
    };
    use crate::report::page::tests::stays_text;

    /// A snapshot of counted labels; `reviewed` says whether the user has looked.
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
    fn a_name_cannot_break_out() {
        stays_text(|name| {
            let mut r = report(name, true);
            let also = || name.to_owned();
            r.snapshot.slides[1].0 = format!("/a/{name}").into();
            r.snapshot.slides[0].1.count(name, true, true);
            r.snapshot.left.copies = vec![format!("/s/{name}").into()];
            (r.snapshot.model.0, r.snapshot.rounding) = (also(), also());
            r.signed = Some((also(), also(), also()));
            r.table = r.snapshot.table();
            r.heat_maps = vec![HeatMapExample {
                label: also(),
                file: also(),
                cell: 1,
                confidence: 0.5,
                how: "by hand",
                jpeg: vec![1, 2, 3],
            }];
            page(&r)
        });
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
