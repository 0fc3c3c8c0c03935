//! `reml-bindgen`: from C headers to `extern` declarations of Reml.
//!
//! [`run`] does everything that the command does: it reads the configuration, has the C compiler preprocess the headers, reads their declarations
//! ([`c`]), decides what becomes of each ([`bindings`], by the table in [`types`]), and writes the file of Reml and its manifest. What
//! cannot be bound is left out and named, with a reason; everything else of its header is bound all the same.

pub mod bindings;
pub mod c;
pub mod check;
mod cli;
mod compile_commands;
mod compiler;
mod config;
mod emit;
pub mod files;
mod manifest;
pub mod names;
mod records;
pub mod report;
mod scope;
pub mod types;

use std::path::Path;

use reml_diagnostics::{Diagnostic, Span, codes};
use serde_json::Value;

use crate::c::parse::Problem;
use crate::c::token::Source;
use crate::compiler::Compiler;
use crate::config::{Config, DEFAULT_FILE, Header};
use crate::report::{Log, Report};

pub use cli::{Arguments, execute};
pub use config::Overrides;
pub use emit::module_name;
pub use manifest::input_hash;

/// The version that goes into hashes and is told to those who ask.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

pub struct Options {
    pub overrides: Overrides,
    /// For which target the bindings are; a part of the hash.
    pub target: String,
    /// Have the C compiler confirm the layout of records.
    pub check_layout: bool,
}

/// What a run has made, and what there is to say about it.
pub struct Outcome {
    pub report: Report,
    /// Absent after a failure, before which nothing is written.
    pub made: Option<Made>,
}

/// Two files that have been written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Made {
    pub source: String,
    pub manifest: String,
    pub input_hash: String,
}

/// Generates bindings. `log` gets the events of the run.
pub fn run(options: &Options, log: &mut dyn FnMut(&Value)) -> Outcome {
    let mut log = Log { out: log };
    let mut report = Report::default();
    log.start(options.overrides.config.as_deref().unwrap_or(Path::new(DEFAULT_FILE)));
    let mut paths = None;
    let made = config::load(&options.overrides, &mut report).and_then(|config| {
        let made = generate(&config, options, &mut report, &mut log);
        paths = Some((config.output, config.manifest));
        made
    });
    let written = paths.as_ref().filter(|_| made.is_some()).map(|(output, manifest)| (&**output, &**manifest));
    log.finish(written, &report);
    Outcome { report, made }
}

fn generate(config: &Config, options: &Options, report: &mut Report, log: &mut Log<'_>) -> Option<Made> {
    let parsed = parse(config, report);
    let named = |header: &Header| match (header, &parsed) {
        (header, Some((source, ..))) => scope::resolved(source, header),
        (Header::File { path, .. }, None) => files::recorded(path),
        (Header::System(name), None) => name.clone(),
    };
    let headers: Vec<String> = config.headers.iter().map(named).collect();
    log.parse(if parsed.is_some() { "success" } else { "failed" }, &headers);
    let (source, mut unit, compiler) = parsed?;
    let wanted = bindings::macros_wanted(&source, config);
    let expansions = compiler.expand(&wanted, report)?;
    let bindings = bindings::build(&source, &mut unit, &expansions, config, report);
    if options.check_layout && !compiler.asserts(&check::assertions(&unit, &bindings), report) {
        return None;
    }
    if bindings.functions.is_empty() && bindings.records.is_empty() && bindings.groups.is_empty() {
        for (header, name) in config.headers.iter().zip(&headers) {
            empty(header, name, &source, report);
        }
    }
    let made = make(config, options, &source, &headers, &bindings, report);
    let made = made.filter(|made| write(config, made, report));
    log.generate(if made.is_some() { "success" } else { "failed" }, &config.output, &config.manifest);
    made
}

/// Says that there is nothing to bind in a header.
fn empty(header: &Header, name: &str, source: &Source, report: &mut Report) {
    let left = report::Left {
        code: codes::BINDGEN_TYPE,
        symbol: name.to_owned(),
        c_type: None,
        reason: "empty",
        hint: Some(
            "if other headers have what it promises, name those, or give `follow` a pattern for them".to_owned(),
        ),
    };
    let offset = match header {
        Header::File { .. } => None,
        Header::System(_) => source.tokens.first().map(|token| token.start),
    };
    report.leave(left, source, offset.unwrap_or(0));
}

fn parse(config: &Config, report: &mut Report) -> Option<(Source, c::model::Unit, Compiler)> {
    let compiler = Compiler::new(config, report)?;
    let source = Source::new(compiler.preprocess(report)?);
    let (unit, problems) = c::parse::parse(&source);
    let scope = scope::files_in_scope(&source, config);
    for problem in problems {
        // What a header of the system uses that only its compiler knows is missed only where it is needed.
        if source.file_at(problem.start).is_none_or(|file| scope[file]) {
            report_problem(problem, &source, report);
        }
    }
    (!report.failed()).then_some((source, unit, compiler))
}

fn report_problem(problem: Problem, source: &Source, report: &mut Report) {
    let word = source.text.get(problem.start as usize..problem.end as usize).unwrap_or_default();
    let at = report.place(source, problem.start, word);
    let mut diagnostic = Diagnostic::error(codes::BINDGEN_PARSE, at, problem.message);
    if let Some(symbol) = &problem.symbol {
        diagnostic = diagnostic.with_fact("ffi.bindgen.symbol", symbol.as_str());
    }
    if let Some((offset, why)) = problem.related {
        let place = report.place(source, offset, problem.symbol.as_deref().unwrap_or_default());
        diagnostic = diagnostic.with_label(place, why);
    }
    if let Some(help) = problem.help {
        diagnostic = diagnostic.with_help(help);
    }
    report.add(diagnostic);
}

fn make(
    config: &Config,
    options: &Options,
    source: &Source,
    headers: &[String],
    bindings: &bindings::Bindings,
    report: &mut Report,
) -> Option<Made> {
    let text = match emit::source(&emit::module_name(&config.output), config.link.as_deref(), bindings) {
        Ok(text) => text,
        Err(why) => {
            let message = format!("the bindings are not Reml, which is a mistake of reml-bindgen: {why}");
            report.add(Diagnostic::error(codes::BINDGEN_GENERATE, Span::NONE, message));
            return None;
        }
    };
    let input_hash = hash(config, options, source, report)?;
    let manifest = manifest::Manifest {
        headers,
        generated: files::recorded(&config.output),
        input_hash: input_hash.clone(),
        types: &bindings.correspondences,
        left: &report.left,
    };
    Some(Made { source: text, manifest: manifest.to_text(), input_hash })
}

/// The hash over the headers with all that they include, except for headers of the system: those belong to the target.
fn hash(config: &Config, options: &Options, source: &Source, report: &mut Report) -> Option<String> {
    let mut contents = Vec::new();
    for file in &source.files {
        if file.system || file.name.starts_with('<') {
            continue;
        }
        match std::fs::read(&file.name) {
            Ok(bytes) => contents.push(bytes),
            Err(problem) => {
                let message = format!("`{}` cannot be read: {}", file.name, files::described(&problem));
                report.add(Diagnostic::error(codes::BINDGEN_PARSE, Span::NONE, message));
                return None;
            }
        }
    }
    let contents: Vec<&[u8]> = contents.iter().map(Vec::as_slice).collect();
    Some(input_hash(&contents, &config.canonical, &options.target, VERSION))
}

/// Writes both files, or none. What is there already is replaced, with a warning, unless somebody has written it by hand.
fn write(config: &Config, made: &Made, report: &mut Report) -> bool {
    let mut staged = Vec::new();
    for (path, text) in [(&config.output, &made.source), (&config.manifest, &made.manifest)] {
        let before = std::fs::read(path).ok();
        if before.as_deref() == Some(text.as_bytes()) {
            continue;
        }
        if let Some(before) = before {
            let overwrite = |diagnostic: Diagnostic, reason: &str| {
                diagnostic
                    .with_fact("ffi.bindgen.symbol", files::recorded(path))
                    .with_fact("ffi.bindgen.reason", reason)
            };
            let is_source = path == &config.output;
            let own = if is_source { emit::MARK } else { "\"input_hash\"" };
            let shown = files::displayed(path);
            if !String::from_utf8_lossy(&before).contains(own) {
                let message = format!("`{shown}` exists, and reml-bindgen has not generated it");
                let error = Diagnostic::error(codes::BINDGEN_OVERWRITE, Span::NONE, message)
                    .with_help("remove it, or have the bindings written elsewhere");
                report.add(overwrite(error, "not_generated"));
                return false;
            }
            let message = format!("`{shown}` exists, and is overwritten");
            report.add(overwrite(Diagnostic::warning(codes::BINDGEN_OVERWRITE, Span::NONE, message), "output_exists"));
        }
        match files::stage(path, text) {
            Ok(file) => staged.push((path, file)),
            Err(why) => {
                report.add(report::unwritable(path, &why));
                return false;
            }
        }
    }
    for (path, file) in staged {
        if let Err(why) = file.publish() {
            report.add(report::unwritable(path, &why));
            return false;
        }
    }
    true
}
