//! Several views of one cell: a blood cell has no upright, so a model that is unsure of one is asked about its seven other turns and mirrors,
//! too, and the mean of all eight answers is its answer. Made of tensors, whatever they were cut from.

/// Cells that a model names with less probability than this (before calibration) are seen in all views: the others would hardly change
/// their label, and eight views cost eight times as much.
pub(super) const UNSURE: f32 = 0.8;
/// Turns and mirrors of a square, the square itself among them.
pub const VIEWS: usize = 8;

/// The seven other turns and mirrors of a square tensor of three channels, one after the other.
pub(super) fn other_views(tensor: &[f32], side: usize, channels_first: bool) -> Vec<f32> {
    let at = |x: usize, y: usize, channel: usize| {
        if channels_first { (channel * side + y) * side + x } else { (y * side + x) * 3 + channel }
    };
    let last = side - 1;
    let mut out = vec![0.0; (VIEWS - 1) * tensor.len()];
    for (view, part) in (1..VIEWS).zip(out.chunks_exact_mut(tensor.len())) {
        for y in 0..side {
            for x in 0..side {
                // Bit 0 swaps the axes, bits 1 and 2 turn each of them around: together the eight symmetries of a square.
                let (mut u, mut v) = if view & 1 == 1 { (y, x) } else { (x, y) };
                if view & 2 != 0 {
                    u = last - u;
                }
                if view & 4 != 0 {
                    v = last - v;
                }
                for channel in 0..3 {
                    part[at(x, y, channel)] = tensor[at(u, v, channel)];
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_eight_views_are_the_symmetries_of_a_square() {
        for channels_first in [true, false] {
            // All values differ, so that two equal views would show.
            let tensor: Vec<f32> = (0..27u8).map(f32::from).collect();
            let others = other_views(&tensor, 3, channels_first);
            let bits = |view: &[f32]| view.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            let all: HashSet<Vec<u32>> =
                others.chunks_exact(27).chain(std::iter::once(&tensor[..])).map(bits).collect();
            assert_eq!(all.len(), VIEWS);
            let middle = |view: &[f32]| [0, 1, 2].map(|c| view[if channels_first { 9 * c + 4 } else { 12 + c }]);
            let corners = |view: &[f32]| {
                let at = |x: usize, y: usize| view[if channels_first { 3 * y + x } else { 3 * (3 * y + x) }];
                let mut four = [at(0, 0), at(2, 0), at(0, 2), at(2, 2)];
                four.sort_by(f32::total_cmp);
                four
            };
            for view in others.chunks_exact(27) {
                assert_eq!((middle(view), corners(view)), (middle(&tensor), corners(&tensor)));
            }
        }
    }
}
