//! `remlc audit`: reads the logs that `--audit` writes. One file per subcommand; what they find out is in `reml_audit`.

mod diff;
mod events;
mod filter;
mod query;
mod report;
mod suggest;
mod verify;

use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;

use reml_audit::AuditError;
use reml_driver::link::describe;

use crate::FAILURE;
use crate::report::plain_error;

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Print the events of a log for a person, one per line.
    Show(query::ShowArgs),
    /// Find events, for programs and for persons.
    Query(query::Args),
    /// Find out whether a log is as its writer left it, and if not, what can still be believed.
    Verify(verify::Args),
    /// Say what one run did that another did not.
    Diff(diff::Args),
    /// Say which permissions the recorded runs needed, and no more.
    Suggest(suggest::Args),
    /// Make one page of HTML to look through a log.
    Report(report::Args),
}

pub fn execute(args: Args) -> ExitCode {
    let done = match args.command {
        Command::Show(args) => query::show(&args),
        Command::Query(args) => query::execute(&args),
        Command::Verify(args) => verify::execute(&args),
        Command::Diff(args) => diff::execute(&args),
        Command::Suggest(args) => suggest::execute(&args),
        Command::Report(args) => report::execute(&args),
    };
    done.unwrap_or_else(|problem| {
        plain_error(&problem);
        ExitCode::from(FAILURE)
    })
}

/// Why a log cannot be read. The error's own words are for those who write one.
fn unreadable(error: &AuditError) -> String {
    match error {
        AuditError::NotAFile { path } if path.is_dir() => {
            format!("`{}` is a folder, not an audit log", path.display())
        }
        AuditError::NotAFile { path } => format!("`{}` is not a regular file, so it is no audit log", path.display()),
        AuditError::Io { path, error, .. } if error.kind() == ErrorKind::NotFound => {
            format!("there is no audit log `{}`", path.display())
        }
        AuditError::Io { path, error, .. } => {
            format!("the audit log `{}` cannot be read: {}", path.display(), describe(error))
        }
        other => other.to_string(),
    }
}

/// What is said of a file in which nothing is a line of a log.
fn not_a_log(log: &Path, lines: u64) -> String {
    let why = match lines {
        0 => "it holds no whole line".to_owned(),
        1 => "its only line is no event".to_owned(),
        lines => format!("none of its {lines} lines is an event"),
    };
    format!("`{}` is not an audit log: {why}", log.display())
}
