//! From syntax trees to the typed tree: names, types, effects, patterns, contracts.
pub mod patterns;
pub mod typed;
pub mod typed_print;
pub mod types;
