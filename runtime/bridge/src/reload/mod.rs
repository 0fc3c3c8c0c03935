//! How is something replaced while it is in use, so that there is always a whole one?
//!
//! A reload is one transaction: the difference is validated, the intent recorded, a way back kept, the change applied and tried out, the outcome
//! recorded. What fails before the change leaves everything as it was. What fails afterwards, an event that could not be recorded included, is taken
//! back at once where the bridge says [`Required`](RollbackPolicy::Required), and left to the caller where it says `Optional`.

mod error;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;

use reml_audit::{EventKind, Timestamp, Uuid};
use serde_json::{Value, json};

use crate::bridge::Bridge;
use crate::descriptor::{RollbackPolicy, RuntimeBridgeReloadSpec};
use crate::error::RuntimeBridgeError;
use crate::events::{self, ReloadRecord, ReloadStatus};
use crate::policy::SMOKE_TEST;
pub use error::{Refusal, ReloadError, Undone};

/// Events that come before any reload.
const BEFORE: [&str; 4] = ["bridge.promote", "bridge.rollout", "bridge.stage", "bridge_stage_verified"];

/// Something that can be replaced: a configuration, a parser, the code of a module.
pub trait Reloadable {
    /// What tells the new from the old.
    type Diff: ?Sized;

    /// Refuses what is no difference of this value, and what is dangerous. Nothing changes.
    ///
    /// # Errors
    ///
    /// What is wrong with the difference.
    fn validate(&self, diff: &Self::Diff) -> Result<(), Refusal>;

    /// What leads back to the present value, as JSON that can be kept.
    ///
    /// # Errors
    ///
    /// Why there is no way back.
    fn checkpoint(&mut self) -> Result<Value, String>;

    /// Changes the value. Where this fails, the value may be anything that [`roll_back`](Reloadable::roll_back) can deal with.
    ///
    /// # Errors
    ///
    /// Why it could not be changed.
    fn apply(&mut self, diff: &Self::Diff, stamp: &Stamp<'_>) -> Result<(), String>;

    /// Brings back the value of a checkpoint.
    ///
    /// # Errors
    ///
    /// Why it could not be brought back.
    fn roll_back(&mut self, point: &Value) -> Result<(), String>;

    /// Finds out whether the new value works; `None` if there is nothing to be tried.
    fn smoke_test(&mut self) -> Option<Result<(), String>> {
        None
    }
}

/// Which reload it is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Stamp<'r> {
    pub audit_id: Option<Uuid>,
    /// The run that begins with the reload.
    pub run_id: Uuid,
    pub applied_at: Timestamp,
    /// What takes it back, for values that keep that themselves.
    pub rollback: &'r RollbackInfo,
}

/// A value, and since when it is what it is.
#[derive(Clone, PartialEq, Debug)]
pub struct ReloadState<T> {
    /// Unique for each reload.
    pub run_id: Uuid,
    /// Absent before the first reload.
    pub last_applied_at: Option<Timestamp>,
    pub value: T,
}

impl<T> ReloadState<T> {
    /// A value that was never reloaded.
    pub fn new(value: T) -> ReloadState<T> {
        ReloadState { run_id: Uuid::now_v7(), last_applied_at: None, value }
    }
}

/// Who reloads what.
#[derive(Clone, PartialEq, Debug)]
pub struct ReloadRequest {
    pub audit_id: Option<Uuid>,
    pub requested_by: String,
    /// What the difference is called: a file, or a module.
    pub diff: String,
    /// The difference, as it is to be recorded.
    pub change_set: Value,
    /// Whether what uses the old value could break.
    pub breaking: bool,
}

/// What takes a reload back. It can be kept as JSON and used by another process.
#[derive(Clone, PartialEq, Debug)]
pub struct RollbackInfo {
    pub bridge_id: String,
    /// Of the reload that it takes back.
    pub audit_id: Option<Uuid>,
    /// Of the state that it leads to.
    pub run_id: Uuid,
    pub last_applied_at: Option<Timestamp>,
    /// What the value's own [`checkpoint`](Reloadable::checkpoint) was.
    pub point: Value,
}

impl RollbackInfo {
    pub fn to_json(&self) -> Value {
        json!({
            "bridge_id": self.bridge_id,
            "audit_id": self.audit_id.map(|id| id.to_string()),
            "run_id": self.run_id.to_string(),
            "last_applied_at": self.last_applied_at.map(|at| at.to_string()),
            "point": self.point,
        })
    }

    /// Reads what [`to_json`](RollbackInfo::to_json) has written; `None` if it is anything else.
    pub fn from_json(value: &Value) -> Option<RollbackInfo> {
        fn optional<T: std::str::FromStr>(value: &Value) -> Option<Option<T>> {
            match value {
                Value::Null => Some(None),
                Value::String(text) => text.parse().ok().map(Some),
                _ => None,
            }
        }
        Some(RollbackInfo {
            bridge_id: value.get("bridge_id")?.as_str()?.to_owned(),
            audit_id: optional(value.get("audit_id")?)?,
            run_id: value.get("run_id")?.as_str()?.parse().ok()?,
            last_applied_at: optional(value.get("last_applied_at")?)?,
            point: value.get("point")?.clone(),
        })
    }
}

/// Reloads through a bridge that was acquired.
#[derive(Clone)]
pub struct ReloadHandle {
    bridge: Bridge,
    spec: RuntimeBridgeReloadSpec,
}

impl ReloadHandle {
    pub(crate) fn new(bridge: Bridge, spec: RuntimeBridgeReloadSpec) -> ReloadHandle {
        ReloadHandle { bridge, spec }
    }

    pub fn spec(&self) -> &RuntimeBridgeReloadSpec {
        &self.spec
    }

    /// Replaces the value. On success, the state has a new run and the result leads back to the old one.
    ///
    /// # Errors
    ///
    /// See [`ReloadError`], which says whether the old value is in place.
    pub fn reload<T: Reloadable>(
        &self,
        state: &mut ReloadState<T>,
        diff: &T::Diff,
        request: &ReloadRequest,
    ) -> Result<RollbackInfo, ReloadError> {
        self.check(state, diff, request)?;
        self.record(ReloadStatus::Pending, state, request, None).map_err(|error| incomplete(error, Undone::Nothing))?;
        let point = state.value.checkpoint().map_err(|detail| {
            let _ = self.record(ReloadStatus::Failed, state, request, Some(&detail));
            ReloadError::ApplyFailed { detail, undone: Undone::Nothing }
        })?;
        let info = RollbackInfo {
            bridge_id: self.bridge.descriptor.id.clone(),
            audit_id: request.audit_id,
            run_id: state.run_id,
            last_applied_at: state.last_applied_at,
            point,
        };
        match self.change(state, diff, request, &info) {
            Ok(()) => Ok(info),
            Err(failure) => Err(self.undo(state, info, request, failure)),
        }
    }

    /// Says what [`reload`](ReloadHandle::reload) would say before it changes anything.
    ///
    /// # Errors
    ///
    /// `ValidationFailed`.
    pub fn validate<T: Reloadable>(
        &self,
        state: &ReloadState<T>,
        diff: &T::Diff,
        request: &ReloadRequest,
    ) -> Result<(), ReloadError> {
        if self.spec.requires_audit_id && request.audit_id.is_none() {
            let detail = "a reload through this bridge needs an audit id".to_owned();
            return Err(ReloadError::ValidationFailed(Refusal::Rejected(detail)));
        }
        state.value.validate(diff).map_err(ReloadError::ValidationFailed)
    }

    /// Brings an earlier value back.
    ///
    /// # Errors
    ///
    /// `ReloadUnsupported`: the bridge has no way back. `ReloadFailure`.
    pub fn roll_back<T: Reloadable>(
        &self,
        state: &mut ReloadState<T>,
        info: &RollbackInfo,
        request: &ReloadRequest,
    ) -> Result<(), RuntimeBridgeError> {
        let id = &self.bridge.descriptor.id;
        if self.spec.rollback == RollbackPolicy::Unsupported {
            let detail = "has no way back from a reload".to_owned();
            return Err(RuntimeBridgeError::ReloadUnsupported { id: id.clone(), detail });
        }
        let failed = |error| RuntimeBridgeError::ReloadFailure { id: id.clone(), error };
        if info.bridge_id != *id {
            let detail = format!("what is to be taken back was done through the bridge `{}`", info.bridge_id);
            return Err(failed(ReloadError::ValidationFailed(Refusal::Invalid(detail))));
        }
        let name = self.rollback_event();
        let log = |status, state: &ReloadState<T>, detail| {
            self.bridge.log(&self.entry(status, state, request, detail).event(&name, &self.bridge.descriptor))
        };
        // What cannot be recorded is not done.
        log(ReloadStatus::Pending, state, None)?;
        match self.restore(state, info) {
            Ok(()) => log(ReloadStatus::RolledBack, state, None),
            Err(detail) => {
                let _ = log(ReloadStatus::Failed, state, Some(&detail));
                let cause = "a reload was to be taken back".to_owned();
                let error = ReloadError::RollbackFailed { cause, detail, info: Box::new(info.clone()) };
                Err(self.bridge.failed(failed(error)))
            }
        }
    }

    /// Validates, and records a refusal.
    fn check<T: Reloadable>(
        &self,
        state: &ReloadState<T>,
        diff: &T::Diff,
        request: &ReloadRequest,
    ) -> Result<(), ReloadError> {
        self.validate(state, diff, request).inspect_err(|error| {
            // The refusal stands, whether or not it is on record.
            let _ = self.record(ReloadStatus::Rejected, state, request, Some(&error.to_string()));
        })
    }

    /// Everything from the change on; what fails here has to be undone.
    fn change<T: Reloadable>(
        &self,
        state: &mut ReloadState<T>,
        diff: &T::Diff,
        request: &ReloadRequest,
        rollback: &RollbackInfo,
    ) -> Result<(), ReloadError> {
        let not_undone = Undone::Nothing;
        let before = self.bridge.journal().fired.clone();
        let (run_id, applied_at) = (Uuid::now_v7(), Timestamp::now());
        let stamp = Stamp { audit_id: request.audit_id, run_id, applied_at, rollback };
        let failed = |detail| ReloadError::ApplyFailed { detail, undone: Undone::Nothing };
        state.value.apply(diff, &stamp).map_err(failed)?;
        (state.run_id, state.last_applied_at) = (run_id, Some(applied_at));
        let log = |event| self.bridge.log(&event).map_err(|error| incomplete(error, not_undone.clone()));
        log(events::event(EventKind::ParserReload, &self.bridge.descriptor)
            .with("audit_id", request.audit_id.map(|id| id.to_string()))
            .with("diff", request.diff.as_str())
            .change_set(request.change_set.clone()))?;
        if let Some(tested) = state.value.smoke_test() {
            let outcome = if tested.is_ok() { "success" } else { "failure" };
            log(events::event(EventKind::BridgeSmokeTest, &self.bridge.descriptor).with("outcome", outcome))?;
            tested.map_err(|detail| failed(format!("the new value does not work: {detail}")))?;
        }
        self.record(ReloadStatus::Applied, state, request, None)
            .map_err(|error| incomplete(error, not_undone.clone()))?;
        self.mandatory(&before)
    }

    /// Were all events recorded that a reload owes, since it began? What belongs to acquiring or promoting a bridge was recorded then; a way back is
    /// only owed where one was taken.
    fn mandatory(&self, before: &BTreeMap<String, usize>) -> Result<(), ReloadError> {
        let fired = self.bridge.journal().fired.clone();
        let rollback = self.rollback_event();
        let missing: Vec<String> = self
            .bridge
            .descriptor
            .audit
            .mandatory_events
            .iter()
            .filter(|event| **event != rollback)
            .filter(|event| {
                let earlier = if BEFORE.contains(&event.as_str()) { None } else { before.get(*event) };
                fired.get(*event) <= earlier
            })
            .cloned()
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let untested = missing.iter().any(|event| event == SMOKE_TEST);
        let detail = if untested { "nothing tries out what was reloaded" } else { "nobody has logged them" }.to_owned();
        Err(ReloadError::AuditIncomplete { missing, detail, undone: Undone::Nothing })
    }

    /// What happens after a failure, as the bridge says.
    fn undo<T: Reloadable>(
        &self,
        state: &mut ReloadState<T>,
        info: RollbackInfo,
        request: &ReloadRequest,
        failure: ReloadError,
    ) -> ReloadError {
        self.bridge.journal().errors += 1;
        let cause = failure.to_string();
        let _ = self.record(ReloadStatus::Failed, state, request, Some(&cause));
        match self.spec.rollback {
            RollbackPolicy::Unsupported => failure.with(Undone::Nothing),
            RollbackPolicy::Optional => failure.with(Undone::Possible(Box::new(info))),
            RollbackPolicy::Required => {
                let restored = self.restore(state, &info);
                let (status, detail) = match &restored {
                    Ok(()) => (ReloadStatus::RolledBack, &cause),
                    Err(detail) => (ReloadStatus::Failed, detail),
                };
                let record = self.entry(status, state, request, Some(detail));
                // The value is what it is; a log that does not work is already part of the failure.
                let _ = self.bridge.log(&record.event(&self.rollback_event(), &self.bridge.descriptor));
                match restored {
                    Ok(()) => failure.with(Undone::RolledBack),
                    Err(detail) => ReloadError::RollbackFailed { cause, detail, info: Box::new(info) },
                }
            }
        }
    }

    fn restore<T: Reloadable>(&self, state: &mut ReloadState<T>, info: &RollbackInfo) -> Result<(), String> {
        state.value.roll_back(&info.point)?;
        (state.run_id, state.last_applied_at) = (info.run_id, info.last_applied_at);
        Ok(())
    }

    fn rollback_event(&self) -> String {
        self.spec.diagnostics.rollback_event.clone().unwrap_or_else(|| "bridge.rollback".to_owned())
    }

    fn record<T>(
        &self,
        status: ReloadStatus,
        state: &ReloadState<T>,
        request: &ReloadRequest,
        detail: Option<&str>,
    ) -> Result<(), RuntimeBridgeError> {
        let record = self.entry(status, state, request, detail);
        self.bridge.log(&record.event(&self.spec.diagnostics.reload_event, &self.bridge.descriptor))
    }

    fn entry<'a, T>(
        &self,
        status: ReloadStatus,
        state: &ReloadState<T>,
        request: &'a ReloadRequest,
        detail: Option<&'a str>,
    ) -> ReloadRecord<'a> {
        ReloadRecord {
            status,
            diff: &request.diff,
            requested_by: &request.requested_by,
            audit_id: request.audit_id,
            run_id: state.run_id,
            last_applied_at: state.last_applied_at,
            change_set: Some(&request.change_set),
            breaking: request.breaking,
            detail,
        }
    }
}

/// An event was missing.
fn incomplete(error: RuntimeBridgeError, undone: Undone) -> ReloadError {
    match error {
        RuntimeBridgeError::AuditIncomplete { missing, detail, .. } => {
            ReloadError::AuditIncomplete { missing, detail, undone }
        }
        other => ReloadError::AuditIncomplete { missing: Vec::new(), detail: other.to_string(), undone },
    }
}
