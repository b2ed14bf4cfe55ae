//! Finds ONNX Runtime's shared library and opens it once for the whole process.
//!
//! Search order: `ORT_DYLIB_PATH`, the executable's folder, its `lib/`, `../lib/leukoscope`, `../Frameworks`, and the
//! folder above (where a development build's tests find the build's own copy).

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuntimeError {
    /// No library in any of the places.
    #[error(
        "ONNX Runtime was not found, so nothing can be classified. Install python3-pip and build again, or put {} beside the program, or name it in ORT_DYLIB_PATH",
        library_name()
    )]
    NotFound,
    /// It is there and does not open.
    #[error("the ONNX Runtime library {path} cannot be used: {reason}. Remove it or name another in ORT_DYLIB_PATH")]
    Unusable {
        /// Which file.
        path: String,
        /// What the loader said.
        reason: String,
    },
}

/// The library reads this when it is opened: with it no telemetry starts, no device id and no queue of events are written, and
/// no name is looked up. `with_telemetry(false)` alone acts only after all that has begun.
const NO_TELEMETRY: &str = "ORT_DISABLE_TELEMETRY";

/// Tells ONNX Runtime, for this process and all that it starts, that it calls nobody.
///
/// The first thing that `main` does, before there is a second thread; who uses this as a library had better do the same.
/// [`Runtime::get`] does it where nobody has, so that no way leads to an opened library that calls its maker.
pub fn disable_telemetry() {
    if telemetry_is_off() {
        return;
    }
    #[expect(unsafe_code, reason = "the library asks the environment and nothing else; std calls changing it unsafe")]
    // SAFETY: in the program this is the first statement of `main`, so there is no other thread. In a process that did not
    // call it first, std's lock keeps Rust's readers apart from it, and it writes once.
    unsafe {
        std::env::set_var(NO_TELEMETRY, "1");
    }
}

/// Whether the library will find, when it is opened, that it should call nobody.
pub fn telemetry_is_off() -> bool {
    std::env::var_os(NO_TELEMETRY).is_some_and(|v| v == "1")
}

/// The opened library.
#[derive(Debug)]
pub struct Runtime {
    pub(super) environment: ort::environment::Environment,
    path: PathBuf,
}

impl Runtime {
    /// The library of this process; found and opened at the first call.
    ///
    /// # Errors
    /// [`RuntimeError`] with the remedy; the same one at every call.
    pub fn get() -> Result<&'static Self, RuntimeError> {
        static RUNTIME: OnceLock<Result<Runtime, RuntimeError>> = OnceLock::new();
        RUNTIME.get_or_init(Self::open).as_ref().map_err(Clone::clone)
    }

    fn open() -> Result<Self, RuntimeError> {
        let path = locate().ok_or(RuntimeError::NotFound)?;
        disable_telemetry();
        let unusable = |reason: String| RuntimeError::Unusable { path: path.display().to_string(), reason };
        // ort panics on some versions that it does not know; that must not take the program down.
        let opened = std::panic::catch_unwind(|| {
            ort::init_from(&path).map_err(|e| e.to_string()).and_then(|builder| {
                builder.with_name("leukoscope").with_telemetry(false).build().map_err(|e| e.to_string())
            })
        });
        match opened {
            Ok(Ok(environment)) => {
                // Its own lines would interleave with ours; what fails comes back as an error anyway.
                environment.set_log_level(ort::logging::LogLevel::Error);
                Ok(Self { environment, path })
            }
            Ok(Err(reason)) => Err(unusable(reason)),
            Err(_) => {
                Err(unusable("it is not a version of ONNX Runtime that this program knows (1.24 or newer)".into()))
            }
        }
    }

    /// Which file was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The library's version, as `1.32.0`.
    pub fn version(&self) -> String {
        // The build information names a branch (rel-1.32.0); the file name has the version on most systems.
        let name = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        let name = name.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let digits = |text: &str| {
            let start = text.find(|c: char| c.is_ascii_digit())?;
            let end = text[start..].find(|c: char| !c.is_ascii_digit() && c != '.').map_or(text.len(), |n| start + n);
            Some(text[start..end].trim_matches('.').to_owned()).filter(|v| v.contains('.'))
        };
        let info = ort::info();
        let branch = info.split("git-branch=").nth(1).and_then(|b| b.split(',').next()).unwrap_or("");
        digits(branch).or_else(|| digits(&name)).unwrap_or_else(|| info.to_owned())
    }

    /// The execution providers compiled into the library, by ONNX Runtime's own names.
    pub fn providers(&self) -> Vec<&'static str> {
        use ort::ep::{CPU, CUDA, CoreML, DirectML, ExecutionProvider, OpenVINO, TensorRT, WebGPU};
        let mut names = Vec::new();
        let mut add = |name: &'static str, has: ort::Result<bool>| {
            if has.unwrap_or(false) {
                names.push(name);
            }
        };
        add(CPU::NAME, CPU::is_available());
        add(CUDA::NAME, CUDA::is_available());
        add(TensorRT::NAME, TensorRT::is_available());
        add(CoreML::NAME, CoreML::is_available());
        add(DirectML::NAME, DirectML::is_available());
        add(OpenVINO::NAME, OpenVINO::is_available());
        add(WebGPU::NAME, WebGPU::is_available());
        names
    }
}

/// The first line of what the runtime says: the others name its own sources.
pub(super) fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or("").trim().to_owned()
}

/// The library's usual file name on this system.
fn library_name() -> &'static str {
    if cfg!(windows) {
        "onnxruntime.dll"
    } else if cfg!(target_os = "macos") {
        "libonnxruntime.dylib"
    } else {
        "libonnxruntime.so"
    }
}

fn locate() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("ORT_DYLIB_PATH").filter(|v| !v.is_empty()) {
        // A name that was given is used or refused, never passed over.
        return Some(PathBuf::from(named));
    }
    homes().iter().find_map(|folder| in_folder(folder))
}

/// Folders where the program's own libraries lie.
pub(super) fn homes() -> Vec<PathBuf> {
    let Some(exe) = std::env::current_exe().ok() else { return Vec::new() };
    let Some(home) = exe.parent() else { return Vec::new() };
    let mut places =
        vec![home.to_owned(), home.join("lib"), home.join("../lib/leukoscope"), home.join("../Frameworks")];
    if cfg!(debug_assertions) || home.file_name().is_some_and(|n| n == "deps" || n == "examples") {
        places.push(home.join(".."));
    }
    places
}

/// The plain name, or the newest versioned one (`libonnxruntime.so.1.32.0`).
fn in_folder(folder: &Path) -> Option<PathBuf> {
    let plain = folder.join(library_name());
    if plain.is_file() {
        return Some(plain);
    }
    let (stem, _) = library_name().rsplit_once('.')?;
    let fits = |p: &PathBuf| {
        let name = p.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        !cfg!(windows) && name.starts_with(&format!("{stem}.")) && (name.contains(".so.") || name.ends_with(".dylib"))
    };
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder).ok()?.flatten().map(|e| e.path()).filter(fits).collect();
    found.sort();
    found.pop()
}
