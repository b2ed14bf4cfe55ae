//! What was measured of this model on this machine, and what follows from it for `auto`.
//!
//! A record holds for the very model file, library, driver and device that it was made with. Without one, `auto` tries what is
//! usual for the system.

use super::availability::provider_status;
use super::provider::Provider;
use crate::domain::Digest;
use crate::files::{create_folder, data_file, read_bounded, write_atomic};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Differences up to this in a probability are rounding; a provider that is further from the processor is never chosen.
pub const FAITHFUL: f32 = 0.01;

/// One provider, measured with one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    pub provider: Provider,
    /// Library, driver and device.
    pub identity: String,
    /// What ran, from the runtime's own record: "webgpu (102 of 102 nodes)".
    pub nodes: String,
    /// Cells a second, the whole machine at work, preparing left out.
    pub rate: f64,
    /// Cells a run at which it was fastest.
    pub batch: usize,
    /// Milliseconds from nothing to the first answer.
    pub start: f64,
    /// Megabytes of memory that it took at most, on the machine's side.
    pub memory: f64,
    /// Largest difference of a probability from the processor's.
    pub difference: f32,
    /// Why it could not be measured.
    pub error: Option<String>,
}

/// All that was measured with one model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Measurements {
    /// When, UTC.
    pub time: String,
    /// By provider.
    pub all: Vec<Measured>,
}

fn place(model: Digest) -> Option<PathBuf> {
    data_file(&format!("measured/{model}.json"))
}

impl Measurements {
    /// What was measured with a model; nothing where nothing was.
    pub fn load(model: Digest) -> Self {
        let read = place(model).and_then(|p| read_bounded(&p, 1 << 20).ok());
        read.and_then(|s| serde_json::from_slice(&s.bytes).ok()).unwrap_or_default()
    }

    /// Keeps it.
    ///
    /// # Errors
    /// What the system says; that it has no place for it.
    pub fn keep(&self, model: Digest) -> std::io::Result<()> {
        let no_place = || std::io::Error::other("this system has no place for a program's own data");
        let place = place(model).ok_or_else(no_place)?;
        place.parent().map_or(Ok(()), create_folder)?;
        write_atomic(&place, &serde_json::to_vec_pretty(self)?)
    }

    pub fn get(&self, provider: Provider) -> Option<&Measured> {
        self.all.iter().find(|m| m.provider == provider)
    }

    /// Cells a second on the processor; 0 where it was not measured.
    pub fn cpu_rate(&self) -> f64 {
        self.get(Provider::Cpu).map_or(0.0, |m| m.rate)
    }

    /// The fastest faithful provider, of those whose identity is still `identity_of`'s; and its cells a second.
    pub fn best(&self, identity_of: impl Fn(Provider) -> Option<String>) -> Option<(Provider, f64)> {
        let fits = |m: &&Measured| {
            m.error.is_none() && m.difference <= FAITHFUL && identity_of(m.provider).as_ref() == Some(&m.identity)
        };
        let fastest = self.all.iter().filter(fits).max_by(|a, b| a.rate.total_cmp(&b.rate))?;
        Some((fastest.provider, fastest.rate))
    }
}

/// What `auto` means for a model on this machine, where it was measured.
pub(super) fn measured_choice(model: Digest) -> Option<(Provider, f64)> {
    let record = Measurements::load(model);
    if record.all.is_empty() {
        return None;
    }
    record.best(|provider| {
        let here = provider_status(provider);
        here.missing.is_none().then_some(here.identity)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(provider: Provider, rate: f64, difference: f32) -> Measured {
        Measured {
            provider,
            identity: "driver 1".into(),
            nodes: String::new(),
            rate,
            batch: 4,
            start: 10.0,
            memory: 100.0,
            difference,
            error: None,
        }
    }

    #[test]
    fn the_fastest_faithful_one_with_the_same_driver_is_chosen() {
        let mut record = Measurements {
            time: String::new(),
            all: vec![
                measured(Provider::Cpu, 200.0, 0.0),
                measured(Provider::Cuda, 900.0, 1e-5),
                measured(Provider::WebGpu, 2000.0, 0.2),
            ],
        };
        let same = |_: Provider| Some("driver 1".to_owned());
        assert_eq!(record.best(same).map(|b| b.0), Some(Provider::Cuda), "webgpu is not faithful");
        let newer = |p: Provider| Some(if p == Provider::Cuda { "driver 2" } else { "driver 1" }.to_owned());
        assert_eq!(record.best(newer).map(|b| b.0), Some(Provider::Cpu), "another driver was not measured");
        record.all[0].error = Some("broken".into());
        assert_eq!(record.best(newer), None);
        let text = serde_json::to_string(&record).expect("JSON");
        assert_eq!(serde_json::from_str::<Measurements>(&text).ok(), Some(record));
    }
}
