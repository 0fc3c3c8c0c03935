//! What may cross the border to C, and what do `extern` declarations promise?
//!
//! [`repr`] reads `@repr` on types, [`c_types`] decides which types C knows, [`externs`] checks declarations of foreign functions, [`owned`] what they say
//! about ownership. [`unreleased`] looks at what
//! programs do with what is theirs. The layout itself is computed later (`middle::c_layout`).

mod c_types;
mod externs;
mod owned;
mod repr;
pub(crate) mod unreleased;

pub(crate) use externs::calling_convention;
