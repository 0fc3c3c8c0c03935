//! How diagnostics are shown: to people with source excerpts, on one line each, or as JSON.
//!
//! In: diagnostics in any order and the source map they point into. Out: bytes. Only this module knows ariadne,
//! colours and JSON.

mod human;
mod json;
mod short;
mod snippet;

use std::io::{self, Write};

use crate::{Code, Diagnostic, Severity, SourceMap};

pub use human::Human;
pub use json::{Json, JsonContext, diagnostic_json};
pub use short::Short;

/// Writes a whole run's diagnostics, which [`arrange`] has put in order.
pub trait Renderer {
    fn render(&mut self, diagnostics: &[Diagnostic], sources: &SourceMap, out: &mut dyn Write) -> io::Result<()>;
}

/// Whether human output is coloured.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    Always,
    Never,
}

impl ColorChoice {
    /// The decision. `no_color`: the environment variable of that name is set and not empty.
    pub fn enabled(self, is_terminal: bool, no_color: bool) -> bool {
        match self {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => is_terminal && !no_color,
        }
    }
}

/// Sorts by position (files in the order they were read; positionless diagnostics first), and drops repetitions.
pub fn arrange(diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.sort_by(|a, b| key(a).cmp(&key(b)));
    diagnostics.dedup_by(|a, b| key(a) == key(b));
}

/// What makes two diagnostics the same to a reader.
fn key(diagnostic: &Diagnostic) -> (u32, u32, Severity, Code, &str) {
    let Diagnostic { primary, severity, code, message, .. } = diagnostic;
    (primary.start, primary.end, *severity, *code, message)
}

/// How many errors and warnings there are.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counts {
    pub errors: usize,
    pub warnings: usize,
}

impl Counts {
    pub fn of(diagnostics: &[Diagnostic]) -> Self {
        let errors = diagnostics.iter().filter(|d| d.is_error()).count();
        Counts { errors, warnings: diagnostics.len() - errors }
    }

    /// How a command ends that has found so much: the word for it.
    pub fn outcome(&self, fail_on_warning: bool) -> &'static str {
        match (self.errors, self.warnings) {
            (0, 0) => "success",
            (0, _) if !fail_on_warning => "warning",
            _ => "failure",
        }
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        match (self.errors, self.warnings) {
            (0, w) => write!(f, "{w} warning{}", plural(w)),
            (e, 0) => write!(f, "{e} error{}", plural(e)),
            (e, w) => write!(f, "{e} error{}, {w} warning{}", plural(e), plural(w)),
        }
    }
}

/// The closing line: "error: could not check `main.reml`: 3 errors, 1 warning". `None` when there is nothing to say.
pub fn summary(verb: &str, input: &str, counts: Counts) -> Option<(Severity, String)> {
    match (counts.errors, counts.warnings) {
        (0, 0) => None,
        (0, _) => Some((Severity::Warning, format!("`{input}`: {counts}"))),
        _ => Some((Severity::Error, format!("could not {verb} `{input}`: {counts}"))),
    }
}

/// The word for a severity.
pub fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

#[cfg(test)]
mod tests;
