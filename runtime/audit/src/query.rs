//! Which events of a log are of a kind, about a capability, from a time?

use std::ops::ControlFlow;
use std::path::Path;

use jiff::Timestamp;
use memchr::memmem;
use serde_json::Value;

use crate::entry::Entry;
use crate::error::AuditError;
use crate::lines::{Line, Lines};
use crate::pattern::Pattern;
use crate::verify::files::open_all;

/// What is looked for. All that is given must hold.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub kind: Option<Pattern>,
    pub capability: Option<Pattern>,
    /// Keys of the metadata, and what they must hold; what is not text is compared as JSON.
    pub pairs: Vec<(String, Pattern)>,
    /// The first moment that counts.
    pub since: Option<Timestamp>,
    /// The first that does not any more.
    pub until: Option<Timestamp>,
    /// A piece of the line as it is written.
    pub text: Option<String>,
}

impl Filter {
    /// Is this what is looked for? The text is not compared, because it is the line's.
    pub fn accepts(&self, entry: &Entry) -> bool {
        let event = &entry.event;
        let holds = |key: &str, pattern: &Pattern| match event.metadata.get(key) {
            Some(Value::String(text)) => pattern.matches(text),
            Some(value) => pattern.matches(&value.to_string()),
            None => false,
        };
        self.kind.as_ref().is_none_or(|kind| kind.matches(event.kind.name()))
            && self.capability.as_ref().is_none_or(|id| event.capability.as_ref().is_some_and(|own| id.matches(own)))
            && self.since.is_none_or(|since| event.timestamp.is_some_and(|time| time >= since))
            && self.until.is_none_or(|until| event.timestamp.is_some_and(|time| time < until))
            && self.pairs.iter().all(|(key, pattern)| holds(key, pattern))
    }
}

/// How much was read and found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    pub lines: u64,
    pub found: u64,
    /// Lines that are no events.
    pub unreadable: u64,
    /// The last line of a file is not finished: somebody is writing, or a crash has left it so. It is counted nowhere else.
    pub torn: bool,
}

/// Reads a log from its beginning and gives each event that the filter accepts to `each`, with its line, until that breaks off.
///
/// ```
/// use std::ops::ControlFlow;
/// use reml_audit::log::{Log, LogOptions};
/// use reml_audit::query::{Filter, query};
/// use reml_audit::{Event, EventKind, Pattern, Sink};
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("audit.log");
/// let log = Log::open(&path, LogOptions::default())?;
/// log.log(&Event::new(EventKind::named("shop.order")).with("customer", "Ada"))?;
/// log.log(&Event::new(EventKind::named("shop.visit")).with("customer", "Bob"))?;
/// log.close()?;
///
/// let filter = Filter { kind: Some(Pattern::new("shop.o*")), ..Filter::default() };
/// let mut customers = Vec::new();
/// let count = query(&path, &filter, |entry, _line| {
///     customers.push(entry.event.metadata["customer"].clone());
///     ControlFlow::Continue(())
/// })?;
/// assert_eq!((customers.len(), count.found, count.lines), (1, 1, 2));
/// # Ok::<(), reml_audit::AuditError>(())
/// ```
pub fn query(
    log: &Path,
    filter: &Filter,
    mut each: impl FnMut(Entry, &[u8]) -> ControlFlow<()>,
) -> Result<Count, AuditError> {
    let text = filter.text.as_ref().map(|text| memmem::Finder::new(text.as_bytes()));
    let mut count = Count::default();
    for file in open_all(log)? {
        let mut lines = Lines::new(&file.file, 0);
        while let Some((_, line)) = lines.next().map_err(|error| AuditError::io("read", &file.path, error))? {
            let line = match line {
                Line::Whole(line) => line,
                Line::Torn(_) => {
                    count.torn = true;
                    continue;
                }
                Line::TooLong => {
                    count.lines += 1;
                    count.unreadable += 1;
                    continue;
                }
            };
            count.lines += 1;
            if text.as_ref().is_some_and(|text| text.find(line).is_none()) {
                continue;
            }
            let Some(entry) = Entry::parse(line) else {
                count.unreadable += 1;
                continue;
            };
            if filter.accepts(&entry) {
                count.found += 1;
                if each(entry, line).is_break() {
                    return Ok(count);
                }
            }
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::kind::EventKind;

    #[test]
    fn all_conditions_must_hold() {
        let event = Event::new(EventKind::GateDecision)
            .capability("io.fs.read")
            .with("gate.decision", "denied")
            .with("n", 3)
            .at("2025-07-01T00:00:00Z".parse().unwrap());
        let entry = Entry { event, link: None };
        let some = |text| Some(Pattern::new(text));
        let pair = |key: &str, text| vec![(key.to_owned(), Pattern::new(text))];
        let time = |text: &str| Some(text.parse().unwrap());
        let none = Filter::default;
        for (filter, accepted) in [
            (none(), true),
            (Filter { kind: some("gate.*"), capability: some("io.*"), ..none() }, true),
            (Filter { kind: some("gate.*"), capability: some("net.*"), ..none() }, false),
            (Filter { pairs: pair("gate.decision", "DENIED"), ..none() }, true),
            (Filter { pairs: pair("n", "3"), ..none() }, true),
            (Filter { pairs: pair("m", "*"), ..none() }, false),
            (Filter { since: time("2025-07-01T00:00:00Z"), ..none() }, true),
            (Filter { until: time("2025-07-01T00:00:00Z"), ..none() }, false),
        ] {
            assert_eq!(filter.accepts(&entry), accepted, "{filter:?}");
        }
    }
}
