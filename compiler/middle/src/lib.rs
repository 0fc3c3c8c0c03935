//! Core: lowering from the typed tree, optimisation, reference counting.
pub mod c_abi;
pub mod c_layout;
mod components;
pub mod core;
pub mod core_print;
pub mod core_verify;
pub mod layout;
pub mod lower;
pub mod measure;
pub mod opt;
mod parallel;
pub mod prim;
pub mod rc;
pub mod version;
pub mod walk;

#[cfg(any(test, feature = "testing"))]
pub mod testing;
