//! `remlc run`: compile in memory, run, and end with the program's own exit status.

use std::process::ExitCode;
use std::sync::Arc;

use reml_driver::pipeline::{Compilation, Options, RunOptions};
use reml_driver::system::OsSystem;

use crate::FAILURE;
use crate::hot_reload::Reloader;
use crate::options::{Compile, Input, Output};
use crate::permissions::Permissions;
use crate::report::{self, Subject};
use crate::telemetry;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    compile: Compile,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    permissions: Permissions,
    /// Watch the source files, and replace the program's functions while it runs when one is saved
    #[arg(long, conflicts_with = "release")]
    hot_reload: bool,
    /// Arguments of the program
    #[arg(last = true, value_name = "ARGS")]
    args: Vec<String>,
}

pub fn execute(args: Args) -> ExitCode {
    let input = args.input.path();
    let subject = Subject::new("run", "Run", &input, args.compile.fail_on_warning);
    let mut options = Options { runs_here: true, ..args.compile.options(true, &args.output) };
    let reloader = args.hot_reload.then(|| Reloader::new(&input, &options, &args.output));
    if let Some(reloader) = &reloader {
        options.lineage = Some(reloader.versions.ticket().lineage);
    }
    let mut compilation = Compilation::new(&OsSystem, options);
    let fine = compilation.check(&input) && compilation.lower();
    if fine {
        compilation.emit_code();
    }
    let loaded = match &reloader {
        _ if !fine => None,
        Some(reloader) => compilation.load_first(&reloader.versions),
        None => compilation.load(),
    };
    report::emitted(&mut compilation);
    let written = telemetry::emit(&args.compile.emit_telemetry, &compilation, &subject);
    report::diagnostics(&compilation, &subject, &args.output);
    let shown = written & report::progress(&compilation, &subject, &args.output);
    let Some(program) = loaded.filter(|_| shown) else { return ExitCode::from(FAILURE) };
    let gate = match args.permissions.gate(&compilation) {
        Ok(gate) => gate,
        Err(problem) => {
            report::plain_error(&problem);
            return ExitCode::from(FAILURE);
        }
    };
    let versions = match reloader.map(|reloader| reloader.watch(&compilation, &gate)).transpose() {
        Ok(versions) => versions,
        Err(problem) => {
            report::plain_error(&problem);
            return ExitCode::from(FAILURE);
        }
    };
    // The program may need the memory, and runs as long as it likes.
    drop(compilation);
    let options = RunOptions { gate: Some(Arc::clone(&gate)), ..RunOptions::default() };
    let outcome = match &versions {
        Some(versions) => versions.run(&program, &args.args, &options),
        None => program.run_with(&args.args, &options),
    };
    if let Some(Err(problem)) = gate.sink().map(|sink| sink.flush()) {
        report::plain_error(&format!("the audit log is not complete: {problem}"));
        return ExitCode::from(FAILURE);
    }
    ExitCode::from(outcome.exit_code as u8)
}
