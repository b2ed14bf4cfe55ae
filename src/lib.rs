//! The library of Leukoscope: its map, its invariants, its modules in reading order. The map is `src/README.md`.
//!
#![doc = include_str!("README.md")]
//!
//! # Invariants
//! 1. Nothing below `app` names egui; `cargo build --no-default-features` gives the headless tool.
//! 2. Only [`files`] opens or writes files (and ort its own library); only [`inference`] names ort; only [`imaging`] names
//!    image codecs; only [`training`] names a library of matrix products, only [`session`] SQLite.
//! 3. What one face can do, the other can: both call [`workflow`], and neither does the work itself.
//! 4. [`domain`], [`metrics`], [`laboratory`], [`evaluation`], [`report`] and the window's `update` are pure: time, seed and locale are parameters.
//! 5. No pixel reaches a model without the bounded decoder ([`imaging::decode`]), no model file reaches ort without
//!    [`model::vet`]: a session takes a [`model::VettedModel`].
//! 6. Source images are never opened for writing. Nothing is written onto what was read, whatever it is called.
//! 7. What is written is written by one atomic writer ([`files::AtomicFile`]), or by SQLite ([`session::Store`]).
//! 8. A result carries the image's digest, the model's digest and the execution provider that really ran.
//! 9. A file that fails is a row with an error: never a missing row, never a stopped batch.
//! 10. An exporter returns bytes; the writer writes them.
//! 11. Identity is an id or a digest, never a position: positions live only inside the function that draws or sorts.
//! 12. Meaning is a type, never a text: no control flow on messages, no `Debug` output on the disk.
//! 13. One question, one function: window, script, report and signature take a differential from the same call.
//! 14. No network connection is opened unless the user asked for that very thing, nor by a library.
//!
//! `tests/house.rs` holds the arrows, circles, pages, sizes and the homes of the libraries; `clippy.toml` the rest.

pub mod domain;
pub mod task;

pub mod files;
pub mod imaging;
pub mod metrics;
pub mod model;

pub mod dataset;
pub mod evaluation;
pub mod inference;
pub mod laboratory;
pub mod report;
pub mod session;

pub mod training;

pub mod workflow;

#[cfg(feature = "app")]
pub mod app;
pub mod cli;
