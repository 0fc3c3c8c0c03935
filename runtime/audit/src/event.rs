//! What is an event of the audit log?
//!
//! An [`Event`] is built without clock and random numbers; whoever logs it gives it a time and an identity. A [`Record`] is the same for
//! places that are passed often, like the gate: it borrows everything and is written to bytes as it is.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use crate::kind::EventKind;

/// Something that happened and is to be found in the log later.
///
/// ```
/// use reml_audit::{Event, EventKind};
/// let event = Event::new(EventKind::EnvMutation)
///     .capability("core.env")
///     .with("env.operation", "set")
///     .with("env.key", "HOME")
///     .with("env.scope", "process")
///     .with("requested_by", "main.reml:3:5");
/// assert!(reml_audit::validate(&event).is_ok());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub kind: EventKind,
    /// When it happened; if absent, when it is logged.
    pub timestamp: Option<Timestamp>,
    /// Given when it is logged, if absent.
    pub audit_id: Option<Uuid>,
    /// The id of the capability that the event is about.
    pub capability: Option<String>,
    /// What changes, for events about changes.
    pub change_set: Option<Value>,
    /// Flat, dotted keys. `event.kind` and `schema.version` need not be given.
    pub metadata: BTreeMap<String, Value>,
    /// A group of events beside the kinds, such as `ffi.bridge`.
    pub category: Option<String>,
}

impl Event {
    /// An event that says only that it happened.
    pub fn new(kind: EventKind) -> Event {
        Event {
            kind,
            timestamp: None,
            audit_id: None,
            capability: None,
            change_set: None,
            metadata: BTreeMap::new(),
            category: None,
        }
    }

    /// The same event with a value under a key; the last one stays.
    pub fn with(mut self, key: impl Into<String>, value: impl Into<Value>) -> Event {
        self.metadata.insert(key.into(), value.into());
        self
    }

    pub fn capability(mut self, id: impl Into<String>) -> Event {
        self.capability = Some(id.into());
        self
    }

    pub fn change_set(mut self, changes: Value) -> Event {
        self.change_set = Some(changes);
        self
    }

    pub fn category(mut self, category: impl Into<String>) -> Event {
        self.category = Some(category.into());
        self
    }

    pub fn at(mut self, timestamp: Timestamp) -> Event {
        self.timestamp = Some(timestamp);
        self
    }

    pub fn audit_id(mut self, id: Uuid) -> Event {
        self.audit_id = Some(id);
        self
    }
}

/// A value in a [`Record`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Field<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Text(&'a str),
    Texts(&'a [&'a str]),
    /// A value that is JSON already, on one line.
    Json(&'a str),
}

/// An event that is gone when it has been logged. Nothing is allocated for it.
///
/// ```
/// use reml_audit::{EventKind, Field, Record};
/// let record = Record {
///     kind: &EventKind::GateDecision,
///     capability: Some("io.fs.read"),
///     fields: &[
///         ("gate.decision", Field::Text("denied")),
///         ("gate.power", Field::Text("read")),
///         ("gate.subject", Field::Text("/etc/passwd")),
///     ],
/// };
/// assert_eq!(record.to_event().metadata["gate.power"], "read");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    pub kind: &'a EventKind,
    pub capability: Option<&'a str>,
    /// The metadata without `event.kind` and `schema.version`, sorted by key, each key once.
    pub fields: &'a [(&'a str, Field<'a>)],
}

impl Record<'_> {
    /// The event that lives on its own.
    pub fn to_event(&self) -> Event {
        let value = |field: Field<'_>| match field {
            Field::Null => Value::Null,
            Field::Bool(value) => value.into(),
            Field::Int(value) => value.into(),
            Field::Text(text) => text.into(),
            Field::Texts(texts) => texts.to_vec().into(),
            Field::Json(text) => serde_json::from_str(text).unwrap_or_default(),
        };
        Event {
            capability: self.capability.map(str::to_owned),
            metadata: self.fields.iter().map(|&(key, field)| (key.to_owned(), value(field))).collect(),
            ..Event::new(self.kind.clone())
        }
    }
}
