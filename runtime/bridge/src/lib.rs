//! Bridges between a program and what runs it: what may be replaced while it is in use, under which conditions, and what is recorded of it.
//!
//! A [descriptor](RuntimeBridgeDescriptor) says what a bridge needs and owes. The [registry](RuntimeBridgeRegistry) knows the bridges of a process and
//! gives out a handle for one only if everything that it needs is there. A [reload] goes through the handle: it is validated, recorded, applied, tested,
//! and taken back when any of this fails. The crate knows nothing of the compiler; what it has to say is values and audit events.

mod bridge;
pub mod config;
mod descriptor;
mod diagnostic;
mod error;
pub mod events;
mod handle;
mod policy;
pub mod registry;
pub mod reload;
pub mod stream;

pub use descriptor::{
    ReloadDiagnostics, RollbackPolicy, RuntimeBridgeAuditSpec, RuntimeBridgeDescriptor, RuntimeBridgeReloadSpec,
};
pub use diagnostic::{BridgeDiagnostic, Severity, codes};
pub use error::RuntimeBridgeError;
pub use handle::RuntimeBridgeHandle;
pub use policy::{Unmet, demands};
pub use registry::{BridgeRequest, RuntimeBridgeRegistry, runtime_bridge_registry};
