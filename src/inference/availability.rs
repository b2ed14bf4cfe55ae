//! Which execution providers this machine has, what is missing, and the one step to get it.

use super::plugins::{Plugin, describe, devices};
use super::provider::Provider;
use super::runtime::Runtime;
use crate::files::nvidia_driver;
use crate::task::cores;
use ort::ep::{CUDA, CoreML, DirectML, ExecutionProvider as _, OpenVINO, TensorRT, WebGPU};

/// A provider as this machine has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderStatus {
    pub provider: Provider,
    /// What there is, in words: the device, its driver.
    pub what: String,
    /// What identifies library, driver and device: another one makes a measurement worthless.
    pub identity: String,
    /// Why it cannot be used; nothing where it can.
    pub missing: Option<Missing>,
}

/// Why a provider cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What is missing.
    pub why: String,
    /// What to do about it; nothing where nothing can be done on this machine.
    pub step: Option<String>,
    /// Whether the program can fetch it by itself.
    pub fetch: Option<Plugin>,
}

/// All providers but `auto`, in the order of menus. Opens plug-in libraries that are there.
pub fn provider_statuses() -> Vec<ProviderStatus> {
    Provider::ALL.into_iter().filter(|p| *p != Provider::Auto).map(provider_status).collect()
}

pub fn provider_status(provider: Provider) -> ProviderStatus {
    let runtime = match Runtime::get() {
        Ok(runtime) => runtime,
        Err(e) => return absent(provider, e.to_string(), None),
    };
    let library = format!("ONNX Runtime {}", runtime.version());
    let there = |what: String, identity: String| ProviderStatus {
        provider,
        what,
        identity: format!("{library}; {identity}"),
        missing: None,
    };
    let built_in = |name: &str| runtime.providers().contains(&name);
    let nvidia = |name: &'static str, also: &str| match (built_in(name), nvidia_driver()) {
        (true, Some(driver)) => there(format!("NVIDIA driver {driver}"), format!("NVIDIA driver {driver}")),
        (_, None) => absent(provider, "this machine has no NVIDIA driver".into(), None),
        (false, Some(driver)) => absent(
            provider,
            format!("NVIDIA driver {driver} is here; this ONNX Runtime was built without {name}"),
            Some(format!(
                "pip download --no-deps onnxruntime-gpu=={} (about 260 MB{also}), unpack it, and name its libonnxruntime.so in ORT_DYLIB_PATH",
                runtime.version()
            )),
        ),
    };
    match provider {
        Provider::Cpu | Provider::Auto => {
            let what = format!("{} cores, {}", cores(), features());
            there(what.clone(), what)
        }
        Provider::Cuda => nvidia(CUDA::NAME, ", needs CUDA 13 and cuDNN 9"),
        Provider::TensorRt => nvidia(TensorRT::NAME, ", needs TensorRT as well"),
        Provider::CoreMl if built_in(CoreML::NAME) => there("Apple".into(), "CoreML".into()),
        Provider::CoreMl => absent(provider, "only on macOS".into(), None),
        Provider::DirectMl if built_in(DirectML::NAME) => there("DirectX 12".into(), "DirectML".into()),
        Provider::DirectMl if cfg!(windows) => absent(
            provider,
            "this ONNX Runtime was built without it".into(),
            Some("pip download --no-deps onnxruntime-directml, unpack it, and name its onnxruntime.dll in ORT_DYLIB_PATH".into()),
        ),
        Provider::DirectMl => absent(provider, "only on Windows".into(), None),
        Provider::WebGpu if built_in(WebGPU::NAME) => there("built in".into(), "WebGPU".into()),
        Provider::OpenVino if built_in(OpenVINO::NAME) => there("built in".into(), "OpenVINO".into()),
        Provider::WebGpu | Provider::OpenVino => {
            let Some(plugin) = Plugin::for_provider(provider) else { return absent(provider, "unknown".into(), None) };
            match devices(runtime, &plugin) {
                Ok(all) => {
                    let what: Vec<String> = all.iter().map(describe).collect();
                    there(what.join("; "), format!("{}; {}", plugin.package, what.join("; ")))
                }
                Err(why) if plugin.found().is_none() => {
                    let step = format!(
                        "fetch {} ({} MB, over the network: with pip, from pypi.org or the package index that pip is set to), or point at {} where you have it",
                        plugin.package,
                        plugin.megabytes,
                        plugin.file_name()
                    );
                    ProviderStatus {
                        missing: Some(Missing { why: why.to_string(), step: Some(step), fetch: Some(plugin) }),
                        ..absent(provider, String::new(), None)
                    }
                }
                Err(why) => {
                    let needs = match provider {
                        Provider::WebGpu => "it needs a graphics card with a Vulkan, Metal or DirectX 12 driver",
                        _ => "it needs an Intel processor, graphics card or NPU",
                    };
                    absent(provider, format!("{why}: {needs}"), None)
                }
            }
        }
    }
}

fn absent(provider: Provider, why: String, step: Option<String>) -> ProviderStatus {
    ProviderStatus {
        provider,
        what: String::new(),
        identity: String::new(),
        missing: Some(Missing { why, step, fetch: None }),
    }
}

/// The processor's wide instructions that matter here.
fn features() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512vnni") {
            "AVX-512 with VNNI"
        } else if is_x86_feature_detected!("avx512f") {
            "AVX-512"
        } else if is_x86_feature_detected!("avx2") {
            "AVX2"
        } else {
            "x86-64"
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        std::env::consts::ARCH
    }
}
