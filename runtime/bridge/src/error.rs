//! Why can a bridge not be had or used?

use std::fmt;

use reml_capability::CapabilityId;
use reml_capability::stage::{Stage, StageRequirement};

use crate::diagnostic::codes;
use crate::policy::Unmet;
use crate::reload::ReloadError;

#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum RuntimeBridgeError {
    /// No bridge has the id.
    NotFound {
        id: String,
    },
    AlreadyRegistered {
        id: String,
    },
    /// The descriptor contradicts itself, or its id is none.
    InvalidDescriptor {
        id: String,
        detail: String,
    },
    /// A capability that the bridge requires is not there, not settled enough, or does not cover its effects.
    CapabilityViolation {
        id: String,
        capability: CapabilityId,
        required_stage: StageRequirement,
        /// Absent if nothing is registered under the id.
        actual_stage: Option<Stage>,
        detail: String,
    },
    /// The bridge does not work on the target.
    TargetMismatch {
        id: String,
        requested: String,
        detected: String,
    },
    /// The bridge is not as settled as is required, or does not have what its stage demands.
    StageViolation {
        id: String,
        required: StageRequirement,
        actual: StageRequirement,
        unmet: Vec<Unmet>,
    },
    /// Something that has to be recorded was not.
    AuditIncomplete {
        id: String,
        missing: Vec<String>,
        detail: String,
    },
    /// Nothing is reloaded through the bridge, or there is no way back.
    ReloadUnsupported {
        id: String,
        detail: String,
    },
    ReloadFailure {
        id: String,
        error: ReloadError,
    },
    /// A signal of a stream does not say what it has to.
    InvalidSignal {
        id: String,
        detail: String,
    },
}

impl RuntimeBridgeError {
    /// The bridge that the error is about.
    pub fn id(&self) -> &str {
        match self {
            RuntimeBridgeError::NotFound { id }
            | RuntimeBridgeError::AlreadyRegistered { id }
            | RuntimeBridgeError::InvalidDescriptor { id, .. }
            | RuntimeBridgeError::CapabilityViolation { id, .. }
            | RuntimeBridgeError::TargetMismatch { id, .. }
            | RuntimeBridgeError::StageViolation { id, .. }
            | RuntimeBridgeError::AuditIncomplete { id, .. }
            | RuntimeBridgeError::ReloadUnsupported { id, .. }
            | RuntimeBridgeError::ReloadFailure { id, .. }
            | RuntimeBridgeError::InvalidSignal { id, .. } => id,
        }
    }

    /// The diagnostic code.
    pub fn code(&self) -> &str {
        match self {
            RuntimeBridgeError::NotFound { .. } => codes::UNKNOWN,
            RuntimeBridgeError::TargetMismatch { .. } => codes::TARGET_MISMATCH,
            RuntimeBridgeError::AuditIncomplete { .. } => codes::MISSING_EVENT,
            RuntimeBridgeError::ReloadUnsupported { .. } => codes::RELOAD_UNSUPPORTED,
            RuntimeBridgeError::ReloadFailure { error, .. } => error.code(),
            RuntimeBridgeError::AlreadyRegistered { .. }
            | RuntimeBridgeError::InvalidDescriptor { .. }
            | RuntimeBridgeError::CapabilityViolation { .. }
            | RuntimeBridgeError::StageViolation { .. }
            | RuntimeBridgeError::InvalidSignal { .. } => codes::CONTRACT_VIOLATION,
        }
    }
}

impl fmt::Display for RuntimeBridgeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RuntimeBridgeError::NotFound { id } => write!(f, "there is no bridge `{id}`"),
            RuntimeBridgeError::AlreadyRegistered { id } => write!(f, "the bridge `{id}` is registered already"),
            RuntimeBridgeError::InvalidDescriptor { id, detail } => write!(f, "`{id}` cannot be a bridge: {detail}"),
            RuntimeBridgeError::CapabilityViolation { id, detail, .. } => {
                write!(f, "the bridge `{id}` does not have what it needs: {detail}")
            }
            RuntimeBridgeError::TargetMismatch { id, requested, detected } => {
                write!(f, "the bridge `{id}` works on {requested}, and this is `{detected}`")
            }
            RuntimeBridgeError::StageViolation { id, required, actual, unmet } if unmet.is_empty() => {
                write!(f, "the bridge `{id}` has to be `{required}`, and what there is, is `{actual}`")
            }
            RuntimeBridgeError::StageViolation { id, required, unmet, .. } => {
                write!(f, "the bridge `{id}` cannot be {}: ", required.stage())?;
                for (index, unmet) in unmet.iter().enumerate() {
                    write!(f, "{}{unmet}", if index == 0 { "" } else { "; " })?;
                }
                Ok(())
            }
            RuntimeBridgeError::AuditIncomplete { id, detail, .. } => {
                write!(f, "what is done through the bridge `{id}` has to be recorded: {detail}")
            }
            RuntimeBridgeError::ReloadUnsupported { id, detail } => write!(f, "the bridge `{id}` {detail}"),
            RuntimeBridgeError::ReloadFailure { error, .. } => error.fmt(f),
            RuntimeBridgeError::InvalidSignal { id, detail } => write!(f, "a signal of the bridge `{id}` {detail}"),
        }
    }
}

impl std::error::Error for RuntimeBridgeError {}
