//! From counted Core to machine code, through Cranelift: in memory to be run at once ([`jit`]), or as an object file
//! ([`object`]).
//!
//! A [`plan`] lays out all types; [`translate`] turns each function into Cranelift IR with the memory operations of
//! [`memory`]; [`compile`] makes machine code of them, on several threads; [`place`] puts the result into a module.
//! Reml functions use the tail-call convention and keep the runtime's context in the pinned register; a Core variable
//! is as many machine values as its layout has slots. No other crate knows Cranelift.

mod code;
mod compile;
mod emit;
mod frames;
mod isa;
pub mod jit;
mod memory;
mod native;
pub mod object;
mod place;
mod plan;
mod signature;
mod summary;
mod symbol;
mod translate;
mod unroll;
pub mod versions;

use std::fmt;

pub use reml_rt::{RunOptions, RunOutcome};

pub use emit::{asm as emit_asm, clif as emit_clif};
pub use summary::CodeSummary;

/// How code is generated.
#[derive(Clone, Default, Debug)]
pub struct CodegenOptions {
    /// Optimise, and let integers wrap.
    pub release: bool,
    /// Let Cranelift check the code it is given.
    pub verify: bool,
    /// The program reports objects that are still alive when it ends.
    pub leak_check: bool,
    /// What an executable may do, as `reml_capability::policy::portable` prints it.
    pub policy: Option<String>,
}

/// Code generation failed: the compiler's fault, or a symbol that does not exist.
#[derive(Debug)]
pub struct CodegenError {
    message: String,
    missing_symbol: Option<Box<str>>,
}

impl CodegenError {
    fn message(message: impl Into<String>) -> Self {
        CodegenError { message: message.into(), missing_symbol: None }
    }

    /// A foreign function that no loaded library has: the program's fault, unlike everything else.
    fn missing(symbol: &str) -> Self {
        let message = format!("there is no C function `{symbol}` in this process");
        CodegenError { message, missing_symbol: Some(symbol.into()) }
    }

    /// The foreign function that does not exist, if that is the problem.
    pub fn missing_symbol(&self) -> Option<&str> {
        self.missing_symbol.as_deref()
    }

    fn new(plan: &plan::Plan, symbol: symbol::Symbol, problem: &dyn fmt::Display) -> Self {
        let name = frames::symbol_name(plan, symbol);
        Self::message(format!("cannot generate code for `{name}`: {problem}"))
    }
}

impl fmt::Display for CodegenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CodegenError {}

impl From<cranelift_module::ModuleError> for CodegenError {
    fn from(problem: cranelift_module::ModuleError) -> Self {
        Self::message(problem.to_string())
    }
}
