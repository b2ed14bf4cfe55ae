//! Hostile and broken files: each gets its own words, and the rest of the batch is done.

use crate::common::{classify, drawn, fixture, leukoscope, table, text};
use leukoscope::imaging::{DecodeError, Limits, decode};
use std::path::Path;

const ALL: [&str; 34] = [
    "rgb.png",
    "rgb.bmp",
    "palette.png",
    "grey.png",
    "grey16.png",
    "alpha.png",
    "rgb.jpg",
    "progressive.jpg",
    "444.jpg",
    "grey.jpg",
    "cmyk.jpg",
    "orientation-1.jpg",
    "orientation-2.jpg",
    "orientation-3.jpg",
    "orientation-4.jpg",
    "orientation-5.jpg",
    "orientation-6.jpg",
    "orientation-7.jpg",
    "orientation-8.jpg",
    "lossy.webp",
    "lossless.webp",
    "raw.tif",
    "lzw.tif",
    "deflate.tif",
    "jpeg.tif",
    "palette.tif",
    "cmyk.tif",
    "pages.tif",
    "tiles.tif",
    "rgb16.tif",
    "big.tif",
    "rgb.png",
    "rgb.bmp",
    "raw.tif",
];

fn difference(a: &leukoscope::imaging::RgbImage, b: &leukoscope::imaging::RgbImage) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions());
    let sum: u64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.as_raw().len() as f64
}

/// The mean difference from the motif is at most what the format itself loses.
#[test]
fn one_motif_comes_out_of_every_format() {
    let motif = decode(&fixture("rgb.png"), Limits::default()).unwrap().image;
    for name in ALL {
        let got = decode(&fixture(name), Limits::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let bound = match name {
            "rgb.png" | "rgb.bmp" | "lossless.webp" | "raw.tif" | "lzw.tif" | "deflate.tif" | "tiles.tif"
            | "big.tif" | "pages.tif" | "cmyk.tif" => 0.0,
            "rgb16.tif" => 1.0,
            "grey.png" | "grey16.png" | "grey.jpg" | "alpha.png" => continue,
            // Pillow's own palette of 256 colours; JPEG of CMYK loses twice.
            "palette.png" | "palette.tif" => 6.0,
            "cmyk.jpg" => 6.0,
            _ => 4.0,
        };
        let d = difference(&got.image, &motif);
        assert!(d <= bound, "{name}: {d}");
        assert_eq!(got.warnings.len(), usize::from(name == "pages.tif"), "{name}: {:?}", got.warnings);
    }
}

#[test]
fn grey_alpha_and_sixteen_bit_follow_the_one_policy() {
    let image = |name: &str| decode(&fixture(name), Limits::default()).unwrap().image;
    assert_eq!(image("alpha.png").get_pixel(40, 20).0, [255, 255, 255], "transparent is white");
    let grey = image("grey.png");
    assert!(grey.pixels().all(|p| p[0] == p[1] && p[1] == p[2]));
    assert!(difference(&grey, &image("grey.jpg")) < 3.0);
    let deep = image("grey16.png");
    let motif = image("rgb.png");
    // Scaled by the declared depth: the high byte, not the image's own range.
    let far = deep.pixels().zip(motif.pixels()).map(|(a, b)| a[0].abs_diff(b[0])).max();
    assert!(far <= Some(1), "{far:?}");
}

/// No cut of a file gives half an image: it fails, or every pixel is there.
#[test]
fn no_prefix_of_any_format_passes_for_the_whole() {
    for name in [
        "rgb.jpg",
        "progressive.jpg",
        "cmyk.jpg",
        "orientation-6.jpg",
        "rgb.png",
        "rgb.bmp",
        "lossy.webp",
        "lossless.webp",
        "lzw.tif",
        "jpeg.tif",
        "tiles.tif",
        "pages.tif",
    ] {
        let bytes = fixture(name);
        let whole = decode(&bytes, Limits::default()).unwrap().image;
        for n in 0..bytes.len() {
            if let Ok(got) = decode(&bytes[..n], Limits::default()) {
                assert_eq!(got.image, whole, "{name} cut to {n} of {} bytes", bytes.len());
            }
        }
        if name.ends_with("jpg") {
            let mut zeroed = bytes.clone();
            let half = zeroed.len() / 2;
            zeroed[half..].fill(0);
            assert!(decode(&zeroed, Limits::default()).is_err(), "{name} with a zeroed tail");
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(300))]
    #[test]
    fn flipped_bytes_never_take_the_program_down(which in 0usize..ALL.len(), at in proptest::num::usize::ANY, value in proptest::num::u8::ANY) {
        let mut bytes = fixture(ALL[which]);
        let n = bytes.len();
        bytes[at % n] = value;
        let outcome = std::panic::catch_unwind(|| decode(&bytes, Limits::default()).map(|d| d.image.dimensions()));
        if let Ok(Ok((w, h))) = outcome {
            proptest::prop_assert!(u64::from(w) * u64::from(h) <= Limits::default().pixels);
        }
    }
}

#[test]
fn a_header_of_a_hundred_thousand_squared_is_refused_by_its_header() {
    let mut png = fixture("rgb.png");
    png[16..20].copy_from_slice(&100_000u32.to_be_bytes());
    png[20..24].copy_from_slice(&100_000u32.to_be_bytes());
    // The header's checksum, so that nothing but the size is wrong (CRC-32 of the IHDR chunk).
    let crc = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&crc.to_be_bytes());
    assert!(matches!(decode(&png, Limits::default()), Err(DecodeError::TooLarge { width: 100_000, .. })));
    let mut bmp = fixture("rgb.bmp");
    bmp[18..22].copy_from_slice(&100_000u32.to_le_bytes());
    bmp[22..26].copy_from_slice(&100_000u32.to_le_bytes());
    assert!(decode(&bmp, Limits::default()).is_err());
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, b| {
        (0..8).fold(crc ^ u32::from(*b), |c, _| if c & 1 == 1 { 0xedb8_8320 ^ (c >> 1) } else { c >> 1 })
    })
}

#[test]
fn microscope_files_are_sent_to_export_as_tiff() {
    for (bytes, word) in [
        (&b"ZISRAWFILE\0\0\0\0\0\0"[..], "CZI"),
        (&[0x70, 0, 0, 0, 1, 1, 1, 1, 0x2a, 0], "LIF"),
        (&[0xda, 0xce, 0xbe, 0x0a, 0, 0], "ND2"),
    ] {
        let said = decode(bytes, Limits::default()).unwrap_err().to_string();
        assert!(said.contains(word) && said.contains("export as TIFF"), "{said}");
    }
}

/// A folder with everything that can be wrong, beside images that are fine.
fn hostile_folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
    put("00-fine.png", &drawn(1));
    put("01-truncated.jpg", &fixture("rgb.jpg")[..400]);
    put("02-empty.png", b"");
    put("03-text.jpg", b"this is a letter");
    put("04-really-a-png.jpg", &drawn(2));
    put("05-notes.txt", b"not an image, and nobody says it is");
    put("06-slide.czi", b"ZISRAWFILE\0\0\0\0\0\0\0\0\0");
    put("07-blank.bmp", &fixture("rgb.bmp"));
    std::fs::create_dir(dir.path().join("08-folder.png")).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        std::os::unix::fs::symlink(dir.path(), dir.path().join("09-loop")).unwrap();
        std::os::unix::fs::symlink("gone.png", dir.path().join("10-dangling.png")).unwrap();
        for byte in [0xfe, 0xff] {
            let name = [b"11-bytes-".as_slice(), &[byte], b".png"].concat();
            std::fs::write(dir.path().join(std::ffi::OsStr::from_bytes(&name)), drawn(4)).unwrap();
        }
    }
    put("99-fine.png", &drawn(5));
    dir
}

#[cfg(unix)]
#[test]
fn one_bad_file_is_one_row_and_the_rest_is_done() {
    let dir = hostile_folder();
    let out = classify(&[dir.path().to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(1), "{}", text(&out.stderr));
    let rows = table(&out.stdout);
    let row =
        |name: &str| rows.iter().find(|r| r["path"].contains(name)).unwrap_or_else(|| panic!("{name} in {rows:#?}"));
    for (name, word) in [
        ("01-truncated", "cut off"),
        ("02-empty", "empty"),
        ("03-text", "not an image"),
        ("06-slide", "export as TIFF"),
        ("08-folder", "folder"),
        ("09-loop", "leads back"),
        ("10-dangling", "not there"),
    ] {
        assert_eq!(row(name)["status"], "failed", "{name}");
        assert!(row(name)["error"].contains(word), "{name}: {}", row(name)["error"]);
        assert_eq!(row(name)["cell"], "0");
    }
    for name in ["00-fine", "04-really", "11-bytes-\\xfe", "11-bytes-\\xff", "99-fine"] {
        assert_eq!(row(name)["status"], "ok", "{name}");
    }
    assert!(!rows.iter().any(|r| r["path"].contains("05-notes")));
    assert!(text(&out.stderr).contains("1 other files skipped"), "{}", text(&out.stderr));
    assert!(!text(&out.stderr).contains("panicked"));
}

#[test]
fn a_file_named_by_hand_is_never_skipped() {
    let dir = tempfile::tempdir().unwrap();
    let note = dir.path().join("notes.txt");
    std::fs::write(&note, b"hello").unwrap();
    let out = classify(&[note.to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(2));
    assert_eq!(table(&out.stdout)[0]["status"], "failed");
    let gone = classify(&["/no/such/image.png"]);
    assert_eq!(gone.status.code(), Some(2));
    assert!(table(&gone.stdout)[0]["error"].contains("no such file"));
    let empty = classify(&[dir.path().to_str().unwrap()]);
    assert_eq!(empty.status.code(), Some(2));
    assert!(text(&empty.stderr).contains("no image"), "{}", text(&empty.stderr));
}

#[test]
fn an_image_without_a_white_cell_is_no_cell_and_fine() {
    let dir = tempfile::tempdir().unwrap();
    let blank = leukoscope::imaging::draw_slide(320, 240, 0, 1).image;
    let flat = leukoscope::imaging::RgbImage::from_pixel(320, 240, *blank.get_pixel(0, 0));
    std::fs::write(dir.path().join("flat.png"), leukoscope::imaging::encode_png(&flat).unwrap()).unwrap();
    let out = classify(&[dir.path().to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(0));
    let rows = table(&out.stdout);
    assert_eq!(
        (rows[0]["status"].as_str(), rows[0]["cell"].as_str(), rows[0]["width"].as_str()),
        ("no-cell", "0", "320")
    );
}

#[cfg(unix)]
#[test]
fn a_denied_file_and_a_pipe_are_rows() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe.png");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let out = classify(&[pipe.to_str().unwrap()]);
    assert!(table(&out.stdout)[0]["error"].contains("not a regular file"));
    let denied = dir.path().join("denied.png");
    std::fs::write(&denied, drawn(1)).unwrap();
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&denied, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::File::open(&denied).is_ok() {
        eprintln!("skipped: this user may read everything");
        return;
    }
    let out = classify(&[denied.to_str().unwrap()]);
    assert!(table(&out.stdout)[0]["error"].contains("permission"));
}

#[test]
fn a_file_that_vanishes_between_listing_and_reading_is_a_row() {
    use leukoscope::files::Entry;
    use leukoscope::imaging::Cells;
    use leukoscope::inference::prepare;
    let model = leukoscope::workflow::default_model().unwrap();
    let entry = Entry { path: "/vanished/since/then.png".into(), named: false, error: None, square: None };
    let prepared = prepare(&entry, model.card(), Cells::One, &Default::default()).unwrap();
    assert!(prepared.error.unwrap().contains("not there"));
}

#[test]
fn a_file_rewritten_all_the_time_is_read_whole_or_not_at_all() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.bin");
    std::fs::write(&path, vec![1u8; 1 << 20]).unwrap();
    let stop = std::sync::Arc::new(AtomicBool::new(false));
    let (writer_path, writer_stop) = (path.clone(), stop.clone());
    let writer = std::thread::spawn(move || {
        let mut value = 1u8;
        while !writer_stop.load(Ordering::Relaxed) {
            value = value.wrapping_add(1);
            // Another size each time, as a camera that is still writing.
            let _ = std::fs::write(&writer_path, vec![value; (1 << 20) + usize::from(value)]);
        }
    });
    let mut whole = 0;
    for _ in 0..200 {
        if let Ok(got) = leukoscope::files::read_bounded(&path, 1 << 24) {
            assert!(
                got.bytes.iter().all(|b| *b == got.bytes[0])
                    && got.bytes.len() == (1 << 20) + usize::from(got.bytes[0])
            );
            whole += 1;
        }
    }
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    eprintln!("{whole} of 200 reads were whole, the others said that the file changed");
}

#[test]
fn hostile_models_are_refused_with_their_reason() {
    let dir = tempfile::tempdir().unwrap();
    let model = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("models/leukoscope-wbc5-128.onnx")).unwrap();
    let labels = br#"["basophil","eosinophil","lymphocyte","monocyte","neutrophil","not a white cell"]"#;
    let three = br#"["basophil","eosinophil","lymphocyte"                                           ]"#;
    let at = model.windows(labels.len()).position(|w| w == labels).unwrap();
    let mut fewer = model.clone();
    fewer[at..at + labels.len()].copy_from_slice(three);
    for (name, bytes, word) in [
        ("cut.onnx", &model[..model.len() / 3], "cut off"),
        ("text.onnx", &b"not a model at all"[..], "not an ONNX file"),
        ("three.onnx", &fewer[..], "3 labels for 6 outputs"),
        ("empty.onnx", &b""[..], "empty"),
    ] {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let out = leukoscope().arg("inspect").arg(&path).output().unwrap();
        assert_eq!(out.status.code(), Some(2), "{name}");
        assert!(text(&out.stderr).contains(word) && text(&out.stderr).contains(name), "{name}: {}", text(&out.stderr));
        let out = classify(&[dir.path().to_str().unwrap(), "--model", path.to_str().unwrap()]);
        assert_eq!((out.status.code(), out.stdout.len()), (Some(2), 0));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_and_nothing_pretends_to_be_written() {
    let dir = crate::common::drawn_folder(1);
    let out = classify(&[dir.path().to_str().unwrap(), "--out", "/dev/full"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("/dev/full cannot be written"), "{}", text(&out.stderr));
}

#[cfg(unix)]
#[test]
fn a_kill_while_writing_leaves_the_old_table_whole() {
    let dir = tempfile::tempdir().unwrap();
    let image = drawn(2);
    for i in 0..400 {
        std::fs::write(dir.path().join(format!("{i:04}.png")), &image).unwrap();
    }
    let target = dir.path().join("table.csv");
    for round in 0..6u64 {
        std::fs::write(&target, b"the old table").unwrap();
        let mut child = leukoscope()
            .arg("classify")
            .arg(dir.path())
            .arg("--out")
            .arg(&target)
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(120 + 110 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        let now = std::fs::read(&target).unwrap();
        let whole = now == b"the old table" || table(&now).len() == 400;
        assert!(whole, "round {round}: {} bytes", now.len());
    }
}
