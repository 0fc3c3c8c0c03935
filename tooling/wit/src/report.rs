//! What went on: diagnostics for people, and what was left out, for the manifest.

use reml_diagnostics::{Code, Diagnostic, SourceMap, Span};

/// Something that was not translated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Left {
    /// `shop:catalog/store#watch`, or the name of a type or function of Reml.
    pub item: String,
    /// In words.
    pub reason: String,
}

#[derive(Default)]
pub struct Report {
    pub sources: SourceMap,
    pub diagnostics: Vec<Diagnostic>,
    /// In the order of the source.
    pub left: Vec<Left>,
}

impl Report {
    pub fn add(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    pub fn error(&mut self, code: Code, at: Span, message: impl Into<String>) {
        self.add(Diagnostic::error(code, at, message));
    }

    pub fn failed(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// An item is left out, with a warning; everything else is translated.
    pub fn leave(&mut self, code: Code, at: Span, item: String, reason: String) {
        self.add(
            Diagnostic::warning(code, at, format!("`{item}` is left out: {reason}"))
                .with_fact("ffi.wit.item", item.as_str()),
        );
        self.left.push(Left { item, reason });
    }
}
