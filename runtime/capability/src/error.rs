//! Why can a capability not be had?

use std::fmt;

use crate::descriptor::CapabilityDescriptor;
use crate::id::CapabilityId;
use crate::stage::{Stage, StageRequirement};

/// What went wrong, with all that is known about it.
#[derive(Clone, PartialEq, Debug)]
pub struct CapabilityError {
    pub kind: CapabilityErrorKind,
    pub message: String,
    pub capability_id: Option<CapabilityId>,
    pub required_stage: Option<StageRequirement>,
    /// Absent only if nothing is registered under the id.
    pub actual_stage: Option<Stage>,
    pub capability_metadata: Option<CapabilityDescriptor>,
    /// The effects that the capability does not cover; sorted.
    pub missing_effects: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CapabilityErrorKind {
    AlreadyRegistered,
    /// Something that it needs is not registered.
    MissingDependency,
    NotFound,
    /// Another kind of capability, or one with another interface, than the caller asks for.
    InvalidHandle,
    /// A breach of what `unsafe` code has to see to.
    UnsafeViolation,
    /// Policy, permission, signature or sandbox.
    SecurityViolation,
    StageViolation,
    EffectScopeMismatch,
    /// A contract and the manifest disagree.
    ContractViolation,
    ManifestLoadFailure,
}

impl CapabilityErrorKind {
    /// The diagnostic code.
    pub fn code(self) -> &'static str {
        match self {
            CapabilityErrorKind::AlreadyRegistered => "runtime.capability.already_registered",
            CapabilityErrorKind::MissingDependency => "runtime.capability.missing_dependency",
            CapabilityErrorKind::NotFound => "runtime.capability.unknown",
            CapabilityErrorKind::InvalidHandle => "runtime.capability.invalid_handle",
            CapabilityErrorKind::UnsafeViolation => "runtime.capability.unsafe_violation",
            CapabilityErrorKind::SecurityViolation => "runtime.capability.security_violation",
            CapabilityErrorKind::StageViolation => "effects.contract.stage_mismatch",
            CapabilityErrorKind::EffectScopeMismatch => "effects.contract.effect_scope_mismatch",
            CapabilityErrorKind::ContractViolation | CapabilityErrorKind::ManifestLoadFailure => {
                "config.manifest.capability_contract"
            }
        }
    }
}

impl CapabilityError {
    pub fn new(kind: CapabilityErrorKind, message: impl Into<String>) -> Box<CapabilityError> {
        Box::new(CapabilityError {
            kind,
            message: message.into(),
            capability_id: None,
            required_stage: None,
            actual_stage: None,
            capability_metadata: None,
            missing_effects: Vec::new(),
        })
    }

    /// About a capability that is registered.
    pub fn about(
        kind: CapabilityErrorKind,
        descriptor: &CapabilityDescriptor,
        message: impl Into<String>,
    ) -> Box<CapabilityError> {
        let mut error = CapabilityError::new(kind, message);
        error.capability_id = Some(descriptor.id.clone());
        error.actual_stage = Some(descriptor.stage);
        error.capability_metadata = Some(descriptor.clone());
        error
    }
}

impl fmt::Display for CapabilityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.message, self.kind.code())
    }
}

impl std::error::Error for CapabilityError {}
