//! Leukoscope.
pub mod domain;
pub mod task;
pub mod files;
pub mod imaging;
pub mod model;
pub mod inference;
pub mod report;
pub mod workflow;
pub mod cli;
#[cfg(feature = "app")]
pub mod app;
