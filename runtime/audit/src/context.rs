//! How does a part of a program log events that all have some metadata in common?

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::error::AuditError;
use crate::event::Event;
use crate::kind::EventKind;
use crate::sink::Sink;
use crate::validate::promised;

/// A sink, and what every event that goes there through this context is about.
///
/// ```
/// use std::sync::Arc;
/// use reml_audit::sinks::Memory;
/// use reml_audit::AuditContext;
/// let sink = Arc::new(Memory::default());
/// let context = AuditContext::new(sink.clone(), "shop", "orders").with_metadata("cli.run_id", "r1");
/// context.log("shop.order", serde_json::json!({ "id": 7 }))?;
/// let event = &sink.events()[0];
/// assert_eq!(event.metadata["event.domain"], "shop");
/// assert_eq!(event.metadata["event"]["id"], 7);
/// # Ok::<(), reml_audit::AuditError>(())
/// ```
#[derive(Clone)]
pub struct AuditContext {
    sink: Arc<dyn Sink>,
    metadata: BTreeMap<String, Value>,
    capability: Option<String>,
}

impl AuditContext {
    /// A context of a domain, such as `runtime.process`, and of what the events in it are about.
    pub fn new(sink: Arc<dyn Sink>, domain: &str, subject: &str) -> AuditContext {
        let metadata = [("event.domain", domain), ("event.subject", subject)];
        let metadata = metadata.map(|(key, value)| (key.to_owned(), value.into())).into();
        AuditContext { sink, metadata, capability: None }
    }

    /// The same context with one more value for all events.
    pub fn with_metadata(mut self, key: &str, value: impl Into<Value>) -> AuditContext {
        self.metadata.insert(key.to_owned(), value.into());
        self
    }

    /// The same context for a capability.
    pub fn with_capability(mut self, id: &str) -> AuditContext {
        self.capability = Some(id.to_owned());
        self
    }

    /// Logs an event. What is told about it is kept as a whole, under `event` or the key that its kind has for that; keys that the kind requires are
    /// taken out of it, too.
    pub fn log(&self, event: &str, payload: Value) -> Result<(), AuditError> {
        let kind = EventKind::named(event);
        let mut metadata = self.metadata.clone();
        if let Value::Object(members) = &payload {
            for key in promised(&kind) {
                if let Some(value) = members.get(key) {
                    metadata.insert(key.to_owned(), value.clone());
                }
            }
        }
        metadata.insert(kind.payload_key().to_owned(), payload);
        self.sink.log(&Event { metadata, capability: self.capability.clone(), ..Event::new(kind) })
    }

    /// The sink, for events that are built by hand.
    pub fn sink(&self) -> &Arc<dyn Sink> {
        &self.sink
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinks::Memory;
    use serde_json::json;

    #[test]
    fn required_keys_are_flat_and_payloads_have_their_keys() {
        let sink = Arc::new(Memory::default());
        let context = AuditContext::new(sink.clone(), "runtime.process", "job").with_capability("core.process");
        context
            .log("process.spawn", json!({ "process.pid": 7, "process.command": "ls", "process.exit_status": null }))
            .unwrap();
        context.log("ffi.call", json!({ "symbol": "cos" })).unwrap();
        context.log("gc.stats", json!({ "heap_bytes": 1 })).unwrap();
        let events = sink.events();
        assert_eq!(events[0].metadata["process.pid"], 7);
        assert_eq!(events[0].capability.as_deref(), Some("core.process"));
        assert_eq!(events[1].metadata["ffi"]["symbol"], "cos");
        assert_eq!(events[2].metadata["gc.stats"]["heap_bytes"], 1);
        let error = context.log("env_mutation", json!({ "env.key": "HOME" })).unwrap_err();
        assert!(error.to_string().ends_with("missing keys [env.operation, env.scope, requested_by]"));
    }
}
