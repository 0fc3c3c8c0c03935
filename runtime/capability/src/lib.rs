//! Capabilities: what a program may do, how settled what it needs is, and who decides.
//!
//! [`stage`] and [`effects`] are words that the compiler shares. The [`registry`] knows what capabilities there are and
//! verifies what is required of them. A [`policy`] says what a run may do, and the [`gate`] is asked for each deed: it
//! decides by the policy, and records what it has decided. Registry and gate are separate questions: whether a
//! capability is there and settled, and whether this use of it is allowed.

mod contract;
mod descriptor;
pub mod effects;
mod error;
pub mod gate;
mod guard;
mod handle;
mod id;
pub mod limits;
pub mod platform;
pub mod policy;
pub mod registry;
mod runtime;
pub mod sandbox;
pub mod security;
pub mod stage;
pub mod wire;

pub use contract::{
    CapabilityContract, ConductorCapabilityContract, ManifestCapabilities, ManifestCapability, ManifestEntry, Span,
};
pub use descriptor::{
    CapabilityDescriptor, CapabilityProvider, CapabilitySecurity, EffectScope, IsolationLevel, Permission,
    SandboxProfile, Signature,
};
pub use error::{CapabilityError, CapabilityErrorKind};
pub use guard::CapabilityGuard;
pub use handle::*;
pub use id::{CapabilityId, InvalidId};
pub use registry::{CapabilityRegistry, registry};
pub use runtime::RuntimeCapability;
