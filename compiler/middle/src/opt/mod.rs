//! What does the program become before its references are counted? The optimiser: Core in, equivalent Core out.

mod unreachable;

use crate::core::Program;

/// How hard to try.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OptLevel {
    /// Compile quickly.
    Debug,
    /// Everything.
    Release,
}

pub fn optimise(program: &mut Program, _level: OptLevel) {
    unreachable::remove_unreachable(program);
}
