//! `reml-bindgen`: from C headers to `extern` declarations of Reml.
//!
//! [`run`] does everything that the command does: it reads the configuration, has the C compiler preprocess the headers, reads their declarations
//! ([`c`]), decides what becomes of each ([`bindings`], by the table in [`types`]), and writes the file of Reml and its manifest. What
//! cannot be bound is left out and named, with a reason; everything else of its header is bound all the same.
//!
//! Those who may have the bindings already go step by step: a [`Request`] is known by its [`key`](Request::key) before anything is preprocessed,
//! [`Headers`] by their hash and by the [`Dependencies`] that would have to change for other bindings to come out.

pub mod bindings;
pub mod c;
pub mod check;
mod cli;
mod compile_commands;
mod compiler;
mod config;
mod dependencies;
mod emit;
pub mod files;
mod manifest;
pub mod names;
mod records;
pub mod report;
mod scope;
pub mod types;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use reml_diagnostics::{Diagnostic, Span, codes};
use serde_json::{Value, json};

use crate::c::parse::Problem;
use crate::c::token::Source;
use crate::compiler::Compiler;
use crate::config::{Config, DEFAULT_FILE, Header};
use crate::report::{Log, Report};

pub use cli::{Arguments, execute};
pub use config::Overrides;
pub use dependencies::Dependencies;
pub use emit::module_name;
pub use manifest::input_hash;

/// The version that goes into hashes and is told to those who ask.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

pub struct Options {
    pub overrides: Overrides,
    /// For which target the bindings are; a part of the hash.
    pub target: String,
    /// The version of the tool that goes into hashes, [`VERSION`] unless somebody says otherwise.
    pub version: String,
    /// Have the C compiler confirm the layout of records.
    pub check_layout: bool,
}

/// The target that bindings are for when none is named: this machine.
pub fn default_target() -> String {
    format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS)
}

/// What a run has made, and what there is to say about it.
pub struct Outcome {
    pub report: Report,
    /// Absent after a failure, before which nothing is written.
    pub made: Option<Made>,
}

/// The texts of two files.
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
    let request = Request::of(config.clone(), options, report);
    let headers = request.and_then(|request| request.read(report));
    let names = match &headers {
        Some(headers) => headers.names.clone(),
        None => config.headers.iter().map(Header::declared).collect(),
    };
    log.parse(if headers.is_some() { "success" } else { "failed" }, &names);
    let mut headers = headers?;
    let made = headers.bind(report)?;
    let made = Some(made).filter(|made| headers.write(made, report));
    log.generate(if made.is_some() { "success" } else { "failed" }, &config.output, &config.manifest);
    made
}

/// What shall be bound, with everything that is known before a header has been read.
pub struct Request {
    config: Config,
    compiler: Compiler,
    target: String,
    version: String,
    check_layout: bool,
}

impl Request {
    /// Reads the configuration, and looks for the headers. `None`: the report says why.
    pub fn new(options: &Options, report: &mut Report) -> Option<Request> {
        let config = config::load(&options.overrides, report)?;
        Request::of(config, options, report)
    }

    fn of(config: Config, options: &Options, report: &mut Report) -> Option<Request> {
        let compiler = Compiler::new(&config, report)?;
        let Options { target, version, check_layout, .. } = options;
        Some(Request {
            config,
            compiler,
            target: target.clone(),
            version: version.clone(),
            check_layout: *check_layout,
        })
    }

    /// The paths of the headers, as they are recorded.
    pub fn headers(&self) -> Vec<String> {
        self.config.headers.iter().map(Header::declared).collect()
    }

    /// A digest of all that the bindings depend on besides the contents of files. Files lie where they lie on this machine.
    pub fn key(&self) -> String {
        let [output, manifest] = [&self.config.output, &self.config.manifest].map(|path| files::absolute(path));
        let told = json!({
            "config": self.config.canonical, "output": output, "manifest": manifest, "target": self.target,
            "version": self.version, "check_layout": self.check_layout, "compiler": self.compiler.identity(),
            "arguments": self.compiler.arguments(),
        });
        manifest::digest(told.to_string().as_bytes())
    }

    /// Has the C compiler preprocess the headers, and reads their declarations.
    pub fn read(self, report: &mut Report) -> Option<Headers> {
        let source = Source::new(self.compiler.preprocess(report)?);
        let (unit, problems) = c::parse::parse(&source);
        let scope = scope::files_in_scope(&source, &self.config);
        for problem in problems {
            // What a header of the system uses that only its compiler knows is missed only where it is needed.
            if source.file_at(problem.start).is_none_or(|file| scope[file]) {
                report_problem(problem, &source, report);
            }
        }
        if report.failed() {
            return None;
        }
        let names: Vec<String> = self.config.headers.iter().map(|header| scope::resolved(&source, header)).collect();
        let input_hash = self.input_hash(&source, &scope, &names, report)?;
        Some(Headers { request: self, source, unit, names, input_hash })
    }

    /// The hash over the headers with all that they include, except for what the system has: that belongs to the target. Headers of the system
    /// that are bound themselves count.
    fn input_hash(&self, source: &Source, scope: &[bool], names: &[String], report: &mut Report) -> Option<String> {
        let mut own: Vec<(&str, Vec<u8>)> = Vec::new();
        for (file, bound) in source.files.iter().zip(scope) {
            if !bound || file.name.starts_with('<') {
                continue;
            }
            match std::fs::read(&file.name) {
                Ok(bytes) => own.push((&file.name, bytes)),
                Err(problem) => {
                    let message = format!("`{}` cannot be read: {}", file.name, files::described(&problem));
                    report.add(Diagnostic::error(codes::BINDGEN_PARSE, Span::NONE, message));
                    return None;
                }
            }
        }
        let texts: Vec<(PathBuf, Cow<'_, str>)> =
            own.iter().map(|(path, bytes)| (path.into(), String::from_utf8_lossy(bytes))).collect();
        let answers = dependencies::answers(texts.iter().map(|(path, text)| (&**path, &**text)), &self.compiler);
        let contents: Vec<&[u8]> = own.iter().map(|(_, bytes)| bytes.as_slice()).collect();
        // The paths stand in what is generated.
        let [generated, manifest] = [&self.config.output, &self.config.manifest].map(|path| files::recorded(path));
        let as_recorded =
            |flag: &String| if flag.starts_with('/') { files::recorded(Path::new(flag)) } else { flag.clone() };
        let commands: Vec<String> = self.compiler.commands.iter().map(as_recorded).collect();
        let told = json!({
            "config": self.config.canonical, "headers": names, "generated": generated, "manifest": manifest,
            "commands": commands, "answers": answers,
        });
        Some(input_hash(&contents, &told, &self.target, &self.version))
    }
}

/// Headers that have been read: their bindings are a matter of computing, except for what macros stand for.
pub struct Headers {
    request: Request,
    source: Source,
    unit: c::model::Unit,
    /// The paths of the headers, as they are recorded.
    pub names: Vec<String>,
    /// What the bindings are known by.
    pub input_hash: String,
}

impl Headers {
    /// The files that were read, and those that might have been.
    pub fn dependencies(&self) -> Dependencies {
        Dependencies::of(&self.source, &self.request.compiler)
    }

    /// Makes the bindings.
    pub fn bind(&mut self, report: &mut Report) -> Option<Made> {
        let Request { config, compiler, .. } = &self.request;
        let wanted = bindings::macros_wanted(&self.source, config);
        let expansions = compiler.expand(&wanted, report)?;
        let bindings = bindings::build(&self.source, &mut self.unit, &expansions, config, report);
        if self.request.check_layout && !compiler.asserts(&check::assertions(&self.unit, &bindings), report) {
            return None;
        }
        if bindings.functions.is_empty() && bindings.records.is_empty() && bindings.groups.is_empty() {
            for (header, name) in config.headers.iter().zip(&self.names) {
                empty(header, name, &self.source, report);
            }
        }
        let text = match emit::source(&emit::module_name(&config.output), config.link.as_deref(), &bindings) {
            Ok(text) => text,
            Err(why) => {
                let message = format!("the bindings are not Reml, which is a mistake of reml-bindgen: {why}");
                report.add(Diagnostic::error(codes::BINDGEN_GENERATE, Span::NONE, message));
                return None;
            }
        };
        let manifest = manifest::Manifest {
            headers: &self.names,
            generated: files::recorded(&config.output),
            input_hash: self.input_hash.clone(),
            types: &bindings.correspondences,
            left: &report.left,
        };
        Some(Made { source: text, manifest: manifest.to_text(), input_hash: self.input_hash.clone() })
    }

    /// Writes both files, or none. What is there already is replaced, with a warning, unless somebody has written it by hand.
    pub fn write(&self, made: &Made, report: &mut Report) -> bool {
        write(&self.request.config, made, report)
    }
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
