//! The one value that every pass reports with.

use serde_json::Value;

use crate::codes::Code;
use crate::excerpt::shortened;
use crate::span::Span;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// The program is rejected.
    Error,
    /// The program is accepted, but something in it is likely wrong.
    Warning,
}

/// What is wrong, where, why something else was expected, and what to do about it.
///
/// The message stands alone on one line and names the user's own things. The primary span is what is wrong; each
/// label points at a reason; notes explain; helps say what to do; a fix is an edit that a tool may apply. What these texts have in backquotes is
/// shortened where it is very long.
#[derive(Clone, PartialEq, Debug)]
pub struct Diagnostic {
    pub code: Code,
    pub severity: Severity,
    pub message: String,
    pub primary: Span,
    /// Text under the primary span; empty when the message says it all.
    pub primary_label: String,
    pub labels: Vec<Label>,
    pub notes: Vec<String>,
    pub helps: Vec<String>,
    pub fixes: Vec<Fix>,
    /// Set for stage mismatches.
    pub stages: Option<Box<StageMismatch>>,
    /// What would have fitted, for tools.
    pub expected: Option<Expectation>,
    /// Facts for tools, by dotted key: `typeclass.trait`. The part before the first dot is the extension they belong to.
    pub facts: Vec<(&'static str, Value)>,
}

/// What would have fitted at the primary span.
#[derive(Clone, PartialEq, Debug)]
pub struct Expectation {
    /// "an expression or `)`"
    pub humanized: String,
    pub alternatives: Vec<Alternative>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Alternative {
    /// `)`, `expression`, `Int`.
    pub token: String,
    /// As it is shown: "`)`", "an expression".
    pub label: String,
    /// `token`, `class` or `type`.
    pub kind: &'static str,
}

/// Stages of capabilities that do not fit what is asked of them; one entry of each list for each capability.
#[derive(Clone, PartialEq, Debug)]
pub struct StageMismatch {
    /// `exact:beta`, `at_least:stable`.
    pub required: Vec<String>,
    pub actual: Vec<String>,
    pub capability: Vec<String>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Label {
    pub span: Span,
    pub text: String,
}

/// Replace the text at `span` by `replacement`.
#[derive(Clone, PartialEq, Debug)]
pub struct Fix {
    pub span: Span,
    pub replacement: String,
    /// "write `when` instead"
    pub title: String,
}

impl Diagnostic {
    pub fn error(code: Code, primary: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, primary, message)
    }

    pub fn warning(code: Code, primary: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, primary, message)
    }

    fn new(severity: Severity, code: Code, primary: Span, message: impl Into<String>) -> Self {
        Diagnostic {
            code,
            severity,
            message: shortened(message.into()),
            primary,
            primary_label: String::new(),
            labels: Vec::new(),
            notes: Vec::new(),
            helps: Vec::new(),
            fixes: Vec::new(),
            expected: None,
            facts: Vec::new(),
            stages: None,
        }
    }

    /// What would have fitted.
    pub fn with_expected(mut self, humanized: impl Into<String>, alternatives: Vec<Alternative>) -> Self {
        self.expected = Some(Expectation { humanized: humanized.into(), alternatives });
        self
    }

    /// A type was expected where another was found.
    pub fn with_types(self, expected: &str, found: &str) -> Self {
        let label = format!("`{expected}`");
        let alternative = Alternative { token: expected.to_owned(), label: label.clone(), kind: "type" };
        self.with_expected(label, vec![alternative]).with_fact("type.expected", expected).with_fact("type.found", found)
    }

    pub fn with_fact(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        self.facts.push((key, value.into()));
        self
    }

    /// Whether a fact of this key is known.
    pub fn has_fact(&self, key: &str) -> bool {
        self.facts.iter().any(|(known, _)| *known == key)
    }

    /// The text under the primary span.
    pub fn with_primary_label(mut self, text: impl Into<String>) -> Self {
        self.primary_label = shortened(text.into());
        self
    }

    pub fn with_label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: shortened(text.into()) });
        self
    }

    pub fn with_note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(shortened(text.into()));
        self
    }

    pub fn with_help(mut self, text: impl Into<String>) -> Self {
        self.helps.push(shortened(text.into()));
        self
    }

    pub fn with_fix(mut self, span: Span, replacement: impl Into<String>, title: impl Into<String>) -> Self {
        self.fixes.push(Fix { span, replacement: replacement.into(), title: shortened(title.into()) });
        self
    }

    pub fn with_stages(mut self, stages: StageMismatch) -> Self {
        self.stages = Some(Box::new(stages));
        self
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
