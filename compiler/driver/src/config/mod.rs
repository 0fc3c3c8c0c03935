//! What does a configuration file say, and where? Reads TOML and JSON into one tree with spans, checks it against a schema, and tells two apart.

pub mod compat;
pub mod diff;
mod json;
pub mod key_path;
pub mod lint;
pub mod place;
pub mod schema;
mod toml;
pub mod tree;

use std::io;
use std::path::Path;

use reml_diagnostics::{Diagnostic, FileId, SourceFile, SourceMap, Span, codes};

use crate::link::describe;
use crate::system::System;
use compat::Chooser;
use key_path::Origin;
use tree::Node;

pub use self::toml::tree as toml_tree;

/// More problems of one kind than these are counted, not shown.
pub const SHOWN: usize = 1_000;

/// Counts the diagnostics behind `from` that are too many, instead of keeping them.
pub fn limit(diagnostics: &mut Vec<Diagnostic>, from: usize, at: Span) {
    let kept = from + SHOWN;
    // One more is not worth a sentence.
    if diagnostics.len() <= kept + 1 {
        return;
    }
    let rest = diagnostics.split_off(kept);
    let message = format!("{} more problems are not shown", rest.len());
    let code = rest[0].code;
    diagnostics.push(match rest.iter().any(Diagnostic::is_error) {
        true => Diagnostic::error(code, at, message),
        false => Diagnostic::warning(code, at, message),
    });
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    Toml,
    Json,
}

impl Format {
    pub fn name(self) -> &'static str {
        match self {
            Format::Toml => "toml",
            Format::Json => "json",
        }
    }

    /// What the file's name says; else JSON when the text begins like an object or a list of JSON. A list of tables in TOML begins
    /// with `[[` followed by a name, so only `{` decides.
    fn of(path: &Path, text: &str) -> Format {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => Format::Json,
            Some("toml") => Format::Toml,
            _ if text.trim_start().starts_with('{') => Format::Json,
            _ => Format::Toml,
        }
    }
}

/// A file that was read.
pub struct Document {
    pub file: FileId,
    pub format: Format,
    /// Absent when the text is malformed.
    pub root: Option<Node>,
}

impl Document {
    pub fn origin(&self) -> Origin<'_> {
        Origin { file: self.file, root: self.root.as_ref(), source: "custom" }
    }
}

/// Reads a file. What is wrong with it is added to `diagnostics`; nothing is answered for a file that is no text at all.
pub fn read(
    path: &Path,
    chooser: &Chooser<'_>,
    sources: &mut SourceMap,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Document> {
    let file = open(path, chooser.system, sources, diagnostics)?;
    let source = sources.file(file);
    let format = Format::of(path, &source.text);
    let compat = chooser.choose(path, format, diagnostics);
    let root = match format {
        Format::Toml => toml::parse(source, diagnostics),
        Format::Json => json::parse(source, &compat, diagnostics),
    };
    Some(Document { file, format, root })
}

/// Reads the text of a file.
pub fn open(
    path: &Path,
    system: &dyn System,
    sources: &mut SourceMap,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<FileId> {
    let shown = path.display();
    let mut unreadable = |message: String| {
        let diagnostic = Diagnostic::error(codes::CONFIG_IO, Span::NONE, message);
        diagnostics.push(diagnostic.with_fact("config.path", shown.to_string()));
    };
    let bytes = match system.read(path) {
        Ok(bytes) => bytes,
        Err(problem) => {
            unreadable(match problem.kind() {
                io::ErrorKind::NotFound => format!("there is no file `{shown}`"),
                io::ErrorKind::IsADirectory => format!("`{shown}` is a directory, not a file"),
                _ => format!("`{shown}` cannot be read: {}", describe(&problem)),
            });
            return None;
        }
    };
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(problem) => {
            let at = problem.utf8_error().valid_up_to();
            unreadable(format!("`{shown}` is not a text: byte {at} is not UTF-8"));
            return None;
        }
    };
    match sources.add(shown.to_string(), text) {
        Ok(file) => Some(file),
        Err(_) => {
            unreadable(format!("`{shown}` is too large"));
            None
        }
    }
}

/// Reads a text as strict JSON, whatever the file is called.
pub fn parse_json(file: &SourceFile, diagnostics: &mut Vec<Diagnostic>) -> Option<Node> {
    json::parse(file, &compat::Compat::strict(), diagnostics)
}

/// The span of a range of a file's bytes, which may go beyond its end.
fn span(file: &SourceFile, range: std::ops::Range<usize>) -> Span {
    let limit = file.text.len();
    let start = range.start.min(limit);
    let end = range.end.clamp(start, limit);
    Span::new(file.base + start as u32, file.base + end as u32)
}
