//! What did one run do that another did not?
//!
//! Two logs are compared by how often each kind, capability and decision occurs, and by their events without what is different in every run:
//! times, identities, durations and process numbers.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;

use serde_json::Value;

use crate::entry::Entry;
use crate::error::AuditError;
use crate::kind::EventKind;
use crate::query::{Count, Filter, query};

/// How often something occurs on the left and on the right.
pub type Counts = BTreeMap<String, (u64, u64)>;

/// Two logs side by side.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    pub kinds: Counts,
    pub capabilities: Counts,
    /// Decisions of the gate and results of checks, with what they were about.
    pub decisions: Counts,
    /// Events that do not occur equally often, each as JSON without what differs in every run.
    pub events: Counts,
    /// What was read of each log.
    pub read: (Count, Count),
}

impl Difference {
    /// Do both logs tell the same?
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

/// Compares two logs.
pub fn diff(left: &Path, right: &Path) -> Result<Difference, AuditError> {
    let mut difference = Difference::default();
    for (log, is_left) in [(left, true), (right, false)] {
        let count = query(log, &Filter::default(), |entry, _| {
            if !is_of_the_log(&entry.event.kind) {
                difference.count(&entry, is_left);
            }
            ControlFlow::Continue(())
        })?;
        *(if is_left { &mut difference.read.0 } else { &mut difference.read.1 }) = count;
    }
    difference.events.retain(|_, (left, right)| left != right);
    Ok(difference)
}

/// Events that a log writes about itself come where they come.
fn is_of_the_log(kind: &EventKind) -> bool {
    matches!(kind, EventKind::Checkpoint | EventKind::Recovered | EventKind::Pruned | EventKind::Refused)
}

impl Difference {
    fn count(&mut self, entry: &Entry, is_left: bool) {
        let event = &entry.event;
        let add = |counts: &mut Counts, key: String| {
            let (left, right) = counts.entry(key).or_default();
            *(if is_left { left } else { right }) += 1;
        };
        add(&mut self.kinds, event.kind.name().to_owned());
        let capability = event.capability.as_deref();
        if let Some(capability) = capability {
            add(&mut self.capabilities, capability.to_owned());
        }
        for key in ["gate.decision", "capability.result"] {
            if let Some(Value::String(decision)) = event.metadata.get(key) {
                add(&mut self.decisions, format!("{} {decision}", capability.unwrap_or(event.kind.name())));
            }
        }
        add(&mut self.events, normalised(entry).to_string());
    }
}

/// An event without what is different in every run.
pub fn normalised(entry: &Entry) -> Value {
    let event = &entry.event;
    let mut metadata = event.metadata.clone();
    metadata.retain(|key, _| !varies(key));
    metadata.insert("event.kind".to_owned(), event.kind.name().into());
    let mut value = serde_json::json!({ "metadata": metadata });
    if let Some(capability) = &event.capability {
        value["capability"] = capability.as_str().into();
    }
    if let Some(category) = &event.category {
        value["category"] = category.as_str().into();
    }
    value
}

fn varies(key: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or(key);
    matches!(
        last,
        "timestamp"
            | "audit_id"
            | "run_id"
            | "build_id"
            | "uuid"
            | "sequence"
            | "pid"
            | "source_pid"
            | "target_pid"
            | "elapsed_ms"
            | "duration_ms"
            | "latency_ns"
            | "latency_ms"
            | "ptr"
            | "observed_at"
    ) || matches!(key, "audit.id.label" | "cli.change_set" | "event.id")
}

/// Prints what differs, one thing a line: how often on the left, how often on the right, what.
pub fn print(difference: &Difference, out: &mut impl Write) -> io::Result<()> {
    if difference.is_empty() {
        return writeln!(out, "both logs tell the same");
    }
    let groups = [
        ("kinds", &difference.kinds),
        ("capabilities", &difference.capabilities),
        ("decisions", &difference.decisions),
        ("events", &difference.events),
    ];
    for (title, counts) in groups {
        let mut differing = counts.iter().filter(|(_, (left, right))| left != right).peekable();
        if differing.peek().is_some() {
            writeln!(out, "{title}")?;
        }
        for (name, (left, right)) in differing {
            writeln!(out, "{left:8} {right:8}  {name}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::log::{Log, LogOptions};
    use crate::sink::Sink;

    fn decision(decision: &str, subject: &str, elapsed: u64) -> Event {
        Event::new(EventKind::GateDecision)
            .capability("io.fs.read")
            .with("gate.decision", decision)
            .with("gate.power", "read")
            .with("gate.subject", subject)
            .with("net.elapsed_ms", elapsed)
    }

    #[test]
    fn what_varies_between_runs_does_not_differ() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, events: Vec<Event>| {
            let path = folder.path().join(name);
            let options = LogOptions { checkpoint_every: events.len() as u64, ..LogOptions::default() };
            let log = Log::open(&path, options).unwrap();
            events.iter().for_each(|event| log.log(event).unwrap());
            log.close().unwrap();
            path
        };
        let left = write("a", vec![decision("allowed", "x", 1), decision("allowed", "y", 2)]);
        let same = write("b", vec![decision("allowed", "y", 3), decision("allowed", "x", 4)]);
        let other = write(
            "c",
            vec![decision("allowed", "x", 5), decision("denied", "y", 6), Event::new(EventKind::named("z"))],
        );
        assert!(diff(&left, &same).unwrap().is_empty());
        let mut out = Vec::new();
        print(&diff(&left, &other).unwrap(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let counts: Vec<&str> = text.lines().filter(|line| !line.contains('{')).collect();
        assert_eq!(
            counts,
            [
                "kinds",
                "       0        1  z",
                "decisions",
                "       2        1  io.fs.read allowed",
                "       0        1  io.fs.read denied",
                "events"
            ]
        );
        assert_eq!(text.lines().count(), 9);
    }
}
