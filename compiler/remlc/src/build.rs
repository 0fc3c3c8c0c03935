//! `remlc build`: compile to an executable file.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use reml_diagnostics::{Diagnostic, Span, codes};
use reml_driver::link;
use reml_driver::pipeline::Compilation;
use reml_driver::system::OsSystem;

use crate::FAILURE;
use crate::options::{Compile, Input, Output};
use crate::output;
use crate::permissions::Permissions;
use crate::report::{self, Subject};
use crate::telemetry;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    input: Input,
    /// The file to write [default: the name of the source file or package]
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    output_file: Option<PathBuf>,
    /// Write what other tools want to know of the executable to FILE: triple, data layout, versions, digest
    #[arg(long, value_name = "FILE")]
    emit_metadata: Option<PathBuf>,
    #[command(flatten)]
    compile: Compile,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    permissions: Permissions,
}

/// Exit status after Ctrl-C, as shells have it: 128 and the signal's number.
const INTERRUPTED: i32 = 130;

pub fn execute(args: Args) -> ExitCode {
    // While the linker runs, Ctrl-C ends the linker too, and then the ordinary way out removes its files.
    let _ = ctrlc::set_handler(|| {
        if !link::interrupt() {
            std::process::exit(INTERRUPTED);
        }
    });
    let input = args.input.path();
    let mut subject = Subject::new("build", "Build", &input, args.compile.fail_on_warning);
    let mut compilation = Compilation::new(&OsSystem, args.compile.options(true, &args.output));
    let mut fine = compilation.check(&input) && compilation.lower();
    let executable = args.output_file.clone().unwrap_or_else(|| default_output(&input, &compilation));
    if fine {
        compilation.emit_code();
        fine = if output::same_file(&executable, &input) {
            let message = format!("`{}` is the source file; choose another output with `-o`", executable.display());
            compilation.diagnostics.push(Diagnostic::error(codes::OUTPUT_UNWRITABLE, Span::NONE, message));
            false
        } else {
            match args.permissions.policy(&compilation) {
                Ok(policy) => compilation.build(&executable, &policy),
                Err(problem) => {
                    report::plain_error(&problem);
                    return ExitCode::from(FAILURE);
                }
            }
        };
    }
    if link::is_interrupted() {
        std::process::exit(INTERRUPTED);
    }
    if fine {
        subject.artifact = Some(&executable);
        if let Some(path) = &args.emit_metadata {
            let metadata = compilation.metadata(&executable);
            fine = metadata.is_some_and(|text| output::write_file(path, text.as_bytes(), &input));
        }
    }
    report::emitted(&mut compilation);
    let written = telemetry::emit(&args.compile.emit_telemetry, &compilation, &subject);
    report::diagnostics(&compilation, &subject, &args.output);
    fine &= written & report::progress(&compilation, &subject, &args.output);
    if fine { ExitCode::SUCCESS } else { ExitCode::from(FAILURE) }
}

fn default_output(input: &Path, compilation: &Compilation<'_>) -> PathBuf {
    let stem = match compilation.package_name() {
        Some(name) if input.is_dir() => name.to_owned(),
        _ => input.file_stem().map_or_else(|| "program".into(), |stem| stem.to_string_lossy().into_owned()),
    };
    let name = PathBuf::from(stem);
    if cfg!(windows) { name.with_extension("exe") } else { name }
}
