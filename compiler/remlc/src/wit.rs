//! `remlc wit`: between WIT, the interface language of WebAssembly components, and Reml.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use reml_diagnostics::render;
use reml_driver::pipeline::{Compilation, Options};
use reml_driver::system::OsSystem;
use reml_wit::{Export, Import, Report};

use crate::options::Output;
use crate::report::{self, Subject};
use crate::{FAILURE, output};

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Generate bindings in Reml for a world of WIT.
    Import(ImportArgs),
    /// Describe the public types and functions of a module in WIT.
    Export(ExportArgs),
}

#[derive(clap::Args)]
struct ImportArgs {
    /// A file, or the folder of a package; packages that it depends on are in the folder `deps` there
    #[arg(value_name = "WIT")]
    wit: PathBuf,
    /// The world, where the package has several
    #[arg(long, value_name = "NAME")]
    world: Option<String>,
    /// The file of Reml to write [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// A manifest to write: which types became which, and what was left out
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    #[command(flatten)]
    show: Output,
}

#[derive(clap::Args)]
struct ExportArgs {
    /// A source file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The package that the interface is in, as `shop:catalog@0.1.0` [default: `local:` and the name of the interface]
    #[arg(long, value_name = "NAME")]
    package: Option<String>,
    /// The world that exports the interface [default: the name of the interface and `-world`]
    #[arg(long, value_name = "NAME")]
    world: Option<String>,
    /// The file of WIT to write [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    show: Output,
}

pub fn execute(args: Args) -> ExitCode {
    match args.command {
        Command::Import(args) => import(args),
        Command::Export(args) => export(args),
    }
}

fn import(args: ImportArgs) -> ExitCode {
    let subject = Subject::new("import", "WitImport", &args.wit, false);
    let mut report = Report::default();
    let options =
        Import { wit: args.wit.clone(), world: args.world, output: args.output.clone(), manifest: args.manifest };
    let made = reml_wit::import(&options, &mut report);
    if let (Some(made), None) = (&made, &args.output) {
        output::write(made.source.as_bytes());
    }
    finish(report, &subject, &args.show, made.is_some())
}

fn export(args: ExportArgs) -> ExitCode {
    let subject = Subject::new("export", "WitExport", &args.file, false);
    let mut compilation = Compilation::new(&OsSystem, Options::default());
    if !compilation.check(&args.file) {
        report::diagnostics(&compilation, &subject, &args.show);
        return ExitCode::from(FAILURE);
    }
    let mut report = Report::default();
    let name = args.file.file_stem().unwrap_or_default().to_string_lossy();
    let file = args.file.display().to_string();
    // It has just been read, so that it is there, and is text.
    let text = std::fs::read_to_string(&args.file).unwrap_or_default();
    let options = Export { package: args.package, world: args.world };
    let made = reml_wit::export(&text, &name, &file, &options, &mut report).is_some_and(|wit| match &args.output {
        Some(path) => reml_wit::write(&[(path, &wit, "interface ")], &mut report),
        None => {
            output::write(wit.as_bytes());
            true
        }
    });
    finish(report, &subject, &args.show, made)
}

fn finish(mut report: Report, subject: &Subject<'_>, show: &Output, made: bool) -> ExitCode {
    render::arrange(&mut report.diagnostics);
    report::show(&report.diagnostics, &report.sources, "Codegen", subject, show);
    if made { ExitCode::SUCCESS } else { ExitCode::from(FAILURE) }
}
