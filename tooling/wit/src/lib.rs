//! `remlc wit`: from WIT, the interface language of WebAssembly components, to Reml, and back.
//!
//! [`import`] reads a package ([`load`], with the parser of the Bytecode Alliance), decides what becomes of the types and functions of one of its worlds ([`bindings`]), and writes a
//! module of Reml ([`emit`]), which the canonical ABI in the library (`Core.Ffi.Wit`) does the work for. [`export`] does the opposite for the public items of a module. What
//! the other side has nothing for is left out and named, with a reason.

pub mod bindings;
pub mod emit;
mod export;
mod import;
pub mod load;
mod manifest;
mod names;
pub mod report;

pub use export::{Export, export};
pub use import::{Import, Imported, import, write};
pub use report::{Left, Report};
