//! What is known of a bridge: how settled it is, what it needs, what it owes to the audit log, and how it is reloaded.

use std::collections::BTreeSet;

use reml_capability::CapabilityId;
use reml_capability::stage::{Stage, StageRequirement};
use serde_json::{Value, json};

/// A bridge, as it is registered.
#[derive(Clone, PartialEq, Debug)]
pub struct RuntimeBridgeDescriptor {
    /// Words joined by dots, as `shop.config`.
    pub id: String,
    pub stage: Stage,
    pub required_capabilities: BTreeSet<CapabilityId>,
    /// All effects that using the bridge can have. Its capabilities have to cover them.
    pub required_effects: BTreeSet<String>,
    /// The target profiles that the bridge works on; any, if there are none.
    pub target_profiles: BTreeSet<String>,
    /// Absent if nothing can be reloaded through it.
    pub reload: Option<RuntimeBridgeReloadSpec>,
    pub audit: RuntimeBridgeAuditSpec,
    /// The manifest that declares it.
    pub manifest_path: Option<String>,
}

/// What a bridge owes to the audit log.
#[derive(Clone, PartialEq, Debug)]
pub struct RuntimeBridgeAuditSpec {
    /// `event.domain` of its events.
    pub audit_domain: String,
    /// Events without which a reload counts as failed.
    pub mandatory_events: BTreeSet<String>,
    /// Nothing may be done through the bridge that is not recorded.
    pub requires_audit_effect: bool,
    /// What has to be done before the bridge is more than experimental.
    pub rollout_checklist: Vec<String>,
    /// What of that is done.
    pub completed: BTreeSet<String>,
    /// The stage that the manifest demands of the bridge, recorded as `bridge.stage.required`.
    pub stage_required: StageRequirement,
}

/// How what is behind a bridge is replaced.
#[derive(Clone, PartialEq, Debug)]
pub struct RuntimeBridgeReloadSpec {
    /// What a difference has to be, as `collections.diff.map`.
    pub diff_format: String,
    /// What a state has to be, as `reml.state.v1`.
    pub state_format: String,
    /// A reload without an audit id is refused.
    pub requires_audit_id: bool,
    pub rollback: RollbackPolicy,
    pub diagnostics: ReloadDiagnostics,
}

/// What happens when a reload fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RollbackPolicy {
    /// It is taken back at once.
    Required,
    /// Whoever reloads gets what takes it back, and decides.
    Optional,
    /// There is no way back.
    Unsupported,
}

/// Under which names a reload is recorded and reported.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReloadDiagnostics {
    pub reload_event: String,
    /// Needed where there is a way back.
    pub rollback_event: Option<String>,
    /// The code for a difference that is not one of this bridge.
    pub diff_diagnostic: String,
}

impl RuntimeBridgeDescriptor {
    /// An experimental bridge that needs nothing, cannot be reloaded and records everything.
    pub fn new(id: impl Into<String>) -> RuntimeBridgeDescriptor {
        RuntimeBridgeDescriptor {
            id: id.into(),
            stage: Stage::Experimental,
            required_capabilities: BTreeSet::new(),
            required_effects: BTreeSet::new(),
            target_profiles: BTreeSet::new(),
            reload: None,
            audit: RuntimeBridgeAuditSpec::default(),
            manifest_path: None,
        }
    }

    /// Has everything about the bridge to be recorded?
    pub fn must_record(&self) -> bool {
        self.stage == Stage::Experimental || self.audit.requires_audit_effect || !self.audit.mandatory_events.is_empty()
    }

    /// What is on the checklist and not done.
    pub fn checklist_missing(&self) -> Vec<String> {
        let done = &self.audit.completed;
        self.audit.rollout_checklist.iter().filter(|item| !done.contains(*item)).cloned().collect()
    }

    /// As `bridge describe` prints it.
    pub fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "stage": self.stage.name(),
            "required_capabilities": self.required_capabilities.iter().map(CapabilityId::as_str).collect::<Vec<_>>(),
            "required_effects": self.required_effects,
            "target_profiles": self.target_profiles,
            "reload": self.reload.as_ref().map(RuntimeBridgeReloadSpec::to_json),
            "audit": self.audit.to_json(),
            "manifest_path": self.manifest_path,
        })
    }
}

impl Default for RuntimeBridgeAuditSpec {
    fn default() -> RuntimeBridgeAuditSpec {
        RuntimeBridgeAuditSpec {
            audit_domain: "runtime.bridge".to_owned(),
            mandatory_events: BTreeSet::new(),
            requires_audit_effect: true,
            rollout_checklist: Vec::new(),
            completed: BTreeSet::new(),
            stage_required: StageRequirement::AtLeast(Stage::Experimental),
        }
    }
}

impl RuntimeBridgeAuditSpec {
    fn to_json(&self) -> Value {
        json!({
            "audit_domain": self.audit_domain,
            "mandatory_events": self.mandatory_events,
            "requires_audit_effect": self.requires_audit_effect,
            "rollout_checklist": self.rollout_checklist,
            "completed": self.completed,
            "stage_required": self.stage_required.to_string(),
        })
    }
}

impl Default for RuntimeBridgeReloadSpec {
    /// For configurations: the differences of `remlc config diff`, and a way back that is always taken.
    fn default() -> RuntimeBridgeReloadSpec {
        RuntimeBridgeReloadSpec {
            diff_format: "collections.diff.map".to_owned(),
            state_format: "reml.state.v1".to_owned(),
            requires_audit_id: true,
            rollback: RollbackPolicy::Required,
            diagnostics: ReloadDiagnostics::default(),
        }
    }
}

impl RuntimeBridgeReloadSpec {
    fn to_json(&self) -> Value {
        json!({
            "diff_format": self.diff_format,
            "state_format": self.state_format,
            "requires_audit_id": self.requires_audit_id,
            "rollback": self.rollback.name(),
            "diagnostics": {
                "reload_event": self.diagnostics.reload_event,
                "rollback_event": self.diagnostics.rollback_event,
                "diff_diagnostic": self.diagnostics.diff_diagnostic,
            },
        })
    }
}

impl Default for ReloadDiagnostics {
    fn default() -> ReloadDiagnostics {
        ReloadDiagnostics {
            reload_event: "bridge.reload".to_owned(),
            rollback_event: Some("bridge.rollback".to_owned()),
            diff_diagnostic: "bridge.diff.invalid".to_owned(),
        }
    }
}

impl RollbackPolicy {
    pub const ALL: [RollbackPolicy; 3] =
        [RollbackPolicy::Required, RollbackPolicy::Optional, RollbackPolicy::Unsupported];

    pub const fn name(self) -> &'static str {
        match self {
            RollbackPolicy::Required => "required",
            RollbackPolicy::Optional => "optional",
            RollbackPolicy::Unsupported => "unsupported",
        }
    }

    pub fn parse(text: &str) -> Option<RollbackPolicy> {
        RollbackPolicy::ALL.into_iter().find(|policy| policy.name() == text)
    }
}
