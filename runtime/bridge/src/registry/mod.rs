//! Which bridges are there, and who may have them?
//!
//! Reading takes no lock, as in the registry of capabilities: whoever changes the list copies it and swaps it.

mod acquire;
mod promote;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use arc_swap::ArcSwap;
use reml_audit::Sink;
use reml_capability::platform::PlatformInfo;
use reml_capability::{CapabilityId, CapabilityRegistry, RuntimeCapability};

use crate::bridge::{Bridge, SharedSink};
use crate::descriptor::{RollbackPolicy, RuntimeBridgeDescriptor};
use crate::error::RuntimeBridgeError;
pub use acquire::BridgeRequest;
pub use promote::Rollout;

/// All bridges of a process, or of a test.
pub struct RuntimeBridgeRegistry {
    state: ArcSwap<State>,
    /// Held by the one that writes.
    writer: Mutex<()>,
    sink: SharedSink,
    capabilities: &'static CapabilityRegistry,
}

#[derive(Clone, Default)]
struct State {
    bridges: BTreeMap<String, Bridge>,
    /// The ids of those that can be used.
    acquired: BTreeSet<String>,
}

static REGISTRY: LazyLock<RuntimeBridgeRegistry> =
    LazyLock::new(|| RuntimeBridgeRegistry::new(reml_capability::registry()));

/// The registry of the process.
pub fn runtime_bridge_registry() -> &'static RuntimeBridgeRegistry {
    &REGISTRY
}

impl RuntimeBridgeRegistry {
    /// Without any bridge, above these capabilities.
    pub fn new(capabilities: &'static CapabilityRegistry) -> RuntimeBridgeRegistry {
        RuntimeBridgeRegistry {
            state: ArcSwap::default(),
            writer: Mutex::new(()),
            sink: Arc::new(ArcSwap::from_pointee(None)),
            capabilities,
        }
    }

    /// Where bridges record what they do from now on.
    pub fn set_sink(&self, sink: Option<Arc<dyn Sink>>) {
        self.sink.store(Arc::new(sink));
    }

    /// Adds a bridge.
    ///
    /// # Errors
    ///
    /// `AlreadyRegistered`, `InvalidDescriptor`.
    pub fn register_bridge(&self, descriptor: RuntimeBridgeDescriptor) -> Result<(), RuntimeBridgeError> {
        let id = descriptor.id.clone();
        if let Err(detail) = coherent(&descriptor) {
            return Err(RuntimeBridgeError::InvalidDescriptor { id, detail });
        }
        self.change(|state| {
            if state.bridges.contains_key(&id) {
                return Err(RuntimeBridgeError::AlreadyRegistered { id: id.clone() });
            }
            state.bridges.insert(id.clone(), Bridge::new(descriptor, self.sink.clone()));
            Ok(())
        })
    }

    /// What is known of a bridge; `None` if it is not registered.
    pub fn describe_bridge(&self, id: &str) -> Option<Arc<RuntimeBridgeDescriptor>> {
        self.state.load().bridges.get(id).map(|bridge| bridge.descriptor.clone())
    }

    /// All bridges, by id.
    pub fn describe_all(&self) -> Vec<Arc<RuntimeBridgeDescriptor>> {
        self.state.load().bridges.values().map(|bridge| bridge.descriptor.clone()).collect()
    }

    /// The machine, with the bridges that can be used now among what the runtime has.
    pub fn platform_info(&self) -> PlatformInfo {
        let mut platform = PlatformInfo::host();
        let acquired = self.state.load();
        platform.runtime_capabilities.extend(acquired.acquired.iter().cloned().map(RuntimeCapability::ExternalBridge));
        platform
    }

    pub(crate) fn bridge(&self, id: &str) -> Result<Bridge, RuntimeBridgeError> {
        let state = self.state.load();
        state.bridges.get(id).cloned().ok_or_else(|| RuntimeBridgeError::NotFound { id: id.to_owned() })
    }

    /// Makes a new state of the current one; nothing changes on failure.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut State) -> Result<T, RuntimeBridgeError>,
    ) -> Result<T, RuntimeBridgeError> {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = State::clone(&self.state.load());
        let result = change(&mut state)?;
        self.state.store(Arc::new(state));
        Ok(result)
    }
}

/// Does the descriptor agree with itself?
fn coherent(descriptor: &RuntimeBridgeDescriptor) -> Result<(), String> {
    // A bridge becomes a capability of the runtime when it is acquired, so it is named like one.
    if CapabilityId::new(&descriptor.id).is_err() {
        return Err("the id consists of lower-case words joined by dots, as `shop.config`".to_owned());
    }
    if let Some(reload) = &descriptor.reload
        && reload.rollback == RollbackPolicy::Required
        && reload.diagnostics.rollback_event.is_none()
    {
        return Err("a way back that is always taken needs a `rollback_event`".to_owned());
    }
    let known: BTreeSet<&String> = descriptor.audit.rollout_checklist.iter().collect();
    if let Some(stray) = descriptor
        .audit
        .completed
        .iter()
        .find(|item| !known.contains(item) && !crate::policy::STREAM_CHECKLIST.contains(&item.as_str()))
    {
        return Err(format!("`{stray}` is completed, but not on the checklist"));
    }
    Ok(())
}
