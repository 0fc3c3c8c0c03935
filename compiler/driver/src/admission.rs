//! Which stages of capabilities does a compilation know and admit, and who has said so?
//!
//! The command line comes before the environment, which comes before the manifest, which comes before the file of the runtime that the
//! environment names. All is admitted unless one of them says something.

use std::path::Path;

use reml_capability::stage::{Admission, CapabilityFile, Stage, StageInput, StageSource, Stages};
use reml_diagnostics::{Diagnostic, Span, codes};

use crate::link::describe;
use crate::system::System;

const STAGE_VARIABLE: &str = "REMLC_EFFECT_STAGE";
const FILE_VARIABLE: &str = "REML_RUNTIME_CAPABILITIES";

/// The stages that hold for a program with this manifest. What the environment says wrongly is reported.
pub(crate) fn stages(
    asked: &Stages,
    manifest: Stages,
    triple: &str,
    system: &dyn System,
    diagnostics: &mut Vec<Diagnostic>,
) -> Stages {
    let mut stages = manifest;
    stages.of.extend(asked.of.iter().map(|(id, stage)| (id.clone(), *stage)));
    let noted = |source, stage: Option<Stage>, note: &str| {
        stage.map(|stage| StageInput { note: Some(note.to_owned()), ..StageInput::new(source, Some(stage)) })
    };
    let inputs = [
        noted(StageSource::CliOption, asked.admitted, "--effect-stage"),
        noted(StageSource::EnvVar, of_variable(system, diagnostics), STAGE_VARIABLE),
        noted(StageSource::RunConfig, stages.admitted, "run.effect_stage"),
        of_file(triple, system, diagnostics),
    ];
    let admission = Admission::resolve(inputs.into_iter().flatten(), Stage::Experimental);
    let said = admission.trace.iter().any(|step| step.source != StageSource::Runtime && step.stage.is_some());
    stages.admitted = said.then_some(admission.least);
    stages.trace = admission.trace;
    stages
}

fn of_variable(system: &dyn System, diagnostics: &mut Vec<Diagnostic>) -> Option<Stage> {
    let text = system.env(STAGE_VARIABLE)?;
    let stage = Stage::parse(&text);
    if stage.is_none() {
        let message = format!("the variable `{STAGE_VARIABLE}` is `{text}`, which is not a stage");
        let help = "the stages are `experimental`, `beta` and `stable`";
        diagnostics.push(Diagnostic::error(codes::CONFIG_INVALID_STAGE, Span::NONE, message).with_help(help));
    }
    stage
}

fn of_file(triple: &str, system: &dyn System, diagnostics: &mut Vec<Diagnostic>) -> Option<StageInput> {
    let name = system.env(FILE_VARIABLE)?;
    let (code, problem) = match system.read(Path::new(&name)) {
        Ok(bytes) => match CapabilityFile::parse(&String::from_utf8_lossy(&bytes)) {
            Ok(file) => return Some(file.input(&name, triple)),
            Err(problem) if problem.key.ends_with("stage") => (codes::CONFIG_INVALID_STAGE, problem.to_string()),
            Err(problem) => (codes::CONFIG_SCHEMA_MISMATCH, problem.to_string()),
        },
        Err(problem) => (codes::CONFIG_IO, describe(&problem)),
    };
    let message = format!("`{name}`, which `{FILE_VARIABLE}` names, cannot be used: {problem}");
    diagnostics.push(Diagnostic::error(code, Span::NONE, message));
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::MemorySystem;

    fn resolved(system: &MemorySystem, asked: Option<Stage>) -> (Stages, Vec<Diagnostic>) {
        let mut diagnostics = Vec::new();
        let asked = Stages { admitted: asked, ..Stages::default() };
        let stages = stages(&asked, Stages::default(), "a-b-c", system, &mut diagnostics);
        (stages, diagnostics)
    }

    #[test]
    fn what_is_nearer_counts_and_all_is_traced() {
        let file = r#"{"stage": "experimental", "overrides": {"a-b-c": {"stage": "beta"}}}"#;
        let system = MemorySystem::new().with("caps.json", file).with_env(FILE_VARIABLE, "caps.json");
        let (stages, _) = resolved(&system, None);
        assert_eq!(stages.admitted, Some(Stage::Beta));
        let (stages, diagnostics) = resolved(&system.with_env(STAGE_VARIABLE, "stable"), Some(Stage::Experimental));
        let sources: Vec<&str> = stages.trace.iter().map(|step| step.source.name()).collect();
        assert_eq!((stages.admitted, diagnostics.len()), (Some(Stage::Experimental), 0));
        assert_eq!(sources, ["cli_option", "env_var", "capability_json", "runtime"]);
    }

    #[test]
    fn all_is_admitted_where_nobody_says_anything() {
        assert_eq!(resolved(&MemorySystem::new(), None).0.admitted, None);
    }

    #[test]
    fn what_the_environment_says_wrongly_is_reported() {
        let told = |system: MemorySystem| {
            let diagnostics = resolved(&system, None).1;
            diagnostics.into_iter().map(|it| (it.code, it.message)).next().unwrap()
        };
        let (code, message) = told(MemorySystem::new().with_env(STAGE_VARIABLE, "alpha"));
        assert_eq!(code, codes::CONFIG_INVALID_STAGE);
        assert_eq!(message, "the variable `REMLC_EFFECT_STAGE` is `alpha`, which is not a stage");
        let named = || MemorySystem::new().with_env(FILE_VARIABLE, "caps.json");
        assert_eq!(told(named()).0, codes::CONFIG_IO);
        assert_eq!(told(named().with("caps.json", "[]")).0, codes::CONFIG_SCHEMA_MISMATCH);
        assert_eq!(told(named().with("caps.json", r#"{"stage": "x"}"#)).0, codes::CONFIG_INVALID_STAGE);
    }
}
