//! How is told to other programs what was found in a log? The shape is in `tooling/json-schema/audit-verification.schema.json`.

use serde_json::{Map, Value, json};

use crate::line::SCHEMA_VERSION;
use crate::verify::{Fault, Finding, HeadState, Place, Verification};

impl Verification {
    /// All of it as JSON. Paths that are no Unicode are given as well as that can be done.
    pub fn to_json(&self) -> Value {
        let file =
            |it: &super::Checked| json!({ "path": it.path.to_string_lossy(), "bytes": it.bytes, "lines": it.lines });
        let segment = |it: &super::Segment| json!({ "first": it.first, "last": it.last, "from_start": it.from_start, "confirmed": it.confirmed });
        json!({
            "schema_version": SCHEMA_VERSION,
            "intact": self.is_intact(),
            "files": self.files.iter().map(file).collect::<Vec<_>>(),
            "lines": self.lines,
            "bytes": self.bytes,
            "range": self.range.map(|(first, last)| json!({ "first": first, "last": last })),
            "tail": self.tail.map(|tail| json!({ "seq": tail.seq, "hash": tail.hash.to_string() })),
            "head": head(&self.head),
            "findings": self.findings.iter().map(finding).collect::<Vec<_>>(),
            "more_findings": self.more,
            "lost": self.lost.iter().map(|hash| json!(hash.to_string())).collect::<Vec<_>>(),
            "segments": self.segments.iter().map(segment).collect::<Vec<_>>(),
        })
    }
}

fn head(state: &HeadState) -> Value {
    match state {
        HeadState::Absent => json!({ "state": "absent" }),
        HeadState::Unreadable(reason) => json!({ "state": "unreadable", "reason": reason }),
        HeadState::Read(head) => json!({
            "state": "read", "seq": head.tail.seq, "hash": head.tail.hash.to_string(), "closed": head.closed,
        }),
    }
}

fn finding(finding: &Finding) -> Value {
    let mut fields = Map::new();
    let (name, more) = fault(&finding.fault);
    fields.insert("fault".to_owned(), json!(name));
    fields.insert("file".to_owned(), json!(finding.file.to_string_lossy()));
    fields.insert("line".to_owned(), json!(finding.line));
    fields.insert("offset".to_owned(), json!(finding.offset));
    fields.insert("seq".to_owned(), json!(finding.seq));
    fields.insert("message".to_owned(), json!(finding.fault.to_string()));
    if let Some((key, value)) = more {
        fields.insert(key.to_owned(), value);
    }
    Value::Object(fields)
}

/// The name of a fault, and what it knows besides.
fn fault(fault: &Fault) -> (&'static str, Option<(&'static str, Value)>) {
    let place = |place: &Place| json!({ "file": place.file.to_string_lossy(), "line": place.line });
    match fault {
        Fault::Edited => ("edited", None),
        Fault::Malformed => ("malformed", None),
        Fault::TooLong => ("too_long", None),
        Fault::Torn { bytes } => ("torn", Some(("bytes", json!(bytes)))),
        Fault::Deleted { first, last } => ("deleted", Some(("missing", json!({ "first": first, "last": last })))),
        Fault::Duplicate { original } => ("duplicate", Some(("other", place(original)))),
        Fault::Moved { predecessor } => ("moved", Some(("other", place(predecessor)))),
        Fault::Fork { rival } => ("fork", Some(("other", place(rival)))),
        Fault::Replaced => ("replaced", None),
        Fault::Foreign => ("foreign", None),
        Fault::NoBeginning => ("no_beginning", None),
        Fault::CutOff { known } => ("cut_off", Some(("known", json!(known)))),
        Fault::Rewritten => ("rewritten", None),
        Fault::Added => ("added", None),
    }
}
