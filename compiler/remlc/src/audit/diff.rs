//! `remlc audit diff`: what did one run do that another did not?

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;

use reml_audit::diff::{diff, print};
use reml_audit::query::Filter;

use super::{events, unreadable};
use crate::{FAILURE, output};

#[derive(clap::Args)]
pub struct Args {
    /// The log on the left
    #[arg(value_name = "FILE")]
    left: PathBuf,
    /// The log on the right
    #[arg(value_name = "FILE")]
    right: PathBuf,
}

pub fn execute(args: &Args) -> Result<ExitCode, String> {
    for log in [&args.left, &args.right] {
        events::read(log, &Filter::default(), |_, _| ControlFlow::Break(()))?;
    }
    let difference = diff(&args.left, &args.right).map_err(|error| unreadable(&error))?;
    let mut text = Vec::new();
    print(&difference, &mut text).map_err(|error| error.to_string())?;
    output::write(&text);
    let whole = [(&args.left, &difference.read.0), (&args.right, &difference.read.1)]
        .map(|(log, count)| events::is_all(log, count));
    let same = difference.is_empty() && whole == [true, true];
    Ok(if same { ExitCode::SUCCESS } else { ExitCode::from(FAILURE) })
}
