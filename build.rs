//! Brings the ONNX Runtime shared library beside the binary: the official wheel, fetched by hash with pip. It also has the
//! program built anew when its texts change.
//!
//! It never fails the build. Without network, pip or a wheel for the target it says so as a warning, and the program
//! tells how to get the library when it is started. `ORT_SKIP_DOWNLOAD=1` switches it off.

use std::path::{Path, PathBuf};
use std::process::Command;

const LOCK: &str = "packaging/onnxruntime/wheels.lock";

/// Takes the library and its licence out of the wheel, which is a plain zip file.
const UNPACK: &str = r#"
import os, sys, zipfile
wheel, out = sys.argv[1:]
with zipfile.ZipFile(wheel) as z:
    for name in z.namelist():
        base = os.path.basename(name)
        library = name.startswith("onnxruntime/capi/") and ("libonnxruntime" in base or base.startswith("onnxruntime") and base.endswith(".dll"))
        notice = name in ("onnxruntime/LICENSE", "onnxruntime/ThirdPartyNotices.txt")
        if library or notice:
            target = os.path.join(out, base if library else "onnxruntime-" + base)
            with open(target + ".part", "wb") as f:
                f.write(z.read(name))
            os.replace(target + ".part", target)
"#;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={LOCK}");
    // The texts are read by a macro, whose input cargo does not see.
    println!("cargo::rerun-if-changed=assets/locales");
    println!("cargo::rerun-if-env-changed=ORT_SKIP_DOWNLOAD");
    if std::env::var_os("ORT_SKIP_DOWNLOAD").is_some_and(|v| v != "0") {
        return;
    }
    if let Err(reason) = fetch() {
        println!("cargo::warning=ONNX Runtime was not fetched: {reason}");
        println!(
            "cargo::warning=The build goes on; the program will say how to get it. Usually: install python3-pip, then build again."
        );
        // A file that never exists: the next build tries again.
        println!("cargo::rerun-if-changed=packaging/onnxruntime/never");
    }
}

fn fetch() -> Result<(), String> {
    let var = |name: &str| std::env::var(name).map_err(|e| format!("{name}: {e}"));
    let platform = match (var("CARGO_CFG_TARGET_OS")?.as_str(), var("CARGO_CFG_TARGET_ARCH")?.as_str()) {
        ("linux", "x86_64") => "manylinux_2_28_x86_64",
        ("linux", "aarch64") => "manylinux_2_28_aarch64",
        ("windows", "x86_64") => "win_amd64",
        ("windows", "aarch64") => "win_arm64",
        ("macos", "aarch64") => "macosx_14_0_arm64",
        (os, arch) => return Err(format!("there is no wheel for {os} on {arch}")),
    };
    let out = PathBuf::from(var("OUT_DIR")?);
    // OUT_DIR is target/PROFILE/build/leukoscope-HASH/out; the binary lies in target/PROFILE.
    let beside = out.ancestors().nth(3).ok_or("unexpected OUT_DIR")?;
    let stamp = beside.join(format!(".onnxruntime-{platform}.lock"));
    let lock = std::fs::read_to_string(LOCK).map_err(|e| format!("{LOCK}: {e}"))?;
    if std::fs::read_to_string(&stamp).is_ok_and(|have| have == lock) && has_library(beside) {
        return Ok(());
    }
    let wheels = out.join("wheels");
    let _ = std::fs::remove_dir_all(&wheels);
    std::fs::create_dir_all(&wheels).map_err(|e| e.to_string())?;
    let python = if cfg!(windows) { "python" } else { "python3" };
    // A fixed Python version: the same wheel and hash whatever Python runs pip. Only the C library is taken from it.
    let pip = Command::new(python)
        .args(["-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:"])
        .args(["--implementation", "cp", "--python-version", "3.12", "--abi", "cp312", "--platform", platform])
        .args(["-r", LOCK, "--dest"])
        .arg(&wheels)
        .output()
        .map_err(|e| format!("{python} could not be started ({e})"))?;
    if !pip.status.success() {
        let text = String::from_utf8_lossy(&pip.stderr);
        let last = text.lines().rfind(|l| !l.trim().is_empty()).unwrap_or("no message");
        return Err(format!("pip download failed: {last}"));
    }
    let wheel = std::fs::read_dir(&wheels)
        .map_err(|e| e.to_string())?
        .flatten()
        .map(|e| e.path())
        .find(|p| p.extension().is_some_and(|e| e == "whl"))
        .ok_or("pip brought no wheel")?;
    let unpack =
        Command::new(python).args(["-c", UNPACK]).arg(&wheel).arg(beside).status().map_err(|e| e.to_string())?;
    if !unpack.success() || !has_library(beside) {
        return Err("the wheel could not be unpacked".into());
    }
    let _ = std::fs::remove_dir_all(&wheels);
    std::fs::write(&stamp, lock).map_err(|e| e.to_string())
}

fn has_library(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|entries| {
        entries.flatten().any(|e| {
            let name = e.file_name();
            let name = name.to_string_lossy();
            name.starts_with("libonnxruntime.") || name == "onnxruntime.dll"
        })
    })
}
