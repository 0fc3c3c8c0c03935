//! `remlc test`: runs the tests of a program and the examples in its documentation.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use reml_diagnostics::render::{Counts, Human, Renderer};
use reml_driver::system::OsSystem;
use reml_driver::testing::{Suite, TestOptions, Verdict};
use serde_json::json;

use crate::options::ReportFormat;
use crate::permissions::Permissions;
use crate::pipeline::{Ended, Findings, Pipeline};
use crate::report::{self, Subject, plain_error};
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
    let paths = if args.paths.is_empty() { vec![PathBuf::from(".")] } else { args.paths.clone() };
    let subjects: Vec<Subject<'_>> = paths.iter().map(|path| Subject::new("test", "Test", path, false)).collect();
    let log = args.permissions.audit();
    for subject in &subjects {
        // Each is closed again: the processes of the tests open the log.
        if let Err(problem) = Pipeline::begin(subject, log.as_deref()) {
            return report::refusal(&problem);
        }
    }
    let mut suite = Suite::new(&OsSystem, options);
    for path in &paths {
        suite.add(path);
    }
    let (fine, filtered) = (suite.is_fine(), suite.filtered);
    show_problems(&suite);
    let recorded = match record_findings(&subjects, &suite, log.as_deref()) {
        Ok(recorded) => recorded,
        Err(problem) => return report::refusal(&problem),
    };
    // Without permissions no test can be run.
    if !suite.refusals.is_empty() {
        suite.refusals.iter().for_each(|problem| plain_error(problem));
        let done = record_ends(&recorded, log.as_deref(), Err(&suite.refusals[0]));
        return done.map_or_else(|problem| report::refusal(&problem), |()| ExitCode::from(FAILURE));
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
    let verdicts = verdicts.map_err(|problem| format!("a test cannot be started: {problem}"));
    let passed = |verdicts: &Vec<Verdict>| verdicts.iter().all(|verdict| verdict.failure.is_none());
    let ran = verdicts.as_ref().map(|verdicts| (verdicts.len(), passed(verdicts))).map_err(String::as_str);
    if let Err(problem) = record_ends(&recorded, log.as_deref(), ran) {
        return report::refusal(&problem);
    }
    let verdicts = match verdicts {
        Ok(verdicts) => verdicts,
        Err(problem) => return report::refusal(&problem),
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

/// A path, its record, and what was found below it. The record is closed: the processes of the tests open the log.
struct Recorded<'a> {
    subject: &'a Subject<'a>,
    findings: Findings,
}

/// Records what was found for each path.
fn record_findings<'a>(
    subjects: &'a [Subject<'a>],
    suite: &Suite<'_>,
    log: Option<&Path>,
) -> Result<Vec<Recorded<'a>>, String> {
    let mut recorded = Vec::with_capacity(subjects.len());
    for subject in subjects {
        let pipeline = Pipeline::resume(subject, log)?;
        let mut findings = Findings::default();
        for problems in suite.problems.iter().filter(|it| it.input.starts_with(subject.input)) {
            pipeline.found(&problems.diagnostics, &problems.sources, "TypeCheck")?;
            findings.add(&problems.diagnostics);
        }
        recorded.push(Recorded { subject, findings });
    }
    Ok(recorded)
}

/// Records how each path has ended: how many tests were run, of all paths together, and whether all have passed; or why none could be.
fn record_ends(recorded: &[Recorded<'_>], log: Option<&Path>, ran: Result<(usize, bool), &str>) -> Result<(), String> {
    for Recorded { subject, findings } in recorded {
        let exit = match ran {
            Ok((_, true)) => findings.counts.outcome(false),
            _ => "failure",
        };
        Pipeline::resume(subject, log)?.ended(&Ended {
            findings,
            phase: "Execution",
            completed: ran.is_ok(),
            exit,
            refusal: ran.err(),
            count: ran.map_or(0, |(count, _)| count),
            dsls: &[],
        })?;
    }
    Ok(())
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
