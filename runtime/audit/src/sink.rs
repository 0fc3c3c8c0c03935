//! Where do events go?
//!
//! Everything that logs is given a [`Sink`] and knows nothing of files. A sink can be used by any number of threads.

use std::sync::Arc;

use crate::error::AuditError;
use crate::event::{Event, Record};

/// A place for events.
pub trait Sink: Send + Sync {
    /// Takes an event. An error says that it was *not* taken.
    fn log(&self, event: &Event) -> Result<(), AuditError>;

    /// Takes a record; sinks that write bytes do it without making an event of it.
    fn record(&self, record: &Record<'_>) -> Result<(), AuditError> {
        self.log(&record.to_event())
    }

    /// Sends on what the sink holds back, and waits until it has arrived.
    fn flush(&self) -> Result<(), AuditError> {
        Ok(())
    }
}

impl<S: Sink + ?Sized> Sink for Arc<S> {
    fn log(&self, event: &Event) -> Result<(), AuditError> {
        (**self).log(event)
    }

    fn record(&self, record: &Record<'_>) -> Result<(), AuditError> {
        (**self).record(record)
    }

    fn flush(&self) -> Result<(), AuditError> {
        (**self).flush()
    }
}
