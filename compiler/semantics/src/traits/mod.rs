//! Traits: which impl satisfies a condition, which impls conflict, what holds structurally.

mod coherence;
mod solve;
mod structural;

pub(crate) use solve::Solved;
