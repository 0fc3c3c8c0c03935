//! How is an event written as a line?
//!
//! One JSON object: `timestamp`, `envelope` with the flat, sorted metadata, perhaps `category`. What is made here is the *body*, which lacks the
//! closing brace: the [chain](crate::chain) comes last and is only known when the order of the lines is.

use serde_json::Value;
use uuid::Uuid;

use crate::event::{Event, Field, Record};
use crate::kind::EventKind;
use crate::stamp;
use jiff::Timestamp;

/// What stands under `schema.version`.
pub const SCHEMA_VERSION: &str = "3.0.0-alpha";

/// Appends the body of an event. What it has no time and no identity for gets them now.
pub fn write_event(out: &mut Vec<u8>, event: &Event) {
    write_with_id(out, event, Some(event.audit_id.unwrap_or_else(Uuid::now_v7)));
}

/// The same without giving it an identity.
pub fn write_as_given(out: &mut Vec<u8>, event: &Event) {
    write_with_id(out, event, event.audit_id);
}

fn write_with_id(out: &mut Vec<u8>, event: &Event, id: Option<Uuid>) {
    begin(out, event.timestamp.unwrap_or_else(Timestamp::now));
    if let Some(id) = id {
        out.extend_from_slice(b"\"audit_id\":\"");
        out.extend_from_slice(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
        out.extend_from_slice(b"\",");
    }
    if let Some(capability) = &event.capability {
        member(out, "capability", capability);
    }
    if let Some(changes) = &event.change_set {
        out.extend_from_slice(b"\"change_set\":");
        write_value(out, changes);
        out.push(b',');
    }
    let fields = event.metadata.iter().map(|(key, value)| (key.as_str(), value));
    metadata(out, &event.kind, fields, write_value);
    if let Some(category) = &event.category {
        out.extend_from_slice(b",\"category\":");
        write_text(out, category);
    }
}

/// Appends the body of a record. It has no identity but its place in the chain.
pub fn write_record(out: &mut Vec<u8>, record: &Record<'_>) {
    write_record_at(out, record, Timestamp::now());
}

/// The same of one that has happened at this time.
pub fn write_record_at(out: &mut Vec<u8>, record: &Record<'_>, time: Timestamp) {
    begin(out, time);
    if let Some(capability) = record.capability {
        member(out, "capability", capability);
    }
    metadata(out, record.kind, record.fields.iter().copied(), write_field);
}

fn begin(out: &mut Vec<u8>, time: Timestamp) {
    out.extend_from_slice(b"{\"timestamp\":\"");
    stamp::write(out, time);
    out.extend_from_slice(b"\",\"envelope\":{");
}

fn member(out: &mut Vec<u8>, name: &str, text: &str) {
    write_text(out, name);
    out.push(b':');
    write_text(out, text);
    out.push(b',');
}

/// Appends the metadata and the end of the envelope. The two keys that every event has go to their places in the order.
fn metadata<'a, V>(
    out: &mut Vec<u8>,
    kind: &EventKind,
    fields: impl Iterator<Item = (&'a str, V)>,
    write: impl Fn(&mut Vec<u8>, V),
) {
    out.extend_from_slice(b"\"metadata\":{");
    let common = [("event.kind", kind.name()), ("schema.version", SCHEMA_VERSION)];
    let mut waiting = common.as_slice();
    for (key, value) in fields {
        while let [(name, text), rest @ ..] = waiting {
            if *name > key {
                break;
            }
            // An event can tell the version of its schema, but not another kind.
            if *name != key || *name == "event.kind" {
                member(out, name, text);
            }
            waiting = rest;
        }
        if key == "event.kind" {
            continue;
        }
        write_text(out, key);
        out.push(b':');
        write(out, value);
        out.push(b',');
    }
    for (name, text) in waiting {
        member(out, name, text);
    }
    // The comma of the last member.
    out.pop();
    out.extend_from_slice(b"}}");
}

fn write_field(out: &mut Vec<u8>, field: Field<'_>) {
    match field {
        Field::Null => out.extend_from_slice(b"null"),
        Field::Bool(true) => out.extend_from_slice(b"true"),
        Field::Bool(false) => out.extend_from_slice(b"false"),
        Field::Int(value) => out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
        Field::Text(text) => write_text(out, text),
        Field::Json(text) => out.extend_from_slice(text.as_bytes()),
        Field::Texts(texts) => {
            out.push(b'[');
            for (index, text) in texts.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_text(out, text);
            }
            out.push(b']');
        }
    }
}

fn write_value(out: &mut Vec<u8>, value: &Value) {
    // Writing to a vector does not fail, and all keys of a value are strings.
    let _ = serde_json::to_writer(out, value);
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    if is_plain(text.as_bytes()) {
        out.reserve(text.len() + 2);
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        let _ = serde_json::to_writer(out, text);
    }
}

/// Can a text stand between quotes as it is? Most are short, so eight bytes are looked at together, and the last eight once more.
fn is_plain(text: &[u8]) -> bool {
    const EACH: u64 = 0x0101_0101_0101_0101;
    /// Has its highest bit set in some byte, if there is a byte below `limit`, which is at most 128.
    fn below(word: u64, limit: u64) -> u64 {
        word.wrapping_sub(EACH * limit) & !word & (EACH * 0x80)
    }
    fn odd(word: u64) -> u64 {
        below(word, 0x20) | below(word ^ (EACH * u64::from(b'"')), 1) | below(word ^ (EACH * u64::from(b'\\')), 1)
    }
    match text.as_chunks::<8>() {
        ([], rest) => rest.iter().all(|&byte| byte >= 0x20 && byte != b'"' && byte != b'\\'),
        (words, _) => {
            let last = text.last_chunk::<8>().into_iter();
            words.iter().chain(last).fold(0, |found, word| found | odd(u64::from_ne_bytes(*word))) == 0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_that_must_be_escaped_is_seen_wherever_it_stands() {
        for length in 0..40 {
            assert!(is_plain(&vec![b'a'; length]) && is_plain(&vec![0xff; length]));
            for (at, byte) in (0..length).flat_map(|at| (0..=255u8).map(move |byte| (at, byte))) {
                let mut text = vec![b'z'; length];
                text[at] = byte;
                let plain = byte >= 0x20 && byte != b'"' && byte != b'\\';
                assert_eq!(is_plain(&text), plain, "{byte} at {at} of {length}");
            }
        }
    }

    fn body(event: Event) -> String {
        let event = event.at("2025-07-01T10:31:55Z".parse().unwrap()).audit_id(Uuid::nil());
        let mut out = Vec::new();
        write_event(&mut out, &event);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn looks_as_the_founding_documents_show_it() {
        let event = Event::new(EventKind::BridgeStage)
            .capability("core.runtime.bridge")
            .with("bridge.id", "host.fs")
            .with("pipeline.id", "dsl://a.reml");
        assert_eq!(
            body(event),
            "{\"timestamp\":\"2025-07-01T10:31:55Z\",\"envelope\":{\"audit_id\":\"00000000-0000-0000-0000-000000000000\",\
             \"capability\":\"core.runtime.bridge\",\"metadata\":{\"bridge.id\":\"host.fs\",\"event.kind\":\"bridge.stage\",\
             \"pipeline.id\":\"dsl://a.reml\",\"schema.version\":\"3.0.0-alpha\"}}"
        );
    }

    #[test]
    fn all_parts_come_back_from_the_line() {
        let event = Event::new(EventKind::named("a\"\\\n\u{1}é"))
            .category("x")
            .change_set(serde_json::json!({ "items": [1] }))
            .with("zeta\t", serde_json::json!([null, 1.5]))
            .with("event.kind", "other")
            .with("schema.version", "1");
        let line: Value = serde_json::from_str(&format!("{}}}", body(event))).unwrap();
        assert_eq!(line["category"], "x");
        assert_eq!(line["envelope"]["change_set"]["items"][0], 1);
        assert_eq!(
            line["envelope"]["metadata"],
            serde_json::json!({ "event.kind": "a\"\\\n\u{1}é", "schema.version": "1", "zeta\t": [null, 1.5] })
        );
    }

    #[test]
    fn a_record_is_written_like_its_event() {
        let fields = [
            ("a", Field::Null),
            ("b", Field::Bool(true)),
            ("c", Field::Int(-7)),
            ("f", Field::Texts(&["x", "\""])),
            ("j", Field::Json("{\"x\":[1,null]}")),
            ("z", Field::Text("\\")),
        ];
        let kind = EventKind::named("k");
        let record = Record { kind: &kind, capability: Some("c"), fields: &fields };
        let mut out = Vec::new();
        write_record(&mut out, &record);
        out.push(b'}');
        let line: Value = serde_json::from_slice(&out).unwrap();
        let event: Value = serde_json::from_str(&format!("{}}}", body(record.to_event()))).unwrap();
        assert_eq!(line["envelope"]["metadata"], event["envelope"]["metadata"]);
        assert_eq!(line["envelope"]["capability"], "c");
    }
}
