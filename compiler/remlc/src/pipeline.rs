//! What does the audit log say of a compilation? That it has begun, what was found, and that it has come to its end or was given up.
//!
//! The events stand in the same log as what the gate decides for the program. What a command line says besides its input is left out: it may hold secrets.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use reml_audit::{AuditError, Event, EventKind, Sink, Value};
use reml_diagnostics::render::{Counts, diagnostic_json};
use reml_diagnostics::{Diagnostic, SourceMap};
use reml_driver::ffi_build::record::Record;
use reml_driver::pipeline::{Compilation, audit_log};
use reml_driver::system::timestamp;

use crate::report::Subject;

/// What audits are made of, as the founding documents call it.
const POLICY_VERSION: &str = "rust.poc.audit.v1";
/// On whose behalf compilations are recorded.
const CAPABILITY: &str = "core.diagnostics";
/// The code of a failure that is no diagnostic of the program.
const NO_START: &str = "cli.init.failed";

/// The record of one compilation; nothing is recorded where no log is asked for.
pub struct Pipeline<'s> {
    subject: &'s Subject<'s>,
    sink: Option<Arc<dyn Sink>>,
}

/// What was found, as far as the end tells of it.
#[derive(Default)]
pub struct Findings {
    pub counts: Counts,
    /// Code and message of the errors, in order.
    errors: Vec<(&'static str, String)>,
}

impl Findings {
    pub fn add(&mut self, diagnostics: &[Diagnostic]) {
        let Counts { errors, warnings } = Counts::of(diagnostics);
        self.counts.errors += errors;
        self.counts.warnings += warnings;
        let errors = diagnostics.iter().filter(|it| it.is_error());
        self.errors.extend(errors.map(|it| (it.code.0, it.message.clone())));
    }
}

/// How a compilation has ended.
pub struct Ended<'a> {
    pub findings: &'a Findings,
    /// The last phase that was entered.
    pub phase: &'static str,
    /// All that the command does was done, whatever was found. Otherwise it was given up.
    pub completed: bool,
    /// `success`, `warning` or `failure`.
    pub exit: &'static str,
    /// Why it was given up, if no diagnostic says so.
    pub refusal: Option<&'a str>,
    /// How many programs or tests there were.
    pub count: usize,
    /// The conductors and exported DSLs of the program.
    pub dsls: &'a [String],
}

impl<'s> Pipeline<'s> {
    /// Opens the log and records the beginning.
    ///
    /// # Errors
    ///
    /// Why that cannot be done.
    pub fn begin(subject: &'s Subject<'s>, log: Option<&Path>) -> Result<Pipeline<'s>, String> {
        let pipeline = Pipeline { subject, sink: log.map(audit_log).transpose()? };
        pipeline.record(|sink| started(sink, subject))?;
        Ok(pipeline)
    }

    /// Goes on with the log of a beginning that was recorded before.
    ///
    /// # Errors
    ///
    /// Why the log cannot be opened.
    pub fn resume(subject: &'s Subject<'s>, log: Option<&Path>) -> Result<Pipeline<'s>, String> {
        Ok(Pipeline { subject, sink: log.map(audit_log).transpose()? })
    }

    /// The log, for the decisions of the program's gate.
    pub fn sink(&self) -> Option<Arc<dyn Sink>> {
        self.sink.clone()
    }

    /// Records what was found in one program, and the end.
    ///
    /// # Errors
    ///
    /// Why that cannot be done.
    pub fn end(&self, compilation: &Compilation<'_>, completed: bool, refusal: Option<&str>) -> Result<(), String> {
        let (phase, dsls) = (compilation.phase, &compilation.dsls[..]);
        self.native(&compilation.records, phase)?;
        self.found(&compilation.diagnostics, &compilation.sources, phase)?;
        let mut findings = Findings::default();
        findings.add(&compilation.diagnostics);
        let exit = if completed { findings.counts.outcome(self.subject.fail_on_warning) } else { "failure" };
        self.ended(&Ended { findings: &findings, phase, completed, exit, refusal, count: 1, dsls })
    }

    /// Records what was found.
    ///
    /// # Errors
    ///
    /// Why that cannot be done.
    pub fn found(&self, diagnostics: &[Diagnostic], sources: &SourceMap, phase: &str) -> Result<(), String> {
        self.record(|sink| diagnostics.iter().try_for_each(|it| sink.log(&found(self.subject, it, sources, phase))))
    }

    /// Records what was done for native libraries.
    ///
    /// # Errors
    ///
    /// Why that cannot be done.
    pub fn native(&self, records: &[Record], phase: &str) -> Result<(), String> {
        let event = |record: &Record| {
            event(record.kind.clone(), self.subject, phase).with(record.kind.name(), record.details.clone())
        };
        self.record(|sink| records.iter().try_for_each(|record| sink.log(&event(record))))
    }

    /// Records the end.
    ///
    /// # Errors
    ///
    /// Why that cannot be done.
    pub fn ended(&self, ended: &Ended<'_>) -> Result<(), String> {
        self.record(|sink| sink.log(&end(self.subject, ended)))
    }

    fn record(&self, work: impl FnOnce(&dyn Sink) -> Result<(), AuditError>) -> Result<(), String> {
        let Some(sink) = &self.sink else { return Ok(()) };
        work(&**sink)
            .and_then(|()| sink.flush())
            .map_err(|problem| format!("the compilation cannot be recorded: {problem}"))
    }
}

fn started(sink: &dyn Sink, subject: &Subject<'_>) -> Result<(), AuditError> {
    sink.log(&event(EventKind::PipelineStarted, subject, "Parsing"))
}

/// An event with what every one of a compilation has.
fn event(kind: EventKind, subject: &Subject<'_>, phase: &str) -> Event {
    let name = subject.input.file_name().map(|name| name.to_string_lossy().into_owned());
    let here = || Some(subject.input.canonicalize().ok()?.file_name()?.to_string_lossy().into_owned());
    let name = name.or_else(here).unwrap_or_else(|| "program".to_owned());
    let stem = Path::new(&name).file_stem().map_or_else(|| name.clone(), |stem| stem.to_string_lossy().into_owned());
    let input = subject.input.display().to_string();
    Event::new(kind)
        .capability(CAPABILITY)
        .with("audit.channel", "cli")
        .with("audit.policy.version", POLICY_VERSION)
        .with("cli.command", subject.verb)
        .with("cli.input", input.as_str())
        .with("cli.phase", phase)
        .with("cli.program", "remlc")
        .with("cli.run_id", subject.run_id())
        .with("pipeline.id", format!("dsl://{input}"))
        .with("pipeline.dsl_id", name)
        .with("pipeline.node", stem)
        .with("timestamp", timestamp(SystemTime::now()))
}

fn found(subject: &Subject<'_>, diagnostic: &Diagnostic, sources: &SourceMap, phase: &str) -> Event {
    let json = diagnostic_json(diagnostic, sources, "");
    let mut event = event(EventKind::Diagnostic, subject, phase)
        .with("event.domain", json["domain"].clone())
        .with("diagnostic.code", json["code"].clone())
        .with("diagnostic.severity", json["severity"].clone())
        .with("diagnostic.message", json["message"].clone());
    for key in ["file", "line", "column"] {
        if let Some(value) = json["location"].get(key) {
            event = event.with(format!("diagnostic.{key}"), value.clone());
        }
    }
    for (key, value) in json["audit_metadata"].as_object().into_iter().flatten() {
        event = event.with(key.as_str(), value.clone());
    }
    event
}

fn end(subject: &Subject<'_>, ended: &Ended<'_>) -> Event {
    let kind = if ended.completed { EventKind::PipelineCompleted } else { EventKind::PipelineFailed };
    let Findings { counts, errors } = ended.findings;
    let mut event = event(kind, subject, ended.phase)
        .with("pipeline.outcome", if ended.completed { "success" } else { "failure" })
        .with("pipeline.exit_code", ended.exit)
        .with("pipeline.diagnostics", counts.errors + counts.warnings)
        .with("pipeline.count", ended.count);
    if !ended.dsls.is_empty() {
        event = event.with("pipeline.dsls", ended.dsls.to_vec());
    }
    if ended.completed {
        return event;
    }
    let (code, message) = match (ended.refusal, errors.first()) {
        (None, Some((code, message))) => (*code, message.as_str()),
        (refusal, _) => (NO_START, refusal.unwrap_or("warnings count as errors here")),
    };
    let mut codes: Vec<&str> = errors.iter().map(|(code, _)| *code).collect();
    codes.sort_unstable();
    codes.dedup();
    event
        .with("error.code", code)
        .with("error.codes", codes.into_iter().map(Value::from).collect::<Vec<_>>())
        .with("error.message", message)
        .with("error.severity", "error")
}
