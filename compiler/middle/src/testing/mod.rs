//! Test support: an interpreter for Core that checks reference counts, and a generator of random programs.

pub mod generate;
pub mod interpret;
mod programs;
pub mod world;
