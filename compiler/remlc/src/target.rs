//! `remlc target`: which targets are there, what does one consist of, and is a profile right?

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use reml_diagnostics::{Diagnostic, SourceMap, Span, codes};
use reml_driver::system::OsSystem;
use reml_driver::target::{self, Setting, metadata, profile};
use serde_json::{Value, json};

use crate::options::ReportFormat;
use crate::{FAILURE, output, report};

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List the profiles that can be chosen.
    List {
        #[arg(long, value_enum, default_value_t = ReportFormat::Human)]
        format: ReportFormat,
    },
    /// Show what a target consists of, its capabilities included.
    Show {
        /// A profile [default: what the environment says, or this machine]
        id: Option<String>,
        #[arg(long, value_enum, default_value_t = ReportFormat::Human)]
        format: ReportFormat,
    },
    /// Check a profile.
    Validate {
        /// The profile's file, or its id
        #[arg(value_name = "PATH|ID")]
        profile: String,
        /// Exit with 0 even when there are errors
        #[arg(long)]
        warn_only: bool,
    },
}

pub fn execute(args: Args) -> ExitCode {
    match args.action {
        Action::List { format } => list(format),
        Action::Show { id, format } => show(id, format),
        Action::Validate { profile, warn_only } => validate(&profile, warn_only),
    }
}

fn list(format: ReportFormat) -> ExitCode {
    let known = profile::known(&OsSystem);
    let origin = |file: &Option<PathBuf>| file.as_ref().map(|file| file.display().to_string());
    let text = match format {
        ReportFormat::Human => {
            let width = |text: fn(&profile::Known) -> &str| known.iter().map(|it| text(it).len()).max().unwrap_or(0);
            let (ids, triples) = (width(|it| &it.id), width(|it| &it.triple));
            let line = |it: &profile::Known| {
                let file = origin(&it.file).unwrap_or_else(|| "comes with remlc".to_owned());
                format!("{:<ids$}  {:<triples$}  {file}\n", it.id, it.triple)
            };
            known.iter().map(line).collect()
        }
        ReportFormat::Json => {
            let profile = |it: &profile::Known| json!({ "id": it.id, "triple": it.triple, "file": origin(&it.file) });
            format!("{:#}\n", known.iter().map(profile).collect::<Value>())
        }
    };
    output::write(text.as_bytes());
    ExitCode::SUCCESS
}

fn show(id: Option<String>, format: ReportFormat) -> ExitCode {
    let settings: Vec<Setting> =
        id.map(|id| Setting { key: "profile_id".to_owned(), value: id, span: Span::NONE }).into_iter().collect();
    let (mut sources, mut diagnostics) = (SourceMap::new(), Vec::new());
    let target = target::resolve(&settings, &[], &OsSystem, &mut sources, &mut diagnostics);
    // The target need not be this machine: nothing is compiled.
    diagnostics.retain(|diagnostic| diagnostic.code != codes::TARGET_MISMATCH);
    if report::on_stderr(&diagnostics, &sources) {
        return ExitCode::from(FAILURE);
    }
    let mut described = metadata::describe(&target);
    described["data_layout"] = json!(metadata::data_layout(&target));
    let text = match format {
        ReportFormat::Human => lines(&described),
        ReportFormat::Json => format!("{described:#}\n"),
    };
    output::write(text.as_bytes());
    ExitCode::SUCCESS
}

/// `key value`, one value a line.
fn lines(described: &Value) -> String {
    let mut text = String::new();
    let mut line = |key: &str, value: &str| text.push_str(&format!("{key:<18}{value}\n"));
    for (key, value) in described.as_object().into_iter().flatten() {
        match value {
            Value::String(value) => line(key, value),
            Value::Bool(value) => line(key, &value.to_string()),
            Value::Array(values) => {
                let names = [key.as_str()].into_iter().chain(std::iter::repeat(""));
                values.iter().filter_map(Value::as_str).zip(names).for_each(|(value, key)| line(key, value));
            }
            Value::Object(values) => {
                values.iter().for_each(|(name, value)| line(&format!("{key}.{name}"), value.as_str().unwrap_or("")));
            }
            _ => {}
        }
    }
    text
}

fn validate(name: &str, warn_only: bool) -> ExitCode {
    let (mut sources, mut diagnostics) = (SourceMap::new(), Vec::new());
    let is_path = name.ends_with(".toml") || name.contains('/') || Path::new(name).exists();
    let file = match profile::known(&OsSystem).into_iter().find(|known| known.id == name) {
        Some(known) if !is_path => known.file,
        _ if is_path => Some(PathBuf::from(name)),
        _ => {
            let message = format!("there is no target profile `{name}`");
            diagnostics.push(
                Diagnostic::error(codes::TARGET_PROFILE_MISSING, Span::NONE, message)
                    .with_help("`remlc target list` shows all"),
            );
            None
        }
    };
    if let Some(file) = file
        && let Some(settings) = profile::read(&file, &OsSystem, &mut sources, &mut diagnostics)
    {
        target::of_profile(&settings, &mut diagnostics);
        // That a profile describes another machine is what profiles are for.
        diagnostics.retain(|diagnostic| diagnostic.code != codes::TARGET_MISMATCH);
    }
    if report::on_stderr(&diagnostics, &sources) && !warn_only {
        return ExitCode::from(FAILURE);
    }
    if diagnostics.is_empty() {
        output::write(format!("the profile `{name}` is fine\n").as_bytes());
    }
    ExitCode::SUCCESS
}
