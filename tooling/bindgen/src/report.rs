//! What went on: diagnostics for people, entries for the manifest, and the log.

use std::path::Path;

use reml_diagnostics::{Code, Diagnostic, Severity, SourceMap, Span, codes};
use serde_json::{Map, Value, json};

use crate::c::token::Source;

/// Something that was not bound.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Left {
    pub code: Code,
    pub symbol: String,
    pub c_type: Option<String>,
    /// `unsupported_type`, `inline_only`, ...
    pub reason: &'static str,
    /// What can be done about it.
    pub hint: Option<String>,
}

impl Left {
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("code".into(), self.code.0.into());
        object.insert("symbol".into(), self.symbol.as_str().into());
        if let Some(c_type) = &self.c_type {
            object.insert("c_type".into(), c_type.as_str().into());
        }
        object.insert("reason".into(), self.reason.into());
        if let Some(hint) = &self.hint {
            object.insert("hint".into(), hint.as_str().into());
        }
        Value::Object(object)
    }
}

#[derive(Default)]
pub struct Report {
    pub sources: SourceMap,
    pub diagnostics: Vec<Diagnostic>,
    /// In the order of the header.
    pub left: Vec<Left>,
}

impl Report {
    pub fn add(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    pub fn failed(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// A symbol is not bound, and the header says where it is.
    pub fn leave(&mut self, left: Left, source: &Source, offset: u32) {
        let at = self.place(source, offset, &left.symbol);
        let what = left.c_type.as_ref().map(|c_type| format!(": `{c_type}`")).unwrap_or_default();
        let message = format!("`{}` is not bound ({}){what}", left.symbol, explained(left.reason));
        let mut diagnostic = Diagnostic::warning(left.code, at, message)
            .with_fact("ffi.bindgen.symbol", left.symbol.as_str())
            .with_fact("ffi.bindgen.reason", left.reason);
        if let Some(c_type) = &left.c_type {
            diagnostic = diagnostic.with_fact("ffi.bindgen.c_type", c_type.as_str());
        }
        if let Some(hint) = &left.hint {
            diagnostic = diagnostic.with_help(hint.as_str());
        }
        self.add(diagnostic);
        self.left.push(left);
    }

    /// From a place in the preprocessed text to one in the file that it comes from. Macros move columns, so there it is looked for
    /// as a word of its line; else it is the whole line.
    pub fn place(&mut self, source: &Source, offset: u32, word: &str) -> Span {
        let Some((file, line)) = source.origin(offset) else { return Span::NONE };
        self.line(&source.files[file].name, line, word)
    }

    /// A word in a line of a file, or the whole line.
    pub fn line(&mut self, name: &str, line: u32, word: &str) -> Span {
        let shown = crate::files::displayed(Path::new(name));
        let known = self.sources.files().find(|(_, file)| *file.name == *shown).map(|(id, _)| id);
        let id = match known {
            Some(id) => id,
            None => {
                let Ok(bytes) = std::fs::read(name) else { return Span::NONE };
                match self.sources.add(shown, String::from_utf8_lossy(&bytes).into_owned()) {
                    Ok(id) => id,
                    Err(_) => return Span::NONE,
                }
            }
        };
        let file = self.sources.file(id);
        let lines = file.text.bytes().filter(|&b| b == b'\n').count() + 1;
        let index = (line as usize).clamp(1, lines) - 1;
        let range = file.line_range(index);
        let text = &file.text[range.clone()];
        let (start, length) = match find_word(text, word) {
            Some(at) => (at, word.len()),
            None => (text.len() - text.trim_start().len(), text.trim().len()),
        };
        let start = file.base + (range.start + start) as u32;
        Span::new(start, start + length as u32)
    }
}

fn find_word(text: &str, word: &str) -> Option<usize> {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let is_whole = |at: usize| {
        !word.starts_with(part) || !text[..at].ends_with(part) && !text[at + word.len()..].starts_with(part)
    };
    text.match_indices(word).map(|(at, _)| at).find(|&at| !word.is_empty() && is_whole(at))
}

/// The reasons of the manifest, in words.
fn explained(reason: &str) -> &str {
    match reason {
        "unsupported_type" => "Reml has nothing like its type",
        "unsupported_union" => "a union is passed by value",
        "unsupported_array" => "an array is passed by value",
        "unsupported_bitfield" => "bit-fields are passed by value",
        "unsupported_variable" => "variables of C cannot be reached",
        "unsupported_convention" => "it is called in another way than functions of C",
        "returns_twice" => "it returns twice, or never to its caller",
        "inline_only" => "no library has it, since it is only defined in the header",
        "name_taken" => "its name is taken",
        "empty" => "there is nothing in it",
        other => other,
    }
}

/// An entry of the log for a diagnostic.
pub fn diagnostic_json(diagnostic: &Diagnostic, sources: &SourceMap) -> Value {
    let mut object = Map::new();
    object.insert("code".into(), diagnostic.code.0.into());
    let severity = if diagnostic.severity == Severity::Error { "error" } else { "warning" };
    object.insert("severity".into(), severity.into());
    object.insert("message".into(), diagnostic.message.as_str().into());
    if let Some((file, at)) = sources.position(diagnostic.primary) {
        object.insert("file".into(), (*sources.file(file).name).into());
        object.insert("line".into(), at.line.into());
        object.insert("column".into(), at.column.into());
    }
    for (key, value) in &diagnostic.facts {
        if let Some(name) = key.strip_prefix("ffi.bindgen.") {
            object.insert(name.into(), value.as_str().into());
        }
    }
    if let Some(hint) = diagnostic.helps.first() {
        object.insert("hint".into(), hint.as_str().into());
    }
    Value::Object(object)
}

/// The log: an event for each step, as a line of JSON.
pub struct Log<'a> {
    pub out: &'a mut dyn FnMut(&Value),
}

impl Log<'_> {
    pub fn start(&mut self, config: &Path) {
        (self.out)(&json!({ "event": "bindgen.start", "config": config.display().to_string() }));
    }

    pub fn parse(&mut self, status: &str, headers: &[String]) {
        (self.out)(&json!({ "event": "bindgen.parse", "status": status, "headers": headers }));
    }

    pub fn generate(&mut self, status: &str, output: &Path, manifest: &Path) {
        let (output, manifest) = (crate::files::recorded(output), crate::files::recorded(manifest));
        (self.out)(&json!({ "event": "bindgen.generate", "status": status, "output": output, "manifest": manifest }));
    }

    pub fn finish(&mut self, written: Option<(&Path, &Path)>, report: &Report) {
        let list: Vec<Value> = report.diagnostics.iter().map(|it| diagnostic_json(it, &report.sources)).collect();
        (self.out)(&match written {
            Some((output, manifest)) => json!({
                "event": "bindgen.finish", "status": "success", "generated": crate::files::recorded(output),
                "manifest": crate::files::recorded(manifest), "diagnostics": list,
            }),
            None => json!({ "event": "bindgen.finish", "status": "failed", "diagnostics": list }),
        });
    }
}

/// An error of the stage that writes.
pub fn unwritable(path: &Path, why: &str) -> Diagnostic {
    Diagnostic::error(codes::BINDGEN_GENERATE, Span::NONE, format!("`{}` cannot be written: {why}", path.display()))
}
