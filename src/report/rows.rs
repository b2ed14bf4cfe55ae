//! One row per cell, as `classify` promises: CSV in the contract's column order, or a JSON array of the same.
//!
//! Rows become bytes one image at a time, so that any number of images streams through.

use super::escape::csv_text;
use crate::domain::{CellResult, ClassSet, ImageResult, Outcome, Status, name_of_flag};
use crate::files::display_path;
use serde_json::{Map, Value, json};

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RowFormat {
    /// Comma-separated, a header line, RFC 4180 quoting.
    #[default]
    Csv,
    /// A JSON array, one object a row on its own line.
    Json,
}

/// What every row carries beside its own result.
#[derive(Debug, Clone)]
pub struct Stamp {
    /// Labels in the model's order.
    pub classes: ClassSet,
    /// SHA-256 of the model, hexadecimal.
    pub model: String,
}

/// Turns results into bytes.
#[derive(Debug)]
pub struct RowWriter {
    format: RowFormat,
    stamp: Stamp,
    rows: usize,
}

impl RowWriter {
    /// A writer for one table.
    pub fn new(format: RowFormat, stamp: Stamp) -> Self {
        Self { format, stamp, rows: 0 }
    }

    /// What comes before the first row.
    pub fn head(&self) -> Vec<u8> {
        match self.format {
            RowFormat::Json => b"[".to_vec(),
            RowFormat::Csv => {
                let mut columns: Vec<String> =
                    ["path", "cell", "status", "label", "confidence"].map(String::from).into();
                columns.extend(self.stamp.classes.labels().iter().map(|l| format!("p_{l}")));
                columns.extend(
                    ["x", "y", "side", "width", "height", "sha256", "model", "provider", "error", "flags", "views"]
                        .map(String::from),
                );
                csv_line(&columns)
            }
        }
    }

    /// The rows of one image.
    pub fn image(&mut self, result: &ImageResult) -> Vec<u8> {
        let mut out = Vec::new();
        match &result.outcome {
            Outcome::Cells(cells) if !cells.is_empty() => {
                for cell in cells {
                    out.extend(self.row(result, cell.number, Some(cell)));
                }
            }
            _ => out.extend(self.row(result, 0, None)),
        }
        out
    }

    /// What comes after the last row.
    pub fn tail(&self) -> Vec<u8> {
        match self.format {
            RowFormat::Csv => Vec::new(),
            RowFormat::Json => b"\n]\n".to_vec(),
        }
    }

    fn row(&mut self, result: &ImageResult, number: u32, cell: Option<&CellResult>) -> Vec<u8> {
        let status = cell.map_or_else(|| result.status(), CellResult::status);
        let label = cell.map_or("", |c| match c.status() {
            Status::Ok => self.stamp.classes.label(c.probabilities.top().0).unwrap_or(""),
            _ => "unidentified",
        });
        let error = match &result.outcome {
            Outcome::Failed(failure) => failure.reason(),
            Outcome::Cells(_) => "",
        };
        let path = display_path(&result.path);
        let digest = result.digest.map_or_else(String::new, |d| d.to_string());
        let provider = result.provider.as_deref().unwrap_or("");
        self.rows += 1;
        match self.format {
            RowFormat::Csv => {
                let mut f: Vec<String> =
                    vec![csv_text(&path).into(), number.to_string(), status.as_str().into(), label.into()];
                f.push(cell.map_or_else(String::new, |c| format!("{:.6}", c.probabilities.top().1)));
                match cell {
                    Some(c) => f.extend(c.probabilities.values().iter().map(|p| format!("{p:.6}"))),
                    None => f.extend(self.stamp.classes.labels().iter().map(|_| String::new())),
                }
                match cell.map(|c| c.square) {
                    Some(s) => f.extend([s.x, s.y, s.side].map(|v| format!("{v:.1}"))),
                    None => f.extend([const { String::new() }; 3]),
                }
                match result.size {
                    Some((w, h)) => f.extend([w.to_string(), h.to_string()]),
                    None => f.extend([const { String::new() }; 2]),
                }
                f.extend([digest, self.stamp.model.clone(), provider.into(), csv_text(error).into()]);
                f.push(cell.map_or_else(String::new, |c| csv_text(&flag_names(c).join(";")).into()));
                f.push(cell.and_then(|c| c.views).map_or_else(String::new, |n| n.to_string()));
                csv_line(&f)
            }
            RowFormat::Json => {
                let mut o = Map::new();
                let mut put = |key: &str, value: Value| o.insert(key.into(), value);
                put("path", path.into());
                put("cell", number.into());
                put("status", status.as_str().into());
                put("label", if label.is_empty() { Value::Null } else { label.into() });
                put("confidence", cell.map_or(Value::Null, |c| rounded(c.probabilities.top().1, 6)));
                for (i, l) in self.stamp.classes.labels().iter().enumerate() {
                    put(&format!("p_{l}"), cell.map_or(Value::Null, |c| rounded(c.probabilities.values()[i], 6)));
                }
                for (key, v) in [
                    ("x", cell.map(|c| c.square.x)),
                    ("y", cell.map(|c| c.square.y)),
                    ("side", cell.map(|c| c.square.side)),
                ] {
                    put(key, v.map_or(Value::Null, |v| rounded(v, 1)));
                }
                put("width", result.size.map_or(Value::Null, |s| s.0.into()));
                put("height", result.size.map_or(Value::Null, |s| s.1.into()));
                put("sha256", if digest.is_empty() { Value::Null } else { digest.into() });
                put("model", self.stamp.model.clone().into());
                put("provider", if provider.is_empty() { Value::Null } else { provider.into() });
                put("error", if error.is_empty() { Value::Null } else { error.into() });
                put("warnings", json!(result.warnings));
                // How unlike the training images it is; above 1 is unlike them. Null where the model cannot tell.
                put("unlike", cell.and_then(|c| c.ood_score).map_or(Value::Null, |u| rounded(u, 4)));
                put("flags", json!(cell.map_or_else(Vec::new, flag_names)));
                put("views", cell.and_then(|c| c.views).map_or(Value::Null, Into::into));
                put("doubt", cell.and_then(|c| c.doubt).map_or(Value::Null, |d| rounded(d, 4)));
                put("rejected", if is_first(result, cell) { rejected(result) } else { json!([]) });
                let comma = if self.rows > 1 { "," } else { "" };
                format!("{comma}\n{}", Value::Object(o)).into_bytes()
            }
        }
    }
}

/// What the model suspects of a cell beside its class.
fn flag_names(cell: &CellResult) -> Vec<String> {
    cell.flags.iter().map(|label| name_of_flag(label)).collect()
}

/// Whether a row is the first one of its image.
fn is_first(result: &ImageResult, cell: Option<&CellResult>) -> bool {
    match (&result.outcome, cell) {
        (Outcome::Cells(cells), Some(cell)) => cells.first().is_some_and(|c| c.number == cell.number),
        _ => true,
    }
}

/// Places of an image that were looked at and are no white cell.
fn rejected(result: &ImageResult) -> Value {
    let place = |r: &crate::domain::RejectedPlace| {
        let [x, y, side] = [r.square.x, r.square.y, r.square.side].map(|v| rounded(v, 1));
        json!({"number": r.number, "x": x, "y": y, "side": side, "doubt": rounded(r.doubt, 4)})
    };
    json!(result.rejected.iter().map(place).collect::<Vec<_>>())
}

fn rounded(v: f32, decimals: i32) -> Value {
    let scale = 10f64.powi(decimals);
    json!((f64::from(v) * scale).round() / scale)
}

fn csv_line(fields: &[String]) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    // Writing into memory does not fail.
    let _ = writer.write_record(fields);
    writer.into_inner().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Digest, Failure, Probabilities, RejectedPlace, Square};

    fn result(path: &str, outcome: Outcome) -> ImageResult {
        ImageResult {
            index: 0,
            path: path.into(),
            digest: Some(Digest([1; 32])),
            size: Some((640, 480)),
            outcome,
            warnings: vec![],
            provider: Some("cpu".into()),
            rejected: Vec::new(),
        }
    }

    fn writer(format: RowFormat) -> RowWriter {
        let classes = ClassSet::new(vec!["a".into(), "b".into()]).expect("classes");
        RowWriter::new(format, Stamp { classes, model: "f".repeat(64) })
    }

    fn cell() -> CellResult {
        let probabilities = Probabilities::new(vec![0.25, 0.75]).expect("sums to one");
        CellResult {
            number: 1,
            square: Square { x: -3.25, y: 10.0, side: 80.5 },
            probabilities,
            accepted: true,
            ood_score: None,
            features: Vec::new(),
            doubt: None,
            flags: vec!["platelet".into()],
            views: Some(8),
        }
    }

    #[test]
    fn the_columns_are_the_contracts() {
        let mut w = writer(RowFormat::Csv);
        assert_eq!(
            String::from_utf8(w.head()).expect("text"),
            "path,cell,status,label,confidence,p_a,p_b,x,y,side,width,height,sha256,model,provider,error,flags,views\n"
        );
        let row = String::from_utf8(w.image(&result("=a,\"b\".png", Outcome::Cells(vec![cell()])))).expect("text");
        assert!(
            row.starts_with("\"'=a,\"\"b\"\".png\",1,ok,b,0.750000,0.250000,0.750000,-3.2,10.0,80.5,640,480,0101"),
            "{row}"
        );
        assert!(row.ends_with(",cpu,,platelet?,8\n"), "{row}");
        let row =
            String::from_utf8(w.image(&result("x", Outcome::Failed(Failure::Image("why".into()))))).expect("text");
        assert!(row.starts_with("x,0,failed,,,,,,,,640,480,") && row.ends_with(",cpu,why,,\n"), "{row}");
    }

    #[test]
    fn json_is_an_array_whatever_is_in_it() {
        for n in 0..3 {
            let mut w = writer(RowFormat::Json);
            let mut bytes = w.head();
            for _ in 0..n {
                bytes.extend(w.image(&result("p\n", Outcome::Cells(vec![cell(), cell()]))));
            }
            bytes.extend(w.tail());
            let value: Value = serde_json::from_slice(&bytes).expect("JSON");
            assert_eq!(value.as_array().map(Vec::len), Some(2 * n));
        }
    }

    #[test]
    fn json_says_once_an_image_which_places_were_rejected() {
        let square = Square { x: 1.0, y: -2.0, side: 30.0 };
        let place = RejectedPlace { number: 2, square, doubt: 0.75 };
        let second = CellResult { number: 3, ..cell() };
        let rows = |cells: Vec<CellResult>| {
            let mut w = writer(RowFormat::Json);
            let image = ImageResult { rejected: vec![place.clone()], ..result("p", Outcome::Cells(cells)) };
            let bytes = [w.head(), w.image(&image), w.tail()].concat();
            serde_json::from_slice::<Value>(&bytes).expect("JSON")
        };
        let both = rows(vec![cell(), second]);
        assert_eq!(both[0]["rejected"][0], json!({"number": 2, "x": 1.0, "y": -2.0, "side": 30.0, "doubt": 0.75}));
        assert_eq!(both[1]["rejected"], json!([]));
        assert_eq!(rows(Vec::new())[0]["rejected"].as_array().map(Vec::len), Some(1));
    }
}
