//! Looks for inputs that the front end does not survive, and for programs that do not do what they say.
//!
//! Everything is deterministic: a target, a seed and a corpus give the same inputs. The corpus are the repository's own
//! sources. `tests/` runs a fixed count of each target and all `reproducers/`; for hours:
//!
//! ```text
//! cargo run --release -p reml_fuzz -- parser --seconds 3600
//! ```

pub mod corpus;
pub mod differential;
pub mod minimise;
pub mod mutate;
pub mod random;
pub mod targets;
pub mod typed;
