//! What may a program put into the log of its run?
//!
//! Events of a program come as JSON that it has made, and stand in one chain with what the gate and the runtime record. So a program must not be able
//! to say what only they know: their kinds and keys are reserved, and all that a program says is marked as such, under `audit.channel`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::value::RawValue;

use crate::error::AuditError;
use crate::event::{Event, Field, Record};
use crate::kind::EventKind;
use crate::line;
use crate::sink::Sink;
use crate::validate::{promised, validate_record};

/// What stands under `audit.channel` in events of programs.
const CHANNEL: &str = "program";
const CHANNEL_KEY: &str = "audit.channel";

/// Kinds and keys that begin so are the runtime's.
const RESERVED_PREFIXES: [&str; 2] = ["gate.", "audit."];
/// Other kinds that only the runtime records.
const RESERVED_KINDS: [&str; 7] = [
    "capability.revoked",
    "capability_check",
    "ffi.bridge",
    "ffi.ptr.release",
    "plugin.revoke",
    "security.policy_enforced",
    "security.violation",
];
/// Other keys that only the runtime writes.
const RESERVED_KEYS: [&str; 4] = ["chain", "event.kind", "policy_digest", "schema.version"];
/// What a program may say although it begins like what is reserved: keys of events about its own pipelines and bridges.
const OPEN_KEYS: [&str; 1] = ["audit.policy.version"];

/// An event of a program.
#[derive(Debug, Clone, Copy)]
pub struct Submission<'a> {
    pub kind: &'a str,
    pub capability: Option<&'a str>,
    /// A JSON object: keys beside each other.
    pub metadata: &'a str,
    /// Any JSON: kept as a whole under the key that the kind has for it. Keys that the kind requires are taken out of it, too.
    pub payload: Option<&'a str>,
    /// Any JSON: what changes.
    pub change_set: Option<&'a str>,
    /// By which it can be found again, if it has to be.
    pub audit_id: Option<&'a str>,
}

type Members<'a> = BTreeMap<String, &'a RawValue>;

impl Submission<'_> {
    /// Gives the event to a sink.
    ///
    /// ```
    /// use reml_audit::{Submission, sinks::Memory};
    /// let sink = Memory::default();
    /// let order = Submission {
    ///     kind: "shop.order",
    ///     capability: None,
    ///     metadata: r#"{"event.domain":"shop"}"#,
    ///     payload: Some(r#"{"id":7}"#),
    ///     change_set: None,
    ///     audit_id: None,
    /// };
    /// order.log(&sink)?;
    /// assert_eq!(sink.events()[0].metadata["event"]["id"], 7);
    /// assert_eq!(sink.events()[0].metadata["audit.channel"], "program");
    /// # Ok::<(), reml_audit::AuditError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`AuditError::Reserved`], [`AuditError::Unreadable`], [`AuditError::Invalid`], and those of the sink.
    pub fn log(&self, sink: &dyn Sink) -> Result<(), AuditError> {
        self.with_record(|record| match self.has_more() {
            false => sink.record(record),
            true => sink.log(&self.event(record)?),
        })
    }

    /// Appends the line of the event to `out`, without a chain and the end of the line. Nothing is appended on errors.
    ///
    /// # Errors
    ///
    /// As [`log`](Submission::log), but for those of a sink.
    pub fn write(&self, out: &mut Vec<u8>, time: Timestamp) -> Result<(), AuditError> {
        self.with_record(|record| {
            validate_record(record)?;
            match self.has_more() {
                false => line::write_record_at(out, record, time),
                true => line::write_as_given(out, &self.event(record)?.at(time)),
            }
            out.push(b'}');
            Ok(())
        })
    }

    fn with_record<T>(&self, give: impl FnOnce(&Record<'_>) -> Result<T, AuditError>) -> Result<T, AuditError> {
        if is_reserved(self.kind, &RESERVED_KINDS) {
            return Err(AuditError::Reserved { name: self.kind.to_owned() });
        }
        if self.kind.is_empty() {
            return Err(unreadable("kind", &"it is empty"));
        }
        let kind = EventKind::named(self.kind);
        // Most events have nothing but a payload.
        let own = if self.metadata == "{}" { Members::new() } else { object(self.metadata, "metadata")? };
        let reserved = own.keys().find(|key| is_reserved(key, &RESERVED_KEYS) && !OPEN_KEYS.contains(&key.as_str()));
        if let Some(name) = reserved {
            return Err(AuditError::Reserved { name: name.clone() });
        }
        let mut fields: Vec<(&str, Field<'_>)> = Vec::with_capacity(own.len() + 2);
        fields.push((CHANNEL_KEY, Field::Text(CHANNEL)));
        let mut told = Members::new();
        let mut whole = None;
        if let Some(payload) = self.payload {
            if promised(&kind).next().is_some() && payload.starts_with('{') {
                told = object(payload, "payload")?;
            }
            whole = Some(kind.payload_key());
            fields.push((kind.payload_key(), Field::Json(value(payload, "payload")?.get())));
        }
        let own_fields = own.iter().map(|(key, value)| (key.as_str(), Field::Json(value.get())));
        fields.extend(own_fields.filter(|(key, _)| Some(*key) != whole));
        let lacking = promised(&kind).filter(|key| Some(*key) != whole && !own.contains_key(*key));
        fields.extend(lacking.filter_map(|key| Some((key, Field::Json(told.get(key)?.get())))));
        fields.sort_unstable_by_key(|(key, _)| *key);
        give(&Record { kind: &kind, capability: self.capability, fields: &fields })
    }

    /// Is there what a record cannot have?
    fn has_more(&self) -> bool {
        self.change_set.is_some() || self.audit_id.is_some()
    }

    fn event(&self, record: &Record<'_>) -> Result<Event, AuditError> {
        let mut event = record.to_event();
        if let Some(changes) = self.change_set {
            readable(changes, "change set")?;
            event.change_set = Some(serde_json::from_str(changes).map_err(|error| unreadable("change set", &error))?);
        }
        if let Some(id) = self.audit_id {
            event.audit_id = Some(id.parse().map_err(|error| unreadable("id", &error))?);
        }
        Ok(event)
    }
}

fn is_reserved(name: &str, names: &[&str]) -> bool {
    names.contains(&name) || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn object<'a>(text: &'a str, what: &'static str) -> Result<Members<'a>, AuditError> {
    readable(text, what)?;
    serde_json::from_str(text).map_err(|error| unreadable(what, &error))
}

fn value<'a>(text: &'a str, what: &'static str) -> Result<&'a RawValue, AuditError> {
    readable(text, what)?;
    serde_json::from_str(text).map_err(|error| unreadable(what, &error))
}

fn unreadable(what: &'static str, error: &dyn std::fmt::Display) -> AuditError {
    AuditError::Unreadable { what, reason: error.to_string() }
}

/// How deep values may be nested: readers of logs stop at 128, and a value is a few levels down in its line.
const MAX_NESTING: usize = 100;
/// Longer numbers are looked at more closely.
const PLAIN_DIGITS: usize = 100;

/// What is copied into a line must not end it, and whoever reads the line must be able to: not all that is JSON by its grammar can be read.
fn readable(text: &str, what: &'static str) -> Result<(), AuditError> {
    let bytes = text.as_bytes();
    let (mut at, mut depth, mut digits) = (0, 0_usize, 0);
    let (mut quoted, mut doubtful) = (false, false);
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            ..0x20 => return Err(unreadable(what, &"it is not on one line")),
            b'"' => quoted = !quoted,
            b'\\' if quoted => {
                // Half of a pair stands for nothing.
                doubtful |= matches!(bytes.get(at..at + 2), Some([b'u', b'd' | b'D']));
                at += 1;
            }
            _ if quoted => {}
            b'[' | b'{' => {
                depth += 1;
                if depth > MAX_NESTING {
                    return Err(unreadable(what, &format_args!("it is nested deeper than {MAX_NESTING} levels")));
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'0'..=b'9' => {
                digits += 1;
                doubtful |= digits > PLAIN_DIGITS;
                continue;
            }
            b'e' | b'E' => doubtful |= digits > 0,
            _ => {}
        }
        digits = 0;
    }
    if doubtful {
        serde_json::from_str::<serde_json::Value>(text).map_err(|error| unreadable(what, &error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinks::Memory;
    use serde_json::json;

    const PLAIN: Submission<'static> = Submission {
        kind: "shop.order",
        capability: None,
        metadata: "{}",
        payload: None,
        change_set: None,
        audit_id: None,
    };

    fn refused(submission: Submission<'_>) -> String {
        let sink = Memory::default();
        let error = submission.log(&sink).unwrap_err();
        assert!(sink.events().is_empty());
        let mut line = Vec::new();
        assert_eq!(submission.write(&mut line, Timestamp::UNIX_EPOCH).unwrap_err().to_string(), error.to_string());
        assert!(line.is_empty());
        error.to_string()
    }

    #[test]
    fn what_the_runtime_records_cannot_be_forged() {
        for kind in ["gate.decision", "gate.x", "audit.checkpoint", "capability_check", "security.violation"] {
            assert!(
                refused(Submission { kind, ..PLAIN }).starts_with(&format!("`{kind}` is logged by the runtime alone"))
            );
        }
        for key in ["gate.decision", "audit.channel", "chain", "event.kind", "schema.version", "policy_digest"] {
            let metadata = json!({ key: "x" }).to_string();
            assert!(refused(Submission { metadata: &metadata, ..PLAIN }).contains(key), "{key}");
        }
        // An escape does not hide a key.
        assert!(refused(Submission { metadata: "{\"\\u0067ate.x\":1}", ..PLAIN }).contains("`gate.x`"));
    }

    #[test]
    fn what_is_unreadable_is_refused() {
        assert!(
            refused(Submission { metadata: "[]", ..PLAIN })
                .starts_with("the metadata of an audit event cannot be read")
        );
        assert!(refused(Submission { metadata: "{\n}", ..PLAIN }).ends_with("it is not on one line"));
        for payload in ["", "{", "1}", "1 2", "\"a\",\"chain\":1"] {
            let told = refused(Submission { payload: Some(payload), ..PLAIN });
            assert!(told.starts_with("the payload of an audit event cannot be read"), "{told}");
        }
        assert!(refused(Submission { change_set: Some("{"), ..PLAIN }).starts_with("the change set"));
        assert!(refused(Submission { audit_id: Some("7"), ..PLAIN }).starts_with("the id"));
        assert!(refused(Submission { kind: "", ..PLAIN }).starts_with("the kind"));
    }

    #[test]
    fn what_nobody_could_read_is_refused() {
        let refuse = |payload: &str| refused(Submission { payload: Some(payload), ..PLAIN });
        assert!(refuse("1e400").contains("number out of range"));
        assert!(refuse(&"9".repeat(400)).contains("number out of range"));
        assert!(refuse(r#"{"a":"\ud800"}"#).contains("payload of an audit event cannot be read"));
        assert!(refuse(&format!("{}1{}", "[".repeat(101), "]".repeat(101))).contains("nested deeper than 100 levels"));
        for payload in [
            r#""1e400 \\\" [[ ""#,
            "1e300",
            "[1.5E-7,true,false,\"e\"]",
            r#""\ud83d\ude00""#,
            "123456789012345678901234567890",
        ] {
            let mut line = Vec::new();
            Submission { payload: Some(payload), ..PLAIN }.write(&mut line, Timestamp::UNIX_EPOCH).unwrap();
            assert!(crate::Entry::parse(&line).is_some(), "{payload}");
        }
        let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
        let mut line = Vec::new();
        Submission { payload: Some(&deep), ..PLAIN }.write(&mut line, Timestamp::UNIX_EPOCH).unwrap();
        assert!(crate::Entry::parse(&line).is_some());
    }

    #[test]
    fn a_line_is_that_of_the_event() {
        let mut line = Vec::new();
        Submission { payload: Some("7"), ..PLAIN }.write(&mut line, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(
            String::from_utf8(line).unwrap(),
            "{\"timestamp\":\"1970-01-01T00:00:00Z\",\"envelope\":{\"metadata\":{\"audit.channel\":\"program\",\
             \"event\":7,\"event.kind\":\"shop.order\",\"schema.version\":\"3.0.0-alpha\"}}}"
        );
    }

    #[test]
    fn required_keys_come_from_the_payload_or_the_metadata() {
        let sink = Memory::default();
        let payload = json!({ "process.pid": 7, "process.command": "ls", "args": ["-l"] }).to_string();
        let spawned = Submission {
            kind: "process.spawn",
            metadata: "{\"process.exit_status\":null,\"z\":1}",
            payload: Some(&payload),
            change_set: Some("{\"items\":[]}"),
            capability: Some("core.process"),
            audit_id: Some("c6cdebe5-2a50-4b2b-96c6-0f74f1fa0f11"),
        };
        spawned.log(&sink).unwrap();
        let event = &sink.events()[0];
        assert_eq!(event.metadata["process.pid"], 7);
        assert_eq!(event.metadata["event"]["args"][0], "-l");
        assert_eq!(event.change_set.as_ref().unwrap()["items"], json!([]));
        assert_eq!(event.audit_id.unwrap().to_string(), "c6cdebe5-2a50-4b2b-96c6-0f74f1fa0f11");
        let stage = r#"{"bridge.id":"fs","bridge.stage.actual":"beta","bridge.stage.required":"exact:beta"}"#;
        Submission { kind: "bridge.promote", payload: Some(stage), ..PLAIN }.log(&sink).unwrap();
        assert_eq!(sink.events()[1].metadata["bridge.id"], "fs");
        let without = Submission { metadata: "{}", ..spawned };
        assert!(refused(without).ends_with("missing keys [process.exit_status]"));
    }

    #[test]
    fn keys_are_sorted_and_there_once() {
        let metadata = r#"{"b":1,"a":2,"audit.policy.version":"v","event":3}"#;
        let sorted =
            |record: &Record<'_>| Ok(record.fields.iter().map(|(key, _)| (*key).to_owned()).collect::<Vec<_>>());
        let keys = Submission { metadata, payload: Some("4"), ..PLAIN }.with_record(sorted).unwrap();
        assert_eq!(keys, ["a", "audit.channel", "audit.policy.version", "b", "event"]);
    }
}
