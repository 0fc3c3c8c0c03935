//! What does one hold who may use a bridge?

use std::sync::Arc;

use reml_audit::Event;
use reml_capability::stage::Stage;

use crate::bridge::Bridge;
use crate::descriptor::RuntimeBridgeDescriptor;
use crate::diagnostic::BridgeDiagnostic;
use crate::error::RuntimeBridgeError;
use crate::reload::ReloadHandle;

/// A bridge that was found to have all that it needs.
#[derive(Clone)]
pub struct RuntimeBridgeHandle {
    /// What was noticed when it was acquired.
    pub diagnostics: Vec<BridgeDiagnostic>,
    pub(crate) bridge: Bridge,
}

impl RuntimeBridgeHandle {
    pub fn id(&self) -> &str {
        &self.bridge.descriptor.id
    }

    /// The stage at which it was acquired.
    pub fn stage(&self) -> Stage {
        self.bridge.descriptor.stage
    }

    pub fn descriptor(&self) -> &Arc<RuntimeBridgeDescriptor> {
        &self.bridge.descriptor
    }

    /// What reloads through it.
    ///
    /// # Errors
    ///
    /// `ReloadUnsupported`.
    pub fn reload(&self) -> Result<ReloadHandle, RuntimeBridgeError> {
        match &self.bridge.descriptor.reload {
            Some(spec) => Ok(ReloadHandle::new(self.bridge.clone(), spec.clone())),
            None => Err(RuntimeBridgeError::ReloadUnsupported {
                id: self.id().to_owned(),
                detail: "says nothing of reloading, so nothing is reloaded through it".to_owned(),
            }),
        }
    }

    /// Records an event of whoever uses the bridge, as one of those that a reload owes.
    ///
    /// # Errors
    ///
    /// `AuditIncomplete`.
    pub fn log(&self, event: &Event) -> Result<(), RuntimeBridgeError> {
        self.bridge.log(event)
    }
}
