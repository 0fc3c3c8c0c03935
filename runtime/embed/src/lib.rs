//! The compiler as a library for hosts in C, and whatever can call C: `include/reml_embed.h` says what the functions mean.
//!
//! [`abi`] has the functions and the shapes of their arguments and knows nothing of programs; a [`context`] holds a program and knows nothing of C. In
//! between, [`handles`] finds the context behind what a host passes, without following it, so that a host that passes a context it has disposed of gets an
//! error.

mod abi;
mod context;
mod handles;
mod record;
mod value;
