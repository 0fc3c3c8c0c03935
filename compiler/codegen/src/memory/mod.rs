//! Heap objects in machine code: allocation from the size-class free lists, owner counts, and the helper functions that
//! release or copy what a type holds.
//!
//! `count` expands `dup` and `drop`; what is too large to expand in place is a helper function per type (`helper`,
//! `array_helper`), which exists when some function refers to its [`Symbol`](crate::symbol::Symbol).

pub mod alloc;
pub mod array_helper;
pub mod count;
pub mod helper;
