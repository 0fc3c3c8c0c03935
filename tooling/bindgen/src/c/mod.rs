//! What does a C header declare?
//!
//! Text of the preprocessor to tokens ([`token`]), tokens to declarations ([`parse`]) over types ([`model`]), with the values of constant
//! expressions ([`expr`]) and the layout of records ([`layout`]) as the platform's C compilers have them. Nothing here knows of Reml.

pub mod expr;
pub mod layout;
pub mod model;
pub mod parse;
pub mod show;
pub mod target;
pub mod token;
