//! `remlc test`: runs the tests of a program and the examples in its documentation.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use reml_diagnostics::render::{Counts, Human, Renderer};
use reml_driver::pipeline::audit_log;
use reml_driver::system::OsSystem;
use reml_driver::testing::{Suite, TestOptions, Verdict};
use serde_json::json;

use crate::options::ReportFormat;
use crate::permissions::Permissions;
use crate::report::plain_error;
use crate::{FAILURE, output};

#[derive(clap::Args)]
pub struct Args {
    /// Source files, packages, and directories, whose files are tested one by one [default: the current directory]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Run only tests with this in their name
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,

    /// Optimise; integer overflow wraps instead of panicking
    #[arg(long)]
    release: bool,

    /// How many tests run at a time [default: the number of processors]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,

    /// Replace the snapshots that differ, and make those that are missing
    #[arg(long)]
    update_snapshots: bool,

    /// How results are shown
    #[arg(long, value_enum, default_value_t = ReportFormat::Human)]
    format: ReportFormat,

    #[command(flatten)]
    permissions: Permissions,
}

pub fn execute(args: Args) -> ExitCode {
    let jobs = args.jobs.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from);
    let options = TestOptions {
        release: args.release,
        filter: args.filter.clone(),
        jobs,
        update_snapshots: args.update_snapshots,
        permissions: args.permissions.asked().clone(),
        audit: args.permissions.audit(),
    };
    let start = Instant::now();
    let mut suite = Suite::new(&OsSystem, options);
    let paths = if args.paths.is_empty() { vec![PathBuf::from(".")] } else { args.paths.clone() };
    for path in &paths {
        suite.add(path);
    }
    let (fine, filtered) = (suite.is_fine(), suite.filtered);
    show_problems(&suite);
    // Without permissions, or a log where one is asked for, no test can be run.
    let log = args.permissions.audit().and_then(|path| audit_log(&path).err());
    let refusals: Vec<&String> = suite.refusals.iter().chain(&log).collect();
    if !refusals.is_empty() {
        refusals.iter().for_each(|problem| plain_error(problem));
        return ExitCode::from(FAILURE);
    }
    let human = args.format == ReportFormat::Human;
    let mut out = io::stdout().lock();
    if human {
        let count = suite.len();
        let _ = writeln!(out, "running {count} test{}", if count == 1 { "" } else { "s" });
    }
    let verdicts = suite.run(|verdict| {
        if human {
            let word = if verdict.failure.is_none() { "ok" } else { "FAILED" };
            // A closed pipe is the reader's choice.
            let _ = writeln!(out, "test {} ... {word} ({})", verdict.name, milliseconds(verdict.time));
        }
    });
    let verdicts = match verdicts {
        Ok(verdicts) => verdicts,
        Err(problem) => {
            plain_error(&format!("a test cannot be started: {problem}"));
            return ExitCode::from(FAILURE);
        }
    };
    let failed = verdicts.iter().filter(|verdict| verdict.failure.is_some()).count();
    let passed = verdicts.len() - failed;
    let text = match args.format {
        ReportFormat::Human => {
            let result = if failed == 0 && fine { "ok" } else { "FAILED" };
            format!(
                "{}\ntest result: {result}. {passed} passed; {failed} failed; {filtered} filtered out; finished in {:.2}s\n",
                failures(&verdicts),
                start.elapsed().as_secs_f64()
            )
        }
        ReportFormat::Json => {
            let report = json!({
                "tests": verdicts.iter().map(as_json).collect::<Vec<_>>(),
                "passed": passed,
                "failed": failed,
                "filtered": filtered,
                "ok": failed == 0 && fine,
            });
            format!("{report:#}\n")
        }
    };
    let _ = out.flush();
    output::write(text.as_bytes());
    if failed == 0 && fine { ExitCode::SUCCESS } else { ExitCode::from(FAILURE) }
}

/// What is wrong with the programs, on standard error. Programs with errors have no tests.
fn show_problems(suite: &Suite<'_>) {
    let mut err = io::stderr().lock();
    for problems in &suite.problems {
        let _ = Human { color: false }.render(&problems.diagnostics, &problems.sources, &mut err);
        let errors = Counts::of(&problems.diagnostics).errors;
        if errors > 0 {
            let plural = if errors == 1 { "" } else { "s" };
            let _ = writeln!(err, "error: could not test `{}`: {errors} error{plural}", problems.input.display());
        }
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1_000.0)
}

fn failures(verdicts: &[Verdict]) -> String {
    let mut text = String::new();
    for verdict in verdicts {
        let Some(failure) = &verdict.failure else { continue };
        if text.is_empty() {
            text.push_str("\nfailures:\n");
        }
        text.push_str(&format!("\n---- {} ({}:{}) ----\n", verdict.name, verdict.file, verdict.line));
        for output in [verdict.stdout.trim_end(), verdict.stderr.trim_end()] {
            if !output.is_empty() {
                text.push_str(&format!("{output}\n"));
            }
        }
        text.push_str(&format!("{}\n", failure.trim_end()));
    }
    text
}

fn as_json(verdict: &Verdict) -> serde_json::Value {
    json!({
        "name": verdict.name,
        "file": verdict.file,
        "line": verdict.line,
        "outcome": if verdict.failure.is_none() { "passed" } else { "failed" },
        "failure": verdict.failure,
        "milliseconds": verdict.time.as_secs_f64() * 1_000.0,
        "stdout": verdict.stdout,
        "stderr": verdict.stderr,
    })
}
