//! How does an event get to several places?

use crate::error::AuditError;
use crate::event::{Event, Record};
use crate::sink::Sink;

/// Gives each event to several sinks. All get it, whatever happens to the others; the first error is what the caller gets.
pub struct Multi {
    sinks: Vec<Box<dyn Sink>>,
}

impl Multi {
    pub fn new(sinks: Vec<Box<dyn Sink>>) -> Multi {
        Multi { sinks }
    }

    fn each(&self, act: impl Fn(&dyn Sink) -> Result<(), AuditError>) -> Result<(), AuditError> {
        self.sinks.iter().map(|sink| act(&**sink)).fold(Ok(()), Result::and)
    }
}

impl Sink for Multi {
    fn log(&self, event: &Event) -> Result<(), AuditError> {
        self.each(|sink| sink.log(event))
    }

    fn record(&self, record: &Record<'_>) -> Result<(), AuditError> {
        self.each(|sink| sink.record(record))
    }

    fn flush(&self) -> Result<(), AuditError> {
        self.each(|sink| sink.flush())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::EventKind;
    use crate::sinks::Memory;
    use std::sync::Arc;

    struct Broken;

    impl Sink for Broken {
        fn log(&self, _event: &Event) -> Result<(), AuditError> {
            Err(AuditError::Closed)
        }
    }

    #[test]
    fn an_error_of_one_sink_keeps_no_event_from_the_others() {
        let memory = Arc::new(Memory::default());
        let sink = Multi::new(vec![Box::new(Broken), Box::new(memory.clone())]);
        assert!(matches!(sink.log(&Event::new(EventKind::named("a"))), Err(AuditError::Closed)));
        assert_eq!(memory.events().len(), 1);
    }
}
