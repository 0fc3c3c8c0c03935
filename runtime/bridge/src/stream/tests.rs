//! What do signals of streams demand, and what is said of those that lack it?

use std::sync::Arc;

use reml_audit::sinks::Memory;
use reml_capability::CapabilityRegistry;
use reml_capability::stage::{Stage, StageRequirement};
use serde_json::json;

use super::*;
use crate::descriptor::RuntimeBridgeDescriptor;

fn bridge(stage: Stage) -> (RuntimeBridgeRegistry, Arc<Memory>) {
    let registry = RuntimeBridgeRegistry::new(Box::leak(Box::new(CapabilityRegistry::with_builtins())));
    let sink = Arc::new(Memory::default());
    registry.set_sink(Some(sink.clone()));
    let mut descriptor = RuntimeBridgeDescriptor::new("feed");
    descriptor.stage = stage;
    descriptor.required_capabilities.insert(reml_capability::CapabilityId::new(STREAM).unwrap());
    registry.register_bridge(descriptor).unwrap();
    (registry, sink)
}

fn waiting(reason: PendingReason) -> StreamSignal {
    StreamSignal {
        reason: Some(reason),
        resume_hint: Some("drain the queue".into()),
        last_reason: Some("pending.backpressure".into()),
        ..StreamSignal::new("feed", SignalKind::Pending)
    }
}

#[test]
fn backpressure_is_reported_with_the_stage() {
    let (registry, sink) = bridge(Stage::Beta);
    let shown = registry.stream_signal("feed", &waiting(PendingReason::Backpressure)).unwrap();
    assert_eq!((shown.len(), shown[0].code, shown[0].severity), (1, "bridge.stage.backpressure", Severity::Info));
    assert_eq!(shown[0].extension["signal"]["kind"], "pending");
    let event = &sink.events()[0];
    assert_eq!(event.kind.name(), "parser.stream.pending");
    assert_eq!(event.metadata["bridge.stream.signal"]["reason"], "backpressure");
    assert_eq!(
        (&event.metadata["reason"], &event.metadata["resume_hint"]),
        (&json!("backpressure"), &json!("drain the queue"))
    );

    let strict = StreamSignal {
        stage_required: Some(StageRequirement::AtLeast(Stage::Stable)),
        ..waiting(PendingReason::Backpressure)
    };
    let shown = registry.stream_signal("feed", &strict).unwrap();
    assert_eq!(
        shown.iter().map(|it| it.code).collect::<Vec<_>>(),
        ["bridge.stage.backpressure", "effects.contract.stage_mismatch"]
    );
    assert!(shown.iter().all(|it| it.severity == Severity::Error && it.related == ["async.stream"]));
    assert_eq!(shown[0].extension["stage"], json!({ "required": "at_least:stable", "actual": "beta" }));
    assert_eq!(registry.stream_metrics("feed").unwrap().rates()[0].1, 1.0);
}

#[test]
fn signals_say_what_they_have_to() {
    let (registry, sink) = bridge(Stage::Beta);
    let fails = |signal: StreamSignal| registry.stream_signal("feed", &signal).unwrap_err().to_string();
    assert!(fails(StreamSignal::new("other", SignalKind::Resume)).contains("is about `other`"));
    assert!(fails(StreamSignal::new("feed", SignalKind::Pending)).contains("`reason` is missing"));
    assert!(fails(StreamSignal::new("feed", SignalKind::Error)).contains("no `last_reason`"));
    let auto = StreamSignal { flow_policy: Some(FlowPolicy::Auto), ..waiting(PendingReason::DemandHint) };
    assert!(fails(auto.clone()).contains("no `backpressure`"));
    assert!(sink.events().is_empty());
    let auto = StreamSignal { backpressure: Some(BackpressureSignal::default()), ..auto };
    assert!(registry.stream_signal("feed", &auto).unwrap().is_empty());
    let unknown = registry.stream_signal("nothing", &auto).unwrap_err();
    assert_eq!(unknown.code(), "bridge.unknown");
}

#[test]
fn a_failure_is_recorded_like_a_check_of_a_stage() {
    let (registry, sink) = bridge(Stage::Beta);
    let signal = StreamSignal {
        last_reason: Some("decode".into()),
        last_checkpoint: Some(4096),
        ..StreamSignal::new("feed", SignalKind::Error)
    };
    registry.stream_signal("feed", &signal).unwrap();
    let event = &sink.events()[0];
    assert_eq!(event.kind, EventKind::ParserStreamError);
    assert_eq!(event.metadata["effect.stage.actual"], "beta");
    assert_eq!(event.metadata["stream.last_reason"], "decode");
    assert_eq!(event.metadata["last_checkpoint"], 4096);
}

#[test]
fn what_is_completed_behind_an_unsettled_bridge_has_to_go_back() {
    let done = StreamSignal::new("feed", SignalKind::Completed);
    let (registry, sink) = bridge(Stage::Beta);
    let error = registry.stream_signal("feed", &done).unwrap_err();
    assert!(matches!(error, RuntimeBridgeError::StageViolation { .. }));
    assert_eq!(sink.events().last().unwrap().metadata["event"]["outcome"], "rollback");
    let (registry, _) = bridge(Stage::Stable);
    assert_eq!(registry.stream_signal("feed", &done), Ok(Vec::new()));
}

#[test]
fn signals_that_are_lost_stand_in_the_way_of_a_promotion() {
    let (registry, _) = bridge(Stage::Experimental);
    registry.stream_signal("feed", &waiting(PendingReason::Backpressure)).unwrap();
    registry.set_sink(None);
    assert!(registry.stream_signal("feed", &waiting(PendingReason::Backpressure)).is_err());
    assert_eq!(registry.stream_metrics("feed").unwrap(), StreamMetrics { signals: 2, recorded: 1 });
    let error = registry.promote_bridge("feed", Stage::Beta, &Default::default()).unwrap_err().to_string();
    assert!(error.contains("`parser.stream.bridge_stage_propagation` is below 1.0"), "{error}");
    assert!(error.contains("missing: stream.signal, stream.stage_audit, stream.platforms, stream.tools"), "{error}");
}

#[test]
fn what_is_written_is_read() {
    let mut signal = waiting(PendingReason::DemandHint);
    signal.demand_min_bytes = Some(64);
    signal.flow_policy = Some(FlowPolicy::Auto);
    signal.backpressure = Some(BackpressureSignal { max_lag: Some(16.into()), ..Default::default() });
    assert_eq!(StreamSignal::from_json(&signal.to_json()), Ok(signal));
    for wrong in [
        json!(1),
        json!({}),
        json!({ "kind": "x", "bridge_id": "a" }),
        json!({ "kind": "error", "bridge_id": 1 }),
        json!({ "kind": "error", "bridge_id": "a", "demand_min_bytes": -1 }),
        json!({ "kind": "error", "bridge_id": "a", "backpressure": 1 }),
    ] {
        assert!(StreamSignal::from_json(&wrong).is_err(), "{wrong}");
    }
}
