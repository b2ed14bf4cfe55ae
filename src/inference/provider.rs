//! The execution providers by name.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What the user can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// The fastest that this machine and library have; the processor otherwise.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// NVIDIA.
    Cuda,
    /// NVIDIA TensorRT.
    TensorRt,
    /// Apple.
    CoreMl,
    /// Windows.
    DirectMl,
    /// Any GPU through WebGPU.
    WebGpu,
    /// Intel.
    OpenVino,
}

impl Provider {
    /// All of them, in the order of menus.
    pub const ALL: [Self; 8] =
        [Self::Auto, Self::Cpu, Self::Cuda, Self::TensorRt, Self::CoreMl, Self::DirectMl, Self::WebGpu, Self::OpenVino];

    /// ONNX Runtime's own name of it; `auto` is none of its.
    pub fn runtime_name(self) -> Option<&'static str> {
        match self {
            Self::Auto => None,
            Self::Cpu => Some("CPUExecutionProvider"),
            Self::Cuda => Some("CUDAExecutionProvider"),
            Self::TensorRt => Some("TensorrtExecutionProvider"),
            Self::CoreMl => Some("CoreMLExecutionProvider"),
            Self::DirectMl => Some("DmlExecutionProvider"),
            Self::WebGpu => Some("WebGpuExecutionProvider"),
            Self::OpenVino => Some("OpenVINOExecutionProvider"),
        }
    }

    /// The contract's word for one of ONNX Runtime's names, where it is one of ours.
    pub fn of_runtime_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.runtime_name().is_some_and(|own| own.eq_ignore_ascii_case(name)))
    }

    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::TensorRt => "tensorrt",
            Self::CoreMl => "coreml",
            Self::DirectMl => "directml",
            Self::WebGpu => "webgpu",
            Self::OpenVino => "openvino",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why an execution provider cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ProviderError {
    /// The library has no such provider, by the runtime's name.
    #[error("this ONNX Runtime library was built without {0}")]
    NotBuilt(&'static str),
    /// Its own library, of this name, lies in none of its places.
    #[error("its library {0} is not here")]
    Missing(String),
    /// What its own library calls its provider, and what it should.
    #[error("it holds {0}, not {1}")]
    Other(String, &'static str),
    /// Its own library finds nothing to run on.
    #[error("its library finds no device on this machine")]
    NoDevice,
    /// The runtime does not take its library, or the model on it: the first line of what it says.
    #[error("{0}")]
    Refused(String),
    /// Nothing of the model would run on it.
    #[error("it took no part of this model; everything would run on the processor")]
    TookNothing,
    /// Its probabilities are not the processor's; by how much.
    #[error("it gives other probabilities than the processor (off by {0})")]
    Unfaithful(f32),
    /// Its probabilities are not those of the model's self-test; by how much.
    #[error("the model's self-test gives another answer here (off by {0})")]
    SelfTest(f32),
}

/// A word that is not an execution provider.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no execution provider; known are {words}", words = Provider::ALL.map(Provider::as_str).join(", "))]
pub struct UnknownProvider(pub String);

impl FromStr for Provider {
    type Err = UnknownProvider;

    fn from_str(s: &str) -> Result<Self, UnknownProvider> {
        let word = s.to_lowercase();
        Self::ALL.into_iter().find(|p| p.as_str() == word).ok_or_else(|| UnknownProvider(s.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for p in Provider::ALL {
            assert_eq!(p.as_str().parse(), Ok(p));
        }
        assert!("gpu".parse::<Provider>().is_err());
    }

    /// What the runtime calls a provider comes out as the word that `--provider` takes, DirectML's too, which calls itself "Dml".
    #[test]
    fn the_runtimes_names_are_the_contracts_words() {
        use ort::ep::ExecutionProvider as _;
        use ort::ep::{CPU, CUDA, CoreML, DirectML, OpenVINO, TensorRT, WebGPU};
        let theirs = [
            (CPU::NAME, "cpu"),
            (CUDA::NAME, "cuda"),
            (TensorRT::NAME, "tensorrt"),
            (CoreML::NAME, "coreml"),
            (DirectML::NAME, "directml"),
            (WebGPU::NAME, "webgpu"),
            (OpenVINO::NAME, "openvino"),
        ];
        assert_eq!(theirs.len() + 1, Provider::ALL.len(), "every provider but auto");
        for (name, word) in theirs {
            let ours = Provider::of_runtime_name(name).expect(name);
            assert_eq!((ours.as_str(), ours.runtime_name()), (word, Some(name)));
        }
        assert_eq!(Provider::of_runtime_name("XnnpackExecutionProvider"), None);
    }
}
