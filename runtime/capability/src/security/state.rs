//! Which policy has the program put into force, and what must a capability promise before it is registered?

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use reml_audit::{AuditError, Event, EventKind};

use super::policy::SecurityPolicy;
use crate::descriptor::{CapabilitySecurity, IsolationLevel, Permission, Signature};
use crate::error::{CapabilityError, CapabilityErrorKind};
use crate::gate::Gate;
use crate::handle::{CapabilityHandle, CapabilityKind, SecurityCapability};
use crate::id::CapabilityId;
use crate::stage::StageRequirement;

/// What the capability `core.security` keeps: the policy of the program, and who is trusted to provide what.
#[derive(Debug, Default)]
pub struct SecurityState {
    pub(super) current: ArcSwapOption<SecurityPolicy>,
    pinned: Mutex<BTreeMap<CapabilityId, Signature>>,
}

impl SecurityState {
    pub fn current_policy(&self) -> Option<SecurityPolicy> {
        self.current.load().as_deref().cloned()
    }

    /// From now on what is registered under the id has to have this signature.
    pub fn pin_signature(&self, id: CapabilityId, signature: Signature) {
        self.pinned.lock().unwrap_or_else(PoisonError::into_inner).insert(id, signature);
    }

    fn pinned(&self, id: &CapabilityId) -> Option<Signature> {
        self.pinned.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Has a capability the signature that is expected of it? Where none is expected, any will do.
    ///
    /// # Errors
    ///
    /// `SecurityViolation`.
    pub fn verify_signature(&self, id: &CapabilityId, found: Option<&Signature>) -> Result<(), Box<CapabilityError>> {
        let Some(expected) = self.pinned(id) else { return Ok(()) };
        if found == Some(&expected) {
            return Ok(());
        }
        let found = found.map_or("none".to_owned(), |found| format!("one of `{}`, {}", found.issuer, found.digest));
        let message = format!(
            "`{id}` has to be signed by `{}` with the digest {}, but its signature is {found}",
            expected.issuer, expected.digest
        );
        Err(CapabilityError::new(CapabilityErrorKind::SecurityViolation, message))
    }

    /// May this capability be registered under the conditions it names?
    ///
    /// # Errors
    ///
    /// `SecurityViolation`, with the first condition that does not hold.
    pub fn verify_capability_security(&self, handle: &CapabilityHandle) -> Result<(), Box<CapabilityError>> {
        let capability = handle.capability();
        let (facts, security) = (capability.facts(), capability.security());
        let violation = |message: String| {
            CapabilityError::about(CapabilityErrorKind::SecurityViolation, &capability.descriptor(), message)
        };
        let id = &facts.id;
        let uncovered: Vec<&str> = facts.effect_scope.difference(&security.effect_scope).map(String::as_str).collect();
        if !uncovered.is_empty() {
            return Err(violation(format!(
                "the conditions of `{id}` do not speak of its effects {}; add them to their effect scope",
                uncovered.join(", ")
            )));
        }
        if security.audit_required && !security.effect_scope.contains("audit") {
            return Err(violation(format!("`{id}` has to be audited, but its effect scope has no `audit`")));
        }
        if security.isolation_level != IsolationLevel::None && security.sandbox.is_none() {
            return Err(violation(format!(
                "`{id}` is isolated ({}), but names no sandbox profile",
                security.isolation_level.name()
            )));
        }
        let policy = self.current.load();
        if let Some(expected) = &security.policy {
            let found = policy.as_deref().map(SecurityPolicy::digest);
            if found.as_ref() != Some(expected) {
                let found = found.map_or("none is".to_owned(), |found| format!("{found} is"));
                return Err(violation(format!("`{id}` asks for the security policy {expected}, but {found} in force")));
            }
        }
        self.verify_signature(id, security.signature.as_ref()).map_err(|error| violation(error.message.clone()))?;
        let missing = match handle.kind() {
            CapabilityKind::Ffi => ffi_checklist(security),
            CapabilityKind::Actor => actor_checklist(security),
            CapabilityKind::Process => policy.as_deref().and_then(process_checklist),
            _ => None,
        };
        missing.map_or(Ok(()), |missing| Err(violation(format!("`{id}` cannot be registered: {missing}"))))
    }
}

/// What is missing for calls of foreign code.
fn ffi_checklist(security: &CapabilitySecurity) -> Option<String> {
    for tag in ["ffi", "audit", "security"] {
        if !security.effect_scope.contains(tag) {
            return Some(format!("foreign code has the effect `{tag}`, which its effect scope does not have"));
        }
    }
    if !security.audit_required {
        return Some("calls of foreign code have to be audited; set `audit_required`".to_owned());
    }
    let verify = Permission::Runtime { operation: "VerifyAbi".to_owned() };
    (!security.permissions.contains(&verify))
        .then(|| "it has no permission to verify the ABI, `Runtime(VerifyAbi)`".to_owned())
}

/// What is missing for actors on other machines.
fn actor_checklist(security: &CapabilitySecurity) -> Option<String> {
    let distributed = ["network", "io.network"].iter().any(|&tag| security.effect_scope.contains(tag));
    let permitted = security.permissions.iter().any(|permission| matches!(permission, Permission::Network { .. }));
    (distributed && !permitted).then(|| "actors that use the network need the permission `Network`".to_owned())
}

/// What a policy in force has to say before processes can be started under it.
fn process_checklist(policy: &SecurityPolicy) -> Option<String> {
    let name = &policy.name;
    if policy.allowed_commands.is_none() {
        return Some(format!("the security policy `{name}` does not list `allowed_commands`"));
    }
    policy.resource_limits.is_none().then(|| format!("the security policy `{name}` has no `resource_limits`"))
}

impl SecurityCapability {
    /// What it keeps.
    ///
    /// # Errors
    ///
    /// `InvalidHandle` for a capability that somebody registered with another interface.
    pub fn state(&self) -> Result<&SecurityState, Box<CapabilityError>> {
        self.api()
    }

    /// Puts a policy into force, for the rest of the run: checks it, adds it to the gate, and records that with the
    /// stage that the caller required and the effects of the capability. Returns its digest.
    ///
    /// # Errors
    ///
    /// `SecurityViolation`: the policy cannot be put into force, or that cannot be recorded.
    pub fn enforce(
        &self,
        policy: &SecurityPolicy,
        requirement: StageRequirement,
        gate: &Gate,
        base: &Path,
    ) -> Result<String, Box<CapabilityError>> {
        let violation = |message: String| {
            CapabilityError::about(CapabilityErrorKind::SecurityViolation, &self.descriptor(), message)
        };
        let state = self.state()?;
        let rules = policy.to_policy(base).map_err(|error| violation(error.to_string()))?;
        let digest = policy.digest();
        if let Some(sink) = gate.sink() {
            let facts = self.facts();
            let event = Event::new(EventKind::named("security.policy_enforced"))
                .capability(facts.id.as_str())
                .with("effect.capability", facts.id.as_str())
                .with("effect.scope", facts.effect_scope.iter().cloned().collect::<Vec<_>>())
                .with("effect.stage.actual", facts.stage.name())
                .with("effect.stage.required", requirement.to_string())
                .with("event.domain", "security")
                .with("policy_digest", digest.as_str())
                .with("security.policy", policy.name.as_str());
            sink.log(&event).map_err(|error| violation(format!("the policy is not put into force: {error}")))?;
        }
        gate.enforce(rules);
        state.current.store(Some(policy.clone().into()));
        Ok(digest)
    }

    /// Records that somebody did not keep to a policy. Nothing else happens; whoever has found out refuses.
    ///
    /// # Errors
    ///
    /// It cannot be recorded.
    pub fn audit_violation(&self, gate: &Gate, violation: &CapabilityError) -> Result<(), AuditError> {
        let Some(sink) = gate.sink() else { return Ok(()) };
        let mut event = Event::new(EventKind::named("security.violation"))
            .capability(self.facts().id.as_str())
            .with("capability.error.code", violation.kind.code())
            .with("capability.error.message", violation.message.as_str())
            .with("event.domain", "security")
            .with("policy_digest", self.state().ok().and_then(SecurityState::current_policy).map(|it| it.digest()));
        if let Some(id) = &violation.capability_id {
            event = event.with("security.tripped_capability", id.as_str());
        }
        sink.log(&event)
    }
}
