//! Is a capability what a caller requires? Asked, answered and recorded, whatever the answer.

use reml_audit::{Event, EventKind};

use super::{CapabilityRegistry, not_found, parse};
use crate::error::{CapabilityError, CapabilityErrorKind};
use crate::handle::CapabilityHandle;
use crate::id::CapabilityId;
use crate::stage::StageRequirement;

/// What is recorded of a check besides its result.
pub(crate) struct Required<'a> {
    pub id: &'a CapabilityId,
    /// All of the contract that it belongs to.
    pub ids: &'a [String],
    pub stage: Option<StageRequirement>,
    pub effects: &'a [&'a str],
    /// Where the manifest speaks of it: file, start, end.
    pub manifest: Option<(&'a str, Option<(u32, u32)>)>,
}

impl CapabilityRegistry {
    /// The capability, whatever its stage.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub fn verify_capability(&self, id: &str) -> Result<CapabilityHandle, Box<CapabilityError>> {
        let id = parse(id)?;
        self.get(id.as_str()).ok_or_else(|| not_found(&id))
    }

    /// The capability, if it is as settled as is required and covers the effects. Both outcomes are recorded.
    ///
    /// # Errors
    ///
    /// `NotFound`, `StageViolation`, `EffectScopeMismatch`, `SecurityViolation`; the last also if the check has to be
    /// recorded and cannot be.
    pub fn verify_capability_stage(
        &self,
        id: &str,
        requirement: StageRequirement,
        effects: &[&str],
    ) -> Result<CapabilityHandle, Box<CapabilityError>> {
        let id = parse(id)?;
        let ids = [id.as_str().to_owned()];
        let required = Required { id: &id, ids: &ids, stage: Some(requirement), effects, manifest: None };
        self.check(&required)
    }

    pub(crate) fn check(&self, required: &Required<'_>) -> Result<CapabilityHandle, Box<CapabilityError>> {
        let handle = self.get(required.id.as_str());
        let result = match &handle {
            Some(handle) => self.judge(handle, required),
            None => Err(not_found(required.id)),
        };
        let mut result = result.map_err(|mut error| {
            error.required_stage = required.stage;
            error
        });
        if let Err(unrecorded) =
            self.record_check(required, handle.as_ref(), result.as_ref().err().map(|error| &**error))
            && let Some(handle) = &handle
            && handle.capability().security().audit_required
            && result.is_ok()
        {
            let message = format!("uses of `{}` have to be recorded: {unrecorded}", required.id);
            let descriptor = handle.capability().descriptor();
            result = Err(CapabilityError::about(CapabilityErrorKind::SecurityViolation, &descriptor, message));
        }
        result?;
        let handle = handle.ok_or_else(|| not_found(required.id))?;
        handle.capability().verified_at(reml_audit::Timestamp::now());
        Ok(handle)
    }

    fn judge(&self, handle: &CapabilityHandle, required: &Required<'_>) -> Result<(), Box<CapabilityError>> {
        let capability = handle.capability();
        let (facts, id) = (capability.facts(), required.id);
        if let Some(stage) = required.stage
            && !stage.satisfies(facts.stage)
        {
            let message = format!("`{id}` is {}, but `{stage}` is required", facts.stage);
            return Err(CapabilityError::about(CapabilityErrorKind::StageViolation, &capability.descriptor(), message));
        }
        let missing = missing(handle, required.effects);
        if !missing.is_empty() {
            let message = format!("`{id}` does not cover the effects {}", missing.join(", "));
            let kind = CapabilityErrorKind::EffectScopeMismatch;
            let mut error = CapabilityError::about(kind, &capability.descriptor(), message);
            error.missing_effects = missing;
            return Err(error);
        }
        // The policy may have changed since it was registered.
        self.security().verify_capability_security(handle)
    }

    /// One `capability_check`. Unknown values are written as such, not left out.
    pub(crate) fn record_check(
        &self,
        required: &Required<'_>,
        handle: Option<&CapabilityHandle>,
        error: Option<&CapabilityError>,
    ) -> Result<(), reml_audit::AuditError> {
        let id = required.id.as_str();
        let facts = handle.map(|handle| handle.capability().facts());
        let registered: Vec<&String> = required.ids.iter().filter(|id| self.get(id).is_some()).collect();
        let stage = required.stage.map_or("unspecified".to_owned(), |stage| stage.to_string());
        let missing = handle.map(|handle| missing(handle, required.effects)).unwrap_or_default();
        let mut event = Event::new(EventKind::CapabilityCheck)
            .capability(id)
            .with("capability.id", id)
            .with("capability.ids", required.ids)
            .with("capability.result", if error.is_some() { "error" } else { "success" })
            .with("capability.provider", facts.map(|facts| facts.provider.to_string()))
            .with("capability.provider.kind", facts.map(|facts| facts.provider.kind()))
            .with("effect.actual_capabilities", serde_json::json!(registered))
            .with("effect.actual_effects", facts.map(|facts| facts.effect_scope.iter().cloned().collect::<Vec<_>>()))
            .with("effect.capability", id)
            .with("effect.manifest_path", facts.and_then(|facts| facts.manifest_path.clone()))
            .with("effect.missing_effects", missing)
            .with("effect.provider", facts.map(|facts| facts.provider.to_string()))
            .with("effect.required_capabilities", required.ids)
            .with("effect.required_effects", required.effects)
            .with("effect.stage.actual", facts.map_or("unknown", |facts| facts.stage.name()))
            .with("effect.stage.required", stage)
            .with("event.domain", "runtime.capability");
        if let Some(handle) = handle {
            let capability = handle.capability();
            event = event.with("effect.capability_descriptor", capability.descriptor().to_json(capability.security()));
        }
        if let Some(error) = error {
            event = event
                .with("capability.error.code", error.kind.code())
                .with("capability.error.message", error.message.as_str());
        }
        if let Some((path, span)) = required.manifest {
            event = event
                .with("config.manifest.path", path)
                .with("config.manifest.span.end", span.map(|(_, end)| end))
                .with("config.manifest.span.start", span.map(|(start, _)| start));
        }
        self.log(&event)
    }
}

/// The effects that a capability does not cover; sorted.
fn missing(handle: &CapabilityHandle, effects: &[&str]) -> Vec<String> {
    let scope = &handle.capability().facts().effect_scope;
    let mut missing: Vec<String> =
        effects.iter().filter(|&&tag| !scope.contains(tag)).map(|&tag| tag.to_owned()).collect();
    missing.sort_unstable();
    missing.dedup();
    missing
}
