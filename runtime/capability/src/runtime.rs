//! Which parts of the runtime can a program ask for, and which capability is each?

use std::fmt;

/// Something that this runtime may have or not.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RuntimeCapability {
    Simd,
    Vector512,
    HardwareRng,
    CryptoExtensions,
    Gpu,
    ThreadLocal,
    Gc,
    AsyncScheduler,
    AsyncBackpressure,
    ActorMailbox,
    DistributedActor,
    AsyncTracing,
    AsyncSupervisor,
    RegexJit,
    RegexMetrics,
    FfiBridge,
    /// A bridge that was acquired, by its id.
    ExternalBridge(String),
}

impl RuntimeCapability {
    /// The id of the capability in the registry.
    pub fn id(&self) -> &str {
        match self {
            RuntimeCapability::Simd => "runtime.simd",
            RuntimeCapability::Vector512 => "runtime.vector512",
            RuntimeCapability::HardwareRng => "runtime.hardware_rng",
            RuntimeCapability::CryptoExtensions => "runtime.crypto_extensions",
            RuntimeCapability::Gpu => "core.gpu",
            RuntimeCapability::ThreadLocal => "runtime.thread_local",
            RuntimeCapability::Gc => "core.gc",
            RuntimeCapability::AsyncScheduler => "core.async.scheduler",
            RuntimeCapability::AsyncBackpressure => "async.backpressure",
            RuntimeCapability::ActorMailbox => "core.actor",
            RuntimeCapability::DistributedActor => "async.actor.distributed",
            RuntimeCapability::AsyncTracing => "async.tracing",
            RuntimeCapability::AsyncSupervisor => "async.supervisor",
            RuntimeCapability::RegexJit => "regex.jit",
            RuntimeCapability::RegexMetrics => "regex.metrics",
            RuntimeCapability::FfiBridge => "ffi.bridge",
            RuntimeCapability::ExternalBridge(id) => id,
        }
    }
}

impl fmt::Display for RuntimeCapability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RuntimeCapability::ExternalBridge(id) => write!(f, "bridge:{id}"),
            known => f.write_str(known.id()),
        }
    }
}
