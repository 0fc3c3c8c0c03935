//! How does a program put a policy into force, and what must a capability promise?

mod policy;
mod state;

#[cfg(test)]
mod tests;

pub use policy::{
    FIXED_MAPPING, MemoryPolicy, PathPolicy, ResourceLimits, SHARED, SecurityPolicy, SecurityPolicyError,
    SyscallPolicy, WRITABLE_CODE,
};
pub use state::SecurityState;
