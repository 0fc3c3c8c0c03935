//! Does a reload come into force or is it taken back, with all its events?

use std::sync::Arc;

use reml_audit::sinks::Memory;
use reml_audit::{AuditError, Event, Sink};
use reml_capability::CapabilityRegistry;
use reml_capability::stage::Stage;

use super::*;
use crate::descriptor::RuntimeBridgeDescriptor;
use crate::registry::{BridgeRequest, RuntimeBridgeRegistry};

/// A number that fails in the ways that a value can fail.
#[derive(Clone, PartialEq, Debug, Default)]
struct Number {
    value: i64,
    fails_to_apply: bool,
    fails_to_restore: bool,
    /// What a smoke test says, if there is one.
    works: Option<bool>,
}

impl Reloadable for Number {
    type Diff = i64;

    fn validate(&self, diff: &i64) -> Result<(), Refusal> {
        if *diff == 0 { Err(Refusal::Rejected("zero is dangerous".into())) } else { Ok(()) }
    }

    fn checkpoint(&mut self) -> Result<Value, String> {
        Ok(self.value.into())
    }

    fn apply(&mut self, diff: &i64, _: &Stamp<'_>) -> Result<(), String> {
        self.value += diff;
        if self.fails_to_apply { Err("half of it is done".into()) } else { Ok(()) }
    }

    fn roll_back(&mut self, point: &Value) -> Result<(), String> {
        if self.fails_to_restore {
            return Err("nobody knows the old value".into());
        }
        self.value = point.as_i64().unwrap();
        Ok(())
    }

    fn smoke_test(&mut self) -> Option<Result<(), String>> {
        self.works.map(|works| if works { Ok(()) } else { Err("it is odd".into()) })
    }
}

fn bridge(change: impl FnOnce(&mut RuntimeBridgeDescriptor), sink: Arc<dyn Sink>) -> ReloadHandle {
    let registry = RuntimeBridgeRegistry::new(Box::leak(Box::new(CapabilityRegistry::with_builtins())));
    registry.set_sink(Some(sink));
    let mut descriptor = RuntimeBridgeDescriptor::new("number");
    descriptor.reload = Some(Default::default());
    change(&mut descriptor);
    registry.register_bridge(descriptor).unwrap();
    registry.acquire_bridge("number", &BridgeRequest::default()).unwrap().reload().unwrap()
}

fn request() -> ReloadRequest {
    ReloadRequest {
        audit_id: Some(Uuid::from_u128(7)),
        requested_by: "test".into(),
        diff: "number.diff".into(),
        change_set: json!({ "items": [] }),
        breaking: false,
    }
}

/// The events of reloads, with their status.
fn story(sink: &Memory) -> Vec<String> {
    let events = sink.events();
    let told = events
        .iter()
        .filter_map(|event| Some(format!("{} {}", event.kind, event.metadata.get("bridge.reload")?.as_str()?)));
    told.collect()
}

#[test]
fn a_reload_is_on_record_and_leads_back() {
    let sink = Arc::new(Memory::default());
    let handle = bridge(|_| {}, sink.clone());
    let mut state = ReloadState::new(Number::default());
    let before = state.clone();
    let info = handle.reload(&mut state, &5, &request()).unwrap();
    assert_eq!(state.value.value, 5);
    assert_ne!(state.run_id, before.run_id);
    assert!(state.last_applied_at.is_some());
    assert_eq!(RollbackInfo::from_json(&info.to_json()), Some(info.clone()));
    handle.roll_back(&mut state, &info, &request()).unwrap();
    assert_eq!(state, before);
    assert_eq!(
        story(&sink),
        ["bridge.reload pending", "bridge.reload applied", "bridge.rollback pending", "bridge.rollback rolled_back"]
    );
    let applied =
        sink.events().into_iter().find(|event| event.metadata.get("bridge.reload") == Some(&json!("applied")));
    let applied = applied.unwrap();
    assert_eq!(applied.metadata["audit_id"], Uuid::from_u128(7).to_string());
    assert_eq!(applied.metadata["event"]["state"]["run_id"], applied.metadata["run_id"]);
    assert!(sink.events().iter().any(|event| event.kind == EventKind::ParserReload));
}

#[test]
fn what_is_refused_changes_nothing() {
    let sink = Arc::new(Memory::default());
    let handle = bridge(|_| {}, sink.clone());
    let mut state = ReloadState::new(Number::default());
    let before = state.clone();
    let error = handle.reload(&mut state, &0, &request()).unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), ("bridge.diff.rejected", "zero is dangerous"));
    let error = handle.reload(&mut state, &1, &ReloadRequest { audit_id: None, ..request() }).unwrap_err();
    assert!(error.to_string().contains("needs an audit id"));
    assert_eq!(state, before);
    assert_eq!(story(&sink), ["bridge.reload rejected", "bridge.reload rejected"]);
}

#[test]
fn a_failure_is_taken_back_as_the_bridge_says() {
    let fails = || ReloadState::new(Number { fails_to_apply: true, ..Number::default() });
    for policy in RollbackPolicy::ALL {
        let sink = Arc::new(Memory::default());
        let handle = bridge(
            |it| {
                it.stage = Stage::Stable;
                it.required_effects.insert("audit".into());
                it.reload.as_mut().unwrap().rollback = policy;
            },
            sink.clone(),
        );
        let mut state = fails();
        let run = state.run_id;
        let error = handle.reload(&mut state, &5, &request()).unwrap_err();
        assert_eq!(error.code(), "bridge.reload.failed");
        match (policy, error.undone()) {
            (RollbackPolicy::Required, Undone::RolledBack) => {
                assert_eq!((state.value.value, state.run_id), (0, run));
                assert_eq!(story(&sink).last().unwrap(), "bridge.rollback rolled_back");
            }
            (RollbackPolicy::Optional, Undone::Possible(info)) => {
                assert_eq!(state.value.value, 5);
                handle.roll_back(&mut state, info, &request()).unwrap();
                assert_eq!(state.value.value, 0);
            }
            (RollbackPolicy::Unsupported, Undone::Nothing) => {
                let info = RollbackInfo {
                    bridge_id: "number".into(),
                    audit_id: None,
                    run_id: run,
                    last_applied_at: None,
                    point: json!(0),
                };
                let error = handle.roll_back(&mut state, &info, &request()).unwrap_err();
                assert_eq!(error.code(), "bridge.reload.unsupported");
            }
            (policy, undone) => panic!("{policy:?}: {undone:?}"),
        }
    }
}

#[test]
fn a_way_back_that_fails_is_told_with_what_would_lead_back() {
    let sink = Arc::new(Memory::default());
    let handle = bridge(|_| {}, sink.clone());
    let number = Number { fails_to_apply: true, fails_to_restore: true, ..Number::default() };
    let mut state = ReloadState::new(number);
    match handle.reload(&mut state, &5, &request()).unwrap_err() {
        ReloadError::RollbackFailed { detail, info, .. } => {
            assert_eq!((detail.as_str(), &info.point), ("nobody knows the old value", &json!(0)));
        }
        other => panic!("{other}"),
    }
    assert_eq!(story(&sink).last().unwrap(), "bridge.rollback failed");
}

#[test]
fn mandatory_events_are_owed_by_each_reload() {
    let owes = |it: &mut RuntimeBridgeDescriptor| {
        let events = ["bridge.smoke_test", "bridge.stage", "bridge.rollback", "bridge.reload"];
        it.audit.mandatory_events = events.map(str::to_owned).into();
    };
    let handle = bridge(owes, Arc::new(Memory::default()));
    let mut state = ReloadState::new(Number { works: Some(true), ..Number::default() });
    handle.reload(&mut state, &1, &request()).unwrap();
    // The smoke test of the first reload says nothing of the second.
    state.value.works = None;
    let error = handle.reload(&mut state, &1, &request()).unwrap_err();
    assert_eq!(error.code(), "bridge.audit.missing_event");
    assert_eq!(
        error.to_string(),
        "events that have to be recorded are missing (bridge.smoke_test): nothing tries out what was reloaded; the old value is back"
    );
    assert_eq!(state.value.value, 1);
    state.value.works = Some(false);
    let error = handle.reload(&mut state, &1, &request()).unwrap_err();
    assert!(error.to_string().contains("the new value does not work: it is odd"), "{error}");
    assert_eq!(state.value.value, 1);
}

/// Takes so many events.
pub(crate) struct Full(pub std::sync::atomic::AtomicUsize);

impl Sink for Full {
    fn log(&self, _: &Event) -> Result<(), AuditError> {
        use std::sync::atomic::Ordering::Relaxed;
        let left = self.0.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
        left.map(|_| ()).map_err(|_| AuditError::Closed)
    }
}

#[test]
fn whichever_event_is_lost_the_old_value_is_there() {
    // Two events belong to acquiring the bridge; then come the intent, the step, and the outcome.
    for events in 2..5 {
        let handle = bridge(|_| {}, Arc::new(Full(events.into())));
        let mut state = ReloadState::new(Number::default());
        let before = state.clone();
        let error = handle.reload(&mut state, &5, &request()).unwrap_err();
        assert!(matches!(error, ReloadError::AuditIncomplete { .. }), "{events}: {error}");
        assert_eq!(state, before, "{events}");
    }
    let handle = bridge(|_| {}, Arc::new(Full(5.into())));
    assert!(handle.reload(&mut ReloadState::new(Number::default()), &5, &request()).is_ok());
}

#[test]
fn what_is_no_rollback_info_is_none() {
    for wrong in [
        json!(null),
        json!({}),
        json!({ "bridge_id": "a", "audit_id": "x", "run_id": "y", "last_applied_at": null, "point": 1 }),
    ] {
        assert_eq!(RollbackInfo::from_json(&wrong), None);
    }
}
