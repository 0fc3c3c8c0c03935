//! Who may register and acquire a bridge, and what is recorded of it?

use std::sync::Arc;

use reml_audit::sinks::Memory;
use reml_capability::stage::{Stage, StageRequirement};
use reml_capability::{CapabilityId, CapabilityRegistry, RuntimeCapability};

use super::*;
use crate::descriptor::{ReloadDiagnostics, RuntimeBridgeReloadSpec};
use crate::policy::SMOKE_TEST;

fn recorded() -> (RuntimeBridgeRegistry, Arc<Memory>) {
    let registry = RuntimeBridgeRegistry::new(Box::leak(Box::new(CapabilityRegistry::with_builtins())));
    let sink = Arc::new(Memory::default());
    registry.set_sink(Some(sink.clone()));
    (registry, sink)
}

fn needing(id: &str, capability: &str) -> RuntimeBridgeDescriptor {
    let mut bridge = RuntimeBridgeDescriptor::new(id);
    bridge.required_capabilities.insert(CapabilityId::new(capability).unwrap());
    bridge
}

fn names(sink: &Memory) -> Vec<String> {
    sink.events().iter().map(|event| event.kind.name().to_owned()).collect()
}

fn request() -> BridgeRequest {
    BridgeRequest::default()
}

#[test]
fn an_experiment_is_recorded_and_warned_about_once() {
    let (registry, sink) = recorded();
    registry.register_bridge(needing("host.fs", "io.fs.read")).unwrap();
    let handle = registry.acquire_bridge("host.fs", &request()).unwrap();
    assert_eq!(handle.diagnostics[0].code, "bridge.stage.experimental");
    assert_eq!(names(&sink), ["bridge.stage", "bridge_stage_verified"]);
    let verified = &sink.events()[1];
    assert_eq!(verified.capability.as_deref(), Some("core.runtime.bridge"));
    assert_eq!(verified.metadata["bridge.stage.actual"], "experimental");
    assert_eq!(verified.metadata["bridge.stage.required"], "at_least:experimental");
    assert!(registry.acquire_bridge("host.fs", &request()).unwrap().diagnostics.is_empty());
    let acquired = RuntimeCapability::ExternalBridge("host.fs".into());
    assert!(registry.platform_info().has_capability(&acquired));
}

#[test]
fn what_is_wrong_is_told_apart() {
    let (registry, sink) = recorded();
    let fails = |id: &str, request: &BridgeRequest| registry.acquire_bridge(id, request).err().unwrap();
    assert_eq!(fails("nothing", &request()).to_string(), "there is no bridge `nothing`");

    let mut wasi = needing("wasi", "io.fs.read");
    wasi.target_profiles.insert("wasi-preview2".into());
    registry.register_bridge(wasi.clone()).unwrap();
    assert!(matches!(registry.register_bridge(wasi), Err(RuntimeBridgeError::AlreadyRegistered { .. })));
    let error = fails("wasi", &request());
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        ("bridge.target.mismatch", "the bridge `wasi` works on `wasi-preview2`, and this is `host`")
    );
    assert_eq!(sink.events().last().unwrap().metadata["bridge.target.detected"], "host");
    let wasi = BridgeRequest { target_profile: Some("wasi-preview2".into()), ..request() };
    let elsewhere = BridgeRequest { runtime_profile: Some("serverless".into()), ..wasi.clone() };
    assert!(registry.acquire_bridge("wasi", &wasi).is_ok());
    assert!(matches!(fails("wasi", &elsewhere), RuntimeBridgeError::TargetMismatch { .. }));
    assert!(!registry.platform_info().has_capability(&RuntimeCapability::ExternalBridge("wasi".into())));

    registry.register_bridge(needing("plug", "no.such")).unwrap();
    let error = fails("plug", &request());
    assert!(matches!(&error, RuntimeBridgeError::CapabilityViolation { actual_stage: None, .. }), "{error}");
    let mut greedy = needing("greedy", "io.fs.read");
    greedy.required_effects.insert("network".into());
    registry.register_bridge(greedy).unwrap();
    assert!(fails("greedy", &request()).to_string().ends_with("none of its capabilities covers network"));
}

#[test]
fn both_checks_of_stages_are_made() {
    let (registry, _) = recorded();
    registry.register_bridge(needing("a", "io.fs.read")).unwrap();
    let labels = |request: &BridgeRequest| match registry.acquire_bridge("a", request).err().unwrap() {
        RuntimeBridgeError::StageViolation { required, actual, .. } => (required.to_string(), actual.to_string()),
        other => panic!("{other}"),
    };
    let caller = BridgeRequest { required: StageRequirement::AtLeast(Stage::Beta), ..request() };
    assert_eq!(labels(&caller), ("at_least:beta".into(), "exact:experimental".into()));
    let run = BridgeRequest { admitted: Some(Stage::Stable), ..request() };
    assert_eq!(labels(&run), ("at_least:experimental".into(), "at_least:stable".into()));
}

#[test]
fn a_capability_has_to_be_as_settled_as_the_bridge() {
    let (registry, _) = recorded();
    let mut bridge = needing("spawn", "core.process");
    bridge.stage = Stage::Stable;
    bridge.required_effects.insert("audit".into());
    registry.register_bridge(bridge).unwrap();
    match registry.acquire_bridge("spawn", &request()).err().unwrap() {
        RuntimeBridgeError::CapabilityViolation { capability, required_stage, actual_stage, .. } => {
            assert_eq!(capability.as_str(), "core.process");
            assert_eq!(required_stage, StageRequirement::AtLeast(Stage::Stable));
            assert_eq!(actual_stage, Some(Stage::Experimental));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn what_has_to_be_recorded_needs_a_log() {
    let (registry, _) = recorded();
    registry.set_sink(None);
    registry.register_bridge(RuntimeBridgeDescriptor::new("a")).unwrap();
    let error = registry.acquire_bridge("a", &request()).err().unwrap();
    assert_eq!(error.code(), "bridge.audit.missing_event");
    let mut quiet = RuntimeBridgeDescriptor::new("b");
    quiet.stage = Stage::Stable;
    quiet.audit.requires_audit_effect = false;
    quiet.required_effects.insert("audit".into());
    registry.register_bridge(quiet).unwrap();
    assert!(registry.acquire_bridge("b", &request()).is_ok());
}

#[test]
fn a_descriptor_agrees_with_itself() {
    let (registry, _) = recorded();
    let fails = |bridge: RuntimeBridgeDescriptor| registry.register_bridge(bridge).err().unwrap().to_string();
    assert!(fails(RuntimeBridgeDescriptor::new("No id")).contains("lower-case words"));
    let mut bridge = RuntimeBridgeDescriptor::new("a");
    let diagnostics = ReloadDiagnostics { rollback_event: None, ..ReloadDiagnostics::default() };
    bridge.reload = Some(RuntimeBridgeReloadSpec { diagnostics, ..Default::default() });
    assert!(fails(bridge).contains("`rollback_event`"));
    let mut bridge = RuntimeBridgeDescriptor::new("a");
    bridge.audit.completed.insert("runbook".into());
    assert!(fails(bridge).contains("not on the checklist"));
}

#[test]
fn stages_are_climbed_with_what_they_demand_and_on_record() {
    let (registry, sink) = recorded();
    let mut bridge = needing("a", "io.fs.read");
    bridge.audit.rollout_checklist.push("runbook".into());
    bridge.audit.mandatory_events.insert(SMOKE_TEST.into());
    registry.register_bridge(bridge).unwrap();
    let unmet = |to, rollout: &Rollout| match registry.promote_bridge("a", to, rollout).err().unwrap() {
        RuntimeBridgeError::StageViolation { unmet, .. } => unmet.iter().map(ToString::to_string).collect::<Vec<_>>(),
        other => panic!("{other}"),
    };
    let nothing = Rollout::default();
    assert_eq!(unmet(Stage::Beta, &nothing), ["its checklist is not complete; missing: runbook"]);
    assert_eq!(
        unmet(Stage::Stable, &nothing),
        ["stages are taken one at a time, and beta comes first", "`audit` is not one of its effects"]
    );
    let done = Rollout { completed: ["runbook".to_owned()].into(), results: serde_json::json!({ "hours": 72 }) };
    registry.promote_bridge("a", Stage::Beta, &done).unwrap();
    let event = &sink.events()[0];
    assert_eq!((event.kind.name(), &event.metadata["event"]["results"]["hours"]), ("bridge.promote", &72.into()));
    assert_eq!(registry.describe_bridge("a").unwrap().stage, Stage::Beta);
    assert_eq!(unmet(Stage::Beta, &nothing)[0], "stages are taken one at a time, and stable comes first");

    let mut stable = needing("b", "io.fs.read");
    stable.stage = Stage::Beta;
    stable.required_effects.insert("audit".into());
    registry.register_bridge(stable).unwrap();
    registry.promote_bridge("b", Stage::Stable, &nothing).unwrap();
    assert_eq!(names(&sink)[1..], ["bridge.promote", "bridge.rollout"]);
}

#[test]
fn errors_stand_in_the_way_of_a_promotion() {
    let (registry, _) = recorded();
    let mut bridge = needing("a", "io.fs.read");
    bridge.stage = Stage::Beta;
    bridge.audit.rollout_checklist.push("runbook".into());
    bridge.required_effects.insert("audit".into());
    registry.register_bridge(bridge).unwrap();
    assert!(registry.acquire_bridge("a", &request()).is_err());
    let error = registry.promote_bridge("a", Stage::Stable, &Rollout::default()).err().unwrap();
    assert_eq!(error.to_string(), "the bridge `a` cannot be stable: it has reported 1 error");
}

#[test]
fn readers_and_writers_do_not_wait_for_each_other() {
    let (registry, _) = recorded();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let registry = &registry;
            scope.spawn(move || {
                for number in 0..50 {
                    registry.register_bridge(needing(&format!("b{writer}.n{number}"), "io.fs.read")).unwrap();
                }
            });
            scope.spawn(move || {
                for number in 0..50 {
                    let id = format!("b{writer}.n{number}");
                    while registry.describe_bridge(&id).is_none() {
                        std::thread::yield_now();
                    }
                    assert!(registry.acquire_bridge(&id, &request()).is_ok());
                }
            });
        }
    });
    assert_eq!(registry.describe_all().len(), 200);
    let bridges = |it: &&RuntimeCapability| matches!(it, RuntimeCapability::ExternalBridge(_));
    assert_eq!(registry.platform_info().runtime_capabilities.iter().filter(bridges).count(), 200);
}
