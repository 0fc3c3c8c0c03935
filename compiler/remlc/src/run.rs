//! `remlc run`: compile in memory, run, and end with the program's own exit status.

use std::process::ExitCode;
use std::sync::Arc;

use reml_capability::policy::{self, Power};
use reml_driver::pipeline::{Compilation, Options, RunOptions};
use reml_driver::system::OsSystem;

use crate::FAILURE;
use crate::hot_reload::Reloader;
use crate::options::{Compile, Input, Output};
use crate::permissions::Permissions;
use crate::pipeline::Pipeline;
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
    let pipeline = match Pipeline::begin(&subject, args.permissions.audit().as_deref()) {
        Ok(pipeline) => pipeline,
        Err(problem) => return report::refusal(&problem),
    };
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
    let gate = args.permissions.gate(&compilation, pipeline.sink());
    let permits = |subject: &policy::Subject<'_>| gate.as_ref().is_ok_and(|gate| gate.permits(Power::Ffi, subject));
    let loaded = match &reloader {
        _ if !fine => None,
        Some(reloader) => compilation.load_first(&permits, &reloader.versions),
        None => compilation.load(&permits),
    };
    report::emitted(&mut compilation);
    let written = telemetry::emit(&args.compile.emit_telemetry, &compilation, &subject);
    report::diagnostics(&compilation, &subject, &args.output);
    let shown = written & report::progress(&compilation, &subject, &args.output);
    let refusal = gate.as_ref().err().filter(|_| loaded.is_some());
    let completed = loaded.is_some() && refusal.is_none();
    if let Err(problem) = pipeline.end(&compilation, completed, refusal.map(String::as_str)) {
        return report::refusal(&problem);
    }
    let Some(program) = loaded.filter(|_| shown) else { return ExitCode::from(FAILURE) };
    let gate = match gate {
        Ok(gate) => gate,
        Err(problem) => return report::refusal(&problem),
    };
    let versions = match reloader.map(|reloader| reloader.watch(&compilation, &gate)).transpose() {
        Ok(versions) => versions,
        Err(problem) => {
            report::plain_error(&problem);
            return ExitCode::from(FAILURE);
        }
    };
    // The program may need the memory, and runs as long as it likes.
    drop((compilation, pipeline));
    let options = RunOptions { gate: Some(Arc::clone(&gate)), ..RunOptions::default() };
    let outcome = match &versions {
        Some(versions) => versions.run(&program, &args.args, &options),
        None => program.run_with(&args.args, &options),
    };
    if let Some(Err(problem)) = gate.sink().map(|sink| sink.flush()) {
        return report::refusal(&format!("the audit log is not complete: {problem}"));
    }
    ExitCode::from(outcome.exit_code as u8)
}
