//! What compiled Reml programs call: heap, strings, panics, entry.
pub mod abi;
