//! The self-check: what this machine has, what is missing, and what to do about it.

use super::{default_model, draw_demo};
use crate::files::{display_path, left_by_telemetry};
use crate::inference::{Engine, Provider, Runtime, provider_statuses, telemetry_is_off};
use crate::task::cores;
use serde_json::{Value, json};
use std::time::Instant;

#[derive(Debug, Clone)]
pub struct Finding {
    /// What was looked at.
    pub name: &'static str,
    /// Whether it is as it should be.
    pub fine: bool,
    /// What was found, or the remedy.
    pub text: String,
}

/// All findings.
#[derive(Debug, Clone)]
pub struct DoctorReport {
    /// In the order of looking.
    pub findings: Vec<Finding>,
}

pub fn doctor() -> DoctorReport {
    let mut findings = Vec::new();
    let mut add = |name, fine, text: String| findings.push(Finding { name, fine, text });
    add(
        "version",
        true,
        format!(
            "Leukoscope {} on {} {}, {} cores",
            env!("CARGO_PKG_VERSION"),
            std::env::consts::OS,
            std::env::consts::ARCH,
            cores()
        ),
    );
    match Runtime::get() {
        Ok(runtime) => {
            add("ONNX Runtime", true, format!("{} from {}", runtime.version(), runtime.path().display()));
            let here = provider_statuses();
            let ready: Vec<&str> = here.iter().filter(|p| p.missing.is_none()).map(|p| p.provider.as_str()).collect();
            let steps = here.iter().filter_map(|p| Some((p.provider, p.missing.as_ref()?.step.clone()?)));
            let steps: Vec<String> = steps.map(|(provider, step)| format!("; {provider}: {step}")).collect();
            add("providers", true, format!("ready: {}{}", ready.join(", "), steps.concat()));
        }
        Err(e) => add("ONNX Runtime", false, e.to_string()),
    }
    match default_model() {
        Ok(model) => {
            add(
                "model",
                true,
                format!(
                    "{}, {} classes, sha256 {}",
                    model.card().name,
                    model.card().classes.len(),
                    model.card().digest
                ),
            );
            let start = Instant::now();
            match Engine::load(&model, Provider::Auto, 1) {
                Ok(engine) => add(
                    "classifying",
                    true,
                    format!("runs on {}; loaded in {} ms", engine.report().to_line(), start.elapsed().as_millis()),
                ),
                Err(e) => add("classifying", false, e.to_string()),
            }
        }
        Err(e) => add("model", false, e.to_string()),
    }
    match draw_demo(None) {
        Ok(demo) => {
            add("cache folder", true, format!("writable ({})", demo.path.parent().unwrap_or(&demo.path).display()))
        }
        Err(e) => add("cache folder", false, e.to_string()),
    }
    add("network", telemetry_is_off(), network());
    DoctorReport { findings }
}

/// What this program does with a network: nothing that nobody asked for.
fn network() -> String {
    let mut text = String::from(
        "makes no network connections; ONNX Runtime's telemetry is off. Only fetching a provider (providers --fetch) goes out, and says where to first",
    );
    if let Some(left) = left_by_telemetry() {
        text.push_str(&format!(
            ". {} is what ONNX Runtime's telemetry kept in earlier runs, of this program or another one; it is not used and may be deleted",
            display_path(&left)
        ));
    }
    text
}

impl DoctorReport {
    /// Whether the program can do its main job here.
    pub fn healthy(&self) -> bool {
        self.findings.iter().all(|f| f.fine || f.name == "cache folder")
    }

    /// For the user.
    pub fn to_text(&self) -> String {
        self.findings
            .iter()
            .map(|f| format!("{} {:<14}{}\n", if f.fine { "ok  " } else { "FAIL" }, f.name, f.text))
            .collect()
    }

    /// For a script.
    pub fn to_json(&self) -> Value {
        let findings: Vec<Value> =
            self.findings.iter().map(|f| json!({"name": f.name, "ok": f.fine, "text": f.text})).collect();
        json!({"schema": 1, "healthy": self.healthy(), "findings": findings})
    }
}
