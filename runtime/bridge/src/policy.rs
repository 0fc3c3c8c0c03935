//! What does the stage of a bridge demand of it?
//!
//! The less settled a bridge is, the more has to be recorded and the surer the way back; the more settled, the more has to be done before.

use std::fmt;

use reml_capability::stage::{Stage, StageRequirement};

use crate::descriptor::{RollbackPolicy, RuntimeBridgeDescriptor};

/// The event that shows that what was reloaded works. Bridges that are beta owe it.
pub const SMOKE_TEST: &str = "bridge.smoke_test";

/// The capability of bridges through which streams are parsed.
pub const STREAM: &str = "async.stream";

/// What has to be seen to before a bridge with streams is beta.
pub const STREAM_CHECKLIST: [&str; 4] = ["stream.signal", "stream.stage_audit", "stream.platforms", "stream.tools"];

/// Something that a stage demands and a bridge does not have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unmet {
    AuditEffect,
    /// It can be reloaded, but there is no way back.
    Rollback,
    /// Its reloads are not recorded under the names that an experiment has to use.
    ReloadEvents,
    NoChecklist,
    /// Items that are not done.
    Checklist(Vec<String>),
    /// An event that has to be among the mandatory ones.
    MandatoryEvent(&'static str),
    /// An effect that has to be among the required ones.
    Effect(&'static str),
    /// Errors that were reported since it was registered.
    Errors(usize),
    /// A share of the signals of streams was not recorded, or not with its stage.
    Streams(&'static str),
    /// Stages are taken one at a time.
    Step(Stage),
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unmet::AuditEffect => f.write_str("`requires_audit_effect` is off"),
            Unmet::Rollback => f.write_str("there is no way back from a reload"),
            Unmet::ReloadEvents => {
                f.write_str("its reloads have to be recorded as `bridge.reload` and `bridge.rollback`")
            }
            Unmet::NoChecklist => f.write_str("it has no checklist for its rollout"),
            Unmet::Checklist(missing) => {
                write!(f, "its checklist is not complete; missing: {}", missing.join(", "))
            }
            Unmet::MandatoryEvent(event) => write!(f, "`{event}` is not one of its mandatory events"),
            Unmet::Effect(effect) => write!(f, "`{effect}` is not one of its effects"),
            Unmet::Errors(count) => write!(f, "it has reported {count} error{}", if *count == 1 { "" } else { "s" }),
            Unmet::Streams(metric) => write!(f, "`{metric}` is below 1.0"),
            Unmet::Step(next) => write!(f, "stages are taken one at a time, and {next} comes first"),
        }
    }
}

/// What a bridge lacks for a stage.
pub fn demands(bridge: &RuntimeBridgeDescriptor, stage: Stage) -> Vec<Unmet> {
    let mut unmet = Vec::new();
    let mut demand = |met: bool, what: Unmet| {
        if !met {
            unmet.push(what);
        }
    };
    match stage {
        Stage::Experimental => {
            demand(bridge.audit.requires_audit_effect, Unmet::AuditEffect);
            if let Some(reload) = &bridge.reload {
                demand(reload.rollback != RollbackPolicy::Unsupported, Unmet::Rollback);
                let names = &reload.diagnostics;
                let usual =
                    names.reload_event == "bridge.reload" && names.rollback_event.as_deref() == Some("bridge.rollback");
                demand(usual, Unmet::ReloadEvents);
            }
        }
        Stage::Beta => {
            let missing = bridge.checklist_missing();
            demand(!bridge.audit.rollout_checklist.is_empty(), Unmet::NoChecklist);
            demand(missing.is_empty(), Unmet::Checklist(missing));
            demand(bridge.audit.mandatory_events.contains(SMOKE_TEST), Unmet::MandatoryEvent(SMOKE_TEST));
        }
        Stage::Stable => {
            demand(bridge.required_effects.contains("audit"), Unmet::Effect("audit"));
        }
    }
    if stage > Stage::Experimental && bridge.required_capabilities.iter().any(|id| id.as_str() == STREAM) {
        let missing: Vec<String> = STREAM_CHECKLIST
            .iter()
            .filter(|item| !bridge.audit.completed.contains(**item))
            .map(|item| (*item).to_owned())
            .collect();
        demand(missing.is_empty(), Unmet::Checklist(missing));
    }
    unmet
}

/// How settled the capabilities of a bridge have to be.
pub fn capability_requirement(stage: Stage) -> StageRequirement {
    StageRequirement::AtLeast(stage)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::descriptor::RuntimeBridgeReloadSpec;

    #[test]
    fn an_experiment_needs_a_record_and_a_way_back() {
        let mut bridge = RuntimeBridgeDescriptor::new("a");
        assert!(demands(&bridge, Stage::Experimental).is_empty());
        bridge.audit.requires_audit_effect = false;
        bridge.reload = Some(RuntimeBridgeReloadSpec { rollback: RollbackPolicy::Unsupported, ..Default::default() });
        bridge.reload.as_mut().unwrap().diagnostics.rollback_event = None;
        assert_eq!(demands(&bridge, Stage::Experimental), [Unmet::AuditEffect, Unmet::Rollback, Unmet::ReloadEvents]);
    }

    #[test]
    fn beta_needs_its_checklist_and_stable_the_audit_effect() {
        let mut bridge = RuntimeBridgeDescriptor::new("a");
        assert_eq!(demands(&bridge, Stage::Beta), [Unmet::NoChecklist, Unmet::MandatoryEvent(SMOKE_TEST)]);
        bridge.audit.rollout_checklist = vec!["load test".into(), "runbook".into()];
        bridge.audit.completed.insert("runbook".into());
        bridge.audit.mandatory_events.insert(SMOKE_TEST.into());
        assert_eq!(demands(&bridge, Stage::Beta), [Unmet::Checklist(vec!["load test".into()])]);
        bridge.audit.completed.insert("load test".into());
        assert!(demands(&bridge, Stage::Beta).is_empty());
        assert_eq!(demands(&bridge, Stage::Stable), [Unmet::Effect("audit")]);
        bridge.required_capabilities.insert(reml_capability::CapabilityId::new(STREAM).unwrap());
        let missing = STREAM_CHECKLIST.map(str::to_owned).to_vec();
        assert_eq!(demands(&bridge, Stage::Beta), [Unmet::Checklist(missing)]);
    }
}
