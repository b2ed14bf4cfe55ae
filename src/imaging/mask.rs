//! Which pixels are nucleus, as runs, and the connected parts they form.
//!
//! Runs instead of a label image: the finder tries a cut after another, and only the parts matter.

use super::plane::Plane;

/// Some pixels of one row: `start..end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) y: i32,
    pub(super) start: i32,
    pub(super) end: i32,
}

/// A connected part (8 neighbours).
#[derive(Debug, Clone, Default)]
pub(super) struct Part {
    pub(super) runs: Vec<Run>,
    /// Pixels.
    pub(super) area: u32,
    /// Left, top, right, bottom; right and bottom exclusive.
    pub(super) bounds: [i32; 4],
    /// Sum of the scores of its pixels.
    pub(super) score: u64,
    /// Sums of x and y over its pixels.
    moments: (i64, i64),
}

impl Part {
    /// Mean score of its pixels.
    pub(super) fn strength(&self) -> f64 {
        let sum = self.score as f64;
        sum / f64::from(self.area.max(1))
    }

    pub(super) fn centre(&self) -> (f64, f64) {
        let (x, y) = (self.moments.0 as f64, self.moments.1 as f64);
        (x / f64::from(self.area.max(1)), y / f64::from(self.area.max(1)))
    }

    pub(super) fn width(&self) -> i32 {
        self.bounds[2] - self.bounds[0]
    }

    pub(super) fn height(&self) -> i32 {
        self.bounds[3] - self.bounds[1]
    }

    /// Smallest distance between a pixel of this part and one of the other.
    pub(super) fn gap(&self, other: &Self) -> f64 {
        let mut best = i64::MAX;
        for a in &self.runs {
            for b in &other.runs {
                let dy = i64::from(a.y - b.y);
                if dy * dy >= best {
                    continue;
                }
                let dx = i64::from((a.start - b.end + 1).max(b.start - a.end + 1).max(0));
                best = best.min(dx * dx + dy * dy);
            }
        }
        let d = best as f64;
        d.sqrt()
    }
}

/// The parts of `score > cut`, opened with a 3×3 cross (what OpenCV calls a 3×3 ellipse), in raster order of their
/// first pixel.
pub(super) fn parts_above(score: &Plane<u8>, cut: u8) -> Vec<Part> {
    let opened = open_cross(score, cut);
    let mut runs: Vec<Run> = Vec::new();
    let mut owner: Vec<usize> = Vec::new();
    let mut previous = 0..0;
    for y in 0..score.height {
        let first = runs.len();
        let row = opened.row(y);
        let mut x = 0;
        while let Some(skip) = row[x..].iter().position(|&v| v != 0) {
            let start = x + skip;
            let end = row[start..].iter().position(|&v| v == 0).map_or(row.len(), |n| start + n);
            owner.push(runs.len());
            runs.push(Run { y: to_i32(y), start: to_i32(start), end: to_i32(end) });
            x = end;
        }
        // Two sorted rows of runs: walk both, joining those that touch (diagonally too).
        let mut above = previous.clone();
        for i in first..runs.len() {
            while above.start < above.end && runs[above.start].end < runs[i].start {
                above.start += 1;
            }
            for j in above.clone() {
                if runs[j].start > runs[i].end {
                    break;
                }
                let (a, b) = (root(&mut owner, i), root(&mut owner, j));
                owner[a.max(b)] = a.min(b);
            }
        }
        previous = first..runs.len();
    }
    let mut index = vec![usize::MAX; runs.len()];
    let mut parts: Vec<Part> = Vec::new();
    for (i, &run) in runs.iter().enumerate() {
        let r = root(&mut owner, i);
        if index[r] == usize::MAX {
            index[r] = parts.len();
            parts.push(Part { bounds: [i32::MAX, i32::MAX, i32::MIN, i32::MIN], ..Part::default() });
        }
        let part = &mut parts[index[r]];
        let n = i64::from(run.end - run.start);
        part.area += (run.end - run.start).cast_unsigned();
        part.moments.0 += i64::from(run.start + run.end - 1) * n / 2;
        part.moments.1 += i64::from(run.y) * n;
        let b = &mut part.bounds;
        *b = [b[0].min(run.start), b[1].min(run.y), b[2].max(run.end), b[3].max(run.y + 1)];
        let row = score.row(run.y.cast_unsigned() as usize);
        part.score += row[run.start.cast_unsigned() as usize..run.end.cast_unsigned() as usize]
            .iter()
            .map(|&v| u64::from(v))
            .sum::<u64>();
        part.runs.push(run);
    }
    parts
}

fn to_i32(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

fn root(owner: &mut [usize], mut i: usize) -> usize {
    while owner[i] != i {
        owner[i] = owner[owner[i]];
        i = owner[i];
    }
    i
}

/// Erosion then dilation with a cross; outside the image neither erodes nor adds.
fn open_cross(score: &Plane<u8>, cut: u8) -> Plane<u8> {
    let above = Plane {
        width: score.width,
        height: score.height,
        data: score.data.iter().map(|&v| u8::from(v > cut)).collect(),
    };
    cross(&cross(&above, 1, |a, b| a & b), 0, |a, b| a | b)
}

fn cross(plane: &Plane<u8>, outside: u8, join: impl Fn(u8, u8) -> u8) -> Plane<u8> {
    let (w, h) = (plane.width, plane.height);
    let mut out = plane.clone();
    let border = vec![outside; w];
    for y in 0..h {
        let up = if y > 0 { plane.row(y - 1) } else { &border };
        let down = if y + 1 < h { plane.row(y + 1) } else { &border };
        let row = plane.row(y);
        let target = &mut out.data[y * w..(y + 1) * w];
        for ((t, &u), &d) in target.iter_mut().zip(up).zip(down) {
            *t = join(*t, join(u, d));
        }
        if w > 1 {
            for (t, &n) in target[1..].iter_mut().zip(row) {
                *t = join(*t, n);
            }
            for (t, &n) in target.iter_mut().zip(&row[1..]) {
                *t = join(*t, n);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(rows: &[&str]) -> Plane<u8> {
        let data = rows.iter().flat_map(|r| r.bytes().map(|b| if b == b'#' { 200 } else { 0 })).collect();
        Plane { width: rows[0].len(), height: rows.len(), data }
    }

    #[test]
    fn touching_corners_join_and_specks_are_opened_away() {
        let parts = parts_above(
            &plane(&[
                "###......", //
                "###......", //
                "###......", //
                "...###...", //
                "...###..#", //
                "...###...",
            ]),
            100,
        );
        // The corners where the blocks touch go with the opening, so they part; the speck is gone.
        assert_eq!(parts.iter().map(|p| p.area).sum::<u32>(), 15, "{parts:?}");
        assert!(parts.iter().all(|p| p.area > 1));
    }

    #[test]
    fn a_bowl_is_one_part_with_the_right_numbers() {
        let parts = parts_above(
            &plane(&[
                "###...###", //
                "###...###", //
                "###...###", //
                "#########", //
                "#########", //
                "#########",
            ]),
            100,
        );
        assert_eq!(parts.len(), 1);
        assert_eq!(parts[0].bounds, [0, 0, 9, 6]);
        assert!((parts[0].centre().0 - 4.0).abs() < 1e-9);
        assert!((parts[0].strength() - 200.0).abs() < 1e-9);
    }

    #[test]
    fn the_gap_is_between_nearest_pixels() {
        let parts = parts_above(
            &plane(&[
                "###....###", //
                "###....###", //
                "###....###",
            ]),
            100,
        );
        assert_eq!(parts.len(), 2);
        assert!((parts[0].gap(&parts[1]) - 5.0).abs() < 1e-9, "{}", parts[0].gap(&parts[1]));
    }
}
