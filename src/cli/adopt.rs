//! `leukoscope adopt`: what somebody else's model wants to see is answered once, tried on labelled images, kept, or written
//! into a copy.

use super::args::Adopt;
use super::evaluate::watched;
use super::{Exit, eprint_line, say};
use crate::files::display_path;
use crate::model::{Answers, Question};
use crate::workflow::{self, ModelImport, Probed, UserError};

pub(super) fn adopt(a: &Adopt) -> Result<Exit, UserError> {
    if a.forget {
        let there = workflow::forget_answer(&a.model)?;
        eprint_line(if there { "what was answered of it is forgotten" } else { "nothing was answered of it" });
        return Ok(Exit::Fine);
    }
    let mut import = ModelImport::read(&a.model)?;
    import.answers = Answers {
        labels: a.labels.clone(),
        map: a.map.clone(),
        scaling: a.scaling,
        crop: a.framing.clone(),
        size: a.size.map(|s| s as usize),
        output: a.output.clone(),
    };
    if let Some(data) = &a.data {
        let Some(probed) = watched(|monitor| workflow::probe(&import, data, monitor.cancel, monitor.progress))? else {
            return Ok(Exit::Interrupted);
        };
        say(&table(&probed))?;
        let Some(chosen) = probed.chosen else { return Err(UserError::new(probed.why)) };
        eprint_line(&format!("taken: {}", probed.why));
        import.take(&probed.tried[chosen]);
    }
    let open = import.questions();
    if !open.is_empty() {
        eprint_line(&format!("{} is a classifier; before it can be used:", display_path(&a.model)));
        open.iter().map(Question::to_text).for_each(|q| eprint_line(&format!("  {q}")));
        if a.data.is_none() {
            eprint_line("  or name a folder of labelled images, and it is tried (--data DATASET)");
        }
        return Ok(Exit::Failure);
    }
    let model = match &a.out {
        Some(out) => {
            let copy = workflow::save_as_ours(&import, a.name.as_deref(), out)?;
            eprint_line(&format!("written: {}", display_path(out)));
            copy
        }
        None => {
            let model = import.keep()?;
            eprint_line("kept: this file opens without a question from now on");
            model
        }
    };
    say(&model.card().to_text())
}

fn table(probed: &Probed) -> String {
    let mut text = format!("{:<28}{:<18}{:>9}{:>9}   95 % interval\n", "values", "image", "right", "of");
    for t in &probed.tried {
        text.push_str(&format!(
            "{:<28}{:<18}{:>7.1} %{:>9}   {:.1}–{:.1}\n",
            t.scaling.word(),
            t.crop.word(),
            100.0 * t.accuracy(),
            t.n,
            100.0 * t.interval.low,
            100.0 * t.interval.high
        ));
    }
    if let Some(labels) = probed.chosen.and_then(|c| probed.tried[c].labels.as_ref()) {
        text.push_str(&format!("outputs, as they answered: {}\n", labels.join(", ")));
    }
    text
}
