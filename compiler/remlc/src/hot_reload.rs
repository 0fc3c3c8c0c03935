//! `remlc run --hot-reload`: compiles the program again whenever a source file is saved, and says what became of that.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread;

use reml_audit::{Event as AuditEvent, EventKind};
use reml_capability::gate::Gate;
use reml_driver::pipeline::{Changes, Compilation, Event, Options, Versions};
use reml_driver::stack::with_large_stack;
use reml_driver::system::OsSystem;
use reml_driver::watch::Watch;
use serde_json::json;

use crate::options::Output;
use crate::report::{self, Subject};

/// What events of the audit log say who wanted a reload.
const REQUESTED_BY: &str = "remlc run --hot-reload";
/// The bridge that they are about.
const BRIDGE: &str = "remlc.hot_reload";
const STAGE: &str = "experimental";

/// Compiles the later versions of a program.
pub struct Reloader {
    pub versions: Arc<Versions>,
    input: PathBuf,
    options: Options,
    output: Output,
    reporter: Arc<Reporter>,
}

impl Reloader {
    pub fn new(input: &Path, options: &Options, output: &Output) -> Reloader {
        let reporter = Arc::new(Reporter { quiet: output.quiet, run_id: report::new_id(), gate: OnceLock::new() });
        let reports = Arc::clone(&reporter);
        // What was asked of the first version alone is not asked of the others.
        let options = Options { emit: Vec::new(), measure: false, ..options.clone() };
        let output = Output { timings: None, ..output.clone() };
        let versions = Arc::new(Versions::new(move |event| reports.event(&event)));
        Reloader { versions, input: input.to_owned(), options, output, reporter }
    }

    /// Begins to watch the files of the first version, which has been compiled, and records what happens in the log of the gate.
    ///
    /// # Errors
    ///
    /// Why they cannot be watched, in words.
    pub fn watch(self, first: &Compilation<'_>, gate: &Arc<Gate>) -> Result<Arc<Versions>, String> {
        let mut watch = Watch::new()?;
        watch.add(first.folders())?;
        // It is set once, here.
        self.reporter.gate.set(Arc::clone(gate)).ok();
        let versions = Arc::clone(&self.versions);
        let mut texts = first.own_texts();
        self.reporter.say("watching the source files");
        let compile = move || {
            while watch.wait() {
                with_large_stack(|| self.compile(&mut texts, &mut watch));
            }
        };
        let started = thread::Builder::new().name("remlc reload".into()).spawn(compile);
        started.map(|_| versions).map_err(|problem| format!("files cannot be watched: {problem}"))
    }

    /// Compiles what is there now, unless `texts` say that it is what was there before.
    fn compile(&self, texts: &mut Vec<(PathBuf, String)>, watch: &mut Watch) {
        loop {
            let ticket = self.versions.ticket();
            let options = Options { lineage: Some(ticket.lineage.clone()), ..self.options.clone() };
            let mut compilation = Compilation::new(&OsSystem, options);
            let checked = compilation.check(&self.input);
            let found = compilation.own_texts();
            if checked && found == *texts {
                return;
            }
            if let Err(problem) = watch.add(compilation.folders()) {
                report::plain_error(&problem);
            }
            let offered = match checked && compilation.lower() {
                true => compilation.offer(&self.versions, &ticket),
                false => None,
            };
            // Another version has come into force meanwhile: this one has to fit to that.
            if offered == Some(false) {
                continue;
            }
            *texts = found;
            let subject = Subject::new("run", "Run", &self.input, self.options.fail_on_warning);
            report::diagnostics(&compilation, &subject, &self.output);
            match offered {
                Some(_) => {
                    self.reporter.say("compiled; it comes into force when the next function of the program is called")
                }
                None => {
                    // Without a text that is known to be compiled, the next save is compiled in any case.
                    texts.clear();
                    let reasons: Vec<&str> = compilation.diagnostics.iter().map(|found| &*found.message).collect();
                    self.reporter.rejected(&reasons.join("; "));
                }
            }
            return;
        }
    }
}

/// Says what becomes of versions, on standard error and in the audit log.
struct Reporter {
    quiet: bool,
    run_id: String,
    gate: OnceLock<Arc<Gate>>,
}

impl Reporter {
    fn say(&self, message: &str) {
        if !self.quiet {
            // The program goes on even where nobody reads this.
            let _ = writeln!(io::stderr().lock(), "reload: {message}");
        }
    }

    fn event(&self, event: &Event) {
        match event {
            Event::Reloaded(changes) => {
                self.say(&format!("in force: {}", describe(changes)));
                self.record(EventKind::BridgeReload, "applied", Some(changes), None);
            }
            Event::RolledBack { changes, reason } => {
                let why = match reason {
                    Some(reason) => format!("its check says: {reason}"),
                    None => "it has panicked".to_owned(),
                };
                self.say(&format!("rolled back, since {why}; the program goes on as it was"));
                self.record(EventKind::BridgeRollback, "rolled_back", Some(changes), Some(&why));
            }
        }
    }

    fn rejected(&self, reason: &str) {
        self.say("rejected; the program goes on as it was");
        self.record(EventKind::BridgeRollback, "rejected", None, Some(reason));
    }

    fn record(&self, kind: EventKind, status: &str, changes: Option<&Changes>, reason: Option<&str>) {
        let Some(sink) = self.gate.get().and_then(|gate| gate.sink()) else { return };
        let mut event = AuditEvent::new(kind)
            .with("audit_id", report::new_id())
            .with("run_id", self.run_id.as_str())
            .with("bridge.id", BRIDGE)
            .with("bridge.stage.required", format!("at_least:{STAGE}"))
            .with("bridge.stage.actual", STAGE)
            .with("bridge.reload", status)
            .with("bridge.reload.diff", changes.map_or_else(String::new, describe))
            .with("bridge.reload.requested_by", REQUESTED_BY);
        if let Some(reason) = reason {
            event = event.with("bridge.reload.detail", reason);
        }
        if let Some(changes) = changes {
            event = event.change_set(json!({
                "added": changes.added,
                "changed": changes.changed,
                "removed": changes.removed,
                "evaluated": changes.evaluated,
                "kept": changes.kept,
            }));
        }
        if let Err(problem) = sink.log(&event) {
            report::plain_error(&format!("the audit log is not complete: {problem}"));
        }
    }
}

/// The changes on one line.
fn describe(changes: &Changes) -> String {
    let parts = [
        ("changed", &changes.changed),
        ("added", &changes.added),
        ("removed", &changes.removed),
        ("computed anew", &changes.evaluated),
        ("keeps its value:", &changes.kept),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(word, names)| format!("{word} {}", names.iter().map(|name| &**name).collect::<Vec<_>>().join(", ")))
        .collect();
    if parts.is_empty() { "no code is different".to_owned() } else { parts.join("; ") }
}
