//! The compiler as a whole: from a path to diagnostics, to a running program, to an executable file.
//!
//! Everything the command line (and later editors and embedders) can ask for starts here. This crate owns the order of
//! the stages and the loading of files; it knows neither flags nor terminals.

mod admission;
pub mod bridges;
pub mod config;
mod contract;
pub mod embedding;
pub mod ffi_build;
pub mod files;
pub mod format;
mod libraries;
pub mod link;
mod load;
pub mod manifest;
mod overlay;
pub mod package;
pub mod permissions;
pub mod pipeline;
pub mod profile;
pub mod reload;
mod signatures;
pub mod stack;
pub mod stages;
pub mod stdlib;
pub mod system;
pub mod target;
pub mod telemetry;
pub mod testing;
pub mod toolchain;
pub mod watch;

pub use reml_rt::{hold_standard_streams, ignore_signals_of_writing};
