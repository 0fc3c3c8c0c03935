//! What compiled Reml programs call: heap, strings, arrays, numbers, input and output, panics, entry.
//!
//! Compiled code and this crate agree on [`abi`]; the functions have C linkage and are listed in [`symbols`]. As
//! an rlib the crate runs programs inside the compiler ([`run_program`]); as a static library it is linked into
//! executables, whose `main` calls `reml_start`.

pub mod abi;
mod array;
mod audit;
mod big;
mod callback;
mod capabilities;
mod chars;
mod component;
mod context;
mod crypto;
mod defer;
mod entry;
mod fiber;
mod fiber_switch;
mod file_place;
mod files;
mod foreign;
mod foreign_calls;
mod frames;
mod gate;
mod handler;
mod heap;
pub mod host;
mod image;
mod io;
mod io_effects;
mod libraries;
mod machine;
mod math;
pub mod native;
mod number;
mod panic;
mod platform;
mod random;
mod regex;
pub mod reload;
mod resource;
mod roots;
mod security;
mod segments;
mod stack;
mod stream;
mod string;
mod switch;
mod symbols;
mod taken;
mod text;
mod time;
mod whole;
mod zone;

pub use context::{Cx, Program};
pub use entry::{RunOptions, RunOutcome, ignore_signals_of_writing, run_program};
pub use frames::{FrameTables, Place, Source};
pub use gate::{AUDIT_VARIABLE, log as audit_log};
pub use io::hold_standard_streams;
pub use stack::largest_reservation;
pub use symbols::symbols;
