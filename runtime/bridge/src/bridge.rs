//! A registered bridge: what is known of it, and what it has done so far.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use reml_audit::{Event, Sink};

use crate::descriptor::RuntimeBridgeDescriptor;
use crate::error::RuntimeBridgeError;

/// Where the bridges of a registry record what they do.
pub(crate) type SharedSink = Arc<ArcSwap<Option<Arc<dyn Sink>>>>;

#[derive(Clone)]
pub(crate) struct Bridge {
    pub descriptor: Arc<RuntimeBridgeDescriptor>,
    /// Stays the same when the bridge is promoted.
    journal: Arc<Mutex<Journal>>,
    sink: SharedSink,
}

/// What has come of a bridge since it was registered.
#[derive(Default)]
pub(crate) struct Journal {
    /// How often each event was recorded.
    pub fired: BTreeMap<String, usize>,
    pub errors: usize,
    /// It was said that the bridge is experimental.
    pub warned: bool,
    /// Signals of backpressure.
    pub signals: usize,
    /// Of these, those that were recorded as such.
    pub signals_recorded: usize,
}

impl Bridge {
    pub fn new(descriptor: RuntimeBridgeDescriptor, sink: SharedSink) -> Bridge {
        Bridge { descriptor: Arc::new(descriptor), journal: Arc::default(), sink }
    }

    /// The same bridge under another description.
    pub fn with_descriptor(&self, descriptor: RuntimeBridgeDescriptor) -> Bridge {
        Bridge { descriptor: Arc::new(descriptor), ..self.clone() }
    }

    pub fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records an event.
    ///
    /// # Errors
    ///
    /// `AuditIncomplete`: it could not be recorded, and has to be.
    pub fn log(&self, event: &Event) -> Result<(), RuntimeBridgeError> {
        let name = event.kind.name();
        let problem = match &**self.sink.load() {
            Some(sink) => match sink.log(event) {
                Ok(()) => {
                    *self.journal().fired.entry(name.to_owned()).or_default() += 1;
                    return Ok(());
                }
                Err(error) => error.to_string(),
            },
            None => "there is no audit log".to_owned(),
        };
        if !self.descriptor.must_record() {
            return Ok(());
        }
        Err(RuntimeBridgeError::AuditIncomplete {
            id: self.descriptor.id.clone(),
            missing: vec![name.to_owned()],
            detail: format!("`{name}` is missing: {problem}"),
        })
    }

    /// Counts an error that was reported, and gives it back.
    pub fn failed(&self, error: RuntimeBridgeError) -> RuntimeBridgeError {
        self.journal().errors += 1;
        error
    }
}
