//! What goes in and out of the window's state, by the page that it concerns. Plain values.

use super::command::Command;
use super::{evaluate, models, review, shell, train};

/// Something that happened outside.
#[derive(Debug)]
pub enum Event {
    /// Around the pages.
    Shell(shell::Event),
    Review(review::Event),
    Evaluate(evaluate::Event),
    Train(train::Event),
    Models(models::Event),
}

/// What the user did.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    Command(Command),
    /// Around the pages.
    Shell(shell::Input),
    Review(review::Input),
    Evaluate(evaluate::Input),
    Train(train::Input),
    Models(models::Input),
}

/// What should be done outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Around the pages.
    Shell(shell::Effect),
    Review(review::Effect),
    Evaluate(evaluate::Effect),
    Train(train::Effect),
    Models(models::Effect),
}

macro_rules! of_page {
    ($($page:ident $variant:ident),*) => {$(
        impl From<$page::Event> for Event {
            fn from(event: $page::Event) -> Self {
                Self::$variant(event)
            }
        }
        impl From<$page::Input> for Input {
            fn from(input: $page::Input) -> Self {
                Self::$variant(input)
            }
        }
        impl From<$page::Effect> for Effect {
            fn from(effect: $page::Effect) -> Self {
                Self::$variant(effect)
            }
        }
    )*};
}
of_page!(shell Shell, review Review, evaluate Evaluate, train Train, models Models);
