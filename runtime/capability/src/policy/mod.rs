//! What may a run do?
//!
//! [`Power`]s are used on [`Subject`]s. [`Rule`]s, read from [`flags`] and from the [`manifest`], say what of it is
//! allowed and what is denied; [`Grants`] decide by them.

pub mod flags;
mod grants;
mod host;
mod in_force;
mod index;
mod library;
pub mod manifest;
mod pattern;
pub mod portable;
mod power;
mod rate;
mod resolve;
mod rule;
mod trie;

#[cfg(test)]
mod tests;

pub use grants::{Decision, Grants};
pub(crate) use in_force::digest;
pub use in_force::{Mode, Policy};
pub use library::library_name;
pub use pattern::{Pattern, PatternError};
pub use power::{Form, Power, Subject};
pub use resolve::resolve;
pub use rule::{Contradiction, Effect, Line, Rule, Section, Source};
