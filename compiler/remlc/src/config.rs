//! `remlc config`: is a configuration file fit for use, and what has changed from one to another?

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use clap::{Subcommand, ValueEnum};
use reml_diagnostics::render::diagnostic_json;
use reml_diagnostics::{Diagnostic, SourceMap};
use reml_driver::config::compat::Chooser;
use reml_driver::config::diff::{self, Change, Diff, Kind};
use reml_driver::config::lint;
use reml_driver::system::{OsSystem, timestamp};
use serde_json::{Value, json};

use crate::options::{Output, ReportFormat};
use crate::report::{self, Subject};
use crate::{FAILURE, output};

/// `lint` has found something.
const LINT: u8 = 2;

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Find out whether a manifest, or any file in TOML or JSON, is fit for use.
    Lint(LintArgs),
    /// Show what has changed from one file in TOML or JSON to another.
    Diff(DiffArgs),
}

#[derive(clap::Args)]
struct LintArgs {
    /// The file: a `reml.toml`, or any configuration in TOML or JSON
    #[arg(long, value_name = "PATH", default_value = "reml.toml")]
    manifest: PathBuf,
    /// What it should look like: a JSON Schema, or a description of fields
    #[arg(long, value_name = "PATH")]
    schema: Option<PathBuf>,
    #[command(flatten)]
    reading: Reading,
    #[arg(long, value_enum, default_value_t = ReportFormat::Human)]
    format: ReportFormat,
}

#[derive(clap::Args)]
struct DiffArgs {
    old: PathBuf,
    new: PathBuf,
    #[command(flatten)]
    reading: Reading,
    #[arg(long, value_enum, default_value_t = DiffFormat::Human)]
    format: DiffFormat,
}

/// How files are read.
#[derive(clap::Args)]
struct Reading {
    /// How far files may depart from the standard of their format: `strict-json`, `json-relaxed` [default: what `REML_CONFIG_COMPAT` or the manifest says]
    #[arg(long, value_name = "PROFILE")]
    config_compat: Option<String>,
}

impl Reading {
    fn chooser(&self) -> Chooser<'_> {
        Chooser { system: &OsSystem, asked: self.config_compat.as_deref() }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DiffFormat {
    /// The change set and the difference of maps
    Json,
    /// One line for each change
    Human,
    /// The same in columns
    Table,
}

pub fn execute(args: Args) -> ExitCode {
    match args.command {
        Command::Lint(args) => lint(&args),
        Command::Diff(args) => diff(&args),
    }
}

fn lint(args: &LintArgs) -> ExitCode {
    let found = lint::lint(&args.manifest, args.schema.as_deref(), &args.reading.chooser());
    let status = if found.validated() { 0 } else { LINT };
    match args.format {
        ReportFormat::Json => print(&json!({
            "command": "config.lint",
            "manifest": args.manifest.display().to_string(),
            "schema": args.schema.as_ref().map(|path| path.display().to_string()),
            "diagnostics": list(&found.diagnostics, &found.sources),
            "stats": {
                "validated": found.validated(),
                "manifest_loaded": found.manifest_loaded,
                "schema_checked": found.schema_checked,
            },
            "exit_code": status,
        })),
        ReportFormat::Human => {
            let subject = Subject::new("lint", "Lint", &args.manifest, false);
            report::show(&found.diagnostics, &found.sources, "Parsing", &subject, &human());
        }
    }
    ExitCode::from(status)
}

fn diff(args: &DiffArgs) -> ExitCode {
    let (mut sources, mut diagnostics) = (SourceMap::new(), Vec::new());
    let found = diff::diff(&args.old, &args.new, &args.reading.chooser(), &mut sources, &mut diagnostics);
    match (found, args.format) {
        (Some(diff), DiffFormat::Json) => print(&diff.to_json()),
        (Some(diff), DiffFormat::Human) => output::write(lines(&diff).as_bytes()),
        (Some(diff), DiffFormat::Table) => output::write(table(&diff).as_bytes()),
        (None, DiffFormat::Json) => {
            let side = |path: &PathBuf| json!({ "path": path.display().to_string() });
            print(&json!({
                "command": "config.diff",
                "base": side(&args.old),
                "target": side(&args.new),
                "diagnostics": list(&diagnostics, &sources),
                "exit_code": FAILURE,
            }));
            return ExitCode::from(FAILURE);
        }
        (None, _) => {
            let subject = Subject::new("compare", "Diff", &args.old, false);
            report::show(&diagnostics, &sources, "Parsing", &subject, &human());
            return ExitCode::from(FAILURE);
        }
    }
    ExitCode::SUCCESS
}

fn human() -> Output {
    Output::default()
}

fn print(value: &Value) {
    output::write(format!("{value:#}\n").as_bytes());
}

/// As tools read them.
pub fn list(diagnostics: &[Diagnostic], sources: &SourceMap) -> Vec<Value> {
    let now = timestamp(SystemTime::now());
    diagnostics.iter().map(|diagnostic| diagnostic_json(diagnostic, sources, &now)).collect()
}

fn lines(diff: &Diff) -> String {
    diff.changes.iter().map(|Change { key, previous, current, .. }| line(key, previous, current)).collect()
}

/// `+ a = 1`, `- a = 1`, `~ a: 1 -> 2`.
pub fn line(key: &str, previous: &Option<Value>, current: &Option<Value>) -> String {
    match (previous, current) {
        (Some(previous), Some(current)) => format!("~ {key}: {previous} -> {current}\n"),
        (None, Some(current)) => format!("+ {key} = {current}\n"),
        (Some(previous), None) => format!("- {key} = {previous}\n"),
        (None, None) => String::new(),
    }
}

/// A heading, a line for each change, and how many there are.
fn table(diff: &Diff) -> String {
    let cell = |value: &Option<Value>| value.as_ref().map(Value::to_string).unwrap_or_default();
    let kind = |kind| match kind {
        Kind::Added => "added",
        Kind::Removed => "removed",
        Kind::Updated => "updated",
    };
    let row = |it: &Change| [kind(it.kind()).to_owned(), it.key.clone(), cell(&it.previous), cell(&it.current)];
    let heading = ["CHANGE", "KEY", "PREVIOUS", "CURRENT"].map(str::to_owned);
    let rows: Vec<[String; 4]> = std::iter::once(heading).chain(diff.changes.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths = [width(0), width(1), width(2)];
    let mut text = String::new();
    for [change, key, previous, current] in &rows {
        let line = format!("{change:0$}  {key:1$}  {previous:2$}  {current}", widths[0], widths[1], widths[2]);
        text.push_str(line.trim_end());
        text.push('\n');
    }
    let counts = [Kind::Added, Kind::Removed, Kind::Updated].map(|it| format!("{} {}", diff.count(it), kind(it)));
    text + &format!("{}\n", counts.join(", "))
}
