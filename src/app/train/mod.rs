//! The Train page: data, recipe, live curves, result. It knows no other page.

mod jobs;
mod page;
pub mod state;
mod update;

pub(crate) use jobs::Jobs;
pub(crate) use page::page;
pub use state::State;
pub use update::{Effect, Event, Input, command, enabled, event, input};
