//! Which sinks are there besides the [log](crate::log) itself?

mod memory;

pub use memory::Memory;
