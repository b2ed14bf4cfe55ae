//! Tables as spreadsheets of the world save them: the separator that the first line uses, Unicode with or without a mark; columns by
//! name; and the square of a cell, which is written the same way in every table. What other columns mean is not known here.

use crate::domain::Square;
use std::borrow::Cow;

/// The largest table that is read, bytes.
pub const MAX_TABLE: u64 = 256 << 20;
/// Columns that mean something here, each of which is there once; a spreadsheet's other columns may be called what they like.
const COLUMNS: [&str; 10] = ["sha256", "path", "cell", "label", "suggested", "group", "split", "x", "y", "side"];
/// Squares lie within this many pixels: no image is as large.
const FARTHEST: f32 = 1e6;

/// What is wrong with a table, or with a row of it.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// It begins as UTF-16.
    #[error("the text is damaged: it begins as UTF-16 and is not")]
    NotUtf16,
    /// Neither UTF-16 nor UTF-8, in this line, from 1.
    #[error("line {0} is not UTF-8 text; save the table as \"CSV UTF-8\"")]
    NotUtf8(usize),
    /// The first line cannot be read.
    #[error("not a CSV: {0}")]
    NotCsv(#[source] csv::Error),
    /// A row cannot be read.
    #[error(transparent)]
    Row(#[from] csv::Error),
    /// A column that is read is there twice.
    #[error("the first line names the column {0} twice")]
    ColumnTwice(&'static str),
    /// Some columns of a square, and not all.
    #[error("a square needs the columns x, y and side; only some of them are there")]
    SomeColumns,
    /// Some numbers of a square, and not all.
    #[error("x, y and side belong together; one of them is empty")]
    SomeNumbers,
    /// A column and how its field begins, which is not a number of pixels; whether there is a comma in it.
    #[error("column {}: \"{}\" is not a number of pixels{}", .0, .1.escape_debug(), if *.2 { "; write a point, not a comma" } else { "" })]
    NoNumber(&'static str, String, bool),
    /// A square of less than a pixel.
    #[error("column side: a square of {0} pixels is none")]
    NoSquare(f32),
}

/// The text of a table, and the byte between its fields: a comma, a semicolon (where the comma is a decimal one) or a tab, whichever the
/// first line has most of.
///
/// # Errors
/// [`TableError::NotUtf16`], [`TableError::NotUtf8`].
pub fn table_text(bytes: &[u8]) -> Result<(Cow<'_, str>, u8), TableError> {
    let text = decoded(bytes)?;
    let first = text.lines().next().unwrap_or_default();
    let count = |separator: u8| first.bytes().filter(|b| *b == separator).count();
    // The first of equals is the usual one.
    let separator = [b',', b';', b'\t'].into_iter().rev().max_by_key(|s| count(*s)).unwrap_or(b',');
    Ok((text, separator))
}

/// A CSV by its first line.
pub struct Table<'a> {
    headers: csv::StringRecord,
    reader: csv::Reader<&'a [u8]>,
    square: Option<[usize; 3]>,
}

impl<'a> Table<'a> {
    /// Reads the first line of a text, as [`table_text`] gives it.
    ///
    /// # Errors
    /// When it is no CSV, names a column twice that is read, or only some of `x`, `y` and `side`.
    pub fn new(text: &'a str, separator: u8) -> Result<Self, TableError> {
        let mut reader =
            csv::ReaderBuilder::new().delimiter(separator).trim(csv::Trim::All).from_reader(text.as_bytes());
        let headers = reader.headers().map_err(TableError::NotCsv)?.clone();
        let mut table = Self { headers, reader, square: None };
        let times = |name: &&str| table.headers.iter().filter(|h| h.eq_ignore_ascii_case(name)).count();
        if let Some(name) = COLUMNS.iter().find(|name| times(name) > 1) {
            return Err(TableError::ColumnTwice(name));
        }
        table.square = match ["x", "y", "side"].map(|name| table.column(name)) {
            [Some(x), Some(y), Some(side)] => Some([x, y, side]),
            // A column "side" alone means something else.
            [None, None, _] => None,
            _ => return Err(TableError::SomeColumns),
        };
        Ok(table)
    }

    /// Where a column is, in any case of letters.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.headers.iter().position(|h| h.eq_ignore_ascii_case(name))
    }

    /// Whether it has the columns of a square.
    pub fn has_squares(&self) -> bool {
        self.square.is_some()
    }

    /// The names of the first columns, for a message.
    pub fn named(&self) -> String {
        self.headers.iter().take(12).map(|h| h.escape_debug().to_string()).collect::<Vec<_>>().join(", ")
    }

    /// The next row; nothing at the end.
    pub fn next_row(&mut self) -> Option<Result<csv::StringRecord, TableError>> {
        let mut record = csv::StringRecord::new();
        match self.reader.read_record(&mut record) {
            Ok(true) => Some(Ok(record)),
            Ok(false) => None,
            Err(e) => Some(Err(e.into())),
        }
    }

    /// The square of a row, pixels of its image: all three numbers, or none.
    ///
    /// # Errors
    /// Which column holds no number of pixels, or that one of them is empty.
    pub fn square(&self, row: &csv::StringRecord) -> Result<Option<Square>, TableError> {
        let Some(at) = self.square else { return Ok(None) };
        let fields = at.map(|i| plain_field(row.get(i).unwrap_or("")));
        if fields.iter().all(|f| f.is_empty()) {
            return Ok(None);
        }
        if fields.iter().any(|f| f.is_empty()) {
            return Err(TableError::SomeNumbers);
        }
        let mut values = [0f32; 3];
        for ((value, text), column) in values.iter_mut().zip(fields).zip(["x", "y", "side"]) {
            let number = text.parse().ok().filter(|v: &f32| v.is_finite() && v.abs() <= FARTHEST);
            *value = number
                .ok_or_else(|| TableError::NoNumber(column, text.chars().take(24).collect(), text.contains(',')))?;
        }
        let [x, y, side] = values;
        if side < 1.0 {
            return Err(TableError::NoSquare(side));
        }
        Ok(Some(Square { x, y, side }))
    }
}

/// A field without the apostrophe that keeps a spreadsheet from taking it for a formula.
pub fn plain_field(field: &str) -> &str {
    match field.strip_prefix('\'') {
        Some(rest) if rest.starts_with(['=', '+', '-', '@']) => rest,
        _ => field,
    }
}

fn decoded(bytes: &[u8]) -> Result<Cow<'_, str>, TableError> {
    let wide = |from: fn([u8; 2]) -> u16| {
        let (pairs, rest) = bytes[2..].as_chunks::<2>();
        let units: Vec<u16> = pairs.iter().map(|p| from(*p)).collect();
        let text = String::from_utf16(&units).ok().filter(|_| rest.is_empty());
        text.map(Cow::Owned).ok_or(TableError::NotUtf16)
    };
    match bytes {
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        _ => {
            std::str::from_utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)).map(Cow::Borrowed).map_err(|e| {
                let line = bytes[..e.valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
                TableError::NotUtf8(line)
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_square_is_all_of_its_three_numbers_and_a_column_is_named_once() {
        let squares = |text: &str| {
            let mut table = Table::new(text, b',')?;
            let mut found = Vec::new();
            while let Some(row) = table.next_row() {
                found.push(table.square(&row?)?.map(|s| (s.x, s.y, s.side)));
            }
            Ok::<_, TableError>(found)
        };
        assert_eq!(squares("label,X,y,side\na,'-1.5,2,80\nb,,,\n").expect("reads"), [Some((-1.5, 2.0, 80.0)), None]);
        assert_eq!(squares("label,side,note,note\na,left,,\n").expect("reads"), [None]);
        for (text, word) in [
            ("label,x,side\na,1,2\n", "only some"),
            ("label,x,y,side\na,1,,3\n", "belong together"),
            ("label,x,y,side\na,1,2,zero\n", "column side"),
            ("label,x,y,side\na,NaN,2,3\n", "column x"),
            ("label,x,y,side\na,1,1e7,3\n", "column y"),
            ("label,x,y,side\na,1,2,0\n", "is none"),
            ("label,x,Label\n", "names the column label twice"),
        ] {
            let e = squares(text).expect_err(text).to_string();
            assert!(e.contains(word), "{text:?}: {e}");
        }
    }

    #[test]
    fn separators_and_encodings_of_spreadsheets_are_read() {
        let of = |bytes: &[u8]| table_text(bytes).map(|(t, s)| (t.into_owned(), s));
        for (text, separator) in [
            ("path,label\na,b\n", b','),
            ("path;label\na;b,c\n", b';'),
            ("path\tlabel\na\tb\n", b'\t'),
            ("path\n", b','),
        ] {
            let wide = |f: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(f).collect::<Vec<u8>>();
            let expected = (text.to_owned(), separator);
            assert_eq!(of(text.as_bytes()).expect("plain"), expected);
            assert_eq!(of(&[b"\xef\xbb\xbf", text.as_bytes()].concat()).expect("with a mark"), expected);
            assert_eq!(of(&[b"\xff\xfe".to_vec(), wide(u16::to_le_bytes)].concat()).expect("wide"), expected);
            assert_eq!(of(&[b"\xfe\xff".to_vec(), wide(u16::to_be_bytes)].concat()).expect("wide"), expected);
        }
        let latin = of(b"path,label\nz\xe4hlung.png,a\n").expect_err("latin").to_string();
        assert!(latin.contains("line 2") && latin.contains("UTF-8"), "{latin}");
        assert!(of(b"\xff\xfe\0").is_err());
    }
}
