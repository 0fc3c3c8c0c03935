//! `remlc audit verify`: is a log as its writer left it?

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use reml_audit::Hash;
use reml_audit::verify::{VerifyOptions, print, verify};

use super::{not_a_log, unreadable};
use crate::{FAILURE, output};

#[derive(clap::Args)]
pub struct Args {
    /// The log; rotated files beside it belong to it
    #[arg(value_name = "FILE")]
    log: PathBuf,

    /// The hash of a line that was kept elsewhere: the log must have it, and nothing before it may be changed; may be given more than once
    #[arg(long, value_name = "HASH")]
    anchor: Vec<Hash>,

    /// How it is told
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// In sentences
    Human,
    /// One JSON object
    Json,
}

pub fn execute(args: &Args) -> Result<ExitCode, String> {
    let options = VerifyOptions { known: args.anchor.clone(), ..VerifyOptions::default() };
    let found = verify(&args.log, &options).map_err(|error| unreadable(&error))?;
    if found.tail.is_none() && found.bytes > 0 {
        return Err(not_a_log(&args.log, found.lines));
    }
    let mut text = Vec::new();
    match args.format {
        Format::Human => print(&found, &mut text).map_err(|error| error.to_string())?,
        Format::Json => text.extend_from_slice(format!("{:#}\n", found.to_json()).as_bytes()),
    }
    output::write(&text);
    Ok(if found.is_intact() { ExitCode::SUCCESS } else { ExitCode::from(FAILURE) })
}
