//! Core functions to Cranelift IR, one file per concern.

mod aggregate;
mod alike;
mod array;
mod call;
mod cast;
mod cell;
mod effect;
mod function;
mod op;
mod prim_float;
mod prim_int;
mod switch;
mod unique;

pub use function::{Translator, translate};
