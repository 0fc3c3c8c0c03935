//! How does a test see what was logged?

use std::sync::{Mutex, PoisonError};

use crate::error::AuditError;
use crate::event::Event;
use crate::sink::Sink;
use crate::validate::validate;

/// Keeps all events, in the order in which they came.
#[derive(Debug, Default)]
pub struct Memory {
    events: Mutex<Vec<Event>>,
}

impl Memory {
    /// The events so far.
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Sink for Memory {
    fn log(&self, event: &Event) -> Result<(), AuditError> {
        validate(event)?;
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Field, Record};
    use crate::kind::EventKind;

    #[test]
    fn keeps_events_and_records_and_refuses_incomplete_ones() {
        let sink = Memory::default();
        sink.log(&Event::new(EventKind::named("a"))).unwrap();
        let kind = EventKind::named("b");
        sink.record(&Record { kind: &kind, capability: None, fields: &[("n", Field::Int(1))] }).unwrap();
        assert!(sink.log(&Event::new(EventKind::GateDecision)).is_err());
        let kinds: Vec<_> = sink.events().iter().map(|event| event.kind.name().to_owned()).collect();
        assert_eq!(kinds, ["a", "b"]);
    }
}
