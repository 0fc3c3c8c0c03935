//! Diagnostics as JSON: one envelope per run, on one line, in the shape of the diagnostics specification
//! (schema `3.0.0-alpha`).

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::{Counts, Renderer, severity_word};
use crate::diagnostic::{Expectation, StageMismatch};
use crate::{Diagnostic, SourceMap, Span};

/// What the envelope says besides the diagnostics. Clock and randomness belong to the caller.
#[derive(Clone, Default, Debug)]
pub struct JsonContext {
    /// `Check`, `Build`, `Run`.
    pub command: &'static str,
    /// The last phase that ran: `Parsing`, `TypeCheck`, `Codegen`, ...
    pub phase: &'static str,
    pub run_id: String,
    /// `YYYY-MM-DDTHH:MM:SSZ`
    pub started_at: String,
    pub finished_at: String,
    pub inputs: Vec<String>,
    /// The file that was built.
    pub artifact: Option<String>,
    /// Warnings count as failure.
    pub fail_on_warning: bool,
    /// What the audit log is told besides; left out where there is nothing.
    pub audit: Vec<Value>,
}

pub const SCHEMA_VERSION: &str = "3.0.0-alpha";

pub struct Json {
    pub context: JsonContext,
}

impl Renderer for Json {
    fn render(&mut self, diagnostics: &[Diagnostic], sources: &SourceMap, out: &mut dyn Write) -> io::Result<()> {
        let context = &self.context;
        let counts = Counts::of(diagnostics);
        let label = counts.outcome(context.fail_on_warning);
        let value = i32::from(label == "failure");
        let list: Vec<Value> = diagnostics.iter().map(|d| diagnostic_json(d, sources, &context.finished_at)).collect();
        let mut envelope = json!({
            "schema_version": SCHEMA_VERSION,
            "command": context.command,
            "phase": context.phase,
            "run_id": context.run_id,
            "diagnostics": list,
            "summary": {
                "inputs": context.inputs,
                "started_at": context.started_at,
                "finished_at": context.finished_at,
                "artifact": context.artifact,
                "stats": {
                    "diagnostic_count": diagnostics.len(),
                    "error_count": counts.errors,
                    "warning_count": counts.warnings,
                    "diagnostic_count_by_recoverability": { "fatal": counts.errors, "report-only": counts.warnings },
                },
            },
            "exit_code": { "label": label, "value": value },
        });
        if !context.audit.is_empty() {
            envelope["audit"] = context.audit.clone().into();
        }
        serde_json::to_writer(&mut *out, &envelope)?;
        writeln!(out)
    }
}

/// One diagnostic object.
pub fn diagnostic_json(diagnostic: &Diagnostic, sources: &SourceMap, timestamp: &str) -> Value {
    let primary = place(diagnostic.primary, sources);
    let location = primary.as_ref().map(|p| {
        json!({
            "file": p["file"], "line": p["start_line"], "column": p["start_col"],
            "endLine": p["end_line"], "endColumn": p["end_col"],
        })
    });
    let secondary: Vec<Value> = diagnostic
        .labels
        .iter()
        .filter_map(|label| Some(json!({ "span": place(label.span, sources)?, "message": label.text })))
        .collect();
    let mut notes = Vec::new();
    if !diagnostic.primary_label.is_empty() {
        notes.push(json!({ "label": "primary", "message": diagnostic.primary_label }));
    }
    notes.extend(diagnostic.notes.iter().map(|note| json!({ "label": "note", "message": note })));
    let fixits: Vec<Value> = diagnostic
        .fixes
        .iter()
        .filter_map(|fix| {
            let kind = match (fix.span.start == fix.span.end, fix.replacement.is_empty()) {
                (true, _) => "insert",
                (false, true) => "delete",
                (false, false) => "replace",
            };
            let mut object = Map::new();
            object.insert("kind".into(), kind.into());
            object.insert("range".into(), place(fix.span, sources)?);
            if kind != "delete" {
                object.insert("text".into(), fix.replacement.as_str().into());
            }
            Some(Value::Object(object))
        })
        .collect();
    let mut hints: Vec<Value> = diagnostic.helps.iter().map(|help| json!({ "message": help, "actions": [] })).collect();
    hints.extend(
        diagnostic.fixes.iter().zip(&fixits).map(|(fix, action)| json!({ "message": fix.title, "actions": [action] })),
    );
    let structured: Vec<Value> = diagnostic
        .fixes
        .iter()
        .zip(&fixits)
        .enumerate()
        .map(|(index, (fix, action))| {
            json!({
                "id": format!("{}#{index}", diagnostic.code), "title": fix.title, "kind": "quick_fix",
                "actions": [action],
            })
        })
        .collect();
    let expected = diagnostic.expected.as_ref().map(|expected| expectation(expected, diagnostic));
    let codes: Vec<&str> = std::iter::once(diagnostic.code.0).chain(diagnostic.code.aliases()).collect();
    let mut metadata = facts(diagnostic, sources);
    let mut extensions = nested(&metadata);
    if let Some(stages) = &diagnostic.stages {
        add_stages(stages, &mut metadata, &mut extensions);
    }
    json!({
        "schema_version": SCHEMA_VERSION,
        "id": null,
        "message": diagnostic.message,
        "severity": severity_word(diagnostic.severity),
        "severity_hint": null,
        "domain": domain(diagnostic.code.0),
        "source_dsl": null,
        "code": diagnostic.code.0,
        "codes": codes,
        "primary": primary,
        "location": location,
        "span_trace": [],
        "secondary": secondary,
        "notes": notes,
        "hints": hints,
        "structured_hints": structured,
        "fixits": fixits,
        "expected": expected,
        "recoverability": if diagnostic.is_error() { "fatal" } else { "report-only" },
        "audit": { "metadata": metadata },
        "audit_metadata": metadata,
        "extensions": extensions,
        "timestamp": timestamp,
    })
}

/// The summary of what would have fitted.
fn expectation(expected: &Expectation, diagnostic: &Diagnostic) -> Value {
    let labels: Vec<&str> = expected.alternatives.iter().map(|alternative| &*alternative.label).collect();
    let tokens: Vec<Value> = expected
        .alternatives
        .iter()
        .map(|it| json!({ "token": it.token, "label": it.label, "kind": it.kind, "hint": null }))
        .collect();
    let note = (!diagnostic.primary_label.is_empty()).then_some(&diagnostic.primary_label);
    let key = if domain(diagnostic.code.0) == "parser" { "parse.expected" } else { diagnostic.code.0 };
    json!({
        "message_key": key,
        "locale_args": labels,
        "humanized": expected.humanized,
        "context_note": note,
        "alternatives": labels,
        "expected_tokens": tokens,
    })
}

/// What is known besides the message, by dotted key; audit records carry the same.
fn facts(diagnostic: &Diagnostic, sources: &SourceMap) -> Map<String, Value> {
    let mut facts = Map::new();
    if domain(diagnostic.code.0) == "parser" {
        let file = sources.file_of(diagnostic.primary).map(|id| sources.file(id));
        let overview = diagnostic.expected.as_ref().map(|expected| &expected.humanized);
        for (key, value) in [
            ("parse.input_name", file.map_or("<unknown>", |file| &file.name).into()),
            ("parse.expected_overview", json!(overview)),
            ("parse.committed", true.into()),
            ("parse.far_consumed", json!(file.map(|file| diagnostic.primary.start - file.base))),
            ("parse.hint_count", (diagnostic.helps.len() + diagnostic.fixes.len()).into()),
            ("parse.secondaries", diagnostic.labels.len().into()),
        ] {
            facts.insert(key.to_owned(), value);
        }
    }
    for (key, value) in &diagnostic.facts {
        facts.insert((*key).to_owned(), value.clone());
    }
    facts
}

/// Extensions whose name has a dot itself.
const DOTTED: [&str; 2] = ["ffi.bindgen", "ffi.build"];

/// The same as objects in objects, one for each part before a dot.
fn nested(facts: &Map<String, Value>) -> Map<String, Value> {
    let mut extensions = Map::new();
    for (key, value) in facts {
        let mut inner = &mut extensions;
        let dotted = DOTTED.iter().find_map(|name| Some((*name, key.strip_prefix(name)?.strip_prefix('.')?)));
        if let Some((name, rest)) = dotted {
            let object = inner.entry(name).or_insert_with(|| json!({}));
            object[rest] = value.clone();
            continue;
        }
        let mut parts = key.split('.').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                inner.insert(part.to_owned(), value.clone());
                break;
            }
            let object = inner.entry(part).or_insert_with(|| json!({}));
            // A key that has a value of its own has no parts: `a` and `a.b` are never told together.
            let Value::Object(object) = object else { break };
            inner = object;
        }
    }
    extensions
}

/// What a stage mismatch adds: the flat keys of the audit log, and `stage` in the extension `effects`.
fn add_stages(stages: &StageMismatch, metadata: &mut Map<String, Value>, extensions: &mut Map<String, Value>) {
    let one = |list: &[String]| match list {
        [only] => json!(only),
        _ => json!(list),
    };
    let (required, actual, capability) = (one(&stages.required), one(&stages.actual), one(&stages.capability));
    let effects = extensions.entry("effects").or_insert_with(|| json!({}));
    effects["stage"] = json!({
        "required": required, "actual": actual, "capability": capability,
        "required_capabilities": stages.capability, "actual_capabilities": stages.capability,
    });
    metadata.insert("effect.stage.required".to_owned(), required);
    metadata.insert("effect.stage.actual".to_owned(), actual);
    metadata.insert("effect.capability".to_owned(), capability);
    if !stages.trace.is_empty() {
        let step =
            |step: &Vec<(&str, String)>| step.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        let trace: Vec<Value> = stages.trace.iter().map(|it| Value::Object(step(it))).collect();
        effects["stage"]["trace"] = json!(trace);
        metadata.insert("stage.trace".to_owned(), json!(trace));
    }
}

/// 1-based lines and columns; columns count Unicode scalar values; the end is exclusive.
fn place(span: Span, sources: &SourceMap) -> Option<Value> {
    let (id, start) = sources.position(span)?;
    let file = sources.file(id);
    let end = file.line_column(span.end - file.base);
    Some(json!({
        "file": &*file.name,
        "start_line": start.line, "start_col": start.column,
        "end_line": end.line, "end_col": end.column,
    }))
}

/// The subject area of a code.
fn domain(code: &str) -> &'static str {
    match code.split('.').next().unwrap_or(code) {
        "parser" => "parser",
        "language" | "type" | "typeclass" | "pattern" => "type",
        "effects" => "effect",
        "package" => "manifest",
        "target" => "target",
        "config" | "manifest" => "config",
        "unresolved" => "type",
        "source" | "build" => "cli",
        "ffi" => "ffi",
        _ => "runtime",
    }
}
