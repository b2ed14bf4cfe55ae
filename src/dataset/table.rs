//! The text of a CSV as spreadsheets of the world save it: the separator that its first line uses, and Unicode with or without a mark.
//! What a column means is not known here.

use std::borrow::Cow;

/// The text of a table, and the byte between its fields: a comma, a semicolon (where the comma is a decimal one) or a tab, whichever the
/// first line has most of.
///
/// # Errors
/// What the text is instead, and what to do.
pub fn table_text(bytes: &[u8]) -> Result<(Cow<'_, str>, u8), String> {
    let text = decoded(bytes)?;
    let first = text.lines().next().unwrap_or_default();
    let count = |separator: u8| first.bytes().filter(|b| *b == separator).count();
    // The first of equals is the usual one.
    let separator = [b',', b';', b'\t'].into_iter().rev().max_by_key(|s| count(*s)).unwrap_or(b',');
    Ok((text, separator))
}

fn decoded(bytes: &[u8]) -> Result<Cow<'_, str>, String> {
    let wide = |from: fn([u8; 2]) -> u16| {
        let (pairs, rest) = bytes[2..].as_chunks::<2>();
        let units: Vec<u16> = pairs.iter().map(|p| from(*p)).collect();
        let text = String::from_utf16(&units).ok().filter(|_| rest.is_empty());
        text.map(Cow::Owned).ok_or_else(|| "the text is damaged: it begins as UTF-16 and is not".to_owned())
    };
    match bytes {
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        _ => {
            std::str::from_utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)).map(Cow::Borrowed).map_err(|e| {
                let line = bytes[..e.valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
                format!("line {line} is not UTF-8 text; save the table as \"CSV UTF-8\"")
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let expected = Ok((text.to_owned(), separator));
            assert_eq!(of(text.as_bytes()), expected);
            assert_eq!(of(&[b"\xef\xbb\xbf", text.as_bytes()].concat()), expected);
            assert_eq!(of(&[b"\xff\xfe".to_vec(), wide(u16::to_le_bytes)].concat()), expected);
            assert_eq!(of(&[b"\xfe\xff".to_vec(), wide(u16::to_be_bytes)].concat()), expected);
        }
        let latin = of(b"path,label\nz\xe4hlung.png,a\n").expect_err("latin");
        assert!(latin.contains("line 2") && latin.contains("UTF-8"), "{latin}");
        assert!(of(b"\xff\xfe\0").is_err());
    }
}
