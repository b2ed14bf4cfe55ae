//! `leukoscope explain`: where the model looked, as an image.

use super::args::Explain;
use super::{Exit, cancel_on_interrupt, eprint_line, say};
use crate::files::display_path;
use crate::task::{Cancel, Progress};
use crate::workflow::{self, UserError};

pub(super) fn explain(a: &Explain) -> Result<Exit, UserError> {
    let mut request = a.request()?;
    let model = super::open_model(a.model.as_deref())?;
    let cancel = Cancel::new();
    cancel_on_interrupt(&cancel);
    if a.cell.is_none() {
        request.cell = workflow::evident_cell(&a.image, &model, a.provider, &cancel)?;
    }
    let Some(found) = workflow::explain(&request, &model, &cancel, &Progress::default())? else {
        eprint_line("interrupted; nothing was written");
        return Ok(Exit::Interrupted);
    };
    workflow::write_output(&a.out, &workflow::explained_png(&a.image, &found, a.opacity)?)?;
    let label = |class: usize| model.card().classes.label(class).unwrap_or("");
    let (top, p) = found.probabilities.top();
    eprint_line(&format!("written: {}", display_path(&a.out)));
    let doubted = found.doubted().map_or(String::new(), |doubt| {
        format!("the model doubts that this place shows a white cell ({:.1} %)\n", doubt * 100.0)
    });
    say(&format!(
        "{doubted}cell {} is called {} ({:.1} %); {} for {}, {:.0} % of it in the middle half of the square\n",
        request.cell,
        label(top),
        p * 100.0,
        found.map.how,
        label(found.class),
        found.map.in_the_middle() * 100.0
    ))
}
