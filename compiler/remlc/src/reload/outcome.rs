//! What became of a reload, and how is it told: to people, to tools, to the audit log?

use std::io::{self, Write};
use std::path::Path;

use reml_audit::{Event, EventKind, Uuid};
use reml_bridge::RuntimeBridgeDescriptor;
use reml_bridge::config::change::Change;
use reml_bridge::events;
use reml_bridge::reload::RollbackInfo;
use reml_capability::stage::Stage;
use reml_driver::bridges::Bridges;
use serde_json::{Value, json};

use super::{Args, Format};
use crate::options::Output;
use crate::report::{self, Subject};
use crate::{FAILURE, config, output};

pub struct Outcome {
    pub status: Status,
    pub bridge: Option<(String, Stage)>,
    pub audit_id: Option<Uuid>,
    /// The run that is current now.
    pub run_id: Option<Uuid>,
    pub changes: Vec<Change>,
    pub change_set: Option<Value>,
    /// Whether what uses the old values could break; absent where the difference was refused, or nobody has looked at it.
    pub breaking: Option<bool>,
    /// What takes the reload back, or has been taken back.
    pub rollback: Option<RollbackInfo>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Applied,
    /// The difference is empty.
    Unchanged,
    /// A dry run has found nothing wrong.
    Accepted,
    Rejected,
    Failed,
    RolledBack,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Status::Applied => "applied",
            Status::Unchanged => "unchanged",
            Status::Accepted => "accepted",
            Status::Rejected => "rejected",
            Status::Failed => "failed",
            Status::RolledBack => "rolled_back",
        }
    }

    pub fn is_fine(self) -> bool {
        !matches!(self, Status::Rejected | Status::Failed)
    }
}

impl Outcome {
    /// Nothing has happened, and nothing will.
    pub fn new() -> Outcome {
        Outcome {
            status: Status::Rejected,
            bridge: None,
            audit_id: None,
            run_id: None,
            changes: Vec::new(),
            change_set: None,
            breaking: None,
            rollback: None,
        }
    }

    /// As the command is recorded in the audit log.
    pub fn event(&self, bridge: &RuntimeBridgeDescriptor, state: &Path) -> Event {
        let event = events::event(EventKind::RemlReload, bridge)
            .with("audit_id", self.audit_id.map(|id| id.to_string()))
            .with("config.path", state.display().to_string())
            .with("run_id", self.run_id.map(|id| id.to_string()))
            .with("status", self.status.name());
        match &self.change_set {
            Some(changes) => event.change_set(changes.clone()),
            None => event,
        }
    }

    pub fn show(&self, args: &Args, found: &Bridges) {
        let subject = Subject::new("reload", "Reload", &args.state, false);
        match args.format {
            Format::Human => {
                output::write(self.told(args).as_bytes());
                report::show(&found.diagnostics, &found.sources, "Execution", &subject, &Output::default());
            }
            Format::Json => {
                // People read the audit id in a sentence; a service keeps this line.
                if let Some(audit_id) = self.audit_id {
                    let audit_id = audit_id.to_string();
                    let line = json!({ "event": "reml.reload", "audit_id": audit_id, "change_set": self.change_set });
                    let _ = writeln!(io::stderr().lock(), "{line}");
                }
                let result = json!({
                    "command": "reload",
                    "state": args.state.display().to_string(),
                    "diff": args.diff.as_ref().map(|path| path.display().to_string()),
                    "dry_run": args.dry_run,
                    "bridge": self.bridge.as_ref().map(|(id, stage)| json!({ "id": id, "stage": stage.name() })),
                    "result": self.to_json(),
                    "diagnostics": config::list(&found.diagnostics, &found.sources),
                    "exit_code": if self.status.is_fine() { 0 } else { FAILURE },
                });
                output::write(format!("{result:#}\n").as_bytes());
            }
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "status": self.status.name(),
            "audit_id": self.audit_id.map(|id| id.to_string()),
            "run_id": self.run_id.map(|id| id.to_string()),
            "breaking": self.breaking,
            "change_set": self.change_set,
            "rollback": self.rollback.as_ref().map(RollbackInfo::to_json),
        })
    }

    /// The changes, and a sentence.
    fn told(&self, args: &Args) -> String {
        if !self.status.is_fine() {
            return String::new();
        }
        let changes = self.changes.iter().map(|it| config::line(&it.path.to_string(), &it.previous, &it.current));
        let mut text: String = changes.collect();
        let state = args.state.display();
        let count = match self.changes.len() {
            1 => "1 change".to_owned(),
            count => format!("{count} changes"),
        };
        let breaking = if self.breaking == Some(true) { "; what uses the old values could break" } else { "" };
        let audit_id = self.audit_id.map(|id| format!(" (audit id {id})")).unwrap_or_default();
        text.push_str(&match self.status {
            Status::Applied => format!("`{state}` was reloaded with {count}{audit_id}{breaking}\n"),
            Status::Unchanged => format!("`{state}` stays as it is: the difference is empty\n"),
            Status::Accepted if args.rollback => format!("`{state}` can be rolled back with {count}\n"),
            Status::Accepted => format!("`{state}` can be reloaded with {count}{breaking}\n"),
            Status::RolledBack => format!("`{state}` was rolled back with {count}{audit_id}\n"),
            Status::Rejected | Status::Failed => String::new(),
        });
        text
    }
}
