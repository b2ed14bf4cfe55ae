//! A case as FHIR R4: a `Bundle` of type `collection` with a `DiagnosticReport`, one `Observation` a row, the `Device` that
//! suggested the classes, and the `Specimen`. No patient: a sample id alone.
//!
//! Codes are method-neutral LOINC; the method stands in `Observation.method`, because a count that software suggested and a
//! person confirmed is neither automated nor manual.

use super::slide::METHOD;
use crate::domain::Digest;
use crate::laboratory::{Flag, ReferenceRange, ReportStatus, SlideReport, Unit};
use serde_json::{Map, Value, json};

/// Percent and absolute codes of the five classes (LOINC 2.x).
const LOINC: [(&str, &str, &str); 5] = [
    ("neutrophil", "26511-6", "26499-4"),
    ("lymphocyte", "26478-8", "26474-7"),
    ("monocyte", "26485-3", "26484-6"),
    ("eosinophil", "26450-7", "26449-9"),
    ("basophil", "30180-4", "26444-0"),
];
/// Differential panel.
const PANEL: &str = "24318-8";
/// Leukocytes in blood.
const LEUKOCYTES: &str = "26464-8";
const RESEARCH: &str = "Research use only. Not for use in diagnostic procedures.";

/// The bundle, indented JSON. `digest` is of what the report is about; ids are made from it, so that the same report has the
/// same ids.
#[must_use]
pub fn slide_fhir(r: &SlideReport, digest: impl Fn(&[u8]) -> Digest) -> Value {
    let seed = format!("{}\n{}\n{}\n{}", r.case.sample, r.version, r.made, r.model.1);
    let id = |name: &str| uuid(&digest(format!("{seed}\n{name}").as_bytes()));
    let url = |name: &str| format!("urn:uuid:{}", id(name));
    let made = &r.made;
    let mut observations: Vec<(String, Value)> = Vec::new();
    let n = r.table.white.all;
    let observation = |name: &str, code: Value, value: Value, rest: Map<String, Value>, note: String| {
        let mut o = json!({
            "resourceType": "Observation",
            "id": id(name),
            "status": r.status.code(),
            "category": [{"coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                "code": "laboratory", "display": "Laboratory"}]}],
            "code": code,
            "effectiveDateTime": made,
            "method": {"text": METHOD},
            "specimen": {"reference": url("specimen"), "type": "Specimen"},
            "device": {"reference": url("device"), "type": "Device"},
            "note": [{"text": format!("{note} {RESEARCH}")}],
        });
        if let Some(o) = o.as_object_mut() {
            match value {
                Value::Null => drop(o.insert(
                    "dataAbsentReason".into(),
                    json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason",
                        "code": "not-performed", "display": "Not Performed"}]}),
                )),
                value => drop(o.insert("valueQuantity".into(), value)),
            }
            o.extend(rest);
        }
        (name.to_owned(), o)
    };
    for row in &r.table.rows {
        let known = LOINC.iter().find(|(label, ..)| *label == row.label.trim().to_lowercase().trim_end_matches('s'));
        let code = |unit: Unit| {
            let text = match unit {
                Unit::Percent => format!("{}s per 100 leukocytes", capital(&row.label)),
                Unit::Absolute => format!("{}s, absolute count", capital(&row.label)),
            };
            match known {
                Some((_, percent, absolute)) => {
                    let code = if unit == Unit::Percent { percent } else { absolute };
                    json!({"coding": [{"system": "http://loinc.org", "code": code}], "text": text})
                }
                None => json!({"text": text}),
            }
        };
        let rest = |unit: Unit| {
            let mut rest = Map::new();
            if let Some(range) = row.range.as_ref().filter(|range| range.unit == unit) {
                rest.extend(range_json(range));
                rest.extend(row.flag.map(interpretation));
            }
            rest
        };
        let counted = format!("{} of {n} cells, {} of them reviewed.", row.count.all, row.count.reviewed);
        let (value, note) = match row.share {
            Some((share, low, high)) => (
                quantity(if n < 200 { (share * 100.0).round() } else { rounded(share * 100.0, 1) }, Unit::Percent),
                format!("{counted} 95 % interval (Clopper–Pearson) {:.1}–{:.1} %.", 100.0 * low, 100.0 * high),
            ),
            None => (Value::Null, "Nothing was counted.".into()),
        };
        observations.push(observation(
            &format!("{} percent", row.label),
            code(Unit::Percent),
            value,
            rest(Unit::Percent),
            note,
        ));
        if let Some((value, low, high)) = row.absolute {
            let note =
                format!("{counted} 95 % interval of the share times the white cell count: {low:.2}–{high:.2} ×10⁹/L.");
            observations.push(observation(
                &format!("{} absolute", row.label),
                code(Unit::Absolute),
                quantity(rounded(value, 3), Unit::Absolute),
                rest(Unit::Absolute),
                note,
            ));
        }
    }
    if let Some(wbc) = r.table.wbc {
        let mut rest = Map::new();
        if let Some((flag, range)) = &r.table.wbc_flag {
            rest.extend(range_json(range));
            rest.extend([interpretation(*flag)]);
        }
        let code = json!({"coding": [{"system": "http://loinc.org", "code": LEUKOCYTES}], "text": "Leukocytes"});
        let note = "As entered, corrected for the nucleated red cells that were counted.".to_owned();
        observations.push(observation("WBC", code, quantity(rounded(wbc, 3), Unit::Absolute), rest, note));
    }
    for (label, count, per) in &r.table.outside {
        let code = json!({"text": format!("{label} per 100 leukocytes")});
        let value = json!({"value": rounded(*per, 1), "unit": "/100 WBC", "system": "http://unitsofmeasure.org", "code": "/100{WBCs}"});
        let note = format!("{count} beside {n} white cells.");
        observations.push(observation(&format!("{label} outside"), code, value, Map::new(), note));
    }
    let mut report = json!({
        "resourceType": "DiagnosticReport",
        "id": id("report"),
        "text": {"status": "generated", "div": narrative(r)},
        "status": r.status.code(),
        "category": [{"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "HM", "display": "Hematology"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": PANEL}], "text": "White cell differential"},
        "effectiveDateTime": made,
        "issued": r.signed.as_ref().map_or(made, |(_, time, _)| time),
        "specimen": [{"reference": url("specimen"), "type": "Specimen"}],
        "result": observations.iter().map(|(name, _)| json!({"reference": url(name), "type": "Observation"})).collect::<Vec<_>>(),
    });
    if let (Some((operator, ..)), Some(report)) = (&r.signed, report.as_object_mut())
        && r.status != ReportStatus::Preliminary
    {
        report.insert("resultsInterpreter".into(), json!([{"display": format!("Operator {operator}")}]));
    }
    let mut specimen = json!({"resourceType": "Specimen", "id": id("specimen"), "type": {"text": "Blood smear"}});
    if let (false, Some(specimen)) = (r.case.sample.is_empty(), specimen.as_object_mut()) {
        specimen.insert("identifier".into(), json!([{"value": r.case.sample}]));
    }
    let device = json!({
        "resourceType": "Device",
        "id": id("device"),
        "identifier": [{"type": {"text": "SHA-256 of the model"}, "value": r.model.1}],
        "deviceName": [{"name": "Leukoscope", "type": "manufacturer-name"}, {"name": r.model.0, "type": "model-name"}],
        "type": {"text": "Software that finds and classifies white blood cells"},
        "version": [{"value": env!("CARGO_PKG_VERSION")}],
        "note": [{"text": RESEARCH}],
    });
    let mut entries = vec![("report".to_owned(), report)];
    entries.extend(observations);
    entries.extend([("specimen".to_owned(), specimen), ("device".to_owned(), device)]);
    let entry: Vec<Value> =
        entries.into_iter().map(|(name, resource)| json!({"fullUrl": url(&name), "resource": resource})).collect();
    json!({
        "resourceType": "Bundle",
        "id": id("bundle"),
        "meta": {"tag": [{"system": "urn:leukoscope:use", "code": "research-use-only", "display": RESEARCH}]},
        "identifier": {"system": "urn:ietf:rfc:3986", "value": url("bundle")},
        "type": "collection",
        "timestamp": made,
        "entry": entry,
    })
}

fn capital(label: &str) -> String {
    let mut chars = label.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

fn rounded(value: f64, decimals: i32) -> f64 {
    let scale = 10f64.powi(decimals);
    (value * scale).round() / scale
}

fn quantity(value: f64, unit: Unit) -> Value {
    let text = if unit == Unit::Percent { "%" } else { "10*9/L" };
    json!({"value": value, "unit": text, "system": "http://unitsofmeasure.org", "code": unit.ucum()})
}

fn range_json(range: &ReferenceRange) -> Map<String, Value> {
    let mut one = Map::new();
    one.extend(range.low.map(|v| ("low".to_owned(), quantity(v, range.unit))));
    one.extend(range.high.map(|v| ("high".to_owned(), quantity(v, range.unit))));
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

/// The report in words, XHTML.
fn narrative(r: &SlideReport) -> String {
    use super::escape::xml_text;
    let rows: String = r
        .table
        .rows
        .iter()
        .map(|row| {
            let percent = row.share.map_or_else(|| "-".into(), |(s, ..)| format!("{} %", r.table.percent(s)));
            format!("<tr><td>{}</td><td>{}</td><td>{percent}</td></tr>", xml_text(&row.label), row.count.all)
        })
        .collect();
    format!(
        "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>White cell differential, {} of {} cells counted. {RESEARCH}</p><table>{rows}</table></div>",
        r.table.white.all, r.table.target
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
    use super::super::slide::tests::report;
    use super::*;

    #[test]
    fn every_reference_leads_to_an_entry_and_no_patient_is_named() {
        for signed in [false, true] {
            let bundle = slide_fhir(&report("S-1", signed), crate::files::digest_of);
            let entries = bundle["entry"].as_array().expect("entries");
            let urls: Vec<&str> = entries.iter().filter_map(|e| e["fullUrl"].as_str()).collect();
            let text = bundle.to_string();
            assert!(!text.contains("Patient") && !text.to_lowercase().contains("diagnosis"));
            for reference in text.split("\"reference\":\"").skip(1).filter_map(|t| t.split('"').next()) {
                assert!(urls.contains(&reference), "{reference}");
            }
            let unique: std::collections::BTreeSet<&&str> = urls.iter().collect();
            assert_eq!(unique.len(), urls.len());
            let of = |kind: &str| entries.iter().filter(|e| e["resource"]["resourceType"] == kind).count();
            // Five classes in percent and absolute, the white cell count, nucleated red cells.
            assert_eq!(["DiagnosticReport", "Observation", "Device", "Specimen"].map(of), [1, 12, 1, 1]);
            assert_eq!(entries[0]["resource"]["status"], if signed { "final" } else { "preliminary" });
        }
        let bundle = slide_fhir(&report("S-1", true), crate::files::digest_of);
        let neutrophils = &bundle["entry"][1]["resource"];
        assert_eq!(neutrophils["code"]["coding"][0]["code"], "26511-6");
        assert_eq!(
            (neutrophils["valueQuantity"]["value"].as_f64(), neutrophils["valueQuantity"]["code"].as_str()),
            (Some(59.0), Some("%"))
        );
        assert_eq!(
            bundle,
            slide_fhir(&report("S-1", true), crate::files::digest_of),
            "the same report has the same ids"
        );
    }

    /// The fixture is this very report. It was found valid against FHIR R4 (4.0.1) by `fhir.resources` 6.2 (PyPI, HL7's
    /// models), `fhir` 4.12 and `@medplum/core` 5.2 (npm). Whoever changes the bundle validates it again.
    #[test]
    fn the_bundle_is_the_one_that_was_validated() {
        let fixture = include_str!("../../tests/fixtures/fhir/report.json");
        let validated: Value = serde_json::from_str(fixture).expect("JSON");
        assert_eq!(slide_fhir(&report("S-1", true), crate::files::digest_of), validated);
    }
}
