//! How are the events of a log gone through, and how is one shown to a person?

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::path::Path;

use reml_audit::query::{Count, Filter, query};
use reml_audit::{Entry, EventKind, SCHEMA_VERSION, Value, visible};

use super::{not_a_log, unreadable};

/// Gives each event that is meant to `each`.
///
/// # Errors
///
/// The log cannot be read, or the file is no log.
pub fn read(log: &Path, filter: &Filter, each: impl FnMut(Entry, &[u8]) -> ControlFlow<()>) -> Result<Count, String> {
    let count = query(log, filter, each).map_err(|error| unreadable(&error))?;
    if count.found == 0 {
        must_hold_events(log)?;
    }
    Ok(count)
}

/// An empty file is a log to which nothing has been written.
fn must_hold_events(log: &Path) -> Result<(), String> {
    let first = query(log, &Filter::default(), |_, _| ControlFlow::Break(())).map_err(|error| unreadable(&error))?;
    if first.found == 0 && (first.lines > 0 || first.torn) { Err(not_a_log(log, first.lines)) } else { Ok(()) }
}

/// Says what of a log was passed over; answers whether nothing was.
pub fn is_all(log: &Path, count: &Count) -> bool {
    let shown = log.display();
    let mut err = io::stderr().lock();
    if count.unreadable > 0 {
        let lines = if count.lines == 1 { "line" } else { "lines" };
        let _ = writeln!(
            err,
            "warning: of {} {lines} of `{shown}`, {} could not be read; `remlc audit verify` says where",
            count.lines, count.unreadable
        );
    }
    if count.torn {
        let _ = writeln!(err, "warning: the last line of `{shown}` is not finished, and was passed over");
    }
    count.unreadable == 0
}

/// One line: number, time, kind, capability, and what happened.
pub fn human(entry: &Entry) -> String {
    let event = &entry.event;
    let mut line = String::new();
    match entry.link {
        Some(link) => _ = write!(line, "{:>5}", link.seq),
        None => line.push_str("    -"),
    }
    if let Some(time) = event.timestamp {
        _ = write!(line, "  {time:.3}");
    }
    _ = write!(line, "  {:<16}  {:<15}  ", event.kind.name(), event.capability.as_deref().unwrap_or("-"));
    match decision(entry).or_else(|| compilation(entry)) {
        Some(text) => line.push_str(&text),
        None => metadata(&mut line, entry),
    }
    let mut line = visible(line.trim_end());
    line.push('\n');
    line
}

/// `allowed read /app/data, which [permissions] allows, asked by app.load (src/app.reml:12:5)`.
fn decision(entry: &Entry) -> Option<String> {
    let event = &entry.event;
    if event.kind != EventKind::GateDecision {
        return None;
    }
    let text = |key: &str| event.metadata.get(key).and_then(Value::as_str);
    let mut out = format!("{} {} {}", text("gate.decision")?, text("gate.power")?, text("gate.subject")?);
    if let Some(source) = text("gate.source") {
        _ = write!(out, ", by {source}");
    }
    if let (Some(function), Some(file)) = (text("gate.function"), text("gate.file")) {
        let number = |key: &str| event.metadata.get(key).and_then(Value::as_u64).unwrap_or(0);
        _ = write!(out, ", at {function} ({file}:{}:{})", number("gate.line"), number("gate.column"));
    }
    Some(out)
}

/// `check of src/app.reml begins`, `error[type.mismatch]: .., at src/app.reml:12:5`.
fn compilation(entry: &Entry) -> Option<String> {
    let metadata = &entry.event.metadata;
    let text = |key: &str| metadata.get(key).and_then(Value::as_str);
    let number = |key: &str| metadata.get(key).and_then(Value::as_u64).unwrap_or(0);
    let subject = || Some(format!("{} of {}", text("cli.command")?, text("cli.input")?));
    match entry.event.kind {
        EventKind::PipelineStarted => Some(format!("{} begins", subject()?)),
        EventKind::PipelineCompleted => {
            let diagnostics = match number("pipeline.diagnostics") {
                0 => String::new(),
                1 => ", 1 diagnostic".to_owned(),
                count => format!(", {count} diagnostics"),
            };
            Some(format!("{} is done: {}{diagnostics}", subject()?, text("pipeline.exit_code")?))
        }
        EventKind::PipelineFailed => {
            Some(format!("{} is given up: error[{}]: {}", subject()?, text("error.code")?, text("error.message")?))
        }
        EventKind::Diagnostic => {
            let (severity, code) = (text("diagnostic.severity")?, text("diagnostic.code")?);
            let mut out = format!("{severity}[{code}]: {}", text("diagnostic.message")?);
            if let Some(file) = text("diagnostic.file") {
                _ = write!(out, ", at {file}:{}:{}", number("diagnostic.line"), number("diagnostic.column"));
            }
            Some(out)
        }
        _ => None,
    }
}

fn metadata(line: &mut String, entry: &Entry) {
    let event = &entry.event;
    let told = event.metadata.iter().filter(|(key, value)| *key != "schema.version" || **value != SCHEMA_VERSION);
    for (key, value) in told {
        match value {
            Value::String(text) if !text.contains([' ', '"']) && !text.is_empty() => _ = write!(line, "{key}={text} "),
            value => _ = write!(line, "{key}={value} "),
        }
    }
    if let Some(changes) = &event.change_set {
        _ = write!(line, "change_set={changes}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reml_audit::Event;

    fn shown(event: Event) -> String {
        human(&Entry { event: event.at("2025-07-01T10:31:55.25Z".parse().unwrap()), link: None })
    }

    #[test]
    fn decisions_are_sentences_and_others_their_metadata() {
        let decision = Event::new(EventKind::GateDecision)
            .capability("io.fs.read")
            .with("gate.decision", "allowed")
            .with("gate.power", "read")
            .with("gate.subject", "/app/data")
            .with("gate.source", "`--allow-read=data`")
            .with("gate.function", "app.load")
            .with("gate.file", "src/app.reml")
            .with("gate.line", 12)
            .with("gate.column", 5);
        assert_eq!(
            shown(decision),
            "    -  2025-07-01T10:31:55.250Z  gate.decision     io.fs.read       allowed read /app/data, by \
             `--allow-read=data`, at app.load (src/app.reml:12:5)\n"
        );
        let order = Event::new(EventKind::named("shop.order")).with("id", 7).with("name", "Ada L.").with("by", "x");
        assert_eq!(
            shown(order),
            "    -  2025-07-01T10:31:55.250Z  shop.order        -                by=x id=7 name=\"Ada L.\"\n"
        );
        let done = Event::new(EventKind::PipelineCompleted)
            .with("cli.command", "check")
            .with("cli.input", "app")
            .with("pipeline.exit_code", "warning")
            .with("pipeline.diagnostics", 1);
        assert!(shown(done).ends_with("  check of app is done: warning, 1 diagnostic\n"));
    }

    #[test]
    fn what_a_program_has_logged_does_not_reach_the_terminal() {
        let event = Event::new(EventKind::named("x\u{1b}[2J\n1")).with("a", "\u{202e}b\r");
        let line = shown(event);
        assert_eq!(line.lines().count(), 1);
        assert!(!line.contains(['\u{1b}', '\r', '\u{202e}']), "{line:?}");
    }
}
