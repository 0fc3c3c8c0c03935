//! `remlc reload`: bring a difference into a state that is in use, or take the last one back.
//!
//! The state is locked while it is reloaded. Everything that can be wrong is found before anything is changed; a dry run stops there.

mod outcome;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use reml_audit::sinks::Stream;
use reml_audit::{Sink, Uuid};
use reml_bridge::config::change;
use reml_bridge::config::review::review;
use reml_bridge::config::state::FORMAT;
use reml_bridge::config::store::{self, Locked, StoreError};
use reml_bridge::reload::{ReloadError, ReloadRequest};
use reml_bridge::{
    BridgeRequest, RollbackPolicy, RuntimeBridgeDescriptor, RuntimeBridgeError, RuntimeBridgeHandle,
    RuntimeBridgeReloadSpec, runtime_bridge_registry,
};
use reml_diagnostics::codes::{self, Code};
use reml_diagnostics::{Diagnostic, Span};
use reml_driver::bridges::{self, Bridges};
use reml_driver::package::MANIFEST;
use reml_driver::pipeline::{AUDIT_VARIABLE, audit_log};
use reml_driver::reload::{self, Difference, State};
use reml_driver::system::{OsSystem, System};

use crate::FAILURE;
use outcome::{Outcome, Status};

/// So long others may reload the same state.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(clap::Args)]
pub struct Args {
    /// The state: a file in JSON with values, their schema, and what was reloaded before
    state: PathBuf,
    /// The difference, as `remlc config diff --format json` prints it
    #[arg(required_unless_present = "rollback", conflicts_with = "rollback")]
    diff: Option<PathBuf>,
    /// Find out whether it could be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Take the last reload back
    #[arg(long)]
    rollback: bool,
    /// Record what is done in this audit log, which continues if it exists; without FILE, on standard error
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    audit: Option<Option<PathBuf>>,
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
    /// Reload through this bridge [default: the one that the state names, or `core.config`]
    #[arg(long, value_name = "ID")]
    bridge: Option<String>,
    /// Where bridges are declared
    #[arg(long, value_name = "PATH", default_value = MANIFEST)]
    manifest: PathBuf,
    /// The target profile, for bridges that work on some only
    #[arg(long, value_name = "ID")]
    target_profile: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Json,
    /// The changes, and what became of them
    Human,
}

pub fn execute(args: &Args) -> ExitCode {
    let mut run = Run { args, bridges: Bridges::default(), outcome: Outcome::new() };
    // What stops it has been added to the diagnostics.
    let _ = if args.rollback { run.roll_back() } else { run.reload() };
    let Run { bridges, outcome, .. } = run;
    outcome.show(args, &bridges);
    if outcome.status.is_fine() { ExitCode::SUCCESS } else { ExitCode::from(FAILURE) }
}

struct Run<'a> {
    args: &'a Args,
    /// Also holds the sources and all that was noticed.
    bridges: Bridges,
    outcome: Outcome,
}

/// It cannot go on; the diagnostics say why.
struct Stopped;

impl Run<'_> {
    fn reload(&mut self) -> Result<(), Stopped> {
        let (state, locked) = self.state()?;
        let (bridge, spec) = self.bridge(&state)?;
        let diff = self.difference(&spec)?;
        self.outcome.changes = diff.set.changes.clone();
        self.outcome.change_set = Some(diff.change_set.clone());
        self.outcome.breaking = self.review(&state, &diff);
        let accepted = self.outcome.breaking.is_some();
        if self.args.dry_run || accepted && diff.set.changes.is_empty() {
            if accepted {
                self.outcome.status = if self.args.dry_run { Status::Accepted } else { Status::Unchanged };
            }
            return Ok(());
        }
        // A refusal is recorded where there is a log; it does not need one.
        if !accepted && !self.has_log() {
            return Ok(());
        }
        let (handle, sink) = self.acquire(bridge)?;
        let request = self.request(diff.change_set.clone());
        let reload = handle.reload().map_err(|error| self.fail(&error))?;
        let mut state = locked.ok_or(Stopped)?.understood(state.document, state.schema, state.validate);
        match reload.reload(&mut state, &diff.set, &request) {
            Ok(info) => {
                self.outcome.status = Status::Applied;
                self.outcome.rollback = Some(info);
            }
            // What is wrong with the difference was told by the review, at its places.
            Err(ReloadError::ValidationFailed(_)) if !accepted => {}
            Err(error) => {
                self.outcome.status = Status::Failed;
                self.outcome.rollback = error.way_back().cloned();
                let id = handle.id().to_owned();
                self.fail(&RuntimeBridgeError::ReloadFailure { id, error });
            }
        }
        self.outcome.run_id = Some(state.run_id);
        self.record(&handle, sink.as_deref());
        Ok(())
    }

    fn roll_back(&mut self) -> Result<(), Stopped> {
        let (state, locked) = self.state()?;
        let (bridge, spec) = self.bridge(&state)?;
        if spec.rollback == RollbackPolicy::Unsupported {
            let detail = "has no way back from a reload".to_owned();
            return Err(self.fail(&RuntimeBridgeError::ReloadUnsupported { id: bridge.id, detail }));
        }
        let path = &self.args.state;
        let refuse = |why: String| Diagnostic::error(codes::BRIDGE_DIFF_REJECTED, Span::NONE, why);
        let info = store::last_reload(&state.document).cloned();
        let info = info.map_err(|why| self.stop(refuse(format!("`{}` is not rolled back: {why}", path.display()))))?;
        let failed = |why| Diagnostic::error(codes::BRIDGE_RELOAD_FAILED, Span::NONE, why);
        let earlier = store::earlier(path, &info.point).map_err(|why| self.stop(failed(why)))?;
        let set = change::compare(&state.document.values, &earlier.document.values);
        let change_set = set.summary();
        self.outcome.changes = set.changes;
        self.outcome.change_set = Some(change_set.clone());
        self.outcome.rollback = Some(info.clone());
        if self.args.dry_run {
            self.outcome.status = Status::Accepted;
            return Ok(());
        }
        let (handle, sink) = self.acquire(bridge)?;
        let request = self.request(change_set);
        let reload = handle.reload().map_err(|error| self.fail(&error))?;
        let mut state = locked.ok_or(Stopped)?.understood(state.document, state.schema, state.validate);
        match reload.roll_back(&mut state, &info, &request) {
            Ok(()) => self.outcome.status = Status::RolledBack,
            Err(error) => {
                self.outcome.status = Status::Failed;
                self.fail(&error);
            }
        }
        self.outcome.run_id = Some(state.run_id);
        self.record(&handle, sink.as_deref());
        Ok(())
    }

    /// Reads the state; locks it, unless nothing is going to be changed.
    fn state(&mut self) -> Result<(State, Option<Locked>), Stopped> {
        let path = &self.args.state;
        let read = if self.args.dry_run {
            store::read(path).map(|(_, bytes)| (bytes, None))
        } else {
            Locked::open(path, PATIENCE).map(|locked| (locked.bytes.clone(), Some(locked)))
        };
        let (bytes, locked) = read.map_err(|error| {
            let code = match error {
                StoreError::Busy { .. } | StoreError::Io { .. } => codes::BRIDGE_RELOAD_FAILED,
                _ => codes::CONFIG_IO,
            };
            self.stop(Diagnostic::error(code, Span::NONE, error.to_string()))
        })?;
        let Bridges { sources, diagnostics, .. } = &mut self.bridges;
        let state = reload::state(path, bytes, sources, diagnostics).ok_or(Stopped)?;
        self.outcome.run_id = state.document.run_id;
        Ok((state, locked))
    }

    /// The bridge that is meant, and how it reloads.
    fn bridge(&mut self, state: &State) -> Result<(RuntimeBridgeDescriptor, RuntimeBridgeReloadSpec), Stopped> {
        let manifest = &self.args.manifest;
        if manifest != Path::new(MANIFEST) || OsSystem.is_file(manifest) {
            self.bridges.read(manifest, &OsSystem);
            if self.bridges.failed() {
                return Err(Stopped);
            }
        }
        let named = state.document.bridge.as_deref();
        let at = state.bridge_span(&self.bridges.sources);
        let id = match (self.args.bridge.as_deref(), named) {
            (Some(wanted), Some(named)) if wanted != named => {
                let message = format!("this state is reloaded through the bridge `{named}`, not `{wanted}`");
                return Err(self.stop(Diagnostic::error(codes::BRIDGE_CONTRACT, at, message)));
            }
            (wanted, named) => wanted.or(named).map_or_else(|| bridges::builtin().id, str::to_owned),
        };
        let Some(bridge) = self.bridges.find(&id) else {
            let unknown = self.bridges.unknown(&id, if named.is_some() { at } else { Span::NONE });
            return Err(self.stop(unknown));
        };
        self.outcome.bridge = Some((bridge.id.clone(), bridge.stage));
        let Some(spec) = bridge.reload.clone() else {
            let detail = "says nothing of reloading, so nothing is reloaded through it".to_owned();
            return Err(self.fail(&RuntimeBridgeError::ReloadUnsupported { id, detail }));
        };
        if spec.state_format != FORMAT {
            let detail = format!("reloads states of the format `{}`, and this is one of `{FORMAT}`", spec.state_format);
            return Err(self.fail(&RuntimeBridgeError::ReloadUnsupported { id, detail }));
        }
        Ok((bridge, spec))
    }

    fn difference(&mut self, spec: &RuntimeBridgeReloadSpec) -> Result<Difference, Stopped> {
        let path = self.args.diff.as_deref().ok_or(Stopped)?;
        let Bridges { sources, diagnostics, .. } = &mut self.bridges;
        reload::difference(path, &spec.diff_format, &OsSystem, sources, diagnostics).ok_or(Stopped)
    }

    /// Whether the difference breaks something; `None` if it is refused.
    fn review(&mut self, state: &State, diff: &Difference) -> Option<bool> {
        match review(&state.document.values, state.schema.as_ref(), &*state.validate, &diff.set) {
            Ok(accepted) => Some(accepted.breaking),
            Err(problems) => {
                let sources = &self.bridges.sources;
                let refused = problems.iter().map(|problem| diff.refused(problem, state, sources));
                self.bridges.diagnostics.extend(refused);
                None
            }
        }
    }

    fn acquire(
        &mut self,
        bridge: RuntimeBridgeDescriptor,
    ) -> Result<(RuntimeBridgeHandle, Option<Arc<dyn Sink>>), Stopped> {
        let sink =
            self.sink().map_err(|why| self.stop(Diagnostic::error(codes::BRIDGE_MISSING_EVENT, Span::NONE, why)))?;
        let registry = runtime_bridge_registry();
        registry.set_sink(sink.clone());
        reml_capability::registry().set_sink(sink.clone());
        let state = self.args.state.display().to_string();
        let file = self.args.state.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let request = BridgeRequest {
            admitted: self.bridges.admitted,
            target_profile: self.args.target_profile.clone(),
            diff: self.diff_name(),
            requested_by: requested_by(),
            pipeline_id: format!("dsl://{state}"),
            pipeline_dsl_id: file,
            ..BridgeRequest::default()
        };
        let id = bridge.id.clone();
        let acquired = registry.register_bridge(bridge).and_then(|()| registry.acquire_bridge(&id, &request));
        let handle = acquired.map_err(|error| self.fail(&error))?;
        self.bridges.diagnostics.extend(
            handle.diagnostics.iter().map(|it| Diagnostic::warning(code(it.code), Span::NONE, it.message.clone())),
        );
        Ok((handle, sink))
    }

    fn has_log(&self) -> bool {
        self.args.audit.is_some() || std::env::var_os(AUDIT_VARIABLE).is_some()
    }

    /// Where the reload is recorded: as the option says, or the environment.
    fn sink(&self) -> Result<Option<Arc<dyn Sink>>, String> {
        match &self.args.audit {
            Some(None) => Ok(Some(Arc::new(Stream::stderr()))),
            Some(Some(path)) => audit_log(path).map(Some),
            None => std::env::var_os(AUDIT_VARIABLE).map(|path| audit_log(Path::new(&path))).transpose(),
        }
    }

    fn request(&mut self, change_set: serde_json::Value) -> ReloadRequest {
        let audit_id = Uuid::now_v7();
        self.outcome.audit_id = Some(audit_id);
        ReloadRequest {
            audit_id: Some(audit_id),
            requested_by: requested_by(),
            diff: self.diff_name(),
            change_set,
            breaking: self.outcome.breaking.unwrap_or_default(),
        }
    }

    fn diff_name(&self) -> String {
        self.args.diff.as_ref().map_or_else(|| "--rollback".to_owned(), |path| path.display().to_string())
    }

    /// The event of the command, beside those of the bridge.
    fn record(&mut self, handle: &RuntimeBridgeHandle, sink: Option<&dyn Sink>) {
        let event = self.outcome.event(handle.descriptor(), &self.args.state);
        let flush = || sink.map_or(Ok(()), Sink::flush).map_err(|error| error.to_string());
        let recorded = handle.log(&event).map_err(|error| error.to_string()).and_then(|()| flush());
        if let Err(why) = recorded {
            let message = format!("what was done is not recorded completely: {why}");
            self.bridges.diagnostics.push(Diagnostic::warning(codes::BRIDGE_MISSING_EVENT, Span::NONE, message));
        }
    }

    fn stop(&mut self, diagnostic: Diagnostic) -> Stopped {
        self.bridges.diagnostics.push(diagnostic);
        Stopped
    }

    fn fail(&mut self, error: &RuntimeBridgeError) -> Stopped {
        let diagnostic = Diagnostic::error(code(error.code()), Span::NONE, error.to_string());
        self.stop(match error {
            RuntimeBridgeError::AuditIncomplete { .. } => {
                diagnostic.with_help(format!("record it with `--audit FILE`, or set `{AUDIT_VARIABLE}`"))
            }
            _ => diagnostic,
        })
    }
}

fn requested_by() -> String {
    "remlc reload".to_owned()
}

/// The code with this name.
fn code(name: &str) -> Code {
    codes::ALL.iter().copied().find(|code| code.0 == name).unwrap_or(codes::BRIDGE_CONTRACT)
}
