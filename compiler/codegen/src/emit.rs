//! What `--emit clif` and `--emit asm` print.

use std::fmt::Write as _;

use reml_middle::core::Program;

use crate::compile::{Compiled, compile};
use crate::frames::symbol_name;
use crate::isa::Target;
use crate::plan::Plan;
use crate::symbol::Symbol;
use crate::{CodegenError, CodegenOptions};

fn listings(
    program: &Program,
    options: &CodegenOptions,
    print: impl Fn(&Plan, &Compiled, &mut String),
) -> Result<String, CodegenError> {
    let target = Target::baseline(options).map_err(CodegenError::message)?;
    let plan = Plan::new(program, target);
    let mut text = String::new();
    for function in compile(&plan, &[Symbol::Main, Symbol::Invoke, Symbol::DropClosure, Symbol::ResourceDrop], true)? {
        print(&plan, &function, &mut text);
    }
    Ok(text)
}

/// The Cranelift IR of every function, as translated and as optimised.
pub fn clif(program: &Program, options: &CodegenOptions) -> Result<String, CodegenError> {
    listings(program, options, |plan, function, text| {
        if let Some(listing) = &function.listing {
            let name = symbol_name(plan, function.symbol);
            let _ = write!(text, "; {name}\n{}\n; {name}, optimised\n{}\n", listing.clif, listing.optimised);
        }
    })
}

/// The machine code of every function.
pub fn asm(program: &Program, options: &CodegenOptions) -> Result<String, CodegenError> {
    listings(program, options, |plan, function, text| {
        if let Some(listing) = &function.listing {
            let _ = write!(text, "; {}\n{}\n", symbol_name(plan, function.symbol), listing.assembly);
        }
    })
}
