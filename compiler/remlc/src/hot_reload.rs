//! `remlc run --hot-reload`: compiles the program again whenever a source file is saved, and says what became of that.

use std::io::{self, Write};
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use reml_audit::{Timestamp, Uuid};
use reml_bridge::RuntimeBridgeDescriptor;
use reml_bridge::events::{ReloadRecord, ReloadStatus};
use reml_capability::gate::Gate;
use reml_capability::policy::{self, Power};
use reml_driver::pipeline::{Changes, Compilation, Event, Options, Versions};
use reml_driver::stack::with_large_stack;
use reml_driver::system::OsSystem;
use reml_driver::watch::Watch;
use serde_json::json;

use crate::options::Output;
use crate::panic;
use crate::report::{self, Subject};

/// What events of the audit log say who wanted a reload.
const REQUESTED_BY: &str = "remlc run --hot-reload";
/// The bridge that they are about.
const BRIDGE: &str = "remlc.hot_reload";

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
        let reporter = Arc::new(Reporter {
            quiet: output.quiet,
            run_id: Uuid::now_v7(),
            last_applied: Mutex::default(),
            gate: OnceLock::new(),
        });
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
        let gate = Arc::clone(gate);
        let versions = Arc::clone(&self.versions);
        let mut seen = Seen { fine: true, texts: first.own_texts() };
        panic::end_only(thread::current().id());
        self.reporter.say("watching the source files");
        let compile = move || {
            while watch.wait() {
                let compile = || with_large_stack(|| self.compile(&mut seen, &mut watch, &gate));
                // A mistake of the compiler's, which has been reported, is none of the program's.
                if std::panic::catch_unwind(AssertUnwindSafe(compile)).is_err() {
                    self.reporter.rejected("remlc has panicked");
                }
            }
        };
        let started = thread::Builder::new().name("remlc reload".into()).spawn(compile);
        started.map(|_| versions).map_err(|problem| format!("files cannot be watched: {problem}"))
    }

    /// Compiles what is there now, unless it is what was seen before.
    fn compile(&self, seen: &mut Seen, watch: &mut Watch, gate: &Gate) {
        let permits = |subject: &policy::Subject<'_>| gate.permits(Power::Ffi, subject);
        loop {
            let ticket = self.versions.ticket();
            let options = Options { lineage: Some(ticket.lineage.clone()), ..self.options.clone() };
            let mut compilation = Compilation::new(&OsSystem, options);
            let checked = compilation.check(&self.input);
            let found = Seen { fine: checked, texts: compilation.own_texts() };
            if found == *seen {
                return;
            }
            if let Err(problem) = watch.add(compilation.folders()) {
                report::plain_error(&problem);
            }
            let offered = match checked && compilation.lower() {
                true => compilation.offer(&permits, &self.versions, &ticket),
                false => None,
            };
            // Another version has come into force meanwhile: this one has to fit to that.
            if offered == Some(false) {
                continue;
            }
            *seen = found;
            let subject = Subject::new("run", "Run", &self.input, self.options.fail_on_warning);
            report::diagnostics(&compilation, &subject, &self.output);
            match offered {
                Some(_) => {
                    self.reporter.say("compiled; it comes into force when the next function of the program is called")
                }
                None => {
                    let reasons: Vec<&str> = compilation.diagnostics.iter().map(|found| &*found.message).collect();
                    self.reporter.rejected(&reasons.join("; "));
                }
            }
            return;
        }
    }
}

/// What the latest compilation was about. Several events may tell of one save.
#[derive(PartialEq, Eq)]
struct Seen {
    /// It passed the checks: a manifest can change that, too.
    fine: bool,
    texts: Vec<(PathBuf, String)>,
}

/// Says what becomes of versions, on standard error and in the audit log.
struct Reporter {
    quiet: bool,
    run_id: Uuid,
    last_applied: Mutex<Option<Timestamp>>,
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
                self.record("bridge.reload", ReloadStatus::Applied, Some(changes), None);
            }
            Event::RolledBack { changes, why } => {
                self.say(&format!("rolled back, since {why}; the program goes on as it was"));
                self.record("bridge.rollback", ReloadStatus::RolledBack, Some(changes), Some(why));
            }
        }
    }

    fn rejected(&self, why: &str) {
        self.say("rejected; the program goes on as it was");
        self.record("bridge.rollback", ReloadStatus::Rejected, None, Some(why));
    }

    fn record(&self, kind: &str, status: ReloadStatus, changes: Option<&Changes>, why: Option<&str>) {
        let Some(sink) = self.gate.get().and_then(|gate| gate.sink()) else { return };
        let described = changes.map_or_else(String::new, describe);
        let change_set = changes.map(|changes| {
            json!({
                "added": changes.added,
                "changed": changes.changed,
                "removed": changes.removed,
                "evaluated": changes.evaluated,
                "kept": changes.kept,
            })
        });
        let record = ReloadRecord {
            status,
            diff: &described,
            requested_by: REQUESTED_BY,
            audit_id: Some(Uuid::now_v7()),
            run_id: self.run_id,
            last_applied_at: *self.last_applied.lock().unwrap_or_else(PoisonError::into_inner),
            change_set: change_set.as_ref(),
            breaking: false,
            detail: why,
        };
        if let Err(problem) = sink.log(&record.event(kind, &RuntimeBridgeDescriptor::new(BRIDGE))) {
            report::plain_error(&format!("the audit log is not complete: {problem}"));
        }
        if status == ReloadStatus::Applied {
            *self.last_applied.lock().unwrap_or_else(PoisonError::into_inner) = Some(Timestamp::now());
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
