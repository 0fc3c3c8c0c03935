//! Test support: an interpreter for Core that checks reference counts, and a generator of random programs.

pub mod generate;
pub mod interpret;
pub mod world;
