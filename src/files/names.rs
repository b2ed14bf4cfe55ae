//! File names as text. A name that is not valid Unicode keeps every byte, escaped, so that two different
//! names never look the same; control characters are escaped so that a name cannot rewrite a terminal.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::Path;

/// A path as text that is unique to it: invalid bytes as `\xNN`, control characters as `\u{N}`.
#[must_use]
pub fn display_path(path: &Path) -> String {
    escape(path.as_os_str())
}

/// The last part of a path, as [`display_path`] shows it; the whole path where it has no last part.
#[must_use]
pub fn display_name(path: &Path) -> String {
    escape(path.file_name().unwrap_or(path.as_os_str()))
}

fn escape(name: &OsStr) -> String {
    let mut out = String::new();
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() {
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

    #[cfg(unix)]
    #[test]
    fn two_names_that_are_not_unicode_stay_two() {
        use std::os::unix::ffi::OsStrExt;
        let a = display_path(Path::new(OsStr::from_bytes(b"cell\xff.png")));
        let b = display_path(Path::new(OsStr::from_bytes(b"cell\xfe.png")));
        assert_eq!(a, "cell\\xff.png");
        assert_ne!(a, b);
    }
}
