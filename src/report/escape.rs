//! Text that comes from outside (file names, messages) made safe for what opens the export.

use std::borrow::Cow;

/// A text cell that a spreadsheet will not take for a formula: `=`, `+`, `-`, `@`, tab and carriage return at its
/// start get an apostrophe in front (OWASP, "CSV Injection"). Quotes and commas are the CSV writer's business.
#[must_use]
pub fn csv_text(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_stays_text() {
        assert_eq!(csv_text("=cmd|' /C calc'!A0"), "'=cmd|' /C calc'!A0");
        assert_eq!(csv_text("slide-1.png"), "slide-1.png");
    }
}
