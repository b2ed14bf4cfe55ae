//! Two nuclei that touch, taken apart: a shape is worn down from its rim until it falls into pieces, and each piece is given back what was
//! worn off. A lobed nucleus falls apart, too: whether a piece is a cell is not decided here.

#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "pixel positions inside one image")]

use super::mask::Part;

/// A shape whose extent is less than this many diameters of the disc with its area is one thing.
const LEAST_EXTENT: f64 = 1.2;
/// Pieces smaller than this share of the shape are crumbs.
const LEAST_SHARE: f64 = 0.18;

/// A piece: its centre and the diameter it had before it was worn down, pixels of the working copy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Piece {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) diameter: f64,
}

/// The pieces of a shape of several parts, or nothing where it is one.
pub(super) fn pieces(parts: &[&Part], extent: f64, disc: f64) -> Vec<Piece> {
    if extent < LEAST_EXTENT * disc || disc < 8.0 {
        return Vec::new();
    }
    let left = parts.iter().map(|p| p.bounds[0]).min().unwrap_or(0) - 1;
    let top = parts.iter().map(|p| p.bounds[1]).min().unwrap_or(0) - 1;
    let right = parts.iter().map(|p| p.bounds[2]).max().unwrap_or(0) + 1;
    let bottom = parts.iter().map(|p| p.bounds[3]).max().unwrap_or(0) + 1;
    let (w, h) = ((right - left).max(1) as usize, (bottom - top).max(1) as usize);
    let mut mask = vec![false; w * h];
    for run in parts.iter().flat_map(|p| &p.runs) {
        let row = (run.y - top) as usize * w;
        mask[row + (run.start - left) as usize..row + (run.end - left) as usize].fill(true);
    }
    let least = LEAST_SHARE * disc * disc;
    let depth = depths(&mask, w, h);
    let step = (disc / 24.0).ceil() as usize;
    for worn in (1..(disc / 2.0) as usize).step_by(step) {
        let left_over: Vec<bool> = depth.iter().map(|d| usize::from(*d) > STRAIGHT * worn).collect();
        let found: Vec<Piece> = areas(&left_over, w, h)
            .into_iter()
            .map(|(x, y, area)| Piece {
                x: x + f64::from(left),
                y: y + f64::from(top),
                diameter: (4.0 * area / std::f64::consts::PI).sqrt() + 2.0 * worn as f64,
            })
            .filter(|p| p.diameter * p.diameter >= least)
            .collect();
        if found.is_empty() {
            break;
        }
        if found.len() > 1 {
            return found;
        }
    }
    Vec::new()
}

/// The chamfer distance to a straight neighbour; 7 is that to a diagonal one (Borgefors 1986).
const STRAIGHT: usize = 5;

/// How deep each pixel lies in the shape, in fifths of a pixel: the chamfer distance to its rim, forwards and backwards once. The mask has a
/// margin of one pixel.
fn depths(mask: &[bool], w: usize, h: usize) -> Vec<u16> {
    let mut depth: Vec<u16> = mask.iter().map(|inside| if *inside { u16::MAX - 7 } else { 0 }).collect();
    let inner = |n: usize| 1..n.saturating_sub(1);
    for y in inner(h) {
        for x in inner(w) {
            let at = y * w + x;
            let near = (depth[at - 1] + 5).min(depth[at - w] + 5).min(depth[at - w - 1] + 7).min(depth[at - w + 1] + 7);
            depth[at] = depth[at].min(near);
        }
    }
    for y in inner(h).rev() {
        for x in inner(w).rev() {
            let at = y * w + x;
            let near = (depth[at + 1] + 5).min(depth[at + w] + 5).min(depth[at + w + 1] + 7).min(depth[at + w - 1] + 7);
            depth[at] = depth[at].min(near);
        }
    }
    depth
}

/// Centre and area of each connected area.
fn areas(mask: &[bool], w: usize, h: usize) -> Vec<(f64, f64, f64)> {
    let mut left = mask.to_vec();
    let mut out = Vec::new();
    for start in 0..w * h {
        if !left[start] {
            continue;
        }
        let (mut open, mut sums, mut n) = (vec![start], (0usize, 0usize), 0usize);
        left[start] = false;
        while let Some(at) = open.pop() {
            let (x, y) = (at % w, at / w);
            sums = (sums.0 + x, sums.1 + y);
            n += 1;
            for ny in y.saturating_sub(1)..(y + 2).min(h) {
                for nx in x.saturating_sub(1)..(x + 2).min(w) {
                    let next = ny * w + nx;
                    if left[next] {
                        left[next] = false;
                        open.push(next);
                    }
                }
            }
        }
        let area = n as f64;
        out.push((sums.0 as f64 / area, sums.1 as f64 / area, area));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::mask::parts_above;
    use super::super::plane::Plane;
    use super::*;

    fn shape(inside: impl Fn(f64, f64) -> bool) -> Vec<Part> {
        let data = (0..80 * 60).map(|i| if inside(f64::from(i % 80), f64::from(i / 80)) { 200 } else { 0 }).collect();
        parts_above(&Plane { width: 80, height: 60, data }, 100)
    }

    #[test]
    fn touching_discs_are_two_with_their_own_size_and_one_disc_is_none() {
        let near = |x: f64, y: f64, cx: f64| (x - cx).hypot(y - 30.0) < 14.0;
        let two = shape(|x, y| near(x, y, 24.0) || near(x, y, 49.0));
        assert_eq!(two.len(), 1, "they touch");
        let found = pieces(&[&two[0]], 53.0, (4.0 * f64::from(two[0].area) / std::f64::consts::PI).sqrt());
        assert_eq!(found.len(), 2, "{found:?}");
        for (piece, x) in found.iter().zip([24.0, 49.0]) {
            assert!((piece.x - x).abs() < 3.0 && (piece.y - 30.0).abs() < 2.0 && (piece.diameter - 28.0).abs() < 5.0);
        }
        let one = shape(|x, y| near(x, y, 40.0));
        assert!(pieces(&[&one[0]], 28.0, 28.0).is_empty());
    }
}
