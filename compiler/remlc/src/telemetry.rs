//! `remlc telemetry`: draws what `--emit-telemetry` has written. And where the latter goes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use reml_diagnostics::suggest;
use reml_driver::link::describe;
use reml_driver::pipeline::Compilation;
use reml_driver::system::timestamp;
use reml_driver::telemetry::{Graph, Report, dot, json, svg};

use crate::options::Telemetry;
use crate::report::{Subject, plain_error};
use crate::{FAILURE, output};

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Draw the constraint graph that `--emit-telemetry constraint_graph` has written, or print it for Graphviz.
    Graph(GraphArgs),
}

#[derive(clap::Args)]
struct GraphArgs {
    /// What `--emit-telemetry` has written, or only its `graph`
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Write the graph in the language of Graphviz to FILE [default without --svg-out: standard output]
    #[arg(long, value_name = "FILE")]
    dot_out: Option<PathBuf>,

    /// Write the graph as a picture to FILE
    #[arg(long, value_name = "FILE")]
    svg_out: Option<PathBuf>,

    /// What the graph is called [default: the name of the file]
    #[arg(long, value_name = "NAME")]
    graph_name: Option<String>,

    /// Only this function, such as `app.shapes.area` or `area`, and what its constraints lead to; may be given more than once
    #[arg(long, value_name = "NAME")]
    function: Vec<String>,
}

pub fn execute(args: Args) -> ExitCode {
    let Command::Graph(args) = args.command;
    match draw(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FAILURE),
        Err(problem) => {
            plain_error(&problem);
            ExitCode::from(FAILURE)
        }
    }
}

/// Whether all could be written.
fn draw(args: &GraphArgs) -> Result<bool, String> {
    let shown = args.file.display();
    let text =
        fs::read_to_string(&args.file).map_err(|problem| format!("cannot read `{shown}`: {}", describe(&problem)))?;
    let graph = json::read(&text).map_err(|problem| format!("`{shown}` is no constraint graph: {problem}"))?;
    let graph = if args.function.is_empty() { graph } else { only(&graph, &args.function)? };
    let stem = || args.file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let name = args.graph_name.clone().or_else(stem).unwrap_or_else(|| dot::DEFAULT_NAME.to_owned());
    let mut fine = true;
    if let Some(path) = &args.svg_out {
        fine &= output::write_file(path, svg::print(&graph, &name).as_bytes(), &args.file);
    }
    match &args.dot_out {
        Some(path) => fine &= output::write_file(path, dot::print(&graph, &name).as_bytes(), &args.file),
        None if args.svg_out.is_none() => output::write(dot::print(&graph, &name).as_bytes()),
        None => {}
    }
    Ok(fine)
}

fn only(graph: &Graph, names: &[String]) -> Result<Graph, String> {
    let mut functions = Vec::new();
    for name in names {
        let found = graph.functions_named(name);
        if found.is_empty() {
            let known: Vec<&str> = graph.function_names().flat_map(|name| [name, last(name)]).collect();
            let hint = suggest::closest(name, known).map(|it| format!("; did you mean `{it}`?")).unwrap_or_default();
            return Err(format!("the graph has no function `{name}`{hint}"));
        }
        functions.extend(found);
    }
    Ok(graph.only(&functions))
}

fn last(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, last)| last)
}

/// Writes what was asked for: to its file, or to standard output. Whether that could be done.
pub fn emit(asked: &[Telemetry], compilation: &Compilation<'_>, subject: &Subject<'_>) -> bool {
    let mut fine = true;
    for Telemetry::ConstraintGraph(file) in asked {
        let (input, now) = (subject.input.display().to_string(), timestamp(SystemTime::now()));
        let text = json::print(&Report::of(&compilation.constraints, &compilation.sources, &input, &now));
        match file {
            Some(path) => fine &= output::write_file(Path::new(path), text.as_bytes(), subject.input),
            None => output::write(text.as_bytes()),
        }
    }
    fine
}
