//! `leukoscope session`: the same store as the window's, by script.

use super::args::{SessionCommand, SessionWhere};
use super::{Exit, eprint_line, say};
use crate::files::display_path;
use crate::task::{Cancel, Progress};
use crate::workflow::{self, Export, UserError};
use std::path::{Path, PathBuf};

pub(super) fn session(command: &SessionCommand) -> Result<Exit, UserError> {
    match command {
        SessionCommand::List => list(),
        SessionCommand::Show(at) => {
            let facts = workflow::session_facts(&file(at)?)?;
            let mut t = format!("session {}\n", display_path(&facts.path));
            for folder in &facts.folders {
                t.push_str(&format!("folder {}\n", display_path(folder)));
            }
            t.push_str(&format!(
                "{} cells reviewed, {} with another label than suggested, {} rows in the audit trail\n",
                facts.cells, facts.changed, facts.edits
            ));
            say(&t)
        }
        SessionCommand::Import { repair, table, operator, at } => {
            let done = workflow::import_session(&file(at)?, table, &at.folder, operator, *repair)?;
            done.said.iter().for_each(|s| eprint_line(s));
            eprint_line(&match done.changed {
                1 => "1 cell changed".to_owned(),
                n => format!("{n} cells changed"),
            });
            Ok(if done.set_aside { Exit::SomeFailed } else { Exit::Fine })
        }
        SessionCommand::Export { format, heat_maps: true, .. } if *format != Export::ReportHtml => {
            Err(UserError::new("heat maps go into a page: --format html"))
        }
        SessionCommand::Export { format, out, heat_maps, model, at } => {
            let looked = heat_maps.then_some(model.as_deref());
            export(*format, out.as_deref(), &file(at)?, looked)
        }
        SessionCommand::Verify { expect, at } => verify(&file(at)?, expect.as_deref()),
    }
}

/// Says what is not as it was written, and always where the trail ends: whoever notes that can tell later whether it was cut or
/// written anew.
fn verify(path: &Path, expect: Option<&str>) -> Result<Exit, UserError> {
    let v = workflow::verify_session(path)?;
    let mut findings = v.findings();
    if let Some(hash) = expect {
        match v.find(hash) {
            Some((_, 0)) => eprint_line("the hash is that of the last row"),
            Some((row, after)) => eprint_line(&format!("the hash is that of row {row}; rows after it: {after}")),
            None => findings.push(format!(
                "the audit trail does not hold the hash {}: rows were cut off or written anew, or it is of another session",
                hash.chars().take(80).collect::<String>().escape_debug()
            )),
        }
    }
    findings.iter().for_each(|f| eprint_line(f));
    if findings.is_empty() {
        say(&format!("{} rows, none altered; every label is what they say\n{}\n", v.rows, v.anchor()))
    } else {
        say(&format!("{}\n", v.anchor()))?;
        Ok(Exit::Failure)
    }
}

/// `looked`: a page shows where the model looked; the model that was named for it, if one was.
fn export(
    format: Export,
    out: Option<&Path>,
    session: &Path,
    looked: Option<Option<&Path>>,
) -> Result<Exit, UserError> {
    let bytes = match format {
        Export::ReportHtml if looked.is_some() => {
            let cancel = Cancel::new();
            super::cancel_on_interrupt(&cancel);
            let model = looked.flatten();
            let report = workflow::session_report_with_heat_maps(session, model, &cancel, &Progress::default())?;
            workflow::report_html(&report)
        }
        Export::Images => {
            let out = out.ok_or_else(|| UserError::new("name a new folder with --out"))?;
            let cancel = Cancel::new();
            super::cancel_on_interrupt(&cancel);
            let done = workflow::export_images(session, out, &cancel, &Progress::default())?;
            done.failed.iter().for_each(|why| eprint_line(why));
            let counts: Vec<String> = done.counts.iter().map(|(label, n)| format!("{label} {n}")).collect();
            eprint_line(&format!("written to {}: {}", display_path(out), counts.join(", ")));
            return Ok(if done.cancelled {
                Exit::Interrupted
            } else if done.failed.is_empty() {
                Exit::Fine
            } else {
                Exit::SomeFailed
            });
        }
        format => workflow::session_bytes(format, session)?,
    };
    // Noted elsewhere, it tells later whether the trail was cut or written anew.
    let v = workflow::verify_session(session)?;
    eprint_line(&v.anchor().to_string());
    let exit = put(out, &bytes)?;
    let findings = v.findings();
    findings.iter().for_each(|f| eprint_line(&format!("warning: {f}")));
    Ok(if findings.is_empty() { exit } else { Exit::SomeFailed })
}

/// Into a file, or to the standard output.
fn put(out: Option<&Path>, bytes: &[u8]) -> Result<Exit, UserError> {
    match out {
        Some(out) => {
            workflow::write_output(out, bytes)?;
            eprint_line(&format!("written: {}", display_path(out)));
            Ok(Exit::Fine)
        }
        None => say(&String::from_utf8_lossy(bytes)),
    }
}

fn file(at: &SessionWhere) -> Result<PathBuf, UserError> {
    match (&at.session, &at.folder[..]) {
        (Some(path), _) => Ok(path.clone()),
        (None, []) => {
            Err(UserError::new("say which session: --folder DIR (the folder that was opened) or --session FILE"))
        }
        (None, folders) => workflow::session_path(folders),
    }
}

fn list() -> Result<Exit, UserError> {
    let sessions = workflow::list_sessions()?;
    if sessions.is_empty() {
        eprint_line("there is no session yet");
        return Ok(Exit::Fine);
    }
    let mut t = String::new();
    let mut failed = false;
    for (path, facts) in sessions {
        match facts {
            Ok(f) => {
                let folders: Vec<String> = f.folders.iter().map(|p| display_path(p)).collect();
                t.push_str(&format!("{}\t{} cells\t{}\n", display_path(&path), f.cells, folders.join(", ")));
            }
            Err(e) => {
                failed = true;
                eprint_line(&format!("{}: {e}", display_path(&path)));
            }
        }
    }
    say(&t)?;
    Ok(if failed { Exit::SomeFailed } else { Exit::Fine })
}
