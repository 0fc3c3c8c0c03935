//! `remlc manifest`: what does a package's `reml.toml` say?

use std::path::PathBuf;
use std::process::ExitCode;
use std::{fs, io};

use clap::{Subcommand, ValueEnum};
use reml_driver::manifest::{self, Dump};
use reml_driver::system::OsSystem;
use serde_json::Value;

use crate::FAILURE;
use crate::options::{self, Output};
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
}

#[derive(clap::Args)]
struct DumpArgs {
    /// The manifest
    #[arg(long, value_name = "PATH", default_value = "reml.toml")]
    manifest: PathBuf,
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Json,
    /// One line for each value
    Human,
}

pub fn execute(args: Args) -> ExitCode {
    match args.command {
        Command::Dump(args) => dump(&args),
    }
}

fn dump(args: &DumpArgs) -> ExitCode {
    let subject = Subject::new("dump", "Manifest", &args.manifest, false);
    let Dump { sources, diagnostics, manifest } = manifest::dump(&args.manifest, &OsSystem);
    let format = match (&manifest, args.format) {
        // Tools that wait for JSON get JSON; beside a manifest, warnings are for people.
        (None, Format::Json) => options::Format::Json,
        _ => options::Format::Human,
    };
    report::show(&diagnostics, &sources, "Parsing", &subject, &Output { format, ..Output::default() });
    let Some(manifest) = manifest else { return ExitCode::from(FAILURE) };
    let text = match args.format {
        Format::Json => format!("{manifest:#}\n"),
        Format::Human => {
            let mut text = String::new();
            lines(&manifest, "", &mut text);
            text
        }
    };
    match write(args.output.as_ref(), &text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            report::plain_error(&problem);
            ExitCode::from(FAILURE)
        }
    }
}

fn write(path: Option<&PathBuf>, text: &str) -> Result<(), String> {
    let Some(path) = path else {
        output::write(text.as_bytes());
        return Ok(());
    };
    fs::write(path, text).map_err(|problem: io::Error| format!("`{}` cannot be written: {problem}", path.display()))
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
