//! The one integration binary: the house's law, the command line as it is run, hostile files, real images, the window.
//!
//! Tests that need real images look in `LEUKOSCOPE_DATA` or `../shared/data` and say `skipped: why` where it is absent.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test stops at what it did not expect, and says what it skips"
)]

mod cli;
mod cluster;
mod common;
mod data;
mod evaluate;
mod faults;
mod finder;
#[cfg(feature = "app")]
mod hand;
mod house;
#[cfg(feature = "app")]
mod laboratory;
#[cfg(feature = "app")]
mod languages;
#[cfg(feature = "app")]
mod models;
mod outputs;
mod providers;
mod quantize;
#[cfg(feature = "app")]
mod review;
mod session;
mod strangers;
mod tamper;
mod train;
#[cfg(feature = "app")]
mod truth;
#[cfg(feature = "app")]
mod window;
