//! Test support: an interpreter for Core that checks reference counts, and a generator of random programs.

#[cfg(test)]
mod generate;
pub mod interpret;
#[cfg(test)]
mod programs;
#[cfg(test)]
mod world;
