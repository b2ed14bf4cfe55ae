//! Colours and sizes: the only place where they are chosen.
//!
//! Class colours are Okabe and Ito's, which stay apart for colour-blind eyes (Okabe & Ito 2008, "Color Universal
//! Design"); a class never goes by its colour alone, its name is always beside it.

#![expect(clippy::disallowed_methods, reason = "the home of colours")]

use super::choice::ThemeChoice;
use crate::domain::{CellClass, label_key};
use egui::{Color32, CornerRadius, Stroke, Theme, Visuals};

/// Okabe–Ito without black and yellow, which vanish on one of the two backgrounds.
const CLASS_COLOURS: [Color32; 6] = [
    Color32::from_rgb(0xcc, 0x79, 0xa7),
    Color32::from_rgb(0xd5, 0x5e, 0x00),
    Color32::from_rgb(0x00, 0x72, 0xb2),
    Color32::from_rgb(0x56, 0xb4, 0xe9),
    Color32::from_rgb(0x00, 0x9e, 0x73),
    Color32::from_rgb(0xe6, 0x9f, 0x00),
];

/// The colour of a series that is not a class: none of these is a class' colour.
pub fn series_colour(nth: usize, dark: bool) -> Color32 {
    match (nth % 2, dark) {
        (0, true) => Color32::from_gray(225),
        (0, false) => Color32::from_gray(40),
        (_, true) => Color32::from_gray(150),
        (_, false) => Color32::from_gray(120),
    }
}

/// The colour of a label: its class' in the catalogue; a label of its own always has the same one of a few.
pub fn label_colour(label: &str, dark: bool) -> Color32 {
    if let Some(class) = CellClass::find(label) {
        let [r, g, b] = class.colour[usize::from(!dark)];
        return Color32::from_rgb(r, g, b);
    }
    // FNV-1a over the label's key: the same label has the same colour in every window.
    let hash = label_key(label).bytes().fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
    let pairs = OWN_COLOURS[hash as usize % OWN_COLOURS.len()];
    pairs[usize::from(!dark)]
}

/// On a dark and on a light ground, for labels that the catalogue does not know.
const OWN_COLOURS: [[Color32; 2]; 4] = [
    [Color32::from_rgb(0xc9, 0xa2, 0x27), Color32::from_rgb(0x7d, 0x62, 0x00)],
    [Color32::from_rgb(0x5f, 0xb3, 0xb3), Color32::from_rgb(0x1d, 0x6f, 0x6f)],
    [Color32::from_rgb(0xb8, 0x9b, 0x8a), Color32::from_rgb(0x78, 0x57, 0x45)],
    [Color32::from_rgb(0xa4, 0xb4, 0x5c), Color32::from_rgb(0x5d, 0x6b, 0x12)],
];

/// What is wrong.
pub fn error_colour(ui: &egui::Ui) -> Color32 {
    ui.visuals().error_fg_color
}

/// The chosen tile and square.
pub fn accent(dark: bool) -> Color32 {
    if dark { Color32::from_rgb(0x6c, 0xb6, 0xff) } else { Color32::from_rgb(0x1f, 0x6f, 0xeb) }
}

/// Colours of learning curves; training and validation also differ by their markers.
#[derive(Debug, Clone, Copy)]
pub struct CurveColours {
    pub training: Color32,
    pub validation: Color32,
    pub batches: Color32,
    /// Runs before.
    pub earlier: Color32,
    /// The best epoch.
    pub best: Color32,
}

/// Okabe–Ito's blue and orange on both grounds; everything else stays behind them.
pub fn curves(dark: bool) -> CurveColours {
    CurveColours {
        training: if dark { CLASS_COLOURS[3] } else { CLASS_COLOURS[2] },
        validation: if dark { CLASS_COLOURS[5] } else { CLASS_COLOURS[1] },
        batches: if dark { Color32::from_gray(110) } else { Color32::from_gray(170) },
        earlier: if dark { Color32::from_gray(90) } else { Color32::from_gray(190) },
        best: if dark { Color32::from_gray(200) } else { Color32::from_gray(60) },
    }
}

/// Behind images.
pub fn image_back(dark: bool) -> Color32 {
    if dark { Color32::from_gray(18) } else { Color32::from_gray(226) }
}

/// A tile's ground.
pub fn tile_back(dark: bool) -> Color32 {
    if dark { Color32::from_gray(38) } else { Color32::from_gray(255) }
}

/// A number of the confusion matrix: blue where both agree, orange where not, the stronger the larger its share.
pub fn matrix_back(dark: bool, right: bool, share: f32) -> Color32 {
    let full = if right { CLASS_COLOURS[2] } else { CLASS_COLOURS[1] };
    let ground = if dark { Color32::from_gray(34) } else { Color32::from_gray(246) };
    ground.lerp_to_gamma(full, share.clamp(0.0, 1.0).sqrt())
}

/// What is written on it.
pub fn matrix_ink(dark: bool, share: f32) -> Color32 {
    if dark || share > 0.5 { Color32::WHITE } else { Color32::from_gray(30) }
}

/// Over the window while files are dragged.
pub fn overlay() -> Color32 {
    Color32::from_black_alpha(150)
}

pub fn on_overlay() -> Color32 {
    Color32::WHITE
}

/// A colour of the heat map's scale, 0..=255 each, so much of it as `share` says.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "colours")]
pub fn heat(colour: [f32; 3], share: f32) -> Color32 {
    let [r, g, b] = colour.map(|v| v as u8);
    Color32::from_rgba_unmultiplied(r, g, b, (share.clamp(0.0, 1.0) * 255.0) as u8)
}

/// Tints an image not at all.
pub fn untinted() -> Color32 {
    Color32::WHITE
}

/// Sets both themes up and chooses one.
pub fn apply(ctx: &egui::Context, choice: ThemeChoice) {
    ctx.set_theme(match choice {
        ThemeChoice::System => egui::ThemePreference::System,
        ThemeChoice::Light => egui::ThemePreference::Light,
        ThemeChoice::Dark => egui::ThemePreference::Dark,
    });
}

/// Spacing, rounding and contrast of both themes.
pub fn install(ctx: &egui::Context) {
    for theme in [Theme::Light, Theme::Dark] {
        let dark = theme == Theme::Dark;
        let mut visuals = if dark { Visuals::dark() } else { Visuals::light() };
        visuals.panel_fill = if dark { Color32::from_gray(27) } else { Color32::from_gray(246) };
        visuals.window_fill = if dark { Color32::from_gray(34) } else { Color32::from_gray(252) };
        visuals.extreme_bg_color = if dark { Color32::from_gray(16) } else { Color32::from_gray(255) };
        visuals.selection.bg_fill =
            if dark { Color32::from_rgb(0x1d, 0x4e, 0x89) } else { Color32::from_rgb(0xbb, 0xd9, 0xff) };
        visuals.selection.stroke =
            Stroke::new(1.0, if dark { Color32::WHITE } else { Color32::from_rgb(0x0a, 0x2f, 0x66) });
        // The stock greys are under 4.5:1 against these grounds.
        visuals.widgets.noninteractive.fg_stroke.color =
            if dark { Color32::from_gray(205) } else { Color32::from_gray(40) };
        visuals.widgets.inactive.fg_stroke.color = if dark { Color32::from_gray(225) } else { Color32::from_gray(30) };
        visuals.error_fg_color =
            if dark { Color32::from_rgb(0xff, 0x8a, 0x80) } else { Color32::from_rgb(0xb3, 0x1d, 0x1d) };
        visuals.weak_text_color = Some(if dark { Color32::from_gray(160) } else { Color32::from_gray(92) });
        let round = CornerRadius::same(5);
        for w in [
            &mut visuals.widgets.noninteractive,
            &mut visuals.widgets.inactive,
            &mut visuals.widgets.hovered,
            &mut visuals.widgets.active,
            &mut visuals.widgets.open,
        ] {
            w.corner_radius = round;
        }
        ctx.set_visuals_of(theme, visuals);
        ctx.style_mut_of(theme, |style| {
            style.spacing.item_spacing = egui::vec2(8.0, 6.0);
            style.spacing.button_padding = egui::vec2(9.0, 4.0);
            style.spacing.interact_size.y = 24.0;
            if let Some(small) = style.text_styles.get_mut(&egui::TextStyle::Small) {
                small.size = 11.0;
            }
        });
    }
}
