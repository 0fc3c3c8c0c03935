//! What is done with an input, and what must hold.

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::time::{Duration, Instant};

use reml_diagnostics::render::{Human, Renderer, Short};
use reml_diagnostics::{Diagnostic, SourceMap};
use reml_driver::pipeline::{Compilation, Options};
use reml_driver::system::MemorySystem;
use reml_syntax::format::{FormatError, format};
use reml_syntax::names::Names;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    Lexer,
    Parser,
    Checker,
    Formatter,
}

impl Target {
    pub const ALL: [Target; 4] = [Target::Lexer, Target::Parser, Target::Checker, Target::Formatter];

    pub fn name(self) -> &'static str {
        match self {
            Target::Lexer => "lexer",
            Target::Parser => "parser",
            Target::Checker => "checker",
            Target::Formatter => "formatter",
        }
    }
}

/// No input of the sizes that are made takes longer, even on a busy machine.
const LIMIT: Duration = Duration::from_secs(20);

/// Tries an input. `Err` says what did not hold.
pub fn run(target: Target, text: &str) -> Result<(), String> {
    let start = Instant::now();
    let tried = std::panic::catch_unwind(AssertUnwindSafe(|| match target {
        Target::Lexer => lexer(text),
        Target::Parser => parser(text),
        Target::Checker => checker(text),
        Target::Formatter => formatter(text),
    }));
    let result = tried.unwrap_or_else(|panic| {
        let message = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_default();
        Err(format!("panic: {message}"))
    });
    match result {
        Ok(()) if start.elapsed() > LIMIT => Err(format!("it takes {:?}", start.elapsed())),
        result => result,
    }
}

/// Every token lies behind the one before.
fn lexer(text: &str) -> Result<(), String> {
    let dump = reml_syntax::tokens::dump(text);
    let mut end = 0;
    for line in dump.lines() {
        let range = line[2..].split_whitespace().next().unwrap_or_default();
        let Some((from, to)) = range.split_once("..").and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)))
        else {
            return Err(format!("an odd line of tokens: {line}"));
        };
        let (from, to): (usize, usize) = (from, to);
        if from < end || to < from || to > text.len() {
            return Err(format!("the token {from}..{to} lies wrong"));
        }
        end = to;
    }
    Ok(())
}

/// Diagnostics lie in the text, can be shown, and are the same the second time.
fn parser(text: &str) -> Result<(), String> {
    let mut sources = SourceMap::new();
    let Ok(file) = sources.add("input.reml", text) else { return Ok(()) };
    let base = sources.file(file).base;
    let mut names = Names::new();
    let parsed = reml_syntax::parse(text, base, &mut names);
    shown(&parsed.diagnostics, &sources)?;
    let mut again = Names::new();
    let second = reml_syntax::parse(text, base, &mut again);
    if second.module != parsed.module {
        return Err("parsing twice gives two trees".into());
    }
    Ok(())
}

fn shown(diagnostics: &[Diagnostic], sources: &SourceMap) -> Result<(), String> {
    for diagnostic in diagnostics {
        let span = diagnostic.primary;
        if let Some(id) = sources.file_of(span) {
            let file = sources.file(id);
            if (span.end - file.base) as usize > file.text.len() || span.end < span.start {
                return Err(format!("`{}` lies at {span:?}", diagnostic.message));
            }
        }
    }
    let mut out = Vec::new();
    Human { color: false }.render(diagnostics, sources, &mut out).map_err(|problem| problem.to_string())?;
    Short.render(diagnostics, sources, &mut out).map_err(|problem| problem.to_string())
}

/// Checking ends with diagnostics or without; what checks can be lowered.
fn checker(text: &str) -> Result<(), String> {
    let system = MemorySystem::new().with("main.reml", text);
    let mut program = Compilation::new(&system, Options::default());
    let fine = program.check(Path::new("main.reml"));
    shown(&program.diagnostics, &program.sources)?;
    if fine && text.contains("fn main(") {
        program.lower();
    }
    Ok(())
}

/// What parses keeps its meaning and its comments, and formatting again changes nothing.
fn formatter(text: &str) -> Result<(), String> {
    let once = match format(text, 1) {
        Ok(once) => once,
        Err(FormatError::Syntax(_)) => return Ok(()),
        Err(FormatError::Unstable { why, .. }) => return Err(why.into()),
    };
    match format(&once, 1) {
        Ok(twice) if twice == once => Ok(()),
        Ok(_) => Err("formatting again gives another layout".into()),
        Err(FormatError::Syntax(_)) => Err("the result does not parse the second time".into()),
        Err(FormatError::Unstable { why, .. }) => Err(format!("the second time, {why}")),
    }
}
