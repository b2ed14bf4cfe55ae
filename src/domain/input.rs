//! What a model wants to see, as its own metadata says it. Numbers only; the pixels are `imaging`'s.

/// How a model wants its cell squares.
#[derive(Debug, Clone, PartialEq)]
pub struct CellPreprocessing {
    /// Side of the square in nucleus diameters.
    pub side_factor: f64,
    /// Where the background's brightness goes, 0..=255.
    pub white: f32,
    /// Percentile of the image that is taken for background in an image of one cell.
    pub white_percentile: f64,
    /// Whether the background is brought to `white`; if not, the colours stay as they are.
    pub balanced: bool,
}

impl CellPreprocessing {
    /// The square that our own models were trained through: 2.6 nucleus diameters, the background (percentile 95) to 235.
    pub const OURS: Self = Self { side_factor: 2.6, white: 235.0, white_percentile: 95.0, balanced: true };
}

/// How pixels are averaged where an image shrinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResizeFilter {
    /// Exact area averages.
    #[default]
    Area,
    /// Bilinear, widened where it shrinks (Pillow's and torchvision's `antialias=True`).
    Bilinear,
    /// Bicubic, widened where it shrinks.
    Bicubic,
}

impl ResizeFilter {
    pub const ALL: [Self; 3] = [Self::Area, Self::Bilinear, Self::Bicubic];

    /// Its word in a manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Area => "area",
            Self::Bilinear => "bilinear",
            Self::Bicubic => "bicubic",
        }
    }
}

/// How a model wants whole images.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct WholePreprocessing {
    /// The centred square that is cut out first, as a share of the shorter side (224 of 256 is 0.875); `None` where the whole
    /// image is stretched.
    pub crop: Option<f64>,
    /// How it is brought to the model's size.
    pub filter: ResizeFilter,
}

/// How a model wants its numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorSpec {
    /// Pixels a side.
    pub size: usize,
    /// `true` for `[3, H, W]`, `false` for `[H, W, 3]`.
    pub channels_first: bool,
    /// `true` for blue first.
    pub bgr: bool,
    /// Subtracted from each 0..=255 value, in the order of the tensor's channels.
    pub mean: [f32; 3],
    /// Divides what is left, in the order of the tensor's channels.
    pub std: [f32; 3],
}

/// What a model wants to see.
#[derive(Debug, Clone, PartialEq)]
pub enum Preprocessing {
    /// The balanced square around each cell.
    CellSquare(CellPreprocessing),
    WholeImage(WholePreprocessing),
}

impl Preprocessing {
    /// Share of an image, in percent, that is darker than its background.
    pub fn white_percentile(&self) -> f64 {
        match self {
            Self::CellSquare(how) => how.white_percentile,
            Self::WholeImage(_) => CellPreprocessing::OURS.white_percentile,
        }
    }

    /// In words, for the card.
    pub fn to_line(&self) -> String {
        match self {
            Self::CellSquare(p) if p.balanced => format!(
                "cell square of {} nucleus diameters, background (percentile {}) to {}",
                p.side_factor, p.white_percentile, p.white
            ),
            Self::CellSquare(p) => format!("cell square of {} nucleus diameters, colours as they are", p.side_factor),
            Self::WholeImage(WholePreprocessing { crop: None, filter }) => {
                format!("whole image, stretched ({})", filter.as_str())
            }
            Self::WholeImage(WholePreprocessing { crop: Some(share), filter }) => {
                format!("centred square of {share} of the shorter side ({})", filter.as_str())
            }
        }
    }
}
