//! SHA-256 digests, by which images and models are known whatever their files are called.
//!
//! The hashing itself is done where the bytes are read; this is only the value.

use std::fmt;

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The first eight hexadecimal digits: enough to tell two models apart on a screen.
    pub fn short(&self) -> String {
        self.to_string()[..8].to_owned()
    }
}

/// What is not a digest: not 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256 digest: 64 hexadecimal digits are needed")]
pub struct NoDigest;

impl std::str::FromStr for Digest {
    type Err = NoDigest;

    fn from_str(text: &str) -> Result<Self, NoDigest> {
        let text = text.trim().as_bytes();
        if text.len() != 64 {
            return Err(NoDigest);
        }
        let mut out = [0; 32];
        for (o, pair) in out.iter_mut().zip(text.as_chunks::<2>().0) {
            let digit = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok()).ok_or(NoDigest);
            *o = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(out))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", self.short())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_read() {
        let d = Digest(std::array::from_fn(|i| u8::try_from(i * 7 % 256).expect("a byte")));
        assert_eq!(d.to_string().parse(), Ok(d));
        assert_eq!(d.to_string().to_uppercase().parse(), Ok(d));
        for wrong in ["", "00", &d.to_string()[1..], &format!("g{}", &d.to_string()[1..]), &"é".repeat(32)] {
            assert_eq!(wrong.parse::<Digest>(), Err(NoDigest), "{wrong}");
        }
    }
}
