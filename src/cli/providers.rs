//! `leukoscope providers`: what there is, what is missing, how fast it is.

use super::args::Providers;
use super::{Exit, eprint_line, say};
use crate::files::display_path;
use crate::inference::{Measured, Measurements, Provider, ProviderStatus, provider_statuses};
use crate::task::{Cancel, Monitor, Progress};
use crate::workflow::{self, UserError};
use serde_json::json;

pub(super) fn providers(a: &Providers) -> Result<Exit, UserError> {
    if let Some((word, file)) = &a.add {
        let provider: Provider = word.parse()?;
        let path = workflow::add_provider(provider, std::path::Path::new(file))?;
        eprint_line(&format!("{provider} is here now: {}", display_path(&path)));
    }
    if let Some(provider) = a.fetch {
        // Said before it goes there.
        eprint_line(&format!("network: {}", workflow::fetch_destination(provider)?));
        let path = workflow::fetch_provider(provider)?;
        eprint_line(&format!("{provider} is here now: {}", display_path(&path)));
    }
    let model = super::open_model(a.model.as_deref())?;
    let record = if a.measure {
        let cancel = Cancel::new();
        super::cancel_on_interrupt(&cancel);
        let progress = Progress::default();
        let mut on_event = |m: Measured| eprint_line(&format!("{} measured", m.provider));
        let mut monitor = Monitor::new(&cancel, &progress, &mut on_event);
        let Some(record) = workflow::measure(&model, a.model.as_deref(), &mut monitor)? else {
            eprint_line("interrupted; nothing was kept");
            return Ok(Exit::Interrupted);
        };
        record
    } else {
        Measurements::load(model.card().digest)
    };
    let here = provider_statuses();
    if a.json {
        let list: Vec<_> = here
            .iter()
            .map(|p| {
                json!({"provider": p.provider.as_str(), "ready": p.missing.is_none(), "what": p.what,
                    "missing": p.missing.as_ref().map(|m| m.why.clone()), "step": p.missing.as_ref().and_then(|m| m.step.clone())})
            })
            .collect();
        let all = json!({"schema": 1, "providers": list, "model": model.card().digest.to_string(), "measured": record});
        return say(&format!("{all:#}\n"));
    }
    let mut text: String = here.iter().map(line).collect();
    if record.all.is_empty() {
        text.push_str("\nnot measured with this model yet (--measure)\n");
    } else {
        text.push_str(&format!(
            "\n{} ({}), measured {}\n",
            model.card().name,
            model.card().digest.short(),
            record.time
        ));
        text.push_str(&workflow::record_text(&record));
    }
    say(&text)
}

fn line(p: &ProviderStatus) -> String {
    match &p.missing {
        None => format!("{:<10}ready    {}\n", p.provider.as_str(), p.what),
        Some(m) => {
            let step = m.step.as_ref().map_or(String::new(), |s| format!(": {s}"));
            format!("{:<10}missing  {}{step}\n", p.provider.as_str(), m.why)
        }
    }
}
