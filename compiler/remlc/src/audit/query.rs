//! `remlc audit query` and `remlc audit show`: which events are there?

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;
use reml_audit::SCHEMA_VERSION;
use reml_audit::query::Count;

use super::events::{self, human};
use super::filter::Which;
use crate::FAILURE;
use crate::output::Stream;

#[derive(clap::Args)]
pub struct ShowArgs {
    /// The log
    #[arg(value_name = "FILE")]
    log: PathBuf,
    #[command(flatten)]
    which: Which,
}

#[derive(clap::Args)]
pub struct Args {
    /// The log
    #[arg(value_name = "FILE")]
    log: PathBuf,
    /// How they are printed
    #[arg(long, value_enum, default_value_t = Format::Ndjson)]
    format: Format,
    // Last, because its heading is that of all options behind it.
    #[command(flatten)]
    which: Which,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The lines of the log as they are
    Ndjson,
    /// One object, with the events in a list and counts
    Json,
    /// As `show` prints them
    Human,
}

pub fn show(args: &ShowArgs) -> Result<ExitCode, String> {
    let mut out = Stream::open();
    let count = events::read(&args.log, &args.which.filter(), |entry, _| out.write(human(&entry).as_bytes()))?;
    let all = count.lines - count.unreadable;
    let noun = if all == 1 { "event" } else { "events" };
    let told =
        if count.found == all { format!("{all} {noun}\n") } else { format!("{} of {all} {noun}\n", count.found) };
    _ = out.write(told.as_bytes());
    out.finish();
    Ok(status(&args.log, &count))
}

pub fn execute(args: &Args) -> Result<ExitCode, String> {
    let mut out = Stream::open();
    // Nothing is printed of what turns out to be no log.
    let header = format!("{{\"schema_version\":\"{SCHEMA_VERSION}\",\"events\":[");
    let first = format!("{header}\n");
    let mut before: &[u8] = first.as_bytes();
    let count = events::read(&args.log, &args.which.filter(), |entry, line| match args.format {
        Format::Human => out.write(human(&entry).as_bytes()),
        Format::Ndjson => {
            out.write(line)?;
            out.write(b"\n")
        }
        Format::Json => {
            out.write(std::mem::replace(&mut before, b",\n"))?;
            out.write(line)
        }
    })?;
    if args.format == Format::Json {
        if count.found == 0 {
            _ = out.write(header.as_bytes());
        }
        let Count { lines, found, unreadable, torn } = count;
        let end = format!("\n],\"lines\":{lines},\"found\":{found},\"unreadable\":{unreadable},\"torn\":{torn}}}\n");
        _ = out.write(end.as_bytes());
    }
    out.finish();
    Ok(status(&args.log, &count))
}

/// What could not be read might have been what was looked for.
fn status(log: &Path, count: &Count) -> ExitCode {
    if events::is_all(log, count) { ExitCode::SUCCESS } else { ExitCode::from(FAILURE) }
}
