//! What do the audit log and the report say of generating bindings, and of linking?

use std::time::Duration;

use reml_audit::EventKind;
use reml_diagnostics::Code;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::section::Section;

/// An event, under the key of its kind.
#[derive(Clone, PartialEq, Debug)]
pub struct Record {
    pub kind: EventKind,
    pub details: Value,
}

impl Record {
    /// As reports have it: `{ "metadata": { "ffi.build": .. } }`.
    pub fn to_json(&self) -> Value {
        json!({ "metadata": { self.kind.name(): self.details } })
    }
}

/// How generating bindings has ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Status {
    Success,
    CacheHit,
    Skipped,
    Failed(Code, String),
}

/// What there is to say of generating bindings.
pub struct Generated<'a> {
    pub section: &'a Section,
    pub status: &'a Status,
    pub input_hash: &'a str,
    pub cache_path: Option<String>,
    pub duration: Duration,
    pub tool_version: &'a str,
}

/// The event `ffi.bindgen`.
pub fn bindgen(told: &Generated<'_>) -> Record {
    let Section { file, headers, bindgen, .. } = told.section;
    let status = match told.status {
        Status::Success => "success",
        Status::CacheHit => "cache_hit",
        Status::Skipped => "skipped",
        Status::Failed(..) => "failed",
    };
    let mut all = Map::new();
    let mut add = |key: &str, value: Value| all.insert(key.to_owned(), value);
    add("event", "ffi.bindgen".into());
    add("status", status.into());
    add("input_hash", told.input_hash.into());
    add("manifest_path", file.display().to_string().into());
    if *told.status != Status::CacheHit {
        add("headers", headers.iter().map(|header| header.text.clone()).collect::<Vec<_>>().into());
    }
    if let Some(bindgen) = bindgen {
        if let Some(config) = &bindgen.config {
            add("config_path", config.display().to_string().into());
        }
        add("output_path", bindgen.output.display().to_string().into());
    }
    if let Some(path) = &told.cache_path {
        add("cache_path", path.as_str().into());
    }
    if *told.status != Status::Skipped {
        add("duration_ms", milliseconds(told.duration));
        add("tool_version", told.tool_version.into());
    }
    if let Status::Failed(code, message) = told.status {
        add("error.code", code.0.into());
        add("error.message", message.as_str().into());
    }
    Record { kind: EventKind::FfiBindgen, details: all.into() }
}

/// The event `ffi.build`.
pub fn build(section: &Section, input_hash: &str, linked: bool, duration: Duration) -> Record {
    let details = json!({
        "event": "ffi.build",
        "status": if linked { "success" } else { "failed" },
        "input_hash": input_hash,
        "manifest_path": section.file.display().to_string(),
        "libraries": library_names(section),
        "linker_paths": linker_paths(section),
        "frameworks": section.frameworks,
        "extra_args": section.extra_args,
        "duration_ms": milliseconds(duration),
    });
    Record { kind: EventKind::FfiBuild, details }
}

pub fn library_names(section: &Section) -> Vec<&str> {
    section.libraries.iter().map(|library| &*library.name).collect()
}

pub fn linker_paths(section: &Section) -> Vec<&str> {
    section.search_paths.iter().map(|folder| &*folder.text).collect()
}

fn milliseconds(duration: Duration) -> Value {
    json!(duration.as_micros() as f64 / 1_000.0)
}

/// The hash of what is linked: libraries, linker settings and target, each list and text with its length in front.
pub fn link_hash(section: &Section, target: &str) -> String {
    let lists = [
        library_names(section),
        linker_paths(section),
        section.frameworks.iter().map(String::as_str).collect(),
        section.extra_args.iter().map(String::as_str).collect(),
        vec![target],
    ];
    let parts = lists.iter().flat_map(|list| {
        std::iter::once((list.len() as u64).to_le_bytes().to_vec())
            .chain(list.iter().map(|text| text.as_bytes().to_vec()))
    });
    hash(parts)
}

/// The first 16 digits of a SHA-256 over parts with their lengths.
pub fn hash(parts: impl IntoIterator<Item = Vec<u8>>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(&part);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
