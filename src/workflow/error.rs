//! What the user is told when something cannot be done: what, why, and what to do, in one or two sentences.

use std::fmt;

/// An error in words for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserError(String);

impl UserError {
    /// Says it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is typed below says itself what is wrong; here it becomes words.
impl<E: std::error::Error> From<E> for UserError {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}
