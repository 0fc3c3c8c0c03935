//! Capabilities: what a program may do, how settled what it needs is, and who decides.

pub mod gate;
pub mod policy;
