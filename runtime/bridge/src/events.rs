//! Which events does a bridge leave in the audit log?
//!
//! All are about one bridge and carry its stage, so each says on its own how settled what it tells of was.

use reml_audit::{Event, EventKind, Timestamp, Uuid};
use serde_json::{Value, json};

use crate::descriptor::RuntimeBridgeDescriptor;

/// The capability that stands behind all bridges.
pub const CAPABILITY: &str = "core.runtime.bridge";

/// An event about a bridge, with what all of them have.
pub fn event(kind: EventKind, bridge: &RuntimeBridgeDescriptor) -> Event {
    let required = bridge.audit.stage_required;
    let capabilities: Vec<&str> = bridge.required_capabilities.iter().map(|id| id.as_str()).collect();
    Event::new(kind)
        .capability(CAPABILITY)
        .with("bridge.capability", CAPABILITY)
        .with("bridge.id", bridge.id.as_str())
        .with("bridge.stage.actual", bridge.stage.name())
        .with("bridge.stage.capability", capabilities)
        .with("bridge.stage.mode", required.mode())
        .with("bridge.stage.required", required.to_string())
        .with("event.domain", bridge.audit.audit_domain.as_str())
}

/// How far a reload has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReloadStatus {
    /// It was accepted, and nothing has happened yet.
    Pending,
    Applied,
    /// It was refused, and nothing has happened.
    Rejected,
    RolledBack,
    /// It has failed and was not taken back.
    Failed,
}

impl ReloadStatus {
    /// As it stands under `bridge.reload`.
    pub const fn name(self) -> &'static str {
        match self {
            ReloadStatus::Pending => "pending",
            ReloadStatus::Applied => "applied",
            ReloadStatus::Rejected => "rejected",
            ReloadStatus::RolledBack => "rolled_back",
            ReloadStatus::Failed => "failed",
        }
    }
}

/// A reload or a way back, as it is recorded.
#[derive(Clone, PartialEq, Debug)]
pub struct ReloadRecord<'a> {
    pub status: ReloadStatus,
    /// What the difference is called: a file, or a module.
    pub diff: &'a str,
    /// Who wants it: a command, a pipeline, a watcher.
    pub requested_by: &'a str,
    pub audit_id: Option<Uuid>,
    /// The run that is current when the event is logged.
    pub run_id: Uuid,
    pub last_applied_at: Option<Timestamp>,
    pub change_set: Option<&'a Value>,
    /// Whether what uses the old value could break.
    pub breaking: bool,
    /// Why it was refused or has failed.
    pub detail: Option<&'a str>,
}

impl ReloadRecord<'_> {
    /// The event under a name: `bridge.reload`, `bridge.rollback`, or what the descriptor has instead.
    ///
    /// ```
    /// use reml_audit::{Uuid, validate};
    /// use reml_bridge::RuntimeBridgeDescriptor;
    /// use reml_bridge::events::{ReloadRecord, ReloadStatus};
    /// let record = ReloadRecord {
    ///     status: ReloadStatus::Applied,
    ///     diff: "main.reml",
    ///     requested_by: "remlc run --watch",
    ///     audit_id: Some(Uuid::from_u128(1)),
    ///     run_id: Uuid::from_u128(2),
    ///     last_applied_at: None,
    ///     change_set: None,
    ///     breaking: false,
    ///     detail: None,
    /// };
    /// let event = record.event("bridge.reload", &RuntimeBridgeDescriptor::new("code"));
    /// assert_eq!(event.metadata["bridge.reload"], "applied");
    /// assert!(validate(&event).is_ok());
    /// ```
    pub fn event(&self, name: &str, bridge: &RuntimeBridgeDescriptor) -> Event {
        let audit_id = self.audit_id.map(|id| id.to_string());
        let run_id = self.run_id.to_string();
        let mut recorded = event(EventKind::named(name), bridge)
            .with("audit_id", audit_id.clone())
            .with("bridge.reload", self.status.name())
            .with("bridge.reload.diff", self.diff)
            .with("bridge.reload.requested_by", self.requested_by)
            .with("run_id", run_id.as_str())
            .with(
                "event",
                json!({
                    "event": name,
                    "bridge_id": bridge.id,
                    "stage": bridge.stage.name(),
                    "audit_id": audit_id,
                    "diff": { "change_set": self.change_set, "breaking": self.breaking },
                    "state": { "run_id": run_id, "last_applied_at": self.last_applied_at.map(|at| at.to_string()) },
                }),
            );
        if let Some(detail) = self.detail {
            recorded = recorded.with("bridge.reload.detail", detail);
        }
        if let Some(changes) = self.change_set {
            recorded = recorded.change_set(changes.clone());
        }
        recorded
    }
}
