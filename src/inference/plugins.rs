//! Execution providers that come as libraries of their own, opened beside ONNX Runtime's when somebody asks for them.
//!
//! They are looked for beside the program and in the user's own data, and registered once for the process. Their devices are
//! always chosen by name: a registered plug-in takes nothing over by itself.

use super::provider::{Provider, ProviderError};
use super::runtime::{Runtime, first_line, homes};
use crate::files::data_file;
use ort::device::Device;
use ort::memory::DeviceType;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

/// A provider's library: the package that has it, and what to ask pip for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plugin {
    pub provider: Provider,
    /// The runtime's own name of it.
    pub(super) name: &'static str,
    /// The library's name, without what the system puts around it.
    stem: &'static str,
    /// The package on `PyPI` and its version.
    pub package: &'static str,
    /// SHA-256 of its wheels: x86-64 Linux, Windows, macOS.
    pub hashes: &'static [&'static str],
    pub megabytes: u32,
    /// How the names of the other files begin that its package lays beside it and that it opens itself.
    beside: &'static [&'static str],
}

/// Those that are known, with the versions that were tried.
const PLUGINS: [Plugin; 2] = [
    Plugin {
        provider: Provider::WebGpu,
        name: "WebGpuExecutionProvider",
        stem: "onnxruntime_providers_webgpu",
        package: "onnxruntime-ep-webgpu==0.4.0",
        hashes: &[
            "5d8c961eda91a88961cad1fb7621f389f006b18497d6ea9ecf96f729f066cbfb",
            "7db646669d1a2390551da675115ea125e68cb3d4d2c3a2d6e463372bf8d6ea87",
            "8d0a91d44b43d931c3068b9134aed9770f27803e353c2b58c93e1700bb68bcca",
        ],
        megabytes: if cfg!(windows) { 13 } else { 7 },
        beside: &["dxcompiler.", "dxil."],
    },
    Plugin {
        provider: Provider::OpenVino,
        name: "OpenVINOExecutionProvider",
        stem: "onnxruntime_providers_openvino_plugin",
        package: "onnxruntime-ep-openvino==1.8.1",
        hashes: &["3832643158c8c187fcab6db661cde2a8c06a2b3559d95d0f2411ac0e51c5e924"],
        megabytes: 60,
        beside: &["libopenvino", "openvino", "libtbb", "tbb", "libhwloc", "hwloc", "cache.json"],
    },
];

impl Plugin {
    /// The plug-in of a provider, where it comes as one.
    pub fn for_provider(provider: Provider) -> Option<Self> {
        PLUGINS.into_iter().find(|p| p.provider == provider)
    }

    /// The library's file name on this system.
    pub fn file_name(&self) -> String {
        if cfg!(windows) {
            format!("{}.dll", self.stem)
        } else if cfg!(target_os = "macos") {
            format!("lib{}.dylib", self.stem)
        } else {
            format!("lib{}.so", self.stem)
        }
    }

    /// Whether a file of this name belongs to the library: it opens it, and its package lays it there.
    pub fn needs(&self, name: &str) -> bool {
        let library = name.contains(".so") || name.ends_with(".dll") || name.ends_with(".dylib");
        self.beside
            .iter()
            .any(|start| if start.ends_with(".json") { name == *start } else { library && name.starts_with(start) })
    }

    /// Why these bytes are not such a library on this system, before anything of it is run.
    pub fn refuses(&self, bytes: &[u8]) -> Option<&'static str> {
        let kind: &[&[u8]] = if cfg!(windows) {
            &[b"MZ"]
        } else if cfg!(target_os = "macos") {
            &[b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe"]
        } else {
            &[b"\x7fELF"]
        };
        if !kind.iter().any(|magic| bytes.starts_with(magic)) {
            return Some("it is no library of this system");
        }
        // What ONNX Runtime asks such a library for by name.
        if !bytes.windows(ENTRY.len()).any(|w| w == ENTRY) {
            return Some("it is a library, and holds no execution provider");
        }
        None
    }

    /// Where the user's own copy lies, or would lie.
    pub fn own_folder(&self) -> Option<PathBuf> {
        data_file(&format!("providers/{}", self.provider))
    }

    /// The library, where there is one.
    pub fn found(&self) -> Option<PathBuf> {
        let name = self.file_name();
        homes().into_iter().chain(self.own_folder()).map(|folder| folder.join(&name)).find(|p| p.is_file())
    }
}

/// The function that ONNX Runtime calls of a provider's library.
const ENTRY: &[u8] = b"CreateEpFactories";

/// Opens a library as the plug-in's, and describes the devices that it finds here; none is possible. Runs what is in the file:
/// only for a process of its own.
///
/// # Errors
/// [`ProviderError`]: why it is not the plug-in's library.
pub fn try_plugin(plugin: &Plugin, library: &std::path::Path) -> Result<Vec<String>, ProviderError> {
    let runtime = Runtime::get().map_err(|e| ProviderError::Refused(e.to_string()))?;
    let before: Vec<String> = runtime.environment.devices().filter_map(|d| d.ep().ok().map(str::to_owned)).collect();
    runtime.environment.register_ep_library(plugin.name, library).map_err(refused)?;
    let all: Vec<Device<'static>> =
        runtime.environment.devices().filter(|d| d.ep().is_ok_and(|n| !before.iter().any(|b| b == n))).collect();
    match all.iter().find(|d| d.ep().is_ok_and(|n| n != plugin.name)) {
        Some(other) => Err(ProviderError::Other(other.ep().unwrap_or("another provider").to_owned(), plugin.name)),
        None => Ok(all.iter().map(describe).collect()),
    }
}

fn refused(e: impl std::fmt::Display) -> ProviderError {
    ProviderError::Refused(first_line(&e.to_string()))
}

/// The devices of a plug-in, whose library is opened at the first call.
///
/// # Errors
/// [`ProviderError`]: why there are none.
pub(super) fn devices(runtime: &'static Runtime, plugin: &Plugin) -> Result<Vec<Device<'static>>, ProviderError> {
    static REGISTERED: OnceLock<Mutex<BTreeMap<&'static str, Result<(), ProviderError>>>> = OnceLock::new();
    let mut registered = REGISTERED.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(Err(why)) = registered.get(plugin.name) {
        return Err(why.clone());
    }
    if !registered.contains_key(plugin.name) {
        // A library that is put there later is found at the next call.
        let path = plugin.found().ok_or_else(|| ProviderError::Missing(plugin.file_name()))?;
        let path = path.canonicalize().map_err(refused)?;
        let done = runtime.environment.register_ep_library(plugin.name, &path).map_err(refused);
        registered.insert(plugin.name, done.clone());
        done?;
    }
    let all: Vec<Device<'static>> =
        runtime.environment.devices().filter(|d| d.ep().is_ok_and(|n| n == plugin.name)).collect();
    if all.is_empty() { Err(ProviderError::NoDevice) } else { Ok(all) }
}

/// What kind of device it is and whose, in words.
pub(super) fn describe(device: &Device<'_>) -> String {
    let hardware = device.hardware_device();
    let kind = match hardware.ty() {
        DeviceType::CPU => "processor (in software)",
        DeviceType::GPU => "graphics card",
        _ => "neural processor",
    };
    format!("{} {kind}, id {}", hardware.vendor().unwrap_or("unknown"), hardware.id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_its_package_lays_beside_it_belongs_to_a_library() {
        let webgpu = Plugin::for_provider(Provider::WebGpu).expect("a plug-in");
        let openvino = Plugin::for_provider(Provider::OpenVino).expect("a plug-in");
        assert!(webgpu.needs("dxil.dll") && !webgpu.needs("my-notes.json") && !webgpu.needs("other.so"));
        for name in ["libopenvino.so.2641", "libtbb.so.12", "libopenvino_intel_cpu_plugin.so", "cache.json"] {
            assert!(openvino.needs(name), "{name}");
        }
        for name in ["my-notes.json", "libopenvino.txt", "other.so", "cache.json.bak"] {
            assert!(!openvino.needs(name), "{name}");
        }
        assert!(webgpu.refuses(b"notes").is_some());
    }
}
