//! What does an entry point of the library ask before it does its work?

use crate::error::CapabilityError;
use crate::handle::{CapabilityHandle, CapabilityKind};
use crate::registry::CapabilityRegistry;
use crate::stage::{Stage, StageRequirement};

/// A capability that was found to be what was required.
#[derive(Clone, Debug)]
pub struct CapabilityGuard {
    pub capability: CapabilityHandle,
    pub requirement: StageRequirement,
    pub actual_stage: Stage,
}

impl CapabilityGuard {
    /// Would another requirement be met, too?
    pub fn satisfies(&self, requirement: StageRequirement) -> bool {
        requirement.satisfies(self.actual_stage)
    }
}

impl CapabilityRegistry {
    /// Verifies stage and effects.
    ///
    /// # Errors
    ///
    /// As [`verify_capability_stage`](CapabilityRegistry::verify_capability_stage).
    pub fn guard_capability(
        &self,
        id: &str,
        requirement: StageRequirement,
        effects: &[&str],
    ) -> Result<CapabilityGuard, Box<CapabilityError>> {
        let capability = self.verify_capability_stage(id, requirement, effects)?;
        let actual_stage = capability.capability().facts().stage;
        Ok(CapabilityGuard { capability, requirement, actual_stage })
    }

    /// For the library of files and streams, which is stable.
    ///
    /// # Errors
    ///
    /// As [`guard_capability`](CapabilityRegistry::guard_capability), and `InvalidHandle`.
    pub fn guard_io_capability(&self, id: &str, effects: &[&str]) -> Result<CapabilityGuard, Box<CapabilityError>> {
        self.guard_kind(id, StageRequirement::AtLeast(Stage::Stable), effects, CapabilityKind::Io)
    }

    /// For clocks and time zones, the latter of which are beta.
    ///
    /// # Errors
    ///
    /// As [`guard_io_capability`](CapabilityRegistry::guard_io_capability).
    pub fn guard_time_capability(&self, id: &str, effects: &[&str]) -> Result<CapabilityGuard, Box<CapabilityError>> {
        self.guard_kind(id, StageRequirement::AtLeast(Stage::Beta), effects, CapabilityKind::RealTime)
    }

    /// For the scheduler and what stands on it.
    ///
    /// # Errors
    ///
    /// As [`guard_io_capability`](CapabilityRegistry::guard_io_capability).
    pub fn guard_async_capability(
        &self,
        id: &str,
        requirement: StageRequirement,
        effects: &[&str],
    ) -> Result<CapabilityGuard, Box<CapabilityError>> {
        self.guard_kind(id, requirement, effects, CapabilityKind::Async)
    }

    fn guard_kind(
        &self,
        id: &str,
        requirement: StageRequirement,
        effects: &[&str],
        kind: CapabilityKind,
    ) -> Result<CapabilityGuard, Box<CapabilityError>> {
        let guard = self.guard_capability(id, requirement, effects)?;
        guard.capability.of_kind(kind)?;
        Ok(guard)
    }
}
