//! `remlc build`: compile to an executable file, with the native libraries that a `reml.json` names. Without a program, only that is looked after.

mod native;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use reml_diagnostics::{Diagnostic, Span, codes};
use reml_driver::ffi_build::{Asked, Bindings};
use reml_driver::link;
use reml_driver::pipeline::{Compilation, Options};
use reml_driver::system::OsSystem;

use crate::FAILURE;
use crate::options::{Compile, Input, Output};
use crate::output;
use crate::permissions::Permissions;
use crate::pipeline::Pipeline;
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
    /// The file that names native libraries and headers; without a program, it is all that is checked [default: the program's `reml.json`]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Generate the bindings that the configuration asks for; without a program, nothing else
    #[arg(long)]
    emit_bindgen: bool,
    /// Where generated bindings are kept [default: what `REML_CACHE_DIR` says, or a folder of the user's]
    #[arg(long, value_name = "DIR")]
    cache_dir: Option<PathBuf>,
    /// Generate bindings anew, and keep none
    #[arg(long, conflicts_with = "cache_dir")]
    no_cache: bool,
    /// One more argument for the linker; may be given more than once
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    link_arg: Vec<String>,
    #[command(flatten)]
    compile: Compile,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    permissions: Permissions,
}

/// Exit status after Ctrl-C, as shells have it: 128 and the signal's number.
const INTERRUPTED: i32 = 130;

impl Args {
    fn native(&self, bindings: Bindings) -> Asked {
        Asked {
            config: self.config.clone(),
            bindings,
            cache_dir: self.cache_dir.clone(),
            no_cache: self.no_cache,
            link_args: self.link_arg.clone(),
        }
    }
}

pub fn execute(args: Args) -> ExitCode {
    if native::is_alone(&args) {
        return native::execute(&args);
    }
    // While the linker runs, Ctrl-C ends the linker too, and then the ordinary way out removes its files.
    let _ = ctrlc::set_handler(|| {
        if !link::interrupt() {
            std::process::exit(INTERRUPTED);
        }
    });
    let input = args.input.path();
    let mut subject = Subject::new("build", "Build", &input, args.compile.fail_on_warning);
    let log = args.permissions.audit();
    let pipeline = match Pipeline::begin(&subject, log.as_deref()) {
        Ok(pipeline) => pipeline,
        Err(problem) => return report::refusal(&problem),
    };
    let options = args.compile.options(true, &args.output);
    let mut compilation = Compilation::new(&OsSystem, Options { ffi: args.native(Bindings::Generate), ..options });
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
                    let recorded = pipeline.end(&compilation, false, Some(&problem));
                    report::plain_error(&problem);
                    return recorded.map_or_else(|problem| report::refusal(&problem), |()| ExitCode::from(FAILURE));
                }
            }
        };
    }
    if link::is_interrupted() {
        std::process::exit(INTERRUPTED);
    }
    let recorded = pipeline.end(&compilation, fine, None);
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
    if let Err(problem) = recorded {
        return report::refusal(&problem);
    }
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
