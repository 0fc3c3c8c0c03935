//! What does one hold who may use a capability?
//!
//! A handle is of the kind of its capability, so that whoever wants to collect garbage cannot be given a clock. What
//! the capability can do is in the hands of the crate that provides it: its interface lies behind [`Capability::api`],
//! and is had with its type.

use std::any::Any;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use reml_audit::Timestamp;

use crate::descriptor::{CapabilityDescriptor, CapabilitySecurity};
use crate::error::{CapabilityError, CapabilityErrorKind};
use crate::id::CapabilityId;

/// A capability as it was registered: what is known of it, and its interface.
pub struct Capability {
    descriptor: CapabilityDescriptor,
    security: CapabilitySecurity,
    /// Ids that have to be registered before it.
    dependencies: Vec<CapabilityId>,
    api: Option<Arc<dyn Any + Send + Sync>>,
    /// Nanoseconds since 1970; `NEVER` at first.
    verified: AtomicI64,
}

const NEVER: i64 = i64::MIN;

impl Capability {
    /// Without an interface, and with no conditions.
    pub fn new(descriptor: CapabilityDescriptor) -> Capability {
        let security = CapabilitySecurity::open(descriptor.effect_scope.clone());
        Capability { descriptor, security, dependencies: Vec::new(), api: None, verified: AtomicI64::new(NEVER) }
    }

    pub fn with_security(mut self, security: CapabilitySecurity) -> Capability {
        self.security = security;
        self
    }

    /// The capability is had only where this one is registered.
    pub fn depends_on(mut self, id: CapabilityId) -> Capability {
        self.dependencies.push(id);
        self
    }

    /// What it can do. Users name the same type.
    pub fn with_api<T: Any + Send + Sync>(mut self, api: Arc<T>) -> Capability {
        self.api = Some(api);
        self
    }

    /// With the time of its last verification.
    pub fn descriptor(&self) -> CapabilityDescriptor {
        CapabilityDescriptor { last_verified_at: self.last_verified_at(), ..self.descriptor.clone() }
    }

    pub fn id(&self) -> &CapabilityId {
        &self.descriptor.id
    }

    /// All that does not change.
    pub(crate) fn facts(&self) -> &CapabilityDescriptor {
        &self.descriptor
    }

    pub fn security(&self) -> &CapabilitySecurity {
        &self.security
    }

    pub fn dependencies(&self) -> &[CapabilityId] {
        &self.dependencies
    }

    /// The interface.
    ///
    /// # Errors
    ///
    /// `InvalidHandle`: the capability is provided without one, or with another one than the caller knows.
    pub fn api<T: Any + Send + Sync>(&self) -> Result<&T, Box<CapabilityError>> {
        self.api.as_deref().and_then(|api| api.downcast_ref()).ok_or_else(|| {
            let id = &self.descriptor.id;
            let message = match self.api {
                Some(_) => format!("`{id}` is provided with another interface than `{}`", std::any::type_name::<T>()),
                None => format!("`{id}` is provided without an interface"),
            };
            CapabilityError::about(CapabilityErrorKind::InvalidHandle, &self.descriptor(), message)
        })
    }

    fn last_verified_at(&self) -> Option<Timestamp> {
        match self.verified.load(Ordering::Acquire) {
            NEVER => None,
            nanos => Timestamp::from_nanosecond(nanos.into()).ok(),
        }
    }

    /// Times never go back, whichever thread is last.
    pub(crate) fn verified_at(&self, time: Timestamp) {
        let nanos = i64::try_from(time.as_nanosecond()).unwrap_or(i64::MAX);
        self.verified.fetch_max(nanos, Ordering::AcqRel);
    }
}

impl fmt::Debug for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capability").field("descriptor", &self.descriptor()).finish_non_exhaustive()
    }
}

macro_rules! kinds {
    ($($kind:ident, $capability:ident, $label:literal, $as:ident;)*) => {
        /// What a capability is about.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum CapabilityKind {
            $($kind,)*
        }

        impl CapabilityKind {
            pub const ALL: &[CapabilityKind] = &[$(CapabilityKind::$kind),*];

            /// `gc`, `realtime`.
            pub fn label(self) -> &'static str {
                match self {
                    $(CapabilityKind::$kind => $label,)*
                }
            }
        }

        $(
            #[doc = concat!("A capability of the kind `", $label, "`.")]
            #[derive(Clone, Debug)]
            pub struct $capability(Arc<Capability>);

            impl Deref for $capability {
                type Target = Capability;

                fn deref(&self) -> &Capability {
                    &self.0
                }
            }
        )*

        /// A capability of some kind. Cheap to clone.
        #[derive(Clone, Debug)]
        pub enum CapabilityHandle {
            $($kind($capability),)*
        }

        impl CapabilityHandle {
            pub fn new(kind: CapabilityKind, capability: Capability) -> CapabilityHandle {
                let capability = Arc::new(capability);
                match kind {
                    $(CapabilityKind::$kind => CapabilityHandle::$kind($capability(capability)),)*
                }
            }

            pub fn kind(&self) -> CapabilityKind {
                match self {
                    $(CapabilityHandle::$kind(_) => CapabilityKind::$kind,)*
                }
            }

            /// The capability, whatever its kind.
            pub fn capability(&self) -> &Capability {
                match self {
                    $(CapabilityHandle::$kind(capability) => capability,)*
                }
            }

            $(
                #[doc = concat!("The capability, if it is of the kind `", $label, "`.")]
                pub fn $as(&self) -> Option<&$capability> {
                    match self {
                        CapabilityHandle::$kind(capability) => Some(capability),
                        _ => None,
                    }
                }
            )*
        }
    };
}

kinds! {
    Gc, GcCapability, "gc", as_gc;
    Io, IoCapability, "io", as_io;
    Async, AsyncCapability, "async", as_async;
    Actor, ActorCapability, "actor", as_actor;
    Audit, AuditCapability, "audit", as_audit;
    Metrics, MetricsCapability, "metrics", as_metrics;
    Plugin, PluginCapability, "plugin", as_plugin;
    System, SystemCapability, "system", as_system;
    Process, ProcessCapability, "process", as_process;
    Memory, MemoryCapability, "memory", as_memory;
    Signal, SignalCapability, "signal", as_signal;
    Hardware, HardwareCapability, "hardware", as_hardware;
    RealTime, RealTimeCapability, "realtime", as_realtime;
    Security, SecurityCapability, "security", as_security;
    Ffi, FfiCapability, "ffi", as_ffi;
    Collections, CollectionsCapability, "collections", as_collections;
    Native, NativeCapability, "native", as_native;
}

impl CapabilityHandle {
    /// The capability, which has to be of this kind.
    ///
    /// # Errors
    ///
    /// `InvalidHandle`: it is of another one.
    pub fn of_kind(&self, kind: CapabilityKind) -> Result<&Capability, Box<CapabilityError>> {
        if self.kind() == kind {
            return Ok(self.capability());
        }
        let capability = self.capability();
        let message = format!(
            "`{}` is a capability of the kind `{}`, not of the kind `{}`",
            capability.id(),
            self.kind().label(),
            kind.label()
        );
        Err(CapabilityError::about(CapabilityErrorKind::InvalidHandle, &capability.descriptor(), message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::Stage;

    fn capability() -> Capability {
        let id = CapabilityId::new("core.gc").unwrap();
        Capability::new(CapabilityDescriptor::new(id, Stage::Stable, ["runtime"])).with_api(Arc::new(7u32))
    }

    #[test]
    fn a_handle_is_of_one_kind_and_its_interface_of_one_type() {
        for &kind in CapabilityKind::ALL {
            let handle = CapabilityHandle::new(kind, capability());
            assert_eq!(handle.kind(), kind);
            assert_eq!(handle.as_gc().is_some(), kind == CapabilityKind::Gc);
            assert_eq!(handle.of_kind(CapabilityKind::Io).is_ok(), kind == CapabilityKind::Io);
        }
        let handle = CapabilityHandle::new(CapabilityKind::Gc, capability());
        let gc = handle.as_gc().unwrap();
        assert_eq!(gc.api::<u32>().unwrap(), &7);
        let error = gc.api::<String>().unwrap_err();
        assert_eq!(error.kind, CapabilityErrorKind::InvalidHandle);
        assert!(error.message.starts_with("`core.gc` is provided with another interface than"));
        assert_eq!(
            handle.of_kind(CapabilityKind::Io).unwrap_err().message,
            "`core.gc` is a capability of the kind `gc`, not of the kind `io`"
        );
    }

    #[test]
    fn the_time_of_verification_does_not_go_back() {
        let capability = capability();
        assert_eq!(capability.descriptor().last_verified_at, None);
        let time = |second| Timestamp::new(second, 0).unwrap();
        capability.verified_at(time(5));
        capability.verified_at(time(3));
        assert_eq!(capability.descriptor().last_verified_at, Some(time(5)));
    }
}
