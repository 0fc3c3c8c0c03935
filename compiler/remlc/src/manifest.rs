//! `remlc manifest`: what does a package's `reml.toml` say?

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use reml_driver::files;
use reml_driver::link::describe;
use reml_driver::manifest::{self, Dump};
use reml_driver::system::OsSystem;
use serde_json::Value;

use crate::FAILURE;
use crate::options::{self, Output, ReportFormat};
use crate::output;
use crate::report::{self, Subject};

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print all of a manifest, with defaults, and with the signatures of what the program exports as DSLs.
    Dump(DumpArgs),
    /// Write the signatures of exported DSLs into the manifest, with the capabilities and the stage that they need.
    Sync(SyncArgs),
}

#[derive(clap::Args)]
struct DumpArgs {
    /// The manifest
    #[arg(long, value_name = "PATH", default_value = "reml.toml")]
    manifest: PathBuf,
    #[arg(long, value_enum, default_value_t = ReportFormat::Json)]
    format: ReportFormat,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
}

#[derive(clap::Args)]
struct SyncArgs {
    /// The manifest
    #[arg(long, value_name = "PATH", default_value = "reml.toml")]
    manifest: PathBuf,
    /// Change nothing; exit with 1 when the manifest is not in step with the program
    #[arg(long)]
    check: bool,
}

pub fn execute(args: Args) -> ExitCode {
    match args.command {
        Command::Dump(args) => dump(&args),
        Command::Sync(args) => sync(&args),
    }
}

fn dump(args: &DumpArgs) -> ExitCode {
    let subject = Subject::new("dump", "Manifest", &args.manifest, false);
    let Dump { sources, diagnostics, manifest } = manifest::dump(&args.manifest, &OsSystem);
    let format = match (&manifest, args.format) {
        // Tools that wait for JSON get JSON; beside a manifest, warnings are for people.
        (None, ReportFormat::Json) => options::Format::Json,
        _ => options::Format::Human,
    };
    report::show(&diagnostics, &sources, "Parsing", &subject, &Output { format: Some(format), ..Output::default() });
    let Some(manifest) = manifest else { return ExitCode::from(FAILURE) };
    let text = match args.format {
        ReportFormat::Json => format!("{manifest:#}\n"),
        ReportFormat::Human => {
            let mut text = String::new();
            lines(&manifest, "", &mut text);
            text
        }
    };
    match &args.output {
        None => output::write(text.as_bytes()),
        Some(path) if output::write_file(path, text.as_bytes(), &args.manifest) => {}
        Some(_) => return ExitCode::from(FAILURE),
    }
    ExitCode::SUCCESS
}

fn sync(args: &SyncArgs) -> ExitCode {
    let shown = args.manifest.display();
    let found = manifest::sync(&args.manifest, &OsSystem);
    let subject = Subject::new("sync", "Manifest", &args.manifest, false);
    report::show(&found.diagnostics, &found.sources, "Parsing", &subject, &Output::default());
    let Some(text) = found.text else { return ExitCode::from(FAILURE) };
    if found.changed.is_empty() {
        return ExitCode::SUCCESS;
    }
    let dsls = found.changed.iter().map(|name| format!("`dsl.{name}`")).collect::<Vec<_>>().join(", ");
    if args.check {
        report::plain_error(&format!(
            "`{shown}` is not what the program says: {dsls}; `remlc manifest sync` writes it"
        ));
        return ExitCode::from(FAILURE);
    }
    if let Err(problem) = files::write(&args.manifest, text.as_bytes()) {
        report::plain_error(&format!("`{shown}` cannot be written: {}", describe(&problem)));
        return ExitCode::from(FAILURE);
    }
    output::write(format!("`{shown}`: {dsls} changed\n").as_bytes());
    ExitCode::SUCCESS
}

/// `project.name = "app"`. Lists of texts and numbers stand in one line.
fn lines(value: &Value, path: &str, text: &mut String) {
    let has_parts = |value: &Value| value.is_object() || value.as_array().is_some_and(|items| !items.is_empty());
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                lines(value, &if path.is_empty() { key.clone() } else { format!("{path}.{key}") }, text);
            }
        }
        Value::Array(items) if items.iter().any(has_parts) => {
            items.iter().enumerate().for_each(|(index, item)| lines(item, &format!("{path}[{index}]"), text));
        }
        _ => text.push_str(&format!("{path} = {value}\n")),
    }
}
