//! The Evaluate page: how good a model is on labelled images, with every number's images behind it. It knows no other page.

mod compare;
mod curves;
mod jobs;
mod matrix;
mod page;
mod references;
mod scores;
mod setup;
pub mod state;
mod update;

pub(crate) use jobs::Jobs;
pub(crate) use page::page;
pub(crate) use references::Memory;
pub use state::State;
pub use update::{Effect, Event, Input, command, enabled, event, input};
