//! Texts from outside (labels, names, reasons) as a report may print them. Pure.

use crate::domain::invisible;

/// The longest text that is printed whole.
const LONGEST: usize = 200;

/// A text in one line, without control characters and marks that turn it around, and of a length that a page can hold.
pub fn plain_text(text: &str) -> String {
    let blank = |c: char| if c.is_control() { ' ' } else { c };
    let visible: String = text.chars().map(blank).filter(|c| !invisible(*c)).collect();
    let line = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// "1 cell", "2 cells".
pub fn number_of(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// "a, b and 3 more".
pub fn listed(names: &[String], most: usize) -> String {
    let shown: Vec<&str> = names.iter().take(most).map(String::as_str).collect();
    match names.len().saturating_sub(most) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_turn_a_page_around() {
        assert_eq!(plain_text("Blast\u{202e}cbas\u{1b}[31m \n x"), "Blastcbas [31m x");
        assert_eq!(plain_text(&"a".repeat(100_000)).chars().count(), 201);
        assert_eq!(plain_text("sel darah – мазок 血"), "sel darah – мазок 血");
        assert_eq!(listed(&["a".into(), "b".into(), "c".into()], 2), "a, b and 1 more");
    }
}
