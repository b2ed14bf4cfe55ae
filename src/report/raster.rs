//! An SVG of ours as PNG, for slides and mails. The font comes with the program: the image is the same everywhere.

use crate::imaging::{RgbImage, encode_png};
use resvg::{tiny_skia, usvg};
use std::sync::Arc;

/// Pixels of a point of the SVG.
const SCALE: f32 = 2.0;

/// Draws an SVG on white; `None` where it is none, or too large to draw.
pub fn svg_to_png(svg: &str) -> Option<Vec<u8>> {
    let mut fonts = usvg::fontdb::Database::new();
    fonts.load_font_data(epaint_default_fonts::UBUNTU_LIGHT.to_vec());
    let family = fonts.faces().next()?.families.first()?.0.clone();
    fonts.set_sans_serif_family(family.as_str());
    let options = usvg::Options { font_family: family, fontdb: Arc::new(fonts), ..usvg::Options::default() };
    let tree = usvg::Tree::from_str(svg, &options).ok()?;
    let size = tree.size().to_int_size().scale_by(SCALE)?;
    let mut drawn = tiny_skia::Pixmap::new(size.width(), size.height())?;
    drawn.fill(tiny_skia::Color::WHITE);
    resvg::render(&tree, tiny_skia::Transform::from_scale(SCALE, SCALE), &mut drawn.as_mut());
    // On white every pixel is opaque, so premultiplied colours are the colours.
    let rgb: Vec<u8> = drawn.data().as_chunks::<4>().0.iter().flat_map(|p| [p[0], p[1], p[2]]).collect();
    encode_png(&RgbImage::from_raw(size.width(), size.height(), rgb)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Confusion;

    #[test]
    fn a_matrix_becomes_a_image_with_words_in_it() {
        let labels = ["basophil".to_owned(), "monocyte".to_owned()];
        let of = |labels: &[String]| {
            let svg = crate::report::confusion_svg(&Confusion::new(2, [(0, 0), (0, 1), (1, 1)]), labels);
            crate::imaging::decode(&svg_to_png(&svg).expect("PNG"), Default::default()).expect("decodes").image
        };
        let (named, blank) = (of(&labels), of(&["        ".to_owned(), "        ".to_owned()]));
        assert_eq!(named.dimensions(), blank.dimensions());
        let ink = |p: &RgbImage| p.pixels().filter(|c| c.0.iter().all(|v| *v < 110)).count();
        assert!(ink(&named) > ink(&blank) + 200, "{} {}", ink(&named), ink(&blank));
        assert!(svg_to_png("<svg").is_none());
    }
}
