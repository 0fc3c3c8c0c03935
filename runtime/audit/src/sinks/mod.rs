//! Which sinks are there besides the [log](crate::log) itself?

mod filtered;
mod memory;
mod multi;
#[cfg(feature = "otlp")]
pub mod otlp;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod stream;

pub use filtered::Filtered;
pub use memory::Memory;
pub use multi::Multi;
pub use stream::Stream;
