//! The audit log: events, where they go, and how a log is verified and read.
//!
//! The crate depends on neither the compiler nor the runtime library. Whoever does something that is to be audited builds an [`Event`] or a
//! [`Record`] and gives it to a [`Sink`].

mod error;
mod event;
mod kind;
mod sink;
pub mod sinks;
mod validate;

pub use error::AuditError;
pub use event::{Event, Field, Record};
pub use jiff::Timestamp;
pub use kind::{EventKind, KNOWN};
pub use serde_json::Value;
pub use sink::Sink;
pub use uuid::Uuid;
pub use validate::{MissingKeys, validate, validate_record};
