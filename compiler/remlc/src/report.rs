//! Shows what a compilation found: diagnostics, the closing line, timings.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::{self, ExitCode};
use std::time::{SystemTime, UNIX_EPOCH};

use reml_diagnostics::render::{self, Counts, Human, Json, JsonContext, Renderer, Short};
use reml_diagnostics::{Diagnostic, Severity, SourceMap};
use reml_driver::ffi_build::record::Record;
use reml_driver::pipeline::Compilation;
use reml_driver::system::timestamp;
use serde_json::Value;

use crate::options::{Format, Output};
use crate::{FAILURE, output, timings};

/// What is being reported on.
pub struct Subject<'a> {
    /// `check`, `run`, `build`
    pub verb: &'static str,
    /// `Check`, as JSON says it.
    pub command: &'static str,
    pub input: &'a Path,
    pub started: SystemTime,
    pub artifact: Option<&'a Path>,
    pub fail_on_warning: bool,
}

impl<'a> Subject<'a> {
    pub fn new(verb: &'static str, command: &'static str, input: &'a Path, fail_on_warning: bool) -> Self {
        Subject { verb, command, input, started: SystemTime::now(), artifact: None, fail_on_warning }
    }

    /// Different for every run, in the form of a UUID.
    pub fn run_id(&self) -> String {
        id_at(self.started)
    }
}

/// Prints the stages that were asked for to standard output.
pub fn emitted(compilation: &mut Compilation<'_>) {
    let text = std::mem::take(&mut compilation.emitted);
    output::write(text.as_bytes());
}

/// Shows all diagnostics and the closing line. People's formats go to standard error, JSON to standard output; only
/// `run` leaves standard output to the program and puts JSON on standard error too.
pub fn diagnostics(compilation: &Compilation<'_>, subject: &Subject<'_>, output: &Output) {
    let audit = compilation.records.iter().map(Record::to_json).collect();
    show_with(&compilation.diagnostics, &compilation.sources, compilation.phase, audit, subject, output);
}

/// The same for what no compilation found.
pub fn show(
    diagnostics: &[Diagnostic],
    sources: &SourceMap,
    phase: &'static str,
    subject: &Subject<'_>,
    output: &Output,
) {
    show_with(diagnostics, sources, phase, Vec::new(), subject, output);
}

fn show_with(
    diagnostics: &[Diagnostic],
    sources: &SourceMap,
    phase: &'static str,
    audit: Vec<Value>,
    subject: &Subject<'_>,
    output: &Output,
) {
    let format = output.format.unwrap_or_default();
    let shown: Vec<Diagnostic>;
    let diagnostics = if output.quiet && !subject.fail_on_warning && format != Format::Json {
        shown = diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).cloned().collect();
        &shown
    } else {
        diagnostics
    };
    let mut text = Vec::new();
    let input = subject.input.display().to_string();
    let rendered = match format {
        Format::Human => Human { color: colored(output) }.render(diagnostics, sources, &mut text),
        Format::Short => Short.render(diagnostics, sources, &mut text),
        Format::Json => {
            let context = JsonContext {
                command: subject.command,
                phase,
                run_id: subject.run_id(),
                started_at: timestamp(subject.started),
                finished_at: timestamp(SystemTime::now()),
                inputs: vec![input.clone()],
                artifact: subject.artifact.map(|path| path.display().to_string()),
                fail_on_warning: subject.fail_on_warning,
                audit,
            };
            Json { context }.render(diagnostics, sources, &mut text)
        }
    };
    debug_assert!(rendered.is_ok(), "writing to memory does not fail");
    if format == Format::Human {
        let counts = Counts::of(diagnostics);
        if let Some((severity, line)) = render::summary(subject.verb, &input, counts) {
            summary_line(&mut text, severity, &line, colored(output));
        }
        if counts.errors == 0 && counts.warnings > 0 && subject.fail_on_warning {
            let line = format!("could not {} `{input}`: warnings count as errors here", subject.verb);
            summary_line(&mut text, Severity::Error, &line, colored(output));
        }
    }
    match format {
        Format::Json if subject.verb != "run" => output::write(&text),
        _ => {
            let _ = io::stderr().lock().write_all(&text);
        }
    }
}

/// Shows diagnostics to a person, without a closing line; whether there are errors.
pub fn on_stderr(diagnostics: &[Diagnostic], sources: &SourceMap) -> bool {
    let mut text = Vec::new();
    // Writing to memory does not fail, and a closed standard error is nobody's concern.
    let _ = Human { color: false }.render(diagnostics, sources, &mut text);
    let _ = io::stderr().lock().write_all(&text);
    Counts::of(diagnostics).errors > 0
}

fn summary_line(text: &mut Vec<u8>, severity: Severity, line: &str, color: bool) {
    let word = render::severity_word(severity);
    let (start, end) = match (color, severity) {
        (false, _) => ("", ""),
        (true, Severity::Error) => ("\x1b[31m", "\x1b[0m"),
        (true, Severity::Warning) => ("\x1b[33m", "\x1b[0m"),
    };
    let _ = writeln!(text, "{start}{word}{end}: {line}");
}

/// One line of a problem outside of any compilation.
pub fn plain_error(message: &str) {
    let _ = writeln!(io::stderr().lock(), "error: {message}");
}

/// The same, as the end of a command.
pub fn refusal(message: &str) -> ExitCode {
    plain_error(message);
    ExitCode::from(FAILURE)
}

/// What `-v` and `--timings` say. Whether all of it could be said.
pub fn progress(compilation: &Compilation<'_>, subject: &Subject<'_>, options: &Output) -> bool {
    let mut text = String::new();
    if options.verbose > 0 {
        let files = compilation.sources.files().count();
        let bytes: usize = compilation.sources.files().map(|(_, file)| file.text.len()).sum();
        text.push_str(&format!("read {files} modules, {bytes} bytes\n"));
        if options.verbose > 1 {
            for (_, file) in compilation.sources.files() {
                text.push_str(&format!("  {} ({} bytes)\n", file.name, file.text.len()));
            }
        }
    }
    let mut fine = true;
    match &options.timings {
        None => {}
        Some(None) => text.push_str(&timings::table(&compilation.profile)),
        Some(Some(path)) => {
            let title = format!("remlc {} {}", subject.verb, subject.input.display());
            let page = timings::page(&title, &timestamp(subject.started), &compilation.profile);
            fine = output::write_file(path, page.as_bytes(), subject.input);
        }
    }
    let _ = io::stderr().lock().write_all(text.as_bytes());
    fine
}

fn colored(output: &Output) -> bool {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    output.color.choice().enabled(io::stderr().is_terminal(), no_color)
}

fn id_at(time: SystemTime) -> String {
    let nanos = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    // Version 8 (own scheme), variant 1: time in the first parts, process in the last.
    let time = nanos as u64;
    format!(
        "{:08x}-{:04x}-8{:03x}-8{:03x}-{:012x}",
        time >> 32,
        (time >> 16) & 0xffff,
        (time >> 4) & 0xfff,
        (nanos >> 64) as u64 & 0xfff,
        u64::from(process::id())
    )
}
