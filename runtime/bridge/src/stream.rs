//! What does a stream tell the bridge that it runs behind, and what comes of it?
//!
//! A runner of streams signals when it waits, goes on, fails or is done. Waiting because of too much input is compared with the stage of the bridge:
//! whoever relies on a bridge under load is to know how settled it is.

mod signal;

#[cfg(test)]
mod tests;

use reml_audit::{Event, EventKind};
use reml_capability::stage::{Stage, StageRequirement};
use serde_json::json;

use crate::bridge::Bridge;
use crate::diagnostic::{BridgeDiagnostic, Severity, codes};
use crate::error::RuntimeBridgeError;
use crate::events;
use crate::handle::RuntimeBridgeHandle;
use crate::policy::STREAM;
use crate::registry::RuntimeBridgeRegistry;
pub use signal::{BackpressureSignal, FlowPolicy, PendingReason, SignalKind, StreamSignal};

/// How many of the signals of backpressure have led to what they have to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StreamMetrics {
    pub signals: usize,
    /// Those that were recorded, with the stage of the bridge.
    pub recorded: usize,
}

impl StreamMetrics {
    /// The two figures that a promotion asks for, by their names; 1.0 where there were no signals.
    pub fn rates(self) -> [(&'static str, f64); 2] {
        let rate = if self.signals == 0 { 1.0 } else { self.recorded as f64 / self.signals as f64 };
        // A record of a signal always has the stage, so both are the same share.
        [("parser.stream.bridge_backpressure_diagnostics", rate), ("parser.stream.bridge_stage_propagation", rate)]
    }
}

impl RuntimeBridgeRegistry {
    /// Takes a signal of a stream. What is to be shown of it is the result.
    ///
    /// # Errors
    ///
    /// `NotFound`. `InvalidSignal`: it is about another bridge, or lacks what its kind has to say. `StageViolation`: a stream was completed behind a
    /// bridge that is not stable; whoever has used what came of it has to go back. `AuditIncomplete`.
    pub fn stream_signal(&self, id: &str, signal: &StreamSignal) -> Result<Vec<BridgeDiagnostic>, RuntimeBridgeError> {
        take(&self.bridge(id)?, signal)
    }

    /// How the signals of a bridge were dealt with.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub fn stream_metrics(&self, id: &str) -> Result<StreamMetrics, RuntimeBridgeError> {
        Ok(self.bridge(id)?.stream_metrics())
    }
}

impl RuntimeBridgeHandle {
    /// As [`RuntimeBridgeRegistry::stream_signal`], for this bridge.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn stream_signal(&self, signal: &StreamSignal) -> Result<Vec<BridgeDiagnostic>, RuntimeBridgeError> {
        take(&self.bridge, signal)
    }
}

impl Bridge {
    pub(crate) fn stream_metrics(&self) -> StreamMetrics {
        let journal = self.journal();
        StreamMetrics { signals: journal.signals, recorded: journal.signals_recorded }
    }
}

fn take(bridge: &Bridge, signal: &StreamSignal) -> Result<Vec<BridgeDiagnostic>, RuntimeBridgeError> {
    if let Err(detail) = signal.check(&bridge.descriptor) {
        let id = bridge.descriptor.id.clone();
        return Err(bridge.failed(RuntimeBridgeError::InvalidSignal { id, detail }));
    }
    match (signal.kind, signal.reason) {
        (SignalKind::Pending, Some(PendingReason::Backpressure)) => backpressure(bridge, signal),
        (SignalKind::Pending, _) => bridge.log(&pending(bridge, signal)).map(|()| Vec::new()),
        (SignalKind::Resume, _) => bridge.log(&noted(bridge, signal, "parser.stream")).map(|()| Vec::new()),
        (SignalKind::Error, _) => failure(bridge, signal).map(|()| Vec::new()),
        (SignalKind::Completed, _) => completed(bridge, signal).map(|()| Vec::new()),
    }
}

/// An event that carries the signal.
fn noted(bridge: &Bridge, signal: &StreamSignal, kind: &str) -> Event {
    events::event(EventKind::named(kind), &bridge.descriptor)
        .with("bridge.stage.signal", signal.kind.name())
        .with("bridge.stream.signal", signal.to_json())
        .with("stream.last_reason", signal.last_reason.as_deref())
}

fn pending(bridge: &Bridge, signal: &StreamSignal) -> Event {
    noted(bridge, signal, "parser.stream.pending")
        .with("reason", signal.reason.map(PendingReason::name))
        .with("resume_hint", signal.resume_hint.as_deref())
}

/// The stage that the stream asks for, and whether the bridge has it.
fn requirement(bridge: &Bridge, signal: &StreamSignal) -> (StageRequirement, bool) {
    let required = signal.stage_required.unwrap_or(bridge.descriptor.audit.stage_required);
    (required, required.satisfies(bridge.descriptor.stage))
}

fn backpressure(bridge: &Bridge, signal: &StreamSignal) -> Result<Vec<BridgeDiagnostic>, RuntimeBridgeError> {
    let descriptor = &*bridge.descriptor;
    bridge.journal().signals += 1;
    let (required, enough) = requirement(bridge, signal);
    let event = pending(bridge, signal)
        .with("bridge.stage.required", required.to_string())
        .with("bridge.stage.reason", signal.last_reason.as_deref())
        .with("diagnostic.code", codes::STAGE_BACKPRESSURE);
    bridge.log(&event)?;
    bridge.journal().signals_recorded += 1;
    let stage = json!({ "required": required.to_string(), "actual": descriptor.stage.name() });
    let related: Vec<String> = descriptor.required_capabilities.iter().map(ToString::to_string).collect();
    let mut shown = vec![BridgeDiagnostic {
        code: codes::STAGE_BACKPRESSURE,
        severity: if enough { Severity::Info } else { Severity::Error },
        message: if enough {
            format!("a stream behind the bridge `{}` waits: more comes in than is taken", descriptor.id)
        } else {
            format!(
                "a stream behind the bridge `{}` waits, and asks for a bridge that is `{required}`; it is {}",
                descriptor.id, descriptor.stage
            )
        },
        extension: json!({
            "id": descriptor.id,
            "stage": stage,
            "signal": { "kind": signal.kind.name(), "resume_hint": signal.resume_hint },
        }),
        related: related.clone(),
    }];
    if !enough {
        shown.push(BridgeDiagnostic {
            code: codes::STAGE_MISMATCH,
            severity: Severity::Error,
            message: format!("the bridge `{}` is {}, but `{required}` is required", descriptor.id, descriptor.stage),
            extension: json!({ "id": descriptor.id, "stage": stage }),
            related,
        });
        bridge.journal().errors += shown.len();
    }
    Ok(shown)
}

/// A stream has failed: recorded like a check of a stage, since the stage may be why.
fn failure(bridge: &Bridge, signal: &StreamSignal) -> Result<(), RuntimeBridgeError> {
    let (required, _) = requirement(bridge, signal);
    bridge.journal().errors += 1;
    let event = noted(bridge, signal, "parser.stream.error")
        .with("bridge.reload", events::ReloadStatus::Failed.name())
        .with("effect.capability", STREAM)
        .with("effect.stage.actual", bridge.descriptor.stage.name())
        .with("effect.stage.required", required.to_string())
        .with("last_checkpoint", signal.last_checkpoint);
    bridge.log(&event)
}

fn completed(bridge: &Bridge, signal: &StreamSignal) -> Result<(), RuntimeBridgeError> {
    let descriptor = &*bridge.descriptor;
    bridge.log(&noted(bridge, signal, "parser.stream"))?;
    if descriptor.stage == Stage::Stable {
        return Ok(());
    }
    let (required, actual) = (StageRequirement::AtLeast(Stage::Stable), StageRequirement::Exact(descriptor.stage));
    let event = noted(bridge, signal, "bridge.stage").with("bridge.stage.required", required.to_string());
    bridge.log(&event.with("event", json!({ "stage": descriptor.stage.name(), "outcome": "rollback" })))?;
    let id = descriptor.id.clone();
    Err(bridge.failed(RuntimeBridgeError::StageViolation { id, required, actual, unmet: Vec::new() }))
}
