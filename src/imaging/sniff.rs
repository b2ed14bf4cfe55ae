//! Tells from its first bytes what a file is; its name is never asked.
//!
//! Formats that microscopes write natively are recognised so that the person hears what to do about them.

/// What a file's first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sniffed {
    Jpeg,
    Png,
    /// Windows bitmap.
    Bmp,
    Tiff,
    /// WebP.
    WebP,
    /// A microscope's own format: its name.
    Microscope(&'static str),
    /// An image in a format that is not read: its name.
    OtherImage(&'static str),
    /// No image.
    Unknown,
}

/// Lengths of the second header of a BMP, by which its versions are told apart.
const BMP_HEADERS: [u8; 8] = [12, 16, 40, 52, 56, 64, 108, 124];

/// Looks at the first bytes (512 are plenty).
pub fn sniff(bytes: &[u8]) -> Sniffed {
    let at = |offset: usize, magic: &[u8]| bytes.get(offset..).is_some_and(|b| b.starts_with(magic));
    if at(0, b"\xff\xd8\xff") {
        Sniffed::Jpeg
    } else if at(0, b"\x89PNG\r\n\x1a\n") {
        Sniffed::Png
    } else if at(0, b"BM") && (at(6, &[0, 0, 0, 0]) || BMP_HEADERS.iter().any(|n| at(14, &[*n, 0, 0, 0]))) {
        // Its reserved bytes are 0, but where some program writes something there.
        Sniffed::Bmp
    } else if at(0, b"II*\0") || at(0, b"MM\0*") || at(0, b"II+\0") || at(0, b"MM\0+") {
        Sniffed::Tiff
    } else if at(0, b"RIFF") && at(8, b"WEBP") {
        Sniffed::WebP
    } else if at(0, b"ZISRAWFILE") {
        Sniffed::Microscope("Zeiss CZI")
    } else if at(0, &[0x70, 0, 0, 0]) && at(8, &[0x2a]) {
        Sniffed::Microscope("Leica LIF")
    } else if at(0, &[0xda, 0xce, 0xbe, 0x0a]) {
        Sniffed::Microscope("Nikon ND2")
    } else if at(0, &[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]) {
        Sniffed::Microscope("Olympus OIB or Zeiss ZVI")
    } else if at(128, b"DICM") {
        Sniffed::Microscope("DICOM")
    } else if at(0, b"IIII") || at(0, b"ETS\0") || at(0, b"SIS\0") {
        Sniffed::Microscope("Olympus VSI")
    } else if at(0, b"GIF8") {
        Sniffed::OtherImage("GIF")
    } else if at(4, b"ftypheic") || at(4, b"ftypheix") || at(4, b"ftypmif1") || at(4, b"ftypavif") {
        Sniffed::OtherImage("HEIC or AVIF")
    } else if at(0, b"\0\0\0\x0cjP  ") {
        Sniffed::OtherImage("JPEG 2000")
    } else if at(0, b"\0\0\0\x0cJXL ") || at(0, b"\xff\x0a") {
        Sniffed::OtherImage("JPEG XL")
    } else if at(0, b"8BPS") {
        Sniffed::OtherImage("Photoshop")
    } else {
        Sniffed::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_decides() {
        assert_eq!(sniff(b"\xff\xd8\xff\xe0"), Sniffed::Jpeg);
        assert_eq!(sniff(b"BM\x10\0\0\0\0\0\0\0"), Sniffed::Bmp);
        assert_eq!(sniff(b"BM\x10\0\0\0abcd\x36\0\0\0\x28\0\0\0"), Sniffed::Bmp);
        assert_eq!(sniff(b"BM is the start of a letter"), Sniffed::Unknown);
        assert_eq!(sniff(b"ZISRAWFILE\0"), Sniffed::Microscope("Zeiss CZI"));
        assert_eq!(sniff(b""), Sniffed::Unknown);
    }
}
