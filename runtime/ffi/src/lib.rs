//! Foreign libraries, and functions of which only a running program knows what they take.
//!
//! [`search`] knows where libraries are, for the compiler as for programs; [`Library`] is one in this process. A [`CSignature`] is read from text, and a
//! [`CallPlan`] calls functions by it. The crate knows neither programs nor their policies: whoever calls it has asked for leave.

mod call;
mod library;
pub mod search;
mod signature;

pub use call::{CallPlan, Convention};
pub use library::{Library, Symbol};
pub use signature::{CField, CSignature, CStruct, CType, Scalar};
