//! `remlc run`: compile in memory, run, and end with the program's own exit status.

use std::process::ExitCode;

use reml_driver::pipeline::Compilation;
use reml_driver::system::OsSystem;

use crate::FAILURE;
use crate::options::{Compile, Input, Output};
use crate::report::{self, Subject};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    compile: Compile,
    #[command(flatten)]
    output: Output,
    /// Arguments of the program
    #[arg(last = true, value_name = "ARGS")]
    args: Vec<String>,
}

pub fn execute(args: Args) -> ExitCode {
    let input = args.input.path();
    let subject = Subject::new("run", "Run", &input, args.compile.fail_on_warning);
    let mut compilation = Compilation::new(&OsSystem, args.compile.options(true));
    let fine = compilation.check(&input) && compilation.lower();
    if fine {
        compilation.emit_code();
    }
    let loaded = if fine { compilation.load() } else { None };
    report::emitted(&mut compilation);
    report::diagnostics(&compilation, &subject, &args.output);
    report::progress(&compilation, &args.output);
    match loaded {
        Some(program) => {
            // The program may need the memory, and runs as long as it likes.
            drop(compilation);
            ExitCode::from(program.run(&args.args).exit_code as u8)
        }
        None => ExitCode::from(FAILURE),
    }
}
