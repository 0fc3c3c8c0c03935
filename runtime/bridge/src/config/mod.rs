//! What is reloaded most: a document of configuration, in a file, by the differences that `remlc config diff` tells.
//!
//! [`change`] has what can be said without files: what has changed from one document to another, and what a document is after a change. A [`review`] finds
//! what is wrong with a difference, and what is dangerous about it. [`state`] is the file's content, and [`store`] the file.

pub mod change;
pub mod path;
pub mod review;
pub mod state;
pub mod store;

/// Something that is not as its format says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Misshapen {
    /// Where, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// It is about the key that leads there, not about the value.
    pub of_key: bool,
    pub problem: String,
}

impl Misshapen {
    pub(crate) fn at(pointer: impl Into<String>, problem: impl Into<String>) -> Misshapen {
        Misshapen { pointer: pointer.into(), of_key: false, problem: problem.into() }
    }

    pub(crate) fn key(pointer: impl Into<String>, problem: impl Into<String>) -> Misshapen {
        Misshapen { of_key: true, ..Misshapen::at(pointer, problem) }
    }
}
