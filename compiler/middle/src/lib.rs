//! Core: lowering from the typed tree, optimisation, reference counting.
pub mod core;
pub mod layout;
pub mod prim;
