//! Acquiring a bridge: is all of what it needs there, and is that recorded?

use std::collections::BTreeSet;

use reml_audit::EventKind;
use reml_capability::stage::{Stage, StageRequirement};
use serde_json::json;

use super::RuntimeBridgeRegistry;
use crate::bridge::Bridge;
use crate::descriptor::RuntimeBridgeDescriptor;
use crate::diagnostic::{BridgeDiagnostic, Severity, codes};
use crate::error::RuntimeBridgeError;
use crate::events;
use crate::handle::RuntimeBridgeHandle;
use crate::policy::{capability_requirement, demands};

/// Recorded where nobody sets another policy.
const AUDIT_POLICY: &str = "rust.poc.audit.v1";

/// Who wants a bridge, and for what.
#[derive(Clone, PartialEq, Debug)]
pub struct BridgeRequest {
    /// How settled the caller wants the bridge to be.
    pub required: StageRequirement,
    /// The least settled stage that this run admits; `None` admits all.
    pub admitted: Option<Stage>,
    /// The profile of the target, and that of the runtime where that is another setting.
    pub target_profile: Option<String>,
    pub runtime_profile: Option<String>,
    /// What is to be reloaded; empty for other uses.
    pub diff: String,
    pub requested_by: String,
    pub pipeline_id: String,
    pub pipeline_dsl_id: String,
    /// Where the audit events go: `cli`, `runtime`.
    pub channel: String,
    pub audit_policy: String,
}

impl Default for BridgeRequest {
    /// Any stage, no profile, from the command line.
    fn default() -> BridgeRequest {
        BridgeRequest {
            required: StageRequirement::AtLeast(Stage::Experimental),
            admitted: None,
            target_profile: None,
            runtime_profile: None,
            diff: String::new(),
            requested_by: "runtime".to_owned(),
            pipeline_id: String::new(),
            pipeline_dsl_id: String::new(),
            channel: "cli".to_owned(),
            audit_policy: AUDIT_POLICY.to_owned(),
        }
    }
}

impl RuntimeBridgeRegistry {
    /// The bridge, if it works on the target, has what it needs, and is what its stage demands. From then on it counts as a capability of the
    /// runtime; where it is refused, it no longer does.
    ///
    /// # Errors
    ///
    /// `NotFound`, `TargetMismatch`, `CapabilityViolation`, `StageViolation`, `AuditIncomplete`.
    pub fn acquire_bridge(&self, id: &str, request: &BridgeRequest) -> Result<RuntimeBridgeHandle, RuntimeBridgeError> {
        let bridge = self.bridge(id)?;
        let verified = self.verify(&bridge, request);
        self.change(|state| {
            match &verified {
                Ok(_) => _ = state.acquired.insert(id.to_owned()),
                Err(_) => _ = state.acquired.remove(id),
            }
            Ok(())
        })?;
        match verified {
            Ok(diagnostics) => Ok(RuntimeBridgeHandle { diagnostics, bridge }),
            Err(error) => {
                record_refusal(&bridge, &error);
                Err(bridge.failed(error))
            }
        }
    }

    fn verify(&self, bridge: &Bridge, request: &BridgeRequest) -> Result<Vec<BridgeDiagnostic>, RuntimeBridgeError> {
        let descriptor = &*bridge.descriptor;
        target(descriptor, request)?;
        self.capabilities(descriptor)?;
        let diagnostics = stage(bridge, request)?;
        let verified = events::event(EventKind::BridgeStageVerified, descriptor)
            .with("audit.channel", request.channel.as_str())
            .with("audit.policy.version", request.audit_policy.as_str())
            .with("bridge.reload.diff", request.diff.as_str())
            .with("bridge.reload.requested_by", request.requested_by.as_str())
            .with("pipeline.dsl_id", request.pipeline_dsl_id.as_str())
            .with("pipeline.id", request.pipeline_id.as_str());
        bridge.log(&verified)?;
        Ok(diagnostics)
    }

    fn capabilities(&self, bridge: &RuntimeBridgeDescriptor) -> Result<(), RuntimeBridgeError> {
        let required_stage = capability_requirement(bridge.stage);
        // What bridges themselves do is covered by their own capability.
        let mut covered: BTreeSet<String> = BTreeSet::new();
        let own = reml_capability::CapabilityId::new(events::CAPABILITY);
        for capability in own.iter().chain(&bridge.required_capabilities) {
            match self.capabilities.verify_capability_stage(capability.as_str(), required_stage, &[]) {
                Ok(handle) => covered.extend(handle.capability().descriptor().effect_scope),
                Err(error) => {
                    return Err(RuntimeBridgeError::CapabilityViolation {
                        id: bridge.id.clone(),
                        capability: capability.clone(),
                        required_stage,
                        actual_stage: error.actual_stage,
                        detail: error.message,
                    });
                }
            }
        }
        let missing: Vec<&str> =
            bridge.required_effects.iter().filter(|effect| !covered.contains(*effect)).map(String::as_str).collect();
        let Some(capability) = own.ok().filter(|_| !missing.is_empty()) else { return Ok(()) };
        Err(RuntimeBridgeError::CapabilityViolation {
            id: bridge.id.clone(),
            capability,
            required_stage,
            actual_stage: Some(bridge.stage),
            detail: format!("none of its capabilities covers {}", missing.join(", ")),
        })
    }
}

fn target(bridge: &RuntimeBridgeDescriptor, request: &BridgeRequest) -> Result<(), RuntimeBridgeError> {
    if bridge.target_profiles.is_empty() {
        return Ok(());
    }
    let mismatch = |detected: &str| RuntimeBridgeError::TargetMismatch {
        id: bridge.id.clone(),
        requested: bridge.target_profiles.iter().map(|profile| format!("`{profile}`")).collect::<Vec<_>>().join(" or "),
        detected: detected.to_owned(),
    };
    let detected = request.target_profile.as_deref().unwrap_or("host");
    for profile in std::iter::once(detected).chain(request.runtime_profile.as_deref()) {
        if !bridge.target_profiles.contains(profile) {
            return Err(mismatch(profile));
        }
    }
    Ok(())
}

/// Is the bridge settled enough for the caller and the run, and does it have what its stage demands? What a stage owes to the log is logged.
fn stage(bridge: &Bridge, request: &BridgeRequest) -> Result<Vec<BridgeDiagnostic>, RuntimeBridgeError> {
    let descriptor = &*bridge.descriptor;
    let actual = descriptor.stage;
    let violation = |required, actual, unmet| {
        Err(RuntimeBridgeError::StageViolation { id: descriptor.id.clone(), required, actual, unmet })
    };
    for required in [request.required, descriptor.audit.stage_required] {
        if !required.satisfies(actual) {
            return violation(required, StageRequirement::Exact(actual), Vec::new());
        }
    }
    if let Some(admitted) = request.admitted.filter(|&admitted| actual < admitted) {
        let required = StageRequirement::AtLeast(actual);
        return violation(required, StageRequirement::AtLeast(admitted), Vec::new());
    }
    let unmet = demands(descriptor, actual);
    if !unmet.is_empty() {
        return violation(StageRequirement::Exact(actual), StageRequirement::Exact(actual), unmet);
    }
    let event = match actual {
        Stage::Stable => events::event(EventKind::BridgeRollout, descriptor).with("outcome", actual.name()),
        Stage::Experimental | Stage::Beta => events::event(EventKind::BridgeStage, descriptor),
    };
    bridge.log(&event.with("event", json!({ "stage": actual.name() })))?;
    if actual != Stage::Experimental || std::mem::replace(&mut bridge.journal().warned, true) {
        return Ok(Vec::new());
    }
    Ok(vec![BridgeDiagnostic {
        code: codes::STAGE_EXPERIMENTAL,
        severity: Severity::Warning,
        message: format!("the bridge `{}` is experimental", descriptor.id),
        extension: json!({ "id": descriptor.id, "stage": { "actual": actual.name() } }),
        related: descriptor.required_capabilities.iter().map(ToString::to_string).collect(),
    }])
}

/// Refusals are recorded where there is a log; whether that works changes nothing.
fn record_refusal(bridge: &Bridge, error: &RuntimeBridgeError) {
    let mut event = events::event(EventKind::Diagnostic, &bridge.descriptor)
        .with("diagnostic.code", error.code())
        .with("diagnostic.message", error.to_string());
    if let RuntimeBridgeError::TargetMismatch { requested, detected, .. } = error {
        event =
            event.with("bridge.target.requested", requested.as_str()).with("bridge.target.detected", detected.as_str());
    }
    let _ = bridge.log(&event);
}
