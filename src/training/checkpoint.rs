//! A training run on the disk: everything that changes, and what it belongs to. Bytes in, bytes out; written by the atomic
//! writer, so that there is always a whole one.

use super::optimizer::Optimizer;
use super::trainer::TrainState;
use crate::domain::EpochRow;
use crate::files::digest_of;

const MAGIC: &[u8; 8] = b"LKTRAIN1";

/// A saved run.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// What the run is made of, as text: data, split, recipe, start. A run resumes only from its own.
    pub identity: String,
    /// Where it stands.
    pub state: TrainState,
}

/// Why a checkpoint cannot be taken up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not one, or damaged.
    #[error("the checkpoint is damaged or no checkpoint of this version; delete it to start anew")]
    Damaged,
    /// Of another run.
    #[error("the checkpoint belongs to another run: {0}. Delete it, or name another --out, to start anew")]
    Other(String),
    /// Of version 0.1.0, which described its runs in words that are not written any more.
    #[error(
        "the checkpoint is of an earlier version, which cannot be gone on with. Delete it, or name another --out, to start anew"
    )]
    Earlier,
}

impl Checkpoint {
    /// Whether a file that begins so is a checkpoint, whole or not.
    pub fn begins(head: &[u8]) -> bool {
        head.starts_with(MAGIC)
    }

    /// The checkpoint as bytes, with a digest at the end.
    pub fn to_bytes(&self) -> Vec<u8> {
        let s = &self.state;
        let mut out = MAGIC.to_vec();
        let text = self.identity.as_bytes();
        put_len(&mut out, text.len());
        out.extend_from_slice(text);
        for n in [s.optimizer.steps, s.best_epoch, s.epoch, s.step] {
            put_len(&mut out, n);
        }
        for v in s.sums.into_iter().chain([s.seconds]) {
            out.extend_from_slice(&v.to_le_bytes());
        }
        put_len(&mut out, s.history.len());
        for r in &s.history {
            put_len(&mut out, r.epoch);
            for v in [r.train_loss, r.train_accuracy, r.val_loss, r.val_accuracy, r.seconds] {
                out.extend_from_slice(&v.to_le_bytes());
            }
        }
        for numbers in [&s.values, &s.optimizer.first, &s.optimizer.second, &s.average, &s.best] {
            put_len(&mut out, numbers.len());
            out.extend(numbers.iter().flat_map(|v| v.to_le_bytes()));
        }
        let digest = digest_of(&out);
        out.extend_from_slice(&digest.0);
        out
    }

    /// Reads bytes and checks that they are those of the run `identity`.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn from_bytes(bytes: &[u8], identity: &str) -> Result<Self, CheckpointError> {
        let read = parse(bytes).ok_or(CheckpointError::Damaged)?;
        if read.identity == identity {
            return Ok(read);
        }
        if read.identity.lines().any(|line| line.starts_with("picture ")) {
            return Err(CheckpointError::Earlier);
        }
        let differs = read.identity.lines().zip(identity.lines()).find(|(a, b)| a != b);
        let what = differs.map_or("something".to_owned(), |(a, b)| format!("there \"{a}\", here \"{b}\""));
        Err(CheckpointError::Other(what))
    }
}

fn put_len(out: &mut Vec<u8>, n: usize) {
    out.extend_from_slice(&(n as u64).to_le_bytes());
}

fn parse(bytes: &[u8]) -> Option<Checkpoint> {
    let (body, digest) = bytes.split_at_checked(bytes.len().checked_sub(32)?)?;
    if digest_of(body).0 != digest {
        return None;
    }
    let mut rest = body.strip_prefix(MAGIC)?;
    let r = &mut rest;
    let length = len(r)?;
    let identity = String::from_utf8(take(r, length)?.to_vec()).ok()?;
    let [steps, best_epoch, epoch, step] = [len(r)?, len(r)?, len(r)?, len(r)?];
    let [a, b, c, seconds] = [double(r)?, double(r)?, double(r)?, double(r)?];
    let rows = len(r)?;
    let mut history = Vec::new();
    for _ in 0..rows {
        history.push(EpochRow {
            epoch: len(r)?,
            train_loss: double(r)?,
            train_accuracy: double(r)?,
            val_loss: double(r)?,
            val_accuracy: double(r)?,
            seconds: double(r)?,
        });
    }
    let mut numbers = || -> Option<Vec<f32>> {
        let n = len(r)?;
        let raw = take(r, n.checked_mul(4)?)?;
        Some(raw.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    };
    let (values, first, second, average, best) = (numbers()?, numbers()?, numbers()?, numbers()?, numbers()?);
    let optimizer = Optimizer { first, second, steps };
    let state =
        TrainState { values, optimizer, average, best, best_epoch, epoch, step, sums: [a, b, c], seconds, history };
    rest.is_empty().then_some(Checkpoint { identity, state })
}

fn take<'a>(rest: &mut &'a [u8], n: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(n)?;
    *rest = tail;
    Some(head)
}

fn len(rest: &mut &[u8]) -> Option<usize> {
    usize::try_from(u64::from_le_bytes(take(rest, 8)?.try_into().ok()?)).ok()
}

fn double(rest: &mut &[u8]) -> Option<f64> {
    Some(f64::from_le_bytes(take(rest, 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        let row = EpochRow {
            epoch: 1,
            train_loss: 0.5,
            train_accuracy: 0.75,
            val_loss: 0.4,
            val_accuracy: 0.8,
            seconds: 3.0,
        };
        let state = TrainState {
            values: vec![1.0, -2.5],
            optimizer: Optimizer { first: vec![0.1, 0.2], second: vec![0.3, 0.4], steps: 17 },
            average: Vec::new(),
            best: vec![9.0, 8.0],
            best_epoch: 1,
            epoch: 1,
            step: 3,
            sums: [1.0, 2.0, 3.0],
            seconds: 4.5,
            history: vec![row],
        };
        Checkpoint { identity: "data abc\nrecipe head".into(), state }
    }

    #[test]
    fn one_of_the_first_version_is_named_as_such() {
        let earlier = Checkpoint { identity: "data abc\npicture View { size: 128 }".into(), ..checkpoint() };
        assert_eq!(
            Checkpoint::from_bytes(&earlier.to_bytes(), "data abc\nimage cell-128"),
            Err(CheckpointError::Earlier)
        );
    }

    #[test]
    fn it_comes_back_whole_and_no_prefix_or_flipped_bit_passes() {
        let c = checkpoint();
        let bytes = c.to_bytes();
        assert_eq!(Checkpoint::from_bytes(&bytes, &c.identity), Ok(c.clone()));
        for n in 0..bytes.len() {
            assert_eq!(Checkpoint::from_bytes(&bytes[..n], &c.identity), Err(CheckpointError::Damaged));
            let mut flipped = bytes.clone();
            flipped[n] ^= 4;
            assert!(Checkpoint::from_bytes(&flipped, &c.identity).is_err());
        }
    }

    #[test]
    fn another_runs_checkpoint_is_refused_by_what_differs() {
        let e = Checkpoint::from_bytes(&checkpoint().to_bytes(), "data xyz\nrecipe head").expect_err("another");
        assert!(e.to_string().contains("data abc") && e.to_string().contains("data xyz"), "{e}");
    }
}
