//! What is in a line of a log that is read again?

use serde_json::{Map, Value};

use crate::chain::Link;
use crate::event::Event;
use crate::kind::EventKind;

/// An event that was read, and its place in the chain. Lines that were written to other sinks are in no chain.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub event: Event,
    pub link: Option<Link>,
}

impl Entry {
    /// Reads a line. The chain is not checked; that is what [`verify`](crate::verify) is for.
    pub fn parse(line: &[u8]) -> Option<Entry> {
        let Value::Object(mut top) = serde_json::from_slice(line).ok()? else { return None };
        let Some(Value::Object(mut envelope)) = top.remove("envelope") else { return None };
        let Some(Value::Object(metadata)) = envelope.remove("metadata") else { return None };
        let mut metadata: std::collections::BTreeMap<String, Value> = metadata.into_iter().collect();
        let kind = match metadata.remove("event.kind")? {
            Value::String(name) => EventKind::named(&name),
            _ => return None,
        };
        let event = Event {
            kind,
            timestamp: Some(text(&mut top, "timestamp")?.parse().ok()?),
            audit_id: text(&mut envelope, "audit_id").and_then(|id| id.parse().ok()),
            capability: text(&mut envelope, "capability"),
            change_set: envelope.remove("change_set"),
            category: text(&mut top, "category"),
            metadata,
        };
        Some(Entry { event, link: Link::stated(line).map(|(link, _)| link) })
    }
}

fn text(object: &mut Map<String, Value>, key: &str) -> Option<String> {
    match object.remove(key)? {
        Value::String(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::Tail;
    use crate::line;

    #[test]
    fn an_event_comes_back_as_it_was_logged() {
        let event = Event::new(EventKind::named("x"))
            .capability("core.test")
            .category("c")
            .change_set(serde_json::json!({ "items": [] }))
            .with("a", 1)
            .with("schema.version", line::SCHEMA_VERSION)
            .at("2025-07-01T10:31:55.25Z".parse().unwrap())
            .audit_id(uuid::Uuid::now_v7());
        let (mut body, mut out, mut tail) = (Vec::new(), Vec::new(), Tail::START);
        line::write_event(&mut body, &event);
        tail.append(&mut out, &body);
        let entry = Entry::parse(&out[..out.len() - 1]).unwrap();
        assert_eq!(entry.event, event);
        assert_eq!(entry.link.unwrap().tail(), tail);
    }

    #[test]
    fn what_is_no_event_is_none() {
        for line in
            ["", "{}", "[]", "{\"timestamp\":\"x\",\"envelope\":{\"metadata\":{\"event.kind\":\"a\"}}}", "\u{0}"]
        {
            assert_eq!(Entry::parse(line.as_bytes()), None);
        }
    }
}
