//! `remlc audit report`: a page to look through a log.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use reml_audit::query::Filter;
use reml_audit::report::{ReportOptions, report};
use reml_driver::files;
use reml_driver::link::describe;

use super::filter::Which;
use super::{events, unreadable};

#[derive(clap::Args)]
pub struct Args {
    /// The log
    #[arg(value_name = "FILE")]
    log: PathBuf,

    /// The page, one file without anything beside it
    #[arg(short, long, value_name = "PAGE")]
    output: PathBuf,

    /// What stands above it
    #[arg(long, value_name = "TEXT", default_value = "Audit log")]
    title: String,

    /// The most events that are in the page, the last ones; counts are of all
    #[arg(long, value_name = "COUNT", default_value_t = ReportOptions::default().events)]
    events: usize,

    #[command(flatten)]
    which: Which,
}

pub fn execute(args: &Args) -> Result<ExitCode, String> {
    events::read(&args.log, &Filter::default(), |_, _| ControlFlow::Break(()))?;
    let options = ReportOptions { title: args.title.clone(), filter: args.which.filter(), events: args.events };
    let report = report(&args.log, &options).map_err(|error| unreadable(&error))?;
    let shown = args.output.display();
    if report.verification.files.iter().any(|file| same(&file.path, &args.output)) {
        return Err(format!("`{shown}` is the log itself; give the page another name"));
    }
    let mut page = Vec::new();
    report.write_html(&mut page).map_err(|error| error.to_string())?;
    files::write(&args.output, &page).map_err(|error| format!("`{shown}` cannot be written: {}", describe(&error)))?;
    if !report.verification.is_intact() {
        let log = args.log.display();
        let _ = writeln!(io::stderr().lock(), "warning: `{log}` is not intact; the page says where");
    }
    Ok(ExitCode::SUCCESS)
}

fn same(left: &Path, right: &Path) -> bool {
    matches!((left.canonicalize(), right.canonicalize()), (Ok(left), Ok(right)) if left == right)
}
