//! Texts from outside (labels, names, reasons) as a report may print them. Pure.

/// The longest text that is printed whole.
const LONGEST: usize = 200;

/// Whether a character steers the text around it and shows nothing itself: marks of direction, joiners, blanks without width.
fn steers(c: char) -> bool {
    matches!(c,
        '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// A text in one line, without control characters and marks that turn it around, and of a length that a page can hold.
pub fn plain_text(text: &str) -> String {
    let visible: String = text.chars().filter(|c| !steers(*c)).map(|c| if c.is_control() { ' ' } else { c }).collect();
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
