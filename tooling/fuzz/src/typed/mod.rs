//! Programs that are well typed by construction, and what they must do.

pub mod eval;
pub mod generate;
pub mod tree;
