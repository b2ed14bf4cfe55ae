//! The Review page: every cell with its label, the differential, the signature.
//!
//! `state` is what it knows, `message` what goes in and out, `commands`, `update` and `events` how it answers, `jobs` its work outside the
//! window's thread; the rest draws, from [`page`] down. It knows no other page.

pub mod case;
mod case_form;
mod commands;
mod count;
mod differential;
mod edits;
mod events;
mod filter;
mod first_run;
mod gallery;
pub mod heat_map;
pub mod images;
mod inspector;
mod jobs;
pub mod labels;
mod map;
pub mod map_state;
mod memory;
pub mod message;
mod page;
mod questions;
mod sign_off;
pub mod slides;
pub mod state;
mod tiles;
mod update;

pub use commands::{checked, command, enabled, refusal};
pub use events::event;
pub(crate) use jobs::Jobs;
pub(crate) use memory::Memory;
pub use message::{Effect, Event, Input, ReviewedFor};
pub(crate) use page::{dialog, keys, page};
pub use state::{Dialog, Filter, Kind, State};
pub use update::{input, reopen, tick, use_model};
