//! What goes in and out of the window's state, by the page that it concerns. Plain values.

use super::command::Command;
use super::{evaluate, models, review, shell, train};

/// Something that happened outside.
#[derive(Debug)]
pub enum Event {
    /// Around the pages.
    Shell(shell::Event),
    /// On the Review page.
    Review(review::Event),
    /// On the Evaluate page.
    Evaluate(evaluate::Event),
    /// On the Train page.
    Train(train::Event),
    /// On the Models page.
    Models(models::Event),
}

/// What a person did.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Gave a command.
    Command(Command),
    /// Around the pages.
    Shell(shell::Input),
    /// On the Review page.
    Review(review::Input),
    /// On the Evaluate page.
    Evaluate(evaluate::Input),
    /// On the Train page.
    Train(train::Input),
    /// On the Models page.
    Models(models::Input),
}

/// What shall be done outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Around the pages.
    Shell(shell::Effect),
    /// For the Review page.
    Review(review::Effect),
    /// For the Evaluate page.
    Evaluate(evaluate::Effect),
    /// For the Train page.
    Train(train::Effect),
    /// For the Models page.
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
