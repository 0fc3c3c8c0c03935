//! `remlc check`: is the program correct?

use std::process::ExitCode;

use reml_driver::pipeline::Compilation;
use reml_driver::system::OsSystem;

use crate::FAILURE;
use crate::options::{Compile, Input, Output};
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
    /// Check library functions that the program does not use, too
    #[arg(long, hide = true)]
    check_library: bool,
}

pub fn execute(args: Args) -> ExitCode {
    let input = args.input.path();
    let subject = Subject::new("check", "Check", &input, args.compile.fail_on_warning);
    // Later stages need a program, and so a `main`.
    let late = args.compile.emit.iter().any(|stage| stage.is_late());
    let mut options = args.compile.options(late, &args.output);
    options.check_library = args.check_library;
    let mut compilation = Compilation::new(&OsSystem, options);
    let mut fine = compilation.check(&input);
    if fine && late {
        fine = compilation.lower();
        compilation.emit_code();
    }
    report::emitted(&mut compilation);
    let written = telemetry::emit(&args.compile.emit_telemetry, &compilation, &subject);
    report::diagnostics(&compilation, &subject, &args.output);
    fine &= written & report::progress(&compilation, &subject, &args.output);
    if fine { ExitCode::SUCCESS } else { ExitCode::from(FAILURE) }
}
