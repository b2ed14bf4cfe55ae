//! Text that comes from outside (file names, messages) made safe for what opens the export.

use std::borrow::Cow;

/// A text cell that a spreadsheet will not take for a formula: `=`, `+`, `-`, `@`, tab and carriage return at its
/// start get an apostrophe in front (OWASP, "CSV Injection"). Quotes and commas are the CSV writer's business.
pub fn csv_text(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// What XML does not allow at all.
fn unprintable(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t')
}

/// A document that is done, with a mark for each character that cannot be shown.
pub(super) fn printable(document: &str) -> String {
    document.replace(unprintable, "\u{fffd}")
}

/// Text for SVG and FHIR, in elements and in quoted attributes.
pub(super) fn xml_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if unprintable(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_stays_text() {
        assert_eq!(csv_text("=cmd|' /C calc'!A0"), "'=cmd|' /C calc'!A0");
        assert_eq!(csv_text("slide-1.png"), "slide-1.png");
        assert_eq!(xml_text("<b a='1'>&\u{1}"), "&lt;b a=&#39;1&#39;&gt;&amp;\u{fffd}");
    }
}
