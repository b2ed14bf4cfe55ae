//! The guide: the pages of `assets/guide`, as they stand in the repository. Nothing is fetched, and links go from page to page.

use super::state::Dialog;
use super::update::Input;
use crate::app::language::tr;
use crate::app::widgets::{Asked, modal_of};
use egui::{ScrollArea, Ui, vec2};
use egui_commonmark::{CommonMarkCache, CommonMarkViewer};

/// File and text of each page.
const PAGES: [(&str, &str); 8] = [
    ("1-start.md", include_str!("../../../assets/guide/1-start.md")),
    ("2-review-and-sign.md", include_str!("../../../assets/guide/2-review-and-sign.md")),
    ("3-evaluate-and-calibrate.md", include_str!("../../../assets/guide/3-evaluate-and-calibrate.md")),
    ("4-train.md", include_str!("../../../assets/guide/4-train.md")),
    ("5-models-and-providers.md", include_str!("../../../assets/guide/5-models-and-providers.md")),
    ("6-formats-and-exit-codes.md", include_str!("../../../assets/guide/6-formats-and-exit-codes.md")),
    ("7-measurements.md", include_str!("../../../assets/guide/7-measurements.md")),
    ("8-privacy-and-signatures.md", include_str!("../../../assets/guide/8-privacy-and-signatures.md")),
];

/// What the renderer keeps between frames.
#[derive(Default)]
pub(crate) struct GuideMemory(CommonMarkCache);

/// The heading that a page begins with.
fn title(text: &'static str) -> &'static str {
    text.lines().find_map(|l| l.strip_prefix("# ")).unwrap_or("")
}

/// Draws the page at this position, and the list of all.
pub(super) fn guide(ui: &Ui, at: usize, memory: &mut GuideMemory, asked: &mut Asked<Input>) {
    let room = ui.ctx().content_rect();
    let size = vec2((room.width() - 80.0).min(980.0), (room.height() - 120.0).max(240.0));
    let at = at.min(PAGES.len() - 1);
    for (file, _) in PAGES {
        memory.0.add_link_hook(file);
    }
    let closed = modal_of(ui, &tr!("Guide"), size.x, |ui| {
        ui.horizontal_top(|ui| {
            ui.vertical(|ui| {
                ui.set_width(210.0);
                for (i, (_, text)) in PAGES.iter().enumerate() {
                    if ui.selectable_label(i == at, title(text)).clicked() {
                        asked.input(Input::Dialog(Dialog::Guide(i)));
                    }
                }
            });
            ui.separator();
            ScrollArea::vertical().id_salt(("guide", at)).max_height(size.y - 90.0).auto_shrink(false).show(ui, |ui| {
                // Room for the bar that scrolls.
                ui.set_max_width(ui.available_width() - 16.0);
                CommonMarkViewer::new().show(ui, &mut memory.0, PAGES[at].1);
            });
        });
    });
    if let Some(i) = PAGES.iter().position(|(file, _)| memory.0.get_link_hook(file) == Some(true)) {
        asked.input(Input::Dialog(Dialog::Guide(i)));
    }
    if closed {
        asked.input(Input::Dialog(Dialog::None));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every page has a title, and every link leads to a page, to a heading or to the outside.
    #[test]
    fn links_of_the_guide_lead_somewhere() {
        for (file, text) in PAGES {
            assert!(!title(text).is_empty(), "{file}");
            for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                let page = link.split('#').next().unwrap_or(link);
                let known = page.is_empty() || page.starts_with("http") || PAGES.iter().any(|(f, _)| *f == page);
                let outside = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/guide").join(page).exists();
                assert!(known || outside, "{file}: {link}");
            }
        }
    }
}
