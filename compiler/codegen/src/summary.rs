//! How much machine code is there, and where does most of it come from?

use crate::compile::Compiled;
use crate::frames::symbol_name;
use crate::plan::Plan;

/// The size of a program's machine code.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct CodeSummary {
    /// Functions, with the helpers that memory management adds.
    pub functions: usize,
    pub bytes: usize,
    /// The largest functions with their bytes, largest first.
    pub largest: Vec<(String, usize)>,
}

/// How many of the largest functions are named.
const NAMED: usize = 20;

impl CodeSummary {
    pub(crate) fn of(plan: &Plan, compiled: &[Compiled]) -> CodeSummary {
        let mut by_size: Vec<&Compiled> = compiled.iter().collect();
        // A stable order, so that the same program gives the same list.
        by_size.sort_by_key(|function| std::cmp::Reverse(function.bytes.len()));
        let named = |function: &&Compiled| (symbol_name(plan, function.symbol), function.bytes.len());
        CodeSummary {
            functions: compiled.len(),
            bytes: compiled.iter().map(|function| function.bytes.len()).sum(),
            largest: by_size.iter().take(NAMED).map(named).collect(),
        }
    }
}
