//! The Models page: installed models with their cards, execution providers, somebody else's model. It knows no other page.

mod import;
mod jobs;
mod library;
mod providers;
pub mod state;
mod update;

pub(crate) use jobs::Jobs;
pub(crate) use library::{Memory, page};
pub use state::State;
pub use update::{Effect, Event, Input, asks, event, model_changed, opened};
