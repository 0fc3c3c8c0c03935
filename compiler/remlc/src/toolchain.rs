//! `remlc toolchain`: what does this toolchain consist of, and does it agree with a target?

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use clap::Subcommand;
use reml_audit::{Event, EventKind, SCHEMA_VERSION};
use reml_diagnostics::render::diagnostic_json;
use reml_driver::pipeline::{AUDIT_VARIABLE, audit_log};
use reml_driver::system::{OsSystem, timestamp};
use reml_driver::toolchain::{self, Outcome, Report};
use serde_json::{Value, json};

use crate::options::ReportFormat;
use crate::report::{self, plain_error};
use crate::{FAILURE, output};

/// The event, and its kind in the audit log.
const VERIFY: &str = "toolchain.verify";

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List the parts of this toolchain, and the profiles that it makes code for.
    List {
        #[arg(long, value_enum, default_value_t = ReportFormat::Human)]
        format: ReportFormat,
    },
    /// Find out whether compiler, library, runtime and linker agree with a target; builds and runs a small program.
    Verify {
        /// A profile [default: what the environment says, or this machine]
        profile: Option<String>,
        #[arg(long, value_enum, default_value_t = ReportFormat::Human)]
        format: ReportFormat,
        /// Record the report in this audit log, which continues if it exists
        #[arg(long, value_name = "FILE")]
        audit: Option<PathBuf>,
    },
}

pub fn execute(args: Args) -> ExitCode {
    match args.action {
        Action::List { format } => list(format),
        Action::Verify { profile, format, audit } => verify(profile.as_deref(), format, audit),
    }
}

fn list(format: ReportFormat) -> ExitCode {
    let (toolchain, profiles) = (toolchain::this(&OsSystem), toolchain::profiles(&OsSystem));
    let ids: Vec<&str> = profiles.iter().map(|known| &*known.id).collect();
    let text = match format {
        ReportFormat::Json => {
            let mut all = toolchain.to_json();
            all["profiles"] = json!(ids);
            format!("{all:#}\n")
        }
        ReportFormat::Human => {
            let library =
                toolchain.library.as_ref().map_or("inside of remlc".to_owned(), |it| it.display().to_string());
            let version = toolchain.version;
            [
                ("remlc", version),
                ("triple", &toolchain.triple),
                ("data layout", toolchain.data_layout.unwrap_or("not known")),
                ("library", &format!("{version}, {library}")),
                ("runtime", version),
                ("linker", &toolchain.linker),
                ("profiles", &ids.join(" ")),
            ]
            .map(|(name, value)| format!("{name:<13}{value}\n"))
            .concat()
        }
    };
    output::write(text.as_bytes());
    ExitCode::SUCCESS
}

fn verify(profile: Option<&str>, format: ReportFormat, audit: Option<PathBuf>) -> ExitCode {
    let found = toolchain::verify(profile, &OsSystem);
    let status = if found.verified() { 0 } else { FAILURE };
    let audit = audit.or_else(|| std::env::var_os(AUDIT_VARIABLE).map(PathBuf::from));
    if let Some(path) = audit
        && let Err(problem) = record(&path, &found)
    {
        plain_error(&format!("the report cannot be recorded: {problem}"));
        return ExitCode::from(FAILURE);
    }
    match format {
        ReportFormat::Json => output::write(format!("{:#}\n", as_json(&found, status)).as_bytes()),
        ReportFormat::Human => {
            report::on_stderr(&found.diagnostics, &found.sources);
            output::write(lines(&found).as_bytes());
        }
    }
    ExitCode::from(status)
}

fn as_json(found: &Report, status: u8) -> Value {
    let now = timestamp(SystemTime::now());
    let diagnostics = found.diagnostics.iter().map(|it| diagnostic_json(it, &found.sources, &now));
    let mut all = json!({ "command": VERIFY, "schema_version": SCHEMA_VERSION });
    let parts = found.to_json().as_object().cloned().unwrap_or_default();
    all.as_object_mut().into_iter().for_each(|object| object.extend(parts.clone()));
    all["diagnostics"] = diagnostics.collect();
    all["exit_code"] = json!(status);
    all
}

/// A line for each check, and one for all.
fn lines(found: &Report) -> String {
    let mut text = String::new();
    for check in &found.checks {
        let word = match check.outcome {
            Outcome::Passed => "ok",
            Outcome::Failed => "FAILED",
            Outcome::Skipped => "skipped",
        };
        let told = match (&check.requested, &check.detected) {
            (Some(asked), Some(here)) if asked != here => format!("{asked}, found {here}"),
            (Some(value), _) | (None, Some(value)) => value.clone(),
            (None, None) => String::new(),
        };
        text.push_str(format!("{word:<9}{:<21}{told}", check.name).trim_end());
        text.push('\n');
    }
    let target = found.target.get("profile_id").or(found.target.get("triple")).and_then(Value::as_str).unwrap_or("?");
    let verdict = if found.verified() { "agrees" } else { "does not agree" };
    text + &format!("the toolchain {verdict} with `{target}`\n")
}

fn record(path: &Path, found: &Report) -> Result<(), String> {
    let event = Event::new(EventKind::named(VERIFY))
        .with("target.profile_id", found.to_json()["profile_id"].clone())
        .with("toolchain.verified", found.verified())
        .with("event", found.to_json());
    let sink = audit_log(path)?;
    sink.log(&event).and_then(|()| sink.flush()).map_err(|problem| problem.to_string())
}
