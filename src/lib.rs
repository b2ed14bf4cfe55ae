//! Leukoscope finds, classifies and counts the white blood cells of stained smears. This is the map of its house.
//!
//! Read in the order of the modules below; data runs down this list and never up.
//!
//! | layer | modules | what they are |
//! | --- | --- | --- |
//! | 0 | [`domain`], [`task`] | what things are: pure values, no disk, no threads, no clock |
//! | 1 | [`files`], [`imaging`], [`metrics`], [`model`] | one craft each, knowing layer 0 alone, never each other |
//! | 2 | [`dataset`], [`inference`], [`session`], [`laboratory`], [`report`] | labelled pictures and splits; running the network; a person's labels; the differential; results as bytes |
//! | 3 | [`training`] | learning: arithmetic, recipes, the loop, checkpoints |
//! | 4 | [`workflow`] | what one can do, headless: the API of both faces |
//! | 5 | [`cli`], `app` | two thin faces that do not know each other |
//!
//! # Invariants
//! 1. Nothing below `app` names egui; `cargo build --no-default-features` gives the headless tool.
//! 2. Only [`files`] opens or writes files (and ort its own library); only [`inference`] names ort; only [`imaging`] names
//!    image codecs; only [`training`] names a library of matrix products, only [`session`] SQLite.
//! 3. What one face can do, the other can: both call [`workflow`].
//! 4. [`domain`], [`metrics`], [`report`] and the window's `update` are pure: time, seed and locale are parameters.
//! 5. No pixel reaches a model without the bounded decoder ([`imaging::decode`]), no model file reaches ort without
//!    [`model::vet`]: a session takes a [`model::VettedModel`].
//! 6. Source images are never opened for writing.
//! 7. What is written is written by one atomic writer ([`files::AtomicFile`]), or by SQLite ([`session::Store`]).
//! 8. A result carries the image's digest, the model's digest and the execution provider that really ran.
//! 9. A file that fails is a row with an error: never a missing row, never a stopped batch.
//! 10. An exporter returns bytes; the writer writes them.
//!
//! `tests/house.rs` holds the arrows and the homes of the libraries.

pub mod domain;
pub mod task;

pub mod files;
pub mod imaging;
pub mod metrics;
pub mod model;

pub mod dataset;
pub mod inference;
pub mod laboratory;
pub mod report;
pub mod session;

pub mod training;

pub mod workflow;

#[cfg(feature = "app")]
pub mod app;
pub mod cli;
