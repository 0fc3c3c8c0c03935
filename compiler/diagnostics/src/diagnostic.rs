//! The one value that every pass reports with.

use crate::codes::Code;
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
/// label points at a reason; notes explain; helps say what to do; a fix is an edit that a tool may apply.
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
    pub stages: Option<Box<StageMismatch>>,
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
            message: message.into(),
            primary,
            primary_label: String::new(),
            labels: Vec::new(),
            notes: Vec::new(),
            helps: Vec::new(),
            fixes: Vec::new(),
            stages: None,
        }
    }

    /// The text under the primary span.
    pub fn with_primary_label(mut self, text: impl Into<String>) -> Self {
        self.primary_label = text.into();
        self
    }

    pub fn with_label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    pub fn with_note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    pub fn with_help(mut self, text: impl Into<String>) -> Self {
        self.helps.push(text.into());
        self
    }

    pub fn with_fix(mut self, span: Span, replacement: impl Into<String>, title: impl Into<String>) -> Self {
        self.fixes.push(Fix { span, replacement: replacement.into(), title: title.into() });
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
