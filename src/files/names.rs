//! File names as text. A name that is not valid Unicode keeps every byte, escaped, so that two different
//! names never look the same; what cannot be seen is escaped, so that a name can neither rewrite a terminal nor turn the text beside it.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::Path;

/// A path as text that is unique to it: invalid bytes as `\xNN`, what cannot be seen as `\u{N}`, and, where it does not part folders, a
/// backslash as `\\`.
pub fn display_path(path: &Path) -> String {
    escape(path.as_os_str())
}

/// The last part of a path, as [`display_path`] shows it; the whole path where it has no last part.
pub fn display_name(path: &Path) -> String {
    escape(path.file_name().unwrap_or(path.as_os_str()))
}

/// Text as a part of a file's name on any system: letters, digits and `kept` characters stay, everything else becomes `-`; `most`
/// characters at most.
pub fn file_safe(text: &str, kept: &[char], most: usize) -> String {
    text.chars().map(|c| if c.is_alphanumeric() || kept.contains(&c) { c } else { '-' }).take(most).collect()
}

fn escape(name: &OsStr) -> String {
    let mut out = String::new();
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            if c == '\\' && !std::path::is_separator('\\') {
                out.push_str("\\\\");
            } else if crate::domain::invisible(c) {
                let _ = write!(out, "\\u{{{:x}}}", c as u32);
            } else {
                out.push(c);
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_a_terminal() {
        assert_eq!(display_path(Path::new("a\u{1b}[2J\n.png")), "a\\u{1b}[2J\\u{a}.png");
    }

    #[test]
    fn a_name_does_not_turn_the_text_beside_it() {
        assert_eq!(display_path(Path::new("a\u{202e}gnp.exe")), "a\\u{202e}gnp.exe");
    }

    #[cfg(unix)]
    #[test]
    fn two_names_that_are_not_unicode_stay_two() {
        use std::os::unix::ffi::OsStrExt;
        let a = display_path(Path::new(OsStr::from_bytes(b"cell\xff.png")));
        let b = display_path(Path::new(OsStr::from_bytes(b"cell\xfe.png")));
        assert_eq!(a, "cell\\xff.png");
        assert_eq!(display_path(Path::new("cell\\xff.png")), "cell\\\\xff.png", "a file that is called so");
        assert_ne!(a, b);
    }
}
