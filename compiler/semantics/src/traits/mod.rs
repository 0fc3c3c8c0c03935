//! Traits: which impl satisfies a condition, which impls conflict, what holds structurally. What was asked and answered is noted for those who want to see it.

mod coherence;
mod notes;
mod solve;
mod structural;

pub(crate) use notes::{Asker, NoteId, Notes};
pub(crate) use solve::Solved;
