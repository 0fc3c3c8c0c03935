//! The audit log: events, where they go, and how a log is verified and read.
//!
//! The crate depends on neither the compiler nor the runtime library. Whoever does something that is to be audited builds an [`Event`] or a
//! [`Record`] and gives it to a [`Sink`].

mod chain;
mod context;
pub mod diff;
mod entry;
mod error;
mod event;
mod kind;
mod line;
mod lines;
pub mod log;
mod pattern;
pub mod policy;
pub mod query;
pub mod report;
mod sink;
pub mod sinks;
mod stamp;
mod submission;
mod validate;
pub mod verify;
mod visible;

pub use chain::{Hash, Link, Tail};
pub use context::AuditContext;
pub use entry::Entry;
pub use error::AuditError;
pub use event::{Event, Field, Record};
pub use jiff::Timestamp;
pub use kind::{EventKind, KNOWN};
pub use line::SCHEMA_VERSION;
pub use pattern::Pattern;
pub use serde_json::Value;
pub use sink::Sink;
pub use submission::Submission;
pub use uuid::Uuid;
pub use validate::{MissingKeys, validate, validate_record};
pub use visible::visible;
