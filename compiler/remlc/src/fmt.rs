//! `remlc fmt`: gives source files the one layout of Reml.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use reml_driver::format::{self, Mode, Outcome};
use reml_driver::system::OsSystem;

use crate::FAILURE;
use crate::options::Output;
use crate::output;
use crate::report::{self, Subject};

#[derive(clap::Args)]
pub struct Args {
    /// Source files and directories; all source files below a directory are formatted [default: the current directory]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Change nothing; list the files whose layout is another, and exit with 1 if there are any
    #[arg(long)]
    check: bool,

    /// Format standard input to standard output
    #[arg(long, conflicts_with = "paths")]
    stdin: bool,

    #[command(flatten)]
    output: Output,
}

pub fn execute(args: Args) -> ExitCode {
    if args.stdin {
        return stdin(&args);
    }
    let paths = if args.paths.is_empty() { vec![PathBuf::from(".")] } else { args.paths.clone() };
    let mode = if args.check { Mode::Check } else { Mode::Write };
    let outcome = format::run(&paths, mode, &OsSystem);
    let list: String = outcome.changed.iter().map(|path| format!("{}\n", path.display())).collect();
    if args.check {
        output::write(list.as_bytes());
    } else if args.output.verbose > 0 {
        let _ = io::stderr().lock().write_all(list.as_bytes());
    }
    let shown = paths[0].clone();
    let fine = show(&outcome, &shown, &args.output) && (!args.check || outcome.changed.is_empty());
    if fine { ExitCode::SUCCESS } else { ExitCode::from(FAILURE) }
}

fn stdin(args: &Args) -> ExitCode {
    let mut outcome = Outcome::default();
    let mut bytes = Vec::new();
    if let Err(problem) = io::stdin().lock().read_to_end(&mut bytes) {
        report::plain_error(&format!("standard input cannot be read: {problem}"));
        return ExitCode::from(FAILURE);
    }
    let Ok(text) = String::from_utf8(bytes) else {
        report::plain_error("standard input is not UTF-8");
        return ExitCode::from(FAILURE);
    };
    let formatted = outcome.format_text("<stdin>", text.clone());
    let fine = show(&outcome, Path::new("<stdin>"), &args.output);
    match formatted {
        Some(formatted) if fine => {
            if args.check {
                return if formatted == text { ExitCode::SUCCESS } else { ExitCode::from(FAILURE) };
            }
            output::write(formatted.as_bytes());
            ExitCode::SUCCESS
        }
        _ => ExitCode::from(FAILURE),
    }
}

/// Says why files were left alone; answers whether none was.
fn show(outcome: &Outcome, input: &Path, output: &Output) -> bool {
    if !outcome.diagnostics.is_empty() {
        let subject = Subject::new("format", "Format", input, false);
        report::show(&outcome.diagnostics, &outcome.sources, "Parsing", &subject, output);
    }
    for mistake in &outcome.mistakes {
        report::plain_error(&format!("{mistake}\n  this is a mistake of remlc, not of the source: please report it"));
    }
    outcome.is_fine()
}
