//! `remlc build` without a program: is the `ffi` section of a `reml.json` right, and are its bindings there?

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use reml_diagnostics::render::{Counts, diagnostic_json};
use reml_diagnostics::{Diagnostic, SourceMap};
use reml_driver::ffi_build::record::Record;
use reml_driver::ffi_build::section::FILE;
use reml_driver::ffi_build::{self, Bindings, Opened};
use reml_driver::package::MANIFEST;
use reml_driver::system::{OsSystem, timestamp};
use serde_json::{Value, json};

use super::Args;
use crate::options::{Format, Output};
use crate::pipeline::{Ended, Findings, Pipeline};
use crate::report::{self, Subject};
use crate::{FAILURE, output};

/// Is there no program to build? None is named, and either the configuration is, or there is nothing else here.
pub fn is_alone(args: &Args) -> bool {
    let only_section = || Path::new(FILE).is_file() && !Path::new(MANIFEST).exists();
    !args.input.is_named() && (args.emit_bindgen || args.config.is_some() || only_section())
}

pub fn execute(args: &Args) -> ExitCode {
    let path = args.config.clone().unwrap_or_else(|| PathBuf::from(FILE));
    let subject = Subject::new("build", "Build", &path, args.compile.fail_on_warning);
    let pipeline = match Pipeline::begin(&subject, args.permissions.audit().as_deref()) {
        Ok(pipeline) => pipeline,
        Err(problem) => return report::refusal(&problem),
    };
    let bindings = if args.emit_bindgen { Bindings::Generate } else { Bindings::Leave };
    let (mut sources, mut diagnostics) = (SourceMap::new(), Vec::new());
    let profile = args.compile.target_profile.as_deref();
    let opened = ffi_build::open(&path, &args.native(bindings), profile, &OsSystem, &mut sources, &mut diagnostics);
    let outcome = Counts::of(&diagnostics).outcome(args.compile.fail_on_warning);
    let validated = outcome != "failure";
    if let Err(problem) = record(&pipeline, &opened.records, &diagnostics, &sources, validated, outcome) {
        return report::refusal(&problem);
    }
    match args.output.format.unwrap_or(Format::Json) {
        Format::Json => {
            let report = as_json(&path, &opened, &diagnostics, &sources, validated);
            output::write(format!("{report:#}\n").as_bytes());
        }
        format => {
            let shown = Output { format: Some(format), ..args.output.clone() };
            report::show(&diagnostics, &sources, "Parsing", &subject, &shown);
            if validated && !args.output.quiet {
                output::write(line(&path, &opened).as_bytes());
            }
        }
    }
    if validated { ExitCode::SUCCESS } else { ExitCode::from(FAILURE) }
}

fn record(
    pipeline: &Pipeline<'_>,
    records: &[Record],
    diagnostics: &[Diagnostic],
    sources: &SourceMap,
    validated: bool,
    outcome: &'static str,
) -> Result<(), String> {
    let mut findings = Findings::default();
    findings.add(diagnostics);
    pipeline.native(records, "Parsing")?;
    pipeline.found(diagnostics, sources, "Parsing")?;
    pipeline.ended(&Ended {
        findings: &findings,
        phase: "Parsing",
        completed: validated,
        exit: outcome,
        refusal: None,
        count: 0,
        dsls: &[],
    })
}

fn as_json(path: &Path, opened: &Opened, diagnostics: &[Diagnostic], sources: &SourceMap, validated: bool) -> Value {
    let now = timestamp(SystemTime::now());
    json!({
        "command": "build.lint",
        "config": path.display().to_string(),
        "diagnostics": diagnostics.iter().map(|it| diagnostic_json(it, sources, &now)).collect::<Vec<_>>(),
        "audit": opened.records.iter().map(Record::to_json).collect::<Vec<_>>(),
        "stats": { "validated": validated, "config_loaded": opened.loaded, "ffi_present": opened.present },
    })
}

/// What was done, for a person.
fn line(path: &Path, opened: &Opened) -> String {
    let shown = path.display();
    let project = opened.project.as_ref();
    let bindgen = project.and_then(|project| project.section.bindgen.as_ref());
    let status = opened.records.first().map(|record| record.details["status"].clone());
    match (bindgen, status.as_ref().and_then(Value::as_str)) {
        (Some(bindgen), Some("success")) => format!("generated `{}`\n", bindgen.output.display()),
        (Some(bindgen), Some("cache_hit")) => format!("`{}` is as the cache has it\n", bindgen.output.display()),
        (_, Some("skipped")) => format!("`{shown}` asks for no bindings\n"),
        _ if !opened.present => format!("`{shown}` has no section `ffi`\n"),
        _ => format!("`{shown}` is right\n"),
    }
}
